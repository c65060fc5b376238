//! From the parameters of the model to the quantities of each customer, and back with the derivatives.

use super::integral::{Customer, Item, Place, Rules, Seen, Sums, at};
use crate::numeric::special::normal;
use crate::regression::likelihood::{Derivatives, Inputs, Jet, Order, Quantity, RowModel, Scalar};
use crate::summary::gram::packed_index;

/// What may be estimated of a customer besides the items: two to four linear indices and the parameters that are the same for all.
pub(super) mod slot {
    /// x'β, the mean of ability.
    pub const ABILITY: usize = 0;
    /// b(x).
    pub const OVERCONFIDENCE: usize = 1;
    /// The index of success but for ability.
    pub const SUCCESS: usize = 2;
    /// The index of the choice but for the belief.
    pub const CHOICE: usize = 3;
    pub const BELIEF: usize = 4;
    /// What the variance of the belief counts in the choice.
    pub const UNCERTAINTY: usize = 5;
    pub const LN_SD_ABILITY: usize = 6;
    pub const LN_SD_BELIEF: usize = 7;
    pub const ATANH_RHO: usize = 8;
    /// ln (v_0/σ_s²).
    pub const LN_RATIO: usize = 9;
    pub const LN_SD_TOLD: usize = 10;
    pub const RATING_CONSTANT: usize = 11;
    pub const RATING_SLOPE: usize = 12;
    pub const LN_SD_SIGNAL: usize = 13;
    pub const COUNT: usize = 14;
}

/// How beliefs are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    /// As a probability of success: Φ of it is m/√(1 + v).
    Probability,
    /// On a free scale.
    Rating,
}

/// What is known of the signals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum SignalKind {
    /// There are none.
    None,
    /// Their number is seen and the variance of each is known.
    Known(f64),
    /// Their number is seen alone.
    Counted,
    /// Their average is seen too.
    Seen,
}

/// What is assumed of beliefs before signals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Prior {
    /// The belief is the best forecast of ability from what the customer knows: m_0 = E a, v_0 = Var a, given that.
    Calibrated,
    /// Mean and spread of m_0 are free; v_0 follows from the signals.
    Free,
    /// The same with a known v_0.
    Known(f64),
}

/// Rows with outcomes (takes part, success, low end and high end of the told belief, number of signals, their average, the five numbers of
/// [`Place`], answers …) and the indices of the free slots, two parameters an item after them.
#[derive(Clone, Debug)]
pub(super) struct JointRows {
    /// The slot of each index of the likelihood, in ascending order.
    pub(super) free: Vec<usize>,
    pub(super) items: usize,
    pub(super) told: Told,
    pub(super) signals: SignalKind,
    pub(super) prior: Prior,
    pub(super) rules: Rules,
}

/// Outcomes before those that say where nodes lie.
pub(super) const PLACES: usize = 6;

/// Outcomes before the answers.
pub(super) const OUTCOMES: usize = PLACES + 5;

fn sqrt<T: Scalar>(x: T) -> T {
    let root = x.value().sqrt();
    x.chain([root, 0.5 / root, -0.25 / (root * x.value())])
}

fn ln<T: Scalar>(x: T) -> T {
    let per = 1.0 / x.value();
    x.chain([x.value().ln(), per, -per * per])
}

fn tanh<T: Scalar>(x: T) -> T {
    let t = x.value().tanh();
    let slope = 1.0 - t * t;
    x.chain([t, slope, -2.0 * t * slope])
}

/// What the parameters say of beliefs, the same for all customers.
pub(super) struct Beliefs<T> {
    /// ρσ_m and σ_m√(1 − ρ²): m_0 = mean + c_1 u + c_2 e.
    loads: [T; 2],
    sd: T,
    /// v_0.
    variance: T,
    /// v_0/σ_s².
    ratio: T,
}

/// What the parameters say of customers with so many signals.
struct Shared<T> {
    signals: f64,
    /// K and 1 − K.
    gain: T,
    rest: T,
    sd: T,
    m1: T,
    m2: T,
    constant: T,
    slope: T,
    r1: T,
    r2: T,
    ln_told: T,
    ln_signal: T,
    /// λ v_n.
    premium: T,
}

impl JointRows {
    /// The parameters of beliefs.
    pub(super) fn beliefs<T: Scalar>(&self, x: &[T; slot::COUNT]) -> Beliefs<T> {
        let sd = x[slot::LN_SD_ABILITY].exp();
        let rho = tanh(x[slot::ATANH_RHO]);
        let unexplained = rho.square() * -1.0 + 1.0;
        let of_belief = match self.prior {
            Prior::Calibrated => rho * sd,
            Prior::Free | Prior::Known(_) => x[slot::LN_SD_BELIEF].exp(),
        };
        let free_ratio = || x[slot::LN_RATIO].exp();
        let of_signal = || match self.signals {
            SignalKind::Known(variance) => T::constant(variance),
            _ => (x[slot::LN_SD_SIGNAL] * 2.0).exp(),
        };
        let (variance, ratio) = match (self.prior, self.signals) {
            (Prior::Free, _) => {
                let ratio = free_ratio();
                (ratio * of_signal(), ratio)
            }
            (prior, signals) => {
                let variance = match prior {
                    Prior::Known(variance) => T::constant(variance),
                    _ => sd.square() * unexplained,
                };
                let ratio = match signals {
                    SignalKind::None => T::constant(0.0),
                    SignalKind::Counted => free_ratio(),
                    SignalKind::Known(_) | SignalKind::Seen => variance / of_signal(),
                };
                (variance, ratio)
            }
        };
        Beliefs {
            loads: [rho * of_belief, of_belief * sqrt(unexplained)],
            sd,
            variance,
            ratio,
        }
    }

    /// What the parameters say of customers with so many signals.
    fn shared<T: Scalar>(
        &self,
        x: &[T; slot::COUNT],
        beliefs: &Beliefs<T>,
        signals: f64,
    ) -> Shared<T> {
        let zero = T::constant(0.0);
        let gain = if signals > 0.0 {
            let weight = beliefs.ratio * signals;
            weight / (weight + 1.0)
        } else {
            zero
        };
        let rest = -gain + 1.0;
        let [c1, c2] = beliefs.loads;
        let own = rest * c2;
        let seen = self.signals == SignalKind::Seen;
        let (m1, m2, share) = if seen || signals <= 0.0 {
            (rest * c1, own, T::constant(1.0))
        } else {
            // The news of signals that are not seen varies by K²σ_s²/n = v_0 K(1 − K).
            let m2 = sqrt(own.square() + beliefs.variance * gain * rest);
            (rest * c1 + gain * beliefs.sd, m2, own / m2)
        };
        let (constant, slope) = match self.told {
            Told::Nothing => (zero, zero),
            Told::Probability => (zero, T::constant(1.0) / sqrt(beliefs.variance + 1.0)),
            Told::Rating => (x[slot::RATING_CONSTANT], x[slot::RATING_SLOPE]),
        };
        // What t does not say of the first belief, and the error of telling.
        let hidden = slope.square() * c2.square() * (share.square() * -1.0 + 1.0);
        let noise = (x[slot::LN_SD_TOLD] * 2.0).exp();
        Shared {
            signals,
            gain,
            rest,
            sd: beliefs.sd,
            m1,
            m2,
            constant,
            slope,
            r1: slope * c1,
            r2: slope * c2 * share,
            ln_told: if self.told == Told::Nothing {
                zero
            } else {
                ln(hidden + noise) * 0.5
            },
            ln_signal: if seen && signals > 0.0 {
                x[slot::LN_SD_SIGNAL] - 0.5 * signals.ln()
            } else {
                zero
            },
            premium: x[slot::UNCERTAINTY] * beliefs.variance * rest,
        }
    }

    /// The quantities of a customer.
    fn quantities<T: Scalar>(
        &self,
        x: &[T; slot::COUNT],
        of: &Shared<T>,
        average: f64,
    ) -> [T; at::COUNT] {
        let mean = x[slot::ABILITY] + x[slot::OVERCONFIDENCE];
        let m0 = if self.signals == SignalKind::Seen && of.signals > 0.0 {
            of.rest * mean + of.gain * average
        } else {
            x[slot::ABILITY] + of.rest * x[slot::OVERCONFIDENCE]
        };
        [
            x[slot::ABILITY],
            of.sd,
            x[slot::SUCCESS],
            x[slot::CHOICE] + of.premium,
            x[slot::BELIEF],
            m0,
            of.m1,
            of.m2,
            of.constant + of.slope * mean,
            of.r1,
            of.r2,
            of.ln_told,
            of.ln_signal,
        ]
    }

    /// Where the nodes of each row lie at a point: the columns of outcomes from [`PLACES`] on.
    pub(super) fn place(&self, rows: &Inputs<'_>, out: &mut [Vec<f64>; 5]) {
        let mut seen = Seen::default();
        for i in 0..rows.len {
            let index = |j: usize| rows.indices[j][i];
            let signals = self.seen(rows, i, &mut seen);
            let items: Vec<Item> = self.items_at(index);
            let x = self.slots(index);
            let shared = self.shared(&x, &self.beliefs(&x), signals);
            let q = self.quantities(&x, &shared, seen.signal);
            let customer = Customer {
                seen: &seen,
                items: &items,
                q,
            };
            let Place { outer, inner } = customer.place();
            let numbers = outer.iter().chain(&inner);
            out.iter_mut().zip(numbers).for_each(|(o, x)| o.push(*x));
        }
    }

    fn items_at(&self, index: impl Fn(usize) -> f64) -> Vec<Item> {
        let from = self.free.len();
        (0..self.items)
            .map(|k| [index(from + 2 * k), index(from + 2 * k + 1)])
            .collect()
    }

    /// The slots at a row: fixed at zero but for those that are free. Where ability has no free scale its deviation is one.
    fn slots(&self, indices: impl Fn(usize) -> f64) -> [f64; slot::COUNT] {
        let mut x = [0.0; slot::COUNT];
        for (j, s) in self.free.iter().enumerate() {
            x[*s] = indices(j);
        }
        x
    }

    fn seen(&self, rows: &Inputs<'_>, i: usize, seen: &mut Seen) -> f64 {
        let outcome = |k: usize| rows.outcomes[k][i];
        seen.takes_part = outcome(0) > 0.5;
        seen.success = outcome(1);
        seen.told = [outcome(2), outcome(3)];
        let signals = outcome(4);
        let shown = self.signals == SignalKind::Seen && signals > 0.0;
        seen.signal = if shown { outcome(5) } else { f64::NAN };
        seen.answers.clear();
        seen.answers
            .extend((0..self.items).map(|k| outcome(OUTCOMES + k)));
        signals
    }
}

impl RowModel for JointRows {
    fn evaluate(&self, rows: &Inputs<'_>, order: Order, out: &mut Derivatives) {
        let (free, size) = (self.free.len(), at::COUNT + 2 * self.items);
        let mut seen = Seen::default();
        let mut sums = Sums::new(self.items);
        let mut half = vec![0.0; size * slot::COUNT];
        // Parameters are those of all rows of the tile: what follows from them is worked out once for each number of signals.
        let first = self.slots(|j| rows.indices[j][0]);
        let items = self.items_at(|j| rows.indices[j][0]);
        let jets = Jet::<{ slot::COUNT }>::variables(first);
        let (plain_beliefs, beliefs) = (self.beliefs(&first), self.beliefs(&jets));
        let mut plain: Vec<Shared<f64>> = vec![];
        let mut shared: Vec<Shared<Jet<{ slot::COUNT }>>> = vec![];
        for i in 0..rows.len {
            let index = |j: usize| rows.indices[j][i];
            let signals = self.seen(rows, i, &mut seen);
            let x = self.slots(index);
            let place = Place {
                outer: std::array::from_fn(|k| rows.outcomes[PLACES + k][i]),
                inner: std::array::from_fn(|k| rows.outcomes[PLACES + 2 + k][i]),
            };
            if order == Order::Value {
                let known = plain
                    .iter()
                    .position(|s| s.signals.to_bits() == signals.to_bits());
                let known = known.unwrap_or_else(|| {
                    plain.push(self.shared(&first, &plain_beliefs, signals));
                    plain.len() - 1
                });
                let q = self.quantities(&x, &plain[known], seen.signal);
                let customer = Customer {
                    seen: &seen,
                    items: &items,
                    q,
                };
                customer.add(&place, &self.rules, false, &mut sums);
                out.value[i] = sums.value;
                continue;
            }
            let known = shared
                .iter()
                .position(|s| s.signals.to_bits() == signals.to_bits());
            let known = known.unwrap_or_else(|| {
                shared.push(self.shared(&jets, &beliefs, signals));
                shared.len() - 1
            });
            let own = Jet::<{ slot::COUNT }>::variables(x);
            let q = self.quantities(&own, &shared[known], seen.signal);
            let customer = Customer {
                seen: &seen,
                items: &items,
                q: std::array::from_fn(|r| q[r].value),
            };
            customer.add(&place, &self.rules, true, &mut sums);
            out.value[i] = sums.value;
            let full = |r: usize, s: usize| sums.hessian[r.max(s) * size + r.min(s)];
            // Half of the chain: quantities and parameters of items by slots.
            for r in 0..size {
                let row = &mut half[r * slot::COUNT..(r + 1) * slot::COUNT];
                row.fill(0.0);
                for (c, quantity) in q.iter().enumerate() {
                    let h = full(r, c);
                    (row.iter_mut().zip(&quantity.gradient)).for_each(|(x, g)| *x += h * g);
                }
            }
            for (j, s) in self.free.iter().enumerate() {
                out.gradient[j][i] = (0..at::COUNT)
                    .map(|r| sums.gradient[r] * q[r].gradient[*s])
                    .sum();
                for (k, other) in self.free[..=j].iter().enumerate() {
                    out.hessian[packed_index(j, k)][i] = (0..at::COUNT)
                        .map(|r| {
                            q[r].gradient[*s] * half[r * slot::COUNT + other]
                                + sums.gradient[r] * q[r].hessian[*s][*other]
                        })
                        .sum();
                }
            }
            for k in 0..2 * self.items {
                let row = free + k;
                out.gradient[row][i] = sums.gradient[at::COUNT + k];
                for j in 0..free {
                    out.hessian[packed_index(row, j)][i] =
                        half[(at::COUNT + k) * slot::COUNT + self.free[j]];
                }
                for other in 0..=k {
                    out.hessian[packed_index(row, free + other)][i] =
                        full(at::COUNT + k, at::COUNT + other);
                }
            }
        }
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        // The share that takes part without signals.
        let x = self.slots(|j| indices.get(j).copied().unwrap_or(f64::NAN));
        let q = self.quantities(&x, &self.shared(&x, &self.beliefs(&x), 0.0), f64::NAN);
        let spread = (q[at::M1].powi(2) + q[at::M2].powi(2)) * q[at::THETA].powi(2);
        let index = q[at::B] + q[at::THETA] * q[at::M0];
        match what {
            Quantity::Linear => Some(index),
            Quantity::Mean => Some(normal::cdf(index / (1.0 + spread).sqrt())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::derivative::{gradient, hessian};
    use crate::summary::gram::TILE;

    fn at_point(model: &JointRows, y: &[f64], x: &[f64], order: Order) -> Derivatives {
        let outcomes: Vec<[f64; TILE]> = y.iter().map(|v| [*v; TILE]).collect();
        let indices: Vec<[f64; TILE]> = x.iter().map(|v| [*v; TILE]).collect();
        let mut out = Derivatives::new(x.len());
        let rows = Inputs {
            outcomes: &outcomes,
            indices: &indices,
            len: 1,
        };
        model.evaluate(&rows, order, &mut out);
        out
    }

    #[test]
    fn derivatives_are_those_of_the_value_under_every_assumption() {
        use slot::*;
        let common = [ABILITY, SUCCESS, CHOICE, BELIEF, UNCERTAINTY, LN_SD_ABILITY];
        let free = [OVERCONFIDENCE, LN_SD_BELIEF, ATANH_RHO, LN_SD_TOLD];
        let rating = [ATANH_RHO, LN_SD_TOLD, RATING_CONSTANT, RATING_SLOPE];
        let cases: [(Prior, SignalKind, Told, Vec<usize>); 6] = [
            (
                Prior::Free,
                SignalKind::Known(0.7),
                Told::Probability,
                [&free[..], &[LN_RATIO]].concat(),
            ),
            (
                Prior::Free,
                SignalKind::Seen,
                Told::Probability,
                [&free[..], &[LN_RATIO, LN_SD_SIGNAL]].concat(),
            ),
            (
                Prior::Known(0.6),
                SignalKind::None,
                Told::Probability,
                free.to_vec(),
            ),
            (
                Prior::Calibrated,
                SignalKind::Counted,
                Told::Rating,
                [&rating[..], &[LN_RATIO]].concat(),
            ),
            (
                Prior::Calibrated,
                SignalKind::Known(0.5),
                Told::Nothing,
                vec![ATANH_RHO],
            ),
            (
                Prior::Calibrated,
                SignalKind::Seen,
                Told::Rating,
                [&rating[..], &[LN_SD_SIGNAL]].concat(),
            ),
        ];
        let values = [
            0.2, 0.3, -0.1, 0.4, 0.8, -0.5, -0.2, -0.3, 0.6, -0.4, -0.9, 0.1, 0.7, -0.2,
        ];
        for (prior, signals, told, own) in cases {
            let mut slots: Vec<usize> = common.iter().chain(&own).copied().collect();
            slots.sort_unstable();
            let model = JointRows {
                free: slots.clone(),
                items: 2,
                told,
                signals,
                prior,
                rules: Rules::new(7, 5).unwrap(),
            };
            let x: Vec<f64> = slots
                .iter()
                .map(|s| values[*s])
                .chain([0.2, 1.1, -0.3, 0.8])
                .collect();
            for (n, success) in [(0.0, f64::NAN), (2.0, 1.0)] {
                let part = f64::from(u8::from(n > 0.0));
                let ends = match told {
                    Told::Nothing => [f64::NAN; 2],
                    Told::Probability => [0.1, 0.5],
                    Told::Rating => [0.6; 2],
                };
                let y = [
                    part, success, ends[0], ends[1], n, 0.9, 0.1, 0.8, 0.2, -0.1, 0.7, 1.0, 0.0,
                ];
                let value = |x: &[f64]| at_point(&model, &y, x, Order::Value).value[0];
                let found = at_point(&model, &y, &x, Order::Hessian);
                let (g, h) = (gradient(value, &x).unwrap(), hessian(value, &x).unwrap());
                for a in 0..x.len() {
                    assert!(
                        (found.gradient[a][0] - g[a]).abs() < 2e-6,
                        "{prior:?} {signals:?} {n} {a}: {} {}",
                        found.gradient[a][0],
                        g[a]
                    );
                    for b in 0..=a {
                        let ours = found.hessian[packed_index(a, b)][0];
                        assert!(
                            (ours - h[(a, b)]).abs() < 3e-4,
                            "{prior:?} {signals:?} {n} {a} {b}: {ours} {}",
                            h[(a, b)]
                        );
                    }
                }
            }
        }
    }
}
