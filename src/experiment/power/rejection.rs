//! The probability that a test of one estimate rejects, and the options that all such tests share.

use super::planner::Setting;
use crate::error::{Error, Result};
use crate::inference::Alternative;
use crate::numeric::quadrature::gauss_legendre;
use crate::numeric::special::{chi_squared, noncentral, normal, student_t};
use serde::{Deserialize, Serialize};

/// What the test is to show.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Claim {
    /// A difference from zero.
    Difference(Alternative),
    /// An effect better than the margin: above a negative one, below a positive one.
    NotWorse(f64),
    /// An effect between both margins, by two one-sided tests.
    Equivalent(f64, f64),
}

/// Effect, level and claim of a planner.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tested {
    pub(super) effect: Option<f64>,
    pub(super) alpha: f64,
    pub(super) claim: Claim,
}

impl Default for Tested {
    fn default() -> Self {
        Self {
            effect: None,
            alpha: 0.05,
            claim: Claim::Difference(Alternative::TwoSided),
        }
    }
}

/// Standard errors and degrees of freedom of the estimate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Precision {
    /// Standard error that the test uses, under its null hypothesis.
    pub(super) under_null: f64,
    /// Standard deviation of the estimate at the assumed effect.
    pub(super) at_effect: f64,
    /// Degrees of freedom; infinite for a normal test. A t test has one standard error.
    pub(super) df: f64,
}

impl Precision {
    /// One standard error.
    pub(super) fn new(std_error: f64, df: f64) -> Self {
        Self {
            under_null: std_error,
            at_effect: std_error,
            df,
        }
    }
}

impl Tested {
    /// Checks the margins.
    pub(super) fn check(&self) -> Result<()> {
        match self.claim {
            Claim::Difference(_) => Ok(()),
            Claim::NotWorse(margin) if margin.is_finite() && margin.abs() > 0.0 => Ok(()),
            Claim::NotWorse(margin) => Err(Error::invalid_option(
                "non_inferiority margin",
                margin,
                "finite and not zero: negative when more is better, positive when less is; for a margin of zero use `.alternative(…)`",
            )),
            Claim::Equivalent(lower, upper)
                if lower < 0.0 && upper > 0.0 && lower.is_finite() && upper.is_finite() =>
            {
                Ok(())
            }
            Claim::Equivalent(lower, upper) => Err(Error::invalid_option(
                "equivalence margins",
                format!("{lower}, {upper}"),
                "finite, the first below zero and the second above",
            )),
        }
    }

    /// Fills in where the null hypothesis is and on which side effects are.
    pub(super) fn place(&self, mut setting: Setting) -> Setting {
        let of_sign = |x: f64| if x < 0.0 { -1.0 } else { 1.0 };
        (setting.null, setting.direction) = match self.claim {
            Claim::Difference(Alternative::TwoSided) => (0.0, of_sign(self.effect.unwrap_or(1.0))),
            Claim::Difference(Alternative::Greater) => (0.0, 1.0),
            Claim::Difference(Alternative::Less) => (0.0, -1.0),
            Claim::NotWorse(margin) => (margin, -of_sign(margin)),
            Claim::Equivalent(..) => (0.0, 0.0),
        };
        setting.assume(
            "Claim",
            match self.claim {
                Claim::Difference(Alternative::TwoSided) => "two-sided".to_owned(),
                Claim::Difference(Alternative::Greater) => "the effect is above zero".to_owned(),
                Claim::Difference(Alternative::Less) => "the effect is below zero".to_owned(),
                Claim::NotWorse(margin) if margin < 0.0 => {
                    format!("not inferior: the effect is above {margin} (one-sided)")
                }
                Claim::NotWorse(margin) => {
                    format!("not inferior: the effect is below {margin} (one-sided)")
                }
                Claim::Equivalent(lower, upper) => {
                    format!("equivalent: the effect is between {lower} and {upper} (two one-sided tests)")
                }
            },
        )
    }

    /// The probability of rejecting at `effect`.
    pub(super) fn power(&self, effect: f64, precision: Precision) -> Result<f64> {
        let Precision { df, .. } = precision;
        let one_sided = |effect: f64| above(effect, self.alpha, precision);
        let power = match self.claim {
            Claim::Difference(Alternative::TwoSided) => {
                above(effect, 0.5 * self.alpha, precision)
                    + above(-effect, 0.5 * self.alpha, precision)
            }
            Claim::Difference(Alternative::Greater) => one_sided(effect),
            Claim::Difference(Alternative::Less) => one_sided(-effect),
            Claim::NotWorse(margin) if margin < 0.0 => one_sided(effect - margin),
            Claim::NotWorse(margin) => one_sided(margin - effect),
            Claim::Equivalent(lower, upper) => {
                between(effect, lower, upper, self.alpha, precision)?
            }
        };
        if power.is_finite() {
            return Ok(power.min(1.0));
        }
        Err(Error::NotFinite {
            what: format!("the power at effect {effect} with {df} degrees of freedom"),
        })
    }
}

/// P(estimate/standard error > critical value): non-central t, or normal with its two standard errors.
fn above(effect: f64, alpha: f64, precision: Precision) -> f64 {
    let Precision {
        under_null,
        at_effect,
        df,
    } = precision;
    if df.is_infinite() {
        let critical = normal::upper_quantile(alpha);
        return normal::sf((critical * under_null - effect) / at_effect);
    }
    noncentral::t_sf(student_t::upper_quantile(alpha, df), df, effect / at_effect)
}

/// P(both one-sided tests reject). Given the scale s of the standard error the estimate must lie between `lower + t s se` and
/// `upper − t s se`; the expectation over s² ~ χ²(df)/df is the difference of two of Owen's Q functions.
fn between(effect: f64, lower: f64, upper: f64, alpha: f64, precision: Precision) -> Result<f64> {
    /// Probability left out at either end of the distribution of the scale.
    const TAIL: f64 = 1e-16;
    const PANELS: usize = 16;
    const NODES: usize = 16;
    let Precision { at_effect, df, .. } = precision;
    let (a, b) = ((lower - effect) / at_effect, (upper - effect) / at_effect);
    if df.is_infinite() {
        let critical = normal::upper_quantile(alpha) * precision.under_null / at_effect;
        return Ok((normal::cdf(b - critical) - normal::cdf(a + critical)).max(0.0));
    }
    let critical = student_t::upper_quantile(alpha, df);
    let from = (chi_squared::quantile(TAIL, df) / df).sqrt();
    // Beyond this scale no estimate passes both tests.
    let to = (chi_squared::upper_quantile(TAIL, df) / df)
        .sqrt()
        .min((b - a) / (2.0 * critical));
    if to <= from {
        return Ok(0.0);
    }
    let width = (to - from) / PANELS as f64;
    let mut total = 0.0;
    for panel in 0..PANELS {
        let start = from + width * panel as f64;
        let rule = gauss_legendre(NODES, start, start + width)?;
        for (s, w) in rule.nodes().iter().zip(rule.weights()) {
            let density = chi_squared::pdf(df * s * s, df) * 2.0 * df * s;
            let pass = normal::cdf(b - critical * s) - normal::cdf(a + critical * s);
            total += w * density * pass.max(0.0);
        }
    }
    Ok(total)
}

/// Refuses a number that is not positive and finite.
pub(super) fn positive(option: &str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_option(option, value, "positive and finite"))
}

/// Refuses a share that explains all or nothing possible.
pub(super) fn r_squared(option: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid_option(
        option,
        value,
        "at least 0 and below 1: the share of the variance that covariates explain",
    ))
}

/// Refuses shares that are not positive or do not sum to one.
pub(super) fn shares(option: &str, values: &[f64]) -> Result<()> {
    /// Shares are written with few digits.
    const SLACK: f64 = 1e-9;
    let sum: f64 = values.iter().sum();
    if values.iter().all(|s| *s > 0.0) && (sum - 1.0).abs() <= SLACK {
        return Ok(());
    }
    Err(Error::invalid_option(
        option,
        format!("{values:?} with sum {sum}"),
        "positive numbers that sum to 1",
    ))
}

/// Builder methods of a planner with a field `tested`.
macro_rules! tested {
    ($type:ty) => {
        impl $type {
            /// Sets the effect that power and sample size are for.
            pub fn effect(mut self, effect: f64) -> Self {
                self.tested.effect = Some(effect);
                self
            }

            /// Sets the level of the test (default 0.05).
            pub fn alpha(mut self, alpha: f64) -> Self {
                self.tested.alpha = alpha;
                self
            }

            /// Sets the side of the test (default two-sided).
            pub fn alternative(mut self, alternative: $crate::inference::Alternative) -> Self {
                self.tested.claim =
                    $crate::experiment::power::rejection::Claim::Difference(alternative);
                self
            }
        }
    };
}
pub(super) use tested;

/// Builder methods of a planner whose test can also show that an effect is not inferior or equivalent.
macro_rules! margins {
    ($type:ty) => {
        impl $type {
            /// Tests that the effect is better than this margin, by one one-sided test at `alpha` (0.025 fits a two-sided 95 %
            /// interval). A negative margin is a tolerated loss when more is better, a positive one when less is.
            pub fn non_inferiority(mut self, margin: f64) -> Self {
                self.tested.claim = $crate::experiment::power::rejection::Claim::NotWorse(margin);
                self
            }

            /// Tests that the effect lies between two margins, by two one-sided tests at `alpha` each (TOST, Schuirmann 1987).
            pub fn equivalence(mut self, lower: f64, upper: f64) -> Self {
                self.tested.claim =
                    $crate::experiment::power::rejection::Claim::Equivalent(lower, upper);
                self
            }
        }
    };
}
pub(super) use margins;

/// The three required methods of `Planner` that read the field `tested`.
macro_rules! planned {
    () => {
        fn alpha_level(&self) -> f64 {
            self.tested.alpha
        }

        fn assumed_effect(&self) -> Option<f64> {
            self.tested.effect
        }

        fn assuming(&self, effect: f64) -> Self {
            let mut other = self.clone();
            other.tested.effect = Some(effect);
            other
        }
    };
}
pub(super) use planned;
