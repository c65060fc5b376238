//! The interior-point method of Frisch and Newton for a quantile regression: close to the optimum in about twenty passes,
//! whatever the number of rows.

use super::problem::Problem;
use crate::error::Result;
use crate::numeric::Progress;
use crate::numeric::linalg::Cholesky;
use nalgebra::DVector;

/// Iterations at most; twenty are usual, and the vertex search that follows corrects what is left.
const MOST_ITERATIONS: usize = 80;

/// The duality gap, as a share of the objective, at which the vertex search takes over.
const GAP: f64 = 1e-9;

/// The share of the way to the boundary that a step goes.
const TOWARDS_BOUNDARY: f64 = 0.9995;

/// Coefficients near the optimum of `min Σ ρ_τ(y − x'b)`.
///
/// The dual is `max y'a` subject to `X'a = (1 − τ)X'1`, `0 ≤ a ≤ 1`; steps are Mehrotra's, a predictor with a corrector (Portnoy & Koenker
/// 1997, section 4). `a`, its distance `s = 1 − a` to the bound, and the two multipliers stay positive; the multipliers `z`
/// and `w` are the negative and positive parts of the residuals in the limit.
pub(super) fn interior_point(problem: &Problem, tau: f64, progress: &Progress) -> Result<Vec<f64>> {
    let n = problem.rows();
    let (mut a, mut s) = (vec![1.0 - tau; n], vec![tau; n]);
    let mut b = problem.least_squares();
    let residuals = problem.residuals(&b);
    let typical = residuals.iter().map(|r| r.abs()).sum::<f64>() / n as f64;
    // Dual feasibility, z − w = −(y − x'b), with both positive.
    let (mut z, mut w): (Vec<f64>, Vec<f64>) = residuals
        .iter()
        .map(|r| ((-r).max(0.0) + typical, r.max(0.0) + typical))
        .unzip();
    let mut q = vec![0.0; n];
    let mut right = vec![0.0; n];
    for iteration in 0..MOST_ITERATIONS {
        progress.report("interior point", iteration, MOST_ITERATIONS)?;
        let gap: f64 = (0..n).map(|i| a[i] * z[i] + s[i] * w[i]).sum();
        let objective = problem.objective(&b, tau);
        if gap <= GAP * objective || gap.is_nan() {
            break;
        }
        for i in 0..n {
            q[i] = 1.0 / (z[i] / a[i] + w[i] / s[i]);
            right[i] = z[i] - w[i];
        }
        let (gram, moment) = problem.weighted(&q, &right);
        let factor = Cholesky::with_tolerance(&gram, f64::EPSILON);
        if factor.rank() < problem.parameters() {
            break; // as close as the arithmetic allows
        }

        // The predictor. With b in place of the dual's −π, the step of X'π is −x'Δb.
        let step = factor.solve_vector(&moment);
        let along = problem.along(&step);
        let affine: Vec<f64> = (0..n).map(|i| q[i] * (along[i] - right[i])).collect();
        let affine_z = |i: usize| -z[i] * (1.0 + affine[i] / a[i]);
        let affine_w = |i: usize| -w[i] * (1.0 - affine[i] / s[i]);
        let primal = reach(n, |i| [(a[i], affine[i]), (s[i], -affine[i])]);
        let dual = reach(n, |i| [(z[i], affine_z(i)), (w[i], affine_w(i))]);

        // The corrector aims at a smaller gap, and takes the curvature of the predictor into account.
        let left: f64 = (0..n)
            .map(|i| {
                (a[i] + primal * affine[i]) * (z[i] + dual * affine_z(i))
                    + (s[i] - primal * affine[i]) * (w[i] + dual * affine_w(i))
            })
            .sum();
        let mu = gap * (left / gap).powi(3) / (2.0 * n as f64);
        let second: Vec<(f64, f64)> = (0..n)
            .map(|i| {
                (
                    affine[i] * affine_z(i) / a[i],
                    -affine[i] * affine_w(i) / s[i],
                )
            })
            .collect();
        let corrected: Vec<f64> = (0..n)
            .map(|i| right[i] - mu * (1.0 / a[i] - 1.0 / s[i]) + second[i].0 - second[i].1)
            .collect();
        let moment = problem.moment(&q, &corrected);
        let step = factor.solve_vector(&moment);
        let along = problem.along(&step);
        let move_a: Vec<f64> = (0..n).map(|i| q[i] * (along[i] - corrected[i])).collect();
        let move_z: Vec<f64> = (0..n)
            .map(|i| mu / a[i] - z[i] - z[i] / a[i] * move_a[i] - second[i].0)
            .collect();
        let move_w: Vec<f64> = (0..n)
            .map(|i| mu / s[i] - w[i] + w[i] / s[i] * move_a[i] - second[i].1)
            .collect();
        let primal = reach(n, |i| [(a[i], move_a[i]), (s[i], -move_a[i])]);
        let dual = reach(n, |i| [(z[i], move_z[i]), (w[i], move_w[i])]);
        for i in 0..n {
            a[i] += primal * move_a[i];
            s[i] -= primal * move_a[i];
            z[i] += dual * move_z[i];
            w[i] += dual * move_w[i];
        }
        add(&mut b, -dual, &step);
    }
    Ok(b)
}

fn add(b: &mut [f64], length: f64, step: &DVector<f64>) {
    b.iter_mut()
        .zip(step.iter())
        .for_each(|(b, d)| *b += length * d);
}

/// The longest step, at most one, that keeps all pairs (value, change) positive.
fn reach(n: usize, pairs: impl Fn(usize) -> [(f64, f64); 2]) -> f64 {
    let mut longest = f64::INFINITY;
    for i in 0..n {
        for (value, change) in pairs(i) {
            if change < 0.0 {
                longest = longest.min(-value / change);
            }
        }
    }
    (TOWARDS_BOUNDARY * longest).min(1.0)
}
