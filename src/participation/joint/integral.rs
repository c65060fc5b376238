//! What one customer adds to the likelihood: answers, a belief told, a choice and its success, given ability and belief, integrated over both.

use super::beyond::{Beyond, Insured};
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
    /// How many there are without the blocks of guarantees and effort.
    pub const PLAIN: usize = 13;
    /// What is added to the belief's mean where a guarantee looks at the chance of failure.
    pub const SHIFT: usize = 13;
    /// √v_n.
    pub const SPREAD: usize = 14;
    pub const RISK: usize = 15;
    pub const AMBIGUITY: usize = 16;
    /// What a unit of money counts.
    pub const MONEY: usize = 17;
    /// The index of effort but for the belief's mean, and what that counts.
    pub const EFFORT: usize = 18;
    pub const RELIEF: usize = 19;
    /// Logarithm of the deviation of effort.
    pub const NOISE: usize = 20;
    /// γ.
    pub const RETURN: usize = 21;
    /// How many.
    pub const COUNT: usize = 22;
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
    /// What is paid to the customer on failure.
    pub(super) guarantee: f64,
    /// Whether customers choose their effort, and `ln(1 + e)` of it, NaN where it is not seen.
    pub(super) works: bool,
    pub(super) effort: f64,
}

/// Parameters of an item: ability enters as `intercept + slope · a`.
pub(super) type Item = [f64; 2];

/// Log-likelihood of a customer with its derivatives in the quantities; the Hessian is the lower triangle of a square matrix.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    pub(super) hessian: Vec<f64>,
    /// Quantities before the parameters of the items.
    quantities: usize,
    size: usize,
    /// Derivatives of the logarithm of each answer, by node.
    answers: Vec<[f64; 2]>,
}

impl Sums {
    /// For so many items, and the first [`at::PLAIN`] quantities or all.
    pub(super) fn new(items: usize, extended: bool) -> Self {
        let quantities = if extended { at::COUNT } else { at::PLAIN };
        let size = quantities + 2 * items;
        Self {
            quantities,
            value: 0.0,
            gradient: vec![0.0; size],
            hessian: vec![0.0; size * size],
            size,
            answers: vec![],
        }
    }
}

/// Nodes for the standard normal u and t with the logarithms of their weights, and nodes with weights for what customers do not know of their ability.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    outer: Vec<[f64; 2]>,
    inner: Vec<[f64; 2]>,
    pub(super) unknown: Vec<[f64; 2]>,
}

impl Rules {
    /// Nodes of a customer.
    pub(super) fn nodes(&self) -> usize {
        self.outer.len() * self.inner.len()
    }

    pub(super) fn new(outer: usize, inner: usize) -> Result<Self> {
        /// The trapezoid rule for what customers do not know of their ability: what a guarantee is worth is good to 1e-8 of it up to a variance of one, to 2e-6 at
        /// four and to 1e-4 at nine. Gauss–Hermite nodes lie wider where failure turns to success.
        const STEP: f64 = 0.4;
        const REACH: i32 = 15;
        let unknown: Vec<[f64; 2]> = (-REACH..=REACH)
            .map(|k| STEP * f64::from(k))
            .map(|z| [z, STEP * normal::pdf(z)])
            .collect();
        let total: f64 = unknown.iter().map(|[_, w]| w).sum();
        let rule = |nodes: usize| -> Result<Vec<[f64; 2]>> {
            let rule = gauss_hermite_normal(nodes)?;
            let pairs = rule.nodes().iter().zip(rule.weights());
            Ok(pairs.map(|(x, w)| [*x, w.ln()]).collect())
        };
        Ok(Self {
            outer: rule(outer)?,
            inner: rule(inner)?,
            unknown: unknown.iter().map(|[x, w]| [*x, w / total]).collect(),
        })
    }
}

/// One customer at given quantities.
pub(super) struct Customer<'a> {
    pub(super) seen: &'a Seen,
    pub(super) items: &'a [Item],
    /// What the guarantee is worth, where it is tabulated.
    pub(super) insured: Option<&'a Insured>,
    /// See [`at`].
    pub(super) q: [f64; at::COUNT],
}

/// Moments over t of the inner derivatives at one u.
struct Inner<const N: usize> {
    ln: f64,
    mean: [f64; N],
    square: [[f64; N]; N],
}

/// Derivatives at a node of the inner integral: by B, THETA, M0, M2, R0, R2, LR.
const INNER: usize = 7;

/// The same, and by SHIFT, SPREAD, RISK, AMBIGUITY, MONEY, EFFORT, RELIEF, NOISE, RETURN.
pub(super) const EXTENDED: usize = 16;

/// Inner derivatives that go to places of their own, of the first seven.
const PLAIN_PLACES: usize = 9;

/// Where an inner derivative goes, and whether it is multiplied by u: those by M1 and R1 are u times those by M0 and R0.
const PLACES: [(usize, usize, bool); PLAIN_PLACES + 9] = [
    (at::B, 0, false),
    (at::THETA, 1, false),
    (at::M0, 2, false),
    (at::M1, 2, true),
    (at::M2, 3, false),
    (at::R0, 4, false),
    (at::R1, 4, true),
    (at::R2, 5, false),
    (at::LR, 6, false),
    (at::SHIFT, 7, false),
    (at::SPREAD, 8, false),
    (at::RISK, 9, false),
    (at::AMBIGUITY, 10, false),
    (at::MONEY, 11, false),
    (at::EFFORT, 12, false),
    (at::RELIEF, 13, false),
    (at::NOISE, 14, false),
    (at::RETURN, 15, false),
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
    fn inner<const N: usize>(
        &self,
        u: f64,
        place: &Place,
        rules: &Rules,
        derivatives: bool,
    ) -> Inner<N> {
        let q = &self.q;
        let theta = q[at::THETA];
        let [from, slope, width] = place.inner;
        let center = from + slope * u;
        let deviation = q[at::LR].exp();
        let mut logs = [0.0; MOST_NODES];
        let mut all = [[0.0; INNER]; MOST_NODES];
        let mut squares = [[0.0; INNER]; MOST_NODES];
        let mut blocks: Vec<Beyond> = vec![];
        let mut top = f64::NEG_INFINITY;
        for (j, [x, ln_weight]) in rules.inner.iter().enumerate() {
            let t = center + width * x;
            let m = q[at::M0] + q[at::M1] * u + q[at::M2] * t;
            let mut index = q[at::B] + theta * m;
            let mut more = 0.0;
            if N > INNER {
                let beyond = self.beyond(m, &rules.unknown);
                index += self.index_beyond(&beyond);
                more = Self::ln_effort(&beyond);
                blocks.push(beyond);
            }
            let [c, c1, c2] = normal_choice(self.seen.takes_part, index);
            let r = if self.seen.told[0].is_nan() {
                [0.0; 6]
            } else {
                let center = q[at::R0] + q[at::R1] * u + q[at::R2] * t;
                told(self.seen.told, center, deviation)
            };
            logs[j] = ln_weight + width.ln() + 0.5 * (x * x - t * t) + c + r[0] + more;
            top = top.max(logs[j]);
            if derivatives {
                all[j] = [c1, c1 * m, c1 * theta, c1 * theta * t, r[1], r[1] * t, r[2]];
                squares[j] = [c1, c2, m, t, r[3], r[4], r[5]];
            }
        }
        let mut inner = Inner {
            ln: f64::NEG_INFINITY,
            mean: [0.0; N],
            square: [[0.0; N]; N],
        };
        let mut total = 0.0;
        for j in 0..rules.inner.len() {
            let weight = (logs[j] - top).exp();
            total += weight;
            if !derivatives {
                continue;
            }
            let g = &all[j];
            let [c1, c2, m, t, nn, ns, ss] = squares[j];
            if let Some(beyond) = blocks.get(j) {
                let (mut slopes, second) = self.derivatives_beyond(beyond, [m, t], [c1, c2]);
                slopes[4..INNER].copy_from_slice(&g[4..]);
                for a in 0..N {
                    inner.mean[a] += weight * slopes[a];
                    for b in 0..=a {
                        inner.square[a][b] += weight * (slopes[a] * slopes[b] + second[a][b]);
                    }
                }
            } else {
                self.derivatives_plain(g, &squares[j], weight, &mut inner);
            }
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

    /// Adds weight × (g, gg' + H) of a node without the blocks of guarantees and effort.
    fn derivatives_plain<const N: usize>(
        &self,
        g: &[f64; INNER],
        [c1, c2, m, t, ..]: &[f64; INNER],
        weight: f64,
        inner: &mut Inner<N>,
    ) {
        let (c1, c2, m, t) = (*c1, *c2, *m, *t);
        let theta = self.q[at::THETA];
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
    }

    /// The log-likelihood, and its derivatives when they are asked for: those of the logarithm of an integral are moments of those of the integrand
    /// (Louis 1982).
    pub(super) fn add(&self, place: &Place, rules: &Rules, derivatives: bool, sums: &mut Sums) {
        if sums.quantities > at::PLAIN {
            self.add_of::<EXTENDED>(place, rules, derivatives, sums);
        } else {
            self.add_of::<INNER>(place, rules, derivatives, sums);
        }
    }

    fn add_of<const N: usize>(
        &self,
        place: &Place,
        rules: &Rules,
        derivatives: bool,
        sums: &mut Sums,
    ) {
        let size = sums.size;
        let [mode, width] = place.outer;
        let mut nodes: Vec<(f64, f64, Inner<N>)> = Vec::with_capacity(rules.outer.len());
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
    fn add_node<const N: usize>(
        &self,
        node: usize,
        u: f64,
        weight: f64,
        inner: &Inner<N>,
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
        let places = &PLACES[..N + PLAIN_PLACES - INNER];
        for (i, (place, from, by_u)) in places.iter().enumerate() {
            g[*place] = times(*by_u) * inner.mean[*from];
            for (other, from_other, by_u_other) in &places[..=i] {
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
            let own = sums.quantities + 2 * k;
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
