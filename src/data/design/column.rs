//! One column of a design matrix, read in place or filled block by block.

use crate::data::column::Label;
use crate::data::rows::Rows;
use std::ops::Range;
use std::sync::Arc;

/// One column of a design matrix. It shares the frame's numbers, or holds the recipe (a level's indicator, a product) and
/// computes a block of rows on demand, so that a design of many columns takes no memory a column.
#[derive(Clone)]
pub struct DesignColumn {
    /// The coefficient's name, e.g. `x`, `arm[treated]`, `x:C(k)[2]`.
    pub name: String,
    /// What is multiplied; at least one.
    parts: Vec<Part>,
}

/// One factor of a product. Every part has one entry a row of the frame.
#[derive(Clone)]
pub(super) enum Part {
    Numbers(Arc<Vec<f64>>),
    Flags(Arc<Vec<bool>>),
    /// 1 where the code is this level.
    Level(Codes, u32),
}

/// Codes of a category, shared with the frame where the frame has them.
#[derive(Clone)]
pub(super) enum Codes {
    Groups(Arc<Vec<u32>>),
    Label(Arc<Label>),
}

impl Codes {
    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Self::Groups(codes) => codes,
            Self::Label(label) => label.codes(),
        }
    }
}

impl DesignColumn {
    /// A column of numbers, one a row of the frame.
    pub fn new(name: impl Into<String>, values: Arc<Vec<f64>>) -> Self {
        Self::product(name.into(), vec![Part::Numbers(values)])
    }

    pub(super) fn product(name: String, parts: Vec<Part>) -> Self {
        Self { name, parts }
    }

    /// The rows of `range` (counted in used rows) without a copy, when the column is plain numbers and all rows are used.
    pub fn slice<'a>(&'a self, rows: &Rows, range: Range<usize>) -> Option<&'a [f64]> {
        match self.parts.as_slice() {
            [Part::Numbers(values)] if rows.is_all() => values.get(range),
            _ => None,
        }
    }

    /// Writes the rows of `range` (counted in used rows) to `out`, which has as many entries.
    pub fn fill(&self, rows: &Rows, range: Range<usize>, out: &mut [f64]) {
        let mut parts = self.parts.iter();
        match parts.next() {
            None => out.fill(1.0),
            Some(Part::Numbers(values)) => {
                rows.combine(values, range.clone(), out, |out, v| *out = v);
            }
            Some(Part::Flags(flags)) => {
                rows.combine(flags, range.clone(), out, |out, v| {
                    *out = f64::from(u8::from(v));
                });
            }
            Some(Part::Level(codes, level)) => {
                let level = *level;
                rows.combine(codes.as_slice(), range.clone(), out, |out, c| {
                    *out = f64::from(u8::from(c == level));
                });
            }
        }
        for part in parts {
            let range = range.clone();
            match part {
                Part::Numbers(values) => rows.combine(values, range, out, |out, v| *out *= v),
                Part::Flags(flags) => rows.combine(flags, range, out, |out, v| {
                    *out *= f64::from(u8::from(v));
                }),
                Part::Level(codes, level) => {
                    let level = *level;
                    rows.combine(codes.as_slice(), range, out, |out, c| {
                        *out *= f64::from(u8::from(c == level));
                    });
                }
            }
        }
    }

    /// The values of all used rows.
    pub fn values(&self, rows: &Rows) -> Vec<f64> {
        let mut out = vec![0.0; rows.len()];
        self.fill(rows, 0..rows.len(), &mut out);
        out
    }
}

impl std::fmt::Debug for DesignColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "DesignColumn({:?}, {} parts)",
            self.name,
            self.parts.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_column_is_read_in_place() {
        let values = Arc::new(vec![1.0, 2.0, 3.0]);
        let column = DesignColumn::new("x", Arc::clone(&values));
        let slice = column.slice(&Rows::all(3), 1..3).unwrap();
        assert!(std::ptr::eq(slice.as_ptr(), &raw const values[1]));
        assert!(column.slice(&Rows::some(3, vec![0]), 0..1).is_none());
    }

    #[test]
    fn products_multiply_their_parts_on_any_rows() {
        let column = DesignColumn::product(
            "x:flag:level".into(),
            vec![
                Part::Level(Codes::Groups(Arc::new(vec![1, 0, 1, 1])), 1),
                Part::Flags(Arc::new(vec![true, true, false, true])),
                Part::Numbers(Arc::new(vec![2.0, 3.0, 5.0, 7.0])),
            ],
        );
        assert_eq!(column.values(&Rows::all(4)), vec![2.0, 0.0, 0.0, 7.0]);
        assert_eq!(column.values(&Rows::some(4, vec![1, 3])), vec![0.0, 7.0]);
        let mut block = [9.0; 2];
        column.fill(&Rows::some(4, vec![0, 1, 3]), 1..3, &mut block);
        assert_eq!(block, [0.0, 7.0]);
    }
}
