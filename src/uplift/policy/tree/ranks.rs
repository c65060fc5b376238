//! Features as ranks: which values can be told apart, and where between them one may cut.

use crate::uplift::path::Order;

/// One feature: the bin of every row in ascending order of values, and the cut above each bin but the last.
#[derive(Clone, Debug)]
pub(super) struct Ranks {
    pub(super) codes: Vec<u32>,
    pub(super) cuts: Vec<f64>,
}

impl Ranks {
    /// Every distinct value is a bin of its own, or, when there are more than `most`, runs of values hold about equally many rows. Missing
    /// values are a bin below all others, under the cut −∞, or belong to the highest bin.
    pub(super) fn of(values: &[f64], most: usize, missing_left: bool) -> Self {
        let known: Vec<u32> = (0..values.len() as u32)
            .filter(|row| !values[*row as usize].is_nan())
            .collect();
        let gaps = known.len() < values.len();
        let found: Vec<f64> = known.iter().map(|row| values[*row as usize]).collect();
        let order = Order::descending(&found);
        let runs: Vec<_> = order.runs().collect();
        let per_bin = if runs.len() > most {
            found.len() as f64 / most as f64
        } else {
            0.0
        };
        let mut codes = vec![0; values.len()];
        let mut cuts = Vec::new();
        let (mut done, mut bins) = (0, 0_usize);
        let first = u32::from(gaps && missing_left);
        if first > 0 {
            cuts.push(f64::NEG_INFINITY);
        }
        for (at, run) in runs.iter().enumerate().rev() {
            for place in &order.places[run.clone()] {
                codes[known[*place as usize] as usize] = cuts.len() as u32;
            }
            done += run.len();
            if at == 0 || (done as f64) < per_bin * (bins as f64 + 1.0) {
                continue;
            }
            let below = found[order.places[run.start] as usize];
            let above = found[order.places[runs[at - 1].start] as usize];
            let middle = f64::midpoint(below, above);
            cuts.push(if middle < above { middle } else { below });
            bins += 1;
        }
        if gaps && !missing_left {
            for (code, value) in codes.iter_mut().zip(values) {
                if value.is_nan() {
                    *code = cuts.len() as u32;
                }
            }
        }
        Self { codes, cuts }
    }

    /// The bins of some rows, renumbered without gaps, and the bin that each had before.
    pub(super) fn within(&self, rows: &[u32]) -> Local {
        const UNUSED: u32 = u32::MAX;
        let mut map = vec![UNUSED; self.cuts.len() + 1];
        for row in rows {
            map[self.codes[*row as usize] as usize] = 0;
        }
        let mut bins = Vec::new();
        for (bin, slot) in map.iter_mut().enumerate().filter(|(_, s)| **s != UNUSED) {
            *slot = bins.len() as u32;
            bins.push(bin as u32);
        }
        let of = |row: &u32| map[self.codes[*row as usize] as usize];
        Local {
            codes: rows.iter().map(of).collect(),
            bins,
        }
    }
}

/// A feature over some of the rows.
#[derive(Clone, Debug)]
pub(super) struct Local {
    /// The bin of each of the rows, every bin used.
    pub(super) codes: Vec<u32>,
    /// Its number among all bins.
    pub(super) bins: Vec<u32>,
}

impl Local {
    /// Places of the rows by ascending bin, and where each bin ends.
    pub(super) fn sorted(&self) -> (Vec<u32>, Vec<usize>) {
        let mut ends = vec![0; self.bins.len()];
        for code in &self.codes {
            ends[*code as usize] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        let mut next: Vec<usize> = std::iter::once(0).chain(ends.iter().copied()).collect();
        let mut places = vec![0; self.codes.len()];
        for (place, code) in self.codes.iter().enumerate() {
            let slot = &mut next[*code as usize];
            places[*slot] = place as u32;
            *slot += 1;
        }
        (places, ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_ascend_and_cuts_lie_between_them() {
        let values = [3.0, 1.0, 2.0, 2.0, 5.0];
        let all = Ranks::of(&values, 100, false);
        assert_eq!(all.codes, [2, 0, 1, 1, 3]);
        assert_eq!(all.cuts, [1.5, 2.5, 4.0]);
        let two = Ranks::of(&values, 2, true);
        assert_eq!(two.codes, [1, 0, 0, 0, 1]);
        assert_eq!(two.cuts, [2.5]);
        let tight = Ranks::of(&[1.0, 1.0_f64.next_up()], 9, false);
        assert_eq!(tight.cuts, [1.0]);
    }

    #[test]
    fn missing_values_are_the_lowest_bin_or_in_the_highest() {
        let values = [3.0, f64::NAN, 2.0, 5.0];
        let low = Ranks::of(&values, 100, true);
        assert_eq!(low.codes, [2, 0, 1, 3]);
        assert_eq!(low.cuts, [f64::NEG_INFINITY, 2.5, 4.0]);
        let high = Ranks::of(&values, 100, false);
        assert_eq!((high.codes, high.cuts), (vec![1, 2, 0, 2], vec![2.5, 4.0]));
        let few = Ranks::of(&values, 1, true);
        assert_eq!((few.codes, few.cuts.len()), (vec![1, 0, 1, 1], 1));
    }

    #[test]
    fn some_rows_use_bins_without_gaps() {
        let ranks = Ranks::of(&[3.0, 1.0, 2.0, 2.0, 5.0], 100, false);
        let local = ranks.within(&[4, 0, 3]);
        assert_eq!(local.codes, [2, 1, 0]);
        assert_eq!(local.bins, [1, 2, 3]);
        assert_eq!(local.sorted(), (vec![2, 1, 0], vec![1, 2, 3]));
    }
}
