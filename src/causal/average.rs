//! Average effects with their joint covariance.

use super::units::{Linearised, Units};
use crate::error::Warning;
use crate::inference::Inference;
use crate::inference::coefficient_table;
use crate::report::Table;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Average effects of arms against control, for all or for a part of the rows. The verbs of [`Inference`] apply; distributions are normal, with
/// G clusters t with G − 1 degrees of freedom.
///
/// Standard errors are those of the influence function, `V = Σ_g (Σ_{i∈g} ψ_i)(Σ_{i∈g} ψ_i)'` over clusters (or rows), with the factor
/// G/(G − 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AverageEffects {
    estimand: String,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    rows: usize,
    clusters: Option<(String, usize)>,
    /// What the standard errors are, when not those of an influence function.
    #[serde(default)]
    errors: Option<String>,
    warnings: Vec<Warning>,
}

/// What is said about the rows below a table of effects.
pub(crate) struct Sampled {
    pub(crate) rows: usize,
    pub(crate) clusters: Option<(String, usize)>,
    pub(crate) warnings: Vec<Warning>,
}

impl AverageEffects {
    pub(crate) fn new(
        estimand: impl Into<String>,
        names: Vec<String>,
        parts: &[Linearised],
        units: &Units,
        sampled: Sampled,
    ) -> Self {
        Self {
            estimand: estimand.into(),
            names,
            estimates: DVector::from_iterator(parts.len(), parts.iter().map(|p| p.estimate)),
            covariance: units.covariance(parts),
            rows: sampled.rows,
            clusters: sampled.clusters,
            errors: None,
            warnings: sampled.warnings,
        }
    }

    /// One effect whose variance is not that of an influence function; `errors` says what it is.
    pub(crate) fn of_variance(
        estimand: impl Into<String>,
        name: String,
        [estimate, variance]: [f64; 2],
        errors: impl Into<String>,
        sampled: Sampled,
    ) -> Self {
        Self {
            estimand: estimand.into(),
            names: vec![name],
            estimates: DVector::from_element(1, estimate),
            covariance: DMatrix::from_element(1, 1, variance),
            rows: sampled.rows,
            clusters: sampled.clusters,
            errors: Some(errors.into()),
            warnings: sampled.warnings,
        }
    }

    /// What is estimated, in words.
    pub fn estimand(&self) -> &str {
        &self.estimand
    }

    /// Rows used.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The effects as a table.
    pub fn table(&self) -> Table {
        let errors = match &self.clusters {
            Some((column, count)) => format!("clustered by {column}; {count} clusters"),
            None => "independent rows".to_owned(),
        };
        let errors = (self.errors.clone())
            .unwrap_or_else(|| format!("Standard errors of the influence function, {errors}"));
        let table = coefficient_table(self)
            .with_title(&self.estimand)
            .note(format!("{} rows. {errors}.", self.rows));
        table.warned(&self.warnings)
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

/// The verbs of a fit are those of its field `average`.
macro_rules! averages {
    ($type:ty) => {
        impl crate::inference::Inference for $type {
            fn names(&self) -> &[String] {
                self.average.names()
            }

            fn estimates(&self) -> &nalgebra::DVector<f64> {
                self.average.estimates()
            }

            fn covariance(&self) -> &nalgebra::DMatrix<f64> {
                crate::inference::Inference::covariance(&self.average)
            }

            fn degrees_of_freedom(&self, contrast: &nalgebra::DVector<f64>) -> f64 {
                self.average.degrees_of_freedom(contrast)
            }
        }
    };
}
pub(crate) use averages;

impl Inference for AverageEffects {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn estimates(&self) -> &DVector<f64> {
        &self.estimates
    }

    fn covariance(&self) -> &DMatrix<f64> {
        &self.covariance
    }

    fn degrees_of_freedom(&self, _: &DVector<f64>) -> f64 {
        let clusters = self.clusters.as_ref();
        clusters.map_or(f64::INFINITY, |(_, count)| *count as f64 - 1.0)
    }
}

impl fmt::Display for AverageEffects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(AverageEffects);
