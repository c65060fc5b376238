//! Choices among offers for data: what compensation a share of data, or control over it, asks for.

use crate::data::{Formula, Frame};
use crate::error::{Error, Result};
use crate::inference::{Covariance, Estimate, Inference, RatioIntervals};
use crate::numeric::{Progress, Seed};
use crate::regression::delegate::delegate_to_likelihood;
use crate::regression::{ConditionalLogit, LikelihoodFit, Logit};
use crate::report::{Cell, Table};
use nalgebra::DVector;
use serde::{Deserialize, Serialize};

/// Choices among offers that differ in what they ask (how much data, how much control) and what they give (a benefit, a payment):
/// `P(j) = exp(x_j'β)/Σ_k exp(x_k'β)` within a choice set ([`OfferChoice::choice_set`]), or `P(accept) = Λ(α + x'β)` of a single offer without one. With
/// β_t the coefficient of the payment, a change Δ of the attributes asks for the compensation
///
/// `WTA = −Σ_k β_k Δ_k / β_t`,
///
/// the payment that leaves the customer as well off. A negative one is what the customer would give.
///
/// # Identification
/// Attributes and payments are varied by design, payments independently of what is asked for. Coefficients are in units of the error,
/// which differs between people and studies; their ratios are not. In a conditional logit only what differs between the offers of a set
/// has a coefficient. People must believe the offers.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `choice_set` | none | column of choice sets: exactly one row of each is chosen | |
/// | `covariance` | clusters of the choice set; `Hc1` without one | sampling variance | cluster by the person who answers several sets |
///
/// # Errors
/// [`Error::OutOfRange`] with the row when a choice set has no chosen offer or several; [`Error::UnknownCoefficient`] when the payment has no coefficient;
/// [`Error::Unidentified`] for a compensation when payments do not make offers more attractive; those of [`ConditionalLogit`] and [`Logit`].
///
/// # References
/// McFadden, D. (1974). Conditional logit analysis of qualitative choice behavior. In *Frontiers in Econometrics*, 105–142.
///
/// Fieller, E. C. (1954). Some problems in interval estimation. *JRSS B* 16(2), 175–185.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let made = DataOffers::new().seed(7).simulate()?;
/// let fit = OfferChoice::new("chosen ~ share + control + benefit + payment", "payment")
///     .choice_set("set")
///     .covariance(Covariance::cluster("person"))
///     .fit(&made.data)?;
/// let share = fit.intervals(&[("share", 1.0)], 0.95, 7)?;
/// assert!(share.fieller.contains(made.oracle.effect("wta_share")?));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfferChoice {
    formula: Formula,
    payment: String,
    choice_set: Option<String>,
    covariance: Option<Covariance>,
}

impl OfferChoice {
    /// The model of a formula, whose outcome says which offers are taken, and the regressor that is the payment to the customer.
    pub fn new(formula: impl Into<Formula>, payment: impl Into<String>) -> Self {
        Self {
            formula: formula.into(),
            payment: payment.into(),
            choice_set: None,
            covariance: None,
        }
    }

    /// The column of choice sets.
    pub fn choice_set(mut self, column: impl Into<String>) -> Self {
        self.choice_set = Some(column.into());
        self
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = Some(covariance);
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`OfferChoice`].
    pub fn fit(&self, frame: &Frame) -> Result<OfferChoiceFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`OfferChoice`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<OfferChoiceFit> {
        let fit = if let Some(set) = &self.choice_set {
            let formula: Formula = format!("{} | `{set}`", self.formula).into();
            check_one_chosen(set, &formula, frame)?;
            let mut model = ConditionalLogit::new(formula);
            if let Some(covariance) = &self.covariance {
                model = model.covariance(covariance.clone());
            }
            model.fit_with(frame, progress)?
        } else {
            let covariance = self.covariance.clone().unwrap_or_default();
            Logit::new(self.formula.clone())
                .covariance(covariance)
                .fit_with(frame, progress)?
        };
        fit.position(&self.payment)?;
        Ok(OfferChoiceFit {
            fit,
            payment: self.payment.clone(),
        })
    }
}

/// One chosen offer a choice set, on the rows that are complete.
fn check_one_chosen(set: &str, formula: &Formula, frame: &Frame) -> Result<()> {
    let design = crate::data::Design::build(&formula.parse()?, frame, &[])?;
    let chosen = design.outcome.values(&design.rows);
    let sets = frame.groups(set)?;
    let code = |i: usize| sets.codes[design.rows.index(i)] as usize;
    let mut taken = vec![0.0; sets.count()];
    let mut first = vec![None; sets.count()];
    for (i, y) in chosen.iter().enumerate() {
        taken[code(i)] += y;
        first[code(i)].get_or_insert(i);
    }
    for (taken, first) in taken.iter().zip(first) {
        if let Some(i) = first
            && (taken - 1.0).abs() > 0.0
        {
            return Err(Error::OutOfRange {
                column: design.outcome.name.clone(),
                row: design.rows.index(i) + 1,
                value: *taken,
                expected: format!(
                    "one chosen offer in each `{set}`; this is the sum over the one that begins in this row (an offer to take nothing is an offer too)"
                ),
            });
        }
    }
    Ok(())
}

/// A fitted [`OfferChoice`]. It answers the verbs of [`Inference`] and prints as a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OfferChoiceFit {
    fit: LikelihoodFit,
    payment: String,
}

impl OfferChoiceFit {
    /// The compensation that a change of attributes asks for, by the delta method: `&[("share", 1.0)]` for all data,
    /// `&[("share", 1.0), ("share:control", 0.5)]` where control interacts.
    ///
    /// # Errors
    /// [`Error::Unidentified`] when the coefficient of the payment is not positive; [`Error::UnknownCoefficient`]; [`Error::InvalidOption`] without a change.
    pub fn wta(&self, changes: &[(&str, f64)]) -> Result<Estimate> {
        self.check(changes)?;
        let mut names: Vec<&str> = changes.iter().map(|(name, _)| *name).collect();
        names.push(&self.payment);
        self.fit.nonlinear(&label(changes), &names, |b| {
            let worth: f64 = changes.iter().zip(b).map(|((_, by), b)| by * b).sum();
            -worth / b[changes.len()]
        })
    }

    /// The compensation with intervals by the delta method, Krinsky and Robb's draws (10 000), and Fieller's theorem.
    ///
    /// # Errors
    /// Those of [`OfferChoiceFit::wta`]; [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn intervals(
        &self,
        changes: &[(&str, f64)],
        level: f64,
        seed: impl Into<Seed>,
    ) -> Result<RatioIntervals> {
        self.check(changes)?;
        let size = self.fit.names().len();
        let (mut top, mut bottom) = (DVector::zeros(size), DVector::zeros(size));
        for (name, by) in changes {
            top[self.fit.position(name)?] += by;
        }
        bottom[self.fit.position(&self.payment)?] = 1.0;
        RatioIntervals::new(
            &self.fit,
            &label(changes),
            -1.0,
            [&top, &bottom],
            level,
            seed,
        )
    }

    fn check(&self, changes: &[(&str, f64)]) -> Result<()> {
        if changes.is_empty() || changes.iter().any(|(_, by)| !by.is_finite()) {
            return Err(Error::invalid_option(
                "changes",
                format!("{changes:?}"),
                "at least one attribute with a finite change",
            ));
        }
        if self.fit.coefficient(&self.payment)?.estimate <= 0.0 {
            return Err(Error::Unidentified {
                what: "a compensation in money".to_owned(),
                needs: format!(
                    "a positive coefficient of `{}`: offers that pay more must be taken more often",
                    self.payment
                ),
            });
        }
        Ok(())
    }

    fn dress(&self, mut table: Table) -> Table {
        let others = self.fit.names().iter();
        for name in others.filter(|n| **n != self.payment && *n != "(Intercept)") {
            if let Ok(wta) = self.wta(&[(name.as_str(), 1.0)]) {
                table = table.note(wta.to_string());
            }
        }
        table
    }

    fn more_footer(&self) -> Vec<(String, Cell)> {
        vec![("Payment".to_owned(), Cell::from(self.payment.as_str()))]
    }
}

fn label(changes: &[(&str, f64)]) -> String {
    match changes {
        [(name, by)] if (by - 1.0).abs() <= 0.0 => format!("compensation for {name}"),
        _ => {
            let parts: Vec<String> = changes.iter().map(|(n, by)| format!("{by} {n}")).collect();
            format!("compensation for {}", parts.join(" + "))
        }
    }
}

delegate_to_likelihood!(OfferChoiceFit);
