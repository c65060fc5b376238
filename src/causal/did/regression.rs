//! Least squares on a roll-out with the effects of units and periods absorbed.

use super::effects::{About, RolloutEffects};
use super::sample::Rollout;
use crate::data::Frame;
use crate::error::Result;
use crate::inference::{Covariance, Inference, Influence};
use crate::numeric::Progress;
use crate::regression::{Ols, OlsFit};
use nalgebra::DMatrix;

/// Names of the columns that a working frame has besides regressors.
pub(super) const OUTCOME: &str = "(outcome)";
const UNIT: &str = "(unit)";
const PERIOD: &str = "(period)";
const CLUSTER: &str = "(cluster)";
const WEIGHT: &str = "(weight)";

/// A frame with the rows of a roll-out and regressors that are made for it.
#[derive(Clone, Debug)]
pub(super) struct Working {
    frame: Frame,
    regressors: Vec<String>,
}

impl Working {
    /// Outcome, effects, clusters and weights, with the covariates as regressors.
    pub(super) fn new(rollout: &Rollout) -> Result<Self> {
        let panel = &rollout.panel;
        let codes = |codes: &[u32]| codes.iter().map(|c| f64::from(*c)).collect::<Vec<f64>>();
        let of_units = |values: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let units = panel.unit_of.iter();
            units.map(|unit| values(*unit as usize)).collect()
        };
        let frame = Frame::new()
            .with(OUTCOME, rollout.y.clone())?
            .with(UNIT, codes(&panel.unit_of))?
            .with(PERIOD, codes(&panel.period_of))?
            .with(CLUSTER, of_units(&|unit| f64::from(rollout.clusters[unit])))?
            .with(WEIGHT, of_units(&|unit| rollout.weights[unit]))?;
        let mut working = Self {
            frame,
            regressors: Vec::new(),
        };
        for (name, values) in &rollout.covariates {
            working.add(name, values.clone())?;
        }
        Ok(working)
    }

    /// Adds a regressor.
    pub(super) fn add(&mut self, name: &str, values: Vec<f64>) -> Result<()> {
        self.frame = self.frame.clone().with(name, values)?;
        self.regressors.push(name.to_owned());
        Ok(())
    }

    /// Least squares of a column on the regressors, with clustered errors. Rows that are alone in a level stay, so that residuals stand where rows do.
    pub(super) fn fit(&self, outcome: &str, progress: &Progress) -> Result<OlsFit> {
        let terms: Vec<String> = (self.regressors.iter())
            .filter(|name| *name != outcome)
            .map(|name| format!("`{name}`"))
            .collect();
        let terms = if terms.is_empty() {
            "1".to_owned()
        } else {
            terms.join(" + ")
        };
        Ols::new(format!("`{outcome}` ~ {terms} | `{UNIT}` + `{PERIOD}`").as_str())
            .weights(WEIGHT)
            .keep_singletons()
            .covariance(Covariance::cluster(CLUSTER))
            .fit_with(&self.frame, progress)
    }
}

/// Combinations of coefficients: `map` has one row an effect and one column a coefficient.
fn combined(
    about: About,
    names: Vec<String>,
    map: &DMatrix<f64>,
    fit: &OlsFit,
) -> Result<RolloutEffects> {
    let influence = fit.influence(Some(CLUSTER))?;
    let plain: f64 = influence.norm_squared();
    // The small-sample factor of the covariance is one for all coefficients.
    let factor = Inference::covariance(fit).trace() / plain;
    Ok(RolloutEffects::scaled(
        about,
        names,
        map * fit.estimates(),
        influence * map.transpose() * factor.sqrt(),
    ))
}

/// Coefficients by name; those that the fit left out are not among the names.
pub(super) fn named(about: About, names: Vec<String>, fit: &OlsFit) -> Result<RolloutEffects> {
    let places: Vec<Option<usize>> = names.iter().map(|n| fit.position(n).ok()).collect();
    let map = DMatrix::from_fn(names.len(), fit.names().len(), |i, j| {
        f64::from(u8::from(places[i] == Some(j)))
    });
    combined(about, names, &map, fit)
}
