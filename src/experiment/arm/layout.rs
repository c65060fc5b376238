//! Which columns say who was assigned to what, and the codes of those columns in a frame.

use super::pass::Coded;
use crate::data::{Column, Frame, Groups, MISSING};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The columns of the design.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    pub(crate) variant: String,
    pub(crate) strata: Option<String>,
    pub(crate) clusters: Option<String>,
    pub(crate) trigger: Option<String>,
}

/// The codes of a column: in place when it is a label, else made.
pub(crate) enum Codes<'a> {
    Label(&'a [u32], Vec<String>),
    Made(Groups),
}

impl<'a> Codes<'a> {
    pub(crate) fn of(name: &str, frame: &'a Frame) -> Result<Self> {
        Ok(match frame.column(name)? {
            Column::Label(label) => Self::Label(label.codes(), label.levels().to_vec()),
            other => Self::Made(other.groups(name)),
        })
    }

    pub(crate) fn codes(&self) -> &[u32] {
        match self {
            Self::Label(codes, _) => codes,
            Self::Made(groups) => &groups.codes,
        }
    }

    pub(crate) fn levels(&self) -> &[String] {
        match self {
            Self::Label(_, levels) => levels,
            Self::Made(groups) => &groups.levels,
        }
    }

    /// The codes with the group of each, in a list of names to which new ones are added.
    pub(crate) fn coded(&self, known: &mut Vec<String>) -> Coded<'_> {
        let groups = self.levels().iter().map(|l| position(known, l)).collect();
        Coded {
            codes: self.codes(),
            groups,
        }
    }
}

/// The position of a name, which is added when it is new.
pub(crate) fn position(known: &mut Vec<String>, name: &str) -> u32 {
    let at = known.iter().position(|k| k == name).unwrap_or_else(|| {
        known.push(name.to_owned());
        known.len() - 1
    });
    at as u32
}

/// One flag a row: whether the unit was triggered; a missing value is not.
pub(crate) fn triggered(column: &str, frame: &Frame) -> Result<Vec<bool>> {
    let values = frame.numeric(column)?;
    if let Some(row) = values
        .values()
        .iter()
        .position(|v| v.abs() > 0.0 && (v - 1.0).abs() > 0.0)
    {
        return Err(Error::OutOfRange {
            column: column.to_owned(),
            row: row + 1,
            value: values.values()[row],
            expected: "0 or 1 for a trigger: whether the unit met the change".to_owned(),
        });
    }
    Ok(values.values().iter().map(|v| *v > 0.5).collect())
}

/// Refuses missing clusters on rows that are used.
pub(crate) fn check_clusters(column: &str, codes: &[u32]) -> Result<()> {
    let missing = codes.iter().filter(|c| **c == MISSING).count();
    if missing == 0 {
        return Ok(());
    }
    Err(Error::MissingClusters {
        column: column.to_owned(),
        missing,
    })
}
