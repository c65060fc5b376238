//! The effort of one customer of the static process, found with few evaluations of the normal distribution.
//!
//! Both first-order conditions have all their derivatives in closed form once φ and Φ are known, so that Halley's
//! method (third order) needs two or three evaluations, and Taylor's formula carries the value over the last step.

use super::participation_choice::{Known, Problem};
use crate::decision::{
    AfterPurchase, Belief, Cost, Preferences, Situation, Task, Terms, Timing, option_with_slopes,
};
use crate::numeric::special::error_function::erfcx;

/// The effort chosen, and what comes with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// e.
    pub effort: f64,
    /// g = ln(1+e).
    pub log_effort: f64,
    /// What the guarantee is worth at it.
    pub guaranteed: f64,
    /// Local optima of the problem.
    pub optima: f64,
}

impl Plan {
    const NONE: Self = Self {
        effort: 0.0,
        log_effort: 0.0,
        guaranteed: 0.0,
        optima: 1.0,
    };
}

/// 1/√(2π).
const DENSITY_AT_ZERO: f64 = 0.398_942_280_401_432_7;

/// φ(h) and Φ(−h) from one exponential.
#[inline]
pub(super) fn density_and_tail(h: f64) -> (f64, f64) {
    let kernel = (-0.5 * h * h).exp();
    let tail = 0.5 * kernel * erfcx(h.abs() * std::f64::consts::FRAC_1_SQRT_2);
    let tail = if h >= 0.0 { tail } else { 1.0 - tail };
    (DENSITY_AT_ZERO * kernel, tail)
}

/// Steps shorter than this are the last: errors are cubed at each, so that about 1e-11 is left.
const CLOSE: f64 = 2e-4;
/// More steps than any problem takes that has a solution; from a bracket they are halvings at worst.
const STEPS: usize = 60;

/// A guarantee as CARA r values it: with k = 1 − e^{−rG}, `L(h) = −(1/r) ln[1 − kΦ(−h)]`.
#[derive(Clone, Copy, Debug)]
struct Guarantee {
    r: f64,
    k: f64,
    /// k/r, and G for the risk neutral.
    scale: f64,
    amount: f64,
}

/// L and its derivatives at a point: `L' = −(k/r) φ/[1 − kΦ(−h)]`, `L'' = −L'(h − rL')`,
/// `L‴ = −L''(h − 2rL') − L'`.
#[derive(Clone, Copy, Debug)]
struct Insured {
    fails: f64,
    first: f64,
    second: f64,
    third: f64,
}

impl Guarantee {
    #[inline]
    fn new(r: f64, amount: f64) -> Self {
        /// Below, k/r is G to the last digit but two.
        const NEUTRAL: f64 = 1e-9;
        if r > NEUTRAL {
            let k = -(-r * amount).exp_m1();
            Self {
                r,
                k,
                scale: k / r,
                amount,
            }
        } else {
            Self {
                r: 0.0,
                k: 0.0,
                scale: amount,
                amount,
            }
        }
    }

    #[inline]
    fn at(&self, h: f64) -> Insured {
        let (density, fails) = density_and_tail(h);
        let first = -self.scale * density / (1.0 - self.k * fails);
        let second = -first * (h - self.r * first);
        Insured {
            fails,
            first,
            second,
            third: -second * (h - 2.0 * self.r * first) - first,
        }
    }

    #[inline]
    fn worth(&self, fails: f64) -> f64 {
        if self.r > 0.0 {
            -(-self.k * fails).ln_1p() / self.r
        } else {
            self.amount * fails
        }
    }

    /// A bound on L'': `Kφh + rK²φ²` at its largest, with K = (k/r)/(1 − k).
    #[inline]
    fn steepest_bend(&self) -> f64 {
        /// max φ(h)h, at h = 1, and φ(0)².
        const FIRST: f64 = 0.241_970_724_519_143_4;
        const SECOND: f64 = 0.159_154_943_091_895_35;
        let most = self.scale / (1.0 - self.k);
        most * (FIRST + self.r * most * SECOND)
    }
}

impl Problem {
    /// The effort of one who has paid. The first-order condition is `1 + L'(h)/(θ√(1+v)) = e^x` in
    /// `x = g − ln(γθ/c) ≤ 0`, where L is what the guarantee is worth (moral hazard: L' ≤ 0): closed form without a
    /// guarantee, else the corner or the one root; where there may be several, all are looked for. A guarantee comes
    /// with form 3 only, where α = r.
    #[inline]
    pub(super) fn plan_after(&self, belief: Known) -> Plan {
        let useful = self.reach > 1.0;
        if self.guarantee <= 0.0 {
            return if useful {
                Plan {
                    effort: self.reach - 1.0,
                    log_effort: self.highest,
                    ..Plan::NONE
                }
            } else {
                Plan::NONE
            };
        }
        let guarantee = Guarantee::new(self.risk_aversion, self.guarantee);
        let total = 1.0 + belief.variance;
        let inverse = 1.0 / total.sqrt();
        let base = (belief.mean - self.difficulty) * inverse
            - self.risk_aversion * self.taste * (total * inverse);
        if !useful {
            return Plan {
                guaranteed: guarantee.worth(density_and_tail(base).1),
                ..Plan::NONE
            };
        }
        // The slope of the condition is negative for all efforts, so that one optimum is all there is.
        let gamma = self.effort_return;
        if gamma * gamma * guarantee.steepest_bend() >= self.mental * total {
            return self.the_best_root(&guarantee, belief, base, gamma * inverse);
        }
        // Not even a guarantee that pays for sure, on top of the best work without one, keeps this customer.
        let most = self.worth_uninsured(belief, self.reach - 1.0, self.highest) + self.guarantee;
        if !self.thorough && most <= self.abandon {
            return Plan {
                guaranteed: f64::NEG_INFINITY,
                ..Plan::NONE
            };
        }
        self.the_root(&guarantee, base, gamma * inverse, inverse / self.taste)
    }

    /// Halley's method from x = 0, the effort without a guarantee, in a bracket; the lower end is the corner.
    #[inline]
    fn the_root(&self, guarantee: &Guarantee, base: f64, rise: f64, unit: f64) -> Plan {
        let highest = self.highest;
        let corner = -highest;
        let (mut low, mut high) = (corner, 0.0);
        let (mut x, mut power) = (0.0_f64, 1.0);
        let mut plan = Plan::NONE;
        for _ in 0..STEPS {
            let at = guarantee.at(base + rise * (highest + x));
            let f = 1.0 + unit * at.first - power;
            let f1 = unit * rise * at.second - power;
            let f2 = unit * rise * rise * at.third - power;
            if f > 0.0 {
                low = x;
            } else {
                high = x;
            }
            let curved = f1 * f1 - 0.5 * f * f2;
            let mut step = if curved > 0.0 {
                -f * f1 / curved
            } else {
                -f / f1
            };
            if x + step > high || x + step < low {
                // Outside: the corner where it is the end, else the middle.
                let to = if x > corner && low <= corner {
                    corner
                } else {
                    0.5 * (low + high)
                };
                step = to - x;
            }
            if step.abs() < CLOSE {
                x += step;
                let lift = rise * step;
                let guaranteed = guarantee.worth(at.fails)
                    + lift * (at.first + lift * (0.5 * at.second + lift * at.third / 6.0));
                let inside = x > corner;
                let grown = 1.0 + step * (1.0 + step * (0.5 + step * (1.0 / 6.0 + step / 24.0)));
                plan = Plan {
                    effort: if inside {
                        self.reach * (power * grown) - 1.0
                    } else {
                        0.0
                    },
                    log_effort: if inside { highest + x } else { 0.0 },
                    guaranteed,
                    optima: 1.0,
                };
                break;
            }
            x += step;
            power = x.exp();
        }
        plan
    }

    /// The best of all local optima, by the search of the decision room.
    #[cold]
    fn the_best_root(&self, guarantee: &Guarantee, belief: Known, base: f64, rise: f64) -> Plan {
        let search = || {
            let cost = Cost {
                mental: self.mental,
                material: 0.0,
                relief: 0.0,
            };
            let task = Task {
                difficulty: self.difficulty,
                effort_return: self.effort_return,
            };
            let terms = Terms {
                guarantee: self.guarantee,
                taste: self.taste,
                ..Terms::default()
            };
            let preferences = Preferences::continuous_cara(self.risk_aversion)?;
            let situation = Situation::new(preferences, cost, task, terms)?;
            let belief = Belief::new(belief.mean, belief.variance)?;
            AfterPurchase::without_signal().effort_choice(&situation, belief)
        };
        // Parameters are checked before the first customer; what overflows shows in the oracle as not finite.
        let (effort, optima) = search().map_or((f64::NAN, f64::NAN), |choice| {
            (choice.effort, choice.local_optima.len() as f64)
        });
        let log_effort = effort.ln_1p();
        Plan {
            effort,
            log_effort,
            guaranteed: guarantee.worth(density_and_tail(base + rise * log_effort).1),
            optima,
        }
    }

    /// The effort of one who will see the quality before paying, and the surplus −C + CE[max{θq − strike, 0}].
    ///
    /// The gain from effort counts only where the design is bought, so the first-order condition is
    /// `F(g) = ln B(g) + ln(γθ/c) − g = 0` with the probability-like weight B of buying. ln B is concave in quality:
    /// the larger root of F is the only inner maximum, Newton's steps from above do not pass it, and the corner e = 0
    /// is the other optimum where F(0) ≤ 0.
    #[inline]
    pub(super) fn plan_before(&self, belief: Known, strike: f64) -> (f64, Plan) {
        let option = Right {
            r: self.risk_aversion,
            tau: self.taste * (1.0 + belief.variance).sqrt(),
        };
        let base = self.taste * (belief.mean - self.difficulty) - strike;
        let corner = option.at(base);
        let idle = || (option.value(&corner) - self.material, Plan::NONE);
        let pays = self.reach > 1.0;
        let root = pays.then(|| self.larger_root(option, base, &corner));
        let Some((surplus, log_effort)) = root.flatten() else {
            return idle();
        };
        let falls = corner.weight * self.reach <= 1.0;
        // Where the first effort gains, the root is the one optimum.
        let optima = if falls { 2.0 } else { 1.0 };
        if falls {
            let (most, plan) = idle();
            if most >= surplus {
                return (most, Plan { optima, ..plan });
            }
        }
        let plan = Plan {
            effort: log_effort.exp_m1(),
            log_effort,
            guaranteed: 0.0,
            optima,
        };
        (surplus, plan)
    }

    /// The larger root of F above zero and the surplus there, from what is known at the corner.
    #[inline]
    fn larger_root(&self, option: Right, base: f64, corner: &Exercise) -> Option<(f64, f64)> {
        let (rise, highest) = (self.taste * self.effort_return, self.highest);
        let at_corner = corner.weight.ln();
        if at_corner + highest <= 0.0 && rise * corner.slope <= 1.0 {
            // A concave function that is negative and does not rise.
            return None;
        }
        let mut g = foreseen_root(at_corner, corner, rise, highest);
        let (mut low, mut from_above) = (0.0, false);
        for _ in 0..STEPS {
            let at = option.at(base + rise * g);
            let f = at.weight.ln() + highest - g;
            let f1 = rise * at.slope - 1.0;
            let f2 = rise * rise * at.bend;
            if f > 0.0 {
                low = g;
            } else if f1 >= 0.0 {
                // Left of the top, where the function is negative. Newton's steps from above do not pass a root.
                if from_above {
                    return None;
                }
                (g, from_above) = (highest, true);
                continue;
            }
            let newton = -f / f1;
            let curved = f1 * f1 - 0.5 * f * f2;
            let halley = -f * f1 / curved;
            let mut to = if f1 < 0.0 && curved > 0.0 && g + halley > low && !from_above {
                g + halley
            } else if f1 < 0.0 {
                g + newton
            } else {
                // Beyond a root that a step of Halley's has passed, and beyond the top too.
                0.5 * (g + highest)
            };
            if to <= low {
                if low <= 0.0 {
                    return None;
                }
                to = 0.5 * (low + g);
            }
            let step = to - g;
            if step.abs() < CLOSE {
                let lift = rise * step;
                let (b, q) = (at.weight, at.slope);
                let third = b * (q * q + at.bend);
                let value =
                    option.value(&at) + lift * (b + lift * (0.5 * b * q + lift * third / 6.0));
                return Some((value - self.mental * to.exp_m1() - self.material, to));
            }
            g = to;
        }
        None
    }
}

/// Where the larger root of F is expected: `−ln B` is taken to fall like `c·exp(−kg − mg²/2)`, which has its value and two
/// derivatives at the corner. One without a root begins at the highest effort, which no root exceeds.
#[inline]
fn foreseen_root(at_corner: f64, corner: &Exercise, rise: f64, highest: f64) -> f64 {
    let c = -at_corner;
    let k = rise * corner.slope / c;
    let m = k * k + rise * rise * corner.bend / c;
    let mut g = highest;
    for _ in 0..2 {
        let left = c * (-g * (k + 0.5 * m * g)).exp();
        let fall = k + m * g;
        let f = highest - g - left;
        let f1 = left * fall - 1.0;
        let f2 = left * (m - fall * fall);
        let to = g - f * f1 / (f1 * f1 - 0.5 * f * f2);
        if !(f1 < 0.0 && to > 0.0 && to < highest) {
            return highest;
        }
        g = to;
    }
    g
}

/// The right to take X ~ N(w, τ²) or leave it, to CARA r.
#[derive(Clone, Copy, Debug)]
struct Right {
    r: f64,
    tau: f64,
}

/// What [`Right::value`] is made of, the derivative B of that with respect to w, and two derivatives of ln B.
#[derive(Clone, Copy, Debug)]
struct Exercise {
    /// A; of the nearly risk neutral the certainty equivalent itself.
    all: f64,
    weight: f64,
    slope: f64,
    bend: f64,
}

impl Right {
    /// Risk aversion below which −ln A/r has lost four digits.
    const SMALL: f64 = 1e-2;

    /// The certainty equivalent.
    #[inline]
    fn value(self, at: &Exercise) -> f64 {
        if self.r > Self::SMALL {
            -at.all.ln() / self.r
        } else {
            at.all
        }
    }

    /// With `z = w/τ`, `s = z − rτ`, `E = φ(z)Φ(s)/φ(s)` and `A = Φ(−z) + E`: `−ln A/r`, `B = E/A`,
    /// `(ln B)' = λ/τ − r(1 − B)` with `λ = φ(z)/E = φ(s)/Φ(s)`, `λ' = −λ(s + λ)/τ`.
    #[inline]
    fn at(self, w: f64) -> Exercise {
        let Self { r, tau } = self;
        let z = w / tau;
        let s = z - r * tau;
        let (all, weight, lambda) = if r > Self::SMALL {
            let (density, stays) = density_and_tail(z);
            let mills = 0.5 / DENSITY_AT_ZERO * erfcx(s.abs() * std::f64::consts::FRAC_1_SQRT_2);
            let exercised = if s > 0.0 {
                (r * (0.5 * r * tau * tau - w)).exp() - density * mills
            } else {
                density * mills
            };
            let all = stays + exercised;
            // Far down density and E underflow; their ratio does not.
            let lambda = if s > 0.0 {
                density / exercised
            } else {
                1.0 / mills
            };
            (all, exercised / all, lambda)
        } else {
            let at = option_with_slopes(r, w, tau);
            let lambda = crate::numeric::special::normal::inverse_mills(s);
            (at.value, at.by_mean, lambda)
        };
        let slope = lambda / tau - r * (1.0 - weight);
        Exercise {
            all,
            weight,
            slope,
            bend: -lambda * (s + lambda) / (tau * tau) + r * weight * slope,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn effort_before_the_purchase_is_the_best_of_all(
            (taste, effort_return, mental) in (0.1..5.0_f64, 0.0..3.0_f64, 0.01..5.0_f64),
            (mean, variance, strike) in (-6.0..6.0_f64, 0.01..4.0_f64, -5.0..5.0_f64),
            r in prop::sample::select(vec![0.0, 0.005, 0.02, 0.3, 1.0, 4.0]),
        ) {
            let problem = Problem {
                taste,
                effort_return,
                difficulty: 0.2,
                mental,
                material: 0.1,
                risk_aversion: r,
                ambiguity_aversion: r,
                guarantee: 0.0,
                price: strike,
                outside: 0.0,
                abandon: 0.0,
                task_noise: 0.0,
                interim: crate::decision::Signals::NONE,
                thorough: true,
                reach: 1.0,
                highest: 0.0,
            }
            .prepared();
            let (surplus, plan) = problem.plan_before(Known { mean, variance }, strike);
            let right = Right { r, tau: taste * (1.0 + variance).sqrt() };
            let at = |g: f64| {
                let w = taste * (mean + effort_return * g - 0.2) - strike;
                right.value(&right.at(w)) - mental * g.exp_m1() - 0.1
            };
            let most = plan.log_effort.max(problem.highest);
            let best = (0..=400).map(|i| at(most * f64::from(i) / 400.0)).fold(f64::MIN, f64::max);
            let scale = 1e-9 * (1.0 + best.abs() + mental * most.exp());
            prop_assert!((surplus - at(plan.log_effort)).abs() < scale, "{surplus} {plan:?}");
            prop_assert!(surplus > best - scale, "{surplus} {best} {plan:?}");
        }
    }
}
