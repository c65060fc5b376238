//! One cohort, one period, one base period: the comparison of two groups over two periods, and what each unit adds to its error.

use super::callaway_santanna::{BasePeriod, CallawaySantAnna, ControlGroup, DidMethod};
use super::pooled::Pooled;
use super::sample::Rollout;
use crate::causal::weighting::observed::{Basis, Observed};
use crate::causal::weighting::tilt::{Tilt, Tilted};
use crate::data::Rows;
use crate::error::{Error, Result, Warning};
use crate::numeric::linalg::Cholesky;
use crate::numeric::{Progress, blocks};
use nalgebra::{DMatrix, DVector};

/// The odds of a propensity of 0.995: controls from there on would decide the comparison alone and are left out, as R's DRDID does.
pub(super) const LARGE_ODDS: f64 = 0.995 / 0.005;

/// A comparison that is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    /// Positions of periods.
    pub(super) cohort: u32,
    pub(super) period: usize,
    pub(super) base: usize,
}

/// All comparisons with their estimates and influences.
pub(super) struct GroupTimes {
    pub(super) comparisons: Vec<Comparison>,
    pub(super) estimates: Vec<f64>,
    /// Units by comparisons.
    pub(super) influence: DMatrix<f64>,
    pub(super) warnings: Vec<Warning>,
}

/// What one comparison gives.
pub(super) struct Compared {
    pub(super) estimate: f64,
    /// Units with what they add; a unit may come twice.
    pub(super) influence: Vec<(u32, f64)>,
    /// Controls left out for a propensity near one.
    pub(super) extreme: usize,
    pub(super) left_out: Vec<Warning>,
}

/// The units of one comparison.
struct Cell<'a> {
    rollout: &'a Rollout,
    comparison: Comparison,
    units: Vec<u32>,
    treated: Vec<bool>,
    weights: Vec<f64>,
    change: Vec<f64>,
}

impl GroupTimes {
    pub(super) fn estimate(
        model: &CallawaySantAnna,
        rollout: &Rollout,
        progress: &Progress,
    ) -> Result<Self> {
        let (comparisons, empty) = comparisons(model, rollout)?;
        let pooled = rollout.panel.gaps() > 0;
        let compared = blocks::map(comparisons.len(), |i| -> Result<Compared> {
            progress.report("group-time effects", i, comparisons.len())?;
            if pooled {
                pool(model, rollout, comparisons[i]).compare(model.method)
            } else {
                Cell::new(model, rollout, comparisons[i]).compare(model.method)
            }
        });
        let compared = compared.into_iter().collect::<Result<Vec<_>>>()?;
        let mut influence = DMatrix::zeros(rollout.panel.units.len(), compared.len());
        let mut warnings = rollout.warnings.clone();
        let mut extreme = 0;
        for (at, cell) in compared.iter().enumerate() {
            for (unit, value) in &cell.influence {
                influence[(*unit as usize, at)] += *value;
            }
            extreme += cell.extreme;
            for warning in &cell.left_out {
                if !warnings.contains(warning) {
                    warnings.push(warning.clone());
                }
            }
        }
        if extreme > 0 {
            warnings.push(Warning::Note {
                message: format!(
                    "poor overlap: {extreme} times a control is left out for a propensity of 0.995 or more, with which it would decide a comparison; use fewer covariates, or outcome regression"
                ),
            });
        }
        if !empty.is_empty() {
            warnings.push(Warning::Note {
                message: format!(
                    "{} of {} group-time effects have no controls left{} and are not estimated: {}",
                    empty.len(),
                    empty.len() + comparisons.len(),
                    if pooled {
                        ", or no rows of the cohort or its controls in one of the two periods,"
                    } else {
                        ""
                    },
                    shortened(&empty)
                ),
            });
        }
        Ok(Self {
            estimates: compared.iter().map(|c| c.estimate).collect(),
            comparisons,
            influence,
            warnings,
        })
    }
}

/// The first of a list of names.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(SHOWN)].join(", "))
}

/// The name of a group-time effect.
pub(super) fn name(rollout: &Rollout, comparison: Comparison) -> String {
    let label = |at: usize| &rollout.panel.periods[at].label;
    format!(
        "ATT({}, {})",
        label(comparison.cohort as usize),
        label(comparison.period)
    )
}

/// All comparisons that have controls, and the names of those that have none.
fn comparisons(
    model: &CallawaySantAnna,
    rollout: &Rollout,
) -> Result<(Vec<Comparison>, Vec<String>)> {
    let unidentified = |needs: String| Error::Unidentified {
        what: "a group-time effect".to_owned(),
        needs,
    };
    let cohorts = rollout.adoption.cohorts();
    if cohorts.is_empty() {
        return Err(unidentified(format!(
            "units that are treated: none of `{}` starts after the first period",
            model.columns.treatment
        )));
    }
    if model.controls == ControlGroup::NeverTreated && rollout.adoption.never() == 0 {
        return Err(unidentified(
            "units that are never treated; add `.controls(ControlGroup::NotYetTreated)`".to_owned(),
        ));
    }
    let value = |at: usize| rollout.panel.periods[at].value;
    let (mut made, mut empty) = (Vec::new(), Vec::new());
    for cohort in cohorts {
        let start = value(cohort as usize) - model.anticipation;
        let before = (rollout.panel.periods).partition_point(|period| period.value < start);
        for period in 0..rollout.panel.periods.len() {
            let universal = model.base_period == BasePeriod::Universal;
            let base = if universal || value(period) >= start {
                before - 1
            } else if period > 0 {
                period - 1
            } else {
                continue;
            };
            if base == period {
                continue;
            }
            let comparison = Comparison {
                cohort,
                period,
                base,
            };
            let control = |unit: usize| is_control(model, rollout, comparison, unit);
            let made_here = if rollout.panel.gaps() > 0 {
                pool(model, rollout, comparison).is_complete()
            } else {
                (0..rollout.panel.units.len()).any(control)
            };
            if made_here {
                made.push(comparison);
            } else {
                empty.push(name(rollout, comparison));
            }
        }
    }
    if made.is_empty() {
        return Err(unidentified(
            "units that are treated later than others, or never".to_owned(),
        ));
    }
    Ok((made, empty))
}

fn pool<'a>(model: &CallawaySantAnna, rollout: &'a Rollout, comparison: Comparison) -> Pooled<'a> {
    Pooled::new(rollout, comparison, |unit| {
        is_control(model, rollout, comparison, unit)
    })
}

fn is_control(
    model: &CallawaySantAnna,
    rollout: &Rollout,
    comparison: Comparison,
    unit: usize,
) -> bool {
    let value = |at: usize| rollout.panel.periods[at].value;
    match rollout.adoption.first[unit] {
        None => true,
        Some(first) => {
            model.controls == ControlGroup::NotYetTreated
                && first != comparison.cohort
                && value(first as usize)
                    > value(comparison.period.max(comparison.base)) + model.anticipation
        }
    }
}

impl<'a> Cell<'a> {
    fn new(model: &CallawaySantAnna, rollout: &'a Rollout, comparison: Comparison) -> Self {
        let mut cell = Self {
            rollout,
            comparison,
            units: Vec::new(),
            treated: Vec::new(),
            weights: Vec::new(),
            change: Vec::new(),
        };
        let outcome = |unit: usize, period: usize| {
            (rollout.panel.at(unit, period)).map_or(f64::NAN, |row| rollout.y[row])
        };
        for unit in 0..rollout.panel.units.len() {
            let treated = rollout.adoption.first[unit] == Some(comparison.cohort);
            if !treated && !is_control(model, rollout, comparison, unit) {
                continue;
            }
            cell.units.push(unit as u32);
            cell.treated.push(treated);
            cell.weights.push(rollout.weights[unit]);
            cell.change
                .push(outcome(unit, comparison.period) - outcome(unit, comparison.base));
        }
        cell
    }

    fn len(&self) -> usize {
        self.units.len()
    }

    /// The covariates of the base period.
    fn covariates(&self) -> Vec<(String, Vec<f64>)> {
        let row = |unit: &u32| self.rollout.panel.at(*unit as usize, self.comparison.base);
        let of = |values: &[f64]| -> Vec<f64> {
            self.units
                .iter()
                .map(|unit| row(unit).map_or(f64::NAN, |row| values[row]))
                .collect()
        };
        let all = self.rollout.covariates.iter();
        all.map(|(name, values)| (name.clone(), of(values)))
            .collect()
    }

    fn named(&self, error: Error) -> Error {
        match error {
            Error::Unidentified { what, needs } => Error::Unidentified {
                what: format!("{what} for {}", name(self.rollout, self.comparison)),
                needs,
            },
            other => other,
        }
    }

    /// The estimate with its influence (Sant'Anna & Zhao 2020, section 3.1): residual changes of the cohort less those of the controls, weighted by their odds.
    fn compare(self, method: DidMethod) -> Result<Compared> {
        let covariates = self.covariates();
        let (basis, left_out) = Basis::new(&covariates, &self.weights);
        let plain = basis.width == 1;
        let regression = (method != DidMethod::InversePropensity || plain)
            .then(|| self.regression(&basis))
            .transpose()
            .map_err(|e| self.named(e))?;
        let propensity = (method != DidMethod::OutcomeRegression && !plain)
            .then(|| self.propensity(&basis, covariates))
            .transpose()
            .map_err(|e| self.named(e))?;
        let residual = match &regression {
            Some((beta, _)) => {
                let fit = basis.times(beta);
                self.change.iter().zip(fit).map(|(y, f)| y - f).collect()
            }
            None => self.change.clone(),
        };
        let treated = self.arm(
            |row| {
                if self.treated[row] {
                    self.weights[row]
                } else {
                    0.0
                }
            },
            &residual,
        );
        let mut psi = treated.psi.clone();
        // What the regression's error does to the mean of the cohort, less what it does to that of the controls.
        let mut shift = weighted_sum(&basis, &treated.weights) / treated.total;
        let mut estimate = treated.mean;
        let mut extreme = 0;
        if let Some((observed, step)) = &propensity {
            let odds: Vec<f64> = step.eta.iter().map(|eta| eta.exp()).collect();
            let large = |row: usize| odds[row] >= LARGE_ODDS && !self.treated[row];
            extreme = (0..self.len()).filter(|row| large(*row)).count();
            let weight = |row: usize| {
                if self.treated[row] || large(row) {
                    0.0
                } else {
                    self.weights[row] * odds[row]
                }
            };
            let controls = self.arm(weight, &residual);
            if controls.total <= 0.0 {
                return Err(self.named(Error::Unidentified {
                    what: "the mean of controls like the cohort".to_owned(),
                    needs: "controls with a propensity below 0.995; use fewer covariates, or outcome regression".to_owned(),
                }));
            }
            shift -= weighted_sum(&basis, &controls.weights) / controls.total;
            let slope: Vec<f64> = (controls.psi.iter()).map(|p| p * controls.total).collect();
            let first = step.first_step(observed, &basis, &slope);
            for (row, psi) in psi.iter_mut().enumerate() {
                *psi -= controls.psi[row] + first[row] / controls.total;
            }
            estimate -= controls.mean;
        }
        if let Some((_, inverse)) = &regression {
            let moves = basis.times(&(inverse * shift));
            for (row, psi) in psi
                .iter_mut()
                .enumerate()
                .filter(|(row, _)| !self.treated[*row])
            {
                *psi -= self.weights[row] * residual[row] * moves[row];
            }
        }
        Ok(Compared {
            estimate,
            influence: self.units.iter().copied().zip(psi).collect(),
            extreme,
            left_out,
        })
    }

    /// A weighted mean of the rows and its influence.
    fn arm(&self, weight: impl Fn(usize) -> f64, residual: &[f64]) -> Arm {
        let weights: Vec<f64> = (0..self.len()).map(weight).collect();
        let total: f64 = weights.iter().sum();
        let mean = weights
            .iter()
            .zip(residual)
            .map(|(w, r)| w * r)
            .sum::<f64>()
            / total;
        let psi = weights
            .iter()
            .zip(residual)
            .map(|(w, r)| w * (r - mean) / total);
        Arm {
            psi: psi.collect(),
            weights,
            total,
            mean,
        }
    }

    /// Least squares of the controls' changes.
    fn regression(&self, basis: &Basis) -> Result<(DVector<f64>, DMatrix<f64>)> {
        let weight = |row: usize| {
            if self.treated[row] {
                0.0
            } else {
                self.weights[row]
            }
        };
        let weights: Vec<f64> = (0..self.len()).map(weight).collect();
        least_squares(basis, &weights, &self.change)
    }

    fn observed(&self, covariates: Vec<(String, Vec<f64>)>) -> Observed {
        Observed {
            treatment: "cohort".to_owned(),
            arms: [
                "controls".to_owned(),
                self.rollout.panel.periods[self.comparison.cohort as usize]
                    .label
                    .clone(),
            ],
            rows: Rows::all(self.len()),
            y: self.change.clone(),
            treated: self.treated.clone(),
            weights: self.weights.clone(),
            clusters: None,
            covariates,
            warnings: Vec::new(),
        }
    }

    fn propensity(
        &self,
        basis: &Basis,
        covariates: Vec<(String, Vec<f64>)>,
    ) -> Result<(Observed, Tilted)> {
        let observed = self.observed(covariates);
        let step = Tilted::solve(Tilt::Likelihood, &observed, basis)?;
        Ok((observed, step))
    }
}

/// One side of a comparison.
struct Arm {
    weights: Vec<f64>,
    total: f64,
    mean: f64,
    psi: Vec<f64>,
}

/// `Σ w x`.
pub(super) fn weighted_sum(basis: &Basis, weights: &[f64]) -> DVector<f64> {
    let mut sum = DVector::zeros(basis.width);
    for (row, weight) in weights.iter().enumerate().filter(|(_, w)| w.abs() > 0.0) {
        for (total, x) in sum.iter_mut().zip(basis.row(row)) {
            *total += weight * x;
        }
    }
    sum
}

/// Weighted least squares of one side's rows: coefficients and the inverse of the Gram matrix.
pub(super) fn least_squares(
    basis: &Basis,
    weights: &[f64],
    y: &[f64],
) -> Result<(DVector<f64>, DMatrix<f64>)> {
    let p = basis.width;
    let mut gram = DMatrix::zeros(p, p);
    let mut right = DVector::zeros(p);
    let mut rows = 0;
    for (row, weight) in weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
        let x = basis.row(row);
        rows += 1;
        for a in 0..p {
            let scaled = weight * x[a];
            right[a] += scaled * y[row];
            for b in 0..p {
                gram[(a, b)] += scaled * x[b];
            }
        }
    }
    let factor = Cholesky::new(&gram);
    if factor.rank() < p {
        return Err(Error::Unidentified {
            what: "the regression of outcomes".to_owned(),
            needs: format!(
                "covariates that vary among the {rows} controls (or rows of the cohort) in it and are not too many for them ({} here); use fewer, or controls that are not yet treated",
                p - 1
            ),
        });
    }
    Ok((factor.solve_vector(&right), factor.inverse()))
}
