//! The effect of a dose as a function of features: residuals of the outcome on residuals of the dose times features.

use super::cross_fit::CrossFit;
use super::dose_response_fit::{Basis, inside};
use super::partially_linear::{DECIDED, PartiallyLinear, Residuals};
use crate::data::formula::{Factor, Quoted, columns_of};
use crate::data::{Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::{Covariance, Inference};
use crate::numeric::Progress;
use crate::regression::learners::{Task, TrainingSet};
use crate::regression::{Ols, OlsFit, Predictions};
use crate::report::{Cell, Table, shown};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The effect of a dose (a price, a discount, a number of invitations) as a linear function of features, with its errors: in
///
/// `Y = Σ_k φ_k(D) b(X)'γ_k + g(X) + ε`, `E[ε | D, X] = 0`,
///
/// dose d₁ instead of d₀ changes the mean outcome of customers with features x by `Σ_k b(x)'γ_k (φ_k(d₁) − φ_k(d₀))`. `b(x)` is a constant and the terms of a
/// formula, φ is the dose itself, or with more than two `knots` a natural cubic spline in it. With the cross-fitted means of [`PartiallyLinear`], of
/// the outcome and of each φ_k, γ is the least squares of
///
/// `Y − E[Y | X]` on `(φ_k(D) − E[φ_k(D) | X]) b(X)`.
///
/// Errors of the learned means move γ by their products only, so that the errors of least squares hold: HC3, or clustered where there are clusters.
///
/// The dose must be as good as random given the features, and vary where they do not. When the effect is no such function, γ is the nearest one with
/// weights `Var(D | X)`: terms and knots say how much it may bend, and with few of them the errors are small.
/// [`ContinuousEffects`](crate::uplift::ContinuousEffects) learns the function without a form, and without errors.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `knots` | 2, a straight line | of the spline, at quantiles 0.05 to 0.95 of the dose | 2 to 12; 2 with given means |
///
/// Learners, weights, clusters, folds and the seed are those of the [`PartiallyLinear`] that it is made from.
///
/// # Errors
/// Those of [`PartiallyLinear`] and [`Ols`]; [`Error::InvalidOption`] for terms with the outcome or the dose among them;
/// [`Error::Unidentified`] where knots fall together or the features decide a part of the spline.
///
/// # References
/// Robinson (1988), doi:10.2307/1912705; Semenova & Chernozhukov (2021), *The Econometrics Journal* 24(2), 264–289, doi:10.1093/ectj/utaa027; Nie & Wager (2021),
/// doi:10.1093/biomet/asaa076.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let unit = |i: i32, step: f64| (f64::from(i) * step).fract();
/// let age: Vec<f64> = (0..600).map(|i| unit(i, 0.618_034)).collect();
/// let discount: Vec<f64> = (0..600).map(|i| age[i as usize] + 2.0 * unit(i, 0.754_878)).collect();
/// let spent: Vec<f64> = (0..600).map(|i| age[i as usize].powi(2) + (1.0 + 3.0 * age[i as usize]) * discount[i as usize]).collect();
/// let frame = Frame::new().with("age", age)?.with("discount", discount)?.with("spent", spent)?;
/// let base = PartiallyLinear::new("spent", "discount", &["age"]).learner(Learner::quadratic()).seed(7);
/// let fit = DoseEffects::new(base, "age").fit(&frame)?;
/// assert!((fit.coefficient("discount:age")?.estimate - 3.0).abs() < 0.1);
/// let somebody = Frame::new().with("age", vec![0.5])?;
/// let gain = fit.contrast(&somebody, 0.5, 1.5, 0.95)?;
/// assert!((gain.values[0] - 2.5).abs() < 0.05 && gain.lower[0] < 2.5 && 2.5 < gain.upper[0]);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DoseEffects {
    base: PartiallyLinear,
    terms: String,
    knots: usize,
}

/// What [`DoseEffects`] found. The verbs of [`Inference`] are those of γ: the coefficient with the name of the dose is of the constant.
#[derive(Clone, Serialize, Deserialize)]
pub struct DoseEffectsFit {
    dose: String,
    outcome: String,
    range: [f64; 2],
    /// None for a straight line.
    basis: Option<Basis>,
    projection: OlsFit,
    warnings: Vec<Warning>,
}

/// The functions of the dose, one column a function, and what they are called.
struct Functions {
    names: Vec<String>,
    values: Vec<Vec<f64>>,
}

impl DoseEffects {
    /// The effect of the treatment of this model as a function of `terms`, the right-hand side of a formula in columns of the frame: `"age + C(city)"`;
    /// `"1"` for one effect of all.
    pub fn new(base: PartiallyLinear, terms: impl Into<String>) -> Self {
        Self {
            base,
            terms: terms.into(),
            knots: 2,
        }
    }

    /// Knots of the spline in the dose.
    pub fn knots(mut self, knots: usize) -> Self {
        self.knots = knots;
        self
    }

    /// Learns the means and regresses residuals on residuals.
    ///
    /// # Errors
    /// See [`DoseEffects`].
    pub fn fit(&self, frame: &Frame) -> Result<DoseEffectsFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Learns the means and regresses residuals on residuals, watched.
    ///
    /// # Errors
    /// See [`DoseEffects`]; [`Error::Cancelled`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<DoseEffectsFit> {
        let columns = &self.base.columns;
        let (outcome, dose) = (columns.outcome.as_str(), columns.treatment.as_str());
        let terms = self.terms.trim();
        self.check_terms()?;
        if self.knots != 2 && !columns.means.is_empty() {
            return Err(Error::invalid_option(
                "knots",
                self.knots,
                "2 with given means: those of a spline's parts are not known",
            ));
        }
        let residuals = self.base.residuals(frame, progress)?;
        let sample = &residuals.sample;
        let given = sample.dose.as_deref().unwrap_or_default();
        let basis = match self.knots {
            2 => None,
            knots => Some(Basis::at_quantiles(given, knots, dose)?),
        };
        let functions = self.functions(&residuals, basis.as_ref(), progress)?;
        let mut kept = if sample.rows.is_all() {
            frame.clone()
        } else {
            frame.filter(&sample.rows.mask())?
        };
        kept = kept.with_or_replace(outcome, residuals.outcome.clone())?;
        for (name, values) in functions.names.iter().zip(functions.values) {
            kept = kept.with_or_replace(name, values)?;
        }
        let doses: Vec<String> = functions
            .names
            .iter()
            .map(|name| Quoted(name).to_string())
            .collect();
        let mut formula = format!("{} ~ 0 + {}", Quoted(outcome), doses.join(" + "));
        if terms != "1" {
            formula = format!("{formula} + ({}):({terms})", doses.join(" + "));
        }
        let mut model = Ols::new(formula).covariance(match &columns.clusters {
            Some(column) => Covariance::cluster(column),
            None => Covariance::Hc3,
        });
        if let Some(column) = &columns.weights {
            model = model.weights(column);
        }
        let ends = |f: fn(f64, f64) -> f64, from: f64| given.iter().copied().fold(from, f);
        Ok(DoseEffectsFit {
            range: [
                ends(f64::min, f64::INFINITY),
                ends(f64::max, f64::NEG_INFINITY),
            ],
            dose: dose.to_owned(),
            outcome: outcome.to_owned(),
            projection: model.fit(&kept)?,
            warnings: residuals.sample.warnings,
            basis,
        })
    }

    /// Refuses terms that are no function of the features.
    fn check_terms(&self) -> Result<()> {
        let wrong = |value: String, expected| Err(Error::invalid_option("terms", value, expected));
        let columns = &self.base.columns;
        let formula = format!("{} ~ {}", Quoted(&columns.outcome), self.terms);
        let parsed = Formula::from(formula).parse()?;
        let terms = parsed.exogenous();
        if !parsed.effects().is_empty() || !parsed.instruments().is_empty() {
            return wrong(
                format!("`{}`", self.terms),
                "terms with no parts behind bars",
            );
        }
        if terms
            .iter()
            .any(|term| term.factors.contains(&Factor::Everything))
        {
            return wrong(format!("`{}`", self.terms), "columns named one by one");
        }
        let named = columns_of(terms, &[]);
        match [&columns.outcome, &columns.treatment]
            .into_iter()
            .find(|c| named.contains(c))
        {
            None => Ok(()),
            Some(column) => wrong(
                format!("with `{column}` among them"),
                "columns that were known before the dose",
            ),
        }
    }

    /// `φ_k(D) − E[φ_k(D) | X]`.
    fn functions(
        &self,
        residuals: &Residuals,
        basis: Option<&Basis>,
        progress: &Progress,
    ) -> Result<Functions> {
        let sample = &residuals.sample;
        let names = names(&sample.treatment, basis);
        let Some(basis) = basis else {
            let values = vec![residuals.treatment.clone()];
            return Ok(Functions { names, values });
        };
        let dose = sample.dose.as_deref().unwrap_or_default();
        let fit = CrossFit {
            folds: &residuals.folds,
            seed: residuals.seed,
            progress,
        };
        let mut values = Vec::with_capacity(names.len());
        for (k, name) in names.iter().enumerate() {
            let target: Vec<f64> = dose.iter().map(|d| basis.at(*d)[k + 1]).collect();
            let set = TrainingSet::new(&sample.features, &target, Task::Regression)
                .weights(sample.weights.as_deref())
                .named(name);
            let learner = &self.base.treatment_learner;
            let mut out = fit.out_of_fold(name, learner, &set, &[&sample.features])?;
            let mean = out.predictions.swap_remove(0);
            let left: Vec<f64> = target.iter().zip(&mean).map(|(t, m)| t - m).collect();
            let squares = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
            if squares(&left) <= DECIDED * squares(&target) {
                return Err(Error::Unidentified {
                    what: format!("the effect of `{}` beyond a line", sample.treatment),
                    needs: "a dose that the features leave open all along; fewer `knots`"
                        .to_owned(),
                });
            }
            values.push(left);
        }
        Ok(Functions { names, values })
    }
}

/// What the functions of a dose are called: as the dose itself for a line.
fn names(dose: &str, basis: Option<&Basis>) -> Vec<String> {
    match basis {
        None => vec![dose.to_owned()],
        Some(basis) => (1..basis.len()).map(|k| format!("{dose}[{k}]")).collect(),
    }
}

impl DoseEffectsFit {
    /// The mean effect of dose `to` against dose `from` for customers like the rows of a frame that has the columns of the terms, with pointwise
    /// intervals.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a dose outside of those that were given, or a level outside (0, 1); those of [`OlsFit::predict`].
    pub fn contrast(&self, frame: &Frame, from: f64, to: f64, level: f64) -> Result<Predictions> {
        for dose in [from, to] {
            inside(self.range, dose)?;
        }
        self.predicted(frame, level, |basis| match basis {
            None => vec![to - from],
            Some(basis) => (basis.at(to) - basis.at(from))
                .iter()
                .skip(1)
                .copied()
                .collect(),
        })
    }

    /// The mean effect of a little more than this dose, by unit, for customers like the rows of a frame that has the columns of the terms; the same at
    /// all doses for a straight line.
    ///
    /// # Errors
    /// As [`DoseEffectsFit::contrast`].
    pub fn slope(&self, frame: &Frame, dose: f64, level: f64) -> Result<Predictions> {
        inside(self.range, dose)?;
        self.predicted(frame, level, |basis| match basis {
            None => vec![1.0],
            Some(basis) => basis.slope(dose).iter().skip(1).copied().collect(),
        })
    }

    fn predicted(
        &self,
        frame: &Frame,
        level: f64,
        functions: impl FnOnce(Option<&Basis>) -> Vec<f64>,
    ) -> Result<Predictions> {
        let mut frame = frame.clone();
        let basis = self.basis.as_ref();
        for (name, value) in names(&self.dose, basis).iter().zip(functions(basis)) {
            frame = frame
                .clone()
                .with_or_replace(name, vec![value; frame.rows()])?;
        }
        self.projection.predict_interval(&frame, level)
    }

    /// The regression of residuals on residuals.
    pub fn projection(&self) -> &OlsFit {
        &self.projection
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The coefficients γ as a table.
    pub fn table(&self) -> Table {
        let title = format!("Effect of {} on {}, by features", self.dose, self.outcome);
        let mut table = self.projection.table().with_title(title);
        if let Some(basis) = &self.basis {
            table = table.note(format!(
                "Natural cubic spline of {}, {} knots.",
                self.dose,
                Cell::count(basis.len())
            ));
        }
        table.warned(&self.warnings)
    }
}

impl Inference for DoseEffectsFit {
    crate::inference::fields::inference_of_fit!(projection);
}

shown!(DoseEffectsFit);

impl fmt::Debug for DoseEffectsFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoseEffectsFit")
            .field("outcome", &self.outcome)
            .field("dose", &self.dose)
            .field("terms", &self.names())
            .finish_non_exhaustive()
    }
}
