//! Jumps at given bandwidths: conventional, bias-corrected, and their covariances.

use super::bandwidth::{DiscontinuityBandwidths, both};
use super::local::{LocalFit, covariance, covariate_slopes, factorial, net_of, power_of};
use super::regression_discontinuity::RegressionDiscontinuity;
use super::side::Side;
use crate::error::Result;
use nalgebra::{DMatrix, DVector};

/// Jumps of outcome and, if the design is fuzzy, of treatment.
pub(super) struct Estimation {
    pub(super) conventional: DVector<f64>,
    pub(super) corrected: DVector<f64>,
    pub(super) conventional_covariance: DMatrix<f64>,
    pub(super) robust_covariance: DMatrix<f64>,
    /// Of outcome (and treatment) on the covariates.
    pub(super) slopes: DMatrix<f64>,
    /// Rows with weight in the bandwidths of the estimate and of the bias.
    pub(super) rows: [usize; 2],
    pub(super) bias_rows: [usize; 2],
    /// Clusters in the wider bandwidth.
    pub(super) clusters: Option<[usize; 2]>,
}

/// One side.
struct Level {
    conventional: DVector<f64>,
    corrected: DVector<f64>,
    conventional_covariance: DMatrix<f64>,
    robust_covariance: DMatrix<f64>,
}

impl Estimation {
    pub(super) fn new(
        model: &RegressionDiscontinuity,
        sides: &[Side; 2],
        bandwidths: &DiscontinuityBandwidths,
    ) -> Result<Self> {
        let fits = both(|at| {
            let fit = |h, order| LocalFit::new(&sides[at], model.kernel, h, order);
            Ok((
                fit(bandwidths.estimate[at], model.order)?,
                fit(bandwidths.bias[at], model.bias_order)?,
            ))
        })?;
        let slopes = covariate_slopes(&[&fits[0].0, &fits[1].0], model.covariates_from());
        let nets: Vec<Vec<f64>> = (0..slopes.ncols())
            .map(|column| net_of(column, &slopes))
            .collect();
        let [left, right] = both(|at| Ok(level(model, &sides[at], &fits[at], &nets)))?;
        let reached = |at: usize| fits[at].0.rows().max(fits[at].1.rows());
        let clusters = |at: usize| sides[at].clusters_within(reached(at));
        Ok(Self {
            conventional: right.conventional - left.conventional,
            corrected: right.corrected - left.corrected,
            conventional_covariance: right.conventional_covariance + left.conventional_covariance,
            robust_covariance: right.robust_covariance + left.robust_covariance,
            rows: [fits[0].0.rows(), fits[1].0.rows()],
            bias_rows: [fits[0].1.rows(), fits[1].1.rows()],
            clusters: clusters(0).zip(clusters(1)).map(|(l, r)| [l, r]),
            slopes,
        })
    }
}

/// Levels (or slopes) of one side at the cutoff.
fn level(
    model: &RegressionDiscontinuity,
    side: &Side,
    (fit, bias): &(LocalFit<'_>, LocalFit<'_>),
    nets: &[Vec<f64>],
) -> Level {
    let (p, nu) = (model.order, model.derivative);
    let scale = factorial(nu);
    let rows = fit.rows().max(bias.rows());
    // The bias is this times the coefficient of order p + 1.
    let shift = power_of(fit.bandwidth, p + 1 - nu) * fit.bias_constant(nu);
    let mut own = fit.linear_weights(nu);
    own.resize(rows, 0.0);
    let mut corrected = own.clone();
    for (l, b) in corrected.iter_mut().zip(bias.linear_weights(p + 1)) {
        *l -= shift * b;
    }
    let conventional: Vec<f64> = nets.iter().map(|net| fit.coefficient(nu, net)).collect();
    let biases = nets.iter().map(|net| shift * bias.coefficient(p + 1, net));
    let spread = |weights: &[f64], of: &LocalFit<'_>, order: usize| {
        let parts: Vec<Vec<f64>> = (nets.iter())
            .map(|net| {
                let residuals = of.residuals(net, rows, model);
                (weights.iter().zip(residuals))
                    .map(|(l, r)| scale * l * r)
                    .collect()
            })
            .collect();
        covariance(side, &parts, model.variance, order + 1)
    };
    Level {
        corrected: scale
            * DVector::from_iterator(
                nets.len(),
                conventional
                    .iter()
                    .zip(biases)
                    .map(|(level, bias)| level - bias),
            ),
        conventional: scale * DVector::from_vec(conventional),
        conventional_covariance: spread(&own, fit, p),
        robust_covariance: spread(&corrected, bias, model.bias_order),
    }
}
