//! The rows of a fitted likelihood as the covariance estimators see them.

use super::engine::Likelihood;
use super::model::Order;
use crate::error::Result;
use crate::inference::covariance::ScoreRows;
use crate::summary::gram::{TILE, Tile};
use nalgebra::DMatrix;
use std::ops::Range;

/// A likelihood at its maximum. With one concave index the effective regressor of a row is `x √(−ℓ″)` and its residual
/// `ℓ′/√(−ℓ″)`: the weighted least squares of the last Newton step, which have leverages. With several indices the row is its
/// score, and its residual one.
#[derive(Clone, Debug)]
pub(crate) struct LikelihoodRows {
    pub(crate) likelihood: Likelihood,
    pub(crate) point: Vec<f64>,
    /// The inverse of the observed information.
    pub(crate) bread: DMatrix<f64>,
}

impl ScoreRows for LikelihoodRows {
    fn rows(&self) -> usize {
        self.likelihood.rows.len()
    }

    fn parameters(&self) -> usize {
        self.likelihood.parameters()
    }

    fn fill(&self, rows: Range<usize>, tile: &mut Tile, residual: &mut [f64]) {
        let len = rows.len();
        let mut work = self.likelihood.workspace();
        self.likelihood
            .fill(rows, &self.point, Order::Hessian, &mut work);
        if self.likelihood.model.is_concave() {
            let mut root = [0.0; TILE];
            let slope = &work.derivatives.gradient[0];
            let curvature = &work.derivatives.hessian[0];
            for i in 0..len {
                root[i] = (-curvature[i]).max(0.0).sqrt();
                residual[i] = if root[i] > 0.0 {
                    slope[i] / root[i]
                } else {
                    0.0
                };
            }
            work.tile.scale_rows(&root[..len]);
        } else {
            for (range, slope) in self
                .likelihood
                .ranges()
                .into_iter()
                .zip(&work.derivatives.gradient)
            {
                for j in range {
                    for (x, g) in work.tile.column_mut(j)[..len].iter_mut().zip(slope) {
                        *x *= g;
                    }
                }
            }
            residual.fill(1.0);
        }
        std::mem::swap(tile, &mut work.tile);
    }

    fn bread(&self) -> &DMatrix<f64> {
        &self.bread
    }

    fn frequencies(&self, rows: Range<usize>) -> Option<&[f64]> {
        let weights = self
            .likelihood
            .weights
            .as_ref()
            .filter(|_| self.likelihood.frequency)?;
        Some(&weights[rows])
    }

    fn variance(&self, _residual_df: f64) -> f64 {
        1.0 // the inverse information is the classical covariance
    }

    fn add_absorbed_leverage(&self, _rows: Range<usize>, _leverage: &mut [f64]) -> Result<()> {
        Ok(())
    }
}
