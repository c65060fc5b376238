//! What matching with replacement found.

use super::imputation::Imputation;
use super::nearest::Matching;
use crate::causal::average::{AverageEffects, Sampled, averages};
use crate::causal::weighting::observed::Observed;
use crate::causal::weighting::{ArmWeights, BalanceTable, Estimand};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// What [`Matching`] found. The verbs of [`Inference`](crate::inference::Inference) are those of the effect, which has the name of the arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchingFit {
    model: Matching,
    average: AverageEffects,
    balance: BalanceTable,
    arms: Vec<ArmWeights>,
    weights: Vec<f64>,
    unmatched: usize,
    propensities: Option<Vec<f64>>,
    kept: Vec<bool>,
}

impl MatchingFit {
    pub(super) fn new(
        model: &Matching,
        mut observed: Observed,
        propensities: Option<Vec<f64>>,
        found: Imputation,
    ) -> Self {
        let asked = (0..observed.len()).filter(|row| match model.estimand {
            Estimand::Att => observed.treated[*row],
            Estimand::Atc => !observed.treated[*row],
            Estimand::Ate | Estimand::Ato => true,
        });
        let (mut rows, mut unmatched) = (0, 0);
        for row in asked {
            rows += 1;
            unmatched += usize::from(!found.matched[row]);
        }
        let among = among(&mut observed, rows, unmatched);
        if found.adjustment_failed {
            observed.warnings.push(Warning::Note {
                message: "the adjustment for the estimated propensity is larger than the variance; the standard error is the one without it".to_owned(),
            });
        }
        let arms = arm_weights(&mut observed, &found.weights, propensities.as_deref());
        let (outcome, treatment) = (&model.columns.outcome, &model.columns.treatment);
        let [control, other] = observed.arms.clone();
        let adjusted = if model.limits.distance.of_score() && !found.adjustment_failed {
            ", which allow for the estimated propensity"
        } else {
            ""
        };
        let average = AverageEffects::of_variance(
            format!(
                "{} of {treatment} on {outcome}, against {control}{among}",
                model.estimand
            ),
            other,
            [found.estimate, found.variance],
            format!("Abadie–Imbens standard errors{adjusted}"),
            Sampled {
                rows: observed.len(),
                clusters: None,
                warnings: observed.warnings.clone(),
            },
        );
        Self {
            model: model.clone(),
            average,
            balance: BalanceTable::new(&observed, &found.weights, model.estimand),
            arms,
            weights: found.weights,
            unmatched,
            propensities,
            kept: observed.rows.mask(),
        }
    }

    /// The effect.
    pub fn average_effect(&self) -> &AverageEffects {
        &self.average
    }

    /// Whose effect it is, before rows without matches were left out.
    pub fn estimand(&self) -> Estimand {
        self.model.estimand
    }

    /// How alike the arms are in the covariates.
    pub fn balance(&self) -> &BalanceTable {
        &self.balance
    }

    /// What matching did to the arms, control first.
    pub fn arm_weights(&self) -> &[ArmWeights] {
        &self.arms
    }

    /// How often each row in use counts: as itself and as a match of others.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Rows whose effect was asked for and that have no match.
    pub fn unmatched(&self) -> usize {
        self.unmatched
    }

    /// The propensities of the rows in use, when distance or caliper are of them.
    pub fn propensities(&self) -> Option<&[f64]> {
        self.propensities.as_deref()
    }

    /// One flag a row of the frame: whether it is in use.
    pub fn kept_rows(&self) -> &[bool] {
        &self.kept
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        self.average.warnings()
    }

    /// The rows that count, with a column `weights` that says how much.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] for another frame; [`Error::DuplicateColumn`] when it has such a column.
    pub fn matched(&self, frame: &Frame) -> Result<Frame> {
        matched(frame, &self.kept, &self.weights, None)
    }

    /// The effect, and what matching did to the arms.
    pub fn table(&self) -> Table {
        let several = if self.model.neighbours == 1 {
            "neighbour"
        } else {
            "neighbours"
        };
        let corrected = if self.model.correct {
            ", corrected for bias by regression"
        } else {
            ""
        };
        let table = self.average.table().note(format!(
            "Matched with replacement: {} nearest {several} by {}{corrected}.",
            self.model.neighbours, self.model.limits.distance
        ));
        noted(table, &self.arms, &self.balance)
    }
}

averages!(MatchingFit);
crate::report::notebook::shown!(MatchingFit);

/// Names the rows that are left when some have no match, and warns.
pub(super) fn among(observed: &mut Observed, rows: usize, unmatched: usize) -> String {
    if unmatched == 0 {
        return String::new();
    }
    observed.warnings.push(Warning::Note {
        message: format!(
            "{unmatched} of {rows} rows have no match: the effect is that of the other {}",
            rows - unmatched
        ),
    });
    format!(
        ", among the {} of {rows} rows with a match",
        rows - unmatched
    )
}

/// What the weights did to the arms; an arm in which one row decides is said.
pub(super) fn arm_weights(
    observed: &mut Observed,
    weights: &[f64],
    propensities: Option<&[f64]>,
) -> Vec<ArmWeights> {
    let arms: Vec<ArmWeights> = [false, true]
        .map(|arm| ArmWeights::new(observed, arm, weights, propensities))
        .into();
    observed.warnings.extend(ArmWeights::heavy(
        &arms,
        "match with a caliper, or with more neighbours",
    ));
    arms
}

/// What is said below a table.
pub(super) fn noted(mut table: Table, arms: &[ArmWeights], balance: &BalanceTable) -> Table {
    for arm in arms {
        table = table.note(format!(
            "Arm {}: {} rows, matched as good as {} even ones.",
            arm.arm,
            arm.rows,
            Cell::fixed(arm.effective_rows, 1)
        ));
    }
    table.note(format!(
        "Largest standardised difference of a covariate: {}.",
        Cell::fixed(balance.largest_difference(), 3)
    ))
}

/// Rows of a frame with weight, with their weights and sets.
pub(super) fn matched(
    frame: &Frame,
    kept: &[bool],
    weights: &[f64],
    sets: Option<&[Option<u32>]>,
) -> Result<Frame> {
    if frame.rows() != kept.len() {
        return Err(Error::LengthMismatch {
            column: "weights".to_owned(),
            expected: frame.rows(),
            found: kept.len(),
        });
    }
    let mut at = 0..weights.len();
    let place: Vec<Option<usize>> = kept
        .iter()
        .map(|k| if *k { at.next() } else { None })
        .collect();
    let used: Vec<bool> = place
        .iter()
        .map(|at| at.is_some_and(|at| weights[at] > 0.0))
        .collect();
    let rows: Vec<usize> = place
        .iter()
        .flatten()
        .copied()
        .filter(|at| weights[*at] > 0.0)
        .collect();
    let frame = frame.filter(&used)?.with(
        "weights",
        rows.iter().map(|at| weights[*at]).collect::<Vec<f64>>(),
    )?;
    match sets {
        None => Ok(frame),
        Some(sets) => frame.with(
            "subclass",
            rows.iter()
                .map(|at| sets[*at].map_or(f64::NAN, |s| f64::from(s) + 1.0))
                .collect::<Vec<f64>>(),
        ),
    }
}
