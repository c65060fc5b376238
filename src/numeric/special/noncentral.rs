//! The non-central t, χ² and F distributions, which give the power of t-, Wald- and F-tests.

use super::kernel::{Point, Tail, beta_prefix, gamma_prefix, is_positive};
use super::{beta, chi_scale, f, gamma, normal, root};

/// P(T ≤ t) for T = (Z + δ)/√(χ²(df)/df), with `df` > 0 (may be infinite) and finite non-centrality δ.
///
/// The expectation of Φ(t s − δ) over the scale s: a positive unimodal integrand, so both tails keep their relative
/// accuracy for either sign of t and δ.
pub fn t_cdf(t: f64, df: f64, noncentrality: f64) -> f64 {
    t_sf(-t, df, -noncentrality)
}

/// P(T > t), the power of a one-sided t-test.
pub fn t_sf(t: f64, df: f64, noncentrality: f64) -> f64 {
    if t.is_nan() || !noncentrality.is_finite() || !is_positive(df) {
        return f64::NAN;
    }
    if t.is_infinite() {
        return f64::from(t < 0.0);
    }
    let tail =
        |t: f64, delta: f64| chi_scale::expectation(df, 1.0, |s| normal::ln_cdf(delta - t * s));
    if t < noncentrality {
        1.0 - tail(-t, -noncentrality)
    } else {
        tail(t, noncentrality)
    }
}

/// The t with `t_cdf`(t) = p.
pub fn t_quantile(p: f64, df: f64, noncentrality: f64) -> f64 {
    if !((0.0..=1.0).contains(&p) && noncentrality.is_finite() && df > 0.0) {
        return f64::NAN;
    }
    if p <= 0.0 || p >= 1.0 {
        return if p > 0.5 {
            f64::INFINITY
        } else {
            f64::NEG_INFINITY
        };
    }
    if p <= 0.5 {
        let goal = p.ln();
        root::line(noncentrality, 1.0, |t| {
            t_cdf(t, df, noncentrality).ln() - goal
        })
    } else {
        let goal = (1.0 - p).ln();
        root::line(noncentrality, 1.0, |t| {
            goal - t_sf(t, df, noncentrality).ln()
        })
    }
}

/// P(X ≤ x) for the sum X of `df` squared normals whose squared means sum to `noncentrality` ≥ 0.
///
/// A Poisson mixture of central distributions, summed in the direction in which the recurrence of the incomplete gamma
/// function only adds.
pub fn chi_squared_cdf(x: f64, df: f64, noncentrality: f64) -> f64 {
    chi_squared(x, df, noncentrality, false)
}

/// P(X > x), the power of a χ² test.
pub fn chi_squared_sf(x: f64, df: f64, noncentrality: f64) -> f64 {
    chi_squared(x, df, noncentrality, true)
}

/// The x with `chi_squared_cdf`(x) = p.
pub fn chi_squared_quantile(p: f64, df: f64, noncentrality: f64) -> f64 {
    positive_quantile(
        p,
        df + noncentrality,
        |x| chi_squared_cdf(x, df, noncentrality),
        |x| chi_squared_sf(x, df, noncentrality),
    )
}

/// P(F ≤ x) for the ratio of a non-central χ²(`numerator`)/numerator and a central χ²(`denominator`)/denominator, which
/// may be infinite.
pub fn f_cdf(x: f64, numerator: f64, denominator: f64, noncentrality: f64) -> f64 {
    f_tail(x, numerator, denominator, noncentrality, false)
}

/// P(F > x), the power of an F-test.
pub fn f_sf(x: f64, numerator: f64, denominator: f64, noncentrality: f64) -> f64 {
    f_tail(x, numerator, denominator, noncentrality, true)
}

/// The x with `f_cdf`(x) = p.
pub fn f_quantile(p: f64, numerator: f64, denominator: f64, noncentrality: f64) -> f64 {
    positive_quantile(
        p,
        1.0 + noncentrality / numerator,
        |x| f_cdf(x, numerator, denominator, noncentrality),
        |x| f_sf(x, numerator, denominator, noncentrality),
    )
}

fn positive_quantile(p: f64, start: f64, cdf: impl Fn(f64) -> f64, sf: impl Fn(f64) -> f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || cdf(start).is_nan() {
        f64::NAN
    } else if p <= 0.0 {
        0.0
    } else if p >= 1.0 {
        f64::INFINITY
    } else if p <= 0.5 {
        let goal = p.ln();
        root::half_line(start, |x| cdf(x).ln() - goal)
    } else {
        let goal = (1.0 - p).ln();
        root::half_line(start, |x| goal - sf(x).ln())
    }
}

fn chi_squared(x: f64, df: f64, noncentrality: f64, upper: bool) -> f64 {
    if x.is_nan()
        || !(df > 0.0 && df.is_finite() && noncentrality >= 0.0 && noncentrality.is_finite())
    {
        return f64::NAN;
    }
    if x <= 0.0 || x.is_infinite() {
        return f64::from((x > 0.0) != upper);
    }
    if noncentrality <= 0.0 {
        let central = gamma::lower(0.5 * df, 0.5 * x);
        return if upper { central.flip() } else { central }.value();
    }
    let (a, mean, half) = (0.5 * df, 0.5 * noncentrality, 0.5 * x);
    let mixture = Mixture {
        shape: a,
        mean,
        ratio: |s: f64| half / s,
        lower: |j: f64| gamma::lower(a + j, half),
        increment: |j: f64| {
            let prefix = gamma_prefix(a + j, half);
            Tail::new(prefix.exponent, prefix.factor / (a + j))
        },
    };
    mixture.probability(upper, x > df + noncentrality)
}

fn f_tail(x: f64, numerator: f64, denominator: f64, noncentrality: f64, upper: bool) -> f64 {
    let valid =
        numerator > 0.0 && denominator > 0.0 && noncentrality >= 0.0 && noncentrality.is_finite();
    if x.is_nan() || !valid {
        return f64::NAN;
    }
    if denominator.is_infinite() && numerator.is_finite() {
        return chi_squared(x * numerator, numerator, noncentrality, upper);
    }
    if numerator.is_infinite() || noncentrality <= 0.0 {
        return if upper {
            f::sf(x, numerator, denominator)
        } else {
            f::cdf(x, numerator, denominator)
        };
    }
    if x <= 0.0 || x.is_infinite() {
        return f64::from((x > 0.0) != upper);
    }
    let (a, b, mean) = (0.5 * numerator, 0.5 * denominator, 0.5 * noncentrality);
    let central = f::point(x, a, b);
    let at = |j: f64| Point {
        excess: central.excess - j * central.y,
        ..central
    };
    let mixture = Mixture {
        shape: a,
        mean,
        ratio: |s: f64| central.x * ((s + b - 1.0) / s),
        lower: |j: f64| beta::lower(a + j, b, at(j)),
        increment: |j: f64| {
            let prefix = beta_prefix(a + j, b, at(j));
            Tail::new(prefix.exponent, prefix.factor / (a + j))
        },
    };
    mixture.probability(upper, x > 1.0 + noncentrality / numerator)
}

/// Σ Poisson(j; mean) L(shape + j) of a family of distribution functions with L(s) = L(s + 1) + g(s), where
/// g(s)/g(s − 1) = `ratio`(s). `lower` and `increment` give L and g at shape + j.
struct Mixture<R, L, G> {
    shape: f64,
    mean: f64,
    ratio: R,
    lower: L,
    increment: G,
}

impl<R: Fn(f64) -> f64, L: Fn(f64) -> Tail, G: Fn(f64) -> Tail> Mixture<R, L, G> {
    /// The wanted tail: the one that is likely the smaller is summed, the other is its complement.
    fn probability(&self, upper: bool, above_mean: bool) -> f64 {
        let sum = if above_mean {
            self.upper()
        } else {
            self.lower_sum()
        };
        let sum = if sum > 1.0 { 1.0 } else { sum };
        if upper == above_mean { sum } else { 1.0 - sum }
    }

    /// Σ w L downwards in j from where the terms are negligible. L(s + 1)/L(s) is below 1 and below ratio(s + 1).
    fn lower_sum(&self) -> f64 {
        let growth = |j: f64| self.mean / (j + 1.0) * (self.ratio)(self.shape + j + 1.0).min(1.0);
        let mode = first_below_one(growth);
        let (mut top, mut log) = (mode, 0.0);
        while log > -super::quadrature::NEGLIGIBLE {
            log += growth(top).ln();
            top += 1.0;
        }
        let value = (self.lower)(top);
        let step = if top >= 1.0 {
            (self.increment)(top - 1.0)
        } else {
            Tail::plain(0.0)
        };
        let mut scaled = Scaled::new(poisson(top, self.mean), value, step);
        let mut j = top;
        loop {
            let small = scaled.add();
            if j < 1.0 || small && j < mode {
                return scaled.total();
            }
            scaled.weight *= j / self.mean;
            scaled.value += scaled.step;
            j -= 1.0;
            scaled.step /= (self.ratio)(self.shape + j);
            scaled.rescale();
        }
    }

    /// Σ w U upwards in j, with U = 1 − L: U(s + 1) = U(s) + g(s).
    fn upper(&self) -> f64 {
        let growth = |j: f64| self.mean / (j + 1.0) * (self.ratio)(self.shape + j + 1.0).max(1.0);
        let mode = first_below_one(growth);
        let (mut bottom, mut log) = (mode, 0.0);
        while bottom >= 1.0 && log > -super::quadrature::NEGLIGIBLE {
            bottom -= 1.0;
            log -= growth(bottom).ln();
        }
        let value = (self.lower)(bottom).flip();
        let mut scaled = Scaled::new(poisson(bottom, self.mean), value, (self.increment)(bottom));
        let mut j = bottom;
        loop {
            let small = scaled.add();
            if small && j > mode {
                return scaled.total();
            }
            j += 1.0;
            scaled.weight *= self.mean / j;
            scaled.value += scaled.step;
            scaled.step *= (self.ratio)(self.shape + j);
            scaled.rescale();
        }
    }
}

/// The least j at which a falling function is below 1.
fn first_below_one(growth: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    if growth(low) < 1.0 {
        return 0.0;
    }
    while growth(high) >= 1.0 {
        low = high;
        high *= 2.0;
    }
    while high - low > 1.0 {
        let middle = (0.5 * (low + high)).floor();
        if growth(middle) < 1.0 {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// The probability of j ≥ 0 under a Poisson distribution, as a tail.
fn poisson(j: f64, mean: f64) -> Tail {
    if j < 1.0 {
        return Tail::new(-mean, 1.0);
    }
    let prefix = gamma_prefix(j, mean);
    Tail::new(prefix.exponent, prefix.factor / j)
}

/// A running sum of weight · value, all three kept inside the range of `f64` by common factors.
struct Scaled {
    exponent: f64,
    weight: f64,
    value: f64,
    step: f64,
    sum: f64,
}

impl Scaled {
    /// Powers of two far inside the range.
    const LARGE: f64 = 1.157_920_892_373_162e77;

    fn new(weight: Tail, value: Tail, step: Tail) -> Self {
        // Where the value is a complement it is near 1 and the step is brought to the same scale.
        let (exponent, factor) = if value.complement {
            (0.0, value.value())
        } else {
            (value.exponent, value.factor)
        };
        Self {
            exponent: weight.exponent + exponent,
            weight: weight.factor,
            value: factor,
            step: Tail::new(step.exponent - exponent, step.factor).unbounded(),
            sum: 0.0,
        }
    }

    /// Adds the present term; says whether it no longer matters.
    fn add(&mut self) -> bool {
        let term = self.weight * self.value;
        self.sum += term;
        // Written so that NaN ends the sum.
        let matters = term > self.sum * f64::EPSILON * 0.01;
        !matters
    }

    fn rescale(&mut self) {
        let log = Self::LARGE.ln();
        if self.value > Self::LARGE {
            self.value /= Self::LARGE;
            self.step /= Self::LARGE;
            self.sum /= Self::LARGE;
            self.exponent += log;
        }
        if self.weight > Self::LARGE {
            self.weight /= Self::LARGE;
            self.sum /= Self::LARGE;
            self.exponent += log;
        }
    }

    fn total(&self) -> f64 {
        Tail::new(self.exponent, self.sum).unbounded()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::special::{chi_squared, student_t};
    use proptest::prelude::*;

    #[test]
    fn central_cases() {
        for t in [-20.0, -1.0, 0.0, 0.3, 4.0, 30.0] {
            for df in [0.4, 3.0, 50.0, 1e3] {
                let expected = student_t::sf(t, df);
                assert!(
                    (t_sf(t, df, 0.0) / expected - 1.0).abs() < 1e-12,
                    "{t} {df}"
                );
            }
        }
        assert!((chi_squared_cdf(3.0, 2.5, 0.0) / chi_squared::cdf(3.0, 2.5) - 1.0).abs() < 1e-14);
        assert!((f_sf(3.0, 2.5, 7.0, 0.0) / f::sf(3.0, 2.5, 7.0) - 1.0).abs() < 1e-14);
    }

    #[test]
    fn a_squared_t_is_an_f_and_one_squared_normal_a_chi_squared() {
        for delta in [0.1, 2.0, 15.0] {
            for t in [0.2, 3.0, 20.0] {
                let both = t_sf(t, 9.0, delta) + t_cdf(-t, 9.0, delta);
                assert!(
                    (f_sf(t * t, 1.0, 9.0, delta * delta) / both - 1.0).abs() < 1e-12,
                    "{t} {delta}"
                );
                let both = normal::sf(t - delta) + normal::cdf(-t - delta);
                assert!(
                    (chi_squared_sf(t * t, 1.0, delta * delta) / both - 1.0).abs() < 1e-12,
                    "{t} {delta}"
                );
            }
        }
    }

    #[test]
    fn nonsense() {
        assert!(
            t_cdf(f64::NAN, 3.0, 1.0).is_nan()
                && t_sf(1.0, -1.0, 0.0).is_nan()
                && t_quantile(2.0, 1.0, 0.0).is_nan()
        );
        assert!(
            chi_squared_cdf(1.0, 1.0, -1.0).is_nan()
                && chi_squared_quantile(0.5, -1.0, 1.0).is_nan()
        );
        assert!(f_cdf(1.0, 1.0, 0.0, 1.0).is_nan() && f_quantile(-0.1, 1.0, 1.0, 1.0).is_nan());
        assert_eq!(t_cdf(f64::INFINITY, 3.0, 1.0), 1.0);
        assert_eq!(chi_squared_sf(-1.0, 3.0, 1.0), 1.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn quantiles_invert(p in 0.001..0.999_f64, df in 0.5..200.0_f64, delta in 0.0..30.0_f64) {
            let t = t_quantile(p, df, delta);
            prop_assert!((t_cdf(t, df, delta) / p - 1.0).abs() < 1e-11);
            let x = chi_squared_quantile(p, df, delta);
            prop_assert!((chi_squared_cdf(x, df, delta) / p - 1.0).abs() < 1e-11);
            prop_assert!((chi_squared_cdf(x, df, delta) + chi_squared_sf(x, df, delta) - 1.0).abs() < 1e-14);
            let x = f_quantile(p, df, 12.0, delta);
            prop_assert!((f_cdf(x, df, 12.0, delta) / p - 1.0).abs() < 1e-11);
        }
    }
}
