//! Checks of options that learners share.

use crate::error::{Error, Result};

/// A whole number within bounds.
pub(crate) fn whole(option: &str, value: usize, least: usize, most: usize) -> Result<()> {
    if value >= least && value <= most {
        return Ok(());
    }
    let expected = if most == usize::MAX {
        format!("at least {least}")
    } else {
        format!("from {least} to {most}")
    };
    Err(Error::invalid_option(option, value, expected))
}

/// A share: above 0, at most 1.
pub(crate) fn share(option: &str, value: f64) -> Result<()> {
    if value > 0.0 && value <= 1.0 {
        return Ok(());
    }
    Err(Error::invalid_option(
        option,
        value,
        "above 0 and at most 1",
    ))
}
