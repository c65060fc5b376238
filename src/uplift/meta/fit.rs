//! A meta-learner after fitting.

use super::kind::{EffectLearner, MetaKind};
use super::learner::MetaLearner;
use super::model::EffectModel;
use super::prediction::ArmEffects;
use super::recipes::{Candidate, Pair};
use crate::causal::cross_fit::{CrossFit, weighted};
use crate::causal::{ArmScores, StackMember};
use crate::data::Frame;
use crate::error::{Result, Warning};
use crate::numeric::Progress;
use crate::numeric::linalg::quadratic_form;
use crate::regression::learners::Features;
use crate::regression::learners::features::FeatureInfo;
use crate::regression::learners::stack::simplex;
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// How well a recipe predicts the effect of an arm on rows that it was not fitted to, and its weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecipeLoss {
    /// The arm.
    pub arm: String,
    /// The recipe and its learner.
    pub recipe: String,
    /// Mean loss. Losses share a large part that no recipe can explain: compare them with one another.
    pub loss: f64,
    /// The weight in the sum.
    pub weight: f64,
}

/// Models of every arm's effect. `predict` gives effects for other rows; [`MetaLearnerFit::effects`] are those of the rows in use, by fits that have not
/// seen them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MetaLearnerFit {
    model: MetaLearner,
    arms: Vec<String>,
    /// Weighted models, one list an arm but control.
    models: Vec<Vec<(f64, EffectModel)>>,
    info: Arc<Vec<FeatureInfo>>,
    losses: Vec<RecipeLoss>,
    stacked_losses: Vec<f64>,
    out_of_fold: ArmEffects,
    scores: ArmScores,
    kept: Vec<bool>,
    stack: Vec<StackMember>,
    warnings: Vec<Warning>,
}

impl MetaLearnerFit {
    pub(super) fn new(model: &MetaLearner, frame: &Frame, progress: &Progress) -> Result<Self> {
        let prepared = model.base.prepare(frame, progress)?;
        let (sample, nuisances) = (&prepared.sample, &prepared.nuisances);
        let fit = CrossFit {
            folds: &prepared.folds,
            seed: prepared.seed.child("effects"),
            progress,
        };
        let (mut models, mut losses, mut stacked_losses, mut effects) =
            (vec![], vec![], vec![], vec![]);
        let mut warnings = sample.warnings.clone();
        for (arm, level) in sample.arms.iter().enumerate().skip(1) {
            let pair = Pair::new(sample, nuisances, &model.base, fit, arm)?;
            let candidates: Vec<Candidate> = model
                .recipes
                .iter()
                .map(|recipe| pair.cross_fit(recipe))
                .collect::<Result<_>>()?;
            let columns: Vec<&[f64]> = candidates
                .iter()
                .map(|c| c.out_of_fold.as_slice())
                .collect();
            let products = pair.losses(model.loss, &columns);
            let mut alpha = weights(&products, model.winner)?;
            let constant = (model.recipes.iter()).position(|r| r.kind == MetaKind::Constant);
            if let (Some(constant), true) = (constant, model.shrink && !model.winner) {
                let stacked = weighted(&columns, &alpha);
                let kept = pair.borne_out(model.loss, columns[constant], &stacked);
                for a in &mut alpha {
                    *a *= kept;
                }
                alpha[constant] += 1.0 - kept;
            }
            for (i, recipe) in model.recipes.iter().enumerate() {
                losses.push(RecipeLoss {
                    arm: level.clone(),
                    recipe: recipe.name(),
                    loss: products[(i, i)],
                    weight: alpha[i],
                });
            }
            stacked_losses.push(quadratic_form(
                &products,
                &DVector::from_column_slice(&alpha),
            ));
            effects.push(weighted(&columns, &alpha));
            let used = (0..alpha.len()).filter(|i| alpha[*i] > 0.0);
            let full = |i: usize| {
                let recipe: &EffectLearner = &model.recipes[i];
                Ok((alpha[i], pair.full(recipe, &candidates[i])?))
            };
            models.push(used.map(full).collect::<Result<Vec<_>>>()?);
            warnings.extend(pair.warnings);
            for candidate in candidates {
                warnings.extend(candidate.warnings);
            }
        }
        Ok(Self {
            model: model.clone(),
            models,
            info: Arc::clone(sample.features.info()),
            losses,
            stacked_losses,
            out_of_fold: ArmEffects::new(&sample.arms, effects),
            scores: prepared.scores(&vec![true; sample.len()])?,
            kept: sample.rows.mask(),
            stack: nuisances.members.clone(),
            arms: sample.arms.clone(),
            warnings,
        })
    }

    /// Effects of every arm for every row of a frame that has the features. Missing features and levels that training had not are handled as the learners
    /// do; effects are never missing.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`](crate::Error::ColumnNotFound), [`Error::WrongKind`](crate::Error::WrongKind), [`Error::Infinite`](crate::Error::Infinite).
    pub fn predict(&self, frame: &Frame) -> Result<ArmEffects> {
        let features = Features::matching(frame, &self.info)?;
        let mut values = Vec::with_capacity(self.models.len());
        for models in &self.models {
            let mut sum = vec![0.0; frame.rows()];
            for (weight, model) in models {
                for (s, effect) in sum.iter_mut().zip(model.predict(&features)?) {
                    *s += weight * effect;
                }
            }
            values.push(sum);
        }
        Ok(ArmEffects::new(&self.arms, values))
    }

    /// Effects of the rows in use, by fits that have not seen their folds: what curves, calibration and policies on the same data should use.
    pub fn effects(&self) -> &ArmEffects {
        &self.out_of_fold
    }

    /// Doubly robust scores of every arm, of the rows in use.
    pub fn scores(&self) -> &ArmScores {
        &self.scores
    }

    /// The arms, control first.
    pub fn arms(&self) -> &[String] {
        &self.arms
    }

    /// Losses and weights of the recipes, arm by arm.
    pub fn losses(&self) -> &[RecipeLoss] {
        &self.losses
    }

    /// The loss of the weighted sum, one an arm but control.
    pub fn stacked_losses(&self) -> &[f64] {
        &self.stacked_losses
    }

    /// One flag a row of the frame: whether it is in use.
    pub fn kept_rows(&self) -> &[bool] {
        &self.kept
    }

    /// The weights of stacked learners of the nuisances.
    pub fn stack_weights(&self) -> &[StackMember] {
        &self.stack
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Recipes with their losses and weights as a table.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 5;
        let base = &self.model.base.columns;
        let mut table = Table::new(format!(
            "Effect of {} on {} given features, against {}",
            base.treatment, base.outcome, self.arms[0]
        ))
        .columns(["", "loss", "weight"]);
        let several = self.arms.len() > 2;
        for line in &self.losses {
            let name = if several {
                format!("{}: {}", line.arm, line.recipe)
            } else {
                line.recipe.clone()
            };
            table = table.row([
                Cell::text(name),
                Cell::significant(line.loss, DIGITS),
                Cell::fixed(line.weight, 3),
            ]);
        }
        for (arm, loss) in self.arms.iter().skip(1).zip(&self.stacked_losses) {
            table = table.summary([
                Cell::text(format!("weighted sum, {arm}")),
                Cell::significant(*loss, DIGITS),
            ]);
        }
        table = table.note(format!(
            "{} rows; losses on rows that were not fitted.",
            self.out_of_fold.rows()
        ));
        table.warned(&self.warnings)
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

/// Weights that minimise the loss: of one recipe, of the best, or of the convex combination.
fn weights(products: &DMatrix<f64>, winner: bool) -> Result<Vec<f64>> {
    if products.nrows() == 1 {
        return Ok(vec![1.0]);
    }
    if !winner {
        return simplex(products);
    }
    let best = (1..products.nrows()).fold(0, |best, i| {
        if products[(i, i)] < products[(best, best)] {
            i
        } else {
            best
        }
    });
    let mut alpha = vec![0.0; products.nrows()];
    alpha[best] = 1.0;
    Ok(alpha)
}

impl fmt::Display for MetaLearnerFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(MetaLearnerFit);
