//! Two binary outcomes with correlated errors.

pub(crate) mod density;
mod fit;

pub use fit::{BivariateProbitFit, BivariateProbitPrediction};

use super::binary::{Binary, Link, check_binary};
use super::likelihood::{
    Estimation, Index, Likelihood, Options, maximize, maximize_unless, options_builder,
};
use super::linear::Weights;
use super::sample::Sample;
use crate::data::{Design, Formula, Frame};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use density::TwoProbits;
use serde::Serialize;
use std::sync::Arc;

/// Beyond this |atanh ρ| (|ρ| > 0.999998) the data say that ρ is at its bound.
const BOUND: f64 = 7.0;

/// The bivariate probit `y₁ = 1{x₁'β₁ + ε₁ > 0}`, `y₂ = 1{x₂'β₂ + ε₂ > 0}` with standard normal errors of correlation ρ, by maximum
/// likelihood.
///
/// ρ says what ties two decisions of one person together beyond the regressors. When `y₁` is a regressor of the second equation (the recursive
/// model), its coefficient is the effect of an endogenous binary regressor; it rests on normality of both errors, and is credible only with a
/// regressor of the first equation that does not belong into the second. Coefficients of the second equation have its outcome as prefix
/// (`y2.x`); the last parameter is `atanh_rho`, with ρ by [`BivariateProbitFit::rho`].
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `covariance` | `Covariance::Hc1` | sampling variance | all but HC2, HC3, CR2 |
/// | `weights` | none | weights in the log-likelihood | ≥ 0; rows of weight 0 are left out |
/// | `frequency_weights` | none | each row stands for w equal rows | whole numbers |
///
/// # Errors
/// [`Error::OutOfRange`] for outcomes other than 0 and 1; [`Error::Separated`] when regressors tell an outcome of some rows without
/// error; [`Error::Unidentified`] when an outcome does not vary or ρ runs to ±1 (the outcomes are nearly the same, or a cell of their table is
/// empty); those of the formulas and the covariance; [`Error::TooFewRows`], [`Error::NotConverged`], [`Error::Cancelled`].
///
/// # References
/// Ashford, J. R. & Sowden, R. R. (1970). Multi-variate probit analysis. *Biometrics* 26(3), 535–546. doi:10.2307/2529107
///
/// Maddala, G. S. (1983). *Limited-Dependent and Qualitative Variables in Econometrics*, section 5.7 (the recursive model).
/// doi:10.1017/CBO9780511810176
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("mroz")?;
/// let fit = BivariateProbit::new("inlf ~ educ + kidslt6", "city ~ educ + age").fit(&frame)?;
/// assert_eq!(fit.names().last().map(String::as_str), Some("atanh_rho"));
/// assert!(fit.rho()?.estimate.abs() < 0.2);
/// let both = fit.predict(&frame, BivariateProbitPrediction::Both)?;
/// assert_eq!(both.len(), 753);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BivariateProbit {
    options: Options,
    second: Formula,
}

impl BivariateProbit {
    /// The model of two formulas, with robust errors.
    pub fn new(first: impl Into<Formula>, second: impl Into<Formula>) -> Self {
        Self {
            options: Options::new(first.into()),
            second: second.into(),
        }
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`BivariateProbit`].
    pub fn fit(&self, frame: &Frame) -> Result<BivariateProbitFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`BivariateProbit`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<BivariateProbitFit> {
        let parsed = self.second.parse()?;
        let of_second = parsed.variables();
        let also: Vec<&str> = of_second.iter().map(String::as_str).collect();
        let weights = self.options.weights.as_ref();
        let mut sample = Sample::new(&self.options.formula, weights, &also, frame)?;
        let of_first = sample.parsed.variables();
        let also: Vec<&str> = of_first
            .iter()
            .map(String::as_str)
            .chain(weights.map(Weights::column))
            .collect();
        let mut second = Design::build(&parsed, frame, &also)?;
        for (design, formula) in [(&sample.design, &sample.parsed), (&second, &parsed)] {
            if !design.endogenous.is_empty() || !design.fixed_effects.is_empty() {
                return Err(Error::invalid_option(
                    "formula",
                    formula,
                    "without instruments and fixed effects for a bivariate probit; an endogenous outcome is written as a regressor of the other equation",
                ));
            }
        }
        let (in_first, in_second) = (sample.design.rows.mask(), second.rows.mask());
        let shared = |rows: &crate::data::Rows| -> Vec<bool> {
            (0..rows.len())
                .map(|i| rows.index(i))
                .map(|row| in_first[row] && in_second[row])
                .collect()
        };
        let (keep_first, keep_second) = (shared(&sample.design.rows), shared(&second.rows));
        sample.restrict(&keep_first);
        second.restrict(&keep_second);
        let rows = sample.design.rows.clone();
        check_binary(&sample.design.outcome, &rows)?;
        check_binary(&second.outcome, &rows)?;

        let indices = [
            ("", &sample.design.exogenous, sample.design.intercept),
            (
                second.outcome.name.as_str(),
                &second.exogenous,
                second.intercept,
            ),
        ]
        .map(|(equation, columns, constant)| {
            Index::new(
                equation,
                columns,
                constant,
                &rows,
                sample.weights.as_deref(),
                &mut sample.warnings,
            )
        });
        let outcomes = [sample.design.outcome.clone(), second.outcome];
        let weights = sample.weights.map(Arc::new);

        // Each equation alone: the start, and the model without correlation.
        let (mut start, mut separate) = (Vec::new(), 0.0);
        for (index, outcome) in indices.iter().zip(&outcomes) {
            let alone = Likelihood {
                model: Arc::new(Binary { link: Link::Probit }),
                indices: vec![index.clone()],
                outcomes: vec![outcome.clone()],
                rows: rows.clone(),
                weights: weights.clone(),
                frequency: sample.frequency,
            };
            let zero = vec![0.0; alone.parameters()];
            let what = format!("the probit of `{}`", outcome.name);
            let found = maximize(&alone, zero, &what, progress)?;
            separate += found.sums.value;
            start.extend(found.point);
        }
        start.push(0.0);

        let likelihood = Likelihood {
            model: Arc::new(TwoProbits),
            indices: indices
                .into_iter()
                .chain([Index::parameter("atanh_rho")])
                .collect(),
            outcomes: outcomes.to_vec(),
            rows,
            weights,
            frequency: sample.frequency,
        };
        let refuse = |point: &[f64]| {
            let bound = point.last().is_some_and(|t| t.abs() > BOUND);
            bound.then(|| Error::Unidentified {
                what: "the correlation of the two outcomes, whose estimate runs to ±1,".to_owned(),
                needs: "outcomes that differ: look at their table, in which a cell may be empty"
                    .to_owned(),
            })
        };
        let what = "the likelihood of the bivariate probit";
        let found = maximize_unless(&likelihood, start.clone(), what, refuse, progress)?;
        let estimation = Estimation {
            title: "Bivariate probit",
            formulas: vec![self.options.formula.clone(), self.second.clone()],
            formula: format!("{}; {parsed}", sample.parsed),
            likelihood,
            start,
            warnings: sample.warnings,
            covariance: &self.options.covariance,
            frame,
        };
        Ok(BivariateProbitFit::new(
            estimation.finish(found, None)?,
            separate,
        ))
    }
}

options_builder!(BivariateProbit);
