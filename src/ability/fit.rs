//! The fitted item response model.

use super::grid::Grid;
use super::item::Item;
use super::person_scores::PersonScores;
use super::population::AbilityDistribution;
use super::responses::Responses;
use super::structure::Structure;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::covariance::{Counts, Covariance};
use crate::inference::fitted::{Fitted, SecondPass};
use crate::inference::{Distribution, Inference, Summarized, TestResult, coefficient_table};
use crate::numeric::optimize::Convergence;
use crate::regression::LikelihoodStatistics;
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Digits of log-likelihoods in tables.
const SHOWN_DIGITS: usize = 6;

/// What a second look at the answers needs.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) responses: Responses,
    pub(super) frame: Frame,
    pub(super) structure: Structure,
    /// The free parameters at the maximum.
    pub(super) theta: Vec<f64>,
    /// The observed information about them.
    pub(super) information: DMatrix<f64>,
    pub(super) grid: Grid,
}

/// A fitted [`super::ItemResponse`]. It answers the verbs of [`Inference`] with the normal distribution; parameters are called
/// `discrimination[item]`, `difficulty[item]`, `guessing[item]`, `threshold1[item]` and so on (graded), `step1[item]` and so on (partial
/// credit), `discrimination` where items share one, `ability_mean[group]`, `ability_variance[group]`, `ability.x` for a regressor of
/// ability and `difficulty.w` for a regressor of difficulty.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ItemResponseFit {
    pub(super) title: String,
    pub(super) items: Vec<Item>,
    pub(super) population: AbilityDistribution,
    pub(super) nodes: Vec<f64>,
    pub(super) fitted: Fitted,
    pub(super) statistics: LikelihoodStatistics,
    pub(super) convergence: Convergence,
    pub(super) history: Vec<f64>,
    pub(super) warnings: Vec<Warning>,
    #[serde(skip)]
    pub(super) parts: Option<Arc<Parts>>,
}

impl ItemResponseFit {
    /// The items with their estimated parameters, in the order in which they were named.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The distribution of ability: by group, with its regression.
    pub fn population(&self) -> &AbilityDistribution {
        &self.population
    }

    /// The answers that were fitted.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean` or for a fit read from a file.
    pub fn responses(&self) -> Result<&Responses> {
        Ok(&self.parts("the answers")?.responses)
    }

    /// The frame that was fitted.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean` or for a fit read from a file.
    pub fn frame(&self) -> Result<&Frame> {
        Ok(&self.parts("the frame")?.frame)
    }

    /// The equally spaced abilities at which integrals over ability are taken; they cover the population.
    pub fn nodes(&self) -> &[f64] {
        &self.nodes
    }

    /// The prior weights of a pattern at the nodes, `h φ((a_q − m)/σ)/σ` with the spacing `h`: their sum is one to nine digits.
    ///
    /// # Errors
    /// [`Error::DataNotKept`].
    pub fn prior_weights(&self, pattern: usize) -> Result<Vec<f64>> {
        let mean = self.ability_mean(pattern)?;
        let sd = self.ability_variance(pattern)?.sqrt();
        let step = self.nodes[1] - self.nodes[0];
        let scale = step / sd / (2.0 * std::f64::consts::PI).sqrt();
        let z = |a: f64| (a - mean) / sd;
        Ok(self
            .nodes
            .iter()
            .map(|a| scale * (-0.5 * z(*a) * z(*a)).exp())
            .collect())
    }

    /// The posterior weights of a pattern at the nodes, which sum to one: prior times likelihood of its answers.
    ///
    /// # Errors
    /// [`Error::DataNotKept`].
    pub fn posterior_weights(&self, pattern: usize) -> Result<Vec<f64>> {
        let responses = self.responses()?;
        let mut ln: Vec<f64> = self
            .prior_weights(pattern)?
            .iter()
            .map(|w| w.ln())
            .collect();
        for (item, category) in responses.answers(pattern) {
            for (ln, a) in ln.iter_mut().zip(&self.nodes) {
                *ln += self.items[item].ln_probability(category, *a)[0];
            }
        }
        let largest = ln.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut p: Vec<f64> = ln.iter().map(|v| (v - largest).exp()).collect();
        let total: f64 = p.iter().sum();
        for p in &mut p {
            *p /= total;
        }
        Ok(p)
    }

    /// The mean of ability of a pattern before its answers: that of its group and regressors.
    ///
    /// # Errors
    /// [`Error::DataNotKept`].
    pub fn ability_mean(&self, pattern: usize) -> Result<f64> {
        let r = self.responses()?;
        Ok(self
            .population
            .mean(r.group(pattern), r.covariates(pattern)))
    }

    /// The variance of ability of a pattern before its answers.
    ///
    /// # Errors
    /// [`Error::DataNotKept`].
    pub fn ability_variance(&self, pattern: usize) -> Result<f64> {
        Ok(self.population.variance(self.responses()?.group(pattern)))
    }

    /// Size and fit.
    pub fn statistics(&self) -> &LikelihoodStatistics {
        &self.statistics
    }

    /// The marginal log-likelihood at the estimates.
    pub fn log_likelihood(&self) -> f64 {
        self.statistics.log_likelihood
    }

    /// How the search ended.
    pub fn convergence(&self) -> &Convergence {
        &self.convergence
    }

    /// The log-likelihood after each iteration.
    pub fn history(&self) -> &[f64] {
        &self.history
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> Vec<Warning> {
        self.warnings
            .iter()
            .chain(&self.fitted.warnings)
            .cloned()
            .collect()
    }

    /// The same fit with another covariance, without refitting. Robust ones are sandwiches with the inverse of the observed information
    /// as bread; a person is a row, so that clusters may hold several.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean` or for a fit read from a file; [`Error::InvalidOption`] for HC2, HC3, CR2 and CR3, which need
    /// leverages; [`Error::Unidentified`] when the information is singular; the errors of the covariance.
    pub fn with_covariance(&self, covariance: Covariance) -> Result<Self> {
        let parts = self.parts("another covariance")?;
        let leverage = matches!(
            covariance,
            Covariance::Hc2 | Covariance::Hc3 | Covariance::Cr2 { .. } | Covariance::Cr3 { .. }
        );
        if leverage {
            return Err(Error::invalid_option(
                "covariance",
                covariance,
                "HC0, HC1, clusters or a kernel: persons have no leverages in an item response model",
            ));
        }
        let source = PersonScores::new(parts, covariance != Covariance::Classical)?;
        let (_, map) = parts.structure.report(&parts.theta);
        let pass = SecondPass {
            source: &source,
            frame: &parts.frame,
            rows: parts.responses.rows(),
            counts: Counts {
                observations: self.statistics.observations,
                effects: &[],
                absorbed: &[],
            },
            map: &map,
            asymptotic: true,
        };
        Ok(Self {
            fitted: self.fitted.with_covariance(covariance, &pass)?,
            ..self.clone()
        })
    }

    /// The covariance estimator in use.
    pub fn covariance_kind(&self) -> &Covariance {
        &self.fitted.kind
    }

    /// The likelihood-ratio test of a restricted model of the same answers, χ² with the difference in parameters as degrees of freedom. It
    /// wants weights that are frequencies.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when the other model does not have fewer parameters or was fitted to other persons.
    pub fn likelihood_ratio_test(&self, restricted: &Self) -> Result<TestResult> {
        let (large, small) = (&self.statistics, &restricted.statistics);
        let same = (large.observations - small.observations).abs() < 0.5;
        if small.parameters >= large.parameters || !same {
            return Err(Error::invalid_option(
                "restricted",
                format!(
                    "a model of {} parameters and {} persons",
                    small.parameters, small.observations
                ),
                format!(
                    "a special case of this one, with fewer than {} parameters and the same {} persons",
                    large.parameters, large.observations
                ),
            ));
        }
        Ok(TestResult::new(
            format!("likelihood-ratio test of the {}", restricted.title),
            (2.0 * (large.log_likelihood - small.log_likelihood)).max(0.0),
            Distribution::ChiSquared {
                df: (large.parameters - small.parameters) as f64,
            },
        ))
    }

    /// Drops the handle on the data, so that the fit is small; scores and other covariances can then no longer be had.
    pub fn lean(&self) -> Self {
        Self {
            parts: None,
            ..self.clone()
        }
    }

    /// The fit as an HTML table.
    pub fn to_html(&self) -> String {
        self.full_table().to_html()
    }

    fn full_table(&self) -> Table {
        let s = &self.statistics;
        let size = [
            format!("persons = {}", Cell::count(s.observations as usize)),
            format!("items = {}", Cell::count(self.items.len())),
            format!(
                "log-likelihood = {}",
                Cell::significant(s.log_likelihood, SHOWN_DIGITS)
            ),
            format!("AIC = {}", Cell::significant(s.aic, SHOWN_DIGITS)),
            format!("BIC = {}", Cell::significant(s.bic, SHOWN_DIGITS)),
        ];
        let mut table = coefficient_table(self)
            .with_title(&self.title)
            .note(self.fitted.covariance_note())
            .note(size.join(", "));
        for warning in self.warnings() {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    pub(super) fn parts(&self, what: &str) -> Result<&Parts> {
        self.parts.as_deref().ok_or_else(|| Error::DataNotKept {
            what: what.to_owned(),
            remedy: "ask before `.lean()`, or fit again from the data".to_owned(),
        })
    }
}

impl Inference for ItemResponseFit {
    crate::inference::fields::inference_of_fields!(fitted);

    fn degrees_of_freedom(&self, contrast: &DVector<f64>) -> f64 {
        self.fitted.degrees_of_freedom(contrast)
    }

    fn wald_matrix(
        &self,
        name: &str,
        r: &DMatrix<f64>,
        value: &DVector<f64>,
    ) -> Result<TestResult> {
        self.fitted.wald(name, r, value)
    }

    fn table(&self) -> Table {
        self.full_table()
    }
}

impl Summarized for ItemResponseFit {
    fn footer(&self) -> Vec<(String, Cell)> {
        vec![
            (
                "Persons".to_owned(),
                Cell::count(self.statistics.observations as usize),
            ),
            (
                "Log-likelihood".to_owned(),
                Cell::significant(self.statistics.log_likelihood, SHOWN_DIGITS),
            ),
        ]
    }

    fn covariance_label(&self) -> String {
        self.fitted.label()
    }
}

impl fmt::Display for ItemResponseFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.full_table().fmt(f)
    }
}

crate::report::notebook!(ItemResponseFit);
