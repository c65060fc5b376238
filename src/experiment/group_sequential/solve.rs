//! The boundary that has the level, and the drift that has the power.

use super::boundary::{EfficacyBoundary, SpendingFunction};
use super::recursion::Density;
use super::walk::{Allowed, Bounds, Chain, Walk};
use crate::error::{Error, Result};
use crate::numeric::optimize::{brent_root, secant_root};
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

impl Solved {
    /// What bounds without futility spend.
    fn without_futility(chain: &Chain) -> Self {
        let mut spent = 0.0;
        let alpha: Vec<f64> = (chain.crossings(0.0).iter())
            .map(|crossing| {
                spent += crossing.efficacy;
                spent
            })
            .collect();
        Self {
            bounds: chain.bounds().to_vec(),
            beta: vec![0.0; alpha.len()],
            alpha,
            drift: 0.0,
            power: spent,
        }
    }
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
        let mut solved = self.powered(fixed.as_ref())?;
        if let Some(fixed) = fixed {
            solved.alpha = fixed.alpha;
        }
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
    fn efficacy_bounds(&self) -> Result<Solved> {
        let plain = Asked {
            futility: None,
            binding: false,
            ..self.clone()
        };
        let Some(exponent) = self.efficacy.exponent() else {
            return plain.walk(None, 0.0, &[]);
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
        self.chain(&shaped(root?.point.sqrt()))
            .map(|chain| Solved::without_futility(&chain))
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

    /// The bounds at the drift at which the design has its power.
    fn powered(&self, fixed: Option<&Solved>) -> Result<Solved> {
        /// The drift of a design relative to that of one look: usually, and at most.
        const USUAL: f64 = 1.05;
        const WIDEST: [f64; 2] = [0.5, 5.0];
        let start = self.fixed_drift();
        let chain = match (fixed, self.futility) {
            (Some(fixed), None) => Some(Chain::new(
                Density::start(0.0),
                &fixed.bounds,
                self.two_sided,
                true,
            )?),
            _ => None,
        };
        let mut failed = None;
        // The last two.
        let mut tried: [Option<Solved>; 2] = [None, None];
        // On the scale of the normal quantile power is nearly linear in the drift.
        let mut lack = |drift: f64| {
            let solved = match (&chain, fixed) {
                (Some(chain), Some(fixed)) => Ok(Solved {
                    drift,
                    power: chain.power(drift),
                    ..fixed.clone()
                }),
                _ => self.walk(fixed, drift, &extrapolated(&tried, drift)),
            };
            match solved {
                Ok(solved) => {
                    let power = solved.power.clamp(0.0, 1.0);
                    tried = [tried[1].take(), Some(solved)];
                    normal::quantile(power) - normal::quantile(self.power)
                }
                Err(error) => {
                    failed = Some(error);
                    f64::NAN
                }
            }
        };
        let near = WIDEST.map(|factor| factor * start);
        let settled = secant_root(&mut lack, USUAL * start, 1.0, near, TOLERANCE);
        let found = match settled {
            Some(found) => Ok(found),
            None => brent_root(&mut lack, near[0], near[1], TOLERANCE).map(|root| root.point),
        };
        // Brent's method may have tried another point last.
        if let Some(drift) = found.as_ref().ok().filter(|_| settled.is_none()) {
            lack(*drift);
        }
        failed.map_or(Ok(()), Err)?;
        let [_, solved] = tried;
        (found.ok().and(solved)).ok_or_else(|| Error::Unidentified {
            what: format!("a drift with power {}", self.power),
            needs: "bounds that leave that much power: fewer stops for futility, a larger level or less power".into(),
        })
    }

    /// All looks under a drift. What `fixed` bounds spend is not counted again; `hints`: bounds near those to be found.
    fn walk(&self, fixed: Option<&Solved>, drift: f64, hints: &[Bounds]) -> Result<Solved> {
        let mut walk = Walk::new(self.two_sided, self.binding, drift);
        if fixed.is_some() {
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
                _ => fixed.map(|fixed| fixed.bounds[k].efficacy),
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

/// Bounds at a drift on the line through two solutions.
fn extrapolated(tried: &[Option<Solved>; 2], drift: f64) -> Vec<Bounds> {
    match tried {
        [Some(first), Some(second)] => {
            let share = (drift - second.drift) / (second.drift - first.drift);
            let share = if share.is_finite() { share } else { 0.0 };
            (first.bounds.iter().zip(&second.bounds))
                .map(|(first, second)| {
                    let line = |a: f64, b: f64| b + share * (b - a);
                    Bounds {
                        efficacy: line(first.efficacy, second.efficacy),
                        futility: (first.futility.zip(second.futility)).map(|(a, b)| line(a, b)),
                        ..*second
                    }
                })
                .collect()
        }
        [_, Some(one)] => one.bounds.clone(),
        _ => vec![],
    }
}
