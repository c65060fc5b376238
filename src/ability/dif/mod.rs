//! Differential item functioning: items that are harder for one group than for another of the same ability.
//!
//! | estimator | matches persons by | finds |
//! |---|---|---|
//! | [`MantelHaenszelDif`] | sum score | uniform DIF |
//! | [`LogisticDif`] | sum score | uniform and non-uniform DIF |

mod answers;
mod logistic;
mod mantel_haenszel;

pub use logistic::{LogisticDif, LogisticDifFit, LogisticDifRow};
pub use mantel_haenszel::{MantelHaenszelDif, MantelHaenszelDifFit, MantelHaenszelDifRow};
