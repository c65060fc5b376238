//! Newton's method with a line search.

use super::line_search;
use super::model::{Model, unit_diagonal};
use super::objective::{Counted, Objective, Visit, along};
use super::outcome::{Ending, Minimum, Reason};
use super::stopping::{Stopping, relative_change};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use serde::{Deserialize, Serialize};

/// Newton's method: solve `H p = −g`, go along `p` as far as the value falls.
///
/// Where the Hessian is not positive definite its eigenvalues are replaced by their absolute values, and a stationary
/// point with negative curvature is left along that curvature, so the search does not end at a saddle. The Hessian is
/// scaled to a unit diagonal first, so the units of the variables do not matter. See [`Stopping`] for the tests.
///
/// # References
/// Nocedal & Wright (2006), *Numerical Optimization*, chapter 3. Dennis & Schnabel (1983), § 7.2.
///
/// ```
/// use cocreate::numeric::optimize::Newton;
/// let rosenbrock = |x: &[f64]| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2);
/// let found = Newton::new().minimize(&rosenbrock, &[-1.2, 1.0])?;
/// assert!(found.convergence.converged);
/// assert!((found.point[0] - 1.0).abs() < 1e-9);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Newton {
    stopping: Stopping,
}

impl Newton {
    /// With the default stopping rule.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the stopping rule.
    pub fn stopping(mut self, stopping: Stopping) -> Self {
        self.stopping = stopping;
        self
    }

    /// Minimises `objective` from `start`.
    ///
    /// # Errors
    /// As [`minimize_with`](Self::minimize_with).
    pub fn minimize(&self, objective: &dyn Objective, start: &[f64]) -> Result<Minimum> {
        self.minimize_with(objective, start, &Progress::none())
    }

    /// Minimises and reports every iteration.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a bad stopping rule, [`Error::NotFinite`] when the objective is not finite at the
    /// start, [`Error::Cancelled`] when `progress` says so.
    pub fn minimize_with(
        &self,
        objective: &dyn Objective,
        start: &[f64],
        progress: &Progress,
    ) -> Result<Minimum> {
        const NAME: &str = "Newton";
        self.stopping.validate()?;
        let mut counted = Counted::new(objective);
        let mut visit = counted.start(start)?;
        let mut criterion = f64::INFINITY;
        let limit = self.stopping.max_iterations;
        let (reason, iterations, definite) = 'search: {
            for iteration in 0..limit {
                progress.report(NAME, iteration, limit)?;
                let hessian = counted.hessian(&visit.point);
                let scale = unit_diagonal(&hessian);
                let Some(model) = Model::new(&hessian, &visit.gradient, scale) else {
                    break 'search (Reason::NotFinite, iteration, None);
                };
                let definite = Some(model.is_positive_definite());
                let next = match judge(&model, &visit, &self.stopping) {
                    Verdict::Converged(reached) => {
                        criterion = reached;
                        visit = finish(&mut counted, visit, &model);
                        break 'search (Reason::Decrement, iteration + 1, definite);
                    }
                    Verdict::Singular => break 'search (Reason::Singular, iteration, definite),
                    Verdict::Saddle => {
                        let (step, curvature) = model.escape();
                        line_search::backtrack(&mut counted, &visit, &step.vector, curvature)
                    }
                    Verdict::GoOn(reached) => {
                        criterion = reached;
                        by_gradient(&mut counted, &visit, &model).or_else(|| {
                            let step = model.newton().vector;
                            line_search::backtrack(&mut counted, &visit, &step, 0.0)
                        })
                    }
                };
                let Some(next) = next else {
                    break 'search (stalled(criterion), iteration, definite);
                };
                visit = next;
            }
            (Reason::Iterations, limit, None)
        };
        let end = Ending {
            algorithm: NAME,
            reason,
            iterations,
            criterion,
            tolerance: self.stopping.decrement_tolerance,
            positive_definite: definite,
        };
        Ok(end.at(visit, &counted))
    }
}

/// A decrement below this share of `max(|f|, 1)` may drown in the rounding of a value that sums many terms; the gradient
/// still resolves it.
const UNRESOLVED: f64 = 1e-11;

/// What the model says of a point.
pub(super) enum Verdict {
    /// Optimal but for the Newton step; with the criterion.
    Converged(f64),
    /// Stationary with negative curvature.
    Saddle,
    /// Stationary and flat.
    Singular,
    /// Not optimal; with the criterion, infinite where the Hessian is not positive definite.
    GoOn(f64),
}

/// Judges the point of a second-order method.
pub(super) fn judge(model: &Model, visit: &Visit, rule: &Stopping) -> Verdict {
    if model.is_positive_definite() {
        let decrement = model.decrement();
        let criterion = decrement / visit.value.abs().max(1.0);
        let step = model.newton().vector;
        if rule.met_by(decrement, visit.value, &visit.point, &step) {
            return Verdict::Converged(criterion);
        }
        return Verdict::GoOn(criterion);
    }
    if visit.scaled_gradient() > rule.gradient_tolerance {
        return Verdict::GoOn(f64::INFINITY);
    }
    if model.has_negative_curvature() {
        return Verdict::Saddle;
    }
    Verdict::Singular
}

/// Takes the last Newton step unless it makes matters worse.
pub(super) fn finish(counted: &mut Counted<'_>, visit: Visit, model: &Model) -> Visit {
    let step = model.newton().vector;
    if relative_change(&visit.point, &step) <= 0.0 {
        return visit;
    }
    match counted.visit(along(&visit.point, 1.0, &step)) {
        Some(next)
            if next.value <= visit.value + visit.noise()
                || next.scaled_gradient() < visit.scaled_gradient() =>
        {
            next
        }
        _ => visit,
    }
}

/// The full Newton step where the value can no longer judge it, if it lowers the gradient.
pub(super) fn by_gradient(
    counted: &mut Counted<'_>,
    visit: &Visit,
    model: &Model,
) -> Option<Visit> {
    let unresolved = UNRESOLVED * visit.value.abs().max(1.0);
    if !(model.is_positive_definite() && model.decrement() <= unresolved) {
        return None;
    }
    counted
        .visit(along(&visit.point, 1.0, &model.newton().vector))
        .filter(|next| {
            next.value <= visit.value + unresolved
                && next.scaled_gradient() < visit.scaled_gradient()
        })
}

/// Why no step was found, given the criterion: rounding near the optimum, or trouble.
pub(super) fn stalled(criterion: f64) -> Reason {
    if criterion <= UNRESOLVED {
        Reason::Precision
    } else {
        Reason::Stalled
    }
}

impl Counted<'_> {
    /// The visit of the start.
    pub(super) fn start(&mut self, start: &[f64]) -> Result<Visit> {
        if start.is_empty() {
            return Err(Error::invalid_option(
                "start",
                "empty",
                "a point of at least one variable",
            ));
        }
        self.visit(start.to_vec()).ok_or_else(|| Error::NotFinite {
            what: "the objective or its gradient at the starting point".to_owned(),
        })
    }
}
