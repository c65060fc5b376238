//! The χ² distribution with real degrees of freedom `df` > 0.

use super::gamma;

/// The density.
pub fn pdf(x: f64, df: f64) -> f64 {
    0.5 * gamma::pdf(0.5 * df, 0.5 * x)
}

/// The distribution function P(df/2, x/2); 0 for x < 0.
pub fn cdf(x: f64, df: f64) -> f64 {
    gamma::lower_regularized(0.5 * df, clip(x))
}

/// The upper tail, the p-value of a χ² statistic.
pub fn sf(x: f64, df: f64) -> f64 {
    gamma::upper_regularized(0.5 * df, clip(x))
}

/// ln of the upper tail, finite where the tail underflows.
pub fn ln_sf(x: f64, df: f64) -> f64 {
    gamma::ln_upper_regularized(0.5 * df, clip(x))
}

/// The x with cdf(x) = p.
pub fn quantile(p: f64, df: f64) -> f64 {
    2.0 * gamma::quantile(0.5 * df, p)
}

/// The x with sf(x) = q.
pub fn upper_quantile(q: f64, df: f64) -> f64 {
    2.0 * gamma::upper_quantile(0.5 * df, q)
}

/// Half of the part of `x` that is positive; NaN stays.
fn clip(x: f64) -> f64 {
    if x < 0.0 { 0.0 } else { 0.5 * x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_degrees_of_freedom_are_exponential() {
        for x in [1e-9, 0.3, 2.0, 40.0, 1400.0] {
            assert!((sf(x, 2.0) / f64::exp(-x / 2.0) - 1.0).abs() < 1e-12);
            assert!((cdf(x, 2.0) / -f64::exp_m1(-x / 2.0) - 1.0).abs() < 1e-14);
            assert!((pdf(x, 2.0) / (0.5 * f64::exp(-x / 2.0)) - 1.0).abs() < 1e-12);
        }
        assert!((quantile(0.95, 1.0) - 3.841_458_820_694_124).abs() < 1e-14);
        assert!((ln_sf(1e6, 2.0) + 5e5).abs() < 1e-9);
        assert_eq!(cdf(-1.0, 3.0), 0.0);
        assert_eq!(sf(-1.0, 3.0), 1.0);
        assert!(
            cdf(1.0, -1.0).is_nan() && sf(f64::NAN, 1.0).is_nan() && quantile(1.1, 1.0).is_nan()
        );
    }
}
