//! Counts, means and co-moments of several columns: all that the linear family needs from a first pass.

use super::Summary;
use super::gram::{TILE, Tile, packed_index, packed_len, unpack};
use crate::error::{Error, Result};
use crate::numeric::blocks;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Rows that one thread takes at a time; large enough that merging is free.
pub(crate) const BLOCK: usize = 32 * TILE;

/// Weighted count, means and centred co-moments `C = Σ w (x − x̄)(x − x̄)'` of `p` columns.
///
/// A block is centred at its own mean before its products are summed, and blocks are joined by the formula of Chan, Golub
/// & LeVeque (1983), so that a mean of 10⁹ beside a standard deviation of 1 costs no digits.
///
/// ```
/// use cocreate::summary::{Moments, Summary};
/// let (x, y) = ([1.0, 2.0, 4.0, 7.0], [2.0, 1.0, 5.0, 6.0]);
/// let all = Moments::of(&[&x, &y], None)?;
/// let mut parts = Moments::of(&[&x[..1], &y[..1]], None)?;
/// parts.merge(&Moments::of(&[&x[1..], &y[1..]], None)?)?;
/// assert!((all.covariance(1.0)[(0, 1)] - parts.covariance(1.0)[(0, 1)]).abs() < 1e-14);
/// assert_eq!(all.mean()[0], 3.5);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # References
/// Chan, T. F., Golub, G. H. & LeVeque, R. J. (1983). Algorithms for computing the sample variance. *The American
/// Statistician* 37(3), 242–247. doi:10.1080/00031305.1983.10483115
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    rows: u64,
    weight: f64,
    mean: Vec<f64>,
    comoment: Vec<f64>,
}

impl Summary for Moments {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        if self.columns() != other.columns() {
            return Err(Error::Matrix {
                message: format!(
                    "cannot merge moments of {} columns with moments of {} columns",
                    self.columns(),
                    other.columns()
                ),
            });
        }
        self.join(other);
        Ok(())
    }
}

impl Moments {
    /// Moments of no rows.
    pub fn empty(columns: usize) -> Self {
        Self {
            rows: 0,
            weight: 0.0,
            mean: vec![0.0; columns],
            comoment: vec![0.0; packed_len(columns)],
        }
    }

    /// Moments of column slices, in parallel.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] when a column or the weights have another length than the first column;
    /// [`Error::NotFinite`] when a value or weight is missing or infinite.
    pub fn of(columns: &[&[f64]], weights: Option<&[f64]>) -> Result<Self> {
        let rows = columns.first().map_or(0, |c| c.len());
        for (j, c) in columns.iter().copied().chain(weights).enumerate() {
            if c.len() != rows {
                return Err(Error::LengthMismatch {
                    column: format!("column {}", j + 1),
                    expected: rows,
                    found: c.len(),
                });
            }
        }
        let fill = |j: usize, r: Range<usize>, out: &mut [f64]| out.copy_from_slice(&columns[j][r]);
        let moments = Self::from_columns(rows, columns.len(), weights, fill);
        if moments.is_finite() {
            return Ok(moments);
        }
        Err(Error::NotFinite {
            what: "a value or weight among the columns to be summarised".to_owned(),
        })
    }

    /// Moments of one column from its count, mean and centred squares `Σ (x − x̄)²`: what a query returns.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a mean that is not finite, squares that are negative or not finite, and squares of fewer than two rows
    /// that are not zero.
    pub fn of_sums(rows: u64, mean: f64, centered_squares: f64) -> Result<Self> {
        let possible = centered_squares >= 0.0
            && centered_squares.is_finite()
            && (rows > 1 || centered_squares <= 0.0);
        if !(mean.is_finite() && possible) {
            return Err(Error::invalid_option(
                "sums",
                format!("{rows} rows of mean {mean} with centred squares {centered_squares}"),
                "a finite mean, and squares of zero or more, `(count − 1) · variance`, zero for a single row",
            ));
        }
        Ok(Self {
            rows,
            weight: rows as f64,
            mean: vec![mean],
            comoment: vec![centered_squares],
        })
    }

    /// Takes in a block of rows.
    ///
    /// # Errors
    /// As [`Moments::of`], and [`Error::Matrix`] when the number of columns differs.
    pub fn push(&mut self, columns: &[&[f64]], weights: Option<&[f64]>) -> Result<()> {
        let block = Self::of(columns, weights)?;
        self.merge(&block)
    }

    /// Moments of columns that `fill(column, rows, out)` writes.
    pub(crate) fn from_columns(
        rows: usize,
        columns: usize,
        weights: Option<&[f64]>,
        fill: impl Fn(usize, Range<usize>, &mut [f64]) + Sync,
    ) -> Self {
        let work = |block: Range<usize>| {
            let mut total = Self::empty(columns);
            let mut part = Self::empty(columns);
            let mut tile = Tile::new(columns);
            let mut root = [0.0; TILE];
            for r in blocks::ranges(block.len(), TILE) {
                let rows = block.start + r.start..block.start + r.end;
                for j in 0..columns {
                    fill(j, rows.clone(), &mut tile.column_mut(j)[..rows.len()]);
                }
                part.summarize(&mut tile, rows.len(), weights.map(|w| &w[rows]), &mut root);
                total.join(&part);
            }
            total
        };
        blocks::reduce(rows, BLOCK, work, |total, part| total.join(&part))
            .unwrap_or_else(|| Self::empty(columns))
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.mean.len()
    }

    /// Sum of the weights; the number of rows when there are none.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// Weighted means.
    pub fn mean(&self) -> DVector<f64> {
        DVector::from_column_slice(&self.mean)
    }

    /// Centred co-moments `Σ w (x − x̄)(x − x̄)'`.
    pub fn comoment(&self) -> DMatrix<f64> {
        unpack(&self.comoment, self.columns())
    }

    /// Raw cross-products `Σ w x x'`.
    pub fn cross_product(&self) -> DMatrix<f64> {
        let mean = self.mean();
        self.comoment() + &mean * mean.transpose() * self.weight
    }

    /// Covariance matrix `C / (W − ddof)`.
    pub fn covariance(&self, ddof: f64) -> DMatrix<f64> {
        self.comoment() / (self.weight - ddof)
    }

    /// The moments of some of the columns, in the order given.
    pub fn select(&self, columns: &[usize]) -> Self {
        let mut comoment = Vec::with_capacity(packed_len(columns.len()));
        for (a, &i) in columns.iter().enumerate() {
            for &j in &columns[..=a] {
                comoment.push(self.comoment[packed_index(i.max(j), i.min(j))]);
            }
        }
        Self {
            rows: self.rows,
            weight: self.weight,
            mean: columns.iter().map(|&j| self.mean[j]).collect(),
            comoment,
        }
    }

    /// One weighted mean.
    pub(crate) fn mean_at(&self, column: usize) -> f64 {
        self.mean[column]
    }

    /// One centred co-moment.
    pub(crate) fn comoment_at(&self, i: usize, j: usize) -> f64 {
        self.comoment[packed_index(i.max(j), i.min(j))]
    }

    /// Counts rows that have no values: of a cell of which nothing but its size is wanted.
    pub(crate) fn add_rows(&mut self, rows: u64) {
        self.rows += rows;
        self.weight += rows as f64;
    }

    /// Whether all sums are finite.
    pub fn is_finite(&self) -> bool {
        self.weight.is_finite()
            && self
                .mean
                .iter()
                .chain(&self.comoment)
                .all(|v| v.is_finite())
    }

    /// Replaces this by the moments of the first `len` rows of the tile, which is centred in place.
    pub(crate) fn summarize(
        &mut self,
        tile: &mut Tile,
        len: usize,
        weights: Option<&[f64]>,
        root: &mut [f64; TILE],
    ) {
        self.rows = len as u64;
        self.weight = weights.map_or(len as f64, |w| w.iter().sum());
        for j in 0..tile.columns() {
            let column = &mut tile.column_mut(j)[..len];
            let sum: f64 = match weights {
                None => lane_sum(column),
                Some(w) => column.iter().zip(w).map(|(x, w)| x * w).sum(),
            };
            let mean = if self.weight > 0.0 {
                sum / self.weight
            } else {
                0.0
            };
            for value in column {
                *value -= mean;
            }
            self.mean[j] = mean;
        }
        tile.clear_from(len);
        if let Some(w) = weights {
            for (root, w) in root.iter_mut().zip(w) {
                *root = w.sqrt();
            }
            tile.scale_rows(&root[..len]);
        }
        self.comoment.fill(0.0);
        tile.add_gram_of(len, &mut self.comoment);
    }

    /// Chan's pairwise update.
    pub(crate) fn join(&mut self, other: &Self) {
        self.rows += other.rows;
        let weight = self.weight + other.weight;
        if weight.abs() <= 0.0 {
            return;
        }
        let share = other.weight / weight;
        let factor = self.weight * share;
        for i in 0..self.mean.len() {
            let di = other.mean[i] - self.mean[i];
            for j in 0..=i {
                let dj = other.mean[j] - self.mean[j];
                let at = packed_index(i, j);
                self.comoment[at] += other.comoment[at] + di * dj * factor;
            }
        }
        for (mean, other) in self.mean.iter_mut().zip(&other.mean) {
            *mean += (other - *mean) * share;
        }
        self.weight = weight;
    }
}

/// Sum with four running totals: fast, and more exact than one.
pub(crate) fn lane_sum(values: &[f64]) -> f64 {
    let (chunks, rest) = values.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for chunk in chunks {
        for (sum, v) in sums.iter_mut().zip(chunk) {
            *sum += v;
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest.iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_large_mean_costs_no_digits() {
        let x: Vec<f64> = (0..50_000).map(|i| 1e9 + f64::from(i % 2) * 2.0).collect();
        let m = Moments::of(&[&x], None).unwrap();
        assert!((m.covariance(0.0)[(0, 0)] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn sums_are_moments() {
        let x = [1.0, 2.0, 6.0];
        let sums = Moments::of_sums(3, 3.0, 14.0).unwrap();
        assert_eq!(sums, Moments::of(&[&x], None).unwrap());
        assert!(Moments::of_sums(3, 3.0, -1.0).is_err());
        assert!(Moments::of_sums(1, 3.0, 1.0).is_err());
        assert!(Moments::of_sums(3, f64::NAN, 1.0).is_err());
    }

    #[test]
    fn missing_values_are_refused() {
        assert!(Moments::of(&[&[1.0, f64::NAN]], None).is_err());
        assert!(Moments::of(&[&[1.0], &[1.0, 2.0]], None).is_err());
    }

    proptest! {
        #[test]
        fn merging_equals_one_pass(
            x in prop::collection::vec(-1e3_f64..1e3, 2..400),
            cut in 0.0_f64..1.0,
            shift in -1e6_f64..1e6,
        ) {
            let y: Vec<f64> = x.iter().map(|v| v * v / 100.0 + shift).collect();
            let w: Vec<f64> = x.iter().map(|v| 1.0 + v.abs() / 100.0).collect();
            let k = (cut * x.len() as f64) as usize;
            let all = Moments::of(&[&x, &y], Some(&w)).unwrap();
            let mut a = Moments::empty(2);
            a.push(&[&x[..k], &y[..k]], Some(&w[..k])).unwrap();
            a.push(&[&x[k..], &y[k..]], Some(&w[k..])).unwrap();
            let scale = all.comoment().amax().max(1.0);
            prop_assert!((all.comoment() - a.comoment()).amax() / scale < 1e-10);
            prop_assert!((all.mean() - a.mean()).amax() < 1e-8);
            prop_assert_eq!(all.rows(), a.rows());
        }
    }
}
