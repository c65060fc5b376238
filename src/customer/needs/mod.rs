//! How many needs customers have, how many were voiced, and how many interviews it takes to hear of the rest.

mod beta_binomial;
mod curve;
mod richness;
mod voiced;

pub use beta_binomial::BetaBinomialNeeds;
pub use curve::{CurveOfNeeds, NeedsPoint};
pub use richness::{ChaoForm, NeedsTotal};
pub use voiced::{NeedsDiscovery, VoicedNeeds};
