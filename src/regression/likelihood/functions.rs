//! Functions that log-densities are made of, for numbers with derivatives, exact in both tails.

use crate::numeric::jet::Scalar;
use crate::numeric::special::normal;
use crate::regression::binary::logistic;

/// `ln(1 + e^x)`, without overflow.
pub(crate) fn softplus<T: Scalar>(x: T) -> T {
    let at = x.value();
    let (one, rest) = (logistic(at), logistic(-at));
    x.chain([at.max(0.0) + (-at.abs()).exp().ln_1p(), one, one * rest])
}

/// `ln(e^a + e^b)`, without overflow.
pub(crate) fn ln_add_exp<T: Scalar>(a: T, b: T) -> T {
    if a.value() >= b.value() {
        a + softplus(b - a)
    } else {
        b + softplus(a - b)
    }
}

/// `ln Φ(x)`, also where Φ underflows.
pub(crate) fn ln_normal_cdf<T: Scalar>(x: T) -> T {
    let at = x.value();
    let mills = normal::inverse_mills(at);
    x.chain([normal::ln_cdf(at), mills, -normal_curvature(at, mills)])
}

/// `λ(z)(z + λ(z))` with λ = φ/Φ, which is 1 − 1/z² + … far in the lower tail, where z + λ cancels.
pub(crate) fn normal_curvature(z: f64, mills: f64) -> f64 {
    /// Beyond this, five terms of the asymptotic series are good to 1e-13.
    const FAR: f64 = -30.0;
    if z > FAR {
        return mills * (z + mills);
    }
    let s = 1.0 / (z * z);
    1.0 - s * (1.0 - s * (6.0 - s * (50.0 - s * 518.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::derivative::{gradient, hessian};
    use crate::numeric::jet::Jet;

    fn check(jet: impl Fn(Jet<2>, Jet<2>) -> Jet<2>, value: impl Fn(f64, f64) -> f64) {
        for at in [
            [-35.0, 2.0],
            [-29.0, -28.0],
            [-3.0, 1.0],
            [0.4, 0.1],
            [6.0, 30.0],
        ] {
            let [a, b] = Jet::variables(at);
            let found = jet(a, b);
            let slopes = gradient(|p| value(p[0], p[1]), &at).unwrap();
            let curvatures = hessian(|p| value(p[0], p[1]), &at).unwrap();
            for (i, slope) in slopes.iter().enumerate() {
                assert!((found.gradient[i] - slope).abs() < 1e-9, "{at:?}");
                for (j, second) in found.hessian[i].iter().enumerate() {
                    assert!((second - curvatures[(i, j)]).abs() < 1e-6, "{at:?}");
                }
            }
        }
    }

    #[test]
    fn derivatives_hold_in_both_tails() {
        check(|a, _| softplus(a), |a, _| softplus(a));
        check(ln_add_exp, ln_add_exp);
        check(|a, _| ln_normal_cdf(a), |a, _| ln_normal_cdf(a));
        // e^(−800) is zero; the logarithm is not.
        assert!((ln_add_exp(-800.0, -801.0) + 799.686_738_312_481_8).abs() < 1e-10);
        let far = ln_normal_cdf(Jet::<1>::variable(-1e4, 0));
        assert!((far.hessian[0][0] + 1.0 - 1e-8).abs() < 1e-15);
    }
}
