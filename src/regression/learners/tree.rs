//! A fitted tree and the walk down it.

use super::bins::{Bins, Cut};
use super::features::{Features, Values};
use super::split::{Candidate, CodeSet, contains};
use serde::{Deserialize, Serialize};

/// Bits of a word in a set of levels.
const WORD: usize = u32::BITS as usize;

/// A child that is a node.
pub(crate) fn to_node(index: usize) -> i32 {
    (index as u32).cast_signed()
}

/// A child that is a leaf: `-1 - index`.
pub(crate) fn to_leaf(index: usize) -> i32 {
    !to_node(index)
}

/// A question and where its answers lead: to another node (≥ 0), or to leaf `-1 - child`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) feature: u32,
    pub(crate) missing_left: bool,
    /// Numbers up to here go left.
    pub(crate) threshold: f64,
    /// The set of levels that go left, for a category.
    levels: Option<u32>,
    pub(crate) children: [i32; 2],
    /// What the split saves, as the algorithm counts it.
    pub(crate) gain: f64,
}

/// A tree. It is read with the raw values of features, so that it serves any rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) leaves: Vec<f64>,
    level_sets: Vec<Vec<u32>>,
}

/// A tree that is still known by codes too, for the rows that were binned with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct CodedTree {
    pub(crate) tree: Tree,
    sets: Vec<CodeSet>,
}

impl Tree {
    /// The leaf of a row.
    #[inline]
    fn leaf(&self, values: &[Values], row: usize) -> usize {
        let mut at = if self.nodes.is_empty() { -1 } else { 0 };
        while at >= 0 {
            let node = &self.nodes[at as usize];
            let left = match &values[node.feature as usize] {
                Values::Number(x) => {
                    let x = x[row];
                    if x.is_nan() {
                        node.missing_left
                    } else {
                        x <= node.threshold
                    }
                }
                Values::Category(label) => {
                    let level = label.codes()[row] as usize;
                    node.levels
                        .and_then(|set| self.level_sets[set as usize].get(level / WORD))
                        .map_or(node.missing_left, |word| word >> (level % WORD) & 1 == 1)
                }
            };
            at = node.children[usize::from(!left)];
        }
        (-1 - at) as usize
    }

    /// The prediction for a row.
    #[inline]
    pub(crate) fn predict(&self, features: &Features, row: usize) -> f64 {
        self.leaves[self.leaf(features.values(), row)]
    }

    /// Adds the gain of every split to its feature.
    pub(crate) fn add_importance(&self, importance: &mut [f64]) {
        for node in &self.nodes {
            importance[node.feature as usize] += node.gain;
        }
    }
}

impl CodedTree {
    /// Adds a split; its children are set later.
    pub(crate) fn push(&mut self, split: &Candidate, bins: &Bins) -> usize {
        let (threshold, levels) = match (&bins.features[split.feature].cut, split.last_left) {
            // All values go left and only missing ones right: a finite number, so that it can be written as JSON.
            (Cut::Edges(edges), Some(last)) => (
                edges.get(usize::from(last)).copied().unwrap_or(f64::MAX),
                None,
            ),
            (Cut::Levels(bin_of), _) => {
                let mut words = vec![0_u32; bin_of.len().div_ceil(WORD)];
                for (level, code) in bin_of.iter().enumerate() {
                    if contains(&split.left_codes, *code) {
                        words[level / WORD] |= 1 << (level % WORD);
                    }
                }
                self.tree.level_sets.push(words);
                (0.0, Some(self.tree.level_sets.len() as u32 - 1))
            }
            (Cut::Edges(_), None) => (f64::MAX, None),
        };
        self.tree.nodes.push(Node {
            feature: split.feature as u32,
            missing_left: split.missing_left,
            threshold,
            levels,
            children: [0, 0],
            gain: split.gain,
        });
        self.sets.push(split.left_codes);
        self.tree.nodes.len() - 1
    }

    /// The prediction for a binned row.
    #[inline]
    pub(crate) fn predict(&self, bins: &Bins, row: usize) -> f64 {
        let mut at = if self.tree.nodes.is_empty() { -1 } else { 0 };
        while at >= 0 {
            let code = bins.code(self.tree.nodes[at as usize].feature as usize, row);
            let left = contains(&self.sets[at as usize], code);
            at = self.tree.nodes[at as usize].children[usize::from(!left)];
        }
        self.tree.leaves[(-1 - at) as usize]
    }
}
