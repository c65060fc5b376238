//! One type for every learner, so that estimators that use learners can be named, cloned and written to files.

use super::boost::BoostedTrees;
use super::custom::{Custom, CustomLearner};
use super::fitted::{FittedLearner, Kind};
use super::forest::Forest;
use super::linear::{ElasticNet, Linear};
use super::quadratic::Quadratic;
use super::stack::Stack;
use super::training::{Task, TrainingSet};
use crate::error::{Result, Warning};
use crate::numeric::{Progress, Seed};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A learner: from features to `E[Y | X]` or `P(W = 1 | X)`. Each variant holds its options; each options type turns into a learner with
/// `into()`.
///
/// | learner | made by | good for |
/// |---|---|---|
/// | [`Linear`] | `Learner::linear()` | few features with straight effects |
/// | [`ElasticNet`] | `Learner::lasso()`, `ridge()`, `elastic_net(α)` | many features, few that matter |
/// | [`Quadratic`] | `Learner::quadratic()` | smooth surfaces with curvature and interactions |
/// | [`BoostedTrees`] | `Learner::boosted_trees()` | curves and interactions; the usual choice with many rows |
/// | [`Forest`] | `Learner::forest()` | the same with less to tune, and an honest error for free |
/// | [`Stack`] | `Learner::stack([…])` | not knowing which |
/// | [`Custom`] | `Learner::custom(…)` | one's own |
///
/// ```
/// use cocreate::prelude::*;
/// let x: Vec<f64> = (0..400).map(|i| f64::from(i % 20)).collect();
/// let y: Vec<f64> = x.iter().map(|x| (x - 10.0).abs()).collect();
/// let frame = Frame::new().with("x", x)?.with("y", y)?;
/// let fit = Learner::boosted_trees().fit_frame(&frame, "y", &["x"])?;
/// let predicted = fit.predict(&frame)?;
/// assert!((predicted[3] - 7.0).abs() < 0.01);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Learner {
    /// Least squares or logistic regression.
    Linear(Linear),
    /// Ridge, lasso and between.
    ElasticNet(ElasticNet),
    /// The lasso on features, squares and products.
    Quadratic(Quadratic),
    /// Gradient-boosted trees.
    BoostedTrees(BoostedTrees),
    /// A random forest.
    Forest(Forest),
    /// The best convex combination of others.
    Stack(Stack),
    /// A learner of one's own; a file keeps its name.
    Custom(Custom),
}

impl Learner {
    /// Least squares; logistic regression for a probability.
    pub fn linear() -> Linear {
        Linear::new()
    }

    /// Ridge, its strength cross-validated.
    pub fn ridge() -> ElasticNet {
        ElasticNet::ridge()
    }

    /// The lasso, its strength cross-validated.
    pub fn lasso() -> ElasticNet {
        ElasticNet::lasso()
    }

    /// The elastic net with this share of absolute penalty, its strength cross-validated.
    pub fn elastic_net(mixing: f64) -> ElasticNet {
        ElasticNet::new().mixing(mixing)
    }

    /// The lasso on features, squares and products.
    pub fn quadratic() -> Quadratic {
        Quadratic::new()
    }

    /// Gradient-boosted trees.
    pub fn boosted_trees() -> BoostedTrees {
        BoostedTrees::new()
    }

    /// A random forest.
    pub fn forest() -> Forest {
        Forest::new()
    }

    /// The best convex combination of these learners.
    pub fn stack<I>(members: I) -> Stack
    where
        I: IntoIterator,
        I::Item: Into<Self>,
    {
        Stack::new(members)
    }

    /// A learner of one's own.
    pub fn custom(learner: impl CustomLearner + 'static) -> Self {
        Self::Custom(Custom::new(learner))
    }

    /// A short name for tables.
    pub fn name(&self) -> &str {
        match self {
            Self::Linear(_) => "linear",
            Self::ElasticNet(options) => options.name(),
            Self::Quadratic(options) => options.name(),
            Self::BoostedTrees(_) => "boosted trees",
            Self::Forest(_) => "forest",
            Self::Stack(_) => "stack",
            Self::Custom(custom) => custom.name(),
        }
    }

    /// Whether fitting draws random numbers.
    pub fn needs_seed(&self) -> bool {
        match self {
            Self::Linear(_) => false,
            Self::ElasticNet(options) => options.needs_seed(),
            Self::Quadratic(options) => options.needs_seed(),
            Self::BoostedTrees(options) => options.needs_seed(),
            Self::Forest(_) | Self::Stack(_) | Self::Custom(_) => true,
        }
    }

    /// Refuses options out of range.
    ///
    /// # Errors
    /// [`crate::Error::InvalidOption`].
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Linear(options) => options.check(),
            Self::ElasticNet(options) => options.check(),
            Self::Quadratic(options) => options.check(),
            Self::BoostedTrees(options) => options.check(),
            Self::Forest(options) => options.check(),
            Self::Stack(options) => options.check(),
            Self::Custom(_) => Ok(()),
        }
    }

    /// [`Learner::fit_with`] without progress.
    ///
    /// # Errors
    /// Those of [`Learner::fit_with`].
    pub fn fit(&self, set: &TrainingSet, seed: Seed) -> Result<FittedLearner> {
        self.fit_with(set, seed, &Progress::none())
    }

    /// Learns from a training set.
    ///
    /// # Errors
    /// [`crate::Error::InvalidOption`]; those of [`TrainingSet::check`]; `TooFewRows` for fewer than two rows a fold or none to hold
    /// out; `NotConverged` where classes are separated; `Unidentified` for a fold with one class; `Cancelled`.
    pub fn fit_with(
        &self,
        set: &TrainingSet,
        seed: Seed,
        progress: &Progress,
    ) -> Result<FittedLearner> {
        self.check()?;
        set.check()?;
        progress.report(self.name(), 0, 0)?;
        let kind = match self {
            Self::Linear(options) => Kind::Linear(options.learn(set, progress)?),
            Self::ElasticNet(options) => Kind::Linear(options.learn(set, seed, progress)?),
            Self::Quadratic(options) => Kind::Quadratic(options.learn(set, seed, progress)?),
            Self::BoostedTrees(options) => Kind::BoostedTrees(options.learn(set, seed, progress)?),
            Self::Forest(options) => Kind::Forest(options.learn(set, seed, progress)?),
            Self::Stack(options) => Kind::Stack(options.learn(set, seed, progress)?),
            Self::Custom(custom) => Kind::Custom(custom.learn(set, seed, progress)?),
        };
        let warnings = match &kind {
            Kind::Linear(fit) => fit.warnings.clone(),
            Kind::Quadratic(fit) => fit.linear.warnings.clone(),
            Kind::BoostedTrees(_) | Kind::Forest(_) => self.pooled_levels(set),
            Kind::Stack(_) | Kind::Custom(_) => Vec::new(),
        };
        Ok(FittedLearner {
            kind,
            task: set.task(),
            info: Arc::clone(set.features().info()),
            warnings,
        })
    }

    /// Says which categories have too many levels for bins of their own.
    fn pooled_levels(&self, set: &TrainingSet) -> Vec<Warning> {
        let most = match self {
            Self::BoostedTrees(options) => options.most_bins(),
            Self::Forest(options) => options.most_bins(),
            _ => return Vec::new(),
        };
        let names = set.features().names();
        let bins = set.features().bins(most);
        bins.pooled
            .iter()
            .map(|j| Warning::Note {
                message: format!(
                    "`{}` has more than {most} levels: the rarest count as missing in trees",
                    names[*j]
                ),
            })
            .collect()
    }

    /// What the target is called in an estimate.
    pub(crate) fn estimand(task: Task, outcome: &str) -> String {
        match task {
            Task::Regression => format!("E[{outcome} | features]"),
            Task::Probability => format!("P({outcome} = 1 | features)"),
        }
    }
}
