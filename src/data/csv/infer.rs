//! What a field is: missing, a number, a flag, a time or text. The four kinds exclude each other, so the kind of a
//! column is the union of the kinds of its fields and does not depend on the order in which they are seen.

use super::super::time;
use super::number;

/// A set of the kinds seen in a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen(u8);

impl Seen {
    pub(super) const REAL: Self = Self(1);
    pub(super) const FLAG: Self = Self(2);
    pub(super) const TIME: Self = Self(4);
    pub(super) const TEXT: Self = Self(8);

    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether further fields cannot change the kind: text is there, or two kinds are.
    pub(super) fn settled(self) -> bool {
        self.0 & Self::TEXT.0 != 0 || self.0.count_ones() > 1
    }

    /// The kind of the column: the only one seen, numbers when nothing was seen, else text.
    pub(super) fn kind(self) -> Self {
        match self.0.count_ones() {
            0 => Self::REAL,
            1 => self,
            _ => Self::TEXT,
        }
    }
}

/// The kind of one field that is not missing. Integers that a double would round are text.
pub(super) fn class(text: &[u8]) -> Seen {
    let text = text.trim_ascii();
    match number::parse(text) {
        Some(n) if n.oversized => Seen::TEXT,
        Some(_) => Seen::REAL,
        None if flag(text).is_some() => Seen::FLAG,
        None if time::parse_iso(text).is_some() => Seen::TIME,
        None => Seen::TEXT,
    }
}

/// `true` and `false` in any case.
pub(super) fn flag(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if text.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}

/// The texts that stand for a missing value.
#[derive(Clone, Debug)]
pub(super) struct Markers {
    texts: Vec<Vec<u8>>,
    /// Whether some marker starts with this byte: most fields need no comparison.
    starts: [bool; 256],
    empty: bool,
    numeric: bool,
}

impl Markers {
    pub(super) fn new(texts: &[String]) -> Self {
        let mut starts = [false; 256];
        for first in texts.iter().filter_map(|t| t.as_bytes().first()) {
            starts[usize::from(*first)] = true;
        }
        Self {
            texts: texts.iter().map(|t| t.as_bytes().to_vec()).collect(),
            starts,
            empty: texts.iter().any(String::is_empty),
            numeric: texts.iter().any(|t| number::parse(t.as_bytes()).is_some()),
        }
    }

    /// Whether a field, blanks around it aside, is a marker.
    #[inline]
    pub(super) fn contain(&self, text: &[u8]) -> bool {
        let text = text.trim_ascii();
        match text.first() {
            None => self.empty,
            Some(first) => self.starts[usize::from(*first)] && self.texts.iter().any(|t| t == text),
        }
    }

    /// Whether some marker looks like a number.
    pub(super) fn numeric(&self) -> bool {
        self.numeric
    }

    /// Whether an empty field is missing.
    pub(super) fn empty(&self) -> bool {
        self.empty
    }
}
