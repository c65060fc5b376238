//! The pairs and Poisson bootstraps of a mean, summed as they are drawn.

use super::draw::{UNDECIDED_COUNT, Words, decided, poisson, with_replacement};
use super::fit::{BootstrapFit, Parts};
use super::resample::nothing_drawn;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::{Seed, blocks};

/// How often rows are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weights {
    /// As many rows as there are, with replacement.
    Multinomial,
    /// Independent Poisson(1) counts.
    Poisson,
}

/// The bootstrap of the mean of a column. Poisson replicates are those of [`super::Bootstrap::run`] with `Resample::mean` when no row is
/// missing; pairs are drawn in another order, near cells together.
pub(super) fn of_column(
    frame: &Frame,
    column: &str,
    weights: Weights,
    draws: usize,
    seed: Seed,
) -> Result<BootstrapFit> {
    let column_values = frame.numeric(column)?;
    let present: Vec<f64>;
    let values: &[f64] = if column_values.missing() == 0 {
        column_values.values()
    } else {
        present = column_values
            .values()
            .iter()
            .copied()
            .filter(|y| !y.is_nan())
            .collect();
        &present
    };
    if let Some(row) = column_values.values().iter().position(|y| y.is_infinite()) {
        return Err(Error::Infinite {
            column: column.to_owned(),
            row: row + 1,
        });
    }
    if values.is_empty() || u32::try_from(values.len()).is_err() {
        return Err(Error::NoRows {
            reason: format!(
                "`{column}` has {} values; between 1 and 2³² are needed",
                values.len()
            ),
        });
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    // Sums of differences from the mean lose no digits to a large mean.
    let centred: Vec<f64> = values.iter().map(|y| y - mean).collect();
    let (square, cube) = centred
        .iter()
        .fold((0.0, 0.0), |(s, c), d| (s + d * d, c + d * d * d));
    let results = blocks::map(draws, |i| {
        let mut words = Words::new(seed.stream(i as u64));
        let (sum, rows) = match weights {
            Weights::Multinomial => (resampled_sum(&centred, &mut words)?, n),
            Weights::Poisson => weighted_sum(&centred, &mut words),
        };
        if rows > 0.0 {
            Ok((vec![mean + sum / rows], vec![]))
        } else {
            Err(nothing_drawn())
        }
    });
    let label = match weights {
        Weights::Multinomial => "pairs bootstrap",
        Weights::Poisson => "Poisson bootstrap",
    };
    let mut fit = Parts {
        names: vec![column.to_owned()],
        estimates: vec![mean],
        std_errors: vec![],
        per_bag: draws,
        results,
        left_out: vec![],
        label: label.to_owned(),
    }
    .assemble()?;
    if weights == Weights::Poisson {
        return Ok(fit);
    }
    // The jackknife of a mean in closed form: values (ȳ − y_i)/(n − 1), of which only moments count.
    fit.set_acceleration(vec![if square > 0.0 {
        cube / (6.0 * square.powf(1.5))
    } else {
        0.0
    }]);
    Ok(fit)
}

/// Sums that overlap.
const LANES: usize = 8;

/// The sum of as many values as there are, drawn with replacement; four sums, so that loads overlap.
fn resampled_sum(values: &[f64], words: &mut Words) -> Result<f64> {
    let mut sums = [0.0; 4];
    with_replacement(words, values.len(), |first, four, used| {
        let near = &values[first..];
        if used == 4 {
            for lane in 0..4 {
                sums[lane] += near[four[lane] as usize];
            }
        } else {
            sums[0] += near[four[0] as usize];
        }
    })?;
    Ok((sums[0] + sums[1]) + (sums[2] + sums[3]))
}

/// The sum of the values times their Poisson counts, and the sum of the counts.
fn weighted_sum(values: &[f64], words: &mut Words) -> (f64, f64) {
    let mut state = Weighted {
        sums: [0.0; LANES],
        drawn: 0,
    };
    poisson(
        words,
        values.len(),
        &mut state,
        |state, first, bytes| {
            state.drawn += pulp::Arch::new().dispatch(AddWeighted {
                values: &values[first..first + bytes.len()],
                bytes,
                sums: &mut state.sums,
            });
        },
        |state, row, count| {
            let more = i32::from(count) - i32::from(UNDECIDED_COUNT);
            state.sums[row % LANES] += f64::from(more) * values[row];
            state.drawn += i64::from(more);
        },
    );
    let [a, b, c, d, e, f, g, h] = state.sums;
    (
        ((a + b) + (c + d)) + ((e + f) + (g + h)),
        state.drawn as f64,
    )
}

/// Sums on the way.
struct Weighted {
    sums: [f64; LANES],
    drawn: i64,
}

/// Adds values times the counts of their bytes to the sums, and sums the counts, as pulp compiles it for each width of vectors.
struct AddWeighted<'a> {
    values: &'a [f64],
    bytes: &'a [u8],
    sums: &'a mut [f64; LANES],
}

impl pulp::NullaryFnOnce for AddWeighted<'_> {
    type Output = i64;

    #[inline(always)]
    fn call(self) -> i64 {
        // Counts of so many rows, at most 4 each, are summed in a byte, and are decided together.
        const FIT: usize = 32;
        let mut sums = *self.sums;
        let mut drawn = 0_i64;
        let (pieces, rest) = self.bytes.as_chunks::<FIT>();
        let (near, last) = self.values.as_chunks::<FIT>();
        for (bytes, values) in pieces.iter().zip(near) {
            let counts = bytes.map(decided);
            for (counts, values) in counts
                .as_chunks::<LANES>()
                .0
                .iter()
                .zip(values.as_chunks::<LANES>().0)
            {
                for lane in 0..LANES {
                    sums[lane] += f64::from(i32::from(counts[lane])) * values[lane];
                }
            }
            drawn += i64::from(counts.iter().sum::<u8>());
        }
        for (i, (byte, value)) in rest.iter().zip(last).enumerate() {
            let count = decided(*byte);
            sums[i % LANES] += f64::from(count) * value;
            drawn += i64::from(count);
        }
        *self.sums = sums;
        drawn
    }
}
