//! Bandits: assignment that learns while it runs. [`Bandit`] plays without context, [`ContextualBandit`] with one, [`BestArm`] stops when it knows the best;
//! [`BanditSimulation`] measures their regret where the truth is known, [`BanditReplay`] their reward on a log of uniform choices. What may be concluded from their
//! data is [`AdaptiveInference`](super::AdaptiveInference)'s to say.

mod arms;
mod best_arm;
mod contextual;
mod environment;
mod forgetting;
mod model;
mod policy;
mod posterior;
mod replay;
mod simulation;
mod track;

pub use best_arm::{BestArm, BestArmPolicy};
pub use contextual::{ContextualBandit, ContextualPolicy};
pub use environment::BanditEnvironment;
pub use policy::BanditPolicy;
pub use replay::{BanditReplay, BanditReplayFit};
pub use simulation::{BanditPlayer, BanditSimulation, BanditSimulationFit, RegretPoint};

use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::report::{Cell, Table, shown};
use crate::simulate::draws::Draws;
use arms::{Arms, Memory, kl_ucb, ucb1};
use posterior::{Posterior, best_probabilities, top_two};
use serde::{Deserialize, Serialize};

/// A choice, and the probability with which it was made, which inference needs afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BanditChoice {
    /// The arm, from 0.
    pub arm: usize,
    /// Its probability, where it is known at no cost: not for Thompson sampling without [`decide`](Bandit::decide).
    pub probability: Option<f64>,
}

impl BanditChoice {
    /// An arm that something else chose.
    pub fn of(arm: usize) -> Self {
        Self {
            arm,
            probability: None,
        }
    }
}

/// A bandit of K arms: [`choose`](Self::choose) an arm, [`update`](Self::update) with its reward, at once, later, or in batches.
///
/// BanditChoice t draws from stream t of the seed, so that a bandit that was stored goes on with the same bits. Arms without rewards come first, the least chosen of them
/// before the others; ties go to the first.
///
/// | option | default | meaning | range |
/// |---|---|---|---|
/// | `seed` | none; required where the policy draws | | |
/// | `floor` | 0 | least probability of every arm, mixed in; adaptive inference wants one above 0 | \[0, 1/K\] |
/// | `discount` | 1 | a reward counts γ^k after k further ones (Garivier & Moulines 2011) | (0, 1\] |
/// | `window` | all | only the latest rewards count | ≥ 1 |
///
/// # Errors
/// [`Error::InvalidOption`], [`Error::SeedRequired`]; [`Error::OutOfRange`] for rewards outside [0, 1] where the policy needs them there.
///
/// # References
/// Lattimore, T. & Szepesvári, C. (2020). *Bandit Algorithms*. Cambridge. doi:10.1017/9781108571401; Garivier, A. & Moulines, E. (2011). On upper-confidence bound
/// policies for switching bandit problems. *ALT*. doi:10.1007/978-3-642-24412-4_16; those of [`BanditPolicy`].
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let mut bandit = Bandit::new(BanditPolicy::thompson(), 3).seed(7);
/// for round in 0..300 {
///     let choice = bandit.choose()?;
///     // The third arm always succeeds, the others every fourth time.
///     let reward = f64::from(u8::from(choice.arm == 2 || round % 4 == 0));
///     bandit.update(&choice, reward)?;
/// }
/// assert_eq!(bandit.best(), 2);
/// assert!(bandit.probabilities()?[2] > 0.99);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bandit {
    policy: BanditPolicy,
    arms: Arms,
    /// Logarithms of EXP3's weights.
    log_weights: Vec<f64>,
    floor: f64,
    seed: Option<Seed>,
    round: u64,
    updates: usize,
    /// The options were found good.
    checked: bool,
}

impl Bandit {
    /// A bandit that has seen nothing.
    pub fn new(policy: BanditPolicy, arms: usize) -> Self {
        Self {
            policy,
            arms: Arms::new(arms, Memory::All),
            log_weights: vec![0.0; arms],
            floor: 0.0,
            seed: None,
            round: 0,
            updates: 0,
            checked: false,
        }
    }

    /// The seed of its draws.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// The least probability of every arm.
    pub fn floor(mut self, floor: f64) -> Self {
        (self.floor, self.checked) = (floor, false);
        self
    }

    /// Lets a reward count γ^k after k further ones.
    pub fn discount(self, factor: f64) -> Self {
        self.remembering(Memory::Discount(factor))
    }

    /// Lets the latest rewards count only.
    pub fn window(self, rewards: usize) -> Self {
        self.remembering(Memory::Window(rewards))
    }

    fn remembering(mut self, memory: Memory) -> Self {
        self.arms = Arms::new(self.arms.len(), memory);
        self.checked = false;
        self
    }

    /// Refuses options that make no sense.
    fn check(&self) -> Result<()> {
        self.policy.check()?;
        let arms = self.arms.len();
        if arms < 2 {
            return Err(Error::invalid_option("arms", arms, "two at least"));
        }
        if !(self.floor >= 0.0 && self.floor * arms as f64 <= 1.0) {
            return Err(Error::invalid_option("floor", self.floor, "from 0 to 1/K"));
        }
        self.arms.check()
    }

    fn ready(&mut self) -> Result<()> {
        if !self.checked {
            self.check()?;
            self.checked = true;
        }
        Ok(())
    }

    /// The draws of this round.
    fn draws(&self) -> Result<Draws> {
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: format!("a bandit by {}", self.policy.name()),
        })?;
        Ok(Draws::new(seed, self.round))
    }

    /// Chooses an arm.
    ///
    /// # Errors
    /// See [`Bandit`].
    pub fn choose(&mut self) -> Result<BanditChoice> {
        self.ready()?;
        let choice = self.next()?;
        Ok(self.count(choice))
    }

    /// Chooses an arm and always tells its probability, which Thompson sampling integrates numerically: about 0.1 ms for five normal posteriors and a millisecond for
    /// five beta ones.
    ///
    /// # Errors
    /// See [`Bandit`].
    pub fn decide(&mut self) -> Result<BanditChoice> {
        let probabilities = self.probabilities()?;
        let choice = pick(&probabilities, &mut self.draws()?);
        Ok(self.count(choice))
    }

    fn count(&mut self, choice: BanditChoice) -> BanditChoice {
        self.round += 1;
        self.arms.chosen[choice.arm] += 1;
        choice
    }

    fn next(&self) -> Result<BanditChoice> {
        let arms = self.arms.len();
        let spread = self.floor * arms as f64;
        let mixed = |p: f64| self.floor + (1.0 - spread) * p;
        if let Some(arm) = self.index() {
            let leads = BanditChoice {
                arm,
                probability: Some(mixed(1.0)),
            };
            if spread <= 0.0 {
                return Ok(leads);
            }
            let mut draws = self.draws()?;
            if !draws.chance(spread) {
                return Ok(leads);
            }
            let other = draws.below(arms);
            let probability = mixed(f64::from(u8::from(other == arm)));
            return Ok(BanditChoice {
                arm: other,
                probability: Some(probability),
            });
        }
        let mut draws = self.draws()?;
        if let Some(probabilities) = self.simple() {
            return Ok(pick(&self.floored(probabilities), &mut draws));
        }
        if spread > 0.0 && draws.chance(spread) {
            return Ok(BanditChoice::of(draws.below(arms)));
        }
        let largest = |draws: &mut Draws| {
            let mut best = (f64::NEG_INFINITY, 0);
            for arm in 0..arms {
                let value = self.posterior(arm).draw(draws);
                if value > best.0 {
                    best = (value, arm);
                }
            }
            best.1
        };
        let first = largest(&mut draws);
        match self.policy {
            BanditPolicy::TopTwo { beta } if !draws.chance(beta) => {
                /// Draws after which the integrals take no longer than more draws.
                const TRIES: usize = 1000;
                let other = (0..TRIES)
                    .map(|_| largest(&mut draws))
                    .find(|arm| *arm != first);
                Ok(match other {
                    Some(arm) => BanditChoice::of(arm),
                    // More draws until another arm leads are one draw from the chances of the others.
                    None => BanditChoice::of(pick(&self.challengers(first)?, &mut draws).arm),
                })
            }
            _ => Ok(BanditChoice::of(first)),
        }
    }

    /// The arm of a policy that does not draw.
    fn index(&self) -> Option<usize> {
        let arms = &self.arms;
        let mean = |arm: usize| arms.sum[arm] / arms.count[arm];
        match self.policy {
            BanditPolicy::Ucb1 { alpha } => {
                Some(arms.largest(|a| ucb1(mean(a), arms.count[a], arms.total, alpha)))
            }
            BanditPolicy::KlUcb => {
                Some(arms.largest(|a| kl_ucb(mean(a), arms.count[a], arms.total)))
            }
            _ => None,
        }
    }

    /// The probabilities of a policy that has them in closed form.
    fn simple(&self) -> Option<Vec<f64>> {
        let arms = self.arms.len();
        let greedy = |epsilon: f64| {
            let mut chances = vec![epsilon / arms as f64; arms];
            chances[self.best()] += 1.0 - epsilon;
            chances
        };
        match self.policy {
            BanditPolicy::Uniform => Some(greedy(1.0)),
            BanditPolicy::EpsilonGreedy { epsilon } => Some(greedy(epsilon)),
            BanditPolicy::DecayingEpsilon { scale } => {
                let round = self.updates as f64 + 1.0;
                Some(greedy((scale * arms as f64 / round).min(1.0)))
            }
            BanditPolicy::Exp3 { gamma } => {
                let top = self
                    .log_weights
                    .iter()
                    .copied()
                    .fold(f64::NEG_INFINITY, f64::max);
                let mut chances: Vec<f64> =
                    self.log_weights.iter().map(|w| (w - top).exp()).collect();
                let total: f64 = chances.iter().sum();
                for chance in &mut chances {
                    *chance = (1.0 - gamma) * *chance / total + gamma / arms as f64;
                }
                Some(chances)
            }
            _ => None,
        }
    }

    fn floored(&self, mut probabilities: Vec<f64>) -> Vec<f64> {
        let kept = 1.0 - self.floor * self.arms.len() as f64;
        for probability in &mut probabilities {
            *probability = self.floor + kept * *probability;
        }
        probabilities
    }

    /// The probability of every arm in the next choice.
    ///
    /// # Errors
    /// See [`Bandit`].
    pub fn probabilities(&self) -> Result<Vec<f64>> {
        self.check()?;
        if let Some(arm) = self.index() {
            let mut one = vec![0.0; self.arms.len()];
            one[arm] = 1.0;
            return Ok(self.floored(one));
        }
        if let Some(simple) = self.simple() {
            return Ok(self.floored(simple));
        }
        let mut best = self.chances_to_lead()?;
        if let BanditPolicy::TopTwo { beta } = self.policy {
            best = top_two(&best, beta, |leader| self.challengers(leader))?;
        }
        Ok(self.floored(best))
    }

    /// The posterior probability of every arm to be the best.
    fn chances_to_lead(&self) -> Result<Vec<f64>> {
        let posteriors: Vec<Posterior> = (0..self.arms.len()).map(|a| self.posterior(a)).collect();
        best_probabilities(&posteriors)
    }

    /// The same given that it is not the leader; the best posterior mean where no other has a chance.
    fn challengers(&self, leader: usize) -> Result<Vec<f64>> {
        let mut others = self.chances_to_lead()?;
        others[leader] = 0.0;
        let total: f64 = others.iter().sum();
        if total > 0.0 {
            for chance in &mut others {
                *chance /= total;
            }
        } else {
            others[self.runner_up(leader)] = 1.0;
        }
        Ok(others)
    }

    fn posterior(&self, arm: usize) -> Posterior {
        let (count, sum) = (self.arms.count[arm], self.arms.sum[arm]);
        match self.policy {
            BanditPolicy::ThompsonGaussian { mean, sd, noise } => {
                let (prior, data) = (1.0 / (sd * sd), count / (noise * noise));
                Posterior::Normal {
                    mean: (mean * prior + sum / (noise * noise)) / (prior + data),
                    sd: 1.0 / (prior + data).sqrt(),
                }
            }
            policy => {
                let (a, b) = match policy {
                    BanditPolicy::ThompsonBernoulli {
                        successes,
                        failures,
                    } => (successes, failures),
                    _ => (1.0, 1.0),
                };
                // Rounding may leave a sum of rewards in a window a little outside its range.
                let sum = sum.clamp(0.0, count);
                Posterior::Beta {
                    a: a + sum,
                    b: b + count - sum,
                }
            }
        }
    }

    /// The best posterior mean among the others.
    fn runner_up(&self, leader: usize) -> usize {
        let mut best = (f64::NEG_INFINITY, 0);
        for arm in (0..self.arms.len()).filter(|a| *a != leader) {
            let mean = self.posterior(arm).mean();
            if mean > best.0 {
                best = (mean, arm);
            }
        }
        best.1
    }

    /// Takes in the reward of a choice.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a reward that is not finite, or outside [0, 1] where the policy needs it there; [`Error::InvalidOption`] for an arm that does not exist, or, with EXP3, a choice
    /// whose probability is unknown.
    pub fn update(&mut self, choice: &BanditChoice, reward: f64) -> Result<()> {
        self.ready()?;
        let arms = self.arms.len();
        if choice.arm >= arms {
            return Err(Error::invalid_option(
                "arm",
                choice.arm,
                format!("below {arms}"),
            ));
        }
        let bounded = self.policy.bounded();
        if !reward.is_finite() || (bounded && !(0.0..=1.0).contains(&reward)) {
            return Err(Error::OutOfRange {
                column: "reward".to_owned(),
                row: self.updates + 1,
                value: reward,
                expected: if bounded {
                    format!(
                        "from 0 to 1 for {}; rescale rewards by their bounds",
                        self.policy.name()
                    )
                } else {
                    "finite".to_owned()
                },
            });
        }
        if let BanditPolicy::Exp3 { gamma } = self.policy {
            // It never gives an arm less than γ/K.
            let least = gamma / arms as f64 * (1.0 - 1e-9);
            let told = choice.probability;
            let probability = told.filter(|p| (least..=1.0 + 1e-9).contains(p));
            let probability = probability.ok_or_else(|| {
                Error::invalid_option(
                    "probability",
                    told.map_or("unknown".to_owned(), |p| p.to_string()),
                    "that with which EXP3 chose: update with the choice it returned",
                )
            })?;
            self.log_weights[choice.arm] += gamma * reward / (probability * arms as f64);
        }
        self.arms.add(choice.arm, reward);
        self.updates += 1;
        Ok(())
    }

    /// The arm with the best mean reward; arms without rewards before all others.
    pub fn best(&self) -> usize {
        self.arms
            .largest(|arm| self.arms.sum[arm] / self.arms.count[arm])
    }

    /// The mean reward of an arm that counts still; none without.
    pub fn mean(&self, arm: usize) -> Option<f64> {
        (arm < self.arms.len())
            .then(|| self.arms.mean(arm))
            .flatten()
    }

    /// How often each arm was chosen.
    pub fn chosen(&self) -> &[u64] {
        &self.arms.chosen
    }

    /// One row an arm.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!("Bandit by {}", self.policy.name()))
            .columns(["Arm", "Chosen", "Rewards", "Mean"]);
        for arm in 0..self.arms.len() {
            table = table.row([
                Cell::count(arm),
                Cell::count(self.arms.chosen[arm] as usize),
                Cell::significant(self.arms.count[arm], 4),
                self.arms
                    .mean(arm)
                    .map_or(Cell::empty(), |m| Cell::significant(m, 4)),
            ]);
        }
        table
    }
}

/// Draws an arm from probabilities.
fn pick(probabilities: &[f64], draws: &mut Draws) -> BanditChoice {
    let mut left = draws.uniform();
    let mut arm = 0;
    for (a, probability) in probabilities.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        arm = a;
        left -= probability;
        if left < 0.0 {
            break;
        }
    }
    BanditChoice {
        arm,
        probability: Some(probabilities[arm]),
    }
}

shown!(Bandit);
