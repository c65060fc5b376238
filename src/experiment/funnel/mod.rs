//! Funnels in experiments: intention to treat at every stage first; rates among those who reached a stage are labelled as selected, and
//! stand with bounds.

mod bounds;
mod effects;
mod stages;

pub use bounds::EffectBounds;
pub use effects::{ConditionalRate, FunnelEffects, FunnelEffectsFit, StageEffect};
pub(crate) use stages::Stages;
