//! Regret where the truth is known.

use super::{
    Bandit, BanditChoice, BanditEnvironment, BanditPolicy, ContextualBandit, ContextualPolicy,
};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::Estimate;
use crate::numeric::special::normal;
use crate::numeric::{Progress, Seed, blocks};
use crate::report::{Cell, Figure, LinePlot, Table, shown};
use crate::simulate::draws::Draws;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Plays a bandit in a known world again and again and measures its regret, `Σ_t (max_a μ_a(t) − μ_{A_t}(t))`: what it lost, in expectation, against always choosing the best arm.
///
/// Replication r draws from child r of the seed and the replications are summed in order, so the bits do not depend on threads.
///
/// | option | default | meaning | range |
/// |---|---|---|---|
/// | `rounds` | 1000 | | ≥ 1 |
/// | `replications` | 100 | | ≥ 2 |
/// | `delay` | 0 | rounds until a reward is known | |
/// | `batch` | 1 | rewards are handed over after so many rounds | ≥ 1 |
/// | `seed` | none; required | | |
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`], also for a bandit whose arms or features are not those of the world; those of the bandit; [`Error::Cancelled`].
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let world = BanditEnvironment::bernoulli([0.3, 0.5]);
/// let thompson = BanditSimulation::new(world.clone(), Bandit::new(BanditPolicy::thompson(), 2)).seed(7).run()?;
/// let uniform = BanditSimulation::new(world, Bandit::new(BanditPolicy::Uniform, 2)).seed(7).run()?;
/// // A coin loses 0.1 a round.
/// assert!((uniform.regret().estimate - 100.0).abs() < 2.0);
/// assert!(thompson.regret().estimate < 15.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BanditSimulation {
    environment: BanditEnvironment,
    player: BanditPlayer,
    rounds: usize,
    replications: usize,
    delay: usize,
    batch: usize,
    seed: Option<Seed>,
}

/// Either kind of bandit.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum BanditPlayer {
    /// Without context.
    Plain(Bandit),
    /// With context.
    Contextual(ContextualBandit),
}

impl From<Bandit> for BanditPlayer {
    fn from(bandit: Bandit) -> Self {
        Self::Plain(bandit)
    }
}

impl From<ContextualBandit> for BanditPlayer {
    fn from(bandit: ContextualBandit) -> Self {
        Self::Contextual(bandit)
    }
}

impl BanditPlayer {
    pub(super) fn choose(&mut self, x: &[f64], known: bool) -> Result<BanditChoice> {
        match (self, known) {
            (Self::Plain(b), false) => b.choose(),
            (Self::Plain(b), true) => b.decide(),
            (Self::Contextual(b), false) => b.choose(x),
            (Self::Contextual(b), true) => b.decide(x),
        }
    }

    pub(super) fn update(&mut self, choice: &BanditChoice, x: &[f64], reward: f64) -> Result<()> {
        match self {
            Self::Plain(b) => b.update(choice, reward),
            Self::Contextual(b) => b.update(choice, x, reward),
        }
    }

    fn probabilities(&self, x: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Plain(b) => b.probabilities(),
            Self::Contextual(b) => b.probabilities(x),
        }
    }

    /// Whether probabilities stay as they are until rewards come; others cost little.
    fn settled(&self) -> bool {
        matches!(self, Self::Plain(b) if b.policy.integrates())
    }

    fn count(&mut self, choice: BanditChoice) -> BanditChoice {
        match self {
            Self::Plain(b) => b.count(choice),
            Self::Contextual(b) => b.count(choice),
        }
    }

    fn seeded(self, seed: Seed) -> Self {
        match self {
            Self::Plain(b) => Self::Plain(b.seed(seed)),
            Self::Contextual(b) => Self::Contextual(b.seed(seed)),
        }
    }

    pub(super) fn arms(&self) -> usize {
        match self {
            Self::Plain(b) => b.chosen().len(),
            Self::Contextual(b) => b.chosen().len(),
        }
    }

    pub(super) fn features(&self) -> Option<usize> {
        match self {
            Self::Plain(_) => None,
            Self::Contextual(b) => Some(b.coefficients(0).len()),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Plain(b) => BanditPolicy::name(&b.policy),
            Self::Contextual(b) => ContextualPolicy::name(&b.policy),
        }
    }
}

/// The regret up to a round.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegretPoint {
    /// Rounds so far.
    pub round: usize,
    /// Mean regret so far.
    pub regret: f64,
    /// Its Monte Carlo error.
    pub error: f64,
}

/// What a simulation found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BanditSimulationFit {
    name: String,
    curve: Vec<RegretPoint>,
    shares: Vec<f64>,
    replications: usize,
    regret: Estimate,
}

/// Points of a regret curve.
const POINTS: usize = 100;

impl BanditSimulation {
    /// A bandit, with or without context, in a world.
    pub fn new(environment: BanditEnvironment, bandit: impl Into<BanditPlayer>) -> Self {
        Self {
            environment,
            player: bandit.into(),
            rounds: 1000,
            replications: 100,
            delay: 0,
            batch: 1,
            seed: None,
        }
    }

    /// Rounds of a replication.
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    /// How often it plays.
    pub fn replications(mut self, replications: usize) -> Self {
        self.replications = replications;
        self
    }

    /// Rounds until a reward is known.
    pub fn delay(mut self, rounds: usize) -> Self {
        self.delay = rounds;
        self
    }

    /// Rewards are handed over after so many rounds.
    pub fn batch(mut self, rounds: usize) -> Self {
        self.batch = rounds;
        self
    }

    /// The seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    fn check(&self) -> Result<Seed> {
        self.environment.check()?;
        for (name, value, least) in [
            ("rounds", self.rounds, 1),
            ("replications", self.replications, 2),
            ("batch", self.batch, 1),
        ] {
            if value < least {
                return Err(Error::invalid_option(
                    name,
                    value,
                    format!("{least} at least"),
                ));
            }
        }
        let world = (self.environment.arms(), self.environment.features());
        if self.player.arms() != world.0 {
            return Err(Error::invalid_option(
                "arms",
                self.player.arms(),
                format!("those of the world, {}", world.0),
            ));
        }
        if let Some(features) = self.player.features().filter(|f| Some(*f) != world.1) {
            let expected = world.1.map_or(
                "a bandit without context: this world has none".to_owned(),
                |f| format!("those of the world, {f}"),
            );
            return Err(Error::invalid_option("features", features, expected));
        }
        self.seed.ok_or_else(|| Error::SeedRequired {
            what: "a simulation of a bandit".to_owned(),
        })
    }

    /// Plays and measures.
    ///
    /// # Errors
    /// See [`BanditSimulation`].
    pub fn run(&self) -> Result<BanditSimulationFit> {
        self.run_with(&Progress::none())
    }

    /// The same with progress by replication.
    ///
    /// # Errors
    /// See [`BanditSimulation`].
    pub fn run_with(&self, progress: &Progress) -> Result<BanditSimulationFit> {
        let seed = self.check()?;
        let every = self.rounds.div_ceil(POINTS);
        let rounds: Vec<usize> = (1..=self.rounds)
            .filter(|t| t % every == 0 || *t == self.rounds)
            .collect();
        let played = blocks::map(self.replications, |r| -> Result<(Vec<f64>, Vec<f64>)> {
            progress.report("simulation of a bandit", r, self.replications)?;
            let (mut curve, mut total) = (Vec::with_capacity(rounds.len()), 0.0);
            let mut shares = vec![0.0; self.environment.arms()];
            self.play(seed, r, false, |round| {
                total += round.best - round.mean;
                shares[round.choice.arm] += 1.0 / self.rounds as f64;
                if rounds[curve.len()] == round.number + 1 {
                    curve.push(total);
                }
                Ok(())
            })?;
            Ok((curve, shares))
        });
        let (mut curves, mut shares) = (Vec::new(), vec![0.0; self.environment.arms()]);
        for one in played {
            let (curve, share) = one?;
            curves.push(curve);
            for (sum, share) in shares.iter_mut().zip(share) {
                *sum += share / self.replications as f64;
            }
        }
        let count = self.replications as f64;
        let curve: Vec<RegretPoint> = rounds
            .iter()
            .enumerate()
            .map(|(i, round)| {
                let mean = curves.iter().map(|c| c[i]).sum::<f64>() / count;
                let squares: f64 = curves.iter().map(|c| (c[i] - mean).powi(2)).sum();
                RegretPoint {
                    round: *round,
                    regret: mean,
                    error: (squares / (count - 1.0) / count).sqrt(),
                }
            })
            .collect();
        let last = curve[curve.len() - 1];
        Ok(BanditSimulationFit {
            name: self.player.name().to_owned(),
            regret: Estimate {
                name: "regret".to_owned(),
                estimate: last.regret,
                std_error: last.error,
                degrees_of_freedom: count - 1.0,
            },
            curve,
            shares,
            replications: self.replications,
        })
    }

    /// The data of one replication, as an experiment would have logged them: `round`, `arm`, `reward`, `probability` of the arm, and of all arms `p0`, `p1`, …; with context also its
    /// features `x1`, `x2`, … without the constant.
    ///
    /// # Errors
    /// See [`BanditSimulation`].
    pub fn log(&self, replication: usize) -> Result<Frame> {
        let seed = self.check()?;
        let (arms, features) = (
            self.environment.arms(),
            self.environment.features().unwrap_or(1) - 1,
        );
        let mut columns = vec![Vec::with_capacity(self.rounds); 4 + arms + features];
        self.play(seed, replication, true, |round| {
            let known = [
                round.number as f64,
                round.choice.arm as f64,
                round.reward,
                round.choice.probability.unwrap_or(1.0),
            ];
            let rest = round.probabilities.iter().chain(round.x.iter().skip(1));
            for (column, value) in columns.iter_mut().zip(known.iter().chain(rest)) {
                column.push(*value);
            }
            Ok(())
        })?;
        let names = ["round", "arm", "reward", "probability"].map(str::to_owned);
        let all = names
            .into_iter()
            .chain((0..arms).map(|a| format!("p{a}")))
            .chain((1..=features).map(|j| format!("x{j}")));
        all.zip(columns)
            .try_fold(Frame::new(), |frame, (name, values)| {
                frame.with(name, values)
            })
    }

    /// One replication.
    fn play(
        &self,
        seed: Seed,
        replication: usize,
        known: bool,
        mut see: impl FnMut(&Round) -> Result<()>,
    ) -> Result<()> {
        let own = Seed::new(seed.child("bandit").stream(replication as u64).next_u64());
        let mut player = self.player.clone().seeded(own.child("choices"));
        let mut draws = Draws::new(own.child("world"), 0);
        let mut picks = Draws::new(own.child("picks"), 0);
        let mut waiting: VecDeque<(BanditChoice, Vec<f64>, f64)> = VecDeque::new();
        let mut x = Vec::new();
        let mut probabilities = Vec::new();
        for number in 0..self.rounds {
            self.environment.context(&mut draws, &mut x);
            let choice = if known {
                if probabilities.is_empty() || !player.settled() {
                    probabilities = player.probabilities(&x)?;
                }
                let choice = super::pick(&probabilities, &mut picks);
                player.count(choice)
            } else {
                player.choose(&x, false)?
            };
            let mean = self.environment.mean(number, &x, choice.arm);
            let reward = self.environment.reward(mean, &mut draws);
            see(&Round {
                number,
                choice,
                reward,
                mean,
                best: self.environment.best(number, &x),
                probabilities: &probabilities,
                x: &x,
            })?;
            if self.delay == 0 && self.batch == 1 {
                player.update(&choice, &x, reward)?;
                probabilities.clear();
                continue;
            }
            waiting.push_back((choice, x.clone(), reward));
            if (number + 1) % self.batch == 0 {
                while waiting.len() > self.delay {
                    if let Some((choice, x, reward)) = waiting.pop_front() {
                        player.update(&choice, &x, reward)?;
                    }
                }
                probabilities.clear();
            }
        }
        Ok(())
    }
}

/// What happened in a round.
struct Round<'a> {
    number: usize,
    choice: BanditChoice,
    reward: f64,
    mean: f64,
    best: f64,
    probabilities: &'a [f64],
    x: &'a [f64],
}

impl BanditSimulationFit {
    /// The regret over all rounds, with its Monte Carlo error.
    pub fn regret(&self) -> &Estimate {
        &self.regret
    }

    /// The regret round by round.
    pub fn curve(&self) -> &[RegretPoint] {
        &self.curve
    }

    /// The share of rounds in which each arm was chosen.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// Regret over time, with a band of 95 % for its mean.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn figure(&self) -> Result<Figure> {
        Self::compare(&[self])
    }

    /// The regret of several bandits over time.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for none.
    pub fn compare(fits: &[&Self]) -> Result<Figure> {
        if fits.is_empty() {
            return Err(Error::invalid_option("fits", 0, "one at least"));
        }
        let half = normal::quantile(0.975);
        let mut plot = LinePlot::new()
            .title("Regret")
            .x_title("round")
            .y_title("regret");
        for fit in fits {
            let of =
                |f: &dyn Fn(&RegretPoint) -> f64| fit.curve.iter().map(f).collect::<Vec<f64>>();
            plot = plot
                .line(&fit.name, of(&|p| p.round as f64), of(&|p| p.regret))
                .band(
                    of(&|p| p.regret - half * p.error),
                    of(&|p| p.regret + half * p.error),
                );
        }
        plot.draw()
    }

    /// Regret and shares.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!("Regret of {}", self.name))
            .columns(["", "Value", "Monte Carlo error"])
            .row([
                Cell::text(format!(
                    "regret in {} rounds",
                    self.curve.last().map_or(0, |p| p.round)
                )),
                Cell::significant(self.regret.estimate, 4),
                Cell::significant(self.regret.std_error, 2).parenthesised(),
            ]);
        for (arm, share) in self.shares.iter().enumerate() {
            table = table.row([
                Cell::text(format!("share of arm {arm}")),
                Cell::fixed(*share, 4),
                Cell::empty(),
            ]);
        }
        table.note(format!("{} replications.", Cell::count(self.replications)))
    }
}

shown!(BanditSimulationFit);
