//! Looks as they come: what the design says to the data so far.

use super::design::SMALLEST_STEP;
use super::result::{GroupSequentialDesign, boundary_lines};
use super::walk::{Allowed, Bounds, Walk};
use crate::error::{Error, Result};
use crate::experiment::Effect;
use crate::inference::{Alternative, Interval};
use crate::report::{Cell, Figure, Table, notebook_line, shown};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Fractions this close to one are one.
const ROUNDING: f64 = 1e-9;

/// What to do after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SequentialDecision {
    /// Go on.
    Continue,
    /// Stop: the effect is there.
    Efficacy,
    /// Stop: the effect of the design would hardly be found any more.
    Futility,
    /// The last look, and no effect was found.
    End,
}

impl fmt::Display for SequentialDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Continue => "continue",
            Self::Efficacy => "stop: effect",
            Self::Futility => "stop: futility",
            Self::End => "end: no effect",
        })
    }
}

/// A look that was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonitoredLook {
    /// The estimate from all data so far.
    pub estimate: f64,
    /// Its standard error.
    pub std_error: f64,
    /// Its information `1/se²`, as a fraction of the planned maximum.
    pub fraction: f64,
    /// `estimate/std_error`.
    pub statistic: f64,
    /// The bound of a stop for an effect, for the statistic turned to the claim (its absolute value, of a two-sided test).
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub efficacy: f64,
    /// The bound of a stop for futility; that of a two-sided test is zero where nothing can be spent yet.
    pub futility: Option<f64>,
    /// Share of the level spent so far.
    pub alpha_spent: f64,
    /// The repeated confidence interval: `estimate ± efficacy · std_error`, open on the side of the claim of a one-sided test. All of them, over
    /// all looks, cover together with probability 1 − α at least, whether or not one stops; with binding bounds of futility only where these
    /// are followed.
    pub repeated_interval: Interval,
    /// What to do.
    pub decision: SequentialDecision,
}

impl fmt::Display for MonitoredLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} % of the information: z = {:.3}, efficacy {:.3}",
            100.0 * self.fraction,
            self.statistic,
            self.efficacy
        )?;
        if let Some(futility) = self.futility {
            write!(f, ", futility {futility:.3}")?;
        }
        write!(f, "; {}", self.decision)
    }
}

notebook_line!(MonitoredLook);

/// A design at work: takes in looks, says whether to stop, and what may be concluded at the end.
///
/// The information that comes need not be what was planned: each look spends what its own fraction of the maximum allows, so that the level
/// holds whenever and however often one looks, as long as the moments do not depend on the estimates. A boundary that is not defined by
/// spending spends what it would have spent at the planned looks, and in between along straight lines; with the planned information its
/// bounds are those of the design. A look with the maximum is the last one. One that ends early or late (under- and overrunning) is told with
/// [`last_look`](Self::last_look); data that arrive after a stop with [`overrun`](Self::overrun).
///
/// The state survives a restart through serde.
///
/// # Errors
/// [`Error::InvalidOption`] for an estimate or a standard error that is not finite, information that does not grow by at least 10⁻⁴ of the
/// maximum, a fraction beyond one, and looks after the experiment stopped. A stop for futility that is not binding may be overruled by a next
/// look.
///
/// # References
/// Lan & DeMets (1983), doi:10.1093/biomet/70.3.659; Jennison & Turnbull (1989), *Journal of the Royal Statistical Society B* 51, 305–361
/// (repeated confidence intervals); Jennison & Turnbull (2000), chapters 7 to 10.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let design = GroupSequential::new(4).power(0.9).design()?;
/// let mut monitor = design.monitor(design.information(0.5)?)?; // to find an effect of 0.5
/// assert_eq!(monitor.look(0.55, 0.30)?.decision, SequentialDecision::Continue);
/// let second = monitor.look(0.62, 0.19)?;
/// assert_eq!(second.decision, SequentialDecision::Efficacy);
/// let result = monitor.analysis(0.95)?;
/// assert!(result.median_unbiased < 0.62 && result.interval.lower > 0.0 && result.p_value < 0.05);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSequentialMonitor {
    pub(super) design: GroupSequentialDesign,
    pub(super) maximum_information: f64,
    pub(super) looks: Vec<MonitoredLook>,
    /// Estimate and fraction of all data, those after the stop included.
    pub(super) overrun: Option<(f64, f64)>,
    /// The last look was taken, whatever its information.
    #[serde(default)]
    pub(super) ended: bool,
}

impl GroupSequentialDesign {
    /// A monitor of an experiment whose last look is to have this information `1/se²`; see [`information`](Self::information).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] unless the information is positive and finite.
    pub fn monitor(&self, maximum_information: f64) -> Result<GroupSequentialMonitor> {
        if !(maximum_information > 0.0 && maximum_information.is_finite()) {
            return Err(Error::invalid_option(
                "maximum_information",
                maximum_information,
                "positive and finite; `design.information(effect)` is what the power needs",
            ));
        }
        Ok(GroupSequentialMonitor {
            design: self.clone(),
            maximum_information,
            looks: vec![],
            overrun: None,
            ended: false,
        })
    }
}

impl GroupSequentialMonitor {
    /// Takes in the estimate from all data so far.
    ///
    /// # Errors
    /// See [`GroupSequentialMonitor`].
    pub fn look(&mut self, estimate: f64, std_error: f64) -> Result<MonitoredLook> {
        self.take(estimate, std_error, false)
    }

    /// Takes in the difference of an effect of an [`Experiment`](crate::experiment::Experiment), as normal: its degrees of freedom are not used, and
    /// should be some hundreds.
    ///
    /// # Errors
    /// See [`GroupSequentialMonitor`].
    pub fn look_at(&mut self, effect: &Effect) -> Result<MonitoredLook> {
        self.look(effect.difference.estimate, effect.difference.std_error)
    }

    /// Takes in the last look, whatever its information: all that is left of the level is spent.
    ///
    /// # Errors
    /// See [`GroupSequentialMonitor`]; a fraction beyond one is none here.
    pub fn last_look(&mut self, estimate: f64, std_error: f64) -> Result<MonitoredLook> {
        self.take(estimate, std_error, true)
    }

    /// Takes in the estimate from all data, those included that arrived after the stop. The decision stays; [`analysis`](Self::analysis) is then of
    /// all data, as if the look that stopped had not been taken (the deletion method).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] before a stop, for information less than at the stop, or numbers that are not finite.
    ///
    /// # References
    /// Whitehead (1992), doi:10.1016/0197-2456(92)90017-T.
    pub fn overrun(&mut self, estimate: f64, std_error: f64) -> Result<()> {
        if !self.stopped() {
            return Err(Error::invalid_option(
                "overrun",
                "told before the experiment stopped",
                "told after it; until then take looks with `.look(…)`",
            ));
        }
        let fraction = self.fraction(estimate, std_error)?;
        let before = self.looks.last().map_or(0.0, |look| look.fraction);
        if fraction < before * (1.0 - ROUNDING) {
            return Err(less_information(fraction, before));
        }
        self.overrun = Some((estimate, fraction));
        Ok(())
    }

    fn take(&mut self, estimate: f64, std_error: f64, last: bool) -> Result<MonitoredLook> {
        let number = self.looks.len() + 1;
        if self.stopped() && !(self.overrulable() && self.overrun.is_none()) {
            return Err(Error::invalid_option(
                "look",
                format!(
                    "look {number}, after the experiment stopped at look {}",
                    number - 1
                ),
                "taken before the stop; tell data that arrived after it with `.overrun(…)`",
            ));
        }
        let mut fraction = self.fraction(estimate, std_error)?;
        let before = self.looks.last().map_or(0.0, |look| look.fraction);
        if !last && fraction > 1.0 + ROUNDING {
            return Err(Error::invalid_option(
                "std_error",
                format!("{std_error}: {fraction} of the planned maximum of information"),
                "such that the fraction is at most 1; if this is the last look, say so with `.last_look(…)`",
            ));
        }
        if (fraction - 1.0).abs() <= ROUNDING {
            fraction = 1.0;
        }
        if fraction - before < SMALLEST_STEP {
            return Err(less_information(fraction, before));
        }
        let last = last || fraction >= 1.0;
        let mut walk = self.walk(fraction)?;
        let allowed = self.allowed(fraction, last);
        let bounds = walk.bounds(fraction, allowed);
        walk.count(bounds, allowed.beta);
        let statistic = estimate / std_error;
        let size = self.design.alternative.extremeness(statistic);
        let decision = if size >= bounds.efficacy {
            SequentialDecision::Efficacy
        } else if last {
            SequentialDecision::End
        } else if (bounds.futility).is_some_and(|futility| {
            size <= futility && (futility > 0.0 || !self.design.two_sided())
        }) {
            SequentialDecision::Futility
        } else {
            SequentialDecision::Continue
        };
        let half = bounds.efficacy * std_error;
        let open = |side: Alternative| self.design.alternative == side;
        let look = MonitoredLook {
            estimate,
            std_error,
            fraction,
            statistic,
            efficacy: bounds.efficacy,
            futility: bounds.futility,
            alpha_spent: walk.alpha_spent() * self.design.alpha / self.design.side_alpha(),
            repeated_interval: Interval {
                name: format!("look {number}"),
                level: 1.0 - self.design.alpha,
                lower: if open(Alternative::Less) {
                    f64::NEG_INFINITY
                } else {
                    estimate - half
                },
                upper: if open(Alternative::Greater) {
                    f64::INFINITY
                } else {
                    estimate + half
                },
            },
            decision,
        };
        self.looks.push(look.clone());
        self.ended = last;
        Ok(look)
    }

    /// The fraction of the maximum that an estimate has.
    fn fraction(&self, estimate: f64, std_error: f64) -> Result<f64> {
        if !estimate.is_finite() {
            return Err(Error::invalid_option("estimate", estimate, "finite"));
        }
        let fraction = 1.0 / (std_error * std_error * self.maximum_information);
        if !(std_error > 0.0 && fraction > 0.0 && fraction.is_finite()) {
            return Err(Error::invalid_option(
                "std_error",
                std_error,
                "positive and finite",
            ));
        }
        Ok(fraction)
    }

    pub(super) fn allowed(&self, fraction: f64, last: bool) -> Allowed {
        let spent_by = if last { 1.0 } else { fraction };
        Allowed {
            alpha: self.design.alpha_until(spent_by),
            efficacy: None,
            beta: self.design.beta_until(spent_by),
            last,
            hint: None,
        }
    }

    /// The bounds of the looks so far, without futility once it was overruled.
    pub(super) fn bounds(&self) -> Vec<Bounds> {
        let overruled = self.overruled();
        let looks = self.looks.iter();
        looks
            .map(|look| Bounds {
                time: look.fraction,
                efficacy: look.efficacy,
                futility: look.futility.filter(|_| !overruled),
            })
            .collect()
    }

    /// Whether a stop for futility was not followed.
    pub(super) fn overruled(&self) -> bool {
        let before = self
            .looks
            .split_last()
            .map_or(&[][..], |(_, before)| before);
        before
            .iter()
            .any(|look| look.decision == SequentialDecision::Futility)
    }

    pub(super) fn overrulable(&self) -> bool {
        let futile = |look: &MonitoredLook| look.decision == SequentialDecision::Futility;
        !self.design.binding && self.looks.last().is_some_and(futile)
    }

    /// What was spent until now, ready for a look at `next`.
    pub(super) fn walk(&self, next: f64) -> Result<Walk> {
        let design = &self.design;
        let mut walk = Walk::new(design.two_sided(), design.binding, design.drift);
        let mut bounds = self.bounds();
        if self.overrulable() {
            // A next look overrules the stop.
            for look in &mut bounds {
                look.futility = None;
            }
        }
        let times = bounds.iter().map(|look| look.time).skip(1).chain([next]);
        for (look, next) in bounds.iter().zip(times) {
            walk.count(*look, None);
            walk.advance(*look, next - look.time)?;
        }
        Ok(walk)
    }

    /// Whether the experiment stopped or ended.
    pub fn stopped(&self) -> bool {
        self.looks
            .last()
            .is_some_and(|look| look.decision != SequentialDecision::Continue)
    }

    /// The looks so far.
    pub fn looks(&self) -> &[MonitoredLook] {
        &self.looks
    }

    /// The design.
    pub fn design(&self) -> &GroupSequentialDesign {
        &self.design
    }

    /// The looks.
    pub fn table(&self) -> Table {
        let futility = self.design.futility.is_some();
        let mut head = vec!["Look", "Information", "Estimate", "s.e.", "z", "z efficacy"];
        if futility {
            head.push("z futility");
        }
        head.extend(["Lower", "Upper", "α spent", "Decision"]);
        let mut table = Table::new("Group-sequential experiment").columns(head);
        for (k, look) in self.looks.iter().enumerate() {
            let mut row = vec![
                Cell::count(k + 1),
                Cell::percent(look.fraction, 1),
                Cell::significant(look.estimate, 4),
                Cell::significant(look.std_error, 4),
                Cell::fixed(look.statistic, 3),
                Cell::fixed(look.efficacy, 3),
            ];
            if futility {
                row.push(look.futility.map_or(Cell::empty(), |z| Cell::fixed(z, 3)));
            }
            row.extend([
                Cell::significant(look.repeated_interval.lower, 4),
                Cell::significant(look.repeated_interval.upper, 4),
                Cell::significant(look.alpha_spent, 3),
                Cell::text(look.decision.to_string()),
            ]);
            table = table.row(row);
        }
        table = table.note(format!(
            "Lower, upper: repeated confidence interval at {} %; {}",
            (1.0 - self.design.alpha) * 100.0,
            self.design.efficacy
        ));
        if self.overruled() {
            table = table.note("A stop for futility was overruled");
        }
        table
    }

    /// The bounds, those still to come included, with the path of the statistic.
    ///
    /// # Errors
    /// Those of [`LinePlot::draw`](crate::report::LinePlot::draw).
    pub fn figure(&self) -> Result<Figure> {
        let mut bounds = self.bounds();
        if !self.stopped() || self.overrulable() {
            bounds.extend(self.future()?);
        }
        let sign = self.design.sign();
        let times: Vec<f64> = self.looks.iter().map(|look| look.fraction).collect();
        let path: Vec<f64> = self
            .looks
            .iter()
            .map(|look| sign * look.statistic)
            .collect();
        let mut plot = boundary_lines(&bounds, self.design.two_sided());
        if !times.is_empty() {
            plot = plot.line("statistic", times, path);
        }
        plot.title("Group-sequential experiment")
            .x_title("Information fraction")
            .y_title("z")
            .draw()
    }
}

shown!(GroupSequentialMonitor);

fn less_information(fraction: f64, before: f64) -> Error {
    Error::invalid_option(
        "std_error",
        format!("such that the information fraction goes from {before} to {fraction}"),
        format!(
            "smaller than at the look before, by {SMALLEST_STEP} of the maximum of information at least: estimates are of all data so far"
        ),
    )
}
