//! A quadrature rule: nodes and weights.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Nodes in increasing order, each with its weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    name: String,
    nodes: Vec<f64>,
    weights: Vec<f64>,
}

impl Rule {
    pub(super) fn new(name: &str, nodes: Vec<f64>, weights: Vec<f64>) -> Self {
        Self {
            name: name.to_owned(),
            nodes,
            weights,
        }
    }

    /// How many nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none (never).
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes.
    pub fn nodes(&self) -> &[f64] {
        &self.nodes
    }

    /// The weights.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// `Σ wₖ f(xₖ)`.
    pub fn integrate(&self, mut f: impl FnMut(f64) -> f64) -> f64 {
        self.nodes
            .iter()
            .zip(&self.weights)
            .map(|(x, w)| w * f(*x))
            .sum()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rule with {} nodes", self.name, self.len())
    }
}
