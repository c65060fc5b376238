//! The fit that least squares and instrumental variables share: estimates, a covariance that can be changed later, and
//! how it prints.

use super::rows::LinearRows;
use crate::data::{Frame, Groups, Rows};
use crate::error::{Error, Result, Warning};
use crate::inference::covariance::{BiasReduced, Counts, Covariance, Degrees, estimate};
use crate::numeric::linalg::sandwich;
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
    /// From sums of squares; `log_weights` is Σ ln w.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        observations: f64,
        parameters: usize,
        absorbed: usize,
        constant: bool,
        rss: f64,
        tss: f64,
        within_tss: Option<f64>,
        log_weights: f64,
    ) -> Self {
        let total = (parameters + absorbed) as f64;
        let residual_df = observations - total;
        let share = |tss: f64| if tss > 0.0 { 1.0 - rss / tss } else { 0.0 };
        let r_squared = share(tss);
        let base = observations - f64::from(u8::from(constant));
        let log_likelihood =
            -0.5 * observations * ((std::f64::consts::TAU * rss / observations).ln() + 1.0)
                + 0.5 * log_weights;
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

/// The fit itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Core {
    pub(crate) title: String,
    pub(crate) formula: String,
    pub(crate) names: Vec<String>,
    pub(crate) estimates: DVector<f64>,
    pub(crate) covariance: DMatrix<f64>,
    pub(crate) kind: Covariance,
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    df: f64,
    clusters: Vec<(String, usize)>,
    pub(crate) statistics: FitStatistics,
    /// Warnings of the fit.
    pub(crate) warnings: Vec<Warning>,
    /// Warnings of the covariance.
    covariance_warnings: Vec<Warning>,
    /// What degrees of freedom under CR2 need; kept without the data.
    reduced: Shared,
    #[serde(skip)]
    pub(crate) parts: Option<Arc<Parts>>,
}

impl Core {
    /// Puts a fit together and estimates its covariance.
    pub(crate) fn new(
        title: String,
        formula: String,
        names: Vec<String>,
        estimates: DVector<f64>,
        statistics: FitStatistics,
        warnings: Vec<Warning>,
        parts: Parts,
        kind: &Covariance,
    ) -> Result<Self> {
        let size = names.len();
        let fit = Self {
            title,
            formula,
            names,
            estimates,
            covariance: DMatrix::zeros(size, size),
            kind: kind.clone(),
            df: f64::INFINITY,
            clusters: vec![],
            statistics,
            warnings,
            covariance_warnings: vec![],
            reduced: Shared::default(),
            parts: Some(Arc::new(parts)),
        };
        fit.with_covariance(kind)
    }

    /// The same fit with another covariance: one pass over the rows.
    pub(crate) fn with_covariance(&self, kind: &Covariance) -> Result<Self> {
        let parts = self.parts("another covariance")?;
        let counts = parts.counts(self.statistics.observations);
        let estimated = estimate(kind, &parts.rows, &parts.frame, parts.kept(), &counts)?;
        let (df, reduced) = match estimated.degrees {
            Degrees::Fixed(df) => (df, None),
            Degrees::Satterthwaite(reduced) => (
                self.statistics.residual_df,
                Some(Arc::new(reduced.mapped(&parts.map))),
            ),
        };
        let mut covariance_warnings = estimated.warnings;
        covariance_warnings.extend(reduced.as_ref().and_then(|r| self.undetermined(r)));
        Ok(Self {
            covariance: sandwich(&estimated.matrix, &parts.map.transpose()),
            kind: kind.clone(),
            df,
            clusters: estimated.clusters,
            covariance_warnings,
            reduced: Shared(reduced),
            ..self.clone()
        })
    }

    /// Names the coefficients of which CR2 sees a part of the variance only.
    fn undetermined(&self, reduced: &BiasReduced) -> Option<Warning> {
        /// CR2 is unbiased under its working model; a share this far from one is not rounding.
        const SEEN: f64 = 0.99;
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

    pub(crate) fn degrees_of_freedom(&self, contrast: &DVector<f64>) -> f64 {
        match &self.reduced.0 {
            Some(reduced) => reduced.degrees_of_freedom(contrast),
            None => self.df,
        }
    }

    /// The approximate Hotelling parameter under CR2.
    pub(crate) fn hotelling(&self, r: &DMatrix<f64>) -> Option<f64> {
        Some(self.reduced.0.as_ref()?.hotelling(r))
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
            .chain(&self.covariance_warnings)
            .cloned()
            .collect()
    }

    /// Title, notes and warnings around a coefficient table.
    pub(crate) fn dress(&self, table: Table, further: &[String]) -> Table {
        let s = &self.statistics;
        let mut table = table
            .with_title(format!("{}: {}", self.title, self.formula))
            .note(format!(
                "Covariance: {}{}",
                self.kind,
                self.cluster_counts()
            ));
        let mut size = format!("n = {}", Cell::integer(s.observations as i64));
        if s.absorbed > 0 {
            size += &format!(", {} absorbed effects", Cell::count(s.absorbed));
        }
        size += &format!(", R² = {:.4}", s.r_squared);
        if let Some(within) = s.within_r_squared {
            size += &format!(", within R² = {within:.4}");
        }
        size += &format!(
            ", residual s.e. = {}",
            Cell::significant(s.residual_std_error, 5)
        );
        table = table.note(size);
        for line in further {
            table = table.note(line.as_str());
        }
        for warning in self.all_warnings() {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    fn cluster_counts(&self) -> String {
        let counts: Vec<String> = self
            .clusters
            .iter()
            .map(|(name, n)| format!("{n} {name}"))
            .collect();
        if counts.is_empty() {
            String::new()
        } else {
            format!("; {}", counts.join(", "))
        }
    }
}

/// What degrees of freedom under CR2 need, shared between copies of a fit and written with it.
#[derive(Clone, Debug, Default)]
struct Shared(Option<Arc<BiasReduced>>);

impl Serialize for Shared {
    fn serialize<S: serde::Serializer>(&self, writer: S) -> std::result::Result<S::Ok, S::Error> {
        self.0.as_deref().serialize(writer)
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> std::result::Result<Self, D::Error> {
        Ok(Self(Option::deserialize(reader)?.map(Arc::new)))
    }
}

/// Gives a fit with a field `core` its shared verbs.
macro_rules! linear_fit {
    ($fit:ident) => {
        crate::regression::linear::linear_fit!($fit, |_: &$fit, _: &str, _: f64| None);
    };
    ($fit:ident, $set:expr) => {
        impl crate::inference::Inference for $fit {
            fn names(&self) -> &[String] {
                &self.core.names
            }

            fn estimates(&self) -> &nalgebra::DVector<f64> {
                &self.core.estimates
            }

            fn covariance(&self) -> &nalgebra::DMatrix<f64> {
                &self.core.covariance
            }

            fn degrees_of_freedom(&self, contrast: &nalgebra::DVector<f64>) -> f64 {
                self.core.degrees_of_freedom(contrast)
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
                crate::regression::linear::wald(&self.core, name, r, value)
            }

            fn table(&self) -> crate::report::Table {
                self.full_table()
            }
        }

        impl $fit {
            /// The same fit with another covariance: one more pass over the rows, no refit.
            ///
            /// # Errors
            /// [`crate::Error::DataNotKept`] after `lean` or for a fit read from a file; the errors of the covariance (missing
            /// or too few clusters, options).
            pub fn with_covariance(
                &self,
                covariance: crate::inference::Covariance,
            ) -> crate::Result<Self> {
                self.changed(self.core.with_covariance(&covariance)?)
            }

            /// The covariance estimator in use.
            pub fn covariance_kind(&self) -> &crate::inference::Covariance {
                &self.core.kind
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

/// The Wald test, by Hotelling's approximation when the covariance is CR2 (Pustejovsky & Tipton 2018).
pub(crate) fn wald(
    core: &Core,
    name: &str,
    r: &DMatrix<f64>,
    value: &DVector<f64>,
) -> Result<crate::inference::TestResult> {
    use crate::inference::{Distribution, TestResult, wald_statistic};
    let (statistic, q) = wald_statistic(&core.estimates, &core.covariance, r, value)?;
    let q = q as f64;
    let name = format!("Wald test of {name}");
    let Some(eta) = core.hotelling(r) else {
        let distribution = Distribution::F {
            df1: q,
            df2: core.df,
        };
        return Ok(TestResult::new(name, statistic / q, distribution));
    };
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
