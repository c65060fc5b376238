//! Choices of a local polynomial regression at a cutoff.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// # Errors
/// `InvalidOption` for a cutoff that is no finite number.
pub(super) fn check_cutoff(cutoff: f64) -> Result<()> {
    if cutoff.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_option("cutoff", cutoff, "a finite number"))
}

/// # Errors
/// `InvalidOption` for a value that is not positive and finite.
pub(super) fn check_positive<'a>(
    option: &str,
    values: impl IntoIterator<Item = &'a f64>,
) -> Result<()> {
    match (values.into_iter()).find(|value| !(**value > 0.0 && value.is_finite())) {
        Some(bad) => Err(Error::invalid_option(option, bad, "a positive number")),
        None => Ok(()),
    }
}

/// How much a row counts by its distance from the cutoff, `u = (x − c)/h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LocalKernel {
    /// `1 − |u|`: optimal at a boundary.
    #[default]
    Triangular,
    /// `1 − u²`.
    Epanechnikov,
    /// All rows within the bandwidth alike.
    Uniform,
}

impl LocalKernel {
    /// The weight, but for a factor that cancels everywhere here.
    pub(super) fn weight(self, u: f64) -> f64 {
        let u = u.abs();
        match self {
            Self::Triangular => (1.0 - u).max(0.0),
            Self::Epanechnikov => (1.0 - u * u).max(0.0),
            Self::Uniform => f64::from(u8::from(u <= 1.0)),
        }
    }

    /// `∫₀¹ K(u) u^power du`.
    pub(super) fn moment(self, power: usize) -> f64 {
        let k = power as f64;
        match self {
            Self::Triangular => 1.0 / ((k + 1.0) * (k + 2.0)),
            Self::Epanechnikov => 2.0 / ((k + 1.0) * (k + 3.0)),
            Self::Uniform => 1.0 / (k + 1.0),
        }
    }

    /// The constant of the pilot bandwidth, `C · spread · n^(−1/5)` (Silverman's rule for the kernel).
    pub(super) fn pilot_constant(self) -> f64 {
        match self {
            Self::Triangular => 2.576,
            Self::Epanechnikov => 2.34,
            Self::Uniform => 1.843,
        }
    }
}

impl fmt::Display for LocalKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Triangular => "triangular",
            Self::Epanechnikov => "Epanechnikov",
            Self::Uniform => "uniform",
        })
    }
}

/// How bandwidths are chosen: `Mse…` minimise the mean squared error of the estimate, `Cer…` the coverage error of its robust interval (Calonico, Cattaneo & Farrell 2020), which are
/// the former times `n^(−p/((3 + p)(3 + 2p)))`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BandwidthRule {
    /// One for both sides, for the difference of the sides.
    #[default]
    MseRd,
    /// One for each side.
    MseTwo,
    /// One for both sides, for the sum of the sides.
    MseSum,
    /// The smaller of `MseRd` and `MseSum`.
    MseComb1,
    /// On each side the median of `MseRd`, `MseTwo` and `MseSum`.
    MseComb2,
    /// `MseRd` for coverage.
    CerRd,
    /// `MseTwo` for coverage.
    CerTwo,
    /// `MseSum` for coverage.
    CerSum,
    /// `MseComb1` for coverage.
    CerComb1,
    /// `MseComb2` for coverage.
    CerComb2,
}

impl BandwidthRule {
    /// All rules.
    pub const ALL: [Self; 10] = [
        Self::MseRd,
        Self::MseTwo,
        Self::MseSum,
        Self::MseComb1,
        Self::MseComb2,
        Self::CerRd,
        Self::CerTwo,
        Self::CerSum,
        Self::CerComb1,
        Self::CerComb2,
    ];

    /// The rule for the error of the estimate, and whether its bandwidth is shrunk for coverage.
    pub(super) fn base(self) -> (Self, bool) {
        match self {
            Self::CerRd => (Self::MseRd, true),
            Self::CerTwo => (Self::MseTwo, true),
            Self::CerSum => (Self::MseSum, true),
            Self::CerComb1 => (Self::MseComb1, true),
            Self::CerComb2 => (Self::MseComb2, true),
            base => (base, false),
        }
    }
}

impl fmt::Display for BandwidthRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (base, coverage) = self.base();
        f.write_str(if coverage { "cer" } else { "mse" })?;
        f.write_str(match base {
            Self::MseTwo => "two",
            Self::MseSum => "sum",
            Self::MseComb1 => "comb1",
            Self::MseComb2 => "comb2",
            _ => "rd",
        })
    }
}

/// Where the variance of a row comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResidualVariance {
    /// The row against its nearest neighbours on the same side, which needs no model of the mean (Abadie & Imbens 2006). With clusters as `Hc1`.
    #[default]
    NearestNeighbour,
    /// Plug-in residuals. With clusters as `Hc1`.
    Hc0,
    /// Times n/(n − k). With clusters CR1.
    Hc1,
    /// Over `1 − leverage`. With clusters CR2 (Bell & McCaffrey 2002).
    Hc2,
    /// Over its square. With clusters CR3.
    Hc3,
}

impl ResidualVariance {
    pub(super) fn named(self, clustered: bool) -> &'static str {
        match (self, clustered) {
            (Self::NearestNeighbour, false) => "nearest neighbours",
            (Self::Hc0, false) => "HC0",
            (Self::Hc1, false) => "HC1",
            (Self::Hc2, false) => "HC2",
            (Self::Hc3, false) => "HC3",
            (Self::Hc2, true) => "CR2",
            (Self::Hc3, true) => "CR3",
            (_, true) => "CR1",
        }
    }
}

/// What is done about a running variable with repeated values. They are named in a warning when more than a fifth of a side repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MassPoints {
    /// The pilot bandwidth counts distinct values, and when many repeat bandwidths reach at least ten of them.
    #[default]
    Adjust,
    /// Only the warning.
    Check,
    /// Nothing.
    Ignore,
}
