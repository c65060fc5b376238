//! Which rows of a frame a fit uses.

use std::ops::Range;
use std::sync::Arc;

/// The rows of a frame that a fit uses: all of them, or a sorted list. Cloning is cheap. When all rows are used nothing
/// is stored and columns can be read in place.
#[derive(Clone, PartialEq, Eq)]
pub struct Rows {
    total: usize,
    kept: Option<Arc<Vec<u32>>>,
}

impl Rows {
    /// Every row of a frame of `n` rows.
    pub fn all(n: usize) -> Self {
        Self {
            total: n,
            kept: None,
        }
    }

    /// Some rows, given as indices from 0. The list is sorted, repeated indices and indices from `total` on are ignored.
    pub fn some(total: usize, mut kept: Vec<u32>) -> Self {
        if !kept.is_sorted_by(|a, b| a < b) {
            kept.sort_unstable();
            kept.dedup();
        }
        kept.truncate(kept.partition_point(|row| (*row as usize) < total));
        Self {
            total,
            kept: (kept.len() < total).then(|| Arc::new(kept)),
        }
    }

    /// The rows of a mask that are true.
    pub fn from_mask(mask: &[bool]) -> Self {
        let kept = (0..mask.len() as u32)
            .filter(|row| mask[*row as usize])
            .collect();
        Self::some(mask.len(), kept)
    }

    /// Number of rows used.
    pub fn len(&self) -> usize {
        self.kept.as_ref().map_or(self.total, |kept| kept.len())
    }

    /// Whether no row is used.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of rows of the frame.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Whether every row of the frame is used.
    pub fn is_all(&self) -> bool {
        self.kept.is_none()
    }

    /// The row of the frame (from 0) behind the `i`-th used row.
    #[inline]
    pub fn index(&self, i: usize) -> usize {
        self.kept.as_ref().map_or(i, |kept| kept[i] as usize)
    }

    /// The rows of the frame that are used, in order; `None` when all are.
    pub fn indices(&self) -> Option<&[u32]> {
        self.kept.as_ref().map(|kept| kept.as_slice())
    }

    /// One flag a row of the frame: whether it is used.
    pub fn mask(&self) -> Vec<bool> {
        let Some(kept) = &self.kept else {
            return vec![true; self.total];
        };
        let mut mask = vec![false; self.total];
        for row in kept.iter() {
            mask[*row as usize] = true;
        }
        mask
    }

    /// The used rows of a slice that has one entry a row of the frame.
    pub fn gather<T: Copy>(&self, source: &[T]) -> Vec<T> {
        match &self.kept {
            None => source.to_vec(),
            Some(kept) => kept.iter().map(|row| source[*row as usize]).collect(),
        }
    }

    /// Keeps the used rows whose entry in `keep` (one a used row) is true.
    pub fn retain(&self, keep: &[bool]) -> Self {
        let kept = keep
            .iter()
            .enumerate()
            .take(self.len())
            .filter(|(_, keep)| **keep)
            .map(|(i, _)| self.index(i) as u32)
            .collect();
        Self::some(self.total, kept)
    }

    /// Combines the entries of the used rows in `range` with `out`, one by one; the loop that every column shares.
    pub(crate) fn combine<T: Copy>(
        &self,
        source: &[T],
        range: Range<usize>,
        out: &mut [f64],
        combine: impl Fn(&mut f64, T),
    ) {
        match &self.kept {
            None => {
                for (out, value) in out.iter_mut().zip(&source[range]) {
                    combine(out, *value);
                }
            }
            Some(kept) => {
                for (out, row) in out.iter_mut().zip(&kept[range]) {
                    combine(out, source[*row as usize]);
                }
            }
        }
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rows({} of {})", self.len(), self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_store_nothing_and_some_rows_gather() {
        let all = Rows::all(3);
        assert!(all.is_all() && all.indices().is_none());
        assert_eq!(all.gather(&[1, 2, 3]), vec![1, 2, 3]);
        let some = Rows::some(4, vec![1, 3]);
        assert_eq!((some.len(), some.total(), some.index(1)), (2, 4, 3));
        assert_eq!(some.mask(), vec![false, true, false, true]);
        assert_eq!(some.gather(&["a", "b", "c", "d"]), vec!["b", "d"]);
        assert_eq!(Rows::from_mask(&some.mask()), some);
        assert!(Rows::some(2, vec![0, 1]).is_all());
    }

    #[test]
    fn retain_counts_the_used_rows() {
        let rows = Rows::some(6, vec![0, 2, 3, 5]).retain(&[false, true, true, false]);
        assert_eq!(rows.indices(), Some(&[2, 3][..]));
        assert_eq!(
            Rows::all(3).retain(&[true, false, true]).indices(),
            Some(&[0, 2][..])
        );
    }

    #[test]
    fn a_list_in_disorder_is_put_in_order() {
        let rows = Rows::some(4, vec![3, 1, 1, 9]);
        assert_eq!(rows.indices(), Some(&[1, 3][..]));
    }
}
