//! The posterior of the coefficients of one arm of a contextual bandit, by rank-one steps.

use serde::{Deserialize, Serialize};

/// Coefficients of one arm and the inverse of their precision, row after row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Model {
    pub(super) inverse: Vec<f64>,
    pub(super) coefficients: Vec<f64>,
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Model {
    pub(super) fn new(features: usize, ridge: f64) -> Self {
        let mut inverse = vec![0.0; features * features];
        for j in 0..features {
            inverse[j * features + j] = 1.0 / ridge;
        }
        Self {
            inverse,
            coefficients: vec![0.0; features],
        }
    }

    /// `x'A⁻¹x`.
    pub(super) fn leverage(&self, x: &[f64]) -> f64 {
        let rows = self.inverse.chunks_exact(x.len());
        let sum: f64 = rows.zip(x).map(|(row, xi)| xi * dot(row, x)).sum();
        sum.max(0.0)
    }

    /// Takes in a row with weight w and the step along `A⁻¹x` that leads to the new mode.
    pub(super) fn step(
        &mut self,
        x: &[f64],
        along: &mut [f64],
        step: impl FnOnce(f64, f64) -> (f64, f64),
    ) {
        let features = x.len();
        for (along, row) in along.iter_mut().zip(self.inverse.chunks_exact(features)) {
            *along = dot(row, x);
        }
        let leverage = dot(along, x).max(0.0);
        let (length, weight) = step(dot(&self.coefficients, x), leverage);
        let shrink = weight / (1.0 + weight * leverage);
        for (row, a) in self.inverse.chunks_exact_mut(features).zip(&*along) {
            let factor = shrink * a;
            for (value, b) in row.iter_mut().zip(&*along) {
                *value -= factor * b;
            }
        }
        for (coefficient, a) in self.coefficients.iter_mut().zip(&*along) {
            *coefficient += length * a;
        }
    }
}

fn logistic(u: f64) -> f64 {
    1.0 / (1.0 + (-u).exp())
}

/// The mode along one direction of a normal prior with mean `m` and variance `s` after an outcome: `a = y − σ(m + s a)`, by Newton's method from a bracket that halves when a
/// step leaves it; and the curvature there.
pub(super) fn logistic_step(m: f64, s: f64, y: f64) -> (f64, f64) {
    const STEPS: usize = 60;
    const CLOSE: f64 = 1e-13;
    let (mut low, mut high) = (y - 1.0, y);
    let mut a = y - logistic(m);
    for _ in 0..STEPS {
        let p = logistic(m + s * a);
        let gap = a - (y - p);
        if gap > 0.0 {
            high = a;
        } else {
            low = a;
        }
        let next = a - gap / (1.0 + s * p * (1.0 - p));
        let next = if next > low && next < high {
            next
        } else {
            f64::midpoint(low, high)
        };
        let moved = (next - a).abs();
        a = next;
        if moved < CLOSE {
            break;
        }
    }
    let p = logistic(m + s * a);
    (a, p * (1.0 - p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_of_a_step_solves_its_equation() {
        for (m, s, y) in [
            (0.0, 1.0, 1.0),
            (-30.0, 50.0, 1.0),
            (40.0, 0.3, 0.0),
            (2.0, 1e4, 0.0),
            (0.3, 0.0, 1.0),
        ] {
            let (a, weight) = logistic_step(m, s, y);
            let p = logistic(m + s * a);
            assert!((a - (y - p)).abs() < 1e-11, "{m} {s} {y}: {a}");
            assert!((weight - p * (1.0 - p)).abs() < 1e-15);
        }
    }

    #[test]
    fn rank_one_steps_are_the_ridge_regression() {
        let mut model = Model::new(3, 2.0);
        let mut gram = nalgebra::DMatrix::from_diagonal_element(3, 3, 2.0);
        let mut right = nalgebra::DVector::zeros(3);
        let mut along = vec![0.0; 3];
        for i in 0..50 {
            let u = f64::from(i);
            let (x, y) = ([1.0, u.sin(), (0.7 * u).cos()], (1.3 * u).sin());
            model.step(&x, &mut along, |m, s| ((y - m) / (1.0 + s), 1.0));
            let column = nalgebra::DVector::from_column_slice(&x);
            gram += &column * column.transpose();
            right += y * column;
        }
        let inverse = gram.try_inverse().unwrap();
        let theta = &inverse * right;
        assert!(
            model
                .coefficients
                .iter()
                .zip(theta.iter())
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
        assert!(
            model
                .inverse
                .iter()
                .zip(inverse.iter())
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
    }
}
