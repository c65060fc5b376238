//! What a metric is for in a decision, and what its result says.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A distance that matters, in units of the metric or as a share of the control's value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Margin {
    /// In units of the metric.
    Absolute(f64),
    /// As a share of the control's value: 0.02 is 2 %. The control's value is taken as known.
    Relative(f64),
}

impl Margin {
    /// The size in units of the metric.
    pub(crate) fn size(self, control: f64) -> f64 {
        match self {
            Self::Absolute(size) => size,
            Self::Relative(share) => share * control.abs(),
        }
    }

    /// The number as given.
    pub(crate) fn number(self) -> f64 {
        match self {
            Self::Absolute(size) | Self::Relative(size) => size,
        }
    }
}

impl fmt::Display for Margin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(size) => write!(f, "{size}"),
            Self::Relative(share) => write!(f, "{} %", share * 100.0),
        }
    }
}

/// What a metric is for. It decides which hypothesis is tested and which p-values are adjusted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Role {
    /// The decision rests on it: H₀ is no effect, two-sided. Adjusted for multiplicity.
    Decision,
    /// It is looked at beside the decision: as the decision metric.
    #[default]
    Secondary,
    /// It must not get worse: H₀ is no effect, one-sided towards harm, not adjusted (a missed alarm is the error that hurts).
    Guardrail,
    /// H₀: worse than the control by the margin or more, one-sided at α = (1 − level)/2.
    NonInferiority(Margin),
    /// H₀: different by the margin or more; two one-sided tests, each at α = 1 − level.
    Equivalence(Margin),
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decision => write!(f, "decision"),
            Self::Secondary => write!(f, "secondary"),
            Self::Guardrail => write!(f, "guardrail"),
            Self::NonInferiority(margin) => write!(f, "non-inferior by {margin}"),
            Self::Equivalence(margin) => write!(f, "equivalent within {margin}"),
        }
    }
}

/// What the test of a metric's role says at the experiment's confidence level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Significantly better than the control.
    Better,
    /// Significantly worse than the control.
    Worse,
    /// No difference is shown; none is ruled out either.
    Open,
    /// A guardrail for which no harm is shown.
    NoHarmShown,
    /// Not worse than the margin.
    NonInferior,
    /// It is not shown that it is within the margin.
    NotShown,
    /// Within the margin on both sides.
    Equivalent,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Open => "open",
            Self::NoHarmShown => "no harm shown",
            Self::NonInferior => "non-inferior",
            Self::NotShown => "not shown",
            Self::Equivalent => "equivalent",
        })
    }
}
