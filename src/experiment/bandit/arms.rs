//! What a bandit knows of its arms: counts and sums, of all rewards, of discounted ones, or of the latest.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Which rewards still count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Memory {
    All,
    /// A reward counts `γ^k` after k further ones.
    Discount(f64),
    /// The latest rewards only.
    Window(usize),
}

/// Counts and sums by arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Arms {
    memory: Memory,
    pub(super) count: Vec<f64>,
    pub(super) sum: Vec<f64>,
    /// How often an arm was chosen, whether its reward has come or not.
    pub(super) chosen: Vec<u64>,
    pub(super) total: f64,
    latest: VecDeque<(usize, f64)>,
}

impl Memory {
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Discount(factor) if !(factor > 0.0 && factor <= 1.0) => Err(
                Error::invalid_option("discount", factor, "above 0 and at most 1"),
            ),
            Self::Window(0) => Err(Error::invalid_option("window", 0, "one reward at least")),
            _ => Ok(()),
        }
    }
}

impl Arms {
    pub(super) fn new(arms: usize, memory: Memory) -> Self {
        Self {
            memory,
            count: vec![0.0; arms],
            sum: vec![0.0; arms],
            chosen: vec![0; arms],
            total: 0.0,
            latest: VecDeque::new(),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        self.memory.check()
    }

    pub(super) fn len(&self) -> usize {
        self.count.len()
    }

    pub(super) fn add(&mut self, arm: usize, reward: f64) {
        match self.memory {
            Memory::All => {}
            Memory::Discount(factor) => {
                for value in self.count.iter_mut().chain(&mut self.sum) {
                    *value *= factor;
                }
                self.total *= factor;
            }
            Memory::Window(window) => {
                self.latest.push_back((arm, reward));
                if self.latest.len() > window {
                    self.forget();
                }
            }
        }
        self.count[arm] += 1.0;
        self.sum[arm] += reward;
        self.total += 1.0;
    }

    /// Takes out the oldest reward. An arm that is empty again starts from an exact zero.
    fn forget(&mut self) {
        if let Some((arm, reward)) = self.latest.pop_front() {
            self.count[arm] -= 1.0;
            self.sum[arm] = if self.count[arm] > 0.0 {
                self.sum[arm] - reward
            } else {
                0.0
            };
            self.total -= 1.0;
        }
    }

    /// The mean reward; none without rewards.
    pub(super) fn mean(&self, arm: usize) -> Option<f64> {
        (self.count[arm] > 0.0).then(|| self.sum[arm] / self.count[arm])
    }

    /// The arm with the largest index; arms without rewards come first, the least chosen among them, then the first in order.
    pub(super) fn largest(&self, index: impl Fn(usize) -> f64) -> usize {
        let mut best = (f64::NEG_INFINITY, 0, u64::MAX);
        for arm in 0..self.len() {
            let value = if self.count[arm] > 0.0 {
                index(arm)
            } else {
                f64::INFINITY
            };
            let chosen = if value < f64::INFINITY {
                0
            } else {
                self.chosen[arm]
            };
            if value > best.0 || (value >= best.0 && chosen < best.2) {
                best = (value, arm, chosen);
            }
        }
        best.1
    }
}

/// `μ + α √(2 ln t / n)` (Auer, Cesa-Bianchi & Fischer 2002).
pub(super) fn ucb1(mean: f64, count: f64, total: f64, alpha: f64) -> f64 {
    mean + alpha * (2.0 * total.max(1.0).ln() / count).sqrt()
}

/// The Kullback–Leibler divergence between Bernoulli distributions, `p h(d/p) + (1 − p) h(−d/(1 − p))` with `h(u) = u − ln(1 + u)` and `d = q − p`: near twins the first order has
/// cancelled already.
pub(super) fn divergence(p: f64, q: f64) -> f64 {
    /// Below, the series loses less than the difference.
    const SMALL: f64 = 0.05;
    let h = |u: f64| {
        if u.abs() > SMALL {
            return u - u.ln_1p();
        }
        // u²/2 − u³/3 + …, by Horner's rule.
        let series = (2..=14)
            .rev()
            .fold(0.0, |sum, k| 1.0 / f64::from(k) - u * sum);
        u * u * series
    };
    let d = q - p;
    let part = |p: f64, d: f64| if p > 0.0 { p * h(d / p) } else { d };
    part(p, d) + part(1.0 - p, -d)
}

/// The largest q with `n kl(μ, q) ≤ ln t` (Garivier & Cappé 2011, without the ln ln t, as they advise). The divergence is convex, so that Newton's steps from a bound
/// above descend to the root.
pub(super) fn kl_ucb(mean: f64, count: f64, total: f64) -> f64 {
    const STEPS: usize = 40;
    const CLOSE: f64 = 1e-12;
    let allowed = total.max(1.0).ln() / count;
    if mean >= 1.0 || allowed <= 0.0 {
        return mean;
    }
    let plogp = if mean > 0.0 { mean * mean.ln() } else { 0.0 };
    let entropic = 1.0 - (1.0 - mean) * (-(allowed - plogp) / (1.0 - mean)).exp();
    let mut q = (mean + (allowed / 2.0).sqrt()).min(entropic);
    for _ in 0..STEPS {
        if q <= mean || q >= 1.0 {
            break;
        }
        let step = (divergence(mean, q) - allowed) * q * (1.0 - q) / (q - mean);
        q -= step;
        if step.abs() < CLOSE {
            break;
        }
    }
    q.clamp(mean, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_of_kl_ucb_solves_its_equation() {
        for mean in [0.0, 1e-6, 0.1, 0.5, 0.93, 1.0 - 1e-9] {
            for (count, total) in [(1.0, 2.0), (3.0, 100.0), (500.0, 1e4), (2e5, 1e6)] {
                let q = kl_ucb(mean, count, total);
                assert!(q >= mean && q <= 1.0);
                if q < 1.0 - 1e-12 {
                    let gap = count * divergence(mean, q) - f64::ln(total);
                    assert!(gap.abs() < 1e-7 * f64::ln(total), "{mean} {count}: {gap}");
                }
            }
        }
        assert_eq!(kl_ucb(1.0, 3.0, 10.0), 1.0);
    }

    #[test]
    fn windows_and_discounts_forget() {
        let mut window = Arms::new(2, Memory::Window(3));
        let mut faded = Arms::new(2, Memory::Discount(0.5));
        for (arm, reward) in [(0, 1.0), (1, 0.3), (0, 0.5), (0, 0.25), (0, 0.75)] {
            window.add(arm, reward);
            faded.add(arm, reward);
        }
        assert_eq!((window.mean(0), window.mean(1)), (Some(0.5), None));
        assert_eq!(window.total, 3.0);
        assert_eq!(faded.count, [1.0 + 0.5 + 0.25 + 0.0625, 0.125]);
        assert!((faded.sum[0] - (0.75 + 0.125 + 0.125 + 0.0625)).abs() < 1e-15);
    }
}
