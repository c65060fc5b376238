//! Inference that is valid at every look: confidence sequences and p-values for experiments that are watched while data arrive,
//! stopped when they convince, and continued when they do not.
//!
//! A confidence sequence is a sequence of intervals of which all together contain the truth with probability `level`, so that the moment of
//! looking may depend on the data in any way; its p-value stays valid for the same reason. The price is width: at the planned number of
//! rows an interval is about one and a half times as wide as one that may be looked at once.
//!
//! | type | of | needs | valid |
//! |---|---|---|---|
//! | [`MeanSequence`] | a mean | count, mean and centred squares of blocks of rows | exactly: errors of known scale, or bounded values; asymptotically: a variance |
//! | [`ProportionSequence`] | a rate | counts of events and rows | exactly |
//! | [`BettingSequence`] | the mean of bounded values, or of two arms' difference | the rows in order | exactly, and narrower |
//! | [`TwoProportionSequence`] | difference, ratio or odds ratio of two rates | counts of blocks of both arms | exactly |
//! | [`QuantileSequence`] | a quantile | the rows in any order | exactly, whatever the distribution |
//! | [`QuantileDifferenceSequence`] | the difference of a quantile between two arms | the rows in any order | exactly, whatever the distributions |
//! | [`EffectSequence`] | any estimate with a standard error: differences of arms, ratios, adjusted | estimate, standard error and rows at each look | asymptotically |
//! | [`RegressionSequence`] | a coefficient of a linear model | estimate, standard error, degrees of freedom | exactly: normal errors of one variance |
//! | [`JointRegressionSequence`] | several coefficients at once, an F test | fits with the classical covariance | the same |
//! | [`JointEffectSequence`] | several effects at once | estimates with any covariance at each look | asymptotically |
//!
//! The sequential test of the sample ratio is [`SequentialSampleRatio`](crate::experiment::trust::SequentialSampleRatio).

mod betting;
mod effect;
mod joint;
mod joint_effect;
mod mean;
mod mixture;
mod nearest;
mod proportion;
mod quantile;
mod quantile_difference;
mod regression;
mod stitched;
mod track;
mod two_proportions;

pub use betting::BettingSequence;
pub use effect::EffectSequence;
pub use joint::{JointLook, JointRegressionSequence};
pub use joint_effect::{JointEffectLook, JointEffectSequence};
pub use mean::MeanSequence;
pub use mixture::MixtureBoundary;
pub use proportion::ProportionSequence;
pub use quantile::QuantileSequence;
pub use quantile_difference::QuantileDifferenceSequence;
pub use regression::{CoefficientStatistics, RegressionSequence};
pub use stitched::StitchedBoundary;
pub use track::ConfidenceLook;
pub use two_proportions::{BlockCounts, TwoProportionSequence};
