//! What each study does to a meta-analysis.

use super::heterogeneity::{Spread, Weighted};
use super::{BetweenStudies, MeanError};
use crate::error::{Error, Result};
use crate::inference::Estimate;
use crate::numeric::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// What one study does to a fit: everything is compared with the fit to all other studies, τ² estimated anew (Viechtbauer & Cheung 2010, *Research Synthesis Methods* 1, 112–125,
/// doi:10.1002/jrsm.11).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyInfluence {
    /// The study.
    pub name: String,
    /// Its leverage, the weight of its estimate in its own fitted value.
    pub leverage: f64,
    /// Its estimate less what the others expect of it, over the standard error of that difference.
    pub studentized_residual: f64,
    /// By how many standard errors its fitted value moves.
    pub dffits: f64,
    /// Cook's distance: how far all fitted values move, in the metric of the coefficients' covariance.
    pub cooks_distance: f64,
    /// The determinant of the coefficients' covariance without the study over that with it; below one, the study costs precision.
    pub covariance_ratio: f64,
    /// τ² without it.
    pub between: f64,
    /// Q (or `Q_E`) without it.
    pub q: f64,
}

/// Squares that are this small beside those of the estimates are the rounding of estimates that agree.
const NO_SPREAD: f64 = 1e-26;

struct Pooled {
    between: f64,
    at: Weighted,
    /// What multiplies `(X'WX)⁻¹`.
    scale: f64,
    q: f64,
}

fn pooled(spread: &Spread<'_>, method: BetweenStudies, mean_error: MeanError) -> Result<Pooled> {
    let between = spread.estimate(method)?;
    let at = spread.at(between);
    let free = spread.free();
    Ok(Pooled {
        between,
        scale: mean_error.scale(at.q / free, free).0,
        q: spread.at(0.0).q,
        at,
    })
}

/// Every study in turn.
pub(super) fn influence(
    studies: &[Estimate],
    x: Option<&DMatrix<f64>>,
    method: BetweenStudies,
    mean_error: MeanError,
) -> Result<Vec<StudyInfluence>> {
    let p = x.map_or(1, DMatrix::ncols);
    if studies.len() < p + 2 {
        return Err(Error::Unidentified {
            what: "what the others say without one study".to_owned(),
            needs: format!("at least {} studies", p + 2),
        });
    }
    let y: Vec<f64> = studies.iter().map(|s| s.estimate).collect();
    let variance: Vec<f64> = studies.iter().map(|s| s.std_error.powi(2)).collect();
    let spread = Spread {
        y: &y,
        variance: &variance,
        x,
    };
    let all = pooled(&spread, method, mean_error)?;
    let sizes = (y.iter().zip(&variance)).map(|(y, v)| y * y / (v + all.between));
    if mean_error == MeanError::HartungKnapp && all.at.q <= NO_SPREAD * sizes.sum::<f64>() {
        return Err(Error::Unidentified {
            what: "what each study does to the coefficients, whose Hartung–Knapp errors are zero,"
                .to_owned(),
            needs: "studies that differ; or MeanError::AtLeastNormal".to_owned(),
        });
    }
    let factor = Cholesky::full_rank(
        &(&all.at.inverse * all.scale),
        "the covariance of the coefficients",
    )?;
    let without = |values: &[f64], out: usize| -> Vec<f64> {
        let kept = values.iter().enumerate().filter(|(i, _)| *i != out);
        kept.map(|(_, v)| *v).collect()
    };
    let one = |out: usize| {
        let (y_rest, rest) = (without(&y, out), without(&variance, out));
        let x_rest = x.map(|x| x.clone().remove_row(out));
        let spread = Spread {
            y: &y_rest,
            variance: &rest,
            x: x_rest.as_ref(),
        };
        if !spread.is_full_rank() {
            return Err(Error::Unidentified {
                what: format!(
                    "what each moderator does without study {}",
                    studies[out].name
                ),
                needs: "moderators that also differ between the other studies".to_owned(),
            });
        }
        let others = pooled(&spread, method, mean_error)?;
        let row = x.map_or_else(|| DVector::from_element(1, 1.0), |x| x.row(out).transpose());
        let move_by = &all.at.coefficients - &others.at.coefficients;
        let expected = row.dot(&others.at.coefficients);
        let error = others.scale * row.dot(&(&others.at.inverse * &row));
        let own = others.scale * (variance[out] + others.between);
        let leverage = all.at.leverages[out];
        let ratio = others.at.inverse.determinant() / all.at.inverse.determinant();
        Ok(StudyInfluence {
            name: studies[out].name.clone(),
            leverage,
            studentized_residual: (y[out] - expected) / (own + error).sqrt(),
            dffits: row.dot(&move_by) / (leverage * own).sqrt(),
            cooks_distance: move_by.dot(&factor.solve_vector(&move_by)),
            covariance_ratio: ratio * (others.scale / all.scale).powf(p as f64),
            between: others.between,
            q: others.q,
        })
    };
    (0..studies.len()).map(one).collect()
}
