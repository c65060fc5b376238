//! The gamma function: logarithm, derivatives, regularised incomplete integrals and their inverses.

use super::kernel::{Tail, exp_m1_minus, gamma_prefix, is_positive};
pub use super::polygamma::{digamma, trigamma};
use super::quadrature::{self, NEGLIGIBLE};
use super::{normal, root};

/// ln |Γ(x)|; infinite at 0 and the negative integers. Relative error below 10⁻¹⁵ for x > 0, also next to the zeros at
/// 1 and 2 (fdlibm's approximations).
pub fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// ln Γ(1 + a), accurate relative to its size for tiny `a`, where 1 + a would round.
pub fn ln_gamma_1p(a: f64) -> f64 {
    /// 1 − γ, with Euler's constant γ.
    const ONE_MINUS_EULER: f64 = 0.422_784_335_098_467_13;
    let near = a.abs() <= 0.5;
    if !near {
        return libm::lgamma(1.0 + a);
    }
    // DLMF 5.7.3: ln Γ(1 + a) = −ln(1 + a) + a(1 − γ) + Σ (−1)ᵏ (ζ(k) − 1) aᵏ/k.
    let (mut power, mut sum) = (a, 0.0);
    for (k, zeta) in (2_u32..).zip(ZETA_MINUS_1) {
        power *= -a;
        sum -= zeta * power / f64::from(k);
    }
    a * ONE_MINUS_EULER - a.ln_1p() + sum
}

/// P(a, x) = 1/Γ(a) ∫₀ˣ tᵃ⁻¹ e⁻ᵗ dt, the distribution function of a gamma variable of shape `a` > 0 and scale 1 at
/// x ≥ 0.
///
/// Power series, continued fraction, or, for large a with x near a, Gauss–Legendre quadrature of the remaining
/// integral in ln t, whose integrand is smooth and log-concave; the prefix is Loader's (2000) saddle-point form.
pub fn lower_regularized(a: f64, x: f64) -> f64 {
    lower(a, x).value()
}

/// Q(a, x) = 1 − P(a, x), accurate where it is small.
pub fn upper_regularized(a: f64, x: f64) -> f64 {
    lower(a, x).flip().value()
}

/// ln P(a, x), finite where P underflows.
pub fn ln_lower_regularized(a: f64, x: f64) -> f64 {
    lower(a, x).ln()
}

/// ln Q(a, x), finite where Q underflows.
pub fn ln_upper_regularized(a: f64, x: f64) -> f64 {
    lower(a, x).flip().ln()
}

/// The density xᵃ⁻¹ e⁻ˣ / Γ(a).
pub fn pdf(a: f64, x: f64) -> f64 {
    if !is_positive(a) || x.is_nan() || a.is_infinite() {
        return f64::NAN;
    }
    if x < 0.0 || x.is_infinite() {
        return 0.0;
    }
    if x <= 0.0 {
        return if a < 1.0 {
            f64::INFINITY
        } else if a > 1.0 {
            0.0
        } else {
            1.0
        };
    }
    let prefix = gamma_prefix(a, x);
    Tail::new(prefix.exponent - x.ln(), prefix.factor).unbounded()
}

/// The x with P(a, x) = p.
pub fn quantile(a: f64, p: f64) -> f64 {
    if !(a > 0.0 && a.is_finite() && (0.0..=1.0).contains(&p)) {
        return f64::NAN;
    }
    if p > 0.5 {
        upper_quantile(a, 1.0 - p)
    } else {
        invert(a, p, false)
    }
}

/// The x with Q(a, x) = q; accurate where 1 − q would round to one.
pub fn upper_quantile(a: f64, q: f64) -> f64 {
    if !(a > 0.0 && a.is_finite() && (0.0..=1.0).contains(&q)) {
        return f64::NAN;
    }
    if q > 0.5 {
        invert(a, 1.0 - q, false)
    } else {
        invert(a, q, true)
    }
}

/// Solves for the tail of probability `target` ≤ ½.
fn invert(a: f64, target: f64, upper: bool) -> f64 {
    if target <= 0.0 {
        return if upper { f64::INFINITY } else { 0.0 };
    }
    // Near 0, P ≈ xᵃ/Γ(a + 1); elsewhere Wilson & Hilferty (1931).
    let z = normal::quantile(target) * if upper { -1.0 } else { 1.0 };
    let p = if upper { 1.0 - target } else { target };
    let cube = a * (1.0 - 1.0 / (9.0 * a) + z / (3.0 * a.sqrt())).powi(3);
    let small = ((p.ln() + ln_gamma_1p(a)) / a).exp();
    let start = if a > 0.5 && cube > 0.0 && (upper || small > 0.1 * a) {
        cube
    } else {
        small
    };
    if small <= 0.0 && !upper {
        return 0.0;
    }
    let goal = target.ln();
    root::positive(start, |x| {
        let tail = if upper {
            lower(a, x).flip()
        } else {
            lower(a, x)
        };
        let prefix = gamma_prefix(a, x);
        let log = tail.ln();
        let slope = (prefix.exponent + prefix.factor.ln() - log).exp();
        if upper {
            (goal - log, slope)
        } else {
            (log - goal, slope)
        }
    })
}

/// P(a, x) as a tail; whichever side is not large is computed directly.
pub(super) fn lower(a: f64, x: f64) -> Tail {
    /// Below this shape the series and the continued fraction converge in tens of terms everywhere.
    const SMALL_SHAPE: f64 = 200.0;
    if !(a > 0.0 && x >= 0.0 && a.is_finite()) {
        return Tail::plain(f64::NAN);
    }
    if x <= 0.0 {
        return Tail::plain(0.0);
    }
    if x.is_infinite() {
        return Tail::plain(0.0).flip();
    }
    let far = (x - a).abs() > 0.3 * a;
    if x < 1.0 && a < 1.0 {
        /// ln ½ or so: below, P itself is the smaller side.
        const HALF: f64 = -0.7;
        if a * x.ln() < HALF {
            series(a, x)
        } else {
            small_upper(a, x).flip()
        }
    } else if x <= a {
        if far || a < SMALL_SHAPE {
            series(a, x)
        } else {
            integral(a, x, -1.0)
        }
    } else if far || a < SMALL_SHAPE {
        fraction(a, x).flip()
    } else {
        integral(a, x, 1.0).flip()
    }
}

/// P(a, x) = xᵃ e⁻ˣ/Γ(a + 1) Σ xⁿ/((a + 1)…(a + n)) (DLMF 8.11.4).
fn series(a: f64, x: f64) -> Tail {
    let prefix = gamma_prefix(a, x);
    let (mut term, mut sum, mut n) = (1.0, 1.0, a);
    while term > sum * f64::EPSILON * 0.1 {
        n += 1.0;
        term *= x / n;
        sum += term;
    }
    Tail::new(prefix.exponent, prefix.factor * sum / a)
}

/// Q(a, x) for a, x < 1 without cancellation as a → 0: 1 − xᵃ/Γ(a + 1) (1 + a Σ (−x)ⁿ/((a + n) n!)) (DLMF 8.7.1).
fn small_upper(a: f64, x: f64) -> Tail {
    let shortfall = (a * x.ln() - ln_gamma_1p(a)).exp_m1();
    let (mut power, mut sum, mut n) = (1.0_f64, 0.0_f64, 0.0);
    loop {
        n += 1.0;
        power *= -x / n;
        let term = power / (a + n);
        sum += term;
        if term.abs() < sum.abs() * f64::EPSILON * 0.1 {
            break;
        }
    }
    Tail::plain(-shortfall - (1.0 + shortfall) * a * sum)
}

/// Q(a, x) by Legendre's continued fraction (DLMF 8.9.2, even part), evaluated by Lentz's method.
fn fraction(a: f64, x: f64) -> Tail {
    /// Stands in for a vanishing denominator.
    const TINY: f64 = 1e-290;
    let prefix = gamma_prefix(a, x);
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / if b.abs() < TINY { TINY } else { b };
    let (mut value, mut n) = (d, 0.0);
    loop {
        n += 1.0;
        let numerator = n * (a - n);
        b += 2.0;
        d = 1.0 / (numerator * d + b);
        c = b + numerator / c;
        let factor = c * d;
        value *= factor;
        if (factor - 1.0).abs() < f64::EPSILON || n > 1e4 {
            break;
        }
    }
    Tail::new(prefix.exponent, prefix.factor * value)
}

/// The tail on the given side of `x`, which lies on that side of `a`, for large `a`: with t = x eʷ the integrand
/// relative to its value at x is exp(−[(x − a) w + x (eʷ − 1 − w)]), and both terms are positive.
fn integral(a: f64, x: f64, side: f64) -> Tail {
    /// The integrand is at most about nine standard deviations of a normal density wide.
    const PANELS: usize = 4;
    let distance = x - a;
    // Where the linear or the quadratic term alone is negligible; e⁻ʷ − 1 + w > w²/3 for w < 1.
    let reach = (NEGLIGIBLE / distance.abs()).min((3.0 * NEGLIGIBLE / x).sqrt());
    let area = quadrature::panels(0.0, reach, PANELS, |v| {
        let w = side * v;
        (-(distance * w + x * exp_m1_minus(w))).exp()
    });
    let prefix = gamma_prefix(a, x);
    Tail::new(prefix.exponent, prefix.factor * area)
}

/// ζ(k) − 1 for k = 2, 3, ….
const ZETA_MINUS_1: [f64; 28] = [
    0.644_934_066_848_226_4,
    0.202_056_903_159_594_3,
    0.082_323_233_711_138_19,
    0.036_927_755_143_369_93,
    0.017_343_061_984_449_14,
    0.008_349_277_381_922_827,
    0.004_077_356_197_944_34,
    0.002_008_392_826_082_214_3,
    0.000_994_575_127_818_085_3,
    0.000_494_188_604_119_464_5,
    0.000_246_086_553_308_048_3,
    0.000_122_713_347_578_489_15,
    6.124_813_505_870_483e-5,
    3.058_823_630_702_049e-5,
    1.528_225_940_865_187e-5,
    7.637_197_637_899_763e-6,
    3.817_293_264_999_84e-6,
    1.908_212_716_553_939e-6,
    9.539_620_338_727_962e-7,
    4.769_329_867_878_064e-7,
    2.384_505_027_277_33e-7,
    1.192_199_259_653_110_6e-7,
    5.960_818_905_125_948e-8,
    2.980_350_351_465_228e-8,
    1.490_155_482_836_504_3e-8,
    7.450_711_789_835_43e-9,
    3.725_334_024_788_457e-9,
    1.862_659_723_513_049e-9,
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn limits_and_nonsense() {
        assert_eq!(lower_regularized(2.0, 0.0), 0.0);
        assert_eq!(upper_regularized(2.0, f64::INFINITY), 0.0);
        assert_eq!(quantile(2.0, 1.0), f64::INFINITY);
        assert_eq!(quantile(2.0, 0.0), 0.0);
        for (a, x) in [
            (-1.0, 1.0),
            (0.0, 1.0),
            (1.0, -1.0),
            (f64::NAN, 1.0),
            (1.0, f64::NAN),
        ] {
            assert!(lower_regularized(a, x).is_nan() && upper_regularized(a, x).is_nan());
        }
        assert!(
            quantile(1.0, 1.5).is_nan()
                && quantile(1.0, f64::NAN).is_nan()
                && quantile(-1.0, 0.5).is_nan()
        );
    }

    proptest! {
        #[test]
        fn tails_sum_to_one_and_rise(ln_a in -12.0..16.0_f64, z in -6.0..6.0_f64) {
            let a = ln_a.exp();
            let x = (a + z * a.sqrt()).abs();
            prop_assert!((lower_regularized(a, x) + upper_regularized(a, x) - 1.0).abs() < 1e-14);
            prop_assert!(lower_regularized(a, x * (1.0 + 1e-9)) >= lower_regularized(a, x) * (1.0 - 1e-13));
        }

        #[test]
        fn quantile_inverts(ln_a in -4.0..18.0_f64, ln_p in -300.0..0.0_f64) {
            let (a, p) = (ln_a.exp(), ln_p.exp());
            let x = quantile(a, p);
            prop_assume!(x > 1e-300);
            prop_assert!((ln_lower_regularized(a, x) - ln_p).abs() <= 1e-12 * (1.0 + a) * ln_p.abs().max(1.0));
            let y = upper_quantile(a, p);
            prop_assert!((ln_upper_regularized(a, y) - ln_p).abs() <= 1e-12 * (1.0 + a) * ln_p.abs().max(1.0));
        }
    }
}
