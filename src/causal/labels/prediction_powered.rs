//! Prediction-powered inference: many predicted labels, corrected by a few true ones.

use super::equations::{Part, Problem};
use crate::data::{Design, Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::{Inference, coefficient_table};
use crate::numeric::linalg::Cholesky;
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A mean, a linear regression or a logit of an outcome that is known on n rows only and predicted on all, by a model that did not learn from the labelled rows. With gradients g of the loss for the true and g^f for the predicted outcome, and N rows without a label,
/// the estimate solves
///
/// `mean_n g(θ) + λ (mean_N g^f(θ) − mean_n g^f(θ)) = 0`
///
/// (for linear models as the sum of the regression of `λ f` on rows without and of `Y − λ f` on rows with a label). It is right however wrong the predictions are; good ones make it precise. λ is chosen to minimise the sum of the variances, between 0, which is the labelled rows alone, and 1:
///
/// `λ = tr(H⁻¹ (C + C') H⁻¹) / (2 (1 + n/N) tr(H⁻¹ Var(g^f) H⁻¹))`, `C = Cov(g, g^f)`,
///
/// so that on many rows nothing is lost. The covariance is `H⁻¹ (Var_n(g − λ g^f) + (n/N) λ² Var_N(g^f)) H⁻¹/n`.
///
/// The labelled rows must be a random sample of all. An outcome of 0 and 1 may be predicted by a class or by a probability.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `lambda` | tuned | λ | 0 to 1 |
///
/// # Errors
/// [`Error::NoRows`] without labelled or without unlabelled rows; [`Error::Unidentified`] when a logit's labelled rows have one class only; [`Error::TooFewRows`] for as many coefficients as rows with or without a label; [`Error::OutOfRange`] for a logit's outcome other than 0 and 1 or a prediction outside [0, 1];
/// [`Error::InvalidOption`] for a λ outside [0, 1] or terms with effects; [`Error::NotConverged`] for a logit without a solution.
///
/// # References
/// - Angelopoulos, A. N., Bates, S., Fannjiang, C., Jordan, M. I. & Zrnic, T. (2023). Prediction-powered inference. *Science* 382(6671), 669–674. doi:10.1126/science.adi6000
/// - Angelopoulos, A. N., Duchi, J. C. & Zrnic, T. (2023). PPI++: efficient prediction-powered inference. arXiv:2311.01453
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 1000;
/// let truth: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i * 7 % 10 < 4))).collect();
/// // A classifier that misses some; every tenth comment was read by a person.
/// let predicted: Vec<f64> = (0..n).map(|i| if i * 3 % 11 == 0 { 0.0 } else { truth[i] }).collect();
/// let read: Vec<f64> = (0..n).map(|i| if i % 100 < 30 { truth[i] } else { f64::NAN }).collect();
/// let frame = Frame::new().with("complaint", read)?.with("predicted", predicted)?;
/// let fit = PredictionPowered::mean("complaint", "predicted").fit(&frame)?;
/// let mean = fit.coefficient("(Intercept)")?;
/// assert!((mean.estimate - 0.4).abs() < 0.01 && mean.std_error < 0.8 * fit.labelled_alone()[0].std_error);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionPowered {
    outcome: String,
    prediction: String,
    terms: String,
    logit: bool,
    lambda: Option<f64>,
}

/// What [`PredictionPowered`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionPoweredFit {
    title: String,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    lambda: f64,
    labelled: usize,
    unlabelled: usize,
    alone: Vec<crate::inference::Estimate>,
    warnings: Vec<Warning>,
}

impl PredictionPowered {
    /// The mean of an outcome, from a column that is missing (NaN) where nobody looked and a column of predictions.
    pub fn mean(outcome: impl Into<String>, prediction: impl Into<String>) -> Self {
        Self::ols(outcome, "1", prediction)
    }

    /// A linear regression of the outcome on terms, the right-hand side of a formula.
    pub fn ols(
        outcome: impl Into<String>,
        terms: impl Into<String>,
        prediction: impl Into<String>,
    ) -> Self {
        Self {
            outcome: outcome.into(),
            prediction: prediction.into(),
            terms: terms.into(),
            logit: false,
            lambda: None,
        }
    }

    /// A logit of an outcome of 0 and 1.
    pub fn logit(
        outcome: impl Into<String>,
        terms: impl Into<String>,
        prediction: impl Into<String>,
    ) -> Self {
        Self {
            logit: true,
            ..Self::ols(outcome, terms, prediction)
        }
    }

    /// A fixed λ instead of the tuned one: 1 is prediction-powered inference as it was first proposed, 0 uses the labelled rows alone.
    pub fn lambda(mut self, lambda: f64) -> Self {
        self.lambda = Some(lambda);
        self
    }

    /// The estimates.
    ///
    /// # Errors
    /// See [`PredictionPowered`].
    pub fn fit(&self, frame: &Frame) -> Result<PredictionPoweredFit> {
        if let Some(lambda) = self.lambda.filter(|l| !(0.0..=1.0).contains(l)) {
            return Err(Error::invalid_option("lambda", lambda, "from 0 to 1"));
        }
        let (problem, warnings) = self.read(frame)?;
        let first = problem.solve(self.lambda.unwrap_or(1.0))?;
        let lambda = match self.lambda {
            Some(lambda) => lambda,
            None => problem.tuned(&first),
        };
        let estimates = problem.solve(lambda)?;
        let covariance = problem.covariance(&estimates, lambda);
        let alone = problem.solve(0.0)?;
        let spread = problem.covariance(&alone, 0.0);
        let of = |k: usize| crate::inference::Estimate {
            name: problem.names[k].clone(),
            estimate: alone[k],
            std_error: spread[(k, k)].max(0.0).sqrt(),
            degrees_of_freedom: f64::INFINITY,
        };
        Ok(PredictionPoweredFit {
            title: format!(
                "Prediction-powered {}: {} ~ {}, predicted by {}",
                if self.logit { "logit" } else { "regression" },
                self.outcome,
                self.terms,
                self.prediction
            ),
            alone: (0..problem.names.len()).map(of).collect(),
            names: problem.names,
            estimates,
            covariance,
            lambda,
            labelled: problem.labelled.rows(),
            unlabelled: problem.unlabelled.rows(),
            warnings,
        })
    }

    fn read(&self, frame: &Frame) -> Result<(Problem, Vec<Warning>)> {
        let parsed =
            Formula::from(format!("`{}` ~ {}", self.prediction, self.terms).as_str()).parse()?;
        if !(parsed.effects().is_empty() && parsed.endogenous().is_empty()) {
            return Err(Error::invalid_option(
                "terms",
                format!("`{}`", self.terms),
                "terms without `|`",
            ));
        }
        let design = Design::build(&parsed, frame, &[])?;
        let rows = &design.rows;
        let y = rows.gather(frame.numeric(&self.outcome)?.values());
        let f = design.outcome.values(rows);
        let mut names = Vec::new();
        let mut columns = Vec::new();
        if design.intercept {
            names.push("(Intercept)".to_owned());
            columns.push(vec![1.0; rows.len()]);
        }
        for column in &design.exogenous {
            names.push(column.name.clone());
            columns.push(column.values(rows));
        }
        let mut warnings = Vec::new();
        let dropped = rows.total() - rows.len();
        if dropped > 0 {
            warnings.push(Warning::RowsDropped {
                dropped,
                missing: design.missing.clone(),
            });
        }
        for (at, (y, f)) in y.iter().zip(&f).enumerate() {
            let row = rows.index(at) + 1;
            let bad = |column: &str, value: f64, expected: &str| Error::OutOfRange {
                column: column.to_owned(),
                row,
                value,
                expected: expected.to_owned(),
            };
            if y.is_infinite() {
                return Err(Error::Infinite {
                    column: self.outcome.clone(),
                    row,
                });
            }
            if self.logit && !y.is_nan() && y.abs() > 0.0 && (y - 1.0).abs() > 0.0 {
                return Err(bad(&self.outcome, *y, "0, 1 or missing"));
            }
            if self.logit && !(0.0..=1.0).contains(f) {
                return Err(bad(
                    &self.prediction,
                    *f,
                    "a class or a probability, from 0 to 1",
                ));
            }
        }
        let part = |labelled: bool| -> Part {
            let own: Vec<usize> = (0..y.len())
                .filter(|i| y[*i].is_nan() != labelled)
                .collect();
            let of = |v: &[f64]| own.iter().map(|i| v[*i]).collect::<Vec<f64>>();
            Part {
                x: DMatrix::from_fn(own.len(), columns.len(), |i, j| columns[j][own[i]]),
                y: of(&y),
                f: of(&f),
            }
        };
        let (labelled, unlabelled) = (part(true), part(false));
        for (part, what, remedy) in [
            (
                &labelled,
                "has a value",
                "label a random sample of the rows",
            ),
            (
                &unlabelled,
                "is missing",
                "with all labels known an ordinary regression uses them all",
            ),
        ] {
            if part.rows() == 0 {
                return Err(Error::NoRows {
                    reason: format!(
                        "`{}` {what} on no row with a prediction; {remedy}",
                        self.outcome
                    ),
                });
            }
        }
        if self.logit && labelled.y.iter().all(|v| (v - labelled.y[0]).abs() <= 0.0) {
            return Err(Error::Unidentified {
                what: format!(
                    "a logit of `{}`, which is {} on all {} labelled rows",
                    self.outcome,
                    labelled.y[0],
                    labelled.rows()
                ),
                needs: "labelled rows of both classes; label more rows, at random".to_owned(),
            });
        }
        // Columns that the labelled rows cannot tell apart, in units in which each has length one.
        let gram = labelled.x.transpose() * &labelled.x;
        let unit: Vec<f64> = gram
            .diagonal()
            .iter()
            .map(|v| if *v > 0.0 { 1.0 / v.sqrt() } else { 0.0 })
            .collect();
        let scaled = DMatrix::from_fn(gram.nrows(), gram.ncols(), |i, j| {
            gram[(i, j)] * unit[i] * unit[j]
        });
        let factor = Cholesky::new(&scaled);
        if !factor.dropped().is_empty() {
            warnings.push(Warning::Collinear {
                columns: factor.dropped().iter().map(|k| names[*k].clone()).collect(),
            });
        }
        let kept = factor.kept().to_vec();
        // With as many rows as coefficients there is no spread from which an error could be known, on either side.
        let rows = labelled.rows().min(unlabelled.rows());
        if rows <= kept.len() {
            return Err(Error::TooFewRows {
                rows,
                parameters: kept.len(),
            });
        }
        let keep = |part: Part| Part {
            x: part.x.select_columns(&kept),
            ..part
        };
        Ok((
            Problem {
                names: kept.iter().map(|k| names[*k].clone()).collect(),
                labelled: keep(labelled),
                unlabelled: keep(unlabelled),
                logit: self.logit,
            },
            warnings,
        ))
    }
}

impl PredictionPoweredFit {
    /// λ: how far the predictions were used.
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// Rows with a label.
    pub fn labelled(&self) -> usize {
        self.labelled
    }

    /// Rows without.
    pub fn unlabelled(&self) -> usize {
        self.unlabelled
    }

    /// The coefficients from the labelled rows alone, to see what the predictions gave.
    pub fn labelled_alone(&self) -> &[crate::inference::Estimate] {
        &self.alone
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The coefficients as a table.
    pub fn table(&self) -> Table {
        let gain = (self.alone.iter().zip(self.std_errors().iter()))
            .map(|(alone, error)| (alone.std_error / error).powi(2))
            .fold(f64::INFINITY, f64::min);
        coefficient_table(self)
            .with_title(&self.title)
            .note(format!(
                "{} rows with a label, {} without; λ = {}.",
                Cell::count(self.labelled),
                Cell::count(self.unlabelled),
                Cell::fixed(self.lambda, 3)
            ))
            .note(format!(
                "As good as {} times the labels alone, for the coefficient that gains least.",
                Cell::significant(gain, 3)
            ))
            .warned(&self.warnings)
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl Inference for PredictionPoweredFit {
    crate::inference::fields::inference_of_fields!();

    fn table(&self) -> Table {
        Self::table(self)
    }
}

impl fmt::Display for PredictionPoweredFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::table(self).fmt(f)
    }
}

crate::report::notebook!(PredictionPoweredFit);
