//! What the indirect effect would be if something unobserved moved mediator and outcome together.

use super::estimator::Sample;
use crate::causal::units::{Linearised, Units};
use crate::error::{Error, Result};
use crate::inference::Estimate;
use crate::numeric::linalg::Cholesky;
use crate::report::{Cell, Figure, LinePlot, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The indirect effect of linear models as a function of the correlation ρ of their errors, which is zero if the mediator is as good as random given treatment and covariates:
///
/// `δ(ρ) = β (σ₁/σ₂) (ρ̃ − ρ √((1 − ρ̃²)/(1 − ρ²)))`,
///
/// with β the effect of the treatment on the mediator, σ₂ and σ₁ the standard deviations of what treatment and covariates leave of mediator and outcome, and ρ̃ their correlation. It is zero at `ρ = ρ̃`. An unobserved variable that explains the shares `R²_M` and `R²_Y`
/// of the errors of both models makes `ρ² = R²_M R²_Y`. Standard errors are by the delta method, robust to heteroskedastic errors.
///
/// # References
/// Imai, K., Keele, L. & Yamamoto, T. (2010). Identification, inference and sensitivity analysis for causal mediation effects. *Statistical Science* 25(1), 51–71, theorem 4. doi:10.1214/10-STS321
///
/// ```
/// use cocreate::prelude::*;
/// let card = datasets::load("card")?;
/// let fit = Mediation::new("lwage", "smsa66", "educ").covariates("black + south").fit(&card)?;
/// let sensitivity = fit.sensitivity()?;
/// assert!((sensitivity.at(0.0)?.estimate - fit.coefficient("indirect")?.estimate).abs() < 1e-12);
/// assert!(sensitivity.at(sensitivity.zero_at())?.estimate.abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MediationSensitivity {
    /// β times the contrast, and the variances and covariance of the residuals: s₁₁, s₁₂, s₂₂.
    moments: [f64; 4],
    covariance: DMatrix<f64>,
}

/// The indirect effect at one correlation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MediationPoint {
    /// ρ.
    pub rho: f64,
    /// The indirect effect.
    pub indirect: Estimate,
}

impl MediationSensitivity {
    pub(super) fn new(sample: &Sample, contrast: f64) -> Result<Self> {
        let n = sample.rows;
        let mut columns: Vec<&[f64]> = sample.covariates.iter().map(Vec::as_slice).collect();
        let d = residual(&sample.d, &columns)?;
        columns.push(&sample.d);
        let (e1, e2) = (
            residual(&sample.y, &columns)?,
            residual(&sample.m, &columns)?,
        );
        let units = Units::new(n, None, None);
        let square: f64 = d.iter().map(|d| d * d).sum::<f64>() / n as f64;
        let slope = d.iter().zip(&sample.m).map(|(d, m)| d * m).sum::<f64>() / n as f64 / square;
        let part = |estimate: f64, influence: Vec<f64>| Linearised {
            estimate,
            influence: influence.into_iter().map(|v| v / n as f64).collect(),
        };
        let product = |a: &[f64], b: &[f64]| {
            let values: Vec<f64> = a.iter().zip(b).map(|(a, b)| a * b).collect();
            let mean = units.mean(&values);
            part(mean, values.into_iter().map(|v| v - mean).collect())
        };
        let beta = d
            .iter()
            .zip(&e2)
            .map(|(d, e)| contrast * d * e / square)
            .collect();
        let parts = [
            part(contrast * slope, beta),
            product(&e1, &e1),
            product(&e1, &e2),
            product(&e2, &e2),
        ];
        Ok(Self {
            moments: [0, 1, 2, 3].map(|k: usize| parts[k].estimate),
            covariance: units.covariance(&parts),
        })
    }

    /// The correlation at which there is no indirect effect.
    pub fn zero_at(&self) -> f64 {
        let [_, s11, s12, s22] = self.moments;
        s12 / (s11 * s22).sqrt()
    }

    /// The product of the shares of both errors that an unobserved variable would have to explain for there to be no indirect effect, `ρ̃²`.
    pub fn r_squared_product(&self) -> f64 {
        self.zero_at().powi(2)
    }

    /// The indirect effect at a correlation of the errors.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a correlation outside (−1, 1).
    pub fn at(&self, rho: f64) -> Result<Estimate> {
        if !(rho > -1.0 && rho < 1.0) {
            return Err(Error::invalid_option("rho", rho, "between −1 and 1"));
        }
        let [beta, s11, s12, s22] = self.moments;
        let odds = rho / (1.0 - rho * rho).sqrt();
        // γ = (s₁₂ − ρ/√(1 − ρ²) √(s₁₁s₂₂ − s₁₂²))/s₂₂.
        let root = (s11 * s22 - s12 * s12).max(0.0).sqrt();
        let gamma = (s12 - odds * root) / s22;
        let slope = DVector::from_column_slice(&[
            gamma,
            -beta * odds * 0.5 / root,
            beta * (1.0 + odds * s12 / root) / s22,
            -beta * (gamma + odds * 0.5 * s11 / root) / s22,
        ]);
        let variance = (self.covariance.clone() * &slope).dot(&slope);
        Ok(Estimate {
            name: format!("indirect effect at ρ = {rho}"),
            estimate: beta * gamma,
            std_error: variance.max(0.0).sqrt(),
            degrees_of_freedom: f64::INFINITY,
        })
    }

    /// The indirect effect at several correlations.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a correlation outside (−1, 1).
    pub fn points(&self, rho: &[f64]) -> Result<Vec<MediationPoint>> {
        let each = rho.iter().map(|rho| {
            Ok(MediationPoint {
                rho: *rho,
                indirect: self.at(*rho)?,
            })
        });
        each.collect()
    }

    /// The indirect effect over ρ with its band at 95 %.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when nothing finite is to be drawn.
    pub fn plot(&self) -> Result<Figure> {
        let rho: Vec<f64> = (-90..=90).map(|k| f64::from(k) / 100.0).collect();
        let (mut y, mut low, mut high) = (Vec::new(), Vec::new(), Vec::new());
        for point in self.points(&rho)? {
            let i = point.indirect.confidence_interval(0.95)?;
            y.push(point.indirect.estimate);
            low.push(i.lower);
            high.push(i.upper);
        }
        LinePlot::new()
            .title("Indirect effect under correlated errors")
            .x_title("ρ")
            .y_title("indirect effect")
            .reference_y(0.0)
            .reference_x(self.zero_at())
            .line("indirect effect", &rho, &y)
            .band(&low, &high)
            .draw()
    }

    /// The indirect effect at correlations from −0.8 to 0.8.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Indirect effect under correlated errors").columns([
            "ρ",
            "Indirect effect",
            "Std. error",
            "95 % from",
            "to",
        ]);
        for k in -4..=4 {
            let rho = f64::from(k) / 5.0;
            let (Ok(e), digits) = (self.at(rho), 5) else {
                continue;
            };
            let ends = e.confidence_interval(0.95);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            table = table.row([
                Cell::fixed(rho, 1),
                Cell::significant(e.estimate, digits),
                Cell::significant(e.std_error, digits),
                Cell::significant(low, digits),
                Cell::significant(high, digits),
            ]);
        }
        table.note(format!(
            "Zero at ρ = {}: unobserved variables must explain shares of both errors whose product is {}.",
            Cell::fixed(self.zero_at(), 3),
            Cell::fixed(self.r_squared_product(), 4)
        ))
    }
}

crate::report::notebook::shown!(MediationSensitivity);

/// What a constant and columns leave of a vector by least squares.
fn residual(y: &[f64], columns: &[&[f64]]) -> Result<Vec<f64>> {
    let n = y.len() as f64;
    let centred = |v: &[f64]| -> Vec<f64> {
        let mean = v.iter().sum::<f64>() / n;
        v.iter().map(|v| v - mean).collect()
    };
    let x: Vec<Vec<f64>> = columns.iter().map(|c| centred(c)).collect();
    let mut out = centred(y);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let gram = DMatrix::from_fn(x.len(), x.len(), |i, j| dot(&x[i], &x[j]));
    let factor = Cholesky::new(&gram);
    let kept: Vec<&Vec<f64>> = factor.kept().iter().map(|k| &x[*k]).collect();
    // Twice: the second pass takes away the rounding of the first.
    for _ in 0..2 {
        let right = DVector::from_iterator(kept.len(), kept.iter().map(|c| dot(c, &out)));
        let slopes = factor.solve_vector(&right);
        for (slope, column) in slopes.iter().zip(&kept) {
            out.iter_mut()
                .zip(*column)
                .for_each(|(o, c)| *o -= slope * c);
        }
    }
    if dot(&out, &out) <= 1e-20 * dot(&centred(y), &centred(y)) {
        return Err(Error::Unidentified {
            what: "the correlation of errors of a model that fits perfectly".to_owned(),
            needs: "errors of mediator and outcome".to_owned(),
        });
    }
    Ok(out)
}
