//! The odds ratio of two proportions: estimates and intervals.

use super::super::discrete::Masses;
use super::Counts;
use crate::error::Result;
use crate::inference::Segment;
use crate::numeric::optimize::{bracket_root, brent_root};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An interval for the odds ratio `p₁q₀/(q₁p₀)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OddsRatioInterval {
    /// `log ψ̂ ± z √(Σ 1/cell)` (Woolf 1955).
    Log,
    /// The same with one half added to every cell (Haldane 1956, Anscombe 1956; default).
    #[default]
    LogAdjusted,
    /// The conditional maximum likelihood estimate, and the odds ratios that neither one-sided Fisher test rejects (Cornfield 1956).
    Exact,
}

impl fmt::Display for OddsRatioInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "log",
            Self::LogAdjusted => "log, adjusted",
            Self::Exact => "exact conditional",
        })
    }
}

/// An odds ratio with both ends.
pub(super) struct OddsRatio {
    pub(super) estimate: f64,
    pub(super) segment: Segment,
}

impl OddsRatioInterval {
    /// At the critical value `z`, or with this probability beyond an end.
    pub(super) fn odds_ratio(self, counts: &Counts, z: f64, tail: f64) -> Result<OddsRatio> {
        if self == Self::Exact {
            return exact(counts, tail);
        }
        let add = if self == Self::LogAdjusted { 0.5 } else { 0.0 };
        let (x, n) = (counts.successes(), counts.trials());
        let cells = [x[0], n[0] - x[0], x[1], n[1] - x[1]].map(|c| c + add);
        let log = (cells[0] / cells[1] / (cells[2] / cells[3])).ln();
        if cells.iter().any(|c| *c <= 0.0) {
            return Ok(OddsRatio {
                estimate: log.exp(),
                segment: Segment {
                    lower: 0.0,
                    upper: f64::INFINITY,
                },
            });
        }
        let half = z * cells.iter().map(|c| 1.0 / c).sum::<f64>().sqrt();
        Ok(OddsRatio {
            estimate: log.exp(),
            segment: Segment {
                lower: (log - half).exp(),
                upper: (log + half).exp(),
            },
        })
    }
}

fn exact(counts: &Counts, tail: f64) -> Result<OddsRatio> {
    let ([x1, x0], [n1, n0]) = (counts.x, counts.n);
    let successes = x1 + x0;
    let given = |log: f64| Masses::hypergeometric(n1, n0, successes, log.exp());
    let (low, high) = (successes.saturating_sub(n0), n1.min(successes));
    // Each is monotone in the log of the odds ratio.
    let solve = |gap: &dyn Fn(f64) -> f64| -> Result<f64> {
        let ends = bracket_root(gap, -1.0, 1.0)?;
        Ok(brent_root(gap, ends.low, ends.high, 0.0)?.point.exp())
    };
    let estimate = if x1 == low && x1 == high {
        f64::NAN
    } else if x1 == low {
        0.0
    } else if x1 == high {
        f64::INFINITY
    } else {
        solve(&|log| given(log).mean() - x1 as f64)?
    };
    Ok(OddsRatio {
        estimate,
        segment: Segment {
            lower: if x1 == low {
                0.0
            } else {
                solve(&|log| given(log).sf(x1).ln() - tail.ln())?
            },
            upper: if x1 == high {
                f64::INFINITY
            } else {
                solve(&|log| given(log).cdf(x1).ln() - tail.ln())?
            },
        },
    })
}
