//! Causal forests: honest trees grown in little bags on binned features, solving a local moment with the weights they give.
//!
//! A file is a stage: `codes` of features, the `sample` a tree draws, the `moment` it solves, the `split` it looks for, how it grows (`grow`), the
//! `tree` itself, and the `ensemble` that predicts. [`CausalForest`] puts them together.

mod arm_moment;
mod average;
mod calibration;
mod causal;
mod causal_survival;
mod causal_survival_fit;
mod censoring;
mod classes;
mod codes;
mod compliance;
mod display;
mod ensemble;
mod file;
mod fit;
mod grow;
mod linear_forest;
mod linear_forest_fit;
mod local_linear;
mod log_rank;
mod moment;
mod multi_arm;
mod multi_arm_fit;
mod multi_arm_prediction;
mod neighbours;
mod nuisance;
mod options;
mod outcome_rows;
mod plan;
mod prediction;
mod prepare;
mod quantile;
mod quantile_fit;
mod relabel;
mod ridge;
mod ridge_splits;
mod sample;
mod split;
mod survival;
mod survival_fit;
mod tree;
mod tuning;
mod uplift_trees;
mod weights;

pub use average::ForestTarget;
pub use calibration::ForestCalibration;
pub use causal::CausalForest;
pub use causal_survival::CausalSurvivalForest;
pub use causal_survival_fit::CausalSurvivalForestFit;
pub use censoring::SurvivalTarget;
pub use fit::CausalForestFit;
pub use linear_forest::LocalLinearForest;
pub use linear_forest_fit::LocalLinearForestFit;
pub use multi_arm::MultiArmForest;
pub use multi_arm_fit::MultiArmForestFit;
pub use multi_arm_prediction::MultiArmPrediction;
pub use nuisance::ForestNuisances;
pub use prediction::{ForestIntervals, ForestPrediction};
pub use quantile::QuantileForest;
pub use quantile_fit::{QuantileForestFit, QuantilePrediction};
pub use survival::SurvivalForest;
pub use survival_fit::{SurvivalForestFit, SurvivalPrediction};
pub use tuning::{ForestTuning, TuningTrial};
pub use uplift_trees::{
    UpliftCriterion, UpliftForest, UpliftForestFit, UpliftNode, UpliftTree, UpliftTreeFit,
};
pub use weights::{ForestNeighbour, ForestWeights};
