//! Rank-weighted average effects: areas under and between curves, as one linear functional of the ranks.

use crate::causal::units::Units;
use crate::numeric::blocks;
use crate::numeric::{Seed, permutation::shuffle};
use crate::uplift::path::Path;
use serde::{Deserialize, Serialize};

/// How a rank-weighted average treatment effect (RATE) weighs the curve of targeting operator characteristics
/// `TOC(q) = E[τ | among the share q of highest priority] − E[τ]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RateWeights {
    /// `AUTOC = ∫ TOC(q) dq`: finds effects that few have; most power when most effects are zero.
    Autoc,
    /// `Qini = ∫ q TOC(q) dq`, the area between the Qini curve and the line of treating at random: most power when effects are spread
    /// over everybody.
    Qini,
    /// `AUUC = ∫ G(q) dq`, the area under the gain curve: the Qini coefficient and half the average effect.
    Auuc,
}

impl RateWeights {
    /// The mean over ranks a to b of J, where the area is `∫ J(u) m(u) du` with `m(u)` the effect at rank u.
    fn weight(self, a: f64, b: f64) -> f64 {
        let middle = f64::midpoint(a, b);
        match self {
            Self::Qini => 0.5 - middle,
            Self::Auuc => 1.0 - middle,
            Self::Autoc => mean_of_minus_log(a, b) - 1.0,
        }
    }

    /// `∫ J'(u) du` from a to b.
    fn slope(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Qini | Self::Auuc => a - b,
            Self::Autoc => -(b / a).ln(),
        }
    }

    /// The mean of `∫_u^b J'` over u between a and b.
    fn mean_slope(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Qini | Self::Auuc => -0.5 * (b - a),
            // ∫_a^b −ln(b/u) du = −[(b − a) − a ln(b/a)].
            Self::Autoc if a > 0.0 => -(1.0 - a * (b / a).ln() / (b - a)),
            Self::Autoc => -1.0,
        }
    }
}

/// The mean of −ln u between a and b.
fn mean_of_minus_log(a: f64, b: f64) -> f64 {
    /// Below this relative width the difference of antiderivatives loses digits, and the series needs two terms.
    const NARROW: f64 = 1e-3;
    let (middle, width) = (f64::midpoint(a, b), b - a);
    let relative = width / middle;
    if relative < NARROW {
        return relative * relative / 24.0 - middle.ln();
    }
    let antiderivative = |u: f64| if u > 0.0 { u - u * u.ln() } else { 0.0 };
    (antiderivative(b) - antiderivative(a)) / width
}

/// A rank-weighted average effect and the contributions of units to its error.
pub(super) struct Rate {
    pub(super) estimate: f64,
    pub(super) contributions: Vec<f64>,
}

/// The estimates with their influence functions: `ψ_i = Γ_i J(U_i) + ∫_{U_i}^1 J'(u) m(u) du`, centred, where the second part is the noise of
/// ranks that are estimated.
pub(super) fn rates<const K: usize>(
    path: &Path,
    units: &Units,
    scores: &[f64],
    kinds: [RateWeights; K],
) -> [Rate; K] {
    let runs: Vec<_> = path.order.runs().collect();
    let mut sums = vec![[0.0; K]; units.count];
    let mut weights = vec![0.0; units.count];
    let (mut estimates, mut means, mut rest) = ([0.0; K], [0.0; K], [0.0; K]);
    for (at, run) in runs.iter().enumerate().rev() {
        let (a, b) = (path.spent[at], path.spent[at + 1].min(1.0));
        let gain = path.gained[at + 1] - path.gained[at];
        if b <= a {
            continue; // rows without weight
        }
        let effect = gain / (b - a);
        let j = kinds.map(|kind| kind.weight(a, b));
        let ranks: [f64; K] = std::array::from_fn(|k| rest[k] + effect * kinds[k].mean_slope(a, b));
        for row in &path.order.places[run.clone()] {
            let row = *row as usize;
            let (unit, weight) = (units.unit(row), units.weights[row]);
            weights[unit] += weight;
            for k in 0..K {
                let influence = weight * (scores[row] * j[k] + ranks[k]);
                sums[unit][k] += influence;
                means[k] += influence;
            }
        }
        for k in 0..K {
            estimates[k] += j[k] * gain;
            if a > 0.0 {
                rest[k] += effect * kinds[k].slope(a, b);
            }
        }
    }
    std::array::from_fn(|k| Rate {
        estimate: estimates[k],
        contributions: sums
            .iter()
            .zip(&weights)
            .map(|(sum, weight)| sum[k] - means[k] * weight)
            .collect(),
    })
}

/// The areas as grf adds them up: `Σ_j w_j TOC(q_j)`, `Σ_j w_j q_j TOC(q_j)` and `Σ_j w_j G(q_j)` over the rows that are kept, with q_j the share of
/// weight down to row j; rows of equal priority have their mean score.
pub(super) fn rank_sums(
    path: &Path,
    units: &Units,
    scores: &[f64],
    kinds: &[RateWeights],
    keep: impl Fn(usize) -> bool,
) -> Vec<f64> {
    let kept = |run: std::ops::Range<usize>| {
        let places = path.order.places[run].iter().map(|row| *row as usize);
        places.filter(|row| keep(*row))
    };
    let sums = |run: std::ops::Range<usize>| {
        kept(run).fold((0.0, 0.0), |(w, g), row| {
            (w + units.weights[row], g + units.weights[row] * scores[row])
        })
    };
    let (total, gain) = sums(0..path.order.places.len());
    let average = gain / total;
    let mut out = vec![0.0; kinds.len()];
    let (mut share, mut gained) = (0.0, 0.0);
    for run in path.order.runs() {
        let (weight, gain) = sums(run.clone());
        if weight <= 0.0 {
            continue;
        }
        for row in kept(run) {
            let part = units.weights[row] / total;
            share += part;
            gained += part * gain / weight;
            for (sum, kind) in out.iter_mut().zip(kinds) {
                *sum += part
                    * match kind {
                        RateWeights::Autoc if part > 0.0 => gained / share - average,
                        RateWeights::Autoc => 0.0,
                        RateWeights::Qini => gained - share * average,
                        RateWeights::Auuc => gained,
                    };
            }
        }
    }
    out
}

/// The standard deviation of the estimate over half-samples of units, which is the standard error of the estimate of all (Yadlowsky et al.
/// 2025, section 3.2).
pub(super) fn half_sample_errors(
    path: &Path,
    units: &Units,
    scores: &[f64],
    kinds: &[RateWeights],
    at_ranks: bool,
    (draws, seed): (usize, Seed),
) -> Vec<f64> {
    let seed = seed.child("half samples");
    let estimates = blocks::map(draws, |draw| {
        let mut all: Vec<u32> = (0..units.count as u32).collect();
        shuffle(&mut all, &mut seed.stream(draw as u64));
        let mut chosen = vec![false; units.count];
        for unit in &all[..units.count / 2] {
            chosen[*unit as usize] = true;
        }
        if at_ranks {
            return rank_sums(path, units, scores, kinds, |row| chosen[units.unit(row)]);
        }
        let sum = |run: &[u32]| {
            let rows = run.iter().map(|row| *row as usize);
            let taken = rows.filter(|row| chosen[units.unit(*row)]);
            taken.fold((0.0, 0.0), |(w, g), row| {
                (w + units.weights[row], g + units.weights[row] * scores[row])
            })
        };
        let runs: Vec<(f64, f64)> = path
            .order
            .runs()
            .map(|run| sum(&path.order.places[run]))
            .collect();
        let total: f64 = runs.iter().map(|(w, _)| w).sum();
        let mut out = vec![0.0; kinds.len()];
        let mut before = 0.0;
        for (weight, gain) in runs.into_iter().filter(|(w, _)| *w > 0.0) {
            let (a, b) = (before / total, (before + weight) / total);
            for (sum, kind) in out.iter_mut().zip(kinds) {
                *sum += kind.weight(a, b) * gain / total;
            }
            before += weight;
        }
        out
    });
    (0..kinds.len())
        .map(|k| {
            let mean = estimates.iter().map(|e| e[k]).sum::<f64>() / draws as f64;
            let squares: f64 = estimates.iter().map(|e| (e[k] - mean).powi(2)).sum();
            (squares / (draws as f64 - 1.0)).sqrt()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uplift::path::Step;

    fn path(units: &Units, priorities: &[f64], scores: &[f64]) -> Path {
        Path::new(units, priorities, |row| Step {
            row: row as u32,
            gain: scores[row],
            cost: 1.0,
        })
    }

    #[test]
    fn the_influence_function_is_the_derivative_in_the_weights() {
        let priorities = [3.0, 2.0, 2.0, 1.0, 0.5, 0.5, 0.5, -1.0];
        let scores = [2.0, 1.0, -0.5, 1.5, 0.2, -1.0, 0.4, -2.0];
        let base = [1.0, 2.0, 1.0, 0.5, 1.0, 1.0, 3.0, 1.0];
        let value = |weights: &[f64], kind| {
            let units = Units::new(8, Some(weights), None);
            let [rate] = rates(&path(&units, &priorities, &scores), &units, &scores, [kind]);
            rate
        };
        for kind in [RateWeights::Autoc, RateWeights::Qini, RateWeights::Auuc] {
            let fit = value(&base, kind);
            for row in 0..8 {
                const STEP: f64 = 1e-5;
                let moved = |by: f64| {
                    let mut weights = base;
                    weights[row] += by;
                    value(&weights, kind).estimate
                };
                let derivative = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                let total: f64 = base.iter().sum();
                let ours = fit.contributions[row] / (base[row] / total) / total;
                assert!(
                    (derivative - ours).abs() < 1e-8,
                    "{kind:?} {row}: {derivative} {ours}"
                );
            }
        }
    }

    #[test]
    fn the_mean_of_the_logarithm_has_no_seam() {
        for a in [1e-6, 0.01, 0.3] {
            let [below, above] = [0.999e-3, 1.002e-3].map(|r| mean_of_minus_log(a, a * (1.0 + r)));
            assert!((below - above - 1.5e-6).abs() < 1e-8, "{below} {above}");
        }
        assert!((mean_of_minus_log(0.0, 1.0) - 1.0).abs() < 1e-15);
    }
}
