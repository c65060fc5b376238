//! Customers who decide in every period whether to take part, and learn what they can do when they do.

mod fit;
mod layout;
mod likelihood;
mod paths;
mod prepare;
mod search;
mod simulation;
#[cfg(test)]
mod tests;

pub use fit::{LearningPanelFit, PanelPeriod};
pub use simulation::{SimulatedEstimate, SimulationError};

use crate::choice::{DiscountPoint, DiscountSensitivity};
use crate::data::{Formula, Frame};
use crate::decision::{check_discount, share};
use crate::error::{Error, Result};
use crate::inference::Inference;
use crate::numeric::{Progress, Seed};
use crate::regression::likelihood::{Finished, Options, Parts, StoredRows, options_builder};
use layout::{Contents, Layout, Prior};
use likelihood::Learning;
use nalgebra::{DMatrix, DVector};
use paths::Paths;
use prepare::Prepared;
use search::{FEW, Maximum};
use serde::Serialize;
use std::sync::Arc;

/// Customers who learn by taking part: one row a customer and period. A customer of ability a begins with the belief N(m_0, v_0); who takes part gets a signal
/// s ~ N(a, σ_s²) and updates by Bayes' rule. After n signals, in units of the taste shock ε ~ N(0, 1),
///
/// ```text
/// takes part ⇔ x'β + θ m_n − (α/2) θ² v_n + C + ε > 0,    v_n = v_0 ρ_n,   ρ_n = 1/(1 + nκ),   κ = v_0/σ_s²,
/// m_n = m_0 ρ_n + (1 − ρ_n) s̄_n,                          s̄_n the average of the signals so far,
/// ```
///
/// with x'β the index of the formula (price, and minus the cost), and C = 0 for customers who do not look ahead, or the value of information of
/// [`crate::decision::Participations`]. Abilities follow the objective law a ~ N(m_0 + b, v_0), not the customer's forecast; customers are *calibrated*, b = 0, unless [`LearningPanelModel::biased`].
///
/// Where **signals are seen** ([`LearningPanelModel::signals_seen`]) the belief is known given m_0 and κ: the likelihood is `∏_t Φ(±v_t)` times the normal density of
/// what signals say, exact. Where they are **not seen** it is `∏_t Φ(±v_t)` averaged over simulated paths of beliefs, `θ(m_n − m_0) = s w_n + θb(1 − ρ_n)`,
/// `w_n = (nκζ + √κ Σ_k η_k)/(1 + nκ)`, s = θ√v_0: quasi-random (scrambled Sobol'), the same in all steps of the search. What simulation errs is reported ([`LearningPanelFit::simulation_error`]).
///
/// | coefficient | meaning | in the model |
/// |---|---|---|
/// | those of the formula | x'β | always |
/// | `taste` | θ, utility a unit of ability | with `elicited` or `signals_seen` |
/// | `ln_spread` | ln s = ln θ√v_0 | unless `taste` and the variance of signals give it |
/// | `ln_ratio` | ln κ: what a signal tells | always |
/// | `ln_sd_signal` | ln σ_s | with `signals_seen` |
/// | `prior_mean` | m_0, the same for all | with `signals_seen`, without `elicited` |
/// | `bias` / `drift` | b, in units of ability / θb, in utility | `biased`, with / without `signals_seen` |
/// | `ambiguity` | α (r of value form 3) | `ambiguity` |
/// | `ln_sd_intercept` | ln of the deviation of a normal intercept among customers | `random_intercept` |
///
/// # Identification
/// What each option buys. *Nothing but participation*: κ and s = θ√v_0, that is v_0 in units of σ_s² and of utility, for calibrated customers with α = 0 and one m_0, which is in the constant
/// (let m_0 differ by `random_intercept`, or by regressors that do not change). From participation the fall of the premium, (α/2)s²(1 − ρ_n), and the drift of beliefs towards ability, θb(1 − ρ_n), have one form: with `biased` the
/// `drift` is their sum for customers who do not look ahead. *Prior means elicited*: θ, and with it v_0 = s²/θ², by calibration. *And the variance of signals known*, or *their contents seen*: α, for calibrated customers;
/// contents give σ_s, m_0 + b and v_0 directly, so that α and b are told apart. Without these [`LearningPanelModel::ambiguity`] is [`Error::Unidentified`]. The discount factor is given, not estimated
/// ([`LearningPanelModel::sensitivity`]); of the law of regressors that change over time customers know that of the sample, and of those that do not change that they stay.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `customer`, `period` | required | columns; periods are whole numbers without gaps, signals are counted from a customer's first | |
/// | `signals_seen` | none | column of contents, missing where the customer does not take part | |
/// | `elicited` | none | column of m_0 | |
/// | `signal_variance` | none | σ_s², with `elicited` | > 0 |
/// | `biased`, `ambiguity`, `random_intercept` | off | see the table above | |
/// | `forward_looking` | off | discount factor δ | [0, 1) |
/// | `horizon` | periods of the data | after which nobody takes part | ≥ periods |
/// | `paths` | 1 024 | simulated paths a customer, where signals are not seen | ≥ 2 |
/// | `seed` | required where signals are not seen | | |
/// | `covariance`, `weights`, `frequency_weights` | HC1, none | over customers; weights are those of the customer | |
///
/// # Errors
/// [`Error::Unidentified`] for α as above, one period, nobody seen after taking part twice, all or none taking part, prior means that do not differ, or a parameter that runs to a bound;
/// [`Error::OutOfRange`] with the row for periods that repeat, have gaps or are not whole, signals of those who do not take part, participants without a signal,
/// prior means or weights that change within a customer; [`Error::InvalidOption`] for a discount factor outside [0, 1), a horizon shorter than the data, options that contradict each other, or
/// more than 32 joint values of regressors that change when customers look ahead; [`Error::SeedRequired`]; [`Error::NotFinite`], [`Error::NotConverged`]; those of [`crate::regression::Probit`].
///
/// # References
/// Erdem, T. & Keane, M. P. (1996). Decision-making under uncertainty. *Marketing Science* 15(1), 1–20. doi:10.1287/mksc.15.1.1. Crawford, G. S. & Shum, M. (2005). Uncertainty and learning in
/// pharmaceutical demand. *Econometrica* 73(4), 1137–1173. doi:10.1111/j.1468-0262.2005.00612.x. Gouriéroux, C. & Monfort, A. (1996). *Simulation-Based Econometric Methods*. Oxford University Press.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let panel = LearningPanel { elicited: true, ..LearningPanel::new() }.customers(400).seed(3).simulate()?.data;
/// let model = LearningPanelModel::new("participates ~ price", "customer", "period").elicited("prior_mean");
/// // The contents of signals are seen: beliefs are known, and ambiguity aversion is identified.
/// let seen = model.clone().signals_seen("signal").ambiguity().fit(&panel)?;
/// let taste = seen.coefficient("taste")?;
/// assert!((taste.estimate - 1.0).abs() < 3.0 * taste.std_error);
/// // They are not: beliefs are simulated, and participation alone says nothing of ambiguity.
/// let blind = model.clone().paths(128).seed(1).fit(&panel)?;
/// assert!(blind.simulation_error().unwrap().largest_share() < 0.3);
/// assert!(matches!(model.ambiguity().seed(1).fit(&panel), Err(Error::Unidentified { .. })));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LearningPanelModel {
    options: Options,
    customer: String,
    period: String,
    signals: Option<String>,
    elicited: Option<String>,
    signal_variance: Option<f64>,
    biased: bool,
    ambiguity: bool,
    random_intercept: bool,
    discount: Option<f64>,
    horizon: Option<usize>,
    paths: usize,
    seed: Option<Seed>,
}

impl LearningPanelModel {
    /// The model of a formula (participation, and what it depends on beside beliefs) and the columns of customer and period.
    pub fn new(
        formula: impl Into<Formula>,
        customer: impl Into<String>,
        period: impl Into<String>,
    ) -> Self {
        Self {
            options: Options::new(formula.into()),
            customer: customer.into(),
            period: period.into(),
            signals: None,
            elicited: None,
            signal_variance: None,
            biased: false,
            ambiguity: false,
            random_intercept: false,
            discount: None,
            horizon: None,
            paths: 1024,
            seed: None,
        }
    }

    /// The column of what signals said, missing where the customer does not take part.
    pub fn signals_seen(mut self, column: impl Into<String>) -> Self {
        self.signals = Some(column.into());
        self
    }

    /// The column of prior means m_0, elicited in units of ability.
    pub fn elicited(mut self, column: impl Into<String>) -> Self {
        self.elicited = Some(column.into());
        self
    }

    /// The known variance σ_s² of a signal, in squared units of ability.
    pub fn signal_variance(mut self, variance: f64) -> Self {
        self.signal_variance = Some(variance);
        self
    }

    /// Lets abilities lie off beliefs on average: a ~ N(m_0 + b, v_0).
    pub fn biased(mut self) -> Self {
        self.biased = true;
        self
    }

    /// Estimates the coefficient of ambiguity aversion over the belief.
    pub fn ambiguity(mut self) -> Self {
        self.ambiguity = true;
        self
    }

    /// Lets the intercept differ among customers, normally.
    pub fn random_intercept(mut self) -> Self {
        self.random_intercept = true;
        self
    }

    /// Customers look ahead, with this discount factor a period.
    pub fn forward_looking(mut self, discount: f64) -> Self {
        self.discount = Some(discount);
        self
    }

    /// The periods that customers look ahead to, from the first of the data.
    pub fn horizon(mut self, periods: usize) -> Self {
        self.horizon = Some(periods);
        self
    }

    /// Simulated paths a customer; powers of two are best.
    pub fn paths(mut self, paths: usize) -> Self {
        self.paths = paths;
        self
    }

    /// The seed of the paths.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`LearningPanelModel`].
    pub fn fit(&self, frame: &Frame) -> Result<LearningPanelFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`LearningPanelModel`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<LearningPanelFit> {
        let layout = self.layout()?;
        let mut prepared = self.prepare(frame, layout)?;
        let learning = &prepared.learning;
        let observations = prepared.observations();
        if observations <= learning.parameters() as f64 {
            return Err(Error::TooFewRows {
                rows: observations as usize,
                parameters: learning.parameters(),
            });
        }
        let signals = learning.panel.most_signals();
        let make =
            |count: usize, seed: Seed| Paths::simulated(count, signals, layout.intercept, seed);
        let seed = self.paths_seed()?;
        let (few, all) = match seed {
            None => (Paths::seen(layout.intercept), Paths::seen(layout.intercept)),
            Some(seed) => (make(self.paths.min(FEW), seed)?, make(self.paths, seed)?),
        };
        let starts = layout.starts(learning.panel.about_signals());
        let found = learning.maximum(&few, &all, starts, &mut prepared.warnings, progress)?;
        let bread = found.bread()?;
        let (map, names) = prepared.map();
        let simulation = match seed {
            None => None,
            Some(seed) => {
                let other = seed.child("scrambles");
                let make = |seed| make(self.paths, seed);
                let learning = &prepared.learning;
                Some(learning.simulation_error(&found.point, &bread, &map, &names, other, make)?)
            }
        };
        (prepared.warnings).extend(simulation.as_ref().and_then(SimulationError::warning));
        let forecasts = prepared.learning.forecasts(&found.point, &all)?;
        let periods = prepared.periods(&forecasts, &found.point);
        let optima = found.optima.clone();
        Ok(LearningPanelFit {
            fit: prepared.finish(found, bread, map, names, self, frame)?,
            optima,
            layout,
            discount: self.discount,
            simulation,
            periods,
        })
    }

    /// The model fitted at each of these discount factors.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an empty list; those of [`LearningPanelModel::fit`].
    pub fn sensitivity(&self, frame: &Frame, discounts: &[f64]) -> Result<DiscountSensitivity> {
        if discounts.is_empty() {
            let expected = "a discount factor or more";
            return Err(Error::invalid_option("discounts", "empty", expected));
        }
        let point = |discount: &f64| {
            let fit = self.clone().forward_looking(*discount).fit(frame)?;
            Ok(DiscountPoint {
                discount: *discount,
                log_likelihood: fit.statistics().log_likelihood,
                estimates: fit.coefficients(),
            })
        };
        let points = discounts.iter().map(point).collect::<Result<_>>()?;
        Ok(DiscountSensitivity { points })
    }

    fn layout(&self) -> Result<Layout> {
        if let Some(discount) = self.discount {
            check_discount(discount)?;
        }
        if self.paths < 2 {
            return Err(Error::invalid_option(
                "paths",
                self.paths,
                "two paths or more",
            ));
        }
        let layout = Layout {
            contents: match &self.signals {
                Some(_) => Contents::Seen,
                None => Contents::Unseen,
            },
            prior: match &self.elicited {
                Some(_) => Prior::Elicited,
                None => Prior::Common,
            },
            variance: self.signal_variance,
            biased: self.biased,
            ambiguity: self.ambiguity,
            intercept: self.random_intercept,
        };
        layout.check()?;
        Ok(layout)
    }

    /// The seed where paths are simulated.
    fn paths_seed(&self) -> Result<Option<Seed>> {
        if self.signals.is_some() {
            return Ok(None);
        }
        let missing = || Error::SeedRequired {
            what: "the learning panel with signals that are not seen".to_owned(),
        };
        Ok(Some(
            self.seed.ok_or_else(missing)?.child("learning panel paths"),
        ))
    }
}

impl Prepared {
    /// Customers, or the sum of their frequencies.
    fn observations(&self) -> f64 {
        let panel = &self.learning.panel;
        if self.frequency {
            panel.weights.iter().sum()
        } else {
            panel.customers.len() as f64
        }
    }

    /// Coefficients = map · working parameters, and their names.
    fn map(&self) -> (DMatrix<f64>, Vec<String>) {
        let tail = self.learning.layout.names();
        let k = self.learning.parameters();
        let mut map = DMatrix::identity(k, k);
        self.index.fill_map(&mut map, 0);
        let names = self.index.names();
        let tail = tail.into_iter().map(str::to_owned);
        (map, names.into_iter().chain(tail).collect())
    }

    /// Observed and fitted participation of each period.
    fn periods(&self, forecasts: &[f64], point: &[f64]) -> Vec<PanelPeriod> {
        let Learning { panel, layout, .. } = &self.learning;
        let ratio = layout.quantities(&point[panel.width..])[layout::of::RATIO];
        let last = panel.periods.iter().max().map_or(0, |t| *t);
        let mut all: Vec<PanelPeriod> = (0..=last)
            .map(|t| PanelPeriod {
                period: self.first + t as f64,
                customers: 0.0,
                observed: 0.0,
                fitted: 0.0,
                uncertainty: 0.0,
            })
            .collect();
        for (customer, weight) in panel.customers.iter().zip(&panel.weights) {
            for row in customer.clone() {
                let period = &mut all[panel.periods[row]];
                period.customers += weight;
                period.observed += weight * f64::from(u8::from(panel.signs[row] > 0.0));
                period.fitted += weight * forecasts[row];
                period.uncertainty += weight * share(ratio, panel.signals[row])[0];
            }
        }
        all.retain(|p| p.customers > 0.0);
        for p in &mut all {
            for share in [&mut p.observed, &mut p.fitted, &mut p.uncertainty] {
                *share /= p.customers;
            }
        }
        all
    }

    fn finish(
        self,
        found: Maximum,
        bread: DMatrix<f64>,
        map: DMatrix<f64>,
        names: Vec<String>,
        model: &LearningPanelModel,
        frame: &Frame,
    ) -> Result<crate::regression::LikelihoodFit> {
        let (k, observations) = (names.len(), self.observations());
        let panel = &self.learning.panel;
        // The score of a customer stands on the customer's first row; the other rows add nothing.
        let mut columns = vec![vec![0.0; self.rows.len()]; k];
        let mut frequencies = vec![1.0; self.rows.len()];
        let scores = found.pass.customers.chunks(k + 1);
        for ((rows, score), weight) in panel.customers.iter().zip(scores).zip(&panel.weights) {
            let first = panel.places[rows.start];
            for (column, s) in columns.iter_mut().zip(&score[1..]) {
                column[first] = weight * s;
            }
            for row in rows.clone() {
                frequencies[panel.places[row]] = *weight;
            }
        }
        let signals = match &model.signals {
            Some(column) => format!("signals: {column}"),
            None => "signals not seen".to_owned(),
        };
        Finished {
            title: "Learning panel",
            formula: format!(
                "{}; {} by {}; {signals}",
                self.formula, model.customer, model.period
            ),
            estimates: &map * DVector::from_column_slice(&found.point),
            names,
            log_likelihood: found.pass.value,
            null_log_likelihood: None,
            observations,
            convergence: found.convergence,
            warnings: self.warnings,
            parts: Parts {
                source: Arc::new(StoredRows {
                    columns,
                    residual: vec![1.0; self.rows.len()],
                    bread,
                    frequencies: self.frequency.then_some(frequencies),
                }),
                leverages: false,
                likelihood: None,
                rows: self.rows,
                frame: frame.clone(),
                formulas: vec![],
                map,
                effects: vec![],
                absorbed: vec![],
            },
        }
        .fit(&model.options.covariance)
    }
}

options_builder!(LearningPanelModel);
