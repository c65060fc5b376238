//! Features that a synthetic unit shall share with the treated one besides, or instead of, past outcomes.

use super::board::Board;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ops::Range;

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

/// A predictor's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Feature {
    predictor: Predictor,
    /// Units by periods; none where missing.
    values: Vec<Vec<Option<f64>>>,
}

impl Feature {
    pub(super) fn new(predictor: Predictor, values: &[Vec<f64>]) -> Self {
        let present = |v: &f64| (!v.is_nan()).then_some(*v);
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

    /// What is matched, in words.
    pub(super) fn name(&self) -> String {
        let column = &self.predictor.column;
        match self.predictor.window {
            None => column.clone(),
            Some((first, last)) if first < last => format!("{column}, {first} to {last}"),
            Some((only, _)) => format!("{column}, {only}"),
        }
    }

    pub(super) fn column(&self) -> &str {
        &self.predictor.column
    }

    /// The mean over those of some periods that are in the window.
    pub(super) fn mean(&self, board: &Board, unit: usize, periods: &Range<usize>) -> Result<f64> {
        let (low, high) = self
            .predictor
            .window
            .unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        let (mut sum, mut count) = (0.0, 0_usize);
        for period in periods.clone() {
            let time = board.times[period];
            if let (true, Some(value)) = (time >= low && time <= high, self.values[unit][period]) {
                sum += value;
                count += 1;
            }
        }
        if count == 0 {
            let from = if periods.start > 0 {
                format!(" from {} on and", board.labels[periods.start])
            } else {
                String::new()
            };
            return Err(Error::Unidentified {
                what: format!("the predictor `{}`", self.predictor.column),
                needs: format!(
                    "a value of `{}` {}{from} before {}{}; widen its window, or leave the unit or the predictor out",
                    board.columns.unit,
                    board.units[unit],
                    board.labels[periods.end],
                    (self.predictor.window)
                        .map_or_else(String::new, |(a, b)| format!(" from {a} to {b}"))
                ),
            });
        }
        Ok(sum / count as f64)
    }
}
