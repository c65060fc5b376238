//! The exchange of participation and data against transfers: who gets the gain, whether the two markets are complements, and what
//! compensation data ask for.

mod bargaining;
mod bargaining_fit;
mod cross_effects;
mod offers;
mod system;

pub use bargaining::{NashBargaining, OutsideOption};
pub use bargaining_fit::{GainFromTrade, NashBargainingFit};
pub use cross_effects::{CrossEffects, CrossEffectsFit, SymmetricEffect};
pub use offers::{OfferChoice, OfferChoiceFit};
