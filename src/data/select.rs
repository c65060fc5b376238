//! Choosing, renaming and stacking: columns are shared where they stay as they are.

use super::column::{Column, Label, MISSING, Real, Time};
use super::frame::Frame;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Choosing rows and columns. Every verb gives a new frame; columns that do not change are shared, not copied.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::from_csv("arm,spend\nA,1\nB,5\nA,3\n")?;
/// let keep: Vec<bool> = frame.real("spend")?.iter().map(|s| *s > 2.0).collect();
/// let large = frame.filter(&keep)?.rename("spend", "large")?;
/// assert_eq!(large.real("large")?, [5.0, 3.0]);
/// let twice = Frame::concat(&[large.clone(), large])?;
/// assert_eq!(twice.rows(), 4);
/// # Ok::<(), cocreate::Error>(())
/// ```
impl Frame {
    /// These columns, in this order.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::DuplicateColumn`].
    pub fn select<S: AsRef<str>>(&self, names: &[S]) -> Result<Self> {
        names.iter().try_fold(Self::new(), |frame, name| {
            frame.with(name.as_ref(), self.column(name.as_ref())?.clone())
        })
    }

    /// All columns but these.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`].
    pub fn drop<S: AsRef<str>>(&self, names: &[S]) -> Result<Self> {
        for name in names {
            self.column(name.as_ref())?;
        }
        self.rebuild(|name, column| {
            let dropped = names.iter().any(|n| n.as_ref() == name);
            Ok((!dropped).then(|| (name.to_owned(), column.clone())))
        })
    }

    /// The rows where `keep` is true.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless there is one value a row.
    pub fn filter(&self, keep: &[bool]) -> Result<Self> {
        if keep.len() != self.rows() {
            return Err(Error::LengthMismatch {
                column: "the filter".to_owned(),
                expected: self.rows(),
                found: keep.len(),
            });
        }
        let rows: Vec<usize> = keep
            .iter()
            .enumerate()
            .filter(|(_, k)| **k)
            .map(|(i, _)| i)
            .collect();
        self.take(&rows)
    }

    /// The rows with these numbers, counted from 0, in this order; a row may be taken more than once.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a row that does not exist.
    pub fn take(&self, rows: &[usize]) -> Result<Self> {
        if let Some(row) = rows.iter().find(|r| **r >= self.rows()) {
            return Err(Error::invalid_option(
                "rows",
                row,
                format!("below {}, the number of rows", self.rows()),
            ));
        }
        self.rebuild(|name, column| Ok(Some((name.to_owned(), gather(column, rows)))))
    }

    /// The first rows, at most `count`.
    pub fn head(&self, count: usize) -> Self {
        let rows: Vec<usize> = (0..count.min(self.rows())).collect();
        self.take(&rows).unwrap_or_default()
    }

    /// The frame with one column renamed.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::DuplicateColumn`].
    pub fn rename(&self, old: &str, new: impl Into<String>) -> Result<Self> {
        self.column(old)?;
        let new = new.into();
        self.rebuild(|name, column| {
            let name = if name == old {
                new.clone()
            } else {
                name.to_owned()
            };
            Ok(Some((name, column.clone())))
        })
    }

    /// The frame with new values in a column that it has.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::LengthMismatch`].
    pub fn replace(&self, name: &str, values: impl Into<Column>) -> Result<Self> {
        self.column(name)?;
        let values = values.into();
        if values.len() != self.rows() {
            return Err(Error::LengthMismatch {
                column: name.to_owned(),
                expected: self.rows(),
                found: values.len(),
            });
        }
        self.rebuild(|n, column| {
            Ok(Some((
                n.to_owned(),
                if n == name {
                    values.clone()
                } else {
                    column.clone()
                },
            )))
        })
    }

    /// Adds the column, or replaces it if there is one of this name.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`].
    pub fn with_or_replace(
        self,
        name: impl Into<String>,
        values: impl Into<Column>,
    ) -> Result<Self> {
        let name = name.into();
        if self.has(&name) {
            self.replace(&name, values)
        } else {
            self.with(name, values)
        }
    }

    /// Stacks frames with the same columns of the same kinds; the order of the columns is that of the first. Levels of
    /// labels are united.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`] when one frame has a column that another has not, [`Error::WrongKind`].
    pub fn concat(frames: &[Self]) -> Result<Self> {
        let Some(first) = frames.first() else {
            return Ok(Self::new());
        };
        if let Some(other) = frames.iter().find(|f| f.columns() > first.columns()) {
            let extra = other
                .names()
                .iter()
                .find(|n| !first.has(n))
                .cloned()
                .unwrap_or_default();
            return Err(Error::column_not_found(&extra, first.names()));
        }
        first.rebuild(|name, column| {
            let parts = frames
                .iter()
                .map(|f| f.column(name))
                .collect::<Result<Vec<_>>>()?;
            if let Some(other) = parts.iter().find(|p| p.kind() != column.kind()) {
                return Err(Error::WrongKind {
                    column: name.to_owned(),
                    expected: format!("a {} in every frame", column.kind()),
                    found: other.kind().to_owned(),
                    remedy: "declare its kind when reading".to_owned(),
                });
            }
            Ok(Some((name.to_owned(), stack(&parts))))
        })
    }

    /// A frame of the columns that `make` returns.
    fn rebuild(
        &self,
        make: impl Fn(&str, &Column) -> Result<Option<(String, Column)>>,
    ) -> Result<Self> {
        let mut frame = Self::new();
        for (name, column) in self.iter() {
            if let Some((name, column)) = make(name, column)? {
                frame = frame.with(name, column)?;
            }
        }
        Ok(frame)
    }
}

/// The rows of a column, which exist.
fn gather(column: &Column, rows: &[usize]) -> Column {
    fn pick<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
        rows.iter().map(|r| values[*r]).collect()
    }
    match column {
        Column::Real(c) => Column::Real(Real::new(pick(c.values(), rows))),
        Column::Flag(c) => Column::Flag(Arc::new(pick(c, rows))),
        Column::Time(c) => Column::Time(Time::new(pick(c.seconds().values(), rows))),
        Column::Label(c) => Column::Label(Arc::new(Label::coded(
            pick(c.codes(), rows),
            c.levels().clone(),
        ))),
    }
}

/// Columns of one kind end to end.
fn stack(parts: &[&Column]) -> Column {
    let (mut reals, mut times, mut flags, mut labels) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        match part {
            Column::Real(c) => reals.extend_from_slice(c.values()),
            Column::Time(c) => times.extend_from_slice(c.seconds().values()),
            Column::Flag(c) => flags.extend_from_slice(c),
            Column::Label(c) => labels.push(c.as_ref()),
        }
    }
    match parts.first() {
        Some(Column::Time(_)) => Column::Time(Time::new(times)),
        Some(Column::Flag(_)) => Column::Flag(Arc::new(flags)),
        Some(Column::Label(_)) => Column::Label(Arc::new(unite(&labels))),
        _ => Column::Real(Real::new(reals)),
    }
}

/// Labels end to end. Levels keep the order of the first label, new ones follow as they come; when every part has its
/// levels in sorted order, so has the result.
fn unite(labels: &[&Label]) -> Label {
    let mut levels: Vec<&str> = Vec::new();
    let mut code_of: BTreeMap<&str, u32> = BTreeMap::new();
    for level in labels.iter().flat_map(|l| l.levels()) {
        if !code_of.contains_key(level) {
            code_of.insert(level, levels.len() as u32);
            levels.push(level);
        }
    }
    if labels.iter().all(|l| l.levels().iter().is_sorted()) {
        levels.sort_unstable();
        for (code, position) in code_of.values_mut().zip(0..) {
            *code = position;
        }
    }
    let mut codes = Vec::new();
    for label in labels {
        let map: Vec<u32> = label
            .levels()
            .iter()
            .map(|l| code_of.get(l).copied().unwrap_or(MISSING))
            .collect();
        codes.extend(
            label
                .codes()
                .iter()
                .map(|c| map.get(*c as usize).copied().unwrap_or(MISSING)),
        );
    }
    Label::coded(codes, levels.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame::from_csv("x,arm,won,day\n1,b,true,2024-01-01\n,,false,\n3,a,true,2024-01-03\n")
            .unwrap()
    }

    fn texts(frame: &Frame, column: &str) -> Vec<Option<String>> {
        let c = frame.column(column).unwrap();
        (0..c.len()).map(|i| c.text(i)).collect()
    }

    #[test]
    fn rows_and_columns_are_chosen() {
        let f = frame();
        assert_eq!(f.select(&["day", "x"]).unwrap().names(), ["day", "x"]);
        assert_eq!(f.drop(&["day", "x"]).unwrap().names(), ["arm", "won"]);
        assert!(matches!(
            f.drop(&["dya"]),
            Err(Error::ColumnNotFound { .. })
        ));
        let g = f.take(&[2, 0, 2]).unwrap();
        assert_eq!(
            texts(&g, "arm"),
            [Some("a".into()), Some("b".into()), Some("a".into())]
        );
        assert_eq!(g.real("x").unwrap(), [3.0, 1.0, 3.0]);
        assert_eq!(texts(&g, "day")[0].as_deref(), Some("2024-01-03"));
        assert_eq!(
            f.filter(f.flag("won").unwrap()).unwrap().real("x").unwrap(),
            [1.0, 3.0]
        );
        assert!(matches!(
            f.filter(&[true]),
            Err(Error::LengthMismatch { .. })
        ));
        assert!(f.take(&[3]).unwrap_err().to_string().contains("below 3"));
        assert_eq!((f.head(2).rows(), f.head(9).rows()), (2, 3));
    }

    #[test]
    fn columns_are_renamed_and_replaced_in_place() {
        let f = frame();
        assert_eq!(
            f.rename("arm", "group").unwrap().names(),
            ["x", "group", "won", "day"]
        );
        assert!(matches!(
            f.rename("arm", "x"),
            Err(Error::DuplicateColumn { .. })
        ));
        let g = f.replace("arm", vec![1.0, 2.0, 3.0]).unwrap();
        assert_eq!(
            (g.names()[1].as_str(), g.real("arm").unwrap()[2]),
            ("arm", 3.0)
        );
        assert!(f.replace("new", vec![1.0]).is_err() && f.replace("x", vec![1.0]).is_err());
        assert_eq!(
            f.with_or_replace("new", vec![1.0, 2.0, 3.0])
                .unwrap()
                .columns(),
            5
        );
    }

    #[test]
    fn frames_are_stacked() {
        let f = frame();
        let more = Frame::from_csv("day,arm,won,x\n2025-01-01,aa,false,7\n").unwrap();
        let both = Frame::concat(&[f.clone(), more.clone()]).unwrap();
        assert_eq!(both.label("arm").unwrap().levels(), ["a", "aa", "b"]);
        assert_eq!(
            texts(&both, "arm"),
            [Some("b".into()), None, Some("a".into()), Some("aa".into())]
        );
        assert_eq!(both.real("x").unwrap()[3], 7.0);
        let ordered = Label::new(vec![0], vec!["low".into(), "high".into()]).unwrap();
        let other = Label::new(vec![0], vec!["mid".into()]).unwrap();
        assert_eq!(unite(&[&ordered, &other]).levels(), ["low", "high", "mid"]);
        assert!(matches!(
            Frame::concat(&[f.clone(), more.replace("x", vec!["t"]).unwrap()]),
            Err(Error::WrongKind { .. })
        ));
        let wide = f.clone().with("z", vec![1.0, 2.0, 3.0]).unwrap();
        assert!(
            Frame::concat(&[f.clone(), wide.clone()]).is_err()
                && Frame::concat(&[wide, f]).is_err()
        );
        assert_eq!(Frame::concat(&[]).unwrap().rows(), 0);
    }
}
