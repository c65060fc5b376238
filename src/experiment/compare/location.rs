//! An estimate with its standard error against a t or normal distribution: tests, intervals, equivalence.

use super::result::{ComparisonEffect, ComparisonTest, NullDistribution};
use crate::error::{Error, Result};
use crate::inference::{Alternative, Segment};
use crate::numeric::special::student_t;
use serde::{Deserialize, Serialize};

/// An estimate; infinite degrees of freedom mean the normal distribution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Location {
    pub(super) estimate: f64,
    pub(super) std_error: f64,
    pub(super) df: f64,
}

impl Location {
    pub(super) fn distribution(&self) -> NullDistribution {
        if self.df.is_infinite() {
            NullDistribution::Normal
        } else {
            NullDistribution::T { df: self.df }
        }
    }

    pub(super) fn test(&self, name: &str, null: f64, alternative: Alternative) -> ComparisonTest {
        let statistic = (self.estimate - null) / self.std_error;
        ComparisonTest {
            name: name.to_owned(),
            statistic,
            distribution: self.distribution(),
            alternative,
            p_value: t_tail(statistic, self.df, alternative),
        }
    }

    /// The values that the test does not reject.
    pub(super) fn segment(&self, level: f64, alternative: Alternative) -> Segment {
        let half = critical(level, alternative, self.df) * self.std_error;
        open(
            Segment {
                lower: self.estimate - half,
                upper: self.estimate + half,
            },
            alternative,
        )
    }

    pub(super) fn effect(
        &self,
        name: &str,
        method: &str,
        level: f64,
        alternative: Alternative,
    ) -> ComparisonEffect {
        let segments = vec![self.segment(level, alternative)];
        ComparisonEffect::new(name, method, self.estimate, level, segments)
    }
}

/// The p-value of a t (or, without finite degrees of freedom, normal) statistic.
pub(super) fn t_tail(statistic: f64, df: f64, alternative: Alternative) -> f64 {
    match alternative {
        Alternative::TwoSided => student_t::two_sided(statistic, df),
        Alternative::Greater => student_t::sf(statistic, df),
        Alternative::Less => student_t::cdf(statistic, df),
    }
}

/// The critical value of an interval: on both sides, or all on one.
pub(super) fn critical(level: f64, alternative: Alternative, df: f64) -> f64 {
    student_t::upper_quantile(tail(level, alternative), df)
}

/// The probability beyond an end of the interval.
pub(super) fn tail(level: f64, alternative: Alternative) -> f64 {
    match alternative {
        Alternative::TwoSided => (1.0 - level) / 2.0,
        Alternative::Greater | Alternative::Less => 1.0 - level,
    }
}

/// The interval without the end that a one-sided alternative does not look at.
pub(super) fn open(segment: Segment, alternative: Alternative) -> Segment {
    match alternative {
        Alternative::TwoSided => segment,
        Alternative::Greater => Segment {
            upper: f64::INFINITY,
            ..segment
        },
        Alternative::Less => Segment {
            lower: f64::NEG_INFINITY,
            ..segment
        },
    }
}

/// Margins within which a difference does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Margin {
    /// Two one-sided tests (Schuirmann 1987).
    Equivalence { lower: f64, upper: f64 },
    /// The difference is above `−margin`.
    NonInferiority { margin: f64 },
}

impl Margin {
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Equivalence { lower, upper } if lower < upper => Ok(()),
            Self::Equivalence { lower, upper } => Err(Error::invalid_option(
                "equivalence margins",
                format!("{lower} to {upper}"),
                "a lower margin below the upper",
            )),
            Self::NonInferiority { margin } if margin > 0.0 => Ok(()),
            Self::NonInferiority { margin } => {
                Err(Error::invalid_option("margin", margin, "positive"))
            }
        }
    }

    /// The tests, the decisive one first.
    pub(super) fn tests(self, location: &Location) -> Vec<ComparisonTest> {
        match self {
            Self::NonInferiority { margin } => {
                vec![location.test("non-inferiority", -margin, Alternative::Greater)]
            }
            Self::Equivalence { lower, upper } => {
                let above = location.test("above the lower margin", lower, Alternative::Greater);
                let below = location.test("below the upper margin", upper, Alternative::Less);
                let mut decisive = if above.p_value > below.p_value {
                    above.clone()
                } else {
                    below.clone()
                };
                "equivalence".clone_into(&mut decisive.name);
                vec![decisive, above, below]
            }
        }
    }

    /// The interval that lies within the margins when the test rejects at `1 − level`: at `2 level − 1` for equivalence.
    pub(super) fn effect(
        self,
        location: &Location,
        name: &str,
        level: f64,
    ) -> Option<ComparisonEffect> {
        let alternative = match self {
            // Below one half there is none.
            Self::Equivalence { .. } if level <= 0.5 => return None,
            Self::Equivalence { .. } => {
                let level = 2.0 * level - 1.0;
                return Some(location.effect(
                    name,
                    "within the margins",
                    level,
                    Alternative::TwoSided,
                ));
            }
            Self::NonInferiority { .. } => Alternative::Greater,
        };
        Some(location.effect(name, "above the margin", level, alternative))
    }
}
