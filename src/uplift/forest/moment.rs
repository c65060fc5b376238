//! The local moments that forests solve, and what they ask of a node, a leaf and a prediction.

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
}

/// Means that a leaf keeps, for each moment: weight; weighted y; and of an effect w, wy, ww; of an instrument w, z, zy, zw.
pub(super) const MEAN: usize = 2;
pub(super) const EFFECT: usize = 5;
pub(super) const INSTRUMENT: usize = 6;

/// A denominator below this share of what it would be without cancellation is rounding.
const CANCELLED: f64 = 1e-10;

impl Moment {
    /// Numbers a leaf keeps.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Mean => MEAN,
            Self::Effect => EFFECT,
            Self::Instrument => INSTRUMENT,
        }
    }
}

/// A moment whose leaves keep `D` means.
pub(super) trait Local<const D: usize>: Sync {
    /// What a row adds to the sums of its leaf.
    fn row(point: &Point) -> [f64; D];

    /// The solution for forest-weighted means, and the slope of each tree's influence: a tree with leaf means `m` moves the solution by
    /// `slope · m` (eq. 12 of Athey, Tibshirani & Wager 2019, with the Hessian estimated by the forest). None where the means do not
    /// determine it.
    fn solve(means: &[f64; D]) -> Option<(f64, [f64; D])>;
}

/// `E[Y − μ | x] = 0`.
pub(super) struct Mean;

impl Local<MEAN> for Mean {
    fn row(p: &Point) -> [f64; MEAN] {
        [p.weight, p.weight * p.y]
    }

    fn solve(means: &[f64; MEAN]) -> Option<(f64, [f64; MEAN])> {
        let [weight, y] = *means;
        if weight <= 0.0 {
            return None;
        }
        let mean = y / weight;
        Some((mean, [-mean / weight, 1.0 / weight]))
    }
}

/// The effect of a treatment: its own instrument.
pub(super) struct Effect;

impl Local<EFFECT> for Effect {
    fn row(p: &Point) -> [f64; EFFECT] {
        let (wy, ww) = (p.w * p.y, p.w * p.w);
        [1.0, p.y, p.w, wy, ww].map(|v| p.weight * v)
    }

    fn solve(means: &[f64; EFFECT]) -> Option<(f64, [f64; EFFECT])> {
        let [weight, y, w, wy, ww] = *means;
        let (effect, s) = Instrument::solve(&[weight, y, w, w, wy, ww])?;
        Some((effect, [s[0], s[1], s[2] + s[3], s[4], s[5]]))
    }
}

/// The effect of a treatment by an instrument.
pub(super) struct Instrument;

impl Local<INSTRUMENT> for Instrument {
    fn row(p: &Point) -> [f64; INSTRUMENT] {
        [1.0, p.y, p.w, p.z, p.z * p.y, p.z * p.w].map(|v| p.weight * v)
    }

    fn solve(means: &[f64; INSTRUMENT]) -> Option<(f64, [f64; INSTRUMENT])> {
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
            .then_some((effect, influence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means<const D: usize, M: Local<D>>(points: &[Point]) -> [f64; D] {
        let mut sums = [0.0; D];
        for p in points {
            for (s, v) in sums.iter_mut().zip(M::row(p)) {
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
        fn check<const D: usize, M: Local<D>>() {
            let points = sample();
            let whole = means::<D, M>(&points);
            let (value, slope) = M::solve(&whole).unwrap();
            let dot = |m: &[f64; D]| m.iter().zip(&slope).map(|(a, b)| a * b).sum::<f64>();
            assert!(dot(&whole).abs() < 1e-12);
            // Moving the means a little towards those of some rows moves the solution by the influence.
            let some = means::<D, M>(&points[..50]);
            let step = 1e-6;
            let moved = std::array::from_fn(|d| whole[d] + step * (some[d] - whole[d]));
            let change = (M::solve(&moved).unwrap().0 - value) / step;
            assert!(
                (change - dot(&some)).abs() < 1e-4 * change.abs().max(0.1),
                "{change}"
            );
        }
        check::<MEAN, Mean>();
        check::<EFFECT, Effect>();
        check::<INSTRUMENT, Instrument>();
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
        assert!(Effect::solve(&means::<EFFECT, Effect>(&flat)).is_none());
        assert!(Mean::solve(&[0.0, 0.0]).is_none());
    }
}
