//! The normal equations of two or more sets of effects, with the largest set eliminated.
//!
//! Writing `D₁` for the dummies of the largest effect and `D₂` for all others, the coefficients of `D₂` solve
//! `S α₂ = D₂'W M₁ y` with the Schur complement `S = D₂'W M₁ D₂`, `M₁` taking off group means of the first effect. `S` is a
//! graph Laplacian; it is applied in one pass over the rows sorted by the first effect and the system is solved by conjugate
//! gradients with the exact diagonal as preconditioner. Groups of the first effect in which the others do not vary (stayers)
//! drop out of `S` and are skipped. Four columns travel together.

use crate::data::Groups;
use crate::error::{Error, Result};
use crate::numeric::{Progress, blocks};
use std::ops::Range;

/// Columns solved together: one cache line holds two rows of them.
pub(super) const LANES: usize = 4;

/// One number per column.
pub(super) type Lanes = [f64; LANES];

/// Relative size of the preconditioned residual at which a column is done. The error of the projection is at most this over
/// the square root of the smallest eigenvalue, which is 1e-7 on the worst graphs.
const TOLERANCE: f64 = 1e-12;

/// The same relative to the column itself: a column that the effects span leaves only rounding, on which no iteration converges.
const ROUNDING: f64 = 8.0 * f64::EPSILON;

/// Iterations after which the graph is declared too hard.
const MOST_ITERATIONS: usize = 20_000;

/// Most blocks of rows whose partial sums are kept apart.
const MOST_BLOCKS: usize = 8;

/// Smallest number of rows worth a block of its own.
const LEAST_ROWS: usize = 20_000;

pub(super) struct System {
    /// Row at each sorted position; none when the rows are sorted already.
    order: Option<Vec<u32>>,
    /// First sorted position of each group of the eliminated effect, and the end.
    starts: Vec<u32>,
    /// Codes of the other effects by sorted position, each shifted past the levels of those before it.
    others: Vec<Vec<u32>>,
    weights: Option<Vec<f64>>,
    group_weight: Vec<f64>,
    /// Inverse diagonal of S; zero for a level that never meets another.
    inverse_diagonal: Vec<f64>,
    /// Groups in which the other effects vary, cut into blocks.
    active: Vec<u32>,
    blocks: Vec<Range<usize>>,
}

impl System {
    pub(super) fn new(effects: &[Groups], weights: Option<&[f64]>) -> Self {
        let first = (0..effects.len())
            .max_by_key(|k| effects[*k].count())
            .unwrap_or(0);
        let codes = &effects[first].codes;
        let mut starts = vec![0_u32; effects[first].count() + 1];
        for code in codes.iter() {
            starts[*code as usize + 1] += 1;
        }
        for g in 1..starts.len() {
            starts[g] += starts[g - 1];
        }
        let order = (!codes.is_sorted()).then(|| counting_order(codes, &starts));
        let mut offset = 0;
        let mut others = Vec::new();
        for (k, effect) in effects.iter().enumerate() {
            if k != first {
                others.push(sorted(&effect.codes, order.as_deref(), |code| {
                    code + offset
                }));
                offset += effect.count() as u32;
            }
        }
        let weights = weights.map(|w| sorted(w, order.as_deref(), |w| w));
        let mut system = Self {
            order,
            starts,
            others,
            weights,
            group_weight: vec![],
            inverse_diagonal: vec![0.0; offset as usize],
            active: vec![],
            blocks: vec![],
        };
        system.prepare();
        system
    }

    /// Group weights, the groups that matter, the diagonal of S and the cut into blocks.
    fn prepare(&mut self) {
        let groups = self.starts.len() - 1;
        self.group_weight = (0..groups)
            .map(|g| self.range(g).map(|r| self.weight(r)).sum())
            .collect();
        let varies = |g: usize| {
            let range = self.range(g);
            self.others.iter().any(|codes| {
                let codes = &codes[range.clone()];
                codes.iter().any(|c| *c != codes[0])
            })
        };
        self.active = (0..groups)
            .filter(|g| varies(*g))
            .map(|g| g as u32)
            .collect();
        // Diagonal: Σ_g (w_gj − w_gj²/W_g), with w_gj the weight of level j in group g.
        let mut diagonal = vec![0.0; self.inverse_diagonal.len()];
        let mut inside = vec![0.0; self.inverse_diagonal.len()];
        for &g in &self.active {
            let range = self.range(g as usize);
            for codes in &self.others {
                for (r, code) in range.clone().zip(&codes[range.clone()]) {
                    inside[*code as usize] += self.weight(r);
                }
                for code in &codes[range.clone()] {
                    let w = std::mem::take(&mut inside[*code as usize]);
                    diagonal[*code as usize] += w - w * w / self.group_weight[g as usize];
                }
            }
        }
        self.inverse_diagonal = diagonal
            .iter()
            .map(|d| if *d > 0.0 { 1.0 / d } else { 0.0 })
            .collect();
        let rows: usize = self
            .active
            .iter()
            .map(|g| self.range(*g as usize).len())
            .sum();
        let spread = rows / (2 * self.inverse_diagonal.len()).max(LEAST_ROWS);
        let count = spread.clamp(1, MOST_BLOCKS);
        let mut at = 0;
        for b in 1..=count {
            let start = at;
            let mut filled = 0;
            while at < self.active.len() && (filled < rows.div_ceil(count) || b == count) {
                filled += self.range(self.active[at] as usize).len();
                at += 1;
            }
            self.blocks.push(start..at);
        }
    }

    fn range(&self, group: usize) -> Range<usize> {
        self.starts[group] as usize..self.starts[group + 1] as usize
    }

    fn weight(&self, position: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[position])
    }

    /// Takes the effects off up to four columns in place; `variation` is the sum of squares of each. The columns are read through
    /// the order of the rows, twice: a sorted copy would cost as much and double the memory.
    pub(super) fn residualize(
        &self,
        columns: &mut [Vec<f64>],
        variation: &[f64],
        progress: &Progress,
    ) -> Result<()> {
        let effects = self.solve(columns, variation, progress)?;
        for g in 0..self.group_weight.len() {
            let range = self.range(g);
            let mut mean = [0.0; LANES];
            for position in range.clone() {
                let (row, w) = (self.row(position), self.weight(position));
                let shift = self.sum(&effects, position);
                for ((column, s), m) in columns.iter_mut().zip(&shift).zip(&mut mean) {
                    column[row] -= s;
                    *m += w * column[row];
                }
            }
            let mean = mean.map(|m| m / self.group_weight[g]);
            for position in range {
                let row = self.row(position);
                for (column, m) in columns.iter_mut().zip(&mean) {
                    column[row] -= m;
                }
            }
        }
        Ok(())
    }

    /// The row at a sorted position.
    fn row(&self, position: usize) -> usize {
        self.order
            .as_ref()
            .map_or(position, |order| order[position] as usize)
    }

    /// Coefficients of the other effects, by conjugate gradients.
    fn solve(
        &self,
        columns: &[Vec<f64>],
        variation: &[f64],
        progress: &Progress,
    ) -> Result<Vec<Lanes>> {
        let size = self.inverse_diagonal.len();
        let mut solution = vec![[0.0; LANES]; size];
        // Lanes without a column of their own repeat the first.
        let of = |lane: usize| lane.min(columns.len()) % columns.len();
        let y: [&[f64]; LANES] = std::array::from_fn(|l| columns[of(l)].as_slice());
        let mut residual = self.project(|position| {
            let row = self.row(position);
            y.map(|column| column[row])
        });
        let mut direction: Vec<Lanes> = vec![[0.0; LANES]; size];
        let mut previous = [0.0; LANES];
        let mut first = None;
        let mean_weight = self.group_weight.iter().sum::<f64>() / y[0].len() as f64;
        let size_of: Lanes = std::array::from_fn(|l| variation[of(l)] * mean_weight);
        let mut criterion = 0.0;
        for iteration in 0..MOST_ITERATIONS {
            let mut rz = [0.0; LANES];
            for (r, d) in residual.iter().zip(&self.inverse_diagonal) {
                for (sum, r) in rz.iter_mut().zip(r) {
                    *sum += r * r * d;
                }
            }
            let start = *first.get_or_insert(rz);
            let open: [bool; LANES] = std::array::from_fn(|l| {
                rz[l] > (start[l] * TOLERANCE.powi(2)).max(size_of[l] * ROUNDING.powi(2))
            });
            criterion = (0..LANES)
                .filter(|l| open[*l])
                .map(|l| (rz[l] / start[l]).sqrt())
                .fold(0.0, f64::max);
            if !open.contains(&true) {
                return Ok(solution);
            }
            progress.report("the fixed effects", iteration, 0)?;
            let beta: Lanes = std::array::from_fn(|l| {
                if previous[l] > 0.0 {
                    rz[l] / previous[l]
                } else {
                    0.0
                }
            });
            for ((p, r), d) in direction
                .iter_mut()
                .zip(&residual)
                .zip(&self.inverse_diagonal)
            {
                for l in 0..LANES {
                    p[l] = r[l] * d + beta[l] * p[l];
                }
            }
            let applied = self.project(|position| self.sum(&direction, position));
            let mut curvature = [0.0; LANES];
            for (p, a) in direction.iter().zip(&applied) {
                for l in 0..LANES {
                    curvature[l] += p[l] * a[l];
                }
            }
            let step: Lanes = std::array::from_fn(|l| {
                if open[l] && curvature[l] > 0.0 {
                    rz[l] / curvature[l]
                } else {
                    0.0
                }
            });
            for i in 0..size {
                for l in 0..LANES {
                    solution[i][l] += step[l] * direction[i][l];
                    residual[i][l] -= step[l] * applied[i][l];
                }
            }
            previous = rz;
        }
        Err(Error::NotConverged {
            what: "the projection off the fixed effects".to_owned(),
            iterations: MOST_ITERATIONS,
            criterion,
            tolerance: TOLERANCE,
            remedy: "the effects are almost unconnected: estimate on the largest connected set, or drop an effect".to_owned(),
        })
    }

    /// Sum of the other effects' coefficients at a sorted position.
    fn sum(&self, coefficients: &[Lanes], position: usize) -> Lanes {
        let mut total = [0.0; LANES];
        for codes in &self.others {
            add(&mut total, &coefficients[codes[position] as usize], 1.0);
        }
        total
    }

    /// `D₂'W M₁ v` of a vector given by sorted position.
    fn project(&self, value: impl Fn(usize) -> Lanes + Sync) -> Vec<Lanes> {
        let size = self.inverse_diagonal.len();
        let mut parts = blocks::map(self.blocks.len(), |b| {
            let mut out = vec![[0.0; LANES]; size];
            let mut inside: Vec<Lanes> = Vec::new();
            for &g in &self.active[self.blocks[b].clone()] {
                let range = self.range(g as usize);
                inside.clear();
                let mut mean = [0.0; LANES];
                for position in range.clone() {
                    let v = value(position);
                    add(&mut mean, &v, self.weight(position));
                    inside.push(v);
                }
                let mean = mean.map(|m| m / self.group_weight[g as usize]);
                for (position, v) in range.zip(&inside) {
                    let w = self.weight(position);
                    for codes in &self.others {
                        let slot = &mut out[codes[position] as usize];
                        for l in 0..LANES {
                            slot[l] += w * (v[l] - mean[l]);
                        }
                    }
                }
            }
            out
        })
        .into_iter();
        let mut total = parts.next().unwrap_or_else(|| vec![[0.0; LANES]; size]);
        for part in parts {
            total
                .iter_mut()
                .zip(&part)
                .for_each(|(t, p)| add(t, p, 1.0));
        }
        total
    }
}

/// `a += w b`.
fn add(a: &mut Lanes, b: &Lanes, w: f64) {
    for l in 0..LANES {
        a[l] += w * b[l];
    }
}

/// The rows in the order of their codes, ties in the order of the rows.
fn counting_order(codes: &[u32], starts: &[u32]) -> Vec<u32> {
    let mut next = starts.to_vec();
    let mut order = vec![0; codes.len()];
    for (row, code) in codes.iter().enumerate() {
        let slot = &mut next[*code as usize];
        order[*slot as usize] = row as u32;
        *slot += 1;
    }
    order
}

/// Values by sorted position.
fn sorted<T: Copy, U>(values: &[T], order: Option<&[u32]>, f: impl Fn(T) -> U) -> Vec<U> {
    match order {
        None => values.iter().map(|v| f(*v)).collect(),
        Some(order) => order.iter().map(|row| f(values[*row as usize])).collect(),
    }
}
