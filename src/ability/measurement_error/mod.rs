//! Regressions that use a score honestly: a score is ability measured with error, and the naive regression on it is attenuated.
//!
//! | estimator | what it needs | what it is exact for |
//! |---|---|---|
//! | [`RegressionCalibration`] | error variances; the other regressors predict the true score linearly | linear models |
//! | [`Simex`] | error variances only | none; removes most of the bias in any model |
//! | [`McSimex`] | a class instead of a score, and how often each class is labelled as which | none; removes most of the bias in any model |
//! | [`PlausibleRegression`], [`PooledFit`] | as calibration, and normality | linear models; any model with suited draws |
//! | [`JointScore`] | normal true scores and errors | linear, probit and logit models |
//! | [`JointAbility`] | the answers themselves and their item response model | linear, probit and logit models |
//!
//! [`ScoreComparison`] puts them beside the naive regression, with the attenuation factor.

mod calibration;
mod comparison;
mod fit;
mod imputation;
mod joint;
mod joint_ability;
mod joint_density;
mod latent;
mod mc_simex;
mod measured;
mod options;
mod pooled;
mod simex;
mod simulation;

pub use calibration::RegressionCalibration;
pub use comparison::{ScoreComparison, ScoreComparisonFit};
pub use fit::ScoreFit;
pub use imputation::PlausibleRegression;
pub use joint::JointScore;
pub use joint_ability::JointAbility;
pub use mc_simex::McSimex;
pub use measured::{Measured, MeasurementError};
pub use options::OutcomeModel;
pub use pooled::PooledFit;
pub use simex::Simex;
pub use simulation::{Extrapolation, SimexFit};
