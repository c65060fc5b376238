//! What a learner learns from: features, target, weights, the rows to use and the loss.

use super::features::Features;
use crate::data::Rows;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// What a learner estimates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// The mean `E[Y | X]`, by squared loss.
    #[default]
    Regression,
    /// The probability `P(W = 1 | X)` of a target of zeros and ones, by logistic loss (forests: squared loss of 0 and 1, which
    /// is Gini's impurity).
    Probability,
}

/// What a learner learns from. Target and weights have one entry a row of the features; only the entries of the rows in use
/// are looked at, so that folds are a list of rows and nothing is copied.
#[derive(Clone, Debug)]
pub struct TrainingSet<'a> {
    features: &'a Features,
    target: &'a [f64],
    weights: Option<&'a [f64]>,
    rows: Rows,
    task: Task,
    name: &'a str,
}

impl<'a> TrainingSet<'a> {
    /// All rows, with equal weights.
    pub fn new(features: &'a Features, target: &'a [f64], task: Task) -> Self {
        Self {
            features,
            target,
            weights: None,
            rows: Rows::all(features.rows()),
            task,
            name: "the target",
        }
    }

    /// Weights of the rows' losses.
    pub fn weights(mut self, weights: Option<&'a [f64]>) -> Self {
        self.weights = weights;
        self
    }

    /// Uses only these rows.
    pub fn rows(mut self, rows: Rows) -> Self {
        self.rows = rows;
        self
    }

    /// The target's name in messages.
    pub fn named(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// The features.
    pub fn features(&self) -> &'a Features {
        self.features
    }

    /// The target, one entry a row of the features.
    pub fn target(&self) -> &'a [f64] {
        self.target
    }

    /// The weights, one entry a row of the features.
    pub fn row_weights(&self) -> Option<&'a [f64]> {
        self.weights
    }

    /// The rows in use.
    pub fn used_rows(&self) -> &Rows {
        &self.rows
    }

    /// What is estimated.
    pub fn task(&self) -> Task {
        self.task
    }

    /// The target's name in messages.
    pub fn target_name(&self) -> &'a str {
        self.name
    }

    /// The weight of a row, 1 without weights.
    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[row])
    }

    /// The rows in use as a list.
    pub(crate) fn row_list(&self) -> Vec<u32> {
        (0..self.rows.len())
            .map(|i| self.rows.index(i) as u32)
            .collect()
    }

    /// Weighted mean of the target over the rows in use.
    pub(crate) fn mean(&self) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for i in 0..self.rows.len() {
            let row = self.rows.index(i);
            sum += self.weight(row) * self.target[row];
            total += self.weight(row);
        }
        sum / total
    }

    /// Refuses what no learner can use: other lengths, targets or weights out of range, a target that does not vary.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`], [`Error::NoRows`], [`Error::OutOfRange`], [`Error::Unidentified`].
    pub fn check(&self) -> Result<()> {
        for (what, length) in [
            (self.name, self.target.len()),
            (
                "the weights",
                self.weights.map_or(self.features.rows(), <[f64]>::len),
            ),
            ("the list of rows", self.rows.total()),
        ] {
            if length != self.features.rows() {
                return Err(Error::LengthMismatch {
                    column: what.to_owned(),
                    expected: self.features.rows(),
                    found: length,
                });
            }
        }
        let (mut low, mut high, mut total) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
        for i in 0..self.rows.len() {
            let row = self.rows.index(i);
            let (y, w) = (self.target[row], self.weight(row));
            if !w.is_finite() || w < 0.0 {
                return Err(out_of_range(
                    "the weights",
                    row,
                    w,
                    "finite and not negative",
                ));
            }
            let is_class = y.to_bits() == 0.0_f64.to_bits()
                || y.to_bits() == (-0.0_f64).to_bits()
                || y.to_bits() == 1.0_f64.to_bits();
            match self.task {
                Task::Regression if !y.is_finite() => {
                    return Err(out_of_range(
                        self.name,
                        row,
                        y,
                        "a finite number; leave out rows where it is missing",
                    ));
                }
                Task::Probability if !is_class => {
                    return Err(out_of_range(
                        self.name,
                        row,
                        y,
                        "0 or 1, since a probability is learned from classes",
                    ));
                }
                _ => {}
            }
            if w > 0.0 {
                low = low.min(y);
                high = high.max(y);
            }
            total += w;
        }
        if self.rows.is_empty() || total <= 0.0 {
            return Err(Error::NoRows {
                reason: "a learner got no row with a positive weight".to_owned(),
            });
        }
        if low >= high {
            return Err(Error::Unidentified {
                what: format!("how `{}` depends on the features", self.name),
                needs: format!(
                    "a target that varies; it is {low} on all {} rows in use",
                    self.rows.len()
                ),
            });
        }
        Ok(())
    }
}

fn out_of_range(column: &str, row: usize, value: f64, expected: &str) -> Error {
    Error::OutOfRange {
        column: column.to_owned(),
        row: row + 1,
        value,
        expected: expected.to_owned(),
    }
}
