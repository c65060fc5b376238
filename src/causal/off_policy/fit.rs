//! What an off-policy evaluation found.

use super::bins::Bins;
use super::pass::Sums;
use crate::error::{Error, Result, Warning};
use crate::inference::{Estimate, Inference};
use crate::report::{Cell, Figure, LinePlot, Table, shown};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The name of the mean reward in the log.
pub(super) const LOGGED: &str = "logged";

/// What [`OffPolicy`](super::OffPolicy) found: estimates with their joint covariance, so that [`Inference`] compares them with each other and
/// with the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OffPolicyFit {
    pub(super) names: Vec<String>,
    pub(super) values: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
    pub(super) records: Vec<Estimate>,
    pub(super) mean_weight: Estimate,
    pub(super) effective_rows: f64,
    pub(super) largest_weight: f64,
    pub(super) clipped: usize,
    pub(super) rows: usize,
    pub(super) level: f64,
    pub(super) unsupported: Option<f64>,
    pub(super) switch: Option<Threshold>,
    pub(super) shrinkage: Option<Threshold>,
    pub(super) weights: Vec<WeightBin>,
    pub(super) warnings: Vec<Warning>,
}

/// The threshold of an estimator that trades bias for noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// The value; infinite when no weight was too large.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub value: f64,
    /// Whether the data chose it.
    pub chosen: bool,
}

/// Rows by their weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightBin {
    /// Weights of these rows are below it.
    pub upper: f64,
    /// How many rows.
    pub rows: u64,
    /// The sum of their weights.
    pub weight: f64,
}

impl Inference for OffPolicyFit {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn estimates(&self) -> &DVector<f64> {
        &self.values
    }

    fn covariance(&self) -> &DMatrix<f64> {
        &self.covariance
    }

    fn degrees_of_freedom(&self, _: &DVector<f64>) -> f64 {
        self.mean_weight.degrees_of_freedom
    }
}

/// The bins that hold rows.
pub(super) fn filled(sums: &Sums) -> Vec<WeightBin> {
    let bins = sums.bins.rows.iter().zip(&sums.bins.weight).enumerate();
    bins.filter(|(_, (rows, _))| **rows > 0)
        .map(|(at, (rows, weight))| WeightBin {
            upper: Bins::upper(at),
            rows: *rows,
            weight: *weight,
        })
        .collect()
}

impl OffPolicyFit {
    pub(super) fn warn(&mut self) {
        /// Standard errors that the mean weight may lie from one.
        const FAR: f64 = 3.0;
        const FEW: f64 = 0.05;
        let mut note = |message: String| self.warnings.push(Warning::Note { message });
        let far = self.mean_weight.statistic(1.0);
        // One row or cluster has no error to compare with.
        let known = self.mean_weight.degrees_of_freedom > 0.0;
        if self.clipped == 0 && known && far.abs() > FAR {
            let off = if far.is_finite() {
                format!("{:.1} standard errors from 1", far.abs())
            } else {
                "in every row alike".to_owned()
            };
            note(format!(
                "the mean weight is {:.3}, {off}: the logged probabilities are wrong, or the policy chooses actions without a chance in the log",
                self.mean_weight.estimate
            ));
        }
        if self.effective_rows < FEW * self.rows as f64 {
            note(format!(
                "the weights leave {:.0} of {} rows in effect: the policies differ much, and intervals may be too short",
                self.effective_rows, self.rows
            ));
        }
        if let Some(share) = self.unsupported.filter(|share| *share > 0.0) {
            note(format!(
                "{:.2} % of what the policy would do the log could not do: weighted estimates count its reward as zero and leave it out of the mean weight; give the log those actions, or trust the model for them",
                100.0 * share
            ));
        }
        for (name, threshold) in [("SWITCH", self.switch), ("DRos", self.shrinkage)] {
            if threshold.is_some_and(|t| t.chosen) {
                note(format!(
                    "the threshold of {name} was chosen by the data: its interval takes it as given, and leaves out the bias that it accepts"
                ));
            }
        }
    }

    /// An estimate that every fit has, by its place.
    fn record(&self, name: &str) -> Option<&Estimate> {
        self.records.iter().find(|e| e.name == name)
    }

    /// Inverse propensity scores.
    pub fn ips(&self) -> &Estimate {
        &self.records[0]
    }

    /// Self-normalised inverse propensity scores.
    pub fn snips(&self) -> &Estimate {
        &self.records[1]
    }

    /// The mean reward of the policy of the log.
    pub fn logged(&self) -> &Estimate {
        &self.records[2]
    }

    /// The direct method: the model alone.
    pub fn direct(&self) -> Option<&Estimate> {
        self.record("DM")
    }

    /// Doubly robust, when a model was given.
    pub fn doubly_robust(&self) -> Option<&Estimate> {
        self.record("DR")
    }

    /// The mean weight, which is one but for noise when the probabilities are right and weights are not clipped.
    pub fn mean_weight(&self) -> &Estimate {
        &self.mean_weight
    }

    /// `(Σ w)²/Σ w²`: as many rows without weights would say as much.
    pub fn effective_rows(&self) -> f64 {
        self.effective_rows
    }

    /// The largest weight before clipping.
    pub fn largest_weight(&self) -> f64 {
        self.largest_weight
    }

    /// Rows whose weight was clipped.
    pub fn clipped(&self) -> usize {
        self.clipped
    }

    /// The share of the policy's choices that fall on actions which the log could not take; known when its probabilities of all actions are given.
    pub fn unsupported(&self) -> Option<f64> {
        self.unsupported
    }

    /// The τ of SWITCH.
    pub fn switch(&self) -> Option<Threshold> {
        self.switch
    }

    /// The λ of shrunk weights.
    pub fn shrinkage(&self) -> Option<Threshold> {
        self.shrinkage
    }

    /// Rows by weight, from light to heavy, in bins of an eighth of an octave.
    pub fn weights(&self) -> &[WeightBin] {
        &self.weights
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The weights: which share of rows has at most a weight, and which share of all weight these rows carry. Curves far apart mean that few rows
    /// decide.
    ///
    /// # Errors
    /// [`Error::NoRows`] without weights above zero.
    pub fn weights_figure(&self) -> Result<Figure> {
        let positive: Vec<&WeightBin> = self.weights.iter().filter(|b| b.weight > 0.0).collect();
        if positive.is_empty() {
            return Err(Error::NoRows {
                reason: "no row has a weight above zero".to_owned(),
            });
        }
        let total: f64 = positive.iter().map(|b| b.weight).sum();
        let light: u64 = self
            .weights
            .iter()
            .filter(|b| b.weight <= 0.0)
            .map(|b| b.rows)
            .sum();
        let (mut rows, mut weight) = (light as f64, 0.0);
        let (mut x, mut of_rows, mut of_weight) = (Vec::new(), Vec::new(), Vec::new());
        for bin in positive {
            rows += bin.rows as f64;
            weight += bin.weight;
            x.push(bin.upper.log10());
            of_rows.push(rows / self.rows as f64);
            of_weight.push(weight / total);
        }
        LinePlot::new()
            .title("Weights of the rows")
            .x_title("weight at most (log 10)")
            .y_title("share")
            .line("of rows", &x, &of_rows)
            .line("of the sum of weights", &x, &of_weight)
            .reference_x(0.0)
            .draw()
    }

    /// One row an estimator.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Value of the policy from the log of another").columns([
            "",
            "Estimate",
            "Std. error",
            "from",
            "to",
        ]);
        let last = self.records.iter().filter(|e| e.name == LOGGED);
        let first = self.records.iter().filter(|e| e.name != LOGGED);
        for estimate in first.chain(last) {
            let name = match estimate.name.as_str() {
                LOGGED => "policy of the log",
                name => name,
            };
            table = table.row(cells(name, estimate, self.level));
        }
        table = table
            .summary([
                Cell::text("Mean weight"),
                Cell::significant(self.mean_weight.estimate, 4),
            ])
            .summary([
                Cell::text("Effective rows"),
                Cell::fixed(self.effective_rows, 0),
            ]);
        let thresholds = [("τ of SWITCH", self.switch), ("λ of DRos", self.shrinkage)];
        for (name, threshold) in thresholds {
            if let Some(threshold) = threshold {
                table = table.summary([Cell::text(name), Cell::significant(threshold.value, 4)]);
            }
        }
        table
            .note(format!(
                "{} rows, {} weights clipped; intervals at {} %.",
                Cell::count(self.rows),
                Cell::count(self.clipped),
                self.level * 100.0
            ))
            .warned(&self.warnings)
    }
}

/// A value with its standard error and the ends of its interval.
pub(super) fn cells(name: &str, value: &Estimate, level: f64) -> [Cell; 5] {
    let ends = value.confidence_interval(level);
    let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
    [
        Cell::text(name),
        Cell::significant(value.estimate, 4),
        Cell::significant(value.std_error, 3).parenthesised(),
        Cell::significant(low, 4),
        Cell::significant(high, 4),
    ]
}

shown!(OffPolicyFit);
