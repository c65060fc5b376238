//! The rows of a fitted linear model as the covariance estimators see them.

use super::Columns;
use crate::error::{Error, Result};
use crate::inference::covariance::ScoreRows;
use crate::numeric::blocks;
use crate::regression::absorb::Absorbed;
use crate::summary::gram::{TILE, Tile};
use nalgebra::{DMatrix, DVector};
use std::ops::Range;
use std::sync::Arc;

/// How the effective regressors are made from the columns that are read.
#[derive(Clone, Debug)]
pub(crate) enum Regressors {
    /// They are the first `k` of them.
    First(usize),
    /// They are linear combinations: column j of the matrix gives regressor j (k-class estimators).
    Combined(DMatrix<f64>),
}

/// A fitted linear model over its rows. Regressors are centred when there is an intercept, which then is a parameter of its
/// own (the first): in that basis it is orthogonal to all others, and large means cost no digits.
#[derive(Clone, Debug)]
pub(crate) struct LinearRows {
    pub(crate) columns: Columns,
    /// Which columns are read.
    pub(crate) used: Vec<usize>,
    /// What is subtracted from each.
    pub(crate) center: Vec<f64>,
    pub(crate) intercept: bool,
    pub(crate) regressors: Regressors,
    /// `e = Σ_j residual_j (u_j − center_j)`.
    pub(crate) residual: Vec<f64>,
    pub(crate) bread: DMatrix<f64>,
    /// Σ w e².
    pub(crate) rss: f64,
    pub(crate) absorbed: Option<Arc<Absorbed>>,
}

impl LinearRows {
    fn slopes(&self) -> usize {
        match &self.regressors {
            Regressors::First(k) => *k,
            Regressors::Combined(matrix) => matrix.ncols(),
        }
    }

    /// The unweighted residuals of a range of rows.
    pub(crate) fn residuals(&self, rows: Range<usize>, out: &mut [f64]) {
        let mut column = [0.0; TILE];
        let column = &mut column[..rows.len()];
        out.fill(0.0);
        for ((&j, center), weight) in self.used.iter().zip(&self.center).zip(&self.residual) {
            if weight.abs() > 0.0 {
                self.columns.fill(j, rows.clone(), column);
                accumulate(out, column, *center, *weight);
            }
        }
    }

    /// All residuals, unweighted, over the used rows.
    pub(crate) fn all_residuals(&self) -> Vec<f64> {
        let mut out = vec![0.0; self.columns.rows.len()];
        blocks::fill(&mut out, TILE, |start, chunk| {
            self.residuals(start..start + chunk.len(), chunk);
        });
        out
    }

    /// `Σ w x e` over the effective regressors (intercept first) and `Σ w e²`.
    pub(crate) fn score(&self) -> (DVector<f64>, f64) {
        let k = self.parameters();
        let work = |block: Range<usize>| {
            let mut sums = vec![0.0; k + 1];
            let mut tile = Tile::new(k);
            let mut residual = [0.0; TILE];
            for r in blocks::ranges(block.len(), TILE) {
                let rows = block.start + r.start..block.start + r.end;
                let residual = &mut residual[..rows.len()];
                self.fill(rows, &mut tile, residual);
                for (j, sum) in sums[..k].iter_mut().enumerate() {
                    *sum += tile
                        .column(j)
                        .iter()
                        .zip(&*residual)
                        .map(|(x, e)| x * e)
                        .sum::<f64>();
                }
                sums[k] += residual.iter().map(|e| e * e).sum::<f64>();
            }
            sums
        };
        let sums = blocks::reduce(self.rows(), 32 * TILE, work, |total, part| {
            total.iter_mut().zip(part).for_each(|(a, b)| *a += b);
        })
        .unwrap_or_else(|| vec![0.0; k + 1]);
        (DVector::from_column_slice(&sums[..k]), sums[k])
    }

    /// Multiplies a tile's columns and residuals by the square roots of the weights.
    fn weigh(&self, rows: Range<usize>, tile: &mut Tile, residual: &mut [f64]) {
        let Some(weights) = &self.columns.weights else {
            return;
        };
        let mut root = [0.0; TILE];
        for (root, w) in root.iter_mut().zip(&weights[rows.clone()]) {
            *root = w.sqrt();
        }
        tile.scale_rows(&root[..rows.len()]);
        for (e, root) in residual.iter_mut().zip(&root) {
            *e *= root;
        }
    }
}

impl ScoreRows for LinearRows {
    fn rows(&self) -> usize {
        self.columns.rows.len()
    }

    fn parameters(&self) -> usize {
        self.slopes() + usize::from(self.intercept)
    }

    fn fill(&self, rows: Range<usize>, tile: &mut Tile, residual: &mut [f64]) {
        let len = rows.len();
        residual.fill(0.0);
        let first = usize::from(self.intercept);
        if self.intercept {
            tile.column_mut(0)[..len].fill(1.0);
        }
        match &self.regressors {
            Regressors::First(k) => {
                let mut spare = [0.0; TILE];
                for (position, &j) in self.used.iter().enumerate() {
                    let column = if position < *k {
                        &mut tile.column_mut(first + position)[..len]
                    } else {
                        &mut spare[..len]
                    };
                    self.columns.fill(j, rows.clone(), column);
                    center_and_accumulate(
                        column,
                        self.center[position],
                        residual,
                        self.residual[position],
                    );
                }
            }
            Regressors::Combined(matrix) => {
                let mut scratch = vec![0.0; self.used.len() * TILE];
                for (position, &j) in self.used.iter().enumerate() {
                    let column = &mut scratch[position * TILE..position * TILE + len];
                    self.columns.fill(j, rows.clone(), column);
                    center_and_accumulate(
                        column,
                        self.center[position],
                        residual,
                        self.residual[position],
                    );
                }
                for k in 0..matrix.ncols() {
                    let out = &mut tile.column_mut(first + k)[..len];
                    out.fill(0.0);
                    for position in 0..self.used.len() {
                        let weight = matrix[(position, k)];
                        if weight.abs() > 0.0 {
                            accumulate(
                                out,
                                &scratch[position * TILE..position * TILE + len],
                                0.0,
                                weight,
                            );
                        }
                    }
                }
            }
        }
        self.weigh(rows, tile, residual);
    }

    fn bread(&self) -> &DMatrix<f64> {
        &self.bread
    }

    fn frequencies(&self, rows: Range<usize>) -> Option<&[f64]> {
        let weights = self
            .columns
            .weights
            .as_ref()
            .filter(|_| self.columns.frequency)?;
        Some(&weights[rows])
    }

    fn variance(&self, residual_df: f64) -> f64 {
        self.rss / residual_df
    }

    fn add_absorbed_leverage(&self, rows: Range<usize>, leverage: &mut [f64]) -> Result<()> {
        let Some(absorbed) = &self.absorbed else {
            return Ok(());
        };
        absorbed.add_leverage(rows, leverage).map_err(|effects| {
            Error::invalid_option(
                "covariance",
                format!("HC2 or HC3 with {effects} absorbed effects"),
                "used with at most one absorbed effect, whose leverage is known; write the smaller ones as C(effect), or use HC1 or clusters",
            )
        })
    }
}

/// `out += weight (column − center)`.
fn accumulate(out: &mut [f64], column: &[f64], center: f64, weight: f64) {
    for (out, x) in out.iter_mut().zip(column) {
        *out += weight * (x - center);
    }
}

/// Centres a column in place and adds its share of the residual.
fn center_and_accumulate(column: &mut [f64], center: f64, residual: &mut [f64], weight: f64) {
    for (x, e) in column.iter_mut().zip(residual) {
        *x -= center;
        *e += weight * *x;
    }
}
