//! Cross-fitting: predictions for every row by learners that have not seen the row's fold, and stacks whose weights come from them.

use super::folds::CausalFolds;
use crate::data::Rows;
use crate::error::{Error, Result, Warning};
use crate::numeric::{Progress, Seed, blocks};
use crate::regression::learners::stack::simplex;
use crate::regression::learners::{Features, FittedLearner, Learner, Task, TrainingSet};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// Fits on shared folds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CrossFit<'a> {
    pub(crate) folds: &'a CausalFolds,
    pub(crate) seed: Seed,
    pub(crate) progress: &'a Progress,
}

/// The seed of an estimator's cross-fitting; any will do where nothing is learned.
///
/// # Errors
/// `SeedRequired` without one.
pub(crate) fn cross_fit_seed(seed: Option<Seed>, learned: bool, estimator: &str) -> Result<Seed> {
    match seed {
        Some(seed) => Ok(seed.child(estimator)),
        None if !learned => Ok(Seed::new(0)),
        None => Err(Error::SeedRequired {
            what: "cross-fitting".to_owned(),
        }),
    }
}

/// Predictions for every row, each by fits without the row's fold.
#[derive(Clone, Debug)]
pub(crate) struct OutOfFold {
    /// One column for each table of features that was asked for.
    pub(crate) predictions: Vec<Vec<f64>>,
    /// Weights of the stack's members, zero for those that failed.
    pub(crate) weights: Vec<f64>,
    pub(crate) warnings: Vec<Warning>,
}

/// A learner's fit, or the value of a target that does not vary.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Part {
    Constant(f64),
    Learned(Box<FittedLearner>),
}

/// A weighted sum of fits to all rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Combined {
    parts: Vec<(f64, Part)>,
}

/// The members of a stack, or the learner itself.
fn members(learner: &Learner) -> &[Learner] {
    match learner {
        Learner::Stack(stack) => &stack.members,
        one => std::slice::from_ref(one),
    }
}

/// Names of the members.
pub(crate) fn member_names(learner: &Learner) -> Vec<String> {
    members(learner)
        .iter()
        .map(|m| m.name().to_owned())
        .collect()
}

/// The value of a target that is the same on all rows in use.
fn constant(set: &TrainingSet) -> Option<f64> {
    let mut values = (0..set.used_rows().len())
        .map(|i| set.used_rows().index(i))
        .filter(|row| set.weight(*row) > 0.0)
        .map(|row| set.target()[row]);
    let first = values.next()?;
    values.all(|v| (v - first).abs() <= 0.0).then_some(first)
}

fn learn(learner: &Learner, set: &TrainingSet, seed: Seed, progress: &Progress) -> Result<Part> {
    match constant(set) {
        Some(value) => Ok(Part::Constant(value)),
        None => Ok(Part::Learned(Box::new(
            learner.fit_with(set, seed, progress)?,
        ))),
    }
}

impl Part {
    fn predict(&self, features: &Features, rows: &Rows, out: &mut [f64]) -> Result<()> {
        match self {
            Self::Constant(value) => {
                out.fill(*value);
                Ok(())
            }
            Self::Learned(fit) => fit.predict(features, rows, out),
        }
    }
}

/// Whether a stack can do without a member that failed like this.
fn dispensable(error: &Error) -> bool {
    matches!(
        error,
        Error::NotConverged { .. }
            | Error::Separated { .. }
            | Error::TooFewRows { .. }
            | Error::Unidentified { .. }
            | Error::NotFinite { .. }
    )
}

impl CrossFit<'_> {
    /// Fits a learner outside every fold of the set's rows and predicts the rows of the fold (of all rows, used by the set or not) from each table
    /// of `at`. A stack's members are cross-fitted each, and its weights minimise the squared error of these predictions: short-stacking (Ahrens,
    /// Hansen, Schaffer & Wiemann 2025), which needs no folds within folds.
    pub(crate) fn out_of_fold(
        &self,
        name: &str,
        learner: &Learner,
        set: &TrainingSet,
        at: &[&Features],
    ) -> Result<OutOfFold> {
        learner.check()?;
        let (members, n) = (members(learner), set.features().rows());
        let (folds, seed) = (self.folds.count(), self.seed.child(name));
        let fits = blocks::map(members.len() * folds, |task| {
            let (member, fold) = (task / folds, task % folds);
            let others = set.clone().rows(self.folds.outside(set.used_rows(), fold));
            let seed = seed.child(&format!("{member}/{fold}"));
            let part = learn(&members[member], &others, seed, self.progress)?;
            let held = self.folds.inside(&Rows::all(n), fold);
            let mut each = Vec::with_capacity(at.len());
            for features in at {
                let mut out = vec![0.0; held.len()];
                part.predict(features, &held, &mut out)?;
                each.push(out);
            }
            Ok((held, each))
        });
        let mut of_member: Vec<Result<Vec<Vec<f64>>>> = members
            .iter()
            .map(|_| Ok(vec![vec![0.0; n]; at.len()]))
            .collect();
        for (task, fit) in fits.into_iter().enumerate() {
            let slot = &mut of_member[task / folds];
            match (fit, slot.as_mut()) {
                (Ok((held, each)), Ok(columns)) => {
                    for (column, values) in columns.iter_mut().zip(&each) {
                        for (i, value) in values.iter().enumerate() {
                            column[held.index(i)] = *value;
                        }
                    }
                }
                (Err(error), Ok(_)) => *slot = Err(error),
                (_, Err(_)) => {}
            }
        }
        self.stacked(name, members, of_member, set, at.len())
    }

    /// Combines the members that did not fail.
    fn stacked(
        &self,
        name: &str,
        members: &[Learner],
        of_member: Vec<Result<Vec<Vec<f64>>>>,
        set: &TrainingSet,
        tables: usize,
    ) -> Result<OutOfFold> {
        let (mut good, mut positions, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        let mut failure = None;
        for (position, columns) in of_member.into_iter().enumerate() {
            match columns {
                Ok(columns) => {
                    good.push(columns);
                    positions.push(position);
                }
                Err(error) if dispensable(&error) => {
                    warnings.push(Warning::Note {
                        message: format!(
                            "{name}: left `{}` out of the stack, since {error}",
                            members[position].name()
                        ),
                    });
                    failure = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        if let (true, Some(error)) = (good.is_empty(), failure) {
            return Err(error);
        }
        let candidates: Vec<&[f64]> = good.iter().map(|columns| columns[0].as_slice()).collect();
        let alpha = convex(&candidates, set)?;
        let mut weights = vec![0.0; members.len()];
        for (position, a) in positions.iter().zip(&alpha) {
            weights[*position] = *a;
        }
        let predictions = (0..tables)
            .map(|t| {
                let columns: Vec<&[f64]> = good.iter().map(|c| c[t].as_slice()).collect();
                weighted(&columns, &alpha)
            })
            .collect();
        self.progress.report(name, 1, 1)?;
        Ok(OutOfFold {
            predictions,
            weights,
            warnings,
        })
    }

    /// Fits the members with weight to all rows of the set.
    pub(crate) fn full(
        &self,
        name: &str,
        learner: &Learner,
        set: &TrainingSet,
        weights: &[f64],
    ) -> Result<Combined> {
        let seed = self.seed.child(name).child("all rows");
        let used: Vec<(usize, f64)> = (weights.iter().copied().enumerate())
            .filter(|(_, w)| *w > 0.0)
            .collect();
        let members = members(learner);
        let parts = blocks::map(used.len(), |i| {
            let (member, weight) = used[i];
            let part = learn(
                &members[member],
                set,
                seed.child(&member.to_string()),
                self.progress,
            )?;
            Ok((weight, part))
        });
        Ok(Combined {
            parts: parts.into_iter().collect::<Result<_>>()?,
        })
    }
}

impl Combined {
    /// Predictions for all rows of a table of features.
    pub(crate) fn predict(&self, features: &Features) -> Result<Vec<f64>> {
        let rows = Rows::all(features.rows());
        let (mut sum, mut each) = (vec![0.0; rows.len()], vec![0.0; rows.len()]);
        for (weight, part) in &self.parts {
            part.predict(features, &rows, &mut each)?;
            for (s, e) in sum.iter_mut().zip(&each) {
                *s += weight * e;
            }
        }
        Ok(sum)
    }
}

/// `Σ α_c candidate_c`.
pub(crate) fn weighted(candidates: &[&[f64]], alpha: &[f64]) -> Vec<f64> {
    let n = candidates.first().map_or(0, |c| c.len());
    let mut sum = vec![0.0; n];
    for (candidate, a) in candidates.iter().zip(alpha).filter(|(_, a)| **a > 0.0) {
        for (s, c) in sum.iter_mut().zip(*candidate) {
            *s += a * c;
        }
    }
    sum
}

/// The convex combination of candidates with the least squared error on the rows of a set.
pub(crate) fn convex(candidates: &[&[f64]], set: &TrainingSet) -> Result<Vec<f64>> {
    let errors: Vec<Vec<f64>> = candidates
        .iter()
        .map(|c| c.iter().zip(set.target()).map(|(c, y)| y - c).collect())
        .collect();
    least_squares(&errors, set)
}

/// Weights ≥ 0 that sum to one and minimise the mean square of `Σ α_c error_c` on the rows of a set.
pub(crate) fn least_squares(errors: &[Vec<f64>], set: &TrainingSet) -> Result<Vec<f64>> {
    if errors.len() == 1 {
        return Ok(vec![1.0]);
    }
    simplex(&products(errors, set))
}

/// Weighted mean products of errors on the rows of a set.
pub(crate) fn products(errors: &[Vec<f64>], set: &TrainingSet) -> DMatrix<f64> {
    let (k, rows) = (errors.len(), set.used_rows());
    let (mut sums, mut total) = (DMatrix::<f64>::zeros(k, k), 0.0);
    for i in 0..rows.len() {
        let row = rows.index(i);
        let w = set.weight(row);
        total += w;
        for a in 0..k {
            for b in 0..=a {
                sums[(a, b)] += w * errors[a][row] * errors[b][row];
            }
        }
    }
    DMatrix::from_fn(k, k, |a, b| sums[(a.max(b), a.min(b))] / total)
}

/// A training set of a mean.
pub(crate) fn regression<'a>(
    features: &'a Features,
    target: &'a [f64],
    weights: Option<&'a [f64]>,
    rows: Rows,
    name: &'a str,
) -> TrainingSet<'a> {
    TrainingSet::new(features, target, Task::Regression)
        .weights(weights)
        .rows(rows)
        .named(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causal::sample::Columns;
    use crate::data::Frame;

    fn frame(n: usize) -> Frame {
        let x: Vec<f64> = (0..n).map(|i| ((i * 37) % n) as f64 / n as f64).collect();
        let w: Vec<f64> = (0..n).map(|i| (i % 2) as f64).collect();
        let y: Vec<f64> = x.iter().zip(&w).map(|(x, w)| 2.0 * x + w).collect();
        Frame::new()
            .with("x", x)
            .unwrap()
            .with("w", w)
            .unwrap()
            .with("y", y)
            .unwrap()
    }

    #[test]
    fn rows_are_predicted_by_fits_that_have_not_seen_them_and_bad_members_get_no_weight() {
        let sample = Columns::new("y", "w", &["x"]).read(&frame(200)).unwrap();
        let folds = CausalFolds::draw(&sample, 4, Seed::new(2)).unwrap();
        let progress = Progress::none();
        let fit = CrossFit {
            folds: &folds,
            seed: Seed::new(2),
            progress: &progress,
        };
        let treated = sample.of_arms(&[1]);
        let set = regression(&sample.features, &sample.y, None, treated.clone(), "y");
        let stack = Learner::from(Learner::stack([
            Learner::from(Learner::boosted_trees().rounds(1)),
            Learner::from(Learner::linear()),
        ]));
        let out = fit
            .out_of_fold("outcome", &stack, &set, &[&sample.features])
            .unwrap();
        assert_eq!(
            out.weights.iter().map(|w| w.round()).collect::<Vec<_>>(),
            [0.0, 1.0]
        );
        // A straight line is predicted without error for both arms: the arm adds one.
        for (row, predicted) in out.predictions[0].iter().enumerate() {
            let x = (sample.y[row] - f64::from(sample.arm_of[row])) / 2.0;
            assert!(
                (predicted - 2.0 * x - 1.0).abs() < 0.05,
                "{row}: {predicted}"
            );
        }
        // The prediction of a row does not depend on its own outcome.
        let mut changed = sample.y.clone();
        changed[1] += 100.0;
        let linear = Learner::from(Learner::linear());
        let set = |y| regression(&sample.features, y, None, treated.clone(), "y");
        let before = fit
            .out_of_fold("outcome", &linear, &set(&sample.y), &[&sample.features])
            .unwrap();
        let after = fit
            .out_of_fold("outcome", &linear, &set(&changed), &[&sample.features])
            .unwrap();
        assert_eq!(
            before.predictions[0][1].to_bits(),
            after.predictions[0][1].to_bits()
        );
        assert!(
            before.predictions[0][0] != after.predictions[0][0]
                || before.predictions[0][2] != after.predictions[0][2]
        );
    }

    #[test]
    fn a_target_that_does_not_vary_is_predicted_as_it_is() {
        let sample = Columns::new("y", "w", &["x"]).read(&frame(100)).unwrap();
        let folds = CausalFolds::draw(&sample, 2, Seed::new(2)).unwrap();
        let progress = Progress::none();
        let fit = CrossFit {
            folds: &folds,
            seed: Seed::new(2),
            progress: &progress,
        };
        let target = vec![3.0; 100];
        let set = regression(&sample.features, &target, None, sample.all(), "y");
        let learner = Learner::from(Learner::linear());
        let out = fit
            .out_of_fold("outcome", &learner, &set, &[&sample.features])
            .unwrap();
        assert!(out.predictions[0].iter().all(|p| *p == 3.0));
        let full = fit.full("outcome", &learner, &set, &out.weights).unwrap();
        assert_eq!(full.predict(&sample.features).unwrap(), target);
    }
}
