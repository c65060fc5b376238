//! The trapezoidal rule over the peak of a log-concave integrand.

use super::adaptive_hermite::Peak;

/// A step may be this share of the peak's scale: of a normal integrand the rule then misses exp(−2π²/0.36), 2e-24.
const SHARE_OF_SCALE: f64 = 0.6;

/// An integrand analytic within `d` of the line is missed by exp(−2πd/h): this exponent leaves 2e-14.
const EXPONENT: f64 = 31.5;

/// Below the peak by this much in logs (6e-17), the rest of a log-concave integrand falls at least exponentially.
const NEGLIGIBLE: f64 = 37.5;

/// No peak of a log-concave integrand takes as many nodes: it would be flat.
const MOST_NODES: i32 = 20_000;

impl Peak {
    /// Visits the multiples `u = kh` of a step `h` over which `e^ℓ` is not negligible and returns `h`, so that
    ///
    /// `∫ e^ℓ(u) du ≈ h Σₖ e^ℓ(kh)`,
    ///
    /// with an error far below 1e-12 of the integral for a log-concave `e^ℓ` that is analytic, and not much larger than on the line, in the strip
    /// `|Im u| ≤ strip` (infinite where it is analytic everywhere and falls like a normal density). The function is given `u` and returns
    /// `ℓ(u)`.
    ///
    /// Steps come from a grid of half octaves and nodes are multiples of them. So nodes do not move with a parameter of `ℓ`, as those of
    /// [`AdaptiveHermite`](super::AdaptiveHermite) do: derivatives of the sum are the sums of derivatives, and a search by Newton's method sees a
    /// value, a gradient and a Hessian that belong together.
    ///
    /// # References
    /// Trefethen & Weideman (2014). The exponentially convergent trapezoidal rule. *SIAM Review* 56(3), 385–458, doi:10.1137/130932132.
    ///
    /// ```
    /// use cocreate::numeric::quadrature::Peak;
    /// // ∫ φ(u) exp(−e^(2u)) du, the Laplace transform of a log-normal.
    /// let log = |u: f64| -0.5 * u * u - (2.0 * u).exp();
    /// let peak = Peak { mode: -0.6, scale: 0.5 };
    /// let mut sum = 0.0;
    /// let step = peak.visit_nodes(std::f64::consts::PI / 4.0, |u| {
    ///     sum += log(u).exp();
    ///     log(u)
    /// });
    /// let transform = step * sum / (2.0 * std::f64::consts::PI).sqrt();
    /// assert!((transform - 0.412_156_390_885_7).abs() < 1e-12, "{transform}");
    /// ```
    pub fn visit_nodes(self, strip: f64, mut log_integrand: impl FnMut(f64) -> f64) -> f64 {
        let widest =
            (SHARE_OF_SCALE * self.scale).min(2.0 * std::f64::consts::PI * strip / EXPONENT);
        let step = (0.5 * (2.0 * widest.log2()).floor()).exp2();
        let centre = (self.mode / step).round();
        let mut top = log_integrand(centre * step);
        for side in [1.0, -1.0] {
            for k in 1..MOST_NODES {
                let value = log_integrand((centre + side * f64::from(k)) * step);
                top = top.max(value);
                if value.is_nan() || value <= top - NEGLIGIBLE {
                    break;
                }
            }
        }
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::quadrature::Curve;

    fn integral(strip: f64, finer: f64, curve: impl Fn(f64) -> Curve + Copy) -> (f64, usize) {
        let mut peak = Peak::find(0.0, curve).unwrap();
        peak.scale *= finer;
        let top = curve(peak.mode).value;
        let (mut sum, mut nodes) = (0.0, 0);
        let step = peak.visit_nodes(strip * finer, |u| {
            nodes += 1;
            sum += (curve(u).value - top).exp();
            curve(u).value
        });
        (top + (step * sum).ln(), nodes)
    }

    /// Survivors of n periods and at last an event, with normal frailty: a skewed integrand, as far out as it gets.
    fn spell(sigma: f64, index: f64, periods: f64, event: bool) -> impl Fn(f64) -> Curve + Copy {
        move |u| {
            let e = (index + sigma * u).exp();
            let mut curve = Curve {
                value: -0.5 * u * u - periods * e,
                slope: -u - sigma * periods * e,
                curvature: -1.0 - sigma * sigma * periods * e,
            };
            if event {
                let slope = if e > 0.0 { e / e.exp_m1() } else { 1.0 };
                curve.value += (-(-e).exp_m1()).ln();
                curve.slope += sigma * slope;
                curve.curvature += sigma * sigma * slope * (1.0 - e - slope);
            }
            curve
        }
    }

    #[test]
    fn a_finer_rule_changes_nothing() {
        for sigma in [0.05, 0.5, 1.0, 1.83, 3.0] {
            for index in [-4.0, -1.0, 2.0] {
                for periods in [0.0, 1.0, 30.0, 1_000.0] {
                    for event in [false, true] {
                        let curve = spell(sigma, index, periods, event);
                        let strip = std::f64::consts::FRAC_PI_2 / sigma;
                        let (coarse, nodes) = integral(strip, 1.0, curve);
                        let (fine, _) = integral(strip, 0.25, curve);
                        assert!(
                            (coarse - fine).abs() < 1e-12 * fine.abs().max(1.0),
                            "{sigma} {index} {periods} {event}: {coarse} {fine}"
                        );
                        assert!(nodes < 400, "{nodes} {sigma} {index} {periods} {event}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_normal_density_integrates_to_one() {
        for (mean, sd) in [(0.0, 1.0), (12.3, 0.01), (-4.0, 50.0)] {
            let (log, nodes) = integral(f64::INFINITY, 1.0, move |u: f64| {
                let z = (u - mean) / sd;
                Curve {
                    value: -0.5 * z * z,
                    slope: -z / sd,
                    curvature: -1.0 / (sd * sd),
                }
            });
            let exact = sd.ln() + 0.5 * (2.0 * std::f64::consts::PI).ln();
            assert!((log - exact).abs() < 1e-13, "{mean} {sd} {log}");
            assert!(nodes < 50);
        }
    }

    #[test]
    fn what_is_not_a_number_ends_the_walk() {
        let peak = Peak {
            mode: 0.0,
            scale: 1.0,
        };
        let mut nodes = 0;
        peak.visit_nodes(1.0, |_| {
            nodes += 1;
            f64::NAN
        });
        assert_eq!(nodes, 3);
    }
}
