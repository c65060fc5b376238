//! The fit of one quantile: estimates, a covariance that can be changed later, goodness of fit.

use super::QuantileSample;
use super::covariance::{QuantileCovariance, estimate};
use super::problem::Problem;
use super::vertex::{Vertex, objective};
use crate::data::{Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::inference::{Inference, Summarized, coefficient_table};
use crate::numeric::Progress;
use crate::numeric::linalg::sandwich;
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Size and fit of a quantile regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantileStatistics {
    /// Observations: rows used, or the sum of frequency weights.
    pub observations: f64,
    /// Coefficients.
    pub parameters: usize,
    /// `Σ w ρ_τ(y − x'β̂)`.
    pub objective: f64,
    /// The objective with a constant alone; absent when the model has no constant.
    pub null_objective: Option<f64>,
    /// Koenker and Machado's R¹ = 1 − objective/null objective (1999, doi:10.1080/01621459.1999.10473882): the share of the absolute
    /// deviations at this quantile that the regressors take away.
    pub r1: Option<f64>,
    /// Exchanges of rows after the interior point.
    pub exchanges: usize,
}

/// What another covariance needs.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) problem: Arc<Problem>,
    pub(super) vertex: Vertex,
    pub(super) tau: f64,
    /// Coefficients = map · working parameters.
    pub(super) map: DMatrix<f64>,
    pub(super) repeats: Option<Arc<Vec<usize>>>,
    pub(super) weights: Option<Arc<Vec<f64>>>,
    pub(super) rows: Rows,
    pub(super) frame: Frame,
}

/// A fitted [`super::Quantile`]. It answers the verbs of [`Inference`], prints as a table, and can change its covariance without
/// refitting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuantileFit {
    formula: String,
    tau: f64,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    /// `H⁻¹` of the coefficients, for tests across quantiles.
    pub(super) bread: DMatrix<f64>,
    kind: QuantileCovariance,
    df: f64,
    statistics: QuantileStatistics,
    warnings: Vec<Warning>,
    covariance_warnings: Vec<Warning>,
    #[serde(skip)]
    pub(super) parts: Option<Arc<Parts>>,
}

/// Puts a fit together and estimates its covariance.
pub(super) fn assemble(
    sample: &QuantileSample,
    parts: Parts,
    null_objective: Option<f64>,
    warnings: Vec<Warning>,
    kind: &QuantileCovariance,
    progress: &Progress,
) -> Result<QuantileFit> {
    let objective = objective(&parts.vertex.residuals, parts.tau);
    let k = sample.names.len();
    let r1 = |null: f64| {
        if null > 0.0 {
            1.0 - objective / null
        } else {
            0.0
        }
    };
    let fit = QuantileFit {
        formula: sample.formula.clone(),
        tau: parts.tau,
        names: sample.names.clone(),
        estimates: &parts.map * DVector::from_column_slice(&parts.vertex.b),
        covariance: DMatrix::zeros(k, k),
        bread: DMatrix::zeros(k, k),
        kind: kind.clone(),
        df: f64::INFINITY,
        statistics: QuantileStatistics {
            observations: parts.problem.rows() as f64,
            parameters: k,
            objective,
            null_objective,
            r1: null_objective.map(r1),
            exchanges: parts.vertex.exchanges,
        },
        warnings,
        covariance_warnings: vec![],
        parts: Some(Arc::new(parts)),
    };
    fit.with_covariance_watched(kind.clone(), progress)
}

impl QuantileFit {
    /// The same fit with another covariance.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean` or for a fit read from a file; those of the covariance.
    pub fn with_covariance(&self, covariance: QuantileCovariance) -> Result<Self> {
        self.with_covariance_watched(covariance, &Progress::none())
    }

    fn with_covariance_watched(
        &self,
        kind: QuantileCovariance,
        progress: &Progress,
    ) -> Result<Self> {
        let parts = self.parts("another covariance")?;
        let estimated = estimate(&kind, parts, progress)?;
        let back = parts.map.transpose();
        Ok(Self {
            covariance: sandwich(&estimated.covariance, &back),
            bread: sandwich(&estimated.bread, &back),
            kind,
            df: estimated.df,
            covariance_warnings: estimated.warnings,
            ..self.clone()
        })
    }

    /// The quantile τ.
    pub fn tau(&self) -> f64 {
        self.tau
    }

    /// Size and fit.
    pub fn statistics(&self) -> &QuantileStatistics {
        &self.statistics
    }

    /// The covariance estimator in use.
    pub fn covariance_kind(&self) -> &QuantileCovariance {
        &self.kind
    }

    /// The formula as fitted.
    pub fn formula(&self) -> &str {
        &self.formula
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> Vec<Warning> {
        self.warnings
            .iter()
            .chain(&self.covariance_warnings)
            .cloned()
            .collect()
    }

    /// Residuals `y − x'β̂` of all rows of the frame; NaN where the fit did not use the row. Fitted rows have exactly zero.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean`.
    pub fn residuals(&self) -> Result<Vec<f64>> {
        let parts = self.parts("residuals")?;
        let mut out = vec![f64::NAN; parts.rows.total()];
        for (i, r) in parts.vertex.residuals.iter().enumerate() {
            let at = parts.repeats.as_ref().map_or(i, |repeats| repeats[i]);
            let weight = parts.weights.as_ref().map_or(1.0, |w| w[at]);
            out[parts.rows.index(at)] = r / weight;
        }
        Ok(out)
    }

    /// Drops the handle on the data, so that the fit is small; its covariance can then no longer be changed.
    pub fn lean(&self) -> Self {
        Self {
            parts: None,
            ..self.clone()
        }
    }

    /// The fit as an HTML table.
    pub fn to_html(&self) -> String {
        self.full_table().to_html()
    }

    pub(super) fn parts(&self, what: &str) -> Result<&Parts> {
        self.parts.as_deref().ok_or_else(|| Error::DataNotKept {
            what: what.to_owned(),
            remedy: "ask before `.lean()`, or fit again from the data".to_owned(),
        })
    }

    fn full_table(&self) -> Table {
        let s = &self.statistics;
        let mut size = vec![format!("n = {}", Cell::count(s.observations as usize))];
        size.extend(s.r1.map(|r| format!("R¹ = {r:.4}")));
        let mut table = coefficient_table(self)
            .with_title(format!(
                "Quantile regression, τ = {}: {}",
                self.tau, self.formula
            ))
            .note(format!("Covariance: {}", self.kind))
            .note(size.join(", "));
        for warning in self.warnings() {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }
}

impl Inference for QuantileFit {
    crate::inference::fields::inference_of_fields!();

    fn degrees_of_freedom(&self, _contrast: &DVector<f64>) -> f64 {
        self.df
    }

    fn table(&self) -> Table {
        self.full_table()
    }
}

impl Summarized for QuantileFit {
    fn footer(&self) -> Vec<(String, Cell)> {
        let s = &self.statistics;
        let mut lines = vec![
            (
                "Observations".to_owned(),
                Cell::count(s.observations as usize),
            ),
            ("τ".to_owned(), Cell::significant(self.tau, 3)),
        ];
        lines.extend(s.r1.map(|r| ("R¹".to_owned(), Cell::fixed(r, 3))));
        lines
    }

    fn covariance_label(&self) -> String {
        self.kind.to_string()
    }
}

impl fmt::Display for QuantileFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.full_table().fmt(f)
    }
}

crate::report::notebook!(QuantileFit);
