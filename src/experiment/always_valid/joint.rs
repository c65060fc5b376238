//! The anytime-valid F test of several coefficients of a linear model.

use super::mixture::{MixtureBoundary, positive};
use super::regression::check_classical;
use crate::error::{Error, Result};
use crate::inference::Inference;
use crate::numeric::linalg::{Cholesky, block};
use crate::regression::OlsFit;
use crate::report::{Cell, Figure, LinePlot, Table, shown};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The test that d coefficients δ of a linear model with normal errors are zero, valid at every look: all arms against a control, all terms of an interaction.
/// With δ/σ ~ N(0, T) under the alternative, ν residual degrees of freedom, `M` the inverse of the coefficients' classical covariance times σ̂², and the F statistic F,
///
/// `E = |I + T M|^{−1/2} {(1 + dF/ν)/(1 + Q/(ν σ̂²))}^{(ν+d)/2}`, `Q = δ̂'M (I + T M)⁻¹ δ̂`, `p = 1/max E`;
///
/// of one coefficient it is [`RegressionSequence`](super::RegressionSequence), which has intervals.
///
/// | constructor | T | meaning |
/// |---|---|---|
/// | [`planned`](Self::planned) | the inverse of the first look's M, as if it held planned/ρ rows | nearly best at this many rows |
/// | [`prior_variance`](Self::prior_variance) | `τ² I` | variance of each effect in units of σ |
///
/// # Errors
/// [`Error::InvalidOption`] for no coefficient, a plan or τ² that is not positive, a covariance other than the classical one, rows fewer than at the look before, a fit without
/// residual degrees of freedom or error; [`Error::UnknownCoefficient`]; [`Error::Matrix`] for coefficients that are not identified apart.
///
/// # References
/// Lindon, M., Ham, D. W., Tingley, M. & Bojinov, I. (2022). Anytime-valid linear models and regression adjusted causal inference in randomized experiments. arXiv:2210.08589
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let arm: Vec<f64> = (0..300).map(|i| f64::from(i % 3)).collect();
/// let y: Vec<f64> = (0..300).map(|i| f64::from(i % 3) * 0.5 + f64::from(i * 37 % 101) / 50.0).collect();
/// let frame = Frame::new().with("arm", arm)?.with("y", y)?;
/// let mut test = JointRegressionSequence::planned(["C(arm)[1]", "C(arm)[2]"], 300)?;
/// for rows in [150, 300] {
///     let fit = Ols::new("y ~ C(arm)").covariance(Covariance::Classical).fit(&frame.head(rows))?;
///     test.observe(rows.to_string(), &fit)?;
/// }
/// assert!(test.p_value() < 1e-6);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JointRegressionSequence {
    coefficients: Vec<String>,
    planned: Option<f64>,
    /// T, once known.
    prior: Option<DMatrix<f64>>,
    looks: Vec<JointLook>,
}

/// What the test said at one look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JointLook {
    /// Its name: a day, a batch.
    pub label: String,
    /// Rows so far.
    pub rows: u64,
    /// The F statistic of all rows so far.
    pub f_statistic: f64,
    /// Logarithm of the e-value, now.
    pub log_e_value: f64,
    /// The p-value, valid at every look: it never rises.
    pub p_value: f64,
}

impl JointRegressionSequence {
    /// Nearly best at this many rows.
    ///
    /// # Errors
    /// See [`JointRegressionSequence`].
    pub fn planned<S: Into<String>>(
        coefficients: impl IntoIterator<Item = S>,
        rows: u64,
    ) -> Result<Self> {
        positive("planned", rows as f64)?;
        Self::of(coefficients, Some(rows as f64), None)
    }

    /// With the variance of each δ/σ under the alternative.
    ///
    /// # Errors
    /// See [`JointRegressionSequence`].
    pub fn prior_variance<S: Into<String>>(
        coefficients: impl IntoIterator<Item = S>,
        variance: f64,
    ) -> Result<Self> {
        positive("prior_variance", variance)?;
        Self::of(coefficients, None, Some(variance))
    }

    fn of<S: Into<String>>(
        coefficients: impl IntoIterator<Item = S>,
        planned: Option<f64>,
        variance: Option<f64>,
    ) -> Result<Self> {
        let coefficients: Vec<String> = coefficients.into_iter().map(Into::into).collect();
        let d = coefficients.len();
        if d == 0 {
            return Err(Error::invalid_option(
                "coefficients",
                "empty",
                "one name or more",
            ));
        }
        Ok(Self {
            coefficients,
            planned,
            prior: variance.map(|v| DMatrix::identity(d, d) * v),
            looks: vec![],
        })
    }

    /// Takes in a fit with the classical covariance to all rows so far; with another one see [`JointEffectSequence`](super::JointEffectSequence).
    ///
    /// # Errors
    /// See [`JointRegressionSequence`].
    pub fn observe(&mut self, label: impl Into<String>, fit: &OlsFit) -> Result<JointLook> {
        check_classical(fit)?;
        let statistics = fit.statistics();
        let (n, df) = (statistics.observations, statistics.residual_df);
        let variance = statistics.residual_std_error.powi(2);
        let earlier = self.looks.last().map_or(1, |look| look.rows);
        if !(n >= earlier as f64 && df > 0.0 && variance > 0.0) {
            return Err(Error::invalid_option(
                "fit",
                format!(
                    "of {n} rows with {df} degrees of freedom and residual variance {variance}"
                ),
                format!(
                    "of all rows so far, at least {earlier} and more than parameters, with residuals"
                ),
            ));
        }
        let at = (self.coefficients.iter())
            .map(|name| fit.position(name))
            .collect::<Result<Vec<usize>>>()?;
        let estimates = DVector::from_iterator(at.len(), at.iter().map(|i| fit.estimates()[*i]));
        let spread = block(fit.covariance(), &at, &at) / variance;
        let information =
            Cholesky::full_rank(&spread, "the covariance of the tested coefficients")?.inverse();
        let prior = match (&self.prior, self.planned) {
            (None, Some(planned)) => spread * (n / MixtureBoundary::best_rho(planned, 0.05)?),
            (prior, _) => prior.clone().unwrap_or(spread),
        };
        let d = at.len() as f64;
        let inflated = (DMatrix::identity(at.len(), at.len()) + &prior * &information).lu();
        let scores = &information * &estimates;
        let shrunk = inflated.solve(&estimates).ok_or_else(|| Error::Matrix {
            message: "the prior and the information of the tested coefficients give a singular matrix; leave out coefficients that the data do not tell apart".to_owned(),
        })?;
        // The product of many pivots overflows, their logarithms do not.
        let log_determinant: f64 = (inflated.u().diagonal().iter())
            .map(|pivot| pivot.abs().ln())
            .sum();
        let share = |q: f64| (q / (df * variance)).ln_1p();
        let log_e_value =
            0.5 * (df + d) * (share(scores.dot(&estimates)) - share(scores.dot(&shrunk)))
                - 0.5 * log_determinant;
        let look = JointLook {
            label: label.into(),
            rows: n as u64,
            f_statistic: scores.dot(&estimates) / (d * variance),
            log_e_value,
            p_value: (-log_e_value).exp().min(self.p_value()),
        };
        self.prior = Some(prior);
        self.looks.push(look.clone());
        Ok(look)
    }

    /// What was said at each look.
    pub fn looks(&self) -> &[JointLook] {
        &self.looks
    }

    /// The p-value that all the coefficients are zero, valid although one looked before; one before the first look.
    pub fn p_value(&self) -> f64 {
        self.looks.last().map_or(1.0, |look| look.p_value)
    }

    /// One row a look.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!(
            "{} = 0, valid at every look",
            self.coefficients.join(" = ")
        ))
        .columns(["Look", "Rows", "F", "log e", "p"])
        .note("Invariant likelihood ratio (F)");
        for look in &self.looks {
            table = table.row([
                Cell::from(look.label.as_str()),
                Cell::count(look.rows as usize),
                Cell::fixed(look.f_statistic, 3),
                Cell::fixed(look.log_e_value, 2),
                Cell::p_value(look.p_value),
            ]);
        }
        table
    }

    /// The p-value over the rows.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] before the first look.
    pub fn figure(&self) -> Result<Figure> {
        p_value_figure(
            &self.coefficients,
            self.looks.iter().map(|l| l.rows as f64).collect(),
            self.looks.iter().map(|l| l.p_value).collect(),
        )
    }
}

/// p-values that all these are zero, over the rows.
pub(super) fn p_value_figure(names: &[String], rows: Vec<f64>, p: Vec<f64>) -> Result<Figure> {
    LinePlot::new()
        .title(format!(
            "{} = 0: p-value that is valid at every look",
            names.join(" = ")
        ))
        .x_title("Rows")
        .y_title("p")
        .line("p", rows, p)
        .draw()
}

shown!(JointRegressionSequence);
