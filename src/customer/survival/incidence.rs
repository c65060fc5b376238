//! The walk over time behind cumulative incidences, with the derivatives that their variances are made of.

use super::curve::{TimeEstimate, checked_level};
use super::risk::order_by;
use crate::error::Result;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// The customers of a group.
pub(super) struct History {
    pub(super) start: Option<Vec<f64>>,
    pub(super) stop: Vec<f64>,
    pub(super) cause: Vec<Option<usize>>,
    pub(super) weight: Vec<f64>,
    pub(super) frequency: bool,
}

/// Those at risk who came at one time share the derivatives of all estimates by their weight.
struct Cohort {
    entry: f64,
    /// Σ of squared weights.
    squares: f64,
    influence: Vec<f64>,
}

impl History {
    /// Walks over the times. The derivative of `(Ŝ, F̂₁, …)` by the weight of a customer moves linearly, `v ← A v + b`, with one A for all and b zero once the
    /// customer has gone; so of those gone only `Σ w² v v'` is kept, and of those at risk one v for each time of entry.
    pub(super) fn incidences(&self, names: &[String], group: &str, z: f64) -> Vec<Incidence> {
        let causes = names.len();
        let k = causes + 1;
        let order = order_by(&self.stop);
        let entries = self.start.as_ref().map(|s| order_by(s));
        let mut next_entry = 0;
        let square = |i: usize| {
            if self.frequency {
                self.weight[i]
            } else {
                self.weight[i].powi(2)
            }
        };
        let mut cohorts: Vec<Cohort> = Vec::new();
        let mut at_risk = 0.0;
        if entries.is_none() {
            at_risk = self.weight.iter().sum();
            cohorts.push(Cohort {
                entry: f64::NEG_INFINITY,
                squares: (0..self.stop.len()).map(square).sum(),
                influence: vec![0.0; k],
            });
        }
        let mut gone = vec![0.0; k * k];
        let mut survival = 1.0;
        let mut incidence = vec![0.0; causes];
        let mut out: Vec<Incidence> = names
            .iter()
            .map(|cause| Incidence {
                group: group.to_owned(),
                cause: cause.clone(),
                points: vec![],
            })
            .collect();
        let mut from = 0;
        while from < order.len() {
            let time = self.stop[order[from]];
            if let (Some(entries), Some(start)) = (&entries, &self.start) {
                while let Some(&i) = entries.get(next_entry)
                    && start[i] < time
                {
                    if cohorts.last().is_none_or(|c| c.entry < start[i]) {
                        cohorts.push(Cohort {
                            entry: start[i],
                            squares: 0.0,
                            influence: vec![0.0; k],
                        });
                    }
                    if let Some(last) = cohorts.last_mut() {
                        last.squares += square(i);
                    }
                    at_risk += self.weight[i];
                    next_entry += 1;
                }
            }
            let to = (from..order.len())
                .find(|j| self.stop[order[*j]] > time)
                .unwrap_or(order.len());
            let rows = &order[from..to];
            let mut events = vec![0.0; causes];
            for &i in rows {
                if let Some(c) = self.cause[i] {
                    events[c] += self.weight[i];
                }
            }
            let hazards: Vec<f64> = events.iter().map(|d| d / at_risk).collect();
            let total: f64 = hazards.iter().sum();
            // v ← A v for everybody: S loses the hazard, F_c gains from S.
            let step = |v: &mut [f64]| {
                let s = v[0];
                v[0] = s * (1.0 - total);
                for (f, h) in v[1..].iter_mut().zip(&hazards) {
                    *f += s * h;
                }
            };
            for column in 0..k {
                let mut v: Vec<f64> = (0..k).map(|r| gone[r * k + column]).collect();
                step(&mut v);
                (0..k).for_each(|r| gone[r * k + column] = v[r]);
            }
            for row in gone.chunks_exact_mut(k) {
                step(row);
            }
            // Being at risk: the derivative of the hazards by a weight is (dN − h)/Y.
            let per_weight = survival / at_risk;
            for cohort in &mut cohorts {
                step(&mut cohort.influence);
                cohort.influence[0] += per_weight * total;
                for (f, h) in cohort.influence[1..].iter_mut().zip(&hazards) {
                    *f -= per_weight * h;
                }
            }
            for &i in rows {
                let entry = self.start.as_ref().map_or(f64::NEG_INFINITY, |s| s[i]);
                let at = cohorts.partition_point(|c| c.entry < entry);
                let Some(cohort) = cohorts.get_mut(at) else {
                    continue;
                };
                cohort.squares -= square(i);
                let mut v = cohort.influence.clone();
                if let Some(c) = self.cause[i] {
                    v[0] -= per_weight;
                    v[c + 1] += per_weight;
                }
                for r in 0..k {
                    for c in 0..k {
                        gone[r * k + c] += square(i) * v[r] * v[c];
                    }
                }
            }
            for (f, h) in incidence.iter_mut().zip(&hazards) {
                *f += survival * h;
            }
            survival *= 1.0 - total;
            for c in 0..causes {
                let staying: f64 = cohorts
                    .iter()
                    .map(|g| g.squares * g.influence[c + 1].powi(2))
                    .sum();
                let std_error = (gone[(c + 1) * k + c + 1] + staying).max(0.0).sqrt();
                let (lower, upper) = ends(incidence[c], std_error, z);
                out[c].points.push(IncidencePoint {
                    time,
                    at_risk,
                    events: events[c],
                    incidence: incidence[c],
                    std_error,
                    lower,
                    upper,
                });
            }
            at_risk -= rows.iter().map(|i| self.weight[*i]).sum::<f64>();
            from = to;
        }
        out
    }
}

/// The interval on the scale of `ln(−ln(1 − F))`, which keeps it within [0, 1].
fn ends(f: f64, std_error: f64, z: f64) -> (f64, f64) {
    if f <= 0.0 || f >= 1.0 {
        return (f, f);
    }
    let log = (-f).ln_1p();
    let half = z * std_error / ((1.0 - f) * -log);
    let end = |by: f64| -(log * by.exp()).exp_m1();
    (end(-half), end(half))
}

/// One time of a cumulative incidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidencePoint {
    /// A time at which customers left or were censored.
    pub time: f64,
    /// Customers (weights) at risk just before.
    pub at_risk: f64,
    /// Those who left for this cause then.
    pub events: f64,
    /// `F_c(t)`.
    pub incidence: f64,
    /// Its standard error.
    pub std_error: f64,
    /// Lower end of its pointwise interval.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

/// The cumulative incidence of one cause in one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incidence {
    /// The group; empty for everybody.
    pub group: String,
    /// The cause.
    pub cause: String,
    /// The values at all times of the group.
    pub points: Vec<IncidencePoint>,
}

impl Incidence {
    /// `F_c(time)`, 0 before the first time.
    pub fn at(&self, time: f64) -> f64 {
        self.point(time).map_or(0.0, |p| p.incidence)
    }

    /// `F_c(time)` with its interval.
    ///
    /// # Errors
    /// [`crate::Error::InvalidOption`] for a level outside (0, 1).
    pub fn interval_at(&self, time: f64, level: f64) -> Result<TimeEstimate> {
        let z = normal::quantile(0.5 + checked_level(level)? / 2.0);
        let (estimate, error) = self
            .point(time)
            .map_or((0.0, 0.0), |p| (p.incidence, p.std_error));
        let (lower, upper) = ends(estimate, error, z);
        Ok(TimeEstimate {
            estimate,
            lower,
            upper,
            level,
        })
    }

    fn point(&self, time: f64) -> Option<&IncidencePoint> {
        self.points
            .partition_point(|p| p.time <= time)
            .checked_sub(1)
            .map(|i| &self.points[i])
    }
}
