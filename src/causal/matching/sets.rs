//! Effects from sets of rows that are alike: matched sets, strata.

use super::nearest_fit::{among, arm_weights, matched, noted};
use super::stratification::JointImbalance;
use crate::causal::average::{AverageEffects, Sampled, averages};
use crate::causal::weighting::observed::Observed;
use crate::causal::weighting::{ArmWeights, BalanceTable, Estimand};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::report::Table;
use serde::{Deserialize, Serialize};

/// Sets that were made.
pub(super) struct Sets<'a> {
    pub(super) outcome: &'a str,
    pub(super) estimand: Estimand,
    /// The set of every row; none of rows left out.
    pub(super) of_row: Vec<Option<u32>>,
    pub(super) propensities: Option<Vec<f64>>,
    pub(super) what: String,
    /// Whether rows are a sample within sets, so that both arms have a variance there; else sets are the sample.
    pub(super) of_strata: bool,
}

/// What matching without replacement or a stratification found. The verbs of [`Inference`](crate::inference::Inference) are those of the effect, which has the name of the arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetsFit {
    average: AverageEffects,
    balance: BalanceTable,
    arms: Vec<ArmWeights>,
    estimand: Estimand,
    weights: Vec<f64>,
    pub(super) sets: Vec<Option<u32>>,
    pub(super) treated: Vec<bool>,
    pub(super) outcomes: Vec<f64>,
    pub(super) names: [String; 2],
    count: usize,
    unmatched: usize,
    propensities: Option<Vec<f64>>,
    imbalance: JointImbalance,
    kept: Vec<bool>,
    what: String,
}

/// An arm within a set.
#[derive(Clone, Copy, Default)]
struct Cell {
    rows: f64,
    sum: f64,
    squares: f64,
}

impl Cell {
    fn mean(&self) -> f64 {
        self.sum / self.rows
    }
}

impl SetsFit {
    /// # Errors
    /// `NoRows` without a set that has both arms; `Unidentified` when variances need more rows.
    pub(super) fn new(mut observed: Observed, made: Sets) -> Result<Self> {
        let most = made
            .of_row
            .iter()
            .flatten()
            .max()
            .map_or(0, |last| *last as usize + 1);
        let mut cells = vec![[Cell::default(); 2]; most];
        for (row, set) in made.of_row.iter().enumerate() {
            if let Some(set) = set {
                let cell = &mut cells[*set as usize][usize::from(observed.treated[row])];
                cell.rows += 1.0;
                cell.sum += observed.y[row];
            }
        }
        for (row, set) in made.of_row.iter().enumerate() {
            if let Some(set) = set {
                let cell = &mut cells[*set as usize][usize::from(observed.treated[row])];
                cell.squares += (observed.y[row] - cell.mean()).powi(2);
            }
        }
        // Sets with both arms, numbered anew.
        let mut number = vec![None; most];
        let whole: Vec<usize> = (0..most)
            .filter(|set| cells[*set].iter().all(|cell| cell.rows > 0.0))
            .collect();
        for (at, set) in whole.iter().enumerate() {
            number[*set] = Some(at as u32);
        }
        let cells: Vec<[Cell; 2]> = whole.iter().map(|set| cells[*set]).collect();
        let sets: Vec<Option<u32>> = made
            .of_row
            .iter()
            .map(|set| set.and_then(|set| number[set as usize]))
            .collect();
        if cells.is_empty() {
            return Err(Error::NoRows {
                reason: "no set has rows of both arms; widen the calipers, or match on fewer or coarser columns".to_owned(),
            });
        }
        let size = |cell: &[Cell; 2]| match made.estimand {
            Estimand::Att => cell[1].rows,
            Estimand::Atc => cell[0].rows,
            Estimand::Ate | Estimand::Ato => cell[0].rows + cell[1].rows,
        };
        let total: f64 = cells.iter().map(size).sum();
        let weights: Vec<f64> = (sets.iter().zip(&observed.treated))
            .map(|(set, treated)| {
                set.map_or(0.0, |set| {
                    let cell = &cells[set as usize];
                    size(cell) / cell[usize::from(*treated)].rows
                })
            })
            .collect();
        let meant = |row: usize| match made.estimand {
            Estimand::Att => observed.treated[row],
            Estimand::Atc => !observed.treated[row],
            Estimand::Ate | Estimand::Ato => true,
        };
        let (mut rows, mut unmatched) = (0, 0);
        for row in (0..observed.len()).filter(|row| meant(*row)) {
            rows += 1;
            unmatched += usize::from(sets[row].is_none());
        }
        let among = among(&mut observed, rows, unmatched);
        let effects: Vec<(f64, f64)> = cells
            .iter()
            .map(|cell| (size(cell) / total, cell[1].mean() - cell[0].mean()))
            .collect();
        let estimate: f64 = effects.iter().map(|(share, d)| share * d).sum();
        let (variance, errors, clusters) = if made.of_strata {
            let variance = of_strata(&mut observed, &cells, &effects, estimate, total)?;
            (
                variance,
                "Standard errors from the variances within strata".to_owned(),
                None,
            )
        } else {
            let count = cells.len();
            if count < 2 {
                return Err(Error::Unidentified {
                    what: "the error of an effect from one set".to_owned(),
                    needs: "two sets or more; widen the calipers, or match on fewer columns"
                        .to_owned(),
                });
            }
            let sum: f64 = effects
                .iter()
                .map(|(share, d)| (share * (d - estimate)).powi(2))
                .sum();
            let errors = format!("Standard errors clustered by matched set; {count} sets");
            (
                sum * count as f64 / (count as f64 - 1.0),
                errors,
                Some(("matched set".to_owned(), count)),
            )
        };
        let arms = arm_weights(&mut observed, &weights, made.propensities.as_deref());
        let [control, other] = observed.arms.clone();
        let average = AverageEffects::of_variance(
            format!(
                "{} of {} on {}, against {control}{among}",
                made.estimand, observed.treatment, made.outcome
            ),
            other,
            [estimate, variance],
            errors,
            Sampled {
                rows: sets.iter().flatten().count(),
                clusters,
                warnings: observed.warnings.clone(),
            },
        );
        Ok(Self {
            average,
            balance: BalanceTable::new(&observed, &weights, made.estimand),
            imbalance: JointImbalance::new(&observed, &weights),
            arms,
            estimand: made.estimand,
            weights,
            sets,
            names: [observed.treatment.clone(), made.outcome.to_owned()],
            count: cells.len(),
            unmatched,
            propensities: made.propensities,
            kept: observed.rows.mask(),
            what: made.what,
            treated: observed.treated,
            outcomes: observed.y,
        })
    }

    /// The effect.
    pub fn average_effect(&self) -> &AverageEffects {
        &self.average
    }

    /// Whose effect it is, before rows without matches were left out.
    pub fn estimand(&self) -> Estimand {
        self.estimand
    }

    /// How alike the arms are in the covariates.
    pub fn balance(&self) -> &BalanceTable {
        &self.balance
    }

    /// How far apart the joint distributions of the covariates are in both arms.
    pub fn imbalance(&self) -> JointImbalance {
        self.imbalance
    }

    /// What matching did to the arms, control first.
    pub fn arm_weights(&self) -> &[ArmWeights] {
        &self.arms
    }

    /// The weight of each row in use: one for the rows of the estimand, and for the others of a set together as much.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// How many sets have both arms.
    pub fn sets(&self) -> usize {
        self.count
    }

    /// The set of every row in use, numbered from 0 in the order of their first rows; none of rows left out.
    pub fn set_of(&self) -> &[Option<u32>] {
        &self.sets
    }

    /// Rows whose effect was asked for and that are in no set with both arms.
    pub fn unmatched(&self) -> usize {
        self.unmatched
    }

    /// The propensities of the rows in use, when they were estimated.
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

    /// The rows of sets, with columns `weights` and `subclass` to go on with.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] for another frame; [`Error::DuplicateColumn`] when it has such columns.
    pub fn matched(&self, frame: &Frame) -> Result<Frame> {
        matched(frame, &self.kept, &self.weights, Some(&self.sets))
    }

    /// The effect, and what matching did to the arms.
    pub fn table(&self) -> Table {
        noted(
            self.average.table().note(&self.what),
            &self.arms,
            &self.balance,
        )
    }
}

averages!(SetsFit);
crate::report::notebook::shown!(SetsFit);

/// `Σ ω_s² (s₁²/n₁ + s₀²/n₀)`, and what the sampling of strata with other effects adds, `Σ ω_s ((d_s − τ̂)² − v_s)/n` if that is positive. A cell of one row has the
/// pooled variance of its arm.
fn of_strata(
    observed: &mut Observed,
    cells: &[[Cell; 2]],
    effects: &[(f64, f64)],
    estimate: f64,
    total: f64,
) -> Result<f64> {
    let mut pooled = [0.0; 2];
    let mut alone = 0;
    for (arm, pooled) in pooled.iter_mut().enumerate() {
        let (mut squares, mut degrees) = (0.0, 0.0);
        for cell in cells.iter().map(|cell| cell[arm]) {
            squares += cell.squares;
            degrees += cell.rows - 1.0;
            alone += usize::from(cell.rows < 2.0);
        }
        if degrees < 1.0 {
            return Err(Error::Unidentified {
                what: format!(
                    "the variance of arm `{}` within strata, each of which has one of its rows",
                    observed.arms[arm]
                ),
                needs: "strata with more rows; coarsen them, or match pairs with `SetMatching`"
                    .to_owned(),
            });
        }
        *pooled = squares / degrees;
    }
    if alone > 0 {
        observed.warnings.push(Warning::Note {
            message: format!("{alone} cells of one arm in one stratum have one row: their variance is the pooled one of the arm"),
        });
    }
    let (mut within, mut between) = (0.0, 0.0);
    for (cell, (share, d)) in cells.iter().zip(effects) {
        let part = |arm: usize| {
            let cell = cell[arm];
            let variance = if cell.rows > 1.0 {
                cell.squares / (cell.rows - 1.0)
            } else {
                pooled[arm]
            };
            variance / cell.rows
        };
        let own = part(0) + part(1);
        within += share * share * own;
        between += share * ((d - estimate).powi(2) - own);
    }
    Ok(within + between.max(0.0) / total)
}
