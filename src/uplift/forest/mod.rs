//! Causal forests: honest trees grown in little bags on binned features, solving a local moment with the weights they give.
//!
//! A file is a stage: `codes` of features, the `sample` a tree draws, the `moment` it solves, the `split` it looks for, how it grows (`grow`), the
//! `tree` itself, and the `ensemble` that predicts. [`CausalForest`] puts them together.

mod arm_moment;
mod average;
mod calibration;
mod causal;
mod codes;
mod compliance;
mod display;
mod ensemble;
mod file;
mod fit;
mod grow;
mod moment;
mod multi_arm;
mod multi_arm_fit;
mod multi_arm_prediction;
mod nuisance;
mod options;
mod prediction;
mod prepare;
mod relabel;
mod sample;
mod split;
mod tree;

pub use average::ForestTarget;
pub use calibration::ForestCalibration;
pub use causal::CausalForest;
pub use fit::CausalForestFit;
pub use multi_arm::MultiArmForest;
pub use multi_arm_fit::MultiArmForestFit;
pub use multi_arm_prediction::MultiArmPrediction;
pub use nuisance::ForestNuisances;
pub use prediction::{ForestIntervals, ForestPrediction};
