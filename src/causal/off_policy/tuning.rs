//! The choice among thresholds by the data.

use super::estimators::{Found, Smooth};
use crate::error::{Error, Result};
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// The level of the intervals that SLOPE compares.
const SLOPE_LEVEL: f64 = 0.95;

/// How the data choose among several thresholds. With the value `v_k` at a threshold, its standard error `s_k`, and the value `v` at weights as they are
/// (DR, or IPS without a model):
///
/// | variant | chosen |
/// |---|---|
/// | `Slope` | from the least biased (the largest) on, the last that agrees with all before it within their errors (Su, Srinath & Krishnamurthy 2020; Tucker & Lee 2021) |
/// | `Mse` | the least `s_k² + b_k²` with the estimated bias `b_k = ∣v − v_k∣` |
/// | `MseBound` | the same with an upper bound of the bias that holds with probability 1 − δ by Bernstein's inequality, `b_k + R (√(2 mean(w²) log(2/δ)/n) + 2 max(w) log(2/δ)/(3n))`, where `R` is the largest residual that the bounds of rewards allow (Su, Dimakopoulou, Krishnamurthy & Dudík 2020) |
///
/// `MseBound` asks for [`OffPolicy::bounds`](super::OffPolicy::bounds), between which predictions must lie too, and takes rows as independent in its bound. With bounds 0 and 1 it is the default of
/// the Open Bandit Pipeline's tuning by mean squared error. The bound adds the same to every bias, so it leans towards larger thresholds than `Mse`: the
/// square punishes large biases more.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum ThresholdTuning {
    /// SLOPE.
    #[default]
    Slope,
    /// The least estimated mean squared error.
    Mse,
    /// The least upper bound of the mean squared error.
    MseBound {
        /// The probability with which the bound may fail; .05 is usual.
        delta: f64,
    },
}

impl ThresholdTuning {
    /// Refuses what the choice cannot be made with.
    pub(super) fn check(self, clip: Option<f64>, bounds: Option<(f64, f64)>) -> Result<()> {
        if self == Self::Slope {
            return Ok(());
        }
        if let Some(clip) = clip {
            return Err(Error::invalid_option(
                "clip",
                clip,
                "left out where thresholds are chosen by mean squared error, whose bias is measured from weights that are not clipped",
            ));
        }
        if let Self::MseBound { delta } = self {
            if !(delta > 0.0 && delta < 1.0) {
                return Err(Error::invalid_option("delta", delta, "between 0 and 1"));
            }
            if bounds.is_none() {
                return Err(Error::invalid_option(
                    "tuning",
                    "MseBound without bounds of rewards",
                    "given with `.bounds(low, high)`, without which the bias has no bound; ThresholdTuning::Mse needs none",
                ));
            }
        }
        Ok(())
    }

    /// The place of the chosen one among candidates sorted from least bias to least noise; `whole` has weights as they are, and `residual` is the largest residual.
    pub(super) fn choose(
        self,
        found: &Found,
        candidates: &[Smooth],
        whole: &Smooth,
        largest_weight: f64,
        residual: f64,
    ) -> usize {
        let (values, covariance) = found.joint(candidates);
        let variance = |k: usize| covariance[(k, k)].max(0.0);
        let (rows, squares) = found.rows_and_squared_weights();
        let slack = match self {
            Self::Slope => return slope(candidates.len(), |k| (values[k], variance(k).sqrt())),
            Self::Mse => 0.0,
            Self::MseBound { delta } => {
                let log = (2.0 / delta).ln();
                let spread = (2.0 * squares / rows * log / rows).sqrt();
                residual * (spread + 2.0 * largest_weight * log / (3.0 * rows))
            }
        };
        let score = |k: usize| variance(k) + ((whole.value - values[k]).abs() + slack).powi(2);
        // Among equals the least biased.
        (1..candidates.len()).fold(0, |best, k| if score(k) < score(best) { k } else { best })
    }
}

/// The threshold that SLOPE chooses among values with standard errors: the last from which no earlier one differs by more than
/// the half-length of its interval and √6 − 1 times that of the earlier one (Tucker & Lee 2021).
fn slope(count: usize, of: impl Fn(usize) -> (f64, f64)) -> usize {
    let wide = normal::quantile(0.5 + SLOPE_LEVEL / 2.0);
    let agrees = |i: usize| {
        let (value, error) = of(i);
        (0..i).all(|j| {
            let (other, less) = of(j);
            (value - other).abs() <= wide * (error + (6_f64.sqrt() - 1.0) * less)
        })
    };
    (1..count).take_while(|i| agrees(*i)).last().unwrap_or(0)
}
