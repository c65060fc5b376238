//! The stages of a funnel row by row, with what cannot be refused.

use crate::data::Frame;
use crate::error::{Error, Result};

/// Who passed which stage.
pub(crate) struct Stages {
    /// One vector a stage, one entry a row of the frame: 1 where it was passed, else 0.
    pub(crate) passed: Vec<Vec<f64>>,
    /// Whether all is known of the row.
    pub(crate) known: Vec<bool>,
    /// Rows of which it is not known whether they passed a stage that they reached.
    pub(crate) unknown: usize,
}

impl Stages {
    pub(crate) fn read(names: &[String], frame: &Frame) -> Result<Self> {
        if names.len() < 2 {
            return Err(Error::invalid_option(
                "stages",
                names.len(),
                "at least two stages in order, such as start, finish and buy",
            ));
        }
        let columns = names
            .iter()
            .map(|name| frame.numeric(name))
            .collect::<Result<Vec<_>>>()?;
        let rows = frame.rows();
        let mut passed = vec![vec![0.0; rows]; names.len()];
        let mut known = vec![true; rows];
        for row in 0..rows {
            let mut reached = true;
            for (k, column) in columns.iter().enumerate() {
                let y = column.values()[row];
                let one = (y - 1.0).abs() <= 0.0;
                let refuse = |expected: String| {
                    Err(Error::OutOfRange {
                        column: names[k].clone(),
                        row: row + 1,
                        value: y,
                        expected,
                    })
                };
                if !y.is_nan() && !one && y.abs() > 0.0 {
                    return refuse("0 or 1 for a stage".to_owned());
                }
                if !reached && one {
                    return refuse(format!(
                        "0 or missing: `{}` was not passed, and nobody gets further without it",
                        names[k - 1]
                    ));
                }
                if reached && y.is_nan() {
                    known[row] = false;
                    break;
                }
                reached = reached && one;
                passed[k][row] = f64::from(u8::from(reached));
            }
        }
        let unknown = known.iter().filter(|k| !**k).count();
        for (k, name) in names.iter().enumerate() {
            let count = passed[k]
                .iter()
                .zip(&known)
                .filter(|(p, known)| **known && **p > 0.5)
                .count();
            if count == 0 {
                return Err(Error::Unidentified {
                    what: format!("what happens at stage `{name}`"),
                    needs: "somebody who passed it".to_owned(),
                });
            }
        }
        Ok(Self {
            passed,
            known,
            unknown,
        })
    }
}
