//! Resampling of fitted linear models: wild (cluster), score and residual bootstrap; the chart of Lin, Lucas & Shmueli.

mod large_sample;
mod residual;
mod wild;

pub use large_sample::{SampleSizeChart, SampleSizeFit, SampleSizePoint};
pub use residual::ResidualBootstrap;
pub use wild::WildBootstrap;
