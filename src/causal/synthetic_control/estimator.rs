//! Synthetic control: the outcomes that a treated unit would have had, as a weighted mean of units that were not treated.

use super::board::{Board, PanelColumns};
use super::counterfactual::{Counterfactual, Recipe};
use super::importance::{PredictorImportance, Weighed, weighed_features};
use super::penalty::cross_validated;
use super::predictor::Predictor;
use super::synthetic_control_fit::SyntheticControlFit;
use crate::data::Frame;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Synthetic control for one or several treated units, each compared with its own weighted mean of donors (units that are never treated).
///
/// The effect on treated unit `i` in period `t` is `τ_it = Y_it − Σ_j w_ij Y_jt`. The weights are on the simplex (`w ≥ 0`, `Σ w = 1`, so that nothing is extrapolated) and bring the
/// donors nearest to the unit before its treatment: `min Σ_{t < start} (Y_it − Σ_j w_j Y_jt)²`, or nearest in [predictors](Self::predictor). The minimum is exact: an active-set search with a
/// certified duality gap. The effect is the mean of `τ_it` over treated units and periods since their start.
///
/// What must hold: outcomes without treatment follow factors whose loadings the weighted donors share; a close fit over many periods before treatment is the evidence for it. Treatment
/// changes nothing before it starts nor anything in donors, and nothing else happens to the treated unit alone.
///
/// | option | default | meaning |
/// |---|---|---|
/// | [`predictor`](Self::predictor), [`predictor_between`](Self::predictor_between) | none | what is matched in place of all outcomes before treatment |
/// | [`importance`](Self::importance) | nested | how much each predictor counts: see [`PredictorImportance`] |
/// | [`demeaned`](Self::demeaned) | no | the unit may lie a constant above or below its donors (Ferman & Pinto 2021) |
/// | [`augmented`](Self::augmented) | no | ridge regression corrects what the weights leave unmatched; weights may then be negative (Ben-Michael, Feller & Rothstein 2021) |
/// | [`penalty`](Self::penalty) | cross-validation | of the augmentation: the largest whose error in a left-out period is within a standard error of the smallest |
///
/// With one treated unit there is no standard error. Inference is by [`SyntheticControlFit::placebo_in_space`], which compares with effects found where there are none, by
/// [`SyntheticControlFit::conformal_intervals`], which compares with other periods, and by [`SyntheticControlFit::jackknife_plus`].
///
/// # Errors
/// Columns that are absent or of the wrong kind; [`Error::Infinite`]; [`Error::OutOfRange`] for a treatment other than 0 and 1 and one that switches off;
/// [`Error::InvalidOption`] for a unit-period that comes twice, with both rows, and for options out of range; [`Error::Unidentified`] for gaps, without treated units, donors or
/// periods before treatment, and for donors that all equal the treated unit.
///
/// # References
/// Abadie, Diamond & Hainmueller (2010), doi:10.1198/jasa.2009.ap08746; Abadie (2021), doi:10.1257/jel.20191450; Ben-Michael, Feller & Rothstein (2021),
/// doi:10.1080/01621459.2021.1929245; Ferman & Pinto (2021), doi:10.3982/QE1596; Wolfe (1976), doi:10.1007/BF01580381, for the search.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let wide = datasets::load("california_prop99")?; // a row a year, a column a state
/// let long = wide.longer(&["Year"], "state", "packs")?;
/// let (year, state) = (long.real("Year")?.to_vec(), long.label("state")?.clone());
/// let taxed: Vec<bool> = (0..long.rows())
///     .map(|row| state.get(row) == Some("California") && year[row] > 1988.0)
///     .collect();
/// let panel = long.with("taxed", taxed)?;
/// let fit = SyntheticControl::new("packs", "taxed", "state", "Year").fit(&panel)?;
/// assert!((fit.effect() + 19.51).abs() < 0.01); // packs a head and year
/// let california = &fit.placebo_in_space()?[0];
/// assert!((california.p_value - 3.0 / 39.0).abs() < 1e-12);
/// println!("{fit}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyntheticControl {
    pub(super) columns: PanelColumns,
    predictors: Vec<Predictor>,
    importance: PredictorImportance,
    demeaned: bool,
    pub(super) augmented: bool,
    penalty: Option<f64>,
}

impl SyntheticControl {
    /// The effect of a treatment, which is 0 until it starts and 1 from then on, on an outcome, with the columns of units and of periods.
    pub fn new(outcome: &str, treatment: &str, unit: &str, period: &str) -> Self {
        Self {
            columns: PanelColumns::new(outcome, treatment, unit, period),
            predictors: Vec::new(),
            importance: PredictorImportance::default(),
            demeaned: false,
            augmented: false,
            penalty: None,
        }
    }

    /// Matches the mean of a column before treatment.
    pub fn predictor(mut self, column: impl Into<String>) -> Self {
        self.predictors.push(Predictor::new(column, None));
        self
    }

    /// Matches the mean of a column over periods, both ends included. The outcome may be such a column.
    pub fn predictor_between(mut self, column: impl Into<String>, first: f64, last: f64) -> Self {
        self.predictors
            .push(Predictor::new(column, Some((first, last))));
        self
    }

    /// How much each predictor counts.
    pub fn importance(mut self, importance: PredictorImportance) -> Self {
        self.importance = importance;
        self
    }

    /// Lets levels differ by a constant.
    pub fn demeaned(mut self) -> Self {
        self.demeaned = true;
        self
    }

    /// Corrects by ridge regression what the weights leave unmatched.
    pub fn augmented(mut self) -> Self {
        self.augmented = true;
        self
    }

    /// The penalty of the augmentation, in squared units of the outcome.
    pub fn penalty(mut self, penalty: f64) -> Self {
        self.penalty = Some(penalty);
        self
    }

    /// Finds the weights and the effects.
    ///
    /// # Errors
    /// See [`SyntheticControl`].
    pub fn fit(&self, frame: &Frame) -> Result<SyntheticControlFit> {
        self.check()?;
        let (board, warnings) = self.columns.read(frame, &self.predictors)?;
        self.on(board, warnings)
    }

    fn check(&self) -> Result<()> {
        let refuse = |option: &str, value: String, expected: &str| {
            Err(Error::invalid_option(option, value, expected))
        };
        if let Some(penalty) = self.penalty {
            if !self.augmented {
                return refuse(
                    "penalty",
                    penalty.to_string(),
                    "given together with `.augmented()`",
                );
            }
            if !(penalty > 0.0 && penalty.is_finite()) {
                return refuse("penalty", penalty.to_string(), "positive and finite");
            }
        }
        if self.predictors.is_empty() {
            return if self.importance == PredictorImportance::default() {
                Ok(())
            } else {
                refuse(
                    "importance",
                    "given without predictors".to_owned(),
                    "that of predictors: name them by `.predictor(…)`",
                )
            };
        }
        if self.augmented || self.demeaned {
            let option = if self.augmented {
                "augmented"
            } else {
                "demeaned"
            };
            return refuse(
                option,
                "given beside predictors".to_owned(),
                "an option of matching on all outcomes before treatment; leave the predictors out",
            );
        }
        if let PredictorImportance::Given(given) = &self.importance {
            let sum: f64 = given.iter().sum();
            if given.len() != self.predictors.len()
                || !given.iter().all(|v| *v >= 0.0)
                || !(sum > 0.0 && sum.is_finite())
            {
                return refuse(
                    "importance",
                    format!("{given:?}"),
                    "one number a predictor, none negative and not all zero",
                );
            }
        }
        for predictor in &self.predictors {
            if let Some((first, last)) = predictor
                .window
                .filter(|(first, last)| first > last || first.is_nan() || last.is_nan())
            {
                return refuse(
                    "predictor_between",
                    format!("{first} to {last}"),
                    "two periods, the earlier first",
                );
            }
        }
        Ok(())
    }

    /// How a unit's counterfactual is made: with the penalty found, when it is left to cross-validation.
    pub(super) fn recipe(&self, target: &[f64], donors: &[&[f64]], start: usize) -> Result<Recipe> {
        let penalty = match (self.augmented, self.penalty) {
            (false, _) => None,
            (true, Some(given)) => Some(given),
            (true, None) => Some(cross_validated(target, donors, start, self.demeaned)?),
        };
        Ok(Recipe {
            demeaned: self.demeaned,
            penalty,
        })
    }

    /// The counterfactual of a unit from a start on, made of some donors.
    pub(super) fn counterfactual(
        &self,
        board: &Board,
        target: usize,
        donors: &[usize],
        start: usize,
    ) -> Result<(Recipe, Counterfactual, Option<Weighed>)> {
        let pool: Vec<&[f64]> = donors
            .iter()
            .map(|unit| board.y[*unit].as_slice())
            .collect();
        let features = if self.predictors.is_empty() {
            None
        } else {
            Some(weighed_features(
                board,
                &self.importance,
                target,
                donors,
                start,
            )?)
        };
        let before: Vec<usize> = (0..start).collect();
        let recipe = self.recipe(&board.y[target], &pool, start)?;
        let rows = features.as_ref().map(|features| features.rows.as_slice());
        let made = recipe.make(&board.y[target], &pool, &before, rows)?;
        Ok((recipe, made, features))
    }

    /// For weights that have the penalty already found.
    pub(super) fn recipe_without_penalty(&self) -> Recipe {
        Recipe {
            demeaned: self.demeaned,
            penalty: None,
        }
    }

    /// Whether a unit outside the hull of its donors can be met.
    pub(super) fn has_room(&self) -> bool {
        self.demeaned || self.augmented || self.has_predictors()
    }

    pub(super) fn has_predictors(&self) -> bool {
        !self.predictors.is_empty()
    }
}
