//! The effect per unit of a treatment that is a number: residuals of the outcome on residuals of the treatment.

use super::average::{AverageEffects, Sampled, averages};
use super::builders::cross_fitted;
use super::cross_fit::{CrossFit, cross_fit_seed};
use super::folds::CausalFolds;
use super::nuisance::{StackMember, default_outcome, stack_members};
use super::sample::{CausalSample, Columns};
use super::units::Units;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::numeric::{Progress, Seed};
use crate::regression::learners::{Learner, Task, TrainingSet};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Less than this share of the treatment's variance left by the features is rounding.
pub(super) const DECIDED: f64 = 1e-10;

/// The partially linear model: the effect θ of one unit more of a treatment such as a price, a discount or a number of invitations, in
///
/// `Y = θ D + g(X) + ε`, `E[ε | D, X] = 0`.
///
/// With `ℓ(x) = E[Y | X = x]` and `m(x) = E[D | X = x]` cross-fitted over any learner, `Ỹ = Y − ℓ̂(X)` and `D̃ = D − m̂(X)`,
///
/// `θ̂ = Σ D̃ Ỹ / Σ D̃²`, with influence `D̃ (Ỹ − θ̂ D̃)/E[D̃²]`.
///
/// The treatment must be as good as random given the features, and vary where they do not. When the effect differs between rows, or along the
/// treatment, θ is an average of the slopes with weights `Var(D | X)`; of a treatment of 0 and 1 it is the effect in the overlap.
/// [`DoseEffects`](super::DoseEffects) has the effect as a linear function of features with errors,
/// [`ContinuousEffects`](crate::uplift::ContinuousEffects) as any function, without.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `learner`, `outcome_learner`, `treatment_learner` | stack of linear, quadratic, boosted trees, forest | of ℓ and m; a treatment of 0 and 1 is learned as a probability | see [`Learner`] |
/// | `folds` | 5 | folds of the cross-fitting, whole clusters | ≥ 2 |
/// | `weights`, `clusters` | none | columns | |
/// | `means` | learned | columns with ℓ and m, made elsewhere by cross-fitting | |
/// | `seed` | none | required when anything is learned | any |
///
/// In 600 simulated samples of 40 clusters of 10 rows, whose outcome and treatment share more than features, 95 % intervals cover 95 % of the time with `clusters`, and 88 % without.
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::Unidentified`] for too few rows, an outcome or treatment that does not vary, or a treatment that the features
/// decide; [`Error::MissingClusters`]; those of the learners.
///
/// # References
/// Robinson (1988), doi:10.2307/1912705; Chernozhukov, Chetverikov, Demirer, Duflo, Hansen, Newey & Robins (2018), doi:10.1111/ectj.12097, section 4.1.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let x: Vec<f64> = (0..400).map(|i| f64::from(i % 20) / 10.0).collect();
/// let price: Vec<f64> = x.iter().enumerate().map(|(i, x)| x + ((i * 7) % 11) as f64 / 10.0).collect();
/// let orders: Vec<f64> = x.iter().zip(&price).map(|(x, d)| 3.0 * x * x - 2.0 * d).collect();
/// let frame = Frame::new().with("x", x)?.with("price", price)?.with("orders", orders)?;
/// let fit = PartiallyLinear::new("orders", "price", &["x"])
///     .learner(Learner::quadratic())
///     .seed(7)
///     .fit(&frame)?;
/// assert!((fit.coefficient("price")?.estimate + 2.0).abs() < 0.02);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartiallyLinear {
    pub(super) columns: Columns,
    outcome_learner: Learner,
    pub(super) treatment_learner: Learner,
    folds: usize,
    pub(crate) seed: Option<Seed>,
}

/// What [`PartiallyLinear`] found. The verbs of [`Inference`](crate::inference::Inference) are those of the effect per unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartiallyLinearFit {
    average: AverageEffects,
    outcome_residuals: Vec<f64>,
    treatment_residuals: Vec<f64>,
    /// Of the rows in use.
    #[serde(default)]
    weights: Option<Vec<f64>>,
    #[serde(default)]
    clusters: Option<Vec<u32>>,
    kept: Vec<bool>,
    stack: Vec<StackMember>,
    /// Shares of variance that the features explain on rows that were not fitted: of outcome and treatment.
    explained: [f64; 2],
}

/// The rows in use with their residuals.
pub(crate) struct Residuals {
    pub(crate) sample: CausalSample,
    pub(crate) folds: CausalFolds,
    pub(crate) seed: Seed,
    pub(crate) outcome: Vec<f64>,
    pub(crate) treatment: Vec<f64>,
    pub(crate) stack: Vec<StackMember>,
    explained: [f64; 2],
}

impl PartiallyLinear {
    /// The effect of one unit more of a treatment on an outcome given features known before it.
    pub fn new<S: AsRef<str>>(outcome: &str, treatment: &str, features: &[S]) -> Self {
        let mut columns = Columns::new(outcome, treatment, features);
        columns.continuous = true;
        Self {
            columns,
            outcome_learner: default_outcome(),
            treatment_learner: default_outcome(),
            folds: 5,
            seed: None,
        }
    }

    /// The learner of outcome and treatment.
    pub fn learner(self, learner: impl Into<Learner>) -> Self {
        let learner = learner.into();
        self.outcome_learner(learner.clone())
            .treatment_learner(learner)
    }

    /// The learner of `E[Y | X]`.
    pub fn outcome_learner(mut self, learner: impl Into<Learner>) -> Self {
        self.outcome_learner = learner.into();
        self
    }

    /// The learner of `E[D | X]`.
    pub fn treatment_learner(mut self, learner: impl Into<Learner>) -> Self {
        self.treatment_learner = learner.into();
        self
    }

    /// Columns with `E[Y | X]` and `E[D | X]`, predicted by something that has not seen the row.
    pub fn means(mut self, outcome: impl Into<String>, treatment: impl Into<String>) -> Self {
        self.columns.means = vec![
            ("outcome".to_owned(), outcome.into()),
            ("treatment".to_owned(), treatment.into()),
        ];
        self
    }

    /// Learns both means and regresses residuals on residuals.
    ///
    /// # Errors
    /// See [`PartiallyLinear`].
    pub fn fit(&self, frame: &Frame) -> Result<PartiallyLinearFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Learns both means and regresses residuals on residuals, watched.
    ///
    /// # Errors
    /// See [`PartiallyLinear`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<PartiallyLinearFit> {
        let residuals = self.residuals(frame, progress)?;
        let average = residuals.average();
        Ok(PartiallyLinearFit {
            average,
            kept: residuals.sample.rows.mask(),
            weights: residuals.sample.weights,
            clusters: residuals.sample.clusters,
            outcome_residuals: residuals.outcome,
            treatment_residuals: residuals.treatment,
            stack: residuals.stack,
            explained: residuals.explained,
        })
    }

    pub(crate) fn residuals(&self, frame: &Frame, progress: &Progress) -> Result<Residuals> {
        let mut sample = self.columns.read(frame)?;
        let seed = cross_fit_seed(self.seed, sample.means.is_none(), "partially linear")?;
        let folds = CausalFolds::draw(&sample, self.folds, seed)?;
        let dose = sample.dose.clone().unwrap_or_default();
        let given = sample.means.take();
        let mut stack = Vec::new();
        let [outcome, treatment] = if let Some([outcome, treatment]) = given.as_deref() {
            [less(&sample.y, outcome), less(&dose, treatment)]
        } else {
            let fit = CrossFit {
                folds: &folds,
                seed,
                progress,
            };
            let mut learned = LearnedMeans::new(fit, &sample);
            let both = [
                learned.residual(&sample.outcome, &self.outcome_learner, &sample.y)?,
                learned.residual(&sample.treatment, &self.treatment_learner, &dose)?,
            ];
            stack = learned.stack;
            let mut warnings = learned.warnings;
            sample.warnings.append(&mut warnings);
            both
        };
        let left = [
            unexplained(&sample, &outcome, &sample.y),
            unexplained(&sample, &treatment, &dose),
        ];
        undecided(&sample.treatment, left[1])?;
        Ok(Residuals {
            sample,
            folds,
            seed,
            outcome,
            treatment,
            stack,
            explained: left.map(|share| 1.0 - share),
        })
    }
}

cross_fitted!(PartiallyLinear);

/// Conditional means learned one after the other on the same folds, and what a reader wants to know about them.
pub(super) struct LearnedMeans<'a> {
    fit: CrossFit<'a>,
    sample: &'a CausalSample,
    pub(super) stack: Vec<StackMember>,
    pub(super) warnings: Vec<Warning>,
}

impl<'a> LearnedMeans<'a> {
    pub(super) fn new(fit: CrossFit<'a>, sample: &'a CausalSample) -> Self {
        Self {
            fit,
            sample,
            stack: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// A column less its mean given the features. A column of 0 and 1 is learned as a probability, unless it is the outcome.
    pub(super) fn residual(
        &mut self,
        name: &str,
        learner: &Learner,
        target: &[f64],
    ) -> Result<Vec<f64>> {
        let is_class = |v: &f64| v.abs() <= 0.0 || (v - 1.0).abs() <= 0.0;
        let task = if name != self.sample.outcome && target.iter().all(is_class) {
            Task::Probability
        } else {
            Task::Regression
        };
        let set = TrainingSet::new(&self.sample.features, target, task)
            .weights(self.sample.weights.as_deref())
            .named(name);
        let mut out = (self.fit).out_of_fold(name, learner, &set, &[&self.sample.features])?;
        self.stack
            .extend(stack_members(name, learner, &out.weights));
        self.warnings.append(&mut out.warnings);
        Ok(less(target, &out.predictions.swap_remove(0)))
    }
}

pub(super) fn less(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// The share of a column's variance that is left in its residuals.
pub(super) fn unexplained(sample: &CausalSample, residual: &[f64], of: &[f64]) -> f64 {
    let units = Units::new(sample.len(), sample.weights.as_deref(), None);
    let squares = |values: &[f64], centre: f64| {
        let squares: Vec<f64> = values.iter().map(|v| (v - centre).powi(2)).collect();
        units.mean(&squares)
    };
    squares(residual, 0.0) / squares(of, units.mean(of))
}

/// Refuses a treatment of which the features leave nothing.
pub(super) fn undecided(treatment: &str, left: f64) -> Result<()> {
    if left.is_finite() && left > DECIDED {
        return Ok(());
    }
    Err(Error::Unidentified {
        what: format!("the effect of `{treatment}`"),
        needs: "a treatment that the features leave open; leave out features that decide it"
            .to_owned(),
    })
}

impl Residuals {
    fn average(&self) -> AverageEffects {
        let sample = &self.sample;
        let units = Units::new(
            sample.len(),
            sample.weights.as_deref(),
            sample.clusters.as_deref(),
        );
        let top: Vec<f64> = (self.treatment.iter().zip(&self.outcome))
            .map(|(d, y)| d * y)
            .collect();
        let slope = units.ratio(&top, |i| self.treatment[i] * self.treatment[i], |_| true);
        AverageEffects::new(
            format!(
                "Effect of one unit of {} on {}",
                sample.treatment, sample.outcome
            ),
            vec![sample.treatment.clone()],
            &[slope],
            &units,
            Sampled {
                rows: sample.len(),
                clusters: sample
                    .cluster_column
                    .clone()
                    .map(|column| (column, units.among(|_| true))),
                warnings: sample.warnings.clone(),
            },
        )
    }
}

impl PartiallyLinearFit {
    /// Weights and clusters of the rows in use.
    pub(super) fn units(&self) -> Units {
        let rows = self.outcome_residuals.len();
        Units::new(rows, self.weights.as_deref(), self.clusters.as_deref())
    }

    /// The effect per unit.
    pub fn effect(&self) -> &AverageEffects {
        &self.average
    }

    /// `Y − ℓ̂(X)` of the rows in use.
    pub fn outcome_residuals(&self) -> &[f64] {
        &self.outcome_residuals
    }

    /// `D − m̂(X)` of the rows in use.
    pub fn treatment_residuals(&self) -> &[f64] {
        &self.treatment_residuals
    }

    /// One flag a row of the frame: whether it is in use.
    pub fn kept_rows(&self) -> &[bool] {
        &self.kept
    }

    /// The weights of stacked learners; empty when a single learner was used.
    pub fn stack_weights(&self) -> &[StackMember] {
        &self.stack
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        self.average.warnings()
    }

    /// The effect, and how much of outcome and treatment the features explain, as a table.
    pub fn table(&self) -> Table {
        let [outcome, treatment] = self.explained.map(|share| Cell::fixed(share, 3));
        self.average.table().note(format!(
            "Share of variance that the features explain on rows that were not fitted: outcome {outcome}, treatment {treatment}."
        ))
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

averages!(PartiallyLinearFit);

impl fmt::Display for PartiallyLinearFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(PartiallyLinearFit);
