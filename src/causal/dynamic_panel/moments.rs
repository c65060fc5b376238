//! The two steps, their errors, and the tests of the instruments.

use super::equations::{Block, Equations};
use super::estimator::{DynamicPanelGmm, Steps};
use super::instruments::InstrumentMoments;
use crate::error::{Error, Result};
use crate::inference::{Distribution, TestResult};
use crate::numeric::linalg::{Cholesky, block, spectral, symmetrize};
use nalgebra::{DMatrix, DVector};

/// Eigenvalues below this share of the largest are zero in a generalised inverse.
const SINGULAR: f64 = 1e-12;

/// Sums over units of products with instruments.
pub(super) struct Moments<'a> {
    equations: &'a Equations,
    /// Instruments by unit, those that others span left out.
    z: Vec<DMatrix<f64>>,
    zx: DMatrix<f64>,
    zy: DVector<f64>,
    /// Weights of the first step, before inversion.
    shape: DMatrix<f64>,
    kept: Vec<usize>,
    model: &'a DynamicPanelGmm,
}

/// What the steps found.
pub(super) struct Solved {
    pub(super) estimates: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
    pub(super) instruments: usize,
    pub(super) hansen: Option<TestResult>,
    pub(super) sargan: Option<TestResult>,
    pub(super) autocorrelation: Vec<TestResult>,
    /// Whether the weights of the second step needed a generalised inverse.
    pub(super) singular: bool,
    pub(super) moments: InstrumentMoments,
}

/// A step: weights, the matrix that makes estimates of moments, estimates, and residuals by unit.
struct Step {
    weights: DMatrix<f64>,
    bread: DMatrix<f64>,
    estimates: DVector<f64>,
    residuals: Vec<DVector<f64>>,
    /// `Z_i'e_i` by unit.
    scores: Vec<DVector<f64>>,
}

/// The covariance of moments.
fn outer(scores: &[DVector<f64>], size: usize) -> DMatrix<f64> {
    (scores.iter()).fold(DMatrix::zeros(size, size), |sum, s| sum + s * s.transpose())
}

/// An inverse where there is one, else the generalised one; true for the latter.
pub(super) fn inverse(matrix: &DMatrix<f64>) -> (DMatrix<f64>, bool) {
    if let Ok(factor) = Cholesky::full_rank(matrix, "weights")
        && factor.smallest_pivot() > SINGULAR
    {
        return (factor.inverse(), false);
    }
    let largest = matrix.clone().symmetric_eigenvalues().max();
    let inverted = |value: f64| {
        if value > SINGULAR * largest {
            1.0 / value
        } else {
            0.0
        }
    };
    (spectral(matrix, inverted), true)
}

impl<'a> Moments<'a> {
    pub(super) fn new(equations: &'a Equations, model: &'a DynamicPanelGmm) -> Result<Self> {
        let width = equations.blocks.first().map_or(0, |b| b.z.ncols());
        let sum = |of: &dyn Fn(&Block) -> DMatrix<f64>, columns: usize| {
            (equations.blocks.iter()).fold(DMatrix::zeros(width, columns), |sum, b| sum + of(b))
        };
        let products = sum(&|b| b.z.tr_mul(&b.z), width);
        let kept = Cholesky::new(&products).kept().to_vec();
        // Instruments in units of their own size, so that weights do not depend on units.
        let unit =
            products.map_diagonal(|squares| if squares > 0.0 { squares.sqrt() } else { 1.0 });
        let scaled = |z: &DMatrix<f64>| {
            let mut z = z.clone();
            for (mut column, unit) in z.column_iter_mut().zip(unit.iter()) {
                column /= *unit;
            }
            z
        };
        if kept.len() < equations.names.len() {
            return Err(Error::Unidentified {
                what: format!("the equation of `{}`", model.outcome),
                needs: format!(
                    "as many instruments as its {} regressors, of which there are {}: more periods, more `.instrument_lags(…)`, or fewer regressors",
                    equations.names.len(),
                    kept.len()
                ),
            });
        }
        let shape = sum(
            &|b| {
                // Errors are independent and of one variance.
                let z = b.loadings.tr_mul(&scaled(&b.z));
                z.tr_mul(&z)
            },
            width,
        );
        let z: Vec<DMatrix<f64>> = equations
            .blocks
            .iter()
            .map(|b| scaled(&b.z).select_columns(&kept))
            .collect();
        let over = |of: &dyn Fn(&Block, &DMatrix<f64>) -> DMatrix<f64>, columns: usize| {
            let start = DMatrix::zeros(kept.len(), columns);
            (equations.blocks.iter().zip(&z)).fold(start, |sum, (b, z)| sum + of(b, z))
        };
        let zx = over(&|b, z| z.tr_mul(&b.x), equations.names.len());
        let zy = over(
            &|b, z| z.tr_mul(&DMatrix::from_column_slice(b.y.len(), 1, b.y.as_slice())),
            1,
        );
        Ok(Self {
            equations,
            zy: zy.column(0).into_owned(),
            zx,
            shape: block(&shape, &kept, &kept),
            z,
            kept,
            model,
        })
    }

    fn step(&self, weights: DMatrix<f64>) -> Result<Step> {
        let projected = &weights * &self.zx;
        let information = symmetrize(&self.zx.tr_mul(&projected));
        let factor = Cholesky::new(&information);
        if let Some(dropped) = factor.dropped().first() {
            return Err(Error::Unidentified {
                what: format!("the coefficient of `{}`", self.equations.names[*dropped]),
                needs: "variation that the instruments see and other regressors do not share; leave it out, or leave out period effects".to_owned(),
            });
        }
        let bread = factor.inverse();
        let estimates = &bread * projected.tr_mul(&self.zy);
        let residuals: Vec<DVector<f64>> = (self.equations.blocks.iter())
            .map(|b| &b.y - &b.x * &estimates)
            .collect();
        let scores = self
            .z
            .iter()
            .zip(&residuals)
            .map(|(z, e)| z.tr_mul(e))
            .collect();
        Ok(Step {
            weights,
            bread,
            estimates,
            residuals,
            scores,
        })
    }

    pub(super) fn solve(&self, steps: Steps) -> Result<Solved> {
        let instruments = self.zx.nrows();
        let first = self.step(inverse(&self.shape).0)?;
        let spread = outer(&first.scores, instruments);
        let along = &first.bread * (&first.weights * &self.zx).transpose();
        let robust = symmetrize(&(&along * &spread * along.transpose()));
        let (weights, singular) = inverse(&spread);
        let second = self.step(weights)?;
        let total = |step: &Step| {
            step.scores
                .iter()
                .fold(DVector::zeros(instruments), |sum, s| sum + s)
        };
        let extra = instruments - self.equations.names.len();
        let test = |name: &str, statistic: f64| {
            (extra > 0).then(|| {
                let distribution = Distribution::ChiSquared { df: extra as f64 };
                TestResult::new(name, statistic, distribution)
            })
        };
        let sum = total(&second);
        let hansen = test(
            "Hansen's test: the instruments are valid",
            sum.dot(&(&second.weights * &sum)),
        );
        let sargan = if self.model.levels {
            None
        } else {
            let squares: f64 = first.residuals.iter().map(DVector::norm_squared).sum();
            // A difference has two errors, an orthogonal deviation the variance of one.
            let errors = if self.model.is_orthogonal() { 1 } else { 2 };
            let variance =
                squares / (errors * (self.equations.rows - self.equations.names.len())) as f64;
            let sum = total(&first);
            let statistic = sum.dot(&(&first.weights * &sum)) / variance;
            test(
                "Sargan's test: the instruments are valid, errors have one variance",
                statistic,
            )
        };
        let (step, covariance) = if steps == Steps::One {
            (first, robust)
        } else {
            let corrected = self.windmeijer(&first, &second, &robust);
            (second, corrected)
        };
        let autocorrelation = (1..=2)
            .filter_map(|order| self.autocorrelation(&step, &covariance, order))
            .collect();
        let sources = self
            .kept
            .iter()
            .map(|at| self.equations.sources[*at].clone());
        Ok(Solved {
            moments: InstrumentMoments {
                sources: sources.collect(),
                zx: self.zx.clone(),
                zy: self.zy.clone(),
                spread,
            },
            estimates: step.estimates,
            covariance,
            instruments,
            hansen,
            sargan,
            autocorrelation,
            singular,
        })
    }

    /// Windmeijer (2005): the weights of the second step are estimated too.
    fn windmeijer(&self, first: &Step, second: &Step, robust: &DMatrix<f64>) -> DMatrix<f64> {
        let k = self.equations.names.len();
        let along = &second.bread * (&second.weights * &self.zx).transpose();
        let sum = second
            .scores
            .iter()
            .fold(DVector::zeros(self.zx.nrows()), |sum, s| sum + s);
        let weighted = &second.weights * sum;
        let mut correction = DMatrix::zeros(k, k);
        for column in 0..k {
            let mut change = DVector::zeros(self.zx.nrows());
            for ((b, z), score) in self.equations.blocks.iter().zip(&self.z).zip(&first.scores) {
                let moved = z.tr_mul(&b.x.column(column));
                change += &moved * score.dot(&weighted) + score * moved.dot(&weighted);
            }
            correction.set_column(column, &(&along * change));
        }
        let once = &correction * &second.bread;
        symmetrize(
            &(&second.bread
                + &once
                + once.transpose()
                + &correction * robust * correction.transpose()),
        )
    }

    /// The test of Arellano & Bond of differenced residuals that lie some periods apart; none when none do.
    fn autocorrelation(
        &self,
        step: &Step,
        covariance: &DMatrix<f64>,
        order: usize,
    ) -> Option<TestResult> {
        let k = self.equations.names.len();
        let (mut sum, mut squares) = (0.0, 0.0);
        let mut slope = DVector::zeros(k);
        let mut joint = DVector::zeros(self.zx.nrows());
        for (b, score) in self.equations.blocks.iter().zip(&step.scores) {
            let tested = &b.differences;
            let e = &tested.y - &tested.x * &step.estimates;
            let mut product = 0.0;
            for (row, period) in tested.periods.iter().enumerate() {
                let then = tested.periods[..row]
                    .iter()
                    .position(|p| p + order == *period);
                if let Some(then) = then {
                    product += e[row] * e[then];
                    slope += tested.x.row(row).transpose() * e[then];
                }
            }
            sum += product;
            squares += product * product;
            joint += score * product;
        }
        let along = &step.bread * (&step.weights * &self.zx).transpose();
        let variance =
            squares - 2.0 * slope.dot(&(along * joint)) + slope.dot(&(covariance * &slope));
        (squares > 0.0 && variance > 0.0).then(|| {
            let name = format!("differenced residuals {order} apart are uncorrelated");
            let distribution = Distribution::T { df: f64::INFINITY };
            TestResult::new(name, sum / variance.sqrt(), distribution)
        })
    }
}
