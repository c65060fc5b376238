//! Maximum likelihood: models of one row in terms of linear indices, one pass for value, gradient and Hessian, the search, and
//! the fit that all of them share.

mod compare;
mod engine;
mod fit;
mod functions;
mod index;
mod influence;
mod margins;
mod maximize;
mod model;
mod options;
mod predict;
mod predicted;
mod rows;
mod separation;
mod stored;
mod vuong;

pub(crate) use crate::numeric::jet::{Jet, Scalar};
pub(crate) use compare::FIRTH;
pub(crate) use engine::Likelihood;
pub(crate) use fit::{Estimation, Finished, Parts};
pub use fit::{LikelihoodFit, LikelihoodStatistics};
pub(crate) use functions::{ln_add_exp, ln_normal_cdf, normal_curvature, softplus};
pub(crate) use index::Index;
pub use margins::{MarginalEffects, Margins};
pub(crate) use maximize::{Maximum, maximize, maximize_unless, maximize_within};
pub use model::Quantity;
pub(crate) use model::{ByFormula, Derivatives, Inputs, Order, RowFormula, RowModel};
pub(crate) use options::{Options, likelihood_builder, options_builder};
pub use predict::Predictions;
pub(crate) use predict::{Only, Predictor, Predicts};
pub(crate) use separation::Recession;
pub(crate) use stored::StoredRows;
pub use vuong::VuongTest;
