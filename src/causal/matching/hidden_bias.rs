//! The distributions of rank statistics of matched sets between which an unmeasured covariate can move them.

use crate::inference::mid_ranks;
use crate::numeric::special::{beta, normal};

/// Halvings of a bracket.
const HALVINGS: usize = 60;
/// A standardised statistic below this is its expectation but for rounding.
const LEVEL: f64 = 1e-9;
/// A set: the row that is alone in its arm first.
pub(super) struct MatchedSet {
    pub(super) outcomes: Vec<f64>,
    /// Whether the first is treated; else the others are.
    pub(super) treated: bool,
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Statistic {
    SignedRank,
    AlignedRank,
    Events,
}

/// T and the expectation and variance of its extreme distributions, lowest first.
pub(super) struct Law {
    statistic: f64,
    ends: [[f64; 2]; 2],
}

impl Law {
    /// The standardised statistic under the distribution with the lowest or highest expectation.
    pub(super) fn z(&self, end: usize) -> f64 {
        let [mean, variance] = self.ends[end];
        (self.statistic - mean) / variance.sqrt()
    }
}

/// P-values against larger and against smaller outcomes of the treated, least and largest.
pub(super) fn tails(law: &Law) -> [[f64; 2]; 2] {
    [
        [0, 1].map(|end| normal::sf(law.z(end))),
        [1, 0].map(|end| normal::cdf(law.z(end))),
    ]
}

/// The same for pairs that differ, exactly.
pub(super) fn binomial(sets: &[MatchedSet], gamma: f64) -> [[f64; 2]; 2] {
    let (mut differ, mut treated) = (0.0, 0.0);
    for set in sets {
        let d = set.outcomes[0] - set.outcomes[1];
        differ += d.abs();
        treated += f64::from(u8::from((d > 0.0) == set.treated)) * d.abs();
    }
    // P(B(n, p) ≥ k).
    let at_least = |k: f64, p: f64| {
        if k > 0.0 {
            beta::regularized(k, differ - k + 1.0, p)
        } else {
            1.0
        }
    };
    let chances = [1.0 / (1.0 + gamma), gamma / (1.0 + gamma)];
    [
        chances.map(|p| at_least(treated, p)),
        chances.map(|p| at_least(differ - treated, p)),
    ]
}

/// The statistic of outcomes from which an effect τ is taken, and its extreme distributions.
pub(super) fn law(sets: &[MatchedSet], statistic: Statistic, gamma: f64, tau: f64) -> Law {
    let mut found = Law {
        statistic: 0.0,
        ends: [[0.0; 2]; 2],
    };
    for (scores, set) in scores(sets, statistic, tau).into_iter().zip(sets) {
        // The treated rows of a set with one untreated have all but its score: as if that one were treated, with what it leaves.
        let total: f64 = scores.iter().sum();
        let single = |score: f64| if set.treated { score } else { total - score };
        found.statistic += single(scores[0]);
        let mut alone: Vec<f64> = scores.iter().map(|score| single(*score)).collect();
        alone.sort_unstable_by(f64::total_cmp);
        let highest = extreme(&alone, gamma);
        for score in &mut alone {
            *score = -*score;
        }
        alone.reverse();
        let [mean, variance] = extreme(&alone, gamma);
        for (end, part) in found.ends.iter_mut().zip([[-mean, variance], highest]) {
            end[0] += part[0];
            end[1] += part[1];
        }
    }
    found
}

/// The largest expectation of the score of one row of a set, with its variance: of rising scores the last ones have u = 1. Of expectations that are equal the one with more variance.
fn extreme(scores: &[f64], gamma: f64) -> [f64; 2] {
    let n = scores.len();
    let mut best = [f64::NEG_INFINITY, 0.0];
    for low in 1..n {
        let mean_of = |f: &dyn Fn(f64) -> f64| {
            let weigh = |at: usize| if at < low { 1.0 } else { gamma };
            let total = low as f64 + gamma * (n - low) as f64;
            scores
                .iter()
                .enumerate()
                .map(|(at, q)| weigh(at) * f(*q))
                .sum::<f64>()
                / total
        };
        let mean = mean_of(&|q| q);
        let found = [mean, mean_of(&|q| (q - mean).powi(2))];
        if found[0] > best[0] || (found[0] >= best[0] && found[1] > best[1]) {
            best = found;
        }
    }
    best
}

fn scores(sets: &[MatchedSet], statistic: Statistic, tau: f64) -> Vec<Vec<f64>> {
    let adjusted = sets.iter().map(|set| -> Vec<f64> {
        let each = set.outcomes.iter().enumerate();
        each.map(|(at, y)| {
            if (at == 0) == set.treated {
                y - tau
            } else {
                *y
            }
        })
        .collect()
    });
    let mut adjusted: Vec<Vec<f64>> = adjusted.collect();
    match statistic {
        Statistic::Events => adjusted,
        Statistic::SignedRank => {
            let differences: Vec<f64> = adjusted.iter().map(|pair| pair[0] - pair[1]).collect();
            let sizes: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
            for ((pair, d), rank) in adjusted.iter_mut().zip(&differences).zip(ranks(&sizes)) {
                // The rank belongs to the larger one of a pair.
                *pair = vec![
                    if *d > 0.0 { rank } else { 0.0 },
                    if *d < 0.0 { rank } else { 0.0 },
                ];
            }
            adjusted
        }
        Statistic::AlignedRank => {
            for set in &mut adjusted {
                let mean = set.iter().sum::<f64>() / set.len() as f64;
                for y in set {
                    *y -= mean;
                }
            }
            let mut ranks = ranks(&adjusted.concat()).into_iter();
            for set in &mut adjusted {
                for (y, rank) in set.iter_mut().zip(&mut ranks) {
                    *y = rank;
                }
            }
            adjusted
        }
    }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let all: Vec<u32> = (0..values.len() as u32).collect();
    mid_ranks(values, &all)
}

/// Effects at which T equals its highest and its lowest expectation, between the last effect at which it is above and the first at which it is below.
pub(super) fn estimates(sets: &[MatchedSet], statistic: Statistic, gamma: f64) -> [f64; 2] {
    let [low, high] = reach(sets);
    [1, 0].map(|end| {
        let z = |tau: f64| law(sets, statistic, gamma, tau).z(end);
        f64::midpoint(
            boundary(low, high, |tau| z(tau) > LEVEL),
            boundary(low, high, |tau| z(tau) > -LEVEL),
        )
    })
}

/// Effects beyond all differences of treated and untreated rows of a set.
pub(super) fn reach(sets: &[MatchedSet]) -> [f64; 2] {
    let differences = sets.iter().flat_map(|set| {
        let sign = if set.treated { 1.0 } else { -1.0 };
        set.outcomes[1..]
            .iter()
            .map(move |other| sign * (set.outcomes[0] - other))
    });
    let (low, high) = differences.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), d| {
        (l.min(d), h.max(d))
    });
    let margin = (high - low).max(low.abs()).max(high.abs());
    [low - margin, high + margin]
}

/// Where a condition that holds at first ceases to.
pub(super) fn boundary(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}
