//! Power for effects that come late: long-term holdouts, and experiments that are judged by a surrogate index.

use super::mean::MeanPower;
use super::planner::{Planner, Setting};
use super::rejection::{Claim, Precision, Tested, margins, planned, positive, tested};
use crate::error::{Error, Result};
use crate::inference::Alternative;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// Power of a long-term holdout: a share h of all units is kept from every change, the others get all that is shipped, and
/// [`Holdout`](crate::experiment::Holdout) compares their means. The size counts all units, of whom few are held out: with N of them the estimate has
/// variance `σ²/(N h(1 − h))`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `sd` | | standard deviation of the outcome over the period | > 0 |
/// | `share` | | h, held out | (0, 1) |
/// | `adjusted_for` | none | covariates from before the period and their R² | R² in [0, 1) |
/// | `effect` | none | of all changes together | |
///
/// ```
/// use cocreate::prelude::*;
/// // A fifth of the smallest effect worth a holdout comes from each of five features: can 5 % held out show it?
/// let plan = HoldoutPower::new(40.0, 0.05).adjusted_for(1, 0.3).effect(5.0 * 0.2).sample_size(0.8)?;
/// assert!(plan.arm("held out").unwrap() < 10_000.0 && plan.size > 180_000.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Lee & Shen (2018), doi:10.1145/3219819.3219905.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldoutPower {
    sd: f64,
    share: f64,
    covariates: usize,
    r_squared: f64,
    tested: Tested,
}

tested!(HoldoutPower);
margins!(HoldoutPower);

impl HoldoutPower {
    /// Outcomes of this spread, and this share of units held out.
    pub fn new(sd: f64, share: f64) -> Self {
        Self {
            sd,
            share,
            covariates: 0,
            r_squared: 0.0,
            tested: Tested::default(),
        }
    }

    /// Covariates from before the period that explain this share of the variance; each costs a degree of freedom.
    pub fn adjusted_for(mut self, covariates: usize, r_squared: f64) -> Self {
        (self.covariates, self.r_squared) = (covariates, r_squared);
        self
    }

    fn means(&self) -> MeanPower {
        let mut mean = MeanPower::new(self.sd)
            .ratio((1.0 - self.share) / self.share)
            .adjusted_for(self.covariates, self.r_squared);
        mean.tested = self.tested;
        mean
    }
}

impl Planner for HoldoutPower {
    planned!();

    fn check(&self) -> Result<()> {
        if !(self.share > 0.0 && self.share < 1.0) {
            return Err(Error::invalid_option(
                "share",
                self.share,
                "between 0 and 1",
            ));
        }
        self.means().check()
    }

    fn setting(&self) -> Setting {
        let mut setting = self.means().setting();
        setting.test = "Long-term holdout, Student's t test".into();
        setting.effect_name = "Effect of all changes together".into();
        for (arm, name) in setting.arms.iter_mut().zip(["held out", "all changes"]) {
            arm.0 = name.into();
        }
        setting
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        self.means().power_at(size, effect)
    }
}

/// Power of an experiment for its effect τ on a long-term outcome Y, estimated through a surrogate index
/// ([`SurrogateIndex`](crate::experiment::SurrogateIndex)).
///
/// Let the index explain a share R² of the variance σ² of Y in an observational sample of m units. What varies within an arm is the index alone, and its own
/// error grows with the effect:
///
/// `Var τ̂ = R² σ² (1/n₀ + 1/n₁) + τ² κ²`,  `κ² = (1 − R²)/(R² m)`,
///
/// where κ is the relative error of the index in the direction of the effect; with several surrogates this is the least it can be, reached where the effect
/// moves them as Y does. The test rejects when `τ̂²(1 − z²κ²) > z² R²σ²(1/n₀ + 1/n₁)`, and however large
/// the experiment its power stays below `Φ(1/κ)`. Surrogacy and comparability are assumed, not tested.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `sd` | | σ of the long-term outcome | > 0 |
/// | `r_squared` | | R² of the index in the observational sample | (0, 1) |
/// | `observational` | | m | > z²(1 − R²)/R² |
/// | `ratio` | 1 | treated units per control unit | > 0 |
/// | `effect` | none | τ | |
///
/// ```
/// use cocreate::prelude::*;
/// let waiting = MeanPower::new(100.0).effect(5.0).sample_size(0.8)?;
/// let index = SurrogatePower::new(100.0, 0.3, 20_000.0).effect(5.0).sample_size(0.8)?;
/// assert!((index.size / waiting.size - 0.3).abs() < 0.01); // R² times the units, and no waiting
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; [`Error::Unidentified`] for an observational sample in which the index cannot be told from nothing at
/// the level of the test; those of the verbs of [`Planner`].
///
/// # References
/// Athey, Chetty, Imbens & Kang (2019), doi:10.3386/w26463.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurrogatePower {
    sd: f64,
    r_squared: f64,
    observational: f64,
    ratio: f64,
    tested: Tested,
}

tested!(SurrogatePower);

impl SurrogatePower {
    /// A long-term outcome of this spread, an index with this R², and an observational sample of this size.
    pub fn new(sd: f64, r_squared: f64, observational: f64) -> Self {
        Self {
            sd,
            r_squared,
            observational,
            ratio: 1.0,
            tested: Tested::default(),
        }
    }

    /// Treated units per control unit.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// κ².
    fn relative_variance(&self) -> f64 {
        (1.0 - self.r_squared) / (self.r_squared * self.observational)
    }

    /// 1 − z²κ².
    fn told_apart(&self) -> f64 {
        let tail = match self.tested.claim {
            Claim::Difference(Alternative::TwoSided) => 0.5 * self.tested.alpha,
            _ => self.tested.alpha,
        };
        1.0 - normal::upper_quantile(tail).powi(2) * self.relative_variance()
    }
}

impl Planner for SurrogatePower {
    planned!();

    fn check(&self) -> Result<()> {
        positive("standard deviation", self.sd)?;
        positive("observational sample", self.observational)?;
        positive("ratio", self.ratio)?;
        if !(self.r_squared > 0.0 && self.r_squared < 1.0) {
            return Err(Error::invalid_option(
                "r_squared",
                self.r_squared,
                "between 0 and 1",
            ));
        }
        if self.told_apart() <= 0.0 {
            return Err(Error::Unidentified {
                what: "a test of an effect through the index".into(),
                needs: format!(
                    "more than the {} units of the observational sample, or surrogates that explain more than {} of the outcome: the index itself is not significant",
                    self.observational, self.r_squared
                ),
            });
        }
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let smallest = 2.0 * (1.0 + self.ratio) * f64::max(1.0, 1.0 / self.ratio);
        let setting = Setting::new(
            "Two means of a surrogate index, normal test",
            "units of the experiment",
            "Effect on the long-term outcome",
            smallest,
        )
        .two_arms(self.ratio)
        .assume("Standard deviation of the long-term outcome", self.sd)
        .assume("R² of the index", self.r_squared)
        .assume("Observational sample", self.observational)
        .assume("Surrogacy", "the whole effect goes through the surrogates")
        .assume("Comparability", "the index is the same in both samples");
        self.tested.place(setting)
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let control = size / (1.0 + self.ratio);
        let within = self.r_squared * self.sd * self.sd * (1.0 / control + 1.0 / (size - control));
        let precision = Precision {
            under_null: (within / self.told_apart()).sqrt(),
            at_effect: (within + effect * effect * self.relative_variance()).sqrt(),
            df: f64::INFINITY,
        };
        self.tested.power(effect, precision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Frame;
    use crate::experiment::SurrogateIndex;
    use crate::numeric::permutation::open_unit;
    use crate::numeric::{Seed, blocks};
    use rand::Rng;

    #[test]
    fn a_holdout_is_a_comparison_of_unequal_arms() {
        let holdout = HoldoutPower::new(3.0, 0.1)
            .effect(0.2)
            .power(5_000.0)
            .unwrap();
        let means = MeanPower::new(3.0)
            .ratio(9.0)
            .effect(0.2)
            .power(5_000.0)
            .unwrap();
        assert!((holdout.power - means.power).abs() < 1e-15);
        assert!((holdout.arm("held out").unwrap() - 500.0).abs() < 1e-9);
        let planner = HoldoutPower::new(3.0, 0.1)
            .effect(-0.2)
            .adjusted_for(2, 0.4);
        let plan = planner.sample_size(0.9).unwrap();
        assert!((planner.mde(plan.size, 0.9).unwrap().effect + 0.2).abs() < 1e-9);
        assert!(
            HoldoutPower::new(3.0, 1.0)
                .effect(0.2)
                .power(5_000.0)
                .is_err()
        );
        assert!(
            HoldoutPower::new(0.0, 0.1)
                .effect(0.2)
                .power(5_000.0)
                .is_err()
        );
    }

    #[test]
    fn an_index_rejects_as_often_as_planned() {
        // One surrogate with R² = ½, twice: a large and a small observational sample.
        for (observational, effect) in [(2_000_usize, 0.20), (30, 0.35)] {
            const RUNS: usize = 1000;
            const UNITS: usize = 400;
            let rejected = blocks::map(RUNS, |run| {
                let mut random = Seed::new(31).stream(run as u64);
                let mut z = || normal::quantile(open_unit(random.next_u64()));
                let past: Vec<(f64, f64)> = (0..observational)
                    .map(|_| {
                        let s = z();
                        (s, s + z())
                    })
                    .collect();
                let past = Frame::new()
                    .with("s", past.iter().map(|p| p.0).collect::<Vec<_>>())
                    .and_then(|f| f.with("y", past.iter().map(|p| p.1).collect::<Vec<_>>()))
                    .unwrap();
                let w: Vec<f64> = (0..UNITS).map(|i| (i % 2) as f64).collect();
                let s: Vec<f64> = w.iter().map(|w| z() + effect * w).collect();
                let test = Frame::new().with("w", w).unwrap().with("s", s).unwrap();
                let fit = SurrogateIndex::new("y ~ s", "w").fit(&test, &past).unwrap();
                let z = fit.effect.estimate / fit.effect.std_error;
                z.abs() > normal::upper_quantile(0.025)
            });
            let share = rejected.iter().filter(|r| **r).count() as f64 / RUNS as f64;
            let planner = SurrogatePower::new(2.0_f64.sqrt(), 0.5, observational as f64);
            let power = planner.effect(effect).power(UNITS as f64).unwrap().power;
            let error = (power * (1.0 - power) / RUNS as f64).sqrt();
            // A formula of large samples; 30 are few.
            assert!(
                (share - power).abs() < 3.5 * error + 0.01,
                "{share} {power}"
            );
        }
    }

    #[test]
    fn an_index_that_is_not_known_has_no_power() {
        let planner = SurrogatePower::new(1.0, 0.1, 30.0).effect(0.5);
        assert!(matches!(
            planner.power(1e4),
            Err(Error::Unidentified { .. })
        ));
        // However large the experiment, the index remains as uncertain as it is: Φ(1/κ) with κ² = .15.
        let weak = SurrogatePower::new(1.0, 0.1, 60.0).effect(0.5);
        let limit = normal::cdf(1.0 / 0.15_f64.sqrt());
        assert!((weak.power(1e12).unwrap().power - limit).abs() < 1e-5);
        assert!(matches!(
            weak.sample_size(0.999),
            Err(Error::Unidentified { .. })
        ));
        let planner = SurrogatePower::new(1.0, 0.4, 5_000.0)
            .ratio(2.0)
            .effect(-0.1);
        let plan = planner.sample_size(0.8).unwrap();
        assert!((planner.power(plan.size).unwrap().power - 0.8).abs() < 1e-10);
        assert!((planner.mde(plan.size, 0.8).unwrap().effect + 0.1).abs() < 1e-8);
        assert!(
            SurrogatePower::new(1.0, 0.0, 100.0)
                .effect(0.1)
                .power(99.0)
                .is_err()
        );
    }
}
