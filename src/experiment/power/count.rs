//! Power for the ratio of two event rates.

use super::planner::{Planner, Setting};
use super::rejection::{Precision, Tested, planned, positive, tested};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Power for counts: the normal test of the log rate ratio `ln(λ₁/λ₀)`, whose variance is `Σ_arms (φ/(t λ_a) + κ)/n_a`.
///
/// φ is the quasi-Poisson factor, κ the negative binomial dispersion (variance `μ + κ μ²`), t the exposure of a unit.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `rate` | | events per unit of exposure in control | > 0 |
/// | `effect` | none | relative change of the rate, λ₁/λ₀ − 1 | > −1 |
/// | `exposure` | 1 | per unit | > 0 |
/// | `dispersion` | 0 | κ | ≥ 0 |
/// | `overdispersion` | 1 | φ | > 0 |
/// | `ratio` | 1 | treated units per control unit | > 0 |
///
/// ```
/// use cocreate::prelude::*;
/// let plan = CountPower::new(1.5).effect(0.2).dispersion(0.4).sample_size(0.8)?;
/// assert!(plan.whole_size() > 900 && plan.whole_size() < 1000);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Zhu & Lakkis (2014), doi:10.1002/sim.5947.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountPower {
    rate: f64,
    exposure: f64,
    dispersion: f64,
    overdispersion: f64,
    ratio: f64,
    tested: Tested,
}

tested!(CountPower);

impl CountPower {
    /// Counts with this rate in control.
    pub fn new(rate: f64) -> Self {
        Self {
            rate,
            exposure: 1.0,
            dispersion: 0.0,
            overdispersion: 1.0,
            ratio: 1.0,
            tested: Tested::default(),
        }
    }

    /// The exposure of a unit, in the unit of time of the rate.
    pub fn exposure(mut self, exposure: f64) -> Self {
        self.exposure = exposure;
        self
    }

    /// The dispersion κ of negative binomial counts.
    pub fn dispersion(mut self, dispersion: f64) -> Self {
        self.dispersion = dispersion;
        self
    }

    /// The factor φ by which the variance exceeds the Poisson variance.
    pub fn overdispersion(mut self, factor: f64) -> Self {
        self.overdispersion = factor;
        self
    }

    /// Treated units per control unit.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }
}

impl Planner for CountPower {
    planned!();

    fn check(&self) -> Result<()> {
        positive("rate", self.rate)?;
        positive("exposure", self.exposure)?;
        positive("overdispersion", self.overdispersion)?;
        positive("ratio", self.ratio)?;
        if !(self.dispersion >= 0.0 && self.dispersion.is_finite()) {
            return Err(Error::invalid_option(
                "dispersion",
                self.dispersion,
                "not negative and finite",
            ));
        }
        if let Some(effect) = self.tested.effect.filter(|e| *e <= -1.0 || e.is_nan()) {
            return Err(Error::invalid_option(
                "effect",
                effect,
                "a relative change of the rate, above −1",
            ));
        }
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let smallest = (1.0 + self.ratio) * f64::max(1.0, 1.0 / self.ratio);
        let setting = Setting::new(
            "Two rates, normal test of the log rate ratio",
            "units",
            "Relative change of the rate",
            smallest,
        )
        .two_arms(self.ratio)
        .assume("Rate in control", self.rate)
        .assume("Exposure of a unit", self.exposure)
        .assume(
            "Dispersion (negative binomial κ, quasi-Poisson φ)",
            format!("{}, {}", self.dispersion, self.overdispersion),
        );
        let mut setting = self.tested.place(setting);
        if setting.direction < 0.0 {
            setting.limit = 1.0;
        }
        setting
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let n0 = size / (1.0 + self.ratio);
        let of_arm = |rate: f64, n: f64| {
            (self.overdispersion / (rate * self.exposure) + self.dispersion) / n
        };
        let variance = of_arm(self.rate, n0) + of_arm(self.rate * (1.0 + effect), size - n0);
        let precision = Precision::new(variance.sqrt(), f64::INFINITY);
        self.tested.power(effect.ln_1p(), precision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_questions_invert_each_other() {
        for effect in [0.3, -0.25] {
            let planner = CountPower::new(2.0)
                .effect(effect)
                .exposure(0.5)
                .dispersion(0.3)
                .ratio(2.0);
            let plan = planner.sample_size(0.8).unwrap();
            assert!((planner.power(plan.size).unwrap().power - 0.8).abs() < 1e-12);
            let found = planner.mde(plan.size, 0.8).unwrap().effect;
            assert!((found - effect).abs() < 1e-9, "{found}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(CountPower::new(0.0).effect(0.1).power(100.0).is_err());
        assert!(CountPower::new(1.0).effect(-1.0).power(100.0).is_err());
        assert!(
            CountPower::new(1.0)
                .effect(0.1)
                .dispersion(-0.1)
                .power(100.0)
                .is_err()
        );
        assert!(
            CountPower::new(1.0)
                .effect(0.1)
                .exposure(0.0)
                .power(100.0)
                .is_err()
        );
    }
}
