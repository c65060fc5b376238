//! Ratios of coefficients: two linear combinations, the set of ratios that they allow, and intervals of three kinds.

use super::fieller;
use super::krinsky_robb::KrinskyRobb;
use super::records::{ConfidenceSet, Estimate, Interval};
use super::verbs::Inference;
use crate::error::Result;
use crate::numeric::Seed;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A ratio of coefficients with intervals of three kinds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatioIntervals {
    /// The ratio with its standard error by the delta method.
    pub estimate: Estimate,
    /// The symmetric interval of the delta method.
    pub delta: Interval,
    /// Percentiles over draws of the coefficients.
    pub krinsky_robb: Interval,
    /// Fieller's set, right also when the denominator may be zero.
    pub fieller: ConfidenceSet,
}

impl RatioIntervals {
    /// The ratio `sign · c'β/d'β` with its intervals; `seed` is that of Krinsky and Robb's draws (10 000).
    pub(crate) fn new(
        fit: &impl Inference,
        name: &str,
        sign: f64,
        [c, d]: [&DVector<f64>; 2],
        level: f64,
        seed: impl Into<Seed>,
    ) -> Result<Self> {
        let pair = Pair::new(fit, c, d);
        let names = pair.names.each_ref().map(String::as_str);
        let ratio = |b: &[f64]| sign * b[0] / b[1];
        let estimate = pair.nonlinear(name, &names, ratio)?;
        Ok(Self {
            krinsky_robb: KrinskyRobb::new()
                .seed(seed)
                .interval(&pair, name, &names, ratio, level)?,
            delta: estimate.confidence_interval(level)?,
            fieller: Pair::new(fit, &(c * sign), d).fieller(name, level)?,
            estimate,
        })
    }
}

impl fmt::Display for RatioIntervals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.estimate)?;
        writeln!(f, "delta method: {}", self.delta)?;
        writeln!(f, "Krinsky–Robb: {}", self.krinsky_robb)?;
        write!(f, "Fieller: {}", self.fieller)
    }
}

crate::report::notebook_line!(RatioIntervals);

/// Two combinations of the coefficients of a fit, with their covariance.
pub(crate) struct Pair {
    names: [String; 2],
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    /// Degrees of freedom of the fit at the contrast that the delta method takes for the ratio.
    degrees_of_freedom: f64,
}

impl Pair {
    /// `c'β` and `d'β`.
    pub(crate) fn new(fit: &impl Inference, c: &DVector<f64>, d: &DVector<f64>) -> Self {
        let (top, bottom) = (c.dot(fit.estimates()), d.dot(fit.estimates()));
        let contrast = c - d * (top / bottom);
        let finite = contrast.iter().all(|v| v.is_finite());
        let both = DMatrix::from_columns(&[c.clone(), d.clone()]).transpose();
        Self {
            names: ["numerator".to_owned(), "denominator".to_owned()],
            estimates: &both * fit.estimates(),
            covariance: &both * fit.covariance() * both.transpose(),
            degrees_of_freedom: if finite {
                fit.degrees_of_freedom(&contrast)
            } else {
                f64::INFINITY
            },
        }
    }

    /// Fieller's set for the first over the second.
    pub(crate) fn fieller(&self, name: &str, level: f64) -> Result<ConfidenceSet> {
        let mut set = fieller(self, &self.names[0], &self.names[1], level)?;
        name.clone_into(&mut set.name);
        Ok(set)
    }
}

impl Inference for Pair {
    crate::inference::fields::inference_of_fields!();

    fn degrees_of_freedom(&self, _contrast: &DVector<f64>) -> f64 {
        self.degrees_of_freedom
    }
}
