//! A panel of customers whose choices have consequences: a finite dynamic programme, by default Rust's bus engines.

use super::closed::{process, seeded};
use super::generate::{data, generate_units, oracle};
use super::oracle::{Oracle, Simulated};
use crate::decision::{DynamicProgram, DynamicSolution, LawOfMotion};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// Customers who choose in every period, look ahead, and bear the consequences: in state s they take action a with the probability
/// that [`DynamicProgram`] gives, and the state moves by that action's law. [`DynamicPanel::replacement`] is Rust's problem: keep what
/// wears out at a cost of `c s/1000` in state s, or replace it and begin anew; its defaults are near the published estimates for
/// the buses of group 4 (Rust 1987, table IX). Other problems: [`DynamicPanel::of`].
///
/// | field | default | meaning |
/// |---|---|---|
/// | `units`, `periods` | 100, 80 | |
/// | `program` | Rust's bus: 90 states, discount .9999, replacement 10.075, c 2.293, steps .3919, .5953, .0128 | |
/// | `initial` | 0 | the state of the first period |
///
/// **Data**: `unit`, `time`, `state`, `choice` (numbers from 0). **Oracle**: `probability` of the choice that was made; effects
/// `log_likelihood` (of the choices), `mean_state`.
///
/// # References
/// Rust, J. (1987). Optimal replacement of GMC bus engines. *Econometrica* 55(5), 999–1033. doi:10.2307/1911259
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let made = DynamicPanel::replacement(90, 0.9999, 10.075, 2.293, &[0.3919, 0.5953, 0.0128])?.seed(1).simulate()?;
/// assert_eq!(made.data.rows(), 8_000);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DynamicPanel {
    /// How many customers.
    pub units: usize,
    /// How many periods.
    pub periods: usize,
    /// What they choose among, and what follows.
    pub program: DynamicProgram,
    /// The state of the first period.
    pub initial: usize,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

process!(DynamicPanel, units, "customers");

impl DynamicPanel {
    /// A panel of any programme.
    pub fn of(program: DynamicProgram) -> Self {
        Self {
            units: 100,
            periods: 80,
            program,
            initial: 0,
            keep_oracle: true,
            seed: None,
        }
    }

    /// Rust's problem with so many states, a discount factor, the cost of replacement, the slope c of the cost in thousandths, and the
    /// probabilities of the state's rising by 0, 1, ….
    ///
    /// # Errors
    /// Those of [`DynamicProgram::new`] and [`LawOfMotion::new`].
    pub fn replacement(
        states: usize,
        discount: f64,
        replacement: f64,
        slope: f64,
        increments: &[f64],
    ) -> Result<Self> {
        let payoffs = (0..states)
            .map(|s| vec![-1e-3 * slope * s as f64, -replacement])
            .collect();
        let laws = vec![
            LawOfMotion::increments(states, increments, None)?,
            LawOfMotion::increments(states, increments, Some(0))?,
        ];
        Ok(Self::of(DynamicProgram::new(payoffs, laws, discount)?))
    }

    /// How many periods.
    pub fn periods(mut self, periods: usize) -> Self {
        self.periods = periods;
        self
    }

    /// Draws the panel.
    ///
    /// # Errors
    /// [`Error::SeedRequired`]; [`Error::InvalidOption`] for an initial state that does not exist; those of [`DynamicProgram::solve`].
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the dynamic panel")?.child("dynamic panel");
        if self.initial >= self.program.states() {
            return Err(Error::invalid_option(
                "initial",
                self.initial,
                format!("a state from 0 to {}", self.program.states() - 1),
            ));
        }
        let DynamicSolution { probabilities, .. } = self.program.solve()?;
        let fields = [
            data("unit"),
            data("time"),
            data("state"),
            data("choice"),
            oracle("probability"),
            super::generate::summed("log_probability"),
        ];
        let made = generate_units(
            self.units,
            seed,
            &fields,
            self.keep_oracle,
            |draws, unit, out| {
                let mut state = self.initial;
                for t in 0..self.periods {
                    let chances = &probabilities[state];
                    let choice = position(draws.uniform(), chances.iter().copied());
                    let p = chances[choice];
                    out.extend([
                        unit as f64,
                        t as f64,
                        state as f64,
                        choice as f64,
                        p,
                        p.ln(),
                    ]);
                    let law = self.program.law(choice).from_state(state);
                    state = law[position(draws.uniform(), law.iter().map(|(_, p)| *p))].0;
                }
            },
        )?;
        let oracle = Oracle::new(made.oracle.clone())
            .with("log_likelihood", made.sum("log_probability"))
            .with("mean_state", made.mean("state"));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }
}

/// Where a uniform draw falls among chances that sum to one.
fn position(draw: f64, chances: impl ExactSizeIterator<Item = f64>) -> usize {
    let last = chances.len() - 1;
    let mut left = draw;
    for (i, p) in chances.enumerate() {
        if left < p || i == last {
            return i;
        }
        left -= p;
    }
    last
}
