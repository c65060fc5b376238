//! A learning panel: customers who take part learn what they can do.

use super::closed::{flag, not_negative, process, seeded, seen_if};
use super::generate::{data, data_flag, generate_units, oracle};
use super::oracle::{Oracle, Simulated};
use crate::decision::{Belief, Participations, Signals};
use crate::error::Result;
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// An assumption that the panel breaks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LearningFlaw {
    /// Customers update half as much as Bayes' rule says.
    Underreaction,
    /// Ability itself grows by .1 with every participation: learning by doing.
    LearningByDoing,
}

/// Customers who decide in every period whether to take part, and get a signal of their ability when they do.
///
/// Period t: they take part when `θm_t − (r/2)θ²(1 + v_t) − C_i − p_t + ε_t > 0` (value form 3), with a price that the experiment draws; a participant sees
/// s = a + N(0, σ_s²) and updates by Bayes' rule. Those who look ahead add the value of what they would learn ([`Participations`]), knowing the law of prices.
/// Everybody begins with the belief N(m_0, v_0), and a ~ N(m_0 − b, v_0) given m_0: calibrated where the overconfidence b is zero. All levels are
/// **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `customers`, `periods` | 500, 12 | |
/// | `prior_variance` | 1 | v_0 |
/// | `signal_ratio` | 1 | σ_s²/v_0, of .25, 1, 4 |
/// | `risk_aversion` | .3 | r |
/// | `taste` | 1 | θ |
/// | `cost` | .2 | C |
/// | `prices` | 0, .6 | equally likely in each period |
/// | `discount` | .95 | of those who look ahead, and for the researcher's model |
/// | `forward_looking` | false | whether they look ahead, to the end of the panel |
/// | `prior_deviation` | .5 | of m_0 over customers |
/// | `cost_deviation` | 0 | of C_i over customers, normal |
/// | `overconfidence` | 0 | b |
/// | `elicited` | false | whether the data have m_0 |
///
/// **Data**: `customer`, `period`, `price`, `participates`, `signal` (seen by participants), `prior_mean` if `elicited`. **Oracle**: `ability`,
/// `belief_mean`, `belief_variance`, both before the decision; effects: `first_rate`, `last_rate` (participation),
/// `belief_error_first`, `belief_error_last` (mean (m − a)²).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearningPanel {
    /// How many customers.
    pub customers: usize,
    /// How many periods.
    pub periods: usize,
    /// v_0.
    pub prior_variance: f64,
    /// σ_s²/v_0.
    pub signal_ratio: f64,
    /// r.
    pub risk_aversion: f64,
    /// θ.
    pub taste: f64,
    /// C.
    pub cost: f64,
    /// The two prices.
    pub prices: [f64; 2],
    /// Discount factor.
    pub discount: f64,
    /// Whether customers look ahead.
    pub forward_looking: bool,
    /// Deviation of m_0.
    pub prior_deviation: f64,
    /// Deviation of C.
    pub cost_deviation: f64,
    /// b.
    pub overconfidence: f64,
    /// Whether the data have m_0.
    pub elicited: bool,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The assumption that is broken.
    pub flaw: Option<LearningFlaw>,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for LearningPanel {
    fn default() -> Self {
        Self {
            customers: 500,
            periods: 12,
            prior_variance: 1.0,
            signal_ratio: 1.0,
            risk_aversion: 0.3,
            taste: 1.0,
            cost: 0.2,
            prices: [0.0, 0.6],
            discount: 0.95,
            forward_looking: false,
            prior_deviation: 0.5,
            cost_deviation: 0.0,
            overconfidence: 0.0,
            elicited: false,
            keep_oracle: true,
            flaw: None,
            seed: None,
        }
    }
}

process!(LearningPanel, customers, "customers");

impl LearningPanel {
    /// The panel at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Breaks one assumption.
    pub fn misspecify(mut self, flaw: LearningFlaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// What customers who look ahead solve: z is the value by the belief's mean at the mean price.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for a field outside its range.
    pub fn participations(&self) -> Result<Participations> {
        not_negative("prior_variance", self.prior_variance)?;
        let gap = 0.5 * (self.prices[1] - self.prices[0]);
        Ok(Participations {
            horizon: self.periods,
            discount: self.discount,
            spread: self.taste * self.prior_variance.sqrt(),
            ratio: 1.0 / self.signal_ratio,
            ambiguity: self.risk_aversion,
            payoffs: vec![[gap, 0.5], [-gap, 0.5]],
        })
    }

    /// Draws the panel.
    ///
    /// # Errors
    /// [`Error::SeedRequired`](crate::Error::SeedRequired), [`Error::InvalidOption`](crate::Error::InvalidOption).
    pub fn simulate(&self) -> Result<Simulated> {
        /// What underreaction leaves of an update, and what one participation adds to ability.
        const REACTION: f64 = 0.5;
        const GROWTH: f64 = 0.1;
        let seed = seeded(self.seed, "the learning panel")?.child("learning panel");
        for (name, value) in [
            ("prior_variance", self.prior_variance),
            ("signal_ratio", self.signal_ratio),
            ("risk_aversion", self.risk_aversion),
            ("taste", self.taste),
            ("prior_deviation", self.prior_deviation),
            ("cost_deviation", self.cost_deviation),
        ] {
            not_negative(name, value)?;
        }
        let signals = Signals::new(1, self.signal_ratio * self.prior_variance)?;
        let prior = Belief::new(0.0, self.prior_variance)?;
        let plan = if self.forward_looking {
            Some(self.participations()?.plan()?)
        } else {
            None
        };
        let middle = 0.5 * (self.prices[0] + self.prices[1]);
        let last = self.periods.saturating_sub(1);
        let mut fields = vec![data("customer"), data("period"), data("price")];
        fields.extend([data_flag("participates"), data("signal")]);
        fields.extend(self.elicited.then(|| data("prior_mean")));
        fields.extend(["ability", "belief_mean", "belief_variance"].map(oracle));
        let names = ["first", "last"];
        for name in names {
            fields.push(super::generate::summed(format!("rate_{name}")));
            fields.push(super::generate::summed(format!("error_{name}")));
        }
        let made = generate_units(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, unit, out| {
                let mut belief = prior.shifted(self.prior_deviation * draws.normal());
                let told = belief.mean();
                let mut ability =
                    told - self.overconfidence + belief.standard_deviation() * draws.normal();
                let mut cost = self.cost;
                if self.cost_deviation > 0.0 {
                    cost += self.cost_deviation * draws.normal();
                }
                let mut seen = 0;
                for t in 0..self.periods {
                    let price = self.prices[draws.below(2)];
                    let (noise, error) = (draws.normal(), draws.normal());
                    let (m, v) = (belief.mean(), belief.variance());
                    let mut value = self.taste * m
                        - 0.5 * self.risk_aversion * self.taste * self.taste * (1.0 + v)
                        - cost
                        - price;
                    if let Some(plan) = &plan {
                        let noise = 0.5 * self.risk_aversion * self.taste * self.taste;
                        value += plan.information(t, seen, self.taste * m - noise - cost - middle);
                    }
                    let participates = flag(value + noise > 0.0);
                    let signal = ability + signals.variance().sqrt() * error;
                    let error = (m - ability).powi(2);
                    let (first, end) = (flag(t == 0), flag(t == last));
                    out.extend([unit as f64, t as f64, price, participates]);
                    out.push(seen_if(participates, signal));
                    out.extend(self.elicited.then_some(told));
                    out.extend([ability, m, v]);
                    out.extend([first * participates, first * error]);
                    out.extend([end * participates, end * error]);
                    if participates > 0.5 {
                        seen += 1;
                        let after = belief.update(signals, signal);
                        belief = match self.flaw {
                            Some(LearningFlaw::Underreaction) => {
                                after.shifted((1.0 - REACTION) * (m - after.mean()))
                            }
                            _ => after,
                        };
                        if self.flaw == Some(LearningFlaw::LearningByDoing) {
                            ability += GROWTH;
                        }
                    }
                }
            },
        )?;
        let per = |name: &str| made.sum(name) / self.customers as f64;
        let truths = [
            ("first_rate", per("rate_first")),
            ("last_rate", per("rate_last")),
            ("belief_error_first", per("error_first")),
            ("belief_error_last", per("error_last")),
        ];
        let oracle =
            (truths.into_iter()).fold(Oracle::new(made.oracle), |o, (name, v)| o.with(name, v));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }
}
