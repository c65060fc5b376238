//! The marginal likelihood on a grid of abilities: its value, the expected counts of an EM step, its gradient, and its exact Hessian by
//! Louis' identity.

use super::grid::{Grid, Tables, prior_mean};
use super::posterior::Posterior;
use super::responses::{NO_ANSWER, Responses};
use super::structure::Structure;
use crate::numeric::blocks;
use crate::summary::gram::{TILE, Tile, packed_index, packed_len};
use nalgebra::DMatrix;
use std::ops::Range;

/// Patterns of a parallel block; large tests have large partial results, so there are at most [`MOST_BLOCKS`].
const BLOCK: usize = 2 * TILE;

/// Partial results that may exist at a time.
const MOST_BLOCKS: usize = 16;

/// How much a pass computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// The log-likelihood, expected counts and posterior moments: an E-step.
    Counts,
    /// Also what the Hessian needs.
    Information,
}

/// What a pass sums over patterns.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) value: f64,
    /// `Σ_i w_i p_i(a_q)`.
    pub(super) total: Vec<f64>,
    /// The same over patterns that gave an answer, row by row as in [`Tables`].
    pub(super) counts: Vec<f64>,
    /// The same over patterns that gave two answers, for pairs of answers that are not the commonest of their items.
    pub(super) pairs: Vec<f64>,
    /// `Σ_i w_i s̄_i s̄_i'`, packed, of the scores of patterns.
    pub(super) outer: Vec<f64>,
    /// `Σ_i w_i E[s_population s_items' | y_i]`.
    pub(super) cross: DMatrix<f64>,
    /// `Σ_i w_i E[s_population s_population' | y_i]`.
    pub(super) square: DMatrix<f64>,
    /// The gradient and minus the Hessian of the complete-data log-likelihood with respect to the population.
    pub(super) population_gradient: Vec<f64>,
    pub(super) population_information: DMatrix<f64>,
    /// Posterior mean and variance of each pattern.
    pub(super) posterior: Vec<[f64; 2]>,
}

/// Where a pass stands: working coefficients, nodes, and the items at the nodes.
struct View<'a> {
    phi: &'a [f64],
    grid: &'a Grid,
    tables: &'a Tables,
}

/// The likelihood of answers.
#[derive(Clone, Debug)]
pub(super) struct Marginal<'a> {
    pub(super) structure: &'a Structure,
    pub(super) responses: &'a Responses,
    /// Answers of each item, one more where some skip it.
    pub(super) answers: Vec<usize>,
    /// The commonest answer of each item.
    pub(super) common: Vec<usize>,
    /// The first indicator of each item among all answers that are not the commonest, and their number.
    indicators: Vec<usize>,
}

impl<'a> Marginal<'a> {
    pub(super) fn new(structure: &'a Structure, responses: &'a Responses) -> Self {
        let items = structure.items();
        let mut tallies: Vec<Vec<f64>> = structure
            .cuts
            .iter()
            .map(|cuts| vec![0.0; cuts + 2])
            .collect();
        for pattern in 0..responses.patterns() {
            for (tally, code) in tallies.iter_mut().zip(responses.codes(pattern)) {
                let last = tally.len() - 1;
                tally[if *code == NO_ANSWER {
                    last
                } else {
                    usize::from(*code)
                }] += 1.0;
            }
        }
        let mut out = Self {
            structure,
            responses,
            answers: vec![],
            common: vec![],
            indicators: vec![0],
        };
        for (k, tally) in tallies.iter().enumerate().take(items) {
            let skipped = tally[tally.len() - 1] > 0.0;
            let answers = tally.len() - usize::from(!skipped);
            let common = (0..answers)
                .max_by(|a, b| tally[*a].total_cmp(&tally[*b]))
                .unwrap_or(0);
            out.answers.push(answers);
            out.common.push(common);
            out.indicators.push(out.indicators[k] + answers - 1);
        }
        out
    }

    /// The indicator of an answer, none for the commonest.
    pub(super) fn indicator(&self, item: usize, category: usize) -> Option<usize> {
        let common = self.common[item];
        (category != common)
            .then(|| self.indicators[item] + category - usize::from(category > common))
    }

    /// The row of an answer's code.
    fn category(&self, item: usize, code: u8) -> usize {
        if code == NO_ANSWER {
            self.answers[item] - 1
        } else {
            usize::from(code)
        }
    }

    /// One pass over the patterns at working coefficients `phi`.
    pub(super) fn pass(&self, phi: &[f64], grid: &Grid, order: Order) -> Expected {
        let tables = Tables::new(
            self.structure,
            phi,
            &self.answers,
            grid,
            order == Order::Information,
        );
        let patterns = self.responses.patterns();
        let size = BLOCK.max(patterns.div_ceil(MOST_BLOCKS).next_multiple_of(TILE));
        let view = View {
            phi,
            grid,
            tables: &tables,
        };
        let work = |range: Range<usize>| self.block(range, &view, order);
        blocks::reduce(patterns, size, work, Expected::merge)
            .unwrap_or_else(|| self.empty(&tables, grid, order))
    }

    fn empty(&self, tables: &Tables, grid: &Grid, order: Order) -> Expected {
        let nodes = grid.nodes.len();
        let length = |from: Order, n: usize| if order >= from { n } else { 0 };
        let indicators = self.indicators[self.structure.items()];
        let items = self.structure.population_start();
        let all = self.structure.coefficients.len();
        let population = all - items;
        let full = length(Order::Information, 1);
        Expected {
            value: 0.0,
            total: vec![0.0; length(Order::Counts, nodes)],
            counts: vec![0.0; length(Order::Counts, tables.rows[self.structure.items()] * nodes)],
            pairs: vec![0.0; length(Order::Information, packed_len(indicators) * nodes)],
            outer: vec![0.0; length(Order::Information, packed_len(all))],
            cross: DMatrix::zeros(population * full, items * full),
            square: DMatrix::zeros(population * full, population * full),
            population_gradient: vec![0.0; length(Order::Counts, population)],
            population_information: DMatrix::zeros(population, population),
            posterior: vec![],
        }
    }

    /// The sums over some patterns.
    fn block(&self, range: Range<usize>, view: &View<'_>, order: Order) -> Expected {
        let View { phi, grid, tables } = *view;
        let mut out = self.empty(tables, grid, order);
        let free = self.structure.has_free_population();
        let mut posterior = Posterior::new(grid.nodes.len());
        let scored = order == Order::Information;
        let mut tile = Tile::new(if scored {
            self.structure.coefficients.len()
        } else {
            0
        });
        let mut score = vec![
            0.0;
            if scored {
                self.structure.coefficients.len()
            } else {
                0
            }
        ];
        let mut active: Vec<usize> = vec![];
        for rows in blocks::ranges(range.len(), TILE) {
            let len = rows.len();
            for (row, i) in rows.enumerate() {
                let pattern = range.start + i;
                let weight = self.responses.weight(pattern);
                let ln = self.posterior(pattern, view, &mut posterior);
                out.value += weight * ln;
                self.count(pattern, weight, tables, &posterior, &mut out);
                self.moments(pattern, phi, grid, &posterior, &mut out);
                if !scored {
                    continue;
                }
                self.pair(pattern, weight, &posterior, &mut active, &mut out.pairs);
                score.fill(0.0);
                self.score(pattern, tables, &posterior, &mut score);
                if free {
                    self.cross(pattern, view, weight, &posterior, &mut score, &mut out);
                }
                let root = weight.sqrt();
                for (j, s) in score.iter().enumerate() {
                    tile.column_mut(j)[row] = root * s;
                }
            }
            if scored {
                tile.clear_from(len);
                tile.add_gram(&mut out.outer);
            }
        }
        out
    }

    /// The posterior of a pattern over the nodes; returns its log-likelihood.
    fn posterior(&self, pattern: usize, view: &View<'_>, posterior: &mut Posterior) -> f64 {
        let View { phi, grid, tables } = *view;
        let group = self.responses.group(pattern);
        let mean = prior_mean(self.structure, phi, self.responses, pattern);
        let ln_sd = phi[self.structure.scale_at(group)];
        posterior.set_prior(grid, mean, ln_sd);
        for (k, code) in self.responses.codes(pattern).iter().enumerate() {
            if *code == NO_ANSWER {
                continue;
            }
            let row = tables.ln(k, usize::from(*code));
            for (v, ln) in posterior.weights.iter_mut().zip(row) {
                *v += ln;
            }
        }
        posterior.normalize()
    }

    /// Adds the posterior to the counts of the answers.
    fn count(
        &self,
        pattern: usize,
        weight: f64,
        tables: &Tables,
        posterior: &Posterior,
        out: &mut Expected,
    ) {
        let nodes = posterior.weights.len();
        let window = posterior.window.clone();
        let p = &posterior.weights[window.clone()];
        add_scaled(&mut out.total[window.clone()], weight, p);
        for (k, code) in self.responses.codes(pattern).iter().enumerate() {
            if *code == NO_ANSWER {
                continue;
            }
            let from = (tables.rows[k] + usize::from(*code)) * nodes;
            add_scaled(
                &mut out.counts[from + window.start..from + window.end],
                weight,
                p,
            );
        }
    }

    /// Adds the posterior to the counts of pairs of answers.
    fn pair(
        &self,
        pattern: usize,
        weight: f64,
        posterior: &Posterior,
        active: &mut Vec<usize>,
        pairs: &mut [f64],
    ) {
        let nodes = posterior.weights.len();
        let window = posterior.window.clone();
        let p = &posterior.weights[window.clone()];
        active.clear();
        for (k, code) in self.responses.codes(pattern).iter().enumerate() {
            active.extend(self.indicator(k, self.category(k, *code)));
        }
        for (i, a) in active.iter().enumerate() {
            let row = packed_index(*a, 0);
            for b in &active[..i] {
                let from = (row + b) * nodes;
                add_scaled(
                    &mut pairs[from + window.start..from + window.end],
                    weight,
                    p,
                );
            }
        }
    }

    /// `E[s | y]` of the items' coefficients.
    fn score(&self, pattern: usize, tables: &Tables, posterior: &Posterior, score: &mut [f64]) {
        let window = posterior.window.clone();
        let p = &posterior.weights[window.clone()];
        for (k, code) in self.responses.codes(pattern).iter().enumerate() {
            if *code == NO_ANSWER {
                continue;
            }
            let at = self.structure.offsets[k];
            let width = self.structure.width(k);
            for j in 0..width {
                let row = tables.gradient(k, width, usize::from(*code), j);
                score[at + j] = dot(p, &row[window.clone()]);
            }
        }
    }

    /// Adds the gradient and information of the complete data about the population, and keeps the posterior moments.
    fn moments(
        &self,
        pattern: usize,
        phi: &[f64],
        grid: &Grid,
        posterior: &Posterior,
        out: &mut Expected,
    ) {
        let s = self.structure;
        let weight = self.responses.weight(pattern);
        let group = self.responses.group(pattern);
        let mean = prior_mean(s, phi, self.responses, pattern);
        let precision = (-2.0 * phi[s.scale_at(group)]).exp();
        let (mut first, mut second) = (0.0, 0.0);
        for q in posterior.window.clone() {
            let gap = grid.nodes[q] - mean;
            first += posterior.weights[q] * gap;
            second += posterior.weights[q] * gap * gap;
        }
        out.posterior.push([mean + first, second - first * first]);
        if !s.has_free_population() {
            return;
        }
        let (u, z) = (first * precision, second * precision);
        let loadings = self.loadings(pattern);
        let scale = s.groups + group;
        out.population_gradient[scale] += weight * (z - 1.0);
        out.population_information[(scale, scale)] += weight * 2.0 * z;
        for (i, x) in &loadings {
            out.population_gradient[*i] += weight * x * u;
            out.population_information[(*i, scale)] += weight * 2.0 * x * u;
            out.population_information[(scale, *i)] += weight * 2.0 * x * u;
            for (j, y) in &loadings {
                out.population_information[(*i, *j)] += weight * x * y * precision;
            }
        }
    }

    /// The population coefficients that the mean of a pattern loads on, counted from the population's first.
    pub(super) fn loadings(&self, pattern: usize) -> Vec<(usize, f64)> {
        let slopes = self.responses.covariates(pattern).iter().enumerate();
        std::iter::once((self.responses.group(pattern), 1.0))
            .chain(slopes.map(|(r, x)| (2 * self.structure.groups + r, *x)))
            .collect()
    }

    /// Adds the products of the population's scores with all scores.
    fn cross(
        &self,
        pattern: usize,
        view: &View<'_>,
        weight: f64,
        posterior: &Posterior,
        score: &mut [f64],
        out: &mut Expected,
    ) {
        let View { phi, grid, tables } = *view;
        let s = self.structure;
        let group = self.responses.group(pattern);
        let mean = prior_mean(s, phi, self.responses, pattern);
        let precision = (-2.0 * phi[s.scale_at(group)]).exp();
        let window = posterior.window.clone();
        // p u and p v, with the scores u = (a − m)/σ² of the mean and v = z² − 1 of ln σ.
        let (mut pu, mut pv) = (vec![], vec![]);
        let (mut u1, mut v1, mut uu, mut uv, mut vv) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for q in window.clone() {
            let (p, gap) = (posterior.weights[q], grid.nodes[q] - mean);
            let (u, v) = (gap * precision, gap * gap * precision - 1.0);
            pu.push(p * u);
            pv.push(p * v);
            u1 += p * u;
            v1 += p * v;
            uu += p * u * u;
            uv += p * u * v;
            vv += p * v * v;
        }
        let loadings = self.loadings(pattern);
        let scale = s.groups + group;
        let start = s.population_start();
        score[start + scale] = v1;
        out.square[(scale, scale)] += weight * vv;
        for (i, x) in &loadings {
            score[start + i] = x * u1;
            out.square[(*i, scale)] += weight * x * uv;
            out.square[(scale, *i)] += weight * x * uv;
            for (j, y) in &loadings {
                out.square[(*i, *j)] += weight * x * y * uu;
            }
        }
        for (k, code) in self.responses.codes(pattern).iter().enumerate() {
            if *code == NO_ANSWER {
                continue;
            }
            let width = s.width(k);
            for j in 0..width {
                let row = &tables.gradient(k, width, usize::from(*code), j)[window.clone()];
                let column = s.offsets[k] + j;
                out.cross[(scale, column)] += weight * dot(&pv, row);
                let by_mean = weight * dot(&pu, row);
                for (i, x) in &loadings {
                    out.cross[(*i, column)] += x * by_mean;
                }
            }
        }
    }

    /// The scores of patterns with respect to the working coefficients, one row a pattern.
    pub(super) fn scores(&self, phi: &[f64], grid: &Grid) -> Vec<f64> {
        let all = self.structure.coefficients.len();
        let tables = Tables::new(self.structure, phi, &self.answers, grid, true);
        let mut out = vec![0.0; self.responses.patterns() * all];
        blocks::fill(&mut out, BLOCK * all, |first, chunk| {
            let mut posterior = Posterior::new(grid.nodes.len());
            let view = View {
                phi,
                grid,
                tables: &tables,
            };
            let mut sums = self.empty(&tables, grid, Order::Information);
            for (i, score) in chunk.chunks_exact_mut(all).enumerate() {
                let pattern = first / all + i;
                self.posterior(pattern, &view, &mut posterior);
                self.score(pattern, &tables, &posterior, score);
                self.cross(pattern, &view, 1.0, &posterior, score, &mut sums);
            }
        });
        out
    }
}

impl Expected {
    fn merge(total: &mut Self, part: Self) {
        let add = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        total.value += part.value;
        add(&mut total.total, &part.total);
        add(&mut total.counts, &part.counts);
        add(&mut total.pairs, &part.pairs);
        add(&mut total.outer, &part.outer);
        total.cross += part.cross;
        total.square += part.square;
        add(&mut total.population_gradient, &part.population_gradient);
        total.population_information += part.population_information;
        total.posterior.extend(part.posterior);
    }
}

fn add_scaled(out: &mut [f64], scale: f64, x: &[f64]) {
    for (o, x) in out.iter_mut().zip(x) {
        *o += scale * x;
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
