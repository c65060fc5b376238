//! A/B and multi-arm experiments: one object says who was assigned to what and what is measured; it analyses frames, streams
//! and files from one set of mergeable sufficient statistics, and plans the next experiment from them.

mod adjust;
mod analysis;
mod arm;
mod declare;
mod figures;
pub mod funnel;
mod metric;
mod metric_check;
mod planning;
mod prepare;
mod role;
mod stream;

pub use analysis::{ArmCount, ArmValue, Effect, ExperimentFit, Lift, LiftMethod};
pub use arm::ExperimentStatistics;
pub use declare::{Comparisons, Experiment};
pub use figures::{DatedEffect, LiftOverTime};
pub use metric::{Covariate, CovariateSlope, Metric, MetricKind, SufficientStatistics};
pub use planning::{
    ExperimentBaseline, MetricBaseline, PlannedMetric, PowerPlan, SimulatedMetric, SimulatedPower,
};
pub use role::{Margin, Role, Verdict};
pub use stream::ExperimentStream;
