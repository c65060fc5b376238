//! Predicted survival of a customer with given regressors.

use super::super::curve::CurveInterval;
use super::CoxFit;
use crate::error::Result;
use crate::inference::{Inference, Interval, check_level};
use crate::numeric::special::normal;
use crate::report::{Figure, SurvivalPlot};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// One event time of a predicted survival curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedPoint {
    /// The time.
    pub time: f64,
    /// `Λ(t | x) = exp(x'β) Λ₀(t)`.
    pub cumulative_hazard: f64,
    /// `S(t | x) = exp(−Λ(t | x))`.
    pub survival: f64,
    /// Standard error of `Λ(t | x)`, which is that of `ln S(t | x)`.
    pub log_std_error: f64,
}

/// The predicted survival of a customer in one stratum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedSurvival {
    /// The stratum; empty without strata.
    pub stratum: String,
    /// The values at the stratum's event times.
    pub points: Vec<PredictedPoint>,
}

impl PredictedSurvival {
    fn point_at(&self, time: f64) -> Option<&PredictedPoint> {
        self.points
            .partition_point(|p| p.time <= time)
            .checked_sub(1)
            .map(|i| &self.points[i])
    }

    /// `S(time | x)`; after the last event the last value.
    pub fn survival_at(&self, time: f64) -> f64 {
        self.point_at(time).map_or(1.0, |p| p.survival)
    }

    /// The pointwise interval of `S(time | x)`.
    ///
    /// # Errors
    /// [`crate::Error::InvalidOption`] for a level outside (0, 1).
    pub fn interval_at(&self, time: f64, scale: CurveInterval, level: f64) -> Result<Interval> {
        check_level(level)?;
        let z = normal::quantile(0.5 + level / 2.0);
        let (lower, upper) = self
            .point_at(time)
            .map_or((1.0, 1.0), |p| scale.ends(p.survival, p.log_std_error, z));
        Ok(Interval {
            name: format!("S({time})"),
            level,
            lower,
            upper,
        })
    }

    /// The curve with its pointwise 95 % band (log-log scale).
    ///
    /// # Errors
    /// [`crate::Error::InvalidOption`] when there is nothing to draw.
    pub fn plot(&self) -> Result<Figure> {
        let z = normal::quantile(0.975);
        let of = |f: &dyn Fn(&PredictedPoint) -> f64| -> Vec<f64> {
            self.points.iter().map(f).collect()
        };
        let ends = |p: &PredictedPoint| CurveInterval::LogLog.ends(p.survival, p.log_std_error, z);
        SurvivalPlot::new()
            .title("Predicted survival")
            .x_title("Time")
            .y_title("Share without the event")
            .curve(self.stratum.as_str(), of(&|p| p.time), of(&|p| p.survival))
            .band(of(&|p| ends(p).0), of(&|p| ends(p).1))
            .draw()
    }
}

impl CoxFit {
    /// The survival curve of a customer whose columns have these values, one a stratum; columns not named stand at their means. Names are
    /// those of the coefficients, so an interaction is a column of its own. The covariance in use gives the standard errors
    /// (Tsiatis 1981): `Var Λ(t|x) = e^{2x'β} [Σ dΛ/S₀ + q'Vq]`, `q = ∫ (x − x̄) dΛ`.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let released = datasets::load("rossi")?;
    /// let fit = Cox::new(Survival::right("week", "arrest"), "fin + age").fit(&released)?;
    /// let aided = fit.predict(&[("fin", 1.0), ("age", 20.0)])?;
    /// let alone = fit.predict(&[("fin", 0.0), ("age", 20.0)])?;
    /// assert!(aided[0].survival_at(52.0) > alone[0].survival_at(52.0));
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::UnknownCoefficient`], [`crate::Error::DataNotKept`] after `lean`.
    pub fn predict(&self, columns: &[(&str, f64)]) -> Result<Vec<PredictedSurvival>> {
        let fitted = self.fitted("a prediction")?;
        let p = fitted.slopes.len();
        let mut x = DVector::zeros(p);
        for (name, value) in columns {
            let j = self.position(name)?;
            x[j] = (value - self.means[j]) / fitted.spreads[j];
        }
        let units = DMatrix::from_diagonal(&DVector::from_column_slice(&fitted.spreads));
        let covariance = &units * self.covariance() * &units;
        let risk = x
            .iter()
            .zip(&fitted.slopes)
            .map(|(x, b)| x * b)
            .sum::<f64>()
            .exp();
        let detail = fitted.rows.detail(&fitted.slopes, false);
        let curves = self
            .strata
            .iter()
            .zip(&detail.steps)
            .map(|(stratum, steps)| {
                let (mut hazard, mut variance, mut means) = (0.0, 0.0, DVector::zeros(p));
                let points = steps.iter().map(|step| {
                    hazard += step.hazard.whole;
                    variance += step.hazard.squares[0];
                    means += DVector::from_column_slice(&step.hazard_mean);
                    let q = &x * hazard - &means;
                    let spread: f64 = variance + q.dot(&(&covariance * &q));
                    PredictedPoint {
                        time: step.time,
                        cumulative_hazard: risk * hazard,
                        survival: (-risk * hazard).exp(),
                        log_std_error: risk * spread.max(0.0).sqrt(),
                    }
                });
                PredictedSurvival {
                    stratum: stratum.clone(),
                    points: points.collect(),
                }
            });
        Ok(curves.collect())
    }
}
