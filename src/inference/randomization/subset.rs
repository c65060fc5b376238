//! Sums over uniformly random subsets of fixed size, many subsets at a time.

use crate::numeric::permutation::below;
use rand::Rng;
use rand::rngs::ChaCha8Rng;

/// Words of units whose sums are tabulated together.
const WORD: usize = u64::BITS as usize;

/// Units of one table: the sums of all subsets of eight units are 256 numbers, 2 kB.
const OCTET: usize = 8;

/// Subsets drawn together, so that a table serves many of them.
const MOST_TOGETHER: usize = 128;
const FEWEST_TOGETHER: usize = 8;

/// Bits of membership that may be in memory for one thread: 8 MB.
const BITS_TOGETHER: usize = 1 << 26;

/// The coins have probabilities in multiples of one 64th, so that at most six random bits make one.
const COIN_BITS: u32 = 6;

/// Below this share coins would be corrected more often than they save: all members are then drawn one by one.
const RARE: f64 = 1.0 / 32.0;

/// How many subsets of `units` units are drawn together; it depends on nothing else, so that results do not either.
pub(super) fn together(units: usize) -> usize {
    (BITS_TOGETHER / units.max(1)).clamp(FEWEST_TOGETHER, MOST_TOGETHER)
}

/// Adds to `out[d]` the sum of `values` over subset `d`, and to `squares[d]` that of their squares when asked for. The subsets are
/// independent, each uniform among those of `size` units.
///
/// A uniform subset of random size comes from one coin a unit, 64 units at a time; members are then added or removed at random until
/// the size is right, which keeps it uniform among those of its size.
pub(super) fn subset_sums(
    values: &[f64],
    size: usize,
    generator: &mut ChaCha8Rng,
    out: &mut [f64],
    squares: Option<&mut [f64]>,
) {
    let units = values.len();
    let draws = out.len();
    // The smaller side is drawn.
    let small = size.min(units - size);
    let share = small as f64 / units as f64;
    let cells = f64::from(1_u32 << COIN_BITS);
    let coin = if share < RARE {
        0
    } else {
        // Adding a member is quicker than removing one, hence mostly downwards; a half must stay a half, though.
        (share * cells + 0.25).floor() as u32
    };
    let mut members = vec![0_u64; units.div_ceil(WORD) * draws];
    let mut sizes = vec![0_usize; draws];
    if coin > 0 {
        toss(coin, units, &mut members, &mut sizes, generator);
    }
    let mut sums = vec![0.0; draws];
    let mut second = squares.as_ref().map(|_| vec![0.0; draws]);
    if coin > 0 {
        add_up(values, &members, &mut sums);
        if let Some(second) = &mut second {
            let squared: Vec<f64> = values.iter().map(|v| v * v).collect();
            add_up(&squared, &members, second);
        }
    }
    for draw in 0..draws {
        while sizes[draw] != small {
            let unit = below(generator, units as u64) as usize;
            let word = &mut members[unit / WORD * draws + draw];
            let bit = 1_u64 << (unit % WORD);
            let adding = sizes[draw] < small;
            if (*word & bit == 0) != adding {
                continue;
            }
            *word ^= bit;
            let sign = if adding { 1.0 } else { -1.0 };
            sums[draw] += sign * values[unit];
            if let Some(second) = &mut second {
                second[draw] += sign * values[unit] * values[unit];
            }
            sizes[draw] = if adding {
                sizes[draw] + 1
            } else {
                sizes[draw] - 1
            };
        }
    }
    let complement = small < size;
    let give = |out: &mut [f64], sums: &[f64], total: f64| {
        for (slot, sum) in out.iter_mut().zip(sums) {
            *slot += if complement { total - sum } else { *sum };
        }
    };
    give(out, &sums, values.iter().sum());
    if let (Some(squares), Some(second)) = (squares, second) {
        give(squares, &second, values.iter().map(|v| v * v).sum());
    }
}

/// Tosses a coin of probability `coin`/64 for every unit and draw: the bits of `coin` from the lowest that is set, each turning a random
/// word by OR or AND.
fn toss(
    coin: u32,
    units: usize,
    members: &mut [u64],
    sizes: &mut [usize],
    generator: &mut ChaCha8Rng,
) {
    let draws = sizes.len();
    let lowest = coin.trailing_zeros();
    let mut bytes = vec![0_u8; draws * 8];
    for (w, words) in members.chunks_exact_mut(draws).enumerate() {
        for bit in lowest..COIN_BITS {
            generator.fill_bytes(&mut bytes);
            let random = bytes.as_chunks::<8>().0;
            if coin >> bit & 1 == 1 {
                for (word, r) in words.iter_mut().zip(random) {
                    *word |= u64::from_le_bytes(*r);
                }
            } else {
                for (word, r) in words.iter_mut().zip(random) {
                    *word &= u64::from_le_bytes(*r);
                }
            }
        }
        let left = units - w * WORD;
        if left < WORD {
            for word in words.iter_mut() {
                *word &= (1 << left) - 1;
            }
        }
        for (size, word) in sizes.iter_mut().zip(&*words) {
            *size += word.count_ones() as usize;
        }
    }
}

/// Adds the values of the members, eight units a table.
fn add_up(values: &[f64], members: &[u64], sums: &mut [f64]) {
    let draws = sums.len();
    let mut tables = [[0.0_f64; 1 << OCTET]; WORD / OCTET];
    for (units, words) in values.chunks(WORD).zip(members.chunks_exact(draws)) {
        for (place, table) in tables.iter_mut().enumerate() {
            for bit in 0..OCTET {
                // Units past the end have no members.
                let value = units.get(place * OCTET + bit).copied().unwrap_or(0.0);
                let (without, with) = table[..2 << bit].split_at_mut(1 << bit);
                for (with, without) in with.iter_mut().zip(without) {
                    *with = *without + value;
                }
            }
        }
        for (sum, word) in sums.iter_mut().zip(words) {
            let b = word.to_le_bytes();
            let at = |i: usize| tables[i][usize::from(b[i])];
            *sum += ((at(0) + at(1)) + (at(2) + at(3))) + ((at(4) + at(5)) + (at(6) + at(7)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;

    fn drawn(values: &[f64], size: usize, seed: u64, draws: usize) -> (Vec<f64>, Vec<f64>) {
        let (mut sums, mut squares) = (vec![0.0; draws], vec![0.0; draws]);
        subset_sums(
            values,
            size,
            &mut Seed::new(seed).stream(0),
            &mut sums,
            Some(&mut squares),
        );
        (sums, squares)
    }

    /// Subsets of powers of two are told by their sums.
    #[test]
    fn every_subset_of_the_size_is_equally_likely() {
        let values: Vec<f64> = (0..6).map(|i| f64::from(1_u32 << i)).collect();
        for size in [1_u32, 2, 3, 4, 5] {
            let (sums, squares) = drawn(&values, size as usize, u64::from(size), 30_000);
            let mut counts = vec![0.0; 64];
            for (sum, square) in sums.iter().zip(&squares) {
                let set = *sum as u32;
                assert_eq!(set.count_ones(), size);
                let of_squares: f64 = (0..6)
                    .filter(|i| set >> i & 1 == 1)
                    .map(|i| values[i].powi(2))
                    .sum();
                assert!((square - of_squares).abs() < 1e-9);
                counts[set as usize] += 1.0;
            }
            let seen: Vec<f64> = counts.into_iter().filter(|c| *c > 0.0).collect();
            let cells = [6.0, 15.0, 20.0, 15.0, 6.0][size as usize - 1];
            assert_eq!(seen.len() as f64, cells);
            let expected = 30_000.0 / cells;
            let chi2: f64 = seen.iter().map(|c| (c - expected).powi(2) / expected).sum();
            let df = cells - 1.0;
            assert!(
                (chi2 - df).abs() < 3.5 * (2.0 * df).sqrt(),
                "{size}: {chi2}"
            );
        }
    }

    /// Mean and variance of a sum without replacement, for shares with few and many random bits, and for a share drawn one by one.
    #[test]
    fn sums_have_their_moments() {
        let units = 200;
        let values: Vec<f64> = (0..units).map(|i| f64::from(i * i % 37)).collect();
        let n = f64::from(units);
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        for size in [3_usize, 7, 50, 77, 100, 150, 198] {
            let (sums, _) = drawn(&values, size, 9, 20_000);
            let k = size as f64;
            let found = sums.iter().sum::<f64>() / 20_000.0;
            let spread = sums.iter().map(|s| (s - k * mean).powi(2)).sum::<f64>() / 20_000.0;
            let theory = k * (1.0 - k / n) * variance;
            assert!(
                (found - k * mean).abs() < 3.5 * (theory / 20_000.0).sqrt(),
                "{size}"
            );
            assert!(
                (spread / theory - 1.0).abs() < 3.5 * (2.0_f64 / 20_000.0).sqrt(),
                "{size}"
            );
        }
    }

    #[test]
    fn subsets_are_pinned() {
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        let (sums, _) = drawn(&values, 50, 7, 4);
        let (rare, _) = drawn(&values, 2, 7, 4);
        assert_eq!(sums, [2422.0, 2629.0, 2859.0, 2412.0]);
        assert_eq!(rare, [31.0, 142.0, 95.0, 92.0]);
    }
}
