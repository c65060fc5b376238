//! Newton's method within a trust region.

use super::model::{Model, unit_diagonal};
use super::newton::{Verdict, by_gradient, finish, judge, stalled};
use super::objective::{Counted, Objective, Visit, along};
use super::outcome::{Ending, Minimum, Reason};
use super::stopping::Stopping;
use crate::error::Result;
use crate::numeric::Progress;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// A step is taken when the function falls by at least this share of what the model promised.
const ACCEPT: f64 = 1e-4;
/// Below this share the model is poor and the region shrinks (Nocedal & Wright 2006, algorithm 4.1).
const POOR: f64 = 0.25;
/// Above this share the model is good and the region may grow (ibid.).
const GOOD: f64 = 0.75;

/// A step this close to the radius was held back by it.
const AT_BOUNDARY: f64 = 0.99;

/// Newton's method within a trust region: minimise the quadratic model exactly within a radius that grows while the model
/// predicts well and shrinks while it does not.
///
/// The step is the exact minimiser of the model (eigenvalues and secular equation), so saddles and ridges are left along
/// negative curvature. Variables are scaled by the largest curvature met so far, as in MINPACK. Cost per iteration: one
/// Hessian and one eigendecomposition, good for up to some hundred parameters. See [`Stopping`] for the tests.
///
/// # References
/// Moré & Sorensen (1983), *SIAM J. Sci. Stat. Comput.* 4, 553–572, doi:10.1137/0904038.
/// Nocedal & Wright (2006), *Numerical Optimization*, chapter 4.
///
/// ```
/// use cocreate::numeric::optimize::TrustRegion;
/// let saddle = |x: &[f64]| x[0] * x[0] - x[1] * x[1] + 0.25 * x[1].powi(4);
/// let found = TrustRegion::new().minimize(&saddle, &[0.0, 0.0])?; // the start is stationary
/// assert!((found.value + 1.0).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrustRegion {
    stopping: Stopping,
}

impl TrustRegion {
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
    /// [`InvalidOption`](crate::Error::InvalidOption) for a bad stopping rule, [`NotFinite`](crate::Error::NotFinite) when
    /// the objective is not finite at the start, [`Cancelled`](crate::Error::Cancelled) when `progress` says so.
    pub fn minimize_with(
        &self,
        objective: &dyn Objective,
        start: &[f64],
        progress: &Progress,
    ) -> Result<Minimum> {
        const NAME: &str = "trust region";
        self.stopping.validate()?;
        let mut counted = Counted::new(objective);
        let mut visit = counted.start(start)?;
        let mut criterion = f64::INFINITY;
        let mut hessian = counted.hessian(&visit.point);
        let mut scale = unit_diagonal(&hessian);
        let mut radius = initial_radius(&visit.point, &scale);
        let limit = self.stopping.max_iterations;
        let (reason, iterations, definite) = 'search: {
            for iteration in 0..limit {
                progress.report(NAME, iteration, limit)?;
                let Some(model) = Model::new(&hessian, &visit.gradient, scale.clone()) else {
                    break 'search (Reason::NotFinite, iteration, None);
                };
                let definite = Some(model.is_positive_definite());
                match judge(&model, &visit, &self.stopping) {
                    Verdict::Converged(reached) => {
                        criterion = reached;
                        visit = finish(&mut counted, visit, &model);
                        break 'search (Reason::Decrement, iteration + 1, definite);
                    }
                    Verdict::Singular => break 'search (Reason::Singular, iteration, definite),
                    Verdict::Saddle => criterion = f64::INFINITY,
                    Verdict::GoOn(reached) => criterion = reached,
                }
                let next = by_gradient(&mut counted, &visit, &model)
                    .or_else(|| step_within(&mut counted, &visit, &model, &scale, &mut radius));
                let Some(next) = next else {
                    break 'search (stalled(criterion), iteration, definite);
                };
                visit = next;
                hessian = counted.hessian(&visit.point);
                tighten(&mut scale, &hessian);
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

/// Shrinks the region until a step in it lowers the function as the model says; `None` when it shrinks to nothing.
fn step_within(
    counted: &mut Counted<'_>,
    visit: &Visit,
    model: &Model,
    scale: &[f64],
    radius: &mut f64,
) -> Option<Visit> {
    loop {
        let step = model.within(*radius);
        let negligible = step.length <= f64::EPSILON * length(&visit.point, scale);
        if negligible || *radius < f64::MIN_POSITIVE {
            return None;
        }
        let trial = counted.visit(along(&visit.point, 1.0, &step.vector));
        let share = trial.as_ref().map_or(f64::NEG_INFINITY, |trial| {
            let fall = visit.value - trial.value;
            if step.decrease <= visit.noise() && fall >= -visit.noise() {
                1.0
            } else {
                fall / step.decrease
            }
        });
        if share < POOR {
            *radius = POOR * step.length;
        } else if share > GOOD && step.length > AT_BOUNDARY * *radius {
            *radius *= 2.0;
        }
        if let Some(trial) = trial.filter(|_| share > ACCEPT) {
            return Some(trial);
        }
    }
}

/// The scaled length of a point, at least one unit.
fn length(point: &[f64], scale: &[f64]) -> f64 {
    point
        .iter()
        .zip(scale)
        .map(|(x, s)| (x / s).powi(2))
        .sum::<f64>()
        .sqrt()
        .max(1.0)
}

/// One unit of every scaled variable, or the length of the start.
fn initial_radius(point: &[f64], scale: &[f64]) -> f64 {
    length(point, scale).max((point.len() as f64).sqrt())
}

/// Keeps the largest curvature met of each variable.
fn tighten(scale: &mut [f64], hessian: &DMatrix<f64>) {
    for (s, new) in scale.iter_mut().zip(unit_diagonal(hessian)) {
        *s = s.min(new);
    }
}
