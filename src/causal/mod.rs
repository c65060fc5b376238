//! Effects of treatments: doubly robust scores of every arm.

pub(crate) mod arm_scores;

pub use arm_scores::ArmScores;
