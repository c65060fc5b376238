//! Effects of a treatment that people choose, by instruments that are as good as random given features: double machine learning.
//!
//! [`PartiallyLinearIv`] has the effect per unit of a treatment, [`LocalAverageEffect`] the average effect on those whom an instrument of two values moves. Both are ratios of
//! two orthogonal scores, and their fit, [`InstrumentedFit`], has what such a ratio needs: the strength of the first stage and the Anderson–Rubin set.

mod local_average;
mod partially_linear_iv;

pub use local_average::LocalAverageEffect;
pub use partially_linear_iv::PartiallyLinearIv;

use super::nuisance::StackMember;
use super::sample::CausalSample;
use crate::data::Frame;
use crate::error::{Result, Warning};
use crate::inference::{
    ConfidenceSet, Covariance, Estimate, Inference, TestResult, coefficient_table,
};
use crate::regression::{FirstStage, Iv, IvFit};
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Columns of the frame of scores that no column of a user's can be called.
const OUTCOME: &str = "(outcome)";
const WEIGHT: &str = "(weight)";
const CLUSTER: &str = "(cluster)";

/// What [`PartiallyLinearIv`] and [`LocalAverageEffect`] found. The verbs of [`Inference`] are those of the effect; `confidence_set` is the Anderson–Rubin set, which is right
/// however weak the instruments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstrumentedFit {
    title: String,
    iv: IvFit,
    reduced_form: Option<Estimate>,
    stack: Vec<StackMember>,
    rows: usize,
    clusters: Option<String>,
    kept: Vec<bool>,
    warnings: Vec<Warning>,
}

/// Two-stage least squares without a constant of scores: outcome, treatment and instruments.
struct Scored<'a> {
    title: String,
    sample: &'a CausalSample,
    treatment: &'a str,
    outcome: Vec<f64>,
    treated: Vec<f64>,
    instruments: Vec<(String, Vec<f64>)>,
    stack: Vec<StackMember>,
}

impl Scored<'_> {
    fn fit(self) -> Result<InstrumentedFit> {
        let sample = self.sample;
        let names: Vec<String> = (self.instruments.iter())
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        let mut frame = Frame::new()
            .with(OUTCOME, self.outcome)?
            .with(self.treatment, self.treated)?;
        for (name, values) in self.instruments {
            frame = frame.with(name, values)?;
        }
        let mut model = Iv::new(format!(
            "`{OUTCOME}` ~ 0 | `{}` ~ {}",
            self.treatment,
            names.join(" + ")
        ));
        if let Some(weights) = &sample.weights {
            frame = frame.with(WEIGHT, weights.clone())?;
            model = model.weights(WEIGHT);
        }
        if let Some(clusters) = &sample.clusters {
            let codes: Vec<f64> = clusters.iter().map(|code| f64::from(*code)).collect();
            frame = frame.with(CLUSTER, codes)?;
            model = model.covariance(Covariance::cluster(CLUSTER));
        }
        let iv = model.fit(&frame)?;
        let mut warnings = sample.warnings.clone();
        warnings.extend(iv.warnings().into_iter().map(|warning| match warning {
            Warning::FewClusters { clusters, .. } => Warning::FewClusters {
                column: sample.cluster_column.clone().unwrap_or_default(),
                clusters,
            },
            other => other,
        }));
        Ok(InstrumentedFit {
            title: self.title,
            iv,
            reduced_form: None,
            stack: self.stack,
            rows: sample.len(),
            clusters: sample.cluster_column.clone(),
            kept: sample.rows.mask(),
            warnings,
        })
    }
}

impl InstrumentedFit {
    /// The effect with its standard error.
    ///
    /// # Errors
    /// None.
    pub fn effect(&self) -> Result<Estimate> {
        self.coefficient(&self.names()[0])
    }

    /// How strongly the instruments move the treatment, with the effective F of Montiel Olea & Pflueger (2013). Of [`LocalAverageEffect`] its coefficient is the share of compliers.
    ///
    /// # Errors
    /// None.
    pub fn first_stage(&self) -> Result<&FirstStage> {
        Ok(&self.iv.first_stage()?[0])
    }

    /// The effect of the instrument on the outcome (intention to treat), doubly robust; only of [`LocalAverageEffect`].
    pub fn intention_to_treat(&self) -> Option<&Estimate> {
        self.reduced_form.as_ref()
    }

    /// The Anderson–Rubin test of an effect.
    ///
    /// # Errors
    /// [`Error::DataNotKept`](crate::Error::DataNotKept) for a fit read from a file.
    pub fn anderson_rubin(&self, effect: f64) -> Result<TestResult> {
        self.iv.anderson_rubin(&[effect])
    }

    /// The test of overidentifying restrictions.
    ///
    /// # Errors
    /// [`Error::Unidentified`](crate::Error::Unidentified) with a single instrument; [`Error::DataNotKept`](crate::Error::DataNotKept) for a fit read from a file.
    pub fn overidentification(&self) -> Result<TestResult> {
        self.iv.overidentification()
    }

    /// The weights of stacked learners; empty when a single learner was used.
    pub fn stack_weights(&self) -> &[StackMember] {
        &self.stack
    }

    /// One flag a row of the frame: whether it is in use.
    pub fn kept_rows(&self) -> &[bool] {
        &self.kept
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The effect and the strength of the instruments as a table.
    pub fn table(&self) -> Table {
        let errors = match &self.clusters {
            Some(column) => format!("clustered by {column}"),
            None => "robust, independent rows".to_owned(),
        };
        let mut table = coefficient_table(self)
            .with_title(&self.title)
            .note(format!("{} rows. Standard errors {errors}.", self.rows));
        if let Ok(first) = self.first_stage() {
            let coefficients: Vec<String> = (first.coefficients.iter().zip(&first.std_errors))
                .map(|(b, se)| format!("{} ({})", Cell::fixed(*b, 4), Cell::fixed(*se, 4)))
                .collect();
            let effective = first.effective_f.map_or_else(String::new, |f| {
                format!("; effective F = {}", Cell::fixed(f, 2))
            });
            table = table.note(format!(
                "First stage: {}{effective}.",
                coefficients.join(", ")
            ));
        }
        if let Some(itt) = &self.reduced_form {
            table = table.note(format!(
                "Intention to treat: {} ({}).",
                Cell::fixed(itt.estimate, 4),
                Cell::fixed(itt.std_error, 4)
            ));
        }
        if let Ok(set) = self.confidence_set(&self.names()[0], 0.95) {
            table = table.note(format!("Anderson–Rubin {set}."));
        }
        table.warned(&self.warnings)
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl Inference for InstrumentedFit {
    fn names(&self) -> &[String] {
        self.iv.names()
    }

    fn estimates(&self) -> &DVector<f64> {
        self.iv.estimates()
    }

    fn covariance(&self) -> &DMatrix<f64> {
        Inference::covariance(&self.iv)
    }

    fn degrees_of_freedom(&self, contrast: &DVector<f64>) -> f64 {
        match self.clusters {
            Some(_) => self.iv.degrees_of_freedom(contrast),
            None => f64::INFINITY,
        }
    }

    fn confidence_set(&self, name: &str, level: f64) -> Result<ConfidenceSet> {
        self.iv.confidence_set(name, level)
    }

    fn table(&self) -> Table {
        self.table()
    }
}

impl fmt::Display for InstrumentedFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(InstrumentedFit);
