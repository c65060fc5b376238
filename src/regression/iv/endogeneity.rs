//! Are the regressors endogenous at all?

use super::instrumental::{Instrumental, residual_weights};
use crate::error::Result;
use crate::inference::{Distribution, TestResult, wald_statistic};
use crate::numeric::linalg::{Cholesky, sandwich};
use crate::regression::linear::Core;
use nalgebra::{DMatrix, DVector};

/// The Wald test of the first-stage residuals in the regression of y on `[d x]` and those residuals (Wu 1973; Hausman 1978).
pub(super) fn wu_hausman(this: &Instrumental, core: &Core) -> Result<TestResult> {
    let (a, d, k) = (
        this.exogenous,
        this.endogenous,
        this.exogenous + this.excluded,
    );
    // Regressors as combinations of the columns read: d, x, and v = d − W π_d.
    let mut combined = DMatrix::zeros(k + d + 1, 2 * d + a);
    for j in 0..d {
        combined[(k + j, j)] = 1.0;
        combined[(k + j, d + a + j)] = 1.0;
        for i in 0..k {
            combined[(i, d + a + j)] = -this.reduced[(i, j)];
        }
    }
    for j in 0..a {
        combined[(j, d + j)] = 1.0;
    }
    let gram = sandwich(&this.gram, &combined);
    let right = combined.transpose() * this.gram.column(k + d);
    let factor = Cholesky::full_rank(&gram, "the regressors with the first-stage residuals")?;
    let slopes = factor.solve_vector(&right);
    // e = y − combined · slopes, as weights on the columns read.
    let on_columns = &combined * &slopes;
    let positions: Vec<usize> = (0..k + d).collect();
    let residual = residual_weights(&on_columns.as_slice()[..k + d], &positions, k + d);
    let rows = this.with_regressors(combined, residual, &factor.inverse());
    let estimated = this.covariance_of(&rows, &core.fitted.kind, core)?;
    let size = estimated.matrix.nrows();
    let variance = estimated
        .matrix
        .view((size - d, size - d), (d, d))
        .into_owned();
    let tested = slopes.rows(slopes.len() - d, d).into_owned();
    let (statistic, _) = wald_statistic(
        &tested,
        &variance,
        &DMatrix::identity(d, d),
        &DVector::zeros(d),
    )?;
    let distribution = Distribution::F {
        df1: d as f64,
        df2: estimated.fixed_df(this.observations),
    };
    Ok(TestResult::new(
        "Wu–Hausman (exogeneity)",
        statistic / d as f64,
        distribution,
    ))
}
