//! Numbers of twice the precision of a double, as an unevaluated sum of two.
//!
//! Only for making quadrature rules: a node rounded to a double moves the weights of large rules in the tenth digit.

use std::ops::{Add, Mul, Sub};

/// `hi + lo` with `|lo| ≤ ½ ulp(hi)`: about 32 digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Double {
    pub(super) hi: f64,
    pub(super) lo: f64,
}

impl Double {
    pub(super) const ZERO: Self = Self { hi: 0.0, lo: 0.0 };
    pub(super) const ONE: Self = Self { hi: 1.0, lo: 0.0 };

    pub(super) fn new(value: f64) -> Self {
        Self { hi: value, lo: 0.0 }
    }

    /// `1 / self`: one Newton step from the double quotient.
    pub(super) fn recip(self) -> Self {
        let q = Self::new(1.0 / self.hi);
        q + q * (Self::ONE - self * q)
    }

    /// `√self` for a positive number: one Newton step from the double root.
    pub(super) fn sqrt(self) -> Self {
        let s = self.hi.sqrt();
        let rest = self - product(s, s);
        quick_sum(s, rest.hi / (2.0 * s))
    }
}

impl Add for Double {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let high = sum(self.hi, other.hi);
        let low = sum(self.lo, other.lo);
        let first = quick_sum(high.hi, high.lo + low.hi);
        quick_sum(first.hi, first.lo + low.lo)
    }
}

impl Sub for Double {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + Self {
            hi: -other.hi,
            lo: -other.lo,
        }
    }
}

impl Mul for Double {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let p = product(self.hi, other.hi);
        quick_sum(p.hi, p.lo + (self.hi * other.lo + self.lo * other.hi))
    }
}

/// The exact sum of two doubles (Knuth 1969).
fn sum(a: f64, b: f64) -> Double {
    let hi = a + b;
    let b_part = hi - a;
    let lo = (a - (hi - b_part)) + (b - b_part);
    Double { hi, lo }
}

/// The exact sum when `|a| ≥ |b|` (Dekker 1971).
fn quick_sum(a: f64, b: f64) -> Double {
    let hi = a + b;
    Double {
        hi,
        lo: b - (hi - a),
    }
}

/// The exact product of two doubles (Dekker 1971); a fused multiply-add would be emulated on most builds.
fn product(a: f64, b: f64) -> Double {
    let hi = a * b;
    let ((a1, a2), (b1, b2)) = (split(a), split(b));
    let lo = ((a1 * b1 - hi) + a1 * b2 + a2 * b1) + a2 * b2;
    Double { hi, lo }
}

/// A double as a sum of two halves of 26 bits (Veltkamp 1968).
fn split(a: f64) -> (f64, f64) {
    const FACTOR: f64 = ((1_u64 << 27) + 1) as f64;
    let t = FACTOR * a;
    let high = t - (t - a);
    (high, a - high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_and_quotients_have_thirty_digits() {
        for k in 1..200 {
            let x = Double::new(f64::from(k));
            let root = x.sqrt();
            assert!((root * root - x).hi.abs() <= 1e-30 * x.hi);
            assert!((x * x.recip() - Double::ONE).hi.abs() <= 1e-30);
            let third = Double::new(3.0).recip() * x;
            assert!((third + third + third - x).hi.abs() <= 1e-30 * x.hi);
        }
    }
}
