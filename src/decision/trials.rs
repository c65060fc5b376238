//! Trying before buying: finite-horizon optimal stopping of a customer who learns from trials.

use super::dynamic::check_discount;
use crate::error::{Error, Result};
use crate::numeric::jet::Scalar;
use crate::numeric::quadrature::{Rule, gauss_hermite_normal};
use serde::{Deserialize, Serialize};

/// Half the width of the grid of z, in units of the taste shock: beyond, one option has all the probability but e⁻¹⁸.
pub(super) const REACH: f64 = 18.0;

/// Nodes of the grid.
pub(super) const NODES: usize = 97;

/// Points of an interpolation: polynomials of degree seven.
const POINTS: usize = 8;

/// Nodes of the Gauss–Hermite rule.
pub(super) const RULE: usize = 24;

/// Below this coefficient of ambiguity aversion the certainty equivalent is summed by its first three cumulants.
const NEARLY_NEUTRAL: f64 = 1e-3;

/// A customer who may try a product up to `horizon` times before buying or leaving, with taste shocks on all three options. Money and utility are in units of the
/// shock. With z the value of buying now over leaving,
///
/// ```text
/// W_n(z) = ln[1 + e^z + e^{t_n(z)}],   t_n(z) = −c + δ · CE W_{n+1}(z'),   W_N(z) = ln[1 + e^z],
/// z' = z + (α/2) s² (ρ_n − ρ_{n+1}) + s √(ρ_n − ρ_{n+1}) ε,   ρ_n = v_n/v_0 = 1/(1 + n κ)
/// ```
///
/// where s = θ√v_0 is the spread of the belief in utility, κ = v_0/σ_s² what a trial tells, c its cost, δ the discount factor, and
/// CE X = −(1/α) ln E e^{−αX}, the expectation when α = 0. Value form 4 of the belief N(m, v_n): z = θm − (α/2)θ²v_n − p − u_0 and a constant.
/// The belief's mean is a martingale to the customer, and to an observer of calibrated customers. Gauss–Hermite in ε, interpolation in z, to about 1e-5.
///
/// ```
/// use cocreate::decision::Trials;
/// let curious = Trials { horizon: 4, discount: 0.95, cost: 0.2, spread: 2.0, ratio: 1.0, ambiguity: 0.0 };
/// let plan = curious.plan()?;
/// // The undecided try; those who are sure buy; the last trial is followed by none.
/// assert!(plan.probabilities(0, 0.0).again > plan.probabilities(0, 8.0).again);
/// assert_eq!(plan.probabilities(4, 0.0).again, 0.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trials {
    /// The most trials N.
    pub horizon: usize,
    /// δ.
    pub discount: f64,
    /// c.
    pub cost: f64,
    /// s.
    pub spread: f64,
    /// κ.
    pub ratio: f64,
    /// α.
    pub ambiguity: f64,
}

/// What a customer of [`Trials`] does with how likely.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialChances {
    /// Leaves.
    pub leave: f64,
    /// Buys.
    pub buy: f64,
    /// Tries once more.
    pub again: f64,
}

/// The values of trying once more, at every stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialPlan {
    /// `t_n` less `ln(1 + e^z)` on the grid.
    stages: Vec<Vec<f64>>,
}

impl Trials {
    /// The customer's plan, by backward induction.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a discount factor outside [0, 1), no trial, or a spread, ratio or coefficient of ambiguity aversion that is
    /// negative or not finite.
    pub fn plan(&self) -> Result<TrialPlan> {
        check_discount(self.discount)?;
        if self.horizon == 0 {
            return Err(Error::invalid_option("horizon", 0, "one trial or more"));
        }
        for (name, value) in [
            ("spread", self.spread),
            ("ratio", self.ratio),
            ("ambiguity", self.ambiguity),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::invalid_option(
                    name,
                    value,
                    "zero or a positive finite number",
                ));
            }
        }
        if !self.cost.is_finite() {
            return Err(Error::invalid_option("cost", self.cost, "a finite number"));
        }
        let found = TrialTables::new(
            self.horizon,
            self.discount,
            [self.cost, self.spread, self.ratio, self.ambiguity],
        )?;
        Ok(TrialPlan {
            stages: found.stages.into_iter().map(|s| s.excess).collect(),
        })
    }
}

impl TrialPlan {
    /// What is done after `trials` trials when buying is worth z.
    pub fn probabilities(&self, trials: usize, z: f64) -> TrialChances {
        let Some(stage) = self.stages.get(trials) else {
            let [leave, buy, again] = chances(z, None);
            return TrialChances { leave, buy, again };
        };
        let [leave, buy, again] = chances(z, Some(Place::of(z).read(stage)));
        TrialChances { leave, buy, again }
    }

    /// `W_n(z)`.
    pub fn value(&self, trials: usize, z: f64) -> f64 {
        let excess = self
            .stages
            .get(trials)
            .map_or(0.0, |stage| soft(Place::of(z).read(stage)));
        soft(z) + excess
    }
}

/// `ln(1 + e^x)`.
fn soft<T: Scalar>(x: T) -> T {
    let at = x.value();
    let e = (-at.abs()).exp();
    let up = if at >= 0.0 {
        1.0 / (1.0 + e)
    } else {
        e / (1.0 + e)
    };
    x.chain([at.max(0.0) + e.ln_1p(), up, up * (1.0 - up)])
}

/// Chances of leaving, buying and trying again, given the excess `t − ln(1 + e^z)`.
fn chances<T: Scalar>(z: T, excess: Option<T>) -> [T; 3] {
    let stop = excess.map_or_else(|| T::constant(1.0), |e| (-soft(e)).exp());
    let again = excess.map_or_else(|| T::constant(0.0), |e| (-soft(-e)).exp());
    [stop * (-soft(z)).exp(), stop * (-soft(-z)).exp(), again]
}

/// The place of each node of the grid.
pub(super) fn node(i: usize) -> f64 {
    2.0 * REACH * i as f64 / (NODES - 1) as f64 - REACH
}

/// A point between nodes: the first of the nodes around it, and their weights with two derivatives by z.
pub(crate) struct Place {
    pub(super) first: usize,
    pub(super) weights: [[f64; 3]; POINTS],
}

impl Place {
    pub(crate) fn of(z: f64) -> Self {
        const STEP: f64 = 2.0 * REACH / (NODES - 1) as f64;
        let last = (NODES - 1) as f64;
        let at = (z + REACH) / STEP;
        let inside = at >= 0.0 && at <= last;
        let at = if at > 0.0 { at.min(last) } else { 0.0 };
        let first = (at as usize)
            .saturating_sub(POINTS / 2 - 1)
            .min(NODES - POINTS);
        let u = at - first as f64;
        let mut weights = [[0.0; 3]; POINTS];
        for (j, weight) in weights.iter_mut().enumerate() {
            // Π (u − i)/(j − i) with its derivatives.
            let mut w = [1.0, 0.0, 0.0];
            for i in (0..POINTS).filter(|i| *i != j) {
                let slope = 1.0 / (j as f64 - i as f64);
                let factor = (u - i as f64) * slope;
                w = [
                    w[0] * factor,
                    w[1] * factor + w[0] * slope,
                    w[2] * factor + 2.0 * w[1] * slope,
                ];
            }
            // Beyond the grid functions stay as at its end.
            *weight = if inside {
                [w[0], w[1] / STEP, w[2] / (STEP * STEP)]
            } else {
                [w[0], 0.0, 0.0]
            };
        }
        Self { first, weights }
    }

    pub(super) fn read(&self, values: &[f64]) -> f64 {
        self.weights
            .iter()
            .zip(&values[self.first..])
            .map(|(w, v)| w[0] * v)
            .sum()
    }

    /// The function at z, with its two derivatives by z: each a number with derivatives by other variables.
    pub(crate) fn derivatives<T: Scalar>(&self, values: &[T]) -> [T; 3] {
        std::array::from_fn(|order| {
            let terms = self.weights.iter().zip(&values[self.first..]);
            terms.fold(T::constant(0.0), |sum, (w, v)| sum + *v * w[order])
        })
    }
}

/// A stage before the last.
struct Stage<T> {
    /// `t_n − ln(1 + e^z)`.
    excess: Vec<T>,
    /// `E f(z')` on the grid as weights of f on the grid.
    expectation: Vec<Vec<T>>,
}

/// Everything on the grid, for numbers with or without derivatives by (c, s, κ, α).
pub(crate) struct TrialTables<T> {
    stages: Vec<Stage<T>>,
}

impl<T: Scalar> TrialTables<T> {
    pub(crate) fn new(
        horizon: usize,
        discount: f64,
        [cost, spread, ratio, ambiguity]: [T; 4],
    ) -> Result<Self> {
        let rule = gauss_hermite_normal(RULE)?;
        let share = |n: usize| {
            let total = ratio * n as f64 + 1.0;
            T::constant(1.0) / total
        };
        let mut next: Vec<T> = vec![T::constant(0.0); NODES]; // W_{n+1} − ln(1 + e^z)
        let mut stages = Vec::with_capacity(horizon);
        for n in (0..horizon).rev() {
            let fall = share(n) - share(n + 1);
            let drift = ambiguity * spread.square() * fall * 0.5;
            let size = fall.value().max(f64::MIN_POSITIVE).sqrt();
            let deviation = spread * fall.chain([size, 0.5 / size, -0.25 / size.powi(3)]);
            let moves = Moves { drift, deviation };
            let mut stage = Stage {
                excess: Vec::with_capacity(NODES),
                expectation: Vec::with_capacity(NODES),
            };
            for g in 0..NODES {
                let (expected, row) = moves.look_ahead(&rule, g, &next, ambiguity);
                stage.expectation.push(row);
                stage
                    .excess
                    .push(expected * discount - cost + -soft(node(g)));
            }
            next = stage.excess.iter().map(|e| soft(*e)).collect();
            stages.push(stage);
        }
        stages.reverse();
        Ok(Self { stages })
    }

    /// The logarithm of the probability of so many trials and a purchase or not at the end, on the grid of the first z.
    pub(crate) fn log_probability(&self, trials: usize, bought: bool) -> Vec<T> {
        let ends = |n: usize, g: usize| {
            let z = T::constant(node(g));
            chances(z, self.stages.get(n).map(|s| s.excess[g]))
        };
        let mut values: Vec<T> = (0..NODES)
            .map(|g| ends(trials, g)[usize::from(bought)])
            .collect();
        for n in (0..trials).rev() {
            let stage = &self.stages[n];
            values = (0..NODES)
                .map(|g| {
                    let terms = stage.expectation[g].iter().zip(&values);
                    let ahead = terms
                        .filter(|(w, _)| w.value().abs() > 0.0)
                        .fold(T::constant(0.0), |sum, (w, v)| sum + *w * *v);
                    ends(n, g)[2] * ahead
                })
                .collect();
        }
        let ln = |p: T| {
            let at = p.value();
            p.chain([at.ln(), 1.0 / at, -1.0 / (at * at)])
        };
        values.into_iter().map(ln).collect()
    }
}

/// How z moves at a trial.
struct Moves<T> {
    drift: T,
    deviation: T,
}

impl<T: Scalar> Moves<T> {
    /// The certainty equivalent of `W_{n+1}(z')` from node g, and the weights of the nodes in an expectation over z'.
    fn look_ahead(&self, rule: &Rule, g: usize, next: &[T], ambiguity: T) -> (T, Vec<T>) {
        let zero = T::constant(0.0);
        let mut row = vec![zero; NODES];
        // Values are summed around that at the node itself.
        let center = soft(node(g)) + next[g].value();
        let mut sums = [zero; 4];
        let neutral = ambiguity.value().abs() < NEARLY_NEUTRAL;
        for (x, weight) in rule.nodes().iter().zip(rule.weights()) {
            let z = self.drift + self.deviation * *x + node(g);
            let place = Place::of(z.value());
            let mut value = soft(z) - center;
            for (j, w) in place.weights.iter().enumerate() {
                let w = z.chain(*w);
                value = value + w * next[place.first + j];
                row[place.first + j] = row[place.first + j] + w * *weight;
            }
            if neutral {
                let square = value.square();
                sums[0] = sums[0] + value * *weight;
                sums[1] = sums[1] + square * *weight;
                sums[2] = sums[2] + square * value * *weight;
            } else {
                sums[3] = sums[3] + (-(ambiguity * value)).exp() * *weight;
            }
        }
        let equivalent = if neutral {
            let [mean, second, third, _] = sums;
            let variance = second - mean.square();
            let cube = third - mean * second * 3.0 + mean.square() * mean * 2.0;
            mean - ambiguity * variance * 0.5 + ambiguity.square() * cube * (1.0 / 6.0)
        } else {
            let at = sums[3].value();
            -(sums[3].chain([at.ln(), 1.0 / at, -1.0 / (at * at)]) / ambiguity)
        };
        (equivalent + center, row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::jet::Jet;

    /// The recursion by brute force: a trapezoid over ε, and recursion instead of a grid.
    fn direct(t: &Trials, n: usize, z: f64) -> f64 {
        if n == t.horizon {
            return soft(z);
        }
        let share = |n: usize| 1.0 / (1.0 + n as f64 * t.ratio);
        let fall = share(n) - share(n + 1);
        let (mut sum, mut total) = (0.0, 0.0);
        for k in -28..=28 {
            let e = 0.25 * f64::from(k);
            let weight = (-0.5 * e * e).exp();
            let then = z + 0.5 * t.ambiguity * t.spread.powi(2) * fall + t.spread * fall.sqrt() * e;
            let value = direct(t, n + 1, then);
            sum += weight
                * if t.ambiguity > 0.0 {
                    (-t.ambiguity * value).exp()
                } else {
                    value
                };
            total += weight;
        }
        let mean = sum / total;
        let equivalent = if t.ambiguity > 0.0 {
            -mean.ln() / t.ambiguity
        } else {
            mean
        };
        (z.exp() + 1.0 + (t.discount * equivalent - t.cost).exp()).ln()
    }

    #[test]
    fn values_are_those_of_brute_force() {
        for ambiguity in [0.0, 5e-4, 0.4] {
            let t = Trials {
                horizon: 3,
                discount: 0.95,
                cost: 0.3,
                spread: 2.5,
                ratio: 0.8,
                ambiguity,
            };
            let plan = t.plan().unwrap();
            for z in [-6.0, -1.3, 0.0, 0.4, 2.2, 7.0] {
                let (ours, theirs) = (plan.value(0, z), direct(&t, 0, z));
                assert!(
                    (ours - theirs).abs() < 1e-5,
                    "{ambiguity} {z}: {ours} {theirs}"
                );
            }
        }
    }

    #[test]
    fn probabilities_of_paths_sum_to_one_and_know_their_derivatives() {
        let at = [0.3, 1.7, 0.9, 0.3];
        let tables = TrialTables::new(4, 0.9, Jet::<4>::variables(at)).unwrap();
        let of = |q: [f64; 4], n: usize, bought: bool, z: f64| {
            let tables = TrialTables::new(4, 0.9, q).unwrap();
            Place::of(z).read(&tables.log_probability(n, bought))
        };
        let mut total = [0.0; 3];
        for n in 0..=4 {
            for bought in [false, true] {
                let grid = tables.log_probability(n, bought);
                for (z, total) in [-2.0, 0.1, 3.0].into_iter().zip(&mut total) {
                    let [value, slope, _] = Place::of(z).derivatives(&grid);
                    *total += value.value.exp();
                    let h = 1e-4;
                    let by_z = (of(at, n, bought, z + h) - of(at, n, bought, z - h)) / (2.0 * h);
                    assert!(
                        (slope.value - by_z).abs() < 1e-5,
                        "{n} {z}: {} {by_z}",
                        slope.value
                    );
                    for k in 0..4 {
                        let moved = |s: f64| {
                            let mut q = at;
                            q[k] += s * h;
                            of(q, n, bought, z)
                        };
                        let by = (moved(1.0) - moved(-1.0)) / (2.0 * h);
                        assert!(
                            (value.gradient[k] - by).abs() < 1e-6,
                            "{n} {k}: {} {by}",
                            value.gradient[k]
                        );
                        let second = (moved(1.0) - 2.0 * moved(0.0) + moved(-1.0)) / (h * h);
                        assert!((value.hessian[k][k] - second).abs() < 1e-4, "{n} {k}");
                    }
                }
            }
        }
        assert!(total.iter().all(|t| (t - 1.0).abs() < 1e-5), "{total:?}");
    }

    #[test]
    fn trials_are_worth_what_they_may_change() {
        let base = Trials {
            horizon: 4,
            discount: 0.95,
            cost: 0.5,
            spread: 2.0,
            ratio: 1.0,
            ambiguity: 0.0,
        };
        let again = |t: Trials| t.plan().unwrap().probabilities(0, 0.0).again;
        assert!(
            again(Trials {
                spread: 4.0,
                ..base
            }) > again(base)
        );
        assert!(again(Trials { ratio: 4.0, ..base }) > again(base));
        assert!(again(Trials { cost: 1.5, ..base }) < again(base));
        for bad in [
            Trials {
                discount: 1.0,
                ..base
            },
            Trials { horizon: 0, ..base },
            Trials {
                spread: -1.0,
                ..base
            },
            Trials {
                ratio: f64::NAN,
                ..base
            },
            Trials {
                cost: f64::INFINITY,
                ..base
            },
        ] {
            assert!(matches!(bad.plan(), Err(Error::InvalidOption { .. })));
        }
    }
}
