//! All pairs of arms at once: Tukey's and Games and Howell's tests.

use super::super::result::{Comparison, ComparisonEffect, ComparisonTest, NullDistribution};
use super::super::sample::{Arms, Options, several_arms};
use super::{Squares, means, shown};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::experiment::compare::means::Mean;
use crate::experiment::sums::satterthwaite;
use crate::inference::{Alternative, Segment, check_level};
use crate::numeric::special::studentized_range;
use serde::{Deserialize, Serialize};

/// Tukey's honestly significant difference, after Kramer for unequal arms: every pair of means by `q = √2 |m_i − m_j|/s.e.`, against the range of
/// as many means as there are arms. Tests and intervals hold for all pairs at once, if variances are equal.
///
/// One test and one effect a pair, called `b − a` for arms `a` and `b` in the order of the levels.
///
/// ```
/// use cocreate::prelude::*;
/// let (a, b, c) = ([24.5, 23.5, 26.4, 27.1, 29.9], [28.4, 34.2, 29.5, 32.2, 30.1], [26.1, 28.3, 24.3, 26.2, 27.8]);
/// let fit = TukeyHsd::default().compare(&[&a, &b, &c])?;
/// assert!((fit.test("2 − 1")?.p_value - 0.0144).abs() < 1e-3 && fit.effect("3 − 1")?.lower() < 0.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// As [`Anova`](super::Anova).
///
/// # References
/// Tukey (1949), doi:10.2307/3001913; Kramer (1956), doi:10.2307/3001469.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TukeyHsd {
    options: Options,
}

impl TukeyHsd {
    /// Compares the means of a column between all pairs of arms of another.
    pub fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            options: Options::new(outcome, arm),
        }
    }

    fn run(&self, arms: &Arms) -> Result<Comparison> {
        arms.at_least(1)?;
        let means = means(arms);
        let squares = Squares::of(&means, &arms.outcome)?;
        let residual = squares.residual();
        let pair = |a: &Mean, b: &Mean| Pair {
            std_error: (residual * (1.0 / a.rows + 1.0 / b.rows)).sqrt(),
            df: squares.df_within,
        };
        Ok(report(
            "Tukey–Kramer",
            arms,
            &means,
            self.options.level,
            pair,
        ))
    }
}

several_arms!(TukeyHsd);

/// Games and Howell's test: as [`TukeyHsd`], with the standard error and the degrees of freedom of Welch's test for every pair, so that variances may
/// differ.
///
/// ```
/// use cocreate::prelude::*;
/// let (a, b, c) = ([24.5, 23.5, 26.4, 27.1, 29.9], [28.4, 34.2, 29.5, 32.2, 30.1], [26.1, 28.3, 24.3, 26.2, 27.8]);
/// let fit = GamesHowell::default().compare(&[&a, &b, &c])?;
/// assert!(fit.test("2 − 1")?.p_value < 0.05);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// As [`TukeyHsd`]; [`Error::Unidentified`] also for an arm without spread.
///
/// # References
/// Games & Howell (1976), doi:10.3102/10769986001002113.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GamesHowell {
    options: Options,
}

impl GamesHowell {
    /// Compares the means of a column between all pairs of arms of another.
    pub fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            options: Options::new(outcome, arm),
        }
    }

    fn run(&self, arms: &Arms) -> Result<Comparison> {
        arms.at_least(2)?;
        let means = means(arms);
        if let Some(place) = means.iter().position(|m| m.variance <= 0.0) {
            return Err(Error::Unidentified {
                what: format!("the variance of arm `{}`", arms.names[place]),
                needs: "observations that differ; or TukeyHsd, for equal variances".to_owned(),
            });
        }
        let pair = |a: &Mean, b: &Mean| {
            let (v, w) = (a.variance / a.rows, b.variance / b.rows);
            Pair {
                std_error: (v + w).sqrt(),
                df: satterthwaite([v, w], [a.rows - 1.0, b.rows - 1.0]),
            }
        };
        Ok(report(
            "Games–Howell",
            arms,
            &means,
            self.options.level,
            pair,
        ))
    }
}

several_arms!(GamesHowell);

/// The precision of a difference.
struct Pair {
    std_error: f64,
    df: f64,
}

fn report(
    method: &str,
    arms: &Arms,
    means: &[Mean],
    level: f64,
    pair: impl Fn(&Mean, &Mean) -> Pair,
) -> Comparison {
    let groups = means.len() as f64;
    let (mut tests, mut effects) = (Vec::new(), Vec::new());
    // The critical value is the same for pairs of equal degrees of freedom, and takes an integral.
    let mut last: Option<(f64, f64)> = None;
    for i in 0..means.len() {
        for j in i + 1..means.len() {
            let Pair { std_error, df } = pair(&means[i], &means[j]);
            let name = format!("{} − {}", arms.names[j], arms.names[i]);
            let estimate = means[j].mean - means[i].mean;
            // The range is of single normals, not of differences.
            let unit = std_error * std::f64::consts::FRAC_1_SQRT_2;
            let statistic = estimate.abs() / unit;
            let critical = match last {
                Some((known, critical)) if (known - df).abs() <= 0.0 => critical,
                _ => studentized_range::quantile(level, groups, df),
            };
            last = Some((df, critical));
            let half = critical * unit;
            tests.push(ComparisonTest {
                name: name.clone(),
                statistic,
                distribution: NullDistribution::StudentizedRange { groups, df },
                alternative: Alternative::TwoSided,
                p_value: studentized_range::sf(statistic, groups, df),
            });
            effects.push(ComparisonEffect::new(
                &name,
                method,
                estimate,
                level,
                vec![Segment {
                    lower: estimate - half,
                    upper: estimate + half,
                }],
            ));
        }
    }
    Comparison {
        title: format!("All pairs of arms by {method}: {}", arms.outcome),
        location: "Mean".to_owned(),
        arms: shown(arms, means),
        effects,
        tests,
        warnings: arms.warnings.clone(),
    }
}
