//! Penalised logistic regression: Newton's quadratic model of the likelihood, minimised by coordinate descent.

use super::encode::Encoding;
use super::features::Features;
use super::loss::logit;
use super::penalty::{Penalty, Solution, unscaled};
use crate::error::{Error, Result};
use crate::numeric::{Progress, blocks};
use crate::summary::gram::{TILE, Tile, packed_len, unpack};
use crate::summary::kernels::dot;
use nalgebra::{DMatrix, DVector};

/// Rows of one task.
const BLOCK: usize = 64 * TILE;
/// A path over many rows is started from a part of them: one in this many, but no fewer than this, and this a column.
const FEW_OF: usize = 20;
const FEW_ROWS: usize = 10_000;
const FEW_ROWS_A_COLUMN: usize = 500;
/// Newton steps per strength at most.
const MOST_STEPS: usize = 100;
/// Halvings of a step that raises the loss, at most.
const MOST_HALVINGS: usize = 30;
/// Steps below this (in standard deviations of the linear predictor) end the iteration.
const TOLERANCE: f64 = 1e-9;
/// The Hessian is computed again unless a step was this much shorter than the one before.
const CONTRACTION: f64 = 0.1;
/// A mean curvature below this means that all probabilities have gone to 0 or 1.
const FLAT: f64 = 1e-10;

/// What a logistic regression learns from.
pub(crate) struct Logit<'a, W> {
    pub(crate) encoding: &'a Encoding,
    pub(crate) features: &'a Features,
    pub(crate) target: &'a [f64],
    pub(crate) weight: W,
    pub(crate) rows: &'a [u32],
}

/// Sums of one pass over the rows, per unit of weight: mean loss, its gradient (columns, constant) and, packed, its Hessian.
struct Pass {
    sums: Vec<f64>,
    hessian: Vec<f64>,
}

/// The quadratic model's curvature: centred Gram in standardised units, and what centres it.
struct Curvature {
    gram: DMatrix<f64>,
    /// Weighted means of the standardised columns.
    means: DVector<f64>,
    constant: f64,
}

impl<W: Fn(usize) -> f64 + Sync> Logit<'_, W> {
    fn columns(&self) -> usize {
        self.encoding.columns.len()
    }

    /// Loss, gradient and perhaps Hessian at a solution, in one pass.
    fn pass(&self, at: &Solution, hessian: bool) -> Pass {
        let p = self.columns();
        let packed = if hessian { packed_len(p + 1) } else { 0 };
        let empty = || Pass {
            sums: vec![0.0; p + 3],
            hessian: vec![0.0; packed],
        };
        let work = |range: std::ops::Range<usize>| {
            let mut tile = Tile::new(p + 1);
            let mut pass = empty();
            for rows in self.rows[range].chunks(TILE) {
                self.add(rows, at, &mut tile, &mut pass, hessian);
            }
            pass
        };
        let total = blocks::reduce(self.rows.len(), BLOCK, work, |sum, part| {
            for (a, b) in sum.sums.iter_mut().zip(&part.sums) {
                *a += b;
            }
            for (a, b) in sum.hessian.iter_mut().zip(&part.hessian) {
                *a += b;
            }
        });
        let mut pass = total.unwrap_or_else(empty);
        let weight = pass.sums[p + 2];
        for value in pass.sums.iter_mut().chain(&mut pass.hessian) {
            *value /= weight;
        }
        pass
    }

    /// Adds a tile of rows to the sums: gradient by column, of the constant, loss, weight.
    fn add(&self, rows: &[u32], at: &Solution, tile: &mut Tile, pass: &mut Pass, hessian: bool) {
        let p = self.columns();
        let (mut score, mut residual, mut root) = ([at.intercept; TILE], [0.0; TILE], [0.0; TILE]);
        for (j, b) in at.coefficients.iter().enumerate() {
            self.encoding.fill(
                j,
                self.features,
                rows,
                self.encoding.shift(j),
                tile.column_mut(j),
            );
            if b.abs() > 0.0 {
                for (s, x) in score.iter_mut().zip(tile.column(j)).take(rows.len()) {
                    *s += b * x;
                }
            }
        }
        tile.clear_from(rows.len());
        // Losses of rows of weight one are the logarithm of a product, which 256 factors of at most two keep finite.
        let mut product = 1.0;
        for (i, row) in rows.iter().enumerate() {
            let (w, y) = ((self.weight)(*row as usize), self.target[*row as usize]);
            // One exponential serves the probability and the loss.
            let tail = (-score[i].abs()).exp();
            let probability = if score[i] < 0.0 { tail } else { 1.0 } / (1.0 + tail);
            residual[i] = w * (y - probability);
            if hessian {
                root[i] = (w * probability * (1.0 - probability)).sqrt();
            }
            pass.sums[p] += residual[i];
            pass.sums[p + 1] += w * (score[i].max(0.0) - y * score[i]);
            if (w - 1.0).abs() <= 0.0 {
                product *= 1.0 + tail;
            } else {
                pass.sums[p + 1] += w * tail.ln_1p();
            }
            pass.sums[p + 2] += w;
        }
        pass.sums[p + 1] += product.ln();
        for j in 0..p {
            pass.sums[j] += dot(tile.column(j), &residual);
        }
        if hessian {
            tile.column_mut(p).fill(1.0);
            tile.scale_rows(&root);
            tile.add_gram(&mut pass.hessian);
        }
    }

    /// Mean loss at a solution, without a gradient's cost of thought: it is the same pass.
    pub(crate) fn loss(&self, at: &Solution) -> f64 {
        self.pass(at, false).sums[self.columns() + 1]
    }

    /// The intercept alone.
    fn constant(&self) -> Solution {
        let (mut sum, mut total) = (0.0, 0.0);
        for row in self.rows {
            let w = (self.weight)(*row as usize);
            sum += w * self.target[*row as usize];
            total += w;
        }
        Solution {
            intercept: logit(sum / total),
            coefficients: vec![0.0; self.columns()],
        }
    }

    /// Solutions at falling strengths, each started from the one before.
    pub(crate) fn path(
        &self,
        penalty: &Penalty,
        scales: &[f64],
        lambdas: &[f64],
        progress: &Progress,
    ) -> Result<Vec<Solution>> {
        let mut at = self.start(penalty, scales, lambdas)?;
        let first = self.pass(&at, true);
        let mut curvature = self.curvature(&first, scales)?;
        let mut pass = Some(first);
        let mut solutions = Vec::with_capacity(lambdas.len());
        for (k, lambda) in lambdas.iter().enumerate() {
            let known = pass.take().unwrap_or_else(|| self.pass(&at, false));
            (at, pass) = self.solve(at, known, penalty, scales, *lambda, &mut curvature)?;
            solutions.push(at.clone());
            progress.report("logistic path", k + 1, lambdas.len())?;
        }
        Ok(solutions)
    }

    /// Where the path begins: the solution of rows at even distances where there are many rows, so that the others are seen near the end only, else the constant.
    fn start(&self, penalty: &Penalty, scales: &[f64], lambdas: &[f64]) -> Result<Solution> {
        let constant = self.constant();
        refuse_one_class(constant.intercept)?;
        let Some(rows) = a_part(self.rows, self.columns()) else {
            return Ok(constant);
        };
        let part = Logit {
            encoding: self.encoding,
            features: self.features,
            target: self.target,
            weight: &self.weight as &(dyn Fn(usize) -> f64 + Sync),
            rows: &rows,
        };
        let first = lambdas.get(..1).unwrap_or_default();
        // Rows that are separated, or without a class, say nothing of the others.
        match part.path(penalty, scales, first, &Progress::none()) {
            Ok(mut solved) if !solved.is_empty() => Ok(solved.swap_remove(0)),
            _ => Ok(constant),
        }
    }

    /// Gradients of the mean log-likelihood by standardised column where the unpenalised columns are fitted: what the path starts from.
    pub(crate) fn correlations(&self, penalty: &Penalty, scales: &[f64]) -> Result<Vec<f64>> {
        let mut at = self.constant();
        refuse_one_class(at.intercept)?;
        if penalty.factors.iter().any(|f| *f <= 0.0) {
            // A penalty that no column can bear leaves the unpenalised ones.
            let unbearable = Penalty {
                mixing: 1.0,
                ..penalty.clone()
            };
            let first = self.pass(&at, true);
            let mut curvature = self.curvature(&first, scales)?;
            (at, _) = self.solve(
                at,
                first,
                &unbearable,
                scales,
                f64::MAX.sqrt(),
                &mut curvature,
            )?;
        }
        let pass = self.pass(&at, false);
        Ok(unscaled(&pass.sums[..self.columns()], scales))
    }

    /// The Hessian with the intercept taken out.
    fn curvature(&self, pass: &Pass, scales: &[f64]) -> Result<Curvature> {
        let p = self.columns();
        let full = unpack(&pass.hessian, p + 1);
        let constant = full[(p, p)];
        if constant.is_nan() || constant < FLAT {
            return Err(separated(constant));
        }
        let unit = |j: usize| {
            if scales[j] > 0.0 {
                1.0 / scales[j]
            } else {
                0.0
            }
        };
        let means = DVector::from_fn(p, |j, _| full[(p, j)] * unit(j) / constant);
        let gram = DMatrix::from_fn(p, p, |i, j| {
            full[(i, j)] * unit(i) * unit(j) - constant * means[i] * means[j]
        });
        Ok(Curvature {
            gram,
            means,
            constant,
        })
    }

    /// Newton's iteration at one strength, from a solution with its pass. The curvature may be that of another point: where the iteration stands still is the
    /// minimum all the same, since gradients are exact; it is renewed when steps do not shrink fast.
    fn solve(
        &self,
        mut at: Solution,
        mut pass: Pass,
        penalty: &Penalty,
        scales: &[f64],
        lambda: f64,
        curvature: &mut Curvature,
    ) -> Result<(Solution, Option<Pass>)> {
        let p = self.columns();
        let mut last = f64::INFINITY;
        for _ in 0..MOST_STEPS {
            let old: Vec<f64> = at
                .coefficients
                .iter()
                .zip(scales)
                .map(|(b, s)| b * s)
                .collect();
            let objective = pass.sums[p + 1] + penalty.value(&old, lambda);
            let gradient = DVector::from_vec(unscaled(&pass.sums[..p], scales));
            let by_constant = pass.sums[p];
            let old_vector = DVector::from_column_slice(&old);
            let model = super::cross::Centred {
                with_target: &curvature.gram * &old_vector + gradient
                    - by_constant * &curvature.means,
                gram: curvature.gram.clone(),
                target_variance: curvature.constant,
                means: Vec::new(),
                target_mean: 0.0,
            };
            let mut new = old.clone();
            penalty.problem(&model, lambda).minimise(&mut new)?;
            let step: Vec<f64> = new.iter().zip(&old).map(|(a, b)| a - b).collect();
            let shift: f64 = step
                .iter()
                .zip(curvature.means.iter())
                .map(|(d, m)| d * m)
                .sum();
            let constant_step = by_constant / curvature.constant - shift;
            // The step's length in the linear predictor.
            let length = step
                .iter()
                .fold((by_constant / curvature.constant).abs(), |most, d| {
                    most.max(d.abs())
                });
            if length <= TOLERANCE {
                return Ok((at, Some(pass)));
            }
            let moved = |share: f64| -> (Vec<f64>, Solution) {
                let b: Vec<f64> = old.iter().zip(&step).map(|(b, d)| b + share * d).collect();
                let next = Solution {
                    intercept: at.intercept + share * constant_step,
                    coefficients: unscaled(&b, scales),
                };
                (b, next)
            };
            // Steps shrink by an even factor under one curvature: the one after this would end the iteration.
            let shrinks = length / last;
            if last.is_finite() && shrinks <= CONTRACTION && shrinks * length <= TOLERANCE {
                return Ok((moved(1.0).1, None));
            }
            let mut share = 1.0;
            let mut halvings = 0;
            loop {
                let (b, next) = moved(share);
                let next_pass = self.pass(&next, false);
                let value = next_pass.sums[p + 1] + penalty.value(&b, lambda);
                // Within rounding of the loss a step is as good as another.
                if value <= objective + 1e-14 * objective.abs() || halvings == MOST_HALVINGS {
                    at = next;
                    pass = next_pass;
                    break;
                }
                share /= 2.0;
                halvings += 1;
            }
            if length > CONTRACTION * last || halvings > 0 {
                *curvature = self.curvature(&self.pass(&at, true), scales)?;
            }
            last = length;
        }
        Err(separated(last))
    }
}

/// Rows at even distances, where there are many more than a first look at the columns needs.
pub(super) fn a_part(rows: &[u32], columns: usize) -> Option<Vec<u32>> {
    let few = FEW_ROWS
        .max(FEW_ROWS_A_COLUMN * columns)
        .max(rows.len() / FEW_OF);
    (rows.len() >= 4 * few).then(|| rows.iter().copied().step_by(rows.len() / few).collect())
}

/// A fold may have lost one of the classes.
fn refuse_one_class(intercept: f64) -> Result<()> {
    if intercept.is_finite() {
        return Ok(());
    }
    Err(Error::Unidentified {
        what: "a logistic regression in one of its folds".to_owned(),
        needs: "rows of both classes in every fold; use fewer folds or more rows".to_owned(),
    })
}

/// No maximum was found.
fn separated(criterion: f64) -> Error {
    Error::NotConverged {
        what: "logistic regression".to_owned(),
        iterations: MOST_STEPS,
        criterion,
        tolerance: TOLERANCE,
        remedy: "the features separate the classes, or almost: penalise them, as in `Linear::new().ridge(1e-4)`".to_owned(),
    }
}
