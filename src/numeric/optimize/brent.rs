//! Brent's methods for one variable: roots and minima.

use super::bracket::{check_order, check_tolerance, is_zero, known, not_converged, same_sign};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Evaluations after which a search gives up. Brent's bound is the square of the bisection steps, met by no known example;
/// the usual count is about 10.
const MAX_EVALUATIONS: usize = 1000;
/// Accuracy of a minimum near zero, where relative accuracy means nothing, as a share of the first interval.
const ABSOLUTE: f64 = 1e-11;
/// The golden section, (3 − √5)/2.
const GOLDEN: f64 = 0.381_966_011_250_105_15;
/// A root of one variable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalarRoot {
    /// Where the function is (nearly) zero.
    pub point: f64,
    /// The function there.
    pub value: f64,
    /// Evaluations used.
    pub evaluations: usize,
}

/// A minimum of one variable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalarMinimum {
    /// Where the function is lowest.
    pub point: f64,
    /// The function there.
    pub value: f64,
    /// Evaluations used.
    pub evaluations: usize,
}

/// The root of `f` between `low` and `high`, where `f` has opposite signs, by Brent's method (bisection, secant and inverse
/// quadratic interpolation): the point is within `tolerance + 4ε|x|` of a change of sign (at zero, within `2ε²` of the interval).
///
/// # Errors
/// [`Error::InvalidOption`] when the signs do not differ or the tolerance is negative, [`Error::NotFinite`] when `f` is NaN.
///
/// # References
/// Brent (1973), *Algorithms for Minimization without Derivatives*, chapter 4.
///
/// ```
/// use cocreate::numeric::optimize::brent_root;
/// let root = brent_root(|x| x.cos() - x, 0.0, 1.0, 0.0)?;
/// assert!((root.point - 0.739_085_133_215_160_6).abs() < 1e-15);
/// # Ok::<(), cocreate::Error>(())
/// ```
pub fn brent_root(
    mut f: impl FnMut(f64) -> f64,
    low: f64,
    high: f64,
    tolerance: f64,
) -> Result<ScalarRoot> {
    root_of(&mut f, low, high, tolerance)
}

/// Compiled once, whatever the function.
fn root_of(
    f: &mut dyn FnMut(f64) -> f64,
    low: f64,
    high: f64,
    tolerance: f64,
) -> Result<ScalarRoot> {
    check_tolerance(tolerance)?;
    // Without a floor a change of sign at zero would be chased through all 1074 halvings of one.
    let floor = f64::EPSILON * f64::EPSILON * (high - low).abs();
    let mut evaluate = |x: f64| known(f(x), x);
    // b is the best point, a the one before, c the end of opposite sign.
    let (mut a, mut b) = (low, high);
    let (mut fa, mut fb) = (evaluate(a)?, evaluate(b)?);
    if same_sign(fa, fb) {
        return Err(Error::invalid_option(
            "low, high",
            format!("[{low}, {high}] with values {fa} and {fb}"),
            "an interval at whose ends the function has opposite signs (see bracket_root)",
        ));
    }
    let (mut c, mut fc) = (a, fa);
    let (mut step, mut before) = (b - a, b - a);
    let mut evaluations = 2;
    loop {
        if fc.abs() < fb.abs() {
            (a, b, c) = (b, c, b);
            (fa, fb, fc) = (fb, fc, fb);
        }
        let reach = 2.0 * f64::EPSILON * b.abs() + 0.5 * tolerance + floor;
        let half = 0.5 * (c - b);
        if half.abs() <= reach || is_zero(fb) {
            return Ok(ScalarRoot {
                point: b,
                value: fb,
                evaluations,
            });
        }
        if evaluations >= MAX_EVALUATIONS {
            return Err(not_converged(
                "Brent's root search",
                evaluations,
                half.abs(),
                reach,
            ));
        }
        let trial = if before.abs() >= reach && fa.abs() > fb.abs() {
            root_step((a, fa), (b, fb), (c, fc)).filter(|p| {
                // The interpolated point must stay near b and converge faster than bisection.
                p * half >= 0.0
                    && p.abs() < (1.5 * half.abs() - 0.5 * reach)
                    && p.abs() < 0.5 * before.abs()
            })
        } else {
            None
        };
        (before, step) = match trial {
            Some(p) => (step, p),
            None => (half, half),
        };
        (a, fa) = (b, fb);
        b += if step.abs() > reach {
            step
        } else {
            reach.copysign(half)
        };
        fb = evaluate(b)?;
        evaluations += 1;
        if same_sign(fb, fc) {
            (c, fc) = (a, fa);
            (before, step) = (b - a, b - a);
        }
    }
}

/// The step from `b` by inverse quadratic interpolation, or by the secant when only two points are distinct.
fn root_step(a: (f64, f64), b: (f64, f64), c: (f64, f64)) -> Option<f64> {
    let s = b.1 / a.1;
    let (p, q) = if is_zero(a.0 - c.0) {
        ((c.0 - b.0) * s, 1.0 - s)
    } else {
        let (q, r) = (a.1 / c.1, b.1 / c.1);
        (
            s * ((c.0 - b.0) * q * (q - r) - (b.0 - a.0) * (r - 1.0)),
            -((q - 1.0) * (r - 1.0) * (s - 1.0)),
        )
    };
    let step = p / q;
    step.is_finite().then_some(step)
}

/// A local minimum of `f` between `low` and `high` by Brent's method (golden section and parabolas). The point is good to
/// about `tolerance` relative (and 1e-11 of the interval near zero); below √ε ≈ 1.5e-8, the default when 0 is given,
/// rounding of `f` hides the minimum. Infinite values
/// count as high.
///
/// # Errors
/// [`Error::InvalidOption`] when `low < high` does not hold or the tolerance is negative, [`Error::NotFinite`] when `f` is
/// NaN, and [`Error::NotConverged`] when 1000 evaluations do not suffice.
///
/// # References
/// Brent (1973), *Algorithms for Minimization without Derivatives*, chapter 5.
///
/// ```
/// use cocreate::numeric::optimize::brent_minimum;
/// let found = brent_minimum(|x| x * x.ln(), 0.1, 2.0, 0.0)?;
/// assert!((found.point - (-1f64).exp()).abs() < 1e-7);
/// # Ok::<(), cocreate::Error>(())
/// ```
pub fn brent_minimum(
    mut f: impl FnMut(f64) -> f64,
    low: f64,
    high: f64,
    tolerance: f64,
) -> Result<ScalarMinimum> {
    minimum_of(&mut f, low, high, tolerance)
}

/// Compiled once, whatever the function.
fn minimum_of(
    f: &mut dyn FnMut(f64) -> f64,
    low: f64,
    high: f64,
    tolerance: f64,
) -> Result<ScalarMinimum> {
    check_tolerance(tolerance)?;
    check_order(low, high)?;
    let relative = tolerance.max(f64::EPSILON.sqrt());
    let absolute = ABSOLUTE * (high - low);
    let mut evaluate = |x: f64| known(f(x), x);
    let (mut low, mut high) = (low, high);
    // x is the best point, w the second best, v the w of before.
    let mut x = low + GOLDEN * (high - low);
    let mut fx = evaluate(x)?;
    let (mut w, mut fw, mut v, mut fv) = (x, fx, x, fx);
    let (mut step, mut before) = (0.0_f64, 0.0_f64);
    let mut evaluations = 1;
    loop {
        let middle = 0.5 * (low + high);
        let reach = relative * x.abs() + absolute;
        if (x - middle).abs() <= 2.0 * reach - 0.5 * (high - low) {
            return Ok(ScalarMinimum {
                point: x,
                value: fx,
                evaluations,
            });
        }
        if evaluations >= MAX_EVALUATIONS {
            return Err(not_converged(
                "Brent's minimum search",
                evaluations,
                0.5 * (high - low),
                reach,
            ));
        }
        let parabola = if before.abs() > reach {
            vertex((x, fx), (w, fw), (v, fv))
                .filter(|p| p.abs() < 0.5 * before.abs() && x + p > low && x + p < high)
        } else {
            None
        };
        (before, step) = match parabola {
            // Not too near the ends.
            Some(p) if x + p - low < 2.0 * reach || high - (x + p) < 2.0 * reach => {
                (step, reach.copysign(middle - x))
            }
            Some(p) => (step, p),
            None => {
                let side = if x >= middle { low - x } else { high - x };
                (side, GOLDEN * side)
            }
        };
        let u = x + if step.abs() >= reach {
            step
        } else {
            reach.copysign(step)
        };
        let fu = evaluate(u)?;
        evaluations += 1;
        if fu <= fx {
            if u >= x {
                low = x;
            } else {
                high = x;
            }
            (v, fv) = (w, fw);
            (w, fw) = (x, fx);
            (x, fx) = (u, fu);
        } else {
            if u < x {
                low = u;
            } else {
                high = u;
            }
            if fu <= fw || is_zero(w - x) {
                (v, fv) = (w, fw);
                (w, fw) = (u, fu);
            } else if fu <= fv || is_zero(v - x) || is_zero(v - w) {
                (v, fv) = (u, fu);
            }
        }
    }
}

/// The step from `x` to the vertex of the parabola through three points.
fn vertex(x: (f64, f64), w: (f64, f64), v: (f64, f64)) -> Option<f64> {
    let r = (x.0 - w.0) * (x.1 - v.1);
    let q = (x.0 - v.0) * (x.1 - w.1);
    let p = (x.0 - v.0) * q - (x.0 - w.0) * r;
    let step = -p / (2.0 * (q - r));
    step.is_finite().then_some(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_root_of_a_monotone_function_is_found(
            root in -50.0..50.0f64, power in 0..3i32, slope in 1e-6..1e6f64,
            left in 0.01..100.0f64, right in 0.01..100.0f64,
        ) {
            let f = |x: f64| slope * ((x - root) + (x - root).powi(2 * power + 1));
            let found = brent_root(f, root - left, root + right, 0.0).unwrap();
            prop_assert!((found.point - root).abs() <= 8.0 * f64::EPSILON * root.abs().max(1.0));
            prop_assert!(found.evaluations < 200, "{}", found.evaluations);
        }

        #[test]
        fn the_minimum_of_a_convex_function_is_found(at in -20.0..20.0f64, width in 0.1..30.0f64) {
            let f = |x: f64| (x - at).cosh();
            let found = brent_minimum(f, at - width, at + 2.0 * width, 0.0).unwrap();
            prop_assert!((found.point - at).abs() < 1e-7 * at.abs().max(1.0), "{found:?}");
        }
    }

    #[test]
    fn a_steep_and_a_flat_root_are_found() {
        let steep = brent_root(|x| (1e4 * (x - 0.3)).tanh(), -10.0, 1.0, 0.0).unwrap();
        assert!((steep.point - 0.3).abs() < 1e-15);
        let flat = brent_root(|x| (x - 0.3).powi(9), -10.0, 1.0, 1e-12).unwrap();
        assert!((flat.point - 0.3).abs() < 1e-11);
        let jump = brent_root(|x| if x < 0.25 { -1.0 } else { 1.0 }, 0.0, 1.0, 0.0).unwrap();
        assert!((jump.point - 0.25).abs() < 1e-15);
        let zero = brent_root(|x| if x < 0.0 { -1.0 } else { 1.0 }, -1.0, 3.0, 0.0).unwrap();
        assert!(
            zero.point.abs() < 1e-30 && zero.evaluations < 300,
            "{zero:?}"
        );
    }

    #[test]
    fn a_minimum_at_zero_or_at_an_end_is_found() {
        let zero = brent_minimum(|x| x * x, -1.0, 2.0, 0.0).unwrap();
        assert!(
            zero.point.abs() < 1e-10 && zero.evaluations < 100,
            "{zero:?}"
        );
        let kink = brent_minimum(f64::abs, -1.0, 2.0, 0.0).unwrap();
        assert!(
            kink.point.abs() < 1e-10 && kink.evaluations < 100,
            "{kink:?}"
        );
        let end = brent_minimum(|x| x, 1.0, 2.0, 0.0).unwrap();
        assert!((end.point - 1.0).abs() < 1e-7);
        let wall = |x: f64| if x < 0.5 { f64::INFINITY } else { x };
        assert!((brent_minimum(wall, 0.0, 2.0, 0.0).unwrap().point - 0.5).abs() < 1e-7);
    }

    #[test]
    fn misuse_is_refused() {
        let same = brent_root(|x| x * x + 1.0, -1.0, 1.0, 0.0);
        assert!(matches!(same, Err(Error::InvalidOption { .. })));
        let nan = brent_root(|_| f64::NAN, -1.0, 1.0, 0.0);
        assert!(matches!(nan, Err(Error::NotFinite { .. })));
        assert!(brent_minimum(|x| x, 1.0, 0.0, 0.0).is_err());
    }
}
