//! Effects as outcomes less what they would be without treatment, imputed from untreated rows: in one step or as a second regression.

use super::effects::{About, RolloutEffects};
use super::event_study::EventStudy;
use super::regression::{OUTCOME, Working, clustered};
use super::sample::{Rollout, RolloutColumns, rollout_options};
use super::untreated::Untreated;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::Inference;
use crate::numeric::Progress;
use crate::report::Table;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::effects::rollout_verbs;

/// Imputation: `y_it = α_i + λ_t + x_it'δ + ε_it` by least squares on untreated rows alone, effects `τ̂_it = y_it − α̂_i − λ̂_t − x_it'δ̂` of treated rows, and their means.
///
/// | constructor | effects before treatment | errors |
/// |---|---|---|
/// | [`new`](Self::new) (Borusyak, Jaravel & Spiess 2024) | none, or [`leads`](Self::leads) | conservative: residuals of treated rows are taken about the mean of their cohort and period |
/// | [`two_stage`](Self::two_stage) (Gardner 2022) | mean residuals of untreated rows by time before treatment, each relative to all untreated rows | of both stages as one moment estimator |
///
/// The estimates from treatment on are the same. Under spherical errors no unbiased estimator has a smaller variance; all periods before treatment count, where
/// [`CallawaySantAnna`](super::CallawaySantAnna) uses the last alone. That is more precise and asks for parallel trends over all of them. Of both kinds of errors the
/// first are no smaller than the second when effects differ within a cohort and period; those of two stages treat all deviations from the mean of a time since treatment as noise.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `treatment` | required | 0 before and 1 from the start of treatment on; with [`starts`](Self::starts) the first treated period |
/// | `covariates` | none | the right-hand side of a formula |
/// | `weights` | none | a column, constant within units |
/// | `clusters` | the unit | a column, in which units lie |
/// | [`leads`](Self::leads) | 0 | effects of the last periods before treatment that are tested, for the first constructor |
///
/// It must hold that untreated outcomes follow the model, and that nobody anticipates. Panels may have gaps. Units treated from the first period on are left out, counted in a warning. Errors are sums over
/// clusters, with the factor G/(G − 1).
///
/// Measured as for [`CallawaySantAnna`](super::CallawaySantAnna): 95 % intervals of the average effect cover 95.0 % of the time by imputation, 96.9 % in two stages.
///
/// # Errors
/// [`Error::Unidentified`] for periods without untreated rows (leave them out), units without one, covariates that do not vary within units and periods, and leads without earlier
/// periods to compare with; [`Error::InvalidOption`] for leads of two stages, which have all; those of reading the panel.
///
/// # References
/// Borusyak, Jaravel & Spiess (2024), doi:10.1093/restud/rdae007; Gardner (2022), doi:10.48550/arXiv.2207.05943.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let rollout = StaggeredRollout { units: 400, seed: Some(Seed::new(3)), ..StaggeredRollout::new() }.simulate()?;
/// let fit = Imputation::new("y", "treated", "unit", "period").fit(&rollout.data)?;
/// let effect = fit.coefficient("ATT")?;
/// assert!((effect.estimate - rollout.oracle.effect("att")?).abs() < 3.0 * effect.std_error);
/// println!("{fit}\n{}", fit.event_study());
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Imputation {
    columns: RolloutColumns,
    covariates: Option<String>,
    two_stage: bool,
    #[serde(default)]
    leads: usize,
}

/// The average effect, `ATT`, over all treated rows; the verbs of [`Inference`](crate::inference::Inference) are those of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImputationFit {
    effects: RolloutEffects,
    study: EventStudy,
}

rollout_options!(Imputation);
rollout_verbs!(ImputationFit);

impl Imputation {
    /// Imputation with conservative errors.
    pub fn new(outcome: &str, treatment: &str, unit: &str, period: &str) -> Self {
        Self {
            columns: RolloutColumns::new(outcome, treatment, unit, period),
            covariates: None,
            two_stage: false,
            leads: 0,
        }
    }

    /// Two-stage differences in differences.
    pub fn two_stage(outcome: &str, treatment: &str, unit: &str, period: &str) -> Self {
        Self {
            two_stage: true,
            ..Self::new(outcome, treatment, unit, period)
        }
    }

    /// Covariates: the right-hand side of a formula.
    pub fn covariates(mut self, terms: &str) -> Self {
        self.covariates = Some(terms.to_owned());
        self
    }

    /// Tests trends before treatment: adds to the event study the coefficients of indicators of the last `leads` times before treatment in the regression of untreated rows,
    /// `y_it = α_i + λ_t + x_it'δ + Σ_k τ_k 1{t − G_i = −k} + ε_it`, relative to all earlier times and to units that are never treated (Borusyak, Jaravel & Spiess 2024, section 4.4).
    ///
    /// The imputation does not use them: it takes all untreated rows as they are. With spherical errors the test is independent of the effects, so that to go on only when it passes does no
    /// harm. Their errors are clustered (CR1); the covariance with effects after treatment is that of influences.
    pub fn leads(mut self, leads: usize) -> Self {
        self.leads = leads;
        self
    }

    /// Imputes, and averages the effects.
    ///
    /// # Errors
    /// See [`Imputation`].
    pub fn fit(&self, frame: &Frame) -> Result<ImputationFit> {
        if self.two_stage && self.leads > 0 {
            return Err(Error::invalid_option(
                "leads",
                self.leads,
                "0 for two stages, whose event study has all times before treatment",
            ));
        }
        let rollout = self
            .columns
            .read(frame, self.covariates.as_deref().unwrap_or("1"))?
            .with_a_past(0.0)?;
        let treated = rollout.adoption.cohorts();
        if treated.is_empty() {
            return Err(Error::Unidentified {
                what: "an effect of treatment".to_owned(),
                needs: "units that are treated after the first period".to_owned(),
            });
        }
        let model = Untreated::fit(&rollout)?;
        let event_times = rollout.event_times();
        let mut times = rollout.distinct_times();
        times.retain(|time| *time >= 0.0 || self.two_stage);
        let all = [(0..event_times.len())
            .map(|row| !model.used()[row])
            .collect::<Vec<bool>>()];
        let each: Vec<Vec<bool>> = (times.iter())
            .map(|time| {
                event_times
                    .iter()
                    .map(|t| t.total_cmp(time).is_eq())
                    .collect()
            })
            .collect();
        let names = times.iter().map(|time| EventStudy::name(*time)).collect();
        let mut study = self.means(
            "Effects by time since treatment",
            &rollout,
            &model,
            names,
            &each,
        );
        if self.leads > 0 {
            let (before, effects, influence) = self.before(&rollout.retain(model.used())?)?;
            let names = before.iter().map(|time| EventStudy::name(*time)).collect();
            study = study.preceded(names, &effects, &influence)?;
            times.splice(0..0, before);
        }
        Ok(ImputationFit {
            effects: self.means(
                "Average effect",
                &rollout,
                &model,
                vec!["ATT".to_owned()],
                &all,
            ),
            study: EventStudy::new(study, times, None),
        })
    }

    /// Times, coefficients and influences of the last times before treatment, from untreated rows.
    fn before(&self, untreated: &Rollout) -> Result<(Vec<f64>, DVector<f64>, DMatrix<f64>)> {
        let unidentified = |time: &str| Error::Unidentified {
            what: format!("the effect {time} before treatment"),
            needs: "untreated rows of earlier times to compare with; ask for fewer leads"
                .to_owned(),
        };
        let mut times = untreated.distinct_times();
        let first = times.len().checked_sub(self.leads);
        let first = first.ok_or_else(|| unidentified("of the earliest lead"))?;
        times.drain(..first);
        let event_times = untreated.event_times();
        let mut working = Working::new(untreated)?;
        for time in &times {
            let own = event_times
                .iter()
                .map(|t| f64::from(u8::from(t.total_cmp(time).is_eq())));
            working.add(&EventStudy::name(*time), own.collect())?;
        }
        let fit = working.fit(OUTCOME, &Progress::none())?;
        let influence = clustered(&fit)?;
        let places = (times.iter())
            .map(|time| {
                let name = EventStudy::name(*time);
                fit.position(&name).map_err(|_| unidentified(&name))
            })
            .collect::<Result<Vec<usize>>>()?;
        Ok((
            times,
            DVector::from_fn(places.len(), |i, _| fit.estimates()[places[i]]),
            influence.select_columns(&places),
        ))
    }

    /// Means over disjoint sets of rows, with what each unit adds to their error.
    fn means(
        &self,
        estimand: &str,
        rollout: &Rollout,
        model: &Untreated<'_>,
        names: Vec<String>,
        sets: &[Vec<bool>],
    ) -> RolloutEffects {
        let weight = |row: usize| rollout.weights[rollout.panel.unit_of[row] as usize];
        let rows = rollout.y.len();
        let mut estimates = Vec::new();
        let mut influence = DMatrix::zeros(rollout.panel.units.len(), sets.len());
        for (at, set) in sets.iter().enumerate() {
            let total: f64 = (0..rows).filter(|row| set[*row]).map(weight).sum();
            let share: Vec<f64> = (0..rows)
                .map(|row| if set[row] { weight(row) / total } else { 0.0 })
                .collect();
            let estimate: f64 = share.iter().zip(&model.residual).map(|(w, r)| w * r).sum();
            let first = model.weights_of(&share);
            // An effect of an untreated row is its residual: it enters as an outcome of the second stage too.
            let second: Vec<f64> = if self.two_stage {
                (0..rows)
                    .map(|row| share[row] * (model.residual[row] - estimate))
                    .collect()
            } else {
                conservative(rollout, &share, &model.residual)
            };
            for row in 0..rows {
                let own = if model.used()[row] {
                    first[row] * model.residual[row]
                } else {
                    0.0
                };
                influence[(rollout.panel.unit_of[row] as usize, at)] += own + second[row];
            }
            estimates.push(estimate);
        }
        let about = About {
            estimand: format!(
                "{estimand} of {} on {} ({})",
                self.columns.treatment,
                self.columns.outcome,
                if self.two_stage {
                    "two-stage"
                } else {
                    "imputation"
                }
            ),
            size: rollout.size.clone(),
            errors: if self.two_stage {
                "Standard errors of both stages".to_owned()
            } else {
                "Conservative standard errors".to_owned()
            },
            warnings: (rollout.warnings.iter().cloned())
                .chain(rollout.thin_cohorts())
                .collect(),
        };
        RolloutEffects::new(
            about,
            names,
            DVector::from_vec(estimates),
            rollout.by_cluster(&influence),
        )
    }
}

/// A cohort and a period.
type CohortPeriod = (Option<u32>, u32);

/// `v_it (τ̂_it − τ̃)` of treated rows, with `τ̃ = Σ_c (Σ v)(Σ v τ̂)/Σ_c (Σ v)²` over the clusters c of the rows of one cohort and period, whose effects are taken as alike (equation 8 of Borusyak, Jaravel & Spiess).
fn conservative(rollout: &Rollout, share: &[f64], effect: &[f64]) -> Vec<f64> {
    let mut sums: BTreeMap<CohortPeriod, BTreeMap<u32, (f64, f64)>> = BTreeMap::new();
    let cell = |row: usize| {
        let unit = rollout.panel.unit_of[row] as usize;
        (
            (rollout.adoption.first[unit], rollout.panel.period_of[row]),
            rollout.clusters[unit],
        )
    };
    for row in (0..share.len()).filter(|row| share[*row] > 0.0) {
        let (group, cluster) = cell(row);
        let sum = sums.entry(group).or_default().entry(cluster).or_default();
        sum.0 += share[row];
        sum.1 += share[row] * effect[row];
    }
    let means: BTreeMap<_, f64> = (sums.into_iter())
        .map(|(group, clusters)| {
            let (mut top, mut bottom) = (0.0, 0.0);
            for (weight, value) in clusters.values() {
                top += weight * value;
                bottom += weight * weight;
            }
            (group, top / bottom)
        })
        .collect();
    (0..share.len())
        .map(|row| {
            if share[row] > 0.0 {
                share[row] * (effect[row] - means[&cell(row).0])
            } else {
                0.0
            }
        })
        .collect()
}

impl ImputationFit {
    /// The effects by time since treatment.
    pub fn event_study(&self) -> &EventStudy {
        &self.study
    }

    /// The average effect as a table.
    pub fn table(&self) -> Table {
        self.effects.table()
    }
}

crate::report::notebook::shown!(ImputationFit);
