//! Codes for distinct texts, in order of first appearance.

use super::super::column::MISSING;
use std::borrow::Cow;

/// Gives every distinct text a code `0, 1, 2, …` by first appearance: open addressing over the list of texts, so that
/// nothing depends on the order of a hash table. Texts are slices of the file where no quote had to be resolved.
#[derive(Default)]
pub(super) struct Interner<'a> {
    texts: Vec<Cow<'a, [u8]>>,
    /// Codes, [`MISSING`] where empty; the length is a power of two.
    slots: Vec<u32>,
}

impl<'a> Interner<'a> {
    /// The code of a text; `true` when it is new.
    #[inline]
    pub(super) fn code(&mut self, text: Cow<'a, [u8]>) -> (u32, bool) {
        /// Slots at first; doubled at half load.
        const SLOTS: usize = 64;
        if 2 * self.texts.len() >= self.slots.len() {
            self.grow((2 * self.slots.len()).max(SLOTS));
        }
        let slot = self.find(&text);
        if self.slots[slot] != MISSING {
            return (self.slots[slot], false);
        }
        let code = self.texts.len() as u32;
        self.slots[slot] = code;
        self.texts.push(text);
        (code, true)
    }

    /// The texts by code.
    pub(super) fn into_texts(self) -> Vec<Cow<'a, [u8]>> {
        self.texts
    }

    /// The slot of a text, or the empty slot where it belongs.
    #[inline]
    fn find(&self, text: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash(text) & mask;
        loop {
            let code = self.slots[slot];
            if code == MISSING || *self.texts[code as usize] == *text {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow(&mut self, size: usize) {
        self.slots = vec![MISSING; size];
        for code in 0..self.texts.len() {
            let slot = self.find(&self.texts[code]);
            self.slots[slot] = code as u32;
        }
    }
}

/// A multiplicative hash of eight bytes at a time.
#[inline]
fn hash(text: &[u8]) -> usize {
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
    mix(state, last) as usize
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
