//! Power for ratio metrics and for relative lifts, by the delta method.

use super::planner::{Planner, Setting};
use super::rejection::{Precision, Tested, margins, planned, positive, r_squared, tested};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Power for a ratio metric such as clicks per page view, when users are assigned: `R = E[y]/E[x]`, the effect is `R₁ − R₀`.
///
/// The variance of one user's part is `σ² = Var(y − R x)/E[x]²` (delta method), in both arms, and the test is normal. Treating page views
/// as independent instead would promise too much power.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `numerator`, `denominator` | | means of y and x per unit | finite; x > 0 |
/// | `sds` | | standard deviations of y and x | ≥ 0, not both 0 |
/// | `correlation` | | of y and x | [−1, 1] |
/// | `ratio` | 1 | treated units per control unit | > 0 |
/// | `r_squared` | 0 | share of the variance of y − R x that covariates explain | [0, 1) |
///
/// ```
/// use cocreate::prelude::*;
/// let clicks = [3.0, 0.0, 5.0, 2.0, 9.0, 1.0, 0.0, 4.0];
/// let views = [30.0, 8.0, 41.0, 25.0, 70.0, 12.0, 5.0, 44.0];
/// let planner = RatioPower::from_values(&clicks, &views)?.effect(0.01);
/// let plan = planner.sample_size(0.8)?;
/// assert!((planner.power(plan.size)?.power - 0.8).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Deng, Knoblich & Lu (2018), doi:10.1145/3219819.3219919.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatioPower {
    means: (f64, f64),
    sds: (f64, f64),
    correlation: f64,
    ratio: f64,
    r_squared: f64,
    tested: Tested,
}

tested!(RatioPower);
margins!(RatioPower);

impl RatioPower {
    /// Means, standard deviations and correlation of numerator and denominator per unit.
    pub fn new(means: (f64, f64), sds: (f64, f64), correlation: f64) -> Self {
        Self {
            means,
            sds,
            correlation,
            ratio: 1.0,
            r_squared: 0.0,
            tested: Tested::default(),
        }
    }

    /// The same from the numerators and denominators of past units.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`]; [`Error::TooFewRows`] for fewer than two units; [`Error::NotFinite`].
    pub fn from_values(numerator: &[f64], denominator: &[f64]) -> Result<Self> {
        let moments = crate::summary::Moments::of(&[numerator, denominator], None)?;
        if numerator.len() < 2 {
            return Err(Error::TooFewRows {
                rows: numerator.len(),
                parameters: 2,
            });
        }
        let variance = moments.covariance(1.0);
        let sds = (variance[(0, 0)].sqrt(), variance[(1, 1)].sqrt());
        let product = sds.0 * sds.1;
        let correlation = if product > 0.0 {
            (variance[(0, 1)] / product).clamp(-1.0, 1.0)
        } else {
            0.0
        };
        let mean = moments.mean();
        if !(mean[0].is_finite() && mean[1].is_finite() && product.is_finite()) {
            return Err(Error::NotFinite {
                what: "a mean or variance of numerator or denominator".to_owned(),
            });
        }
        Ok(Self::new((mean[0], mean[1]), sds, correlation))
    }

    /// Treated units per control unit.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// The share of the variance of `y − R x` that covariates from before the experiment explain.
    pub fn r_squared(mut self, share: f64) -> Self {
        self.r_squared = share;
        self
    }

    /// The ratio in control.
    pub fn value(&self) -> f64 {
        self.means.0 / self.means.1
    }

    /// The standard deviation of one unit's part in the ratio.
    pub fn unit_sd(&self) -> f64 {
        let r = self.value();
        let variance = self.sds.0.powi(2) - 2.0 * r * self.correlation * self.sds.0 * self.sds.1
            + (r * self.sds.1).powi(2);
        (variance * (1.0 - self.r_squared)).max(0.0).sqrt() / self.means.1
    }
}

impl Planner for RatioPower {
    planned!();

    fn check(&self) -> Result<()> {
        positive("mean of the denominator", self.means.1)?;
        positive("ratio", self.ratio)?;
        r_squared("r_squared", self.r_squared)?;
        if !(-1.0..=1.0).contains(&self.correlation) {
            return Err(Error::invalid_option(
                "correlation",
                self.correlation,
                "between −1 and 1",
            ));
        }
        if !(self.means.0.is_finite() && self.sds.0 >= 0.0 && self.sds.1 >= 0.0) {
            return Err(Error::invalid_option(
                "numerator",
                format!("mean {}, standard deviations {:?}", self.means.0, self.sds),
                "a finite mean, and standard deviations that are not negative",
            ));
        }
        positive("standard deviation of y − R x", self.unit_sd())?;
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let smallest = 2.0 * (1.0 + self.ratio) * f64::max(1.0, 1.0 / self.ratio);
        let setting = Setting::new(
            "Ratio metric, normal test by the delta method",
            "units",
            "Difference of the ratios",
            smallest,
        )
        .two_arms(self.ratio)
        .assume("Ratio in control", self.value())
        .assume("Standard deviation of a unit's part", self.unit_sd());
        self.tested.place(setting)
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let n0 = size / (1.0 + self.ratio);
        let se = self.unit_sd() * (1.0 / n0 + 1.0 / (size - n0)).sqrt();
        self.tested.power(effect, Precision::new(se, f64::INFINITY))
    }
}

/// Power for a relative lift `L = μ₁/μ₀ − 1`, whose estimate has by the delta method the variance
/// `(σ₁²/n₁ + (1 + L)² σ₀²/n₀)/μ₀²`; the test is normal.
///
/// Above zero it is a little less precise than the same change in absolute terms, because the control mean is estimated too.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `mean`, `sd` | | of the outcome in control | mean not 0; sd > 0 |
/// | `treated_sd` | as control | standard deviation in treated | > 0 |
/// | `effect` | none | relative lift: 0.02 is 2 % | > −1 |
/// | `ratio` | 1 | treated units per control unit | > 0 |
/// | `r_squared` | 0 | share of the variance that covariates explain | [0, 1) |
///
/// ```
/// use cocreate::prelude::*;
/// let plan = LiftPower::new(50.0, 120.0).effect(0.02).sample_size(0.8)?;
/// assert!(plan.whole_size() > 450_000); // revenue is noisy
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiftPower {
    mean: f64,
    sds: (f64, f64),
    ratio: f64,
    r_squared: f64,
    tested: Tested,
}

tested!(LiftPower);
margins!(LiftPower);

impl LiftPower {
    /// An outcome with this mean and standard deviation in control.
    pub fn new(mean: f64, sd: f64) -> Self {
        Self {
            mean,
            sds: (sd, sd),
            ratio: 1.0,
            r_squared: 0.0,
            tested: Tested::default(),
        }
    }

    /// The standard deviation in treated.
    pub fn treated_sd(mut self, sd: f64) -> Self {
        self.sds.1 = sd;
        self
    }

    /// Treated units per control unit.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// The share of the variance that covariates from before the experiment explain.
    pub fn r_squared(mut self, share: f64) -> Self {
        self.r_squared = share;
        self
    }
}

impl Planner for LiftPower {
    planned!();

    fn check(&self) -> Result<()> {
        positive("mean (its absolute value)", self.mean.abs())?;
        positive("standard deviation of control", self.sds.0)?;
        positive("standard deviation of treated", self.sds.1)?;
        positive("ratio", self.ratio)?;
        r_squared("r_squared", self.r_squared)?;
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let smallest = 2.0 * (1.0 + self.ratio) * f64::max(1.0, 1.0 / self.ratio);
        let setting = Setting::new(
            "Relative lift, normal test by the delta method",
            "units",
            "Relative lift",
            smallest,
        )
        .two_arms(self.ratio)
        .assume("Mean in control", self.mean)
        .assume(
            "Standard deviations (control, treated)",
            format!("{}, {}", self.sds.0, self.sds.1),
        )
        .assume("R² of covariates", self.r_squared);
        let mut setting = self.tested.place(setting);
        if setting.direction < 0.0 {
            setting.limit = 1.0 + setting.null; // nothing falls by more than all of it
        }
        setting
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let n0 = size / (1.0 + self.ratio);
        let n1 = size - n0;
        let kept = (1.0 - self.r_squared) / self.mean.powi(2);
        let variance = self.sds.1.powi(2) / n1 + ((1.0 + effect) * self.sds.0).powi(2) / n0;
        let precision = Precision::new((kept * variance).sqrt(), f64::INFINITY);
        self.tested.power(effect, precision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delta_variance_by_hand() {
        // R = 2/8 = 0.25; Var(y − R x) = 9 − 2·0.25·0.5·3·4 + 0.0625·16 = 7; over 64.
        let planner = RatioPower::new((2.0, 8.0), (3.0, 4.0), 0.5);
        assert!((planner.unit_sd() - (7.0_f64 / 64.0).sqrt()).abs() < 1e-15);
        let y = [1.0, 2.0, 4.0, 0.0, 3.0];
        let x = [2.0, 3.0, 5.0, 2.0, 3.0];
        let from = RatioPower::from_values(&y, &x).unwrap();
        let r = 10.0 / 15.0;
        let residual: f64 = y.iter().zip(x).map(|(y, x)| (y - r * x).powi(2)).sum();
        assert!((from.unit_sd() - (residual / 4.0).sqrt() / 3.0).abs() < 1e-14);
    }

    #[test]
    fn the_three_questions_invert_each_other() {
        let ratio = RatioPower::new((2.0, 8.0), (3.0, 4.0), 0.5)
            .effect(-0.02)
            .r_squared(0.3);
        let plan = ratio.sample_size(0.9).unwrap();
        assert!((ratio.power(plan.size).unwrap().power - 0.9).abs() < 1e-12);
        assert!((ratio.mde(plan.size, 0.9).unwrap().effect + 0.02).abs() < 1e-10);
        for lift in [0.05, -0.1] {
            let planner = LiftPower::new(10.0, 15.0)
                .treated_sd(16.0)
                .effect(lift)
                .ratio(2.0);
            let plan = planner.sample_size(0.8).unwrap();
            assert!((planner.power(plan.size).unwrap().power - 0.8).abs() < 1e-12);
            assert!((planner.mde(plan.size, 0.8).unwrap().effect - lift).abs() < 1e-10);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let fine = RatioPower::new((2.0, 8.0), (3.0, 4.0), 0.5).effect(0.1);
        assert!(fine.power(100.0).is_ok());
        assert!(
            RatioPower::new((2.0, 0.0), (3.0, 4.0), 0.5)
                .effect(0.1)
                .power(100.0)
                .is_err()
        );
        assert!(
            RatioPower::new((2.0, 8.0), (3.0, 4.0), 1.5)
                .effect(0.1)
                .power(100.0)
                .is_err()
        );
        assert!(
            RatioPower::new((2.0, 8.0), (0.0, 0.0), 0.0)
                .effect(0.1)
                .power(100.0)
                .is_err()
        );
        assert!(RatioPower::from_values(&[1.0], &[1.0]).is_err());
        assert!(LiftPower::new(0.0, 1.0).effect(0.1).power(100.0).is_err());
    }
}
