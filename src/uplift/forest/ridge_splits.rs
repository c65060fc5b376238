//! Splits by what a ridge regression in the node leaves: trees of a local linear forest need not follow the slopes that its predictions take away.

use super::grow::Growth;
use super::moment::Sampled;
use super::relabel::{Relabel, limits, writing};
use super::split::{Limits, Sums};
use nalgebra::{DMatrix, DVector};

/// What a row brings: outcome, weight, and its place among the features.
#[derive(Clone, Copy)]
pub(super) struct Sloped {
    pub(super) y: f64,
    pub(super) weight: f64,
    pub(super) row: u32,
}

/// Ridge regressions in nodes.
pub(super) struct RidgeSplits<'a> {
    /// Standardised features, row by row.
    x: &'a [f64],
    count: usize,
    penalty: f64,
    /// Smaller nodes have the slopes of all rows.
    least: usize,
    overall: Vec<f64>,
}

/// Weighted means of outcome and features.
struct Means {
    weight: f64,
    y: f64,
    x: Vec<f64>,
}

impl<'a> RidgeSplits<'a> {
    /// As [`ll_regression_forest`](https://grf-labs.github.io/grf/reference/ll_regression_forest.html) does, nodes of fewer than √n rows, which do not
    /// tell their slopes, have those of all rows.
    pub(super) fn new(points: &[Sloped], x: &'a [f64], count: usize, penalty: f64) -> Self {
        let mut splits = Self {
            x,
            count,
            penalty,
            least: (points.len() as f64).sqrt().ceil() as usize,
            overall: vec![0.0; count],
        };
        let rows: Vec<u32> = (0..points.len() as u32).collect();
        let slopes = splits
            .means(points, &rows)
            .and_then(|means| splits.slopes(points, &rows, &means));
        if let Some(slopes) = slopes {
            splits.overall = slopes;
        }
        splits
    }

    fn features(&self, point: &Sloped) -> &[f64] {
        &self.x[point.row as usize * self.count..][..self.count]
    }

    fn means(&self, points: &[Sloped], rows: &[u32]) -> Option<Means> {
        let mut means = Means {
            weight: 0.0,
            y: 0.0,
            x: vec![0.0; self.count],
        };
        for row in rows {
            let p = &points[*row as usize];
            means.weight += p.weight;
            means.y += p.weight * p.y;
            for (sum, x) in means.x.iter_mut().zip(self.features(p)) {
                *sum += p.weight * x;
            }
        }
        if means.weight <= 0.0 {
            return None;
        }
        means.y /= means.weight;
        for mean in &mut means.x {
            *mean /= means.weight;
        }
        Some(means)
    }

    /// The β of `min Σ_i w_i (y_i − ȳ − (x_i − x̄)'β)² / Σ_i w_i + λ |β|²`.
    fn slopes(&self, points: &[Sloped], rows: &[u32], means: &Means) -> Option<Vec<f64>> {
        let mut gram = DMatrix::<f64>::zeros(self.count, self.count);
        let mut right = DVector::<f64>::zeros(self.count);
        let mut gap = vec![0.0; self.count];
        for row in rows {
            let p = &points[*row as usize];
            let share = p.weight / means.weight;
            for ((gap, x), mean) in gap.iter_mut().zip(self.features(p)).zip(&means.x) {
                *gap = x - mean;
            }
            let columns = gram.as_mut_slice().chunks_exact_mut(self.count.max(1));
            for (j, (column, own)) in columns.zip(&gap).enumerate() {
                let scaled = share * own;
                right[j] += scaled * (p.y - means.y);
                for (sum, other) in column[j..].iter_mut().zip(&gap[j..]) {
                    *sum += scaled * other;
                }
            }
        }
        for j in 0..self.count {
            gram[(j, j)] += self.penalty;
        }
        // Its lower triangle is all that a root reads.
        let slopes = gram.cholesky()?.solve(&right);
        let finite = slopes.iter().all(|b| b.is_finite());
        finite.then(|| slopes.iter().copied().collect())
    }
}

impl Sampled for RidgeSplits<'_> {
    type Point = Sloped;
}

impl<const L: usize> Relabel<L> for RidgeSplits<'_> {
    /// `ρ = y − ȳ − (x − x̄)'β` with the slopes of the node (Friedberg et al. 2021, section 2).
    fn relabel(
        &self,
        growth: &Growth,
        points: &[Sloped],
        rows: &[u32],
        responses: &mut [Sums<L>],
    ) -> Option<(Sums<L>, Limits<L>)> {
        let means = self.means(points, rows)?;
        let own = (rows.len() >= self.least).then(|| self.slopes(points, rows, &means));
        let slopes = own.flatten();
        let slopes = slopes.as_ref().unwrap_or(&self.overall);
        let mut out = writing(responses);
        for row in rows {
            let p = &points[*row as usize];
            let gaps = self.features(p).iter().zip(&means.x);
            let line: f64 = gaps.zip(slopes).map(|((x, mean), b)| (x - mean) * b).sum();
            out.put(p.weight, p.y - means.y - line, 0.0, 1.0);
        }
        let total = out.total;
        Some((total, limits(growth, &total, 0, rows.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::split::WEIGHTED;
    use super::*;

    const GROWTH: Growth = Growth {
        min_node_size: 1,
        alpha: 0.0,
        imbalance_penalty: 0.0,
        features_per_split: 1.0,
    };

    /// A bent outcome of two features, with weights.
    fn sample(n: u32) -> (Vec<f64>, Vec<Sloped>) {
        let x = |i: u32| [f64::from(i * 37 % n) / 10.0, f64::from(i * i % 23) - 9.0];
        let point = |row: u32| {
            let [a, b] = x(row);
            Sloped {
                y: 2.0 * a - b + a * a,
                weight: f64::from(row % 3),
                row,
            }
        };
        ((0..n).flat_map(x).collect(), (0..n).map(point).collect())
    }

    fn relabelled(splits: &RidgeSplits, points: &[Sloped], rows: &[u32]) -> Vec<f64> {
        let mut responses = vec![[0.0; WEIGHTED]; rows.len()];
        let (total, limits) = splits
            .relabel(&GROWTH, points, rows, &mut responses)
            .unwrap();
        let scale: f64 = responses.iter().map(|r| r[0].abs()).sum();
        assert!(total[0].abs() < 1e-12 * scale && limits.outcomes == 1);
        responses.iter().map(|r| r[0]).collect()
    }

    /// The normal equations `Σ w x̃ r / Σ w = λ β`, of the node where it is large and of all rows where it is small.
    #[test]
    fn residuals_are_those_of_the_ridge_regression() {
        let (x, points) = sample(100);
        let splits = RidgeSplits::new(&points, &x, 2, 0.3);
        let all: Vec<u32> = (0..100).collect();
        let half: Vec<u32> = (0..50).map(|i| 2 * i).collect();
        for rows in [&all, &half] {
            let residuals = relabelled(&splits, &points, rows);
            let means = splits.means(&points, rows).unwrap();
            let slopes = splits.slopes(&points, rows, &means).unwrap();
            for j in 0..2 {
                let gaps = rows.iter().map(|i| x[*i as usize * 2 + j] - means.x[j]);
                let left: f64 = gaps.zip(&residuals).map(|(gap, r)| gap * r).sum();
                assert!((left / means.weight - 0.3 * slopes[j]).abs() < 1e-9);
            }
            if rows.len() == 100 {
                assert_eq!(slopes, splits.overall);
            } else {
                assert_ne!(slopes, splits.overall);
            }
        }
        // Below √100 rows the slopes of all stand in.
        let few: Vec<u32> = vec![1, 4, 7, 10, 13];
        let means = splits.means(&points, &few).unwrap();
        let residuals = relabelled(&splits, &points, &few);
        for (row, residual) in few.iter().zip(residuals) {
            let p = &points[*row as usize];
            let gap = |j: usize| splits.overall[j] * (x[*row as usize * 2 + j] - means.x[j]);
            let want = p.weight * (p.y - means.y - gap(0) - gap(1));
            assert!((residual - want).abs() < 1e-9, "{residual} {want}");
        }
        // Rows without weight tell nothing.
        let none: Vec<u32> = vec![0, 3, 6];
        let mut responses = vec![[0.0; WEIGHTED]; 3];
        let found = splits.relabel(&GROWTH, &points, &none, &mut responses);
        assert!(found.is_none());
    }

    /// One feature: `β = Sxy / (Sxx + λ)`.
    #[test]
    fn the_slope_of_one_feature_is_known() {
        let (_, points) = sample(60);
        let x: Vec<f64> = (0..60).map(|i| f64::from(i * 7 % 60)).collect();
        let splits = RidgeSplits::new(&points, &x, 1, 2.5);
        let total: f64 = points.iter().map(|p| p.weight).sum();
        let mean = |f: &dyn Fn(&Sloped) -> f64| {
            points.iter().map(|p| p.weight * f(p)).sum::<f64>() / total
        };
        let of = |p: &Sloped| x[p.row as usize];
        let (mx, my) = (mean(&of), mean(&|p| p.y));
        let sxy = mean(&|p| (of(p) - mx) * (p.y - my));
        let sxx = mean(&|p| (of(p) - mx).powi(2));
        assert!((splits.overall[0] - sxy / (sxx + 2.5)).abs() < 1e-12);
    }
}
