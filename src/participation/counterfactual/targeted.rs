//! Whom to make an offer.

use super::engine::{Engine, Results, Scenario};
use super::market::Uncertainty;
use super::outcome::{CORE, Outcome, all};
use super::policy::Policy;
use crate::error::{Result, Warning};
use crate::inference::Estimate;
use crate::numeric::Progress;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// The rule "treat where the effect on the outcome, net of the policy's cost, is positive", customer by customer as the market knows them, with what it is worth.
///
/// Standard errors hold the rule fixed: it is the best at the estimates, which flatters its value where effects are near zero.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolicyTargeting {
    policy: String,
    outcome: Outcome,
    effects: Vec<f64>,
    treated: Vec<bool>,
    share: f64,
    all: Results,
    best: Results,
    warnings: Vec<Warning>,
}

impl PolicyTargeting {
    pub(super) fn new(
        policy: &Policy,
        outcome: Outcome,
        engine: &Engine,
        uncertainty: Uncertainty,
    ) -> Result<Self> {
        let scenarios = [Scenario {
            policy: 0,
            levers: None,
        }];
        let placed = engine.placed()?;
        let mut values = vec![];
        let insurance = placed.insurance(&scenarios);
        let effects: Vec<f64> = (0..placed.customers.len())
            .map(|i| {
                placed.outcomes(i, &scenarios, &insurance, None, &mut values);
                let of = |from: usize| {
                    let core = std::array::from_fn(|c| values[from + c]);
                    all(&core)[outcome.position()]
                };
                of(CORE) - of(0)
            })
            .collect();
        let treated: Vec<bool> = effects.iter().map(|e| *e > 0.0).collect();
        let weights = || placed.customers.iter().map(|c| c.weight);
        let among: f64 = weights()
            .zip(&treated)
            .filter(|(_, t)| **t)
            .map(|(w, _)| w)
            .sum();
        let progress = Progress::none();
        Ok(Self {
            policy: policy.name().to_owned(),
            outcome,
            share: among / weights().sum::<f64>(),
            all: engine.run(&scenarios, uncertainty, &progress)?,
            best: engine.run_on(&scenarios, Some(&treated), uncertainty, &progress)?,
            effects,
            treated,
            warnings: engine.warnings.clone(),
        })
    }

    /// The effect on each customer, net of the cost.
    pub fn effects(&self) -> &[f64] {
        &self.effects
    }

    /// Who is made the offer.
    pub fn treated(&self) -> &[bool] {
        &self.treated
    }

    /// The share of customers who are.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// What the rule gives more than nothing.
    pub fn gain(&self) -> Estimate {
        let of = [(1, 1.0), (0, -1.0)];
        let name = format!("{} to some: {}", self.policy, self.outcome);
        self.best.estimate(name, &of, self.outcome)
    }

    /// What the offer to everybody gives more than nothing.
    pub fn gain_of_all(&self) -> Estimate {
        let of = [(1, 1.0), (0, -1.0)];
        let name = format!("{} to all: {}", self.policy, self.outcome);
        self.all.estimate(name, &of, self.outcome)
    }

    /// What the rule does to another outcome.
    pub fn effect(&self, outcome: Outcome) -> Estimate {
        let of = [(1, 1.0), (0, -1.0)];
        let name = format!("{} to some: {outcome}", self.policy);
        self.best.estimate(name, &of, outcome)
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The rule beside the offer to everybody, over all outcomes.
    pub fn table(&self) -> Table {
        let title = format!("Whom: {}, for {}", self.policy, self.outcome);
        let share = format!("to {:.0} %", 100.0 * self.share);
        let mut table = Table::new(title).columns(["", "to all", "", share.as_str(), ""]);
        for outcome in Outcome::ALL {
            let of = [(1, 1.0), (0, -1.0)];
            let whole = self.all.estimate(String::new(), &of, outcome);
            let some = self.effect(outcome);
            table = table.row([
                Cell::from(outcome.to_string()),
                Cell::fixed(whole.estimate, 4),
                Cell::fixed(whole.std_error, 4).parenthesised(),
                Cell::fixed(some.estimate, 4),
                Cell::fixed(some.std_error, 4).parenthesised(),
            ]);
        }
        table = table.note("Effects against what stands, a mean over all customers; standard errors hold the rule fixed.");
        self.warnings
            .iter()
            .fold(table, |t, w| t.note(format!("Warning: {w}")))
    }
}

crate::report::shown!(PolicyTargeting);
