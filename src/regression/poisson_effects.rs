//! Poisson regression with absorbed fixed effects: weighted least squares within the effects, repeated.

use super::LikelihoodFit;
use super::absorb::{Absorbed, absorbed_parameters, not_singletons};
use super::likelihood::{Finished, Options, Parts, StoredRows};
use super::sample::Sample;
use crate::data::{Frame, Groups};
use crate::error::{Error, Result, Warning};
use crate::numeric::linalg::Cholesky;
use crate::numeric::optimize::Convergence;
use crate::numeric::special::gamma::ln_gamma;
use crate::numeric::{Progress, blocks};
use crate::summary::Moments;
use crate::summary::gram::TILE;
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// Iterations at most; ten are usual.
const MOST_ITERATIONS: usize = 200;

/// The relative change of the deviance at which the search stops; one more step is then taken, and the errors square.
const TOLERANCE: f64 = 1e-12;

/// Where the exponential is cut off: rows whose expected count falls below are separated.
const LOWEST_INDEX: f64 = -60.0;

/// A regressor that keeps less of its variation within the effects is constant there.
const CONSTANT_WITHIN: f64 = 1e-9;

/// Fits `E[y | x, effects] = exp(x'β + α_{g(i)} + …)` by iterated weighted least squares, with the effects projected off the
/// working outcome and the regressors at the weights of each step (Correia, Guimarães & Zylkin 2020,
/// doi:10.1177/1536867X20909691). Rows of levels whose outcomes are all zero have no finite effect and are left out with a
/// warning, and so are singletons.
pub(super) fn poisson_effects(
    options: &Options,
    mut sample: Sample,
    frame: &Frame,
    progress: &Progress,
) -> Result<LikelihoodFit> {
    drop_uninformative(&mut sample);
    if sample.design.rows.is_empty() {
        return Err(Error::NoRows {
            reason: "every level of an effect has zeros only, or is a single row".to_owned(),
        });
    }
    let data = Data::new(options, &mut sample, frame)?;
    let mut eta = data.start();
    let mut deviance = f64::INFINITY;
    // The deviance is flat at its minimum: two more steps square the error of the index twice.
    let mut further = 2;
    let mut converged = false;
    for iteration in 0..MOST_ITERATIONS {
        progress.report("Poisson with effects", iteration, MOST_ITERATIONS)?;
        let step = Step::new(&data, &eta, progress)?;
        let (next, value) = step.towards(&data, &eta, deviance);
        let change = (deviance - value).abs() / value.abs().max(1.0);
        converged |= change <= TOLERANCE;
        if converged && further == 0 {
            let convergence =
                Convergence::reached("iterated least squares", iteration, change, TOLERANCE);
            return finish(options, sample, frame, data, step, convergence);
        }
        further -= usize::from(converged);
        if next.iter().any(|e| *e < LOWEST_INDEX) {
            return Err(Error::Separated {
                columns: step.names(&sample),
                rows: next.iter().filter(|e| **e < LOWEST_INDEX).count(),
                complete: false,
                remedy: "leave out rows that have zeros for sure, or the columns that tell them"
                    .to_owned(),
            });
        }
        eta = next;
        deviance = value;
    }
    Err(Error::NotConverged {
        what: "Poisson regression with absorbed effects".to_owned(),
        iterations: MOST_ITERATIONS,
        criterion: deviance,
        tolerance: TOLERANCE,
        remedy: "leave out regressors that hardly vary within the effects".to_owned(),
    })
}

/// What does not change between the steps.
struct Data {
    x: Vec<Vec<f64>>,
    y: Vec<f64>,
    offset: Vec<f64>,
    weights: Vec<f64>,
    effects: Vec<Groups>,
}

impl Data {
    fn new(options: &Options, sample: &mut Sample, frame: &Frame) -> Result<Self> {
        let rows = &sample.design.rows;
        let n = rows.len();
        Ok(Self {
            x: sample
                .design
                .exogenous
                .iter()
                .map(|c| c.values(rows))
                .collect(),
            y: sample.design.outcome.values(rows),
            offset: options
                .offset_column(frame, rows)?
                .map_or_else(|| vec![0.0; n], |c| c.values(rows)),
            weights: sample.weights.clone().unwrap_or_else(|| vec![1.0; n]),
            effects: std::mem::take(&mut sample.design.fixed_effects),
        })
    }

    /// The index between each outcome and the mean.
    fn start(&self) -> Vec<f64> {
        let total: f64 = self.weights.iter().sum();
        let sum: f64 = self.y.iter().zip(&self.weights).map(|(y, w)| y * w).sum();
        self.y
            .iter()
            .map(|y| ((y + sum / total) / 2.0).ln())
            .collect()
    }
}

/// Drops levels without a positive outcome and singletons, until there are none.
fn drop_uninformative(sample: &mut Sample) {
    let (mut zeros, mut singletons) = (0, 0);
    loop {
        let y = sample.design.outcome.values(&sample.design.rows);
        let mut keep = vec![true; y.len()];
        for effect in &sample.design.fixed_effects {
            let mut positive = vec![false; effect.count()];
            for (code, y) in effect.codes.iter().zip(&y) {
                positive[*code as usize] |= *y > 0.0;
            }
            for (keep, code) in keep.iter_mut().zip(effect.codes.iter()) {
                *keep &= positive[*code as usize];
            }
        }
        let dropped = keep.iter().filter(|k| !**k).count();
        if dropped > 0 {
            zeros += dropped;
            sample.restrict(&keep);
        }
        let frequencies = sample.weights.as_deref().filter(|_| sample.frequency);
        let alone = not_singletons(&sample.design.fixed_effects, frequencies);
        if let Some(keep) = &alone {
            singletons += keep.iter().filter(|k| !**k).count();
            sample.restrict(keep);
        }
        if dropped == 0 && alone.is_none() || sample.design.rows.is_empty() {
            break;
        }
    }
    if zeros > 0 {
        sample.warnings.push(Warning::Note {
            message: format!(
                "{zeros} rows left out: every outcome in their level of an effect is zero"
            ),
        });
    }
    if singletons > 0 {
        sample.warnings.push(Warning::Singletons {
            dropped: singletons,
        });
    }
}

/// A weighted least-squares step within the effects.
struct Step {
    kept: Vec<usize>,
    collinear: Vec<usize>,
    slopes: DVector<f64>,
    bread: DMatrix<f64>,
    /// Projected regressors of the kept columns.
    columns: Vec<Vec<f64>>,
    /// The index after the step: working outcome less its residual.
    index: Vec<f64>,
    mu: Vec<f64>,
}

impl Step {
    fn new(data: &Data, eta: &[f64], progress: &Progress) -> Result<Self> {
        let Data {
            x,
            y,
            offset,
            weights,
            effects,
        } = data;
        let mu: Vec<f64> = eta.iter().map(|e| e.exp()).collect();
        let n = y.len();
        let working: Arc<Vec<f64>> = Arc::new(mu.iter().zip(weights).map(|(m, w)| m * w).collect());
        let absorbed = Absorbed::new(effects.clone(), Some(Arc::clone(&working)));
        // The offset is a known part of the index: only the rest is projected.
        let z: Vec<f64> = (0..n)
            .map(|i| eta[i] - offset[i] + (y[i] - mu[i]) / mu[i])
            .collect();
        let projected = absorbed.project(
            x.len() + 1,
            |j, range, out| out.copy_from_slice(if j < x.len() { &x[j][range] } else { &z[range] }),
            progress,
        )?;
        let within = &projected.columns;
        let moments = Moments::from_columns(n, x.len() + 1, Some(&working), |j, range, out| {
            out.copy_from_slice(&within[j][range]);
        });
        let gram = moments.cross_product();
        let mean_weight = moments.weight() / n as f64;
        let varying: Vec<usize> = (0..x.len())
            .filter(|j| {
                gram[(*j, *j)] > CONSTANT_WITHIN.powi(2) * projected.variation[*j] * mean_weight
            })
            .collect();
        let factor = Cholesky::new(&crate::numeric::linalg::block(&gram, &varying, &varying));
        let kept: Vec<usize> = factor.kept().iter().map(|i| varying[*i]).collect();
        let right = DVector::from_iterator(kept.len(), kept.iter().map(|j| gram[(*j, x.len())]));
        let slopes = factor.solve_vector(&right);
        let mut index = vec![0.0; n];
        blocks::fill(&mut index, 32 * TILE, |first, chunk| {
            for (i, out) in chunk.iter_mut().enumerate() {
                let row = first + i;
                let mut residual = within[x.len()][row];
                for (j, b) in kept.iter().zip(slopes.iter()) {
                    residual -= b * within[*j][row];
                }
                *out = offset[row] + z[row] - residual;
            }
        });
        Ok(Self {
            collinear: (0..x.len()).filter(|j| !kept.contains(j)).collect(),
            bread: factor.inverse(),
            columns: kept.iter().map(|j| within[*j].clone()).collect(),
            kept,
            slopes,
            index,
            mu,
        })
    }

    /// The index after the step, halved until the deviance does not rise, and its deviance.
    fn towards(&self, data: &Data, eta: &[f64], before: f64) -> (Vec<f64>, f64) {
        /// Halvings at most: 2^−20 of a Newton step is no step.
        const MOST_HALVINGS: usize = 20;
        let mut next = self.index.clone();
        let mut value = deviance(&data.y, &next, &data.weights);
        for _ in 0..MOST_HALVINGS {
            if value.is_finite() && value <= before * (1.0 + TOLERANCE) {
                break;
            }
            for (next, eta) in next.iter_mut().zip(eta) {
                *next = 0.5 * (*next + eta);
            }
            value = deviance(&data.y, &next, &data.weights);
        }
        (next, value)
    }

    fn names(&self, sample: &Sample) -> Vec<String> {
        self.kept
            .iter()
            .map(|j| sample.design.exogenous[*j].name.clone())
            .collect()
    }
}

/// `2 Σ w (y ln(y/μ) − (y − μ))`.
fn deviance(y: &[f64], eta: &[f64], weights: &[f64]) -> f64 {
    let term = |y: f64, eta: f64| {
        let mu = eta.exp();
        if y > 0.0 {
            y * (y.ln() - eta) - (y - mu)
        } else {
            mu
        }
    };
    let work =
        |r: std::ops::Range<usize>| -> f64 { r.map(|i| weights[i] * term(y[i], eta[i])).sum() };
    2.0 * blocks::reduce(y.len(), 32 * TILE, work, |a, b| *a += b).unwrap_or(0.0)
}

fn finish(
    options: &Options,
    mut sample: Sample,
    frame: &Frame,
    data: Data,
    step: Step,
    convergence: Convergence,
) -> Result<LikelihoodFit> {
    let Data {
        y,
        weights,
        effects,
        ..
    } = data;
    let names = step.names(&sample);
    if !step.collinear.is_empty() {
        sample.warnings.push(Warning::Collinear {
            columns: step
                .collinear
                .iter()
                .map(|j| sample.design.exogenous[*j].name.clone())
                .collect(),
        });
    }
    let absorbed = absorbed_parameters(&effects);
    let observations = if sample.frequency {
        weights.iter().sum()
    } else {
        y.len() as f64
    };
    let parameters = names.len() + absorbed.iter().sum::<usize>();
    if observations <= parameters as f64 {
        return Err(Error::TooFewRows {
            rows: observations as usize,
            parameters,
        });
    }
    let log_likelihood = (0..y.len())
        .map(|i| weights[i] * (y[i] * step.mu[i].ln() - step.mu[i] - ln_gamma(y[i] + 1.0)))
        .sum();
    let root: Vec<f64> = (0..y.len())
        .map(|i| (weights[i] * step.mu[i]).sqrt())
        .collect();
    let mut columns = step.columns;
    for column in &mut columns {
        column.iter_mut().zip(&root).for_each(|(x, r)| *x *= r);
    }
    let residual = (0..y.len())
        .map(|i| weights[i] * (y[i] - step.mu[i]) / root[i])
        .collect();
    let size = names.len();
    Finished {
        title: "Poisson",
        formula: sample.parsed.to_string(),
        names,
        estimates: step.slopes,
        log_likelihood,
        null_log_likelihood: None,
        observations,
        convergence,
        warnings: sample.warnings,
        parts: Parts {
            source: Arc::new(StoredRows {
                columns,
                residual,
                bread: step.bread,
                frequencies: sample.weights.filter(|_| sample.frequency),
            }),
            leverages: false,
            likelihood: None,
            rows: sample.design.rows,
            frame: frame.clone(),
            formulas: vec![],
            map: DMatrix::identity(size, size),
            effects,
            absorbed,
        },
    }
    .fit(&options.covariance)
}
