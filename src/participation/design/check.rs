//! The power of a design by brute force: customers drawn one by one, the model fitted, the test done.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::model::{AssumedTruth, Model, PARAMETERS, TRUTH};
use super::power::{PowerAnalysis, invert, positions};
use super::{Arm, Channel};
use crate::decision::{Belief, Timing};
use crate::error::{Error, Result};
use crate::numeric::permutation::{below, open_unit};
use crate::numeric::special::normal;
use crate::numeric::{Seed, blocks};
use rand::Rng;

/// How often the test of one channel rejected in simulated experiments.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulatedPower {
    /// The channel.
    pub channel: Channel,
    /// Share of the experiments in which λ = 0 was rejected.
    pub power: f64,
    /// Monte Carlo standard error of that share.
    pub monte_carlo_error: f64,
    /// Mean of the estimates of λ, one in truth.
    pub mean: f64,
    /// Standard deviation of the estimates over the experiments.
    pub standard_deviation: f64,
}

impl PowerAnalysis<'_> {
    /// Checks [`run`](Self::run) by simulation: every replication draws each customer's prior mean, ability, signals and shocks, in
    /// arms of equal size, fits the multiples by maximum likelihood (Fisher scoring) and tests each. Replications in which
    /// scoring fails to converge are errors, not dropped: with few customers some experiments say that signals tell more than
    /// everything, and their likelihood has no maximum. Customers are drawn independently: a design with clusters is refused.
    ///
    /// # Errors
    /// Those of [`run`](Self::run); [`Error::InvalidOption`] for fewer than two replications or a clustered design;
    /// [`Error::NotConverged`].
    pub fn simulate<T: Timing + Sync>(
        &self,
        timing: &T,
        customers: usize,
        replications: usize,
        seed: impl Into<Seed>,
    ) -> Result<Vec<SimulatedPower>> {
        self.check()?;
        if replications < 2 {
            return Err(Error::invalid_option(
                "replications",
                replications,
                "at least 2",
            ));
        }
        if self.design.cluster_size() > 1 {
            return Err(Error::invalid_option(
                "clusters_of",
                self.design.cluster_size(),
                "1: customers are drawn independently here",
            ));
        }
        let seed = seed.into().child("power of a design");
        let estimates: Vec<(DVector<f64>, DMatrix<f64>)> = blocks::map(replications, |r| {
            let counts = self.draw(timing, customers, &mut seed.stream(r as u64))?;
            self.fit(timing, &counts, customers)
        })
        .into_iter()
        .collect::<Result<_>>()?;
        let critical = normal::upper_quantile(0.5 * self.alpha);
        let count = replications as f64;
        Ok(self
            .design
            .channels()
            .into_iter()
            .enumerate()
            .map(|(k, channel)| {
                let values = || estimates.iter().map(|(beta, _)| beta[k + 1]);
                let mean = values().sum::<f64>() / count;
                let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
                let rejected = estimates
                    .iter()
                    .filter(|(beta, v)| beta[k + 1].abs() > critical * v[(k + 1, k + 1)].sqrt())
                    .count() as f64;
                let power = rejected / count;
                SimulatedPower {
                    channel,
                    power,
                    monte_carlo_error: (power * (1.0 - power) / count).sqrt(),
                    mean,
                    standard_deviation: variance.sqrt(),
                }
            })
            .collect())
    }

    /// Counts of the three outcomes in every cell of every arm.
    fn draw<T: Timing>(
        &self,
        timing: &T,
        customers: usize,
        random: &mut impl Rng,
    ) -> Result<Vec<Vec<[f64; 3]>>> {
        let truth = self.truth;
        let arms = self.design.arms();
        let model = Model::new(timing, &truth, &arms)?;
        let seen = if self.design.sees_beliefs() {
            AssumedTruth::RATINGS
        } else {
            1
        };
        let mut counts = vec![vec![[0.0; 3]; seen]; arms.len()];
        let ratings: Vec<usize> = (0..customers)
            .map(|_| below(random, AssumedTruth::RATINGS as u64) as usize)
            .collect();
        let mut gauss = || normal::quantile(open_unit(random.next_u64()));
        for (customer, rating) in ratings.into_iter().enumerate() {
            let arm: Arm = arms[customer % arms.len()];
            let situation = model.situation(arm, &TRUTH);
            let signals = model.signals(arm, &TRUTH)?;
            let training = truth.productivity * arm.productivity;
            let prior_mean = truth.rating(rating);
            let ability = prior_mean - truth.overconfidence + truth.ability_sd * gauss() + training;
            let mut belief = Belief::new(prior_mean, truth.belief_variance)?.shifted(training);
            let one = signals.with_count(1);
            for _ in 0..signals.count() {
                belief = belief.update(one, ability + one.variance().sqrt() * gauss());
            }
            belief = belief.shifted(truth.persuasion * arm.persuasion);
            let participates = model.surplus(&situation, belief) + truth.shock_sd * gauss() > 0.0;
            let quality = ability + situation.task().lift(truth.effort) + gauss();
            let outcome = match (participates, quality > 0.0 && self.success_seen) {
                (false, _) => 2,
                (true, false) => 0,
                (true, true) => 1,
            };
            let cell = if seen > 1 { rating } else { 0 };
            counts[customer % arms.len()][cell][outcome] += 1.0;
        }
        Ok(counts)
    }

    /// Maximum likelihood by Fisher scoring from the assumed truth, steps halved while the likelihood falls; estimates and covariance
    /// of the parameters that vary. Signals cannot have a negative weight: an estimate may end at its boundary.
    fn fit<T: Timing>(
        &self,
        timing: &T,
        counts: &[Vec<[f64; 3]>],
        customers: usize,
    ) -> Result<(DVector<f64>, DMatrix<f64>)> {
        const STEPS: usize = 60;
        /// Twice the gap in log-likelihood: a step of a thirtieth of a standard error changes no test.
        const TOLERANCE: f64 = 1e-3;
        /// Where customers give up, the surplus has a kink, and an integral by few nodes is no smoother than that: a likelihood that
        /// so many halvings cannot raise has its maximum there, if the step was at most an eighth of a standard error.
        const HALVINGS: u32 = 8;
        const AT_A_KINK: f64 = 1.0 / 64.0;
        /// The weight's multiple at the boundary: zero for every purpose, with a slope still to be seen.
        const BOUNDARY: f64 = 1e-3;
        /// Position of the information channel among the parameters.
        const INFORMATION: usize = 1;
        let channels = self.design.channels();
        let kept = positions(&channels);
        let mut multiples = TRUTH;
        let mut before = (f64::NEG_INFINITY, TRUTH);
        let (mut decrement, mut length) = (f64::INFINITY, 1.0);
        let mut moved = [0.0; PARAMETERS];
        let (mut halvings, mut best) = (0, None);
        for _ in 0..STEPS {
            let sums = self.sums(timing, counts, &multiples)?;
            if sums.log_likelihood < before.0 {
                halvings += 1;
                if halvings > HALVINGS
                    && decrement < AT_A_KINK
                    && let Some(at_best) = best
                {
                    return Ok(at_best);
                }
                for (now, before) in multiples.iter_mut().zip(before.1) {
                    *now = 0.5 * (*now + before);
                }
                continue;
            }
            halvings = 0;
            before = (sums.log_likelihood, multiples);
            let held = multiples[INFORMATION] <= BOUNDARY && sums.score[INFORMATION] <= 0.0;
            let free: Vec<usize> = kept
                .iter()
                .copied()
                .filter(|k| !(held && *k == INFORMATION))
                .collect();
            let block = |among: &[usize]| {
                DMatrix::from_fn(among.len(), among.len(), |i, j| {
                    sums.information[(among[i], among[j])] / customers as f64
                })
            };
            let covariance = invert(&block(&kept), &channels)? / customers as f64;
            let right = DVector::from_fn(free.len(), |i, _| sums.score[free[i]]);
            let step = if held {
                let rest: Vec<Channel> = channels
                    .iter()
                    .copied()
                    .filter(|c| *c != Channel::Information)
                    .collect();
                invert(&block(&free), &rest)? * &right / customers as f64
            } else {
                &covariance * &right
            };
            decrement = step.dot(&right);
            let beta = DVector::from_fn(kept.len(), |i, _| multiples[kept[i]]);
            if decrement < TOLERANCE {
                return Ok((beta, covariance));
            }
            // Where the likelihood bends more than expected, whole steps overshoot to and fro: shorten them when they turn round.
            let turned = moved
                .iter()
                .zip(&sums.score)
                .map(|(moved, score)| moved * score)
                .sum::<f64>()
                < 0.0;
            length = if turned {
                0.5 * length
            } else {
                f64::min(1.0, 1.25 * length)
            };
            moved = [0.0; PARAMETERS];
            for (i, k) in free.iter().enumerate() {
                moved[*k] = length * step[i];
                multiples[*k] += moved[*k];
            }
            best = Some((beta, covariance));
            multiples[INFORMATION] = multiples[INFORMATION].max(BOUNDARY);
        }
        Err(Error::NotConverged {
            what: "Fisher scoring in the power simulation".into(),
            iterations: STEPS,
            criterion: decrement,
            tolerance: TOLERANCE,
            remedy: "simulate with more customers: so few hardly identify the channels".into(),
        })
    }

    /// Log-likelihood, score and expected information of all customers.
    fn sums<T: Timing>(
        &self,
        timing: &T,
        counts: &[Vec<[f64; 3]>],
        multiples: &[f64; PARAMETERS],
    ) -> Result<Sums> {
        let mut sums = Sums {
            log_likelihood: 0.0,
            score: [0.0; PARAMETERS],
            information: DMatrix::zeros(PARAMETERS, PARAMETERS),
        };
        for (arm, counts) in self.design.arms().iter().zip(counts) {
            let cells = self.cells(timing, *arm, multiples)?;
            for (cell, counts) in cells.iter().zip(counts) {
                let n: f64 = counts.iter().sum();
                for ((probability, slopes), count) in cell.outcomes().iter().zip(counts) {
                    if *probability <= f64::MIN_POSITIVE {
                        continue;
                    }
                    sums.log_likelihood += count * probability.ln();
                    for i in 0..PARAMETERS {
                        sums.score[i] += count * slopes[i] / probability;
                        for j in 0..PARAMETERS {
                            sums.information[(i, j)] += n * slopes[i] * slopes[j] / probability;
                        }
                    }
                }
            }
        }
        Ok(sums)
    }
}

/// What the likelihood needs of all customers.
struct Sums {
    log_likelihood: f64,
    score: [f64; PARAMETERS],
    information: DMatrix<f64>,
}
