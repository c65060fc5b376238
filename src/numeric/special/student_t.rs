//! Student's t distribution with real degrees of freedom `df` > 0; infinite degrees of freedom give the normal.

use super::kernel::{Point, SQRT_TAU, Tail, gamma_star, is_positive, ln_1p_minus};
use super::{beta, normal};

/// The density.
pub fn pdf(t: f64, df: f64) -> f64 {
    if !is_positive(df) {
        return f64::NAN;
    }
    if df.is_infinite() {
        return normal::pdf(t);
    }
    // Γ((df + 1)/2)/Γ(df/2) = √b Γ*(b + ½)/Γ*(b) exp(b (ln(1 + ½/b) − ½/b)) with b = df/2.
    let b = 0.5 * df;
    let factor = gamma_star(b + 0.5) / gamma_star(b) * (b * ln_1p_minus(0.5 / b)).exp() / SQRT_TAU;
    let ratio = t / df.sqrt();
    let log = if ratio.abs() < 1e100 {
        (ratio * ratio).ln_1p()
    } else {
        2.0 * ratio.abs().ln()
    };
    factor * (-(b + 0.5) * log).exp()
}

/// The distribution function P(T ≤ t).
pub fn cdf(t: f64, df: f64) -> f64 {
    sf(-t, df)
}

/// The upper tail P(T > t), accurate where it is small.
pub fn sf(t: f64, df: f64) -> f64 {
    let half = 0.5 * outside(t, df).value();
    if t < 0.0 { 1.0 - half } else { half }
}

/// The two-sided p-value P(|T| > |t|).
pub fn two_sided(t: f64, df: f64) -> f64 {
    outside(t, df).value()
}

/// ln P(T > t), finite where the tail underflows.
pub fn ln_sf(t: f64, df: f64) -> f64 {
    let outside = outside(t, df);
    if t < 0.0 {
        (-0.5 * outside.value()).ln_1p()
    } else {
        outside.ln() - std::f64::consts::LN_2
    }
}

/// The quantile: the t with P(T ≤ t) = p.
pub fn quantile(p: f64, df: f64) -> f64 {
    if p > 0.5 {
        upper_quantile(1.0 - p, df)
    } else {
        -upper_quantile(p, df)
    }
}

/// The t with P(T > t) = q; accurate where 1 − q would round to one.
pub fn upper_quantile(q: f64, df: f64) -> f64 {
    /// Below, squares are near the end of the range of f64, where the tail is a pure power of t.
    const POWER: f64 = 1e-200;
    /// From here towards one half the central probability is the smaller one.
    const CENTRE: f64 = 0.25;
    if !((0.0..=1.0).contains(&q) && df > 0.0) {
        return f64::NAN;
    }
    if df.is_infinite() {
        return -normal::quantile(q);
    }
    if q > 0.5 {
        return -upper_quantile(1.0 - q, df);
    }
    if q <= 0.0 {
        return f64::INFINITY;
    }
    // T²/df are the odds of a beta(½, df/2) variable. In the centre the probability between 0 and t is inverted, so
    // that the quantile is accurate relative to its size also where it is close to 0.
    let b = 0.5 * df;
    if q >= CENTRE {
        return (df * beta::odds_quantile(0.5, b, 2.0 * (0.5 - q))).sqrt();
    }
    let inverse = beta::odds_quantile(b, 0.5, 2.0 * q);
    if inverse < POWER {
        // P(|T| > t) = (t²/df)^(−df/2)/(b B(b, ½)).
        let log = ((2.0 * q).ln() + b.ln() + beta::ln_beta(b, 0.5)) / df;
        return df.sqrt() * (-log).exp();
    }
    (df / inverse).sqrt()
}

/// P(|T| > |t|) as a tail.
fn outside(t: f64, df: f64) -> Tail {
    /// Beyond, the tail is its leading power to more than double precision and the square would overflow.
    const POWER: f64 = 1e100;
    if !is_positive(df) || t.is_nan() {
        return Tail::plain(f64::NAN);
    }
    if df.is_infinite() {
        let t = t.abs();
        return Tail::new(normal::ln_sf(t) + std::f64::consts::LN_2, 1.0);
    }
    let b = 0.5 * df;
    let ratio = t.abs() / df.sqrt();
    if ratio > POWER {
        let exponent = -df * ratio.ln() - b.ln() - beta::ln_beta(b, 0.5);
        return Tail::new(exponent, 1.0);
    }
    // T² is F(1, df); y = df/(df + t²). The excess b·(½ share) … vanishes at t² = 1: written as (t − 1)(t + 1).
    let square = t * t;
    let total = df + square;
    let point = Point {
        x: square / total,
        y: df / total,
        excess: 0.5 * (df / total) * (t.abs() - 1.0) * (t.abs() + 1.0),
    };
    beta::lower(0.5, b, point).flip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::PI;

    #[test]
    fn one_degree_of_freedom_is_cauchy() {
        for t in [1e-9, 0.3, 1.0, 7.0, 1e9, 1e150] {
            assert!(
                (sf(t, 1.0) / (f64::atan(1.0 / t) / PI) - 1.0).abs() < 1e-13,
                "{t}"
            );
            let density = 1.0 / (PI * (1.0 + t * t));
            assert!((pdf(t, 1.0) - density).abs() <= 1e-13 * density, "{t}");
        }
        assert!((upper_quantile(1e-250, 1.0) * PI * 1e-250 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn limits_and_nonsense() {
        assert_eq!(cdf(f64::NEG_INFINITY, 3.0), 0.0);
        assert_eq!(cdf(f64::INFINITY, 3.0), 1.0);
        assert_eq!(quantile(0.5, 3.0), 0.0);
        assert_eq!(quantile(1.0, 3.0), f64::INFINITY);
        assert_eq!(quantile(0.0, 3.0), f64::NEG_INFINITY);
        assert_eq!(cdf(0.0, 3.0), 0.5);
        assert!((cdf(-3.0, f64::INFINITY) / normal::cdf(-3.0) - 1.0).abs() < 1e-15);
        assert!((cdf(-3.0, 1e300) / normal::cdf(-3.0) - 1.0).abs() < 1e-14);
        for df in [0.0, -1.0, f64::NAN] {
            assert!(cdf(1.0, df).is_nan() && quantile(0.3, df).is_nan() && pdf(1.0, df).is_nan());
        }
        assert!(
            cdf(f64::NAN, 3.0).is_nan()
                && quantile(-0.1, 3.0).is_nan()
                && quantile(f64::NAN, 3.0).is_nan()
        );
        assert!(cdf(f64::NAN, f64::INFINITY).is_nan());
    }

    proptest! {
        #[test]
        fn quantile_inverts(ln_df in -1.0..30.0_f64, ln_q in -250.0..-0.7_f64) {
            let (df, q) = (ln_df.exp(), ln_q.exp());
            let t = upper_quantile(q, df);
            prop_assert!((ln_sf(t, df) - ln_q).abs() <= 1e-13 * (10.0 + ln_q.abs() * 2.0), "{} {}", t, ln_sf(t, df));
            prop_assert!((two_sided(t, df) / q - 2.0).abs() <= 1e-11);
        }

        #[test]
        fn tails_sum_to_one(t in -50.0..50.0_f64, ln_df in -3.0..40.0_f64) {
            let df = ln_df.exp();
            prop_assert!((cdf(t, df) + sf(t, df) - 1.0).abs() < 1e-15);
            prop_assert!(sf(t + 1e-6, df) <= sf(t, df));
        }
    }
}
