//! Effects by time since treatment: the common result of estimators of roll-outs.

use super::effects::{RolloutEffects, rollout_verbs};
use crate::error::{Error, Result};
use crate::inference::multiplicity::Simultaneous;
use crate::inference::{Estimate, Inference, TestResult};
use crate::numeric::linalg::symmetrize;
use crate::report::figure::EventStudyPlot;
use crate::report::{Figure, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Effects by time since treatment. Effects are named `t-2`, `t+0`, `t+1`, …; negative times are before treatment, where an effect is a sign that trends were not parallel (or of
/// anticipation). The verbs of [`Inference`] apply.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventStudy {
    pub(super) effects: RolloutEffects,
    times: Vec<f64>,
    reference: Option<f64>,
    /// How long before treatment units may react.
    #[serde(default)]
    anticipation: f64,
}

rollout_verbs!(EventStudy);

impl EventStudy {
    pub(super) fn new(effects: RolloutEffects, times: Vec<f64>, reference: Option<f64>) -> Self {
        Self {
            effects,
            times,
            reference,
            anticipation: 0.0,
        }
    }

    /// Effects this long before treatment may be anticipation, and are no sign of trends.
    pub(super) fn anticipated(mut self, time: f64) -> Self {
        self.anticipation = time;
        self
    }

    /// An event study of estimates that were made elsewhere, for its tests, [powers](Self::pre_trend_power) and sensitivities: effects by increasing time since treatment with their covariance, relative to
    /// those of the reference time, which is not among them. Intervals and tests are those of the normal distribution.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for lists of different lengths, times that do not increase or hold the reference, and numbers that are not finite; [`Error::Matrix`] for a covariance that is not
    /// symmetric or has no positive diagonal.
    ///
    /// # Examples
    /// ```
    /// use cocreate::prelude::*;
    /// use nalgebra::DMatrix;
    /// let covariance = DMatrix::from_diagonal_element(3, 3, 0.01);
    /// let study = EventStudy::from_estimates(&[-2.0, 0.0, 1.0], &[0.05, 0.5, 0.7], &covariance, -1.0)?;
    /// assert!(study.relative_magnitudes(&[0.0], &[1.0], 0.95)?.breakdown > 1.0);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn from_estimates(
        times: &[f64],
        estimates: &[f64],
        covariance: &DMatrix<f64>,
        reference: f64,
    ) -> Result<Self> {
        let count = times.len();
        if count == 0 || estimates.len() != count || covariance.shape() != (count, count) {
            return Err(Error::invalid_option(
                "times, estimates, covariance",
                format!(
                    "{count}, {} and {} x {}",
                    estimates.len(),
                    covariance.nrows(),
                    covariance.ncols()
                ),
                "one estimate, one row and one column a time",
            ));
        }
        let mut all = (times.iter().chain(estimates).chain([&reference])).chain(covariance);
        if !all.all(|value| value.is_finite()) {
            return Err(Error::invalid_option(
                "times, estimates, covariance",
                "a number that is missing or infinite",
                "finite numbers",
            ));
        }
        if times.windows(2).any(|w| w[1] <= w[0])
            || times.iter().any(|t| t.total_cmp(&reference).is_eq())
        {
            return Err(Error::invalid_option(
                "times",
                format!("{times:?}"),
                format!("increasing times without the reference, {reference}"),
            ));
        }
        let largest = covariance.amax();
        if covariance.diagonal().min() <= 0.0
            || (covariance - covariance.transpose()).amax() > 1e-8 * largest
        {
            return Err(Error::Matrix {
                message: "the covariance of effects must be symmetric, with a positive diagonal"
                    .to_owned(),
            });
        }
        let names = times.iter().map(|time| Self::name(*time)).collect();
        let effects = RolloutEffects::given(
            "Effects by time since treatment",
            names,
            DVector::from_column_slice(estimates),
            symmetrize(covariance),
        );
        Ok(Self::new(effects, times.to_vec(), Some(reference)))
    }

    /// The name of the effect at a time.
    pub(super) fn name(time: f64) -> String {
        format!("t{}{}", if time < 0.0 { "-" } else { "+" }, time.abs())
    }

    /// Times since treatment, in order; the reference period is not among them.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// The time whose effect is zero by construction.
    pub fn reference(&self) -> Option<f64> {
        self.reference
    }

    /// The effects with what is known of the sample.
    pub fn effects(&self) -> &RolloutEffects {
        &self.effects
    }

    /// The effect at a time since treatment.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`] with the times that there are.
    pub fn at(&self, time: f64) -> Result<Estimate> {
        self.coefficient(&Self::name(time))
    }

    fn places(&self, part: impl Fn(f64) -> bool) -> Vec<usize> {
        (0..self.times.len())
            .filter(|at| part(self.times[*at]))
            .collect()
    }

    /// The even mean of the effects at times from 0 on.
    ///
    /// # Errors
    /// [`Error::Unidentified`] without an effect after treatment.
    pub fn average(&self) -> Result<Estimate> {
        let after = self.places(|time| time >= 0.0);
        if after.is_empty() {
            return Err(Error::Unidentified {
                what: "the average effect".to_owned(),
                needs: "effects at times from 0 on".to_owned(),
            });
        }
        let mut weights = DVector::zeros(self.times.len());
        for at in &after {
            weights[*at] = 1.0 / after.len() as f64;
        }
        Ok(self.effects.combination("average", &weights))
    }

    /// Places of the effects before treatment, and before its anticipation where that is allowed for.
    pub(super) fn earlier(&self) -> Vec<usize> {
        self.places(|time| time < -self.anticipation)
    }

    /// Names of the effects before treatment, and before its anticipation where that is allowed for.
    pub fn before(&self) -> Vec<&str> {
        let places = self.earlier();
        places.iter().map(|at| self.names()[*at].as_str()).collect()
    }

    /// Names of the effects from treatment on.
    pub fn after(&self) -> Vec<&str> {
        let places = self.places(|time| time >= 0.0);
        places.iter().map(|at| self.names()[*at].as_str()).collect()
    }

    /// The joint (Wald) test that all effects before treatment (and before its anticipation, where that is allowed for) are zero. Not to reject is no proof that trends are parallel: see
    /// [`pre_trend_power`](Self::pre_trend_power).
    ///
    /// # Errors
    /// [`Error::Unidentified`] without effects before treatment; [`Error::Matrix`] when their covariance is singular (fewer units or clusters than effects).
    pub fn pre_trend_test(&self) -> Result<TestResult> {
        let before = self.earlier();
        if before.is_empty() {
            return Err(Error::Unidentified {
                what: "a trend before treatment".to_owned(),
                needs: "effects before treatment besides the reference period: more periods before"
                    .to_owned(),
            });
        }
        let r = DMatrix::from_fn(before.len(), self.times.len(), |i, j| {
            f64::from(u8::from(before[i] == j))
        });
        self.wald_matrix(
            "no effect before treatment",
            &r,
            &DVector::zeros(before.len()),
        )
    }

    /// The effects with their pointwise 95 % intervals; with `bands` simultaneous intervals as thin whiskers around them.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`] for bands of other effects; [`Error::InvalidOption`] when nothing can be drawn.
    pub fn plot(&self, bands: Option<&Simultaneous>) -> Result<Figure> {
        const LEVEL: f64 = 0.95;
        let mut plot = EventStudyPlot::new()
            .title(self.effects.estimand())
            .x_title("time since treatment")
            .y_title("effect");
        if let Some(reference) = self.reference {
            plot = plot.reference(reference);
        }
        let wide = bands.map_or(&[][..], |bands| &bands.intervals);
        if let Some(first) = wide.first() {
            plot = plot.note(format!(
                "Thick: {} % intervals of each effect alone; thin: {} % intervals of all at once.",
                100.0 * LEVEL,
                100.0 * first.level
            ));
        }
        for interval in wide {
            self.position(&interval.name)?;
        }
        for (time, effect) in self.times.iter().zip(self.coefficients()) {
            let interval = effect.confidence_interval(LEVEL)?;
            plot = plot.point(*time, effect.estimate, interval.lower, interval.upper);
            if let Some(band) = wide.iter().find(|band| band.name == effect.name) {
                plot = plot.band(band.lower, band.upper);
            }
        }
        plot.draw()
    }

    /// The effects, their average after treatment and the test of those before.
    pub fn table(&self) -> Table {
        let mut table = self.effects.table();
        if let Ok(average) = self.average() {
            table = table.note(format!("Mean effect from treatment on: {average}."));
        }
        if let Ok(test) = self.pre_trend_test() {
            table = table.note(format!("{test}."));
        }
        table
    }
}

crate::report::notebook::shown!(EventStudy);
