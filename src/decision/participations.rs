//! Taking part again and again: a customer who learns by participating and looks ahead over a finite horizon.

use super::dynamic::check_discount;
use super::trials::{NODES, Place, REACH, RULE, node};
use crate::error::{Error, Result};
use crate::numeric::quadrature::{Rule, gauss_hermite_normal};
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// Pay-offs that vary from period to period may be this far from their mean: the grid holds what happens.
const FARTHEST: f64 = 0.5 * REACH;

/// Step of the fine grid, on which cubics are read.
const STEP: f64 = 0.05;

/// Nodes of the fine grid.
const FINE: usize = 721;

/// A customer who decides in each of `horizon` periods whether to take part, learns what they can do when they do, and looks ahead. In units of the
/// taste shock ε ~ N(0, 1), they take part in period t, after n signals, when `v + ε > 0`,
///
/// ```text
/// v = z + e − (α/2) s² ρ_n + C_tn(z),   C_tn(z) = δ [E W_{t+1,n+1}(z') − W_{t+1,n}(z)],   z' = z + s √(ρ_n − ρ_{n+1}) η,
/// W_tn(z) = E_e F(z + e − (α/2) s² ρ_n + C_tn(z)) + δ W_{t+1,n}(z),   F(v) = vΦ(v) + φ(v),   W at the end of the horizon = 0,
/// ```
///
/// with `ρ_n = v_n/v_0 = 1/(1 + nκ)`, s = θ√v_0, κ = v_0/σ_s², η ~ N(0, 1). z is what taking part is worth by the belief's mean, θm and all that stays as it is; e is
/// what changes from period to period (a price), by a law that customers know; (α/2)θ²v is the premium of value form 4 (form 3 with α = r). z' follows the customer's own forecast. The future
/// counts by its expectation. C, the value of the information that taking part brings, is zero without a future (δ = 0, or the last period).
/// Gauss–Hermite in η, interpolation in z, to about 1e-5.
///
/// ```
/// use cocreate::decision::Participations;
/// let curious = Participations { horizon: 12, discount: 0.95, spread: 1.0, ratio: 1.0, ambiguity: 0.0, payoffs: vec![[0.3, 0.5], [-0.3, 0.5]] };
/// let plan = curious.plan()?;
/// // To learn is worth most to the undecided, at the start.
/// assert!(plan.information(0, 0, 0.0) > plan.information(0, 0, 3.0));
/// assert!(plan.information(0, 0, 0.0) > plan.information(6, 3, 0.0));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Participations {
    /// Periods.
    pub horizon: usize,
    /// δ.
    pub discount: f64,
    /// s = θ√v_0.
    pub spread: f64,
    /// κ.
    pub ratio: f64,
    /// α.
    pub ambiguity: f64,
    /// The law of e: values and their probabilities.
    pub payoffs: Vec<[f64; 2]>,
}

/// What a customer of [`Participations`] does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParticipationPlan {
    problem: Participations,
    ahead: LookAhead,
}

impl Participations {
    /// The customer's plan, by backward induction.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a discount factor outside [0, 1), no period, a spread, ratio or coefficient of ambiguity aversion that is negative or not finite, or
    /// pay-offs that have no probabilities or are farther than 9 from their mean.
    pub fn plan(&self) -> Result<ParticipationPlan> {
        check_discount(self.discount)?;
        if self.horizon == 0 {
            return Err(Error::invalid_option("horizon", 0, "one period or more"));
        }
        for (name, value) in [
            ("spread", self.spread),
            ("ratio", self.ratio),
            ("ambiguity", self.ambiguity),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                let expected = "zero or a positive finite number";
                return Err(Error::invalid_option(name, value, expected));
            }
        }
        let total: f64 = self.payoffs.iter().map(|[_, p]| p).sum();
        let proper = self.payoffs.iter().all(|[_, p]| *p >= 0.0);
        if !proper || (total - 1.0).abs() > 1e-9 {
            return Err(Error::invalid_option(
                "payoffs",
                format!("of total probability {total}"),
                "values with probabilities that sum to one",
            ));
        }
        let none = vec![vec![]; self.payoffs.len()];
        Ok(ParticipationPlan {
            problem: self.clone(),
            ahead: LookAhead::new(self, &none)?,
        })
    }
}

impl ParticipationPlan {
    /// `C_tn(z)`: what the information of taking part is worth in period t (from 0) after n signals.
    pub fn information(&self, period: usize, signals: usize, z: f64) -> f64 {
        let ([value], _) = self.ahead.read(period, signals, z);
        value
    }

    /// v: the value of taking part over not doing so, less the shock.
    pub fn value(&self, period: usize, signals: usize, z: f64, payoff: f64) -> f64 {
        let Participations {
            ambiguity, spread, ..
        } = self.problem;
        let left = share(self.problem.ratio, signals)[0];
        z + payoff - 0.5 * ambiguity * spread * spread * left + self.information(period, signals, z)
    }

    /// How likely the customer takes part.
    pub fn probability(&self, period: usize, signals: usize, z: f64, payoff: f64) -> f64 {
        normal::cdf(self.value(period, signals, z, payoff))
    }
}

/// ρ_n and its derivative by κ.
pub(crate) fn share(ratio: f64, n: usize) -> [f64; 2] {
    let n = n as f64;
    let left = 1.0 / (1.0 + n * ratio);
    [left, -n * left * left]
}

/// `F(v) = E max{0, v + ε}`.
fn gain(v: f64) -> f64 {
    v * normal::cdf(v) + normal::pdf(v)
}

/// C on a fine grid of z at each (t, n), with its derivatives by s, κ, A = (α/2)s² and what moves the pay-offs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LookAhead {
    width: usize,
    /// At `t(t+1)/2 + n`: node by node, the value and its derivatives.
    stages: Vec<Vec<f64>>,
}

/// Derivatives by s, κ and A stand before those by what moves the pay-offs.
pub(crate) const STRUCTURE: usize = 3;

/// How many columns tables may have, so that they are read by code that knows how many there are.
const WIDTHS: [usize; 7] = [4, 5, 6, 8, 12, 20, 36];

/// What a participation after n signals does: where z goes, as weights of the nodes.
struct Move {
    /// σ with its derivatives by s and κ.
    deviation: [f64; 3],
    /// Weights of nodes, and their derivatives by σ, node by node.
    weights: Vec<[f64; 2]>,
}

impl Move {
    fn new(rule: &Rule, spread: f64, ratio: f64, n: usize) -> Self {
        let k = n as f64;
        let (now, then) = (1.0 + k * ratio, 1.0 + (k + 1.0) * ratio);
        let root = (ratio / (now * then)).sqrt();
        let deviation = spread * root;
        let by_ratio = 0.5 * deviation * (1.0 / ratio.max(1e-300) - k / now - (k + 1.0) / then);
        let mut weights = vec![[0.0; 2]; NODES * NODES];
        for (g, row) in weights.chunks_mut(NODES).enumerate() {
            for (x, weight) in rule.nodes().iter().zip(rule.weights()) {
                let place = Place::of(node(g) + deviation * x);
                let row = &mut row[place.first..];
                for (out, w) in row.iter_mut().zip(&place.weights) {
                    out[0] += weight * w[0];
                    out[1] += weight * x * w[1];
                }
            }
        }
        Self {
            deviation: [deviation, root, by_ratio],
            weights,
        }
    }
}

impl LookAhead {
    /// Solves the problem; `slopes` has the derivatives of each pay-off by what moves it.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for pay-offs that are too far from their mean.
    pub(crate) fn new(problem: &Participations, slopes: &[Vec<f64>]) -> Result<Self> {
        let Participations {
            horizon,
            discount,
            spread,
            ratio,
            ambiguity,
            ref payoffs,
        } = *problem;
        // The negation lets NaN through.
        let near = |[e, _]: &[f64; 2]| e.abs() <= FARTHEST;
        if !(payoffs.iter().all(near) && spread * ratio.sqrt() < 1e6) {
            return Err(Error::invalid_option(
                "payoffs",
                format!("{payoffs:?}"),
                format!("values at most {FARTHEST} taste shocks from their mean"),
            ));
        }
        let premium = 0.5 * ambiguity * spread * spread;
        let moved = slopes.first().map_or(0, Vec::len);
        let needed = 1 + STRUCTURE + moved;
        let width = (WIDTHS.into_iter().find(|w| *w >= needed)).unwrap_or(needed);
        let rule = gauss_hermite_normal(RULE)?;
        let moves: Vec<Move> = (0..horizon.saturating_sub(1))
            .map(|n| Move::new(&rule, spread, ratio, n))
            .collect();
        let places: Vec<Place> = (0..FINE)
            .map(|i| Place::of(STEP * i as f64 - REACH))
            .collect();
        let mut stages = vec![vec![]; horizon * (horizon + 1) / 2];
        // X = W − a F(z) of the next period, for each n: node by node, the value and its derivatives.
        let mut next = vec![vec![0.0; NODES * width]; horizon + 1];
        let mut annuity = 0.0;
        for t in (0..horizon).rev() {
            let mut now = Vec::with_capacity(t + 1);
            for n in 0..=t {
                let left = share(ratio, n);
                let mut excess = vec![0.0; NODES * width];
                let mut ahead = vec![0.0; NODES * width];
                for g in 0..NODES {
                    let z = node(g);
                    let stay = &next[n][g * width..(g + 1) * width];
                    let c = &mut ahead[g * width..(g + 1) * width];
                    if t + 1 < horizon {
                        moves[n].look_ahead(g, annuity, &next[n + 1], c);
                        c[0] -= annuity * gain(z);
                        c.iter_mut()
                            .zip(stay)
                            .for_each(|(c, s)| *c = discount * (*c - s));
                    }
                    let out = &mut excess[g * width..(g + 1) * width];
                    for ([e, p], slope) in payoffs.iter().zip(slopes) {
                        let v = z + e - premium * left[0] + c[0];
                        out[0] += p * gain(v);
                        let up = p * normal::cdf(v);
                        for (out, c) in out[1..].iter_mut().zip(&c[1..]) {
                            *out += up * c;
                        }
                        out[2] -= up * premium * left[1];
                        out[3] -= up * left[0];
                        for (out, s) in out[1 + STRUCTURE..].iter_mut().zip(slope) {
                            *out += up * s;
                        }
                    }
                    out[0] -= gain(z);
                    out.iter_mut()
                        .zip(stay)
                        .for_each(|(o, s)| *o += discount * s);
                }
                stages[t * (t + 1) / 2 + n] = refine(&places, &ahead, width);
                now.push(excess);
            }
            annuity = 1.0 + discount * annuity;
            now.resize(horizon + 1, vec![0.0; NODES * width]);
            next = now;
        }
        Ok(Self { width, stages })
    }

    /// The columns of the tables: the value, its derivatives, and zeros up to one of [`WIDTHS`].
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// `C_tn(z)` with its derivatives by the parameters, the first W columns, and that by z. Beyond the horizon all are zero.
    #[inline]
    pub(crate) fn read<const W: usize>(&self, t: usize, n: usize, z: f64) -> ([f64; W], f64) {
        let Some(stage) = self.stages.get(t * (t + 1) / 2 + n).filter(|_| n <= t) else {
            return ([0.0; W], 0.0);
        };
        let at = (z + REACH) / STEP;
        let last = (FINE - 1) as f64;
        let inside = at > 0.0 && at < last;
        let at = if at > 0.0 { at.min(last) } else { 0.0 };
        let first = (at as usize).saturating_sub(1).min(FINE - 4);
        let u = at - first as f64;
        let (a, b, c) = (u - 1.0, u - 2.0, u - 3.0);
        // Lagrange's cubic through 0, 1, 2, 3, and its derivative.
        let weights = [
            -a * b * c / 6.0,
            0.5 * u * b * c,
            -0.5 * u * a * c,
            u * a * b / 6.0,
        ];
        let slopes = [
            -(a * b + a * c + b * c) / 6.0,
            0.5 * (u * b + u * c + b * c),
            -0.5 * (u * a + u * c + a * c),
            (u * a + u * b + a * b) / 6.0,
        ];
        let (one, rest) = stage[first * self.width..].split_at(self.width);
        let (two, rest) = rest.split_at(self.width);
        let (three, four) = rest.split_at(self.width);
        let (one, two, three, four) = (&one[..W], &two[..W], &three[..W], &four[..W]);
        let mut value = [0.0; W];
        for k in 0..W {
            value[k] = weights[0] * one[k]
                + weights[1] * two[k]
                + weights[2] * three[k]
                + weights[3] * four[k];
        }
        let slope =
            slopes[0] * one[0] + slopes[1] * two[0] + slopes[2] * three[0] + slopes[3] * four[0];
        (value, if inside { slope / STEP } else { 0.0 })
    }
}

impl Move {
    /// `E W(z')` at node g, with its derivatives, from a and X of the next period.
    fn look_ahead(&self, g: usize, annuity: f64, next: &[f64], out: &mut [f64]) {
        let width = out.len();
        let [deviation, by_spread, by_ratio] = self.deviation;
        let scale = (1.0 + deviation * deviation).sqrt();
        let u = node(g) / scale;
        out[0] = annuity * scale * gain(u);
        let mut by_deviation = annuity * normal::pdf(u) * deviation / scale;
        let row = &self.weights[g * NODES..(g + 1) * NODES];
        for ([w, slope], x) in row.iter().zip(next.chunks(width)) {
            if w.abs() + slope.abs() > 0.0 {
                out.iter_mut().zip(x).for_each(|(o, x)| *o += w * x);
                by_deviation += slope * x[0];
            }
        }
        out[1] += by_deviation * by_spread;
        out[2] += by_deviation * by_ratio;
    }
}

/// The functions on the coarse grid, read on the fine one.
fn refine(places: &[Place], coarse: &[f64], width: usize) -> Vec<f64> {
    let mut fine = vec![0.0; FINE * width];
    for (place, out) in places.iter().zip(fine.chunks_mut(width)) {
        let rows = coarse[place.first * width..].chunks(width);
        for (w, row) in place.weights.iter().zip(rows) {
            out.iter_mut().zip(row).for_each(|(o, x)| *o += w[0] * x);
        }
    }
    fine
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> Participations {
        Participations {
            horizon: 4,
            discount: 0.9,
            spread: 1.2,
            ratio: 0.8,
            ambiguity: 0.5,
            payoffs: vec![[0.4, 0.5], [-0.4, 0.5]],
        }
    }

    /// `W_tn(z)` by recursion without a grid, a trapezoid over η.
    fn direct(p: &Participations, t: usize, n: usize, z: f64) -> [f64; 2] {
        if t == p.horizon {
            return [0.0; 2];
        }
        let (now, then) = (share(p.ratio, n)[0], share(p.ratio, n + 1)[0]);
        let (mut sum, mut total) = (0.0, 0.0);
        for k in -24..=24 {
            let x = 0.25 * f64::from(k);
            let weight = (-0.5 * x * x).exp();
            sum += weight * direct(p, t + 1, n + 1, z + p.spread * (now - then).sqrt() * x)[0];
            total += weight;
        }
        let stay = direct(p, t + 1, n, z)[0];
        let ahead = p.discount * (sum / total - stay);
        let premium = 0.5 * p.ambiguity * p.spread.powi(2) * now;
        let flow: f64 = (p.payoffs.iter())
            .map(|[e, w]| w * gain(z + e - premium + ahead))
            .sum();
        [flow + p.discount * stay, ahead]
    }

    #[test]
    fn values_are_those_of_brute_force() {
        let p = problem();
        let plan = p.plan().unwrap();
        for z in [-5.0, -1.3, 0.0, 0.43, 2.2, 6.0] {
            for (t, n) in [(0, 0), (1, 0), (1, 1), (3, 2)] {
                let (ours, theirs) = (plan.information(t, n, z), direct(&p, t, n, z)[1]);
                assert!((ours - theirs).abs() < 1e-5, "{t} {n} {z}: {ours} {theirs}");
            }
        }
    }

    #[test]
    fn derivatives_are_those_of_the_value() {
        let p = problem();
        let slopes = vec![vec![1.0], vec![-1.0]];
        let premium = |p: &Participations| 0.5 * p.ambiguity * p.spread.powi(2);
        // (s, κ, A, half the gap of pay-offs)
        let at = [p.spread, p.ratio, premium(&p), 0.4];
        let tables = |q: [f64; 4]| {
            let p = Participations {
                spread: q[0],
                ratio: q[1],
                ambiguity: 2.0 * q[2] / (q[0] * q[0]),
                payoffs: vec![[q[3], 0.5], [-q[3], 0.5]],
                ..problem()
            };
            LookAhead::new(&p, &slopes).unwrap()
        };
        let (base, h) = (tables(at), 1e-4);
        for z in [-1.7, 0.03, 0.9] {
            let (out, slope) = base.read::<5>(1, 1, z);
            let value = |tables: &LookAhead, z: f64| tables.read::<1>(1, 1, z).0[0];
            let by = (value(&base, z + h) - value(&base, z - h)) / (2.0 * h);
            assert!((slope - by).abs() < 1e-5, "{z}: {slope} {by}");
            for k in 0..4 {
                let moved = |s: f64| {
                    let mut q = at;
                    q[k] += s * h;
                    value(&tables(q), z)
                };
                let by = (moved(1.0) - moved(-1.0)) / (2.0 * h);
                assert!(
                    (out[1 + k] - by).abs() < 1e-6,
                    "{k} {z}: {} {by}",
                    out[1 + k]
                );
            }
        }
    }

    #[test]
    fn information_is_worth_what_it_may_change() {
        let base = Participations {
            ambiguity: 0.0,
            ..problem()
        };
        let worth = |p: Participations| p.plan().unwrap().information(0, 0, -0.3);
        assert!(worth(base.clone()) > 0.0);
        let more = Participations {
            spread: 2.4,
            ..base.clone()
        };
        assert!(worth(more) > worth(base.clone()));
        let longer = Participations {
            horizon: 8,
            ..base.clone()
        };
        assert!(worth(longer) > worth(base.clone()));
        let now = Participations {
            discount: 0.0,
            ..base.clone()
        };
        assert!(worth(now).abs() < 1e-15);
        for bad in [
            Participations {
                discount: 1.0,
                ..base.clone()
            },
            Participations {
                horizon: 0,
                ..base.clone()
            },
            Participations {
                ratio: f64::NAN,
                ..base.clone()
            },
            Participations {
                payoffs: vec![[0.0, 0.4]],
                ..base.clone()
            },
            Participations {
                payoffs: vec![[20.0, 1.0]],
                ..base
            },
        ] {
            assert!(matches!(bad.plan(), Err(Error::InvalidOption { .. })));
        }
    }
}
