//! Sobol' sequences, plain and with Owen scrambling.

use super::points::Points;
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::permutation::open_unit;
use crate::numeric::seed::mix;

/// Primitive polynomials and initial numbers; the file's head names their source.
const JOE_KUO: &str = include_str!("joe_kuo.txt");
/// Dimensions of the table; Joe and Kuo's numbers have property A up to 1111.
const MAX_DIMENSIONS: usize = 1024;
/// Binary digits of a coordinate, and so the largest index.
const BITS: usize = u64::BITS as usize;
/// Digits scrambled by one hash: the flips of a binary tree of this depth are 2⁶ − 1 bits.
const GROUP: usize = 6;
/// Groups that cover the 52 digits of an open unit number.
const GROUPS: usize = 9;

/// The Sobol' sequence with the direction numbers of Joe & Kuo (2008), in Gray-code order, in 1 to 1024 dimensions.
///
/// Any 2ᵏ points from a multiple of 2ᵏ on are a net: each of the 2ᵏ equal intervals of every coordinate holds exactly one.
/// Use such sizes. The plain sequence starts at the origin (a normal quantile is −∞ there: start at index 1, or scramble).
/// Scrambling is Owen's nested uniform scrambling: each digit is flipped by a random bit that depends on all digits before
/// it (by hashing, in the manner of Laine & Karras 2011 but with an independent bit for every node of the digit tree). It
/// keeps the net, makes every point uniform in (0, 1), and lowers the error for smooth functions to about n^(−3/2);
/// repetitions with other seeds give error estimates.
///
/// # References
/// Joe & Kuo (2008), doi:10.1137/070709359. Owen (1997), doi:10.1214/aos/1031594731. Burley (2020), *JCGT* 9(4).
///
/// ```
/// use cocreate::numeric::quasi::Sobol;
/// let sobol = Sobol::new(3)?.scrambled(7);
/// let mean = sobol.points(0, 1024).iter().map(|u| u[0] * u[1] * u[2]).sum::<f64>() / 1024.0;
/// assert!((mean - 0.125).abs() < 1e-3);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sobol {
    directions: Vec<[u64; BITS]>,
    keys: Option<Vec<[u64; GROUPS]>>,
}

impl Sobol {
    /// The plain sequence.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when the number of dimensions is not from 1 to 1024.
    pub fn new(dimensions: usize) -> Result<Self> {
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Err(Error::invalid_option(
                "dimensions",
                dimensions,
                format!("from 1 to {MAX_DIMENSIONS} for Sobol draws"),
            ));
        }
        let mut directions = vec![std::array::from_fn(|k| 1 << (BITS - 1 - k))];
        let rows = JOE_KUO.lines().filter(|line| !line.starts_with('#'));
        directions.extend(rows.take(dimensions - 1).map(direction_numbers));
        Ok(Self {
            directions,
            keys: None,
        })
    }

    /// Scrambles the digits.
    pub fn scrambled(mut self, seed: impl Into<Seed>) -> Self {
        let seed = seed.into().child("sobol").value();
        let key = |j: usize, group: usize| mix(mix(seed ^ mix(j as u64)) ^ group as u64);
        self.keys = Some(
            (0..self.dimensions())
                .map(|j| std::array::from_fn(|group| key(j, group)))
                .collect(),
        );
        self
    }

    /// How many coordinates each point has.
    pub fn dimensions(&self) -> usize {
        self.directions.len()
    }

    /// The points `first`, `first + 1`, … (`count` of them) of the sequence.
    pub fn points(&self, first: u64, count: usize) -> Points {
        Points::generate(count, self.dimensions(), |start, rows| {
            self.fill(first.wrapping_add(start as u64), rows);
        })
    }

    /// Writes the points from `first` on, one after another, into `rows`.
    pub fn fill(&self, first: u64, rows: &mut [f64]) {
        let gray = first ^ (first >> 1);
        let mut digits: Vec<u64> = self
            .directions
            .iter()
            .map(|v| {
                (0..BITS)
                    .filter(|k| gray >> k & 1 == 1)
                    .fold(0, |x, k| x ^ v[k])
            })
            .collect();
        for (i, row) in rows.chunks_mut(self.dimensions()).enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                *value = match &self.keys {
                    None => unit(digits[j]),
                    Some(keys) => open_unit(owen(digits[j], &keys[j])),
                };
            }
            // The next Gray code differs in one digit: the lowest zero of this index.
            let next = first.wrapping_add(i as u64).trailing_ones() as usize;
            for (x, v) in digits.iter_mut().zip(&self.directions) {
                *x ^= v[next % BITS];
            }
        }
    }
}

/// The direction numbers of one dimension from its line of the table (Joe & Kuo 2008, eqs. 2–3).
fn direction_numbers(line: &str) -> [u64; BITS] {
    let mut numbers = line.split_ascii_whitespace().filter_map(|n| n.parse().ok());
    let degree = numbers.next().unwrap_or(0) as usize;
    let coefficients: u64 = numbers.next().unwrap_or(0);
    let mut v = [0_u64; BITS];
    for (k, m) in numbers.take(degree).enumerate() {
        v[k] = m << (BITS - 1 - k);
    }
    for k in degree.max(1)..BITS {
        let mut next = v[k - degree] ^ (v[k - degree] >> degree);
        for i in 1..degree {
            if coefficients >> (degree - 1 - i) & 1 == 1 {
                next ^= v[k - i];
            }
        }
        v[k] = next;
    }
    v
}

/// The number in [0, 1) with these binary digits, cut to a double.
fn unit(digits: u64) -> f64 {
    const CELLS: f64 = (1_u64 << 53) as f64;
    (digits >> 11) as f64 / CELLS
}

/// Owen's nested uniform scrambling. A hash of the digits before a group holds the flips of the group's whole digit tree:
/// bit 1 flips the first digit, bits 2 and 3 the second digit below either value of the first, and so on.
fn owen(digits: u64, keys: &[u64; GROUPS]) -> u64 {
    const MASK: u64 = (1 << GROUP) - 1;
    let mut flipped = 0_u64;
    for (group, key) in keys.iter().enumerate() {
        let below = BITS - (group + 1) * GROUP;
        // Two shifts, as one by all 64 digits is not defined.
        let prefix = digits >> below >> GROUP;
        let flips = mix(key ^ prefix);
        let here = digits >> below & MASK;
        // The node of each digit follows from the digits before it alone, so the six look-ups are independent.
        let pattern = (0..GROUP).fold(0, |pattern, k| {
            let node = 1 << k | here >> (GROUP - k);
            pattern << 1 | (flips >> node & 1)
        });
        flipped |= pattern << below;
    }
    digits ^ flipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        let rows: Vec<&str> = JOE_KUO.lines().filter(|l| !l.starts_with('#')).collect();
        assert_eq!(rows.len(), MAX_DIMENSIONS - 1);
        for row in rows {
            let n: Vec<u64> = row.split(' ').map(|v| v.parse().unwrap()).collect();
            assert_eq!(n.len() as u64, n[0] + 2, "{row}");
            for (k, m) in n[2..].iter().enumerate() {
                assert!(m % 2 == 1 && *m < 2 << k, "{row}");
            }
        }
    }

    #[test]
    fn every_elementary_interval_of_a_scrambled_net_holds_one_point() {
        // The first two dimensions are a (0, m, 2)-net: 2ᵃ × 2ᵐ⁻ᵃ boxes hold one point each, for every a.
        const M: u32 = 9;
        for seed in [1, 2, 3] {
            let sobol = Sobol::new(2).unwrap().scrambled(seed);
            let points = sobol.points(3 << M, 1 << M);
            for a in 0..=M {
                let mut seen = vec![0; 1 << M];
                for u in &points {
                    let i = (u[0] * f64::from(1 << a)) as usize;
                    let j = (u[1] * f64::from(1 << (M - a))) as usize;
                    seen[i << (M - a) | j] += 1;
                }
                assert!(seen.iter().all(|s| *s == 1), "seed {seed}, {a}");
            }
        }
    }

    #[test]
    fn every_dimension_is_stratified() {
        let points = Sobol::new(MAX_DIMENSIONS)
            .unwrap()
            .scrambled(8)
            .points(0, 256);
        for j in 0..MAX_DIMENSIONS {
            let mut cells: Vec<u32> = points
                .column(j)
                .iter()
                .map(|u| (u * 256.0) as u32)
                .collect();
            cells.sort_unstable();
            assert!(cells.iter().zip(0..).all(|(c, k)| *c == k), "dimension {j}");
        }
    }

    #[test]
    fn scrambled_coordinates_are_uniform_over_seeds() {
        // The same point under 4096 seeds: its 16 leading cells are equally likely and two coordinates uncorrelated.
        const SEEDS: u32 = 4096;
        let mut cells = [0_u32; 16];
        let mut product = 0.0;
        for seed in 0..SEEDS {
            let mut u = [0.0; 2];
            Sobol::new(2)
                .unwrap()
                .scrambled(u64::from(seed))
                .fill(5, &mut u);
            cells[(u[0] * 16.0) as usize] += 1;
            product += (u[0] - 0.5) * (u[1] - 0.5) * 12.0;
        }
        let expected = f64::from(SEEDS) / 16.0;
        let chi2: f64 = cells
            .iter()
            .map(|c| (f64::from(*c) - expected).powi(2) / expected)
            .sum();
        assert!(chi2 < 37.7, "{chi2}"); // 99.9 % point, 15 degrees of freedom
        assert!((product / f64::from(SEEDS)).abs() < 3.3 / f64::from(SEEDS).sqrt());
    }

    #[test]
    fn the_error_falls_faster_than_that_of_random_draws() {
        let error = |n: usize| {
            let squares = (0..32).map(|seed| {
                let sobol = Sobol::new(4).unwrap().scrambled(seed);
                let f = |u: &[f64]| u.iter().map(|u| u.exp()).product::<f64>();
                let mean = sobol.points(0, n).iter().map(f).sum::<f64>() / n as f64;
                (mean - (1f64.exp() - 1.0).powi(4)).powi(2)
            });
            (squares.sum::<f64>() / 32.0).sqrt()
        };
        // Random draws would gain a factor 8 from 64 times as many; n^(−3/2) would gain 512.
        let (coarse, fine) = (error(64), error(4096));
        assert!(coarse / fine > 100.0, "{coarse:e} {fine:e}");
    }

    #[test]
    fn a_part_equals_the_whole() {
        for sobol in [Sobol::new(5).unwrap(), Sobol::new(5).unwrap().scrambled(1)] {
            let whole = sobol.points(0, 3000);
            let part = sobol.points(2500, 100);
            assert_eq!(part.point(7), whole.point(2507));
        }
        assert!(Sobol::new(0).is_err() && Sobol::new(1025).is_err());
    }
}
