//! Accelerated failure time models: parametric regressions of the log of time.

mod family;
mod predict;

pub use family::AftFamily;
pub use predict::AftPrediction;

use super::likelihood::{Core, Scores, Solution, SurvivalStatistics, likelihood_fit};
use super::newton::{Pass, maximise};
use super::outcome::{CaseWeights, Sample, Survival, weighted};
use super::regressors::Regressors;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::{Covariance, coefficient_table};
use crate::numeric::Progress;
use crate::numeric::linalg::{Cholesky, sandwich};
use crate::report::Table;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The name of the last parameter.
const LN_SCALE: &str = "ln(scale)";

/// An accelerated failure time model, `ln T = x'β + σ W`: regressors stretch time, so that a customer one unit higher in `x_j`
/// takes `exp(β_j)` times as long to any given quantile. The distribution of W is the [`AftFamily`]'s.
///
/// Maximum likelihood with right-censored rows and, with [`Survival::counting`], left-truncated ones (`start` above zero: only those who
/// got so far could be seen). It means what it says when the family is right; compare families by their AIC. Parameters are the
/// constant, the slopes and `ln(scale)`, as in R's `survreg`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `family` | [`AftFamily::Weibull`] | distribution | |
/// | `covariance` | [`Covariance::Hc0`] | robust sandwich, summed by [`Survival::subject`] when given | `Classical`, `Hc0`, `Hc1`, clusters |
/// | `weights` | none | sampling weights | ≥ 0 |
/// | `frequency_weights` | none | each row stands for w equal customers | whole numbers |
///
/// # Errors
/// Those of [`Cox`](super::Cox); [`Error::OutOfRange`] for a time of zero, whose log is infinite; [`Error::InvalidOption`] for a formula without constant or with
/// strata.
///
/// # References
/// Kalbfleisch & Prentice (2002), *The Statistical Analysis of Failure Time Data*, 2nd ed., chapter 3. doi:10.1002/9781118032985
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let released = datasets::load("rossi")?;
/// let fit = Aft::new(Survival::right("week", "arrest"), "fin + age + prio").fit(&released)?;
/// assert!(fit.coefficient("fin")?.estimate > 0.0); // aid delays the arrest
/// let young = fit.predict(&[("fin", 0.0), ("age", 20.0), ("prio", 3.0)])?;
/// assert!(young.survival_at(52.0)?.estimate < 0.75);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aft {
    outcome: Survival,
    regressors: String,
    family: AftFamily,
    covariance: Covariance,
    weights: Option<CaseWeights>,
}

weighted!(Aft);

impl Aft {
    /// The Weibull model with these regressors, the right-hand side of a formula.
    pub fn new(outcome: Survival, regressors: impl Into<String>) -> Self {
        Self {
            outcome,
            regressors: regressors.into(),
            family: AftFamily::Weibull,
            covariance: Covariance::Hc0,
            weights: None,
        }
    }

    /// Sets the distribution.
    pub fn family(mut self, family: AftFamily) -> Self {
        self.family = family;
        self
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`Aft`].
    pub fn fit(&self, frame: &Frame) -> Result<AftFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`Aft`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<AftFit> {
        let sample = self
            .outcome
            .read(&self.regressors, self.weights.as_ref(), &[], frame)?;
        self.check(&sample)?;
        let mut warnings = sample.warnings.clone();
        let mut regressors = Regressors::read(&sample, &mut warnings);
        regressors.drop_collinear(&regressors.gram(), &mut warnings);
        let rows = AftRows::new(self.family, &sample);
        let scale = usize::from(self.family.has_scale());
        let p = regressors.count();
        if sample.spells.len() < p + 1 + scale {
            return Err(Error::TooFewRows {
                rows: sample.spells.len(),
                parameters: p + 1 + scale,
            });
        }
        let none = Regressors {
            names: vec![],
            columns: vec![],
            means: vec![],
            spreads: vec![],
        };
        let start = rows.start();
        let what = format!("the {} model", self.family);
        let null = maximise(
            &what,
            &names(&none, scale),
            &start,
            &rows.pass(&none, &start),
            &|b| rows.pass(&none, b),
            progress,
        )?;
        let mut start = null.point.clone();
        start.splice(1..1, vec![0.0; p]);
        let names = names(&regressors, scale);
        let found = maximise(
            &what,
            &names,
            &start,
            &rows.pass(&regressors, &start),
            &|b| rows.pass(&regressors, b),
            progress,
        )?;
        let map = regressors.own_units(1, scale);
        let inverse =
            Cholesky::full_rank(&found.pass.information, "the information of the model")?.inverse();
        let estimates = &map * DVector::from_column_slice(&found.point);
        let total = |of: &dyn Fn(usize) -> f64| (0..sample.spells.len()).map(of).sum::<f64>();
        let observations = if sample.frequency {
            total(&|i| sample.weight(i))
        } else {
            sample.spells.len() as f64
        };
        let events = total(&|i| {
            if sample.spells.event[i] {
                sample.weight(i)
            } else {
                0.0
            }
        });
        let statistics = SurvivalStatistics::new(
            observations,
            events,
            found.point.len(),
            found.pass.log_likelihood,
        )
        .against(null.pass.log_likelihood, 1 + scale)
        .after(found.iterations);
        let core = Core::assemble(
            Solution {
                title: format!("{} AFT", self.family),
                formula: sample.formula.clone(),
                names,
                estimates,
                inverse_information: sandwich(&inverse, &map.transpose()),
                statistics,
                warnings,
                split_rows: self.outcome.is_counting()
                    && sample.subjects.is_none()
                    && sample
                        .spells
                        .start
                        .as_ref()
                        .is_some_and(|s| s.iter().any(|v| *v > 0.0)),
                scores: Scores {
                    columns: rows.scores(&regressors, &found.point),
                    frequencies: sample.weights.clone().filter(|_| sample.frequency),
                    subjects: sample.subjects.clone(),
                    frame: frame.clone(),
                    rows: sample.design.rows.clone(),
                },
            },
            &self.covariance,
        )?;
        Ok(AftFit {
            core,
            family: self.family,
            means: regressors.means,
        })
    }

    fn check(&self, sample: &Sample) -> Result<()> {
        if sample.spells.events() == 0 {
            return Err(self.outcome.no_events());
        }
        if !sample.design.fixed_effects.is_empty() || !sample.design.intercept {
            return Err(Error::invalid_option(
                "regressors",
                &self.regressors,
                "with a constant and without strata (those are Cox's; write C(shop) for a constant each)",
            ));
        }
        if let Some(i) = sample.spells.stop.iter().position(|t| *t <= 0.0) {
            return Err(Error::OutOfRange {
                column: self.outcome.stop_column().to_owned(),
                row: sample.design.rows.index(i) + 1,
                value: sample.spells.stop[i],
                expected: "above zero, since its log is modelled".to_owned(),
            });
        }
        Ok(())
    }
}

/// Names of the parameters.
fn names(regressors: &Regressors, scale: usize) -> Vec<String> {
    let mut names = vec!["(Intercept)".to_owned()];
    names.extend(regressors.names.iter().cloned());
    names.extend((0..scale).map(|_| LN_SCALE.to_owned()));
    names
}

/// Log times with what was seen.
struct AftRows<'a> {
    family: AftFamily,
    sample: &'a Sample,
    log_stop: Vec<f64>,
    /// Log of the time of entry where it truncates.
    log_start: Vec<Option<f64>>,
}

/// Derivatives of a row's log-likelihood by its index x'β and by ln σ.
#[derive(Clone, Copy, Default)]
struct RowTerms {
    value: f64,
    index: f64,
    scale: f64,
    index_index: f64,
    index_scale: f64,
    scale_scale: f64,
}

impl RowTerms {
    /// Adds `sign · g((y − μ)/σ)` with `dz/dμ = −1/σ`, `dz/d ln σ = −z`.
    fn add(&mut self, [g, first, second]: [f64; 3], z: f64, sigma: f64, sign: f64) {
        self.value += sign * g;
        self.index -= sign * first / sigma;
        self.scale -= sign * first * z;
        self.index_index += sign * second / (sigma * sigma);
        self.index_scale += sign * (second * z + first) / sigma;
        self.scale_scale += sign * (second * z * z + first * z);
    }
}

impl<'a> AftRows<'a> {
    fn new(family: AftFamily, sample: &'a Sample) -> Self {
        let spells = &sample.spells;
        let entry = |i: usize| {
            spells
                .start
                .as_ref()
                .map(|s| s[i])
                .filter(|s| *s > 0.0)
                .map(f64::ln)
        };
        Self {
            family,
            sample,
            log_stop: spells.stop.iter().map(|t| t.ln()).collect(),
            log_start: (0..spells.len()).map(entry).collect(),
        }
    }

    /// Mean and log of the spread of the log times.
    fn start(&self) -> Vec<f64> {
        /// All times may be equal.
        const SMALLEST_SPREAD: f64 = 0.1;
        let n = self.log_stop.len() as f64;
        let mean = self.log_stop.iter().sum::<f64>() / n;
        let variance = self
            .log_stop
            .iter()
            .map(|y| (y - mean).powi(2))
            .sum::<f64>()
            / n;
        let mut start = vec![mean];
        if self.family.has_scale() {
            start.push(variance.sqrt().max(SMALLEST_SPREAD).ln());
        }
        start
    }

    fn scale(&self, point: &[f64]) -> f64 {
        match point.last() {
            Some(tau) if self.family.has_scale() => tau.exp(),
            _ => 1.0,
        }
    }

    /// The terms of a row given its index.
    fn terms(&self, i: usize, index: f64, sigma: f64) -> RowTerms {
        let mut terms = RowTerms::default();
        let z = (self.log_stop[i] - index) / sigma;
        if self.sample.spells.event[i] {
            terms.add(self.family.log_density(z), z, sigma, 1.0);
            // The density of T: ln f_W(z) − ln σ − ln t.
            terms.value -= sigma.ln() + self.log_stop[i];
            terms.scale -= 1.0;
        } else {
            terms.add(self.family.log_survival(z), z, sigma, 1.0);
        }
        if let Some(y) = self.log_start[i] {
            let z = (y - index) / sigma;
            terms.add(self.family.log_survival(z), z, sigma, -1.0);
        }
        terms
    }

    fn index(&self, regressors: &Regressors, point: &[f64]) -> Vec<f64> {
        let mut index = vec![point[0]; self.log_stop.len()];
        regressors.add_index(&point[1..=regressors.count()], &mut index);
        index
    }

    fn pass(&self, regressors: &Regressors, point: &[f64]) -> Pass {
        let (p, k) = (regressors.count(), point.len());
        let sigma = self.scale(point);
        let index = self.index(regressors, point);
        let n = index.len();
        let mut log_likelihood = 0.0;
        let (mut first, mut second, mut mixed) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        let mut gradient = vec![0.0; k];
        let mut information = DMatrix::zeros(k, k);
        for i in 0..n {
            let w = self.sample.weight(i);
            let t = self.terms(i, index[i], sigma);
            log_likelihood += w * t.value;
            (first[i], second[i], mixed[i]) = (w * t.index, w * t.index_index, w * t.index_scale);
            if k > p + 1 {
                gradient[k - 1] += w * t.scale;
                information[(k - 1, k - 1)] -= w * t.scale_scale;
            }
        }
        let dot = |a: &[f64], j: usize| -> f64 {
            match j.checked_sub(1) {
                None => a.iter().sum(),
                Some(j) => a
                    .iter()
                    .zip(&regressors.columns[j])
                    .map(|(a, x)| a * x)
                    .sum(),
            }
        };
        for i in 0..=p {
            gradient[i] = dot(&first, i);
            let weighted: Vec<f64> = match i.checked_sub(1) {
                None => second.clone(),
                Some(j) => second
                    .iter()
                    .zip(&regressors.columns[j])
                    .map(|(s, x)| s * x)
                    .collect(),
            };
            for j in 0..=i {
                let value = -dot(&weighted, j);
                information[(i, j)] = value;
                information[(j, i)] = value;
            }
            if k > p + 1 {
                let value = -dot(&mixed, i);
                information[(i, k - 1)] = value;
                information[(k - 1, i)] = value;
            }
        }
        Pass {
            log_likelihood,
            gradient,
            information,
        }
    }

    /// Weighted scores in the regressors' own units.
    fn scores(&self, regressors: &Regressors, point: &[f64]) -> Vec<Vec<f64>> {
        let sigma = self.scale(point);
        let index = self.index(regressors, point);
        let terms: Vec<(f64, f64)> = (0..index.len())
            .map(|i| {
                let t = self.terms(i, index[i], sigma);
                (
                    self.sample.weight(i) * t.index,
                    self.sample.weight(i) * t.scale,
                )
            })
            .collect();
        let mut columns = vec![terms.iter().map(|t| t.0).collect::<Vec<f64>>()];
        for j in 0..regressors.count() {
            columns.push(
                terms
                    .iter()
                    .enumerate()
                    .map(|(i, t)| t.0 * regressors.own(i, j))
                    .collect(),
            );
        }
        if self.family.has_scale() {
            columns.push(terms.iter().map(|t| t.1).collect());
        }
        columns
    }
}

/// A fitted accelerated failure time model. It answers the verbs of [`Inference`](crate::inference::Inference), with the normal as reference.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AftFit {
    pub(super) core: Core,
    pub(super) family: AftFamily,
    pub(super) means: Vec<f64>,
}

likelihood_fit!(AftFit);

impl AftFit {
    /// The distribution.
    pub fn family(&self) -> AftFamily {
        self.family
    }

    /// Drops the rows; the covariance can then no longer be changed.
    pub fn lean(&self) -> Self {
        Self {
            core: self.core.lean(),
            ..self.clone()
        }
    }

    fn full_table(&self) -> Table {
        let aic = format!("AIC = {:.2}", self.core.statistics.aic);
        self.core.dress(coefficient_table(self), &[aic])
    }
}
