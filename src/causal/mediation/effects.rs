//! Mean outcomes under one treatment with the mediator of another.

use super::MediationModel;
use crate::causal::units::{Linearised, Units};
use crate::error::Result;
use crate::inference::{Covariance, Inference};
use crate::numeric::blocks;
use crate::numeric::derivative::jacobian;
use crate::numeric::quadrature::gauss_hermite_normal;
use crate::numeric::special::normal;
use crate::regression::binary::logistic;
use crate::regression::{Logit, Ols, Probit};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Nodes of the rule over a normal mediator: logits of any slope that data show are good to 1e-10.
const NODES: usize = 60;

/// Rows of a block.
const BLOCK: usize = 1024;

/// A fitted model: its coefficients in the order of `names`, and their covariance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

/// Where the parts of an index stand among the coefficients of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) constant: Option<usize>,
    pub(super) treatment: Option<usize>,
    pub(super) mediator: Option<usize>,
    pub(super) product: Option<usize>,
    /// Places of the coefficients and of the columns.
    pub(super) covariates: Vec<(usize, usize)>,
}

/// The two models over the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Models {
    pub(super) mediator: (MediationModel, Coefficients, Index),
    pub(super) outcome: (MediationModel, Coefficients, Index),
    /// Treatment values: control, treated.
    pub(super) contrast: [f64; 2],
    pub(super) rows: usize,
    /// The covariates' columns, which a file does not keep.
    #[serde(skip)]
    pub(super) columns: Arc<Vec<Vec<f64>>>,
    /// The cluster of every row.
    #[serde(skip)]
    pub(super) clusters: Option<Arc<Vec<u32>>>,
}

/// Means of `Y(t, M(t'))` in the order 00, 01, 10, 11 of (t, t').
pub(super) struct Means {
    pub(super) estimates: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
}

impl Models {
    /// Coefficients of mediator and outcome and the standard deviation of the errors of a linear mediator, and their covariance.
    pub(super) fn parameters(&self) -> (Vec<f64>, DMatrix<f64>) {
        let (a, b) = (&self.mediator.1, &self.outcome.1);
        let (p, q) = (a.estimates.len(), b.estimates.len());
        let both = a.estimates.iter().chain(b.estimates.iter());
        let mut at: Vec<f64> = both.copied().collect();
        at.extend(a.variance.map(|(variance, _)| variance.sqrt()));
        let mut spread = DMatrix::zeros(at.len(), at.len());
        spread.view_mut((0, 0), (p, p)).copy_from(&a.covariance);
        spread.view_mut((p, p), (q, q)).copy_from(&b.covariance);
        if let Some((variance, df)) = a.variance {
            spread[(p + q, p + q)] = variance / (2.0 * df);
        }
        (at, spread)
    }

    /// The means for parameters that `map` makes of those given, with the correlation of both models' errors; with their covariance by the delta method, the sampling of rows included, when the
    /// spread of the parameters is given.
    pub(super) fn means(
        &self,
        at: &[f64],
        spread: Option<&DMatrix<f64>>,
        rho: f64,
        map: impl Fn(&[f64]) -> Vec<f64>,
    ) -> Result<Means> {
        let nodes = gauss_hermite_normal(NODES)?;
        let nodes: Vec<(f64, f64)> = (nodes.nodes().iter().copied())
            .zip(nodes.weights().iter().copied())
            .collect();
        let theta = map(at);
        // Four means, ten products of them, and the slopes of each in all parameters.
        let size = 14 + 4 * theta.len();
        let work = |rows: std::ops::Range<usize>| {
            let mut sums = vec![0.0; size];
            for row in rows {
                let (moments, slopes) = sums.split_at_mut(14);
                let v = self.row(&theta, rho, row, &nodes, slopes);
                let mut place = 4;
                for j in 0..4 {
                    moments[j] += v[j];
                    for k in 0..=j {
                        moments[place] += v[j] * v[k];
                        place += 1;
                    }
                }
            }
            sums
        };
        let add = |a: &mut Vec<f64>, b: Vec<f64>| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        let sums = blocks::reduce(self.rows, BLOCK, work, add).unwrap_or_else(|| vec![0.0; size]);
        let n = self.rows as f64;
        let estimates = DVector::from_fn(4, |j, _| sums[j] / n);
        let Some(spread) = spread else {
            return Ok(Means {
                estimates,
                covariance: DMatrix::zeros(4, 4),
            });
        };
        let direct = DMatrix::from_fn(4, theta.len(), |j, k| sums[14 + j * theta.len() + k] / n);
        let slopes = direct * jacobian(&map, at)?;
        let mut covariance = &slopes * spread * slopes.transpose();
        if let Some(clusters) = self.clusters.as_ref().filter(|c| c.len() == self.rows) {
            // Rows of a cluster are drawn together.
            let units = Units::new(self.rows, None, Some(clusters));
            let mut unused = vec![0.0; 4 * theta.len()];
            let values: Vec<[f64; 4]> = (0..self.rows)
                .map(|row| self.row(&theta, rho, row, &nodes, &mut unused))
                .collect();
            let parts = [0, 1, 2, 3].map(|j: usize| Linearised {
                estimate: estimates[j],
                influence: values.iter().map(|v| (v[j] - estimates[j]) / n).collect(),
            });
            covariance += units.covariance(&parts) * units.correction();
            return Ok(Means {
                estimates,
                covariance,
            });
        }
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

    /// The four means of a row, whose slopes are added to `slopes`.
    fn row(
        &self,
        theta: &[f64],
        rho: f64,
        row: usize,
        nodes: &[(f64, f64)],
        slopes: &mut [f64],
    ) -> [f64; 4] {
        let (p, q) = (
            self.mediator.1.estimates.len(),
            self.outcome.1.estimates.len(),
        );
        let (a, b) = (&theta[..p], &theta[p..p + q]);
        let sigma = theta.get(p + q).copied().unwrap_or(0.0);
        let part = |coefficients: &[f64], at: Option<usize>| at.map_or(0.0, |k| coefficients[k]);
        let base = |coefficients: &[f64], index: &Index| {
            let each = index
                .covariates
                .iter()
                .map(|(k, column)| coefficients[*k] * self.columns[*column][row]);
            part(coefficients, index.constant) + each.sum::<f64>()
        };
        let (ma, mb) = (&self.mediator.2, &self.outcome.2);
        let (base_m, base_y) = (base(a, ma), base(b, mb));
        let mut out = [0.0; 4];
        for (j, own) in slopes.chunks_exact_mut(theta.len()).enumerate() {
            let (t, other) = (self.contrast[j / 2], self.contrast[j % 2]);
            let level = base_y + part(b, mb.treatment) * t;
            let slope = part(b, mb.mediator) + part(b, mb.product) * t;
            let index = base_m + part(a, ma.treatment) * other;
            let (value, by) = self.value([level, slope, index, sigma], rho, nodes);
            out[j] = value;
            let mut add = |place: Option<usize>, by: f64| {
                if let Some(place) = place {
                    own[place] += by;
                }
            };
            let second = |k: usize| p + k;
            add(mb.constant.map(second), by[0]);
            add(mb.treatment.map(second), by[0] * t);
            add(mb.mediator.map(second), by[1]);
            add(mb.product.map(second), by[1] * t);
            add(ma.constant, by[2]);
            add(ma.treatment, by[2] * other);
            add((p + q < theta.len()).then_some(p + q), by[3]);
            for (index, first, by) in [(mb, p, by[0]), (ma, 0, by[2])] {
                for (k, column) in &index.covariates {
                    add(Some(first + k), by * self.columns[*column][row]);
                }
            }
        }
        out
    }

    /// The mean outcome at a level without the mediator, a slope in it, an index of the mediator and a standard deviation of its errors; and its slopes in these.
    fn value(
        &self,
        [level, slope, index, sigma]: [f64; 4],
        rho: f64,
        nodes: &[(f64, f64)],
    ) -> (f64, [f64; 4]) {
        match (self.mediator.0, self.outcome.0) {
            (MediationModel::Linear, MediationModel::Linear) => {
                (level + slope * index, [1.0, index, slope, 0.0])
            }
            (MediationModel::Linear, MediationModel::Probit) => {
                // Of the errors of both: slope² σ² + 2 ρ slope σ + 1.
                let along = slope * sigma + rho;
                let spread = along.hypot((1.0 - rho * rho).sqrt());
                let z = (level + slope * index) / spread;
                let density = normal::pdf(z) / spread;
                let less = z * along / spread;
                let by = [1.0, index - less * sigma, slope, -less * slope];
                (normal::cdf(z), by.map(|v| density * v))
            }
            (MediationModel::Linear, MediationModel::Logit) => {
                let (mut value, mut by) = (0.0, [0.0; 4]);
                for (z, w) in nodes {
                    let mediator = index + sigma * z;
                    let share = logistic(level + slope * mediator);
                    value += w * share;
                    let density = w * share * (1.0 - share);
                    let each = [1.0, mediator, slope, slope * z];
                    by.iter_mut().zip(each).for_each(|(b, v)| *b += density * v);
                }
                (value, by)
            }
            (binary, outcome) => {
                let share = binary.mean(index);
                let [with, without] = [level + slope, level];
                let moved = outcome.mean(with) - outcome.mean(without);
                let by_slope = share * outcome.slope(with);
                let by = [
                    by_slope + (1.0 - share) * outcome.slope(without),
                    by_slope,
                    binary.slope(index) * moved,
                    0.0,
                ];
                (outcome.mean(without) + share * moved, by)
            }
        }
    }
}
