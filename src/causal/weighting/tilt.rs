//! The first step: log odds or log weights that are linear in covariates, found by maximising a concave function.

use super::newton::{MOST_HALVINGS, MOST_STEPS, SMALL_MOVE, Sums, newton};
use super::observed::{Basis, Observed};
use crate::error::{Error, Result};
use crate::numeric::blocks;
use crate::numeric::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Curvature of rows that have no weight, so that a step exists while few have one.
const LEAST_CURVATURE: f64 = 1e-9;
/// Rounds of coordinates in the quadratic model of a step within a tolerance, at most; and the share of the largest move below which they end.
const MOST_ROUNDS: usize = 10_000;
const SMALL_SHARE: f64 = 1e-12;
/// Rows of a block of work.
pub(super) const BLOCK: usize = 4096;
/// Covariates whose share in a direction without end is at least this much of the largest are named.
const NAMED: f64 = 0.1;

/// What is maximised: `Σ s f(η)` with `η = x'β`. Its first-order condition is the moment that the method sets to zero (Zhao 2019 shows it for propensities).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::causal) enum Tilt {
    /// The logit likelihood: `Σ s (W − e) x = 0`.
    Likelihood,
    /// `Σ s (W/e − (1 − W)/(1 − e)) x = 0`.
    Everyone,
    /// `Σ s (W − (1 − W) e/(1 − e)) x = 0`: the untreated become like the treated.
    Treated,
    /// `Σ s (W (1 − e)/e − (1 − W)) x = 0`: the treated become like the untreated.
    Untreated,
    /// `Σ s (1 − 1{own arm} exp(η)) x = 0`: one arm becomes like all.
    Arm(bool),
    /// `Σ s (1{target} − 1{own arm} max(0, η)) x = 0`: of the weights by which an arm becomes like the other, or like all, those of least variance (Zubizarreta 2015).
    Stable {
        /// The arm with weights.
        arm: bool,
        /// Whether it becomes like all, not like the other.
        like_all: bool,
    },
}

impl Tilt {
    /// `f`, `f'` and `−f''`.
    fn row(self, treated: bool, eta: f64) -> [f64; 3] {
        let up = |eta: f64| {
            let odds = (-eta).exp();
            [eta - odds, 1.0 + odds, odds]
        };
        let mirrored = |[value, first, second]: [f64; 3]| [value, -first, second];
        let straight = |eta: f64| [eta, 1.0, 0.0];
        match (self, treated) {
            (Self::Likelihood, _) => {
                let side = if treated { -eta } else { eta };
                // The log of a probability that may be tiny, without overflow.
                let wrong = 1.0 / (1.0 + (-side).exp());
                let value = -(side.max(0.0) + (-side.abs()).exp().ln_1p());
                let first = if treated { wrong } else { -wrong };
                [value, first, wrong * (1.0 - wrong)]
            }
            (Self::Everyone, true) => up(eta),
            (Self::Everyone, false) => mirrored(up(-eta)),
            (Self::Treated, false) => [-eta.exp(), -eta.exp(), eta.exp()],
            (Self::Untreated, true) => [-(-eta).exp(), (-eta).exp(), (-eta).exp()],
            (Self::Untreated, false) => mirrored(straight(-eta)),
            (Self::Arm(arm), _) if arm == treated => [eta - eta.exp(), 1.0 - eta.exp(), eta.exp()],
            (Self::Treated, true) | (Self::Arm(_), _) => straight(eta),
            (Self::Stable { arm, .. }, _) => {
                let toward = f64::from(u8::from(self.is_target(treated)));
                if arm == treated {
                    let weight = eta.max(0.0);
                    let active = if eta > 0.0 { 1.0 } else { 0.0 };
                    [
                        toward * eta - 0.5 * weight * weight,
                        toward - weight,
                        active + LEAST_CURVATURE,
                    ]
                } else {
                    [toward * eta, toward, 0.0]
                }
            }
        }
    }

    /// Whether the rows of an arm are among those that another is made like.
    fn is_target(self, treated: bool) -> bool {
        match self {
            Self::Likelihood | Self::Everyone | Self::Arm(_) => true,
            Self::Treated => treated,
            Self::Untreated => !treated,
            Self::Stable { arm, like_all } => like_all || treated != arm,
        }
    }

    /// What is sought, for the sentence of an error.
    fn sought(self, observed: &Observed) -> String {
        let [control, treated] = &observed.arms;
        let names = |arm: &str, like: &str| {
            format!(
                "what weights would make arm `{arm}` of `{}` like {like}",
                observed.treatment
            )
        };
        match self {
            Self::Likelihood => format!(
                "the propensity of arm `{treated}` of `{}`",
                observed.treatment
            ),
            Self::Treated => names(control, &format!("arm `{treated}`")),
            Self::Everyone | Self::Untreated => names(treated, &format!("arm `{control}`")),
            Self::Arm(arm)
            | Self::Stable {
                arm,
                like_all: true,
            } => names(&observed.arms[usize::from(arm)], "all rows"),
            Self::Stable { arm, .. } => names(
                &observed.arms[usize::from(arm)],
                &format!("arm `{}`", observed.arms[usize::from(!arm)]),
            ),
        }
    }
}

/// A first step that was taken.
#[derive(Clone, Debug)]
pub(in crate::causal) struct Tilted {
    tilt: Tilt,
    pub(in crate::causal) eta: Vec<f64>,
    /// The inverse of `Σ s (−f'') x x'`; zero at covariates that a tolerance leaves alone.
    pub(in crate::causal) inverse: DMatrix<f64>,
    /// The tolerance of every covariate that is at its end, with the sign of that end.
    shift: DVector<f64>,
}

impl Tilted {
    /// Maximises by Newton's method with halved steps.
    ///
    /// # Errors
    /// `Unidentified` when the maximum is at infinity: no such weights exist. The covariates of that direction are named.
    pub(in crate::causal) fn solve(tilt: Tilt, observed: &Observed, basis: &Basis) -> Result<Self> {
        let found = newton(
            vec![tilt.start(observed); observed.len()],
            observed,
            |eta| sums(tilt, observed, basis, eta),
            |eta| value(tilt, observed, eta),
            |direction| basis.times(direction),
        );
        let (eta, inverse) =
            found.map_err(|direction| no_overlap(tilt.sought(observed), basis, &direction))?;
        Ok(Self {
            tilt,
            eta,
            inverse,
            shift: DVector::zeros(basis.width),
        })
    }

    /// Maximises `Σ s f(η) − δ S Σ_j |β_j|`, with S the weight of those that the arm is made like and the constant left out: means of standardised covariates then differ by δ at most.
    /// Newton's method, whose quadratic models are solved coordinate by coordinate.
    ///
    /// # Errors
    /// `Unidentified` when no weights are within the tolerance.
    pub(super) fn solve_within(
        tilt: Tilt,
        observed: &Observed,
        basis: &Basis,
        tolerance: f64,
    ) -> Result<Self> {
        if tolerance <= 0.0 {
            return Self::solve(tilt, observed, basis);
        }
        let rows = observed.treated.iter().zip(&observed.weights);
        let target: f64 = rows
            .filter(|(arm, _)| tilt.is_target(**arm))
            .map(|(_, s)| s)
            .sum();
        let slack = DVector::from_fn(
            basis.width,
            |j, _| {
                if j == 0 { 0.0 } else { tolerance * target }
            },
        );
        let penalty = |beta: &DVector<f64>| -> f64 {
            beta.iter()
                .zip(slack.iter())
                .map(|(b, s)| s * b.abs())
                .sum()
        };
        let mut beta = DVector::zeros(basis.width);
        beta[0] = tilt.start(observed);
        let mut eta = basis.times(&beta);
        let mut direction = DVector::zeros(basis.width);
        let mut last = false;
        for _ in 0..MOST_STEPS {
            let sums = sums(tilt, observed, basis, &eta);
            if !sums.value.is_finite() {
                break;
            }
            if last {
                return Self::at_ends(tilt, eta, &beta, &sums.curvature, tolerance)
                    .ok_or_else(|| no_overlap(tilt.sought(observed), basis, &direction));
            }
            direction = penalised_step(&sums, &beta, &slack);
            let moves = basis.times(&direction);
            let largest = (moves.iter().zip(&observed.weights))
                .filter(|(_, s)| **s > 0.0)
                .fold(0.0_f64, |m, (v, _)| m.max(v.abs()));
            last = largest < SMALL_MOVE;
            let before = sums.value - penalty(&beta);
            let mut length = 1.0;
            let tried = (0..MOST_HALVINGS).find_map(|_| {
                let tried = &beta + length * &direction;
                let index = basis.times(&tried);
                length *= 0.5;
                (last || value(tilt, observed, &index) - penalty(&tried) >= before)
                    .then_some((tried, index))
            });
            match tried {
                Some((tried, index)) => (beta, eta) = (tried, index),
                None => break,
            }
        }
        Err(no_overlap(tilt.sought(observed), basis, &direction))
    }

    /// A solution within a tolerance: the covariates that are at an end of theirs are conditions, the others are none.
    fn at_ends(
        tilt: Tilt,
        eta: Vec<f64>,
        beta: &DVector<f64>,
        curvature: &DMatrix<f64>,
        tolerance: f64,
    ) -> Option<Self> {
        let width = beta.len();
        let ends: Vec<usize> = (0..width)
            .filter(|j| *j == 0 || beta[*j].abs() > 0.0)
            .collect();
        let part = DMatrix::from_fn(ends.len(), ends.len(), |a, b| curvature[(ends[a], ends[b])]);
        let factor = Cholesky::with_tolerance(&part, f64::EPSILON);
        if factor.rank() < ends.len() {
            return None;
        }
        let small = factor.inverse();
        let mut inverse = DMatrix::zeros(width, width);
        let mut shift = DVector::zeros(width);
        for (a, i) in ends.iter().enumerate() {
            for (b, j) in ends.iter().enumerate() {
                inverse[(*i, *j)] = small[(a, b)];
            }
            if *i > 0 {
                shift[*i] = tolerance * beta[*i].signum();
            }
        }
        Some(Self {
            tilt,
            eta,
            inverse,
            shift,
        })
    }

    /// What uncertainty of the first step adds to a sum whose derivative with respect to β is `slope`: one number a row.
    pub(in crate::causal) fn first_step(
        &self,
        observed: &Observed,
        basis: &Basis,
        slope: &[f64],
    ) -> Vec<f64> {
        let mut total = DVector::zeros(basis.width);
        for (row, slope) in slope.iter().enumerate() {
            for (sum, x) in total.iter_mut().zip(basis.row(row)) {
                *sum += slope * x;
            }
        }
        let moves = &self.inverse * total;
        let ends = moves.dot(&self.shift);
        let mut out = basis.times(&moves);
        for (row, value) in out.iter_mut().enumerate() {
            let treated = observed.treated[row];
            *value *= self.tilt.row(treated, self.eta[row])[1];
            if self.tilt.is_target(treated) {
                *value -= ends;
            }
            *value *= observed.weights[row];
        }
        out
    }

    /// Propensities, where the index is one's log odds.
    pub(in crate::causal) fn propensities(&self) -> Vec<f64> {
        self.eta
            .iter()
            .map(|eta| 1.0 / (1.0 + (-eta).exp()))
            .collect()
    }
}

impl Tilt {
    /// The constant that solves the problem without covariates.
    fn start(self, observed: &Observed) -> f64 {
        let [control, treated] = [false, true].map(|arm| observed.arm_weight(arm));
        match self {
            Self::Arm(arm) => ((control + treated) / if arm { treated } else { control }).ln(),
            Self::Stable { arm, like_all } => {
                let (own, other) = if arm {
                    (treated, control)
                } else {
                    (control, treated)
                };
                (other + if like_all { own } else { 0.0 }) / own
            }
            _ => (treated / control).ln(),
        }
    }
}

/// The maximum of `g'd − ½ d'Hd − Σ_j slack_j |β_j + d_j|`, coordinate by coordinate.
fn penalised_step(sums: &Sums, beta: &DVector<f64>, slack: &DVector<f64>) -> DVector<f64> {
    let (g, h) = (&sums.gradient, &sums.curvature);
    let mut moved = beta.clone();
    // The gradient of the quadratic model.
    let mut left = g.clone();
    for _ in 0..MOST_ROUNDS {
        let mut largest = 0.0_f64;
        for j in 0..beta.len() {
            if h[(j, j)] <= 0.0 {
                continue;
            }
            let alone = left[j] + h[(j, j)] * moved[j];
            let shrunk = (alone.abs() - slack[j]).max(0.0).copysign(alone);
            let step = shrunk / h[(j, j)] - moved[j];
            if step.abs() > 0.0 {
                left.axpy(-step, &h.column(j), 1.0);
                moved[j] += step;
                largest = largest.max(step.abs());
            }
        }
        if largest <= SMALL_SHARE * (1.0 + moved.amax()) {
            break;
        }
    }
    moved - beta
}

fn value(tilt: Tilt, observed: &Observed, eta: &[f64]) -> f64 {
    let block = |range: std::ops::Range<usize>| -> f64 {
        range
            .filter(|row| observed.weights[*row] > 0.0)
            .map(|row| observed.weights[row] * tilt.row(observed.treated[row], eta[row])[0])
            .sum()
    };
    blocks::reduce(eta.len(), BLOCK, block, |a, b| *a += b).unwrap_or(0.0)
}

fn sums(tilt: Tilt, observed: &Observed, basis: &Basis, eta: &[f64]) -> Sums {
    let p = basis.width;
    let block = |range: std::ops::Range<usize>| {
        let mut all = Sums::zero(p);
        for row in range.filter(|row| observed.weights[*row] > 0.0) {
            let parts = tilt.row(observed.treated[row], eta[row]);
            let [value, first, second] = parts.map(|v| v * observed.weights[row]);
            all.value += value;
            let x = basis.row(row);
            for (a, xa) in x.iter().enumerate() {
                all.gradient[a] += first * xa;
                let scaled = second * xa;
                let mut column = all.curvature.column_mut(a);
                for (sum, xb) in column.iter_mut().zip(&x[..=a]) {
                    *sum += scaled * xb;
                }
            }
        }
        all
    };
    let mut all =
        blocks::reduce(eta.len(), BLOCK, block, Sums::add).unwrap_or_else(|| Sums::zero(p));
    all.curvature.fill_lower_triangle_with_upper_triangle();
    all
}

/// `direction` is that in which weights grow without end.
pub(super) fn no_overlap(what: String, basis: &Basis, direction: &DVector<f64>) -> Error {
    let slopes = direction.iter().skip(1);
    let largest = slopes.clone().fold(0.0_f64, |m, d| m.max(d.abs()));
    let named: Vec<String> = (basis.names.iter().zip(slopes))
        .filter(|(_, d)| d.abs() >= NAMED * largest)
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    Error::Unidentified {
        what,
        needs: format!(
            "overlap: no finite weights balance {}, on which the arms lie apart; leave it out, coarsen it, or restrict the sample to where both arms occur",
            named.join(" with ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_and_curvatures_are_derivatives() {
        for tilt in [
            Tilt::Likelihood,
            Tilt::Everyone,
            Tilt::Treated,
            Tilt::Untreated,
            Tilt::Arm(true),
            Tilt::Arm(false),
            Tilt::Stable {
                arm: false,
                like_all: true,
            },
            Tilt::Stable {
                arm: true,
                like_all: false,
            },
        ] {
            for treated in [false, true] {
                for eta in [-1.9, 0.1, 0.4, 2.5] {
                    let [_, first, second] = tilt.row(treated, eta);
                    let near = |d: f64, k: usize| tilt.row(treated, eta + d)[k];
                    let slope = |k| (near(1e-5, k) - near(-1e-5, k)) / 2e-5;
                    assert!((first - slope(0)).abs() < 1e-8, "{tilt:?} {treated} {eta}");
                    assert!((second + slope(1)).abs() < 1e-8, "{tilt:?} {treated} {eta}");
                }
            }
        }
    }
}
