//! Interviews in which customers voice needs, some of which nobody voices.

use super::closed::{process, seeded};
use super::generate::{data, generate_units, summed};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::special::beta::ln_beta;
use serde::{Deserialize, Serialize};

/// Customers have needs, each with its own probability that a customer voices it in an interview, beta-distributed over needs as in Griffin & Hauser (1993). Levels are
/// **assumed**.
///
/// **Data**, one row a need voiced in an interview: `interview` (from 1), `need` (from 1). Needs that nobody voices have no row. **Oracle**: effects
/// `needs` (all there are) and `share_after` (the share that as many interviews voice in expectation).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeedInterviews {
    /// How many needs there are.
    pub needs: usize,
    /// How many interviews are held.
    pub interviews: usize,
    /// α and β of the probability that a customer voices a need.
    pub voicing: [f64; 2],
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for NeedInterviews {
    fn default() -> Self {
        Self {
            needs: 200,
            interviews: 20,
            voicing: [1.5, 8.0],
            keep_oracle: true,
            seed: None,
        }
    }
}

process!(NeedInterviews, needs, "needs");

impl NeedInterviews {
    /// The process at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many interviews are held.
    pub fn interviews(mut self, interviews: usize) -> Self {
        self.interviews = interviews;
        self
    }

    /// Holds the interviews.
    ///
    /// # Errors
    /// [`Error::SeedRequired`]; [`Error::InvalidOption`], also when no need is voiced.
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the interviews")?.child("need interviews");
        let [a, b] = self.voicing;
        if self.voicing.iter().any(|v| !(*v > 0.0 && v.is_finite())) || self.interviews == 0 {
            return Err(Error::invalid_option(
                "voicing, interviews",
                format!("{:?}, {}", self.voicing, self.interviews),
                "positive parameters of the beta distribution, and at least one interview",
            ));
        }
        let fields = [data("interview"), data("need"), summed("mention")];
        let made = generate_units(
            self.needs,
            seed,
            &fields,
            self.keep_oracle,
            |draws, need, out| {
                let chance = draws.beta(a, b);
                for interview in 1..=self.interviews {
                    if draws.chance(chance) {
                        out.extend([interview as f64, (need + 1) as f64, 1.0]);
                    }
                }
            },
        )?;
        let silent = (ln_beta(a, b + self.interviews as f64) - ln_beta(a, b)).exp();
        let oracle = Oracle::new(made.oracle)
            .with("needs", self.needs as f64)
            .with("share_after", 1.0 - silent);
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }
}
