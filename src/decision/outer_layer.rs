//! The outer layer of a certainty equivalent, over an uncertain belief: `−(1/α) ln E e^{−α f}`, by the trapezoidal rule on the normal line.

use super::certainty::Slopes;
use super::normal_rule;
use crate::numeric::special::normal;

/// What is known of the function under the outer layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// The largest size of its slope.
    pub(super) steepest: f64,
    /// The distance of its largest and smallest value, infinite where it has none.
    pub(super) range: f64,
    /// It is smooth on the scale `1/sharpness`.
    pub(super) sharpness: f64,
    /// Whether it is convex and rises.
    pub(super) convex: bool,
}

impl Shape {
    /// That of what a guarantee is worth on the probit scale of failure: between nothing and all of it, with a kink of width `1/√(2rG)` where the chance of success is `e^{−rG}`.
    pub(super) fn guarantee(r: f64, guarantee: f64) -> Self {
        Self {
            steepest: guarantee.abs(),
            range: guarantee.abs(),
            sharpness: (2.0 * r * guarantee).abs().sqrt().max(1.0),
            convex: false,
        }
    }
}

/// The outer layer `−(1/α) ln E exp(−α f(Y))`, `Y ~ N(mean, variance)`, with its derivatives with respect to mean and
/// variance, for a function that returns its value and its slope. α = 0 gives the mean; a negative α, as an estimate may have it, is the aversion −α to −f.
///
/// The trapezoidal rule follows the tilt of `e^{−αf}`. The derivative with respect to the variance is Stein's:
/// `E[w f' Z]/(2√v E w)`, `w = e^{−αf}`.
pub(super) fn outer(
    alpha: f64,
    mean: f64,
    variance: f64,
    shape: Shape,
    f: impl Fn(f64) -> (f64, f64),
) -> Slopes {
    if alpha < 0.0 {
        let turned = |y: f64| {
            let (value, slope) = f(y);
            (-value, -slope)
        };
        let shape = Shape {
            convex: false,
            ..shape
        };
        let found = outer_averse(-alpha, mean, variance, shape, &turned);
        return Slopes {
            value: -found.value,
            by_mean: -found.by_mean,
            by_variance: -found.by_variance,
        };
    }
    outer_averse(alpha, mean, variance, shape, &f)
}

/// The same for α ≥ 0.
fn outer_averse(
    alpha: f64,
    mean: f64,
    variance: f64,
    shape: Shape,
    f: &impl Fn(f64) -> (f64, f64),
) -> Slopes {
    /// Up to this tilt all places where the mass can be are covered; beyond, its mode is searched for.
    const WIDE: f64 = 8.0;
    /// Halvings that find the mode to a hundredth of a standard deviation from any tilt of use.
    const HALVINGS: u32 = 40;
    /// Below it Z/√v amplifies rounding: the derivative at this variance serves for all smaller ones.
    const LEAST_VARIANCE: f64 = 1e-10;
    let sd = variance.max(LEAST_VARIANCE).sqrt();
    let (centre, _) = f(mean);
    let Shape {
        steepest,
        range,
        sharpness,
        convex,
    } = shape;
    // e^{−αf} moves the mass no farther than its slope does, and where φ is lower by more than e^{−αf} can make up for there is none.
    let tilt = (alpha * steepest * sd).min((2.0 * alpha * range).sqrt());
    let mut sums = Sums::default();
    // e^{−αf} is as narrow as its curvature, at most about α·steepest.
    let roughness = sd * (sharpness + (alpha * steepest).sqrt());
    if tilt < 1.0 {
        // The exponents are small: one plus an excess keeps the digits as α → 0.
        for (x, step) in normal_rule::nodes(-tilt, tilt, roughness) {
            let weight = step * normal::pdf(x);
            let (value, slope) = f(mean + sd * x);
            let excess = (-alpha * (value - centre)).exp_m1();
            sums.excess += weight * excess;
            sums.mean += weight * (value - centre);
            sums.slopes(weight * (1.0 + excess), slope, x);
        }
    } else {
        let (mut low, mut high) = (-tilt, if convex { 0.0 } else { tilt });
        if convex && tilt > WIDE {
            // −αf − x²/2 is concave with curvature at least one: its mass lies around its mode.
            for _ in 0..HALVINGS {
                let middle = 0.5 * (low + high);
                if -alpha * sd * f(mean + sd * middle).1 > middle {
                    low = middle;
                } else {
                    high = middle;
                }
            }
        }
        let mut highest = f64::NEG_INFINITY;
        for (x, step) in normal_rule::nodes(low, high, roughness) {
            let (value, slope) = f(mean + sd * x);
            // φ may underflow where e^{−αf} overflows: they meet in the exponent.
            let exponent = normal::ln_pdf(x) - alpha * (value - centre);
            if exponent > highest {
                sums.scale((highest - exponent).exp());
                highest = exponent;
            }
            sums.slopes(step * (exponent - highest).exp(), slope, x);
        }
        sums.log = highest + sums.weight.ln();
    }
    let gain = if alpha <= 0.0 {
        sums.mean
    } else if tilt < 1.0 {
        -sums.excess.ln_1p() / alpha
    } else {
        -sums.log / alpha
    };
    Slopes {
        value: if variance > 0.0 {
            centre + gain
        } else {
            centre
        },
        by_mean: sums.slope / sums.weight,
        by_variance: sums.slope_by_draw / (2.0 * sd * sums.weight),
    }
}

/// `−(1/α) ln E exp(−α f(Z))` over a standard normal draw, with the derivatives averaged under the tilted law, for a function
/// with kinks: it returns its value and derivatives at the draw and the branch it took. `tilt` is α times a bound on its slope.
pub(super) fn kinked(alpha: f64, tilt: f64, f: impl Fn(f64) -> (Slopes, bool)) -> Slopes {
    let turn = |at: Slopes| Slopes {
        value: -at.value,
        by_mean: -at.by_mean,
        by_variance: -at.by_variance,
    };
    if alpha < 0.0 {
        let turned = |z: f64| {
            let (at, branch) = f(z);
            (turn(at), branch)
        };
        return turn(kinked_averse(-alpha, tilt.abs(), &turned));
    }
    kinked_averse(alpha, tilt, &f)
}

/// The same for α ≥ 0.
fn kinked_averse(alpha: f64, tilt: f64, f: &impl Fn(f64) -> (Slopes, bool)) -> Slopes {
    let branch = |z: f64| f(z).1;
    let mut sums = Sums::default();
    let centre = f(0.0).0.value;
    let small = tilt < 1.0;
    let mut highest = f64::NEG_INFINITY;
    normal_rule::pieces(tilt, branch, |x, width| {
        let at = f(x).0;
        let exponent = -alpha * (at.value - centre);
        let tilted = if small {
            let (weight, excess) = (width * normal::pdf(x), exponent.exp_m1());
            sums.excess += weight * excess;
            sums.mean += weight * (at.value - centre);
            weight * (1.0 + excess)
        } else {
            let exponent = exponent + normal::ln_pdf(x);
            if exponent > highest {
                sums.scale((highest - exponent).exp());
                highest = exponent;
            }
            width * (exponent - highest).exp()
        };
        sums.weight += tilted;
        sums.slope += tilted * at.by_mean;
        sums.slope_by_draw += tilted * at.by_variance;
    });
    let gain = if alpha <= 0.0 {
        sums.mean
    } else if small {
        -sums.excess.ln_1p() / alpha
    } else {
        -(highest + sums.weight.ln()) / alpha
    };
    Slopes {
        value: centre + gain,
        by_mean: sums.slope / sums.weight,
        by_variance: sums.slope_by_draw / sums.weight,
    }
}

/// What [`outer`] and [`kinked`] sum over the nodes.
#[derive(Default)]
struct Sums {
    weight: f64,
    slope: f64,
    slope_by_draw: f64,
    excess: f64,
    mean: f64,
    log: f64,
}

impl Sums {
    #[inline]
    fn slopes(&mut self, weight: f64, slope: f64, draw: f64) {
        self.weight += weight;
        self.slope += weight * slope;
        self.slope_by_draw += weight * slope * draw;
    }

    #[inline]
    fn scale(&mut self, by: f64) {
        self.weight *= by;
        self.slope *= by;
        self.slope_by_draw *= by;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{lottery, lottery_slope, option_with_slopes};

    const RISING: Shape = Shape {
        steepest: 1.0,
        range: f64::INFINITY,
        sharpness: 1.0,
        convex: true,
    };

    #[test]
    fn the_outer_layer_is_exact_where_a_closed_form_exists() {
        // Linear: mean − α v/2 (normal certainty equivalent), slopes 1 and −α/2.
        for alpha in [-2.0, -0.4, -1e-8, 0.0, 1e-8, 0.4, 0.8, 6.0] {
            let at = outer(alpha, 0.7, 1.9, RISING, |y| (y, 1.0));
            assert!(
                (at.value - (0.7 - 0.5 * alpha * 1.9)).abs() < 1e-11,
                "{alpha}: {at:?}"
            );
            assert!((at.by_mean - 1.0).abs() < 1e-12);
            assert!(
                (at.by_variance + 0.5 * alpha).abs() < 1e-9,
                "{alpha}: {at:?}"
            );
        }
        // With kinks: max{0, Z} against quadrature, by lovers and haters of ambiguity.
        for alpha in [-0.7, 0.7] {
            let f = |z: f64| {
                let at = Slopes {
                    value: z.max(0.0),
                    by_mean: f64::from(u8::from(z > 0.0)),
                    by_variance: 0.0,
                };
                (at, z > 0.0)
            };
            let found = kinked(alpha, alpha, f);
            let exact = -(0.5 + (0.5 * alpha * alpha).exp() * normal::cdf(-alpha)).ln() / alpha;
            assert!(
                (found.value - exact).abs() < 1e-10,
                "{alpha}: {found:?} {exact}"
            );
        }
        // Nested CARA of one coefficient is one CARA over the sum of both noises.
        for (w, inner_sd, v) in [(0.9, 1.0, 0.8), (-1.0, 2.0, 3.0), (2.0, 0.5, 0.1)] {
            let r = 0.6;
            let at = outer(r, w, v, RISING, |y| {
                let o = option_with_slopes(r, y, inner_sd);
                (o.value, o.by_mean)
            });
            let sd = f64::hypot(inner_sd, v.sqrt());
            let whole = option_with_slopes(r, w, sd);
            assert!(
                (at.value - whole.value).abs() < 1e-10,
                "{w}: {} {}",
                at.value,
                whole.value
            );
            assert!((at.by_mean - whole.by_mean).abs() < 1e-10);
            assert!((at.by_variance - whole.by_deviation / (2.0 * sd)).abs() < 1e-9);
        }
    }

    /// Large guarantees to customers who fear much: a kink, and little mass where it counts. Against ever more nodes.
    #[test]
    fn guarantees_of_any_size_are_integrated() {
        /// Nodes of the brute force, over this many standard deviations to each side.
        const NODES: i32 = 40_000;
        const REACH: f64 = 36.0;
        for (mean, variance) in [(0.3, 0.5), (-2.0, 9.0), (4.0, 25.0)] {
            for (r, guarantee) in [(0.01, 0.5), (0.4, 2.0), (1.0, 10.0), (3.0, 10.0)] {
                for alpha in [-2.0, -0.3, 0.0, 0.05, 0.9, 6.0, 20.0] {
                    let f = |y: f64| {
                        (
                            lottery(r, y, 0.0, guarantee),
                            lottery_slope(r, y, 0.0, guarantee),
                        )
                    };
                    let found = outer(alpha, mean, variance, Shape::guarantee(r, guarantee), f);
                    let sd = variance.sqrt();
                    let step = 2.0 * REACH / f64::from(NODES);
                    let nodes = (0..=NODES).map(|k| step * f64::from(k) - REACH);
                    let all: Vec<[f64; 4]> = nodes
                        .map(|z| {
                            let (value, slope) = f(mean + sd * z);
                            [normal::ln_pdf(z) - alpha * value, value, slope, z]
                        })
                        .collect();
                    let most = all.iter().fold(f64::NEG_INFINITY, |m, x| m.max(x[0]));
                    let sum = |g: &dyn Fn(&[f64; 4]) -> f64| -> f64 {
                        all.iter().map(|x| (x[0] - most).exp() * g(x)).sum()
                    };
                    let total = sum(&|_| 1.0);
                    let value = if alpha.abs() > 0.0 {
                        -(most + (step * total).ln()) / alpha
                    } else {
                        sum(&|x| x[1]) / total
                    };
                    let by_mean = sum(&|x| x[2]) / total;
                    let by_variance = sum(&|x| x[2] * x[3]) / total / (2.0 * sd);
                    let off = [
                        found.value - value,
                        found.by_mean - by_mean,
                        found.by_variance - by_variance,
                    ];
                    let near = 1e-8 * guarantee;
                    assert!(
                        off.iter().all(|x| x.abs() < near),
                        "{mean} {variance} {r} {guarantee} {alpha}: {off:?}"
                    );
                }
            }
        }
    }
}
