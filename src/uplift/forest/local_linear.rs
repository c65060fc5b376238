//! Local linear effects: a ridge regression with the forest's weights takes away the slope that leaves leave.

use super::codes::{Binned, Codes};
use super::ensemble::{Predicted, debiased};
use super::fit::{CausalForestFit, prediction};
use super::moment::CANCELLED;
use super::neighbours::{Grove, Neighbourhood, ask};
use super::plan::Seen;
use super::prediction::ForestPrediction;
use crate::data::{Frame, Rows};
use crate::error::{Error, Result};
use crate::regression::learners::Features;
use crate::regression::learners::features::Values;
use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

/// Penalties that are tried, in units of the features' variances.
const PENALTIES: [f64; 7] = [0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0];
/// Rows on which penalties are compared: enough to tell one power of three from the next.
const COMPARED: usize = 1000;

/// One row of the local regression: outcome, treatment, weight, and the features that are corrected for, standardised.
struct Locals {
    y: Vec<f64>,
    w: Vec<f64>,
    weight: Vec<f64>,
    /// Row by row.
    x: Vec<f64>,
    count: usize,
}

/// Standardised numbers, row by row; a missing one is at the mean.
#[derive(Clone)]
struct Scale {
    columns: Vec<usize>,
    means: Vec<f64>,
    spreads: Vec<f64>,
}

/// A local regression before its penalty.
struct System {
    gram: DMatrix<f64>,
    right: DVector<f64>,
    /// Of the treatment.
    variance: f64,
    total: f64,
}

impl System {
    /// With a ridge `λ` on the slopes of d and `λ Var(w)` on those of d w.
    fn root(&self, penalty: f64, count: usize) -> Option<Cholesky<f64, Dyn>> {
        let mut gram = self.gram.clone();
        for k in 2..2 + count {
            gram[(k, k)] += penalty;
            gram[(k + count, k + count)] += penalty * self.variance;
        }
        gram.cholesky()
    }

    /// The coefficient of the treatment.
    fn effect(&self, root: &Cholesky<f64, Dyn>) -> Option<f64> {
        Some(root.solve(&self.right)[1]).filter(|effect| effect.is_finite())
    }
}

impl Scale {
    fn new(features: &Features, wanted: &[&str]) -> Result<Self> {
        let names = features.names();
        let mut columns = Vec::new();
        for name in wanted {
            let at = names.iter().position(|n| n == name);
            let at = at.ok_or_else(|| {
                let expected = format!("features of the forest: {}", names.join(", "));
                Error::invalid_option("columns", format!("`{name}`"), expected)
            })?;
            columns.push(at);
        }
        if wanted.is_empty() {
            columns = (0..names.len()).collect();
            columns.retain(|j| matches!(features.values()[*j], Values::Number(_)));
        }
        let (mut means, mut spreads) = (Vec::new(), Vec::new());
        for j in &columns {
            let Values::Number(x) = &features.values()[*j] else {
                return Err(Error::invalid_option(
                    "columns",
                    format!("with the label `{}`", names[*j]),
                    "numbers: a label has no slope",
                ));
            };
            let known: Vec<f64> = x.iter().copied().filter(|v| !v.is_nan()).collect();
            let n = known.len().max(1) as f64;
            let mean = known.iter().sum::<f64>() / n;
            let variance = known.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            means.push(mean);
            spreads.push(variance.sqrt());
        }
        Ok(Self {
            columns,
            means,
            spreads,
        })
    }

    fn rows(&self, features: &Features) -> Vec<f64> {
        let count = self.columns.len();
        let mut out = vec![0.0; features.rows() * count];
        for (k, j) in self.columns.iter().enumerate() {
            let Values::Number(x) = &features.values()[*j] else {
                continue;
            };
            for (row, v) in x.iter().enumerate() {
                if !v.is_nan() && self.spreads[k] > 0.0 {
                    out[row * count + k] = (v - self.means[k]) / self.spreads[k];
                }
            }
        }
        out
    }
}

impl Locals {
    /// The weighted squares and products of `1, w, d, d w` for `d = x − x₀`. None where the treatment does not vary.
    fn system(&self, near: &Neighbourhood, at: &[f64]) -> Option<System> {
        let size = 2 + 2 * self.count;
        let total: f64 = near
            .shares
            .iter()
            .map(|(r, s)| s * self.weight[*r as usize])
            .sum();
        if total <= 0.0 {
            return None;
        }
        let mut gram = DMatrix::<f64>::zeros(size, size);
        let mut right = DVector::<f64>::zeros(size);
        let mut line = vec![0.0; size];
        for (row, share) in near.shares {
            let i = *row as usize;
            let a = share * self.weight[i] / total;
            self.line(i, at, &mut line);
            let columns = gram.as_mut_slice().chunks_exact_mut(size);
            for (j, (column, l)) in columns.zip(&line).enumerate() {
                let scaled = a * l;
                right[j] += scaled * self.y[i];
                for (sum, l) in column[j..].iter_mut().zip(&line[j..]) {
                    *sum += scaled * l;
                }
            }
        }
        gram.fill_upper_triangle_with_lower_triangle();
        let variance = gram[(1, 1)] - gram[(1, 0)] * gram[(1, 0)];
        (variance > CANCELLED * gram[(1, 1)]).then_some(System {
            gram,
            right,
            variance,
            total,
        })
    }

    /// What each neighbour moves the effect by: `e_w' (G + Λ)⁻¹ l_i α_i (y_i − l_i'β)`.
    fn influence(
        &self,
        near: &Neighbourhood,
        at: &[f64],
        system: &System,
        root: &Cholesky<f64, Dyn>,
    ) -> Vec<f64> {
        let size = system.right.len();
        let solved = root.solve(&system.right);
        let mut treatment = DVector::<f64>::zeros(size);
        treatment[1] = 1.0;
        let weights = root.solve(&treatment);
        let mut line = vec![0.0; size];
        let mut of = |row: &u32| {
            let i = *row as usize;
            self.line(i, at, &mut line);
            let dot = |v: &DVector<f64>| line.iter().zip(v).map(|(a, b)| a * b).sum::<f64>();
            self.weight[i] / system.total * dot(&weights) * (self.y[i] - dot(&solved))
        };
        near.shares.iter().map(|(row, _)| of(row)).collect()
    }

    fn line(&self, row: usize, at: &[f64], line: &mut [f64]) {
        line[0] = 1.0;
        line[1] = self.w[row];
        let x = &self.x[row * self.count..][..self.count];
        for (k, (x, at)) in x.iter().zip(at).enumerate() {
            line[2 + k] = x - at;
            line[2 + self.count + k] = (x - at) * self.w[row];
        }
    }

    /// The effect at a place with the variance of little bags.
    fn predicted(&self, near: &Neighbourhood, at: &[f64], penalty: f64, bag: usize) -> Predicted {
        let solved = self.system(near, at).and_then(|system| {
            let root = system.root(penalty, self.count)?;
            Some((
                system.effect(&root)?,
                self.influence(near, at, &system, &root),
            ))
        });
        let Some((estimate, influence)) = solved else {
            return Predicted::default();
        };
        let place = |row: &u32| near.shares.binary_search_by_key(row, |(r, _)| *r);
        let (mut between, mut total, mut bags) = (0.0, 0.0, 0.0);
        let size = bag as f64;
        for trees in near.leaves.chunks(bag) {
            if trees.iter().any(|members| members.is_empty()) {
                continue;
            }
            let (mut sum, mut squares) = (0.0, 0.0);
            for members in trees {
                let moved = members.iter().filter_map(|row| place(row).ok());
                let moved: f64 = moved.map(|p| influence[p]).sum::<f64>() / members.len() as f64;
                sum += moved;
                squares += moved * moved;
            }
            between += (sum / size).powi(2);
            total += squares / size;
            bags += 1.0;
        }
        Predicted {
            estimate,
            variance: debiased(between / bags, total / bags, size, bags),
            known: true,
        }
    }
}

impl CausalForestFit {
    /// Effects at the rows of a frame that has the features, corrected by a local linear regression in some of them (all numbers for an empty
    /// list): with forest weights α(x) and `d = X − x`, the coefficient τ of
    ///
    /// `min Σ_i α_i(x) (Ỹ_i − c − τ W̃_i − d_i'β − W̃_i d_i'δ)² + λ |β|² + λ Var_α(W̃) |δ|²`,
    ///
    /// d in standard deviations of the features. Where effects are smooth, leaves are too flat: the correction takes away the slope across a leaf,
    /// most at the edges of the data. λ is given, or chosen by the R-loss of out-of-bag effects (on at most 1 000 rows); larger ones come
    /// closer to [`CausalForestFit::predict`]. Variances are those of little bags with the influence of each row on τ.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let made = HeterogeneousEffects::new(EffectDesign::NieWagerB).customers(600).seed(7).simulate()?;
    /// let features: Vec<String> = (1..=5).map(|j| format!("x{j}")).collect();
    /// let forest = CausalForest::new("y", "w", &features).nuisances(ForestNuisances::OutOfBag).trees(100).seed(7);
    /// let fit = forest.fit(&made.data)?;
    /// let straight = fit.predict_local_linear(&made.data, &["x1", "x2"], Some(0.1))?;
    /// assert_eq!(straight.len(), 600);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after [`CausalForestFit::lean`] or from a file; [`Error::InvalidOption`] for an instrumental forest, a column that is no
    /// feature or no number, or a penalty that is not positive; those of [`CausalForestFit::predict`].
    ///
    /// # References
    /// Friedberg, Tibshirani, Athey & Wager (2021), *JCGS* 30(2), doi:10.1080/10618600.2020.1831930.
    pub fn predict_local_linear(
        &self,
        frame: &Frame,
        columns: &[&str],
        penalty: Option<f64>,
    ) -> Result<ForestPrediction> {
        if self.forest.instrument.is_some() {
            return Err(Error::invalid_option(
                "predict_local_linear",
                "an instrumental forest",
                "a forest without instrument",
            ));
        }
        if let Some(given) = penalty.filter(|p| !(*p > 0.0 && p.is_finite())) {
            return Err(Error::invalid_option("penalty", given, "above 0"));
        }
        let trained = self.frame.as_ref().ok_or_else(|| Error::DataNotKept {
            what: "a local linear correction".to_owned(),
            remedy: "fit the forest again, or use .predict()".to_owned(),
        })?;
        let rows = if self.sample.kept.is_empty() {
            Rows::all(trained.rows())
        } else {
            Rows::some(trained.rows(), self.sample.kept.clone())
        };
        let known = Features::matching(trained, &self.info)?.gather(&rows)?;
        let new = Features::matching(frame, &self.info)?;
        let scale = Scale::new(&known, columns)?;
        let weight = |i: usize| self.sample.weights.as_ref().map_or(1.0, |w| w[i]);
        let residual = |i: usize| self.sample.outcome[i] - self.sample.outcome_hat[i];
        let n = self.rows();
        let locals = Locals {
            y: (0..n).map(residual).collect(),
            w: (0..n)
                .map(|i| self.sample.treatment[i] - self.sample.propensity[i])
                .collect(),
            weight: (0..n).map(weight).collect(),
            x: scale.rows(&known),
            count: scale.columns.len(),
        };
        let codes = Codes::cut(&known, &self.cuts);
        let (groves, seen) = self.groves(&known, &codes, &locals)?;
        let penalty = match penalty {
            Some(given) => given,
            None => self.penalty(&groves, &seen, &codes, &locals),
        };
        let x = scale.rows(&new);
        let (count, bag) = (scale.columns.len(), self.ensemble.bag);
        let cut = Codes::cut(&new, &self.cuts);
        let mut predicted = ask(&groves, n, &cut, None, |row, near| {
            locals.predicted(near, &x[row * count..][..count], penalty, bag)
        });
        let overall = self.ensemble.overall[0];
        for p in predicted.iter_mut().filter(|p| !p.known) {
            (p.estimate, p.variance) = (overall, f64::INFINITY);
        }
        Ok(prediction(&predicted, new.unseen()))
    }

    /// The trees with the rows in their leaves: what each has drawn follows from the seed.
    fn groves(
        &self,
        features: &Features,
        codes: &Codes,
        locals: &Locals,
    ) -> Result<(Vec<Grove>, Seen)> {
        let (plan, seed) = self.forest.drawing()?;
        let clusters = self.sample.clusters.as_ref();
        let units = Binned::units(features.rows(), clusters);
        let drawn = crate::numeric::blocks::map(plan.bags, |bag| {
            let drawn = plan.draws(&units, bag, seed).zip(bag * plan.sampling.bag..);
            let filled = drawn.map(|((drawn, _), t)| {
                let mut fill = drawn.fill;
                fill.retain(|row| locals.weight[*row as usize] > 0.0);
                let grove = Grove::of(self.ensemble.trees[t].clone(), &fill, codes);
                (grove, drawn.seen)
            });
            filled.collect::<Vec<_>>()
        });
        let (groves, seen) = drawn.into_iter().flatten().unzip();
        Ok((groves, Seen(seen)))
    }

    /// The penalty with the least R-loss out of bag, on evenly spaced rows.
    fn penalty(&self, groves: &[Grove], seen: &Seen, codes: &Codes, locals: &Locals) -> f64 {
        let n = self.rows();
        let step = n.div_ceil(COMPARED).max(1);
        let losses = ask(groves, n, codes, Some(seen), |row, near| {
            if row % step != 0 {
                return [0.0; PENALTIES.len()];
            }
            let at = &locals.x[row * locals.count..][..locals.count];
            let system = locals.system(near, at);
            PENALTIES.map(|penalty| {
                let tau = system
                    .as_ref()
                    .and_then(|s| s.effect(&s.root(penalty, locals.count)?))
                    .unwrap_or(self.ensemble.overall[0]);
                locals.weight[row] * (locals.y[row] - tau * locals.w[row]).powi(2)
            })
        });
        let mut best = (f64::INFINITY, PENALTIES[0]);
        for (k, penalty) in PENALTIES.iter().enumerate() {
            let loss: f64 = losses.iter().map(|l| l[k]).sum();
            if loss < best.0 {
                best = (loss, *penalty);
            }
        }
        best.1
    }
}
