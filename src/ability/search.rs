//! The search for the maximum of the marginal likelihood: EM from afar, Newton at the end.

use super::adaptive::Adaptive;
use super::complete::{self, GuessingPrior, guessing_positions};
use super::grid::Grid;
use super::marginal::{Expected, Marginal, Order};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::numeric::linalg::Cholesky;
use crate::numeric::optimize::Convergence;
use nalgebra::{DMatrix, DVector};

/// The spacing of nodes while EM is far from the maximum, in standard deviations of ability.
const COARSE: f64 = 0.5;

/// The widest and the narrowest spacing at the maximum.
const FINE: f64 = 0.25;
const FINEST: f64 = 0.05;

/// EM steps before Newton is first tried, and between tries.
const FIRST_STEPS: usize = 3;

/// Newton is tried when a step of EM gains less than this share of the log-likelihood.
const NEAR: f64 = 1e-4;

/// How much nearer EM must come after Newton has failed.
const NEARER: f64 = 0.1;

/// Where EM stands still and the Hessian is still not definite, nothing more can be learned.
const NEAREST: f64 = 1e-13;

/// The decrement `g'I⁻¹g` at which the search ends: estimates are then within 10⁻⁶ of their standard errors of the maximum.
const TOLERANCE: f64 = 1e-12;

/// Newton moves no coefficient further than this at once: where the quadratic model is wrong, EM is the better guide.
const LONGEST: f64 = 1.5;

/// Halvings of a Newton step before EM goes on.
const MOST_HALVINGS: usize = 3;

/// The rounding of a sum over persons, in units of its last place.
const NOISE: f64 = 64.0 * f64::EPSILON;

/// Guessing below `Λ(−9) ≈ 10⁻⁴` runs to zero.
const NO_GUESSING: f64 = -9.0;

/// A discrimination beyond this runs to infinity: the item separates persons like a step.
const LARGEST_DISCRIMINATION: f64 = 40.0;

/// How the integrals are taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) nodes: Option<usize>,
    pub(super) adaptive: Option<usize>,
    pub(super) most_iterations: usize,
    pub(super) prior: Option<GuessingPrior>,
}

/// The maximum.
#[derive(Clone, Debug)]
pub(super) struct Maximum {
    pub(super) theta: Vec<f64>,
    /// The log-likelihood, without the prior of guessing.
    pub(super) value: f64,
    /// The observed information about the free parameters, with that of the prior.
    pub(super) information: DMatrix<f64>,
    pub(super) grid: Grid,
    pub(super) history: Vec<f64>,
    pub(super) convergence: Convergence,
}

/// How a search ended.
pub(super) enum Outcome {
    Found(Box<Maximum>),
    /// Guessing of these items runs to zero; the working coefficients where that was seen.
    Boundary(Vec<usize>, Vec<f64>),
}

/// The point where Newton stands.
struct Point {
    theta: Vec<f64>,
    /// With the prior.
    objective: f64,
    value: f64,
    gradient: DVector<f64>,
    information: DMatrix<f64>,
}

pub(super) struct Search<'a> {
    pub(super) marginal: &'a Marginal<'a>,
    pub(super) settings: Settings,
    pub(super) progress: &'a Progress,
}

impl Search<'_> {
    /// Maximises from `theta`.
    ///
    /// # Errors
    /// [`Error::NotConverged`], [`Error::Unidentified`], [`Error::NotFinite`], [`Error::Cancelled`].
    pub(super) fn run(&self, mut theta: Vec<f64>) -> Result<Outcome> {
        let mut history = vec![];
        let mut near = NEAR;
        loop {
            let expected = self.climb(&mut theta, near, &mut history)?;
            if let Some(boundary) = self.boundary(&theta) {
                return Ok(boundary);
            }
            let mut grid = self.fine_grid(&theta, &expected);
            loop {
                match self.newton(&theta, &grid, None, &mut history)? {
                    Newton::Found(found) => {
                        // Newton may go where the grid does not reach: mean and variance of ability are free beside an anchor.
                        let phi = self.marginal.structure.working(&found.theta);
                        let expected = self.marginal.pass(&phi, &found.grid, Order::Counts);
                        grid = self.fine_grid(&found.theta, &expected);
                        if found.grid.serves(&grid) {
                            return self.adapted(found);
                        }
                        theta = found.theta;
                        history = found.history;
                    }
                    Newton::Boundary(outcome) => return Ok(outcome),
                    Newton::Failed(best) => {
                        theta = best;
                        break;
                    }
                }
            }
            near *= NEARER;
            if near < NEAREST {
                return Err(Error::Unidentified {
                    what: "a parameter of the item response model, along which the likelihood is flat,".to_owned(),
                    needs: "more persons or items, or a simpler model (ItemResponse::rasch)".to_owned(),
                });
            }
        }
    }

    /// The last steps with adaptive quadrature, where that is asked for.
    fn adapted(&self, found: Box<Maximum>) -> Result<Outcome> {
        let Some(nodes) = self.settings.adaptive else {
            return Ok(Outcome::Found(found));
        };
        let rule = Adaptive::new(nodes)?;
        let mut history = found.history;
        match self.newton(&found.theta, &found.grid, Some(&rule), &mut history)? {
            Newton::Found(found) => Ok(Outcome::Found(found)),
            Newton::Boundary(outcome) => Ok(outcome),
            Newton::Failed(_) => Err(Error::NotConverged {
                what: "the marginal likelihood by adaptive quadrature (Newton)".to_owned(),
                iterations: history.len(),
                criterion: f64::NAN,
                tolerance: TOLERANCE,
                remedy: "use more adaptive nodes, or leave out ItemResponse::adaptive: its equally spaced nodes are exact to rounding"
                    .to_owned(),
            }),
        }
    }

    /// EM until a step gains little.
    fn climb(&self, theta: &mut Vec<f64>, near: f64, history: &mut Vec<f64>) -> Result<Expected> {
        let mut last = f64::NEG_INFINITY;
        let mut steps = 0;
        loop {
            self.report(history.len())?;
            let phi = self.marginal.structure.working(theta);
            self.check(&phi)?;
            let grid = self.coarse_grid(&phi);
            let expected = self.marginal.pass(&phi, &grid, Order::Counts);
            let objective = expected.value + self.prior_value(&phi);
            if !objective.is_finite() {
                return Err(Error::NotFinite {
                    what: "the marginal log-likelihood of the item response model".to_owned(),
                });
            }
            history.push(expected.value);
            let gain = objective - last;
            let enough = steps >= FIRST_STEPS && gain < near * objective.abs().max(1.0);
            if enough {
                return Ok(expected);
            }
            if history.len() >= self.settings.most_iterations {
                return Err(not_converged(history.len(), gain));
            }
            *theta =
                complete::maximize(self.marginal, theta, &grid, &expected, self.settings.prior);
            last = objective;
            steps += 1;
        }
    }

    /// Newton's method on the marginal likelihood with its exact Hessian.
    fn newton(
        &self,
        theta: &[f64],
        grid: &Grid,
        rule: Option<&Adaptive>,
        history: &mut Vec<f64>,
    ) -> Result<Newton> {
        let size = theta.len();
        let mut here = self.point(theta.to_vec(), grid, rule);
        loop {
            self.report(history.len())?;
            let phi = self.marginal.structure.working(&here.theta);
            self.check(&phi)?;
            if let Some(outcome) = self.boundary(&here.theta) {
                return Ok(Newton::Boundary(outcome));
            }
            let factor = Cholesky::with_tolerance(&here.information, f64::EPSILON * size as f64);
            if factor.rank() < size || !here.objective.is_finite() {
                return Ok(Newton::Failed(here.theta));
            }
            let step = factor.solve_vector(&here.gradient);
            let decrement = step.dot(&here.gradient);
            if decrement <= TOLERANCE {
                let iterations = history.len();
                return Ok(Newton::Found(Box::new(Maximum {
                    theta: here.theta,
                    value: here.value,
                    information: here.information,
                    grid: grid.clone(),
                    history: std::mem::take(history),
                    convergence: Convergence::reached(
                        "EM and Newton",
                        iterations,
                        decrement.max(0.0),
                        TOLERANCE,
                    ),
                })));
            }
            if history.len() >= self.settings.most_iterations {
                return Err(not_converged(history.len(), decrement));
            }
            let mut share = (LONGEST / step.amax()).min(1.0);
            let mut next = None;
            for _ in 0..=MOST_HALVINGS {
                let trial: Vec<f64> = here
                    .theta
                    .iter()
                    .zip(step.iter())
                    .map(|(t, s)| t + share * s)
                    .collect();
                let there = self.point(trial, grid, rule);
                if there.objective >= here.objective - NOISE * here.objective.abs() {
                    next = Some(there);
                    break;
                }
                share *= 0.5;
            }
            let Some(there) = next else {
                return Ok(Newton::Failed(here.theta));
            };
            history.push(there.value);
            here = there;
        }
    }

    fn point(&self, theta: Vec<f64>, grid: &Grid, rule: Option<&Adaptive>) -> Point {
        let structure = self.marginal.structure;
        let phi = structure.working(&theta);
        let (value, mut gradient, mut information) = if let Some(rule) = rule {
            let sums = rule.pass(self.marginal, &phi);
            (
                sums.value,
                sums.gradient.as_slice().to_vec(),
                sums.information,
            )
        } else {
            let expected = self.marginal.pass(&phi, grid, Order::Information);
            let (gradient, information) = self.marginal.derivatives(&phi, grid, &expected);
            (expected.value, gradient, information)
        };
        let mut objective = value;
        if let Some(prior) = self.settings.prior {
            for at in guessing_positions(structure) {
                let [ln_prior, slope, bend] = prior.at(phi[at]);
                objective += ln_prior;
                gradient[at] += slope;
                information[(at, at)] += bend;
            }
        }
        Point {
            objective,
            value,
            gradient: structure.pull_gradient(&gradient),
            information: structure.pull_matrix(&information),
            theta,
        }
    }

    fn prior_value(&self, phi: &[f64]) -> f64 {
        let Some(prior) = self.settings.prior else {
            return 0.0;
        };
        guessing_positions(self.marginal.structure)
            .into_iter()
            .map(|at| prior.at(phi[at])[0])
            .sum()
    }

    /// Items whose guessing runs to zero.
    fn boundary(&self, theta: &[f64]) -> Option<Outcome> {
        let structure = self.marginal.structure;
        let phi = structure.working(theta);
        let items: Vec<usize> = guessing_positions(structure)
            .into_iter()
            .filter(|at| phi[*at] < NO_GUESSING)
            .map(|at| structure.offsets.partition_point(|first| *first <= at) - 1)
            .collect();
        (!items.is_empty()).then_some(Outcome::Boundary(items, phi))
    }

    /// Refuses discriminations that run to infinity.
    fn check(&self, phi: &[f64]) -> Result<()> {
        let structure = self.marginal.structure;
        let wild = (0..structure.items())
            .find(|k| phi[structure.offsets[*k]].abs() > LARGEST_DISCRIMINATION);
        match wild {
            None => Ok(()),
            Some(k) => Err(Error::Unidentified {
                what: format!(
                    "the discrimination of item `{}`, which runs to infinity,",
                    structure.names[k]
                ),
                needs: "more persons or more items; or leave the item out, or let items share one discrimination"
                    .to_owned(),
            }),
        }
    }

    fn coarse_grid(&self, phi: &[f64]) -> Grid {
        let (s, r) = (self.marginal.structure, self.marginal.responses);
        match self.settings.nodes {
            Some(count) => Grid::of_size(s, phi, r, count),
            None => Grid::covering(s, phi, r, COARSE * self.smallest_deviation(phi)),
        }
    }

    /// Nodes no further apart than the narrowest posterior is wide.
    fn fine_grid(&self, theta: &[f64], expected: &Expected) -> Grid {
        let (s, r) = (self.marginal.structure, self.marginal.responses);
        let phi = s.working(theta);
        if let Some(count) = self.settings.nodes {
            return Grid::of_size(s, &phi, r, count);
        }
        let variance = (expected.posterior.iter()).fold(f64::INFINITY, |v, p| v.min(p[1]));
        let prior = self.smallest_deviation(&phi);
        let step = variance.max(0.0).sqrt().clamp(FINEST * prior, FINE * prior);
        Grid::covering(s, &phi, r, step)
    }

    /// The smallest standard deviation of ability, and no more than one.
    fn smallest_deviation(&self, phi: &[f64]) -> f64 {
        let s = self.marginal.structure;
        (0..s.groups)
            .map(|g| phi[s.scale_at(g)].exp())
            .fold(1.0, f64::min)
    }

    fn report(&self, done: usize) -> Result<()> {
        self.progress.report(
            "the item response model",
            done,
            self.settings.most_iterations,
        )
    }
}

fn not_converged(iterations: usize, criterion: f64) -> Error {
    Error::NotConverged {
        what: "the marginal likelihood of the item response model (EM and Newton)".to_owned(),
        iterations,
        criterion,
        tolerance: TOLERANCE,
        remedy: "allow more iterations, leave out items that hardly discriminate, or give guessing a prior (ItemResponse::guessing_prior)"
            .to_owned(),
    }
}

enum Newton {
    Found(Box<Maximum>),
    Boundary(Outcome),
    /// The best point; EM has to go on.
    Failed(Vec<f64>),
}
