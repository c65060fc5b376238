//! The elastic net penalty: its scale by column, its path of strengths, and the choice among them by cross-validation.

use super::cross::Centred;
use super::descent::Problem;
use super::encode::Encoding;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Below this share of α, the strength that makes all coefficients zero is taken as if α were this (there is none for ridge).
const LEAST_MIXING: f64 = 1e-3;
/// A variance below this share of the squared mean is rounding.
const CONSTANT: f64 = 1e-26;
/// Smallest strength of a path as a share of the largest, with more rows than columns and with fewer (as in glmnet).
const PATH_RATIO: [f64; 2] = [1e-4, 1e-2];
/// Steps below this share of the target's standard deviation end the descent.
const TOLERANCE: f64 = 1e-11;

/// How strongly to penalise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Strength {
    /// This λ.
    Fixed(f64),
    /// The λ with the smallest cross-validated loss.
    Minimum,
    /// The largest λ whose cross-validated loss is within one standard error of the smallest.
    OneStandardError,
}

/// The penalty `λ (α |b|₁ + (1 − α)/2 |b|²)` on standardised columns.
#[derive(Clone, Debug)]
pub(crate) struct Penalty {
    pub(crate) mixing: f64,
    /// Factors by column, with mean 1.
    pub(crate) factors: Vec<f64>,
    pub(crate) standardize: bool,
}

/// A linear predictor in shifted units.
#[derive(Clone, Debug)]
pub(crate) struct Solution {
    pub(crate) intercept: f64,
    pub(crate) coefficients: Vec<f64>,
}

impl Solution {
    pub(crate) fn nonzero(&self) -> usize {
        self.coefficients.iter().filter(|b| b.abs() > 0.0).count()
    }
}

impl Penalty {
    /// Units of the columns: standard deviations, 0 for a column that does not vary, 1 without standardisation.
    pub(crate) fn scales(&self, centred: &Centred, encoding: &Encoding) -> Vec<f64> {
        (0..centred.means.len())
            .map(|j| {
                let (variance, shift) = (centred.gram[(j, j)], encoding.shift(j));
                let mean = centred.means[j] + shift;
                if variance.is_nan() || variance <= CONSTANT * (1.0 + mean * mean) {
                    0.0
                } else if self.standardize {
                    variance.sqrt()
                } else {
                    1.0
                }
            })
            .collect()
    }

    /// Strengths from the one at which all penalised coefficients are zero downwards, evenly on the log scale. The correlations are
    /// those of standardised columns with what the unpenalised ones leave of the target.
    pub(crate) fn path(&self, correlations: &[f64], length: usize, rows: usize) -> Vec<f64> {
        let largest = correlations
            .iter()
            .zip(&self.factors)
            .filter(|(_, factor)| **factor > 0.0)
            .fold(f64::MIN_POSITIVE, |most, (c, factor)| {
                most.max(c.abs() / factor)
            })
            / self.mixing.max(LEAST_MIXING);
        let ratio = PATH_RATIO[usize::from(rows < correlations.len())];
        let last = (length.max(2) - 1) as f64;
        (0..length)
            .map(|k| largest * ratio.powf(k as f64 / last))
            .collect()
    }

    /// The quadratic problem at this strength, in standardised units.
    pub(crate) fn problem<'a>(&self, centred: &'a Centred, lambda: f64) -> Problem<'a> {
        Problem {
            gram: &centred.gram,
            linear: &centred.with_target,
            l1: self
                .factors
                .iter()
                .map(|f| lambda * self.mixing * f)
                .collect(),
            l2: self
                .factors
                .iter()
                .map(|f| lambda * (1.0 - self.mixing) * f)
                .collect(),
            tolerance: TOLERANCE * centred.target_variance.max(0.0).sqrt(),
        }
    }

    /// The penalty of coefficients in standardised units, times λ.
    pub(crate) fn value(&self, b: &[f64], lambda: f64) -> f64 {
        let each = b.iter().zip(&self.factors);
        lambda
            * each
                .map(|(b, f)| f * (self.mixing * b.abs() + (1.0 - self.mixing) / 2.0 * b * b))
                .sum::<f64>()
    }

    /// Correlations of standardised columns with what the unpenalised columns leave of the target.
    pub(crate) fn correlations(&self, centred: &Centred) -> Result<Vec<f64>> {
        let mut b = vec![0.0; self.factors.len()];
        if self.factors.iter().any(|f| *f <= 0.0) {
            let problem = Problem {
                l1: self
                    .factors
                    .iter()
                    .map(|f| if *f > 0.0 { f64::INFINITY } else { 0.0 })
                    .collect(),
                l2: vec![0.0; b.len()],
                ..self.problem(centred, 0.0)
            };
            problem.minimise(&mut b)?;
        }
        let b = nalgebra::DVector::from_vec(b);
        Ok((&centred.with_target - &centred.gram * b)
            .iter()
            .copied()
            .collect())
    }
}

/// Puts columns in units of `scales`; constant ones become zero, which no solver touches.
pub(crate) fn standardised(mut centred: Centred, scales: &[f64]) -> Centred {
    let inverse: Vec<f64> = scales
        .iter()
        .map(|s| if *s > 0.0 { 1.0 / s } else { 0.0 })
        .collect();
    for i in 0..inverse.len() {
        centred.with_target[i] *= inverse[i];
        for j in 0..inverse.len() {
            centred.gram[(i, j)] *= inverse[i] * inverse[j];
        }
    }
    centred
}

/// Coefficients in the units of the columns.
pub(crate) fn unscaled(b: &[f64], scales: &[f64]) -> Vec<f64> {
    b.iter()
        .zip(scales)
        .map(|(b, s)| if *s > 0.0 { b / s } else { 0.0 })
        .collect()
}

/// A path of strengths and how each fared in cross-validation. The loss is the mean squared error, or the mean negative
/// log-likelihood (half of glmnet's deviance).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PenaltyPath {
    /// Strengths, falling.
    pub lambda: Vec<f64>,
    /// Cross-validated loss.
    pub loss: Vec<f64>,
    /// Its standard error over folds.
    pub std_error: Vec<f64>,
    /// Coefficients that are not zero, on all rows.
    pub nonzero: Vec<usize>,
    /// The strength with the smallest loss.
    pub lambda_min: f64,
    /// The largest strength whose loss is within one standard error of the smallest.
    pub lambda_1se: f64,
}

impl PenaltyPath {
    /// Summarises losses by fold (`losses[fold][k]`) with the folds' weights.
    pub(crate) fn new(
        lambda: Vec<f64>,
        losses: &[Vec<f64>],
        weights: &[f64],
        nonzero: Vec<usize>,
    ) -> Self {
        let total: f64 = weights.iter().sum();
        let mean = |of: &dyn Fn(usize) -> f64| {
            (0..losses.len()).map(|f| weights[f] * of(f)).sum::<f64>() / total
        };
        let loss: Vec<f64> = (0..lambda.len()).map(|k| mean(&|f| losses[f][k])).collect();
        let degrees = losses.len().saturating_sub(1).max(1) as f64;
        let std_error: Vec<f64> = (0..lambda.len())
            .map(|k| (mean(&|f| (losses[f][k] - loss[k]).powi(2)) / degrees).sqrt())
            .collect();
        let mut best = 0;
        for (k, value) in loss.iter().enumerate() {
            if *value < loss[best] {
                best = k;
            }
        }
        let bound = loss[best] + std_error[best];
        let within = loss.iter().position(|l| *l <= bound).unwrap_or(best);
        Self {
            lambda_min: lambda[best],
            lambda_1se: lambda[within],
            lambda,
            loss,
            std_error,
            nonzero,
        }
    }

    /// Where a strength stands on the path.
    pub(crate) fn position(&self, strength: Strength) -> usize {
        let wanted = match strength {
            Strength::OneStandardError => self.lambda_1se,
            _ => self.lambda_min,
        };
        self.lambda.iter().position(|l| *l <= wanted).unwrap_or(0)
    }
}
