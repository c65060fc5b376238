//! Prediction-powered quantiles.

use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::{Interval, check_level};
use crate::numeric::special::normal;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// A quantile of an outcome that is known on n rows and predicted on these and on N others, by a model that did not learn from the labelled rows. With F the distribution functions of outcomes and predictions,
///
/// `F̂(θ) = F_N^f(θ) + F_n(θ) − F_n^f(θ)`, `s²(θ) = F_N^f (1 − F_N^f)/N + Var_n(1{Y ≤ θ} − 1{f ≤ θ})/n`
///
/// say how much of the outcome's distribution lies below θ, however wrong predictions are. The interval goes from the least to the largest of the values seen (outcomes and predictions) at which
/// `|F̂(θ) − q| < z s(θ)`. The estimate is the value at which `F̂` is nearest to q or, when it is short of q there, the next at which it reaches q, so that ratings have a quantile; the interval holds it. (ppi-python takes the nearest in either case.)
///
/// The labelled rows must be a random sample of all.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | of the interval | (0, 1) |
///
/// # Errors
/// [`Error::NoRows`] without labelled or without unlabelled rows; [`Error::InvalidOption`] for a q or a level outside (0, 1); [`Error::Infinite`].
///
/// # References
/// Angelopoulos, A. N., Bates, S., Fannjiang, C., Jordan, M. I. & Zrnic, T. (2023). Prediction-powered inference. *Science* 382(6671), 669–674. doi:10.1126/science.adi6000
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 2000;
/// let truth: Vec<f64> = (0..n).map(|i| f64::from(i * 7919 % 2000) / 100.0).collect();
/// let predicted: Vec<f64> = truth.iter().enumerate().map(|(i, t)| t + 1.0 + (i as f64).sin()).collect();
/// let known: Vec<f64> = (0..n as usize).map(|i| if i % 10 == 0 { truth[i] } else { f64::NAN }).collect();
/// let frame = Frame::new().with("days", known)?.with("predicted", predicted)?;
/// let median = PredictionPoweredQuantile::new("days", "predicted", 0.5).fit(&frame)?;
/// assert!((median.estimate() - 10.0).abs() < 0.5); // predictions are 11
/// assert!(median.interval().lower < 10.0 && median.interval().upper > 10.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionPoweredQuantile {
    outcome: String,
    prediction: String,
    q: f64,
    level: f64,
}

/// What [`PredictionPoweredQuantile`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionPoweredQuantileFit {
    model: PredictionPoweredQuantile,
    estimate: f64,
    interval: Interval,
    labelled: usize,
    unlabelled: usize,
    warnings: Vec<Warning>,
}

/// What changes at a value: predictions of rows without a label, and the sum of differences of both indicators and of their squares.
#[derive(Clone, Copy)]
struct Step {
    at: f64,
    others: f64,
    difference: f64,
    square: f64,
}

impl PredictionPoweredQuantile {
    /// The quantile q of an outcome, from a column that is missing (NaN) where nobody looked and a column of predictions.
    pub fn new(outcome: impl Into<String>, prediction: impl Into<String>, q: f64) -> Self {
        Self {
            outcome: outcome.into(),
            prediction: prediction.into(),
            q,
            level: 0.95,
        }
    }

    /// The level of the interval.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// The quantile and its interval.
    ///
    /// # Errors
    /// See [`PredictionPoweredQuantile`].
    pub fn fit(&self, frame: &Frame) -> Result<PredictionPoweredQuantileFit> {
        check_level(self.level)?;
        if !(self.q > 0.0 && self.q < 1.0) {
            return Err(Error::invalid_option("q", self.q, "between 0 and 1"));
        }
        let (outcome, prediction) = (
            frame.numeric(&self.outcome)?,
            frame.numeric(&self.prediction)?,
        );
        let mut steps = Vec::new();
        let (mut labelled, mut unlabelled) = (0, 0);
        for (row, (y, f)) in outcome
            .values()
            .iter()
            .zip(prediction.values().iter())
            .enumerate()
        {
            for (name, value) in [(&self.outcome, y), (&self.prediction, f)] {
                if value.is_infinite() {
                    return Err(Error::Infinite {
                        column: name.clone(),
                        row: row + 1,
                    });
                }
            }
            let step = |at: f64, others: f64, difference: f64, square: f64| Step {
                at,
                others,
                difference,
                square,
            };
            if f.is_nan() {
                continue;
            }
            if y.is_nan() {
                unlabelled += 1;
                steps.push(step(*f, 1.0, 0.0, 0.0));
            } else {
                labelled += 1;
                // The indicators differ between both values.
                let (first, last) = if y <= f { (*y, *f) } else { (*f, *y) };
                let sign = if y <= f { 1.0 } else { -1.0 };
                steps.push(step(first, 0.0, sign, 1.0));
                steps.push(step(last, 0.0, -sign, -1.0));
            }
        }
        for (rows, what) in [(labelled, "has a value"), (unlabelled, "is missing")] {
            if rows == 0 {
                return Err(Error::NoRows {
                    reason: format!(
                        "`{}` {what} on no row with a prediction; a quantile of this kind needs a random sample with labels and rows without",
                        self.outcome
                    ),
                });
            }
        }
        steps.sort_unstable_by(|a, b| a.at.total_cmp(&b.at));
        let (estimate, lower, upper) = self.invert(&steps, labelled as f64, unlabelled as f64);
        let missing = frame.rows() - labelled - unlabelled;
        let warnings = (missing > 0).then(|| Warning::RowsDropped {
            dropped: missing,
            missing: vec![(self.prediction.clone(), missing)],
        });
        Ok(PredictionPoweredQuantileFit {
            model: self.clone(),
            estimate,
            interval: Interval {
                name: format!("quantile {} of {}", self.q, self.outcome),
                level: self.level,
                lower,
                upper,
            },
            labelled,
            unlabelled,
            warnings: warnings.into_iter().collect(),
        })
    }

    /// The estimate and the ends of the interval, in one pass over the values.
    fn invert(&self, steps: &[Step], n: f64, others: f64) -> (f64, f64, f64) {
        let z = normal::quantile(0.5 + self.level / 2.0);
        let mut sums = [0.0; 3];
        let mut gaps: Vec<(f64, f64)> = Vec::new();
        let (mut lower, mut upper) = (f64::INFINITY, f64::NEG_INFINITY);
        for (k, step) in steps.iter().enumerate() {
            sums[0] += step.others;
            sums[1] += step.difference;
            sums[2] += step.square;
            if steps.get(k + 1).is_some_and(|next| next.at <= step.at) {
                continue;
            }
            let (below, rectifier) = (sums[0] / others, sums[1] / n);
            let variance =
                below * (1.0 - below) / others + (sums[2] / n - rectifier * rectifier) / n;
            let gap = below + rectifier - self.q;
            gaps.push((step.at, gap));
            if gap.abs() < z * variance.max(0.0).sqrt() {
                lower = lower.min(step.at);
                upper = upper.max(step.at);
            }
        }
        let nearest = (0..gaps.len())
            .min_by(|a, b| gaps[*a].1.abs().total_cmp(&gaps[*b].1.abs()))
            .unwrap_or_default();
        // Counts make sums exact; q is reached up to its own rounding, and at the last value the function is one.
        let reached = gaps[nearest..].iter().find(|(_, gap)| *gap >= -1e-12);
        let estimate = reached.map_or(f64::NAN, |(at, _)| *at);
        (estimate, lower.min(estimate), upper.max(estimate))
    }
}

impl PredictionPoweredQuantileFit {
    /// The quantile.
    pub fn estimate(&self) -> f64 {
        self.estimate
    }

    /// Its interval.
    pub fn interval(&self) -> &Interval {
        &self.interval
    }

    /// Rows with a label.
    pub fn labelled(&self) -> usize {
        self.labelled
    }

    /// Rows without.
    pub fn unlabelled(&self) -> usize {
        self.unlabelled
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The quantile and its interval.
    pub fn table(&self) -> Table {
        let shown = |v: f64| Cell::significant(v, 5);
        Table::new(format!(
            "Prediction-powered quantile of {}, predicted by {}",
            self.model.outcome, self.model.prediction
        ))
        .columns(["q", "Quantile", "from", "to"])
        .row([
            Cell::significant(self.model.q, 4),
            shown(self.estimate),
            shown(self.interval.lower),
            shown(self.interval.upper),
        ])
        .note(format!(
            "{} rows with a label, {} without; interval at {} %.",
            Cell::count(self.labelled),
            Cell::count(self.unlabelled),
            Cell::significant(100.0 * self.model.level, 4)
        ))
        .warned(&self.warnings)
    }
}

crate::report::notebook::shown!(PredictionPoweredQuantileFit);
