//! The rows of a Cox model in the order of time, and the pass over them that gives likelihood, score and information.

use super::super::newton::Pass;
use super::super::outcome::{Sample, members};
use super::super::regressors::Regressors;
use super::Ties;
use crate::summary::gram::{TILE, Tile, packed_len, unpack};
use std::ops::Range;

/// The rows sorted by stratum and, within, from the last time to the first, so that one walk adds rows to the risk set.
#[derive(Clone, Debug)]
pub(crate) struct CoxRows {
    /// The used row behind each sorted one.
    pub(crate) order: Vec<usize>,
    /// Standardised regressors, sorted.
    pub(crate) columns: Vec<Vec<f64>>,
    pub(crate) stop: Vec<f64>,
    pub(crate) start: Option<Vec<f64>>,
    pub(crate) event: Vec<bool>,
    pub(crate) weight: Option<Vec<f64>>,
    pub(crate) frequency: bool,
    pub(crate) ties: Ties,
    /// Rows of one stratum and time; times descend within a stratum.
    pub(crate) instants: Vec<Instant>,
    /// The instants of each stratum.
    pub(crate) strata: Vec<Range<usize>>,
    /// Rows of all strata by descending start, each with the instant at (or after) whose time it is not yet at risk.
    pub(crate) leaving: Vec<usize>,
    /// Of each row, the number of instants of its stratum at times after its start: those it may be at risk at.
    pub(crate) first: Vec<usize>,
}

/// Rows that end together.
#[derive(Clone, Debug)]
pub(crate) struct Instant {
    pub(crate) rows: Range<usize>,
    pub(crate) time: f64,
    pub(crate) events: usize,
    /// The rows of `leaving` that are not yet at risk here although they are at later times.
    pub(crate) leaving: Range<usize>,
}

/// Sums over the risk set of one instant that has events.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hazard {
    /// `Σ_l w̄/φ_l`, the increment of the baseline hazard.
    pub(crate) whole: f64,
    /// `Σ_l w̄ f_l/φ_l`, what it is less for those who have the event.
    pub(crate) own: f64,
    /// `Σ w̄/φ²`, `Σ w̄ f/φ²`, `Σ w̄ f²/φ²`.
    pub(crate) squares: [f64; 3],
    /// `Σ w̄ ln φ`.
    pub(crate) log: f64,
}

impl Hazard {
    /// With `m` tied events of total weight `total`; Efron takes the l-th of them out of the risk set by the share `l/m`.
    pub(crate) fn new(ties: Ties, m: f64, total: f64, s0: f64, d0: f64) -> Self {
        if ties == Ties::Breslow || m <= 1.0 {
            return Self {
                whole: total / s0,
                own: 0.0,
                squares: [total / (s0 * s0), 0.0, 0.0],
                log: total * s0.ln(),
            };
        }
        let mean = total / m;
        let mut sums = Self::default();
        let mut l = 0.0;
        while l < m {
            let f = l / m;
            let phi = s0 - f * d0;
            let share = mean / phi;
            let square = share / phi;
            sums.whole += share;
            sums.own += share * f;
            sums.squares[0] += square;
            sums.squares[1] += square * f;
            sums.squares[2] += square * f * f;
            sums.log += mean * phi.ln();
            l += 1.0;
        }
        sums
    }
}

impl CoxRows {
    /// Sorts the rows once.
    pub(crate) fn new(sample: &Sample, regressors: &Regressors, ties: Ties) -> Self {
        let spells = &sample.spells;
        let n = spells.len();
        let strata = match sample.strata() {
            None => vec![(0..n).collect()],
            Some(groups) => members(&groups),
        };
        let mut order: Vec<usize> = Vec::with_capacity(n);
        let mut instants: Vec<Instant> = Vec::new();
        let mut ranges = Vec::with_capacity(strata.len());
        for rows in strata {
            let first = instants.len();
            let mut keyed: Vec<(u64, usize)> = rows
                .into_iter()
                .map(|i| (descending(spells.stop[i]), i))
                .collect();
            keyed.sort_unstable();
            for (_, i) in keyed {
                let time = spells.stop[i];
                let at = order.len();
                order.push(i);
                let event = usize::from(spells.event[i]);
                match instants.get_mut(first..).and_then(<[Instant]>::last_mut) {
                    Some(last) if last.time <= time => {
                        last.rows.end = at + 1;
                        last.events += event;
                    }
                    _ => instants.push(Instant {
                        rows: at..at + 1,
                        time,
                        events: event,
                        leaving: 0..0,
                    }),
                }
            }
            ranges.push(first..instants.len());
        }
        let mut rows = Self {
            columns: vec![],
            stop: order.iter().map(|i| spells.stop[*i]).collect(),
            start: spells
                .start
                .as_ref()
                .map(|s| order.iter().map(|i| s[*i]).collect()),
            event: order.iter().map(|i| spells.event[*i]).collect(),
            weight: sample
                .weights
                .as_ref()
                .map(|w| order.iter().map(|i| w[*i]).collect()),
            frequency: sample.frequency,
            ties,
            instants,
            strata: ranges,
            leaving: vec![],
            first: vec![],
            order,
        };
        rows.set_columns(regressors);
        rows.enter_late();
        rows
    }

    /// Takes the regressors in the order of the rows.
    pub(crate) fn set_columns(&mut self, regressors: &Regressors) {
        self.columns = regressors
            .columns
            .iter()
            .map(|column| self.order.iter().map(|i| column[*i]).collect())
            .collect();
    }

    /// Finds where late rows leave the risk set on the walk back in time.
    fn enter_late(&mut self) {
        let Some(start) = &self.start else {
            return;
        };
        self.first = vec![0; self.order.len()];
        for stratum in self.strata.clone() {
            let rows = match (
                self.instants[stratum.clone()].first(),
                self.instants[stratum.clone()].last(),
            ) {
                (Some(first), Some(last)) => first.rows.start..last.rows.end,
                _ => continue,
            };
            let mut late: Vec<(u64, usize)> = rows.map(|i| (descending(start[i]), i)).collect();
            late.sort_unstable();
            let mut next = 0;
            for (k, instant) in self.instants[stratum.clone()].iter_mut().enumerate() {
                let begin = self.leaving.len();
                while let Some(&(_, i)) = late.get(next)
                    && start[i] >= instant.time
                {
                    self.leaving.push(i);
                    self.first[i] = k;
                    next += 1;
                }
                instant.leaving = begin..self.leaving.len();
            }
            for &(_, i) in &late[next..] {
                self.first[i] = stratum.len();
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn weight(&self, i: usize) -> f64 {
        self.weight.as_ref().map_or(1.0, |w| w[i])
    }

    /// How many tied events an instant has for Efron's steps: rows, or all the customers they stand for.
    pub(crate) fn tied(&self, events: usize, total: f64) -> f64 {
        if self.frequency { total } else { events as f64 }
    }

    /// `x'b` of every sorted row.
    pub(crate) fn index(&self, slopes: &[f64]) -> Vec<f64> {
        let mut index = vec![0.0; self.len()];
        for (column, b) in self.columns.iter().zip(slopes) {
            for (index, x) in index.iter_mut().zip(column) {
                *index += b * x;
            }
        }
        index
    }

    /// One pass back in time for likelihood, score and means of the risk sets, and one forward for the cumulative hazard of
    /// each row; the information is `Σ_i r_i Λ_i x x' − Σ_k x̄ x̄'`, two cross-products that the tile kernel takes.
    pub(crate) fn pass(&self, slopes: &[f64]) -> Pass {
        let p = self.columns.len();
        let index = self.index(slopes);
        let mut risk: Vec<f64> = index.iter().map(|v| v.exp()).collect();
        if let Some(weight) = &self.weight {
            for (r, w) in risk.iter_mut().zip(weight) {
                *r *= w;
            }
        }
        let mut log_likelihood = 0.0;
        let mut gradient = vec![0.0; p];
        let mut means = MeanTile::new(p);
        // Cumulative hazard of each row while it is at risk.
        let mut exposure = vec![0.0; self.len()];
        let mut steps = vec![[0.0; 2]; self.instants.len()];
        for stratum in &self.strata {
            let (mut s0, mut s1) = (0.0, vec![0.0; p]);
            let (mut d1, mut here) = (vec![0.0; p], 0);
            for k in stratum.clone() {
                let instant = &self.instants[k];
                let rows = instant.rows.clone();
                here = here + rows.len() - instant.leaving.len();
                s0 += risk[rows.clone()].iter().sum::<f64>();
                for (s, column) in s1.iter_mut().zip(&self.columns) {
                    for (x, r) in column[rows.clone()].iter().zip(&risk[rows.clone()]) {
                        *s += x * r;
                    }
                }
                for &i in &self.leaving[instant.leaving.clone()] {
                    s0 -= risk[i];
                    for (s, column) in s1.iter_mut().zip(&self.columns) {
                        *s -= column[i] * risk[i];
                    }
                }
                if here == 0 {
                    // What is left is rounding.
                    s0 = 0.0;
                    s1.fill(0.0);
                }
                if instant.events == 0 {
                    continue;
                }
                let (mut d0, mut total) = (0.0, 0.0);
                d1.fill(0.0);
                for i in rows.filter(|i| self.event[*i]) {
                    let w = self.weight(i);
                    d0 += risk[i];
                    total += w;
                    log_likelihood += w * index[i];
                    for ((d, g), column) in d1.iter_mut().zip(&mut gradient).zip(&self.columns) {
                        *d += column[i] * risk[i];
                        *g += column[i] * w;
                    }
                }
                let hazard =
                    Hazard::new(self.ties, self.tied(instant.events, total), total, s0, d0);
                log_likelihood -= hazard.log;
                for ((g, s), d) in gradient.iter_mut().zip(&s1).zip(&d1) {
                    *g -= hazard.whole * s - hazard.own * d;
                }
                means.push(&s1, &d1, &hazard);
                steps[k] = [hazard.whole, hazard.own];
            }
            self.expose(stratum.clone(), &steps, &mut exposure);
        }
        let mut packed = vec![0.0; packed_len(p)];
        let mut tile = Tile::new(p);
        let mut root = [0.0; TILE];
        for from in (0..self.len()).step_by(TILE) {
            let to = (from + TILE).min(self.len());
            for ((root, r), e) in root
                .iter_mut()
                .zip(&risk[from..to])
                .zip(&exposure[from..to])
            {
                *root = (r * e).max(0.0).sqrt();
            }
            for (j, column) in self.columns.iter().enumerate() {
                for ((out, x), root) in tile
                    .column_mut(j)
                    .iter_mut()
                    .zip(&column[from..to])
                    .zip(&root)
                {
                    *out = x * root;
                }
            }
            tile.clear_from(to - from);
            tile.add_gram(&mut packed);
        }
        for (a, b) in packed.iter_mut().zip(means.finish()) {
            *a -= b;
        }
        Pass {
            log_likelihood,
            gradient,
            information: unpack(&packed, p),
        }
    }

    /// The hazard that each row of a stratum was exposed to, `Λ(stop) − Λ(start)`, with Efron's reduction for events.
    pub(crate) fn expose(&self, stratum: Range<usize>, steps: &[[f64; 2]], exposure: &mut [f64]) {
        // Cumulative hazard just before and up to each instant, from the last in the list, which is the first in time.
        let mut upto = vec![0.0; stratum.len() + 1];
        for k in (0..stratum.len()).rev() {
            upto[k] = upto[k + 1] + steps[stratum.start + k][0];
        }
        for (k, instant) in self.instants[stratum.clone()].iter().enumerate() {
            let own = steps[stratum.start + k][1];
            for i in instant.rows.clone() {
                let before = if self.start.is_some() {
                    upto[self.first[i]]
                } else {
                    0.0
                };
                let less = if self.event[i] { own } else { 0.0 };
                exposure[i] = upto[k] - before - less;
            }
        }
    }
}

/// A key that sorts times from the last to the first.
fn descending(time: f64) -> u64 {
    let bits = (time + 0.0).to_bits();
    // Positive numbers sort as their bits, negative ones the other way round.
    let ascending = if bits >> 63 == 0 {
        bits | 1 << 63
    } else {
        !bits
    };
    !ascending
}

/// Sums `Σ_l w̄ x̄_l x̄_l'` of the means of the risk sets, tile by tile.
struct MeanTile {
    tile: Tile,
    filled: usize,
    packed: Vec<f64>,
}

impl MeanTile {
    fn new(p: usize) -> Self {
        Self {
            tile: Tile::new(p),
            filled: 0,
            packed: vec![0.0; packed_len(p)],
        }
    }

    /// With `A`, `B`, `C` the sums of squares of [`Hazard`], the sum is `A s s' − B (s d' + d s') + C d d'`, the cross-product of the rows
    /// `√A s − B/√A d` and `√(C − B²/A) d`.
    fn push(&mut self, s: &[f64], d: &[f64], hazard: &Hazard) {
        let [a, b, c] = hazard.squares;
        let root = a.sqrt();
        self.row(|j| root * s[j] - b / root * d[j]);
        if b > 0.0 {
            let rest = (c - b * b / a).max(0.0).sqrt();
            self.row(|j| rest * d[j]);
        }
    }

    fn row(&mut self, value: impl Fn(usize) -> f64) {
        for j in 0..self.tile.columns() {
            self.tile.column_mut(j)[self.filled] = value(j);
        }
        self.filled += 1;
        if self.filled == TILE {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.tile.clear_from(self.filled);
        self.tile.add_gram(&mut self.packed);
        self.filled = 0;
    }

    fn finish(mut self) -> Vec<f64> {
        self.flush();
        self.packed
    }
}
