//! The fit of a likelihood: estimates, a covariance that can be changed later, size and fit, tests between models.

use super::engine::Likelihood;
use super::index::Index;
use super::maximize::{Maximum, maximize};
use super::model::Order;
use super::rows::LikelihoodRows;
use crate::data::{Formula, Frame, Groups, Rows};
use crate::error::{Error, Result, Warning};
use crate::inference::covariance::{Counts, Covariance, ScoreRows};
use crate::inference::fitted::{Fitted, SecondPass};
use crate::inference::{Inference, Summarized, TestResult, coefficient_table};
use crate::numeric::Progress;
use crate::numeric::linalg::Cholesky;
use crate::numeric::optimize::Convergence;
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Size and fit of a model estimated by maximum likelihood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LikelihoodStatistics {
    /// Observations: rows used, or the sum of frequency weights.
    pub observations: f64,
    /// Parameters estimated.
    pub parameters: usize,
    /// The log-likelihood ℓ at the estimates (weighted), all constants included.
    pub log_likelihood: f64,
    /// The log-likelihood of the same model with a constant alone in every equation; absent when the model has no constant.
    pub null_log_likelihood: Option<f64>,
    /// McFadden's R² = 1 − ℓ/ℓ₀.
    pub mcfadden_r_squared: Option<f64>,
    /// Akaike's criterion, −2ℓ + 2K.
    pub aic: f64,
    /// Schwarz's criterion, −2ℓ + K ln n.
    pub bic: f64,
}

/// What a model hands over for estimation.
pub(crate) struct Estimation<'a> {
    /// How the model is called.
    pub(crate) title: &'static str,
    /// The formulas of its equations, in the order of the indices that have regressors.
    pub(crate) formulas: Vec<Formula>,
    /// The formula as printed.
    pub(crate) formula: String,
    pub(crate) likelihood: Likelihood,
    pub(crate) start: Vec<f64>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) covariance: &'a Covariance,
    pub(crate) frame: &'a Frame,
}

/// What a second pass over the rows needs.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) source: Arc<dyn ScoreRows>,
    /// Whether the rows have leverages.
    pub(crate) leverages: bool,
    /// The likelihood at its maximum, for predictions; absent with absorbed effects.
    pub(crate) likelihood: Option<Arc<LikelihoodRows>>,
    pub(crate) rows: Rows,
    pub(crate) frame: Frame,
    pub(crate) formulas: Vec<Formula>,
    pub(crate) map: DMatrix<f64>,
    pub(crate) effects: Vec<Groups>,
    pub(crate) absorbed: Vec<usize>,
}

/// A finished estimation of another kind.
pub(crate) struct Finished {
    pub(crate) title: &'static str,
    pub(crate) formula: String,
    pub(crate) names: Vec<String>,
    pub(crate) estimates: DVector<f64>,
    pub(crate) log_likelihood: f64,
    pub(crate) null_log_likelihood: Option<f64>,
    pub(crate) observations: f64,
    pub(crate) convergence: Convergence,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) parts: Parts,
}

impl Finished {
    /// The fit with a covariance.
    pub(crate) fn fit(self, covariance: &Covariance) -> Result<LikelihoodFit> {
        let parameters = self.names.len() + self.parts.absorbed.iter().sum::<usize>();
        let (value, k) = (self.log_likelihood, parameters as f64);
        let null = self.null_log_likelihood;
        let fit = LikelihoodFit {
            title: self.title.to_owned(),
            formula: self.formula,
            fitted: Fitted::new(self.names, self.estimates),
            statistics: LikelihoodStatistics {
                observations: self.observations,
                parameters,
                log_likelihood: value,
                null_log_likelihood: null,
                mcfadden_r_squared: null.map(|null| 1.0 - value / null),
                aic: -2.0 * value + 2.0 * k,
                bic: -2.0 * value + self.observations.ln() * k,
            },
            convergence: self.convergence,
            warnings: self.warnings,
            parts: Some(Arc::new(self.parts)),
        };
        fit.with_covariance(covariance.clone())
    }
}

/// A model fitted by maximum likelihood. It answers the verbs of [`Inference`] with the normal distribution, prints as a table,
/// and can change its covariance without refitting.
///
/// Robust covariances are sandwiches with the inverse of the observed information as bread (White 1982,
/// doi:10.2307/1912526): they are right for the pseudo-true parameters when the likelihood is not the true one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LikelihoodFit {
    title: String,
    formula: String,
    pub(super) fitted: Fitted,
    statistics: LikelihoodStatistics,
    convergence: Convergence,
    warnings: Vec<Warning>,
    #[serde(skip)]
    parts: Option<Arc<Parts>>,
}

impl Estimation<'_> {
    /// Maximises the likelihood and estimates the covariance.
    pub(crate) fn run(self, progress: &Progress) -> Result<LikelihoodFit> {
        let rows = self.likelihood.observations();
        if rows <= self.likelihood.parameters() as f64 {
            return Err(Error::TooFewRows {
                rows: rows as usize,
                parameters: self.likelihood.parameters(),
            });
        }
        let what = format!("the likelihood of the {} model", self.title);
        let found = maximize(&self.likelihood, self.start.clone(), &what, progress)?;
        let null = null_log_likelihood(&self.likelihood, &self.start, progress);
        self.finish(found, null)
    }

    /// Puts the fit together from a maximum.
    pub(crate) fn finish(self, found: Maximum, null: Option<f64>) -> Result<LikelihoodFit> {
        let factor = Cholesky::with_tolerance(&found.sums.information, f64::EPSILON);
        let size = self.likelihood.parameters();
        if factor.rank() < size {
            return Err(Error::Unidentified {
                what: format!("a parameter of the {} model", self.title),
                needs: "data in which the information matrix is not singular: fewer regressors, or a simpler model"
                    .to_owned(),
            });
        }
        let map = self.likelihood.map();
        let names = self.likelihood.names();
        let estimates = &map * DVector::from_column_slice(&found.point);
        let observations = self.likelihood.observations();
        let source = Arc::new(LikelihoodRows {
            bread: factor.inverse(),
            likelihood: self.likelihood,
            point: found.point,
        });
        let finished = Finished {
            title: self.title,
            formula: self.formula,
            names,
            estimates,
            log_likelihood: found.sums.value,
            null_log_likelihood: null,
            observations,
            convergence: found.convergence,
            warnings: self.warnings,
            parts: Parts {
                leverages: source.likelihood.model.is_concave(),
                rows: source.likelihood.rows.clone(),
                likelihood: Some(Arc::clone(&source)),
                source,
                frame: self.frame.clone(),
                formulas: self.formulas,
                map,
                effects: vec![],
                absorbed: vec![],
            },
        };
        finished.fit(self.covariance)
    }
}

/// The log-likelihood with a constant alone in every equation.
fn null_log_likelihood(likelihood: &Likelihood, start: &[f64], progress: &Progress) -> Option<f64> {
    let constants = likelihood.indices.iter().all(Index::has_constant);
    if !constants {
        return None;
    }
    let null = Likelihood {
        indices: likelihood
            .indices
            .iter()
            .map(Index::without_slopes)
            .collect(),
        ..likelihood.clone()
    };
    let single = null.indices.len() == 1 && null.indices[0].offset().is_none();
    if single && let Some(point) = null.model.index_of_mean(null.mean_outcome()) {
        return Some(null.pass(&[point], Order::Value, 1).value);
    }
    let start = likelihood
        .indices
        .iter()
        .zip(likelihood.ranges())
        .filter(|(index, _)| index.constant.is_some())
        .map(|(_, range)| start[range.start])
        .collect();
    maximize(&null, start, "the model of constants", progress)
        .ok()
        .map(|found| found.sums.value)
}

impl LikelihoodFit {
    /// The same fit with another covariance: one more pass over the rows, no refit.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean` or for a fit read from a file; [`Error::InvalidOption`] for HC2, HC3, CR2 and CR3 of
    /// a model with several indices, which has no leverages; the errors of the covariance (missing or too few clusters).
    pub fn with_covariance(&self, covariance: Covariance) -> Result<Self> {
        let parts = self.parts("another covariance")?;
        let leverage = matches!(
            covariance,
            Covariance::Hc2 | Covariance::Hc3 | Covariance::Cr2 { .. } | Covariance::Cr3 { .. }
        );
        if leverage && !parts.leverages {
            return Err(Error::invalid_option(
                "covariance",
                covariance,
                format!(
                    "HC0, HC1, clusters or a kernel for the {} model: its rows have no leverages",
                    self.title
                ),
            ));
        }
        let pass = SecondPass {
            source: parts.source.as_ref(),
            frame: &parts.frame,
            rows: &parts.rows,
            counts: Counts {
                observations: self.statistics.observations,
                effects: &parts.effects,
                absorbed: &parts.absorbed,
            },
            map: &parts.map,
            asymptotic: true,
        };
        Ok(Self {
            fitted: self.fitted.with_covariance(covariance, &pass)?,
            ..self.clone()
        })
    }

    /// The covariance estimator in use.
    pub fn covariance_kind(&self) -> &Covariance {
        &self.fitted.kind
    }

    /// Size and fit.
    pub fn statistics(&self) -> &LikelihoodStatistics {
        &self.statistics
    }

    /// The log-likelihood at the estimates.
    pub fn log_likelihood(&self) -> f64 {
        self.statistics.log_likelihood
    }

    /// How the search ended.
    pub fn convergence(&self) -> &Convergence {
        &self.convergence
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> Vec<Warning> {
        self.warnings
            .iter()
            .chain(&self.fitted.warnings)
            .cloned()
            .collect()
    }

    /// The formula as fitted.
    pub fn formula(&self) -> &str {
        &self.formula
    }

    /// What the model is called.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Which rows of the frame were used.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean`.
    pub fn kept_rows(&self) -> Result<Vec<bool>> {
        let parts = self.parts("the mask of kept rows")?;
        Ok(parts.rows.mask())
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

    pub(crate) fn parts(&self, what: &str) -> Result<&Parts> {
        self.parts.as_deref().ok_or_else(|| Error::DataNotKept {
            what: what.to_owned(),
            remedy: "ask before `.lean()`, or fit again from the data".to_owned(),
        })
    }

    /// The likelihood at its maximum, row by row.
    pub(crate) fn at_maximum(&self, what: &str) -> Result<&LikelihoodRows> {
        self.parts(what)?
            .likelihood
            .as_deref()
            .ok_or_else(|| Error::Unidentified {
                what: format!("{what} of the {} model", self.title),
                needs: "the fixed effects, which were absorbed; write them as C(effect) when they are few".to_owned(),
            })
    }

    fn full_table(&self) -> Table {
        let s = &self.statistics;
        let mut size = vec![
            format!("n = {}", Cell::count(s.observations as usize)),
            format!(
                "log-likelihood = {}",
                Cell::significant(s.log_likelihood, 6)
            ),
        ];
        size.extend(
            s.mcfadden_r_squared
                .map(|r| format!("McFadden R² = {r:.4}")),
        );
        size.push(format!("AIC = {}", Cell::significant(s.aic, 6)));
        let mut table = coefficient_table(self)
            .with_title(format!("{}: {}", self.title, self.formula))
            .note(self.fitted.covariance_note())
            .note(size.join(", "));
        for warning in self.warnings() {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }
}

impl Inference for LikelihoodFit {
    crate::inference::fields::inference_of_fields!(fitted);

    fn degrees_of_freedom(&self, contrast: &DVector<f64>) -> f64 {
        self.fitted.degrees_of_freedom(contrast)
    }

    fn wald_matrix(
        &self,
        name: &str,
        r: &DMatrix<f64>,
        value: &DVector<f64>,
    ) -> Result<TestResult> {
        self.fitted.wald(name, r, value)
    }

    fn table(&self) -> Table {
        self.full_table()
    }
}

impl Summarized for LikelihoodFit {
    fn footer(&self) -> Vec<(String, Cell)> {
        let s = &self.statistics;
        let mut lines = vec![
            (
                "Observations".to_owned(),
                Cell::count(s.observations as usize),
            ),
            (
                "Log-likelihood".to_owned(),
                Cell::significant(s.log_likelihood, 6),
            ),
        ];
        if let Some(r) = s.mcfadden_r_squared {
            lines.push(("McFadden R²".to_owned(), Cell::fixed(r, 3)));
        }
        for (column, clusters) in &self.fitted.clusters {
            lines.push((format!("Clusters ({column})"), Cell::count(*clusters)));
        }
        lines
    }

    fn covariance_label(&self) -> String {
        self.fitted.label()
    }
}

impl fmt::Display for LikelihoodFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.full_table().fmt(f)
    }
}

crate::report::notebook!(LikelihoodFit);
