//! Predictions of a forest and their intervals.

use crate::error::{Error, Result};
use crate::numeric::special::normal;
use crate::report::{Cell, Table, notebook};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Effects at rows with the variance of each (bootstrap of little bags): the sampling variance of the forest, not the spread of outcomes.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ForestPrediction {
    /// The estimates, one a row.
    pub estimates: Vec<f64>,
    /// Their variances; infinite where trees do not tell (bags of one tree, or a row that too few bags left out).
    #[serde(deserialize_with = "crate::numeric::infinite::all_above")]
    pub variances: Vec<f64>,
    /// Rows where trees did not determine an effect: they have the effect of all rows at once.
    pub undetermined: usize,
    /// Labels that training had not; they counted as missing.
    pub unseen: usize,
    /// Whether outcomes are predicted, not effects.
    #[serde(default)]
    pub(super) of_outcomes: bool,
}

/// Lower and upper ends, one a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForestIntervals {
    /// Confidence level of each interval by itself.
    pub level: f64,
    /// Lower ends.
    pub lower: Vec<f64>,
    /// Upper ends.
    pub upper: Vec<f64>,
}

/// The half-width of intervals in standard errors.
///
/// # Errors
/// [`Error::InvalidOption`] for a level outside (0, 1); [`Error::Unidentified`] where no variance is known.
pub(super) fn half_width<'a>(
    level: f64,
    variances: impl IntoIterator<Item = &'a f64>,
) -> Result<f64> {
    if !(level > 0.0 && level < 1.0) {
        return Err(Error::invalid_option(
            "level",
            level,
            "between 0 and 1, such as 0.95",
        ));
    }
    let mut variances = variances.into_iter().peekable();
    if variances.peek().is_some() && variances.all(|v| v.is_infinite()) {
        return Err(Error::Unidentified {
            what: "the variance of the predictions".to_owned(),
            needs:
                "bags of at least two trees, .bag_size(2), and several bags that left each row out"
                    .to_owned(),
        });
    }
    Ok(normal::quantile(0.5 + level / 2.0))
}

/// Notes on the rows of a prediction; those that trees did not determine have `instead`.
pub(super) fn told(table: Table, undetermined: usize, instead: &str, unseen: usize) -> Table {
    let mut table = table;
    if undetermined > 0 {
        table = table.note(format!(
            "{} rows without trees to tell have {instead} at once",
            Cell::count(undetermined)
        ));
    }
    if unseen > 0 {
        table = table.note(format!(
            "{} labels that training had not count as missing",
            Cell::count(unseen)
        ));
    }
    table
}

impl ForestPrediction {
    /// Standard errors.
    pub fn std_errors(&self) -> Vec<f64> {
        self.variances.iter().map(|v| v.sqrt()).collect()
    }

    /// Pointwise intervals `estimate ± z · std. error`. They hold for the forest's expectation at each point; where the effect changes
    /// faster than leaves can follow, the bias comes on top. With few trees they are too long, since a variance that is told with noise is kept positive:
    /// more trees, or the same trees in larger bags (`.bag_size(10)`), tell it better.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a level outside (0, 1); [`Error::Unidentified`] without variances.
    pub fn intervals(&self, level: f64) -> Result<ForestIntervals> {
        let z = half_width(level, &self.variances)?;
        let end = |sign: f64| {
            let pairs = self.estimates.iter().zip(&self.variances);
            pairs.map(|(e, v)| e + sign * z * v.sqrt()).collect()
        };
        Ok(ForestIntervals {
            level,
            lower: end(-1.0),
            upper: end(1.0),
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.estimates.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.estimates.is_empty()
    }

    /// How the estimates are spread, and their median standard error.
    pub fn table(&self) -> Table {
        let mut sorted = self.estimates.clone();
        sorted.sort_by(f64::total_cmp);
        let mut errors = self.std_errors();
        errors.sort_by(f64::total_cmp);
        let at = |values: &[f64], p: f64| {
            let last = values.len().saturating_sub(1) as f64;
            values.get((p * last).round() as usize).copied()
        };
        let mean = self.estimates.iter().sum::<f64>() / self.len().max(1) as f64;
        let (title, what) = if self.of_outcomes {
            ("Predicted outcomes", "outcome")
        } else {
            ("Predicted effects", "effect")
        };
        let column = if self.of_outcomes {
            "Outcome"
        } else {
            "Effect"
        };
        let mut table = Table::new(title).columns(["", column]);
        table = table.row([Cell::from("mean"), Cell::significant(mean, DIGITS)]);
        for (name, p) in QUANTILES {
            let value = at(&sorted, p).unwrap_or(f64::NAN);
            table = table.row([Cell::from(name), Cell::significant(value, DIGITS)]);
        }
        let error = at(&errors, 0.5).unwrap_or(f64::NAN);
        let table = table.note(format!(
            "{} rows; median std. error {}",
            Cell::count(self.len()),
            Cell::significant(error, DIGITS)
        ));
        told(
            table,
            self.undetermined,
            &format!("the {what} of all rows"),
            self.unseen,
        )
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

/// Digits shown.
const DIGITS: usize = 4;
/// Quantiles shown.
const QUANTILES: [(&str, f64); 5] = [
    ("smallest", 0.0),
    ("lower quartile", 0.25),
    ("median", 0.5),
    ("upper quartile", 0.75),
    ("largest", 1.0),
];

impl fmt::Display for ForestPrediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

impl fmt::Debug for ForestPrediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForestPrediction")
            .field("rows", &self.len())
            .field("undetermined", &self.undetermined)
            .field("unseen", &self.unseen)
            .finish()
    }
}

notebook!(ForestPrediction);
