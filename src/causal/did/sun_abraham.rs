//! Event studies from a regression with one coefficient a cohort and time since treatment.

use super::effects::{About, RolloutEffects, rollout_verbs};
use super::event_study::EventStudy;
use super::regression::{OUTCOME, Working, named};
use super::sample::{Rollout, RolloutColumns, rollout_options};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::Inference;
use crate::numeric::Progress;
use crate::report::Table;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// The interaction-weighted estimator: least squares of `y_it = α_i + λ_t + Σ_g Σ_{e ≠ −1} δ_ge 1{G_i = g} 1{t − g = e} + x_it'γ + ε_it` and, for each time since treatment e, the
/// mean of the `δ_ge` over cohorts weighted by their rows.
///
/// Each `δ_ge` compares one cohort with never-treated units, to the last period before its treatment, so that effects may differ between cohorts. Without never-treated
/// units the last cohort takes their place, on the periods before its treatment. In a balanced panel without covariates the estimates are those of
/// [`CallawaySantAnna`](super::CallawaySantAnna) with never-treated controls and a universal base period; the errors differ in that shares of cohorts are taken as known here,
/// as in fixest, and that covariates enter linearly with one coefficient.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `treatment` | required | 0 before and 1 from the start of treatment on; with [`starts`](Self::starts) the first treated period |
/// | `covariates` | none | the right-hand side of a formula |
/// | `weights` | none | a column, constant within units |
/// | `clusters` | the unit | a column, in which units lie |
///
/// Parallel trends must hold between all cohorts and the controls, without anticipation. Panels may have gaps. Units treated from the first period on are left out, counted in a warning. Errors are
/// clustered (CR1).
///
/// # Errors
/// [`Error::Unidentified`] when no unit is treated later than others, or never; those of [`Ols`](crate::regression::Ols) and of reading the panel.
///
/// # References
/// Sun & Abraham (2021), doi:10.1016/j.jeconom.2020.09.006.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let rollout = StaggeredRollout { units: 400, seed: Some(Seed::new(3)), ..StaggeredRollout::new() }.simulate()?;
/// let study = SunAbraham::new("y", "treated", "unit", "period").fit(&rollout.data)?.event_study();
/// let third = study.at(3.0)?;
/// assert!((third.estimate - 1.3).abs() < 3.0 * third.std_error);
/// println!("{study}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SunAbraham {
    columns: RolloutColumns,
    covariates: Option<String>,
}

/// Effects by cohort and time since treatment, named `2004 t+1`; the verbs of [`Inference`] are those of all of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SunAbrahamFit {
    effects: RolloutEffects,
    cells: Vec<InteractedCell>,
    reference: Option<f64>,
}

/// A cohort at a time since its treatment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct InteractedCell {
    cohort: u32,
    time: f64,
    /// Of its rows.
    weight: f64,
}

rollout_options!(SunAbraham);
rollout_verbs!(SunAbrahamFit);

impl SunAbraham {
    /// The effects of a treatment on an outcome, for units observed over periods.
    pub fn new(outcome: &str, treatment: &str, unit: &str, period: &str) -> Self {
        Self {
            columns: RolloutColumns::new(outcome, treatment, unit, period),
            covariates: None,
        }
    }

    /// Covariates: the right-hand side of a formula.
    pub fn covariates(mut self, terms: &str) -> Self {
        self.covariates = Some(terms.to_owned());
        self
    }

    /// Estimates the effects of all cohorts at all times.
    ///
    /// # Errors
    /// See [`SunAbraham`].
    pub fn fit(&self, frame: &Frame) -> Result<SunAbrahamFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Estimates the effects of all cohorts at all times, watched.
    ///
    /// # Errors
    /// See [`SunAbraham`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<SunAbrahamFit> {
        let rollout = self
            .columns
            .read(frame, self.covariates.as_deref().unwrap_or("1"))?
            .with_a_past(0.0)?
            .with_controls()?;
        let (cells, references) = cells(&rollout);
        let event_times = rollout.event_times();
        let cohort = |row: usize| rollout.adoption.first[rollout.panel.unit_of[row] as usize];
        let name = |cell: &InteractedCell| {
            let label = &rollout.panel.periods[cell.cohort as usize].label;
            format!("{label} {}", EventStudy::name(cell.time))
        };
        let mut working = Working::new(&rollout)?;
        for cell in &cells {
            let rows = event_times.iter().enumerate();
            let own = rows.map(|(row, time)| {
                let inside = cohort(row) == Some(cell.cohort) && time.total_cmp(&cell.time).is_eq();
                f64::from(u8::from(inside))
            });
            working.add(&name(cell), own.collect())?;
        }
        let fit = working.fit(OUTCOME, progress)?;
        let cells: Vec<InteractedCell> = cells
            .into_iter()
            .filter(|cell| fit.position(&name(cell)).is_ok())
            .collect();
        if !cells.iter().any(|cell| cell.time >= 0.0) {
            return Err(Error::Unidentified {
                what: "an effect of treatment".to_owned(),
                needs: "treated rows whose periods have controls".to_owned(),
            });
        }
        let names: Vec<String> = cells.iter().map(&name).collect();
        let about = About {
            estimand: format!(
                "Effects of {} on {} by cohort and time since treatment",
                self.columns.treatment, self.columns.outcome
            ),
            size: rollout.size.clone(),
            errors: "Clustered standard errors (CR1)".to_owned(),
            warnings: (rollout.warnings.iter().cloned())
                .chain(rollout.thin_cohorts())
                .chain(fit.warnings())
                .collect(),
        };
        Ok(SunAbrahamFit {
            effects: named(about, names, &fit)?,
            cells,
            reference: references,
        })
    }
}

/// All cells but one reference a cohort, its last period before treatment; and the time of the reference when it is one.
fn cells(rollout: &Rollout) -> (Vec<InteractedCell>, Option<f64>) {
    let event_times = rollout.event_times();
    let mut cells = Vec::new();
    let mut references = Vec::new();
    for cohort in rollout.adoption.cohorts() {
        let rows: Vec<usize> = (0..event_times.len())
            .filter(|row| {
                rollout.adoption.first[rollout.panel.unit_of[*row] as usize] == Some(cohort)
            })
            .collect();
        let mut times: Vec<f64> = rows.iter().map(|row| event_times[*row]).collect();
        times.sort_unstable_by(f64::total_cmp);
        times.dedup();
        let before = times.iter().copied().filter(|time| *time < 0.0);
        let reference = before.reduce(f64::max);
        references.extend(reference);
        times.retain(|time| reference.is_none_or(|r| time.total_cmp(&r).is_ne()));
        for time in times {
            let own = rows
                .iter()
                .filter(|row| event_times[**row].total_cmp(&time).is_eq());
            let weight = own
                .map(|row| rollout.weights[rollout.panel.unit_of[*row] as usize])
                .sum();
            cells.push(InteractedCell {
                cohort,
                time,
                weight,
            });
        }
    }
    references.dedup();
    let one = (references.len() == 1).then(|| references[0]);
    (cells, one)
}

impl SunAbrahamFit {
    /// The weighted means of cells.
    fn means(&self, estimand: &str, parts: Vec<(String, Vec<usize>)>) -> RolloutEffects {
        let mut map = DMatrix::zeros(parts.len(), self.cells.len());
        for (i, (_, cells)) in parts.iter().enumerate() {
            let total: f64 = cells.iter().map(|at| self.cells[*at].weight).sum();
            for at in cells {
                map[(i, *at)] = self.cells[*at].weight / total;
            }
        }
        let names = parts.into_iter().map(|(name, _)| name).collect();
        self.effects.mapped(estimand, names, &map)
    }

    fn of(&self, part: impl Fn(&InteractedCell) -> bool) -> Vec<usize> {
        (0..self.cells.len())
            .filter(|at| part(&self.cells[*at]))
            .collect()
    }

    /// Effects by time since treatment, each the mean over cohorts by their rows.
    pub fn event_study(&self) -> EventStudy {
        let mut times: Vec<f64> = self.cells.iter().map(|cell| cell.time).collect();
        times.sort_unstable_by(f64::total_cmp);
        times.dedup();
        let part = |time: &f64| {
            let own = self.of(|cell| cell.time.total_cmp(time).is_eq());
            (EventStudy::name(*time), own)
        };
        let parts = times.iter().map(part).collect();
        let effects = self.means(
            "Effects by time since treatment (interaction-weighted)",
            parts,
        );
        EventStudy::new(effects, times, self.reference)
    }

    /// One number: the mean over all treated cells by their rows.
    pub fn simple(&self) -> RolloutEffects {
        let after = self.of(|cell| cell.time >= 0.0);
        self.means(
            "Average effect (interaction-weighted)",
            vec![("ATT".to_owned(), after)],
        )
    }

    /// The effects as a table.
    pub fn table(&self) -> Table {
        self.effects.table()
    }
}

crate::report::notebook::shown!(SunAbrahamFit);
