//! A learner after fitting.

use super::boost::FittedTrees;
use super::custom::FittedCustom;
use super::features::{FeatureInfo, Features};
use super::forest::FittedForest;
use super::linear::FittedLinear;
use super::penalty::PenaltyPath;
use super::quadratic::FittedQuadratic;
use super::stack::FittedStack;
use super::training::Task;
use crate::data::{Frame, Rows};
use crate::error::{Error, Result, Warning};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What was learned, by kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Kind {
    Linear(FittedLinear),
    Quadratic(FittedQuadratic),
    BoostedTrees(FittedTrees),
    Forest(FittedForest),
    Stack(FittedStack),
    Custom(FittedCustom),
}

/// A learner after fitting: owned, and free of the rows it was fitted on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FittedLearner {
    pub(crate) kind: Kind,
    pub(crate) task: Task,
    pub(crate) info: Arc<Vec<FeatureInfo>>,
    pub(crate) warnings: Vec<Warning>,
}

impl FittedLearner {
    /// Writes the predictions for `rows`, in order, to `out` of the same length: means, or probabilities. Nothing is allocated per row.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for features other than those of training; [`Error::LengthMismatch`]; [`Error::DataNotKept`] for a custom
    /// learner that was read from a file.
    pub fn predict(&self, features: &Features, rows: &Rows, out: &mut [f64]) -> Result<()> {
        features.check_like(&self.info)?;
        for (what, expected, found) in [
            ("the list of rows", features.rows(), rows.total()),
            ("the predictions", rows.len(), out.len()),
        ] {
            if expected != found {
                return Err(Error::LengthMismatch {
                    column: what.to_owned(),
                    expected,
                    found,
                });
            }
        }
        match &self.kind {
            Kind::Linear(fit) => fit.predict(features, rows, out),
            Kind::Quadratic(fit) => fit.predict(features, rows, out)?,
            Kind::BoostedTrees(fit) => fit.predict(features, rows, out),
            Kind::Forest(fit) => fit.predict(features, rows, out),
            Kind::Stack(fit) => fit.predict(features, rows, out)?,
            Kind::Custom(fit) => fit.predict(features, rows, out)?,
        }
        Ok(())
    }

    /// The features of a frame as this learner knows them: columns by name, levels by text. Labels that training had not count as missing
    /// ([`Features::unseen`] says how many).
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::WrongKind`], [`Error::Infinite`].
    pub fn features(&self, frame: &Frame) -> Result<Features> {
        Features::matching(frame, &self.info)
    }

    /// Predictions for every row of a frame.
    ///
    /// # Errors
    /// Those of [`FittedLearner::features`].
    pub fn predict_frame(&self, frame: &Frame) -> Result<Vec<f64>> {
        let features = self.features(frame)?;
        let mut out = vec![0.0; features.rows()];
        self.predict(&features, &Rows::all(features.rows()), &mut out)?;
        Ok(out)
    }

    /// What is predicted.
    pub fn task(&self) -> Task {
        self.task
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The gain of each feature's splits as a share of all, in the order of the features; `None` for learners without trees.
    pub fn importance(&self) -> Option<Vec<f64>> {
        let gains = match &self.kind {
            Kind::BoostedTrees(fit) => &fit.importance,
            Kind::Forest(fit) => &fit.importance,
            _ => return None,
        };
        let total: f64 = gains.iter().sum();
        Some(
            gains
                .iter()
                .map(|g| if total > 0.0 { g / total } else { 0.0 })
                .collect(),
        )
    }

    /// Names and coefficients of a linear learner, the intercept first; `None` for others.
    pub fn coefficients(&self) -> Option<Vec<(String, f64)>> {
        let fit = match &self.kind {
            Kind::Linear(fit) => fit,
            Kind::Quadratic(fit) => &fit.linear,
            _ => return None,
        };
        let mut all = vec![("(Intercept)".to_owned(), fit.intercept)];
        all.extend(
            fit.names
                .iter()
                .cloned()
                .zip(fit.coefficients.iter().copied()),
        );
        Some(all)
    }

    /// The path of an elastic net whose strength was cross-validated.
    pub fn path(&self) -> Option<&PenaltyPath> {
        match &self.kind {
            Kind::Linear(fit) => fit.path.as_ref(),
            Kind::Quadratic(fit) => fit.linear.path.as_ref(),
            _ => None,
        }
    }

    /// Out-of-bag predictions of a forest, one a row of training; NaN where every tree drew the row. `None` for others and for a forest
    /// read from a file.
    pub fn out_of_bag(&self) -> Option<&[f64]> {
        match &self.kind {
            Kind::Forest(fit) if !fit.out_of_bag.is_empty() => Some(&fit.out_of_bag),
            _ => None,
        }
    }

    /// Loss on rows that were not fitted: early stopping's held-out mean loss, a forest's out-of-bag mean squared error, a stack's or a chosen
    /// strength's cross-validated loss. `None` where there were none.
    pub fn honest_loss(&self) -> Option<f64> {
        match &self.kind {
            Kind::BoostedTrees(fit) => fit.validation_loss,
            Kind::Forest(fit) => Some(fit.out_of_bag_loss),
            Kind::Stack(fit) => Some(fit.loss),
            Kind::Linear(fit) | Kind::Quadratic(FittedQuadratic { linear: fit, .. }) => {
                fit.path.as_ref().map(|p| p.loss[p.position(fit.strength)])
            }
            Kind::Custom(_) => None,
        }
    }

    /// Number of trees; `None` for learners without.
    pub fn trees(&self) -> Option<usize> {
        match &self.kind {
            Kind::BoostedTrees(fit) => Some(fit.trees.len()),
            Kind::Forest(fit) => Some(fit.trees.len()),
            _ => None,
        }
    }

    /// Names and weights of a stack's members; `None` for others.
    pub fn stack_weights(&self) -> Option<Vec<(String, f64)>> {
        match &self.kind {
            Kind::Stack(fit) => Some(
                fit.names
                    .iter()
                    .cloned()
                    .zip(fit.weights.iter().copied())
                    .collect(),
            ),
            _ => None,
        }
    }
}
