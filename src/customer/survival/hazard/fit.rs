//! A fitted discrete-time hazard.

use super::super::likelihood::{Core, likelihood_fit};
use super::{Frailty, HazardLink};
use crate::error::{Error, Result, Warning};
use crate::inference::{Distribution, Estimate, Inference, TestResult, coefficient_table};
use crate::numeric::special::chi_squared;
use crate::report::Table;
use serde::{Deserialize, Serialize};

/// A fitted hazard model in discrete time. It answers the verbs of [`Inference`], with the normal as reference.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DiscreteHazardFit {
    pub(super) core: Core,
    pub(super) link: HazardLink,
    pub(super) frailty: Frailty,
    pub(super) has_frailty: bool,
    /// Log-likelihood of the model without frailty.
    pub(super) without_frailty: f64,
    pub(super) basis: Vec<Option<Vec<f64>>>,
    pub(super) slopes: usize,
    /// Whether a customer has more than one event.
    pub(super) repeated: bool,
    pub(super) means: Vec<f64>,
}

likelihood_fit!(DiscreteHazardFit);

impl DiscreteHazardFit {
    /// The link.
    pub fn link(&self) -> HazardLink {
        self.link
    }

    /// How many regressors were kept.
    pub(crate) fn slopes(&self) -> usize {
        self.slopes
    }

    /// Whether a customer has more than one event.
    pub(crate) fn repeated(&self) -> bool {
        self.repeated
    }

    /// The same fit with one warning more.
    pub(crate) fn with_warning(mut self, warning: Warning) -> Self {
        self.core.warnings.push(warning);
        self
    }

    /// Drops the rows; the covariance can then no longer be changed.
    pub fn lean(&self) -> Self {
        Self {
            core: self.core.lean(),
            ..self.clone()
        }
    }

    /// The variance of the frailty by the delta method: of the multiplier of the hazard (gamma), or of the shift of the index
    /// (normal). Zero, without a standard error, when the likelihood is highest without frailty.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a model that was fitted without frailty.
    pub fn frailty_variance(&self) -> Result<Estimate> {
        if self.frailty == Frailty::None {
            return Err(Error::invalid_option("frailty", "none", "gamma or normal"));
        }
        if !self.has_frailty {
            return Ok(Estimate {
                name: "frailty variance".to_owned(),
                estimate: 0.0,
                std_error: f64::NAN,
                degrees_of_freedom: f64::INFINITY,
            });
        }
        let last = self.estimate_at(self.core.names.len() - 1);
        let power = if self.frailty == Frailty::Gamma {
            1.0
        } else {
            2.0
        };
        let variance = (power * last.estimate).exp();
        Ok(Estimate {
            name: "frailty variance".to_owned(),
            estimate: variance,
            std_error: power * variance * last.std_error,
            degrees_of_freedom: f64::INFINITY,
        })
    }

    /// The likelihood-ratio test of no frailty. A variance cannot be negative, so under the hypothesis the statistic is zero half of the
    /// time and χ²(1) otherwise: the p-value is half that of χ²(1) (Self & Liang 1987, doi:10.1080/01621459.1987.10478472).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a model that was fitted without frailty.
    pub fn frailty_test(&self) -> Result<TestResult> {
        if self.frailty == Frailty::None {
            return Err(Error::invalid_option("frailty", "none", "gamma or normal"));
        }
        let statistic =
            (2.0 * (self.core.statistics.log_likelihood - self.without_frailty)).max(0.0);
        let p_value = if statistic > 0.0 {
            0.5 * chi_squared::sf(statistic, 1.0)
        } else {
            1.0
        };
        Ok(TestResult {
            name: "Likelihood-ratio test of no frailty (½ χ²(0) + ½ χ²(1))".to_owned(),
            statistic,
            distribution: Distribution::ChiSquared { df: 1.0 },
            p_value,
        })
    }

    /// The hazard of each period, from 1, of a customer whose columns have these values (columns not named stand at their means) and whose
    /// frailty is that of the middle (1 for gamma, 0 for normal). NaN in a period that was left out.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`]; [`Error::InvalidOption`] for a name that is not a regressor.
    pub fn hazards(&self, columns: &[(&str, f64)]) -> Result<Vec<f64>> {
        let q = self.core.names.len() - self.slopes - usize::from(self.has_frailty);
        let mut x = self.means.clone();
        for (name, value) in columns {
            let at = self
                .position(name)?
                .checked_sub(q)
                .filter(|j| *j < self.slopes);
            let Some(j) = at else {
                return Err(Error::invalid_option("columns", name, "a regressor"));
            };
            x[j] = *value;
        }
        let b = &self.core.estimates;
        let index: f64 = x.iter().enumerate().map(|(j, x)| b[q + j] * x).sum();
        Ok(self
            .basis
            .iter()
            .map(|basis| {
                let Some(basis) = basis else { return f64::NAN };
                let h = index + basis.iter().enumerate().map(|(a, v)| b[a] * v).sum::<f64>();
                match self.link {
                    HazardLink::Cloglog => -(-h.exp()).exp_m1(),
                    HazardLink::Logit => 1.0 / (1.0 + (-h).exp()),
                }
            })
            .collect())
    }

    fn full_table(&self) -> Table {
        let mut further = vec![format!("AIC = {:.2}", self.core.statistics.aic)];
        if let (Ok(variance), Ok(test)) = (self.frailty_variance(), self.frailty_test()) {
            further.push(format!(
                "Frailty: variance {:.4}; {test}",
                variance.estimate
            ));
        }
        self.core.dress(coefficient_table(self), &further)
    }
}
