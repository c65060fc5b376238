//! Exact search for the first cut of the best tree of depth one or two.

use super::best_cut::{BestCut, Histogram, SegmentTree};
use super::questions::Questions;
use super::ranks::Local;
use crate::numeric::blocks;

/// A row a row of the data, a column an arm.
pub(super) struct Rewards {
    pub(super) values: Vec<f64>,
    pub(super) arms: usize,
}

impl Rewards {
    pub(super) fn row(&self, row: u32) -> &[f64] {
        let at = row as usize * self.arms;
        &self.values[at..at + self.arms]
    }

    /// Sums over rows, by arm.
    pub(super) fn sums(&self, rows: &[u32]) -> Vec<f64> {
        let mut sums = vec![0.0; self.arms];
        for row in rows {
            for (sum, value) in sums.iter_mut().zip(self.row(*row)) {
                *sum += value;
            }
        }
        sums
    }
}

/// The best arm of some sums, the first of equal ones, and its sum.
pub(super) fn best_arm(sums: &[f64]) -> (usize, f64) {
    let mut best = (0, f64::NEG_INFINITY);
    for (arm, sum) in sums.iter().enumerate() {
        if *sum > best.1 {
            best = (arm, *sum);
        }
    }
    best
}

/// A cut: rows of this bin of a question or of a lower one go left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cut {
    pub(super) question: usize,
    pub(super) bin: u32,
    /// Sum of rewards of the best tree of the depth searched that begins with this cut.
    pub(super) value: f64,
}

/// What is searched: questions, rewards, and the least number of rows of a leaf.
pub(super) struct Search<'a> {
    pub(super) questions: &'a [Questions],
    pub(super) rewards: &'a Rewards,
    pub(super) fewest: usize,
    /// Differences of value smaller than this are rounding: the earlier of two trees is kept.
    pub(super) tolerance: f64,
}

impl Search<'_> {
    /// The best cut of some rows when each side gets one arm.
    pub(super) fn one(&self, rows: &[u32]) -> Option<Cut> {
        let of = |question: usize| {
            let local = self.questions[question].ranks.within(rows);
            let mut histogram = Histogram::new(local.bins.len(), self.rewards.arms);
            for (code, row) in local.codes.iter().zip(rows) {
                histogram.add(*code, self.rewards.row(*row));
            }
            let mut best: Option<Cut> = None;
            histogram.scan(self.fewest, |bin, value, _| {
                let cut = Cut {
                    question,
                    bin: local.bins[bin],
                    value,
                };
                self.better(&mut best, cut);
            });
            best
        };
        self.first_best(blocks::map(self.questions.len(), of))
    }

    /// The first cut of the best tree of depth two.
    pub(super) fn two(&self, rows: &[u32]) -> Option<Cut> {
        let locals = blocks::map(self.questions.len(), |q| {
            self.questions[q].ranks.within(rows)
        });
        self.first_best(blocks::map(locals.len(), |first| {
            self.begin(rows, &locals, first)
        }))
    }

    /// The best tree of depth two whose first cut is along this feature: rows move over the cut one bin at a time, and the best second
    /// cut of either side is kept up to date for every feature in turn.
    fn begin(&self, rows: &[u32], locals: &[Local], first: usize) -> Option<Cut> {
        let (places, ends) = locals[first].sorted();
        let cuts = ends.len() - 1;
        if cuts == 0 {
            return None;
        }
        // The value of either side of every cut: one arm for all, unless a second cut is better.
        let mut left = vec![f64::NEG_INFINITY; cuts];
        let mut right = vec![f64::NEG_INFINITY; cuts];
        let arms = self.rewards.arms;
        let in_order: Vec<f64> = places
            .iter()
            .flat_map(|place| self.rewards.row(rows[*place as usize]).iter().copied())
            .collect();
        self.constants(rows, &places, &ends, &mut left, &mut right);
        for second in locals {
            let bins = second.bins.len();
            let mut go = |fresh: &dyn Fn() -> Box<dyn BestCut>| {
                let grow = |side: &mut [f64], backwards: bool| {
                    let mut tree = fresh();
                    for step in 0..cuts {
                        let bin = if backwards { cuts - step } else { step };
                        let start = if bin == 0 { 0 } else { ends[bin - 1] };
                        let here = in_order[start * arms..ends[bin] * arms].chunks_exact(arms);
                        for (place, rewards) in places[start..ends[bin]].iter().zip(here) {
                            tree.add(second.codes[*place as usize], rewards);
                        }
                        let slot = &mut side[if backwards { bin - 1 } else { bin }];
                        *slot = slot.max(tree.best(self.fewest, *slot));
                    }
                };
                grow(&mut left, false);
                grow(&mut right, true);
            };
            let scans = 2 * arms * cuts * bins;
            let pairs = arms * (arms - 1) / 2;
            // A block is scanned, and then a path to the root, for every row.
            let updates = 3 * pairs * rows.len() * (bins.ilog2() as usize + 5);
            match pairs {
                1 if updates < scans => go(&|| Box::new(SegmentTree::<1>::new(bins, arms))),
                3 if updates < scans => go(&|| Box::new(SegmentTree::<4>::new(bins, arms))),
                6 if updates < scans => go(&|| Box::new(SegmentTree::<6>::new(bins, arms))),
                10 if updates < scans => go(&|| Box::new(SegmentTree::<10>::new(bins, arms))),
                15 if updates < scans => go(&|| Box::new(SegmentTree::<16>::new(bins, arms))),
                _ => go(&|| Box::new(Histogram::new(bins, arms))),
            }
        }
        let mut best = None;
        for bin in 0..cuts {
            let cut = Cut {
                question: first,
                bin: locals[first].bins[bin],
                value: left[bin] + right[bin],
            };
            if cut.value.is_finite() {
                self.better(&mut best, cut);
            }
        }
        best
    }

    /// The value of one arm for all of either side, where the side has enough rows.
    fn constants(
        &self,
        rows: &[u32],
        places: &[u32],
        ends: &[usize],
        left: &mut [f64],
        right: &mut [f64],
    ) {
        let totals = self.rewards.sums(rows);
        let mut sums = vec![0.0; totals.len()];
        let mut start = 0;
        for (bin, end) in ends[..left.len()].iter().enumerate() {
            for place in &places[start..*end] {
                let rewards = self.rewards.row(rows[*place as usize]);
                for (sum, reward) in sums.iter_mut().zip(rewards) {
                    *sum += reward;
                }
            }
            start = *end;
            if *end >= self.fewest && rows.len() - end >= self.fewest {
                let rest: Vec<f64> = totals.iter().zip(&sums).map(|(t, s)| t - s).collect();
                left[bin] = best_arm(&sums).1;
                right[bin] = best_arm(&rest).1;
            }
        }
    }

    fn better(&self, best: &mut Option<Cut>, cut: Cut) {
        if best.is_none_or(|b| cut.value > b.value + self.tolerance) {
            *best = Some(cut);
        }
    }

    fn first_best(&self, cuts: Vec<Option<Cut>>) -> Option<Cut> {
        let mut best = None;
        for cut in cuts.into_iter().flatten() {
            self.better(&mut best, cut);
        }
        best
    }
}
