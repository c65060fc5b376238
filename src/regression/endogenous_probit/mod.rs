//! A probit with continuous endogenous regressors: control function, or maximum likelihood.

mod density;
mod fit;
mod two_step;

pub use fit::EndogenousProbitFit;

use super::binary::check_binary;
use super::likelihood::{ByFormula, Estimation, Index, Likelihood, maximize_unless};
use super::linear::Weights;
use super::sample::Sample;
use crate::data::{Formula, Frame};
use crate::error::{Error, Result};
use crate::inference::Covariance;
use crate::numeric::Progress;
use density::BinaryWithContinuous;
use serde::Serialize;
use std::sync::Arc;
use two_step::TwoStep;

/// Beyond this |atanh ρ| (|ρ| > 0.999998) the data say that ρ is at its bound.
const BOUND: f64 = 7.0;

/// The search starts no nearer than this to |ρ| = 1, where the likelihood is steep.
const LARGEST_START: f64 = 0.85;

/// The probit `y = 1{x'β + αd + u > 0}` with endogenous regressors d, `d = z'π + v`; u and v are jointly normal, and z are the
/// exogenous regressors x and instruments that have no effect of their own on y.
///
/// By default two steps (Rivers & Vuong 1988): least squares of each d on z, then a probit of y on x, d and the residuals `v̂`. Given v,
/// what is left of u is independent of d. Coefficients of the probit are those of the model over √(1 − R²), where R² is the share of u that v explains:
/// their ratios and signs are those of the model, and so is the average structural function
/// ([`EndogenousProbitFit::average_structural_function`]); the coefficients of the residuals test exogeneity
/// ([`EndogenousProbitFit::exogeneity_test`]). By maximum likelihood
/// ([`EndogenousProbit::maximum_likelihood`], one endogenous regressor) coefficients are those of the model, with `ln_sigma` and `atanh_rho` beside them.
/// Both need d to be continuous; for a binary d write a recursive [`super::BivariateProbit`].
///
/// The formula is `y ~ x | d ~ instruments`. First-stage coefficients have d as prefix (`d.z`).
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `two_step`, `maximum_likelihood` | two steps | the estimator | |
/// | `covariance` | `Covariance::Hc1` | sampling variance of both steps; `Classical` is Murphy and Topel's for two steps, the inverse information for ML | all but HC2, HC3, CR2 |
/// | `weights` | none | weights in both steps and in the likelihood | ≥ 0; rows of weight 0 are left out |
/// | `frequency_weights` | none | each row stands for w equal rows | whole numbers |
///
/// # Errors
/// [`Error::OutOfRange`] for an outcome other than 0 and 1; [`Error::InvalidOption`] for a formula without endogenous regressors, or with fixed
/// effects, or with several endogenous regressors by maximum likelihood; [`Error::Unidentified`] with fewer instruments than endogenous
/// regressors, when the instruments explain a regressor perfectly, or when ρ runs to ±1; [`Error::Separated`]; those of the formula and the covariance;
/// [`Error::TooFewRows`], [`Error::NotConverged`], [`Error::Cancelled`].
///
/// # References
/// Rivers, D. & Vuong, Q. H. (1988). Limited information estimators and exogeneity tests for simultaneous probit models.
/// *Journal of Econometrics* 39(3), 347–366. doi:10.1016/0304-4076(88)90063-2
///
/// Murphy, K. M. & Topel, R. H. (1985). Estimation and inference in two-step econometric models. *JBES* 3(4), 370–379.
/// doi:10.1080/07350015.1985.10509471
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("mroz")?;
/// let fit = EndogenousProbit::new("inlf ~ educ + exper + kidslt6 | nwifeinc ~ huseduc").fit(&frame)?;
/// assert!(fit.coefficient("nwifeinc")?.estimate < 0.0);
/// assert!(fit.exogeneity_test()?.p_value > 0.05);
/// let poor = fit.average_structural_function(&[("nwifeinc", 10.0)])?;
/// let rich = fit.average_structural_function(&[("nwifeinc", 40.0)])?;
/// assert!(poor.estimate > rich.estimate);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EndogenousProbit {
    formula: Formula,
    covariance: Covariance,
    weights: Option<Weights>,
    likelihood: bool,
}

impl EndogenousProbit {
    /// The model of a formula `y ~ x | endogenous ~ instruments`, in two steps with robust errors.
    pub fn new(formula: impl Into<Formula>) -> Self {
        Self {
            formula: formula.into(),
            covariance: Covariance::default(),
            weights: None,
            likelihood: false,
        }
    }

    /// Estimates in two steps.
    pub fn two_step(mut self) -> Self {
        self.likelihood = false;
        self
    }

    /// Estimates both equations at once; for one endogenous regressor.
    pub fn maximum_likelihood(mut self) -> Self {
        self.likelihood = true;
        self
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Weights of the rows in both steps, or in the log-likelihood.
    pub fn weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(Weights::Analytic(column.into()));
        self
    }

    /// Frequency weights: each row stands for that many equal rows.
    pub fn frequency_weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(Weights::Frequency(column.into()));
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`EndogenousProbit`].
    pub fn fit(&self, frame: &Frame) -> Result<EndogenousProbitFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`EndogenousProbit`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<EndogenousProbitFit> {
        let sample = Sample::new(&self.formula, self.weights.as_ref(), &[], frame)?;
        let refused = [
            (
                sample.design.endogenous.is_empty(),
                "with an instrumental part `| endogenous ~ instruments`; without one it is a Probit",
            ),
            (
                !sample.design.fixed_effects.is_empty(),
                "without fixed effects for a probit with endogenous regressors",
            ),
            (
                self.likelihood && sample.design.endogenous.len() > 1,
                "with one endogenous regressor by maximum likelihood; two_step takes several",
            ),
        ];
        if let Some((_, expected)) = refused.iter().find(|(refuse, _)| *refuse) {
            return Err(Error::invalid_option("formula", &sample.parsed, *expected));
        }
        check_binary(&sample.design.outcome, &sample.design.rows)?;
        let steps = TwoStep::new(sample, progress)?;
        if self.likelihood {
            return self.by_likelihood(&steps, frame, progress);
        }
        EndogenousProbitFit::in_two_steps(steps, frame, &self.covariance)
    }

    /// Maximum likelihood from the two-step estimates.
    fn by_likelihood(
        &self,
        steps: &TwoStep,
        frame: &Frame,
        progress: &Progress,
    ) -> Result<EndogenousProbitFit> {
        let sample = &steps.sample;
        let mut warnings = steps.warnings.clone();
        let design = &sample.design;
        let endogenous = design.endogenous[0].clone();
        let columns: Vec<_> = design.regressors().cloned().collect();
        let index = Index::new(
            "",
            &columns,
            design.intercept,
            &design.rows,
            sample.weights.as_deref(),
            &mut warnings,
        );
        // Two-step estimates in the units of the model: σ, θ = ρ/(σ√(1 − ρ²)), all over √(1 + θ²σ²).
        let sigma = steps.variance[(0, 0)].sqrt();
        let ratio = steps.theta[0] * sigma;
        let shrink = (1.0 + ratio * ratio).sqrt();
        let rho = (ratio / shrink).clamp(-LARGEST_START, LARGEST_START);
        // The working parameters of the probit end with the residual's, which is centred as the others are.
        let structural = steps.probit[..index.parameters()]
            .iter()
            .map(|b| b / shrink);
        let start: Vec<f64> = structural
            .chain(steps.first[0].iter().copied())
            .chain([sigma.ln(), rho.atanh()])
            .collect();
        let likelihood = Likelihood {
            model: Arc::new(ByFormula(BinaryWithContinuous)),
            indices: vec![
                index,
                steps.z.clone().named(&endogenous.name),
                Index::parameter("ln_sigma"),
                Index::parameter("atanh_rho"),
            ],
            outcomes: vec![design.outcome.clone(), endogenous],
            rows: design.rows.clone(),
            weights: sample.weights.clone().map(Arc::new),
            frequency: sample.frequency,
        };
        let refuse = |point: &[f64]| {
            let bound = point.last().is_some_and(|t| t.abs() > BOUND);
            bound.then(|| Error::Unidentified {
                what: "the correlation of outcome and endogenous regressor, whose estimate runs to ±1,"
                    .to_owned(),
                needs: "stronger instruments, or the two-step estimator".to_owned(),
            })
        };
        let what = "the likelihood of the probit with an endogenous regressor";
        let found = maximize_unless(&likelihood, start.clone(), what, refuse, progress)?;
        let estimation = Estimation {
            title: "Probit with an endogenous regressor (maximum likelihood)",
            formulas: vec![self.formula.clone()],
            formula: sample.parsed.to_string(),
            likelihood,
            start,
            warnings,
            covariance: &self.covariance,
            frame,
        };
        Ok(EndogenousProbitFit::by_likelihood(
            estimation.finish(found, None)?,
        ))
    }
}
