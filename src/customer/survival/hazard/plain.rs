//! The likelihood of periods without unobserved differences between customers.

use super::super::newton::Pass;
use super::super::regressors::Regressors;
use super::cells::Cells;
use nalgebra::DMatrix;

impl Cells<'_> {
    /// One pass over rows and their periods. The regressors of a row do not change, so its second derivatives are summed over periods
    /// before they meet the regressors.
    pub(super) fn pass(&self, regressors: &Regressors, point: &[f64]) -> Pass {
        let (q, p) = (self.baseline(), regressors.count());
        let (n, periods) = (self.last.len(), self.basis.len());
        let offsets = self.offsets(point);
        let mut index = vec![0.0; n];
        regressors.add_index(&point[q..q + p], &mut index);
        let mut log_likelihood = 0.0;
        let (mut first, mut second) = (vec![0.0; n], vec![0.0; n]);
        let mut by_period = vec![[0.0; 2]; periods];
        let mut mixed = vec![0.0; periods * p];
        for i in 0..n {
            let w = self.sample.weight(i);
            self.each(i, |t, event| {
                let [value, d1, d2] = self.link.period(offsets[t] + index[i], event);
                log_likelihood += w * value;
                first[i] += w * d1;
                second[i] += w * d2;
                by_period[t][0] += w * d1;
                by_period[t][1] += w * d2;
                for (sum, column) in mixed[t * p..(t + 1) * p]
                    .iter_mut()
                    .zip(&regressors.columns)
                {
                    *sum += w * d2 * column[i];
                }
            });
        }
        let mut gradient = vec![0.0; q + p];
        let mut information = DMatrix::zeros(q + p, q + p);
        for (t, basis) in self.basis.iter().enumerate() {
            let Some(basis) = basis else { continue };
            for a in (0..q).filter(|a| basis[*a].abs() > 0.0) {
                gradient[a] += basis[a] * by_period[t][0];
                for b in 0..q {
                    information[(a, b)] -= basis[a] * basis[b] * by_period[t][1];
                }
                for j in 0..p {
                    information[(a, q + j)] -= basis[a] * mixed[t * p + j];
                }
            }
        }
        for j in 0..p {
            let column = &regressors.columns[j];
            gradient[q + j] = column.iter().zip(&first).map(|(x, d)| x * d).sum();
            let weighted: Vec<f64> = column.iter().zip(&second).map(|(x, d)| x * d).collect();
            for k in 0..=j {
                let value: f64 = -regressors.columns[k]
                    .iter()
                    .zip(&weighted)
                    .map(|(x, d)| x * d)
                    .sum::<f64>();
                information[(q + j, q + k)] = value;
                information[(q + k, q + j)] = value;
            }
            for a in 0..q {
                information[(q + j, a)] = information[(a, q + j)];
            }
        }
        Pass {
            log_likelihood,
            gradient,
            information,
        }
    }

    /// Weighted scores by row in own units.
    pub(super) fn scores(&self, regressors: &Regressors, point: &[f64]) -> Vec<Vec<f64>> {
        let (q, p, n) = (self.baseline(), regressors.count(), self.last.len());
        let offsets = self.offsets(point);
        let mut index = vec![0.0; n];
        regressors.add_index(&point[q..q + p], &mut index);
        let mut columns = vec![vec![0.0; n]; q + p];
        for i in 0..n {
            let w = self.sample.weight(i);
            let mut sum = 0.0;
            self.each(i, |t, event| {
                let d1 = w * self.link.period(offsets[t] + index[i], event)[1];
                sum += d1;
                for (column, b) in columns.iter_mut().zip(self.basis[t].iter().flatten()) {
                    column[i] += b * d1;
                }
            });
            for j in 0..p {
                columns[q + j][i] = sum * regressors.own(i, j);
            }
        }
        columns
    }
}
