//! What a fit says of rows: predictions and marginal effects.

use super::fit::LikelihoodFit;
use super::index::Index;
use super::margins::{MarginalEffects, Margins};
use super::model::Quantity;
use super::predict::{Predictions, Predictor, Predicts};
use crate::data::{Formula, Frame};
use crate::error::Result;
use crate::inference::Summarized;

/// The level of intervals that nobody asked for.
const DEFAULT_LEVEL: f64 = 0.95;

impl LikelihoodFit {
    /// Predictions for the rows of a frame, which may be another than that of the fit; NaN where a regressor is missing.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let frame = datasets::load("nsw")?;
    /// let fit = Logit::new("treat ~ age + educ").fit(&frame)?;
    /// let new = Frame::new().with("age", vec![20.0, 40.0])?.with("educ", vec![12.0, 8.0])?;
    /// let chance = fit.predict(&new, Quantity::Mean)?;
    /// assert!(chance.iter().all(|p| *p > 0.0 && *p < 1.0));
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DataNotKept`](crate::Error::DataNotKept) after `lean`; [`Error::ColumnNotFound`](crate::Error::ColumnNotFound) and [`Error::InvalidOption`](crate::Error::InvalidOption) for regressors and levels
    /// that the fit does not know; [`Error::NotFinite`](crate::Error::NotFinite).
    pub fn predict(&self, frame: &Frame, quantity: Quantity) -> Result<Vec<f64>> {
        Ok(self
            .predict_interval(frame, quantity, DEFAULT_LEVEL)?
            .values)
    }

    /// Predictions with standard errors and confidence intervals.
    ///
    /// # Errors
    /// As [`LikelihoodFit::predict`]; [`Error::InvalidOption`](crate::Error::InvalidOption) for a level outside (0, 1).
    pub fn predict_interval(
        &self,
        frame: &Frame,
        quantity: Quantity,
        level: f64,
    ) -> Result<Predictions> {
        self.predictor()?.predict(frame, quantity, level)
    }

    /// Marginal effects with standard errors.
    ///
    /// # Errors
    /// [`Error::DataNotKept`](crate::Error::DataNotKept) after `lean`; [`Error::ColumnNotFound`](crate::Error::ColumnNotFound) and [`Error::WrongKind`](crate::Error::WrongKind) for the variables;
    /// [`Error::Unidentified`](crate::Error::Unidentified) for a variable that does not vary.
    pub fn marginal_effects(&self, margins: &Margins) -> Result<MarginalEffects> {
        margins.estimate(&self.predictor()?, self.title(), self.covariance_label())
    }

    /// What predictions are made from; with another `model` they are of its quantities.
    pub(crate) fn predictor(&self) -> Result<Predictor<'_>> {
        let parts = self.parts("a prediction")?;
        let likelihood = &self.at_maximum("a prediction")?.likelihood;
        Ok(Predictor {
            model: &likelihood.model,
            indices: &likelihood.indices,
            formulas: &parts.formulas,
            frame: &parts.frame,
            rows: &likelihood.rows,
            rows_of_formulas: &[],
            weights: likelihood.weights.as_ref().map(|w| w.as_slice()),
            fitted: &self.fitted,
            noise: 0.0,
        })
    }

    /// The same for a model that is no [`RowModel`], by its own indices and formulas.
    pub(crate) fn predictor_of<'a>(
        &'a self,
        model: &'a dyn Predicts,
        indices: &'a [Index],
        formulas: &'a [Formula],
    ) -> Result<Predictor<'a>> {
        let parts = self.parts("a prediction")?;
        Ok(Predictor {
            model,
            indices,
            formulas,
            frame: &parts.frame,
            rows: &parts.rows,
            rows_of_formulas: &[],
            weights: None,
            fitted: &self.fitted,
            noise: 0.0,
        })
    }
}
