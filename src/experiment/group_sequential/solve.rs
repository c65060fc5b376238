//! The boundary that has the level, and the drift that has the power.

use super::boundary::{EfficacyBoundary, SpendingFunction};
use super::recursion::Density;
use super::walk::{Allowed, Bounds, Chain, Walk};
use crate::error::{Error, Result};
use crate::numeric::optimize::brent_root;
use crate::numeric::special::normal;

/// The tolerance of constants and drifts, in units of z.
const TOLERANCE: f64 = 1e-11;

/// What is asked of the boundaries.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) fractions: &'a [f64],
    /// Level of one side.
    pub(super) alpha: f64,
    pub(super) power: f64,
    pub(super) two_sided: bool,
    pub(super) efficacy: EfficacyBoundary,
    pub(super) futility: Option<SpendingFunction>,
    pub(super) binding: bool,
}

/// Bounds, what they spend in total until each look, and the drift.
#[derive(Clone, Debug)]
pub(super) struct Solved {
    pub(super) bounds: Vec<Bounds>,
    pub(super) alpha: Vec<f64>,
    pub(super) beta: Vec<f64>,
    pub(super) drift: f64,
    /// The probability, at the drift, of stopping for an effect in the direction of the claim.
    power: f64,
}

impl Asked<'_> {
    /// The drift with which a test at one look has the power.
    pub(super) fn fixed_drift(&self) -> f64 {
        normal::upper_quantile(self.alpha) + normal::quantile(self.power)
    }

    pub(super) fn solve(&self) -> Result<Solved> {
        let fixed = match self.efficacy {
            EfficacyBoundary::Spending(_) if self.binding => None,
            _ => Some(self.efficacy_bounds()?),
        };
        let (drift, hints) = self.drift(fixed.as_deref())?;
        let solved = self.walk(fixed.as_deref(), drift, true, &hints)?;
        let interim = solved
            .bounds
            .split_last()
            .map_or(&[][..], |(_, interim)| interim);
        let met = |b: &Bounds| b.futility.is_some_and(|futility| futility >= b.efficacy);
        if let (Some(look), Some(futility)) = (interim.iter().position(met), self.futility) {
            return Err(Error::invalid_option(
                "futility",
                futility,
                format!(
                    "spending that leaves more for later: with this one the bounds meet at look {}, before the last",
                    look + 1
                ),
            ));
        }
        Ok(solved)
    }

    /// Efficacy bounds that do not count on futility.
    fn efficacy_bounds(&self) -> Result<Vec<f64>> {
        let plain = Asked {
            futility: None,
            binding: false,
            ..self.clone()
        };
        let Some(exponent) = self.efficacy.exponent() else {
            let solved = plain.walk(None, 0.0, true, &[])?;
            return Ok(solved.bounds.iter().map(|b| b.efficacy).collect());
        };
        let shaped = |c: f64| -> Vec<f64> {
            let looks = self.fractions.iter();
            looks.map(|t| c * t.powf(exponent)).collect()
        };
        // The bound of the last look alone crosses too rarely, Bonferroni's at every look too often.
        let looks = self.fractions.len() as f64;
        let low = normal::upper_quantile(self.alpha) * (1.0 - 1e-3);
        let high = normal::upper_quantile(self.alpha / looks) * (1.0 + 1e-3);
        let mut failed = None;
        // The logarithm of the level is nearly linear in the square of the bound.
        let excess = |square: f64| {
            let chain = self.chain(&shaped(square.sqrt()));
            match chain {
                Ok(chain) => (chain.power(0.0) / self.alpha).ln(),
                Err(error) => {
                    failed = Some(error);
                    f64::NAN
                }
            }
        };
        let root = brent_root(excess, low * low, high * high, TOLERANCE);
        failed.map_or(Ok(()), Err)?;
        Ok(shaped(root?.point.sqrt()))
    }

    fn chain(&self, efficacy: &[f64]) -> Result<Chain> {
        let bounds: Vec<Bounds> = (self.fractions.iter().zip(efficacy))
            .map(|(time, efficacy)| Bounds {
                time: *time,
                efficacy: *efficacy,
                futility: None,
            })
            .collect();
        Chain::new(Density::start(0.0), &bounds, self.two_sided, true)
    }

    /// The drift at which the design has its power, and bounds near those there.
    fn drift(&self, fixed: Option<&[f64]>) -> Result<(f64, Vec<Bounds>)> {
        /// The drift of a design relative to that of one look: nearly always, and at most.
        const USUAL: [f64; 2] = [0.99, 1.25];
        const WIDEST: [f64; 2] = [0.5, 5.0];
        let start = self.fixed_drift();
        let mut failed = None;
        let chain = match (fixed, self.futility) {
            (Some(efficacy), None) => Some(self.chain(efficacy)?),
            _ => None,
        };
        // On the scale of the normal quantile power is nearly linear in the drift.
        let lack =
            |power: f64| normal::quantile(power.clamp(0.0, 1.0)) - normal::quantile(self.power);
        let mut hints = Vec::new();
        let mut lack = |drift: f64| {
            if let Some(chain) = &chain {
                return lack(chain.power(drift));
            }
            match self.walk(fixed, drift, fixed.is_none(), &hints) {
                Ok(solved) => {
                    hints.clone_from(&solved.bounds);
                    lack(solved.power)
                }
                Err(error) => {
                    failed = Some(error);
                    f64::NAN
                }
            }
        };
        let mut within =
            |[low, high]: [f64; 2]| brent_root(&mut lack, low * start, high * start, TOLERANCE);
        let root = within(USUAL).or_else(|_| within(WIDEST));
        failed.map_or(Ok(()), Err)?;
        let root = root.map_err(|_| Error::Unidentified {
            what: format!("a drift with power {}", self.power),
            needs: "bounds that leave that much power: fewer stops for futility, a larger level or less power".into(),
        })?;
        Ok((root.point, hints))
    }

    /// All looks under a drift. `counting`: what given bounds spend is asked for; `hints`: bounds near those to be found.
    fn walk(
        &self,
        fixed: Option<&[f64]>,
        drift: f64,
        counting: bool,
        hints: &[Bounds],
    ) -> Result<Solved> {
        let mut walk = Walk::new(self.two_sided, self.binding, drift);
        if !counting {
            walk = walk.uncounted();
        }
        let last = self.fractions.len() - 1;
        let (mut bounds, mut alpha, mut beta) = (vec![], vec![], vec![]);
        for (k, time) in self.fractions.iter().copied().enumerate() {
            let spend = match self.efficacy {
                EfficacyBoundary::Spending(function) => function.spent(self.alpha, time),
                _ => self.alpha,
            };
            let fixed = match self.efficacy {
                EfficacyBoundary::HaybittlePeto(z) if k < last => Some(z),
                _ => fixed.map(|fixed| fixed[k]),
            };
            let allowed = Allowed {
                alpha: spend,
                efficacy: fixed,
                beta: self.futility.map(|f| f.spent(1.0 - self.power, time)),
                last: k == last,
                hint: hints.get(k).copied(),
            };
            if k == last && walk.alpha_spent() >= self.alpha && fixed.is_none() {
                return Err(Error::invalid_option(
                    "efficacy",
                    self.efficacy,
                    format!(
                        "a larger constant: the looks before the last already spend {:.2e} of the level {:.2e} of a side",
                        walk.alpha_spent(),
                        self.alpha
                    ),
                ));
            }
            let look = walk.bounds(time, allowed);
            walk.count(look, allowed.beta);
            alpha.push(walk.alpha_spent());
            beta.push(walk.beta_spent());
            if k < last {
                walk.advance(look, self.fractions[k + 1] - time)?;
            }
            bounds.push(look);
        }
        Ok(Solved {
            bounds,
            alpha,
            beta,
            drift,
            power: walk.power(),
        })
    }
}
