//! Names, estimates and their covariance under the estimator in use: what the fits of all models share.

use super::covariance::{BiasReduced, Counts, Covariance, Degrees, ScoreRows, estimate};
use super::records::{Distribution, TestResult};
use super::verbs::wald_statistic;
use crate::data::{Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::numeric::linalg::sandwich;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// CR2 is unbiased under its working model; a share this far from one is not rounding.
const SEEN: f64 = 0.99;

/// Estimates with a covariance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fitted {
    pub(crate) names: Vec<String>,
    pub(crate) estimates: DVector<f64>,
    pub(crate) covariance: DMatrix<f64>,
    pub(crate) kind: Covariance,
    /// Degrees of freedom of t tests; infinite where theory gives the normal alone.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub(crate) df: f64,
    pub(crate) clusters: Vec<(String, usize)>,
    /// Warnings of the covariance.
    pub(crate) warnings: Vec<Warning>,
    /// What degrees of freedom under CR2 need; kept without the data.
    reduced: Option<Arc<BiasReduced>>,
    /// Whether the estimates are those of maximum likelihood.
    asymptotic: bool,
}

/// The rows of a fit as a covariance estimator needs them.
#[derive(Clone, Copy)]
pub(crate) struct SecondPass<'a> {
    pub(crate) source: &'a dyn ScoreRows,
    pub(crate) frame: &'a Frame,
    pub(crate) rows: &'a Rows,
    pub(crate) counts: Counts<'a>,
    /// Coefficients = map · working parameters.
    pub(crate) map: &'a DMatrix<f64>,
    /// Whether tests use the normal whatever the number of rows (maximum likelihood).
    pub(crate) asymptotic: bool,
}

impl Fitted {
    /// Estimates whose covariance is not known yet.
    pub(crate) fn new(names: Vec<String>, estimates: DVector<f64>) -> Self {
        let size = names.len();
        Self {
            names,
            estimates,
            covariance: DMatrix::zeros(size, size),
            kind: Covariance::default(),
            df: f64::INFINITY,
            clusters: vec![],
            warnings: vec![],
            reduced: None,
            asymptotic: false,
        }
    }

    /// The same estimates with another covariance: one pass over the rows.
    pub(crate) fn with_covariance(&self, kind: Covariance, pass: &SecondPass<'_>) -> Result<Self> {
        let estimated = estimate(&kind, pass.source, pass.frame, pass.rows, &pass.counts)?;
        let (df, reduced) = match estimated.degrees {
            Degrees::Fixed(_) if pass.asymptotic => (f64::INFINITY, None),
            Degrees::Fixed(df) => (df, None),
            Degrees::Satterthwaite(reduced) => (
                pass.counts.residual_df(pass.source.parameters()),
                Some(Arc::new(reduced.mapped(pass.map))),
            ),
        };
        let mut warnings = estimated.warnings;
        warnings.extend(reduced.as_ref().and_then(|r| self.undetermined(r)));
        Ok(Self {
            covariance: sandwich(&estimated.matrix, &pass.map.transpose()),
            kind,
            df,
            clusters: estimated.clusters,
            warnings,
            reduced,
            asymptotic: pass.asymptotic,
            ..self.clone()
        })
    }

    /// Names the coefficients of which CR2 sees a part of the variance only.
    fn undetermined(&self, reduced: &BiasReduced) -> Option<Warning> {
        let names: Vec<&str> = (0..self.names.len())
            .filter(|i| {
                let contrast =
                    DVector::from_fn(self.names.len(), |j, _| f64::from(u8::from(j == *i)));
                reduced.expected_share(&contrast) < SEEN
            })
            .map(|i| self.names[i].as_str())
            .collect();
        (!names.is_empty()).then(|| Warning::Note {
            message: format!(
                "single clusters determine {} wholly or in part, which CR2 cannot see: its standard errors there are too small (without degrees of freedom the intervals are the whole line)",
                names.join(", ")
            ),
        })
    }

    /// Whether contrasts have degrees of freedom of their own (CR2).
    pub(crate) fn has_own_degrees(&self) -> bool {
        self.reduced.is_some()
    }

    /// Degrees of freedom of a contrast.
    pub(crate) fn degrees_of_freedom(&self, contrast: &DVector<f64>) -> f64 {
        match &self.reduced {
            Some(reduced) => reduced.degrees_of_freedom(contrast),
            None => self.df,
        }
    }

    /// The Wald test, by Hotelling's approximation when the covariance is CR2 (Pustejovsky & Tipton 2018).
    pub(crate) fn wald(
        &self,
        name: &str,
        r: &DMatrix<f64>,
        value: &DVector<f64>,
    ) -> Result<TestResult> {
        let (statistic, q) = wald_statistic(&self.estimates, &self.covariance, r, value)?;
        let q = q as f64;
        let name = format!("Wald test of {name}");
        let Some(reduced) = &self.reduced else {
            let distribution = Distribution::F {
                df1: q,
                df2: self.df,
            };
            return Ok(TestResult::new(name, statistic / q, distribution));
        };
        let eta = reduced.hotelling(r);
        let df2 = eta - q + 1.0;
        if df2 <= 0.0 {
            return Err(Error::Unidentified {
                what: "the distribution of this Wald test under CR2".to_owned(),
                needs: format!("more clusters: {q} restrictions leave {df2:.2} degrees of freedom"),
            });
        }
        Ok(TestResult::new(
            name,
            df2 / (eta * q) * statistic,
            Distribution::F { df1: q, df2 },
        ))
    }

    /// The covariance in words, with the clusters counted.
    pub(crate) fn covariance_note(&self) -> String {
        let counts: Vec<String> = self
            .clusters
            .iter()
            .map(|(name, n)| format!("; {n} {name}"))
            .collect();
        format!("Covariance: {}{}", self.label(), counts.concat())
    }

    /// The covariance in words.
    pub(crate) fn label(&self) -> String {
        if self.asymptotic && self.kind == Covariance::Classical {
            return "inverse of the observed information".to_owned();
        }
        self.kind.to_string()
    }
}
