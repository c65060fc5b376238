//! The complete-data log-likelihood: what would be maximised if abilities were known, and its maximisation (the M-step).

use super::grid::Grid;
use super::marginal::{Expected, Marginal};
use super::structure::Structure;
use super::working::Work;
use crate::numeric::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};

/// Newton steps of one M-step; more gain nothing before the next E-step.
const MOST_STEPS: usize = 4;

/// An M-step ends when the promised gain is below this, in units of the log-likelihood.
const ENOUGH: f64 = 1e-4;

/// Halvings of a step that lowers the function.
const MOST_HALVINGS: usize = 12;

/// How much the curvature is raised where it is not positive definite, relative to its diagonal.
const FIRST_RIDGE: f64 = 1e-3;

/// Value, gradient and minus the Hessian of `Σ_{c,q} R_c(q) ln P_c(a_q)` with respect to the coefficients of an item.
#[derive(Clone, Debug)]
pub(super) struct ItemSums {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    pub(super) information: DMatrix<f64>,
}

/// The complete-data log-likelihood of an item at coefficients `phi`.
pub(super) fn item(
    marginal: &Marginal<'_>,
    item: usize,
    phi: &[f64],
    grid: &Grid,
    expected: &Expected,
) -> ItemSums {
    let s = marginal.structure;
    let width = s.width(item);
    let nodes = grid.nodes.len();
    let from: usize = marginal.answers[..item].iter().sum();
    let mut out = ItemSums {
        value: 0.0,
        gradient: vec![0.0; width],
        information: DMatrix::zeros(width, width),
    };
    let mut work = Work::new(s.cuts[item]);
    for (q, a) in grid.nodes.iter().enumerate() {
        if expected.total[q] <= 0.0 {
            continue;
        }
        work.at(s.models[item], phi, *a);
        for c in 0..=s.cuts[item] {
            let count = expected.counts[(from + c) * nodes + q];
            if count <= 0.0 {
                continue;
            }
            out.value += count * work.value(c);
            for i in 0..width {
                out.gradient[i] += count * work.coefficient_gradient(c, i, *a);
                for j in 0..=i {
                    out.information[(i, j)] -= count * work.coefficient_hessian(c, i, j, *a);
                }
            }
        }
    }
    out.information.fill_upper_triangle_with_lower_triangle();
    out
}

/// A weak prior on guessing: `strength · [m ln g + (1 − m) ln(1 − g)]`, as many imagined answers of persons without any ability.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct GuessingPrior {
    pub(super) mean: f64,
    pub(super) strength: f64,
}

impl GuessingPrior {
    /// Value, slope and minus the curvature with respect to logit guessing.
    pub(super) fn at(&self, logit: f64) -> [f64; 3] {
        let (g, rest) = (super::item::logistic(logit), super::item::logistic(-logit));
        [
            self.strength * (self.mean * g.ln() + (1.0 - self.mean) * rest.ln()),
            self.strength * (self.mean - g),
            self.strength * g * rest,
        ]
    }
}

/// The positions of free logit guessing.
pub(super) fn guessing_positions(s: &Structure) -> Vec<usize> {
    (0..s.items())
        .filter(|k| s.width(*k) == s.cuts[*k] + 2)
        .map(|k| s.offsets[k + 1] - 1)
        .filter(|at| !s.coefficients[*at].terms.is_empty())
        .collect()
}

/// One M-step: the items by Newton's method, the population in closed form.
pub(super) fn maximize(
    marginal: &Marginal<'_>,
    theta: &[f64],
    grid: &Grid,
    expected: &Expected,
    prior: Option<GuessingPrior>,
) -> Vec<f64> {
    let s = marginal.structure;
    let mut theta = theta.to_vec();
    for (items, parameters) in s.components() {
        let step = ComponentStep {
            marginal,
            grid,
            expected,
            prior,
            items: &items,
            parameters: &parameters,
        };
        step.newton(&mut theta);
    }
    if s.has_free_population() {
        population(marginal, &mut theta, expected);
    }
    theta
}

struct ComponentStep<'a> {
    marginal: &'a Marginal<'a>,
    grid: &'a Grid,
    expected: &'a Expected,
    prior: Option<GuessingPrior>,
    items: &'a [usize],
    parameters: &'a [usize],
}

impl ComponentStep<'_> {
    fn newton(&self, theta: &mut Vec<f64>) {
        let mut here = self.sums(theta);
        for _ in 0..MOST_STEPS {
            let step = ascent(&here.information, &here.gradient);
            let gain = step.dot(&here.gradient);
            if gain.is_nan() || gain < ENOUGH {
                return;
            }
            let mut factor = 1.0;
            let mut found = None;
            for _ in 0..MOST_HALVINGS {
                let mut trial = theta.clone();
                for (j, step) in self.parameters.iter().zip(step.iter()) {
                    trial[*j] += factor * step;
                }
                let there = self.sums(&trial);
                if there.value >= here.value {
                    found = Some((trial, there));
                    break;
                }
                factor *= 0.5;
            }
            let Some((trial, there)) = found else { return };
            (*theta, here) = (trial, there);
        }
    }

    fn sums(&self, theta: &[f64]) -> Sums {
        let s = self.marginal.structure;
        let place = |j: usize| self.parameters.binary_search(&j).ok();
        let mut out = Sums {
            value: 0.0,
            gradient: DVector::zeros(self.parameters.len()),
            information: DMatrix::zeros(self.parameters.len(), self.parameters.len()),
        };
        for k in self.items {
            let coefficients = &s.coefficients[s.offsets[*k]..s.offsets[k + 1]];
            let phi: Vec<f64> = coefficients
                .iter()
                .map(|c| c.constant + c.terms.iter().map(|(j, a)| a * theta[*j]).sum::<f64>())
                .collect();
            let mut sums = item(self.marginal, *k, &phi, self.grid, self.expected);
            let guesses = phi.len() == s.cuts[*k] + 2;
            if let Some(prior) = self.prior
                && guesses
            {
                let at = phi.len() - 1;
                let [value, slope, bend] = prior.at(phi[at]);
                sums.value += value;
                sums.gradient[at] += slope;
                sums.information[(at, at)] += bend;
            }
            out.value += sums.value;
            for (i, row) in coefficients.iter().enumerate() {
                for (r, a) in &row.terms {
                    let Some(r) = place(*r) else { continue };
                    out.gradient[r] += a * sums.gradient[i];
                    for (j, column) in coefficients.iter().enumerate() {
                        for (c, b) in &column.terms {
                            let Some(c) = place(*c) else { continue };
                            out.information[(r, c)] += a * b * sums.information[(i, j)];
                        }
                    }
                }
            }
        }
        out
    }
}

struct Sums {
    value: f64,
    gradient: DVector<f64>,
    information: DMatrix<f64>,
}

/// `I⁻¹ g`, with the diagonal raised until the matrix is positive definite.
fn ascent(information: &DMatrix<f64>, gradient: &DVector<f64>) -> DVector<f64> {
    let size = gradient.len();
    let largest = information.diagonal().amax().max(f64::MIN_POSITIVE);
    let mut ridge = 0.0;
    loop {
        let mut raised = information.clone();
        for i in 0..size {
            raised[(i, i)] += ridge * raised[(i, i)].abs().max(FIRST_RIDGE * largest);
        }
        let factor = Cholesky::with_tolerance(&raised, f64::EPSILON * size as f64);
        if factor.rank() == size {
            return factor.solve_vector(gradient);
        }
        if ridge > 1e12 || !largest.is_finite() {
            return DVector::zeros(size);
        }
        ridge = if ridge > 0.0 {
            10.0 * ridge
        } else {
            FIRST_RIDGE
        };
    }
}

/// Weighted least squares of posterior means on group and regressors, then the variances.
fn population(marginal: &Marginal<'_>, theta: &mut [f64], expected: &Expected) {
    let s = marginal.structure;
    let phi = s.working(theta);
    let start = s.population_start();
    let free: Vec<(usize, usize)> = (0..s.groups)
        .map(|g| s.mean_at(g))
        .chain((0..s.slopes).map(|r| s.slope_at(r)))
        .filter_map(|at| {
            s.coefficients[at]
                .terms
                .first()
                .map(|(j, _)| (at - start, *j))
        })
        .collect();
    let mut cross = DMatrix::zeros(free.len(), free.len());
    let mut right = DVector::zeros(free.len());
    let row = |pattern: usize| -> Vec<f64> {
        let r = marginal.responses;
        free.iter()
            .map(|(at, _)| {
                if *at < s.groups {
                    f64::from(u8::from(r.group(pattern) == *at))
                } else {
                    r.covariates(pattern)[at - 2 * s.groups]
                }
            })
            .collect()
    };
    if !free.is_empty() {
        for (pattern, [mean, _]) in expected.posterior.iter().enumerate() {
            let group = marginal.responses.group(pattern);
            let w = marginal.responses.weight(pattern) * (-2.0 * phi[s.scale_at(group)]).exp();
            let x = row(pattern);
            let fixed = s.coefficients[s.mean_at(group)].constant;
            for i in 0..x.len() {
                right[i] += w * x[i] * (mean - fixed);
                for j in 0..x.len() {
                    cross[(i, j)] += w * x[i] * x[j];
                }
            }
        }
        let factor = Cholesky::new(&cross);
        if factor.rank() == free.len() {
            for ((_, j), value) in free.iter().zip(factor.solve_vector(&right).iter()) {
                theta[*j] = *value;
            }
        }
    }
    let phi = s.working(theta);
    let mut sums = vec![[0.0; 2]; s.groups];
    for (pattern, [mean, variance]) in expected.posterior.iter().enumerate() {
        let group = marginal.responses.group(pattern);
        let w = marginal.responses.weight(pattern);
        let gap = mean - super::grid::prior_mean(s, &phi, marginal.responses, pattern);
        sums[group][0] += w;
        sums[group][1] += w * (variance + gap * gap);
    }
    for (group, [weight, square]) in sums.into_iter().enumerate() {
        if let Some((j, _)) = s.coefficients[s.scale_at(group)].terms.first() {
            theta[*j] = 0.5 * (square / weight).ln();
        }
    }
}
