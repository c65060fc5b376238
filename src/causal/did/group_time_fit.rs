//! What the comparisons of cohorts found.

use super::aggregate::{Aggregate, Shares};
use super::callaway_santanna::{BasePeriod, CallawaySantAnna};
use super::effects::{About, RolloutEffects, rollout_verbs};
use super::event_study::EventStudy;
use super::group_time::{Comparison, GroupTimes, name};
use super::sample::Rollout;
use crate::error::{Error, Result};
use crate::inference::Inference;
use crate::report::Table;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A cohort in a period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupTime {
    /// The period in which the cohort is first treated.
    pub cohort: String,
    /// The period of the effect.
    pub period: String,
    /// Time since the start of treatment, negative before.
    pub event_time: f64,
    /// The period that changes are measured from.
    pub base_period: String,
    /// Units of the cohort.
    pub units: usize,
}

/// Group-time effects. The verbs of [`Inference`] are those of all of them, named `ATT(cohort, period)`; the methods aggregate them with weights by the sizes of cohorts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallawaySantAnnaFit {
    model: CallawaySantAnna,
    effects: RolloutEffects,
    cells: Vec<GroupTime>,
    #[serde(skip)]
    shares: Option<Arc<Shares>>,
}

rollout_verbs!(CallawaySantAnnaFit);

impl CallawaySantAnnaFit {
    pub(super) fn new(model: &CallawaySantAnna, rollout: &Rollout, times: GroupTimes) -> Self {
        let comparisons = &times.comparisons;
        let names = comparisons.iter().map(|c| name(rollout, *c)).collect();
        let about = About {
            estimand: format!(
                "Group-time effects of {} on {} ({}, {} controls)",
                model.columns.treatment, model.columns.outcome, model.method, model.controls
            ),
            size: rollout.size.clone(),
            errors: "Standard errors of the influence function".to_owned(),
            warnings: times.warnings,
        };
        let effects = RolloutEffects::new(
            about,
            names,
            DVector::from_vec(times.estimates),
            rollout.by_cluster(&times.influence),
        );
        let units = |cohort: u32| {
            let firsts = rollout.adoption.first.iter();
            firsts.filter(|first| **first == Some(cohort)).count()
        };
        let periods = &rollout.panel.periods;
        let cell = |c: &Comparison| GroupTime {
            cohort: periods[c.cohort as usize].label.clone(),
            period: periods[c.period].label.clone(),
            event_time: periods[c.period].value - periods[c.cohort as usize].value,
            base_period: periods[c.base].label.clone(),
            units: units(c.cohort),
        };
        let mut fit = Self {
            model: model.clone(),
            cells: comparisons.iter().map(cell).collect(),
            shares: Some(Arc::new(Shares::new(rollout, comparisons, times.influence))),
            effects,
        };
        if let Some(warning) = rollout.thin_cohorts() {
            fit.effects.warn(warning);
        }
        fit
    }

    /// The group-time effects.
    pub fn group_time(&self) -> &RolloutEffects {
        &self.effects
    }

    /// Cohort and period of each effect, in their order.
    pub fn cells(&self) -> &[GroupTime] {
        &self.cells
    }

    fn shares(&self) -> Result<&Shares> {
        self.shares.as_deref().ok_or_else(|| Error::DataNotKept {
            what: "an aggregate of group-time effects".to_owned(),
            remedy: "aggregate before writing the fit, or fit again".to_owned(),
        })
    }

    /// Aggregates with their errors.
    fn aggregated(
        &self,
        what: &str,
        aggregates: Vec<(String, Aggregate)>,
    ) -> Result<RolloutEffects> {
        if aggregates.is_empty() {
            return Err(Error::Unidentified {
                what: what.to_owned(),
                needs: "group-time effects after treatment, of which none has controls".to_owned(),
            });
        }
        let shares = self.shares()?;
        let (names, parts): (Vec<String>, Vec<Aggregate>) = aggregates.into_iter().unzip();
        let columns: Vec<DVector<f64>> = parts.iter().map(|p| p.influence.clone()).collect();
        let about = About {
            estimand: format!(
                "{what} of {} on {} ({}, {} controls)",
                self.model.columns.treatment,
                self.model.columns.outcome,
                self.model.method,
                self.model.controls
            ),
            size: shares.size.clone(),
            errors: "Standard errors of the influence function".to_owned(),
            warnings: self.warnings().to_vec(),
        };
        Ok(RolloutEffects::new(
            about,
            names,
            DVector::from_iterator(parts.len(), parts.iter().map(|p| p.estimate)),
            shares.by_cluster(&DMatrix::from_columns(&columns)),
        ))
    }

    /// Positions of cells, with the estimate of each.
    fn of(&self, part: impl Fn(&GroupTime) -> bool) -> Vec<usize> {
        (0..self.cells.len())
            .filter(|at| part(&self.cells[*at]))
            .collect()
    }

    fn aggregate(&self, positions: &[usize]) -> Result<Aggregate> {
        let estimates: Vec<f64> = positions
            .iter()
            .map(|at| self.effects.estimates()[*at])
            .collect();
        Ok(self.shares()?.aggregate(positions, &estimates))
    }

    /// One number: the mean of all effects after treatment, each cohort weighted by its size. Cohorts that are treated early count more often.
    ///
    /// # Errors
    /// [`Error::Unidentified`] without effects after treatment; [`Error::DataNotKept`] for a fit that was read from a file.
    pub fn simple(&self) -> Result<RolloutEffects> {
        let after = self.of(|cell| cell.event_time >= 0.0);
        let parts = if after.is_empty() {
            Vec::new()
        } else {
            vec![("ATT".to_owned(), self.aggregate(&after)?)]
        };
        self.aggregated("Average effect", parts)
    }

    /// The mean effect of each cohort over its treated periods, and `average`, their mean by size of cohort: the effect that a treated unit has on average.
    ///
    /// # Errors
    /// As [`simple`](Self::simple).
    pub fn by_cohort(&self) -> Result<RolloutEffects> {
        let mut parts: Vec<(String, Aggregate)> = Vec::new();
        let mut firsts: Vec<usize> = Vec::new();
        for at in self.of(|cell| cell.event_time >= 0.0) {
            let cohort = &self.cells[at].cohort;
            if parts.iter().all(|(name, _)| name != cohort) {
                let own = self.of(|cell| cell.cohort == *cohort && cell.event_time >= 0.0);
                // All have one share: their weights are even and known.
                parts.push((cohort.clone(), self.aggregate(&own)?));
                firsts.push(at);
            }
        }
        if !parts.is_empty() {
            let aggregates: Vec<&Aggregate> = parts.iter().map(|(_, part)| part).collect();
            let average = self.shares()?.combine(&firsts, &aggregates);
            parts.push(("average".to_owned(), average));
        }
        self.aggregated("Effects by cohort", parts)
    }

    /// The mean effect in each period over the cohorts that are treated then, and `average`, their even mean.
    ///
    /// # Errors
    /// As [`simple`](Self::simple).
    pub fn by_period(&self) -> Result<RolloutEffects> {
        let mut parts: Vec<(String, f64, Aggregate)> = Vec::new();
        for at in self.of(|cell| cell.event_time >= 0.0) {
            let period = &self.cells[at].period;
            if parts.iter().all(|(name, ..)| name != period) {
                let own = self.of(|cell| cell.period == *period && cell.event_time >= 0.0);
                let order = self.shares()?.period_of(at);
                parts.push((period.clone(), order, self.aggregate(&own)?));
            }
        }
        parts.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut parts: Vec<(String, Aggregate)> = parts
            .into_iter()
            .map(|(name, _, part)| (name, part))
            .collect();
        if !parts.is_empty() {
            let average = Aggregate::even(parts.iter().map(|(_, part)| part));
            parts.push(("average".to_owned(), average));
        }
        self.aggregated("Effects by period", parts)
    }

    /// Effects by time since treatment, each the mean over the cohorts that have it, weighted by size.
    ///
    /// # Errors
    /// As [`simple`](Self::simple).
    pub fn event_study(&self) -> Result<EventStudy> {
        self.dynamic("Effects by time since treatment", |_| true)
    }

    /// The same for the cohorts that are observed at least `until` after their treatment and up to that time, so that the cohorts behind the effects after treatment do not change.
    ///
    /// # Errors
    /// As [`simple`](Self::simple); [`Error::InvalidOption`] for a time before treatment.
    pub fn balanced_event_study(&self, until: f64) -> Result<EventStudy> {
        if until.is_nan() || until < 0.0 {
            return Err(Error::invalid_option(
                "until",
                until,
                "0 or more, a time since treatment",
            ));
        }
        let shares = self.shares()?;
        let what = format!("Effects by time since treatment, cohorts observed until {until}");
        self.dynamic(&what, |at| {
            shares.observed_until(at) >= until && self.cells[at].event_time <= until
        })
    }

    fn dynamic(&self, what: &str, part: impl Fn(usize) -> bool) -> Result<EventStudy> {
        let used: Vec<usize> = (0..self.cells.len()).filter(|at| part(*at)).collect();
        let mut times: Vec<f64> = used.iter().map(|at| self.cells[*at].event_time).collect();
        times.sort_unstable_by(f64::total_cmp);
        times.dedup();
        let mut parts = Vec::new();
        for time in &times {
            let own: Vec<usize> = (used.iter().copied())
                .filter(|at| self.cells[*at].event_time.total_cmp(time).is_eq())
                .collect();
            parts.push((EventStudy::name(*time), self.aggregate(&own)?));
        }
        let universal = self.model.base_period == BasePeriod::Universal;
        let reference = universal
            .then(|| self.shares().map(Shares::reference))
            .transpose()?
            .flatten();
        let study = EventStudy::new(self.aggregated(what, parts)?, times, reference);
        Ok(study.anticipated(self.model.anticipation))
    }

    /// The group-time effects as a table.
    pub fn table(&self) -> Table {
        self.effects.table()
    }
}

crate::report::notebook::shown!(CallawaySantAnnaFit);
