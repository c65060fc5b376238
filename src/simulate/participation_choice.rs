//! What one customer of the static process does, given belief, ability and terms.

use super::chosen_effort::{Plan, density_and_tail};
use crate::decision::{Belief, Signals, option};
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
/// g = ln(1+e). Tests hold it to that type.
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
    /// Signals between payment and work.
    pub interim: Signals,
    /// Whether effort is wanted of those too who give up whatever it is.
    pub thorough: bool,
    /// γθ/c and its logarithm, by [`Problem::prepared`].
    pub reach: f64,
    pub highest: f64,
}

/// A belief in plain numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Known {
    pub mean: f64,
    pub variance: f64,
}

impl Known {
    /// The belief after signals of this average: [`Belief::update`] with the gain taken apart.
    #[inline]
    pub(super) fn updated(self, signals: Signals, average: f64) -> Self {
        let information = f64::from(signals.count()) * self.variance;
        let gain = if information > 0.0 {
            information / (information + signals.variance())
        } else {
            0.0
        };
        Self {
            mean: self.mean + gain * (average - self.mean),
            variance: self.variance * (1.0 - gain),
        }
    }
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
    /// The belief with which the work is begun, or not.
    pub standing: Known,
    /// Local optima of the effort problem.
    pub optima: f64,
}

#[inline]
fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

impl Problem {
    /// With what does not depend on beliefs computed: γθ/c is one plus the effort at which a sure unit of quality pays;
    /// one or less where no effort does.
    #[inline]
    pub(super) fn prepared(mut self) -> Self {
        self.reach = self.effort_return * self.taste / self.mental;
        // Without a return NaN where the mental cost is zero too.
        if !(self.effort_return > 0.0 && self.reach > 1.0) {
            self.reach = 1.0;
        }
        self.highest = self.reach.ln();
        self
    }

    /// The decision and its outcome. `average` is that of the interim signals; without them it does not matter.
    #[inline]
    pub(super) fn choose(
        &self,
        timing: PurchaseTiming,
        belief: Known,
        ability: f64,
        average: f64,
    ) -> Choice {
        match timing {
            PurchaseTiming::AfterPurchase => self.after(belief, ability, average),
            PurchaseTiming::BeforePurchase => self.before(belief, ability),
        }
    }

    /// Mean utility over u_0 of this choice at the true ability, of those who come.
    #[inline]
    pub(super) fn experienced(&self, timing: PurchaseTiming, choice: &Choice, ability: f64) -> f64 {
        let expected = ability + (self.effort_return * choice.log_effort - self.difficulty);
        let effort = self.mental * choice.effort;
        match timing {
            PurchaseTiming::AfterPurchase => {
                let payment = if choice.true_success.is_nan() {
                    0.0
                } else {
                    self.guarantee * (1.0 - choice.true_success)
                };
                let inner = if choice.participates > 0.5 {
                    self.taste * expected + payment - effort - self.material
                } else {
                    self.abandon
                };
                choice.buys * (inner - self.price - self.outside)
            }
            PurchaseTiming::BeforePurchase if choice.participates > 0.5 => {
                // The mean of max{θq − strike, 0}, where only the task noise is left.
                let strike = self.price + self.outside;
                option(0.0, self.taste * expected - strike, self.taste) - effort - self.material
            }
            PurchaseTiming::BeforePurchase => 0.0,
        }
    }

    /// Φ of the success index at the true ability.
    #[inline]
    pub(super) fn true_success(&self, ability: f64, log_effort: f64) -> f64 {
        success_probability(ability + self.effort_return * log_effort - self.difficulty)
    }

    /// π = Φ(μ/√(1+v)).
    #[inline]
    pub(super) fn believed_success(&self, belief: Known, log_effort: f64) -> f64 {
        let mu = belief.mean + self.effort_return * log_effort - self.difficulty;
        success_probability(mu / (1.0 + belief.variance).sqrt())
    }

    /// What going on is worth to one who has paid: G0 − C, with the effort of this belief.
    #[inline]
    fn worth_after(&self, belief: Known) -> (f64, Plan) {
        let plan = self.plan_after(belief);
        let worth = self.worth_uninsured(belief, plan.effort, plan.log_effort);
        (worth + plan.guaranteed, plan)
    }

    /// The same at this effort, without the guarantee.
    #[inline]
    pub(super) fn worth_uninsured(&self, belief: Known, effort: f64, log_effort: f64) -> f64 {
        let mu = belief.mean + self.effort_return * log_effort - self.difficulty;
        let (r, alpha) = (self.risk_aversion, self.ambiguity_aversion);
        let risk = 0.5 * self.taste * self.taste * (r + alpha * belief.variance);
        self.taste * mu - risk - self.mental * effort - self.material
    }

    #[inline]
    fn after(&self, belief: Known, ability: f64, average: f64) -> Choice {
        let signals = self.interim.count() > 0;
        let standing = if signals {
            belief.updated(self.interim, average)
        } else {
            belief
        };
        let (inner, plan) = self.worth_after(standing);
        let value = if signals {
            self.worth_before_signals(belief)
        } else {
            inner.max(self.abandon)
        };
        let lift = self.effort_return * plan.log_effort - self.difficulty;
        let wtp = value - self.outside;
        let buys = wtp > self.price;
        let participates = buys && inner > self.abandon;
        let quality = ability + lift + self.task_noise;
        let insured = participates && self.guarantee > 0.0;
        let true_success = if insured {
            success_probability(ability + lift)
        } else {
            f64::NAN
        };
        Choice {
            buys: flag(buys),
            participates: flag(participates),
            effort: plan.effort,
            log_effort: plan.log_effort,
            quality,
            success: flag(quality > 0.0),
            true_success,
            wtp,
            anticipated: (wtp - self.price).max(0.0),
            standing,
            optima: plan.optima,
        }
    }

    /// `−(1/α) ln E_{m'} exp(−α max{G0(m', v') − C, L_0})` over the customer's own forecast of the belief after the
    /// interim signals: closed form without a guarantee, where effort does not depend on the belief, else by quadrature.
    #[cold]
    fn worth_before_signals(&self, belief: Known) -> f64 {
        let alpha = self.ambiguity_aversion;
        let Ok(law) = Belief::new(belief.mean, belief.variance).map(|b| b.forecast(self.interim))
        else {
            return f64::NAN;
        };
        let at = |m: f64| {
            let posterior = Known {
                mean: m,
                variance: law.posterior_variance(),
            };
            self.worth_after(posterior).0 - self.abandon
        };
        let gain = if self.guarantee > 0.0 {
            let loss = law.expect(|posterior| {
                let more = at(posterior.mean());
                let gain = more.max(0.0);
                let loss = if alpha > 0.0 {
                    (-alpha * gain).exp_m1()
                } else {
                    gain
                };
                (loss, more > 0.0)
            });
            if alpha > 0.0 {
                -loss.ln_1p() / alpha
            } else {
                loss
            }
        } else {
            option(alpha, at(law.mean()), self.taste * law.variance().sqrt())
        };
        self.abandon + gain
    }

    #[inline]
    fn before(&self, belief: Known, ability: f64) -> Choice {
        let strike = self.price + self.outside;
        let (surplus, plan) = self.plan_before(belief, strike);
        let designs = surplus > 0.0;
        let lift = self.effort_return * plan.log_effort - self.difficulty;
        let quality = ability + lift + self.task_noise;
        let buys = designs && self.taste * quality > strike;
        Choice {
            buys: flag(buys),
            participates: flag(designs),
            effort: plan.effort,
            log_effort: plan.log_effort,
            quality,
            success: flag(quality > 0.0),
            true_success: f64::NAN,
            wtp: self.taste * quality - self.outside,
            anticipated: surplus.max(0.0),
            standing: belief,
            optima: plan.optima,
        }
    }
}

/// Φ from one exponential.
#[inline]
fn success_probability(index: f64) -> f64 {
    density_and_tail(-index).1
}
