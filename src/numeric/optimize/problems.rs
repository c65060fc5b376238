//! The optimisers against standard problems.

use super::*;
use crate::error::Error;
use crate::numeric::Progress;
use nalgebra::DMatrix;
use proptest::prelude::*;

/// Rosenbrock's valley with analytic derivatives.
struct Rosenbrock;

impl Objective for Rosenbrock {
    fn value(&self, x: &[f64]) -> f64 {
        (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2)
    }
    fn gradient(&self, x: &[f64], g: &mut [f64]) {
        let r = x[1] - x[0] * x[0];
        g[0] = -2.0 * (1.0 - x[0]) - 400.0 * x[0] * r;
        g[1] = 200.0 * r;
    }
    fn hessian(&self, x: &[f64]) -> DMatrix<f64> {
        let r = x[1] - x[0] * x[0];
        let h00 = 2.0 - 400.0 * r + 800.0 * x[0] * x[0];
        DMatrix::from_row_slice(2, 2, &[h00, -400.0 * x[0], -400.0 * x[0], 200.0])
    }
}

/// A logistic log-likelihood, negated, with the rows `(y, x)`.
struct Logit {
    rows: Vec<(f64, Vec<f64>)>,
}

impl Logit {
    /// Deterministic rows: a grid of regressors, and outcomes from a fixed rule that no line separates.
    fn example() -> Self {
        let rows = (0..200)
            .map(|i| {
                let a = f64::from(i % 17) / 8.0 - 1.0;
                let b = f64::from(i * 7 % 23) - 11.0;
                let noise = f64::from(i * i % 13) / 6.0 - 1.0;
                let y = f64::from(0.3 + 0.8 * a - 0.1 * b + 2.0 * noise > 0.0);
                (y, vec![1.0, a, b])
            })
            .collect();
        Self { rows }
    }

    fn index(x: &[f64], row: &[f64]) -> f64 {
        row.iter().zip(x).map(|(a, b)| a * b).sum()
    }
}

impl Objective for Logit {
    fn value(&self, x: &[f64]) -> f64 {
        self.rows
            .iter()
            .map(|(y, row)| {
                let t = Self::index(x, row);
                t.max(0.0) + (-t.abs()).exp().ln_1p() - y * t
            })
            .sum()
    }
    fn gradient(&self, x: &[f64], g: &mut [f64]) {
        g.fill(0.0);
        for (y, row) in &self.rows {
            let p = 1.0 / (1.0 + (-Self::index(x, row)).exp());
            for (g, v) in g.iter_mut().zip(row) {
                *g += (p - y) * v;
            }
        }
    }
    fn hessian(&self, x: &[f64]) -> DMatrix<f64> {
        let mut h = DMatrix::zeros(x.len(), x.len());
        for (_, row) in &self.rows {
            let p = 1.0 / (1.0 + (-Self::index(x, row)).exp());
            for i in 0..x.len() {
                for j in 0..x.len() {
                    h[(i, j)] += p * (1.0 - p) * row[i] * row[j];
                }
            }
        }
        h
    }
}

fn beale(x: &[f64]) -> f64 {
    [1.5, 2.25, 2.625]
        .iter()
        .zip(1..)
        .map(|(c, k)| (c - x[0] * (1.0 - x[1].powi(k))).powi(2))
        .sum()
}

fn powell(x: &[f64]) -> f64 {
    (x[0] + 10.0 * x[1]).powi(2)
        + 5.0 * (x[2] - x[3]).powi(2)
        + (x[1] - 2.0 * x[2]).powi(4)
        + 10.0 * (x[0] - x[3]).powi(4)
}

/// All three optimisers on one problem.
fn all(objective: &dyn Objective, start: &[f64]) -> [Minimum; 3] {
    [
        Newton::new().minimize(objective, start).unwrap(),
        TrustRegion::new().minimize(objective, start).unwrap(),
        Lbfgs::new().minimize(objective, start).unwrap(),
    ]
}

fn distance(found: &Minimum, exact: &[f64]) -> f64 {
    found
        .point
        .iter()
        .zip(exact)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max)
}

#[test]
fn rosenbrock_and_beale_from_their_standard_starts() {
    for (k, found) in all(&Rosenbrock, &[-1.2, 1.0]).iter().enumerate() {
        assert!(found.convergence.converged, "{found}");
        let tolerance = if k < 2 { 1e-12 } else { 1e-7 };
        assert!(distance(found, &[1.0, 1.0]) < tolerance, "{found}");
    }
    for found in all(&beale, &[1.0, 1.0]) {
        assert!(found.convergence.converged, "{found}");
        assert!(distance(&found, &[3.0, 0.5]) < 1e-6, "{found}");
    }
}

#[test]
fn powell_singular_is_approached_although_its_hessian_is_singular_at_the_optimum() {
    for found in all(&powell, &[3.0, -1.0, 0.0, 1.0]) {
        assert!(found.value < 1e-10, "{found}");
        assert!(distance(&found, &[0.0; 4]) < 1e-2, "{found}");
    }
}

#[test]
fn a_likelihood_is_solved_to_rounding() {
    let logit = Logit::example();
    let [newton, region, lbfgs] = all(&logit, &[0.0; 3]);
    for found in [&newton, &region] {
        assert!(found.convergence.converged, "{found}");
        assert_eq!(found.convergence.reason, Reason::Decrement);
        assert!(found.gradient.iter().all(|g| g.abs() < 1e-11), "{found}");
    }
    assert!(distance(&newton, &region.point) < 1e-12);
    assert!(lbfgs.convergence.converged, "{lbfgs}");
    assert!(distance(&lbfgs, &newton.point) < 1e-5, "{lbfgs}");
    assert!(newton.convergence.iterations < 10);
}

#[test]
fn numerical_derivatives_give_the_same_optimum() {
    let logit = Logit::example();
    let exact = Newton::new().minimize(&logit, &[0.0; 3]).unwrap();
    let values_only = |x: &[f64]| logit.value(x);
    let found = Newton::new().minimize(&values_only, &[0.0; 3]).unwrap();
    assert!(found.convergence.converged, "{found}");
    assert!(distance(&found, &exact.point) < 1e-9, "{found}");
}

#[test]
fn a_separated_likelihood_does_not_converge() {
    let rows = (-5..5).map(|i| (f64::from(i >= 0), vec![1.0, f64::from(i) + 0.5]));
    let logit = Logit {
        rows: rows.collect(),
    };
    for found in [
        Newton::new().minimize(&logit, &[0.0; 2]).unwrap(),
        TrustRegion::new().minimize(&logit, &[0.0; 2]).unwrap(),
    ] {
        assert!(!found.convergence.converged, "{found}");
        let error = found.or_error("the logit").unwrap_err();
        assert!(matches!(error, Error::NotConverged { .. }));
    }
}

#[test]
fn collinear_regressors_are_reported_as_singular() {
    let mut logit = Logit::example();
    for (_, row) in &mut logit.rows {
        row.push(2.0 * row[1]);
    }
    for found in [
        Newton::new().minimize(&logit, &[0.0; 4]).unwrap(),
        TrustRegion::new().minimize(&logit, &[0.0; 4]).unwrap(),
    ] {
        assert_eq!(found.convergence.reason, Reason::Singular, "{found}");
        assert!(!found.convergence.converged);
    }
}

/// A quadratic in `zᵢ = xᵢ/sᵢ − 1` with scales `sᵢ` over eleven orders of magnitude.
struct Scaled([f64; 3]);

impl Scaled {
    const HESSIAN: [[f64; 3]; 3] = [[2.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 2.0]];

    fn z(&self, x: &[f64]) -> Vec<f64> {
        x.iter().zip(self.0).map(|(x, s)| x / s - 1.0).collect()
    }
}

impl Objective for Scaled {
    fn value(&self, x: &[f64]) -> f64 {
        let z = self.z(x);
        let rows = Self::HESSIAN.iter().zip(&z);
        rows.map(|(h, zi)| 0.5 * zi * Logit::index(&z, h)).sum()
    }
    fn gradient(&self, x: &[f64], g: &mut [f64]) {
        let z = self.z(x);
        for (i, g) in g.iter_mut().enumerate() {
            *g = Logit::index(&z, &Self::HESSIAN[i]) / self.0[i];
        }
    }
    fn hessian(&self, _: &[f64]) -> DMatrix<f64> {
        DMatrix::from_fn(3, 3, |i, j| Self::HESSIAN[i][j] / (self.0[i] * self.0[j]))
    }
}

#[test]
fn units_of_the_variables_do_not_matter() {
    let problem = Scaled([1e-6, 1.0, 1e5]);
    for found in &all(&problem, &[0.0; 3])[..2] {
        assert!(found.convergence.converged, "{found}");
        assert!(
            problem.z(&found.point).iter().all(|z| z.abs() < 1e-12),
            "{found}"
        );
    }
    let lbfgs = Lbfgs::new().minimize(&problem, &[0.0; 3]).unwrap();
    assert!(lbfgs.value < 1e-6, "{lbfgs}");
}

/// The logit with values that carry errors of 10⁻¹³, as of a sum over very many rows.
struct Noisy(Logit);

impl Objective for Noisy {
    fn value(&self, x: &[f64]) -> f64 {
        let exact = self.0.value(x);
        let hash = crate::numeric::seed::mix(exact.to_bits());
        exact * (1.0 + 1e-13 * ((hash >> 11) as f64 / (1_u64 << 53) as f64 - 0.5))
    }
    fn gradient(&self, x: &[f64], g: &mut [f64]) {
        self.0.gradient(x, g);
    }
    fn hessian(&self, x: &[f64]) -> DMatrix<f64> {
        self.0.hessian(x)
    }
}

#[test]
fn noise_in_the_value_does_not_hide_the_optimum() {
    let exact = Newton::new()
        .minimize(&Logit::example(), &[0.0; 3])
        .unwrap();
    let noisy = all(&Noisy(Logit::example()), &[0.0; 3]);
    for (found, tolerance) in noisy.iter().zip([1e-12, 1e-12, 1e-5]) {
        assert!(found.convergence.converged, "{found}");
        assert!(distance(found, &exact.point) < tolerance, "{found}");
    }
}

#[test]
fn steps_outside_the_domain_are_taken_back() {
    // −ln x₀ + x₀ + (x₁ − 1)² is NaN for x₀ < 0 and its first full steps from 20 lead there.
    let barrier = |x: &[f64]| -x[0].ln() + x[0] + (x[1] - 1.0).powi(2);
    for found in all(&barrier, &[20.0, -3.0]) {
        assert!(found.convergence.converged, "{found}");
        assert!(distance(&found, &[1.0, 1.0]) < 1e-6, "{found}");
    }
    let wall = |x: &[f64]| {
        if x[0] > 2.0 {
            f64::INFINITY
        } else {
            (x[0] - 1.9).powi(2)
        }
    };
    for found in all(&wall, &[-30.0]) {
        assert!(distance(&found, &[1.9]) < 1e-6, "{found}");
    }
    let refused = Newton::new().minimize(&barrier, &[-1.0, 0.0]);
    assert!(matches!(refused, Err(Error::NotFinite { .. })));
}

#[test]
fn a_saddle_is_left() {
    let saddle = |x: &[f64]| x[0] * x[0] - x[1] * x[1] + 0.25 * x[1].powi(4) + 0.5 * x[0] * x[1];
    for found in &all(&saddle, &[0.0, 0.0])[..2] {
        assert!(found.convergence.converged, "{found}");
        assert!(found.value < -1.0, "{found}");
        assert_eq!(found.convergence.positive_definite, Some(true));
    }
    // Near the saddle every method must leave.
    for found in all(&saddle, &[1e-3, 1e-3]) {
        assert!(found.convergence.converged && found.value < -1.0, "{found}");
    }
}

#[test]
fn the_iteration_limit_and_the_caller_stop_the_search() {
    let rule = Stopping::new().max_iterations(3);
    let found = Newton::new()
        .stopping(rule)
        .minimize(&Rosenbrock, &[-1.2, 1.0])
        .unwrap();
    assert_eq!(found.convergence.reason, Reason::Iterations);
    assert!(!found.convergence.converged && found.value < 24.2);
    let stop = Progress::with(|step| step.done < 2);
    for cancelled in [
        Newton::new().minimize_with(&Rosenbrock, &[-1.2, 1.0], &stop),
        TrustRegion::new().minimize_with(&Rosenbrock, &[-1.2, 1.0], &stop),
        Lbfgs::new().minimize_with(&Rosenbrock, &[-1.2, 1.0], &stop),
    ] {
        assert!(matches!(cancelled, Err(Error::Cancelled { .. })));
    }
    let bad = Lbfgs::new().stopping(Stopping::new().gradient_tolerance(-1.0));
    assert!(bad.minimize(&Rosenbrock, &[0.0, 0.0]).is_err());
    assert!(Newton::new().minimize(&Rosenbrock, &[]).is_err());
}

#[test]
fn a_function_without_a_minimum_is_reported() {
    for found in all(&|x: &[f64]| x[0] - x[1], &[0.0, 0.0]) {
        assert!(!found.convergence.converged, "{found}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn rosenbrock_from_anywhere(a in -5.0..5.0f64, b in -5.0..5.0f64) {
        for found in all(&Rosenbrock, &[a, b]) {
            prop_assert!(found.convergence.converged, "{found}");
            prop_assert!(distance(&found, &[1.0, 1.0]) < 1e-5, "{found}");
        }
    }
}
