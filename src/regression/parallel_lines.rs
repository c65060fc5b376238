//! Is one slope enough? The test of parallel lines (proportional odds) of the ordered logit.

use super::binary::{Binary, Link, logistic};
use super::count::NO_EFFECTS;
use super::likelihood::{Likelihood, Order, maximize};
use super::ordered::{Categories, OrderedLogit};
use crate::data::{DesignColumn, Frame};
use crate::error::{Error, Result};
use crate::inference::{Distribution, TestResult};
use crate::numeric::linalg::Cholesky;
use crate::numeric::{Progress, blocks};
use crate::summary::gram::TILE;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Brant's test of the assumption of the ordered logit that the slopes are the same at all thresholds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParallelLinesTest {
    /// Of all regressors together, χ² with (categories − 2) × (regressors) degrees of freedom.
    pub all: TestResult,
    /// Of each regressor, χ² with (categories − 2) degrees of freedom.
    pub by_regressor: Vec<TestResult>,
}

impl OrderedLogit {
    /// Brant's test of parallel lines: a Wald test that the binary logits of `y > c₁`, `y > c₂`, … have the same slopes. A small
    /// p-value says that the effect of a regressor depends on the threshold. It assumes independent rows.
    ///
    /// # Errors
    /// Those of the model; [`Error::Unidentified`] with fewer than three categories or no regressor; [`Error::Separated`] when a
    /// regressor tells without error whether the outcome is above some threshold; [`Error::InvalidOption`] for weights that
    /// are not frequencies.
    ///
    /// # References
    /// Brant, R. (1990). Assessing proportionality in the proportional odds model for ordinal logistic regression. *Biometrics*
    /// 46(4), 1171–1178. doi:10.2307/2532457
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let test = OrderedLogit::new("kidslt6 ~ age + educ").parallel_lines_test(&datasets::load("mroz")?);
    /// assert!(test.is_ok_and(|test| test.by_regressor.len() == 2));
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn parallel_lines_test(&self, frame: &Frame) -> Result<ParallelLinesTest> {
        let mut sample = self.options.sample(frame, NO_EFFECTS)?;
        if sample.weights.is_some() && !sample.frequency {
            return Err(Error::invalid_option(
                "weights",
                "not frequencies",
                "frequency weights, or none, for the test of parallel lines",
            ));
        }
        let categories = Categories::new(&sample)?;
        sample.design.intercept = true;
        let index = self.options.index(frame, &mut sample)?;
        let names: Vec<String> = index.regressors().map(str::to_owned).collect();
        let cuts = categories.values.len() - 1;
        if cuts < 2 || names.is_empty() {
            return Err(Error::Unidentified {
                what: "whether lines are parallel".to_owned(),
                needs: "at least three categories and one regressor".to_owned(),
            });
        }
        let rows = &sample.design.rows;
        let mut likelihood = Likelihood {
            model: Arc::new(Binary { link: Link::Logit }),
            indices: vec![index],
            outcomes: vec![],
            rows: rows.clone(),
            weights: sample.weights.clone().map(Arc::new),
            frequency: sample.frequency,
        };
        let codes = categories.codes.values(rows);
        let mut points = Vec::with_capacity(cuts);
        for cut in 0..cuts {
            let mut above = vec![f64::NAN; rows.total()];
            for (i, code) in codes.iter().enumerate() {
                above[rows.index(i)] = f64::from(u8::from(*code > cut as f64));
            }
            likelihood.outcomes = vec![DesignColumn::new("above", Arc::new(above))];
            let start = vec![0.0; likelihood.parameters()];
            let what = "the logit of one threshold";
            points.push(maximize(&likelihood, start, what, &Progress::none())?.point);
        }
        let covariance = joint_covariance(&likelihood, &points)?;
        let all: Vec<usize> = (0..names.len()).collect();
        Ok(ParallelLinesTest {
            all: wald("all regressors", &all, &points, &covariance)?,
            by_regressor: names
                .iter()
                .enumerate()
                .map(|(j, name)| wald(name, &[j], &points, &covariance))
                .collect::<Result<_>>()?,
        })
    }
}

/// The covariance of the estimates of all thresholds, `(X'W_mm X)⁻¹ X'W_ml X (X'W_ll X)⁻¹` with `W_ml = π_l − π_m π_l` for the
/// probabilities π_m ≥ π_l of lying above the thresholds m ≤ l: the covariance of the two indicators.
fn joint_covariance(likelihood: &Likelihood, points: &[Vec<f64>]) -> Result<DMatrix<f64>> {
    let (k, cuts) = (likelihood.parameters(), points.len());
    let mut meat = DMatrix::<f64>::zeros(cuts * k, cuts * k);
    let mut work = likelihood.workspace();
    let mut above = vec![[0.0; TILE]; cuts];
    for range in blocks::ranges(likelihood.rows.len(), TILE) {
        let len = range.len();
        for (point, above) in points.iter().zip(&mut above) {
            likelihood.fill(range.clone(), point, Order::Value, &mut work);
            for (i, p) in above[..len].iter_mut().enumerate() {
                *p = logistic(work.row(i).1);
            }
        }
        for (at, i) in range.enumerate() {
            let weight = likelihood.weights.as_ref().map_or(1.0, |w| w[i]);
            let x = DVector::from_fn(k, |j, _| work.tile.column(j)[at]);
            let square = &x * x.transpose() * weight;
            for m in 0..cuts {
                for l in m..cuts {
                    let shared = above[l][at] * (1.0 - above[m][at]);
                    let mut block = meat.view_mut((m * k, l * k), (k, k));
                    block += &square * shared;
                }
            }
        }
    }
    let mut bread = DMatrix::zeros(cuts * k, cuts * k);
    for m in 0..cuts {
        let information = meat.view((m * k, m * k), (k, k)).into_owned();
        let factor = Cholesky::with_tolerance(&information, f64::EPSILON);
        if factor.rank() < k {
            return Err(Error::Unidentified {
                what: "the slopes at one of the thresholds".to_owned(),
                needs: "a regressor less, or categories with more rows".to_owned(),
            });
        }
        bread
            .view_mut((m * k, m * k), (k, k))
            .copy_from(&factor.inverse());
        for l in 0..m {
            let mirrored = meat.view((l * k, m * k), (k, k)).transpose();
            meat.view_mut((m * k, l * k), (k, k)).copy_from(&mirrored);
        }
    }
    Ok(&bread * meat * &bread)
}

/// The Wald test that some slopes (counted without the constant) are equal at all thresholds.
fn wald(
    name: &str,
    slopes: &[usize],
    points: &[Vec<f64>],
    covariance: &DMatrix<f64>,
) -> Result<TestResult> {
    let k = points[0].len();
    let count = (points.len() - 1) * slopes.len();
    let mut contrasts = DMatrix::zeros(count, k * points.len());
    for later in 1..points.len() {
        for (j, slope) in slopes.iter().enumerate() {
            let row = (later - 1) * slopes.len() + j;
            contrasts[(row, later * k + slope + 1)] = 1.0;
            contrasts[(row, slope + 1)] = -1.0;
        }
    }
    let gap = &contrasts * DVector::from_vec(points.concat());
    let spread = &contrasts * covariance * contrasts.transpose();
    let factor = Cholesky::with_tolerance(&spread, f64::EPSILON);
    if factor.rank() < count {
        return Err(Error::Unidentified {
            what: format!("whether the lines of {name} are parallel"),
            needs: "slopes at the thresholds that are not functions of each other".to_owned(),
        });
    }
    let statistic = gap.dot(&factor.solve_vector(&gap));
    Ok(TestResult::new(
        format!("Brant test of parallel lines: {name}"),
        statistic,
        Distribution::ChiSquared { df: count as f64 },
    ))
}

impl fmt::Display for ParallelLinesTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.all)?;
        self.by_regressor
            .iter()
            .try_for_each(|test| write!(f, "\n{test}"))
    }
}

crate::report::notebook_line!(ParallelLinesTest);
