//! The sufficient statistics of an experiment: a monoid over batches of rows.

use super::clusters::ClusterSums;
use super::layout::{Codes, Layout, position, triggered};
use super::pass::{Coded, Pass, Source};
use super::sample::{Cell, Sample};
use super::variables::{Plan, Values};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::summary::Summary;
use serde::{Deserialize, Serialize};

/// Counts, means, co-moments and third moments of every column that the metrics of an experiment need, for each arm, stratum and
/// pattern of missing metrics; with clusters, sums of every cluster instead.
///
/// It is a monoid: statistics of batches, files and machines merge, and serialise. Rows are centred within tiles of 256
/// before their products are summed, and tiles are joined by Chan's formula, so that neither a large mean nor the order of
/// rows matters but for rounding: another order or another split into batches changes means and co-moments by at
/// most about `k ε` relative to the standard deviations, with `ε = 2⁻⁵²` and k the number of joins (rows / 256), and in practice by a few ε.
/// Cluster sums are plain sums, whose rounding is `ε` times the sum of absolute values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentStatistics {
    plan: Plan,
    arms: Vec<String>,
    strata: Vec<String>,
    cells: Vec<Cell>,
    clusters: Option<ClusterSums>,
    rows: u64,
    no_arm: u64,
    no_stratum: u64,
    /// Missing values of each variable.
    missing: Vec<u64>,
}

impl Summary for ExperimentStatistics {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        if self.plan != other.plan || self.clusters.is_some() != other.clusters.is_some() {
            return Err(Error::Matrix {
                message: "cannot merge statistics of experiments with different metrics or designs"
                    .to_owned(),
            });
        }
        let arms = positions(&mut self.arms, &other.arms);
        let strata = positions(&mut self.strata, &other.strata);
        for cell in &other.cells {
            self.add(Cell {
                arm: arms[cell.arm as usize],
                stratum: strata[cell.stratum as usize],
                missing: cell.missing,
                moments: cell.moments.clone(),
            });
        }
        if let (Some(mine), Some(theirs)) = (&mut self.clusters, &other.clusters) {
            mine.merge(theirs, &arms, &strata, &self.arms, &self.strata)?;
        }
        self.rows += other.rows;
        self.no_arm += other.no_arm;
        self.no_stratum += other.no_stratum;
        for (mine, theirs) in self.missing.iter_mut().zip(&other.missing) {
            *mine += theirs;
        }
        Ok(())
    }
}

/// The name of the only stratum of an experiment without strata.
const EVERYBODY: &str = "";

impl ExperimentStatistics {
    /// Statistics of no rows.
    pub(crate) fn empty(plan: &Plan, layout: &Layout) -> Self {
        Self {
            plan: plan.clone(),
            arms: Vec::new(),
            strata: Vec::new(),
            cells: Vec::new(),
            clusters: layout
                .clusters
                .as_ref()
                .map(|column| ClusterSums::new(column, plan)),
            rows: 0,
            no_arm: 0,
            no_stratum: 0,
            missing: vec![0; plan.variables.len()],
        }
    }

    /// Statistics of a frame, in one pass.
    pub(crate) fn of(plan: &Plan, layout: &Layout, frame: &Frame) -> Result<Self> {
        let mut found = Self::empty(plan, layout);
        let values = plan
            .variables
            .iter()
            .map(|v| Values::read(v, frame))
            .collect::<Result<Vec<_>>>()?;
        for (missing, values) in found.missing.iter_mut().zip(&values) {
            *missing = values.missing() as u64;
        }
        found.rows = frame.rows() as u64;
        let arm_codes = Codes::of(&layout.variant, frame)?;
        let arms = arm_codes.coded(&mut found.arms);
        let stratum_codes = match &layout.strata {
            Some(column) => Some(Codes::of(column, frame)?),
            None => None,
        };
        let strata: Option<Coded<'_>> = stratum_codes
            .as_ref()
            .map(|codes| codes.coded(&mut found.strata));
        if strata.is_none() {
            position(&mut found.strata, EVERYBODY);
        }
        let analysed = match &layout.trigger {
            Some(column) => Some(triggered(column, frame)?),
            None => None,
        };
        let source = Source {
            rows: frame.rows(),
            arms,
            n_arms: found.arms.len(),
            strata,
            n_strata: found.strata.len(),
            analysed: analysed.as_deref(),
            values,
            users: plan.users(),
            ratios: plan.ratios(),
        };
        if let Some(clusters) = &mut found.clusters {
            let (no_arm, no_stratum) =
                clusters.push(&source, plan, frame, &found.arms, &found.strata)?;
            (found.no_arm, found.no_stratum) = (no_arm, no_stratum);
            return Ok(found);
        }
        let pass = source.pass();
        found.take(pass);
        Ok(found)
    }

    /// Whether units are clusters.
    pub(crate) fn has_clusters(&self) -> bool {
        self.clusters.is_some()
    }

    /// Rows without an arm.
    pub fn unassigned(&self) -> u64 {
        self.no_arm
    }

    /// The arms seen so far.
    pub fn arms(&self) -> &[String] {
        &self.arms
    }

    /// Rows with an arm but without a stratum.
    pub(crate) fn without_stratum(&self) -> u64 {
        self.no_stratum
    }

    /// Missing values of each column that has any.
    pub(crate) fn missing(&self) -> Vec<(String, usize)> {
        let mut missing: Vec<(String, usize)> = Vec::new();
        for (variable, count) in self.plan.variables.iter().zip(&self.missing) {
            if *count > 0 && missing.iter().all(|(name, _)| *name != variable.column) {
                missing.push((variable.column.clone(), *count as usize));
            }
        }
        missing
    }

    /// The units of analysis (rows or clusters) with the control first and the other arms in the order of their names.
    pub(crate) fn sample(&self, control: &str) -> Result<Sample> {
        self.units(control, false)
    }

    /// The same for data that are all of one arm.
    pub(crate) fn sample_of_one(&self, arm: &str) -> Result<Sample> {
        self.units(arm, true)
    }

    fn units(&self, control: &str, alone: bool) -> Result<Sample> {
        let (plan, cells) = match &self.clusters {
            Some(clusters) => clusters.units(&self.plan, self.arms.len(), self.strata.len()),
            None => (self.plan.clone(), self.cells.clone()),
        };
        if let Some(broken) = cells.iter().find(|c| !c.moments.is_finite()) {
            return Err(Error::NotFinite {
                what: format!(
                    "a sum of squares in arm `{}`: a value is too large, rescale its column; it",
                    self.arms[broken.arm as usize]
                ),
            });
        }
        Sample::new(
            plan,
            &self.arms,
            &self.strata,
            cells,
            control,
            self.clusters.is_some(),
            alone,
        )
    }

    fn take(&mut self, pass: Pass) {
        let arms = self.arms.len().max(1);
        for found in pass.cells {
            self.add(Cell {
                arm: (found.base % arms) as u32,
                stratum: (found.base / arms) as u32,
                missing: found.missing,
                moments: found.moments,
            });
        }
        (self.no_arm, self.no_stratum) = (pass.no_arm, pass.no_stratum);
    }

    fn add(&mut self, cell: Cell) {
        let key = |c: &Cell| (c.arm, c.stratum, c.missing);
        match self.cells.binary_search_by_key(&key(&cell), key) {
            Ok(at) => self.cells[at].moments.join(&cell.moments),
            Err(at) => self.cells.insert(at, cell),
        }
    }
}

/// The positions of names in a list to which new ones are added.
fn positions(known: &mut Vec<String>, names: &[String]) -> Vec<u32> {
    names.iter().map(|name| position(known, name)).collect()
}
