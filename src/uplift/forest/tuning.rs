//! Tuning: the shape of trees that predicts residual outcomes best out of bag.

use super::moment::Point;
use super::options::TreeOptions;
use super::plan::{Data, Plan};
use crate::causal::units::Units;
use crate::error::Result;
use crate::numeric::permutation::{open_unit, shuffle};
use crate::numeric::{Progress, Seed};
use crate::report::{Cell, Table, shown};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Shapes tried beside the given one, with few trees each.
const SHAPES: usize = 23;
const FEW_TREES: usize = 60;
/// The best of them that are tried again beside the given one, with more trees.
const FINALISTS: usize = 4;
const MORE_TREES: usize = 240;
/// Options that are tuned.
const DIMENSIONS: usize = 5;
/// A shape replaces the given one when its loss is lower by this many standard errors of the difference: the luckiest of two dozen shapes is
/// lower by some noise.
const CLEARLY: f64 = 0.5;
/// Share of shapes without a charge on unequal children.
const WITHOUT_PENALTY: f64 = 0.5;

/// One shape of trees and its loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuningTrial {
    /// Fewest rows on each side of the mean treatment in a child.
    pub min_node_size: usize,
    /// Features tried at a split, on average.
    pub features_per_split: f64,
    /// Least share of a node's treatment variation in a child.
    pub alpha: f64,
    /// Share of a tree's rows that find its splits.
    pub honesty_fraction: f64,
    /// Charge on unequal children.
    pub imbalance_penalty: f64,
    /// Trees of the forest that was tried.
    pub trees: usize,
    /// Mean of `(Ỹ − τ(X) W̃)²` with out-of-bag effects.
    pub loss: f64,
}

/// How a forest was tuned. The R-loss of out-of-bag effects, `mean (Ỹ − τ(X) W̃)²` (by an instrument `(Ỹ − τ(X) Δ(X) Z̃)²` with the compliance Δ),
/// is computed for the given shape of trees and 23 others from a Latin hypercube, each with 60 trees; the best four and the given one are tried
/// again with 240. The best of those replaces the given one when its loss is lower by at least half a standard error of the paired difference.
/// (R's grf fits a Gaussian process to the losses of 100 small forests instead and takes its minimum.)
///
/// | option | values |
/// |---|---|
/// | `min_node_size` | 1 to n/64, equally often each doubling |
/// | `features_per_split` | 1 to min(p, √p + 20) |
/// | `alpha` | 0 to 0.2 |
/// | `honesty_fraction` | 0.35 to 0.75 |
/// | `imbalance_penalty` | 0 for half of the shapes, else exponential with the scale of the pseudo-outcomes |
///
/// # References
/// Nie & Wager (2021), *Biometrika* 108(2), doi:10.1093/biomet/asaa076 (the R-loss).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForestTuning {
    /// All trials, the given shape first, then as drawn, then those with more trees.
    pub trials: Vec<TuningTrial>,
    /// The trial whose shape was taken.
    pub chosen: usize,
    /// How much lower its loss is than that of the given shape; 0 when that was kept.
    pub gain: f64,
    /// The standard error of the difference between the best other shape and the given one.
    pub std_error: f64,
}

impl ForestTuning {
    /// The shape that was taken.
    pub fn best(&self) -> &TuningTrial {
        &self.trials[self.chosen]
    }

    /// Whether the given shape was kept.
    pub fn kept(&self) -> bool {
        self.gain <= 0.0
    }

    /// The trials with most trees.
    pub fn table(&self) -> Table {
        let most = self.trials.iter().map(|t| t.trees).max();
        let mut table = Table::new("Tuning of the forest").columns([
            "", "min node", "features", "alpha", "honesty", "penalty", "R-loss",
        ]);
        for (i, trial) in self.trials.iter().enumerate() {
            if Some(trial.trees) != most {
                continue;
            }
            table = table.row([
                Cell::text(if i == self.chosen { "chosen" } else { "" }),
                Cell::count(trial.min_node_size),
                Cell::fixed(trial.features_per_split, 1),
                Cell::fixed(trial.alpha, 3),
                Cell::fixed(trial.honesty_fraction, 2),
                Cell::significant(trial.imbalance_penalty, 3),
                Cell::significant(trial.loss, 5),
            ]);
        }
        table.note(format!(
            "Gain {} (s.e. of the difference {}) over the given shape",
            Cell::significant(self.gain, 3),
            Cell::significant(self.std_error, 3)
        ))
    }
}

shown!(ForestTuning);

/// What shapes are tried on.
pub(super) struct Ground<'a> {
    pub(super) data: &'a Data<'a>,
    /// What the effect is multiplied by in the loss.
    pub(super) by: &'a [f64],
    pub(super) clusters: Option<&'a (Vec<u32>, usize)>,
    pub(super) plan: &'a Plan,
    pub(super) seed: Seed,
    pub(super) progress: &'a Progress,
}

impl Ground<'_> {
    /// The options with the best shape.
    pub(super) fn tune(&self, options: &TreeOptions) -> Result<(TreeOptions, ForestTuning)> {
        let mut shapes = vec![options.clone()];
        shapes.extend(self.shapes(options));
        let mut tried = Vec::with_capacity(shapes.len() + FINALISTS + 1);
        for shape in &shapes {
            tried.push(self.trial(shape, FEW_TREES)?.0);
        }
        let mut order: Vec<usize> = (1..shapes.len()).collect();
        order.sort_by(|a, b| tried[*a].loss.total_cmp(&tried[*b].loss));
        let given = tried.len();
        let (trial, base) = self.trial(&shapes[0], MORE_TREES)?;
        tried.push(trial);
        let mut best: Option<(usize, usize, Vec<f64>)> = None;
        for shape in order.into_iter().take(FINALISTS) {
            let (trial, losses) = self.trial(&shapes[shape], MORE_TREES)?;
            if best
                .as_ref()
                .is_none_or(|(at, ..)| trial.loss < tried[*at].loss)
            {
                best = Some((tried.len(), shape, losses));
            }
            tried.push(trial);
        }
        let (mut chosen, mut taken, mut gain, mut std_error) = (given, 0, 0.0, 0.0);
        if let Some((at, shape, losses)) = best {
            let lower = tried[given].loss - tried[at].loss;
            let points = self.data.points;
            let gaps: Vec<f64> = base.iter().zip(&losses).map(|(a, b)| a - b).collect();
            let weights: Vec<f64> = points.iter().map(|p| p.weight).collect();
            let clusters = self.clusters.map(|(codes, _)| codes.as_slice());
            let units = Units::new(gaps.len(), Some(&weights), clusters);
            std_error = units.average("gain", &gaps).std_error;
            if lower > CLEARLY * std_error {
                (chosen, taken, gain) = (at, shape, lower);
            }
        }
        let tuning = ForestTuning {
            trials: tried,
            chosen,
            gain,
            std_error,
        };
        Ok((shapes.swap_remove(taken), tuning))
    }

    /// Shapes from a Latin hypercube: every option takes a value from each of as many equal parts of its range as there are shapes.
    fn shapes(&self, options: &TreeOptions) -> Vec<TreeOptions> {
        let mut random = self.seed.child("shapes").stream(0);
        let mut unit = vec![[0.0; DIMENSIONS]; SHAPES];
        for d in 0..DIMENSIONS {
            let mut parts: Vec<usize> = (0..SHAPES).collect();
            shuffle(&mut parts, &mut random);
            for (unit, part) in unit.iter_mut().zip(parts) {
                unit[d] = (part as f64 + open_unit(random.next_u64())) / SHAPES as f64;
            }
        }
        let most_features = self.plan.growth.features_per_split.max(1.0);
        let largest = (self.data.points.len() as f64 / 64.0).max(2.0);
        let scale = penalty_scale(self.data.points);
        let shape = |[node, features, alpha, honesty, penalty]: [f64; DIMENSIONS]| TreeOptions {
            min_node_size: largest.powf(node).floor().max(1.0) as usize,
            features_per_split: Some(1.0 + features * (most_features - 1.0)),
            alpha: 0.2 * alpha,
            honesty_fraction: 0.35 + 0.4 * honesty,
            imbalance_penalty: if penalty < WITHOUT_PENALTY {
                0.0
            } else {
                -scale * ((1.0 - penalty) / (1.0 - WITHOUT_PENALTY)).ln()
            },
            ..options.clone()
        };
        unit.into_iter().map(shape).collect()
    }

    /// The loss of a shape, and that of every row. All shapes draw the same rows, so that their losses differ by the shape.
    fn trial(&self, shape: &TreeOptions, trees: usize) -> Result<(TuningTrial, Vec<f64>)> {
        let mut plan = shape.plan(self.plan.moment, self.data.codes.features())?;
        plan.bags = trees.div_ceil(plan.sampling.bag);
        let (forest, seen) = plan.grow(self.data, self.seed.child("trial"), self.progress)?;
        let predicted = forest.predict(self.data.codes, Some(&seen));
        let losses: Vec<f64> = (predicted.iter().zip(self.by).zip(self.data.points))
            .map(|((tau, by), p)| (p.y - tau.estimate * by).powi(2))
            .collect();
        let (mut above, mut below) = (0.0, 0.0);
        for (loss, p) in losses.iter().zip(self.data.points) {
            above += p.weight * loss;
            below += p.weight;
        }
        let trial = TuningTrial {
            min_node_size: shape.min_node_size,
            features_per_split: plan.growth.features_per_split,
            alpha: shape.alpha,
            honesty_fraction: shape.honesty_fraction,
            imbalance_penalty: shape.imbalance_penalty,
            trees: plan.bags * plan.sampling.bag,
            loss: above / below,
        };
        Ok((trial, losses))
    }
}

/// A penalty of this size weighs ten rows of a child as much as the noise of its pseudo-outcomes.
fn penalty_scale(points: &[Point]) -> f64 {
    const ROWS: f64 = 10.0;
    let (mut n, mut y, mut z) = (0.0, 0.0, 0.0);
    for p in points {
        n += p.weight;
        y += p.weight * p.y * p.y;
        z += p.weight * p.z * p.z;
    }
    ROWS * (y / n) * (z / n).powi(2)
}
