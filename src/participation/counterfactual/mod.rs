//! What would happen if the firm taught, helped, insured or paid its customers: who takes part, who gains, and why.

mod checks;
mod compared;
mod customer;
mod decomposed;
mod engine;
mod fitted;
mod market;
mod optimum;
mod outcome;
mod policy;
mod support;
mod targeted;

pub use compared::Counterfactual;
pub use customer::MarketCustomer;
pub use decomposed::Decomposition;
pub use market::{Market, Uncertainty};
pub use optimum::OptimalLevel;
pub use outcome::Outcome;
pub use policy::{Lever, Policy};
pub use targeted::PolicyTargeting;
