//! Probabilities of stages for any rows, averaged over the frailty.

use super::{FunnelFit, Prepared};
use crate::data::{Formula, Frame};
use crate::error::{Error, Result};
use crate::participation::interval::LatentError;
use crate::regression::Predictions;
use crate::regression::likelihood::{Index, Only, Quantity};
use serde::{Deserialize, Serialize};

/// The integral over a standard normal frailty by sums over equal steps, whose error falls as exp(−2π²/(h²(1 + σ²))) for a normal F and as
/// exp(−2π²/(hσ)) for a logistic one: far below 1e-9 up to σ = 5.
const STEP: f64 = 0.2;

/// Steps on either side: a standard normal beyond 8 has a probability of 1e-15.
const STEPS: i32 = 40;

/// What [`FunnelFit::predict`] gives for each row, averaged over the frailty u of customers with its regressors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FunnelPrediction {
    /// `E_u Π_{j ≤ k} F(η_j + σu)`: that a customer passes the stage and all before it.
    Passed,
    /// `E_u Π_{j ≤ k} F / E_u Π_{j < k} F`: that a customer who reached the stage passes it. These are selected: where σ > 0 their frailty is higher
    /// than that of all.
    GivenReached,
    /// `E_u F(η_k + σu)`: that any customer would pass the stage if all reached it. It compares arms without selection.
    IfReached,
}

/// The equations of a funnel as predictions need them.
#[derive(Clone, Debug, Default)]
pub(super) struct Stages {
    names: Vec<String>,
    indices: Vec<Index>,
    formulas: Vec<Formula>,
    common: bool,
    error: LatentError,
}

impl Stages {
    pub(super) fn new(prepared: &Prepared, error: LatentError) -> Self {
        let mut indices = prepared.indices.clone();
        if prepared.funnels.frailty {
            indices.push(Index::parameter("ln_sigma"));
        }
        Self {
            names: prepared.names.clone(),
            common: prepared.indices.len() > prepared.names.len(),
            formulas: prepared.formulas.clone(),
            indices,
            error,
        }
    }

    /// The quantity at the indices of the stages, the index in common, and ln σ.
    fn probability(&self, what: FunnelPrediction, stage: usize, at: &[f64]) -> f64 {
        let stages = self.names.len();
        let common = if self.common { at[stages] } else { 0.0 };
        let sigma = at
            .get(stages + usize::from(self.common))
            .map_or(0.0, |ln| ln.exp());
        let (mut upper, mut lower, mut total) = (0.0, 0.0, 0.0);
        let steps = if sigma > 0.0 { STEPS } else { 0 };
        for i in -steps..=steps {
            let u = f64::from(i) * STEP;
            let weight = (-0.5 * u * u).exp();
            let pass = |k: usize| self.error.cdf(at[k] + common + sigma * u);
            let before: f64 = match what {
                FunnelPrediction::IfReached => 1.0,
                _ => (0..stage).map(pass).product(),
            };
            total += weight;
            lower += weight * before;
            upper += weight * before * pass(stage);
        }
        match what {
            FunnelPrediction::GivenReached => upper / lower,
            _ => upper / total,
        }
    }
}

impl FunnelFit {
    /// Probabilities at a stage for the rows of a frame, which may be another than that of the fit; NaN where a regressor is missing.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a stage that the funnel does not have; [`Error::DataNotKept`] after `lean` or for a fit read from a file;
    /// [`Error::ColumnNotFound`] and [`Error::InvalidOption`] for regressors and levels that the fit does not know.
    pub fn predict(&self, frame: &Frame, what: FunnelPrediction, stage: &str) -> Result<Vec<f64>> {
        const LEVEL: f64 = 0.95;
        Ok(self.predict_interval(frame, what, stage, LEVEL)?.values)
    }

    /// The same with standard errors by the delta method, that of σ included, and intervals on the scale of log odds.
    ///
    /// # Errors
    /// As [`FunnelFit::predict`]; [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn predict_interval(
        &self,
        frame: &Frame,
        what: FunnelPrediction,
        stage: &str,
        level: f64,
    ) -> Result<Predictions> {
        let stages = &self.stages;
        let Some(k) = stages.names.iter().position(|name| name == stage) else {
            if stages.names.is_empty() {
                return Err(Error::DataNotKept {
                    what: "a prediction".to_owned(),
                    remedy: "fit the funnel again: a fit read from a file has its estimates alone"
                        .to_owned(),
                });
            }
            return Err(Error::invalid_option(
                "stage",
                stage,
                format!("one of {}", stages.names.join(", ")),
            ));
        };
        let model = Only {
            quantity: |at: &[f64]| stages.probability(what, k, at),
            share: true,
        };
        let predictor =
            self.likelihood()
                .predictor_of(&model, &stages.indices, &stages.formulas)?;
        predictor.predict(frame, Quantity::Mean, level)
    }
}
