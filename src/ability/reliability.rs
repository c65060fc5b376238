//! Reliability: the share of the variance of scores that is not error.

use super::fit::ItemResponseFit;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::Interval;
use crate::numeric::special::f;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

impl ItemResponseFit {
    /// The marginal reliability of maximum-likelihood scores in the population, `E[I(a)/(I(a) + 1/σ²)]`, the mean over ability of the
    /// share of the variance that is not error; with several groups of the first, with regressors given them.
    pub fn marginal_reliability(&self) -> f64 {
        let Some(group) = self.population().groups().first() else {
            return f64::NAN;
        };
        let (mut total, mut sum) = (0.0, 0.0);
        for a in self.nodes() {
            let density = (-0.5 * (a - group.mean).powi(2) / group.variance).exp();
            let information: f64 = self.items().iter().map(|i| i.information(*a)).sum();
            total += density;
            sum += density * information / (information + 1.0 / group.variance);
        }
        sum / total
    }
}

/// Cronbach's α of a sum score, `α = K/(K − 1) · (1 − Σ_k Var(y_k)/Var(Σ_k y_k))`, on the rows where every item was answered.
///
/// It is a lower bound of the reliability of the sum when errors are uncorrelated, and equal to it when all items measure the same
/// with the same weight. Intervals are Feldt's: `(1 − α)/(1 − α̂) ~ F((n − 1)(K − 1), n − 1)`.
///
/// ```
/// use cocreate::prelude::*;
/// let answers = Frame::new()
///     .with("a", vec![1.0, 2.0, 3.0, 4.0])?
///     .with("b", vec![1.0, 2.0, 3.0, 4.0])?;
/// assert!((CronbachAlpha::of(&answers, &["a", "b"])?.alpha - 1.0).abs() < 1e-12); // the same twice
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # References
/// Cronbach, L. J. (1951), doi:10.1007/BF02310555; Feldt, L. S. (1965), doi:10.1007/BF02289499.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CronbachAlpha {
    /// The coefficient.
    pub alpha: f64,
    /// Rows with all answers.
    pub rows: usize,
    /// One record an item.
    pub items: Vec<AlphaItem>,
}

/// What an item contributes to α.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlphaItem {
    /// The item.
    pub name: String,
    /// Correlation with the sum of the other items; not a number when one of both does not vary.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub rest_correlation: f64,
    /// α without the item; not a number with two items.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub alpha_without: f64,
}

impl CronbachAlpha {
    /// α of the items of a frame.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for fewer than two items; [`Error::TooFewRows`] for fewer than two complete rows;
    /// [`Error::Unidentified`] when the sum does not vary; those of the columns.
    pub fn of(frame: &Frame, items: &[&str]) -> Result<Self> {
        if items.len() < 2 {
            return Err(Error::invalid_option(
                "items",
                format!("{items:?}"),
                "two or more: a single answer has no internal consistency",
            ));
        }
        let columns = items
            .iter()
            .map(|name| Ok(frame.numeric(name)?.values().to_vec()))
            .collect::<Result<Vec<Vec<f64>>>>()?;
        let complete: Vec<usize> = (0..frame.rows())
            .filter(|i| columns.iter().all(|c| c[*i].is_finite()))
            .collect();
        if complete.len() < 2 {
            return Err(Error::TooFewRows {
                rows: complete.len(),
                parameters: 2,
            });
        }
        let columns: Vec<Vec<f64>> = columns
            .iter()
            .map(|c| complete.iter().map(|i| c[*i]).collect())
            .collect();
        let all: Vec<&Vec<f64>> = columns.iter().collect();
        let alpha = alpha(&all);
        if !alpha.is_finite() {
            return Err(Error::Unidentified {
                what: "Cronbach's alpha".to_owned(),
                needs: "a sum of the items that varies".to_owned(),
            });
        }
        let each = (0..items.len()).map(|k| {
            let rest: Vec<&Vec<f64>> = (0..items.len())
                .filter(|j| *j != k)
                .map(|j| &columns[j])
                .collect();
            AlphaItem {
                name: items[k].to_owned(),
                rest_correlation: covariance(&columns[k], &sum(&rest))
                    / (covariance(&columns[k], &columns[k]) * covariance(&sum(&rest), &sum(&rest)))
                        .sqrt(),
                alpha_without: self::alpha(&rest),
            }
        });
        Ok(Self {
            alpha,
            rows: complete.len(),
            items: each.collect(),
        })
    }

    /// Feldt's confidence interval.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn confidence_interval(&self, level: f64) -> Result<Interval> {
        crate::inference::check_level(level)?;
        let (n, k) = (self.rows as f64, self.items.len() as f64);
        let (first, second) = (n - 1.0, (n - 1.0) * (k - 1.0));
        let end = |p: f64| 1.0 - (1.0 - self.alpha) * f::quantile(p, first, second);
        Ok(Interval {
            name: "Cronbach's alpha".to_owned(),
            level,
            lower: end(0.5 + level / 2.0),
            upper: end(0.5 - level / 2.0),
        })
    }

    /// α with what each item contributes.
    pub fn table(&self) -> Table {
        const LEVEL: f64 = 0.95;
        let start = Table::new("Cronbach's alpha").columns([
            "Item",
            "Correlation with the rest",
            "Alpha without it",
        ]);
        let table = self.items.iter().fold(start, |table, item| {
            table.row([
                Cell::from(item.name.as_str()),
                Cell::fixed(item.rest_correlation, 3),
                Cell::fixed(item.alpha_without, 3),
            ])
        });
        let interval = self.confidence_interval(LEVEL).ok();
        let [low, high] = interval.map_or([f64::NAN; 2], |i| [i.lower, i.upper]);
        table.note(format!(
            "alpha = {}, 95 % interval {} to {}, n = {}",
            Cell::fixed(self.alpha, 4),
            Cell::fixed(low, 3),
            Cell::fixed(high, 3),
            Cell::count(self.rows)
        ))
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl std::fmt::Display for CronbachAlpha {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(CronbachAlpha);

fn alpha(columns: &[&Vec<f64>]) -> f64 {
    let k = columns.len() as f64;
    let own: f64 = columns.iter().map(|c| covariance(c, c)).sum();
    let total = sum(columns);
    k / (k - 1.0) * (1.0 - own / covariance(&total, &total))
}

fn sum(columns: &[&Vec<f64>]) -> Vec<f64> {
    let rows = columns.first().map_or(0, |c| c.len());
    (0..rows)
        .map(|i| columns.iter().map(|c| c[i]).sum())
        .collect()
}

fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (x, y) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let pairs = a.iter().zip(b);
    pairs.map(|(a, b)| (a - x) * (b - y)).sum::<f64>() / (n - 1.0)
}
