//! What an action pays in a state: known features with unknown coefficients.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Payoffs that are linear in the parameters: `u(s, a) = Σ_k x_k(s, a) θ_k` for states 0 … S−1 and actions 0 … A−1.
///
/// ```
/// use cocreate::prelude::*;
/// // Three actions: stay, repair (halves the cost), replace.
/// let payoffs = Payoffs::new(20, 3, ["cost", "repair", "replacement"], |s, a| match a {
///     0 => vec![-(s as f64), 0.0, 0.0],
///     1 => vec![-0.5 * s as f64, -1.0, 0.0],
///     _ => vec![0.0, 0.0, -1.0],
/// })?;
/// assert_eq!((payoffs.states(), payoffs.actions(), payoffs.names().len()), (20, 3, 3));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Payoffs {
    states: usize,
    actions: usize,
    names: Vec<String>,
    /// One array a parameter, at `s * actions + a`.
    features: Vec<Vec<f64>>,
}

impl Payoffs {
    /// The payoffs with parameters of these names; `features(s, a)` has one number a parameter.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] without states, with fewer than two actions or no parameter, or when a list of features has another length;
    /// [`Error::NotFinite`] for a feature that is not finite.
    pub fn new<S: Into<String>>(
        states: usize,
        actions: usize,
        names: impl IntoIterator<Item = S>,
        features: impl Fn(usize, usize) -> Vec<f64>,
    ) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if states == 0 || actions < 2 || names.is_empty() {
            return Err(Error::invalid_option(
                "payoffs",
                format!(
                    "of {states} states, {actions} actions and {} parameters",
                    names.len()
                ),
                "those of a state, two actions and a parameter at least",
            ));
        }
        let mut columns = vec![Vec::with_capacity(states * actions); names.len()];
        for cell in 0..states * actions {
            let (state, action) = (cell / actions, cell % actions);
            let row = features(state, action);
            if row.len() != names.len() {
                return Err(Error::invalid_option(
                    "features",
                    format!("{} numbers in state {state} for action {action}", row.len()),
                    format!("one for each of {}", names.join(", ")),
                ));
            }
            for ((column, value), name) in columns.iter_mut().zip(row).zip(&names) {
                if !value.is_finite() {
                    return Err(Error::NotFinite {
                        what: format!(
                            "the feature of `{name}` in state {state} for action {action}"
                        ),
                    });
                }
                column.push(value);
            }
        }
        Ok(Self {
            states,
            actions,
            names,
            features: columns,
        })
    }

    /// Rust's problem: action 0 keeps at `u = −cost s/1000` in state s, action 1 replaces at `u = −replacement`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] without states.
    pub fn replacement(states: usize) -> Result<Self> {
        const SCALE: f64 = 1e-3;
        Self::new(states, 2, ["replacement", "cost"], |state, action| {
            if action == 0 {
                vec![0.0, -SCALE * state as f64]
            } else {
                vec![-1.0, 0.0]
            }
        })
    }

    /// Number of states.
    pub fn states(&self) -> usize {
        self.states
    }

    /// Number of actions.
    pub fn actions(&self) -> usize {
        self.actions
    }

    /// Names of the parameters.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn features(&self) -> &[Vec<f64>] {
        &self.features
    }

    /// `u(s, a)`, a row a state.
    pub(super) fn at(&self, theta: &[f64]) -> Vec<Vec<f64>> {
        let mut rows = vec![vec![0.0; self.actions]; self.states];
        for (column, t) in self.features.iter().zip(theta) {
            for (cell, x) in column.iter().enumerate() {
                rows[cell / self.actions][cell % self.actions] += x * t;
            }
        }
        rows
    }
}
