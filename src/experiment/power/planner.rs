//! The three questions of planning, and the searches that answer two of them.

use super::curve::PowerCurve;
use super::plan::{ArmSize, Assumption, PowerPlan};
use crate::error::{Error, Result};
use crate::numeric::optimize::brent_root;

/// Sizes beyond this are not found in this world; a search that arrives here says so.
const LARGEST_SIZE: f64 = 1e15;

/// Factor by which a bracket grows.
const GROWTH: f64 = 4.0;

/// Steps of a bracket: 4⁶⁰ covers the range of useful numbers.
const MOST_STEPS: usize = 60;

/// Halvings of a bracket where power moves in steps (simulated).
const HALVINGS: usize = 40;

/// How far ahead a saw-toothed power is checked, as a share of the size, and at least so many sizes.
const AHEAD_SHARE: f64 = 0.05;
const AHEAD_FEWEST: usize = 20;

/// How power moves with size and effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Smoothly: sizes are not rounded.
    #[default]
    Smooth,
    /// With a saw's teeth, because outcomes are counts and the test is exact: sizes are whole.
    Sawtooth,
    /// In steps, because it is a share of so many simulated experiments: sizes are whole.
    Simulated {
        /// Experiments simulated at each size and effect.
        replications: usize,
    },
}

/// What a planner tells about its test; the searches and the printed plan need it.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The test.
    pub test: String,
    /// What the size counts.
    pub size_of: String,
    /// Arms and their shares of the size, which sum to one; empty when a size has no arms.
    pub arms: Vec<(String, f64)>,
    /// What the effect is.
    pub effect_name: String,
    /// The effect at which the test has its level.
    pub null: f64,
    /// Where effects are looked for from there: 1 above, −1 below; 0 when no smallest detectable effect is defined.
    pub direction: f64,
    /// How far an effect can be from the null value; infinite without limit.
    pub limit: f64,
    /// The smallest size for which the test is defined.
    pub smallest: f64,
    /// How power moves.
    pub shape: Shape,
    /// What else is assumed.
    pub assumptions: Vec<Assumption>,
}

impl Setting {
    /// A smooth test without arms, of effects above zero, for sizes from `smallest`.
    pub fn new(
        test: impl Into<String>,
        size_of: impl Into<String>,
        effect_name: impl Into<String>,
        smallest: f64,
    ) -> Self {
        Self {
            test: test.into(),
            size_of: size_of.into(),
            arms: Vec::new(),
            effect_name: effect_name.into(),
            null: 0.0,
            direction: 1.0,
            limit: f64::INFINITY,
            smallest,
            shape: Shape::Smooth,
            assumptions: Vec::new(),
        }
    }

    /// With these arms and shares.
    pub fn arms<S: Into<String>>(mut self, arms: impl IntoIterator<Item = (S, f64)>) -> Self {
        self.arms = arms.into_iter().map(|(n, s)| (n.into(), s)).collect();
        self
    }

    /// With the arms `control` and `treated`, the latter `ratio` times as large.
    pub fn two_arms(self, ratio: f64) -> Self {
        self.arms([
            ("control", 1.0 / (1.0 + ratio)),
            ("treated", ratio / (1.0 + ratio)),
        ])
    }

    /// With one more assumption.
    pub fn assume(mut self, name: impl Into<String>, value: impl std::fmt::Display) -> Self {
        self.assumptions.push(Assumption {
            name: name.into(),
            value: value.to_string(),
        });
        self
    }
}

/// A test whose power is planned: `power` of a size, `sample_size` for a power, `mde` (smallest effect that is found with a power) of a
/// size. The three invert each other. A size counts all arms together.
///
/// A planner of your own gives the six required methods.
///
/// ```
/// use cocreate::prelude::*;
/// let plan = MeanPower::new(1.0).effect(0.2).sample_size(0.8)?;
/// assert!((plan.arm("control").unwrap() - 393.4057).abs() < 1e-4);
/// let back = MeanPower::new(1.0).mde(plan.size, 0.8)?;
/// assert!((back.effect - 0.2).abs() < 1e-9);
/// # Ok::<(), cocreate::Error>(())
/// ```
pub trait Planner: Clone {
    /// Checks the options.
    ///
    /// # Errors
    /// [`Error::InvalidOption`].
    fn check(&self) -> Result<()>;

    /// The level of the test.
    fn alpha_level(&self) -> f64;

    /// The effect that is assumed, if any was given.
    fn assumed_effect(&self) -> Option<f64>;

    /// The same planner with another effect.
    fn assuming(&self, effect: f64) -> Self;

    /// What the test is and what it assumes.
    fn setting(&self) -> Setting;

    /// The probability of rejecting with this size at the assumed effect. Options are checked, the effect is given and the size is
    /// at least the smallest when it is called.
    ///
    /// # Errors
    /// Those of the test.
    fn power_at(&self, size: f64, effect: f64) -> Result<f64>;

    /// The power of the test with this size.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for options out of range, no effect, or a size for which the test is not defined.
    fn power(&self, size: f64) -> Result<PowerPlan> {
        let setting = self.prepared()?;
        check_size(&setting, size)?;
        let effect = self.required_effect(&setting)?;
        let power = self.power_at(size, effect)?;
        Ok(self.plan(setting, size, effect, power))
    }

    /// The smallest size with which the test has this power. Where power is saw-toothed (exact tests of counts), it is the size from
    /// which on power stays there, looked for 5 % ahead.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for options out of range, no effect, or a power not between the level and 1;
    /// [`Error::Unidentified`] when no size has this power.
    fn sample_size(&self, power: f64) -> Result<PowerPlan> {
        let setting = self.prepared()?;
        check_power(power, self.alpha_level())?;
        let effect = self.required_effect(&setting)?;
        if setting.direction.abs() > 0.0 && (effect - setting.null).abs() <= 0.0 {
            return Err(Error::Unidentified {
                what: format!("a sample size for an effect of {effect}"),
                needs: "an effect that differs from the null hypothesis; set the smallest one worth finding with `.effect(…)`".into(),
            });
        }
        let at = |size: f64| self.power_at(size, effect);
        let size = match setting.shape {
            Shape::Smooth => smooth_size(&setting, power, at)?,
            Shape::Sawtooth | Shape::Simulated { .. } => whole_size(&setting, power, at)?,
        };
        let reached = self.power_at(size, effect)?;
        Ok(self.plan(setting, size, effect, reached))
    }

    /// The smallest effect that the test finds with this power and size, in the direction of the alternative (of the effect, if one was
    /// given, for a two-sided test).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for options, size or power out of range, and for a test of equivalence; [`Error::Unidentified`] when no
    /// effect is found with this power.
    fn mde(&self, size: f64, power: f64) -> Result<PowerPlan> {
        let setting = self.prepared()?;
        check_size(&setting, size)?;
        check_power(power, self.alpha_level())?;
        if setting.direction.abs() <= 0.0 {
            return Err(Error::invalid_option(
                "mde",
                "asked of a test of equivalence",
                "asked of a test against an effect; ask this one for its power or sample size",
            ));
        }
        // Effects from zero to the limit on one axis u from zero to infinity.
        let effect_of = |u: f64| {
            let away = if setting.limit.is_finite() {
                setting.limit * u / (1.0 + u)
            } else {
                u
            };
            setting.null + setting.direction * away
        };
        let at = |u: f64| self.assuming(effect_of(u)).power_at(size, effect_of(u));
        let none = || Error::Unidentified {
            what: format!("an effect that is found with power {power}"),
            needs:
                "a larger size or a smaller power: no effect within its limits is found so often"
                    .into(),
        };
        let (mut low, mut high) = (1.0, 1.0);
        let mut steps = 0;
        while at(low)? >= power {
            low /= GROWTH;
            steps += 1;
            if steps > MOST_STEPS {
                return Err(none());
            }
        }
        while at(high)? < power {
            high *= GROWTH;
            steps += 1;
            if steps > MOST_STEPS {
                return Err(none());
            }
        }
        let u = match setting.shape {
            Shape::Simulated { .. } => stepwise(low, high, |u| Ok(at(u)? >= power))?,
            Shape::Smooth | Shape::Sawtooth => root(low, high, power, at)?,
        };
        let effect = effect_of(u);
        let reached = self.assuming(effect).power_at(size, effect)?;
        Ok(self.assuming(effect).plan(setting, size, effect, reached))
    }

    /// Power over sizes, one line for each effect.
    ///
    /// # Errors
    /// Those of [`power`](Self::power).
    fn curve(&self, sizes: &[f64], effects: &[f64]) -> Result<PowerCurve> {
        let plans = effects
            .iter()
            .map(|effect| {
                let assumed = self.assuming(*effect);
                sizes
                    .iter()
                    .map(|size| assumed.power(*size))
                    .collect::<Result<Vec<_>>>()
            })
            .collect::<Result<Vec<_>>>()?;
        PowerCurve::new(&plans)
    }

    #[doc(hidden)]
    fn prepared(&self) -> Result<Setting> {
        let alpha = self.alpha_level();
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(Error::invalid_option("alpha", alpha, "between 0 and 1"));
        }
        self.check()?;
        Ok(self.setting())
    }

    #[doc(hidden)]
    fn required_effect(&self, setting: &Setting) -> Result<f64> {
        let effect = self.assumed_effect().ok_or_else(|| {
            Error::invalid_option(
                "effect",
                "not given",
                "set with `.effect(…)`; `mde` needs none",
            )
        })?;
        let away = (effect - setting.null) * setting.direction;
        if !effect.is_finite() || away >= setting.limit && setting.limit.is_finite() {
            return Err(Error::invalid_option(
                "effect",
                effect,
                format!(
                    "finite and less than {} from {}",
                    setting.limit, setting.null
                ),
            ));
        }
        Ok(effect)
    }

    #[doc(hidden)]
    fn plan(&self, setting: Setting, size: f64, effect: f64, power: f64) -> PowerPlan {
        let monte_carlo_error = match setting.shape {
            Shape::Simulated { replications } => {
                Some((power * (1.0 - power) / replications as f64).sqrt())
            }
            Shape::Smooth | Shape::Sawtooth => None,
        };
        PowerPlan {
            test: setting.test,
            size,
            size_of: setting.size_of,
            effect,
            effect_name: setting.effect_name,
            power,
            alpha: self.alpha_level(),
            arms: setting
                .arms
                .into_iter()
                .map(|(name, share)| ArmSize {
                    name,
                    share,
                    size: share * size,
                })
                .collect(),
            assumptions: setting.assumptions,
            monte_carlo_error,
        }
    }
}

fn check_size(setting: &Setting, size: f64) -> Result<()> {
    if size >= setting.smallest && size <= LARGEST_SIZE {
        return Ok(());
    }
    Err(Error::invalid_option(
        "size",
        size,
        format!(
            "at least {:.6} ({}) and at most {LARGEST_SIZE:e}",
            setting.smallest, setting.size_of
        ),
    ))
}

fn check_power(power: f64, alpha: f64) -> Result<()> {
    if power > alpha && power < 1.0 {
        return Ok(());
    }
    Err(Error::invalid_option(
        "power",
        power,
        format!("above the level {alpha}, which a test that looks at nothing has, and below 1"),
    ))
}

fn no_size(power: f64) -> Error {
    Error::Unidentified {
        what: format!("a size with power {power}"),
        needs: "an effect on the side of the alternative, or less noise that more units cannot average out: power stays below that at any size".into(),
    }
}

/// The size at which a smooth power reaches the goal; the smallest size when it is there already.
fn smooth_size(setting: &Setting, power: f64, at: impl Fn(f64) -> Result<f64>) -> Result<f64> {
    let mut low = setting.smallest;
    if at(low)? >= power {
        return Ok(low);
    }
    let mut high = low * GROWTH;
    while at(high)? < power {
        low = high;
        high *= GROWTH;
        if high > LARGEST_SIZE {
            return Err(no_size(power));
        }
    }
    root(low, high, power, at)
}

/// The root of `at(x) − power` on a logarithmic axis.
fn root(low: f64, high: f64, power: f64, at: impl Fn(f64) -> Result<f64>) -> Result<f64> {
    let mut failure = None;
    let gap = |log: f64| match at(log.exp()) {
        Ok(value) => value - power,
        Err(error) => {
            failure = Some(error);
            f64::NAN
        }
    };
    let found = brent_root(gap, low.ln(), high.ln(), 0.0);
    match failure {
        Some(error) => Err(error),
        None => Ok(found?.point.exp()),
    }
}

/// The upper end of the smallest bracket in which a condition becomes true, on a logarithmic axis.
fn stepwise(low: f64, high: f64, holds: impl Fn(f64) -> Result<bool>) -> Result<f64> {
    let (mut low, mut high) = (low.ln(), high.ln());
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if holds(middle.exp())? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high.exp())
}

/// The smallest whole size with the power; for saw-toothed power, that from which on it stays.
fn whole_size(setting: &Setting, power: f64, at: impl Fn(f64) -> Result<f64>) -> Result<f64> {
    let mut low = setting.smallest.ceil();
    let mut high = low;
    while at(high)? < power {
        low = high;
        high = (high * 2.0).max(high + 1.0);
        if high > LARGEST_SIZE {
            return Err(no_size(power));
        }
    }
    while high - low > 1.0 {
        let middle = f64::midpoint(low, high).floor();
        if at(middle)? >= power {
            high = middle;
        } else {
            low = middle;
        }
    }
    if setting.shape == Shape::Sawtooth {
        let mut checked = high;
        while checked <= high + ((AHEAD_SHARE * high).ceil().max(AHEAD_FEWEST as f64)) {
            if at(checked)? < power {
                high = checked + 1.0;
            }
            checked += 1.0;
        }
    }
    Ok(high)
}
