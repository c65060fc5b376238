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

/// Reads `null` as not a number: what the data do not determine.
pub(crate) fn undetermined<'de, D: Deserializer<'de>>(reader: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(reader)?.unwrap_or(f64::NAN))
}

/// Reads every `null` of lists as ∞.
pub(crate) fn lists_above<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<Vec<f64>>, D::Error> {
    #[derive(Deserialize)]
    struct List(#[serde(deserialize_with = "all_above")] Vec<f64>);
    let lists = Vec::<List>::deserialize(reader)?;
    Ok(lists.into_iter().map(|list| list.0).collect())
}

/// Reads every `null` of a list as ∞.
pub(crate) fn all_above<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<f64>, D::Error> {
    let values = Vec::<Option<f64>>::deserialize(reader)?;
    Ok(values
        .into_iter()
        .map(|v| v.unwrap_or(f64::INFINITY))
        .collect())
}
