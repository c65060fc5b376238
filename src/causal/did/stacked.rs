//! One small experiment a cohort, stacked.

use super::effects::About;
use super::event_study::EventStudy;
use super::regression::{OUTCOME, Working, WorkingRows, named};
use super::sample::{RolloutColumns, rollout_options};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::Inference;
use crate::numeric::Progress;
use serde::{Deserialize, Serialize};

/// Stacked differences in differences: for each cohort its units and those not treated until the end of its window, from `before` periods before to `after` periods after its treatment; these small
/// experiments are stacked, and outcomes regressed on indicators of time since treatment with effects of units and periods in each experiment.
///
/// Every comparison is with units that are not treated in the window. By default controls are weighted so that each experiment counts by its treated units (Wing, Freedman &
/// Hollingsworth 2024), and the effects are averages over treated units; [`unweighted`](Self::unweighted) leaves that to least squares (Cengiz et al. 2019), which prefers experiments
/// with even arms.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `treatment` | required | 0 before and 1 from the start of treatment on; with [`starts`](Self::starts) the first treated period |
/// | `before`, `after` | required | the window, in periods as they follow one another |
/// | `weights` | none | a column, constant within units |
/// | `clusters` | the unit | a column, in which units lie |
///
/// Cohorts whose window is not in the panel, or has no controls, are left out, named in a warning. Panels may have gaps: rows that are missing are missing in their experiments,
/// and the weights of controls are those of the period, treated rows over rows of controls. Errors are clustered (CR1) by unit, which may be in several experiments.
///
/// # Errors
/// [`Error::Unidentified`] when no cohort has its window and controls; [`Error::InvalidOption`] for a window without periods before; those of reading the panel.
///
/// # References
/// Cengiz, Dube, Lindner & Zipperer (2019), doi:10.1093/qje/qjz014; Wing, Freedman & Hollingsworth (2024), doi:10.3386/w32054.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let rollout = StaggeredRollout { units: 400, seed: Some(Seed::new(3)), ..StaggeredRollout::new() }.simulate()?;
/// let study = Stacked::new("y", "treated", "unit", "period", 3, 2).fit(&rollout.data)?;
/// let second = study.at(2.0)?;
/// assert!((second.estimate - 1.2).abs() < 3.0 * second.std_error);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stacked {
    columns: RolloutColumns,
    before: usize,
    after: usize,
    unweighted: bool,
}

rollout_options!(Stacked);

impl Stacked {
    /// The effects of a treatment on an outcome in a window about its start.
    pub fn new(
        outcome: &str,
        treatment: &str,
        unit: &str,
        period: &str,
        before: usize,
        after: usize,
    ) -> Self {
        Self {
            columns: RolloutColumns::new(outcome, treatment, unit, period),
            before,
            after,
            unweighted: false,
        }
    }

    /// Weighs experiments as least squares does.
    pub fn unweighted(mut self) -> Self {
        self.unweighted = true;
        self
    }

    /// Stacks the experiments and estimates.
    ///
    /// # Errors
    /// See [`Stacked`].
    pub fn fit(&self, frame: &Frame) -> Result<EventStudy> {
        if self.before == 0 {
            return Err(Error::invalid_option(
                "before",
                0,
                "at least 1: the last period before treatment is the reference",
            ));
        }
        let rollout = self.columns.read(frame, "1")?.with_a_past(0.0)?;
        let periods = rollout.panel.periods.len();
        let first = &rollout.adoption.first;
        let mut rows = WorkingRows::default();
        let mut event = Vec::new();
        let mut units: Vec<u32> = Vec::new();
        let mut left_out = Vec::new();
        for cohort in rollout.adoption.cohorts() {
            let start = cohort as usize;
            let last = start.saturating_add(self.after);
            let is_control = |unit: usize| first[unit].is_none_or(|other| other as usize > last);
            let is_treated = |unit: usize| first[unit] == Some(cohort);
            let inside: Vec<usize> = (0..first.len())
                .filter(|unit| is_treated(*unit) || is_control(*unit))
                .collect();
            if start < self.before || last >= periods {
                left_out.push(rollout.panel.periods[start].label.clone());
                continue;
            }
            let window = start - self.before..=last;
            // The weight of each period's rows, of controls and of treated units.
            let mut totals = vec![[0.0; 2]; periods];
            for (unit, period) in inside.iter().flat_map(|u| window.clone().map(|p| (*u, p))) {
                if rollout.panel.at(unit, period).is_some() {
                    totals[period][usize::from(is_treated(unit))] += rollout.weights[unit];
                }
            }
            if totals[window.clone()]
                .iter()
                .all(|[controls, _]| *controls <= 0.0)
            {
                left_out.push(rollout.panel.periods[start].label.clone());
                continue;
            }
            for unit in inside {
                for period in window.clone() {
                    let Some(row) = rollout.panel.at(unit, period) else {
                        continue;
                    };
                    let [controls, treated] = totals[period];
                    let balance = if self.unweighted || is_treated(unit) {
                        1.0
                    } else {
                        treated / controls
                    };
                    // Controls of a period without treated rows have nobody to stand beside.
                    if balance <= 0.0 {
                        continue;
                    }
                    units.push(unit as u32);
                    rows.outcome.push(rollout.y[row]);
                    rows.unit.push((start * first.len() + unit) as f64);
                    rows.period.push((start * periods + period) as f64);
                    rows.cluster.push(f64::from(rollout.clusters[unit]));
                    rows.weight.push(balance * rollout.weights[unit]);
                    event.push(is_treated(unit).then_some(period as f64 - f64::from(cohort)));
                }
            }
        }
        if event.is_empty() {
            return Err(Error::Unidentified {
                what: "stacked effects".to_owned(),
                needs: "a cohort with all periods of its window and with units not treated until its end; make the window shorter".to_owned(),
            });
        }
        let mut warnings = rollout.warnings.clone();
        if !left_out.is_empty() {
            warnings.push(Warning::Note {
                message: format!(
                    "cohorts left out, whose window is not in the panel or has no controls: {}",
                    left_out.join(", ")
                ),
            });
        }
        let mut size = rollout.size.clone();
        size.rows = event.len();
        units.sort_unstable();
        units.dedup();
        size.units = units.len();
        let mut clusters: Vec<u32> = units
            .iter()
            .map(|unit| rollout.clusters[*unit as usize])
            .collect();
        clusters.sort_unstable();
        clusters.dedup();
        size.clusters.1 = clusters.len();
        let mut working = Working::of(rows)?;
        let mut times: Vec<f64> = (0..=self.before + self.after)
            .filter(|offset| offset + 1 != self.before)
            .map(|offset| offset as f64 - self.before as f64)
            .collect();
        for time in &times {
            let inside = |e: &Option<f64>| e.is_some_and(|e| e.total_cmp(time).is_eq());
            let own = event.iter().map(|e| f64::from(u8::from(inside(e))));
            working.add(&EventStudy::name(*time), own.collect())?;
        }
        let fit = working.fit(OUTCOME, &Progress::none())?;
        times.retain(|time| fit.position(&EventStudy::name(*time)).is_ok());
        warnings.extend(fit.warnings());
        let about = About {
            estimand: format!(
                "Stacked effects of {} on {} by time since treatment",
                self.columns.treatment, self.columns.outcome
            ),
            size,
            errors: "Clustered standard errors (CR1)".to_owned(),
            warnings,
        };
        let names = times.iter().map(|time| EventStudy::name(*time)).collect();
        Ok(EventStudy::new(
            named(about, names, &fit)?,
            times,
            Some(-1.0),
        ))
    }
}
