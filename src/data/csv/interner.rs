//! Codes for distinct texts, in order of first appearance.

use super::super::column::MISSING;
use std::borrow::Cow;

/// Gives every distinct text a code `0, 1, 2, …` by first appearance: open addressing over the list of texts, so that
/// nothing depends on the order of a hash table. Texts are slices of the file where no quote had to be resolved.
#[derive(Default)]
pub(super) struct Interner<'a> {
    texts: Vec<Cow<'a, [u8]>>,
    /// The hash of every text, so that growing and joining never read the texts again.
    hashes: Vec<u32>,
    /// Where texts are, [`EMPTY`] where none is; the length is a power of two.
    slots: Vec<Slot>,
}

/// The code of a text beside its hash, which spares most comparisons.
#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    code: u32,
}

const EMPTY: Slot = Slot {
    hash: 0,
    code: MISSING,
};

impl<'a> Interner<'a> {
    /// The code of a text; `true` when it is new.
    #[inline]
    pub(super) fn code(&mut self, text: Cow<'a, [u8]>) -> (u32, bool) {
        let hash = hash(&text);
        self.code_hashed(text, hash, |text| text)
    }

    /// The newest text.
    pub(super) fn last(&self) -> Option<&[u8]> {
        self.texts.last().map(AsRef::as_ref)
    }

    /// The texts by code.
    pub(super) fn into_texts(self) -> Vec<Cow<'a, [u8]>> {
        self.texts
    }

    #[inline]
    fn code_hashed<'b>(
        &mut self,
        text: Cow<'b, [u8]>,
        hash: u32,
        keep: impl Fn(Cow<'b, [u8]>) -> Cow<'a, [u8]>,
    ) -> (u32, bool) {
        if 2 * self.texts.len() >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.code == MISSING {
                let code = self.texts.len() as u32;
                self.slots[at] = Slot { hash, code };
                self.texts.push(keep(text));
                self.hashes.push(hash);
                return (code, true);
            }
            if slot.hash == hash && *self.texts[slot.code as usize] == *text {
                return (slot.code, false);
            }
            at = (at + 1) & mask;
        }
    }

    /// Doubles the slots.
    fn grow(&mut self) {
        /// Slots at first; doubled at half load.
        const SLOTS: usize = 64;
        let size = (2 * self.slots.len()).max(SLOTS);
        self.slots = vec![EMPTY; size];
        for (hash, code) in self.hashes.iter().zip(0..) {
            let mut at = *hash as usize & (size - 1);
            while self.slots[at].code != MISSING {
                at = (at + 1) & (size - 1);
            }
            self.slots[at] = Slot { hash: *hash, code };
        }
    }
}

impl Interner<'static> {
    /// The codes here of all texts of another interner, by their codes there; new texts are copied.
    pub(super) fn absorb(&mut self, other: Interner<'_>) -> Vec<u32> {
        let own = |text: Cow<'_, [u8]>| Cow::Owned(text.into_owned());
        let hashed = other.texts.into_iter().zip(other.hashes);
        hashed
            .map(|(text, hash)| self.code_hashed(text, hash, own).0)
            .collect()
    }
}

/// A multiplicative hash of eight bytes at a time.
#[inline]
fn hash(text: &[u8]) -> u32 {
    /// 2^64 over the golden ratio, odd.
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |state: u64, word: u64| {
        let product = u128::from(state ^ word) * u128::from(GOLDEN);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let mut state = GOLDEN ^ text.len() as u64;
    let mut words = text.chunks_exact(8);
    for word in &mut words {
        let mut eight = [0; 8];
        eight.copy_from_slice(word);
        state = mix(state, u64::from_le_bytes(eight));
    }
    let last = words
        .remainder()
        .iter()
        .fold(0, |word, b| (word << 8) | u64::from(*b));
    mix(state, last) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_follow_first_appearance() {
        let texts: Vec<String> = (0..5000).map(|i| format!("text {}", i % 1700)).collect();
        let mut interner = Interner::default();
        for (i, t) in texts.iter().enumerate() {
            let (code, new) = interner.code(Cow::Borrowed(t.as_bytes()));
            assert_eq!((code as usize, new), (i % 1700, i < 1700));
        }
        let all = interner.into_texts();
        assert_eq!((all.len(), &*all[1699]), (1700, "text 1699".as_bytes()));
    }
}
