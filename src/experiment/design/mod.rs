//! How treatment is assigned, and the analysis that respects it.
//!
//! | design | units | analysis |
//! |---|---|---|
//! | [`Randomization`] | rows or clusters: complete or by coins, within strata, rerandomised | Neyman within strata, CR2 for clusters, Lin's adjustment |
//! | [`MatchedPairs`] | rows alike in covariates | mean difference within pairs |
//! | [`Factorial`], [`FractionalFactorial`] | several factors at once | main effects and interactions |
//! | [`LatinSquare`] | two nuisances at once | treatments, rows and columns taken out |
//! | [`Switchback`] | blocks of time of one market | block means, Horvitz–Thompson, Newey–West |
//! | [`GeoExperiment`] | matched markets | differences in differences within pairs, time-based regression |
//! | [`HashSplit`] | identifiers, by a hash; holdouts | as complete randomisation by coins |
//!
//! What was drawn keeps its mechanism, so that randomisation tests draw from it again.

mod analysis;
mod assigned;
mod balance;
mod factorial;
mod fractional;
mod geo;
mod hash;
mod latin;
mod pairs;
mod plan;
mod randomization;
mod switchback;

pub use analysis::DesignFit;
pub use assigned::Assigned;
pub use balance::{Balance, BalanceTier};
pub use factorial::Factorial;
pub use fractional::FractionalFactorial;
pub use geo::{GeoAssigned, GeoExperiment, TimeBasedRegression};
pub(crate) use geo::{Panel, pair_up};
pub use hash::{HOLDOUT, HashSplit};
pub use latin::LatinSquare;
pub use pairs::MatchedPairs;
pub use randomization::Randomization;
pub use switchback::{Switchback, SwitchbackRule, SwitchbackSchedule};
