//! The sums over all ways to place the ones of a group that the conditional logit needs, by recursion.

use crate::numeric::blocks;
use crate::summary::gram::{packed_index, packed_len};
use std::ops::Range;

/// Groups of a parallel block.
const BLOCK: usize = 64;

/// What a pass over the groups finds.
#[derive(Clone)]
pub(super) struct Pass {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    pub(super) information: Vec<f64>,
}

/// The data without the cache, for passes in parallel.
#[derive(Clone, Copy)]
pub(super) struct Groupwise<'a> {
    pub(super) k: usize,
    pub(super) x: &'a [f64],
    pub(super) y: &'a [bool],
    pub(super) offset: &'a [f64],
    pub(super) starts: &'a [usize],
}

impl Groupwise<'_> {
    /// A pass over all groups.
    pub(super) fn pass(&self, point: &[f64]) -> Pass {
        let groups = self.starts.len() - 1;
        let work = |block: Range<usize>| {
            let mut pass = Pass::empty(self.k);
            for g in block {
                self.add(self.starts[g]..self.starts[g + 1], point, &mut pass);
            }
            pass
        };
        blocks::reduce(groups, BLOCK, work, |total, part| {
            total.value += part.value;
            total
                .gradient
                .iter_mut()
                .zip(part.gradient)
                .for_each(|(a, b)| *a += b);
            total
                .information
                .iter_mut()
                .zip(part.information)
                .for_each(|(a, b)| *a += b);
        })
        .unwrap_or_else(|| Pass::empty(self.k))
    }

    /// `e^η` of the rows of a group, the largest of which is one, and the logarithm taken out.
    fn odds(&self, rows: Range<usize>, point: &[f64]) -> (Vec<f64>, f64) {
        let eta: Vec<f64> = rows
            .map(|i| self.offset[i] + dot(&self.x[i * self.k..(i + 1) * self.k], point))
            .collect();
        let largest = eta.iter().fold(f64::NEG_INFINITY, |m, e| m.max(*e));
        (eta.iter().map(|e| (e - largest).exp()).collect(), largest)
    }

    /// Adds a group: `ln B(n, m)` with `B(t, j) = B(t − 1, j) + e^{η_t} B(t − 1, j − 1)` and its derivatives (Howard 1972).
    /// Everything is kept relative to B, so that nothing overflows.
    fn add(&self, rows: Range<usize>, point: &[f64], pass: &mut Pass) {
        let k = self.k;
        let ones = self.y[rows.clone()].iter().filter(|y| **y).count();
        let (odds, largest) = self.odds(rows.clone(), point);
        let width = packed_len(k);
        // ln B, the mean of Σ d x, and its second moments, given j ones among the rows so far.
        let mut log = vec![f64::NEG_INFINITY; ones + 1];
        let mut mean = vec![0.0; (ones + 1) * k];
        let mut second = vec![0.0; (ones + 1) * width];
        log[0] = 0.0;
        for (t, odds) in odds.iter().enumerate() {
            let x = &self.x[(rows.start + t) * k..(rows.start + t + 1) * k];
            let log_odds = odds.ln();
            for j in (1..=ones.min(t + 1)).rev() {
                let with = log[j - 1] + log_odds;
                if with == f64::NEG_INFINITY {
                    continue;
                }
                let high = log[j].max(with);
                let sum = high + ((log[j] - high).exp() + (with - high).exp()).ln();
                let share = (with - sum).exp();
                let (below, above) = mean.split_at_mut(j * k);
                let from = &below[(j - 1) * k..];
                let to = &mut above[..k];
                let (low, up) = second.split_at_mut(j * width);
                let second_from = &low[(j - 1) * width..];
                let second_to = &mut up[..width];
                for a in 0..k {
                    for b in 0..=a {
                        let at = packed_index(a, b);
                        let moved = second_from[at] + from[a] * x[b] + from[b] * x[a] + x[a] * x[b];
                        second_to[at] += share * (moved - second_to[at]);
                    }
                }
                for a in 0..k {
                    to[a] += share * (from[a] + x[a] - to[a]);
                }
                log[j] = sum;
            }
        }
        let mean = &mean[ones * k..];
        let second = &second[ones * width..];
        let mut chosen = 0.0;
        for i in rows.filter(|i| self.y[*i]) {
            let x = &self.x[i * k..(i + 1) * k];
            chosen += self.offset[i] + dot(x, point);
            for (g, x) in pass.gradient.iter_mut().zip(x) {
                *g += x;
            }
        }
        pass.value += chosen - (log[ones] + ones as f64 * largest);
        for a in 0..k {
            pass.gradient[a] -= mean[a];
            for b in 0..=a {
                pass.information[packed_index(a, b)] +=
                    second[packed_index(a, b)] - mean[a] * mean[b];
            }
        }
    }

    /// `E[y_i | Σ y]` of the rows of a group: `e^{η_i} B(without i, m − 1)/B(all, m)`.
    pub(super) fn expected(&self, rows: Range<usize>, point: &[f64]) -> Vec<f64> {
        let ones = self.y[rows.clone()].iter().filter(|y| **y).count();
        let (odds, _) = self.odds(rows, point);
        let n = odds.len();
        // ln B of the first t rows, and of the last n − t, with j ones.
        let forward = log_sums(odds.iter(), ones);
        let mut backward = log_sums(odds.iter().rev(), ones);
        backward.reverse();
        let whole = forward[n][ones];
        (0..n)
            .map(|i| {
                let (before, after) = (&forward[i], &backward[i + 1]);
                let ways: f64 = (0..ones)
                    .map(|j| (before[j] + after[ones - 1 - j] + odds[i].ln() - whole).exp())
                    .sum();
                ways
            })
            .collect()
    }
}

/// `ln B` of each number of leading rows, for 0 to `ones` ones.
fn log_sums<'a>(odds: impl Iterator<Item = &'a f64>, ones: usize) -> Vec<Vec<f64>> {
    let mut log = vec![f64::NEG_INFINITY; ones + 1];
    log[0] = 0.0;
    let mut out = vec![log.clone()];
    for odds in odds {
        for j in (1..=ones).rev() {
            let with = log[j - 1] + odds.ln();
            let high = log[j].max(with);
            if high > f64::NEG_INFINITY {
                log[j] = high + ((log[j] - high).exp() + (with - high).exp()).ln();
            }
        }
        out.push(log.clone());
    }
    out
}

impl Pass {
    fn empty(k: usize) -> Self {
        Self {
            value: 0.0,
            gradient: vec![0.0; k],
            information: vec![0.0; packed_len(k)],
        }
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
