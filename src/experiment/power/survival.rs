//! Power of the log-rank test and of Cox regression.

use super::planner::{Planner, Setting};
use super::rejection::{Precision, Tested, planned, positive, tested};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Power of the log-rank test of proportional hazards, by Schoenfeld's formula: the log hazard ratio is estimated with variance
/// `1/(π₀ π₁ d)` from d events, π the shares of the arms.
///
/// The effect is `HR − 1`. Without a share of events the size counts events; with it units: a control unit has its event while it is
/// watched with probability p, a treated one with `1 − (1 − p)^HR`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `effect` | none | hazard ratio less one | > −1 |
/// | `hazard_ratio` | | the same | > 0 |
/// | `event_share` | none | p | (0, 1] |
/// | `ratio` | 1 | treated units per control unit | > 0 |
/// | `r_squared` | 0 | of treatment on the other regressors (Cox) | [0, 1) |
///
/// ```
/// use cocreate::prelude::*;
/// let events = SurvivalPower::new().hazard_ratio(0.7).sample_size(0.8)?;
/// assert_eq!(events.size.ceil(), 247.0); // Schoenfeld: 4 (1.96 + 0.84)²/ln²(0.7)
/// let units = SurvivalPower::new().event_share(0.4).hazard_ratio(0.7).sample_size(0.8)?;
/// assert!(units.size > 700.0 && units.size < 730.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Schoenfeld (1983), doi:10.2307/2531021; Hsieh & Lavori (2000), doi:10.1016/S0197-2456(00)00104-5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurvivalPower {
    event_share: Option<f64>,
    ratio: f64,
    r_squared: f64,
    tested: Tested,
}

tested!(SurvivalPower);

impl Default for SurvivalPower {
    fn default() -> Self {
        Self {
            event_share: None,
            ratio: 1.0,
            r_squared: 0.0,
            tested: Tested::default(),
        }
    }
}

impl SurvivalPower {
    /// Arms of equal size; the size counts events.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the effect by the hazard ratio of treated to control.
    pub fn hazard_ratio(self, ratio: f64) -> Self {
        self.effect(ratio - 1.0)
    }

    /// The probability that a control unit has its event while it is watched; the size then counts units.
    pub fn event_share(mut self, share: f64) -> Self {
        self.event_share = Some(share);
        self
    }

    /// Treated units per control unit.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// The share of the variance of treatment that the other regressors of a Cox regression explain.
    pub fn r_squared(mut self, share: f64) -> Self {
        self.r_squared = share;
        self
    }

    /// Events among units of this size.
    fn events(&self, size: f64, effect: f64) -> f64 {
        let Some(p) = self.event_share else {
            return size;
        };
        let treated = 1.0 - (1.0 - p).powf(1.0 + effect);
        size * (p + self.ratio * treated) / (1.0 + self.ratio)
    }
}

impl Planner for SurvivalPower {
    planned!();

    fn check(&self) -> Result<()> {
        positive("ratio", self.ratio)?;
        super::rejection::r_squared("r_squared", self.r_squared)?;
        if let Some(share) = self.event_share.filter(|p| !(*p > 0.0 && *p <= 1.0)) {
            return Err(Error::invalid_option(
                "event_share",
                share,
                "above 0 and at most 1",
            ));
        }
        if let Some(effect) = self.tested.effect.filter(|e| *e <= -1.0 || e.is_nan()) {
            return Err(Error::invalid_option(
                "hazard_ratio",
                effect + 1.0,
                "above 0",
            ));
        }
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let (size_of, smallest) = match self.event_share {
            Some(p) => ("units", 2.0 / p),
            None => ("events", 2.0),
        };
        let mut setting = Setting::new(
            "Log-rank test, Schoenfeld's formula",
            size_of,
            "Hazard ratio less one",
            smallest,
        );
        if let Some(p) = self.event_share {
            setting = setting
                .two_arms(self.ratio)
                .assume("Share of control units with the event", p);
            if let Some(effect) = self.tested.effect {
                let events = self.events(1.0, effect);
                setting = setting.assume("Events a unit", format!("{events:.4}"));
            }
        } else {
            setting = setting.assume("Treated units per control unit", self.ratio);
        }
        if self.r_squared > 0.0 {
            setting = setting.assume("R² of treatment on the other regressors", self.r_squared);
        }
        let mut setting = self.tested.place(setting.assume("Hazards", "proportional"));
        if setting.direction < 0.0 {
            setting.limit = 1.0;
        }
        setting
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let share = self.ratio / (1.0 + self.ratio).powi(2);
        let events = self.events(size, effect);
        let se = 1.0 / (share * (1.0 - self.r_squared) * events).sqrt();
        self.tested
            .power(effect.ln_1p(), Precision::new(se, f64::INFINITY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_questions_invert_each_other() {
        for (hr, share) in [(0.7, None), (1.4, Some(0.3)), (0.5, Some(0.05))] {
            let mut planner = SurvivalPower::new().hazard_ratio(hr).ratio(2.0);
            planner.event_share = share;
            let plan = planner.sample_size(0.8).unwrap();
            assert!((planner.power(plan.size).unwrap().power - 0.8).abs() < 1e-12);
            let found = planner.mde(plan.size, 0.8).unwrap().effect;
            assert!((found + 1.0 - hr).abs() < 1e-9, "{found}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(SurvivalPower::new().hazard_ratio(0.0).power(99.0).is_err());
        assert!(
            SurvivalPower::new()
                .hazard_ratio(1.0)
                .sample_size(0.8)
                .is_err()
        );
        assert!(
            SurvivalPower::new()
                .event_share(0.0)
                .hazard_ratio(0.5)
                .power(99.0)
                .is_err()
        );
    }
}
