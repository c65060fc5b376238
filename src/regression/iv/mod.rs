//! Instrumental variables: two-stage least squares and limited-information maximum likelihood, with the diagnostics that
//! tell whether the numbers can be believed.

mod anderson_rubin;
mod endogeneity;
mod first_stage;
mod instrumental;
mod overidentification;

pub use first_stage::FirstStage;

use super::linear::{Core, Weights, linear_fit, prepare};
use crate::data::{Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::{ConfidenceSet, Covariance, TestResult, coefficient_table};
use crate::numeric::Progress;
use crate::report::Table;
use instrumental::Instrumental;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which k-class estimator.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum KClass {
    /// Two-stage least squares, κ = 1.
    TwoStage,
    /// Limited-information maximum likelihood: κ is the smallest root of |Y'M_A Y − κ Y'M_W Y| = 0.
    Liml,
    /// Fuller's modification, κ(LIML) − α/(n − K_W); α = 1 is nearly unbiased, and its moments exist.
    Fuller(f64),
}

/// Instrumental variables for `y = x'β + d'γ + ε` with `E[zε] = E[xε] = 0` and `E[dε] ≠ 0`: formula `y ~ x | d ~ z` or
/// `y ~ x | effects | d ~ z`.
///
/// With `X = [x d]`, `W = [x z]` and the projections `P_W`, `M_W = I − P_W`, the k-class estimator is
/// `β̂ = (X'(I − κM_W)X)⁻¹ X'(I − κM_W)y`. Robust covariances use the scores of the projected regressors, `P_W X e`, also for
/// LIML, as linearmodels and Stata do. Under monotonicity and an exclusion restriction two-stage least squares estimates a local
/// average treatment effect (Imbens & Angrist 1994): a weighted average over those whom the instruments move.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `estimator` | `KClass::TwoStage` | two-stage least squares, LIML or Fuller |
/// | `covariance` | `Covariance::Hc1` | sampling variance |
/// | `weights` | none | analytic weights |
/// | `frequency_weights` | none | each row stands for w equal rows |
/// | `keep_singletons` | off | keep rows that are alone in a level of an effect |
///
/// A weak first stage makes the estimate biased and its t interval wrong: the fit warns when the effective F of Montiel Olea &
/// Pflueger (2013) is below its critical value for a 10 % bias, and `confidence_set` returns the Anderson–Rubin set, which is right
/// however weak the instruments are.
///
/// # Errors
/// Those of [`crate::regression::Ols`]; [`Error::Unidentified`] with fewer instruments than endogenous regressors, or when the
/// first stage is exactly zero.
///
/// # References
/// Montiel Olea, J. L. & Pflueger, C. (2013). A robust test for weak instruments. *JBES* 31(3), 358–369.
/// doi:10.1080/00401706.2013.806694. Anderson, T. W. & Rubin, H. (1949), *Ann. Math. Stat.* 20(1), 46–63. Imbens, G. W. &
/// Angrist, J. D. (1994), *Econometrica* 62(2), doi:10.2307/2951620.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("card")?;
/// let fit = Iv::new("lwage ~ exper + expersq + black + smsa + south | educ ~ nearc4").fit(&frame)?;
/// let first = &fit.first_stage()?[0];
/// assert!(first.effective_f.unwrap() > 10.0);
/// let set = fit.confidence_set("educ", 0.95)?; // Anderson–Rubin
/// assert!(set.is_bounded() && !set.contains(0.0));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Iv {
    formula: Formula,
    estimator: KClass,
    covariance: Covariance,
    weights: Option<Weights>,
    keep_singletons: bool,
}

impl Iv {
    /// Two-stage least squares with HC1 errors.
    pub fn new(formula: impl Into<Formula>) -> Self {
        Self {
            formula: formula.into(),
            estimator: KClass::TwoStage,
            covariance: Covariance::default(),
            weights: None,
            keep_singletons: false,
        }
    }

    /// Limited-information maximum likelihood with HC1 errors.
    pub fn liml(formula: impl Into<Formula>) -> Self {
        Self::new(formula).estimator(KClass::Liml)
    }

    /// Sets the k-class estimator.
    pub fn estimator(mut self, estimator: KClass) -> Self {
        self.estimator = estimator;
        self
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Analytic weights.
    pub fn weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(Weights::Analytic(column.into()));
        self
    }

    /// Frequency weights.
    pub fn frequency_weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(Weights::Frequency(column.into()));
        self
    }

    /// Keeps rows that are alone in a level of an effect.
    pub fn keep_singletons(mut self) -> Self {
        self.keep_singletons = true;
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`Iv`].
    pub fn fit(&self, frame: &Frame) -> Result<IvFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`Iv`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<IvFit> {
        let mut prepared = prepare(
            &self.formula,
            self.weights.as_ref(),
            frame,
            !self.keep_singletons,
            progress,
        )?;
        if prepared.endogenous.is_empty() {
            return Err(Error::invalid_option(
                "formula",
                &prepared.formula,
                "with an instrumental part `| endogenous ~ instruments`; use Ols without one",
            ));
        }
        let (instrumental, solved) = Instrumental::solve(&mut prepared, self.estimator)?;
        let title = match self.estimator {
            KClass::TwoStage => "2SLS".to_owned(),
            KClass::Liml => "LIML".to_owned(),
            KClass::Fuller(alpha) => format!("Fuller({alpha})"),
        };
        let core = Core::assemble(&title, prepared, solved, frame, &self.covariance)?;
        IvFit {
            core,
            kappa: instrumental.kappa,
            first_stages: vec![],
            instrumental: Some(Arc::new(instrumental)),
        }
        .diagnosed()
    }
}

/// A fit with instruments. It answers the verbs of [`crate::inference::Inference`]; its `confidence_set` of the endogenous
/// regressor is Anderson–Rubin's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IvFit {
    core: Core,
    kappa: f64,
    first_stages: Vec<FirstStage>,
    #[serde(skip)]
    instrumental: Option<Arc<Instrumental>>,
}

linear_fit!(IvFit, |fit: &IvFit, name: &str, level: f64| fit
    .set(name, level));

impl IvFit {
    /// The same fit with another covariance: one more pass over the rows, no refit.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean` or for a fit read from a file; the errors of the covariance (missing or too few
    /// clusters, options).
    pub fn with_covariance(&self, covariance: Covariance) -> Result<Self> {
        Self {
            core: self.core.with_covariance(covariance)?,
            ..self.clone()
        }
        .diagnosed()
    }

    /// κ of the k-class: 1 for two-stage least squares.
    pub fn kappa(&self) -> f64 {
        self.kappa
    }

    /// The first stage of each endogenous regressor, with the covariance in use.
    ///
    /// # Errors
    /// None for a fit in memory or read back; the `Result` is that of the recomputation under a new covariance.
    pub fn first_stage(&self) -> Result<&[FirstStage]> {
        Ok(&self.first_stages)
    }

    /// The Anderson–Rubin test that the endogenous regressors have the given coefficients, in the order of the formula: valid
    /// however weak the instruments. It is the Wald test, with the covariance in use, that the instruments do not explain
    /// `y − d'γ₀` given the exogenous regressors.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for another number of values than endogenous regressors; [`Error::DataNotKept`] after `lean`.
    pub fn anderson_rubin(&self, values: &[f64]) -> Result<TestResult> {
        anderson_rubin::test(self.instrumental()?, &self.core, values)
    }

    /// The Wu–Hausman test that the regressors are exogenous: the Wald test, with the covariance in use, of the first-stage
    /// residuals added to the regression.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean`.
    pub fn wu_hausman(&self) -> Result<TestResult> {
        endogeneity::wu_hausman(self.instrumental()?, &self.core)
    }

    /// The test of overidentifying restrictions: Sargan's `n e'P_W e / e'e` with the classical covariance, otherwise Hansen's J of
    /// two-step efficient GMM, robust or clustered as the covariance in use, χ² with one degree per extra instrument.
    ///
    /// # Errors
    /// [`Error::Unidentified`] when there are no more instruments than endogenous regressors; [`Error::DataNotKept`] after `lean`.
    pub fn overidentification(&self) -> Result<TestResult> {
        overidentification::test(self.instrumental()?, &self.core)
    }

    /// Drops the handle on the data.
    pub fn lean(&self) -> Self {
        Self {
            core: self.core.lean(),
            instrumental: None,
            ..self.clone()
        }
    }

    fn instrumental(&self) -> Result<&Instrumental> {
        self.instrumental
            .as_deref()
            .ok_or_else(|| Error::DataNotKept {
                what: "a test of the instruments".to_owned(),
                remedy: "take it before `.lean()`, or fit again from the data".to_owned(),
            })
    }

    /// The Anderson–Rubin set of the endogenous regressor when there is one; `None` for the t interval.
    fn set(&self, name: &str, level: f64) -> Option<Result<ConfidenceSet>> {
        let instrumental = match self.instrumental() {
            Ok(instrumental) => instrumental,
            Err(error) => {
                return self
                    .first_stages
                    .iter()
                    .any(|f| f.endogenous == name)
                    .then_some(Err(error));
            }
        };
        if instrumental.endogenous_names() != [name] {
            return None;
        }
        Some(anderson_rubin::set(instrumental, &self.core, name, level))
    }

    /// Adds the first stage and its warning under the covariance in use.
    fn diagnosed(mut self) -> Result<Self> {
        let instrumental = self.instrumental()?;
        self.first_stages = first_stage::all(instrumental, &self.core)?;
        self.core
            .warnings
            .retain(|w| !matches!(w, Warning::WeakInstruments { .. }));
        for stage in &self.first_stages {
            if let (Some(effective_f), Some(critical)) = (stage.effective_f, stage.critical_value)
                && effective_f < critical
            {
                self.core.warnings.push(Warning::WeakInstruments {
                    effective_f,
                    critical,
                });
            }
        }
        Ok(self)
    }

    fn full_table(&self) -> Table {
        let mut notes = Vec::new();
        for stage in &self.first_stages {
            notes.push(stage.to_string());
        }
        self.core.dress(coefficient_table(self), &notes)
    }
}
