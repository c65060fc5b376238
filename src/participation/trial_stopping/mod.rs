//! Customers who try before they buy: optimal stopping, estimated by nested fixed point from counts of trials and purchases.

mod fit;
mod rows;

pub use fit::TrialStoppingFit;

use crate::data::{DesignColumn, Formula, Frame};
use crate::decision::check_discount;
use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::participation::optima::{Start, highest};
use crate::regression::binary::check_binary;
use crate::regression::likelihood::{Estimation, Index, Likelihood, Options, options_builder};
use rows::{Layout, StoppingRows};
use serde::Serialize;
use std::sync::Arc;

/// Customers who may try up to N times before they buy or leave, one row a customer with the number of trials and whether it ended with a
/// purchase. What they do at each stage is that of [`crate::decision::Trials`]: with z_n = the value of buying over leaving after n trials,
/// in units of the taste shock, `P(buy) = e^z/(1 + e^z + e^t)`, `P(try) = e^t/(1 + e^z + e^t)`, t the value of one more trial by backward induction. z_0 is the formula's
/// index `x'β` (price, and whatever else is known before the first trial); it moves by
/// `s √(ρ_n − ρ_{n+1}) ε` at a trial, `ρ_n = 1/(1 + nκ)`. What the trials showed is not seen by the researcher and integrated out.
///
/// | coefficient | meaning |
/// |---|---|
/// | those of the formula | z_0 = x'β: value of buying before any trial, over leaving, the premium of ambiguity included |
/// | `trial_cost` | c |
/// | `ln_spread` | ln s, s = θ√v_0: how uncertain the value is, in utility; without `elicited` |
/// | `ln_ratio` | ln κ, κ = v_0/σ_s²: what a trial tells |
/// | `taste` | θ, utility a unit of ability; with `elicited` |
/// | `ambiguity` | α over the belief, in units of the shock; with `ambiguity` |
///
/// # Identification
/// Counts of trials identify v_0/σ_s² (κ) and θ²v_0, and **one** combination of θm_0 and αθ²v_0, the constant: a customer's drift from
/// belief to ability has the same form as the premium's fall. So α is not estimated from counts alone: [`TrialStopping::ambiguity`] without
/// [`TrialStopping::elicited`], beliefs m_0 elicited in units of ability and σ_s² known in its square, returns [`Error::Unidentified`]. With them θ is the slope of m_0, v_0 = κσ_s²,
/// s = θ√v_0, and the drift of z identifies α, for customers whose beliefs are calibrated (a ~ N(m_0, v_0)), which is assumed throughout. Without, α = 0.
/// The discount factor is given. From counts alone κ and s are told apart only by how trials bring less from one to the next: expect wide intervals below tens of
/// thousands of customers. Two trials or more must be possible, or κ and s are one number.
///
/// # In samples
/// With α estimated from 2 000 customers (450 simulated samples, Monte Carlo error .05) estimates lie within a tenth of their standard errors of the truth but for two: α is
/// on average .16 of its standard error too large, a skew (ln α by .02, the median of α by .05), and the constant .19 too low. Both are of finite samples: with 20 000 customers (60 samples)
/// the constant is off by −.001 (Monte Carlo error .006), where it was by −.03, and intervals cover 92 to 98 % in either.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `horizon` | required | the most trials N | ≥ 2 |
/// | `discount` | required | δ from trial to trial | [0, 1) |
/// | `elicited` | none | column of m_0, and σ_s² | σ_s² > 0 |
/// | `ambiguity` | off | α is estimated | wants `elicited` |
/// | `covariance`, `weights`, `frequency_weights` | HC1, none | as for [`crate::regression::Logit`] | |
///
/// # Errors
/// [`Error::InvalidOption`] for a discount factor outside [0, 1) or a horizon below 2; [`Error::OutOfRange`] for counts that are not whole numbers from 0 to N;
/// [`Error::Unidentified`] for α from counts alone, when nobody tries, all do as often as they may, nobody or everybody buys, or a parameter runs to a
/// bound; [`Error::NotConverged`]; those of [`crate::regression::Logit`].
///
/// # References
/// Rust, J. (1987). *Econometrica* 55(5), 999–1033. doi:10.2307/1911259. Erdem, T. & Keane, M. P. (1996). Decision-making under uncertainty. *Marketing
/// Science* 15(1), 1–20. doi:10.1287/mksc.15.1.1
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let tried = TrialPanel::new().customers(500).seed(3).simulate()?.data;
/// let model = TrialStopping::new("bought ~ price", "trials", 5, 0.95);
/// let fit = model.clone().elicited("prior_mean", 1.0).fit(&tried)?;
/// let taste = fit.coefficient("taste")?;
/// assert!((taste.estimate - 3.0).abs() < 3.0 * taste.std_error);
/// // Ambiguity aversion is not in the counts.
/// let blind = model.ambiguity().fit(&tried);
/// assert!(matches!(blind, Err(Error::Unidentified { .. })));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrialStopping {
    options: Options,
    trials: String,
    horizon: usize,
    discount: f64,
    elicited: Option<(String, f64)>,
    ambiguity: bool,
}

impl TrialStopping {
    /// The model of a formula (the purchase, and what the value of buying depends on before any trial), the column of trials, the most
    /// trials, and the discount factor.
    pub fn new(
        formula: impl Into<Formula>,
        trials: impl Into<String>,
        horizon: usize,
        discount: f64,
    ) -> Self {
        Self {
            options: Options::new(formula.into()),
            trials: trials.into(),
            horizon,
            discount,
            elicited: None,
            ambiguity: false,
        }
    }

    /// The column of elicited prior means m_0 in units of ability, and the known variance σ_s² of what a trial shows.
    pub fn elicited(mut self, prior_mean: impl Into<String>, signal_variance: f64) -> Self {
        self.elicited = Some((prior_mean.into(), signal_variance));
        self
    }

    /// Estimates the coefficient of ambiguity aversion.
    pub fn ambiguity(mut self) -> Self {
        self.ambiguity = true;
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`TrialStopping`].
    pub fn fit(&self, frame: &Frame) -> Result<TrialStoppingFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`TrialStopping`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<TrialStoppingFit> {
        self.check()?;
        let elicited = self.elicited.as_ref().map(|(name, _)| name.as_str());
        let also: Vec<&str> = [self.trials.as_str()].into_iter().chain(elicited).collect();
        let mut sample =
            self.options
                .sample_with(frame, &also, "without fixed effects for trials")?;
        let rows = sample.design.rows.clone();
        check_binary(&sample.design.outcome, &rows)?;
        let column = |name: &str| -> Result<DesignColumn> {
            Ok(DesignColumn::new(
                name,
                Arc::clone(frame.numeric(name)?.values()),
            ))
        };
        let trials = column(&self.trials)?;
        let counts = trials.values(&rows);
        self.check_counts(&counts, |i| rows.index(i))?;
        self.check_variation(&counts)?;
        let mut outcomes = vec![sample.design.outcome.clone(), trials];
        if let Some(name) = elicited {
            let means = column(name)?;
            if let Some(i) = means.values(&rows).iter().position(|m| m.is_infinite()) {
                return Err(Error::Infinite {
                    column: name.to_owned(),
                    row: rows.index(i) + 1,
                });
            }
            outcomes.push(means);
        }
        let mut indices = vec![self.options.index(frame, &mut sample)?];
        let layout = self.layout();
        indices.extend(layout.names().iter().map(|name| Index::parameter(name)));
        let likelihood = Likelihood {
            model: Arc::new(StoppingRows::new(self.horizon, self.discount, layout)),
            indices,
            outcomes,
            rows,
            weights: sample.weights.clone().map(Arc::new),
            frequency: sample.frequency,
        };
        let parameters = likelihood.parameters();
        if likelihood.observations() <= parameters as f64 {
            return Err(Error::TooFewRows {
                rows: likelihood.observations() as usize,
                parameters,
            });
        }
        let regressors = likelihood.indices[0].parameters();
        let starts = layout.starts().into_iter().map(|(name, tail)| Start {
            name,
            point: vec![0.0; regressors].into_iter().chain(tail).collect(),
        });
        let refuse = |point: &[f64]| layout.refuse(&point[regressors..]);
        let (found, optima) = highest(
            &likelihood,
            starts.collect(),
            "the likelihood of trials",
            refuse,
            &mut sample.warnings,
            progress,
        )?;
        let estimation = Estimation {
            title: "Trials before purchase (optimal stopping)",
            formulas: vec![self.options.formula.clone()],
            formula: format!(
                "{}; {} of at most {}",
                sample.parsed, self.trials, self.horizon
            ),
            likelihood,
            start: found.point.clone(),
            warnings: sample.warnings,
            covariance: &self.options.covariance,
            frame,
        };
        let fit = estimation.finish(found, None)?;
        Ok(TrialStoppingFit::new(
            fit,
            optima,
            layout,
            self.horizon,
            self.discount,
        ))
    }

    fn check(&self) -> Result<()> {
        check_discount(self.discount)?;
        if self.horizon < 2 {
            return Err(Error::invalid_option(
                "horizon",
                self.horizon,
                "two trials or more: with one, what a trial tells (κ) and the spread of the belief (s) are one number",
            ));
        }
        match &self.elicited {
            Some((_, variance)) if !(*variance > 0.0 && variance.is_finite()) => Err(Error::invalid_option(
                "signal variance",
                variance,
                "a positive finite number, in squared units of ability",
            )),
            None if self.ambiguity => Err(Error::Unidentified {
                what: "ambiguity aversion from counts of trials alone: they give one combination of the prior mean and the premium of ambiguity, and it".to_owned(),
                needs: "prior means elicited in units of ability and the known variance of a trial's signal (TrialStopping::elicited)".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn layout(&self) -> Layout {
        match (&self.elicited, self.ambiguity) {
            (None, _) => Layout::Counts,
            (Some((_, variance)), false) => Layout::Elicited {
                variance: *variance,
            },
            (Some((_, variance)), true) => Layout::Ambiguity {
                variance: *variance,
            },
        }
    }

    fn check_counts(&self, counts: &[f64], row: impl Fn(usize) -> usize) -> Result<()> {
        let proper = |n: f64| n >= 0.0 && n <= self.horizon as f64 && n.fract().abs() <= 0.0;
        match counts.iter().position(|n| !proper(*n)) {
            Some(i) => Err(Error::OutOfRange {
                column: self.trials.clone(),
                row: row(i) + 1,
                value: counts[i],
                expected: format!("a whole number from 0 to {} (the horizon)", self.horizon),
            }),
            None => Ok(()),
        }
    }

    /// Some try twice, and some do not try as often as they may.
    fn check_variation(&self, counts: &[f64]) -> Result<()> {
        let end = self.horizon as f64 - 0.5;
        let what = if counts.iter().all(|n| *n < 1.5) {
            "what a trial tells, where nobody tries twice,"
        } else if counts.iter().all(|n| *n > end) {
            "the cost of a trial, where all try as often as they may,"
        } else {
            return Ok(());
        };
        Err(Error::Unidentified {
            what: what.to_owned(),
            needs: "customers who differ in how often they try".to_owned(),
        })
    }
}

options_builder!(TrialStopping);
