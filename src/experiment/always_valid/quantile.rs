//! The confidence sequence of a quantile, whatever the distribution.

use super::mean::check_values;
use super::mixture::{MixtureBoundary, check_probability, positive};
use super::track::{ConfidenceLook, Statement, Track, sequence, sided};
use crate::error::{Error, Result};
use crate::inference::Alternative;
use serde::{Deserialize, Serialize};

/// A confidence sequence of the p-quantile q of independent rows: no moment of the distribution need exist, and ties do no harm. The number of
/// rows below the true quantile is a sum of indicators with mean at most p, of those above it at most 1 − p; the interval leaves out the order
/// statistics at which a [mixture of Bernoulli alternatives](MixtureBoundary::bernoulli) says that such counts are too large:
///
/// `[x₍ₙ₋ₖ'₊₁₎, x₍ₖ₎]`, `k = min{j : M_p(j − np, np(1−p)) ≥ 1/α'}`, `k'` the same with 1 − p, α' = α/2, or α on one side.
///
/// The rows may come in any order, and are all kept: the state grows with them. Looking costs a pass over them.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | confidence of the whole sequence | (0, 1), one-sided (½, 1) |
/// | `null` | 0 | value that the p-value tests | finite |
/// | `alternative` | two-sided | side of test and interval | |
///
/// # Errors
/// [`Error::InvalidOption`] for p outside (0, 1), a plan that is not positive, and options set after a look; [`Error::OutOfRange`] for values that are not
/// finite, with the row.
///
/// # References
/// Howard, S. R. & Ramdas, A. (2022). Sequential estimation of quantiles with applications to A/B testing and best-arm identification. *Bernoulli*
/// 28(3), 1704–1728. doi:10.3150/21-BEJ1388
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let mut median = QuantileSequence::new(0.5, 1_000)?.null(400.0)?;
/// let minutes: Vec<f64> = (0..1_000).map(|i| f64::from((i * 37) % 1_000)).collect();
/// let look = median.observe("first week", &minutes)?;
/// assert_eq!(look.estimate, 499.0);
/// assert!(430.0 < look.lower && look.lower < 460.0 && 540.0 < look.upper && look.upper < 570.0);
/// assert!(look.p_value < 0.001);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantileSequence {
    track: Track,
    p: f64,
    planned: f64,
    /// In ascending order.
    values: Vec<f64>,
}

sequence!(QuantileSequence);
sided!(QuantileSequence);

impl QuantileSequence {
    /// The p-quantile, narrowest at the planned number of rows.
    ///
    /// # Errors
    /// See [`QuantileSequence`].
    pub fn new(p: f64, planned: u64) -> Result<Self> {
        check_probability(p)?;
        positive("planned", planned as f64)?;
        Ok(Self {
            track: Track::new(format!("{p} quantile")),
            p,
            planned: planned as f64,
            values: vec![],
        })
    }

    /// Takes in the rows that came since the last look, in any order.
    ///
    /// # Errors
    /// See [`QuantileSequence`].
    pub fn observe(&mut self, label: impl Into<String>, values: &[f64]) -> Result<ConfidenceLook> {
        self.track.check()?;
        let label = label.into();
        check_values(values, f64::MIN, f64::MAX)?;
        if values.is_empty() {
            return Err(Error::NoRows {
                reason: format!("look {label} brings no new rows; leave it out"),
            });
        }
        self.values.extend_from_slice(values);
        self.values.sort_by(f64::total_cmp);
        let now = self.statement()?;
        Ok(self.track.record(label, now))
    }

    fn statement(&self) -> Result<Statement> {
        let rows = self.values.len();
        let (n, p, null) = (rows as f64, self.p, self.track.null);
        let mixture = |p| self.track.bernoulli_mixture(self.planned, p);
        let (below, above) = (mixture(p)?, mixture(1.0 - p)?);
        let v = n * p * (1.0 - p);
        let at = (n * p).ceil().clamp(1.0, n) as usize;
        let upper = self
            .least(below, p)
            .map_or(f64::INFINITY, |k| self.values[k - 1]);
        let lower = self
            .least(above, 1.0 - p)
            .map_or(f64::NEG_INFINITY, |k| self.values[rows - k]);
        let less = self.values.partition_point(|x| *x < null) as f64;
        let more = n - self.values.partition_point(|x| *x <= null) as f64;
        Ok(Statement {
            rows: rows as u64,
            estimate: self.values[at - 1],
            lower: if self.track.alternative == Alternative::Less {
                f64::NEG_INFINITY
            } else {
                lower
            },
            upper: if self.track.alternative == Alternative::Greater {
                f64::INFINITY
            } else {
                upper
            },
            // Many rows above the null value say that the quantile is larger.
            log_e_value: self.track.sided(
                above.log_value(more - n * (1.0 - p), v),
                below.log_value(less - n * p, v),
            ),
            p_value: None,
        })
    }

    /// The smallest count that is too large for events of this probability, if any is.
    fn least(&self, mixture: MixtureBoundary, p: f64) -> Option<usize> {
        let n = self.values.len();
        let mean = n as f64 * p;
        let limit = -self.track.side_alpha().ln();
        let large =
            |count: usize| mixture.log_value(count as f64 - mean, mean * (1.0 - p)) >= limit;
        // The mixture rises with the count above its mean.
        let (mut low, mut high) = (mean.floor() as usize, n);
        if !large(n) {
            return None;
        }
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if large(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(high)
    }

    fn method(&self) -> String {
        format!(
            "Mixture of Bernoulli alternatives, planned for {} rows",
            self.planned
        )
    }
}
