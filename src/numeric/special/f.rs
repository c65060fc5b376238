//! Fisher's F distribution with real degrees of freedom > 0, either of which may be infinite.

use super::kernel::{Point, Tail, beta_prefix};
use super::{beta, gamma};

/// The density; NaN when both degrees of freedom are infinite (the mass is at 1).
pub fn pdf(x: f64, numerator: f64, denominator: f64) -> f64 {
    if !(numerator > 0.0 && denominator > 0.0) || x.is_nan() {
        return f64::NAN;
    }
    if x < 0.0 {
        return 0.0;
    }
    let (a, b) = (0.5 * numerator, 0.5 * denominator);
    match (a.is_infinite(), b.is_infinite()) {
        (true, true) => f64::NAN,
        (false, true) => a * gamma::pdf(a, a * x),
        (true, false) if x <= 0.0 => 0.0,
        (true, false) => b / x * gamma::pdf(b, b / x) / x,
        (false, false) if x <= 0.0 => {
            if a < 1.0 {
                f64::INFINITY
            } else if a > 1.0 {
                0.0
            } else {
                1.0
            }
        }
        (false, false) => {
            let prefix = beta_prefix(a, b, point(x, a, b));
            Tail::new(prefix.exponent - x.ln(), prefix.factor).unbounded()
        }
    }
}

/// The distribution function; 0 for x < 0.
pub fn cdf(x: f64, numerator: f64, denominator: f64) -> f64 {
    lower(x, numerator, denominator).value()
}

/// The upper tail, the p-value of an F statistic.
pub fn sf(x: f64, numerator: f64, denominator: f64) -> f64 {
    lower(x, numerator, denominator).flip().value()
}

/// ln of the upper tail, finite where the tail underflows.
pub fn ln_sf(x: f64, numerator: f64, denominator: f64) -> f64 {
    lower(x, numerator, denominator).flip().ln()
}

/// The x with cdf(x) = p.
pub fn quantile(p: f64, numerator: f64, denominator: f64) -> f64 {
    if !(numerator > 0.0 && denominator > 0.0 && (0.0..=1.0).contains(&p)) {
        return f64::NAN;
    }
    let (a, b) = (0.5 * numerator, 0.5 * denominator);
    match (a.is_infinite(), b.is_infinite()) {
        (true, true) => 1.0,
        (false, true) => gamma::quantile(a, p) / a,
        (true, false) => b / gamma::upper_quantile(b, p),
        (false, false) => beta::odds_quantile(a, b, p) * (b / a),
    }
}

/// The x with sf(x) = q; accurate where 1 − q would round to one.
pub fn upper_quantile(q: f64, numerator: f64, denominator: f64) -> f64 {
    // 1/F has the same distribution with the degrees of freedom exchanged.
    1.0 / quantile(q, denominator, numerator)
}

/// P(F ≤ x) as a tail.
fn lower(x: f64, numerator: f64, denominator: f64) -> Tail {
    if !(numerator > 0.0 && denominator > 0.0) || x.is_nan() {
        return Tail::plain(f64::NAN);
    }
    if x <= 0.0 {
        return Tail::plain(0.0);
    }
    if x.is_infinite() {
        return Tail::plain(0.0).flip();
    }
    let (a, b) = (0.5 * numerator, 0.5 * denominator);
    match (a.is_infinite(), b.is_infinite()) {
        (true, true) => Tail::plain(f64::from(x >= 1.0)),
        (false, true) => gamma::lower(a, a * x),
        (true, false) => gamma::lower(b, b / x).flip(),
        (false, false) => beta::lower(a, b, point(x, a, b)),
    }
}

/// The share a x/(a x + b) of beta(a, b), with its distance from the mean free of cancellation.
pub(super) fn point(x: f64, a: f64, b: f64) -> Point {
    // Scaled by b, so that nothing overflows.
    let odds = a / b * x;
    let y = 1.0 / (1.0 + odds);
    Point {
        x: if odds > 1.0 {
            1.0 / (1.0 + 1.0 / odds)
        } else {
            odds * y
        },
        y,
        excess: if odds > 1.0 {
            b * (1.0 - 1.0 / x) / (1.0 + 1.0 / odds)
        } else {
            a * (x - 1.0) * y
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_numerator_degrees_have_a_closed_form() {
        for n in [0.5, 3.0, 40.0, 1e7] {
            for x in [1e-9, 0.3, 1.0, 2.5, 30.0] {
                // P(F > x) = (1 + 2x/n)^(−n/2).
                let log = -0.5 * n * f64::ln_1p(2.0 * x / n);
                assert!(
                    (ln_sf(x, 2.0, n) - log).abs() <= 1e-13 * (log.abs() + 0.01),
                    "{n} {x}"
                );
                assert!(
                    (cdf(x, 2.0, n) / -log.exp_m1() - 1.0).abs() < 1e-12,
                    "{n} {x}"
                );
            }
        }
    }

    #[test]
    fn limits_and_nonsense() {
        let inf = f64::INFINITY;
        assert!((sf(2.0, 3.0, inf) / super::super::chi_squared::sf(6.0, 3.0) - 1.0).abs() < 1e-15);
        assert!((sf(2.0, 3.0, 1e18) / super::super::chi_squared::sf(6.0, 3.0) - 1.0).abs() < 1e-13);
        assert!((quantile(0.3, 3.0, inf) / quantile(0.3, 3.0, 1e18) - 1.0).abs() < 1e-13);
        assert!((quantile(0.3, inf, 3.0) / quantile(0.3, 1e18, 3.0) - 1.0).abs() < 1e-13);
        assert_eq!(cdf(0.9, inf, inf), 0.0);
        assert_eq!(cdf(-1.0, 2.0, 3.0), 0.0);
        assert_eq!(sf(inf, 2.0, 3.0), 0.0);
        assert_eq!(quantile(1.0, 2.0, 3.0), inf);
        assert!(
            cdf(1.0, -2.0, 3.0).is_nan()
                && quantile(2.0, 1.0, 1.0).is_nan()
                && pdf(f64::NAN, 1.0, 1.0).is_nan()
        );
    }

    proptest! {
        #[test]
        fn quantile_inverts(a in 0.3..1e4_f64, ln_b in -1.0..20.0_f64, p in 1e-12..1.0_f64) {
            let b = ln_b.exp();
            let x = quantile(p, a, b);
            prop_assert!((cdf(x, a, b) / p - 1.0).abs() < 1e-11);
            let y = upper_quantile(p, a, b);
            prop_assert!((sf(y, a, b) / p - 1.0).abs() < 1e-11);
        }
    }
}
