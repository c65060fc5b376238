//! Unbiased bounded integers and shuffles, the same on every platform and in every version.

use rand::Rng;

/// A uniform integer in `0..bound` (0 when `bound` is 0), without bias.
///
/// # References
/// Lemire (2019), *ACM Trans. Model. Comput. Simul.* 29, 3, doi:10.1145/3230636.
pub fn below(generator: &mut impl Rng, bound: u64) -> u64 {
    if bound == 0 {
        return 0;
    }
    // The high half of draw × bound is uniform once the low halves below 2⁶⁴ mod bound are rejected.
    let reject = bound.wrapping_neg() % bound;
    loop {
        let product = u128::from(generator.next_u64()) * u128::from(bound);
        let (high, low) = ((product >> u64::BITS) as u64, product as u64);
        if low >= reject {
            return high;
        }
    }
}

/// Puts the items in a uniformly random order (Fisher & Yates; Durstenfeld 1964).
pub fn shuffle<T>(items: &mut [T], generator: &mut impl Rng) {
    for last in (1..items.len()).rev() {
        let chosen = below(generator, last as u64 + 1) as usize;
        items.swap(last, chosen);
    }
}

/// The uniform number strictly between 0 and 1 of 64 random bits: the middle of one of 2⁵² equal cells, so that a quantile
/// function never sees an end.
pub fn open_unit(bits: u64) -> f64 {
    const CELLS: f64 = (1_u64 << 52) as f64;
    ((bits >> 12) as f64 + 0.5) / CELLS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;

    #[test]
    fn every_order_is_equally_likely() {
        let mut counts = [0_u32; 24];
        for k in 0..24_000 {
            let mut items = [0_usize, 1, 2, 3];
            shuffle(&mut items, &mut Seed::new(5).stream(k));
            let rank = (0..4).fold(0, |rank, i| {
                let smaller = items[i + 1..].iter().filter(|v| **v < items[i]).count();
                rank * (4 - i) + smaller
            });
            counts[rank] += 1;
        }
        let chi2: f64 = counts
            .iter()
            .map(|c| (f64::from(*c) - 1000.0).powi(2) / 1000.0)
            .sum();
        // The 99.9 % point of χ² with 23 degrees of freedom is 49.7.
        assert!(chi2 < 49.7, "{chi2}");
    }

    #[test]
    fn bounded_integers_stay_below_their_bound() {
        let mut generator = Seed::new(1).stream(0);
        for bound in [1, 2, 3, 1 << 40, u64::MAX] {
            assert!((0..100).all(|_| below(&mut generator, bound) < bound));
        }
        assert_eq!(below(&mut generator, 0), 0);
    }

    #[test]
    fn unit_numbers_are_open() {
        assert!(open_unit(0) > 0.0 && open_unit(u64::MAX) < 1.0);
        assert_eq!(open_unit(1 << 63), 0.5 + 0.5 / (1_u64 << 52) as f64);
    }
}
