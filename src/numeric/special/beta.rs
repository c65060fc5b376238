//! The beta function: logarithm, regularised incomplete integral and its inverse.

use super::kernel::{Point, Tail, beta_prefix, is_positive, ln_1p_minus, stirling_error};
use super::quadrature::{self, NEGLIGIBLE};
use super::{gamma, normal, root};

/// ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a + b), without the cancellation of the three terms for large arguments.
pub fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    if !is_positive(small) {
        return f64::NAN;
    }
    gamma::ln_gamma(small) - ln_gamma_increase(large, small)
}

/// ln Γ(a + b) − ln Γ(a) for a, b > 0, without cancellation when b is much smaller than a.
fn ln_gamma_increase(a: f64, b: f64) -> f64 {
    /// From here Stirling's series serves.
    const STIRLING: f64 = 10.0;
    if a >= STIRLING {
        let ratio = b / a;
        // (a + b − ½) ln(a + b) − (a − ½) ln a − b, with ln(a + b) = ln a + ln(1 + b/a).
        let main = b * a.ln() + (a - 0.5) * ln_1p_minus(ratio) + b * ratio.ln_1p() - 0.5 * ratio;
        main + (stirling_error(a + b) - stirling_error(a))
    } else if b < 1.0 {
        // Γ(a) = Γ(a + 1)/a until Stirling's series applies.
        ln_gamma_increase(a + 1.0, b) - (b / a).ln_1p()
    } else {
        gamma::ln_gamma(a + b) - gamma::ln_gamma(a)
    }
}

/// I_x(a, b) = 1/B(a, b) ∫₀ˣ tᵃ⁻¹ (1 − t)ᵇ⁻¹ dt, the distribution function of a beta(a, b) variable at x in [0, 1];
/// a, b > 0.
///
/// A power series with positive terms, or Gauss–Legendre quadrature of the remaining integral in ln(t/(1 − t)), whose
/// integrand is smooth and log-concave; the prefix is Loader's (2000) saddle-point form.
pub fn regularized(a: f64, b: f64, x: f64) -> f64 {
    checked(a, b, x).value()
}

/// 1 − I_x(a, b), accurate where it is small.
pub fn upper_regularized(a: f64, b: f64, x: f64) -> f64 {
    checked(a, b, x).flip().value()
}

/// ln I_x(a, b), finite where I underflows.
pub fn ln_regularized(a: f64, b: f64, x: f64) -> f64 {
    checked(a, b, x).ln()
}

/// ln(1 − I_x(a, b)), finite where it underflows.
pub fn ln_upper_regularized(a: f64, b: f64, x: f64) -> f64 {
    checked(a, b, x).flip().ln()
}

/// The density xᵃ⁻¹ (1 − x)ᵇ⁻¹ / B(a, b).
pub fn pdf(a: f64, b: f64, x: f64) -> f64 {
    if !(is_shape(a) && is_shape(b) && !x.is_nan()) {
        return f64::NAN;
    }
    if !(0.0..=1.0).contains(&x) {
        return 0.0;
    }
    if x <= 0.0 || x >= 1.0 {
        let (near, far) = if x <= 0.0 { (a, b) } else { (b, a) };
        return if near < 1.0 {
            f64::INFINITY
        } else if near > 1.0 {
            0.0
        } else {
            far
        };
    }
    let prefix = beta_prefix(a, b, Point::from_x(a, b, x));
    Tail::new(prefix.exponent - x.ln() - (-x).ln_1p(), prefix.factor).unbounded()
}

/// The x with I_x(a, b) = p.
pub fn quantile(a: f64, b: f64, p: f64) -> f64 {
    let odds = odds_quantile(a, b, p);
    if odds.is_infinite() {
        1.0
    } else {
        odds / (1.0 + odds)
    }
}

/// The x with 1 − I_x(a, b) = q.
pub fn upper_quantile(a: f64, b: f64, q: f64) -> f64 {
    let inverse = odds_quantile(b, a, q);
    1.0 / (1.0 + inverse)
}

/// The odds x/(1 − x) of the p-quantile; those of the upper p-quantile are 1/`odds_quantile(b, a, p)`.
pub(super) fn odds_quantile(a: f64, b: f64, p: f64) -> f64 {
    if !(is_shape(a) && is_shape(b) && (0.0..=1.0).contains(&p)) {
        return f64::NAN;
    }
    if p > 0.5 {
        1.0 / invert(b, a, 1.0 - p, true)
    } else {
        invert(a, b, p, false)
    }
}

/// The odds at which I has the value `target` ≤ ½; `mirrored` says that the caller will take the inverse.
fn invert(a: f64, b: f64, target: f64, mirrored: bool) -> f64 {
    if target <= 0.0 {
        return 0.0;
    }
    // Near 0, I ≈ xᵃ/(a B(a, b)); otherwise from the mean. The logarithm of the distribution function is concave in
    // the log-odds, so Newton's method converges from any start.
    let small = ((target.ln() + a.ln() + ln_beta(a, b)) / a).exp();
    if small <= 0.0 {
        // Beyond f64: zero, or the largest number when inverted.
        return if mirrored {
            f64::MIN_POSITIVE * f64::EPSILON
        } else {
            0.0
        };
    }
    let start = if a < 1.0 {
        small.min(a / b)
    } else {
        a / b * (normal::quantile(target) * (1.0 / a + 1.0 / b).sqrt()).exp()
    };
    let goal = target.ln();
    root::positive(start, |odds| {
        let point = Point::from_odds(a, b, odds);
        let prefix = beta_prefix(a, b, point);
        let log = lower(a, b, point).ln();
        (
            log - goal,
            (prefix.exponent + prefix.factor.ln() - log).exp(),
        )
    })
}

fn is_shape(a: f64) -> bool {
    a > 0.0 && a.is_finite()
}

fn checked(a: f64, b: f64, x: f64) -> Tail {
    if !(is_shape(a) && is_shape(b) && (0.0..=1.0).contains(&x)) {
        return Tail::plain(f64::NAN);
    }
    lower(a, b, Point::from_x(a, b, x))
}

/// I_x(a, b) as a tail; whichever side is not large is computed directly.
pub(super) fn lower(a: f64, b: f64, point: Point) -> Tail {
    /// ln ½ or so.
    const HALF: f64 = -0.7;
    if point.x <= 0.0 {
        return Tail::plain(0.0);
    }
    if point.y <= 0.0 {
        return Tail::plain(0.0).flip();
    }
    // With a parameter below 1 the mean says nothing about where the mass is; xᵃ and yᵇ do.
    let (from_zero, from_one) = (a * point.x.ln(), b * point.y.ln());
    let direct = match (a < 1.0, b < 1.0) {
        (true, true) => b.ln() + from_zero <= a.ln() + from_one,
        (true, false) => point.excess <= 0.0 && from_zero < HALF,
        (false, true) => point.excess <= 0.0 || from_one > HALF,
        (false, false) => point.excess <= 0.0,
    };
    if direct {
        side(a, b, point)
    } else {
        side(b, a, point.mirror()).flip()
    }
}

/// I_x(a, b) itself, by the method that converges fast.
fn side(a: f64, b: f64, point: Point) -> Tail {
    /// A point from which the series is always fast.
    const SPLIT: f64 = 0.4;
    /// With a smaller shape the integrand in log-odds decays too slowly towards −∞; the series takes that part.
    const SLOW: f64 = 2.0;
    if series_is_fast(a, b, point.x) {
        return series(a, b, point);
    }
    if a >= SLOW {
        return integral(a, b, point, f64::INFINITY);
    }
    let reach = (point.x / point.y).ln() - (SPLIT / (1.0 - SPLIT)).ln();
    let near = integral(a, b, point, reach);
    let far = series(a, b, Point::from_x(a, b, SPLIT));
    Tail::new(
        near.exponent,
        near.factor + (far.exponent - near.exponent).exp() * far.factor,
    )
}

/// Whether the power series needs at most a few hundred terms.
fn series_is_fast(a: f64, b: f64, x: f64) -> bool {
    /// Ratio of successive terms that needs 36/0.1 terms.
    const RATIO: f64 = 0.9;
    /// Longest stretch of terms with a larger ratio that is worth its while.
    const STRETCH: f64 = 300.0;
    x.max(x * ((a + b) / (a + 1.0))) < RATIO
        || x < 0.45 && (x * (a + b) - 0.5 * (a + 1.0)) / (0.5 - x) < STRETCH
}

/// I_x(a, b) = xᵃ yᵇ/(a B(a, b)) Σ (a + b)ₙ/(a + 1)ₙ xⁿ (DLMF 8.17.8): all terms are positive.
fn series(a: f64, b: f64, point: Point) -> Tail {
    let prefix = beta_prefix(a, b, point);
    let (mut term, mut sum, mut n) = (1.0, 1.0, 0.0);
    loop {
        let ratio = (a + b + n) / (a + 1.0 + n) * point.x;
        term *= ratio;
        sum += term;
        n += 1.0;
        if ratio < 1.0 && term < sum * (1.0 - ratio.max(point.x)) * f64::EPSILON * 0.1 {
            break;
        }
    }
    Tail::new(prefix.exponent, prefix.factor * sum / a)
}

/// The integral from `reach` below the log-odds of x up to x. At log-odds lower by v the integrand relative to its
/// value at x is exp(e v − (a + b) K(−v)) with e = b x − a y and K(w) = ln(1 + x (eʷ − 1)) − x w ≥ 0.
fn integral(a: f64, b: f64, point: Point, reach: f64) -> Tail {
    /// Longest panel: the singularities of the logistic function at ±iπ must stay well outside its ellipse.
    const LONGEST: f64 = 4.0;
    /// Fewest panels, for a normal-shaped integrand.
    const FEWEST: f64 = 4.0;
    let total = a + b;
    let exponent = |v: f64| point.excess * v - total * logistic_excess(point, v);
    // Far in a tail the linear term is much narrower than the density.
    let mut width = total.sqrt().max(-point.excess / NEGLIGIBLE).recip();
    while width < reach && exponent(width) > -NEGLIGIBLE {
        width *= 1.5;
    }
    let width = width.min(reach);
    let count = (width / LONGEST).max(FEWEST).ceil() as usize;
    let area = quadrature::panels(0.0, width, count, |v| exponent(v).exp());
    let prefix = beta_prefix(a, b, point);
    Tail::new(prefix.exponent, prefix.factor * area)
}

/// K(−v) = ln(y + … ) as above, for v ≥ 0, without cancellation: K is the same from both sides, K(w; x) = K(−w; y), and
/// for x ≤ ½ it is ln(1 + u) − u + x (eʷ − 1 − w) with u = x (eʷ − 1).
fn logistic_excess(point: Point, v: f64) -> f64 {
    let (share, w) = if point.x <= 0.5 {
        (point.x, -v)
    } else {
        (point.y, v)
    };
    let u = share * w.exp_m1();
    if w.abs() > 1.0 {
        u.ln_1p() - share * w
    } else {
        ln_1p_minus(u) + share * super::kernel::exp_m1_minus(w)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn limits_and_nonsense() {
        assert_eq!(regularized(2.0, 3.0, 0.0), 0.0);
        assert_eq!(regularized(2.0, 3.0, 1.0), 1.0);
        assert_eq!(quantile(2.0, 3.0, 1.0), 1.0);
        assert_eq!(quantile(2.0, 3.0, 0.0), 0.0);
        for (a, b, x) in [
            (-1.0, 1.0, 0.5),
            (1.0, 0.0, 0.5),
            (1.0, 1.0, 1.5),
            (1.0, 1.0, -0.5),
            (f64::NAN, 1.0, 0.5),
            (1.0, 1.0, f64::NAN),
        ] {
            assert!(regularized(a, b, x).is_nan(), "{a} {b} {x}");
            assert!(quantile(a, b, x).is_nan(), "{a} {b} {x}");
        }
    }

    #[test]
    fn ln_beta_does_not_cancel() {
        // B(a, b) = (a + b)/b · B(a, b + 1)… with integer b it is a product.
        for a in [1e-9_f64, 0.3, 4.0, 9.5, 1e3, 1e8, 1e15] {
            let product: f64 = -(a.ln() + (a + 1.0).ln() + (a + 2.0).ln() - 2.0_f64.ln());
            assert!((ln_beta(a, 3.0) / product - 1.0).abs() < 2e-15, "{a}");
            assert!((ln_beta(3.0, a) / product - 1.0).abs() < 2e-15, "{a}");
        }
    }

    proptest! {
        #[test]
        fn symmetric_and_rising(ln_a in -8.0..16.0_f64, ln_b in -8.0..16.0_f64, x in 0.0..1.0_f64) {
            let (a, b) = (ln_a.exp(), ln_b.exp());
            // A point with an exact complement.
            let x = (x * 1_048_576.0).round() / 1_048_576.0;
            prop_assert!((regularized(a, b, x) - upper_regularized(b, a, 1.0 - x)).abs() < 1e-13);
            prop_assert!((regularized(a, b, x) + upper_regularized(a, b, x) - 1.0).abs() < 1e-14);
            let next = (x * (1.0 + 1e-9)).min(1.0);
            prop_assert!(regularized(a, b, next) >= regularized(a, b, x) * (1.0 - 1e-12));
        }

        #[test]
        fn quantile_inverts(ln_a in -4.0..16.0_f64, ln_b in -4.0..16.0_f64, ln_p in -200.0..0.0_f64) {
            let (a, b, p) = (ln_a.exp(), ln_b.exp(), ln_p.exp());
            let odds = odds_quantile(a, b, p);
            prop_assume!(odds > 1e-290 && odds < 1e290);
            let back = lower(a, b, Point::from_odds(a, b, odds)).ln();
            prop_assert!((back - ln_p).abs() <= 1e-13 * (10.0 + ln_p.abs()) + 1e-15 * (a + b).sqrt() * 40.0);
        }
    }
}
