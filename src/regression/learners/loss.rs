//! The two losses: their gradients by row, and their mean.

use super::histogram::{Cell, Scale};
use super::training::Task;
use crate::numeric::blocks;

/// Rows of one task.
const CHUNK: usize = 1 << 15;

/// The logistic function.
#[inline]
pub(crate) fn logistic(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

/// The score with this probability.
pub(crate) fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

/// `ln(1 + e^s)` without overflow.
pub(crate) fn softplus(score: f64) -> f64 {
    score.max(0.0) + (-score.abs()).exp().ln_1p()
}

/// The gradients of all rows of the table as cells, at the scale that suits the largest among `rows`.
pub(crate) fn gradients<C: Cell>(
    task: Task,
    scores: &[f64],
    target: &[f64],
    weights: Option<&[f64]>,
    rows: &[u32],
    out: &mut [C],
) -> Scale {
    let weight = |row: usize| weights.map_or(1.0, |w| w[row]);
    let heaviest = weights.map_or(1.0, |_| largest(rows, weight));
    let (scale, logistic_loss) = match task {
        Task::Regression => {
            let most = largest(rows, |row| weight(row) * (scores[row] - target[row]).abs());
            (Scale::new::<C>(rows.len(), most, heaviest), false)
        }
        // Gradients are p − y, hessians p (1 − p) ≤ 1.
        Task::Probability => (Scale::new::<C>(rows.len(), heaviest, heaviest), true),
    };
    blocks::fill(out, CHUNK, |first, chunk| {
        let range = first..first + chunk.len();
        let pairs = scores[range.clone()].iter().zip(&target[range]);
        for (i, (cell, (score, y))) in chunk.iter_mut().zip(pairs).enumerate() {
            let w = weight(first + i);
            *cell = if logistic_loss {
                let p = logistic(*score);
                C::of(w * (p - y), w * p * (1.0 - p), &scale)
            } else {
                C::of(w * (score - y), w, &scale)
            };
        }
    });
    scale
}

/// The largest of a quantity over some rows.
fn largest(rows: &[u32], of: impl Fn(usize) -> f64 + Sync) -> f64 {
    blocks::reduce(
        rows.len(),
        CHUNK,
        |range| {
            rows[range]
                .iter()
                .fold(0.0_f64, |most, row| most.max(of(*row as usize)))
        },
        |most, other| *most = most.max(other),
    )
    .unwrap_or(0.0)
}

/// Weighted mean loss of some rows: squared error, or minus the log-likelihood.
pub(crate) fn mean_loss(
    task: Task,
    rows: &[u32],
    weights: Option<&[f64]>,
    target: &[f64],
    score: impl Fn(usize, usize) -> f64 + Sync,
) -> f64 {
    let sums = blocks::reduce(
        rows.len(),
        CHUNK,
        |range| {
            let (mut loss, mut total) = (0.0, 0.0);
            for i in range {
                let row = rows[i] as usize;
                let (w, s, y) = (weights.map_or(1.0, |w| w[row]), score(i, row), target[row]);
                loss += w * match task {
                    Task::Regression => (s - y) * (s - y),
                    Task::Probability => softplus(s) - y * s,
                };
                total += w;
            }
            [loss, total]
        },
        |sum, part| {
            sum[0] += part[0];
            sum[1] += part[1];
        },
    );
    sums.map_or(f64::NAN, |s| s[0] / s[1])
}
