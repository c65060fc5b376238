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
    /// scoring fails to converge are errors, not dropped. Customers are drawn independently: a design with clusters is refused.
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
        let model = Model::new(timing, &truth)?;
        let arms = self.design.arms();
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

    /// Maximum likelihood by Fisher scoring from the assumed truth; estimates and covariance of the parameters that vary.
    fn fit<T: Timing>(
        &self,
        timing: &T,
        counts: &[Vec<[f64; 3]>],
        customers: usize,
    ) -> Result<(DVector<f64>, DMatrix<f64>)> {
        const STEPS: usize = 40;
        const TOLERANCE: f64 = 1e-7;
        let channels = self.design.channels();
        let kept = positions(&channels);
        let arms = self.design.arms();
        let mut multiples = TRUTH;
        let mut moved = f64::INFINITY;
        for _ in 0..STEPS {
            let mut score = [0.0; PARAMETERS];
            let mut information = DMatrix::zeros(PARAMETERS, PARAMETERS);
            for (arm, counts) in arms.iter().zip(counts) {
                let cells = self.cells(timing, *arm, &multiples)?;
                for (cell, counts) in cells.iter().zip(counts) {
                    let n: f64 = counts.iter().sum();
                    for ((probability, slopes), count) in cell.outcomes().iter().zip(counts) {
                        if *probability <= f64::MIN_POSITIVE {
                            continue;
                        }
                        for i in 0..PARAMETERS {
                            score[i] += count * slopes[i] / probability;
                            for j in 0..PARAMETERS {
                                information[(i, j)] += n * slopes[i] * slopes[j] / probability;
                            }
                        }
                    }
                }
            }
            let information = DMatrix::from_fn(kept.len(), kept.len(), |i, j| {
                information[(kept[i], kept[j])]
            });
            let covariance =
                invert(&(information / customers as f64), &channels)? / customers as f64;
            if moved < TOLERANCE {
                let beta = DVector::from_fn(kept.len(), |i, _| multiples[kept[i]]);
                return Ok((beta, covariance));
            }
            let right = DVector::from_fn(kept.len(), |i, _| score[kept[i]]);
            let step = &covariance * right;
            moved = step.amax();
            // A long first step may leave the region where scoring contracts.
            let length = if moved > 1.0 { 1.0 / moved } else { 1.0 };
            for (i, k) in kept.iter().enumerate() {
                multiples[*k] += length * step[i];
            }
        }
        Err(Error::NotConverged {
            what: "Fisher scoring in the power simulation".into(),
            iterations: STEPS,
            criterion: moved,
            tolerance: TOLERANCE,
            remedy: "simulate with more customers: so few hardly identify the channels".into(),
        })
    }
}
