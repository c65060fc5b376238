//! What the estimates owe to the discount factor, which is given.

use super::DynamicChoice;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::{Estimate, Inference};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A fit at one discount factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscountPoint {
    /// The discount factor.
    pub discount: f64,
    /// The log-likelihood there.
    pub log_likelihood: f64,
    /// The estimates there.
    pub estimates: Vec<Estimate>,
}

/// The fits of a [`DynamicChoice`] over discount factors. The likelihood says how well each does, but a difference of a few units is no estimate of
/// the discount factor: it rests on the form of the payoffs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscountSensitivity {
    /// One fit a discount factor.
    pub points: Vec<DiscountPoint>,
}

impl DynamicChoice {
    /// The model fitted at each of these discount factors.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an empty list; those of [`DynamicChoice::fit`].
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let buses = DynamicPanel::replacement(30, 0.95, 6.0, 80.0, &[0.3, 0.5, 0.2])?.seed(1).simulate()?.data;
    /// let model = DynamicChoice::new(Payoffs::replacement(30)?, 0.95)
    ///     .transitions(Transitions::Increments { most: 2, reset: Some(1) });
    /// let table = model.sensitivity(&buses, &[0.0, 0.9, 0.95])?;
    /// // Those who do not look ahead need dearer upkeep to replace as early.
    /// assert!(table.points[0].estimates[1].estimate > table.points[2].estimates[1].estimate);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn sensitivity(&self, frame: &Frame, discounts: &[f64]) -> Result<DiscountSensitivity> {
        if discounts.is_empty() {
            return Err(Error::invalid_option(
                "discounts",
                "empty",
                "a discount factor or more",
            ));
        }
        let point = |discount: &f64| {
            let model = Self {
                discount: *discount,
                ..self.clone()
            };
            let fit = model.fit(frame)?;
            Ok(DiscountPoint {
                discount: *discount,
                log_likelihood: fit.statistics().log_likelihood,
                estimates: fit.coefficients(),
            })
        };
        let points = discounts.iter().map(point).collect::<Result<_>>()?;
        Ok(DiscountSensitivity { points })
    }
}

impl DiscountSensitivity {
    /// A row a discount factor: log-likelihood, and each estimate with its standard error.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 6;
        let names = self.points.first().map_or(&[][..], |p| &p.estimates);
        let head = ["Discount factor".to_owned(), "Log-likelihood".to_owned()];
        let columns = names
            .iter()
            .flat_map(|e| [e.name.clone(), "(std. error)".to_owned()]);
        let mut table = Table::new("Sensitivity to the discount factor")
            .columns(head.into_iter().chain(columns));
        for point in &self.points {
            let numbers = point.estimates.iter().flat_map(|e| {
                [
                    Cell::significant(e.estimate, DIGITS),
                    Cell::significant(e.std_error, DIGITS),
                ]
            });
            let first = [
                Cell::from(point.discount.to_string()),
                Cell::significant(point.log_likelihood, DIGITS + 2),
            ];
            table = table.row(first.into_iter().chain(numbers));
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for DiscountSensitivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(DiscountSensitivity);
