//! What may be concluded from experiments whose assignment learned as it went.

mod contextual;
mod fit;

pub use contextual::{AdaptivePolicyValue, AdaptivePolicyValueFit};
pub use fit::AdaptiveInferenceFit;

use crate::causal::off_policy::columns::{LEAST, ROUNDING, bounded, codes, numbers, shares};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::check_level;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How the rounds of an adaptive experiment are weighted; `e_t` is the probability of the arm in round t.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum AdaptiveWeights {
    /// `h_t = 1`: unbiased, but not normal where probabilities do not settle.
    Uniform,
    /// `h_t = √(e_t/T)`: every round adds the same share of the variance.
    ConstantAllocation,
    /// Shares of the variance by how probabilities will go on: for arms that are dropped as `t^−α`, for others as they are. For arms that are dropped while
    /// the least probability falls.
    TwoPoint {
        /// How fast the least probability may fall, from 0 (a constant floor) to below 1; 0.7 is that of the paper.
        alpha: f64,
    },
}

/// Estimates the mean reward of every arm of an experiment that was assigned by a bandit, from the probabilities that it logged. With the outcome `Y_t`, the arm `W_t`, the
/// probability `e_t(w)` given the past and a prediction `m_t(w)` from the past alone,
///
/// `Γ_t(w) = m_t(w) + 1{W_t = w} (Y_t − m_t(w)) / e_t(w)`, `Q̂(w) = Σ h_t Γ_t / Σ h_t`, `s² = Σ h_t² (Γ_t − Q̂)² / (Σ h_t)²`,
///
/// with evaluation weights `h_t` that keep the variance of every round in line, without which probabilities near zero make the estimate far from normal. The weights move with the data, which leaves a bias
/// that is small beside the error; uniform weights have none. The sample mean of an arm, which is shown beside it, is biased under such assignment by `−Cov(N_w, Ȳ_w)/E[N_w]`, downwards where rewards that
/// disappoint end an arm's turn, and its interval misses the truth from below more often than from above.
///
/// Rows are rounds, in their order. Predictions default to the mean of the arm's rewards so far, and to zero before the first: rewards far from zero beside their spread (prices) make
/// first rounds outliers then, and a shift of all rewards does not move the estimate by just as much, since before its first reward an arm has no past that would shift with it; take a rough mean off
/// them before.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `probabilities` | | the probability of every arm in every round, a column each | sum to 1 |
/// | `weights` | two-point, α = 0.7 | see [`AdaptiveWeights`] | |
/// | `predictions` | running means | columns of predictions from the past alone, one an arm | |
/// | `bounds` | none | rewards outside are refused | |
/// | `level` | 0.95 | of intervals | (0, 1) |
///
/// Intervals hold at the end that was planned. [`AdaptiveInferenceFit::sequence`] has a confidence sequence, which holds at all looks at once, however the end was chosen.
///
/// # Errors
/// [`Error::OutOfRange`] for values that are missing, probabilities outside \[0, 1\] or that do not add up to one, or zero for the arm that was assigned; [`Error::WrongKind`] for an arm that is not
/// listed; [`Error::Unidentified`] for an arm that was never assigned, without probability in any round, or, with uniform weights, in some; [`Error::InvalidOption`]; [`Error::NoRows`]; those of finding columns.
///
/// # References
/// Hadad, V., Hirshberg, D., Zhan, R., Wager, S. & Athey, S. (2021). Confidence intervals for policy evaluation in adaptive experiments. *PNAS* 118, e2014602118. doi:10.1073/pnas.2014602118;
/// Bowden, J. & Trippa, L. (2017). Unbiased estimation for response adaptive clinical trials. *Statistical Methods in Medical Research* 26, 2376–2388; Nie, X., Tian, X., Taylor, J. & Zou, J. (2018). Why
/// adaptively collected data have negative bias and how to correct for it. *AISTATS*.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let world = BanditEnvironment::bernoulli([0.3, 0.5, 0.6]);
/// let bandit = Bandit::new(BanditPolicy::thompson(), 3).floor(0.02);
/// let log = BanditSimulation::new(world, bandit).rounds(2000).batch(100).seed(7).log(0)?;
/// let fit = AdaptiveInference::new("reward", "arm", ["0", "1", "2"])
///     .probabilities(["p0", "p1", "p2"])
///     .fit(&log)?;
/// let worst = fit.coefficient("0")?.confidence_interval(0.95)?;
/// assert!(worst.lower < 0.3 && 0.3 < worst.upper);
/// assert!(fit.linear("`2` - `0`")?.p_value() < 0.05);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AdaptiveInference {
    reward: String,
    arm: String,
    arms: Vec<String>,
    probabilities: Vec<String>,
    predictions: Vec<String>,
    weights: AdaptiveWeights,
    bounds: Option<(f64, f64)>,
    level: f64,
}

/// The checked rounds of an adaptive experiment.
#[derive(Clone, Debug)]
struct Rounds {
    reward: Arc<Vec<f64>>,
    arm: Vec<u32>,
    /// A column an arm.
    probability: Vec<Arc<Vec<f64>>>,
}

impl Rounds {
    fn read(
        frame: &Frame,
        reward: &str,
        arm: &str,
        arms: &[String],
        probabilities: &[String],
    ) -> Result<Self> {
        if arms.len() < 2 || probabilities.len() != arms.len() {
            return Err(Error::invalid_option(
                "probabilities",
                format!("{} columns", probabilities.len()),
                format!(
                    "one column for each of the {} arms, of which there are two at least",
                    arms.len()
                ),
            ));
        }
        let rounds = Self {
            reward: numbers(frame, reward)?,
            arm: codes(frame, arm, arms, 0)?,
            probability: probabilities
                .iter()
                .map(|c| shares(frame, c))
                .collect::<Result<_>>()?,
        };
        if rounds.reward.is_empty() {
            return Err(Error::NoRows {
                reason: "the experiment has no rounds".to_owned(),
            });
        }
        for t in 0..rounds.reward.len() {
            let total: f64 = rounds.probability.iter().map(|p| p[t]).sum();
            let own = rounds.probability[rounds.arm[t] as usize][t];
            let fault = if (total - 1.0).abs() > ROUNDING {
                Some((
                    probabilities.join(" + "),
                    total,
                    "1: the probabilities of all arms add up to it",
                ))
            } else if own < LEAST {
                let column = probabilities[rounds.arm[t] as usize].clone();
                Some((
                    column,
                    own,
                    "above 0 for the arm that was assigned; log the probabilities that were used",
                ))
            } else {
                None
            };
            if let Some((column, value, expected)) = fault {
                return Err(Error::OutOfRange {
                    column,
                    row: t + 1,
                    value,
                    expected: expected.to_owned(),
                });
            }
        }
        Ok(rounds)
    }

    /// Means of the rewards of every arm before every round, a list an arm; zero before the first.
    fn running_means(&self) -> Vec<Arc<Vec<f64>>> {
        (0..self.probability.len())
            .map(|arm| {
                let (mut count, mut sum) = (0.0, 0.0);
                let means = self.reward.iter().zip(&self.arm).map(|(y, w)| {
                    let before = if count > 0.0 { sum / count } else { 0.0 };
                    if *w as usize == arm {
                        count += 1.0;
                        sum += y;
                    }
                    before
                });
                Arc::new(means.collect())
            })
            .collect()
    }

    /// `Γ_t(w)` of an arm.
    fn scores(&self, arm: usize, prediction: &[f64]) -> Vec<f64> {
        (0..self.reward.len())
            .map(|t| {
                let m = prediction[t];
                if self.arm[t] as usize == arm {
                    m + (self.reward[t] - m) / self.probability[arm][t]
                } else {
                    m
                }
            })
            .collect()
    }
}

impl AdaptiveWeights {
    /// `h_t` from the probabilities of an arm.
    fn of(self, probability: &[f64]) -> Vec<f64> {
        let rounds = probability.len() as f64;
        let Self::TwoPoint { alpha } = self else {
            let weight = |e: &f64| match self {
                Self::Uniform => 1.0,
                _ => (e / rounds).sqrt(),
            };
            return probability.iter().map(weight).collect();
        };
        // h²/e is a share λ of what is left of the variance (stick-breaking; equations 13 and 18).
        let mut left = 1.0;
        probability
            .iter()
            .zip(1_u32..)
            .map(|(e, t)| {
                let t = f64::from(t);
                let falls = t.powf(-alpha);
                let rest = (rounds.powf(1.0 - alpha) - t.powf(1.0 - alpha)) / (1.0 - alpha);
                let share = e / (rounds - t + 1.0) + (1.0 - e) * falls / (falls + rest);
                let weight = (left * share * e).max(0.0).sqrt();
                left *= 1.0 - share.min(1.0);
                weight
            })
            .collect()
    }
}

impl AdaptiveInference {
    /// From columns of rewards and arms, and all arms by name; then [`probabilities`](Self::probabilities).
    pub fn new<S: Into<String>>(
        reward: impl Into<String>,
        arm: impl Into<String>,
        arms: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            reward: reward.into(),
            arm: arm.into(),
            arms: arms.into_iter().map(Into::into).collect(),
            probabilities: Vec::new(),
            predictions: Vec::new(),
            weights: AdaptiveWeights::TwoPoint { alpha: 0.7 },
            bounds: None,
            level: 0.95,
        }
    }

    /// Columns with the probability of each arm.
    pub fn probabilities<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.probabilities = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Columns with predictions of the reward of each arm, from the past of each round alone.
    pub fn predictions<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.predictions = columns.into_iter().map(Into::into).collect();
        self
    }

    /// How rounds are weighted.
    pub fn weights(mut self, weights: AdaptiveWeights) -> Self {
        self.weights = weights;
        self
    }

    /// The bounds within which all rewards must lie.
    pub fn bounds(mut self, low: f64, high: f64) -> Self {
        self.bounds = Some((low, high));
        self
    }

    /// The level of intervals.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Estimates.
    ///
    /// # Errors
    /// See [`AdaptiveInference`].
    pub fn fit(&self, frame: &Frame) -> Result<AdaptiveInferenceFit> {
        check_level(self.level)?;
        if let AdaptiveWeights::TwoPoint { alpha } = self.weights
            && !(0.0..1.0).contains(&alpha)
        {
            return Err(Error::invalid_option(
                "alpha",
                alpha,
                "at least 0 and below 1",
            ));
        }
        if !self.predictions.is_empty() && self.predictions.len() != self.arms.len() {
            return Err(Error::invalid_option(
                "predictions",
                format!("{} columns", self.predictions.len()),
                format!("one column for each of the {} arms", self.arms.len()),
            ));
        }
        let rounds = Rounds::read(
            frame,
            &self.reward,
            &self.arm,
            &self.arms,
            &self.probabilities,
        )?;
        if let Some(bounds) = self.bounds {
            bounded(&self.reward, &rounds.reward, bounds)?;
        }
        let predictions = if self.predictions.is_empty() {
            rounds.running_means()
        } else {
            self.predictions
                .iter()
                .map(|c| numbers(frame, c))
                .collect::<Result<_>>()?
        };
        for (code, (arm, probability)) in (0..).zip(self.arms.iter().zip(&rounds.probability)) {
            let without = probability.iter().filter(|e| **e <= 0.0).count();
            let uniform = self.weights == AdaptiveWeights::Uniform;
            if without == probability.len() || (uniform && without > 0) {
                return Err(Error::Unidentified {
                    what: format!("the mean of arm `{arm}`"),
                    needs: if uniform {
                        "a probability above 0 in every round; use weights that leave out rounds without, or give bandits a floor".to_owned()
                    } else {
                        "a probability above 0 in some round".to_owned()
                    },
                });
            }
            if !rounds.arm.contains(&code) {
                return Err(Error::Unidentified {
                    what: format!("the mean of arm `{arm}`, which was never assigned"),
                    needs: "a round with this arm; give bandits a floor".to_owned(),
                });
            }
        }
        let scores: Vec<Vec<f64>> = predictions
            .iter()
            .enumerate()
            .map(|(a, m)| rounds.scores(a, m))
            .collect();
        let weights: Vec<Vec<f64>> = rounds
            .probability
            .iter()
            .map(|e| self.weights.of(e))
            .collect();
        Ok(AdaptiveInferenceFit::new(
            &self.arms, &rounds, scores, &weights, self.level,
        ))
    }
}
