//! An experiment fed batch by batch, by several workers, or from a file larger than memory.

use crate::data::{CsvOptions, Frame};
use crate::error::{Error, Result};
use crate::experiment::analysis::ExperimentFit;
use crate::experiment::arm::{ExperimentStatistics, Plan};
use crate::experiment::declare::Experiment;
use crate::experiment::prepare::Prepared;
use crate::summary::Summary;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// An [`Experiment`] that takes its rows in batches, in any order. The sums that it keeps are those of the analysis of one frame, so the
/// answer is the same but for rounding (see [`ExperimentStatistics`]); it merges with the streams of other workers, and
/// survives a restart by serde.
///
/// Memory does not grow with rows; with a unit or clusters it grows with their number, since rows of one unit may come in any batch.
/// A declared unit is then the unit of analysis. Arms and strata may turn up in any batch.
///
/// ```
/// use cocreate::prelude::*;
/// let experiment = Experiment::new("arm", "A").metric(Metric::mean("spend"));
/// let mut monday = ExperimentStream::new(experiment.clone())?;
/// monday.push(&Frame::from_csv("arm,spend\nA,1\nB,4\nB,2\n")?)?;
/// let mut tuesday = ExperimentStream::new(experiment.clone())?;
/// tuesday.push(&Frame::from_csv("arm,spend\nB,3\nA,5\nA,\n")?)?;
/// monday.merge(&tuesday)?;
/// let stored = serde_json::to_string(&monday).map_err(|e| Error::Serialization { message: e.to_string() })?;
/// let again: ExperimentStream = serde_json::from_str(&stored).map_err(|e| Error::Serialization { message: e.to_string() })?;
/// let fit = again.analyze()?;
/// assert_eq!(fit.effect("spend", "B")?.difference.estimate, 0.0);
/// assert!(fit.warnings()[0].to_string().contains("missing in 1 row"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentStream {
    experiment: Experiment,
    statistics: ExperimentStatistics,
}

impl ExperimentStream {
    /// A stream without rows.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a metric that needs the rows, with the reason; as [`Experiment`] for the options.
    pub fn new(experiment: Experiment) -> Result<Self> {
        experiment.check()?;
        for metric in experiment.metrics() {
            if let Some(reason) = metric.needs_rows() {
                return Err(Error::invalid_option(
                    "metric",
                    format!("`{}` in a stream", metric.label()),
                    format!(
                        "a function of sums: {reason}; analyse it with Experiment::analyze on a frame"
                    ),
                ));
            }
        }
        let plan = Plan::new(experiment.metrics(), &[], &[])?;
        let layout = experiment.layout(experiment.clusters.as_ref().or(experiment.unit.as_ref()));
        Ok(Self {
            statistics: ExperimentStatistics::empty(&plan, &layout),
            experiment,
        })
    }

    /// Takes in a batch of rows. A batch that is refused changes nothing.
    ///
    /// # Errors
    /// As [`Experiment::analyze`].
    pub fn push(&mut self, batch: &Frame) -> Result<()> {
        let prepared = self.prepared()?;
        let found = ExperimentStatistics::of(&prepared.plan, &prepared.layout, batch)?;
        self.take(&found)
    }

    /// Takes in the rows of another stream of the same experiment.
    ///
    /// # Errors
    /// [`Error::Matrix`] when the experiments differ; [`Error::Unidentified`] for a unit with rows in two arms.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.experiment != other.experiment {
            return Err(Error::Matrix {
                message: "cannot merge streams of different experiments".to_owned(),
            });
        }
        self.take(&other.statistics)
    }

    /// Takes in a CSV file, plain or gzipped, piece by piece in constant memory. Returns its rows.
    ///
    /// # Errors
    /// As [`CsvOptions::batches`] and [`ExperimentStream::push`].
    pub fn read_csv(&mut self, path: impl AsRef<Path>) -> Result<u64> {
        self.read_csv_with(&CsvOptions::new(), path)
    }

    /// The same with options. Only the columns that the experiment needs are kept.
    ///
    /// # Errors
    /// As [`ExperimentStream::read_csv`].
    pub fn read_csv_with(&mut self, options: &CsvOptions, path: impl AsRef<Path>) -> Result<u64> {
        let prepared = self.prepared()?;
        let mut options = options.clone().keep(columns(&prepared));
        // Names of arms, strata and units are text, also where a batch has only numbers.
        let layout = &prepared.layout;
        let names = [
            Some(&layout.variant),
            layout.strata.as_ref(),
            layout.clusters.as_ref(),
        ];
        for name in names.into_iter().flatten() {
            options = options.label(name);
        }
        let mut read = 0;
        for batch in options.batches(path)? {
            let batch = batch?;
            read += batch.rows() as u64;
            let found = ExperimentStatistics::of(&prepared.plan, &prepared.layout, &batch)?;
            self.take(&found)?;
        }
        Ok(read)
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.statistics.rows()
    }

    /// The sums.
    pub fn statistics(&self) -> &ExperimentStatistics {
        &self.statistics
    }

    /// The experiment.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// Analyses the rows so far; the stream can go on.
    ///
    /// # Errors
    /// As [`Experiment::analyze`].
    pub fn analyze(&self) -> Result<ExperimentFit> {
        self.experiment
            .conclude(&self.prepared()?, &self.statistics, false)
    }

    fn take(&mut self, found: &ExperimentStatistics) -> Result<()> {
        // Clusters can be refused half-way: they are merged in a copy, the rest in place.
        if !self.statistics.has_clusters() {
            return self.statistics.merge(found);
        }
        let mut merged = self.statistics.clone();
        merged.merge(found)?;
        self.statistics = merged;
        Ok(())
    }

    fn prepared(&self) -> Result<Prepared> {
        self.experiment.prepare_stream()
    }
}

/// Every column that is read.
fn columns(prepared: &Prepared) -> Vec<String> {
    let layout = &prepared.layout;
    let mut columns = vec![layout.variant.clone()];
    columns.extend(layout.strata.clone());
    columns.extend(layout.clusters.clone());
    columns.extend(layout.trigger.clone());
    columns.extend(prepared.plan.variables.iter().map(|v| v.column.clone()));
    columns.sort();
    columns.dedup();
    columns
}
