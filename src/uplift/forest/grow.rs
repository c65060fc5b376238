//! Growing one tree: relabelling, the search over features, the partition.

use super::codes::Codes;
use super::relabel::Relabel;
use super::split::{Candidate, Histogram, Sums};
use super::tree::Tree;
use crate::numeric::permutation::below;
use rand::Rng;
use rand_distr::{Distribution, Poisson};

/// The shape of trees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    pub(super) min_node_size: usize,
    pub(super) alpha: f64,
    pub(super) imbalance_penalty: f64,
    pub(super) features_per_split: f64,
}

/// What all trees share.
pub(super) struct Ground<'a, R, P> {
    pub(super) codes: &'a Codes,
    pub(super) category: &'a [bool],
    pub(super) points: &'a [P],
    pub(super) relabel: &'a R,
    pub(super) growth: Growth,
}

/// Buffers that trees of a thread use one after the other.
pub(super) struct Workshop<const L: usize, P> {
    /// The codes of the tree's rows, feature by feature.
    columns: Vec<u8>,
    points: Vec<P>,
    rows: Vec<u32>,
    scratch: Vec<u32>,
    responses: Vec<Sums<L>>,
    histogram: Histogram<L>,
    order: Vec<u32>,
}

impl<const L: usize, P: Copy> Workshop<L, P> {
    pub(super) fn new(features: usize) -> Self {
        Self {
            columns: Vec::new(),
            points: Vec::new(),
            rows: Vec::new(),
            scratch: Vec::new(),
            responses: Vec::new(),
            histogram: Histogram::new(),
            order: (0..features as u32).collect(),
        }
    }

    /// Grows a tree on the rows that find its splits. Its leaves are numbered, and empty.
    pub(super) fn tree<R: Relabel<L, Point = P>>(
        &mut self,
        ground: &Ground<R, P>,
        split: &[u32],
        random: &mut impl Rng,
    ) -> Tree {
        self.bring(ground, split);
        // The choice of features starts from the same order in every tree, whatever tree stood here before.
        for (i, feature) in self.order.iter_mut().enumerate() {
            *feature = i as u32;
        }
        self.grow(ground, random)
    }

    /// Brings the tree's rows together.
    fn bring<R>(&mut self, ground: &Ground<R, P>, split: &[u32]) {
        let (n, features) = (split.len(), ground.codes.features());
        self.rows.clear();
        self.rows.extend(0..n as u32);
        self.points.clear();
        self.points
            .extend(split.iter().map(|row| ground.points[*row as usize]));
        self.scratch.resize(n, 0);
        self.responses.resize(n, [0.0; L]);
        self.columns.resize(n * features, 0);
        for (i, row) in split.iter().enumerate() {
            for (j, code) in ground.codes.row(*row as usize).iter().enumerate() {
                self.columns[j * n + i] = *code;
            }
        }
    }

    /// Depth first, until no split is left.
    fn grow<R: Relabel<L, Point = P>>(
        &mut self,
        ground: &Ground<R, P>,
        random: &mut impl Rng,
    ) -> Tree {
        let n = self.rows.len();
        let growth = &ground.growth;
        // A positive rate is a Poisson distribution's; it was checked.
        let tried = Poisson::new(growth.features_per_split).ok();
        let mut tree = Tree::seed();
        let mut open = vec![(0_u32, 0..n)];
        while let Some((at, range)) = open.pop() {
            let least = growth.min_node_size;
            if range.len() <= least || range.len() < 2 {
                continue;
            }
            let rows = &self.rows[range.clone()];
            let responses = &mut self.responses[..rows.len()];
            let relabelled = ground
                .relabel
                .relabel(growth, &self.points, rows, responses);
            let Some((total, limits)) = relabelled else {
                continue;
            };
            let features = ground.codes.features();
            let draw = tried.as_ref().map_or(1.0, |p| p.sample(random));
            let count = (draw as usize).clamp(1, features);
            let mut best: Option<Candidate> = None;
            // The first draws of a shuffle are a random choice of features.
            for k in 0..count {
                let chosen = k + below(random, (features - k) as u64) as usize;
                self.order.swap(k, chosen);
                let feature = self.order[k] as usize;
                let least = best.map_or(0.0, |b| b.gain);
                let column = &self.columns[feature * n..][..n];
                let rows = &self.rows[range.clone()];
                self.histogram
                    .build(column, rows, &self.responses[..rows.len()]);
                let category = ground.category[feature];
                let found = self
                    .histogram
                    .best(feature, category, &total, &limits, least);
                best = found.or(best);
            }
            let Some(split) = best else { continue };
            let Some(left) = tree.split(at, split.feature, &split.rule) else {
                continue;
            };
            let middle = range.start + self.partition(range.clone(), &split);
            // The left child is taken from the stack first.
            open.push((left + 1, middle..range.end));
            open.push((left, range.start..middle));
        }
        tree
    }

    /// Moves the rows that go left to the front of their range; returns how many they are.
    fn partition(&mut self, range: std::ops::Range<usize>, split: &Candidate) -> usize {
        let n = self.points.len();
        let column = &self.columns[split.feature * n..][..n];
        (split.rule).part(column, &mut self.rows[range], &mut self.scratch)
    }
}
