//! Two means: Welch, Student and z tests; difference, ratio and standardised effects; equivalence.

use super::location::{Location, Margin, critical, open};
use super::result::{Comparison, ComparisonArm, ComparisonEffect};
use super::sample::{Options, TwoArms, two_arms};
use super::standardized::standardized;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::experiment::sums::satterthwaite;
use crate::inference::{Alternative, Segment, check_level, quadratic_set};
use serde::{Deserialize, Serialize};

/// What is assumed of the variances of two arms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Spread {
    /// Unequal: Welch's test with Satterthwaite's degrees of freedom (default).
    #[default]
    Unequal,
    /// Equal: Student's test with the pooled variance.
    Equal,
    /// Unequal, in samples so large that the normal distribution serves: the z test.
    Large,
    /// Known standard deviations: the z test.
    Known {
        /// Of the treatment.
        treatment: f64,
        /// Of the control.
        control: f64,
    },
}

impl Spread {
    fn name(self) -> &'static str {
        match self {
            Self::Unequal => "Welch",
            Self::Equal => "Student",
            Self::Large | Self::Known { .. } => "z",
        }
    }
}

/// Compares the means of two arms, `θ = μ₁ − μ₀` (treatment less control), by `(θ̂ − θ₀)/s.e.`; also their ratio `μ₁/μ₀` by Fieller's set and by the
/// delta method on the log, and when asked Cohen's d and Hedges' g over the pooled standard deviation.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `treatment`, `control` | the two arms; the first level is the control | which arms | levels of the column |
/// | `spread` | unequal (Welch) | what is assumed of the variances | see [`Spread`] |
/// | `null` | 0 | the difference under the null hypothesis | finite |
/// | `alternative` | two-sided | side of tests and intervals | see [`Alternative`] |
/// | `level` | 0.95 | confidence | (0, 1) |
/// | `equivalence`, `non_inferiority` | off | margins within which a difference does not matter | see there |
///
/// Observations are independent; the arms are normal or large. For a skewed outcome in a small arm use the bootstrap-t or
/// [`RandomizationTest`](crate::inference::RandomizationTest). Rows with a missing outcome or arm are left out with a warning.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::new()
///     .with("variant", vec!["a", "a", "a", "a", "b", "b", "b", "b"])?
///     .with("spend", vec![1.0, 2.0, 3.0, 4.0, 4.0, 5.0, 6.0, 9.0])?;
/// let fit = TwoMeans::new("spend", "variant").fit(&frame)?;
/// let difference = fit.effect("difference in means")?;
/// assert!((difference.estimate - 3.5).abs() < 1e-12 && difference.lower() > 0.0);
/// assert!((fit.p_value() - 0.039_696).abs() < 1e-6);
/// // The same on slices, and whether the arms differ by less than 10.
/// let fit = TwoMeans::default().equivalence(-10.0, 10.0).compare(&[4.0, 5.0, 6.0, 9.0], &[1.0, 2.0, 3.0, 4.0])?;
/// assert!(fit.test("equivalence")?.p_value < 0.01);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::ColumnNotFound`], [`Error::WrongKind`], [`Error::Infinite`]; [`Error::NoRows`] with one arm only; [`Error::Unidentified`] with more
/// than two arms when it is not said which, fewer than two observations in an arm, or no spread in either; [`Error::InvalidOption`].
///
/// # References
/// Welch (1947), doi:10.1093/biomet/34.1-2.28; Fieller (1954), *JRSS B* 16(2); Hedges (1981), doi:10.3102/10769986006002107; Schuirmann
/// (1987), doi:10.1007/BF01068419.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwoMeans {
    options: Options,
    spread: Spread,
    null: f64,
    margin: Option<Margin>,
    standardized: bool,
}

impl TwoMeans {
    /// Compares the means of a column between the arms of another.
    pub fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            options: Options::new(outcome, arm),
            spread: Spread::Unequal,
            null: 0.0,
            margin: None,
            standardized: false,
        }
    }

    /// What is assumed of the variances.
    pub fn spread(mut self, spread: Spread) -> Self {
        self.spread = spread;
        self
    }

    /// The difference under the null hypothesis.
    pub fn null(mut self, difference: f64) -> Self {
        self.null = difference;
        self
    }

    /// Also tests, by two one-sided tests (TOST), that the difference lies between the margins, and gives the interval at `2 level − 1`, which lies
    /// within them exactly when both tests reject at `1 − level`.
    pub fn equivalence(mut self, lower: f64, upper: f64) -> Self {
        self.margin = Some(Margin::Equivalence { lower, upper });
        self
    }

    /// Also tests that the treatment is worse by less than the margin: `θ > −margin`.
    pub fn non_inferiority(mut self, margin: f64) -> Self {
        self.margin = Some(Margin::NonInferiority { margin });
        self
    }

    /// Also gives Cohen's d and Hedges' g; inverting the non-central t for their intervals takes about a millisecond.
    pub fn standardized(mut self) -> Self {
        self.standardized = true;
        self
    }

    fn run(&self, arms: &TwoArms) -> Result<Comparison> {
        self.margin.map_or(Ok(()), Margin::check)?;
        if !self.null.is_finite() {
            return Err(Error::invalid_option("null", self.null, "finite"));
        }
        let known = matches!(self.spread, Spread::Known { .. });
        arms.at_least(if known { 1 } else { 2 })?;
        let [treatment, control] = arms.values.each_ref().map(|v| Mean::of(v));
        let difference = self.difference(&treatment, &control)?;
        let (level, alternative) = (self.options.level, self.options.alternative);
        let mut warnings = arms.warnings.clone();
        for (name, mean) in arms.names.iter().zip([&treatment, &control]) {
            if !known && mean.variance <= 0.0 {
                warnings.push(Warning::Note {
                    message: format!("all observations of arm `{name}` are equal"),
                });
            }
        }
        let name = "difference in means";
        let mut effects = vec![difference.effect(name, self.spread.name(), level, alternative)];
        effects.extend(self.margin.and_then(|m| m.effect(&difference, name, level)));
        self.ratio(
            &treatment,
            &control,
            &difference,
            &mut effects,
            &mut warnings,
        );
        if self.standardized && !known {
            let df = treatment.rows + control.rows - 2.0;
            let pooled = pooled(&treatment, &control);
            let effective = treatment.rows * control.rows / (treatment.rows + control.rows);
            let t = (treatment.mean - control.mean) * (effective / pooled).sqrt();
            effects.extend(standardized(t, df, effective, level, alternative)?);
        }
        let title = match self.spread {
            Spread::Unequal => "Welch's t test",
            Spread::Equal => "Student's t test",
            Spread::Large | Spread::Known { .. } => "z test",
        };
        let mut tests = vec![difference.test(title, self.null, alternative)];
        tests.extend(self.margin.into_iter().flat_map(|m| m.tests(&difference)));
        let arm = |(name, values): (&String, &Vec<f64>)| ComparisonArm {
            name: name.clone(),
            rows: values.len() as u64,
            location: Mean::of(values).mean,
        };
        Ok(Comparison {
            title: format!("{title} of {}", arms.contrast()),
            location: "Mean".to_owned(),
            arms: arms.names.iter().zip(&arms.values).map(arm).collect(),
            effects,
            tests,
            warnings,
        })
    }

    fn difference(&self, treatment: &Mean, control: &Mean) -> Result<Location> {
        let (a, b) = (
            treatment.variance / treatment.rows,
            control.variance / control.rows,
        );
        let (squared, df) = match self.spread {
            Spread::Unequal => (
                a + b,
                satterthwaite([a, b], [treatment.rows - 1.0, control.rows - 1.0]),
            ),
            Spread::Equal => (
                pooled(treatment, control) * (1.0 / treatment.rows + 1.0 / control.rows),
                treatment.rows + control.rows - 2.0,
            ),
            Spread::Large => (a + b, f64::INFINITY),
            Spread::Known {
                treatment: s,
                control: r,
            } => {
                if !(s >= 0.0 && r >= 0.0 && s + r > 0.0 && (s + r).is_finite()) {
                    return Err(Error::invalid_option(
                        "known standard deviations",
                        format!("{s} and {r}"),
                        "not negative, and one positive",
                    ));
                }
                (s * s / treatment.rows + r * r / control.rows, f64::INFINITY)
            }
        };
        if squared <= 0.0 {
            return Err(Error::Unidentified {
                what: "the standard error of the difference".to_owned(),
                needs: "observations that differ within an arm".to_owned(),
            });
        }
        Ok(Location {
            estimate: treatment.mean - control.mean,
            std_error: squared.sqrt(),
            df,
        })
    }

    /// The squared standard errors of the two means.
    fn squared_errors(&self, treatment: &Mean, control: &Mean) -> [f64; 2] {
        let [s, r] = match self.spread {
            Spread::Unequal | Spread::Large => [treatment.variance, control.variance],
            Spread::Equal => [pooled(treatment, control); 2],
            Spread::Known {
                treatment: s,
                control: r,
            } => [s * s, r * r],
        };
        [s / treatment.rows, r / control.rows]
    }

    /// Fieller's set `{ρ : (m₁ − ρ m₀)² ≤ c² (v₁ + ρ² v₀)}` and `log(m₁/m₀) ± c √(v₁/m₁² + v₀/m₀²)`. Welch's degrees of freedom are those of
    /// `m₁ − ρ̂ m₀`.
    fn ratio(
        &self,
        treatment: &Mean,
        control: &Mean,
        difference: &Location,
        effects: &mut Vec<ComparisonEffect>,
        warnings: &mut Vec<Warning>,
    ) {
        let (m, d) = (treatment.mean, control.mean);
        let ratio = m / d;
        if !ratio.is_finite() {
            warnings.push(Warning::Note {
                message: "no ratio of means: that of the control is zero".to_owned(),
            });
            return;
        }
        let [v, w] = self.squared_errors(treatment, control);
        let df = if self.spread == Spread::Unequal {
            let scaled = ratio * ratio * w;
            (v + scaled).powi(2)
                / (v * v / (treatment.rows - 1.0) + scaled * scaled / (control.rows - 1.0))
        } else {
            difference.df
        };
        let (level, alternative) = (self.options.level, self.options.alternative);
        let df = if df > 0.0 { df } else { difference.df };
        let c2 = critical(level, alternative, df).powi(2);
        let mut segments = quadratic_set(d * d - c2 * w, m * d, m * m - c2 * v);
        match segments.as_mut_slice() {
            // The estimate is never rejected: no points is the rounding of a double root.
            [] => segments.push(Segment {
                lower: ratio,
                upper: ratio,
            }),
            [one] => *one = open(*one, alternative),
            _ => {}
        }
        let bounded = d * d > c2 * w;
        effects.push(ComparisonEffect::new(
            "ratio of means",
            "Fieller",
            ratio,
            level,
            segments,
        ));
        if !bounded {
            warnings.push(Warning::Note {
                message: "the mean of the control is not clearly different from zero, so that a relative effect is not an interval: report the difference"
                    .to_owned(),
            });
        }
        if ratio > 0.0 {
            let log = Location {
                estimate: ratio.ln(),
                std_error: (v / (m * m) + w / (d * d)).sqrt(),
                df,
            };
            let segment = log.segment(level, alternative);
            let segment = Segment {
                lower: segment.lower.exp(),
                upper: segment.upper.exp(),
            };
            effects.push(ComparisonEffect::new(
                "ratio of means",
                "delta method on the log",
                ratio,
                level,
                vec![segment],
            ));
        }
    }
}

two_arms!(TwoMeans);

/// Count, mean and unbiased variance.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_field_names,
    reason = "the mean of a mean with its variance"
)]
pub(super) struct Mean {
    pub(super) rows: f64,
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Mean {
    pub(super) fn of(values: &[f64]) -> Self {
        let rows = values.len() as f64;
        let first = values.iter().sum::<f64>() / rows;
        // A second pass takes the rounding of the first away; equal values keep a variance of exactly zero.
        let mean = if values.iter().all(|v| (v - values[0]).abs() <= 0.0) {
            values[0]
        } else {
            first + values.iter().map(|v| v - first).sum::<f64>() / rows
        };
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        Self {
            rows,
            mean,
            variance: squares / (rows - 1.0),
        }
    }
}

fn pooled(a: &Mean, b: &Mean) -> f64 {
    ((a.rows - 1.0) * a.variance + (b.rows - 1.0) * b.variance) / (a.rows + b.rows - 2.0)
}
