//! Uplift: who responds to a treatment, how sure we are, and whom to treat.
//!
//! [`MetaLearner`] makes a learner of effects from learners of means: S, T, X, R, doubly robust, U and transformed-outcome recipes, cross-fitted, and a stack
//! of recipes whose weights minimise a loss on rows that were not fitted. [`CausalForest`] grows honest trees for the effect itself and knows the variance of
//! every prediction; [`UpliftTree`] and [`UpliftForest`] split by the response to the arms of a trial. [`evaluate`] has uplift, Qini and TOC curves with errors, calibration and CLAN; [`policy`] turns scores into trees,
//! budgets and their values.

pub mod evaluate;
pub mod forest;
mod meta;
mod path;
pub mod policy;
mod shape;

pub use forest::{
    CausalForest, CausalForestFit, CausalSurvivalForest, CausalSurvivalForestFit,
    ForestCalibration, ForestIntervals, ForestNeighbour, ForestNuisances, ForestPrediction,
    ForestTarget, ForestTuning, ForestWeights, LocalLinearForest, LocalLinearForestFit,
    MultiArmForest, MultiArmForestFit, MultiArmPrediction, QuantileForest, QuantileForestFit,
    QuantilePrediction, SurvivalForest, SurvivalForestFit, SurvivalPrediction, SurvivalTarget,
    TuningTrial,
};
pub use forest::{
    UpliftCriterion, UpliftForest, UpliftForestFit, UpliftNode, UpliftTree, UpliftTreeFit,
};
pub use meta::{
    ArmEffects, ContinuousEffects, ContinuousEffectsFit, EffectLearner, EffectLoss, MetaKind,
    MetaLearner, MetaLearnerFit, RecipeLoss,
};
