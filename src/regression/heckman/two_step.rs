//! Heckman's two steps: probit, then least squares with the inverse Mills ratio, and the covariance of both at once.

use super::density::ln_normal;
use super::sample::SelectionSample;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::covariance::{Counts, Covariance};
use crate::inference::fitted::{Fitted, SecondPass};
use crate::inference::{Estimate, Inference};
use crate::numeric::Progress;
use crate::numeric::linalg::{Cholesky, nearest_semidefinite, sandwich};
use crate::regression::binary::{Binary, Link};
use crate::regression::influence::{
    Influence, combine, cross, joint, least_squares, refuse_leverage, working_columns,
};
use crate::regression::likelihood::{Likelihood, maximize};
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// The numbers of both steps in working parameters.
#[derive(Clone, Debug)]
pub(super) struct TwoStep {
    /// (β, λ).
    pub(super) outcome: Vec<f64>,
    /// γ.
    pub(super) selection: Vec<f64>,
    pub(super) sigma: f64,
    /// λ/σ; it may exceed one.
    pub(super) rho: f64,
    /// ℓ of the probit.
    pub(super) probit: f64,
    /// Influences of (β, λ, γ), and of (σ, ρ).
    influence: Influence,
    scales: Influence,
    /// Heckman's covariance of (β, λ, γ).
    heckman: DMatrix<f64>,
    /// Coefficients (β, γ, λ) = map · working parameters (β, λ, γ).
    map: DMatrix<f64>,
}

impl TwoStep {
    pub(super) fn new(sample: &SelectionSample, progress: &Progress) -> Result<Self> {
        let probit = Likelihood {
            model: Arc::new(Binary { link: Link::Probit }),
            indices: vec![sample.selection.clone()],
            outcomes: vec![sample.seen.clone()],
            rows: sample.rows.clone(),
            weights: sample.weights.clone(),
            frequency: sample.frequency,
        };
        let start = vec![0.0; probit.parameters()];
        let first = maximize(&probit, start, "the probit of selection", progress)?;
        let v_gamma =
            Cholesky::full_rank(&first.sums.information, "the information of the probit")?
                .inverse();

        // The first step on all rows.
        let z = working_columns(&sample.selection, &sample.rows);
        let index = combine(&z, &first.point);
        let seen = sample.seen();
        let all_weights = sample.row_weights();
        let keep = |values: &[f64]| -> Vec<f64> {
            let kept = values.iter().zip(&seen).filter(|(_, s)| **s);
            kept.map(|(v, _)| *v).collect()
        };

        // The second step on the seen rows: λ = φ/Φ at z'γ, and δ = λ(λ + z'γ) = −∂λ/∂(z'γ).
        let w = keep(&all_weights);
        let index_seen = keep(&index);
        let ratios: Vec<[f64; 3]> = index_seen.iter().map(|a| ln_normal(*a)).collect();
        let lambda: Vec<f64> = ratios.iter().map(|r| r[1]).collect();
        let delta: Vec<f64> = ratios.iter().map(|r| -r[2]).collect();
        let z_seen: Vec<Vec<f64>> = z.iter().map(|column| keep(column)).collect();
        let mut x = working_columns(&sample.outcome, &sample.seen_rows);
        x.push(lambda.clone());
        let y = sample.y.values(&sample.seen_rows);
        if y.len() <= x.len() {
            return Err(Error::TooFewRows {
                rows: y.len(),
                parameters: x.len(),
            });
        }
        let gram = cross(&x, &w, &x);
        let factor = Cholesky::new(&gram);
        if factor.rank() < x.len() {
            return Err(Error::Unidentified {
                what: "the effect of selection".to_owned(),
                needs: "an inverse Mills ratio that is no linear combination of the regressors: add a variable that moves selection alone"
                    .to_owned(),
            });
        }
        let inverse = factor.inverse();
        let (outcome, e) = least_squares(&x, &w, &y, &inverse);

        let slope = outcome[outcome.len() - 1];
        let total: f64 = w.iter().sum();
        let mean = |values: &dyn Fn(usize) -> f64| -> f64 {
            (0..w.len()).map(|i| w[i] * values(i)).sum::<f64>() / total
        };
        let mean_delta = mean(&|i| delta[i]);
        let variance = mean(&|i| e[i] * e[i]) + slope * slope * mean_delta;
        let sigma = variance.sqrt();
        if !(sigma > 0.0 && sigma.is_finite()) {
            return Err(Error::Unidentified {
                what: "the correlation of the errors of outcome and selection".to_owned(),
                needs: "outcomes that their regressors do not explain to the last digit; are they constant?".to_owned(),
            });
        }
        let rho = slope / sigma;

        // W'ΔZ, by which the error of the first step enters the second.
        let w_delta: Vec<f64> = w.iter().zip(&delta).map(|(w, d)| w * d).collect();
        let bridge = cross(&x, &w_delta, &z_seen);
        let carried = &inverse * &bridge * &v_gamma * slope;
        // The same with the change of the regressor λ itself, whose expectation is zero: robust covariances take the sums as they are.
        let mut exact = &bridge * slope;
        let last = x.len() - 1;
        for (j, column) in z_seen.iter().enumerate() {
            exact[(last, j)] -= (0..w.len())
                .map(|i| w_delta[i] * e[i] * column[i])
                .sum::<f64>();
        }
        let carried_exactly = &inverse * exact * &v_gamma;
        let heckman = {
            let own = &gram * variance - cross(&x, &w_delta, &x) * (slope * slope);
            let from_first = &bridge * &v_gamma * bridge.transpose() * (slope * slope);
            let v_outcome = sandwich(&(own + from_first), &inverse);
            joint(&v_outcome, &carried, &v_gamma)
        };

        // Influences, row by row.
        let (kx, kz) = (x.len(), z.len());
        let mut columns = vec![vec![0.0; sample.rows.len()]; kx + kz];
        let mut scales = vec![vec![0.0; sample.rows.len()]; 2];
        // δ' = λ(1 − δ) − δ(λ + z'γ), for the influence of γ on σ².
        let delta_slope: Vec<f64> = (0..w.len())
            .map(|i| lambda[i] * (1.0 - delta[i]) - delta[i] * (lambda[i] + index_seen[i]))
            .collect();
        let through_gamma = DVector::from_iterator(
            kz,
            z_seen.iter().map(|column| {
                mean(&|i| {
                    (2.0 * slope * e[i] * delta[i] + slope * slope * delta_slope[i]) * column[i]
                })
            }),
        );
        let mut at = 0;
        for (i, s) in seen.iter().enumerate() {
            let sign = if *s { 1.0 } else { -1.0 };
            let score = all_weights[i] * sign * ln_normal(sign * index[i])[1];
            let row = DVector::from_iterator(kz, z.iter().map(|column| column[i] * score));
            let of_gamma = &v_gamma * &row;
            let mut of_outcome = &carried_exactly * &row;
            let mut of_variance = 0.0;
            if *s {
                let own = DVector::from_iterator(kx, x.iter().map(|c| c[at] * w[at] * e[at]));
                of_outcome += &inverse * own;
                let gap = e[at] * e[at] + slope * slope * delta[at] - variance;
                of_variance += w[at] * gap / total;
                at += 1;
            }
            let of_slope = of_outcome[kx - 1];
            of_variance += 2.0 * slope * mean_delta * of_slope + through_gamma.dot(&of_gamma);
            let of_sigma = of_variance / (2.0 * sigma);
            for (j, value) in of_outcome.iter().chain(of_gamma.iter()).enumerate() {
                columns[j][i] = *value;
            }
            scales[0][i] = of_sigma;
            scales[1][i] = (of_slope - rho * of_sigma) / sigma;
        }
        let frequencies = sample.weights.clone().filter(|_| sample.frequency);
        Ok(Self {
            outcome,
            selection: first.point,
            sigma,
            rho,
            probit: first.sums.value,
            influence: Influence::new(columns, frequencies.clone()),
            scales: Influence::new(scales, frequencies),
            heckman,
            map: map(sample),
        })
    }

    /// Names, estimates and covariance; σ and ρ beside them.
    pub(super) fn fitted(
        &self,
        sample: &SelectionSample,
        frame: &Frame,
        kind: &Covariance,
    ) -> Result<(Fitted, [Estimate; 2])> {
        refuse_leverage(kind, "two-step selection model")?;
        let names: Vec<String> = sample
            .outcome
            .names()
            .into_iter()
            .chain(sample.selection.names())
            .chain(["lambda".to_owned()])
            .collect();
        let working: Vec<f64> = self
            .outcome
            .iter()
            .chain(&self.selection)
            .copied()
            .collect();
        let estimates = &self.map * DVector::from_vec(working);
        let classical = matches!(kind, Covariance::Classical);
        let observations = match &sample.weights {
            Some(w) if sample.frequency => w.iter().sum(),
            _ => sample.rows.len() as f64,
        };
        let pass = |source, map| SecondPass {
            source,
            frame,
            rows: &sample.rows,
            counts: Counts {
                observations,
                effects: &[],
                absorbed: &[],
            },
            map,
            asymptotic: true,
        };
        let mut fitted = Fitted::new(names, estimates);
        if classical {
            let (repaired, negative) = nearest_semidefinite(&self.heckman);
            fitted.covariance = sandwich(&repaired, &self.map.transpose());
            fitted.kind = Covariance::Classical;
            fitted.warnings = negative
                .map(|smallest| crate::error::Warning::CovarianceAdjusted { smallest })
                .into_iter()
                .collect();
        } else {
            fitted = fitted.with_covariance(kind.clone(), &pass(&self.influence, &self.map))?;
        }
        let scales = Fitted::new(
            vec!["sigma".to_owned(), "rho".to_owned()],
            DVector::from_vec(vec![self.sigma, self.rho]),
        );
        let identity = DMatrix::identity(2, 2);
        // Heckman gives no error for σ and ρ; the influences do.
        let kind = if classical { &Covariance::Hc0 } else { kind };
        let scales = Scales(scales.with_covariance(kind.clone(), &pass(&self.scales, &identity))?);
        Ok((fitted, [scales.estimate_at(0), scales.estimate_at(1)]))
    }
}

/// σ and ρ as estimates.
struct Scales(Fitted);

impl Inference for Scales {
    fn names(&self) -> &[String] {
        &self.0.names
    }

    fn estimates(&self) -> &DVector<f64> {
        &self.0.estimates
    }

    fn covariance(&self) -> &DMatrix<f64> {
        &self.0.covariance
    }
}

/// From working (β, λ, γ) to coefficients (β, γ, λ).
fn map(sample: &SelectionSample) -> DMatrix<f64> {
    let (kx, kz) = (sample.outcome.parameters(), sample.selection.parameters());
    let mut blocks = DMatrix::zeros(kx + 1 + kz, kx + 1 + kz);
    sample.outcome.fill_map(&mut blocks, 0);
    blocks[(kx, kx)] = 1.0;
    sample.selection.fill_map(&mut blocks, kx + 1);
    let order: Vec<usize> = (0..kx).chain(kx + 1..kx + 1 + kz).chain([kx]).collect();
    blocks.select_rows(&order)
}
