//! The penalty of the ridge augmentation, by leaving out one period before treatment at a time.

use super::counterfactual::{Augmentation, mean, simplex_weights};
use crate::error::{Error, Result};
use crate::numeric::blocks;

/// Penalties go from the largest squared singular value of the donors down to this share of it, in as many steps.
const SMALLEST: f64 = 1e-8;
const STEPS: usize = 20;

/// The largest penalty whose mean squared error in the period left out is within one standard error of the smallest.
pub(super) fn cross_validated(
    target: &[f64],
    donors: &[&[f64]],
    start: usize,
    demeaned: bool,
) -> Result<f64> {
    // A period that is left out leaves at least two, whose standard error exists.
    if start < 3 {
        return Err(Error::Unidentified {
            what: "the penalty of the augmentation by cross-validation".to_owned(),
            needs: format!(
                "3 periods before treatment, of which there are {start}; give one by `.penalty(…)`"
            ),
        });
    }
    let all: Vec<Vec<f64>> = donors
        .iter()
        .map(|series| series[..start].to_vec())
        .collect();
    let even = vec![1.0 / donors.len() as f64; donors.len()];
    let largest = Augmentation::new(&target[..start], &all, &even, demeaned).largest();
    if largest <= 0.0 {
        return Err(Error::Unidentified {
            what: "the penalty of the augmentation".to_owned(),
            needs: "donors that differ before treatment".to_owned(),
        });
    }
    let penalties: Vec<f64> = (0..=STEPS)
        .map(|step| largest * SMALLEST.powf(step as f64 / STEPS as f64))
        .collect();
    let errors = blocks::map(start, |out| -> Result<Vec<f64>> {
        let without = |series: &[f64]| -> Vec<f64> {
            (0..start)
                .filter(|t| *t != out)
                .map(|t| series[t])
                .collect()
        };
        let (own, pool) = (
            without(target),
            donors.iter().map(|s| without(s)).collect::<Vec<_>>(),
        );
        let weights = simplex_weights(&own, &pool, demeaned, 0.0)?;
        let augmentation = Augmentation::new(&own, &pool, &weights, demeaned);
        (penalties.iter())
            .map(|penalty| {
                let extra = augmentation.weights(*penalty)?;
                let weights: Vec<f64> = weights.iter().zip(&extra).map(|(w, e)| w + e).collect();
                let combined: f64 = weights.iter().zip(donors).map(|(w, s)| w * s[out]).sum();
                let shift = if demeaned {
                    let level = |series: &[f64]| mean(series.iter().copied());
                    let made: f64 = weights.iter().zip(&pool).map(|(w, s)| w * level(s)).sum();
                    level(&own) - made
                } else {
                    0.0
                };
                Ok((target[out] - combined - shift).powi(2))
            })
            .collect()
    });
    let errors = errors.into_iter().collect::<Result<Vec<_>>>()?;
    let of = |step: usize| mean(errors.iter().map(|fold| fold[step]));
    let means: Vec<f64> = (0..=STEPS).map(of).collect();
    let best = (0..=STEPS)
        .min_by(|a, b| means[*a].total_cmp(&means[*b]))
        .unwrap_or(0);
    let spread: f64 = errors
        .iter()
        .map(|fold| (fold[best] - means[best]).powi(2))
        .sum();
    let standard_error = (spread / (start * (start - 1)) as f64).sqrt();
    // From the largest down, so that the first within reach is the one.
    let chosen = (0..=STEPS).find(|step| means[*step] <= means[best] + standard_error);
    Ok(penalties[chosen.unwrap_or(best)])
}
