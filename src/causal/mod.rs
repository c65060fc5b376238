//! Effects of treatments from trials and from observational data.
//!
//! [`DoublyRobust`] learns nuisances by cross-fitting over any [`Learner`](crate::regression::learners::Learner) and turns them into
//! [`ArmScores`]: one score a row and arm whose mean is the mean outcome under that arm; [`TrialScores`] makes them from a randomised trial without
//! models. Average effects (for all, for the treated, in the overlap, by group, along features) are [`AverageEffects`]; curves, policies and learners of
//! effects start from the same scores. [`PartiallyLinear`] has the effect per unit of a treatment that is a number, [`DoseEffects`] that effect as a function of
//! features, [`DoseResponse`] the whole curve. [`OffPolicy`] and [`SlatePolicy`] value a policy from logged decisions. [`TreatmentWeighting`] makes the arms of
//! observational data alike by weights: inverse propensities, covariate balancing, entropy balancing; [`Matching`] compares rows with rows like
//! them, [`SetMatching`] without using a row twice, [`Stratification`] within strata.

pub(crate) mod arm_scores;
pub(crate) mod arms;
mod average;
pub(crate) mod builders;
mod conditional_density;
pub(crate) mod cross_fit;
mod derived_scores;
mod dose_effects;
mod dose_response;
mod dose_response_fit;
pub(crate) mod doubly_robust;
pub(crate) mod doubly_robust_fit;
pub(crate) mod folds;
mod matching;
pub(crate) mod nuisance;
pub(crate) mod off_policy;
pub(crate) mod panel;
pub(crate) mod partially_linear;
pub(crate) mod sample;
mod trial_scores;
pub(crate) mod units;
mod weighting;

pub use arm_scores::ArmScores;
pub use average::AverageEffects;
pub use dose_effects::{DoseEffects, DoseEffectsFit};
pub use dose_response::DoseResponse;
pub use dose_response_fit::DoseResponseFit;
pub use doubly_robust::DoublyRobust;
pub use doubly_robust_fit::DoublyRobustFit;
pub use matching::{
    JointImbalance, MatchDistance, MatchOrder, Matching, MatchingFit, SetMatching, SetsFit,
    Stratification,
};
pub use nuisance::StackMember;
pub use off_policy::{OffPolicy, OffPolicyFit, SlatePolicy, SlatePolicyFit, Threshold, WeightBin};
pub use partially_linear::{PartiallyLinear, PartiallyLinearFit};
pub use trial_scores::TrialScores;
pub use weighting::{
    ArmWeights, BalanceTable, CovariateBalance, Estimand, TreatmentWeighting,
    TreatmentWeightingFit, Trimming,
};
