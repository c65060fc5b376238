//! The probabilities of participating and succeeding in an arm, under an assumed truth and scaled channels.

use serde::{Deserialize, Serialize};

use super::Arm;
use crate::decision::{Belief, Signals, Situation, TasteShock, Terms, Timing, Tool, hypothetical};
use crate::error::{Error, Result};
use crate::numeric::quadrature::{Rule, gauss_hermite_normal};
use crate::numeric::special::normal;

/// What is assumed about customers when a design is judged.
///
/// Customers differ in the prior mean `m_0 ~ N(belief_mean, belief_sd²)` (elicited on a scale of [`RATINGS`](Self::RATINGS)
/// points: the mid-quantiles of that law) and in ability, `a ~ N(m_0 − overconfidence, ability_sd²)` given m_0. They see the arm's
/// signals, update, and participate when `U − u_0` plus a normal taste shock is positive; participants succeed when q > 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssumedTruth {
    /// Preferences, cost, task and terms in the arm where nothing is done (no coupon, guarantee or tool).
    pub situation: Situation,
    /// Effort of participants.
    pub effort: f64,
    /// Standard deviation of the taste shock, in money.
    pub shock_sd: f64,
    /// Mean of the customers' prior means.
    pub belief_mean: f64,
    /// Standard deviation of the customers' prior means.
    pub belief_sd: f64,
    /// v_0, the variance of each customer's belief.
    pub belief_variance: f64,
    /// b, how far beliefs lie above abilities.
    pub overconfidence: f64,
    /// Standard deviation of ability among customers with one prior mean (v_0's root when beliefs are calibrated).
    pub ability_sd: f64,
    /// σ_E², the variance of one signal.
    pub signal_variance: f64,
    /// Δ_E of one unit of training.
    pub productivity: f64,
    /// b_E of one unit of encouragement.
    pub persuasion: f64,
}

impl AssumedTruth {
    /// Points of the scale on which beliefs are elicited.
    pub const RATINGS: usize = 7;

    /// # Errors
    /// [`Error::InvalidOption`] for a number out of range.
    pub(super) fn check(&self) -> Result<()> {
        Belief::new(self.belief_mean, self.belief_variance)?;
        for (name, value) in [
            ("shock_sd", self.shock_sd),
            ("signal_variance", self.signal_variance),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::invalid_option(name, value, "positive and finite"));
            }
        }
        for (name, value) in [
            ("effort", self.effort),
            ("belief_sd", self.belief_sd),
            ("ability_sd", self.ability_sd),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::invalid_option(name, value, "zero or positive"));
            }
        }
        for (name, value) in [
            ("overconfidence", self.overconfidence),
            ("productivity", self.productivity),
            ("persuasion", self.persuasion),
        ] {
            if !value.is_finite() {
                return Err(Error::invalid_option(name, value, "a finite number"));
            }
        }
        Ok(())
    }

    /// The prior mean at a point of the elicitation scale.
    pub(super) fn rating(&self, point: usize) -> f64 {
        let probability = (point as f64 + 0.5) / Self::RATINGS as f64;
        self.belief_mean + self.belief_sd * normal::quantile(probability)
    }
}

/// A constant (money added to everybody's surplus) and the six channels, each as a multiple of its assumed strength; that of
/// information is the weight K which beliefs give to the largest number of signals, in which participation is nearly linear (in the
/// signals' precision it is far from it, and Wald tests with it).
pub(super) const PARAMETERS: usize = 7;
/// The truth: no constant added, every channel at its assumed strength.
pub(super) const TRUTH: [f64; PARAMETERS] = [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];

/// The model with its integration rules.
pub(super) struct Model<'a, T> {
    pub timing: &'a T,
    pub truth: &'a AssumedTruth,
    most_signals: u32,
    rule: Rule,
}

/// The probabilities of participating and failing, and of participating and succeeding.
pub(super) type Outcome = [f64; 2];

impl<'a, T: Timing> Model<'a, T> {
    pub fn new(timing: &'a T, truth: &'a AssumedTruth, arms: &[Arm]) -> Result<Self> {
        /// The integrands have slopes of order one, and a kink where customers give up; nine nodes leave an error far below any
        /// power that is reported.
        const NODES: usize = 9;
        truth.check()?;
        Ok(Self {
            timing,
            truth,
            most_signals: arms.iter().map(|arm| arm.information).max().unwrap_or(0),
            rule: gauss_hermite_normal(NODES)?,
        })
    }

    /// The customer's problem in an arm. Multiples may leave the range that terms of an offer have; formulas continue smoothly.
    pub fn situation(&self, arm: Arm, multiples: &[f64; PARAMETERS]) -> Situation {
        let known = &self.truth.situation;
        let terms = known.terms();
        let terms = Terms {
            outside: terms.outside - multiples[0],
            tool: Tool::Share(multiples[4] * arm.tool),
            guarantee: multiples[5] * arm.guarantee,
            coupon: terms.coupon + multiples[6] * arm.coupon,
            ..terms
        };
        hypothetical(known.preferences(), known.cost(), known.task(), terms)
    }

    /// The signals of an arm, of such a variance that the weight of the most signals is multiplied:
    /// `κK = nv/(nv + σ²)` gives `σ² = nv(1 − κK)/(κK)`.
    pub fn signals(&self, arm: Arm, multiples: &[f64; PARAMETERS]) -> Result<Signals> {
        /// A weight of zero has no variance, one of one no noise; these are zero and one for every purpose.
        const LEAST: f64 = 1e-6;
        let assumed = Signals::new(self.most_signals, self.truth.signal_variance)?;
        let prior = Belief::new(self.truth.belief_mean, self.truth.belief_variance)?;
        let weight = multiples[1] * prior.gain(assumed);
        if weight.abs() <= 0.0 {
            return Signals::new(arm.information, self.truth.signal_variance);
        }
        let weight = weight.clamp(LEAST, 1.0 - LEAST);
        let information = f64::from(self.most_signals) * prior.variance();
        Signals::new(arm.information, information * (1.0 - weight) / weight)
    }

    /// Surplus in money of a customer with this posterior.
    pub fn surplus(&self, situation: &Situation, posterior: Belief) -> f64 {
        self.timing.surplus(situation, posterior, self.truth.effort)
    }

    /// The outcome probabilities given the prior mean.
    pub fn outcome(
        &self,
        arm: Arm,
        prior_mean: f64,
        multiples: &[f64; PARAMETERS],
    ) -> Result<Outcome> {
        let truth = self.truth;
        let situation = self.situation(arm, multiples);
        let signals = self.signals(arm, multiples)?;
        let shock = TasteShock::Probit(truth.shock_sd);
        let training = multiples[2] * truth.productivity * arm.productivity;
        let encouragement = multiples[3] * truth.persuasion * arm.persuasion;
        let prior = Belief::new(prior_mean, truth.belief_variance)?.shifted(training);
        let mean_ability = prior_mean - truth.overconfidence + training;
        let mut outcome = [0.0; 2];
        for (za, wa) in self.rule.nodes().iter().zip(self.rule.weights()) {
            let ability = mean_ability + truth.ability_sd * za;
            let law = prior.objective(ability, signals);
            let success = situation.true_success(ability, truth.effort);
            let participation = if signals.count() == 0 {
                shock.probability(self.surplus(&situation, law.at(0.0).shifted(encouragement)))
            } else {
                self.rule.integrate(|z| {
                    shock.probability(self.surplus(&situation, law.at(z).shifted(encouragement)))
                })
            };
            outcome[0] += wa * participation * (1.0 - success);
            outcome[1] += wa * participation * success;
        }
        Ok(outcome)
    }
}
