//! The jackknife of any statistic of a frame: one unit, group or cluster left out at a time.

use super::resample::{Drawn, Resample};
use super::units::Units;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::{Inference, coefficient_table};
use crate::numeric::permutation::shuffle;
use crate::numeric::{Seed, blocks};
use crate::report::Table;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The jackknife: `V = (G − 1)/G Σ_g (θ̂₍g₎ − θ̄)(θ̂₍g₎ − θ̄)'` over the G samples with one part left out, `θ̄` their mean, and the bias
/// `(G − 1)(θ̄ − θ̂)`. Valid for smooth statistics, not for quantiles. Leaving out clusters is the same variance as CV3J of
/// MacKinnon, Nielsen & Webb (2023); tests use t(G − 1).
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// let fit = Jackknife::delete_one().run(&frame, |r| Ok(vec![r.mean("re78")?]))?;
/// let regression = Ols::new("re78 ~ 1").covariance(Covariance::Classical).fit(&frame)?;
/// assert!((fit.std_errors()[0] / regression.std_error("(Intercept)")? - 1.0).abs() < 1e-9); // exact for a mean
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::TooFewClusters`], [`Error::MissingClusters`], [`Error::InvalidOption`] for fewer than two groups or more than rows, and
/// whatever the statistic says of any of the samples.
///
/// # References
/// Efron & Tibshirani (1993), chapter 11; MacKinnon, Nielsen & Webb (2023), *Journal of Applied Econometrics* 38(5),
/// doi:10.1002/jae.2969.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Jackknife {
    parts: Leave,
    names: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Leave {
    One,
    Groups(usize, Seed),
    Cluster(String),
}

impl Jackknife {
    fn of(parts: Leave) -> Self {
        Self {
            parts,
            names: vec![],
        }
    }

    /// Leaves out one row at a time.
    pub fn delete_one() -> Self {
        Self::of(Leave::One)
    }

    /// Leaves out one of `count` random groups of rows at a time.
    pub fn delete_group(count: usize, seed: impl Into<Seed>) -> Self {
        Self::of(Leave::Groups(count, seed.into()))
    }

    /// Leaves out one cluster at a time.
    pub fn cluster(column: impl Into<String>) -> Self {
        Self::of(Leave::Cluster(column.into()))
    }

    /// Names the statistics.
    pub fn names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Runs the statistic on the frame and on every sample with a part left out.
    ///
    /// # Errors
    /// See [`Jackknife`].
    pub fn run(
        &self,
        frame: &Frame,
        statistic: impl Fn(&Resample<'_>) -> Result<Vec<f64>> + Sync,
    ) -> Result<JackknifeFit> {
        let cluster = match &self.parts {
            Leave::Cluster(column) => Some(column.as_str()),
            _ => None,
        };
        let units = Units::new(frame, cluster, None)?;
        let (most, seed) = match self.parts {
            Leave::Groups(count, seed) => (count, seed),
            _ => (units.count, Seed::new(0)), // every unit is left out alone: nothing is drawn
        };
        if most < 2 || most > units.count {
            return Err(Error::invalid_option(
                "groups of the jackknife",
                most,
                format!("between 2 and {}", units.count),
            ));
        }
        let estimates = statistic(&Resample::new(frame, &units, Drawn::Original, None))?;
        let size = estimates.len();
        let leave = LeaveOut::new(&units, most, seed.child("jackknife"));
        let values: Vec<Vec<f64>> = blocks::map(leave.parts, |i| {
            let drawn = leave.drawn(&units, frame.rows(), i);
            statistic(&Resample::new(frame, &units, drawn, None))
        })
        .into_iter()
        .collect::<Result<_>>()?;
        if values.iter().any(|v| v.len() != size) {
            return Err(Error::LengthMismatch {
                column: "the statistics of a jackknife sample".to_owned(),
                expected: size,
                found: values
                    .iter()
                    .map(Vec::len)
                    .find(|l| *l != size)
                    .unwrap_or(0),
            });
        }
        if !values
            .iter()
            .flatten()
            .chain(&estimates)
            .all(|v| v.is_finite())
        {
            return Err(Error::NotFinite {
                what: "the statistic of a jackknife sample".to_owned(),
            });
        }
        let names = if self.names.is_empty() {
            (1..=size).map(|i| format!("statistic {i}")).collect()
        } else {
            self.names.clone()
        };
        if names.len() != size {
            return Err(Error::LengthMismatch {
                column: "names of the statistics".to_owned(),
                expected: size,
                found: names.len(),
            });
        }
        let g = values.len() as f64;
        let matrix = DMatrix::from_fn(values.len(), size, |i, j| values[i][j]);
        let mean = matrix.row_mean();
        let gaps = DMatrix::from_fn(values.len(), size, |i, j| matrix[(i, j)] - mean[j]);
        let estimates = DVector::from_vec(estimates);
        Ok(JackknifeFit {
            bias: (mean.transpose() - &estimates) * (g - 1.0),
            covariance: gaps.transpose() * &gaps * ((g - 1.0) / g),
            names,
            estimates,
            groups: values.len(),
        })
    }
}

/// Which part each unit is left out with: units alone, or at most `most` random groups when there are more.
pub(super) struct LeaveOut {
    part: Vec<u32>,
    /// Number of parts.
    pub(super) parts: usize,
}

impl LeaveOut {
    pub(super) fn new(units: &Units, most: usize, seed: Seed) -> Self {
        let parts = most.min(units.count);
        let mut part: Vec<u32> = (0..units.count).map(|i| (i % parts) as u32).collect();
        if parts < units.count {
            shuffle(&mut part, &mut seed.stream(0));
        }
        Self { part, parts }
    }

    /// The sample without a part.
    pub(super) fn drawn(&self, units: &Units, rows: usize, out: usize) -> Drawn {
        let counts = self
            .part
            .iter()
            .map(|p| u32::from(*p as usize != out))
            .collect();
        Drawn::Counts(units.row_counts(rows, counts))
    }
}

/// Estimates with their jackknife covariance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JackknifeFit {
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    bias: DVector<f64>,
    groups: usize,
}

impl Inference for JackknifeFit {
    crate::inference::fields::inference_of_fields!();

    fn degrees_of_freedom(&self, _: &DVector<f64>) -> f64 {
        (self.groups - 1) as f64
    }

    fn table(&self) -> Table {
        coefficient_table(self)
            .with_title("Jackknife")
            .note(format!("{} samples with a part left out", self.groups))
    }
}

impl JackknifeFit {
    /// The jackknife estimate of the bias of each estimate.
    pub fn bias(&self) -> &DVector<f64> {
        &self.bias
    }

    /// Number of samples with a part left out.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for JackknifeFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(JackknifeFit);
