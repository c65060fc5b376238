//! A market: its customers, when they pay, and what they cost the firm.

use super::compared::Counterfactual;
use super::customer::{Conditions, MarketCustomer};
use super::decomposed::Decomposition;
use super::engine::{Engine, Scenario};
use super::fitted::FittedCustomers;
use super::optimum::OptimalLevel;
use super::outcome::Outcome;
use super::policy::{Lever, Moved, Policy};
use super::targeted::PolicyTargeting;
use crate::data::Frame;
use crate::decision::{Preferences, Signals, Situation, TasteShock, Terms};
use crate::error::{Error, Result};
use crate::numeric::quadrature::{Rule, gauss_hermite_normal};
use crate::numeric::{Progress, Seed};
use crate::participation::JointWillingnessFit;
use crate::simulate::{PurchaseTiming, StaticParticipation};
use rand_distr::{Distribution as _, StandardNormal};

/// The customers of a firm, assumed or as a fitted model knows them, and what they do under any [`Policy`].
///
/// A customer of ability a and belief N(m, v) enters when `U(m, v) − u_0 + ε > 0`, with U of the [timing](PurchaseTiming) and value form at hand and a taste shock ε.
/// Ability and the belief's mean are jointly normal among customers who look alike. A policy moves their law,
///
/// ```text
/// a → a + Δ_E,   m_0 → m_0 + Δ_E − share·(E m_0 − E a),   m = (1 − K) m_0 + K s̄ + b_E,   v = (1 − K) v_0,   K = n v_0/(n v_0 + σ_s²),
/// ```
///
/// with s̄ around the *true* ability, or the terms (tool, guarantee, coupon, timing, price commitment). Outcomes are averaged over the law of m, and of a given m in
/// closed form. Choices use the anticipated utility V^a, welfare the experienced V^e, the mean utility at the true ability:
///
/// ```text
/// CS^a = E max{0, V^a + ε},   CS = CS^a + P (V^e − V^a),   Π = P_buy p − P k_f(1 − h) − P G (1 − Φ(a + γ g − d)) − K_E
/// ```
///
/// so that surplus from false confidence is not welfare. All are means per customer.
///
/// # A fitted market
/// [`Market::fitted`] takes the customers of a [`JointWillingnessFit`], whose choice is read as value form 4 in money: the coefficient γ_p of
/// [`money`](crate::participation::JointWillingness::money) is the inverse deviation of ε, `θ = θ_c/γ_p`, `α = −2λγ_p/θ_c²`, and what else stands in the choice is the difference between
/// outside option and cost. Standard errors are those of the estimates, by the delta method or by Krinsky and Robb's draws, for the customers at hand (their regressors are fixed). What these data
/// do not identify must be said or is refused: the price and the cost of the work where the timing changes, r where a guarantee is offered (zero unless said).
/// Surplus is curved in the estimates: in the library's 200 samples of 5 000 customers, teaching's effect on the experienced surplus was on average .23 of its standard error too large (Monte Carlo
/// error .07), of which .10 is the curvature over the law of the estimates, and its median .12 (the market at the true parameters has the effect of the simulator); intervals covered .935.
/// A policy beyond what was seen in the data is a named warning. With [`guarantee`](crate::participation::JointWillingness::guarantee) r, and what customers are
/// guaranteed as things stand, are those of the fit.
///
/// A market needs of a model the joint law of ability and belief, what moves the belief, success, and choices in money. No other model of this room has all of them:
/// [`MutualAcceptance`](crate::participation::MutualAcceptance) and [`Funnel`](crate::participation::Funnel) have choices by regressors, without beliefs, ability
/// or success, so that a policy's effect there is a prediction ([`FunnelFit`](crate::participation::FunnelFit)'s, of columns set), and surplus has no true value to be
/// compared with; [`LearningPanelModel`](crate::participation::LearningPanelModel) has beliefs, but no success (ability is the mean of signals) and decisions over time. Their parameters can be
/// put into [`Market::of`] together with what they lack, as assumptions that are said.
///
/// # An assumed market
/// [`Market::of`] takes a list of customers, [`Market::simulated`] those of a simulator. Standard errors are then those of drawing the customers.
///
/// # Errors
/// [`Error::InvalidOption`], [`Error::Unidentified`] as said; [`Error::NotFinite`] when an outcome is not a number.
///
/// # References
/// Leggett, C. G. (2002). Environmental valuation with imperfect information. *Environmental and Resource Economics* 23(3), 343–355.
///
/// Train, K. (2015). Welfare calculations in discrete choice models when anticipated and experienced attributes differ. *Journal of Choice Modelling* 16, 15–22.
///
/// Shorrocks, A. F. (2013). Decomposition procedures for distributional analysis: a unified framework based on the Shapley value. *Journal of Economic Inequality* 11, 99–126.
/// doi:10.1007/s10888-011-9214-z
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// use cocreate::simulate::{JointParticipation, PurchaseTiming, StaticParticipation};
/// let process = StaticParticipation::new(PurchaseTiming::AfterPurchase).customers(400).seed(5);
/// let market = Market::simulated(&process)?;
/// let teach = Policy::new("teach").signals(2);
/// let insure = Policy::new("insure").guarantee(0.5);
/// let effects = market.compare(&[teach, insure])?;
/// // A guarantee is paid by the firm.
/// let [purchase, profit] = [Outcome::Purchase, Outcome::Profit].map(|o| effects.effect("insure", o));
/// assert!(purchase?.estimate > 0.0);
/// # let _ = profit;
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Market {
    pub(super) source: Source,
    pub(super) timing: PurchaseTiming,
    pub(super) interim: Signals,
    pub(super) signal_variance: Option<f64>,
    pub(super) shock: TasteShock,
    pub(super) unit_cost: f64,
    pub(super) hold_up: Option<f64>,
    pub(super) uncertainty: Uncertainty,
    /// What was said of a listed market that only a fitted one has.
    pub(super) misplaced: Option<&'static str>,
}

/// Where the customers come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Listed(Vec<MarketCustomer>),
    Fitted(Box<FittedCustomers>),
}

/// How the uncertainty of estimates is carried over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Uncertainty {
    /// Linear in the estimates.
    Delta,
    /// Draws of the estimates from their normal law (Krinsky & Robb): percentiles, and the standard deviation.
    KrinskyRobb {
        /// How many.
        draws: usize,
        /// Their seed.
        seed: Seed,
    },
}

impl Market {
    /// The market of these customers: when they pay, and the taste shock of their entry.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] without customers, or for a law that is none.
    pub fn of(
        customers: impl IntoIterator<Item = MarketCustomer>,
        timing: PurchaseTiming,
        shock: TasteShock,
    ) -> Result<Self> {
        let customers: Vec<MarketCustomer> = customers.into_iter().collect();
        if customers.is_empty() {
            return Err(Error::invalid_option("customers", 0, "at least one"));
        }
        for (i, customer) in customers.iter().enumerate() {
            let bad = |name: &str, value: f64, expected: &str| {
                Err(Error::invalid_option(
                    &format!("{name} of customer {}", i + 1),
                    value,
                    expected,
                ))
            };
            for (name, value) in [
                ("weight", customer.weight),
                ("ability_sd", customer.ability_sd),
                ("belief_sd", customer.belief_sd),
                ("belief_variance", customer.belief_variance),
            ] {
                if !(value >= 0.0 && value.is_finite()) {
                    return bad(name, value, "zero or a positive finite number");
                }
            }
            for (name, value) in [("ability", customer.ability), ("belief", customer.belief)] {
                if !value.is_finite() {
                    return bad(name, value, "a finite number");
                }
            }
            if !(-1.0..=1.0).contains(&customer.rho) {
                return bad("rho", customer.rho, "a correlation");
            }
        }
        Ok(Self::new(Source::Listed(customers), timing, shock))
    }

    /// The customers of the static process as they are drawn before any of its offers, on its terms. The unseen part of u_0 is the taste shock after the purchase; before it,
    /// where it is part of the price at which they buy, each customer has one that is drawn. That of L_0 is left out.
    ///
    /// # Errors
    /// Those of the process.
    pub fn simulated(process: &StaticParticipation) -> Result<Self> {
        let seed = process.seed.ok_or_else(|| Error::SeedRequired {
            what: "the customers of a simulated market".to_owned(),
        })?;
        let drawn = process.population.simulate(process.customers, seed)?;
        let people = &drawn.oracle.individuals;
        let column = |name: &str| people.real(name);
        let (ability, belief) = (column("ability")?, column("belief_mean")?);
        let (variance, risk) = (column("belief_variance")?, column("risk_aversion")?);
        let (mental, material) = (column("mental_cost")?, column("material_cost")?);
        let terms = Terms {
            price: process.price,
            outside: process.outside,
            taste: process.taste,
            value_abandon: process.abandon,
            ..Terms::default()
        };
        let before = process.timing == PurchaseTiming::BeforePurchase;
        let mut random = seed.child("outside utility of a market").stream(0);
        let customers = (0..people.rows()).map(|i| {
            let mut terms = terms;
            if before {
                let unseen: f64 = StandardNormal.sample(&mut random);
                terms.outside += process.noise[0] * unseen;
            }
            let preferences = if process.ambiguity > 0.0 {
                Preferences::smooth_ambiguity(risk[i], risk[i] + process.ambiguity)
            } else {
                Preferences::continuous_cara(risk[i])
            };
            let cost = crate::decision::Cost {
                mental: mental[i],
                material: material[i],
                relief: 0.0,
            };
            Ok(MarketCustomer {
                weight: 1.0,
                situation: Situation::new(preferences?, cost, process.task, terms)?,
                ability: ability[i],
                ability_sd: 0.0,
                belief: belief[i],
                belief_sd: 0.0,
                rho: 0.0,
                belief_variance: variance[i],
            })
        });
        let customers = customers.collect::<Result<Vec<_>>>()?;
        let shock = if before {
            TasteShock::None
        } else {
            TasteShock::Probit(process.noise[0])
        };
        let market = Self::of(customers, process.timing, shock)?;
        Ok(market
            .interim(process.interim)
            .signal_variance(process.education.signals.variance())
            .unit_cost(process.firm_cost * (1.0 - process.customer_share)))
    }

    /// The customers of a fitted model, who pay before the work.
    ///
    /// # Errors
    /// [`Error::Unidentified`] without a regressor in money or without success; [`Error::DataNotKept`] after `lean`.
    pub fn fitted(fit: &JointWillingnessFit) -> Result<Self> {
        let customers = FittedCustomers::of(fit)?;
        Ok(Self::new(
            Source::Fitted(Box::new(customers)),
            PurchaseTiming::AfterPurchase,
            TasteShock::None,
        ))
    }

    fn new(source: Source, timing: PurchaseTiming, shock: TasteShock) -> Self {
        Self {
            source,
            timing,
            interim: Signals::NONE,
            signal_variance: None,
            shock,
            unit_cost: 0.0,
            hold_up: None,
            uncertainty: Uncertainty::Delta,
            misplaced: None,
        }
    }

    /// Signals that reach customers between payment and work, whatever the policy.
    pub fn interim(mut self, signals: Signals) -> Self {
        self.interim = signals;
        self
    }

    /// The variance of a signal that education gives, in squared units of ability; of a fitted market that of its data unless another is given.
    pub fn signal_variance(mut self, variance: f64) -> Self {
        self.signal_variance = Some(variance);
        self
    }

    /// What a participant costs the firm, k_f(1 − h): production, less the share that the customer takes over.
    pub fn unit_cost(mut self, money: f64) -> Self {
        self.unit_cost = money;
        self
    }

    /// The firm sets its price when the effort of the design is sunk, at this marginal cost, unless a policy commits it ([`HoldUp`](crate::participation::HoldUp)); before
    /// purchase only. Each customer is a game to be solved at each node: some milliseconds a customer.
    pub fn holds_up(mut self, marginal_cost: f64) -> Self {
        self.hold_up = Some(marginal_cost);
        self
    }

    /// How the uncertainty of estimates is carried over; the delta method unless something else is said.
    pub fn uncertainty(mut self, uncertainty: Uncertainty) -> Self {
        self.uncertainty = uncertainty;
        self
    }

    /// What the customer pays in a fitted market as it stands.
    pub fn price(self, money: f64) -> Self {
        self.set("price", |fitted| fitted.price = Some(money))
    }

    /// What the work costs the customer of a fitted market, in money: with it the timing of the payment may change, and a tool may take a share.
    pub fn work_cost(self, money: f64) -> Self {
        self.set("work_cost", |fitted| fitted.work_cost = Some(money))
    }

    /// r over the noise of the task in a fitted market, which a guarantee insures; zero unless said, and not to be said where guarantees in the data gave it.
    pub fn risk_aversion(self, r: f64) -> Self {
        self.set("risk_aversion", |fitted| fitted.risk_aversion = Some(r))
    }

    /// The value of a column of a fitted market as it stands, where it is not that of the data: no lesson, no tool.
    pub fn at(self, column: impl Into<String>, value: f64) -> Self {
        let column = column.into();
        self.set("at", |fitted| fitted.base.push((column, value)))
    }

    /// Other customers for a fitted market: a frame with its regressors.
    pub fn on(self, frame: &Frame) -> Self {
        self.set("on", |fitted| fitted.frame = frame.clone())
    }

    fn set(mut self, name: &'static str, change: impl FnOnce(&mut FittedCustomers)) -> Self {
        match &mut self.source {
            Source::Fitted(fitted) => change(fitted),
            Source::Listed(_) => self.misplaced = Some(name),
        }
        self
    }

    /// Compares policies with what stands.
    ///
    /// # Errors
    /// See [`Market`].
    pub fn compare(&self, policies: &[Policy]) -> Result<Counterfactual> {
        self.compare_with(policies, &Progress::none())
    }

    /// Compares policies with what stands, watched by `progress`.
    ///
    /// # Errors
    /// See [`Market`]; [`Error::Cancelled`].
    pub fn compare_with(&self, policies: &[Policy], progress: &Progress) -> Result<Counterfactual> {
        let engine = self.engine(policies)?;
        let scenarios: Vec<Scenario> = (0..policies.len()).map(Scenario::whole).collect();
        let results = engine.run(&scenarios, self.uncertainty, progress)?;
        Ok(Counterfactual::new(policies, results, &engine))
    }

    /// What each lever contributes to the effects of a policy: Shapley values, so that the order does not matter.
    ///
    /// # Errors
    /// See [`Market`].
    pub fn decompose(&self, policy: &Policy) -> Result<Decomposition> {
        self.decompose_with(policy, &Progress::none())
    }

    /// The same, watched by `progress`.
    ///
    /// # Errors
    /// See [`Market`]; [`Error::Cancelled`].
    pub fn decompose_with(&self, policy: &Policy, progress: &Progress) -> Result<Decomposition> {
        let levers = policy.levers();
        let engine = self.engine(std::slice::from_ref(policy))?;
        let scenarios: Vec<Scenario> = (0..1_usize << levers.len())
            .map(|set| {
                let kept = (0..levers.len()).filter(|k| set >> k & 1 == 1);
                Scenario {
                    policy: 0,
                    levers: Some(kept.map(|k| levers[k]).collect()),
                }
            })
            .collect();
        let results = engine.run(&scenarios, self.uncertainty, progress)?;
        Ok(Decomposition::new(policy, levers, results, &engine))
    }

    /// The level at which a family of policies gives most of an outcome, net of its cost, between two levels.
    ///
    /// # Errors
    /// See [`Market`].
    pub fn optimal_level(
        &self,
        levels: [f64; 2],
        outcome: Outcome,
        family: impl Fn(f64) -> Policy,
    ) -> Result<OptimalLevel> {
        OptimalLevel::find(self, levels, outcome, &family)
    }

    /// Whom to make the offer: those among whom it raises the outcome, net of its cost.
    ///
    /// # Errors
    /// See [`Market`].
    pub fn target(&self, policy: &Policy, outcome: Outcome) -> Result<PolicyTargeting> {
        let engine = self.engine(std::slice::from_ref(policy))?;
        PolicyTargeting::new(policy, outcome, &engine, self.uncertainty)
    }

    /// The customers, and what policies do to them.
    pub(super) fn engine(&self, policies: &[Policy]) -> Result<Engine> {
        let mut names = std::collections::BTreeSet::new();
        for policy in policies {
            policy.check()?;
            if !names.insert(policy.name()) {
                return Err(Error::invalid_option(
                    "policies",
                    policy.name(),
                    "one policy of a name",
                ));
            }
            self.check_policy(policy)?;
        }
        self.check()?;
        let mut conditions = Conditions {
            timing: self.timing,
            interim: self.interim,
            signal_variance: self.signal_variance.unwrap_or(f64::NAN),
            shock: self.shock,
            unit_cost: self.unit_cost,
            hold_up: self.hold_up,
            rule: rule_for(1.0)?,
        };
        match &self.source {
            Source::Listed(customers) => {
                let scale = match self.shock {
                    TasteShock::None => 0.0,
                    TasteShock::Logit(scale) | TasteShock::Probit(scale) => scale,
                };
                let steepest = customers.iter().map(|c| {
                    let terms = c.situation.terms();
                    let slope = terms.taste + (terms.value_success - terms.value_failure).abs();
                    slope * (c.belief_sd + c.ability_sd) / scale
                });
                conditions.rule = rule_for(steepest.fold(0.0, f64::max))?;
                Ok(Engine::listed(customers, policies, conditions))
            }
            Source::Fitted(fitted) => fitted.engine(policies, conditions),
        }
    }
}

/// The rule for the belief's law where a deviation of it moves the surplus by so many deviations of the shock: to about 1e-6 of an outcome.
pub(super) fn rule_for(steepness: f64) -> Result<Rule> {
    gauss_hermite_normal(match steepness {
        s if s < 1.0 => 12,
        s if s < 2.0 => 24,
        _ => 48,
    })
}

/// What policies do to all customers alike.
pub(super) fn moved(policies: &[Policy]) -> Vec<Moved> {
    policies.iter().map(Moved::of).collect()
}

impl Scenario {
    /// A policy as it is.
    fn whole(policy: usize) -> Self {
        Self {
            policy,
            levers: None::<Vec<Lever>>,
        }
    }
}
