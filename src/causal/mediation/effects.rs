//! Mean outcomes under one treatment with the mediator of another.

use super::MediationModel;
use crate::error::Result;
use crate::inference::{Covariance, Inference};
use crate::numeric::blocks;
use crate::numeric::derivative::jacobian;
use crate::numeric::quadrature::gauss_hermite_normal;
use crate::numeric::special::normal;
use crate::regression::binary::logistic;
use crate::regression::{Logit, Ols, Probit};
use nalgebra::{DMatrix, DVector};

/// Nodes of the rule over a normal mediator: logits of any slope that data show are good to 1e-10.
const NODES: usize = 60;

/// Rows of a block.
const BLOCK: usize = 1024;

/// A fitted model: its coefficients in the order of `names`, and their covariance.
#[derive(Clone, Debug)]
pub(super) struct Coefficients {
    pub(super) names: Vec<String>,
    pub(super) estimates: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
    /// Of the errors of a linear model with the degrees of freedom of that variance.
    pub(super) variance: Option<(f64, f64)>,
}

impl Coefficients {
    pub(super) fn fit(
        model: MediationModel,
        formula: &str,
        covariance: &Covariance,
        frame: &crate::data::Frame,
    ) -> Result<Self> {
        let of = |fit: &dyn Inference, variance| Self {
            names: fit.names().to_vec(),
            estimates: fit.estimates().clone(),
            covariance: fit.covariance().clone(),
            variance,
        };
        Ok(match model {
            MediationModel::Linear => {
                let fit = Ols::new(formula)
                    .covariance(covariance.clone())
                    .fit(frame)?;
                let s = fit.statistics();
                of(&fit, Some((s.rss / s.residual_df, s.residual_df)))
            }
            MediationModel::Probit => of(
                &Probit::new(formula)
                    .covariance(covariance.clone())
                    .fit(frame)?,
                None,
            ),
            MediationModel::Logit => of(
                &Logit::new(formula)
                    .covariance(covariance.clone())
                    .fit(frame)?,
                None,
            ),
        })
    }
}

/// Where the parts of an index stand among the coefficients of a model, and the covariates' columns.
#[derive(Clone, Debug)]
pub(super) struct Index<'a> {
    pub(super) constant: Option<usize>,
    pub(super) treatment: Option<usize>,
    pub(super) mediator: Option<usize>,
    pub(super) product: Option<usize>,
    pub(super) covariates: Vec<(usize, &'a [f64])>,
}

/// The two models over the rows.
pub(super) struct Models<'a> {
    pub(super) mediator: (MediationModel, Coefficients, Index<'a>),
    pub(super) outcome: (MediationModel, Coefficients, Index<'a>),
    /// Treatment values: control, treated.
    pub(super) contrast: [f64; 2],
    pub(super) rows: usize,
}

/// Means of `Y(t, M(t'))` in the order 00, 01, 10, 11 of (t, t').
pub(super) struct Means {
    pub(super) estimates: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
}

impl Models<'_> {
    /// The means, with their covariance by the delta method, the sampling of rows included, when errors are asked for.
    pub(super) fn means(&self, errors: bool) -> Result<Means> {
        let (a, b) = (&self.mediator.1, &self.outcome.1);
        let sigma = a.variance.map(|(variance, _)| variance.sqrt());
        let mut at: Vec<f64> = a
            .estimates
            .iter()
            .chain(b.estimates.iter())
            .copied()
            .collect();
        at.extend(sigma);
        let (p, q) = (a.estimates.len(), b.estimates.len());
        let nodes = gauss_hermite_normal(NODES)?;
        let nodes: Vec<(f64, f64)> = (nodes.nodes().iter().copied())
            .zip(nodes.weights().iter().copied())
            .collect();
        let total = |theta: &[f64]| -> [f64; 14] {
            let work = |rows: std::ops::Range<usize>| {
                let mut sums = [0.0; 14];
                for row in rows {
                    let v = self.row(theta, p, q, row, &nodes);
                    let mut at = 4;
                    for j in 0..4 {
                        sums[j] += v[j];
                        for k in 0..=j {
                            sums[at] += v[j] * v[k];
                            at += 1;
                        }
                    }
                }
                sums
            };
            let add =
                |a: &mut [f64; 14], b: [f64; 14]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            blocks::reduce(self.rows, BLOCK, work, add).unwrap_or([0.0; 14])
        };
        let n = self.rows as f64;
        let sums = total(&at);
        let estimates = DVector::from_fn(4, |j, _| sums[j] / n);
        if !errors {
            return Ok(Means {
                estimates,
                covariance: DMatrix::zeros(4, 4),
            });
        }
        let slopes = jacobian(
            |theta| total(theta)[..4].iter().map(|s| s / n).collect(),
            &at,
        )?;
        let mut spread = DMatrix::zeros(at.len(), at.len());
        spread.view_mut((0, 0), (p, p)).copy_from(&a.covariance);
        spread.view_mut((p, p), (q, q)).copy_from(&b.covariance);
        if let Some((variance, df)) = a.variance {
            spread[(p + q, p + q)] = variance / (2.0 * df);
        }
        let mut covariance = &slopes * spread * slopes.transpose();
        let mut place = 4;
        for j in 0..4 {
            for k in 0..=j {
                let moment = sums[place] / n - estimates[j] * estimates[k];
                covariance[(j, k)] += moment / n;
                if j != k {
                    covariance[(k, j)] += moment / n;
                }
                place += 1;
            }
        }
        Ok(Means {
            estimates,
            covariance,
        })
    }

    /// The four means of a row.
    fn row(&self, theta: &[f64], p: usize, q: usize, row: usize, nodes: &[(f64, f64)]) -> [f64; 4] {
        let (a, b) = (&theta[..p], &theta[p..p + q]);
        let part = |coefficients: &[f64], at: Option<usize>| at.map_or(0.0, |k| coefficients[k]);
        let base = |coefficients: &[f64], index: &Index<'_>| {
            let each = index
                .covariates
                .iter()
                .map(|(k, column)| coefficients[*k] * column[row]);
            part(coefficients, index.constant) + each.sum::<f64>()
        };
        let (ma, mb) = (&self.mediator.2, &self.outcome.2);
        let (base_m, base_y) = (base(a, ma), base(b, mb));
        let mut out = [0.0; 4];
        for (j, value) in out.iter_mut().enumerate() {
            let (t, other) = (self.contrast[j / 2], self.contrast[j % 2]);
            let level = base_y + part(b, mb.treatment) * t;
            let slope = part(b, mb.mediator) + part(b, mb.product) * t;
            let index = base_m + part(a, ma.treatment) * other;
            *value = match (self.mediator.0, self.outcome.0) {
                (MediationModel::Linear, MediationModel::Linear) => level + slope * index,
                (MediationModel::Linear, MediationModel::Probit) => {
                    let spread = (slope * theta[p + q]).hypot(1.0);
                    normal::cdf((level + slope * index) / spread)
                }
                (MediationModel::Linear, MediationModel::Logit) => {
                    let sigma = theta[p + q];
                    let each = nodes
                        .iter()
                        .map(|(z, w)| w * logistic(level + slope * (index + sigma * z)));
                    each.sum()
                }
                (binary, outcome) => {
                    let share = binary.mean(index);
                    share * outcome.mean(level + slope) + (1.0 - share) * outcome.mean(level)
                }
            };
        }
        out
    }
}
