//! What a reader of the numbers must know although nothing failed.

use std::fmt;

/// Something that did not stop the fit but that a reader of its numbers must know. Carried by every result and printed
/// under its table.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Warning {
    /// Rows left out because a used column is missing there.
    RowsDropped {
        /// Rows left out.
        dropped: usize,
        /// Each column with the number of its missing values.
        missing: Vec<(String, usize)>,
    },
    /// Regressors left out because they are linear combinations of those before them.
    Collinear {
        /// The dropped columns.
        columns: Vec<String>,
    },
    /// Regressors left out because they do not vary (within the fixed effects).
    Constant {
        /// The dropped columns.
        columns: Vec<String>,
    },
    /// Groups of one row, which a fixed effect fits perfectly, left out.
    Singletons {
        /// Rows left out.
        dropped: usize,
    },
    /// Fewer clusters than asymptotics want.
    FewClusters {
        /// The cluster column.
        column: String,
        /// Clusters.
        clusters: usize,
    },
    /// Weak instruments.
    WeakInstruments {
        /// The effective F statistic.
        effective_f: f64,
        /// Its critical value.
        critical: f64,
    },
    /// Propensities so near zero that single rows would decide the estimate.
    PoorOverlap {
        /// The arm.
        arm: String,
        /// Rows whose propensity was raised to the bound.
        rows: usize,
        /// The smallest propensity before.
        smallest: f64,
        /// The bound.
        bound: f64,
    },
    /// A covariance that had to be made positive semi-definite.
    CovarianceAdjusted {
        /// Smallest eigenvalue before, relative to the largest.
        smallest: f64,
    },
    /// Anything else worth a sentence.
    Note {
        /// The sentence.
        message: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RowsDropped { dropped, missing } => {
                let list: Vec<String> = missing
                    .iter()
                    .map(|(name, n)| format!("`{name}` {n}"))
                    .collect();
                write!(
                    f,
                    "{dropped} rows dropped for missing values ({})",
                    list.join(", ")
                )
            }
            Self::Collinear { columns } => write!(
                f,
                "dropped as linear combinations of earlier columns: {}",
                columns.join(", ")
            ),
            Self::Constant { columns } => {
                write!(f, "dropped because constant: {}", columns.join(", "))
            }
            Self::Singletons { dropped } => {
                write!(f, "{dropped} singleton rows dropped from the fixed effects")
            }
            Self::FewClusters { column, clusters } => write!(
                f,
                "only {clusters} clusters in `{column}`: cluster-robust errors tend to be too small; use Covariance::cr2"
            ),
            Self::WeakInstruments {
                effective_f,
                critical,
            } => write!(
                f,
                "weak instruments: effective F = {effective_f:.2}, below its critical value {critical:.2}; report the Anderson–Rubin set"
            ),
            Self::PoorOverlap {
                arm,
                rows,
                smallest,
                bound,
            } => write!(
                f,
                "poor overlap: the propensity of arm `{arm}` is below {bound} on {rows} rows (smallest {smallest:.1e}) and was raised to it; trim such rows, or report the effect in the overlap"
            ),
            Self::CovarianceAdjusted { smallest } => write!(
                f,
                "the covariance had a negative eigenvalue ({smallest:.1e} of the largest), set to zero"
            ),
            Self::Note { message } => write!(f, "{message}"),
        }
    }
}
