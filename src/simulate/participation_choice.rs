//! What one customer of the static process does, given belief, ability and terms.

use crate::decision::{Belief, Form, Situation, lottery_slope, option};
use serde::{Deserialize, Serialize};

/// When the customer pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PurchaseTiming {
    /// Design first, see the quality, then decide: the price is an option. The customer designs when
    /// `−C + CE[max{θq − p − u_0, 0}] > 0`, and buys when the quality seen has `θq − p > u_0`.
    BeforePurchase,
    /// Pay first, co-create later: the price is sunk. The customer buys when `max{G0 − C, L_0} − p > u_0`, and then takes part when
    /// `G0 − C > L_0`.
    AfterPurchase,
}

/// The draws that decide what happens once the customer has chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shocks {
    /// ξ.
    pub task_noise: f64,
}

/// What happens. Flags are 0 or 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub buys: f64,
    pub participates: f64,
    pub effort: f64,
    pub quality: f64,
    pub success: f64,
    pub believed_success: f64,
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

/// The decision and its outcome.
#[inline]
pub(super) fn choose(
    timing: PurchaseTiming,
    situation: &Situation,
    belief: Belief,
    ability: f64,
    shocks: Shocks,
) -> Choice {
    match timing {
        PurchaseTiming::AfterPurchase => after(situation, belief, ability, shocks),
        PurchaseTiming::BeforePurchase => before(situation, belief, ability, shocks),
    }
}

fn after(situation: &Situation, belief: Belief, ability: f64, shocks: Shocks) -> Choice {
    let terms = situation.terms();
    let effort = effort_after(situation, belief);
    let inner = situation.gross(belief, effort) - situation.anticipated_cost(belief, effort);
    let value = inner.max(terms.value_abandon);
    let wtp = value - terms.outside;
    let buys = wtp > terms.price_paid();
    let participates = buys && inner > terms.value_abandon;
    let quality = ability + situation.task().lift(effort) + shocks.task_noise;
    let true_success = situation.true_success(ability, effort);
    let expected = if participates {
        terms.taste * (ability + situation.task().lift(effort))
            + terms.guarantee * (1.0 - true_success)
            - situation.realised_cost(ability, effort)
    } else {
        terms.value_abandon
    };
    Choice {
        buys: flag(buys),
        participates: flag(participates),
        effort,
        quality,
        success: flag(quality > 0.0),
        believed_success: situation.believed_success(belief, effort),
        true_success,
        wtp,
        anticipated: (wtp - terms.price_paid()).max(0.0),
        experienced: flag(buys) * (expected - terms.price_paid() - terms.outside),
    }
}

fn before(situation: &Situation, belief: Belief, ability: f64, shocks: Shocks) -> Choice {
    let terms = situation.terms();
    let r = situation.preferences().risk_aversion();
    let tau = terms.taste * (1.0 + belief.variance()).sqrt();
    let strike = terms.price_paid() + terms.outside;
    let worth = |effort: f64| {
        let w = terms.taste * situation.expected_quality(belief, effort) - strike;
        option(r, w, tau) - situation.anticipated_cost(belief, effort)
    };
    let effort = effort_before(situation, belief, worth);
    let surplus = worth(effort);
    let designs = surplus > 0.0;
    let lift = situation.task().lift(effort);
    let quality = ability + lift + shocks.task_noise;
    let buys = designs && terms.taste * quality > strike;
    // The mean of max{θq − strike, 0} at the true ability, where only the task noise is left.
    let expected = option(0.0, terms.taste * (ability + lift) - strike, terms.taste);
    Choice {
        buys: flag(buys),
        participates: flag(designs),
        effort,
        quality,
        success: flag(quality > 0.0),
        believed_success: situation.believed_success(belief, effort),
        true_success: situation.true_success(ability, effort),
        wtp: terms.taste * quality - terms.outside,
        anticipated: surplus.max(0.0),
        experienced: flag(designs) * (expected - situation.realised_cost(ability, effort)),
    }
}

/// Marginal cost of effort, after the tool.
fn marginal_cost(situation: &Situation, belief: Belief) -> f64 {
    situation.terms().tool.cost_left() * situation.cost().anticipated_slope(belief)
}

/// The effort of one who has paid. With g = ln(1+e) the first-order condition is `γ(θ + s(g)) = c·e^g`, where s ≤ 0 is the slope of the
/// guarantee's worth: closed form without a guarantee, else a fixed point below it (moral hazard), or the corner.
fn effort_after(situation: &Situation, belief: Belief) -> f64 {
    /// The map contracts by about γ|s'|/(θ + s), a few hundredths at usual stakes.
    const STEPS: usize = 8;
    const CLOSE: f64 = 1e-9;
    const BISECTIONS: usize = 50;
    let (terms, task) = (situation.terms(), situation.task());
    if task.effort_return <= 0.0 {
        return 0.0;
    }
    let c = marginal_cost(situation, belief);
    let highest = (task.effort_return * terms.taste / c).ln();
    if highest <= 0.0 {
        return 0.0;
    }
    if terms.guarantee <= 0.0 {
        return highest.exp_m1();
    }
    let r = situation.preferences().risk_aversion();
    let alpha = situation.preferences().ambiguity_aversion();
    let (v, theta) = (belief.variance(), terms.taste);
    let ambiguous = situation.preferences().form() == Form::SmoothAmbiguity;
    // Form 4 weighs the guarantee at the tilted mean; its curvature over the belief is left to the value, not to effort.
    let shift = if ambiguous {
        theta * (r + alpha * v)
    } else {
        r * theta * (1.0 + v)
    };
    let root = (1.0 + v).sqrt();
    let base = belief.mean() - task.difficulty;
    let next = |g: f64| {
        let h = (base + task.effort_return * g - shift) / root;
        let slope = lottery_slope(r, h, 0.0, terms.guarantee) / root;
        let gain = task.effort_return * (theta + slope);
        if gain > 0.0 {
            (gain / c).ln().max(0.0)
        } else {
            0.0
        }
    };
    let mut g = highest;
    for _ in 0..STEPS {
        let to = next(g);
        if (to - g).abs() < CLOSE {
            return to.exp_m1();
        }
        g = to;
    }
    let (mut low, mut high) = (0.0, highest);
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        if next(middle) > middle {
            low = middle;
        } else {
            high = middle;
        }
    }
    low.exp_m1()
}

/// The effort of one who will see the quality before paying: the gain from effort counts only where the design is bought, so the
/// first-order condition is `γθ·B(g) = c·e^g` with the probability-like weight B of buying. The largest root is found from above (the map
/// is increasing) and compared with the corner e = 0.
fn effort_before(situation: &Situation, belief: Belief, worth: impl Fn(f64) -> f64) -> f64 {
    const STEPS: usize = 30;
    const CLOSE: f64 = 1e-7;
    let (terms, task) = (situation.terms(), situation.task());
    if task.effort_return <= 0.0 {
        return 0.0;
    }
    let c = marginal_cost(situation, belief);
    let highest = (task.effort_return * terms.taste / c).ln();
    if highest <= 0.0 {
        return 0.0;
    }
    let r = situation.preferences().risk_aversion();
    let tau = terms.taste * (1.0 + belief.variance()).sqrt();
    let strike = terms.price_paid() + terms.outside;
    let mut g = highest;
    for _ in 0..STEPS {
        let w = terms.taste * situation.expected_quality(belief, g.exp_m1()) - strike;
        let weight = crate::decision::option_with_slopes(r, w, tau).by_mean;
        let to = (task.effort_return * terms.taste * weight / c)
            .ln()
            .max(0.0);
        let done = (to - g).abs() < CLOSE;
        g = to;
        if done {
            break;
        }
    }
    let inner = g.exp_m1();
    if worth(inner) > worth(0.0) {
        inner
    } else {
        0.0
    }
}
