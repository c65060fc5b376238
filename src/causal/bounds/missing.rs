//! Outcomes that are missing for any reason.

use super::arms::{Bounded, less};
use super::identified_set::IdentifiedSet;
use crate::causal::builders::row_columns;
use crate::data::Frame;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Bounds of the average effect of a randomised treatment when outcomes are missing and nothing is known of why: those missing may have any outcome from `low` to `high`,
///
/// `E[Y(w)] ∈ E[Y 1{seen} | W = w] + P(not seen | W = w) [low, high]`.
///
/// The bounds are `(high − low)(P(not seen | 1) + P(not seen | 0))` apart. [`LeeBounds`](super::LeeBounds) are tighter when treatment moves who answers one way only.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `weights`, `clusters` | none | columns | |
///
/// # Errors
/// As [`ManskiBounds`](super::ManskiBounds).
///
/// # References
/// Horowitz, J. L. & Manski, C. F. (2000). Nonparametric analysis of randomized experiments with missing covariate and outcome data. *Journal of the American Statistical Association* 95(449),
/// 77–84. doi:10.1080/01621459.2000.10473902
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::new()
///     .with("rating", vec![1.0, 1.0, 0.0, f64::NAN, 0.0, 1.0, 0.0, 0.0])?
///     .with("invited", vec![1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])?;
/// let bounds = HorowitzManski::new("rating", "invited", 0.0, 1.0).fit(&frame)?;
/// assert!((bounds.lower - 0.25).abs() < 1e-12 && (bounds.upper - 0.5).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HorowitzManski {
    bounded: Bounded,
}

row_columns!(
    HorowitzManski,
    "A column of clusters: errors allow for dependence within them.",
    bounded,
    columns
);

impl HorowitzManski {
    /// The effect of a randomised treatment of 0 and 1 on an outcome that is never below `low` or above `high` and missing (NaN) for some.
    pub fn new(
        outcome: impl Into<String>,
        treatment: impl Into<String>,
        low: f64,
        high: f64,
    ) -> Self {
        Self {
            bounded: Bounded::new(outcome, treatment, low, high),
        }
    }

    /// The bounds.
    ///
    /// # Errors
    /// See [`HorowitzManski`].
    pub fn fit(&self, frame: &Frame) -> Result<IdentifiedSet> {
        let (low, high) = (self.bounded.low, self.bounded.high);
        let arms = self.bounded.read(frame, true)?;
        let mean = |arm: bool, unseen: f64| {
            let value = |i: usize| {
                if arms.y[i].is_nan() {
                    unseen
                } else {
                    arms.y[i]
                }
            };
            arms.mean(value, |i| arms.treated[i] == arm)
        };
        let ends = [(low, high), (high, low)]
            .map(|(one, zero)| less(&mean(true, one), &mean(false, zero)));
        let unseen = arms.y.iter().filter(|y| y.is_nan()).count();
        let assumption = format!(
            "Random treatment, outcomes from {low} to {high}, missing on {unseen} rows for any reason"
        );
        Ok(self.bounded.set(assumption, &ends, arms))
    }
}
