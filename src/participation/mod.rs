//! Willingness to participate under uncertainty, and what identifies it.

mod bdm;
mod buy_then_participate;
mod contingent_valuation;
mod elicited_beliefs;
mod interval;
mod mutual_acceptance;
mod optima;
mod probability;
mod ratio;
mod stated;

pub use bdm::Bdm;
pub use buy_then_participate::{
    BuyThenParticipate, BuyThenParticipateFit, BuyThenParticipatePrediction, ProfilePoint,
    RhoProfile,
};
pub use contingent_valuation::{
    ContingentValuation, ContingentValuationFit, WtpIntervals, WtpMeasure,
};
pub use elicited_beliefs::ElicitedBeliefs;
pub use interval::LatentError;
pub use mutual_acceptance::{MutualAcceptance, MutualAcceptanceFit, MutualAcceptancePrediction};
pub use optima::{Optima, Search};
pub use stated::StatedFit;
