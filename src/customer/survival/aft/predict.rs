//! Times and survival that an accelerated failure time model predicts.

use super::{AftFit, LN_SCALE};
use crate::error::{Error, Result};
use crate::inference::{Estimate, Inference};
use crate::numeric::linalg::quadratic_form;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The distribution of the time of a customer with given regressors, with delta-method standard errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AftPrediction {
    family: super::AftFamily,
    /// `x'β`.
    index: f64,
    ln_scale: f64,
    /// Covariance of index and ln σ.
    covariance: DMatrix<f64>,
}

impl AftFit {
    /// The prediction for a customer whose columns have these values; columns not named stand at their means.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`].
    pub fn predict(&self, columns: &[(&str, f64)]) -> Result<AftPrediction> {
        let k = self.names().len();
        let mut x = DVector::zeros(k);
        x[0] = 1.0;
        for (j, mean) in self.means.iter().enumerate() {
            x[j + 1] = *mean;
        }
        for (name, value) in columns {
            x[self.position(name)?] = *value;
        }
        let scale = self.family.has_scale();
        if scale && x[k - 1].abs() > 0.0 {
            return Err(Error::invalid_option("columns", LN_SCALE, "a regressor"));
        }
        let estimates = self.estimates();
        let mut map = DMatrix::zeros(2, k);
        map.row_mut(0).copy_from(&x.transpose());
        if scale {
            map[(1, k - 1)] = 1.0;
        }
        Ok(AftPrediction {
            family: self.family,
            index: x.dot(estimates),
            ln_scale: if scale { estimates[k - 1] } else { 0.0 },
            covariance: &map * self.covariance() * map.transpose(),
        })
    }
}

impl AftPrediction {
    /// The time by which the share `p` of such customers has had the event, `exp(x'β + σ F⁻¹(p))`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a share outside (0, 1).
    pub fn quantile(&self, p: f64) -> Result<Estimate> {
        if !(p > 0.0 && p < 1.0) {
            return Err(Error::invalid_option("p", p, "between 0 and 1"));
        }
        let spread = self.ln_scale.exp() * self.family.quantile(p);
        let time = (self.index + spread).exp();
        Ok(self.estimate(format!("quantile {p}"), time, [time, time * spread]))
    }

    /// The median time.
    ///
    /// # Errors
    /// None in practice; see [`AftPrediction::quantile`].
    pub fn median(&self) -> Result<Estimate> {
        self.quantile(0.5)
    }

    /// The share without the event at a time.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a time that is not above zero.
    pub fn survival_at(&self, time: f64) -> Result<Estimate> {
        if time.is_nan() || time <= 0.0 {
            return Err(Error::invalid_option("time", time, "above zero"));
        }
        let sigma = self.ln_scale.exp();
        let z = (time.ln() - self.index) / sigma;
        let [log, slope, _] = self.family.log_survival(z);
        let survival = log.exp();
        let by_z = survival * slope;
        Ok(self.estimate(format!("S({time})"), survival, [-by_z / sigma, -by_z * z]))
    }

    fn estimate(&self, name: String, estimate: f64, gradient: [f64; 2]) -> Estimate {
        let variance = quadratic_form(&self.covariance, &DVector::from_column_slice(&gradient));
        Estimate {
            name,
            estimate,
            std_error: variance.max(0.0).sqrt(),
            degrees_of_freedom: f64::INFINITY,
        }
    }
}
