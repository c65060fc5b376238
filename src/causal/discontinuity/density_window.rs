//! The density on both sides of a cutoff as the slope of a local polynomial through the distribution function.

use super::local::power_of;
use super::observed::{check_range, mass_point_warning, numbers};
use super::options::LocalKernel;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::numeric::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};
use std::ops::Range;

/// The running variable in rising order, less the cutoff, and its distribution function.
#[derive(Clone, Debug)]
pub(super) struct Sorted {
    pub(super) x: Vec<f64>,
    /// The first row of every distinct value, and the number of rows.
    pub(super) starts: Vec<usize>,
    /// Rows and distinct values on the left.
    pub(super) left: usize,
    pub(super) left_values: usize,
}

/// A polynomial of the distribution function within bandwidths.
pub(super) struct DensityFit {
    beta: DVector<f64>,
    bandwidths: [f64; 2],
    order: usize,
    restricted: bool,
    /// Densities on the left and on the right.
    pub(super) densities: [f64; 2],
    /// Their jackknife covariance.
    pub(super) covariance: DMatrix<f64>,
    /// Rows in the bandwidths.
    pub(super) rows: [usize; 2],
}

/// Coefficients, and the covariance of some of them.
struct Slopes {
    beta: DVector<f64>,
    covariance: DMatrix<f64>,
}

impl Sorted {
    /// The running variable, with what a reader must know of it.
    ///
    /// # Errors
    /// Those of [`numbers`] and [`check_range`]; `NoRows`.
    pub(super) fn read(frame: &Frame, running: &str, cutoff: f64) -> Result<(Self, Vec<Warning>)> {
        let column = numbers(frame, running)?;
        let present = column.values().iter().filter(|v| !v.is_nan());
        let x: Vec<f64> = present.map(|v| v - cutoff).collect();
        if x.is_empty() {
            return Err(Error::NoRows {
                reason: format!("`{running}` is missing on every row"),
            });
        }
        check_range(running, cutoff, &x)?;
        let mut warnings = Vec::new();
        let dropped = frame.rows() - x.len();
        if dropped > 0 {
            warnings.push(Warning::RowsDropped {
                dropped,
                missing: vec![(running.to_owned(), dropped)],
            });
        }
        let sorted = Self::new(x);
        warnings.extend(mass_point_warning(
            running,
            sorted.values(),
            sorted.rows(),
            "rounding alone can make a jump",
        ));
        Ok((sorted, warnings))
    }

    pub(super) fn new(mut x: Vec<f64>) -> Self {
        x.sort_unstable_by(f64::total_cmp);
        let mut starts: Vec<usize> = (0..x.len())
            .filter(|i| *i == 0 || x[*i] > x[*i - 1])
            .collect();
        let left = x.partition_point(|x| *x < 0.0);
        let left_values = starts.partition_point(|start| *start < left);
        starts.push(x.len());
        Self {
            x,
            starts,
            left,
            left_values,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.x.len()
    }

    pub(super) fn mean(&self) -> f64 {
        self.x.iter().sum::<f64>() / self.len() as f64
    }

    /// The standard deviation.
    pub(super) fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.x.iter().map(|x| (x - mean).powi(2)).sum();
        (squares / (self.len() as f64 - 1.0)).sqrt()
    }

    /// Rows on the left and on the right.
    pub(super) fn rows(&self) -> [usize; 2] {
        [self.left, self.len() - self.left]
    }

    /// Distinct values on the left and on the right.
    pub(super) fn values(&self) -> [usize; 2] {
        [self.left_values, self.starts.len() - 1 - self.left_values]
    }

    /// Distances of the farthest rows on the left and on the right.
    pub(super) fn reach(&self) -> [f64; 2] {
        let end = |x: Option<&f64>| x.map_or(0.0, |x| x.abs());
        [end(self.x.first()), end(self.x.last())]
    }

    /// Bandwidths with at least `k` rows and `k` distinct values on each side, where there are as many.
    pub(super) fn nearest(&self, k: usize) -> [f64; 2] {
        let right = self.len() - self.left;
        let values = self.values();
        let at = |row: usize| self.x[row].abs();
        let value = |group: usize| at(self.starts[group]);
        let left = at(self.left - k.min(self.left)).max(value(self.left_values - k.min(values[0])));
        let row = at(self.left + k.min(right) - 1);
        [
            left,
            row.max(value(self.left_values + k.min(values[1]) - 1)),
        ]
    }

    /// The distribution function at the rows of a distinct value, from 0 to 1.
    fn distribution(&self, group: usize) -> f64 {
        (self.starts[group + 1] - 1) as f64 / (self.len() - 1) as f64
    }

    /// Fits polynomials of one order on both sides, or (restricted) one whose level and higher powers are common.
    pub(super) fn fit(
        &self,
        kernel: LocalKernel,
        bandwidths: [f64; 2],
        order: usize,
        restricted: bool,
    ) -> Result<DensityFit> {
        let groups = self.groups(-bandwidths[0], bandwidths[1]);
        let columns = if restricted { order + 2 } else { 2 * order + 2 };
        let slopes = if restricted { [1, 2] } else { [1, order + 2] };
        let found = self
            .slopes(groups.clone(), columns, &slopes, |group, row| {
                self.row(group, kernel, bandwidths, order, restricted, row)
            })
            .map_err(|_| too_few(order, bandwidths))?;
        let middle = self.left_values.clamp(groups.start, groups.end);
        let rows = |groups: Range<usize>| self.starts[groups.end] - self.starts[groups.start];
        let scale = DMatrix::from_fn(2, 2, |i, j| 1.0 / (bandwidths[i] * bandwidths[j]));
        Ok(DensityFit {
            densities: [0, 1].map(|side| found.beta[slopes[side]] / bandwidths[side]),
            covariance: found.covariance.component_mul(&scale),
            beta: found.beta,
            rows: [rows(groups.start..middle), rows(middle..groups.end)],
            bandwidths,
            order,
            restricted,
        })
    }

    /// The density at a point from the rows of one side, and its standard error.
    pub(super) fn density_at(
        &self,
        kernel: LocalKernel,
        at: f64,
        side: usize,
        bandwidth: f64,
        order: usize,
    ) -> Result<(f64, f64)> {
        let near = self.groups(at - bandwidth, at + bandwidth);
        let groups = if side == 0 {
            near.start..near.end.min(self.left_values)
        } else {
            near.start.max(self.left_values)..near.end
        };
        let found = self.slopes(groups, order + 1, &[1], |group, row| {
            let u = (self.x[self.starts[group]] - at) / bandwidth;
            powers(u, row);
            kernel.weight(u)
        })?;
        Ok((
            found.beta[1] / bandwidth,
            found.covariance[(0, 0)].sqrt() / bandwidth,
        ))
    }

    /// The distinct values from one to another.
    fn groups(&self, low: f64, high: f64) -> Range<usize> {
        let starts = &self.starts[..self.starts.len() - 1];
        starts.partition_point(|row| self.x[*row] < low)
            ..starts.partition_point(|row| self.x[*row] <= high)
    }

    /// Least squares of the distribution function on regressors of the distinct values (written by `row`, which returns the weight), and the jackknife covariance of some of the coefficients: what
    /// a row adds to them when it is counted in the distribution function of those above it.
    fn slopes(
        &self,
        groups: Range<usize>,
        columns: usize,
        positions: &[usize],
        regressors: impl Fn(usize, &mut [f64]) -> f64,
    ) -> Result<Slopes> {
        let (mut gram, mut cross) = (DMatrix::zeros(columns, columns), DVector::zeros(columns));
        let mut row = vec![0.0; columns];
        let count = |group: usize| (self.starts[group + 1] - self.starts[group]) as f64;
        for group in groups.clone() {
            let weight = regressors(group, &mut row) * count(group);
            let y = self.distribution(group);
            for i in 0..columns {
                let wi = weight * row[i];
                if wi.abs() > 0.0 {
                    cross[i] += wi * y;
                    for j in 0..=i {
                        gram[(i, j)] += wi * row[j];
                    }
                }
            }
        }
        gram.fill_upper_triangle_with_lower_triangle();
        let factor = Cholesky::full_rank(&gram, "the distribution of the running variable")?;
        let picked = factor.inverse().select_rows(positions);
        let q = positions.len();
        let (mut tail, mut covariance) = (DVector::zeros(q), DMatrix::zeros(q, q));
        let mut share = DVector::zeros(q);
        for group in groups.rev() {
            let weight = regressors(group, &mut row);
            for (i, share) in share.iter_mut().enumerate() {
                *share = weight * (0..columns).map(|k| picked[(i, k)] * row[k]).sum::<f64>();
            }
            // All rows of a value but the first.
            let rows = count(group);
            tail.axpy(rows - 1.0, &share, 1.0);
            covariance.ger(rows, &tail, &tail, 1.0);
            tail += &share;
        }
        let n1 = (self.len() - 1) as f64;
        Ok(Slopes {
            beta: factor.solve_vector(&cross),
            covariance: covariance / (n1 * n1),
        })
    }

    /// The regressors of a distinct value, and its kernel weight.
    fn row(
        &self,
        group: usize,
        kernel: LocalKernel,
        bandwidths: [f64; 2],
        order: usize,
        restricted: bool,
        row: &mut [f64],
    ) -> f64 {
        let side = usize::from(group >= self.left_values);
        let u = self.x[self.starts[group]] / bandwidths[side];
        row.fill(0.0);
        if restricted {
            // The powers from 2 on stand behind both slopes.
            powers(u, &mut row[1..]);
            row[..3].fill(0.0);
            row[0] = 1.0;
            row[1 + side] = u;
        } else {
            powers(u, &mut row[side * (order + 1)..][..=order]);
        }
        kernel.weight(u) / bandwidths[side]
    }
}

/// `1, u, u², …`.
fn powers(u: f64, row: &mut [f64]) {
    let mut power = 1.0;
    for value in row {
        *value = power;
        power *= u;
    }
}

fn too_few(order: usize, bandwidths: [f64; 2]) -> Error {
    Error::Unidentified {
        what: "the density at the cutoff".to_owned(),
        needs: format!(
            "more than {order} distinct values of the running variable with weight on each side within the bandwidths {:.4} and {:.4}; widen them with `.bandwidth(h)`",
            bandwidths[0], bandwidths[1]
        ),
    }
}

impl DensityFit {
    /// The coefficient of `x^power` of the distribution function on a side, from power 2 on.
    pub(super) fn coefficient(&self, side: usize, power: usize) -> f64 {
        let at = if self.restricted {
            power + 1
        } else {
            side * (self.order + 1) + power
        };
        self.beta[at] / power_of(self.bandwidths[side], power)
    }
}
