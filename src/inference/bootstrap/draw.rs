//! Samplers of the bootstrap: bounded integers in bulk, Poisson(1) counts, multinomial counts.

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
    pub(crate) fn some(&mut self, most: usize) -> &[[u8; 4]] {
        if self.used == WORDS {
            self.generator.fill_bytes(&mut self.bytes);
            self.used = 0;
        }
        let from = self.used;
        self.used = (from + most).min(WORDS);
        &self.bytes.as_chunks::<4>().0[from..self.used]
    }

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

/// `thresholds[k] = ⌈2³² P(N ≤ k)⌉` of Poisson(1), and the count for each first byte of a word that decides it alone.
struct Poisson {
    thresholds: Vec<u64>,
    by_first_byte: [u8; 256],
}

/// Counts looked through at a time for one that is not decided.
const SCANNED: usize = 16;

/// A first byte that does not decide.
const UNDECIDED: u8 = u8::MAX;

static POISSON: LazyLock<Poisson> = LazyLock::new(|| {
    const CELLS: f64 = 4_294_967_296.0; // 2³²
    let (mut mass, mut below) = ((-1.0_f64).exp(), 0.0);
    let mut thresholds = Vec::new();
    // P(N > 12) = 6e-11 is below one cell.
    for k in 1..=13 {
        below += mass;
        thresholds.push((below * CELLS).round() as u64);
        mass /= f64::from(k);
    }
    let count = |word: u64| thresholds.iter().filter(|t| word >= **t).count() as u8;
    let by_first_byte = std::array::from_fn(|byte| {
        let (low, high) = ((byte as u64) << 24, ((byte as u64) << 24) | 0x00ff_ffff);
        if count(low) == count(high) {
            count(low)
        } else {
            UNDECIDED
        }
    });
    Poisson {
        thresholds,
        by_first_byte,
    }
});

/// Poisson(1) counts of `rows` rows, handed to `visit` in pieces with the number of the first. A count is found by inversion of 32
/// random bits, of which the first eight decide all but one in fifty; the others are drawn for those alone.
pub(super) fn poisson(words: &mut Words, rows: usize, mut visit: impl FnMut(usize, &[u8])) {
    let table = &*POISSON;
    let mut counts = [0_u8; WORDS * 4];
    let mut first_bytes = [0_u8; WORDS * 4];
    let mut first = 0;
    while first < rows {
        let left = rows - first;
        let bytes = words.some(left.div_ceil(4)).as_flattened();
        let size = bytes.len().min(left);
        let counts = &mut counts[..size];
        let first_bytes = &mut first_bytes[..size];
        first_bytes.copy_from_slice(&bytes[..size]);
        for (count, byte) in counts.iter_mut().zip(first_bytes.iter()) {
            *count = table.by_first_byte[*byte as usize];
        }
        for (some, bytes) in counts.chunks_mut(SCANNED).zip(first_bytes.chunks(SCANNED)) {
            // Without a branch for each row, so that the largest is found in one instruction.
            if some.iter().fold(0, |most, c| most.max(*c)) < UNDECIDED {
                continue;
            }
            for (count, byte) in some.iter_mut().zip(bytes) {
                if *count == UNDECIDED {
                    let word = u64::from(*byte) << 24 | u64::from(words.one() >> 8);
                    *count = table.thresholds.iter().filter(|t| word >= **t).count() as u8;
                }
            }
        }
        visit(first, counts);
        first += size;
    }
}

/// Multinomial counts of `total` draws over equally likely cells, each binomial given those before.
pub(super) fn multinomial(generator: &mut ChaCha8Rng, total: u64, out: &mut [u32]) -> Result<()> {
    let cells = out.len();
    let mut left = total;
    for (i, count) in out.iter_mut().enumerate() {
        let share = 1.0 / (cells - i) as f64;
        let drawn = Binomial::new(left, share)
            .map_err(|_| Error::invalid_option("cells", cells, "at least 1"))?
            .sample(generator);
        *count = drawn as u32;
        left -= drawn;
    }
    Ok(())
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
    fn poisson_counts_have_their_frequencies() {
        let mut counts = Vec::new();
        poisson(&mut words(2), 200_001, |first, some| {
            assert_eq!(first, counts.len());
            counts.extend_from_slice(some);
        });
        assert_eq!(counts.len(), 200_001);
        let mut mass = (-1.0_f64).exp() * counts.len() as f64;
        let mut chi2 = 0.0;
        for k in 0..6_u32 {
            let seen = counts.iter().filter(|c| u32::from(**c) == k).count() as f64;
            chi2 += (seen - mass).powi(2) / mass;
            mass /= f64::from(k + 1);
        }
        assert!(chi2 < 22.5, "{chi2}");
    }

    #[test]
    fn multinomial_counts_sum_to_the_total() {
        let mut counts = vec![0; 50];
        let mut generator = Seed::new(3).stream(0);
        let mut chi2 = 0.0;
        for _ in 0..40 {
            multinomial(&mut generator, 5000, &mut counts).unwrap();
            assert_eq!(counts.iter().sum::<u32>(), 5000);
            chi2 += counts
                .iter()
                .map(|c| (f64::from(*c) - 100.0).powi(2) / 100.0)
                .sum::<f64>();
        }
        // χ²(40 · 49): mean 1960, standard deviation 63.
        assert!((chi2 - 1960.0).abs() < 200.0, "{chi2}");
    }

    #[test]
    fn draws_are_pinned() {
        let mut source = words(3);
        let drawn: Vec<u32> = (0..6).map(|_| source.below(1000)).collect();
        let mut counts = Vec::new();
        poisson(&mut source, 12, |_, some| counts.extend_from_slice(some));
        let mut cells = [0; 4];
        multinomial(&mut Seed::new(7).stream(4), 100, &mut cells).unwrap();
        assert_eq!(drawn, [525, 181, 522, 92, 719, 979]);
        assert_eq!(counts, [1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0]);
        assert_eq!(cells, [28, 24, 23, 25]);
    }
}
