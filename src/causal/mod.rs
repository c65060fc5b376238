//! Effects of a treatment: doubly robust scores of every arm, from which averages, curves and policies are computed.

pub(crate) mod arm_scores;
mod derived_scores;
mod off_policy;
mod trial_scores;
pub(crate) mod units;

pub use arm_scores::ArmScores;
pub use off_policy::{OffPolicy, OffPolicyFit};
pub use trial_scores::TrialScores;
