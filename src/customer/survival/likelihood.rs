//! What the models fitted by maximum likelihood share: estimates, scores by row, and a covariance that can be changed later.

use super::amount;
use crate::data::{Frame, Groups, Rows};
use crate::error::{Error, Result, Warning};
use crate::inference::covariance::{Counts, ScoreRows, estimate};
use crate::inference::{Covariance, Distribution, TestResult};
use crate::report::{Cell, Table};
use crate::summary::gram::Tile;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// Size and fit of a survival model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurvivalStatistics {
    /// Observations: rows used, or the sum of frequency weights.
    pub observations: f64,
    /// Events among them (weights summed).
    pub events: f64,
    /// Parameters estimated.
    pub parameters: usize,
    /// The (partial) log-likelihood.
    pub log_likelihood: f64,
    /// The same without regressors.
    pub null_log_likelihood: f64,
    /// Parameters of that model.
    pub null_parameters: usize,
    /// `−2 ℓ + 2K`.
    pub aic: f64,
    /// `−2 ℓ + K ln(events)` (Volinsky & Raftery 2000: events, not rows, carry the information).
    pub bic: f64,
    /// Newton iterations.
    pub iterations: usize,
}

impl SurvivalStatistics {
    pub(crate) fn new(
        observations: f64,
        events: f64,
        parameters: usize,
        log_likelihood: f64,
    ) -> Self {
        Self {
            observations,
            events,
            parameters,
            log_likelihood,
            null_log_likelihood: log_likelihood,
            null_parameters: parameters,
            aic: -2.0 * log_likelihood + 2.0 * parameters as f64,
            bic: -2.0 * log_likelihood + events.ln() * parameters as f64,
            iterations: 0,
        }
    }

    pub(crate) fn against(mut self, null_log_likelihood: f64, null_parameters: usize) -> Self {
        self.null_log_likelihood = null_log_likelihood;
        self.null_parameters = null_parameters;
        self
    }

    pub(crate) fn after(mut self, iterations: usize) -> Self {
        self.iterations = iterations;
        self
    }
}

/// The rows of a likelihood for the covariance estimators.
#[derive(Clone, Debug)]
pub(crate) struct Scores {
    /// One column a parameter: the derivative of the row's (weighted) log-likelihood.
    pub(crate) columns: Vec<Vec<f64>>,
    /// Frequency weights.
    pub(crate) frequencies: Option<Vec<f64>>,
    /// Which rows are one customer's.
    pub(crate) subjects: Option<Groups>,
    pub(crate) frame: Frame,
    pub(crate) rows: Rows,
}

impl Scores {
    /// One row a subject: its scores added up. Frequency weights of a subject's rows are equal, so its sum is divided by
    /// their root as a row's is.
    fn by_subject(&self, subjects: &Groups) -> Self {
        let columns = self
            .columns
            .iter()
            .map(|column| {
                let mut sums = vec![0.0; subjects.count()];
                for (code, value) in subjects.codes.iter().zip(column) {
                    sums[*code as usize] += value;
                }
                sums
            })
            .collect();
        let frequencies = self.frequencies.as_ref().map(|f| {
            let mut first = vec![1.0; subjects.count()];
            for (code, value) in subjects.codes.iter().zip(f) {
                first[*code as usize] = *value;
            }
            first
        });
        Self {
            columns,
            frequencies,
            subjects: None,
            frame: self.frame.clone(),
            rows: Rows::all(subjects.count()),
        }
    }
}

/// Scores with the inverse information.
struct Source<'a> {
    scores: &'a Scores,
    bread: &'a DMatrix<f64>,
}

impl ScoreRows for Source<'_> {
    fn rows(&self) -> usize {
        self.scores.rows.len()
    }

    fn parameters(&self) -> usize {
        self.scores.columns.len()
    }

    fn fill(&self, rows: Range<usize>, tile: &mut Tile, residual: &mut [f64]) {
        for (j, column) in self.scores.columns.iter().enumerate() {
            tile.column_mut(j)[..rows.len()].copy_from_slice(&column[rows.clone()]);
        }
        residual.fill(1.0);
    }

    fn bread(&self) -> &DMatrix<f64> {
        self.bread
    }

    fn frequencies(&self, rows: Range<usize>) -> Option<&[f64]> {
        Some(&self.scores.frequencies.as_ref()?[rows])
    }

    fn variance(&self, _residual_df: f64) -> f64 {
        1.0
    }

    fn add_absorbed_leverage(&self, _rows: Range<usize>, _leverage: &mut [f64]) -> Result<()> {
        Ok(())
    }
}

/// The fit itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Core {
    pub(crate) title: String,
    pub(crate) formula: String,
    pub(crate) names: Vec<String>,
    pub(crate) estimates: DVector<f64>,
    pub(crate) covariance: DMatrix<f64>,
    /// The inverse of the observed information.
    pub(crate) inverse_information: DMatrix<f64>,
    pub(crate) kind: Covariance,
    clusters: Vec<(String, usize)>,
    pub(crate) statistics: SurvivalStatistics,
    pub(crate) warnings: Vec<Warning>,
    covariance_warnings: Vec<Warning>,
    /// Robust errors take rows for customers although they are stretches of time.
    split_rows: bool,
    #[serde(skip)]
    pub(crate) scores: Option<Arc<Scores>>,
}

/// What an estimator hands over.
pub(crate) struct Solution {
    pub(crate) title: String,
    pub(crate) formula: String,
    pub(crate) names: Vec<String>,
    pub(crate) estimates: DVector<f64>,
    pub(crate) inverse_information: DMatrix<f64>,
    pub(crate) statistics: SurvivalStatistics,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) split_rows: bool,
    pub(crate) scores: Scores,
}

impl Core {
    /// Puts a fit together and estimates its covariance.
    pub(crate) fn assemble(solution: Solution, kind: &Covariance) -> Result<Self> {
        Self {
            title: solution.title,
            formula: solution.formula,
            names: solution.names,
            estimates: solution.estimates,
            covariance: solution.inverse_information.clone(),
            inverse_information: solution.inverse_information,
            kind: Covariance::Classical,
            clusters: vec![],
            statistics: solution.statistics,
            warnings: solution.warnings,
            covariance_warnings: vec![],
            split_rows: solution.split_rows,
            scores: Some(Arc::new(solution.scores)),
        }
        .with_covariance(kind.clone())
    }

    /// The same fit with another covariance.
    pub(crate) fn with_covariance(&self, kind: Covariance) -> Result<Self> {
        let scores = self.scores.as_deref().ok_or_else(|| Error::DataNotKept {
            what: "another covariance".to_owned(),
            remedy: "declare the covariance before fitting, or fit again without `.lean()` from the data".to_owned(),
        })?;
        let heteroskedastic = matches!(kind, Covariance::Hc0 | Covariance::Hc1);
        if !(heteroskedastic || matches!(kind, Covariance::Classical | Covariance::Cluster { .. }))
        {
            return Err(Error::invalid_option(
                "covariance",
                &kind,
                "Classical (the inverse information), Hc0, Hc1 or clusters for a likelihood",
            ));
        }
        let summed = scores
            .subjects
            .as_ref()
            .filter(|_| heteroskedastic)
            .map(|s| scores.by_subject(s));
        let used = summed.as_ref().unwrap_or(scores);
        let source = Source {
            scores: used,
            bread: &self.inverse_information,
        };
        let observations = match &summed {
            Some(s) => s
                .frequencies
                .as_ref()
                .map_or(s.rows.len() as f64, |f| f.iter().sum()),
            None => self.statistics.observations,
        };
        let counts = Counts {
            observations,
            effects: &[],
            absorbed: &[],
        };
        let estimated = estimate(&kind, &source, &used.frame, &used.rows, &counts)?;
        let mut warnings = estimated.warnings;
        if heteroskedastic && self.split_rows && summed.is_none() {
            warnings.push(Warning::Note {
                message: "robust errors take every row for a customer of its own; if customers have several rows, say whose they are with Survival::subject".to_owned(),
            });
        }
        Ok(Self {
            covariance: estimated.matrix,
            kind,
            clusters: estimated.clusters,
            covariance_warnings: warnings,
            ..self.clone()
        })
    }

    pub(crate) fn lean(&self) -> Self {
        Self {
            scores: None,
            ..self.clone()
        }
    }

    pub(crate) fn all_warnings(&self) -> Vec<Warning> {
        self.warnings
            .iter()
            .chain(&self.covariance_warnings)
            .cloned()
            .collect()
    }

    /// The covariance in the words of likelihoods.
    pub(crate) fn label(&self) -> String {
        let subject = self.scores.as_ref().and_then(|s| s.subjects.as_ref());
        match &self.kind {
            Covariance::Classical => "inverse information".to_owned(),
            Covariance::Hc0 | Covariance::Hc1 => {
                let name = if self.kind == Covariance::Hc0 {
                    "HC0"
                } else {
                    "HC1"
                };
                let of = subject.map_or(String::new(), |s| format!(" summed by {}", s.name));
                format!("robust, sandwich of the scores{of} ({name})")
            }
            other => other.to_string(),
        }
    }

    /// The likelihood-ratio test that all slopes are zero.
    pub(crate) fn likelihood_ratio(&self) -> Result<TestResult> {
        let s = &self.statistics;
        let df = s.parameters - s.null_parameters.min(s.parameters);
        if df == 0 {
            return Err(Error::invalid_option(
                "regressors",
                &self.formula,
                "with at least one regressor for a test of all of them",
            ));
        }
        Ok(TestResult::new(
            "Likelihood-ratio test of all slopes",
            2.0 * (s.log_likelihood - s.null_log_likelihood),
            Distribution::ChiSquared { df: df as f64 },
        ))
    }

    /// Title, notes and warnings around a coefficient table.
    pub(crate) fn dress(&self, table: Table, further: &[String]) -> Table {
        let s = &self.statistics;
        let clusters: Vec<String> = self
            .clusters
            .iter()
            .map(|(name, n)| format!("; {n} {name}"))
            .collect();
        let mut table = table
            .with_title(format!("{}: {}", self.title, self.formula))
            .note(format!("Covariance: {}{}", self.label(), clusters.concat()))
            .note(format!(
                "n = {}, events = {}, log-likelihood = {}",
                amount(s.observations),
                amount(s.events),
                Cell::significant(s.log_likelihood, 7)
            ));
        for line in further {
            table = table.note(line.as_str());
        }
        for warning in self.all_warnings() {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    pub(crate) fn footer(&self) -> Vec<(String, Cell)> {
        let s = &self.statistics;
        let mut lines = vec![
            (
                "Observations".to_owned(),
                Cell::count(s.observations as usize),
            ),
            ("Events".to_owned(), amount(s.events)),
            (
                "Log-likelihood".to_owned(),
                Cell::significant(s.log_likelihood, 5),
            ),
        ];
        for (column, clusters) in &self.clusters {
            lines.push((format!("Clusters ({column})"), Cell::count(*clusters)));
        }
        lines
    }
}

/// Gives a fit with a field `core` and a method `full_table` its shared verbs.
macro_rules! likelihood_fit {
    ($fit:ident) => {
        impl $crate::inference::Inference for $fit {
            crate::inference::fields::inference_of_fields!(core);

            fn table(&self) -> $crate::report::Table {
                self.full_table()
            }
        }

        impl $crate::inference::Summarized for $fit {
            fn footer(&self) -> Vec<(String, $crate::report::Cell)> {
                self.core.footer()
            }

            fn covariance_label(&self) -> String {
                self.core.label()
            }
        }

        impl $fit {
            /// The same fit with another covariance (the inverse information, robust, clusters); nothing is fitted again.
            ///
            /// # Errors
            /// [`crate::Error::DataNotKept`] after `lean` or for a fit read from a file; [`crate::Error::InvalidOption`] for a covariance
            /// that a likelihood does not have; missing or too few clusters.
            pub fn with_covariance(
                &self,
                covariance: $crate::inference::Covariance,
            ) -> $crate::Result<Self> {
                Ok(Self {
                    core: self.core.with_covariance(covariance)?,
                    ..self.clone()
                })
            }

            /// The covariance estimator in use.
            pub fn covariance_kind(&self) -> &$crate::inference::Covariance {
                &self.core.kind
            }

            /// Size and fit.
            pub fn statistics(&self) -> &$crate::customer::survival::SurvivalStatistics {
                &self.core.statistics
            }

            /// What a reader of the numbers must know.
            pub fn warnings(&self) -> Vec<$crate::Warning> {
                self.core.all_warnings()
            }

            /// Outcome and regressors as fitted.
            pub fn formula(&self) -> &str {
                &self.core.formula
            }

            /// The likelihood-ratio test that all slopes are zero. It is valid when the likelihood is right; with sampling weights
            /// or clusters use [`Inference::wald`](crate::inference::Inference::wald).
            ///
            /// # Errors
            /// [`crate::Error::InvalidOption`] without regressors.
            pub fn likelihood_ratio(&self) -> $crate::Result<$crate::inference::TestResult> {
                self.core.likelihood_ratio()
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

        $crate::report::notebook!($fit);
    };
}
pub(crate) use likelihood_fit;
