//! Bandits with context: the reward of an arm is linear, or its odds are, in features of the round.

use super::arms::Memory;
use super::forgetting::{Forgetting, Told};
use super::model::{Model, dot, logistic_step};
use super::posterior::{Posterior, best_probabilities};
use super::{BanditChoice, pick};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::report::{Cell, Table, shown};
use crate::simulate::draws::Draws;
use serde::{Deserialize, Serialize};

/// How a [`ContextualBandit`] chooses. Every arm has its own coefficients with the prior precision λ; `s = √(x'A⁻¹x)` is the error of its prediction at x in units of the
/// noise.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum ContextualPolicy {
    /// The largest `x'θ̂ + α s`, θ̂ by ridge regression (Li et al. 2010).
    LinUcb {
        /// α, at least 0.
        alpha: f64,
    },
    /// The largest draw from `N(x'θ̂, v² s²)` (Agrawal & Goyal 2013).
    LinThompson {
        /// v, above 0; the standard deviation of the noise where that is known.
        scale: f64,
    },
    /// The largest draw of a linear predictor from a normal approximation of its logistic posterior, for rewards 0 or 1 (Chapelle & Li 2011), with all its covariances, and the
    /// mode of every step exact.
    LogisticThompson,
}

impl ContextualPolicy {
    /// The name in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LinUcb { .. } => "LinUCB",
            Self::LinThompson { .. } => "linear Thompson",
            Self::LogisticThompson => "logistic Thompson",
        }
    }
}

/// A bandit of K arms that sees d features before it chooses. An update is one rank-one step (Sherman & Morrison 1950), without a matrix inverse and without
/// allocation: `O(d²)`.
///
/// | option | default | meaning | range |
/// |---|---|---|---|
/// | `ridge` | 1 | prior precision of coefficients | above 0 |
/// | `seed` | none; required by Thompson sampling | | |
/// | `floor` | 0 | least probability of every arm | \[0, 1/K\] |
/// | `discount` | 1 | a reward counts γ^k after k further ones, of any arm | (0, 1\] |
/// | `window` | all | only the latest rewards count, of any arm | ≥ 1 |
///
/// A bandit that forgets keeps precisions instead of inverses: what a reward added to the precision of its arm, and to precision times mean, is discounted or taken off again, the prior is
/// not, and an update costs `O(d³)` (of every arm with a discount). The s of a discounted bandit is that of the discounted precision, which is a little above the
/// `√(x'A⁻¹ÃA⁻¹x)`, Ã discounted by γ², of Russac et al.
///
/// # Errors
/// [`Error::InvalidOption`], also for another number of features; [`Error::SeedRequired`]; [`Error::OutOfRange`] for features or rewards that are not finite, or rewards other than 0 and 1 where the model
/// is logistic.
///
/// # References
/// Li, L., Chu, W., Langford, J. & Schapire, R. (2010). A contextual-bandit approach to personalized news article recommendation. *WWW*. doi:10.1145/1772690.1772758; Agrawal, S. & Goyal, N.
/// (2013). Thompson sampling for contextual bandits with linear payoffs. *ICML*; Chapelle, O. & Li, L. (2011). An empirical evaluation of Thompson sampling. *NeurIPS* 24; Russac, Y., Vernade,
/// C. & Cappé, O. (2019). Weighted linear bandits for non-stationary environments. *NeurIPS* 32 (discount); Cheung, W. C., Simchi-Levi, D. & Zhu, R. (2019). Learning to optimize under
/// non-stationarity. *AISTATS* (window).
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let mut bandit = ContextualBandit::new(ContextualPolicy::LinUcb { alpha: 1.0 }, 2, 2);
/// for round in 0..200 {
///     let x = [1.0, if round % 3 == 0 { 1.0 } else { -1.0 }];
///     let choice = bandit.choose(&x)?;
///     let reward = if choice.arm == 0 { x[1] } else { -x[1] };
///     bandit.update(&choice, &x, reward)?;
/// }
/// assert_eq!(bandit.choose(&[1.0, 1.0])?.arm, 0);
/// assert!(bandit.coefficients(0)[1] > 0.5);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContextualBandit {
    pub(super) policy: ContextualPolicy,
    features: usize,
    ridge: f64,
    floor: f64,
    seed: Option<Seed>,
    round: u64,
    updates: usize,
    chosen: Vec<u64>,
    models: Vec<Model>,
    scratch: Vec<f64>,
    forgetting: Option<Forgetting>,
}

/// The largest feature: beyond, what is learned is lost in rounding beside a prior precision of one.
const LARGEST: f64 = 1e100;

impl ContextualBandit {
    /// A bandit that has seen nothing, of some arms and features; put a constant among the features if arms differ in level.
    pub fn new(policy: ContextualPolicy, arms: usize, features: usize) -> Self {
        Self {
            policy,
            features,
            ridge: 1.0,
            floor: 0.0,
            seed: None,
            round: 0,
            updates: 0,
            chosen: vec![0; arms],
            models: vec![Model::new(features, 1.0); arms],
            scratch: vec![0.0; features],
            forgetting: None,
        }
    }

    /// Lets a reward count γ^k after k further ones; what was learned is forgotten.
    pub fn discount(self, factor: f64) -> Self {
        self.remembering(Memory::Discount(factor))
    }

    /// Lets the latest rewards count only; what was learned is forgotten.
    pub fn window(self, rewards: usize) -> Self {
        self.remembering(Memory::Window(rewards))
    }

    fn remembering(mut self, memory: Memory) -> Self {
        self.forgetting = Some(Forgetting::new(memory, 0, 0));
        let ridge = self.ridge;
        self.ridge(ridge)
    }

    /// The prior precision of coefficients; what was learned is forgotten.
    pub fn ridge(mut self, ridge: f64) -> Self {
        self.ridge = ridge;
        self.models = vec![Model::new(self.features, ridge); self.chosen.len()];
        let memory = self.forgetting.as_ref().map(|f| f.memory);
        self.forgetting =
            memory.map(|memory| Forgetting::new(memory, self.chosen.len(), self.features));
        self
    }

    /// The seed of its draws.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// The least probability of every arm.
    pub fn floor(mut self, floor: f64) -> Self {
        self.floor = floor;
        self
    }

    fn check(&self, x: &[f64]) -> Result<()> {
        let arms = self.models.len();
        let option = |name: &str, value: String, expected: &str| {
            Err(Error::invalid_option(name, value, expected))
        };
        match self.policy {
            ContextualPolicy::LinUcb { alpha } if !(alpha >= 0.0 && alpha.is_finite()) => {
                return option("alpha", alpha.to_string(), "finite and at least 0");
            }
            ContextualPolicy::LinThompson { scale } if !(scale > 0.0 && scale.is_finite()) => {
                return option("scale", scale.to_string(), "finite and above 0");
            }
            _ => {}
        }
        if let Some(forgetting) = &self.forgetting {
            forgetting.memory.check()?;
        }
        if arms < 2 {
            return option("arms", arms.to_string(), "two at least");
        }
        if !(self.ridge > 0.0 && self.ridge.is_finite()) {
            return option("ridge", self.ridge.to_string(), "above 0");
        }
        if !(self.floor >= 0.0 && self.floor * arms as f64 <= 1.0) {
            return option("floor", self.floor.to_string(), "from 0 to 1/K");
        }
        if x.len() != self.features || x.is_empty() {
            let expected = format!("the {} that the bandit was made for", self.features);
            return option("features", x.len().to_string(), &expected);
        }
        match x.iter().position(|v| v.is_nan() || v.abs() > LARGEST) {
            None => Ok(()),
            Some(j) => Err(Error::OutOfRange {
                column: format!("feature {}", j + 1),
                row: self.round as usize + 1,
                value: x[j],
                expected: format!("at most {LARGEST:e} in absolute value; rescale features"),
            }),
        }
    }

    fn draws(&self) -> Result<Draws> {
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: format!("a bandit by {}", self.policy.name()),
        })?;
        Ok(Draws::new(seed, self.round))
    }

    /// Chooses an arm.
    ///
    /// # Errors
    /// See [`ContextualBandit`].
    pub fn choose(&mut self, x: &[f64]) -> Result<BanditChoice> {
        self.check(x)?;
        let spread = self.floor * self.models.len() as f64;
        let choice = if let ContextualPolicy::LinUcb { alpha } = self.policy {
            let leader = self
                .largest(|model| dot(&model.coefficients, x) + alpha * model.leverage(x).sqrt());
            let mut arm = leader;
            if spread > 0.0 {
                let mut draws = self.draws()?;
                if draws.chance(spread) {
                    arm = draws.below(self.models.len());
                }
            }
            let led = f64::from(u8::from(arm == leader));
            BanditChoice {
                arm,
                probability: Some(self.floor + (1.0 - spread) * led),
            }
        } else {
            let mut draws = self.draws()?;
            if spread > 0.0 && draws.chance(spread) {
                BanditChoice::of(draws.below(self.models.len()))
            } else {
                let scale = self.scale();
                BanditChoice::of(self.largest(|model| {
                    dot(&model.coefficients, x) + scale * model.leverage(x).sqrt() * draws.normal()
                }))
            }
        };
        Ok(self.count(choice))
    }

    /// Chooses an arm and always tells its probability.
    ///
    /// # Errors
    /// See [`ContextualBandit`].
    pub fn decide(&mut self, x: &[f64]) -> Result<BanditChoice> {
        let probabilities = self.probabilities(x)?;
        let choice = pick(&probabilities, &mut self.draws()?);
        Ok(self.count(choice))
    }

    pub(super) fn count(&mut self, choice: BanditChoice) -> BanditChoice {
        self.round += 1;
        self.chosen[choice.arm] += 1;
        choice
    }

    /// Standard deviation of a draw in units of the error of the prediction.
    fn scale(&self) -> f64 {
        match self.policy {
            ContextualPolicy::LinThompson { scale } => scale,
            _ => 1.0,
        }
    }

    fn largest(&self, mut index: impl FnMut(&Model) -> f64) -> usize {
        let mut best = (f64::NEG_INFINITY, 0);
        for (arm, model) in self.models.iter().enumerate() {
            let value = index(model);
            if value > best.0 {
                best = (value, arm);
            }
        }
        best.1
    }

    /// The probability of every arm in the next choice at x.
    ///
    /// # Errors
    /// See [`ContextualBandit`].
    pub fn probabilities(&self, x: &[f64]) -> Result<Vec<f64>> {
        self.check(x)?;
        let mut chances = if let ContextualPolicy::LinUcb { alpha } = self.policy {
            let mut one = vec![0.0; self.models.len()];
            one[self
                .largest(|model| dot(&model.coefficients, x) + alpha * model.leverage(x).sqrt())] =
                1.0;
            one
        } else if self.models.iter().all(|model| model.leverage(x) <= 0.0) {
            // Every draw is the prediction itself.
            let mut one = vec![0.0; self.models.len()];
            one[self.largest(|model| dot(&model.coefficients, x))] = 1.0;
            one
        } else {
            let posteriors: Vec<Posterior> = self
                .models
                .iter()
                .map(|model| Posterior::Normal {
                    mean: dot(&model.coefficients, x),
                    sd: self.scale() * model.leverage(x).sqrt(),
                })
                .collect();
            best_probabilities(&posteriors)?
        };
        let kept = 1.0 - self.floor * self.models.len() as f64;
        for chance in &mut chances {
            *chance = self.floor + kept * *chance;
        }
        Ok(chances)
    }

    /// Takes in the reward of a choice at x.
    ///
    /// # Errors
    /// See [`ContextualBandit`].
    pub fn update(&mut self, choice: &BanditChoice, x: &[f64], reward: f64) -> Result<()> {
        self.check(x)?;
        let arms = self.models.len();
        let Some(model) = self.models.get_mut(choice.arm) else {
            return Err(Error::invalid_option(
                "arm",
                choice.arm,
                format!("below {arms}"),
            ));
        };
        let logistic = self.policy == ContextualPolicy::LogisticThompson;
        let success = (reward - 1.0).abs() <= 0.0 || reward.abs() <= 0.0;
        if !reward.is_finite() || (logistic && !success) {
            return Err(Error::OutOfRange {
                column: "reward".to_owned(),
                row: self.updates + 1,
                value: reward,
                expected: if logistic { "0 or 1" } else { "finite" }.to_owned(),
            });
        }
        let step = |m: f64, s: f64| {
            if logistic {
                logistic_step(m, s, reward)
            } else {
                ((reward - m) / (1.0 + s), 1.0)
            }
        };
        if let Some(forgetting) = &mut self.forgetting {
            let (m, s) = (dot(&model.coefficients, x), model.leverage(x));
            let (length, weight) = step(m, s);
            let told = Told {
                arm: choice.arm,
                x: x.to_vec(),
                weight,
                pull: length + weight * (m + s * length),
            };
            for arm in forgetting.add(told) {
                let unknown = || Error::Unidentified {
                    what: format!("the coefficients of arm {arm}"),
                    needs: "features of a smaller scale, or a larger ridge".to_owned(),
                };
                let (inverse, coefficients) = (forgetting.posterior(arm, self.ridge))
                    .filter(|found| found.1.iter().all(|c| c.is_finite()))
                    .ok_or_else(unknown)?;
                self.models[arm] = Model {
                    inverse,
                    coefficients,
                };
            }
        } else {
            model.step(x, &mut self.scratch, step);
        }
        self.updates += 1;
        Ok(())
    }

    /// The coefficients of an arm; empty for an arm that does not exist.
    pub fn coefficients(&self, arm: usize) -> &[f64] {
        self.models
            .get(arm)
            .map_or(&[], |model| &model.coefficients)
    }

    /// How often each arm was chosen.
    pub fn chosen(&self) -> &[u64] {
        &self.chosen
    }

    /// One row an arm.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!("Bandit by {}", self.policy.name())).columns([
            "Arm",
            "Chosen",
            "Coefficients",
        ]);
        for (arm, model) in self.models.iter().enumerate() {
            let shown: Vec<String> = model
                .coefficients
                .iter()
                .map(|c| format!("{c:.4}"))
                .collect();
            table = table.row([
                Cell::count(arm),
                Cell::count(self.chosen[arm] as usize),
                Cell::text(shown.join(", ")),
            ]);
        }
        table
    }
}

shown!(ContextualBandit);

#[cfg(test)]
mod tests;
