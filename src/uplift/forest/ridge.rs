//! Local ridge regressions: the slope that the leaves of a forest leave, of an outcome or of the effect of a treatment.

use super::codes::Codes;
use super::ensemble::Predicted;
use super::moment::CANCELLED;
use super::neighbours::{Grove, Neighbourhood, ask};
use super::plan::Seen;
use crate::error::{Error, Result};
use crate::regression::learners::Features;
use crate::regression::learners::features::Values;
use nalgebra::{Cholesky, DMatrix, DVector, Dyn};
use serde::{Deserialize, Serialize};

/// Penalties that are tried, in units of the features' variances.
const PENALTIES: [f64; 10] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0];
/// Rows on which penalties are compared: enough to tell one power of three from the next.
const COMPARED: usize = 1000;

/// The rows of local regressions: outcome, treatment if the effect of one is sought, weight, and the features that are corrected for, standardised.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Locals {
    pub(super) y: Vec<f64>,
    pub(super) w: Option<Vec<f64>>,
    pub(super) weight: Vec<f64>,
    /// Row by row.
    pub(super) x: Vec<f64>,
    pub(super) count: usize,
}

/// Numbers in standard deviations from a value of the column, row by row; a missing one is at the mean. Only differences matter: from a value
/// that is there they are as exact as the data, wherever the column has its zero.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Scale {
    columns: Vec<usize>,
    origins: Vec<f64>,
    /// Of the mean from the origin, in standard deviations.
    offsets: Vec<f64>,
    spreads: Vec<f64>,
}

/// A local regression before its penalty.
struct System {
    gram: DMatrix<f64>,
    right: DVector<f64>,
    /// Columns before the slopes: 1, and the treatment if there is one. The last has the sought coefficient.
    heads: usize,
    /// Of the treatment.
    variance: f64,
    total: f64,
}

impl System {
    /// With a ridge `λ` on the slopes of d and `λ Var(w)` on those of d w.
    fn root(&self, penalty: f64) -> Option<Cholesky<f64, Dyn>> {
        let mut gram = self.gram.clone();
        let count = gram.nrows() / self.heads - 1;
        for k in self.heads..gram.nrows() {
            let scale = if k < self.heads + count {
                1.0
            } else {
                self.variance
            };
            gram[(k, k)] += penalty * scale;
        }
        gram.cholesky()
    }

    /// The coefficient of the last head.
    fn sought(&self, root: &Cholesky<f64, Dyn>) -> Option<f64> {
        Some(root.solve(&self.right)[self.heads - 1]).filter(|found| found.is_finite())
    }
}

impl Scale {
    /// Of the rows in use, each with its weight.
    pub(super) fn new<S: AsRef<str>>(
        features: &Features,
        wanted: &[S],
        weights: &[f64],
    ) -> Result<Self> {
        let names = features.names();
        let mut columns = Vec::new();
        for name in wanted {
            let name = name.as_ref();
            let at = names.iter().position(|n| *n == name);
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
        let mut scale = Self {
            columns,
            origins: vec![],
            offsets: vec![],
            spreads: vec![],
        };
        for j in &scale.columns {
            let Values::Number(x) = &features.values()[*j] else {
                return Err(Error::invalid_option(
                    "columns",
                    format!("with the label `{}`", names[*j]),
                    "numbers: a label has no slope",
                ));
            };
            let known = x.iter().copied().zip(weights.iter().copied());
            let known = known.filter(|(v, w)| !v.is_nan() && *w > 0.0).collect();
            let [origin, offset, spread] = spread(known);
            scale.origins.push(origin);
            scale.offsets.push(offset);
            scale.spreads.push(spread);
        }
        Ok(scale)
    }

    /// Whether its parts are those of so many features.
    pub(super) fn is_sound(&self, features: usize) -> bool {
        self.columns.iter().all(|j| *j < features)
            && self.origins.len() == self.columns.len()
            && self.offsets.len() == self.columns.len()
            && self.spreads.len() == self.columns.len()
    }

    /// Features in use.
    pub(super) fn count(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn rows(&self, features: &Features) -> Vec<f64> {
        let count = self.columns.len();
        let mut out = vec![0.0; features.rows() * count];
        for (k, j) in self.columns.iter().enumerate() {
            let Values::Number(x) = &features.values()[*j] else {
                continue;
            };
            // A column that did not vary has no slope, whatever it is later.
            if self.spreads[k] <= 0.0 {
                continue;
            }
            for (row, v) in x.iter().enumerate() {
                out[row * count + k] = if v.is_nan() {
                    self.offsets[k]
                } else {
                    (v - self.origins[k]) / self.spreads[k]
                };
            }
        }
        out
    }
}

/// The median of numbers with positive weights, their standard deviation, and how many of these their mean is away from the median.
fn spread(mut known: Vec<(f64, f64)>) -> [f64; 3] {
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some((origin, _)) = known.get(known.len() / 2).copied() else {
        return [0.0; 3];
    };
    let furthest = (known.iter()).fold(0.0_f64, |most, (v, _)| most.max((v - origin).abs()));
    if !(furthest > 0.0 && furthest.is_finite()) {
        return [origin, 0.0, 0.0];
    }
    // Shares of the furthest have squares that neither overflow nor vanish.
    let total: f64 = known.iter().map(|(_, w)| w).sum();
    let gaps = || {
        known
            .iter()
            .map(|(v, w)| ((v - origin) / furthest, w / total))
    };
    let mean: f64 = gaps().map(|(gap, share)| share * gap).sum();
    let variance: f64 = gaps()
        .map(|(gap, share)| share * (gap - mean).powi(2))
        .sum();
    let spread = variance.sqrt();
    if spread > 0.0 {
        [origin, mean / spread, furthest * spread]
    } else {
        [origin, 0.0, 0.0]
    }
}

impl Locals {
    /// Whether its parts are those of so many rows.
    pub(super) fn is_sound(&self, rows: usize) -> bool {
        self.y.len() == rows
            && self.weight.len() == rows
            && self.x.len() == rows * self.count
            && self.w.as_ref().is_none_or(|w| w.len() == rows)
    }

    /// The weighted squares and products of `1, d`, or of `1, w, d, d w`, for `d = x − x₀`. None where the treatment does not vary.
    fn system(&self, near: &Neighbourhood, at: &[f64]) -> Option<System> {
        let heads = 1 + usize::from(self.w.is_some());
        let size = heads * (1 + self.count);
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
        let mut variance = 1.0;
        if heads > 1 {
            variance = gram[(1, 1)] - gram[(1, 0)] * gram[(1, 0)];
            if variance <= CANCELLED * gram[(1, 1)] {
                return None;
            }
        }
        Some(System {
            gram,
            right,
            heads,
            variance,
            total,
        })
    }

    /// What each neighbour moves the sought coefficient by: `e' (G + Λ)⁻¹ l_i α_i (y_i − l_i'β)`.
    fn influence(
        &self,
        near: &Neighbourhood,
        at: &[f64],
        system: &System,
        root: &Cholesky<f64, Dyn>,
    ) -> Vec<f64> {
        let size = system.right.len();
        let solved = root.solve(&system.right);
        let mut sought = DVector::<f64>::zeros(size);
        sought[system.heads - 1] = 1.0;
        let weights = root.solve(&sought);
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
        let x = &self.x[row * self.count..][..self.count];
        let steps = || x.iter().zip(at).map(|(x, at)| x - at);
        line[0] = 1.0;
        let Some(w) = self.w.as_ref().map(|w| w[row]) else {
            for (l, step) in line[1..].iter_mut().zip(steps()) {
                *l = step;
            }
            return;
        };
        line[1] = w;
        for (k, step) in steps().enumerate() {
            line[2 + k] = step;
            line[2 + self.count + k] = step * w;
        }
    }

    /// The sought coefficient at a place with the variance of little bags; not known where the neighbours do not determine it.
    pub(super) fn predicted(
        &self,
        near: &Neighbourhood,
        at: &[f64],
        penalty: f64,
        bag: usize,
    ) -> Predicted {
        let solved = self.system(near, at).and_then(|system| {
            let root = system.root(penalty)?;
            let estimate = system.sought(&root)?;
            Some((estimate, self.influence(near, at, &system, &root)))
        });
        solved.map_or_else(Predicted::default, |(estimate, influence)| Predicted {
            estimate,
            variance: near.variance(&influence, bag),
            known: true,
        })
    }

    /// The penalty with the least squared error out of bag, on evenly spaced rows; `overall` is predicted where neighbours do not tell.
    pub(super) fn penalty(
        &self,
        groves: &[Grove],
        seen: &Seen,
        codes: &Codes,
        overall: f64,
    ) -> f64 {
        let n = self.y.len();
        let step = n.div_ceil(COMPARED).max(1);
        let losses = ask(groves, n, codes, Some(seen), |row, near| {
            if row % step != 0 {
                return [0.0; PENALTIES.len()];
            }
            let at = &self.x[row * self.count..][..self.count];
            let system = self.system(near, at);
            let by = self.w.as_ref().map_or(1.0, |w| w[row]);
            PENALTIES.map(|penalty| {
                let found = (system.as_ref())
                    .and_then(|s| s.sought(&s.root(penalty)?))
                    .unwrap_or(overall);
                self.weight[row] * (self.y[row] - found * by).powi(2)
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

/// Refuses a penalty that is not positive.
pub(super) fn check_penalty(option: &str, penalty: Option<f64>) -> Result<()> {
    match penalty.filter(|p| !(*p > 0.0 && p.is_finite())) {
        Some(given) => Err(Error::invalid_option(option, given, "above 0")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn numbers(value: &Value) -> Vec<f64> {
        match value {
            Value::Array(all) => all.iter().flat_map(numbers).collect(),
            other => vec![other.as_f64().unwrap()],
        }
    }

    /// Least squares of stacked rows, from numpy.
    #[test]
    fn local_regressions_are_dense_ones_with_the_same_weights() {
        let text = include_str!("../../../tests/reference/forest_outcomes.json");
        let fixture: Value = serde_json::from_str(text).unwrap();
        for case in fixture["values"]["local"].as_array().unwrap() {
            let [y, w, weight, x, place, share] =
                ["y", "w", "weight", "x", "place", "share"].map(|name| numbers(&case[name]));
            let locals = Locals {
                y,
                w: (!w.is_empty()).then_some(w),
                weight,
                x,
                count: place.len(),
            };
            let shares: Vec<(u32, f64)> = (0..).zip(share).collect();
            let near = Neighbourhood {
                shares: &shares,
                leaves: &[],
            };
            let penalty = case["penalty"].as_f64().unwrap();
            let found = locals.predicted(&near, &place, penalty, 2);
            let want = case["found"].as_f64().unwrap();
            assert!(found.known && (found.estimate - want).abs() < 1e-9 * want.abs());
        }
    }
}
