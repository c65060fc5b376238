//! The random draws of a simulation: one stream a block of customers, and the samplers that the processes use.

use crate::numeric::Seed;
use crate::numeric::permutation::open_unit;
use rand::Rng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Poisson, StandardNormal};

/// A stream of draws. Normals come from the ziggurat of Marsaglia & Tsang (2000) in `rand_distr`; what is built on
/// them is written here, so that a process has the same bits in every version of that crate that keeps its ziggurat
/// (`tests/simulate.rs` pins them).
#[derive(Debug)]
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    /// Stream `index` of a seed.
    pub(crate) fn new(seed: Seed, index: u64) -> Self {
        Self(seed.stream(index))
    }

    /// N(0, 1).
    #[inline]
    pub(crate) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// Uniform strictly between 0 and 1.
    #[inline]
    pub(crate) fn uniform(&mut self) -> f64 {
        open_unit(self.0.next_u64())
    }

    /// True with this probability.
    #[inline]
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Exponential with mean one.
    pub(crate) fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }

    /// Standard logistic.
    pub(crate) fn logistic(&mut self) -> f64 {
        let u = self.uniform();
        (u / (1.0 - u)).ln()
    }

    /// A whole number below `bound`, all equally likely.
    #[inline]
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        crate::numeric::permutation::below(&mut self.0, bound as u64) as usize
    }

    /// Gamma with this shape and scale one: Marsaglia & Tsang (2000), "A simple method for generating gamma variables".
    pub(crate) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            // Γ(k) = Γ(k + 1)·U^{1/k}
            return self.gamma(shape + 1.0) * self.uniform().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Beta(a, b), as a share of two gammas.
    pub(crate) fn beta(&mut self, a: f64, b: f64) -> f64 {
        let x = self.gamma(a);
        x / (x + self.gamma(b))
    }

    /// Poisson with this mean; zero when the mean is not positive.
    pub(crate) fn poisson(&mut self, mean: f64) -> f64 {
        Poisson::new(mean).map_or(0.0, |p| p.sample(&mut self.0))
    }

    /// The generator, for the shuffles of [`crate::numeric::permutation`].
    pub(crate) fn generator(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of many draws.
    fn moments(mut draw: impl FnMut(&mut Draws) -> f64) -> (f64, f64) {
        const MANY: usize = 200_000;
        let mut draws = Draws::new(Seed::new(11), 0);
        let x: Vec<f64> = (0..MANY).map(|_| draw(&mut draws)).collect();
        let mean = x.iter().sum::<f64>() / MANY as f64;
        let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / MANY as f64;
        (mean, variance)
    }

    #[test]
    fn samplers_have_the_moments_of_their_distributions() {
        let pi2_3 = std::f64::consts::PI.powi(2) / 3.0;
        // (draws, mean, variance); means are held to 4.5 standard errors, variances to 5 %.
        let cases = [
            (moments(Draws::normal), 0.0, 1.0),
            (moments(Draws::uniform), 0.5, 1.0 / 12.0),
            (moments(Draws::exponential), 1.0, 1.0),
            (moments(Draws::logistic), 0.0, pi2_3),
            (moments(|d| d.gamma(0.3)), 0.3, 0.3),
            (moments(|d| d.gamma(4.5)), 4.5, 4.5),
            (moments(|d| d.beta(2.0, 3.0)), 0.4, 0.04),
            (moments(|d| d.poisson(3.7)), 3.7, 3.7),
            (moments(|d| f64::from(u8::from(d.chance(0.3)))), 0.3, 0.21),
        ];
        for (i, ((mean, variance), m, v)) in cases.into_iter().enumerate() {
            assert!(
                (mean - m).abs() < 4.5 * (v / 200_000.0).sqrt(),
                "{i}: {mean}"
            );
            assert!((variance / v - 1.0).abs() < 0.05, "{i}: {variance}");
        }
        assert_eq!(moments(|d| d.poisson(0.0)), (0.0, 0.0));
    }
}
