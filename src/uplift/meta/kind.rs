//! The recipes: how an effect is learned by regressions.

use crate::regression::learners::Learner;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A recipe that makes a learner of effects `τ_k(x) = E[Y(k) − Y(0) | X = x]` from learners of means. With `μ_k`, `e_k` and
/// `m(x) = E[Y | X = x]` cross-fitted, and `e = e_k/(e_k + e_0)`, `W̃ = 1{W = k} − e`, `Ỹ = Y − m` among the rows of arm k and control:
///
/// | recipe | what is learned | source |
/// |---|---|---|
/// | `S` | one `μ(x, w)`; τ = μ(x, k) − μ(x, 0) | Künzel et al. 2019 |
/// | `T` | τ = μ_k − μ_0 | the same |
/// | `X` | `Y − μ_0` among the treated, `μ_k − Y` among the others; τ is their mean with weights 1 − e and e | the same |
/// | `R` | `Ỹ/W̃` with weights `W̃²`: the R-loss `(Ỹ − τ W̃)²` | Nie & Wager 2021 |
/// | `DoublyRobust` | `Γ_k − Γ_0` on all rows | Kennedy 2023 |
/// | `U` | `Ỹ/W̃` without weights | Künzel et al. 2019 |
/// | `TransformedOutcome` | `Y (1{W = k}/e_k − 1{W = 0}/e_0)` on all rows; with an outcome of 0 and 1 the class transformation | Athey & Imbens 2016; Jaskowski & Jaroszewicz 2012 |
/// | `Constant` | the same effect for all, by the R-loss | Robinson 1988 |
///
/// # References
/// doi:10.1073/pnas.1804597116; doi:10.1093/biomet/asaa076; doi:10.1214/23-EJS2157; doi:10.1073/pnas.1510489113; doi:10.2307/1912705.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MetaKind {
    /// A single model with the arm as a feature.
    S,
    /// Two models.
    T,
    /// Imputed effects.
    X,
    /// Residuals on residuals.
    R,
    /// Regression of doubly robust scores.
    DoublyRobust,
    /// Ratios of residuals.
    U,
    /// The outcome weighted by inverse propensities.
    TransformedOutcome,
    /// The same effect for all.
    Constant,
}

impl fmt::Display for MetaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S => "S",
            Self::T => "T",
            Self::X => "X",
            Self::R => "R",
            Self::DoublyRobust => "DR",
            Self::U => "U",
            Self::TransformedOutcome => "transformed outcome",
            Self::Constant => "constant",
        })
    }
}

/// A recipe with the learner of its last regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectLearner {
    /// The recipe.
    pub kind: MetaKind,
    /// The learner of pseudo-outcomes; of `μ(x, w)` for `S`; `T` and `Constant` have none.
    pub learner: Learner,
}

impl EffectLearner {
    /// A recipe with a learner.
    pub fn new(kind: MetaKind, learner: impl Into<Learner>) -> Self {
        Self {
            kind,
            learner: learner.into(),
        }
    }

    /// Its name in tables.
    pub fn name(&self) -> String {
        match self.kind {
            MetaKind::T | MetaKind::Constant => self.kind.to_string(),
            kind => format!("{kind} ({})", self.learner.name()),
        }
    }
}

/// By which loss, on rows that were not fitted, recipes are compared and combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EffectLoss {
    /// `(Ỹ − τ W̃)²`.
    #[default]
    R,
    /// `(Γ_k − Γ_0 − τ)²`.
    DoublyRobust,
}
