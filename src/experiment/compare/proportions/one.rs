//! One proportion: intervals and tests.

use super::super::discrete::Masses;
use super::super::location::{Location, critical, tail};
use super::super::result::{
    Comparison, ComparisonArm, ComparisonEffect, ComparisonTest, NullDistribution,
};
use super::super::sample::{Options, sided, successes};
use super::open_within;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::{Alternative, Segment, check_level};
use crate::numeric::optimize::brent_root;
use crate::numeric::special::beta;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An interval for one proportion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProportionInterval {
    /// The proportions that the score test does not reject (Wilson 1927; default).
    #[default]
    Wilson,
    /// The proportions that neither one-sided exact test rejects: covers at least as often as asked (Clopper & Pearson 1934).
    ClopperPearson,
    /// Wald's around Wilson's centre (Agresti & Coull 1998).
    AgrestiCoull,
    /// Quantiles of the posterior under Jeffreys' prior Beta(½, ½).
    Jeffreys,
    /// Clopper and Pearson's with the observed value counted half: about the level asked (Lancaster 1949).
    MidP,
    /// `p̂ ± z √(p̂q̂/n)`, cut at 0 and 1: covers too rarely.
    Wald,
}

impl fmt::Display for ProportionInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wilson => "Wilson",
            Self::ClopperPearson => "Clopper–Pearson",
            Self::AgrestiCoull => "Agresti–Coull",
            Self::Jeffreys => "Jeffreys",
            Self::MidP => "mid-p",
            Self::Wald => "Wald",
        })
    }
}

impl ProportionInterval {
    /// Both ends at the critical value `z`, with this probability beyond each.
    pub(in super::super) fn segment(self, x: u64, n: u64, z: f64, tail: f64) -> Result<Segment> {
        let (k, m) = (x as f64, n as f64);
        let wald = |p: f64, m: f64| {
            let half = z * (p * (1.0 - p) / m).sqrt();
            Segment {
                lower: (p - half).max(0.0),
                upper: (p + half).min(1.0),
            }
        };
        Ok(match self {
            Self::Wilson => wilson(x, n, z),
            Self::Wald => wald(k / m, m),
            Self::AgrestiCoull => {
                let trials = m + z * z;
                wald((k + z * z / 2.0) / trials, trials)
            }
            Self::ClopperPearson => Segment {
                lower: if x == 0 {
                    0.0
                } else {
                    beta::quantile(k, m - k + 1.0, tail)
                },
                upper: if x == n {
                    1.0
                } else {
                    beta::upper_quantile(k + 1.0, m - k, tail)
                },
            },
            Self::Jeffreys => Segment {
                lower: beta::quantile(k + 0.5, m - k + 0.5, tail),
                upper: beta::upper_quantile(k + 0.5, m - k + 0.5, tail),
            },
            Self::MidP => {
                // P(X ≥ j) = I_p(j, n − j + 1), for the observed number and the next.
                let at_least = |j: f64, p: f64| match () {
                    () if j <= 0.0 => 1.0,
                    () if j > m => 0.0,
                    () => beta::regularized(j, m - j + 1.0, p),
                };
                let above = |p: f64| f64::midpoint(at_least(k, p), at_least(k + 1.0, p));
                let at = |target: f64| -> Result<f64> {
                    Ok(brent_root(|p| above(p) - target, 0.0, 1.0, 0.0)?.point)
                };
                Segment {
                    lower: if x == 0 { 0.0 } else { at(tail)? },
                    upper: if x == n { 1.0 } else { at(1.0 - tail)? },
                }
            }
        })
    }
}

/// `(p̂ + z²/2n ± z √(p̂q̂/n + z²/4n²)) / (1 + z²/n)`; an end at 0 or 1 is exact when the proportion is.
pub(super) fn wilson(x: u64, n: u64, z: f64) -> Segment {
    let (p, m) = (x as f64 / n as f64, n as f64);
    let z2 = z * z / m;
    let half = (p * (1.0 - p) * z2 + z2 * z2 / 4.0).sqrt();
    Segment {
        lower: if x == 0 {
            0.0
        } else {
            (p + z2 / 2.0 - half) / (1.0 + z2)
        },
        upper: if x == n {
            1.0
        } else {
            (p + z2 / 2.0 + half) / (1.0 + z2)
        },
    }
}

/// A test of one proportion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OneProportionTest {
    /// The exact binomial test; two-sided it counts all numbers that are no likelier (default).
    #[default]
    Exact,
    /// The exact test with the observed number counted half; two-sided it is twice the smaller tail.
    MidP,
    /// z over the standard error under the null hypothesis.
    Score,
}

impl fmt::Display for OneProportionTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "binomial test",
            Self::MidP => "mid-p binomial test",
            Self::Score => "score test",
        })
    }
}

/// The proportion of successes in one sample, with an interval, and whether it is a given one.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `interval` | Wilson | the interval | see [`ProportionInterval`] |
/// | `null` | ½ | the proportion under the null hypothesis | (0, 1) |
/// | `test` | exact | the test | see [`OneProportionTest`] |
/// | `alternative` | two-sided | side of test and interval | see [`Alternative`] |
/// | `level` | 0.95 | confidence | (0, 1) |
///
/// ```
/// use cocreate::prelude::*;
/// let fit = OneProportion::default().null(0.1).counts(15, 100)?;
/// let share = fit.effect("proportion")?;
/// assert!((share.lower() - 0.0931).abs() < 1e-4 && (share.upper() - 0.2328).abs() < 1e-4);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::ColumnNotFound`], [`Error::WrongKind`]; [`Error::OutOfRange`] for an outcome that is neither 0 nor 1; [`Error::NoRows`];
/// [`Error::InvalidOption`].
///
/// # References
/// Brown, Cai & DasGupta (2001), doi:10.1214/ss/1009213286.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OneProportion {
    options: Options,
    interval: ProportionInterval,
    test: OneProportionTest,
    null: f64,
}

impl OneProportion {
    /// The proportion of a column.
    pub fn new(outcome: impl Into<String>) -> Self {
        Self {
            options: Options::new(outcome, ""),
            interval: ProportionInterval::default(),
            test: OneProportionTest::default(),
            null: 0.5,
        }
    }

    /// The interval.
    pub fn interval(mut self, interval: ProportionInterval) -> Self {
        self.interval = interval;
        self
    }

    /// The test.
    pub fn test(mut self, test: OneProportionTest) -> Self {
        self.test = test;
        self
    }

    /// The proportion under the null hypothesis.
    pub fn null(mut self, proportion: f64) -> Self {
        self.null = proportion;
        self
    }

    /// From a column of 0 and 1, or a flag.
    ///
    /// # Errors
    /// See [`OneProportion`].
    pub fn fit(&self, frame: &Frame) -> Result<Comparison> {
        let column = frame.numeric(&self.options.outcome)?;
        let known = column.values().iter().filter(|v| !v.is_nan());
        let values: Vec<f64> = known.copied().collect();
        let x = successes(&self.options.outcome, &values)?;
        let mut warnings = Vec::new();
        if column.missing() > 0 {
            warnings.push(Warning::RowsDropped {
                dropped: column.missing(),
                missing: vec![(self.options.outcome.clone(), column.missing())],
            });
        }
        self.report(x, values.len() as u64, warnings)
    }

    /// From the numbers of successes and trials.
    ///
    /// # Errors
    /// See [`OneProportion`].
    pub fn counts(&self, successes: u64, trials: u64) -> Result<Comparison> {
        self.report(successes, trials, Vec::new())
    }

    fn report(&self, x: u64, n: u64, warnings: Vec<Warning>) -> Result<Comparison> {
        let (level, alternative) = (self.options.level, self.options.alternative);
        check_level(level)?;
        if n == 0 {
            return Err(Error::NoRows {
                reason: format!("`{}` has no outcome", self.options.outcome),
            });
        }
        if x > n {
            return Err(Error::invalid_option(
                "successes",
                x,
                format!("no more than the {n} trials"),
            ));
        }
        if !(self.null > 0.0 && self.null < 1.0) {
            return Err(Error::invalid_option("null", self.null, "between 0 and 1"));
        }
        let share = x as f64 / n as f64;
        let name = self.test.to_string();
        let exactly = |p_value: f64| ComparisonTest {
            name: name.clone(),
            statistic: x as f64,
            distribution: NullDistribution::Exact,
            alternative,
            p_value,
        };
        let law = || Masses::binomial(n, self.null);
        let test = match self.test {
            OneProportionTest::Exact => exactly(law().p_value(x, alternative)),
            OneProportionTest::MidP => exactly(law().mid_p(x, alternative)),
            OneProportionTest::Score => Location {
                estimate: share,
                std_error: (self.null * (1.0 - self.null) / n as f64).sqrt(),
                df: f64::INFINITY,
            }
            .test(&name, self.null, alternative),
        };
        let z = critical(level, alternative, f64::INFINITY);
        let segment = self.interval.segment(x, n, z, tail(level, alternative))?;
        let segments = vec![open_within(segment, alternative, [0.0, 1.0])];
        Ok(Comparison {
            title: format!("Proportion of {}", self.options.outcome),
            location: "Proportion".to_owned(),
            arms: vec![ComparisonArm {
                name: self.options.outcome.clone(),
                rows: n,
                location: share,
            }],
            effects: vec![ComparisonEffect::new(
                "proportion",
                self.interval.to_string(),
                share,
                level,
                segments,
            )],
            tests: vec![test],
            warnings,
        })
    }
}

sided!(OneProportion, "outcome");
