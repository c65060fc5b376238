//! Estimates of an adaptive experiment, with the sample means beside them.

use super::Rounds;
use crate::error::{Error, Result, Warning};
use crate::experiment::always_valid::MeanSequence;
use crate::inference::{Estimate, Inference};
use crate::report::{Cell, Table, shown};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What [`AdaptiveInference`](super::AdaptiveInference) found: the mean of every arm with their joint covariance.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct AdaptiveInferenceFit {
    arms: Vec<String>,
    values: DVector<f64>,
    covariance: DMatrix<f64>,
    sample_means: Vec<Estimate>,
    least: Vec<f64>,
    /// Unweighted scores, an arm after the other.
    scores: Vec<Vec<f64>>,
    level: f64,
    warnings: Vec<Warning>,
}

impl fmt::Debug for AdaptiveInferenceFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveInferenceFit")
            .field("arms", &self.arms)
            .field("estimates", &self.values.as_slice())
            .field("rounds", &self.scores[0].len())
            .finish()
    }
}

impl Inference for AdaptiveInferenceFit {
    fn names(&self) -> &[String] {
        &self.arms
    }

    fn estimates(&self) -> &DVector<f64> {
        &self.values
    }

    fn covariance(&self) -> &DMatrix<f64> {
        &self.covariance
    }
}

impl AdaptiveInferenceFit {
    pub(super) fn new(
        arms: &[String],
        rounds: &Rounds,
        scores: Vec<Vec<f64>>,
        weights: &[Vec<f64>],
        level: f64,
    ) -> Self {
        let totals: Vec<f64> = weights.iter().map(|h| h.iter().sum()).collect();
        let values: Vec<f64> = (0..arms.len())
            .map(|a| {
                scores[a]
                    .iter()
                    .zip(&weights[a])
                    .map(|(g, h)| g * h)
                    .sum::<f64>()
                    / totals[a]
            })
            .collect();
        let part = |a: usize, t: usize| weights[a][t] * (scores[a][t] - values[a]) / totals[a];
        let covariance = DMatrix::from_fn(arms.len(), arms.len(), |a, b| {
            (0..rounds.reward.len())
                .map(|t| part(a, t) * part(b, t))
                .sum()
        });
        let least = rounds
            .probability
            .iter()
            .map(|e| e.iter().copied().fold(f64::INFINITY, f64::min))
            .collect();
        let mut fit = Self {
            arms: arms.to_vec(),
            values: DVector::from_vec(values),
            covariance,
            sample_means: (0..arms.len())
                .map(|a| sample_mean(&arms[a], rounds, a))
                .collect(),
            least,
            scores,
            level,
            warnings: Vec::new(),
        };
        fit.warn(rounds);
        fit
    }

    fn warn(&mut self, rounds: &Rounds) {
        /// Fewer assignments than these leave a normal approximation to chance.
        const FEW: usize = 30;
        for (a, arm) in self.arms.iter().enumerate() {
            let count = rounds.arm.iter().filter(|w| **w as usize == a).count();
            if count < FEW {
                self.warnings.push(Warning::Note {
                    message: format!(
                        "arm `{arm}` was assigned {count} times (probability {:.1e} at the least): its interval may be too short; give bandits a floor",
                        self.least[a]
                    ),
                });
            }
        }
        for (arm, e) in self.arms.iter().zip(&rounds.probability) {
            let without = e.iter().filter(|e| **e <= 0.0).count();
            if without > 0 {
                self.warnings.push(Warning::Note {
                    message: format!(
                        "arm `{arm}` had no probability in {without} rounds, which are left out: where that depends on its rewards, estimates need not be normal; give bandits a floor"
                    ),
                });
            }
        }
        let floor = self.least.iter().copied().fold(f64::INFINITY, f64::min);
        let even = rounds
            .probability
            .iter()
            .zip(&self.least)
            .all(|(e, least)| e.iter().all(|v| (v - least).abs() <= 0.0));
        if !even {
            self.warnings.push(Warning::Note {
                message: format!("probabilities moved with the data (down to {floor:.1e}): sample means are biased, and so are their intervals"),
            });
        }
    }

    /// Sample means of the arms with the errors they would have under a fixed assignment: biased here, for comparison alone.
    pub fn sample_means(&self) -> &[Estimate] {
        &self.sample_means
    }

    /// The least probability of each arm.
    pub fn least_probabilities(&self) -> &[f64] {
        &self.least
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// A confidence sequence for an arm's mean from its unweighted scores, whose mean given the past is that of the arm: it covers at all looks at once, one each `every` rounds, and is
    /// narrowest at the last round ([`MeanSequence::asymptotic`]).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a level outside (0, 1) or looks every 0 rounds, [`Error::UnknownCoefficient`], [`Error::Unidentified`] when the arm had no probability in some round.
    pub fn sequence(&self, arm: &str, level: f64, every: usize) -> Result<MeanSequence> {
        let at = self.position(arm)?;
        if every == 0 {
            return Err(Error::invalid_option("every", every, "one round at least"));
        }
        if self.least[at] <= 0.0 {
            return Err(Error::Unidentified {
                what: format!("a sequence for arm `{arm}`"),
                needs: "a probability above 0 in every round; give bandits a floor".to_owned(),
            });
        }
        let scores = &self.scores[at];
        let mut sequence = MeanSequence::asymptotic(scores.len() as u64)?
            .level(level)?
            .named(format!("mean of arm {arm}"));
        let mut seen = 0;
        for look in scores.chunks(every) {
            seen += look.len();
            sequence.observe(format!("round {seen}"), look)?;
        }
        Ok(sequence)
    }

    /// One row an arm.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Means after adaptive assignment").columns([
            "Arm",
            "Estimate",
            "Std. error",
            "from",
            "to",
            "Sample mean",
            "Least probability",
        ]);
        for (a, estimate) in self.coefficients().iter().enumerate() {
            let ends = estimate.confidence_interval(self.level);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            table = table.row([
                Cell::text(estimate.name.as_str()),
                Cell::significant(estimate.estimate, 4),
                Cell::significant(estimate.std_error, 3).parenthesised(),
                Cell::significant(low, 4),
                Cell::significant(high, 4),
                Cell::significant(self.sample_means[a].estimate, 4),
                Cell::significant(self.least[a], 2),
            ]);
        }
        table
            .note(format!(
                "Adaptively weighted augmented inverse propensity scores; intervals at {} %.",
                self.level * 100.0
            ))
            .warned(&self.warnings)
    }
}

/// The sample mean of an arm; of one reward its degrees of freedom, zero, make any interval infinite.
fn sample_mean(name: &str, rounds: &Rounds, arm: usize) -> Estimate {
    let own: Vec<f64> = rounds
        .reward
        .iter()
        .zip(&rounds.arm)
        .filter(|(_, w)| **w as usize == arm)
        .map(|(y, _)| *y)
        .collect();
    let n = own.len() as f64;
    let mean = own.iter().sum::<f64>() / n.max(1.0);
    let squares: f64 = own.iter().map(|y| (y - mean).powi(2)).sum();
    Estimate {
        name: name.to_owned(),
        estimate: mean,
        std_error: (squares / (n - 1.0).max(1.0) / n.max(1.0)).sqrt(),
        degrees_of_freedom: (n - 1.0).max(0.0),
    }
}

shown!(AdaptiveInferenceFit);
