//! Dunnett's test: the means of several groups against one control.

use super::{Alternative, ManyToOne};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::{Inference, Interval, coefficient_table};
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Compares the mean of an outcome in every group with that in the control group, `θ_i = μ_i − μ₀`, under independent normal errors of
/// one variance, with p-values and intervals that hold for all comparisons at once. The distribution is integrated exactly,
/// also for unequal group sizes.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `alternative` | two-sided | side of the tests and intervals | see [`Alternative`] |
///
/// Rows with a missing outcome or group are left out.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::new()
///     .with("arm", vec!["A", "A", "A", "B", "B", "B", "C", "C", "C"])?
///     .with("y", vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1.5, 2.5, 3.5])?;
/// let fit = Dunnett::new("y", "arm", "A").fit(&frame)?;
/// assert!(fit.adjusted_p_values()[0] < 0.03 && fit.adjusted_p_values()[1] > 0.5);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::ColumnNotFound`], [`Error::WrongKind`], [`Error::Infinite`]; [`Error::InvalidOption`] when the control is not a group;
/// [`Error::Unidentified`] with fewer than two groups or no residual degrees of freedom.
///
/// # References
/// Dunnett (1955), *JASA* 50(272), doi:10.2307/2281208.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dunnett {
    outcome: String,
    group: String,
    control: String,
    alternative: Alternative,
}

impl Dunnett {
    /// Compares the groups of a column with one of them.
    pub fn new(
        outcome: impl Into<String>,
        group: impl Into<String>,
        control: impl Into<String>,
    ) -> Self {
        Self {
            outcome: outcome.into(),
            group: group.into(),
            control: control.into(),
            alternative: Alternative::TwoSided,
        }
    }

    /// Sets the side of the tests.
    pub fn alternative(mut self, alternative: Alternative) -> Self {
        self.alternative = alternative;
        self
    }

    /// Compares the means.
    ///
    /// # Errors
    /// See [`Dunnett`].
    pub fn fit(&self, frame: &Frame) -> Result<DunnettFit> {
        let values = frame.numeric(&self.outcome)?;
        let groups = frame.groups(&self.group)?;
        let mut sums = vec![(0.0, 0.0); groups.count()];
        let rows = || {
            let rows = groups.codes.iter().zip(values.values().iter());
            rows.filter(|(code, y)| (**code as usize) < groups.count() && !y.is_nan())
        };
        if let Some(row) = values.values().iter().position(|y| y.is_infinite()) {
            return Err(Error::Infinite {
                column: self.outcome.clone(),
                row: row + 1,
            });
        }
        for (code, y) in rows() {
            let sum = &mut sums[*code as usize];
            *sum = (sum.0 + 1.0, sum.1 + y);
        }
        let control = groups
            .levels
            .iter()
            .position(|level| *level == self.control)
            .filter(|g| sums[*g].0 > 0.0)
            .ok_or_else(|| {
                Error::invalid_option(
                    "control",
                    &self.control,
                    format!(
                        "a group of `{}` with an outcome: {}",
                        self.group,
                        groups.levels.join(", ")
                    ),
                )
            })?;
        let mean = |g: usize| sums[g].1 / sums[g].0;
        let treated: Vec<usize> = (0..sums.len())
            .filter(|g| *g != control && sums[*g].0 > 0.0)
            .collect();
        let used = sums.iter().map(|s| s.0).sum::<f64>();
        let df = used - (treated.len() + 1) as f64;
        if treated.is_empty() || df <= 0.0 {
            return Err(Error::Unidentified {
                what: "a comparison with the control".to_owned(),
                needs: "at least two groups, and more rows than groups".to_owned(),
            });
        }
        let rss: f64 = rows()
            .map(|(code, y)| (y - mean(*code as usize)).powi(2))
            .sum();
        let variance = rss / df;
        let sizes: Vec<f64> = treated.iter().map(|g| sums[*g].0).collect();
        let count = treated.len();
        let mut fit = DunnettFit {
            names: treated
                .iter()
                .map(|g| format!("{} - {}", groups.levels[*g], self.control))
                .collect(),
            estimates: DVector::from_fn(count, |i, _| mean(treated[i]) - mean(control)),
            covariance: DMatrix::from_fn(count, count, |i, j| {
                let own = if i == j { 1.0 / sizes[i] } else { 0.0 };
                variance * (own + 1.0 / sums[control].0)
            }),
            df,
            alternative: self.alternative,
            sizes,
            control: sums[control].0,
            adjusted: vec![],
        };
        let joint = fit.joint()?;
        fit.adjusted = (0..count)
            .map(|i| joint.p_value(fit.estimate_at(i).statistic(0.0), self.alternative))
            .collect();
        Ok(fit)
    }
}

/// Differences from the control. The verbs of [`Inference`] speak of each alone; [`DunnettFit::adjusted_p_values`] and
/// [`DunnettFit::simultaneous_intervals`] of all together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DunnettFit {
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    df: f64,
    alternative: Alternative,
    sizes: Vec<f64>,
    control: f64,
    adjusted: Vec<f64>,
}

impl Inference for DunnettFit {
    crate::inference::fields::inference_of_fields!();

    fn degrees_of_freedom(&self, _: &DVector<f64>) -> f64 {
        self.df
    }

    fn table(&self) -> Table {
        let mut table = Table::new("Comparisons with the control (Dunnett)")
            .columns(["", "Estimate", "Std. error", "t", "Adjusted p"])
            .note(format!(
                "t({}), p-values for all comparisons at once",
                self.df
            ));
        for (c, p) in self.coefficients().iter().zip(&self.adjusted) {
            table = table.row([
                Cell::from(c.name.as_str()),
                Cell::significant(c.estimate, 5),
                Cell::significant(c.std_error, 5),
                Cell::fixed(c.statistic(0.0), 2),
                Cell::p_value(*p),
            ]);
        }
        table
    }
}

impl DunnettFit {
    fn joint(&self) -> Result<ManyToOne> {
        ManyToOne::new(self.df, &self.sizes, self.control)
    }

    /// One p-value a comparison, adjusted for all.
    pub fn adjusted_p_values(&self) -> &[f64] {
        &self.adjusted
    }

    /// Each comparison with the unadjusted t test.
    pub fn unadjusted(&self) -> Table {
        coefficient_table(self)
    }

    /// Intervals that all hold together with probability `level`; one-sided when the alternative is.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn simultaneous_intervals(&self, level: f64) -> Result<Vec<Interval>> {
        let critical = self.joint()?.critical_value(level, self.alternative)?;
        let interval = |c: crate::inference::Estimate| {
            let half = critical * c.std_error;
            let (lower, upper) = match self.alternative {
                Alternative::TwoSided => (c.estimate - half, c.estimate + half),
                Alternative::Greater => (c.estimate - half, f64::INFINITY),
                Alternative::Less => (f64::NEG_INFINITY, c.estimate + half),
            };
            Interval {
                name: c.name,
                level,
                lower,
                upper,
            }
        };
        Ok(self.coefficients().into_iter().map(interval).collect())
    }

    /// The comparisons as an HTML table.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for DunnettFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(DunnettFit);
