//! Outcomes less what covariates explain.

use super::board::Board;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::Inference as _;
use crate::regression::Ols;

/// Takes out of the outcomes the slopes of covariates, found in the untreated cells with effects of units and periods.
pub(super) fn residualised(
    board: &mut Board,
    covariates: &[String],
    frame: &Frame,
    warnings: &mut Vec<Warning>,
) -> Result<()> {
    let columns = board.columns.clone();
    let treatment = frame.numeric(&columns.treatment)?;
    let untreated: Vec<bool> = treatment.values().iter().map(|w| *w < 0.5).collect();
    let quoted = |name: &String| format!("`{name}`");
    let terms: Vec<String> = covariates.iter().map(quoted).collect();
    let formula = format!(
        "{} ~ {} | {} + {}",
        quoted(&columns.outcome),
        terms.join(" + "),
        quoted(&columns.unit),
        quoted(&columns.period)
    );
    let fit = Ols::new(formula).fit(&frame.filter(&untreated)?)?;
    let features = std::mem::take(&mut board.features);
    for ((covariate, name), feature) in covariates.iter().zip(&terms).zip(&features) {
        let known = fit.names().iter().position(|n| n == covariate || n == name);
        let Some(place) = known else {
            warnings.push(Warning::Collinear {
                columns: vec![covariate.clone()],
            });
            continue;
        };
        let slope = fit.estimates()[place];
        for (unit, series) in board.y.iter_mut().enumerate() {
            for (t, y) in series.iter_mut().enumerate() {
                let Some(x) = feature.value(unit, t) else {
                    return Err(Error::Unidentified {
                        what: format!("what `{covariate}` explains"),
                        needs: format!(
                            "a finite value of `{}` {} in {}; fill it or leave the unit or the covariate out",
                            columns.unit, board.units[unit], board.labels[t]
                        ),
                    });
                };
                *y -= slope * x;
            }
        }
    }
    Ok(())
}
