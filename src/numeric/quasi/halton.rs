//! Halton sequences, plain and scrambled.

use super::points::Points;
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::permutation::shuffle;

/// More dimensions would need bases above 1619, whose first thousand points lie on a line.
const MAX_DIMENSIONS: usize = 256;
/// Digits are made until they no longer reach the last bit of a double.
const PRECISION: f64 = (1_u64 << 53) as f64;
/// The largest double below one.
const BELOW_ONE: f64 = 1.0 - 0.5 * f64::EPSILON;

/// The Halton sequence: coordinate `j` of point `n` mirrors the digits of `n` in the `j`-th prime base about the point,
/// `Σ dₖ(n) b⁻ᵏ⁻¹`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `drop` | 0 | first elements left out (10–100 is usual in discrete choice) | ≥ 0 |
/// | `leap` | 1 | only every `leap`-th element is used | ≥ 1, no multiple of a base in use |
/// | `scrambled` | off | every digit position has its own random permutation | |
///
/// The first point is that of `n = 1`, never the origin. Coordinates in large bases are correlated for the first few `b`
/// points, so beyond about five dimensions scramble the sequence or use [`Sobol`](super::Sobol). Scrambling permutes all
/// digits down to the last bit, so each point is uniform in (0, 1) and repetitions with other seeds give error estimates.
///
/// # References
/// Halton (1960), doi:10.1007/BF01386213. Train (2009), *Discrete Choice Methods with Simulation*, § 9.3.3. Kocis & Whiten
/// (1997), doi:10.1145/264029.264064 (leaps). Owen (2017), arXiv:1706.02808 (random digit permutations).
///
/// ```
/// use cocreate::numeric::quasi::Halton;
/// let points = Halton::new(2)?.points(0, 3);
/// assert_eq!(points.point(0), Some([1.0 / 2.0, 1.0 / 3.0].as_slice()));
/// assert_eq!(points.point(2), Some([3.0 / 4.0, 1.0 / 9.0].as_slice()));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Halton {
    bases: Vec<u64>,
    drop: u64,
    leap: u64,
    scrambles: Option<Vec<Scramble>>,
}

impl Halton {
    /// The plain sequence in 1 to 256 dimensions.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for another number of dimensions.
    pub fn new(dimensions: usize) -> Result<Self> {
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Err(Error::invalid_option(
                "dimensions",
                dimensions,
                format!("from 1 to {MAX_DIMENSIONS} for Halton draws; Sobol draws have more"),
            ));
        }
        Ok(Self {
            bases: primes(dimensions),
            drop: 0,
            leap: 1,
            scrambles: None,
        })
    }

    /// Leaves out the first elements.
    pub fn drop(mut self, elements: u64) -> Self {
        self.drop = elements;
        self
    }

    /// Uses only every `leap`-th element.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for zero and for multiples of a base in use, which would leave that coordinate constant in
    /// its first digit.
    pub fn leap(mut self, leap: u64) -> Result<Self> {
        if leap == 0 || self.bases.iter().any(|b| leap.is_multiple_of(*b)) {
            return Err(Error::invalid_option(
                "leap",
                leap,
                "positive and no multiple of a prime base in use; a prime above them is best, e.g. 409",
            ));
        }
        self.leap = leap;
        Ok(self)
    }

    /// Permutes the digits at random.
    pub fn scrambled(mut self, seed: impl Into<Seed>) -> Self {
        let seed = seed.into().child("halton");
        let scrambles = self.bases.iter().enumerate();
        self.scrambles = Some(
            scrambles
                .map(|(j, base)| Scramble::new(*base, seed, j as u64))
                .collect(),
        );
        self
    }

    /// How many coordinates each point has.
    pub fn dimensions(&self) -> usize {
        self.bases.len()
    }

    /// The points `first`, `first + 1`, … (`count` of them) of the sequence.
    pub fn points(&self, first: u64, count: usize) -> Points {
        Points::generate(count, self.dimensions(), |start, rows| {
            self.fill(first.wrapping_add(start as u64), rows);
        })
    }

    /// Writes the points from `first` on, one after another, into `rows`.
    pub fn fill(&self, first: u64, rows: &mut [f64]) {
        for (i, row) in rows.chunks_mut(self.dimensions()).enumerate() {
            let element = first.wrapping_add(i as u64).wrapping_mul(self.leap);
            let n = element.wrapping_add(self.drop).wrapping_add(1);
            match &self.scrambles {
                None => {
                    for (value, base) in row.iter_mut().zip(&self.bases) {
                        *value = radical_inverse(n, *base);
                    }
                }
                Some(scrambles) => {
                    for (value, scramble) in row.iter_mut().zip(scrambles) {
                        *value = scramble.apply(n);
                    }
                }
            }
        }
    }
}

/// The first primes.
fn primes(count: usize) -> Vec<u64> {
    let mut found: Vec<u64> = Vec::with_capacity(count);
    let mut candidate = 2;
    while found.len() < count {
        if found.iter().all(|p| candidate % p != 0) {
            found.push(candidate);
        }
        candidate += 1;
    }
    found
}

/// The digits of `n` mirrored about the point. Mirrored digits and denominator are whole numbers, so the quotient is
/// correctly rounded while they are below 2⁵³.
fn radical_inverse(mut n: u64, base: u64) -> f64 {
    let b = base as f64;
    let (mut mirrored, mut denominator) = (0.0, 1.0);
    while n > 0 {
        mirrored = mirrored * b + (n % base) as f64;
        denominator *= b;
        n /= base;
    }
    mirrored / denominator
}

/// The random digit permutations of one dimension.
#[derive(Clone, Debug)]
struct Scramble {
    base: u64,
    /// `permutations[k · base + d]` replaces digit `d` at position `k`.
    permutations: Vec<u16>,
    /// `weights[k] = b⁻ᵏ⁻¹`.
    weights: Vec<f64>,
    /// `tails[k]`: what the permuted zeros from position `k` on add up to.
    tails: Vec<f64>,
}

impl Scramble {
    fn new(base: u64, seed: Seed, dimension: u64) -> Self {
        let mut generator = seed.stream(dimension);
        let b = base as f64;
        let mut permutations = Vec::new();
        let mut weights = Vec::new();
        let (mut weight, mut reach) = (1.0, 1.0);
        while reach < PRECISION {
            let mut order: Vec<u16> = (0..base as u16).collect();
            shuffle(&mut order, &mut generator);
            permutations.extend(order);
            weight /= b;
            weights.push(weight);
            reach *= b;
        }
        let digits = weights.len();
        let mut tails = vec![0.5 * weight; digits + 1];
        for k in (0..digits).rev() {
            let zero = f64::from(permutations[k * base as usize]);
            tails[k] = tails[k + 1] + zero * weights[k];
        }
        Self {
            base,
            permutations,
            weights,
            tails,
        }
    }

    fn apply(&self, mut n: u64) -> f64 {
        let mut value = 0.0;
        let mut k = 0;
        while n > 0 && k < self.weights.len() {
            let digit = (n % self.base) as usize;
            let permuted = self.permutations[k * self.base as usize + digit];
            value += f64::from(permuted) * self.weights[k];
            n /= self.base;
            k += 1;
        }
        (value + self.tails[k]).min(BELOW_ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrambling_keeps_the_strata_of_every_base() {
        // Any b² successive points have one coordinate in each of the b² cells.
        let halton = Halton::new(6).unwrap().scrambled(3);
        for (j, base) in primes(6).into_iter().enumerate() {
            let cells = (base * base) as usize;
            let mut seen = vec![0; cells];
            for point in &halton.points(1000, cells) {
                assert!(point[j] > 0.0 && point[j] < 1.0);
                seen[(point[j] * cells as f64) as usize] += 1;
            }
            assert!(seen.iter().all(|s| *s == 1), "base {base}: {seen:?}");
        }
    }

    #[test]
    fn drop_and_leap_select_elements_of_the_plain_sequence() {
        let plain = Halton::new(3).unwrap().points(0, 500);
        let other = Halton::new(3).unwrap().drop(20).leap(7).unwrap();
        for (i, point) in other.points(0, 60).iter().enumerate() {
            assert_eq!(Some(point), plain.point(20 + 7 * i));
        }
        assert!(Halton::new(3).unwrap().leap(10).is_err());
        assert!(Halton::new(3).unwrap().leap(0).is_err());
        assert!(Halton::new(0).is_err() && Halton::new(257).is_err());
    }

    #[test]
    fn a_part_equals_the_whole() {
        let halton = Halton::new(40).unwrap().scrambled(9);
        let whole = halton.points(0, 3000);
        let part = halton.points(2500, 100);
        assert_eq!(part.point(7), whole.point(2507));
        let other = Halton::new(40).unwrap().scrambled(10).points(0, 1);
        assert_ne!(other.point(0), whole.point(0));
    }

    #[test]
    fn the_largest_base_is_the_256th_prime() {
        assert_eq!(primes(256).last(), Some(&1619));
    }
}
