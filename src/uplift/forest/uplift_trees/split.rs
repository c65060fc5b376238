//! The best split of a node on one feature, from sums by code and arm.

use super::criterion::{Judge, ROWS, SQUARES, SUM, WEIGHT, rows_lane};
use crate::regression::learners::bins::CODES;
use crate::uplift::forest::codes::MISSING_CODE;
use crate::uplift::forest::tree::{CodeSet, Rule};

/// Nodes smaller than this note the codes they touch; larger ones look through all.
const FEW_ROWS: usize = 192;

/// A row of a node: where its arm's sums begin, and its outcome.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    pub(super) slot: u32,
    pub(super) y: f64,
}

/// What a split must leave on each side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Rows of every arm.
    pub(super) arm: f64,
    /// Rows.
    pub(super) leaf: f64,
}

/// A split and what it gains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) gain: f64,
    pub(super) feature: usize,
    pub(super) rule: Rule,
}

/// Sums of one feature by code, `arms × lanes` numbers each; cleared between uses.
pub(super) struct Histogram {
    bins: Vec<f64>,
    lanes: usize,
    width: usize,
    /// Codes that are not empty, in order.
    filled: Vec<u8>,
    left: Vec<f64>,
    right: Vec<f64>,
}

impl Histogram {
    pub(super) fn new(arms: usize, lanes: usize) -> Self {
        let width = arms * lanes;
        Self {
            bins: vec![0.0; CODES * width],
            lanes,
            width,
            filled: Vec::with_capacity(CODES),
            left: vec![0.0; width],
            right: vec![0.0; width],
        }
    }

    /// Sums some rows by their code. `column` has the code of every row of the tree, `rows` those of the node; `entries`, and `weights` if there are any,
    /// stand in the order of `rows`.
    pub(super) fn build(
        &mut self,
        column: &[u8],
        rows: &[u32],
        entries: &[Entry],
        weights: Option<&[f64]>,
    ) {
        let squares = self.lanes > SQUARES;
        for (i, (row, entry)) in rows.iter().zip(entries).enumerate() {
            let at = usize::from(column[*row as usize]) * self.width + entry.slot as usize;
            let sums = &mut self.bins[at..at + self.lanes];
            let weight = weights.map_or(1.0, |w| w[i]);
            sums[WEIGHT] += weight;
            sums[SUM] += weight * entry.y;
            if squares {
                sums[SQUARES] += weight * entry.y * entry.y;
            }
            if self.lanes > ROWS {
                sums[ROWS] += 1.0;
            }
        }
        self.filled.clear();
        if rows.len() < FEW_ROWS {
            let mut touched = [0_u64; 4];
            for row in rows {
                let code = column[*row as usize];
                touched[usize::from(code >> 6)] |= 1 << (code & 63);
            }
            for (word, mut bits) in touched.into_iter().enumerate() {
                while bits != 0 {
                    self.filled
                        .push((word * 64) as u8 + bits.trailing_zeros() as u8);
                    bits &= bits - 1;
                }
            }
        } else {
            for (code, bin) in self.bins.chunks_exact(self.width).enumerate() {
                if bin.iter().step_by(self.lanes).any(|rows| *rows > 0.0) {
                    self.filled.push(code as u8);
                }
            }
        }
    }

    fn bin(&self, code: u8) -> &[f64] {
        &self.bins[usize::from(code) * self.width..][..self.width]
    }

    /// Adds a code to the left side.
    fn take(&mut self, code: u8) {
        let bin = &self.bins[usize::from(code) * self.width..][..self.width];
        for (sum, part) in self.left.iter_mut().zip(bin) {
            *sum += part;
        }
    }

    /// The best split if it gains more than `least`, after which the histogram is empty.
    pub(super) fn best(
        &mut self,
        feature: usize,
        category: bool,
        total: &[f64],
        judge: &mut Judge,
        limits: Limits,
        least: f64,
    ) -> Option<Candidate> {
        let found = if self.filled.len() < 2 {
            None
        } else if category {
            self.levels(total, judge, limits, least)
        } else {
            self.numbers(total, judge, limits, least)
        };
        for code in &self.filled {
            self.bins[usize::from(*code) * self.width..][..self.width].fill(0.0);
        }
        found.map(|(gain, rule)| Candidate {
            gain,
            feature,
            rule,
        })
    }

    /// The gain of the left side at hand; none when a side is too small.
    fn judged(&mut self, total: &[f64], judge: &mut Judge, limits: Limits) -> Verdict {
        for ((right, left), all) in self.right.iter_mut().zip(&self.left).zip(total) {
            *right = all - left;
        }
        let small = |side: &[f64]| {
            let rows = side.iter().skip(rows_lane(self.lanes));
            let mut counts = rows.step_by(self.lanes);
            let all: f64 = counts.clone().sum();
            all < limits.leaf || counts.any(|n| *n < limits.arm)
        };
        if small(&self.right) {
            return Verdict::TooFar;
        }
        if small(&self.left) {
            return Verdict::MoreLeft;
        }
        Verdict::Gain(judge.gain(&self.left, &self.right))
    }

    /// Splits of numbers, with missing values on either side or alone.
    fn numbers(
        &mut self,
        total: &[f64],
        judge: &mut Judge,
        limits: Limits,
        least: f64,
    ) -> Option<(f64, Rule)> {
        let filled = std::mem::take(&mut self.filled);
        let some_missing = filled.last() == Some(&MISSING_CODE);
        let values = &filled[..filled.len() - usize::from(some_missing)];
        let mut best: Option<(f64, usize, bool)> = None;
        let mut most = least;
        for missing_left in [false, true] {
            if missing_left && !some_missing {
                break;
            }
            self.left.fill(0.0);
            if missing_left {
                self.take(MISSING_CODE);
            }
            // After the last value nothing is left for the right side but missing values.
            let ends = values.len() - usize::from(missing_left || !some_missing);
            for (i, code) in values[..ends].iter().enumerate() {
                self.take(*code);
                match self.judged(total, judge, limits) {
                    Verdict::Gain(gain) if gain > most => {
                        most = gain;
                        best = Some((gain, i, missing_left));
                    }
                    Verdict::TooFar => break,
                    _ => {}
                }
            }
        }
        let rule = best.map(|(gain, i, missing_left)| {
            let last_left = match values.get(i + 1) {
                // Values that the node has not are shared between the sides.
                Some(next) => values[i].midpoint(*next).min(next - 1),
                None => MISSING_CODE - 1,
            };
            // Where none was missing, one that comes goes where most rows go.
            let rows = |codes: &[u8]| -> f64 {
                let counts = codes
                    .iter()
                    .flat_map(|c| self.bin(*c).iter().step_by(self.lanes));
                counts.sum()
            };
            let missing_left = if some_missing {
                missing_left
            } else {
                rows(&values[..=i]) >= rows(&values[i + 1..])
            };
            let rule = Rule::Number {
                last_left,
                missing_left,
            };
            (gain, rule)
        });
        self.filled = filled;
        rule
    }

    /// Splits of categories: levels in the order of their effects, missing being one of them.
    fn levels(
        &mut self,
        total: &[f64],
        judge: &mut Judge,
        limits: Limits,
        least: f64,
    ) -> Option<(f64, Rule)> {
        let filled = std::mem::take(&mut self.filled);
        let effects: Vec<f64> = (filled.iter())
            .map(|code| judge.pooled_effect(self.bin(*code)))
            .collect();
        let mut order: Vec<usize> = (0..filled.len()).collect();
        order.sort_by(|a, b| effects[*a].total_cmp(&effects[*b]).then(a.cmp(b)));
        self.left.fill(0.0);
        let (mut best, mut most) = (None, least);
        for (i, at) in order[..order.len() - 1].iter().enumerate() {
            self.take(filled[*at]);
            match self.judged(total, judge, limits) {
                Verdict::Gain(gain) if gain > most => {
                    most = gain;
                    best = Some((gain, i));
                }
                Verdict::TooFar => break,
                _ => {}
            }
        }
        let rule = best.map(|(gain, last)| {
            let mut set: CodeSet = [0; 4];
            for at in &order[..=last] {
                let code = filled[*at];
                set[usize::from(code >> 6)] |= 1 << (code & 63);
            }
            (gain, Rule::Levels(set))
        });
        self.filled = filled;
        rule
    }
}

enum Verdict {
    /// The left side is too small.
    MoreLeft,
    /// The right side is too small for good.
    TooFar,
    Gain(f64),
}
