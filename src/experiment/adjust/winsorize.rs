//! Winsorising: the quantiles at which values are cut.

use crate::data::Frame;
use crate::error::{Error, Result};

/// The quantiles of a column over all rows that have it (linear between order statistics, Hyndman & Fan's type 7).
pub(crate) fn bounds(column: &str, [lower, upper]: [f64; 2], frame: &Frame) -> Result<[f64; 2]> {
    let real = frame.numeric(column)?;
    let mut values: Vec<f64> = real
        .values()
        .iter()
        .copied()
        .filter(|v| !v.is_nan())
        .collect();
    if values.is_empty() {
        return Err(Error::NoRows {
            reason: format!("`{column}` is missing everywhere"),
        });
    }
    let low = quantile(&mut values, lower);
    Ok([low, quantile(&mut values, upper)])
}

/// A quantile of values, which are put in another order.
pub(crate) fn quantile(values: &mut [f64], p: f64) -> f64 {
    let at = p * (values.len() - 1) as f64;
    let below = (at.floor() as usize).min(values.len() - 1);
    let (_, low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let low = *low;
    let share = at - below as f64;
    if share <= 0.0 {
        return low;
    }
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    low + share * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_linear_between_values() {
        let mut x = vec![9.0, 1.0, 4.0, 2.0];
        assert_eq!(quantile(&mut x, 0.5), 3.0);
        assert_eq!(quantile(&mut x, 1.0), 9.0);
        assert_eq!(quantile(&mut x, 0.0), 1.0);
    }
}
