//! The funnel start → finish → buy: effects of arms stage by stage, and sequential hazards with a shared frailty.

mod fit;
mod frailty;
mod identify;
mod predict;
mod prepare;

pub use crate::experiment::funnel::{
    ConditionalRate, EffectBounds, FunnelEffects, FunnelEffectsFit, StageEffect,
};
pub use fit::FunnelFit;
pub use predict::FunnelPrediction;

use super::interval::LatentError;
use crate::data::{Formula, Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::inference::Covariance;
use crate::numeric::Progress;
use crate::numeric::linalg::Cholesky;
use crate::numeric::optimize::{Convergence, Minimum, Newton, Stopping};
use crate::regression::likelihood::{Finished, Index, LikelihoodFit, Parts, StoredRows};
use crate::regression::linear::Weights;
use frailty::Funnels;
use nalgebra::{DMatrix, DVector};
use serde::Serialize;
use std::sync::Arc;

/// A frailty with a standard deviation below this is none.
const NO_FRAILTY: f64 = 1e-2;

/// A search that ends beyond this standard deviation without having converged follows a likelihood that rises as the frailty grows.
const RUNS_AWAY: f64 = 5.0;

/// Logarithms of the frailty's standard deviation where searches begin.
const STARTS: [f64; 3] = [-0.5, 0.4, -2.0];

/// A funnel of stages that are passed one after the other: `P(pass stage k | stage k reached, u) = F(x_k'β_k + w'γ + σu)` with a standard normal u
/// that a customer keeps through all stages, by maximum likelihood over u, which is integrated out to 1e-12 by the trapezoidal rule over the peak of each
/// customer's integrand. Without frailty, the effects at later stages are biased where it exists: those who got there against the odds have a
/// high u.
///
/// Each stage has a formula, whose outcome is its column of 0 and 1 (0 or missing where it was not reached). Names of its
/// coefficients have the stage as prefix. Regressors of [`Funnel::common`] have one slope in all stages. The last parameter is
/// `ln_sigma`. With [`Funnel::arm`] the report leads with the intention-to-treat effects of [`FunnelEffects`].
///
/// # Identification
/// σ is not identified by arms × stages with effects of their own at each stage: any pattern of conditional rates fits without frailty.
/// It needs a cross-stage restriction (slopes in common, or a regressor that moves one stage and not a later one), or repeated
/// funnels of the same customers ([`Funnel::subject`]); otherwise [`Error::Unidentified`] is returned, or, where regressors are
/// continuous and only the shape of F speaks, a warning. In small samples the likelihood may rise with σ without end, which is
/// [`Error::Unidentified`] too. When the likelihood is highest at σ = 0, the model without frailty is
/// reported with a warning.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `common` | none | regressors with one slope in all stages | |
/// | `subject` | a customer a row | column that names the customer of repeated funnels | |
/// | `error` | [`LatentError::Normal`] | F | |
/// | `frailty` | on | | |
/// | `arm` | none | column of randomised arms, and the control | |
/// | `covariance` | `Covariance::Hc1` | sampling variance, summed by customer | all but HC2, HC3, CR2 |
/// | `weights` | none | weights in the log-likelihood, equal within a customer | ≥ 0 |
/// | `frequency_weights` | none | each customer stands for that many equal ones | whole numbers, equal within a customer |
///
/// Effects of arms count rows: with weights, [`Funnel::arm`] is refused.
///
/// # Errors
/// [`Error::OutOfRange`] with the row for a stage recorded for somebody who did not pass the one before; [`Error::Unidentified`] as above;
/// those of the formulas and the covariance; [`Error::NotConverged`], [`Error::Cancelled`].
///
/// # References
/// Mare, R. D. (1980). Social background and school continuation decisions. *JASA* 75(370), 295–305. doi:10.1080/01621459.1980.10477466
///
/// Cameron, S. V. & Heckman, J. J. (1998). Life cycle schooling and dynamic selection bias. *JPE* 106(2), 262–333. doi:10.1086/250010
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 600;
/// let arm: Vec<f64> = (0..n).map(|i| (i % 2) as f64).collect();
/// let start: Vec<f64> = (0..n).map(|i| f64::from(u8::from((i / 2) % 10 < 5 + 2 * (i % 2)))).collect();
/// let buy: Vec<f64> = (0..n).map(|i| if start[i] > 0.5 { f64::from(u8::from((i * 3) % 11 < 5)) } else { f64::NAN }).collect();
/// let frame = Frame::new().with("arm", arm)?.with("start", start)?.with("buy", buy)?;
/// let fit = Funnel::new(["start ~ arm", "buy ~ arm"]).frailty(false).arm("arm", "0").fit(&frame)?;
/// assert!(fit.coefficient("start.arm")?.estimate > 0.0);
/// assert!(fit.effects().is_some_and(|e| e.intention_to_treat.len() == 2));
/// let bought = fit.predict(&frame, FunnelPrediction::Passed, "buy")?; // start and then buy
/// assert!(bought.iter().all(|p| *p > 0.0 && *p < 1.0));
/// let unidentified = Funnel::new(["start ~ arm", "buy ~ arm"]).fit(&frame);
/// assert!(matches!(unidentified, Err(Error::Unidentified { .. })));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Funnel {
    stages: Vec<Formula>,
    common: Option<String>,
    subject: Option<String>,
    error: LatentError,
    frailty: bool,
    arm: Option<(String, String)>,
    covariance: Covariance,
    weights: Option<Weights>,
}

impl Funnel {
    /// The funnel of these stages, in order, with shared frailty and robust errors.
    pub fn new<F: Into<Formula>>(stages: impl IntoIterator<Item = F>) -> Self {
        Self {
            stages: stages.into_iter().map(Into::into).collect(),
            common: None,
            subject: None,
            error: LatentError::Normal,
            frailty: true,
            arm: None,
            covariance: Covariance::default(),
            weights: None,
        }
    }

    /// Regressors with one slope in all stages: the right-hand side of a formula.
    pub fn common(mut self, regressors: impl Into<String>) -> Self {
        self.common = Some(regressors.into());
        self
    }

    /// The column that names the customer, for repeated funnels.
    pub fn subject(mut self, column: impl Into<String>) -> Self {
        self.subject = Some(column.into());
        self
    }

    /// Sets the distribution.
    pub fn error(mut self, error: LatentError) -> Self {
        self.error = error;
        self
    }

    /// Whether customers differ in what regressors do not show.
    pub fn frailty(mut self, frailty: bool) -> Self {
        self.frailty = frailty;
        self
    }

    /// The column of randomised arms and the control among them, for the effects that lead the report.
    pub fn arm(mut self, column: impl Into<String>, control: impl Into<String>) -> Self {
        self.arm = Some((column.into(), control.into()));
        self
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Weights of the rows in the log-likelihood (sampling or precision weights).
    pub fn weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(Weights::Analytic(column.into()));
        self
    }

    /// Frequency weights: each customer stands for that many equal ones.
    pub fn frequency_weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(Weights::Frequency(column.into()));
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`Funnel`].
    pub fn fit(&self, frame: &Frame) -> Result<FunnelFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`Funnel`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<FunnelFit> {
        let mut prepared = self.prepare(frame)?;
        let effects = self.arm_effects(&prepared, frame)?;
        let repeated = prepared.funnels.customers.iter().any(|c| c.len() > 1);
        if self.frailty {
            let warning = identify::check(&prepared.funnels, &prepared.indices, repeated)?;
            prepared.warnings.extend(warning);
        }
        let (plain, without_frailty) =
            prepared.maximum(&vec![0.0; prepared.funnels.parameters], progress)?;
        let without = prepared.funnels.pass_at(&plain).value;
        let (mut point, mut convergence) = (plain, without_frailty);
        let mut frailty = false;
        if self.frailty {
            match prepared.with_frailty(&point, without, progress)? {
                Some(start) => {
                    prepared.funnels.set_frailty(true);
                    (point, convergence) = start;
                    frailty = true;
                }
                None => prepared.warnings.push(Warning::Note {
                    message: "the likelihood is highest without frailty (its standard deviation is estimated at zero): the model without it is reported".to_owned(),
                }),
            }
        }
        let stages = predict::Stages::new(&prepared, self.error);
        let fit = prepared.finish(&point, convergence, &self.covariance, frame)?;
        Ok(FunnelFit::new(fit, effects, frailty, without, stages))
    }

    /// The effects of arms that lead the report.
    fn arm_effects(&self, prepared: &Prepared, frame: &Frame) -> Result<Option<FunnelEffectsFit>> {
        let Some((arm, control)) = &self.arm else {
            return Ok(None);
        };
        if let Some(weights) = &self.weights {
            return Err(Error::invalid_option(
                "arm",
                arm,
                format!(
                    "left out of a funnel with the weights `{}`: effects of arms count rows (write equal customers out as rows, and use FunnelEffects)",
                    weights.column()
                ),
            ));
        }
        let effects = FunnelEffects::new(arm.as_str(), prepared.names.clone())
            .control(control.as_str())
            .covariance(self.covariance.clone())
            .fit(frame)?;
        Ok(Some(effects))
    }
}

impl Funnels {
    /// Switches frailty on or off, with its parameter.
    fn set_frailty(&mut self, frailty: bool) {
        if frailty != self.frailty {
            self.frailty = frailty;
            self.parameters = if frailty {
                self.parameters + 1
            } else {
                self.parameters - 1
            };
        }
        *self.last.borrow_mut() = None;
    }

    /// Customers, or the sum of their frequencies.
    fn observations(&self) -> f64 {
        if self.frequency {
            self.weights.iter().sum()
        } else {
            self.customers.len() as f64
        }
    }

    /// The frequency of each row: that of its customer.
    fn frequencies(&self, rows: usize) -> Option<Vec<f64>> {
        self.frequency.then(|| {
            let mut all = vec![1.0; rows];
            for (members, weight) in self.customers.iter().zip(&self.weights) {
                for row in members {
                    all[*row] = *weight;
                }
            }
            all
        })
    }
}

/// A funnel ready for estimation.
struct Prepared {
    names: Vec<String>,
    indices: Vec<Index>,
    rows: Rows,
    warnings: Vec<Warning>,
    formula: String,
    /// Those of the stages, and that of the slopes in common.
    formulas: Vec<Formula>,
    funnels: Funnels,
}

impl Prepared {
    fn search(&self, start: &[f64], progress: &Progress) -> Result<Minimum> {
        const MOST_ITERATIONS: usize = 60;
        Newton::new()
            .stopping(Stopping::new().max_iterations(MOST_ITERATIONS))
            .minimize_with(&self.funnels, start, progress)
    }

    fn maximum(&self, start: &[f64], progress: &Progress) -> Result<(Vec<f64>, Convergence)> {
        let found = self
            .search(start, progress)?
            .or_error("the likelihood of the funnel")?;
        Ok((found.point, found.convergence))
    }

    /// The best maximum with frailty over the starts; none when it is no better than none.
    fn with_frailty(
        &mut self,
        plain: &[f64],
        without: f64,
        progress: &Progress,
    ) -> Result<Option<(Vec<f64>, Convergence)>> {
        self.funnels.set_frailty(true);
        let mut best: Option<(f64, Vec<f64>, Convergence)> = None;
        let mut rising = f64::NEG_INFINITY;
        for ln_sigma in STARTS {
            let start: Vec<f64> = plain.iter().copied().chain([ln_sigma]).collect();
            let found = match self.search(&start, progress) {
                Ok(found) => found,
                Err(Error::Cancelled { what }) => return Err(Error::Cancelled { what }),
                Err(_) => continue,
            };
            let sigma = found.point.last().map_or(0.0, |ln| ln.exp());
            let value = -found.value;
            let Ok(found) = found.or_error("the likelihood of the funnel") else {
                if sigma > RUNS_AWAY {
                    rising = rising.max(value);
                }
                continue;
            };
            let (point, convergence) = (found.point, found.convergence);
            if best.as_ref().is_none_or(|(b, ..)| value > *b) {
                best = Some((value, point, convergence));
            }
        }
        if rising > best.as_ref().map_or(without, |b| b.0.max(without)) {
            return Err(Error::Unidentified {
                what: "a finite standard deviation of the frailty: the likelihood keeps rising as it grows, as if the same customers passed every stage whatever the regressors are".to_owned(),
                needs: "more customers, repeated funnels of the same ones (Funnel::subject), or the model without frailty (Funnel::frailty)".to_owned(),
            });
        }
        let good = best.filter(|(value, point, _)| {
            let sigma = point.last().copied().unwrap_or(f64::NEG_INFINITY).exp();
            *value > without && sigma > NO_FRAILTY
        });
        self.funnels.set_frailty(false);
        Ok(good.map(|(_, point, convergence)| (point, convergence)))
    }

    fn finish(
        self,
        point: &[f64],
        convergence: Convergence,
        covariance: &Covariance,
        frame: &Frame,
    ) -> Result<LikelihoodFit> {
        let k = self.funnels.parameters;
        let pass = self.funnels.pass_at(point);
        let information = crate::summary::gram::unpack(&pass.information, k);
        let factor = Cholesky::with_tolerance(&information, f64::EPSILON);
        if factor.rank() < k {
            return Err(Error::Unidentified {
                what: "a parameter of the funnel".to_owned(),
                needs: "data in which the information matrix is not singular: fewer regressors, or no frailty".to_owned(),
            });
        }
        let mut map = DMatrix::zeros(k, k);
        let mut names = Vec::new();
        let mut at = 0;
        for index in &self.indices {
            index.fill_map(&mut map, at);
            names.extend(index.names());
            at += index.parameters();
        }
        if self.funnels.frailty {
            map[(at, at)] = 1.0;
            names.push("ln_sigma".to_owned());
        }
        // The score of a customer stands on the customer's first row; the other rows add nothing.
        let mut columns = vec![vec![0.0; self.rows.len()]; k];
        for (members, score) in self
            .funnels
            .customers
            .iter()
            .zip(self.funnels.scores(point))
        {
            for (column, s) in columns.iter_mut().zip(score) {
                column[members[0]] = s;
            }
        }
        let frequencies = self.funnels.frequencies(self.rows.len());
        Finished {
            title: "Funnel",
            formula: self.formula,
            estimates: &map * DVector::from_column_slice(point),
            names,
            log_likelihood: pass.value,
            null_log_likelihood: None,
            observations: self.funnels.observations(),
            convergence,
            warnings: self.warnings,
            parts: Parts {
                source: Arc::new(StoredRows {
                    columns,
                    residual: vec![1.0; self.rows.len()],
                    bread: factor.inverse(),
                    frequencies,
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
        .fit(covariance)
    }
}
