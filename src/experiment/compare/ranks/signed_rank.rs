//! Wilcoxon's signed rank test.

use super::super::location::{critical, open, t_tail, tail};
use super::super::result::{Comparison, ComparisonEffect, ComparisonTest, NullDistribution};
use super::super::sample::{Options, Pairs, pairs};
use super::exact::{quantile, signed_rank};
use super::select::{Averages, median};
use super::{RankMethod, Ranking, by_median, too_many_for_exact};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::{Alternative, Segment, check_level};
use serde::{Deserialize, Serialize};

/// Differences up to which signs are counted by default, and at all.
const SMALL: usize = 50;
const MOST: usize = 500;

/// Wilcoxon's signed rank test that the differences of two measurements of every unit are symmetric about zero, by the sum `W₊` of the ranks of the
/// positive ones. The effect is their pseudo-median, the median of all averages of two (Hodges & Lehmann), with the interval that the test does
/// not reject.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `method` | auto: exact up to 50 differences | p-value and interval | see [`RankMethod`] |
/// | `alternative` | two-sided | side of test and interval | see [`Alternative`] |
/// | `level` | 0.95 | confidence | (0, 1) |
///
/// Differences of zero are left out, with a warning. Ties have mid-ranks, and the exact distribution is that given them; the normal approximation
/// corrects for ties, not for continuity.
///
/// ```
/// use cocreate::prelude::*;
/// let (after, before) = ([5.1, 7.2, 6.3, 9.4, 8.0], [4.0, 5.0, 6.0, 6.0, 8.5]);
/// let fit = WilcoxonSignedRank::default().compare(&after, &before)?;
/// assert!((fit.statistic() - 13.0).abs() < 1e-12 && (fit.p_value() - 0.1875).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// As [`PairedMeans`](crate::experiment::compare::PairedMeans); [`Error::Unidentified`] when all differences are zero; [`Error::InvalidOption`] for the
/// exact method with more than 500 differences.
///
/// # References
/// Wilcoxon (1945), doi:10.2307/3001968.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WilcoxonSignedRank {
    options: Options,
    method: RankMethod,
}

impl WilcoxonSignedRank {
    /// Compares two columns.
    pub fn new(first: impl Into<String>, second: impl Into<String>) -> Self {
        Self {
            options: Options::new(first, second),
            method: RankMethod::Auto,
        }
    }

    /// How the p-value is computed.
    pub fn method(mut self, method: RankMethod) -> Self {
        self.method = method;
        self
    }

    fn run(&self, pairs: &Pairs) -> Result<Comparison> {
        let all = pairs.differences();
        let differences: Vec<f64> = all.iter().copied().filter(|d| d.abs() > 0.0).collect();
        let mut warnings = pairs.warnings.clone();
        if differences.is_empty() {
            return Err(Error::Unidentified {
                what: format!("the rank test of {}", pairs.contrast()),
                needs: "differences other than zero".to_owned(),
            });
        }
        if differences.len() < all.len() {
            warnings.push(Warning::Note {
                message: format!(
                    "{} differences of zero left out",
                    all.len() - differences.len()
                ),
            });
        }
        let exact = match self.method {
            RankMethod::Auto => differences.len() <= SMALL,
            RankMethod::Asymptotic => false,
            RankMethod::Exact if differences.len() > MOST => {
                too_many_for_exact(format!("asymptotic with more than {MOST} differences"))?
            }
            RankMethod::Exact => true,
        };
        let sizes: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
        let ranking = Ranking::of(&sizes);
        let positive = differences
            .iter()
            .zip(&ranking.ranks)
            .filter(|(d, _)| **d > 0.0);
        let statistic: f64 = positive.map(|(_, rank)| rank).sum();
        let n = differences.len() as f64;
        let spread = ((n * (n + 1.0) * (2.0 * n + 1.0) - ranking.ties / 2.0) / 24.0).sqrt();
        let (level, alternative) = (self.options.level, self.options.alternative);
        let law = exact.then(|| signed_rank(&ranking.ranks));
        let averages = Averages::new(&differences);
        let (p_value, left_out) = if let Some(law) = &law {
            (
                exact_p(law, (2.0 * statistic).round() as usize, alternative),
                // The law is of twice the sum.
                quantile(law, tail(level, alternative)).div_ceil(2) as u64,
            )
        } else {
            let center = n * (n + 1.0) / 4.0;
            let z = (statistic - center) / spread;
            let reach = critical(level, alternative, f64::INFINITY) * spread;
            (
                t_tail(z, f64::INFINITY, alternative),
                (center - reach).floor().max(0.0) as u64,
            )
        };
        if left_out == 0 {
            warnings.push(Warning::Note {
                message:
                    "too few differences for an interval at this level: it is as wide as the data"
                        .to_owned(),
            });
        }
        let first = left_out.max(1);
        let segment = Segment {
            lower: averages.nth(first),
            upper: averages.nth(averages.count() + 1 - first),
        };
        Ok(Comparison {
            title: format!("Wilcoxon signed rank test: {}", pairs.contrast()),
            location: "Median".to_owned(),
            arms: vec![
                by_median(&pairs.names[0], &pairs.first),
                by_median(&pairs.names[1], &pairs.second),
            ],
            effects: vec![ComparisonEffect::new(
                "pseudo-median of the differences",
                "Hodges–Lehmann",
                median(averages.count(), |k| averages.nth(k)),
                level,
                vec![open(segment, alternative)],
            )],
            tests: vec![ComparisonTest {
                name: "Wilcoxon signed rank test".to_owned(),
                statistic,
                distribution: if exact {
                    NullDistribution::Exact
                } else {
                    NullDistribution::NormalApproximation
                },
                alternative,
                p_value,
            }],
            warnings,
        })
    }
}

pairs!(WilcoxonSignedRank);

fn exact_p(law: &[f64], twice: usize, alternative: Alternative) -> f64 {
    let largest = law.len() - 1;
    let upper = |k: usize| law[..=largest - k].iter().sum::<f64>().min(1.0); // symmetric
    match alternative {
        Alternative::TwoSided => (2.0 * upper(twice.max(largest - twice))).min(1.0),
        Alternative::Greater => upper(twice),
        Alternative::Less => upper(largest - twice),
    }
}
