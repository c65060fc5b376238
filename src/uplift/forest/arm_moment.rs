//! The local moment of several treatments at once: `E[(Y − τ'W − c)(1, W) | x] = 0` with a vector W.

use super::grow::Growth;
use super::moment::{CANCELLED, Local, Sampled, Solved};
use super::relabel::Relabel;
use super::split::{BELOW, LANES, Limits, Sums};
use nalgebra::{Cholesky, Const, SMatrix, SVector};

/// A treatment whose variation, given the other treatments, is below this share of its own is one of them: the node has no effects to speak of.
const SAME: f64 = 1e-10;

/// What a row brings: outcome and treatments, less their means given the features, and its weight.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArmPoint<const T: usize> {
    pub(super) y: f64,
    pub(super) w: [f64; T],
    pub(super) weight: f64,
}

/// Treatments, of which the first `used` of `T` are there.
#[derive(Clone, Debug)]
pub(super) struct Arms<const T: usize> {
    pub(super) used: usize,
}

/// The sizes that are compiled: treatments, lanes of a split, means of a leaf.
pub(super) const MOST_TREATMENTS: usize = 15;

/// Treatments that the code for so many was compiled for.
pub(super) fn room(treatments: usize) -> usize {
    match treatments {
        0..=2 => 2,
        3 => 3,
        4..=7 => 7,
        _ => MOST_TREATMENTS,
    }
}

/// Lanes of a split between `t` treatments: there is always a weight.
pub(super) const fn lanes(t: usize) -> usize {
    LANES * t + 1
}

/// Means of a leaf with `t` treatments: weight, y, w, wy, and the lower half of ww'.
pub(super) const fn means(t: usize) -> usize {
    2 + 2 * t + t * (t + 1) / 2
}

/// Numbers that a leaf keeps for so many treatments.
pub(super) fn size(treatments: usize) -> usize {
    means(room(treatments))
}

/// Where `w_j w_l` stands among the products, for l ≤ j.
const fn product(j: usize, l: usize) -> usize {
    j * (j + 1) / 2 + l
}

impl<const T: usize> Arms<T> {
    /// The root of a covariance of treatments; unused ones are independent of all. None when a pivot is no larger than its least.
    fn root(
        &self,
        covariance: impl Fn(usize, usize) -> f64,
        least: impl Fn(usize) -> f64,
    ) -> Option<Cholesky<f64, Const<T>>> {
        let mut a = SMatrix::<f64, T, T>::identity();
        for j in 0..self.used {
            for l in 0..=j {
                a[(j, l)] = covariance(j, l);
                a[(l, j)] = a[(j, l)];
            }
        }
        let root = a.cholesky()?;
        let l = root.l_dirty();
        let regular = (0..self.used).all(|j| l[(j, j)] * l[(j, j)] > least(j));
        regular.then_some(root)
    }
}

impl<const T: usize> Sampled for Arms<T> {
    type Point = ArmPoint<T>;
}

impl<const D: usize, const T: usize> Local<D, T> for Arms<T> {
    fn counts(&self, point: &ArmPoint<T>) -> bool {
        point.weight > 0.0
    }

    fn row(&self, p: &ArmPoint<T>) -> [f64; D] {
        let mut row = [0.0; D];
        row[0] = p.weight;
        row[1] = p.weight * p.y;
        for j in 0..self.used {
            let w = p.weight * p.w[j];
            row[2 + j] = w;
            row[2 + T + j] = w * p.y;
            for l in 0..=j {
                row[2 + 2 * T + product(j, l)] = w * p.w[l];
            }
        }
        row
    }

    /// With `A = Cov(W)`, `τ = A⁻¹ Cov(W, Y)` and `c = ȳ − w̄'τ`, a tree moves τ by
    /// `A⁻¹ [wy − ww'τ − c w − w̄ (y − w'τ − c weight)]` of its means, over the mean weight.
    fn solve(&self, means: &[f64; D]) -> Option<[Solved<D>; T]> {
        let weight = means[0];
        if weight <= 0.0 {
            return None;
        }
        let y = means[1] / weight;
        let w = SVector::<f64, T>::from_fn(|j, _| means[2 + j] / weight);
        let square = |j: usize, l: usize| means[2 + 2 * T + product(j, l)] / weight;
        let root = self.root(
            |j, l| square(j, l) - w[j] * w[l],
            |j| CANCELLED * (square(j, j) + w[j] * w[j]),
        )?;
        let with_y = SVector::<f64, T>::from_fn(|j, _| means[2 + T + j] / weight - w[j] * y);
        let tau = root.solve(&with_y);
        let level = y - w.dot(&tau);
        let inverse = root.inverse();
        let mut solved = [(0.0, [0.0; D]); T];
        for (k, (value, slope)) in solved.iter_mut().enumerate().take(self.used) {
            let g = inverse.column(k) / weight;
            let gw = g.dot(&w);
            *value = tau[k];
            slope[0] = gw * level;
            slope[1] = -gw;
            for j in 0..self.used {
                slope[2 + j] = gw * tau[j] - level * g[j];
                slope[2 + T + j] = g[j];
                for l in 0..j {
                    slope[2 + 2 * T + product(j, l)] = -(g[j] * tau[l] + g[l] * tau[j]);
                }
                slope[2 + 2 * T + product(j, j)] = -g[j] * tau[j];
            }
        }
        let finite =
            |(value, slope): &Solved<D>| value.is_finite() && slope.iter().all(|v| v.is_finite());
        solved.iter().all(finite).then_some(solved)
    }
}

impl<const L: usize, const T: usize> Relabel<L> for Arms<T> {
    /// `ρ = s A⁻¹ (w − w̄)(y − ȳ − τ'(w − w̄))` with the node's own τ and covariance A (section 3.2 of Athey, Tibshirani & Wager 2019), where
    /// s is the mean variance of the treatments: of one treatment the pseudo-outcome is that of a causal forest.
    fn relabel(
        &self,
        growth: &Growth,
        points: &[ArmPoint<T>],
        rows: &[u32],
        responses: &mut [Sums<L>],
    ) -> Option<(Sums<L>, Limits<L>)> {
        let (mut weight, mut y, mut w) = (0.0, 0.0, SVector::<f64, T>::zeros());
        for row in rows {
            let p = &points[*row as usize];
            weight += p.weight;
            y += p.weight * p.y;
            w += SVector::from(p.w) * p.weight;
        }
        if weight <= 0.0 {
            return None;
        }
        let (y, w) = (y / weight, w / weight);
        let mut with_y = SVector::<f64, T>::zeros();
        let mut with_w = SMatrix::<f64, T, T>::zeros();
        for row in rows {
            let p = &points[*row as usize];
            let d = SVector::from(p.w) - w;
            let a = d * p.weight;
            with_y += a * (p.y - y);
            for j in 0..self.used {
                for l in 0..=j {
                    with_w[(j, l)] += a[j] * d[l];
                }
            }
        }
        let scale = with_w.trace() / self.used as f64;
        let root = self.root(
            |j, l| with_w[(j, l)] / scale,
            |j| SAME * with_w[(j, j)] / scale,
        )?;
        let tau = root.solve(&(with_y / scale));
        let inverse = root.inverse();
        let mut total = [0.0; L];
        for (row, response) in rows.iter().zip(responses.iter_mut()) {
            let p = &points[*row as usize];
            let d = SVector::from(p.w) - w;
            let residual = p.y - y - tau.dot(&d);
            let rho = inverse * d * residual;
            for j in 0..self.used {
                let lanes = &mut response[j * LANES..][..LANES];
                lanes[0] = p.weight * rho[j];
                lanes[1] = p.weight * d[j];
                lanes[2] = p.weight * (d[j] * d[j]);
                lanes[3] = if d[j] < 0.0 { 1.0 + BELOW } else { 1.0 };
            }
            response[L - 1] = p.weight;
            for (sum, value) in total.iter_mut().zip(response.iter()) {
                *sum += value;
            }
        }
        let each = growth.min_node_size as u32;
        let mut size = [0.0; L];
        for (j, size) in size.iter_mut().enumerate().take(self.used) {
            let at = j * LANES;
            let (all, below) = super::split::counts(total[at + 3]);
            if below < 2 * each || all - below < 2 * each {
                return None;
            }
            *size = growth.alpha * (total[at + 2] - total[at + 1] * total[at + 1] / weight);
        }
        let limits = Limits {
            outcomes: self.used,
            each,
            size,
            imbalance_penalty: growth.imbalance_penalty,
        };
        Some((total, limits))
    }
}

#[cfg(test)]
mod tests {
    use super::super::moment::{Effect, Point};
    use super::*;

    fn points<const T: usize>(used: usize) -> Vec<ArmPoint<T>> {
        (0..300)
            .map(|i| {
                let x = f64::from(i);
                let w: [f64; T] = std::array::from_fn(|k| {
                    if k < used {
                        (x * (k + 2) as f64).sin()
                    } else {
                        0.0
                    }
                });
                let effect: f64 = (0..used).map(|k| (k + 1) as f64 * w[k]).sum();
                ArmPoint {
                    y: effect + f64::from(i * i % 37) / 37.0,
                    w,
                    weight: 1.0 + x.cos().abs(),
                }
            })
            .collect()
    }

    fn mean<const D: usize, const T: usize>(arms: &Arms<T>, points: &[ArmPoint<T>]) -> [f64; D] {
        let mut sums = [0.0; D];
        for p in points {
            let row: [f64; D] = arms.row(p);
            for (s, v) in sums.iter_mut().zip(row) {
                *s += v / points.len() as f64;
            }
        }
        sums
    }

    #[test]
    fn influences_sum_to_zero_and_are_the_derivative() {
        const D: usize = means(7);
        let (arms, points) = (Arms::<7> { used: 4 }, points::<7>(4));
        let whole = mean::<D, 7>(&arms, &points);
        let solved = arms.solve(&whole).unwrap();
        let some = mean::<D, 7>(&arms, &points[..80]);
        let step = 1e-6;
        let moved: [f64; D] = std::array::from_fn(|d| whole[d] + step * (some[d] - whole[d]));
        let moved = arms.solve(&moved).unwrap();
        for k in 0..4 {
            let (value, slope) = solved[k];
            let dot = |m: &[f64; D]| m.iter().zip(&slope).map(|(a, b)| a * b).sum::<f64>();
            assert!(dot(&whole).abs() < 1e-12);
            let change = (moved[k].0 - value) / step;
            assert!((change - dot(&some)).abs() < 1e-4 * change.abs().max(0.1));
            assert!((value - (k + 1) as f64).abs() < 0.2, "{value}");
        }
    }

    /// The same seed must grow the same trees, whatever code grows them.
    #[test]
    fn one_treatment_is_relabelled_as_by_a_causal_forest() {
        const L: usize = lanes(2);
        let growth = Growth {
            min_node_size: 3,
            alpha: 0.05,
            imbalance_penalty: 0.0,
            features_per_split: 1.0,
        };
        let points = points::<2>(1);
        let single: Vec<Point> = points
            .iter()
            .map(|p| Point {
                y: p.y,
                w: p.w[0],
                z: p.w[0],
                weight: p.weight,
            })
            .collect();
        let rows: Vec<u32> = (0..300).filter(|i| i % 3 > 0).collect();
        let mut many = vec![[0.0; L]; rows.len()];
        let mut one = vec![[0.0; LANES + 1]; rows.len()];
        let arms = Arms::<2> { used: 1 };
        let (_, limits) = arms.relabel(&growth, &points, &rows, &mut many).unwrap();
        let (_, of_one) = Effect.relabel(&growth, &single, &rows, &mut one).unwrap();
        for (many, one) in many.iter().zip(&one) {
            assert_eq!((&many[..LANES], many[L - 1]), (&one[..LANES], one[LANES]));
        }
        assert_eq!((limits.size[0], limits.each), (of_one.size[0], of_one.each));
    }

    #[test]
    fn treatments_that_are_one_another_have_no_effects() {
        let mut points = points::<2>(2);
        for p in &mut points {
            p.w[1] = 2.0 * p.w[0];
        }
        let arms = Arms::<2> { used: 2 };
        let whole = mean::<{ means(2) }, 2>(&arms, &points);
        assert!(arms.solve(&whole).is_none());
    }
}
