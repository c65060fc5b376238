//! Estimates of an adaptive experiment, with the sample means beside them.

use super::Rounds;
use crate::error::{Error, Result, Warning};
use crate::inference::{Estimate, Inference, check_level};
use crate::report::{Cell, Figure, LinePlot, Table, shown};
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

/// A confidence sequence for the mean of an arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmSequence {
    /// The arm.
    pub arm: String,
    /// The level at which all rounds hold together.
    pub level: f64,
    /// Round by round, from the second.
    pub points: Vec<SequencePoint>,
}

/// A confidence sequence in one round.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequencePoint {
    /// Rounds so far.
    pub round: usize,
    /// The estimate from them.
    pub estimate: f64,
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
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

    /// An asymptotic confidence sequence for an arm's mean from its unweighted scores, which covers in all rounds at once with probability `level` as the first look moves out:
    /// `Q̂_t ± σ̂_t √(2 (tρ² + 1)/(t²ρ²) ln(√(tρ² + 1)/(1 − level)))`, with ρ chosen to be shortest at the last round (Waudby-Smith et al. 2024, theorem 2.2).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a level outside (0, 1), [`Error::UnknownCoefficient`], [`Error::Unidentified`] when the arm had no probability in some round.
    pub fn sequence(&self, arm: &str, level: f64) -> Result<ArmSequence> {
        check_level(level)?;
        let at = self.position(arm)?;
        if self.least[at] <= 0.0 {
            return Err(Error::Unidentified {
                what: format!("a sequence for arm `{arm}`"),
                needs: "a probability above 0 in every round; give bandits a floor".to_owned(),
            });
        }
        let miss = 1.0 - level;
        let scores = &self.scores[at];
        let tight = -2.0 * miss.ln();
        let rho2 = (tight + tight.ln().max(0.0) + 1.0) / scores.len() as f64;
        let (mut mean, mut squares) = (0.0, 0.0);
        let mut points = Vec::with_capacity(scores.len());
        for (round, score) in (1_usize..).zip(scores) {
            let t = round as f64;
            let gap = score - mean;
            mean += gap / t;
            squares += gap * (score - mean);
            if round < 2 {
                continue;
            }
            let grown = t * rho2 + 1.0;
            let half = (squares / t).sqrt()
                * (2.0 * grown / (t * t * rho2) * (grown.sqrt() / miss).ln()).sqrt();
            points.push(SequencePoint {
                round,
                estimate: mean,
                lower: mean - half,
                upper: mean + half,
            });
        }
        Ok(ArmSequence {
            arm: arm.to_owned(),
            level,
            points,
        })
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

/// The sample mean of an arm; without rewards it is not known, and its error infinite.
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

impl ArmSequence {
    /// The interval after the last round.
    pub fn last(&self) -> Option<&SequencePoint> {
        self.points.last()
    }

    /// The sequence over rounds, from where it is at most ten times as wide as at the last.
    ///
    /// # Errors
    /// [`Error::NoRows`] for fewer than two rounds.
    pub fn figure(&self) -> Result<Figure> {
        /// Ends that are farther than this many lengths of the last interval would flatten it.
        const FAR: f64 = 10.0;
        let Some(last) = self.last() else {
            return Err(Error::NoRows {
                reason: "a sequence needs two rounds at least".to_owned(),
            });
        };
        let near = FAR * (last.upper - last.lower);
        let shown: Vec<&SequencePoint> = self
            .points
            .iter()
            .filter(|p| p.upper - p.lower <= near)
            .collect();
        let of = |f: fn(&SequencePoint) -> f64| shown.iter().map(|p| f(p)).collect::<Vec<f64>>();
        LinePlot::new()
            .title(format!("Mean of arm {}", self.arm))
            .x_title("round")
            .y_title("mean")
            .line("estimate", of(|p| p.round as f64), of(|p| p.estimate))
            .band(of(|p| p.lower), of(|p| p.upper))
            .draw()
    }
}

shown!(AdaptiveInferenceFit);
