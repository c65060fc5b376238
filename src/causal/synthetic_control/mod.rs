//! Panels in which few units are treated: counterfactuals made of other units.
//!
//! [`SyntheticControl`] makes each treated unit's own of weights on donors, plain or augmented by ridge regression, with placebos ([`SpacePlacebo`]), jackknife+ and conformal inference
//! ([`ConformalIntervals`]).

mod board;
mod conformal;
mod counterfactual;
mod estimator;
mod jackknife_plus;
mod penalty;
mod placebo;
mod predictor;
mod synthetic_control_fit;

pub use conformal::{ConformalIntervals, ConformalPermutations};
pub use estimator::SyntheticControl;
pub use placebo::{LeftOutDonor, PlaceboUnit, SpacePlacebo};
pub use predictor::PredictorImportance;
pub use synthetic_control_fit::{DonorWeight, PeriodEffect, SyntheticControlFit, SyntheticUnit};
