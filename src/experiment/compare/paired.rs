//! Two means of the same units.

use super::location::{Location, Margin};
use super::means::Mean;
use super::result::{Comparison, ComparisonArm};
use super::sample::{Options, Pairs, needs_rows, pairs};
use super::standardized::standardized;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::{Alternative, check_level};
use serde::{Deserialize, Serialize};

/// The paired t test: `θ = E[first − second]` for two measurements of every unit, with Cohen's d and Hedges' g over the standard deviation of the
/// differences.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `null` | 0 | the mean difference under the null hypothesis | finite |
/// | `alternative` | two-sided | side of tests and intervals | see [`Alternative`] |
/// | `level` | 0.95 | confidence | (0, 1) |
/// | `equivalence`, `non_inferiority` | off | margins, as for [`TwoMeans`](super::TwoMeans) | see there |
///
/// Units are independent; their differences are normal or many. Units with a missing measurement are left out with a warning.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::new().with("after", vec![5.0, 7.0, 6.0, 9.0])?.with("before", vec![4.0, 5.0, 6.0, 6.0])?;
/// let fit = PairedMeans::new("after", "before").fit(&frame)?;
/// assert!((fit.effect("mean difference")?.estimate - 1.5).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::ColumnNotFound`], [`Error::WrongKind`], [`Error::Infinite`]; [`Error::LengthMismatch`]; [`Error::Unidentified`] with fewer than two
/// units or differences that do not vary; [`Error::InvalidOption`].
///
/// # References
/// Student (1908), doi:10.1093/biomet/6.1.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedMeans {
    options: Options,
    null: f64,
    margin: Option<Margin>,
    standardized: bool,
}

impl PairedMeans {
    /// Compares the means of two columns.
    pub fn new(first: impl Into<String>, second: impl Into<String>) -> Self {
        Self {
            options: Options::new(first, second),
            null: 0.0,
            margin: None,
            standardized: false,
        }
    }

    /// The mean difference under the null hypothesis.
    pub fn null(mut self, difference: f64) -> Self {
        self.null = difference;
        self
    }

    /// Also tests that the mean difference lies between the margins (TOST).
    pub fn equivalence(mut self, lower: f64, upper: f64) -> Self {
        self.margin = Some(Margin::Equivalence { lower, upper });
        self
    }

    /// Also tests that the first is worse by less than the margin.
    pub fn non_inferiority(mut self, margin: f64) -> Self {
        self.margin = Some(Margin::NonInferiority { margin });
        self
    }

    /// Also gives Cohen's d and Hedges' g, as [`TwoMeans::standardized`](super::TwoMeans::standardized).
    pub fn standardized(mut self) -> Self {
        self.standardized = true;
        self
    }

    fn run(&self, pairs: &Pairs) -> Result<Comparison> {
        self.margin.map_or(Ok(()), Margin::check)?;
        if !self.null.is_finite() {
            return Err(Error::invalid_option("null", self.null, "finite"));
        }
        let differences = pairs.differences();
        needs_rows(&pairs.contrast(), &differences, 2)?;
        let mean = Mean::of(&differences);
        if mean.variance <= 0.0 {
            return Err(Error::Unidentified {
                what: format!("the standard error of {}", pairs.contrast()),
                needs: "differences that are not all equal".to_owned(),
            });
        }
        let location = Location {
            estimate: mean.mean,
            std_error: (mean.variance / mean.rows).sqrt(),
            df: mean.rows - 1.0,
        };
        let (level, alternative) = (self.options.level, self.options.alternative);
        let (title, name) = ("paired t test", "mean difference");
        let mut tests = vec![location.test(title, self.null, alternative)];
        tests.extend(self.margin.into_iter().flat_map(|m| m.tests(&location)));
        let mut effects = vec![location.effect(name, "t", level, alternative)];
        effects.extend(self.margin.and_then(|m| m.effect(&location, name, level)));
        if self.standardized {
            let t = location.estimate / location.std_error;
            effects.extend(standardized(t, location.df, mean.rows, level, alternative)?);
        }
        let arm = |name: &String, values: &[f64]| ComparisonArm {
            name: name.clone(),
            rows: values.len() as u64,
            location: Mean::of(values).mean,
        };
        Ok(Comparison {
            title: format!("Paired t test: {}", pairs.contrast()),
            location: "Mean".to_owned(),
            arms: vec![
                arm(&pairs.names[0], &pairs.first),
                arm(&pairs.names[1], &pairs.second),
            ],
            effects,
            tests,
            warnings: pairs.warnings.clone(),
        })
    }
}

pairs!(PairedMeans);
