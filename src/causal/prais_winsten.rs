//! Least squares when each error is a share of the one before plus something new.

use crate::error::{Error, Result};
use crate::numeric::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};

const MOST: usize = 500;
const TOLERANCE: f64 = 1e-11;

/// Estimates with errors of one variance after the transformation.
pub(super) struct PraisWinsten {
    pub(super) estimates: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
    pub(super) rho: f64,
}

/// Rows of the design that follow each other in time within a series.
struct Ordered {
    x: DMatrix<f64>,
    y: DVector<f64>,
    /// Whether the row follows the one above by one period.
    follows: Vec<bool>,
}

impl Ordered {
    /// Rows in use, given with their series and time.
    fn new(rows: &[DVector<f64>], outcome: &[f64], used: &[(usize, f64, f64)]) -> Self {
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

    /// Rows less `rho` times those before; the first of a run times `√(1 − ρ²)`.
    fn solve(&self, rho: f64) -> Result<(DVector<f64>, DMatrix<f64>)> {
        let (n, k) = self.x.shape();
        let first = (1.0 - rho * rho).sqrt();
        let moved = |row: usize, of: &dyn Fn(usize) -> f64| {
            if self.follows[row] {
                of(row) - rho * of(row - 1)
            } else {
                first * of(row)
            }
        };
        let x = DMatrix::from_fn(n, k, |row, column| moved(row, &|r| self.x[(r, column)]));
        let y = DVector::from_fn(n, |row, _| moved(row, &|r| self.y[r]));
        let factor = Cholesky::full_rank(&x.tr_mul(&x), "the transformed regressors")?;
        let estimates = factor.solve_vector(&x.tr_mul(&y));
        let squares = (y - &x * &estimates).norm_squared();
        Ok((estimates, factor.inverse() * (squares / (n - k) as f64)))
    }
}

/// Prais & Winsten (1954), iterated: the share is that of a regression of residuals on those before them.
///
/// `used` has the place, the series and the time of each row in use; a period that is missing begins a new run.
pub(super) fn prais_winsten(
    rows: &[DVector<f64>],
    outcome: &[f64],
    used: &[(usize, f64, f64)],
) -> Result<PraisWinsten> {
    let rows = Ordered::new(rows, outcome, used);
    let mut rho = 0.0_f64;
    let mut change = f64::INFINITY;
    for _ in 0..MOST {
        let (estimates, covariance) = rows.solve(rho)?;
        if change < TOLERANCE {
            return Ok(PraisWinsten {
                estimates,
                covariance,
                rho,
            });
        }
        let e = &rows.y - &rows.x * estimates;
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
