//! DIF by the likelihood ratio of item response models.

use super::answers::{dif_views, two_groups};
use crate::ability::{ItemModel, ItemResponse, ItemResponseFit};
use crate::data::Frame;
use crate::error::Result;
use crate::inference::{Distribution, TestResult};
use crate::numeric::Progress;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// DIF of items between two groups by item response models with a mean and variance of ability in each group: for each item, a model in
/// which the item has parameters of its own in each group against the one in which all items are the same. The other items anchor the
/// scale, so that several items with large DIF in the same direction can make others seem to have it.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `model` | two-parameter | the model of all items |
/// | `reference` | first in sorted order | the group that the other is compared with |
///
/// # Errors
/// [`crate::Error::Unidentified`] unless there are exactly two groups, or when a group answers an item all alike; those of
/// [`ItemResponse`].
///
/// # References
/// Thissen, D., Steinberg, L. & Wainer, H. (1993), in Holland & Wainer, *Differential Item Functioning*.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let bit = |i: usize, period: usize| f64::from(u8::from(i % period < period / 2));
/// let column = |period: usize| (0..240).map(|i| bit(i, period)).collect::<Vec<f64>>();
/// let answers = Frame::new().with("a", column(4))?.with("b", column(6))?.with("c", column(10))?
///     .with("group", (0..240).map(|i| if i % 7 < 3 { "new" } else { "old" }).collect::<Vec<_>>())?;
/// let fit = LikelihoodRatioDif::new(&["a", "b", "c"], "group").model(ItemModel::Rasch).fit(&answers)?;
/// assert!(fit.items[0].test.p_value > 0.05);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LikelihoodRatioDif {
    items: Vec<String>,
    group: String,
    reference: Option<String>,
    model: ItemModel,
}

impl LikelihoodRatioDif {
    /// DIF of items between the two groups of a column.
    pub fn new(items: &[&str], group: impl Into<String>) -> Self {
        Self {
            items: items.iter().map(|i| (*i).to_owned()).collect(),
            group: group.into(),
            reference: None,
            model: ItemModel::TwoParameter,
        }
    }

    /// The model of all items.
    pub fn model(mut self, model: ItemModel) -> Self {
        self.model = model;
        self
    }

    /// The group that the other is compared with; the first in sorted order when not given.
    pub fn reference(mut self, group: impl Into<String>) -> Self {
        self.reference = Some(group.into());
        self
    }

    /// Tests every item.
    ///
    /// # Errors
    /// See [`LikelihoodRatioDif`].
    pub fn fit(&self, frame: &Frame) -> Result<LikelihoodRatioDifFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Tests every item, watched by `progress`.
    ///
    /// # Errors
    /// See [`LikelihoodRatioDif`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<LikelihoodRatioDifFit> {
        let groups = frame.groups(&self.group)?;
        let focal = two_groups(&self.group, &groups.levels, self.reference.as_deref())?;
        let is_focal: Vec<Option<bool>> = groups
            .codes
            .iter()
            .map(|c| groups.levels.get(*c as usize).map(|level| *level == focal))
            .collect();
        let same = self.estimate(frame, &self.items, progress)?;
        let items = self
            .items
            .iter()
            .map(|item| self.row(frame, item, &is_focal, &same, progress))
            .collect::<Result<Vec<_>>>()?;
        let reference = groups.levels.iter().find(|l| **l != focal).cloned();
        Ok(LikelihoodRatioDifFit {
            groups: [reference.unwrap_or_default(), focal],
            model: self.model,
            items,
            log_likelihood: same.log_likelihood(),
        })
    }

    fn estimate(
        &self,
        frame: &Frame,
        items: &[String],
        progress: &Progress,
    ) -> Result<ItemResponseFit> {
        ItemResponse::new(items.iter().cloned())
            .model(self.model)
            .group(self.group.clone())
            .fit_with(frame, progress)
    }

    /// The item as two items, each answered by one group.
    fn row(
        &self,
        frame: &Frame,
        item: &str,
        is_focal: &[Option<bool>],
        same: &ItemResponseFit,
        progress: &Progress,
    ) -> Result<LikelihoodRatioDifRow> {
        let answers = frame.numeric(item)?;
        let of = |wanted: bool| -> Vec<f64> {
            let each = answers.values().iter().zip(is_focal);
            each.map(|(y, own)| if *own == Some(wanted) { *y } else { f64::NAN })
                .collect()
        };
        let (first, second) = (format!("{item} (reference)"), format!("{item} (focal)"));
        let split = frame
            .clone()
            .with(first.clone(), of(false))?
            .with(second.clone(), of(true))?;
        let mut items: Vec<String> = self.items.iter().filter(|i| *i != item).cloned().collect();
        items.extend([first, second]);
        let free = self.estimate(&split, &items, progress)?;
        let [.., reference, focal] = free.items() else {
            return Err(crate::Error::NotFinite {
                what: format!("the two curves of `{item}`"),
            });
        };
        let more = free.statistics().parameters - same.statistics().parameters;
        let statistic = 2.0 * (free.log_likelihood() - same.log_likelihood());
        Ok(LikelihoodRatioDifRow {
            name: item.to_owned(),
            test: TestResult::new(
                format!("likelihood-ratio DIF of {item}"),
                statistic.max(0.0),
                Distribution::ChiSquared { df: more as f64 },
            ),
            difficulty: [reference.difficulty(), focal.difficulty()],
            discrimination: [reference.discrimination(), focal.discrimination()],
        })
    }
}

/// Likelihood-ratio DIF of every item.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LikelihoodRatioDifFit {
    /// Reference and focal group.
    pub groups: [String; 2],
    /// The model of the items.
    pub model: ItemModel,
    /// One record an item.
    pub items: Vec<LikelihoodRatioDifRow>,
    /// The log-likelihood without DIF.
    pub log_likelihood: f64,
}

/// The DIF of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LikelihoodRatioDifRow {
    /// The item.
    pub name: String,
    /// The test that its parameters are the same in both groups.
    pub test: TestResult,
    /// Difficulty (mean of thresholds or steps) in the reference and the focal group.
    pub difficulty: [f64; 2],
    /// Discrimination in the reference and the focal group.
    pub discrimination: [f64; 2],
}

impl LikelihoodRatioDifFit {
    /// One row an item.
    pub fn table(&self) -> Table {
        let title = format!(
            "Likelihood-ratio DIF ({}), {} against {}",
            self.model, self.groups[1], self.groups[0]
        );
        let start = Table::new(title).columns([
            "Item",
            "chi²",
            "df",
            "p",
            "Difficulty, reference",
            "focal",
            "Discrimination, reference",
            "focal",
        ]);
        let table = self.items.iter().fold(start, |table, item| {
            let df = match item.test.distribution {
                Distribution::ChiSquared { df } => df,
                _ => f64::NAN,
            };
            table.row([
                Cell::from(item.name.as_str()),
                Cell::fixed(item.test.statistic, 2),
                Cell::fixed(df, 0),
                Cell::p_value(item.test.p_value),
                Cell::fixed(item.difficulty[0], 3),
                Cell::fixed(item.difficulty[1], 3),
                Cell::fixed(item.discrimination[0], 3),
                Cell::fixed(item.discrimination[1], 3),
            ])
        });
        table.note("The other items are taken to be the same in both groups.")
    }
}

dif_views!(LikelihoodRatioDifFit);
