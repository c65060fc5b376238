//! Looks one after the other: what may be spent gives the boundary, the boundary the experiments that go on.

use super::recursion::{Density, Region};
use crate::error::Result;

/// Bounds at a look, for the statistic turned to the claim.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    /// Information fraction.
    pub(super) time: f64,
    /// Stop for an effect from here on; of a two-sided test on either side.
    pub(super) efficacy: f64,
    /// Stop for futility up to here; of a two-sided test within ± this. `None` without such a bound.
    pub(super) futility: Option<f64>,
}

impl Bounds {
    /// Where the experiment goes on, with or without minding futility.
    pub(super) fn region(self, two_sided: bool, mind: bool) -> Region {
        let futility = self.futility.filter(|_| mind);
        if two_sided {
            Region {
                lower: -self.efficacy,
                upper: self.efficacy,
                wedge: futility.unwrap_or(0.0),
            }
        } else {
            Region {
                lower: futility.unwrap_or(f64::NEG_INFINITY),
                upper: self.efficacy,
                wedge: 0.0,
            }
        }
    }
}

/// What happens at a look under a drift.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Crossing {
    /// Stop for an effect in the direction of the claim.
    pub(super) efficacy: f64,
    /// Stop of a two-sided test on the other side.
    pub(super) opposite: f64,
    /// Stop for futility before the last look.
    pub(super) futility: f64,
    /// The expectation of the estimate, in units in which the truth is the drift, over all stops at this look.
    pub(super) estimate: f64,
}

/// The experiments before each look.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    two_sided: bool,
    mind: bool,
    bounds: Vec<Bounds>,
    before: Vec<Density>,
}

impl Chain {
    /// The chain from `start` through given bounds. `mind`: futility bounds are followed.
    pub(super) fn new(
        start: Density,
        bounds: &[Bounds],
        two_sided: bool,
        mind: bool,
    ) -> Result<Self> {
        let mut before = vec![start];
        for (k, pair) in bounds.windows(2).enumerate() {
            let (now, next) = (pair[0], pair[1].time - pair[0].time);
            before.push(before[k].advance(now.time, now.region(two_sided, mind), next)?);
        }
        Ok(Self {
            two_sided,
            mind,
            bounds: bounds.to_vec(),
            before,
        })
    }

    pub(super) fn bounds(&self) -> &[Bounds] {
        &self.bounds
    }

    /// What happens at each look under a drift. At the last look an experiment ends whatever its statistic.
    pub(super) fn crossings(&self, drift: f64) -> Vec<Crossing> {
        let last = self.bounds.len() - 1;
        let looks = self.bounds.iter().zip(&self.before).enumerate();
        looks
            .map(|(k, (bounds, density))| {
                let (at, density) = (bounds.time, density.at(drift));
                let tail = |z: f64, sign: f64| density.tail(at, z, sign);
                let up = tail(bounds.efficacy, 1.0);
                let mut crossing = Crossing {
                    efficacy: up.probability,
                    ..Crossing::default()
                };
                let mut score = up.score;
                if self.two_sided {
                    let down = tail(-bounds.efficacy, -1.0);
                    crossing.opposite = down.probability;
                    score += down.score;
                }
                if k == last {
                    // The part above and the part below are all.
                    score = up.score + tail(bounds.efficacy, -1.0).score;
                } else if let Some(futility) = bounds.futility.filter(|_| self.mind) {
                    let mut stopped = tail(futility, -1.0);
                    if self.two_sided {
                        let other = tail(-futility, -1.0);
                        stopped.probability -= other.probability;
                        stopped.score -= other.score;
                    }
                    crossing.futility = stopped.probability;
                    score += stopped.score;
                }
                crossing.estimate = score / at;
                crossing
            })
            .collect()
    }

    /// The probability of stopping for an effect in the direction of the claim.
    pub(super) fn power(&self, drift: f64) -> f64 {
        let looks = self.bounds.iter().zip(&self.before);
        looks
            .map(|(b, density)| density.at(drift).above(b.time, b.efficacy))
            .sum()
    }
}

/// Spends two error probabilities look by look.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub(super) two_sided: bool,
    /// Whether the level counts on stops for futility.
    pub(super) binding: bool,
    /// The drift at which the second error is counted.
    pub(super) drift: f64,
    /// Experiments that go on, futility minded.
    minded: Density,
    /// The same at `drift`.
    turned: Density,
    /// The same with those that stopped for futility, on which a level that is not binding counts; `None` while there are none.
    level: Option<Density>,
    /// Whether what the efficacy bounds spend is asked for.
    counting: bool,
    alpha_spent: f64,
    beta_spent: f64,
    power: f64,
}

/// What a look may spend, in total until then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed {
    /// Of the level, on one side.
    pub(super) alpha: f64,
    /// A bound that was fixed beforehand, instead of what `alpha` allows.
    pub(super) efficacy: Option<f64>,
    /// Of the second error; `None` without a futility bound.
    pub(super) beta: Option<f64>,
    /// Whether no look follows.
    pub(super) last: bool,
    /// Bounds near those to be found.
    pub(super) hint: Option<Bounds>,
}

impl Walk {
    pub(super) fn new(two_sided: bool, binding: bool, drift: f64) -> Self {
        Self {
            two_sided,
            binding,
            drift,
            minded: Density::start(0.0),
            turned: Density::start(drift),
            level: None,
            counting: true,
            alpha_spent: 0.0,
            beta_spent: 0.0,
            power: 0.0,
        }
    }

    /// Without counting what efficacy bounds spend, for bounds that are all given.
    pub(super) fn uncounted(mut self) -> Self {
        self.counting = false;
        self
    }

    /// Spent of the level until now, on one side.
    pub(super) fn alpha_spent(&self) -> f64 {
        self.alpha_spent
    }

    /// Spent of the second error until now.
    pub(super) fn beta_spent(&self) -> f64 {
        self.beta_spent
    }

    /// The probability, at the drift, of having stopped for an effect.
    pub(super) fn power(&self) -> f64 {
        self.power
    }

    /// The bounds at a look.
    pub(super) fn bounds(&self, time: f64, allowed: Allowed) -> Bounds {
        let level = self.level.as_ref().unwrap_or(&self.minded);
        let left = allowed.alpha - self.alpha_spent;
        let hint = (allowed.hint)
            .map(|near| near.efficacy)
            .filter(|z| z.is_finite());
        let efficacy = (allowed.efficacy).unwrap_or_else(|| level.quantile(time, left, 1.0, hint));
        let futility = allowed.beta.map(|beta| {
            if allowed.last {
                efficacy
            } else {
                let hint = allowed.hint.and_then(|near| near.futility);
                self.futility(time, efficacy, beta - self.beta_spent, hint)
            }
        });
        // Nothing to spend yet is no bound.
        let futility = futility.filter(|z| z.is_finite());
        Bounds {
            time,
            efficacy,
            futility,
        }
    }

    /// The futility bound that spends what is left of the second error.
    fn futility(&self, time: f64, efficacy: f64, left: f64, hint: Option<f64>) -> f64 {
        let bound = if self.two_sided {
            // Whoever stops on the other side misses the effect, too.
            let left = left - self.turned.below(time, -efficacy);
            self.turned.wedge(time, left, hint)
        } else {
            self.turned.quantile(time, left, -1.0, hint)
        };
        bound.min(efficacy)
    }

    /// Counts what a look spends; `beta` is what its futility bound was to spend until there, if known.
    pub(super) fn count(&mut self, bounds: Bounds, beta: Option<f64>) {
        let Bounds { time, efficacy, .. } = bounds;
        if self.counting {
            let level = self.level.as_ref().unwrap_or(&self.minded);
            self.alpha_spent += level.above(time, efficacy);
        }
        self.power += self.turned.above(time, efficacy);
        let Some(futility) = bounds.futility else {
            return;
        };
        let met = futility >= efficacy || self.two_sided && futility <= 0.0;
        let below = |z: f64| self.turned.below(time, z);
        self.beta_spent = match beta {
            Some(beta) if !met => beta,
            _ if self.two_sided => {
                self.beta_spent + below(-efficacy) + below(futility) - below(-futility)
            }
            _ => self.beta_spent + below(futility),
        };
    }

    /// Goes on to the next look, this much later.
    pub(super) fn advance(&mut self, bounds: Bounds, next: f64) -> Result<()> {
        let minded = bounds.region(self.two_sided, true);
        let level = bounds.region(self.two_sided, false);
        if self.counting && !self.binding && (self.level.is_some() || minded != level) {
            let before = self.level.as_ref().unwrap_or(&self.minded);
            self.level = Some(before.advance(bounds.time, level, next)?);
        }
        self.minded = self.minded.advance(bounds.time, minded, next)?;
        self.turned = self.minded.at(self.drift);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_is_a_martingale_that_stops() {
        // Wald's identity: E B(τ) = θ E τ, whatever the bounds and the drift.
        let bounds = |efficacy: [f64; 3], futility: Option<[f64; 2]>| -> Vec<Bounds> {
            let times = [0.3, 0.45, 1.0];
            (0..3)
                .map(|k| Bounds {
                    time: times[k],
                    efficacy: efficacy[k],
                    futility: futility.and_then(|f| f.get(k).copied()),
                })
                .collect()
        };
        for (efficacy, futility, two_sided) in [
            ([2.5, 2.3, 2.1], None, false),
            ([2.5, 2.3, 2.1], Some([-0.5, 1.0]), false),
            ([2.5, f64::INFINITY, 2.1], None, true),
            ([2.5, 2.3, 2.1], Some([0.3, 1.0]), true),
        ] {
            let bounds = bounds(efficacy, futility);
            for drift in [-4.0, 0.0, 1.3, 6.0] {
                // From drift zero by likelihood ratios, and directly.
                for start in [0.0, drift] {
                    let chain =
                        Chain::new(Density::start(start), &bounds, two_sided, true).unwrap();
                    let (mut score, mut time, mut ended) = (0.0, 0.0, 0.0);
                    for (crossing, look) in chain.crossings(drift).iter().zip(&bounds) {
                        let mut here = crossing.efficacy + crossing.opposite + crossing.futility;
                        if look.time >= 1.0 {
                            here = 1.0 - ended;
                        }
                        ended += here;
                        time += look.time * here;
                        score += look.time * crossing.estimate;
                    }
                    // One-sided bounds have no lower end: a density for drift zero is cut nine standard deviations below it.
                    let tolerance = if drift < 0.0 && start.abs() <= 0.0 {
                        1e-6
                    } else {
                        1e-11
                    };
                    assert!(
                        (score - drift * time).abs() < tolerance,
                        "{drift} {start} {score}"
                    );
                }
            }
        }
    }
}
