//! The variance between studies.

use super::BetweenStudies;
use crate::error::Result;
use crate::numeric::linalg::{RANK_TOLERANCE, symmetrize};
use crate::numeric::optimize::brent_root;
use crate::numeric::special::chi_squared;
use nalgebra::{DMatrix, DVector};

/// Points of the search for maxima of the restricted likelihood.
const GRID: usize = 200;

/// Estimates and variances, with what weighted least squares gives at a variance between them.
pub(super) struct Spread<'a> {
    pub(super) y: &'a [f64],
    pub(super) variance: &'a [f64],
    /// Regressors, the constant among them, of full rank; none for a mean alone.
    pub(super) x: Option<&'a DMatrix<f64>>,
}

/// Weighted least squares with the weights `w = 1/(s² + τ²)`. With `P = W − WX(X'WX)⁻¹X'W`:
pub(super) struct Weighted {
    pub(super) coefficients: DVector<f64>,
    /// `(X'WX)⁻¹`.
    pub(super) inverse: DMatrix<f64>,
    pub(super) leverages: Vec<f64>,
    /// `y'Py = Σ w (y − ŷ)²`.
    pub(super) q: f64,
    /// `y'PPy = Σ w² (y − ŷ)²`.
    squares: f64,
    /// `tr P`.
    pub(super) trace: f64,
    /// `ln det X'WX`.
    log_determinant: f64,
}

impl Spread<'_> {
    fn weights(&self, between: f64) -> Vec<f64> {
        let weights = self.variance.iter().map(|v| 1.0 / (v + between));
        weights.collect()
    }

    pub(super) fn at(&self, between: f64) -> Weighted {
        let weights = self.weights(between);
        match self.x {
            None => self.mean(&weights),
            Some(x) => self.regression(&weights, x),
        }
    }

    fn mean(&self, weights: &[f64]) -> Weighted {
        let sum: f64 = weights.iter().sum();
        let mean = products(weights, self.y) / sum;
        let off: Vec<f64> = self.y.iter().map(|y| (y - mean).powi(2)).collect();
        let squares: Vec<f64> = weights.iter().map(|w| w * w).collect();
        Weighted {
            coefficients: DVector::from_element(1, mean),
            inverse: DMatrix::from_element(1, 1, 1.0 / sum),
            leverages: weights.iter().map(|w| w / sum).collect(),
            q: products(weights, &off),
            squares: products(&squares, &off),
            trace: products(weights, &others(weights)) / sum,
            log_determinant: sum.ln(),
        }
    }

    fn regression(&self, weights: &[f64], x: &DMatrix<f64>) -> Weighted {
        let root: Vec<f64> = weights.iter().map(|w| w.sqrt()).collect();
        let scaled = DMatrix::from_fn(x.nrows(), x.ncols(), |i, j| root[i] * x[(i, j)]);
        let y = DVector::from_fn(x.nrows(), |i, _| root[i] * self.y[i]);
        let (q, r) = scaled.qr().unpack();
        let identity = DMatrix::identity(x.ncols(), x.ncols());
        // The columns are of full rank under the least even weights: see `Spread::is_full_rank`.
        let inverse_root = r.solve_upper_triangular(&identity).unwrap_or(identity);
        let coefficients = &inverse_root * (q.transpose() * &y);
        let fitted = x * &coefficients;
        let off: Vec<f64> = (self.y.iter().zip(fitted.iter()))
            .map(|(y, fitted)| (y - fitted).powi(2))
            .collect();
        let squares: Vec<f64> = weights.iter().map(|w| w * w).collect();
        let leverages: Vec<f64> = q.row_iter().map(|row| row.norm_squared()).collect();
        let rest: Vec<f64> = leverages.iter().map(|h| (1.0 - h).max(0.0)).collect();
        Weighted {
            inverse: symmetrize(&(&inverse_root * inverse_root.transpose())),
            coefficients,
            q: products(weights, &off),
            squares: products(&squares, &off),
            trace: products(weights, &rest),
            log_determinant: r.diagonal().iter().map(|d| 2.0 * d.abs().ln()).sum(),
            leverages,
        }
    }

    /// Whether the regressors stay apart where weights are least even, without a variance between studies.
    pub(super) fn is_full_rank(&self) -> bool {
        let Some(x) = self.x else {
            return true;
        };
        let root: Vec<f64> = self.weights(0.0).iter().map(|w| w.sqrt()).collect();
        let scaled = DMatrix::from_fn(x.nrows(), x.ncols(), |i, j| root[i] * x[(i, j)]);
        let lengths: Vec<f64> = scaled.column_iter().map(|c| c.norm()).collect();
        let r = scaled.qr().unpack_r();
        (0..x.ncols()).all(|j| r[(j, j)].abs() > RANK_TOLERANCE.sqrt() * lengths[j])
    }

    pub(super) fn free(&self) -> f64 {
        (self.y.len() - self.x.map_or(1, DMatrix::ncols)) as f64
    }

    /// The variance of a typical study (Higgins & Thompson).
    pub(super) fn typical(&self) -> f64 {
        self.free() / self.at(0.0).trace
    }

    /// The variance of which I² and H² are made: that of moments where none is estimated, `I² = max(0, (Q − df)/Q)`.
    pub(super) fn inconsistency(&self, method: BetweenStudies, between: f64) -> Result<f64> {
        match method {
            BetweenStudies::Fixed => self.estimate(BetweenStudies::DerSimonianLaird),
            _ => Ok(between),
        }
    }

    pub(super) fn estimate(&self, method: BetweenStudies) -> Result<f64> {
        match method {
            BetweenStudies::Fixed => Ok(0.0),
            BetweenStudies::DerSimonianLaird => {
                let at = self.at(0.0);
                Ok(((at.q - self.free()) / at.trace).max(0.0))
            }
            BetweenStudies::PauleMandel => self.where_q_is(self.free()),
            BetweenStudies::MaximumLikelihood => self.likeliest(false),
            BetweenStudies::Reml => self.likeliest(true),
        }
    }

    /// The variance at which the generalised Q, which falls, has this value; zero when it is below it throughout.
    pub(super) fn where_q_is(&self, value: f64) -> Result<f64> {
        if self.at(0.0).q <= value {
            return Ok(0.0);
        }
        let mut high = self.largest();
        while self.at(high).q > value {
            high *= 2.0;
        }
        Ok(brent_root(|t| self.at(t).q - value, 0.0, high, 0.0)?.point)
    }

    /// The interval of the variance in which Q is as a χ² at this level allows.
    pub(super) fn profile(&self, level: f64) -> Result<[f64; 2]> {
        let tail = 0.5 * (1.0 - level);
        Ok([
            self.where_q_is(chi_squared::upper_quantile(tail, self.free()))?,
            self.where_q_is(chi_squared::quantile(tail, self.free()))?,
        ])
    }

    /// A variance between studies that is larger than any estimate: the squared range, or the largest of the studies.
    fn largest(&self) -> f64 {
        let (low, high) = (self.y.iter()).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), y| {
            (l.min(*y), h.max(*y))
        });
        (high - low)
            .powi(2)
            .max(self.variance.iter().copied().fold(0.0, f64::max))
    }

    /// Twice the log-likelihood but for a constant, and its slope; restricted or plain.
    fn likelihood(&self, between: f64, restricted: bool) -> (f64, f64) {
        let at = self.at(between);
        let logs: f64 = self.variance.iter().map(|v| (v + between).ln()).sum();
        if restricted {
            (-logs - at.log_determinant - at.q, at.squares - at.trace)
        } else {
            let sum: f64 = self.weights(between).iter().sum();
            (-logs - at.q, at.squares - sum)
        }
    }

    /// The standard error of an estimate: by its expected information of one by likelihood, by the variance of Q of one by moments.
    pub(super) fn error_of(&self, method: BetweenStudies, between: f64) -> Option<f64> {
        match method {
            BetweenStudies::Reml => Some((2.0 / self.trace_of_square(between)).sqrt()),
            BetweenStudies::MaximumLikelihood => {
                let squares: f64 = self.weights(between).iter().map(|w| w * w).sum();
                Some((2.0 / squares).sqrt())
            }
            BetweenStudies::DerSimonianLaird => {
                let trace = self.at(0.0).trace;
                let share = between / trace;
                let sampling = 2.0 * self.free() / trace / trace + 4.0 * share;
                Some((sampling + 2.0 * share * share * self.trace_of_square(0.0)).sqrt())
            }
            BetweenStudies::Fixed | BetweenStudies::PauleMandel => None,
        }
    }

    /// `tr(PP)` at a variance between studies.
    fn trace_of_square(&self, between: f64) -> f64 {
        let weights = self.weights(between);
        let Some(x) = self.x else {
            // Σᵢ wᵢ² {(Σⱼ≠ᵢ wⱼ)² + Σⱼ≠ᵢ wⱼ²}/(Σw)²
            let sum: f64 = weights.iter().sum();
            let shares: Vec<f64> = weights.iter().map(|w| w / sum).collect();
            let squares: Vec<f64> = shares.iter().map(|w| w * w).collect();
            let rest: Vec<f64> = others(&shares).iter().map(|w| w * w).collect();
            return sum * sum * (products(&squares, &rest) + products(&squares, &others(&squares)));
        };
        // Σw² − 2 tr(A⁻¹X'W³X) + tr(A⁻¹X'W²XA⁻¹X'W²X), A = X'WX
        let inverse = self.at(between).inverse;
        let moments = |of: &dyn Fn(f64) -> f64| {
            let scaled = DMatrix::from_fn(x.nrows(), x.ncols(), |i, j| of(weights[i]) * x[(i, j)]);
            &inverse * (x.transpose() * scaled)
        };
        let (second, third) = (moments(&|w| w * w), moments(&|w| w * w * w));
        weights.iter().map(|w| w * w).sum::<f64>() - 2.0 * third.trace()
            + (&second * &second).trace()
    }

    fn likeliest(&self, restricted: bool) -> Result<f64> {
        // A grid that is fine near zero, in units of the smallest variance.
        let (largest, unit) = (
            self.largest(),
            self.variance.iter().copied().fold(f64::INFINITY, f64::min),
        );
        let reach = (largest / unit).ln_1p();
        let point = |i: usize| unit * (reach * i as f64 / GRID as f64).exp_m1();
        let slope = |t: f64| self.likelihood(t, restricted).1;
        let (value, mut below) = self.likelihood(0.0, restricted);
        let mut best = (0.0, value);
        for i in 1..=GRID {
            let (low, high) = (point(i - 1), point(i));
            let above = slope(high);
            if below > 0.0 && above <= 0.0 {
                let found = brent_root(slope, low, high, 0.0)?.point;
                let (value, _) = self.likelihood(found, restricted);
                if value > best.1 {
                    best = (found, value);
                }
            }
            below = above;
        }
        Ok(best.0)
    }
}

/// For each value the sum of all others, without a difference: one study that outweighs the rest would cancel it.
fn others(values: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; values.len()];
    let (mut before, mut after) = (0.0, 0.0);
    for (i, value) in values.iter().enumerate() {
        sums[i] += before;
        before += value;
    }
    for (i, value) in values.iter().enumerate().rev() {
        sums[i] += after;
        after += value;
    }
    sums
}

fn products(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
