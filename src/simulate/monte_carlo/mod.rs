//! The Monte Carlo runner: any estimator on any process, its bias, error, coverage, size and power, each with its own
//! Monte Carlo error.

mod fit;
mod performance;
mod render;
mod replication;
mod stored;
#[cfg(test)]
mod tests;

pub use fit::{Failure, MonteCarloFit};
pub use performance::{Measure, Performance};
pub use render::MonteCarloTable;
pub use replication::Replication;

use crate::error::{Error, Result};
use crate::inference::check_level;
use crate::numeric::{Progress, Seed, blocks};
use fit::Outcome;
use replication::{Entry, Given};
use serde::Serialize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Replications that are done before the record is brought up to date; no more than these are lost when the caller
/// cancels.
const WAVE: usize = 64;

/// A Monte Carlo study: the same work again and again, each time with a seed of its own, and what the estimates do
/// around the truth.
///
/// The closure gets the seed of its replication, simulates, estimates, and returns a [`Replication`]. It is called
/// from several threads; replication r has the same seed whatever the number of threads and shards, so the results
/// have the same bits. A replication that returns an error is counted and reported, never hidden.
///
/// | option | default | meaning | range |
/// |---|---|---|---|
/// | `replications` | 1000 | how often | ≥ 1 |
/// | `seed` | none; required | the seed from which those of the replications follow | |
/// | `level` | 0.95 | confidence level; tests reject at one minus it | (0, 1) |
/// | `shard` | all | only replications r with r mod k = i | i < k |
///
/// # Errors
/// [`Error::SeedRequired`], [`Error::InvalidOption`]; [`Error::Cancelled`]; when *every* replication fails, the error
/// of the first.
///
/// # References
/// Morris, White & Crowther (2019), "Using simulation studies to evaluate statistical methods", *Statistics in
/// Medicine* 38, doi:10.1002/sim.8086, whose table 6 has the formulas of the Monte Carlo errors.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let study = MonteCarlo::new("Least squares with 100 customers").replications(200).seed(7);
/// let fit = study.run(|seed| {
///     let draws = cocreate::numeric::quasi::Mlhs::new(2, seed.value())?.sample(1, 100);
///     let (x, u): (Vec<f64>, Vec<f64>) = draws.values().chunks(2).map(|d| (d[0], d[1])).unzip();
///     let y: Vec<f64> = x.iter().zip(&u).map(|(x, u)| 2.0 * x + u).collect();
///     let fit = Ols::new("y ~ x").fit(&Frame::new().with("y", y)?.with("x", x)?)?;
///     Ok(Replication::new().estimate("slope", &fit.coefficient("x")?, 2.0))
/// })?;
/// let slope = fit.performance("slope")?;
/// assert!(slope.bias.abs() < 4.0 * slope.bias_error);
/// assert!(fit.table().to_latex().contains("Coverage"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MonteCarlo {
    title: String,
    replications: usize,
    seed: Option<Seed>,
    level: f64,
    shard: (usize, usize),
}

impl MonteCarlo {
    /// A study with this title.
    pub fn new(title: impl Into<String>) -> Self {
        /// What the variance of a coverage near 95 % needs to be known to ± 1.4 points.
        const REPLICATIONS: usize = 1000;
        const LEVEL: f64 = 0.95;
        Self {
            title: title.into(),
            replications: REPLICATIONS,
            seed: None,
            level: LEVEL,
            shard: (0, 1),
        }
    }

    /// How often the work is done, all shards together.
    pub fn replications(mut self, replications: usize) -> Self {
        self.replications = replications;
        self
    }

    /// The seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Confidence level of the intervals; tests reject below one minus it.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Only shard `index` of `count`: replications r with r mod count = index. Shards are put together by
    /// [`MonteCarloFit::merge`], with the bits of the whole.
    pub fn shard(mut self, index: usize, count: usize) -> Self {
        self.shard = (index, count);
        self
    }

    /// Runs the study.
    ///
    /// # Errors
    /// As on the type.
    pub fn run(
        &self,
        replicate: impl Fn(Seed) -> Result<Replication> + Sync,
    ) -> Result<MonteCarloFit> {
        self.run_with(&Progress::none(), replicate)
    }

    /// Runs the study under a watch that may cancel it; what was done is then lost (see [`MonteCarlo::resume`]).
    ///
    /// # Errors
    /// As on the type.
    pub fn run_with(
        &self,
        progress: &Progress,
        replicate: impl Fn(Seed) -> Result<Replication> + Sync,
    ) -> Result<MonteCarloFit> {
        let mut fit = self.begin()?;
        self.resume(&mut fit, progress, replicate)?;
        Ok(fit)
    }

    /// An empty record, to be filled by [`MonteCarlo::resume`].
    ///
    /// # Errors
    /// As on the type.
    pub fn begin(&self) -> Result<MonteCarloFit> {
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: "the Monte Carlo study".to_owned(),
        })?;
        check_level(self.level)?;
        if self.replications == 0 {
            return Err(Error::invalid_option("replications", 0, "at least 1"));
        }
        let (index, count) = self.shard;
        if index >= count {
            return Err(Error::invalid_option(
                "shard",
                format!("{index} of {count}"),
                "an index below the number of shards, counted from 0",
            ));
        }
        Ok(MonteCarloFit::empty(self.title.clone(), seed, self.level))
    }

    /// Does the replications that a record does not have yet. When it is cancelled, the record keeps what was done:
    /// it can be saved as JSON and resumed, by this study or by one with more replications.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when the record has another seed or level; [`Error::Cancelled`]; the error of the first
    /// replication when all fail.
    pub fn resume(
        &self,
        fit: &mut MonteCarloFit,
        progress: &Progress,
        replicate: impl Fn(Seed) -> Result<Replication> + Sync,
    ) -> Result<()> {
        fit.same_study(&self.begin()?)?;
        let (index, count) = self.shard;
        let missing: Vec<usize> = (index..self.replications)
            .step_by(count)
            .filter(|r| !fit.has(*r))
            .collect();
        let total = missing.len();
        let (done, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
        for wave in missing.chunks(WAVE) {
            let outcomes = blocks::map(wave.len(), |i| {
                if stopped.load(Ordering::Relaxed) {
                    return None;
                }
                let outcome = one(fit.seed, self.level, wave[i], &replicate);
                let so_far = done.fetch_add(1, Ordering::Relaxed) + 1;
                if progress.report(&self.title, so_far, total).is_err() {
                    stopped.store(true, Ordering::Relaxed);
                }
                Some(outcome)
            });
            fit.push(outcomes.into_iter().flatten());
            if stopped.load(Ordering::Relaxed) && done.load(Ordering::Relaxed) < total {
                return Err(Error::Cancelled {
                    what: self.title.clone(),
                });
            }
        }
        fit.or_first_error()
    }

    /// Does these replications again and returns the indices of those whose numbers have not the same bits as in the
    /// record: the way to check a stored study without running it again.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a replication that the record does not have, or another seed or level.
    pub fn verify(
        &self,
        fit: &MonteCarloFit,
        replications: &[usize],
        replicate: impl Fn(Seed) -> Result<Replication> + Sync,
    ) -> Result<Vec<usize>> {
        fit.same_study(&self.begin()?)?;
        for r in replications {
            if !fit.has(*r) {
                return Err(Error::invalid_option("replication", r, "one of the record"));
            }
        }
        let again = blocks::map(replications.len(), |i| {
            one(fit.seed, self.level, replications[i], &replicate)
        });
        let differ = again.iter().filter(|outcome| !fit.agrees(outcome));
        Ok(differ.map(|outcome| outcome.index).collect())
    }
}

/// Replication `index`.
fn one(
    seed: Seed,
    level: f64,
    index: usize,
    replicate: &impl Fn(Seed) -> Result<Replication>,
) -> Outcome {
    let found = replicate(seed.child(&format!("replication {index}")))
        .and_then(|replication| entries(replication, level));
    match found {
        Ok(entries) => Outcome::done(index, entries),
        Err(error) => Outcome::failed(index, error),
    }
}

/// The entries at the level of the study.
fn entries(replication: Replication, level: f64) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::with_capacity(replication.entries.len());
    for given in replication.entries {
        let entry = match given {
            Given::Entry(entry) => entry,
            Given::Estimate(name, estimate, truth) => {
                let interval = estimate.confidence_interval(level)?;
                Entry {
                    name,
                    truth,
                    estimate: estimate.estimate,
                    std_error: estimate.std_error,
                    lower: interval.lower,
                    upper: interval.upper,
                    p_value: estimate.p_value(),
                }
            }
        };
        if entries.iter().any(|e| e.name == entry.name) {
            return Err(Error::DuplicateColumn { column: entry.name });
        }
        entries.push(entry);
    }
    Ok(entries)
}
