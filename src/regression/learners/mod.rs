//! Learners: predictions of a mean or a probability from features.

mod bins;
mod boost;
mod cross;
mod custom;
mod descent;
mod encode;
mod features;
mod fitted;
mod folds;
mod forest;
mod grow;
mod histogram;
mod learner;
mod linear;
mod logistic;
mod loss;
mod model;
mod options;
mod penalty;
mod split;
mod stack;
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
pub use stack::Stack;
pub use training::{Task, TrainingSet};
