//! Growing one uplift tree, estimating its leaves, and cutting it back.

use super::criterion::{Judge, ROWS, SQUARES, SUM, UpliftCriterion, WEIGHT, shrunken};
use super::determined::determined;
use super::split::{Candidate, Entry, Histogram, Limits};
use crate::numeric::permutation::below;
use crate::uplift::forest::codes::Codes;
use crate::uplift::forest::tree::Tree;
use rand::Rng;
use std::ops::Range;

/// Numbers kept of an arm of a finished node.
pub(super) const KEPT: usize = ROWS + 1;
/// Rows of an arm that a mean and its error need.
pub(super) const FEWEST_ROWS: f64 = 2.0;

/// The shape of trees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    pub(super) criterion: UpliftCriterion,
    pub(super) normalized: bool,
    pub(super) shrinkage: f64,
    pub(super) limits: Limits,
    pub(super) depth: usize,
    pub(super) least_gain: f64,
    pub(super) features_per_split: usize,
}

/// What all trees share.
pub(super) struct Ground<'a> {
    pub(super) codes: &'a Codes,
    pub(super) category: &'a [bool],
    pub(super) arms: usize,
    pub(super) arm_of: &'a [u32],
    pub(super) y: &'a [f64],
    pub(super) weights: Option<&'a [f64]>,
    /// The cluster of each row.
    pub(super) clusters: Option<&'a [u32]>,
    pub(super) growth: Growth,
}

/// A node; its children, if any, are the one named and the next.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) depth: usize,
    pub(super) split: Option<(Candidate, usize)>,
    /// Weight, sum, sum of squares and rows of each arm, of the rows that estimate.
    pub(super) sums: Vec<f64>,
    /// Weight that it was grown on, and the effects of the arms there.
    grown_on: f64,
    found: Vec<f64>,
}

impl Node {
    fn new(depth: usize, sums: Vec<f64>) -> Self {
        Self {
            depth,
            split: None,
            found: effects(&sums),
            grown_on: weight(&sums),
            sums,
        }
    }
}

/// A tree with what its nodes hold, under the numbers of the tree.
#[derive(Clone, Debug)]
pub(super) struct Grown {
    pub(super) tree: Tree,
    pub(super) nodes: Vec<Node>,
    /// Whether all rows estimate the one node, because those that were to estimate it are too few.
    pub(super) everybody: bool,
}

/// Buffers that trees of a task use one after the other.
pub(super) struct Workshop {
    /// The codes of the tree's rows, feature by feature.
    columns: Vec<u8>,
    all: Vec<Entry>,
    /// Weights of the tree's rows; empty without weights.
    all_weights: Vec<f64>,
    rows: Vec<u32>,
    scratch: Vec<u32>,
    entries: Vec<Entry>,
    /// Weights of a node's rows; empty without weights.
    weights: Vec<f64>,
    histogram: Histogram,
    order: Vec<u32>,
}

impl Ground<'_> {
    /// The weight of a row, 1 without weights.
    pub(super) fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[row])
    }

    /// Numbers kept of a finished node, cut to those that splits are judged by.
    fn lanes(&self) -> usize {
        self.growth.criterion.lanes(self.weights.is_some())
    }

    /// Weights, sums, sums of squares and numbers of rows of the arms among some rows.
    pub(super) fn sums(&self, rows: impl Iterator<Item = usize>) -> Vec<f64> {
        let mut sums = vec![0.0; self.arms * KEPT];
        rows.for_each(|row| self.add(&mut sums, row));
        sums
    }

    /// Adds a row to the sums of its arm.
    fn add(&self, sums: &mut [f64], row: usize) {
        let (weight, y) = (self.weight(row), self.y[row]);
        let own = &mut sums[self.arm_of[row] as usize * KEPT..][..KEPT];
        own[WEIGHT] += weight;
        own[SUM] += weight * y;
        own[SQUARES] += weight * y * y;
        own[ROWS] += 1.0;
    }
}

impl Workshop {
    pub(super) fn new(ground: &Ground) -> Self {
        Self {
            columns: Vec::new(),
            all: Vec::new(),
            all_weights: Vec::new(),
            rows: Vec::new(),
            scratch: Vec::new(),
            entries: Vec::new(),
            weights: Vec::new(),
            histogram: Histogram::new(ground.arms, ground.lanes()),
            order: Vec::new(),
        }
    }

    /// Grows a tree on some rows; its nodes hold the sums of these.
    pub(super) fn grow(&mut self, ground: &Ground, split: &[u32], random: &mut impl Rng) -> Grown {
        self.bring(ground, split);
        let growth = &ground.growth;
        let (n, lanes) = (split.len(), ground.lanes());
        let mut tree = Tree::seed();
        let all = ground.sums(split.iter().map(|row| *row as usize));
        let mut nodes = vec![Node::new(0, all)];
        let mut open: Vec<(usize, Range<usize>, Option<Vec<f64>>)> = vec![(0, 0..n, None)];
        while let Some((at, range, parent)) = open.pop() {
            let node = &nodes[at];
            let limits = growth.limits;
            let fewest = node.sums.iter().skip(ROWS).step_by(KEPT).copied();
            if node.depth >= growth.depth
                || (range.len() as f64) < 2.0 * limits.leaf
                || fewest.fold(f64::INFINITY, f64::min) < 2.0 * limits.arm
            {
                continue;
            }
            let arms = node.sums.chunks_exact(KEPT);
            let means: Vec<f64> = arms
                .clone()
                .enumerate()
                .map(|(k, arm)| match &parent {
                    Some(parent) => shrunken(arm, parent[k], growth.shrinkage),
                    None => shrunken(arm, 0.0, 0.0),
                })
                .collect();
            let total: Vec<f64> = arms.flat_map(|arm| arm[..lanes].iter().copied()).collect();
            let Some(best) = self.search(ground, range.clone(), &total, &means, random) else {
                continue;
            };
            let Some(left) = tree.split(at as u32, best.feature, &best.rule) else {
                continue;
            };
            let middle = range.start + self.partition(range.clone(), &best);
            let depth = node.depth + 1;
            nodes[at].split = Some((best, left as usize));
            let parts = [range.start..middle, middle..range.end];
            for part in &parts {
                let rows = self.rows[part.clone()].iter();
                let sums = ground.sums(rows.map(|row| split[*row as usize] as usize));
                nodes.push(Node::new(depth, sums));
            }
            // The left child is taken from the stack first.
            let [near, far] = parts;
            open.push((left as usize + 1, far, Some(means.clone())));
            open.push((left as usize, near, Some(means)));
        }
        tree.number_leaves();
        Grown {
            tree,
            nodes,
            everybody: false,
        }
    }

    /// Brings the tree's rows together.
    fn bring(&mut self, ground: &Ground, split: &[u32]) {
        let (n, features) = (split.len(), ground.codes.features());
        let lanes = ground.lanes() as u32;
        self.rows.clear();
        self.rows.extend(0..n as u32);
        self.all.clear();
        self.all.extend(split.iter().map(|row| Entry {
            slot: ground.arm_of[*row as usize] * lanes,
            y: ground.y[*row as usize],
        }));
        self.all_weights.clear();
        if let Some(weights) = ground.weights {
            let of = split.iter().map(|row| weights[*row as usize]);
            self.all_weights.extend(of);
        }
        self.scratch.resize(n, 0);
        self.entries.resize(n, Entry::default());
        self.columns.resize(n * features, 0);
        for (i, row) in split.iter().enumerate() {
            for (j, code) in ground.codes.row(*row as usize).iter().enumerate() {
                self.columns[j * n + i] = *code;
            }
        }
        // The choice of features starts from the same order in every tree, whatever tree stood here before.
        self.order.clear();
        self.order.extend(0..features as u32);
    }

    /// The best split of a node over a random choice of features.
    fn search(
        &mut self,
        ground: &Ground,
        range: Range<usize>,
        total: &[f64],
        means: &[f64],
        random: &mut impl Rng,
    ) -> Option<Candidate> {
        let growth = &ground.growth;
        let (n, features) = (self.all.len(), ground.codes.features());
        let rows = &self.rows[range];
        if ground.weights.is_some() {
            self.weights.clear();
            let weights = rows.iter().map(|row| self.all_weights[*row as usize]);
            self.weights.extend(weights);
        }
        let weights = ground.weights.map(|_| self.weights.as_slice());
        let entries = &mut self.entries[..rows.len()];
        for (entry, row) in entries.iter_mut().zip(rows) {
            *entry = self.all[*row as usize];
        }
        let mut judge = Judge::new(
            growth.criterion,
            growth.normalized,
            growth.shrinkage,
            total,
            means,
        );
        let mut best: Option<Candidate> = None;
        let tried = growth.features_per_split.min(features);
        for k in 0..tried {
            // The first draws of a shuffle are a random choice; all features are tried in their order.
            if tried < features {
                let chosen = k + below(random, (features - k) as u64) as usize;
                self.order.swap(k, chosen);
            }
            let feature = self.order[k] as usize;
            let column = &self.columns[feature * n..][..n];
            self.histogram.build(column, rows, entries, weights);
            let least = best.map_or(growth.least_gain, |b| b.gain);
            let category = ground.category[feature];
            let limits = growth.limits;
            let found = self
                .histogram
                .best(feature, category, total, &mut judge, limits, least);
            best = found.or(best);
        }
        best
    }

    /// Moves the rows that go left to the front of their range; returns how many they are.
    fn partition(&mut self, range: Range<usize>, split: &Candidate) -> usize {
        let n = self.all.len();
        let column = &self.columns[split.feature * n..][..n];
        (split.rule).part(column, &mut self.rows[range], &mut self.scratch)
    }
}

impl Grown {
    /// The leaf of each of some rows, by its place among the nodes.
    pub(super) fn leaves(&self, ground: &Ground, rows: &[u32]) -> Vec<usize> {
        let mut at = vec![0; rows.len()];
        self.tree.leaves(ground.codes, rows, &mut at);
        let leaves: Vec<usize> = (0..self.nodes.len())
            .filter(|node| self.nodes[*node].split.is_none())
            .collect();
        at.into_iter().map(|leaf| leaves[leaf as usize]).collect()
    }

    /// The sums of every node over other rows, whose leaves are these.
    fn sums_over(&self, ground: &Ground, rows: &[u32], leaves: &[usize]) -> Vec<Vec<f64>> {
        let width = ground.arms * KEPT;
        let mut sums = vec![vec![0.0; width]; self.nodes.len()];
        for (leaf, row) in leaves.iter().zip(rows) {
            ground.add(&mut sums[*leaf], *row as usize);
        }
        // Children come after their parent.
        for node in (0..self.nodes.len()).rev() {
            if let Some((_, left)) = self.nodes[node].split {
                let (head, tail) = sums.split_at_mut(left);
                for ((sum, a), b) in head[node].iter_mut().zip(&tail[0]).zip(&tail[1]) {
                    *sum += a + b;
                }
            }
        }
        sums
    }

    /// The tree estimated on these rows, without splits that leave an arm on a side with too few of them for a mean with its error; `otherwise` are the sums
    /// for all when an arm has too few anywhere.
    pub(super) fn estimated(mut self, ground: &Ground, rows: &[u32], otherwise: &[f64]) -> Self {
        let leaves = self.leaves(ground, rows);
        let sums = self.sums_over(ground, rows, &leaves);
        let sound = determined(&self, ground, rows, &leaves, &sums);
        for (node, sums) in self.nodes.iter_mut().zip(sums) {
            node.sums = sums;
        }
        self.everybody = !sound[0];
        if self.everybody {
            otherwise.clone_into(&mut self.nodes[0].sums);
        }
        self.kept(|_, [left, right]| sound[left] && sound[right])
    }

    /// Cuts back what does not hold on other rows. With the arm that has the largest effect in a node, and that effect's sign s there,
    /// `v(node) = s · effect of the arm on the other rows`; a subtree stays if the mean of v over its leaves is larger than v of its root (Rzepakowski
    /// & Jaroszewicz 2012, section 5, of one outcome class).
    pub(super) fn pruned(self, ground: &Ground, rows: &[u32]) -> Self {
        let others = self.sums_over(ground, rows, &self.leaves(ground, rows));
        let mut keep = vec![false; self.nodes.len()];
        // Value of the best subtree that starts at a node.
        let mut values = vec![0.0; self.nodes.len()];
        for at in (0..self.nodes.len()).rev() {
            let alone = signed_effect(&self.nodes[at].sums, &others[at]);
            values[at] = alone;
            if let Some((_, left)) = self.nodes[at].split {
                let parts = [left, left + 1].map(|child| weight(&others[child]) * values[child]);
                let together = (parts[0] + parts[1]) / weight(&others[at]).max(f64::MIN_POSITIVE);
                if together > alone {
                    keep[at] = true;
                    values[at] = together;
                }
            }
        }
        self.kept(|at, _| keep[at])
    }

    /// The tree with the splits that are kept, of a node into two.
    fn kept(self, keep: impl Fn(usize, [usize; 2]) -> bool) -> Self {
        let mut tree = Tree::seed();
        let mut nodes = vec![Node {
            split: None,
            ..self.nodes[0].clone()
        }];
        let mut open = vec![(0_usize, 0_usize)];
        while let Some((old, new)) = open.pop() {
            let Some((candidate, from)) = self.nodes[old].split else {
                continue;
            };
            if !keep(old, [from, from + 1]) {
                continue;
            }
            let Some(left) = tree.split(new as u32, candidate.feature, &candidate.rule) else {
                continue;
            };
            nodes[new].split = Some((candidate, left as usize));
            for child in [0, 1] {
                nodes.push(Node {
                    split: None,
                    ..self.nodes[from + child].clone()
                });
            }
            open.push((from + 1, left as usize + 1));
            open.push((from, left as usize));
        }
        tree.number_leaves();
        Self {
            tree,
            nodes,
            everybody: self.everybody,
        }
    }

    /// The tree with the mean outcome of every arm in its leaves, `centre` added.
    pub(super) fn with_means(mut self, centre: f64) -> Self {
        let leaves = self.nodes.iter().filter(|node| node.split.is_none());
        self.tree.means = leaves
            .flat_map(|node| means(&node.sums).map(|m| m + centre))
            .collect();
        self
    }

    /// Adds to each feature the variance of effects that its splits account for: of a split with shares p and 1 − p of a node that has the share s of the
    /// rows, `s p (1 − p) Σ_k δ_k δ'_k`, δ being the difference of the sides' effects on the rows that found the split and δ' on those that estimate. In an
    /// honest tree the noise in the two is independent and cancels.
    pub(super) fn add_importance(&self, importance: &mut [f64]) {
        let all = self.nodes[0].grown_on.max(f64::MIN_POSITIVE);
        for node in &self.nodes {
            if let Some((split, left)) = &node.split {
                let (left, right) = (&self.nodes[*left], &self.nodes[*left + 1]);
                let own = effects(&left.sums).into_iter().zip(effects(&right.sums));
                let found = left.found.iter().zip(&right.found);
                let product: f64 = found
                    .zip(own)
                    .map(|((a, b), (c, d))| (a - b) * (c - d))
                    .sum();
                let rows = left.grown_on * right.grown_on / node.grown_on;
                importance[split.feature] += rows / all * product;
            }
        }
    }
}

/// Whether every arm has the rows that a mean and its error need.
pub(super) fn complete(sums: &[f64]) -> bool {
    let mut rows = sums.iter().skip(ROWS).step_by(KEPT);
    rows.all(|rows| *rows >= FEWEST_ROWS)
}

/// The weight of all arms.
fn weight(sums: &[f64]) -> f64 {
    sums.iter().step_by(KEPT).sum()
}

/// Mean outcomes of the arms.
pub(super) fn means(sums: &[f64]) -> impl Iterator<Item = f64> + '_ {
    sums.chunks_exact(KEPT).map(|arm| arm[SUM] / arm[WEIGHT])
}

/// Effects of the arms against control.
fn effects(sums: &[f64]) -> Vec<f64> {
    let mut means = means(sums);
    let control = means.next().unwrap_or_default();
    means.map(|mean| mean - control).collect()
}

/// The effect on other rows of the arm with the largest effect here, with the sign it has here; 0 where an arm has too few rows.
fn signed_effect(here: &[f64], there: &[f64]) -> f64 {
    if !complete(here) || !complete(there) {
        return 0.0;
    }
    let (own, other) = (effects(here), effects(there));
    let larger = |best: usize, arm: usize| {
        if own[arm].abs() > own[best].abs() {
            arm
        } else {
            best
        }
    };
    let arm = (1..own.len()).fold(0, larger);
    own[arm].signum() * other[arm]
}
