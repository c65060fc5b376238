//! Minimisation of smooth functions, with an account of how the search ended.
//!
//! | optimiser | needs | use it for |
//! |---|---|---|
//! | [`Newton`] | gradient, Hessian | likelihoods that are concave or nearly so |
//! | [`TrustRegion`] | gradient, Hessian | likelihoods with saddles, ridges or a poor start |
//! | [`Lbfgs`] | gradient | many parameters, or a Hessian that is dear |
//! | [`brent_minimum`], [`brent_root`] | values | one parameter |
//!
//! To maximise, minimise the negative. A search that ends without meeting its tolerance still returns its best point;
//! [`Minimum::or_error`] turns it into [`Error::NotConverged`](crate::Error::NotConverged).

mod bracket;
mod brent;
mod hull;
mod lbfgs;
mod line_search;
mod model;
mod nelder_mead;
mod newton;
mod objective;
mod outcome;
mod secant;
mod stopping;
mod trust_region;

pub use bracket::{Bracket, Interval, bracket_minimum, bracket_root};
pub use brent::{ScalarMinimum, ScalarRoot, brent_minimum, brent_root};
pub(crate) use hull::nearest_in_hull;
pub use lbfgs::Lbfgs;
pub(crate) use nelder_mead::nelder_mead;
pub use newton::Newton;
pub use objective::Objective;
pub use outcome::{Convergence, Minimum, Reason};
pub(crate) use secant::secant_root;
pub use stopping::Stopping;
pub use trust_region::TrustRegion;

#[cfg(test)]
mod problems;
