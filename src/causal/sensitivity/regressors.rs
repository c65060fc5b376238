//! What the regressors of a fit explain of treatment and outcome, from its coefficients and their classical covariance alone.

use crate::error::{Error, Result};
use crate::inference::{Covariance, Inference};
use crate::numeric::linalg::{Cholesky, block};
use crate::regression::OlsFit;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// A regression of the outcome on a treatment and covariates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Regressors {
    pub(super) names: Vec<String>,
    /// Where the treatment stands among them.
    pub(super) treatment: usize,
    pub(super) estimates: DVector<f64>,
    /// `s² (X'X)⁻¹`.
    pub(super) covariance: DMatrix<f64>,
    pub(super) residual_df: f64,
}

/// Partial R² of a group of covariates.
pub(super) struct Explained {
    /// Of the treatment, given the other covariates.
    pub(super) treatment: f64,
    /// Of the outcome, given the treatment and the other covariates.
    pub(super) outcome: f64,
}

impl Inference for Regressors {
    crate::inference::fields::inference_of_fields!();
}

impl Regressors {
    pub(super) fn of(fit: &OlsFit, treatment: &str) -> Result<Self> {
        let at = fit.position(treatment)?;
        let again;
        let classical = if *fit.covariance_kind() == Covariance::Classical {
            fit
        } else {
            again = fit.with_covariance(Covariance::Classical)?;
            &again
        };
        Ok(Self {
            names: fit.names().to_vec(),
            treatment: at,
            estimates: fit.estimates().clone(),
            covariance: Inference::covariance(classical).clone(),
            residual_df: fit.statistics().residual_df,
        })
    }

    /// The regression of the treatment on the covariates needs no second fit: with `A = (X'X)⁻¹` its coefficients are `−A_jd/A_dd`, its residual sum of
    /// squares is `1/A_dd`, and the inverse of its own cross-product is `A_jk − A_jd A_dk/A_dd`.
    ///
    /// # Errors
    /// `UnknownCoefficient` with the nearest name; `InvalidOption` for the treatment, a covariate twice or none.
    pub(super) fn explained(&self, covariates: &[&str]) -> Result<Explained> {
        let mut group = Vec::with_capacity(covariates.len());
        for name in covariates {
            let at = self.position(name)?;
            if at == self.treatment || group.contains(&at) {
                return Err(Error::invalid_option(
                    "covariates",
                    format!("`{name}`, the treatment or named twice"),
                    "covariates of the model other than the treatment, each once",
                ));
            }
            group.push(at);
        }
        if group.is_empty() {
            return Err(Error::invalid_option(
                "covariates",
                "empty",
                "at least one covariate of the model to compare with",
            ));
        }
        let v = &self.covariance;
        let d = self.treatment;
        // All in units of s², which cancels.
        let share = |coefficients: &DVector<f64>, inverse: &DMatrix<f64>, residual: f64| {
            let factor = Cholesky::new(inverse);
            let squares = coefficients.dot(&factor.solve_vector(coefficients));
            squares / (squares + residual)
        };
        let own = DVector::from_fn(group.len(), |i, _| self.estimates[group[i]]);
        let outcome = share(&own, &block(v, &group, &group), self.residual_df);
        let on = DVector::from_fn(group.len(), |i, _| -v[(group[i], d)] / v[(d, d)]);
        let inverse = DMatrix::from_fn(group.len(), group.len(), |i, j| {
            v[(group[i], group[j])] - v[(group[i], d)] * v[(d, group[j])] / v[(d, d)]
        });
        let treatment = share(&on, &inverse, 1.0 / v[(d, d)]);
        Ok(Explained { treatment, outcome })
    }
}
