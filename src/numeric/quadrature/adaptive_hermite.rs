//! Gauss–Hermite rules centred on the peak of the integrand.

use super::gauss::gauss_hermite_normal;
use crate::error::{Error, Result};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// `½ ln 2π`.
const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;
/// Newton steps in the search of a peak.
const MAX_STEPS: usize = 100;
/// Halvings of one step.
const MAX_HALVINGS: usize = 50;
/// The peak is found when the step is this small relative to the peak's width: the rule corrects the rest.
const PEAK_TOLERANCE: f64 = 1e-9;

/// The share of the promised rise that a step must bring (Armijo).
const SUFFICIENT: f64 = 1e-4;

/// Where a log-integrand peaks and how wide the peak is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// The maximum.
    pub mode: f64,
    /// `(−ℓ'')^(−1/2)` there: the standard deviation of the normal density with the same curvature.
    pub scale: f64,
}

/// A log-integrand at a point: value and two derivatives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    /// `ℓ(u)`.
    pub value: f64,
    /// `ℓ'(u)`.
    pub slope: f64,
    /// `ℓ''(u)`.
    pub curvature: f64,
}

impl Peak {
    /// The peak of `ℓ` by Newton's method with halving, from `start`. Where `ℓ` curves up the step follows the slope. Points
    /// where the value is not finite are outside the domain.
    ///
    /// # Errors
    /// [`Error::NotFinite`] when `ℓ` is not finite at the start; [`Error::NotConverged`] when no peak is found.
    pub fn find(start: f64, curve: impl Fn(f64) -> Curve) -> Result<Self> {
        let (mut u, mut here) = (start, curve(start));
        if !(here.value.is_finite() && here.slope.is_finite()) {
            return Err(Error::NotFinite {
                what: format!("the log-integrand at the starting point {start}"),
            });
        }
        let mut moved = f64::INFINITY;
        for _ in 0..MAX_STEPS {
            let concave = here.curvature < 0.0;
            let mut step = if concave {
                -here.slope / here.curvature
            } else {
                here.slope
            };
            if concave {
                let scale = (-here.curvature).sqrt().recip();
                moved = step.abs() / scale;
                if moved <= PEAK_TOLERANCE {
                    return Ok(Self {
                        mode: u + step,
                        scale,
                    });
                }
            }
            let noise = 8.0 * f64::EPSILON * here.value.abs().max(1.0);
            let mut halvings = 0;
            let next = loop {
                let trial = curve(u + step);
                let inside = trial.slope.is_finite() && trial.curvature.is_finite();
                // A share of the rise that the slope promises: else steps may go to and fro between two points of nearly the same value.
                let promised = SUFFICIENT * here.slope * step;
                if inside && trial.value >= here.value + promised - noise {
                    break trial;
                }
                halvings += 1;
                if halvings > MAX_HALVINGS {
                    return Err(no_peak(halvings, moved));
                }
                step *= 0.5;
            };
            u += step;
            here = next;
        }
        Err(no_peak(MAX_STEPS, moved))
    }
}

fn no_peak(iterations: usize, criterion: f64) -> Error {
    Error::NotConverged {
        what: "the search for the peak of a log-integrand".to_owned(),
        iterations,
        criterion,
        tolerance: PEAK_TOLERANCE,
        remedy: "check that the integrand has an inner maximum, or start elsewhere".to_owned(),
    }
}

/// Adaptive Gauss–Hermite quadrature: `ln ∫ e^ℓ(u) du` with the nodes moved to the peak of `ℓ` and scaled by its curvature,
///
/// `∫ e^ℓ(u) du ≈ σ √(2π) Σ wₖ e^(zₖ²/2) e^ℓ(μ + σ zₖ)`,
///
/// where `z`, `w` are the nodes and weights for the standard normal. One node is Laplace's approximation; 7–15 nodes are
/// usual for the random effects of one group. All sums are made in logs, so a group's likelihood may underflow.
///
/// # References
/// Liu & Pierce (1994), *Biometrika* 81, 624–629, doi:10.1093/biomet/81.3.624. Pinheiro & Bates (1995),
/// doi:10.1080/10618600.1995.10474663.
///
/// ```
/// use cocreate::numeric::quadrature::{AdaptiveHermite, Curve, Peak};
/// // ∫ exp(−1000 cosh u) du: the peak is at 0 with curvature −1000.
/// let curve = |u: f64| Curve { value: -1e3 * u.cosh(), slope: -1e3 * u.sinh(), curvature: -1e3 * u.cosh() };
/// let peak = Peak::find(0.4, curve)?;
/// let log = AdaptiveHermite::new(15)?.log_integral(peak, |u| -1e3 * u.cosh());
/// assert!((log + 1_002.535_064_043_851).abs() < 1e-9);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdaptiveHermite {
    nodes: Vec<f64>,
    /// `ln wₖ + zₖ²/2`.
    log_weights: Vec<f64>,
}

impl AdaptiveHermite {
    /// With this many nodes per dimension.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] unless `1 ≤ nodes ≤ 350`.
    pub fn new(nodes: usize) -> Result<Self> {
        let rule = gauss_hermite_normal(nodes)?;
        let log_weights = rule
            .nodes()
            .iter()
            .zip(rule.weights())
            .map(|(z, w)| w.ln() + 0.5 * z * z)
            .collect();
        Ok(Self {
            nodes: rule.nodes().to_vec(),
            log_weights,
        })
    }

    /// `ln ∫ e^ℓ(u) du` over the line. NaN when `ℓ` is NaN at a node.
    pub fn log_integral(&self, peak: Peak, log_integrand: impl Fn(f64) -> f64) -> f64 {
        let terms: Vec<f64> = self
            .nodes
            .iter()
            .zip(&self.log_weights)
            .map(|(z, w)| w + log_integrand(peak.mode + peak.scale * z))
            .collect();
        peak.scale.ln() + HALF_LN_2PI + log_sum_exp(&terms)
    }

    /// `ln ∫ e^ℓ(u) du` over `d` dimensions by the product rule (`nodesᵈ` evaluations) at `μ + L z`, where `L` is a square
    /// root of the inverse of `−∇²ℓ(μ)`, lower triangular (its Cholesky factor).
    ///
    /// # Errors
    /// [`Error::Matrix`] when `root` is not `d × d` or has a diagonal that is not positive.
    ///
    pub fn log_integral_of_many(
        &self,
        mode: &[f64],
        root: &DMatrix<f64>,
        log_integrand: impl Fn(&[f64]) -> f64,
    ) -> Result<f64> {
        let d = mode.len();
        if root.shape() != (d, d) || !root.diagonal().iter().all(|v| *v > 0.0) {
            return Err(Error::Matrix {
                message: format!(
                    "the root of the inverse curvature must be a {d} × {d} triangle with a positive diagonal"
                ),
            });
        }
        let mut digits = vec![0; d];
        let mut terms = Vec::new();
        let mut point = vec![0.0; d];
        loop {
            for (i, value) in point.iter_mut().enumerate() {
                let shift: f64 = (0..=i).map(|j| root[(i, j)] * self.nodes[digits[j]]).sum();
                *value = mode[i] + shift;
            }
            let weight: f64 = digits.iter().map(|k| self.log_weights[*k]).sum();
            terms.push(weight + log_integrand(&point));
            let Some(next) = digits.iter().position(|k| k + 1 < self.nodes.len()) else {
                break;
            };
            digits[next] += 1;
            digits[..next].fill(0);
        }
        let log_determinant: f64 = root.diagonal().iter().map(|v| v.ln()).sum();
        Ok(log_determinant + d as f64 * HALF_LN_2PI + log_sum_exp(&terms))
    }
}

/// `ln Σ eˣ` without overflow.
fn log_sum_exp(terms: &[f64]) -> f64 {
    let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        return if terms.iter().any(|t| t.is_nan()) {
            f64::NAN
        } else {
            top
        };
    }
    top + terms.iter().map(|t| (t - top).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::super::Adaptive;
    use super::*;

    /// A group of a random-intercept logit: 12 successes in 20 trials, index 0.5 + u, u normal with deviation 2.
    fn group(u: f64) -> Curve {
        let (t, n, k, variance) = (0.5 + u, 20.0, 12.0, 4.0);
        let p = 1.0 / (1.0 + (-t).exp());
        Curve {
            value: k * t - n * t.exp().ln_1p() - 0.5 * u * u / variance,
            slope: k - n * p - u / variance,
            curvature: -n * p * (1.0 - p) - 1.0 / variance,
        }
    }

    #[test]
    fn a_random_intercept_is_integrated_out() {
        let peak = Peak::find(5.0, group).unwrap();
        assert!(group(peak.mode).slope.abs() < 1e-7);
        let exact = Adaptive::new()
            .relative_tolerance(1e-12)
            .absolute_tolerance(0.0);
        let exact = exact
            .integrate(|u| group(u).value.exp(), -12.0, 12.0)
            .unwrap()
            .value
            .ln();
        let errors = [1, 5, 9, 25].map(|n| {
            let rule = AdaptiveHermite::new(n).unwrap();
            (rule.log_integral(peak, |u| group(u).value) - exact).abs()
        });
        assert!(
            errors[0] < 0.1 && errors[1] < 1e-4 && errors[2] < 1e-6,
            "{errors:?}"
        );
        assert!(errors[3] < 1e-10, "{errors:?}");
    }

    #[test]
    fn a_correlated_normal_of_three_dimensions_is_exact() {
        // ℓ = −½ (u − μ)'(LL')⁻¹(u − μ): the integral is (2π)^(3/2) |L|.
        let root = DMatrix::from_row_slice(3, 3, &[1.0, 0.0, 0.0, 0.5, 2.0, 0.0, -0.3, 0.1, 0.7]);
        let inverse = (&root * root.transpose()).try_inverse().unwrap();
        let mode = [1.0, -2.0, 0.5];
        let log_integrand = |u: &[f64]| {
            let v = nalgebra::DVector::from_fn(3, |i, _| u[i] - mode[i]);
            -900.0 - 0.5 * (&inverse * &v).dot(&v)
        };
        let rule = AdaptiveHermite::new(4).unwrap();
        let found = rule
            .log_integral_of_many(&mode, &root, log_integrand)
            .unwrap();
        let exact = -900.0 + 3.0 * HALF_LN_2PI + (1.0_f64 * 2.0 * 0.7).ln();
        assert!((found - exact).abs() < 1e-11, "{found} {exact}");
        let wrong = rule.log_integral_of_many(&mode[..2], &root, log_integrand);
        assert!(matches!(wrong, Err(Error::Matrix { .. })));
    }

    /// One event of a complementary log-log model: the value is rounded to 1e-16 while the rise near the peak is smaller.
    #[test]
    fn a_rise_below_the_rounding_of_the_value_does_not_stop_the_search() {
        let (index, sigma) = (1.914_057_246_045_056_2, 1.828_189_3_f64);
        for shift in 0..1_000 {
            let curve = |u: f64| {
                let e = (index + 1e-3 * f64::from(shift) + sigma * u).exp();
                let slope = e / e.exp_m1();
                Curve {
                    value: -0.5 * u * u + (-(-e).exp_m1()).ln(),
                    slope: -u + sigma * slope,
                    curvature: -1.0 + sigma * sigma * slope * (1.0 - e - slope),
                }
            };
            let peak = Peak::find(0.0, curve).unwrap();
            assert!(curve(peak.mode).slope.abs() < 1e-8);
        }
    }

    #[test]
    fn no_peak_is_reported() {
        let line = |u: f64| Curve {
            value: u,
            slope: 1.0,
            curvature: 0.0,
        };
        assert!(matches!(
            Peak::find(0.0, line),
            Err(Error::NotConverged { .. })
        ));
        let nan = |_: f64| Curve {
            value: f64::NAN,
            slope: 0.0,
            curvature: -1.0,
        };
        assert!(matches!(Peak::find(0.0, nan), Err(Error::NotFinite { .. })));
    }
}
