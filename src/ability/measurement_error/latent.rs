//! The distribution of the true score given regressors, from scores with error of known size.

use super::measured::{MeasurementError, variance};
use crate::error::{Error, Result};
use crate::numeric::linalg::{Cholesky, sandwich};
use nalgebra::{DMatrix, DVector};

/// Iterations at most; each gains about a digit at worst.
const MOST_ITERATIONS: usize = 500;

/// Relative change of the variance at which the iteration has ended.
const TOLERANCE: f64 = 1e-13;

/// `s_i = x_i'γ + ζ_i + u_i`, `ζ ~ (0, σ²)`, `u_i ~ (0, v_i)`, by normal quasi-maximum likelihood.
///
/// With known v_i the parameters ψ are (γ, σ²) and solve `Σ w x r = 0` and `Σ (w² r² − w) = 0` with `r = s − x'γ`,
/// `w = 1/(σ² + v)`. With a known reliability ρ they are (γ, τ, S): γ by least squares, τ = mean r², S = Var(s), and
/// `v = (1 − ρ) S`, `σ² = τ − v`. Covariances of ψ are sandwiches, which do not need normality.
#[derive(Clone, Debug)]
pub(super) struct Latent {
    pub(super) psi: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
    reliability: Option<f64>,
    variances: Vec<f64>,
}

/// The true score given what is known of a person.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posterior {
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Latent {
    /// Estimates the distribution.
    ///
    /// # Errors
    /// [`Error::Unidentified`] when the scores vary no more than their errors do; [`Error::TooFewRows`].
    pub(super) fn fit(
        scores: &[f64],
        variances: &[f64],
        error: &MeasurementError,
        x: &DMatrix<f64>,
    ) -> Result<Self> {
        let (n, k) = x.shape();
        if n <= k + 1 {
            return Err(Error::TooFewRows {
                rows: n,
                parameters: k + 1,
            });
        }
        let s = DVector::from_column_slice(scores);
        match error {
            MeasurementError::Reliability(r) => Self::from_reliability(&s, variances, *r, x),
            _ => Self::from_variances(&s, variances, x),
        }
    }

    fn from_variances(s: &DVector<f64>, v: &[f64], x: &DMatrix<f64>) -> Result<Self> {
        let (n, k) = x.shape();
        let ones = vec![1.0; n];
        let mut gamma = weighted(x, &ones, s)?;
        let spread = (s - x * &gamma).norm_squared() / n as f64;
        let mean_error = v.iter().sum::<f64>() / n as f64;
        // Below this share of the residual variance the true score does not vary.
        let least = spread * f64::EPSILON.sqrt();
        let mut sigma = (spread - mean_error).max(least);
        let mut weights = vec![0.0; n];
        let (mut change, mut done) = (f64::INFINITY, 0);
        while change > TOLERANCE && done < MOST_ITERATIONS {
            for (w, v) in weights.iter_mut().zip(v) {
                *w = 1.0 / (sigma + v);
            }
            gamma = weighted(x, &weights, s)?;
            let r = s - x * &gamma;
            let (mut top, mut bottom) = (0.0, 0.0);
            for i in 0..n {
                let square = weights[i] * weights[i];
                top += square * (r[i] * r[i] - v[i]);
                bottom += square;
            }
            let next = top / bottom;
            if next.is_nan() {
                return Err(Error::NotFinite {
                    what: "the variance of the true scores".to_owned(),
                });
            }
            // A negative step is halved: at the lower bound the score says whether the maximum lies there.
            let next = if next > least { next } else { sigma / 2.0 };
            change = (next / sigma - 1.0).abs();
            sigma = next;
            done += 1;
            if sigma <= least {
                return Err(nothing_true(spread, mean_error));
            }
        }
        if change > TOLERANCE.sqrt() {
            return Err(Error::NotConverged {
                what: "the distribution of the true scores".to_owned(),
                iterations: done,
                criterion: change,
                tolerance: TOLERANCE,
                remedy: "look for a few scores with much smaller standard errors than the others"
                    .to_owned(),
            });
        }
        let r = s - x * &gamma;
        let bread = inverse_gram(x, &weights)?;
        let curvature = 0.5 * weights.iter().map(|w| w * w).sum::<f64>();
        let mut influence = DMatrix::zeros(n, k + 1);
        for i in 0..n {
            let w = weights[i];
            let effect = &bread * x.row(i).transpose() * (w * r[i]);
            influence
                .view_mut((i, 0), (1, k))
                .copy_from(&effect.transpose());
            influence[(i, k)] = 0.5 * ((w * r[i]).powi(2) - w) / curvature;
        }
        Ok(Self {
            psi: gamma.push(sigma),
            covariance: influence.tr_mul(&influence),
            reliability: None,
            variances: v.to_vec(),
        })
    }

    fn from_reliability(
        s: &DVector<f64>,
        v: &[f64],
        reliability: f64,
        x: &DMatrix<f64>,
    ) -> Result<Self> {
        let (n, k) = x.shape();
        let ones = vec![1.0; n];
        let gamma = weighted(x, &ones, s)?;
        let r = s - x * &gamma;
        let tau = r.norm_squared() / n as f64;
        let total = variance(s.as_slice());
        let error = (1.0 - reliability) * total;
        if tau - error <= tau * f64::EPSILON.sqrt() {
            return Err(nothing_true(tau, error));
        }
        let bread = inverse_gram(x, &ones)?;
        let mean = s.mean();
        let mut influence = DMatrix::zeros(n, k + 2);
        for i in 0..n {
            let effect = &bread * x.row(i).transpose() * r[i];
            influence
                .view_mut((i, 0), (1, k))
                .copy_from(&effect.transpose());
            influence[(i, k)] = (r[i] * r[i] - tau) / n as f64;
            influence[(i, k + 1)] = ((s[i] - mean).powi(2) - total) / n as f64;
        }
        Ok(Self {
            psi: gamma.push(tau).push(total),
            covariance: influence.tr_mul(&influence),
            reliability: Some(reliability),
            variances: v.to_vec(),
        })
    }

    /// Coefficients of the regressors.
    pub(super) fn coefficients(&self) -> &[f64] {
        &self.psi.as_slice()[..self.regressors()]
    }

    fn regressors(&self) -> usize {
        self.psi.len() - 1 - usize::from(self.reliability.is_some())
    }

    /// σ² and the error variance of a row at ψ.
    fn parts(&self, psi: &[f64], row: usize) -> (f64, f64) {
        let k = self.regressors();
        match self.reliability {
            None => (psi[k], self.variances[row]),
            Some(r) => {
                let error = (1.0 - r) * psi[k + 1];
                (psi[k] - error, error)
            }
        }
    }

    /// The variance of the true score given the regressors.
    pub(super) fn residual_variance(&self, psi: &[f64]) -> f64 {
        self.parts(psi, 0).0
    }

    /// True scores given score and regressors: `E[a] = x'γ + λ(s − x'γ)` with `λ = σ²/(σ² + v)`, and `Var(a) = λ v`.
    pub(super) fn posterior(
        &self,
        psi: &[f64],
        scores: &[f64],
        x: &DMatrix<f64>,
    ) -> Vec<Posterior> {
        let gamma = DVector::from_column_slice(&psi[..self.regressors()]);
        let fitted = x * gamma;
        let each = scores.iter().zip(fitted.iter()).enumerate();
        each.map(|(i, (s, fitted))| {
            let (sigma, error) = self.parts(psi, i);
            let share = sigma / (sigma + error);
            Posterior {
                mean: fitted + share * (s - fitted),
                variance: share * error,
            }
        })
        .collect()
    }

    /// The factor by which least squares on the scores shrinks the coefficient of the true score: `σ²/(σ² + mean v)`.
    pub(super) fn attenuation(&self, psi: &[f64]) -> f64 {
        let n = self.variances.len();
        let mean = (0..n).map(|i| self.parts(psi, i).1).sum::<f64>() / n as f64;
        let sigma = self.residual_variance(psi);
        sigma / (sigma + mean)
    }

    /// The standard error of a smooth function of ψ.
    pub(super) fn std_error(&self, function: impl Fn(&[f64]) -> f64) -> Result<f64> {
        let slope = crate::numeric::derivative::gradient(function, self.psi.as_slice())?;
        let slope = DMatrix::from_row_slice(1, slope.len(), &slope);
        Ok(sandwich(&self.covariance, &slope.transpose())[(0, 0)]
            .max(0.0)
            .sqrt())
    }
}

fn nothing_true(spread: f64, error: f64) -> Error {
    Error::Unidentified {
        what: "the variance of the true scores given the other regressors".to_owned(),
        needs: format!(
            "scores that vary more than their measurement errors: they vary by {spread:.4} given the other regressors, and the mean error variance is {error:.4}"
        ),
    }
}

/// Weighted least squares.
fn weighted(x: &DMatrix<f64>, weights: &[f64], y: &DVector<f64>) -> Result<DVector<f64>> {
    let scaled = scale_rows(x, weights);
    let factor = Cholesky::full_rank(&scaled.tr_mul(x), "the regressors' cross-product")?;
    Ok(factor.solve_vector(&scaled.tr_mul(y)))
}

fn inverse_gram(x: &DMatrix<f64>, weights: &[f64]) -> Result<DMatrix<f64>> {
    let gram = scale_rows(x, weights).tr_mul(x);
    Ok(Cholesky::full_rank(&gram, "the regressors' cross-product")?.inverse())
}

fn scale_rows(x: &DMatrix<f64>, weights: &[f64]) -> DMatrix<f64> {
    let mut out = x.clone();
    for (mut row, w) in out.row_iter_mut().zip(weights) {
        row *= *w;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ones(n: usize) -> DMatrix<f64> {
        DMatrix::from_element(n, 1, 1.0)
    }

    #[test]
    fn equal_errors_are_taken_off_the_variance() {
        let s = [0.3, -1.2, 2.0, 0.9, -0.4, 1.7, -2.2, 0.1];
        let v = vec![0.25; 8];
        let latent = Latent::fit(&s, &v, &MeasurementError::Variance(0.25), &ones(8)).unwrap();
        assert!((latent.psi[1] - (variance(&s) - 0.25)).abs() < 1e-12);
        let reliability = 1.0 - 0.25 / variance(&s);
        let error = MeasurementError::Reliability(reliability);
        let same = Latent::fit(&s, &v, &error, &ones(8)).unwrap();
        let psi = latent.psi.as_slice();
        assert!((latent.attenuation(psi) - reliability).abs() < 1e-12);
        assert!((same.attenuation(same.psi.as_slice()) - reliability).abs() < 1e-12);
        // With the reliability known and no other regressor, the factor is known: it has no error.
        let known = same.std_error(|p| same.attenuation(p)).unwrap();
        assert!(known < 1e-9, "{known}");
        let sums = latent.posterior(psi, &s, &ones(8));
        assert!((sums[0].variance - 0.25 * reliability).abs() < 1e-12);
    }

    #[test]
    fn scores_of_error_alone_are_refused() {
        let s = [0.3, -0.2, 0.1, 0.4, -0.4, 0.2];
        for error in [
            MeasurementError::Variance(0.5),
            MeasurementError::Reliability(1e-9),
        ] {
            let found = Latent::fit(&s, &[0.5; 6], &error, &ones(6));
            assert!(
                matches!(found, Err(Error::Unidentified { .. })),
                "{found:?}"
            );
        }
    }
}
