//! Estimators in several steps as covariance estimators see them: each row is its influence on the estimates.

use super::likelihood::Index;
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::inference::Covariance;
use crate::inference::covariance::ScoreRows;
use crate::numeric::blocks;
use crate::summary::gram::{TILE, Tile};
use nalgebra::{DMatrix, DVector};
use std::ops::Range;
use std::sync::Arc;

/// Influence functions `ψ_i` with `θ̂ − θ ≈ Σ_i ψ_i`, weights multiplied in. The influence of an earlier step on a later one is
/// part of them, so that `Σ ψ_i ψ_i'`, or its sum within clusters, is the covariance of all steps at once
/// (Newey & McFadden 1994, section 6, doi:10.1016/S1573-4412(05)80005-4).
#[derive(Clone, Debug)]
pub(crate) struct Influence {
    columns: Vec<Vec<f64>>,
    rows: usize,
    frequencies: Option<Arc<Vec<f64>>>,
    identity: DMatrix<f64>,
}

impl Influence {
    /// One column a parameter; `frequencies` when each row stands for many.
    pub(crate) fn new(columns: Vec<Vec<f64>>, frequencies: Option<Arc<Vec<f64>>>) -> Self {
        Self {
            rows: columns.first().map_or(0, Vec::len),
            identity: DMatrix::identity(columns.len(), columns.len()),
            columns,
            frequencies,
        }
    }
}

impl ScoreRows for Influence {
    fn rows(&self) -> usize {
        self.rows
    }

    fn parameters(&self) -> usize {
        self.columns.len()
    }

    fn fill(&self, rows: Range<usize>, tile: &mut Tile, residual: &mut [f64]) {
        for (j, column) in self.columns.iter().enumerate() {
            tile.column_mut(j)[..rows.len()].copy_from_slice(&column[rows.clone()]);
        }
        residual.fill(1.0);
    }

    fn bread(&self) -> &DMatrix<f64> {
        &self.identity
    }

    fn frequencies(&self, rows: Range<usize>) -> Option<&[f64]> {
        self.frequencies.as_ref().map(|f| &f[rows])
    }

    fn variance(&self, _residual_df: f64) -> f64 {
        1.0
    }

    fn add_absorbed_leverage(&self, _rows: Range<usize>, _leverage: &mut [f64]) -> Result<()> {
        Ok(())
    }
}

/// Refuses the covariances that need leverages, which rows of a model in several steps do not have.
pub(crate) fn refuse_leverage(covariance: &Covariance, model: &str) -> Result<()> {
    let leverage = matches!(
        covariance,
        Covariance::Hc2 | Covariance::Hc3 | Covariance::Cr2 { .. } | Covariance::Cr3 { .. }
    );
    if !leverage {
        return Ok(());
    }
    Err(Error::invalid_option(
        "covariance",
        covariance,
        format!("HC0, HC1, clusters or a kernel for the {model}: its rows have no leverages"),
    ))
}

/// The working regressors of an index on some rows, one column a parameter.
pub(crate) fn working_columns(index: &Index, rows: &Rows) -> Vec<Vec<f64>> {
    let k = index.parameters();
    let mut columns = vec![vec![0.0; rows.len()]; k];
    let (mut tile, mut eta, zero) = (Tile::new(k), [0.0; TILE], vec![0.0; k]);
    for range in blocks::ranges(rows.len(), TILE) {
        let len = range.len();
        index.fill(rows, range.clone(), &zero, &mut tile, 0, &mut eta[..len]);
        for (j, column) in columns.iter_mut().enumerate() {
            column[range.clone()].copy_from_slice(&tile.column(j)[..len]);
        }
    }
    columns
}

/// `Σ_j columns_j b_j` of each row.
pub(crate) fn combine(columns: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; columns.first().map_or(0, Vec::len)];
    for (column, b) in columns.iter().zip(b) {
        out.iter_mut().zip(column).for_each(|(o, x)| *o += b * x);
    }
    out
}

/// `A' diag(w) B` of two lists of columns.
pub(crate) fn cross(a: &[Vec<f64>], weights: &[f64], b: &[Vec<f64>]) -> DMatrix<f64> {
    let mut out = DMatrix::zeros(a.len(), b.len());
    for (j, right) in b.iter().enumerate() {
        let scaled: Vec<f64> = right.iter().zip(weights).map(|(x, w)| x * w).collect();
        for (i, left) in a.iter().enumerate() {
            out[(i, j)] = left.iter().zip(&scaled).map(|(x, y)| x * y).sum();
        }
    }
    out
}

/// Weighted least squares with one step of refinement, and the residuals.
pub(crate) fn least_squares(
    x: &[Vec<f64>],
    weights: &[f64],
    y: &[f64],
    inverse: &DMatrix<f64>,
) -> (Vec<f64>, Vec<f64>) {
    let mut b = DVector::zeros(x.len());
    let mut residuals = y.to_vec();
    for _ in 0..2 {
        let right = cross(x, weights, std::slice::from_ref(&residuals));
        b += inverse * right.column(0);
        let fit = combine(x, b.as_slice());
        residuals = y.iter().zip(&fit).map(|(y, f)| y - f).collect();
    }
    (b.as_slice().to_vec(), residuals)
}

/// The covariance of two blocks, given both and the cross-covariance.
pub(crate) fn joint(
    first: &DMatrix<f64>,
    across: &DMatrix<f64>,
    second: &DMatrix<f64>,
) -> DMatrix<f64> {
    let (a, b) = (first.nrows(), second.nrows());
    let mut out = DMatrix::zeros(a + b, a + b);
    out.view_mut((0, 0), (a, a)).copy_from(first);
    out.view_mut((0, a), (a, b)).copy_from(across);
    out.view_mut((a, 0), (b, a)).copy_from(&across.transpose());
    out.view_mut((a, a), (b, b)).copy_from(second);
    out
}
