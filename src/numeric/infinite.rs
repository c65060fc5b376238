//! Infinite numbers in JSON, which has none: they are written as `null`, and these readers turn `null` back into the infinity
//! that the field can hold (degrees of freedom of the normal, an unbounded end of a confidence set).

use serde::{Deserialize, Deserializer};

/// Reads `null` as ∞.
pub(crate) fn above<'de, D: Deserializer<'de>>(reader: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(reader)?.unwrap_or(f64::INFINITY))
}

/// Reads `null` as −∞.
pub(crate) fn below<'de, D: Deserializer<'de>>(reader: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(reader)?.unwrap_or(f64::NEG_INFINITY))
}
