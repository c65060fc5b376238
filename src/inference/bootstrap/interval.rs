//! Confidence limits from replicates.

use crate::error::{Error, Result};
use crate::numeric::special::normal;

/// The α quantile of sorted replicates: the (B + 1)α-th, interpolated on the normal scale between order statistics (Davison & Hinkley
/// 1997, eq. 5.8); the extremes beyond the first and last.
pub(super) fn quantile(sorted: &[f64], alpha: f64) -> f64 {
    let count = sorted.len() as f64;
    let place = (count + 1.0) * alpha;
    if place <= 1.0 {
        return sorted[0];
    }
    if place >= count {
        return sorted[sorted.len() - 1];
    }
    let k = place.floor();
    let (low, high) = (sorted[k as usize - 1], sorted[k as usize]);
    // A place that is whole but for rounding.
    if place - k < f64::EPSILON * place {
        return low;
    }
    let z = |p: f64| normal::quantile(p / (count + 1.0));
    low + (normal::quantile(alpha) - z(k)) / (z(k + 1.0) - z(k)) * (high - low)
}

/// Efron's (1987) bias-corrected and accelerated limits: percentiles at `Φ(z₀ + (z₀ + z_α)/(1 − a(z₀ + z_α)))`.
pub(super) fn bca(
    sorted: &[f64],
    estimate: f64,
    acceleration: f64,
    level: f64,
) -> Result<[f64; 2]> {
    let below = sorted.partition_point(|t| *t < estimate);
    if below == 0 || below == sorted.len() {
        return Err(Error::Unidentified {
            what: "the bias correction of BCa".to_owned(),
            needs: "replicates on both sides of the estimate; the statistic is discrete or heavily biased".to_owned(),
        });
    }
    let z0 = normal::quantile(below as f64 / sorted.len() as f64);
    let tail = (1.0 - level) / 2.0;
    let limit = |alpha: f64| {
        let z = z0 + normal::quantile(alpha);
        quantile(sorted, normal::cdf(z0 + z / (1.0 - acceleration * z)))
    };
    Ok([limit(tail), limit(1.0 - tail)])
}

/// The acceleration `Σ d³/(6 (Σ d²)^{3/2})` of the gaps `d = θ̄₍·₎ − θ̂₍g₎` of the jackknife (Efron 1987, eq. 7.3); zero when nothing
/// varies.
pub(super) fn acceleration(left_out: &[f64]) -> f64 {
    let mean = left_out.iter().sum::<f64>() / left_out.len() as f64;
    let (square, cube) = left_out.iter().fold((0.0, 0.0), |(s, c), t| {
        let d = mean - t;
        (s + d * d, c + d * d * d)
    });
    if square > 0.0 {
        cube / (6.0 * square.powf(1.5))
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_order_statistics_where_they_can_be() {
        let sorted: Vec<f64> = (1..=99).map(f64::from).collect();
        assert_eq!(quantile(&sorted, 0.05), 5.0);
        assert_eq!(quantile(&sorted, 0.5), 50.0);
        assert_eq!(quantile(&sorted, 0.001), 1.0);
        assert_eq!(quantile(&sorted, 0.999), 99.0);
        let between = quantile(&sorted, 0.055);
        assert!(between > 5.0 && between < 6.0);
    }

    #[test]
    fn without_bias_and_skew_bca_is_percentile() {
        let sorted: Vec<f64> = (1..=999)
            .map(|i| normal::quantile(f64::from(i) / 1000.0))
            .collect();
        let [low, high] = bca(&sorted, 1e-9 - 0.000_001, 0.0, 0.9).unwrap();
        assert!(
            (low + high).abs() < 0.01 && (high - 1.645).abs() < 0.01,
            "{low} {high}"
        );
        // A right-skewed influence moves both limits up.
        let [low_a, high_a] = bca(&sorted, 0.0, 0.1, 0.9).unwrap();
        assert!(low_a > low && high_a > high);
        assert!(bca(&sorted, 10.0, 0.0, 0.9).is_err());
    }
}
