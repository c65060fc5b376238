//! Numbers that carry their first and second derivatives: a log-density written once gives its exact gradient and Hessian.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// What a log-density is written in: plain numbers for values, [`Jet`]s for derivatives.
pub(crate) trait Scalar:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
{
    /// A number that does not depend on the variables.
    fn constant(value: f64) -> Self;

    /// The value alone.
    fn value(self) -> f64;

    /// `f(self)`, given f, f′ and f″ at the value.
    fn chain(self, f: [f64; 3]) -> Self;

    /// `e^x`.
    fn exp(self) -> Self {
        let e = self.value().exp();
        self.chain([e, e, e])
    }

    /// `x²`.
    fn square(self) -> Self {
        self * self
    }
}

impl Scalar for f64 {
    fn constant(value: f64) -> Self {
        value
    }

    fn value(self) -> f64 {
        self
    }

    fn chain(self, f: [f64; 3]) -> Self {
        f[0]
    }
}

/// A value with its gradient and symmetric Hessian in `J` variables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jet<const J: usize> {
    pub(crate) value: f64,
    pub(crate) gradient: [f64; J],
    pub(crate) hessian: [[f64; J]; J],
}

impl<const J: usize> Jet<J> {
    /// Variable `j` at `value`.
    pub(crate) fn variable(value: f64, j: usize) -> Self {
        let mut jet = Self::constant(value);
        jet.gradient[j] = 1.0;
        jet
    }

    /// All variables at once.
    pub(crate) fn variables(values: [f64; J]) -> [Self; J] {
        std::array::from_fn(|j| Self::variable(values[j], j))
    }

    /// Combines two jets by a function with the given value, first derivatives (a, b) and second derivatives (aa, ab, bb).
    fn combine(self, other: Self, value: f64, first: [f64; 2], second: [f64; 3]) -> Self {
        let mut out = Self::constant(value);
        for i in 0..J {
            let (a, b) = (self.gradient[i], other.gradient[i]);
            out.gradient[i] = first[0] * a + first[1] * b;
            for j in 0..=i {
                let (c, d) = (self.gradient[j], other.gradient[j]);
                let h = first[0] * self.hessian[i][j]
                    + first[1] * other.hessian[i][j]
                    + second[0] * a * c
                    + second[1] * (a * d + b * c)
                    + second[2] * b * d;
                out.hessian[i][j] = h;
                out.hessian[j][i] = h;
            }
        }
        out
    }

    /// `f(self, other)` with f's value, first derivatives (a, b) and second derivatives (aa, ab, bb).
    pub(crate) fn chain_two(self, other: Self, f: [f64; 6]) -> Self {
        self.combine(other, f[0], [f[1], f[2]], [f[3], f[4], f[5]])
    }
}

impl<const J: usize> Scalar for Jet<J> {
    fn constant(value: f64) -> Self {
        Self {
            value,
            gradient: [0.0; J],
            hessian: [[0.0; J]; J],
        }
    }

    fn value(self) -> f64 {
        self.value
    }

    fn chain(self, f: [f64; 3]) -> Self {
        let mut out = Self::constant(f[0]);
        for i in 0..J {
            out.gradient[i] = f[1] * self.gradient[i];
            for j in 0..J {
                out.hessian[i][j] =
                    f[1] * self.hessian[i][j] + f[2] * self.gradient[i] * self.gradient[j];
            }
        }
        out
    }
}

impl<const J: usize> Add for Jet<J> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.combine(other, self.value + other.value, [1.0, 1.0], [0.0; 3])
    }
}

impl<const J: usize> Sub for Jet<J> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.combine(other, self.value - other.value, [1.0, -1.0], [0.0; 3])
    }
}

impl<const J: usize> Mul for Jet<J> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let (a, b) = (self.value, other.value);
        self.combine(other, a * b, [b, a], [0.0, 1.0, 0.0])
    }
}

impl<const J: usize> Div for Jet<J> {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let (a, b) = (self.value, other.value);
        let inverse = 1.0 / b;
        let first = [inverse, -a * inverse * inverse];
        let second = [0.0, -inverse * inverse, 2.0 * a * inverse.powi(3)];
        self.combine(other, a * inverse, first, second)
    }
}

impl<const J: usize> Neg for Jet<J> {
    type Output = Self;
    fn neg(self) -> Self {
        self.chain([-self.value, -1.0, 0.0])
    }
}

impl<const J: usize> Add<f64> for Jet<J> {
    type Output = Self;
    fn add(self, other: f64) -> Self {
        self.chain([self.value + other, 1.0, 0.0])
    }
}

impl<const J: usize> Sub<f64> for Jet<J> {
    type Output = Self;
    fn sub(self, other: f64) -> Self {
        self.chain([self.value - other, 1.0, 0.0])
    }
}

impl<const J: usize> Mul<f64> for Jet<J> {
    type Output = Self;
    fn mul(self, other: f64) -> Self {
        self.chain([self.value * other, other, 0.0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function<T: Scalar>(x: [T; 2]) -> T {
        (x[0] * x[1] + 2.0) / x[1].exp() - x[0].square() * (x[1] * 2.0).exp() + x[0] * 3.0 - -x[1]
    }

    #[test]
    fn jets_are_the_derivatives() {
        let at = [0.7, 0.4];
        let jet = function(Jet::variables(at));
        assert_eq!(jet.value, function(at));
        let h = 1e-5;
        let value = |i: f64, j: f64| function([at[0] + i * h, at[1] + j * h]);
        let first = [
            (value(1.0, 0.0) - value(-1.0, 0.0)) / (2.0 * h),
            (value(0.0, 1.0) - value(0.0, -1.0)) / (2.0 * h),
        ];
        for (g, f) in jet.gradient.iter().zip(first) {
            assert!((g - f).abs() < 1e-8, "{g} {f}");
        }
        let mixed = (value(1.0, 1.0) - value(1.0, -1.0) - value(-1.0, 1.0) + value(-1.0, -1.0))
            / (4.0 * h * h);
        assert!((jet.hessian[0][1] - mixed).abs() < 1e-4);
        let second = (value(1.0, 0.0) - 2.0 * value(0.0, 0.0) + value(-1.0, 0.0)) / (h * h);
        assert!((jet.hessian[0][0] - second).abs() < 1e-4);
    }
}
