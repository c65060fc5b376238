//! Where a search ended and why.

use super::objective::{Counted, Visit};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The best point found, with its [`Convergence`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Minimum {
    /// The point of lowest value.
    pub point: Vec<f64>,
    /// The function there.
    pub value: f64,
    /// The gradient there.
    pub gradient: Vec<f64>,
    /// How the search ended.
    pub convergence: Convergence,
}

impl Minimum {
    /// This minimum if the search converged.
    ///
    /// # Errors
    /// [`Error::NotConverged`] for `what` otherwise.
    pub fn or_error(self, what: &str) -> Result<Self> {
        if self.convergence.converged {
            return Ok(self);
        }
        Err(self.convergence.error(what))
    }
}

impl fmt::Display for Minimum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let point: Vec<String> = self.point.iter().map(|v| format!("{v:.6}")).collect();
        write!(
            f,
            "{:.8} at ({}): {}",
            self.value,
            point.join(", "),
            self.convergence
        )
    }
}

/// How a search ended.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Convergence {
    /// The algorithm.
    pub algorithm: String,
    /// Whether the tolerance was met.
    pub converged: bool,
    /// Why the search stopped.
    pub reason: Reason,
    /// Steps taken.
    pub iterations: usize,
    /// Evaluations of value and gradient.
    pub evaluations: usize,
    /// Evaluations of the Hessian.
    pub hessians: usize,
    /// The largest scaled gradient `|gᵢ| max(|xᵢ|, 1) / max(|f|, 1)` at the end.
    pub gradient_norm: f64,
    /// The quantity that was held to the tolerance: the decrement `g'H⁻¹g / max(|f|, 1)` before the last step for methods
    /// with a Hessian, else the scaled gradient.
    pub criterion: f64,
    /// The tolerance of `criterion`.
    pub tolerance: f64,
    /// Whether the last Hessian was positive definite, if one was used.
    pub positive_definite: Option<bool>,
}

impl Convergence {
    /// A search of another kind that met its tolerance.
    pub(crate) fn reached(
        algorithm: &str,
        iterations: usize,
        criterion: f64,
        tolerance: f64,
    ) -> Self {
        Self {
            algorithm: algorithm.to_owned(),
            converged: true,
            reason: Reason::Decrement,
            iterations,
            evaluations: iterations,
            hessians: iterations,
            gradient_norm: criterion,
            criterion,
            tolerance,
            positive_definite: Some(true),
        }
    }

    /// The error that this outcome is for someone who needs convergence.
    fn error(&self, what: &str) -> Error {
        Error::NotConverged {
            what: format!("{what} ({}: {})", self.algorithm, self.reason),
            iterations: self.iterations,
            criterion: self.criterion,
            tolerance: self.tolerance,
            remedy: self.reason.remedy().to_owned(),
        }
    }
}

impl fmt::Display for Convergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} after {} iterations and {} evaluations: {} (criterion {:.1e}, tolerance {:.1e}, scaled gradient {:.1e})",
            self.algorithm,
            if self.converged {
                "converged"
            } else {
                "did not converge"
            },
            self.iterations,
            self.evaluations,
            self.reason,
            self.criterion,
            self.tolerance,
            self.gradient_norm
        )
    }
}

/// Why a search stopped.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The Newton decrement and the last step were below their tolerances.
    Decrement,
    /// The scaled gradient was below its tolerance.
    Gradient,
    /// Close to the optimum, neither value nor gradient could be lowered any more in floating point.
    Precision,
    /// The gradient vanished where the Hessian is singular: a flat direction, or an optimum at infinity.
    Singular,
    /// The line search or the trust region shrank to nothing.
    Stalled,
    /// The Hessian was not finite at the current point.
    NotFinite,
    /// The iteration limit was reached.
    Iterations,
}

impl Reason {
    /// Whether a search that stopped for this reason has converged.
    pub fn is_convergence(self) -> bool {
        matches!(self, Self::Decrement | Self::Gradient | Self::Precision)
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Decrement | Self::Gradient | Self::Precision => "loosen the tolerance",
            Self::Singular => {
                "some parameters are not identified or run to infinity: drop collinear terms or check for separation"
            }
            Self::Stalled => "scale the variables, check the gradient, or start elsewhere",
            Self::NotFinite => "start elsewhere or bound the parameters by a transformation",
            Self::Iterations => {
                "raise the iteration limit, scale the variables, or start elsewhere"
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Decrement => "the Newton decrement is within tolerance",
            Self::Gradient => "the gradient is within tolerance",
            Self::Precision => "no further decrease can be resolved",
            Self::Singular => "the gradient vanishes where the Hessian is singular",
            Self::Stalled => "no step decreases the function",
            Self::NotFinite => "the Hessian is not finite",
            Self::Iterations => "the iteration limit was reached",
        })
    }
}

/// The parts of a [`Convergence`] that the algorithms differ in.
pub(super) struct Ending {
    pub(super) algorithm: &'static str,
    pub(super) reason: Reason,
    pub(super) iterations: usize,
    pub(super) criterion: f64,
    pub(super) tolerance: f64,
    pub(super) positive_definite: Option<bool>,
}

impl Ending {
    /// Puts the outcome together.
    pub(super) fn at(self, visit: Visit, counted: &Counted<'_>) -> Minimum {
        let convergence = Convergence {
            algorithm: self.algorithm.to_owned(),
            converged: self.reason.is_convergence(),
            reason: self.reason,
            iterations: self.iterations,
            evaluations: counted.evaluations,
            hessians: counted.hessians,
            gradient_norm: visit.scaled_gradient(),
            criterion: self.criterion,
            tolerance: self.tolerance,
            positive_definite: self.positive_definite,
        };
        Minimum {
            point: visit.point,
            value: visit.value,
            gradient: visit.gradient,
            convergence,
        }
    }
}
