//! The policies of bandits without context.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// How a [`Bandit`](super::Bandit) chooses among K arms. Rewards lie in [0, 1] unless said otherwise. `μ̂` is an arm's mean reward, `n` the number of its
/// rewards, t that of all.
///
/// Play it by [`Bandit::new`](super::Bandit::new), which checks the parameters.
///
/// # References
/// Auer, P., Cesa-Bianchi, N. & Fischer, P. (2002). Finite-time analysis of the multiarmed bandit problem. *Machine Learning* 47, 235–256; Garivier, A. & Cappé, O.
/// (2011). The KL-UCB algorithm for bounded stochastic bandits and beyond. *COLT*; Thompson, W. R. (1933). *Biometrika* 25, 285–294; Russo, D. (2020). Simple Bayesian
/// algorithms for best-arm identification. *Operations Research* 68, 1625–1647; Auer, P., Cesa-Bianchi, N., Freund, Y. & Schapire, R. (2002). The nonstochastic
/// multiarmed bandit problem. *SIAM Journal on Computing* 32, 48–77.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum BanditPolicy {
    /// Every arm with the same probability: a randomised experiment.
    Uniform,
    /// The best mean, and with probability ε any arm. Rewards of any size.
    EpsilonGreedy {
        /// ε, from 0 to 1.
        epsilon: f64,
    },
    /// The same with `ε = min(1, cK/(t + 1))` after t rewards.
    DecayingEpsilon {
        /// c, above 0.
        scale: f64,
    },
    /// The largest `μ̂ + α √(2 ln t / n)`.
    Ucb1 {
        /// α, above 0; 1 is that of the paper.
        alpha: f64,
    },
    /// The largest q with `n kl(μ̂, q) ≤ ln t`, kl the divergence of Bernoulli distributions.
    KlUcb,
    /// The largest draw from beta posteriors of success rates. A reward between 0 and 1 adds itself to the successes and the rest to the failures.
    ThompsonBernoulli {
        /// Prior successes, above 0.
        successes: f64,
        /// Prior failures, above 0.
        failures: f64,
    },
    /// The largest draw from normal posteriors of means, for rewards of any size with known variance.
    ThompsonGaussian {
        /// Prior mean of a mean.
        mean: f64,
        /// Its prior standard deviation, above 0.
        sd: f64,
        /// Standard deviation of a reward, above 0.
        noise: f64,
    },
    /// Thompson sampling from beta posteriors with a uniform prior that, with probability 1 − β, draws again until another arm is best: it learns which arm is best
    /// sooner, and earns less on the way.
    TopTwo {
        /// β, above 0 and below 1; 0.5 is usual.
        beta: f64,
    },
    /// Exponential weights on importance-weighted rewards, with exploration γ: safe when rewards are chosen by an adversary.
    Exp3 {
        /// γ, above 0 and at most 1.
        gamma: f64,
    },
}

impl BanditPolicy {
    /// Thompson sampling for success or failure, from a uniform prior.
    pub fn thompson() -> Self {
        Self::ThompsonBernoulli {
            successes: 1.0,
            failures: 1.0,
        }
    }

    /// UCB1 as in the paper.
    pub fn ucb1() -> Self {
        Self::Ucb1 { alpha: 1.0 }
    }

    /// The name in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::EpsilonGreedy { .. } => "ε-greedy",
            Self::DecayingEpsilon { .. } => "decaying ε",
            Self::Ucb1 { .. } => "UCB1",
            Self::KlUcb => "KL-UCB",
            Self::ThompsonBernoulli { .. } | Self::ThompsonGaussian { .. } => "Thompson sampling",
            Self::TopTwo { .. } => "top-two Thompson",
            Self::Exp3 { .. } => "EXP3",
        }
    }

    /// Whether rewards must lie between 0 and 1.
    pub(super) fn bounded(&self) -> bool {
        matches!(
            self,
            Self::Ucb1 { .. }
                | Self::KlUcb
                | Self::ThompsonBernoulli { .. }
                | Self::TopTwo { .. }
                | Self::Exp3 { .. }
        )
    }

    /// Whether its probabilities are integrals over posteriors.
    pub(super) fn integrates(&self) -> bool {
        matches!(
            self,
            Self::ThompsonBernoulli { .. } | Self::ThompsonGaussian { .. } | Self::TopTwo { .. }
        )
    }

    pub(super) fn check(&self) -> Result<()> {
        let above = |v: f64| v > 0.0 && v.is_finite();
        let checks: Vec<(&str, f64, bool, &str)> = match *self {
            Self::Uniform | Self::KlUcb => vec![],
            Self::EpsilonGreedy { epsilon: e } => {
                vec![("epsilon", e, (0.0..=1.0).contains(&e), "from 0 to 1")]
            }
            Self::DecayingEpsilon { scale } => vec![("scale", scale, above(scale), "above 0")],
            Self::Ucb1 { alpha } => vec![("alpha", alpha, above(alpha), "above 0")],
            Self::ThompsonBernoulli {
                successes,
                failures,
            } => vec![
                (
                    "successes",
                    successes,
                    above(successes),
                    "above 0, or the prior has no mass",
                ),
                (
                    "failures",
                    failures,
                    above(failures),
                    "above 0, or the prior has no mass",
                ),
            ],
            Self::ThompsonGaussian { mean, sd, noise } => vec![
                ("mean", mean, mean.is_finite(), "finite"),
                ("sd", sd, above(sd), "above 0"),
                ("noise", noise, above(noise), "above 0"),
            ],
            Self::TopTwo { beta } => {
                vec![(
                    "beta",
                    beta,
                    beta > 0.0 && beta < 1.0,
                    "above 0 and below 1",
                )]
            }
            Self::Exp3 { gamma } => {
                vec![(
                    "gamma",
                    gamma,
                    gamma > 0.0 && gamma <= 1.0,
                    "above 0 and at most 1",
                )]
            }
        };
        match checks.into_iter().find(|(_, _, good, _)| !good) {
            None => Ok(()),
            Some((name, value, _, expected)) => Err(Error::invalid_option(name, value, expected)),
        }
    }
}
