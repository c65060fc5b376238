//! What predictions are made of: the weight that every training row has at another.

use super::causal_survival_fit::CausalSurvivalForestFit;
use super::codes::Codes;
use super::fit::CausalForestFit;
use super::linear_forest_fit::LocalLinearForestFit;
use super::neighbours::{Neighbourhood, ask};
use super::quantile_fit::QuantileForestFit;
use super::survival_fit::SurvivalForestFit;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::regression::learners::Features;
use crate::report::{Cell, Table, shown};
use serde::{Deserialize, Serialize};

/// A training row and its weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForestNeighbour {
    /// Its place among the rows in use, those that `out_of_bag` has.
    pub row: usize,
    /// Its weight `α`.
    pub weight: f64,
}

/// The weights of a forest: at x, row i has `α_i(x)`, the mean over trees of `1{i in the leaf of x} / rows of the leaf`. A forest's predictions are
/// estimates on the training rows with these weights (times those of the rows, if they have any), so that they show which customers a prediction
/// is made of, and let other estimates be made in the same way.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::new()
///     .with("age", (0..200).map(|i| f64::from(i % 40)).collect::<Vec<_>>())?
///     .with("spend", (0..200).map(|i| f64::from(i % 40 / 20 + i % 3)).collect::<Vec<_>>())?;
/// let fit = QuantileForest::new("spend", &["age"]).trees(50).seed(7).fit(&frame)?;
/// let weights = fit.forest_weights(&Frame::new().with("age", vec![5.0])?)?;
/// let near = weights.of(0)?;
/// assert!((near.iter().map(|n| n.weight).sum::<f64>() - 1.0).abs() < 1e-12);
/// assert!(near.iter().filter(|n| n.row % 40 < 20).map(|n| n.weight).sum::<f64>() > 0.9);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForestWeights {
    rows: Vec<Vec<ForestNeighbour>>,
}

impl ForestWeights {
    /// The training rows with weight at a row that was asked for, in their order; the weights sum to one. Empty where no tree tells.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] with the number of rows that were asked for.
    pub fn of(&self, row: usize) -> Result<&[ForestNeighbour]> {
        let found = self.rows.get(row).map(Vec::as_slice);
        found.ok_or_else(|| {
            let expected = format!("below {}, the number of rows", self.rows.len());
            Error::invalid_option("row", row, expected)
        })
    }

    /// Number of rows that were asked for.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none was asked for.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many rows of equal weight are worth as much, `1/Σ α²`, one a row; zero where no tree tells.
    pub fn effective_rows(&self) -> Vec<f64> {
        let of = |near: &Vec<ForestNeighbour>| {
            let squares: f64 = near.iter().map(|n| n.weight * n.weight).sum();
            if squares > 0.0 { 1.0 / squares } else { 0.0 }
        };
        self.rows.iter().map(of).collect()
    }

    /// How many training rows predictions are made of.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Forest weights").columns(["Of the rows", "training rows"]);
        let mut sorted = self.effective_rows();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1) as f64;
        for (name, part) in [("smallest", 0.0), ("median", 0.5), ("largest", 1.0)] {
            if let Some(value) = sorted.get((part * last).round() as usize) {
                table = table.row([Cell::from(name), Cell::significant(*value, 4)]);
            }
        }
        table.note(format!(
            "{} rows; rows of equal weight that are worth as much, 1/Σα²",
            Cell::count(self.len())
        ))
    }
}

/// The rows of a neighbourhood.
fn listed(near: &Neighbourhood) -> Vec<ForestNeighbour> {
    let each = near.shares.iter().map(|(row, weight)| ForestNeighbour {
        row: *row as usize,
        weight: *weight,
    });
    each.collect()
}

/// The method of forests that keep the rows in their leaves.
macro_rules! weighs {
    ($($fit:ident),+) => {
        $(impl $fit {
            /// The weight of every training row at the rows of a frame that has the features.
            ///
            /// # Errors
            /// Those of `predict`.
            pub fn forest_weights(&self, frame: &Frame) -> Result<ForestWeights> {
                let (rows, _) = self.grown.ask(frame, |_, near| listed(near))?;
                Ok(ForestWeights { rows })
            }
        })+
    };
}

weighs!(LocalLinearForestFit, QuantileForestFit, SurvivalForestFit);

impl CausalForestFit {
    /// The weight of every training row at the rows of a frame that has the features: with the residuals `Ỹ` and `W̃`, the effect there is the slope of the regression
    /// of `Ỹ` on `W̃` with these weights.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after [`CausalForestFit::lean`] or from a file; those of [`CausalForestFit::predict`].
    pub fn forest_weights(&self, frame: &Frame) -> Result<ForestWeights> {
        let known = self.training_features("forest weights")?;
        let new = Features::matching(frame, &self.info)?;
        let codes = Codes::cut(&known, &self.cuts);
        let (groves, _) = self.groves(&known, &codes)?;
        let cut = Codes::cut(&new, &self.cuts);
        let rows = ask(&groves, self.rows(), &cut, None, |_, near| listed(near));
        Ok(ForestWeights { rows })
    }
}

impl CausalSurvivalForestFit {
    /// The weight of every training row at the rows of a frame that has the features; see [`CausalForestFit::forest_weights`].
    ///
    /// # Errors
    /// Those of [`CausalForestFit::forest_weights`].
    pub fn forest_weights(&self, frame: &Frame) -> Result<ForestWeights> {
        self.effects.forest_weights(frame)
    }
}

shown!(ForestWeights);
