//! Customers who try before they buy.

use super::closed::{flag, process, seeded};
use super::generate::{data, data_flag, generate, oracle};
use super::oracle::{Oracle, Simulated};
use crate::decision::{Belief, Cost, Preferences, Signals, Situation, Task, Terms, Trials};
use crate::error::Result;
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// Customers who may try a product up to N times before they buy or leave, and look ahead: [`Trials`]. A trial shows s = a + N(0, σ_s²), by which they
/// update their belief N(m, v) on their ability a; buying is worth value form 4, `θm − (α/2)θ²v − p`, and leaving zero; on each option stands an
/// extreme-value taste shock, the unit of money here. Beliefs are calibrated: a ~ N(m_0, v_0) given m_0. All levels are **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `customers` | 500 | |
/// | `horizon` | 5 | the most trials N |
/// | `discount` | .95 | δ from trial to trial |
/// | `taste` | 3 | θ |
/// | `prior_mean`, `prior_deviation` | 0, .5 | m_0 over customers |
/// | `prior_variance` | 1 | v_0 |
/// | `signal_variance` | 1 | σ_s² |
/// | `ambiguity_aversion` | 0 | α |
/// | `trial_cost` | .3 | c |
/// | `prices` | 0, 2 | equally likely, the same at all stages |
///
/// **Data**: `customer`, `price`, `prior_mean` (elicited), `trials`, `bought`. **Oracle**: `ability`, `belief_mean` and `belief_variance` at the end,
/// `value` of the problem before the first shock; effects `purchase_rate`, `mean_trials`, `mean_value`.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let made = TrialPanel::new().customers(2_000).seed(1).simulate()?;
/// assert!(made.oracle.effect("mean_trials")? > 0.5);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialPanel {
    /// How many customers.
    pub customers: usize,
    /// N.
    pub horizon: usize,
    /// δ.
    pub discount: f64,
    /// θ.
    pub taste: f64,
    /// Mean of m_0.
    pub prior_mean: f64,
    /// Deviation of m_0.
    pub prior_deviation: f64,
    /// v_0.
    pub prior_variance: f64,
    /// σ_s².
    pub signal_variance: f64,
    /// α.
    pub ambiguity_aversion: f64,
    /// c.
    pub trial_cost: f64,
    /// The two prices.
    pub prices: [f64; 2],
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for TrialPanel {
    fn default() -> Self {
        Self {
            customers: 500,
            horizon: 5,
            discount: 0.95,
            taste: 3.0,
            prior_mean: 0.0,
            prior_deviation: 0.5,
            prior_variance: 1.0,
            signal_variance: 1.0,
            ambiguity_aversion: 0.0,
            trial_cost: 0.3,
            prices: [0.0, 2.0],
            keep_oracle: true,
            seed: None,
        }
    }
}

process!(TrialPanel, customers, "customers");

impl TrialPanel {
    /// The panel at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the customers solve.
    pub fn trials(&self) -> Trials {
        Trials {
            horizon: self.horizon,
            discount: self.discount,
            cost: self.trial_cost,
            spread: self.taste * self.prior_variance.sqrt(),
            ratio: self.prior_variance / self.signal_variance,
            ambiguity: self.ambiguity_aversion,
        }
    }

    /// Draws the panel.
    ///
    /// # Errors
    /// [`Error::SeedRequired`](crate::Error::SeedRequired), [`Error::InvalidOption`](crate::Error::InvalidOption).
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the panel of trials")?.child("trial panel");
        super::closed::not_negative("prior_deviation", self.prior_deviation)?;
        let plan = self.trials().plan()?;
        let signals = Signals::new(1, self.signal_variance)?;
        let prior = Belief::new(self.prior_mean, self.prior_variance)?;
        let preferences = Preferences::smooth_ambiguity(0.0, self.ambiguity_aversion)?;
        let mut situations = Vec::with_capacity(self.prices.len());
        for price in self.prices {
            let terms = Terms {
                price,
                taste: self.taste,
                ..Terms::default()
            };
            situations.push(Situation::new(
                preferences,
                Cost::material(0.0),
                Task::default(),
                terms,
            )?);
        }
        let mut fields = ["customer", "price", "prior_mean", "trials"]
            .map(data)
            .to_vec();
        fields.push(data_flag("bought"));
        fields.extend(["ability", "belief_mean", "belief_variance", "value"].map(oracle));
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, unit, out| {
                let situation = &situations[draws.below(self.prices.len())];
                let first = prior.shifted(self.prior_deviation * draws.normal());
                let ability = first.mean() + first.standard_deviation() * draws.normal();
                let worth = |belief: Belief| situation.certainty_equivalent(belief, 0.0);
                let (mut belief, mut trials) = (first, 0);
                let bought = loop {
                    let chances = plan.probabilities(trials, worth(belief));
                    let draw = draws.uniform();
                    if draw < chances.leave {
                        break false;
                    }
                    if draw < chances.leave + chances.buy || trials == self.horizon {
                        break true;
                    }
                    trials += 1;
                    belief = belief.update(
                        signals,
                        ability + self.signal_variance.sqrt() * draws.normal(),
                    );
                };
                out.copy_from_slice(&[
                    unit as f64,
                    situation.terms().price,
                    first.mean(),
                    trials as f64,
                    flag(bought),
                    ability,
                    belief.mean(),
                    belief.variance(),
                    plan.value(0, worth(first)),
                ]);
            },
        )?;
        let truths = [
            ("purchase_rate", made.mean("bought")),
            ("mean_trials", made.mean("trials")),
            ("mean_value", made.mean("value")),
        ];
        let oracle =
            (truths.into_iter()).fold(Oracle::new(made.oracle), |o, (name, v)| o.with(name, v));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }
}
