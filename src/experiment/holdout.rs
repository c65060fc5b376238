//! Long-term holdouts: what all that was shipped did together, beside the sum of what single experiments promised.

use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::experiment::arms::{Arms, measured, note};
use crate::experiment::sums::{Sums, welch};
use crate::inference::Estimate;
use crate::numeric::special::normal;
use crate::report::shown;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// The statistic from which experiments are usually shipped: two-sided significance at 5 %.
const THRESHOLD: f64 = 1.96;

/// The cumulative effect of shipped changes, from units that were held out of all of them, against the sum of the effects measured one by one. The sum is too
/// large even when nothing interacts: what is shipped was chosen for its estimate (the winner's curse). When experiment i ships if `Xᵢ/σᵢ > bᵢ`, the expected excess is
///
/// `E Σ_shipped (Xᵢ − aᵢ) = Σ_all σᵢ φ(bᵢ − aᵢ/σᵢ)`,
///
/// the sum running over all experiments, shipped or not; it is estimated with Xᵢ in place of the true aᵢ (Lee & Shen). What then remains between sum and
/// holdout are interactions of changes, effects that fade, and chance.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `control` | the first arm | the arm that was held out |
/// | `threshold` | 1.96 | the statistic b from which experiments were shipped |
/// | `experiment` | none | estimate, standard error and whether it was shipped, of every experiment of the period |
///
/// # Errors
/// [`Error::InvalidOption`] unless there are two arms, for a standard error that is not positive, or without a shipped experiment; [`Error::Unidentified`];
/// [`Error::Infinite`].
///
/// # References
/// Lee, M. R. & Shen, M. (2018). Winner's curse: bias estimation for total effects of features in online controlled experiments. *KDD*, 491–499.
/// doi:10.1145/3219819.3219905
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let arm: Vec<&str> = (0..400).map(|i| if i % 4 == 0 { "held out" } else { "shipped" }).collect();
/// let spend: Vec<f64> = (0..400).map(|i| f64::from(i / 4 % 10) + f64::from(u8::from(i % 4 > 0))).collect();
/// let frame = Frame::new().with("arm", arm)?.with("spend", spend)?;
/// let fit = Holdout::new("spend", "arm")
///     .control("held out")
///     .experiment("reviews", 0.9, 0.4, true)
///     .experiment("gallery", 0.8, 0.38, true)
///     .experiment("badges", 0.1, 0.4, false)
///     .fit(&frame)?;
/// assert!((fit.cumulative.estimate - 1.0).abs() < 1e-9 && (fit.sum.estimate - 1.7).abs() < 1e-9);
/// assert!(fit.winners_curse > 0.2); // of the sum is selection
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Holdout {
    outcome: String,
    arm: String,
    control: Option<String>,
    threshold: f64,
    experiments: Vec<PastExperiment>,
}

/// An experiment of the period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastExperiment {
    /// Its name.
    pub name: String,
    /// The effect that it measured.
    pub estimate: f64,
    /// Its standard error.
    pub std_error: f64,
    /// Whether it was shipped.
    pub shipped: bool,
}

/// What [`Holdout`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldoutFit {
    /// The effect of all changes together.
    pub cumulative: Estimate,
    /// The sum of the effects of shipped experiments, as measured.
    pub sum: Estimate,
    /// The expected excess of the sum through selection.
    pub winners_curse: f64,
    /// The sum less its excess.
    pub corrected_sum: Estimate,
    /// Cumulative effect less the corrected sum: interactions, fading, chance.
    pub gap: Estimate,
    /// The experiments.
    pub experiments: Vec<PastExperiment>,
    threshold: f64,
    warnings: Vec<Warning>,
}

impl Holdout {
    /// The effect on an outcome of everything shipped, by a column of two arms.
    pub fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            outcome: outcome.into(),
            arm: arm.into(),
            control: None,
            threshold: THRESHOLD,
            experiments: vec![],
        }
    }

    /// The arm that was held out.
    pub fn control(mut self, arm: impl Into<String>) -> Self {
        self.control = Some(arm.into());
        self
    }

    /// The statistic from which experiments were shipped.
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// Adds an experiment of the period.
    pub fn experiment(
        mut self,
        name: impl Into<String>,
        estimate: f64,
        std_error: f64,
        shipped: bool,
    ) -> Self {
        self.experiments.push(PastExperiment {
            name: name.into(),
            estimate,
            std_error,
            shipped,
        });
        self
    }

    /// Compares.
    ///
    /// # Errors
    /// See [`Holdout`].
    pub fn fit(&self, frame: &Frame) -> Result<HoldoutFit> {
        let sound = |e: &PastExperiment| {
            e.estimate.is_finite() && e.std_error > 0.0 && e.std_error.is_finite()
        };
        if let Some(bad) = self.experiments.iter().find(|e| !sound(e)) {
            return Err(Error::invalid_option(
                "experiment",
                format!(
                    "{} with {} and standard error {}",
                    bad.name, bad.estimate, bad.std_error
                ),
                "a finite estimate with a positive standard error",
            ));
        }
        if !self.threshold.is_finite() || !self.experiments.iter().any(|e| e.shipped) {
            return Err(Error::invalid_option(
                "experiments",
                format!(
                    "{} with threshold {}",
                    self.experiments.len(),
                    self.threshold
                ),
                "at least one shipped experiment and a finite threshold",
            ));
        }
        let arms = Arms::read(&self.arm, self.control.as_deref(), frame)?;
        if arms.levels.len() != 2 {
            return Err(Error::invalid_option(
                "arm",
                arms.levels.join(", "),
                "two arms: held out, and not",
            ));
        }
        let y = measured(frame, &self.outcome)?;
        let sums = |arm: usize| {
            let here =
                (0..y.len()).filter(|row| arms.of_row[*row] == Some(arm) && !y[*row].is_nan());
            Sums::of(here.map(|row| y[row]))
        };
        let cumulative = welch("all changes together (holdout)", sums(1), sums(0))?;
        let shipped = || self.experiments.iter().filter(|e| e.shipped);
        let total: f64 = shipped().map(|e| e.estimate).sum();
        let error = shipped().map(|e| e.std_error.powi(2)).sum::<f64>().sqrt();
        let winners_curse: f64 = (self.experiments.iter())
            .map(|e| e.std_error * normal::pdf(self.threshold - e.estimate / e.std_error))
            .sum();
        let estimate = |name: &str, estimate: f64, std_error: f64| Estimate {
            name: name.to_owned(),
            estimate,
            std_error,
            degrees_of_freedom: f64::INFINITY,
        };
        let mut warnings: Vec<Warning> = arms.warning().into_iter().collect();
        let odd = (self.experiments.iter())
            .filter(|e| (e.estimate / e.std_error > self.threshold) != e.shipped)
            .count();
        if odd > 0 {
            warnings.push(note(format!(
                "{odd} of {} experiments were not shipped (or held back) by the threshold of {}: the correction assumes that rule",
                self.experiments.len(),
                self.threshold
            )));
        }
        if shipped().count() == self.experiments.len() {
            warnings.push(note(
                "only shipped experiments are listed: those that were not shipped belong to the correction too, which is too small without them",
            ));
        }
        let corrected = total - winners_curse;
        Ok(HoldoutFit {
            gap: estimate(
                "holdout less corrected sum",
                cumulative.estimate - corrected,
                cumulative.std_error.hypot(error),
            ),
            cumulative,
            sum: estimate("sum of shipped experiments", total, error),
            winners_curse,
            corrected_sum: estimate("sum less winner's curse", corrected, error),
            experiments: self.experiments.clone(),
            threshold: self.threshold,
            warnings,
        })
    }
}

impl HoldoutFit {
    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The cumulative effect beside the sum.
    pub fn table(&self) -> Table {
        const LEVEL: f64 = 0.95;
        let mut table = Table::new("Long-term holdout").columns([
            "",
            "Effect",
            "Std. error",
            "p",
            "95 % from",
            "to",
        ]);
        for e in [&self.cumulative, &self.sum, &self.corrected_sum, &self.gap] {
            let ends = e.confidence_interval(LEVEL);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            table = table.row([
                Cell::from(e.name.as_str()),
                Cell::significant(e.estimate, 4),
                Cell::significant(e.std_error, 3),
                Cell::p_value(e.p_value()),
                Cell::significant(low, 4),
                Cell::significant(high, 4),
            ]);
        }
        table = table.note(format!(
            "{} experiments, {} shipped; expected excess of their sum, at a threshold of {}: {}",
            self.experiments.len(),
            self.experiments.iter().filter(|e| e.shipped).count(),
            self.threshold,
            Cell::significant(self.winners_curse, 4)
        ));
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }
}

shown!(HoldoutFit);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;
    use crate::numeric::permutation::open_unit;
    use rand::Rng;

    fn arms() -> Frame {
        let arm: Vec<f64> = (0..200).map(|i| f64::from(i % 2)).collect();
        let y: Vec<f64> = (0..200)
            .map(|i| f64::from(i / 2 % 7) + f64::from(i % 2))
            .collect();
        Frame::new().with("arm", arm).unwrap().with("y", y).unwrap()
    }

    #[test]
    fn the_correction_takes_most_of_the_selection_away() {
        let mut draws = Seed::new(8).stream(0);
        let mut z = || normal::quantile(open_unit(draws.next_u64()));
        let (mut naive, mut corrected) = (0.0, 0.0);
        let runs = 200;
        for _ in 0..runs {
            let mut holdout = Holdout::new("y", "arm");
            let mut truth = 0.0;
            for i in 0..60 {
                let effect = z();
                let estimate = effect + z();
                let shipped = estimate > THRESHOLD;
                truth += if shipped { effect } else { 0.0 };
                holdout = holdout.experiment(i.to_string(), estimate, 1.0, shipped);
            }
            let Ok(fit) = holdout.fit(&arms()) else {
                continue;
            };
            naive += (fit.sum.estimate - truth) / f64::from(runs);
            corrected += (fit.corrected_sum.estimate - truth) / f64::from(runs);
        }
        // In theory 60 φ(1.96; 0, 2) = 6.5 of excess, of which 60 φ(1.96; 0, 3) = 7.3 are taken away.
        assert!(
            (naive - 6.5).abs() < 0.6 && corrected.abs() < 1.5,
            "{naive} {corrected}"
        );
    }

    #[test]
    fn bad_input_is_refused_and_missing_failures_are_named() {
        let one = Holdout::new("y", "arm").experiment("x", 3.0, 1.0, true);
        let fit = one.fit(&arms()).unwrap();
        assert!((fit.cumulative.estimate - 1.0).abs() < 1e-12);
        assert!(
            fit.warnings()[0].to_string().contains("only shipped")
                && fit.to_string().contains("winner")
        );
        assert!(Holdout::new("y", "arm").fit(&arms()).is_err());
        assert!(
            one.clone()
                .experiment("y", 1.0, 0.0, false)
                .fit(&arms())
                .is_err()
        );
        let three = arms()
            .replace(
                "arm",
                (0..200).map(|i| f64::from(i % 3)).collect::<Vec<_>>(),
            )
            .unwrap();
        assert!(one.fit(&three).is_err());
        let odd = Holdout::new("y", "arm")
            .experiment("x", 1.0, 1.0, true)
            .experiment("z", 0.0, 1.0, false);
        assert!(
            odd.fit(&arms()).unwrap().warnings()[0]
                .to_string()
                .contains("threshold")
        );
    }
}
