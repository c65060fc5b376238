//! What one customer of the static process does, given belief, ability and terms.

use crate::decision::{option, option_with_slopes};
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// When the customer pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PurchaseTiming {
    /// Design first, see the quality, then decide: the price is an option. The customer designs when
    /// `−C + CE[max{θq − p − u_0, 0}] > 0`, and buys when the quality seen has `θq − p > u_0`.
    BeforePurchase,
    /// Pay first, co-create later: the price is sunk. The customer buys when `max{G0 − C, L_0} − p > u_0`, and then
    /// takes part when `G0 − C > L_0`.
    AfterPurchase,
}

/// One customer's problem in plain numbers. It is [`crate::decision::Situation`] at forms 3 and 4, taken apart so
/// that millions of customers a second can be decided: logarithms and roots are taken once, and effort is carried as
/// g = ln(1+e). A test holds it to that type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    /// θ.
    pub taste: f64,
    /// γ.
    pub effort_return: f64,
    /// d.
    pub difficulty: f64,
    /// c_m and c_0 after the tool.
    pub mental: f64,
    pub material: f64,
    /// r and α ≥ r; α = r is form 3.
    pub risk_aversion: f64,
    pub ambiguity_aversion: f64,
    /// G.
    pub guarantee: f64,
    /// p less the coupon.
    pub price: f64,
    /// u_0 and L_0 of this customer.
    pub outside: f64,
    pub abandon: f64,
    /// ξ.
    pub task_noise: f64,
    /// [`Problem::most_effort`] as g = ln(1+e), taken once for all beliefs.
    pub highest: f64,
}

/// A belief in plain numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub mean: f64,
    pub variance: f64,
}

/// What happens. Flags are 0 or 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub buys: f64,
    pub participates: f64,
    pub effort: f64,
    /// ln(1+e).
    pub log_effort: f64,
    pub quality: f64,
    pub success: f64,
    /// Φ(a + γg − d) where the firm's or the customer's money depends on it, else NaN.
    pub true_success: f64,
    /// The largest price at which the customer buys.
    pub wtp: f64,
    /// Certainty equivalent over u_0, as anticipated; zero for those who stay away.
    pub anticipated: f64,
    /// Mean utility over u_0 at the true ability, of those who come.
    pub experienced: f64,
}

fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

/// φ(h) and Φ(−h) from one exponential.
#[inline]
fn density_and_tail(h: f64) -> (f64, f64) {
    let x = h.abs();
    let density = normal::pdf(x);
    // Far out both underflow; their ratio does not.
    let tail = density / normal::upper_inverse_mills(x);
    (density, if h >= 0.0 { tail } else { 1.0 - tail })
}

impl Problem {
    /// With what does not depend on beliefs computed.
    #[inline]
    pub(super) fn prepared(mut self) -> Self {
        self.highest = self.most_effort().ln_1p();
        self
    }

    /// The decision and its outcome.
    #[inline]
    pub(super) fn choose(&self, timing: PurchaseTiming, belief: Known, ability: f64) -> Choice {
        match timing {
            PurchaseTiming::AfterPurchase => self.after(belief, ability),
            PurchaseTiming::BeforePurchase => self.before(belief, ability),
        }
    }

    /// Φ of the success index at the true ability.
    pub(super) fn true_success(&self, ability: f64, log_effort: f64) -> f64 {
        normal::cdf(ability + self.effort_return * log_effort - self.difficulty)
    }

    /// π = Φ(μ/√(1+v)).
    pub(super) fn believed_success(&self, belief: Known, log_effort: f64) -> f64 {
        let mu = belief.mean + self.effort_return * log_effort - self.difficulty;
        normal::cdf(mu / (1.0 + belief.variance).sqrt())
    }

    /// The effort at which a sure unit of quality pays, and ln(γθ/c), the same as g; zero where no effort does.
    fn most_effort(&self) -> f64 {
        if self.effort_return > 0.0 {
            (self.effort_return * self.taste / self.mental - 1.0).max(0.0)
        } else {
            0.0
        }
    }

    fn after(&self, belief: Known, ability: f64) -> Choice {
        let (log_effort, guaranteed) = self.effort_after(belief);
        let effort = if guaranteed > 0.0 {
            log_effort.exp_m1()
        } else {
            self.most_effort()
        };
        let lift = self.effort_return * log_effort - self.difficulty;
        let (r, alpha) = (self.risk_aversion, self.ambiguity_aversion);
        let risk = 0.5 * self.taste * self.taste * (r + alpha * belief.variance);
        let cost = self.mental * effort + self.material;
        let inner = self.taste * (belief.mean + lift) - risk + guaranteed - cost;
        let value = inner.max(self.abandon);
        let wtp = value - self.outside;
        let buys = wtp > self.price;
        let participates = buys && inner > self.abandon;
        let quality = ability + lift + self.task_noise;
        let insured = participates && self.guarantee > 0.0;
        let true_success = if insured {
            normal::cdf(ability + lift)
        } else {
            f64::NAN
        };
        let payment = if insured {
            self.guarantee * (1.0 - true_success)
        } else {
            0.0
        };
        let expected = if participates {
            self.taste * (ability + lift) + payment - cost
        } else {
            self.abandon
        };
        Choice {
            buys: flag(buys),
            participates: flag(participates),
            effort,
            log_effort,
            quality,
            success: flag(quality > 0.0),
            true_success,
            wtp,
            anticipated: (wtp - self.price).max(0.0),
            experienced: flag(buys) * (expected - self.price - self.outside),
        }
    }

    /// The effort of one who has paid, as g = ln(1+e), and what the guarantee is worth at it. The first-order
    /// condition is `γ(θ + s(g)) = c·e^g`, where s ≤ 0 is the slope of the guarantee's worth (moral hazard): closed
    /// form without a guarantee, else Newton's method from the effort without one, or the corner.
    ///
    /// With k = 1 − e^{−rG}, `L(h) = −(1/r) ln[1 − kΦ(−h)]`, `L' = −(k/r) φ(h)/[1 − kΦ(−h)]`, `L'' = −L'·(h − rL')`.
    /// A guarantee comes with form 3 only, where α = r.
    fn effort_after(&self, belief: Known) -> (f64, f64) {
        const STEPS: usize = 12;
        /// Steps converge quadratically: after one of this size about 1e-11 is left.
        const CLOSE: f64 = 1e-5;
        /// Below, k/r is G to the last digit but two.
        const NEUTRAL: f64 = 1e-9;
        let highest = self.highest;
        if self.guarantee <= 0.0 {
            return (highest, 0.0);
        }
        let a = self.risk_aversion;
        let k = -(-a * self.guarantee).exp_m1();
        let k_over_a = if a > NEUTRAL { k / a } else { self.guarantee };
        let root = (1.0 + belief.variance).sqrt();
        let gamma = self.effort_return / root;
        let base = (belief.mean - self.difficulty) / root - a * self.taste * root;
        let worth = |h: f64| {
            let (_, fails) = density_and_tail(h);
            if a > NEUTRAL {
                -(-k * fails).ln_1p() / a
            } else {
                self.guarantee * fails
            }
        };
        if highest <= 0.0 {
            return (0.0, worth(base));
        }
        // F(g) = ln(1 + s(g)/θ) + highest − g, falling where the optimum is one.
        let mut g = highest;
        for _ in 0..STEPS {
            let h = base + gamma * g;
            let (density, fails) = density_and_tail(h);
            let slope = -k_over_a * density / (1.0 - k * fails);
            let share = 1.0 + slope / root / self.taste;
            if share <= 0.0 {
                g *= 0.5;
                continue;
            }
            let curvature = -slope * (h - a * slope) * gamma / root;
            let f = share.ln() + highest - g;
            let step = f / (1.0 - curvature / (self.taste * share)).max(0.5);
            let to = (g + step).clamp(0.0, highest);
            let done = (to - g).abs() < CLOSE;
            g = to;
            if done {
                break;
            }
        }
        (g, worth(base + gamma * g))
    }

    fn before(&self, belief: Known, ability: f64) -> Choice {
        let tau = self.taste * (1.0 + belief.variance).sqrt();
        let strike = self.price + self.outside;
        let log_effort = self.effort_before(belief, tau, strike);
        let effort = log_effort.exp_m1();
        let surplus = self.worth_before(belief, tau, strike, log_effort);
        let designs = surplus > 0.0;
        let lift = self.effort_return * log_effort - self.difficulty;
        let quality = ability + lift + self.task_noise;
        let buys = designs && self.taste * quality > strike;
        // The mean of max{θq − strike, 0} at the true ability, where only the task noise is left.
        let experienced = if designs {
            let expected = option(0.0, self.taste * (ability + lift) - strike, self.taste);
            expected - self.mental * effort - self.material
        } else {
            0.0
        };
        Choice {
            buys: flag(buys),
            participates: flag(designs),
            effort,
            log_effort,
            quality,
            success: flag(quality > 0.0),
            true_success: f64::NAN,
            wtp: self.taste * quality - self.outside,
            anticipated: surplus.max(0.0),
            experienced,
        }
    }

    /// −C + CE[max{θq − p − u_0, 0}] at this effort.
    fn worth_before(&self, belief: Known, tau: f64, strike: f64, g: f64) -> f64 {
        let mu = belief.mean + self.effort_return * g - self.difficulty;
        option(self.risk_aversion, self.taste * mu - strike, tau)
            - self.mental * g.exp_m1()
            - self.material
    }

    /// The effort of one who will see the quality before paying, as g: the gain from effort counts only where the
    /// design is bought, so the first-order condition is `γθ·B(g) = c·e^g` with the probability-like weight B of
    /// buying. The largest root is found from above (the map is increasing, and steps are lengthened by Aitken's
    /// rule) and compared with the corner e = 0.
    fn effort_before(&self, belief: Known, tau: f64, strike: f64) -> f64 {
        const STEPS: usize = 12;
        const CLOSE: f64 = 1e-6;
        let highest = self.highest;
        if highest <= 0.0 {
            return 0.0;
        }
        let next = |g: f64| {
            let mu = belief.mean + self.effort_return * g - self.difficulty;
            let weight =
                option_with_slopes(self.risk_aversion, self.taste * mu - strike, tau).by_mean;
            (weight.ln() + highest).max(0.0)
        };
        let mut g = highest;
        for _ in 0..STEPS {
            let first = next(g);
            let second = next(first);
            let (gap, bend) = (first - g, second - 2.0 * first + g);
            // From above the steps shorten; where they do not, the plain map goes on.
            let lengthened = g - gap * gap / bend;
            let to = if bend > 0.0 && lengthened < second && lengthened > 0.0 {
                lengthened
            } else {
                second
            };
            let done = (to - g).abs() < CLOSE;
            g = to;
            if done {
                break;
            }
        }
        let inner = self.worth_before(belief, tau, strike, g);
        if inner > self.worth_before(belief, tau, strike, 0.0) {
            g
        } else {
            0.0
        }
    }
}
