//! Negative controls: what an analysis finds where there is nothing to find, and p-values that allow for it.

use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::{
    Adjustment, BetweenStudies, Estimate, Interval, MeanError, MetaAnalysis, adjust_p_values,
    check_level,
};
use crate::numeric::blocks;
use crate::numeric::special::normal;
use crate::report::{Cell, CoefficientPlot, Figure, Table};
use serde::{Deserialize, Serialize};

/// With fewer negative controls the distribution of the bias is hardly known.
const FEW: usize = 10;

/// Runs of one analysis on negative controls: outcomes that the treatment cannot move, treatments that cannot move the outcome, periods before it began. Each should find nothing; what is found is bias.
///
/// The analysis is any function of the frame and the name of a control that gives an [`Estimate`]; the name may be that of an outcome or an exposure, or be anything that the function understands.
///
/// # Errors
/// [`Error::InvalidOption`] without controls; [`Error::Unidentified`] when fewer than two runs succeed, with the first reason.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let nsw = datasets::load("nsw")?;
/// // Earnings before the programme, and what people brought along, cannot be its effect.
/// let runs = Placebo::new(["re74", "re75", "age", "educ"]).run(&nsw, |frame, name| {
///     Ols::new(format!("{name} ~ treat").as_str()).fit(frame)?.coefficient("treat")
/// })?;
/// assert_eq!(runs.estimates().len(), 4);
/// assert!(runs.smallest_adjusted_p()? > 0.05);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Placebo {
    names: Vec<String>,
}

/// What [`Placebo`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaceboFit {
    estimates: Vec<Estimate>,
    /// Controls whose run failed, with the reason.
    failed: Vec<String>,
}

/// The distribution of the bias, learned from negative controls, and estimates that allow for it.
///
/// With control k truly zero, `θ̂_k ~ N(b_k, s_k²)` and `b_k ~ N(μ, σ²)`; μ and σ by maximum likelihood. If the bias of the analysis of interest is one more draw, under no effect `θ̂ ~ N(μ, σ² + s²)`:
///
/// `p = 2 min(Φ(z), Φ(−z))`, `z = (θ̂ − μ)/√(σ² + s²)`, and the interval `θ̂ − μ ± z_{1−α/2} √(σ² + s²)`,
///
/// the interval if bias does not grow with the effect. μ and σ are taken as known: with few controls the calibrated values are too sure, which is said. Estimates are on a scale on which bias adds, such as log ratios.
///
/// # Errors
/// [`Error::Unidentified`] for fewer than two controls; [`Error::OutOfRange`] for a standard error that is not positive and finite.
///
/// # References
/// - Schuemie, M. J., Ryan, P. B., DuMouchel, W., Suchard, M. A. & Madigan, D. (2014). Interpreting observational studies: why empirical calibration is needed to correct p-values. *Statistics in Medicine* 33(2), 209–218.
///   doi:10.1002/sim.5925
/// - Lipsitch, M., Tchetgen Tchetgen, E. & Cohen, T. (2010). Negative controls: a tool for detecting confounding and bias in observational studies. *Epidemiology* 21(3), 383–388. doi:10.1097/EDE.0b013e3181d61eeb
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let control = |estimate: f64| Estimate { name: "control".into(), estimate, std_error: 0.1, degrees_of_freedom: f64::INFINITY };
/// let null = EmpiricalNull::fit(&[0.3, 0.1, 0.4, 0.25, 0.2, 0.35, 0.05, 0.3, 0.15, 0.4].map(control))?;
/// let found = Estimate { name: "effect".into(), ..control(0.35) };
/// assert!(found.p_value() < 0.001); // taken as it is
/// assert!(null.p_value(&found)? > 0.3); // no more than what is found where there is nothing
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmpiricalNull {
    controls: Vec<Estimate>,
    mean: f64,
    std_dev: f64,
    warnings: Vec<Warning>,
}

impl Placebo {
    /// Runs on these controls.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
        }
    }

    /// Runs the analysis on every control.
    ///
    /// # Errors
    /// See [`Placebo`].
    pub fn run(
        &self,
        frame: &Frame,
        analysis: impl Fn(&Frame, &str) -> Result<Estimate> + Sync,
    ) -> Result<PlaceboFit> {
        if self.names.is_empty() {
            return Err(Error::invalid_option(
                "names",
                "empty",
                "at least two negative controls",
            ));
        }
        let runs = blocks::map(self.names.len(), |k| analysis(frame, &self.names[k]));
        let (mut estimates, mut failed) = (Vec::new(), Vec::new());
        for (name, run) in self.names.iter().zip(runs) {
            match run {
                Ok(e) if e.estimate.is_finite() && e.std_error.is_finite() => {
                    estimates.push(Estimate {
                        name: name.clone(),
                        ..e
                    });
                }
                Ok(_) => failed.push(format!("{name}: its estimate or error is not finite")),
                Err(error) => failed.push(format!("{name}: {error}")),
            }
        }
        if estimates.len() < 2 {
            return Err(Error::Unidentified {
                what: "the distribution of what the analysis finds on negative controls".to_owned(),
                needs: format!(
                    "two runs that succeed, where {} of {} did ({})",
                    estimates.len(),
                    self.names.len(),
                    failed.first().map_or("", String::as_str)
                ),
            });
        }
        Ok(PlaceboFit { estimates, failed })
    }
}

impl PlaceboFit {
    /// What was found on each control.
    pub fn estimates(&self) -> &[Estimate] {
        &self.estimates
    }

    /// The controls whose run failed, with the reason.
    pub fn failed(&self) -> &[String] {
        &self.failed
    }

    /// The smallest p-value after Holm's adjustment: below 0.05 the analysis finds something where there is nothing.
    ///
    /// # Errors
    /// Those of [`adjust_p_values`].
    pub fn smallest_adjusted_p(&self) -> Result<f64> {
        let p: Vec<f64> = self.estimates.iter().map(Estimate::p_value).collect();
        let adjusted = adjust_p_values(&p, Adjustment::Holm)?;
        Ok(adjusted.into_iter().fold(1.0, f64::min))
    }

    /// The share of controls with an estimate at least as far from zero, counting the estimate itself: a randomisation p-value if it were one of them. One for an
    /// effect that is not a number.
    pub fn rank_p_value(&self, effect: &Estimate) -> f64 {
        let nearer = |e: &&Estimate| e.estimate.abs() < effect.estimate.abs();
        let far = |e: &&Estimate| !nearer(e);
        let as_far = self.estimates.iter().filter(far).count();
        (as_far + 1) as f64 / (self.estimates.len() + 1) as f64
    }

    /// The distribution of the bias.
    ///
    /// # Errors
    /// Those of [`EmpiricalNull::fit`].
    pub fn empirical_null(&self) -> Result<EmpiricalNull> {
        EmpiricalNull::fit(&self.estimates)
    }

    /// Every control with its interval at 95 %.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is nothing finite to draw.
    pub fn plot(&self) -> Result<Figure> {
        forest("Negative controls", &self.estimates)
    }

    /// Every control.
    pub fn table(&self) -> Table {
        let mut table = controls("Negative controls", &self.estimates);
        if let Ok(p) = self.smallest_adjusted_p() {
            table = table.note(format!(
                "Smallest p after Holm's adjustment: {}.",
                Cell::p_value(p)
            ));
        }
        let failed: Vec<String> = self.failed.iter().map(|f| format!("failed, {f}")).collect();
        table.warned(&failed)
    }
}

impl EmpiricalNull {
    /// From what an analysis finds on negative controls.
    ///
    /// # Errors
    /// See [`EmpiricalNull`].
    pub fn fit(controls: &[Estimate]) -> Result<Self> {
        for (row, c) in controls.iter().enumerate() {
            for (column, value, fine) in [
                ("estimate", c.estimate, c.estimate.is_finite()),
                (
                    "std_error",
                    c.std_error,
                    c.std_error > 0.0 && c.std_error.is_finite(),
                ),
            ] {
                if !fine {
                    return Err(Error::OutOfRange {
                        column: format!("{column} of {}", c.name),
                        row: row + 1,
                        value,
                        expected: "finite, and a standard error positive; leave out controls without outcomes".to_owned(),
                    });
                }
            }
        }
        if controls.len() < 2 {
            return Err(Error::Unidentified {
                what: "the distribution of the bias".to_owned(),
                needs: format!(
                    "two negative controls or more, where there are {}",
                    controls.len()
                ),
            });
        }
        let column = |of: fn(&Estimate) -> f64| controls.iter().map(of).collect::<Vec<f64>>();
        let frame = Frame::new()
            .with("estimate", column(|c| c.estimate))?
            .with("std_error", column(|c| c.std_error))?;
        // Studies whose mean is the mean bias and whose spread is that of the bias.
        let fit = MetaAnalysis::new("estimate", "std_error")
            .between(BetweenStudies::MaximumLikelihood)
            .mean_error(MeanError::Normal)
            .fit(&frame)?;
        let mut warnings = Vec::new();
        if controls.len() < FEW {
            warnings.push(Warning::Note {
                message: format!(
                    "{} negative controls say little of how the bias varies: calibrated p-values and intervals are too sure; find {FEW} or more",
                    controls.len()
                ),
            });
        }
        Ok(Self {
            controls: controls.to_vec(),
            mean: fit.mean().estimate,
            std_dev: fit.between().max(0.0).sqrt(),
            warnings,
        })
    }

    /// μ, the mean bias.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// σ, the standard deviation of the bias.
    pub fn std_dev(&self) -> f64 {
        self.std_dev
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The two-sided p-value of no effect that allows for the bias.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a standard error that is negative or not finite, or that is zero when the bias does not vary.
    pub fn p_value(&self, effect: &Estimate) -> Result<f64> {
        let corrected = self.corrected(effect)?;
        Ok(2.0 * normal::sf(corrected.statistic(0.0).abs()))
    }

    /// The estimate less the mean bias, with a standard error that holds the spread of the bias.
    ///
    /// # Errors
    /// As [`EmpiricalNull::p_value`].
    pub fn corrected(&self, effect: &Estimate) -> Result<Estimate> {
        let std_error = self.std_dev.hypot(effect.std_error);
        if !(effect.std_error >= 0.0 && std_error > 0.0 && std_error.is_finite()) {
            return Err(Error::invalid_option(
                "std_error",
                effect.std_error,
                "positive and finite",
            ));
        }
        Ok(Estimate {
            name: effect.name.clone(),
            estimate: effect.estimate - self.mean,
            std_error,
            degrees_of_freedom: f64::INFINITY,
        })
    }

    /// The calibrated interval.
    ///
    /// # Errors
    /// As [`EmpiricalNull::p_value`]; [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn confidence_interval(&self, effect: &Estimate, level: f64) -> Result<Interval> {
        check_level(level)?;
        self.corrected(effect)?.confidence_interval(level)
    }

    /// Every control with its interval at 95 %.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is nothing finite to draw.
    pub fn plot(&self) -> Result<Figure> {
        forest("Negative controls", &self.controls)
    }

    /// The p-value of each control by the null learned from the others: near uniform when the calibration holds.
    ///
    /// # Errors
    /// Those of [`EmpiricalNull::fit`] without one control.
    pub fn leave_one_out(&self) -> Result<Vec<f64>> {
        (0..self.controls.len())
            .map(|k| {
                let others: Vec<Estimate> = (self.controls.iter().enumerate())
                    .filter(|(i, _)| *i != k)
                    .map(|(_, c)| c.clone())
                    .collect();
                Self::fit(&others)?.p_value(&self.controls[k])
            })
            .collect()
    }

    /// The controls and the distribution of the bias.
    pub fn table(&self) -> Table {
        controls("Negative controls and their bias", &self.controls)
            .note(format!(
                "Bias: mean {}, standard deviation {}, by maximum likelihood.",
                Cell::significant(self.mean, 4),
                Cell::significant(self.std_dev, 4)
            ))
            .warned(&self.warnings)
    }
}

crate::report::notebook::shown!(PlaceboFit, EmpiricalNull);

fn controls(title: &str, estimates: &[Estimate]) -> Table {
    let mut table = Table::new(title).columns(["", "Estimate", "Std. error", "p"]);
    for e in estimates {
        table = table.row([
            Cell::text(&e.name),
            Cell::significant(e.estimate, 5),
            Cell::significant(e.std_error, 5),
            Cell::p_value(e.p_value()),
        ]);
    }
    table
}

/// Estimates with their 95 % intervals below each other.
pub(in crate::causal) fn forest(title: &str, estimates: &[Estimate]) -> Result<Figure> {
    let mut plot = CoefficientPlot::new().title(title).x_title("estimate");
    for e in estimates {
        let i = e.confidence_interval(0.95)?;
        plot = plot.point(&e.name, e.estimate, i.lower, i.upper);
    }
    plot.draw()
}
