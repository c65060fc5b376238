//! A fitted Cox model: residuals, concordance, tests, tables.

use super::super::likelihood::{Core, likelihood_fit};
use super::super::outcome::Spells;
use super::rows::CoxRows;
use super::{Concordance, Ties};
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::inference::{Distribution, Inference, TestResult, coefficient_table};
use crate::report::{Cell, CoefficientPlot, Figure, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is asked later of the rows.
#[derive(Clone, Debug)]
pub(crate) struct Fitted {
    pub(crate) rows: CoxRows,
    /// In standardised units.
    pub(crate) slopes: Vec<f64>,
    pub(crate) spreads: Vec<f64>,
    /// Which rows of the frame were used.
    pub(crate) total_rows: Rows,
}

impl Fitted {
    /// Puts values of the sorted rows where the frame has them, NaN elsewhere.
    fn back(&self, sorted: &[f64]) -> Vec<f64> {
        let mut out = vec![f64::NAN; self.total_rows.total()];
        for (i, value) in sorted.iter().enumerate() {
            out[self.total_rows.index(self.rows.order[i])] = *value;
        }
        out
    }

    /// Times and events of all rows, for curves.
    pub(crate) fn spells(&self) -> Spells {
        Spells {
            start: self.rows.start.clone(),
            stop: self.rows.stop.clone(),
            event: self.rows.event.clone(),
        }
    }
}

/// A fitted Cox model. It answers the verbs of [`Inference`] for the coefficients β (log hazard ratios), with the normal as
/// reference.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CoxFit {
    pub(crate) core: Core,
    pub(crate) ties: Ties,
    pub(crate) score_statistic: f64,
    pub(crate) strata: Vec<String>,
    pub(crate) means: Vec<f64>,
    #[serde(skip)]
    pub(crate) fitted: Option<Arc<Fitted>>,
}

likelihood_fit!(CoxFit);

/// The regressors of an event less their mean in the risk set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SchoenfeldResidual {
    /// Time of the event.
    pub time: f64,
    /// Row of the frame, from 0.
    pub row: usize,
    /// One value a coefficient.
    pub values: Vec<f64>,
}

impl CoxFit {
    /// How ties were treated.
    pub fn ties(&self) -> Ties {
        self.ties
    }

    /// The rows, if they are kept.
    pub(crate) fn fitted(&self, what: &str) -> Result<&Fitted> {
        self.fitted.as_deref().ok_or_else(|| Error::DataNotKept {
            what: what.to_owned(),
            remedy: "fit again from the data, without `.lean()`".to_owned(),
        })
    }

    /// Drops the rows, so that the fit is small; covariance, residuals and predictions can then no longer be had.
    pub fn lean(&self) -> Self {
        Self {
            core: self.core.lean(),
            fitted: None,
            ..self.clone()
        }
    }

    /// The score test that all coefficients are zero (with one group indicator and no ties the log-rank test).
    pub fn score_test(&self) -> TestResult {
        let df = self.core.names.len() as f64;
        TestResult::new(
            "Score test of all slopes",
            self.score_statistic,
            Distribution::ChiSquared { df },
        )
    }

    /// The Wald test that all coefficients are zero, with the covariance in use.
    ///
    /// # Errors
    /// [`Error::Matrix`] when the covariance is singular (fewer clusters than coefficients).
    pub fn wald_test(&self) -> Result<TestResult> {
        let p = self.core.names.len();
        self.wald_matrix("all slopes", &DMatrix::identity(p, p), &DVector::zeros(p))
    }

    /// Harrell's concordance of the predicted risks, within strata.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean`; [`Error::Unidentified`] when no two customers can be compared.
    pub fn concordance(&self) -> Result<Concordance> {
        let fitted = self.fitted("the concordance")?;
        let found = fitted.rows.concordance(&fitted.slopes);
        if found.value.is_finite() {
            return Ok(found);
        }
        Err(Error::Unidentified {
            what: "the concordance".to_owned(),
            needs: "a customer who is still watched when another has the event".to_owned(),
        })
    }

    /// Martingale residuals: events less the hazard a row was exposed to; NaN for rows not used. Plotted against a regressor
    /// left out they show its shape.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean`.
    pub fn martingale_residuals(&self) -> Result<Vec<f64>> {
        let fitted = self.fitted("the residuals")?;
        let detail = fitted.rows.detail(&fitted.slopes, false);
        Ok(fitted.back(&fitted.rows.residuals(&detail).0))
    }

    /// Deviance residuals: martingale residuals made symmetric, `sign(m) √(−2 (m + δ ln(δ − m)))`.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean`.
    pub fn deviance_residuals(&self) -> Result<Vec<f64>> {
        let fitted = self.fitted("the residuals")?;
        let detail = fitted.rows.detail(&fitted.slopes, false);
        let (martingale, _) = fitted.rows.residuals(&detail);
        let deviance: Vec<f64> = martingale
            .iter()
            .zip(&fitted.rows.event)
            .map(|(m, event)| {
                let log = if *event { (1.0 - m).ln() } else { 0.0 };
                m.signum() * (-2.0 * (m + log)).max(0.0).sqrt()
            })
            .collect();
        Ok(fitted.back(&deviance))
    }

    /// Score residuals, one column a coefficient over all rows of the frame: how much each row pulls at the estimates.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean`.
    pub fn score_residuals(&self) -> Result<Vec<Vec<f64>>> {
        let fitted = self.fitted("the residuals")?;
        let detail = fitted.rows.detail(&fitted.slopes, false);
        let (_, scores) = fitted.rows.residuals(&detail);
        Ok(scores
            .iter()
            .zip(&fitted.spreads)
            .map(|(column, spread)| {
                let own: Vec<f64> = column.iter().map(|v| v * spread).collect();
                fitted.back(&own)
            })
            .collect())
    }

    /// Schoenfeld residuals, one a row with an event, in ascending time.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean`.
    pub fn schoenfeld_residuals(&self) -> Result<Vec<SchoenfeldResidual>> {
        let fitted = self.fitted("the residuals")?;
        let detail = fitted.rows.detail(&fitted.slopes, false);
        let rows = &fitted.rows;
        let mut found = Vec::new();
        for step in detail.steps.iter().flatten() {
            for i in rows.instants[step.instant]
                .rows
                .clone()
                .filter(|i| rows.event[*i])
            {
                found.push(SchoenfeldResidual {
                    time: step.time,
                    row: fitted.total_rows.index(rows.order[i]),
                    values: (0..fitted.spreads.len())
                        .map(|j| (rows.columns[j][i] - step.mean[j]) * fitted.spreads[j])
                        .collect(),
                });
            }
        }
        found.sort_by(|a, b| a.time.total_cmp(&b.time).then(a.row.cmp(&b.row)));
        Ok(found)
    }

    /// Hazard ratios `exp(β)` with 95 % intervals, the ends transformed.
    pub fn hazard_ratios(&self) -> Table {
        const LEVEL: f64 = 0.95;
        const DIGITS: usize = 4;
        let columns = ["", "Hazard ratio", "95 % from", "to", "p"];
        let table = Table::new(format!("Hazard ratios: {}", self.core.formula)).columns(columns);
        let table = self.coefficients().iter().fold(table, |table, c| {
            let (lower, upper) = c
                .confidence_interval(LEVEL)
                .map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            table.row([
                Cell::from(c.name.as_str()),
                Cell::significant(c.estimate.exp(), DIGITS),
                Cell::significant(lower.exp(), DIGITS),
                Cell::significant(upper.exp(), DIGITS),
                Cell::p_value(c.p_value()),
            ])
        });
        table.note(format!("Covariance: {}", self.core.label()))
    }

    /// The coefficients (log hazard ratios) with 95 % intervals as a figure.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when nothing can be drawn.
    pub fn plot(&self) -> Result<Figure> {
        let plot = CoefficientPlot::new()
            .title(format!("Cox: {}", self.core.formula))
            .x_title("Log hazard ratio");
        let plot = self
            .confidence_interval(0.95)?
            .iter()
            .zip(self.coefficients())
            .fold(plot, |plot, (interval, c)| {
                plot.point(c.name, c.estimate, interval.lower, interval.upper)
            });
        plot.draw()
    }

    fn full_table(&self) -> Table {
        let mut further = vec![format!("Ties: {}", self.ties)];
        if self.strata.len() > 1 {
            further[0] = format!("{}; {} strata", further[0], self.strata.len());
        }
        if let Ok(concordance) = self.concordance() {
            further.push(concordance.to_string());
        }
        self.core.dress(coefficient_table(self), &further)
    }
}
