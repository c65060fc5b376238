//! Deterministic parallel work: rows are cut in blocks that do not depend on the number of threads, and results are
//! reduced in index order, so one thread and sixty-four give the same bits.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Blocks that are in flight at once; bounds the memory of the partial results.
const WAVE: usize = 64;

/// Cuts `0..rows` into ranges of `size` (the last may be shorter).
pub fn ranges(rows: usize, size: usize) -> impl ExactSizeIterator<Item = Range<usize>> + Clone {
    let size = size.max(1);
    (0..rows.div_ceil(size)).map(move |i| i * size..((i + 1) * size).min(rows))
}

/// Applies `work` to every index in `0..count`, on all cores, and returns the results in index order.
pub fn map<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let slots: Vec<Mutex<Option<T>>> = (0..count).map(|_| Mutex::new(None)).collect();
    for_each(count, &|i| {
        let made = work(i);
        *slots[i].lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
    });
    slots
        .into_iter()
        .filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
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
    let chunks: Vec<Mutex<&mut [T]>> = out.chunks_mut(size).map(Mutex::new).collect();
    for_each(chunks.len(), &|i| {
        let mut chunk = chunks[i].lock().unwrap_or_else(PoisonError::into_inner);
        work(i * size, &mut chunk);
    });
}

/// Calls `work` for every index in `0..count`, on all cores. It is not generic, so that the machinery of threads is compiled
/// once and not once for every caller (a tenth of the crate's code otherwise); blocks are large, so the call costs nothing.
fn for_each(count: usize, work: &(dyn Fn(usize) + Sync)) {
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        (0..count).into_par_iter().for_each(work);
    }
    #[cfg(not(feature = "parallel"))]
    {
        (0..count).for_each(work);
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
    fn results_stand_in_the_order_of_their_indices() {
        let squares = map(1000, |i| i * i);
        assert!(
            squares
                .iter()
                .enumerate()
                .all(|(i, square)| *square == i * i)
        );
        let mut out = vec![0; 1000];
        fill(&mut out, 7, |first, chunk| {
            for (i, value) in chunk.iter_mut().enumerate() {
                *value = first + i;
            }
        });
        assert_eq!(out, (0..1000).collect::<Vec<_>>());
        fill(&mut out[..0], 7, |_, _| ());
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
