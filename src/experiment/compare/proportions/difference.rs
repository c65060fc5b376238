//! The difference of two proportions: test by score, intervals.

use super::Counts;
use super::one::wilson;
use crate::error::Result;
use crate::inference::Segment;
use crate::numeric::optimize::brent_root;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An interval for the difference of two proportions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DifferenceInterval {
    /// `p̂₁ − p̂₀ ± z √(p̂₁q̂₁/n₁ + p̂₀q̂₀/n₀)`: covers too rarely in small arms.
    Wald,
    /// Wald's after one success and one failure were added to each arm (Agresti & Caffo 2000).
    AgrestiCaffo,
    /// From Wilson's intervals of both (Newcombe 1998, method 10; default).
    #[default]
    Newcombe,
    /// The differences that the score test of Miettinen & Nurminen (1985) does not reject. (statsmodels 0.15.0 differs: its cubic has the
    /// control's successes where theirs has its trials.)
    Score,
}

impl fmt::Display for DifferenceInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wald => "Wald",
            Self::AgrestiCaffo => "Agresti–Caffo",
            Self::Newcombe => "Newcombe",
            Self::Score => "score",
        })
    }
}

impl DifferenceInterval {
    /// Both ends at the critical value `z`.
    pub(super) fn segment(self, counts: &Counts, z: f64) -> Result<Segment> {
        let [p, q] = counts.shares();
        Ok(match self {
            Self::Wald => wald(counts.successes(), counts.trials(), z),
            Self::AgrestiCaffo => wald(
                counts.successes().map(|x| x + 1.0),
                counts.trials().map(|n| n + 2.0),
                z,
            ),
            Self::Newcombe => {
                let [a, b] = [0, 1].map(|i| wilson(counts.x[i], counts.n[i], z));
                Segment {
                    lower: p - q - (p - a.lower).hypot(b.upper - q),
                    upper: p - q + (q - b.lower).hypot(a.upper - p),
                }
            }
            Self::Score => Segment {
                lower: score_end(counts, -1.0, z)?,
                upper: score_end(counts, 1.0, z)?,
            },
        })
    }
}

fn wald(x: [f64; 2], n: [f64; 2], z: f64) -> Segment {
    let [p, q] = [x[0] / n[0], x[1] / n[1]];
    let half = z * (p * (1.0 - p) / n[0] + q * (1.0 - q) / n[1]).sqrt();
    Segment {
        lower: p - q - half,
        upper: p - q + half,
    }
}

/// The variance of the difference under the null hypothesis, at the proportions that are likeliest when they differ by it, times `N/(N − 1)`.
pub(super) fn null_variance(counts: &Counts, difference: f64) -> f64 {
    let [n1, n0] = counts.trials();
    let total = n1 + n0;
    let q = control_share(counts, difference);
    let p = (q + difference).clamp(0.0, 1.0);
    (p * (1.0 - p) / n1 + q * (1.0 - q) / n0) * total / (total - 1.0)
}

/// The likeliest proportion of the control given the difference: the root of Miettinen & Nurminen's cubic in its trigonometric form
/// (their appendix I).
fn control_share(counts: &Counts, d: f64) -> f64 {
    let ([n1, n0], [x1, x0]) = (counts.trials(), counts.successes());
    let (n, x) = (n1 + n0, x1 + x0);
    if d.abs() <= 0.0 {
        return x / n;
    }
    let l2 = ((n1 + 2.0 * n0) * d - n - x) / n;
    let l1 = ((n0 * d - n - 2.0 * x0) * d + x) / n;
    let l0 = x0 * d * (1.0 - d) / n;
    let third = l2 / 3.0;
    let q = third.powi(3) - l1 * l2 / 6.0 + l0 / 2.0;
    let p = q.signum() * (third * third - l1 / 3.0).max(0.0).sqrt();
    let angle = if p.abs() > 0.0 {
        (std::f64::consts::PI + (q / p.powi(3)).clamp(-1.0, 1.0).acos()) / 3.0
    } else {
        0.0
    };
    // Both proportions must be possible.
    (2.0 * p * angle.cos() - third).clamp((-d).max(0.0), (1.0 - d).min(1.0))
}

/// The end on one side: where `(d̂ − δ)² = z² var(δ)`.
fn score_end(counts: &Counts, side: f64, z: f64) -> Result<f64> {
    let [p, q] = counts.shares();
    let estimate = p - q;
    let gap = |d: f64| (estimate - d).powi(2) - z * z * null_variance(counts, d);
    if (estimate - side).abs() <= 0.0 || gap(side) <= 0.0 {
        return Ok(side);
    }
    let (low, high) = if side < 0.0 {
        (side, estimate)
    } else {
        (estimate, side)
    };
    if gap(estimate) >= 0.0 {
        return Ok(estimate);
    }
    Ok(brent_root(gap, low, high, 0.0)?.point)
}
