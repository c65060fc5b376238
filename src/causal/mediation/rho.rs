//! What the effects would be if something unobserved moved mediator and outcome together.

use super::MediationModel;
use super::effects::Models;
use super::estimator::{NAMES, effects};
use crate::error::{Error, Result};
use crate::inference::Estimate;
use crate::report::{Cell, Figure, LinePlot, Table};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// Natural effects as functions of the correlation ρ of the errors of both models, which is zero if the mediator is as good as random given treatment and covariates. With the mediator
/// `M = x'a + ε₂`, what is regressed on it contains `E[ε₃ | M] = c (M − x'a)`: the coefficients of a linear outcome model with residual variance `s²` are
///
/// `b = b̂ + c â` and, of the mediator, `γ = γ̂ − c`, `c = ρ s/(σ₂ √(1 − ρ²))`,
///
/// those of a probit `b = √(1 − ρ²) b̂ + c â`, `γ = √(1 − ρ²) γ̂ − c`, `c = ρ/σ₂`; an interaction of treatment and mediator is kept, times `√(1 − ρ²)` for a probit. Effects follow as without ρ; for a probit the errors of `Y(t, M(t'))`
/// have variance `γ_t² σ₂² + 2ρ γ_t σ₂ + 1`, `γ_t` the mediator's effect under t. Total effects do not change. These are the maximum likelihood estimates at a given ρ; for linear models without interaction
///
/// `δ(ρ) = β (σ₁/σ₂) (ρ̃ − ρ √((1 − ρ̃²)/(1 − ρ²)))`
///
/// with β the effect of the treatment on the mediator, σ₁ the standard deviation of what treatment and covariates leave of the outcome and ρ̃ its correlation with that of the mediator, at which there is no indirect effect.
///
/// An unobserved variable that explains the shares `R²_M` and `R²_Y` of the errors of both models makes `ρ² = R²_M R²_Y`. Standard errors are by the delta method over the parameters of both models, of which the residual variances have those of normal errors.
///
/// # Errors
/// [`Error::DataNotKept`] for a fit with covariates that was read from a file.
///
/// # References
/// Imai, K., Keele, L. & Yamamoto, T. (2010). Identification, inference and sensitivity analysis for causal mediation effects. *Statistical Science* 25(1), 51–71, theorem 4. doi:10.1214/10-STS321
///
/// Imai, K., Keele, L. & Tingley, D. (2010). A general approach to causal mediation analysis. *Psychological Methods* 15(4), 309–334. doi:10.1037/a0020761
///
/// ```
/// use cocreate::prelude::*;
/// let card = datasets::load("card")?;
/// let fit = Mediation::new("lwage", "smsa66", "educ").covariates("black + south").fit(&card)?;
/// let sensitivity = fit.sensitivity()?;
/// assert!((sensitivity.at(0.0)?.estimate - fit.coefficient("indirect")?.estimate).abs() < 1e-12);
/// assert!(sensitivity.at(sensitivity.zero_at()[0])?.estimate.abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MediationSensitivity {
    models: Models,
    /// Coefficients of both models, σ₂ and, for a linear outcome, s.
    parameters: Vec<f64>,
    spread: DMatrix<f64>,
}

/// The effects at one correlation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MediationPoint {
    /// ρ.
    pub rho: f64,
    /// The indirect effect, the average over both treatments.
    pub indirect: Estimate,
    /// All effects, with the names of those of [`MediationFit`](super::MediationFit).
    pub effects: Vec<Estimate>,
}

impl MediationSensitivity {
    /// None for models whose errors are not jointly normal.
    pub(super) fn new(models: Models) -> Option<Self> {
        let (mut parameters, mut spread) = models.parameters();
        let (variance, df) = models.mediator.1.variance?;
        if models.outcome.0 == MediationModel::Logit {
            return None;
        }
        if let Some((other, other_df)) = models.outcome.1.variance {
            // In the mediator's degrees of freedom, so that the ratio is that of the sums of squares.
            let residual = (other * other_df / df).sqrt();
            let k = parameters.len();
            parameters.push(residual);
            spread = spread.resize(k + 1, k + 1, 0.0);
            spread[(k, k)] = residual * residual / (2.0 * other_df);
        }
        (variance > 0.0).then_some(Self {
            models,
            parameters,
            spread,
        })
    }

    /// The correlations at which there is no indirect effect, under control and under treatment: the same without interaction.
    pub fn zero_at(&self) -> [f64; 2] {
        let (p, index) = (
            self.models.mediator.1.estimates.len(),
            &self.models.outcome.2,
        );
        let q = self.models.outcome.1.estimates.len();
        let of = |at: Option<usize>| at.map_or(0.0, |k| self.parameters[p + k]);
        let (sigma, residual) = (
            self.parameters[p + q],
            self.parameters.get(p + q + 1).copied().unwrap_or(1.0),
        );
        // γ_t = 0 where ρ/√(1 − ρ²) = γ̂_t σ₂/s.
        self.models.contrast.map(|t| {
            let slope = (of(index.mediator) + of(index.product) * t) * sigma;
            slope / slope.hypot(residual)
        })
    }

    /// The products of the shares of both errors that an unobserved variable would have to explain for there to be no indirect effect, the squares of [`MediationSensitivity::zero_at`].
    pub fn r_squared_product(&self) -> [f64; 2] {
        self.zero_at().map(|rho| rho * rho)
    }

    /// The correlations at which there is no indirect effect, in words.
    pub(super) fn zeros(&self) -> String {
        let [control, treated] = self.zero_at();
        if self.models.outcome.2.product.is_none() {
            return Cell::fixed(control, 3).to_string();
        }
        format!(
            "{} (control) and {} (treated)",
            Cell::fixed(control, 3),
            Cell::fixed(treated, 3)
        )
    }

    /// The indirect effect, the average over both treatments, at a correlation of the errors.
    ///
    /// # Errors
    /// As [`MediationSensitivity::effects`].
    pub fn at(&self, rho: f64) -> Result<Estimate> {
        Ok(self.point(rho)?.indirect)
    }

    /// All effects at a correlation of the errors, with the names of those of [`MediationFit`](super::MediationFit).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a correlation outside (−1, 1); [`Error::DataNotKept`].
    pub fn effects(&self, rho: f64) -> Result<Vec<Estimate>> {
        Ok(self.point(rho)?.effects)
    }

    /// The effects at several correlations.
    ///
    /// # Errors
    /// As [`MediationSensitivity::effects`].
    pub fn points(&self, rho: &[f64]) -> Result<Vec<MediationPoint>> {
        rho.iter().map(|rho| self.point(*rho)).collect()
    }

    fn point(&self, rho: f64) -> Result<MediationPoint> {
        if !(rho > -1.0 && rho < 1.0) {
            return Err(Error::invalid_option("rho", rho, "between −1 and 1"));
        }
        let both = [&self.models.mediator.2, &self.models.outcome.2];
        let columns = both.iter().flat_map(|index| &index.covariates);
        if columns.map(|(_, column)| column + 1).max().unwrap_or(0) > self.models.columns.len() {
            return Err(Error::DataNotKept {
                what: "effects under correlated errors".to_owned(),
                remedy: "ask the fit before it is written to a file, or fit again".to_owned(),
            });
        }
        let means = self
            .models
            .means(&self.parameters, Some(&self.spread), rho, |given| {
                self.turned(given, rho)
            })?;
        let (estimates, slopes) = effects(&means.estimates);
        let covariance = &slopes * &means.covariance * slopes.transpose();
        let effects: Vec<Estimate> = (0..NAMES.len())
            .map(|k| Estimate {
                name: NAMES[k].to_owned(),
                estimate: estimates[k],
                std_error: covariance[(k, k)].max(0.0).sqrt(),
                degrees_of_freedom: f64::INFINITY,
            })
            .collect();
        let mut indirect = effects[5].clone();
        indirect.name = format!("indirect effect at ρ = {rho}");
        Ok(MediationPoint {
            rho,
            indirect,
            effects,
        })
    }

    /// The parameters under ρ from those without.
    fn turned(&self, given: &[f64], rho: f64) -> Vec<f64> {
        let (p, q) = (
            self.models.mediator.1.estimates.len(),
            self.models.outcome.1.estimates.len(),
        );
        let root = (1.0 - rho * rho).sqrt();
        let sigma = given[p + q];
        let (scale, c) = match given.get(p + q + 1) {
            Some(residual) => (1.0, rho * residual / (sigma * root)),
            None => (root, rho / sigma),
        };
        let mut out = given[..=p + q].to_vec();
        out[p..p + q].iter_mut().for_each(|b| *b *= scale);
        let (first, second) = (&self.models.mediator.2, &self.models.outcome.2);
        let pairs = [
            (first.constant, second.constant),
            (first.treatment, second.treatment),
        ];
        let mut add = |from: usize, to: usize| out[p + to] += c * given[from];
        for (from, to) in pairs {
            if let (Some(from), Some(to)) = (from, to) {
                add(from, to);
            }
        }
        for (from, column) in &first.covariates {
            if let Some((to, _)) = second.covariates.iter().find(|(_, other)| other == column) {
                add(*from, *to);
            }
        }
        if let Some(mediator) = second.mediator {
            out[p + mediator] -= c;
        }
        out
    }

    /// The indirect effect over ρ with its band at 95 %.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when nothing finite is to be drawn; [`Error::DataNotKept`].
    pub fn plot(&self) -> Result<Figure> {
        let rho: Vec<f64> = (-45..=45).map(|k| f64::from(k) / 50.0).collect();
        let (mut y, mut low, mut high) = (Vec::new(), Vec::new(), Vec::new());
        for point in self.points(&rho)? {
            let i = point.indirect.confidence_interval(0.95)?;
            y.push(point.indirect.estimate);
            low.push(i.lower);
            high.push(i.upper);
        }
        let mut plot = LinePlot::new()
            .title("Indirect effect under correlated errors")
            .x_title("ρ")
            .y_title("indirect effect")
            .reference_y(0.0);
        if self.models.outcome.2.product.is_none() {
            plot = plot.reference_x(self.zero_at()[0]);
        }
        plot.line("indirect effect", &rho, &y)
            .band(&low, &high)
            .draw()
    }

    /// The indirect effect at correlations from −0.8 to 0.8; without covariates, which a file does not keep, the correlations alone at which it is zero.
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
            "Zero at ρ = {}: unobserved variables must explain shares of both errors whose product is its square.",
            self.zeros()
        ))
    }
}

crate::report::notebook::shown!(MediationSensitivity);
