//! What single observations add to the log-likelihood, with two derivatives.

use crate::numeric::special::{normal, truncated_normal};
use crate::participation::interval::LatentError;

/// `ln Φ(±x)` with two derivatives by x.
pub(super) fn normal_choice(yes: bool, x: f64) -> [f64; 3] {
    let sign = if yes { 1.0 } else { -1.0 };
    let [value, slope, curvature] = LatentError::Normal.ln_cdf_at(sign * x);
    [value, sign * slope, curvature]
}

/// The probability of an answer, Λ(±x), and two derivatives of its logarithm by x.
pub(super) fn answer(y: f64, x: f64) -> [f64; 3] {
    let sign = if y > 0.5 { 1.0 } else { -1.0 };
    let odds = (-sign * x).exp();
    let p = 1.0 / (1.0 + odds);
    let wrong = if odds.is_finite() { odds * p } else { 1.0 };
    [p, sign * wrong, -p * wrong]
}

/// A logarithm of a product of probabilities that takes a logarithm only now and then.
pub(super) struct LnProduct {
    ln: f64,
    product: f64,
}

impl LnProduct {
    pub(super) const ONE: Self = Self {
        ln: 0.0,
        product: 1.0,
    };

    pub(super) fn times(&mut self, p: f64) {
        /// The square of this is still a double.
        const SMALL: f64 = 1e-150;
        if p < SMALL {
            self.ln += p.ln();
            return;
        }
        self.product *= p;
        if self.product < SMALL {
            self.ln += self.product.ln();
            self.product = 1.0;
        }
    }

    pub(super) fn ln(&self) -> f64 {
        self.ln + self.product.ln()
    }
}

/// The logarithm of the probability of an interval, or of the density of a number, around ν with the deviation e^LR: value, derivatives by (ν, LR) and second
/// derivatives (νν, ν LR, LR LR).
pub(super) fn told([low, high]: [f64; 2], center: f64, deviation: f64) -> [f64; 6] {
    let (a, b) = ((low - center) / deviation, (high - center) / deviation);
    if high <= low {
        // −½a² − LR.
        let value = normal::ln_pdf(a) - deviation.ln();
        let per = 1.0 / deviation;
        return [
            value,
            a * per,
            a * a - 1.0,
            -per * per,
            -2.0 * a * per,
            -2.0 * a * a,
        ];
    }
    let value = if low.is_infinite() {
        normal::ln_cdf(b)
    } else if high.is_infinite() {
        normal::ln_cdf(-a)
    } else {
        truncated_normal::ln_mass(a, b)
    };
    let share = |x: f64| {
        if x.is_finite() {
            (normal::ln_pdf(x) - value).exp()
        } else {
            0.0
        }
    };
    let (f, g) = (share(a), share(b));
    let (a, b) = (
        if low.is_finite() { a } else { 0.0 },
        if high.is_finite() { b } else { 0.0 },
    );
    // Both ends move by −1/σ with ν and by −x with LR. With s = f − g and w = af − bg: d ln P = (s/σ, w).
    let (s, w) = (f - g, a * f - b * g);
    let per = 1.0 / deviation;
    // d f = −a f da − f d ln P, with da = −(per, a).
    let second = |x: [f64; 2], y: [f64; 2]| {
        // Σ ± x y' of the ends: ∂²P/P less the product of slopes.
        a * f * x[0] * y[0] - b * g * x[1] * y[1]
    };
    let (in_center, in_scale) = ([per, per], [a, b]);
    [
        value,
        s * per,
        w,
        second(in_center, in_center) - (s * per).powi(2),
        second(in_center, in_scale) - s * per - s * per * w,
        second(in_scale, in_scale) - w - w * w,
    ]
}
