//! Panels in which few units are treated: counterfactuals made of other units.
//!
//! [`SyntheticControl`] makes each treated unit's own of weights on donors, plain or augmented by ridge regression, with placebos ([`SpacePlacebo`], [`JointPlacebo`]), jackknife+ and conformal inference
//! ([`ConformalIntervals`]). [`SyntheticDid`] weighs donors and periods for a difference in differences, and has plain difference in differences and synthetic
//! control as its special cases.

mod board;
mod conformal;
mod counterfactual;
mod did_variance;
mod did_weights;
mod estimator;
mod importance;
mod jackknife_plus;
mod joint_placebo;
mod penalty;
mod placebo;
mod predictor;
mod residualise;
mod synthetic_control_fit;
mod synthetic_did;
mod synthetic_did_fit;

pub use conformal::{ConformalIntervals, ConformalPermutations};
pub use estimator::SyntheticControl;
pub use importance::{PredictorBalance, PredictorImportance};
pub use joint_placebo::JointPlacebo;
pub use placebo::{LeftOutDonor, PlaceboUnit, SpacePlacebo};
pub use synthetic_control_fit::{DonorWeight, PeriodEffect, SyntheticControlFit, SyntheticUnit};
pub use synthetic_did::SyntheticDid;
pub use synthetic_did_fit::{PeriodWeight, SyntheticDidCohort, SyntheticDidFit};
