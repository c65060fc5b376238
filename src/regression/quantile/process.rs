//! Several quantiles of one model: side by side, as a figure, and the test that slopes are the same.

use super::fit::QuantileFit;
use crate::error::{Error, Result};
use crate::inference::{Distribution, Inference, ModelTable, TestResult, wald_statistic};
use crate::report::{Figure, LinePlot, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The fits of one model at several quantiles, in ascending order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuantileProcess {
    fits: Vec<QuantileFit>,
}

impl QuantileProcess {
    pub(super) fn new(fits: Vec<QuantileFit>) -> Self {
        Self { fits }
    }

    /// The fits.
    pub fn fits(&self) -> &[QuantileFit] {
        &self.fits
    }

    /// The quantiles side by side.
    pub fn table(&self) -> Table {
        let title = self.fits.first().map_or("", QuantileFit::formula);
        let empty = ModelTable::new(format!("Quantile regressions: {title}"));
        self.fits
            .iter()
            .fold(empty, |table, fit| {
                table.model(format!("τ = {}", fit.tau()), fit)
            })
            .table()
    }

    /// The quantiles side by side, as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }

    /// One coefficient over the quantiles, with 95 % intervals.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`]; those of the figure.
    pub fn plot(&self, coefficient: &str) -> Result<Figure> {
        const LEVEL: f64 = 0.95;
        let (mut x, mut y, mut low, mut high) = (vec![], vec![], vec![], vec![]);
        for fit in &self.fits {
            let estimate = fit.coefficient(coefficient)?;
            let interval = estimate.confidence_interval(LEVEL)?;
            x.push(fit.tau());
            y.push(estimate.estimate);
            low.push(interval.lower);
            high.push(interval.upper);
        }
        LinePlot::new()
            .title(format!("Coefficient of {coefficient} over the quantiles"))
            .x_title("quantile τ")
            .y_title("coefficient")
            .line("estimate", x, y)
            .band(low, high)
            .note("band: pointwise 95 % confidence intervals")
            .draw()
    }

    /// The test that all slopes are the same at all quantiles (Koenker & Bassett 1982, doi:10.2307/1912528), which holds when regressors move the location
    /// of the outcome and nothing else. The covariance between quantiles is `(min(τ, τ') − ττ') H⁻¹ J H'⁻¹`, with the densities of the fits.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for one quantile, a model without slopes, or clustered covariances; [`Error::DataNotKept`]
    /// after `lean`; [`Error::Matrix`] when the covariance is singular.
    pub fn slope_equality_test(&self) -> Result<TestResult> {
        let (Some(first), count) = (self.fits.first(), self.fits.len()) else {
            return Err(Error::invalid_option(
                "taus",
                "empty",
                "two quantiles or more",
            ));
        };
        let k = first.names().len();
        let slopes: Vec<usize> = (0..k)
            .filter(|j| first.names()[*j] != "(Intercept)")
            .collect();
        let clustered = self.fits.iter().any(|f| {
            matches!(
                f.covariance_kind(),
                super::QuantileCovariance::Cluster { .. }
            )
        });
        if count < 2 || slopes.is_empty() || clustered {
            return Err(Error::invalid_option(
                "test of equal slopes",
                format!("of {count} quantiles and {} slopes", slopes.len()),
                "of two quantiles or more, with a slope and a covariance that is not clustered",
            ));
        }
        let gram = self.gram()?;
        let mut covariance = DMatrix::zeros(count * k, count * k);
        for (s, a) in self.fits.iter().enumerate() {
            for (t, b) in self.fits.iter().enumerate() {
                let factor = a.tau().min(b.tau()) - a.tau() * b.tau();
                let block = &a.bread * &gram * &b.bread * factor;
                covariance
                    .view_mut((s * k, t * k), (k, k))
                    .copy_from(&block);
            }
        }
        let estimates = DVector::from_iterator(
            count * k,
            self.fits.iter().flat_map(|f| f.estimates().iter().copied()),
        );
        let q = (count - 1) * slopes.len();
        let mut r = DMatrix::zeros(q, count * k);
        for t in 1..count {
            for (i, j) in slopes.iter().enumerate() {
                let row = (t - 1) * slopes.len() + i;
                r[(row, (t - 1) * k + j)] = -1.0;
                r[(row, t * k + j)] = 1.0;
            }
        }
        let (statistic, q) = wald_statistic(&estimates, &covariance, &r, &DVector::zeros(q))?;
        let n = first.statistics().observations;
        let q = q as f64;
        Ok(TestResult::new(
            format!("test that the slopes are equal at {count} quantiles"),
            statistic / q,
            Distribution::F {
                df1: q,
                df2: n * count as f64 - q,
            },
        ))
    }

    /// `J = Σ x x'` in the units of the coefficients.
    fn gram(&self) -> Result<DMatrix<f64>> {
        let Some(first) = self.fits.first() else {
            return Err(Error::invalid_option(
                "taus",
                "empty",
                "two quantiles or more",
            ));
        };
        let parts = first.parts("the test of equal slopes")?;
        let ones = vec![1.0; parts.problem.rows()];
        let working = parts.problem.weighted(&ones, &parts.problem.y).0;
        let inverse = parts
            .map
            .clone()
            .try_inverse()
            .ok_or_else(|| Error::Matrix {
                message: "the map of the coefficients is singular".to_owned(),
            })?;
        Ok(inverse.transpose() * working * inverse)
    }
}

impl fmt::Display for QuantileProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(QuantileProcess);
