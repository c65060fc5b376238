//! Causal forests: honest trees grown in little bags on binned features, solving a local moment with the weights they give.
//!
//! A file is a stage: `codes` of features, the `sample` a tree draws, the `moment` it solves, the `split` it looks for, how it grows (`grow`), the
//! `tree` itself, and the `ensemble` that predicts. [`CausalForest`] puts them together.

mod average;
mod calibration;
mod causal;
mod codes;
mod display;
mod ensemble;
mod file;
mod fit;
mod grow;
mod moment;
mod nuisance;
mod prediction;
mod prepare;
mod sample;
mod split;
mod tree;
mod uplift_trees;

pub use average::ForestTarget;
pub use calibration::ForestCalibration;
pub use causal::CausalForest;
pub use fit::CausalForestFit;
pub use nuisance::ForestNuisances;
pub use prediction::{ForestIntervals, ForestPrediction};
pub use uplift_trees::{
    UpliftCriterion, UpliftForest, UpliftForestFit, UpliftNode, UpliftTree, UpliftTreeFit,
};
