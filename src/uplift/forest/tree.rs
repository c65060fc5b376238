//! A tree of eight-byte nodes, and the walk down it.

use super::codes::Codes;
use crate::regression::learners::grow::stable_partition;
use serde::{Deserialize, Serialize};

/// Marks a split by a set of levels.
const CATEGORY: u16 = 1 << 15;
/// Most features: the other bits of a node's feature.
pub(super) const MOST_FEATURES: usize = CATEGORY as usize;
/// Rows that walk side by side: their loads do not wait for each other.
const ABREAST: usize = 8;

/// A set of codes.
pub(super) type CodeSet = [u64; 4];

/// Whether a code is in a set.
#[inline]
pub(super) fn contains(set: &CodeSet, code: u8) -> bool {
    set[usize::from(code >> 6)] >> (code & 63) & 1 == 1
}

/// A node. Of a number, codes up to the threshold go to `left`, others to `left + 1`; adding `shift` first makes the code of missing values
/// the smallest. Of a category, threshold and shift are the number of its set. A leaf leads to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
struct Node {
    left: u32,
    feature: u16,
    threshold: u8,
    shift: u8,
}

impl From<u64> for Node {
    fn from(bits: u64) -> Self {
        Self {
            left: bits as u32,
            feature: (bits >> 32) as u16,
            threshold: (bits >> 48) as u8,
            shift: (bits >> 56) as u8,
        }
    }
}

impl From<Node> for u64 {
    fn from(node: Node) -> Self {
        Self::from(node.left)
            | Self::from(node.feature) << 32
            | Self::from(node.threshold) << 48
            | Self::from(node.shift) << 56
    }
}

/// How a node is split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rule {
    /// Codes up to this one go left; missing values where it says.
    Number { last_left: u8, missing_left: bool },
    /// These codes go left.
    Levels(CodeSet),
}

impl Rule {
    /// Moves the rows that go left by this column to the front, keeping the order on both sides; returns how many they are.
    pub(super) fn part(&self, column: &[u8], rows: &mut [u32], scratch: &mut [u32]) -> usize {
        match self {
            Self::Number {
                last_left,
                missing_left,
            } => {
                let shift = u8::from(*missing_left);
                let threshold = last_left.wrapping_add(shift);
                let left =
                    |row: u32| usize::from(column[row as usize].wrapping_add(shift) <= threshold);
                stable_partition(rows, scratch, left)
            }
            Self::Levels(set) => {
                let left = |row: u32| usize::from(contains(set, column[row as usize]));
                stable_partition(rows, scratch, left)
            }
        }
    }
}

/// A tree. Leaves are numbered; what they hold stands beside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// The leaf of each node that is one.
    leaf: Vec<u32>,
    sets: Vec<CodeSet>,
    /// The means of each leaf, side by side.
    pub(super) means: Vec<f64>,
}

impl Tree {
    /// A root without split.
    pub(super) fn seed() -> Self {
        let mut tree = Self::default();
        tree.push();
        tree
    }

    fn push(&mut self) -> u32 {
        let at = self.nodes.len() as u32;
        self.nodes.push(Node {
            left: at,
            feature: 0,
            threshold: u8::MAX,
            shift: 0,
        });
        self.leaf.push(0);
        at
    }

    /// Splits a node; its children are the returned one and the next. None when the tree has no room for another set.
    pub(super) fn split(&mut self, at: u32, feature: usize, rule: &Rule) -> Option<u32> {
        let (feature, threshold, shift) = match rule {
            Rule::Number {
                last_left,
                missing_left,
            } => {
                let shift = u8::from(*missing_left);
                (feature as u16, last_left.wrapping_add(shift), shift)
            }
            Rule::Levels(set) => {
                let number = u16::try_from(self.sets.len()).ok()?;
                self.sets.push(*set);
                let [low, high] = number.to_le_bytes();
                (feature as u16 | CATEGORY, low, high)
            }
        };
        let left = self.push();
        self.push();
        self.nodes[at as usize] = Node {
            left,
            feature,
            threshold,
            shift,
        };
        Some(left)
    }

    fn is_leaf(&self, at: usize) -> bool {
        self.nodes[at].left as usize == at
    }

    /// One step down.
    #[inline]
    fn step(&self, at: u32, codes: &[u8]) -> u32 {
        let node = self.nodes[at as usize];
        let right = if node.feature & CATEGORY == 0 {
            codes[usize::from(node.feature)].wrapping_add(node.shift) > node.threshold
        } else {
            let set = u16::from_le_bytes([node.threshold, node.shift]);
            let code = codes[usize::from(node.feature & !CATEGORY)];
            !contains(&self.sets[usize::from(set)], code)
        };
        node.left + u32::from(right)
    }

    /// The leaf of each row.
    pub(super) fn leaves(&self, codes: &Codes, rows: &[u32], out: &mut [u32]) {
        for (rows, out) in rows.chunks(ABREAST).zip(out.chunks_mut(ABREAST)) {
            let mut lines: [&[u8]; ABREAST] = [&[]; ABREAST];
            for (line, row) in lines.iter_mut().zip(rows) {
                *line = codes.row(*row as usize);
            }
            let mut at = [0_u32; ABREAST];
            loop {
                let mut moved = 0;
                for (at, line) in at.iter_mut().zip(&lines[..rows.len()]) {
                    let next = self.step(*at, line);
                    moved |= next ^ *at;
                    *at = next;
                }
                if moved == 0 {
                    break;
                }
            }
            for (out, at) in out.iter_mut().zip(at) {
                *out = self.leaf[at as usize];
            }
        }
    }

    /// Numbers the leaves; returns how many they are.
    pub(super) fn number_leaves(&mut self) -> usize {
        let mut count = 0;
        for at in 0..self.nodes.len() {
            if self.is_leaf(at) {
                self.leaf[at] = count;
                count += 1;
            }
        }
        count as usize
    }

    /// The tree without empty leaves: the sibling takes the place of their parent. `counts` are the rows and `means` the numbers of each
    /// leaf, `size` each.
    pub(super) fn pruned(&self, counts: &[u32], means: &[f64], size: usize) -> Self {
        // Children come after their parent, so from the back every node knows who stands for it.
        let mut stands: Vec<Option<u32>> = vec![None; self.nodes.len()];
        for at in (0..self.nodes.len()).rev() {
            stands[at] = if self.is_leaf(at) {
                (counts[self.leaf[at] as usize] > 0).then_some(at as u32)
            } else {
                let left = self.nodes[at].left as usize;
                match (stands[left], stands[left + 1]) {
                    (Some(_), Some(_)) => Some(at as u32),
                    (one, other) => one.or(other),
                }
            };
        }
        let mut tree = Self::seed();
        let mut leaves = 0;
        let mut open = vec![(stands[0], 0_u32)];
        while let Some((old, new)) = open.pop() {
            let Some(old) = old.map(|at| at as usize) else {
                continue;
            };
            if self.is_leaf(old) {
                tree.leaf[new as usize] = leaves;
                leaves += 1;
                let from = self.leaf[old] as usize * size;
                tree.means.extend_from_slice(&means[from..from + size]);
                continue;
            }
            let mut node = self.nodes[old];
            if node.feature & CATEGORY != 0 {
                let set = u16::from_le_bytes([node.threshold, node.shift]);
                let number = tree.sets.len() as u16;
                tree.sets.push(self.sets[usize::from(set)]);
                [node.threshold, node.shift] = number.to_le_bytes();
            }
            let children = node.left as usize;
            let left = tree.push();
            tree.push();
            tree.nodes[new as usize] = Node { left, ..node };
            open.push((stands[children + 1], left + 1));
            open.push((stands[children], left));
        }
        tree
    }

    /// Adds one for each split to its depth (from 0) and feature: `counts[depth][feature]`.
    pub(super) fn count_splits(&self, counts: &mut [Vec<f64>]) {
        let mut open = vec![(0_usize, 0_usize)];
        while let Some((at, depth)) = open.pop() {
            if depth >= counts.len() || self.is_leaf(at) {
                continue;
            }
            let node = self.nodes[at];
            counts[depth][usize::from(node.feature & !CATEGORY)] += 1.0;
            open.extend([
                (node.left as usize, depth + 1),
                (node.left as usize + 1, depth + 1),
            ]);
        }
    }

    /// Whether nodes, sets and so many leaves fit each other: a file may have been changed.
    pub(super) fn is_sound(&self, features: usize, leaves: usize) -> bool {
        let sound = |(at, node): (usize, &Node)| {
            let left = node.left as usize;
            if left == at {
                return (self.leaf[at] as usize) < leaves;
            }
            let set = usize::from(u16::from_le_bytes([node.threshold, node.shift]));
            left > at
                && left + 1 < self.nodes.len()
                && usize::from(node.feature & !CATEGORY) < features
                && (node.feature & CATEGORY == 0 || set < self.sets.len())
        };
        !self.nodes.is_empty()
            && self.leaf.len() == self.nodes.len()
            && self.nodes.iter().enumerate().all(sound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Frame, Rows};
    use crate::regression::learners::Features;

    fn number(last_left: u8, missing_left: bool) -> Rule {
        Rule::Number {
            last_left,
            missing_left,
        }
    }

    #[test]
    fn rows_walk_to_their_leaves() {
        let x = vec![0.0, 1.0, 2.0, 3.0, f64::NAN];
        let c = vec!["a", "b", "c", "a", "b"];
        let frame = Frame::new().with("x", x).unwrap().with("c", c).unwrap();
        let features = Features::from_frame(&frame, &["x", "c"]).unwrap();
        let codes = Codes::binned(&features.bins(255), &Rows::all(5));
        let mut tree = Tree::seed();
        let left = tree.split(0, 0, &number(1, true)).unwrap();
        let levels = tree
            .split(left + 1, 1, &Rule::Levels([1, 0, 0, 0]))
            .unwrap();
        let leaves = tree.number_leaves();
        assert_eq!(leaves, 3);
        let mut out = [0; 5];
        tree.leaves(&codes, &[0, 1, 2, 3, 4], &mut out);
        let (near, a, other) = (0, 1, 2);
        assert_eq!(out, [near, near, other, a, near]);
        assert_eq!(levels, 3);
        // Without rows on one side, the sibling takes the parent's place.
        let pruned = tree.pruned(&[2, 0, 1], &[10.0, 11.0, 12.0], 1);
        pruned.leaves(&codes, &[0, 1, 2, 3, 4], &mut out);
        let means = out.map(|leaf| pruned.means[leaf as usize]);
        assert_eq!(means, [10.0, 10.0, 12.0, 12.0, 10.0]);
        assert!(pruned.is_sound(2, 2) && !pruned.is_sound(2, 1) && pruned.nodes.len() == 3);
        let mut counts = vec![vec![0.0; 2]; 2];
        tree.count_splits(&mut counts);
        assert_eq!(counts, [[1.0, 0.0], [0.0, 1.0]]);
        let text = serde_json::to_string(&tree).unwrap();
        assert_eq!(serde_json::from_str::<Tree>(&text).unwrap(), tree);
    }

    #[test]
    fn missing_values_alone_can_be_a_side() {
        let x = vec![0.0, 1.0, f64::NAN];
        let frame = Frame::new().with("x", x).unwrap();
        let features = Features::from_frame(&frame, &["x"]).unwrap();
        let codes = Codes::binned(&features.bins(255), &Rows::all(3));
        let mut tree = Tree::seed();
        tree.split(0, 0, &number(254, false));
        tree.number_leaves();
        let mut out = [0; 3];
        tree.leaves(&codes, &[0, 1, 2], &mut out);
        assert_eq!(out, [0, 0, 1]);
    }
}
