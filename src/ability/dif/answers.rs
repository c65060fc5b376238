//! Right and wrong answers of two groups.

use crate::data::Frame;
use crate::error::{Error, Result, Warning};

/// Rows with all answers and a group.
pub(super) struct Answers {
    /// The groups, reference first.
    pub(super) groups: [String; 2],
    /// One vector an item, 0 or 1.
    pub(super) items: Vec<Vec<f64>>,
    /// 1 for the focal group.
    pub(super) focal: Vec<f64>,
    /// Sum scores.
    pub(super) sums: Vec<f64>,
    pub(super) warnings: Vec<Warning>,
}

impl Answers {
    /// Reads items of 0 and 1 and a column of two groups; the first group in sorted order is the reference unless one is named.
    pub(super) fn read(
        frame: &Frame,
        items: &[String],
        group: &str,
        reference: Option<&str>,
    ) -> Result<Self> {
        if items.len() < 2 {
            return Err(Error::invalid_option(
                "items",
                format!("{items:?}"),
                "two or more: persons are matched by their answers to all items",
            ));
        }
        let columns = items
            .iter()
            .map(|name| Ok(frame.numeric(name)?.values().to_vec()))
            .collect::<Result<Vec<Vec<f64>>>>()?;
        for (name, column) in items.iter().zip(&columns) {
            let binary = |v: f64| v.is_nan() || v.abs() <= 0.0 || (v - 1.0).abs() <= 0.0;
            if let Some(row) = column.iter().position(|v| !binary(*v)) {
                return Err(Error::OutOfRange {
                    column: name.clone(),
                    row: row + 1,
                    value: column[row],
                    expected: "0 or 1; LikelihoodRatioDif takes items with more answers".to_owned(),
                });
            }
        }
        let groups = frame.groups(group)?;
        let complete: Vec<usize> = (0..frame.rows())
            .filter(|i| groups.codes[*i] != u32::MAX && columns.iter().all(|c| c[*i].is_finite()))
            .collect();
        let level = |i: usize| groups.levels[groups.codes[i] as usize].clone();
        let mut names: Vec<String> = complete.iter().map(|i| level(*i)).collect();
        names.sort_unstable();
        names.dedup();
        let focal = two_groups(group, &names, reference)?;
        let reference = if names[0] == focal {
            &names[1]
        } else {
            &names[0]
        };
        let pick = |c: &Vec<f64>| -> Vec<f64> { complete.iter().map(|i| c[*i]).collect() };
        let items: Vec<Vec<f64>> = columns.iter().map(pick).collect();
        let sums = (0..complete.len())
            .map(|i| items.iter().map(|c| c[i]).sum())
            .collect();
        let dropped = frame.rows() - complete.len();
        let warnings = (dropped > 0).then(|| Warning::Note {
            message: format!(
                "{dropped} rows left out where an answer or `{group}` is missing: sum scores need all answers"
            ),
        });
        Ok(Self {
            groups: [reference.clone(), focal.clone()],
            focal: complete
                .iter()
                .map(|i| f64::from(u8::from(level(*i) == focal)))
                .collect(),
            items,
            sums,
            warnings: warnings.into_iter().collect(),
        })
    }
}

/// The focal group.
pub(super) fn two_groups(
    column: &str,
    names: &[String],
    reference: Option<&str>,
) -> Result<String> {
    if names.len() != 2 {
        return Err(Error::Unidentified {
            what: "differential item functioning".to_owned(),
            needs: format!(
                "exactly two groups in `{column}`, and there {} {}: {}",
                if names.len() == 1 { "is" } else { "are" },
                names.len(),
                names.join(", ")
            ),
        });
    }
    match reference {
        None => Ok(names[1].clone()),
        Some(r) if r == names[0] => Ok(names[1].clone()),
        Some(r) if r == names[1] => Ok(names[0].clone()),
        Some(r) => Err(Error::invalid_option(
            "reference",
            r,
            format!("{} or {}", names[0], names[1]),
        )),
    }
}

/// Gives a DIF estimator its builder.
macro_rules! dif_builder {
    ($model:ident, $fit:ident) => {
        impl $model {
            /// DIF of items between the two groups of a column.
            pub fn new(items: &[&str], group: impl Into<String>) -> Self {
                Self {
                    items: items.iter().map(|i| (*i).to_owned()).collect(),
                    group: group.into(),
                    reference: None,
                }
            }

            /// The group that the other is compared with; the first in sorted order when not given.
            pub fn reference(mut self, group: impl Into<String>) -> Self {
                self.reference = Some(group.into());
                self
            }

            /// Tests every item.
            ///
            /// # Errors
            /// See the type.
            pub fn fit(&self, frame: &crate::data::Frame) -> crate::Result<$fit> {
                self.fit_with(frame, &crate::Progress::none())
            }
        }
    };
}
pub(super) use dif_builder;

/// Gives a DIF result with `table` its views.
macro_rules! dif_views {
    ($fit:ident) => {
        impl $fit {
            /// The table as HTML.
            pub fn to_html(&self) -> String {
                self.table().to_html()
            }
        }

        impl std::fmt::Display for $fit {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.table().fmt(f)
            }
        }

        crate::report::notebook!($fit);
    };
}
pub(super) use dif_views;
