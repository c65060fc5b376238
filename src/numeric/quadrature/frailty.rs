//! What several terms of a likelihood that share a normal frailty come to, with exact derivatives.

use super::adaptive_hermite::{Curve, Peak};
use std::f64::consts::FRAC_PI_2;

/// `½ ln 2π`.
const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;

/// Searches try absurd values: beyond this standard deviation (on the scale of an index, where three is a great deal) there is no answer.
const MOST_SIGMA: f64 = 10.0;

/// `ln ∫ φ(u) Πₑ exp fₑ(ηₑ + σu) du` with its derivatives by `η₁ … η_E` and, last, by `ln σ`.
///
/// With `g` and `H` those of the exponent at `u`, they are means over the posterior of `u` (Louis 1982): `∇ = E g` and `∇² = E H + Var g`.
pub(crate) struct NormalFrailty {
    pub(crate) value: f64,
    pub(crate) gradient: Vec<f64>,
    /// By rows, `E + 1` each.
    pub(crate) hessian: Vec<f64>,
}

impl NormalFrailty {
    /// Over `terms` terms, of which `jet(e, σu)` gives `fₑ(ηₑ + σu)` and its two derivatives; they are log-concave, and the functions
    /// `exp fₑ` bounded where the imaginary part is at most π/2 (logistic function, `exp(−exp(h))`, their complements) or grow no faster
    /// than a normal density falls (Φ). None where a value is not finite, and beyond [`MOST_SIGMA`].
    pub(crate) fn new(
        terms: usize,
        sigma: f64,
        jet: impl Fn(usize, f64) -> [f64; 3],
    ) -> Option<Self> {
        if sigma.is_nan() || sigma > MOST_SIGMA {
            return None;
        }
        let curve = |u: f64| {
            let prior = Curve {
                value: -0.5 * u * u,
                slope: -u,
                curvature: -1.0,
            };
            (0..terms).fold(prior, |c, e| {
                let [value, slope, curvature] = jet(e, sigma * u);
                Curve {
                    value: c.value + value,
                    slope: c.slope + sigma * slope,
                    curvature: c.curvature + sigma * sigma * curvature,
                }
            })
        };
        let peak = Peak::find(0.0, curve).ok()?;
        let (mut nodes, mut jets) = (Vec::new(), Vec::new());
        let step = peak.visit_nodes(FRAC_PI_2 / sigma, |u| {
            let mut value = -0.5 * u * u;
            for e in 0..terms {
                let at = jet(e, sigma * u);
                value += at[0];
                jets.push(at);
            }
            nodes.push((u, value));
            value
        });
        let top = nodes.iter().map(|n| n.1).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = nodes.iter().map(|n| (n.1 - top).exp()).sum();
        let value = step.ln() - HALF_LN_2PI + top + sum.ln();
        if !value.is_finite() {
            return None;
        }
        let size = terms + 1;
        let mut mean = vec![0.0; size];
        let mut hessian = vec![0.0; size * size];
        let mut slope = vec![0.0; size];
        for (q, (u, log)) in nodes.iter().enumerate() {
            let (weight, shift) = ((log - top).exp() / sum, sigma * u);
            let (mut along, mut own) = (0.0, 0.0);
            for (e, [_, first, second]) in jets[q * terms..(q + 1) * terms].iter().enumerate() {
                slope[e] = *first;
                along += first * shift;
                own += second * shift * shift + first * shift;
                hessian[e * size + e] += weight * second;
                hessian[terms * size + e] += weight * second * shift;
            }
            slope[terms] = along;
            hessian[terms * size + terms] += weight * own;
            for i in 0..size {
                let scaled = weight * slope[i];
                mean[i] += scaled;
                for j in 0..=i {
                    hessian[i * size + j] += scaled * slope[j];
                }
            }
        }
        for i in 0..size {
            for j in 0..=i {
                let entry = hessian[i * size + j] - mean[i] * mean[j];
                hessian[i * size + j] = entry;
                hessian[j * size + i] = entry;
            }
        }
        Some(Self {
            value,
            gradient: mean,
            hessian,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::derivative::{gradient, hessian};

    /// Logistic terms with these signs.
    fn logistic(index: &[f64], sign: &[f64], ln_sigma: f64) -> NormalFrailty {
        NormalFrailty::new(index.len(), ln_sigma.exp(), |e, shift| {
            let h = sign[e] * (index[e] + shift);
            let p = 1.0 / (1.0 + (-h).exp());
            [-(-h).exp().ln_1p(), sign[e] * (1.0 - p), -p * (1.0 - p)]
        })
        .unwrap()
    }

    #[test]
    fn derivatives_are_those_of_the_value() {
        let sign = [1.0, -1.0, 1.0];
        for at in [[0.3, -0.4, 1.0, -0.7], [2.0, 1.0, -3.0, 1.2]] {
            let value = |p: &[f64]| logistic(&p[..3], &sign, p[3]).value;
            let ours = logistic(&at[..3], &sign, at[3]);
            let (g, h) = (gradient(value, &at).unwrap(), hessian(value, &at).unwrap());
            for i in 0..4 {
                assert!((ours.gradient[i] - g[i]).abs() < 1e-9, "{i}");
                for j in 0..4 {
                    assert!(
                        (ours.hessian[i * 4 + j] - h[(i, j)]).abs() < 1e-6,
                        "{i} {j}"
                    );
                }
            }
        }
    }

    #[test]
    fn one_probit_term_has_a_closed_form() {
        // E Φ(η + σu) = Φ(η/√(1 + σ²)).
        use crate::numeric::special::normal;
        for (index, sigma) in [(0.3, 0.5), (-2.0, 3.0), (4.0, 10.0_f64)] {
            let found = NormalFrailty::new(1, sigma, |_, shift| {
                let h = index + shift;
                let ratio = (normal::ln_pdf(h) - normal::ln_cdf(h)).exp();
                [normal::ln_cdf(h), ratio, -ratio * (h + ratio)]
            })
            .unwrap();
            let exact = normal::ln_cdf(index / sigma.hypot(1.0));
            assert!((found.value - exact).abs() < 1e-12, "{index} {sigma}");
        }
    }
}
