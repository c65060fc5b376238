//! A survival curve with its uncertainty: values, quantiles, restricted mean.

use super::outcome::Spells;
use super::risk::{Instant, order_by};
use crate::error::{Error, Result};
use crate::inference::{Estimate, Interval, check_level};
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// How the interval of a survival probability is made; `z` is the normal quantile, `s` the standard error of `log S`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CurveInterval {
    /// `S^exp(± z s / log S)`: within [0, 1] and good in small samples (the default, as in Stata).
    #[default]
    LogLog,
    /// `S exp(± z s)`, cut at 1 (R's default).
    Log,
    /// `S ± z s S`, cut at 0 and 1.
    Plain,
}

impl CurveInterval {
    /// Lower and upper end; NaN where there is no standard error.
    pub(crate) fn ends(self, survival: f64, log_error: f64, z: f64) -> (f64, f64) {
        if survival <= 0.0 || log_error.is_nan() {
            return (f64::NAN, f64::NAN);
        }
        if log_error <= 0.0 {
            return (survival, survival);
        }
        let half = z * log_error;
        match self {
            Self::Log => (survival * (-half).exp(), (survival * half.exp()).min(1.0)),
            Self::Plain => (
                (survival - half * survival).max(0.0),
                (survival + half * survival).min(1.0),
            ),
            Self::LogLog => {
                let log = survival.ln();
                (
                    survival.powf((-half / log).exp()),
                    survival.powf((half / log).exp()),
                )
            }
        }
    }
}

impl std::fmt::Display for CurveInterval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::LogLog => "log-log",
            Self::Log => "log",
            Self::Plain => "plain",
        })
    }
}

/// One time of a survival curve. Standard errors and ends are NaN where the data determine none (after the last
/// customer at risk had the event).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// A time at which customers had the event or were censored.
    pub time: f64,
    /// Customers (weights) at risk just before.
    pub at_risk: f64,
    /// Events then.
    pub events: f64,
    /// Censored then.
    pub censored: f64,
    /// `S(t)`, the share that has not had the event by then.
    pub survival: f64,
    /// Standard error of `S(t)`.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub std_error: f64,
    /// Lower end of the interval of `S(t)`.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub lower: f64,
    /// Upper end.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub upper: f64,
    /// The Nelson–Aalen cumulative hazard `Σ d/Y`.
    pub cumulative_hazard: f64,
    /// Its standard error.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub hazard_std_error: f64,
}

/// The mean time without the event up to a horizon, `∫₀^τ S(t) dt`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestrictedMean {
    /// The horizon τ.
    pub horizon: f64,
    /// The mean with its standard error.
    pub mean: Estimate,
}

/// The survival curve of one group: a step function that is 1 before the first event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurvivalCurve {
    pub(crate) group: String,
    pub(crate) observations: f64,
    pub(crate) level: f64,
    pub(crate) points: Vec<CurvePoint>,
    /// `d / (Y (Y − d))` of each point, for the restricted mean.
    #[serde(deserialize_with = "crate::numeric::infinite::all_above")]
    pub(crate) increments: Vec<f64>,
    /// The end of watching, for curves that have no customers of their own.
    pub(crate) robust: bool,
}

/// Two survival probabilities are the same when they differ by less: products of shares round.
const SAME: f64 = 1.5e-8;

impl SurvivalCurve {
    /// The curve of a group.
    pub(crate) fn new(
        group: &str,
        spells: &Spells,
        table: &[Instant],
        robust: Option<&[f64]>,
        interval: CurveInterval,
        level: f64,
    ) -> Self {
        let z = normal::quantile(0.5 + level / 2.0);
        let (mut log_s, mut greenwood, mut hazard, mut hazard_variance) = (0.0_f64, 0.0, 0.0, 0.0);
        let mut gone = false;
        let mut points = Vec::with_capacity(table.len());
        let mut increments = Vec::with_capacity(table.len());
        for instant in table {
            let Instant {
                time,
                at_risk,
                events,
                censored,
            } = *instant;
            let everybody = events >= at_risk * (1.0 - 1e-12);
            let increment = if events <= 0.0 || everybody {
                0.0
            } else {
                events / (at_risk * (at_risk - events))
            };
            if events > 0.0 {
                gone |= everybody;
                log_s += (-events / at_risk).ln_1p();
                greenwood += increment;
                hazard += events / at_risk;
                hazard_variance += events / (at_risk * at_risk);
            }
            increments.push(increment);
            points.push(CurvePoint {
                time,
                at_risk,
                events,
                censored,
                survival: if gone { 0.0 } else { log_s.exp() },
                std_error: if gone { f64::NAN } else { greenwood.sqrt() },
                lower: f64::NAN,
                upper: f64::NAN,
                cumulative_hazard: hazard,
                hazard_std_error: hazard_variance.sqrt(),
            });
        }
        if let Some(weights) = robust {
            jackknife(spells, weights, &mut points, &increments);
        }
        for p in &mut points {
            let log_error = p.std_error;
            (p.lower, p.upper) = interval.ends(p.survival, log_error, z);
            p.std_error = log_error * p.survival;
        }
        Self {
            group: group.to_owned(),
            observations: spells.len() as f64,
            level,
            points,
            increments,
            robust: robust.is_some(),
        }
    }

    /// The group's name; empty for everybody.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Rows.
    pub fn observations(&self) -> f64 {
        self.observations
    }

    /// Events (weights).
    pub fn events(&self) -> f64 {
        self.points.iter().map(|p| p.events).sum()
    }

    /// The values at all times at which somebody had the event or was censored.
    pub fn points(&self) -> &[CurvePoint] {
        &self.points
    }

    /// The last point at or before `time`; none before the first.
    fn point_at(&self, time: f64) -> Option<&CurvePoint> {
        self.points
            .partition_point(|p| p.time <= time)
            .checked_sub(1)
            .map(|i| &self.points[i])
    }

    /// `S(time)`: 1 before the first time, NaN after the last (nobody was watched so long).
    pub fn survival_at(&self, time: f64) -> f64 {
        match self.points.last() {
            Some(last) if time > last.time && last.survival > 0.0 => f64::NAN,
            _ => self.point_at(time).map_or(1.0, |p| p.survival),
        }
    }

    /// The interval of `S(time)`, pointwise.
    pub fn interval_at(&self, time: f64) -> Interval {
        let beyond = self
            .points
            .last()
            .is_some_and(|last| time > last.time && last.survival > 0.0);
        let (lower, upper) = match self.point_at(time) {
            _ if beyond => (f64::NAN, f64::NAN),
            None => (1.0, 1.0),
            Some(p) => (p.lower, p.upper),
        };
        Interval {
            name: format!("S({time})"),
            level: self.level,
            lower,
            upper,
        }
    }

    /// The number (weight) at risk just before `time`.
    pub fn at_risk(&self, time: f64) -> f64 {
        let next = self.points.partition_point(|p| p.time < time);
        self.points.get(next).map_or(0.0, |p| p.at_risk)
    }

    /// The median time to the event.
    pub fn median(&self) -> TimeEstimate {
        self.quantile(0.5)
    }

    /// The time by which the share `p` has had the event: the first with `S(t) ≤ 1 − p`, and the middle of the step where
    /// the curve is flat at exactly that height. NaN when the curve stays above. The interval is that of times at which
    /// the interval of `S` holds `1 − p` (Brookmeyer & Crowley 1982); an end that the data do not determine is NaN.
    pub fn quantile(&self, p: f64) -> TimeEstimate {
        let cross = |of: fn(&CurvePoint) -> f64| self.crossing(1.0 - p, of);
        TimeEstimate {
            estimate: cross(|c| c.survival),
            lower: cross(|c| c.lower),
            upper: cross(|c| c.upper),
            level: self.level,
        }
    }

    fn crossing(&self, height: f64, of: fn(&CurvePoint) -> f64) -> f64 {
        let mut below = self.points.iter().filter(|c| of(c) < height + SAME);
        let Some(first) = below.next() else {
            return f64::NAN;
        };
        if (of(first) - height).abs() < SAME
            && let Some(next) = below.find(|c| of(c) < of(first))
        {
            return f64::midpoint(first.time, next.time);
        }
        first.time
    }

    /// The mean time without the event up to `horizon`, with Greenwood's standard error
    /// `Σ_{t ≤ τ} (∫_t^τ S)² d/(Y (Y − d))`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when the horizon is not positive or nobody was watched so long;
    /// [`Error::Unidentified`] for curves with sampling weights.
    pub fn restricted_mean(&self, horizon: f64) -> Result<RestrictedMean> {
        let last = self.points.last().map_or(0.0, |p| p.time);
        let ended = self.points.last().is_some_and(|p| p.survival <= 0.0);
        if !(horizon > 0.0 && (horizon <= last || ended)) {
            return Err(Error::invalid_option(
                "horizon",
                horizon,
                format!("above 0 and at most {last}, the last time watched"),
            ));
        }
        if self.robust {
            return Err(Error::Unidentified {
                what: "the standard error of a restricted mean under sampling weights".to_owned(),
                needs: "frequency weights or none".to_owned(),
            });
        }
        let mut area_after = 0.0;
        let mut variance = 0.0;
        let mut end = horizon;
        for (point, increment) in self.points.iter().zip(&self.increments).rev() {
            if point.time > horizon {
                continue;
            }
            area_after += point.survival * (end - point.time);
            variance += area_after * area_after * increment;
            end = point.time;
        }
        Ok(RestrictedMean {
            horizon,
            mean: Estimate {
                name: format!("mean time up to {horizon}"),
                estimate: area_after + end,
                std_error: variance.sqrt(),
                degrees_of_freedom: f64::INFINITY,
            },
        })
    }
}

/// A time with its confidence interval; NaN where the curve does not reach it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeEstimate {
    /// The point estimate.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub estimate: f64,
    /// Lower end.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub lower: f64,
    /// Upper end.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub upper: f64,
    /// Confidence level.
    pub level: f64,
}

/// Replaces the standard errors by those of the infinitesimal jackknife, `√Σ wᵢ² vᵢ²`, where
/// `vᵢ = ∂ log S/∂wᵢ = Σ_t (Yᵢ d/Y − dNᵢ)/(Y − d)` and for the cumulative hazard `vᵢ = Σ_t (dNᵢ − Yᵢ d/Y)/Y`. With equal weights
/// the first is Greenwood's.
fn jackknife(spells: &Spells, weights: &[f64], points: &mut [CurvePoint], increments: &[f64]) {
    let ends = order_by(&spells.stop);
    let entries = spells.start.as_ref().map(|s| (order_by(s), s));
    let mut entered = vec![[0.0_f64; 2]; spells.len()];
    // Of those at risk: Σ w², Σ w² c, Σ w² c² with c the value of the compensator at entry, for log S and the hazard.
    let mut inside = [[0.0_f64; 3]; 2];
    let mut outside = [0.0_f64; 2];
    let mut compensator = [0.0_f64; 2];
    let (mut next_end, mut next_entry) = (0, 0);
    if entries.is_none() {
        let total: f64 = weights.iter().map(|w| w * w).sum();
        inside = [[total, 0.0, 0.0]; 2];
    }
    for (point, increment) in points.iter_mut().zip(increments) {
        if let Some((order, start)) = &entries {
            while let Some(&i) = order.get(next_entry)
                && start[i] < point.time
            {
                entered[i] = compensator;
                for (sums, c) in inside.iter_mut().zip(compensator) {
                    add_powers(sums, weights[i] * weights[i], c, 1.0);
                }
                next_entry += 1;
            }
        }
        compensator[0] += increment;
        compensator[1] += point.events / (point.at_risk * point.at_risk);
        let jump = [1.0 / (point.at_risk - point.events), 1.0 / point.at_risk];
        while let Some(&i) = ends.get(next_end)
            && spells.stop[i] <= point.time
        {
            let square = weights[i] * weights[i];
            for k in 0..2 {
                add_powers(&mut inside[k], square, entered[i][k], -1.0);
                let own = if spells.event[i] { jump[k] } else { 0.0 };
                outside[k] += square * (compensator[k] - entered[i][k] - own).powi(2);
            }
            next_end += 1;
        }
        let variance = |k: usize| {
            let [m0, m1, m2] = inside[k];
            let c: f64 = compensator[k];
            (outside[k] + c * c * m0 - 2.0 * c * m1 + m2).max(0.0)
        };
        if !point.std_error.is_nan() {
            point.std_error = variance(0).sqrt();
        }
        point.hazard_std_error = variance(1).sqrt();
    }
}

fn add_powers(sums: &mut [f64; 3], weight: f64, value: f64, sign: f64) {
    let w = sign * weight;
    sums[0] += w;
    sums[1] += w * value;
    sums[2] += w * value * value;
}

/// Refuses a level outside (0, 1).
pub(crate) fn checked_level(level: f64) -> Result<f64> {
    check_level(level)?;
    Ok(level)
}
