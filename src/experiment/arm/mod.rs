//! What is known of the arms: mergeable counts and moments of every column that a metric needs, from rows or from clusters.

mod cell;
mod clusters;
mod layout;
mod pass;
mod sample;
mod statistics;
mod variables;

pub(crate) use cell::CellMoments;
pub(crate) use clusters::in_two_arms;
pub(crate) use layout::{Codes, Layout, check_clusters, triggered};
pub(crate) use sample::Sample;
pub use statistics::ExperimentStatistics;
pub(crate) use variables::{MomentMetric, Plan, Quotient};
