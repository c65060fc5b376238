//! The records that inference returns: named structs, never tuples.

use crate::error::{Error, Result};
use crate::numeric::special::{chi_squared, f, student_t};
use crate::report::{Cell, p_text};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An estimate with its standard error and the degrees of freedom of its t distribution (infinite for the normal).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// What is estimated.
    pub name: String,
    /// The point estimate.
    pub estimate: f64,
    /// Its standard error.
    pub std_error: f64,
    /// Degrees of freedom of the reference t distribution; infinite for the normal.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub degrees_of_freedom: f64,
}

impl Estimate {
    /// The t (or z) statistic of the hypothesis that the truth is `value`: zero when the estimate equals it, infinite when the
    /// standard error alone is zero.
    pub fn statistic(&self, value: f64) -> f64 {
        let gap = self.estimate - value;
        if gap.abs() <= 0.0 {
            return 0.0;
        }
        gap / self.std_error
    }

    /// Two-sided p-value of the hypothesis that the truth is zero; one without degrees of freedom, which is no evidence.
    pub fn p_value(&self) -> f64 {
        if self.degrees_of_freedom <= 0.0 {
            return 1.0;
        }
        student_t::two_sided(self.statistic(0.0), self.degrees_of_freedom)
    }

    /// `estimate ± t(1 − (1 − level)/2) · std_error`; the whole line without degrees of freedom.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn confidence_interval(&self, level: f64) -> Result<Interval> {
        check_level(level)?;
        let half = if self.degrees_of_freedom <= 0.0 {
            f64::INFINITY
        } else {
            student_t::quantile(0.5 + level / 2.0, self.degrees_of_freedom) * self.std_error
        };
        Ok(Interval {
            name: self.name.clone(),
            level,
            lower: self.estimate - half,
            upper: self.estimate + half,
        })
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} (s.e. {}, {})",
            self.name,
            shown(self.estimate),
            shown(self.std_error),
            p_text(self.p_value())
        )
    }
}

/// A two-sided confidence interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// What is estimated.
    pub name: String,
    /// Confidence level, e.g. 0.95.
    pub level: f64,
    /// Lower end.
    #[serde(deserialize_with = "crate::numeric::infinite::below")]
    pub lower: f64,
    /// Upper end.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub upper: f64,
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: [{}, {}] at {} %",
            self.name,
            shown(self.lower),
            shown(self.upper),
            self.level * 100.0
        )
    }
}

/// One connected piece of a confidence set; an end may be infinite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Lower end, −∞ when unbounded below.
    #[serde(deserialize_with = "crate::numeric::infinite::below")]
    pub lower: f64,
    /// Upper end, ∞ when unbounded above.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub upper: f64,
}

/// A confidence set, which need not be an interval: it may be bounded, a union of rays, the whole line, or empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfidenceSet {
    /// What is estimated.
    pub name: String,
    /// Confidence level.
    pub level: f64,
    /// The pieces in ascending order; none when the set is empty.
    pub segments: Vec<Segment>,
}

impl ConfidenceSet {
    /// Whether the set has no point.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether the set is non-empty and has finite ends.
    pub fn is_bounded(&self) -> bool {
        !self.is_empty()
            && self
                .segments
                .iter()
                .all(|s| s.lower.is_finite() && s.upper.is_finite())
    }

    /// Whether the set is the whole line: the data say nothing.
    pub fn is_whole_line(&self) -> bool {
        self.segments
            .iter()
            .any(|s| s.lower.is_infinite() && s.upper.is_infinite())
    }

    /// Whether `value` lies in the set.
    pub fn contains(&self, value: f64) -> bool {
        self.segments
            .iter()
            .any(|s| s.lower <= value && value <= s.upper)
    }
}

impl From<Interval> for ConfidenceSet {
    fn from(interval: Interval) -> Self {
        Self {
            name: interval.name,
            level: interval.level,
            segments: vec![Segment {
                lower: interval.lower,
                upper: interval.upper,
            }],
        }
    }
}

impl fmt::Display for ConfidenceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        if self.is_empty() {
            write!(f, "empty (no value is compatible with the data)")?;
        } else if self.is_whole_line() {
            write!(f, "(−∞, ∞) (every value is compatible with the data)")?;
        } else {
            for (i, s) in self.segments.iter().enumerate() {
                let join = if i == 0 { "" } else { " ∪ " };
                match (s.lower.is_infinite(), s.upper.is_infinite()) {
                    (true, _) => write!(f, "{join}(−∞, {}]", shown(s.upper))?,
                    (_, true) => write!(f, "{join}[{}, ∞)", shown(s.lower))?,
                    _ => write!(f, "{join}[{}, {}]", shown(s.lower), shown(s.upper))?,
                }
            }
        }
        write!(f, " at {} %", self.level * 100.0)
    }
}

/// The reference distribution of a test statistic.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Distribution {
    /// Student's t.
    T {
        /// Degrees of freedom.
        #[serde(deserialize_with = "crate::numeric::infinite::above")]
        df: f64,
    },
    /// Fisher's F.
    F {
        /// Numerator degrees of freedom.
        df1: f64,
        /// Denominator degrees of freedom; infinite for χ²/df1.
        #[serde(deserialize_with = "crate::numeric::infinite::above")]
        df2: f64,
    },
    /// χ².
    ChiSquared {
        /// Degrees of freedom.
        df: f64,
    },
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::T { df } if df.is_infinite() => write!(f, "N(0, 1)"),
            Self::T { df } => write!(f, "t({df:.6})"),
            Self::F { df1, df2 } => write!(f, "F({df1}, {})", trim(*df2)),
            Self::ChiSquared { df } => write!(f, "χ²({df})"),
        }
    }
}

/// A number with as many digits as stay the same on all machines.
fn shown(value: f64) -> String {
    const DIGITS: usize = 6;
    Cell::significant(value, DIGITS).to_string()
}

/// Degrees of freedom without noise: integers as integers.
fn trim(df: f64) -> String {
    if df.is_infinite() {
        "∞".to_owned()
    } else if (df - df.round()).abs() < 1e-9 {
        format!("{df:.0}")
    } else {
        format!("{df:.2}")
    }
}

/// The result of a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// The test and its null hypothesis.
    pub name: String,
    /// The statistic.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub statistic: f64,
    /// Its distribution under the null hypothesis.
    pub distribution: Distribution,
    /// The p-value.
    pub p_value: f64,
}

impl TestResult {
    /// A test against the upper tail of an F distribution (two-sided for t).
    pub(crate) fn new(name: impl Into<String>, statistic: f64, distribution: Distribution) -> Self {
        let p_value = match distribution {
            Distribution::T { df } => student_t::two_sided(statistic, df),
            Distribution::F { df1, df2 } => f::sf(statistic, df1, df2),
            Distribution::ChiSquared { df } => chi_squared::sf(statistic, df),
        };
        Self {
            name: name.into(),
            statistic,
            distribution,
            p_value,
        }
    }
}

impl fmt::Display for TestResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {:.4} ~ {}, {}",
            self.name,
            self.statistic,
            self.distribution,
            p_text(self.p_value)
        )
    }
}

crate::report::notebook_line!(Estimate, Interval, ConfidenceSet, TestResult);

/// Refuses a confidence level outside (0, 1).
pub(crate) fn check_level(level: f64) -> Result<()> {
    if level > 0.0 && level < 1.0 {
        return Ok(());
    }
    Err(Error::invalid_option(
        "level",
        level,
        "between 0 and 1, e.g. 0.95",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_are_shown_with_six_digits() {
        let estimate = Estimate {
            name: "x".to_owned(),
            estimate: 1_648.649_424_3,
            std_error: 0.000_012_345_678,
            degrees_of_freedom: f64::INFINITY,
        };
        let text = estimate.to_string();
        assert!(
            text.starts_with("x: 1648.65 (s.e. 1.23457e-5, p < 0.0001)"),
            "{text}"
        );
        let set = ConfidenceSet {
            name: "x".to_owned(),
            level: 0.95,
            segments: vec![
                Segment {
                    lower: f64::NEG_INFINITY,
                    upper: -1_234.567_89,
                },
                Segment {
                    lower: 0.024_805_123,
                    upper: f64::INFINITY,
                },
            ],
        };
        assert_eq!(
            set.to_string(),
            "x: (−∞, -1234.57] ∪ [0.0248051, ∞) at 95 %"
        );
    }
}
