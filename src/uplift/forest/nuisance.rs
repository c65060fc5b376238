//! The means that a causal forest takes away first: of the outcome, the treatment and the instrument given the features.

use super::codes::Binned;
use super::moment::{Moment, Point};
use super::plan::Plan;
use super::sample::Sampling;
use crate::data::Rows;
use crate::error::{Error, Result, Warning};
use crate::numeric::permutation::shuffle;
use crate::numeric::{Progress, Seed};
use crate::regression::learners::folds::Folds;
use crate::regression::learners::stack::simplex;
use crate::regression::learners::{Features, Learner, Task, TrainingSet};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// Probabilities are kept this far from 0 and 1, so that no row has more than a hundred times the weight of another.
pub(super) const CLIP: f64 = 0.01;
/// A forest for a mean has this share of the trees of the forest for the effect, but at least so many.
pub(super) const TREES_SHARE: usize = 4;
pub(super) const LEAST_TREES: usize = 50;

/// How the conditional means of outcome, treatment and instrument are learned.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ForestNuisances {
    /// Learners cross-fitted on the same folds, and combined by the convex weights that minimise the squared error of their predictions for rows
    /// they have not seen (short-stacking: Ahrens, Hansen, Schaffer & Wiemann 2025, doi:10.1002/jae.3103). Clusters stay within a fold.
    CrossFitted {
        /// The learners.
        learners: Vec<Learner>,
        /// Folds.
        folds: usize,
    },
    /// Honest regression forests and their out-of-bag predictions: fast, but what such forests smooth away stays in the residuals as
    /// confounding.
    OutOfBag,
}

impl Default for ForestNuisances {
    /// Linear, boosted trees and a forest of 250 trees, in five folds.
    fn default() -> Self {
        const TREES: usize = 250;
        Self::CrossFitted {
            learners: vec![
                Learner::linear().into(),
                Learner::boosted_trees().into(),
                Learner::forest().trees(TREES).into(),
            ],
            folds: 5,
        }
    }
}

impl ForestNuisances {
    /// These learners in five folds.
    pub fn learners<I>(learners: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Learner>,
    {
        Self::CrossFitted {
            learners: learners.into_iter().map(Into::into).collect(),
            folds: 5,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let Self::CrossFitted { learners, folds } = self else {
            return Ok(());
        };
        if learners.is_empty() {
            return Err(Error::invalid_option(
                "learners",
                "empty",
                "at least one learner",
            ));
        }
        if *folds < 2 {
            return Err(Error::invalid_option("folds", folds, "at least 2"));
        }
        learners.iter().try_for_each(Learner::check)
    }

    /// Where the means came from, in words, when columns hold some of them.
    pub(super) fn describe_given(&self, given: usize, wanted: usize) -> String {
        match given {
            0 => self.describe(),
            g if g == wanted => "given".to_owned(),
            _ => format!("given in part, else {}", self.describe()),
        }
    }

    /// In words, for tables.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::OutOfBag => "out-of-bag forests".to_owned(),
            Self::CrossFitted { learners, folds } => {
                let names: Vec<&str> = learners.iter().map(Learner::name).collect();
                format!("{} in {folds} folds", names.join(", "))
            }
        }
    }
}

/// The rows that means are learned on.
pub(super) struct Sample<'a> {
    pub(super) features: &'a Features,
    pub(super) rows: &'a Rows,
    pub(super) binned: &'a Binned,
    /// One entry a used row.
    pub(super) weights: Option<&'a [f64]>,
    /// One entry a used row: which rows are drawn and held out together.
    pub(super) groups: Option<&'a [u32]>,
}

/// What is learned.
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    /// Names its folds and draws: targets that share it are learned on the same ones.
    pub(super) draws: &'a str,
    /// One entry a used row.
    pub(super) target: &'a [f64],
    pub(super) task: Task,
}

/// Means of a target given the features, each from rows other than its own; one a used row.
pub(super) fn means(
    nuisances: &ForestNuisances,
    sample: &Sample,
    wanted: &Wanted,
    plan: &Plan,
    seed: Seed,
    progress: &Progress,
) -> Result<(Vec<f64>, Vec<Warning>)> {
    let seed = seed.child("nuisance").child(wanted.draws);
    let (mut means, warnings) = match nuisances {
        ForestNuisances::OutOfBag => (out_of_bag(sample, wanted, plan, seed, progress)?, vec![]),
        ForestNuisances::CrossFitted { learners, folds } => {
            stacked(learners, *folds, sample, wanted, seed, progress)?
        }
    };
    if wanted.task == Task::Probability {
        for p in &mut means {
            *p = p.clamp(CLIP, 1.0 - CLIP);
        }
    }
    Ok((means, warnings))
}

/// The forest's own engine, each tree on half of the rows.
fn out_of_bag(
    sample: &Sample,
    wanted: &Wanted,
    plan: &Plan,
    seed: Seed,
    progress: &Progress,
) -> Result<Vec<f64>> {
    let of = |i: usize| Point {
        y: wanted.target[i],
        weight: sample.weights.map_or(1.0, |w| w[i]),
        ..Point::default()
    };
    let points: Vec<Point> = (0..wanted.target.len()).map(of).collect();
    let data = sample.binned.data(&points, sample.weights.is_some());
    let trees = (plan.bags * plan.sampling.bag / TREES_SHARE).max(LEAST_TREES);
    let single = Plan {
        moment: Moment::Mean,
        bags: trees,
        sampling: Sampling {
            bag: 1,
            ..plan.sampling
        },
        growth: plan.growth,
    };
    let (forest, seen) = single.grow(&data, seed, progress)?;
    let predicted = forest.predict(&sample.binned.codes, Some(&seen));
    Ok(predicted.iter().map(|p| p.estimate).collect())
}

/// Cross-fitted learners and their best convex combination.
fn stacked(
    learners: &[Learner],
    count: usize,
    sample: &Sample,
    wanted: &Wanted,
    seed: Seed,
    progress: &Progress,
) -> Result<(Vec<f64>, Vec<Warning>)> {
    let (rows, total) = (sample.rows, sample.rows.total());
    let spread = |values: &[f64]| {
        let mut wide = vec![0.0; total];
        for (i, value) in values.iter().enumerate() {
            wide[rows.index(i)] = *value;
        }
        wide
    };
    let target = spread(wanted.target);
    let weights = sample.weights.map(spread);
    let set = TrainingSet::new(sample.features, &target, wanted.task)
        .weights(weights.as_deref())
        .rows(rows.clone())
        .named(wanted.name);
    set.check()?;
    let folds = folds(sample, count, seed)?;
    let mut position = vec![0; total];
    for i in 0..rows.len() {
        position[rows.index(i)] = i;
    }
    let (mut predictions, mut warnings) = (Vec::new(), Vec::new());
    let mut first_error = None;
    for (l, learner) in learners.iter().enumerate() {
        let fitted = match (learner, sample.groups) {
            (Learner::Forest(_), None) => bagged(learner, l, &set, seed, progress),
            _ => Ok(None),
        };
        let predicted = fitted.and_then(|bagged| match bagged {
            Some(predicted) => Ok(predicted),
            None => cross_fit(learner, l, &set, &folds, &position, seed, progress),
        });
        match predicted {
            Ok(predicted) => predictions.push(predicted),
            Err(error @ Error::Cancelled { .. }) => return Err(error),
            Err(error) => {
                warnings.push(Warning::Note {
                    message: format!(
                        "the learner `{}` was left out for `{}`: {error}",
                        learner.name(),
                        wanted.name
                    ),
                });
                first_error.get_or_insert(error);
            }
        }
    }
    if let (true, Some(error)) = (predictions.is_empty(), first_error) {
        return Err(error);
    }
    let share = combination(&predictions, wanted.target, sample.weights)?;
    let mean = |i: usize| {
        let parts = predictions.iter().zip(&share);
        parts.map(|(predicted, s)| s * predicted[i]).sum()
    };
    Ok(((0..rows.len()).map(mean).collect(), warnings))
}

/// Folds of rows or of whole clusters.
fn folds(sample: &Sample, count: usize, seed: Seed) -> Result<Folds> {
    let Some(groups) = sample.groups else {
        return Folds::random(sample.rows, count, seed);
    };
    let clusters = sample.binned.units.count();
    if clusters < count {
        return Err(Error::invalid_option(
            "folds",
            count,
            format!("at most the number of clusters, {clusters}"),
        ));
    }
    let mut of_cluster: Vec<usize> = (0..clusters).map(|c| c % count).collect();
    shuffle(&mut of_cluster, &mut seed.child("folds").stream(0));
    let mut ids = vec![0; sample.rows.total()];
    for (i, cluster) in groups.iter().enumerate() {
        ids[sample.rows.index(i)] = of_cluster[*cluster as usize];
    }
    Folds::by_row(sample.rows, &ids, count)
}

/// A forest's out-of-bag predictions, one a used row; none when its trees are too few to have left out every row.
fn bagged(
    learner: &Learner,
    number: usize,
    set: &TrainingSet,
    seed: Seed,
    progress: &Progress,
) -> Result<Option<Vec<f64>>> {
    let fitted = learner.fit_with(set, seed.child(&format!("{number}/bags")), progress)?;
    let complete = |values: &&[f64]| values.iter().all(|v| v.is_finite());
    Ok(fitted.out_of_bag().filter(complete).map(<[f64]>::to_vec))
}

/// One learner's predictions for each fold from the others, one a used row.
fn cross_fit(
    learner: &Learner,
    number: usize,
    set: &TrainingSet,
    folds: &Folds,
    position: &[usize],
    seed: Seed,
    progress: &Progress,
) -> Result<Vec<f64>> {
    let total = set.features().rows();
    let mut out = vec![0.0; set.used_rows().len()];
    for (f, held_out) in folds.held_out.iter().enumerate() {
        let others = set
            .clone()
            .rows(Rows::some(total, folds.complement(held_out)));
        let fitted = learner.fit_with(&others, seed.child(&format!("{number}/{f}")), progress)?;
        let held = Rows::some(total, held_out.clone());
        let mut predicted = vec![0.0; held.len()];
        fitted.predict(set.features(), &held, &mut predicted)?;
        for (i, p) in predicted.iter().enumerate() {
            out[position[held.index(i)]] = *p;
        }
    }
    Ok(out)
}

/// Weights ≥ 0 that sum to one with the least squared error.
fn combination(
    predictions: &[Vec<f64>],
    target: &[f64],
    weights: Option<&[f64]>,
) -> Result<Vec<f64>> {
    let k = predictions.len();
    let mut products = DMatrix::zeros(k, k);
    for (i, y) in target.iter().enumerate() {
        let weight = weights.map_or(1.0, |w| w[i]);
        for a in 0..k {
            for b in 0..=a {
                products[(a, b)] += weight * (y - predictions[a][i]) * (y - predictions[b][i]);
            }
        }
    }
    products.fill_upper_triangle_with_lower_triangle();
    simplex(&products)
}
