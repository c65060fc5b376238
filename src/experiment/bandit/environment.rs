//! Worlds in which bandits play, with the truth known.

use crate::error::{Error, Result};
use crate::simulate::draws::Draws;
use serde::{Deserialize, Serialize};

/// A world of arms whose mean rewards are known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BanditEnvironment {
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Bernoulli(Vec<f64>),
    Gaussian {
        means: Vec<f64>,
        sd: f64,
    },
    Linear {
        coefficients: Vec<Vec<f64>>,
        sd: f64,
    },
    Logistic {
        coefficients: Vec<Vec<f64>>,
    },
    Switching {
        phases: Vec<(usize, Vec<f64>)>,
    },
}

impl BanditEnvironment {
    /// Arms that succeed with these probabilities.
    pub fn bernoulli(means: impl Into<Vec<f64>>) -> Self {
        Self {
            kind: Kind::Bernoulli(means.into()),
        }
    }

    /// Arms with these means and normal noise.
    pub fn gaussian(means: impl Into<Vec<f64>>, sd: f64) -> Self {
        Self {
            kind: Kind::Gaussian {
                means: means.into(),
                sd,
            },
        }
    }

    /// Arms whose mean is linear in features, a constant and standard normals; one list of coefficients an arm, and normal noise.
    pub fn linear(coefficients: impl Into<Vec<Vec<f64>>>, sd: f64) -> Self {
        Self {
            kind: Kind::Linear {
                coefficients: coefficients.into(),
                sd,
            },
        }
    }

    /// Arms that succeed with odds that are log-linear in the same features.
    pub fn logistic(coefficients: impl Into<Vec<Vec<f64>>>) -> Self {
        Self {
            kind: Kind::Logistic {
                coefficients: coefficients.into(),
            },
        }
    }

    /// Arms whose probabilities of success change: each phase starts in a round, the first in round 0.
    pub fn switching(phases: impl Into<Vec<(usize, Vec<f64>)>>) -> Self {
        Self {
            kind: Kind::Switching {
                phases: phases.into(),
            },
        }
    }

    fn lists(&self) -> Vec<&Vec<f64>> {
        match &self.kind {
            Kind::Bernoulli(means) | Kind::Gaussian { means, .. } => vec![means],
            Kind::Linear { coefficients, .. } | Kind::Logistic { coefficients } => {
                coefficients.iter().collect()
            }
            Kind::Switching { phases } => phases.iter().map(|(_, means)| means).collect(),
        }
    }

    /// Number of arms.
    pub fn arms(&self) -> usize {
        match &self.kind {
            Kind::Linear { coefficients, .. } | Kind::Logistic { coefficients } => {
                coefficients.len()
            }
            _ => self.lists().first().map_or(0, |means| means.len()),
        }
    }

    /// Number of features, with the constant; none without context.
    pub fn features(&self) -> Option<usize> {
        match &self.kind {
            Kind::Linear { coefficients, .. } | Kind::Logistic { coefficients } => {
                Some(coefficients.first().map_or(0, Vec::len))
            }
            _ => None,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let lists = self.lists();
        let length = lists.first().map_or(0, |l| l.len());
        if self.arms() < 2 || length == 0 || lists.iter().any(|l| l.len() != length) {
            return Err(Error::invalid_option(
                "environment",
                format!("of {} arms", self.arms()),
                "of two arms at least, all lists of one length",
            ));
        }
        let probabilities = matches!(self.kind, Kind::Bernoulli(_) | Kind::Switching { .. });
        let good = |v: f64| {
            if probabilities {
                (0.0..=1.0).contains(&v)
            } else {
                v.is_finite()
            }
        };
        if let Some(bad) = lists.iter().flat_map(|l| l.iter()).find(|v| !good(**v)) {
            return Err(Error::invalid_option(
                "environment",
                bad,
                if probabilities {
                    "made of probabilities"
                } else {
                    "made of finite numbers"
                },
            ));
        }
        match &self.kind {
            Kind::Gaussian { sd, .. } | Kind::Linear { sd, .. }
                if !(*sd >= 0.0 && sd.is_finite()) =>
            {
                Err(Error::invalid_option("sd", sd, "at least 0"))
            }
            Kind::Switching { phases }
                if phases[0].0 != 0 || phases.windows(2).any(|two| two[0].0 >= two[1].0) =>
            {
                Err(Error::invalid_option(
                    "phases",
                    format!("from {}", phases[0].0),
                    "in increasing rounds from 0",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Draws the features of a round.
    pub(super) fn context(&self, draws: &mut Draws, x: &mut Vec<f64>) {
        x.clear();
        if let Some(features) = self.features() {
            x.push(1.0);
            x.extend((1..features).map(|_| draws.normal()));
        }
    }

    /// The mean reward of an arm.
    pub(super) fn mean(&self, round: usize, x: &[f64], arm: usize) -> f64 {
        let linear = |c: &[Vec<f64>]| -> f64 { c[arm].iter().zip(x).map(|(c, x)| c * x).sum() };
        match &self.kind {
            Kind::Bernoulli(means) | Kind::Gaussian { means, .. } => means[arm],
            Kind::Linear { coefficients, .. } => linear(coefficients),
            Kind::Logistic { coefficients } => 1.0 / (1.0 + (-linear(coefficients)).exp()),
            Kind::Switching { phases } => {
                let at = phases.partition_point(|(from, _)| *from <= round);
                phases[at - 1].1[arm]
            }
        }
    }

    /// The best mean reward in a round.
    pub(super) fn best(&self, round: usize, x: &[f64]) -> f64 {
        (0..self.arms())
            .map(|arm| self.mean(round, x, arm))
            .fold(f64::NEG_INFINITY, f64::max)
    }

    /// Draws a reward with this mean.
    pub(super) fn reward(&self, mean: f64, draws: &mut Draws) -> f64 {
        match &self.kind {
            Kind::Gaussian { sd, .. } | Kind::Linear { sd, .. } => mean + sd * draws.normal(),
            _ => f64::from(u8::from(draws.chance(mean))),
        }
    }
}
