//! Rerandomisation: assignments are drawn until covariates are balanced.

use crate::error::{Error, Result};
use crate::numeric::linalg::Cholesky;
use crate::numeric::special::chi_squared;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// Tries beyond the expected number: the probability of no accepted draw is e⁻¹⁰⁰ when the acceptance probability is right.
const PATIENCE: f64 = 100.0;

/// Covariates of one importance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalanceTier {
    /// Its columns.
    pub columns: Vec<String>,
    /// Share of assignments that pass.
    pub acceptance: f64,
    /// Bound on the Mahalanobis distance.
    pub threshold: f64,
    /// By what the variance of differences of its covariates' means is multiplied: `P(χ²_{d+2} ≤ a)/P(χ²_d ≤ a)`.
    pub variance_factor: f64,
}

/// The criterion of a rerandomised design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    tiers: Vec<BalanceTier>,
    /// Whitened covariates by unit, tier after tier, later ones less what earlier ones explain.
    whitened: Vec<Vec<f64>>,
}

impl Balance {
    /// Tiers of named covariates with their acceptance probability; `values` holds them in that order, one vector a covariate.
    pub(super) fn new(
        tiers: &[(Vec<String>, f64)],
        values: &[Vec<f64>],
        arms: usize,
    ) -> Result<Self> {
        let names: Vec<&String> = tiers.iter().flat_map(|(columns, _)| columns).collect();
        let units = values.first().map_or(0, Vec::len);
        let columns: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
        let moments = crate::summary::Moments::of(&columns, None)?;
        let covariance = moments.covariance(1.0);
        let scale: Vec<f64> = (0..names.len())
            .map(|j| covariance[(j, j)].sqrt())
            .collect();
        if let Some(j) = scale.iter().position(|s| s.is_nan() || *s <= 0.0) {
            return Err(Error::invalid_option(
                "balance",
                names[j],
                "a covariate that varies over the units",
            ));
        }
        let correlation = DMatrix::from_fn(names.len(), names.len(), |i, j| {
            covariance[(i, j)] / (scale[i] * scale[j])
        });
        // The pivoted factor only finds collinear covariates: the order of whitening is that of the tiers.
        let rank = Cholesky::new(&correlation);
        if let Some(j) = rank.dropped().first() {
            return Err(Error::invalid_option(
                "balance",
                names[*j],
                "a covariate that is no linear combination of the others",
            ));
        }
        let root = lower_root(&correlation);
        let mean = moments.mean();
        let mut whitened = vec![vec![0.0; units]; names.len()];
        for unit in 0..units {
            // Forward substitution: z = L⁻¹ (x − x̄).
            for j in 0..names.len() {
                let mut z = (values[j][unit] - mean[j]) / scale[j];
                for i in 0..j {
                    z -= root[(j, i)] * whitened[i][unit];
                }
                whitened[j][unit] = z / root[(j, j)];
            }
        }
        let tiers = tiers
            .iter()
            .map(|(columns, acceptance)| {
                if !(*acceptance > 0.0 && *acceptance < 1.0) {
                    return Err(Error::invalid_option(
                        "acceptance",
                        acceptance,
                        "between 0 and 1: the share of assignments that are balanced enough, 0.01 or 0.001",
                    ));
                }
                let df = (columns.len() * (arms - 1)) as f64;
                let threshold = chi_squared::quantile(*acceptance, df);
                Ok(BalanceTier {
                    columns: columns.clone(),
                    acceptance: *acceptance,
                    threshold,
                    variance_factor: chi_squared::cdf(threshold, df + 2.0) / acceptance,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { tiers, whitened })
    }

    /// The tiers.
    pub fn tiers(&self) -> &[BalanceTier] {
        &self.tiers
    }

    /// Share of assignments accepted, all tiers together.
    pub fn acceptance(&self) -> f64 {
        self.tiers.iter().map(|t| t.acceptance).product()
    }

    pub(super) fn most_tries(&self) -> usize {
        (PATIENCE / self.acceptance()).min(usize::MAX as f64) as usize
    }

    /// The distance of each tier, `Σ_arms n_a z̄_a' z̄_a` in whitened covariates: with two arms Mahalanobis' distance of the means.
    pub fn distances(&self, arms: &[u32], count: usize) -> Vec<f64> {
        let mut units = vec![0.0; count];
        for arm in arms {
            units[*arm as usize] += 1.0;
        }
        let mut column = 0;
        self.tiers
            .iter()
            .map(|tier| {
                let mut total = 0.0;
                for z in &self.whitened[column..column + tier.columns.len()] {
                    let mut sums = vec![0.0; count];
                    for (arm, z) in arms.iter().zip(z) {
                        sums[*arm as usize] += z;
                    }
                    total += sums.iter().zip(&units).map(|(s, n)| s * s / n).sum::<f64>();
                }
                column += tier.columns.len();
                total
            })
            .collect()
    }

    /// Whether an assignment is balanced; one with an empty arm (whose distance is not a number) is not.
    pub(super) fn accepts(&self, arms: &[u32], count: usize) -> bool {
        self.distances(arms, count)
            .iter()
            .zip(&self.tiers)
            .all(|(distance, tier)| *distance <= tier.threshold)
    }
}

/// The lower Cholesky root in the given order, of a matrix that has full rank.
fn lower_root(a: &DMatrix<f64>) -> DMatrix<f64> {
    let n = a.nrows();
    let mut root = DMatrix::zeros(n, n);
    for j in 0..n {
        for i in j..n {
            let known: f64 = (0..j).map(|k| root[(i, k)] * root[(j, k)]).sum();
            root[(i, j)] = if i == j {
                (a[(i, i)] - known).max(f64::MIN_POSITIVE).sqrt()
            } else {
                (a[(i, j)] - known) / root[(j, j)]
            };
        }
    }
    root
}
