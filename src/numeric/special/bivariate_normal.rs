//! The distribution function of two correlated normal variables, accurate relative to its size.

use super::{normal, quadrature, truncated_normal};
use std::f64::consts::{FRAC_PI_2, TAU};

/// P(X ≤ h, Y ≤ k) for standard normals X and Y of correlation ρ in [−1, 1]; NaN otherwise.
///
/// Drezner & Wesolowsky's (1990) integral over the correlation, in panels that shrink towards its singularity at ±1; where it would
/// cancel, the integral of φ(x) Φ((k − ρ x)/√(1 − ρ²)), whose integrand is positive and log-concave, so that also tiny
/// probabilities are accurate relative to their size.
pub fn bivariate_cdf(h: f64, k: f64, rho: f64) -> f64 {
    if h.is_nan() || k.is_nan() || !(-1.0..=1.0).contains(&rho) {
        return f64::NAN;
    }
    let (h, k) = if h <= k { (h, k) } else { (k, h) };
    if h.is_infinite() && h < 0.0 {
        return 0.0;
    }
    if k.is_infinite() || rho >= 1.0 {
        return normal::cdf(h);
    }
    if rho <= -1.0 {
        return truncated_normal::mass(-k, h);
    }
    if is_all_of_first(h, k) {
        return normal::cdf(h);
    }
    if h * h + k * k > FAR {
        return ln_over_first(h, k, rho).exp();
    }
    let angle = rho.abs().acos();
    let product = normal::cdf(h) * normal::cdf(k);
    let change = over_correlation(h, if rho < 0.0 { -k } else { k }, angle, FRAC_PI_2, product);
    let value = product + change.copysign(rho);
    if value > REMAINS * product {
        return value;
    }
    // From ρ = −1 on nothing cancels. Nearer to it than `start` the integrand is too small to count.
    let square = 0.5 * (h + k).powi(2);
    let rise = 0.5 * (h * k).abs() * (0.5 * angle).tan().powi(2);
    let most = square / angle.sin().powi(2) + rise + quadrature::NEGLIGIBLE;
    let start = (square / most).sqrt().asin();
    truncated_normal::mass(-k, h) + over_correlation(h, -k, start, angle, 0.0)
}

/// ln P(X ≤ h, Y ≤ k), finite where the probability underflows; −∞ where it is 0, NaN where [`bivariate_cdf`] is.
pub fn ln_bivariate_cdf(h: f64, k: f64, rho: f64) -> f64 {
    let (h, k) = if h <= k { (h, k) } else { (k, h) };
    if h > UNDERFLOWS {
        let p = bivariate_cdf(h, k, rho);
        if p > TINY || p.is_nan() {
            return p.ln();
        }
    }
    if h.is_nan() || k.is_nan() || !(-1.0..=1.0).contains(&rho) {
        f64::NAN
    } else if h.is_infinite() {
        f64::NEG_INFINITY
    } else if k.is_infinite() || rho >= 1.0 || is_all_of_first(h, k) {
        normal::ln_cdf(h)
    } else if rho <= -1.0 {
        truncated_normal::ln_mass(-k, h)
    } else {
        ln_over_first(h, k, rho)
    }
}

/// Whether P(X ≤ h, Y > k) ≤ Φ(−k) is nothing beside Φ(h), whatever the correlation.
fn is_all_of_first(h: f64, k: f64) -> bool {
    /// Φ(−8) is six units in the last place of 1.
    const ENOUGH: f64 = 8.0;
    const PART: f64 = 0.25 * f64::EPSILON;
    k > ENOUGH && normal::ln_cdf(-k) < normal::ln_cdf(h) + PART.ln()
}

/// Probabilities below this are worked out as logarithms: Φ of [`UNDERFLOWS`] is smaller.
const TINY: f64 = 1e-250;

/// Where both the limits are not above this, the probability is below [`TINY`].
const UNDERFLOWS: f64 = -34.0;

/// Beyond this sum of squares the densities are too small for doubles.
const FAR: f64 = 1_200.0;

/// With a negative correlation at least this share of the product must remain when the integral is taken away.
const REMAINS: f64 = 0.01;

/// 1/2π ∫ exp(−(h − k)²/(2 sin² φ) − h k/(2 cos² ½φ)) dφ over φ = acos ρ: what correlations in a range add to the probability, but for parts that are
/// negligible beside `known`. The integrand is singular at φ = 0: panels shrink towards it, and are the shorter the steeper it is.
fn over_correlation(h: f64, k: f64, from: f64, to: f64, known: f64) -> f64 {
    /// A panel gives all digits of an exponential that falls by e to this.
    const STEEP: f64 = 16.0;
    let gap = h - k;
    let smooth = gap.abs() <= 0.0;
    let exponents = |phi: f64| {
        let (sine, cosine) = phi.sin_cos();
        let apart = if smooth { 0.0 } else { gap / sine };
        (-0.5 * apart * apart, -h * k / (1.0 + cosine))
    };
    let (mut upper, mut total) = (to, 0.0);
    while upper > from {
        let lower = if smooth {
            from
        } else {
            (0.5 * upper).max(from)
        };
        let ((a, c), (b, d)) = (exponents(lower), exponents(upper));
        // Both terms are monotone, and the first rises.
        if b + c.max(d) > f64::max(known, total).ln() - quadrature::NEGLIGIBLE {
            let count = 1 + ((b - a + (c - d).abs()) / STEEP) as usize;
            total += quadrature::panels(lower, upper, count, |phi| {
                let (apart, together) = exponents(phi);
                (apart + together).exp()
            }) / TAU;
        }
        upper = lower;
    }
    total
}

/// ln ∫ φ(x) Φ((k − ρ x)/√(1 − ρ²)) over x = h − u, u ≥ 0.
fn ln_over_first(h: f64, k: f64, rho: f64) -> f64 {
    let (sign, rest) = (rho.signum(), 1.0 - rho.abs());
    let deviation = (rest * (1.0 + rho.abs())).sqrt();
    // k − ρ x = (k ∓ h) ± u ± (1 − |ρ|) x: nothing is lost when |ρ| is near 1.
    let offset = k - sign * h;
    let exponent = |u: f64| {
        if u < 0.0 {
            return f64::NEG_INFINITY;
        }
        let x = h - u;
        -0.5 * x * x + normal::ln_cdf((offset + sign * (u + rest * x)) / deviation)
    };
    let (top, area) = quadrature::integrate_peak(0.0, 0.25, 0.0, exponent);
    top + area.ln() - 0.5 * TAU.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn orthants_have_closed_forms() {
        for rho in [-0.999_999, -0.9, -0.3, 0.0, 0.5, 0.71, 0.99, 0.999_999_999] {
            let exact = 0.25 + f64::asin(rho) / TAU;
            assert!(
                (bivariate_cdf(0.0, 0.0, rho) / exact - 1.0).abs() < 1e-12,
                "{rho}"
            );
        }
    }

    #[test]
    fn far_and_nearly_singular_bivariate_probabilities() {
        // mpmath 1.3.0 with 40 digits: quad of npdf(x) ncdf((k − ρ x)/√(1 − ρ²)) in 400 panels.
        for (h, k, rho, exact) in [
            (-3.0, -3.0, 0.999_99, 0.001_341_991_116_712_209_8),
            (-9.0, 0.3, -0.3, 6.102_720_272_664_434e-22),
            (1.0, 7.0, -0.9999, 0.841_344_746_067_263_1),
            (-20.0, -20.0, 0.5, 1.576_681_653_144_051_4e-119),
        ] {
            let found = bivariate_cdf(h, k, rho);
            assert!((found / exact - 1.0).abs() < 1e-12, "{h} {k} {rho} {found}");
            assert!((bivariate_cdf(k, h, rho) - found).abs() <= 0.0);
        }
    }

    #[test]
    fn the_logarithm_has_no_floor() {
        // Independent: the sum of two logarithms. Nearly one variable: the smaller of two.
        let far = ln_bivariate_cdf(-40.0, -45.0, 0.0);
        assert!((far - normal::ln_cdf(-40.0) - normal::ln_cdf(-45.0)).abs() < 1e-9);
        let one = ln_bivariate_cdf(-60.0, -5.0, 0.999_999_97);
        assert!((one / normal::ln_cdf(-60.0) - 1.0).abs() < 1e-9);
        // The limits: the variables are one, or opposites.
        assert!((ln_bivariate_cdf(-60.0, 5.0, 1.0) - normal::ln_cdf(-60.0)).abs() <= 0.0);
        let between = truncated_normal::ln_mass(-50.0, -49.0);
        assert!((ln_bivariate_cdf(50.0, -49.0, -1.0) - between).abs() <= 0.0);
        assert!(ln_bivariate_cdf(f64::NEG_INFINITY, 1.0, 0.2) < f64::MIN);
        assert!(ln_bivariate_cdf(-50.0, 1.0, 1.1).is_nan());
        // Where both ways can go they meet, also at the edge of what is nothing beside the rest.
        for (h, k, rho) in [
            (-20.0, -15.0, 0.46),
            (-30.0, 2.0, -0.29),
            (-12.0, -13.0, -0.6),
            (0.0, 8.3, -0.999),
            (-8.0, 11.3, -0.7),
            (-33.0, 34.1, -0.9),
        ] {
            let (direct, long) = (
                ln_bivariate_cdf(h, k, rho),
                ln_over_first(f64::min(h, k), f64::max(h, k), rho),
            );
            assert!(
                (direct - long).abs() < 1e-12 * (1.0 + direct.abs()),
                "{h} {k} {rho}: {direct} {long}"
            );
        }
    }

    proptest! {
        #[test]
        fn quadrants_sum(h in -5.0..5.0_f64, k in -5.0..5.0_f64, rho in -1.0..1.0_f64) {
            let sum = bivariate_cdf(h, k, rho) + bivariate_cdf(h, -k, -rho);
            prop_assert!((sum / normal::cdf(h) - 1.0).abs() < 1e-12);
            // A difference, because both may underflow.
            let (one, other) = (bivariate_cdf(h, k, rho), bivariate_cdf(k, h, rho));
            prop_assert!((one - other).abs() <= 1e-14 * one);
        }

        #[test]
        fn both_ways_agree(h in -6.0..6.0_f64, k in -6.0..6.0_f64, rho in -0.9..0.9_f64) {
            let (h, k) = if h < k { (h, k) } else { (k, h) };
            prop_assert!((bivariate_cdf(h, k, rho) / ln_over_first(h, k, rho).exp() - 1.0).abs() < 1e-12);
        }
    }
}
