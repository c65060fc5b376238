//! Separation: a direction in which the likelihood rises forever, so that no maximum exists.

use super::engine::Likelihood;
use super::index::Index;
use super::model::Order;
use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::numeric::linalg::Cholesky;
use crate::summary::gram::TILE;

/// Newton steps at most. In a separated sample the indices of separated rows grow by about one a step, while what disturbs
/// the direction falls as e^(−steps): after a dozen steps it is clear.
const MOST_STEPS: usize = 60;

/// A direction proves separation when no row moves the wrong way by more than this share of the largest move.
const WRONG: f64 = 1e-6;

/// Coefficients below this share of the largest, in standard deviations, do not belong to the direction.
const NEGLIGIBLE: f64 = 1e-4;

/// Where a row wants its index to go when nothing else restrains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recession {
    /// The log-density rises to its bound as the index grows.
    Up,
    /// As it falls.
    Down,
    /// It falls without bound both ways.
    Fixed,
}

/// The error that names the columns of a separating direction, when one is found.
///
/// The direction is a Newton step far out: along it every row's index goes where the row wants it (Albert & Anderson 1984,
/// doi:10.1093/biomet/71.1.1). It is checked against every row, so that a slow likelihood is not mistaken for separation.
pub(crate) fn find_separation(
    likelihood: &Likelihood,
    progress: &Progress,
) -> Result<Option<Error>> {
    if !likelihood.model.is_concave() {
        return Ok(None);
    }
    let mut point = vec![0.0; likelihood.parameters()];
    let mut value = likelihood.pass(&point, Order::Value, 1).value;
    for step in 0..MOST_STEPS {
        progress.report("separation", step, MOST_STEPS)?;
        let sums = likelihood.pass(&point, Order::Hessian, 1);
        let factor = Cholesky::with_tolerance(&sums.information, f64::EPSILON);
        let direction: Vec<f64> = factor
            .solve_vector(&sums.gradient)
            .iter()
            .copied()
            .collect();
        if let Some(found) = check(likelihood, &direction) {
            return Ok(Some(found));
        }
        let mut length = 1.0;
        let next = loop {
            let tried: Vec<f64> = point
                .iter()
                .zip(&direction)
                .map(|(p, d)| p + length * d)
                .collect();
            let reached = likelihood.pass(&tried, Order::Value, 1).value;
            if reached >= value {
                value = reached;
                break Some(tried);
            }
            length *= 0.5;
            if length < f64::EPSILON {
                break None;
            }
        };
        match next {
            Some(next) => point = next,
            None => break,
        }
    }
    Ok(None)
}

/// Whether a direction separates, as an error that says so.
fn check(likelihood: &Likelihood, direction: &[f64]) -> Option<Error> {
    // The direction without the offset.
    let bare = Likelihood {
        indices: likelihood
            .indices
            .iter()
            .map(|index| index.clone().with_offset(None))
            .collect(),
        weights: None,
        ..likelihood.clone()
    };
    let mut work = bare.workspace();
    let n = bare.rows.len();
    let (mut largest, mut wrong) = (0.0_f64, 0.0_f64);
    let mut moves = Vec::with_capacity(n);
    for r in crate::numeric::blocks::ranges(n, TILE) {
        let len = r.len();
        bare.fill(r, direction, Order::Value, &mut work);
        for i in 0..len {
            let (outcome, moved) = work.row(i);
            let (right, against) = match bare.model.recession(outcome) {
                Recession::Up => (moved, -moved),
                Recession::Down => (-moved, moved),
                Recession::Fixed => (0.0, moved.abs()),
            };
            largest = largest.max(right);
            wrong = wrong.max(against);
            moves.push(right);
        }
    }
    let proven = largest > 0.0 && largest.is_finite() && wrong <= WRONG * largest;
    if !proven {
        return None;
    }
    let separated = moves.iter().filter(|m| **m > WRONG * largest).count();
    let index = &likelihood.indices[0];
    let first = usize::from(index.constant.is_some());
    let slopes = &direction[first..];
    let most = slopes.iter().fold(0.0_f64, |m, d| m.max(d.abs()));
    Some(Error::Separated {
        columns: Index::regressors(index)
            .zip(slopes)
            .filter(|(_, d)| d.abs() > NEGLIGIBLE * most)
            .map(|(name, _)| name.to_owned())
            .collect(),
        rows: separated,
        complete: separated == n,
        remedy: likelihood.model.remedy_for_separation().to_owned(),
    })
}
