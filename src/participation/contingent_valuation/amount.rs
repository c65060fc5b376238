//! Mean, median and distribution of an amount, from the index and the coefficient of the bid.

use crate::numeric::special::normal;
use crate::participation::interval::LatentError;
use crate::regression::binary::logistic;
use crate::regression::likelihood::softplus;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// How an amount is distributed given its parameters: (z, b), and s where zero has a mass of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Amount {
    pub(super) error: LatentError,
    pub(super) log: bool,
    pub(super) spike: bool,
}

impl Amount {
    /// Whether zero has a parameter of its own; on the scale of levels its mass is F(−z).
    pub(super) fn has_mass(self) -> bool {
        self.spike && self.log
    }

    /// The probability of an amount of zero.
    pub(super) fn zero(self, p: &[f64]) -> f64 {
        match (self.spike, self.log) {
            (false, _) => 0.0,
            (true, false) => self.error.cdf(-p[0]),
            (true, true) => logistic(p[2]),
        }
    }

    /// The probability that the amount exceeds a positive bid.
    pub(super) fn exceeds(self, p: &[f64], bid: f64) -> f64 {
        if self.log {
            (1.0 - self.zero(p)) * self.error.cdf(p[0] + p[1] * bid.ln())
        } else {
            self.error.cdf(p[0] + p[1] * bid)
        }
    }

    /// The mean: −z/b in levels; ∫₀^∞ F(z + bt) dt with a spike at zero; that of a log-normal or log-logistic. Infinite when it does
    /// not exist.
    pub(super) fn mean(self, p: &[f64]) -> f64 {
        let (z, per) = (p[0], -1.0 / p[1]);
        match (self.log, self.spike, self.error) {
            (false, false, _) => z * per,
            (false, true, LatentError::Logistic) => per * softplus(z),
            (false, true, LatentError::Normal) => per * (z * normal::cdf(z) + normal::pdf(z)),
            (true, _, LatentError::Normal) => {
                (1.0 - self.zero(p)) * (z * per + 0.5 * per * per).exp()
            }
            (true, _, LatentError::Logistic) => {
                if !(0.0..1.0).contains(&per) {
                    return f64::INFINITY;
                }
                (1.0 - self.zero(p)) * (z * per).exp() * PI * per / (PI * per).sin()
            }
        }
    }

    /// The median; zero when at least half have none.
    pub(super) fn median(self, p: &[f64]) -> f64 {
        const HALF: f64 = 0.5;
        let (z, per) = (p[0], -1.0 / p[1]);
        let none = self.zero(p);
        if self.spike && none >= HALF {
            return 0.0;
        }
        if !self.log {
            return z * per;
        }
        let share = (HALF - none) / (1.0 - none);
        let shift = if none > 0.0 {
            self.error.quantile(share)
        } else {
            0.0
        };
        ((z + shift) * per).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_integrals_of_the_survival_function_and_medians_its_half() {
        for error in [LatentError::Normal, LatentError::Logistic] {
            for (log, spike) in [(false, true), (true, false), (true, true)] {
                let amount = Amount { error, log, spike };
                let p = if log {
                    [2.0, -2.5, -0.9]
                } else {
                    [0.7, -0.5, 0.0]
                };
                // Simpson's rule in √t, whose singularity at zero is mild.
                let steps = 200_000;
                let width = 200.0 / f64::from(steps);
                let f = |i: i32| {
                    let u = f64::from(i) * width;
                    2.0 * u * amount.exceeds(&p, (u * u).max(1e-300))
                };
                let sum: f64 = (1..steps)
                    .map(|i| f(i) * if i % 2 == 0 { 2.0 } else { 4.0 })
                    .sum();
                let integral = (f(0) + sum + f(steps)) * width / 3.0;
                let mean = amount.mean(&p);
                assert!(
                    (integral / mean - 1.0).abs() < 1e-5,
                    "{amount:?} {integral} {mean}"
                );
                let median = amount.median(&p);
                assert!(
                    (amount.exceeds(&p, median) - 0.5).abs() < 1e-12,
                    "{amount:?}"
                );
            }
        }
    }
}
