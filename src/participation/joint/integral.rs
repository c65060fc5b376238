//! What one customer adds to the likelihood: answers, a belief told, a choice and its success, given ability and belief, integrated over both.

use super::nodes::Place;
use super::pieces::{LnProduct, answer, normal_choice, told};
use crate::error::Result;
use crate::numeric::quadrature::gauss_hermite_normal;
use crate::numeric::special::normal;

/// The quantities of a customer from which everything follows, in this order; the parameters of the items, two each, come after them.
///
/// With independent standard normal u and t: ability is `a = A + SD·u`, the belief at the time of the choice `m = M0 + M1 u + M2 t`, and what a
/// customer tells about the first belief is normal around `R0 + R1 u + R2 t` with the deviation e^LR.
pub(super) mod at {
    /// Mean of ability.
    pub const A: usize = 0;
    /// Standard deviation of ability.
    pub const SD: usize = 1;
    /// What is added to ability in the index of success.
    pub const W: usize = 2;
    /// The index of the choice but for the belief's mean.
    pub const B: usize = 3;
    /// What the belief's mean counts in the choice.
    pub const THETA: usize = 4;
    pub const M0: usize = 5;
    pub const M1: usize = 6;
    pub const M2: usize = 7;
    pub const R0: usize = 8;
    pub const R1: usize = 9;
    pub const R2: usize = 10;
    pub const LR: usize = 11;
    /// Logarithm of the deviation of a signal that was seen.
    pub const LS: usize = 12;
    /// How many.
    pub const COUNT: usize = 13;
}

/// What is seen of one customer.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Answers, NaN where there is none.
    pub(super) answers: Vec<f64>,
    /// The ends between which the told belief lies; equal when it is told exactly, NaN when nothing is told.
    pub(super) told: [f64; 2],
    /// The average of the signals, NaN when it is not seen.
    pub(super) signal: f64,
    /// Whether the customer takes part.
    pub(super) takes_part: bool,
    /// Whether the customer succeeds; NaN where it is not seen.
    pub(super) success: f64,
}

/// Parameters of an item: ability enters as `intercept + slope · a`.
pub(super) type Item = [f64; 2];

/// Log-likelihood of a customer with its derivatives in the quantities; the Hessian is the lower triangle of a square matrix.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    pub(super) hessian: Vec<f64>,
    size: usize,
    /// Derivatives of the logarithm of each answer, by node.
    answers: Vec<[f64; 2]>,
}

impl Sums {
    pub(super) fn new(items: usize) -> Self {
        let size = at::COUNT + 2 * items;
        Self {
            value: 0.0,
            gradient: vec![0.0; size],
            hessian: vec![0.0; size * size],
            size,
            answers: vec![],
        }
    }
}

/// Nodes for the standard normal u and t.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    outer: Vec<[f64; 2]>,
    inner: Vec<[f64; 2]>,
}

impl Rules {
    pub(super) fn new(outer: usize, inner: usize) -> Result<Self> {
        let rule = |nodes: usize| -> Result<Vec<[f64; 2]>> {
            let rule = gauss_hermite_normal(nodes)?;
            let pairs = rule.nodes().iter().zip(rule.weights());
            Ok(pairs.map(|(x, w)| [*x, w.ln()]).collect())
        };
        Ok(Self {
            outer: rule(outer)?,
            inner: rule(inner)?,
        })
    }
}

/// One customer at given quantities.
pub(super) struct Customer<'a> {
    pub(super) seen: &'a Seen,
    pub(super) items: &'a [Item],
    /// See [`at`].
    pub(super) q: [f64; at::COUNT],
}

/// Moments over t of the inner derivatives at one u.
struct Inner {
    ln: f64,
    mean: [f64; INNER],
    square: [[f64; INNER]; INNER],
}

/// Derivatives at a node of the inner integral: by B, THETA, M0, M2, R0, R2, LR.
const INNER: usize = 7;

/// Where an inner derivative goes, and whether it is multiplied by u: those by M1 and R1 are u times those by M0 and R0.
const PLACES: [(usize, usize, bool); 9] = [
    (at::B, 0, false),
    (at::THETA, 1, false),
    (at::M0, 2, false),
    (at::M1, 2, true),
    (at::M2, 3, false),
    (at::R0, 4, false),
    (at::R1, 4, true),
    (at::R2, 5, false),
    (at::LR, 6, false),
];

impl Customer<'_> {
    /// Adds the outer terms at ability a, but for the answers: success and the signal seen, value and two derivatives by a.
    pub(super) fn of_ability(&self, a: f64) -> [f64; 3] {
        let mut total = [0.0; 3];
        if !self.seen.success.is_nan() {
            let own = normal_choice(self.seen.success > 0.5, a + self.q[at::W]);
            total.iter_mut().zip(own).for_each(|(t, o)| *t += o);
        }
        if !self.seen.signal.is_nan() {
            let per = (-self.q[at::LS]).exp();
            let x = (self.seen.signal - a) * per;
            total[0] += normal::ln_pdf(x) - self.q[at::LS];
            total[1] += x * per;
            total[2] -= per * per;
        }
        total
    }

    /// The integral over t at u, with moments of its derivatives when they are asked for.
    fn inner(&self, u: f64, place: &Place, rules: &Rules, derivatives: bool) -> Inner {
        let q = &self.q;
        let theta = q[at::THETA];
        let [from, slope, width] = place.inner;
        let center = from + slope * u;
        let deviation = q[at::LR].exp();
        let mut logs = [0.0; MOST_NODES];
        let mut all = [[0.0; INNER]; MOST_NODES];
        let mut squares = [[0.0; 9]; MOST_NODES];
        let mut top = f64::NEG_INFINITY;
        for (j, [x, ln_weight]) in rules.inner.iter().enumerate() {
            let t = center + width * x;
            let m = q[at::M0] + q[at::M1] * u + q[at::M2] * t;
            let [c, c1, c2] = normal_choice(self.seen.takes_part, q[at::B] + theta * m);
            let r = if self.seen.told[0].is_nan() {
                [0.0; 6]
            } else {
                let center = q[at::R0] + q[at::R1] * u + q[at::R2] * t;
                told(self.seen.told, center, deviation)
            };
            logs[j] = ln_weight + width.ln() + 0.5 * (x * x - t * t) + c + r[0];
            top = top.max(logs[j]);
            if derivatives {
                all[j] = [c1, c1 * m, c1 * theta, c1 * theta * t, r[1], r[1] * t, r[2]];
                squares[j] = [c1, c2, m, t, r[3], r[4], r[5], 0.0, 0.0];
            }
        }
        let mut inner = Inner {
            ln: f64::NEG_INFINITY,
            mean: [0.0; INNER],
            square: [[0.0; INNER]; INNER],
        };
        let mut total = 0.0;
        for j in 0..rules.inner.len() {
            let weight = (logs[j] - top).exp();
            total += weight;
            if !derivatives {
                continue;
            }
            let g = &all[j];
            let [c1, c2, m, t, nn, ns, ss, ..] = squares[j];
            for a in 0..INNER {
                inner.mean[a] += weight * g[a];
                for b in 0..=a {
                    inner.square[a][b] += weight * g[a] * g[b];
                }
            }
            // Second derivatives of the choice: the index moves by (1, m, θ, θt), and θ and M by each other.
            let moves = [1.0, m, theta, theta * t];
            for a in 0..4 {
                for b in 0..=a {
                    inner.square[a][b] += weight * c2 * moves[a] * moves[b];
                }
            }
            inner.square[2][1] += weight * c1;
            inner.square[3][1] += weight * c1 * t;
            inner.square[4][4] += weight * nn;
            inner.square[5][4] += weight * nn * t;
            inner.square[5][5] += weight * nn * t * t;
            inner.square[6][4] += weight * ns;
            inner.square[6][5] += weight * ns * t;
            inner.square[6][6] += weight * ss;
        }
        inner.ln = top + total.ln();
        let per = 1.0 / total;
        inner.mean.iter_mut().for_each(|x| *x *= per);
        inner.square.iter_mut().flatten().for_each(|x| *x *= per);
        inner
    }

    /// The log-likelihood, and its derivatives when they are asked for: those of the logarithm of an integral are moments of those of the integrand
    /// (Louis 1982).
    pub(super) fn add(&self, place: &Place, rules: &Rules, derivatives: bool, sums: &mut Sums) {
        let size = sums.size;
        let [mode, width] = place.outer;
        let mut nodes: Vec<(f64, f64, Inner)> = Vec::with_capacity(rules.outer.len());
        sums.answers.clear();
        for [x, ln_weight] in &rules.outer {
            let u = mode + width * x;
            let a = self.q[at::A] + self.q[at::SD] * u;
            let mut ln = LnProduct::ONE;
            for (y, [intercept, slope]) in self.seen.answers.iter().zip(self.items) {
                if y.is_nan() {
                    sums.answers.push([0.0; 2]);
                } else {
                    let [p, d, dd] = answer(*y, intercept + slope * a);
                    ln.times(p);
                    sums.answers.push([d, dd]);
                }
            }
            let weight = ln_weight + width.ln() + 0.5 * (x * x - u * u);
            let inner = self.inner(u, place, rules, derivatives);
            let total = weight + self.of_ability(a)[0] + ln.ln() + inner.ln;
            nodes.push((u, total, inner));
        }
        let top = (nodes.iter().map(|n| n.1)).fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = nodes.iter().map(|n| (n.1 - top).exp()).sum();
        sums.value = top + total.ln();
        if !derivatives {
            return;
        }
        sums.gradient.fill(0.0);
        sums.hessian.fill(0.0);
        let mut g = vec![0.0; size];
        for (node, (u, ln, inner)) in nodes.iter().enumerate() {
            let weight = (ln - top).exp() / total;
            self.add_node(node, *u, weight, inner, &mut g, sums);
        }
        for (a, slope) in sums.gradient.iter().enumerate() {
            let row = &mut sums.hessian[a * size..=a * size + a];
            (row.iter_mut().zip(&sums.gradient)).for_each(|(h, g)| *h -= slope * g);
        }
    }

    /// Adds weight × (g, gg' + H) of one outer node, averaged over t.
    fn add_node(
        &self,
        node: usize,
        u: f64,
        weight: f64,
        inner: &Inner,
        g: &mut [f64],
        sums: &mut Sums,
    ) {
        let size = sums.size;
        let a = self.q[at::A] + self.q[at::SD] * u;
        g.fill(0.0);
        let hessian = &mut sums.hessian;
        let mut add = |i: usize, j: usize, h: f64| {
            let (i, j) = if i >= j { (i, j) } else { (j, i) };
            hessian[i * size + j] += weight * h;
        };
        let times = |by_u: bool| if by_u { u } else { 1.0 };
        for (i, (place, from, by_u)) in PLACES.iter().enumerate() {
            g[*place] = times(*by_u) * inner.mean[*from];
            for (other, from_other, by_u_other) in &PLACES[..=i] {
                let square = inner.square[*from.max(from_other)][*from.min(from_other)];
                // gg' of means is added below with the rest.
                let own = square - inner.mean[*from] * inner.mean[*from_other];
                add(*place, *other, times(*by_u) * times(*by_u_other) * own);
            }
        }
        // Ability: its mean, and u times that its deviation.
        let mut ability = [0.0; 2];
        let [_, first, second] = self.of_ability(a);
        ability[0] += first;
        ability[1] += second;
        if !self.seen.success.is_nan() {
            let [_, d, dd] = normal_choice(self.seen.success > 0.5, a + self.q[at::W]);
            g[at::W] = d;
            add(at::W, at::W, dd);
            add(at::W, at::A, dd);
            add(at::W, at::SD, u * dd);
        }
        if !self.seen.signal.is_nan() {
            let per = (-self.q[at::LS]).exp();
            let x = (self.seen.signal - a) * per;
            g[at::LS] = x * x - 1.0;
            add(at::LS, at::LS, -2.0 * x * x);
            add(at::LS, at::A, -2.0 * x * per);
            add(at::LS, at::SD, -2.0 * x * per * u);
        }
        let answers = &sums.answers[node * self.items.len()..][..self.items.len()];
        for (k, ([_, slope], [d, dd])) in self.items.iter().zip(answers).enumerate() {
            ability[0] += slope * d;
            ability[1] += slope * slope * dd;
            let own = at::COUNT + 2 * k;
            let (d, dd) = (*d, *dd);
            g[own] = d;
            g[own + 1] = a * d;
            add(own, own, dd);
            add(own + 1, own, a * dd);
            add(own + 1, own + 1, a * a * dd);
            add(own, at::A, slope * dd);
            add(own, at::SD, u * slope * dd);
            add(own + 1, at::A, d + slope * a * dd);
            add(own + 1, at::SD, u * (d + slope * a * dd));
        }
        g[at::A] = ability[0];
        g[at::SD] = u * ability[0];
        add(at::A, at::A, ability[1]);
        add(at::SD, at::A, u * ability[1]);
        add(at::SD, at::SD, u * u * ability[1]);
        for i in 0..size {
            if g[i].abs() <= 0.0 {
                continue;
            }
            let own = weight * g[i];
            sums.gradient[i] += own;
            let row = &mut sums.hessian[i * size..=i * size + i];
            row.iter_mut().zip(&*g).for_each(|(h, g)| *h += own * g);
        }
    }
}

/// Most nodes of an inner rule.
pub(super) const MOST_NODES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::derivative::{gradient, hessian};

    fn customer(case: usize) -> Seen {
        let told = [
            [0.1, 0.4],
            [f64::NEG_INFINITY, -1.0],
            [0.7, f64::INFINITY],
            [0.3, 0.3],
            [f64::NAN; 2],
        ][case % 5];
        Seen {
            answers: vec![1.0, 0.0, f64::NAN, 1.0],
            told,
            signal: if case.is_multiple_of(2) {
                f64::NAN
            } else {
                0.8
            },
            takes_part: !case.is_multiple_of(3),
            success: if case % 3 == 1 {
                1.0
            } else if case % 3 == 2 {
                0.0
            } else {
                f64::NAN
            },
        }
    }

    const AT: [f64; at::COUNT] = [
        0.3, 0.8, -0.2, 0.4, 0.7, 0.1, 0.5, 0.6, 0.2, 0.4, 0.5, -1.1, -0.3,
    ];
    const ITEMS: [f64; 8] = [0.2, 1.1, -0.5, 0.9, 0.1, 1.3, 0.4, 1.6];

    fn value(seen: &Seen, x: &[f64], rules: &Rules) -> f64 {
        let items: Vec<Item> = x[at::COUNT..]
            .chunks_exact(2)
            .map(|p| [p[0], p[1]])
            .collect();
        let mut sums = Sums::new(items.len());
        let known: Vec<Item> = ITEMS.chunks_exact(2).map(|p| [p[0], p[1]]).collect();
        let at_start = Customer {
            seen,
            items: &known,
            q: AT,
        };
        let q = std::array::from_fn(|i| x[i]);
        Customer {
            seen,
            items: &items,
            q,
        }
        .add(&at_start.place(), rules, false, &mut sums);
        sums.value
    }

    #[test]
    fn derivatives_are_those_of_the_value() {
        let rules = Rules::new(7, 5).unwrap();
        let x: Vec<f64> = AT.iter().chain(&ITEMS).copied().collect();
        for case in 0..10 {
            let seen = customer(case);
            let items: Vec<Item> = ITEMS.chunks_exact(2).map(|p| [p[0], p[1]]).collect();
            let mut sums = Sums::new(items.len());
            let customer = Customer {
                seen: &seen,
                items: &items,
                q: AT,
            };
            customer.add(&customer.place(), &rules, true, &mut sums);
            let of = |x: &[f64]| value(&seen, x, &rules);
            assert!((sums.value - of(&x)).abs() < 1e-13);
            let (g, h) = (gradient(of, &x).unwrap(), hessian(of, &x).unwrap());
            for i in 0..x.len() {
                assert!(
                    (sums.gradient[i] - g[i]).abs() < 2e-6,
                    "{case} {i}: {} {}",
                    sums.gradient[i],
                    g[i]
                );
                for j in 0..=i {
                    let ours = sums.hessian[i * x.len() + j];
                    assert!(
                        (ours - h[(i, j)]).abs() < 2e-4,
                        "{case} {i} {j}: {ours} {}",
                        h[(i, j)]
                    );
                }
            }
        }
    }

    #[test]
    fn a_fine_grid_gives_the_same_integral() {
        let rules = Rules::new(15, 15).unwrap();
        let x: Vec<f64> = AT.iter().chain(&ITEMS).copied().collect();
        for case in 0..10 {
            let seen = customer(case);
            let (q, step) = (AT, 0.06);
            let mut total = 0.0;
            for i in -130..=130 {
                let u = f64::from(i) * step;
                let a = q[at::A] + q[at::SD] * u;
                let mut of_u = normal::pdf(u);
                for (k, y) in seen.answers.iter().enumerate().filter(|(_, y)| !y.is_nan()) {
                    let p = 1.0 / (1.0 + (-(ITEMS[2 * k] + ITEMS[2 * k + 1] * a)).exp());
                    of_u *= if *y > 0.5 { p } else { 1.0 - p };
                }
                if !seen.success.is_nan() {
                    let p = normal::cdf(a + q[at::W]);
                    of_u *= if seen.success > 0.5 { p } else { 1.0 - p };
                }
                if !seen.signal.is_nan() {
                    let s = q[at::LS].exp();
                    of_u *= normal::pdf((seen.signal - a) / s) / s;
                }
                for j in -130..=130 {
                    let t = f64::from(j) * step;
                    let m = q[at::M0] + q[at::M1] * u + q[at::M2] * t;
                    let p = normal::cdf(q[at::B] + q[at::THETA] * m);
                    let mut of_t = normal::pdf(t) * if seen.takes_part { p } else { 1.0 - p };
                    let (center, s) = (q[at::R0] + q[at::R1] * u + q[at::R2] * t, q[at::LR].exp());
                    if !seen.told[0].is_nan() {
                        let [low, high] = seen.told.map(|x| (x - center) / s);
                        of_t *= if high > low {
                            normal::cdf(high) - normal::cdf(low)
                        } else {
                            normal::pdf(low) / s
                        };
                    }
                    total += of_u * of_t * step * step;
                }
            }
            let found = value(&seen, &x, &rules);
            assert!(
                (found - total.ln()).abs() < 1e-6,
                "{case}: {found} {}",
                total.ln()
            );
        }
    }
}
