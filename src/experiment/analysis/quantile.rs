//! Quantiles of every arm: order statistics, with clusters through the variance of the share below the quantile.

use super::effect::{ArmValue, Compared};
use crate::error::{Error, Result};
use crate::experiment::adjust::winsorize;
use crate::numeric::special::normal;

/// The quantile of each arm with the standard error that its order-statistic interval has.
///
/// The ranks `n(p ± z σ)` with `σ² = p(1 − p)/n` bracket the quantile (Deng, Knoblich & Lu 2018, section 4); where units are
/// clusters of rows, σ² is the delta-method variance of the share of rows at or below the quantile, a ratio of sums over
/// clusters. The standard error is the width of the bracket over `2z`: the density of the outcome need not be estimated.
pub(crate) fn quantiles(
    metric: &str,
    values: &[f64],
    probability: f64,
    level: f64,
    arms: &[String],
    rows: &[Vec<u32>],
    clusters: Option<&[u32]>,
) -> Result<Vec<Compared>> {
    let z = normal::quantile(0.5 + level / 2.0);
    let mut found = Vec::new();
    for (arm, rows) in arms.iter().zip(rows) {
        let used: Vec<u32> = (rows.iter().copied())
            .filter(|row| !values[*row as usize].is_nan())
            .collect();
        let mut sorted: Vec<f64> = used.iter().map(|row| values[*row as usize]).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len() as f64;
        let few = || {
            Error::Unidentified {
            what: format!("an interval of `{metric}` in arm `{arm}`, which has {n} rows"),
            needs: "order statistics on both sides of the quantile: more rows, or a quantile nearer the middle".to_owned(),
        }
        };
        if sorted.len() < 2 {
            return Err(few());
        }
        let value = winsorize::quantile(&mut sorted.clone(), probability);
        let (units, sigma) = match clusters {
            None => (n, (probability * (1.0 - probability) / n).sqrt()),
            Some(codes) => {
                let (count, variance) = share_below(values, &used, codes, value);
                (count, variance.sqrt())
            }
        };
        let rank = |p: f64| (n * p).ceil();
        let (low, high) = (
            rank(probability - z * sigma),
            rank(probability + z * sigma) + 1.0,
        );
        if !(low >= 1.0 && high <= n) {
            return Err(few());
        }
        let width = sorted[high as usize - 1] - sorted[low as usize - 1];
        let std_error = width / (2.0 * z);
        found.push(Compared {
            record: ArmValue {
                metric: metric.to_owned(),
                arm: arm.clone(),
                units: units as u64,
                value,
                std_error,
                unit_variance: units * std_error * std_error,
                unadjusted: value,
                unadjusted_variance: units * std_error * std_error,
            },
            parts: vec![(std_error * std_error, f64::INFINITY)],
        });
    }
    Ok(found)
}

/// Clusters, and the variance over them of the share of rows at or below a value.
fn share_below(values: &[f64], rows: &[u32], codes: &[u32], value: f64) -> (f64, f64) {
    let most = rows.iter().map(|r| codes[*r as usize]).max().unwrap_or(0);
    let mut sums = vec![[0.0_f64; 2]; most as usize + 1];
    for row in rows {
        let sum = &mut sums[codes[*row as usize] as usize];
        sum[0] += f64::from(u8::from(values[*row as usize] <= value));
        sum[1] += 1.0;
    }
    sums.retain(|s| s[1] > 0.0);
    let count = sums.len() as f64;
    let total: f64 = sums.iter().map(|s| s[1]).sum();
    let share = sums.iter().map(|s| s[0]).sum::<f64>() / total;
    let squares: f64 = sums.iter().map(|s| (s[0] - share * s[1]).powi(2)).sum();
    (count, squares / (count - 1.0) * count / (total * total))
}
