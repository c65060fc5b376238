//! What a treated series would have been: weights on donors.

use crate::error::{Error, Result};
use crate::numeric::linalg::Cholesky;
use crate::numeric::optimize::nearest_in_hull;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// How a counterfactual is made of donors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Recipe {
    /// Levels may differ by a constant.
    pub(super) demeaned: bool,
    /// The penalty of the ridge augmentation.
    pub(super) penalty: Option<f64>,
}

/// Weights on donors and the series that they make.
#[derive(Clone, Debug)]
pub(super) struct Counterfactual {
    pub(super) weights: Vec<f64>,
    pub(super) synthetic: Vec<f64>,
}

pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0_usize);
    for value in values {
        sum += value;
        count += 1;
    }
    sum / count as f64
}

/// The root mean square of gaps; zero of none.
pub(super) fn rms(gaps: &[f64]) -> f64 {
    if gaps.is_empty() {
        return 0.0;
    }
    mean(gaps.iter().map(|gap| gap * gap)).sqrt()
}

/// Weights on the simplex that bring donors nearest to the target, `min Σ_t (c + Σ_j w_j x_jt − x_t)² + ridge Σ_j w_j²`, with `c = 0` unless series are demeaned.
pub(super) fn simplex_weights<D: AsRef<[f64]>>(
    target: &[f64],
    donors: &[D],
    demeaned: bool,
    ridge: f64,
) -> Result<Vec<f64>> {
    let differences = DMatrix::from_fn(target.len(), donors.len(), |t, j| {
        donors[j].as_ref()[t] - target[t]
    });
    let differences = if demeaned {
        let means = differences.row_mean();
        DMatrix::from_fn(target.len(), donors.len(), |t, j| {
            differences[(t, j)] - means[j]
        })
    } else {
        differences
    };
    let mut gram = differences.tr_mul(&differences);
    for j in 0..donors.len() {
        gram[(j, j)] += ridge;
    }
    nearest_in_hull(&gram)
}

impl Recipe {
    /// Matches the target in the given periods and goes through all. Features replace outcomes in the distance, the target's first.
    pub(super) fn make(
        self,
        target: &[f64],
        donors: &[&[f64]],
        periods: &[usize],
        features: Option<&[Vec<f64>]>,
    ) -> Result<Counterfactual> {
        let within = |series: &[f64]| -> Vec<f64> { periods.iter().map(|t| series[*t]).collect() };
        let matched = within(target);
        let pool: Vec<Vec<f64>> = donors.iter().map(|series| within(series)).collect();
        let mut weights = match features {
            Some([own, others @ ..]) => simplex_weights(own, others, false, 0.0)?,
            _ => simplex_weights(&matched, &pool, self.demeaned, 0.0)?,
        };
        if let Some(penalty) = self.penalty {
            let correction = Augmentation::new(&matched, &pool, &weights, self.demeaned);
            for (weight, extra) in weights.iter_mut().zip(correction.weights(penalty)?) {
                *weight += extra;
            }
        }
        let combine = |t: usize| -> f64 {
            (weights.iter().zip(donors))
                .map(|(weight, series)| weight * series[t])
                .sum()
        };
        let shift = if self.demeaned {
            mean(periods.iter().map(|t| target[*t] - combine(*t)))
        } else {
            0.0
        };
        let synthetic = (0..target.len()).map(|t| shift + combine(t)).collect();
        Ok(Counterfactual { weights, synthetic })
    }
}

/// What ridge regression on past outcomes adds to weights: `(x_1 − X'w)'(X'X + λI)⁻¹X'`, in deviations from the mean of the donors.
pub(super) struct Augmentation {
    /// Periods by donors.
    x: DMatrix<f64>,
    imbalance: DVector<f64>,
}

impl Augmentation {
    pub(super) fn new(
        target: &[f64],
        donors: &[Vec<f64>],
        weights: &[f64],
        demeaned: bool,
    ) -> Self {
        let level = |series: &[f64]| {
            if demeaned {
                mean(series.iter().copied())
            } else {
                0.0
            }
        };
        let levels: Vec<f64> = donors.iter().map(|series| level(series)).collect();
        let raw = DMatrix::from_fn(target.len(), donors.len(), |t, j| donors[j][t] - levels[j]);
        let centre = raw.column_mean();
        let x = DMatrix::from_fn(raw.nrows(), raw.ncols(), |t, j| raw[(t, j)] - centre[t]);
        let own = level(target);
        let target = DVector::from_fn(target.len(), |t, _| target[t] - own - centre[t]);
        let imbalance = target - &x * DVector::from_column_slice(weights);
        Self { x, imbalance }
    }

    /// The square of the largest singular value of the donors.
    pub(super) fn largest(&self) -> f64 {
        let product = &self.x * self.x.transpose();
        product.symmetric_eigenvalues().max()
    }

    pub(super) fn weights(&self, penalty: f64) -> Result<Vec<f64>> {
        let product = &self.x * self.x.transpose();
        let system = product + DMatrix::identity(self.x.nrows(), self.x.nrows()) * penalty;
        let factor = Cholesky::full_rank(&system, "ridge augmentation").map_err(|_| {
            Error::invalid_option(
                "penalty",
                penalty,
                "large enough for the outcomes of donors before treatment to be told apart; leave it to cross-validation",
            )
        })?;
        let solved = factor.solve_vector(&self.imbalance);
        Ok(self.x.tr_mul(&solved).iter().copied().collect())
    }
}
