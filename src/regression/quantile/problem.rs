//! The rows of a quantile regression, and the sums over them that its algorithms need.

use crate::numeric::blocks;
use crate::numeric::linalg::Cholesky;
use crate::summary::gram::{TILE, Tile, packed_len, unpack};
use nalgebra::{DMatrix, DVector};
use std::ops::Range;

/// Rows of a parallel block.
const BLOCK: usize = 32 * TILE;

/// Regressors, one column each, and the outcome; weights are multiplied into both, since `w ρ(r) = ρ(w r)`.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) x: Vec<Vec<f64>>,
    pub(super) y: Vec<f64>,
}

impl Problem {
    pub(super) fn rows(&self) -> usize {
        self.y.len()
    }

    pub(super) fn parameters(&self) -> usize {
        self.x.len()
    }

    /// The regressors of a row.
    pub(super) fn row(&self, i: usize) -> DVector<f64> {
        DVector::from_iterator(self.x.len(), self.x.iter().map(|column| column[i]))
    }

    /// `x'b` of each row.
    pub(super) fn along(&self, b: &DVector<f64>) -> Vec<f64> {
        let mut out = vec![0.0; self.rows()];
        blocks::fill(&mut out, BLOCK, |first, chunk| {
            for (column, b) in self.x.iter().zip(b.iter()) {
                for (o, x) in chunk.iter_mut().zip(&column[first..]) {
                    *o += b * x;
                }
            }
        });
        out
    }

    /// `y − x'b`.
    pub(super) fn residuals(&self, b: &[f64]) -> Vec<f64> {
        let mut out = self.along(&DVector::from_column_slice(b));
        out.iter_mut().zip(&self.y).for_each(|(f, y)| *f = y - *f);
        out
    }

    /// `Σ ρ_τ(y − x'b)` with `ρ_τ(r) = r(τ − 1{r < 0})`.
    pub(super) fn objective(&self, b: &[f64], tau: f64) -> f64 {
        self.residuals(b).iter().map(|r| check(*r, tau)).sum()
    }

    /// `Σ q x x'` and `Σ q x v`.
    pub(super) fn weighted(&self, q: &[f64], v: &[f64]) -> (DMatrix<f64>, DVector<f64>) {
        let k = self.parameters();
        let work = |block: Range<usize>| {
            let mut packed = vec![0.0; packed_len(k + 1)];
            let mut tile = Tile::new(k + 1);
            let mut root = [0.0; TILE];
            for r in blocks::ranges(block.len(), TILE) {
                let rows = block.start + r.start..block.start + r.end;
                let len = rows.len();
                for (root, q) in root.iter_mut().zip(&q[rows.clone()]) {
                    *root = q.sqrt();
                }
                for (j, column) in self.x.iter().map(Vec::as_slice).chain([v]).enumerate() {
                    tile.column_mut(j)[..len].copy_from_slice(&column[rows.clone()]);
                }
                tile.scale_rows(&root[..len]);
                tile.clear_from(len);
                tile.add_gram(&mut packed);
            }
            packed
        };
        let packed = blocks::reduce(self.rows(), BLOCK, work, |total, part| {
            total.iter_mut().zip(part).for_each(|(a, b)| *a += b);
        })
        .unwrap_or_else(|| vec![0.0; packed_len(k + 1)]);
        let all = unpack(&packed, k + 1);
        (
            all.view((0, 0), (k, k)).into_owned(),
            all.view((0, k), (k, 1)).column(0).into_owned(),
        )
    }

    /// `Σ q x v`.
    pub(super) fn moment(&self, q: &[f64], v: &[f64]) -> DVector<f64> {
        let products: Vec<f64> = q.iter().zip(v).map(|(q, v)| q * v).collect();
        self.total(&products)
    }

    /// `Σ x v`.
    pub(super) fn total(&self, v: &[f64]) -> DVector<f64> {
        let sum = |column: &Vec<f64>| -> f64 {
            let tiles = column.chunks(TILE).zip(v.chunks(TILE));
            tiles
                .map(|(x, v)| x.iter().zip(v).map(|(x, v)| x * v).sum::<f64>())
                .sum()
        };
        DVector::from_iterator(self.x.len(), self.x.iter().map(sum))
    }

    /// Least squares, where the search starts.
    pub(super) fn least_squares(&self) -> Vec<f64> {
        let ones = vec![1.0; self.rows()];
        let (gram, moment) = self.weighted(&ones, &self.y);
        let factor = Cholesky::with_tolerance(&gram, f64::EPSILON);
        let mut b = vec![0.0; self.parameters()];
        for (j, value) in factor
            .kept()
            .iter()
            .zip(factor.solve_vector(&moment).iter())
        {
            b[*j] = *value;
        }
        b
    }
}

/// `ρ_τ(r) = r(τ − 1{r < 0})`.
pub(super) fn check(r: f64, tau: f64) -> f64 {
    if r < 0.0 { r * (tau - 1.0) } else { r * tau }
}
