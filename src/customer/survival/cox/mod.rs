//! Cox's proportional hazards model.

mod concordance;
mod detail;
mod fit;
mod predict;
mod proportional;
mod rows;

pub use concordance::Concordance;
pub use fit::{CoxFit, SchoenfeldResidual};
pub use predict::{PredictedPoint, PredictedSurvival};
pub use proportional::{ProportionalHazardsTest, TimeTransform};

use super::likelihood::{Core, Scores, Solution, SurvivalStatistics};
use super::newton::maximise;
use super::outcome::{CaseWeights, Survival, weighted};
use super::regressors::Regressors;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::Covariance;
use crate::numeric::Progress;
use crate::numeric::linalg::{Cholesky, sandwich};
use fit::Fitted;
use nalgebra::{DMatrix, DVector};
use rows::CoxRows;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How events at one time are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ties {
    /// Efron's approximation (1977): close to the exact likelihood unless ties are heavy (the default).
    #[default]
    Efron,
    /// Breslow's (1974): cheaper to write down, biased towards zero with many ties.
    Breslow,
}

impl std::fmt::Display for Ties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Efron => "Efron",
            Self::Breslow => "Breslow",
        })
    }
}

/// Cox's proportional hazards model: the hazard of a customer with regressors x at time t is `λ(t | x) = λ₀(t) exp(x'β)`, with `λ₀` left
/// free. `exp(β_j)` is the hazard ratio of customers one unit apart. β̂ maximises the partial likelihood
/// `Π_k exp(x_k'β) / Σ_{i at risk at t_k} exp(x_i'β)`.
///
/// It means that when the ratio of hazards does not change over time (see [`CoxFit::proportional_hazards`]) and censoring tells nothing about the
/// event given x. Strata, written behind a bar (`"fin + age | shop"`), have baselines of their own. Regressors that
/// change go with [`Survival::counting`], one row a stretch of time.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `ties` | [`Ties::Efron`] | treatment of events at one time | |
/// | `covariance` | [`Covariance::Hc0`] | Lin & Wei's robust sandwich; summed by [`Survival::subject`] when given | `Classical`, `Hc0`, `Hc1`, clusters |
/// | `weights` | none | sampling weights | ≥ 0 |
/// | `frequency_weights` | none | each row stands for w equal customers, their events tied | whole numbers |
///
/// The clustered covariance has the small-sample factors of [`crate::inference::SmallSample`]; R's `coxph` has none. Rows are sorted once; each
/// Newton step is one walk over them.
///
/// # Errors
/// Those of [`KaplanMeier`](super::KaplanMeier) and [`Error::Formula`]; [`Error::Unidentified`] without events, or when the likelihood rises forever in some
/// coefficients, which are named; [`Error::InvalidOption`] without a regressor that varies among customers at risk together;
/// [`Error::MissingClusters`], [`Error::TooFewClusters`]; [`Error::NotConverged`], [`Error::Cancelled`].
///
/// # References
/// Cox (1972), doi:10.1111/j.2517-6161.1972.tb00899.x. Efron (1977), doi:10.1080/01621459.1977.10480613. Lin & Wei (1989),
/// doi:10.1080/01621459.1989.10478874. Therneau & Grambsch (2000), *Modeling Survival Data*, Springer.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let released = datasets::load("rossi")?;
/// let fit = Cox::new(Survival::right("week", "arrest"), "fin + age + race + wexp + mar + paro + prio")
///     .covariance(Covariance::Classical)
///     .fit(&released)?;
/// assert!((fit.coefficient("fin")?.estimate + 0.37942).abs() < 1e-5);
/// assert!((fit.coefficient("fin")?.std_error - 0.19138).abs() < 1e-5);
/// assert!(fit.proportional_hazards(TimeTransform::KaplanMeier)?.joint.p_value > 0.01);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cox {
    outcome: Survival,
    regressors: String,
    ties: Ties,
    covariance: Covariance,
    weights: Option<CaseWeights>,
}

weighted!(Cox);

impl Cox {
    /// The model with these regressors, the right-hand side of a formula.
    pub fn new(outcome: Survival, regressors: impl Into<String>) -> Self {
        Self {
            outcome,
            regressors: regressors.into(),
            ties: Ties::Efron,
            covariance: Covariance::Hc0,
            weights: None,
        }
    }

    /// Sets how ties are treated.
    pub fn ties(mut self, ties: Ties) -> Self {
        self.ties = ties;
        self
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`Cox`].
    pub fn fit(&self, frame: &Frame) -> Result<CoxFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`Cox`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<CoxFit> {
        let sample = self
            .outcome
            .read(&self.regressors, self.weights.as_ref(), &[], frame)?;
        if sample.spells.events() == 0 {
            return Err(self.outcome.no_events());
        }
        let mut warnings = sample.warnings.clone();
        let mut regressors = Regressors::read(&sample, &mut warnings);
        let mut rows = CoxRows::new(&sample, &regressors, self.ties);
        let mut zero = rows.pass(&vec![0.0; regressors.count()]);
        if Cholesky::new(&zero.information).rank() < regressors.count() {
            regressors.drop_collinear(&zero.information, &mut warnings);
            rows.set_columns(&regressors);
            zero = rows.pass(&vec![0.0; regressors.count()]);
        }
        if regressors.count() == 0 {
            return Err(Error::invalid_option(
                "regressors",
                &self.regressors,
                "with a regressor that varies among customers at risk together; without any, see KaplanMeier",
            ));
        }
        warn(&rows, &mut warnings);
        let found = maximise(
            "the Cox model",
            &regressors.names,
            &vec![0.0; regressors.count()],
            &zero,
            &|b| rows.pass(b),
            progress,
        )?;
        let score = DVector::from_column_slice(&zero.gradient);
        let score_statistic = score.dot(&Cholesky::new(&zero.information).solve_vector(&score));
        let inverse =
            Cholesky::full_rank(&found.pass.information, "the information of the Cox model")?
                .inverse();
        let own_units = DMatrix::from_diagonal(&DVector::from_iterator(
            regressors.count(),
            regressors.spreads.iter().map(|s| 1.0 / s),
        ));
        let detail = rows.detail(&found.point, false);
        let (_, scores) = rows.residuals(&detail);
        let columns = scores
            .into_iter()
            .zip(&regressors.spreads)
            .map(|(column, spread)| {
                let mut out = vec![0.0; rows.len()];
                for (i, value) in column.into_iter().enumerate() {
                    out[rows.order[i]] = value * rows.weight(i) * spread;
                }
                out
            })
            .collect();
        let total = |of: &dyn Fn(usize) -> f64| (0..rows.len()).map(of).sum::<f64>();
        let observations = if sample.frequency {
            total(&|i| rows.weight(i))
        } else {
            rows.len() as f64
        };
        let events = total(&|i| if rows.event[i] { rows.weight(i) } else { 0.0 });
        let statistics = SurvivalStatistics::new(
            observations,
            events,
            regressors.count(),
            found.pass.log_likelihood,
        )
        .against(zero.log_likelihood, 0)
        .after(found.iterations);
        let estimates = DVector::from_iterator(
            regressors.count(),
            found
                .point
                .iter()
                .zip(&regressors.spreads)
                .map(|(b, s)| b / s),
        );
        let frequencies = sample.weights.clone().filter(|_| sample.frequency);
        let strata = sample.strata();
        let core = Core::assemble(
            Solution {
                title: "Cox".to_owned(),
                formula: sample.formula,
                names: regressors.names.clone(),
                estimates,
                inverse_information: sandwich(&inverse, &own_units),
                statistics,
                warnings,
                split_rows: self.outcome.is_counting(),
                scores: Scores {
                    columns,
                    frequencies,
                    subjects: sample.subjects,
                    frame: frame.clone(),
                    rows: sample.design.rows.clone(),
                },
            },
            &self.covariance,
        )?;
        Ok(CoxFit {
            core,
            ties: self.ties,
            score_statistic,
            strata: strata
                .as_ref()
                .map_or_else(|| vec![String::new()], |s| s.levels.to_vec()),
            means: regressors.means.clone(),
            fitted: Some(Arc::new(Fitted {
                rows,
                slopes: found.point,
                spreads: regressors.spreads,
                total_rows: sample.design.rows,
            })),
        })
    }
}

/// Notes strata that say nothing, and events that all come at once.
fn warn(rows: &CoxRows, warnings: &mut Vec<Warning>) {
    let empty = rows
        .strata
        .iter()
        .filter(|s| rows.instants[(*s).clone()].iter().all(|i| i.events == 0))
        .count();
    if empty > 0 {
        warnings.push(Warning::Note {
            message: format!(
                "{empty} of {} strata have no event and say nothing about the coefficients",
                rows.strata.len()
            ),
        });
    }
    let mut times: Vec<f64> = rows
        .instants
        .iter()
        .filter(|i| i.events > 0)
        .map(|i| i.time)
        .collect();
    times.dedup_by(|a, b| (*a - *b).abs() <= 0.0);
    if let [time] = times.as_slice()
        && rows.event.iter().filter(|e| **e).count() > 1
    {
        warnings.push(Warning::Note {
            message: format!("all events come at one time ({time}): their order is unknown, and the partial likelihood rests on it; see DiscreteHazard"),
        });
    }
}
