//! Tests side by side with their adjusted p-values and decisions.

use super::adjust::{Adjustment, adjust_p_values};
use crate::error::{Error, Result};
use crate::inference::records::check_level;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One test among several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// What is tested.
    pub name: String,
    /// The p-value of this test alone.
    pub p_value: f64,
    /// The p-value adjusted for the number of tests.
    pub adjusted: f64,
    /// Whether the adjusted p-value is at most the significance level.
    pub rejected: bool,
}

/// Several tests with one adjustment, as a table.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// let fit = Ols::new("re78 ~ treat + age + educ + black").fit(&frame)?;
/// let tests = MultipleTests::of(&fit, &["treat", "educ", "black"], Adjustment::Holm, 0.05)?;
/// assert_eq!(tests.rejected(), 3);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultipleTests {
    /// The tests in the order given.
    pub decisions: Vec<Decision>,
    /// How the p-values were adjusted.
    pub adjustment: String,
    /// Significance level: the familywise error or false discovery rate that is accepted.
    pub alpha: f64,
}

impl MultipleTests {
    /// Adjusts named p-values.
    ///
    /// # Errors
    /// Those of [`adjust_p_values`]; [`Error::LengthMismatch`]; [`Error::InvalidOption`] for an α outside (0, 1).
    pub fn new<S: Into<String>>(
        names: impl IntoIterator<Item = S>,
        p: &[f64],
        adjustment: Adjustment,
        alpha: f64,
    ) -> Result<Self> {
        let adjusted = adjust_p_values(p, adjustment)?;
        Self::adjusted(names, p, &adjusted, adjustment.to_string(), alpha)
    }

    /// The tests that named coefficients of a fit are zero.
    ///
    /// # Errors
    /// As [`MultipleTests::new`]; [`Error::UnknownCoefficient`].
    pub fn of(
        fit: &impl crate::inference::Inference,
        names: &[&str],
        adjustment: Adjustment,
        alpha: f64,
    ) -> Result<Self> {
        let p = names
            .iter()
            .map(|name| Ok(fit.coefficient(name)?.p_value()))
            .collect::<Result<Vec<f64>>>()?;
        Self::new(names.iter().copied(), &p, adjustment, alpha)
    }

    /// From p-values adjusted elsewhere, such as by [`romano_wolf`](super::romano_wolf).
    ///
    /// # Errors
    /// [`Error::LengthMismatch`]; [`Error::InvalidOption`] for an α outside (0, 1).
    pub fn adjusted<S: Into<String>>(
        names: impl IntoIterator<Item = S>,
        p: &[f64],
        adjusted: &[f64],
        adjustment: impl Into<String>,
        alpha: f64,
    ) -> Result<Self> {
        check_level(1.0 - alpha)?;
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        for (what, found) in [
            ("names", names.len()),
            ("adjusted p-values", adjusted.len()),
        ] {
            if found != p.len() {
                return Err(Error::LengthMismatch {
                    column: what.to_owned(),
                    expected: p.len(),
                    found,
                });
            }
        }
        let decisions = names
            .into_iter()
            .zip(p.iter().zip(adjusted))
            .map(|(name, (p, adjusted))| Decision {
                name,
                p_value: *p,
                adjusted: *adjusted,
                rejected: *adjusted <= alpha,
            })
            .collect();
        Ok(Self {
            decisions,
            adjustment: adjustment.into(),
            alpha,
        })
    }

    /// How many hypotheses are rejected.
    pub fn rejected(&self) -> usize {
        self.decisions.iter().filter(|d| d.rejected).count()
    }

    /// One row a test.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!("{} tests", self.decisions.len()))
            .columns(["", "p", "Adjusted p", "Rejected"])
            .note(format!(
                "Adjustment: {}; level {}",
                self.adjustment, self.alpha
            ));
        for d in &self.decisions {
            table = table.row([
                Cell::from(d.name.as_str()),
                Cell::p_value(d.p_value),
                Cell::p_value(d.adjusted),
                Cell::from(if d.rejected { "yes" } else { "no" }),
            ]);
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for MultipleTests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(MultipleTests);
