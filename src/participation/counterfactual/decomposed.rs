//! By which channels a policy acts.

use super::engine::{Engine, Results};
use super::outcome::Outcome;
use super::policy::{Lever, Policy};
use crate::error::{Error, Result, Warning};
use crate::inference::{Estimate, Interval};
use crate::report::{Cell, Figure, Table, WaterfallPlot};
use serde::{Deserialize, Serialize};

/// What each lever contributes to the effects of a policy, as Shapley values: the mean of what it adds over all orders in which the levers may be moved. They and the outlay
/// (K_E, which is paid whatever the levers do) sum to the effect.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decomposition {
    policy: String,
    levers: Vec<Lever>,
    /// What stands, then every set of levers in binary order.
    results: Results,
    warnings: Vec<Warning>,
    basis: String,
}

impl Decomposition {
    pub(super) fn new(
        policy: &Policy,
        levers: Vec<Lever>,
        results: Results,
        engine: &Engine,
    ) -> Self {
        Self {
            policy: policy.name().to_owned(),
            levers,
            results,
            warnings: engine.warnings.clone(),
            basis: engine.basis.clone(),
        }
    }

    /// The levers that the policy moves.
    pub fn levers(&self) -> &[Lever] {
        &self.levers
    }

    /// What a lever contributes to the change of an outcome.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a lever that the policy does not move.
    pub fn contribution(&self, lever: Lever, outcome: Outcome) -> Result<Estimate> {
        let of = self.shapley(lever)?;
        let name = format!("{lever}: {outcome}");
        Ok(self.results.estimate(name, &of, outcome))
    }

    /// The interval of a contribution: of the normal law, or percentiles of the draws.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a lever that the policy does not move, or a level outside (0, 1).
    pub fn interval(&self, lever: Lever, outcome: Outcome, level: f64) -> Result<Interval> {
        let of = self.shapley(lever)?;
        let name = format!("{lever}: {outcome}");
        self.results.interval(name, &of, outcome, level)
    }

    /// What the outlay takes, before any lever moves.
    pub fn outlay(&self, outcome: Outcome) -> Estimate {
        let of = [(1, 1.0), (0, -1.0)];
        self.results
            .estimate(format!("outlay: {outcome}"), &of, outcome)
    }

    /// The whole effect.
    pub fn effect(&self, outcome: Outcome) -> Estimate {
        let of = [(1 << self.levers.len(), 1.0), (0, -1.0)];
        let name = format!("{}: {outcome}", self.policy);
        self.results.estimate(name, &of, outcome)
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The contributions, a row a lever.
    pub fn table(&self) -> Table {
        let heads = Outcome::ALL.map(|o| o.to_string());
        let mut table = Table::new(format!("By which channels: {}", self.policy))
            .columns(std::iter::once(String::new()).chain(heads));
        let mut lines: Vec<(String, Vec<Estimate>)> = vec![];
        for lever in &self.levers {
            let values = Outcome::ALL.iter().map(|o| self.contribution(*lever, *o));
            lines.push((lever.to_string(), values.flatten().collect()));
        }
        lines.push((
            "outlay".to_owned(),
            Outcome::ALL.map(|o| self.outlay(o)).to_vec(),
        ));
        for (name, values) in lines {
            table = with_errors(table, name, &values);
        }
        table = table.rule();
        table = with_errors(
            table,
            "together".to_owned(),
            &Outcome::ALL.map(|o| self.effect(o)),
        );
        table = table
            .note("Shapley values: the order in which levers are moved does not matter.")
            .note(self.basis.clone());
        self.warnings
            .iter()
            .fold(table, |t, w| t.note(format!("Warning: {w}")))
    }

    /// From the outcome as it stands to that under the policy, lever by lever.
    ///
    /// # Errors
    /// Those of [`WaterfallPlot::draw`].
    pub fn waterfall(&self, outcome: Outcome) -> Result<Figure> {
        let stands = self.results.estimate(String::new(), &[(0, 1.0)], outcome);
        let mut plot = WaterfallPlot::new("as it stands", stands.estimate)
            .title(format!("{}: {outcome}", self.policy));
        for lever in &self.levers {
            plot = plot.step(
                lever.to_string(),
                self.contribution(*lever, outcome)?.estimate,
            );
        }
        let outlay = self.outlay(outcome).estimate;
        if outlay.abs() > 0.0 {
            plot = plot.step("outlay", outlay);
        }
        plot.end(self.policy.clone()).draw()
    }

    /// The weights of the sets of levers in the Shapley value of one.
    fn shapley(&self, lever: Lever) -> Result<Vec<(usize, f64)>> {
        let own = self
            .levers
            .iter()
            .position(|l| *l == lever)
            .ok_or_else(|| {
                let names: Vec<String> = self.levers.iter().map(Lever::to_string).collect();
                let expected = format!(
                    "one of those that `{}` moves: {}",
                    self.policy,
                    names.join(", ")
                );
                Error::invalid_option("lever", lever, expected)
            })?;
        let k = self.levers.len();
        // |S|! (k − 1 − |S|)!/k! for a set S without the lever.
        let weight = |size: usize| {
            let choose = (0..size).fold(1.0, |c, i| c * (k - 1 - i) as f64 / (i + 1) as f64);
            1.0 / (k as f64 * choose)
        };
        let mut of = vec![];
        for set in (0..1_usize << k).filter(|set| set >> own & 1 == 0) {
            let w = weight(set.count_ones() as usize);
            of.push((set + 1, -w));
            of.push((set + 1 + (1 << own), w));
        }
        Ok(of)
    }
}

fn with_errors(table: Table, name: String, values: &[Estimate]) -> Table {
    let cells = values.iter().map(|e| Cell::fixed(e.estimate, 4));
    let errors = values
        .iter()
        .map(|e| Cell::fixed(e.std_error, 4).parenthesised());
    table
        .row(std::iter::once(Cell::from(name)).chain(cells))
        .row(std::iter::once(Cell::empty()).chain(errors))
}

crate::report::shown!(Decomposition);
