//! The variance between studies.

use super::BetweenStudies;
use crate::error::Result;
use crate::numeric::optimize::brent_root;
use crate::numeric::special::chi_squared;

/// Points of the search for maxima of the restricted likelihood.
const GRID: usize = 200;

/// Estimates and variances, with what their weighted sums give at a variance between them.
pub(super) struct Spread<'a> {
    pub(super) y: &'a [f64],
    pub(super) variance: &'a [f64],
}

/// Sums of the weights 1/(s² + τ²) and the mean under them.
pub(super) struct Weighted {
    pub(super) sum: f64,
    pub(super) squares: f64,
    pub(super) mean: f64,
    /// Σ w (y − mean)².
    pub(super) q: f64,
}

impl Spread<'_> {
    pub(super) fn at(&self, between: f64) -> Weighted {
        let weights = || self.variance.iter().map(|v| 1.0 / (v + between));
        let sum: f64 = weights().sum();
        let mean = weights().zip(self.y).map(|(w, y)| w * y).sum::<f64>() / sum;
        Weighted {
            sum,
            squares: weights().map(|w| w * w).sum(),
            mean,
            q: (weights().zip(self.y))
                .map(|(w, y)| w * (y - mean).powi(2))
                .sum(),
        }
    }

    fn free(&self) -> f64 {
        (self.y.len() - 1) as f64
    }

    /// `Σw − Σw²/Σw` of the weights 1/s².
    fn scale(&self) -> f64 {
        let weights: Vec<f64> = self.variance.iter().map(|v| 1.0 / v).collect();
        products(&weights, &others(&weights)) / weights.iter().sum::<f64>()
    }

    /// The variance of a typical study (Higgins & Thompson).
    pub(super) fn typical(&self) -> f64 {
        self.free() / self.scale()
    }

    pub(super) fn estimate(&self, method: BetweenStudies) -> Result<f64> {
        match method {
            BetweenStudies::Fixed => Ok(0.0),
            BetweenStudies::DerSimonianLaird => Ok(self.moments()),
            BetweenStudies::PauleMandel => self.where_q_is(self.free()),
            BetweenStudies::MaximumLikelihood => self.likeliest(0.0),
            BetweenStudies::Reml => self.likeliest(1.0),
        }
    }

    /// DerSimonian & Laird's.
    pub(super) fn moments(&self) -> f64 {
        ((self.at(0.0).q - self.free()) / self.scale()).max(0.0)
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

    /// Twice the log-likelihood but for a constant; `restricted` is one for the restricted one, zero for the plain one.
    fn likelihood(&self, between: f64, restricted: f64) -> f64 {
        let at = self.at(between);
        let logs: f64 = self.variance.iter().map(|v| (v + between).ln()).sum();
        -logs - restricted * at.sum.ln() - at.q
    }

    /// Its slope: `Σ w²(y − μ)² − Σ w`, and `Σ w²/Σ w` when restricted.
    fn slope(&self, between: f64, restricted: f64) -> f64 {
        let at = self.at(between);
        let squares: f64 = (self.variance.iter().zip(self.y))
            .map(|(v, y)| ((y - at.mean) / (v + between)).powi(2))
            .sum();
        squares - at.sum + restricted * at.squares / at.sum
    }

    /// The standard error of an estimate: by its expected information of one by likelihood, by the variance of Q of one by moments.
    pub(super) fn error_of(&self, method: BetweenStudies, between: f64) -> Option<f64> {
        match method {
            BetweenStudies::Reml => Some((2.0 / self.trace(between)).sqrt()),
            BetweenStudies::MaximumLikelihood => Some((2.0 / self.at(between).squares).sqrt()),
            BetweenStudies::DerSimonianLaird => {
                let scale = self.scale();
                let share = between / scale;
                let sampling = 2.0 * self.free() / scale / scale + 4.0 * share;
                Some((sampling + 2.0 * share * share * self.trace(0.0)).sqrt())
            }
            BetweenStudies::Fixed | BetweenStudies::PauleMandel => None,
        }
    }

    /// `tr(PP) = Σᵢ wᵢ² {(Σⱼ≠ᵢ wⱼ)² + Σⱼ≠ᵢ wⱼ²}/(Σw)²` of the weights 1/(s² + τ²).
    fn trace(&self, between: f64) -> f64 {
        let weights = self.variance.iter().map(|v| 1.0 / (v + between));
        let sum: f64 = weights.clone().sum();
        let shares: Vec<f64> = weights.map(|w| w / sum).collect();
        let squares: Vec<f64> = shares.iter().map(|w| w * w).collect();
        let rest: Vec<f64> = others(&shares).iter().map(|w| w * w).collect();
        sum * sum * (products(&squares, &rest) + products(&squares, &others(&squares)))
    }

    fn likeliest(&self, restricted: f64) -> Result<f64> {
        // A grid that is fine near zero, in units of the smallest variance.
        let (largest, unit) = (
            self.largest(),
            self.variance.iter().copied().fold(f64::INFINITY, f64::min),
        );
        let reach = (largest / unit).ln_1p();
        let point = |i: usize| unit * (reach * i as f64 / GRID as f64).exp_m1();
        let mut best = (0.0, self.likelihood(0.0, restricted));
        for i in 1..=GRID {
            let (low, high) = (point(i - 1), point(i));
            if self.slope(low, restricted) > 0.0 && self.slope(high, restricted) <= 0.0 {
                let found = brent_root(|t| self.slope(t, restricted), low, high, 0.0)?.point;
                let value = self.likelihood(found, restricted);
                if value > best.1 {
                    best = (found, value);
                }
            }
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
