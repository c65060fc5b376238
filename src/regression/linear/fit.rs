//! The fit that least squares and instrumental variables share: estimates, a covariance that can be changed later, and
//! how it prints.

use super::prepare::Prepared;
use super::rows::LinearRows;
use crate::data::{Frame, Groups, Rows};
use crate::error::{Error, Result, Warning};
use crate::inference::covariance::{Counts, Covariance, ScoreRows};
use crate::inference::fitted::{Fitted, SecondPass};
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Size and fit of a linear model.
///
/// `aic = −2 ℓ + 2K` and `bic = −2 ℓ + K ln n` count the coefficients and absorbed effects in K, as statsmodels and fixest
/// do; R's `AIC` adds one for the error variance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitStatistics {
    /// Observations: rows used, or the sum of frequency weights.
    pub observations: f64,
    /// Coefficients estimated, the intercept included.
    pub parameters: usize,
    /// Parameters absorbed by fixed effects, redundant ones left out.
    pub absorbed: usize,
    /// n − K.
    pub residual_df: f64,
    /// Residual sum of squares (weighted).
    pub rss: f64,
    /// Total sum of squares about the mean (about zero without intercept and effects), weighted.
    pub tss: f64,
    /// R² = 1 − RSS/TSS; zero when the outcome does not vary.
    pub r_squared: f64,
    /// 1 − (1 − R²)(n − 1)/(n − K), with n in place of n − 1 when there is no constant.
    pub adjusted_r_squared: f64,
    /// R² of the outcome within the fixed effects; zero when it does not vary there.
    pub within_r_squared: Option<f64>,
    /// Square root of RSS/(n − K).
    pub residual_std_error: f64,
    /// Gaussian log-likelihood at RSS/n; infinite when all residuals are exactly zero.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub log_likelihood: f64,
    /// Akaike's criterion.
    #[serde(deserialize_with = "crate::numeric::infinite::below")]
    pub aic: f64,
    /// Schwarz's criterion.
    #[serde(deserialize_with = "crate::numeric::infinite::below")]
    pub bic: f64,
}

impl FitStatistics {
    /// From the first pass and the residuals of the fit.
    fn new(prepared: &Prepared, rows: &LinearRows) -> Self {
        let (observations, rss, tss) = (prepared.observations, rows.rss, prepared.tss);
        let (parameters, absorbed) = (rows.parameters(), prepared.absorbed_parameters.iter().sum());
        let absorbs = !prepared.effects.is_empty();
        let within_tss = absorbs.then(|| prepared.gram[(prepared.outcome, prepared.outcome)]);
        let constant = prepared.intercept || absorbs;
        let total = (parameters + absorbed) as f64;
        let residual_df = observations - total;
        let share = |tss: f64| if tss > 0.0 { 1.0 - rss / tss } else { 0.0 };
        let r_squared = share(tss);
        let base = observations - f64::from(u8::from(constant));
        let log_likelihood =
            -0.5 * observations * ((std::f64::consts::TAU * rss / observations).ln() + 1.0)
                + 0.5 * prepared.log_weights;
        Self {
            observations,
            parameters,
            absorbed,
            residual_df,
            rss,
            tss,
            r_squared,
            adjusted_r_squared: 1.0 - (1.0 - r_squared) * base / residual_df,
            within_r_squared: within_tss.map(share),
            residual_std_error: (rss / residual_df).sqrt(),
            log_likelihood,
            aic: -2.0 * log_likelihood + 2.0 * total,
            bic: -2.0 * log_likelihood + observations.ln() * total,
        }
    }
}

/// What a second pass over the rows needs.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) rows: LinearRows,
    pub(crate) frame: Frame,
    pub(crate) effects: Vec<Groups>,
    pub(crate) absorbed: Vec<usize>,
    /// Coefficients = map · working parameters.
    pub(crate) map: DMatrix<f64>,
}

impl Parts {
    pub(crate) fn counts(&self, observations: f64) -> Counts<'_> {
        Counts {
            observations,
            effects: &self.effects,
            absorbed: &self.absorbed,
        }
    }

    pub(crate) fn kept(&self) -> &Rows {
        &self.rows.columns.rows
    }
}

/// A solved model: which columns are its regressors, their slopes, and its rows for the second pass.
pub(crate) struct Solved {
    pub(crate) regressors: Vec<usize>,
    pub(crate) slopes: DVector<f64>,
    pub(crate) rows: LinearRows,
}

/// The fit itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Core {
    pub(crate) title: String,
    pub(crate) formula: String,
    pub(crate) fitted: Fitted,
    pub(crate) statistics: FitStatistics,
    /// Warnings of the fit.
    pub(crate) warnings: Vec<Warning>,
    #[serde(skip)]
    pub(crate) parts: Option<Arc<Parts>>,
}

impl Core {
    /// Puts a fit together and estimates its covariance.
    pub(crate) fn assemble(
        title: &str,
        prepared: Prepared,
        solved: Solved,
        frame: &Frame,
        kind: &Covariance,
    ) -> Result<Self> {
        let statistics = FitStatistics::new(&prepared, &solved.rows);
        let (names, map) = prepared.names_and_map(&solved.regressors);
        // The working intercept is the mean of the outcome.
        let first = prepared
            .intercept
            .then(|| prepared.center[prepared.outcome]);
        let working = DVector::from_iterator(
            names.len(),
            first.into_iter().chain(solved.slopes.iter().copied()),
        );
        let fit = Self {
            title: title.to_owned(),
            formula: prepared.formula,
            fitted: Fitted::new(names, &map * working),
            statistics,
            warnings: prepared.warnings,
            parts: Some(Arc::new(Parts {
                rows: solved.rows,
                frame: frame.clone(),
                effects: prepared.effects,
                absorbed: prepared.absorbed_parameters,
                map,
            })),
        };
        fit.with_covariance(kind.clone())
    }

    /// The same fit with another covariance: one pass over the rows.
    pub(crate) fn with_covariance(&self, kind: Covariance) -> Result<Self> {
        let parts = self.parts("another covariance")?;
        let pass = SecondPass {
            source: &parts.rows,
            frame: &parts.frame,
            rows: parts.kept(),
            counts: parts.counts(self.statistics.observations),
            map: &parts.map,
            asymptotic: false,
        };
        Ok(Self {
            fitted: self.fitted.with_covariance(kind, &pass)?,
            ..self.clone()
        })
    }

    /// Drops the handle on the data.
    pub(crate) fn lean(&self) -> Self {
        Self {
            parts: None,
            ..self.clone()
        }
    }

    /// The second-pass state.
    pub(crate) fn parts(&self, what: &str) -> Result<&Parts> {
        self.parts.as_deref().ok_or_else(|| Error::DataNotKept {
            what: what.to_owned(),
            remedy: "declare the covariance before fitting, or fit again without `.lean()` from the data".to_owned(),
        })
    }

    /// Residuals of all rows of the frame; NaN where the fit did not use the row.
    pub(crate) fn residuals(&self) -> Result<Vec<f64>> {
        let parts = self.parts("the residuals")?;
        let rows = parts.kept();
        let mut out = vec![f64::NAN; rows.total()];
        for (i, e) in parts.rows.all_residuals().into_iter().enumerate() {
            out[rows.index(i)] = e;
        }
        Ok(out)
    }

    pub(crate) fn all_warnings(&self) -> Vec<Warning> {
        self.warnings
            .iter()
            .chain(&self.fitted.warnings)
            .cloned()
            .collect()
    }

    /// Title, notes and warnings around a coefficient table.
    pub(crate) fn dress(&self, table: Table, further: &[String]) -> Table {
        let s = &self.statistics;
        let mut table = table
            .with_title(format!("{}: {}", self.title, self.formula))
            .note(self.fitted.covariance_note());
        let mut size = vec![format!("n = {}", Cell::count(s.observations as usize))];
        if s.absorbed > 0 {
            size.push(format!("{} absorbed effects", Cell::count(s.absorbed)));
        }
        size.push(format!("R² = {:.4}", s.r_squared));
        size.extend(
            s.within_r_squared
                .map(|within| format!("within R² = {within:.4}")),
        );
        size.push(format!(
            "residual s.e. = {}",
            Cell::significant(s.residual_std_error, 5)
        ));
        table = table.note(size.join(", "));
        for line in further {
            table = table.note(line.as_str());
        }
        for warning in self.all_warnings() {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// The foot of a table of models.
    pub(crate) fn footer(&self) -> Vec<(String, Cell)> {
        let s = &self.statistics;
        let mut lines = vec![
            (
                "Observations".to_owned(),
                Cell::count(s.observations as usize),
            ),
            ("R²".to_owned(), Cell::fixed(s.r_squared, 3)),
        ];
        if let Some(within) = s.within_r_squared {
            lines.push(("Within R²".to_owned(), Cell::fixed(within, 3)));
        }
        for (column, clusters) in &self.fitted.clusters {
            lines.push((format!("Clusters ({column})"), Cell::count(*clusters)));
        }
        lines
    }
}

/// Gives a fit with a field `core` its shared verbs.
macro_rules! linear_fit {
    ($fit:ident) => {
        crate::regression::linear::linear_fit!($fit, |_: &$fit, _: &str, _: f64| None);
    };
    ($fit:ident, $set:expr) => {
        impl crate::inference::Inference for $fit {
            crate::inference::fields::inference_of_fields!(core, fitted);

            fn degrees_of_freedom(&self, contrast: &nalgebra::DVector<f64>) -> f64 {
                self.core.fitted.degrees_of_freedom(contrast)
            }

            fn confidence_set(
                &self,
                name: &str,
                level: f64,
            ) -> crate::Result<crate::inference::ConfidenceSet> {
                let special: Option<crate::Result<crate::inference::ConfidenceSet>> =
                    ($set)(self, name, level);
                special.unwrap_or_else(|| {
                    Ok(self.coefficient(name)?.confidence_interval(level)?.into())
                })
            }

            fn wald_matrix(
                &self,
                name: &str,
                r: &nalgebra::DMatrix<f64>,
                value: &nalgebra::DVector<f64>,
            ) -> crate::Result<crate::inference::TestResult> {
                self.core.fitted.wald(name, r, value)
            }

            fn table(&self) -> crate::report::Table {
                self.full_table()
            }
        }

        impl crate::inference::Summarized for $fit {
            fn footer(&self) -> Vec<(String, crate::report::Cell)> {
                self.core.footer()
            }

            fn covariance_label(&self) -> String {
                self.core.fitted.kind.to_string()
            }
        }

        impl $fit {
            /// The covariance estimator in use.
            pub fn covariance_kind(&self) -> &crate::inference::Covariance {
                &self.core.fitted.kind
            }

            /// Size and goodness of fit.
            pub fn statistics(&self) -> &crate::regression::FitStatistics {
                &self.core.statistics
            }

            /// What a reader of the numbers must know.
            pub fn warnings(&self) -> Vec<crate::Warning> {
                self.core.all_warnings()
            }

            /// The formula as fitted.
            pub fn formula(&self) -> &str {
                &self.core.formula
            }

            /// Which rows of the frame were used.
            ///
            /// # Errors
            /// [`crate::Error::DataNotKept`] after `lean`.
            pub fn kept_rows(&self) -> crate::Result<Vec<bool>> {
                Ok(self.core.parts("the mask of kept rows")?.kept().mask())
            }

            /// Residuals of all rows of the frame, NaN where a row was not used.
            ///
            /// # Errors
            /// [`crate::Error::DataNotKept`] after `lean`.
            pub fn residuals(&self) -> crate::Result<Vec<f64>> {
                self.core.residuals()
            }

            /// The fit as an HTML table.
            pub fn to_html(&self) -> String {
                self.full_table().to_html()
            }
        }

        impl std::fmt::Display for $fit {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.full_table().fmt(f)
            }
        }

        crate::report::notebook!($fit);
    };
}
pub(crate) use linear_fit;
