//! Newton's method for concave functions of linear indices.

use super::observed::Observed;
use crate::numeric::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};

/// Newton steps at most; a step moves separated rows by about one, so that more would not help.
pub(super) const MOST_STEPS: usize = 100;
/// No index moves by more than this in the last step; the step after that is exact to rounding, since steps square their error.
pub(super) const SMALL_MOVE: f64 = 1e-7;
/// A step that promises less than this share of the function and the weight is not searched along: there the function is flat to rounding.
const FLAT: f64 = 1e-10;
/// Halvings of a step at most.
pub(super) const MOST_HALVINGS: usize = 60;

/// A concave function with its gradient and less its curvature, or their sums over a block of rows.
pub(super) struct Sums {
    pub(super) value: f64,
    pub(super) gradient: DVector<f64>,
    pub(super) curvature: DMatrix<f64>,
}

impl Sums {
    pub(super) fn zero(size: usize) -> Self {
        Self {
            value: 0.0,
            gradient: DVector::zeros(size),
            curvature: DMatrix::zeros(size, size),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.value += other.value;
        self.gradient += other.gradient;
        self.curvature += other.curvature;
    }
}

/// The indices at the maximum and the inverse of the curvature there, by steps that are halved until the function rises. `times` makes indices of coefficients, as many
/// for each row. When the maximum is at infinity, the direction in which it lies.
pub(super) fn newton(
    start: Vec<f64>,
    observed: &Observed,
    sums: impl Fn(&[f64]) -> Sums,
    value: impl Fn(&[f64]) -> f64,
    times: impl Fn(&DVector<f64>) -> Vec<f64>,
) -> Result<(Vec<f64>, DMatrix<f64>), DVector<f64>> {
    let mut eta = start;
    let per_row = (eta.len() / observed.len()).max(1);
    let total: f64 = observed.weights.iter().sum();
    let (mut direction, mut last) = (DVector::zeros(0), false);
    for _ in 0..MOST_STEPS {
        let sums = sums(&eta);
        let size = sums.gradient.len();
        if direction.is_empty() {
            direction = DVector::zeros(size);
        }
        let factor = Cholesky::with_tolerance(&sums.curvature, f64::EPSILON);
        if factor.rank() < size || !sums.value.is_finite() {
            break;
        }
        if last {
            return Ok((eta, factor.inverse()));
        }
        direction = factor.solve_vector(&sums.gradient);
        let moves = times(&direction);
        let largest = (moves.chunks(per_row).zip(&observed.weights))
            .filter(|(_, s)| **s > 0.0)
            .flat_map(|(moves, _)| moves)
            .fold(0.0_f64, |m, v| m.max(v.abs()));
        last = largest < SMALL_MOVE;
        let promised = sums.gradient.dot(&direction);
        let flat = promised <= FLAT * (sums.value.abs() + total);
        let mut length = 1.0;
        let tried = (0..MOST_HALVINGS).find_map(|_| {
            let tried: Vec<f64> = (eta.iter().zip(&moves))
                .map(|(e, m)| e + length * m)
                .collect();
            length *= 0.5;
            (flat || value(&tried) >= sums.value).then_some(tried)
        });
        match tried {
            Some(tried) => eta = tried,
            None => break,
        }
    }
    Err(direction)
}
