//! What may still happen after a look.

use super::design::SMALLEST_STEP;
use super::monitor::GroupSequentialMonitor;
use super::recursion::Density;
use super::walk::{Bounds, Chain};
use crate::error::{Error, Result};

impl GroupSequentialMonitor {
    /// The probability, given the data so far, of stopping for an effect at one of the planned looks to come, if the true effect is this one:
    /// that of the design, the estimate ("current trend"), or any other. Of a two-sided test on either side.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an effect that is not finite (in units of its standard error, too), and after a stop that cannot be overruled.
    pub fn conditional_power(&self, effect: f64) -> Result<f64> {
        let drift = self.design.sign() * effect * self.maximum_information.sqrt();
        if !drift.is_finite() {
            return Err(Error::invalid_option(
                "effect",
                effect,
                "finite, in units of the standard error too",
            ));
        }
        let future = self.still_to_come("conditional_power")?;
        let (time, score) = self.looks.last().map_or((0.0, 0.0), |look| {
            let turned = self.design.sign() * look.statistic;
            (look.fraction, turned * look.fraction.sqrt())
        });
        self.success(Density::from(time, score, drift), &future, drift)
    }

    /// The conditional power averaged over what the data so far say about the effect, without prior knowledge: its posterior under a flat
    /// prior is normal around the estimate.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] before the first look, and after a stop that cannot be overruled.
    ///
    /// # References
    /// Spiegelhalter, Freedman & Blackburn (1986), doi:10.1016/0197-2456(86)90003-6.
    pub fn predictive_power(&self) -> Result<f64> {
        let future = self.still_to_come("predictive_power")?;
        let Some(look) = self.looks.last() else {
            return Err(Error::invalid_option(
                "predictive_power",
                "asked before the first look",
                "asked after a look: without data there is no posterior; see `design.stopping(…)`",
            ));
        };
        // The estimates to come are normal around the present one, with independent increments of variance 1/t − 1/t' in units of the
        // drift: a score with another clock and no drift.
        let time = look.fraction;
        let estimate = self.design.sign() * look.statistic / time.sqrt();
        let turned: Vec<Bounds> = (future.iter())
            .map(|bounds| {
                let clock = 1.0 / time - 1.0 / bounds.time;
                let unit = 1.0 / (bounds.time * clock).sqrt();
                Bounds {
                    time: clock,
                    efficacy: bounds.efficacy * unit,
                    futility: bounds.futility.map(|z| z * unit),
                }
            })
            .collect();
        self.success(Density::from(0.0, estimate, 0.0), &turned, 0.0)
    }

    fn still_to_come(&self, asked: &str) -> Result<Vec<Bounds>> {
        let future = self.future()?;
        if self.stopped() && !self.overrulable() || future.is_empty() {
            return Err(Error::invalid_option(
                asked,
                "asked although no look is to come",
                "asked before the experiment stops",
            ));
        }
        Ok(future)
    }

    /// The probability of stopping for an effect, on either side of a two-sided test.
    fn success(&self, start: Density, future: &[Bounds], drift: f64) -> Result<f64> {
        let chain = Chain::new(start, future, self.design.two_sided(), true)?;
        let crossings = chain.crossings(drift);
        Ok(crossings.iter().map(|c| c.efficacy + c.opposite).sum())
    }

    /// The bounds of the planned looks that are still to come.
    pub(super) fn future(&self) -> Result<Vec<Bounds>> {
        let now = self.looks.last().map_or(0.0, |look| look.fraction);
        let planned = self.design.looks.iter().map(|look| look.fraction);
        let times: Vec<f64> = planned.filter(|t| *t >= now + SMALLEST_STEP).collect();
        let Some(first) = times.first() else {
            return Ok(vec![]);
        };
        let mut walk = self.walk(*first)?;
        let mut bounds = Vec::with_capacity(times.len());
        for (k, time) in times.iter().enumerate() {
            let allowed = self.allowed(*time, k + 1 == times.len());
            let look = walk.bounds(*time, allowed);
            walk.count(look, allowed.beta);
            if let Some(next) = times.get(k + 1) {
                walk.advance(look, next - time)?;
            }
            bounds.push(look);
        }
        Ok(bounds)
    }
}
