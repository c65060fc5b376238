//! The result of a randomisation test.

use crate::inference::Interval;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The test of one outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutcomeTest {
    /// The outcome.
    pub name: String,
    /// Difference in means (weighted over blocks; of cluster means under cluster assignment).
    pub effect: f64,
    /// The statistic.
    pub statistic: f64,
    /// The p-value of the sharp null hypothesis for this outcome alone.
    pub p_value: f64,
    /// Adjusted for all outcomes by Westfall & Young.
    pub adjusted: f64,
    /// The constant effects that are not rejected, when asked for.
    pub interval: Option<Interval>,
}

/// A randomisation test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomizationFit {
    /// One entry an outcome.
    pub outcomes: Vec<OutcomeTest>,
    /// The mechanism of assignment.
    pub mechanism: String,
    /// The statistic.
    pub contrast: String,
    /// Assignments compared with.
    pub assignments: usize,
    /// Whether these are all there are, so that the p-value has no simulation error.
    pub exact: bool,
    /// Units assigned: rows or clusters.
    pub units: usize,
}

impl RandomizationFit {
    /// One row an outcome.
    pub fn table(&self) -> Table {
        let which = if self.exact { "all" } else { "random" };
        let mut table = Table::new(format!("Randomisation test ({})", self.contrast))
            .columns([
                "",
                "Difference",
                "Statistic",
                "p",
                "Adjusted p",
                "from",
                "to",
            ])
            .note(format!(
                "{} of {} units; {which} {} assignments",
                self.mechanism,
                Cell::count(self.units),
                Cell::count(self.assignments)
            ));
        for o in &self.outcomes {
            let (lower, upper) = match &o.interval {
                Some(i) => (Cell::significant(i.lower, 4), Cell::significant(i.upper, 4)),
                None => (Cell::empty(), Cell::empty()),
            };
            table = table.row([
                Cell::from(o.name.as_str()),
                Cell::significant(o.effect, 4),
                Cell::significant(o.statistic, 4),
                Cell::p_value(o.p_value),
                Cell::p_value(o.adjusted),
                lower,
                upper,
            ]);
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for RandomizationFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(RandomizationFit);
