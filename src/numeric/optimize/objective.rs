//! What the optimisers minimise.

use crate::numeric::derivative;
use nalgebra::DMatrix;

/// A function of several variables to be minimised.
///
/// A value, gradient or Hessian that is not finite marks a point outside the domain: the search backs off from it. Only
/// the start must be inside. Methods that are not written are replaced by numerical derivatives
/// ([`derivative`]), which are accurate but cost about 16 evaluations per parameter.
/// A closure `Fn(&[f64]) -> f64` is an objective.
///
/// ```
/// use cocreate::numeric::optimize::{Newton, Objective};
/// struct Bowl;
/// impl Objective for Bowl {
///     fn value(&self, x: &[f64]) -> f64 {
///         (x[0] - 3.0).powi(2) + x[0].exp()
///     }
///     fn gradient(&self, x: &[f64], gradient: &mut [f64]) {
///         gradient[0] = 2.0 * (x[0] - 3.0) + x[0].exp();
///     }
/// }
/// let found = Newton::new().minimize(&Bowl, &[0.0])?.or_error("the bowl")?;
/// assert!((2.0 * (found.point[0] - 3.0) + found.point[0].exp()).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
pub trait Objective {
    /// The function at `x`.
    fn value(&self, x: &[f64]) -> f64;

    /// Writes the gradient at `x`; numerical by default.
    fn gradient(&self, x: &[f64], gradient: &mut [f64]) {
        match derivative::gradient(|p| self.value(p), x) {
            Ok(found) => gradient.copy_from_slice(&found),
            Err(_) => gradient.fill(f64::NAN),
        }
    }

    /// Value and gradient at once; write it when the two share work, as in a likelihood.
    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let value = self.value(x);
        if value.is_finite() {
            self.gradient(x, gradient);
        }
        value
    }

    /// The symmetric matrix of second derivatives at `x`; by default the numerical Jacobian of the gradient.
    fn hessian(&self, x: &[f64]) -> DMatrix<f64> {
        let gradient = |p: &[f64]| {
            let mut out = vec![f64::NAN; p.len()];
            self.gradient(p, &mut out);
            out
        };
        match derivative::jacobian(gradient, x) {
            Ok(jacobian) => (&jacobian + jacobian.transpose()) * 0.5,
            Err(_) => DMatrix::from_element(x.len(), x.len(), f64::NAN),
        }
    }
}

impl<F: Fn(&[f64]) -> f64> Objective for F {
    fn value(&self, x: &[f64]) -> f64 {
        self(x)
    }
}

/// A point that the search has visited.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) point: Vec<f64>,
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
}

impl Visit {
    /// Rounding noise of the value: differences below it say nothing.
    pub(super) fn noise(&self) -> f64 {
        // A sum of some thousand terms is good to some tens of units in the last place.
        const UNITS: f64 = 64.0;
        UNITS * f64::EPSILON * self.value.abs()
    }

    /// The scaled gradient, `max |gᵢ| max(|xᵢ|, 1) / max(|f|, 1)` (Dennis & Schnabel 1983, eq. 7.2.5).
    pub(super) fn scaled_gradient(&self) -> f64 {
        let scale = self.value.abs().max(1.0);
        self.point
            .iter()
            .zip(&self.gradient)
            .map(|(x, g)| g.abs() * x.abs().max(1.0) / scale)
            .fold(0.0, f64::max)
    }
}

/// An objective that counts how often it is asked.
pub(super) struct Counted<'a> {
    objective: &'a dyn Objective,
    pub(super) evaluations: usize,
    pub(super) hessians: usize,
}

impl<'a> Counted<'a> {
    pub(super) fn new(objective: &'a dyn Objective) -> Self {
        Self {
            objective,
            evaluations: 0,
            hessians: 0,
        }
    }

    /// Value and gradient at `point`, or `None` outside the domain.
    pub(super) fn visit(&mut self, point: Vec<f64>) -> Option<Visit> {
        self.evaluations += 1;
        if !point.iter().all(|v| v.is_finite()) {
            return None;
        }
        let mut gradient = vec![f64::NAN; point.len()];
        let value = self.objective.value_and_gradient(&point, &mut gradient);
        let inside = value.is_finite() && gradient.iter().all(|g| g.is_finite());
        inside.then_some(Visit {
            point,
            value,
            gradient,
        })
    }

    pub(super) fn hessian(&mut self, point: &[f64]) -> DMatrix<f64> {
        self.hessians += 1;
        self.objective.hessian(point)
    }
}

/// `x + t p`.
pub(super) fn along(x: &[f64], t: f64, direction: &[f64]) -> Vec<f64> {
    x.iter().zip(direction).map(|(x, p)| x + t * p).collect()
}

/// `a'b`.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
