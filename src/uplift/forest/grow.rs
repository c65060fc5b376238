//! Growing one tree: relabelling, the search over features, the partition, and the honest leaves.

use super::codes::Codes;
use super::moment::{Local, Moment, Point};
use super::sample::Drawn;
use super::split::{BELOW, Candidate, Histogram, Limits, Sums, WEIGHTED, rows_below};
use super::tree::{Rule, Tree, contains};
use crate::numeric::permutation::below;
use crate::regression::learners::grow::stable_partition;
use rand::Rng;
use rand_distr::{Distribution, Poisson};

/// A covariance whose square is below this share of the product of the variances is rounding: the node has no effect to speak of.
const NO_SLOPE: f64 = 1e-20;

/// The shape of trees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    pub(super) min_node_size: usize,
    pub(super) alpha: f64,
    pub(super) imbalance_penalty: f64,
    pub(super) features_per_split: f64,
}

/// What all trees share.
pub(super) struct Ground<'a> {
    pub(super) codes: &'a Codes,
    pub(super) category: &'a [bool],
    pub(super) points: &'a [Point],
    pub(super) moment: Moment,
    pub(super) growth: Growth,
}

/// Buffers that trees of a thread use one after the other.
pub(super) struct Workshop<const L: usize> {
    /// The codes of the tree's rows, feature by feature.
    columns: Vec<u8>,
    points: Vec<Point>,
    rows: Vec<u32>,
    scratch: Vec<u32>,
    responses: Vec<Sums<L>>,
    histogram: Histogram<L>,
    order: Vec<u32>,
}

impl<const L: usize> Workshop<L> {
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

    /// Grows a tree on one half of the drawn rows and fills its leaves with the other.
    pub(super) fn tree<const D: usize, M: Local<D>>(
        &mut self,
        ground: &Ground,
        drawn: &Drawn,
        random: &mut impl Rng,
    ) -> Tree {
        self.bring(ground, &drawn.split);
        // The choice of features starts from the same order in every tree, whatever tree stood here before.
        for (i, feature) in self.order.iter_mut().enumerate() {
            *feature = i as u32;
        }
        let mut tree = self.grow(ground, random);
        let leaves = tree.number_leaves();
        let mut at = vec![0; drawn.fill.len()];
        tree.leaves(ground.codes, &drawn.fill, &mut at);
        let (mut counts, mut means) = (vec![0_u32; leaves], vec![0.0; leaves * D]);
        for (leaf, row) in at.iter().zip(&drawn.fill) {
            let leaf = *leaf as usize;
            let point = &ground.points[*row as usize];
            // A row without weight does not keep a leaf.
            counts[leaf] += u32::from(point.weight > 0.0);
            for (sum, value) in means[leaf * D..][..D].iter_mut().zip(M::row(point)) {
                *sum += value;
            }
        }
        for (count, means) in counts.iter().zip(means.chunks_exact_mut(D)) {
            let n = f64::from((*count).max(1));
            for mean in means.iter_mut() {
                *mean /= n;
            }
        }
        tree.pruned(&counts, &means, D)
    }

    /// Brings the tree's rows together.
    fn bring(&mut self, ground: &Ground, split: &[u32]) {
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
    fn grow(&mut self, ground: &Ground, random: &mut impl Rng) -> Tree {
        let n = self.rows.len();
        let growth = &ground.growth;
        // A positive rate is a Poisson distribution's; it was checked.
        let tried = Poisson::new(growth.features_per_split).ok();
        let mut tree = Tree::seed();
        let mut open = vec![(0_u32, 0..n)];
        while let Some((at, range)) = open.pop() {
            let Some((total, limits)) = self.relabel(ground, range.clone()) else {
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

    /// Writes the pseudo-outcomes of a node's rows, `ρ = (z − z̄)(y − ȳ − τ (w − w̄))` with the node's own τ (section 3.2 of Athey, Tibshirani
    /// & Wager 2019), and what else a split looks at; returns their sums and the limits of its splits. None for a node that stays a leaf.
    fn relabel(
        &mut self,
        ground: &Ground,
        range: std::ops::Range<usize>,
    ) -> Option<(Sums<L>, Limits)> {
        let growth = &ground.growth;
        let least = growth.min_node_size;
        if range.len() <= least || range.len() < 2 {
            return None;
        }
        let rows = &self.rows[range];
        let responses = &mut self.responses[..rows.len()];
        let (mut weight, mut y, mut w, mut z) = (0.0, 0.0, 0.0, 0.0);
        for row in rows {
            let p = &self.points[*row as usize];
            weight += p.weight;
            y += p.weight * p.y;
            w += p.weight * p.w;
            z += p.weight * p.z;
        }
        if weight <= 0.0 {
            return None;
        }
        let (y, w, z) = (y / weight, w / weight, z / weight);
        let mut total = [0.0; L];
        let mut put =
            |response: &mut Sums<L>, weight: f64, rho: f64, z: f64, zz: f64, below: bool| {
                response[0] = weight * rho;
                response[1] = weight * z;
                response[2] = weight * zz;
                response[3] = if below { 1.0 + BELOW } else { 1.0 };
                if L == WEIGHTED {
                    response[L - 1] = weight;
                }
                for (sum, value) in total.iter_mut().zip(response.iter()) {
                    *sum += value;
                }
            };
        let mut each = least as u32;
        if ground.moment == Moment::Mean {
            // A mean has no instrument: the size of a side is its number of rows.
            each = 0;
            for (response, row) in responses.iter_mut().zip(rows) {
                let p = &self.points[*row as usize];
                put(response, p.weight, p.y - y, 0.0, 1.0, false);
            }
        } else {
            let (mut zy, mut zw, mut zz, mut ww) = (0.0, 0.0, 0.0, 0.0);
            for row in rows {
                let p = &self.points[*row as usize];
                let (a, b) = (p.weight * (p.z - z), p.w - w);
                zy += a * (p.y - y);
                zw += a * b;
                zz += a * (p.z - z);
                ww += p.weight * b * b;
            }
            if zw * zw <= NO_SLOPE * zz * ww {
                return None;
            }
            let slope = zy / zw;
            for (response, row) in responses.iter_mut().zip(rows) {
                let p = &self.points[*row as usize];
                let a = p.z - z;
                let rho = a * (p.y - y - slope * (p.w - w));
                put(response, p.weight, rho, a, a * a, a < 0.0);
            }
            let (all, below) = rows_below(&total);
            if below < 2 * each || all - below < 2 * each {
                return None;
            }
        }
        let nodes = if L == WEIGHTED {
            weight
        } else {
            rows.len() as f64
        };
        let limits = Limits {
            each,
            size: growth.alpha * (total[2] - total[1] * total[1] / nodes),
            imbalance_penalty: growth.imbalance_penalty,
        };
        Some((total, limits))
    }

    /// Moves the rows that go left to the front of their range, keeping the order on both sides; returns how many they are.
    fn partition(&mut self, range: std::ops::Range<usize>, split: &Candidate) -> usize {
        let n = self.points.len();
        let column = &self.columns[split.feature * n..][..n];
        let rows = &mut self.rows[range];
        match &split.rule {
            Rule::Number {
                last_left,
                missing_left,
            } => {
                let shift = u8::from(*missing_left);
                let threshold = last_left.wrapping_add(shift);
                let left =
                    |row: u32| usize::from(column[row as usize].wrapping_add(shift) <= threshold);
                stable_partition(rows, &mut self.scratch, left)
            }
            Rule::Levels(set) => {
                let left = |row: u32| usize::from(contains(set, column[row as usize]));
                stable_partition(rows, &mut self.scratch, left)
            }
        }
    }
}
