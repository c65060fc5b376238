//! Effects of peers: outcomes that depend on those of others.

mod linear_in_means;

pub use linear_in_means::{LinearInMeans, LinearInMeansFit};
