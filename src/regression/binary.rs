//! Binary outcomes: logit, probit, complementary log-log.

use super::LikelihoodFit;
use super::likelihood::{
    Derivatives, Estimation, Inputs, Likelihood, Options, Order, Quantity, Recession, RowModel,
    likelihood_builder, normal_curvature,
};
use crate::data::{DesignColumn, Formula, Frame, Rows};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The binary logit `P(y = 1 | x) = Λ(x'β) = 1/(1 + e^(−x'β))`, by maximum likelihood.
///
/// β are log odds ratios; they are causal effects only when x is as good as randomly assigned given the other regressors, and
/// even then odds ratios of models with different regressors cannot be compared: report
/// marginal effects. Standard errors are robust unless another [`crate::inference::Covariance`] is asked for.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `covariance` | `Covariance::Hc1` | sampling variance | see [`crate::inference::Covariance`] |
/// | `weights` | none | weights in the log-likelihood | ≥ 0; rows of weight 0 are left out |
/// | `frequency_weights` | none | each row stands for w equal rows | whole numbers |
/// | `offset` | none | a column with coefficient one | finite |
/// | `firth` | off | penalised likelihood | |
///
/// # Errors
/// [`Error::OutOfRange`] for an outcome other than 0 and 1; [`Error::Unidentified`] when all outcomes are equal;
/// [`Error::Separated`] when a combination of regressors tells the outcome of some rows without error; those of the formula
/// and the covariance; [`Error::TooFewRows`], [`Error::NotConverged`], [`Error::Cancelled`].
///
/// # References
/// McFadden, D. (1974). Conditional logit analysis of qualitative choice behavior. In *Frontiers in Econometrics*, 105–142.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// let fit = Logit::new("treat ~ age + educ + black").covariance(Covariance::Classical).fit(&frame)?;
/// assert!(fit.coefficient("age")?.p_value() > 0.05); // the programme was randomised
/// assert!(fit.statistics().mcfadden_r_squared.is_some_and(|r| r < 0.01));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Logit {
    options: Options,
    firth: bool,
}

/// The binary probit `P(y = 1 | x) = Φ(x'β)`, by maximum likelihood. Options and errors are those of [`Logit`].
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// let fit = Probit::new("treat ~ age + educ").fit(&frame)?;
/// assert_eq!(fit.statistics().parameters, 3);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # References
/// Bliss, C. I. (1934). The method of probits. *Science* 79(2037), 38–39. doi:10.1126/science.79.2037.38
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Probit {
    options: Options,
}

/// The complementary log-log model `P(y = 1 | x) = 1 − exp(−e^(x'β))`, by maximum likelihood: the discrete-time form of
/// proportional hazards. Options and errors are those of [`Logit`].
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// let fit = Cloglog::new("treat ~ age + educ").fit(&frame)?;
/// assert_eq!(fit.statistics().parameters, 3);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # References
/// Prentice, R. L. & Gloeckler, L. A. (1978). Regression analysis of grouped survival data with application to breast cancer
/// data. *Biometrics* 34(1), 57–67. doi:10.2307/2529588
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cloglog {
    options: Options,
}

/// What the three differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Link {
    Logit,
    Probit,
    Cloglog,
}

macro_rules! binary_model {
    ($model:ident, $link:expr) => {
        impl $model {
            /// The model of a formula, with robust errors.
            pub fn new(formula: impl Into<Formula>) -> Self {
                Self {
                    options: Options::new(formula.into()),
                }
            }

            fn estimate(&self, frame: &Frame, progress: &Progress) -> Result<LikelihoodFit> {
                estimate(&self.options, $link, frame, progress)
            }
        }

        likelihood_builder!($model);
    };
}

impl Logit {
    /// The model of a formula, with robust errors.
    pub fn new(formula: impl Into<Formula>) -> Self {
        Self {
            options: Options::new(formula.into()),
            firth: false,
        }
    }

    /// Maximises the likelihood times the square root of the information's determinant (Firth 1993): estimates are finite even
    /// when the sample is separated, and less biased when it is small. Wald intervals are rough where the likelihood is skewed,
    /// as it is in a separated sample, and robust errors are far too small there, as its residuals are almost zero: use
    /// [`crate::inference::Covariance::Classical`].
    ///
    /// # References
    /// Firth, D. (1993). Bias reduction of maximum likelihood estimates. *Biometrika* 80(1), 27–38.
    /// doi:10.1093/biomet/80.1.27. Heinze, G. & Schemper, M. (2002). A solution to the problem of separation in logistic
    /// regression. *Statistics in Medicine* 21(16), 2409–2419. doi:10.1002/sim.1047
    pub fn firth(mut self) -> Self {
        self.firth = true;
        self
    }

    fn estimate(&self, frame: &Frame, progress: &Progress) -> Result<LikelihoodFit> {
        if self.firth {
            return super::firth::firth(&self.options, frame, progress);
        }
        estimate(&self.options, Link::Logit, frame, progress)
    }
}

likelihood_builder!(Logit);
binary_model!(Probit, Link::Probit);
binary_model!(Cloglog, Link::Cloglog);

fn estimate(
    options: &Options,
    link: Link,
    frame: &Frame,
    progress: &Progress,
) -> Result<LikelihoodFit> {
    binary_estimation(options, link, frame)?.run(progress)
}

/// The estimation of a binary model.
pub(super) fn binary_estimation<'a>(
    options: &'a Options,
    link: Link,
    frame: &'a Frame,
) -> Result<Estimation<'a>> {
    let mut sample = options.sample(
        frame,
        "without fixed effects for this model: few may be written C(effect), many need ConditionalLogit",
    )?;
    check_binary(&sample.design.outcome, &sample.design.rows)?;
    let index = options.index(frame, &mut sample)?;
    let likelihood = Likelihood {
        model: Arc::new(Binary { link }),
        indices: vec![index],
        outcomes: vec![sample.design.outcome.clone()],
        rows: sample.design.rows.clone(),
        weights: sample.weights.map(Arc::new),
        frequency: sample.frequency,
    };
    Ok(Estimation {
        title: link.title(),
        formulas: vec![options.formula.clone()],
        formula: sample.parsed.to_string(),
        start: vec![0.0; likelihood.parameters()],
        likelihood,
        warnings: sample.warnings,
        covariance: &options.covariance,
        frame,
    })
}

/// Refuses outcomes other than 0 and 1, and outcomes that are all equal.
pub(crate) fn check_binary(outcome: &DesignColumn, rows: &Rows) -> Result<()> {
    let values = outcome.values(rows);
    let mut ones = 0;
    for (i, y) in values.iter().enumerate() {
        let one = (y - 1.0).abs() <= 0.0;
        if !one && y.abs() > 0.0 {
            return Err(Error::OutOfRange {
                column: outcome.name.clone(),
                row: rows.index(i) + 1,
                value: *y,
                expected: "0 or 1 for a binary outcome".to_owned(),
            });
        }
        ones += usize::from(one);
    }
    if ones == 0 || ones == values.len() {
        return Err(Error::Unidentified {
            what: format!("a model of `{}`", outcome.name),
            needs: format!(
                "both outcomes, and all {} rows have {}",
                values.len(),
                usize::from(ones > 0)
            ),
        });
    }
    Ok(())
}

/// The likelihood of a binary outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binary {
    pub(crate) link: Link,
}

impl Link {
    fn title(self) -> &'static str {
        match self {
            Self::Logit => "Logit",
            Self::Probit => "Probit",
            Self::Cloglog => "Complementary log-log",
        }
    }

    /// `P(y = 1)` at an index.
    pub(crate) fn probability(self, index: f64) -> f64 {
        match self {
            Self::Logit => logistic(index),
            Self::Probit => normal::cdf(index),
            Self::Cloglog => -(-index.exp()).exp_m1(),
        }
    }

    /// The log-density of y with its first two derivatives in the index.
    #[inline]
    pub(crate) fn log_density(self, y: f64, index: f64) -> [f64; 3] {
        let one = y > 0.5;
        match self {
            Self::Logit => {
                // ln Λ(z) with z = ±η: −ln(1 + e^(−z)), without overflow on either side.
                let z = if one { index } else { -index };
                let small = (-z.abs()).exp();
                let value = z.min(0.0) - ln_one_plus(small);
                let rest = 1.0 / (1.0 + small);
                let other = if z >= 0.0 { small * rest } else { rest };
                let slope = if one { other } else { -other };
                [value, slope, -small * rest * rest]
            }
            Self::Probit => {
                let z = if one { index } else { -index };
                let mills = normal::inverse_mills(z);
                let slope = if one { mills } else { -mills };
                [normal::ln_cdf(z), slope, -normal_curvature(z, mills)]
            }
            Self::Cloglog => {
                let rate = index.exp();
                if !one {
                    return [-rate, -rate, -rate];
                }
                // ln(1 − e^(−r)), with d/dη = r/(e^r − 1).
                let ratio = match rate {
                    _ if rate <= 0.0 => 1.0,
                    _ if rate < LARGEST_EXPONENT => rate / rate.exp_m1(),
                    _ => 0.0,
                };
                let value = if rate > std::f64::consts::LN_2 {
                    (-(-rate).exp()).ln_1p()
                } else if rate > 0.0 {
                    (-(-rate).exp_m1()).ln()
                } else {
                    index
                };
                [value, ratio, cloglog_curvature(rate, ratio)]
            }
        }
    }
}

/// `ln(1 + x)` for x in [0, 1], to 1e-11 of its value and 1e-16 of one: all that a sum of log-densities can use, at a third of the
/// time of `ln_1p`.
#[inline]
fn ln_one_plus(x: f64) -> f64 {
    const SMALL: f64 = 1e-5;
    if x < SMALL {
        x * (1.0 - x * (0.5 - x / 3.0))
    } else {
        (1.0 + x).ln()
    }
}

/// e to a larger power is infinite.
const LARGEST_EXPONENT: f64 = 709.0;

/// The second derivative `q (1 − r − q)` of ln(1 − e^(−r)) in ln r, with `q = r/(e^r − 1)`; q ≈ 1 − r/2 + r²/12 for small r,
/// where it cancels.
fn cloglog_curvature(rate: f64, ratio: f64) -> f64 {
    const SMALL: f64 = 1e-3;
    if rate < SMALL {
        return ratio * (-rate / 2.0 - rate * rate / 12.0 * (1.0 - rate * rate / 60.0));
    }
    ratio * (1.0 - rate - ratio)
}

/// `1/(1 + e^(−x))` without overflow.
pub(crate) fn logistic(x: f64) -> f64 {
    let small = (-x.abs()).exp();
    if x >= 0.0 {
        1.0 / (1.0 + small)
    } else {
        small / (1.0 + small)
    }
}

impl RowModel for Binary {
    fn evaluate(&self, rows: &Inputs<'_>, _order: Order, out: &mut Derivatives) {
        let (y, eta) = (&rows.outcomes[0], &rows.indices[0]);
        for i in 0..rows.len {
            let [value, slope, curvature] = self.link.log_density(y[i], eta[i]);
            out.value[i] = value;
            out.gradient[0][i] = slope;
            out.hessian[0][i] = curvature;
        }
    }

    fn is_concave(&self) -> bool {
        true
    }

    fn recession(&self, outcome: f64) -> Recession {
        if outcome > 0.5 {
            Recession::Up
        } else {
            Recession::Down
        }
    }

    fn remedy_for_separation(&self) -> &'static str {
        match self.link {
            Link::Logit => {
                "use Logit::firth, whose penalised estimates are finite, or leave the columns out"
            }
            Link::Probit | Link::Cloglog => {
                "leave the columns out; for a single equation, Logit::firth has penalised estimates that are finite"
            }
        }
    }

    fn index_of_mean(&self, mean: f64) -> Option<f64> {
        Some(match self.link {
            Link::Logit => (mean / (1.0 - mean)).ln(),
            Link::Probit => normal::quantile(mean),
            Link::Cloglog => (-(-mean).ln_1p()).ln(),
        })
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        let index = *indices.first()?;
        let one = self.link.probability(index);
        match what {
            Quantity::Linear => Some(index),
            Quantity::Mean => Some(one),
            Quantity::Probability(y) if (y - 1.0).abs() <= 0.0 => Some(one),
            Quantity::Probability(y) if y.abs() <= 0.0 => Some(1.0 - one),
            Quantity::Probability(_) => None,
        }
    }
}
