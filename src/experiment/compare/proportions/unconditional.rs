//! Exact unconditional tests of two proportions: Barnard's and Boschloo's.

use super::super::discrete::{EQUAL, Masses};
use super::Counts;
use crate::error::{Error, Result};
use crate::inference::Alternative;
use std::f64::consts::FRAC_PI_2;
use std::ops::Range;

/// Tables that are looked at, at most.
const MOST_TABLES: u64 = 100_000_000;

/// Points at which the size is computed for the first look, and how many of its peaks are looked at closely. The size varies over steps of
/// `1/√N` in the angle `arcsin √π`, so that this many points for each such step miss no peak.
const POINTS_A_STEP: f64 = 16.0;
const FEWEST_POINTS: f64 = 200.0;
const CLOSE_LOOKS: usize = 8;

/// A statistic of two-by-two tables, small values of which speak against the null hypothesis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ordering {
    /// Barnard (1945) with the pooled z statistic (Suissa & Shuster 1985).
    PooledZ,
    /// Boschloo (1970): Fisher's one-sided p-value.
    Fisher,
}

/// The statistic and the supremum, over the common proportion, of the probability of tables as extreme.
pub(super) struct Unconditional {
    pub(super) statistic: f64,
    pub(super) p_value: f64,
}

/// The test. Two-sided, Barnard's counts tables with as large a |z|, and Boschloo's is twice the smaller one-sided p-value.
pub(super) fn unconditional(
    counts: &Counts,
    ordering: Ordering,
    alternative: Alternative,
) -> Result<Unconditional> {
    let tables = (counts.n[0] + 1).saturating_mul(counts.n[1] + 1);
    if tables > MOST_TABLES {
        return Err(Error::invalid_option(
            "test",
            "exact and unconditional",
            format!(
                "one of the others: there are more than {MOST_TABLES} tables, and the score test is as good"
            ),
        ));
    }
    if ordering == Ordering::Fisher && alternative == Alternative::TwoSided {
        let less = unconditional(counts, ordering, Alternative::Less)?;
        let greater = unconditional(counts, ordering, Alternative::Greater)?;
        let smaller = if less.p_value < greater.p_value {
            less
        } else {
            greater
        };
        return Ok(Unconditional {
            statistic: smaller.statistic,
            p_value: (2.0 * smaller.p_value).min(1.0),
        });
    }
    let (statistic, region) = match ordering {
        Ordering::PooledZ => pooled_region(counts, alternative),
        Ordering::Fisher => fisher_region(counts, alternative),
    };
    let p_value = supremum(counts, &region).clamp(0.0, 1.0);
    Ok(Unconditional { statistic, p_value })
}

/// For each number of treated successes the ranges of control successes that are as extreme.
type Region = Vec<Vec<Range<u64>>>;

/// The ranges in which `extreme` holds.
fn region(counts: &Counts, extreme: impl Fn(u64, u64) -> bool) -> Region {
    (0..=counts.n[0])
        .map(|x| {
            let mut ranges: Vec<Range<u64>> = Vec::new();
            for y in 0..=counts.n[1] {
                if !extreme(x, y) {
                    continue;
                }
                match ranges.last_mut() {
                    Some(last) if last.end == y => last.end = y + 1,
                    _ => ranges.push(y..y + 1),
                }
            }
            ranges
        })
        .collect()
}

fn pooled_region(counts: &Counts, alternative: Alternative) -> (f64, Region) {
    let [n1, n0] = counts.trials();
    let z = |x: u64, y: u64| {
        let pooled = (x + y) as f64 / (n1 + n0);
        let variance = pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n0);
        let difference = x as f64 / n1 - y as f64 / n0;
        if variance > 0.0 {
            difference / variance.sqrt()
        } else {
            0.0 // no successes, or no failures, are no evidence
        }
    };
    let observed = z(counts.x[0], counts.x[1]);
    let least = alternative.extremeness(observed);
    let least = least - EQUAL * least.abs();
    let region = region(counts, |x, y| alternative.extremeness(z(x, y)) >= least);
    (observed, region)
}

fn fisher_region(counts: &Counts, alternative: Alternative) -> (f64, Region) {
    let [n1, n0] = counts.n;
    // One row a number of successes, from its smallest possible number of treated ones.
    let by_total: Vec<(u64, Vec<f64>)> = (0..=n1 + n0)
        .map(|successes| {
            let masses = Masses::hypergeometric(n1, n0, successes, 1.0);
            let (first, values) = masses.parts();
            let mut tails = values.to_vec();
            if alternative == Alternative::Less {
                for i in 1..tails.len() {
                    tails[i] += tails[i - 1];
                }
            } else {
                for i in (1..tails.len()).rev() {
                    tails[i - 1] += tails[i];
                }
            }
            (first, tails)
        })
        .collect();
    let p = |x: u64, y: u64| {
        let (first, tails) = &by_total[(x + y) as usize];
        match x.checked_sub(*first) {
            Some(place) if (place as usize) < tails.len() => tails[place as usize],
            // Too unlikely for a number: extreme on one side, not at all on the other.
            Some(_) => f64::from(u8::from(alternative == Alternative::Less)),
            None => f64::from(u8::from(alternative != Alternative::Less)),
        }
    };
    let observed = p(counts.x[0], counts.x[1]);
    let most = observed * (1.0 + EQUAL);
    (observed, region(counts, |x, y| p(x, y) <= most))
}

/// The largest probability of the region over the common proportion `π = sin²θ`.
fn supremum(counts: &Counts, region: &Region) -> f64 {
    let size = |theta: f64| probability(counts, region, theta.sin().powi(2));
    let total = (counts.n[0] + counts.n[1]) as f64;
    let points = (FRAC_PI_2 * total.sqrt() * POINTS_A_STEP).max(FEWEST_POINTS) as usize;
    let at = |i: usize| FRAC_PI_2 * i as f64 / points as f64;
    let sizes: Vec<f64> = (0..=points).map(|i| size(at(i))).collect();
    let mut best = sizes.iter().fold(0.0_f64, |m, s| m.max(*s));
    let mut peaks: Vec<usize> = (1..points)
        .filter(|i| sizes[*i] >= sizes[*i - 1] && sizes[*i] >= sizes[*i + 1])
        .collect();
    peaks.sort_by(|a, b| sizes[*b].total_cmp(&sizes[*a]));
    for peak in peaks.into_iter().take(CLOSE_LOOKS) {
        best = best.max(golden(&size, at(peak - 1), at(peak + 1)));
    }
    best
}

/// The largest value between two points around one peak.
fn golden(f: &impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    /// The bracket shrinks by 0.618 each time: 1e-9 of its width, where a peak is flat to 1e-18.
    const STEPS: usize = 42;
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let (mut a, mut b) = (high - RATIO * (high - low), low + RATIO * (high - low));
    let (mut fa, mut fb) = (f(a), f(b));
    for _ in 0..STEPS {
        if fa > fb {
            (high, b, fb) = (b, a, fa);
            a = high - RATIO * (high - low);
            fa = f(a);
        } else {
            (low, a, fa) = (a, b, fb);
            b = low + RATIO * (high - low);
            fb = f(b);
        }
    }
    fa.max(fb)
}

/// The probability of the region when both arms have the proportion `p`.
fn probability(counts: &Counts, region: &Region, p: f64) -> f64 {
    let [treated, control] = counts.n.map(|n| Masses::binomial(n, p));
    let (first, values) = control.parts();
    // Both running sums, so that small tails keep their digits.
    let mut below = vec![0.0; values.len() + 1];
    for (i, v) in values.iter().enumerate() {
        below[i + 1] = below[i] + v;
    }
    let mut above = vec![0.0; values.len() + 1];
    for (i, v) in values.iter().enumerate().rev() {
        above[i] = above[i + 1] + v;
    }
    let place = |y: u64| (y.saturating_sub(first) as usize).min(values.len());
    let inside = |range: &Range<u64>| {
        let (from, to) = (place(range.start), place(range.end));
        if to == values.len() {
            above[from]
        } else if from == 0 {
            below[to]
        } else {
            below[to] - below[from]
        }
    };
    region
        .iter()
        .enumerate()
        .map(|(x, ranges)| treated.at(x as u64) * ranges.iter().map(inside).sum::<f64>())
        .sum()
}
