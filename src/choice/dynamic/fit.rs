//! The fitted dynamic choice: payoffs, the value function, and what is chosen in each state.

use crate::decision::DynamicSolution;
use crate::regression::LikelihoodFit;
use crate::regression::delegate::delegate_to_likelihood;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// A fitted [`super::DynamicChoice`]. It answers the verbs of [`crate::inference::Inference`] with the normal distribution.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DynamicChoiceFit {
    fit: LikelihoodFit,
    solution: DynamicSolution,
    discount: f64,
}

impl DynamicChoiceFit {
    pub(super) fn new(fit: LikelihoodFit, solution: DynamicSolution, discount: f64) -> Self {
        Self {
            fit,
            solution,
            discount,
        }
    }

    /// The value function and the choice probabilities at the estimates.
    pub fn solution(&self) -> &DynamicSolution {
        &self.solution
    }

    /// The discount factor.
    pub fn discount(&self) -> f64 {
        self.discount
    }

    fn dress(&self, table: Table) -> Table {
        table.note(format!(
            "Discount factor {} (given); payoffs in units of the taste shock",
            self.discount
        ))
    }

    fn more_footer(&self) -> Vec<(String, Cell)> {
        vec![(
            "Discount factor".to_owned(),
            Cell::from(self.discount.to_string()),
        )]
    }
}

delegate_to_likelihood!(DynamicChoiceFit);
