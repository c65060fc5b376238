//! A learner fitted to the columns of a frame.

use super::boost::BoostedTrees;
use super::custom::Custom;
use super::features::Features;
use super::fitted::{FittedLearner, Kind};
use super::forest::Forest;
use super::learner::Learner;
use super::linear::{ElasticNet, Linear};
use super::quadratic::{FittedQuadratic, Quadratic};
use super::stack::Stack;
use super::training::{Task, TrainingSet};
use crate::data::{Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::numeric::{Progress, Seed};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// Features and coefficients shown at most.
const SHOWN: usize = 20;

/// A learner with an outcome and features by name: made by `Learner::….of("y", &["x1", "x2"])`, it fits to frames. Rows where the
/// outcome (or the weight) is missing are left out and counted; features may be missing.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `probability` | off | learn `P(y = 1 \| x)` from zeros and ones instead of the mean |
/// | `weights` | none | a column of weights of the rows' losses |
/// | `seed` | none | for learners that draw random numbers; without one `fit` says so |
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("mroz")?;
/// let fit = Learner::forest().trees(50).of("inlf", &["educ", "exper", "age", "kidslt6"]).probability().seed(7).fit(&frame)?;
/// assert!(fit.honest_loss().unwrap() < 0.22); // Brier's score; the share of women who work alone has 0.245
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearnerModel {
    learner: Learner,
    outcome: String,
    features: Vec<String>,
    task: Task,
    weights: Option<String>,
    seed: Option<Seed>,
}

impl LearnerModel {
    /// Learns the probability that the outcome is 1.
    pub fn probability(mut self) -> Self {
        self.task = Task::Probability;
        self
    }

    /// Learns this task.
    pub fn task(mut self, task: Task) -> Self {
        self.task = task;
        self
    }

    /// A column of weights.
    pub fn weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(column.into());
        self
    }

    /// The seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Fits to the frame.
    ///
    /// # Errors
    /// Those of [`LearnerModel::fit_with`].
    pub fn fit(&self, frame: &Frame) -> Result<LearnerFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits to the frame, watched.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::WrongKind`], [`Error::Infinite`], [`Error::SeedRequired`]; those of [`Learner::fit_with`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<LearnerFit> {
        self.learner.check()?;
        if self.seed.is_none() && self.learner.needs_seed() {
            return Err(Error::SeedRequired {
                what: format!("the learner `{}`", self.learner.name()),
            });
        }
        if self.features.contains(&self.outcome) {
            return Err(Error::invalid_option(
                "features",
                format!("with the outcome `{}` among them", self.outcome),
                "columns other than the outcome",
            ));
        }
        let features = Features::from_frame(frame, &self.features)?;
        let target = frame.numeric(&self.outcome)?;
        let weights = self
            .weights
            .as_ref()
            .map(|w| frame.numeric(w))
            .transpose()?;
        let present: Vec<bool> = (0..frame.rows())
            .map(|row| {
                !target.values()[row].is_nan()
                    && weights.as_ref().is_none_or(|w| !w.values()[row].is_nan())
            })
            .collect();
        let rows = Rows::from_mask(&present);
        let dropped = rows.total() - rows.len();
        let set = TrainingSet::new(&features, target.values(), self.task)
            .weights(weights.as_ref().map(|w| w.values().as_slice()))
            .rows(rows.clone())
            .named(&self.outcome);
        let fitted = self
            .learner
            .fit_with(&set, self.seed.unwrap_or(Seed::new(0)), progress)?;
        let mut warnings = fitted.warnings().to_vec();
        if dropped > 0 {
            let of = |name: &String| Some((name.clone(), frame.column(name).ok()?.missing()));
            let missing = [Some(&self.outcome), self.weights.as_ref()];
            warnings.insert(
                0,
                Warning::RowsDropped {
                    dropped,
                    missing: missing
                        .into_iter()
                        .flatten()
                        .filter_map(of)
                        .filter(|(_, n)| *n > 0)
                        .collect(),
                },
            );
        }
        Ok(LearnerFit {
            model: self.clone(),
            fitted,
            rows: rows.len(),
            warnings,
        })
    }
}

/// A learner fitted to a frame.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LearnerFit {
    model: LearnerModel,
    fitted: FittedLearner,
    rows: usize,
    warnings: Vec<Warning>,
}

impl LearnerFit {
    /// Predictions for every row of a frame that has the features: means, or probabilities. Labels that training had not count as missing.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::WrongKind`], [`Error::Infinite`].
    pub fn predict(&self, frame: &Frame) -> Result<Vec<f64>> {
        self.fitted.predict_frame(frame)
    }

    /// Labels of a frame that training had not.
    ///
    /// # Errors
    /// Those of [`LearnerFit::predict`].
    pub fn unseen(&self, frame: &Frame) -> Result<usize> {
        Ok(self.fitted.features(frame)?.unseen())
    }

    /// The learner as it was fitted, with all its numbers.
    pub fn learner(&self) -> &FittedLearner {
        &self.fitted
    }

    /// Loss on rows that were not fitted; see [`FittedLearner::honest_loss`].
    pub fn honest_loss(&self) -> Option<f64> {
        self.fitted.honest_loss()
    }

    /// Rows used.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Features with the share of their splits in the gain, largest first; `None` for learners without trees.
    pub fn importance(&self) -> Option<Vec<(String, f64)>> {
        let shares = self.fitted.importance()?;
        let mut all: Vec<(String, f64)> = self.model.features.iter().cloned().zip(shares).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        Some(all)
    }

    /// The fit as a table: importance, coefficients or weights, and the losses.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!(
            "{} — {}",
            Learner::estimand(self.model.task, &self.model.outcome),
            self.model.learner.name()
        ));
        let mut left = 0;
        if let Some(importance) = self.importance() {
            table = table.columns(["", "share of gain"]);
            left = importance.len().saturating_sub(SHOWN);
            for (name, share) in importance.into_iter().take(SHOWN) {
                table = table.row([Cell::text(name), Cell::percent(share, 1)]);
            }
        } else if let Some(coefficients) = self.fitted.coefficients() {
            table = table.columns(["", "coefficient"]);
            let nonzero = coefficients.into_iter().filter(|(_, b)| b.abs() > 0.0);
            let shown: Vec<(String, f64)> = nonzero.collect();
            left = shown.len().saturating_sub(SHOWN);
            for (name, b) in shown.into_iter().take(SHOWN) {
                table = table.row([Cell::text(name), Cell::significant(b, 4)]);
            }
        } else if let Kind::Stack(stack) = &self.fitted.kind {
            table = table.columns(["", "weight", "cross-fitted loss"]);
            for ((name, weight), loss) in stack.names.iter().zip(&stack.weights).zip(&stack.losses)
            {
                table = table.row([
                    Cell::text(name.clone()),
                    Cell::fixed(*weight, 3),
                    Cell::significant(*loss, 4),
                ]);
            }
        }
        table = table.summary([Cell::text("rows"), Cell::count(self.rows)]);
        if let Some(trees) = self.fitted.trees() {
            table = table.summary([Cell::text("trees"), Cell::count(trees)]);
        }
        for (name, value) in self.losses() {
            table = table.summary([Cell::text(name), Cell::significant(value, 4)]);
        }
        if left > 0 {
            table = table.note(format!("{left} more are not shown."));
        }
        self.warnings
            .iter()
            .fold(table, |table, w| table.note(w.to_string()))
    }

    /// Names and values of the losses.
    fn losses(&self) -> Vec<(&'static str, f64)> {
        let squared = self.model.task == Task::Regression;
        match &self.fitted.kind {
            Kind::BoostedTrees(fit) => {
                let names = if squared {
                    ["training MSE", "held-out MSE"]
                } else {
                    ["training log loss", "held-out log loss"]
                };
                let mut losses = vec![(names[0], fit.training_loss)];
                losses.extend(fit.validation_loss.map(|loss| (names[1], loss)));
                losses
            }
            Kind::Forest(fit) => {
                let name = if squared {
                    "out-of-bag MSE"
                } else {
                    "out-of-bag Brier score"
                };
                vec![(name, fit.out_of_bag_loss)]
            }
            Kind::Linear(fit) | Kind::Quadratic(FittedQuadratic { linear: fit, .. }) => {
                let name = if squared {
                    "cross-validated MSE"
                } else {
                    "cross-validated log loss"
                };
                let mut all: Vec<(&'static str, f64)> =
                    fit.lambda.map(|l| ("lambda", l)).into_iter().collect();
                all.extend(self.honest_loss().map(|loss| (name, loss)));
                all
            }
            Kind::Stack(fit) => vec![("cross-fitted loss of the stack", fit.loss)],
            Kind::Custom(_) => Vec::new(),
        }
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl std::fmt::Display for LearnerFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(LearnerFit);

impl Learner {
    /// This learner for an outcome and features of a frame.
    pub fn of<S: AsRef<str>>(&self, outcome: &str, features: &[S]) -> LearnerModel {
        LearnerModel {
            learner: self.clone(),
            outcome: outcome.to_owned(),
            features: features.iter().map(|s| s.as_ref().to_owned()).collect(),
            task: Task::Regression,
            weights: None,
            seed: None,
        }
    }

    /// Learns the mean of an outcome from features of a frame; [`Learner::of`] has options.
    ///
    /// # Errors
    /// Those of [`LearnerModel::fit_with`].
    pub fn fit_frame<S: AsRef<str>>(
        &self,
        frame: &Frame,
        outcome: &str,
        features: &[S],
    ) -> Result<LearnerFit> {
        self.of(outcome, features).fit(frame)
    }
}

/// What every options type can do: become a learner, and fit as one.
macro_rules! options {
    ($($type:ident),*) => {$(
        impl From<$type> for Learner {
            fn from(options: $type) -> Self {
                Self::$type(options)
            }
        }

        impl $type {
            /// This learner for an outcome and features of a frame.
            pub fn of<S: AsRef<str>>(&self, outcome: &str, features: &[S]) -> LearnerModel {
                Learner::from(self.clone()).of(outcome, features)
            }

            /// Learns the mean of an outcome from features of a frame; `of` has options.
            ///
            /// # Errors
            /// Those of [`LearnerModel::fit_with`].
            pub fn fit_frame<S: AsRef<str>>(
                &self,
                frame: &Frame,
                outcome: &str,
                features: &[S],
            ) -> Result<LearnerFit> {
                self.of(outcome, features).fit(frame)
            }
        }
    )*};
}

options!(
    Linear,
    ElasticNet,
    Quadratic,
    BoostedTrees,
    Forest,
    Stack,
    Custom
);
