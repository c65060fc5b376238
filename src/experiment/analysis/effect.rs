//! Records of arms and of effects, and the comparison of two arms.

use crate::error::Result;
use crate::experiment::role::{Role, Verdict};
use crate::inference::{ConfidenceSet, Estimate, Interval, Segment, check_level, quadratic_set};
use crate::numeric::special::student_t;
use serde::{Deserialize, Serialize};

/// The value of a metric in one arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmValue {
    /// The metric.
    pub metric: String,
    /// The arm.
    pub arm: String,
    /// Units (rows, or clusters) that it rests on.
    pub units: u64,
    /// The value, adjusted for covariates.
    pub value: f64,
    /// Its standard error.
    pub std_error: f64,
    /// The variance of one unit: `units · std_error²`, what power depends on.
    pub unit_variance: f64,
    /// The value before adjustment.
    pub unadjusted: f64,
    /// The variance of one unit before adjustment.
    pub unadjusted_variance: f64,
}

/// How the interval of a relative lift was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LiftMethod {
    /// Delta method on the logarithm of the ratio of the two values.
    Log,
    /// Fieller's set, because the values have different signs or the control's interval covers zero; it may be unbounded.
    Fieller,
}

/// The relative lift `value / control − 1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lift {
    /// The estimate; NaN when the control's value is zero.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub estimate: f64,
    /// Lower end of the interval.
    #[serde(deserialize_with = "crate::numeric::infinite::below")]
    pub lower: f64,
    /// Upper end of the interval.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub upper: f64,
    /// How the interval was made.
    pub method: LiftMethod,
    /// The interval of the delta method on the ratio itself, symmetric about the estimate; all numbers when the control's value is zero.
    pub delta: Interval,
    /// Fieller's set, which is right also when the control's value is near zero.
    pub fieller: ConfidenceSet,
    /// Whether the control's interval keeps away from zero, so that a ratio to it has a meaning.
    pub determined: bool,
}

/// The effect of an arm on a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The metric.
    pub metric: String,
    /// The arm.
    pub arm: String,
    /// The arm it is compared with.
    pub control: String,
    /// What the metric is for.
    pub role: Role,
    /// Units of the arm and of the control.
    pub units: [u64; 2],
    /// The metric's value in the arm and in the control.
    pub values: [f64; 2],
    /// The difference with its standard error and degrees of freedom (Welch–Satterthwaite).
    pub difference: Estimate,
    /// The interval of the difference.
    pub interval: Interval,
    /// The relative lift.
    pub lift: Lift,
    /// Two-sided p-value of no difference.
    pub p_value: f64,
    /// The p-value of the hypothesis of the metric's role.
    pub role_p_value: f64,
    /// `role_p_value` adjusted with the others of its family; the same where nothing is adjusted.
    pub adjusted_p_value: f64,
    /// What the role's test says.
    pub verdict: Verdict,
    /// Share of variance that adjustment removed.
    pub variance_reduction: f64,
    /// The studentised bootstrap interval of the difference, if asked for.
    pub bootstrap: Option<Interval>,
    /// With a trigger: the difference over all assigned units, `difference · share triggered`.
    pub diluted: Option<Estimate>,
}

/// One arm in a comparison: value and variance, the latter in independent parts with their degrees of freedom.
#[derive(Clone, Debug)]
pub(crate) struct Compared {
    pub(crate) record: ArmValue,
    pub(crate) parts: Vec<(f64, f64)>,
}

impl Compared {
    pub(crate) fn variance(&self) -> f64 {
        self.parts.iter().map(|p| p.0).sum()
    }

    /// Satterthwaite's degrees of freedom.
    pub(crate) fn df(&self) -> f64 {
        satterthwaite(self.parts.iter().copied())
    }
}

/// `(Σ v)² / Σ v²/d`; the sum of the degrees where nothing varies.
pub(crate) fn satterthwaite(parts: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let total: f64 = parts.clone().map(|(v, _)| v).sum();
    let below: f64 = parts.clone().map(|(v, df)| v * v / df).sum();
    if total <= 0.0 {
        return parts.map(|(_, df)| df).sum();
    }
    if below <= 0.0 {
        return f64::INFINITY;
    }
    total * total / below
}

/// Compares an arm with its control.
pub(crate) fn compare(
    name: &str,
    role: Role,
    arm: &Compared,
    control: &Compared,
    level: f64,
) -> Result<Effect> {
    check_level(level)?;
    let (a, c) = (&arm.record, &control.record);
    let parts = || arm.parts.iter().chain(&control.parts).copied();
    let difference = Estimate {
        name: name.to_owned(),
        estimate: a.value - c.value,
        std_error: (arm.variance() + control.variance()).sqrt(),
        degrees_of_freedom: satterthwaite(parts()),
    };
    let p_value = difference.p_value();
    let adjusted = a.unit_variance + c.unit_variance;
    let unadjusted = a.unadjusted_variance + c.unadjusted_variance;
    Ok(Effect {
        metric: a.metric.clone(),
        arm: a.arm.clone(),
        control: c.arm.clone(),
        role,
        units: [a.units, c.units],
        values: [a.value, c.value],
        interval: difference.confidence_interval(level)?,
        lift: lift(name, arm, control, difference.degrees_of_freedom, level),
        difference,
        p_value,
        role_p_value: p_value,
        adjusted_p_value: p_value,
        verdict: Verdict::Open,
        variance_reduction: if unadjusted > 0.0 {
            1.0 - adjusted / unadjusted
        } else {
            0.0
        },
        bootstrap: None,
        diluted: None,
    })
}

/// The relative lift with its three intervals.
fn lift(name: &str, arm: &Compared, control: &Compared, df: f64, level: f64) -> Lift {
    let (y, x) = (arm.record.value, control.record.value);
    let (vy, vx) = (arm.variance(), control.variance());
    let ratio = y / x;
    let estimate = if x.abs() > 0.0 { ratio - 1.0 } else { f64::NAN };
    let t_control = student_t::quantile(0.5 + level / 2.0, control.df());
    let determined = x.abs() > t_control * vx.sqrt() && x.abs() > 0.0;

    let t = student_t::quantile(0.5 + level / 2.0, df);
    let t2 = t * t;
    let mut segments = quadratic_set(x * x - t2 * vx, x * y, y * y - t2 * vy);
    if segments.is_empty() {
        // The estimate itself is never rejected: a set without points is the rounding of a double root, or a control of zero without any
        // variance, to which there is no ratio and so none to reject.
        let (lower, upper) = if ratio.is_finite() {
            (ratio, ratio)
        } else {
            (f64::NEG_INFINITY, f64::INFINITY)
        };
        segments.push(Segment { lower, upper });
    }
    for segment in &mut segments {
        segment.lower -= 1.0;
        segment.upper -= 1.0;
    }
    let half = t * (vy + ratio * ratio * vx).sqrt() / x.abs();
    let (method, lower, upper) = if determined && ratio > 0.0 {
        let square = |v: f64, m: f64| v / (m * m);
        let parts = (arm.parts.iter().map(|(v, d)| (square(*v, y), *d)))
            .chain(control.parts.iter().map(|(v, d)| (square(*v, x), *d)));
        let log_error = (square(vy, y) + square(vx, x)).sqrt();
        let factor =
            (student_t::quantile(0.5 + level / 2.0, satterthwaite(parts)) * log_error).exp();
        (LiftMethod::Log, ratio / factor - 1.0, ratio * factor - 1.0)
    } else {
        let lower = segments.first().map_or(f64::NEG_INFINITY, |s| s.lower);
        let upper = segments.last().map_or(f64::INFINITY, |s| s.upper);
        (LiftMethod::Fieller, lower, upper)
    };
    Lift {
        estimate,
        lower,
        upper,
        method,
        delta: Interval {
            name: format!("lift of {name}"),
            level,
            lower: if half.is_finite() {
                estimate - half
            } else {
                f64::NEG_INFINITY
            },
            upper: if half.is_finite() {
                estimate + half
            } else {
                f64::INFINITY
            },
        },
        fieller: ConfidenceSet {
            name: format!("lift of {name}"),
            level,
            segments,
        },
        determined,
    }
}
