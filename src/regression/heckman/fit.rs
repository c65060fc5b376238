//! The fitted selection model: estimates of either method, σ and ρ, the test of independence, predictions.

use super::Heckman;
use super::density::ln_normal;
use super::sample::SelectionSample;
use super::two_step::TwoStep;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::covariance::Covariance;
use crate::inference::fitted::Fitted;
use crate::inference::{
    Distribution, Estimate, Inference, Summarized, TestResult, coefficient_table,
};
use crate::numeric::special::normal;
use crate::regression::LikelihoodFit;
use crate::regression::likelihood::{Index, Only, Predictions, Predictor, Quantity};
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What [`HeckmanFit::predict`] gives for each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeckmanPrediction {
    /// `E[y | x] = x'β`: the outcome of anybody, selected or not.
    Unconditional,
    /// `E[y | x, selected] = x'β + ρσ φ(z'γ)/Φ(z'γ)`.
    Selected,
    /// `E[y | x, not selected] = x'β − ρσ φ(z'γ)/Φ(−z'γ)`.
    NotSelected,
    /// `P(selected | z) = Φ(z'γ)`.
    Probability,
}

/// What predictions and another covariance need.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) equations: Heckman,
    pub(super) sample: SelectionSample,
    pub(super) frame: Frame,
}

/// A fitted [`super::Heckman`]. It answers the verbs of [`Inference`] with the normal distribution and prints as a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeckmanFit {
    formula: String,
    method: Method,
    observations: f64,
    selected: f64,
    #[serde(skip)]
    model: Option<Arc<Model>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Method {
    Likelihood {
        fit: Box<LikelihoodFit>,
        /// ℓ with ρ = 0.
        separate: f64,
    },
    TwoStep {
        fitted: Box<Fitted>,
        sigma: Estimate,
        rho: Estimate,
        warnings: Vec<Warning>,
        #[serde(skip)]
        again: Option<Arc<TwoStep>>,
    },
}

impl HeckmanFit {
    pub(super) fn by_likelihood(fit: LikelihoodFit, model: Model, separate: f64) -> Self {
        Self {
            formula: fit.formula().to_owned(),
            observations: fit.statistics().observations,
            selected: model.selected(),
            method: Method::Likelihood {
                fit: Box::new(fit),
                separate,
            },
            model: Some(Arc::new(model)),
        }
    }

    pub(super) fn in_two_steps(
        model: Arc<Model>,
        steps: Arc<TwoStep>,
        kind: &Covariance,
    ) -> Result<Self> {
        let (fitted, [sigma, rho]) = steps.fitted(&model.sample, &model.frame, kind)?;
        let mut warnings = model.sample.warnings.clone();
        if rho.estimate.abs() > 1.0 {
            warnings.push(Warning::Note {
                message: format!(
                    "ρ is estimated as {:.3}, which no correlation can be: the sample is small, the exclusion weak, or errors are not normal",
                    rho.estimate
                ),
            });
        }
        Ok(Self {
            formula: model.sample.formula.clone(),
            observations: model.observations(),
            selected: model.selected(),
            method: Method::TwoStep {
                fitted: Box::new(fitted),
                sigma,
                rho,
                warnings,
                again: Some(steps),
            },
            model: Some(model),
        })
    }

    /// The same fit with another covariance, without refitting.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean` or for a fit read from a file; [`Error::InvalidOption`] for HC2, HC3 and CR2; the
    /// errors of the covariance.
    pub fn with_covariance(&self, covariance: Covariance) -> Result<Self> {
        match &self.method {
            Method::Likelihood { fit, separate } => Ok(Self {
                method: Method::Likelihood {
                    fit: Box::new(fit.with_covariance(covariance)?),
                    separate: *separate,
                },
                ..self.clone()
            }),
            Method::TwoStep { again, .. } => {
                let (Some(again), Some(model)) = (again, &self.model) else {
                    return Err(not_kept("another covariance"));
                };
                Self::in_two_steps(Arc::clone(model), Arc::clone(again), &covariance)
            }
        }
    }

    /// The standard deviation σ of the outcome's error: by the delta method for ML, by influence functions for two steps
    /// (HC0 where the covariance is classical).
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn sigma(&self) -> Result<Estimate> {
        match &self.method {
            Method::Likelihood { fit, .. } => fit.nonlinear("sigma", &["ln_sigma"], |p| p[0].exp()),
            Method::TwoStep { sigma, .. } => Ok(sigma.clone()),
        }
    }

    /// The correlation ρ of the errors, with errors as [`HeckmanFit::sigma`]. In two steps it is λ/σ̂, which may exceed one.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn rho(&self) -> Result<Estimate> {
        match &self.method {
            Method::Likelihood { fit, .. } => fit.nonlinear("rho", &["atanh_rho"], |p| p[0].tanh()),
            Method::TwoStep { rho, .. } => Ok(rho.clone()),
        }
    }

    /// The effect of selection `λ = ρσ`: the coefficient of the inverse Mills ratio.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn lambda(&self) -> Result<Estimate> {
        match &self.method {
            Method::Likelihood { fit, .. } => {
                fit.nonlinear("lambda", &["ln_sigma", "atanh_rho"], |p| {
                    p[0].exp() * p[1].tanh()
                })
            }
            Method::TwoStep { .. } => self.coefficient("lambda"),
        }
    }

    /// The test that ρ = 0, so that least squares on the selected is right: by maximum likelihood the likelihood-ratio test against
    /// probit and least squares apart, χ²(1), which wants the model to be true and weights to be frequencies; in two steps
    /// the test of λ = 0. A test of Wald with the covariance in use is `fit.wald(&["atanh_rho = 0"])`.
    ///
    /// # Errors
    /// Those of [`Inference::wald`].
    pub fn independence_test(&self) -> Result<TestResult> {
        match &self.method {
            Method::Likelihood { fit, separate } => Ok(TestResult::new(
                "likelihood-ratio test of ρ = 0",
                (2.0 * (fit.log_likelihood() - separate)).max(0.0),
                Distribution::ChiSquared { df: 1.0 },
            )),
            Method::TwoStep { .. } => self.wald(&["lambda = 0"]),
        }
    }

    /// Predictions for the rows of a frame, which may be another than that of the fit; NaN where a regressor of either equation is
    /// missing.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean`, or for a fit read from a file; [`Error::ColumnNotFound`] and [`Error::InvalidOption`] for
    /// regressors and levels that the fit does not know (for the outcome's equation: levels that no selected row has).
    pub fn predict(&self, frame: &Frame, what: HeckmanPrediction) -> Result<Vec<f64>> {
        const LEVEL: f64 = 0.95;
        Ok(self.predict_interval(frame, what, LEVEL)?.values)
    }

    /// The same with standard errors and intervals, by the covariance of the fit.
    ///
    /// # Errors
    /// As [`HeckmanFit::predict`]; [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn predict_interval(
        &self,
        frame: &Frame,
        what: HeckmanPrediction,
        level: f64,
    ) -> Result<Predictions> {
        let model = self
            .model
            .as_ref()
            .ok_or_else(|| not_kept("a prediction"))?;
        let sample = &model.sample;
        let formulas = [&model.equations.outcome, &model.equations.options.formula];
        let equations = [sample.outcome.clone(), sample.selection.clone()];
        let scales = match &self.method {
            Method::Likelihood { .. } => vec!["ln_sigma", "atanh_rho"],
            Method::TwoStep { .. } => vec!["lambda"],
        };
        let indices: Vec<Index> = equations
            .into_iter()
            .chain(scales.into_iter().map(Index::parameter))
            .collect();
        let fitted = match &self.method {
            Method::Likelihood { fit, .. } => fit.predictor()?.fitted,
            Method::TwoStep { fitted, .. } => fitted,
        };
        let quantity = |at: &[f64]| {
            let lambda = match at[2..] {
                [ln_sigma, atanh_rho] => ln_sigma.exp() * atanh_rho.tanh(),
                _ => at[2],
            };
            match what {
                HeckmanPrediction::Unconditional => at[0],
                HeckmanPrediction::Selected => at[0] + lambda * ln_normal(at[1])[1],
                HeckmanPrediction::NotSelected => at[0] - lambda * ln_normal(-at[1])[1],
                HeckmanPrediction::Probability => normal::cdf(at[1]),
            }
        };
        let predictor = Predictor {
            model: &Only {
                quantity,
                share: what == HeckmanPrediction::Probability,
            },
            indices: &indices,
            formulas: &formulas.map(Clone::clone),
            frame: &model.frame,
            rows: &sample.rows,
            rows_of_formulas: &[&sample.seen_rows, &sample.rows],
            weights: None,
            fitted,
            noise: 0.0,
        };
        predictor.predict(frame, Quantity::Mean, level)
    }

    /// The likelihood fit behind maximum likelihood; `None` for two steps.
    pub fn likelihood(&self) -> Option<&LikelihoodFit> {
        match &self.method {
            Method::Likelihood { fit, .. } => Some(fit),
            Method::TwoStep { .. } => None,
        }
    }

    /// Observations: rows, or the sum of frequency weights.
    pub fn observations(&self) -> f64 {
        self.observations
    }

    /// Observations whose outcome is seen.
    pub fn selected(&self) -> f64 {
        self.selected
    }

    /// Both formulas as fitted.
    pub fn formula(&self) -> &str {
        &self.formula
    }

    /// The covariance estimator in use.
    pub fn covariance_kind(&self) -> &Covariance {
        match &self.method {
            Method::Likelihood { fit, .. } => fit.covariance_kind(),
            Method::TwoStep { fitted, .. } => &fitted.kind,
        }
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> Vec<Warning> {
        match &self.method {
            Method::Likelihood { fit, .. } => fit.warnings(),
            Method::TwoStep {
                fitted, warnings, ..
            } => warnings.iter().chain(&fitted.warnings).cloned().collect(),
        }
    }

    /// Drops the handle on the data, so that the fit is small; it then has no predictions and no other covariance.
    pub fn lean(&self) -> Self {
        let mut lean = Self {
            model: None,
            ..self.clone()
        };
        match &mut lean.method {
            Method::Likelihood { fit, .. } => **fit = fit.lean(),
            Method::TwoStep { again, .. } => *again = None,
        }
        lean
    }

    /// The fit as an HTML table.
    pub fn to_html(&self) -> String {
        self.full_table().to_html()
    }

    fn full_table(&self) -> Table {
        let (title, covariance) = match &self.method {
            Method::Likelihood { .. } => (
                "Selection model (maximum likelihood)",
                format!("Covariance: {}", self.covariance_kind()),
            ),
            Method::TwoStep { fitted, .. } => {
                ("Selection model (two steps)", fitted.covariance_note())
            }
        };
        let mut size = vec![
            format!("n = {}", Cell::count(self.observations as usize)),
            format!("selected = {}", Cell::count(self.selected as usize)),
        ];
        if let Some(fit) = self.likelihood() {
            let value = Cell::significant(fit.log_likelihood(), 6);
            size.push(format!("log-likelihood = {value}"));
        }
        let scales: Vec<String> = [self.rho(), self.sigma(), self.lambda()]
            .iter()
            .flatten()
            .map(|e| {
                format!(
                    "{} = {} (s.e. {})",
                    e.name,
                    Cell::significant(e.estimate, 5),
                    Cell::significant(e.std_error, 4)
                )
            })
            .collect();
        let mut table = coefficient_table(self)
            .with_title(format!("{title}: {}", self.formula))
            .note(covariance)
            .note(size.join(", "))
            .note(scales.join(", "));
        if let Ok(test) = self.independence_test() {
            table = table.note(test.to_string());
        }
        for warning in self.warnings() {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }
}

fn not_kept(what: &str) -> Error {
    Error::DataNotKept {
        what: what.to_owned(),
        remedy: "ask before `.lean()`, or fit again from the data".to_owned(),
    }
}

impl Model {
    fn observations(&self) -> f64 {
        match &self.sample.weights {
            Some(w) if self.sample.frequency => w.iter().sum(),
            _ => self.sample.rows.len() as f64,
        }
    }

    fn selected(&self) -> f64 {
        let seen = self.sample.seen();
        match &self.sample.weights {
            Some(w) if self.sample.frequency => w
                .iter()
                .zip(&seen)
                .filter(|(_, s)| **s)
                .map(|(w, _)| w)
                .sum(),
            _ => seen.iter().filter(|s| **s).count() as f64,
        }
    }
}

impl Inference for HeckmanFit {
    fn names(&self) -> &[String] {
        match &self.method {
            Method::Likelihood { fit, .. } => fit.names(),
            Method::TwoStep { fitted, .. } => &fitted.names,
        }
    }

    fn estimates(&self) -> &DVector<f64> {
        match &self.method {
            Method::Likelihood { fit, .. } => fit.estimates(),
            Method::TwoStep { fitted, .. } => &fitted.estimates,
        }
    }

    fn covariance(&self) -> &DMatrix<f64> {
        match &self.method {
            Method::Likelihood { fit, .. } => Inference::covariance(fit.as_ref()),
            Method::TwoStep { fitted, .. } => &fitted.covariance,
        }
    }

    fn table(&self) -> Table {
        self.full_table()
    }
}

impl Summarized for HeckmanFit {
    fn footer(&self) -> Vec<(String, Cell)> {
        let mut lines = vec![
            (
                "Observations".to_owned(),
                Cell::count(self.observations as usize),
            ),
            ("Selected".to_owned(), Cell::count(self.selected as usize)),
        ];
        if let Ok(rho) = self.rho() {
            lines.push(("ρ".to_owned(), Cell::fixed(rho.estimate, 3)));
        }
        if let Some(fit) = self.likelihood() {
            let value = Cell::significant(fit.log_likelihood(), 6);
            lines.push(("Log-likelihood".to_owned(), value));
        }
        lines
    }

    fn covariance_label(&self) -> String {
        self.covariance_kind().to_string()
    }
}

impl fmt::Display for HeckmanFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.full_table().fmt(f)
    }
}

crate::report::notebook!(HeckmanFit);
