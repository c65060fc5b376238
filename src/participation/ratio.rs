//! Two linear combinations of coefficients and the set of ratios that they allow.

use crate::error::Result;
use crate::inference::{ConfidenceSet, Inference, fieller};
use nalgebra::{DMatrix, DVector};

/// Two combinations of the coefficients of a fit, with their covariance.
pub(super) struct Pair {
    names: [String; 2],
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
}

impl Pair {
    /// `c'β` and `d'β`.
    pub(super) fn new(fit: &impl Inference, c: &DVector<f64>, d: &DVector<f64>) -> Self {
        let both = DMatrix::from_columns(&[c.clone(), d.clone()]).transpose();
        Self {
            names: ["numerator".to_owned(), "denominator".to_owned()],
            estimates: &both * fit.estimates(),
            covariance: &both * fit.covariance() * both.transpose(),
        }
    }

    /// Fieller's set for the first over the second.
    pub(super) fn fieller(&self, name: &str, level: f64) -> Result<ConfidenceSet> {
        let mut set = fieller(self, &self.names[0], &self.names[1], level)?;
        name.clone_into(&mut set.name);
        Ok(set)
    }
}

impl Inference for Pair {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn estimates(&self) -> &DVector<f64> {
        &self.estimates
    }

    fn covariance(&self) -> &DMatrix<f64> {
        &self.covariance
    }
}
