//! A log fed batch by batch, by several workers, or from a file larger than memory.

use super::fit::OffPolicyFit;
use super::pass::Sums;
use super::{OffPolicy, TargetColumns};
use crate::data::{CsvOptions, Frame};
use crate::error::{Error, Result};
use crate::inference::bootstrap::whole;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// An [`OffPolicy`] evaluation that takes its rows in batches, in any order. Every estimate is a function of sums, so the answer is that of one frame but
/// for rounding; the stream merges with those of other workers, and survives a restart by serde.
///
/// Memory does not grow with rows; with clusters it grows with their number, since rows of one cluster may come in any batch. In a file, actions and
/// clusters are text as it stands there: an action written `1.0` is not the action `1`.
///
/// ```
/// use cocreate::prelude::*;
/// let policy = OffPolicy::new("click", "logged", "wanted").clusters("customer");
/// let mut monday = OffPolicyStream::new(policy.clone())?;
/// monday.push(&Frame::from_csv("click,logged,wanted,customer\n1,0.5,1,a\n0,0.5,0,a\n")?)?;
/// let mut tuesday = OffPolicyStream::new(policy)?;
/// tuesday.push(&Frame::from_csv("click,logged,wanted,customer\n1,0.5,1,b\n0,0.5,1,a\n")?)?;
/// monday.merge(&tuesday)?;
/// assert_eq!(monday.rows(), 4);
/// assert_eq!(monday.fit()?.ips().estimate, 1.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OffPolicyStream {
    policy: OffPolicy,
    sums: Sums,
    /// About which clusters are summed: near the means, so that sums lose no digits.
    pilot: Vec<f64>,
    clusters: BTreeMap<String, Cluster>,
}

/// The rows of a cluster, and sums over them less the pilot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cluster {
    rows: u64,
    sums: Vec<f64>,
}

impl OffPolicyStream {
    /// A stream without rows.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] as [`OffPolicy`].
    pub fn new(policy: OffPolicy) -> Result<Self> {
        policy.check()?;
        let columns = policy.plan().parts().len();
        Ok(Self {
            policy,
            sums: Sums::empty(columns),
            pilot: vec![0.0; columns],
            clusters: BTreeMap::new(),
        })
    }

    /// Takes in a batch of rows. A batch that is refused changes nothing.
    ///
    /// # Errors
    /// As [`OffPolicy`]; rows are counted from the start of the batch.
    pub fn push(&mut self, batch: &Frame) -> Result<()> {
        self.take(batch, 0)
    }

    /// Takes in the rows of another stream of the same evaluation.
    ///
    /// # Errors
    /// [`Error::Matrix`] when the evaluations differ.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.policy != other.policy {
            return Err(Error::Matrix {
                message: "cannot merge streams of different evaluations".to_owned(),
            });
        }
        if self.sums.rows() <= 0.0 {
            *self = other.clone();
            return Ok(());
        }
        self.sums.join(&other.sums);
        let shift: Vec<f64> = (other.pilot.iter().zip(&self.pilot))
            .map(|(theirs, ours)| theirs - ours)
            .collect();
        for (name, cluster) in &other.clusters {
            self.add(name, cluster.rows, &cluster.sums, &shift);
        }
        Ok(())
    }

    /// Takes in a CSV file, plain or gzipped, piece by piece in constant memory. Returns its rows.
    ///
    /// # Errors
    /// As [`CsvOptions::batches`] and [`OffPolicy`]; the pieces before the one that is refused have been taken in.
    pub fn read_csv(&mut self, path: impl AsRef<Path>) -> Result<u64> {
        self.read_csv_with(&CsvOptions::new(), path)
    }

    /// The same with options. Only the columns that the evaluation needs are kept.
    ///
    /// # Errors
    /// As [`OffPolicyStream::read_csv`].
    pub fn read_csv_with(&mut self, options: &CsvOptions, path: impl AsRef<Path>) -> Result<u64> {
        let mut options = options.clone().keep(self.policy.columns());
        // Names of actions and clusters are text, also where a batch has only numbers.
        let action = match &self.policy.target {
            TargetColumns::Actions { action, .. } => Some(action),
            TargetColumns::Logged { .. } => None,
        };
        for name in action.into_iter().chain(&self.policy.clusters) {
            options = options.label(name);
        }
        let mut read = 0;
        for batch in options.batches(path)? {
            let batch = batch?;
            self.take(&batch, read)?;
            read += batch.rows();
        }
        Ok(read as u64)
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.sums.rows() as u64
    }

    /// The evaluation.
    pub fn policy(&self) -> &OffPolicy {
        &self.policy
    }

    /// Estimates the value of the policy from the rows so far; the stream can go on.
    ///
    /// # Errors
    /// As [`OffPolicy`].
    pub fn fit(&self) -> Result<OffPolicyFit> {
        let means = if self.policy.clusters.is_some() {
            let mean = self.sums.mean();
            let off = DVector::from_column_slice(&self.pilot) - &mean;
            let mut cross_product = DMatrix::zeros(mean.len(), mean.len());
            for cluster in self.clusters.values() {
                let sums = DVector::from_column_slice(&cluster.sums) + &off * cluster.rows as f64;
                cross_product.ger(1.0, &sums, &sums, 1.0);
            }
            self.sums.of_clusters(cross_product, self.clusters.len())
        } else {
            self.sums.of_rows()
        };
        self.policy
            .conclude(&self.policy.plan(), &self.sums, &means)
    }

    /// Takes in rows, of which the first is `first` in errors.
    fn take(&mut self, batch: &Frame, first: usize) -> Result<()> {
        let plan = self.policy.plan();
        let found = self
            .policy
            .log(batch, first)
            .and_then(|log| Ok((log.sums(&plan)?, log)))
            .map_err(|error| later(error, first));
        let (sums, log) = found?;
        if let Some(column) = &self.policy.clusters {
            let groups = whole(batch, column)?;
            if self.sums.rows() <= 0.0 {
                self.pilot = sums.mean().as_slice().to_vec();
            }
            let count = groups.count();
            let by_cluster = log.sums_by_cluster(&plan, &self.pilot, &groups.codes, count)?;
            let nothing = vec![0.0; self.pilot.len()];
            for (code, name) in groups.levels.iter().enumerate() {
                self.add(
                    name,
                    by_cluster.counts()[code],
                    by_cluster.group(code),
                    &nothing,
                );
            }
        }
        self.sums.join(&sums);
        Ok(())
    }

    /// Adds rows to a cluster, whose sums are about a pilot that is off by `shift`.
    fn add(&mut self, name: &str, rows: u64, sums: &[f64], shift: &[f64]) {
        let cluster = match self.clusters.get_mut(name) {
            Some(cluster) => cluster,
            None => self.clusters.entry(name.to_owned()).or_insert(Cluster {
                rows: 0,
                sums: vec![0.0; sums.len()],
            }),
        };
        cluster.rows += rows;
        for ((total, sum), shift) in cluster.sums.iter_mut().zip(sums).zip(shift) {
            *total += sum + rows as f64 * shift;
        }
    }
}

/// The error with its row counted from the start of the file.
fn later(mut error: Error, rows: usize) -> Error {
    if let Error::OutOfRange { row, .. } = &mut error {
        *row += rows;
    }
    error
}
