//! Folds of rows, drawn from a seed.

use crate::data::Rows;
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::permutation::shuffle;

/// Disjoint sets of rows of about equal size.
#[derive(Clone, Debug)]
pub(crate) struct Folds {
    /// The rows of each fold, in order.
    pub(crate) held_out: Vec<Vec<u32>>,
    rows: Vec<u32>,
}

impl Folds {
    /// Rows in random order dealt out to `count` folds.
    pub(crate) fn random(rows: &Rows, count: usize, seed: Seed) -> Result<Self> {
        let n = rows.len();
        if n < 2 * count {
            return Err(Error::TooFewRows {
                rows: n,
                parameters: 2 * count,
            });
        }
        let mut fold_of: Vec<usize> = (0..n).map(|i| i % count).collect();
        shuffle(&mut fold_of, &mut seed.child("folds").stream(0));
        Ok(Self::given(rows, count, |i| fold_of[i]))
    }

    /// Folds given for every row of the table; each must have a row in use.
    pub(crate) fn by_row(rows: &Rows, ids: &[usize], count: usize) -> Result<Self> {
        if ids.len() != rows.total() {
            return Err(Error::LengthMismatch {
                column: "fold_ids".to_owned(),
                expected: rows.total(),
                found: ids.len(),
            });
        }
        let folds = Self::given(rows, count, |i| ids[rows.index(i)]);
        match folds.held_out.iter().position(Vec::is_empty) {
            None => Ok(folds),
            Some(empty) => Err(Error::invalid_option(
                "fold_ids",
                format!("without a used row in fold {empty}"),
                "numbers from 0, each with at least one row",
            )),
        }
    }

    fn given(rows: &Rows, count: usize, fold_of: impl Fn(usize) -> usize) -> Self {
        let mut held_out = vec![Vec::with_capacity(rows.len() / count + 1); count];
        for i in 0..rows.len() {
            held_out[fold_of(i)].push(rows.index(i) as u32);
        }
        Self {
            held_out,
            rows: (0..rows.len()).map(|i| rows.index(i) as u32).collect(),
        }
    }

    /// The rows that are not in a fold, in order.
    pub(crate) fn complement(&self, held_out: &[u32]) -> Vec<u32> {
        let mut held = held_out.iter().peekable();
        self.rows
            .iter()
            .copied()
            .filter(|row| held.next_if(|h| *h == row).is_none())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_disjoint_and_even() {
        let rows = Rows::some(40, (0..40).filter(|r| r % 3 > 0).collect());
        let folds = Folds::random(&rows, 4, Seed::new(1)).unwrap();
        let sizes: Vec<usize> = folds.held_out.iter().map(Vec::len).collect();
        assert_eq!(sizes.iter().sum::<usize>(), rows.len());
        assert!(sizes.iter().all(|s| (6..=7).contains(s)), "{sizes:?}");
        let mut all = folds.complement(&folds.held_out[1]);
        assert_eq!(all.len(), rows.len() - sizes[1]);
        all.extend(&folds.held_out[1]);
        all.sort_unstable();
        assert_eq!(Some(all.as_slice()), rows.indices());
        assert!(Folds::random(&rows, 14, Seed::new(1)).is_err());
    }
}
