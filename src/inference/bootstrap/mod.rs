//! The bootstrap and the jackknife of any statistic of a frame.

pub(crate) mod draw;
mod fit;
mod interval;
mod jackknife;
mod mean;
mod multinomial;
mod multiplier;
mod report;
mod resample;
mod run;
mod score;
mod units;
mod weights;
pub(crate) mod wild;

pub use fit::{BootstrapFit, Method};
pub use jackknife::{Jackknife, JackknifeFit};
pub use multiplier::MultiplierBootstrap;
pub use report::WildTestResult;
pub use resample::Resample;
pub use run::Bootstrap;
pub(crate) use score::check_options;
pub use score::{Influence, ScoreBootstrap};
pub(crate) use units::whole;
pub(crate) use weights::WeightSource;
pub use weights::WildWeights;
