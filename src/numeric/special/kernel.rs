//! Pieces shared by the incomplete gamma and beta functions: differences free of cancellation, and tail probabilities
//! kept as exponent and factor so that they survive where `f64` underflows.

use std::f64::consts::{PI, TAU};

/// A probability as `factor · e^exponent`, or as one minus that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    pub(super) exponent: f64,
    pub(super) factor: f64,
    pub(super) complement: bool,
}

impl Tail {
    /// `factor · e^exponent`.
    pub(super) fn new(exponent: f64, factor: f64) -> Self {
        Self {
            exponent,
            factor,
            complement: false,
        }
    }

    /// A probability that needs no exponent.
    pub(super) fn plain(probability: f64) -> Self {
        Self::new(0.0, probability)
    }

    /// One minus this probability.
    pub(super) fn flip(self) -> Self {
        Self {
            complement: !self.complement,
            ..self
        }
    }

    /// The probability.
    pub(super) fn value(self) -> f64 {
        let direct = self.unbounded();
        // Comparisons that let NaN through.
        if self.complement {
            if direct > 1.0 { 0.0 } else { 1.0 - direct }
        } else if direct > 1.0 {
            1.0
        } else {
            direct
        }
    }

    /// `factor · e^exponent` for a density, which may exceed 1.
    pub(super) fn unbounded(self) -> f64 {
        // Two halves, because the exponent alone may underflow where the product does not.
        let half = (0.5 * self.exponent).exp();
        half * self.factor * half
    }

    /// The natural logarithm of the probability.
    pub(super) fn ln(self) -> f64 {
        if self.complement {
            (-self.flip().value()).ln_1p()
        } else {
            let log = self.exponent + self.factor.ln();
            if log > 0.0 { 0.0 } else { log }
        }
    }
}

/// ln(1 + u) − u without cancellation near 0, for u > −1.
pub(crate) fn ln_1p_minus(u: f64) -> f64 {
    if !(-0.6..=1.5).contains(&u) {
        return u.ln_1p() - u;
    }
    // With r = u/(2 + u): ln(1 + u) = 2 artanh r and 2r − u = −r u.
    let r = u / (2.0 + u);
    let square = r * r;
    let (mut power, mut sum, mut odd) = (1.0, 0.0, 3.0);
    loop {
        let term = power / odd;
        sum += term;
        if term < f64::EPSILON * 0.1 {
            break;
        }
        power *= square;
        odd += 2.0;
    }
    r * (2.0 * square * sum - u)
}

/// eʷ − 1 − w without cancellation near 0.
pub(crate) fn exp_m1_minus(w: f64) -> f64 {
    if w.abs() > 1.0 {
        return w.exp_m1() - w;
    }
    let (mut term, mut sum, mut n) = (0.5_f64, 0.5, 2.0);
    while term.abs() > f64::EPSILON * 0.1 {
        n += 1.0;
        term *= w / n;
        sum += term;
    }
    w * w * sum
}

/// Tricomi's scaled gamma function Γ*(a) = Γ(a) √(a/2π) (e/a)ᵃ, which tends to 1 as a grows.
pub(super) fn gamma_star(a: f64) -> f64 {
    /// From here seven terms of Stirling's series are exact to double precision.
    const STIRLING: f64 = 10.0;
    if a >= STIRLING {
        stirling_error(a).exp()
    } else {
        // Γ(a + 1)/a, because Γ(a) itself overflows first.
        libm::tgamma(a + 1.0) / (TAU * a).sqrt() * (a - a * a.ln()).exp()
    }
}

/// The remainder of Stirling's formula, ln Γ(a) − (a − ½) ln a + a − ½ ln 2π, for a ≥ 10 (DLMF 5.11.1).
pub(super) fn stirling_error(a: f64) -> f64 {
    let r = 1.0 / (a * a);
    let series = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
        -3617.0 / 122_400.0,
    ];
    polynomial(&series, r) / a
}

/// Whether a parameter is positive; NaN is not.
pub(super) fn is_positive(x: f64) -> bool {
    x > 0.0
}

/// Horner's rule, coefficients from the constant term up.
#[inline]
pub(super) fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// e^(−x²/2) with the rounding error of the square corrected, so that the far tail keeps full relative accuracy.
#[inline]
pub(super) fn exp_minus_half_square(x: f64) -> f64 {
    // The square of a single-precision number is exact; the rest r = (x² − high²)/2 is tiny.
    let high = f64::from(x as f32);
    let rest = 0.5 * (x - high) * (x + high);
    if rest.abs() > 1e-3 || !rest.is_finite() {
        return (-0.5 * x * x).exp();
    }
    (-0.5 * high * high).exp() * (1.0 - rest * (1.0 - 0.5 * rest * (1.0 - rest / 3.0)))
}

/// The constant √(2π).
pub(super) const SQRT_TAU: f64 = 2.506_628_274_631_000_7;

/// A point of (0, 1) with its complement and its distance from the mean of a beta(a, b) distribution, each to full
/// relative accuracy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    /// b x − a y, which is (a + b) times the distance from the mean a/(a + b).
    pub(super) excess: f64,
}

impl Point {
    /// The point with odds x/y.
    pub(super) fn from_odds(a: f64, b: f64, odds: f64) -> Self {
        if odds > 1.0 {
            let inverse = 1.0 / odds;
            let x = 1.0 / (1.0 + inverse);
            Self {
                x,
                y: inverse * x,
                excess: (b - a * inverse) * x,
            }
        } else {
            let y = 1.0 / (1.0 + odds);
            Self {
                x: odds * y,
                y,
                excess: (b * odds - a) * y,
            }
        }
    }

    /// The point `x` itself: (a + b) x − a with the rounding errors of sum and product carried along.
    pub(super) fn from_x(a: f64, b: f64, x: f64) -> Self {
        let sum = a + b;
        let part = sum - a;
        let sum_error = (a - (sum - part)) + (b - part);
        let product = sum * x;
        let product_error = sum.mul_add(x, -product);
        Self {
            x,
            y: 1.0 - x,
            excess: (product - a) + (product_error + sum_error * x),
        }
    }

    /// The same point seen from the other side: beta(b, a) at y.
    pub(super) fn mirror(self) -> Self {
        Self {
            x: self.y,
            y: self.x,
            excess: -self.excess,
        }
    }
}

/// xᵃ yᵇ / B(a, b) as exponent and factor, by Loader's (2000) saddle-point form.
pub(super) fn beta_prefix(a: f64, b: f64, point: Point) -> Tail {
    let deviance = |shape: f64, share: f64, excess: f64| {
        let u = excess / shape;
        if u < -0.5 {
            shape * ((share * ((a + b) / shape)).ln() - u)
        } else {
            shape * ln_1p_minus(u)
        }
    };
    let exponent = deviance(a, point.x, point.excess) + deviance(b, point.y, -point.excess);
    let factor =
        (a / TAU * (b / (a + b))).sqrt() * gamma_star(a + b) / gamma_star(a) / gamma_star(b);
    Tail::new(exponent, factor)
}

/// xᵃ e⁻ˣ / Γ(a) as exponent and factor.
pub(super) fn gamma_prefix(a: f64, x: f64) -> Tail {
    if a < 1.0 {
        return Tail::new(a * x.ln() - x, a / libm::tgamma(1.0 + a));
    }
    let u = (x - a) / a;
    let exponent = if u < -0.5 {
        a * ((x / a).ln() - u)
    } else {
        a * ln_1p_minus(u)
    };
    Tail::new(exponent, (a / (2.0 * PI)).sqrt() / gamma_star(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_do_not_cancel() {
        let exact = [
            (-0.9, -1.402_585_092_994_046),
            (-0.59, -0.301_598_119_283_783_5),
            (-1e-3, -5.003_335_835_335_002e-7),
            (1e-9, -4.999_999_996_666_667e-19),
            (0.3, -0.037_635_735_532_508_94),
            (1.4, -0.524_531_262_646_100_1),
            (7.0, -4.920_558_458_320_164),
        ];
        for (u, expected) in exact {
            assert!((ln_1p_minus(u) / expected - 1.0).abs() < 4e-16, "{u}");
        }
        assert!((exp_m1_minus(1e-5) / 5.000_016_666_708_333_4e-11 - 1.0).abs() < 1e-14);
        assert!((exp_m1_minus(-1.0) / 0.367_879_441_171_442_33 - 1.0).abs() < 1e-14);
    }

    #[test]
    fn scaled_gamma_joins_stirling() {
        let below = gamma_star(9.999_999_999);
        let above = gamma_star(10.0);
        assert!((below / above - 1.0).abs() < 1e-12);
        assert!((gamma_star(0.5) / 1.165_821_990_798_561_9 - 1.0).abs() < 1e-14);
    }
}
