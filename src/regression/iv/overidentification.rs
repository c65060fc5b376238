//! Do the instruments agree with each other?

use super::instrumental::{Instrumental, residual_weights};
use crate::error::{Error, Result};
use crate::inference::covariance::ScoreRows;
use crate::inference::{Covariance, Distribution, SmallSample, TestResult};
use crate::numeric::linalg::{Cholesky, block, sandwich};
use crate::regression::linear::Core;
use nalgebra::{DMatrix, DVector};

/// Sargan's test with the classical covariance, Hansen's J otherwise.
pub(super) fn test(this: &Instrumental, core: &Core) -> Result<TestResult> {
    let extra = this.excluded - this.endogenous;
    if extra == 0 {
        return Err(Error::Unidentified {
            what: "a test of overidentifying restrictions".to_owned(),
            needs: "more instruments than endogenous regressors".to_owned(),
        });
    }
    let (a, d, k) = (
        this.exogenous,
        this.endogenous,
        this.exogenous + this.excluded,
    );
    let x: Vec<usize> = (k..k + d).chain(0..a).collect();
    let w: Vec<usize> = (0..k).collect();
    let wx = block(&this.gram, &w, &x);
    let wy = block(&this.gram, &w, &[k + d]);
    let inverse_ww = Cholesky::full_rank(&block(&this.gram, &w, &w), "the instruments")?.inverse();
    // GMM with a given weight matrix; two-stage least squares is the one with (W'W)⁻¹.
    let gmm = |weight: &DMatrix<f64>| -> Result<DVector<f64>> {
        let bread = Cholesky::full_rank(&sandwich(weight, &wx), "the weighted moments")?;
        Ok(bread.solve_vector(&(wx.transpose() * weight * &wy).column(0).into_owned()))
    };
    let moments = |slopes: &DVector<f64>| (&wy - &wx * slopes).column(0).into_owned();
    let df = extra as f64;
    let slopes = gmm(&inverse_ww)?;
    let rows = this.with_residual(residual_weights(slopes.as_slice(), &x, k + d));
    let robust = match &core.fitted.kind {
        Covariance::Classical if rows.rss <= 0.0 => {
            return Err(Error::Unidentified {
                what: "Sargan's test".to_owned(),
                needs: "residuals that are not all zero".to_owned(),
            });
        }
        Covariance::Classical => {
            let g = moments(&slopes);
            let statistic = this.observations * (&inverse_ww * &g).dot(&g) / rows.rss;
            return Ok(TestResult::new(
                "Sargan",
                statistic,
                Distribution::ChiSquared { df },
            ));
        }
        Covariance::Hc0 | Covariance::Hc1 | Covariance::Hc2 | Covariance::Hc3 => Covariance::Hc0,
        Covariance::Cr2 { column } => {
            Covariance::cluster(column.clone()).small_sample(SmallSample::none())
        }
        other => other.clone().small_sample(SmallSample::none()),
    };
    // covariance = B S B with the bread of W; the moments' covariance S comes back by undoing the bread.
    let estimated = this.covariance_of(&rows, &robust, core)?;
    let back = Cholesky::full_rank(rows.bread(), "the instruments")?.inverse();
    let s = sandwich(&estimated.matrix, &back);
    // The working intercept moves the first moment alone; minimising over it leaves the block of the others.
    let rest: Vec<usize> = (s.nrows() - k..s.nrows()).collect();
    let s = block(&s, &rest, &rest);
    let weight = Cholesky::full_rank(
        &s,
        "the covariance of the moments (fewer clusters than instruments?)",
    )?
    .inverse();
    let g = moments(&gmm(&weight)?);
    let statistic = (&weight * &g).dot(&g);
    Ok(TestResult::new(
        "Hansen J",
        statistic,
        Distribution::ChiSquared { df },
    ))
}
