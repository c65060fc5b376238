//! The distinct columns that the metrics of an experiment need, and which metric needs which.

use crate::data::{Column, Frame};
use crate::error::{Error, Result};
use crate::experiment::metric::{Metric, MetricKind};
use serde::{Deserialize, Serialize};

/// A column as a metric reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Variable {
    pub(crate) column: String,
    /// Values beyond these are set to them.
    pub(crate) clip: Option<[f64; 2]>,
    /// What its values must be.
    pub(crate) range: ValueRange,
}

/// What values must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum ValueRange {
    Any,
    NotNegative,
    ZeroOrOne,
}

/// A mean or a ratio of means, by the positions of its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quotient {
    pub(crate) numerator: usize,
    pub(crate) denominator: Option<usize>,
}

/// A metric that is a function of moments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MomentMetric {
    /// Its position among all metrics.
    pub(crate) metric: usize,
    pub(crate) value: Quotient,
    pub(crate) covariates: Vec<Quotient>,
}

impl MomentMetric {
    /// Every variable it needs.
    pub(crate) fn variables(&self) -> impl Iterator<Item = usize> + '_ {
        std::iter::once(&self.value)
            .chain(&self.covariates)
            .flat_map(|q| std::iter::once(q.numerator).chain(q.denominator))
    }
}

/// All variables, each once, and the metrics that use them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) variables: Vec<Variable>,
    pub(crate) metrics: Vec<MomentMetric>,
}

/// Metrics of one experiment are the bits of a word; one bit stands for units that are not analysed.
const MOST_METRICS: usize = 63;

impl Plan {
    /// The plan of metrics; `clips` has the bounds of winsorised metrics and `predictions` the names of columns of predictions.
    pub(crate) fn new(
        metrics: &[Metric],
        clips: &[Option<[f64; 2]>],
        predictions: &[Option<String>],
    ) -> Result<Self> {
        let mut plan = Self::default();
        for (index, metric) in metrics.iter().enumerate() {
            let (Some((numerator, denominator)), true) =
                (metric.quotient(), metric.is_of_moments())
            else {
                continue;
            };
            let range = match metric.kind {
                MetricKind::Proportion { .. } => ValueRange::ZeroOrOne,
                MetricKind::Count { .. } => ValueRange::NotNegative,
                _ => ValueRange::Any,
            };
            let clip = clips.get(index).copied().flatten();
            let value = Quotient {
                numerator: plan.variable(numerator, clip, range),
                denominator: denominator.map(|d| plan.variable(d, None, ValueRange::Any)),
            };
            let mut covariates = Vec::new();
            for c in &metric.covariates {
                covariates.push(Quotient {
                    numerator: plan.variable(&c.numerator, None, ValueRange::Any),
                    denominator: c
                        .denominator
                        .as_ref()
                        .map(|d| plan.variable(d, None, ValueRange::Any)),
                });
            }
            if let Some(name) = predictions.get(index).and_then(Option::as_ref) {
                covariates.push(Quotient {
                    numerator: plan.variable(name, None, ValueRange::Any),
                    denominator: None,
                });
            }
            plan.metrics.push(MomentMetric {
                metric: index,
                value,
                covariates,
            });
        }
        if plan.metrics.len() > MOST_METRICS {
            return Err(Error::invalid_option(
                "metrics",
                plan.metrics.len(),
                "at most 63 in one experiment; analyse the others in a second one",
            ));
        }
        Ok(plan)
    }

    /// The cut-off points of a metric's variable.
    pub(crate) fn clip(&self, metric: usize) -> Option<[f64; 2]> {
        let found = self.metrics.iter().find(|m| m.metric == metric)?;
        self.variables[found.value.numerator].clip
    }

    /// For every variable the bits of the metrics that use it.
    pub(crate) fn users(&self) -> Vec<u64> {
        let mut users = vec![0; self.variables.len()];
        for (bit, metric) in self.metrics.iter().enumerate() {
            for v in metric.variables() {
                users[v] |= 1 << bit;
            }
        }
        users
    }

    /// Numerator and denominator of every ratio, each pair once.
    pub(crate) fn ratios(&self) -> Vec<(usize, usize)> {
        let mut ratios = Vec::new();
        for metric in &self.metrics {
            if let Some(denominator) = metric.value.denominator {
                let pair = (metric.value.numerator, denominator);
                if !ratios.contains(&pair) {
                    ratios.push(pair);
                }
            }
        }
        ratios
    }

    fn variable(&mut self, column: &str, clip: Option<[f64; 2]>, range: ValueRange) -> usize {
        let same = |v: &Variable| v.column == column && v.clip == clip;
        if let Some(at) = self.variables.iter().position(same) {
            let known = &mut self.variables[at].range;
            *known = (*known).max(range);
            return at;
        }
        self.variables.push(Variable {
            column: column.to_owned(),
            clip,
            range,
        });
        self.variables.len() - 1
    }
}

/// The numbers of a variable in a frame.
pub(crate) enum Values<'a> {
    Real {
        values: &'a [f64],
        clip: Option<[f64; 2]>,
        missing: usize,
    },
    Flag(&'a [bool]),
}

impl<'a> Values<'a> {
    /// Reads a variable; values that are infinite or out of range are refused with their row.
    pub(crate) fn read(variable: &Variable, frame: &'a Frame) -> Result<Self> {
        let real = match frame.column(&variable.column)? {
            Column::Real(real) => real,
            Column::Time(time) => time.seconds(),
            Column::Flag(flags) => return Ok(Self::Flag(flags)),
            Column::Label(_) => return Err(label_refused(&variable.column, frame)),
        };
        let values = real.values().as_slice();
        if real.infinite() > 0
            && let Some(row) = values.iter().position(|v| v.is_infinite())
        {
            return Err(Error::Infinite {
                column: variable.column.clone(),
                row: row + 1,
            });
        }
        let (expected, bad): (&str, fn(f64) -> bool) = match variable.range {
            ValueRange::Any => ("", |_| false),
            ValueRange::NotNegative => ("0 or more for a count", |v| v < 0.0),
            ValueRange::ZeroOrOne => (
                "0 or 1 for a proportion; use Metric::mean for other numbers",
                |v| v.abs() > 0.0 && (v - 1.0).abs() > 0.0,
            ),
        };
        if variable.range != ValueRange::Any
            && let Some(row) = values.iter().position(|v| bad(*v))
        {
            return Err(Error::OutOfRange {
                column: variable.column.clone(),
                row: row + 1,
                value: values[row],
                expected: expected.to_owned(),
            });
        }
        Ok(Self::Real {
            values,
            clip: variable.clip,
            missing: real.missing(),
        })
    }

    /// How many are missing.
    pub(crate) fn missing(&self) -> usize {
        match self {
            Self::Real { missing, .. } => *missing,
            Self::Flag(_) => 0,
        }
    }

    /// The rows from `start` on, in place when they are whole and need no change, else by way of `scratch`.
    pub(crate) fn piece<'b, const N: usize>(
        &'b self,
        start: usize,
        len: usize,
        scratch: &'b mut [f64; N],
    ) -> &'b [f64; N] {
        match self {
            Self::Real {
                values, clip: None, ..
            } => {
                let rows = &values[start..start + len];
                if let Ok(whole) = <&[f64; N]>::try_from(rows) {
                    return whole;
                }
                scratch[..len].copy_from_slice(rows);
            }
            Self::Real {
                values,
                clip: Some([lower, upper]),
                ..
            } => {
                for (out, v) in scratch.iter_mut().zip(&values[start..start + len]) {
                    // Comparisons, not min and max, so that what is missing stays missing.
                    *out = if v < lower {
                        *lower
                    } else if v > upper {
                        *upper
                    } else {
                        *v
                    };
                }
            }
            Self::Flag(values) => {
                for (out, v) in scratch.iter_mut().zip(&values[start..start + len]) {
                    *out = f64::from(u8::from(*v));
                }
            }
        }
        scratch
    }
}

/// The error of [`Frame::numeric`] for a column of text.
fn label_refused(column: &str, frame: &Frame) -> Error {
    match frame.numeric(column) {
        Err(error) => error,
        Ok(_) => Error::NotFinite {
            what: format!("`{column}`"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_taken_once() {
        let metrics = [
            Metric::mean("revenue"),
            Metric::ratio("revenue", "orders").cuped_ratio("revenue_before", "orders_before"),
            Metric::proportion("orders"),
        ];
        let plan = Plan::new(&metrics, &[], &[]).unwrap();
        assert_eq!(plan.variables.len(), 4);
        assert_eq!(plan.users(), vec![0b011, 0b110, 0b010, 0b010]);
        assert_eq!(plan.variables[1].range, ValueRange::ZeroOrOne);
    }

    #[test]
    fn cut_values_stay_missing_where_they_were() {
        let values = [1.0, f64::NAN, 9.0];
        let cut = Values::Real {
            values: &values,
            clip: Some([2.0, 5.0]),
            missing: 1,
        };
        let mut scratch = [0.0; 4];
        let piece = cut.piece(0, 3, &mut scratch);
        assert_eq!((piece[0], piece[2]), (2.0, 5.0));
        assert!(piece[1].is_nan());
    }
}
