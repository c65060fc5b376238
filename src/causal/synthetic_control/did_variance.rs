//! Errors of synthetic difference in differences: placebos, bootstrap, jackknife.

use super::board::Board;
use super::counterfactual::mean;
use super::did_weights::DidWeights;
use super::synthetic_did::{Cohort, SyntheticDid, mean_series, series};
use crate::error::{Error, Result};
use crate::numeric::permutation::{below, shuffle};
use crate::numeric::{Progress, Seed, blocks};
use serde::{Deserialize, Serialize};

/// How the error is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum DidVariance {
    Placebo(usize),
    Bootstrap(usize),
    Jackknife,
}

/// Replicates between two reports of progress.
const BATCH: usize = 50;

/// Bootstrap samples without donors or treated units are drawn again, at most this often.
const REDRAWS: u64 = 1000;

impl DidVariance {
    /// The seed, where one is needed.
    pub(super) fn seed(self, seed: Option<Seed>) -> Result<Seed> {
        let (what, draws) = match self {
            Self::Placebo(draws) => ("the placebo variance", draws),
            Self::Bootstrap(draws) => ("the bootstrap variance", draws),
            Self::Jackknife => return Ok(Seed::new(0)),
        };
        if draws < 2 {
            return Err(Error::invalid_option("draws", draws, "at least 2"));
        }
        seed.map(|seed| seed.child(what))
            .ok_or_else(|| Error::SeedRequired {
                what: what.to_owned(),
            })
    }

    /// The standard error that replicates give.
    pub(super) fn standard_error(self, replicates: &[f64]) -> f64 {
        let n = replicates.len() as f64;
        let centre = mean(replicates.iter().copied());
        let squares: f64 = replicates.iter().map(|r| (r - centre).powi(2)).sum();
        match self {
            Self::Placebo(_) | Self::Bootstrap(_) => (squares / n).sqrt(),
            Self::Jackknife => ((n - 1.0) / n * squares).sqrt(),
        }
    }

    pub(super) fn is_placebo(self) -> bool {
        matches!(self, Self::Placebo(_))
    }

    pub(super) fn words(self) -> String {
        match self {
            Self::Placebo(draws) => format!("placebo, {draws} draws"),
            Self::Bootstrap(draws) => format!("bootstrap of units, {draws} draws"),
            Self::Jackknife => "jackknife over units, weights kept".to_owned(),
        }
    }
}

/// The mean of cohort effects, weighted by treated cells.
pub(super) fn pooled(parts: impl IntoIterator<Item = (f64, usize)>) -> f64 {
    let (mut sum, mut cells) = (0.0, 0);
    for (effect, size) in parts {
        sum += effect * size as f64;
        cells += size;
    }
    sum / cells as f64
}

impl SyntheticDid {
    pub(super) fn replicates(
        &self,
        board: &Board,
        cohorts: &[Cohort],
        seed: Seed,
        progress: &Progress,
    ) -> Result<Vec<f64>> {
        let donors = board.donors();
        let treated: usize = cohorts.iter().map(|c| c.units.len()).sum();
        match self.variance {
            DidVariance::Placebo(draws) => {
                if donors.len() <= treated {
                    return unidentified(
                        "the placebo variance",
                        format!(
                            "more donors than treated units, of which there are {} and {treated}; use `.bootstrap(…)` or `.jackknife()`",
                            donors.len()
                        ),
                    );
                }
                drawn(draws, progress, |draw| {
                    let mut order = donors.clone();
                    shuffle(&mut order, &mut seed.stream(draw as u64));
                    let (mut players, rest) = order.split_at(treated);
                    let assigned = cohorts.iter().map(|cohort| {
                        let own;
                        (own, players) = players.split_at(cohort.units.len());
                        (cohort, own.to_vec())
                    });
                    self.again(board, assigned.collect(), rest)
                })
            }
            DidVariance::Bootstrap(draws) => {
                if treated < 2 {
                    return unidentified(
                        "the bootstrap variance",
                        "two treated units at least; use `.placebo(…)`".to_owned(),
                    );
                }
                drawn(draws, progress, |draw| {
                    let mut generator = seed.stream(draw as u64);
                    for _ in 0..REDRAWS {
                        let units = board.units.len();
                        let mut times = vec![0_usize; units];
                        for _ in 0..units {
                            times[below(&mut generator, units as u64) as usize] += 1;
                        }
                        let pick = |from: &[usize]| -> Vec<usize> {
                            let copies = |unit: &usize| std::iter::repeat_n(*unit, times[*unit]);
                            from.iter().flat_map(copies).collect()
                        };
                        let rest = pick(&donors);
                        let assigned: Vec<(&Cohort, Vec<usize>)> = (cohorts.iter())
                            .map(|cohort| (cohort, pick(&cohort.units)))
                            .filter(|(_, units)| !units.is_empty())
                            .collect();
                        if !rest.is_empty() && !assigned.is_empty() {
                            return self.again(board, assigned, &rest);
                        }
                    }
                    unidentified(
                        "the bootstrap variance",
                        "samples that have both donors and treated units; use `.placebo(…)`"
                            .to_owned(),
                    )
                })
            }
            DidVariance::Jackknife => jackknife(board, cohorts, &donors, progress),
        }
    }

    /// The effect with other units in the roles, all weights found again with the penalties of the fit.
    fn again(
        &self,
        board: &Board,
        assigned: Vec<(&Cohort, Vec<usize>)>,
        rest: &[usize],
    ) -> Result<f64> {
        let donors = series(board, rest);
        let parts = assigned.into_iter().map(|(cohort, units)| {
            let own = mean_series(board, &units);
            let start = cohort.start;
            // Penalties are those of the fit, so that they count its units.
            let weights =
                self.method
                    .weights(&own, cohort.units.len(), &donors, start, cohort.noise)?;
            let cells = units.len() * (board.periods() - start);
            Ok((weights.effect(&own, &donors, start), cells))
        });
        Ok(pooled(parts.collect::<Result<Vec<_>>>()?))
    }
}

fn unidentified<T>(what: &str, needs: String) -> Result<T> {
    Err(Error::Unidentified {
        what: what.to_owned(),
        needs,
    })
}

/// Replicates in parallel, with reports between batches.
fn drawn(
    draws: usize,
    progress: &Progress,
    replicate: impl Fn(usize) -> Result<f64> + Sync,
) -> Result<Vec<f64>> {
    let mut all = Vec::with_capacity(draws);
    for batch in blocks::ranges(draws, BATCH) {
        let (first, size) = (batch.start, batch.len());
        for value in blocks::map(size, |k| replicate(first + k)) {
            all.push(value?);
        }
        progress.report("synthetic difference in differences", all.len(), draws)?;
    }
    Ok(all)
}

/// Effects without each unit, with the weights that are left.
fn jackknife(
    board: &Board,
    cohorts: &[Cohort],
    donors: &[usize],
    progress: &Progress,
) -> Result<Vec<f64>> {
    let refuse = |needs: String| unidentified("the jackknife variance", needs);
    if let Some(cohort) = cohorts.iter().find(|cohort| cohort.units.len() < 2) {
        return refuse(format!(
            "two units at least that start in {}; use `.placebo(…)`",
            board.labels[cohort.start]
        ));
    }
    for cohort in cohorts {
        if let Some(only) = cohort.weights.donors.iter().position(|w| *w > 1.0 - 1e-9) {
            return refuse(format!(
                "a second donor with weight beside {}; use `.placebo(…)`",
                board.units[donors[only]]
            ));
        }
    }
    drawn(board.units.len(), progress, |out| {
        let keep: Vec<usize> = (0..donors.len()).filter(|j| donors[*j] != out).collect();
        let pool: Vec<usize> = keep.iter().map(|j| donors[*j]).collect();
        let rest = series(board, &pool);
        Ok(pooled(cohorts.iter().map(|cohort| {
            let units: Vec<usize> = cohort.units.iter().copied().filter(|u| *u != out).collect();
            let total: f64 = keep.iter().map(|j| cohort.weights.donors[*j]).sum();
            let weights = DidWeights {
                donors: keep
                    .iter()
                    .map(|j| cohort.weights.donors[*j] / total)
                    .collect(),
                periods: cohort.weights.periods.clone(),
            };
            let effect = weights.effect(&mean_series(board, &units), &rest, cohort.start);
            (effect, units.len() * (board.periods() - cohort.start))
        })))
    })
}
