//! The distinct texts of a label column, end to end in one piece of memory.

use serde::{Serialize, Serializer};
use std::ops::{Index, Range};

/// An immutable list of texts: what the codes of a [`Label`](super::Label) stand for.
///
/// A million levels are two allocations, not a million. It is used like a slice of texts: indexed, iterated, compared
/// with arrays and vectors, and serialized as a plain list.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::from_csv("arm\nB\nA\nB\n")?;
/// let levels = frame.label("arm")?.levels();
/// assert_eq!(levels, ["A", "B"]);
/// assert_eq!((levels.len(), levels.get(1), levels.get(2)), (2, Some("B"), None));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Levels {
    text: String,
    /// Where each text ends in `text`, never decreasing; it starts where the one before it ends.
    ends: Vec<usize>,
}

impl Levels {
    /// Wraps texts that lie end to end, each of which ends between two characters.
    pub(crate) fn joined(text: String, ends: Vec<usize>) -> Self {
        Self { text, ends }
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A text, `None` when out of range.
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(start..end)
    }

    /// The texts in order.
    pub fn iter(&self) -> LevelsIter<'_> {
        LevelsIter {
            levels: self,
            rest: 0..self.len(),
        }
    }

    /// The texts, each on its own.
    pub fn to_vec(&self) -> Vec<String> {
        self.iter().map(str::to_owned).collect()
    }
}

impl Index<usize> for Levels {
    type Output = str;

    /// A text. Panics when out of range, as a slice does; [`Levels::get`] does not.
    fn index(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[index]]
    }
}

impl<S: AsRef<str>> FromIterator<S> for Levels {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Self {
        let mut levels = Self::default();
        for text in texts {
            levels.text.push_str(text.as_ref());
            levels.ends.push(levels.text.len());
        }
        levels
    }
}

impl<S: AsRef<str>> From<Vec<S>> for Levels {
    fn from(texts: Vec<S>) -> Self {
        texts.into_iter().collect()
    }
}

/// The texts of [`Levels`] in order.
#[derive(Clone, Debug)]
pub struct LevelsIter<'a> {
    levels: &'a Levels,
    rest: Range<usize>,
}

impl<'a> Iterator for LevelsIter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.levels.get(self.rest.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl DoubleEndedIterator for LevelsIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.levels.get(self.rest.next_back()?)
    }
}

impl ExactSizeIterator for LevelsIter<'_> {}

impl<'a> IntoIterator for &'a Levels {
    type Item = &'a str;
    type IntoIter = LevelsIter<'a>;

    fn into_iter(self) -> LevelsIter<'a> {
        self.iter()
    }
}

impl<S: AsRef<str>> PartialEq<[S]> for Levels {
    fn eq(&self, other: &[S]) -> bool {
        self.iter().eq(other.iter().map(AsRef::as_ref))
    }
}

impl<S: AsRef<str>> PartialEq<Vec<S>> for Levels {
    fn eq(&self, other: &Vec<S>) -> bool {
        *self == other[..]
    }
}

impl<S: AsRef<str>, const N: usize> PartialEq<[S; N]> for Levels {
    fn eq(&self, other: &[S; N]) -> bool {
        *self == other[..]
    }
}

impl<S: AsRef<str>, const N: usize> PartialEq<[S; N]> for &Levels {
    fn eq(&self, other: &[S; N]) -> bool {
        **self == other[..]
    }
}

impl std::fmt::Debug for Levels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl Serialize for Levels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_list_of_texts(texts in proptest::collection::vec(".{0,4}", 0..12), other in proptest::collection::vec(".{0,1}", 0..3)) {
            let levels = Levels::from(texts.clone());
            prop_assert_eq!(levels.len(), texts.len());
            prop_assert_eq!(levels.is_empty(), texts.is_empty());
            prop_assert_eq!(&levels.to_vec(), &texts);
            prop_assert!(levels.iter().rev().eq(texts.iter().rev()));
            for i in 0..texts.len() {
                prop_assert_eq!(&levels[i], &texts[i]);
                prop_assert_eq!(levels.get(i), Some(texts[i].as_str()));
            }
            prop_assert_eq!(levels.get(texts.len()), None);
            prop_assert_eq!(format!("{levels:?}"), format!("{texts:?}"));
            prop_assert_eq!(serde_json::to_string(&levels).unwrap(), serde_json::to_string(&texts).unwrap());
            prop_assert_eq!(levels == other, texts == other);
            let others = Levels::from(other.clone());
            prop_assert_eq!(levels == others, texts == other);
        }
    }

    #[test]
    fn the_same_text_cut_elsewhere_is_another_list() {
        assert_ne!(Levels::from(vec!["ab", "c"]), Levels::from(vec!["a", "bc"]));
        assert_ne!(Levels::from(vec!["a", ""]), Levels::from(vec!["a"]));
        assert_eq!(&Levels::from(vec!["", "é"]), ["", "é"]);
    }
}
