//! Analysis of variance of one factor, with equal or unequal variances.

use super::super::result::{Comparison, ComparisonEffect, ComparisonTest, NullDistribution};
use super::super::sample::{Arms, Options, several_arms};
use super::{Squares, means, shown};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::experiment::compare::means::Mean;
use crate::inference::{Alternative, Segment, check_level};
use crate::numeric::optimize::brent_root;
use crate::numeric::special::{f, noncentral};
use serde::{Deserialize, Serialize};

/// The test that several arms have one mean: Fisher's F, or Welch's for unequal variances. Effects are `η² = SS_between/SS` and the less biased
/// `ω² = (SS_between − df_between MS_within)/(SS + MS_within)`, both for the share `λ/(λ + N)` of the variance that the arms explain; its interval is
/// that of the non-centrality λ of F.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `welch` | off | variances may be unequal | |
/// | `level` | 0.95 | confidence of the effect sizes | (0, 1) |
///
/// Which arms differ: [`TukeyHsd`](super::TukeyHsd), [`GamesHowell`](super::GamesHowell), or [`Dunnett`](crate::inference::Dunnett) against a control.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::new()
///     .with("arm", vec!["a", "a", "a", "b", "b", "b", "c", "c", "c"])?
///     .with("y", vec![1.0, 2.0, 3.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])?;
/// let fit = Anova::new("y", "arm").fit(&frame)?;
/// assert!((fit.statistic() - 13.0).abs() < 1e-12 && (fit.effect("η²")?.estimate - 26.0 / 32.0).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::ColumnNotFound`], [`Error::WrongKind`], [`Error::Infinite`]; [`Error::NoRows`] with one arm only; [`Error::Unidentified`] without spread
/// within arms (in any arm, for Welch's).
///
/// # References
/// Welch (1951), doi:10.1093/biomet/38.3-4.330; Steiger (2004), doi:10.1037/1082-989X.9.2.164.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anova {
    options: Options,
    welch: bool,
}

impl Anova {
    /// Compares the means of a column between the arms of another.
    pub fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            options: Options::new(outcome, arm),
            welch: false,
        }
    }

    /// Welch's test, for variances that may differ.
    pub fn welch(mut self) -> Self {
        self.welch = true;
        self
    }

    fn run(&self, arms: &Arms) -> Result<Comparison> {
        arms.at_least(if self.welch { 2 } else { 1 })?;
        let means = means(arms);
        let squares = Squares::of(&means, &arms.outcome)?;
        let (name, statistic, df2) = if self.welch {
            let (statistic, df2) = welch(&means, arms)?;
            ("Welch's analysis of variance", statistic, df2)
        } else {
            ("Analysis of variance", squares.f(), squares.df_within)
        };
        let df1 = squares.df_between;
        let total = squares.between + squares.within;
        let residual = squares.residual();
        let mut effects = Vec::new();
        if !self.welch {
            let n = squares.df_within + df1 + 1.0;
            let set = explained(statistic, df1, df2, n, self.options.level)?;
            let estimates = [
                ("η²", squares.between / total),
                (
                    "ω²",
                    (squares.between - df1 * residual) / (total + residual),
                ),
            ];
            for (name, estimate) in estimates {
                effects.push(ComparisonEffect::new(
                    name,
                    "non-central F",
                    estimate,
                    self.options.level,
                    vec![set],
                ));
            }
        }
        Ok(Comparison {
            title: format!("{name} of {}", arms.outcome),
            location: "Mean".to_owned(),
            arms: shown(arms, &means),
            effects,
            tests: vec![ComparisonTest {
                name: name.to_owned(),
                statistic,
                distribution: NullDistribution::F { df1, df2 },
                alternative: Alternative::TwoSided,
                p_value: f::sf(statistic, df1, df2),
            }],
            warnings: arms.warnings.clone(),
        })
    }
}

several_arms!(Anova);

/// Welch's F and its denominator degrees of freedom.
fn welch(means: &[Mean], arms: &Arms) -> Result<(f64, f64)> {
    if let Some(place) = means.iter().position(|m| m.variance <= 0.0) {
        return Err(Error::Unidentified {
            what: format!("the variance of arm `{}`", arms.names[place]),
            needs: "observations that differ; or the test for equal variances".to_owned(),
        });
    }
    let k = means.len() as f64;
    let weights: Vec<f64> = means.iter().map(|m| m.rows / m.variance).collect();
    let total: f64 = weights.iter().sum();
    let center = weights
        .iter()
        .zip(means)
        .map(|(w, m)| w * m.mean)
        .sum::<f64>()
        / total;
    let between: f64 = weights
        .iter()
        .zip(means)
        .map(|(w, m)| w * (m.mean - center).powi(2))
        .sum();
    let lost: f64 = weights
        .iter()
        .zip(means)
        .map(|(w, m)| (1.0 - w / total).powi(2) / (m.rows - 1.0))
        .sum();
    let scale = 1.0 + 2.0 * (k - 2.0) / (k * k - 1.0) * lost;
    Ok((between / (k - 1.0) / scale, (k * k - 1.0) / (3.0 * lost)))
}

/// The interval of `λ/(λ + N)`.
fn explained(statistic: f64, df1: f64, df2: f64, n: f64, level: f64) -> Result<Segment> {
    /// The bracket doubles so often that λ covers any F that is a number.
    const MOST_DOUBLINGS: usize = 200;
    let outside = (1.0 - level) / 2.0;
    let below = |lambda: f64| {
        if lambda > 0.0 {
            noncentral::f_cdf(statistic, df1, df2, lambda)
        } else {
            f::cdf(statistic, df1, df2)
        }
    };
    let end = |probability: f64| -> Result<f64> {
        let gap = |lambda: f64| below(lambda) - probability;
        if gap(0.0) <= 0.0 {
            return Ok(0.0);
        }
        let mut high = df1 * statistic + 10.0;
        for _ in 0..MOST_DOUBLINGS {
            if gap(high) < 0.0 {
                break;
            }
            high *= 2.0;
        }
        Ok(brent_root(gap, 0.0, high, 0.0)?.point)
    };
    let share = |lambda: f64| lambda / (lambda + n);
    Ok(Segment {
        lower: share(end(1.0 - outside)?),
        upper: share(end(outside)?),
    })
}
