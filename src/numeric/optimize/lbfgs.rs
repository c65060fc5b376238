//! Limited-memory BFGS.

use super::line_search;
use super::objective::{Counted, Objective, Visit, dot};
use super::outcome::{Ending, Minimum, Reason};
use super::stopping::Stopping;
use crate::error::{Error, Result};
use crate::numeric::Progress;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Iterations without a resolvable decrease after which the search ends.
const FLAT_ITERATIONS: usize = 3;
/// A search that can go no further for rounding has still converged when the scaled gradient is within this factor of its
/// tolerance.
const PRECISION_SLACK: f64 = 1e3;
/// A pair of differences enters the memory when `s'y` exceeds this share of `|s||y|`, which keeps the approximation
/// positive definite.
const CURVATURE_SHARE: f64 = 1e-12;

/// Limited-memory BFGS with a strong Wolfe line search.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `memory` | 10 | pairs of differences kept | ≥ 1 |
/// | `stopping` | [`Stopping`] | gradient tolerance, iteration limit | |
///
/// The search converges when the scaled gradient is within `gradient_tolerance`. When rounding ends it first, it counts as
/// converged ([`Reason::Precision`]) if the scaled gradient is within a thousand times the tolerance.
///
/// # References
/// Liu & Nocedal (1989), *Mathematical Programming* 45, 503–528, doi:10.1007/BF01589116.
///
/// ```
/// use cocreate::numeric::optimize::Lbfgs;
/// let valley = |x: &[f64]| x.windows(2).map(|w| (1.0 - w[0]).powi(2) + 100.0 * (w[1] - w[0] * w[0]).powi(2)).sum::<f64>();
/// let found = Lbfgs::new().minimize(&valley, &[0.0; 10])?.or_error("the valley")?;
/// assert!(found.point.iter().all(|x| (x - 1.0).abs() < 1e-6));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lbfgs {
    memory: usize,
    stopping: Stopping,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Self {
            memory: 10,
            stopping: Stopping::default(),
        }
    }
}

impl Lbfgs {
    /// With the defaults of the table above.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of pairs kept.
    pub fn memory(mut self, pairs: usize) -> Self {
        self.memory = pairs;
        self
    }

    /// Sets the stopping rule.
    pub fn stopping(mut self, stopping: Stopping) -> Self {
        self.stopping = stopping;
        self
    }

    /// Minimises `objective` from `start`.
    ///
    /// # Errors
    /// As [`minimize_with`](Self::minimize_with).
    pub fn minimize(&self, objective: &dyn Objective, start: &[f64]) -> Result<Minimum> {
        self.minimize_with(objective, start, &Progress::none())
    }

    /// Minimises and reports every iteration.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a bad setting, [`Error::NotFinite`] when the objective is not finite at the start,
    /// [`Error::Cancelled`] when `progress` says so.
    pub fn minimize_with(
        &self,
        objective: &dyn Objective,
        start: &[f64],
        progress: &Progress,
    ) -> Result<Minimum> {
        const NAME: &str = "L-BFGS";
        self.stopping.validate()?;
        if self.memory == 0 {
            return Err(Error::invalid_option("memory", 0, "at least 1"));
        }
        let rule = &self.stopping;
        let mut counted = Counted::new(objective);
        let mut visit = counted.start(start)?;
        let mut pairs = Pairs::new(self.memory);
        let mut flat = 0;
        let mut iteration = 0;
        let reason = loop {
            if visit.scaled_gradient() <= rule.gradient_tolerance {
                break Reason::Gradient;
            }
            if iteration == rule.max_iterations {
                break Reason::Iterations;
            }
            progress.report(NAME, iteration, rule.max_iterations)?;
            let direction = pairs.direction(&visit.gradient);
            // Without memory the gradient has no length scale: try a step of unit length at most.
            let first = if pairs.is_empty() {
                (1.0 / dot(&direction, &direction).sqrt()).min(1.0)
            } else {
                1.0
            };
            let found = line_search::wolfe(&mut counted, &visit, &direction, first);
            let Some(next) = found else {
                if pairs.is_empty() {
                    break Reason::Stalled;
                }
                pairs.clear();
                continue;
            };
            iteration += 1;
            let fall = visit.value - next.value;
            let small = rule.value_tolerance * visit.value.abs().max(1.0);
            flat = if fall <= small { flat + 1 } else { 0 };
            pairs.push(&visit, &next);
            visit = next;
            if flat == FLAT_ITERATIONS {
                break Reason::Stalled;
            }
        };
        let criterion = visit.scaled_gradient();
        let exact = criterion <= rule.gradient_tolerance;
        let rounded = criterion <= PRECISION_SLACK * rule.gradient_tolerance;
        let reason = match reason {
            Reason::Stalled if exact => Reason::Gradient,
            Reason::Stalled if rounded => Reason::Precision,
            other => other,
        };
        let end = Ending {
            algorithm: NAME,
            reason,
            iterations: iteration,
            criterion,
            tolerance: rule.gradient_tolerance,
            positive_definite: None,
        };
        Ok(end.at(visit, &counted))
    }
}

/// One pair `s = x⁺ − x`, `y = g⁺ − g`, with `1/s'y`.
struct Pair {
    s: Vec<f64>,
    y: Vec<f64>,
    rho: f64,
}

/// The memory, oldest first.
struct Pairs {
    kept: VecDeque<Pair>,
    limit: usize,
}

impl Pairs {
    fn new(limit: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            limit,
        }
    }

    fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn clear(&mut self) {
        self.kept.clear();
    }

    fn push(&mut self, from: &Visit, to: &Visit) {
        let difference =
            |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let s = difference(&to.point, &from.point);
        let y = difference(&to.gradient, &from.gradient);
        let product = dot(&s, &y);
        if product <= CURVATURE_SHARE * (dot(&s, &s) * dot(&y, &y)).sqrt() {
            return;
        }
        if self.kept.len() == self.limit {
            self.kept.pop_front();
        }
        self.kept.push_back(Pair {
            s,
            y,
            rho: 1.0 / product,
        });
    }

    /// `−H g` by the two-loop recursion (Nocedal & Wright 2006, algorithm 7.4).
    fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut alphas = Vec::with_capacity(self.kept.len());
        for pair in self.kept.iter().rev() {
            let alpha = pair.rho * dot(&pair.s, &q);
            add(&mut q, -alpha, &pair.y);
            alphas.push(alpha);
        }
        if let Some(last) = self.kept.back() {
            let gamma = 1.0 / (last.rho * dot(&last.y, &last.y));
            for v in &mut q {
                *v *= gamma;
            }
        }
        for (pair, alpha) in self.kept.iter().zip(alphas.iter().rev()) {
            let beta = pair.rho * dot(&pair.y, &q);
            add(&mut q, alpha - beta, &pair.s);
        }
        q
    }
}

/// `a += t b`.
fn add(a: &mut [f64], t: f64, b: &[f64]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a += t * b;
    }
}
