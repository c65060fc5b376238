//! Selection on observables: rows compared with rows like them.
//!
//! [`Matching`] imputes for every row the outcome under the other arm from its nearest neighbours there.

mod imputation;
mod nearest;
mod nearest_fit;
mod sites;
mod space;
mod tree;

pub use nearest::Matching;
pub use nearest_fit::MatchingFit;
pub use space::MatchDistance;
