//! Cross-products of encoded columns, target and constant: all that least squares with any penalty needs of the rows.

use super::encode::Encoding;
use super::features::Features;
use crate::numeric::blocks;
use crate::summary::gram::{TILE, Tile, packed_index, packed_len};
use nalgebra::{DMatrix, DVector};

/// Rows of one task.
const BLOCK: usize = 64 * TILE;

/// Weighted cross-products of the columns (less their shifts), the target (less its shift) and the constant, in this order.
#[derive(Clone, Debug)]
pub(crate) struct Cross {
    packed: Vec<f64>,
    columns: usize,
}

/// Centred and divided by the weight: `½ b'Gb − c'b` is half the mean squared error but for a constant.
#[derive(Clone, Debug)]
pub(crate) struct Centred {
    pub(crate) gram: DMatrix<f64>,
    pub(crate) with_target: DVector<f64>,
    pub(crate) target_variance: f64,
    /// Means of the shifted columns and of the shifted target.
    pub(crate) means: Vec<f64>,
    pub(crate) target_mean: f64,
}

impl Cross {
    /// One pass over some rows of the table.
    pub(crate) fn of(
        encoding: &Encoding,
        features: &Features,
        rows: &[u32],
        weight: impl Fn(usize) -> f64 + Sync,
        target: impl Fn(usize) -> f64 + Sync,
    ) -> Self {
        let p = encoding.columns.len();
        let packed = blocks::reduce(
            rows.len(),
            BLOCK,
            |range| {
                let mut tile = Tile::new(p + 2);
                let mut packed = vec![0.0; packed_len(p + 2)];
                for rows in rows[range].chunks(TILE) {
                    for j in 0..p {
                        encoding.fill(j, features, rows, encoding.shift(j), tile.column_mut(j));
                    }
                    for (out, row) in tile.column_mut(p).iter_mut().zip(rows) {
                        *out = target(*row as usize);
                    }
                    tile.column_mut(p + 1).fill(1.0);
                    tile.clear_from(rows.len());
                    let mut roots = [0.0; TILE];
                    for (root, row) in roots.iter_mut().zip(rows) {
                        *root = weight(*row as usize).sqrt();
                    }
                    tile.scale_rows(&roots);
                    tile.add_gram(&mut packed);
                }
                packed
            },
            |sum, part| add(sum, &part),
        );
        Self {
            packed: packed.unwrap_or_else(|| vec![0.0; packed_len(p + 2)]),
            columns: p,
        }
    }

    /// The sum over several sets of rows.
    pub(crate) fn total(parts: &[Self]) -> Option<Self> {
        let (first, rest) = parts.split_first()?;
        let mut total = first.clone();
        for part in rest {
            add(&mut total.packed, &part.packed);
        }
        Some(total)
    }

    /// All rows but those of a part.
    pub(crate) fn without(&self, part: &Self) -> Self {
        let packed = self
            .packed
            .iter()
            .zip(&part.packed)
            .map(|(a, b)| a - b)
            .collect();
        Self {
            packed,
            columns: self.columns,
        }
    }

    /// The sum of weights.
    pub(crate) fn weight(&self) -> f64 {
        self.at(self.columns + 1, self.columns + 1)
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        self.packed[packed_index(i.max(j), i.min(j))]
    }

    pub(crate) fn centred(&self) -> Centred {
        let (p, total) = (self.columns, self.weight());
        let mean = |j: usize| self.at(j, p + 1) / total;
        let means: Vec<f64> = (0..p).map(mean).collect();
        let target_mean = mean(p);
        Centred {
            gram: DMatrix::from_fn(p, p, |i, j| self.at(i, j) / total - means[i] * means[j]),
            with_target: DVector::from_fn(p, |j, _| self.at(p, j) / total - means[j] * target_mean),
            target_variance: self.at(p, p) / total - target_mean * target_mean,
            means,
            target_mean,
        }
    }

    /// The mean squared error of `intercept + Σ b_j column_j` in shifted units.
    pub(crate) fn mean_squared_error(&self, intercept: f64, coefficients: &[f64]) -> f64 {
        let p = self.columns;
        let v = |j: usize| match j {
            j if j < p => -coefficients[j],
            j if j == p => 1.0,
            _ => -intercept,
        };
        let used: Vec<usize> = (0..p + 2)
            .filter(|j| *j >= p || v(*j).abs() > 0.0)
            .collect();
        let mut sum = 0.0;
        for &i in &used {
            for &j in &used {
                sum += v(i) * v(j) * self.at(i, j);
            }
        }
        (sum / self.weight()).max(0.0)
    }
}

fn add(sum: &mut [f64], part: &[f64]) {
    for (a, b) in sum.iter_mut().zip(part) {
        *a += b;
    }
}
