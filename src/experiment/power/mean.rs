//! Power of the comparison of two means.

use super::planner::{Planner, Setting};
use super::rejection::{Precision, Tested, margins, planned, positive, r_squared, tested};
use crate::error::{Error, Result};
use crate::experiment::sums::satterthwaite;
use serde::{Deserialize, Serialize};

/// Which test compares two means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MeanTest {
    /// Student's t with one variance; exact for normal outcomes of one variance.
    #[default]
    Student,
    /// Welch's t: its power by the non-central t with Satterthwaite's degrees of freedom at the assumed variances.
    Welch,
    /// The normal test with known variances: for large samples.
    Normal,
}

/// Power of a test of the difference of two means `δ = μ₁ − μ₀`.
///
/// The estimate has variance `(1 − R²)(σ₀²/n₀ + σ₁²/n₁)`, and `T` is non-central t with non-centrality `δ/se`. The share `R²` of the
/// variance that covariates explain is CUPED's or a regression's: it divides the sample needed by `1/(1 − R²)`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `sd` | | standard deviation of the outcome within an arm | > 0 |
/// | `sds` | equal | control's and treated's own | > 0 |
/// | `effect` | none | difference of the means | finite |
/// | `ratio` | 1 | treated units per control unit | > 0 |
/// | `adjusted_for` | none | number of covariates and their R² | R² in [0, 1) |
/// | `test` | Student; Welch when the standard deviations differ | | see [`MeanTest`] |
/// | `alpha` | 0.05 | level | (0, 1) |
/// | `alternative`, `non_inferiority`, `equivalence` | two-sided | the claim | |
///
/// ```
/// use cocreate::prelude::*;
/// let plain = MeanPower::new(30.0).effect(1.5).sample_size(0.8)?;
/// let cuped = MeanPower::new(30.0).effect(1.5).adjusted_for(1, 0.4).sample_size(0.8)?;
/// assert!((cuped.size / plain.size - 0.6).abs() < 1e-3);
/// let guardrail = MeanPower::new(30.0).effect(0.0).alpha(0.025).non_inferiority(-1.0).power(20_000.0)?;
/// assert!(guardrail.power > 0.6);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Deng, Xu, Kohavi & Walker (2013), doi:10.1145/2433396.2433413 (CUPED); Schuirmann (1987), doi:10.1007/BF01068419 (TOST).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanPower {
    sds: (f64, f64),
    ratio: f64,
    covariates: usize,
    r_squared: f64,
    test: Option<MeanTest>,
    pub(super) tested: Tested,
}

tested!(MeanPower);
margins!(MeanPower);

impl MeanPower {
    /// Outcomes with this standard deviation in both arms.
    pub fn new(sd: f64) -> Self {
        Self {
            sds: (sd, sd),
            ratio: 1.0,
            covariates: 0,
            r_squared: 0.0,
            test: None,
            tested: Tested::default(),
        }
    }

    /// Outcomes with a standard deviation in control and another in treated.
    pub fn sds(mut self, control: f64, treated: f64) -> Self {
        self.sds = (control, treated);
        self
    }

    /// Treated units per control unit.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// Covariates from before the experiment (CUPED, regression adjustment) that explain this share of the variance; each costs a
    /// degree of freedom.
    pub fn adjusted_for(mut self, covariates: usize, r_squared: f64) -> Self {
        (self.covariates, self.r_squared) = (covariates, r_squared);
        self
    }

    /// Sets the test.
    pub fn test(mut self, test: MeanTest) -> Self {
        self.test = Some(test);
        self
    }

    fn chosen(&self) -> MeanTest {
        let equal = (self.sds.0 - self.sds.1).abs() <= 0.0;
        self.test.unwrap_or(if equal {
            MeanTest::Student
        } else {
            MeanTest::Welch
        })
    }

    fn precision(&self, size: f64) -> Precision {
        let n0 = size / (1.0 + self.ratio);
        let n1 = size - n0;
        let kept = 1.0 - self.r_squared;
        let (v0, v1) = (
            kept * self.sds.0.powi(2) / n0,
            kept * self.sds.1.powi(2) / n1,
        );
        let lost = self.covariates as f64;
        let df = match self.chosen() {
            MeanTest::Student => size - 2.0 - lost,
            MeanTest::Welch => satterthwaite([v0, v1], [n0 - 1.0, n1 - 1.0]) - lost,
            MeanTest::Normal => f64::INFINITY,
        };
        Precision::new((v0 + v1).sqrt(), df)
    }
}

impl Planner for MeanPower {
    planned!();

    fn check(&self) -> Result<()> {
        positive("standard deviation of control", self.sds.0)?;
        positive("standard deviation of treated", self.sds.1)?;
        positive("ratio", self.ratio)?;
        r_squared("r_squared", self.r_squared)?;
        if self.chosen() == MeanTest::Student && (self.sds.0 - self.sds.1).abs() > 0.0 {
            return Err(Error::invalid_option(
                "test",
                "Student's with unequal standard deviations",
                "MeanTest::Welch or MeanTest::Normal: Student's test assumes one variance",
            ));
        }
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let test = match self.chosen() {
            MeanTest::Student => "Two means, Student's t test",
            MeanTest::Welch => "Two means, Welch's t test",
            MeanTest::Normal => "Two means, normal test",
        };
        // Two units in the smaller arm, and one degree of freedom.
        let arm = 2.0 * (1.0 + self.ratio) * f64::max(1.0, 1.0 / self.ratio);
        let smallest =
            arm + self.covariates as f64 * (1.0 + self.ratio).max(1.0 + 1.0 / self.ratio);
        let mut setting = Setting::new(test, "units", "Difference of the means", smallest)
            .two_arms(self.ratio)
            .assume(
                "Standard deviations (control, treated)",
                format!("{}, {}", self.sds.0, self.sds.1),
            );
        if self.covariates > 0 || self.r_squared > 0.0 {
            setting = setting.assume(
                "Covariates",
                format!("{} with R² = {}", self.covariates, self.r_squared),
            );
        }
        self.tested.place(setting)
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        self.tested.power(effect, self.precision(size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::Alternative;

    #[test]
    fn the_three_questions_invert_each_other() {
        let plans = [
            MeanPower::new(2.0).effect(0.3),
            MeanPower::new(1.0).effect(-0.4).ratio(3.0),
            MeanPower::new(1.0).sds(1.0, 2.5).effect(0.5).ratio(0.5),
            MeanPower::new(1.0)
                .effect(0.2)
                .test(MeanTest::Normal)
                .alternative(Alternative::Greater),
            MeanPower::new(1.0)
                .effect(0.05)
                .non_inferiority(-0.3)
                .alpha(0.025),
            MeanPower::new(1.0).effect(-0.05).non_inferiority(0.2),
            MeanPower::new(1.0).effect(0.25).adjusted_for(2, 0.5),
        ];
        for planner in plans {
            for power in [0.3, 0.8, 0.95] {
                let plan = planner.sample_size(power).unwrap();
                let again = planner.power(plan.size).unwrap();
                assert!((again.power - power).abs() < 1e-12, "{plan}");
                let effect = planner.mde(plan.size, power).unwrap().effect;
                let gap = effect - planner.assumed_effect().unwrap();
                assert!(gap.abs() < 1e-9, "{plan} {effect}");
            }
        }
    }

    #[test]
    fn equivalence_needs_both_tests() {
        // With huge samples at the true effect 0 and margins ±δ the power is that of both normal tests: 2Φ(δ/se − z) − 1.
        let plan = MeanPower::new(1.0).effect(0.0).equivalence(-0.1, 0.1);
        let normal = plan.clone().test(MeanTest::Normal).power(4000.0).unwrap();
        let (se, z) = (2.0 / 4000.0_f64.sqrt(), 1.644_853_626_951_472_2);
        let want = 2.0 * crate::numeric::special::normal::cdf(0.1 / se - z) - 1.0;
        assert!((normal.power - want).abs() < 1e-13);
        let t = plan.power(4000.0).unwrap();
        assert!(t.power < normal.power && normal.power - t.power < 1e-3);
        let size = plan.sample_size(0.8).unwrap();
        assert!((plan.power(size.size).unwrap().power - 0.8).abs() < 1e-10);
        assert!(plan.mde(1000.0, 0.8).is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        let fine = MeanPower::new(1.0).effect(0.2);
        assert!(fine.sample_size(0.05).is_err() && fine.sample_size(1.0).is_err());
        assert!(fine.power(3.0).is_err() && fine.power(f64::NAN).is_err());
        assert!(fine.clone().effect(0.0).sample_size(0.8).is_err());
        assert!(fine.clone().ratio(0.0).power(100.0).is_err());
        assert!(fine.clone().alpha(0.0).power(100.0).is_err());
        assert!(fine.clone().adjusted_for(1, 1.0).power(100.0).is_err());
        assert!(MeanPower::new(0.0).effect(0.2).power(100.0).is_err());
        assert!(MeanPower::new(1.0).power(100.0).is_err());
        assert!(fine.clone().equivalence(0.1, 0.2).power(100.0).is_err());
        assert!(
            fine.clone()
                .sds(1.0, 2.0)
                .test(MeanTest::Student)
                .power(99.0)
                .is_err()
        );
        // The effect lies on the other side of the alternative: no size finds it.
        let wrong = fine.alternative(Alternative::Less);
        assert!(matches!(
            wrong.sample_size(0.8),
            Err(Error::Unidentified { .. })
        ));
    }
}
