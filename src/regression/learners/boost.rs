//! Gradient-boosted trees on binned features.

use super::bins::{Bins, MOST_BINS};
use super::features::Features;
use super::grow::{Grower, Growth};
use super::histogram::{Cell, Scale};
use super::loss::{gradients, logistic, logit, mean_loss};
use super::options::{share, whole};
use super::split::Limits;
use super::training::{Task, TrainingSet};
use super::tree::{CodedTree, Tree};
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::numeric::permutation::{open_unit, shuffle};
use crate::numeric::{Progress, Seed, blocks};
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Rows predicted by one task.
const CHUNK: usize = 1 << 12;
/// With fewer bits than this for a gradient in one word beside the count, each gets a word.
const COARSEST_BITS: u32 = 16;
/// Hessians added to a category's before categories are ordered by their mean.
const CATEGORY_SMOOTHING: f64 = 10.0;
/// Extra ridge penalty for a split of categories.
const CATEGORY_L2: f64 = 10.0;
/// Categories with fewer rows in a leaf go where missing values go.
const CATEGORY_ROWS: f64 = 10.0;

/// Gradient-boosted trees: `F(x) = F₀ + η Σ_m f_m(x)`, where tree m is grown on the gradients of the loss at the sum of the trees before.
/// The estimand is `E[Y | X]` (squared loss) or `P(W = 1 | X)` (logistic loss).
///
/// Features are cut into at most 255 bins; trees grow leaf by leaf, the largest gain
/// `G_L²/(H_L+λ) + G_R²/(H_R+λ) − G²/(H+λ)` first. Missing values go to the side where they fit better, at every split. Categories are ordered by their mean
/// gradient, and the best cut of that order splits them (shrunk by 10 rows' worth, and with an extra ridge penalty of 10).
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `rounds` | 100 | trees, at most | ≥ 1 |
/// | `learning_rate` | 0.1 | η | (0, 1] |
/// | `leaves` | 31 | leaves of a tree | ≥ 2 |
/// | `depth` | none | levels of a tree | ≥ 1 |
/// | `min_rows` | 20 | fewest rows of a leaf | ≥ 1 |
/// | `min_hessian` | 0.001 | smallest sum of weights (logistic: of weights times p(1−p)) of a leaf | ≥ 0 |
/// | `l2` | 0 | λ | ≥ 0 |
/// | `min_gain` | 0 | smallest gain of a split | ≥ 0 |
/// | `bins` | 255 | bins of a feature | 2 to 255 |
/// | `row_share` | 1 | share of rows that each tree sees, drawn anew; needs a seed | (0, 1] |
/// | `feature_share` | 1 | share of features that each tree sees; needs a seed | (0, 1] |
/// | `early_stopping` | none | stop when the loss on held-out rows has not fallen for this many rounds, keep the best; needs a seed | ≥ 1 |
/// | `validation_share` | 0.2 | the share of rows that early stopping holds out | (0, 1) |
///
/// Sums of gradients are taken in whole numbers, so the trees are the same bits whatever the number of threads.
///
/// # References
/// Friedman (2001), doi:10.1214/aos/1013203451; Ke et al. (2017), *LightGBM*, NeurIPS 30; Fisher (1958), doi:10.1080/01621459.1958.10501479, for
/// categories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BoostedTrees {
    rounds: usize,
    learning_rate: f64,
    leaves: usize,
    depth: Option<usize>,
    min_rows: usize,
    min_hessian: f64,
    l2: f64,
    min_gain: f64,
    bins: usize,
    row_share: f64,
    feature_share: f64,
    early_stopping: Option<usize>,
    validation_share: f64,
}

impl Default for BoostedTrees {
    fn default() -> Self {
        Self {
            rounds: 100,
            learning_rate: 0.1,
            leaves: 31,
            depth: None,
            min_rows: 20,
            min_hessian: 1e-3,
            l2: 0.0,
            min_gain: 0.0,
            bins: MOST_BINS,
            row_share: 1.0,
            feature_share: 1.0,
            early_stopping: None,
            validation_share: 0.2,
        }
    }
}

impl BoostedTrees {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trees, at most.
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    /// Shrinkage of each tree.
    pub fn learning_rate(mut self, rate: f64) -> Self {
        self.learning_rate = rate;
        self
    }

    /// Leaves of a tree.
    pub fn leaves(mut self, leaves: usize) -> Self {
        self.leaves = leaves;
        self
    }

    /// Levels of a tree.
    pub fn depth(mut self, depth: usize) -> Self {
        self.depth = Some(depth);
        self
    }

    /// Fewest rows of a leaf.
    pub fn min_rows(mut self, rows: usize) -> Self {
        self.min_rows = rows;
        self
    }

    /// Smallest sum of hessians of a leaf.
    pub fn min_hessian(mut self, sum: f64) -> Self {
        self.min_hessian = sum;
        self
    }

    /// Ridge penalty on the values of leaves.
    pub fn l2(mut self, l2: f64) -> Self {
        self.l2 = l2;
        self
    }

    /// Smallest gain of a split.
    pub fn min_gain(mut self, gain: f64) -> Self {
        self.min_gain = gain;
        self
    }

    /// Bins of a feature.
    pub fn bins(mut self, bins: usize) -> Self {
        self.bins = bins;
        self
    }

    /// Share of rows that each tree sees.
    pub fn row_share(mut self, share: f64) -> Self {
        self.row_share = share;
        self
    }

    /// Share of features that each tree sees.
    pub fn feature_share(mut self, share: f64) -> Self {
        self.feature_share = share;
        self
    }

    /// Stops when the held-out loss has not fallen for `patience` rounds.
    pub fn early_stopping(mut self, patience: usize) -> Self {
        self.early_stopping = Some(patience);
        self
    }

    /// The share of rows that early stopping holds out.
    pub fn validation_share(mut self, share: f64) -> Self {
        self.validation_share = share;
        self
    }

    pub(crate) fn needs_seed(&self) -> bool {
        self.early_stopping.is_some() || self.row_share < 1.0 || self.feature_share < 1.0
    }

    pub(crate) fn most_bins(&self) -> usize {
        self.bins
    }

    /// Refuses options out of range.
    pub(crate) fn check(&self) -> Result<()> {
        whole("rounds", self.rounds, 1, usize::MAX)?;
        whole("leaves", self.leaves, 2, usize::MAX)?;
        whole("depth", self.depth.unwrap_or(1), 1, usize::MAX)?;
        whole("min_rows", self.min_rows, 1, usize::MAX)?;
        whole("bins", self.bins, 2, MOST_BINS)?;
        whole(
            "early_stopping",
            self.early_stopping.unwrap_or(1),
            1,
            usize::MAX,
        )?;
        share("learning_rate", self.learning_rate)?;
        share("row_share", self.row_share)?;
        share("feature_share", self.feature_share)?;
        if !(self.validation_share > 0.0 && self.validation_share < 1.0) {
            return Err(Error::invalid_option(
                "validation_share",
                self.validation_share,
                "above 0 and below 1",
            ));
        }
        for (option, value) in [
            ("min_hessian", self.min_hessian),
            ("l2", self.l2),
            ("min_gain", self.min_gain),
        ] {
            if !value.is_finite() || value < 0.0 {
                return Err(Error::invalid_option(option, value, "a finite number ≥ 0"));
            }
        }
        Ok(())
    }

    /// Fits to a training set that was checked.
    pub(crate) fn learn(
        &self,
        set: &TrainingSet,
        seed: Seed,
        progress: &Progress,
    ) -> Result<FittedTrees> {
        let equal_hessians = set.task() == Task::Regression && set.row_weights().is_none();
        if equal_hessians && Scale::packed_bits(set.used_rows().len()) >= COARSEST_BITS {
            self.boost::<i64>(set, seed, progress)
        } else {
            self.boost::<[i64; 2]>(set, seed, progress)
        }
    }

    fn growth(&self) -> Growth {
        Growth {
            leaves: self.leaves,
            depth: self.depth.unwrap_or(usize::MAX),
            limits: Limits {
                min_rows: self.min_rows as f64,
                min_hessian: self.min_hessian,
                l2: self.l2,
                min_gain: self.min_gain,
                category_smoothing: CATEGORY_SMOOTHING,
                category_l2: CATEGORY_L2,
                category_rows: CATEGORY_ROWS,
            },
        }
    }

    fn boost<C: Cell>(
        &self,
        set: &TrainingSet,
        seed: Seed,
        progress: &Progress,
    ) -> Result<FittedTrees> {
        let bins = set.features().bins(self.bins);
        let (train, held_out) = self.hold_out(set, seed)?;
        let (task, target, weights) = (set.task(), set.target(), set.row_weights());
        let base = starting_score(&set.clone().rows(Rows::some(target.len(), train.clone())))?;
        let mut scores = vec![base; target.len()];
        let mut cells = vec![C::ZERO; target.len()];
        let mut grower = Grower::<C>::new(&bins, self.growth());
        let mut trees: Vec<Tree> = Vec::with_capacity(self.rounds.min(CHUNK));
        let loss = |rows: &[u32], scores: &[f64]| {
            mean_loss(task, rows, weights, target, |_, row| scores[row])
        };
        // The loss before any tree is a candidate too: noise is best fitted by no tree.
        let mut best = (loss(&held_out, &scores), 0, loss(&train, &scores));
        for round in 0..self.rounds {
            let (bag, left_out) = self.bag(&train, seed, round);
            let active = self.active(set.features().count(), seed, round);
            let scale = gradients(task, &scores, target, weights, &bag, &mut cells);
            let grown = grower.grow(&bag, &cells, &scale, &active, self.learning_rate);
            if grown.coded.tree.nodes.is_empty() && !self.needs_seed() {
                break;
            }
            for (leaf, value) in grown.leaves.iter().zip(&grown.coded.tree.leaves) {
                for row in &grown.rows[leaf.clone()] {
                    scores[*row as usize] += value;
                }
            }
            let coded = grown.coded;
            add_tree(&coded, &bins, &left_out, &mut scores);
            add_tree(&coded, &bins, &held_out, &mut scores);
            trees.push(coded.tree);
            progress.report("boosting", round + 1, self.rounds)?;
            if let Some(patience) = self.early_stopping {
                let now = loss(&held_out, &scores);
                if now < best.0 {
                    best = (now, trees.len(), loss(&train, &scores));
                }
                if trees.len() - best.1 >= patience {
                    break;
                }
            }
        }
        let mut training_loss = loss(&train, &scores);
        if self.early_stopping.is_some() {
            trees.truncate(best.1);
            training_loss = best.2;
        }
        let mut importance = vec![0.0; set.features().count()];
        for tree in &trees {
            tree.add_importance(&mut importance);
        }
        Ok(FittedTrees {
            task,
            base,
            trees,
            importance,
            training_loss,
            validation_loss: self.early_stopping.map(|_| best.0),
        })
    }

    /// The rows to grow on and, for early stopping, those to hold out.
    fn hold_out(&self, set: &TrainingSet, seed: Seed) -> Result<(Vec<u32>, Vec<u32>)> {
        let rows = set.row_list();
        if self.early_stopping.is_none() {
            return Ok((rows, Vec::new()));
        }
        let mut order = rows;
        shuffle(&mut order, &mut seed.child("validation").stream(0));
        let held = ((order.len() as f64 * self.validation_share).round() as usize).max(1);
        if order.len() < held + 2 {
            return Err(Error::TooFewRows {
                rows: order.len(),
                parameters: held + 2,
            });
        }
        let mut held_out = order.split_off(order.len() - held);
        order.sort_unstable();
        held_out.sort_unstable();
        Ok((order, held_out))
    }

    /// The rows that a tree sees, and those it does not.
    fn bag<'r>(&self, train: &'r [u32], seed: Seed, round: usize) -> (Cow<'r, [u32]>, Vec<u32>) {
        if self.row_share >= 1.0 {
            return (Cow::Borrowed(train), Vec::new());
        }
        let mut random = seed.child("rows").stream(round as u64);
        let (bag, left_out): (Vec<u32>, Vec<u32>) = train
            .iter()
            .partition(|_| open_unit(random.next_u64()) < self.row_share);
        if bag.is_empty() {
            (Cow::Owned(left_out), bag)
        } else {
            (Cow::Owned(bag), left_out)
        }
    }

    /// The features that a tree sees.
    fn active(&self, count: usize, seed: Seed, round: usize) -> Vec<bool> {
        if self.feature_share >= 1.0 {
            return vec![true; count];
        }
        let mut order: Vec<usize> = (0..count).collect();
        shuffle(&mut order, &mut seed.child("features").stream(round as u64));
        let seen = ((count as f64 * self.feature_share).round() as usize).clamp(1, count);
        let mut active = vec![false; count];
        for j in &order[..seen] {
            active[*j] = true;
        }
        active
    }
}

/// The best constant.
fn starting_score(set: &TrainingSet) -> Result<f64> {
    set.check()?;
    let mean = set.mean();
    Ok(match set.task() {
        Task::Regression => mean,
        Task::Probability => logit(mean),
    })
}

/// Adds the tree's predictions to rows that did not grow it.
fn add_tree(coded: &CodedTree, bins: &Bins, rows: &[u32], scores: &mut [f64]) {
    let mut values = vec![0.0; rows.len()];
    blocks::fill(&mut values, CHUNK, |first, chunk| {
        for (value, row) in chunk.iter_mut().zip(&rows[first..]) {
            *value = coded.predict(bins, *row as usize);
        }
    });
    for (value, row) in values.iter().zip(rows) {
        scores[*row as usize] += value;
    }
}

/// Boosted trees after fitting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FittedTrees {
    task: Task,
    base: f64,
    pub(crate) trees: Vec<Tree>,
    pub(crate) importance: Vec<f64>,
    pub(crate) training_loss: f64,
    pub(crate) validation_loss: Option<f64>,
}

impl FittedTrees {
    /// Predictions for some rows, in parallel over rows.
    pub(crate) fn predict(&self, features: &Features, rows: &Rows, out: &mut [f64]) {
        blocks::fill(out, CHUNK, |first, chunk| {
            chunk.fill(self.base);
            for tree in &self.trees {
                for (i, value) in chunk.iter_mut().enumerate() {
                    *value += tree.predict(features, rows.index(first + i));
                }
            }
            if self.task == Task::Probability {
                for value in chunk {
                    *value = logistic(*value);
                }
            }
        });
    }
}
