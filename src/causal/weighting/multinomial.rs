//! Propensities of several arms: a multinomial logit by maximum likelihood.

use super::newton::{Sums, newton};
use super::observed::{Basis, Observed};
use super::tilt::{BLOCK, no_overlap};
use crate::error::Result;
use crate::numeric::blocks;
use nalgebra::{DMatrix, DVector};

/// `ln e_a/e_0 = x'β_a` for arms a from 1; coefficients stand arm after arm.
pub(super) struct Multinomial {
    arms: usize,
    /// Log odds of the arms from 1 against the first, row by row.
    eta: Vec<f64>,
    inverse: DMatrix<f64>,
}

impl Multinomial {
    /// # Errors
    /// `Unidentified` when covariates separate the arms.
    pub(super) fn solve(
        observed: &Observed,
        basis: &Basis,
        arm_of: &[u32],
        arms: usize,
    ) -> Result<Self> {
        let (q, n) = (basis.width, observed.len());
        let mut totals = vec![0.0; arms];
        for (arm, weight) in arm_of.iter().zip(&observed.weights) {
            totals[*arm as usize] += weight;
        }
        let start: Vec<f64> = totals[1..].iter().map(|t| (t / totals[0]).ln()).collect();
        let value = |eta: &[f64]| -> f64 {
            let block = |rows: std::ops::Range<usize>| -> f64 {
                let each = rows.map(|row| {
                    let own = index(eta, arms, row, arm_of[row] as usize);
                    observed.weights[row] * (own - log_sum(eta, arms, row))
                });
                each.sum()
            };
            blocks::reduce(n, BLOCK, block, |a, b| *a += b).unwrap_or(0.0)
        };
        let sums = |eta: &[f64]| {
            let block = |rows: std::ops::Range<usize>| {
                let mut all = Sums::zero((arms - 1) * q);
                for row in rows.filter(|row| observed.weights[*row] > 0.0) {
                    let (x, weight) = (basis.row(row), observed.weights[row]);
                    let log_sum = log_sum(eta, arms, row);
                    let shares: Vec<f64> = (0..arms)
                        .map(|arm| (index(eta, arms, row, arm) - log_sum).exp())
                        .collect();
                    all.value += weight * (index(eta, arms, row, arm_of[row] as usize) - log_sum);
                    for a in 1..arms {
                        let own = f64::from(u8::from(arm_of[row] as usize == a));
                        for (k, xk) in x.iter().enumerate() {
                            let at = (a - 1) * q + k;
                            all.gradient[at] += weight * (own - shares[a]) * xk;
                            for b in 1..=a {
                                let same = f64::from(u8::from(a == b));
                                let scaled = weight * shares[a] * (same - shares[b]) * xk;
                                for (l, xl) in x.iter().enumerate() {
                                    all.curvature[(at, (b - 1) * q + l)] += scaled * xl;
                                }
                            }
                        }
                    }
                }
                all
            };
            let mut all = blocks::reduce(n, BLOCK, block, Sums::add)
                .unwrap_or_else(|| Sums::zero((arms - 1) * q));
            all.curvature.fill_upper_triangle_with_lower_triangle();
            all
        };
        let times = |direction: &DVector<f64>| products(basis, direction, n);
        let found = newton(
            (0..n).flat_map(|_| start.iter().copied()).collect(),
            observed,
            sums,
            value,
            times,
        );
        let (eta, inverse) = found.map_err(|direction| {
            let largest = DVector::from_fn(q, |k, _| {
                (0..arms - 1).fold(0.0_f64, |m, a| m.max(direction[a * q + k].abs()))
            });
            let what = format!("the propensities of the arms of `{}`", observed.treatment);
            no_overlap(what, basis, &largest)
        })?;
        Ok(Self { arms, eta, inverse })
    }

    /// The log of the propensity of an arm.
    pub(super) fn log_propensity(&self, row: usize, arm: usize) -> f64 {
        index(&self.eta, self.arms, row, arm) - log_sum(&self.eta, self.arms, row)
    }

    /// What uncertainty of the propensities adds to a sum whose derivative with respect to the log odds of the arms from 1 is `slopes`, row by row.
    pub(super) fn first_step(
        &self,
        observed: &Observed,
        basis: &Basis,
        arm_of: &[u32],
        slopes: &[f64],
    ) -> Vec<f64> {
        let (q, more) = (basis.width, self.arms - 1);
        let mut total = DVector::zeros(more * q);
        for (row, slopes) in slopes.chunks_exact(more).enumerate() {
            for (a, slope) in slopes.iter().enumerate() {
                for (k, x) in basis.row(row).iter().enumerate() {
                    total[a * q + k] += slope * x;
                }
            }
        }
        let moves = products(basis, &(&self.inverse * total), observed.len());
        (moves.chunks_exact(more).enumerate())
            .map(|(row, moves)| {
                let each = moves.iter().enumerate().map(|(a, moved)| {
                    let own = f64::from(u8::from(arm_of[row] as usize == a + 1));
                    moved * (own - self.log_propensity(row, a + 1).exp())
                });
                observed.weights[row] * each.sum::<f64>()
            })
            .collect()
    }
}

/// The log odds of an arm against the first.
fn index(eta: &[f64], arms: usize, row: usize, arm: usize) -> f64 {
    if arm == 0 {
        0.0
    } else {
        eta[row * (arms - 1) + arm - 1]
    }
}

/// `ln Σ_a exp(η_a)`.
fn log_sum(eta: &[f64], arms: usize, row: usize) -> f64 {
    let own = &eta[row * (arms - 1)..(row + 1) * (arms - 1)];
    let largest = own.iter().fold(0.0_f64, |m, v| m.max(*v));
    let sum: f64 = own.iter().map(|v| (v - largest).exp()).sum();
    largest + ((-largest).exp() + sum).ln()
}

/// `x'β_a` of all arms from 1, row by row.
fn products(basis: &Basis, coefficients: &DVector<f64>, rows: usize) -> Vec<f64> {
    let parts: Vec<&[f64]> = coefficients.as_slice().chunks(basis.width).collect();
    let each = |row: usize| {
        let x = basis.row(row);
        let of = move |part: &&[f64]| x.iter().zip(*part).map(|(x, b)| x * b).sum::<f64>();
        parts.iter().map(of).collect::<Vec<f64>>()
    };
    (0..rows).flat_map(each).collect()
}
