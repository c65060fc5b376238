//! The moments of one cell: count, means, co-moments and third central moments.

use crate::summary::gram::{TILE, Tile};
use crate::summary::{Moments, Summary};
use serde::{Deserialize, Serialize};

/// Moments up to the second jointly, and the third of each variable, which says whether a normal approximation can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CellMoments {
    moments: Moments,
    /// `Σ (x − x̄)³` of every variable.
    third: Vec<f64>,
}

impl CellMoments {
    pub(crate) fn empty(columns: usize) -> Self {
        Self {
            moments: Moments::empty(columns),
            third: vec![0.0; columns],
        }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.moments.rows()
    }

    pub(crate) fn n(&self) -> f64 {
        self.moments.weight()
    }

    pub(crate) fn mean(&self, column: usize) -> f64 {
        self.moments.mean_at(column)
    }

    /// `w' C v` with the co-moments C and sparse weights.
    pub(crate) fn bilinear(&self, w: &[(usize, f64)], v: &[(usize, f64)]) -> f64 {
        let mut sum = 0.0;
        for (i, a) in w {
            for (j, b) in v {
                sum += a * b * self.moments.comoment_at(*i, *j);
            }
        }
        sum
    }

    /// Skewness of one variable; NaN when it does not vary.
    pub(crate) fn skewness(&self, column: usize) -> f64 {
        let n = self.n();
        let variance = self.moments.comoment_at(column, column) / n;
        self.third[column] / n / variance.powf(1.5)
    }

    pub(crate) fn is_finite(&self) -> bool {
        self.moments.is_finite()
    }

    /// Adds rows of which nothing but their number is wanted.
    pub(crate) fn count(&mut self, rows: u64) {
        self.moments.add_rows(rows);
    }

    /// Replaces this by the moments of the first `len` rows of the tile, which is centred in place.
    pub(crate) fn summarize(&mut self, tile: &mut Tile, len: usize) {
        self.moments.summarize(tile, len, None, &mut [0.0; TILE]);
        for (j, third) in self.third.iter_mut().enumerate() {
            let (fours, rest) = tile.column(j)[..len].as_chunks::<4>();
            let mut sums = [0.0; 4];
            for four in fours {
                for (sum, d) in sums.iter_mut().zip(four) {
                    *sum += d * d * d;
                }
            }
            *third = (sums[0] + sums[1])
                + (sums[2] + sums[3])
                + rest.iter().map(|d| d * d * d).sum::<f64>();
        }
    }

    /// Chan's update of co-moments and Pébay's (2008, eq. 2.2) of third moments.
    pub(crate) fn join(&mut self, other: &Self) {
        let (a, b) = (self.n(), other.n());
        let n = a + b;
        if n > 0.0 {
            for (j, third) in self.third.iter_mut().enumerate() {
                let gap = other.mean(j) - self.moments.mean_at(j);
                let (mine, theirs) = (
                    self.moments.comoment_at(j, j),
                    other.moments.comoment_at(j, j),
                );
                *third += other.third[j]
                    + gap.powi(3) * a * b * (a - b) / (n * n)
                    + 3.0 * gap * (a * theirs - b * mine) / n;
            }
        }
        self.moments.join(&other.moments);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> CellMoments {
        let mut tile = Tile::new(1);
        tile.column_mut(0)[..values.len()].copy_from_slice(values);
        let mut cell = CellMoments::empty(1);
        cell.summarize(&mut tile, values.len());
        cell
    }

    #[test]
    fn third_moments_merge() {
        let x: Vec<f64> = (0..97).map(|i| f64::from(i * i % 41) + 1e3).collect();
        let all = of(&x);
        for cut in [1, 30, 96] {
            let mut joined = of(&x[..cut]);
            joined.join(&of(&x[cut..]));
            assert!(
                (joined.skewness(0) / all.skewness(0) - 1.0).abs() < 1e-10,
                "{cut}"
            );
        }
        let mut empty = CellMoments::empty(1);
        empty.join(&all);
        assert_eq!(empty.third, all.third);
    }
}
