//! Standardised effects: Cohen's d and Hedges' g, with intervals by the non-central t distribution.

use super::location::{critical, open, tail};
use super::result::ComparisonEffect;
use crate::error::Result;
use crate::inference::{Alternative, Segment};
use crate::numeric::optimize::{bracket_root, brent_root};
use crate::numeric::special::gamma::ln_gamma;
use crate::numeric::special::noncentral;

/// Above this many degrees of freedom, or for a statistic beyond this, the non-central t is normal to four digits, and its series too long.
const MOST_DF: f64 = 20_000.0;
const MOST_STATISTIC: f64 = 35.0;

/// `d = t/√ñ` and `g = J(df) d`, where `t` has non-centrality `δ√ñ`. The ends are those δ under which a statistic as large (small) as the
/// observed has the probability left out.
pub(super) fn standardized(
    statistic: f64,
    df: f64,
    effective_rows: f64,
    level: f64,
    alternative: Alternative,
) -> Result<Vec<ComparisonEffect>> {
    let scale = effective_rows.sqrt();
    let outside = tail(level, alternative);
    let (ends, method) = if df > MOST_DF || statistic.abs() > MOST_STATISTIC {
        // Hedges & Olkin (1985): var d = 1/ñ + d²/(2 df).
        let half = critical(level, alternative, f64::INFINITY)
            * (1.0 + statistic * statistic / (2.0 * df)).sqrt();
        ([statistic - half, statistic + half], "normal")
    } else {
        let end = |probability: f64| -> Result<f64> {
            let gap = |nc: f64| noncentral::t_cdf(statistic, df, nc) - probability;
            let bracket = bracket_root(gap, statistic - 2.0, statistic + 2.0)?;
            Ok(brent_root(gap, bracket.low, bracket.high, 0.0)?.point)
        };
        ([end(1.0 - outside)?, end(outside)?], "non-central t")
    };
    let correction = small_sample(df);
    Ok([("Cohen's d", 1.0), ("Hedges' g", correction)]
        .map(|(name, factor)| {
            let [lower, upper] = ends.map(|nc| nc / scale * factor);
            let segment = open(Segment { lower, upper }, alternative);
            let estimate = statistic / scale * factor;
            ComparisonEffect::new(name, method, estimate, level, vec![segment])
        })
        .to_vec())
}

/// Hedges' factor `J = Γ(df/2) / (√(df/2) Γ((df − 1)/2))`, which makes g unbiased.
fn small_sample(df: f64) -> f64 {
    if df <= 1.0 {
        return 0.0;
    }
    (ln_gamma(df / 2.0) - ln_gamma((df - 1.0) / 2.0)).exp() / (df / 2.0).sqrt()
}
