//! Random forests on binned features.

use super::bins::{Bins, CODES, MOST_BINS};
use super::features::Features;
use super::grow::{better, search_feature};
use super::histogram::Sums;
use super::loss::mean_loss;
use super::options::{share, whole};
use super::split::{Candidate, Filled, Limits, contains};
use super::training::{Task, TrainingSet};
use super::tree::{CodedTree, Tree, to_leaf, to_node};
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::numeric::permutation::{below, shuffle};
use crate::numeric::{Progress, Seed, blocks};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Rows predicted by one task.
const CHUNK: usize = 1 << 10;
/// Trees grown between two reports of progress.
const WAVE: usize = 32;
/// Fewest rows of a leaf when none are given: for a mean, and for a probability.
const MIN_ROWS: [usize; 2] = [5, 10];

/// A random forest: the mean of trees, each grown on a bootstrap sample of the rows, with a random choice of features at every split. The
/// estimand is `E[Y | X]` or `P(W = 1 | X)`.
///
/// Features are cut into at most 255 bins. Rows that a tree did not draw (out of bag, 37 % of them) give each row a prediction by trees that
/// have not seen it: an honest error without a second sample.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `trees` | 500 | trees | ≥ 1 |
/// | `features_per_split` | p/3 for a mean, √p for a probability, rounded up | features tried at a split | 1 to p |
/// | `min_rows` | 5 for a mean, 10 for a probability | fewest rows (drawn, with repetition) of a leaf | ≥ 1 |
/// | `depth` | none | levels of a tree | ≥ 1 |
/// | `sample_share` | bootstrap | draw this share of rows without replacement instead | (0, 1] |
/// | `bins` | 255 | bins of a feature | 2 to 255 |
///
/// A tree draws from its own stream of the seed, so the forest is the same on any number of threads. It always needs a seed. Weights are
/// weights of the loss; every row is equally likely to be drawn.
///
/// # References
/// Breiman (2001), doi:10.1023/A:1010933404324.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Forest {
    trees: usize,
    features_per_split: Option<usize>,
    min_rows: Option<usize>,
    depth: Option<usize>,
    sample_share: Option<f64>,
    bins: usize,
}

impl Default for Forest {
    fn default() -> Self {
        Self {
            trees: 500,
            features_per_split: None,
            min_rows: None,
            depth: None,
            sample_share: None,
            bins: MOST_BINS,
        }
    }
}

impl Forest {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trees.
    pub fn trees(mut self, trees: usize) -> Self {
        self.trees = trees;
        self
    }

    /// Features tried at a split.
    pub fn features_per_split(mut self, count: usize) -> Self {
        self.features_per_split = Some(count);
        self
    }

    /// Fewest rows of a leaf.
    pub fn min_rows(mut self, rows: usize) -> Self {
        self.min_rows = Some(rows);
        self
    }

    /// Levels of a tree.
    pub fn depth(mut self, depth: usize) -> Self {
        self.depth = Some(depth);
        self
    }

    /// Draws this share of the rows without replacement instead of a bootstrap sample.
    pub fn sample_share(mut self, share: f64) -> Self {
        self.sample_share = Some(share);
        self
    }

    /// Bins of a feature.
    pub fn bins(mut self, bins: usize) -> Self {
        self.bins = bins;
        self
    }

    pub(crate) fn most_bins(&self) -> usize {
        self.bins
    }

    pub(crate) fn check(&self) -> Result<()> {
        whole("trees", self.trees, 1, usize::MAX)?;
        whole(
            "features_per_split",
            self.features_per_split.unwrap_or(1),
            1,
            usize::MAX,
        )?;
        whole("min_rows", self.min_rows.unwrap_or(1), 1, usize::MAX)?;
        whole("depth", self.depth.unwrap_or(1), 1, usize::MAX)?;
        whole("bins", self.bins, 2, MOST_BINS)?;
        share("sample_share", self.sample_share.unwrap_or(1.0))
    }

    /// Fits to a training set that was checked.
    pub(crate) fn learn(
        &self,
        set: &TrainingSet,
        seed: Seed,
        progress: &Progress,
    ) -> Result<FittedForest> {
        let count = set.features().count();
        let default = match set.task() {
            Task::Regression => count.div_ceil(3),
            Task::Probability => (count as f64).sqrt().ceil() as usize,
        };
        let tried = self.features_per_split.unwrap_or(default);
        if tried > count {
            return Err(Error::invalid_option(
                "features_per_split",
                tried,
                format!("at most the number of features, {count}"),
            ));
        }
        let bins = set.features().bins(self.bins);
        let rows = set.row_list();
        let least = self
            .min_rows
            .unwrap_or(MIN_ROWS[usize::from(set.task() == Task::Probability)]);
        let plan = Plan {
            bins: &bins,
            set,
            rows: &rows,
            centre: set.mean(),
            tried,
            depth: self.depth.unwrap_or(usize::MAX),
            draw: self.sample_share,
            limits: Limits {
                min_rows: least as f64,
                min_hessian: 0.0,
                l2: 0.0,
                min_gain: 0.0,
                category_smoothing: 0.0,
                category_l2: 0.0,
                category_rows: 1.0,
            },
        };
        let mut trees: Vec<Planted> = Vec::with_capacity(self.trees);
        while trees.len() < self.trees {
            let from = trees.len();
            let wave = blocks::map(WAVE.min(self.trees - from), |i| {
                plan.tree(seed.child("forest"), from + i)
            });
            trees.extend(wave);
            progress.report("forest", trees.len(), self.trees)?;
        }
        let out_of_bag = plan.out_of_bag(&trees);
        let judged: Vec<usize> = (0..rows.len())
            .filter(|i| !out_of_bag[*i].is_nan())
            .collect();
        let judged_rows: Vec<u32> = judged.iter().map(|i| rows[*i]).collect();
        let squared = |i: usize, _| out_of_bag[judged[i]];
        let loss = mean_loss(
            Task::Regression,
            &judged_rows,
            set.row_weights(),
            set.target(),
            squared,
        );
        let mut importance = vec![0.0; count];
        for planted in &trees {
            planted.tree.add_importance(&mut importance);
        }
        Ok(FittedForest {
            trees: trees.into_iter().map(|planted| planted.tree).collect(),
            importance,
            out_of_bag_loss: loss,
            out_of_bag,
        })
    }
}

/// What all trees share.
struct Plan<'a> {
    bins: &'a Bins,
    set: &'a TrainingSet<'a>,
    rows: &'a [u32],
    centre: f64,
    tried: usize,
    depth: usize,
    draw: Option<f64>,
    limits: Limits,
}

/// A tree and the rows it drew, one bit each by position.
struct Planted {
    tree: Tree,
    drawn: Vec<u64>,
}

impl Planted {
    fn drew(&self, position: usize) -> bool {
        self.drawn[position / 64] >> (position % 64) & 1 == 1
    }
}

/// A drawn row: where it is, and minus its weighted deviation from the mean with its weight, as a gradient and hessian.
#[derive(Clone, Copy)]
struct Drawn {
    row: u32,
    gradient: f64,
    hessian: f64,
}

impl Plan<'_> {
    /// One tree from its own stream.
    fn tree(&self, seed: Seed, index: usize) -> Planted {
        let mut random = seed.stream(index as u64);
        let n = self.rows.len();
        let mut times = vec![0_u32; n];
        match self.draw {
            None => (0..n).for_each(|_| times[below(&mut random, n as u64) as usize] += 1),
            Some(share) => {
                let mut order: Vec<u32> = (0..n as u32).collect();
                shuffle(&mut order, &mut random);
                let drawn = ((n as f64 * share).round() as usize).clamp(1, n);
                order[..drawn].iter().for_each(|i| times[*i as usize] = 1);
            }
        }
        let mut bits = vec![0_u64; n.div_ceil(64)];
        let mut drawn = Vec::with_capacity(n);
        for (i, count) in times.iter().enumerate().filter(|(_, count)| **count > 0) {
            bits[i / 64] |= 1 << (i % 64);
            let row = self.rows[i];
            let (y, w) = (
                self.set.target()[row as usize],
                self.set.weight(row as usize),
            );
            let one = Drawn {
                row,
                gradient: w * (self.centre - y),
                hessian: w,
            };
            drawn.extend((0..*count).map(|_| one));
        }
        Planted {
            tree: self.grow(drawn, &mut random),
            drawn: bits,
        }
    }

    /// Depth first, until no split is left.
    fn grow(&self, mut drawn: Vec<Drawn>, random: &mut impl Rng) -> Tree {
        let mut coded = CodedTree::default();
        let mut scratch = drawn.clone();
        let mut order: Vec<usize> = (0..self.bins.features.len()).collect();
        let mut histogram = vec![Sums::default(); CODES];
        let mut filled = Vec::with_capacity(CODES);
        let mut open = vec![(0..drawn.len(), 0_usize, None::<(usize, usize)>)];
        while let Some((range, depth, parent)) = open.pop() {
            let rows = &mut drawn[range.clone()];
            let mut total = Sums::default();
            for d in rows.iter() {
                total.add(Sums {
                    gradient: d.gradient,
                    hessian: d.hessian,
                    count: 1.0,
                });
            }
            let mut best: Option<Candidate> = None;
            if depth < self.depth && total.count >= 2.0 * self.limits.min_rows {
                // The first draws of a shuffle are a random choice of features.
                for k in 0..self.tried {
                    let chosen = k + below(random, (order.len() - k) as u64) as usize;
                    order.swap(k, chosen);
                    self.column(order[k], rows, &mut histogram, &mut filled);
                    let found = search_feature(self.bins, order[k], &filled, total, &self.limits);
                    best = better(best, found);
                }
            }
            let at = match best {
                None => {
                    coded.tree.leaves.push(self.leaf(total));
                    to_leaf(coded.tree.leaves.len() - 1)
                }
                Some(split) => {
                    let node = coded.push(&split, self.bins);
                    let goes_left = |d: &Drawn| {
                        contains(
                            &split.left_codes,
                            self.bins.code(split.feature, d.row as usize),
                        )
                    };
                    let middle = range.start + partition(rows, &mut scratch, goes_left);
                    // The left child is taken from the stack first.
                    open.push((middle..range.end, depth + 1, Some((node, 1))));
                    open.push((range.start..middle, depth + 1, Some((node, 0))));
                    to_node(node)
                }
            };
            if let Some((above, side)) = parent {
                coded.tree.nodes[above].children[side] = at;
            }
        }
        coded.tree
    }

    /// The mean of a leaf; rounding may not take a share of classes out of [0, 1].
    fn leaf(&self, total: Sums) -> f64 {
        let value = self.centre - total.gradient / total.hessian;
        match self.set.task() {
            _ if !value.is_finite() => self.centre,
            Task::Regression => value,
            Task::Probability => value.clamp(0.0, 1.0),
        }
    }

    /// The non-empty bins of a feature among some rows. Only bins that rows touch are cleared and read, so that small leaves are cheap.
    fn column(
        &self,
        feature: usize,
        rows: &[Drawn],
        histogram: &mut [Sums],
        filled: &mut Vec<Filled>,
    ) {
        let mut touched = [0_u64; 4];
        for d in rows {
            let code = self.bins.code(feature, d.row as usize);
            touched[usize::from(code >> 6)] |= 1 << (code & 63);
            let sums = &mut histogram[usize::from(code)];
            sums.gradient += d.gradient;
            sums.hessian += d.hessian;
            sums.count += 1.0;
        }
        filled.clear();
        for (word, mut bits) in touched.into_iter().enumerate() {
            while bits != 0 {
                let code = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                filled.push(Filled {
                    code: code as u8,
                    sums: std::mem::take(&mut histogram[code]),
                });
            }
        }
    }

    /// The mean prediction of the trees that did not draw a row; NaN where every tree did.
    fn out_of_bag(&self, trees: &[Planted]) -> Vec<f64> {
        let mut out = vec![0.0; self.rows.len()];
        blocks::fill(&mut out, CHUNK, |first, chunk| {
            for (i, value) in chunk.iter_mut().enumerate() {
                let (mut sum, mut count) = (0.0, 0.0);
                for planted in trees.iter().filter(|planted| !planted.drew(first + i)) {
                    sum += planted
                        .tree
                        .predict(self.set.features(), self.rows[first + i] as usize);
                    count += 1.0;
                }
                *value = if count > 0.0 { sum / count } else { f64::NAN };
            }
        });
        out
    }
}

/// Moves the rows that go left to the front, keeping the order on both sides.
fn partition(rows: &mut [Drawn], scratch: &mut [Drawn], left: impl Fn(&Drawn) -> bool) -> usize {
    let (mut lefts, mut rights) = (0, 0);
    for i in 0..rows.len() {
        let row = rows[i];
        if left(&row) {
            rows[lefts] = row;
            lefts += 1;
        } else {
            scratch[rights] = row;
            rights += 1;
        }
    }
    rows[lefts..].copy_from_slice(&scratch[..rights]);
    lefts
}

/// A forest after fitting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FittedForest {
    pub(crate) trees: Vec<Tree>,
    pub(crate) importance: Vec<f64>,
    /// Mean squared error of the out-of-bag predictions (for classes: Brier's score).
    pub(crate) out_of_bag_loss: f64,
    /// By row in use; not written to files.
    #[serde(skip)]
    pub(crate) out_of_bag: Vec<f64>,
}

impl FittedForest {
    /// Predictions for some rows.
    pub(crate) fn predict(&self, features: &Features, rows: &Rows, out: &mut [f64]) {
        blocks::fill(out, CHUNK, |first, chunk| {
            chunk.fill(0.0);
            for tree in &self.trees {
                for (i, value) in chunk.iter_mut().enumerate() {
                    *value += tree.predict(features, rows.index(first + i));
                }
            }
            for value in chunk {
                *value /= self.trees.len() as f64;
            }
        });
    }
}
