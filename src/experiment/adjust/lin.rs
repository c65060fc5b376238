//! Lin's regression of the metric on arms, centred covariates and their products.

use crate::data::Frame;
use crate::error::{Error, Result};
use crate::experiment::analysis::{ArmValue, Compared};
use crate::experiment::metric::LinAdjustment;
use crate::inference::Inference;
use crate::regression::Ols;

/// The adjusted value of every arm. With all products the regression falls apart into one for each arm, whose constant, at
/// covariates centred over all units, is the arm's value, and HC2 and HC3 are those of the parts.
pub(crate) fn lin(
    adjustment: &LinAdjustment,
    metric: &str,
    outcome: &str,
    frame: &Frame,
    arms: &[String],
    rows: &[Vec<u32>],
) -> Result<Vec<Compared>> {
    let y = frame.numeric(outcome)?;
    let columns = adjustment
        .covariates
        .iter()
        .map(|name| frame.numeric(name))
        .collect::<Result<Vec<_>>>()?;
    let complete = |row: &u32| {
        let row = *row as usize;
        !y.values()[row].is_nan() && columns.iter().all(|c| !c.values()[row].is_nan())
    };
    let used: Vec<Vec<u32>> = rows
        .iter()
        .map(|rows| rows.iter().copied().filter(complete).collect())
        .collect();
    let total: usize = used.iter().map(Vec::len).sum();
    let means: Vec<f64> = columns
        .iter()
        .map(|c| {
            let all = used.iter().flatten().map(|row| c.values()[*row as usize]);
            all.sum::<f64>() / total as f64
        })
        .collect();
    let mut found = Vec::new();
    for (arm, rows) in arms.iter().zip(&used) {
        let take = |values: &[f64], shift: f64| -> Vec<f64> {
            rows.iter().map(|r| values[*r as usize] - shift).collect()
        };
        let mut part = Frame::new().with("y", take(y.values(), 0.0))?;
        let mut formula = "y ~ 1".to_owned();
        for (i, (column, mean)) in columns.iter().zip(&means).enumerate() {
            part = part.with(format!("x{i}"), take(column.values(), *mean))?;
            formula += " + x";
            formula += &i.to_string();
        }
        let parameters = columns.len() + 1;
        if rows.len() <= parameters {
            return Err(Error::TooFewRows {
                rows: rows.len(),
                parameters,
            });
        }
        let fit = Ols::new(formula)
            .covariance(adjustment.covariance.clone())
            .fit(&part)?;
        let constant = fit.estimate_at(0);
        let n = rows.len() as f64;
        let variance = constant.std_error * constant.std_error;
        let mean = take(y.values(), 0.0).iter().sum::<f64>() / n;
        let spread: f64 = take(y.values(), mean).iter().map(|d| d * d).sum();
        found.push(Compared {
            record: ArmValue {
                metric: metric.to_owned(),
                arm: arm.clone(),
                units: rows.len() as u64,
                value: constant.estimate,
                std_error: constant.std_error,
                unit_variance: variance * n,
                unadjusted: mean,
                unadjusted_variance: spread / (n - 1.0),
            },
            parts: vec![(variance, constant.degrees_of_freedom)],
        });
    }
    Ok(found)
}
