//! What weighting found: the effect with its errors, and what the weights did.

use super::balance::BalanceTable;
use super::estimand::Estimand;
use super::observed::{Basis, Observed};
use super::tilt::Tilted;
use super::treatment_weighting::{Method, TreatmentWeighting};
use crate::causal::average::{AverageEffects, Sampled, averages};
use crate::causal::units::{Linearised, Units};
use crate::error::{Error, Result, Warning};
use crate::report::{Cell, Ecdf, Figure, Table};
use serde::{Deserialize, Serialize};

/// A row with more than this share of the weight of its arm is said in a warning.
const LARGE_SHARE: f64 = 0.1;

/// A first step that was taken.
pub(super) enum FirstStep {
    /// Propensities that are known.
    Given(Vec<f64>),
    /// One index for both arms: log odds.
    Joint(Tilted),
    /// Log weights of each arm, control first.
    ByArm(Box<[Tilted; 2]>),
    /// Weights of each arm, control first; an arm that others are made like has none.
    Stable(Box<[Option<Tilted>; 2]>),
}

/// What the weights did to an arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmWeights {
    /// The arm.
    pub arm: String,
    /// Its rows with weight.
    pub rows: usize,
    /// Kish's effective number of rows, `(Σ w)²/Σ w²`: as many even rows would be as precise for an outcome that varies equally everywhere.
    pub effective_rows: f64,
    /// The largest share of the arm's weight that one row has.
    pub largest_share: f64,
    /// The lowest and the highest propensity of its rows; none of stable balancing and of entropy balancing for the ATE, which have no propensity.
    pub propensities: Option<(f64, f64)>,
}

/// What [`TreatmentWeighting`] found. The verbs of [`Inference`](crate::inference::Inference) are those of the effect, which has the name of the arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TreatmentWeightingFit {
    model: TreatmentWeighting,
    average: AverageEffects,
    arm_means: AverageEffects,
    balance: BalanceTable,
    arms: Vec<ArmWeights>,
    treated: Vec<bool>,
    weights: Vec<f64>,
    propensities: Option<Vec<f64>>,
    range: Option<(f64, f64)>,
    kept: Vec<bool>,
}

impl FirstStep {
    /// The weight of every row and its derivative with respect to its index.
    fn weights(&self, observed: &Observed, estimand: Estimand) -> Vec<(f64, f64)> {
        let rows = 0..observed.len();
        let arm = |row: usize| observed.treated[row];
        match self {
            Self::Given(e) => rows
                .map(|row| estimand.weight(arm(row), (e[row] / (1.0 - e[row])).ln()))
                .collect(),
            Self::Joint(step) => rows
                .map(|row| estimand.weight(arm(row), step.eta[row]))
                .collect(),
            Self::ByArm(steps) => rows
                .map(|row| steps[usize::from(arm(row))].eta[row].exp())
                .map(|weight| (weight, weight))
                .collect(),
            Self::Stable(steps) => rows
                .map(|row| match &steps[usize::from(arm(row))] {
                    Some(step) if step.eta[row] > 0.0 => (step.eta[row], 1.0),
                    Some(_) => (0.0, 0.0),
                    None => (1.0, 0.0),
                })
                .collect(),
        }
    }

    /// The step that the weights of an arm come from.
    fn of_arm(&self, treated: bool) -> Option<&Tilted> {
        match self {
            Self::Given(_) => None,
            Self::Joint(step) => Some(step),
            Self::ByArm(steps) => Some(&steps[usize::from(treated)]),
            Self::Stable(steps) => steps[usize::from(treated)].as_ref(),
        }
    }
}

impl TreatmentWeightingFit {
    pub(super) fn new(
        model: &TreatmentWeighting,
        mut observed: Observed,
        basis: &Basis,
        step: &FirstStep,
        range: Option<(f64, f64)>,
    ) -> Result<Self> {
        let shape = step.weights(&observed, model.estimand);
        let weights: Vec<f64> = (shape.iter().zip(&observed.weights))
            .map(|((weight, _), s)| weight * s)
            .collect();
        check_finite(&observed, &weights)?;
        let propensities = match step {
            FirstStep::Given(given) => Some(given.clone()),
            FirstStep::Joint(step) => Some(step.propensities()),
            FirstStep::ByArm(_) | FirstStep::Stable(_) => None,
        };
        let arms: Vec<ArmWeights> = [false, true]
            .map(|arm| ArmWeights::new(&observed, arm, &weights, propensities.as_deref()))
            .into();
        observed.warnings.extend(ArmWeights::heavy(
            &arms,
            "trim, or report the effect in the overlap",
        ));
        let units = units(&observed, model.columns.clusters.as_ref())?;
        let means = [false, true].map(|arm| mean(&observed, basis, step, &shape, arm, &units));
        let difference = Linearised {
            estimate: means[1].estimate - means[0].estimate,
            influence: (means[1].influence.iter().zip(&means[0].influence))
                .map(|(a, b)| a - b)
                .collect(),
        };
        let sampled = || Sampled {
            rows: observed.len(),
            clusters: (model.columns.clusters.clone()).map(|column| (column, units.weighed)),
            warnings: observed.warnings.clone(),
        };
        let among = range.map_or_else(String::new, |(low, high)| {
            format!(", among rows with a propensity from {low:.4} to {high:.4}")
        });
        let (outcome, treatment) = (&model.columns.outcome, &model.columns.treatment);
        let [control, other] = observed.arms.clone();
        let average = AverageEffects::new(
            format!(
                "{} of {treatment} on {outcome}, against {control}{among}",
                model.estimand
            ),
            vec![other],
            &[difference],
            &units,
            sampled(),
        );
        let arm_means = AverageEffects::new(
            format!("Weighted means of {outcome} by {treatment}{among}"),
            observed.arms.to_vec(),
            &means,
            &units,
            sampled(),
        );
        let totals =
            [false, true].map(|arm| -> f64 { observed.of_arm(arm).map(|row| weights[row]).sum() });
        Ok(Self {
            model: model.clone(),
            average,
            arm_means,
            balance: BalanceTable::new(&observed, &weights, model.estimand),
            arms,
            weights: (weights.iter().zip(&observed.treated))
                .map(|(weight, treated)| weight / totals[usize::from(*treated)])
                .collect(),
            treated: observed.treated,
            propensities,
            range,
            kept: observed.rows.mask(),
        })
    }

    /// The effect.
    pub fn average_effect(&self) -> &AverageEffects {
        &self.average
    }

    /// The weighted mean outcomes of both arms, control first.
    pub fn arm_means(&self) -> &AverageEffects {
        &self.arm_means
    }

    /// Whose effect it is, before trimming.
    pub fn estimand(&self) -> Estimand {
        self.model.estimand
    }

    /// How alike the arms are in the covariates.
    pub fn balance(&self) -> &BalanceTable {
        &self.balance
    }

    /// What the weights did to the arms, control first.
    pub fn arm_weights(&self) -> &[ArmWeights] {
        &self.arms
    }

    /// The weights of the rows in use, sampling weights included; those of an arm sum to one.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The propensities of the rows in use; none of stable balancing and of entropy balancing for the ATE, which have no propensity.
    pub fn propensities(&self) -> Option<&[f64]> {
        self.propensities.as_deref()
    }

    /// The lowest and the highest propensity that trimming kept; none without trimming, or when Crump's rule keeps all rows.
    pub fn trimmed_to(&self) -> Option<(f64, f64)> {
        self.range
    }

    /// One flag a row of the frame: whether it is in use.
    pub fn kept_rows(&self) -> &[bool] {
        &self.kept
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        self.average.warnings()
    }

    /// The distribution functions of the propensities of both arms. Where one has risen before the other begins, there is no overlap.
    ///
    /// # Errors
    /// [`Error::Unidentified`] for stable balancing and for entropy balancing of the ATE, which have no propensity.
    pub fn overlap_plot(&self) -> Result<Figure> {
        let propensities = self.propensities.as_ref().ok_or_else(|| Error::Unidentified {
            what: "the overlap of propensities".to_owned(),
            needs: "a propensity, which stable balancing and entropy balancing of the ATE have not; fit `TreatmentWeighting::inverse_propensity` to the same terms".to_owned(),
        })?;
        let mut plot = Ecdf::new()
            .title(format!("Overlap of {}", self.model.columns.treatment))
            .x_title(format!(
                "propensity of {} = {}",
                self.model.columns.treatment, self.arms[1].arm
            ));
        for (treated, arm) in [false, true].iter().zip(&self.arms) {
            let own = (propensities.iter().zip(&self.treated)).filter(|(_, arm)| *arm == treated);
            let own: Vec<f64> = own.map(|(e, _)| *e).collect();
            plot = plot.group(&arm.arm, own);
        }
        plot.draw()
    }

    /// The effect, and what the weights did to the arms.
    pub fn table(&self) -> Table {
        let mut table = self.average.table().note(match self.model.method {
            Method::InversePropensity => "Weights: inverse propensities.",
            Method::CovariateBalancing => "Weights: covariate balancing propensity score.",
            Method::EntropyBalancing => "Weights: entropy balancing.",
            Method::StableBalancing => "Weights: stable balancing.",
        });
        table = ArmWeights::noted(table, &self.arms);
        table.note(format!(
            "Largest standardised difference of a covariate: {}.",
            Cell::fixed(self.balance.largest_difference(), 3)
        ))
    }
}

averages!(TreatmentWeightingFit);
crate::report::notebook::shown!(TreatmentWeightingFit);

impl ArmWeights {
    /// Warnings of arms in which one row decides.
    pub(in crate::causal) fn heavy(arms: &[Self], remedy: &str) -> Vec<Warning> {
        (arms.iter())
            .filter(|arm| arm.largest_share > LARGE_SHARE)
            .map(|arm| Warning::Note {
                message: format!(
                    "one row has {:.0} % of the weight of arm `{}`, whose effective number of rows is {:.1} of {}: {remedy}",
                    100.0 * arm.largest_share, arm.arm, arm.effective_rows, arm.rows
                ),
            })
            .collect()
    }

    /// What is said of the arms below a table.
    pub(super) fn noted(mut table: Table, arms: &[Self]) -> Table {
        for arm in arms {
            let between = arm.propensities.map_or_else(String::new, |(low, high)| {
                format!("; propensities from {low:.3} to {high:.3}")
            });
            table = table.note(format!(
                "Arm {}: {} rows as good as {} even ones{between}.",
                arm.arm,
                arm.rows,
                Cell::fixed(arm.effective_rows, 1)
            ));
        }
        table
    }

    pub(in crate::causal) fn new(
        observed: &Observed,
        treated: bool,
        weights: &[f64],
        propensities: Option<&[f64]>,
    ) -> Self {
        let own = || observed.of_arm(treated).map(|row| weights[row]);
        let largest = own().fold(0.0_f64, f64::max);
        // In units of the largest, whose square may be no number.
        let (mut rows, mut sum, mut squares) = (0, 0.0, 0.0);
        for weight in own() {
            let share = weight / largest;
            rows += 1;
            sum += share;
            squares += share * share;
        }
        let ends = propensities.map(|e| {
            (observed.of_arm(treated))
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), row| {
                    (low.min(e[row]), high.max(e[row]))
                })
        });
        Self {
            arm: observed.arms[usize::from(treated)].clone(),
            rows,
            effective_rows: sum * sum / squares,
            largest_share: 1.0 / sum,
            propensities: ends,
        }
    }
}

/// # Errors
/// `NotFinite` for a weight that is none.
pub(super) fn check_finite(observed: &Observed, weights: &[f64]) -> Result<()> {
    match weights.iter().position(|w| !w.is_finite()) {
        None => Ok(()),
        Some(row) => Err(Error::NotFinite {
            what: format!(
                "the weight of row {} (its propensity is 0 or 1 but for rounding; trim such rows)",
                observed.rows.index(row) + 1
            ),
        }),
    }
}

/// # Errors
/// `TooFewClusters` for one cluster.
pub(super) fn units(observed: &Observed, clusters: Option<&String>) -> Result<Units> {
    let units = Units::new(
        observed.len(),
        Some(&observed.weights),
        observed.clusters.as_deref(),
    );
    match (clusters, units.weighed) {
        (Some(column), 0..2) => Err(Error::TooFewClusters {
            column: column.clone(),
            clusters: units.weighed,
        }),
        _ => Ok(units),
    }
}

/// The weighted mean outcome of an arm: what each row adds to its error comes from its own residual and from the first step.
fn mean(
    observed: &Observed,
    basis: &Basis,
    step: &FirstStep,
    shape: &[(f64, f64)],
    treated: bool,
    units: &Units,
) -> Linearised {
    let weights: Vec<f64> = shape.iter().map(|(weight, _)| *weight).collect();
    let rows: Vec<usize> = observed.of_arm(treated).collect();
    weighted_mean(observed, &rows, &weights, units, |residuals| {
        let slopes = residuals.iter().zip(shape);
        let slopes: Vec<f64> = slopes.map(|(residual, shape)| shape.1 * residual).collect();
        Some(step.of_arm(treated)?.first_step(observed, basis, &slopes))
    })
}

/// The weighted mean outcome of some rows. `first` makes of residuals times sampling weights what the first step adds to the error of the sum, if there was one.
pub(super) fn weighted_mean(
    observed: &Observed,
    rows: &[usize],
    weights: &[f64],
    units: &Units,
    first: impl FnOnce(&[f64]) -> Option<Vec<f64>>,
) -> Linearised {
    let (mut sum, mut total) = (0.0, 0.0);
    for &row in rows {
        let weight = observed.weights[row] * weights[row];
        sum += weight * observed.y[row];
        total += weight;
    }
    let estimate = sum / total;
    let mut influence = vec![0.0; observed.len()];
    let mut residuals = vec![0.0; observed.len()];
    for &row in rows {
        residuals[row] = observed.weights[row] * (observed.y[row] - estimate);
        influence[row] = weights[row] * residuals[row];
    }
    for (psi, first) in influence
        .iter_mut()
        .zip(first(&residuals).unwrap_or_default())
    {
        *psi += first;
    }
    let scale = units.correction().sqrt() / total;
    for psi in &mut influence {
        *psi *= scale;
    }
    Linearised {
        estimate,
        influence,
    }
}
