//! DIF by logistic regression.

use super::answers::{Answers, dif_builder, dif_views};
use crate::data::Frame;
use crate::error::{Result, Warning};
use crate::inference::{Distribution, Inference, TestResult};
use crate::numeric::Progress;
use crate::regression::{LikelihoodFit, Logit};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// Uniform and non-uniform DIF of items with answers 0 and 1 between two groups, by three logits of the answer: on the sum score s; on s
/// and the group g; on s, g and s·g. The second against the first tests uniform DIF (the item is harder for one group at all
/// scores), the third against the second non-uniform DIF (it discriminates better in one group), each by its likelihood ratio.
///
/// The size is the gain in Nagelkerke's R²: below 0.035 negligible, above 0.07 large (Jodoin & Gierl 2001).
///
/// # Errors
/// Those of [`super::MantelHaenszelDif`], and of [`Logit`] ([`crate::Error::Separated`] when the sum score tells an answer).
///
/// # References
/// Swaminathan, H. & Rogers, H. J. (1990), doi:10.1111/j.1745-3984.1990.tb00754.x; Jodoin, M. G. & Gierl, M. J. (2001),
/// doi:10.1207/S15324818AME1404_2.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let bit = |i: usize, period: usize| f64::from(u8::from(i % period < period / 2));
/// let column = |period: usize| (0..240).map(|i| bit(i, period)).collect::<Vec<f64>>();
/// let answers = Frame::new().with("a", column(4))?.with("b", column(6))?.with("c", column(10))?
///     .with("group", (0..240).map(|i| if i % 7 < 3 { "new" } else { "old" }).collect::<Vec<_>>())?;
/// let fit = LogisticDif::new(&["a", "b", "c"], "group").fit(&answers)?;
/// assert!(fit.items[0].both.p_value > 0.05);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogisticDif {
    items: Vec<String>,
    group: String,
    reference: Option<String>,
}

dif_builder!(LogisticDif, LogisticDifFit);

/// Logistic-regression DIF of every item.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogisticDifFit {
    /// Reference and focal group.
    pub groups: [String; 2],
    /// One record an item.
    pub items: Vec<LogisticDifRow>,
    /// What a reader of the numbers must know.
    pub warnings: Vec<Warning>,
    rows: usize,
}

/// The DIF of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogisticDifRow {
    /// The item.
    pub name: String,
    /// The focal group's coefficient in the second logit: below zero the item is harder for it.
    pub coefficient: f64,
    /// The test of uniform DIF.
    pub uniform: TestResult,
    /// The test of non-uniform DIF.
    pub nonuniform: TestResult,
    /// The test of both at once.
    pub both: TestResult,
    /// The gain in Nagelkerke's R² from the first to the third logit.
    pub r_squared_gain: f64,
}

impl LogisticDif {
    /// Tests every item, watched by `progress`.
    ///
    /// # Errors
    /// See [`LogisticDif`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<LogisticDifFit> {
        let answers = Answers::read(frame, &self.items, &self.group, self.reference.as_deref())?;
        let items = self
            .items
            .iter()
            .zip(&answers.items)
            .map(|(name, item)| row(name, item, &answers, progress))
            .collect::<Result<Vec<_>>>()?;
        Ok(LogisticDifFit {
            groups: answers.groups,
            items,
            warnings: answers.warnings,
            rows: answers.sums.len(),
        })
    }
}

fn row(name: &str, item: &[f64], answers: &Answers, progress: &Progress) -> Result<LogisticDifRow> {
    let frame = Frame::new()
        .with("y", item.to_vec())?
        .with("s", answers.sums.clone())?
        .with("g", answers.focal.clone())?;
    let fit = |formula: &str| Logit::new(formula).fit_with(&frame, progress);
    let (none, uniform, both) = (fit("y ~ s")?, fit("y ~ s + g")?, fit("y ~ s + g + s:g")?);
    let test = |kind: &str, small: &LikelihoodFit, large: &LikelihoodFit, df: f64| {
        let statistic = 2.0 * (large.log_likelihood() - small.log_likelihood());
        TestResult::new(
            format!("{kind} of {name}"),
            statistic.max(0.0),
            Distribution::ChiSquared { df },
        )
    };
    Ok(LogisticDifRow {
        name: name.to_owned(),
        coefficient: uniform.coefficient("g")?.estimate,
        uniform: test("uniform DIF", &none, &uniform, 1.0),
        nonuniform: test("non-uniform DIF", &uniform, &both, 1.0),
        both: test("DIF", &none, &both, 2.0),
        r_squared_gain: nagelkerke(&both, item) - nagelkerke(&none, item),
    })
}

/// `(1 − (L₀/L)^(2/n))/(1 − L₀^(2/n))`.
fn nagelkerke(fit: &LikelihoodFit, y: &[f64]) -> f64 {
    let n = y.len() as f64;
    let p = y.iter().sum::<f64>() / n;
    let null = n * (p * p.ln() + (1.0 - p) * (1.0 - p).ln());
    let gain = 1.0 - (2.0 * (null - fit.log_likelihood()) / n).exp();
    gain / (1.0 - (2.0 * null / n).exp())
}

impl LogisticDifFit {
    /// One row an item.
    pub fn table(&self) -> Table {
        let title = format!(
            "Logistic-regression DIF, {} against {}",
            self.groups[1], self.groups[0]
        );
        let start = Table::new(title).columns([
            "Item",
            "Coefficient",
            "Uniform chi²(1)",
            "p",
            "Non-uniform chi²(1)",
            "p",
            "Both chi²(2)",
            "p",
            "Gain in R²",
        ]);
        let table = self.items.iter().fold(start, |table, item| {
            table.row([
                Cell::from(item.name.as_str()),
                Cell::fixed(item.coefficient, 3),
                Cell::fixed(item.uniform.statistic, 2),
                Cell::p_value(item.uniform.p_value),
                Cell::fixed(item.nonuniform.statistic, 2),
                Cell::p_value(item.nonuniform.p_value),
                Cell::fixed(item.both.statistic, 2),
                Cell::p_value(item.both.p_value),
                Cell::fixed(item.r_squared_gain, 4),
            ])
        });
        let table = table.note(format!(
            "n = {}; coefficients below zero: harder for {} at the same sum score",
            Cell::count(self.rows),
            self.groups[1]
        ));
        self.warnings
            .iter()
            .fold(table, |table, w| table.note(format!("Warning: {w}")))
    }
}

dif_views!(LogisticDifFit);
