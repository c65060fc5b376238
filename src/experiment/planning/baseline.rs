//! What power depends on, from data of the past: values and variances of units, after adjustment and with clusters.

use crate::data::Frame;
use crate::error::{Error, Result};
use crate::experiment::analysis::analyse;
use crate::experiment::arm::ExperimentStatistics;
use crate::experiment::declare::Experiment;
use serde::{Deserialize, Serialize};

/// The value of a metric and the variance of one unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricBaseline {
    /// The metric.
    pub metric: String,
    /// Its value over all units.
    pub value: f64,
    /// Units (rows, or clusters).
    pub units: u64,
    /// Variance of a unit after adjustment: the variance of the value is this over the units.
    pub unit_variance: f64,
    /// The same before adjustment.
    pub unadjusted_variance: f64,
}

/// The baselines of the metrics of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentBaseline {
    /// One entry a metric that is a function of moments.
    pub metrics: Vec<MetricBaseline>,
}

/// The arm of all units.
const EVERYBODY: &str = "everybody";

impl Experiment {
    /// The baseline of the metrics in data without an experiment: all units are taken as one arm, so that the variant column is not
    /// needed; covariates, clusters, strata, trigger and winsorising count as they will in the analysis.
    ///
    /// # Errors
    /// As [`Experiment::analyze`]; [`Error::InvalidOption`] when no metric is a function of moments.
    pub fn baseline(&self, past: &Frame) -> Result<ExperimentBaseline> {
        let arms = vec![EVERYBODY; past.rows()];
        let past = past.clone().with_or_replace(&self.variant, arms)?;
        let moments = self.metrics.iter().filter(|m| m.is_of_moments());
        let mut alone = self.clone();
        alone.metrics = moments.cloned().collect();
        EVERYBODY.clone_into(&mut alone.control);
        if alone.metrics.is_empty() {
            return Err(Error::invalid_option(
                "baseline",
                "asked of metrics that need the rows",
                "of means, proportions, counts and ratios; use Experiment::simulate for the others",
            ));
        }
        let prepared = alone.prepare(&past)?;
        let found = ExperimentStatistics::of(&prepared.plan, &prepared.layout, &prepared.frame)?;
        let sample = found.sample_of_one(EVERYBODY)?;
        let mut metrics = Vec::new();
        for (bit, plan) in sample.plan.metrics.iter().enumerate() {
            let metric = &prepared.metrics[plan.metric];
            let stratified = self.strata.is_some();
            let found = analyse(&sample, plan, bit, metric, stratified, &mut Vec::new())?;
            let record = &found.arms[0].record;
            metrics.push(MetricBaseline {
                metric: record.metric.clone(),
                value: record.value,
                units: record.units,
                unit_variance: record.unit_variance,
                unadjusted_variance: record.unadjusted_variance,
            });
        }
        Ok(ExperimentBaseline { metrics })
    }
}
