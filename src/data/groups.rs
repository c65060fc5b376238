//! Groups over some of the rows, and combinations of groups.

use super::column::{Groups, MISSING};
use super::rows::Rows;
use std::sync::Arc;

/// A table of this many entries a row is cheaper than sorting the combinations.
const TABLE_PER_ROW: u64 = 8;

/// The key of a combination with a missing part.
const NONE: u64 = u64::MAX;

impl Groups {
    /// The groups of the used rows, with codes that no used row has closed up.
    pub fn over(&self, rows: &Rows) -> Self {
        if rows.is_all() {
            return self.clone();
        }
        self.compact(&rows.gather(&self.codes))
    }

    /// The same levels for other rows: codes are renumbered so that every code is used, in the order of the levels.
    pub(crate) fn compact(&self, codes: &[u32]) -> Self {
        let mut map = vec![MISSING; self.levels.len()];
        for code in codes.iter().filter(|c| **c != MISSING) {
            map[*code as usize] = 0;
        }
        let mut levels = Vec::new();
        for (slot, level) in map
            .iter_mut()
            .zip(self.levels.iter())
            .filter(|(slot, _)| **slot == 0)
        {
            *slot = levels.len() as u32;
            levels.push(level.clone());
        }
        let mut missing = 0;
        let codes = codes
            .iter()
            .map(|code| {
                missing += usize::from(*code == MISSING);
                map.get(*code as usize).copied().unwrap_or(MISSING)
            })
            .collect();
        Self {
            name: self.name.clone(),
            codes: Arc::new(codes),
            levels: Arc::new(levels),
            missing,
        }
    }

    /// One group for each combination that occurs, sorted by this and then by the other; a combination with a missing part is
    /// missing. Levels are joined by `_` and names by `^`, as in fixest.
    pub fn pair(&self, other: &Self) -> Self {
        let width = other.count() as u64;
        let keys: Vec<u64> = self
            .codes
            .iter()
            .zip(other.codes.iter())
            .map(|(a, b)| match (*a, *b) {
                (MISSING, _) | (_, MISSING) => NONE,
                (a, b) => u64::from(a) * width + u64::from(b),
            })
            .collect();
        let level = |key: u64| {
            format!(
                "{}_{}",
                self.levels[(key / width) as usize],
                other.levels[(key % width) as usize]
            )
        };
        let cells = self.count() as u64 * width;
        let mut levels = Vec::new();
        let codes: Vec<u32> = if cells <= TABLE_PER_ROW * keys.len() as u64 {
            let mut table = vec![MISSING; cells as usize];
            for key in keys.iter().filter(|k| **k != NONE) {
                table[*key as usize] = 0;
            }
            for (key, slot) in table.iter_mut().enumerate().filter(|(_, s)| **s == 0) {
                *slot = levels.len() as u32;
                levels.push(level(key as u64));
            }
            keys.iter()
                .map(|key| table.get(*key as usize).copied().unwrap_or(MISSING))
                .collect()
        } else {
            let mut sorted: Vec<u64> = keys.iter().copied().filter(|k| *k != NONE).collect();
            sorted.sort_unstable();
            sorted.dedup();
            levels.extend(sorted.iter().map(|key| level(*key)));
            keys.iter()
                .map(|key| sorted.binary_search(key).map_or(MISSING, |i| i as u32))
                .collect()
        };
        Self {
            name: format!("{}^{}", self.name, other.name),
            missing: codes.iter().filter(|c| **c == MISSING).count(),
            codes: Arc::new(codes),
            levels: Arc::new(levels),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Column;

    #[test]
    fn combinations_are_coded_in_order() {
        let a = Column::from(vec![2.0, 1.0, 2.0, f64::NAN]).groups("a");
        let b = Column::from(vec!["x", "y", "y", "x"]).groups("b");
        let pair = a.pair(&b);
        assert_eq!(*pair.codes, vec![1, 0, 2, MISSING]);
        assert_eq!(*pair.levels, vec!["1_y", "2_x", "2_y"]);
        assert_eq!((pair.name.as_str(), pair.missing), ("a^b", 1));
        let some = a.over(&Rows::some(4, vec![0, 2, 3]));
        assert_eq!((*some.codes).clone(), vec![0, 0, MISSING]);
        assert_eq!((some.count(), some.missing), (1, 1));
    }
}
