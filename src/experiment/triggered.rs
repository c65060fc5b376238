//! Triggered analysis: the effect among those who could have noticed the change, and what it means for everybody.

use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::experiment::arms::{Arms, measured, note, zero_one};
use crate::experiment::sums::{Sums, welch};
use crate::experiment::trust::assignment::independence;
use crate::inference::{Estimate, TestResult};
use crate::report::shown;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// The effect among triggered units, and diluted to all. A unit triggers when it reached the place where arms differ; for control units it is logged that they
/// would have (counterfactual logging). If nobody else is affected, the effect on all is
///
/// `Δ = r Δ_T`, with the share r of triggered units and variance `r² Var(Δ̂_T) + Δ_T² r(1 − r)/n`,
///
/// which has less noise than the plain difference among all: the untriggered add variance and no effect. Two checks stand by it: the share must
/// not depend on the arm (χ²), since a trigger that the arm changes selects different people, and the untriggered must show no effect.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `control` | the first arm | the arm compared with |
/// | `alpha` | 0.01 | level of the two checks |
///
/// # Errors
/// [`Error::OutOfRange`] for a trigger other than 0 and 1; [`Error::Unidentified`] with fewer than two triggered units in an arm; [`Error::InvalidOption`];
/// [`Error::Infinite`].
///
/// # References
/// Deng, A. & Hu, V. (2015). Diluted treatment effect estimation for trigger analysis in online controlled experiments. *WSDM*, 349–358.
/// doi:10.1145/2684822.2685307. Kohavi, Tang & Xu (2020), chapter 20, doi:10.1017/9781108653985.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 2000_usize;
/// let arm: Vec<&str> = (0..n).map(|i| if i % 2 == 0 { "control" } else { "tool" }).collect();
/// let opened: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i % 10 < 2))).collect(); // a fifth opens the configurator
/// let spend: Vec<f64> = (0..n).map(|i| (i / 10 % 17) as f64 + opened[i] * 2.0 * (i % 2) as f64).collect();
/// let frame = Frame::new().with("arm", arm)?.with("opened", opened)?.with("spend", spend)?;
/// let fit = Triggered::new("spend", "arm", "opened").fit(&frame)?;
/// let tool = &fit.arms[0];
/// assert!((tool.triggered.estimate - 2.0).abs() < 1e-9 && (tool.diluted.estimate - 0.4).abs() < 1e-9);
/// assert!(tool.variance_gain > 3.0 && fit.warnings().is_empty());
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Triggered {
    outcome: String,
    arm: String,
    trigger: String,
    control: Option<String>,
    alpha: f64,
}

/// The effects of one arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriggeredArm {
    /// The arm.
    pub arm: String,
    /// Share of triggered units in the arm.
    pub rate: f64,
    /// The same in the control.
    pub control_rate: f64,
    /// Effect among triggered units.
    pub triggered: Estimate,
    /// The same diluted to all units.
    pub diluted: Estimate,
    /// The difference among all units.
    pub all: Estimate,
    /// The difference among untriggered units, which should be none; nothing when everybody triggers or outcomes do not vary.
    pub untriggered: Option<Estimate>,
    /// Variance of the difference among all, over that of the diluted effect.
    pub variance_gain: f64,
}

/// What [`Triggered`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriggeredFit {
    /// Each arm against the control.
    pub arms: Vec<TriggeredArm>,
    /// χ² test that the share of triggered units does not depend on the arm; none when everybody triggers.
    pub trigger_test: Option<TestResult>,
    /// The arm compared with.
    pub control: String,
    /// Rows used.
    pub rows: usize,
    warnings: Vec<Warning>,
}

impl Triggered {
    /// Effects on an outcome among units whose trigger is 1.
    pub fn new(
        outcome: impl Into<String>,
        arm: impl Into<String>,
        trigger: impl Into<String>,
    ) -> Self {
        Self {
            outcome: outcome.into(),
            arm: arm.into(),
            trigger: trigger.into(),
            control: None,
            alpha: 0.01,
        }
    }

    /// The arm compared with.
    pub fn control(mut self, arm: impl Into<String>) -> Self {
        self.control = Some(arm.into());
        self
    }

    /// The level of the checks.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Estimates.
    ///
    /// # Errors
    /// See [`Triggered`].
    pub fn fit(&self, frame: &Frame) -> Result<TriggeredFit> {
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return Err(Error::invalid_option(
                "alpha",
                self.alpha,
                "between 0 and 1",
            ));
        }
        let arms = Arms::read(&self.arm, self.control.as_deref(), frame)?;
        let y = measured(frame, &self.outcome)?;
        let trigger = zero_one(frame, &self.trigger)?;
        let known = |row: usize| !(y[row].is_nan() || trigger[row].is_nan());
        let sums = |arm: usize, which: Option<bool>| {
            let here = (0..y.len()).filter(|row| {
                arms.of_row[*row] == Some(arm)
                    && known(*row)
                    && which.is_none_or(|w| (trigger[*row] > 0.5) == w)
            });
            Sums::of(here.map(|row| y[row]))
        };
        let mut warnings: Vec<Warning> = arms.warning().into_iter().collect();
        let dropped = (0..y.len())
            .filter(|row| arms.of_row[*row].is_some() && !known(*row))
            .count();
        if dropped > 0 {
            warnings.push(note(format!(
                "{dropped} rows without outcome or trigger left out"
            )));
        }
        let levels = &arms.levels;
        let count = |arm: usize| [sums(arm, Some(false)).n, sums(arm, Some(true)).n];
        let table: Vec<[f64; 2]> = (0..levels.len()).map(count).collect();
        let trigger_test = independence("share of triggered units by arm", &table);
        if let Some(test) = trigger_test.as_ref().filter(|t| t.p_value < self.alpha) {
            warnings.push(note(format!(
                "the arm changes who triggers ({test}): triggered units of the arms are not alike, so that their difference is no effect; log the counterfactual trigger, or read the difference among all"
            )));
        }
        let rate = |arm: usize| table[arm][1] / (table[arm][0] + table[arm][1]);
        let mut found = Vec::new();
        for arm in 1..levels.len() {
            let name = |what: &str| format!("{}, {what}", levels[arm]);
            let triggered = welch(
                &name("triggered"),
                sums(arm, Some(true)),
                sums(0, Some(true)),
            )?;
            let all = welch(&name("all"), sums(arm, None), sums(0, None))?;
            let units = table[arm][0] + table[arm][1] + table[0][0] + table[0][1];
            let share = (table[arm][1] + table[0][1]) / units;
            let variance = (share * triggered.std_error).powi(2)
                + triggered.estimate.powi(2) * share * (1.0 - share) / units;
            let untriggered = welch(
                &name("untriggered"),
                sums(arm, Some(false)),
                sums(0, Some(false)),
            )
            .ok();
            if let Some(effect) = untriggered.as_ref().filter(|e| e.p_value() < self.alpha) {
                warnings.push(note(format!(
                    "untriggered units differ too ({effect}): the trigger misses units that the arm affects"
                )));
            }
            found.push(TriggeredArm {
                arm: levels[arm].clone(),
                rate: rate(arm),
                control_rate: rate(0),
                diluted: Estimate {
                    name: name("diluted to all"),
                    estimate: share * triggered.estimate,
                    std_error: variance.sqrt(),
                    degrees_of_freedom: triggered.degrees_of_freedom,
                },
                variance_gain: all.std_error.powi(2) / variance,
                triggered,
                all,
                untriggered,
            });
        }
        Ok(TriggeredFit {
            arms: found,
            trigger_test,
            control: levels[0].clone(),
            rows: table.iter().map(|c| c[0] + c[1]).sum::<f64>() as usize,
            warnings,
        })
    }
}

impl TriggeredFit {
    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Effects among triggered units, diluted, and among all.
    pub fn table(&self) -> Table {
        const LEVEL: f64 = 0.95;
        let mut table = Table::new(format!("Triggered analysis, against {}", self.control))
            .columns(["", "Effect", "Std. error", "p", "95 % from", "to"]);
        for arm in &self.arms {
            for effect in [&arm.triggered, &arm.diluted, &arm.all]
                .into_iter()
                .chain(&arm.untriggered)
            {
                let ends = effect.confidence_interval(LEVEL);
                let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
                table = table.row([
                    Cell::from(effect.name.as_str()),
                    Cell::significant(effect.estimate, 4),
                    Cell::significant(effect.std_error, 3),
                    Cell::p_value(effect.p_value()),
                    Cell::significant(low, 4),
                    Cell::significant(high, 4),
                ]);
            }
            table = table.note(format!(
                "{}: {} triggered, {} of the control; all units have {:.2} times the variance of the diluted effect",
                arm.arm,
                Cell::percent(arm.rate, 2),
                Cell::percent(arm.control_rate, 2),
                arm.variance_gain
            ));
        }
        if let Some(test) = &self.trigger_test {
            table = table.note(test.to_string());
        }
        table = table.note(format!("n = {}", Cell::count(self.rows)));
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }
}

shown!(TriggeredFit);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;
    use crate::numeric::permutation::open_unit;
    use rand::Rng;

    /// A fifth triggers and gains one; with `leak`, treated units trigger more often, the eager ones.
    fn sample(seed: u64, n: usize, leak: f64) -> Frame {
        let mut draws = Seed::new(seed).stream(0);
        let mut u = || open_unit(draws.next_u64());
        let (mut y, mut t, mut z) = (vec![], vec![], vec![]);
        for i in 0..n {
            let treated = f64::from(u8::from(i % 2 == 1));
            let taste = u();
            let triggers = f64::from(u8::from(taste < 0.2 + leak * treated));
            z.push(treated);
            t.push(triggers);
            y.push(6.0 * (u() + u() - 1.0) - 3.0 * taste + treated * triggers);
        }
        Frame::new()
            .with("y", y)
            .unwrap()
            .with("t", t)
            .unwrap()
            .with("z", z)
            .unwrap()
    }

    #[test]
    fn the_diluted_effect_covers_and_gains() {
        let check = Triggered::new("y", "z", "t");
        let (runs, mut covered, mut all, mut false_alarms) = (300, 0, 0, 0);
        for seed in 0..runs {
            let fit = check.fit(&sample(seed, 1500, 0.0)).unwrap();
            let arm = &fit.arms[0];
            let holds = |e: &Estimate| {
                let i = e.confidence_interval(0.95).unwrap();
                usize::from(i.lower <= 0.2 && 0.2 <= i.upper)
            };
            covered += holds(&arm.diluted);
            all += holds(&arm.all);
            false_alarms += usize::from(!fit.warnings().is_empty());
            assert!(arm.variance_gain > 2.0);
        }
        // Three Monte Carlo errors of 95 % in 300 runs are 3.8 %.
        assert!(
            (273..=297).contains(&covered) && (273..=297).contains(&all),
            "{covered} {all}"
        );
        assert!(false_alarms < 18, "{false_alarms}");
    }

    #[test]
    fn a_trigger_that_the_arm_changes_is_found() {
        let fit = Triggered::new("y", "z", "t")
            .fit(&sample(1, 3000, 0.1))
            .unwrap();
        assert!(fit.trigger_test.as_ref().unwrap().p_value < 1e-6);
        assert!(
            fit.warnings()[0].to_string().contains("who triggers")
                && fit.to_string().contains("diluted")
        );
        let frame = sample(2, 3000, 0.0);
        let leaking: Vec<f64> = (0..3000)
            .map(|i| frame.real("y").unwrap()[i] + frame.real("z").unwrap()[i])
            .collect();
        let fit = Triggered::new("y", "z", "t")
            .fit(&frame.replace("y", leaking).unwrap())
            .unwrap();
        assert!(
            fit.warnings()[0]
                .to_string()
                .contains("untriggered units differ")
        );
    }

    #[test]
    fn when_everybody_triggers_nothing_is_diluted() {
        let frame = sample(3, 400, 0.0).replace("t", vec![1.0; 400]).unwrap();
        let fit = Triggered::new("y", "z", "t").fit(&frame).unwrap();
        let arm = &fit.arms[0];
        assert!(
            (arm.diluted.std_error - arm.all.std_error).abs() < 1e-14 && arm.untriggered.is_none()
        );
        assert!(fit.trigger_test.is_none());
        let nobody = frame.replace("t", vec![0.0; 400]).unwrap();
        assert!(matches!(
            Triggered::new("y", "z", "t").fit(&nobody),
            Err(Error::Unidentified { .. })
        ));
    }
}
