//! What a guarantee is worth to customers, and what they gain by their own effort: what these blocks add to the choice, with two derivatives.

use super::integral::{Customer, EXTENDED, at};
use super::pieces::told;
use crate::numeric::special::normal;

/// What the blocks add at a node of the integral, besides what the belief counts in itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beyond {
    /// Of the guarantee, in money: the value, by (c, s, r, α), and the lower triangle of the second derivatives.
    guarantee: [f64; 15],
    /// ψ of effort at its index, with two derivatives.
    gain: [f64; 3],
    /// The log-density of the effort that is seen: as [`told`].
    effort: [f64; 6],
}

/// ψ(l) = l − 1 + e^−l for l > 0: over θγ the utility of the best effort, less that of none, with two derivatives. Here e^l − 1 is the best effort
/// where the marginal cost is θγe^−l.
fn gain(l: f64) -> [f64; 3] {
    if l <= 0.0 {
        return [0.0; 3];
    }
    let lost = (-l).exp_m1();
    [l + lost, -lost, 1.0 + lost]
}

/// Below this r·G and α·G series replace quotients whose numerators cancel: the next term is then below 1e-12 of G.
const SMALL: f64 = 5e-3;

/// `g = −(1/r) ln[1 − (1 − e^{−rG}) Φ(−h)]`, what is worth as much as G paid on failure: value, by (h, r), and (hh, hr, rr). Any sign of r.
fn paid(r: f64, h: f64, guarantee: f64) -> [f64; 6] {
    let g = guarantee;
    let (fails, density) = (normal::cdf(-h), normal::pdf(h));
    let lost = -(-r * g).exp_m1();
    let rest = 1.0 - lost;
    let total = normal::cdf(h) + rest * fails;
    let per_risk = if (r * g).abs() < 1e-300 { g } else { lost / r };
    let slope = -per_risk * density / total;
    let bend = -slope * h + r * slope * slope;
    if (r * g).abs() < SMALL {
        // Cumulants of a coin, and their derivatives by the chance.
        let spread = fails * (1.0 - fails);
        let lean = 1.0 - 2.0 * fails;
        let (k3, k4) = (spread * lean, spread * (1.0 - 6.0 * spread));
        let k5 = k3 * (1.0 - 12.0 * spread);
        let (d3, d4) = (1.0 - 6.0 * spread, lean * (1.0 - 12.0 * spread));
        let x = r * g;
        let value = g
            * (fails - x * spread / 2.0 + x * x * k3 / 6.0 - x.powi(3) * k4 / 24.0
                + x.powi(4) * k5 / 120.0);
        let by_risk =
            g * g * (-spread / 2.0 + x * k3 / 3.0 - x * x * k4 / 8.0 + x.powi(3) * k5 / 30.0);
        let mixed = -density * g * g * (-lean / 2.0 + x * d3 / 3.0 - x * x * d4 / 8.0);
        let twice = g.powi(3) * (k3 / 3.0 - x * k4 / 4.0 + x * x * k5 / 10.0);
        return [value, slope, by_risk, bend, mixed, twice];
    }
    let value = if (lost * fails).abs() < 0.5 {
        -(-lost * fails).ln_1p() / r
    } else {
        -total.ln() / r
    };
    // The chance of failure under the tilted law.
    let tilted = rest * fails / total;
    let by_risk = (g * tilted - value) / r;
    let mixed = (-g * rest * density / (total * total) - slope) / r;
    let twice = (-g * g * tilted * (1.0 - tilted) - 2.0 * by_risk) / r;
    [value, slope, by_risk, bend, mixed, twice]
}

/// `−(1/α) ln E exp(−α g(c + s Z, r))`: value, by (c, s, r, α), and the lower triangle of the second derivatives. Any sign of α.
pub(super) fn insured(guarantee: f64, [c, s, r, alpha]: [f64; 4], rule: &[[f64; 2]]) -> [f64; 15] {
    let middle = paid(r, c, guarantee)[0];
    let (mut weight, mut excess) = (0.0, 0.0);
    // Of g and its derivatives by (c, s, r): means, and means of products.
    let mut mean = [0.0; 4];
    let mut square = [[0.0; 4]; 4];
    let mut second = [0.0; 6];
    let mut central = [0.0; 5];
    let small = (alpha * guarantee).abs() < SMALL;
    for [z, w] in rule {
        let [g, h, by_risk, hh, hr, rr] = paid(r, c + s * z, guarantee);
        let off = g - middle;
        let tilt = (-alpha * off).exp_m1();
        let p = w * (1.0 + tilt);
        weight += p;
        excess += w * tilt;
        let of = [off, h, z * h, by_risk];
        for a in 0..4 {
            mean[a] += p * of[a];
            for b in 0..=a {
                square[a][b] += p * of[a] * of[b];
            }
        }
        let own = [hh, z * hh, z * z * hh, hr, z * hr, rr];
        second.iter_mut().zip(own).for_each(|(t, x)| *t += p * x);
        if small {
            let mut power = *w;
            for moment in &mut central {
                *moment += power;
                power *= off;
            }
        }
    }
    for x in mean.iter_mut().chain(&mut second) {
        *x /= weight;
    }
    let covariance = |a: usize, b: usize| square[a][b] / weight - mean[a] * mean[b];
    let (value, by_alpha, twice) = if small {
        let [_, k1, m2, m3, m4] = central;
        let k2 = m2 - k1 * k1;
        let k3 = m3 - 3.0 * k1 * m2 + 2.0 * k1.powi(3);
        let k4 = m4 - 4.0 * k1 * m3 - 3.0 * m2 * m2 + 12.0 * k1 * k1 * m2 - 6.0 * k1.powi(4);
        (
            k1 - alpha * k2 / 2.0 + alpha * alpha * k3 / 6.0 - alpha.powi(3) * k4 / 24.0,
            -k2 / 2.0 + alpha * k3 / 3.0 - alpha * alpha * k4 / 8.0,
            k3 / 3.0 - alpha * k4 / 4.0,
        )
    } else {
        let value = -excess.ln_1p() / alpha;
        let by_alpha = (mean[0] - value) / alpha;
        (
            value,
            by_alpha,
            (-covariance(0, 0) - 2.0 * by_alpha) / alpha,
        )
    };
    let [cc, sc, ss, rc, rs, rr] = second;
    let own = |x: f64, a: usize, b: usize| x - alpha * covariance(a, b);
    [
        middle + value,
        mean[1],
        mean[2],
        mean[3],
        by_alpha,
        own(cc, 1, 1),
        own(sc, 2, 1),
        own(ss, 2, 2),
        own(rc, 3, 1),
        own(rs, 3, 2),
        own(rr, 3, 3),
        -covariance(1, 0),
        -covariance(2, 0),
        -covariance(3, 0),
        twice,
    ]
}

/// [`insured`] on a grid of c, for customers who are alike but for it.
#[derive(Clone, Debug)]
pub(super) struct Insured {
    values: Vec<[f64; 15]>,
}

impl Insured {
    /// The ends of the grid, beyond which nothing is tabulated, and its step: polynomials of degree five between them are good to 2e-8 of the guarantee.
    const REACH: f64 = 7.0;
    const STEP: f64 = 0.05;
    /// Points of the grid; with fewer values than that to be looked up a table is not worth its making.
    pub(super) const POINTS: usize = 285;

    pub(super) fn of(guarantee: f64, [s, r, alpha]: [f64; 3], rule: &[[f64; 2]]) -> Self {
        let value = |k: usize| {
            let c = (k as f64 - 2.0) * Self::STEP - Self::REACH;
            insured(guarantee, [c, s, r, alpha], rule)
        };
        Self {
            values: (0..Self::POINTS).map(value).collect(),
        }
    }

    fn at(&self, c: f64) -> Option<[f64; 15]> {
        if c.is_nan() || c.abs() >= Self::REACH {
            return None;
        }
        let place = (c + Self::REACH) / Self::STEP;
        // Rounding may lead just beyond the last interval.
        let k = (place as usize).min(Self::POINTS - 6);
        let t = place - k as f64;
        // Lagrange's polynomials of the points −2, …, 3.
        let d: [f64; 6] = std::array::from_fn(|j| t + 2.0 - j as f64);
        let over = [-120.0, 24.0, -12.0, 12.0, -24.0, 120.0];
        let mut out = [0.0; 15];
        for (j, values) in self.values[k..k + 6].iter().enumerate() {
            let product: f64 = (0..6).filter(|i| *i != j).map(|i| d[i]).product();
            let weight = product / over[j];
            (out.iter_mut().zip(values)).for_each(|(o, v)| *o += weight * v);
        }
        Some(out)
    }
}

/// Places of the inner derivatives that the blocks have of their own.
const SHIFT: usize = 7;
const MONEY: usize = 11;
const EFFORT: usize = 12;
const RELIEF: usize = 13;
const NOISE: usize = 14;
const RETURN: usize = 15;

impl Customer<'_> {
    /// What the blocks add at a belief of mean m.
    pub(super) fn beyond(&self, m: f64, rule: &[[f64; 2]]) -> Beyond {
        let (q, seen) = (&self.q, self.seen);
        let mut out = Beyond::default();
        if seen.guarantee > 0.0 {
            let at = [
                m + q[at::SHIFT],
                q[at::SPREAD],
                q[at::RISK],
                q[at::AMBIGUITY],
            ];
            let known = self.insured.and_then(|table| table.at(at[0]));
            out.guarantee = known.unwrap_or_else(|| insured(seen.guarantee, at, rule));
        }
        if seen.works {
            let l = q[at::EFFORT] + q[at::RELIEF] * m;
            out.gain = gain(l);
            if !seen.effort.is_nan() {
                let ends = if seen.effort > 0.0 {
                    [seen.effort; 2]
                } else {
                    [f64::NEG_INFINITY, 0.0]
                };
                out.effort = told(ends, l, q[at::NOISE].exp());
            }
        }
        out
    }

    /// What is added to the index of the choice.
    pub(super) fn index_beyond(&self, beyond: &Beyond) -> f64 {
        let q = &self.q;
        q[at::MONEY] * beyond.guarantee[0] + q[at::THETA] * q[at::RETURN] * beyond.gain[0]
    }

    /// Derivatives of the logarithm of the integrand at a node, in the order of the inner derivatives, and the lower triangle of the second ones; those of
    /// what is told are left out.
    pub(super) fn derivatives_beyond(
        &self,
        beyond: &Beyond,
        [m, t]: [f64; 2],
        [c1, c2]: [f64; 2],
    ) -> ([f64; EXTENDED], [[f64; EXTENDED]; EXTENDED]) {
        let q = &self.q;
        let (theta, money, kappa, gamma) =
            (q[at::THETA], q[at::MONEY], q[at::RELIEF], q[at::RETURN]);
        let g = &beyond.guarantee;
        let [psi, psi1, psi2] = beyond.gain;
        let [_, e1, es, e11, e1s, ess] = beyond.effort;
        // The index of the choice.
        let mut moves = [0.0; EXTENDED];
        let mut h = [[0.0; EXTENDED]; EXTENDED];
        let marginal = theta * gamma * psi1;
        let curved = theta * gamma * psi2;
        moves[0] = 1.0;
        moves[1] = m + gamma * psi;
        moves[2] = theta + money * g[1] + marginal * kappa;
        for k in 0..4 {
            moves[SHIFT + k] = money * g[1 + k];
        }
        moves[MONEY] = g[0];
        moves[EFFORT] = marginal;
        moves[RELIEF] = marginal * m;
        moves[RETURN] = theta * psi;
        h[2][1] = 1.0 + gamma * psi1 * kappa;
        h[EFFORT][1] = gamma * psi1;
        h[RELIEF][1] = gamma * psi1 * m;
        h[RETURN][1] = psi;
        h[2][2] = money * g[5] + curved * kappa * kappa;
        h[MONEY][2] = g[1];
        h[EFFORT][2] = curved * kappa;
        h[RELIEF][2] = curved * kappa * m + marginal;
        h[RETURN][2] = theta * psi1 * kappa;
        for a in 0..4 {
            for b in 0..=a {
                h[SHIFT + a][SHIFT + b] = money * g[5 + a * (a + 1) / 2 + b];
            }
            // m stands beside the shift.
            h[SHIFT + a][2] = money * g[5 + a * (a + 1) / 2];
            h[MONEY][SHIFT + a] = g[1 + a];
        }
        h[EFFORT][EFFORT] = curved;
        h[RELIEF][EFFORT] = curved * m;
        h[RELIEF][RELIEF] = curved * m * m;
        h[RETURN][EFFORT] = theta * psi1;
        h[RETURN][RELIEF] = theta * psi1 * m;
        // The logarithm of the probability of the choice.
        let mut slopes = [0.0; EXTENDED];
        for a in 0..EXTENDED {
            slopes[a] = c1 * moves[a];
            for b in 0..=a {
                h[a][b] = c1 * h[a][b] + c2 * moves[a] * moves[b];
            }
        }
        // The effort that is seen, by its index and its error.
        let by = [(2, kappa), (EFFORT, 1.0), (RELIEF, m)];
        for (i, (a, x)) in by.iter().enumerate() {
            slopes[*a] += e1 * x;
            h[NOISE][*a] += e1s * x;
            for (b, y) in &by[..=i] {
                h[*a][*b] += e11 * x * y;
            }
        }
        h[RELIEF][2] += e1;
        // The error stands behind its index but for the relief, whose place is below.
        slopes[NOISE] += es;
        h[NOISE][NOISE] += ess;
        // t moves the belief.
        slopes[3] = t * slopes[2];
        for row in &mut h[4..] {
            row[3] = t * row[2];
        }
        h[3][0] = t * h[2][0];
        h[3][1] = t * h[2][1];
        h[3][2] = t * h[2][2];
        h[3][3] = t * t * h[2][2];
        (slopes, h)
    }

    /// The log-density of the effort that is seen.
    pub(super) fn ln_effort(beyond: &Beyond) -> f64 {
        beyond.effort[0]
    }
}

#[cfg(test)]
mod tests {
    use super::super::integral::Rules;
    use super::*;
    use crate::decision::{Belief, Cost, Preferences, Situation, Task, Terms};
    use crate::numeric::derivative::{gradient, hessian};

    fn rule() -> Vec<[f64; 2]> {
        Rules::new(3, 3).unwrap().unknown
    }

    #[test]
    fn a_guarantee_is_worth_what_the_decision_room_says() {
        let rule = rule();
        for (theta, m, v, tolerance) in [
            (1.3, 0.4, 0.6, 1e-9),
            (1.3, -0.8, 1.0, 1e-8),
            (0.6, 0.2, 4.0, 2e-6),
            (0.4, -0.5, 9.0, 1e-4),
        ] {
            for (r, alpha) in [
                (0.4, 0.4),
                (0.4, 1.5),
                (0.002, 0.002),
                (0.002, 0.9),
                (0.0, 0.0),
            ] {
                let value = |guarantee: f64| {
                    let preferences = Preferences::smooth_ambiguity(r, alpha).unwrap();
                    let terms = Terms {
                        guarantee,
                        taste: theta,
                        ..Terms::default()
                    };
                    let task = Task {
                        difficulty: 0.0,
                        effort_return: 0.0,
                    };
                    Situation::new(preferences, Cost::material(0.0), task, terms)
                        .unwrap()
                        .gross(Belief::new(m, v).unwrap(), 0.0)
                };
                for guarantee in [0.3, 2.0] {
                    let exact = value(guarantee) - value(0.0);
                    let at = [m - alpha * theta * v - r * theta, v.sqrt(), r, alpha];
                    let ours = insured(guarantee, at, &rule)[0];
                    let near = tolerance * guarantee;
                    assert!(
                        (ours - exact).abs() < near,
                        "{v} {r} {alpha}: {ours} {exact}"
                    );
                    // Form 3 in closed form.
                    if (r - alpha).abs() <= 0.0 && r > 0.0 {
                        let h = (m - r * theta * (1.0 + v)) / (1.0 + v).sqrt();
                        let closed =
                            -(-(1.0 - (-r * guarantee).exp()) * normal::cdf(-h)).ln_1p() / r;
                        assert!((ours - closed).abs() < near, "{ours} {closed}");
                    }
                }
            }
        }
    }

    #[test]
    fn derivatives_of_a_guarantee_are_those_of_its_value() {
        let rule = rule();
        for r in [-0.5, -1e-3, 0.0, 2e-3, 4.9e-3, 5.1e-3, 0.7] {
            for alpha in [-0.8, -1e-3, 0.0, 4.9e-3, 5.1e-3, 1.2] {
                for guarantee in [1.0, 2.5] {
                    let x = [0.3, 0.7, r, alpha];
                    let of = |x: &[f64]| insured(guarantee, [x[0], x[1], x[2], x[3]], &rule)[0];
                    let (g, h) = (gradient(of, &x).unwrap(), hessian(of, &x).unwrap());
                    let ours = insured(guarantee, x, &rule);
                    for a in 0..4 {
                        assert!(
                            (ours[1 + a] - g[a]).abs() < 2e-7,
                            "{x:?} {a}: {} {}",
                            ours[1 + a],
                            g[a]
                        );
                        for b in 0..=a {
                            let second = ours[5 + a * (a + 1) / 2 + b];
                            assert!(
                                (second - h[(a, b)]).abs() < 2e-5,
                                "{x:?} {a} {b}: {second} {}",
                                h[(a, b)]
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_table_has_the_same_values() {
        let rule = rule();
        for (guarantee, [s, r, alpha]) in [
            (0.5, [0.7, 0.5, 1.5]),
            (3.0, [0.2, 1.0, -0.5]),
            (2.0, [1.0, 0.0, 0.0]),
        ] {
            let table = Insured::of(guarantee, [s, r, alpha], &rule);
            for k in -699..700 {
                let c = f64::from(k) * 0.01 + 0.003;
                let (found, exact) = (
                    table.at(c).unwrap(),
                    insured(guarantee, [c, s, r, alpha], &rule),
                );
                for j in 0..15 {
                    assert!(
                        (found[j] - exact[j]).abs() < 2e-7 * guarantee,
                        "{guarantee} {c} {j}: {} {}",
                        found[j],
                        exact[j]
                    );
                }
                assert!(
                    (found[0] - exact[0]).abs() < 2e-8 * guarantee,
                    "{guarantee} {c}: {} {}",
                    found[0],
                    exact[0]
                );
            }
            assert!(table.at(7.5).is_none() && table.at(f64::NAN).is_none());
            let end = f64::from_bits(7_f64.to_bits() - 1);
            assert!(table.at(end).is_some() && table.at(-end).is_some());
        }
    }

    /// Series and quotients meet where one takes over from the other.
    #[test]
    fn nothing_jumps_where_series_end() {
        let rule = rule();
        let just = |x: f64| [x * (1.0 - 1e-12), x * (1.0 + 1e-12)];
        let [below, above] = just(SMALL).map(|r| paid(r, 0.4, 1.0));
        let [lower, upper] = just(SMALL).map(|a| insured(1.0, [0.4, 0.8, 0.3, a], &rule));
        for k in 0..6 {
            assert!(
                (below[k] - above[k]).abs() < 1e-7,
                "{k} {} {}",
                below[k],
                above[k]
            );
        }
        for k in 0..15 {
            assert!(
                (lower[k] - upper[k]).abs() < 1e-6,
                "{k} {} {}",
                lower[k],
                upper[k]
            );
        }
    }
}
