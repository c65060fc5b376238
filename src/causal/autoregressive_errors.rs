//! Least squares when errors are an autoregression, by restricted maximum likelihood.

use super::prais_winsten::{Ordered, Solved};
use crate::error::{Error, Result};
use crate::numeric::optimize::Lbfgs;
use nalgebra::{DMatrix, DVector};

/// Partial autocorrelations stay this far from ±1, where the series has no level.
const MARGIN: f64 = 1e-6;
/// Residuals below this share of the outcome are rounding.
const EXACT: f64 = 1e-12;

/// How the autoregression is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum ErrorLikelihood {
    /// Of contrasts that are free of the coefficients.
    Restricted,
    Full,
}

/// What each row has that those before it in its run do not say: errors of one variance.
pub(super) struct Filter {
    /// The predictors of order 0, 1, …, p: weights on the row before, the one before that, ….
    predictors: Vec<Vec<f64>>,
    /// The variances of what they leave, that of order p being one.
    variances: Vec<f64>,
}

impl Filter {
    /// Of partial autocorrelations, by the recursion of Durbin and Levinson.
    pub(super) fn of_partial(partial: &[f64]) -> Self {
        let mut predictors: Vec<Vec<f64>> = vec![Vec::new()];
        for (order, last) in partial.iter().enumerate() {
            let before = &predictors[order];
            let mut weights: Vec<f64> = (0..order)
                .map(|i| before[i] - last * before[order - 1 - i])
                .collect();
            weights.push(*last);
            predictors.push(weights);
        }
        let mut variances = vec![1.0];
        for last in partial.iter().rev() {
            variances.insert(0, variances[0] / (1.0 - last * last));
        }
        Self {
            predictors,
            variances,
        }
    }

    fn coefficients(&self) -> Vec<f64> {
        self.predictors.last().cloned().unwrap_or_default()
    }

    /// Rows less what those before say, over the standard deviation of what is left; `follows` says whether a row continues the run of the one above.
    pub(super) fn applied(&self, values: &DMatrix<f64>, follows: &[bool]) -> DMatrix<f64> {
        let mut out = values.clone();
        let mut place = 0;
        for (row, follows) in follows.iter().enumerate() {
            place = if *follows { place + 1 } else { 0 };
            let order = place.min(self.predictors.len() - 1);
            let scale = 1.0 / self.variances[order].sqrt();
            for column in 0..values.ncols() {
                let said: f64 = (self.predictors[order].iter().enumerate())
                    .map(|(lag, weight)| weight * values[(row - 1 - lag, column)])
                    .sum();
                out[(row, column)] = scale * (values[(row, column)] - said);
            }
        }
        out
    }

    /// The logarithm of the determinant of the errors' covariance, in units of the variance of what is new.
    fn log_determinant(&self, follows: &[bool]) -> f64 {
        let mut place = 0;
        (follows.iter())
            .map(|follows| {
                place = if *follows { place + 1 } else { 0 };
                self.variances[place.min(self.predictors.len() - 1)].ln()
            })
            .sum()
    }
}

/// Estimates, their covariance, and the coefficients of the autoregression.
pub(super) struct Autoregression {
    pub(super) estimates: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
    pub(super) coefficients: Vec<f64>,
}

/// Coefficients of rows that follow each other, with errors that are an autoregression of some order; a period that is missing begins a new run.
pub(super) fn autoregressive_errors(
    rows: &Ordered,
    order: usize,
    likelihood: ErrorLikelihood,
) -> Result<Autoregression> {
    let (n, k) = rows.x.shape();
    let longest = rows.longest_run();
    if longest <= order + 1 || n <= k + order {
        return Err(Error::Unidentified {
            what: format!("an autoregression of order {order} of the errors"),
            needs: format!(
                "more than {} periods without a gap, of which the longest run has {longest}, and more rows than the {} parameters",
                order + 1,
                k + order
            ),
        });
    }
    let done = |filter: &Filter, solved: Solved| Autoregression {
        estimates: solved.estimates,
        covariance: solved.covariance,
        coefficients: filter.coefficients(),
    };
    let independent = Filter::of_partial(&vec![0.0; order]);
    let solved = rows.solve(&independent)?;
    if solved.squares <= EXACT * EXACT * rows.y.norm_squared() {
        return Ok(done(&independent, solved));
    }
    let free = match likelihood {
        ErrorLikelihood::Restricted => (n - k) as f64,
        ErrorLikelihood::Full => n as f64,
    };
    let partial =
        |point: &[f64]| -> Vec<f64> { point.iter().map(|z| (1.0 - MARGIN) * z.tanh()).collect() };
    // Twice the negative logarithm of the likelihood, a row.
    let minus = |point: &[f64]| -> f64 {
        let filter = Filter::of_partial(&partial(point));
        rows.solve(&filter).map_or(f64::NAN, |solved| {
            let design = match likelihood {
                ErrorLikelihood::Restricted => solved.log_determinant,
                ErrorLikelihood::Full => 0.0,
            };
            (free * solved.squares.ln() + filter.log_determinant(&rows.follows) + design) / n as f64
        })
    };
    let start = rows.partial_autocorrelations(&(&rows.y - &rows.x * &solved.estimates), order);
    let start: Vec<f64> = start.iter().map(|r| r.clamp(-0.9, 0.9).atanh()).collect();
    let found = Lbfgs::new()
        .minimize(&minus, &start)?
        .or_error("the autoregression of the errors")?;
    let filter = Filter::of_partial(&partial(&found.point));
    let unit = partial(&found.point)
        .iter()
        .map(|r| r.abs())
        .fold(0.0, f64::max);
    if unit > 1.0 - 1e-4 {
        return Err(Error::Unidentified {
            what: "an autoregression of the errors".to_owned(),
            needs: "errors that return to their mean: the series drifts; explain its changes instead, or use Newey–West errors".to_owned(),
        });
    }
    let solved = rows.solve(&filter)?;
    Ok(done(&filter, solved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_undoes_the_covariance_of_an_autoregression() {
        let partial = [0.6, -0.3];
        let filter = Filter::of_partial(&partial);
        let phi = filter.coefficients();
        assert!((phi[0] - 0.6 * 1.3).abs() < 1e-15 && (phi[1] + 0.3).abs() < 1e-15);
        // Autocovariances by the equations of Yule and Walker, errors of variance one.
        let gamma0 = 1.0 / ((1.0 - 0.36) * (1.0 - 0.09));
        let mut gamma = vec![gamma0, 0.6 * gamma0];
        for lag in 2..6 {
            gamma.push(phi[0] * gamma[lag - 1] + phi[1] * gamma[lag - 2]);
        }
        // A run of four, then one of two.
        let run = [0, 0, 0, 0, 1, 1];
        let follows = [false, true, true, true, false, true];
        let covariance = DMatrix::from_fn(6, 6, |a: usize, b: usize| {
            if run[a] == run[b] {
                gamma[a.abs_diff(b)]
            } else {
                0.0
            }
        });
        let whiten = filter.applied(&DMatrix::identity(6, 6), &follows);
        let left = &whiten * &covariance * whiten.transpose() - DMatrix::identity(6, 6);
        assert!(left.amax() < 1e-13, "{left}");
        let determinant = covariance.determinant().ln();
        assert!((filter.log_determinant(&follows) - determinant).abs() < 1e-12);
    }
}
