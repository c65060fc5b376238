//! The columns of a trial, cut into bins, and a tree grown on a part of their rows.

use super::grow::{Ground, Grown, Growth, Workshop};
use crate::causal::sample::CausalSample;
use crate::error::Warning;
use crate::regression::learners::features::FeatureInfo;
use crate::uplift::forest::codes::Binned;
use crate::uplift::forest::sample::Drawn;
use rand::Rng;
use std::sync::Arc;

/// The columns read, cut into bins.
pub(super) struct Prepared {
    pub(super) sample: CausalSample,
    pub(super) info: Arc<Vec<FeatureInfo>>,
    pub(super) binned: Binned,
    pub(super) growth: Growth,
    /// What was taken off the outcome, so that sums of squares keep their digits.
    pub(super) centre: f64,
    pub(super) warnings: Vec<Warning>,
}

/// A tree that is grown, cut back and estimated.
pub(super) struct Finished {
    pub(super) grown: Grown,
    /// The rows that estimate it.
    pub(super) rows: Vec<u32>,
}

impl Prepared {
    pub(super) fn ground(&self) -> Ground<'_> {
        Ground {
            codes: &self.binned.codes,
            category: &self.binned.category,
            arms: self.sample.arms.len(),
            arm_of: &self.sample.arm_of,
            y: &self.sample.y,
            weights: self.sample.weights.as_deref(),
            clusters: self.sample.clusters.as_deref(),
            growth: self.growth,
        }
    }

    /// All rows with weight.
    pub(super) fn everybody(&self) -> Vec<u32> {
        self.weighted(0..self.sample.len() as u32)
    }

    /// The rows with weight among some.
    fn weighted(&self, rows: impl Iterator<Item = u32>) -> Vec<u32> {
        rows.filter(|row| self.sample.weight(*row as usize) > 0.0)
            .collect()
    }

    /// Grows a tree on the rows drawn, all of them unless it is honest; cuts it back on those not drawn if `prune`; estimates it. `all` are the sums of all rows.
    pub(super) fn tree(
        &self,
        honest: bool,
        prune: bool,
        drawn: &Drawn,
        all: &[f64],
        random: &mut impl Rng,
    ) -> Finished {
        let ground = self.ground();
        let mut split = drawn.split.clone();
        if !honest {
            split.extend(&drawn.fill);
            split.sort_unstable();
        }
        let split = self.weighted(split.into_iter());
        let mut grown = Workshop::new(&ground).grow(&ground, &split, random);
        if prune {
            let unseen = |row: &u32| drawn.seen[*row as usize / 64] >> (row % 64) & 1 == 0;
            let other = self.weighted((0..self.sample.len() as u32).filter(unseen));
            grown = grown.pruned(&ground, &other);
        }
        let mut rows = if honest {
            self.weighted(drawn.fill.iter().copied())
        } else {
            split
        };
        // With clusters the rows that found a split may be of too few for an error.
        if honest || ground.clusters.is_some() {
            grown = grown.estimated(&ground, &rows, all);
            if grown.everybody {
                rows = self.everybody();
            }
        }
        Finished {
            grown: grown.with_means(self.centre),
            rows,
        }
    }
}
