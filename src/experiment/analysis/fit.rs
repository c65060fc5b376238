//! The result of an experiment's analysis.

use super::effect::{ArmValue, Effect};
use super::joint::Joint;
use crate::error::{Error, Result, Warning, nearest_name};
use crate::experiment::funnel::FunnelEffectsFit;
use crate::inference::{Inference, TestResult};
use crate::report::Table;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Units assigned to an arm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmCount {
    /// The arm.
    pub arm: String,
    /// Units assigned.
    pub assigned: u64,
    /// Units analysed: those that were triggered.
    pub analysed: u64,
}

/// What an [`Experiment`](crate::experiment::Experiment) found: one [`Effect`] a metric and comparison.
///
/// The verbs of [`Inference`] speak of the differences of all metrics that are functions of moments, under the names `metric: arm`
/// (`metric: arm - other` where the other is not the control), with their joint covariance over metrics and arms. Metrics
/// that need the rows (quantiles, times, regressions) stand in [`ExperimentFit::effects`] alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentFit {
    pub(crate) effects: Vec<Effect>,
    pub(crate) values: Vec<ArmValue>,
    pub(crate) counts: Vec<ArmCount>,
    pub(crate) sample_ratio: TestResult,
    pub(crate) funnels: Vec<FunnelEffectsFit>,
    pub(crate) level: f64,
    pub(crate) adjustment: String,
    pub(crate) notes: Vec<String>,
    pub(crate) warnings: Vec<Warning>,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    joint: Joint,
}

/// All that a fit is made of.
pub(crate) struct Parts {
    pub(crate) effects: Vec<Effect>,
    pub(crate) values: Vec<ArmValue>,
    pub(crate) counts: Vec<ArmCount>,
    pub(crate) sample_ratio: TestResult,
    pub(crate) funnels: Vec<FunnelEffectsFit>,
    pub(crate) level: f64,
    pub(crate) adjustment: String,
    pub(crate) notes: Vec<String>,
    pub(crate) warnings: Vec<Warning>,
    /// Names and estimates of the effects in the joint covariance.
    pub(crate) names: Vec<String>,
    pub(crate) estimates: Vec<f64>,
    pub(crate) joint: Joint,
}

impl From<Parts> for ExperimentFit {
    fn from(parts: Parts) -> Self {
        Self {
            effects: parts.effects,
            values: parts.values,
            counts: parts.counts,
            sample_ratio: parts.sample_ratio,
            funnels: parts.funnels,
            level: parts.level,
            adjustment: parts.adjustment,
            notes: parts.notes,
            warnings: parts.warnings,
            names: parts.names,
            estimates: DVector::from_vec(parts.estimates),
            covariance: parts.joint.covariance(),
            joint: parts.joint,
        }
    }
}

impl Inference for ExperimentFit {
    crate::inference::fields::inference_of_fields!();

    fn degrees_of_freedom(&self, contrast: &DVector<f64>) -> f64 {
        self.joint.degrees_of_freedom(contrast)
    }

    fn table(&self) -> Table {
        super::report::effects(self)
    }
}

impl ExperimentFit {
    /// All effects, metric by metric.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// The effect of an arm on a metric, against the control where several comparisons were made.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`] with the nearest of `metric: arm`.
    pub fn effect(&self, metric: &str, arm: &str) -> Result<&Effect> {
        let found = |e: &&Effect| e.metric == metric && e.arm == arm;
        self.effects.iter().find(found).ok_or_else(|| {
            let name = format!("{metric}: {arm}");
            let label = |e: &Effect| format!("{}: {}", e.metric, e.arm);
            let available: Vec<String> = self.effects.iter().map(label).collect();
            Error::UnknownCoefficient {
                nearest: nearest_name(&name, &available),
                name,
                available,
            }
        })
    }

    /// The value of every metric in every arm.
    pub fn values(&self) -> &[ArmValue] {
        &self.values
    }

    /// Units assigned and analysed, control first.
    pub fn counts(&self) -> &[ArmCount] {
        &self.counts
    }

    /// The χ² test that units were assigned in the proportions declared (equal by default): sample-ratio mismatch.
    pub fn sample_ratio(&self) -> &TestResult {
        &self.sample_ratio
    }

    /// Stage-wise effects of funnel metrics with their bounds.
    pub fn funnels(&self) -> &[FunnelEffectsFit] {
        &self.funnels
    }

    /// The confidence level.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The table of effects.
    pub fn table(&self) -> Table {
        super::report::effects(self)
    }

    /// The values of every arm as a table.
    pub fn arm_table(&self) -> Table {
        super::report::arms(self)
    }

    /// The tables as HTML.
    pub fn to_html(&self) -> String {
        let mut html = self.table().to_html();
        for funnel in &self.funnels {
            html.push_str(&funnel.to_html());
        }
        html
    }
}

impl fmt::Display for ExperimentFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.table())?;
        for funnel in &self.funnels {
            write!(f, "\n{funnel}")?;
        }
        Ok(())
    }
}

crate::report::notebook!(ExperimentFit);
