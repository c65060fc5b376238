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
    /// For the numerator y and denominator x of every ratio, what else the third moment of `y − R x` needs.
    mixed: Vec<Mixed>,
}

/// Mixed third moments of two variables.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Mixed {
    y: usize,
    x: usize,
    /// `Σ (y − ȳ)²(x − x̄)`.
    yyx: f64,
    /// `Σ (y − ȳ)(x − x̄)²`.
    yxx: f64,
}

impl CellMoments {
    /// No rows, with third moments also of the ratios `(numerator, denominator)`.
    pub(crate) fn empty(columns: usize, ratios: &[(usize, usize)]) -> Self {
        Self {
            moments: Moments::empty(columns),
            third: vec![0.0; columns],
            mixed: (ratios.iter())
                .map(|&(y, x)| Mixed {
                    y,
                    x,
                    yyx: 0.0,
                    yxx: 0.0,
                })
                .collect(),
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

    /// Skewness of `y − R x`, the residual of a ratio that was declared; NaN when it does not vary.
    pub(crate) fn skewness_of_ratio(&self, y: usize, x: usize, ratio: f64) -> f64 {
        let Some(mixed) = self.mixed.iter().find(|m| (m.y, m.x) == (y, x)) else {
            return f64::NAN;
        };
        let form = [(y, 1.0), (x, -ratio)];
        let third = self.third[y] - 3.0 * ratio * mixed.yyx + 3.0 * ratio.powi(2) * mixed.yxx
            - ratio.powi(3) * self.third[x];
        let n = self.n();
        third / n / (self.bilinear(&form, &form) / n).powf(1.5)
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
        for mixed in &mut self.mixed {
            let (y, x) = (&tile.column(mixed.y)[..len], &tile.column(mixed.x)[..len]);
            (mixed.yyx, mixed.yxx) = mixed_sums(y, x);
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
            for (mixed, more) in self.mixed.iter_mut().zip(&other.mixed) {
                let (y, x) = (mixed.y, mixed.x);
                let gap = |j| other.mean(j) - self.moments.mean_at(j);
                let (dy, dx) = (gap(y), gap(x));
                // How the co-moment of two variables enters.
                let joint = |i, j| {
                    (a * other.moments.comoment_at(i, j) - b * self.moments.comoment_at(i, j)) / n
                };
                let apart = a * b * (a - b) / (n * n);
                mixed.yyx +=
                    more.yyx + dy * dy * dx * apart + 2.0 * dy * joint(y, x) + dx * joint(y, y);
                mixed.yxx +=
                    more.yxx + dy * dx * dx * apart + 2.0 * dx * joint(y, x) + dy * joint(x, x);
            }
        }
        self.moments.join(&other.moments);
    }
}

/// `Σ y² x` and `Σ y x²`, with a fixed order of four partial sums each.
fn mixed_sums(y: &[f64], x: &[f64]) -> (f64, f64) {
    let ((ys, y_rest), (xs, x_rest)) = (y.as_chunks::<4>(), x.as_chunks::<4>());
    let (mut yyx, mut yxx) = ([0.0; 4], [0.0; 4]);
    for (y, x) in ys.iter().zip(xs) {
        for lane in 0..4 {
            let product = y[lane] * x[lane];
            yyx[lane] += product * y[lane];
            yxx[lane] += product * x[lane];
        }
    }
    for (lane, (y, x)) in y_rest.iter().zip(x_rest).enumerate() {
        yyx[lane] += y * y * x;
        yxx[lane] += y * x * x;
    }
    let total = |s: [f64; 4]| (s[0] + s[1]) + (s[2] + s[3]);
    (total(yyx), total(yxx))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(columns: &[&[f64]]) -> CellMoments {
        let mut tile = Tile::new(columns.len());
        for (j, values) in columns.iter().enumerate() {
            tile.column_mut(j)[..values.len()].copy_from_slice(values);
        }
        let ratios = if columns.len() > 1 {
            vec![(0, 1)]
        } else {
            vec![]
        };
        let mut cell = CellMoments::empty(columns.len(), &ratios);
        cell.summarize(&mut tile, columns[0].len());
        cell
    }

    #[test]
    fn third_moments_merge() {
        let x: Vec<f64> = (0..97).map(|i| f64::from(i * i % 41) + 1e3).collect();
        let y: Vec<f64> = (0..97).map(|i| f64::from(i * i * i % 53) - 7.0).collect();
        let all = of(&[&y, &x]);
        let ratio = 0.02;
        for cut in [1, 30, 96] {
            let mut joined = of(&[&y[..cut], &x[..cut]]);
            joined.join(&of(&[&y[cut..], &x[cut..]]));
            let skewness = [
                (joined.skewness(0), all.skewness(0)),
                (joined.skewness(1), all.skewness(1)),
                (
                    joined.skewness_of_ratio(0, 1, ratio),
                    all.skewness_of_ratio(0, 1, ratio),
                ),
            ];
            for (joined, all) in skewness {
                assert!((joined / all - 1.0).abs() < 1e-10, "{cut}");
            }
        }
        let residuals: Vec<f64> = y.iter().zip(&x).map(|(y, x)| y - ratio * x).collect();
        let direct = of(&[&residuals]).skewness(0);
        assert!((all.skewness_of_ratio(0, 1, ratio) / direct - 1.0).abs() < 1e-10);
        let mut empty = CellMoments::empty(2, &[(0, 1)]);
        empty.join(&all);
        assert_eq!(empty, all);
    }
}
