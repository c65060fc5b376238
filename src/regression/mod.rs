//! Linear models: least squares with any robust covariance, multi-way fixed effects, instrumental variables.

mod absorb;
pub(crate) mod binary;
pub(crate) mod bivariate_probit;
mod conditional_logit;
mod conditional_sums;
mod count;
mod count_density;
pub(crate) mod delegate;
mod endogenous_probit;
mod firth;
mod heckman;
mod hurdle;
pub(crate) mod influence;
mod iv;
pub mod learners;
pub(crate) mod likelihood;
pub(crate) mod linear;
mod ols;
mod ols_predict;
mod ordered;
mod ordered_density;
mod parallel_lines;
mod poisson_effects;
mod quantile;
mod resampling;
pub(crate) mod sample;
pub(crate) mod selected;
mod tobit;
mod two_part;
mod zero_inflated;

pub use binary::{Cloglog, Logit, Probit};
pub use bivariate_probit::{BivariateProbit, BivariateProbitFit, BivariateProbitPrediction};
pub use conditional_logit::ConditionalLogit;
pub use count::{NegativeBinomial, Poisson};
pub use endogenous_probit::{EndogenousProbit, EndogenousProbitFit};
pub use heckman::{Heckman, HeckmanFit, HeckmanPrediction};
pub use hurdle::Hurdle;
pub use iv::{FirstStage, Iv, IvFit, KClass};
pub use likelihood::{
    LikelihoodFit, LikelihoodStatistics, MarginalEffects, Margins, Predictions, Quantity, VuongTest,
};
pub use linear::FitStatistics;
pub use ols::{Ols, OlsFit};
pub use ordered::{OrderedLogit, OrderedProbit};
pub use parallel_lines::ParallelLinesTest;
pub(crate) use quantile::least_check_loss;
pub use quantile::{
    Quantile, QuantileCovariance, QuantileFit, QuantileProcess, QuantileStatistics,
};
pub use resampling::{
    ResidualBootstrap, SampleSizeChart, SampleSizeFit, SampleSizePoint, WildBootstrap,
};
pub use tobit::{Tobit, Truncated};
pub use zero_inflated::ZeroInflated;
