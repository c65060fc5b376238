//! Learners: predictions of a mean `E[Y | X]` or a probability `P(W = 1 | X)` from features, for their own sake and as nuisances of
//! causal estimators.
//!
//! There are two roads. With a frame, [`Learner::of`] names outcome and features, and the [`LearnerFit`] prints itself and predicts from
//! frames. With many fits on the same rows (cross-fitting), [`Features`] are made once, [`TrainingSet`]s are lists of their rows, and
//! [`Learner::fit`] gives a [`FittedLearner`]; trees share the bins of all features.
//!
//! | | missing numbers | categories | levels not seen in training |
//! |---|---|---|---|
//! | [`Linear`], [`ElasticNet`], [`Quadratic`] | training mean, and an indicator beside; said in a warning | an indicator a level | no effect, or that of missing if training had missing ones |
//! | [`BoostedTrees`], [`Forest`] | to the side where they fit better, at each split; to the larger one where training had none | sets of levels, ordered by their mean | as missing |
//!
//! All are the same bits on any number of threads. Bins of trees, and nothing else, are taken from all rows of the features, also from those that
//! a fit leaves out: they say how features are spread, nothing of the outcome.

pub(crate) mod bins;
mod boost;
mod cross;
mod custom;
mod descent;
mod encode;
pub(crate) mod features;
mod fitted;
pub(crate) mod folds;
mod forest;
pub(crate) mod grow;
mod histogram;
mod learner;
mod linear;
mod logistic;
mod loss;
mod model;
mod options;
mod penalty;
mod quadratic;
mod split;
pub(crate) mod stack;
mod training;
mod tree;

pub use boost::BoostedTrees;
pub use custom::{Custom, CustomFit, CustomLearner};
pub use features::Features;
pub use fitted::FittedLearner;
pub use forest::Forest;
pub use learner::Learner;
pub use linear::{ElasticNet, Linear};
pub use model::{LearnerFit, LearnerModel};
pub use penalty::{PenaltyPath, Strength};
pub use quadratic::Quadratic;
pub use stack::Stack;
pub use training::{Task, TrainingSet};
