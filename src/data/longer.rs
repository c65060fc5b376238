//! From wide to long: columns become rows.

use super::column::Label;
use super::frame::Frame;
use crate::error::{Error, Result};

impl Frame {
    /// A row for each row and each column besides `keep`: the kept columns, the column's name, and its value. A panel with a column a unit becomes one with a row a unit and period.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`]; [`Error::WrongKind`] for a column to be stacked that is not numeric; [`Error::DuplicateColumn`]; [`Error::NoRows`] when nothing is left to stack.
    ///
    /// # Examples
    /// ```
    /// use cocreate::prelude::*;
    /// let wide = Frame::new().with("year", vec![1.0, 2.0])?.with("a", vec![5.0, 6.0])?.with("b", vec![7.0, 8.0])?;
    /// let long = wide.longer(&["year"], "unit", "sales")?;
    /// assert_eq!(long.real("sales")?, [5.0, 6.0, 7.0, 8.0]);
    /// assert_eq!(long.real("year")?, [1.0, 2.0, 1.0, 2.0]);
    /// assert_eq!(long.label("unit")?.get(2), Some("b"));
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn longer<S: AsRef<str>>(&self, keep: &[S], name: &str, value: &str) -> Result<Self> {
        let stacked = self.drop(keep)?;
        if stacked.columns() == 0 {
            return Err(Error::NoRows {
                reason: "every column is kept, so that none is left to stack".to_owned(),
            });
        }
        let (n, k) = (self.rows(), stacked.columns());
        let again: Vec<usize> = (0..n * k).map(|row| row % n).collect();
        let codes = (0..n * k).map(|row| (row / n) as u32).collect();
        let mut values = Vec::with_capacity(n * k);
        for name in stacked.names() {
            values.extend_from_slice(self.numeric(name)?.values());
        }
        let kept = if keep.is_empty() {
            Self::new()
        } else {
            self.select(keep)?.take(&again)?
        };
        kept.with(name, Label::new(codes, stacked.names().to_vec())?)?
            .with(value, values)
    }
}
