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

/// A frame with rows of a roll-out and regressors that are made for it.
#[derive(Clone, Debug)]
pub(super) struct Working {
    frame: Frame,
    regressors: Vec<String>,
    /// Whether effects of units are absorbed beside those of periods.
    units: bool,
}

/// What every row has.
#[derive(Clone, Debug, Default)]
pub(super) struct WorkingRows {
    pub(super) outcome: Vec<f64>,
    /// Empty for no effects of units.
    pub(super) unit: Vec<f64>,
    pub(super) period: Vec<f64>,
    pub(super) cluster: Vec<f64>,
    pub(super) weight: Vec<f64>,
}

impl Working {
    pub(super) fn of(rows: WorkingRows) -> Result<Self> {
        let units = !rows.unit.is_empty();
        let mut frame = Frame::new()
            .with(OUTCOME, rows.outcome)?
            .with(PERIOD, rows.period)?
            .with(CLUSTER, rows.cluster)?
            .with(WEIGHT, rows.weight)?;
        if units {
            frame = frame.with(UNIT, rows.unit)?;
        }
        Ok(Self {
            frame,
            regressors: Vec::new(),
            units,
        })
    }

    /// Outcome, effects, clusters and weights, with the covariates as regressors.
    pub(super) fn new(rollout: &Rollout) -> Result<Self> {
        let panel = &rollout.panel;
        let codes = |codes: &[u32]| codes.iter().map(|c| f64::from(*c)).collect::<Vec<f64>>();
        let of_units = |values: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let units = panel.unit_of.iter();
            units.map(|unit| values(*unit as usize)).collect()
        };
        let mut working = Self::of(WorkingRows {
            outcome: rollout.y.clone(),
            unit: codes(&panel.unit_of),
            period: codes(&panel.period_of),
            cluster: of_units(&|unit| f64::from(rollout.clusters[unit])),
            weight: of_units(&|unit| rollout.weights[unit]),
        })?;
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
        let units = if self.units {
            format!("`{UNIT}` + ")
        } else {
            String::new()
        };
        Ols::new(format!("`{outcome}` ~ {terms} | {units}`{PERIOD}`").as_str())
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
    Ok(RolloutEffects::scaled(
        about,
        names,
        map * fit.estimates(),
        clustered(fit)? * map.transpose(),
    ))
}

/// What each cluster adds to the error of the coefficients, with the small-sample factor of the covariance, which is one for all.
pub(super) fn clustered(fit: &OlsFit) -> Result<DMatrix<f64>> {
    let influence = fit.influence(Some(CLUSTER))?;
    let squares = influence.norm_squared();
    let factor = if squares > 0.0 {
        Inference::covariance(fit).trace() / squares
    } else {
        // A perfect fit, which has no errors.
        0.0
    };
    Ok(influence * factor.sqrt())
}

/// Coefficients by name; those that the fit left out are not among the names.
pub(super) fn named(about: About, names: Vec<String>, fit: &OlsFit) -> Result<RolloutEffects> {
    let places: Vec<Option<usize>> = names.iter().map(|n| fit.position(n).ok()).collect();
    let map = DMatrix::from_fn(names.len(), fit.names().len(), |i, j| {
        f64::from(u8::from(places[i] == Some(j)))
    });
    combined(about, names, &map, fit)
}
