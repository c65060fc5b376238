//! How the state moves: estimated in a first step, together with the payoffs, or known.

use crate::decision::LawOfMotion;
use serde::{Deserialize, Serialize};

/// The law of motion of the state.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Transitions {
    /// `P_a(s' | s)` by the frequency of next states, each state and action by itself, in a first step: every action must be
    /// observed in every state.
    #[default]
    Frequencies,
    /// The state rises by 0, 1, …, `most` with the same probabilities everywhere and stays in the last state; action `reset` begins anew
    /// from state 0 (bins of mileage, as in Rust 1987). Rows from which the last state could cut an increment off say nothing of
    /// the increments.
    Increments {
        /// The largest increment.
        most: usize,
        /// The action that begins anew.
        reset: Option<usize>,
    },
    /// Known laws, one an action.
    Known(Vec<LawOfMotion>),
}
