//! The rows of one side of the cutoff, nearest first, so that the rows within any bandwidth are the first ones.

use super::options::LocalKernel;

/// One side.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) name: &'static str,
    /// Signed distances from the cutoff.
    pub(super) x: Vec<f64>,
    /// Outcome, treatment if the design is fuzzy, covariates.
    pub(super) columns: Vec<Vec<f64>>,
    pub(super) weights: Option<Vec<f64>>,
    /// Clusters, numbered from 0.
    pub(super) clusters: Option<Vec<u32>>,
    /// The first row of every distinct value, and the number of rows.
    pub(super) starts: Vec<usize>,
}

impl Side {
    /// From rows in any order.
    pub(super) fn new(
        name: &'static str,
        x: &[f64],
        rows: &[u32],
        columns: &[Vec<f64>],
        weights: Option<&[f64]>,
        clusters: Option<&[u32]>,
    ) -> Self {
        // Ties stand in the order of the rows: sums have the same bits in every run.
        let mut order: Vec<(f64, u32)> = rows
            .iter()
            .map(|row| (x[*row as usize].abs(), *row))
            .collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let gather = |values: &[f64]| -> Vec<f64> {
            order.iter().map(|(_, i)| values[*i as usize]).collect()
        };
        let x = gather(x);
        let mut starts: Vec<usize> = (0..x.len())
            .filter(|i| *i == 0 || (x[*i] - x[*i - 1]).abs() > 0.0)
            .collect();
        starts.push(x.len());
        Self {
            name,
            columns: columns.iter().map(|column| gather(column)).collect(),
            weights: weights.map(gather),
            clusters: clusters.map(|codes| order.iter().map(|(_, i)| codes[*i as usize]).collect()),
            starts,
            x,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.x.len()
    }

    /// Distance of the row farthest from the cutoff.
    pub(super) fn reach(&self) -> f64 {
        self.x.last().map_or(0.0, |x| x.abs())
    }

    /// Number of distinct values.
    pub(super) fn distinct(&self) -> usize {
        self.starts.len() - 1
    }

    /// Distance of the `k`-th nearest distinct value, the last one if there are fewer.
    pub(super) fn distance_of_value(&self, k: usize) -> f64 {
        let at = k.min(self.distinct()).saturating_sub(1);
        self.x.get(self.starts[at]).map_or(0.0, |x| x.abs())
    }

    /// Rows with weight in a bandwidth.
    pub(super) fn within(&self, kernel: LocalKernel, bandwidth: f64) -> usize {
        self.x
            .partition_point(|x| kernel.weight(x / bandwidth) > 0.0)
    }

    /// Distinct values among the first rows.
    pub(super) fn distinct_within(&self, rows: usize) -> usize {
        self.starts.partition_point(|start| *start < rows)
    }

    /// A combination of the columns on the first rows.
    pub(super) fn combined(&self, combination: &[f64], rows: usize) -> Vec<f64> {
        let mut sum = vec![0.0; rows];
        for (factor, column) in combination.iter().zip(&self.columns) {
            if factor.abs() > 0.0 {
                for (sum, value) in sum.iter_mut().zip(column) {
                    *sum += factor * value;
                }
            }
        }
        sum
    }

    /// Number of clusters among the first rows; none without clusters.
    pub(super) fn clusters_within(&self, rows: usize) -> Option<usize> {
        let mut seen = self.clusters.as_ref()?[..rows].to_vec();
        seen.sort_unstable();
        seen.dedup();
        Some(seen.len())
    }

    /// The deviation of each of the first rows from the mean of its `matches` nearest neighbours, scaled to be as variable as the row: with all J rows at the same
    /// distances as the neighbours included, `√(J/(J + 1)) (v_i − mean)`. Rows of one value have one window, so that it is linear in the number of rows.
    pub(super) fn neighbour_residuals(
        &self,
        values: &[f64],
        rows: usize,
        matches: usize,
    ) -> Vec<f64> {
        // Distances that differ by rounding are the same.
        let tie = f64::EPSILON.sqrt();
        let groups = self.distinct_within(rows);
        let start = |group: usize| self.starts[group].min(rows);
        let sums: Vec<f64> = (0..groups)
            .map(|g| values[start(g)..start(g + 1)].iter().sum())
            .collect();
        let x = |group: usize| self.x[self.starts[group]].abs();
        let wanted = matches.min(rows.saturating_sub(1));
        let mut residuals = vec![0.0; rows];
        for group in 0..groups {
            let (mut low, mut high) = (group, group + 1);
            while start(high) - start(low) - 1 < wanted {
                let left = (low > 0).then(|| x(group) - x(low - 1));
                let right = (high < groups).then(|| x(high) - x(group));
                let (to_left, to_right) = match (left, right) {
                    (Some(l), Some(r)) => {
                        let near = tie * l.max(r);
                        (l - r <= near, r - l <= near)
                    }
                    (l, r) => (l.is_some(), r.is_some()),
                };
                low -= usize::from(to_left);
                high += usize::from(to_right);
                if !(to_left || to_right) {
                    break;
                }
            }
            let total: f64 = sums[low..high].iter().sum();
            let others = (start(high) - start(low) - 1) as f64;
            if others <= 0.0 {
                continue;
            }
            let scale = (others / (others + 1.0)).sqrt();
            for row in start(group)..start(group + 1) {
                residuals[row] = scale * (values[row] - (total - values[row]) / others);
            }
        }
        residuals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(x: &[f64]) -> Side {
        let rows: Vec<u32> = (0..x.len() as u32).collect();
        Side::new("right", x, &rows, &[x.to_vec()], None, None)
    }

    #[test]
    fn rows_stand_by_distance_and_bandwidths_are_prefixes() {
        let left = side(&[-3.0, -1.0, -2.0, -1.0]);
        assert_eq!(left.x, [-1.0, -1.0, -2.0, -3.0]);
        assert_eq!(left.starts, [0, 2, 3, 4]);
        assert_eq!((left.distinct(), left.reach()), (3, 3.0));
        assert_eq!(left.within(LocalKernel::Triangular, 2.0), 2);
        assert_eq!(left.within(LocalKernel::Uniform, 2.0), 3);
        assert_eq!(left.distinct_within(3), 2);
        assert_eq!(left.distance_of_value(2), 2.0);
        assert_eq!(left.distance_of_value(10), 3.0);
    }

    #[test]
    fn neighbours_are_the_nearest_and_ties_come_together() {
        let right = side(&[0.0, 1.0, 2.0, 10.0]);
        let one = right.neighbour_residuals(&right.x, 4, 1);
        // 0 and 10 have one neighbour; 1 has two at the same distance, whose mean it is.
        let half = 0.5_f64.sqrt();
        assert!((one[0] + half).abs() < 1e-15 && one[1].abs() < 1e-15);
        assert!((one[2] - half).abs() < 1e-15 && (one[3] - 8.0 * half).abs() < 1e-14);
        // All others when there are not enough, and nothing of a single row.
        let all = right.neighbour_residuals(&right.x, 2, 9);
        assert!((all[0] + half).abs() < 1e-15);
        assert_eq!(right.neighbour_residuals(&right.x, 1, 3), [0.0]);
    }
}
