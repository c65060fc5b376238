//! A local polynomial regression on one side of the cutoff: its coefficients, the weights of the rows in them, and their variance.

use super::options::{LocalKernel, ResidualVariance};
use super::regression_discontinuity::RegressionDiscontinuity;
use super::side::Side;
use crate::error::{Error, Result};
use crate::numeric::linalg::{Cholesky, quadratic_form, spectral};
use nalgebra::{DMatrix, DVector};

/// Rows with more leverage than this are taken to have it: a residual of zero says nothing.
const LARGEST_LEVERAGE: f64 = 1.0 - 1e-8;

/// Least squares of all columns of a side on powers of `u = (x − c)/h`, weighted by the kernel. The coefficient of `(x − c)^k` is that of `u^k` over `h^k`.
pub(super) struct LocalFit<'a> {
    side: &'a Side,
    pub(super) bandwidth: f64,
    order: usize,
    /// Kernel times own weight of the rows in the bandwidth.
    weights: Vec<f64>,
    /// `(R'WR)⁻¹` in powers of u.
    inverse: DMatrix<f64>,
    /// One column a column of the side, in powers of u.
    beta: DMatrix<f64>,
    /// `R'W D`.
    cross: DMatrix<f64>,
}

impl<'a> LocalFit<'a> {
    /// # Errors
    /// `Unidentified` when the bandwidth has too few distinct values.
    pub(super) fn new(
        side: &'a Side,
        kernel: LocalKernel,
        bandwidth: f64,
        order: usize,
    ) -> Result<Self> {
        let rows = side.within(kernel, bandwidth);
        let values = side.distinct_within(rows);
        if values <= order {
            return Err(Error::Unidentified {
                what: format!(
                    "a polynomial of order {order} on the {} of the cutoff, where {values} distinct values of the running variable are within the bandwidth {bandwidth:.4}",
                    side.name
                ),
                needs: format!(
                    "at least {} of them: widen the bandwidth with `.bandwidth(…)`, lower the order, or compare means near the cutoff with `LocalRandomization`",
                    order + 1
                ),
            });
        }
        let weights: Vec<f64> = match &side.weights {
            None => (side.x[..rows].iter())
                .map(|x| kernel.weight(x / bandwidth))
                .collect(),
            Some(own) => side.x[..rows]
                .iter()
                .zip(own)
                .map(|(x, own)| own * kernel.weight(x / bandwidth))
                .collect(),
        };
        let columns = side.columns.len();
        // R'WR is made of sums of powers.
        let mut powers = vec![0.0; 2 * order + 1];
        let mut cross = DMatrix::zeros(order + 1, columns);
        for (row, (x, w)) in side.x.iter().zip(&weights).enumerate() {
            let u = x / bandwidth;
            let mut power = *w;
            for (k, sum) in powers.iter_mut().enumerate() {
                *sum += power;
                if k <= order {
                    for (j, column) in side.columns.iter().enumerate() {
                        cross[(k, j)] += power * column[row];
                    }
                }
                power *= u;
            }
        }
        let gram = DMatrix::from_fn(order + 1, order + 1, |i, j| powers[i + j]);
        let factor = Cholesky::full_rank(
            &gram,
            &format!(
                "the local polynomial of order {order} on the {} of the cutoff",
                side.name
            ),
        )?;
        Ok(Self {
            side,
            bandwidth,
            order,
            weights,
            beta: factor.solve(&cross),
            inverse: factor.inverse(),
            cross,
        })
    }

    /// Rows with weight.
    pub(super) fn rows(&self) -> usize {
        self.weights.len()
    }

    /// The coefficient of `(x − c)^power` of a combination of the columns.
    pub(super) fn coefficient(&self, power: usize, combination: &[f64]) -> f64 {
        let row = self.beta.row(power);
        let sum: f64 = row.iter().zip(combination).map(|(b, s)| b * s).sum();
        sum / power_of(self.bandwidth, power)
    }

    /// `h^(o + 1 − power)` times this is the bias of the coefficient of `(x − c)^power` of an order-o fit when that of `(x − c)^(o + 1)` is one.
    pub(super) fn bias_constant(&self, power: usize) -> f64 {
        let mut next = DVector::zeros(self.order + 1);
        for (x, w) in self.side.x.iter().zip(&self.weights) {
            let u = x / self.bandwidth;
            let mut term = w * power_of(u, self.order + 1);
            for sum in next.iter_mut() {
                *sum += term;
                term *= u;
            }
        }
        (self.inverse.row(power) * next)[0]
    }

    /// The weight of every row in the coefficient of `(x − c)^power`.
    pub(super) fn linear_weights(&self, power: usize) -> Vec<f64> {
        let scale = power_of(self.bandwidth, power).recip();
        let shape: Vec<f64> = self.inverse.row(power).iter().map(|v| v * scale).collect();
        self.polynomial(&shape, self.rows())
            .iter()
            .zip(&self.weights)
            .map(|(value, w)| value * w)
            .collect()
    }

    /// The value of a polynomial in u at the first rows of the side.
    fn polynomial(&self, coefficients: &[f64], rows: usize) -> Vec<f64> {
        self.at(coefficients, &self.side.x[..rows])
    }

    fn at(&self, coefficients: &[f64], x: &[f64]) -> Vec<f64> {
        let value = |x: &f64| {
            let u = x / self.bandwidth;
            coefficients.iter().rev().fold(0.0, |sum, c| sum * u + c)
        };
        x.iter().map(value).collect()
    }

    /// Coefficients of a combination of the columns, in powers of u.
    fn combined(&self, combination: &[f64]) -> Vec<f64> {
        (self.beta.row_iter())
            .map(|row| row.iter().zip(combination).map(|(b, s)| b * s).sum())
            .collect()
    }

    /// The fitted polynomial of a combination of the columns at distances from the cutoff.
    pub(super) fn values(&self, combination: &[f64], x: &[f64]) -> Vec<f64> {
        self.at(&self.combined(combination), x)
    }

    /// Its slope there.
    pub(super) fn slopes(&self, combination: &[f64], x: &[f64]) -> Vec<f64> {
        let beta = self.combined(combination);
        let slope = beta.iter().enumerate().skip(1);
        let slope: Vec<f64> = slope.map(|(k, b)| k as f64 * b / self.bandwidth).collect();
        self.at(&slope, x)
    }

    /// Its HC1 errors there.
    pub(super) fn value_errors(&self, combination: &[f64], x: &[f64]) -> Vec<f64> {
        let k = self.order + 1;
        let values = self.side.combined(combination, self.rows());
        let fitted = self.values(combination, &self.side.x[..self.rows()]);
        let mut meat = DMatrix::zeros(k, k);
        for (row, w) in self.weights.iter().enumerate() {
            let score = w * (values[row] - fitted[row]);
            let basis = self.basis(self.side.x[row]);
            meat.ger(score * score, &basis, &basis, 1.0);
        }
        let n = self.rows() as f64;
        let scale = n / (n - k as f64).max(1.0);
        let variance = scale * (&self.inverse * meat * &self.inverse);
        let error = |x: &f64| quadratic_form(&variance, &self.basis(*x)).max(0.0).sqrt();
        x.iter().map(error).collect()
    }

    /// Products of covariates with each other (the first matrix) and with the first columns, net of the polynomial. A kernel is `K(u)/h`: sides with different
    /// bandwidths count alike.
    pub(super) fn net_products(&self, first: usize) -> (DMatrix<f64>, DMatrix<f64>) {
        let columns = &self.side.columns;
        let count = columns.len() - first;
        let product = |a: usize, b: usize| {
            let sum: f64 = (self.weights.iter().zip(&columns[a]).zip(&columns[b]))
                .map(|((w, a), b)| w * a * b)
                .sum();
            (sum - self.cross.column(a).dot(&self.beta.column(b))) / self.bandwidth
        };
        (
            DMatrix::from_fn(count, count, |i, j| {
                product(first + i.max(j), first + i.min(j))
            }),
            DMatrix::from_fn(count, first, |i, j| product(first + i, j)),
        )
    }

    /// Residuals of a combination of the columns on the first `rows` of the side, which may be more than the fit has.
    pub(super) fn residuals(
        &self,
        combination: &[f64],
        rows: usize,
        model: &RegressionDiscontinuity,
    ) -> Vec<f64> {
        let rule = model.variance;
        let values = self.side.combined(combination, rows);
        let clustered = self.side.clusters.is_some();
        if rule == ResidualVariance::NearestNeighbour && !clustered {
            return self
                .side
                .neighbour_residuals(&values, rows, model.neighbours);
        }
        let fitted = self.values(combination, &self.side.x[..rows]);
        let mut residuals: Vec<f64> = (values.iter().zip(fitted))
            .map(|(value, fitted)| value - fitted)
            .collect();
        match (rule, clustered) {
            (ResidualVariance::Hc1, false) => {
                let scale = (rows as f64 / (rows as f64 - self.order as f64 - 1.0)).sqrt();
                for r in &mut residuals {
                    *r *= scale;
                }
            }
            (ResidualVariance::Hc2 | ResidualVariance::Hc3, false) => {
                for ((r, shape), w) in residuals.iter_mut().zip(self.leverage()).zip(&self.weights)
                {
                    let left = 1.0 - (w * shape).min(LARGEST_LEVERAGE);
                    *r /= if rule == ResidualVariance::Hc2 {
                        left.sqrt()
                    } else {
                        left
                    };
                }
            }
            (ResidualVariance::Hc2 | ResidualVariance::Hc3, true) => {
                self.by_cluster_leverage(&mut residuals, rule);
            }
            _ => {}
        }
        residuals
    }

    /// The variance of the coefficient of `(x − c)^power` of a combination of the columns.
    pub(super) fn variance(
        &self,
        power: usize,
        combination: &[f64],
        model: &RegressionDiscontinuity,
    ) -> f64 {
        let residuals = self.residuals(combination, self.rows(), model);
        let weights = self.linear_weights(power);
        let part = weights.iter().zip(&residuals).map(|(l, r)| l * r).collect();
        covariance(self.side, &[part], model.variance, self.order + 1)[(0, 0)]
    }

    /// Leverage of the rows over their weights, `r'(R'WR)⁻¹r`: a polynomial in u.
    fn leverage(&self) -> Vec<f64> {
        let mut shape = vec![0.0; 2 * self.order + 1];
        for i in 0..=self.order {
            for j in 0..=self.order {
                shape[i + j] += self.inverse[(i, j)];
            }
        }
        self.polynomial(&shape, self.rows())
    }

    fn basis(&self, x: f64) -> DVector<f64> {
        let u = x / self.bandwidth;
        DVector::from_iterator(
            self.order + 1,
            std::iter::successors(Some(1.0), |power| Some(power * u)).take(self.order + 1),
        )
    }

    /// Multiplies the residuals of each cluster by `(I − H)^(−1/2)` (CR2) or `(I − H)⁻¹` (CR3), where H is its block of the hat matrix in the metric of the weights. With `F = W^(1/2) R L`, `LL' = (R'WR)⁻¹`,
    /// H is `FF'` and a function of it is `I + F g(F'F) F'`, a matrix as small as the polynomial.
    fn by_cluster_leverage(&self, residuals: &mut [f64], rule: ResidualVariance) {
        let Some(clusters) = &self.side.clusters else {
            return;
        };
        let root = Cholesky::new(&self.inverse).root();
        let count = clusters[..self.rows()].iter().max().map_or(0, |c| *c + 1) as usize;
        let k = self.order + 1;
        let mut gram = vec![DMatrix::zeros(k, k); count];
        let mut score = vec![DVector::zeros(k); count];
        for (row, w) in self.weights.iter().enumerate() {
            let r = root.tr_mul(&self.basis(self.side.x[row]));
            let cluster = clusters[row] as usize;
            gram[cluster].ger(*w, &r, &r, 1.0);
            score[cluster].axpy(w * residuals[row], &r, 1.0);
        }
        let shape = |share: f64| {
            let left = 1.0 - share.clamp(0.0, LARGEST_LEVERAGE);
            match rule {
                // ((1 − s)^(−1/2) − 1)/s without cancellation.
                ResidualVariance::Hc2 => 1.0 / (left.sqrt() * (1.0 + left.sqrt())),
                _ => 1.0 / left,
            }
        };
        let correction: Vec<DVector<f64>> = (gram.iter().zip(&score))
            .map(|(gram, score)| spectral(gram, shape) * score)
            .collect();
        for (row, r) in residuals.iter_mut().enumerate().take(self.rows()) {
            let basis = root.tr_mul(&self.basis(self.side.x[row]));
            *r += basis.dot(&correction[clusters[row] as usize]);
        }
    }
}

/// Covariance of linear estimates on one side, from what every row adds to each: `Σ a_i a_i'`, summed within clusters first; CR1 has `(n − 1)/(n − k) · G/(G − 1)` beside.
pub(super) fn covariance(
    side: &Side,
    parts: &[Vec<f64>],
    rule: ResidualVariance,
    coefficients: usize,
) -> DMatrix<f64> {
    let rows = parts.first().map_or(0, Vec::len);
    let (sums, factor): (Vec<Vec<f64>>, f64) = match &side.clusters {
        None => (parts.to_vec(), 1.0),
        Some(clusters) => {
            let count = clusters[..rows].iter().max().map_or(0, |c| *c + 1) as usize;
            let by_cluster = |part: &Vec<f64>| {
                let mut sums = vec![0.0; count];
                for (a, cluster) in part.iter().zip(clusters) {
                    sums[*cluster as usize] += a;
                }
                sums
            };
            let factor = match rule {
                ResidualVariance::Hc2 | ResidualVariance::Hc3 => 1.0,
                _ => {
                    let n = rows as f64;
                    let g = side.clusters_within(rows).unwrap_or(0) as f64;
                    (n - 1.0) / (n - coefficients as f64) * g / (g - 1.0)
                }
            };
            (parts.iter().map(by_cluster).collect(), factor)
        }
    };
    DMatrix::from_fn(parts.len(), parts.len(), |i, j| {
        let (i, j) = (i.max(j), i.min(j));
        let products = sums[i].iter().zip(&sums[j]).map(|(a, b)| a * b);
        factor * products.sum::<f64>()
    })
}

/// `x^k`.
pub(super) fn power_of(x: f64, k: usize) -> f64 {
    x.powi(i32::try_from(k).unwrap_or(i32::MAX))
}

/// `k!`.
pub(super) fn factorial(k: usize) -> f64 {
    (1..=k).map(|i| i as f64).product()
}

/// The derivative of `a/b` with respect to both.
pub(super) fn ratio_slope([top, bottom]: [f64; 2]) -> [f64; 2] {
    [1.0 / bottom, -top / (bottom * bottom)]
}

/// Slopes of the columns before `from` on the covariates, which are those from there on, common to the fits and net of their polynomials (Calonico, Cattaneo, Farrell & Titiunik 2019); a covariate that
/// the others span within the bandwidth has none.
pub(super) fn covariate_slopes(fits: &[&LocalFit<'_>], from: usize) -> DMatrix<f64> {
    let mut sums: Option<(DMatrix<f64>, DMatrix<f64>)> = None;
    for fit in fits {
        let (among, with) = fit.net_products(from);
        sums = Some(match sums {
            None => (among, with),
            Some((a, w)) => (a + among, w + with),
        });
    }
    let Some((among, with)) = sums else {
        return DMatrix::zeros(0, from);
    };
    let factor = Cholesky::new(&among);
    let kept = factor.solve(&with.select_rows(factor.kept()));
    let mut slopes = DMatrix::zeros(among.nrows(), from);
    for (row, at) in factor.kept().iter().enumerate() {
        slopes.set_row(*at, &kept.row(row));
    }
    slopes
}

/// A column net of the covariates, as a combination of all columns.
pub(super) fn net_of(column: usize, slopes: &DMatrix<f64>) -> Vec<f64> {
    let from = slopes.ncols();
    let own = (0..from).map(|k| f64::from(u8::from(k == column)));
    own.chain(slopes.column(column).iter().map(|slope| -slope))
        .collect()
}
