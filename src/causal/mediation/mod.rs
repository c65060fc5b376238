//! Mechanisms: what of an effect goes through a mediator.
//!
//! [`Mediation`] has natural direct and indirect effects with an interaction of treatment and mediator; [`MediationFit::sensitivity`] says what correlation of the errors of both models would
//! take the indirect effect away.

mod effects;
mod estimator;
mod rho;

pub use estimator::{Mediation, MediationFit, MediationModel};
pub use rho::{MediationPoint, MediationSensitivity};
