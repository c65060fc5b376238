//! The six simulations of Künzel et al.

use crate::numeric::Seed;
use crate::numeric::linalg::Cholesky;
use crate::numeric::permutation::shuffle;
use crate::simulate::draws::Draws;
use nalgebra::DMatrix;

/// How many simulations there are.
pub(super) const SIMULATIONS: u8 = 6;
/// Partial correlations are those of Beta(10, 10) on (−1, 1): the default of the authors' package.
const PARTIAL_SHAPE: f64 = 10.0;
/// Coefficients of each piece of the fifth simulation, and the feature that tells the pieces apart.
const PIECE: usize = 5;
const SWITCH: usize = 19;

/// What is random in a simulation's surfaces.
#[derive(Clone, Debug)]
pub(super) struct Coefficients {
    simulation: u8,
    untreated: Vec<f64>,
    treated: Vec<f64>,
}

impl Coefficients {
    /// The coefficients of simulation 1 to 6 for so many features.
    pub(super) fn draw(simulation: u8, features: usize, seed: Seed) -> Self {
        let mut draws = Draws::new(seed.child("coefficients"), 0);
        let (low, high) = match simulation {
            1 => (-5.0, 5.0),
            5 => (-15.0, 15.0),
            _ => (1.0, 30.0),
        };
        let mut vector = || -> Vec<f64> {
            let value = |_| low + (high - low) * draws.uniform();
            (0..features).map(value).collect()
        };
        let untreated = vector();
        Self {
            simulation,
            untreated,
            treated: vector(),
        }
    }

    /// Mean of both potential outcomes, propensity and effect.
    pub(super) fn at(&self, x: &[f64]) -> [f64; 3] {
        let dot = |b: &[f64], x: &[f64]| b.iter().zip(x).map(|(b, x)| b * x).sum::<f64>();
        let (untreated, propensity, effect) = match self.simulation {
            1 => {
                let step = if x[0] > 0.5 { 5.0 } else { 0.0 };
                let effect = if x[1] > 0.1 { 8.0 } else { 0.0 };
                (dot(&self.untreated, x) + step, 0.01, effect)
            }
            2 => {
                let untreated = dot(&self.untreated, x);
                (untreated, 0.5, dot(&self.treated, x) - untreated)
            }
            3 => {
                let curve = |v: f64| 2.0 / (1.0 + (-12.0 * (v - 0.5)).exp());
                let effect = curve(x[0]) * curve(x[1]);
                (-0.5 * effect, 0.5, effect)
            }
            4 => (dot(&self.untreated, x), 0.5, 0.0),
            5 => {
                let piece = match x[SWITCH] {
                    v if v < -0.4 => 0,
                    v if v <= 0.4 => 1,
                    _ => 2,
                };
                let range = piece * PIECE..(piece + 1) * PIECE;
                (dot(&self.untreated[range.clone()], &x[range]), 0.5, 0.0)
            }
            _ => {
                let density = 20.0 * x[0] * (1.0 - x[0]).powi(3);
                (2.0 * x[0] - 1.0, 0.25 * (1.0 + density), 0.0)
            }
        };
        [untreated + 0.5 * effect, propensity, effect]
    }
}

/// The root of a random correlation matrix, of which partial correlations are drawn along a C-vine (Lewandowski, Kurowicka & Joe 2009)
/// and then turned into correlations, the features in random order.
pub(super) fn correlation_root(features: usize, seed: Seed) -> DMatrix<f64> {
    let mut draws = Draws::new(seed.child("correlations"), 0);
    let mut partial = DMatrix::<f64>::zeros(features, features);
    let mut matrix = DMatrix::<f64>::identity(features, features);
    for k in 0..features {
        for i in k + 1..features {
            partial[(k, i)] = 2.0 * draws.beta(PARTIAL_SHAPE, PARTIAL_SHAPE) - 1.0;
            let mut rho = partial[(k, i)];
            for l in (0..k).rev() {
                let (a, b) = (partial[(l, i)], partial[(l, k)]);
                rho = rho * ((1.0 - a * a) * (1.0 - b * b)).sqrt() + a * b;
            }
            matrix[(k, i)] = rho;
            matrix[(i, k)] = rho;
        }
    }
    let mut order: Vec<usize> = (0..features).collect();
    shuffle(&mut order, draws.generator());
    let shuffled = DMatrix::from_fn(features, features, |i, j| matrix[(order[i], order[j])]);
    Cholesky::new(&shuffled).root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surfaces_are_those_of_the_paper() {
        let ones = |simulation| Coefficients {
            simulation,
            untreated: (1..=20).map(f64::from).collect(),
            treated: vec![2.0; 20],
        };
        let mut x = vec![0.0; 20];
        (x[0], x[1], x[19]) = (1.0, 0.5, 0.0);
        // x'β = 1 + 2 · ½ = 2, then 5 above ½; the effect is 8 above .1.
        assert_eq!(ones(1).at(&x), [7.0 + 4.0, 0.01, 8.0]);
        assert_eq!(ones(2).at(&x), [2.5, 0.5, 1.0]);
        let curve = |v: f64| 2.0 / (1.0 + (-12.0 * (v - 0.5)).exp());
        let [mean, e, effect] = ones(3).at(&x);
        assert!(mean.abs() < 1e-12 && e == 0.5 && (effect - curve(1.0)).abs() < 1e-12);
        assert_eq!(ones(4).at(&x), [2.0, 0.5, 0.0]);
        // The second piece has features 6 to 10, the first 1 to 5, the third 11 to 15.
        (x[6], x[11]) = (10.0, 100.0);
        assert_eq!(ones(5).at(&x)[0], 70.0);
        x[19] = -1.0;
        assert_eq!(ones(5).at(&x)[0], 2.0);
        x[19] = 1.0;
        assert_eq!(ones(5).at(&x)[0], 1200.0);
        x[0] = 0.25;
        let [mean, e, effect] = ones(6).at(&x);
        assert!((mean, effect) == (-0.5, 0.0) && (e - 3.109_375 / 4.0).abs() < 1e-12);
    }

    #[test]
    fn correlations_are_correlations() {
        let root = correlation_root(20, Seed::new(5));
        let matrix = &root * root.transpose();
        assert_eq!(root.nrows(), 20);
        let mut size = 0.0;
        for i in 0..20 {
            assert!((matrix[(i, i)] - 1.0).abs() < 1e-12);
            size += (0..i).map(|j| matrix[(i, j)].powi(2)).sum::<f64>() / 190.0;
        }
        // Partial correlations of Beta(10, 10) have variance 1/21; correlations on a C-vine are a little larger.
        assert!((0.03..0.12).contains(&size), "{size}");
    }

    #[test]
    fn coefficients_lie_in_their_ranges() {
        for (simulation, low, high) in [(1, -5.0, 5.0), (2, 1.0, 30.0), (5, -15.0, 15.0)] {
            let made = Coefficients::draw(simulation, 400, Seed::new(2));
            let all: Vec<f64> = made
                .untreated
                .iter()
                .chain(&made.treated)
                .copied()
                .collect();
            assert!(all.iter().all(|b| (low..high).contains(b)));
            let mean = all.iter().sum::<f64>() / 800.0;
            let error = (high - low) / 12.0_f64.sqrt() / 800.0_f64.sqrt();
            assert!((mean - 0.5 * (low + high)).abs() < 4.0 * error);
        }
    }
}
