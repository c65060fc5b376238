//! The fitted probit with endogenous regressors: test of exogeneity, average structural function.

use super::two_step::TwoStep;
use crate::data::{Formula, Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::inference::fitted::Fitted;
use crate::inference::{
    Covariance, Estimate, Inference, Summarized, TestResult, coefficient_table,
};
use crate::numeric::linalg::quadratic_form;
use crate::numeric::special::normal;
use crate::regression::LikelihoodFit;
use crate::regression::influence::combine;
use crate::regression::likelihood::{Index, Only, Predictions, Predictor, Quantity};
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A fitted [`super::EndogenousProbit`]. It answers the verbs of [`Inference`] with the normal distribution and prints as a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndogenousProbitFit {
    method: Method,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Method {
    Likelihood {
        fit: Box<LikelihoodFit>,
    },
    TwoStep {
        formula: String,
        fitted: Box<Fitted>,
        /// Names of the residuals in the probit.
        residuals: Vec<String>,
        first_stage_f: Vec<f64>,
        observations: f64,
        log_likelihood: f64,
        warnings: Vec<Warning>,
        #[serde(skip)]
        again: Option<Arc<(TwoStep, Frame)>>,
    },
}

impl EndogenousProbitFit {
    pub(super) fn by_likelihood(fit: LikelihoodFit) -> Self {
        Self {
            method: Method::Likelihood { fit: Box::new(fit) },
        }
    }

    pub(super) fn in_two_steps(steps: TwoStep, frame: &Frame, kind: &Covariance) -> Result<Self> {
        let endogenous = &steps.sample.design.endogenous;
        Ok(Self {
            method: Method::TwoStep {
                formula: steps.sample.parsed.to_string(),
                fitted: Box::new(steps.fitted(frame, kind)?),
                residuals: endogenous
                    .iter()
                    .map(|c| format!("residual({})", c.name))
                    .collect(),
                first_stage_f: steps.first_stage_f.clone(),
                observations: steps.observations(),
                log_likelihood: steps.log_likelihood,
                warnings: steps.warnings.clone(),
                again: Some(Arc::new((steps, frame.clone()))),
            },
        })
    }

    /// The same fit with another covariance, without refitting.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean` or for a fit read from a file; [`Error::InvalidOption`] for HC2, HC3 and CR2; the
    /// errors of the covariance.
    pub fn with_covariance(&self, covariance: Covariance) -> Result<Self> {
        match &self.method {
            Method::Likelihood { fit } => Ok(Self::by_likelihood(fit.with_covariance(covariance)?)),
            Method::TwoStep { again, .. } => {
                let again = again
                    .as_ref()
                    .ok_or_else(|| not_kept("another covariance"))?;
                Self::in_two_steps(again.0.clone(), &again.1, &covariance)
            }
        }
    }

    /// The test that the regressors are exogenous: that the residuals have no coefficients (two steps), or that ρ = 0 (maximum
    /// likelihood); of Wald, with the covariance in use.
    ///
    /// # Errors
    /// Those of [`Inference::wald_matrix`].
    pub fn exogeneity_test(&self) -> Result<TestResult> {
        let tested: Vec<String> = match &self.method {
            Method::Likelihood { .. } => vec!["atanh_rho".to_owned()],
            Method::TwoStep { residuals, .. } => residuals.clone(),
        };
        let positions = tested
            .iter()
            .map(|name| self.position(name))
            .collect::<Result<Vec<_>>>()?;
        let r = DMatrix::from_fn(positions.len(), self.names().len(), |i, j| {
            f64::from(u8::from(positions[i] == j))
        });
        self.wald_matrix("exogeneity", &r, &DVector::zeros(positions.len()))
    }

    /// The structural probability of each row of a frame, which may be another than that of the fit: that of outcome 1 if the row had
    /// its regressors, endogenous ones too, by nobody's choice; NaN where a regressor is missing. Instruments are not needed. By
    /// maximum likelihood it is `Φ(x'β + αd)`, in two steps `Φ((x'β + αd)/√(1 + θ'Σθ))` with the residuals' coefficients θ and covariance Σ.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean`, or for a fit read from a file; [`Error::ColumnNotFound`] and [`Error::InvalidOption`] for
    /// regressors and levels that the fit does not know.
    pub fn predict(&self, frame: &Frame) -> Result<Vec<f64>> {
        const LEVEL: f64 = 0.95;
        Ok(self.predict_interval(frame, LEVEL)?.values)
    }

    /// The same with standard errors and intervals, by the covariance of the fit; Σ is taken as known.
    ///
    /// # Errors
    /// As [`EndogenousProbitFit::predict`]; [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn predict_interval(&self, frame: &Frame, level: f64) -> Result<Predictions> {
        let ones = |at: &[f64]| normal::cdf(at[0]);
        match &self.method {
            Method::Likelihood { fit } => {
                let fitted = fit.predictor()?;
                let structural = &fitted.indices[0];
                let later = fit.names().iter().skip(structural.parameters());
                let rest = later.map(|name| Index::parameter(name));
                let indices: Vec<Index> = std::iter::once(structural.clone()).chain(rest).collect();
                let model = Only {
                    quantity: ones,
                    share: true,
                };
                let predictor = Predictor {
                    model: &model,
                    indices: &indices,
                    ..fitted
                };
                predictor.predict(frame, Quantity::Mean, level)
            }
            Method::TwoStep {
                again,
                fitted,
                residuals,
                ..
            } => {
                let again = again.as_ref().ok_or_else(|| not_kept("a prediction"))?;
                let steps = &again.0;
                let m = residuals.len();
                let structural = steps.index.clone().without_last(m);
                let rest = fitted.names[structural.parameters()..].iter();
                let indices: Vec<Index> = std::iter::once(structural)
                    .chain(rest.map(|name| Index::parameter(name)))
                    .collect();
                let quantity = |at: &[f64]| {
                    let theta = DVector::from_column_slice(&at[1..=m]);
                    normal::cdf(at[0] / (1.0 + quadratic_form(&steps.variance, &theta)).sqrt())
                };
                let predictor = Predictor {
                    model: &Only {
                        quantity,
                        share: true,
                    },
                    indices: &indices,
                    formulas: &[Formula::from(self.formula())],
                    frame: &again.1,
                    rows: &steps.sample.design.rows,
                    rows_of_formulas: &[],
                    weights: None,
                    fitted,
                    noise: 0.0,
                };
                predictor.predict(frame, Quantity::Mean, level)
            }
        }
    }

    /// The average structural function (Blundell & Powell 2004, doi:10.1111/j.1467-937X.2004.00277.x) with some regressors set to values: the
    /// share of outcomes 1 if all rows had these values, by nobody's choice. In two steps it is the mean of `Φ(x'β + αd + θv̂_i)`, with the residuals
    /// as they are; by maximum likelihood that of `Φ(x'β + αd)`. The standard error is that of the coefficients, by the delta method; rows are taken as
    /// given. Regressors are named as coefficients are, and products of them are not changed along.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a name that is no regressor or a value that is not finite; [`Error::DataNotKept`] after `lean`, or for a fit read
    /// from a file.
    pub fn average_structural_function(&self, set: &[(&str, f64)]) -> Result<Estimate> {
        if let Some((name, value)) = set.iter().find(|(_, value)| !value.is_finite()) {
            return Err(Error::invalid_option(
                &format!("value of `{name}`"),
                value,
                "a finite number",
            ));
        }
        let (size, gradient) = match &self.method {
            Method::Likelihood { fit } => structural_of_likelihood(fit, set)?,
            Method::TwoStep { again, .. } => {
                let again = again
                    .as_ref()
                    .ok_or_else(|| not_kept("the average structural function"))?;
                structural_of_steps(self, &again.0, set)?
            }
        };
        let values: Vec<String> = set
            .iter()
            .map(|(name, v)| format!("{name} = {v}"))
            .collect();
        Ok(Estimate {
            name: format!("average structural function at {}", values.join(", ")),
            estimate: size,
            std_error: quadratic_form(Inference::covariance(self), &gradient)
                .max(0.0)
                .sqrt(),
            degrees_of_freedom: f64::INFINITY,
        })
    }

    /// The heteroskedasticity-robust first-stage F of the instruments, one an endogenous regressor; none for maximum
    /// likelihood.
    pub fn first_stage_f(&self) -> &[f64] {
        match &self.method {
            Method::Likelihood { .. } => &[],
            Method::TwoStep { first_stage_f, .. } => first_stage_f,
        }
    }

    /// The likelihood fit behind maximum likelihood; `None` for two steps.
    pub fn likelihood(&self) -> Option<&LikelihoodFit> {
        match &self.method {
            Method::Likelihood { fit } => Some(fit),
            Method::TwoStep { .. } => None,
        }
    }

    /// Observations: rows, or the sum of frequency weights.
    pub fn observations(&self) -> f64 {
        match &self.method {
            Method::Likelihood { fit } => fit.statistics().observations,
            Method::TwoStep { observations, .. } => *observations,
        }
    }

    /// The log-likelihood: of both equations, or of the probit with residuals.
    pub fn log_likelihood(&self) -> f64 {
        match &self.method {
            Method::Likelihood { fit } => fit.log_likelihood(),
            Method::TwoStep { log_likelihood, .. } => *log_likelihood,
        }
    }

    /// The formula as fitted.
    pub fn formula(&self) -> &str {
        match &self.method {
            Method::Likelihood { fit } => fit.formula(),
            Method::TwoStep { formula, .. } => formula,
        }
    }

    /// The covariance estimator in use.
    pub fn covariance_kind(&self) -> &Covariance {
        match &self.method {
            Method::Likelihood { fit } => fit.covariance_kind(),
            Method::TwoStep { fitted, .. } => &fitted.kind,
        }
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> Vec<Warning> {
        match &self.method {
            Method::Likelihood { fit } => fit.warnings(),
            Method::TwoStep {
                fitted, warnings, ..
            } => warnings.iter().chain(&fitted.warnings).cloned().collect(),
        }
    }

    /// Drops the handle on the data, so that the fit is small.
    pub fn lean(&self) -> Self {
        let mut lean = self.clone();
        match &mut lean.method {
            Method::Likelihood { fit } => **fit = fit.lean(),
            Method::TwoStep { again, .. } => *again = None,
        }
        lean
    }

    /// The fit as an HTML table.
    pub fn to_html(&self) -> String {
        self.full_table().to_html()
    }

    fn full_table(&self) -> Table {
        let title = match &self.method {
            Method::Likelihood { .. } => "Probit with an endogenous regressor (maximum likelihood)",
            Method::TwoStep { .. } => "Probit with endogenous regressors (control function)",
        };
        let size = format!(
            "n = {}, log-likelihood = {}",
            Cell::count(self.observations() as usize),
            Cell::significant(self.log_likelihood(), 6)
        );
        let mut table = coefficient_table(self)
            .with_title(format!("{title}: {}", self.formula()))
            .note(format!("Covariance: {}", self.covariance_kind()))
            .note(size);
        if let Ok(test) = self.exogeneity_test() {
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

/// The mean of Φ over rows, with its gradient in the coefficients of the index, and `w_i φ_i/Σw`.
struct Structural {
    size: f64,
    gradient: Vec<f64>,
    density: Vec<f64>,
}

impl Structural {
    fn new(
        index: &Index,
        rows: &Rows,
        weights: Option<&[f64]>,
        b: &[f64],
        set: &[(&str, f64)],
    ) -> Result<Self> {
        let mut columns = index.raw_columns(rows);
        let names = index.names();
        for (name, value) in set {
            let at = names
                .iter()
                .position(|n| n == name)
                .filter(|at| index.constant.is_none() || *at > 0);
            let Some(at) = at.filter(|_| !name.starts_with("residual(")) else {
                return Err(Error::invalid_option(
                    "set",
                    name,
                    format!("one of the regressors ({})", names.join(", ")),
                ));
            };
            columns[at].fill(*value);
        }
        let ones = vec![1.0; rows.len()];
        let weights = weights.unwrap_or(&ones);
        let total: f64 = weights.iter().sum();
        let eta = combine(&columns, b);
        let mean = |f: &dyn Fn(f64) -> f64| -> Vec<f64> {
            eta.iter()
                .zip(weights)
                .map(|(e, w)| w * f(*e) / total)
                .collect()
        };
        let density = mean(&normal::pdf);
        Ok(Self {
            size: mean(&normal::cdf).iter().sum(),
            gradient: columns.iter().map(|c| dot(c, &density)).collect(),
            density,
        })
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn structural_of_likelihood(
    fit: &LikelihoodFit,
    set: &[(&str, f64)],
) -> Result<(f64, DVector<f64>)> {
    let likelihood = &fit
        .at_maximum("the average structural function")?
        .likelihood;
    let index = &likelihood.indices[0];
    let k = index.parameters();
    let weights = likelihood.weights.as_ref().map(|w| w.as_slice());
    let b = &fit.estimates().as_slice()[..k];
    let found = Structural::new(index, &likelihood.rows, weights, b, set)?;
    let mut gradient = DVector::zeros(fit.names().len());
    for (j, g) in found.gradient.iter().enumerate() {
        gradient[j] = *g;
    }
    Ok((found.size, gradient))
}

fn structural_of_steps(
    fit: &EndogenousProbitFit,
    steps: &TwoStep,
    set: &[(&str, f64)],
) -> Result<(f64, DVector<f64>)> {
    let rows = &steps.sample.design.rows;
    let k = steps.index.parameters();
    let b = &fit.estimates().as_slice()[..k];
    let weights = steps.sample.weights.as_deref();
    let found = Structural::new(&steps.index, rows, weights, b, set)?;
    let mut gradient = found.gradient;
    // The residuals v̂ = d − z'π move with π.
    let z = steps.z.raw_columns(rows);
    for theta in &steps.theta {
        gradient.extend(z.iter().map(|c| -theta * dot(c, &found.density)));
    }
    Ok((found.size, DVector::from_vec(gradient)))
}

impl Inference for EndogenousProbitFit {
    fn names(&self) -> &[String] {
        match &self.method {
            Method::Likelihood { fit } => fit.names(),
            Method::TwoStep { fitted, .. } => &fitted.names,
        }
    }

    fn estimates(&self) -> &DVector<f64> {
        match &self.method {
            Method::Likelihood { fit } => fit.estimates(),
            Method::TwoStep { fitted, .. } => &fitted.estimates,
        }
    }

    fn covariance(&self) -> &DMatrix<f64> {
        match &self.method {
            Method::Likelihood { fit } => Inference::covariance(fit.as_ref()),
            Method::TwoStep { fitted, .. } => &fitted.covariance,
        }
    }

    fn table(&self) -> Table {
        self.full_table()
    }
}

impl Summarized for EndogenousProbitFit {
    fn footer(&self) -> Vec<(String, Cell)> {
        vec![
            (
                "Observations".to_owned(),
                Cell::count(self.observations() as usize),
            ),
            (
                "Log-likelihood".to_owned(),
                Cell::significant(self.log_likelihood(), 6),
            ),
        ]
    }

    fn covariance_label(&self) -> String {
        self.covariance_kind().to_string()
    }
}

impl fmt::Display for EndogenousProbitFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.full_table().fmt(f)
    }
}

crate::report::notebook!(EndogenousProbitFit);
