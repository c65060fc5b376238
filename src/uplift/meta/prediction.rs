//! Predicted effects of every arm.

use crate::causal::arm_scores::position;
use crate::error::Result;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Effects `τ_k(x)` of every arm against control, one a row.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmEffects {
    control: String,
    /// Without control.
    arms: Vec<String>,
    values: Vec<Vec<f64>>,
}

impl ArmEffects {
    pub(crate) fn new(arms: &[String], values: Vec<Vec<f64>>) -> Self {
        Self {
            control: arms.first().cloned().unwrap_or_default(),
            arms: arms.iter().skip(1).cloned().collect(),
            values,
        }
    }

    /// Whether there is a column of so many rows for each arm but the first, control.
    pub(crate) fn is_sound(&self, arms: &[String], rows: usize) -> bool {
        arms.split_first()
            .is_some_and(|(first, rest)| *first == self.control && rest == self.arms)
            && self.values.len() == self.arms.len()
            && self.values.iter().all(|column| column.len() == rows)
    }

    /// The arms, without control.
    pub fn arms(&self) -> &[String] {
        &self.arms
    }

    /// The arm that others are compared with.
    pub fn control(&self) -> &str {
        &self.control
    }

    /// The effects of an arm.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) with the arms that exist.
    pub fn arm(&self, name: &str) -> Result<&[f64]> {
        Ok(&self.values[position(&self.arms, name)?])
    }

    /// The effects of the first arm after control: of the treatment, when there is one.
    pub fn first(&self) -> &[f64] {
        &self.values[0]
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values[0].len()
    }

    /// Mean, extremes and standard deviation of the effects of every arm.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 4;
        let mut table = Table::new(format!("Predicted effects against {}", self.control))
            .columns(["", "mean", "s.d.", "smallest", "largest"]);
        for (arm, values) in self.arms.iter().zip(&self.values) {
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            table = table.row([
                Cell::text(arm.as_str()),
                Cell::significant(mean, DIGITS),
                Cell::significant(variance.sqrt(), DIGITS),
                Cell::significant(low, DIGITS),
                Cell::significant(high, DIGITS),
            ]);
        }
        table.note(format!("{} rows.", self.rows()))
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Debug for ArmEffects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArmEffects")
            .field("control", &self.control)
            .field("arms", &self.arms)
            .field("rows", &self.rows())
            .finish()
    }
}

impl fmt::Display for ArmEffects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(ArmEffects);
