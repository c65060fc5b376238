//! The effect per unit of a continuous treatment as a function of features.

use super::learner::default_effect_learner;
use crate::causal::PartiallyLinear;
use crate::causal::cross_fit::{Combined, CrossFit, products, regression, weighted};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::numeric::Progress;
use crate::regression::learners::features::FeatureInfo;
use crate::regression::learners::stack::simplex;
use crate::regression::learners::{Features, Learner, TrainingSet};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The effect of one unit more of a continuous treatment, as a function of features, by the R-learner: in the model that is linear in the treatment,
///
/// `Y = τ(X) D + g(X) + ε`, `E[ε | D, X] = 0`,
///
/// τ minimises the R-loss `E[(Ỹ − τ(X) D̃)²]` of the residuals `Ỹ = Y − E[Y | X]`, `D̃ = D − E[D | X]`, which [`PartiallyLinear`] cross-fits: a regression
/// of `Ỹ/D̃` with weights `D̃²` by any learner. Beside it stands the constant effect; the two have weights `≥ 0` with sum one that minimise the
/// R-loss on rows that were not fitted, so that effects that only noise makes differ are drawn to the average.
///
/// The treatment must be as good as random given the features. When the response bends in the treatment, `τ(x)` is the slope of the line that is nearest to
/// it under the treatments that people with these features have had: the effect of a unit there, not far from there.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `effect_learner` | stack of lasso, quadratic, boosted trees, forest | of `Ỹ/D̃` |
/// | `constant` | on | whether the constant effect takes part |
///
/// Nuisances, weights, clusters, folds and the seed are those of the [`PartiallyLinear`] that it is made from.
///
/// # Errors
/// Those of [`PartiallyLinear`] and of the learner.
///
/// # References
/// Nie & Wager (2021), doi:10.1093/biomet/asaa076; Robinson (1988), doi:10.2307/1912705.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let unit = |i: i32, step: f64| (f64::from(i) * step).fract();
/// let x: Vec<f64> = (0..600).map(|i| unit(i, 0.618_034)).collect();
/// let discount: Vec<f64> = (0..600).map(|i| x[i as usize] + 2.0 * unit(i, 0.754_878)).collect();
/// let spent: Vec<f64> = (0..600).map(|i| x[i as usize].powi(2) + (1.0 + x[i as usize]) * discount[i as usize]).collect();
/// let frame = Frame::new().with("x", x)?.with("discount", discount)?.with("spent", spent)?;
/// let base = PartiallyLinear::new("spent", "discount", &["x"]).learner(Learner::quadratic()).seed(7);
/// let fit = ContinuousEffects::new(base).effect_learner(Learner::linear()).fit(&frame)?;
/// let somebody = Frame::new().with("x", vec![0.5])?;
/// assert!((fit.predict(&somebody)?[0] - 1.5).abs() < 0.05);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContinuousEffects {
    base: PartiallyLinear,
    learner: Learner,
    constant: bool,
}

/// The model of [`ContinuousEffects`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContinuousEffectsFit {
    names: [String; 3],
    /// The constant effect and its weight.
    constant: [f64; 2],
    model: Option<Combined>,
    share: f64,
    info: Arc<Vec<FeatureInfo>>,
    /// R-losses of the constant, the learner and their sum.
    losses: [f64; 3],
    out_of_fold: Vec<f64>,
    kept: Vec<bool>,
    warnings: Vec<Warning>,
}

impl ContinuousEffects {
    /// With the nuisances of this model.
    pub fn new(base: PartiallyLinear) -> Self {
        Self {
            base,
            learner: default_effect_learner(),
            constant: true,
        }
    }

    /// The learner of the effect.
    pub fn effect_learner(mut self, learner: impl Into<Learner>) -> Self {
        self.learner = learner.into();
        self
    }

    /// Whether the constant effect takes part.
    pub fn constant(mut self, yes: bool) -> Self {
        self.constant = yes;
        self
    }

    /// Fits to the frame.
    ///
    /// # Errors
    /// See [`ContinuousEffects`].
    pub fn fit(&self, frame: &Frame) -> Result<ContinuousEffectsFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits to the frame, watched.
    ///
    /// # Errors
    /// See [`ContinuousEffects`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<ContinuousEffectsFit> {
        self.learner.check()?;
        if self.base.seed.is_none() {
            return Err(Error::SeedRequired {
                what: "cross-fitting".to_owned(),
            });
        }
        let residuals = self.base.residuals(frame, progress)?;
        let (sample, d, y) = (&residuals.sample, &residuals.treatment, &residuals.outcome);
        let fit = CrossFit {
            folds: &residuals.folds,
            seed: residuals.seed.child("effects"),
            progress,
        };
        let ratio = |i: usize| if d[i].abs() > 0.0 { y[i] / d[i] } else { 0.0 };
        let target: Vec<f64> = (0..sample.len()).map(ratio).collect();
        let weights: Vec<f64> = (0..sample.len())
            .map(|i| sample.weight(i) * d[i] * d[i])
            .collect();
        let name = format!("effect of {}", sample.treatment);
        let set = regression(
            &sample.features,
            &target,
            Some(&weights),
            sample.all(),
            &name,
        );
        let out = fit.out_of_fold(&name, &self.learner, &set, &[&sample.features])?;
        let learned = &out.predictions[0];
        let mut constants = vec![0.0; sample.len()];
        for fold in 0..residuals.folds.count() {
            let others = set
                .clone()
                .rows(residuals.folds.outside(&sample.all(), fold));
            let inside = residuals.folds.inside(&sample.all(), fold);
            let mean = mean(&others);
            for i in 0..inside.len() {
                constants[inside.index(i)] = mean;
            }
        }
        // (Ỹ − τ D̃)² = D̃² (Ỹ/D̃ − τ)²: the weighted squared error of the regression, on the scale of the outcome.
        let errors = [&constants, learned].map(|effects| -> Vec<f64> {
            (0..sample.len())
                .map(|i| y[i] - effects[i] * d[i])
                .collect()
        });
        let own = regression(
            &sample.features,
            y,
            sample.weights.as_deref(),
            sample.all(),
            &name,
        );
        let products = products(&errors, &own);
        let alpha = if self.constant {
            simplex(&products)?
        } else {
            vec![0.0, 1.0]
        };
        let model = if alpha[1] > 0.0 {
            Some(fit.full(&name, &self.learner, &set, &out.weights)?)
        } else {
            None
        };
        let stacked = (alpha[0] * products[(0, 0)] + 2.0 * alpha[1] * products[(1, 0)]) * alpha[0]
            + alpha[1] * alpha[1] * products[(1, 1)];
        let mut warnings = sample.warnings.clone();
        warnings.extend(out.warnings);
        Ok(ContinuousEffectsFit {
            names: [
                sample.outcome.clone(),
                sample.treatment.clone(),
                self.learner.name().to_owned(),
            ],
            constant: [mean(&set), alpha[0]],
            model,
            share: alpha[1],
            info: Arc::clone(sample.features.info()),
            losses: [products[(0, 0)], products[(1, 1)], stacked],
            out_of_fold: weighted(&[&constants, learned], &alpha),
            kept: sample.rows.mask(),
            warnings,
        })
    }
}

/// The weighted mean of the target; zero without weight.
fn mean(set: &TrainingSet) -> f64 {
    let mean = set.mean();
    if mean.is_finite() { mean } else { 0.0 }
}

impl ContinuousEffectsFit {
    /// The effect of one unit for every row of a frame that has the features; never missing.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::WrongKind`], [`Error::Infinite`]; [`Error::NotFinite`] for a prediction beyond all numbers.
    pub fn predict(&self, frame: &Frame) -> Result<Vec<f64>> {
        let features = Features::matching(frame, &self.info)?;
        let [constant, weight] = self.constant;
        let mut effects = vec![weight * constant; features.rows()];
        if let Some(model) = &self.model {
            for (effect, learned) in effects.iter_mut().zip(model.predict(&features)?) {
                *effect += self.share * learned;
            }
        }
        match effects.iter().position(|v| !v.is_finite()) {
            None => Ok(effects),
            Some(row) => Err(Error::NotFinite {
                what: format!("the predicted effect of row {}", row + 1),
            }),
        }
    }

    /// Effects of the rows in use, by fits that have not seen their folds.
    pub fn effects(&self) -> &[f64] {
        &self.out_of_fold
    }

    /// The weight of the learner; the rest is that of the constant effect.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// One flag a row of the frame: whether it is in use.
    pub fn kept_rows(&self) -> &[bool] {
        &self.kept
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Losses and weights as a table.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 5;
        let [outcome, treatment, learner] = &self.names;
        let [constant, learned, sum] = self.losses.map(|l| Cell::significant(l, DIGITS));
        let title = format!("Effect of one unit of {treatment} on {outcome} given features");
        let table = Table::new(title)
            .columns(["", "R-loss", "weight"])
            .row([
                Cell::text(format!("constant, {:.4}", self.constant[0])),
                constant,
                Cell::fixed(self.constant[1], 3),
            ])
            .row([
                Cell::text(format!("R ({learner})")),
                learned,
                Cell::fixed(self.share, 3),
            ])
            .summary([Cell::text("weighted sum"), sum])
            .note(format!(
                "{} rows; losses on rows that were not fitted.",
                self.out_of_fold.len()
            ));
        table.warned(&self.warnings)
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for ContinuousEffectsFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(ContinuousEffectsFit);
