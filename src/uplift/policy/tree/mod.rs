//! Policy trees: a few questions that say which arm a customer should get.

mod best_cut;
mod fit;
mod questions;
mod ranks;
mod search;

pub(in crate::uplift) use fit::short;
pub use fit::{PolicyLeaf, PolicyNode, PolicyTreeFit};

use crate::causal::ArmScores;
use crate::causal::units::Units;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::Progress;
use fit::{Grown, grown};
use questions::questions;
use search::{Cut, Rewards, Search, best_arm};
use serde::Serialize;

/// The tree of questions `feature ≤ cut?`, or `feature = level?` for labels, whose leaves give arms such that the mean of the doubly robust scores of the given arms is
/// highest:
/// `π̂ = argmax_π Σ_i w_i Γ_{i,π(X_i)}` over all trees of the depth.
///
/// Trees of depth 1 and 2 are exact: no tree of the depth has a higher sum. Deeper ones look ahead two levels at each question: the first
/// question is that of the best tree of depth 2, each side is then grown in the same way one level less deep, so that a tree of depth 3
/// ends in two exact trees of depth 2 (the hybrid search of the R package policytree). Costs are taken off the scores first:
/// `scores.less_cost("coupon", 2.0)?`. Learn on some rows and [`evaluate`](PolicyTreeFit::evaluate) on others: the value on the rows
/// learned from is too good.
///
/// A label is asked for one level against all others; two levels on one side take two questions. Exactness holds over trees of these
/// questions, not over all sets of levels, which few readers would want in a rule. Missing values go to the side that is worth more, or are a side
/// (`age missing?`): each question is tried both ways. Where a column had no missing values to learn from, a missing value is refused later;
/// a level that was not learned is another level.
///
/// The exact search moves rows over each possible first cut one by one and keeps the best second cut of either side in segment trees of
/// prefix sums: of order `p² n log n` for p features and n rows.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `depth` | 2 | questions on the way to a leaf | 0 to 6 |
/// | `minimum_leaf` | 1 | rows of every leaf | 1 or more |
/// | `cuts` | all | cuts per feature that are tried, at equal numbers of rows; fewer are faster | 1 or more |
///
/// # Errors
/// [`Error::ColumnNotFound`]; [`Error::NoRows`] for a column without a known value; [`Error::Infinite`]; [`Error::LengthMismatch`];
/// [`Error::InvalidOption`].
///
/// # References
/// Athey, S. & Wager, S. (2021). Policy learning with observational data. *Econometrica* 89, 133–161. doi:10.3982/ECTA15732. Zhou, Z.,
/// Athey, S. & Wager, S. (2023). Offline multi-action policy learning. *Operations Research* 71, 148–183. doi:10.1287/opre.2022.2271.
/// Sverdrup, E., Kanodia, A., Zhou, Z., Athey, S. & Wager, S. (2020). policytree. *JOSS* 5(50), 2232. doi:10.21105/joss.02232. Twala, B., Jones, M. &
/// Hand, D. (2008). Good methods for coping with missing data in decision trees. *Pattern Recognition Letters* 29, 950–956.
/// doi:10.1016/j.patrec.2008.01.010.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let people = Frame::new()
///     .with("age", vec![20.0, 30.0, 40.0, 50.0])?
///     .with("visits", vec![1.0, 5.0, 1.0, 5.0])?;
/// let scores = ArmScores::new(["none", "coupon"], vec![vec![0.0; 4], vec![-1.0, 2.0, -1.0, 3.0]])?;
/// let tree = PolicyTree::new(["age", "visits"]).depth(1).fit(&scores, &people)?;
/// assert_eq!(tree.assign(&people)?, [0, 1, 0, 1]);
/// assert_eq!(tree.rules(), ["visits ≤ 3: none", "visits > 3: coupon"]);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyTree {
    features: Vec<String>,
    depth: usize,
    minimum_leaf: usize,
    cuts: Option<usize>,
}

impl PolicyTree {
    /// A tree of depth 2 over these columns: numbers, flags, times or labels.
    pub fn new<I>(features: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            features: features.into_iter().map(Into::into).collect(),
            depth: 2,
            minimum_leaf: 1,
            cuts: None,
        }
    }

    /// Questions on the way to a leaf.
    pub fn depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }

    /// The fewest rows of a leaf.
    pub fn minimum_leaf(mut self, rows: usize) -> Self {
        self.minimum_leaf = rows;
        self
    }

    /// Tries at most this many cuts per feature.
    pub fn cuts(mut self, most: usize) -> Self {
        self.cuts = Some(most);
        self
    }

    /// Learns the tree.
    ///
    /// # Errors
    /// See [`PolicyTree`].
    pub fn fit(&self, scores: &ArmScores, frame: &Frame) -> Result<PolicyTreeFit> {
        self.fit_with(scores, frame, &Progress::none())
    }

    /// Learns the tree and reports progress.
    ///
    /// # Errors
    /// See [`PolicyTree`]; [`Error::Cancelled`].
    pub fn fit_with(
        &self,
        scores: &ArmScores,
        frame: &Frame,
        progress: &Progress,
    ) -> Result<PolicyTreeFit> {
        /// Relative to the sum of absolute rewards, well above the rounding of sums over many rows.
        const ROUNDING: f64 = 1e-12;
        self.check(scores.len())?;
        let most = self.cuts.map_or(usize::MAX, |cuts| cuts + 1);
        let questions = questions(frame, &self.features, scores.len(), most)?;
        let units = Units::of(scores);
        let arms = scores.arms().len();
        let mut values = vec![0.0; scores.len() * arms];
        let mut size = 0.0;
        for (arm, column) in scores.values.iter().enumerate() {
            for (row, (score, weight)) in column.iter().zip(&units.weights).enumerate() {
                values[row * arms + arm] = weight * score;
                size += (weight * score).abs();
            }
        }
        let rewards = Rewards { values, arms };
        let search = Search {
            questions: &questions,
            rewards: &rewards,
            fewest: self.minimum_leaf,
            tolerance: ROUNDING * size,
        };
        // Rows without weight are no part of what is learned.
        let rows: Vec<u32> = (0..scores.len() as u32)
            .filter(|row| units.weights[*row as usize] > 0.0)
            .collect();
        let mut growing = Growing {
            search: &search,
            progress,
            done: 0,
            total: (1 << self.depth) - 1,
        };
        let root = growing.grow(&rows, self.depth)?;
        Ok(grown(root, &self.features, &questions, scores, &units))
    }

    fn check(&self, rows: usize) -> Result<()> {
        const DEEPEST: usize = 6;
        if self.features.is_empty() {
            return Err(Error::invalid_option(
                "features",
                "empty",
                "at least one column to ask about",
            ));
        }
        if self.depth > DEEPEST {
            let expected = format!("at most {DEEPEST}; deeper policies cannot be read");
            return Err(Error::invalid_option("depth", self.depth, expected));
        }
        if self.minimum_leaf == 0 || self.minimum_leaf > rows {
            return Err(Error::invalid_option(
                "minimum_leaf",
                self.minimum_leaf,
                format!("between 1 and {rows}, the number of rows"),
            ));
        }
        if self.cuts == Some(0) {
            return Err(Error::invalid_option("cuts", 0, "at least 1"));
        }
        Ok(())
    }
}

/// Growing a tree from its first question down.
struct Growing<'a> {
    search: &'a Search<'a>,
    progress: &'a Progress,
    done: usize,
    total: usize,
}

impl Growing<'_> {
    fn grow(&mut self, rows: &[u32], depth: usize) -> Result<Grown> {
        let (arm, value) = best_arm(&self.search.rewards.sums(rows));
        let worth = |cut: &Cut, value: f64| cut.value > value + self.search.tolerance;
        let mut found = None;
        if depth > 0 {
            found = self.search.one(rows).filter(|cut| worth(cut, value));
        }
        if depth > 1 {
            // A tree that asks more must be worth more.
            let simple = found.map_or(value, |cut| cut.value);
            found = self
                .search
                .two(rows)
                .filter(|cut| worth(cut, simple))
                .or(found);
        }
        let Some(cut) = found else {
            return Ok(Grown::Leaf { arm });
        };
        self.done += 1;
        self.progress.report("policy tree", self.done, self.total)?;
        let codes = &self.search.questions[cut.question].ranks.codes;
        let (left, right): (Vec<u32>, Vec<u32>) = rows
            .iter()
            .partition(|row| codes[**row as usize] <= cut.bin);
        let left = self.grow(&left, depth - 1)?;
        let right = self.grow(&right, depth - 1)?;
        Ok(match (&left, &right) {
            (Grown::Leaf { arm: a }, Grown::Leaf { arm: b }) if a == b => left,
            _ => Grown::Split {
                question: cut.question,
                bin: cut.bin,
                sides: Box::new([left, right]),
            },
        })
    }
}
