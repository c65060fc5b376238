//! Means of scores and their influence functions, from which all standard errors here come.

use super::arm_scores::ArmScores;
use nalgebra::DMatrix;

/// A mean, and what each row adds to its error: `θ̂ − θ ≈ Σ_i ψ_i`.
#[derive(Clone, Debug)]
pub(crate) struct Linearised {
    pub(crate) estimate: f64,
    pub(crate) influence: Vec<f64>,
}

/// Weights and clusters of rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowDesign<'a> {
    pub(crate) weights: Option<&'a [f64]>,
    pub(crate) clusters: Option<&'a [u32]>,
}

impl ArmScores {
    pub(crate) fn design(&self) -> RowDesign<'_> {
        RowDesign {
            weights: self.weights.as_deref(),
            clusters: self.clusters.as_deref(),
        }
    }
}

impl RowDesign<'_> {
    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[row])
    }

    /// The ratio `Σ w top / Σ w bottom` over the rows for which `part` is true: the mean of `top` when `bottom` is one. Its influence is
    /// `w (top − θ bottom) / Σ w bottom`, times √(G/(G − 1)) for the G clusters (rows, without clusters) of the part.
    ///
    /// NaN when the part has no weight.
    pub(crate) fn ratio(
        &self,
        top: &[f64],
        bottom: impl Fn(usize) -> f64,
        part: impl Fn(usize) -> bool,
    ) -> Linearised {
        let used: Vec<usize> = (0..top.len())
            .filter(|i| part(*i) && self.weight(*i) > 0.0)
            .collect();
        let (mut above, mut below) = (0.0, 0.0);
        for &i in &used {
            above += self.weight(i) * top[i];
            below += self.weight(i) * bottom(i);
        }
        let estimate = above / below;
        let units = self.units(&used) as f64;
        let correction = (units / (units - 1.0)).sqrt();
        let mut influence = vec![0.0; top.len()];
        for &i in &used {
            influence[i] = correction * self.weight(i) * (top[i] - estimate * bottom(i)) / below;
        }
        Linearised {
            estimate,
            influence,
        }
    }

    /// The number of clusters among rows, or of rows.
    pub(crate) fn units(&self, rows: &[usize]) -> usize {
        let Some(clusters) = self.clusters else {
            return rows.len();
        };
        let mut codes: Vec<u32> = rows.iter().map(|i| clusters[*i]).collect();
        codes.sort_unstable();
        codes.dedup();
        codes.len()
    }

    /// `Σ_g (Σ_{i∈g} ψ_i)(Σ_{i∈g} ψ_i)'` over clusters, or over rows.
    pub(crate) fn covariance(&self, parts: &[Linearised]) -> DMatrix<f64> {
        let (q, n) = (parts.len(), parts.first().map_or(0, |p| p.influence.len()));
        let mut sum = DMatrix::zeros(q, q);
        let mut add = |psi: &[f64]| {
            for a in 0..q {
                for b in 0..=a {
                    sum[(a, b)] += psi[a] * psi[b];
                }
            }
        };
        if let Some(clusters) = self.clusters {
            let groups = clusters.iter().max().map_or(0, |most| *most as usize + 1);
            let mut totals = vec![0.0; groups * q];
            for (i, cluster) in clusters.iter().enumerate() {
                for (a, part) in parts.iter().enumerate() {
                    totals[*cluster as usize * q + a] += part.influence[i];
                }
            }
            totals.chunks_exact(q.max(1)).for_each(&mut add);
        } else {
            let mut psi = vec![0.0; q];
            for i in 0..n {
                for (slot, part) in psi.iter_mut().zip(parts) {
                    *slot = part.influence[i];
                }
                add(&psi);
            }
        }
        DMatrix::from_fn(q, q, |a, b| sum[(a.max(b), a.min(b))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variance_of_a_mean_is_that_of_the_textbook() {
        let x = [1.0, 4.0, 2.0, 7.0];
        let design = RowDesign {
            weights: None,
            clusters: None,
        };
        let mean = design.ratio(&x, |_| 1.0, |_| true);
        let variance = design.covariance(std::slice::from_ref(&mean))[(0, 0)];
        // Mean 3.5, Σ(x − 3.5)² = 21, so the variance is 21/3/4.
        assert!((mean.estimate - 3.5).abs() < 1e-15 && (variance - 1.75).abs() < 1e-14);
        // One cluster a row is the same; two clusters of means 2.5 and 4.5 are two observations: 2/1/2.
        let each = RowDesign {
            clusters: Some(&[3, 1, 2, 0]),
            ..design
        };
        let mean = each.ratio(&x, |_| 1.0, |_| true);
        assert!((each.covariance(&[mean])[(0, 0)] - 1.75).abs() < 1e-14);
        let two = RowDesign {
            clusters: Some(&[5, 5, 9, 9]),
            ..design
        };
        let mean = two.ratio(&x, |_| 1.0, |_| true);
        assert!((two.covariance(&[mean])[(0, 0)] - 1.0).abs() < 1e-14);
    }

    #[test]
    fn a_part_sees_its_rows_only() {
        let x = [1.0, 4.0, 2.0, 7.0];
        let design = RowDesign {
            weights: Some(&[1.0, 2.0, 1.0, 0.0]),
            clusters: None,
        };
        let mean = design.ratio(&x, |_| 1.0, |i| i != 2);
        assert!((mean.estimate - 3.0).abs() < 1e-15);
        assert_eq!((mean.influence[2], mean.influence[3]), (0.0, 0.0));
        assert!(design.ratio(&x, |_| 1.0, |i| i == 3).estimate.is_nan());
    }
}
