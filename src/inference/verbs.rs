//! The verbs that every fit answers, from its names, estimates and covariance alone.

use super::hypothesis::{self, unknown_coefficient};
use super::records::{ConfidenceSet, Distribution, Estimate, Interval, TestResult};
use crate::error::{Error, Result};
use crate::numeric::derivative::gradient;
use crate::numeric::linalg::{Cholesky, quadratic_form};
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};

/// What can be asked of estimates with a covariance. Implementors give names, estimates and covariance; everything else
/// follows.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("card")?;
/// let fit = Ols::new("lwage ~ educ + exper + I(exper^2)").fit(&frame)?;
/// let educ = fit.coefficient("educ")?;
/// assert!((educ.estimate - 0.0932).abs() < 1e-4);
/// let peak = fit.nonlinear("peak", &["exper", "I(exper^2)"], |b| -b[0] / (2.0 * b[1]))?;
/// assert!((peak.estimate - 17.9).abs() < 0.5);
/// assert!(fit.wald(&["exper = 0", "I(exper^2) = 0"])?.p_value < 1e-10);
/// # Ok::<(), cocreate::Error>(())
/// ```
pub trait Inference {
    /// The coefficient names.
    fn names(&self) -> &[String];

    /// The estimates, in the order of the names.
    fn estimates(&self) -> &DVector<f64>;

    /// Their covariance matrix.
    fn covariance(&self) -> &DMatrix<f64>;

    /// Degrees of freedom of the t distribution of a contrast `c'β`; infinite (the normal) by default.
    fn degrees_of_freedom(&self, contrast: &DVector<f64>) -> f64 {
        let _ = contrast;
        f64::INFINITY
    }

    /// A confidence set for one coefficient. The default is the t interval; estimators for which an interval can mislead
    /// (weak instruments) return a set that may be unbounded or empty.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`]; [`Error::InvalidOption`] for a level outside (0, 1).
    fn confidence_set(&self, name: &str, level: f64) -> Result<ConfidenceSet> {
        Ok(self.coefficient(name)?.confidence_interval(level)?.into())
    }

    /// The position of a coefficient.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`] with the nearest name.
    fn position(&self, name: &str) -> Result<usize> {
        self.names()
            .iter()
            .position(|n| n == name)
            .ok_or_else(|| unknown_coefficient(name, self.names()))
    }

    /// One coefficient with its standard error.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`].
    fn coefficient(&self, name: &str) -> Result<Estimate> {
        Ok(self.estimate_at(self.position(name)?))
    }

    /// All coefficients.
    fn coefficients(&self) -> Vec<Estimate> {
        (0..self.names().len())
            .map(|i| self.estimate_at(i))
            .collect()
    }

    /// The coefficient at a position (which must exist).
    fn estimate_at(&self, position: usize) -> Estimate {
        let mut contrast = DVector::zeros(self.names().len());
        contrast[position] = 1.0;
        Estimate {
            name: self.names()[position].clone(),
            estimate: self.estimates()[position],
            std_error: self.covariance()[(position, position)].max(0.0).sqrt(),
            degrees_of_freedom: self.degrees_of_freedom(&contrast),
        }
    }

    /// The standard error of one coefficient.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`].
    fn std_error(&self, name: &str) -> Result<f64> {
        Ok(self.coefficient(name)?.std_error)
    }

    /// All standard errors.
    fn std_errors(&self) -> DVector<f64> {
        self.covariance().diagonal().map(|v| v.max(0.0).sqrt())
    }

    /// Confidence intervals of all coefficients.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a level outside (0, 1).
    fn confidence_interval(&self, level: f64) -> Result<Vec<Interval>> {
        self.coefficients()
            .iter()
            .map(|c| c.confidence_interval(level))
            .collect()
    }

    /// A linear combination `c'β − value`, written as text: `"x1 - 2*x2"` or `"x1 + x2 = 1"` (then the estimate is the
    /// difference of the sides).
    ///
    /// # Errors
    /// [`Error::Formula`] pointing at what is not linear, [`Error::UnknownCoefficient`].
    fn linear(&self, combination: &str) -> Result<Estimate> {
        let h = hypothesis::parse(combination, self.names())?;
        Ok(Estimate {
            name: combination.to_owned(),
            estimate: h.weights.dot(self.estimates()) - h.value,
            std_error: quadratic_form(self.covariance(), &h.weights)
                .max(0.0)
                .sqrt(),
            degrees_of_freedom: self.degrees_of_freedom(&h.weights),
        })
    }

    /// Joint Wald test of linear restrictions: `W = (Rβ − r)'(R V R')⁻¹(Rβ − r)/q`, against F(q, df) with the smallest degrees
    /// of freedom of the restrictions (χ²/q when they are infinite).
    ///
    /// # Errors
    /// As [`Inference::linear`]; [`Error::Matrix`] when the restrictions are redundant.
    fn wald(&self, restrictions: &[&str]) -> Result<TestResult> {
        let parsed = restrictions
            .iter()
            .map(|text| hypothesis::parse(text, self.names()))
            .collect::<Result<Vec<_>>>()?;
        let r = DMatrix::from_fn(parsed.len(), self.names().len(), |i, j| {
            parsed[i].weights[j]
        });
        let value = DVector::from_iterator(parsed.len(), parsed.iter().map(|h| h.value));
        self.wald_matrix(&restrictions.join(", "), &r, &value)
    }

    /// The Wald test of `R β = r` given as a matrix.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is no restriction or the shapes do not fit; [`Error::Matrix`] when the
    /// restrictions are redundant.
    fn wald_matrix(
        &self,
        name: &str,
        r: &DMatrix<f64>,
        value: &DVector<f64>,
    ) -> Result<TestResult> {
        let (statistic, q) = wald_statistic(self.estimates(), self.covariance(), r, value)?;
        let df = (0..q)
            .map(|i| self.degrees_of_freedom(&r.row(i).transpose()))
            .fold(f64::INFINITY, f64::min);
        let distribution = Distribution::F {
            df1: q as f64,
            df2: df,
        };
        Ok(TestResult::new(
            format!("Wald test of {name}"),
            statistic / q as f64,
            distribution,
        ))
    }

    /// A smooth function of some coefficients by the delta method, `Var g(β) ≈ ∇g' V ∇g`, with the gradient taken numerically.
    /// `function` receives the named coefficients in the order given.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`]; [`Error::NotFinite`] when the function or its gradient is not finite at the estimates.
    fn nonlinear(
        &self,
        name: &str,
        of: &[&str],
        function: impl Fn(&[f64]) -> f64,
    ) -> Result<Estimate>
    where
        Self: Sized,
    {
        let positions = of
            .iter()
            .map(|n| self.position(n))
            .collect::<Result<Vec<_>>>()?;
        let at: Vec<f64> = positions.iter().map(|&i| self.estimates()[i]).collect();
        let estimate = function(&at);
        let not_finite = || Error::NotFinite {
            what: format!("`{name}` or its gradient at the estimates"),
        };
        if !estimate.is_finite() {
            return Err(not_finite());
        }
        let slope = gradient(&function, &at).map_err(|_| not_finite())?;
        let mut contrast = DVector::zeros(self.names().len());
        for (&i, g) in positions.iter().zip(&slope) {
            contrast[i] += g;
        }
        Ok(Estimate {
            name: name.to_owned(),
            estimate,
            std_error: quadratic_form(self.covariance(), &contrast).max(0.0).sqrt(),
            degrees_of_freedom: self.degrees_of_freedom(&contrast),
        })
    }

    /// The coefficient table with 95 % intervals.
    fn table(&self) -> Table {
        coefficient_table(self)
    }

    /// Names, estimates, standard errors, degrees of freedom and covariance as JSON; infinite degrees of freedom are `null`.
    fn to_json(&self) -> serde_json::Value {
        let coefficients: Vec<serde_json::Value> = self
            .coefficients()
            .iter()
            .map(|c| {
                serde_json::json!({
                    "name": c.name,
                    "estimate": c.estimate,
                    "std_error": c.std_error,
                    "degrees_of_freedom": c.degrees_of_freedom,
                    "statistic": c.statistic(0.0),
                    "p_value": c.p_value(),
                })
            })
            .collect();
        let covariance: Vec<Vec<f64>> = self
            .covariance()
            .row_iter()
            .map(|r| r.iter().copied().collect())
            .collect();
        serde_json::json!({ "coefficients": coefficients, "covariance": covariance })
    }
}

/// One row a coefficient: estimate, standard error, t, p, 95 % interval.
pub(crate) fn coefficient_table<F: Inference + ?Sized>(fit: &F) -> Table {
    const LEVEL: f64 = 0.95;
    let coefficients = fit.coefficients();
    let normal = coefficients
        .iter()
        .all(|c| c.degrees_of_freedom.is_infinite());
    let statistic = if normal { "z" } else { "t" };
    let mut table = Table::new("").columns([
        "",
        "Estimate",
        "Std. error",
        statistic,
        "p",
        "95 % from",
        "to",
    ]);
    for c in coefficients {
        let (lower, upper) = match c.confidence_interval(LEVEL) {
            Ok(interval) => (interval.lower, interval.upper),
            Err(_) => (f64::NAN, f64::NAN),
        };
        table = table.row([
            Cell::from(c.name.as_str()),
            Cell::significant(c.estimate, SHOWN_DIGITS),
            Cell::significant(c.std_error, SHOWN_DIGITS),
            Cell::fixed(c.statistic(0.0), 2),
            Cell::p_value(c.p_value()),
            Cell::significant(lower, SHOWN_DIGITS),
            Cell::significant(upper, SHOWN_DIGITS),
        ]);
    }
    table
}

/// Digits of estimates in printed tables: as many as stay the same on all machines and are read with ease.
const SHOWN_DIGITS: usize = 5;

/// A restriction whose variance given the others is below this share of its own is redundant, or the clusters are too few: the
/// rounding of `R V R'` leaves about this much of a zero.
const SINGULAR: f64 = 64.0 * f64::EPSILON;

/// `(Rb − r)'(R V R')⁻¹(Rb − r)` and the number of restrictions.
pub(crate) fn wald_statistic(
    estimates: &DVector<f64>,
    covariance: &DMatrix<f64>,
    r: &DMatrix<f64>,
    value: &DVector<f64>,
) -> Result<(f64, usize)> {
    if r.nrows() == 0 || r.ncols() != estimates.len() || r.nrows() != value.len() {
        return Err(Error::invalid_option(
            "restrictions",
            format!("{} × {}", r.nrows(), r.ncols()),
            format!(
                "at least one row of {} numbers, with one right-hand side each",
                estimates.len()
            ),
        ));
    }
    let gap = r * estimates - value;
    let variance = r * covariance * r.transpose();
    let factor = Cholesky::with_tolerance(&variance, SINGULAR * r.nrows() as f64);
    if factor.rank() < r.nrows() {
        return Err(Error::Matrix {
            message: format!(
                "the covariance of the {} restrictions is singular (rank {}): remove redundant restrictions, test fewer restrictions than there are clusters, or see whether the fit is perfect",
                r.nrows(),
                factor.rank()
            ),
        });
    }
    Ok((gap.dot(&factor.solve_vector(&gap)), r.nrows()))
}
