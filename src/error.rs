//! What can go wrong, and what to do about it: one error type and one warning type for the whole crate.

mod nearest;
mod warning;

pub use nearest::nearest_name;
pub use warning::Warning;

use std::fmt;

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every way a call can be refused. `Display` is a full sentence that names the column, the row (1-based, counted in
/// data rows), the value and the remedy.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// A column that the frame does not have.
    ColumnNotFound {
        /// The name that was asked for.
        column: String,
        /// The closest existing name, when one is close.
        nearest: Option<String>,
        /// The names that exist.
        available: Vec<String>,
    },
    /// The same column name twice.
    DuplicateColumn {
        /// The repeated name.
        column: String,
    },
    /// A column whose length differs from the frame's.
    LengthMismatch {
        /// The column.
        column: String,
        /// Rows of the frame.
        expected: usize,
        /// Length of the column.
        found: usize,
    },
    /// A column of a kind that cannot serve here.
    WrongKind {
        /// The column.
        column: String,
        /// What is needed, e.g. `a numeric column`.
        expected: String,
        /// What the column is, with an example value, e.g. `label (row 3 is "blue")`.
        found: String,
        /// What to do instead.
        remedy: String,
    },
    /// A file that cannot be opened or read.
    Io {
        /// The path.
        path: String,
        /// What the system said.
        message: String,
    },
    /// A file without a header or without any row.
    EmptyFile {
        /// The path, or `<memory>`.
        path: String,
    },
    /// A CSV row with another number of fields than the header.
    RaggedRow {
        /// The path, or `<memory>`.
        path: String,
        /// The data row, from 1.
        row: usize,
        /// The line of the file, from 1.
        line: usize,
        /// Fields in the header.
        expected: usize,
        /// Fields in this row.
        found: usize,
    },
    /// A CSV field that does not parse as what its column was declared to be, or broken quoting or encoding.
    BadField {
        /// The path, or `<memory>`.
        path: String,
        /// The column.
        column: String,
        /// The data row, from 1.
        row: usize,
        /// The text found.
        value: String,
        /// What is wrong and the remedy.
        message: String,
    },
    /// Records that cannot be turned into a table, or a value that cannot be serialised.
    Serialization {
        /// What went wrong.
        message: String,
    },
    /// A formula that does not parse; `Display` points at the character.
    Formula {
        /// The whole formula.
        formula: String,
        /// The character (not byte) position, from 0.
        position: usize,
        /// What is wrong and what was expected.
        message: String,
    },
    /// No rows are left to estimate with.
    NoRows {
        /// Why, naming the columns that emptied the sample.
        reason: String,
    },
    /// An infinite value where a finite one is needed.
    Infinite {
        /// The column or term.
        column: String,
        /// The data row, from 1.
        row: usize,
    },
    /// A weight, offset or other input outside its range.
    OutOfRange {
        /// The column or term.
        column: String,
        /// The data row, from 1.
        row: usize,
        /// The value found.
        value: f64,
        /// What is allowed.
        expected: String,
    },
    /// A quantity that the data or the assumptions do not identify.
    Unidentified {
        /// What is not identified.
        what: String,
        /// What would identify it.
        needs: String,
    },
    /// Too few rows for the number of parameters.
    TooFewRows {
        /// Rows used.
        rows: usize,
        /// Parameters, absorbed effects included.
        parameters: usize,
    },
    /// Too few clusters for a cluster-robust covariance.
    TooFewClusters {
        /// The cluster column.
        column: String,
        /// Clusters found.
        clusters: usize,
    },
    /// A cluster or time column with missing values on rows that the fit uses.
    MissingClusters {
        /// The cluster column.
        column: String,
        /// How many.
        missing: usize,
    },
    /// A likelihood without a maximum: a combination of regressors tells the outcomes of some rows without error.
    Separated {
        /// The regressors in that combination.
        columns: Vec<String>,
        /// Rows whose outcome it tells.
        rows: usize,
        /// Whether these are all rows.
        complete: bool,
        /// What to do.
        remedy: String,
    },
    /// An iteration that did not reach its tolerance.
    NotConverged {
        /// The algorithm and model.
        what: String,
        /// Iterations done.
        iterations: usize,
        /// The criterion reached.
        criterion: f64,
        /// The tolerance asked for.
        tolerance: f64,
        /// What to try.
        remedy: String,
    },
    /// An option outside its range.
    InvalidOption {
        /// The option.
        option: String,
        /// The value given.
        value: String,
        /// What is allowed.
        expected: String,
    },
    /// A stochastic procedure without a seed.
    SeedRequired {
        /// The estimator or procedure.
        what: String,
    },
    /// A second pass was asked of a fit whose rows were not kept.
    DataNotKept {
        /// What was asked.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// A coefficient that the fit does not have.
    UnknownCoefficient {
        /// The name that was asked for.
        name: String,
        /// The closest existing name, when one is close.
        nearest: Option<String>,
        /// The names that exist.
        available: Vec<String>,
    },
    /// A bundled data set that does not exist.
    UnknownDataset {
        /// The name that was asked for.
        name: String,
        /// The closest existing name, when one is close.
        nearest: Option<String>,
        /// The names that exist.
        available: Vec<String>,
    },
    /// A matrix that must be positive definite and is not, or a dimension that does not fit.
    Matrix {
        /// What is wrong.
        message: String,
    },
    /// A function evaluated to something that is not a number.
    NotFinite {
        /// The quantity.
        what: String,
    },
    /// The caller's progress callback asked to stop.
    Cancelled {
        /// The work that was stopped.
        what: String,
    },
}

impl Error {
    /// A [`Error::ColumnNotFound`] with the nearest of the available names.
    pub(crate) fn column_not_found(column: &str, available: &[String]) -> Self {
        Self::ColumnNotFound {
            column: column.to_owned(),
            nearest: nearest_name(column, available),
            available: available.to_vec(),
        }
    }

    /// A [`Error::WrongKind`] with a remedy that fits the place, made from the column's name; other errors as they are.
    pub(crate) fn with_remedy(mut self, make: impl FnOnce(&str) -> String) -> Self {
        if let Self::WrongKind { column, remedy, .. } = &mut self {
            *remedy = make(column);
        }
        self
    }

    /// An [`Error::InvalidOption`].
    pub(crate) fn invalid_option(
        option: &str,
        value: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self::InvalidOption {
            option: option.to_owned(),
            value: value.to_string(),
            expected: expected.into(),
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ColumnNotFound {
                column,
                nearest,
                available,
            } => {
                write!(f, "there is no column `{column}`")?;
                hint(f, nearest.as_deref(), available, "the columns are")
            }
            Self::DuplicateColumn { column } => {
                write!(
                    f,
                    "the column name `{column}` occurs twice; rename one of them"
                )
            }
            Self::LengthMismatch {
                column,
                expected,
                found,
            } => write!(
                f,
                "column `{column}` has {found} rows where {expected} are expected; all columns of a frame have one length"
            ),
            Self::WrongKind {
                column,
                expected,
                found,
                remedy,
            } => write!(
                f,
                "column `{column}` must be {expected} but is {found}; {remedy}"
            ),
            Self::Io { path, message } => {
                write!(
                    f,
                    "cannot read or write `{path}`: {message}; check the path and its permissions"
                )
            }
            Self::EmptyFile { path } => {
                write!(
                    f,
                    "`{path}` has no data; a header line and at least one row are needed"
                )
            }
            Self::RaggedRow {
                path,
                row,
                line,
                expected,
                found,
            } => write!(
                f,
                "`{path}`, row {row} (line {line}) has {found} fields where the header has {expected}; check the separator and the quoting"
            ),
            Self::BadField {
                path,
                column,
                row,
                value,
                message,
            } => {
                write!(
                    f,
                    "`{path}`, row {row}, column `{column}`: {value:?} {message}"
                )
            }
            Self::Serialization { message } | Self::Matrix { message } => write!(f, "{message}"),
            Self::Formula {
                formula,
                position,
                message,
            } => {
                let pad: String = " ".repeat(*position);
                write!(
                    f,
                    "the formula does not parse at character {}: {message}\n  {formula}\n  {pad}^",
                    position + 1
                )
            }
            Self::NoRows { reason } => write!(f, "no rows are left to estimate with: {reason}"),
            Self::Infinite { column, row } => write!(
                f,
                "`{column}` is infinite in row {row}; remove the row or transform the column (log of zero?)"
            ),
            Self::OutOfRange {
                column,
                row,
                value,
                expected,
            } => {
                write!(
                    f,
                    "`{column}` is {value} in row {row}; it must be {expected}"
                )
            }
            Self::Unidentified { what, needs } => {
                write!(f, "{what} is not identified: it needs {needs}")
            }
            Self::TooFewRows { rows, parameters } => write!(
                f,
                "{rows} rows cannot identify {parameters} parameters and leave a residual; use fewer regressors or more rows"
            ),
            Self::TooFewClusters { column, clusters } => write!(
                f,
                "`{column}` has {clusters} cluster{}; a cluster-robust covariance needs at least 2 (and many more to be reliable)",
                if *clusters == 1 { "" } else { "s" }
            ),
            Self::MissingClusters { column, missing } => write!(
                f,
                "`{column}` is missing on {missing} rows that the fit uses; drop those rows first or give them a cluster of their own"
            ),
            Self::Separated {
                columns,
                rows,
                complete,
                remedy,
            } => write!(
                f,
                "the likelihood has no maximum: {} {} the outcome of {} (separation); {remedy}",
                if columns.is_empty() {
                    "the constant".to_owned()
                } else {
                    columns.join(", ")
                },
                if columns.len() > 1 { "tell" } else { "tells" },
                if *complete {
                    "all rows".to_owned()
                } else {
                    format!("{rows} rows")
                },
            ),
            Self::NotConverged {
                what,
                iterations,
                criterion,
                tolerance,
                remedy,
            } => write!(
                f,
                "{what} did not converge in {iterations} iterations (criterion {criterion:.3e}, tolerance {tolerance:.1e}); {remedy}"
            ),
            Self::InvalidOption {
                option,
                value,
                expected,
            } => {
                write!(f, "option `{option}` is {value}; it must be {expected}")
            }
            Self::SeedRequired { what } => write!(
                f,
                "{what} draws random numbers and needs a seed so that others can repeat it; add `.seed(7)`"
            ),
            Self::DataNotKept { what, remedy } => {
                write!(f, "{what} needs the rows, which were not kept; {remedy}")
            }
            Self::UnknownCoefficient {
                name,
                nearest,
                available,
            } => {
                write!(f, "there is no coefficient `{name}`")?;
                hint(f, nearest.as_deref(), available, "the coefficients are")
            }
            Self::UnknownDataset {
                name,
                nearest,
                available,
            } => {
                write!(f, "there is no bundled data set `{name}`")?;
                hint(f, nearest.as_deref(), available, "the data sets are")
            }
            Self::NotFinite { what } => write!(f, "{what} is not a finite number"),
            Self::Cancelled { what } => write!(f, "{what} was cancelled before it finished"),
        }
    }
}

/// Writes "; did you mean …" or the list of what exists.
fn hint(
    f: &mut fmt::Formatter<'_>,
    nearest: Option<&str>,
    available: &[String],
    lead: &str,
) -> fmt::Result {
    const SHOWN: usize = 12;
    if let Some(name) = nearest {
        return write!(f, "; did you mean `{name}`?");
    }
    if available.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = available
        .iter()
        .take(SHOWN)
        .map(|n| format!("`{n}`"))
        .collect();
    write!(f, "; {lead} {}", shown.join(", "))?;
    if available.len() > SHOWN {
        write!(f, " and {} more", available.len() - SHOWN)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name() {
        let names = vec!["educ".to_owned(), "exper".to_owned()];
        assert_eq!(nearest_name("edcu", &names), Some("educ".to_owned()));
        assert_eq!(nearest_name("wage", &names), None);
        let text = Error::column_not_found("edcu", &names).to_string();
        assert_eq!(text, "there is no column `edcu`; did you mean `educ`?");
    }

    #[test]
    fn the_formula_error_points_at_the_character() {
        let error = Error::Formula {
            formula: "y ~ + x".into(),
            position: 4,
            message: "expected a term".into(),
        };
        assert!(error.to_string().ends_with("  y ~ + x\n      ^"));
    }
}
