//! Mann and Whitney's test (Wilcoxon's rank sum), with the shift and the probability of superiority.

use super::super::location::{critical, open, tail};
use super::super::result::{Comparison, ComparisonEffect, ComparisonTest, NullDistribution};
use super::super::sample::{Options, TwoArms, two_arms};
use super::brunner_munzel::{Superiority, effects};
use super::exact::{mann_whitney, quantile};
use super::select::{Differences, median};
use super::{RankMethod, Ranking, all_equal, by_median, too_many_for_exact};
use crate::data::Frame;
use crate::error::{Result, Warning};
use crate::inference::{Alternative, Segment, check_level};
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// Without ties the exact distribution is the default up to this size of the smaller arm: beyond it the normal is good.
const SMALL: usize = 8;

/// Pairs of observations up to which orders are counted; the work grows with their square.
const MOST_PAIRS: usize = 20_000;

/// Mann and Whitney's test that two arms have the same distribution, by `U`, the number of pairs in which the treated observation is larger (ties
/// count half). Effects are the Hodges–Lehmann shift, the median of all differences `x₁ − x₀`, which is the effect if treatment moves all by
/// the same; and the probability of superiority `U/(n₁n₀)`, with Brunner and Munzel's standard error, which holds without that assumption.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `treatment`, `control` | the two arms; the first level is the control | which arms | levels of the column |
/// | `method` | auto: exact up to 8 observations in an arm without ties | p-value and interval of the shift | see [`RankMethod`] |
/// | `continuity` | on | correction of the normal approximation | |
/// | `alternative` | two-sided | side of test and intervals | see [`Alternative`] |
/// | `level` | 0.95 | confidence | (0, 1) |
///
/// The shift's interval has the differences between which the test does not reject; its ends are order statistics of the differences, also by
/// the normal approximation (Hollander, Wolfe & Chicken 2014, section 4.3).
///
/// ```
/// use cocreate::prelude::*;
/// let males = [19.0, 22.0, 16.0, 29.0, 24.0];
/// let females = [20.0, 11.0, 17.0, 12.0];
/// let fit = MannWhitney::default().compare(&males, &females)?;
/// assert!(fit.statistic() == 17.0 && (fit.p_value() - 1.0 / 9.0).abs() < 1e-12);
/// assert!((fit.effect("shift")?.estimate - 7.0).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// As [`TwoMeans`](crate::experiment::compare::TwoMeans), from one observation an arm on; [`Error::InvalidOption`](crate::Error::InvalidOption) for the exact method with ties or in
/// large samples; [`Error::Unidentified`](crate::Error::Unidentified) when all observations are equal.
///
/// # References
/// Mann & Whitney (1947), doi:10.1214/aoms/1177730491; Hodges & Lehmann (1963), doi:10.1214/aoms/1177704172.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MannWhitney {
    options: Options,
    method: RankMethod,
    continuity: bool,
}

impl MannWhitney {
    /// Compares a column between the arms of another.
    pub fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            options: Options::new(outcome, arm),
            method: RankMethod::Auto,
            continuity: true,
        }
    }

    /// How the p-value is computed.
    pub fn method(mut self, method: RankMethod) -> Self {
        self.method = method;
        self
    }

    /// Whether the normal approximation is corrected for continuity.
    pub fn continuity(mut self, corrected: bool) -> Self {
        self.continuity = corrected;
        self
    }

    fn run(&self, arms: &TwoArms) -> Result<Comparison> {
        let [treatment, control] = &arms.values;
        let (n, m) = (treatment.len() as f64, control.len() as f64);
        let ranking = Ranking::of(&arms.values.concat());
        let total = n + m;
        let variance = n * m / 12.0 * (total + 1.0 - ranking.ties / (total * (total - 1.0)));
        if variance <= 0.0 {
            return Err(all_equal(&arms.outcome));
        }
        let u = ranking.ranks[..treatment.len()].iter().sum::<f64>() - n * (n + 1.0) / 2.0;
        let (level, alternative) = (self.options.level, self.options.alternative);
        let law = self
            .is_exact(treatment.len(), control.len(), &ranking)?
            .then(|| mann_whitney(treatment.len(), control.len()));
        let spread = variance.sqrt();
        let p_value = match &law {
            Some(law) => exact_p(law, u as usize, alternative),
            None => self.normal_p(u, n * m, spread, alternative),
        };
        let pairs = Differences::new(treatment, control);
        let outside = tail(level, alternative);
        // How many of the smallest differences lie below the interval.
        let left_out = if let Some(law) = &law {
            quantile(law, outside) as u64
        } else {
            let z = critical(level, alternative, f64::INFINITY);
            (n * m / 2.0 - z * spread).floor().max(0.0) as u64
        };
        let first = left_out.max(1);
        let mut warnings = arms.warnings.clone();
        if left_out == 0 {
            warnings.push(Warning::Note {
                message: "the arms are too small for an interval of the shift at this level: it is as wide as the data".to_owned(),
            });
        }
        let shift = Segment {
            lower: pairs.nth(first),
            upper: pairs.nth(pairs.count() + 1 - first),
        };
        let estimate = median(pairs.count(), |k| pairs.nth(k));
        let mut shown = vec![ComparisonEffect::new(
            "shift",
            "Hodges–Lehmann",
            estimate,
            level,
            vec![open(shift, alternative)],
        )];
        let enough = treatment.len() > 1 && control.len() > 1;
        match enough.then(|| Superiority::of(treatment, control)).flatten() {
            Some(superiority) => shown.extend(effects(&superiority, level, alternative)),
            None => warnings.push(Warning::Note {
                message: "the arms do not overlap, or one has a single observation: the probability of superiority has no standard error".to_owned(),
            }),
        }
        Ok(Comparison {
            title: format!("Mann–Whitney test of {}", arms.contrast()),
            location: "Median".to_owned(),
            arms: vec![
                by_median(&arms.names[0], treatment),
                by_median(&arms.names[1], control),
            ],
            effects: shown,
            tests: vec![ComparisonTest {
                name: "Mann–Whitney test".to_owned(),
                statistic: u,
                distribution: if law.is_some() {
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

    fn is_exact(&self, n: usize, m: usize, ranking: &Ranking) -> Result<bool> {
        let few = n.saturating_mul(m) <= MOST_PAIRS;
        match self.method {
            RankMethod::Asymptotic => Ok(false),
            RankMethod::Auto => Ok(n.min(m) <= SMALL && few && !ranking.has_ties()),
            RankMethod::Exact if ranking.has_ties() => too_many_for_exact(
                "asymptotic with ties; RandomizationTest with Contrast::RankSum is exact with ties too".to_owned(),
            ),
            RankMethod::Exact if !few => {
                too_many_for_exact(format!("asymptotic with more than {MOST_PAIRS} pairs"))
            }
            RankMethod::Exact => Ok(true),
        }
    }

    fn normal_p(&self, u: f64, pairs: f64, spread: f64, alternative: Alternative) -> f64 {
        let half = if self.continuity { 0.5 } else { 0.0 };
        let upper = |u: f64| normal::sf((u - pairs / 2.0 - half) / spread);
        match alternative {
            Alternative::TwoSided => (2.0 * upper(u.max(pairs - u))).min(1.0),
            Alternative::Greater => upper(u),
            Alternative::Less => upper(pairs - u),
        }
    }
}

two_arms!(MannWhitney);

fn exact_p(law: &[f64], u: usize, alternative: Alternative) -> f64 {
    // The distribution is symmetric: both tails are sums from the small end.
    let largest = law.len() - 1;
    let upper = |u: usize| law[..=largest - u].iter().sum::<f64>().min(1.0);
    match alternative {
        Alternative::TwoSided => (2.0 * upper(u.max(largest - u))).min(1.0),
        Alternative::Greater => upper(u),
        Alternative::Less => upper(largest - u),
    }
}
