//! Linear models: least squares with any robust covariance, multi-way fixed effects, instrumental variables.

mod absorb;
mod binary;
mod heckman;
mod influence;
mod iv;

mod likelihood;
mod linear;
mod ols;
mod sample;

pub use binary::{Cloglog, Logit, Probit};
pub use heckman::{Heckman, HeckmanFit, HeckmanPrediction};
pub use iv::{FirstStage, Iv, IvFit, KClass};
pub use likelihood::{LikelihoodFit, LikelihoodStatistics};
pub use linear::FitStatistics;
pub use ols::{Ols, OlsFit};
