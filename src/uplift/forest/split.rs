//! The best split of a node on one feature.

use super::codes::MISSING_CODE;
use super::tree::{CodeSet, Rule};
use crate::regression::learners::bins::CODES;

/// What a bin sums for each pseudo-outcome: the weighted pseudo-outcome, the weighted instrument and its square (both less their mean in the
/// node), and two counts in one number, of rows and of rows whose instrument is below the mean. With weights, their sum comes last.
pub(super) type Sums<const L: usize> = [f64; L];
/// Lanes of a pseudo-outcome.
pub(super) const LANES: usize = 4;
/// Lanes of one pseudo-outcome without and with weights.
pub(super) const PLAIN: usize = LANES;
pub(super) const WEIGHTED: usize = LANES + 1;

/// Whether the lanes end with a weight.
pub(super) const fn weighted<const L: usize>() -> bool {
    L % LANES == 1
}

/// One row below the mean, in the packed counts: sums of up to 2²⁶ rows are exact.
pub(super) const BELOW: f64 = 67_108_864.0;
/// Most rows of a tree that the packed counts hold.
pub(super) const MOST_ROWS: usize = 1 << 26;

/// Nodes smaller than this note the bins they touch; larger ones look through all.
const FEW_ROWS: usize = 192;

/// What a split must respect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits<const L: usize> {
    /// Pseudo-outcomes in use: the first ones of the lanes.
    pub(super) outcomes: usize,
    /// Fewest rows above and below the mean of every instrument, on each side.
    pub(super) each: u32,
    /// Least size `Σz² − (Σz)²/n` of a side, for each pseudo-outcome.
    pub(super) size: Sums<L>,
    pub(super) imbalance_penalty: f64,
}

/// A split and what it gains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) gain: f64,
    pub(super) feature: usize,
    pub(super) rule: Rule,
}

/// Bins of one feature, cleared between uses.
pub(super) struct Histogram<const L: usize> {
    bins: Vec<Sums<L>>,
    /// The codes that are not empty, in order.
    filled: Vec<u8>,
}

/// The counts in a packed number.
#[inline]
pub(super) fn counts(packed: f64) -> (u32, u32) {
    let bits = packed as i64;
    (
        (bits & (BELOW as i64 - 1)) as u32,
        (bits >> BELOW.log2() as u32) as u32,
    )
}

/// Rows, and rows below the mean.
pub(super) fn rows_below<const L: usize>(sums: &Sums<L>) -> (u32, u32) {
    counts(sums[3])
}

#[inline]
fn add<const L: usize>(sum: &mut Sums<L>, part: &Sums<L>) {
    for (s, p) in sum.iter_mut().zip(part) {
        *s += p;
    }
}

/// A split between two sides is judged by `(Σρ_l)²/n_l + (Σρ_r)²/n_r − penalty (1/size_l + 1/size_r)`, summed over pseudo-outcomes (eq. 9 of
/// Athey, Tibshirani & Wager 2019; constant terms left out).
struct Judge<'a, const L: usize> {
    total: &'a Sums<L>,
    all: (u32, u32),
    limits: &'a Limits<L>,
}

enum Verdict {
    /// The left side is too small, or the split no better than the least wanted: go on.
    MoreLeft,
    /// The right side is too small for good.
    TooFar,
    Gain(f64),
}

impl<const L: usize> Judge<'_, L> {
    #[inline]
    fn weight(sums: &Sums<L>, rows: u32) -> f64 {
        if weighted::<L>() {
            sums[L - 1]
        } else {
            f64::from(rows)
        }
    }

    /// Pseudo-outcomes in use; the compiler knows when there is one.
    #[inline]
    fn outcomes(&self) -> usize {
        if L / LANES == 1 {
            1
        } else {
            self.limits.outcomes
        }
    }

    #[inline]
    fn judge(&self, left: &Sums<L>, least: f64) -> Verdict {
        let each = self.limits.each;
        let (rows, below) = counts(left[3]);
        if rows == 0 || below < each || rows - below < each {
            return Verdict::MoreLeft;
        }
        let (rows_right, below_right) = (self.all.0 - rows, self.all.1 - below);
        if rows_right == 0 || below_right < each || rows_right - below_right < each {
            return Verdict::TooFar;
        }
        for t in 1..self.outcomes() {
            let (below, all) = (
                counts(left[t * LANES + 3]).1,
                counts(self.total[t * LANES + 3]).1,
            );
            if below < each || rows - below < each {
                return Verdict::MoreLeft;
            }
            let below_right = all - below;
            if below_right < each || rows_right - below_right < each {
                return Verdict::TooFar;
            }
        }
        let (nl, nr) = (
            Self::weight(left, rows),
            Self::weight(self.total, self.all.0) - Self::weight(left, rows),
        );
        let (mut above, below) = (0.0, nl * nr);
        for t in 0..self.outcomes() {
            let l = left[t * LANES];
            let r = self.total[t * LANES] - l;
            above += l * l * nr + r * r * nl;
        }
        // Most splits are worse than the best so far, whatever their sides are like. (Not `<=`: a NaN is none either.)
        if !(above > least * below && below > 0.0) {
            return Verdict::MoreLeft;
        }
        let mut gain = above / below;
        for t in 0..self.outcomes() {
            // Sizes times weights, so that nothing is divided.
            let (at, least) = (t * LANES, self.limits.size[t]);
            let (z, zz) = (
                self.total[at + 1] - left[at + 1],
                self.total[at + 2] - left[at + 2],
            );
            let size_left = left[at + 2] * nl - left[at + 1] * left[at + 1];
            let size_right = zz * nr - z * z;
            if size_left < least * nl || size_right < least * nr {
                return Verdict::MoreLeft;
            }
            if self.limits.imbalance_penalty > 0.0 {
                gain -= self.limits.imbalance_penalty * (nl / size_left + nr / size_right);
            }
        }
        Verdict::Gain(gain)
    }
}

impl<const L: usize> Histogram<L> {
    pub(super) fn new() -> Self {
        Self {
            bins: vec![[0.0; L]; CODES],
            filled: Vec::with_capacity(CODES),
        }
    }

    /// Sums the responses of some rows by their code. `column` has the code of every row of the tree, `rows` those of the node, and
    /// `responses` stand in the order of `rows`.
    pub(super) fn build(&mut self, column: &[u8], rows: &[u32], responses: &[Sums<L>]) {
        self.filled.clear();
        if rows.len() < FEW_ROWS {
            let mut touched = [0_u64; 4];
            for (row, response) in rows.iter().zip(responses) {
                let code = column[*row as usize];
                touched[usize::from(code >> 6)] |= 1 << (code & 63);
                add(&mut self.bins[usize::from(code)], response);
            }
            for (word, mut bits) in touched.into_iter().enumerate() {
                while bits != 0 {
                    self.filled
                        .push((word * 64) as u8 + bits.trailing_zeros() as u8);
                    bits &= bits - 1;
                }
            }
        } else {
            for (row, response) in rows.iter().zip(responses) {
                add(&mut self.bins[usize::from(column[*row as usize])], response);
            }
            for (code, bin) in self.bins.iter().enumerate() {
                if bin[3] > 0.0 {
                    self.filled.push(code as u8);
                }
            }
        }
    }

    /// The best split if it gains more than `least`, after which the histogram is empty.
    pub(super) fn best(
        &mut self,
        feature: usize,
        category: bool,
        total: &Sums<L>,
        limits: &Limits<L>,
        least: f64,
    ) -> Option<Candidate> {
        let judge = Judge {
            total,
            all: counts(total[3]),
            limits,
        };
        let found = if self.filled.len() < 2 {
            None
        } else if category {
            self.levels(&judge, least)
        } else {
            self.numbers(&judge, least)
        };
        for code in &self.filled {
            self.bins[usize::from(*code)] = [0.0; L];
        }
        found.map(|(gain, rule)| Candidate {
            gain,
            feature,
            rule,
        })
    }

    /// Splits of numbers, with missing values on either side or alone.
    fn numbers(&self, judge: &Judge<L>, least: f64) -> Option<(f64, Rule)> {
        let some_missing = self.filled.last() == Some(&MISSING_CODE);
        let values = &self.filled[..self.filled.len() - usize::from(some_missing)];
        let missing = &self.bins[usize::from(MISSING_CODE)];
        let mut best: Option<(f64, usize, bool)> = None;
        let mut most = least;
        for missing_left in [false, true] {
            if missing_left && !some_missing {
                break;
            }
            let mut left = if missing_left { *missing } else { [0.0; L] };
            // After the last value nothing is left for the right side but missing values.
            let ends = values.len() - usize::from(missing_left || !some_missing);
            for (i, code) in values[..ends].iter().enumerate() {
                add(&mut left, &self.bins[usize::from(*code)]);
                match judge.judge(&left, most) {
                    Verdict::Gain(gain) if gain > most => {
                        most = gain;
                        best = Some((gain, i, missing_left));
                    }
                    Verdict::TooFar => break,
                    _ => {}
                }
            }
        }
        let (gain, i, missing_left) = best?;
        let last_left = match values.get(i + 1) {
            // Values that the node has not are shared between the sides.
            Some(next) => values[i].midpoint(*next).min(next - 1),
            None => MISSING_CODE - 1,
        };
        let missing_left = if some_missing {
            missing_left
        } else {
            // No missing value was seen here: should one come, it goes where most rows go.
            let rows = |codes: &[u8]| {
                let sum = codes.iter().map(|c| self.bins[usize::from(*c)][3]).sum();
                counts(sum).0
            };
            rows(&values[..=i]) >= rows(&values[i + 1..])
        };
        Some((
            gain,
            Rule::Number {
                last_left,
                missing_left,
            },
        ))
    }

    /// Splits of categories: levels ordered by their mean pseudo-outcome, by each of them in turn where there are several; missing is a level.
    fn levels(&self, judge: &Judge<L>, least: f64) -> Option<(f64, Rule)> {
        let mut best = None;
        let mut most = least;
        for outcome in 0..judge.outcomes() {
            if let Some((gain, rule)) = self.levels_by(outcome, judge, most) {
                most = gain;
                best = Some((gain, rule));
            }
        }
        best
    }

    fn levels_by(&self, outcome: usize, judge: &Judge<L>, least: f64) -> Option<(f64, Rule)> {
        let mean = |code: &u8| {
            let bin = &self.bins[usize::from(*code)];
            let weight = Judge::<L>::weight(bin, counts(bin[3]).0);
            if weight > 0.0 {
                bin[outcome * LANES] / weight
            } else {
                0.0
            }
        };
        let mut order = self.filled.clone();
        order.sort_by(|a, b| mean(a).total_cmp(&mean(b)).then(a.cmp(b)));
        let mut left = [0.0; L];
        let mut best: Option<(f64, usize, bool)> = None;
        for (i, code) in order[..order.len() - 1].iter().enumerate() {
            add(&mut left, &self.bins[usize::from(*code)]);
            match judge.judge(&left, best.map_or(least, |b| b.0)) {
                Verdict::Gain(gain) if gain > best.map_or(least, |b| b.0) => {
                    best = Some((gain, i, 2 * counts(left[3]).0 >= judge.all.0));
                }
                Verdict::TooFar => break,
                _ => {}
            }
        }
        let (gain, last, larger_left) = best?;
        // Levels that the node has not go where most rows go.
        let mut set: CodeSet = if larger_left { [u64::MAX; 4] } else { [0; 4] };
        for (i, code) in order.iter().enumerate() {
            let bit = 1 << (code & 63);
            let word = &mut set[usize::from(code >> 6)];
            *word = if i <= last { *word | bit } else { *word & !bit };
        }
        Some((gain, Rule::Levels(set)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;
    use crate::numeric::permutation::open_unit;
    use rand::Rng;

    struct Node {
        column: Vec<u8>,
        responses: Vec<Sums<PLAIN>>,
    }

    fn node(n: usize, codes: u8, seed: u64) -> Node {
        let mut random = Seed::new(seed).stream(0);
        let mut u = || open_unit(random.next_u64());
        let column = (0..n)
            .map(|_| {
                let code = (u() * f64::from(codes)) as u8;
                if u() < 0.2 { MISSING_CODE } else { code }
            })
            .collect();
        let responses = (0..n)
            .map(|_| {
                let (rho, z) = (u() - 0.5, u() - 0.5);
                [rho, z, z * z, 1.0 + if z < 0.0 { BELOW } else { 0.0 }]
            })
            .collect();
        Node { column, responses }
    }

    fn total(responses: &[Sums<PLAIN>]) -> Sums<PLAIN> {
        responses.iter().fold([0.0; PLAIN], |mut sum, r| {
            add(&mut sum, r);
            sum
        })
    }

    /// The same search, written from the definition: every threshold, missing values on either side.
    fn by_definition(node: &Node, limits: &Limits<PLAIN>) -> f64 {
        let mut best = f64::NEG_INFINITY;
        for threshold in 0..MISSING_CODE {
            for missing_left in [false, true] {
                let side = |left: bool| {
                    let rows: Vec<&Sums<PLAIN>> = (0..node.column.len())
                        .filter(|i| {
                            let code = node.column[*i];
                            let goes = if code == MISSING_CODE {
                                missing_left
                            } else {
                                code <= threshold
                            };
                            goes == left
                        })
                        .map(|i| &node.responses[i])
                        .collect();
                    let n = rows.len() as f64;
                    let sum = |k: usize| rows.iter().map(|r| r[k]).sum::<f64>();
                    let below = rows.iter().filter(|r| r[1] < 0.0).count() as u32;
                    let size = sum(2) - sum(1).powi(2) / n;
                    let enough = below >= limits.each
                        && rows.len() as u32 - below >= limits.each
                        && size >= limits.size[0];
                    (enough, sum(0).powi(2) / n - limits.imbalance_penalty / size)
                };
                let (l, r) = (side(true), side(false));
                if l.0 && r.0 && l.1 + r.1 > best {
                    best = l.1 + r.1;
                }
            }
        }
        best
    }

    #[test]
    fn the_search_finds_the_best_split_there_is() {
        for seed in 0..60 {
            let n = 30 + 7 * seed as usize;
            let node = node(n, 5 + (seed * 4 % 200) as u8, seed);
            let rows: Vec<u32> = (0..n as u32).collect();
            let limits = Limits {
                outcomes: 1,
                each: 4,
                size: [0.05 * n as f64 / 12.0; PLAIN],
                imbalance_penalty: if seed % 2 == 0 { 0.0 } else { 0.1 },
            };
            let mut histogram = Histogram::new();
            histogram.build(&node.column, &rows, &node.responses);
            let sums = total(&node.responses);
            let found = histogram
                .best(3, false, &sums, &limits, f64::NEG_INFINITY)
                .unwrap();
            assert!((found.gain - by_definition(&node, &limits)).abs() < 1e-9);
            assert!(histogram.bins.iter().all(|b| b.iter().all(|v| *v == 0.0)));
        }
    }

    #[test]
    fn categories_are_split_by_their_means() {
        let mut node = node(400, 6, 9);
        for (code, r) in node.column.iter().zip(&mut node.responses) {
            r[0] += if [1, 4, MISSING_CODE].contains(code) {
                1.0
            } else {
                -1.0
            };
        }
        let rows: Vec<u32> = (0..400).collect();
        let limits = Limits {
            outcomes: 1,
            each: 5,
            size: [0.0; PLAIN],
            imbalance_penalty: 0.0,
        };
        let mut histogram = Histogram::new();
        histogram.build(&node.column, &rows, &node.responses);
        let found = histogram
            .best(0, true, &total(&node.responses), &limits, 0.0)
            .unwrap();
        let Rule::Levels(set) = found.rule else {
            panic!("levels")
        };
        let left = |code: u8| crate::uplift::forest::tree::contains(&set, code);
        assert!([0, 2, 3, 5].iter().all(|c| left(*c)));
        assert!(![1, 4, MISSING_CODE].iter().any(|c| left(*c)));
    }
}
