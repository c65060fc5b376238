//! Boundaries and spending functions by name.

use crate::error::{Error, Result};
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};
use std::f64::consts::E;
use std::fmt;

/// How the statistic must be to stop for an effect; z is that of the effect in the direction of the claim, t the information fraction.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum EfficacyBoundary {
    /// `z ≥ c/√t`: hard to cross early, nearly the fixed test at the end (O'Brien & Fleming 1979).
    OBrienFleming,
    /// `z ≥ c` at every look (Pocock 1977).
    Pocock,
    /// `z ≥ c t^(Δ − ½)`: Δ = 0 is O'Brien–Fleming, Δ = ½ Pocock (Wang & Tsiatis 1987). Δ in [−½, ½].
    WangTsiatis(f64),
    /// `z ≥` this constant (3 is usual) at every look but the last, which gets what is left of the level (Haybittle 1971; Peto et al. 1976).
    HaybittlePeto(f64),
    /// What a spending function has to spend at each look (Lan & DeMets 1983). The only one whose definition knows looks that were not planned.
    Spending(SpendingFunction),
}

/// How much of an error probability `e` may be spent by the information fraction t (Lan & DeMets 1983).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum SpendingFunction {
    /// `2 − 2Φ(z(1 − e/2)/√t)`: close to O'Brien–Fleming's boundary. A two-sided test spends so on either side.
    OBrienFleming,
    /// `e ln(1 + (E − 1)t)`, E Euler's number: close to Pocock's boundary.
    Pocock,
    /// `e (1 − exp(−γt))/(1 − exp(−γ))`, `e t` at γ = 0 (Hwang, Shih & DeCani 1990): −4 is close to O'Brien–Fleming, 1 to Pocock. γ in [−40, 40].
    HwangShihDeCani(f64),
    /// `e t^ρ` (Kim & DeMets 1987). ρ in (0, 50].
    KimDeMets(f64),
}

impl SpendingFunction {
    /// What of `error` is spent by the fraction `t`: nothing at zero, all from one on.
    pub fn spent(self, error: f64, t: f64) -> f64 {
        /// Below, exp(γ) − 1 has no digits left and the function is linear.
        const LINEAR: f64 = 1e-8;
        if t <= 0.0 {
            return 0.0;
        }
        if t >= 1.0 {
            return error;
        }
        match self {
            Self::OBrienFleming => 2.0 * normal::sf(normal::upper_quantile(0.5 * error) / t.sqrt()),
            Self::Pocock => error * ((E - 1.0) * t).ln_1p(),
            Self::HwangShihDeCani(gamma) if gamma.abs() < LINEAR => error * t,
            Self::HwangShihDeCani(gamma) => error * (-gamma * t).exp_m1() / (-gamma).exp_m1(),
            Self::KimDeMets(rho) => error * t.powf(rho),
        }
    }

    pub(super) fn check(self, option: &str) -> Result<()> {
        const WIDEST: f64 = 40.0;
        const STEEPEST: f64 = 50.0;
        match self {
            Self::HwangShihDeCani(gamma) if !(-WIDEST..=WIDEST).contains(&gamma) => Err(
                Error::invalid_option(option, self, "with γ between −40 and 40; −4 is usual"),
            ),
            Self::KimDeMets(rho) if !(rho > 0.0 && rho <= STEEPEST) => Err(Error::invalid_option(
                option,
                self,
                "with ρ above 0 and at most 50; 1 to 3 are usual",
            )),
            _ => Ok(()),
        }
    }
}

impl EfficacyBoundary {
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::WangTsiatis(delta) if !(-0.5..=0.5).contains(&delta) => {
                Err(Error::invalid_option(
                    "efficacy",
                    self,
                    "with Δ between −½ and ½; 0 is O'Brien–Fleming, ½ Pocock",
                ))
            }
            Self::HaybittlePeto(z) if !(z > 0.0 && z.is_finite()) => Err(Error::invalid_option(
                "efficacy",
                self,
                "with a positive bound before the last look; 3 is usual",
            )),
            Self::Spending(function) => function.check("efficacy"),
            _ => Ok(()),
        }
    }

    /// The exponent `Δ − ½` of the fraction, for boundaries of that shape.
    pub(super) fn exponent(self) -> Option<f64> {
        match self {
            Self::OBrienFleming => Some(-0.5),
            Self::Pocock => Some(0.0),
            Self::WangTsiatis(delta) => Some(delta - 0.5),
            Self::HaybittlePeto(_) | Self::Spending(_) => None,
        }
    }
}

impl fmt::Display for SpendingFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OBrienFleming => write!(f, "spending of the O'Brien–Fleming type"),
            Self::Pocock => write!(f, "spending of the Pocock type"),
            Self::HwangShihDeCani(gamma) => write!(f, "Hwang–Shih–DeCani spending, γ = {gamma}"),
            Self::KimDeMets(rho) => write!(f, "Kim–DeMets spending, ρ = {rho}"),
        }
    }
}

impl fmt::Display for EfficacyBoundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OBrienFleming => write!(f, "O'Brien–Fleming"),
            Self::Pocock => write!(f, "Pocock"),
            Self::WangTsiatis(delta) => write!(f, "Wang–Tsiatis, Δ = {delta}"),
            Self::HaybittlePeto(z) => write!(f, "Haybittle–Peto, z = {z}"),
            Self::Spending(function) => function.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_spent_at_the_end_and_nothing_before_the_start() {
        for function in [
            SpendingFunction::OBrienFleming,
            SpendingFunction::Pocock,
            SpendingFunction::HwangShihDeCani(-4.0),
            SpendingFunction::HwangShihDeCani(0.0),
            SpendingFunction::HwangShihDeCani(2.0),
            SpendingFunction::KimDeMets(3.0),
        ] {
            assert_eq!(function.spent(0.03, 0.0), 0.0);
            assert_eq!(function.spent(0.03, 1.2), 0.03);
            let mut before = 0.0;
            for i in 1..=1000 {
                let now = function.spent(0.03, f64::from(i) / 1000.0);
                assert!(
                    now >= before && now <= 0.03 * (1.0 + 1e-15),
                    "{function} {i}"
                );
                before = now;
            }
            // Continuous at the end: the last step is a small one.
            assert!(0.03 - function.spent(0.03, 1.0 - 1e-9) < 1e-9);
        }
        let nearly = SpendingFunction::HwangShihDeCani(1e-7).spent(0.03, 0.3);
        assert!((nearly - 0.009).abs() < 1e-9);
    }
}
