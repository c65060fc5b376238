//! The log-density of an outcome that is seen only when it is selected.

use crate::numeric::special::normal;
use crate::regression::binary::Link;
use crate::regression::likelihood::{Quantity, RowFormula, Scalar};

/// `ln Φ(z)` with two derivatives.
pub(super) fn ln_normal(z: f64) -> [f64; 3] {
    Link::Probit.log_density(1.0, z)
}

/// One row, with indices (x'β, z'γ, ln σ, atanh ρ) and outcomes (y, whether it is seen):
/// `ln Φ(−z'γ)` when it is not, else `−ln σ + ln φ(e) + ln Φ((z'γ + ρ e)/√(1 − ρ²))` with `e = (y − x'β)/σ`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selected;

impl RowFormula<4> for Selected {
    fn log_density<T: Scalar>(&self, y: &[f64], indices: [T; 4]) -> T {
        let [mean, selection, ln_sigma, atanh_rho] = indices;
        if y[1] < 0.5 {
            let against = -selection;
            return against.chain(ln_normal(against.value()));
        }
        let e = (-mean + y[0]) * (-ln_sigma).exp();
        // 1/√(1 − ρ²) = cosh(atanh ρ) and ρ/√(1 − ρ²) = sinh(atanh ρ): nothing cancels near |ρ| = 1.
        let t = atanh_rho.value();
        let (sinh, cosh) = (t.sinh(), t.cosh());
        let seen = selection * atanh_rho.chain([cosh, sinh, cosh])
            + e * atanh_rho.chain([sinh, cosh, sinh]);
        let density = e.square() * -0.5 + normal::ln_pdf(0.0);
        density - ln_sigma + seen.chain(ln_normal(seen.value()))
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        match what {
            Quantity::Mean | Quantity::Linear => indices.first().copied(),
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
            [4.0, -6.0, 0.1, -0.9],
            [-5.0, 3.0, 0.7, 1.8],
            [1.0, 20.0, 0.0, 0.0],
            [1.0, -20.0, 0.4, -2.0],
        ];
        for at in points {
            for seen in [0.0, 1.0] {
                let y = [0.8, seen];
                let f = |x: &[f64]| Selected.log_density(&y, [x[0], x[1], x[2], x[3]]);
                let jet = Selected.log_density(&y, Jet::variables(at));
                let scale = jet.value.abs().max(1.0);
                let (g, h) = (gradient(f, &at).unwrap(), hessian(f, &at).unwrap());
                for i in 0..4 {
                    assert!((jet.gradient[i] - g[i]).abs() < 1e-6 * scale, "{at:?}");
                    for j in 0..4 {
                        assert!(
                            (jet.hessian[i][j] - h[(i, j)]).abs() < 1e-4 * scale,
                            "{at:?} {i} {j} {} {}",
                            jet.hessian[i][j],
                            h[(i, j)]
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn probabilities_add_to_one() {
        // P(not seen) + ∫ f(y, seen) dy = 1
        let at = [0.4, -0.3, 0.2, 0.9];
        let step = 0.01;
        let seen: f64 = (-1500..1500)
            .map(|i| (Selected.log_density(&[0.4 + f64::from(i) * step, 1.0], at)).exp() * step)
            .sum();
        let unseen = Selected.log_density(&[0.0, 0.0], at).exp();
        assert!((seen + unseen - 1.0).abs() < 1e-12);
    }
}
