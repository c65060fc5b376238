//! Kolmogorov's test that numbers are uniform on the unit interval.

use crate::numeric::special::gamma;
use nalgebra::DMatrix;

/// From `n d²` here on, twice the one-sided tail is the two-sided one but for a share of `e^(−6 n d²) < 1e-10`.
const TAIL: f64 = 4.0;

/// The largest distance between the empirical and the uniform distribution function.
pub(super) fn distance(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let gap = |(i, v): (usize, &f64)| ((i as f64 + 1.0) / n - v).max(v - i as f64 / n);
    sorted.iter().enumerate().map(gap).fold(0.0, f64::max)
}

/// `P(D ≥ d)` of n independent uniform numbers, exact.
///
/// The centre is the matrix power of Marsaglia, Tsang & Wang (2003), *Journal of Statistical Software* 8(18), doi:10.18637/jss.v008.i18;
/// the tail twice the one-sided sum of Birnbaum & Tingey (1951), doi:10.1214/aoms/1177729550.
pub(super) fn p_value(n: usize, d: f64) -> f64 {
    let size = n as f64;
    if d <= 0.5 / size {
        return 1.0;
    }
    if d >= 1.0 {
        return 0.0;
    }
    if size * d * d >= TAIL {
        return (2.0 * one_sided(size, d)).min(1.0);
    }
    (1.0 - cdf(n, d)).clamp(0.0, 1.0)
}

/// `P(D⁺ ≥ d) = d Σ_{j ≤ n(1−d)} C(n, j) (d + j/n)^{j−1} (1 − d − j/n)^{n−j}`.
fn one_sided(n: f64, d: f64) -> f64 {
    let last = (n * (1.0 - d)).floor() as usize;
    (0..=last)
        .map(|j| {
            let j = j as f64;
            let (up, down) = (d + j / n, 1.0 - d - j / n);
            if down <= 0.0 {
                return 0.0;
            }
            let choose =
                gamma::ln_gamma(n + 1.0) - gamma::ln_gamma(j + 1.0) - gamma::ln_gamma(n - j + 1.0);
            d * (choose + (j - 1.0) * up.ln() + (n - j) * down.ln()).exp()
        })
        .sum()
}

/// `P(D < d)` as `n!/nⁿ (Hⁿ)_{kk}`.
fn cdf(n: usize, d: f64) -> f64 {
    let size = n as f64;
    let k = (size * d) as usize + 1;
    let m = 2 * k - 1;
    let h = k as f64 - size * d;
    let factorial = |i: usize| gamma::ln_gamma(i as f64 + 1.0);
    let matrix = DMatrix::from_fn(m, m, |i, j| {
        if i + 1 < j {
            return 0.0;
        }
        let steps = i + 1 - j;
        let mut value = 1.0;
        if j == 0 {
            value -= h.powf(i as f64 + 1.0);
        }
        if i + 1 == m {
            value -= h.powf((m - j) as f64);
        }
        if i + 1 == m && j == 0 && 2.0 * h - 1.0 > 0.0 {
            value += (2.0 * h - 1.0).powf(m as f64);
        }
        value * (-factorial(steps)).exp()
    });
    let (power, scale) = matrix_power(&matrix, n);
    // n!/nⁿ by logarithms, together with the scale of the power.
    let log = factorial(n) - size * size.ln() + scale * std::f64::consts::LN_2;
    power[(k - 1, k - 1)] * log.exp()
}

/// `matrixⁿ = result · 2^scale`, rescaled so that nothing overflows.
fn matrix_power(matrix: &DMatrix<f64>, n: usize) -> (DMatrix<f64>, f64) {
    /// Past this the matrix is halved often enough.
    const LARGE: f64 = 1e140;
    /// `LARGE` is about 2^465.
    const HALVINGS: i32 = 465;
    let mut result = DMatrix::identity(matrix.nrows(), matrix.ncols());
    let (mut scale, mut base, mut base_scale) = (0.0, matrix.clone(), 0.0);
    let mut left = n;
    let center = matrix.nrows() / 2;
    while left > 0 {
        if left % 2 == 1 {
            result = &result * &base;
            scale += base_scale;
            if result[(center, center)] > LARGE {
                result *= 2.0_f64.powi(-HALVINGS);
                scale += f64::from(HALVINGS);
            }
        }
        left /= 2;
        if left > 0 {
            base = &base * &base;
            base_scale *= 2.0;
            if base[(center, center)] > LARGE {
                base *= 2.0_f64.powi(-HALVINGS);
                base_scale += f64::from(HALVINGS);
            }
        }
    }
    (result, scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_is_that_of_small_samples() {
        // n = 1: P(D ≥ d) = 2 (1 − d) for d ≥ 1/2.
        assert!((p_value(1, 0.7) - 0.6).abs() < 1e-14);
        // n = 2: P(D < d) = 2 (2d − 1/2)² for 1/4 ≤ d ≤ 1/2.
        assert!((p_value(2, 0.4) - (1.0 - 2.0 * 0.3_f64.powi(2))).abs() < 1e-14);
        // Marsaglia, Tsang & Wang's example: P(D₁₀ < 0.274) = 0.628_479_615_456_5
        assert!((cdf(10, 0.274) - 0.628_479_615_456_504).abs() < 1e-12);
        // Made with 80 digits (tests/reference/experiment_trust.json).
        for (n, d, p) in [
            (20, 0.1, 0.976_255_094_592_155),
            (20, 0.3, 0.043_067_066_658_517_82),
            (200, 0.05, 0.680_262_725_439_557_6),
            (200, 0.11, 0.014_579_943_886_355_076),
            (1000, 0.02, 0.810_897_131_070_212_1),
            (1000, 0.043, 0.048_110_977_242_312_43),
            (1000, 0.08, 5.154_189_384_789_827e-6),
        ] {
            assert!(
                (p_value(n, d) / p - 1.0_f64).abs() < 1e-8,
                "{n} {d}: {}",
                p_value(n, d)
            );
        }
        // Both forms agree where they meet.
        for n in [50, 1000] {
            let d = (TAIL / n as f64).sqrt();
            let (centre, tail) = (1.0 - cdf(n, d), 2.0 * one_sided(n as f64, d));
            assert!((centre / tail - 1.0).abs() < 1e-8, "{n}: {centre} {tail}");
        }
    }

    #[test]
    fn even_numbers_are_close_and_a_lump_is_far() {
        let even: Vec<f64> = (0..100).map(|i| (f64::from(i) + 0.5) / 100.0).collect();
        assert!((distance(&even) - 0.005).abs() < 1e-12);
        assert_eq!(distance(&[0.9, 0.9]), 0.9);
    }
}
