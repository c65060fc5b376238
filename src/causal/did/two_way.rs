//! Two-way fixed effects, with what they weigh.

use super::decomposition::BaconDecomposition;
use super::effects::{About, RolloutEffects, rollout_verbs};
use super::event_study::EventStudy;
use super::regression::{OUTCOME, Working, named};
use super::sample::{Rollout, RolloutColumns, rollout_options};
use super::two_way_weights::TwoWayWeights;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::Inference;
use crate::numeric::Progress;
use crate::regression::OlsFit;
use crate::report::Table;
use serde::{Deserialize, Serialize};

/// The name of the working column that holds the treatment.
const TREATMENT: &str = "(treatment)";

/// Two-way fixed effects: least squares of `y_it = α_i + λ_t + β D_it + x_it'δ + ε_it`, or with an indicator for each time since treatment in place of D.
///
/// β is the effect when effects are the same for all units and times. Otherwise it is a weighted sum of the effects of all treated cells whose weights may be negative (de
/// Chaisemartin & D'Haultfœuille 2020), since units treated early serve as controls of those treated late (Goodman-Bacon 2021). The fit carries both views:
/// [`weights`](TwoWayFixedEffectsFit::weights), with a warning when some are negative, and [`decomposition`](TwoWayFixedEffectsFit::decomposition).
/// [`CallawaySantAnna`](super::CallawaySantAnna) and [`SunAbraham`](super::SunAbraham) do not have the problem.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `treatment` | required | 0 before and 1 from the start of treatment on; with [`starts`](Self::starts) the first treated period |
/// | `covariates` | none | the right-hand side of a formula |
/// | `weights` | none | a column, constant within units |
/// | `clusters` | the unit | a column, in which units lie |
///
/// Errors are clustered (CR1, counting parameters as fixest does). Panels may have gaps; the decomposition needs a balanced one without covariates.
///
/// # Errors
/// [`Error::Unidentified`] when treatment does not vary within units and periods; those of [`Ols`](crate::regression::Ols) and of reading the panel.
///
/// # References
/// de Chaisemartin & D'Haultfœuille (2020), doi:10.1257/aer.20181169; Goodman-Bacon (2021), doi:10.1016/j.jeconom.2021.03.014.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// // All effects are positive, and two-way fixed effects say otherwise.
/// let rollout = StaggeredRollout { units: 400, seed: Some(Seed::new(3)), ..StaggeredRollout::sign_flip() }.simulate()?;
/// let fit = TwoWayFixedEffects::new("y", "treated", "unit", "period").fit(&rollout.data)?;
/// assert!(fit.coefficient("treated")?.estimate < 0.0);
/// assert!(fit.weights().negative > 0 && fit.weights().negative_sum < -0.5);
/// println!("{fit}\n{}", fit.decomposition()?);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwoWayFixedEffects {
    columns: RolloutColumns,
    covariates: Option<String>,
}

/// The coefficient of two-way fixed effects; the verbs of [`Inference`] are its own, under the name of the treatment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TwoWayFixedEffectsFit {
    effects: RolloutEffects,
    weights: TwoWayWeights,
    decomposition: Result<BaconDecomposition, String>,
}

rollout_options!(TwoWayFixedEffects);
rollout_verbs!(TwoWayFixedEffectsFit);

impl TwoWayFixedEffects {
    /// The effect of a treatment on an outcome, for units observed over periods.
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

    fn read(&self, frame: &Frame) -> Result<Rollout> {
        let terms = self.covariates.as_deref().unwrap_or("1");
        let rollout = self.columns.read(frame, terms)?;
        rollout.without_unweighted()
    }

    fn about(&self, estimand: &str, rollout: &Rollout, fit: &OlsFit) -> About {
        About {
            estimand: format!(
                "{estimand} of {} on {}",
                self.columns.treatment, self.columns.outcome
            ),
            size: rollout.size.clone(),
            errors: "Clustered standard errors (CR1)".to_owned(),
            warnings: rollout
                .warnings
                .iter()
                .cloned()
                .chain(fit.warnings())
                .collect(),
        }
    }

    /// One coefficient.
    ///
    /// # Errors
    /// See [`TwoWayFixedEffects`].
    pub fn fit(&self, frame: &Frame) -> Result<TwoWayFixedEffectsFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// One coefficient, watched.
    ///
    /// # Errors
    /// See [`TwoWayFixedEffects`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<TwoWayFixedEffectsFit> {
        let rollout = self.read(frame)?;
        let mut working = Working::new(&rollout)?;
        working.add(TREATMENT, rollout.status())?;
        let fit = working.fit(OUTCOME, progress)?;
        let Ok(at) = fit.position(TREATMENT) else {
            return Err(Error::Unidentified {
                what: format!("the effect of `{}`", self.columns.treatment),
                needs: "treatment that varies within units and periods: units that start at different times, or never"
                    .to_owned(),
            });
        };
        let residual = working.fit(TREATMENT, progress)?.residuals()?;
        let estimate = fit.estimates()[at];
        let weights = TwoWayWeights::new(&rollout, &residual, estimate)?;
        let about = self.about("Two-way fixed effects", &rollout, &fit);
        let mut effects = named(about, vec![TREATMENT.to_owned()], &fit)?;
        effects.rename(vec![self.columns.treatment.clone()]);
        if weights.negative > 0 {
            effects.warn(Warning::Note {
                message: format!(
                    "{} of {} treated unit-periods have negative weights (sum {:.3}): with effects that differ by {:.3} (standard deviation) the coefficient is compatible with an average of zero; see `weights()` and `decomposition()`, and prefer CallawaySantAnna or SunAbraham",
                    weights.negative,
                    weights.treated,
                    weights.negative_sum,
                    weights.deviation_for_zero
                ),
            });
        }
        let decomposition = BaconDecomposition::new(&rollout, estimate);
        Ok(TwoWayFixedEffectsFit {
            effects,
            weights,
            decomposition: decomposition.map_err(|e| e.to_string()),
        })
    }

    /// Coefficients by time since treatment, relative to the last period before; without never-treated units also relative to the earliest, since two are then not
    /// identified. Units treated from the first period on, whose time since treatment is not known, are left out, counted in a warning. With effects that differ between cohorts each is contaminated by those of other times (Sun & Abraham 2021).
    ///
    /// # Errors
    /// See [`TwoWayFixedEffects`].
    pub fn event_study(&self, frame: &Frame) -> Result<EventStudy> {
        let rollout = self.read(frame)?.with_a_past(0.0)?;
        let mut working = Working::new(&rollout)?;
        let event_times = rollout.event_times();
        let mut times = rollout.distinct_times();
        let reference = times
            .iter()
            .copied()
            .filter(|time| *time < 0.0)
            .reduce(f64::max);
        let Some(reference) = reference else {
            return Err(Error::Unidentified {
                what: "effects by time since treatment".to_owned(),
                needs: "periods before treatment".to_owned(),
            });
        };
        times.retain(|time| time.total_cmp(&reference).is_ne());
        if rollout.adoption.never() == 0 && times.first().is_some_and(|time| *time < reference) {
            times.remove(0);
        }
        for time in &times {
            let own = event_times
                .iter()
                .map(|t| f64::from(u8::from(t.total_cmp(time).is_eq())));
            working.add(&EventStudy::name(*time), own.collect())?;
        }
        let fit = working.fit(OUTCOME, &Progress::none())?;
        times.retain(|time| fit.position(&EventStudy::name(*time)).is_ok());
        let names: Vec<String> = times.iter().map(|time| EventStudy::name(*time)).collect();
        let about = self.about(
            "Two-way fixed effects by time since treatment",
            &rollout,
            &fit,
        );
        let mut effects = named(about, names, &fit)?;
        if rollout.adoption.cohorts().len() > 1 {
            effects.warn(Warning::Note {
                message: "cohorts start at different times: where their effects differ, coefficients mix the effects of other times, those before treatment too; prefer SunAbraham or CallawaySantAnna".to_owned(),
            });
        }
        Ok(EventStudy::new(effects, times, Some(reference)))
    }
}

impl TwoWayFixedEffectsFit {
    /// The weights of the effects of treated cells.
    pub fn weights(&self) -> &TwoWayWeights {
        &self.weights
    }

    /// The comparisons of two cohorts that the coefficient is the weighted mean of.
    ///
    /// # Errors
    /// [`Error::Unidentified`] for a panel with gaps, or with covariates.
    pub fn decomposition(&self) -> Result<&BaconDecomposition> {
        self.decomposition
            .as_ref()
            .map_err(|needs| Error::Unidentified {
                what: "the decomposition into comparisons of two cohorts".to_owned(),
                needs: needs.clone(),
            })
    }

    /// The coefficient as a table.
    pub fn table(&self) -> Table {
        self.effects.table()
    }
}

crate::report::notebook::shown!(TwoWayFixedEffectsFit);
