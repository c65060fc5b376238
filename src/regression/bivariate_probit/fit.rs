//! The fitted bivariate probit: correlation, test of independence, probabilities of the four outcomes.

use super::density::ln_bivariate_cdf;
use crate::data::Frame;
use crate::error::Result;
use crate::inference::{Distribution, Estimate, Inference, TestResult};
use crate::numeric::special::normal;
use crate::regression::LikelihoodFit;
use crate::regression::delegate::delegate_to_likelihood;
use crate::regression::likelihood::{Only, Predictions, Predictor, Quantity};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// What [`BivariateProbitFit::predict`] gives for each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BivariateProbitPrediction {
    /// `P(y₁ = 1, y₂ = 1)`.
    Both,
    /// `P(y₁ = 1, y₂ = 0)`.
    FirstOnly,
    /// `P(y₁ = 0, y₂ = 1)`.
    SecondOnly,
    /// `P(y₁ = 0, y₂ = 0)`.
    Neither,
    /// `P(y₁ = 1)`.
    First,
    /// `P(y₂ = 1)`; in the recursive model at the first outcome as observed.
    Second,
    /// `P(y₁ = 1 | y₂ = 1)`.
    FirstGivenSecond,
    /// `P(y₂ = 1 | y₁ = 1)`.
    SecondGivenFirst,
}

impl BivariateProbitPrediction {
    /// At the indices and atanh ρ.
    fn probability(self, a: f64, b: f64, t: f64) -> f64 {
        let joint = |p: f64, q: f64| ln_bivariate_cdf(p * a, q * b, p * q * t).exp();
        match self {
            Self::Both => joint(1.0, 1.0),
            Self::FirstOnly => joint(1.0, -1.0),
            Self::SecondOnly => joint(-1.0, 1.0),
            Self::Neither => joint(-1.0, -1.0),
            Self::First => normal::cdf(a),
            Self::Second => normal::cdf(b),
            Self::FirstGivenSecond => (ln_bivariate_cdf(a, b, t) - normal::ln_cdf(b)).exp(),
            Self::SecondGivenFirst => (ln_bivariate_cdf(a, b, t) - normal::ln_cdf(a)).exp(),
        }
    }
}

/// A fitted [`super::BivariateProbit`]. It answers the verbs of [`Inference`] with the normal distribution and prints as a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BivariateProbitFit {
    fit: LikelihoodFit,
    /// ℓ of two probits apart.
    separate: f64,
}

impl BivariateProbitFit {
    pub(super) fn new(fit: LikelihoodFit, separate: f64) -> Self {
        Self { fit, separate }
    }

    /// The correlation ρ of the errors, by the delta method.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn rho(&self) -> Result<Estimate> {
        self.fit.nonlinear("rho", &["atanh_rho"], |p| p[0].tanh())
    }

    /// The likelihood-ratio test of ρ = 0 against two probits apart, χ²(1). It wants the model to be true and weights to be frequencies; the test of
    /// Wald with the covariance in use is `fit.wald(&["atanh_rho = 0"])`.
    pub fn independence_test(&self) -> TestResult {
        TestResult::new(
            "likelihood-ratio test of ρ = 0",
            (2.0 * (self.fit.log_likelihood() - self.separate)).max(0.0),
            Distribution::ChiSquared { df: 1.0 },
        )
    }

    /// Probabilities for the rows of a frame, which may be another than that of the fit; NaN where a regressor is missing.
    ///
    /// # Errors
    /// [`crate::Error::DataNotKept`] after `lean`, or for a fit read from a file; [`crate::Error::ColumnNotFound`] and
    /// [`crate::Error::InvalidOption`] for regressors and levels that the fit does not know.
    pub fn predict(&self, frame: &Frame, what: BivariateProbitPrediction) -> Result<Vec<f64>> {
        const LEVEL: f64 = 0.95;
        Ok(self.predict_interval(frame, what, LEVEL)?.values)
    }

    /// The same with standard errors and intervals, by the covariance of the fit.
    ///
    /// # Errors
    /// As [`BivariateProbitFit::predict`]; [`crate::Error::InvalidOption`] for a level outside (0, 1).
    pub fn predict_interval(
        &self,
        frame: &Frame,
        what: BivariateProbitPrediction,
        level: f64,
    ) -> Result<Predictions> {
        let model = Only {
            quantity: |at: &[f64]| what.probability(at[0], at[1], at[2]),
            share: true,
        };
        let predictor = Predictor {
            model: &model,
            ..self.fit.predictor()?
        };
        predictor.predict(frame, Quantity::Mean, level)
    }

    /// What stands below the table of coefficients.
    fn dress(&self, mut table: Table) -> Table {
        if let Ok(rho) = self.rho() {
            table = table.note(rho.to_string());
        }
        table.note(self.independence_test().to_string())
    }

    fn more_footer(&self) -> Vec<(String, Cell)> {
        let rho = self.rho().ok();
        rho.map(|rho| ("ρ".to_owned(), Cell::fixed(rho.estimate, 3)))
            .into_iter()
            .collect()
    }
}

delegate_to_likelihood!(BivariateProbitFit);
