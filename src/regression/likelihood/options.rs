//! The options that all likelihood models share, and the sample they ask for.

use super::index::Index;
use crate::data::{DesignColumn, Formula, Frame, Rows};
use crate::error::{Error, Result};
use crate::inference::Covariance;
use crate::regression::linear::Weights;
use crate::regression::sample::Sample;
use serde::Serialize;
use std::sync::Arc;

/// Formula, covariance, weights, offset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Options {
    pub(crate) formula: Formula,
    pub(crate) covariance: Covariance,
    pub(crate) weights: Option<Weights>,
    pub(crate) offset: Option<String>,
}

impl Options {
    pub(crate) fn new(formula: Formula) -> Self {
        Self {
            formula,
            covariance: Covariance::default(),
            weights: None,
            offset: None,
        }
    }

    /// The sample; endogenous parts are refused, and so are fixed effects: `instead` says what to use for them.
    pub(crate) fn sample(&self, frame: &Frame, instead: &str) -> Result<Sample> {
        self.sample_with(frame, &[], instead)
    }

    /// The sample of rows where `others` (the columns of another equation) are complete too.
    pub(crate) fn sample_with(
        &self,
        frame: &Frame,
        others: &[&str],
        instead: &str,
    ) -> Result<Sample> {
        let sample = self.sample_with_effects(frame, others)?;
        if !sample.design.fixed_effects.is_empty() {
            return Err(Error::invalid_option("formula", &sample.parsed, instead));
        }
        Ok(sample)
    }

    /// The same, fixed effects allowed.
    pub(crate) fn sample_with_effects(&self, frame: &Frame, others: &[&str]) -> Result<Sample> {
        let offset = self.offset.iter().map(String::as_str);
        let also: Vec<&str> = offset.chain(others.iter().copied()).collect();
        let sample = Sample::new(&self.formula, self.weights.as_ref(), &also, frame)?;
        if !sample.design.endogenous.is_empty() {
            return Err(Error::invalid_option(
                "formula",
                &sample.parsed,
                "without an instrumental part for this model",
            ));
        }
        Ok(sample)
    }

    /// The offset as a column.
    pub(crate) fn offset_column(&self, frame: &Frame, rows: &Rows) -> Result<Option<DesignColumn>> {
        let Some(name) = &self.offset else {
            return Ok(None);
        };
        let values = Arc::clone(frame.numeric(name)?.values());
        if let Some(row) = (0..rows.len())
            .map(|i| rows.index(i))
            .find(|row| !values[*row].is_finite())
        {
            return Err(Error::Infinite {
                column: name.clone(),
                row: row + 1,
            });
        }
        Ok(Some(DesignColumn::new(name.clone(), values)))
    }

    /// The index of the outcome's equation.
    pub(crate) fn index(&self, frame: &Frame, sample: &mut Sample) -> Result<Index> {
        let offset = self.offset_column(frame, &sample.design.rows)?;
        let index = Index::new(
            "",
            &sample.design.exogenous,
            sample.design.intercept,
            &sample.design.rows,
            sample.weights.as_deref(),
            &mut sample.warnings,
        );
        Ok(index.with_offset(offset))
    }
}

/// Gives a model with a field `options` the setters of covariance and weights.
macro_rules! options_builder {
    ($model:ident) => {
        impl $model {
            /// Sets the covariance estimator.
            pub fn covariance(mut self, covariance: crate::inference::Covariance) -> Self {
                self.options.covariance = covariance;
                self
            }

            /// Weights of the rows in the log-likelihood (sampling or precision weights).
            pub fn weights(mut self, column: impl Into<String>) -> Self {
                self.options.weights =
                    Some(crate::regression::linear::Weights::Analytic(column.into()));
                self
            }

            /// Frequency weights: each row stands for that many equal rows.
            pub fn frequency_weights(mut self, column: impl Into<String>) -> Self {
                self.options.weights =
                    Some(crate::regression::linear::Weights::Frequency(column.into()));
                self
            }
        }
    };
}
pub(crate) use options_builder;

/// Gives a model with a field `options` its builder and `fit`; the model writes
/// `fn estimate(&self, frame: &Frame, progress: &Progress) -> Result<LikelihoodFit>`.
macro_rules! likelihood_builder {
    ($model:ident) => {
        crate::regression::likelihood::options_builder!($model);

        impl $model {
            /// A column added to the index with coefficient one (the log of exposure, for rates).
            pub fn offset(mut self, column: impl Into<String>) -> Self {
                self.options.offset = Some(column.into());
                self
            }

            /// Fits the model.
            ///
            /// # Errors
            /// See the type.
            pub fn fit(
                &self,
                frame: &crate::data::Frame,
            ) -> crate::Result<crate::regression::LikelihoodFit> {
                self.fit_with(frame, &crate::Progress::none())
            }

            /// Fits the model, watched by `progress`.
            ///
            /// # Errors
            /// See the type.
            pub fn fit_with(
                &self,
                frame: &crate::data::Frame,
                progress: &crate::Progress,
            ) -> crate::Result<crate::regression::LikelihoodFit> {
                self.estimate(frame, progress)
            }
        }
    };
}
pub(crate) use likelihood_builder;
