//! Rivers and Vuong's two steps: least squares of the endogenous regressors, probit with the residuals, and the covariance of
//! both at once.

use crate::data::{DesignColumn, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::Covariance;
use crate::inference::covariance::Counts;
use crate::inference::fitted::{Fitted, SecondPass};
use crate::inference::wald_statistic;
use crate::numeric::Progress;
use crate::numeric::linalg::{Cholesky, sandwich};
use crate::regression::binary::{Binary, Link};
use crate::regression::influence::{
    Influence, combine, cross, joint, least_squares, refuse_leverage, working_columns,
};
use crate::regression::likelihood::{Index, Likelihood, maximize};
use crate::regression::sample::Sample;
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// Below this first-stage F, instruments are weak by the rule of Staiger & Stock (1997, doi:10.2307/2171753).
const WEAK: f64 = 10.0;

/// Both steps in working parameters.
#[derive(Clone, Debug)]
pub(super) struct TwoStep {
    pub(super) sample: Sample,
    /// The index of the first stages.
    pub(super) z: Index,
    /// The index of the probit, residuals last.
    pub(super) index: Index,
    /// Working parameters of the probit.
    pub(super) probit: Vec<f64>,
    /// Working parameters of each first stage.
    pub(super) first: Vec<Vec<f64>>,
    /// Coefficients of the residuals.
    pub(super) theta: Vec<f64>,
    /// Covariance of the first-stage errors.
    pub(super) variance: DMatrix<f64>,
    /// First-stage F of the instruments, heteroskedasticity-robust, one an endogenous regressor.
    pub(super) first_stage_f: Vec<f64>,
    pub(super) log_likelihood: f64,
    pub(super) warnings: Vec<Warning>,
    influence: Influence,
    /// Murphy and Topel's covariance.
    classical: DMatrix<f64>,
    map: DMatrix<f64>,
}

impl TwoStep {
    pub(super) fn new(sample: Sample, progress: &Progress) -> Result<Self> {
        let mut warnings = sample.warnings.clone();
        let design = &sample.design;
        let (rows, n) = (design.rows.clone(), design.rows.len());
        let weights = sample.weights.clone().unwrap_or_else(|| vec![1.0; n]);
        let all = design.exogenous.iter().chain(&design.instruments).cloned();
        let z = Index::new(
            "",
            &all.collect::<Vec<_>>(),
            design.intercept,
            &rows,
            sample.weights.as_deref(),
            &mut warnings,
        );
        let first_instrument = z.parameters()
            - z.regressors()
                .filter(|name| design.instruments.iter().any(|c| c.name == **name))
                .count();
        let m = design.endogenous.len();
        if z.parameters() - first_instrument < m {
            return Err(Error::Unidentified {
                what: format!("the effect of {m} endogenous regressors"),
                needs: format!(
                    "as many instruments that are no combination of the regressors; there are {}",
                    z.parameters() - first_instrument
                ),
            });
        }
        if n <= z.parameters() {
            return Err(Error::TooFewRows {
                rows: n,
                parameters: z.parameters(),
            });
        }

        // First stages.
        let zc = working_columns(&z, &rows);
        let gram = cross(&zc, &weights, &zc);
        let v_first = Cholesky::full_rank(&gram, "the first stage")?.inverse();
        let (mut first, mut residuals, mut columns) = (vec![], vec![], vec![]);
        for endogenous in &design.endogenous {
            let (pi, v) = least_squares(&zc, &weights, &endogenous.values(&rows), &v_first);
            let mut full = vec![f64::NAN; rows.total()];
            for (i, v) in v.iter().enumerate() {
                full[rows.index(i)] = *v;
            }
            let name = format!("residual({})", endogenous.name);
            columns.push(DesignColumn::new(name, Arc::new(full)));
            first.push(pi);
            residuals.push(v);
        }
        let total: f64 = weights.iter().sum();
        let variance = cross(&residuals, &weights, &residuals) / total;
        let first_influence = |e: usize| -> Vec<DVector<f64>> {
            let each = (0..n).map(|i| {
                let row = DVector::from_iterator(zc.len(), zc.iter().map(|c| c[i]));
                &v_first * row * (weights[i] * residuals[e][i])
            });
            each.collect()
        };

        // The probit.
        let regressors: Vec<DesignColumn> = design.regressors().cloned().chain(columns).collect();
        let names: Vec<String> = regressors.iter().map(|c| c.name.clone()).collect();
        let index = Index::new(
            "",
            &regressors,
            design.intercept,
            &rows,
            sample.weights.as_deref(),
            &mut warnings,
        );
        let missing = names[names.len() - m..]
            .iter()
            .chain(&names[..m])
            .find(|name| !index.regressors().any(|kept| kept == name.as_str()));
        if let Some(name) = missing {
            return Err(Error::Unidentified {
                what: format!("the coefficient of {name}"),
                needs: "an endogenous regressor that the instruments explain in part: neither wholly nor not at all"
                    .to_owned(),
            });
        }
        let likelihood = Likelihood {
            model: Arc::new(Binary { link: Link::Probit }),
            indices: vec![index.clone()],
            outcomes: vec![design.outcome.clone()],
            rows: rows.clone(),
            weights: sample.weights.clone().map(Arc::new),
            frequency: sample.frequency,
        };
        let zero = vec![0.0; likelihood.parameters()];
        let found = maximize(&likelihood, zero, "the probit with residuals", progress)?;
        let v_probit =
            Cholesky::full_rank(&found.sums.information, "the information of the probit")?
                .inverse();
        let k = index.parameters();
        let index_map = likelihood.map();
        let theta: Vec<f64> = (0..m)
            .map(|e| found.point[k - m + e] * index_map[(k - m + e, k - m + e)])
            .collect();

        // How the first stage moves the scores of the probit: η by −θ_e z, the regressor v̂_e by −z.
        let xc = working_columns(&index, &rows);
        let eta = combine(&xc, &found.point);
        let y = design.outcome.values(&rows);
        let parts: Vec<[f64; 3]> = y
            .iter()
            .zip(&eta)
            .map(|(y, eta)| Link::Probit.log_density(*y, *eta))
            .collect();
        let slopes: Vec<f64> = weights.iter().zip(&parts).map(|(w, p)| w * p[1]).collect();
        let curvatures: Vec<f64> = weights.iter().zip(&parts).map(|(w, p)| w * p[2]).collect();
        let by_curvature = cross(&xc, &curvatures, &zc);
        let ones = vec![vec![1.0; n]];
        let by_slope = cross(&ones, &slopes, &zc);
        let kz = zc.len();
        let mut bridge = DMatrix::zeros(k, m * kz);
        for (e, theta) in theta.iter().enumerate() {
            let mut block = &by_curvature * -theta;
            let at = k - m + e;
            let scale = index_map[(at, at)];
            for j in 0..kz {
                block[(at, j)] -= scale * by_slope[(0, j)];
            }
            bridge.view_mut((0, e * kz), (k, kz)).copy_from(&block);
        }
        let carried = &v_probit * &bridge;

        // Influences of (probit, first stages), and Murphy and Topel's covariance.
        let firsts: Vec<Vec<DVector<f64>>> = (0..m).map(first_influence).collect();
        let mut influence = vec![vec![0.0; n]; k + m * kz];
        for i in 0..n {
            let score = DVector::from_iterator(k, xc.iter().map(|c| c[i] * slopes[i]));
            let before =
                DVector::from_iterator(m * kz, firsts.iter().flat_map(|f| f[i].iter().copied()));
            let own = &v_probit * score + &carried * &before;
            for (j, value) in own.iter().chain(before.iter()).enumerate() {
                influence[j][i] = *value;
            }
        }
        let v_all_first = variance.kronecker(&v_first);
        let from_first = &carried * &v_all_first;
        let v_own = &v_probit + &from_first * carried.transpose();
        let classical = joint(&v_own, &from_first, &v_all_first);

        // Instruments jointly, in each first stage.
        let mut first_stage_f = Vec::with_capacity(m);
        for (e, pi) in first.iter().enumerate() {
            let mut meat = DMatrix::zeros(kz, kz);
            for psi in &firsts[e] {
                meat += psi * psi.transpose();
            }
            let q = kz - first_instrument;
            let r = DMatrix::from_fn(q, kz, |i, j| f64::from(u8::from(j == first_instrument + i)));
            let estimates = DVector::from_column_slice(pi);
            let (statistic, q) = wald_statistic(&estimates, &meat, &r, &DVector::zeros(q))?;
            let f = statistic / q as f64;
            if f < WEAK {
                warnings.push(Warning::Note {
                    message: format!(
                        "weak first stage of {}: F = {f:.2}, below {WEAK}; estimates are biased towards the probit without instruments and their intervals too short",
                        design.endogenous[e].name
                    ),
                });
            }
            first_stage_f.push(f);
        }

        let mut map = DMatrix::zeros(k + m * kz, k + m * kz);
        map.view_mut((0, 0), (k, k)).copy_from(&index_map);
        for e in 0..m {
            z.fill_map(&mut map, k + e * kz);
        }
        let frequencies = sample.weights.clone().filter(|_| sample.frequency);
        Ok(Self {
            z,
            index,
            probit: found.point,
            first,
            theta,
            variance,
            first_stage_f,
            log_likelihood: found.sums.value,
            warnings,
            influence: Influence::new(influence, frequencies.map(Arc::new)),
            classical,
            map,
            sample,
        })
    }

    /// Observations: rows, or the sum of frequency weights.
    pub(super) fn observations(&self) -> f64 {
        match &self.sample.weights {
            Some(w) if self.sample.frequency => w.iter().sum(),
            _ => self.sample.design.rows.len() as f64,
        }
    }

    /// Names, estimates and covariance of the probit and the first stages.
    pub(super) fn fitted(&self, frame: &Frame, kind: &Covariance) -> Result<Fitted> {
        refuse_leverage(kind, "two-step probit")?;
        let of_first = self.sample.design.endogenous.iter().flat_map(|endogenous| {
            let names = self.z.names().into_iter();
            names.map(|name| format!("{}.{name}", endogenous.name))
        });
        let names = self.index.names().into_iter().chain(of_first).collect();
        let working = self.probit.iter().chain(self.first.iter().flatten());
        let working: Vec<f64> = working.copied().collect();
        let mut fitted = Fitted::new(names, &self.map * DVector::from_vec(working));
        if matches!(kind, Covariance::Classical) {
            fitted.covariance = sandwich(&self.classical, &self.map.transpose());
            fitted.kind = Covariance::Classical;
            return Ok(fitted);
        }
        let pass = SecondPass {
            source: &self.influence,
            frame,
            rows: &self.sample.design.rows,
            counts: Counts {
                observations: self.observations(),
                effects: &[],
                absorbed: &[],
            },
            map: &self.map,
            asymptotic: true,
        };
        fitted.with_covariance(kind.clone(), &pass)
    }
}
