//! What least squares and instrumental variables share: the columns, the rows of scores, and the fit.

mod columns;
mod fit;
mod prepare;
mod rows;

pub(crate) use columns::{Columns, Weights};
pub use fit::FitStatistics;
pub(crate) use fit::{Core, Parts, Solved, linear_fit};
pub(crate) use prepare::{Prepared, prepare};
pub(crate) use rows::{LinearRows, Regressors};
