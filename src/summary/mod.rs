//! Mergeable sufficient statistics. A summary is a monoid over blocks of rows: it has an empty element, takes in blocks,
//! and merges with another summary of other rows, so that slices in memory, files read in parts, threads and machines
//! feed one estimator.

pub(crate) mod gram;
mod group_sums;
pub(crate) mod kernels;
pub(crate) mod moments;

pub use group_sums::GroupSums;
pub use moments::Moments;

use crate::error::Result;

/// What every summary can do. `merge` is associative up to rounding; [`crate::numeric::blocks::reduce`] merges in a fixed
/// order, so results have the same bits on any number of threads.
pub trait Summary: Clone + Send {
    /// Rows taken in so far.
    fn rows(&self) -> u64;

    /// Takes in another summary of other rows.
    ///
    /// # Errors
    /// [`crate::Error::Matrix`] when the two summaries describe different columns.
    fn merge(&mut self, other: &Self) -> Result<()>;
}
