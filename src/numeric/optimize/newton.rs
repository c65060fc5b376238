//! Newton's method with a line search.

use super::model::{Model, unit_diagonal};
use super::objective::{Counted, Objective, Visit, along};
use super::outcome::{Ending, Minimum, Reason};
use super::stopping::Stopping;
use super::{line_search, stopping};
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
        let ending = |reason, iterations, criterion, definite| Ending {
            algorithm: NAME,
            converged: matches!(reason, Reason::Decrement),
            reason,
            iterations,
            criterion,
            tolerance: self.stopping.decrement_tolerance,
            positive_definite: definite,
        };
        let mut criterion = f64::INFINITY;
        for iteration in 0..self.stopping.max_iterations {
            progress.report(NAME, iteration, self.stopping.max_iterations)?;
            let hessian = counted.hessian(&visit.point);
            let scale = unit_diagonal(&hessian);
            let Some(model) = Model::new(&hessian, &visit.gradient, scale) else {
                let end = ending(Reason::NotFinite, iteration, criterion, None);
                return Ok(end.at(visit, &counted));
            };
            match judge(&model, &visit, &self.stopping) {
                Verdict::Converged(last, reached) => {
                    let end = ending(Reason::Decrement, iteration + 1, reached, Some(true));
                    return Ok(end.at(finish(&mut counted, visit, &last), &counted));
                }
                Verdict::Singular => {
                    let end = ending(Reason::Singular, iteration, criterion, Some(false));
                    return Ok(end.at(visit, &counted));
                }
                Verdict::Saddle => {
                    let (step, curvature) = model.escape();
                    match line_search::backtrack(&mut counted, &visit, &step.step, curvature) {
                        Some(next) => visit = next,
                        None => {
                            let end = ending(Reason::Stalled, iteration, criterion, Some(false));
                            return Ok(end.at(visit, &counted));
                        }
                    }
                }
                Verdict::GoOn(reached) => {
                    criterion = reached.unwrap_or(f64::INFINITY);
                    let definite = Some(model.is_positive_definite());
                    let step = model.newton().step;
                    match line_search::backtrack(&mut counted, &visit, &step, 0.0) {
                        Some(next) => visit = next,
                        None => {
                            let end = ending(Reason::Stalled, iteration, criterion, definite);
                            return Ok(end.at(visit, &counted));
                        }
                    }
                }
            }
        }
        let end = ending(
            Reason::Iterations,
            self.stopping.max_iterations,
            criterion,
            None,
        );
        Ok(end.at(visit, &counted))
    }
}

/// What the model says of a point.
pub(super) enum Verdict {
    /// Optimal but for this last step; with the criterion.
    Converged(Vec<f64>, f64),
    /// Stationary with negative curvature.
    Saddle,
    /// Stationary and flat.
    Singular,
    /// Not optimal; with the criterion where the Hessian is positive definite.
    GoOn(Option<f64>),
}

/// Judges the point of a second-order method.
pub(super) fn judge(model: &Model, visit: &Visit, rule: &Stopping) -> Verdict {
    if model.is_positive_definite() {
        let decrement = model.decrement();
        let newton = model.newton();
        let criterion = decrement / visit.value.abs().max(1.0);
        if rule.met_by(decrement, visit.value, &visit.point, &newton.step) {
            return Verdict::Converged(newton.step, criterion);
        }
        return Verdict::GoOn(Some(criterion));
    }
    if visit.scaled_gradient() > rule.gradient_tolerance {
        return Verdict::GoOn(None);
    }
    if model.has_negative_curvature() {
        return Verdict::Saddle;
    }
    Verdict::Singular
}

/// Takes the last step unless it makes matters worse.
pub(super) fn finish(counted: &mut Counted<'_>, visit: Visit, step: &[f64]) -> Visit {
    if stopping::relative_change(&visit.point, step) <= 0.0 {
        return visit;
    }
    match counted.visit(along(&visit.point, 1.0, step)) {
        Some(next) if next.value <= visit.value + visit.noise() => next,
        _ => visit,
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
