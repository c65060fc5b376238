//! What the processes know without simulating: means over a standard normal, and parameters solved from rates.

use crate::error::{Error, Result};
use crate::numeric::special::normal;

/// `E f(Z)`, Z ~ N(0, 1), of a smooth function, by the trapezoid rule, which is then exact to rounding.
pub(super) fn over_normal(f: impl Fn(f64) -> f64) -> f64 {
    const STEPS: i32 = 200;
    trapezoid(STEPS, f)
}

/// The same of a function with kinks, to about 1e-6.
pub(super) fn over_normal_kinked(f: impl Fn(f64) -> f64) -> f64 {
    const STEPS: i32 = 3200;
    trapezoid(STEPS, f)
}

fn trapezoid(steps: i32, f: impl Fn(f64) -> f64) -> f64 {
    /// Beyond, the normal has less than 1e-15.
    const END: f64 = 8.0;
    let step = 2.0 * END / f64::from(steps);
    let total: f64 = (0..=steps)
        .map(|i| {
            let z = f64::from(i) * step - END;
            f(z) * normal::pdf(z)
        })
        .sum();
    total * step
}

/// Where an increasing function reaches `target` between two ends, by bisection.
///
/// # Errors
/// [`Error::InvalidOption`] naming `what` when it does not.
pub(super) fn solve(
    what: &str,
    target: f64,
    (low, high): (f64, f64),
    f: impl Fn(f64) -> f64,
) -> Result<f64> {
    /// Halvings that reach the last bit of any interval.
    const HALVINGS: usize = 70;
    if !(f(low) <= target && target <= f(high)) {
        return Err(Error::invalid_option(
            what,
            target,
            "a value that the other parameters allow",
        ));
    }
    let (mut low, mut high) = (low, high);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if f(middle) < target {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(0.5 * (low + high))
}

/// Refuses a share outside (0, 1).
///
/// # Errors
/// [`Error::InvalidOption`].
pub(super) fn share(name: &str, value: f64) -> Result<()> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err(Error::invalid_option(
        name,
        value,
        "strictly between 0 and 1",
    ))
}

/// Refuses a number that is negative or not finite.
///
/// # Errors
/// [`Error::InvalidOption`].
pub(super) fn not_negative(name: &str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_option(
        name,
        value,
        "zero or a positive finite number",
    ))
}

/// A flag as a number.
pub(super) fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

/// A value that is seen only where `seen` is one, else missing.
pub(super) fn seen_if(seen: f64, value: f64) -> f64 {
    if seen > 0.5 { value } else { f64::NAN }
}

/// The seed, or the error that shows how to give one.
///
/// # Errors
/// [`Error::SeedRequired`].
pub(super) fn seeded(
    seed: Option<crate::numeric::Seed>,
    what: &str,
) -> Result<crate::numeric::Seed> {
    seed.ok_or_else(|| Error::SeedRequired {
        what: what.to_owned(),
    })
}

/// The builder that every process has: number of units, seed, whether the oracle's rows are kept.
macro_rules! process {
    ($type:ident, $size:ident, $unit:literal) => {
        impl $type {
            #[doc = concat!("How many ", $unit, ".")]
            pub fn $size(mut self, $size: usize) -> Self {
                self.$size = $size;
                self
            }

            $crate::simulate::closed::seeded_process!();
        }
    };
}
pub(super) use process;

/// The part of the builder that does not depend on what is counted.
macro_rules! seeded_process {
    () => {
        /// The seed.
        pub fn seed(mut self, seed: impl Into<$crate::numeric::Seed>) -> Self {
            self.seed = Some(seed.into());
            self
        }

        /// Whether the oracle's rows are kept; its effects always are.
        pub fn keep_oracle(mut self, keep: bool) -> Self {
            self.keep_oracle = keep;
            self
        }
    };
}
pub(super) use seeded_process;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_roots() {
        assert!((over_normal(|z| z * z) - 1.0).abs() < 1e-12);
        // E Φ(c + λZ) = Φ(c/√(1 + λ²))
        let value = over_normal(|z| normal::cdf(0.3 + 0.8 * z));
        assert!((value - normal::cdf(0.3 / 1.64_f64.sqrt())).abs() < 1e-12);
        // E (Z)₊ = φ(0), across a kink
        assert!((over_normal_kinked(|z| z.max(0.0)) - normal::pdf(0.0)).abs() < 1e-6);
        let root = solve("x", 2.0, (0.0, 2.0), |x| x * x).unwrap();
        assert!((root - 2.0_f64.sqrt()).abs() < 1e-15);
        assert!(solve("x", 9.0, (0.0, 2.0), |x| x * x).is_err());
        assert!(share("p", 1.0).is_err() && not_negative("x", -1.0).is_err());
    }
}
