//! Selection on observables: rows compared with rows like them.
//!
//! [`Matching`] imputes for every row the outcome under the other arm from its nearest neighbours there. [`SetMatching`]
//! makes sets in which no row stands twice, [`Stratification`] strata of coarsened covariates or of propensities.
//! [`RosenbaumBounds`] tells what would be left of matched sets if rows that look alike were not.

mod assignment;
mod flow;
mod hidden_bias;
mod imputation;
mod nearest;
mod nearest_fit;
mod rosenbaum;
mod set_matching;
mod sets;
mod sites;
mod space;
mod stratification;
mod tree;

pub use nearest::Matching;
pub use nearest_fit::MatchingFit;
pub use rosenbaum::{RosenbaumBounds, RosenbaumBoundsFit, RosenbaumPoint};
pub use set_matching::{MatchOrder, SetMatching};
pub use sets::SetsFit;
pub use space::MatchDistance;
pub use stratification::{JointImbalance, Stratification};
