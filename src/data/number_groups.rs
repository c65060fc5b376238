//! Numbers as groups: codes in the order of the values.

use super::MISSING;

/// Whether a number is whole and below 2^63; a cast is one instruction, a call of `trunc` is not.
fn is_whole(v: f64) -> bool {
    (v as i64 as f64).to_bits() == (v + 0.0).to_bits()
}

/// Codes whole numbers from 0 to 63 (arms, days, flags) in two passes; none as soon as another number comes.
fn few_small_numbers(
    values: &[f64],
    text: impl Fn(f64) -> String,
) -> Option<(Vec<u32>, Vec<String>)> {
    const FEW: usize = 64;
    let mut seen = 0_u64;
    for v in values.iter().filter(|v| !v.is_nan()) {
        let number = *v as i64 as u64;
        if number >= FEW as u64 || !is_whole(*v) {
            return None;
        }
        seen |= 1 << number;
    }
    let mut table = [MISSING; FEW];
    let mut levels = Vec::new();
    for number in (0..FEW).filter(|number| seen >> number & 1 == 1) {
        table[number] = levels.len() as u32;
        levels.push(text(number as f64));
    }
    let code = |v: &f64| {
        if v.is_nan() {
            MISSING
        } else {
            table[*v as usize % FEW]
        }
    };
    Some((values.iter().map(code).collect(), levels))
}

/// Codes numbers by sorted value. Small integers, the common case for identifiers, are coded by a counting table.
pub(super) fn number_groups(
    values: &[f64],
    text: impl Fn(f64) -> String,
) -> (Vec<u32>, Vec<String>) {
    /// A table this many times the rows is still cheaper than sorting.
    const SPARSE: usize = 4;
    if let Some(coded) = few_small_numbers(values, &text) {
        return coded;
    }
    let (mut low, mut high, mut integer) = (f64::INFINITY, f64::NEG_INFINITY, true);
    for v in values.iter().filter(|v| !v.is_nan()) {
        low = low.min(*v);
        high = high.max(*v);
        integer &= is_whole(*v);
    }
    let span = high - low;
    if integer && span.is_finite() && span >= 0.0 && span < (SPARSE * values.len() + 1024) as f64 {
        let mut table = vec![MISSING; span as usize + 1];
        for v in values.iter().filter(|v| !v.is_nan()) {
            table[(v - low) as usize] = 0;
        }
        let mut levels = Vec::new();
        for (i, slot) in table.iter_mut().enumerate().filter(|(_, s)| **s == 0) {
            *slot = levels.len() as u32;
            levels.push(text(low + i as f64));
        }
        let codes = values
            .iter()
            .map(|v| {
                if v.is_nan() {
                    MISSING
                } else {
                    table[(v - low) as usize]
                }
            })
            .collect();
        return (codes, levels);
    }
    let mut sorted: Vec<f64> = values
        .iter()
        .filter(|v| !v.is_nan())
        .map(|v| v + 0.0)
        .collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.dedup_by(|a, b| a.to_bits() == b.to_bits());
    let codes = values
        .iter()
        .map(|v| {
            sorted
                .binary_search_by(|s| s.total_cmp(&(v + 0.0)))
                .map_or(MISSING, |i| i as u32)
        })
        .collect();
    (codes, sorted.into_iter().map(text).collect())
}
