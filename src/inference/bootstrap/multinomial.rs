//! Multinomial counts over equally likely cells, for the bag of little bootstraps.

use super::draw::Words;
use crate::error::Result;

/// Cells whose count is split by halves: a power of two, so that every split is even.
const EVEN: usize = 64;

/// Multinomial counts of `total` draws over equally likely cells: the count of each [`EVEN`] cells (and of each binary digit of the
/// rest) is binomial given those before, and is split in halves down to single cells, each split by counting random bits.
pub(super) fn multinomial(words: &mut Words, total: u64, out: &mut [u32]) -> Result<()> {
    let (mut left, mut rest) = (total, out);
    while !rest.is_empty() {
        let size = EVEN.min(1 << rest.len().ilog2());
        let drawn = if size == rest.len() {
            left
        } else {
            words.binomial(left, size as f64 / rest.len() as f64)?
        };
        left -= drawn;
        let (cells, after) = rest.split_at_mut(size);
        cells[0] = drawn as u32;
        pulp::Arch::new().dispatch(Halve { words, cells })?;
        rest = after;
    }
    Ok(())
}

/// Splits the count in the first of the cells over all of them, as pulp compiles it for machines that count bits at once.
struct Halve<'a> {
    words: &'a mut Words,
    cells: &'a mut [u32],
}

impl pulp::NullaryFnOnce for Halve<'_> {
    type Output = Result<()>;

    #[expect(
        clippy::inline_always,
        reason = "each width of vectors needs a copy of its own"
    )]
    #[inline(always)]
    fn call(self) -> Result<()> {
        let mut width = self.cells.len();
        while width > 1 {
            for part in self.cells.chunks_exact_mut(width) {
                let half = self.words.half(part[0])?;
                part[width / 2] = part[0] - half;
                part[0] = half;
            }
            width /= 2;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;

    fn words(stream: u64) -> Words {
        Words::new(Seed::new(7).stream(stream))
    }

    #[test]
    fn multinomial_counts_sum_to_the_total_and_have_their_law() {
        // 50 = 32 + 16 + 2; 203 = 3·64 + 8 + 2 + 1, where blocks of 64 are split from above and from below 2048 draws.
        for (cells, total, rounds) in [(50_usize, 5_000_u64, 40_u64), (203, 20_300, 40), (1, 9, 3)]
        {
            let mut counts = vec![0; cells];
            let (mut source, mean) = (words(3), total as f64 / cells as f64);
            let (mut chi2, mut neighbours) = (0.0, 0.0);
            let mut sums = vec![0.0; cells];
            for _ in 0..rounds {
                multinomial(&mut source, total, &mut counts).unwrap();
                assert_eq!(counts.iter().map(|c| u64::from(*c)).sum::<u64>(), total);
                for (i, count) in counts.iter().enumerate() {
                    let off = f64::from(*count) - mean;
                    sums[i] += off;
                    chi2 += off * off / mean;
                    if i % 2 == 1 {
                        neighbours += off * (f64::from(counts[i - 1]) - mean) / mean;
                    }
                }
            }
            let df = (cells as u64 - 1) as f64 * rounds as f64;
            assert!((chi2 - df).abs() <= 3.3 * (2.0 * df).sqrt(), "{chi2} {df}");
            // Counts of two cells have covariance −mean/cells, and variance of about mean² in the product.
            let pairs = (cells / 2) as f64 * rounds as f64;
            assert!(
                (neighbours + pairs / cells as f64).abs() <= 3.3 * pairs.sqrt(),
                "{neighbours}"
            );
            let of_cells: f64 = sums.iter().map(|s| s * s / (rounds as f64 * mean)).sum();
            let df = cells as f64 - 1.0;
            assert!(
                (of_cells - df).abs() <= 3.3 * (2.0 * df).sqrt(),
                "{of_cells}"
            );
        }
    }

    #[test]
    fn draws_are_pinned() {
        let mut cells = [0; 4];
        multinomial(&mut words(4), 100, &mut cells).unwrap();
        assert_eq!(cells, [22, 24, 27, 27]);
    }
}
