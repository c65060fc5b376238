//! A fitted causal survival forest.

use super::average::ForestTarget;
use super::calibration::ForestCalibration;
use super::causal_survival::CausalSurvivalForest;
use super::fit::CausalForestFit;
use super::prediction::ForestPrediction;
use crate::data::Frame;
use crate::error::{Result, Warning};
use crate::inference::Estimate;
use crate::regression::OlsFit;
use crate::report::{Cell, Table, shown};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A causal survival forest fitted to a frame: effects at any row, averages with their errors, and what the forest found. It is owned, and free of
/// the frame but for the handle of [`CausalForestFit`].
#[derive(Clone, Serialize, Deserialize)]
pub struct CausalSurvivalForestFit {
    pub(super) forest: CausalSurvivalForest,
    pub(super) effects: CausalForestFit,
    pub(super) followed: Vec<f64>,
    pub(super) censored: usize,
}

impl CausalSurvivalForestFit {
    /// The causal forest of the outcomes freed of censoring, with all that it can tell.
    pub fn effects(&self) -> &CausalForestFit {
        &self.effects
    }

    /// Effects at the rows of a frame; see [`CausalForestFit::predict`].
    ///
    /// # Errors
    /// Those of [`CausalForestFit::predict`].
    pub fn predict(&self, frame: &Frame) -> Result<ForestPrediction> {
        self.effects.predict(frame)
    }

    /// Effects at the rows in use, each by the trees that have not seen it.
    pub fn out_of_bag(&self) -> &ForestPrediction {
        self.effects.out_of_bag()
    }

    /// The average effect of a group, doubly robust for treatment and censoring; see [`CausalForestFit::average_effect`].
    ///
    /// # Errors
    /// Those of [`CausalForestFit::average_effect`].
    pub fn average_effect(&self, target: ForestTarget) -> Result<Estimate> {
        self.effects.average_effect(target)
    }

    /// Doubly robust scores, one a row in use: for uplift curves, policies and learners of effects; see [`CausalForestFit::scores`].
    ///
    /// # Errors
    /// Those of [`CausalForestFit::scores`].
    pub fn scores(&self) -> Result<Vec<f64>> {
        self.effects.scores()
    }

    /// Whether the effects are right on average and in their differences; see [`CausalForestFit::calibration`].
    ///
    /// # Errors
    /// Those of [`CausalForestFit::calibration`].
    pub fn calibration(&self) -> Result<ForestCalibration> {
        self.effects.calibration()
    }

    /// The best linear description of the effect; see [`CausalForestFit::best_linear_projection`].
    ///
    /// # Errors
    /// Those of [`CausalForestFit::best_linear_projection`].
    pub fn best_linear_projection(&self, regressors: &str) -> Result<OlsFit> {
        self.effects.best_linear_projection(regressors)
    }

    /// Features with their share of the splits; see [`CausalForestFit::importance`].
    pub fn importance(&self) -> Vec<(String, f64)> {
        self.effects.importance()
    }

    /// The outcomes freed of censoring, Γ, one a row in use.
    pub fn outcomes(&self) -> &[f64] {
        &self.effects.sample.outcome
    }

    /// The estimated probability to be followed as long as each row in use was, at most to the horizon.
    pub fn followed(&self) -> &[f64] {
        &self.followed
    }

    /// Rows in use that were censored before the horizon.
    pub fn censored(&self) -> usize {
        self.censored
    }

    /// The rows of the frame that were used, from 0.
    pub fn used_rows(&self) -> Vec<usize> {
        self.effects.used_rows()
    }

    /// Number of rows in use.
    pub fn rows(&self) -> usize {
        self.effects.rows()
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        self.effects.warnings()
    }

    /// The same fit without its handle on the frame.
    pub fn lean(&self) -> Self {
        Self {
            effects: self.effects.lean(),
            ..self.clone()
        }
    }

    /// Average effects, how the effects are spread, and how many rows were censored.
    pub fn table(&self) -> Table {
        let causal = &self.forest.causal;
        let least = self.followed.iter().copied().fold(1.0, f64::min);
        let censored = self.censored as f64 / self.rows() as f64;
        let title = format!(
            "Causal survival forest: effect of {} on {}",
            causal.treatment,
            self.forest.target.of(&causal.outcome)
        );
        self.effects.table().with_title(title).note(format!(
            "{} of the rows are censored before the horizon; least probability to be followed {}",
            Cell::percent(censored, 1),
            Cell::fixed(least, 3)
        ))
    }
}

shown!(CausalSurvivalForestFit);

impl fmt::Debug for CausalSurvivalForestFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CausalSurvivalForestFit")
            .field(
                "outcome",
                &self.forest.target.of(&self.forest.causal.outcome),
            )
            .field("treatment", &self.forest.causal.treatment)
            .field("rows", &self.rows())
            .field("censored", &self.censored)
            .finish()
    }
}
