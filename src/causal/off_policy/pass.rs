//! One pass over a log: means and covariances of what every estimator is a function of.

use super::bins::Bins;
use super::columns::{Actions, Log, ROUNDING, Target};
use super::tuning::ThresholdTuning;
use crate::error::{Error, Result};
use crate::numeric::blocks;
use crate::summary::gram::{TILE, Tile};
use crate::summary::moments::BLOCK;
use crate::summary::{GroupSums, Moments};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The options that say which columns a pass makes.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The largest weight.
    pub(super) clip: f64,
    /// Weights above which SWITCH trusts the model.
    pub(super) switch: Vec<f64>,
    /// λ of the shrunk weights.
    pub(super) shrink: Vec<f64>,
    /// The choice among several of them, and the largest residual that rewards allow.
    pub(super) tuning: ThresholdTuning,
    pub(super) residual: f64,
    pub(super) has_model: bool,
    /// The log's probabilities of all actions are known.
    pub(super) has_table: bool,
}

/// Where a quantity stands among the columns of a pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part {
    Weight,
    Reward,
    /// Weight times reward.
    Earned,
    /// Prediction averaged over the policy's actions.
    Model,
    /// Weight times what the model does not predict.
    Residual,
    /// The same where the weight is at most τ.
    SwitchResidual(usize),
    /// The model above τ, weight times reward below.
    Switch(usize),
    /// Shrunk weight times what the model does not predict.
    ShrunkResidual(usize),
    /// Shrunk weight times reward.
    Shrunk(usize),
}

impl Plan {
    pub(super) fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::Weight, Part::Reward, Part::Earned];
        parts.extend((0..self.shrink.len()).map(Part::Shrunk));
        if self.has_model {
            parts.extend([Part::Model, Part::Residual]);
            parts.extend((0..self.switch.len()).map(Part::SwitchResidual));
            parts.extend((0..self.shrink.len()).map(Part::ShrunkResidual));
            if self.has_table {
                parts.extend((0..self.switch.len()).map(Part::Switch));
            }
        }
        parts
    }
}

/// What a pass found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sums {
    moments: Moments,
    pub(super) bins: Bins,
    pub(super) clipped: usize,
    pub(super) largest: f64,
    /// Sum of the policy's chances of actions that the log could not take.
    pub(super) unsupported: f64,
    /// The first row whose chances do not add up: of the policy, of the log, and of the logged action.
    #[serde(skip)]
    faults: [Option<(usize, f64)>; 3],
}

/// Means, and the covariance of these means.
#[derive(Clone, Debug)]
pub(super) struct Means {
    pub(super) mean: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
    /// Second moments of the columns around their means.
    pub(super) comoment: DMatrix<f64>,
    pub(super) rows: f64,
    /// Rows or clusters.
    pub(super) units: usize,
}

impl Sums {
    pub(super) fn empty(columns: usize) -> Self {
        Self {
            moments: Moments::empty(columns),
            bins: Bins::empty(),
            clipped: 0,
            largest: 0.0,
            unsupported: 0.0,
            faults: [None; 3],
        }
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.moments.join(&other.moments);
        self.bins.join(&other.bins);
        self.clipped += other.clipped;
        self.largest = self.largest.max(other.largest);
        self.unsupported += other.unsupported;
        for (a, b) in self.faults.iter_mut().zip(other.faults) {
            *a = a.or(b);
        }
    }

    /// Refuses chances that do not add up.
    fn check(&self) -> Result<()> {
        let says = [
            "1: the policy's chances of all actions add up to it",
            "1: the log's chances of all actions add up to it",
            "what the log's column of that action has",
        ];
        let what = [
            "the sum of the targets",
            "the sum of the logged actions",
            "the propensity of the action taken",
        ];
        for ((fault, expected), column) in self.faults.iter().zip(says).zip(what) {
            if let Some((row, value)) = fault {
                return Err(Error::OutOfRange {
                    column: column.to_owned(),
                    row: row + 1,
                    value: *value,
                    expected: expected.to_owned(),
                });
            }
        }
        Ok(())
    }

    pub(super) fn rows(&self) -> f64 {
        self.moments.weight()
    }

    pub(super) fn mean(&self) -> DVector<f64> {
        self.moments.mean()
    }

    /// Means of the columns with the covariance of rows that are independent.
    pub(super) fn of_rows(&self) -> Means {
        let rows = self.moments.weight();
        let comoment = self.moments.comoment();
        Means {
            mean: self.moments.mean(),
            covariance: &comoment / (rows * (rows - 1.0).max(1.0)),
            comoment,
            rows,
            units: rows as usize,
        }
    }

    /// Means with the covariance of clusters that are independent, from the cross-product of their centred sums.
    pub(super) fn of_clusters(&self, cross_product: DMatrix<f64>, clusters: usize) -> Means {
        let (rows, groups) = (self.moments.weight(), clusters as f64);
        let correction = groups / (groups - 1.0).max(1.0) / (rows * rows);
        Means {
            covariance: cross_product * correction,
            comoment: self.moments.comoment(),
            mean: self.moments.mean(),
            rows,
            units: clusters,
        }
    }
}

/// The values of a few rows, which stay in the cache while columns are made from them.
struct Rows {
    /// Chance of the logged action under the policy, weight of it, and what the model says.
    wanted: [f64; TILE],
    weight: [f64; TILE],
    predicted: [f64; TILE],
    model: [f64; TILE],
    total: [f64; TILE],
    other: [f64; TILE],
}

impl Log {
    pub(super) fn rows(&self) -> usize {
        self.reward.len()
    }

    /// The pass, over blocks in parallel.
    pub(super) fn sums(&self, plan: &Plan) -> Result<Sums> {
        let parts = plan.parts();
        let columns = parts.len();
        let work = |block: Range<usize>| {
            let mut sums = Sums::empty(columns);
            let mut part = Moments::empty(columns);
            let (mut tile, mut rows, mut root) = (Tile::new(columns), Rows::new(), [0.0; TILE]);
            for r in blocks::ranges(block.len(), TILE) {
                let range = block.start + r.start..block.start + r.end;
                self.fill(plan, &parts, range, &mut rows, &mut tile, &mut sums);
                part.summarize(&mut tile, r.len(), None, &mut root);
                sums.moments.join(&part);
            }
            sums
        };
        let sums = blocks::reduce(self.rows(), BLOCK, work, |a, b| a.join(&b))
            .unwrap_or_else(|| Sums::empty(columns));
        sums.check()?;
        Ok(sums)
    }

    /// Sums by cluster of the columns less `center`.
    pub(super) fn sums_by_cluster(
        &self,
        plan: &Plan,
        center: &[f64],
        codes: &[u32],
        clusters: usize,
    ) -> Result<GroupSums> {
        let parts = plan.parts();
        let columns = parts.len();
        let mut sums = GroupSums::empty(clusters, columns);
        let (mut tile, mut buffer) = (Tile::new(columns), Rows::new());
        let mut unused = Sums::empty(columns);
        for range in blocks::ranges(self.rows(), TILE) {
            self.fill(
                plan,
                &parts,
                range.clone(),
                &mut buffer,
                &mut tile,
                &mut unused,
            );
            for (j, center) in center.iter().enumerate() {
                for value in tile.column_mut(j) {
                    *value -= center;
                }
            }
            let found: Vec<&[f64]> = (0..columns)
                .map(|j| &tile.column(j)[..range.len()])
                .collect();
            sums.push(&codes[range], &found)?;
        }
        Ok(sums)
    }

    /// Makes the columns of a few rows.
    fn fill(
        &self,
        plan: &Plan,
        parts: &[Part],
        range: Range<usize>,
        rows: &mut Rows,
        tile: &mut Tile,
        sums: &mut Sums,
    ) {
        let len = range.len();
        match &self.target {
            Target::Logged { wanted, model } => {
                rows.wanted[..len].copy_from_slice(&wanted[range.clone()]);
                if let Some((model, predicted)) = model {
                    rows.model[..len].copy_from_slice(&model[range.clone()]);
                    rows.predicted[..len].copy_from_slice(&predicted[range.clone()]);
                }
            }
            Target::Actions(actions) => {
                rows.gather(actions, range.clone());
                rows.check(actions, &self.logged[range.clone()], range.start, sums);
            }
        }
        let (reward, logged) = (&self.reward[range.clone()], &self.logged[range.clone()]);
        for (i, logged) in logged.iter().enumerate() {
            let weight = rows.wanted[i] / logged;
            rows.weight[i] = weight;
            sums.clipped += usize::from(weight > plan.clip);
            sums.largest = sums.largest.max(weight);
            sums.bins.push(weight.min(plan.clip));
        }
        for (j, part) in parts.iter().enumerate() {
            let out = &mut tile.column_mut(j)[..len];
            rows.column(*part, plan, reward, out);
            if let (Part::Switch(k), Target::Actions(actions)) = (*part, &self.target) {
                rows.model_above(plan.switch[k], actions, range.clone(), out);
            }
        }
    }
}

impl Rows {
    fn new() -> Self {
        Self {
            wanted: [0.0; TILE],
            weight: [0.0; TILE],
            predicted: [0.0; TILE],
            model: [0.0; TILE],
            total: [0.0; TILE],
            other: [0.0; TILE],
        }
    }

    /// Picks what belongs to the logged action and averages over the policy's.
    fn gather(&mut self, actions: &Actions, range: Range<usize>) {
        let len = range.len();
        let codes = &actions.codes[range.clone()];
        for values in [
            &mut self.wanted,
            &mut self.predicted,
            &mut self.model,
            &mut self.total,
        ] {
            values[..len].fill(0.0);
        }
        for (a, wanted) in actions.wanted.iter().enumerate() {
            let wanted = &wanted[range.clone()];
            for (i, q) in wanted.iter().enumerate() {
                self.total[i] += q;
            }
            for ((out, q), code) in self.wanted.iter_mut().zip(wanted).zip(codes) {
                *out = if *code == a as u32 { *q } else { *out };
            }
            if let Some(predicted) = actions.predicted.get(a) {
                let predicted = &predicted[range.clone()];
                for ((out, q), m) in self.model.iter_mut().zip(wanted).zip(predicted) {
                    *out += q * m;
                }
                for ((out, m), code) in self.predicted.iter_mut().zip(predicted).zip(codes) {
                    *out = if *code == a as u32 { *m } else { *out };
                }
            }
        }
    }

    /// The first of some rows whose chances do not add up to one, and their sum.
    fn astray(&self, len: usize, first: usize) -> Option<(usize, f64)> {
        let mut totals = self.total[..len].iter();
        let at = totals.position(|total| (total - 1.0).abs() > ROUNDING)?;
        Some((first + at, self.total[at]))
    }

    /// Notes chances that do not add up, and the policy's chances of actions that the log could not take.
    fn check(&mut self, actions: &Actions, logged: &[f64], first: usize, sums: &mut Sums) {
        let len = logged.len();
        sums.faults[0] = sums.faults[0].or_else(|| self.astray(len, first));
        if actions.logged.is_empty() {
            return;
        }
        self.total[..len].fill(0.0);
        for (a, chances) in actions.logged.iter().enumerate() {
            let wanted = &actions.wanted[a][first..first + len];
            for (i, chance) in chances[first..first + len].iter().enumerate() {
                self.total[i] += chance;
                if *chance <= 0.0 {
                    sums.unsupported += wanted[i];
                }
                let taken = actions.codes[first + i] == a as u32;
                if taken && (chance - logged[i]).abs() > ROUNDING {
                    sums.faults[2] = sums.faults[2].or(Some((first + i, logged[i])));
                }
            }
        }
        sums.faults[1] = sums.faults[1].or_else(|| self.astray(len, first));
    }

    /// One column.
    fn column(&self, part: Part, plan: &Plan, reward: &[f64], out: &mut [f64]) {
        for (i, out) in out.iter_mut().enumerate() {
            let (weight, reward) = (self.weight[i], reward[i]);
            let clipped = weight.min(plan.clip);
            let residual = reward - self.predicted[i];
            let below = |k: usize| {
                if weight <= plan.switch[k] {
                    weight
                } else {
                    0.0
                }
            };
            *out = match part {
                Part::Weight => clipped,
                Part::Reward => reward,
                Part::Earned => clipped * reward,
                Part::Model => self.model[i],
                Part::Residual => clipped * residual,
                Part::SwitchResidual(k) => below(k) * residual,
                Part::Switch(k) => below(k) * reward,
                Part::ShrunkResidual(k) => shrunk(weight, plan.shrink[k]) * residual,
                Part::Shrunk(k) => shrunk(weight, plan.shrink[k]) * reward,
            };
        }
    }

    /// Adds the model's value of the actions whose weight would be above τ.
    fn model_above(&mut self, tau: f64, actions: &Actions, range: Range<usize>, out: &mut [f64]) {
        self.other[..out.len()].fill(0.0);
        for ((wanted, predicted), logged) in actions
            .wanted
            .iter()
            .zip(&actions.predicted)
            .zip(&actions.logged)
        {
            for (i, row) in range.clone().enumerate() {
                if wanted[row] > tau * logged[row] {
                    self.other[i] += wanted[row] * predicted[row];
                }
            }
        }
        for (out, model) in out.iter_mut().zip(&self.other) {
            *out += model;
        }
    }
}

/// `λw/(w² + λ)`, which is the weight itself at infinity.
fn shrunk(weight: f64, lambda: f64) -> f64 {
    weight / (1.0 + weight * weight / lambda)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_spans_from_nothing_to_the_weight() {
        assert_eq!(shrunk(3.0, f64::INFINITY), 3.0);
        assert_eq!(shrunk(3.0, 0.0), 0.0);
        assert!((shrunk(3.0, 9.0) - 1.5).abs() < 1e-15);
        assert_eq!(shrunk(0.0, 1.0), 0.0);
    }
}
