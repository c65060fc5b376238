//! Equations estimated side by side, with the covariance of all their coefficients.

use crate::data::{Formula, Frame};
use crate::error::Result;
use crate::inference::Covariance;
use crate::numeric::Progress;
use crate::regression::{Ols, OlsFit};

/// The column of units.
const UNIT: &str = "unit";
/// The outcomes of all equations.
const OUTCOME: &str = "outcome";

/// One equation on rows that all equations share.
pub(super) struct Equation {
    pub(super) outcome: Vec<f64>,
    /// Names, which differ between equations, and values.
    pub(super) regressors: Vec<(String, Vec<f64>)>,
}

/// Least squares of each equation: its rows stand one below the other, regressors of one equation are zero in the others, and scores are
/// summed within units over all equations, which is the joint sandwich.
pub(super) fn fit(equations: Vec<Equation>, units: &[f64], progress: &Progress) -> Result<OlsFit> {
    let (count, n) = (equations.len(), units.len());
    let mut outcomes = Vec::with_capacity(count * n);
    let mut columns: Vec<(String, Vec<f64>)> = Vec::new();
    for (place, equation) in equations.into_iter().enumerate() {
        outcomes.extend(equation.outcome);
        for (name, values) in equation.regressors {
            let mut all = vec![0.0; count * n];
            all[place * n..(place + 1) * n].copy_from_slice(&values);
            columns.push((name, all));
        }
    }
    let formula = Formula::outcome(OUTCOME)
        .regressors(columns.iter().map(|(name, _)| name))
        .without_intercept();
    let mut stacked = Frame::new()
        .with(OUTCOME, outcomes)?
        .with(UNIT, units.repeat(count))?;
    for (name, values) in columns {
        stacked = stacked.with(name, values)?;
    }
    let model = Ols::new(formula).covariance(Covariance::cluster(UNIT));
    Ok(model.fit_with(&stacked, progress)?.lean())
}

/// The units of some rows: the groups of a column, or each row by itself.
pub(super) fn units(
    cluster: Option<&str>,
    rows: &crate::data::Rows,
    frame: &Frame,
) -> Result<Vec<f64>> {
    let Some(column) = cluster else {
        return Ok((0..rows.len()).map(|i| i as f64).collect());
    };
    let codes = rows.gather(&frame.groups(column)?.codes);
    Ok(codes.iter().map(|code| f64::from(*code)).collect())
}
