//! When a search stops.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The stopping rule of [`Newton`](super::Newton), [`TrustRegion`](super::TrustRegion) and [`Lbfgs`](super::Lbfgs).
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `max_iterations` | 500 | steps of the search | ≥ 1 |
/// | `decrement_tolerance` | 1e-14 | Newton, trust region: `g'H⁻¹g ≤ tol · max(\|f\|, 1)` before the last step | > 0 |
/// | `point_tolerance` | 1e-8 | Newton, trust region: the last step changes no `xᵢ` by more than `tol · max(\|xᵢ\|, 1)` | > 0 |
/// | `gradient_tolerance` | 1e-8 | L-BFGS: `max \|gᵢ\| max(\|xᵢ\|, 1) / max(\|f\|, 1) ≤ tol` | > 0 |
/// | `value_tolerance` | 1e-15 | L-BFGS: ends when `f` falls by less than `tol · max(\|f\|, 1)` three times in a row | ≥ 0 |
///
/// Newton's two tests hold together, and the step that meets them is still taken: as the method converges
/// quadratically, the point is then exact to about the square of the tolerance, i.e. to rounding. For a negative
/// log-likelihood the decrement is the squared distance to the optimum in standard errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stopping {
    pub(super) max_iterations: usize,
    pub(super) decrement_tolerance: f64,
    pub(super) point_tolerance: f64,
    pub(super) gradient_tolerance: f64,
    pub(super) value_tolerance: f64,
}

impl Default for Stopping {
    fn default() -> Self {
        Self {
            max_iterations: 500,
            decrement_tolerance: 1e-14,
            point_tolerance: 1e-8,
            gradient_tolerance: 1e-8,
            value_tolerance: 1e-15,
        }
    }
}

impl Stopping {
    /// The defaults of the table above.
    pub fn new() -> Self {
        Self::default()
    }

    /// Steps after which the search gives up.
    pub fn max_iterations(mut self, iterations: usize) -> Self {
        self.max_iterations = iterations;
        self
    }

    /// Tolerance of the Newton decrement `g'H⁻¹g`.
    pub fn decrement_tolerance(mut self, tolerance: f64) -> Self {
        self.decrement_tolerance = tolerance;
        self
    }

    /// Tolerance of the relative change of the parameters.
    pub fn point_tolerance(mut self, tolerance: f64) -> Self {
        self.point_tolerance = tolerance;
        self
    }

    /// Tolerance of the scaled gradient.
    pub fn gradient_tolerance(mut self, tolerance: f64) -> Self {
        self.gradient_tolerance = tolerance;
        self
    }

    /// Relative decrease of the function that no longer counts as progress.
    pub fn value_tolerance(mut self, tolerance: f64) -> Self {
        self.value_tolerance = tolerance;
        self
    }

    /// Refuses settings outside the table's ranges.
    pub(super) fn validate(&self) -> Result<()> {
        if self.max_iterations == 0 {
            return Err(Error::invalid_option("max_iterations", 0, "at least 1"));
        }
        for (name, value) in [
            ("decrement_tolerance", self.decrement_tolerance),
            ("point_tolerance", self.point_tolerance),
            ("gradient_tolerance", self.gradient_tolerance),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::invalid_option(name, value, "a positive number"));
            }
        }
        if !(self.value_tolerance >= 0.0 && self.value_tolerance.is_finite()) {
            return Err(Error::invalid_option(
                "value_tolerance",
                self.value_tolerance,
                "zero or a positive number",
            ));
        }
        Ok(())
    }

    /// Whether a Newton step from `point` meets both tests of the table.
    pub(super) fn met_by(&self, decrement: f64, value: f64, point: &[f64], step: &[f64]) -> bool {
        decrement <= self.decrement_tolerance * value.abs().max(1.0)
            && relative_change(point, step) <= self.point_tolerance
    }
}

/// `max |pᵢ| / max(|xᵢ|, 1)`.
pub(super) fn relative_change(point: &[f64], step: &[f64]) -> f64 {
    point
        .iter()
        .zip(step)
        .map(|(x, p)| p.abs() / x.abs().max(1.0))
        .fold(0.0, f64::max)
}
