//! The likelihood of funnels whose stages share what a customer is like: sequential hazards with a normal frailty, integrated by
//! quadrature.

use crate::numeric::blocks;
use crate::numeric::optimize::Objective;
use crate::numeric::quadrature::Rule;
use crate::participation::interval::LatentError;
use crate::regression::likelihood::Jet;
use crate::summary::gram::{packed_index, packed_len, unpack};
use nalgebra::DMatrix;
use std::cell::RefCell;

/// Customers of a parallel block.
const BLOCK: usize = 256;

/// One stage over the rows: its regressors begin at parameter `at`.
pub(super) struct Stage {
    pub(super) at: usize,
    pub(super) columns: Vec<Vec<f64>>,
    pub(super) reached: Vec<bool>,
    pub(super) passed: Vec<f64>,
}

/// Funnels of customers: `P(pass stage k | reached, u) = F(x_k'β_k + w'γ + σu)` with standard normal u, one a customer.
pub(super) struct Funnels {
    pub(super) stages: Vec<Stage>,
    /// Regressors with one slope in all stages, from parameter `common_at` on.
    pub(super) common: Vec<Vec<f64>>,
    pub(super) common_at: usize,
    /// The rows of each customer.
    pub(super) customers: Vec<Vec<usize>>,
    /// One weight a customer.
    pub(super) weights: Vec<f64>,
    pub(super) error: LatentError,
    pub(super) rule: Rule,
    /// Parameters, ln σ (the last) included when there is frailty.
    pub(super) parameters: usize,
    pub(super) frailty: bool,
    pub(super) last: RefCell<Option<(Vec<f64>, Pass)>>,
}

/// Log-likelihood, gradient and the lower triangle of the negative Hessian.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    pub(super) information: Vec<f64>,
}

/// A stage that a customer reached: which row, its regressors and whether it was passed.
struct Event {
    regressors: Vec<f64>,
    sign: f64,
    index: f64,
}

impl Funnels {
    pub(super) fn pass(&self, point: &[f64]) -> Pass {
        let k = self.parameters;
        let empty = || Pass {
            value: 0.0,
            gradient: vec![0.0; k],
            information: vec![0.0; packed_len(k)],
        };
        let view = View::of(self);
        blocks::reduce(
            self.customers.len(),
            BLOCK,
            |range| {
                let mut sums = empty();
                for customer in range {
                    view.add(customer, point, &mut sums);
                }
                sums
            },
            |total, part| {
                let add = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                total.value += part.value;
                add(&mut total.gradient, &part.gradient);
                add(&mut total.information, &part.information);
            },
        )
        .unwrap_or_else(empty)
    }

    /// The score of each customer.
    pub(super) fn scores(&self, point: &[f64]) -> Vec<Vec<f64>> {
        let (view, k) = (View::of(self), self.parameters);
        blocks::map(self.customers.len(), |customer| {
            let mut sums = Pass {
                value: 0.0,
                gradient: vec![0.0; k],
                information: vec![0.0; packed_len(k)],
            };
            view.add(customer, point, &mut sums);
            sums.gradient
        })
    }

    pub(super) fn pass_at(&self, point: &[f64]) -> Pass {
        if let Some((known, pass)) = &*self.last.borrow()
            && known == point
        {
            return pass.clone();
        }
        let pass = self.pass(point);
        *self.last.borrow_mut() = Some((point.to_vec(), pass.clone()));
        pass
    }
}

/// What threads share: everything but the memory of the last pass.
struct View<'a> {
    stages: &'a [Stage],
    common: &'a [Vec<f64>],
    common_at: usize,
    customers: &'a [Vec<usize>],
    weights: &'a [f64],
    error: LatentError,
    nodes: &'a [f64],
    node_weights: &'a [f64],
    parameters: usize,
    frailty: bool,
}

impl<'a> View<'a> {
    fn of(all: &'a Funnels) -> Self {
        Self {
            stages: &all.stages,
            common: &all.common,
            common_at: all.common_at,
            customers: &all.customers,
            weights: &all.weights,
            error: all.error,
            nodes: all.rule.nodes(),
            node_weights: all.rule.weights(),
            parameters: all.parameters,
            frailty: all.frailty,
        }
    }

    fn events(&self, customer: usize, point: &[f64]) -> Vec<Event> {
        let mut events = Vec::new();
        for row in &self.customers[customer] {
            for stage in self.stages.iter().filter(|s| s.reached[*row]) {
                let mut regressors = vec![0.0; self.parameters];
                for (j, column) in stage.columns.iter().enumerate() {
                    regressors[stage.at + j] = column[*row];
                }
                for (j, column) in self.common.iter().enumerate() {
                    regressors[self.common_at + j] = column[*row];
                }
                let index = regressors.iter().zip(point).map(|(x, b)| x * b).sum();
                let sign = if stage.passed[*row] > 0.5 { 1.0 } else { -1.0 };
                events.push(Event {
                    regressors,
                    sign,
                    index,
                });
            }
        }
        events
    }

    /// Adds a customer: `ln Σ_q w_q Π_e F(±(η_e + σ u_q))`, by the derivatives of its terms and their posterior weights.
    fn add(&self, customer: usize, point: &[f64], sums: &mut Pass) {
        let k = self.parameters;
        let events = self.events(customer, point);
        let sigma = if self.frailty {
            point[k - 1].exp()
        } else {
            0.0
        };
        let alone = ([0.0], [1.0]);
        let (nodes, node_weights): (&[f64], &[f64]) = if self.frailty {
            (self.nodes, self.node_weights)
        } else {
            (&alone.0, &alone.1)
        };
        let mut terms = Vec::with_capacity(nodes.len());
        let mut top = f64::NEG_INFINITY;
        for (u, w) in nodes.iter().zip(node_weights) {
            let derivatives: Vec<[f64; 3]> = events
                .iter()
                .map(|e| {
                    let z = Jet::<1>::variable(e.sign * (e.index + sigma * u), 0);
                    let ln = self.error.ln_cdf(z);
                    [ln.value, e.sign * ln.gradient[0], ln.hessian[0][0]]
                })
                .collect();
            let value = w.ln() + derivatives.iter().map(|d| d[0]).sum::<f64>();
            top = top.max(value);
            terms.push((value, derivatives, sigma * u));
        }
        let total: f64 = terms.iter().map(|t| (t.0 - top).exp()).sum();
        let weight = self.weights[customer];
        sums.value += weight * (top + total.ln());

        // Σ π_q g_q, Σ π_q g_q g_q', and the expected curvature of each event.
        let mut mean = vec![0.0; k];
        let mut curvature = vec![[0.0; 2]; events.len()];
        let mut own = 0.0;
        let mut slope = vec![0.0; k];
        for (value, derivatives, shift) in &terms {
            let posterior = (value - top).exp() / total;
            slope.fill(0.0);
            for ((event, d), c) in events.iter().zip(derivatives).zip(&mut curvature) {
                for (s, x) in slope.iter_mut().zip(&event.regressors) {
                    *s += d[1] * x;
                }
                c[0] += posterior * d[2];
                c[1] += posterior * d[2] * shift;
                if self.frailty {
                    slope[k - 1] += d[1] * shift;
                    own += posterior * (d[2] * shift * shift + d[1] * shift);
                }
            }
            for i in 0..k {
                mean[i] += posterior * slope[i];
                let scaled = weight * posterior * slope[i];
                for (j, other) in slope[..=i].iter().enumerate() {
                    sums.information[packed_index(i, j)] -= scaled * other;
                }
            }
        }
        for i in 0..k {
            sums.gradient[i] += weight * mean[i];
            for j in 0..=i {
                sums.information[packed_index(i, j)] += weight * mean[i] * mean[j];
            }
        }
        for (event, c) in events.iter().zip(&curvature) {
            for i in 0..k {
                let scaled = weight * c[0] * event.regressors[i];
                for j in 0..=i {
                    sums.information[packed_index(i, j)] -= scaled * event.regressors[j];
                }
                if self.frailty && i < k - 1 {
                    sums.information[packed_index(k - 1, i)] -= weight * c[1] * event.regressors[i];
                }
            }
        }
        if self.frailty {
            sums.information[packed_index(k - 1, k - 1)] -= weight * own;
        }
    }
}

impl Objective for Funnels {
    fn value(&self, x: &[f64]) -> f64 {
        -self.pass_at(x).value
    }

    fn gradient(&self, x: &[f64], gradient: &mut [f64]) {
        for (out, g) in gradient.iter_mut().zip(self.pass_at(x).gradient) {
            *out = -g;
        }
    }

    fn hessian(&self, x: &[f64]) -> DMatrix<f64> {
        unpack(&self.pass_at(x).information, self.parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::derivative::{gradient, hessian};
    use crate::numeric::quadrature::gauss_hermite_normal;

    #[test]
    fn derivatives_are_those_of_the_value() {
        let x = vec![0.4, -0.2, 1.0, 0.7];
        let ones = vec![1.0; 4];
        let all = Funnels {
            stages: vec![
                Stage {
                    at: 0,
                    columns: vec![ones.clone(), x.clone()],
                    reached: vec![true; 4],
                    passed: vec![1.0, 1.0, 0.0, 1.0],
                },
                Stage {
                    at: 2,
                    columns: vec![ones],
                    reached: vec![true, true, false, true],
                    passed: vec![1.0, 0.0, 0.0, 1.0],
                },
            ],
            common: vec![x],
            common_at: 3,
            customers: vec![vec![0, 2], vec![1], vec![3]],
            weights: vec![1.0, 2.0, 0.5],
            error: LatentError::Logistic,
            rule: gauss_hermite_normal(15).unwrap(),
            parameters: 5,
            frailty: true,
            last: RefCell::new(None),
        };
        let at = [0.3, -0.4, 0.1, 0.8, -0.2];
        let pass = all.pass(&at);
        let value = |p: &[f64]| all.pass(p).value;
        let (g, h) = (gradient(value, &at).unwrap(), hessian(value, &at).unwrap());
        let summed: Vec<f64> = (0..5)
            .map(|j| all.scores(&at).iter().map(|s| s[j]).sum())
            .collect();
        for i in 0..5 {
            assert!((pass.gradient[i] - g[i]).abs() < 1e-8, "{i}");
            assert!((summed[i] - g[i]).abs() < 1e-8, "{i}");
            for j in 0..=i {
                let ours = -pass.information[packed_index(i, j)];
                assert!(
                    (ours - h[(i, j)]).abs() < 1e-5,
                    "{i} {j}: {ours} {}",
                    h[(i, j)]
                );
            }
        }
    }
}
