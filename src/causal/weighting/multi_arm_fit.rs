//! What weighting several arms found.

use super::balance::BalanceTable;
use super::estimand::Estimand;
use super::multi_arm::{MultiArmWeighting, TargetPopulation};
use super::multinomial::Multinomial;
use super::observed::{Basis, Observed};
use super::tilt::Tilted;
use super::treatment_weighting_fit::{ArmWeights, check_finite, units, weighted_mean};
use crate::causal::average::{AverageEffects, Sampled, averages};
use crate::causal::sample::CausalSample;
use crate::causal::units::Linearised;
use crate::error::{Result, Warning};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// Where the weights of arms come from.
pub(super) enum ArmStep {
    Propensities(Multinomial),
    /// Log weights of each arm, with the rows as it sees them; none of an arm that the others are made like.
    Balanced(Vec<Option<(Tilted, Observed)>>),
}

/// What [`MultiArmWeighting`] found. The verbs of [`Inference`](crate::inference::Inference) are those of the effects against the control arm, which have the names of the arms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultiArmWeightingFit {
    model: MultiArmWeighting,
    average: AverageEffects,
    arm_means: AverageEffects,
    balance: Vec<BalanceTable>,
    arms: Vec<ArmWeights>,
    weights: Vec<f64>,
    propensities: Option<Vec<Vec<f64>>>,
    kept: Vec<bool>,
}

impl ArmStep {
    /// The weight of a row in its own arm.
    fn weight(&self, row: usize, arm: usize, arms: usize, target: Option<usize>, all: bool) -> f64 {
        match self {
            Self::Balanced(steps) => steps[arm]
                .as_ref()
                .map_or(1.0, |(step, _)| step.eta[row].exp()),
            Self::Propensities(logit) => {
                let own = logit.log_propensity(row, arm);
                match target {
                    Some(target) => (logit.log_propensity(row, target) - own).exp(),
                    None if all => (-own).exp(),
                    // The largest term is one at least: nothing overflows to a quotient of infinities.
                    None => (0..arms)
                        .map(|other| (own - logit.log_propensity(row, other)).exp())
                        .sum::<f64>()
                        .recip(),
                }
            }
        }
    }

    /// The derivative of the log weight of a row of an arm with respect to the log odds of another.
    fn slope(
        logit: &Multinomial,
        row: usize,
        [arm, other, arms]: [usize; 3],
        target: Option<usize>,
        all: bool,
    ) -> f64 {
        let is = |a: usize, b: usize| f64::from(u8::from(a == b));
        let from = match target {
            Some(target) => is(target, other),
            None if all => logit.log_propensity(row, other).exp(),
            None => {
                let own = logit.log_propensity(row, other);
                let each = (0..arms).map(|a| (own - logit.log_propensity(row, a)).exp());
                each.sum::<f64>().recip()
            }
        };
        from - is(arm, other)
    }
}

impl MultiArmWeightingFit {
    pub(super) fn new(
        model: &MultiArmWeighting,
        mut observed: Observed,
        sample: &CausalSample,
        basis: &Basis,
        step: &ArmStep,
        target: Option<usize>,
    ) -> Result<Self> {
        let count = sample.arms.len();
        let all = model.target == TargetPopulation::All;
        let arm_of = |row: usize| sample.arm_of[row] as usize;
        let own: Vec<f64> = (0..observed.len())
            .map(|row| step.weight(row, arm_of(row), count, target, all))
            .collect();
        let weights: Vec<f64> = (own.iter().zip(&observed.weights))
            .map(|(w, s)| w * s)
            .collect();
        check_finite(&observed, &weights)?;
        let units = units(&observed, model.columns.clusters.as_ref())?;
        let mean = |arm: usize| {
            let rows: Vec<usize> = (0..observed.len())
                .filter(|row| arm_of(*row) == arm && observed.weights[*row] > 0.0)
                .collect();
            let first = |residuals: &[f64]| match step {
                ArmStep::Balanced(steps) => {
                    let (tilted, view) = steps[arm].as_ref()?;
                    let slopes: Vec<f64> = residuals.iter().zip(&own).map(|(r, w)| r * w).collect();
                    Some(tilted.first_step(view, basis, &slopes))
                }
                ArmStep::Propensities(logit) => {
                    let mut slopes = vec![0.0; observed.len() * (count - 1)];
                    for &row in &rows {
                        for other in 1..count {
                            let slope =
                                ArmStep::slope(logit, row, [arm, other, count], target, all);
                            slopes[row * (count - 1) + other - 1] =
                                residuals[row] * own[row] * slope;
                        }
                    }
                    Some(logit.first_step(&observed, basis, &sample.arm_of, &slopes))
                }
            };
            weighted_mean(&observed, &rows, &own, &units, first)
        };
        let means: Vec<Linearised> = (0..count).map(mean).collect();
        let effects: Vec<Linearised> = (means[1..].iter())
            .map(|mean| Linearised {
                estimate: mean.estimate - means[0].estimate,
                influence: (mean.influence.iter().zip(&means[0].influence))
                    .map(|(a, b)| a - b)
                    .collect(),
            })
            .collect();
        let propensities = match step {
            ArmStep::Balanced(_) => None,
            ArmStep::Propensities(logit) => Some(
                (0..count)
                    .map(|arm| {
                        let each = (0..observed.len()).map(|row| logit.log_propensity(row, arm));
                        each.map(f64::exp).collect::<Vec<f64>>()
                    })
                    .collect::<Vec<_>>(),
            ),
        };
        let mut arms = Vec::new();
        let mut balance = Vec::new();
        for arm in 0..count {
            let view = observed.view(sample, [0, arm], |other| other == 0);
            let known = propensities.as_ref().map(|all| all[arm].as_slice());
            arms.push(ArmWeights::new(&view, true, &weights, known));
            if arm > 0 {
                balance.push(BalanceTable::new(&view, &weights, Estimand::Ate));
            }
        }
        let remedy = "ask for the effects in the overlap, or leave rows without counterparts out";
        observed.warnings.extend(ArmWeights::heavy(&arms, remedy));
        let sampled = || Sampled {
            rows: observed.len(),
            clusters: (model.columns.clusters.clone()).map(|column| (column, units.weighed)),
            warnings: observed.warnings.clone(),
        };
        let (outcome, treatment) = (&model.columns.outcome, &model.columns.treatment);
        let target = &model.target;
        let mut totals = vec![0.0; count];
        for (row, weight) in weights.iter().enumerate() {
            totals[arm_of(row)] += weight;
        }
        Ok(Self {
            average: AverageEffects::new(
                format!(
                    "Average effects of {treatment} on {outcome} for {target}, against {}",
                    sample.arms[0]
                ),
                sample.arms[1..].to_vec(),
                &effects,
                &units,
                sampled(),
            ),
            arm_means: AverageEffects::new(
                format!("Weighted means of {outcome} by {treatment} for {target}"),
                sample.arms.clone(),
                &means,
                &units,
                sampled(),
            ),
            balance,
            arms,
            weights: (weights.iter().enumerate())
                .map(|(row, weight)| weight / totals[arm_of(row)])
                .collect(),
            propensities,
            kept: observed.rows.mask(),
            model: model.clone(),
        })
    }

    /// The effects against the control arm.
    pub fn average_effects(&self) -> &AverageEffects {
        &self.average
    }

    /// The weighted mean outcomes of all arms, control first, with their joint covariance: any two can be compared.
    pub fn arm_means(&self) -> &AverageEffects {
        &self.arm_means
    }

    /// Whose effects they are.
    pub fn target(&self) -> &TargetPopulation {
        &self.model.target
    }

    /// How alike each arm and the control arm are in the covariates, arm after arm; scaled by `√((s_k² + s_0²)/2)` whoever is the target.
    pub fn balance(&self) -> &[BalanceTable] {
        &self.balance
    }

    /// The largest absolute standardised difference of an arm and the control arm after weighting.
    pub fn largest_difference(&self) -> f64 {
        let each = self.balance.iter().map(BalanceTable::largest_difference);
        each.fold(0.0, f64::max)
    }

    /// What the weights did to the arms, control first.
    pub fn arm_weights(&self) -> &[ArmWeights] {
        &self.arms
    }

    /// The weights of the rows in use, sampling weights included; those of an arm sum to one.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The propensities of each arm, control first, of the rows in use; none of entropy balancing.
    pub fn propensities(&self) -> Option<&[Vec<f64>]> {
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

    /// The effects, and what the weights did to the arms.
    pub fn table(&self) -> Table {
        let table = self.average.table().note(if self.model.entropy {
            "Weights: entropy balancing of each arm."
        } else {
            "Weights: inverse propensities of a multinomial logit."
        });
        (ArmWeights::noted(table, &self.arms)).note(format!(
            "Largest standardised difference of a covariate to the control arm: {}.",
            Cell::fixed(self.largest_difference(), 3)
        ))
    }
}

averages!(MultiArmWeightingFit);
crate::report::notebook::shown!(MultiArmWeightingFit);
