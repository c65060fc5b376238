//! Stated numbers as intervals of a latent normal variable: what stated costs and stated beliefs share.

use super::interval::{IntervalRows, MeanOf};
use crate::data::{DesignColumn, Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::inference::{Estimate, Inference};
use crate::numeric::Progress;
use crate::regression::delegate::delegate_to_likelihood;
use crate::regression::likelihood::{Estimation, Index, Likelihood, Options, maximize_unless};
use crate::regression::{LikelihoodFit, MarginalEffects, Margins, Quantity};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The interval of each used row; equal ends are a point.
#[derive(Default)]
pub(super) struct Stated {
    pub(super) lower: Vec<f64>,
    pub(super) upper: Vec<f64>,
    pub(super) warnings: Vec<Warning>,
}

impl Stated {
    pub(super) fn push(&mut self, lower: f64, upper: f64) {
        self.lower.push(lower);
        self.upper.push(upper);
    }
}

/// Regression of a latent normal variable that is known in intervals. `ends` turns the outcomes of the used rows into intervals; rows where one
/// of `also` is missing are dropped.
pub(super) fn estimate(
    options: &Options,
    title: &'static str,
    model: IntervalRows,
    also: &[&str],
    ends: impl Fn(&[f64], &Rows, &str) -> Result<Stated>,
    frame: &Frame,
    progress: &Progress,
) -> Result<StatedFit> {
    let mut sample = options.sample_with(frame, also, "without fixed effects for this model")?;
    let rows = sample.design.rows.clone();
    let outcome = sample.design.outcome.values(&rows);
    let stated = ends(&outcome, &rows, &sample.design.outcome.name)?;
    let index = options.index(frame, &mut sample)?;
    let start = start(&index, &stated, &sample.design.outcome.name)?;
    let spread = |values: &[f64]| {
        let mut all = vec![f64::NAN; rows.total()];
        for (i, v) in values.iter().enumerate() {
            all[rows.index(i)] = *v;
        }
        Arc::new(all)
    };
    let likelihood = Likelihood {
        model: Arc::new(model),
        indices: vec![index, Index::parameter("ln_sigma")],
        outcomes: vec![
            DesignColumn::new("lower", spread(&stated.lower)),
            DesignColumn::new("upper", spread(&stated.upper)),
        ],
        rows,
        weights: sample.weights.map(Arc::new),
        frequency: sample.frequency,
    };
    let parameters = likelihood.parameters();
    if likelihood.observations() <= parameters as f64 {
        return Err(Error::TooFewRows {
            rows: likelihood.observations() as usize,
            parameters,
        });
    }
    let what = format!("the likelihood of {title}");
    let found = maximize_unless(&likelihood, start.clone(), &what, |_| None, progress)?;
    let estimation = Estimation {
        title,
        formulas: vec![options.formula.clone()],
        formula: sample.parsed.to_string(),
        likelihood,
        start,
        warnings: sample.warnings.into_iter().chain(stated.warnings).collect(),
        covariance: &options.covariance,
        frame,
    };
    Ok(StatedFit {
        fit: estimation.finish(found, None)?,
        probability: model.mean == MeanOf::Probability,
    })
}

/// The middle and the spread of the finite ends; slopes of zero.
fn start(index: &Index, stated: &Stated, column: &str) -> Result<Vec<f64>> {
    let ends = stated.lower.iter().chain(&stated.upper).copied();
    let ends: Vec<f64> = ends.filter(|e| e.is_finite()).collect();
    let n = ends.len() as f64;
    let mean = ends.iter().sum::<f64>() / n;
    let variance = ends.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / n;
    // A number that lies in every interval makes the likelihood one as σ falls to zero there.
    let above = stated
        .lower
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    let below = stated.upper.iter().copied().fold(f64::INFINITY, f64::min);
    if variance <= 0.0 || variance.is_nan() || above <= below {
        return Err(Error::Unidentified {
            what: format!("the spread of `{column}`"),
            needs: "numbers that differ by more than their rounding".to_owned(),
        });
    }
    let mut start = vec![0.0; index.parameters()];
    if index.constant.is_some()
        && let Some(first) = start.first_mut()
    {
        *first = mean;
    }
    start.push(0.5 * variance.ln());
    Ok(start)
}

/// A fitted [`super::Bdm`] or [`super::ElicitedBeliefs`]: a normal regression of numbers known in intervals. It answers the verbs of
/// [`Inference`] with the normal distribution and prints as a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatedFit {
    fit: LikelihoodFit,
    /// Whether the latent number is the probit of a probability.
    probability: bool,
}

impl StatedFit {
    /// The standard deviation σ of what regressors do not explain, by the delta method.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn sigma(&self) -> Result<Estimate> {
        self.fit.nonlinear("sigma", &["ln_sigma"], |p| p[0].exp())
    }

    /// The expected amount, or the expected reported probability, for the rows of a frame; NaN where a regressor is missing.
    ///
    /// # Errors
    /// Those of [`LikelihoodFit::predict`].
    pub fn predict(&self, frame: &Frame) -> Result<Vec<f64>> {
        self.fit.predict(frame, Quantity::Mean)
    }

    /// Marginal effects on the expected amount or probability.
    ///
    /// # Errors
    /// Those of [`LikelihoodFit::marginal_effects`].
    pub fn marginal_effects(&self, margins: &Margins) -> Result<MarginalEffects> {
        self.fit
            .marginal_effects(&margins.clone().quantity(Quantity::Mean))
    }

    fn dress(&self, mut table: Table) -> Table {
        if let Ok(sigma) = self.sigma() {
            table = table.note(sigma.to_string());
        }
        if self.probability {
            table = table.note("Coefficients are on the scale of the probit of the belief");
        }
        table
    }

    fn more_footer(&self) -> Vec<(String, Cell)> {
        let sigma = self.sigma().ok();
        sigma
            .map(|s| ("σ".to_owned(), Cell::significant(s.estimate, 4)))
            .into_iter()
            .collect()
    }
}

delegate_to_likelihood!(StatedFit);
