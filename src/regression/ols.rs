//! Least squares: ordinary, weighted, with absorbed fixed effects.

use super::linear::{Core, LinearRows, Prepared, Regressors, Solved, Weights, linear_fit, prepare};
use crate::data::{Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::{Covariance, Distribution, Inference, TestResult, coefficient_table};
use crate::numeric::Progress;
use crate::numeric::linalg::{Cholesky, block};
use crate::report::Table;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Below these, cross-products alone lose digits, and the estimates are polished with residuals computed row by row.
const SAFE_PIVOT: f64 = 1e-4;
const SAFE_RESIDUAL_SHARE: f64 = 1e-4;

/// Polishing steps at most; each gains as many digits as the cross-product has.
const MOST_POLISHING: usize = 4;

/// Least squares `β̂ = argmin Σ w_i (y_i − x_i'β − α_{g(i)})²` of the linear model `y = x'β + α_g + ε`, with fixed effects α
/// absorbed when the formula has them.
///
/// β̂ is the best linear predictor; it is the causal effect of x only when x is as good as randomly assigned given the other
/// regressors and effects. Standard errors are robust (HC1) unless another [`Covariance`] is asked for.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `covariance` | `Covariance::Hc1` | sampling variance | see [`Covariance`] |
/// | `weights` | none | analytic weights: error variance proportional to 1/w | > 0; rows of weight 0 are left out |
/// | `frequency_weights` | none | each row stands for w equal rows | whole numbers |
/// | `keep_singletons` | off | keep rows that are alone in a level of an effect | |
///
/// Regressors that are constant or linear combinations of earlier ones are left out and named in a warning. Large means, bad
/// scaling and near-collinearity cost few digits: columns are centred and scaled, and ill-conditioned fits are polished with
/// exact residuals.
///
/// # Errors
/// [`Error::Formula`], [`Error::ColumnNotFound`], [`Error::WrongKind`], [`Error::Infinite`], [`Error::OutOfRange`],
/// [`Error::NoRows`], [`Error::TooFewRows`]; those of the covariance ([`Error::MissingClusters`],
/// [`Error::TooFewClusters`]); [`Error::NotConverged`] for effects on an almost unconnected graph; [`Error::Cancelled`].
///
/// # References
/// Guimarães, P. & Portugal, P. (2010). A simple feasible procedure to fit models with high-dimensional fixed effects.
/// *Stata Journal* 10(4), 628–649. doi:10.1177/1536867X1101000406
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// let fit = Ols::new("re78 ~ treat").covariance(Covariance::Classical).fit(&frame)?;
/// let effect = fit.coefficient("treat")?;
/// assert!((effect.estimate - 1794.342).abs() < 1e-3); // LaLonde (1986): 1794
/// assert!((effect.std_error - 632.853).abs() < 1e-3); // 633
/// let robust = fit.with_covariance(Covariance::Hc3)?; // no refit
/// assert!(robust.std_error("treat")? > 650.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ols {
    formula: Formula,
    covariance: Covariance,
    weights: Option<Weights>,
    keep_singletons: bool,
}

impl Ols {
    /// Least squares of a formula, with HC1 errors.
    pub fn new(formula: impl Into<Formula>) -> Self {
        Self {
            formula: formula.into(),
            covariance: Covariance::default(),
            weights: None,
            keep_singletons: false,
        }
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Analytic weights: weighted least squares.
    pub fn weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(Weights::Analytic(column.into()));
        self
    }

    /// Frequency weights: each row stands for that many equal rows.
    pub fn frequency_weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(Weights::Frequency(column.into()));
        self
    }

    /// Keeps rows that are alone in a level of an effect. They do not move the estimates, but they make clustered errors too
    /// small (Correia 2015).
    pub fn keep_singletons(mut self) -> Self {
        self.keep_singletons = true;
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`Ols`].
    pub fn fit(&self, frame: &Frame) -> Result<OlsFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`Ols`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<OlsFit> {
        let mut prepared = prepare(
            &self.formula,
            self.weights.as_ref(),
            frame,
            !self.keep_singletons,
            progress,
        )?;
        if !prepared.endogenous.is_empty() {
            return Err(Error::invalid_option(
                "formula",
                &prepared.formula,
                "without an instrumental part for Ols; use Iv for `| endogenous ~ instruments`",
            ));
        }
        let solved = solve(&mut prepared)?;
        let title = if self.weights.is_some() { "WLS" } else { "OLS" };
        let core = Core::assemble(title, prepared, solved, frame, &self.covariance)?;
        Ok(OlsFit { core })
    }
}

/// Solves the normal equations.
fn solve(prepared: &mut Prepared) -> Result<Solved> {
    let candidates = prepared.varying(prepared.exogenous.clone());
    let factor = Cholesky::new(&block(&prepared.gram, &candidates, &candidates));
    let regressors: Vec<usize> = factor.kept().iter().map(|i| candidates[*i]).collect();
    let dropped: Vec<usize> = factor.dropped().iter().map(|i| candidates[*i]).collect();
    prepared.warn_collinear(&dropped);
    prepared.require_rows(regressors.len())?;
    let y = prepared.outcome;
    let right = DVector::from_iterator(
        regressors.len(),
        regressors.iter().map(|j| prepared.gram[(*j, y)]),
    );
    let slopes = factor.solve_vector(&right);
    let inverse = factor.inverse();
    let total = prepared.gram[(y, y)];
    let mut used = regressors.clone();
    used.push(y);
    let mut rows = LinearRows {
        center: used.iter().map(|j| prepared.center[*j]).collect(),
        used,
        columns: prepared.columns.clone(),
        intercept: prepared.intercept,
        regressors: Regressors::First(regressors.len()),
        residual: residual_weights(&slopes),
        bread: with_intercept(&inverse, prepared),
        rss: (total - slopes.dot(&right)).max(0.0),
        absorbed: prepared.absorbed.clone(),
    };
    let slopes = polish(&mut rows, slopes, &inverse, factor.smallest_pivot(), total);
    if rows.rss <= f64::EPSILON * prepared.tss {
        prepared.warnings.push(Warning::Note {
            message: "the fit is perfect: residuals are zero and standard errors mean nothing"
                .to_owned(),
        });
    }
    Ok(Solved {
        regressors,
        slopes,
        rows,
    })
}

/// `e = y − x'b` as weights on the columns read.
fn residual_weights(slopes: &DVector<f64>) -> Vec<f64> {
    slopes.iter().map(|b| -b).chain([1.0]).collect()
}

/// The bread with the working intercept, which is orthogonal to the centred regressors.
pub(super) fn with_intercept(inverse: &DMatrix<f64>, prepared: &Prepared) -> DMatrix<f64> {
    if !prepared.intercept {
        return inverse.clone();
    }
    let k = inverse.nrows();
    let mut bread = DMatrix::zeros(k + 1, k + 1);
    bread[(0, 0)] = 1.0 / prepared.moments.weight();
    bread.view_mut((1, 1), (k, k)).copy_from(inverse);
    bread
}

/// Iterative refinement: the score at the estimates, computed from residuals row by row, shows the rounding error of the
/// normal equations, which one more solve takes away. Skipped when the cross-product is good to the last digits.
fn polish(
    rows: &mut LinearRows,
    mut slopes: DVector<f64>,
    inverse: &DMatrix<f64>,
    pivot: f64,
    total: f64,
) -> DVector<f64> {
    if pivot > SAFE_PIVOT && rows.rss > SAFE_RESIDUAL_SHARE * total {
        return slopes;
    }
    for _ in 0..MOST_POLISHING {
        let (score, rss) = rows.score();
        rows.rss = rss;
        let step = inverse * score.rows(score.len() - slopes.len(), slopes.len());
        let gain = step
            .iter()
            .zip(slopes.iter())
            .any(|(s, b)| s.abs() > f64::EPSILON * b.abs());
        if !gain {
            break;
        }
        slopes += step;
        rows.residual = residual_weights(&slopes);
    }
    slopes
}

/// A least-squares fit. It answers the verbs of [`Inference`], prints as a table, and can change its covariance without
/// refitting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OlsFit {
    core: Core,
}

linear_fit!(OlsFit);

impl OlsFit {
    /// The same fit with another covariance: one more pass over the rows, no refit.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean` or for a fit read from a file; the errors of the covariance (missing or too few
    /// clusters, options).
    pub fn with_covariance(&self, covariance: Covariance) -> Result<Self> {
        Ok(Self {
            core: self.core.with_covariance(covariance)?,
        })
    }

    /// The F (Wald) test that all slopes are zero, with the covariance in use.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is no slope; [`Error::Matrix`] when the covariance is singular (fewer clusters than
    /// slopes).
    pub fn f_test(&self) -> Result<TestResult> {
        let names = self.names();
        let first = usize::from(names.first().is_some_and(|n| n == "(Intercept)"));
        let q = names.len() - first;
        if q == 0 {
            return Err(Error::invalid_option(
                "formula",
                &self.core.formula,
                "with at least one slope that varies for the F test of all slopes",
            ));
        }
        let r = DMatrix::from_fn(q, names.len(), |i, j| f64::from(u8::from(j == i + first)));
        let mut test = self.wald_matrix("all slopes", &r, &DVector::zeros(q))?;
        if let Distribution::F { df1, df2 } = test.distribution {
            test.name = format!("F test of all {df1} slopes (denominator {df2:.0})");
        }
        Ok(test)
    }

    /// Drops the handle on the data, so that the fit is small; its covariance can then no longer be changed.
    pub fn lean(&self) -> Self {
        Self {
            core: self.core.lean(),
        }
    }

    pub(super) fn parts(&self, what: &str) -> Result<&super::linear::Parts> {
        self.core.parts(what)
    }

    pub(super) fn core(&self) -> &Core {
        &self.core
    }

    fn full_table(&self) -> Table {
        self.core.dress(coefficient_table(self), &[])
    }
}
