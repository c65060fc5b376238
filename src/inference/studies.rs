//! Estimates with standard errors, one a row: what a meta-analysis and a portfolio of experiments read.

use super::Estimate;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};

/// The estimates of a frame, and a warning about rows without one.
///
/// # Errors
/// [`Error::OutOfRange`] for a standard error that is not positive; [`Error::Infinite`]; [`Error::NoRows`]; those of finding columns.
pub(crate) fn read(
    frame: &Frame,
    estimate: &str,
    std_error: &str,
    label: Option<&str>,
) -> Result<(Vec<Estimate>, Option<Warning>)> {
    let (values, errors) = (frame.numeric(estimate)?, frame.numeric(std_error)?);
    let labels = label.map(|name| frame.groups(name)).transpose()?;
    let mut found = Vec::with_capacity(values.values().len());
    let mut missing = [0, 0];
    for (row, (value, error)) in values
        .values()
        .iter()
        .zip(errors.values().iter())
        .enumerate()
    {
        for (count, v) in missing.iter_mut().zip([value, error]) {
            *count += usize::from(v.is_nan());
        }
        if value.is_nan() || error.is_nan() {
            continue;
        }
        let name = labels.as_ref().map_or_else(
            || (row + 1).to_string(),
            |groups| {
                (groups.levels.get(groups.codes[row] as usize))
                    .map_or_else(|| (row + 1).to_string(), ToString::to_string)
            },
        );
        check(&name, *value, *error, row, [estimate, std_error])?;
        found.push(Estimate {
            name,
            estimate: *value,
            std_error: *error,
            degrees_of_freedom: f64::INFINITY,
        });
    }
    let dropped = values.values().len() - found.len();
    let warning = (dropped > 0).then(|| Warning::RowsDropped {
        dropped,
        missing: [estimate, std_error]
            .into_iter()
            .zip(missing)
            .filter(|(_, n)| *n > 0)
            .map(|(name, n)| (name.to_owned(), n))
            .collect(),
    });
    Ok((found, warning))
}

/// Refuses what is no estimate with a standard error.
pub(crate) fn check(
    name: &str,
    value: f64,
    error: f64,
    row: usize,
    columns: [&str; 2],
) -> Result<()> {
    if !value.powi(2).is_finite() {
        return Err(Error::OutOfRange {
            column: columns[0].to_owned(),
            row: row + 1,
            value,
            expected: format!("a finite estimate whose square is finite (study {name})"),
        });
    }
    if !(error > 0.0 && error.powi(2).is_normal()) {
        return Err(Error::OutOfRange {
            column: columns[1].to_owned(),
            row: row + 1,
            value: error,
            expected: format!(
                "a positive, finite standard error whose square is a number in range (study {name}); choose a unit nearer to the effects"
            ),
        });
    }
    Ok(())
}

/// Gives a plan over columns of estimates and of their standard errors, with fields `estimate`, `std_error`, `label` and `level` and a method `pool` of
/// estimates, what all of them have.
macro_rules! from_studies {
    ($type:ident, $fit:ident) => {
        impl $type {
            /// A column with the names of the rows.
            pub fn label(mut self, column: impl Into<String>) -> Self {
                self.label = Some(column.into());
                self
            }

            /// The level of all intervals.
            pub fn level(mut self, level: f64) -> Self {
                self.level = level;
                self
            }

            /// Takes the rows of a frame.
            ///
            /// # Errors
            #[doc = concat!("See [`", stringify!($type), "`].")]
            pub fn fit(&self, frame: &$crate::data::Frame) -> $crate::error::Result<$fit> {
                let (found, warning) = $crate::inference::studies::read(
                    frame,
                    &self.estimate,
                    &self.std_error,
                    self.label.as_deref(),
                )?;
                self.pool(&found, warning.into_iter().collect())
            }

            /// Takes estimates at hand, such as one effect of several fits; the columns that were named are not used.
            ///
            /// # Errors
            #[doc = concat!("See [`", stringify!($type), "`].")]
            pub fn fit_estimates(
                &self,
                estimates: &[$crate::inference::Estimate],
            ) -> $crate::error::Result<$fit> {
                for (row, e) in estimates.iter().enumerate() {
                    $crate::inference::studies::check(
                        &e.name,
                        e.estimate,
                        e.std_error,
                        row,
                        ["estimates", "std_error"],
                    )?;
                }
                self.pool(estimates, Vec::new())
            }
        }
    };
}
pub(crate) use from_studies;
