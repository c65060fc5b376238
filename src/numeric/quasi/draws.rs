//! Which draws a simulated likelihood uses: an option that can be stored, and the sampler made from it.

use super::{Halton, Mlhs, Points, Sobol};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::permutation::open_unit;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kind of draws. Scrambled Sobol' draws are the default: for the same number of draws their simulation error is the
/// smallest, most so when the number per unit is a power of two.
///
/// ```
/// use cocreate::numeric::quasi::Draws;
/// let sampler = Draws::default().sampler(2, 256, 7)?; // 2 dimensions, 256 draws per unit, seed 7
/// let (first, second) = (sampler.points(0), sampler.points(1));
/// assert_eq!((first.len(), second.len()), (256, 256));
/// assert_ne!(first, second);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Draws {
    /// Sobol' with Owen scrambling; unit `i` has the `i`-th run of the sequence.
    #[default]
    Sobol,
    /// Halton; unit `i` has the `i`-th run of the sequence.
    Halton {
        /// First elements left out.
        drop: u64,
        /// Whether the digits are permuted at random.
        scrambled: bool,
    },
    /// Modified Latin hypercube samples, one independent sample per unit.
    Mlhs,
    /// Pseudo-random draws, one independent stream per unit.
    Random,
}

impl Draws {
    /// A sampler of `per_unit` draws of `dimensions` coordinates for each unit.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for zero draws, or for dimensions that the sequence does not have.
    pub fn sampler(
        self,
        dimensions: usize,
        per_unit: usize,
        seed: impl Into<Seed>,
    ) -> Result<Sampler> {
        let seed = seed.into();
        if per_unit == 0 {
            return Err(Error::invalid_option("draws", 0, "at least 1 per unit"));
        }
        let source = match self {
            Self::Sobol => Source::Sobol(Sobol::new(dimensions)?.scrambled(seed)),
            Self::Halton { drop, scrambled } => {
                let plain = Halton::new(dimensions)?.drop(drop);
                Source::Halton(if scrambled {
                    plain.scrambled(seed)
                } else {
                    plain
                })
            }
            Self::Mlhs => Source::Mlhs(Mlhs::new(dimensions, seed)?),
            Self::Random if dimensions == 0 => {
                return Err(Error::invalid_option("dimensions", 0, "at least 1"));
            }
            Self::Random => Source::Random {
                dimensions,
                seed: seed.child("random draws"),
            },
        };
        Ok(Sampler { source, per_unit })
    }
}

impl fmt::Display for Draws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sobol => write!(f, "Sobol' draws with Owen scrambling"),
            Self::Halton { drop, scrambled } => write!(
                f,
                "{} Halton draws without the first {drop}",
                if *scrambled { "scrambled" } else { "plain" }
            ),
            Self::Mlhs => write!(f, "modified Latin hypercube samples"),
            Self::Random => write!(f, "pseudo-random draws"),
        }
    }
}

/// Draws of a fixed number for each unit (decision maker, group, …), by the number of the unit.
#[derive(Clone, Debug)]
pub struct Sampler {
    source: Source,
    per_unit: usize,
}

#[derive(Clone, Debug)]
enum Source {
    Sobol(Sobol),
    Halton(Halton),
    Mlhs(Mlhs),
    Random { dimensions: usize, seed: Seed },
}

impl Sampler {
    /// How many draws a unit has.
    pub fn per_unit(&self) -> usize {
        self.per_unit
    }

    /// The draws of unit `unit`: the same whatever the order or the thread.
    pub fn points(&self, unit: u64) -> Points {
        let first = unit.wrapping_mul(self.per_unit as u64);
        match &self.source {
            Source::Sobol(sobol) => sobol.points(first, self.per_unit),
            Source::Halton(halton) => halton.points(first, self.per_unit),
            Source::Mlhs(mlhs) => mlhs.sample(unit, self.per_unit),
            Source::Random { dimensions, seed } => {
                let mut generator = seed.stream(unit);
                let values = (0..self.per_unit * dimensions)
                    .map(|_| open_unit(generator.next_u64()))
                    .collect();
                Points::from_rows(*dimensions, values)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Draws; 4] = [
        Draws::Sobol,
        Draws::Halton {
            drop: 10,
            scrambled: true,
        },
        Draws::Mlhs,
        Draws::Random,
    ];

    #[test]
    fn units_together_are_uniform() {
        for draws in ALL {
            let sampler = draws.sampler(3, 64, 5).unwrap();
            let mut sums = [0.0; 3];
            for unit in 0..64 {
                for point in &sampler.points(unit) {
                    assert!(point.iter().all(|u| *u > 0.0 && *u < 1.0));
                    for (sum, u) in sums.iter_mut().zip(point) {
                        *sum += u;
                    }
                }
            }
            // 4.5 standard errors of pseudo-random draws.
            let limit = 4.5 / (12.0 * 4096.0_f64).sqrt();
            assert!(
                sums.iter().all(|s| (s / 4096.0 - 0.5).abs() < limit),
                "{draws}: {sums:?}"
            );
        }
    }

    #[test]
    fn the_option_survives_storage_and_refuses_nonsense() {
        for draws in ALL {
            let text = serde_json::to_string(&draws).unwrap();
            assert_eq!(serde_json::from_str::<Draws>(&text).unwrap(), draws);
            assert!(draws.sampler(0, 8, 1).is_err());
            assert!(draws.sampler(2, 0, 1).is_err());
            let (a, b) = (draws.sampler(2, 8, 1), draws.sampler(2, 8, 2));
            assert_ne!(a.unwrap().points(0), b.unwrap().points(0));
        }
    }
}
