//! The covariance of all metrics in every arm, from which that of all effects follows.

use super::linear::Analysed;
use crate::experiment::arm::Sample;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Which value of which arm an effect compares with which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) metric: usize,
    pub(crate) arm: usize,
    pub(crate) control: usize,
}

/// For every arm the covariance matrix of the metrics' values, and their degrees of freedom. Arms are independent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Joint {
    arms: Vec<DMatrix<f64>>,
    #[serde(deserialize_with = "crate::numeric::infinite::all_above")]
    df: Vec<f64>,
    pairs: Vec<Pair>,
}

impl Joint {
    /// `Cov(T_m, T_k) = Σ_s W_s^m W_s^k S_mk,s n_mk,s / (n_m,s n_k,s)`, where `S_mk` is over the units that have both metrics.
    pub(crate) fn new(sample: &Sample, metrics: &[Analysed], pairs: Vec<Pair>) -> Self {
        let count = metrics.len();
        let arms = (0..sample.arms.len())
            .map(|a| {
                let mut matrix = DMatrix::zeros(count, count);
                for i in 0..count {
                    for j in 0..=i {
                        let entry = if i == j {
                            metrics[i].arms[a].variance()
                        } else {
                            covariance(sample, a, &metrics[i], &metrics[j])
                        };
                        matrix[(i, j)] = entry;
                        matrix[(j, i)] = entry;
                    }
                }
                matrix
            })
            .collect();
        let df = (0..sample.arms.len())
            .flat_map(|a| metrics.iter().map(move |m| m.arms[a].df()))
            .collect();
        Self { arms, df, pairs }
    }

    /// The covariance of the effects.
    pub(crate) fn covariance(&self) -> DMatrix<f64> {
        let count = self.pairs.len();
        DMatrix::from_fn(count, count, |i, j| {
            let (p, q) = (self.pairs[i], self.pairs[j]);
            let at = |arm: usize| self.arms[arm][(p.metric, q.metric)];
            let mut sum = 0.0;
            for (a, sign) in [(p.arm, 1.0), (p.control, -1.0)] {
                for (b, other) in [(q.arm, 1.0), (q.control, -1.0)] {
                    if a == b {
                        sum += sign * other * at(a);
                    }
                }
            }
            sum
        })
    }

    /// Satterthwaite's degrees of freedom of a contrast of effects, arm by arm; in an arm the fewest of the metrics that it touches.
    pub(crate) fn degrees_of_freedom(&self, contrast: &DVector<f64>) -> f64 {
        let count = self.arms.first().map_or(0, DMatrix::nrows);
        let parts: Vec<(f64, f64)> = (0..self.arms.len())
            .filter_map(|a| {
                let mut weights: DVector<f64> = DVector::zeros(count);
                for (pair, c) in self.pairs.iter().zip(contrast.iter()) {
                    if pair.arm == a {
                        weights[pair.metric] += c;
                    }
                    if pair.control == a {
                        weights[pair.metric] -= c;
                    }
                }
                let df = (0..count)
                    .filter(|m| weights[*m].abs() > 0.0)
                    .map(|m| self.df[a * count + m])
                    .fold(f64::INFINITY, f64::min);
                let variance = weights.dot(&(&self.arms[a] * &weights));
                (weights.amax() > 0.0).then_some((variance, df))
            })
            .collect();
        super::effect::satterthwaite(parts.into_iter())
    }
}

fn covariance(sample: &Sample, arm: usize, m: &Analysed, k: &Analysed) -> f64 {
    let bits = m.bits | k.bits;
    let one = |both: &crate::experiment::arm::CellMoments, n_m: f64, n_k: f64| {
        let n = both.n();
        if n < 2.0 {
            return 0.0;
        }
        both.bilinear(&m.forms[arm], &k.forms[arm]) / (n - 1.0) * n / (n_m * n_k)
    };
    let (Some(ours), Some(theirs)) = (&m.strata, &k.strata) else {
        return one(
            &sample.arm_moments(arm, bits),
            sample.arm_moments(arm, m.bits).n(),
            sample.arm_moments(arm, k.bits).n(),
        );
    };
    let mut sum = 0.0;
    for (s, w) in ours.iter().zip(&m.weights) {
        if let Some(at) = theirs.iter().position(|t| t == s) {
            sum += w
                * k.weights[at]
                * one(
                    &sample.moments(arm, *s, bits),
                    sample.moments(arm, *s, m.bits).n(),
                    sample.moments(arm, *s, k.bits).n(),
                );
        }
    }
    sum
}
