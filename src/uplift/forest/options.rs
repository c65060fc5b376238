//! How trees are drawn and grown: the options that all forests share.

use super::grow::Growth;
use super::moment::Moment;
use super::plan::Plan;
use super::sample::Sampling;
use super::tree::MOST_FEATURES;
use crate::error::{Error, Result};
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// Features tried at a split by default: √p and so many more.
const MORE_FEATURES: f64 = 20.0;

/// The options; their builders are written by [`tree_options!`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TreeOptions {
    pub(super) trees: usize,
    pub(super) sample_fraction: f64,
    pub(super) honesty_fraction: f64,
    pub(super) min_node_size: usize,
    pub(super) alpha: f64,
    pub(super) imbalance_penalty: f64,
    pub(super) features_per_split: Option<f64>,
    pub(super) bag_size: usize,
    pub(super) seed: Option<Seed>,
}

impl TreeOptions {
    pub(super) fn new(min_node_size: usize) -> Self {
        Self {
            trees: 2000,
            sample_fraction: 0.5,
            honesty_fraction: 0.5,
            min_node_size,
            alpha: 0.05,
            imbalance_penalty: 0.0,
            features_per_split: None,
            bag_size: 2,
            seed: None,
        }
    }

    /// Refuses options out of range, and says how trees of a moment are grown on so many features.
    pub(super) fn plan(&self, moment: Moment, features: usize) -> Result<Plan> {
        let p = features;
        let most = if self.bag_size > 1 { 0.5 } else { 1.0 };
        let tried = (p as f64).min(((p as f64).sqrt() + MORE_FEATURES).ceil());
        let growth = Growth {
            min_node_size: self.min_node_size,
            alpha: self.alpha,
            imbalance_penalty: self.imbalance_penalty,
            features_per_split: self.features_per_split.unwrap_or(tried),
        };
        let (fraction, honesty) = (self.sample_fraction, self.honesty_fraction);
        let of_split = growth.features_per_split;
        let rules: [(&str, String, bool, String); 8] = [
            (
                "features",
                p.to_string(),
                p > 0 && p < MOST_FEATURES,
                format!("from 1 to {} columns", MOST_FEATURES - 1),
            ),
            (
                "trees",
                self.trees.to_string(),
                self.trees > 0,
                "at least 1".to_owned(),
            ),
            (
                "bag_size",
                self.bag_size.to_string(),
                self.bag_size > 0,
                "at least 1, and 2 for variances".to_owned(),
            ),
            (
                "sample_fraction",
                fraction.to_string(),
                fraction > 0.0 && fraction <= most,
                format!(
                    "above 0 and at most {most}, since the trees of a bag share half of the rows"
                ),
            ),
            (
                "honesty_fraction",
                honesty.to_string(),
                honesty > 0.0 && honesty < 1.0,
                "between 0 and 1".to_owned(),
            ),
            (
                "min_node_size",
                self.min_node_size.to_string(),
                self.min_node_size > 0 && self.min_node_size < 1 << 24,
                "at least 1".to_owned(),
            ),
            (
                "alpha",
                self.alpha.to_string(),
                (0.0..0.25).contains(&self.alpha),
                "from 0 to below 0.25".to_owned(),
            ),
            (
                "imbalance_penalty",
                self.imbalance_penalty.to_string(),
                self.imbalance_penalty >= 0.0 && self.imbalance_penalty.is_finite(),
                "finite and not negative".to_owned(),
            ),
        ];
        if let Some((option, value, _, expected)) = rules.into_iter().find(|rule| !rule.2) {
            return Err(Error::invalid_option(option, value, expected));
        }
        if !(1.0..=p as f64).contains(&of_split) {
            return Err(Error::invalid_option(
                "features_per_split",
                of_split,
                format!("from 1 to the number of features, {p}"),
            ));
        }
        Ok(Plan {
            moment,
            bags: self.trees.div_ceil(self.bag_size),
            sampling: Sampling {
                bag: self.bag_size,
                fraction,
                honesty,
            },
            growth,
        })
    }
}

/// The builders of [`TreeOptions`], for a forest that has them as `options`, or where it says.
macro_rules! tree_options {
    ($forest:ty, $node:literal) => {
        tree_options!($forest, $node, options);
    };
    ($forest:ty, $node:literal, $($options:ident).+) => {
        impl $forest {
            /// Trees.
            pub fn trees(mut self, trees: usize) -> Self {
                self.$($options).+.trees = trees;
                self
            }

            /// Share of the rows a tree draws.
            pub fn sample_fraction(mut self, share: f64) -> Self {
                self.$($options).+.sample_fraction = share;
                self
            }

            /// Share of a tree's rows that find its splits.
            pub fn honesty_fraction(mut self, share: f64) -> Self {
                self.$($options).+.honesty_fraction = share;
                self
            }

            #[doc = $node]
            pub fn min_node_size(mut self, rows: usize) -> Self {
                self.$($options).+.min_node_size = rows;
                self
            }

            /// Least share of a node's treatment variation in a child.
            pub fn alpha(mut self, share: f64) -> Self {
                self.$($options).+.alpha = share;
                self
            }

            /// Charge on unequal children.
            pub fn imbalance_penalty(mut self, penalty: f64) -> Self {
                self.$($options).+.imbalance_penalty = penalty;
                self
            }

            /// Features tried at a split, on average.
            pub fn features_per_split(mut self, count: f64) -> Self {
                self.$($options).+.features_per_split = Some(count);
                self
            }

            /// Trees that share a half sample.
            pub fn bag_size(mut self, trees: usize) -> Self {
                self.$($options).+.bag_size = trees;
                self
            }

            /// The seed.
            pub fn seed(mut self, seed: impl Into<$crate::numeric::Seed>) -> Self {
                self.$($options).+.seed = Some(seed.into());
                self
            }
        }
    };
}
pub(super) use tree_options;
