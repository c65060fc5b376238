//! What effects to expect before a test: a mixture of normals, and what it becomes after one.

use crate::error::{Error, Result};
use crate::numeric::optimize::brent_root;
use crate::numeric::special::multivariate_normal::bivariate_cdf;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// One normal of a mixture; with a deviation of zero all its mass is at the mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NormalComponent {
    /// Its share.
    pub weight: f64,
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation, zero or more.
    pub deviation: f64,
}

/// A distribution of true effects as a mixture of normals: from a portfolio of past tests ([`PortfolioFit::prior`](super::PortfolioFit::prior)), or assumed.
///
/// ```
/// use cocreate::prelude::*;
/// // Four ideas in five do next to nothing.
/// let prior = EffectPrior::mixture([(0.8, 0.0, 0.002), (0.2, 0.0, 0.01)])?;
/// let seen = prior.posterior(0.02, 0.008)?;
/// assert!(seen.mean() > 0.0 && seen.mean() < 0.02);
/// assert!(seen.probability_above(0.0) > 0.8);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectPrior {
    components: Vec<NormalComponent>,
}

impl EffectPrior {
    /// One normal.
    ///
    /// # Errors
    /// As [`EffectPrior::mixture`].
    pub fn normal(mean: f64, deviation: f64) -> Result<Self> {
        Self::mixture([(1.0, mean, deviation)])
    }

    /// Components as weight, mean and standard deviation; weights are made to sum to one.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a prior without mass, a negative weight or deviation, or a number that is not finite.
    pub fn mixture(components: impl IntoIterator<Item = (f64, f64, f64)>) -> Result<Self> {
        let components: Vec<_> = components.into_iter().collect();
        let total: f64 = components.iter().map(|c| c.0).sum();
        let sound =
            |c: &(f64, f64, f64)| c.0 >= 0.0 && c.1.is_finite() && c.2 >= 0.0 && c.2.is_finite();
        if !(components.iter().all(sound) && total > 0.0 && total.is_finite()) {
            return Err(Error::invalid_option(
                "prior",
                format!("{components:?}"),
                "finite means, weights and deviations that are not negative, and some weight",
            ));
        }
        Ok(Self::of(components.into_iter().map(
            |(w, mean, deviation)| NormalComponent {
                weight: w / total,
                mean,
                deviation,
            },
        )))
    }

    pub(in crate::experiment) fn of(components: impl IntoIterator<Item = NormalComponent>) -> Self {
        Self {
            components: components.into_iter().collect(),
        }
    }

    /// The components.
    pub fn components(&self) -> &[NormalComponent] {
        &self.components
    }

    /// The mean effect.
    pub fn mean(&self) -> f64 {
        self.components.iter().map(|c| c.weight * c.mean).sum()
    }

    /// The standard deviation of effects.
    pub fn deviation(&self) -> f64 {
        let mean = self.mean();
        let variance: f64 = (self.components.iter())
            .map(|c| c.weight * (c.deviation.powi(2) + (c.mean - mean).powi(2)))
            .sum();
        variance.sqrt()
    }

    /// P(effect > value).
    pub fn probability_above(&self, value: f64) -> f64 {
        self.sum(|c| above(c, value)).min(1.0)
    }

    /// P(effect < value); together with the probability above less than one where there is a mass at the value.
    pub fn probability_below(&self, value: f64) -> f64 {
        self.sum(|c| above(&mirrored(c), -value)).min(1.0)
    }

    /// The smaller of P(effect ≥ 0) and P(effect ≤ 0), each summed from its own tail.
    pub(super) fn false_sign_rate(&self) -> f64 {
        let reached = |c: &NormalComponent| {
            if c.deviation > 0.0 {
                above(c, 0.0)
            } else {
                f64::from(u8::from(c.mean >= 0.0))
            }
        };
        self.sum(reached)
            .min(self.sum(|c| reached(&mirrored(c))))
            .min(1.0)
    }

    /// E max(effect, 0): what a test without error would be worth.
    pub fn mean_positive_part(&self) -> f64 {
        self.sum(|c| {
            if c.deviation > 0.0 {
                let z = c.mean / c.deviation;
                c.mean * normal::cdf(z) + c.deviation * normal::pdf(z)
            } else {
                c.mean.max(0.0)
            }
        })
    }

    fn sum(&self, f: impl Fn(&NormalComponent) -> f64) -> f64 {
        self.components.iter().map(|c| c.weight * f(c)).sum()
    }

    /// The value below which the effect lies with this probability.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a probability outside (0, 1).
    pub fn quantile(&self, p: f64) -> Result<f64> {
        if !(p > 0.0 && p < 1.0) {
            return Err(Error::invalid_option("probability", p, "between 0 and 1"));
        }
        let z = normal::quantile(p);
        // The quantiles of the components bracket that of the mixture.
        let ends = (self.components.iter().filter(|c| c.weight > 0.0))
            .map(|c| c.mean + z * c.deviation)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), q| {
                (l.min(q), h.max(q))
            });
        if let Some(point) = self.by_newton(p, ends) {
            return Ok(point);
        }
        let gap = |v: f64| p - self.probability_below(v);
        if gap(ends.0) <= 0.0 {
            return Ok(ends.0);
        }
        // With a mass at a value the gap jumps over zero there.
        if gap(ends.1) >= 0.0 {
            return Ok(ends.1);
        }
        Ok(brent_root(gap, ends.0, ends.1, 0.0)?.point)
    }

    /// Newton's steps from the quantile of the normal of the same mean and deviation, kept between the ends; none without densities or where they are too slow.
    fn by_newton(&self, p: f64, (mut low, mut high): (f64, f64)) -> Option<f64> {
        const STEPS: usize = 40;
        if self.components.iter().any(|c| c.deviation <= 0.0) {
            return None;
        }
        let (center, width) = (self.mean(), self.deviation());
        let mut at = (center + normal::quantile(p) * width).clamp(low, high);
        for _ in 0..STEPS {
            let gap = self.probability_below(at) - p;
            if gap > 0.0 {
                high = at;
            } else {
                low = at;
            }
            let density = self.sum(|c| normal::pdf((at - c.mean) / c.deviation) / c.deviation);
            let next = at - gap / density;
            let next = if next > low && next < high {
                next
            } else {
                0.5 * (low + high)
            };
            // Steps that halve their error's exponent end at the last digits.
            if (next - at).abs() <= 4.0 * f64::EPSILON * (at.abs() + width) {
                return Some(next);
            }
            at = next;
        }
        None
    }

    /// The distribution of the effect after an estimate of it: each component is updated, and its weight multiplied by the density of the estimate under it.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an estimate that is not finite or a standard error that is not positive.
    pub fn posterior(&self, estimate: f64, std_error: f64) -> Result<Self> {
        if !(estimate.is_finite() && std_error > 0.0 && std_error.is_finite()) {
            return Err(Error::invalid_option(
                "estimate",
                format!("{estimate} with standard error {std_error}"),
                "a finite estimate with a positive standard error",
            ));
        }
        Ok(self.updated(estimate, std_error))
    }

    pub(super) fn updated(&self, estimate: f64, std_error: f64) -> Self {
        let logs: Vec<f64> = (self.components.iter())
            .map(|c| c.weight.ln() + ln_marginal(c, estimate, std_error))
            .collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = logs.iter().map(|l| (l - largest).exp()).sum();
        Self::of((self.components.iter().zip(&logs)).map(|(c, log)| {
            let (prior, noise) = (c.deviation.powi(2), std_error.powi(2));
            let pull = prior / (prior + noise);
            NormalComponent {
                weight: (log - largest).exp() / total,
                mean: c.mean + pull * (estimate - c.mean),
                deviation: (pull * noise).sqrt(),
            }
        }))
    }

    /// ln of the density of an estimate.
    pub(super) fn ln_marginal(&self, estimate: f64, std_error: f64) -> f64 {
        let logs = || {
            (self.components.iter()).map(|c| c.weight.ln() + ln_marginal(c, estimate, std_error))
        };
        let largest = logs().fold(f64::NEG_INFINITY, f64::max);
        largest + logs().map(|l| (l - largest).exp()).sum::<f64>().ln()
    }
}

/// ln of the density of an estimate under one component.
pub(super) fn ln_marginal(c: &NormalComponent, estimate: f64, std_error: f64) -> f64 {
    let total = c.deviation.hypot(std_error);
    normal::ln_pdf((estimate - c.mean) / total) - total.ln()
}

/// The component of the effect with its sign changed.
fn mirrored(c: &NormalComponent) -> NormalComponent {
    NormalComponent {
        mean: -c.mean,
        ..*c
    }
}

/// P(effect > value) under one component.
fn above(c: &NormalComponent, value: f64) -> f64 {
    if c.deviation > 0.0 {
        normal::sf((value - c.mean) / c.deviation)
    } else {
        f64::from(u8::from(c.mean > value))
    }
}

/// P(effect > 0 and estimate > threshold) under one component.
pub(super) fn good_and_above(c: &NormalComponent, std_error: f64, threshold: f64) -> f64 {
    let total = c.deviation.hypot(std_error);
    let z = (c.mean - threshold) / total;
    if c.deviation > 0.0 {
        bivariate_cdf(c.mean / c.deviation, z, c.deviation / total)
    } else if c.mean > 0.0 {
        normal::cdf(z)
    } else {
        0.0
    }
}
