//! The frame: named columns of one length, cheap to clone.

use super::column::{Column, Groups, Label, Real, Time};
use super::csv::number;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Named columns of one length. Columns are shared (`Arc`), so cloning a frame copies no data. It is not a general data
/// frame: no joins, no query language.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::new()
///     .with("invited", vec![true, false, true])?
///     .with("minutes", vec![12.0, 3.5, 8.0])?;
/// assert_eq!((frame.rows(), frame.columns()), (3, 2));
/// assert_eq!(frame.real("minutes")?[1], 3.5);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Frame {
    names: Arc<Vec<String>>,
    index: Arc<BTreeMap<String, usize>>,
    columns: Vec<Column>,
    rows: usize,
}

impl Frame {
    /// A frame without columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column.
    ///
    /// # Errors
    /// [`Error::DuplicateColumn`], [`Error::LengthMismatch`].
    pub fn with(mut self, name: impl Into<String>, values: impl Into<Column>) -> Result<Self> {
        let (name, column) = (name.into(), values.into());
        if self.index.contains_key(&name) {
            return Err(Error::DuplicateColumn { column: name });
        }
        if self.columns.is_empty() {
            self.rows = column.len();
        } else if column.len() != self.rows {
            return Err(Error::LengthMismatch {
                column: name,
                expected: self.rows,
                found: column.len(),
            });
        }
        Arc::make_mut(&mut self.index).insert(name.clone(), self.columns.len());
        Arc::make_mut(&mut self.names).push(name);
        self.columns.push(column);
        Ok(self)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// The column names in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Names and columns in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Column)> {
        self.names.iter().map(String::as_str).zip(&self.columns)
    }

    /// Whether a column of this name exists.
    pub fn has(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// A column by name.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`] with the nearest name.
    pub fn column(&self, name: &str) -> Result<&Column> {
        self.index
            .get(name)
            .map(|i| &self.columns[*i])
            .ok_or_else(|| Error::column_not_found(name, &self.names))
    }

    /// The numbers of a real column.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`]; [`Error::WrongKind`] for a label, flag or time column (see [`Frame::numeric`]).
    pub fn real(&self, name: &str) -> Result<&[f64]> {
        match self.column(name)? {
            Column::Real(c) => Ok(c.values()),
            other => Err(wrong_kind(
                name,
                other,
                "a column of numbers",
                "use Frame::numeric, flag, label or groups",
            )),
        }
    }

    /// The column as numbers: reals as they are (no copy), flags as 0 and 1, times as seconds.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`]; [`Error::WrongKind`] for a label, naming the first row and value.
    pub fn numeric(&self, name: &str) -> Result<Real> {
        match self.column(name)? {
            Column::Real(c) => Ok(c.clone()),
            Column::Flag(c) => Ok(Real::new(
                c.iter().map(|v| f64::from(u8::from(*v))).collect(),
            )),
            Column::Time(c) => Ok(c.seconds().clone()),
            other @ Column::Label(_) => Err(wrong_kind(
                name,
                other,
                "numeric",
                "correct the text, or write C(column) to use it as categories",
            )),
        }
    }

    /// The flags of a flag column.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::WrongKind`].
    pub fn flag(&self, name: &str) -> Result<&[bool]> {
        match self.column(name)? {
            Column::Flag(c) => Ok(c),
            other => Err(wrong_kind(
                name,
                other,
                "a column of true and false",
                "compare it first",
            )),
        }
    }

    /// A time column.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::WrongKind`].
    pub fn time(&self, name: &str) -> Result<&Time> {
        match self.column(name)? {
            Column::Time(c) => Ok(c),
            other => Err(wrong_kind(
                name,
                other,
                "a column of times",
                "declare its format with CsvOptions::time when reading",
            )),
        }
    }

    /// A label column.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::WrongKind`].
    pub fn label(&self, name: &str) -> Result<&Label> {
        match self.column(name)? {
            Column::Label(c) => Ok(c),
            other => Err(wrong_kind(
                name,
                other,
                "a label column",
                "Frame::groups codes a column of any kind",
            )),
        }
    }

    /// Codes a column of any kind as groups.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`].
    pub fn groups(&self, name: &str) -> Result<Groups> {
        Ok(self.column(name)?.groups(name))
    }
}

/// A [`Error::WrongKind`] with the first value as evidence; of a label, the first that is not a number, if there is one.
fn wrong_kind(name: &str, column: &Column, expected: &str, remedy: &str) -> Error {
    let offending = match column {
        Column::Label(label) => {
            let is_number =
                |text: &str| number::parse(text.as_bytes()).is_some_and(|n| !n.oversized);
            let text: Vec<bool> = label.levels().iter().map(|l| !is_number(l)).collect();
            (label.codes().iter()).position(|c| text.get(*c as usize).copied().unwrap_or(false))
        }
        _ => None,
    };
    let first = (offending.unwrap_or(0)..column.len())
        .find_map(|row| column.text(row).map(|v| (row + 1, v)));
    let found = match first {
        Some((row, value)) => format!("{} (row {row} is {value:?})", column.kind()),
        None => column.kind().to_owned(),
    };
    Error::WrongKind {
        column: name.to_owned(),
        expected: expected.to_owned(),
        found,
        remedy: remedy.to_owned(),
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut s = f.debug_struct("Frame");
        s.field("rows", &self.rows);
        for (name, column) in self.names.iter().zip(&self.columns) {
            s.field(name, column);
        }
        s.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_columns_are_refused_by_name() {
        let f = Frame::new().with("a", vec![1.0, 2.0]).unwrap();
        assert!(matches!(
            f.clone().with("a", vec![1.0, 2.0]),
            Err(Error::DuplicateColumn { .. })
        ));
        assert!(matches!(
            f.clone().with("b", vec![1.0]),
            Err(Error::LengthMismatch { .. })
        ));
        assert!(
            f.real("A")
                .unwrap_err()
                .to_string()
                .contains("did you mean `a`")
        );
        let f = f.with("s", vec!["x", "y"]).unwrap();
        let text = f.numeric("s").unwrap_err().to_string();
        assert!(text.contains("row 1 is \"x\""), "{text}");
        let mixed = Frame::new().with("m", vec!["1", "2", "three"]).unwrap();
        let text = mixed.real("m").unwrap_err().to_string();
        assert!(text.contains("row 3 is \"three\""), "{text}");
    }
}
