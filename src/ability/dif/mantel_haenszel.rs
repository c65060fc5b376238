//! DIF by the Mantel–Haenszel test.

use super::answers::{Answers, dif_builder, dif_views};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::{Distribution, TestResult};
use crate::numeric::Progress;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// Uniform DIF of items with answers 0 and 1 between two groups: in each stratum of the sum score the 2 × 2 table of group and answer,
/// with right and wrong answers `A, B` of the reference and `C, D` of the focal group among `T` persons. The common odds ratio is
/// `α = Σ AD/T / Σ BC/T`; above one the item is easier for the reference group. `Δ = −2.35 ln α` is the scale of the Educational
/// Testing Service, whose classes are A (negligible: |Δ| < 1, or not significant), C (large: |Δ| ≥ 1.5 and significantly above 1) and B.
///
/// The test is the continuity-corrected χ² of Mantel & Haenszel, and the standard error of ln α that of Robins, Breslow & Greenland.
///
/// # Errors
/// [`Error::InvalidOption`] for fewer than two items or an unknown reference; [`Error::OutOfRange`] for answers other than 0 and 1;
/// [`Error::Unidentified`] unless there are exactly two groups, or when an item's tables are empty; those of the columns.
///
/// # References
/// Holland, P. W. & Thayer, D. T. (1988), in Wainer & Braun, *Test Validity*; Robins, J., Breslow, N. & Greenland, S. (1986),
/// doi:10.2307/2531052.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let bit = |i: usize, period: usize| f64::from(u8::from(i % period < period / 2));
/// let column = |period: usize| (0..240).map(|i| bit(i, period)).collect::<Vec<f64>>();
/// let answers = Frame::new().with("a", column(4))?.with("b", column(6))?.with("c", column(10))?
///     .with("group", (0..240).map(|i| if i % 7 < 3 { "new" } else { "old" }).collect::<Vec<_>>())?;
/// let fit = MantelHaenszelDif::new(&["a", "b", "c"], "group").reference("old").fit(&answers)?;
/// assert!(fit.items[0].test.p_value > 0.05); // groups answer alike
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MantelHaenszelDif {
    items: Vec<String>,
    group: String,
    reference: Option<String>,
}

dif_builder!(MantelHaenszelDif, MantelHaenszelDifFit);

/// Mantel–Haenszel statistics of every item.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MantelHaenszelDifFit {
    /// Reference and focal group.
    pub groups: [String; 2],
    /// One record an item.
    pub items: Vec<MantelHaenszelDifRow>,
    /// What a reader of the numbers must know.
    pub warnings: Vec<Warning>,
    rows: usize,
}

/// The Mantel–Haenszel statistics of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MantelHaenszelDifRow {
    /// The item.
    pub name: String,
    /// The common odds ratio α.
    pub odds_ratio: f64,
    /// The standard error of ln α.
    pub ln_std_error: f64,
    /// `Δ = −2.35 ln α`.
    pub delta: f64,
    /// The test of α = 1.
    pub test: TestResult,
    /// The class A, B or C.
    pub class: char,
}

impl MantelHaenszelDif {
    /// Tests every item, watched by `progress`.
    ///
    /// # Errors
    /// See [`MantelHaenszelDif`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<MantelHaenszelDifFit> {
        progress.report("Mantel–Haenszel DIF", 0, self.items.len())?;
        let answers = Answers::read(frame, &self.items, &self.group, self.reference.as_deref())?;
        let items = self
            .items
            .iter()
            .zip(&answers.items)
            .map(|(name, item)| row(name, item, &answers))
            .collect::<Result<Vec<_>>>()?;
        Ok(MantelHaenszelDifFit {
            groups: answers.groups,
            items,
            warnings: answers.warnings,
            rows: answers.sums.len(),
        })
    }
}

/// ETS's scale, −2.35 ln α, puts DIF on that of item difficulties.
const DELTA: f64 = -2.35;

fn row(name: &str, item: &[f64], answers: &Answers) -> Result<MantelHaenszelDifRow> {
    let strata = answers.items.len() + 1;
    // Reference right, reference wrong, focal right, focal wrong.
    let mut tables = vec![[0.0_f64; 4]; strata];
    for ((y, focal), sum) in item.iter().zip(&answers.focal).zip(&answers.sums) {
        let cell = 2 * usize::from(*focal > 0.5) + usize::from(*y < 0.5);
        tables[*sum as usize][cell] += 1.0;
    }
    let (mut gap, mut variance) = (0.0, 0.0);
    let (mut r, mut s) = (0.0, 0.0);
    let (mut pr, mut mixed, mut qs) = (0.0, 0.0, 0.0);
    for [a, b, c, d] in tables {
        let total = a + b + c + d;
        if total < 2.0 {
            continue;
        }
        let (first, second, right, wrong) = (a + b, c + d, a + c, b + d);
        gap += a - first * right / total;
        variance += first * second * right * wrong / (total * total * (total - 1.0));
        let (own_r, own_s) = (a * d / total, b * c / total);
        let (p, q) = ((a + d) / total, (b + c) / total);
        r += own_r;
        s += own_s;
        pr += p * own_r;
        mixed += p * own_s + q * own_r;
        qs += q * own_s;
    }
    if variance <= 0.0 || r <= 0.0 || s <= 0.0 {
        return Err(Error::Unidentified {
            what: format!("the common odds ratio of `{name}`"),
            needs: "right and wrong answers of both groups at the same sum scores".to_owned(),
        });
    }
    let statistic = (gap.abs() - 0.5).max(0.0).powi(2) / variance;
    let test = TestResult::new(
        format!("Mantel–Haenszel test of {name}"),
        statistic,
        Distribution::ChiSquared { df: 1.0 },
    );
    let odds_ratio = r / s;
    let ln_std_error = (pr / (2.0 * r * r) + mixed / (2.0 * r * s) + qs / (2.0 * s * s)).sqrt();
    let delta = DELTA * odds_ratio.ln();
    Ok(MantelHaenszelDifRow {
        name: name.to_owned(),
        odds_ratio,
        ln_std_error,
        delta,
        class: class(delta, DELTA.abs() * ln_std_error, test.p_value),
        test,
    })
}

/// ETS's classes at the 5 % level: C needs |Δ| significantly above one.
fn class(delta: f64, std_error: f64, p_value: f64) -> char {
    const LEVEL: f64 = 0.05;
    const ONE_SIDED: f64 = 1.644_853_626_951_472_2;
    let size = delta.abs();
    if size < 1.0 || p_value >= LEVEL {
        'A'
    } else if size >= 1.5 && (size - 1.0) / std_error > ONE_SIDED {
        'C'
    } else {
        'B'
    }
}

impl MantelHaenszelDifFit {
    /// One row an item.
    pub fn table(&self) -> Table {
        let title = format!(
            "Mantel–Haenszel DIF, {} against {}",
            self.groups[1], self.groups[0]
        );
        let start = Table::new(title).columns([
            "Item",
            "Odds ratio",
            "s.e. of ln",
            "Delta",
            "chi²(1)",
            "p",
            "Class",
        ]);
        let table = self.items.iter().fold(start, |table, item| {
            table.row([
                Cell::from(item.name.as_str()),
                Cell::fixed(item.odds_ratio, 3),
                Cell::fixed(item.ln_std_error, 3),
                Cell::fixed(item.delta, 2),
                Cell::fixed(item.test.statistic, 2),
                Cell::p_value(item.test.p_value),
                Cell::from(item.class.to_string()),
            ])
        });
        let table = table.note(format!(
            "n = {}; odds ratios above one: easier for {} at the same sum score",
            Cell::count(self.rows),
            self.groups[0]
        ));
        self.warnings
            .iter()
            .fold(table, |table, w| table.note(format!("Warning: {w}")))
    }
}

dif_views!(MantelHaenszelDifFit);
