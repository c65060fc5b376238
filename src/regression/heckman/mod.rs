//! Heckman's selection model: an outcome that is seen only for those who were selected, in two steps or by maximum likelihood.

mod density;
mod fit;
mod sample;
mod two_step;

pub use fit::{HeckmanFit, HeckmanPrediction};

use super::influence::{cross, least_squares, working_columns};
use super::likelihood::{
    ByFormula, Estimation, Index, Likelihood, Options, maximize_unless, options_builder,
};
use crate::data::{Formula, Frame};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::numeric::linalg::Cholesky;
use crate::numeric::special::normal;
use density::Selected;
use fit::Model;
use sample::SelectionSample;
use serde::Serialize;
use std::sync::Arc;
use two_step::TwoStep;

/// Beyond this |atanh ρ| (|ρ| > 0.999998) the data say that ρ is at its bound.
const BOUND: f64 = 7.0;

/// The search starts no nearer than this to |ρ| = 1, where the likelihood is steep.
const LARGEST_START: f64 = 0.85;

/// The selection model `y = x'β + σε`, seen only where `z'γ + u > 0`; ε and u are normal with correlation ρ.
///
/// β are the coefficients of the whole population, not of those selected: where ρ ≠ 0, least squares on the seen rows estimates
/// `x'β + ρσ λ(z'γ)`, with the inverse Mills ratio `λ = φ/Φ`, as if it were linear in x. By default both equations are
/// estimated at once by maximum likelihood, with parameters `ln_sigma` and `atanh_rho` (σ and ρ by
/// [`HeckmanFit::sigma`] and [`HeckmanFit::rho`]); [`Heckman::two_step`] is probit first, then least squares with λ as a
/// regressor, which needs normality of u and linearity of `E[ε | u]` only. Both need a variable that moves selection and not the outcome
/// (an exclusion restriction); without one they rest on normality alone, which a warning says.
///
/// The first formula is the outcome's, whose variables may be missing (or have no logarithm) where the outcome is not
/// selected; the second is the selection's, with an outcome of 0 and 1. Names of the second have the prefix `select.`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `two_step`, `maximum_likelihood` | maximum likelihood | the estimator | |
/// | `covariance` | `Covariance::Hc1` | sampling variance; `Classical` is Heckman's for two steps, the inverse information for ML | all but HC2, HC3, CR2 |
/// | `weights` | none | weights in the likelihood and in both steps | ≥ 0; rows of weight 0 are left out |
/// | `frequency_weights` | none | each row stands for w equal rows | whole numbers |
///
/// Two-step covariances hold the error of the probit: `Classical` is `σ²(W'W)⁻¹[W'(I − ρ²Δ)W + ρ² W'ΔZ V Z'ΔW](W'W)⁻¹`, the others sum
/// squares of influences of both steps.
///
/// # Errors
/// [`Error::OutOfRange`] for a selection other than 0 and 1; [`Error::Separated`] when regressors tell some selections without error;
/// [`Error::Unidentified`] when all or none are selected, when λ is a linear combination of the regressors, or when ρ
/// runs to ±1; [`Error::TooFewRows`], [`Error::NotConverged`], [`Error::Cancelled`]; those of the formulas and the covariance.
///
/// # References
/// Heckman, J. J. (1979). Sample selection bias as a specification error. *Econometrica* 47(1), 153–161. doi:10.2307/1912352
///
/// Greene, W. H. (1981). Sample selection bias as a specification error: a comment. *Econometrica* 49(3), 795–798.
/// doi:10.2307/1911523
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("mroz")?;
/// let model = Heckman::new(
///     "lwage ~ educ + exper + expersq",
///     "inlf ~ nwifeinc + educ + exper + expersq + age + kidslt6 + kidsge6",
/// );
/// let fit = model.fit(&frame)?;
/// assert!((fit.coefficient("educ")?.estimate - 0.1083).abs() < 1e-4);
/// assert!(fit.independence_test()?.p_value > 0.5); // no sign of selection
/// let two_step = model.two_step().covariance(Covariance::Classical).fit(&frame)?;
/// assert!((two_step.coefficient("lambda")?.estimate - 0.03226).abs() < 1e-5);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Heckman {
    outcome: Formula,
    /// Those of the selection equation.
    options: Options,
    two_step: bool,
}

impl Heckman {
    /// The model of two formulas, the outcome's and the selection's, by maximum likelihood with robust errors.
    pub fn new(outcome: impl Into<Formula>, selection: impl Into<Formula>) -> Self {
        Self {
            outcome: outcome.into(),
            options: Options::new(selection.into()),
            two_step: false,
        }
    }

    /// Estimates in two steps.
    pub fn two_step(mut self) -> Self {
        self.two_step = true;
        self
    }

    /// Estimates both equations at once.
    pub fn maximum_likelihood(mut self) -> Self {
        self.two_step = false;
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`Heckman`].
    pub fn fit(&self, frame: &Frame) -> Result<HeckmanFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`Heckman`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<HeckmanFit> {
        let sample = SelectionSample::new(&self.options, &self.outcome, frame)?;
        let steps = TwoStep::new(&sample, progress)?;
        let kind = &self.options.covariance;
        if self.two_step {
            let model = self.model(sample, frame);
            return HeckmanFit::in_two_steps(Arc::new(model), Arc::new(steps), kind);
        }
        self.likelihood(&sample, &steps, frame, progress)
    }

    /// Maximum likelihood from the two-step estimates.
    fn likelihood(
        &self,
        sample: &SelectionSample,
        steps: &TwoStep,
        frame: &Frame,
        progress: &Progress,
    ) -> Result<HeckmanFit> {
        let likelihood = Likelihood {
            model: Arc::new(ByFormula(Selected)),
            indices: vec![
                sample.outcome.clone(),
                sample.selection.clone(),
                Index::parameter("ln_sigma"),
                Index::parameter("atanh_rho"),
            ],
            outcomes: vec![sample.y.clone(), sample.seen.clone()],
            rows: sample.rows.clone(),
            weights: sample.weights.clone(),
            frequency: sample.frequency,
        };
        let slopes = sample.outcome.parameters();
        let rho = steps.rho.clamp(-LARGEST_START, LARGEST_START);
        let start: Vec<f64> = steps.outcome[..slopes]
            .iter()
            .chain(&steps.selection)
            .copied()
            .chain([steps.sigma.ln(), rho.atanh()])
            .collect();
        let what = "the likelihood of the selection model";
        let refuse = |point: &[f64]| {
            let bound = point.last().is_some_and(|t| t.abs() > BOUND);
            bound.then(|| Error::Unidentified {
                what: "the correlation of selection and outcome, whose estimate runs to ±1,".to_owned(),
                needs: "a better exclusion restriction, or the two-step estimator (Heckman::two_step), which does not bound it"
                    .to_owned(),
            })
        };
        let found = maximize_unless(&likelihood, start.clone(), what, refuse, progress)?;
        let model = self.model(sample.clone(), frame);
        let estimation = Estimation {
            title: "Selection model (maximum likelihood)",
            formulas: vec![self.outcome.clone(), self.options.formula.clone()],
            formula: sample.formula.clone(),
            likelihood,
            start,
            warnings: sample.warnings.clone(),
            covariance: &self.options.covariance,
            frame,
        };
        let separate = steps.probit + normal_log_likelihood(sample)?;
        let fit = estimation.finish(found, None)?;
        Ok(HeckmanFit::by_likelihood(fit, model, separate))
    }

    /// What the fit keeps for later.
    fn model(&self, sample: SelectionSample, frame: &Frame) -> Model {
        Model {
            equations: self.clone(),
            sample,
            frame: frame.clone(),
        }
    }
}

options_builder!(Heckman);

/// The log-likelihood of least squares on the seen rows: with that of the probit, the model without correlation.
fn normal_log_likelihood(sample: &SelectionSample) -> Result<f64> {
    let x = working_columns(&sample.outcome, &sample.seen_rows);
    let y = sample.y.values(&sample.seen_rows);
    let weights = sample.row_weights();
    let seen = weights.iter().zip(sample.seen());
    let w: Vec<f64> = seen.filter(|(_, s)| *s).map(|(w, _)| *w).collect();
    let inverse = Cholesky::full_rank(&cross(&x, &w, &x), "the outcome's regressors")?.inverse();
    let (_, e) = least_squares(&x, &w, &y, &inverse);
    let total: f64 = w.iter().sum();
    let variance = e.iter().zip(&w).map(|(e, w)| w * e * e).sum::<f64>() / total;
    Ok(total * (normal::ln_pdf(0.0) - 0.5 * variance.ln() - 0.5))
}
