//! The likelihood of each row, with its derivatives carried back from the quantities of a customer to the parameters.

use super::beliefs::{Known, Prior, Shared, SignalKind, Told, slot};
use super::beyond::Insured;
use super::integral::{Customer, Item, Rules, Seen, Sums, at};
use super::nodes::Place;
use crate::numeric::special::normal;
use crate::regression::likelihood::{Derivatives, Inputs, Jet, Order, Quantity, RowModel};
use crate::summary::gram::packed_index;

/// Rows with outcomes (takes part, success, low end and high end of the told belief, number of signals, their average, money, guarantee, effort,
/// the five numbers of [`Place`], answers …) and the indices of the free slots, two parameters an item after them.
#[derive(Clone, Debug)]
pub(super) struct JointRows {
    /// The slot of each index of the likelihood, in ascending order.
    pub(super) free: Vec<usize>,
    pub(super) items: usize,
    pub(super) told: Told,
    pub(super) signals: SignalKind,
    pub(super) prior: Prior,
    /// Whether there are guarantees, and whether effort is seen.
    pub(super) guarantee: bool,
    pub(super) effort: bool,
    /// The logarithm of the deviation of told beliefs where it is known, and whether they are told without error.
    pub(super) ln_error: Option<f64>,
    pub(super) exact: bool,
    pub(super) rules: Rules,
}

/// Outcomes before those that say where nodes lie.
pub(super) const PLACES: usize = 9;

/// Outcomes before the answers.
pub(super) const OUTCOMES: usize = PLACES + 5;

impl JointRows {
    /// Whether the integral has the blocks of guarantees or effort.
    fn extended(&self) -> bool {
        self.guarantee || self.effort
    }

    /// Quantities of a customer before those of the items.
    fn count(&self) -> usize {
        if self.extended() {
            at::COUNT
        } else {
            at::PLAIN
        }
    }

    /// Where the nodes of each row lie at a point: the columns of outcomes from [`PLACES`] on.
    pub(super) fn place(&self, rows: &Inputs<'_>, out: &mut [Vec<f64>; 5]) {
        let mut seen = Seen::default();
        for i in 0..rows.len {
            let index = |j: usize| rows.indices[j][i];
            let (signals, known) = self.seen(rows, i, &mut seen);
            let items: Vec<Item> = self.items_at(index);
            let x = self.slots(index);
            let shared = self.shared(&x, &self.beliefs(&x), signals);
            let q = self.quantities(&x, &shared, &known);
            let customer = Customer {
                seen: &seen,
                items: &items,
                insured: None,
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
        if let Some(ln_error) = self.ln_error {
            x[slot::LN_SD_TOLD] = ln_error;
        }
        for (j, s) in self.free.iter().enumerate() {
            x[*s] = indices(j);
        }
        x
    }

    fn seen(&self, rows: &Inputs<'_>, i: usize, seen: &mut Seen) -> (f64, Known) {
        let outcome = |k: usize| rows.outcomes[k][i];
        seen.takes_part = outcome(0) > 0.5;
        seen.success = outcome(1);
        seen.told = [outcome(2), outcome(3)];
        let signals = outcome(4);
        let shown = self.signals == SignalKind::Seen && signals > 0.0;
        seen.signal = if shown { outcome(5) } else { f64::NAN };
        seen.works = self.effort;
        let [money, guarantee, effort] = [outcome(6), outcome(7), outcome(8)];
        seen.guarantee = if self.guarantee { guarantee } else { 0.0 };
        seen.effort = if self.effort { effort } else { f64::NAN };
        seen.answers.clear();
        seen.answers
            .extend((0..self.items).map(|k| outcome(OUTCOMES + k)));
        let known = Known {
            average: seen.signal,
            told: if self.exact { seen.told[0] } else { f64::NAN },
            money,
            effort: if seen.effort.is_nan() { 0.0 } else { effort },
        };
        (signals, known)
    }
}

impl RowModel for JointRows {
    fn evaluate(&self, rows: &Inputs<'_>, order: Order, out: &mut Derivatives) {
        let (free, count) = (self.free.len(), self.count());
        let size = count + 2 * self.items;
        let mut seen = Seen::default();
        let mut sums = Sums::new(self.items, self.extended());
        let mut half = vec![0.0; size * slot::COUNT];
        // Parameters are those of all rows of the tile: what follows from them is worked out once for each number of signals.
        let first = self.slots(|j| rows.indices[j][0]);
        let items = self.items_at(|j| rows.indices[j][0]);
        let jets = Jet::<{ slot::COUNT }>::variables(first);
        let (plain_beliefs, beliefs) = (self.beliefs(&first), self.beliefs(&jets));
        let mut plain: Vec<Shared<f64>> = vec![];
        let mut tables = Tables::new(rows);
        let mut shared: Vec<Shared<Jet<{ slot::COUNT }>>> = vec![];
        for i in 0..rows.len {
            let index = |j: usize| rows.indices[j][i];
            let (signals, facts) = self.seen(rows, i, &mut seen);
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
                let q = self.quantities(&x, &plain[known], &facts);
                let customer = Customer {
                    seen: &seen,
                    items: &items,
                    insured: tables.of(&seen, q, &self.rules),
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
            let q = self.quantities(&own, &shared[known], &facts);
            let at = std::array::from_fn(|r| q[r].value);
            let customer = Customer {
                seen: &seen,
                items: &items,
                insured: tables.of(&seen, at, &self.rules),
                q: at,
            };
            customer.add(&place, &self.rules, true, &mut sums);
            out.value[i] = sums.value;
            let full = |r: usize, s: usize| sums.hessian[r.max(s) * size + r.min(s)];
            // Half of the chain: quantities and parameters of items by slots.
            for r in 0..size {
                let row = &mut half[r * slot::COUNT..(r + 1) * slot::COUNT];
                row.fill(0.0);
                for (c, quantity) in q[..count].iter().enumerate() {
                    let h = full(r, c);
                    (row.iter_mut().zip(&quantity.gradient)).for_each(|(x, g)| *x += h * g);
                }
            }
            for (j, s) in self.free.iter().enumerate() {
                out.gradient[j][i] = (0..count)
                    .map(|r| sums.gradient[r] * q[r].gradient[*s])
                    .sum();
                for (k, other) in self.free[..=j].iter().enumerate() {
                    out.hessian[packed_index(j, k)][i] = (0..count)
                        .map(|r| {
                            q[r].gradient[*s] * half[r * slot::COUNT + other]
                                + sums.gradient[r] * q[r].hessian[*s][*other]
                        })
                        .sum();
                }
            }
            for k in 0..2 * self.items {
                let row = free + k;
                out.gradient[row][i] = sums.gradient[count + k];
                for j in 0..free {
                    out.hessian[packed_index(row, j)][i] =
                        half[(count + k) * slot::COUNT + self.free[j]];
                }
                for other in 0..=k {
                    out.hessian[packed_index(row, free + other)][i] =
                        full(count + k, count + other);
                }
            }
        }
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        // The share that takes part without signals; with guarantees it depends on columns that are no regressors.
        if self.extended() {
            return None;
        }
        let nothing = Known {
            average: f64::NAN,
            told: f64::NAN,
            money: 0.0,
            effort: 0.0,
        };
        let x = self.slots(|j| indices.get(j).copied().unwrap_or(f64::NAN));
        let q = self.quantities(&x, &self.shared(&x, &self.beliefs(&x), 0.0), &nothing);
        let spread = (q[at::M1].powi(2) + q[at::M2].powi(2)) * q[at::THETA].powi(2);
        let index = q[at::B] + q[at::THETA] * q[at::M0];
        match what {
            Quantity::Linear => Some(index),
            Quantity::Mean => Some(normal::cdf(index / (1.0 + spread).sqrt())),
            _ => None,
        }
    }
}

/// Tables of what guarantees are worth to the customers of a tile, one a guarantee and number of signals.
struct Tables {
    /// Customers with guarantees.
    insured: usize,
    known: Vec<([u64; 2], Insured)>,
}

impl Tables {
    fn new(rows: &Inputs<'_>) -> Self {
        let insured = (0..rows.len).filter(|i| rows.outcomes[PLACES - 2][*i] > 0.0);
        Self {
            insured: insured.count(),
            known: vec![],
        }
    }

    /// The table for a customer; none where customers differ so much that tables are not worth their making.
    fn of(&mut self, seen: &Seen, q: [f64; at::COUNT], rules: &Rules) -> Option<&Insured> {
        if seen.guarantee.is_nan() || seen.guarantee <= 0.0 {
            return None;
        }
        let own = [seen.guarantee, q[at::SPREAD]];
        let key = own.map(f64::to_bits);
        let found = self.known.iter().position(|(k, _)| *k == key);
        if found.is_none() {
            let tabulated = (self.known.len() + 1) * Insured::POINTS;
            if tabulated > self.insured * rules.nodes() {
                return None;
            }
            let at = [own[1], q[at::RISK], q[at::AMBIGUITY]];
            let table = Insured::of(seen.guarantee, at, &rules.unknown);
            self.known.push((key, table));
        }
        let place = found.unwrap_or(self.known.len() - 1);
        Some(&self.known[place].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::derivative::{gradient, jacobian};
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

    #[derive(Clone, Copy, PartialEq)]
    enum Block {
        None,
        Guarantee,
        Effort,
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
            0.2, 0.3, -0.1, 0.4, 0.8, -0.5, -0.2, -0.3, 0.6, -0.4, -0.9, 0.1, 0.7, -0.2, 0.6, 1.2,
            0.5, 0.3, -0.6, 0.4,
        ];
        let blocks = [
            (Block::None, false),
            (Block::Guarantee, false),
            (Block::Effort, false),
            (Block::Guarantee, true),
            (Block::None, true),
        ];
        let plain = cases.iter().map(|case| (case.clone(), blocks[0]));
        let beyond = cases
            .iter()
            .flat_map(|case| blocks[1..].iter().map(move |block| (case.clone(), *block)));
        for ((prior, signals, told, own), (block, exact)) in plain.chain(beyond) {
            let of_block: &[usize] = match block {
                Block::None => &[],
                Block::Guarantee => &[RISK, MONEY],
                Block::Effort => &[EFFORT, RELIEF, LN_SD_EFFORT, RETURN],
            };
            let mut slots: Vec<usize> =
                common.iter().chain(&own).chain(of_block).copied().collect();
            // Where ability and beliefs are alike the weight of uncertainty is out, and α is r.
            if block == Block::Guarantee && signals == SignalKind::None {
                slots.retain(|s| *s != UNCERTAINTY);
            }
            if exact {
                slots.retain(|s| *s != LN_SD_TOLD);
            }
            slots.sort_unstable();
            let model = JointRows {
                free: slots.clone(),
                items: 2,
                told,
                signals,
                prior,
                guarantee: block == Block::Guarantee,
                effort: block == Block::Effort,
                ln_error: (exact).then_some(0.0),
                exact,
                rules: if block == Block::None && !exact {
                    Rules::new(7, 5).unwrap()
                } else {
                    Rules::new(5, 3).unwrap()
                },
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
                    Told::Probability if exact => [0.3; 2],
                    Told::Probability => [0.1, 0.5],
                    Told::Rating => [0.6; 2],
                };
                let y = [
                    part,
                    success,
                    ends[0],
                    ends[1],
                    n,
                    0.9,
                    0.3,
                    if n > 0.0 { 0.8 } else { 1.5 },
                    if n > 0.0 { 0.7 } else { f64::NAN },
                    0.1,
                    0.8,
                    0.2,
                    -0.1,
                    0.7,
                    1.0,
                    0.0,
                ];
                let value = |x: &[f64]| at_point(&model, &y, x, Order::Value).value[0];
                let found = at_point(&model, &y, &x, Order::Hessian);
                let slopes = |x: &[f64]| -> Vec<f64> {
                    let at = at_point(&model, &y, x, Order::Hessian);
                    at.gradient.iter().map(|g| g[0]).collect()
                };
                let (g, h) = (gradient(value, &x).unwrap(), jacobian(slopes, &x).unwrap());
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
                            (ours - h[(a, b)]).abs() < 2e-6,
                            "{prior:?} {signals:?} {n} {a} {b}: {ours} {}",
                            h[(a, b)]
                        );
                    }
                }
            }
        }
    }
}
