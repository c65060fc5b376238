//! Simulated paths of beliefs: quasi-random draws that stay the same while parameters move.

use crate::error::Result;
use crate::numeric::Seed;
use crate::numeric::quasi::Draws;
use crate::numeric::special::normal;

/// Customers take turns with so many sets of paths: enough that what one set errs is lost among the others, few enough that they stay in the cache.
const SETS: usize = 32;

/// The trapezoid rule for the intercept where beliefs are seen, good to 1e-9 at a spread of one shock and to 1e-4 at three: Gauss–Hermite nodes lie wider where the
/// integrands of customers are.
const STEP: f64 = 0.16;
const REACH: i32 = 45;

/// Paths with their weights, in several sets.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    pub(super) weights: Vec<f64>,
    sets: Vec<Set>,
}

/// The draws of one set, path by path.
#[derive(Clone, Debug)]
struct Set {
    /// Ability, standardised.
    ability: Vec<f64>,
    /// The intercept, standardised.
    intercept: Vec<f64>,
    /// At `n − 1`: the sum of the first n errors of signals, standardised.
    sums: Vec<Vec<f64>>,
}

/// The paths of one set at a value of κ: `w_n = θ(m_n − m_0)/s` for n = 0, 1, …, and its derivative by κ.
pub(super) struct Beliefs<'a> {
    pub(super) intercept: &'a [f64],
    pub(super) values: Vec<Vec<f64>>,
    pub(super) by_ratio: Vec<Vec<f64>>,
}

impl Paths {
    /// The only path where beliefs are seen, or nodes of the intercept.
    pub(super) fn seen(intercept: bool) -> Self {
        let (nodes, weights) = if intercept {
            let nodes: Vec<f64> = (-REACH..=REACH).map(|g| STEP * f64::from(g)).collect();
            let weights = nodes.iter().map(|u| STEP * normal::pdf(*u)).collect();
            (nodes, weights)
        } else {
            (vec![0.0], vec![1.0])
        };
        let set = Set {
            ability: vec![0.0; nodes.len()],
            intercept: nodes,
            sums: vec![],
        };
        Self {
            weights,
            sets: vec![set],
        }
    }

    /// Scrambled Sobol' paths of up to `signals` signals: ability by the objective law first, then the errors of signals, by a
    /// Brownian bridge, so that the first coordinates carry the most.
    pub(super) fn simulated(
        count: usize,
        signals: usize,
        intercept: bool,
        seed: Seed,
    ) -> Result<Self> {
        let first = 1 + usize::from(intercept);
        let sampler = Draws::Sobol.sampler(first + signals, count, seed)?;
        let bridge = bridge(signals);
        let sets = crate::numeric::blocks::map(SETS, |set| {
            let points = sampler.points(set as u64);
            let rows: Vec<Vec<f64>> = (points.values().chunks(points.dimensions()))
                .map(|row| row.iter().map(|u| normal::quantile(*u)).collect())
                .collect();
            let mut sums = vec![vec![0.0; count]; signals];
            for (r, row) in rows.iter().enumerate() {
                for (step, x) in bridge.iter().zip(&row[first..]) {
                    let at = |n: usize| if n == 0 { 0.0 } else { sums[n - 1][r] };
                    let (left, right) = (at(step.left), at(step.right));
                    sums[step.at - 1][r] =
                        step.share[0] * left + step.share[1] * right + step.deviation * x;
                }
            }
            let column = |j: usize| rows.iter().map(|row| row[j]).collect();
            Set {
                ability: column(0),
                intercept: if intercept {
                    column(1)
                } else {
                    vec![0.0; count]
                },
                sums,
            }
        });
        Ok(Self {
            weights: vec![1.0 / count as f64; count],
            sets,
        })
    }

    /// How many paths a customer has.
    pub(super) fn count(&self) -> usize {
        self.weights.len()
    }

    /// The paths of all sets at κ: `w_n = (nκ ζ + √κ S_n)/(1 + nκ)`.
    pub(super) fn beliefs(&self, ratio: f64) -> Vec<Beliefs<'_>> {
        let root = ratio.sqrt();
        let at = |set: &'_ Set, slope: bool| -> Vec<Vec<f64>> {
            let start = vec![0.0; set.ability.len()];
            let later = set.sums.iter().enumerate().map(|(n, sums)| {
                let n = (n + 1) as f64;
                let total = 1.0 + n * ratio;
                let (of_ability, of_errors) = if slope {
                    // d/dκ of nκ/(1 + nκ) and √κ/(1 + nκ).
                    let left = 1.0 / (total * total);
                    (n * left, 0.5 * (1.0 - n * ratio) * left / root)
                } else {
                    (n * ratio / total, root / total)
                };
                (set.ability.iter().zip(sums))
                    .map(|(z, sum)| of_ability * z + of_errors * sum)
                    .collect()
            });
            [start].into_iter().chain(later).collect()
        };
        let sets = self.sets.iter();
        sets.map(|set| Beliefs {
            intercept: &set.intercept,
            values: at(set, false),
            by_ratio: at(set, true),
        })
        .collect()
    }
}

/// A step of a Brownian bridge: the sum at `at` given those at `left` and `right`.
struct Step {
    at: usize,
    left: usize,
    right: usize,
    share: [f64; 2],
    deviation: f64,
}

/// The last sum first, then the middles of what is open, the longest first.
fn bridge(signals: usize) -> Vec<Step> {
    let mut steps = vec![];
    if signals == 0 {
        return steps;
    }
    steps.push(Step {
        at: signals,
        left: 0,
        right: 0,
        share: [0.0; 2],
        deviation: (signals as f64).sqrt(),
    });
    let mut open = std::collections::VecDeque::from([(0, signals)]);
    while let Some((left, right)) = open.pop_front() {
        if right - left < 2 {
            continue;
        }
        let at = usize::midpoint(left, right);
        let (a, b) = ((at - left) as f64, (right - at) as f64);
        steps.push(Step {
            at,
            left,
            right,
            share: [b / (a + b), a / (a + b)],
            deviation: (a * b / (a + b)).sqrt(),
        });
        open.extend([(left, at), (at, right)]);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beliefs are a martingale whose variance is what has been learned: 1 − ρ_n, and the covariance of two of them that of the earlier.
    #[test]
    fn paths_have_the_law_of_beliefs() {
        let (paths, ratio) = (Paths::simulated(4096, 5, true, Seed::new(1)).unwrap(), 0.7);
        let all = paths.beliefs(ratio);
        assert_eq!(all.len(), SETS);
        let known = |n: usize| 1.0 - 1.0 / (1.0 + n as f64 * ratio);
        for set in &all[..2] {
            let mean = |f: &dyn Fn(usize) -> f64| (0..4096).map(f).sum::<f64>() / 4096.0;
            for n in 0..=5 {
                assert!(mean(&|r| set.values[n][r]).abs() < 2e-3);
                for k in 0..=n {
                    let product = mean(&|r| set.values[n][r] * set.values[k][r]);
                    assert!((product - known(k)).abs() < 5e-3, "{n} {k}: {product}");
                }
            }
            assert!((mean(&|r| set.intercept[r].powi(2)) - 1.0).abs() < 5e-3);
            assert!(mean(&|r| set.intercept[r] * set.values[3][r]).abs() < 5e-3);
        }
        let h = 1e-6;
        let (up, down) = (paths.beliefs(ratio + h), paths.beliefs(ratio - h));
        for n in 1..=5 {
            let by = (up[1].values[n][7] - down[1].values[n][7]) / (2.0 * h);
            assert!((all[1].by_ratio[n][7] - by).abs() < 1e-8);
        }
    }
}
