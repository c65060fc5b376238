//! Linear models: least squares with any robust covariance, multi-way fixed effects, instrumental variables.

mod absorb;
mod iv;

mod linear;
mod ols;
mod resampling;

pub use iv::{FirstStage, Iv, IvFit, KClass};
pub use linear::FitStatistics;
pub use ols::{Ols, OlsFit};
pub use resampling::{
    ResidualBootstrap, SampleSizeChart, SampleSizeFit, SampleSizePoint, WildBootstrap,
};
