//! Willingness to participate under uncertainty, and what identifies it.

mod buy_then_participate;
mod optima;
mod probability;

pub use buy_then_participate::{
    BuyThenParticipate, BuyThenParticipateFit, BuyThenParticipatePrediction, ProfilePoint,
    RhoProfile,
};
pub use optima::{Optima, Search};
