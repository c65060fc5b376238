//! Codes for distinct texts, in order of first appearance.

/// Gives every distinct text a code `0, 1, 2, …` by first appearance: open addressing over the list of texts, so that
/// nothing depends on the order of a hash table.
#[derive(Default)]
pub(super) struct Interner {
    texts: Texts,
    /// The hash of every text, so that growing and joining never read the texts again.
    hashes: Vec<u32>,
    /// Where texts are, [`EMPTY`] where none is; the length is a power of two.
    slots: Vec<u64>,
}

/// Texts end to end: neither adding one nor joining two lists allocates for every text.
#[derive(Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// A slot without a text. Others hold the hash, which spares most comparisons, in the upper half and the code plus one in
/// the lower.
const EMPTY: u64 = 0;

/// The slot of a text.
fn slot(hash: u32, code: u32) -> u64 {
    (u64::from(hash) << 32) | (u64::from(code) + 1)
}

impl Texts {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of a code, which exists.
    #[inline]
    pub(super) fn get(&self, code: u32) -> &[u8] {
        let code = code as usize;
        let start = if code == 0 { 0 } else { self.ends[code - 1] };
        &self.bytes[start..self.ends[code]]
    }

    /// All texts by code.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let text = &self.bytes[start..*end];
            start = *end;
            text
        })
    }

    /// Bytes with which all texts start.
    pub(super) fn shared_start(&self) -> usize {
        let mut texts = self.iter();
        let Some(first) = texts.next() else {
            return 0;
        };
        texts.fold(first.len(), |shared, text| {
            if shared <= text.len() && text[..shared] == first[..shared] {
                return shared;
            }
            let same = first[..shared].iter().zip(text).take_while(|(a, b)| a == b);
            same.count()
        })
    }

    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }
}

impl Interner {
    /// The code of a text; `true` when it is new.
    #[inline]
    pub(super) fn code(&mut self, text: &[u8]) -> (u32, bool) {
        self.code_hashed(text, hash(text))
    }

    /// The texts by code, without the table.
    pub(super) fn into_texts(self) -> Texts {
        self.texts
    }

    /// The codes here of all texts of another interner, by their codes there.
    pub(super) fn absorb(&mut self, other: &Interner) -> Vec<u32> {
        /// Texts looked up together.
        const BATCH: usize = 16;
        let mut codes = Vec::with_capacity(other.texts.len());
        let mut texts = other.texts.iter();
        for hashes in other.hashes.chunks(BATCH) {
            // Slots of a large table are far apart in memory. Reading them all first, without a branch in between, lets the
            // processor wait for all of them at once instead of one after the other.
            if let Some(mask) = self.slots.len().checked_sub(1) {
                let touch = |all, hash: &u32| all ^ self.slots[*hash as usize & mask];
                std::hint::black_box(hashes.iter().fold(0, touch));
            }
            for (hash, text) in hashes.iter().zip(&mut texts) {
                codes.push(self.code_hashed(text, *hash).0);
            }
        }
        codes
    }

    #[inline]
    fn code_hashed(&mut self, text: &[u8], hash: u32) -> (u32, bool) {
        if 2 * self.hashes.len() >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let found = self.slots[at];
            if found == EMPTY {
                let code = self.hashes.len() as u32;
                self.slots[at] = slot(hash, code);
                self.texts.push(text);
                self.hashes.push(hash);
                return (code, true);
            }
            let code = (found as u32).wrapping_sub(1);
            if (found >> 32) as u32 == hash && self.texts.get(code) == text {
                return (code, false);
            }
            at = (at + 1) & mask;
        }
    }

    /// Doubles the slots.
    fn grow(&mut self) {
        /// Slots at first; doubled at half load.
        const SLOTS: usize = 64;
        let size = (2 * self.slots.len()).max(SLOTS);
        // The old table is given back before the new one is made.
        self.slots = Vec::new();
        self.slots = vec![EMPTY; size];
        for (hash, code) in self.hashes.iter().zip(0..) {
            let mut at = *hash as usize & (size - 1);
            while self.slots[at] != EMPTY {
                at = (at + 1) & (size - 1);
            }
            self.slots[at] = slot(*hash, code);
        }
    }
}

/// A multiplicative hash of eight bytes at a time; the last eight overlap those before them.
#[inline]
fn hash(text: &[u8]) -> u32 {
    /// 2^64 over the golden ratio, odd.
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |state: u64, word: u64| {
        let product = u128::from(state ^ word) * u128::from(GOLDEN);
        (product as u64) ^ ((product >> 64) as u64)
    };
    // Not the bare length, which a difference in the first byte could undo.
    let mut state = GOLDEN.wrapping_mul(text.len() as u64 + 1);
    let last = if let Some(last) = text.last_chunk::<8>() {
        for word in text[..text.len() - 1].chunks_exact(8) {
            let mut eight = [0; 8];
            eight.copy_from_slice(word);
            state = mix(state, u64::from_le_bytes(eight));
        }
        u64::from_le_bytes(*last)
    } else if let (Some(low), Some(high)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        u64::from(u32::from_le_bytes(*low)) | (u64::from(u32::from_le_bytes(*high)) << 32)
    } else {
        text.iter().fold(0, |word, b| (word << 8) | u64::from(*b))
    };
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
            let (code, new) = interner.code(t.as_bytes());
            assert_eq!((code as usize, new), (i % 1700, i < 1700));
        }
        let all = interner.into_texts();
        assert_eq!((all.len(), all.get(1699)), (1700, "text 1699".as_bytes()));
        assert_eq!(all.shared_start(), 5);
    }

    #[test]
    fn joined_codes_are_those_of_one_list() {
        let texts = |range: std::ops::Range<usize>| {
            range.map(|i| "x".repeat(i % 40) + &(i / 7).to_string())
        };
        let (mut whole, mut joined) = (Interner::default(), Interner::default());
        for start in [0, 300, 100, 900] {
            let mut part = Interner::default();
            let codes: Vec<u32> = texts(start..start + 500)
                .map(|t| part.code(t.as_bytes()).0)
                .collect();
            let map = joined.absorb(&part);
            for (text, code) in texts(start..start + 500).zip(codes) {
                assert_eq!(whole.code(text.as_bytes()).0, map[code as usize]);
            }
        }
        let (whole, joined) = (whole.into_texts(), joined.into_texts());
        assert!(whole.iter().eq(joined.iter()));
    }

    #[test]
    fn texts_of_every_length_hash_apart() {
        let mut seen = std::collections::BTreeSet::new();
        for length in 0..40 {
            for at in 0..length {
                let mut text = vec![b'a'; length];
                text[at] = b'b';
                assert!(seen.insert(hash(&text)), "{length} {at}");
            }
            assert!(seen.insert(hash(&vec![b'a'; length])), "{length}");
        }
    }
}
