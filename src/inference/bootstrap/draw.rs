//! Samplers of the bootstrap: bounded integers in bulk, binomial halves, Poisson(1) counts.

use crate::error::{Error, Result};
use rand::Rng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Binomial, Distribution};
use std::sync::LazyLock;

/// Random words made at a time: 4 kB stay in the first-level cache.
const WORDS: usize = 1024;

/// Random 32-bit words, filled in bulk.
pub(crate) struct Words {
    generator: ChaCha8Rng,
    bytes: [u8; WORDS * 4],
    used: usize,
}

impl Words {
    pub(crate) fn new(generator: ChaCha8Rng) -> Self {
        Self {
            generator,
            bytes: [0; WORDS * 4],
            used: WORDS,
        }
    }

    /// The next words, at least one and at most `most`.
    #[expect(
        clippy::inline_always,
        reason = "each width of vectors needs a copy of its own"
    )]
    #[inline(always)]
    pub(crate) fn some(&mut self, most: usize) -> &[[u8; 4]] {
        self.refill();
        let from = self.used;
        self.used = (from + most).min(WORDS);
        &self.bytes.as_chunks::<4>().0[from..self.used]
    }

    /// Makes new words when all are used.
    fn refill(&mut self) {
        if self.used == WORDS {
            self.generator.fill_bytes(&mut self.bytes);
            self.used = 0;
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "each width of vectors needs a copy of its own"
    )]
    #[inline(always)]
    pub(crate) fn one(&mut self) -> u32 {
        let word = self.some(1)[0];
        u32::from_le_bytes(word)
    }

    /// A uniform integer in `0..bound` by Lemire's multiply-shift with rejection (see [`crate::numeric::permutation::below`]).
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let reject = reject_below(bound);
        loop {
            let product = u64::from(self.one()) * u64::from(bound);
            if product as u32 >= reject {
                return (product >> u32::BITS) as u32;
            }
        }
    }

    /// A binomial count.
    pub(super) fn binomial(&mut self, trials: u64, probability: f64) -> Result<u64> {
        let law = Binomial::new(trials, probability)
            .map_err(|_| Error::invalid_option("probability", probability, "between 0 and 1"))?;
        Ok(law.sample(&mut self.generator))
    }

    /// A binomial count with probability ½: the ones among as many random bits.
    #[inline(always)]
    pub(super) fn half(&mut self, trials: u32) -> Result<u32> {
        // From here on the rejection sampler is faster than so many bits.
        const BITS: u32 = 2048;
        if trials > BITS {
            return Ok(self.binomial(u64::from(trials), 0.5)? as u32);
        }
        let (mut words, mut ones) = ((trials / u32::BITS) as usize, 0);
        while words > 0 {
            let some = self.some(words);
            words -= some.len();
            ones += some
                .iter()
                .map(|word| u32::from_le_bytes(*word).count_ones())
                .sum::<u32>();
        }
        let rest = trials % u32::BITS;
        if rest > 0 {
            ones += (self.one() & ((1 << rest) - 1)).count_ones();
        }
        Ok(ones)
    }

    /// [`Words::visit`] for a bound of at most 2¹⁶, on 16 bits a draw.
    fn visit_near(&mut self, count: usize, bound: u32, mut visit: impl FnMut([u16; 4], usize)) {
        let reject = (1_u32 << u16::BITS) % bound;
        let mut left = count;
        while left > 0 {
            let halves = self
                .some(left.div_ceil(2))
                .as_flattened()
                .as_chunks::<2>()
                .0;
            let halves = &halves[..halves.len().min(left)];
            let mut spoilt = 0;
            let (fours, rest) = halves.as_chunks::<4>();
            for four in fours {
                let products = four.map(|half| u32::from(u16::from_le_bytes(half)) * bound);
                // Whole neighbourhoods reject nothing.
                if reject == 0 || products.iter().all(|p| u32::from(*p as u16) >= reject) {
                    visit(products.map(|p| (p >> u16::BITS) as u16), 4);
                } else {
                    spoilt += 4; // all four again: each draw stays uniform
                }
            }
            for half in rest {
                let product = u32::from(u16::from_le_bytes(*half)) * bound;
                if u32::from(product as u16) >= reject {
                    visit([(product >> u16::BITS) as u16; 4], 1);
                } else {
                    spoilt += 1;
                }
            }
            left -= halves.len() - spoilt;
        }
    }

    /// Calls `visit` with `count` uniform integers in `0..bound`, four at a time where possible so that loads overlap.
    pub(crate) fn visit(
        &mut self,
        count: usize,
        bound: u32,
        mut visit: impl FnMut([u32; 4], usize),
    ) {
        let reject = reject_below(bound);
        let mut left = count;
        while left > 0 {
            let mut spoilt = 0;
            let words = self.some(left);
            let (fours, rest) = words.as_chunks::<4>();
            for four in fours {
                let products = four.map(|w| u64::from(u32::from_le_bytes(w)) * u64::from(bound));
                if products.iter().all(|p| *p as u32 >= reject) {
                    visit(products.map(|p| (p >> u32::BITS) as u32), 4);
                } else {
                    spoilt += 4; // all four again: each draw stays uniform
                }
            }
            for word in rest {
                let product = u64::from(u32::from_le_bytes(*word)) * u64::from(bound);
                if product as u32 >= reject {
                    visit([(product >> u32::BITS) as u32; 4], 1);
                } else {
                    spoilt += 1;
                }
            }
            left -= words.len() - spoilt;
        }
    }
}

/// Low halves below this are rejected: 2³² mod bound.
fn reject_below(bound: u32) -> u32 {
    if bound == 0 {
        0
    } else {
        bound.wrapping_neg() % bound
    }
}

/// Cells that are drawn from together: their values stay in the first-level cache, and a 16-bit number finds one.
const NEAR: usize = 1024;

/// Calls `visit` for `cells` draws with replacement from `cells` cells, those of neighbouring cells together: the number of draws in
/// each [`NEAR`] cells is binomial given those before, and the draws within them are uniform. `visit` gets the first cell of a
/// neighbourhood and the draws in it, counted from there.
pub(super) fn with_replacement(
    words: &mut Words,
    cells: usize,
    mut visit: impl FnMut(usize, [u16; 4], usize),
) -> Result<()> {
    let mut left = cells as u64;
    for first in (0..cells).step_by(NEAR) {
        let size = NEAR.min(cells - first);
        let drawn = if first + size == cells {
            left
        } else {
            words.binomial(left, size as f64 / (cells - first) as f64)?
        };
        words.visit_near(drawn as usize, size as u32, |four, used| {
            visit(first, four, used);
        });
        left -= drawn;
    }
    Ok(())
}

/// How many of the 256 values of a byte stand for a count of 0, 1, 2, 3 and 4: ⌊256 P(N = k)⌋ of Poisson(1).
const DECIDED: [u8; 5] = [94, 94, 47, 15, 3];

/// The first byte that does not decide: the bytes are 0, 1, 2, 3 and 4 in turn, and from here on another word is drawn.
const UNDECIDED: u8 = 253;

/// `⌈2³² P(N ≤ k | undecided)⌉`.
static THRESHOLDS: LazyLock<Vec<u64>> = LazyLock::new(|| {
    const CELLS: f64 = 4_294_967_296.0; // 2³²
    let (mut mass, mut below) = ((-1.0_f64).exp(), 0.0);
    let mut thresholds = Vec::new();
    // P(N > 12) = 6e-11 is below one cell of an undecided byte.
    for k in 0..=12_usize {
        let decided = DECIDED.get(k).map_or(0.0, |d| f64::from(*d));
        below += (256.0 * mass - decided) / f64::from(u8::MAX - UNDECIDED + 1);
        thresholds.push((below * CELLS).round() as u64);
        mass /= (k + 1) as f64;
    }
    thresholds
});

/// The count that a byte decides; [`UNDECIDED_COUNT`] for one that does not.
#[inline(always)]
pub(super) fn decided(byte: u8) -> u8 {
    const FROM: [u8; 4] = [
        DECIDED[0],
        DECIDED[0] + DECIDED[1],
        DECIDED[0] + DECIDED[1] + DECIDED[2],
        DECIDED[0] + DECIDED[1] + DECIDED[2] + DECIDED[3],
    ];
    FROM.map(|from| u8::from(byte >= from)).iter().sum()
}

/// What [`decided`] gives for an undecided byte.
pub(super) const UNDECIDED_COUNT: u8 = DECIDED.len() as u8 - 1;

/// Poisson(1) counts of `rows` rows. A count is [`decided`] by a random byte in 253 of 256 cases; otherwise by inversion of 32
/// further bits (a mixture with the same probabilities; Walker 1974). `piece` gets the bytes of some rows and the number of the
/// first, then `other` each of these rows whose byte does not decide, with its count.
pub(super) fn poisson<S>(
    words: &mut Words,
    rows: usize,
    state: &mut S,
    mut piece: impl FnMut(&mut S, usize, &[u8]),
    mut other: impl FnMut(&mut S, usize, u8),
) {
    let thresholds = &**THRESHOLDS;
    let mut first = 0;
    while first < rows {
        words.refill();
        let Words {
            generator,
            bytes,
            used,
        } = words;
        let size = (bytes.len() - *used * 4).min(rows - first);
        let bytes = &bytes[*used * 4..][..size];
        *used += size.div_ceil(4);
        piece(state, first, bytes);
        let mut invert = |row| {
            let word = u64::from(generator.next_u32());
            let count = thresholds.iter().filter(|t| word >= **t).count();
            other(state, row, count as u8);
        };
        let (eights, rest) = bytes.as_chunks::<8>();
        for (i, eight) in eights.iter().enumerate() {
            let mut marked = undecided(u64::from_le_bytes(*eight));
            while marked != 0 {
                invert(first + i * 8 + marked.trailing_zeros() as usize / 8);
                marked &= marked - 1;
            }
        }
        let last = first + eights.len() * 8;
        for (row, _) in (last..).zip(rest).filter(|(_, b)| **b >= UNDECIDED) {
            invert(row);
        }
        first += size;
    }
}

/// Poisson(1) counts, appended.
pub(super) fn poisson_counts(words: &mut Words, rows: usize) -> Vec<u32> {
    let mut counts = Vec::with_capacity(rows);
    poisson(
        words,
        rows,
        &mut counts,
        |counts, _, bytes| counts.extend(bytes.iter().map(|b| u32::from(decided(*b)))),
        |counts, row, count| counts[row] = u32::from(count),
    );
    counts
}

/// The highest bit of each of eight bytes that is [`UNDECIDED`] or more: bit 7 is set and the others carry into it.
fn undecided(eight: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x7f * EACH;
    const MISSING: u64 = (256 - UNDECIDED as u64) * EACH;
    ((eight & LOW) + MISSING) & eight & !LOW
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;

    fn words(stream: u64) -> Words {
        Words::new(Seed::new(7).stream(stream))
    }

    #[test]
    fn integers_are_uniform_and_counted() {
        for (bound, count) in [(7_u32, 70_003_usize), (1, 9), (3_000_000_000, 1001)] {
            let mut seen = 0;
            let mut cells = [0_u32; 7];
            words(1).visit(count, bound, |four, used| {
                for index in &four[..used] {
                    assert!(*index < bound);
                    seen += 1;
                    cells[*index as usize % 7] += 1;
                }
            });
            assert_eq!(seen, count);
            if bound == 7 {
                let expected = count as f64 / 7.0;
                let chi2: f64 = cells
                    .iter()
                    .map(|c| (f64::from(*c) - expected).powi(2) / expected)
                    .sum();
                assert!(chi2 < 22.5, "{chi2}"); // 99.9 % point of χ²(6)
            }
        }
    }

    #[test]
    fn draws_from_near_cells_are_those_from_all() {
        // Two whole neighbourhoods and a part: every cell, and every neighbourhood, has its multinomial mean and variance.
        const CELLS: usize = 2 * NEAR + 452;
        const ROUNDS: usize = 400;
        let mut counts = vec![0_u32; CELLS];
        let mut spread = 0.0;
        for round in 0..ROUNDS {
            let (mut all, mut of_first) = (0, 0);
            with_replacement(&mut words(round as u64), CELLS, |first, four, used| {
                for index in &four[..used] {
                    counts[first + *index as usize] += 1;
                }
                all += used;
                of_first += if first == 0 { used } else { 0 };
            })
            .unwrap();
            assert_eq!(all, CELLS);
            spread += (of_first as f64 - NEAR as f64).powi(2);
        }
        let chi2: f64 = counts
            .iter()
            .map(|c| (f64::from(*c) - ROUNDS as f64).powi(2) / ROUNDS as f64)
            .sum();
        let (df, share) = (CELLS as f64 - 1.0, NEAR as f64 / CELLS as f64);
        assert!((chi2 - df).abs() < 3.3 * (2.0 * df).sqrt(), "{chi2}");
        let ratio = spread / ROUNDS as f64 / (NEAR as f64 * (1.0 - share));
        assert!(
            (ratio - 1.0).abs() < 3.3 * (2.0 / ROUNDS as f64).sqrt(),
            "{ratio}"
        );
    }

    #[test]
    fn undecided_bytes_are_marked() {
        let eight = [0, 94, 127, 128, 252, 253, 254, 255];
        let marked = undecided(u64::from_le_bytes(eight)).to_le_bytes();
        assert_eq!(marked, [0, 0, 0, 0, 0, 128, 128, 128]);
    }

    #[test]
    fn poisson_counts_have_their_frequencies() {
        let counts = poisson_counts(&mut words(2), 2_000_001);
        assert_eq!(counts.len(), 2_000_001);
        let mut mass = (-1.0_f64).exp() * counts.len() as f64;
        let mut chi2 = 0.0;
        for k in 0..8_u32 {
            let seen = counts.iter().filter(|c| **c == k).count() as f64;
            chi2 += (seen - mass).powi(2) / mass;
            mass /= f64::from(k + 1);
        }
        assert!(chi2 < 22.5, "{chi2}");
    }

    #[test]
    fn halves_have_binomial_moments() {
        for trials in [1_u32, 31, 32, 33, 700, 2048, 5000] {
            const ROUNDS: usize = 4000;
            let mut source = words(u64::from(trials));
            let (mut sum, mut square) = (0.0, 0.0);
            for _ in 0..ROUNDS {
                let off = f64::from(source.half(trials).unwrap()) - f64::from(trials) / 2.0;
                sum += off;
                square += off * off;
            }
            let (n, variance) = (ROUNDS as f64, f64::from(trials) / 4.0);
            assert!(sum.abs() < 3.3 * (n * variance).sqrt(), "{trials}: {sum}");
            assert!(
                (square / (n * variance) - 1.0).abs() < 3.3 * (2.0 / n).sqrt(),
                "{trials}: {square}"
            );
        }
    }

    #[test]
    fn draws_are_pinned() {
        let mut source = words(3);
        let drawn: Vec<u32> = (0..6).map(|_| source.below(1000)).collect();
        let counts = poisson_counts(&mut source, 12);
        assert_eq!(drawn, [525, 181, 522, 92, 719, 979]);
        assert_eq!(counts, [1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0]);
    }
}
