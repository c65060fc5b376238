//! The estimator: recipes, nuisances, and how recipes are combined.

use super::fit::MetaLearnerFit;
use super::kind::{EffectLearner, EffectLoss, MetaKind};
use crate::causal::DoublyRobust;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::{Progress, Seed};
use crate::regression::learners::Learner;
use serde::{Deserialize, Serialize};

/// Effects of a treatment as a function of features, `τ_k(x) = E[Y(k) − Y(0) | X = x]`, by one of the recipes of [`MetaKind`] or a stack of them.
///
/// Nuisances (mean outcomes, propensities) are cross-fitted as in [`DoublyRobust`], whose assumptions hold here too. The recipes of the stack are
/// fitted outside every fold, too, and their weights, `≥ 0` with sum one, minimise the R-loss (or the doubly robust loss) of these predictions; arms have
/// weights of their own. A row's pseudo-outcome never uses a nuisance that has seen the row; nuisances of the rows that its effect is learned from may
/// have, as is usual with cross-fitting in one round.
///
/// Weights fit noise as well, and most where effects hardly differ. So the difference `τ − c` between the weighted sum and the constant is shrunk as James &
/// Stein shrink a mean: z is the estimate, over its standard error, of the multiple λ of the difference at which `c + λ (τ − c)` has the least loss on
/// rows that were not fitted.
///
/// The X recipe weighs its two parts by the propensity. For new rows a learned one is used; where it was given as a column, or the trial is
/// randomised, the arm's share.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `recipes` | by constructor: `s`, `t`, `x`, `r`, `doubly_robust`, `u`, `transformed_outcome`, or `stack` of several | |
/// | `effect_learner` | stack of lasso, quadratic, boosted trees, forest | for pseudo-outcomes (`s`: for the outcome) |
/// | `learner`, `outcome_learner`, `propensity_learner` | stack of linear, quadratic, boosted trees, forest | for nuisances |
/// | `loss` | `EffectLoss::R` | compares and combines recipes |
/// | `winner` | off | use the recipe with the least loss instead of the weighted sum |
/// | `shrink` | on | draw the weighted sum τ to the constant c, if that is a recipe: `c + max(0, 1 − 2/z²) (τ − c)` |
/// | `folds`, `control`, `weights`, `clusters`, `randomized`, `propensity`, `calibrate`, `propensity_bound`, `seed` | as in [`DoublyRobust`] | |
///
/// # Errors
/// Those of [`DoublyRobust`]; [`Error::InvalidOption`] without recipes.
///
/// # References
/// Künzel, Sekhon, Bickel & Yu (2019), doi:10.1073/pnas.1804597116; Nie & Wager (2021), doi:10.1093/biomet/asaa076 (stacking by the R-loss in section 4);
/// Kennedy (2023), doi:10.1214/23-EJS2157; James & Stein (1961), *Proc. 4th Berkeley Symposium* 1, 361–379 (shrinkage), in the positive-part form.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let made = HeterogeneousEffects::new(EffectDesign::NieWagerB).customers(800).seed(7).simulate()?;
/// let features = ["x1", "x2", "x3", "x4", "x5"];
/// let fit = MetaLearner::r("y", "w", &features)
///     .learner(Learner::linear())
///     .effect_learner(Learner::linear())
///     .seed(7)
///     .fit(&made.data)?;
/// let effects = fit.predict(&made.data)?;
/// let truth = made.oracle.real("effect")?;
/// let error: f64 = effects.first().iter().zip(truth).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 800.0;
/// assert!(error < 0.5 * made.oracle.effect("effect_variance")?);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetaLearner {
    pub(crate) base: DoublyRobust,
    pub(crate) recipes: Vec<EffectLearner>,
    pub(crate) loss: EffectLoss,
    pub(crate) winner: bool,
    pub(crate) shrink: bool,
}

/// Effects are smoother than outcomes and their pseudo-outcomes noisier: small trees, and a forest of large leaves.
pub(super) fn default_effect_learner() -> Learner {
    Learner::from(Learner::stack([
        Learner::from(Learner::lasso()),
        Learner::from(Learner::quadratic()),
        Learner::from(
            Learner::boosted_trees()
                .rounds(100)
                .learning_rate(0.05)
                .leaves(4),
        ),
        Learner::from(Learner::forest().trees(100).min_rows(20)),
    ]))
}

impl MetaLearner {
    /// One recipe.
    pub fn new<S: AsRef<str>>(
        kind: MetaKind,
        outcome: &str,
        treatment: &str,
        features: &[S],
    ) -> Self {
        Self::of(&[kind], outcome, treatment, features)
    }

    fn of<S: AsRef<str>>(
        kinds: &[MetaKind],
        outcome: &str,
        treatment: &str,
        features: &[S],
    ) -> Self {
        let learner = default_effect_learner();
        Self {
            base: DoublyRobust::new(outcome, treatment, features),
            recipes: kinds
                .iter()
                .map(|kind| EffectLearner::new(*kind, learner.clone()))
                .collect(),
            loss: EffectLoss::R,
            winner: false,
            shrink: true,
        }
    }

    /// The default for effects: T, X, R and doubly robust recipes and the constant, combined by the R-loss.
    pub fn stack<S: AsRef<str>>(outcome: &str, treatment: &str, features: &[S]) -> Self {
        let kinds = [
            MetaKind::Constant,
            MetaKind::T,
            MetaKind::X,
            MetaKind::R,
            MetaKind::DoublyRobust,
        ];
        Self::of(&kinds, outcome, treatment, features)
    }

    /// One model with the arm as a feature.
    pub fn s<S: AsRef<str>>(outcome: &str, treatment: &str, features: &[S]) -> Self {
        Self::new(MetaKind::S, outcome, treatment, features)
    }

    /// A model for each arm.
    pub fn t<S: AsRef<str>>(outcome: &str, treatment: &str, features: &[S]) -> Self {
        Self::new(MetaKind::T, outcome, treatment, features)
    }

    /// Imputed effects.
    pub fn x<S: AsRef<str>>(outcome: &str, treatment: &str, features: &[S]) -> Self {
        Self::new(MetaKind::X, outcome, treatment, features)
    }

    /// Residuals on residuals.
    pub fn r<S: AsRef<str>>(outcome: &str, treatment: &str, features: &[S]) -> Self {
        Self::new(MetaKind::R, outcome, treatment, features)
    }

    /// Regression of doubly robust scores.
    pub fn doubly_robust<S: AsRef<str>>(outcome: &str, treatment: &str, features: &[S]) -> Self {
        Self::new(MetaKind::DoublyRobust, outcome, treatment, features)
    }

    /// Ratios of residuals.
    pub fn u<S: AsRef<str>>(outcome: &str, treatment: &str, features: &[S]) -> Self {
        Self::new(MetaKind::U, outcome, treatment, features)
    }

    /// The outcome weighted by inverse propensities; with an outcome of 0 and 1 the class transformation.
    pub fn transformed_outcome<S: AsRef<str>>(
        outcome: &str,
        treatment: &str,
        features: &[S],
    ) -> Self {
        Self::new(MetaKind::TransformedOutcome, outcome, treatment, features)
    }

    /// Other recipes, each with its learner.
    pub fn recipes(mut self, recipes: impl IntoIterator<Item = EffectLearner>) -> Self {
        self.recipes = recipes.into_iter().collect();
        self
    }

    /// Adds a recipe.
    pub fn with(mut self, recipe: EffectLearner) -> Self {
        self.recipes.push(recipe);
        self
    }

    /// The learner of pseudo-outcomes in all recipes named so far.
    pub fn effect_learner(mut self, learner: impl Into<Learner>) -> Self {
        let learner = learner.into();
        for recipe in &mut self.recipes {
            recipe.learner = learner.clone();
        }
        self
    }

    /// The loss that compares and combines recipes.
    pub fn loss(mut self, loss: EffectLoss) -> Self {
        self.loss = loss;
        self
    }

    /// Uses the recipe with the least loss instead of the weighted sum.
    pub fn winner(mut self) -> Self {
        self.winner = true;
        self
    }

    /// Whether the weighted sum is drawn to the constant, if that is among the recipes, as far as the loss does not bear out that effects differ.
    pub fn shrink(mut self, yes: bool) -> Self {
        self.shrink = yes;
        self
    }

    /// Nuisances learned, arms, weights, clusters and propensities as of this [`DoublyRobust`].
    pub fn nuisances(mut self, base: DoublyRobust) -> Self {
        self.base = base;
        self
    }

    /// Fits to the frame.
    ///
    /// # Errors
    /// See [`MetaLearner`].
    pub fn fit(&self, frame: &Frame) -> Result<MetaLearnerFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits to the frame, watched.
    ///
    /// # Errors
    /// See [`MetaLearner`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<MetaLearnerFit> {
        if self.recipes.is_empty() {
            return Err(Error::invalid_option(
                "recipes",
                "empty",
                "at least one recipe",
            ));
        }
        self.recipes
            .iter()
            .try_for_each(|recipe| recipe.learner.check())?;
        if self.base.seed.is_none() {
            return Err(Error::SeedRequired {
                what: "cross-fitting".to_owned(),
            });
        }
        if self.base.trim.is_some() {
            return Err(Error::invalid_option(
                "trim",
                "set",
                "left out: a function of features is learned on all rows; weigh them or filter the frame",
            ));
        }
        MetaLearnerFit::new(self, frame, progress)
    }
}

/// Options of the nuisances that are said the same way here.
macro_rules! delegate {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*);)*) => {
        impl MetaLearner {
            $($(#[$doc])*
            pub fn $name(mut self, $($argument: $type),*) -> Self {
                self.base = self.base.$name($($argument),*);
                self
            })*
        }
    };
}

delegate! {
    /// The learner of outcomes and propensities.
    learner(learner: impl Into<Learner>);
    /// The learner of mean outcomes.
    outcome_learner(learner: impl Into<Learner>);
    /// The learner of propensities.
    propensity_learner(learner: impl Into<Learner>);
    /// Folds of the cross-fitting.
    folds(folds: usize);
    /// The arm that others are compared with.
    control(arm: impl Into<String>);
    /// A column of weights of the rows.
    weights(column: impl Into<String>);
    /// A column of clusters, which stay whole in folds.
    clusters(column: impl Into<String>);
    /// Every row had the same chances of the arms.
    randomized();
    /// A column with the known propensity of an arm.
    propensity(arm: impl Into<String>, column: impl Into<String>);
    /// Whether learned propensities are calibrated.
    calibrate(yes: bool);
    /// Learned propensities below this are raised to it.
    propensity_bound(bound: f64);
    /// The seed.
    seed(seed: impl Into<Seed>);
}
