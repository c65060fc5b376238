//! How strong the instruments are.

use super::instrumental::{Instrumental, residual_products};
use crate::error::Result;
use crate::inference::covariance::estimate;
use crate::inference::{Covariance, Distribution, TestResult, wald_statistic};
use crate::numeric::linalg::{spectral, symmetrize};
use crate::numeric::special::noncentral;
use crate::regression::linear::Core;
use nalgebra::{DMatrix, DVector, SymmetricEigen};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The bias relative to the worst case that the critical value tolerates.
const TOLERATED_BIAS: f64 = 0.1;

/// A first stage that leaves less than this share of the variation is perfect: the regressor is one of its own instruments.
const PERFECT: f64 = 1e-13;

/// Size of the test of weak instruments.
const SIZE: f64 = 0.05;

/// The first stage of one endogenous regressor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirstStage {
    /// The endogenous regressor.
    pub endogenous: String,
    /// The excluded instruments.
    pub instruments: Vec<String>,
    /// Their first-stage coefficients.
    pub coefficients: Vec<f64>,
    /// Standard errors of these with the covariance of the fit.
    pub std_errors: Vec<f64>,
    /// Partial R² of the excluded instruments.
    pub partial_r_squared: f64,
    /// F test that all excluded instruments are zero, under independent errors of one variance.
    pub f: TestResult,
    /// The same with the covariance of the fit.
    pub robust_f: TestResult,
    /// Effective F of Montiel Olea & Pflueger (2013), `π'Qπ / tr(V_π Q)`, with the covariance of the fit; only with one
    /// endogenous regressor, which the instruments do not fit perfectly.
    pub effective_f: Option<f64>,
    /// Its critical value at the 5 % level for a bias of at most 10 % of the worst case (their simplified, conservative form).
    pub critical_value: Option<f64>,
}

impl fmt::Display for FirstStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "First stage of {} on {}: F = {:.2}, robust F = {:.2}",
            self.endogenous,
            self.instruments.join(", "),
            self.f.statistic,
            self.robust_f.statistic
        )?;
        if let (Some(effective), Some(critical)) = (self.effective_f, self.critical_value) {
            write!(
                f,
                ", effective F = {effective:.2} (critical value {critical:.2})"
            )?;
        }
        write!(f, ", partial R² = {:.4}", self.partial_r_squared)
    }
}

crate::report::notebook_line!(FirstStage);

/// The first stages of all endogenous regressors.
pub(super) fn all(this: &Instrumental, core: &Core) -> Result<Vec<FirstStage>> {
    (0..this.endogenous).map(|j| one(this, core, j)).collect()
}

fn one(this: &Instrumental, core: &Core, j: usize) -> Result<FirstStage> {
    let (a, q, k) = (
        this.exogenous,
        this.excluded,
        this.exogenous + this.excluded,
    );
    let mut alpha = DVector::zeros(this.endogenous + 1);
    alpha[j] = 1.0;
    let exogenous: Vec<usize> = (0..a).collect();
    let instruments: Vec<usize> = (a..k).collect();
    let all: Vec<usize> = (0..k).collect();
    let before = residual_products(&this.gram, &exogenous, &[k + j])?[(0, 0)];
    let after = residual_products(&this.gram, &all, &[k + j])?[(0, 0)].max(0.0);
    let perfect = after <= PERFECT * before;
    let test =
        |name: &str, kind: &Covariance| -> Result<(TestResult, DVector<f64>, DMatrix<f64>)> {
            let (pi, estimated) = this.reduced_form(&alpha, kind, core, estimate)?;
            let variance = this.of_excluded(&estimated.matrix);
            let statistic = if perfect {
                f64::INFINITY
            } else {
                let (every, none) = (DMatrix::identity(q, q), DVector::zeros(q));
                wald_statistic(&pi, &variance, &every, &none)?.0
            };
            let df2 = estimated.fixed_df(this.observations);
            let distribution = Distribution::F { df1: q as f64, df2 };
            Ok((
                TestResult::new(name, statistic / q as f64, distribution),
                pi,
                variance,
            ))
        };
    let (classical, _, _) = test("first-stage F", &Covariance::Classical)?;
    let (robust, pi, variance) = test("first-stage F, covariance of the fit", &core.fitted.kind)?;
    let (effective_f, critical_value) = if this.endogenous == 1 && !perfect {
        let gram = residual_products(&this.gram, &exogenous, &instruments)?;
        let effective = (&gram * &pi).dot(&pi) / (&variance * &gram).trace();
        (Some(effective), Some(critical_value(&variance, &gram)))
    } else {
        (None, None)
    };
    Ok(FirstStage {
        endogenous: this.endogenous_names()[j].clone(),
        instruments: this.instrument_names().to_vec(),
        coefficients: pi.as_slice().to_vec(),
        std_errors: variance
            .diagonal()
            .iter()
            .map(|v| v.max(0.0).sqrt())
            .collect(),
        partial_r_squared: 1.0 - after / before,
        f: classical,
        robust_f: robust,
        effective_f,
        critical_value,
    })
}

/// The simplified critical value: the 95 % quantile of a non-central χ²(K, xK)/K with x = 1/τ and
/// `K = tr(W)² (1 + 2x) / (tr(W²) + 2x tr(W) λ_max(W))`, `W = Q^{1/2} V Q^{1/2}` (Montiel Olea & Pflueger 2013, section 4; Patnaik's
/// approximation).
fn critical_value(variance: &DMatrix<f64>, gram: &DMatrix<f64>) -> f64 {
    let x = 1.0 / TOLERATED_BIAS;
    let root = spectral(gram, |v| v.max(0.0).sqrt());
    let w = &root * variance * &root;
    // In units of its trace, whose square may be no number.
    let w = &w / w.trace();
    let largest = SymmetricEigen::new(symmetrize(&w)).eigenvalues.max();
    let k = (1.0 + 2.0 * x) / ((&w * &w).trace() + 2.0 * x * largest);
    noncentral::chi_squared_quantile(1.0 - SIZE, k, x * k) / k
}
