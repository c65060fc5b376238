//! The observed information by Louis' identity, from the sums of one pass.

use super::complete;
use super::grid::{Grid, Tables};
use super::marginal::{Expected, Marginal};
use crate::summary::gram::{packed_index, unpack};
use nalgebra::DMatrix;

impl Marginal<'_> {
    /// The gradient and minus the Hessian of the log-likelihood with respect to the working coefficients:
    /// `−E[∇²ℓ_c] − Σ_i w_i (E[s s' | y_i] − s̄_i s̄_i')` (Louis 1982).
    pub(super) fn derivatives(
        &self,
        phi: &[f64],
        grid: &Grid,
        expected: &Expected,
    ) -> (Vec<f64>, DMatrix<f64>) {
        let s = self.structure;
        let (start, all) = (s.population_start(), s.coefficients.len());
        let tables = Tables::new(s, phi, &self.answers, grid, true);
        let mut information = unpack(&expected.outer, all);
        let mut gradient = vec![0.0; all];
        let mut missing = MissingInformation::new(self, &tables, expected, grid.nodes.len());
        for k in 0..s.items() {
            let at = s.offsets[k];
            let complete = complete::item(self, k, &phi[at..s.offsets[k + 1]], grid, expected);
            for i in 0..s.width(k) {
                gradient[at + i] = complete.gradient[i];
                for j in 0..s.width(k) {
                    information[(at + i, at + j)] +=
                        complete.information[(i, j)] - missing.own(k, i, j);
                }
            }
            for l in 0..k {
                let block = missing.pair(k, l);
                let other = s.offsets[l];
                for i in 0..s.width(k) {
                    for j in 0..s.width(l) {
                        information[(at + i, other + j)] -= block[i * s.width(l) + j];
                        information[(other + j, at + i)] -= block[i * s.width(l) + j];
                    }
                }
            }
        }
        for i in 0..all - start {
            gradient[start + i] = expected.population_gradient[i];
            for j in 0..start {
                information[(start + i, j)] -= expected.cross[(i, j)];
                information[(j, start + i)] -= expected.cross[(i, j)];
            }
            for j in 0..all - start {
                information[(start + i, start + j)] +=
                    expected.population_information[(i, j)] - expected.square[(i, j)];
            }
        }
        (gradient, information)
    }
}

/// The part of the complete information that unseen abilities take away, `Σ_i w_i E[s s' | y_i]`, item by item. With the gradient
/// `G_b` of the commonest answer and the differences `d_c = G_c − G_b`, a score is `s_k = G_kb + Σ_c 1{y_k = c} d_kc`, so that pairs of answers
/// are needed only where neither is the commonest.
struct MissingInformation<'a> {
    marginal: &'a Marginal<'a>,
    tables: &'a Tables,
    expected: &'a Expected,
    nodes: usize,
    /// `Σ_c R_kc(q) G_kc(q)` of each coefficient.
    means: Vec<Vec<f64>>,
    /// Zeros: the gradient of a missing answer.
    work: Vec<f64>,
}

impl<'a> MissingInformation<'a> {
    fn new(
        marginal: &'a Marginal<'a>,
        tables: &'a Tables,
        expected: &'a Expected,
        nodes: usize,
    ) -> Self {
        let s = marginal.structure;
        let mut means = vec![];
        for k in 0..s.items() {
            let width = s.width(k);
            for j in 0..width {
                let mut mean = vec![0.0; nodes];
                for c in 0..=s.cuts[k] {
                    let counts = &expected.counts[(tables.rows[k] + c) * nodes..][..nodes];
                    let row = tables.gradient(k, width, c, j);
                    for ((m, r), g) in mean.iter_mut().zip(counts).zip(row) {
                        *m += r * g;
                    }
                }
                means.push(mean);
            }
        }
        Self {
            marginal,
            tables,
            expected,
            nodes,
            means,
            work: vec![],
        }
    }

    /// `Σ E[s_i s_j]` of two coefficients of one item.
    fn own(&self, k: usize, i: usize, j: usize) -> f64 {
        let width = self.marginal.structure.width(k);
        (0..=self.marginal.structure.cuts[k])
            .map(|c| {
                let counts =
                    &self.expected.counts[(self.tables.rows[k] + c) * self.nodes..][..self.nodes];
                let (a, b) = (
                    self.tables.gradient(k, width, c, i),
                    self.tables.gradient(k, width, c, j),
                );
                counts
                    .iter()
                    .zip(a)
                    .zip(b)
                    .map(|((r, a), b)| r * a * b)
                    .sum::<f64>()
            })
            .sum()
    }

    /// The difference of the gradients of an answer and the commonest; the gradient of a missing answer is zero in the tables.
    fn difference(&self, item: usize, category: usize, j: usize, q: usize) -> f64 {
        let width = self.marginal.structure.width(item);
        self.tables.gradient(item, width, category, j)[q] - self.base(item, j, q)
    }

    fn base(&self, item: usize, j: usize, q: usize) -> f64 {
        let width = self.marginal.structure.width(item);
        self.tables
            .gradient(item, width, self.marginal.common[item], j)[q]
    }

    /// `Σ E[s_k s_l']` of two items, row by row.
    fn pair(&mut self, k: usize, l: usize) -> Vec<f64> {
        let m = self.marginal;
        let s = m.structure;
        let (wide, tall) = (s.width(l), s.width(k));
        let (first_k, first_l) = (s.offsets[k], s.offsets[l]);
        let mut out = vec![0.0; tall * wide];
        let others = |item: usize| {
            (0..m.answers[item]).filter_map(move |c| m.indicator(item, c).map(|u| (c, u)))
        };
        self.work.resize(wide, 0.0);
        for q in 0..self.nodes {
            let total = self.expected.total[q];
            if total <= 0.0 {
                continue;
            }
            for i in 0..tall {
                let (base, mean) = (self.base(k, i, q), self.means[first_k + i][q]);
                for j in 0..wide {
                    let other = self.means[first_l + j][q] - total * self.base(l, j, q);
                    out[i * wide + j] += mean * self.base(l, j, q) + base * other;
                }
            }
            for (c, u) in others(k) {
                for j in 0..wide {
                    self.work[j] = others(l)
                        .map(|(d, v)| {
                            self.expected.pairs[packed_index(u, v) * self.nodes + q]
                                * self.difference(l, d, j, q)
                        })
                        .sum();
                }
                for i in 0..tall {
                    let slope = self.difference(k, c, i, q);
                    for j in 0..wide {
                        out[i * wide + j] += slope * self.work[j];
                    }
                }
            }
        }
        out
    }
}
