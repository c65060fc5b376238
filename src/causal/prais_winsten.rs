//! Least squares when each error is a share of the one before plus something new.

use super::autoregressive_errors::{Autoregression, Filter};
use crate::error::{Error, Result};
use crate::numeric::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};

const MOST: usize = 500;
const TOLERANCE: f64 = 1e-11;

/// Rows of the design that follow each other in time within a series.
pub(super) struct Ordered {
    pub(super) x: DMatrix<f64>,
    pub(super) y: DVector<f64>,
    /// Whether the row follows the one above by one period.
    pub(super) follows: Vec<bool>,
}

/// Least squares of filtered rows.
pub(super) struct Solved {
    pub(super) estimates: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
    /// The sum of squared residuals.
    pub(super) squares: f64,
    /// Of the products of regressors.
    pub(super) log_determinant: f64,
}

impl Ordered {
    /// Rows in use, given with their series and time.
    pub(super) fn new(rows: &[DVector<f64>], outcome: &[f64], used: &[(usize, f64, f64)]) -> Self {
        let mut order = used.to_vec();
        order.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.2.total_cmp(&b.2)));
        let step = |pair: &[(usize, f64, f64)]| {
            let same = (pair[0].1 - pair[1].1).abs() < 0.5;
            if same {
                pair[1].2 - pair[0].2
            } else {
                f64::INFINITY
            }
        };
        let period = order.windows(2).map(step).fold(f64::INFINITY, f64::min);
        let mut follows = vec![false];
        follows.extend(order.windows(2).map(|pair| step(pair) <= 1.5 * period));
        let (n, k) = (order.len(), rows.first().map_or(0, DVector::len));
        Self {
            x: DMatrix::from_fn(n, k, |row, column| rows[order[row].0][column]),
            y: DVector::from_fn(n, |row, _| outcome[order[row].0]),
            follows,
        }
    }

    pub(super) fn longest_run(&self) -> usize {
        let mut place = 0;
        (self.follows.iter())
            .map(|follows| {
                place = if *follows { place + 1 } else { 1 };
                place
            })
            .max()
            .unwrap_or(0)
    }

    pub(super) fn solve(&self, filter: &Filter) -> Result<Solved> {
        let (n, k) = self.x.shape();
        let x = filter.applied(&self.x, &self.follows);
        let y = DMatrix::from_column_slice(n, 1, self.y.as_slice());
        let y = filter.applied(&y, &self.follows).column(0).into_owned();
        let products = x.tr_mul(&x);
        let factor = Cholesky::full_rank(&products, "the transformed regressors")?;
        let estimates = factor.solve_vector(&x.tr_mul(&y));
        let squares = (y - &x * &estimates).norm_squared();
        Ok(Solved {
            covariance: factor.inverse() * (squares / (n - k) as f64),
            log_determinant: products.cholesky().map_or(f64::NAN, |c| c.ln_determinant()),
            estimates,
            squares,
        })
    }

    /// Those of residuals, by regression of each on those before it in its run.
    pub(super) fn partial_autocorrelations(&self, e: &DVector<f64>, order: usize) -> Vec<f64> {
        let place: Vec<usize> = (self.follows.iter())
            .scan(0, |place, follows| {
                *place = if *follows { *place + 1 } else { 0 };
                Some(*place)
            })
            .collect();
        let covariance = |lag: usize| -> f64 {
            (lag..e.len())
                .filter(|row| place[*row] >= lag)
                .map(|row| e[row] * e[row - lag])
                .sum()
        };
        let gamma: Vec<f64> = (0..=order).map(covariance).collect();
        let (mut weights, mut left) = (Vec::<f64>::new(), gamma[0]);
        (1..=order)
            .map(|lag| {
                let said: f64 = (weights.iter().enumerate())
                    .map(|(i, w)| w * gamma[lag - 1 - i])
                    .sum();
                let last = if left > 0.0 {
                    (gamma[lag] - said) / left
                } else {
                    0.0
                };
                let before = weights.clone();
                for (i, weight) in weights.iter_mut().enumerate() {
                    *weight -= last * before[lag - 2 - i];
                }
                weights.push(last);
                left *= 1.0 - last * last;
                last
            })
            .collect()
    }
}

/// Prais & Winsten (1954), iterated: the share is that of a regression of residuals on those before them. A period that is missing begins a new run.
pub(super) fn prais_winsten(rows: &Ordered) -> Result<Autoregression> {
    let mut rho = 0.0_f64;
    let mut change = f64::INFINITY;
    for _ in 0..MOST {
        let solved = rows.solve(&Filter::of_partial(&[rho]))?;
        if change < TOLERANCE {
            return Ok(Autoregression {
                estimates: solved.estimates,
                covariance: solved.covariance,
                coefficients: vec![rho],
            });
        }
        let e = &rows.y - &rows.x * solved.estimates;
        let (mut products, mut squares) = (0.0, 0.0);
        for row in (1..e.len()).filter(|row| rows.follows[*row]) {
            products += e[row] * e[row - 1];
            squares += e[row - 1] * e[row - 1];
        }
        let next = if squares > 0.0 {
            products / squares
        } else {
            0.0
        };
        if next.abs() >= 1.0 {
            return Err(Error::Unidentified {
                what: "an autoregression of the errors".to_owned(),
                needs: format!(
                    "a share below one of the error before, which is {next:.3}: the series drifts; explain its changes instead, or use Newey–West errors"
                ),
            });
        }
        change = (next - rho).abs();
        rho = next;
    }
    Err(Error::NotConverged {
        what: "the autoregression of the errors".to_owned(),
        iterations: MOST,
        criterion: change,
        tolerance: TOLERANCE,
        remedy: "use Newey–West errors".to_owned(),
    })
}
