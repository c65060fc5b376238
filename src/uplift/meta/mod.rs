//! Meta-learners: effects by regressions of means and pseudo-outcomes.

mod continuous;
mod fit;
mod kind;
mod learner;
mod model;
mod prediction;
mod recipes;

pub use continuous::{ContinuousEffects, ContinuousEffectsFit};
pub use fit::{MetaLearnerFit, RecipeLoss};
pub use kind::{EffectLearner, EffectLoss, MetaKind};
pub use learner::MetaLearner;
pub use prediction::ArmEffects;
