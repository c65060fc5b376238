//! What an effect is worth when something was left out: how strong it would have to be to change the answer.
//!
//! [`OmittedVariable`] asks of a regression coefficient, [`OmittedConfounder`] of an effect with machine-learned nuisances,
//! [`CoefficientStability`] in units of the observed controls, [`ConfoundingEValue`] of a ratio, [`MarginalSensitivity`] of weights by propensities,
//! [`Placebo`] and [`EmpiricalNull`] from what an analysis finds where there is nothing.

mod contours;
mod e_value;
mod marginal;
pub(in crate::causal) mod negative_controls;
mod omitted_confounder;
mod omitted_variable;
mod proportional;
mod regressors;

pub use e_value::{ConfoundingEValue, RatioScale};
pub use marginal::{MarginalBounds, MarginalSensitivity, MarginalSensitivityFit};
pub use negative_controls::{EmpiricalNull, Placebo, PlaceboFit};
pub use omitted_confounder::{ConfoundedEffect, ConfounderGain, OmittedConfounder};
pub use omitted_variable::{ConfounderBenchmark, OmittedVariable};
pub use proportional::{CoefficientStability, StableBeta};

use crate::error::{Error, Result};

/// Refuses a share that is not in [0, 1), or in [0, 1] where all may be explained.
fn check_share(option: &str, value: f64, one: bool) -> Result<()> {
    if value >= 0.0 && (value < 1.0 || (one && value <= 1.0)) {
        return Ok(());
    }
    let expected = if one {
        "a share of variance from 0 to 1"
    } else {
        "a share of variance, at least 0 and less than 1"
    };
    Err(Error::invalid_option(option, value, expected))
}

/// A level in per cent, without digits that rounding made.
fn percent_of(level: f64) -> f64 {
    (1e6 * level).round() / 1e4
}

/// The share r for which `r²/(1 − r) = f²`: equal shares of treatment and outcome that make a bias of f units.
fn equal_share(f: f64) -> f64 {
    // (√(f⁴ + 4f²) − f²)/2 without cancellation or overflow.
    2.0 * f / (f.hypot(2.0) + f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_equal_share_solves_its_equation() {
        for f in [0.0, 1e-9, 0.1, 1.0, 7.0, 1e4] {
            let r = equal_share(f);
            assert!((0.0..1.0).contains(&r));
            assert!((r * r / (1.0 - r) - f * f).abs() < 1e-7 * (1.0 + f * f));
        }
        assert!((equal_share(1e200) - 1.0).abs() < 1e-15);
    }
}
