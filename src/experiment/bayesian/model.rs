//! Models of an outcome within an arm, with their priors.

use super::posterior::Posterior;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::experiment::arms::measured;
use crate::experiment::sums::Sums;
use crate::numeric::optimize::{Lbfgs, Objective};
use crate::numeric::special::beta::ln_beta;
use crate::numeric::special::gamma::ln_gamma;
use serde::{Deserialize, Serialize};

/// A normal-inverse-gamma prior: `σ² ~ IG(shape, scale)`, `μ | σ² ~ N(mean, σ²/strength)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NormalPrior {
    /// Prior mean.
    pub mean: f64,
    /// How many observations it is worth.
    pub strength: f64,
    /// Half the prior degrees of freedom of σ².
    pub shape: f64,
    /// Half the prior sum of squares.
    pub scale: f64,
}

impl NormalPrior {
    /// The reference prior `1/σ²`: the posterior of the mean is `x̄ + t(n − 1) s/√n`.
    pub const REFERENCE: Self = Self {
        mean: 0.0,
        strength: 0.0,
        shape: -0.5,
        scale: 0.0,
    };

    fn checked(self) -> Result<()> {
        const REMEDY: &str = "NormalPrior::REFERENCE takes nothing as known, and `scale / shape` is the variance that a proper prior expects";
        if self == Self::REFERENCE {
            return Ok(());
        }
        if !self.mean.is_finite() {
            return Err(Error::invalid_option(
                "mean",
                self.mean,
                format!("finite: the prior mean of outcomes; {REMEDY}"),
            ));
        }
        positive("strength", self.strength, REMEDY)?;
        positive("shape", self.shape, REMEDY)?;
        positive("scale", self.scale, REMEDY)
    }

    /// After data.
    pub(super) fn updated(self, data: Sums) -> Self {
        let strength = self.strength + data.n;
        Self {
            mean: (self.strength * self.mean + data.n * data.mean) / strength,
            strength,
            shape: self.shape + 0.5 * data.n,
            scale: self.scale
                + 0.5 * data.squares
                + 0.5 * self.strength * data.n / strength * (data.mean - self.mean).powi(2),
        }
    }
}

/// How the outcome of one unit is distributed within an arm, and what is believed before the data. Arms are independent a priori. What is compared is the
/// mean outcome of arms.
///
/// | variant | outcome | posterior of the mean |
/// |---|---|---|
/// | `BetaBinomial` | 0 or 1 | Beta(a + successes, b + failures) |
/// | `Normal` | a number | Student's t: centre, scale and degrees of freedom of the updated normal-inverse-gamma law |
/// | `GammaPoisson` | a count, per unit of exposure | Gamma(shape + counts, rate + exposure) |
/// | `ZeroInflatedLogNormal` | zero, or an amount with normal logarithm | of `p exp(μ + σ²/2)`, by quadrature over p and σ² |
///
/// The mean of a log-normal has no posterior mean under any inverse-gamma prior of σ², however much data there are, because of variances that the data all but
/// exclude; the upper 10⁻¹² of the posterior of σ² are therefore left out, and a warning says when that matters.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum BayesianModel {
    /// Conversion.
    BetaBinomial {
        /// Prior successes.
        a: f64,
        /// Prior failures.
        b: f64,
    },
    /// A mean.
    Normal(NormalPrior),
    /// Counts.
    GammaPoisson {
        /// Prior counts.
        shape: f64,
        /// Prior exposure; zero with shape ½ is the prior of Jeffreys.
        rate: f64,
    },
    /// Revenue of customers of whom most buy nothing.
    ZeroInflatedLogNormal {
        /// Prior buyers.
        a: f64,
        /// Prior others.
        b: f64,
        /// Of the logarithms of what buyers spend.
        logs: NormalPrior,
    },
}

impl BayesianModel {
    /// Conversion with a uniform prior.
    pub const fn conversion() -> Self {
        Self::BetaBinomial { a: 1.0, b: 1.0 }
    }

    /// A mean with the reference prior.
    pub const fn mean() -> Self {
        Self::Normal(NormalPrior::REFERENCE)
    }

    /// Counts with the prior of Jeffreys.
    pub const fn count() -> Self {
        Self::GammaPoisson {
            shape: 0.5,
            rate: 0.0,
        }
    }

    /// Revenue with a uniform prior of the share of buyers and the reference prior of logarithms.
    pub const fn revenue() -> Self {
        Self::ZeroInflatedLogNormal {
            a: 1.0,
            b: 1.0,
            logs: NormalPrior::REFERENCE,
        }
    }

    /// Conversion with the prior that past arms have by maximum likelihood: their rates are taken as draws from Beta(a, b). Columns of
    /// successes and of trials, one arm a row.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for successes that are negative or exceed the trials; [`Error::Unidentified`] for fewer than three arms, or rates that vary no more
    /// than chance (the prior then has no spread); those of finding columns.
    pub fn conversion_from_past(past: &Frame, successes: &str, trials: &str) -> Result<Self> {
        let (x, n) = (measured(past, successes)?, measured(past, trials)?);
        counts(
            &x,
            successes,
            |i| x[i] <= n[i] && n[i] > 0.0,
            "between 0 and the trials of the row",
        )?;
        let objective = Marginal(|p: &[f64]| {
            let (a, b) = (p[0].exp(), p[1].exp());
            x.iter()
                .zip(n.iter())
                .map(|(x, n)| ln_beta(a + x, b + n - x) - ln_beta(a, b))
                .sum()
        });
        let rate = x.iter().sum::<f64>() / n.iter().sum::<f64>();
        let [a, b] = objective.best(
            [
                (10.0 * rate).max(0.1).ln(),
                (10.0 * (1.0 - rate)).max(0.1).ln(),
            ],
            x.len(),
        )?;
        Ok(Self::BetaBinomial { a, b })
    }

    /// Counts with the prior that past arms have by maximum likelihood: their rates are taken as draws from Gamma(shape, rate). Columns of
    /// counts and of exposure, one arm a row.
    ///
    /// # Errors
    /// As [`BayesianModel::conversion_from_past`].
    pub fn count_from_past(past: &Frame, counts_column: &str, exposure: &str) -> Result<Self> {
        let (x, t) = (measured(past, counts_column)?, measured(past, exposure)?);
        counts(
            &x,
            counts_column,
            |i| t[i] > 0.0,
            "a count that is not negative, with positive exposure",
        )?;
        let objective = Marginal(|p: &[f64]| {
            let (shape, rate) = (p[0].exp(), p[1].exp());
            (x.iter().zip(t.iter()))
                .map(|(x, t)| {
                    ln_gamma(shape + x) - ln_gamma(shape) + shape * rate.ln()
                        - (shape + x) * (rate + t).ln()
                        + x * t.ln()
                })
                .sum()
        });
        let mean = x.iter().sum::<f64>() / t.iter().sum::<f64>();
        let [shape, rate] = objective.best([5f64.ln(), (5.0 / mean.max(1e-300)).ln()], x.len())?;
        Ok(Self::GammaPoisson { shape, rate })
    }

    pub(super) fn checked(self) -> Result<Self> {
        const SHARES: &str = "`a` and `b` are worth so many successes and failures: 1 and 1 know nothing, and BayesianModel::conversion_from_past fits them to past arms";
        const COUNTS: &str = "`shape` counts in an exposure of `rate`: BayesianModel::count() knows nothing, and BayesianModel::count_from_past fits them to past arms";
        match self {
            Self::BetaBinomial { a, b } => {
                positive("a", a, SHARES)?;
                positive("b", b, SHARES)?;
            }
            Self::Normal(prior) => prior.checked()?,
            Self::GammaPoisson { shape, rate } => {
                positive("shape", shape, COUNTS)?;
                if !(rate >= 0.0 && rate.is_finite()) {
                    return Err(Error::invalid_option(
                        "rate",
                        rate,
                        format!("zero or more, and finite; {COUNTS}"),
                    ));
                }
            }
            Self::ZeroInflatedLogNormal { a, b, logs } => {
                positive("a", a, SHARES)?;
                positive("b", b, SHARES)?;
                logs.checked()?;
            }
        }
        Ok(self)
    }

    /// The posterior of one arm, and a remark.
    pub(super) fn posterior(
        self,
        arm: &str,
        y: &[f64],
        exposure: &[f64],
    ) -> Result<(Posterior, Option<String>)> {
        let sums = Sums::of(y.iter().copied());
        let (n, total) = (sums.n, sums.n * sums.mean);
        Ok(match self {
            Self::BetaBinomial { a, b } => (
                Posterior::Beta {
                    a: a + total,
                    b: b + n - total,
                },
                None,
            ),
            Self::Normal(prior) => {
                let after = prior.updated(sums);
                let scale = (after.scale / (after.shape * after.strength)).sqrt();
                needs(
                    arm,
                    after.shape > 1.0 && scale > 0.0,
                    "four rows whose outcome varies, or a proper prior",
                )?;
                let law = Posterior::T {
                    df: 2.0 * after.shape,
                    centre: after.mean,
                    scale,
                };
                (law, None)
            }
            Self::GammaPoisson { shape, rate } => {
                let law = Posterior::Gamma {
                    shape: shape + total,
                    rate: rate + exposure.iter().sum::<f64>(),
                };
                (law, None)
            }
            Self::ZeroInflatedLogNormal { a, b, logs } => {
                let spent = Sums::of(y.iter().filter(|v| **v > 0.0).map(|v| v.ln()));
                let after = logs.updated(spent);
                needs(
                    arm,
                    after.shape > 1.0 && after.scale > 0.0 && after.strength > 0.0,
                    "four buyers whose spending varies, or a proper prior of logarithms",
                )?;
                let found = Posterior::revenue(a + spent.n, b + n - spent.n, &after)?;
                let mean = found.posterior.mean();
                let moved =
                    (found.wider_mean / mean - 1.0).abs() > 1e-3 || !found.wider_mean.is_finite();
                let remark = moved.then(|| {
                    format!(
                        "`{arm}` has too few buyers ({}) for a mean revenue that does not hang on the bound of the variance of logarithms; \
                         compare shares of buyers, or give a prior",
                        spent.n
                    )
                });
                (found.posterior, remark)
            }
        })
    }
}

/// Refuses a parameter of a prior without mass, with a way out.
fn positive(name: &str, value: f64, remedy: &str) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_option(
        name,
        value,
        format!("above 0 and finite: a prior without mass gives no posterior; {remedy}"),
    ))
}

fn needs(arm: &str, enough: bool, needs: &str) -> Result<()> {
    if enough {
        return Ok(());
    }
    Err(Error::Unidentified {
        what: format!("the posterior of `{arm}`"),
        needs: needs.to_owned(),
    })
}

/// Refuses what are no counts.
fn counts(x: &[f64], column: &str, sound: impl Fn(usize) -> bool, expected: &str) -> Result<()> {
    if let Some(row) = (0..x.len()).find(|i| !(x[*i] >= 0.0 && sound(*i))) {
        return Err(Error::OutOfRange {
            column: column.to_owned(),
            row: row + 1,
            value: x[row],
            expected: expected.to_owned(),
        });
    }
    Ok(())
}

/// A log-likelihood of two logarithms, to be made large.
struct Marginal<F>(F);

impl<F: Fn(&[f64]) -> f64> Objective for Marginal<F> {
    fn value(&self, at: &[f64]) -> f64 {
        -(self.0)(at)
    }
}

impl<F: Fn(&[f64]) -> f64> Marginal<F> {
    fn best(&self, start: [f64; 2], arms: usize) -> Result<[f64; 2]> {
        /// Where a prior worth so many times more is as likely but for this much, there is no spread to speak of.
        const STRONGER: f64 = 100.0;
        const AS_LIKELY: f64 = 1e-3;
        let unidentified = || Error::Unidentified {
            what: "the prior from past arms".to_owned(),
            needs: "at least three arms whose rates differ by more than chance".to_owned(),
        };
        if arms < 3 {
            return Err(unidentified());
        }
        let found = Lbfgs::new().minimize(self, &start)?;
        let parameters = [found.point[0].exp(), found.point[1].exp()];
        let stronger = [
            found.point[0] + STRONGER.ln(),
            found.point[1] + STRONGER.ln(),
        ];
        let worse = self.value(&stronger) - found.value;
        if worse.is_nan() || worse <= AS_LIKELY || !parameters.iter().all(|v| v.is_finite()) {
            return Err(unidentified());
        }
        Ok(parameters)
    }
}
