//! Policies beside what stands.

use super::engine::{Engine, Results};
use super::outcome::Outcome;
use super::policy::Policy;
use crate::error::{Error, Result, Warning};
use crate::inference::{Estimate, Interval};
use crate::report::{Cell, CoefficientPlot, Figure, Table};
use serde::{Deserialize, Serialize};

/// What policies do to the outcomes of a [`Market`](super::Market): levels, and effects against what stands, with standard errors. All are means per customer; surplus,
/// profit and welfare in money.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counterfactual {
    policies: Vec<String>,
    results: Results,
    warnings: Vec<Warning>,
    basis: String,
}

impl Counterfactual {
    pub(super) fn new(policies: &[Policy], results: Results, engine: &Engine) -> Self {
        Self {
            policies: policies.iter().map(|p| p.name().to_owned()).collect(),
            results,
            warnings: engine.warnings.clone(),
            basis: engine.basis.clone(),
        }
    }

    /// The outcome as things stand.
    pub fn status_quo(&self, outcome: Outcome) -> Estimate {
        let name = format!("{outcome} as it stands");
        self.results.estimate(name, &[(0, 1.0)], outcome)
    }

    /// The outcome under a policy.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a policy that was not compared.
    pub fn level(&self, policy: &str, outcome: Outcome) -> Result<Estimate> {
        let at = self.position(policy)?;
        let name = format!("{outcome} under {policy}");
        Ok(self.results.estimate(name, &[(at, 1.0)], outcome))
    }

    /// What a policy changes.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a policy that was not compared.
    pub fn effect(&self, policy: &str, outcome: Outcome) -> Result<Estimate> {
        let at = self.position(policy)?;
        let name = format!("{policy}: {outcome}");
        let of = [(at, 1.0), (0, -1.0)];
        Ok(self.results.estimate(name, &of, outcome))
    }

    /// What one policy gives more than another.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a policy that was not compared.
    pub fn difference(&self, policy: &str, other: &str, outcome: Outcome) -> Result<Estimate> {
        let of = [(self.position(policy)?, 1.0), (self.position(other)?, -1.0)];
        let name = format!("{policy} less {other}: {outcome}");
        Ok(self.results.estimate(name, &of, outcome))
    }

    /// The interval of an effect: of the normal law, or percentiles of the draws.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a policy that was not compared or a level outside (0, 1).
    pub fn interval(&self, policy: &str, outcome: Outcome, level: f64) -> Result<Interval> {
        let of = [(self.position(policy)?, 1.0), (0, -1.0)];
        let name = format!("{policy}: {outcome}");
        self.results.interval(name, &of, outcome, level)
    }

    /// Names of the policies.
    pub fn policies(&self) -> &[String] {
        &self.policies
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The effects, a column a policy.
    pub fn table(&self) -> Table {
        let heads = [String::new(), "as it stands".to_owned()];
        let mut table = Table::new("What policies would do")
            .columns(heads.into_iter().chain(self.policies.iter().cloned()));
        for outcome in Outcome::ALL {
            let effects = (0..self.policies.len()).map(|k| {
                let of = [(k + 1, 1.0), (0, -1.0)];
                self.results.estimate(String::new(), &of, outcome)
            });
            let effects: Vec<Estimate> = effects.collect();
            let stands = Cell::fixed(self.status_quo(outcome).estimate, 4);
            let values = effects.iter().map(|e| Cell::fixed(e.estimate, 4));
            table = table.row(
                [Cell::from(outcome.to_string()), stands]
                    .into_iter()
                    .chain(values),
            );
            let errors = effects
                .iter()
                .map(|e| Cell::fixed(e.std_error, 4).parenthesised());
            table = table.row([Cell::empty(), Cell::empty()].into_iter().chain(errors));
        }
        table = table.note(format!(
            "Effects against what stands, a mean over {} customers; surplus, profit and welfare in money.",
            self.results.customers
        ));
        table = table.note(self.basis.clone());
        self.warnings
            .iter()
            .fold(table, |t, w| t.note(format!("Warning: {w}")))
    }

    /// The effects on an outcome with 95 % intervals.
    ///
    /// # Errors
    /// Those of [`CoefficientPlot::draw`].
    pub fn figure(&self, outcome: Outcome) -> Result<Figure> {
        const LEVEL: f64 = 0.95;
        let mut plot = CoefficientPlot::new()
            .title(format!("Effects on {outcome}"))
            .x_title("change, a customer");
        for policy in &self.policies {
            let effect = self.effect(policy, outcome)?;
            let interval = self.interval(policy, outcome, LEVEL)?;
            plot = plot.point(policy, effect.estimate, interval.lower, interval.upper);
        }
        plot.draw()
    }

    fn position(&self, policy: &str) -> Result<usize> {
        let found = self.policies.iter().position(|p| p == policy);
        found.map(|k| k + 1).ok_or_else(|| {
            let expected = format!("one of {}", self.policies.join(", "));
            Error::invalid_option("policy", policy, expected)
        })
    }
}

crate::report::shown!(Counterfactual);
