//! Two arms, outcomes that may be missing, weights and clusters.

use super::identified_set::IdentifiedSet;
use crate::causal::units::{Linearised, Units};
use crate::data::{Frame, MISSING};
use crate::error::{Error, Result, Warning};
use serde::{Deserialize, Serialize};

/// Names of columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Columns {
    pub(super) outcome: String,
    pub(super) treatment: String,
    pub(super) weights: Option<String>,
    pub(super) clusters: Option<String>,
}

/// Columns, and the smallest and the largest value that the outcome can have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Bounded {
    pub(super) columns: Columns,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Bounded {
    pub(super) fn new(
        outcome: impl Into<String>,
        treatment: impl Into<String>,
        low: f64,
        high: f64,
    ) -> Self {
        Self {
            columns: Columns::new(outcome, treatment),
            low,
            high,
        }
    }

    /// Reads the rows, and refuses outcomes beyond the bounds.
    pub(super) fn read(&self, frame: &Frame, may_miss: bool) -> Result<Arms> {
        let (low, high) = (self.low, self.high);
        if !(low < high && low.is_finite() && high.is_finite()) {
            return Err(Error::invalid_option(
                "bounds",
                format!("{low} and {high}"),
                "the smallest and the largest value that the outcome can have, finite and in this order",
            ));
        }
        let arms = self.columns.read(frame, may_miss)?;
        let beyond = arms.y.iter().position(|y| *y < low || *y > high);
        beyond.map_or(Ok(()), |at| {
            let expected =
                format!("from {low} to {high}, the bounds given; widen them or correct the row");
            let row = arms.rows[at];
            Err(out_of_range(
                &self.columns.outcome,
                row,
                arms.y[at],
                &expected,
            ))
        })?;
        Ok(arms)
    }

    /// The set between the ends.
    pub(super) fn set(
        &self,
        assumption: String,
        ends: &[Linearised; 2],
        arms: Arms,
    ) -> IdentifiedSet {
        let name = self.columns.effect();
        IdentifiedSet::new(name, assumption, ends, &arms.units, arms.warnings)
    }
}

/// Rows whose treatment is known.
pub(super) struct Arms {
    /// Where each row stands in the frame.
    pub(super) rows: Vec<usize>,
    /// NaN where missing.
    pub(super) y: Vec<f64>,
    pub(super) treated: Vec<bool>,
    pub(super) units: Units,
    pub(super) warnings: Vec<Warning>,
}

impl Columns {
    pub(super) fn new(outcome: impl Into<String>, treatment: impl Into<String>) -> Self {
        Self {
            outcome: outcome.into(),
            treatment: treatment.into(),
            weights: None,
            clusters: None,
        }
    }

    pub(super) fn effect(&self) -> String {
        format!("the effect of {} on {}", self.treatment, self.outcome)
    }

    /// Reads the rows; without `may_miss` those without an outcome are left out.
    pub(super) fn read(&self, frame: &Frame, may_miss: bool) -> Result<Arms> {
        let (y, w) = (
            frame.numeric(&self.outcome)?,
            frame.numeric(&self.treatment)?,
        );
        let weights = self
            .weights
            .as_ref()
            .map(|c| frame.numeric(c))
            .transpose()?;
        let clusters = self
            .clusters
            .as_ref()
            .map(|c| frame.groups(c))
            .transpose()?;
        let (mut rows, mut outcome, mut treated) = (Vec::new(), Vec::new(), Vec::new());
        let (mut own_weights, mut own_clusters) = (Vec::new(), Vec::new());
        let mut missing = [0_usize; 3];
        for row in 0..frame.rows() {
            let (y, w) = (y.values()[row], w.values()[row]);
            let weight = weights.as_ref().map_or(1.0, |c| c.values()[row]);
            if w.is_nan() || weight.is_nan() || (y.is_nan() && !may_miss) {
                missing[0] += usize::from(y.is_nan() && !may_miss);
                missing[1] += usize::from(w.is_nan());
                missing[2] += usize::from(weight.is_nan());
                continue;
            }
            if y.is_infinite() {
                return Err(Error::Infinite {
                    column: self.outcome.clone(),
                    row: row + 1,
                });
            }
            if w.abs() > 0.0 && (w - 1.0).abs() > 0.0 {
                return Err(out_of_range(
                    &self.treatment,
                    row,
                    w,
                    "0 or 1: control or treated",
                ));
            }
            if weight < 0.0 || weight.is_infinite() {
                let column = self.weights.as_deref().unwrap_or_default();
                return Err(out_of_range(column, row, weight, "finite and not negative"));
            }
            if weight <= 0.0 {
                continue;
            }
            rows.push(row);
            outcome.push(y);
            treated.push(w > 0.5);
            own_weights.push(weight);
            own_clusters.extend(clusters.as_ref().map(|g| g.codes[row]));
        }
        for (arm, name) in [(false, 0), (true, 1)] {
            if treated.iter().filter(|t| **t == arm).count() < 2 {
                return Err(Error::NoRows {
                    reason: format!(
                        "`{}` is {name} on fewer than two rows in use",
                        self.treatment
                    ),
                });
            }
        }
        let mut warnings = Vec::new();
        if missing.iter().sum::<usize>() > 0 {
            let names = [
                Some(&self.outcome),
                Some(&self.treatment),
                self.weights.as_ref(),
            ];
            let counted = names.into_iter().zip(missing);
            warnings.push(Warning::RowsDropped {
                dropped: frame.rows() - rows.len(),
                missing: counted
                    .filter(|(_, count)| *count > 0)
                    .filter_map(|(name, count)| name.map(|name| (name.clone(), count)))
                    .collect(),
            });
        }
        if let Some(column) = &self.clusters {
            let missing = own_clusters.iter().filter(|c| **c == MISSING).count();
            if missing > 0 {
                return Err(Error::MissingClusters {
                    column: column.clone(),
                    missing,
                });
            }
        }
        let units = Units::new(
            rows.len(),
            self.weights.is_some().then_some(&own_weights),
            clusters.is_some().then_some(&own_clusters),
        );
        if let (Some(column), 0..2) = (&self.clusters, units.weighed) {
            return Err(Error::TooFewClusters {
                column: column.clone(),
                clusters: units.weighed,
            });
        }
        Ok(Arms {
            rows,
            y: outcome,
            treated,
            units,
            warnings,
        })
    }
}

impl Arms {
    pub(super) fn len(&self) -> usize {
        self.y.len()
    }

    /// The mean of a value over a part of the rows, which must have some; its influence sums to it with the rows' weights.
    pub(super) fn mean(
        &self,
        value: impl Fn(usize) -> f64,
        part: impl Fn(usize) -> bool,
    ) -> Linearised {
        let (mut top, mut bottom) = (0.0, 0.0);
        for row in (0..self.len()).filter(|row| part(*row)) {
            top += self.units.weights[row] * value(row);
            bottom += self.units.weights[row];
        }
        let estimate = top / bottom;
        let influence = (0..self.len())
            .map(|row| {
                if part(row) {
                    (value(row) - estimate) / bottom
                } else {
                    0.0
                }
            })
            .collect();
        Linearised {
            estimate,
            influence,
        }
    }
}

/// `a − b`.
pub(super) fn less(a: &Linearised, b: &Linearised) -> Linearised {
    let pairs = a.influence.iter().zip(&b.influence);
    Linearised {
        estimate: a.estimate - b.estimate,
        influence: pairs.map(|(a, b)| a - b).collect(),
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
