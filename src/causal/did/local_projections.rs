//! Local projections: one regression of long differences a horizon, on clean controls.

use super::effects::{About, RolloutEffects};
use super::event_study::EventStudy;
use super::regression::{OUTCOME, Working, WorkingRows, clustered};
use super::sample::{Rollout, RolloutColumns, rollout_options};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::Inference;
use crate::numeric::Progress;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The name of the regressor.
const STARTS: &str = "(starts)";

/// Local-projection differences in differences: for each horizon h the regression `y_{i,t+h} − y_{i,t−1} = β_h ΔD_it + δ_t^h + e`, on rows whose treatment starts (`ΔD_it = 1`) and
/// clean controls, which are not treated until t + h (for h < 0, until t).
///
/// By default least squares weighs periods by how even their arms are; [`equally_weighted`](Self::equally_weighted) makes β_h the mean effect over treated units, which equals
/// [`CallawaySantAnna`](super::CallawaySantAnna) with not-yet-treated controls and a universal base period.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `treatment` | required | 0 before and 1 from the start of treatment on; with [`starts`](Self::starts) the first treated period |
/// | `before`, `after` | required | horizons, in periods as they follow one another |
/// | `weights` | none | a column, constant within units |
/// | `clusters` | the unit | a column, in which units lie |
///
/// Panels may have gaps: a row counts at a horizon when both outcomes are there. Errors are clustered (CR1); the covariance between horizons comes from the influence of clusters on each.
///
/// # Errors
/// [`Error::Unidentified`] for a horizon without treated rows or clean controls: ask for fewer; those of reading the panel.
///
/// # References
/// Dube, Girardi, Jordà & Taylor (2025), doi:10.1002/jae.70000.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let rollout = StaggeredRollout { units: 400, seed: Some(Seed::new(3)), ..StaggeredRollout::new() }.simulate()?;
/// let study = LocalProjections::new("y", "treated", "unit", "period", 3, 4).fit(&rollout.data)?;
/// let third = study.at(3.0)?;
/// assert!((third.estimate - 1.3).abs() < 3.0 * third.std_error);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocalProjections {
    columns: RolloutColumns,
    before: usize,
    after: usize,
    equal: bool,
}

rollout_options!(LocalProjections);

/// The regression of a horizon.
struct Horizon {
    estimate: f64,
    /// Clusters with what they add to the error.
    influence: Vec<(u32, f64)>,
}

impl LocalProjections {
    /// The effects of a treatment on an outcome up to `before` periods before and `after` periods after its start.
    pub fn new(
        outcome: &str,
        treatment: &str,
        unit: &str,
        period: &str,
        before: usize,
        after: usize,
    ) -> Self {
        Self {
            columns: RolloutColumns::new(outcome, treatment, unit, period),
            before,
            after,
            equal: false,
        }
    }

    /// Weighs treated units evenly.
    pub fn equally_weighted(mut self) -> Self {
        self.equal = true;
        self
    }

    /// Estimates all horizons.
    ///
    /// # Errors
    /// See [`LocalProjections`].
    pub fn fit(&self, frame: &Frame) -> Result<EventStudy> {
        let rollout = self.columns.read(frame, "1")?.with_a_past(0.0)?;
        let (mut times, mut horizons) = (Vec::new(), Vec::new());
        for offset in 0..=self.before.saturating_add(self.after) {
            if offset.checked_add(1) != Some(self.before) {
                times.push(offset as f64 - self.before as f64);
                horizons.push(self.horizon(&rollout, offset)?);
            }
        }
        let mut influence = DMatrix::zeros(rollout.size.clusters.1, times.len());
        for (at, horizon) in horizons.iter().enumerate() {
            for (cluster, value) in &horizon.influence {
                influence[(*cluster as usize, at)] = *value;
            }
        }
        let about = About {
            estimand: format!(
                "Local projections of {} on {} by time since its start",
                self.columns.outcome, self.columns.treatment
            ),
            size: rollout.size.clone(),
            errors: "Clustered standard errors (CR1)".to_owned(),
            warnings: rollout.warnings.clone(),
        };
        let effects = RolloutEffects::scaled(
            about,
            times.iter().map(|time| EventStudy::name(*time)).collect(),
            DVector::from_iterator(times.len(), horizons.iter().map(|h| h.estimate)),
            influence,
        );
        Ok(EventStudy::new(effects, times, Some(-1.0)))
    }

    /// The regression at an offset from the earliest horizon.
    fn horizon(&self, rollout: &Rollout, offset: usize) -> Result<Horizon> {
        let panel = &rollout.panel;
        let mut rows = WorkingRows::default();
        let mut starts = Vec::new();
        for period in 1..panel.periods.len() {
            let Some(target) = (period.saturating_add(offset))
                .checked_sub(self.before)
                .filter(|target| *target < panel.periods.len())
            else {
                continue;
            };
            let from = starts.len();
            // [control, treated]
            let mut totals = [0.0; 2];
            for (unit, first) in rollout.adoption.first.iter().enumerate() {
                let treated = *first == Some(period as u32);
                let clean = first.is_none_or(|first| first as usize > target.max(period));
                let (Some(before), Some(after)) =
                    (panel.at(unit, period - 1), panel.at(unit, target))
                else {
                    continue;
                };
                if treated || clean {
                    rows.outcome.push(rollout.y[after] - rollout.y[before]);
                    rows.period.push(period as f64);
                    rows.cluster.push(f64::from(rollout.clusters[unit]));
                    rows.weight.push(rollout.weights[unit]);
                    starts.push(f64::from(u8::from(treated)));
                    totals[usize::from(treated)] += rollout.weights[unit];
                }
            }
            if self.equal {
                // Even arms in every period: it counts by its treated units.
                for (weight, treated) in rows.weight[from..].iter_mut().zip(&starts[from..]) {
                    if *treated < 0.5 {
                        *weight *= totals[1] / totals[0];
                    }
                }
            }
        }
        let mut clusters: Vec<u32> = (rows.cluster.iter().zip(&rows.weight))
            .filter(|(_, weight)| **weight > 0.0)
            .map(|(cluster, _)| *cluster as u32)
            .collect();
        clusters.sort_unstable();
        clusters.dedup();
        let nothing = || {
            Error::Unidentified {
            what: format!(
                "the effect at horizon {}",
                offset as f64 - self.before as f64
            ),
            needs: "units whose treatment starts and units not treated until then, observed in the same period; ask for fewer horizons".to_owned(),
        }
        };
        if clusters.len() < 2 || !starts.iter().any(|s| *s > 0.5) {
            return Err(nothing());
        }
        let mut working = Working::of(rows)?;
        working.add(STARTS, starts)?;
        let fit = working.fit(OUTCOME, &Progress::none())?;
        let at = fit.position(STARTS).map_err(|_| nothing())?;
        let influence = clustered(&fit)?;
        Ok(Horizon {
            estimate: fit.estimates()[at],
            influence: clusters
                .into_iter()
                .zip(influence.column(at).iter().copied())
                .collect(),
        })
    }
}
