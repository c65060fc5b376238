//! From a formula and a frame to columns ready for a linear estimator: rows chosen, weights read, effects projected off.

use super::columns::{Columns, Weights};
use crate::data::{Formula, Frame, Groups};
use crate::error::{Error, Result, Warning};
use crate::numeric::Progress;
use crate::regression::absorb::{Absorbed, absorbed_parameters, not_singletons};
use crate::regression::sample::Sample;
use crate::summary::{Moments, Summary};
use nalgebra::DMatrix;
use std::ops::Range;
use std::sync::Arc;

/// A regressor whose spread is below this share of its mean (or, within fixed effects, of its spread before) is constant:
/// rounding of a centred column is about 1e-16 of its mean.
const CONSTANT: f64 = 1e-13;

/// The same within fixed effects, whose projection is exact to about 1e-10.
const CONSTANT_WITHIN: f64 = 1e-9;

/// Everything a linear estimator needs from its first pass.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) columns: Columns,
    pub(crate) exogenous: Range<usize>,
    pub(crate) endogenous: Range<usize>,
    pub(crate) instruments: Range<usize>,
    pub(crate) outcome: usize,
    pub(crate) intercept: bool,
    pub(crate) effects: Vec<Groups>,
    pub(crate) absorbed: Option<Arc<Absorbed>>,
    pub(crate) absorbed_parameters: Vec<usize>,
    pub(crate) moments: Moments,
    /// Cross-products of all columns: about the mean with an intercept, about zero without.
    pub(crate) gram: DMatrix<f64>,
    /// What centring subtracts: means with an intercept, zeros without.
    pub(crate) center: Vec<f64>,
    /// Columns that do not vary.
    constant: Vec<bool>,
    /// Total sum of squares of the outcome before the projection.
    pub(crate) tss: f64,
    pub(crate) observations: f64,
    pub(crate) log_weights: f64,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) formula: String,
}

/// Makes the first pass.
pub(crate) fn prepare(
    formula: &Formula,
    weights: Option<&Weights>,
    frame: &Frame,
    drop_singletons: bool,
    progress: &Progress,
) -> Result<Prepared> {
    let mut sample = Sample::new(formula, weights, &[], frame)?;
    if drop_singletons {
        let frequencies = sample.weights.as_deref().filter(|_| sample.frequency);
        if let Some(keep) = not_singletons(&sample.design.fixed_effects, frequencies) {
            sample.warnings.push(Warning::Singletons {
                dropped: keep.iter().filter(|k| !**k).count(),
            });
            sample.restrict(&keep);
        }
    }
    let Sample {
        parsed,
        mut design,
        weights,
        frequency,
        warnings,
    } = sample;
    if design.rows.is_empty() {
        return Err(Error::NoRows {
            reason: "every row is alone in a level of a fixed effect or has weight zero".to_owned(),
        });
    }
    let columns = Columns::new(&design, weights, frequency);
    let exogenous = 0..design.exogenous.len();
    let endogenous = exogenous.end..exogenous.end + design.endogenous.len();
    let instruments = endogenous.end..endogenous.end + design.instruments.len();
    let outcome = instruments.end;
    let intercept = design.intercept && design.fixed_effects.is_empty();
    let effects = std::mem::take(&mut design.fixed_effects);
    let mut prepared = Prepared {
        exogenous,
        endogenous,
        instruments,
        outcome,
        intercept,
        absorbed: None,
        absorbed_parameters: absorbed_parameters(&effects),
        moments: Moments::empty(0),
        gram: DMatrix::zeros(0, 0),
        center: vec![],
        constant: vec![],
        tss: 0.0,
        observations: 0.0,
        log_weights: 0.0,
        warnings,
        formula: parsed.to_string(),
        effects,
        columns,
    };
    prepared.summarize(progress)?;
    Ok(prepared)
}

impl Prepared {
    /// Projects off the effects and takes the moments.
    fn summarize(&mut self, progress: &Progress) -> Result<()> {
        if self.effects.is_empty() {
            self.moments = self.columns.moments();
            let mean = self.moments.mean();
            let spread = self.moments.comoment();
            let weight = self.moments.weight();
            self.constant = (0..self.columns.len())
                .map(|j| self.intercept && spread[(j, j)] <= (CONSTANT * mean[j]).powi(2) * weight)
                .collect();
            if self.intercept {
                self.tss = spread[(self.outcome, self.outcome)];
                self.gram = spread;
                self.center = mean.as_slice().to_vec();
            } else {
                self.gram = self.moments.cross_product();
                self.tss = self.gram[(self.outcome, self.outcome)];
                self.center = vec![0.0; self.columns.len()];
            }
        } else {
            let weights = self.columns.weights.as_ref().map(|w| w.as_slice());
            let y = Moments::from_columns(self.columns.rows.len(), 1, weights, |_, range, out| {
                self.columns.fill(self.outcome, range, out);
            });
            self.tss = y.comoment()[(0, 0)];
            let absorbed = Absorbed::new(self.effects.clone(), self.columns.weights.clone());
            let (projected, before) = self.columns.project(&absorbed, progress)?;
            self.columns = projected;
            self.absorbed = Some(Arc::new(absorbed));
            self.moments = self.columns.moments();
            self.gram = self.moments.cross_product();
            self.center = vec![0.0; self.columns.len()];
            let mean_weight = self.moments.weight() / self.moments.rows() as f64;
            self.constant = before
                .iter()
                .enumerate()
                .map(|(j, before)| {
                    self.gram[(j, j)] <= CONSTANT_WITHIN.powi(2) * before * mean_weight
                })
                .collect();
        }
        if !self.gram.iter().all(|v| v.is_finite()) {
            let column = (0..self.columns.len())
                .find(|j| !self.gram[(*j, *j)].is_finite())
                .map_or("", |j| self.columns.names[j].as_str());
            return Err(Error::NotFinite {
                what: format!(
                    "the sum of squares of `{column}` (rescale the column: its values are near the largest that f64 holds)"
                ),
            });
        }
        self.observations = if self.columns.frequency {
            self.moments.weight()
        } else {
            self.moments.rows() as f64
        };
        self.log_weights = match &self.columns.weights {
            Some(w) if !self.columns.frequency => w.iter().map(|w| w.ln()).sum(),
            _ => 0.0,
        };
        if self.tss <= 0.0 {
            self.warnings.push(Warning::Note {
                message: "the outcome does not vary".to_owned(),
            });
        }
        Ok(())
    }

    /// Those of the columns that vary; the others are named in a warning.
    pub(crate) fn varying(&mut self, candidates: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let (constant, varying): (Vec<usize>, Vec<usize>) =
            candidates.into_iter().partition(|j| self.constant[*j]);
        if !constant.is_empty() {
            self.warnings.push(Warning::Constant {
                columns: constant
                    .iter()
                    .map(|j| self.columns.names[*j].clone())
                    .collect(),
            });
        }
        varying
    }

    /// Names dropped columns in a warning.
    pub(crate) fn warn_collinear(&mut self, dropped: &[usize]) {
        if !dropped.is_empty() {
            self.warnings.push(Warning::Collinear {
                columns: dropped
                    .iter()
                    .map(|j| self.columns.names[*j].clone())
                    .collect(),
            });
        }
    }

    /// Refuses a model without residual degrees of freedom.
    pub(crate) fn require_rows(&self, slopes: usize) -> Result<()> {
        let parameters =
            slopes + usize::from(self.intercept) + self.absorbed_parameters.iter().sum::<usize>();
        if self.observations > parameters as f64 {
            return Ok(());
        }
        Err(Error::TooFewRows {
            rows: self.observations as usize,
            parameters,
        })
    }

    /// Names of the coefficients and the map from working parameters to them: the working intercept is the mean of the outcome
    /// at the means of the regressors.
    pub(crate) fn names_and_map(&self, regressors: &[usize]) -> (Vec<String>, DMatrix<f64>) {
        let mut names: Vec<String> = regressors
            .iter()
            .map(|j| self.columns.names[*j].clone())
            .collect();
        let first = usize::from(self.intercept);
        let size = regressors.len() + first;
        let mut map = DMatrix::identity(size, size);
        if self.intercept {
            names.insert(0, "(Intercept)".to_owned());
            for (position, j) in regressors.iter().enumerate() {
                map[(0, position + 1)] = -self.center[*j];
            }
        }
        (names, map)
    }
}
