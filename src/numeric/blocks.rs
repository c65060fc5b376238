//! Deterministic parallel work: rows are cut in blocks that do not depend on the number of threads, and results are
//! reduced in index order, so one thread and sixty-four give the same bits.

use std::ops::Range;

/// Blocks that are in flight at once; bounds the memory of the partial results.
const WAVE: usize = 64;

/// Cuts `0..rows` into ranges of `size` (the last may be shorter).
pub fn ranges(rows: usize, size: usize) -> impl ExactSizeIterator<Item = Range<usize>> + Clone {
    let size = size.max(1);
    (0..rows.div_ceil(size)).map(move |i| i * size..((i + 1) * size).min(rows))
}

/// Applies `work` to every index in `0..count`, on all cores, and returns the results in index order.
pub fn map<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        (0..count).into_par_iter().map(&work).collect()
    }
    #[cfg(not(feature = "parallel"))]
    {
        (0..count).map(work).collect()
    }
}

/// Maps every block of rows to a partial result and merges the partial results in index order: `fold(fold(p0, p1), p2) …`.
/// Returns `None` when there are no rows. At most 64 partial results exist at a time.
pub fn reduce<T: Send>(
    rows: usize,
    size: usize,
    work: impl Fn(Range<usize>) -> T + Sync,
    mut merge: impl FnMut(&mut T, T),
) -> Option<T> {
    let blocks: Vec<Range<usize>> = ranges(rows, size).collect();
    let mut total: Option<T> = None;
    for wave in blocks.chunks(WAVE) {
        for part in map(wave.len(), |i| work(wave[i].clone())) {
            match &mut total {
                None => total = Some(part),
                Some(sum) => merge(sum, part),
            }
        }
    }
    total
}

/// Fills disjoint chunks of a slice in parallel: `work(first_index, chunk)`.
pub fn fill<T: Send>(out: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    let size = size.max(1);
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        out.par_chunks_mut(size)
            .enumerate()
            .for_each(|(i, chunk)| work(i * size, chunk));
    }
    #[cfg(not(feature = "parallel"))]
    {
        for (i, chunk) in out.chunks_mut(size).enumerate() {
            work(i * size, chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_all_rows_once_and_merge_in_order() {
        let order = reduce(1000, 7, |r| vec![r], std::iter::Extend::extend).unwrap();
        let flat: Vec<usize> = order.into_iter().flatten().collect();
        assert_eq!(flat, (0..1000).collect::<Vec<_>>());
        assert!(reduce(0, 7, |_| 0, |_, _| ()).is_none());
    }

    #[test]
    fn the_sum_has_the_same_bits_on_any_number_of_threads() {
        let x: Vec<f64> = (0..100_000_u32).map(|i| f64::from(i).sin()).collect();
        let sum = || reduce(x.len(), 1000, |r| x[r].iter().sum::<f64>(), |a, b| *a += b).unwrap();
        #[cfg(feature = "parallel")]
        {
            let one = rayon::ThreadPoolBuilder::new()
                .num_threads(1)
                .build()
                .unwrap();
            let many = rayon::ThreadPoolBuilder::new()
                .num_threads(7)
                .build()
                .unwrap();
            assert_eq!(one.install(sum).to_bits(), many.install(sum).to_bits());
        }
        assert_eq!(sum().to_bits(), sum().to_bits());
    }
}
