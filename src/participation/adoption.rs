//! When customers adopt: discrete-time hazards with frailty.

use crate::customer::survival::{
    Baseline, DiscreteHazard, DiscreteHazardFit, Frailty, HazardLink, Survival,
};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::Covariance;
use crate::numeric::Progress;
use serde::Serialize;

/// The time until customers adopt co-creation: the hazard `1 − exp(−exp(α_t + x'β))` in period t of those who have not adopted,
/// with normal or gamma differences between customers. It is [`DiscreteHazard`] with the conditions that identify the frailty
/// checked.
///
/// # Identification
/// Unobserved differences and a baseline with a parameter for each period are told apart by the regressors alone: as the eager leave, the
/// effects of regressors fade over time in a way that no proportional hazard does (Elbers & Ridder 1982). Without
/// regressors, a fall of the hazard is either; [`Adoption::fit`] then returns [`Error::Unidentified`] instead of a number. The result
/// rests on proportionality: a regressor that varies over time makes it firmer, and several spells of the same customers
/// ([`Survival::subject`]; normal frailty) identify the frailty by themselves.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `frailty` | [`Frailty::Normal`] | unobserved differences; [`Frailty::Gamma`], [`Frailty::None`] |
/// | `baseline` | [`Baseline::Periods`] | α_t |
/// | `link` | [`HazardLink::Cloglog`] | hazard from index |
/// | `covariance` | [`Covariance::Hc0`] | see [`DiscreteHazard`] |
/// | `weights`, `frequency_weights` | none | see [`DiscreteHazard`] |
///
/// # Errors
/// [`Error::Unidentified`] for frailty without regressors that vary and a free baseline; those of [`DiscreteHazard`].
///
/// # References
/// Elbers, C. & Ridder, G. (1982). True and spurious duration dependence: the identifiability of the proportional hazard model. *Review of
/// Economic Studies* 49(3), 403–409. doi:10.2307/2297364
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let released = datasets::load("rossi")?;
/// let fit = Adoption::new(Survival::right("week", "arrest"), "fin + age + prio").frailty(Frailty::None).fit(&released)?;
/// assert!(fit.coefficient("fin")?.estimate < 0.0);
/// let blind = Adoption::new(Survival::right("week", "arrest"), "1").fit(&released);
/// assert!(matches!(blind, Err(Error::Unidentified { .. })));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Adoption {
    model: DiscreteHazard,
    frailty: Frailty,
    baseline: Baseline,
}

impl Adoption {
    /// The model of the time to adoption with these regressors, the right-hand side of a formula, and normal frailty.
    pub fn new(outcome: Survival, regressors: impl Into<String>) -> Self {
        Self {
            model: DiscreteHazard::new(outcome, regressors),
            frailty: Frailty::Normal,
            baseline: Baseline::Periods,
        }
    }

    /// Sets the frailty.
    pub fn frailty(mut self, frailty: Frailty) -> Self {
        self.frailty = frailty;
        self
    }

    /// Sets the baseline.
    pub fn baseline(mut self, baseline: Baseline) -> Self {
        self.baseline = baseline;
        self
    }

    /// Sets the link.
    pub fn link(mut self, link: HazardLink) -> Self {
        self.model = self.model.link(link);
        self
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.model = self.model.covariance(covariance);
        self
    }

    /// Weights of the rows in the log-likelihood (sampling or precision weights).
    pub fn weights(mut self, column: impl Into<String>) -> Self {
        self.model = self.model.weights(column);
        self
    }

    /// Frequency weights: each row stands for that many equal rows.
    pub fn frequency_weights(mut self, column: impl Into<String>) -> Self {
        self.model = self.model.frequency_weights(column);
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`Adoption`].
    pub fn fit(&self, frame: &Frame) -> Result<DiscreteHazardFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`Adoption`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<DiscreteHazardFit> {
        let model = self.model.clone().baseline(self.baseline);
        if self.frailty != Frailty::None && self.baseline == Baseline::Periods {
            let plain = model.fit_with(frame, progress)?;
            if plain.slopes() == 0 && !plain.repeated() {
                return Err(Error::Unidentified {
                    what: "frailty beside a baseline with a parameter for each period".to_owned(),
                    needs: "regressors that vary, whose effects fade as the eager leave, several spells a customer (Survival::subject), or a \
                            smoother baseline (Adoption::baseline)"
                        .to_owned(),
                });
            }
        }
        let fit = model.frailty(self.frailty).fit_with(frame, progress)?;
        if self.frailty == Frailty::None || fit.repeated() {
            return Ok(fit);
        }
        Ok(fit.with_warning(Warning::Note {
                message: "the frailty of one spell a customer is told from the baseline by proportional effects of regressors alone: compare baselines, and frailties (gamma, normal)".to_owned(),
            }))
    }
}
