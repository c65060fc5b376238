//! The standard normal distribution truncated to an interval (lower, upper), either end of which may be infinite.
//!
//! For a normal of mean μ and standard deviation σ standardise the ends first: its mean is μ + σ [`mean`] and its variance
//! σ² [`variance`]. Everything keeps its relative accuracy in far tails and on narrow intervals.

use std::f64::consts::FRAC_1_SQRT_2;

use super::error_function::erfcx;
use super::quadrature::{self, NEGLIGIBLE};
use super::{normal, root};

/// √(π/2).
const SQRT_HALF_PI: f64 = 1.253_314_137_315_500_3;

/// Shorter intervals are integrated, because the difference of two distribution functions would cancel.
const SHORT: f64 = 1.0;

/// Where the density falls by more than e⁻⁴, the difference does not cancel.
const FALL: f64 = 4.0;

/// P(lower < Z < upper) for a standard normal Z; 0 when the interval is empty.
pub fn mass(lower: f64, upper: f64) -> f64 {
    match Interval::new(lower, upper) {
        Some(interval) => interval.mass(),
        None if lower.is_nan() || upper.is_nan() => f64::NAN,
        None => 0.0,
    }
}

/// ln P(lower < Z < upper), finite where the mass underflows; −∞ when the interval is empty.
pub fn ln_mass(lower: f64, upper: f64) -> f64 {
    match Interval::new(lower, upper) {
        Some(interval) => interval.ln_mass(),
        None if lower.is_nan() || upper.is_nan() => f64::NAN,
        None => f64::NEG_INFINITY,
    }
}

/// The density at x; 0 outside the interval. Like all that follow, NaN when the interval is empty.
pub fn pdf(x: f64, lower: f64, upper: f64) -> f64 {
    if is_empty(lower, upper) || x.is_nan() {
        f64::NAN
    } else if x < lower || x > upper {
        0.0
    } else {
        (normal::ln_pdf(x) - ln_mass(lower, upper)).exp()
    }
}

/// The distribution function.
pub fn cdf(x: f64, lower: f64, upper: f64) -> f64 {
    if is_empty(lower, upper) || x.is_nan() {
        return f64::NAN;
    }
    share(lower, x.clamp(lower, upper), lower, upper)
}

/// The upper tail.
pub fn sf(x: f64, lower: f64, upper: f64) -> f64 {
    if is_empty(lower, upper) || x.is_nan() {
        return f64::NAN;
    }
    share(x.clamp(lower, upper), upper, lower, upper)
}

/// The x with cdf(x) = p; draws are quantiles of uniform numbers.
pub fn quantile(p: f64, lower: f64, upper: f64) -> f64 {
    let Some(interval) = Interval::new(lower, upper).filter(|_| (0.0..=1.0).contains(&p)) else {
        return f64::NAN;
    };
    if p <= 0.0 {
        return lower;
    }
    if p >= 1.0 {
        return upper;
    }
    let x = if interval.reflected {
        -interval.quantile(1.0 - p, p)
    } else {
        interval.quantile(p, 1.0 - p)
    };
    x.clamp(lower, upper)
}

/// The mean, (φ(lower) − φ(upper))/mass.
pub fn mean(lower: f64, upper: f64) -> f64 {
    Interval::new(lower, upper).map_or(f64::NAN, |i| {
        // φ(a) − φ(b) = φ(a) (1 − e^(−(b − a)(a + b)/2)): nothing cancels.
        let drop = i.drop();
        let mean = if i.a.is_infinite() {
            0.0
        } else {
            -(-drop).exp_m1() / i.ratio()
        };
        if i.reflected { -mean } else { mean }
    })
}

/// The variance, by quadrature of the squared distance from the mean: the textbook formula
/// 1 + (a φ(a) − b φ(b))/mass − mean² cancels in the tails.
pub fn variance(lower: f64, upper: f64) -> f64 {
    /// Panels for an integrand that is at most eighteen standard deviations wide.
    const PANELS: usize = 8;
    let Some(Interval { a, b, .. }) = Interval::new(lower, upper) else {
        return f64::NAN;
    };
    if a.is_infinite() {
        return 1.0;
    }
    // Distances from the end nearer to 0 or, when the interval holds 0 well inside, from 0.
    let origin = if a > -SHORT { a } else { 0.0 };
    let low = if a > -SHORT {
        0.0
    } else {
        a.max(-(2.0 * NEGLIGIBLE).sqrt())
    };
    let reach = 2.0 * NEGLIGIBLE / (origin + (origin * origin + 2.0 * NEGLIGIBLE).sqrt());
    let high = (b - origin).min(reach);
    let moment = |centre: f64, power: i32| {
        quadrature::panels(low, high, PANELS, |u| {
            (u - centre).powi(power) * (-u * (origin + 0.5 * u)).exp()
        })
    };
    let total = moment(0.0, 0);
    let centre = moment(0.0, 1) / total;
    moment(centre, 2) / total
}

/// Whether nothing lies between; also for NaN.
fn is_empty(lower: f64, upper: f64) -> bool {
    lower >= upper || lower.is_nan() || upper.is_nan()
}

/// Mass of (from, to) relative to that of (lower, upper), which contains it.
fn share(from: f64, to: f64, lower: f64, upper: f64) -> f64 {
    let (Some(whole), Some(part)) = (Interval::new(lower, upper), Interval::new(from, to)) else {
        return 0.0;
    };
    let share = if whole.a > 0.0 {
        // Relative to the density at the inner end, so that the large exponents of a far tail never appear.
        let beyond = Interval { b: part.a, ..whole };
        (-beyond.drop()).exp() * part.ratio() / whole.ratio()
    } else {
        part.mass() / whole.mass()
    };
    if share > 1.0 { 1.0 } else { share }
}

/// An interval reflected about 0, if need be, so that it lies in the right half or holds 0 nearer to its left end.
#[derive(Clone, Copy)]
struct Interval {
    a: f64,
    b: f64,
    reflected: bool,
}

impl Interval {
    fn new(lower: f64, upper: f64) -> Option<Self> {
        if is_empty(lower, upper) {
            return None;
        }
        let reflected = lower + upper < 0.0;
        let (a, b) = if reflected {
            (-upper, -lower)
        } else {
            (lower, upper)
        };
        Some(Self { a, b, reflected })
    }

    /// ln(φ(a)/φ(b)) = (b − a)(a + b)/2.
    fn drop(&self) -> f64 {
        0.5 * (self.b - self.a) * (self.a + self.b)
    }

    /// Whether the mass is integrated: the interval is short and the density does not fall far along it.
    fn is_short(&self) -> bool {
        self.b - self.a < SHORT && self.drop() < FALL
    }

    /// mass/φ(a), for finite `a`.
    fn ratio(&self) -> f64 {
        self.ratio_of_length(self.b - self.a)
    }

    /// `ratio` of an interval of exactly this length, which b − a may only give rounded.
    fn ratio_of_length(&self, length: f64) -> f64 {
        if self.is_short() {
            quadrature::panel(0.0, length, |u| (-u * (self.a + 0.5 * u)).exp())
        } else if self.a >= 0.0 {
            let far = if self.b.is_infinite() {
                0.0
            } else {
                (-length * (self.a + 0.5 * length)).exp() * erfcx(self.b * FRAC_1_SQRT_2)
            };
            SQRT_HALF_PI * (erfcx(self.a * FRAC_1_SQRT_2) - far)
        } else {
            self.mass() / normal::pdf(self.a)
        }
    }

    fn mass(&self) -> f64 {
        if self.is_short() {
            self.ratio() * normal::pdf(self.a)
        } else if self.a >= 0.0 {
            normal::sf(self.a) - normal::sf(self.b)
        } else {
            1.0 - (normal::cdf(self.a) + normal::sf(self.b))
        }
    }

    fn ln_mass(&self) -> f64 {
        if self.a > 0.0 {
            normal::ln_pdf(self.a) + self.ratio().ln()
        } else if self.is_short() {
            self.mass().ln()
        } else {
            (-(normal::cdf(self.a) + normal::sf(self.b))).ln_1p()
        }
    }

    /// The quantile, given the probabilities on both sides.
    fn quantile(&self, p: f64, q: f64) -> f64 {
        let (a, b) = (self.a, self.b);
        if a < 0.0 && !self.is_short() {
            let mass = self.mass();
            let below = normal::cdf(a) + p * mass;
            return if below <= 0.5 {
                normal::quantile(below)
            } else {
                normal::upper_quantile(normal::sf(b) + q * mass)
            };
        }
        // The distance from a, which may be tiny against a, is solved for; masses are relative to φ(a).
        let length = b - a;
        let goal = self.ratio().ln() + if p <= 0.5 { p.ln() } else { q.ln() };
        let start = (-(-p).ln_1p() / a.max(SHORT)).min(0.5 * length);
        a + root::positive(start, |u| {
            if u >= length {
                return (f64::INFINITY, 1.0);
            }
            let within = Interval { b: a + u, ..*self };
            let fall = u * (a + 0.5 * u);
            if p <= 0.5 {
                // The length itself, so that the rounding of a + u does not matter.
                let part = within.ratio_of_length(u).ln();
                (part - goal, u * (-fall - part).exp())
            } else {
                let part = Interval { a: a + u, ..*self }.ratio().ln() - fall;
                (goal - part, u * (-fall - part).exp())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments() {
        let inf = f64::INFINITY;
        assert_eq!(mean(-inf, inf), 0.0);
        assert_eq!(variance(-inf, inf), 1.0);
        // Half normal.
        assert!((mean(0.0, inf) - (2.0 / std::f64::consts::PI).sqrt()).abs() < 1e-15);
        assert!((variance(0.0, inf) - (1.0 - 2.0 / std::f64::consts::PI)).abs() < 1e-15);
        // Far out it is exponential: mean a + 1/a − 2/a³ …, variance 1/a² − 6/a⁴ ….
        assert!(((mean(1e4, inf) - 1e4) * 1e4 - 1.0).abs() < 1e-7);
        assert!((variance(1e4, inf) * 1e8 - (1.0 - 6e-8)).abs() < 1e-13);
        assert!((variance(-inf, -1e4) * 1e8 - (1.0 - 6e-8)).abs() < 1e-13);
        // A narrow interval is uniform.
        assert!(
            (variance(2.0, 2.0 + 0.5_f64.powi(20)) * 12.0 * 2.0_f64.powi(40) - 1.0).abs() < 1e-11
        );
    }

    #[test]
    fn nonsense() {
        assert_eq!(mass(1.0, 0.0), 0.0);
        assert!(
            mass(f64::NAN, 1.0).is_nan()
                && mean(1.0, 0.0).is_nan()
                && variance(f64::NAN, 1.0).is_nan()
        );
        assert!(
            quantile(0.5, 1.0, 0.0).is_nan()
                && quantile(1.5, 0.0, 1.0).is_nan()
                && cdf(f64::NAN, 0.0, 1.0).is_nan()
        );
        assert_eq!(quantile(0.0, 1.0, 2.0), 1.0);
        assert_eq!(quantile(1.0, 1.0, 2.0), 2.0);
    }

    proptest! {
        #[test]
        fn moments_lie_inside_and_mirror(a in -40.0..40.0_f64, ln_h in -10.0..4.0_f64) {
            let b = a + ln_h.exp();
            let (m, v) = (mean(a, b), variance(a, b));
            prop_assert!(m >= a - 1e-12 && m <= b + 1e-12 && v > 0.0 && v <= 1.0 && v <= (b - a).powi(2) / 12.0 * (1.0 + 1e-9));
            prop_assert!((mean(-b, -a) + m).abs() <= 1e-14 * m.abs());
            prop_assert!((variance(-b, -a) / v - 1.0).abs() < 1e-12);
        }

        #[test]
        fn quantile_inverts(a in -40.0..40.0_f64, ln_h in -5.0..4.0_f64, p in 1e-6..0.999_999_f64) {
            let b = a + ln_h.exp();
            let x = quantile(p, a, b);
            // The rounding of x moves the distribution function by pdf · |x| · 2⁻⁵².
            let rounding = pdf(x, a, b) * x.abs() * 1e-15;
            prop_assert!((cdf(x, a, b) - p).abs() <= 1e-13 + 4.0 * rounding, "{} {}", x, cdf(x, a, b));
            prop_assert!((cdf(x, a, b) + sf(x, a, b) - 1.0).abs() < 1e-13);
        }
    }
}
