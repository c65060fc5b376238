//! The studentised bootstrap of a difference of two means.

use crate::inference::Interval;
use crate::numeric::permutation::below;
use crate::numeric::special::normal;
use crate::numeric::{Seed, blocks};

/// Mean and squared standard error of each bootstrap sample of one arm, and of the arm itself.
pub(crate) struct ArmDraws {
    mean: f64,
    square: f64,
    draws: Vec<[f64; 2]>,
}

/// Samples of the values of an arm, with replacement; draw i has a stream of its own.
pub(crate) fn arm_draws(values: &[f64], draws: usize, seed: Seed) -> ArmDraws {
    let n = values.len() as f64;
    // Centred values lose no digits in the sums of squares.
    let mean = values.iter().sum::<f64>() / n;
    let centred: Vec<f64> = values.iter().map(|v| v - mean).collect();
    let moments = |sum: f64, squares: f64| {
        let m = sum / n;
        [m, (squares / n - m * m).max(0.0) / (n - 1.0)]
    };
    let square = moments(0.0, centred.iter().map(|d| d * d).sum())[1];
    let draws = blocks::map(draws, |i| {
        let mut generator = seed.stream(i as u64);
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..centred.len() {
            let d = centred[below(&mut generator, centred.len() as u64) as usize];
            sum += d;
            squares += d * d;
        }
        let [m, v] = moments(sum, squares);
        [mean + m, v]
    });
    ArmDraws {
        mean,
        square,
        draws,
    }
}

/// The interval `[d − t*₍₁₋α/2₎ s, d − t*₍α/2₎ s]` and the two-sided p-value of no difference, from
/// `t* = (d* − d)/s*` (Hall 1988; Davison & Hinkley 1997, section 5.2).
pub(crate) fn bootstrap_t(
    name: &str,
    arm: &ArmDraws,
    control: &ArmDraws,
    level: f64,
) -> (Interval, f64) {
    let d = arm.mean - control.mean;
    let s = (arm.square + control.square).sqrt();
    let mut t: Vec<f64> = (arm.draws.iter().zip(&control.draws))
        .filter_map(|([m, v], [mc, vc])| {
            let error = (v + vc).sqrt();
            (error > 0.0).then(|| (m - mc - d) / error)
        })
        .collect();
    t.sort_unstable_by(f64::total_cmp);
    let count = t.len() as f64;
    let quantile = |p: f64| -> f64 {
        if t.is_empty() {
            return normal::quantile(p);
        }
        let rank = ((count + 1.0) * p).round().clamp(1.0, count);
        t[rank as usize - 1]
    };
    let alpha = 1.0 - level;
    let below = t.partition_point(|v| *v <= d / s) as f64;
    let tail = below.min(count - below) + 1.0;
    let interval = Interval {
        name: name.to_owned(),
        level,
        lower: d - quantile(1.0 - alpha / 2.0) * s,
        upper: d - quantile(alpha / 2.0) * s,
    };
    (interval, (2.0 * tail / (count + 1.0)).min(1.0))
}
