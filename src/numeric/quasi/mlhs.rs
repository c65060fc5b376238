//! Modified Latin hypercube samples.

use super::points::Points;
use crate::error::{Error, Result};
use crate::numeric::permutation::{open_unit, shuffle};
use crate::numeric::{Seed, blocks};
use rand::Rng;

/// The largest double below one.
const BELOW_ONE: f64 = 1.0 - 0.5 * f64::EPSILON;

/// Modified Latin hypercube sampling: in each dimension the `n` points `(i + ξ)/n`, `i = 0 … n−1`, evenly spaced with one
/// random shift `ξ ~ U(0, 1)`, in random order.
///
/// A sample is made for its size; samples of different index (one per decision maker, say) are independent.
///
/// # References
/// Hess, Train & Polak (2006), *Transportation Research B* 40, 147–163, doi:10.1016/j.trb.2004.10.005.
///
/// ```
/// use cocreate::numeric::quasi::Mlhs;
/// let sample = Mlhs::new(2, 7)?.sample(0, 100);
/// let mut first = sample.column(0);
/// first.sort_by(f64::total_cmp);
/// assert!(first.windows(2).all(|w| (w[1] - w[0] - 0.01).abs() < 1e-12));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mlhs {
    dimensions: usize,
    seed: Seed,
}

impl Mlhs {
    /// Samples in `dimensions` dimensions.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for zero dimensions.
    pub fn new(dimensions: usize, seed: impl Into<Seed>) -> Result<Self> {
        if dimensions == 0 {
            return Err(Error::invalid_option("dimensions", 0, "at least 1"));
        }
        Ok(Self {
            dimensions,
            seed: seed.into().child("mlhs"),
        })
    }

    /// How many coordinates each point has.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Sample number `index` of `count` points.
    pub fn sample(&self, index: u64, count: usize) -> Points {
        let first = index.wrapping_mul(self.dimensions as u64);
        let columns = blocks::map(self.dimensions, |j| {
            let mut generator = self.seed.stream(first.wrapping_add(j as u64));
            let shift = open_unit(generator.next_u64());
            let mut column: Vec<f64> = (0..count)
                .map(|i| ((i as f64 + shift) / count as f64).min(BELOW_ONE))
                .collect();
            shuffle(&mut column, &mut generator);
            column
        });
        Points::from_columns(&columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_of_every_dimension_holds_one_point() {
        let sample = Mlhs::new(3, 4).unwrap().sample(2, 1000);
        assert_eq!((sample.len(), sample.dimensions()), (1000, 3));
        for j in 0..3 {
            let mut cells: Vec<u32> = sample
                .column(j)
                .iter()
                .map(|u| (u * 1000.0) as u32)
                .collect();
            cells.sort_unstable();
            assert!(cells.iter().zip(0..).all(|(c, k)| *c == k));
        }
    }

    #[test]
    fn dimensions_and_samples_are_uncorrelated() {
        let mlhs = Mlhs::new(2, 4).unwrap();
        let (a, b) = (mlhs.sample(0, 4000), mlhs.sample(1, 4000));
        let correlation = |x: &[f64], y: &[f64]| {
            let sum: f64 = x.iter().zip(y).map(|(x, y)| (x - 0.5) * (y - 0.5)).sum();
            12.0 * sum / x.len() as f64
        };
        for (x, y) in [(a.column(0), a.column(1)), (a.column(0), b.column(0))] {
            assert!(correlation(&x, &y).abs() < 3.3 / 4000_f64.sqrt());
        }
        assert!(Mlhs::new(0, 1).is_err());
    }
}
