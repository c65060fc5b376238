//! Customers, experiments and markets with a known truth, and the Monte Carlo runner.

mod closed;
mod cloud_onboarding;
mod draws;
mod generate;
mod item_responses;
pub mod monte_carlo;
mod oracle;
mod participation_choice;
mod photo_funnel;
mod population;
mod static_participation;

pub use cloud_onboarding::{CloudOnboarding, OnboardingFlaw};
pub use item_responses::{Item, ItemFlaw, ItemResponses};
pub use monte_carlo::{
    Measure, MonteCarlo, MonteCarloFit, MonteCarloTable, Performance, Replication,
};
pub use oracle::{Oracle, Simulated, Truth};
pub use participation_choice::PurchaseTiming;
pub use photo_funnel::{FunnelFlaw, PhotoFunnel};
pub use population::{Covariate, Customer, LogNormal, MOST_COVARIATES, Population, Trait, Traits};
pub use static_participation::{ParticipationFlaw, StaticParticipation};
