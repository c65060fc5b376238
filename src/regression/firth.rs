//! Firth's penalised logit: finite estimates when the sample is separated, and less bias when it is small.

use super::LikelihoodFit;
use super::binary::{Link, binary_estimation, logistic};
use super::likelihood::{
    Derivatives, Estimation, FIRTH, Inputs, Likelihood, Maximum, Options, Order, Quantity, RowModel,
};
use crate::data::{DesignColumn, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::Covariance;
use crate::numeric::Progress;
use crate::numeric::linalg::Cholesky;
use crate::numeric::optimize::Convergence;
use crate::summary::gram::TILE;
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// Iterations before the search is given up; ten are usual.
const MOST_ITERATIONS: usize = 200;

/// The largest change of a working parameter at which the search stops.
const TOLERANCE: f64 = 1e-10;

/// Where the search gives up halving its step.
const SHORTEST: f64 = 1e-10;

/// Maximises `ℓ(β) + ½ ln det I(β)`, whose score is `Σ (y − p + h(½ − p)) x` with the leverages h of the weighted regression
/// (Firth 1993; Heinze & Schemper 2002).
pub(super) fn firth(
    options: &Options,
    frame: &Frame,
    progress: &Progress,
) -> Result<LikelihoodFit> {
    let mut estimation = binary_estimation(options, Link::Logit, frame)?;
    estimation.title = FIRTH;
    let mut state = State::at(&estimation.likelihood, estimation.start.clone())?;
    for iteration in 0..MOST_ITERATIONS {
        progress.report("Firth", iteration, MOST_ITERATIONS)?;
        let step = state.step();
        let next = state.towards(&estimation.likelihood, &step);
        let change = step.amax();
        state = next.unwrap_or(state);
        if change <= TOLERANCE {
            let found = state.maximum(&estimation.likelihood, iteration + 1, change);
            return finish(estimation, &state, found);
        }
    }
    Err(Error::NotConverged {
        what: "the penalised likelihood of the logit".to_owned(),
        iterations: MOST_ITERATIONS,
        criterion: state.step().amax(),
        tolerance: TOLERANCE,
        remedy: "leave out regressors that hardly vary".to_owned(),
    })
}

/// A point of the search.
struct State {
    point: Vec<f64>,
    /// The penalised log-likelihood in the working parameters.
    value: f64,
    factor: Cholesky,
    /// Leverages of the used rows.
    leverages: Vec<f64>,
    score: DVector<f64>,
}

impl State {
    fn at(likelihood: &Likelihood, point: Vec<f64>) -> Result<Self> {
        let sums = likelihood.pass(&point, Order::Hessian, 1);
        let factor = Cholesky::full_rank(&sums.information, "the information of the logit")?;
        let root = factor.inverse_root();
        let k = likelihood.parameters();
        let mut score = DVector::zeros(k);
        let mut leverages = Vec::with_capacity(likelihood.rows.len());
        let mut work = likelihood.workspace();
        for r in crate::numeric::blocks::ranges(likelihood.rows.len(), TILE) {
            let first = r.start;
            let len = r.len();
            likelihood.fill(r, &point, Order::Value, &mut work);
            for i in 0..len {
                let x = DVector::from_fn(k, |j, _| work.tile.column(j)[i]);
                let (y, index) = work.row(i);
                let p = logistic(index);
                let h = p * (1.0 - p) * (root.transpose() * &x).norm_squared();
                let weight = likelihood.weights.as_ref().map_or(1.0, |w| w[first + i]);
                score += x * (weight * (y - p + h * (0.5 - p)));
                leverages.push(h);
            }
        }
        Ok(Self {
            point,
            value: sums.value + half_log_determinant(&sums.information),
            factor,
            leverages,
            score,
        })
    }

    fn step(&self) -> DVector<f64> {
        self.factor.solve_vector(&self.score)
    }

    /// The next point: the step, halved until the penalised likelihood does not fall. `None` when rounding hides the rise.
    fn towards(&self, likelihood: &Likelihood, step: &DVector<f64>) -> Option<Self> {
        let mut length = 1.0;
        while length > SHORTEST {
            let point = self
                .point
                .iter()
                .zip(step.iter())
                .map(|(p, s)| p + length * s)
                .collect();
            if let Ok(next) = Self::at(likelihood, point) {
                let noise = 64.0 * f64::EPSILON * self.value.abs();
                if next.value >= self.value - noise {
                    return Some(next);
                }
            }
            length *= 0.5;
        }
        None
    }

    fn maximum(&self, likelihood: &Likelihood, iterations: usize, change: f64) -> Maximum {
        // The determinant in the coefficients themselves: I(β) = M⁻ᵀ I M⁻¹.
        let scale: f64 = likelihood.map().diagonal().iter().map(|m| m.ln()).sum();
        let mut sums = likelihood.pass(&self.point, Order::Hessian, 1);
        sums.value = self.value - scale;
        sums.gradient = self.score.clone();
        Maximum {
            point: self.point.clone(),
            sums,
            convergence: Convergence::reached("Newton (Firth)", iterations, change, TOLERANCE),
        }
    }
}

/// `½ ln det A` of a positive definite matrix.
fn half_log_determinant(matrix: &DMatrix<f64>) -> f64 {
    matrix.clone().cholesky().map_or(f64::NEG_INFINITY, |c| {
        c.l().diagonal().iter().map(|d| d.ln()).sum()
    })
}

/// The fit, whose rows carry the penalised scores.
fn finish(mut estimation: Estimation<'_>, state: &State, found: Maximum) -> Result<LikelihoodFit> {
    let rows = &estimation.likelihood.rows;
    let mut leverages = vec![f64::NAN; rows.total()];
    for (i, h) in state.leverages.iter().enumerate() {
        leverages[rows.index(i)] = *h;
    }
    if *estimation.covariance != Covariance::Classical {
        estimation.warnings.push(Warning::Note {
            message: "robust errors after a penalty are far too small when the sample is separated: use Covariance::Classical there"
                .to_owned(),
        });
    }
    let column = DesignColumn::new("leverage", Arc::new(leverages));
    estimation.likelihood.outcomes.push(column);
    estimation.likelihood.model = Arc::new(Penalised);
    estimation.warnings.push(Warning::Note {
        message: "penalised likelihood (Firth): the log-likelihood includes ½ ln det I".to_owned(),
    });
    estimation.finish(found, None)
}

/// The rows of the penalised logit at its solution; the second outcome is the leverage.
#[derive(Clone, Copy, Debug)]
struct Penalised;

impl RowModel for Penalised {
    fn evaluate(&self, rows: &Inputs<'_>, _order: Order, out: &mut Derivatives) {
        let (y, h, eta) = (&rows.outcomes[0], &rows.outcomes[1], &rows.indices[0]);
        for i in 0..rows.len {
            let [value, slope, curvature] = Link::Logit.log_density(y[i], eta[i]);
            out.value[i] = value;
            out.gradient[0][i] = slope + h[i] * (0.5 - logistic(eta[i]));
            out.hessian[0][i] = curvature;
        }
    }

    fn is_concave(&self) -> bool {
        true
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        super::binary::Binary { link: Link::Logit }.predict(what, indices)
    }
}
