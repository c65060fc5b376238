//! Brackets of a root or a minimum of one variable.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Growth of a bracket at each expansion.
const EXPANSION: f64 = 1.6;
/// Expansions before bracketing gives up: 1.6⁶⁰ ≈ 2·10¹² times the first width.
const MAX_EXPANSIONS: usize = 60;

/// An interval whose ends have function values of opposite sign.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Three points of which the middle one has the lowest value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bracket {
    /// Lower end.
    pub low: f64,
    /// A point between with a lower value.
    pub middle: f64,
    /// Upper end.
    pub high: f64,
}

/// Expands the interval `[low, high]` until `f` changes sign in it, moving the end with the smaller |f| outwards.
///
/// # Errors
/// [`Error::InvalidOption`] when `low < high` does not hold, [`Error::NotFinite`] when `f` is NaN, and
/// [`Error::NotConverged`] when no change of sign is found.
pub fn bracket_root(mut f: impl FnMut(f64) -> f64, low: f64, high: f64) -> Result<Interval> {
    check_order(low, high)?;
    let (mut low, mut high) = (low, high);
    let mut f_low = known(f(low), low)?;
    let mut f_high = known(f(high), high)?;
    for _ in 0..MAX_EXPANSIONS {
        if !same_sign(f_low, f_high) {
            return Ok(Interval { low, high });
        }
        let reach = EXPANSION * (high - low);
        if f_low.abs() < f_high.abs() {
            low -= reach;
            f_low = known(f(low), low)?;
        } else {
            high += reach;
            f_high = known(f(high), high)?;
        }
    }
    Err(not_converged(
        "the search for a change of sign",
        MAX_EXPANSIONS,
        f_low.abs().min(f_high.abs()),
        0.0,
    ))
}

/// Goes downhill from `[low, high]` with growing steps until the value rises again.
///
/// # Errors
/// [`Error::InvalidOption`] when `low < high` does not hold, [`Error::NotFinite`] when `f` is NaN, and
/// [`Error::NotConverged`] when the function keeps falling.
pub fn bracket_minimum(mut f: impl FnMut(f64) -> f64, low: f64, high: f64) -> Result<Bracket> {
    check_order(low, high)?;
    let (mut a, mut b) = (low, high);
    let (mut fa, mut fb) = (known(f(a), a)?, known(f(b), b)?);
    if fb > fa {
        (a, b) = (b, a);
        (fa, fb) = (fb, fa);
    }
    for _ in 0..MAX_EXPANSIONS {
        let c = b + EXPANSION * (b - a);
        let fc = known(f(c), c)?;
        if fc > fb || (fc >= fb && fa > fb) {
            return Ok(Bracket {
                low: a.min(c),
                middle: b,
                high: a.max(c),
            });
        }
        (a, fa) = (b, fb);
        (b, fb) = (c, fc);
    }
    Err(not_converged(
        "the bracketing of a minimum",
        MAX_EXPANSIONS,
        (fa - fb).abs(),
        0.0,
    ))
}

pub(super) fn check_order(low: f64, high: f64) -> Result<()> {
    if low < high && low.is_finite() && high.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_option(
        "low, high",
        format!("[{low}, {high}]"),
        "a finite interval with low < high",
    ))
}

pub(super) fn check_tolerance(tolerance: f64) -> Result<()> {
    if tolerance >= 0.0 {
        return Ok(());
    }
    Err(Error::invalid_option(
        "tolerance",
        tolerance,
        "zero or a positive number",
    ))
}

pub(super) fn known(value: f64, x: f64) -> Result<f64> {
    if value.is_nan() {
        return Err(Error::NotFinite {
            what: format!("the function at {x}"),
        });
    }
    Ok(value)
}

pub(super) fn is_zero(x: f64) -> bool {
    x.abs() <= 0.0
}

pub(super) fn same_sign(a: f64, b: f64) -> bool {
    (a > 0.0 && b > 0.0) || (a < 0.0 && b < 0.0)
}

pub(super) fn not_converged(
    what: &str,
    iterations: usize,
    criterion: f64,
    tolerance: f64,
) -> Error {
    Error::NotConverged {
        what: what.to_owned(),
        iterations,
        criterion,
        tolerance,
        remedy: "give another interval or check the function".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_change_of_sign_is_found(root in -50.0..50.0f64, away in 0.01..100.0f64, width in 0.01..10.0f64) {
            let f = |x: f64| (x - root) + (x - root).powi(3);
            for start in [root + away, root - away - width] {
                let interval = bracket_root(f, start, start + width).unwrap();
                prop_assert!(interval.low <= root && root <= interval.high);
            }
        }

        #[test]
        fn a_convex_function_is_bracketed(at in -20.0..20.0f64, away in 0.01..30.0f64, width in 0.01..5.0f64) {
            let f = |x: f64| (x - at).cosh();
            for start in [at + away, at - away - width] {
                let found = bracket_minimum(f, start, start + width).unwrap();
                prop_assert!(found.low <= at && at <= found.high);
                prop_assert!(f(found.middle) <= f(found.low).min(f(found.high)));
            }
        }
    }

    #[test]
    fn a_search_without_end_is_reported() {
        assert!(matches!(
            bracket_root(|_| 1.0, 0.0, 1.0),
            Err(Error::NotConverged { .. })
        ));
        assert!(matches!(
            bracket_minimum(|x| -x, 0.0, 1.0),
            Err(Error::NotConverged { .. })
        ));
        assert!(bracket_root(|x| x, 1.0, 0.0).is_err());
    }
}
