//! The joint log-density of a binary outcome and a continuous endogenous regressor.

use crate::numeric::special::normal;
use crate::regression::binary::Link;
use crate::regression::likelihood::{Quantity, RowFormula, Scalar};

/// One row, with indices (x'β + αd, z'π, ln σ, atanh ρ) and outcomes (y, d): `−ln σ + ln φ(e) + ln Φ(q (x'β + αd + ρe)/√(1 − ρ²))`
/// with `e = (d − z'π)/σ` and `q = 2y − 1`.
#[derive(Clone, Copy, Debug)]
pub(super) struct BinaryWithContinuous;

impl RowFormula<4> for BinaryWithContinuous {
    fn log_density<T: Scalar>(&self, y: &[f64], indices: [T; 4]) -> T {
        let [index, first, ln_sigma, atanh_rho] = indices;
        let e = (-first + y[1]) * (-ln_sigma).exp();
        // 1/√(1 − ρ²) = cosh(atanh ρ) and ρ/√(1 − ρ²) = sinh(atanh ρ).
        let t = atanh_rho.value();
        let (sinh, cosh) = (t.sinh(), t.cosh());
        let argument =
            index * atanh_rho.chain([cosh, sinh, cosh]) + e * atanh_rho.chain([sinh, cosh, sinh]);
        let signed = if y[0] > 0.5 { argument } else { -argument };
        let probability = signed.chain(Link::Probit.log_density(1.0, signed.value()));
        e.square() * -0.5 + normal::ln_pdf(0.0) - ln_sigma + probability
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        let index = *indices.first()?;
        match what {
            Quantity::Linear => Some(index),
            Quantity::Mean => Some(normal::cdf(index)),
            Quantity::Probability(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::derivative::{gradient, hessian};
    use crate::regression::likelihood::Jet;

    #[test]
    fn derivatives_are_those_of_the_value_also_in_the_tails() {
        let points = [
            [0.3, 0.4, -0.2, 0.5],
            [12.0, -6.0, 0.1, -0.9],
            [-9.0, 3.0, 0.7, 1.8],
            [-25.0, 2.0, 0.0, 0.0],
        ];
        for at in points {
            for outcome in [0.0, 1.0] {
                let y = [outcome, 0.8];
                let f = |x: &[f64]| BinaryWithContinuous.log_density(&y, [x[0], x[1], x[2], x[3]]);
                let jet = BinaryWithContinuous.log_density(&y, Jet::variables(at));
                let scale = jet.value.abs().max(1.0);
                let (g, h) = (gradient(f, &at).unwrap(), hessian(f, &at).unwrap());
                for i in 0..4 {
                    assert!((jet.gradient[i] - g[i]).abs() < 1e-6 * scale, "{at:?}");
                    for j in 0..4 {
                        let gap = (jet.hessian[i][j] - h[(i, j)]).abs();
                        assert!(gap < 1e-4 * scale, "{at:?} {i} {j} {gap}");
                    }
                }
            }
        }
    }
}
