//! Certainty equivalents under constant absolute risk aversion, exact for every argument: the two-outcome lottery, and the option
//! on a normal quantity.
//!
//! Each is `−(1/r) ln E e^{−r X}`, whose naive form loses every digit as r → 0 and overflows as r grows.

use crate::numeric::special::normal;

/// A value with its derivatives with respect to the belief's mean and variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slopes {
    /// The value, in money.
    pub value: f64,
    /// Its derivative with respect to m.
    pub by_mean: f64,
    /// Its derivative with respect to v.
    pub by_variance: f64,
}

impl Slopes {
    /// A number that the belief does not move.
    #[inline]
    pub(super) const fn constant(value: f64) -> Self {
        Self {
            value,
            by_mean: 0.0,
            by_variance: 0.0,
        }
    }
}

/// Below this size of r·stake the logarithm of one plus something small is exact; above, logarithms of probabilities are.
const SMALL_STAKE: f64 = 0.5;

/// The certainty equivalent of `success` with probability Φ(z) and `failure` otherwise, for the CARA coefficient r (below zero for a lover of risk, as an
/// estimate may have it): `−(1/r) ln[Φ(z) e^{−r·success} + Φ(−z) e^{−r·failure}]`, the mean at r = 0.
#[inline]
pub fn lottery(r: f64, z: f64, success: f64, failure: f64) -> f64 {
    let stake = success - failure;
    if r < 0.0 {
        return -lottery(-r, z, -success, -failure);
    }
    if r <= 0.0 {
        return failure + stake * normal::cdf(z);
    }
    if (r * stake).abs() <= SMALL_STAKE {
        failure - (normal::cdf(z) * (-r * stake).exp_m1()).ln_1p() / r
    } else {
        -log_add(
            normal::ln_cdf(z) - r * success,
            normal::ln_sf(z) - r * failure,
        ) / r
    }
}

/// The derivative of [`lottery`] with respect to z.
#[inline]
pub fn lottery_slope(r: f64, z: f64, success: f64, failure: f64) -> f64 {
    let stake = success - failure;
    if r < 0.0 {
        return -lottery_slope(-r, z, -success, -failure);
    }
    if r <= 0.0 {
        return stake * normal::pdf(z);
    }
    if (r * stake).abs() <= SMALL_STAKE {
        let loss = (-r * stake).exp_m1();
        -normal::pdf(z) * loss / (r * (1.0 + normal::cdf(z) * loss))
    } else {
        // In logarithms the density and the probabilities may underflow together.
        let total = log_add(
            normal::ln_cdf(z) - r * success,
            normal::ln_sf(z) - r * failure,
        );
        let density = normal::ln_pdf(z) - total;
        ((density - r * failure).exp() - (density - r * success).exp()) / r
    }
}

/// The certainty equivalent of `max{X, 0}`, `X ~ N(w, τ²)`, with its derivatives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptionEquivalent {
    /// `−(1/r) ln[Φ(−w/τ) + e^{−rw + r²τ²/2} Φ(w/τ − rτ)]`, at least zero.
    pub value: f64,
    /// The derivative with respect to w, between 0 and 1.
    pub by_mean: f64,
    /// The derivative with respect to τ.
    pub by_deviation: f64,
}

/// Below this size of r(|w| + τ) the series in r has converged to the last digit after [`SERIES_TERMS`] terms.
const SMALL_OPTION: f64 = 0.1;
const SERIES_TERMS: i32 = 12;

/// The certainty equivalent of the option `max{X, 0}` on `X ~ N(w, τ²)` for the CARA coefficient r ≥ 0; at r = 0 the mean
/// `wΦ(w/τ) + τφ(w/τ)`.
#[inline]
pub fn option(r: f64, w: f64, tau: f64) -> f64 {
    if tau <= 0.0 {
        return w.max(0.0);
    }
    let z = w / tau;
    if r <= 0.0 {
        return tau * loss(z);
    }
    if r * (w.abs() + tau) < SMALL_OPTION {
        -(-series(r, w, tau)).ln_1p() / r
    } else {
        -log_add(normal::ln_cdf(-z), log_exercised(r, w, tau)) / r
    }
}

/// [`option`] with its derivatives: with `A = E e^{−r max{X,0}}` and `B` its part on X > 0, they are `B/A` and
/// `(φ(w/τ) − rτB)/A`.
#[inline]
pub fn option_with_slopes(r: f64, w: f64, tau: f64) -> OptionEquivalent {
    let value = option(r, w, tau);
    if tau <= 0.0 {
        return OptionEquivalent {
            value,
            by_mean: if w > 0.0 { 1.0 } else { 0.0 },
            by_deviation: 0.0,
        };
    }
    let z = w / tau;
    if r <= 0.0 {
        return OptionEquivalent {
            value,
            by_mean: normal::cdf(z),
            by_deviation: normal::pdf(z),
        };
    }
    // ln A = −r·value, so nothing overflows.
    let exercised = (log_exercised(r, w, tau) + r * value).exp();
    let density = (normal::ln_pdf(z) + r * value).exp();
    OptionEquivalent {
        value,
        by_mean: exercised,
        by_deviation: density - r * tau * exercised,
    }
}

/// zΦ(z) + φ(z) = E max{Z + z, 0}, without cancellation for z far below zero.
#[inline]
fn loss(z: f64) -> f64 {
    /// Here zΦ(z) + φ(z) has lost four digits; the continued fraction of the ratio takes over.
    const FAR: f64 = -30.0;
    if z > FAR {
        z * normal::cdf(z) + normal::pdf(z)
    } else {
        // φ(z)/z² (1 − 3/z² + 15/z⁴ − …)
        let s = 1.0 / (z * z);
        normal::pdf(z) * s * (1.0 - 3.0 * s * (1.0 - 5.0 * s * (1.0 - 7.0 * s)))
    }
}

/// `1 − E e^{−r max{X,0}} = −Σ_{k≥1} (−r)^k M_k/k!` with the moments `M_k = E max{X,0}^k`,
/// `M_k = w M_{k−1} + (k−1) τ² M_{k−2}`.
#[inline]
fn series(r: f64, w: f64, tau: f64) -> f64 {
    let z = w / tau;
    let (mut before, mut moment) = (normal::cdf(z), tau * loss(z));
    let mut factor = r;
    let mut sum = r * moment;
    for k in 2..=SERIES_TERMS {
        let k = f64::from(k);
        let next = w * moment + (k - 1.0) * tau * tau * before;
        (before, moment) = (moment, next);
        factor *= -r / k;
        sum += factor * moment;
    }
    sum
}

/// ln of `e^{−rw + r²τ²/2} Φ(w/τ − rτ)`, the part of `E e^{−r max{X,0}}` on X > 0.
#[inline]
fn log_exercised(r: f64, w: f64, tau: f64) -> f64 {
    let z = w / tau;
    let shifted = z - r * tau;
    if shifted > 0.0 {
        r * (0.5 * r * tau * tau - w) + normal::ln_cdf(shifted)
    } else {
        // e^{−rw + r²τ²/2} = φ(z)/φ(z − rτ), and Φ/φ has no exponential: two large squares would cancel.
        normal::ln_pdf(z) - normal::inverse_mills(shifted).ln()
    }
}

/// ln(e^a + e^b).
#[inline]
fn log_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if high > f64::NEG_INFINITY {
        high + (low - high).exp().ln_1p()
    } else {
        high
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::quadrature::Adaptive;

    /// −(1/r) ln E e^{−r f(Z)} by adaptive quadrature of the excess over one, split at the kink.
    fn by_quadrature(r: f64, kink: f64, f: impl Fn(f64) -> f64) -> f64 {
        let rule = Adaptive::new()
            .relative_tolerance(1e-13)
            .absolute_tolerance(1e-300);
        let g = |x: f64| {
            let y = f(x);
            normal::pdf(x) * if r > 0.0 { (-r * y).exp_m1() } else { y }
        };
        let kink = kink.clamp(-30.0, 30.0);
        let total: f64 = [
            (-38.0, kink - 8.0),
            (kink - 8.0, kink),
            (kink, kink + 8.0),
            (kink + 8.0, 68.0),
        ]
        .iter()
        .map(|(low, high)| rule.integrate(g, *low, *high).unwrap().value)
        .sum();
        if r > 0.0 { -total.ln_1p() / r } else { total }
    }

    #[test]
    fn the_option_agrees_with_quadrature() {
        for r in [0.0, 1e-9, 1e-3, 0.09, 0.3, 2.0] {
            for (w, tau) in [(1.4, 2.0), (-3.0, 1.0), (0.0, 0.5), (5.0, 1.0), (-0.2, 3.0)] {
                let exact = option(r, w, tau);
                let found = by_quadrature(r, -w / tau, |x| (w + tau * x).max(0.0));
                assert!(
                    (exact - found).abs() < 1e-11 * (1.0 + exact),
                    "{r} {w} {tau}: {exact} {found}"
                );
            }
        }
    }

    #[test]
    fn the_option_joins_its_branches_and_survives_the_far_tails() {
        for (w, tau) in [(1.4, 2.0), (-2.0, 1.0), (0.3, 0.1)] {
            let r = SMALL_OPTION / (f64::abs(w) + tau);
            let (below, above) = (
                option(r * (1.0 - 1e-9), w, tau),
                option(r * (1.0 + 1e-9), w, tau),
            );
            assert!((below - above).abs() < 1e-9 * below, "{below} {above}");
            assert!((option(1e-300, w, tau) - option(0.0, w, tau)).abs() < 1e-14);
        }
        assert_eq!(option(0.3, -1e9, 2.0), 0.0);
        assert!((option(0.3, 1e9, 2.0) / (1e9 - 0.6) - 1.0).abs() < 1e-15);
        // Infinite aversion: only the worst case, nothing, counts.
        let grim = option(1e8, 1.0, 1.0);
        assert!(grim > 0.0 && grim < 1e-6);
        // Φ(−40) underflows; so does the value, quietly.
        assert!(option(0.0, -40.0, 1.0) >= 0.0 && option(0.7, -40.0, 1.0) >= 0.0);
        assert!(option_with_slopes(0.3, 1e6, 1.0).by_mean <= 1.0 + 1e-9);
        assert_eq!(option(0.5, 1.0, 0.0), 1.0);
    }

    #[test]
    fn slopes_are_the_differences() {
        let h = 1e-5;
        for r in [0.0, 1e-6, 0.05, 0.7, 3.0] {
            for (w, tau) in [(1.4, 2.0), (-1.0, 1.0), (4.0, 0.8)] {
                let at = option_with_slopes(r, w, tau);
                let by_w = (option(r, w + h, tau) - option(r, w - h, tau)) / (2.0 * h);
                let by_tau = (option(r, w, tau + h) - option(r, w, tau - h)) / (2.0 * h);
                assert!((at.by_mean - by_w).abs() < 1e-8, "{r} {w} {tau}");
                assert!((at.by_deviation - by_tau).abs() < 1e-8, "{r} {w} {tau}");
            }
            for z in [-2.0, 0.1, 3.0] {
                let by_z =
                    (lottery(r, z + h, 3.0, -1.0) - lottery(r, z - h, 3.0, -1.0)) / (2.0 * h);
                assert!(
                    (lottery_slope(r, z, 3.0, -1.0) - by_z).abs() < 1e-8,
                    "{r} {z}"
                );
            }
        }
        // A lover of risk: against the plain formula, and the difference.
        for (r, z) in [(-0.05, 0.3), (-1.2, -0.8)] {
            let plain = |z: f64| {
                let p = normal::cdf(z);
                -(p * f64::exp(-r * 3.0) + (1.0 - p) * f64::exp(r)).ln() / r
            };
            let by_z = (plain(z + h) - plain(z - h)) / (2.0 * h);
            assert!((lottery(r, z, 3.0, -1.0) - plain(z)).abs() < 1e-12, "{r}");
            assert!((lottery_slope(r, z, 3.0, -1.0) - by_z).abs() < 1e-8, "{r}");
        }
        for z in [-45.0, 45.0] {
            assert!(lottery_slope(2.0, z, 3.0, -1.0).is_finite());
            assert!(lottery(2.0, z, 3.0, -1.0).is_finite());
        }
    }
}
