//! Rows of slates: their checks, the weights above a place, and self-normalised scores.

use crate::data::Groups;
use crate::error::{Error, Result};

/// Refuses a place twice in a slate.
pub(super) fn check_places(places: &Groups, slates: &[u32]) -> Result<()> {
    let mut pairs: Vec<(u32, u32)> = slates
        .iter()
        .copied()
        .zip(places.codes.iter().copied())
        .collect();
    pairs.sort_unstable();
    match pairs.windows(2).find(|two| two[0] == two[1]) {
        None => Ok(()),
        Some(two) => Err(Error::invalid_option(
            "place",
            format!("{} twice in a slate", places.levels[two[0].1 as usize]),
            "one row for each place of a slate",
        )),
    }
}

/// Scores whose mean over slates is the self-normalised value, and whose spread is that of its influence function: with `R` the ratio of the sums of earnings and
/// weights of a group of rows and `w̄` its mean weight, `R + (earned − R w)/w̄`. An error names the group without weight.
pub(super) fn normalised(
    weights: &[f64],
    earned: &[f64],
    group: &[u32],
    groups: usize,
) -> std::result::Result<Vec<f64>, usize> {
    let mut sums = vec![[0.0; 3]; groups];
    for ((w, e), g) in weights.iter().zip(earned).zip(group) {
        for (sum, value) in sums[*g as usize].iter_mut().zip([1.0, *w, *e]) {
            *sum += value;
        }
    }
    if let Some(empty) = sums.iter().position(|[_, weight, _]| *weight <= 0.0) {
        return Err(empty);
    }
    let score = |((w, e), g): ((&f64, &f64), &u32)| {
        let [rows, weight, total] = sums[*g as usize];
        let ratio = total / weight;
        ratio + (e - ratio * w) * rows / weight
    };
    Ok(weights.iter().zip(earned).zip(group).map(score).collect())
}

/// The weight at the place above in the slate; one at the first.
pub(super) fn weights_above(places: &[f64], slates: &[u32], weights: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|a, b| {
        slates[*a]
            .cmp(&slates[*b])
            .then(places[*a].total_cmp(&places[*b]))
    });
    let mut above = vec![1.0; places.len()];
    for two in order
        .windows(2)
        .filter(|two| slates[two[0]] == slates[two[1]])
    {
        above[two[1]] = weights[two[0]];
    }
    above
}

/// Refuses a probability of the slate that differs between its places.
pub(super) fn same_within(
    column: &str,
    values: &[f64],
    slates: &[u32],
    count: usize,
) -> Result<()> {
    const ROUNDING: f64 = 1e-9;
    let mut first: Vec<Option<f64>> = vec![None; count];
    for (row, (value, slate)) in values.iter().zip(slates).enumerate() {
        let known = *first[*slate as usize].get_or_insert(*value);
        if (known - value).abs() > ROUNDING * known {
            return Err(Error::OutOfRange {
                column: column.to_owned(),
                row: row + 1,
                value: *value,
                expected: format!(
                    "{known}, as at the slate's first place: the probability of the whole slate"
                ),
            });
        }
    }
    Ok(())
}
