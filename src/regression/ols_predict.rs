//! What a least-squares fit says about other rows: predictions, intervals, marginal effects.

use super::OlsFit;
use super::likelihood::{
    Index, MarginalEffects, Margins, Predictions, Predictor, Predicts, Quantity,
};
use crate::data::{Formula, Frame};
use crate::error::{Error, Result};
use crate::inference::{Inference, Summarized};

/// The level of intervals that nobody asked for.
const DEFAULT_LEVEL: f64 = 0.95;

impl OlsFit {
    /// Predictions `x'β̂` for the rows of a frame, which may be another than that of the fit; NaN where a regressor is missing.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let frame = datasets::load("nsw")?;
    /// let fit = Ols::new("re78 ~ treat + poly(age, 2)").fit(&frame)?;
    /// let new = Frame::new().with("treat", vec![0.0, 1.0])?.with("age", vec![30.0, 30.0])?;
    /// let earnings = fit.predict(&new)?;
    /// assert!((earnings[1] - earnings[0] - fit.coefficient("treat")?.estimate).abs() < 1e-8);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean`; [`Error::Unidentified`] with absorbed effects; [`Error::ColumnNotFound`] and
    /// [`Error::InvalidOption`] for regressors and levels that the fit does not know; [`Error::NotFinite`].
    pub fn predict(&self, frame: &Frame) -> Result<Vec<f64>> {
        Ok(self.predict_interval(frame, DEFAULT_LEVEL)?.values)
    }

    /// Predictions with standard errors and confidence intervals of the mean `x'β`, by the covariance of the fit.
    ///
    /// # Errors
    /// As [`OlsFit::predict`]; [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn predict_interval(&self, frame: &Frame, level: f64) -> Result<Predictions> {
        self.with_predictor(0.0, |p| p.predict(frame, Quantity::Mean, level))
    }

    /// Predictions with intervals for a new outcome, whose error has the variance of the residuals: they hold when errors are
    /// normal and of one variance, and with weights for an outcome of weight one.
    ///
    /// # Errors
    /// As [`OlsFit::predict_interval`].
    pub fn predict_outcome(&self, frame: &Frame, level: f64) -> Result<Predictions> {
        let noise = self.statistics().residual_std_error.powi(2);
        self.with_predictor(noise, |p| p.predict(frame, Quantity::Mean, level))
    }

    /// Marginal effects of variables that enter by squares, logarithms or products, with standard errors.
    ///
    /// # Errors
    /// As [`super::LikelihoodFit::marginal_effects`].
    pub fn marginal_effects(&self, margins: &Margins) -> Result<MarginalEffects> {
        self.with_predictor(0.0, |p| margins.estimate(p, "OLS", self.covariance_label()))
    }

    fn with_predictor<T>(
        &self,
        noise: f64,
        work: impl FnOnce(&Predictor<'_>) -> Result<T>,
    ) -> Result<T> {
        const CONSTANT: &str = "(Intercept)";
        let parts = self.parts("a prediction")?;
        if !parts.effects.is_empty() {
            return Err(Error::Unidentified {
                what: "a prediction".to_owned(),
                needs: "the fixed effects, which were absorbed; write them as C(effect) when they are few".to_owned(),
            });
        }
        let names = self.names();
        let constant = names.first().is_some_and(|n| n == CONSTANT);
        let slopes = names.iter().skip(usize::from(constant)).map(String::as_str);
        work(&Predictor {
            model: &Identity,
            indices: &[Index::placeholder(slopes, constant)],
            formulas: &[Formula::from(self.formula())],
            frame: &parts.frame,
            rows: parts.kept(),
            rows_of_formulas: &[],
            weights: parts.rows.columns.weights.as_ref().map(|w| w.as_slice()),
            fitted: &self.core().fitted,
            noise,
        })
    }
}

/// The mean is the index.
#[derive(Clone, Copy, Debug)]
struct Identity;

impl Predicts for Identity {
    fn quantity(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        match what {
            Quantity::Mean | Quantity::Linear => indices.first().copied(),
            Quantity::Probability(_) => None,
        }
    }
}
