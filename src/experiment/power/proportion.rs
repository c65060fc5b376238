//! Power of the comparison of two proportions.

use super::planner::{Planner, Setting, Shape};
use super::proportion_exact::ExactTables;
use super::rejection::{Claim, Precision, Tested, margins, planned, positive, tested};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which test compares two proportions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProportionPowerTest {
    /// The normal test with the pooled variance under the null hypothesis, the root of the χ² test of the 2 × 2 table.
    #[default]
    Pooled,
    /// The Wald test: normal with the variance of each arm, the inverse of the usual interval.
    Unpooled,
    /// The normal test of arcsine transformed proportions, `h = 2 asin √p₁ − 2 asin √p₀` (Cohen).
    Arcsine,
    /// Fisher's exact test, its power by enumeration of all tables.
    Fisher,
    /// The pooled normal test, its power and size by enumeration rather than by the normal distribution.
    PooledEnumerated,
}

/// Power of a test of the difference of two proportions `δ = p₁ − p₀`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `baseline` | | p₀ | (0, 1) |
/// | `effect` | none | δ | p₀ + δ in (0, 1) |
/// | `lift` | none | the same as a relative change: δ = lift · p₀ | |
/// | `ratio` | 1 | treated units per control unit | > 0 |
/// | `test` | pooled | | see [`ProportionPowerTest`] |
/// | `alpha` | 0.05 | level | (0, 1) |
/// | `alternative` | two-sided | side | |
/// | `non_inferiority`, `equivalence` | | with the unpooled test | |
///
/// The enumerated tests count in whole units: a fraction of a unit in an arm is rounded to the nearest.
///
/// ```
/// use cocreate::prelude::*;
/// let plan = ProportionPower::new(0.10).lift(0.05).sample_size(0.8)?;
/// assert_eq!(plan.whole_size(), 2 * 57_763);
/// let exact = ProportionPower::new(0.2).effect(0.3).test(ProportionPowerTest::Fisher).power(60.0)?;
/// assert!((exact.power - 0.596).abs() < 1e-3); // the normal approximation says 0.69
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Fleiss, Levin & Paik (2003), *Statistical Methods for Rates and Proportions*, chapter 4; Cohen (1988), chapter 6.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProportionPower {
    baseline: f64,
    ratio: f64,
    test: ProportionPowerTest,
    tested: Tested,
}

tested!(ProportionPower);
margins!(ProportionPower);

impl ProportionPower {
    /// A proportion that is `baseline` in control.
    pub fn new(baseline: f64) -> Self {
        Self {
            baseline,
            ratio: 1.0,
            test: ProportionPowerTest::default(),
            tested: Tested::default(),
        }
    }

    /// Sets the effect as a relative change: 0.05 raises a proportion of 0.10 to 0.105.
    pub fn lift(self, lift: f64) -> Self {
        let effect = lift * self.baseline;
        self.effect(effect)
    }

    /// Treated units per control unit.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// Sets the test.
    pub fn test(mut self, test: ProportionPowerTest) -> Self {
        self.test = test;
        self
    }

    fn enumerated(&self) -> bool {
        matches!(
            self.test,
            ProportionPowerTest::Fisher | ProportionPowerTest::PooledEnumerated
        )
    }
}

impl Planner for ProportionPower {
    planned!();

    fn check(&self) -> Result<()> {
        if !(self.baseline > 0.0 && self.baseline < 1.0) {
            return Err(Error::invalid_option(
                "baseline",
                self.baseline,
                "between 0 and 1",
            ));
        }
        positive("ratio", self.ratio)?;
        if let Some(effect) = self.tested.effect {
            let treated = self.baseline + effect;
            if !(treated > 0.0 && treated < 1.0) {
                return Err(Error::invalid_option(
                    "effect",
                    effect,
                    format!(
                        "such that the treated proportion lies between 0 and 1; it would be {treated}"
                    ),
                ));
            }
        }
        let margin = !matches!(self.tested.claim, Claim::Difference(_));
        if margin && self.test != ProportionPowerTest::Unpooled {
            return Err(Error::invalid_option(
                "test",
                format!("{:?} with a margin", self.test),
                "ProportionPowerTest::Unpooled for non-inferiority and equivalence: the others test equality",
            ));
        }
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let (test, shape) = match self.test {
            ProportionPowerTest::Pooled => ("pooled normal test", Shape::Smooth),
            ProportionPowerTest::Unpooled => ("unpooled normal test", Shape::Smooth),
            ProportionPowerTest::Arcsine => ("normal test of arcsines", Shape::Smooth),
            ProportionPowerTest::Fisher => ("Fisher's exact test, enumerated", Shape::Sawtooth),
            ProportionPowerTest::PooledEnumerated => {
                ("pooled normal test, enumerated", Shape::Sawtooth)
            }
        };
        let smallest = (1.0 + self.ratio) * f64::max(1.0, 1.0 / self.ratio);
        let setting = Setting::new(
            format!("Two proportions, {test}"),
            "units",
            "Difference of the proportions",
            smallest,
        )
        .two_arms(self.ratio)
        .assume("Proportion in control", self.baseline);
        let mut setting = self.tested.place(setting);
        setting.shape = shape;
        // From the null value to the end of the unit interval.
        setting.limit = if setting.direction < 0.0 {
            self.baseline + setting.null
        } else {
            1.0 - self.baseline - setting.null
        };
        if setting.direction.abs() <= 0.0 {
            setting.limit = f64::INFINITY;
        }
        setting
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let (p0, p1) = (self.baseline, self.baseline + effect);
        let n0 = size / (1.0 + self.ratio);
        let n1 = size - n0;
        if self.enumerated() {
            let (n0, n1) = (n0.round().max(1.0) as usize, n1.round().max(1.0) as usize);
            let tables = ExactTables::new(n0, n1, p0, p1)?;
            let Claim::Difference(alternative) = self.tested.claim else {
                return Ok(f64::NAN); // refused by `check`
            };
            return Ok(match self.test {
                ProportionPowerTest::Fisher => tables.fisher(self.tested.alpha, alternative),
                _ => tables.pooled(self.tested.alpha, alternative),
            });
        }
        let unpooled = (p0 * (1.0 - p0) / n0 + p1 * (1.0 - p1) / n1).sqrt();
        match self.test {
            ProportionPowerTest::Arcsine => {
                let h = 2.0 * (p1.sqrt().asin() - p0.sqrt().asin());
                let se = (1.0 / n0 + 1.0 / n1).sqrt();
                self.tested.power(h, Precision::new(se, f64::INFINITY))
            }
            ProportionPowerTest::Pooled => {
                let p = (n0 * p0 + n1 * p1) / size;
                let precision = Precision {
                    under_null: (p * (1.0 - p) * (1.0 / n0 + 1.0 / n1)).sqrt(),
                    at_effect: unpooled,
                    df: f64::INFINITY,
                };
                self.tested.power(effect, precision)
            }
            _ => self
                .tested
                .power(effect, Precision::new(unpooled, f64::INFINITY)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::Alternative;

    #[test]
    fn the_three_questions_invert_each_other() {
        for test in [
            ProportionPowerTest::Pooled,
            ProportionPowerTest::Unpooled,
            ProportionPowerTest::Arcsine,
        ] {
            for (effect, ratio) in [(0.03, 1.0), (-0.05, 2.0), (0.3, 0.4)] {
                let planner = ProportionPower::new(0.1)
                    .effect(effect)
                    .ratio(ratio)
                    .test(test);
                let plan = planner.sample_size(0.8).unwrap();
                assert!((planner.power(plan.size).unwrap().power - 0.8).abs() < 1e-12);
                let found = planner.mde(plan.size, 0.8).unwrap().effect;
                assert!((found - effect).abs() < 1e-9, "{test:?} {effect} {found}");
            }
        }
    }

    #[test]
    fn exact_sizes_keep_their_power() {
        let planner = ProportionPower::new(0.2)
            .effect(0.4)
            .test(ProportionPowerTest::Fisher);
        let plan = planner.sample_size(0.8).unwrap();
        assert!(plan.size.fract() <= 0.0 && plan.power >= 0.8);
        assert!(planner.power(plan.size - 1.0).unwrap().power < 0.8);
        for more in 0..8 {
            assert!(planner.power(plan.size + f64::from(more)).unwrap().power >= 0.8);
        }
        let found = planner.mde(plan.size, 0.8).unwrap();
        assert!(found.effect <= 0.4 && (found.power - 0.8).abs() < 1e-9);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(ProportionPower::new(1.0).effect(0.1).power(100.0).is_err());
        assert!(ProportionPower::new(0.9).effect(0.1).power(100.0).is_err());
        let margin = ProportionPower::new(0.5).effect(0.0).non_inferiority(-0.05);
        assert!(margin.power(100.0).is_err());
        let plan = margin
            .test(ProportionPowerTest::Unpooled)
            .sample_size(0.8)
            .unwrap();
        assert!((plan.power - 0.8).abs() < 1e-12);
        // More than certainty cannot be detected: ten units.
        let few = ProportionPower::new(0.95).alternative(Alternative::Greater);
        assert!(matches!(
            few.mde(10.0, 0.8),
            Err(Error::Unidentified { .. })
        ));
    }
}
