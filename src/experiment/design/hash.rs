//! Deterministic assignment by hashing identifiers, and long-term holdouts.

use super::plan::check_arms;
use crate::data::{Frame, Label, MISSING};
use crate::error::{Error, Result};
use crate::numeric::permutation::open_unit;
use serde::{Deserialize, Serialize};

/// The name of the arm of units held out.
pub const HOLDOUT: &str = "holdout";

/// Assigns units by a hash of their identifier and a salt: the same unit gets the same arm everywhere and for ever, without a list.
///
/// The hash is FNV-1a (64 bit) of the bytes of `salt`, a zero byte and the identifier in UTF-8, finished by SplitMix64's mix; the upper
/// 52 bits as a number in (0, 1) are compared with the cumulated shares. Any language can repeat it:
///
/// ```text
/// h = 0xcbf29ce484222325; for each byte b: h = (h xor b) · 0x100000001b3
/// h = h + 0x9e3779b97f4a7c15; h = (h xor h>>30) · 0xbf58476d1ce4e5b9; h = (h xor h>>27) · 0x94d049bb133111eb; h = h xor h>>31
/// u = ((h >> 12) + 0.5) / 2^52                                       (all products and sums modulo 2^64)
/// ```
///
/// In a column of numbers the identifier is the number as it prints: 17, not 17.0. Experiments with different salts are independent. A unit below the share of a *holdout* is in no experiment that names the same holdout
/// salt, whatever the salt of the experiment, so that those held out for long never see any of them.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `salt` | | name of the experiment | not empty |
/// | `arms`, `shares` | control and treated, equal | control first | shares sum to 1 |
/// | `holdout` | none | its salt and share; called again for several | below 1 |
///
/// ```
/// use cocreate::prelude::*;
/// let split = HashSplit::new("configurator-2").holdout("global-2026", 0.05);
/// assert_eq!(split.arm_of("customer 17")?, split.arm_of("customer 17")?);
/// let ids: Vec<String> = (0..10_000).map(|i| format!("customer {i}")).collect();
/// let frame = split.attach(&Frame::new().with("id", ids)?, "id", "arm")?;
/// let groups = frame.groups("arm")?;
/// let held = groups.codes.iter().filter(|c| groups.levels[**c as usize] == "holdout").count();
/// assert!((400..600).contains(&held));
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for an empty salt, and arms or shares out of range; [`Error::MissingClusters`] for missing identifiers.
///
/// # References
/// Fowler, Noll, Vo & Eastlake, *The FNV Non-Cryptographic Hash Algorithm* (IETF draft); Steele, Lea & Flood (2014),
/// doi:10.1145/2660193.2660195; Kohavi, Tang & Xu (2020), chapters 4 and 23, doi:10.1017/9781108653985.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HashSplit {
    salt: String,
    arms: Vec<String>,
    shares: Vec<f64>,
    holdouts: Vec<(String, f64)>,
}

impl HashSplit {
    /// Control and treated, half each.
    pub fn new(salt: impl Into<String>) -> Self {
        Self {
            salt: salt.into(),
            arms: vec!["control".to_owned(), "treated".to_owned()],
            shares: vec![0.5, 0.5],
            holdouts: Vec::new(),
        }
    }

    /// Names and shares of the arms, control first.
    pub fn arms<S: Into<String>>(mut self, arms: impl IntoIterator<Item = (S, f64)>) -> Self {
        (self.arms, self.shares) = arms.into_iter().map(|(n, s)| (n.into(), s)).unzip();
        self
    }

    /// Holds a share of units out of this and every other experiment with the same holdout.
    pub fn holdout(mut self, salt: impl Into<String>, share: f64) -> Self {
        self.holdouts.push((salt.into(), share));
        self
    }

    /// The uniform number of a unit under a salt.
    pub fn uniform(salt: &str, unit: &str) -> f64 {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let bytes = salt.bytes().chain(std::iter::once(0)).chain(unit.bytes());
        let hash = bytes.fold(OFFSET, |h, b| (h ^ u64::from(b)).wrapping_mul(PRIME));
        open_unit(finish(hash))
    }

    /// The arm of a unit; [`HOLDOUT`] when it is held out.
    ///
    /// # Errors
    /// See [`HashSplit`].
    pub fn arm_of(&self, unit: &str) -> Result<&str> {
        self.check()?;
        Ok(self.position(unit).map_or(HOLDOUT, |arm| &self.arms[arm]))
    }

    /// The frame with the arm of every row's identifier as a new label column.
    ///
    /// # Errors
    /// See [`HashSplit`]; [`Error::ColumnNotFound`]; [`Error::DuplicateColumn`].
    pub fn attach(&self, frame: &Frame, identifier: &str, column: &str) -> Result<Frame> {
        self.check()?;
        let groups = frame.groups(identifier)?;
        let missing = groups.codes.iter().filter(|c| **c == MISSING).count();
        if missing > 0 {
            return Err(Error::MissingClusters {
                column: identifier.to_owned(),
                missing,
            });
        }
        let held = self.arms.len() as u32;
        let of_level: Vec<u32> = groups
            .levels
            .iter()
            .map(|unit| self.position(unit).map_or(held, |arm| arm as u32))
            .collect();
        let mut names = self.arms.clone();
        if !self.holdouts.is_empty() {
            names.push(HOLDOUT.to_owned());
        }
        let codes = groups.codes.iter().map(|c| of_level[*c as usize]).collect();
        frame.clone().with(column, Label::new(codes, names)?)
    }

    fn position(&self, unit: &str) -> Option<usize> {
        let held = |(salt, share): &(String, f64)| Self::uniform(salt, unit) < *share;
        if self.holdouts.iter().any(held) {
            return None;
        }
        let uniform = Self::uniform(&self.salt, unit);
        let mut up_to = 0.0;
        let found = self.shares.iter().position(|share| {
            up_to += share;
            uniform < up_to
        });
        Some(found.unwrap_or(self.arms.len() - 1))
    }

    fn check(&self) -> Result<()> {
        if self.salt.is_empty() || self.holdouts.iter().any(|(salt, _)| salt.is_empty()) {
            return Err(Error::invalid_option(
                "salt",
                "empty",
                "the name of the experiment or holdout: experiments with one salt would treat the same units",
            ));
        }
        if self.holdouts.iter().any(|(salt, _)| *salt == self.salt) {
            return Err(Error::invalid_option(
                "holdout",
                &self.salt,
                "of another salt than the experiment, or who is left would not be split as asked",
            ));
        }
        for (_, share) in &self.holdouts {
            if !(*share > 0.0 && *share < 1.0) {
                return Err(Error::invalid_option(
                    "holdout",
                    share,
                    "a share between 0 and 1",
                ));
            }
        }
        if self.arms.iter().any(|a| a == HOLDOUT) {
            return Err(Error::invalid_option(
                "arms",
                HOLDOUT,
                "another name: this one is for units held out",
            ));
        }
        check_arms(&self.arms, &self.shares)
    }
}

/// SplitMix64's finish, as documented above; part of the format, so that it may not change with anything else.
fn finish(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_pinned() {
        // Computed by a few lines of Python from the description above.
        assert_eq!(HashSplit::uniform("s", "1"), PINNED[0]);
        assert_eq!(
            HashSplit::uniform("configurator-2", "customer 17"),
            PINNED[1]
        );
        assert_eq!(HashSplit::uniform("", "ü"), PINNED[2]);
    }

    #[test]
    fn arms_are_uniform_and_experiments_independent() {
        let n = 40_000;
        let arms = [("a", 0.2), ("b", 0.3), ("c", 0.5)];
        let one = HashSplit::new("one").arms(arms);
        let two = HashSplit::new("two").arms(arms);
        let mut table = [[0.0_f64; 3]; 3];
        for i in 0..n {
            let id = i.to_string();
            let position = |s: &HashSplit| s.position(&id).unwrap();
            table[position(&one)][position(&two)] += 1.0;
        }
        let chi2: f64 = (0..3)
            .flat_map(|i| (0..3).map(move |j| (i, j)))
            .map(|(i, j)| {
                let want = f64::from(n) * arms[i].1 * arms[j].1;
                (table[i][j] - want).powi(2) / want
            })
            .sum();
        // The 99.9 % point of χ² with 8 degrees of freedom is 26.1.
        assert!(chi2 < 26.1, "{chi2} {table:?}");
    }

    #[test]
    fn those_held_out_are_held_out_of_all() {
        let one = HashSplit::new("one").holdout("2026", 0.1);
        let two = HashSplit::new("two").holdout("2026", 0.1);
        let mut held = 0;
        for i in 0..5000 {
            let id = format!("u{i}");
            let (a, b) = (one.arm_of(&id).unwrap(), two.arm_of(&id).unwrap());
            assert_eq!(a == HOLDOUT, b == HOLDOUT);
            held += u32::from(a == HOLDOUT);
        }
        assert!((400..600).contains(&held), "{held}");
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(HashSplit::new("").arm_of("1").is_err());
        assert!(
            HashSplit::new("s")
                .arms([("a", 0.5), ("b", 0.6)])
                .arm_of("1")
                .is_err()
        );
        assert!(HashSplit::new("s").holdout("s", 0.1).arm_of("1").is_err());
        assert!(HashSplit::new("s").holdout("h", 1.0).arm_of("1").is_err());
        assert!(
            HashSplit::new("s")
                .arms([("a", 0.5), (HOLDOUT, 0.5)])
                .arm_of("1")
                .is_err()
        );
    }

    const PINNED: [f64; 3] = [
        0.131_712_814_975_659_12,
        0.189_565_061_460_636_67,
        0.871_648_670_280_371_3,
    ];
}
