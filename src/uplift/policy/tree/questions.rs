//! What may be asked about a column: every question is a cut between ascending bins.

use super::ranks::Ranks;
use crate::causal::units::check_column;
use crate::data::{Column, Frame, Label, MISSING};
use crate::error::{Error, Result};

/// One way to ask about a column.
#[derive(Clone, Debug)]
pub(super) struct Questions {
    /// The column's place among the features.
    pub(super) column: usize,
    /// The level of a label that is asked for: it has the lower of two bins.
    pub(super) level: Option<String>,
    /// Whether missing values are below the lowest value (and a bin of their own) or belong to the highest bin.
    pub(super) missing_left: bool,
    pub(super) ranks: Ranks,
}

/// Questions about every column: one way for numbers, one for each level of a label, and each of them twice when values are missing.
pub(super) fn questions(
    frame: &Frame,
    names: &[String],
    rows: usize,
    most: usize,
) -> Result<Vec<Questions>> {
    let mut all = Vec::with_capacity(names.len());
    for (column, name) in names.iter().enumerate() {
        let mut ask = |level: Option<String>, values: &[f64]| {
            let missing = values.iter().any(|v| v.is_nan());
            for missing_left in [false, true].into_iter().take(1 + usize::from(missing)) {
                all.push(Questions {
                    column,
                    level: level.clone(),
                    missing_left,
                    ranks: Ranks::of(values, most, missing_left),
                });
            }
        };
        match frame.column(name)? {
            Column::Label(label) => {
                check_length(name, label.codes().len(), rows)?;
                check_known(name, label.missing(), rows)?;
                for (code, level) in label.levels().iter().enumerate() {
                    // A level that no row has, or all have, is no question: it has no cut.
                    let values = is_level(label, code as u32);
                    ask(Some(level.to_owned()), &values);
                }
            }
            _ => ask(None, &numbers(frame, name, rows)?),
        }
    }
    Ok(all)
}

/// Zero for the level, one for others, NaN where the label is missing.
fn is_level(label: &Label, level: u32) -> Vec<f64> {
    let each = label.codes().iter().map(|code| match *code {
        MISSING => f64::NAN,
        code if code == level => 0.0,
        _ => 1.0,
    });
    each.collect()
}

/// A numeric column, NaN where it is missing.
fn numbers(frame: &Frame, name: &str, rows: usize) -> Result<Vec<f64>> {
    let values = frame.numeric(name)?.values().to_vec();
    check_length(name, values.len(), rows)?;
    if let Some(row) = values.iter().position(|v| v.is_infinite()) {
        return Err(Error::Infinite {
            column: name.to_owned(),
            row: row + 1,
        });
    }
    let missing = values.iter().filter(|v| v.is_nan()).count();
    check_known(name, missing, rows)?;
    Ok(values)
}

fn check_length(name: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::LengthMismatch {
        column: name.to_owned(),
        expected,
        found,
    })
}

fn check_known(name: &str, missing: usize, rows: usize) -> Result<()> {
    if missing < rows {
        return Ok(());
    }
    Err(Error::NoRows {
        reason: format!("`{name}` is missing in all of them"),
    })
}

/// The values of a column for a question that was learned: numbers as they are, a level as the zero of [`questions`]. A level that was not
/// learned is another one.
pub(super) fn values_for(
    frame: &Frame,
    name: &str,
    level: Option<&str>,
    missing: bool,
) -> Result<Vec<f64>> {
    let values = match level {
        None => frame.numeric(name)?.values().to_vec(),
        Some(level) => {
            let label = frame.label(name)?;
            let code = label.levels().iter().position(|l| l == level);
            is_level(label, code.map_or(MISSING - 1, |code| code as u32))
        }
    };
    if missing {
        return Ok(values);
    }
    // Where missing values should go was not learned.
    check_column(name, &values, frame.rows()).map(|()| values)
}
