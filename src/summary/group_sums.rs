//! Sums of several columns within groups: cluster scores, means by arm, cells of a table.

use super::Summary;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Row counts and sums of `p` columns for each of `g` groups; group codes are `0..g`.
///
/// ```
/// use cocreate::summary::GroupSums;
/// let mut sums = GroupSums::empty(2, 1);
/// sums.push(&[0, 1, 1], &[&[1.0, 2.0, 3.0]])?;
/// assert_eq!(sums.group(1), &[5.0]);
/// assert_eq!(sums.counts(), &[1, 2]);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSums {
    columns: usize,
    counts: Vec<u64>,
    sums: Vec<f64>,
}

impl Summary for GroupSums {
    fn rows(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        if self.columns != other.columns || self.counts.len() != other.counts.len() {
            return Err(Error::Matrix {
                message: format!(
                    "cannot merge sums of {} columns in {} groups with sums of {} columns in {} groups",
                    self.columns,
                    self.counts.len(),
                    other.columns,
                    other.counts.len()
                ),
            });
        }
        for (a, b) in self.counts.iter_mut().zip(&other.counts) {
            *a += b;
        }
        for (a, b) in self.sums.iter_mut().zip(&other.sums) {
            *a += b;
        }
        Ok(())
    }
}

impl GroupSums {
    /// Sums of no rows.
    pub fn empty(groups: usize, columns: usize) -> Self {
        Self {
            columns,
            counts: vec![0; groups],
            sums: vec![0.0; groups * columns],
        }
    }

    /// Takes in a block of rows: a group code per row and the columns.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] for a column of another length, [`Error::Matrix`] for a code without a group or another
    /// number of columns.
    pub fn push(&mut self, codes: &[u32], columns: &[&[f64]]) -> Result<()> {
        if columns.len() != self.columns {
            return Err(Error::Matrix {
                message: format!(
                    "{} columns given where {} are summed",
                    columns.len(),
                    self.columns
                ),
            });
        }
        if let Some((j, c)) = columns
            .iter()
            .enumerate()
            .find(|(_, c)| c.len() != codes.len())
        {
            return Err(Error::LengthMismatch {
                column: format!("column {}", j + 1),
                expected: codes.len(),
                found: c.len(),
            });
        }
        if let Some(code) = codes.iter().find(|c| **c as usize >= self.counts.len()) {
            return Err(Error::Matrix {
                message: format!(
                    "group code {code} where there are {} groups",
                    self.counts.len()
                ),
            });
        }
        for (row, code) in codes.iter().enumerate() {
            let group = *code as usize;
            self.counts[group] += 1;
            let sums = &mut self.sums[group * self.columns..(group + 1) * self.columns];
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum += column[row];
            }
        }
        Ok(())
    }

    /// The sums of one group.
    pub fn group(&self, group: usize) -> &[f64] {
        &self.sums[group * self.columns..(group + 1) * self.columns]
    }

    /// Rows of each group.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The cross-product `Σ_g s_g s_g'` of the group sums.
    pub fn cross_product(&self) -> nalgebra::DMatrix<f64> {
        let s = nalgebra::DMatrixView::from_slice(&self.sums, self.columns, self.counts.len());
        crate::numeric::linalg::symmetrize(&(s * s.transpose()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_parts_are_the_whole() {
        let (codes, x) = ([0, 2, 2, 1], [1.0, 2.0, 4.0, 8.0]);
        let mut all = GroupSums::empty(3, 1);
        all.push(&codes, &[&x]).unwrap();
        let mut a = GroupSums::empty(3, 1);
        a.push(&codes[..2], &[&x[..2]]).unwrap();
        let mut b = GroupSums::empty(3, 1);
        b.push(&codes[2..], &[&x[2..]]).unwrap();
        a.merge(&b).unwrap();
        assert_eq!(a, all);
        assert_eq!(all.cross_product()[(0, 0)], 1.0 + 64.0 + 36.0);
        assert!(a.push(&[3], &[&[1.0]]).is_err());
        assert!(a.merge(&GroupSums::empty(2, 1)).is_err());
    }
}
