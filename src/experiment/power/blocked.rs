//! Power within strata and within matched pairs.

use super::planner::{Planner, Setting};
use super::rejection::{Precision, Tested, margins, planned, positive, tested};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// One stratum of a population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStratum {
    /// Its name.
    pub name: String,
    /// Its share of the units.
    pub share: f64,
    /// Mean of the outcome in it.
    pub mean: f64,
    /// Standard deviation of the outcome within it.
    pub sd: f64,
}

/// Power when units are assigned within strata and effects averaged over them, `Σ w_s (ȳ₁s − ȳ₀s)`: variance
/// `Σ w_s² σ_s² (1/n₀s + 1/n₁s)` with `n_s = w_s n`. What differs between the strata is taken out of the noise.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `stratum` | | name, share, mean and standard deviation; call it for each | shares sum to 1 |
/// | `ratio` | 1 | treated units per control unit, in every stratum | > 0 |
/// | `effect` | none | average effect | |
///
/// ```
/// use cocreate::prelude::*;
/// let planner = StratifiedPower::new()
///     .stratum("new customers", 0.7, 10.0, 8.0)
///     .stratum("regulars", 0.3, 40.0, 12.0)
///     .effect(1.0);
/// assert!((planner.explained()? - 0.682).abs() < 1e-3); // of the variance lies between the strata
/// let plain = MeanPower::new(planner.total_sd()?).effect(1.0).sample_size(0.8)?;
/// assert!(planner.sample_size(0.8)?.size < 0.34 * plain.size);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Imbens & Rubin (2015), chapter 9, doi:10.1017/CBO9781139025751.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StratifiedPower {
    strata: Vec<PlannedStratum>,
    ratio: Option<f64>,
    tested: Tested,
}

tested!(StratifiedPower);
margins!(StratifiedPower);

impl StratifiedPower {
    /// Without strata yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stratum.
    pub fn stratum(mut self, name: impl Into<String>, share: f64, mean: f64, sd: f64) -> Self {
        self.strata.push(PlannedStratum {
            name: name.into(),
            share,
            mean,
            sd,
        });
        self
    }

    /// Treated units per control unit.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = Some(ratio);
        self
    }

    /// The share of the variance that lies between the strata.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for strata out of range.
    pub fn explained(&self) -> Result<f64> {
        Ok(1.0 - self.within()? / self.total_sd()?.powi(2))
    }

    /// The standard deviation of the outcome over all strata.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for strata out of range.
    pub fn total_sd(&self) -> Result<f64> {
        let within = self.within()?;
        let mean: f64 = self.strata.iter().map(|s| s.share * s.mean).sum();
        let between: f64 = self
            .strata
            .iter()
            .map(|s| s.share * (s.mean - mean).powi(2))
            .sum();
        Ok((within + between).sqrt())
    }

    fn within(&self) -> Result<f64> {
        self.check()?;
        Ok(self.strata.iter().map(|s| s.share * s.sd * s.sd).sum())
    }
}

impl Planner for StratifiedPower {
    planned!();

    fn check(&self) -> Result<()> {
        let shares: Vec<f64> = self.strata.iter().map(|s| s.share).collect();
        super::rejection::shares("shares of the strata", &shares)?;
        for stratum in &self.strata {
            positive("standard deviation of a stratum", stratum.sd)?;
            if !stratum.mean.is_finite() {
                return Err(Error::invalid_option(
                    "mean of a stratum",
                    stratum.mean,
                    "finite",
                ));
            }
        }
        positive("ratio", self.ratio.unwrap_or(1.0))?;
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let ratio = self.ratio.unwrap_or(1.0);
        let least = self.strata.iter().fold(1.0_f64, |m, s| m.min(s.share));
        let in_stratum = 2.0 * (1.0 + ratio) * f64::max(1.0, 1.0 / ratio);
        let mut setting = Setting::new(
            "Average effect within strata, t test",
            "units",
            "Difference of the means",
            in_stratum / least,
        )
        .two_arms(ratio);
        for s in &self.strata {
            setting = setting.assume(
                format!("Stratum {}", s.name),
                format!(
                    "share {}, mean {}, standard deviation {}",
                    s.share, s.mean, s.sd
                ),
            );
        }
        self.tested.place(setting)
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let ratio = self.ratio.unwrap_or(1.0);
        // Σ w² σ²/(w n) = Σ w σ²/n: proportional allocation leaves the variance within strata.
        let within: f64 = self.strata.iter().map(|s| s.share * s.sd * s.sd).sum();
        let n0 = size / (1.0 + ratio);
        let variance = within * (1.0 / n0 + 1.0 / (size - n0));
        let df = size - 2.0 * self.strata.len() as f64;
        self.tested
            .power(effect, Precision::new(variance.sqrt(), df))
    }
}

/// Power for matched pairs, one of each treated: the t test of the differences within pairs; the size is the number of pairs.
///
/// With outcomes that correlate by r within a pair the differences have standard deviation `σ √(2(1 − r))`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `sd` | | standard deviation of the outcome | > 0 |
/// | `correlation` | | of the outcomes of a pair | [−1, 1) |
/// | `effect` | none | mean difference | |
///
/// ```
/// use cocreate::prelude::*;
/// let pairs = PairedPower::new(1.0, 0.6).effect(0.3).sample_size(0.8)?;
/// let units = MeanPower::new(1.0).effect(0.3).sample_size(0.8)?;
/// assert!(2.0 * pairs.size < 0.42 * units.size);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedPower {
    sd: f64,
    correlation: f64,
    tested: Tested,
}

tested!(PairedPower);
margins!(PairedPower);

impl PairedPower {
    /// Pairs whose outcomes correlate.
    pub fn new(sd: f64, correlation: f64) -> Self {
        Self {
            sd,
            correlation,
            tested: Tested::default(),
        }
    }

    /// The same from the standard deviation of the differences within pairs.
    pub fn of_differences(sd: f64) -> Self {
        // At correlation one half the differences have the standard deviation of the outcomes.
        Self::new(sd, 0.5)
    }

    fn difference_sd(&self) -> f64 {
        self.sd * (2.0 * (1.0 - self.correlation)).sqrt()
    }
}

impl Planner for PairedPower {
    planned!();

    fn check(&self) -> Result<()> {
        positive("standard deviation", self.sd)?;
        if !(-1.0..1.0).contains(&self.correlation) {
            return Err(Error::invalid_option(
                "correlation",
                self.correlation,
                "at least −1 and below 1",
            ));
        }
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let setting = Setting::new(
            "Differences within pairs, t test",
            "pairs",
            "Mean difference",
            2.0,
        )
        .assume("Standard deviation of a difference", self.difference_sd())
        .assume("Correlation within pairs", self.correlation);
        self.tested.place(setting)
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let se = self.difference_sd() / size.sqrt();
        self.tested.power(effect, Precision::new(se, size - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::power::MeanPower;

    #[test]
    fn one_stratum_is_no_stratum() {
        let one = StratifiedPower::new()
            .stratum("all", 1.0, 3.0, 2.0)
            .ratio(1.5)
            .effect(0.4);
        let plain = MeanPower::new(2.0).ratio(1.5).effect(0.4);
        let gap = one.power(200.0).unwrap().power - plain.power(200.0).unwrap().power;
        assert!(gap.abs() < 1e-12 && one.explained().unwrap().abs() < 1e-12);
    }

    #[test]
    fn the_three_questions_invert_each_other() {
        let strata = StratifiedPower::new()
            .stratum("a", 0.25, 0.0, 1.0)
            .stratum("b", 0.75, 5.0, 2.0)
            .effect(0.3);
        let plan = strata.sample_size(0.8).unwrap();
        assert!((strata.power(plan.size).unwrap().power - 0.8).abs() < 1e-12);
        assert!((strata.mde(plan.size, 0.8).unwrap().effect - 0.3).abs() < 1e-9);
        let pairs = PairedPower::new(2.0, 0.3).effect(-0.5);
        let plan = pairs.sample_size(0.9).unwrap();
        assert!((pairs.power(plan.size).unwrap().power - 0.9).abs() < 1e-12);
        assert!((pairs.mde(plan.size, 0.9).unwrap().effect + 0.5).abs() < 1e-9);
        assert!((PairedPower::of_differences(3.0).difference_sd() - 3.0).abs() < 1e-15);
    }

    #[test]
    fn nonsense_is_refused() {
        let half = StratifiedPower::new()
            .stratum("a", 0.5, 0.0, 1.0)
            .effect(0.3);
        assert!(half.power(100.0).is_err());
        assert!(StratifiedPower::new().effect(0.3).power(100.0).is_err());
        assert!(half.stratum("b", 0.5, 0.0, 0.0).power(100.0).is_err());
        assert!(PairedPower::new(1.0, 1.0).effect(0.3).power(10.0).is_err());
        assert!(PairedPower::new(1.0, 0.5).effect(0.3).power(1.0).is_err());
    }
}
