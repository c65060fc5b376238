//! Differential item functioning: items that are harder for one group than for another of the same ability.
//!
//! | estimator | matches persons by | finds |
//! |---|---|---|
//! | [`MantelHaenszelDif`] | sum score | uniform DIF |
//! | [`LogisticDif`] | sum score | uniform and non-uniform DIF |
//! | [`LikelihoodRatioDif`] | the item response model | both, with missing answers and any item model |

mod answers;
mod likelihood_ratio;
mod logistic;
mod mantel_haenszel;

pub use likelihood_ratio::{LikelihoodRatioDif, LikelihoodRatioDifFit, LikelihoodRatioDifRow};
pub use logistic::{LogisticDif, LogisticDifFit, LogisticDifRow};
pub use mantel_haenszel::{MantelHaenszelDif, MantelHaenszelDifFit, MantelHaenszelDifRow};
