//! The likelihood through the fixed point: value, gradient and Hessian by the implicit function theorem.

use super::panel::Steps;
use super::payoffs::Payoffs;
use crate::decision::{DynamicProgram, LawOfMotion, Solved};
use crate::error::Result;
use crate::numeric::optimize::Objective;
use nalgebra::DMatrix;
use std::cell::RefCell;

/// Newton steps of a value function at most.
const NEWTON_STEPS: usize = 40;

/// Log-likelihood, gradient, observed information, and the score of each cell.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    pub(super) information: DMatrix<f64>,
    /// `∂ ln P(a | s)/∂θ_k` at `s * actions + a`, one array a parameter.
    pub(super) scores: Vec<Vec<f64>>,
}

/// `Σ n(s, a) ln P(a | s; θ)` with V solved at each θ, and with `Σ n_j ln p_j` of the increments when they are estimated with it.
pub(super) struct NestedFixedPoint<'a> {
    pub(super) payoffs: &'a Payoffs,
    pub(super) discount: f64,
    pub(super) counts: &'a [f64],
    /// The laws of motion of the first step.
    pub(super) laws: Vec<LawOfMotion>,
    /// The increments, when their probabilities are parameters (all but the last).
    pub(super) steps: Option<&'a Steps>,
    /// Relative values of the last solution: the next one is near.
    pub(super) near: RefCell<Vec<f64>>,
    pub(super) last: RefCell<Option<(Vec<f64>, Pass)>>,
}

impl NestedFixedPoint<'_> {
    /// Parameters of the payoffs, then those of the increments.
    pub(super) fn parameters(&self) -> usize {
        self.payoffs.names().len() + self.steps.map_or(0, |s| s.counts.len() - 1)
    }

    /// The programme at a point.
    pub(super) fn program(&self, point: &[f64]) -> Result<DynamicProgram> {
        let (theta, free) = point.split_at(self.payoffs.names().len());
        let laws = match self.steps {
            Some(steps) => {
                steps.laws(&shares(free), self.payoffs.states(), self.payoffs.actions())?
            }
            None => self.laws.clone(),
        };
        DynamicProgram::new(self.payoffs.at(theta), laws, self.discount)
    }

    fn solved(&self, point: &[f64]) -> Result<(DynamicProgram, Solved)> {
        let program = self.program(point)?;
        let solved = program.solve_from(&self.near.borrow(), NEWTON_STEPS)?;
        self.near.borrow_mut().clone_from(&solved.relative);
        Ok((program, solved))
    }

    pub(super) fn pass(&self, point: &[f64]) -> Result<Pass> {
        if let Some((known, pass)) = &*self.last.borrow()
            && known == point
        {
            return Ok(pass.clone());
        }
        let (program, solved) = self.solved(point)?;
        let pass = Derivatives::new(self, &program, &solved).pass(point);
        *self.last.borrow_mut() = Some((point.to_vec(), pass.clone()));
        Ok(pass)
    }

    /// `Σ_j n_j ln p_j`; −∞ outside the simplex.
    fn increments_value(&self, point: &[f64]) -> f64 {
        let Some(steps) = self.steps else { return 0.0 };
        let p = shares(&point[self.payoffs.names().len()..]);
        let terms = steps.counts.iter().zip(p).filter(|(n, _)| **n > 0.0);
        terms.map(|(n, p)| n * p.ln()).sum()
    }
}

/// All probabilities, given all but the last.
fn shares(free: &[f64]) -> Vec<f64> {
    let last = 1.0 - free.iter().sum::<f64>();
    free.iter().copied().chain([last]).collect()
}

/// Derivatives at a solution. With `y_k = ∂v/∂θ_k` and `w_k = ∂V/∂θ_k`: `w = Σ_a P_a y_a` solves a linear system whose matrix is that of
/// Newton's steps; so do the second derivatives, `∂²V = Cov_P(y_j, y_k) + Σ_a P_a ∂²v_a`.
struct Derivatives<'a> {
    of: &'a NestedFixedPoint<'a>,
    program: &'a DynamicProgram,
    solved: &'a Solved,
    states: usize,
    actions: usize,
}

impl<'a> Derivatives<'a> {
    fn new(of: &'a NestedFixedPoint<'a>, program: &'a DynamicProgram, solved: &'a Solved) -> Self {
        Self {
            of,
            program,
            solved,
            states: program.states(),
            actions: program.actions(),
        }
    }

    /// `Σ_a P(a | s) f(s, a)`.
    fn average(&self, f: &[f64]) -> Vec<f64> {
        let rows = self.solved.probabilities.chunks_exact(self.actions);
        rows.zip(f.chunks_exact(self.actions))
            .map(|(p, f)| p.iter().zip(f).map(|(p, f)| p * f).sum())
            .collect()
    }

    /// `f(s, a) + β Σ P_a(s' | s) w(s')`.
    fn with_future(&self, mut f: Vec<f64>, w: &[f64]) -> Vec<f64> {
        for (cell, f) in f.iter_mut().enumerate() {
            let law = self.program.law(cell % self.actions);
            *f += self.program.discount() * law.expect(cell / self.actions, w);
        }
        f
    }

    /// `β ∂/∂p_j Σ P_a(s' | s) w(s')` for increment j: that increment instead of the largest.
    fn by_increment(&self, steps: &Steps, j: usize, w: &[f64]) -> Vec<f64> {
        let (last, most) = (self.states - 1, steps.counts.len() - 1);
        (0..self.states * self.actions)
            .map(|cell| {
                let (state, action) = (cell / self.actions, cell % self.actions);
                let from = if steps.reset == Some(action) {
                    0
                } else {
                    state
                };
                let at = |step: usize| w[(from + step).min(last)];
                self.program.discount() * (at(j) - at(most))
            })
            .collect()
    }

    fn pass(&self, point: &[f64]) -> Pass {
        let (k, own) = (self.of.parameters(), self.of.payoffs.names().len());
        let direct = |j: usize| match self.of.steps {
            Some(steps) if j >= own => self.by_increment(steps, j - own, &self.solved.relative),
            _ => self.of.payoffs.features()[j].clone(),
        };
        let mut slopes = Vec::with_capacity(k); // y
        let mut futures = Vec::with_capacity(k); // w
        let mut means = Vec::with_capacity(k); // Σ P y
        for j in 0..k {
            let direct = direct(j);
            let w = self.solved.linear.solve(self.average(&direct));
            let y = self.with_future(direct, &w);
            means.push(self.average(&y));
            slopes.push(y);
            futures.push(w);
        }
        let scores: Vec<Vec<f64>> = slopes
            .iter()
            .zip(&means)
            .map(|(y, mean)| {
                (0..y.len())
                    .map(|cell| y[cell] - mean[cell / self.actions])
                    .collect()
            })
            .collect();
        let counts = self.of.counts;
        let dot = |f: &[f64]| -> f64 { f.iter().zip(counts).map(|(f, n)| f * n).sum() };
        let mut gradient: Vec<f64> = scores.iter().map(|g| dot(g)).collect();
        let mut information = DMatrix::zeros(k, k);
        for i in 0..k {
            for j in 0..=i {
                let product: Vec<f64> = scores[i]
                    .iter()
                    .zip(&scores[j])
                    .map(|(a, b)| a * b)
                    .collect();
                let covariance = self.average(&product);
                let mut second = vec![0.0; self.states * self.actions];
                if let Some(steps) = self.of.steps {
                    for (own_index, other) in [(i, j), (j, i)] {
                        if own_index >= own {
                            let more = self.by_increment(steps, own_index - own, &futures[other]);
                            second.iter_mut().zip(more).for_each(|(s, m)| *s += m);
                        }
                    }
                }
                let direct = self.average(&second);
                let right = covariance.iter().zip(&direct).map(|(c, d)| c + d).collect();
                let y = self.with_future(second, &self.solved.linear.solve(right));
                let mean = self.average(&y);
                let total: f64 = (0..y.len())
                    .map(|cell| {
                        let state = cell / self.actions;
                        counts[cell] * (y[cell] - mean[state] - covariance[state])
                    })
                    .sum();
                information[(i, j)] = -total;
                information[(j, i)] = -total;
            }
        }
        let value = self
            .solved
            .probabilities
            .iter()
            .zip(counts)
            .filter(|(_, n)| **n > 0.0)
            .map(|(p, n)| n * p.ln())
            .sum::<f64>()
            + self.of.increments_value(point);
        if let Some(steps) = self.of.steps {
            let p = shares(&point[own..]);
            let most = steps.counts.len() - 1;
            let last = steps.counts[most] / p[most];
            for i in 0..most {
                gradient[own + i] += steps.counts[i] / p[i] - last;
                for j in 0..most {
                    let both = last / p[most];
                    let single = if i == j {
                        steps.counts[i] / (p[i] * p[i])
                    } else {
                        0.0
                    };
                    information[(own + i, own + j)] += both + single;
                }
            }
        }
        Pass {
            value,
            gradient,
            information,
            scores,
        }
    }
}

impl Objective for NestedFixedPoint<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        self.pass(x).map_or(f64::NAN, |pass| -pass.value)
    }

    fn gradient(&self, x: &[f64], gradient: &mut [f64]) {
        match self.pass(x) {
            Ok(pass) => gradient
                .iter_mut()
                .zip(pass.gradient)
                .for_each(|(out, g)| *out = -g),
            Err(_) => gradient.fill(f64::NAN),
        }
    }

    fn hessian(&self, x: &[f64]) -> DMatrix<f64> {
        self.pass(x).map_or_else(
            |_| DMatrix::from_element(x.len(), x.len(), f64::NAN),
            |pass| pass.information,
        )
    }
}
