//! Quantile regression: exact estimates, covariances without a known error distribution, many quantiles at once.

mod covariance;
mod fit;
mod interior;
mod problem;
mod process;
mod vertex;

pub use covariance::QuantileCovariance;
pub use fit::{QuantileFit, QuantileStatistics};
pub use process::QuantileProcess;

use super::influence::working_columns;
use super::likelihood::Options;
use super::linear::Weights;
use crate::data::{Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::numeric::Progress;
use crate::numeric::linalg::Cholesky;
use fit::{Parts, assemble};
use nalgebra::DMatrix;
use problem::Problem;
use serde::Serialize;
use std::sync::Arc;
use vertex::Vertex;

/// Rows that frequency weights may stand for in all: each becomes a row in memory.
const MOST_ROWS: f64 = 1e8;

/// The linear model of a quantile, `Q_τ(y | x) = x'β(τ)`: `β̂ = argmin Σ w_i ρ_τ(y_i − x_i'b)` with `ρ_τ(r) = r(τ − 1{r < 0})`.
///
/// β(τ) says how the τ-quantile of y differs between people with different x; it is the effect of x on that quantile only
/// when x is as good as randomly assigned, and even then not the effect on those who are at that quantile. The linear program is solved
/// exactly: an interior-point method comes close, and exchanges of rows end in an optimal vertex, which fits as many rows
/// without residual as there are coefficients. When other vertices are as good, a warning says so.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `tau` | 0.5 | the quantile | (0, 1) |
/// | `covariance` | `QuantileCovariance::HendricksKoenker` | sampling variance | see [`QuantileCovariance`] |
/// | `weights` | none | weights w | ≥ 0; rows of weight 0 are left out |
/// | `frequency_weights` | none | each row stands for w equal rows | whole numbers |
///
/// Tests use t(n − K), as quantreg does, and t(G − 1) with clusters.
///
/// # Errors
/// [`Error::InvalidOption`] for a τ outside (0, 1), fixed effects or instruments; [`Error::TooFewRows`];
/// [`Error::Unidentified`] for a perfect fit or when no density can be estimated; [`Error::NotConverged`],
/// [`Error::Cancelled`]; those of the formula and the clusters.
///
/// # References
/// Koenker, R. & Bassett, G. (1978). Regression quantiles. *Econometrica* 46(1), 33–50. doi:10.2307/1913643
///
/// Portnoy, S. & Koenker, R. (1997). The Gaussian hare and the Laplacian tortoise. *Statistical Science* 12(4), 279–300.
/// doi:10.1214/ss/1030037960
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("card")?;
/// let median = Quantile::new("lwage ~ educ + exper + expersq").fit(&frame)?;
/// let educ = median.coefficient("educ")?;
/// assert!((educ.estimate - 0.0957).abs() < 1e-3);
/// let process = Quantile::new("lwage ~ educ + exper + expersq").fit_at(&frame, &[0.25, 0.5, 0.75])?;
/// assert_eq!(process.fits().len(), 3);
/// assert!(process.slope_equality_test()?.p_value < 1.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quantile {
    options: Options,
    tau: f64,
    covariance: QuantileCovariance,
}

impl Quantile {
    /// Median regression of a formula, with heteroskedasticity-robust errors.
    pub fn new(formula: impl Into<Formula>) -> Self {
        Self {
            options: Options::new(formula.into()),
            tau: 0.5,
            covariance: QuantileCovariance::default(),
        }
    }

    /// Sets the quantile.
    pub fn tau(mut self, tau: f64) -> Self {
        self.tau = tau;
        self
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: QuantileCovariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Weights of the rows in the objective.
    pub fn weights(mut self, column: impl Into<String>) -> Self {
        self.options.weights = Some(Weights::Analytic(column.into()));
        self
    }

    /// Frequency weights: each row stands for that many equal rows.
    pub fn frequency_weights(mut self, column: impl Into<String>) -> Self {
        self.options.weights = Some(Weights::Frequency(column.into()));
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`Quantile`].
    pub fn fit(&self, frame: &Frame) -> Result<QuantileFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`Quantile`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<QuantileFit> {
        check_quantile(self.tau)?;
        let sample = self.sample(frame)?;
        self.fit_sample(&sample, self.tau, frame, progress)
    }

    /// Fits several quantiles to the same rows.
    ///
    /// # Errors
    /// See [`Quantile`]; [`Error::InvalidOption`] when there is no quantile or one occurs twice.
    pub fn fit_at(&self, frame: &Frame, taus: &[f64]) -> Result<QuantileProcess> {
        self.fit_at_with(frame, taus, &Progress::none())
    }

    /// The same, watched by `progress`.
    ///
    /// # Errors
    /// See [`Quantile::fit_at`].
    pub fn fit_at_with(
        &self,
        frame: &Frame,
        taus: &[f64],
        progress: &Progress,
    ) -> Result<QuantileProcess> {
        let mut sorted = taus.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        for tau in &sorted {
            check_quantile(*tau)?;
        }
        if sorted.is_empty() || sorted.windows(2).any(|w| w[1] <= w[0]) {
            return Err(Error::invalid_option(
                "taus",
                format!("{taus:?}"),
                "a list of different quantiles",
            ));
        }
        let sample = self.sample(frame)?;
        let fits = sorted
            .iter()
            .map(|tau| self.fit_sample(&sample, *tau, frame, progress))
            .collect::<Result<Vec<_>>>()?;
        Ok(QuantileProcess::new(fits))
    }

    /// Reads the rows and columns.
    fn sample(&self, frame: &Frame) -> Result<QuantileSample> {
        let mut sample = self
            .options
            .sample(frame, "without fixed effects for quantile regression")?;
        let index = self.options.index(frame, &mut sample)?;
        let rows = sample.design.rows.clone();
        let mut problem = Problem {
            x: working_columns(&index, &rows),
            y: sample.design.outcome.values(&rows),
        };
        let mut repeats = None;
        if let Some(weights) = &sample.weights {
            if sample.frequency {
                let total: f64 = weights.iter().sum();
                if total > MOST_ROWS {
                    return Err(Error::invalid_option(
                        "frequency_weights",
                        format!("{total} in all"),
                        format!("at most {MOST_ROWS} in all for quantile regression"),
                    ));
                }
                let each: Vec<usize> = weights
                    .iter()
                    .enumerate()
                    .flat_map(|(i, w)| std::iter::repeat_n(i, *w as usize))
                    .collect();
                let expand = |v: &Vec<f64>| each.iter().map(|i| v[*i]).collect();
                problem = Problem {
                    x: problem.x.iter().map(expand).collect(),
                    y: expand(&problem.y),
                };
                repeats = Some(Arc::new(each));
            } else {
                for column in problem.x.iter_mut().chain([&mut problem.y]) {
                    column.iter_mut().zip(weights).for_each(|(x, w)| *x *= w);
                }
            }
        }
        let k = problem.parameters();
        if problem.rows() <= k {
            return Err(Error::TooFewRows {
                rows: problem.rows(),
                parameters: k,
            });
        }
        let mut map = DMatrix::zeros(k, k);
        index.fill_map(&mut map, 0);
        Ok(QuantileSample {
            names: index.names(),
            constant: index.constant.is_some(),
            formula: sample.parsed.to_string(),
            weights: sample.weights.filter(|_| !sample.frequency).map(Arc::new),
            problem: Arc::new(problem),
            repeats,
            rows,
            map,
            warnings: sample.warnings,
        })
    }

    fn fit_sample(
        &self,
        sample: &QuantileSample,
        tau: f64,
        frame: &Frame,
        progress: &Progress,
    ) -> Result<QuantileFit> {
        let vertex = solve(&sample.problem, tau, progress)?;
        let weights = sample.weights.as_ref().map(|w| w.as_slice());
        let null = sample
            .constant
            .then(|| objective_of_constant(&sample.problem.y, weights, tau));
        let mut warnings = sample.warnings.clone();
        if !vertex.unique {
            warnings.push(Warning::Note {
                message: format!(
                    "the solution at τ = {tau} may not be the only one: other coefficients may fit as well (few rows, or outcomes with ties)"
                ),
            });
        }
        let parts = Parts {
            problem: Arc::clone(&sample.problem),
            vertex,
            tau,
            map: sample.map.clone(),
            repeats: sample.repeats.clone(),
            weights: sample.weights.clone(),
            rows: sample.rows.clone(),
            frame: frame.clone(),
        };
        assemble(sample, parts, null, warnings, &self.covariance, progress)
    }
}

/// What all quantiles of a sample share.
struct QuantileSample {
    names: Vec<String>,
    constant: bool,
    formula: String,
    problem: Arc<Problem>,
    /// With frequency weights, the used row behind each row of the problem.
    repeats: Option<Arc<Vec<usize>>>,
    weights: Option<Arc<Vec<f64>>>,
    rows: crate::data::Rows,
    map: DMatrix<f64>,
    warnings: Vec<Warning>,
}

fn check_quantile(tau: f64) -> Result<()> {
    if tau > 0.0 && tau < 1.0 {
        return Ok(());
    }
    Err(Error::invalid_option("tau", tau, "between 0 and 1"))
}

/// The objective at the sample quantile, the optimum of a model with a constant alone; outcomes have their weights multiplied in.
fn objective_of_constant(y: &[f64], weights: Option<&[f64]>, tau: f64) -> f64 {
    let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
    let mut order: Vec<usize> = (0..y.len()).collect();
    order.sort_unstable_by(|a, b| (y[*a] / weight(*a)).total_cmp(&(y[*b] / weight(*b))));
    let total: f64 = (0..y.len()).map(weight).sum();
    let mut below = 0.0;
    let at = order.iter().find(|i| {
        below += weight(**i);
        below >= tau * total
    });
    let quantile = at.map_or(0.0, |i| y[*i] / weight(*i));
    (0..y.len())
        .map(|i| problem::check(y[i] - quantile * weight(i), tau))
        .sum()
}

/// `min_b Σ w ρ_τ(y − x'b)`: the least that the regressors leave. Zero for a perfect fit; rows without weight and columns that are combinations of others do not matter.
pub(crate) fn least_check_loss(
    columns: &[Vec<f64>],
    y: &[f64],
    weights: &[f64],
    tau: f64,
) -> Result<f64> {
    let used: Vec<usize> = (0..y.len()).filter(|i| weights[*i] > 0.0).collect();
    let weighted = |v: &[f64]| -> Vec<f64> { used.iter().map(|i| weights[*i] * v[*i]).collect() };
    // In units in which each column has length one.
    let x: Vec<Vec<f64>> = (columns.iter())
        .map(|column| {
            let column = weighted(column);
            let length = column.iter().map(|v| v * v).sum::<f64>().sqrt();
            let unit = if length > 0.0 { 1.0 / length } else { 0.0 };
            column.iter().map(|v| unit * v).collect()
        })
        .collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let gram = DMatrix::from_fn(x.len(), x.len(), |i, j| dot(&x[i], &x[j]));
    let mut kept = Cholesky::new(&gram).kept().to_vec();
    kept.sort_unstable();
    let problem = Problem {
        x: kept.iter().map(|k| x[*k].clone()).collect(),
        y: weighted(y),
    };
    if problem.rows() <= problem.parameters() || is_perfect(&problem, &problem.least_squares()) {
        return Ok(0.0);
    }
    let vertex = solve(&problem, tau, &Progress::none())?;
    Ok(vertex
        .residuals
        .iter()
        .map(|r| problem::check(*r, tau))
        .sum())
}

/// Whether coefficients fit all rows but for rounding.
fn is_perfect(problem: &Problem, b: &[f64]) -> bool {
    /// Residuals below this share of the outcome are rounding.
    const PERFECT: f64 = 1e-13;
    let left: f64 = problem.residuals(b).iter().map(|r| r.abs()).sum();
    let size: f64 = problem.y.iter().map(|y| y.abs()).sum();
    left <= PERFECT * size
}

/// The exact solution.
fn solve(problem: &Problem, tau: f64, progress: &Progress) -> Result<Vertex> {
    let start = problem.least_squares();
    if is_perfect(problem, &start) {
        return Err(Error::Unidentified {
            what: "the distribution of the outcome around its quantiles".to_owned(),
            needs: "an outcome that is not a linear function of the regressors: the fit is perfect"
                .to_owned(),
        });
    }
    let near = interior::interior_point(problem, tau, progress)?;
    let start = if near.iter().all(|b| b.is_finite()) {
        near
    } else {
        start
    };
    vertex::descend(problem, tau, &start, progress)
}
