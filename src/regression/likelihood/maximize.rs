//! The maximum of a likelihood: Newton from a start that a part of the rows gave, and separation named when there is none.

use super::engine::{Likelihood, Sums};
use super::model::Order;
use super::separation::find_separation;
use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::numeric::optimize::{Convergence, Newton, Objective, Stopping};
use nalgebra::DMatrix;
use std::cell::RefCell;

/// With more rows than this the start comes from a part of them, and the full passes become three or four.
const LARGE: usize = 50_000;

/// The part: one tile of rows in so many.
const PART: usize = 16;

/// Iterations before the search is given up; a likelihood with a maximum needs five to thirty.
const MOST_ITERATIONS: usize = 200;

/// The decrement at which a start is good enough.
const START_TOLERANCE: f64 = 1e-5;

/// Where the likelihood is largest.
#[derive(Clone, Debug)]
pub(crate) struct Maximum {
    pub(crate) point: Vec<f64>,
    /// Log-likelihood, gradient and information there.
    pub(crate) sums: Sums,
    pub(crate) convergence: Convergence,
}

/// Maximises a likelihood from `start`.
///
/// # Errors
/// [`crate::Error::Separated`], [`crate::Error::NotConverged`], [`crate::Error::NotFinite`], [`crate::Error::Cancelled`].
pub(crate) fn maximize(
    likelihood: &Likelihood,
    start: Vec<f64>,
    what: &str,
    progress: &Progress,
) -> Result<Maximum> {
    maximize_unless(likelihood, start, what, |_| None, progress)
}

/// [`maximize`], but with the error that `refuse` has for the point where the search ended, converged or not: a parameter that runs
/// to a bound of its range.
pub(crate) fn maximize_unless(
    likelihood: &Likelihood,
    start: Vec<f64>,
    what: &str,
    refuse: impl Fn(&[f64]) -> Option<Error>,
    progress: &Progress,
) -> Result<Maximum> {
    maximize_within(MOST_ITERATIONS, likelihood, start, what, refuse, progress)
}

/// [`maximize_unless`], given up after so many iterations: one of several searches.
pub(crate) fn maximize_within(
    most: usize,
    likelihood: &Likelihood,
    start: Vec<f64>,
    what: &str,
    refuse: impl Fn(&[f64]) -> Option<Error>,
    progress: &Progress,
) -> Result<Maximum> {
    let mut point = start;
    let whole = Stopping::new().max_iterations(most);
    let objective = Negative::new(likelihood, 1);
    if likelihood.rows.len() > LARGE {
        let part = Negative::new(likelihood, PART);
        let loose = Stopping::new()
            .max_iterations(MOST_ITERATIONS / 4)
            .decrement_tolerance(START_TOLERANCE)
            .point_tolerance(1.0);
        let found = Newton::new()
            .stopping(loose)
            .minimize_with(&part, &point, progress)?;
        // The pass is kept: it is the first of the search over all rows.
        let usable = objective.sums_at(&found.point).value.is_finite();
        if found.convergence.converged && usable {
            point = found.point;
        }
    }
    let found = Newton::new()
        .stopping(whole)
        .minimize_with(&objective, &point, progress)?;
    if let Some(refused) = refuse(&found.point) {
        return Err(refused);
    }
    if !found.convergence.converged
        && let Some(separated) = find_separation(likelihood, progress)?
    {
        return Err(separated);
    }
    let found = found.or_error(what)?;
    let sums = objective.sums_at(&found.point);
    Ok(Maximum {
        point: found.point,
        sums,
        convergence: found.convergence,
    })
}

/// The negative log-likelihood. One pass gives value, gradient and Hessian, since Newton's steps are nearly always accepted.
struct Negative<'a> {
    likelihood: &'a Likelihood,
    stride: usize,
    last: RefCell<Option<(Vec<f64>, Sums)>>,
}

impl<'a> Negative<'a> {
    fn new(likelihood: &'a Likelihood, stride: usize) -> Self {
        Self {
            likelihood,
            stride,
            last: RefCell::new(None),
        }
    }

    fn sums_at(&self, point: &[f64]) -> Sums {
        let mut last = self.last.borrow_mut();
        if let Some((known, sums)) = &*last
            && known == point
        {
            return sums.clone();
        }
        let sums = self.likelihood.pass(point, Order::Hessian, self.stride);
        *last = Some((point.to_vec(), sums.clone()));
        sums
    }
}

impl Objective for Negative<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        -self.likelihood.pass(x, Order::Value, self.stride).value
    }

    fn gradient(&self, x: &[f64], gradient: &mut [f64]) {
        self.value_and_gradient(x, gradient);
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let sums = self.sums_at(x);
        for (out, g) in gradient.iter_mut().zip(sums.gradient.iter()) {
            *out = -g;
        }
        -sums.value
    }

    fn hessian(&self, x: &[f64]) -> DMatrix<f64> {
        self.sums_at(x).information
    }
}
