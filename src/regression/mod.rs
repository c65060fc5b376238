//! Linear models: least squares with any robust covariance, multi-way fixed effects, instrumental variables.

mod absorb;
mod iv;
pub mod learners;
mod linear;
mod ols;

pub use iv::{FirstStage, Iv, IvFit, KClass};
pub use linear::FitStatistics;
pub use ols::{Ols, OlsFit};
