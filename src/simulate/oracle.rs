//! What a simulation returns: the data that a researcher would see, and the oracle that knows the truth.

use crate::data::Frame;
use crate::error::{Error, Result, nearest_name};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A true value: of a parameter, or a mean over the simulated customers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// What it is.
    pub name: String,
    /// Its value.
    pub value: f64,
}

/// The truth behind simulated data: one row a customer (potential outcomes, ability, belief, effects …), and the
/// means and parameters that an estimator is after.
///
/// Means are over the customers of *this* sample: `effect("ate")` is the sample average of the individual effects. An
/// estimator of the population's effect varies around the population's value, whose distance from the sample's is the
/// standard deviation of the individual effects over √n.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    /// One row a customer; no column when the oracle was not to be kept.
    pub individuals: Frame,
    truths: Vec<Truth>,
}

impl Oracle {
    pub(super) fn new(individuals: Frame) -> Self {
        Self {
            individuals,
            truths: Vec::new(),
        }
    }

    /// Adds a truth.
    pub(super) fn with(mut self, name: impl Into<String>, value: f64) -> Self {
        self.truths.push(Truth {
            name: name.into(),
            value,
        });
        self
    }

    /// A true value by name.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`] with the names that exist.
    pub fn effect(&self, name: &str) -> Result<f64> {
        let found = self.truths.iter().find(|t| t.name == name);
        found.map(|t| t.value).ok_or_else(|| {
            let available: Vec<String> = self.truths.iter().map(|t| t.name.clone()).collect();
            Error::UnknownCoefficient {
                name: name.to_owned(),
                nearest: nearest_name(name, &available),
                available,
            }
        })
    }

    /// All true values, in order.
    pub fn truths(&self) -> &[Truth] {
        &self.truths
    }

    /// One row of the oracle's table of individuals.
    ///
    /// # Errors
    /// As [`Frame::real`]; [`Error::DataNotKept`] when the oracle was not kept.
    pub fn real(&self, name: &str) -> Result<&[f64]> {
        self.kept(name)?.real(name)
    }

    /// The table of individuals, when it was kept, to read a column from.
    pub(super) fn kept(&self, name: &str) -> Result<&Frame> {
        if self.individuals.columns() == 0 {
            return Err(Error::DataNotKept {
                what: format!("the oracle's column `{name}`"),
                remedy: "simulate with `.keep_oracle(true)`".to_owned(),
            });
        }
        Ok(&self.individuals)
    }

    /// The true values as a table.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 5;
        let table = Table::new("Oracle").columns(["", "Truth"]);
        self.truths.iter().fold(table, |table, truth| {
            table.row([
                Cell::text(truth.name.as_str()),
                Cell::significant(truth.value, DIGITS),
            ])
        })
    }
}

/// Simulated data with their truth.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// What a researcher would see.
    pub data: Frame,
    /// What only the simulation knows.
    pub oracle: Oracle,
}

impl Simulated {
    /// The true values as HTML.
    pub fn to_html(&self) -> String {
        format!(
            "<p>{}</p>{}",
            self.sentence(),
            self.oracle.table().to_html()
        )
    }

    fn sentence(&self) -> String {
        format!(
            "{} rows, {} columns of data, {} of the oracle",
            self.data.rows(),
            self.data.columns(),
            self.oracle.individuals.columns()
        )
    }
}

impl fmt::Display for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.sentence(), self.oracle.table())
    }
}

crate::report::notebook!(Simulated);
