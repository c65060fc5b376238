//! The outcome and the score estimated together by maximum likelihood.

use super::calibration::latent_of;
use super::joint_density::{JointRows, linear_start};
use super::measured::Measured;
use super::options::{Options, OutcomeModel, Sample, Use, score_builder};
use crate::data::{DesignColumn, Formula, Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::numeric::Progress;
use crate::regression::LikelihoodFit;
use crate::regression::likelihood::{ByFormula, Estimation, Index, Likelihood, RowModel};
use serde::Serialize;
use std::sync::Arc;

/// The structural model of an outcome and a score measured with error, by maximum likelihood:
///
/// `a_i = x_i'γ + ζ_i`, `s_i = a_i + u_i`, and the outcome `y_i = x_i'β + θ a_i + e_i` (linear), or `y_i = 1` with probability
/// `Φ(x_i'β + θ a_i)` (probit) or `Λ(x_i'β + θ a_i)` (logit), with `ζ ~ N(0, σ_a²)`, `u_i ~ N(0, v_i)`, `e ~ N(0, σ_e²)` independent and v_i
/// known.
///
/// With `λ_i = σ_a²/(σ_a² + v_i)`, `â_i = x_i'γ + λ_i(s_i − x_i'γ)` and `τ_i² = λ_i v_i` the likelihood of a row is
/// `N(s_i; x_i'γ, σ_a² + v_i)` times `N(y_i; x_i'β + θâ_i, σ_e² + θ²τ_i²)`, or `Φ(±(x_i'β + θâ_i)/√(1 + θ²τ_i²))`, or the logit averaged over
/// N(â_i, τ_i²) by Gauss–Hermite quadrature (21 nodes).
///
/// The coefficients are: those of the outcome under the names of the regressors, θ under the score's name, then `ln_sigma` (linear
/// models), the equation `ability` (γ) and `ability.ln_sigma` (ln σ_a). Normal true scores matter little for β and θ of a linear model with the
/// same error variance for all; with a robust covariance (the default) its errors are then right too. σ_a, θ and σ_e are identified because
/// the v_i are known.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `outcome` | [`OutcomeModel::Linear`] | linear, probit or logit |
/// | `covariance` | HC1 | sandwich; `Covariance::Classical` for the observed information |
///
/// # Errors
/// [`Error::InvalidOption`] for a Poisson outcome, or options out of range; [`Error::OutOfRange`] for a negative standard error or an
/// outcome other than 0 and 1; [`Error::Unidentified`] when scores vary no more than their errors, or when there is no error at all;
/// those of the formula and the covariance; [`Error::NotConverged`], [`Error::Cancelled`].
///
/// # References
/// Fuller, W. A. (1987). *Measurement Error Models*. doi:10.1002/9780470316665; Carroll et al. (2006), chapter 8,
/// doi:10.1201/9781420010138.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let a: Vec<f64> = (0..400).map(|i| if i % 4 < 2 { 1.0 } else { -1.0 }).collect();
/// let s: Vec<f64> = a.iter().enumerate().map(|(i, a)| a + if i % 2 < 1 { 1.0 } else { -1.0 }).collect();
/// let y: Vec<f64> = a.iter().enumerate().map(|(i, a)| 2.0 * a + (i as f64).sin()).collect();
/// let people = Frame::new().with("y", y)?.with("skill", s)?;
/// let fit = JointScore::new("y ~ skill", Measured::with_variance("skill", 1.0)).fit(&people)?;
/// assert!((fit.coefficient("skill")?.estimate - 2.0).abs() < 0.03);
/// assert!(fit.coefficient("ability.ln_sigma")?.estimate.abs() < 0.01); // σ_a = 1
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JointScore {
    options: Options,
}

score_builder!(JointScore, LikelihoodFit);

impl JointScore {
    /// The joint model of the formula's outcome and score.
    pub fn new(formula: impl Into<Formula>, measured: Measured) -> Self {
        Self::from_options(Options::new(formula.into(), measured))
    }

    pub(super) fn from_options(options: Options) -> Self {
        Self { options }
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`JointScore`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<LikelihoodFit> {
        let options = &self.options;
        let model = row_model(options.outcome)?;
        let sample = options.sample(frame, Use::Main)?;
        if sample.variances.iter().all(|v| *v <= 0.0) {
            return Err(Error::Unidentified {
                what: "the part of the score that is error".to_owned(),
                needs: "error variances above zero; a score without error may be used as it is"
                    .to_owned(),
            });
        }
        if options.outcome != OutcomeModel::Linear {
            crate::regression::binary::check_binary(&sample.outcome, &sample.rows)?;
        }
        let mut warnings = dropped(&sample, frame);
        warnings.extend(sample.warnings.iter().cloned());
        let index = |equation: &str, warnings: &mut Vec<Warning>| {
            let (design, rows) = (&sample.design, &sample.rows);
            Index::new(equation, &design.exogenous, true, rows, None, warnings)
        };
        let mut indices = vec![
            index("", &mut warnings),
            Index::parameter(options.measured.column()),
        ];
        if options.outcome == OutcomeModel::Linear {
            indices.push(Index::parameter("ln_sigma"));
        }
        indices.push(index("ability", &mut Vec::new()));
        indices.push(Index::parameter("ability.ln_sigma"));
        let spread = |name: &str, values: &[f64]| spread(name, &sample.rows, frame, values);
        let likelihood = Likelihood {
            model,
            indices,
            outcomes: vec![
                sample.outcome.clone(),
                spread("score", &sample.scores),
                spread("error variance", &sample.variances),
            ],
            rows: sample.rows.clone(),
            weights: None,
            frequency: false,
        };
        let start = self.start(frame, &sample, &likelihood, progress)?;
        let outcome = sample.parsed.to_string();
        let left = outcome.split(" ~ ").next().unwrap_or_default().to_owned();
        let formula = Formula::from(format!("{left} ~ {}", sample.others));
        Estimation {
            title: match options.outcome {
                OutcomeModel::Linear => "Joint linear and score",
                OutcomeModel::Logit => "Joint logit and score",
                _ => "Joint probit and score",
            },
            formulas: vec![formula.clone(), formula],
            formula: format!("{outcome}; ability ~ {}", sample.others),
            likelihood,
            start,
            warnings,
            covariance: &options.covariance,
            frame,
        }
        .run(progress)
    }

    /// The calibrated regression and the distribution of the true scores, in working parameters.
    fn start(
        &self,
        frame: &Frame,
        sample: &Sample,
        likelihood: &Likelihood,
        progress: &Progress,
    ) -> Result<Vec<f64>> {
        let latent = latent_of(&self.options, sample)?;
        let psi = latent.psi.as_slice();
        let calibrated: Vec<f64> = latent
            .posterior(psi, &sample.scores, &sample.covariates)
            .iter()
            .map(|p| p.mean)
            .collect();
        let column = self.options.measured.column();
        let frame = super::measured::with_scores(frame, column, &sample.rows, &calibrated)?;
        let fit = self.options.refit(&frame, progress)?;
        let y = sample.outcome.values(&sample.rows);
        Ok(linear_start(
            &fit,
            column,
            latent.coefficients(),
            latent.residual_variance(psi),
            &y,
            likelihood,
        ))
    }
}

/// Rows left out, in words.
fn dropped(sample: &Sample, frame: &Frame) -> Vec<Warning> {
    let dropped = frame.rows() - sample.rows.len();
    let missing = sample.design.missing.clone();
    (dropped > 0)
        .then_some(Warning::RowsDropped { dropped, missing })
        .into_iter()
        .collect()
}

/// Values of the used rows as a column of the frame.
pub(super) fn spread(name: &str, rows: &Rows, frame: &Frame, values: &[f64]) -> DesignColumn {
    let mut full = vec![f64::NAN; frame.rows()];
    for (i, value) in values.iter().enumerate() {
        full[rows.index(i)] = *value;
    }
    DesignColumn::new(name, Arc::new(full))
}

fn row_model(outcome: OutcomeModel) -> Result<Arc<dyn RowModel>> {
    Ok(match outcome {
        OutcomeModel::Linear => Arc::new(ByFormula(JointRows::linear()?)),
        OutcomeModel::Probit => Arc::new(ByFormula(JointRows::probit()?)),
        OutcomeModel::Logit => Arc::new(ByFormula(JointRows::logit()?)),
        OutcomeModel::Poisson => {
            return Err(Error::invalid_option(
                "outcome",
                "Poisson",
                "Linear, Probit or Logit for a joint model",
            ));
        }
    })
}
