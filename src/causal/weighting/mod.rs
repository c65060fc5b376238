//! Selection on observables: weights that make the arms alike in what was measured before treatment.
//!
//! [`TreatmentWeighting`] has inverse propensities, the covariate balancing propensity score and entropy balancing; an [`Estimand`] says whose average effect
//! is meant, a [`Trimming`] among whom, [`MultiArmWeighting`] has several arms, and [`CovariateBalance`] and [`ArmWeights`] tell whether it can be believed.

mod balance;
mod estimand;
mod multi_arm;
mod multi_arm_fit;
mod multinomial;
mod newton;
pub(in crate::causal) mod observed;
pub(in crate::causal) mod tilt;
mod treatment_weighting;
mod treatment_weighting_fit;
mod trimming;

pub use balance::{BalanceTable, CovariateBalance};
pub use estimand::Estimand;
pub use multi_arm::{MultiArmWeighting, TargetPopulation};
pub use multi_arm_fit::MultiArmWeightingFit;
pub use treatment_weighting::TreatmentWeighting;
pub use treatment_weighting_fit::{ArmWeights, TreatmentWeightingFit};
pub use trimming::Trimming;
