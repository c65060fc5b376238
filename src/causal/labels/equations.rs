//! Estimating equations of rows with a label, corrected by predictions on rows without.

use crate::error::{Error, Result};
use crate::numeric::linalg::Cholesky;
use crate::regression::binary::logistic;
use nalgebra::{DMatrix, DVector};

/// Newton steps of the logit.
const STEPS: usize = 100;

/// Relative size of the last step.
const TOLERANCE: f64 = 1e-12;

/// Rows with or without a label.
pub(super) struct Part {
    pub(super) x: DMatrix<f64>,
    pub(super) y: Vec<f64>,
    pub(super) f: Vec<f64>,
}

/// What is solved.
pub(super) struct Problem {
    pub(super) names: Vec<String>,
    pub(super) labelled: Part,
    pub(super) unlabelled: Part,
    pub(super) logit: bool,
}

impl Part {
    pub(super) fn rows(&self) -> usize {
        self.y.len()
    }

    /// The mean of `x (μ(x'θ) − target)`, one row a row when not summed.
    fn gradients(&self, theta: &DVector<f64>, target: &[f64], logit: bool) -> DMatrix<f64> {
        let index = &self.x * theta;
        let mut out = self.x.clone();
        for (row, (index, target)) in index.iter().zip(target).enumerate() {
            let residual = if logit { logistic(*index) } else { *index } - target;
            out.row_mut(row).scale_mut(residual);
        }
        out
    }

    /// `Σ w x x'` with the slope of the mean as w.
    fn curvature(&self, theta: &DVector<f64>, logit: bool) -> DMatrix<f64> {
        if !logit {
            return self.x.transpose() * &self.x;
        }
        let index = &self.x * theta;
        let mut weighted = self.x.clone();
        for (row, index) in index.iter().enumerate() {
            let p = logistic(*index);
            weighted.row_mut(row).scale_mut(p * (1.0 - p));
        }
        self.x.transpose() * weighted
    }
}

impl Problem {
    pub(super) fn solve(&self, lambda: f64) -> Result<DVector<f64>> {
        if self.logit {
            return self.newton(lambda);
        }
        let regression = |part: &Part, target: DVector<f64>| -> Result<DVector<f64>> {
            let factor = Cholesky::full_rank(
                &(part.x.transpose() * &part.x),
                "the regressors on the rows without a label",
            )?;
            Ok(factor.solve_vector(&(part.x.transpose() * target)))
        };
        let (l, u) = (&self.labelled, &self.unlabelled);
        let rest = l.y.iter().zip(&l.f).map(|(y, f)| y - lambda * f);
        let mut theta = regression(l, DVector::from_iterator(l.rows(), rest))?;
        if lambda > 0.0 {
            theta += regression(
                u,
                DVector::from_iterator(u.rows(), u.f.iter().map(|f| lambda * f)),
            )?;
        }
        Ok(theta)
    }

    fn newton(&self, lambda: f64) -> Result<DVector<f64>> {
        let (l, u) = (&self.labelled, &self.unlabelled);
        let (n, m) = (l.rows() as f64, u.rows() as f64);
        let gradient = |theta: &DVector<f64>| -> DVector<f64> {
            let own = l.gradients(theta, &l.y, true) - lambda * l.gradients(theta, &l.f, true);
            let mut sum = own.row_sum().transpose() / n;
            if lambda > 0.0 {
                sum += u.gradients(theta, &u.f, true).row_sum().transpose() * (lambda / m);
            }
            sum
        };
        let mut theta = DVector::zeros(self.names.len());
        let mut at = gradient(&theta);
        for _ in 0..STEPS {
            let mut curvature = l.curvature(&theta, true) * ((1.0 - lambda) / n);
            if lambda > 0.0 {
                curvature += u.curvature(&theta, true) * (lambda / m);
            }
            let Some(full) = curvature.lu().solve(&at) else {
                break;
            };
            let (mut step, mut shrink) = (full, 1.0_f64);
            let mut next = gradient(&(&theta - &step));
            while next.norm() > at.norm() * (1.0 + 1e-9) && shrink > 1e-6 {
                shrink *= 0.5;
                step *= 0.5;
                next = gradient(&(&theta - &step));
            }
            theta -= &step;
            at = next;
            if step.norm() <= TOLERANCE * (1.0 + theta.norm()) {
                return Ok(theta);
            }
        }
        Err(Error::NotConverged {
            what: "the prediction-powered logit".to_owned(),
            iterations: STEPS,
            criterion: at.norm(),
            tolerance: TOLERANCE,
            remedy: "label more rows, use fewer terms, or set `lambda` lower: few labels may be told apart without error".to_owned(),
        })
    }

    /// `H⁻¹` over all rows, or over those with a label when the others are not used.
    fn bread(&self, theta: &DVector<f64>, all: bool) -> DMatrix<f64> {
        let (l, u) = (&self.labelled, &self.unlabelled);
        let mut sum = l.curvature(theta, self.logit);
        let mut rows = l.rows();
        if all {
            sum += u.curvature(theta, self.logit);
            rows += u.rows();
        }
        Cholesky::new(&(sum / rows as f64)).inverse()
    }

    pub(super) fn tuned(&self, theta: &DVector<f64>) -> f64 {
        let (l, u) = (&self.labelled, &self.unlabelled);
        let (n, m) = (l.rows() as f64, u.rows() as f64);
        let bread = self.bread(theta, true);
        let own = centred(l.gradients(theta, &l.y, self.logit));
        let predicted = l.gradients(theta, &l.f, self.logit);
        let others = u.gradients(theta, &u.f, self.logit);
        let cross = own.transpose() * centred(predicted.clone()) / n;
        let mut all = predicted
            .clone()
            .resize_vertically(l.rows() + u.rows(), 0.0);
        all.rows_mut(l.rows(), u.rows()).copy_from(&others);
        let spread = covariance(&all);
        let trace = |middle: &DMatrix<f64>| (&bread * middle * &bread).trace();
        let top = trace(&(&cross + cross.transpose()));
        let bottom = 2.0 * (1.0 + n / m) * trace(&spread);
        if bottom > 0.0 {
            (top / bottom).clamp(0.0, 1.0)
        } else {
            // Predictions that never vary say nothing.
            0.0
        }
    }

    pub(super) fn covariance(&self, theta: &DVector<f64>, lambda: f64) -> DMatrix<f64> {
        let (l, u) = (&self.labelled, &self.unlabelled);
        let (n, m) = (l.rows() as f64, u.rows() as f64);
        let own =
            l.gradients(theta, &l.y, self.logit) - lambda * l.gradients(theta, &l.f, self.logit);
        let mut meat = covariance(&own) / n;
        if lambda > 0.0 {
            meat += covariance(&u.gradients(theta, &u.f, self.logit)) * (lambda * lambda / m);
        }
        let bread = self.bread(theta, lambda > 0.0);
        &bread * meat * &bread
    }
}

fn centred(mut rows: DMatrix<f64>) -> DMatrix<f64> {
    let mean = rows.row_mean();
    for mut row in rows.row_iter_mut() {
        row -= &mean;
    }
    rows
}

fn covariance(rows: &DMatrix<f64>) -> DMatrix<f64> {
    let n = rows.nrows() as f64;
    let c = centred(rows.clone());
    c.transpose() * c / (n - 1.0).max(1.0)
}
