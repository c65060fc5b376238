//! Natural direct and indirect effects.

use super::effects::{Coefficients, Index, Models};
use super::rho::MediationSensitivity;
use crate::data::{Design, Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::{Bootstrap, BootstrapFit, Covariance, Inference, coefficient_table};
use crate::numeric::special::normal;
use crate::regression::binary::logistic;
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// How the mean of mediator or outcome depends on its index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediationModel {
    /// Linear; a linear mediator is normal around its mean.
    #[default]
    Linear,
    /// Probit of an outcome or mediator of 0 and 1.
    Probit,
    /// Logit of an outcome or mediator of 0 and 1.
    Logit,
}

impl MediationModel {
    pub(super) fn mean(self, index: f64) -> f64 {
        match self {
            Self::Linear => index,
            Self::Probit => normal::cdf(index),
            Self::Logit => logistic(index),
        }
    }

    /// The derivative of the mean.
    pub(super) fn slope(self, index: f64) -> f64 {
        match self {
            Self::Linear => 1.0,
            Self::Probit => normal::pdf(index),
            Self::Logit => logistic(index) * (1.0 - logistic(index)),
        }
    }
}

/// Mediation: how much of the effect of a treatment goes through a mediator M. With `Y(t, m)` the outcome under treatment t and mediator m,
///
/// - natural indirect effects `δ(t) = E[Y(t, M(1)) − Y(t, M(0))]`, the average causal mediation effect (ACME),
/// - natural direct effects `ζ(t) = E[Y(1, M(t)) − Y(0, M(t))]`,
/// - the total effect `τ = δ(1) + ζ(0) = δ(0) + ζ(1)`, and the proportion mediated `(δ(0) + δ(1))/(2τ)`.
///
/// A model of the mediator on treatment and covariates and one of the outcome on treatment, mediator, their product if asked and covariates give
/// `E[Y(t, M(t'))] = E ∫ E[Y | t, m, X] dF(m | t', X)`: in closed form for linear and probit outcomes and for mediators of 0 and 1, by Gauss–Hermite quadrature for a logit after a normal mediator, without simulation.
/// Effects are averages over the rows; their errors are by the delta method over both models (the error variance of a linear mediator included) and over the rows. [`Mediation::bootstrap`] resamples instead, whole clusters if there are any.
///
/// It must hold that the treatment is as good as random given the covariates, and the mediator as good as random given treatment and covariates (sequential ignorability). The second cannot be arranged by randomising the treatment:
/// [`MediationFit::sensitivity`] says how far it may fail.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `covariates` | none | right-hand side of a formula | |
/// | `interaction` | off | the effect of the mediator may differ by treatment | |
/// | `mediator_model`, `outcome_model` | [`MediationModel::Linear`] | | |
/// | `contrast` | 0, 1 | treatment values compared | finite, different |
/// | `covariance` | [`Covariance::Hc1`] | of both models | |
/// | `clusters` | none | column of clusters: errors of both models, and draws of the bootstrap | |
///
/// With clusters the rows over which effects are averaged count by cluster too; the delta method takes both models' errors as uncorrelated across models, which they are only within independent rows: prefer the bootstrap.
///
/// # Errors
/// [`Error::Unidentified`] for a mediator or a treatment that does not vary, or a mediator that treatment and covariates determine; [`Error::InvalidOption`] for covariates with treatment or mediator among them, with effects or instruments, or a contrast of one value; those of
/// [`Ols`](crate::regression::Ols), [`Probit`](crate::regression::Probit) and [`Logit`](crate::regression::Logit).
///
/// # References
/// - Imai, K., Keele, L. & Tingley, D. (2010). A general approach to causal mediation analysis. *Psychological Methods* 15(4), 309–334. doi:10.1037/a0020761
/// - Imai, K., Keele, L. & Yamamoto, T. (2010). Identification, inference and sensitivity analysis for causal mediation effects. *Statistical Science* 25(1), 51–71. doi:10.1214/10-STS321
/// - Pearl, J. (2001). Direct and indirect effects. *Proceedings of the 17th Conference on Uncertainty in Artificial Intelligence*, 411–420.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let card = datasets::load("card")?; // schooling, experience, wages
/// let fit = Mediation::new("lwage", "smsa66", "educ").covariates("black + south").fit(&card)?;
/// let (indirect, total) = (fit.coefficient("indirect")?, fit.coefficient("total")?);
/// assert!(indirect.estimate > 0.01 && indirect.estimate < total.estimate);
/// println!("{fit}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mediation {
    outcome: String,
    treatment: String,
    mediator: String,
    covariates: String,
    interaction: bool,
    mediator_model: MediationModel,
    outcome_model: MediationModel,
    contrast: [f64; 2],
    covariance: Covariance,
    clusters: Option<String>,
}

/// What [`Mediation`] found: `indirect_control`, `indirect_treated`, `direct_control`, `direct_treated`, `total`, `indirect`, `direct` (averages over both treatments) and `proportion_mediated`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MediationFit {
    title: String,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    rows: usize,
    note: String,
    sensitivity: Option<MediationSensitivity>,
    warnings: Vec<Warning>,
}

pub(super) const NAMES: [&str; 8] = [
    "indirect_control",
    "indirect_treated",
    "direct_control",
    "direct_treated",
    "total",
    "indirect",
    "direct",
    "proportion_mediated",
];

impl Mediation {
    /// How much of the effect of a treatment on an outcome goes through a mediator.
    pub fn new(
        outcome: impl Into<String>,
        treatment: impl Into<String>,
        mediator: impl Into<String>,
    ) -> Self {
        Self {
            outcome: outcome.into(),
            treatment: treatment.into(),
            mediator: mediator.into(),
            covariates: String::new(),
            interaction: false,
            mediator_model: MediationModel::Linear,
            outcome_model: MediationModel::Linear,
            contrast: [0.0, 1.0],
            covariance: Covariance::default(),
            clusters: None,
        }
    }

    /// Covariates of both models, the right-hand side of a formula.
    pub fn covariates(mut self, terms: impl Into<String>) -> Self {
        self.covariates = terms.into();
        self
    }

    /// Lets the effect of the mediator differ by treatment.
    pub fn interaction(mut self) -> Self {
        self.interaction = true;
        self
    }

    /// The model of the mediator.
    pub fn mediator_model(mut self, model: MediationModel) -> Self {
        self.mediator_model = model;
        self
    }

    /// The model of the outcome.
    pub fn outcome_model(mut self, model: MediationModel) -> Self {
        self.outcome_model = model;
        self
    }

    /// The values of the treatment that are compared.
    pub fn contrast(mut self, control: f64, treated: f64) -> Self {
        self.contrast = [control, treated];
        self
    }

    /// The covariance of both models.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// A column of clusters.
    pub fn clusters(mut self, column: impl Into<String>) -> Self {
        self.clusters = Some(column.into());
        self
    }

    /// Direct and indirect effects with errors by the delta method.
    ///
    /// # Errors
    /// See [`Mediation`].
    pub fn fit(&self, frame: &Frame) -> Result<MediationFit> {
        let (models, mut warnings) = self.models(frame)?;
        let (at, spread) = models.parameters();
        let means = models.means(&at, Some(&spread), 0.0, <[f64]>::to_vec)?;
        let (estimates, slopes) = effects(&means.estimates);
        let total = estimates[4].abs();
        let covariance = &slopes * &means.covariance * slopes.transpose();
        if total < 2.0 * covariance[(4, 4)].max(0.0).sqrt() {
            warnings.push(Warning::Note {
                message: "the total effect is less than two standard errors from zero: the proportion mediated is a ratio to almost nothing; report the effects".to_owned(),
            });
        }
        let rows = models.rows;
        Ok(MediationFit {
            title: format!(
                "Mediation: {} on {} through {}",
                self.treatment, self.outcome, self.mediator
            ),
            names: NAMES.map(str::to_owned).to_vec(),
            estimates,
            covariance,
            rows,
            note: format!(
                "Mediator {:?}, outcome {:?}{}; {} against {}.",
                self.mediator_model,
                self.outcome_model,
                if self.interaction {
                    " with interaction"
                } else {
                    ""
                },
                self.contrast[1],
                self.contrast[0]
            )
            .to_lowercase(),
            sensitivity: MediationSensitivity::new(models),
            warnings,
        })
    }

    /// The bootstrap distribution of all effects, by rows or, with clusters, by whole clusters. Intervals by percentiles are those of Imai, Keele and Tingley's second algorithm.
    ///
    /// # Errors
    /// See [`Mediation`]; those of [`Bootstrap`].
    pub fn bootstrap(
        &self,
        frame: &Frame,
        draws: usize,
        seed: impl Into<crate::numeric::Seed>,
    ) -> Result<BootstrapFit> {
        let scheme = match &self.clusters {
            Some(column) => Bootstrap::cluster(column),
            None => Bootstrap::pairs(),
        };
        let plain = Self {
            covariance: Covariance::Classical,
            clusters: None,
            ..self.clone()
        };
        scheme
            .draws(draws)
            .seed(seed)
            .names(NAMES)
            .run(frame, |resample| {
                let (models, _) = plain.models(resample.frame()?)?;
                let means = models.means(&models.parameters().0, None, 0.0, <[f64]>::to_vec)?;
                Ok(effects(&means.estimates).0.as_slice().to_vec())
            })
    }

    fn formula(&self, outcome: &str, first: &str) -> String {
        let terms = self.covariates.trim();
        let join = if terms.is_empty() { "" } else { " + " };
        format!("`{outcome}` ~ {first}{join}{terms}")
    }

    /// Both models, fitted.
    fn models(&self, frame: &Frame) -> Result<(Models, Vec<Warning>)> {
        let [control, treated] = self.contrast;
        if !(control.is_finite() && treated.is_finite() && (treated - control).abs() > 0.0) {
            return Err(Error::invalid_option(
                "contrast",
                format!("{control}, {treated}"),
                "two different finite values of the treatment",
            ));
        }
        let (d, m) = (
            format!("`{}`", self.treatment),
            format!("`{}`", self.mediator),
        );
        let product = if self.interaction {
            format!(" + {d}:{m}")
        } else {
            String::new()
        };
        let long = self.formula(&self.outcome, &format!("{d} + {m}{product}"));
        let parsed = Formula::from(long.as_str()).parse()?;
        if !(parsed.effects().is_empty() && parsed.endogenous().is_empty()) {
            return Err(Error::invalid_option(
                "covariates",
                format!("`{}`", self.covariates),
                "terms without `|`; write groups as `C(column)`",
            ));
        }
        let also: Vec<&str> = self.clusters.iter().map(String::as_str).collect();
        let design = Design::build(&parsed, frame, &also)?;
        let used = frame.filter(&design.rows.mask())?;
        let mut warnings = Vec::new();
        let dropped = design.rows.total() - design.rows.len();
        if dropped > 0 {
            warnings.push(Warning::RowsDropped {
                dropped,
                missing: design.missing.clone(),
            });
        }
        let column = |name: &str| -> Result<Vec<f64>> { Ok(used.numeric(name)?.values().to_vec()) };
        let (treatment, mediator) = (column(&self.treatment)?, column(&self.mediator)?);
        for (name, values) in [(&self.treatment, &treatment), (&self.mediator, &mediator)] {
            if values.iter().all(|v| (v - values[0]).abs() <= 0.0) {
                return Err(Error::Unidentified {
                    what: format!("what goes through `{}`: `{name}` is {} on every row", self.mediator, values[0]),
                    needs: "a treatment and a mediator that vary; see whether rows were lost to missing values".to_owned(),
                });
            }
        }
        let same = |a: &[f64], b: &dyn Fn(usize) -> f64| {
            a.iter().enumerate().all(|(i, a)| (a - b(i)).abs() <= 0.0)
        };
        let (mut names, mut covariates, mut product) = (Vec::new(), Vec::new(), None);
        for column in &design.exogenous {
            let values = column.values(&design.rows);
            if column.name == self.treatment || column.name == self.mediator {
                continue;
            }
            if self.interaction
                && product.is_none()
                && same(&values, &|i| treatment[i] * mediator[i])
            {
                product = Some(column.name.clone());
                continue;
            }
            names.push(column.name.clone());
            covariates.push(values);
        }
        let kind = match &self.clusters {
            Some(column) => Covariance::cluster(column),
            None => self.covariance.clone(),
        };
        let first = self.formula(&self.mediator, &d);
        let mediator = Coefficients::fit(self.mediator_model, &first, &kind, &used)?;
        let outcome = Coefficients::fit(self.outcome_model, &long, &kind, &used)?;
        let place = |fit: &Coefficients, name: &str| fit.names.iter().position(|n| n == name);
        let open = "a treatment that the covariates leave open and a mediator that treatment and covariates leave open; leave out what decides them";
        for (fit, name) in [
            (&outcome, &self.mediator),
            (&outcome, &self.treatment),
            (&mediator, &self.treatment),
        ] {
            if place(fit, name).is_none() {
                return Err(Error::Unidentified {
                    what: format!("the effect of `{name}` beside the other regressors"),
                    needs: open.to_owned(),
                });
            }
        }
        let product = product.and_then(|name| place(&outcome, &name));
        if self.interaction && product.is_none() {
            return Err(Error::Unidentified {
                what: format!(
                    "how the effect of `{}` differs by `{}`",
                    self.mediator, self.treatment
                ),
                needs: "a mediator that varies under every treatment; leave out the interaction"
                    .to_owned(),
            });
        }
        let index = |fit: &Coefficients, product: Option<usize>| Index {
            constant: place(fit, "(Intercept)"),
            treatment: place(fit, &self.treatment),
            mediator: place(fit, &self.mediator),
            product,
            covariates: (names.iter().enumerate())
                .filter_map(|(column, name)| Some((place(fit, name)?, column)))
                .collect(),
        };
        let indices = (index(&mediator, None), index(&outcome, product));
        let models = Models {
            mediator: (self.mediator_model, mediator, indices.0),
            outcome: (self.outcome_model, outcome, indices.1),
            contrast: self.contrast,
            rows: design.rows.len(),
            columns: Arc::new(covariates),
            clusters: (self.clusters.as_ref())
                .map(|column| Ok::<_, Error>(used.groups(column)?.codes))
                .transpose()?,
        };
        Ok((models, warnings))
    }
}

/// The effects from the means 00, 01, 10, 11 of (t, t'), and their slopes.
pub(super) fn effects(means: &DVector<f64>) -> (DVector<f64>, DMatrix<f64>) {
    // Rows: δ(0), δ(1), ζ(0), ζ(1), τ and the averages.
    let linear = DMatrix::from_row_slice(
        7,
        4,
        &[
            -1.0, 1.0, 0.0, 0.0, //
            0.0, 0.0, -1.0, 1.0, //
            -1.0, 0.0, 1.0, 0.0, //
            0.0, -1.0, 0.0, 1.0, //
            -1.0, 0.0, 0.0, 1.0, //
            -0.5, 0.5, -0.5, 0.5, //
            -0.5, -0.5, 0.5, 0.5,
        ],
    );
    let mut estimates = &linear * means;
    let (indirect, total) = (estimates[5], estimates[4]);
    let share = if total.abs() > 0.0 {
        indirect / total
    } else {
        0.0
    };
    let mut slopes = linear.clone().insert_row(7, 0.0);
    if total.abs() > 0.0 {
        let row = (linear.row(5) - linear.row(4) * share) / total;
        slopes.row_mut(7).copy_from(&row);
    }
    estimates = estimates.insert_row(7, share);
    (estimates, slopes)
}

impl MediationFit {
    /// What the effects would be if the errors of both models were correlated; for a linear mediator and a linear or probit outcome, with or without interaction.
    ///
    /// # Errors
    /// [`Error::Unidentified`] for other models, whose errors are not jointly normal or, for a mediator of 0 and 1, are not seen.
    pub fn sensitivity(&self) -> Result<&MediationSensitivity> {
        self.sensitivity
            .as_ref()
            .ok_or_else(|| Error::Unidentified {
                what: "the effects under correlated errors".to_owned(),
                needs: "errors that are jointly normal and a mediator whose error is seen: a linear model of the mediator and a linear or probit one of the outcome".to_owned(),
            })
    }

    /// Rows used.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The effects as a table.
    pub fn table(&self) -> Table {
        let mut table = coefficient_table(self)
            .with_title(&self.title)
            .note(format!("{} rows; {}", Cell::count(self.rows), self.note))
            .note("Standard errors by the delta method.");
        if let Some(s) = &self.sensitivity {
            table = table.note(format!(
                "The indirect effect is zero when the errors of both models correlate by {}.",
                s.zeros()
            ));
        }
        table.warned(&self.warnings)
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl Inference for MediationFit {
    crate::inference::fields::inference_of_fields!();

    fn table(&self) -> Table {
        Self::table(self)
    }
}

impl fmt::Display for MediationFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::table(self).fmt(f)
    }
}

crate::report::notebook!(MediationFit);
