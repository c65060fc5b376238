//! Safeguarded root finding for quantiles.

/// Iterations after which the bracket is as small as it will get.
const LIMIT: u32 = 200;

/// Finds the x > 0 at which an increasing residual vanishes. `residual` returns its value and its slope by ln x; the
/// steps are Newton's in ln x, taken as factors of x so that no accuracy is lost, and fall back to bisection when they
/// leave the bracket.
pub(super) fn positive(start: f64, mut residual: impl FnMut(f64) -> (f64, f64)) -> f64 {
    /// A Newton step this small leaves an error far below the rounding error.
    const SMALL: f64 = 1e-11;
    /// Largest step in ln x, so that a flat stretch cannot throw the search out of the range of `f64`.
    const LARGE: f64 = 30.0;
    let (mut low, mut high) = (0.0_f64, f64::INFINITY);
    let mut x = start.clamp(f64::MIN_POSITIVE, f64::MAX);
    for _ in 0..LIMIT {
        let (value, slope) = residual(x);
        if value.is_nan() {
            return f64::NAN;
        }
        if value > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let newton = (-value / slope).clamp(-LARGE, LARGE);
        let step = if newton.is_nan() {
            -LARGE * value.signum()
        } else {
            newton
        };
        let trial = x * step.exp();
        if step.abs() < SMALL {
            return trial;
        }
        x = if trial > low && trial < high {
            trial
        } else if low > 0.0 && high.is_finite() {
            let middle = low.sqrt() * high.sqrt();
            if !(middle > low && middle < high) {
                return middle;
            }
            middle
        } else if trial <= 0.0 || trial.is_infinite() {
            // The root lies beyond the range of f64.
            return trial;
        } else {
            trial.clamp(low, high)
        };
    }
    x
}

/// Finds the root of an increasing function on the whole line; the bracket grows from `start` by `scale`, doubling.
pub(super) fn line(start: f64, scale: f64, f: impl FnMut(f64) -> f64) -> f64 {
    let mut step = scale;
    bracket(start, f, |x, direction| {
        let next = x + direction * step;
        step *= 2.0;
        next
    })
}

/// Finds the positive root of an increasing function; the bracket grows from `start` by factors that are squared.
pub(super) fn half_line(start: f64, f: impl FnMut(f64) -> f64) -> f64 {
    let mut factor = 1.5_f64;
    bracket(start, f, |x, direction| {
        let next = x * factor.powf(direction);
        factor = (factor * factor).min(1e30);
        next
    })
}

/// Moves away from `start` until the sign changes, then refines.
fn bracket(
    start: f64,
    mut f: impl FnMut(f64) -> f64,
    mut next: impl FnMut(f64, f64) -> f64,
) -> f64 {
    let (mut a, mut fa) = (start, f(start));
    let direction = if fa > 0.0 { -1.0 } else { 1.0 };
    loop {
        if fa.is_nan() {
            return f64::NAN;
        }
        let b = next(a, direction);
        if b.is_infinite() || b.abs() < f64::MIN_POSITIVE {
            // The root lies beyond the range of f64.
            return b;
        }
        let fb = f(b);
        let short = fb * direction < 0.0;
        if !short {
            return refine(a, fa, b, fb, f);
        }
        (a, fa) = (b, fb);
    }
}

/// Chandrupatla's (1997) mixture of inverse quadratic interpolation and bisection between points of opposite sign.
fn refine(mut a: f64, mut fa: f64, mut b: f64, mut fb: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
    let mut t = 0.5;
    for _ in 0..LIMIT {
        let x = a + t * (b - a);
        let fx = f(x);
        if fx.is_nan() {
            return f64::NAN;
        }
        // (a, b) brackets the root; (c, fc) is the point dropped last.
        let (c, fc) = if (fx > 0.0) == (fa > 0.0) {
            (a, fa)
        } else {
            let dropped = (b, fb);
            (b, fb) = (a, fa);
            dropped
        };
        (a, fa) = (x, fx);
        let (best, value) = if fa.abs() < fb.abs() {
            (a, fa)
        } else {
            (b, fb)
        };
        let tolerance = f64::EPSILON * best.abs() + f64::MIN_POSITIVE;
        let reach = tolerance / (b - a).abs();
        let wide = reach < 0.5;
        if !wide || value.abs() <= 0.0 {
            return best;
        }
        let xi = (a - b) / (c - b);
        let phi = (fa - fb) / (fc - fb);
        t = if phi * phi < xi && (1.0 - phi) * (1.0 - phi) < 1.0 - xi {
            fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        } else {
            0.5
        };
        t = t.clamp(reach, 1.0 - reach);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_found_from_anywhere() {
        for start in [1e-300, 1e-3, 1.0, 1e10, 1e300] {
            let root = positive(start, |x| (x.ln() - 5.0, 1.0));
            assert!((root / 5.0_f64.exp() - 1.0).abs() < 1e-14, "{start} {root}");
            let sharp = positive(start, |x| {
                ((x - 2.0).tanh(), x * (1.0 - (x - 2.0).tanh().powi(2)))
            });
            assert!((sharp / 2.0 - 1.0).abs() < 1e-14, "{start} {sharp}");
        }
        for start in [-1e6, 0.0, 40.0] {
            let root = line(start, 1.0, |x| x.exp() - 7.0);
            assert!((root / 7.0_f64.ln() - 1.0).abs() < 1e-14);
        }
        for start in [1e-200, 1.0, 1e200] {
            let root = half_line(start, |x| x.ln() - 7.0);
            assert!((root / 7.0_f64.exp() - 1.0).abs() < 1e-14);
        }
        assert!(line(0.0, 1.0, |_| f64::NAN).is_nan());
    }
}
