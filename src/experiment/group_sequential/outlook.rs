//! What may still happen after a look.

use super::design::SMALLEST_STEP;
use super::monitor::GroupSequentialMonitor;
use super::recursion::Density;
use super::walk::{Bounds, Chain};
use crate::error::{Error, Result};
use crate::numeric::quadrature::gauss_hermite_normal;

impl GroupSequentialMonitor {
    /// The probability, given the data so far, of stopping for an effect at one of the planned looks to come, if the true effect is this one:
    /// that of the design, the estimate ("current trend"), or any other. Of a two-sided test on either side.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an effect that is not finite, and after a stop that cannot be overruled.
    pub fn conditional_power(&self, effect: f64) -> Result<f64> {
        if !effect.is_finite() {
            return Err(Error::invalid_option("effect", effect, "finite"));
        }
        let future = self.still_to_come("conditional_power")?;
        self.power_from_here(
            &future,
            self.design.sign() * effect * self.maximum_information.sqrt(),
        )
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
        /// Conditional power is a smooth step in the effect.
        const NODES: usize = 64;
        let future = self.still_to_come("predictive_power")?;
        let Some(look) = self.looks.last() else {
            return Err(Error::invalid_option(
                "predictive_power",
                "asked before the first look",
                "asked after a look: without data there is no posterior; see `design.stopping(…)`",
            ));
        };
        let root = look.fraction.sqrt();
        let centre = self.design.sign() * look.statistic / root;
        let rule = gauss_hermite_normal(NODES)?;
        let mut power = 0.0;
        for (node, weight) in rule.nodes().iter().zip(rule.weights()) {
            power += weight * self.power_from_here(&future, centre + node / root)?;
        }
        Ok(power)
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

    fn power_from_here(&self, future: &[Bounds], drift: f64) -> Result<f64> {
        let start = self.looks.last().map_or_else(
            || Density::start(drift),
            |look| {
                let turned = self.design.sign() * look.statistic;
                Density::from(look.fraction, turned * look.fraction.sqrt(), drift)
            },
        );
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
