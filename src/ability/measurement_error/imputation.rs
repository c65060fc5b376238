//! Plausible values of a true score, drawn from what the score, the outcome and the regressors say about it.

use super::latent::Latent;
use super::measured::{Measured, MeasurementError, with_scores};
use super::options::{Options, Plain, Use, independent, score_builder};
use super::pooled::PooledFit;
use crate::data::{Formula, Frame};
use crate::error::{Error, Result};
use crate::numeric::linalg::Cholesky;
use crate::numeric::{Progress, Seed, blocks};
use nalgebra::{DMatrix, DVector};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::Serialize;

/// Completed data sets: with half the information missing the standard errors are then within about 2 % of those of infinitely many.
const DEFAULT_DRAWS: usize = 20;

/// Attempts at a positive variance before the estimate itself is used.
const ATTEMPTS: usize = 100;

/// A regression on plausible values of the true score: M times a true score is drawn for each person from
/// `a | s, x, y ~ N(z'γ + λ(s − z'γ), λ v)`, z = (1, x, y), the regression is fitted, and the fits are combined by Rubin's rules
/// ([`PooledFit`]).
///
/// (γ, σ²) are drawn anew for each data set from their sampling distribution, so that the draws are proper. The outcome is among the
/// conditions, without which the coefficient would be attenuated. The draws suit the linear model exactly when (a, e) are normal; for a
/// binary outcome they suit a logit whose true scores are normal within each outcome, and approximate the others.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `outcome` | [`super::OutcomeModel::Linear`] | model of the outcome |
/// | `covariance` | HC1 | covariance of each fit |
/// | `seed` | none | required |
/// | `draws` | 20 | completed data sets M, at least 2 |
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`] for options out of range;
/// [`Error::OutOfRange`] for a negative standard error; [`Error::Unidentified`] when scores vary no more than their errors; those of
/// the outcome model.
///
/// # References
/// Mislevy, R. J. (1991), doi:10.1007/BF02294457; Blackwell, M., Honaker, J. & King, G. (2017), doi:10.1177/0049124115585360.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let a: Vec<f64> = (0..400).map(|i| if i % 4 < 2 { 1.0 } else { -1.0 }).collect();
/// let s: Vec<f64> = a.iter().enumerate().map(|(i, a)| a + if i % 2 < 1 { 1.0 } else { -1.0 }).collect();
/// let y: Vec<f64> = a.iter().enumerate().map(|(i, a)| 2.0 * a + (i as f64).sin()).collect();
/// let people = Frame::new().with("y", y)?.with("skill", s)?;
/// let fit = PlausibleRegression::new("y ~ skill", Measured::with_variance("skill", 1.0)).seed(7).fit(&people)?;
/// assert!((fit.coefficient("skill")?.estimate - 2.0).abs() < 0.2);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlausibleRegression {
    options: Options,
    seed: Option<Seed>,
    draws: usize,
}

score_builder!(PlausibleRegression, PooledFit);

impl PlausibleRegression {
    /// A regression on plausible values of the score in a formula.
    pub fn new(formula: impl Into<Formula>, measured: Measured) -> Self {
        Self::from_options(Options::new(formula.into(), measured))
    }

    pub(super) fn from_options(options: Options) -> Self {
        Self {
            options,
            seed: None,
            draws: DEFAULT_DRAWS,
        }
    }

    /// The seed of the draws.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// The number of completed data sets.
    pub fn draws(mut self, draws: usize) -> Self {
        self.draws = draws;
        self
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`PlausibleRegression`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<PooledFit> {
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: "a regression on plausible values".to_owned(),
        })?;
        if self.draws < 2 {
            return Err(Error::invalid_option(
                "draws",
                self.draws,
                "2 or more, to see how far the completed data sets differ",
            ));
        }
        let options = &self.options;
        let sample = options.sample(frame, Use::Main)?;
        let naive = options.refit(frame, progress)?;
        let y = DVector::from_vec(sample.outcome.values(&sample.rows));
        let mut conditions = sample.covariates.clone().insert_column(1, 0.0);
        conditions.set_column(1, &y);
        let conditions = conditions.select_columns(&independent(&conditions));
        // A reliability fixes the error variance through Var(s); from here on it is an error variance like any other.
        let known = MeasurementError::Variance(f64::NAN);
        let latent = Latent::fit(&sample.scores, &sample.variances, &known, &conditions)?;
        let fits = blocks::map(self.draws, |draw| -> Result<Plain> {
            let mut random = seed.child("plausible values").stream(draw as u64);
            let psi = draw_parameters(&latent, &mut random)?;
            let posterior = latent.posterior(&psi, &sample.scores, &conditions);
            let values: Vec<f64> = posterior
                .iter()
                .map(|p| {
                    let z: f64 = StandardNormal.sample(&mut random);
                    p.mean + p.variance.sqrt() * z
                })
                .collect();
            let column = options.measured.column();
            let completed = with_scores(frame, column, &sample.rows, &values)?;
            let fit = options.refit(&completed, progress)?;
            naive.same_names(&fit)?;
            Ok(fit)
        })
        .into_iter()
        .collect::<Result<Vec<Plain>>>()?;
        let names: Vec<&[String]> = fits.iter().map(|f| f.names.as_slice()).collect();
        let estimates: Vec<&DVector<f64>> = fits.iter().map(|f| &f.estimates).collect();
        let covariances: Vec<&DMatrix<f64>> = fits.iter().map(|f| &f.covariance).collect();
        let mut pooled = PooledFit::from_parts(&names, &estimates, &covariances, naive.df)?;
        pooled.title = format!("Plausible values, {}: {}", options.outcome, sample.parsed);
        pooled.observations = Some(naive.observations);
        pooled.notes = naive
            .warnings
            .iter()
            .chain(&sample.warnings)
            .map(|w| format!("Warning: {w}"))
            .collect();
        Ok(pooled)
    }
}

/// ψ from its sampling distribution, with a positive variance.
fn draw_parameters(latent: &Latent, random: &mut impl Rng) -> Result<Vec<f64>> {
    let factor = Cholesky::full_rank(
        &latent.covariance,
        "the covariance of the true scores' distribution",
    )?;
    let root = factor.root();
    for _ in 0..ATTEMPTS {
        let z = DVector::from_fn(root.ncols(), |_, _| StandardNormal.sample(random));
        let psi = &latent.psi + &root * z;
        if latent.residual_variance(psi.as_slice()) > 0.0 {
            return Ok(psi.as_slice().to_vec());
        }
    }
    Ok(latent.psi.as_slice().to_vec())
}
