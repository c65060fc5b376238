//! What customers do over time, when they churn, buy again or finish a design; what they expect, and which needs they voice.

mod expectation;
mod needs;
pub mod survival;

pub use expectation::{ExpectationSurface, ExpectationSurfaceFit, SurfaceFeature};
pub use needs::{
    BetaBinomialNeeds, ChaoForm, CurveOfNeeds, NeedsDiscovery, NeedsPoint, NeedsTotal, VoicedNeeds,
};
