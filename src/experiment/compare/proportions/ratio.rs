//! The ratio of two proportions: intervals.

use super::Counts;
use crate::error::{Error, Result};
use crate::inference::Segment;
use crate::numeric::optimize::brent_root;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Steps on the log scale after which an end is taken as infinite: e^2048 is no number.
const MOST_DOUBLINGS: usize = 11;

/// An interval for the ratio of two proportions (relative risk, relative lift plus one).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RatioInterval {
    /// `log(p̂₁/p̂₀) ± z √(1/x₁ − 1/n₁ + 1/x₀ − 1/n₀)` (Katz et al. 1978).
    Log,
    /// The same with one half added to successes and trials (Walter 1975).
    LogAdjusted,
    /// The ratios that the score test of Miettinen & Nurminen (1985) does not reject: Koopman's (1984) with `N/(N − 1)` in the variance (default).
    #[default]
    Score,
}

impl fmt::Display for RatioInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "log",
            Self::LogAdjusted => "log, adjusted",
            Self::Score => "score",
        })
    }
}

impl RatioInterval {
    /// Both ends at the critical value `z`; an arm without successes leaves an end at 0 or ∞.
    pub(super) fn segment(self, counts: &Counts, z: f64) -> Result<Segment> {
        let add = if self == Self::LogAdjusted { 0.5 } else { 0.0 };
        match self {
            Self::Score => score(counts, z),
            Self::Log | Self::LogAdjusted => {
                let x = counts.successes().map(|x| x + add);
                let n = counts.trials().map(|n| n + add);
                if x.iter().any(|x| *x <= 0.0) {
                    return Ok(Segment {
                        lower: 0.0,
                        upper: f64::INFINITY,
                    });
                }
                let variance = 1.0 / x[0] - 1.0 / n[0] + 1.0 / x[1] - 1.0 / n[1];
                let center = (x[0] / n[0] / (x[1] / n[1])).ln();
                let half = z * variance.sqrt();
                Ok(Segment {
                    lower: (center - half).exp(),
                    upper: (center + half).exp(),
                })
            }
        }
    }
}

/// `(p̂₁ − φp̂₀)² ≤ z² (p₁q₁/n₁ + φ²p₀q₀/n₀) N/(N − 1)`, with the likeliest proportions whose ratio is φ: the root of a quadratic.
fn score(counts: &Counts, z: f64) -> Result<Segment> {
    let ([n1, n0], [x1, x0]) = (counts.trials(), counts.successes());
    let [p, q] = counts.shares();
    if x1 + x0 <= 0.0 {
        return Err(Error::Unidentified {
            what: "the ratio of proportions".to_owned(),
            needs: "a success in one of the arms".to_owned(),
        });
    }
    let z2 = z * z * (n1 + n0) / (n1 + n0 - 1.0);
    let gap = |log: f64| {
        let ratio = log.exp();
        let (a, c) = ((n1 + n0) * ratio, x1 + x0);
        let b = n1 * ratio + x1 + n0 + x0 * ratio;
        // The smaller root, in the form that does not cancel.
        let control = 2.0 * c / (b + (b * b - 4.0 * a * c).max(0.0).sqrt());
        let treated = (control * ratio).min(1.0);
        let variance =
            treated * (1.0 - treated) / n1 + ratio * ratio * control * (1.0 - control) / n0;
        ((p - ratio * q).powi(2) - z2 * variance) / (1.0 + ratio * ratio)
    };
    // Inside the interval when a zero keeps the estimate from being there.
    let half = |x: f64| if x > 0.0 { x } else { 0.5 };
    let center = (half(x1) / n1 / (half(x0) / n0)).ln();
    let end = |side: f64| -> Result<Option<f64>> {
        let (mut inside, mut step) = (center, 1.0);
        if gap(center) >= 0.0 {
            return Ok(Some(center.exp()));
        }
        for _ in 0..MOST_DOUBLINGS {
            let outside = center + side * step;
            if gap(outside) >= 0.0 {
                let (low, high) = (inside.min(outside), inside.max(outside));
                return Ok(Some(brent_root(gap, low, high, 0.0)?.point.exp()));
            }
            inside = outside;
            step *= 2.0;
        }
        Ok(None)
    };
    Ok(Segment {
        lower: if x1 > 0.0 {
            end(-1.0)?.unwrap_or(0.0)
        } else {
            0.0
        },
        upper: if x0 > 0.0 {
            end(1.0)?.unwrap_or(f64::INFINITY)
        } else {
            f64::INFINITY
        },
    })
}
