//! Regression calibration: the score is replaced by what it says about the truth.

use super::fit::ScoreFit;
use super::latent::Latent;
use super::measured::{Measured, with_scores};
use super::options::{Options, Plain, Sample, Use, score_builder};
use crate::data::{Formula, Frame};
use crate::error::Result;
use crate::inference::Estimate;
use crate::numeric::Progress;
use crate::numeric::linalg::sandwich;
use nalgebra::{DMatrix, DVector};
use serde::Serialize;

/// Regression calibration: the regression `y ~ a + x` of which only scores `s = a + u` are seen is fitted with
/// `â_i = E[a_i | s_i, x_i] = x_i'γ + λ_i (s_i − x_i'γ)`, `λ_i = σ²/(σ² + v_i)`, in place of s.
///
/// γ and σ² = Var(a | x) come from the regression of the scores on the other regressors of the formula, with the error variances
/// known ([`Measured`]). The result is consistent for a linear model, and for a Poisson model up to the constant when Var(a | s, x) is the
/// same for all; for logit and probit it is an approximation that is close when `θ² Var(a | s, x)` is small (for probit the
/// coefficients are too small by the factor `1/√(1 + θ² Var(a | s, x))`, which [`super::JointScore`] takes into account).
///
/// **Standard errors** count that γ and σ² are estimated: `V = V₂ + D V_ψ D'` with V₂ the robust covariance given â, V_ψ the
/// sandwich covariance of ψ = (γ, σ²), and D = ∂β̂/∂ψ by refitting. It is the stacked estimating equations' covariance; their cross term
/// vanishes because the scores' equation depends on (s, x) alone, given which the outcome's has mean zero. The error variances are taken
/// as known.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `outcome` | [`super::OutcomeModel::Linear`] | model of the outcome |
/// | `covariance` | HC1 | covariance V₂ |
///
/// The score may stand in products with other regressors (`skill*age`), not in other functions.
///
/// # Errors
/// [`crate::Error::InvalidOption`] for a negative error variance, a reliability outside (0, 1], or a formula without the score;
/// [`crate::Error::OutOfRange`] for a negative standard error; [`crate::Error::Unidentified`] when scores vary no more than their
/// errors; those of the outcome model.
///
/// # References
/// Carroll, R. J., Ruppert, D., Stefanski, L. A. & Crainiceanu, C. M. (2006). *Measurement Error in Nonlinear Models*, 2nd ed.,
/// chapter 4. doi:10.1201/9781420010138
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// // A score of reliability one half: the naive slope is half the true one.
/// let a: Vec<f64> = (0..400).map(|i| if i % 4 < 2 { 1.0 } else { -1.0 }).collect();
/// let s: Vec<f64> = a.iter().enumerate().map(|(i, a)| a + if i % 2 < 1 { 1.0 } else { -1.0 }).collect();
/// let y: Vec<f64> = a.iter().enumerate().map(|(i, a)| 2.0 * a + (i as f64).sin()).collect();
/// let people = Frame::new().with("y", y)?.with("skill", s)?;
/// let fit = RegressionCalibration::new("y ~ skill", Measured::with_variance("skill", 1.0)).fit(&people)?;
/// assert!((fit.naive()[1] - 1.0).abs() < 0.02);
/// assert!((fit.coefficient("skill")?.estimate - 2.0).abs() < 0.03);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RegressionCalibration {
    options: Options,
}

score_builder!(RegressionCalibration, ScoreFit);

/// Steps of ψ, in its standard errors, for the derivative of the estimates: small beside the curvature, large beside rounding.
const STEP: f64 = 0.01;

impl RegressionCalibration {
    /// Calibration of the score in a formula.
    pub fn new(formula: impl Into<Formula>, measured: Measured) -> Self {
        Self {
            options: Options::new(formula.into(), measured),
        }
    }

    pub(super) fn from_options(options: Options) -> Self {
        Self { options }
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`RegressionCalibration`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<ScoreFit> {
        let options = &self.options;
        let sample = options.sample(frame, Use::Products)?;
        let naive = options.refit(frame, progress)?;
        let latent = latent_of(options, &sample)?;
        let refit = |psi: &[f64]| -> Result<Plain> {
            let posterior = latent.posterior(psi, &sample.scores, &sample.covariates);
            let means: Vec<f64> = posterior.iter().map(|p| p.mean).collect();
            let column = options.measured.column();
            let plain =
                options.refit(&with_scores(frame, column, &sample.rows, &means)?, progress)?;
            naive.same_names(&plain)?;
            Ok(plain)
        };
        let mut plain = refit(latent.psi.as_slice())?;
        let slopes = slopes(&latent, &refit)?;
        plain.covariance += sandwich(&latent.covariance, &slopes.transpose());
        plain.label = format!(
            "{} given the calibrated scores, plus that of the calibration",
            plain.label
        );
        plain.warnings.extend(sample.warnings.iter().cloned());
        Ok(ScoreFit {
            title: format!("Regression calibration, {}", options.outcome),
            formula: sample.parsed.to_string(),
            plain,
            naive,
            attenuation: Some(attenuation(&latent)?),
            notes: vec![],
        })
    }
}

/// The distribution of the true scores given the other regressors of the formula.
pub(super) fn latent_of(options: &Options, sample: &Sample) -> Result<Latent> {
    Latent::fit(
        &sample.scores,
        &sample.variances,
        options.measured.error(),
        &sample.covariates,
    )
}

pub(super) fn attenuation(latent: &Latent) -> Result<Estimate> {
    Ok(Estimate {
        name: "attenuation".to_owned(),
        estimate: latent.attenuation(latent.psi.as_slice()),
        std_error: latent.std_error(|psi| latent.attenuation(psi))?,
        degrees_of_freedom: f64::INFINITY,
    })
}

/// `∂β̂/∂ψ` by central differences.
fn slopes(latent: &Latent, refit: &impl Fn(&[f64]) -> Result<Plain>) -> Result<DMatrix<f64>> {
    let columns = (0..latent.psi.len())
        .map(|j| {
            let step = STEP * latent.covariance[(j, j)].max(0.0).sqrt();
            if step <= 0.0 {
                // A parameter without error adds none.
                return Ok(refit(latent.psi.as_slice())?.estimates * 0.0);
            }
            let at = |sign: f64| {
                let mut psi = latent.psi.clone();
                psi[j] += sign * step;
                refit(psi.as_slice())
            };
            Ok((at(1.0)?.estimates - at(-1.0)?.estimates) / (2.0 * step))
        })
        .collect::<Result<Vec<DVector<f64>>>>()?;
    Ok(DMatrix::from_columns(&columns))
}
