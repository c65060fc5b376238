//! Uplift trees and their forests: splits that separate customers by their response to the arms of a trial.
//!
//! A file is a stage: the `criterion` judges a split, `split` finds the best one from sums by code and arm, `grow` grows a tree, estimates and cuts it
//! back, `determined` tells errors, `predict` averages trees. [`UpliftTree`] and [`UpliftForest`] put them together; codes, trees and draws are those of the causal forest.

mod criterion;
mod determined;
mod forest;
mod grow;
mod options;
mod predict;
mod prepared;
mod split;
mod tree;
mod tree_fit;
mod words;

pub use criterion::UpliftCriterion;
pub use forest::{UpliftForest, UpliftForestFit};
pub use tree::UpliftTree;
pub use tree_fit::{UpliftNode, UpliftTreeFit};
