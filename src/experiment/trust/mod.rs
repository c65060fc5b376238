//! Whether an experiment can be trusted, before its effect is read: who was assigned, whether arms were alike before it began,
//! whether its tests hold their size on these data, and whether a few units or a few days make the result.

mod aa;
pub(in crate::experiment) mod assignment;
mod balance;
pub(in crate::experiment) mod exact;
mod influence;
mod novelty;
mod panel;
mod report;
mod sample_ratio;
mod sequential;
mod twyman;
mod uniformity;

pub use aa::{AaCalibration, AaCalibrationFit, AaTest, RejectionRate};
pub use assignment::{ArmPair, AssignmentCheck, AssignmentCheckFit, Remedy};
pub use balance::{ArmBalance, BalanceCheck, BalanceCheckFit, BalanceRow};
pub use influence::{ArmInfluence, Contributor, Dropped, OutlierInfluence, OutlierInfluenceFit};
pub use novelty::{ArmTrend, NoveltyCheck, NoveltyFit, Pattern, PeriodEffect};
pub use report::{TrustCheck, TrustReport, TrustReportFit, TrustVerdict};
pub(super) use sample_ratio::{ALARM as SAMPLE_RATIO_ALARM, chi_squared as sample_ratio_test};
pub use sample_ratio::{ArmShare, SampleRatio, SampleRatioFit, SegmentRatio};
pub use sequential::{SequentialLook, SequentialSampleRatio};
pub use twyman::{PlausibleEffect, Twyman, TwymanFit};
