//! What one kind of customer does under a policy, averaged over what nobody else knows of them.

use super::outcome::{CORE, Core};
use super::policy::Moved;
use crate::decision::{
    AfterPurchase, BeforePurchase, Belief, HoldUp, Signals, Situation, TasteShock, Terms, Timing,
    Tool, hypothetical, option, pieces,
};
use crate::numeric::quadrature::Rule;
use crate::numeric::special::normal;
use crate::simulate::PurchaseTiming;
use serde::{Deserialize, Serialize};

/// One kind of customer: what they face, and the joint normal law of their ability and of their belief's mean, given what is known of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarketCustomer {
    /// How many they are, in any unit.
    pub weight: f64,
    /// Preferences, cost, task and terms as they stand.
    pub situation: Situation,
    /// Mean of ability.
    pub ability: f64,
    /// Its standard deviation; zero where ability is known.
    pub ability_sd: f64,
    /// Mean of m_0, the belief's mean before any policy.
    pub belief: f64,
    /// Its standard deviation; zero where it is known.
    pub belief_sd: f64,
    /// Correlation of the two.
    pub rho: f64,
    /// v_0, how unsure the customer is.
    pub belief_variance: f64,
}

/// What is the same for all customers of a market.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    pub(super) timing: PurchaseTiming,
    pub(super) interim: Signals,
    pub(super) signal_variance: f64,
    pub(super) shock: TasteShock,
    /// k_f(1 − h), what a participant costs the firm.
    pub(super) unit_cost: f64,
    /// k of a firm that sets its price when the effort is sunk.
    pub(super) hold_up: Option<f64>,
    pub(super) rule: Rule,
}

/// Beyond this many deviations a kink does not matter.
const SEEN: f64 = 6.0;

/// What a guarantee is worth to customers who are alike but for μ, who never give up and whose effort does not matter: under ambiguity each value is an integral, so
/// that a table of them and their slopes is worth its making.
#[derive(Clone, Debug)]
pub(super) struct Insurance {
    low: f64,
    step: f64,
    values: Vec<[f64; 2]>,
}

impl Insurance {
    /// The table for customers of this situation and belief variance.
    pub(super) fn of(situation: &Situation, variance: f64) -> Self {
        /// Half the width, and the spacing, in units of the deviation of quality: cubic between the nodes, to about 1e-7 of the guarantee.
        const REACH: f64 = 10.0;
        const SPACING: f64 = 0.1;
        let taste = situation.terms().taste;
        let deviation = (1.0 + variance).sqrt();
        let tilt = situation.preferences().ambiguity_aversion() * taste * variance;
        let shift = situation.task().lift(0.0) + situation.terms().tool.easing();
        let nodes = (2.0 * REACH / SPACING) as usize;
        let (low, step) = (tilt - REACH * deviation, SPACING * deviation);
        let uninsured = without_guarantee(situation);
        let values = (0..=nodes).map(|k| {
            let quality = low + step * k as f64;
            Belief::new(quality - shift, variance).map_or([f64::NAN; 2], |belief| {
                let (with, without) = (
                    situation.gross_slopes(belief, 0.0),
                    uninsured.gross_slopes(belief, 0.0),
                );
                [with.value - without.value, with.by_mean - without.by_mean]
            })
        });
        Self {
            low,
            step,
            values: values.collect(),
        }
    }

    fn at(&self, quality: f64) -> f64 {
        let last = self.values.len() - 1;
        let place = ((quality - self.low) / self.step).clamp(0.0, last as f64);
        let k = (place as usize).min(last - 1);
        let t = place - k as f64;
        let ([a, slope_a], [b, slope_b]) = (self.values[k], self.values[k + 1]);
        let (da, db) = (self.step * slope_a, self.step * slope_b);
        let rest = 1.0 - t;
        rest * rest * ((1.0 + 2.0 * t) * a + t * da) + t * t * ((3.0 - 2.0 * t) * b - rest * db)
    }
}

fn without_guarantee(situation: &Situation) -> Situation {
    let terms = Terms {
        guarantee: 0.0,
        ..situation.terms()
    };
    hypothetical(
        situation.preferences(),
        situation.cost(),
        situation.task(),
        terms,
    )
}

impl MarketCustomer {
    /// The outcomes under a policy.
    pub(super) fn outcomes(
        &self,
        moved: &Moved,
        at: &Conditions,
        insurance: Option<&Insurance>,
    ) -> Core {
        let situation = self.faced(moved);
        let timing = moved.timing.unwrap_or(at.timing);
        let gain = self.gain(moved, at);
        let rest = 1.0 - gain;
        // a and m_n = (1 − K) m_0 + K s̄ are jointly normal.
        let ability = self.ability + moved.productivity;
        let told = moved.disclosure * (self.belief - self.ability);
        let prior = self.belief + moved.productivity - told;
        let mean = rest * prior + gain * ability + moved.persuasion;
        let both = self.rho * self.ability_sd * self.belief_sd;
        let noise = if moved.signals > 0 {
            at.signal_variance / f64::from(moved.signals)
        } else {
            0.0
        };
        let own = self.ability_sd.powi(2);
        let spread = (rest * self.belief_sd).powi(2)
            + gain * gain * (own + noise)
            + 2.0 * rest * gain * both;
        let sd = spread.max(0.0).sqrt();
        let with = rest * both + gain * own;
        let slope = if sd > 0.0 { with / sd } else { 0.0 };
        let left = (own - slope * slope).max(0.0);
        let variance = self.belief_variance * rest;
        let one = Kind {
            situation: &situation,
            timing,
            moved,
            at,
            insurance,
        };
        let point = |z: f64| {
            let belief = Belief::new(mean + sd * z, variance);
            let truth = Belief::new(ability + slope * z, left);
            belief.ok().zip(truth.ok())
        };
        // Estimates may lead anywhere in draws of them.
        let known =
            |z: f64| point(z).map_or([f64::NAN; CORE], |(belief, truth)| one.core(belief, truth));
        let mut total = [0.0; CORE];
        if sd <= 0.0 {
            return known(0.0);
        }
        let branch = |z: f64| point(z).is_some_and(|(belief, _)| one.branch(belief));
        let mut add = |z: f64, weight: f64| {
            total
                .iter_mut()
                .zip(known(z))
                .for_each(|(t, c)| *t += weight * c);
        };
        if one.smooth() || branch(-SEEN) == branch(SEEN) {
            let rule = &at.rule;
            for (z, weight) in rule.nodes().iter().zip(rule.weights()) {
                add(*z, *weight);
            }
        } else {
            pieces(0.0, branch, |z, width| add(z, width * normal::pdf(z)));
        }
        total
    }

    /// K, the weight of the policy's signals.
    fn gain(&self, moved: &Moved, at: &Conditions) -> f64 {
        let signals = moved.information(at.signal_variance);
        let prior = Belief::new(self.belief, self.belief_variance);
        prior.map_or(f64::NAN, |b| b.gain(signals))
    }

    /// v after the policy's signals.
    pub(super) fn variance_after(&self, moved: &Moved, at: &Conditions) -> f64 {
        self.belief_variance * (1.0 - self.gain(moved, at))
    }

    /// What the customer faces under a policy.
    pub(super) fn faced(&self, moved: &Moved) -> Situation {
        let situation = &self.situation;
        let (mut cost, mut task, terms) = (situation.cost(), situation.task(), situation.terms());
        cost.material -= moved.saving;
        task.difficulty -= moved.easing;
        let tool = if moved.tool == Tool::None {
            terms.tool
        } else {
            moved.tool
        };
        let terms = Terms {
            coupon: terms.coupon + moved.coupon,
            guarantee: terms.guarantee + moved.guarantee,
            tool,
            ..terms
        };
        hypothetical(situation.preferences(), cost, task, terms)
    }
}

/// A customer's problem under a policy.
struct Kind<'a> {
    situation: &'a Situation,
    timing: PurchaseTiming,
    moved: &'a Moved,
    at: &'a Conditions,
    insurance: Option<&'a Insurance>,
}

/// The probability that x + ε is positive, and the mean of `max{0, x + ε}`.
fn entry(shock: TasteShock, x: f64) -> [f64; 2] {
    match shock {
        TasteShock::Logit(scale) if scale > 0.0 => {
            let z = x / scale;
            let gain = scale * (z.max(0.0) + (-z.abs()).exp().ln_1p());
            [shock.probability(x), gain]
        }
        TasteShock::Probit(scale) if scale > 0.0 => {
            let z = x / scale;
            let p = normal::cdf(z);
            // Where the sum would cancel it is next to nothing.
            [p, scale * (z * p + normal::pdf(z)).max(0.0)]
        }
        _ => [shock.probability(x), x.max(0.0)],
    }
}

impl Kind<'_> {
    /// Whether the outcomes have no kink in the belief.
    fn smooth(&self) -> bool {
        let shocked = match self.at.shock {
            TasteShock::None => false,
            TasteShock::Logit(scale) | TasteShock::Probit(scale) => scale > 0.0,
        };
        let abandons = self.timing == PurchaseTiming::AfterPurchase
            && self.situation.terms().value_abandon > f64::NEG_INFINITY
            && self.at.interim.count() == 0;
        shocked && !abandons
    }

    /// On which side of the kinks a belief is.
    fn branch(&self, belief: Belief) -> bool {
        let surplus = self.entered(belief).2;
        let enters = self.at.shock.density(surplus) <= 0.0 && surplus > 0.0;
        let goes_on = self.timing == PurchaseTiming::AfterPurchase
            && self.at.interim.count() == 0
            && AfterPurchase::without_signal().continues(
                self.situation,
                belief,
                AfterPurchase::without_signal().best_effort(self.situation, belief),
            );
        enters != goes_on
    }

    /// What is faced at this belief, the effort, and the surplus of entering.
    fn entered(&self, belief: Belief) -> (Situation, f64, f64) {
        let mut situation = *self.situation;
        match self.timing {
            PurchaseTiming::BeforePurchase => {
                let mut effort = BeforePurchase.best_effort(&situation, belief);
                if let Some(k) = self.at.hold_up {
                    let Ok(game) = HoldUp::solve(&situation, belief, k) else {
                        return (situation, f64::NAN, f64::NAN);
                    };
                    let way = if self.moved.commitment {
                        game.commitment
                    } else {
                        game.hold_up
                    };
                    // The customer pays the firm's price less the coupon.
                    let terms = situation.terms();
                    situation = hypothetical(
                        situation.preferences(),
                        situation.cost(),
                        situation.task(),
                        Terms {
                            price: way.price + terms.coupon,
                            ..terms
                        },
                    );
                    effort = way.effort;
                }
                let surplus = BeforePurchase.surplus(&situation, belief, effort);
                (situation, effort, surplus)
            }
            PurchaseTiming::AfterPurchase => {
                if let Some(insurance) = self.insurance {
                    let uninsured = without_guarantee(&situation);
                    let value = uninsured.certainty_equivalent(belief, 0.0)
                        + insurance.at(situation.expected_quality(belief, 0.0));
                    return (situation, 0.0, value - situation.terms().outside);
                }
                let timing = AfterPurchase::with_signals(self.at.interim);
                let value = timing.value_at_best_effort(&situation, belief);
                let effort = AfterPurchase::without_signal().best_effort(&situation, belief);
                (situation, effort, value - situation.terms().outside)
            }
        }
    }

    /// The outcomes of customers with this belief, whose ability has the law `truth`.
    fn core(&self, belief: Belief, truth: Belief) -> Core {
        let (situation, effort, surplus) = self.entered(belief);
        let [enters, anticipated] = entry(self.at.shock, surplus);
        let terms = situation.terms();
        // What follows of those who enter: purchase, participation, success, mean utility over u_0, profit.
        let follows = match self.timing {
            PurchaseTiming::BeforePurchase => self.designs(&situation, effort, truth),
            PurchaseTiming::AfterPurchase if self.at.interim.count() == 0 => {
                let goes_on = terms.value_abandon <= f64::NEG_INFINITY
                    || AfterPurchase::without_signal().continues(&situation, belief, effort);
                self.works(&situation, effort, goes_on, truth)
            }
            PurchaseTiming::AfterPurchase => self.learns(&situation, belief, truth),
        };
        let [purchase, participation, success, utility, profit] = follows;
        let over = utility - terms.outside;
        [
            enters * purchase,
            enters * participation,
            enters * success,
            anticipated,
            anticipated + enters * (over - surplus),
            enters * profit - self.moved.cost,
        ]
    }

    /// What follows a design made before the purchase.
    fn designs(&self, situation: &Situation, effort: f64, truth: Belief) -> [f64; 5] {
        let terms = situation.terms();
        let success = situation.believed_success(truth, effort);
        let strike = terms.price_paid() + terms.outside;
        let (purchase, right) = if situation.preferences().is_binary() {
            let worth = |value: f64| {
                (
                    f64::from(u8::from(value > strike)),
                    (value - strike).max(0.0),
                )
            };
            let (a, b) = (worth(terms.value_success), worth(terms.value_failure));
            let mean = |yes: f64, no: f64| success * yes + (1.0 - success) * no;
            (mean(a.0, b.0), mean(a.1, b.1))
        } else {
            let total = terms.taste * (1.0 + truth.variance()).sqrt();
            let w = terms.taste * situation.expected_quality(truth, effort) - strike;
            let buys = if total > 0.0 {
                normal::cdf(w / total)
            } else {
                f64::from(u8::from(w > 0.0))
            };
            (buys, option(0.0, w, total))
        };
        let cost = situation.anticipated_cost(truth, effort);
        [
            purchase,
            1.0,
            success,
            terms.outside + right - cost,
            purchase * terms.price_paid() - self.at.unit_cost,
        ]
    }

    /// What follows a purchase, with the belief at which the work is begun or given up.
    fn works(&self, situation: &Situation, effort: f64, goes_on: bool, truth: Belief) -> [f64; 5] {
        let terms = situation.terms();
        if !goes_on {
            let utility = terms.value_abandon - terms.price_paid();
            return [1.0, 0.0, 0.0, utility, terms.price_paid()];
        }
        let success = situation.believed_success(truth, effort);
        let gross = if situation.preferences().is_binary() {
            success * terms.value_success + (1.0 - success) * terms.value_failure
        } else {
            terms.taste * situation.expected_quality(truth, effort)
        };
        let paid_back = terms.guarantee * (1.0 - success);
        let cost = situation.anticipated_cost(truth, effort);
        [
            1.0,
            1.0,
            success,
            gross + paid_back - cost - terms.price_paid(),
            terms.price_paid() - self.at.unit_cost - paid_back,
        ]
    }

    /// What follows a purchase when signals come before the work.
    fn learns(&self, situation: &Situation, belief: Belief, truth: Belief) -> [f64; 5] {
        let after = AfterPurchase::without_signal();
        let signals = self.at.interim;
        let gain = belief.gain(signals);
        let noise = signals.variance() / f64::from(signals.count());
        // The objective law of what the signals say.
        let news = truth.variance() + noise;
        let sd = gain * news.sqrt();
        let center = belief.mean() + gain * (truth.mean() - belief.mean());
        let variance = belief.posterior_variance(signals);
        let weight = if news > 0.0 {
            truth.variance() / news
        } else {
            0.0
        };
        let at = |z: f64| {
            let posterior = Belief::new(center + sd * z, variance).unwrap_or(belief);
            let mean = truth.mean() + weight * news.sqrt() * z;
            let left = Belief::new(mean, truth.variance() * (1.0 - weight)).unwrap_or(truth);
            let effort = after.best_effort(situation, posterior);
            let goes_on = after.continues(situation, posterior, effort);
            (left, effort, goes_on)
        };
        let mut total = [0.0; 5];
        pieces(
            0.0,
            |z| at(z).2,
            |z, width| {
                let (left, effort, goes_on) = at(z);
                let what = self.works(situation, effort, goes_on, left);
                let weight = width * normal::pdf(z);
                total
                    .iter_mut()
                    .zip(what)
                    .for_each(|(t, w)| *t += weight * w);
            },
        );
        total
    }
}
