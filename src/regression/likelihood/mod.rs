//! Maximum likelihood: models of one row in terms of linear indices, one pass for value, gradient and Hessian, the search, and
//! the fit that all of them share.

mod engine;
mod fit;
mod index;
mod jet;
mod maximize;
mod model;
mod options;
mod rows;
mod separation;

pub(crate) use engine::Likelihood;
pub(crate) use fit::Estimation;
pub use fit::{LikelihoodFit, LikelihoodStatistics};
pub(crate) use index::Index;
pub(crate) use jet::{Jet, Scalar};
pub(crate) use maximize::{maximize, maximize_unless};
pub(crate) use model::{ByFormula, Derivatives, Inputs, Order, Quantity, RowFormula, RowModel};
pub(crate) use options::{Options, likelihood_builder};
pub(crate) use separation::Recession;
