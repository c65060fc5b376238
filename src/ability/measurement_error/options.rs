//! What all regressions on a measured score share: formula, score, outcome model, covariance, and the rows they are fitted on.

use super::measured::{Measured, extreme_errors};
use crate::data::formula::{Factor, Term};
use crate::data::{Design, DesignColumn, Formula, Frame, ParsedFormula, Rows};
use crate::error::{Error, Result, Warning};
use crate::inference::{Covariance, Inference, Summarized};
use crate::numeric::Progress;
use crate::numeric::linalg::Cholesky;
use crate::regression::{Logit, Ols, Poisson, Probit};
use crate::report::Cell;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// How the outcome depends on the true score and the other regressors.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutcomeModel {
    /// Least squares.
    #[default]
    Linear,
    /// Logit of an outcome 0 or 1.
    Logit,
    /// Probit of an outcome 0 or 1.
    Probit,
    /// Poisson regression of a count.
    Poisson,
}

impl std::fmt::Display for OutcomeModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Linear => "OLS",
            Self::Logit => "Logit",
            Self::Probit => "Probit",
            Self::Poisson => "Poisson",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Options {
    pub(super) formula: Formula,
    pub(super) measured: Measured,
    pub(super) outcome: OutcomeModel,
    pub(super) covariance: Covariance,
}

/// Gives an estimator with a field `options` the builder methods that all share.
macro_rules! score_builder {
    ($model:ident, $fit:ident) => {
        impl $model {
            /// How the outcome depends on the score; least squares unless another model is asked for.
            pub fn outcome(
                mut self,
                outcome: crate::ability::measurement_error::OutcomeModel,
            ) -> Self {
                self.options.outcome = outcome;
                self
            }

            /// The covariance of the outcome model's estimates given the scores (HC1 unless another is asked for).
            pub fn covariance(mut self, covariance: crate::inference::Covariance) -> Self {
                self.options.covariance = covariance;
                self
            }

            /// Fits the model.
            ///
            /// # Errors
            /// See the type.
            pub fn fit(&self, frame: &crate::data::Frame) -> crate::Result<$fit> {
                self.fit_with(frame, &crate::Progress::none())
            }
        }
    };
}
pub(super) use score_builder;

/// In which terms the score may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Once, as it is.
    Main,
    /// Also in products with other regressors.
    Products,
    /// In any function.
    Any,
}

/// The rows of a regression on a measured score.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) parsed: ParsedFormula,
    pub(super) rows: Rows,
    pub(super) scores: Vec<f64>,
    /// Error variances v_i.
    pub(super) variances: Vec<f64>,
    pub(super) outcome: DesignColumn,
    /// The terms without the score, as text.
    pub(super) others: String,
    /// The regressors without the score; a column of ones first. Linear combinations of earlier columns are left out.
    pub(super) covariates: DMatrix<f64>,
    pub(super) design: Design,
    pub(super) warnings: Vec<Warning>,
}

impl Options {
    pub(super) fn new(formula: Formula, measured: Measured) -> Self {
        Self {
            formula,
            measured,
            outcome: OutcomeModel::Linear,
            covariance: Covariance::default(),
        }
    }

    /// Reads the rows that are complete in all columns of the formula and the standard errors.
    pub(super) fn sample(&self, frame: &Frame, allowed: Use) -> Result<Sample> {
        self.measured.check()?;
        let score = self.measured.column();
        let (parsed, without, others) = self.split(allowed)?;
        let mut also = self.measured.also();
        also.push(score);
        let design = Design::build(&without.parse()?, frame, &also)?;
        let rows = design.rows.clone();
        let scores = rows.gather(frame.numeric(score)?.values());
        if let Some(i) = scores.iter().position(|s| s.is_infinite()) {
            return Err(Error::Infinite {
                column: score.to_owned(),
                row: rows.index(i) + 1,
            });
        }
        let variances = self.measured.variances(frame, &rows, &scores)?;
        Ok(Sample {
            warnings: extreme_errors(&scores, &variances).into_iter().collect(),
            covariates: covariates(&design),
            outcome: design.outcome.clone(),
            parsed,
            rows,
            scores,
            variances,
            others,
            design,
        })
    }

    /// The formula, the formula without the score, and its right-hand side.
    pub(super) fn split(&self, allowed: Use) -> Result<(ParsedFormula, Formula, String)> {
        let parsed = self.formula.parse()?;
        if !parsed.effects().is_empty() || !parsed.endogenous().is_empty() {
            return Err(Error::invalid_option(
                "formula",
                &parsed,
                "without fixed effects and instruments for a measured score; few effects may be written C(effect)",
            ));
        }
        let others = self.other_terms(&parsed, allowed)?;
        let outcome = parsed.to_string();
        let left = outcome.split(" ~ ").next().unwrap_or_default();
        let without = Formula::from(format!("{left} ~ {others}"));
        Ok((parsed, without, others))
    }

    /// The right-hand side without the score.
    fn other_terms(&self, parsed: &ParsedFormula, allowed: Use) -> Result<String> {
        let score = self.measured.column();
        let plain = Factor::Column(score.to_owned());
        let mut others: Vec<String> = vec![];
        let (mut main, mut any) = (false, false);
        for term in parsed.exogenous() {
            if term.factors.contains(&Factor::Everything) {
                return Err(Error::invalid_option(
                    "formula",
                    parsed,
                    "written with the names of the regressors instead of `.`, so that it is clear which of them is measured with error",
                ));
            }
            if !mentions(term, score) {
                others.push(term.to_string());
                continue;
            }
            any = true;
            main |= term.factors == [plain.clone()];
            let product = term
                .factors
                .iter()
                .all(|f| *f == plain || !mentions(&Term::main(f.clone()), score));
            let fine = match allowed {
                Use::Main => term.factors == [plain.clone()],
                Use::Products => product,
                Use::Any => true,
            };
            if !fine {
                return Err(Error::invalid_option(
                    "formula",
                    parsed,
                    format!(
                        "with `{score}` {}, not in `{term}`; Simex takes any function of the score",
                        if allowed == Use::Main {
                            "as a regressor of its own"
                        } else {
                            "as it is or in products with other regressors"
                        }
                    ),
                ));
            }
        }
        if !any || (allowed != Use::Any && !main) {
            return Err(Error::invalid_option(
                "formula",
                parsed,
                format!("with `{score}`, the score measured with error, among the regressors"),
            ));
        }
        if !parsed.intercept() {
            return Err(Error::invalid_option(
                "formula",
                parsed,
                "with a constant: the true scores have a mean of their own",
            ));
        }
        if others.is_empty() {
            others.push("1".to_owned());
        }
        Ok(others.join(" + "))
    }

    /// The outcome model fitted to a frame.
    pub(super) fn refit(&self, frame: &Frame, progress: &Progress) -> Result<Plain> {
        refit(
            &self.formula,
            self.outcome,
            &self.covariance,
            frame,
            progress,
        )
    }
}

/// An outcome model fitted to a frame.
pub(super) fn refit(
    formula: &Formula,
    outcome: OutcomeModel,
    covariance: &Covariance,
    frame: &Frame,
    progress: &Progress,
) -> Result<Plain> {
    let (formula, covariance) = (formula.clone(), covariance.clone());
    Ok(match outcome {
        OutcomeModel::Linear => {
            let fit = Ols::new(formula)
                .covariance(covariance)
                .fit_with(frame, progress)?;
            Plain::new(&fit, fit.statistics().observations, fit.warnings())
        }
        OutcomeModel::Logit => {
            let fit = Logit::new(formula)
                .covariance(covariance)
                .fit_with(frame, progress)?;
            Plain::new(&fit, fit.statistics().observations, fit.warnings())
        }
        OutcomeModel::Probit => {
            let fit = Probit::new(formula)
                .covariance(covariance)
                .fit_with(frame, progress)?;
            Plain::new(&fit, fit.statistics().observations, fit.warnings())
        }
        OutcomeModel::Poisson => {
            let fit = Poisson::new(formula)
                .covariance(covariance)
                .fit_with(frame, progress)?;
            Plain::new(&fit, fit.statistics().observations, fit.warnings())
        }
    })
}

/// What is kept of a fit of the outcome model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Plain {
    pub(super) names: Vec<String>,
    pub(super) estimates: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
    /// Degrees of freedom of the coefficients, the fewest.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub(super) df: f64,
    /// Observations.
    pub(super) observations: usize,
    pub(super) label: String,
    pub(super) warnings: Vec<Warning>,
}

impl Plain {
    fn new(fit: &impl Summarized, observations: f64, warnings: Vec<Warning>) -> Self {
        Self {
            names: fit.names().to_vec(),
            estimates: fit.estimates().clone(),
            covariance: fit.covariance().clone(),
            df: fewest_degrees(fit),
            observations: observations as usize,
            label: fit.covariance_label(),
            warnings,
        }
    }

    /// The lines at the foot of a table of models.
    pub(super) fn footer(&self) -> Vec<(String, Cell)> {
        vec![("Observations".to_owned(), Cell::count(self.observations))]
    }

    /// Refuses a fit that kept other regressors than this one.
    pub(super) fn same_names(&self, other: &Self) -> Result<()> {
        if self.names == other.names {
            return Ok(());
        }
        Err(Error::Unidentified {
            what: "a regression that is fitted again with other scores".to_owned(),
            needs: format!(
                "regressors that are not collinear with the score ({} were kept once, {} then)",
                self.names.join(", "),
                other.names.join(", ")
            ),
        })
    }
}

/// The fewest degrees of freedom of a fit's coefficients.
pub(super) fn fewest_degrees(fit: &(impl Inference + ?Sized)) -> f64 {
    fit.coefficients()
        .iter()
        .map(|c| c.degrees_of_freedom)
        .fold(f64::INFINITY, f64::min)
}

/// The regressors of a design, a column of ones first, without linear combinations of earlier columns.
pub(super) fn covariates(design: &Design) -> DMatrix<f64> {
    let rows = &design.rows;
    let columns: Vec<Vec<f64>> = std::iter::once(vec![1.0; rows.len()])
        .chain(design.exogenous.iter().map(|c| c.values(rows)))
        .collect();
    let all = DMatrix::from_fn(rows.len(), columns.len(), |i, j| columns[j][i]);
    all.select_columns(&independent(&all))
}

fn mentions(term: &Term, column: &str) -> bool {
    crate::data::formula::columns_of(std::slice::from_ref(term), &[])
        .iter()
        .any(|name| name == column)
}

/// The columns that are no linear combinations of earlier ones.
pub(super) fn independent(x: &DMatrix<f64>) -> Vec<usize> {
    let n = x.nrows() as f64;
    // The constant goes out of the others first, so that a large mean does not hide their spread.
    let mut centred = x.clone();
    for j in 1..x.ncols() {
        let mean = x.column(j).sum() / n;
        centred.column_mut(j).add_scalar_mut(-mean);
    }
    let factor = Cholesky::new(&centred.tr_mul(&centred));
    let mut kept = factor.kept().to_vec();
    kept.sort_unstable();
    kept
}
