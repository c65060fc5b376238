//! The local moments that forests solve, and what they ask of a node, a leaf and a prediction.

use super::arm_moment;
use serde::{Deserialize, Serialize};

/// What a row brings: outcome, treatment and instrument, less their means given the features, and the row's weight.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Point {
    pub(super) y: f64,
    pub(super) w: f64,
    pub(super) z: f64,
    pub(super) weight: f64,
}

/// Which moment a forest solves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Moment {
    /// `E[Y − μ | x] = 0`.
    Mean,
    /// `E[(Y − τW − c)(1, W) | x] = 0`.
    Effect,
    /// `E[(Y − τW − c)(1, Z) | x] = 0`.
    Instrument,
    /// `E[(Y − τ'W − c)(1, W) | x] = 0` with a vector W of so many treatments.
    Arms(usize),
}

/// Means that a leaf keeps, for each moment: weight; weighted y; and of an effect w, wy, ww; of an instrument w, z, zy, zw.
pub(super) const MEAN: usize = 2;
pub(super) const EFFECT: usize = 5;
pub(super) const INSTRUMENT: usize = 6;

/// A denominator below this share of what it would be without cancellation is rounding.
pub(super) const CANCELLED: f64 = 1e-10;

impl Moment {
    /// Numbers a leaf keeps.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Mean => MEAN,
            Self::Effect => EFFECT,
            Self::Instrument => INSTRUMENT,
            Self::Arms(treatments) => arm_moment::size(treatments),
        }
    }
}

/// What trees are grown on, row by row.
pub(super) trait Sampled: Sync {
    type Point: Copy + Send + Sync;
}

/// A solution, and the slope of each tree's influence on it.
pub(super) type Solved<const D: usize> = (f64, [f64; D]);

/// A moment with `T` solutions whose leaves keep `D` means.
pub(super) trait Local<const D: usize, const T: usize>: Sampled {
    /// What a row adds to the sums of its leaf.
    fn row(&self, point: &Self::Point) -> [f64; D];

    /// Whether a row counts: one without weight does not keep a leaf.
    fn counts(&self, point: &Self::Point) -> bool;

    /// The solutions for forest-weighted means, and the slopes of each tree's influence: a tree with leaf means `m` moves a solution by
    /// `slope · m` (eq. 12 of Athey, Tibshirani & Wager 2019, with the Hessian estimated by the forest). None where the means do not
    /// determine them.
    fn solve(&self, means: &[f64; D]) -> Option<[Solved<D>; T]>;
}

/// `E[Y − μ | x] = 0`.
pub(super) struct Mean;

impl Sampled for Mean {
    type Point = Point;
}

impl Local<MEAN, 1> for Mean {
    fn counts(&self, point: &Point) -> bool {
        point.weight > 0.0
    }

    fn row(&self, p: &Point) -> [f64; MEAN] {
        [p.weight, p.weight * p.y]
    }

    fn solve(&self, means: &[f64; MEAN]) -> Option<[Solved<MEAN>; 1]> {
        let [weight, y] = *means;
        if weight <= 0.0 {
            return None;
        }
        let mean = y / weight;
        Some([(mean, [-mean / weight, 1.0 / weight])])
    }
}

/// The effect of a treatment: its own instrument.
pub(super) struct Effect;

impl Sampled for Effect {
    type Point = Point;
}

impl Local<EFFECT, 1> for Effect {
    fn counts(&self, point: &Point) -> bool {
        point.weight > 0.0
    }

    fn row(&self, p: &Point) -> [f64; EFFECT] {
        let (wy, ww) = (p.w * p.y, p.w * p.w);
        [1.0, p.y, p.w, wy, ww].map(|v| p.weight * v)
    }

    fn solve(&self, means: &[f64; EFFECT]) -> Option<[Solved<EFFECT>; 1]> {
        let [weight, y, w, wy, ww] = *means;
        let [(effect, s)] = Instrument.solve(&[weight, y, w, w, wy, ww])?;
        Some([(effect, [s[0], s[1], s[2] + s[3], s[4], s[5]])])
    }
}

/// The effect of a treatment by an instrument.
pub(super) struct Instrument;

impl Sampled for Instrument {
    type Point = Point;
}

impl Local<INSTRUMENT, 1> for Instrument {
    fn counts(&self, point: &Point) -> bool {
        point.weight > 0.0
    }

    fn row(&self, p: &Point) -> [f64; INSTRUMENT] {
        [1.0, p.y, p.w, p.z, p.z * p.y, p.z * p.w].map(|v| p.weight * v)
    }

    fn solve(&self, means: &[f64; INSTRUMENT]) -> Option<[Solved<INSTRUMENT>; 1]> {
        let [weight, y, w, z, zy, zw] = *means;
        if weight <= 0.0 {
            return None;
        }
        let [y, w, z, zy, zw] = [y, w, z, zy, zw].map(|v| v / weight);
        let slope = zw - z * w;
        if slope.abs() <= CANCELLED * (zw.abs() + (z * w).abs()) {
            return None;
        }
        let effect = (zy - z * y) / slope;
        let level = y - effect * w;
        // slope · m = [zy − τ zw − c z − z̄ (y − τ w − c weight)] / (zw̄ − z̄ w̄), all over the mean weight.
        let by = 1.0 / (slope * weight);
        let influence = [z * level, -z, z * effect, -level, 1.0, -effect].map(|v| v * by);
        (effect.is_finite() && influence.iter().all(|v| v.is_finite()))
            .then_some([(effect, influence)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means<const D: usize, M: Local<D, 1, Point = Point>>(
        moment: &M,
        points: &[Point],
    ) -> [f64; D] {
        let mut sums = [0.0; D];
        for p in points {
            for (s, v) in sums.iter_mut().zip(moment.row(p)) {
                *s += v / points.len() as f64;
            }
        }
        sums
    }

    fn sample() -> Vec<Point> {
        (0..200)
            .map(|i| {
                let (a, b) = (f64::from(i).sin(), f64::from(i * i % 37) / 37.0);
                Point {
                    w: a + b,
                    z: a,
                    y: 2.0 * (a + b) + b - 0.3,
                    weight: 1.0 + b,
                }
            })
            .collect()
    }

    #[test]
    fn influences_sum_to_zero_and_are_the_derivative() {
        fn check<const D: usize, M: Local<D, 1, Point = Point>>(moment: &M) {
            let points = sample();
            let whole = means(moment, &points);
            let [(value, slope)] = moment.solve(&whole).unwrap();
            let dot = |m: &[f64; D]| m.iter().zip(&slope).map(|(a, b)| a * b).sum::<f64>();
            assert!(dot(&whole).abs() < 1e-12);
            // Moving the means a little towards those of some rows moves the solution by the influence.
            let some = means(moment, &points[..50]);
            let step = 1e-6;
            let moved = std::array::from_fn(|d| whole[d] + step * (some[d] - whole[d]));
            let change = (moment.solve(&moved).unwrap()[0].0 - value) / step;
            assert!(
                (change - dot(&some)).abs() < 1e-4 * change.abs().max(0.1),
                "{change}"
            );
        }
        check::<MEAN, _>(&Mean);
        check::<EFFECT, _>(&Effect);
        check::<INSTRUMENT, _>(&Instrument);
    }

    #[test]
    fn without_variation_there_is_no_solution() {
        let flat: Vec<Point> = sample()
            .into_iter()
            .map(|p| Point {
                w: 0.3,
                z: 0.3,
                ..p
            })
            .collect();
        assert!(Effect.solve(&means(&Effect, &flat)).is_none());
        assert!(Mean.solve(&[0.0, 0.0]).is_none());
    }
}
