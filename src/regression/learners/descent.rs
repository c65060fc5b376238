//! Minimising a quadratic with an elastic net penalty by coordinate descent.

use crate::error::{Error, Result};
use crate::numeric::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};

/// Sweeps over the coefficients at most. Each costs no pass over the data.
const MOST_SWEEPS: usize = 200_000;

/// `½ b'Gb − c'b + Σ_j (l1_j |b_j| + ½ l2_j b_j²)`.
#[derive(Clone, Debug)]
pub(crate) struct Problem<'a> {
    pub(crate) gram: &'a DMatrix<f64>,
    pub(crate) linear: &'a DVector<f64>,
    pub(crate) l1: Vec<f64>,
    pub(crate) l2: Vec<f64>,
    /// Steps below this end the descent, in units of b times the root of its diagonal.
    pub(crate) tolerance: f64,
}

/// `sign(z) max(|z| − t, 0)`.
fn soft(z: f64, threshold: f64) -> f64 {
    (z.abs() - threshold).max(0.0).copysign(z)
}

impl Problem<'_> {
    /// The minimum, from a start near it. Without an absolute penalty it is a linear system, in which columns that earlier ones span
    /// get 0 when nothing else decides.
    pub(crate) fn minimise(&self, start: &mut [f64]) -> Result<()> {
        if self.l1.iter().all(|l| *l <= 0.0) {
            let mut matrix = self.gram.clone();
            for (j, l2) in self.l2.iter().enumerate() {
                matrix[(j, j)] += l2;
            }
            let factor = Cholesky::new(&matrix);
            let kept = factor.kept();
            let right = DVector::from_iterator(kept.len(), kept.iter().map(|j| self.linear[*j]));
            start.fill(0.0);
            for (j, value) in kept.iter().zip(factor.solve_vector(&right).iter()) {
                start[*j] = *value;
            }
            return Ok(());
        }
        let p = start.len();
        // Residual correlations c − Gb, kept up to date: an update costs one column of G.
        let mut left = self.linear.clone();
        for (j, b) in start.iter().enumerate().filter(|(_, b)| b.abs() > 0.0) {
            left.axpy(-b, &self.gram.column(j), 1.0);
        }
        let all: Vec<usize> = (0..p).filter(|j| self.gram[(*j, *j)] > 0.0).collect();
        let (mut largest, mut sweeps) = (f64::INFINITY, 0);
        while sweeps < MOST_SWEEPS {
            sweeps += 1;
            largest = self.sweep(&all, start, &mut left);
            if largest <= self.tolerance {
                return Ok(());
            }
            // Coefficients that are not zero settle among themselves before the others are asked again.
            let active: Vec<usize> = all
                .iter()
                .copied()
                .filter(|j| start[*j].abs() > 0.0)
                .collect();
            while sweeps < MOST_SWEEPS {
                sweeps += 1;
                if self.sweep(&active, start, &mut left) <= self.tolerance {
                    break;
                }
            }
        }
        Err(Error::NotConverged {
            what: "coordinate descent of the elastic net".to_owned(),
            iterations: MOST_SWEEPS,
            criterion: largest,
            tolerance: self.tolerance,
            remedy: "drop columns that are almost linear combinations of others, or take a smaller mixing so that the ridge part decides between them".to_owned(),
        })
    }

    /// One round over these coefficients; returns the largest step.
    fn sweep(&self, over: &[usize], b: &mut [f64], left: &mut DVector<f64>) -> f64 {
        let mut largest = 0.0_f64;
        for &j in over {
            let diagonal = self.gram[(j, j)];
            let new = soft(left[j] + diagonal * b[j], self.l1[j]) / (diagonal + self.l2[j]);
            let step = new - b[j];
            if step.abs() > 0.0 {
                b[j] = new;
                left.axpy(-step, &self.gram.column(j), 1.0);
                largest = largest.max(step.abs() * diagonal.sqrt());
            }
        }
        largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orthonormal_design_is_soft_thresholding() {
        let gram = DMatrix::identity(3, 3);
        let linear = DVector::from_vec(vec![2.0, -0.5, 1.0]);
        let problem = Problem {
            gram: &gram,
            linear: &linear,
            l1: vec![0.75; 3],
            l2: vec![0.25; 3],
            tolerance: 1e-14,
        };
        let mut b = [0.0; 3];
        problem.minimise(&mut b).unwrap();
        for (got, want) in b.iter().zip([1.0, 0.0, 0.2]) {
            assert!((got - want).abs() < 1e-14);
        }
    }
}
