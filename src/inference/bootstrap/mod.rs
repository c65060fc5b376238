//! The bootstrap and the jackknife of any statistic of a frame.

mod draw;
mod fit;
mod interval;
mod jackknife;
mod mean;
mod resample;
mod run;
pub(crate) mod score;
mod units;

pub use fit::{BootstrapFit, Method};
pub use jackknife::{Jackknife, JackknifeFit};
pub use resample::Resample;
pub use run::Bootstrap;
