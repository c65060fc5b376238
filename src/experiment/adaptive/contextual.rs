//! The value of a policy from an experiment that adapted to context: contextual adaptive doubly robust (Bibaut et al. 2021).

use super::Rounds;
use super::{numbers, shares};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::bootstrap::whole;
use crate::inference::{Estimate, check_level};
use crate::report::{Cell, Table, shown};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Estimates what a policy π is worth from an experiment whose assignment `g_b` in batch b learned from the batches before and may have followed the context of a customer. With predictions
/// `m_t(a)` from the past alone, the scores
///
/// `D_t = Σ_a π_t(a) m_t(a) + π_t(A_t)/g_t(A_t) (Y_t − m_t(A_t))`
///
/// have the value as their mean given the past, but variances that move with `g`. Each is divided by its standard deviation, estimated from earlier batches as if these had been assigned
/// by `g_b`:
///
/// `σ̂_b² = mean_s(ω D'²) − mean_s(ω D')²`, `ω_s = g_b(A_s|X_s)/g_s(A_s)`, `D'_s` the score of row s with `g_b` in the place of `g_s`;
/// `Ψ̂ = Σ D_t/σ̂_t / Σ 1/σ̂_t`, with standard error `√T / Σ 1/σ̂_t`.
///
/// The first batch has no past: it only serves to estimate deviations. Where predictions settle and every arm keeps a chance, `Ψ̂` is normal however assignment behaves.
///
/// Probabilities of batch b for customers of earlier batches are needed. Without context they are those of any row of batch b, and [`fit`](Self::fit) takes them from there; with context
/// [`fit_with_policies`](Self::fit_with_policies) asks for them, and a clone of the [bandit](super::super::bandit::ContextualBandit) from each batch answers.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `probabilities` | | probability of every arm when the row was assigned, a column each | sum to 1 |
/// | `targets` | | the policy's probability of every arm, a column each | sum to 1 |
/// | `predictions` | running means of the arms | columns of predictions from earlier rows alone | |
/// | `batch` | | a column whose values number the batches in their order | |
/// | `level` | 0.95 | of intervals | (0, 1) |
///
/// # Errors
/// As [`AdaptiveInference`](super::AdaptiveInference); [`Error::InvalidOption`] for one batch, or batches out of order; [`Error::Unidentified`] when a deviation is zero.
///
/// # References
/// Bibaut, A., Dimakopoulou, M., Kallus, N., Chambaz, A. & van der Laan, M. (2021). Post-contextual-bandit inference. *NeurIPS* 34.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let world = BanditEnvironment::bernoulli([0.3, 0.5]);
/// let bandit = Bandit::new(BanditPolicy::thompson(), 2).floor(0.05);
/// let log = BanditSimulation::new(world, bandit).rounds(1000).batch(100).seed(7).log(0)?;
/// let batch: Vec<f64> = (0..1000).map(|t| f64::from(t / 100)).collect();
/// let log = log.with("batch", batch)?.with("all0", vec![1.0; 1000])?.with("none1", vec![0.0; 1000])?;
/// let fit = AdaptivePolicyValue::new("reward", "arm", ["0", "1"], "batch")
///     .probabilities(["p0", "p1"])
///     .targets(["all0", "none1"])
///     .fit(&log)?;
/// let ends = fit.value().confidence_interval(0.95)?;
/// assert!(ends.lower < 0.3 && 0.3 < ends.upper);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AdaptivePolicyValue {
    reward: String,
    arm: String,
    arms: Vec<String>,
    batch: String,
    probabilities: Vec<String>,
    targets: Vec<String>,
    predictions: Vec<String>,
    level: f64,
}

/// What [`AdaptivePolicyValue`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdaptivePolicyValueFit {
    value: Estimate,
    plain: Estimate,
    deviations: Vec<f64>,
    rows: usize,
    level: f64,
    warnings: Vec<Warning>,
}

impl AdaptivePolicyValue {
    /// From columns of rewards, arms and batches, and all arms by name; then [`probabilities`](Self::probabilities) and [`targets`](Self::targets).
    pub fn new<S: Into<String>>(
        reward: impl Into<String>,
        arm: impl Into<String>,
        arms: impl IntoIterator<Item = S>,
        batch: impl Into<String>,
    ) -> Self {
        Self {
            reward: reward.into(),
            arm: arm.into(),
            arms: arms.into_iter().map(Into::into).collect(),
            batch: batch.into(),
            probabilities: Vec::new(),
            targets: Vec::new(),
            predictions: Vec::new(),
            level: 0.95,
        }
    }

    /// Columns with the probability of each arm when the row was assigned.
    pub fn probabilities<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.probabilities = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Columns with the policy's probability of each arm.
    pub fn targets<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.targets = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Columns with predictions of the reward of each arm, from earlier rows alone.
    pub fn predictions<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.predictions = columns.into_iter().map(Into::into).collect();
        self
    }

    /// The level of intervals.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Estimates where assignment did not look at context: the probabilities of a batch are those of its first row.
    ///
    /// # Errors
    /// See [`AdaptivePolicyValue`]; [`Error::OutOfRange`] when probabilities differ within a batch.
    pub fn fit(&self, frame: &Frame) -> Result<AdaptivePolicyValueFit> {
        let log = self.read(frame)?;
        for (column, probability) in self.probabilities.iter().zip(&log.rounds.probability) {
            for batch in log.batches.windows(2) {
                let first = probability[batch[0]];
                let other = (batch[0]..batch[1])
                    .find(|t| (probability[*t] - first).abs() > super::ROUNDING);
                if let Some(row) = other {
                    return Err(Error::OutOfRange {
                        column: column.clone(),
                        row: row + 1,
                        value: probability[row],
                        expected: format!(
                            "{first}, as in the first row of its batch; where assignment looked at context call fit_with_policies"
                        ),
                    });
                }
            }
        }
        let at = |batch: usize, _: usize| {
            log.rounds
                .probability
                .iter()
                .map(|p| p[log.batches[batch]])
                .collect()
        };
        self.conclude(&log, at)
    }

    /// Estimates with `policies(batch, row)`, the probabilities that the policy of a batch (from 0) gives to all arms for the customer of an earlier row (from 0).
    ///
    /// # Errors
    /// See [`AdaptivePolicyValue`].
    pub fn fit_with_policies(
        &self,
        frame: &Frame,
        policies: impl Fn(usize, usize) -> Vec<f64>,
    ) -> Result<AdaptivePolicyValueFit> {
        self.conclude(&self.read(frame)?, policies)
    }

    fn read(&self, frame: &Frame) -> Result<Log> {
        check_level(self.level)?;
        let arms = self.arms.len();
        for (name, list, needed) in [
            ("targets", &self.targets, true),
            ("predictions", &self.predictions, false),
        ] {
            if list.len() != arms && (needed || !list.is_empty()) {
                return Err(Error::invalid_option(
                    name,
                    format!("{} columns", list.len()),
                    format!("one column for each of the {arms} arms"),
                ));
            }
        }
        let rounds = Rounds::read(
            frame,
            &self.reward,
            &self.arm,
            &self.arms,
            &self.probabilities,
        )?;
        let batch = whole(frame, &self.batch)?;
        let number = numbers(frame, &self.batch)?;
        if number.windows(2).any(|two| two[1] < two[0]) || batch.count() < 2 {
            return Err(Error::invalid_option(
                "batch",
                format!("`{}` with {} batches", self.batch, batch.count()),
                "a column that numbers two batches at least, in the order of the rows",
            ));
        }
        let mut batches: Vec<usize> = (0..number.len())
            .filter(|t| *t == 0 || number[*t] > number[*t - 1])
            .collect();
        batches.push(number.len());
        let predictions = if self.predictions.is_empty() {
            rounds.running_means()
        } else {
            self.predictions
                .iter()
                .map(|c| numbers(frame, c))
                .collect::<Result<_>>()?
        };
        let targets: Vec<_> = self
            .targets
            .iter()
            .map(|c| shares(frame, c))
            .collect::<Result<_>>()?;
        for row in 0..number.len() {
            let total: f64 = targets.iter().map(|q| q[row]).sum();
            if (total - 1.0).abs() > super::ROUNDING {
                return Err(Error::OutOfRange {
                    column: self.targets.join(" + "),
                    row: row + 1,
                    value: total,
                    expected: "1: the policy's probabilities of all arms add up to it".to_owned(),
                });
            }
        }
        Ok(Log {
            rounds,
            targets,
            predictions,
            batches,
        })
    }

    fn conclude(
        &self,
        log: &Log,
        policies: impl Fn(usize, usize) -> Vec<f64>,
    ) -> Result<AdaptivePolicyValueFit> {
        let rows = log.rounds.reward.len();
        let direct: Vec<f64> = (0..rows)
            .map(|t| {
                log.targets
                    .iter()
                    .zip(&log.predictions)
                    .map(|(q, m)| q[t] * m[t])
                    .sum()
            })
            .collect();
        let own = |t: usize| log.rounds.arm[t] as usize;
        let residual =
            |t: usize| log.targets[own(t)][t] * (log.rounds.reward[t] - log.predictions[own(t)][t]);
        let (mut top, mut bottom) = (0.0, 0.0);
        let (mut scores, mut deviations) = (Vec::new(), Vec::new());
        for batch in 1..log.batches.len() - 1 {
            let start = log.batches[batch];
            let (mut first, mut second) = (0.0, 0.0);
            for (s, direct) in direct.iter().enumerate().take(start) {
                let chance = policies(batch, s).get(own(s)).copied().unwrap_or(f64::NAN);
                if !(chance > 0.0 && chance <= 1.0) {
                    return Err(Error::OutOfRange {
                        column: format!("policy of batch {batch}"),
                        row: s + 1,
                        value: chance,
                        expected: "above 0 and at most 1 for the arm of every earlier row; give bandits a floor".to_owned(),
                    });
                }
                let weight = chance / log.rounds.probability[own(s)][s];
                let score = direct + residual(s) / chance;
                first += weight * score / start as f64;
                second += weight * score * score / start as f64;
            }
            let variance = second - first * first;
            // What is left of a difference of squares below this share is rounding.
            if variance.is_nan() || variance <= 1e-12 * second {
                return Err(Error::Unidentified {
                    what: format!("the deviation of scores in batch {batch}"),
                    needs: "rewards of the policy's arms that differ in the batches before; merge it with them, or take a rough mean off the rewards".to_owned(),
                });
            }
            let deviation = variance.sqrt();
            deviations.push(deviation);
            let rows = direct.iter().enumerate().take(log.batches[batch + 1]);
            for (t, direct) in rows.skip(start) {
                let score = direct + residual(t) / log.rounds.probability[own(t)][t];
                top += score / deviation;
                bottom += 1.0 / deviation;
                scores.push(score);
            }
        }
        let count = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / count;
        let squares: f64 = scores.iter().map(|d| (d - mean).powi(2)).sum();
        let record = |name: &str, estimate: f64, std_error: f64| Estimate {
            name: name.to_owned(),
            estimate,
            std_error,
            degrees_of_freedom: f64::INFINITY,
        };
        Ok(AdaptivePolicyValueFit {
            value: record("value", top / bottom, count.sqrt() / bottom),
            plain: record(
                "doubly robust",
                mean,
                (squares / count).sqrt() / count.sqrt(),
            ),
            deviations,
            rows: scores.len(),
            level: self.level,
            warnings: vec![Warning::Note {
                message: format!(
                    "{} rows of the first batch only serve to estimate deviations",
                    log.batches[1]
                ),
            }],
        })
    }
}

/// The checked log of an adaptive experiment.
struct Log {
    rounds: Rounds,
    targets: Vec<Arc<Vec<f64>>>,
    predictions: Vec<Arc<Vec<f64>>>,
    /// Where batches start, and the end.
    batches: Vec<usize>,
}

impl AdaptivePolicyValueFit {
    /// The value of the policy.
    pub fn value(&self) -> &Estimate {
        &self.value
    }

    /// The same scores with equal weights, which need not be normal.
    pub fn unweighted(&self) -> &Estimate {
        &self.plain
    }

    /// The deviation of scores in each batch but the first.
    pub fn deviations(&self) -> &[f64] {
        &self.deviations
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Value, and the unweighted mean beside it.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Value of a policy after adaptive assignment").columns([
            "",
            "Estimate",
            "Std. error",
            "from",
            "to",
        ]);
        for (name, estimate) in [("stabilised", &self.value), ("unweighted", &self.plain)] {
            let ends = estimate.confidence_interval(self.level);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            table = table.row([
                Cell::text(name),
                Cell::significant(estimate.estimate, 4),
                Cell::significant(estimate.std_error, 3).parenthesised(),
                Cell::significant(low, 4),
                Cell::significant(high, 4),
            ]);
        }
        table
            .note(format!(
                "{} rows; intervals at {} %.",
                Cell::count(self.rows),
                self.level * 100.0
            ))
            .warned(&self.warnings)
    }
}

shown!(AdaptivePolicyValueFit);
