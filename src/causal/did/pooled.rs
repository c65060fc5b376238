//! One cohort, one period, one base period, from rows that need not be of the same units in both.

use super::callaway_santanna::DidMethod;
use super::group_time::{Compared, Comparison, LARGE_ODDS, least_squares, name, weighted_sum};
use super::sample::Rollout;
use crate::causal::weighting::observed::{Basis, Observed};
use crate::causal::weighting::tilt::{Tilt, Tilted};
use crate::data::Rows;
use crate::error::{Error, Result};
use nalgebra::{DMatrix, DVector};

/// The rows of a cohort and its controls in two periods.
pub(super) struct Pooled<'a> {
    rollout: &'a Rollout,
    comparison: Comparison,
    rows: Vec<usize>,
    treated: Vec<bool>,
    after: Vec<bool>,
    weights: Vec<f64>,
    y: Vec<f64>,
}

/// Least squares of the rows of one side in one period.
struct Regression {
    treated: bool,
    after: bool,
    fitted: Vec<f64>,
    inverse: DMatrix<f64>,
}

/// A weighted mean of outcomes (or none) and predictions, with its sign in the estimate.
struct Term {
    sign: f64,
    weights: Vec<f64>,
    outcome: bool,
    /// How often each regression's prediction is in the mean.
    predictions: Vec<(usize, f64)>,
    /// Whether weights have the odds of the propensity in them.
    odds: bool,
}

impl<'a> Pooled<'a> {
    pub(super) fn new(
        rollout: &'a Rollout,
        comparison: Comparison,
        control: impl Fn(usize) -> bool,
    ) -> Self {
        let mut pooled = Self {
            rollout,
            comparison,
            rows: Vec::new(),
            treated: Vec::new(),
            after: Vec::new(),
            weights: Vec::new(),
            y: Vec::new(),
        };
        for (unit, first) in rollout.adoption.first.iter().enumerate() {
            let treated = *first == Some(comparison.cohort);
            if !treated && !control(unit) {
                continue;
            }
            for period in [comparison.base, comparison.period] {
                if let Some(row) = rollout.panel.at(unit, period) {
                    pooled.rows.push(row);
                    pooled.treated.push(treated);
                    pooled.after.push(period == comparison.period);
                    pooled.weights.push(rollout.weights[unit]);
                    pooled.y.push(rollout.y[row]);
                }
            }
        }
        pooled
    }

    /// Whether all four means have rows with weight.
    pub(super) fn is_complete(&self) -> bool {
        [false, true].iter().all(|treated| {
            [false, true].iter().all(|after| {
                (self.of(*treated, Some(*after)))
                    .iter()
                    .any(|weight| *weight > 0.0)
            })
        })
    }

    /// Weights of one side, in one period or both; 0 elsewhere.
    fn of(&self, treated: bool, after: Option<bool>) -> Vec<f64> {
        (0..self.rows.len())
            .map(|row| {
                let inside = self.treated[row] == treated
                    && after.is_none_or(|after| self.after[row] == after);
                if inside { self.weights[row] } else { 0.0 }
            })
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

    fn regression(&self, basis: &Basis, treated: bool, after: bool) -> Result<Regression> {
        let (beta, inverse) = least_squares(basis, &self.of(treated, Some(after)), &self.y)?;
        Ok(Regression {
            treated,
            after,
            fitted: basis.times(&beta),
            inverse,
        })
    }

    /// The estimate with what each row adds to its error.
    pub(super) fn compare(self, method: DidMethod) -> Result<Compared> {
        let covariates: Vec<(String, Vec<f64>)> = (self.rollout.covariates.iter())
            .map(|(name, values)| {
                let own = self.rows.iter().map(|row| values[*row]);
                (name.clone(), own.collect())
            })
            .collect();
        let (basis, left_out) = Basis::new(&covariates, &self.weights);
        let plain = basis.width == 1;
        // Controls before and after, then the cohort before and after.
        let mut regressions = Vec::new();
        if !plain && method != DidMethod::InversePropensity {
            let sides: &[bool] = if method == DidMethod::DoublyRobust {
                &[false, true]
            } else {
                &[false]
            };
            for treated in sides {
                for after in [false, true] {
                    let found = self.regression(&basis, *treated, after);
                    regressions.push(found.map_err(|e| self.named(e))?);
                }
            }
        }
        let mut extreme = 0;
        let mut propensity = None;
        let mut odds = vec![1.0; self.rows.len()];
        if !plain && method != DidMethod::OutcomeRegression {
            let observed = self.observed(covariates);
            let step =
                Tilted::solve(Tilt::Likelihood, &observed, &basis).map_err(|e| self.named(e))?;
            for (row, odds) in odds.iter_mut().enumerate() {
                *odds = step.eta[row].exp();
                if *odds >= LARGE_ODDS && !self.treated[row] {
                    extreme += 1;
                    *odds = 0.0;
                }
            }
            propensity = Some((observed, step));
        }
        let mut estimate = 0.0;
        let mut psi = vec![0.0; self.rows.len()];
        let mut shifts = vec![DVector::zeros(basis.width); regressions.len()];
        for term in self.terms(if plain { None } else { Some(method) }, &odds) {
            let total: f64 = term.weights.iter().sum();
            if total <= 0.0 {
                return Err(self.named(Error::Unidentified {
                    what: "the mean of controls like the cohort".to_owned(),
                    needs: "controls in both periods with a propensity below 0.995; use fewer covariates, or outcome regression".to_owned(),
                }));
            }
            let value = |row: usize| -> f64 {
                let own = if term.outcome { self.y[row] } else { 0.0 };
                let predictions = term.predictions.iter();
                own + predictions
                    .map(|(at, times)| times * regressions[*at].fitted[row])
                    .sum::<f64>()
            };
            let weighted = term.weights.iter().enumerate();
            let mean = weighted.map(|(row, w)| w * value(row)).sum::<f64>() / total;
            estimate += term.sign * mean;
            let scale = term.sign / total;
            let slope: Vec<f64> = (term.weights.iter().enumerate())
                .map(|(row, w)| w * (value(row) - mean))
                .collect();
            for (psi, slope) in psi.iter_mut().zip(&slope) {
                *psi += scale * slope;
            }
            for (at, times) in &term.predictions {
                shifts[*at] += weighted_sum(&basis, &term.weights) * (scale * times);
            }
            if let Some((observed, step)) = propensity.as_ref().filter(|_| term.odds) {
                let first = step.first_step(observed, &basis, &slope);
                for (psi, first) in psi.iter_mut().zip(first) {
                    *psi += scale * first;
                }
            }
        }
        for (regression, shift) in regressions.iter().zip(shifts) {
            let moves = basis.times(&(&regression.inverse * shift));
            let own = self.of(regression.treated, Some(regression.after));
            for (row, weight) in own.iter().enumerate() {
                psi[row] += weight * (self.y[row] - regression.fitted[row]) * moves[row];
            }
        }
        let units = &self.rollout.panel.unit_of;
        Ok(Compared {
            estimate,
            influence: (self.rows.iter().map(|row| units[*row])).zip(psi).collect(),
            extreme,
            left_out,
        })
    }

    /// The means whose signed sum is the estimate (Sant'Anna & Zhao 2020, sections 2.2 and 3.2); none: four means of outcomes.
    fn terms(&self, method: Option<DidMethod>, odds: &[f64]) -> Vec<Term> {
        let plain = |sign, treated, after| Term {
            sign,
            weights: self.of(treated, Some(after)),
            outcome: true,
            predictions: Vec::new(),
            odds: false,
        };
        if method == Some(DidMethod::OutcomeRegression) {
            return vec![
                plain(1.0, true, true),
                plain(-1.0, true, false),
                Term {
                    sign: -1.0,
                    weights: self.of(true, None),
                    outcome: false,
                    predictions: vec![(0, -1.0), (1, 1.0)],
                    odds: false,
                },
            ];
        }
        let mut terms = Vec::new();
        let robust = method == Some(DidMethod::DoublyRobust);
        for (treated, after) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut term = plain(if treated == after { 1.0 } else { -1.0 }, treated, after);
            if !treated && method.is_some() {
                term.odds = true;
                for (weight, odds) in term.weights.iter_mut().zip(odds) {
                    *weight *= odds;
                }
            }
            if robust {
                term.predictions.push((usize::from(after), -1.0));
            }
            terms.push(term);
        }
        if robust {
            // Predictions of the cohort less those of controls: over both periods in place of one, where there are more rows.
            for after in [true, false] {
                let sign = if after { 1.0 } else { -1.0 };
                for (sign, period) in [(sign, None), (-sign, Some(after))] {
                    terms.push(Term {
                        sign,
                        weights: self.of(true, period),
                        outcome: false,
                        predictions: vec![
                            (2 + usize::from(after), 1.0),
                            (usize::from(after), -1.0),
                        ],
                        odds: false,
                    });
                }
            }
        }
        terms
    }

    fn observed(&self, covariates: Vec<(String, Vec<f64>)>) -> Observed {
        let cohort = self.comparison.cohort as usize;
        Observed {
            treatment: "cohort".to_owned(),
            arms: [
                "controls".to_owned(),
                self.rollout.panel.periods[cohort].label.clone(),
            ],
            rows: Rows::all(self.rows.len()),
            y: self.y.clone(),
            treated: self.treated.clone(),
            weights: self.weights.clone(),
            clusters: None,
            covariates,
            warnings: Vec::new(),
        }
    }
}
