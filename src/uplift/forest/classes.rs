//! Relabelling by quantiles: which part of the node's outcomes a row belongs to.

use super::grow::Growth;
use super::moment::{Point, Sampled};
use super::relabel::Relabel;
use super::split::{LANES, Limits, Sums};

/// The classes between these quantiles of a node, at most `T`.
pub(super) struct Classes<'a, const T: usize> {
    pub(super) quantiles: &'a [f64],
}

/// Where the cumulated weight of sorted outcomes first reaches a share of the whole.
pub(super) fn quantile(sorted: &[(f64, f64)], share: f64) -> Option<f64> {
    let total: f64 = sorted.iter().map(|(_, w)| w).sum();
    // Sums of many shares miss one half by rounding.
    let wanted = share * total * (1.0 - 1e-12);
    let mut sum = 0.0;
    let reached = sorted.iter().find(|(_, w)| {
        sum += w;
        sum >= wanted
    });
    reached.or(sorted.last()).map(|(y, _)| *y)
}

impl<const T: usize> Sampled for Classes<'_, T> {
    type Point = Point;
}

impl<const L: usize, const T: usize> Relabel<L> for Classes<'_, T> {
    /// `ρ_k = 1{y in class k} − share of k`: a split by them maximises the drop of the Gini impurity of classes (section 5 of Athey, Tibshirani &
    /// Wager 2019).
    fn relabel(
        &self,
        growth: &Growth,
        points: &[Point],
        rows: &[u32],
        responses: &mut [Sums<L>],
    ) -> Option<(Sums<L>, Limits<L>)> {
        let of = |row: &u32| &points[*row as usize];
        let mut sorted: Vec<(f64, f64)> = rows.iter().map(|r| (of(r).y, of(r).weight)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let weight: f64 = rows.iter().map(|r| of(r).weight).sum();
        if weight <= 0.0 {
            return None;
        }
        let mut cuts = [0.0; T];
        for (cut, q) in cuts.iter_mut().zip(self.quantiles) {
            *cut = quantile(&sorted, *q)?;
        }
        let cuts = &cuts[..self.quantiles.len()];
        let class = |y: f64| cuts.iter().filter(|cut| **cut < y).count();
        let mut shares = [0.0; T];
        for row in rows {
            shares[class(of(row).y)] += of(row).weight / weight;
        }
        let classes = cuts.len() + 1;
        let mut total = [0.0; L];
        for (row, response) in rows.iter().zip(responses) {
            let p = of(row);
            let own = class(p.y);
            for (k, share) in shares.iter().enumerate().take(classes) {
                let rho = f64::from(u8::from(k == own)) - share;
                response[k * LANES..][..LANES].copy_from_slice(&[
                    p.weight * rho,
                    0.0,
                    p.weight,
                    1.0,
                ]);
            }
            response[L - 1] = p.weight;
            for (sum, value) in total.iter_mut().zip(response.iter()) {
                *sum += value;
            }
        }
        let limits = Limits {
            outcomes: classes,
            each: 0,
            size: [growth.alpha * weight; L],
            imbalance_penalty: growth.imbalance_penalty,
        };
        Some((total, limits))
    }
}

#[cfg(test)]
mod tests {
    use super::super::arm_moment::lanes;
    use super::*;

    #[test]
    fn quantiles_are_where_the_weight_reaches_them() {
        let sorted = [(1.0, 1.0), (2.0, 2.0), (3.0, 1.0)];
        let at = [0.1, 0.25, 0.26, 0.75, 0.76].map(|q| quantile(&sorted, q).unwrap());
        assert_eq!(at, [1.0, 1.0, 2.0, 2.0, 3.0]);
        assert_eq!(quantile(&[], 0.5), None);
    }

    /// The drop of the Gini impurity by definition is the gain of the pseudo-outcomes.
    #[test]
    fn the_gain_is_the_drop_of_impurity() {
        let points: Vec<Point> = (0..60)
            .map(|i| Point {
                y: f64::from(i * i % 61),
                weight: 1.0,
                ..Point::default()
            })
            .collect();
        let growth = Growth {
            min_node_size: 1,
            alpha: 0.0,
            imbalance_penalty: 0.0,
            features_per_split: 1.0,
        };
        let rows: Vec<u32> = (0..60).collect();
        let mut responses = vec![[0.0; lanes(7)]; 60];
        let classes = Classes::<7> {
            quantiles: &[0.25, 0.5],
        };
        let (total, limits) = classes
            .relabel(&growth, &points, &rows, &mut responses)
            .unwrap();
        assert_eq!(limits.outcomes, 3);
        let mut sorted: Vec<f64> = points.iter().map(|p| p.y).collect();
        sorted.sort_by(f64::total_cmp);
        let class = |y: f64| usize::from(y > sorted[14]) + usize::from(y > sorted[29]);
        let impurity = |rows: &[u32]| {
            let mut counts = [0.0; 3];
            for row in rows {
                counts[class(points[*row as usize].y)] += 1.0;
            }
            let n = rows.len() as f64;
            n - counts.iter().map(|c| c * c / n).sum::<f64>()
        };
        for cut in [10, 20, 45] {
            let gain: f64 = (0..3)
                .map(|k| {
                    let left: f64 = responses[..cut].iter().map(|r| r[k * LANES]).sum();
                    let right = total[k * LANES] - left;
                    left * left / cut as f64 + right * right / (60 - cut) as f64
                })
                .sum();
            let drop = impurity(&rows) - impurity(&rows[..cut]) - impurity(&rows[cut..]);
            assert!((gain - drop).abs() < 1e-9, "{gain} {drop}");
        }
    }
}
