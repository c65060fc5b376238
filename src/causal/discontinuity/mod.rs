//! Effects of rules with a cutoff: regression discontinuity.

mod bandwidth;
mod checks;
mod cutoffs;
mod density;
mod density_fit;
mod density_window;
mod estimate;
mod honest;
mod local;
mod local_randomization;
mod mccrary;
mod observed;
mod options;
mod plot;
mod regression_discontinuity;
mod regression_discontinuity_fit;
mod side;

pub use bandwidth::DiscontinuityBandwidths;
pub use checks::{DiscontinuityCheck, DiscontinuityChecks};
pub use cutoffs::MultipleCutoffsFit;
pub use density::{DensityBandwidthRule, DiscontinuityDensity};
pub use density_fit::{DensityCurve, DiscontinuityDensityFit};
pub use honest::HonestDiscontinuity;
pub use local_randomization::{LocalRandomization, LocalRandomizationFit, RandomizationWindow};
pub use mccrary::{McCraryFit, McCraryTest};
pub use options::{BandwidthRule, LocalKernel, MassPoints, ResidualVariance};
pub use plot::{
    BinRule, DiscontinuityBin, DiscontinuityCurve, DiscontinuityPlot, DiscontinuityPlotFit,
};
pub use regression_discontinuity::RegressionDiscontinuity;
pub use regression_discontinuity_fit::{DiscontinuityJumps, RegressionDiscontinuityFit};
