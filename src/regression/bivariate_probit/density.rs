//! The log-density of two binary outcomes with correlated normal errors, with two derivatives.

use crate::numeric::quadrature::gauss_legendre;
use crate::numeric::special::{multivariate_normal::bivariate_cdf, normal};
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

/// Probabilities below this are integrated on the scale of logarithms.
const TINY: f64 = 1e-250;

/// `ln Φ₂(h, k, tanh t)`.
pub(crate) fn ln_bivariate_cdf(h: f64, k: f64, t: f64) -> f64 {
    let p = bivariate_cdf(h, k, t.tanh());
    if p > TINY {
        return p.ln();
    }
    if p.is_nan() {
        return f64::NAN;
    }
    ln_by_quadrature(h, k, t)
}

/// `ln ∫_{−∞}^h φ(x) Φ((k − ρx)/√(1 − ρ²)) dx`, relative to the largest value of the integrand, which is log-concave with a second
/// derivative of at most −1.
fn ln_by_quadrature(h: f64, k: f64, t: f64) -> f64 {
    /// The integrand is e^(−DEEP) of its largest value where the integral is cut off.
    const DEEP: f64 = 40.0;
    const PANELS: usize = 6;
    const NODES: usize = 20;
    const HALVINGS: usize = 200;
    let (sinh, cosh) = (t.sinh(), t.cosh());
    let ln_integrand = |x: f64| normal::ln_pdf(x) + normal::ln_cdf(k * cosh - x * sinh);
    let slope = |x: f64| -x - sinh * normal::inverse_mills(k * cosh - x * sinh);
    // The mode: at h when the integrand still rises there; else where the slope is zero.
    let mut mode = h;
    if slope(h) < 0.0 {
        let (mut low, mut high) = (h - 1.0, h);
        while slope(low) < 0.0 {
            low = h - 2.0 * (h - low);
        }
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if slope(middle) < 0.0 {
                high = middle;
            } else {
                low = middle;
            }
        }
        mode = low;
    }
    let top = ln_integrand(mode);
    if !top.is_finite() {
        return f64::NEG_INFINITY;
    }
    // Where the integrand has fallen by DEEP, on either side of the mode; never further than √(2 DEEP).
    let fall = |sign: f64| {
        let (mut near, mut far) = (0.0, (2.0 * DEEP).sqrt());
        for _ in 0..HALVINGS {
            let middle = 0.5 * (near + far);
            if ln_integrand(mode + sign * middle) > top - DEEP {
                near = middle;
            } else {
                far = middle;
            }
        }
        far
    };
    let ends = [mode - fall(-1.0), mode, h.min(mode + fall(1.0))];
    let mut total = 0.0;
    for side in ends.windows(2) {
        let width = (side[1] - side[0]) / PANELS as f64;
        for panel in 0..PANELS {
            let low = side[0] + width * panel as f64;
            if let Ok(rule) = gauss_legendre(NODES, low, low + width) {
                total += rule.integrate(|x| (ln_integrand(x) - top).exp());
            }
        }
    }
    top + total.ln()
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
    fn the_logarithm_has_no_floor() {
        // independent: the sum of two logarithms; equal: the smaller of two
        let far = ln_bivariate_cdf(-40.0, -45.0, 0.0);
        assert!((far - normal::ln_cdf(-40.0) - normal::ln_cdf(-45.0)).abs() < 1e-9);
        let one = ln_bivariate_cdf(-60.0, 5.0, 9.0);
        assert!((one / normal::ln_cdf(-60.0) - 1.0).abs() < 1e-9);
        // both ways of integration meet
        for (h, k, t) in [
            (-20.0, -15.0, 0.5),
            (-30.0, 2.0, -0.3),
            (-12.0, -13.0, -0.7),
        ] {
            let direct = bivariate_cdf(h, k, f64::tanh(t)).ln();
            let by_logarithms = ln_by_quadrature(h, k, t);
            assert!(
                (direct - by_logarithms).abs() < 1e-8 * direct.abs(),
                "{h} {k} {t}: {direct} {by_logarithms}"
            );
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
