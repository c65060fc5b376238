//! Seeds and independent random streams.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A seed from which named children and numbered streams are derived, so that every part of a computation has its own
/// generator whatever the order or the thread it runs on.
///
/// ```
/// use cocreate::prelude::*;
/// use rand::Rng as _;
/// let mut a = Seed::new(7).child("bootstrap").stream(3);
/// let mut b = Seed::new(7).child("bootstrap").stream(3);
/// assert_eq!(a.next_u64(), b.next_u64());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed(u64);

impl Seed {
    /// The seed with this number.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of a named part of the work: FNV-1a of the name, mixed with this seed.
    pub fn child(self, name: &str) -> Self {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let hash = name
            .bytes()
            .fold(OFFSET, |h, b| (h ^ u64::from(b)).wrapping_mul(PRIME));
        Self(mix(self.0 ^ mix(hash)))
    }

    /// Stream `index` of this seed: ChaCha8 keyed by the seed with the index as stream number (2⁶⁴ draws each).
    pub fn stream(self, index: u64) -> ChaCha8Rng {
        let mut generator = ChaCha8Rng::seed_from_u64(self.0);
        generator.set_stream(index);
        generator
    }

    /// The number.
    pub fn value(self) -> u64 {
        self.0
    }
}

impl From<u64> for Seed {
    fn from(seed: u64) -> Self {
        Self::new(seed)
    }
}

/// The SplitMix64 finaliser: a bijection of 64 bits with full avalanche (Steele, Lea & Flood 2014).
pub(crate) fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn children_and_streams_differ() {
        let seed = Seed::new(1);
        let mut first: Vec<u64> = ["a", "b"]
            .iter()
            .flat_map(|c| (0..3).map(|i| seed.child(c).stream(i).next_u64()))
            .collect();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), 6);
    }
}
