//! Who responds: effects that differ between customers.
//!
//! [`MetaLearner`] makes a learner of effects from learners of means: S, T, X, R, doubly robust, U and transformed-outcome recipes, cross-fitted, and a stack
//! of recipes whose weights minimise a loss on rows that were not fitted.

mod meta;

pub use meta::{
    ArmEffects, EffectLearner, EffectLoss, MetaKind, MetaLearner, MetaLearnerFit, RecipeLoss,
};
