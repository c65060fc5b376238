//! What effects need and do not want: mean outcomes of every arm and the probability of every arm, given features.

use super::cross_fit::{CrossFit, member_names};
use super::sample::CausalSample;
use crate::error::{Error, Result, Warning};
use crate::numeric::isotonic::isotonic;
use crate::regression::learners::Learner;
use serde::{Deserialize, Serialize};

/// With a propensity at its bound on more than this share of the rows there is no overlap.
const MOST_AT_BOUND: f64 = 0.5;

/// Rows of the lowest and of the highest step of calibrated propensities.
const LEAST_STEP: usize = 20;

/// Cross-fitted nuisances of the rows in use, one column an arm.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nuisances {
    /// `E[Y | X, W = k]`.
    pub(crate) means: Vec<Vec<f64>>,
    /// `P(W = k | X)`, bounded.
    pub(crate) propensities: Vec<Vec<f64>>,
    /// Weights of the members of the outcome's stack, by arm; empty for given means.
    pub(crate) mean_weights: Vec<Vec<f64>>,
    /// The same of the propensities: of two arms for the second alone.
    pub(crate) propensity_weights: Vec<Vec<f64>>,
    pub(crate) members: Vec<StackMember>,
    pub(crate) warnings: Vec<Warning>,
}

/// The weight of a learner in the stack of one nuisance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackMember {
    /// What is learned, such as `y given b`.
    pub nuisance: String,
    /// The learner.
    pub learner: String,
    /// Its weight, from the cross-fitted predictions.
    pub weight: f64,
}

/// The weights of the members of a stack; none of a single learner.
pub(crate) fn stack_members(
    nuisance: &str,
    learner: &Learner,
    weights: &[f64],
) -> Vec<StackMember> {
    if weights.len() < 2 {
        return Vec::new();
    }
    let named = member_names(learner).into_iter().zip(weights);
    let member = |(learner, weight): (String, &f64)| StackMember {
        nuisance: nuisance.to_owned(),
        learner,
        weight: *weight,
    };
    named.map(member).collect()
}

/// Where propensities come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Assignment {
    /// Learned from the features.
    #[default]
    Learned,
    /// The same for all: the arms' shares.
    Randomized,
}

/// How nuisances are learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NuisanceLearners {
    pub(crate) outcome: Learner,
    pub(crate) propensity: Learner,
    pub(crate) assignment: Assignment,
    /// Propensities are raised to this.
    pub(crate) bound: f64,
    /// Whether learned propensities are calibrated.
    pub(crate) calibrate: bool,
}

/// The ridge penalty of the default propensities: what 40 of 2 000 rows know, enough to keep 65 products of 10 features calm, and quick, where
/// cross-validating a logistic lasso would take most of the time of all nuisances.
const RIDGE: f64 = 0.02;
/// Strengths and folds of the biquadratic lasso: half of the usual, since the stack shrinks as well.
const STRENGTHS: usize = 50;
const FOLDS: usize = 5;

/// The default for propensities. What bends in two features at once (Nie & Wager's setup A) none of the others finds: there its squared error is a
/// third of that of trees, and what it leaves out is left in the effect as confounding.
pub(crate) fn default_propensity() -> Learner {
    let lasso = Learner::lasso().path_length(STRENGTHS).folds(FOLDS);
    let bent = Learner::quadratic().biquadratic().squared_loss().net(lasso);
    let curved = Learner::quadratic().net(Learner::ridge().lambda(RIDGE));
    let trees = Learner::boosted_trees()
        .rounds(300)
        .learning_rate(0.03)
        .leaves(4);
    stack_with([curved.into(), bent.into(), trees.into()])
}

/// The default for outcomes.
pub(crate) fn default_outcome() -> Learner {
    let trees = Learner::boosted_trees()
        .rounds(150)
        .learning_rate(0.05)
        .leaves(8);
    stack_with([Learner::quadratic().into(), trees.into()])
}

/// What is straight, what is curved, what has steps; the data choose.
fn stack_with(others: impl IntoIterator<Item = Learner>) -> Learner {
    let straight = std::iter::once(Learner::from(Learner::linear()));
    let forest = Learner::from(Learner::forest().trees(100));
    Learner::from(Learner::stack(straight.chain(others).chain([forest])))
}

impl NuisanceLearners {
    /// Learns what the sample does not give.
    pub(crate) fn learn(&self, sample: &CausalSample, fit: &CrossFit<'_>) -> Result<Nuisances> {
        let mut all = Nuisances::default();
        match &sample.means {
            Some(given) => all.means.clone_from(given),
            None => self.means(sample, fit, &mut all)?,
        }
        self.chances(sample, fit, &mut all)?;
        Ok(all)
    }

    /// The propensities alone: given, shares, or learned and bounded.
    pub(super) fn chances(
        &self,
        sample: &CausalSample,
        fit: &CrossFit<'_>,
        all: &mut Nuisances,
    ) -> Result<()> {
        if !(self.bound > 0.0 && self.bound < 0.5) {
            return Err(Error::invalid_option(
                "propensity_bound",
                self.bound,
                "above 0 and below 0.5",
            ));
        }
        all.propensities = match (&sample.propensities, self.assignment) {
            (Some(given), _) => given.clone(),
            (None, Assignment::Randomized) => shares(sample),
            (None, Assignment::Learned) => self.propensities(sample, fit, all)?,
        };
        if sample.propensities.is_none() && self.assignment == Assignment::Learned {
            self.bound(sample, all)?;
        }
        Ok(())
    }

    /// The means alone, one an arm.
    pub(super) fn means(
        &self,
        sample: &CausalSample,
        fit: &CrossFit<'_>,
        all: &mut Nuisances,
    ) -> Result<()> {
        for arm in 0..sample.arms.len() {
            let name = mean_name(sample, arm);
            let set = sample.mean_set(arm, &name);
            let mut out = fit.out_of_fold(&name, &self.outcome, &set, &[&sample.features])?;
            all.note(&name, &self.outcome, &out.weights);
            all.means.append(&mut out.predictions);
            all.mean_weights.push(out.weights);
            all.warnings.append(&mut out.warnings);
        }
        Ok(())
    }

    /// One learner an arm, of two arms one in all; more than two are scaled to sum to one.
    fn propensities(
        &self,
        sample: &CausalSample,
        fit: &CrossFit<'_>,
        all: &mut Nuisances,
    ) -> Result<Vec<Vec<f64>>> {
        let mut columns = Vec::with_capacity(sample.arms.len());
        let first = usize::from(sample.arms.len() == 2);
        for (arm, level) in sample.arms.iter().enumerate().skip(first) {
            let name = propensity_name(sample, arm);
            let indicator = sample.indicator(arm);
            let set = sample.propensity_set(&indicator, &name);
            let mut out = fit
                .out_of_fold(&name, &self.propensity, &set, &[&sample.features])
                .map_err(|error| match error {
                    Error::NotConverged { .. } | Error::Separated { .. } => {
                        no_overlap(sample, level)
                    }
                    other => other,
                })?;
            all.note(&name, &self.propensity, &out.weights);
            if self.calibrate {
                for column in &mut out.predictions {
                    let weight = |i: usize| sample.weight(i);
                    *column = isotonic(column, &indicator, weight, LEAST_STEP);
                }
            }
            columns.append(&mut out.predictions);
            all.propensity_weights.push(out.weights);
            all.warnings.append(&mut out.warnings);
        }
        if first == 1 {
            let other = columns[0].iter().map(|p| 1.0 - p).collect();
            columns.insert(0, other);
        }
        for row in 0..sample.len() {
            let total: f64 = columns.iter().map(|c| c[row]).sum();
            for column in &mut columns {
                column[row] /= total.max(f64::MIN_POSITIVE);
            }
        }
        Ok(columns)
    }

    /// Raises propensities to the bound, says for how many rows, and refuses arms without overlap.
    fn bound(&self, sample: &CausalSample, all: &mut Nuisances) -> Result<()> {
        let two = sample.arms.len() == 2;
        let upper = if two { 1.0 - self.bound } else { 1.0 };
        let mut at_bound = vec![false; sample.len()];
        let mut worst = (0, 0);
        for (arm, column) in all.propensities.iter_mut().enumerate() {
            let (mut raised, mut smallest) = (0, f64::INFINITY);
            for (p, at_bound) in column.iter_mut().zip(&mut at_bound) {
                smallest = smallest.min(*p);
                let low = *p < self.bound;
                raised += usize::from(low);
                *at_bound |= low;
                *p = p.clamp(self.bound, upper);
            }
            worst = worst.max((raised, arm));
            if raised > 0 {
                all.warnings.push(Warning::PoorOverlap {
                    arm: sample.arms[arm].clone(),
                    rows: raised,
                    smallest,
                    bound: self.bound,
                });
            }
        }
        let bounded = at_bound.iter().filter(|b| **b).count();
        if bounded as f64 > MOST_AT_BOUND * sample.len() as f64 {
            let share = shares(sample)[worst.1].first().copied().unwrap_or(0.0);
            return Err(if share <= 2.0 * self.bound {
                rare(sample, worst.1, share, self.bound)
            } else {
                no_overlap(sample, &sample.arms[worst.1])
            });
        }
        Ok(())
    }
}

/// What the propensity of an arm is called.
pub(crate) fn propensity_name(sample: &CausalSample, arm: usize) -> String {
    format!("{} = {}", sample.treatment, sample.arms[arm])
}

/// What the mean outcome of an arm is called.
pub(crate) fn mean_name(sample: &CausalSample, arm: usize) -> String {
    format!("{} given {}", sample.outcome, sample.arms[arm])
}

/// The arms' shares of the weight, the same for all rows.
fn shares(sample: &CausalSample) -> Vec<Vec<f64>> {
    let mut sums = vec![0.0; sample.arms.len()];
    for (row, arm) in sample.arm_of.iter().enumerate() {
        sums[*arm as usize] += sample.weight(row);
    }
    let total: f64 = sums.iter().sum();
    sums.iter().map(|s| vec![s / total; sample.len()]).collect()
}

fn no_overlap(sample: &CausalSample, level: &str) -> Error {
    Error::Unidentified {
        what: format!("the mean outcome if everybody had arm `{level}` of `{}`", sample.treatment),
        needs: "overlap: the features tell the arm of most rows without doubt; leave out features that decide the treatment, or restrict the sample to where arms occur side by side".to_owned(),
    }
}

/// An arm so rare that its propensities are about the bound, whatever the features.
fn rare(sample: &CausalSample, arm: usize, share: f64, bound: f64) -> Error {
    Error::Unidentified {
        what: format!(
            "the mean outcome if everybody had arm `{}` of `{}`",
            sample.arms[arm], sample.treatment
        ),
        needs: format!(
            "a `propensity_bound` well below the arm's share of the rows, {:.2} %; it is {bound}. Lower it, or leave the arm out",
            100.0 * share
        ),
    }
}

impl Nuisances {
    /// Keeps the weights of a stack's members.
    fn note(&mut self, nuisance: &str, learner: &Learner, weights: &[f64]) {
        self.members
            .extend(stack_members(nuisance, learner, weights));
    }

    /// Doubly robust scores of an arm: `Γ_k = μ_k(X) + 1{W = k} (Y − μ_k(X))/(c e_k(X))` with a factor c.
    pub(crate) fn scores(&self, sample: &CausalSample, arm: usize, factor: f64) -> Vec<f64> {
        let (means, e) = (&self.means[arm], &self.propensities[arm]);
        (0..sample.len())
            .map(|i| {
                let own = sample.arm_of[i] as usize == arm;
                means[i]
                    + if own {
                        (sample.y[i] - means[i]) / (factor * e[i])
                    } else {
                        0.0
                    }
            })
            .collect()
    }
}
