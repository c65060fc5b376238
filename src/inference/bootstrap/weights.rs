//! Auxiliary random weights of the wild and score bootstraps.

use super::draw::Words;
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The distribution of the weights: mean 0, variance 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WildWeights {
    /// ±1 with probability ½ each (Davidson & Flachaire 2008): best with more than ten clusters. With G clusters there are 2ᴳ
    /// different draws; when these are no more than asked for, each is taken once.
    #[default]
    Rademacher,
    /// ±√½, ±1, ±√(3/2) with probability 1/6 each (Webb 2023): for few clusters.
    Webb,
}

impl fmt::Display for WildWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rademacher => write!(f, "Rademacher"),
            Self::Webb => write!(f, "Webb"),
        }
    }
}

/// Where weights come from: all sign vectors, or random streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WeightSource {
    pub(crate) weights: WildWeights,
    pub(crate) draws: usize,
    /// Every sign vector once.
    pub(crate) enumerated: bool,
    seed: Seed,
}

impl WeightSource {
    /// Rademacher weights of few units are enumerated when that takes no more draws than asked for.
    pub(crate) fn new(weights: WildWeights, draws: usize, units: usize, seed: Seed) -> Self {
        let all = u32::try_from(units)
            .ok()
            .and_then(|u| 1_usize.checked_shl(u));
        let all = all.filter(|all| weights == WildWeights::Rademacher && *all <= draws);
        Self {
            weights,
            draws: all.unwrap_or(draws),
            enumerated: all.is_some(),
            seed,
        }
    }

    /// The weights of draw `index`, handed to `put` one unit after the other.
    pub(crate) fn draw(&self, index: usize, units: usize, mut put: impl FnMut(usize, f64)) {
        if self.enumerated {
            (0..units).for_each(|g| put(g, if index >> g & 1 == 0 { 1.0 } else { -1.0 }));
            return;
        }
        let mut words = Words::new(self.seed.stream(index as u64));
        match self.weights {
            WildWeights::Rademacher => {
                for from in (0..units).step_by(32) {
                    let word = words.one();
                    for bit in 0..(units - from).min(32) {
                        put(from + bit, if word >> bit & 1 == 0 { 1.0 } else { -1.0 });
                    }
                }
            }
            WildWeights::Webb => {
                let points = [0.5_f64.sqrt(), 1.0, 1.5_f64.sqrt()];
                for unit in 0..units {
                    let side = words.below(6) as usize;
                    let size = points[side / 2];
                    put(unit, if side.is_multiple_of(2) { size } else { -size });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_mean_zero_and_variance_one() {
        for weights in [WildWeights::Rademacher, WildWeights::Webb] {
            let source = WeightSource::new(weights, 2000, 50, Seed::new(7));
            assert!(!source.enumerated);
            let (mut sum, mut square) = (0.0, 0.0);
            for i in 0..2000 {
                source.draw(i, 50, |_, v| {
                    sum += v;
                    square += v * v;
                });
            }
            assert!((sum / 1e5).abs() < 0.01 && (square / 1e5 - 1.0).abs() < 0.01);
        }
    }

    #[test]
    fn few_signs_are_enumerated() {
        let source = WeightSource::new(WildWeights::Rademacher, 9999, 5, Seed::new(7));
        assert!(source.enumerated && source.draws == 32);
        let mut all: Vec<String> = (0..32)
            .map(|i| {
                let mut text = String::new();
                source.draw(i, 5, |_, v| text.push(if v > 0.0 { '+' } else { '-' }));
                text
            })
            .collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 32);
        assert!(!WeightSource::new(WildWeights::Webb, 9999, 5, Seed::new(7)).enumerated);
    }

    #[test]
    fn draws_are_pinned() {
        let drawn = |weights| {
            let mut out = Vec::new();
            WeightSource::new(weights, 10, 4, Seed::new(7)).draw(3, 4, |_, v| out.push(v));
            out
        };
        let mut signs = Vec::new();
        let source = WeightSource::new(WildWeights::Rademacher, 10, 8, Seed::new(7));
        source.draw(3, 8, |_, v| signs.push(v));
        assert_eq!(signs, [-1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, 1.0]);
        assert_eq!(
            drawn(WildWeights::Webb),
            [-1.0, -0.5_f64.sqrt(), -1.0, 0.5_f64.sqrt()]
        );
    }
}
