//! Two proportions of the same units.

use super::super::discrete::Masses;
use super::super::location::{Location, critical, t_tail, tail};
use super::super::result::{
    Comparison, ComparisonArm, ComparisonEffect, ComparisonTest, NullDistribution,
};
use super::super::sample::{Options, Pairs, pairs, successes};
use super::{ProportionInterval, open_within};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::{Alternative, Segment, check_level};
use serde::{Deserialize, Serialize};

/// McNemar's test: with `b` units that succeed in the first measurement only and `c` in the second only, `H₀: b` is binomial with probability ½.
/// The tests are the exact one, its mid-p form, and the asymptotic one `z = (b − c)/√(b + c)` without and with correction for continuity. The
/// effects are the difference of the proportions by Wald's interval after adding one half to every cell (Agresti & Min 2005), and the odds
/// ratio `b/c` with exact interval.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `alternative` | two-sided | side of tests and intervals | see [`Alternative`] |
/// | `level` | 0.95 | confidence | (0, 1) |
///
/// ```
/// use cocreate::prelude::*;
/// let fit = McNemar::default().counts(59, 6, 16, 80)?;
/// assert!((fit.p_value() - 0.0525).abs() < 1e-4);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::ColumnNotFound`], [`Error::WrongKind`]; [`Error::OutOfRange`] for an outcome that is neither 0 nor 1; [`Error::NoRows`].
///
/// # References
/// McNemar (1947), doi:10.1007/BF02295996; Fagerland, Lydersen & Laake (2013), doi:10.1186/1471-2288-13-91.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    options: Options,
}

impl McNemar {
    /// Compares the proportions of two columns.
    pub fn new(first: impl Into<String>, second: impl Into<String>) -> Self {
        Self {
            options: Options::new(first, second),
        }
    }

    /// From the numbers of units that succeed in both measurements, the first only, the second only, and neither.
    ///
    /// # Errors
    /// See [`McNemar`].
    pub fn counts(&self, both: u64, first: u64, second: u64, neither: u64) -> Result<Comparison> {
        check_level(self.options.level)?;
        let (level, alternative) = (self.options.level, self.options.alternative);
        let n = both + first + second + neither;
        if n == 0 {
            return Err(Error::NoRows {
                reason: "there are no pairs".to_owned(),
            });
        }
        let (b, c, m) = (first as f64, second as f64, (first + second) as f64);
        let law = Masses::binomial(first + second, 0.5);
        let two_sided = match alternative {
            Alternative::TwoSided => (2.0 * law.cdf(first.min(second))).min(1.0),
            _ => law.p_value(first, alternative),
        };
        let exact = |name: &str, p_value: f64| ComparisonTest {
            name: name.to_owned(),
            statistic: b,
            distribution: NullDistribution::Exact,
            alternative,
            p_value,
        };
        let normal = |name: &str, gap: f64| {
            let statistic = if m > 0.0 { gap / m.sqrt() } else { 0.0 };
            ComparisonTest {
                name: name.to_owned(),
                statistic,
                distribution: NullDistribution::Normal,
                alternative,
                p_value: t_tail(statistic, f64::INFINITY, alternative),
            }
        };
        let side = match alternative {
            Alternative::TwoSided => (b - c).signum(),
            Alternative::Greater => 1.0,
            Alternative::Less => -1.0,
        };
        let corrected = if (b - c).abs() > 0.0 {
            b - c - side
        } else {
            0.0
        };
        let tests = vec![
            exact("exact McNemar test", two_sided),
            exact("mid-p McNemar test", law.mid_p(first, alternative)),
            normal("McNemar test", b - c),
            normal("McNemar test, corrected for continuity", corrected),
        ];
        let trials = n as f64;
        let smoothed = Location {
            estimate: (b - c) / (trials + 2.0),
            std_error: (m + 1.0 - (b - c).powi(2) / (trials + 2.0)).sqrt() / (trials + 2.0),
            df: f64::INFINITY,
        };
        let wald = smoothed.segment(level, alternative);
        let mut effects = vec![ComparisonEffect::new(
            "difference in proportions",
            "Agresti–Min",
            (b - c) / trials,
            level,
            vec![open_within(wald, alternative, [-1.0, 1.0])],
        )];
        if m > 0.0 {
            let z = critical(level, alternative, f64::INFINITY);
            let share = ProportionInterval::ClopperPearson.segment(
                first,
                first + second,
                z,
                tail(level, alternative),
            )?;
            let odds = Segment {
                lower: share.lower / (1.0 - share.lower),
                upper: share.upper / (1.0 - share.upper),
            };
            effects.push(ComparisonEffect::new(
                "odds ratio",
                "exact conditional",
                b / c,
                level,
                vec![open_within(odds, alternative, [0.0, f64::INFINITY])],
            ));
        }
        let arm = |name: &str, count: u64| ComparisonArm {
            name: name.to_owned(),
            rows: n,
            location: count as f64 / trials,
        };
        let options = &self.options;
        Ok(Comparison {
            title: format!("McNemar: {} − {}", options.outcome, options.arm),
            location: "Proportion".to_owned(),
            arms: vec![
                arm(&options.outcome, both + first),
                arm(&options.arm, both + second),
            ],
            effects,
            tests,
            warnings: Vec::new(),
        })
    }

    fn run(&self, pairs: &Pairs) -> Result<Comparison> {
        let first = successes(&pairs.names[0], &pairs.first)?;
        let second = successes(&pairs.names[1], &pairs.second)?;
        let product: Vec<f64> = pairs
            .first
            .iter()
            .zip(&pairs.second)
            .map(|(a, b)| a * b)
            .collect();
        let both = successes(&pairs.names[0], &product)?;
        let n = pairs.first.len() as u64;
        let mut fit = self.counts(both, first - both, second - both, n + both - first - second)?;
        fit.warnings.extend(pairs.warnings.iter().cloned());
        Ok(fit)
    }
}

pairs!(McNemar);
