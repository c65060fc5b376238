//! Customers who answer items, tell what they believe, get signals, choose, and succeed or not: all blocks of the joint model.

use super::chosen_work::ChosenWork;
use super::closed::{flag, not_negative, process, seeded, seen_if};
use super::generate::{Field, data, data_flag, generate, oracle};
use super::oracle::{Oracle, Simulated};
use crate::decision::{Belief, Cost, Preferences, Task, Terms, hypothetical};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::quadrature::gauss_hermite_normal;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// An assumption of the joint model that the process breaks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JointFlaw {
    /// Choices depend on ability beyond the belief: the able find the task cheaper.
    ChoiceOnAbility,
    /// Customers update half as much as Bayes' rule says.
    Underreaction,
    /// The coupon teaches, so that it is not excluded from success.
    CouponTeaches,
}

/// A trial of information × coupon × tool with items, a told belief, choices and success, in the notation of
/// [`JointWillingness`](crate::participation::JointWillingness): probit choices, linear in the belief's mean and variance.
///
/// A customer has x ~ N(0,1), ability `a = A_0 + A_1 x + σ_a ζ`, a first belief `m_0 = A_0 + A_1 x + b_0 + b_1 x + σ_m ω` of variance v_0 (ω of correlation ρ with
/// ζ), answers items (logit), reports the chance of success Φ(m_0/√(1 + v_0)) with a normal error on the probit scale, rounded, and rates the self on a free scale;
/// gets n signals of variance σ_s², a coupon and a tool at random; takes part when `γ_0 + γ_p coupon + γ_T tool + θ m_n + λ v_n + ε > 0`, and then succeeds when
/// `a + ξ > 0`. All levels are **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `customers` | 5,000 | |
/// | `ability` | .2, .4 | A_0, A_1 |
/// | `sd_ability`, `sd_belief`, `rho` | .8, .9, .6 | σ_a, σ_m, ρ |
/// | `overconfidence` | .3, .1 | b_0, b_1 |
/// | `prior_variance`, `signal_variance` | .5, .5 | v_0, σ_s² |
/// | `signals` | 0, 1, 4 | equally likely numbers |
/// | `items` | six | intercept and discrimination of each |
/// | `constant`, `coupon_effect`, `tool_effect` | −.2, 1.2, .3 | γ_0, γ_p (a unit of money), γ_T |
/// | `coupons` | 0, .3, .6 | equally likely |
/// | `taste`, `uncertainty` | .8, −.6 | θ, λ |
/// | `report_noise`, `grid` | .6, .05 | of the report |
/// | `rating` | 3, 1.2, .8 | τ_0, τ_1, σ_η |
///
/// | `guarantees`, `risk_aversion` | none, .5 | equally likely payments on failure, and r over the noise of the task |
/// | `effort` | none | what effort returns, what moves its cost, how far customers miss the best |
///
/// A guarantee G adds `γ_p·D(m_n, v_n)` to the choice, D what form 4 adds for it, with α = −2λγ_p/θ². Effort ([`ChosenWork`]) adds what the best of it gains, and
/// helps to succeed; not together with guarantees.
///
/// With `calibrated()` beliefs are the best forecasts of ability from what customers know: b = 0, σ_m = ρσ_a, v_0 = σ_a²(1 − ρ²).
///
/// **Data** (`guarantee`, `effort` of participants, where there are any): `x`, `item_k`, `report`, `rating`, `signals`, `signal` (their average, missing without), `coupon`, `tool`, `participates`, `success` (of participants).
/// **Oracle**: `ability`, `prior_mean`, `belief_mean`, `belief_variance`, `p_participation`, `p_success` (given ability); effects of the largest number of signals against
/// none, over what they may say: `participation`, `success`, `anticipated_surplus`, `experienced_surplus` (in units of the taste shock:
/// `zΦ(z) + φ(z)`, and that plus `Φ(z)(V^e − V^a)` with the experienced value at the true ability and without the premium for uncertainty); none with guarantees or
/// effort.
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`] for a level out of range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JointParticipation {
    /// How many customers.
    pub customers: usize,
    /// A_0, A_1.
    pub ability: [f64; 2],
    /// σ_a.
    pub sd_ability: f64,
    /// σ_m.
    pub sd_belief: f64,
    /// ρ.
    pub rho: f64,
    /// b_0, b_1.
    pub overconfidence: [f64; 2],
    /// v_0.
    pub prior_variance: f64,
    /// σ_s².
    pub signal_variance: f64,
    /// Numbers of signals.
    pub signals: Vec<u32>,
    /// Intercept and discrimination of each item.
    pub items: Vec<[f64; 2]>,
    /// γ_0.
    pub constant: f64,
    /// γ_p.
    pub coupon_effect: f64,
    /// γ_T.
    pub tool_effect: f64,
    /// Levels of the coupon.
    pub coupons: Vec<f64>,
    /// θ.
    pub taste: f64,
    /// λ.
    pub uncertainty: f64,
    /// Deviation of the report's error on the probit scale.
    pub report_noise: f64,
    /// Grid of reports; zero for none.
    pub grid: f64,
    /// τ_0, τ_1, σ_η.
    pub rating: [f64; 3],
    /// What is paid on failure: equally likely amounts; none for no guarantees.
    pub guarantees: Vec<f64>,
    /// r over the noise of the task, which a guarantee insures.
    pub risk_aversion: f64,
    /// What customers do with their effort, where they choose it.
    pub effort: Option<ChosenWork>,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The assumption that is broken.
    pub flaw: Option<JointFlaw>,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for JointParticipation {
    fn default() -> Self {
        Self {
            customers: 5_000,
            ability: [0.2, 0.4],
            sd_ability: 0.8,
            sd_belief: 0.9,
            rho: 0.6,
            overconfidence: [0.3, 0.1],
            prior_variance: 0.5,
            signal_variance: 0.5,
            signals: vec![0, 1, 4],
            items: vec![
                [0.8, 1.0],
                [0.4, 1.3],
                [0.0, 0.9],
                [-0.3, 1.5],
                [-0.7, 1.1],
                [-1.2, 1.2],
            ],
            constant: -0.2,
            coupon_effect: 1.2,
            tool_effect: 0.3,
            coupons: vec![0.0, 0.3, 0.6],
            taste: 0.8,
            uncertainty: -0.6,
            report_noise: 0.6,
            grid: 0.05,
            rating: [3.0, 1.2, 0.8],
            guarantees: vec![],
            risk_aversion: 0.5,
            effort: None,
            keep_oracle: true,
            flaw: None,
            seed: None,
        }
    }
}

process!(JointParticipation, customers, "customers");

/// What a number of signals gives a customer on average over what they may say.
struct Prospects {
    participation: f64,
    success: f64,
    anticipated: f64,
    experienced: f64,
}

impl JointParticipation {
    /// The trial at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Beliefs that are the best forecasts of ability from what customers know.
    pub fn calibrated(mut self) -> Self {
        self.overconfidence = [0.0; 2];
        self.sd_belief = self.rho.abs() * self.sd_ability;
        self.prior_variance = self.sd_ability.powi(2) * (1.0 - self.rho.powi(2));
        self
    }

    /// Breaks one assumption.
    pub fn misspecify(mut self, flaw: JointFlaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// K, the weight of so many signals.
    fn gain(&self, signals: u32) -> f64 {
        let weight = f64::from(signals) * self.prior_variance / self.signal_variance;
        weight / (1.0 + weight)
    }

    /// Draws the customers.
    ///
    /// # Errors
    /// As on the type.
    pub fn simulate(&self) -> Result<Simulated> {
        const ON_ABILITY: f64 = 0.4;
        const REACTION: f64 = 0.5;
        const TEACHES: f64 = 0.5;
        const NODES: usize = 15;
        let seed = seeded(self.seed, "the trial")?.child("joint participation");
        self.check()?;
        let rule = gauss_hermite_normal(NODES)?;
        let most = self.signals.iter().copied().max().unwrap_or(0);
        let broken = |flaw: JointFlaw| self.flaw == Some(flaw);
        let reaction = if broken(JointFlaw::Underreaction) {
            REACTION
        } else {
            1.0
        };
        let teaches = if broken(JointFlaw::CouponTeaches) {
            TEACHES
        } else {
            0.0
        };
        let direct = if broken(JointFlaw::ChoiceOnAbility) {
            ON_ABILITY
        } else {
            0.0
        };
        let made = generate(
            self.customers,
            seed,
            &self.fields(),
            self.keep_oracle,
            |draws, _, out| {
                let x = draws.normal();
                let (zeta, other) = (draws.normal(), draws.normal());
                let mean = self.ability[0] + self.ability[1] * x;
                let a = mean + self.sd_ability * zeta;
                let omega = self.rho * zeta + (1.0 - self.rho * self.rho).sqrt() * other;
                let b = self.overconfidence[0] + self.overconfidence[1] * x;
                let first = mean + b + self.sd_belief * omega;
                out[0] = x;
                let mut at = 1;
                for [intercept, discrimination] in &self.items {
                    let p = 1.0 / (1.0 + (-(intercept + discrimination * a)).exp());
                    out[at] = flag(draws.uniform() < p);
                    at += 1;
                }
                let latent = first / (1.0 + self.prior_variance).sqrt();
                let report = normal::cdf(latent + self.report_noise * draws.normal());
                let report = if self.grid > 0.0 {
                    ((report / self.grid).round() * self.grid).min(1.0)
                } else {
                    report
                };
                let rating =
                    self.rating[0] + self.rating[1] * first + self.rating[2] * draws.normal();
                let n = self.signals[draws.below(self.signals.len())];
                let signal =
                    a + (self.signal_variance / f64::from(n.max(1))).sqrt() * draws.normal();
                let gain = self.gain(n);
                let belief = first + reaction * gain * (signal - first);
                let variance = self.prior_variance * (1.0 - gain);
                let coupon = self.coupons[draws.below(self.coupons.len())];
                let tool = flag(draws.uniform() < 0.5);
                let index = self.constant
                    + self.coupon_effect * coupon
                    + self.tool_effect * tool
                    + direct * a;
                let mut value = index + self.taste * belief + self.uncertainty * variance;
                let guarantee = if self.guarantees.is_empty() {
                    0.0
                } else {
                    self.guarantees[draws.below(self.guarantees.len())]
                };
                if guarantee > 0.0 {
                    value += self.coupon_effect * self.insured(guarantee, belief, variance);
                }
                let mut lift = 0.0;
                let mut effort = f64::NAN;
                if let Some(work) = &self.effort {
                    let best = work.index[0] + work.index[1] * tool + work.relief * belief
                        - 0.5 * work.relief.powi(2) * variance;
                    let log = (best + work.noise * draws.normal()).max(0.0);
                    let gain = best.max(0.0) + (-best.max(0.0)).exp_m1();
                    value += self.taste * work.returns * gain;
                    lift = work.returns * log;
                    effort = log.exp_m1();
                }
                let participates = flag(value + draws.normal() > 0.0);
                let taught = a + teaches * coupon + lift;
                let success = flag(taught + draws.normal() > 0.0);
                let seen = [
                    report,
                    rating,
                    f64::from(n),
                    seen_if(flag(n > 0), signal),
                    coupon,
                    tool,
                    participates,
                    seen_if(participates, success),
                    a,
                    first,
                    belief,
                    variance,
                    normal::cdf(value),
                    normal::cdf(taught),
                ];
                out[at..at + seen.len()].copy_from_slice(&seen);
                at += seen.len();
                if !self.guarantees.is_empty() {
                    out[at] = guarantee;
                    at += 1;
                }
                if self.effort.is_some() {
                    out[at] = seen_if(participates, effort);
                    at += 1;
                }
                if !self.has_effects() {
                    return;
                }
                let prospects =
                    |n: u32| self.prospects(n, reaction, [a, taught, first, index], &rule);
                let (without, with) = (prospects(0), prospects(most));
                let effects = [
                    with.participation - without.participation,
                    with.success - without.success,
                    with.anticipated - without.anticipated,
                    with.experienced - without.experienced,
                ];
                out[at..].copy_from_slice(&effects);
            },
        )?;
        let effects = if self.has_effects() {
            &EFFECTS[..]
        } else {
            &[]
        };
        let truths: Vec<(&str, f64)> = (effects.iter())
            .map(|(field, name)| (*name, made.mean(field)))
            .collect();
        let oracle = Oracle::new(made.oracle);
        let oracle = (truths.into_iter()).fold(oracle, |o, (name, value)| o.with(name, value));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }

    /// What a guarantee is worth to a customer, in money.
    fn insured(&self, guarantee: f64, mean: f64, variance: f64) -> f64 {
        let taste = self.taste / self.coupon_effect;
        let alpha = -2.0 * self.uncertainty * self.coupon_effect / self.taste.powi(2);
        let preferences = Preferences::ambiguity_of_any_sign(self.risk_aversion, alpha);
        let task = Task {
            difficulty: 0.0,
            effort_return: 0.0,
        };
        let terms = |guarantee: f64| Terms {
            guarantee,
            taste,
            ..Terms::default()
        };
        let gross = |guarantee: f64| {
            let faced = hypothetical(preferences, Cost::material(0.0), task, terms(guarantee));
            Belief::new(mean, variance).map_or(f64::NAN, |belief| faced.gross(belief, 0.0))
        };
        gross(guarantee) - gross(0.0)
    }

    fn prospects(
        &self,
        signals: u32,
        reaction: f64,
        [a, taught, first, index]: [f64; 4],
        rule: &crate::numeric::quadrature::Rule,
    ) -> Prospects {
        let gain = self.gain(signals);
        let variance = self.prior_variance * (1.0 - gain);
        let center = first + reaction * gain * (a - first);
        let spread = reaction * gain * (self.signal_variance / f64::from(signals.max(1))).sqrt();
        let of = |f: &dyn Fn(f64) -> f64| rule.integrate(|t| f(center + spread * t));
        let anticipated = |m: f64| index + self.taste * m + self.uncertainty * variance;
        let experienced = index + self.taste * a;
        let participation = of(&|m| normal::cdf(anticipated(m)));
        let surplus =
            |m: f64| anticipated(m) * normal::cdf(anticipated(m)) + normal::pdf(anticipated(m));
        Prospects {
            participation,
            success: participation * normal::cdf(taught),
            anticipated: of(&surplus),
            experienced: of(&|m| {
                surplus(m) + normal::cdf(anticipated(m)) * (experienced - anticipated(m))
            }),
        }
    }

    /// Effects of signals are worked out for choices that beliefs enter linearly.
    fn has_effects(&self) -> bool {
        self.guarantees.is_empty() && self.effort.is_none()
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = vec![data("x")];
        fields.extend((1..=self.items.len()).map(|k| data_flag(format!("item_{k}"))));
        fields.extend(["report", "rating", "signals", "signal", "coupon"].map(data));
        fields.extend([
            data_flag("tool"),
            data_flag("participates"),
            data("success"),
        ]);
        fields.extend(["ability", "prior_mean", "belief_mean", "belief_variance"].map(oracle));
        fields.extend(["p_participation", "p_success"].map(oracle));
        if !self.guarantees.is_empty() {
            fields.push(data("guarantee"));
        }
        if self.effort.is_some() {
            fields.push(data("effort"));
        }
        if self.has_effects() {
            fields.extend(EFFECTS.map(|(field, _)| oracle(field)));
        }
        fields
    }

    fn check(&self) -> Result<()> {
        for (name, value) in [
            ("sd_ability", self.sd_ability),
            ("sd_belief", self.sd_belief),
            ("prior_variance", self.prior_variance),
            ("report_noise", self.report_noise),
            ("grid", self.grid),
            ("deviation of ratings", self.rating[2]),
        ] {
            not_negative(name, value)?;
        }
        if !(self.signal_variance > 0.0 && self.signal_variance.is_finite()) {
            return Err(Error::invalid_option(
                "signal_variance",
                self.signal_variance,
                "positive and finite",
            ));
        }
        for guarantee in &self.guarantees {
            not_negative("guarantees", *guarantee)?;
        }
        if let Some(work) = &self.effort {
            not_negative("noise of effort", work.noise)?;
            not_negative("returns of effort", work.returns)?;
        }
        if !self.guarantees.is_empty() {
            not_negative("risk_aversion", self.risk_aversion)?;
            let zero = [("coupon_effect", self.coupon_effect), ("taste", self.taste)]
                .into_iter()
                .find(|(_, value)| !(value.abs() > 0.0 && value.is_finite()));
            let refuse =
                |name: &str, expected: &str| Err(Error::invalid_option(name, "as given", expected));
            if let Some((name, _)) = zero {
                return refuse(name, "other than zero: it gives a guarantee its value");
            }
            if self.effort.is_some() {
                return refuse("effort", "left out where there are guarantees");
            }
        }
        if !(-1.0..=1.0).contains(&self.rho) {
            return Err(Error::invalid_option("rho", self.rho, "between −1 and 1"));
        }
        for (name, count) in [
            ("signals", self.signals.len()),
            ("coupons", self.coupons.len()),
        ] {
            if count == 0 {
                return Err(Error::invalid_option(name, "none", "at least one level"));
            }
        }
        Ok(())
    }
}

/// The oracle's columns of effects, and the names of their means.
const EFFECTS: [(&str, &str); 4] = [
    ("effect_participation", "participation"),
    ("effect_success", "success"),
    ("effect_anticipated", "anticipated_surplus"),
    ("effect_experienced", "experienced_surplus"),
];
