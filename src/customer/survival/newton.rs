//! The maximum of a likelihood whose value, score and information come from one pass, and the finding that there is none.

use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::numeric::linalg::symmetrize;
use crate::numeric::optimize::{Newton, Objective, Stopping};
use nalgebra::{DMatrix, SymmetricEigen};
use std::cell::RefCell;

/// Newton needs five to ten steps; a coefficient that runs to infinity gains one a step.
const MOST_ITERATIONS: usize = 100;

/// When the information about some direction has fallen to this share of what it is at the start, the likelihood is flat there: even
/// an effect of five standard deviations keeps a share of 1e-3 or so.
const FLAT: f64 = 1e-7;

/// A coefficient takes part in a flat direction when its share of it is at least this.
const TAKES_PART: f64 = 0.1;

/// Likelihood, score and observed information at a point.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    pub(crate) log_likelihood: f64,
    pub(crate) gradient: Vec<f64>,
    pub(crate) information: DMatrix<f64>,
}

/// The negative log-likelihood with the last pass kept.
struct Likelihood<'a> {
    pass: &'a dyn Fn(&[f64]) -> Pass,
    last: RefCell<Option<(Vec<f64>, Pass)>>,
}

impl Likelihood<'_> {
    fn at<T>(&self, x: &[f64], read: impl Fn(&Pass) -> T) -> T {
        if let Some((point, pass)) = self.last.borrow().as_ref()
            && point.iter().zip(x).all(|(a, b)| a.to_bits() == b.to_bits())
        {
            return read(pass);
        }
        let pass = (self.pass)(x);
        let value = read(&pass);
        *self.last.borrow_mut() = Some((x.to_vec(), pass));
        value
    }
}

impl Objective for Likelihood<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        self.at(x, |pass| -pass.log_likelihood)
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let (value, score) = self.at(x, |pass| (-pass.log_likelihood, pass.gradient.clone()));
        for (out, g) in gradient.iter_mut().zip(score) {
            *out = -g;
        }
        value
    }

    fn hessian(&self, x: &[f64]) -> DMatrix<f64> {
        self.at(x, |pass| pass.information.clone())
    }
}

/// Where a search ended.
pub(crate) struct Maximum {
    pub(crate) point: Vec<f64>,
    pub(crate) pass: Pass,
    pub(crate) iterations: usize,
}

/// Maximises from `start`, where the pass is `first`.
///
/// # Errors
/// [`Error::Unidentified`] naming the parameters that run to infinity; [`Error::NotConverged`]; [`Error::Cancelled`].
pub(crate) fn maximise(
    what: &str,
    names: &[String],
    start: &[f64],
    first: &Pass,
    pass: &dyn Fn(&[f64]) -> Pass,
    progress: &Progress,
) -> Result<Maximum> {
    let likelihood = Likelihood {
        pass,
        last: RefCell::new(Some((start.to_vec(), first.clone()))),
    };
    let stopping = Stopping::new().max_iterations(MOST_ITERATIONS);
    let found = Newton::new()
        .stopping(stopping)
        .minimize_with(&likelihood, start, progress)?;
    let pass = likelihood.at(&found.point, Clone::clone);
    if let Some(error) = flat(&pass.information, &first.information, names, &found.point) {
        return Err(error);
    }
    let found = found.or_error(what)?;
    Ok(Maximum {
        point: found.point,
        pass,
        iterations: found.convergence.iterations,
    })
}

/// The error that names the coefficients which run to infinity, if the likelihood has become flat along a direction.
fn flat(
    information: &DMatrix<f64>,
    at_start: &DMatrix<f64>,
    names: &[String],
    point: &[f64],
) -> Option<Error> {
    let scale: Vec<f64> = at_start.diagonal().iter().map(|v| v.abs().sqrt()).collect();
    let relative = DMatrix::from_fn(names.len(), names.len(), |i, j| {
        information[(i, j)] / scale[i] / scale[j]
    });
    if !relative.iter().all(|v| v.is_finite()) {
        return None;
    }
    let eigen = SymmetricEigen::new(symmetrize(&relative));
    let worst = eigen.eigenvalues.imin();
    if eigen.eigenvalues[worst] > FLAT {
        return None;
    }
    let direction = eigen.eigenvectors.column(worst);
    let most = direction.amax();
    let part: Vec<String> = (0..names.len())
        .filter(|j| direction[*j].abs() >= TAKES_PART * most)
        .map(|j| {
            format!(
                "`{}` (to {}∞)",
                names[j],
                if point[j] < 0.0 { "−" } else { "+" }
            )
        })
        .collect();
    Some(Error::Unidentified {
        what: format!(
            "a finite coefficient of {}: the likelihood keeps rising as it grows (separation, or monotone likelihood)",
            part.join(", ")
        ),
        needs: "events on both sides of the regressor: merge levels without events, leave the regressor out, or compare the groups with LogRank".to_owned(),
    })
}
