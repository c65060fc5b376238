//! Group-sequential experiments: designs that may be looked at a few times, and what may be concluded when they stop.

mod analysis;
mod boundary;
mod design;
mod monitor;
mod outlook;
mod plan;
mod recursion;
mod result;
mod solve;
mod walk;

pub use analysis::SequentialAnalysis;
pub use boundary::{EfficacyBoundary, SpendingFunction};
pub use design::GroupSequential;
pub use monitor::{GroupSequentialMonitor, MonitoredLook, SequentialDecision};
pub use plan::{GroupSequentialPlan, PlannedSize};
pub use result::{GroupSequentialDesign, PlannedLook, StoppingProbabilities};
