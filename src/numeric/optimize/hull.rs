//! The point of a convex hull that is nearest to the origin: least squares over the simplex.

use crate::error::{Error, Result};
use crate::numeric::linalg::{Cholesky, block};
use nalgebra::{DMatrix, DVector};

/// A duality gap below this share of the largest squared length is accepted where rounding ends the search.
const ACCEPTED_GAP: f64 = 1e-10;

/// Added to squared lengths, as a share of the largest, where active points depend on each other but for rounding.
const DEPENDENT: f64 = 1e-13;

/// The weights `w ≥ 0`, `Σ w = 1`, that minimise `w'Gw` for a positive semi-definite `G`, so that `Σ w_j p_j` is the point of the hull of the `p_j` that is nearest
/// to the origin when `G` has their products.
///
/// Wolfe's algorithm (1976, doi:10.1007/BF01580381): exact after finitely many exchanges of an active set of affinely independent points. It ends when no point
/// improves, which the gap `w'Gw − min_j (Gw)_j ≥ 0` certifies: the value is at most twice the gap from its minimum. Where several weights give the same point, those
/// that it returns depend on nothing but `G`.
///
/// # Errors
/// `Matrix` without points, `NotFinite`, `NotConverged` when rounding ends the search before the gap closes.
pub(crate) fn nearest_in_hull(gram: &DMatrix<f64>) -> Result<Vec<f64>> {
    let n = gram.nrows();
    if n == 0 {
        return Err(Error::Matrix {
            message: "the convex hull of no points has no nearest point".to_owned(),
        });
    }
    if gram.iter().any(|value| !value.is_finite()) {
        return Err(Error::NotFinite {
            what: "a product of points whose hull is searched".to_owned(),
        });
    }
    let scale = gram.diagonal().max();
    if scale <= 0.0 {
        return Ok(vec![1.0 / n as f64; n]);
    }
    let rounding = 4.0 * f64::EPSILON * scale;
    let mut active = vec![gram.diagonal().imin()];
    let mut weights = vec![1.0];
    let mut last = f64::INFINITY;
    let most = 100 + 20 * n;
    let mut gap = f64::INFINITY;
    for _ in 0..most {
        let gradient: Vec<f64> = (0..n)
            .map(|j| {
                (active.iter().zip(&weights))
                    .map(|(a, w)| gram[(j, *a)] * w)
                    .sum()
            })
            .collect();
        let value: f64 = (active.iter().zip(&weights))
            .map(|(a, w)| gradient[*a] * w)
            .sum();
        let outside = (0..n).filter(|j| !active.contains(j));
        let Some(entering) = outside.min_by(|a, b| gradient[*a].total_cmp(&gradient[*b])) else {
            return Ok(full(n, &active, &weights));
        };
        gap = (value - gradient[entering]).max(0.0);
        if gap <= rounding || value >= last {
            break;
        }
        last = value;
        let before = (active.clone(), weights.clone());
        active.push(entering);
        weights.push(0.0);
        if !settle(gram, scale, &mut active, &mut weights) {
            (active, weights) = before;
            break;
        }
    }
    if gap > ACCEPTED_GAP * scale {
        return Err(Error::NotConverged {
            what: "the search for weights on the simplex".to_owned(),
            iterations: most,
            criterion: gap / scale,
            tolerance: ACCEPTED_GAP,
            remedy: "look for outcomes of very different sizes".to_owned(),
        });
    }
    Ok(full(n, &active, &weights))
}

/// Moves to the nearest point of the affine hull of the active points, dropping those whose weight would turn negative. False when they are not affinely independent.
fn settle(
    gram: &DMatrix<f64>,
    scale: f64,
    active: &mut Vec<usize>,
    weights: &mut Vec<f64>,
) -> bool {
    while active.len() > 1 {
        // min α'Gα with Σα = 1: α ∝ (G + s 11')⁻¹ 1 for any s > 0, which is positive definite where G alone may be singular.
        let system = block(gram, active, active).add_scalar(scale);
        let Ok(factor) = Cholesky::full_rank(&system, "active points").or_else(|_| {
            // Dependent but for rounding: the shortest weights are near enough.
            let mut system = system;
            for i in 0..active.len() {
                system[(i, i)] += DEPENDENT * scale;
            }
            Cholesky::full_rank(&system, "active points")
        }) else {
            return false;
        };
        let solved = factor.solve_vector(&DVector::from_element(active.len(), 1.0));
        let goal = &solved / solved.sum();
        if goal.iter().all(|a| *a > 0.0) {
            weights.copy_from_slice(goal.as_slice());
            return true;
        }
        let reach = |i: usize| weights[i] / (weights[i] - goal[i]);
        let blocking = (0..active.len()).filter(|i| goal[*i] <= 0.0);
        let Some(leaving) = blocking.min_by(|a, b| reach(*a).total_cmp(&reach(*b))) else {
            return false;
        };
        let step = reach(leaving);
        for (weight, goal) in weights.iter_mut().zip(goal.iter()) {
            *weight += step * (goal - *weight);
        }
        active.remove(leaving);
        weights.remove(leaving);
    }
    weights[0] = 1.0;
    true
}

fn full(n: usize, active: &[usize], weights: &[f64]) -> Vec<f64> {
    let mut all = vec![0.0; n];
    let total: f64 = weights.iter().sum();
    for (place, weight) in active.iter().zip(weights) {
        all[*place] = weight / total;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;
    use rand::RngExt as _;

    fn products(points: &DMatrix<f64>) -> DMatrix<f64> {
        points.transpose() * points
    }

    #[test]
    fn corners_edges_and_the_inside() {
        // A triangle right of the origin: nearest is the middle of its left edge.
        let edge = DMatrix::from_row_slice(2, 3, &[1.0, 1.0, 3.0, 1.0, -1.0, 0.0]);
        let weights = nearest_in_hull(&products(&edge)).unwrap();
        for (ours, truth) in weights.iter().zip([0.5, 0.5, 0.0]) {
            assert!((ours - truth).abs() < 1e-14);
        }
        let inside = DMatrix::from_row_slice(2, 3, &[-1.0, -1.0, 2.0, 1.0, -1.0, 0.0]);
        let weights = nearest_in_hull(&products(&inside)).unwrap();
        for (ours, truth) in weights.iter().zip([1.0 / 3.0; 3]) {
            assert!((ours - truth).abs() < 1e-14);
        }
        assert_eq!(nearest_in_hull(&DMatrix::zeros(2, 2)).unwrap(), [0.5, 0.5]);
        assert!(nearest_in_hull(&DMatrix::zeros(0, 0)).is_err());
        assert!(nearest_in_hull(&DMatrix::from_element(1, 1, f64::NAN)).is_err());
    }

    #[test]
    fn the_conditions_of_the_minimum_hold_in_any_shape() {
        for (case, (rows, points)) in [(3, 40), (40, 3), (20, 38), (5, 200), (60, 60)]
            .into_iter()
            .enumerate()
        {
            let mut generator = Seed::new(5).stream(case as u64);
            let mut at = |shift: f64| {
                DMatrix::from_fn(rows, points, |_, _| generator.random::<f64>() - shift)
            };
            for shift in [0.5, 0.3, 0.0] {
                let gram = products(&at(shift));
                let w = DVector::from_vec(nearest_in_hull(&gram).unwrap());
                assert!((w.sum() - 1.0).abs() < 1e-12 && w.min() >= 0.0);
                let gradient = &gram * &w;
                let value = w.dot(&gradient);
                let gap = value - gradient.min();
                assert!(
                    gap < 1e-13 * gram.diagonal().max(),
                    "{rows} {points} {shift} {gap}"
                );
            }
        }
    }

    #[test]
    fn points_that_hardly_span_a_space_are_no_trouble() {
        for seed in 0..300_u64 {
            let mut generator = Seed::new(seed).stream(1);
            let mut draw = |most: f64| generator.random::<f64>() * most;
            let (n, t, rank) = (
                2 + draw(60.0) as usize,
                1 + draw(40.0) as usize,
                1 + draw(4.0) as usize,
            );
            let noise = 10_f64.powf(-draw(12.0));
            let factors = DMatrix::from_fn(t, rank, |_, _| draw(1.0) - 0.5);
            let loadings = DMatrix::from_fn(rank, n, |_, _| draw(1.0) - 0.5);
            let level = (seed % 2) as f64;
            let points =
                factors * loadings + DMatrix::from_fn(t, n, |_, _| noise * draw(1.0) + level);
            let gram = products(&points);
            let w = DVector::from_vec(nearest_in_hull(&gram).unwrap());
            let gradient = &gram * &w;
            let gap = w.dot(&gradient) - gradient.min();
            assert!(gap < 1e-12 * gram.diagonal().max(), "{seed} {gap}");
        }
    }

    #[test]
    fn points_that_come_twice_do_no_harm() {
        let mut generator = Seed::new(6).stream(0);
        let half = DMatrix::from_fn(6, 9, |_, _| generator.random::<f64>());
        let twice = DMatrix::from_fn(6, 18, |i, j| half[(i, j % 9)]);
        let (a, b) = (products(&half), products(&twice));
        let value = |g: &DMatrix<f64>| {
            let w = DVector::from_vec(nearest_in_hull(g).unwrap());
            w.dot(&(g * &w))
        };
        assert!((value(&a) - value(&b)).abs() < 1e-14);
    }
}
