//! Regressors as columns of mean zero and unit spread, and the way back to their own units.

use super::outcome::Sample;
use crate::data::DesignColumn;
use crate::error::Warning;
use crate::numeric::linalg::Cholesky;
use nalgebra::DMatrix;

/// A column with a spread below this share of its mean does not vary.
const CONSTANT: f64 = 1e-13;

/// Regressors over the used rows, standardised so that units cost the optimiser nothing.
#[derive(Clone, Debug)]
pub(crate) struct Regressors {
    pub(crate) names: Vec<String>,
    pub(crate) columns: Vec<Vec<f64>>,
    pub(crate) means: Vec<f64>,
    pub(crate) spreads: Vec<f64>,
}

impl Regressors {
    /// Reads the regressors of a sample; those that do not vary are left out with a warning.
    pub(crate) fn read(sample: &Sample, warnings: &mut Vec<Warning>) -> Self {
        let mut read = Self {
            names: vec![],
            columns: vec![],
            means: vec![],
            spreads: vec![],
        };
        let mut constant = vec![];
        for column in &sample.design.exogenous {
            let column: &DesignColumn = column;
            let mut values = column.values(&sample.design.rows);
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            for v in &mut values {
                *v -= mean;
            }
            let spread = (values.iter().map(|v| v * v).sum::<f64>() / n).sqrt();
            if spread <= CONSTANT * mean.abs() {
                constant.push(column.name.clone());
                continue;
            }
            for v in &mut values {
                *v /= spread;
            }
            read.names.push(column.name.clone());
            read.columns.push(values);
            read.means.push(mean);
            read.spreads.push(spread);
        }
        if !constant.is_empty() {
            warnings.push(Warning::Constant { columns: constant });
        }
        read
    }

    pub(crate) fn count(&self) -> usize {
        self.names.len()
    }

    /// Leaves out the columns that do not move this information matrix given the ones before, with a warning.
    pub(crate) fn drop_collinear(
        &mut self,
        information: &DMatrix<f64>,
        warnings: &mut Vec<Warning>,
    ) {
        let dropped = Cholesky::new(information).dropped().to_vec();
        if dropped.is_empty() {
            return;
        }
        warnings.push(Warning::Collinear {
            columns: dropped.iter().map(|j| self.names[*j].clone()).collect(),
        });
        for j in dropped.into_iter().rev() {
            self.names.remove(j);
            self.columns.remove(j);
            self.means.remove(j);
            self.spreads.remove(j);
        }
    }

    /// `X'X`.
    pub(crate) fn gram(&self) -> DMatrix<f64> {
        let p = self.count();
        DMatrix::from_fn(p, p, |i, j| {
            self.columns[i]
                .iter()
                .zip(&self.columns[j])
                .map(|(a, b)| a * b)
                .sum()
        })
    }

    /// A regressor in its own units.
    pub(crate) fn own(&self, row: usize, j: usize) -> f64 {
        self.means[j] + self.spreads[j] * self.columns[j][row]
    }

    /// From parameters in standardised units to own ones, with `before` constants in front of the slopes (each of which takes
    /// what the means take off) and `after` further parameters behind.
    pub(crate) fn own_units(&self, before: usize, after: usize) -> DMatrix<f64> {
        let p = self.count();
        let mut map = DMatrix::identity(before + p + after, before + p + after);
        for j in 0..p {
            map[(before + j, before + j)] = 1.0 / self.spreads[j];
            for c in 0..before {
                map[(c, before + j)] = -self.means[j] / self.spreads[j];
            }
        }
        map
    }

    /// Adds `x'b` to every row.
    pub(crate) fn add_index(&self, slopes: &[f64], out: &mut [f64]) {
        for (column, b) in self.columns.iter().zip(slopes) {
            for (out, x) in out.iter_mut().zip(column) {
                *out += b * x;
            }
        }
    }
}
