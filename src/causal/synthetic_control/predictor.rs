//! Features that a synthetic unit shall share with the treated one besides, or instead of, past outcomes.

use super::board::Board;
use crate::error::{Error, Result};
use crate::numeric::linalg::Cholesky;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// The mean of a column before treatment, or over a window of periods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Predictor {
    pub(super) column: String,
    /// The first and the last period; none for all before treatment.
    pub(super) window: Option<(f64, f64)>,
}

impl Predictor {
    pub(super) fn new(column: impl Into<String>, window: Option<(f64, f64)>) -> Self {
        Self {
            column: column.into(),
            window,
        }
    }
}

/// How much each predictor counts in the distance `Σ_k v_k (x_1k − Σ_j w_j x_jk)²` between units, whose predictors are divided by their standard deviations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum PredictorImportance {
    /// As much as each other.
    Even,
    /// By regression of the outcomes before treatment on all predictors: `v_k ∝ Σ_t β_tk²`, the regression-based choice of `Synth`.
    #[default]
    Regression,
    /// Given, in the order of the predictors.
    Given(Vec<f64>),
}

/// A predictor's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Feature {
    predictor: Predictor,
    /// Units by periods; none where missing.
    values: Vec<Vec<Option<f64>>>,
}

impl Feature {
    pub(super) fn new(predictor: Predictor, values: &[Vec<f64>]) -> Self {
        let present = |v: &f64| v.is_finite().then_some(*v);
        Self {
            predictor,
            values: (values.iter())
                .map(|series| series.iter().map(present).collect())
                .collect(),
        }
    }

    pub(super) fn truncate(&mut self, end: usize) {
        for series in &mut self.values {
            series.truncate(end);
        }
    }

    pub(super) fn value(&self, unit: usize, period: usize) -> Option<f64> {
        self.values[unit][period]
    }

    fn mean(&self, board: &Board, unit: usize, start: usize) -> Result<f64> {
        let (low, high) = self
            .predictor
            .window
            .unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        let (mut sum, mut count) = (0.0, 0_usize);
        for period in 0..start {
            let time = board.times[period];
            if let (true, Some(value)) = (time >= low && time <= high, self.values[unit][period]) {
                sum += value;
                count += 1;
            }
        }
        if count == 0 {
            return Err(Error::Unidentified {
                what: format!("the predictor `{}`", self.predictor.column),
                needs: format!(
                    "a value of `{}` {} before {}{}; widen its window, or leave the unit or the predictor out",
                    board.columns.unit,
                    board.units[unit],
                    board.labels[start],
                    (self.predictor.window)
                        .map_or_else(String::new, |(a, b)| format!(" from {a} to {b}"))
                ),
            });
        }
        Ok(sum / count as f64)
    }
}

/// The features of the target, then of each donor, scaled so that plain squared distances count each as it should.
pub(super) fn weighed_features(
    board: &Board,
    importance: &PredictorImportance,
    target: usize,
    donors: &[usize],
    start: usize,
) -> Result<Vec<Vec<f64>>> {
    let units: Vec<usize> = [target].iter().chain(donors).copied().collect();
    let (n, k) = (units.len(), board.features.len());
    let mut x = DMatrix::zeros(n, k);
    for (column, feature) in board.features.iter().enumerate() {
        for (row, unit) in units.iter().enumerate() {
            x[(row, column)] = feature.mean(board, *unit, start)?;
        }
        let mean = x.column(column).mean();
        let squares: f64 = x.column(column).iter().map(|v| (v - mean).powi(2)).sum();
        let deviation = (squares / (n - 1) as f64).sqrt();
        if deviation <= f64::EPSILON * mean.abs() {
            return Err(Error::Unidentified {
                what: format!("the importance of predictor `{}`", feature.predictor.column),
                needs: "values that differ between units; leave the predictor out".to_owned(),
            });
        }
        for value in x.column_mut(column).iter_mut() {
            *value = (*value - mean) / deviation;
        }
    }
    let importance = match importance {
        PredictorImportance::Even => vec![1.0; k],
        PredictorImportance::Given(given) => given.clone(),
        PredictorImportance::Regression => regression(board, &x, &units, start)?,
    };
    let total: f64 = importance.iter().sum();
    Ok((0..n)
        .map(|row| {
            (importance.iter().enumerate())
                .map(|(column, v)| (v / total).sqrt() * x[(row, column)])
                .collect()
        })
        .collect())
}

/// Sums of squared coefficients of outcomes before treatment on predictors that have mean zero, over periods.
fn regression(board: &Board, x: &DMatrix<f64>, units: &[usize], start: usize) -> Result<Vec<f64>> {
    let k = x.ncols();
    if units.len() <= k + 1 {
        return Err(Error::TooFewRows {
            rows: units.len(),
            parameters: k + 1,
        });
    }
    let factor = Cholesky::new(&(x.transpose() * x));
    if let Some(dropped) = factor.dropped().first() {
        return Err(Error::Unidentified {
            what: "the importance of predictors by regression".to_owned(),
            needs: format!(
                "predictors that are not linear combinations of each other: leave `{}` out",
                board.features[*dropped].predictor.column
            ),
        });
    }
    let outcomes = DMatrix::from_fn(units.len(), start, |row, period| {
        board.y[units[row]][period]
    });
    let slopes = factor.solve(&(x.transpose() * outcomes));
    Ok(slopes.row_iter().map(|row| row.norm_squared()).collect())
}
