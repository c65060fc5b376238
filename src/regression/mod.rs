//! Linear models: least squares with any robust covariance, multi-way fixed effects, instrumental variables.

mod absorb;
mod binary;
mod conditional_logit;
mod firth;
mod iv;

mod likelihood;
mod linear;
mod ols;
mod poisson_effects;
mod sample;

pub use binary::{Cloglog, Logit, Probit};
pub use conditional_logit::ConditionalLogit;
pub use iv::{FirstStage, Iv, IvFit, KClass};
pub use likelihood::{
    LikelihoodFit, LikelihoodStatistics, MarginalEffects, Margins, Predictions, Quantity,
};
pub use linear::FitStatistics;
pub use ols::{Ols, OlsFit};
