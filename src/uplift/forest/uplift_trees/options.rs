//! What uplift trees and forests have in common: options, the columns read, and how trees are grown from them.

use super::criterion::UpliftCriterion;
use super::grow::{FEWEST_ROWS, Growth};
use super::prepared::Prepared;
use super::split::Limits;
use crate::causal::sample::{CausalSample, Columns};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::uplift::forest::codes::Binned;
use crate::uplift::forest::split::MOST_ROWS;
use crate::uplift::forest::tree::MOST_FEATURES;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::sync::Arc;

/// The deepest tree: beyond, every node has a single row.
const DEEPEST: usize = 64;

/// Options of trees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Options {
    pub(super) columns: Columns,
    pub(super) criterion: UpliftCriterion,
    pub(super) normalized: bool,
    pub(super) shrinkage: f64,
    pub(super) min_arm_rows: usize,
    pub(super) min_leaf_rows: usize,
    pub(super) depth: usize,
    pub(super) least_gain: f64,
    pub(super) features_per_split: Option<usize>,
    pub(super) honest: bool,
    pub(super) honesty_fraction: f64,
    pub(super) seed: Option<Seed>,
}

/// The setters that trees and forests share.
macro_rules! grown {
    ($type:ident) => {
        crate::causal::builders::row_columns!(
            $type,
            "A column of clusters: rows of a cluster are drawn and held out together, and errors are clustered.",
            options,
            columns
        );

        impl $type {
            /// What splits maximise.
            pub fn criterion(mut self, criterion: UpliftCriterion) -> Self {
                self.options.criterion = criterion;
                self
            }

            /// The arm that others are compared with; the first level unless given.
            pub fn control(mut self, arm: impl Into<String>) -> Self {
                self.options.columns.control = Some(arm.into());
                self
            }

            /// Whether gains are divided by what the split tells about the arm.
            pub fn normalized(mut self, normalized: bool) -> Self {
                self.options.normalized = normalized;
                self
            }

            /// So many rows with the parent's mean are added to each arm while splits are judged.
            pub fn shrinkage(mut self, rows: f64) -> Self {
                self.options.shrinkage = rows;
                self
            }

            /// Fewest rows of every arm on each side of a split.
            pub fn min_arm_rows(mut self, rows: usize) -> Self {
                self.options.min_arm_rows = rows;
                self
            }

            /// Fewest rows on each side of a split.
            pub fn min_leaf_rows(mut self, rows: usize) -> Self {
                self.options.min_leaf_rows = rows;
                self
            }

            /// Most questions on the way to a leaf.
            pub fn depth(mut self, depth: usize) -> Self {
                self.options.depth = depth;
                self
            }

            /// A split must gain more than this.
            pub fn least_gain(mut self, gain: f64) -> Self {
                self.options.least_gain = gain;
                self
            }

            /// How many features, drawn at random, are tried at a split.
            pub fn features_per_split(mut self, count: usize) -> Self {
                self.options.features_per_split = Some(count);
                self
            }

            /// Whether other rows estimate the leaves than those that found the splits.
            pub fn honest(mut self, honest: bool) -> Self {
                self.options.honest = honest;
                self
            }

            /// The share of an honest tree's rows that finds the splits.
            pub fn honesty_fraction(mut self, share: f64) -> Self {
                self.options.honesty_fraction = share;
                self
            }

            /// The seed of everything that is drawn.
            pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
                self.options.seed = Some(seed.into());
                self
            }
        }
    };
}
pub(super) use grown;

impl Options {
    pub(super) fn new<S: AsRef<str>>(outcome: &str, treatment: &str, features: &[S]) -> Self {
        Self {
            columns: Columns::new(outcome, treatment, features),
            criterion: UpliftCriterion::Euclidean,
            normalized: true,
            shrinkage: 10.0,
            min_arm_rows: 10,
            min_leaf_rows: 100,
            depth: 3,
            least_gain: 0.0,
            features_per_split: None,
            honest: true,
            honesty_fraction: 0.5,
            seed: None,
        }
    }

    /// Refuses options out of range.
    pub(super) fn check(&self) -> Result<()> {
        let p = self.columns.features.len();
        let positive = |v: f64| v >= 0.0 && v.is_finite();
        let rules = [
            (
                "features",
                p as f64,
                p > 0 && p < MOST_FEATURES,
                format!("from 1 to {} columns", MOST_FEATURES - 1),
            ),
            (
                "shrinkage",
                self.shrinkage,
                positive(self.shrinkage),
                "a finite number of rows, 0 for none".to_owned(),
            ),
            (
                "min_arm_rows",
                self.min_arm_rows as f64,
                self.min_arm_rows as f64 >= FEWEST_ROWS,
                format!("at least {FEWEST_ROWS}, so that means have errors"),
            ),
            (
                "min_leaf_rows",
                self.min_leaf_rows as f64,
                self.min_leaf_rows > 0,
                "at least 1".to_owned(),
            ),
            (
                "depth",
                self.depth as f64,
                self.depth <= DEEPEST,
                format!("from 0 to {DEEPEST}"),
            ),
            (
                "least_gain",
                self.least_gain,
                positive(self.least_gain),
                "finite and not negative".to_owned(),
            ),
            (
                "features_per_split",
                self.features_per_split.unwrap_or(1) as f64,
                (1..=p).contains(&self.features_per_split.unwrap_or(1)),
                format!("from 1 to the number of features, {p}"),
            ),
            (
                "honesty_fraction",
                self.honesty_fraction,
                self.honesty_fraction > 0.0 && self.honesty_fraction < 1.0,
                "between 0 and 1".to_owned(),
            ),
        ];
        match rules.into_iter().find(|rule| !rule.2) {
            Some((option, value, _, expected)) => {
                Err(Error::invalid_option(option, value, expected))
            }
            None => Ok(()),
        }
    }

    /// Reads the columns; `share` of the rows finds the splits of a tree.
    pub(super) fn prepare(&self, frame: &Frame, tried: usize, share: f64) -> Result<Prepared> {
        self.check()?;
        let mut sample = self.columns.read(frame)?;
        if sample.len() > MOST_ROWS {
            return Err(Error::invalid_option(
                "the frame",
                format!("{} rows", sample.len()),
                format!("at most {MOST_ROWS} rows"),
            ));
        }
        let classes = |v: &f64| v.abs() <= 0.0 || (v - 1.0).abs() <= 0.0;
        let classes = sample.y.iter().all(classes);
        if self.criterion.needs_classes() && !classes {
            return Err(Error::invalid_option(
                "criterion",
                format!(
                    "{} with an outcome of other values than 0 and 1",
                    self.criterion
                ),
                "UpliftCriterion::Euclidean, ContextualTreatment or Interaction",
            ));
        }
        if let Some(weights) = &mut sample.weights {
            let positive = weights.iter().filter(|w| **w > 0.0).count();
            let mean = weights.iter().sum::<f64>() / positive as f64;
            for weight in weights {
                *weight /= mean;
            }
        }
        self.check_arms(&sample, share)?;
        // Sums of zeros and ones are exact as they are.
        let centre = if classes {
            0.0
        } else {
            (0..sample.len())
                .map(|i| sample.weight(i) * sample.y[i])
                .sum::<f64>()
                / sample.len() as f64
        };
        for y in &mut sample.y {
            *y -= centre;
        }
        let mut warnings = sample.warnings.clone();
        let clusters = sample.clusters.as_ref().map(|codes| {
            let count = codes.iter().max().map_or(0, |most| *most as usize + 1);
            (codes.clone(), count)
        });
        let binned = Binned::new(
            &sample.features,
            &sample.all(),
            clusters.as_ref(),
            &mut warnings,
        );
        let growth = Growth {
            criterion: self.criterion,
            normalized: self.normalized,
            shrinkage: self.shrinkage,
            limits: Limits {
                arm: self.min_arm_rows as f64,
                leaf: self.min_leaf_rows as f64,
            },
            depth: self.depth,
            least_gain: self.least_gain,
            features_per_split: self.features_per_split.unwrap_or(tried),
        };
        Ok(Prepared {
            info: Arc::clone(sample.features.info()),
            binned,
            growth,
            centre,
            warnings,
            sample,
        })
    }

    /// Refuses arms with too few rows, or clusters, of weight.
    fn check_arms(&self, sample: &CausalSample, share: f64) -> Result<()> {
        let least = |each: f64| (each / share).ceil() as usize;
        for (arm, name) in sample.arms.iter().enumerate() {
            let own = |i: &usize| sample.arm_of[*i] as usize == arm && sample.weight(*i) > 0.0;
            let own: Vec<usize> = (0..sample.len()).filter(own).collect();
            let wanted = least(2.0 * self.min_arm_rows as f64);
            let refused = |needs: String| Error::Unidentified {
                what: format!("an uplift tree with arm `{name}`"),
                needs,
            };
            if own.len() < wanted {
                return Err(refused(format!(
                    "at least {wanted} rows of every arm, so that a split can have {} on each side; it has {}",
                    self.min_arm_rows,
                    own.len()
                )));
            }
            if let Some(codes) = &sample.clusters {
                let mut clusters: Vec<u32> = own.iter().map(|i| codes[*i]).collect();
                clusters.sort_unstable();
                clusters.dedup();
                let wanted = least(FEWEST_ROWS);
                if clusters.len() < wanted {
                    return Err(refused(format!(
                        "at least {wanted} clusters of `{}` with every arm, so that its mean has an error; it has {}",
                        sample.cluster_column.as_deref().unwrap_or_default(),
                        clusters.len()
                    )));
                }
            }
        }
        Ok(())
    }

    /// How the trees were grown, in words.
    pub(super) fn describe(&self) -> String {
        let mut words = format!(
            "splits by {}; {}",
            self.criterion,
            if self.honest {
                "honest: leaves are estimated on rows that did not find the splits"
            } else {
                "not honest: the rows that found the splits estimate the leaves, whose effects are too large"
            }
        );
        for (how, column) in [
            ("weighted", &self.columns.weights),
            ("clustered", &self.columns.clusters),
        ] {
            if let Some(column) = column {
                let _ = write!(words, "; {how} by {column}");
            }
        }
        words
    }
}
