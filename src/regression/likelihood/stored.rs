//! Rows of scores that are kept as they were at the end of an estimation.

use crate::error::{Error, Result};
use crate::inference::covariance::ScoreRows;
use crate::summary::gram::Tile;
use nalgebra::DMatrix;
use std::ops::Range;

/// Effective regressors and residuals, one entry a used row; the score of a row is their product.
#[derive(Clone, Debug)]
pub(crate) struct StoredRows {
    pub(crate) columns: Vec<Vec<f64>>,
    pub(crate) residual: Vec<f64>,
    /// The inverse of the observed information.
    pub(crate) bread: DMatrix<f64>,
    /// Frequency weights.
    pub(crate) frequencies: Option<Vec<f64>>,
}

impl ScoreRows for StoredRows {
    fn rows(&self) -> usize {
        self.residual.len()
    }

    fn parameters(&self) -> usize {
        self.columns.len()
    }

    fn fill(&self, rows: Range<usize>, tile: &mut Tile, residual: &mut [f64]) {
        for (j, column) in self.columns.iter().enumerate() {
            tile.column_mut(j)[..rows.len()].copy_from_slice(&column[rows.clone()]);
        }
        residual.copy_from_slice(&self.residual[rows]);
    }

    fn bread(&self) -> &DMatrix<f64> {
        &self.bread
    }

    fn frequencies(&self, rows: Range<usize>) -> Option<&[f64]> {
        Some(&self.frequencies.as_ref()?[rows])
    }

    fn variance(&self, _residual_df: f64) -> f64 {
        1.0 // the inverse information is the classical covariance
    }

    fn add_absorbed_leverage(&self, _rows: Range<usize>, _leverage: &mut [f64]) -> Result<()> {
        Err(Error::invalid_option(
            "covariance",
            "HC2 or HC3",
            "HC1 or clusters: the leverages of this model's rows are not known",
        ))
    }
}
