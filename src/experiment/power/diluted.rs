//! Power when treatment reaches some only: encouragement, and features that some never trigger.

use super::mean::MeanPower;
use super::planner::{Planner, Setting};
use super::rejection::{Tested, margins, planned, positive, tested};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Power of an encouragement design for the effect on compliers (LATE).
///
/// Those encouraged take part more often by the compliance `π = Pr(take | encouraged) − Pr(take | not)`. The effect of encouragement is
/// `ITT = π · LATE`, and the test of the instrument's reduced form is the test of a LATE of zero, so that the sample grows with 1/π².
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `sd` | | standard deviation of the outcome within an arm | > 0 |
/// | `compliance` | | share of compliers π | (0, 1] |
/// | `ratio` | 1 | encouraged units per other unit | > 0 |
/// | `effect` | none | LATE | |
///
/// ```
/// use cocreate::prelude::*;
/// let full = MeanPower::new(1.0).effect(0.2).sample_size(0.8)?;
/// let half = EncouragementPower::new(1.0, 0.5).effect(0.2).sample_size(0.8)?;
/// assert!((half.size / full.size - 4.0).abs() < 0.02);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Angrist, Imbens & Rubin (1996), doi:10.1080/01621459.1996.10476902; Duflo, Glennerster & Kremer (2007),
/// doi:10.1016/S1573-4471(07)04061-2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncouragementPower {
    sd: f64,
    compliance: f64,
    ratio: f64,
    tested: Tested,
}

tested!(EncouragementPower);
margins!(EncouragementPower);

impl EncouragementPower {
    /// Outcomes of this spread, and this share of compliers.
    pub fn new(sd: f64, compliance: f64) -> Self {
        Self {
            sd,
            compliance,
            ratio: 1.0,
            tested: Tested::default(),
        }
    }

    /// Encouraged units per other unit.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// The same test on the scale of the LATE: the spread of its estimate is that of the ITT over π.
    fn scaled(&self) -> MeanPower {
        let mut mean = MeanPower::new(self.sd / self.compliance).ratio(self.ratio);
        mean.tested = self.tested;
        mean
    }
}

impl Planner for EncouragementPower {
    planned!();

    fn check(&self) -> Result<()> {
        positive("standard deviation", self.sd)?;
        share_of("compliance", self.compliance)?;
        self.scaled().check()
    }

    fn setting(&self) -> Setting {
        let mut setting = self.scaled().setting();
        setting.test = "Encouragement design, t test of the reduced form".into();
        setting.effect_name = "Effect on compliers (LATE)".into();
        setting.arms[1].0 = "encouraged".into();
        setting.assumptions.remove(0);
        setting
            .assume("Standard deviation within an arm", self.sd)
            .assume("Compliance", self.compliance)
            .assume(
                "Instrument",
                "encouragement works through taking part only; nobody does the opposite",
            )
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        self.scaled().power_at(size, effect)
    }
}

/// Power when only a share q of the assigned units ever meets the change: analysed among those who triggered it, or among all.
///
/// Among all n units the effect is diluted to q δ with the spread of all; among the q n triggered ones it is δ with theirs. The size
/// counts all assigned units in both.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `share` | | triggered share q | (0, 1] |
/// | `triggered_sd` | | standard deviation of the outcome of triggered units | > 0 |
/// | `diluted` | off | analyse all units, whose standard deviation is given | > 0 |
/// | `ratio` | 1 | treated units per control unit | > 0 |
/// | `effect` | none | δ, the effect on triggered units | |
///
/// ```
/// use cocreate::prelude::*;
/// let triggered = TriggeredPower::new(0.2, 5.0).effect(0.3).sample_size(0.8)?;
/// let diluted = TriggeredPower::new(0.2, 5.0).diluted(5.0).effect(0.3).sample_size(0.8)?;
/// assert!((diluted.size / triggered.size - 5.0).abs() < 0.01); // 1/q times the units
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// Triggering must not depend on the arm: count in control who would have met the change.
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Deng & Hu (2015), doi:10.1145/2684822.2685307.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriggeredPower {
    share: f64,
    triggered_sd: f64,
    overall_sd: Option<f64>,
    ratio: f64,
    tested: Tested,
}

tested!(TriggeredPower);
margins!(TriggeredPower);

impl TriggeredPower {
    /// A share of units that triggers, with outcomes of this spread.
    pub fn new(share: f64, triggered_sd: f64) -> Self {
        Self {
            share,
            triggered_sd,
            overall_sd: None,
            ratio: 1.0,
            tested: Tested::default(),
        }
    }

    /// Analyses all units, whose outcomes have this standard deviation.
    pub fn diluted(mut self, overall_sd: f64) -> Self {
        self.overall_sd = Some(overall_sd);
        self
    }

    /// Treated units per control unit.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// The test on the scale of δ, and the share of the size that it sees.
    fn scaled(&self) -> (MeanPower, f64) {
        let (sd, seen) = match self.overall_sd {
            Some(sd) => (sd / self.share, 1.0),
            None => (self.triggered_sd, self.share),
        };
        let mut mean = MeanPower::new(sd).ratio(self.ratio);
        mean.tested = self.tested;
        (mean, seen)
    }
}

impl Planner for TriggeredPower {
    planned!();

    fn check(&self) -> Result<()> {
        positive("standard deviation of triggered units", self.triggered_sd)?;
        positive(
            "standard deviation of all units",
            self.overall_sd.unwrap_or(1.0),
        )?;
        share_of("triggered share", self.share)?;
        self.scaled().0.check()
    }

    fn setting(&self) -> Setting {
        let (mean, seen) = self.scaled();
        let mut setting = mean.setting();
        setting.smallest /= seen;
        setting.size_of = "assigned units".into();
        setting.effect_name = "Effect on triggered units".into();
        setting.assumptions.remove(0);
        let (test, sd) = match self.overall_sd {
            Some(sd) => ("Diluted analysis of all units, t test", sd),
            None => ("Triggered analysis, t test", self.triggered_sd),
        };
        setting.test = test.into();
        setting
            .assume("Triggered share", self.share)
            .assume("Standard deviation of the analysed units", sd)
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let (mean, seen) = self.scaled();
        mean.power_at(size * seen, effect)
    }
}

fn share_of(option: &str, value: f64) -> Result<()> {
    if value > 0.0 && value <= 1.0 {
        return Ok(());
    }
    Err(Error::invalid_option(
        option,
        value,
        "above 0 and at most 1",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_compliance_and_full_triggering_are_the_plain_test() {
        let plain = MeanPower::new(2.0)
            .effect(0.3)
            .ratio(2.0)
            .power(300.0)
            .unwrap()
            .power;
        let encouraged = EncouragementPower::new(2.0, 1.0).effect(0.3).ratio(2.0);
        assert!((encouraged.power(300.0).unwrap().power - plain).abs() < 1e-14);
        let triggered = TriggeredPower::new(1.0, 2.0).effect(0.3).ratio(2.0);
        assert!((triggered.power(300.0).unwrap().power - plain).abs() < 1e-14);
        let diluted = triggered.diluted(2.0).power(300.0).unwrap().power;
        assert!((diluted - plain).abs() < 1e-14);
    }

    #[test]
    fn the_three_questions_invert_each_other() {
        let planner = EncouragementPower::new(1.0, 0.4).effect(0.5);
        let plan = planner.sample_size(0.8).unwrap();
        assert!((planner.power(plan.size).unwrap().power - 0.8).abs() < 1e-12);
        assert!((planner.mde(plan.size, 0.8).unwrap().effect - 0.5).abs() < 1e-9);
        let planner = TriggeredPower::new(0.1, 3.0).effect(-0.5);
        let plan = planner.sample_size(0.8).unwrap();
        assert!((planner.power(plan.size).unwrap().power - 0.8).abs() < 1e-12);
        assert!((planner.mde(plan.size, 0.8).unwrap().effect + 0.5).abs() < 1e-9);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(
            EncouragementPower::new(1.0, 0.0)
                .effect(0.5)
                .power(99.0)
                .is_err()
        );
        assert!(
            EncouragementPower::new(1.0, 1.2)
                .effect(0.5)
                .power(99.0)
                .is_err()
        );
        assert!(
            TriggeredPower::new(0.0, 1.0)
                .effect(0.5)
                .power(99.0)
                .is_err()
        );
        assert!(
            TriggeredPower::new(0.5, 1.0)
                .diluted(0.0)
                .effect(0.5)
                .power(99.0)
                .is_err()
        );
    }
}
