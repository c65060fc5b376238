//! Frames from records: any sequence of structs or maps that serde can serialise.

use super::column::{Column, Label, Real};
use super::frame::Frame;
use crate::error::{Error, Result};
use serde::ser::{self, Impossible, Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Frame {
    /// A frame with one row a record and one column a field, in the order in which the fields first appear.
    ///
    /// Numbers become reals, `bool` flags (with `None` among them reals 0 and 1), strings, characters and unit variants
    /// labels, `None` missing. Integers beyond ±2^53 make their column a label. A field that a record leaves out is missing.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// #[derive(serde::Serialize)]
    /// struct Visit { customer: u64, arm: &'static str, minutes: Option<f64> }
    /// let visits = [Visit { customer: 1, arm: "A", minutes: Some(2.5) }, Visit { customer: 2, arm: "B", minutes: None }];
    /// let frame = Frame::from_records(&visits)?;
    /// assert_eq!(frame.names(), ["customer", "arm", "minutes"]);
    /// assert!(frame.real("minutes")?[1].is_nan());
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Serialization`] for a record that is not a struct or map, a nested value, or a field that mixes text,
    /// numbers and flags; it names the field and the row.
    pub fn from_records<T: Serialize>(records: impl IntoIterator<Item = T>) -> Result<Self> {
        let mut rows = Rows::default();
        for record in records {
            record.serialize(RecordSerializer { rows: &mut rows })?;
            rows.count += 1;
        }
        let Rows {
            names,
            fields,
            count,
            ..
        } = rows;
        names
            .into_iter()
            .zip(fields)
            .try_fold(Self::new(), |frame, (name, mut values)| {
                values.resize(count, Value::Missing);
                let column = column(&name, &values)?;
                frame.with(name, column)
            })
    }
}

impl ser::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Serialization {
            message: message.to_string(),
        }
    }
}

/// One field of one record.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Missing,
    Flag(bool),
    Integer(i128),
    Float(f64),
    Text(String),
}

/// The records so far, by field.
#[derive(Default)]
struct Rows {
    names: Vec<String>,
    index: BTreeMap<String, usize>,
    fields: Vec<Vec<Value>>,
    count: usize,
}

impl Rows {
    fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<()> {
        let row = self.count;
        let value = value
            .serialize(ValueSerializer)
            .map_err(|e| Error::Serialization {
                message: format!("field `{name}` of record {}: {e}", row + 1),
            })?;
        let field = self.index.get(name).copied().unwrap_or_else(|| {
            self.index.insert(name.to_owned(), self.names.len());
            self.names.push(name.to_owned());
            self.fields.push(Vec::new());
            self.names.len() - 1
        });
        if self.fields[field].len() > row {
            return Err(Error::DuplicateColumn {
                column: name.to_owned(),
            });
        }
        self.fields[field].resize(row, Value::Missing);
        self.fields[field].push(value);
        Ok(())
    }
}

/// The column of a field, if its values are of one kind.
fn column(name: &str, values: &[Value]) -> Result<Column> {
    const EXACT: u128 = 1 << 53;
    let kind = |v: &Value| match v {
        Value::Missing => None,
        Value::Flag(_) => Some("a flag"),
        Value::Integer(_) | Value::Float(_) => Some("a number"),
        Value::Text(_) => Some("text"),
    };
    let mut kinds = values
        .iter()
        .enumerate()
        .filter_map(|(i, v)| kind(v).map(|k| (i, k)));
    let first = kinds.next();
    if let (Some((_, first)), Some((row, other))) =
        (first, kinds.find(|k| first.is_some_and(|f| f.1 != k.1)))
    {
        return Err(Error::Serialization {
            message: format!(
                "field `{name}` holds {first} at first and {other} in record {}; use one kind",
                row + 1
            ),
        });
    }
    let missing = values.contains(&Value::Missing);
    let oversized = values
        .iter()
        .any(|v| matches!(v, Value::Integer(i) if i.unsigned_abs() > EXACT));
    let number = |v: &Value| match v {
        Value::Missing | Value::Text(_) => f64::NAN,
        Value::Flag(b) => f64::from(u8::from(*b)),
        Value::Integer(i) => *i as f64,
        Value::Float(x) => *x,
    };
    let text = |v: &Value| match v {
        Value::Missing => None,
        Value::Flag(b) => Some(b.to_string()),
        Value::Integer(i) => Some(i.to_string()),
        Value::Float(x) => (!x.is_nan()).then(|| x.to_string()),
        Value::Text(t) => Some(t.clone()),
    };
    Ok(match first.map(|f| f.1) {
        Some("a flag") if !missing => Column::Flag(Arc::new(
            values.iter().map(|v| *v == Value::Flag(true)).collect(),
        )),
        Some("text") => Label::from_text(&values.iter().map(text).collect::<Vec<_>>()).into(),
        Some("a number") if oversized => {
            Label::from_text(&values.iter().map(text).collect::<Vec<_>>()).into()
        }
        _ => Real::new(values.iter().map(number).collect()).into(),
    })
}

/// Methods of a serialiser that refuse what they are given.
macro_rules! refuse {
    ($message:expr; $($method:ident($($type:ty),*) -> $ok:ty),* $(,)?) => {$(
        fn $method(self, $(_: $type),*) -> Result<$ok> {
            Err(ser::Error::custom($message))
        }
    )*};
}

/// Takes a struct or a map apart.
struct RecordSerializer<'a> {
    rows: &'a mut Rows,
}

const NOT_A_RECORD: &str = "a record must be a struct or a map from names to values";

impl<'a> Serializer for RecordSerializer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Impossible<(), Error>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = FieldSerializer<'a>;
    type SerializeStruct = FieldSerializer<'a>;
    type SerializeStructVariant = Impossible<(), Error>;

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<FieldSerializer<'a>> {
        Ok(FieldSerializer {
            rows: self.rows,
            key: String::new(),
        })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<FieldSerializer<'a>> {
        Ok(FieldSerializer {
            rows: self.rows,
            key: String::new(),
        })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<()> {
        Err(ser::Error::custom(NOT_A_RECORD))
    }

    refuse! { NOT_A_RECORD;
        serialize_bool(bool) -> (), serialize_i8(i8) -> (), serialize_i16(i16) -> (), serialize_i32(i32) -> (),
        serialize_i64(i64) -> (), serialize_u8(u8) -> (), serialize_u16(u16) -> (), serialize_u32(u32) -> (),
        serialize_u64(u64) -> (), serialize_f32(f32) -> (), serialize_f64(f64) -> (), serialize_char(char) -> (),
        serialize_str(&str) -> (), serialize_bytes(&[u8]) -> (), serialize_none() -> (), serialize_unit() -> (),
        serialize_unit_struct(&'static str) -> (), serialize_unit_variant(&'static str, u32, &'static str) -> (),
        serialize_seq(Option<usize>) -> Self::SerializeSeq, serialize_tuple(usize) -> Self::SerializeTuple,
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant,
    }
}

/// Puts the fields of one record into their columns.
struct FieldSerializer<'a> {
    rows: &'a mut Rows,
    key: String,
}

impl ser::SerializeStruct for FieldSerializer<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<()> {
        self.rows.put(key, value)
    }

    fn end(self) -> Result<()> {
        Ok(())
    }
}

impl ser::SerializeMap for FieldSerializer<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.key = match key.serialize(ValueSerializer)? {
            Value::Text(text) => text,
            Value::Integer(i) => i.to_string(),
            _ => return Err(ser::Error::custom("the keys of a record must be names")),
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let key = std::mem::take(&mut self.key);
        self.rows.put(&key, value)
    }

    fn end(self) -> Result<()> {
        Ok(())
    }
}

/// Reads one plain value.
struct ValueSerializer;

const NESTED: &str = "it is nested; a field must be a number, a flag, text or missing";

/// Methods that take numbers.
macro_rules! take {
    ($($method:ident($type:ty) => $make:expr),* $(,)?) => {$(
        fn $method(self, value: $type) -> Result<Value> {
            Ok(($make)(value))
        }
    )*};
}

impl Serializer for ValueSerializer {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = Impossible<Value, Error>;
    type SerializeTuple = Impossible<Value, Error>;
    type SerializeTupleStruct = Impossible<Value, Error>;
    type SerializeTupleVariant = Impossible<Value, Error>;
    type SerializeMap = Impossible<Value, Error>;
    type SerializeStruct = Impossible<Value, Error>;
    type SerializeStructVariant = Impossible<Value, Error>;

    take! {
        serialize_bool(bool) => Value::Flag,
        serialize_i8(i8) => |v| Value::Integer(i128::from(v)),
        serialize_i16(i16) => |v| Value::Integer(i128::from(v)),
        serialize_i32(i32) => |v| Value::Integer(i128::from(v)),
        serialize_i64(i64) => |v| Value::Integer(i128::from(v)),
        serialize_i128(i128) => Value::Integer,
        serialize_u8(u8) => |v| Value::Integer(i128::from(v)),
        serialize_u16(u16) => |v| Value::Integer(i128::from(v)),
        serialize_u32(u32) => |v| Value::Integer(i128::from(v)),
        serialize_u64(u64) => |v| Value::Integer(i128::from(v)),
        serialize_f32(f32) => |v| Value::Float(f64::from(v)),
        serialize_f64(f64) => Value::Float,
        serialize_char(char) => |v: char| Value::Text(v.to_string()),
        serialize_str(&str) => |v: &str| Value::Text(v.to_owned()),
    }

    fn serialize_none(self) -> Result<Value> {
        Ok(Value::Missing)
    }

    fn serialize_unit(self) -> Result<Value> {
        Ok(Value::Missing)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value> {
        value.serialize(self)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<Value> {
        Ok(Value::Text(name.to_owned()))
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value> {
        Ok(Value::Text(variant.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Value> {
        Err(ser::Error::custom(NESTED))
    }

    refuse! { NESTED;
        serialize_bytes(&[u8]) -> Value,
        serialize_seq(Option<usize>) -> Self::SerializeSeq, serialize_tuple(usize) -> Self::SerializeTuple,
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant,
        serialize_map(Option<usize>) -> Self::SerializeMap, serialize_struct(&'static str, usize) -> Self::SerializeStruct,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize)]
    enum Arm {
        Control,
        Treated,
    }

    #[derive(serde::Serialize)]
    struct Code(u64);

    #[derive(serde::Serialize)]
    struct Visit {
        code: Code,
        arm: Arm,
        bought: bool,
        returned: Option<bool>,
        minutes: Option<f32>,
        letter: char,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    }

    fn visits() -> Vec<Visit> {
        vec![
            Visit {
                code: Code(7),
                arm: Arm::Treated,
                bought: true,
                returned: Some(true),
                minutes: None,
                letter: 'x',
                note: None,
            },
            Visit {
                code: Code((1 << 53) + 1),
                arm: Arm::Control,
                bought: false,
                returned: None,
                minutes: Some(0.5),
                letter: 'y',
                note: Some("late".into()),
            },
        ]
    }

    #[test]
    fn structs_become_columns_of_their_kinds() {
        let f = Frame::from_records(visits()).unwrap();
        let kinds: Vec<_> = f.iter().map(|(n, c)| (n.to_owned(), c.kind())).collect();
        let expected = [
            ("code", "label"),
            ("arm", "label"),
            ("bought", "flag"),
            ("returned", "real"),
            ("minutes", "real"),
            ("letter", "label"),
            ("note", "label"),
        ];
        assert_eq!(kinds, expected.map(|(n, k)| (n.to_owned(), k)));
        assert_eq!(f.label("code").unwrap().get(1), Some("9007199254740993"));
        assert_eq!(f.label("arm").unwrap().get(0), Some("Treated"));
        assert_eq!(f.label("note").unwrap().get(0), None);
        assert_eq!(f.real("returned").unwrap()[0], 1.0);
        assert_eq!(f.column("minutes").unwrap().missing(), 1);
    }

    #[test]
    fn maps_may_leave_fields_out() {
        let rows: Vec<serde_json::Value> =
            serde_json::from_str(r#"[{"a":1},{"b":"x","a":null},{"a":2.5,"b":"y"}]"#).unwrap();
        let f = Frame::from_records(rows).unwrap();
        assert_eq!(f.names(), ["a", "b"]);
        assert_eq!(
            (f.real("a").unwrap()[2], f.column("a").unwrap().missing()),
            (2.5, 1)
        );
        assert_eq!(f.label("b").unwrap().missing(), 1);
        assert_eq!(Frame::from_records(Vec::<Visit>::new()).unwrap().rows(), 0);
    }

    #[test]
    fn nested_and_mixed_fields_are_refused_by_name() {
        let refused = |json: &str| {
            let rows: Vec<serde_json::Value> = serde_json::from_str(json).unwrap();
            Frame::from_records(rows).unwrap_err().to_string()
        };
        assert!(
            refused(r#"[{"a":1},{"a":[1]}]"#).starts_with("field `a` of record 2: it is nested")
        );
        assert!(refused(r#"[{"a":{"b":1}}]"#).contains("field `a` of record 1"));
        assert_eq!(
            refused(r#"[{"a":1},{"a":"x"}]"#),
            "field `a` holds a number at first and text in record 2; use one kind"
        );
        assert!(refused("[1]").contains("struct or a map"));
    }
}
