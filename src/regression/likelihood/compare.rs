//! Tests of a restricted model against the model it is a special case of.

use super::fit::LikelihoodFit;
use super::model::Order;
use crate::data::DesignColumn;
use crate::error::{Error, Result};
use crate::inference::{Distribution, Inference, TestResult};
use crate::numeric::linalg::Cholesky;
use nalgebra::DVector;
use std::sync::Arc;

/// What the logit of a penalised likelihood is called.
pub(crate) const FIRTH: &str = "Logit (Firth)";

impl LikelihoodFit {
    /// The likelihood-ratio test of a restricted model against this one, `2(ℓ₁ − ℓ₀) ~ χ²(K₁ − K₀)`. Both must be fitted to
    /// the same rows, and the restricted model must be a special case of this one, which the numbers cannot show.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when the two differ in rows or outcome, or only one has a penalised likelihood, or the restricted model is not smaller or has the larger
    /// likelihood.
    pub fn likelihood_ratio_test(&self, restricted: &Self) -> Result<TestResult> {
        self.refuse_not_nested(restricted)?;
        let (large, small) = (self.statistics(), restricted.statistics());
        let statistic = 2.0 * (large.log_likelihood - small.log_likelihood);
        // Rounding of two sums of thousands of terms.
        let noise = 1e-9 * large.log_likelihood.abs().max(1.0);
        if statistic < -noise {
            return Err(Error::invalid_option(
                "restricted model",
                format!("of log-likelihood {:.6}", small.log_likelihood),
                format!(
                    "a special case of this model, whose log-likelihood is smaller ({:.6})",
                    large.log_likelihood
                ),
            ));
        }
        let df = (large.parameters - small.parameters) as f64;
        Ok(TestResult::new(
            format!("likelihood-ratio test of {}", restricted.formula()),
            statistic.max(0.0),
            Distribution::ChiSquared { df },
        ))
    }

    /// The score (Lagrange multiplier) test of a restricted model against this one, `S'I⁻¹S ~ χ²(K₁ − K₀)`, with the score S and
    /// the observed information I of this model at the restricted estimates. The restricted model is this one with some
    /// coefficients zero: its coefficients must be among those of this model.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let frame = datasets::load("nsw")?;
    /// let full = Logit::new("treat ~ age + educ + black").fit(&frame)?;
    /// let restricted = Logit::new("treat ~ age").fit(&frame)?;
    /// let (score, ratio) = (full.score_test(&restricted)?, full.likelihood_ratio_test(&restricted)?);
    /// assert!((score.statistic - ratio.statistic).abs() < 0.1); // they differ in higher order
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`] when the restricted model has a coefficient that this one has not;
    /// [`Error::InvalidOption`] when it is not smaller, has other rows or another outcome, or is a model of another kind (a
    /// Poisson model is not the negative binomial one with some coefficient zero); [`Error::DataNotKept`] after `lean`.
    ///
    /// # References
    /// Rao, C. R. (1948). Large sample tests of statistical hypotheses concerning several parameters. *Mathematical Proceedings
    /// of the Cambridge Philosophical Society* 44(1), 50–57. doi:10.1017/S0305004100023987
    pub fn score_test(&self, restricted: &Self) -> Result<TestResult> {
        self.refuse_not_nested(restricted)?;
        let rows = self.at_maximum("a score test")?;
        if self.title() != restricted.title() {
            return Err(Error::invalid_option(
                "restricted model",
                restricted.title(),
                format!("a {} model too, with fewer regressors", self.title()),
            ));
        }
        let mut at = DVector::zeros(self.names().len());
        for (name, value) in restricted.names().iter().zip(restricted.estimates().iter()) {
            at[self.position(name)?] = *value;
        }
        let point = rows.likelihood.inverse_map() * at;
        let sums = rows.likelihood.pass(point.as_slice(), Order::Hessian, 1);
        let factor = Cholesky::full_rank(&sums.information, "the information of the model")?;
        let statistic = sums.gradient.dot(&factor.solve_vector(&sums.gradient));
        let df = (self.statistics().parameters - restricted.statistics().parameters) as f64;
        Ok(TestResult::new(
            format!("score test of {}", restricted.formula()),
            statistic.max(0.0),
            Distribution::ChiSquared { df },
        ))
    }

    /// Refuses a restricted model that has other rows or as many parameters.
    fn refuse_not_nested(&self, restricted: &Self) -> Result<()> {
        let (large, small) = (self.statistics(), restricted.statistics());
        let same_rows = (large.observations - small.observations).abs() < 0.5;
        if self.differs_in_data(restricted) {
            return Err(Error::invalid_option(
                "restricted model",
                restricted.formula(),
                "fitted to the same outcome on the same rows with the same weights",
            ));
        }
        if is_penalised(self) != is_penalised(restricted) {
            return Err(Error::invalid_option(
                "restricted model",
                restricted.title(),
                format!(
                    "one whose likelihood is penalised or not as that of this one ({}) is",
                    self.title()
                ),
            ));
        }
        if same_rows && small.parameters < large.parameters {
            return Ok(());
        }
        Err(Error::invalid_option(
            "restricted model",
            format!(
                "{} parameters on {} rows",
                small.parameters, small.observations
            ),
            format!(
                "a special case of this model ({} parameters) on the same {} rows",
                large.parameters, large.observations
            ),
        ))
    }

    /// Whether the two are known to differ in rows, weights or outcomes: after `lean` nothing is known.
    pub(super) fn differs_in_data(&self, other: &Self) -> bool {
        let data = |fit: &Self| Some(Arc::clone(fit.parts("its data").ok()?.likelihood.as_ref()?));
        let (Some(own), Some(theirs)) = (data(self), data(other)) else {
            return false;
        };
        let (own, theirs) = (&own.likelihood, &theirs.likelihood);
        let differ =
            |a: &DesignColumn, b: &DesignColumn| a.values(&own.rows) != b.values(&own.rows);
        own.rows != theirs.rows
            || own.weights != theirs.weights
            || own.outcomes.len() != theirs.outcomes.len()
            || own
                .outcomes
                .iter()
                .zip(&theirs.outcomes)
                .any(|(a, b)| differ(a, b))
    }
}

fn is_penalised(fit: &LikelihoodFit) -> bool {
    fit.title() == FIRTH
}
