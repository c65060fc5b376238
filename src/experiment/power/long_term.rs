//! Power for effects that come late: long-term holdouts, and experiments that are judged by a surrogate index.

use super::mean::MeanPower;
use super::planner::{Planner, Setting};
use super::rejection::{Claim, Tested, margins, planned, positive, tested};
use crate::error::{Error, Result};
use crate::inference::Alternative;
use crate::numeric::quadrature::gauss_legendre;
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
/// error grows with the effect: the statistic T is made of two independent ones, of the arms' difference in the index and of the index itself,
///
/// `1/T² = 1/t₁² + 1/t₂²`,  `t₁ ~ N(τ/√(R²σ²(1/n₀ + 1/n₁)), 1)`,  `t₂ ~ N(√(m R²/(1 − R²)), 1)`,
///
/// as in the test of a product of two coefficients (Sobel), and its power is an integral over t₂. With several surrogates t₂ is the most it can be, reached where
/// the effect moves them as Y does. However large the experiment, power stays below `P(|t₂| > z)`: an index that is not significant shows no effect. Under no
/// effect the test rejects less often than its level. Surrogacy and comparability are assumed, not tested.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `sd` | | σ of the long-term outcome | > 0 |
/// | `r_squared` | | R² of the index in the observational sample | (0, 1) |
/// | `observational` | | m | > 0 |
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
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`], [`Error::Unidentified`] where the observational sample is too small for the
/// power asked.
///
/// # References
/// Athey, Chetty, Imbens & Kang (2019), doi:10.3386/w26463; Sobel (1982), doi:10.2307/270723.
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

    /// P(T > z) when t₁ has this mean: t₂ must be beyond z, and t₁ beyond `z |t₂|/√(t₂² − z²)` on the same side. That bound falls steeply from
    /// t₂ = z on, and gently in s of `|t₂| = z + s²`.
    fn above(&self, mean: f64, z: f64) -> Result<f64> {
        const PANELS: usize = 12;
        const NODES: usize = 16;
        /// Beyond so many standard deviations there is nothing.
        const FAR: f64 = 9.0;
        let index = (self.observational * self.r_squared / (1.0 - self.r_squared)).sqrt();
        let mut total = 0.0;
        for side in [1.0, -1.0] {
            let center = side * index;
            let (from, to) = (z.max(center - FAR), z.max(center) + FAR);
            let (from, to) = ((from - z).sqrt(), (to - z).sqrt());
            let width = (to - from) / PANELS as f64;
            for panel in 0..PANELS {
                let start = from + width * panel as f64;
                let rule = gauss_legendre(NODES, start, start + width)?;
                for (s, weight) in rule.nodes().iter().zip(rule.weights()) {
                    let t = z + s * s;
                    let needed = z * t / (s * (t + z).sqrt());
                    let density = 2.0 * s * normal::pdf(t - center);
                    total += weight * density * normal::sf(needed - side * mean);
                }
            }
        }
        Ok(total)
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
        let mean = effect / within.sqrt();
        let at = |mean: f64, tail: f64| self.above(mean, normal::upper_quantile(tail));
        let alpha = self.tested.alpha;
        match self.tested.claim {
            Claim::Difference(Alternative::Greater) => at(mean, alpha),
            Claim::Difference(Alternative::Less) => at(-mean, alpha),
            _ => Ok(at(mean, 0.5 * alpha)? + at(-mean, 0.5 * alpha)?),
        }
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
        for (observational, effect) in [(2_000_usize, 0.20), (30, 0.35), (12, 0.60)] {
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
            // A formula of large samples: R² and errors are estimated, and twelve are few.
            let few = 1.0 / observational as f64;
            assert!((share - power).abs() < 3.5 * error + few, "{share} {power}");
        }
    }

    #[test]
    fn an_index_that_is_not_known_has_no_power() {
        // However large the experiment, the index must be significant: P(|t₂| > z) with a mean of √(60/9).
        let weak = SurrogatePower::new(1.0, 0.1, 60.0).effect(0.5);
        let (index, z) = ((60.0_f64 / 9.0).sqrt(), normal::upper_quantile(0.025));
        let limit = normal::sf(z - index) + normal::sf(z + index);
        let most = weak.power(1e14).unwrap().power;
        assert!((most - limit).abs() < 1e-4, "{most} {limit}");
        assert!(matches!(
            weak.sample_size(0.8),
            Err(Error::Unidentified { .. })
        ));
        // Without an effect the level is kept, and not used up.
        let level = weak.effect(0.0).power(1e4).unwrap().power;
        assert!(level > 0.0 && level < 0.05, "{level}");
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
