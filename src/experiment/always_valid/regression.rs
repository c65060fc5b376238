//! Anytime-valid t tests of a coefficient in a linear model.

use super::mixture::{MixtureBoundary, positive};
use super::track::{ConfidenceLook, Statement, Track, sequence};
use crate::error::{Error, Result};
use crate::inference::{Covariance, Inference};
use crate::regression::OlsFit;
use serde::{Deserialize, Serialize};

/// A confidence sequence of a coefficient δ of the linear model `y = x'β + zδ + ε`, ε ~ N(0, σ²) independent, with β and σ unknown: the t test that
/// may be looked at after any number of rows. It is the invariant likelihood ratio with δ/σ ~ N(0, τ²) under the alternative. With the t
/// statistic of all rows so far, ν residual degrees of freedom, the information `‖z̃‖² = σ̂²/se²` and `r = 1/(1 + τ²‖z̃‖²)`,
///
/// `M = √r {(1 + t²/ν)/(1 + r t²/ν)}^{(ν+1)/2}`, `p = 1/max M`, `δ̂ ± se √{ν (1 − a)/(a − r)}`, `a = (r α²)^{1/(ν+1)}`,
///
/// the whole line while a ≤ r. Adjusting by regressors that explain the outcome before assignment makes it narrower, as it does a t test; the
/// regressors must be the same at all looks. The guarantee is exact for normal errors of one variance; where these differ in variance, give the
/// estimate and its robust standard error to [`EffectSequence`](super::EffectSequence), which is asymptotic.
///
/// | constructor | τ² | meaning |
/// |---|---|---|
/// | [`planned`](Self::planned) | from the first look's regressors alone | narrowest at this many rows |
/// | [`prior_variance`](Self::prior_variance) | given | variance of the effect in units of σ |
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | confidence of the whole sequence | (0, 1) |
/// | `null` | 0 | value that the p-value tests | finite |
///
/// # Errors
/// [`Error::InvalidOption`] for a plan or τ² that is not positive, a covariance other than the classical one, rows fewer than at the look before, negative
/// or infinite statistics, options set after a look; [`Error::UnknownCoefficient`].
///
/// # References
/// Lindon, M., Ham, D. W., Tingley, M. & Bojinov, I. (2022). Anytime-valid linear models and regression adjusted causal inference in randomized
/// experiments. arXiv:2210.08589
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// let mut effect = RegressionSequence::planned("treat", 400)?;
/// for rows in [200, 300, 445] {
///     let keep: Vec<bool> = (0..frame.rows()).map(|i| (i * 7) % 445 < rows).collect();
///     let so_far = frame.filter(&keep)?;
///     let fit = Ols::new("re78 ~ treat + age + educ + re75").covariance(Covariance::Classical).fit(&so_far)?;
///     effect.observe(rows.to_string(), &fit)?;
/// }
/// let set = effect.interval();
/// assert!(set.lower < 0.0 && set.upper > 1_500.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegressionSequence {
    track: Track,
    strength: Strength,
    /// 1/τ², once known.
    precision: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Strength {
    Planned { rows: f64 },
    Prior { variance: f64 },
}

/// What a linear model says of one coefficient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoefficientStatistics {
    /// Rows so far.
    pub rows: u64,
    /// The estimate.
    pub estimate: f64,
    /// Its classical standard error.
    pub std_error: f64,
    /// σ̂, the square root of the residual sum of squares over `residual_df`.
    pub residual_std_error: f64,
    /// Rows less parameters.
    pub residual_df: f64,
}

sequence!(RegressionSequence);

impl RegressionSequence {
    /// Narrowest at this many rows.
    ///
    /// # Errors
    /// See [`RegressionSequence`].
    pub fn planned(coefficient: impl Into<String>, rows: u64) -> Result<Self> {
        positive("planned", rows as f64)?;
        let strength = Strength::Planned { rows: rows as f64 };
        Ok(Self {
            track: Track::new(coefficient),
            strength,
            precision: None,
        })
    }

    /// With the variance of δ/σ under the alternative.
    ///
    /// # Errors
    /// See [`RegressionSequence`].
    pub fn prior_variance(coefficient: impl Into<String>, variance: f64) -> Result<Self> {
        positive("prior_variance", variance)?;
        Ok(Self {
            track: Track::new(coefficient),
            strength: Strength::Prior { variance },
            precision: None,
        })
    }

    /// Takes in a fit with the classical covariance to all rows so far.
    ///
    /// # Errors
    /// See [`RegressionSequence`].
    pub fn observe(&mut self, label: impl Into<String>, fit: &OlsFit) -> Result<ConfidenceLook> {
        check_classical(fit)?;
        let coefficient = fit.coefficient(&self.track.name)?;
        let statistics = fit.statistics();
        self.observe_statistics(
            label,
            CoefficientStatistics {
                rows: statistics.observations as u64,
                estimate: coefficient.estimate,
                std_error: coefficient.std_error,
                residual_std_error: statistics.residual_std_error,
                residual_df: statistics.residual_df,
            },
        )
    }

    /// Takes in the statistics of a fit to all rows so far, made elsewhere.
    ///
    /// # Errors
    /// See [`RegressionSequence`].
    pub fn observe_statistics(
        &mut self,
        label: impl Into<String>,
        statistics: CoefficientStatistics,
    ) -> Result<ConfidenceLook> {
        self.track.check()?;
        self.track.check_total(statistics.rows)?;
        let CoefficientStatistics {
            rows,
            estimate,
            std_error,
            residual_std_error,
            residual_df,
        } = statistics;
        let possible = |v: f64| v >= 0.0 && v.is_finite();
        if !(estimate.is_finite()
            && [std_error, residual_std_error, residual_df]
                .into_iter()
                .all(possible))
        {
            return Err(Error::invalid_option(
                "statistics",
                format!(
                    "estimate {estimate}, standard error {std_error}, residual standard error {residual_std_error}, {residual_df} degrees of freedom"
                ),
                "finite, errors and degrees of freedom zero or more; begin with more rows than parameters",
            ));
        }
        let now = if residual_df > 0.0 && std_error > 0.0 && residual_std_error > 0.0 {
            let information = (residual_std_error / std_error).powi(2);
            self.statement(&statistics, information)?
        } else {
            Statement::nothing(rows, estimate)
        };
        Ok(self.track.record(label.into(), now))
    }

    fn statement(&mut self, of: &CoefficientStatistics, information: f64) -> Result<Statement> {
        let precision = match (self.strength, self.precision) {
            (Strength::Prior { variance }, _) => 1.0 / variance,
            (Strength::Planned { .. }, Some(precision)) => precision,
            (Strength::Planned { rows }, None) => {
                information / of.rows as f64 * MixtureBoundary::best_rho(rows, self.track.alpha())?
            }
        };
        self.precision = Some(precision);
        let r = precision / (precision + information);
        let df = of.residual_df;
        let t = (of.estimate - self.track.null) / of.std_error;
        let square = t * t / df;
        let log_a = (r.ln() + 2.0 * self.track.alpha().ln()) / (df + 1.0);
        let gap = log_a.exp() - r;
        let half = if gap > 0.0 {
            of.std_error * (df * -log_a.exp_m1() / gap).sqrt()
        } else {
            f64::INFINITY
        };
        Ok(Statement {
            rows: of.rows,
            estimate: of.estimate,
            lower: of.estimate - half,
            upper: of.estimate + half,
            log_e_value: 0.5 * r.ln() + 0.5 * (df + 1.0) * (square.ln_1p() - (r * square).ln_1p()),
            p_value: None,
        })
    }

    fn method(&self) -> String {
        match self.strength {
            Strength::Planned { rows } => {
                format!("Invariant likelihood ratio (t), planned for {rows} rows")
            }
            Strength::Prior { variance } => {
                format!(
                    "Invariant likelihood ratio (t), prior variance {variance} in units of the residual variance"
                )
            }
        }
    }
}

/// # Errors
/// `InvalidOption` for a fit with another covariance.
pub(super) fn check_classical(fit: &OlsFit) -> Result<()> {
    if *fit.covariance_kind() == Covariance::Classical {
        return Ok(());
    }
    Err(Error::invalid_option(
        "covariance",
        fit.covariance_kind(),
        "classical, since the exact test assumes one variance: `.with_covariance(Covariance::Classical)`; with a robust one use `EffectSequence`, of several coefficients `JointEffectSequence`",
    ))
}
