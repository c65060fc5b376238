//! The log-density of two binary outcomes with correlated normal errors, with two derivatives.

use crate::numeric::special::{multivariate_normal, normal};
use crate::regression::likelihood::{Derivatives, Inputs, Order, Quantity, RowModel};
use crate::summary::gram::packed_index;

/// Rows with indices (x₁'β₁, x₂'β₂, atanh ρ) and outcomes (y₁, y₂): `ln Φ₂(q₁x₁'β₁, q₂x₂'β₂, q₁q₂ρ)` with `q = 2y − 1` (Greene's
/// sign trick).
#[derive(Clone, Copy, Debug)]
pub(super) struct TwoProbits;

/// `ln Φ₂(h, k, tanh t)`, its gradient in (h, k, t), and the lower triangle of its Hessian row by row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogCdf {
    pub(crate) value: f64,
    pub(crate) gradient: [f64; 3],
    pub(crate) hessian: [f64; 6],
}

impl LogCdf {
    pub(crate) fn at(h: f64, k: f64, t: f64) -> Self {
        let value = ln_bivariate_cdf(h, k, t);
        // With c = cosh t = 1/√(1 − ρ²): (k − ρh)/√(1 − ρ²) = k c − h sinh t.
        let (sinh, cosh) = (t.sinh(), t.cosh());
        let (a, b) = (k * cosh - h * sinh, h * cosh - k * sinh);
        // Shares of the probability: φ(h)Φ(a)/Φ₂, φ(k)Φ(b)/Φ₂, and the density φ₂/Φ₂ = φ(h)φ(a)c/Φ₂.
        let share = |x: f64, inner: f64| (normal::ln_pdf(x) + inner - value).exp();
        let by_h = share(h, normal::ln_cdf(a));
        let by_k = share(k, normal::ln_cdf(b));
        let density = share(h, normal::ln_pdf(a) + cosh.ln());
        // ∂Φ₂/∂ρ = φ₂ and dρ/dt = 1 − ρ² = 1/c².
        let rho = t.tanh();
        let slope = 1.0 / (cosh * cosh);
        let by_t = density * slope;
        // ∂ ln φ₂/∂h = −b c, ∂ ln φ₂/∂k = −a c, ∂ ln φ₂/∂t = ρ + hk − ρ(h² − 2ρhk + k²)c².
        let form = h * b * cosh + k * a * cosh; // (h² − 2ρhk + k²)/(1 − ρ²)
        let ln_density_t = rho + h * k - rho * form;
        let second = [
            -h * by_h - rho * density,
            density,
            -k * by_k - rho * density,
            -by_t * b * cosh,
            -by_t * a * cosh,
            by_t * (ln_density_t - 2.0 * rho),
        ];
        let gradient = [by_h, by_k, by_t];
        let mut hessian = [0.0; 6];
        for i in 0..3 {
            for j in 0..=i {
                let at = packed_index(i, j);
                hessian[at] = second[at] - gradient[i] * gradient[j];
            }
        }
        Self {
            value,
            gradient,
            hessian,
        }
    }
}

/// `ln Φ₂(h, k, tanh t)`.
pub(crate) fn ln_bivariate_cdf(h: f64, k: f64, t: f64) -> f64 {
    multivariate_normal::ln_bivariate_cdf(h, k, t.tanh())
}

/// −1 or 1 for an outcome of 0 or 1.
fn sign(y: f64) -> f64 {
    if y > 0.5 { 1.0 } else { -1.0 }
}

impl RowModel for TwoProbits {
    fn evaluate(&self, rows: &Inputs<'_>, order: Order, out: &mut Derivatives) {
        for i in 0..rows.len {
            let q = [sign(rows.outcomes[0][i]), sign(rows.outcomes[1][i])];
            let (h, k) = (q[0] * rows.indices[0][i], q[1] * rows.indices[1][i]);
            let t = q[0] * q[1] * rows.indices[2][i];
            if order == Order::Value {
                out.value[i] = ln_bivariate_cdf(h, k, t);
                continue;
            }
            let signs = [q[0], q[1], q[0] * q[1]];
            let all = LogCdf::at(h, k, t);
            out.value[i] = all.value;
            for a in 0..3 {
                out.gradient[a][i] = signs[a] * all.gradient[a];
                for b in 0..=a {
                    let at = packed_index(a, b);
                    out.hessian[at][i] = signs[a] * signs[b] * all.hessian[at];
                }
            }
        }
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

    #[test]
    fn derivatives_are_those_of_the_value_also_in_the_tails() {
        let points = [
            [0.3, -0.4, 0.5],
            [-3.0, 2.0, -1.2],
            [-6.0, -5.0, 0.3],
            [4.0, 5.0, -2.0],
            [-8.0, 3.0, 1.5],
            [-25.0, -24.0, -0.4],
            [-30.0, -28.0, 0.8],
        ];
        for at in points {
            let f = |x: &[f64]| ln_bivariate_cdf(x[0], x[1], x[2]);
            let all = LogCdf::at(at[0], at[1], at[2]);
            let (g, h) = (gradient(f, &at).unwrap(), hessian(f, &at).unwrap());
            let scale = all.value.abs().max(1.0);
            for i in 0..3 {
                assert!(
                    (all.gradient[i] - g[i]).abs() < 1e-6 * scale,
                    "{at:?} {i}: {} {}",
                    all.gradient[i],
                    g[i]
                );
                for j in 0..=i {
                    let ours = all.hessian[packed_index(i, j)];
                    assert!(
                        (ours - h[(i, j)]).abs() < 1e-4 * scale,
                        "{at:?} {i} {j}: {ours} {}",
                        h[(i, j)]
                    );
                }
            }
        }
    }

    #[test]
    fn four_probabilities_add_to_one() {
        let (a, b, t) = (0.4, -1.1, 0.6);
        let total: f64 = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)]
            .iter()
            .map(|(p, q)| ln_bivariate_cdf(p * a, q * b, p * q * t).exp())
            .sum();
        assert!((total - 1.0).abs() < 1e-14);
    }
}
