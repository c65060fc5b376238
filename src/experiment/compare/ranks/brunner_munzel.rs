//! Brunner and Munzel's test, and the probability of superiority with its interval.

use super::super::location::Location;
use super::super::result::{Comparison, ComparisonEffect};
use super::super::sample::{Options, TwoArms, two_arms};
use super::{Ranking, by_median};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::experiment::sums::satterthwaite;
use crate::inference::{Alternative, Segment, check_level};
use serde::{Deserialize, Serialize};

/// The reference distribution of Brunner and Munzel's statistic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reference {
    /// Student's t with Satterthwaite's degrees of freedom (default).
    #[default]
    T,
    /// Normal.
    Normal,
}

/// Brunner and Munzel's test of `P(X₁ > X₀) + ½ P(X₁ = X₀) = ½`, treatment against control: unlike Mann and Whitney's it does not take the
/// distributions to be equal under the null hypothesis, and ties do not matter. The effect is that probability of superiority, by the same
/// statistic and on the logit scale, whose interval stays within 0 and 1.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `treatment`, `control` | the two arms; the first level is the control | which arms | levels of the column |
/// | `reference` | t | distribution of the statistic; t serves from 10 observations an arm on | see [`Reference`] |
/// | `alternative` | two-sided | side of test and intervals | see [`Alternative`] |
/// | `level` | 0.95 | confidence | (0, 1) |
///
/// ```
/// use cocreate::prelude::*;
/// let a = [1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 4.0, 1.0, 1.0];
/// let b = [3.0, 3.0, 4.0, 3.0, 1.0, 2.0, 3.0, 1.0, 1.0, 5.0, 4.0];
/// let fit = BrunnerMunzel::default().compare(&b, &a)?;
/// assert!((fit.statistic() - 3.1374674823029505).abs() < 1e-9);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// As [`TwoMeans`](crate::experiment::compare::TwoMeans); [`Error::Unidentified`] when the arms do not overlap, or all observations are equal.
///
/// # References
/// Brunner & Munzel (2000), doi:10.1002/(SICI)1521-4036(200001)42:1<17::AID-BIMJ17>3.0.CO;2-U.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BrunnerMunzel {
    options: Options,
    reference: Reference,
}

impl BrunnerMunzel {
    /// Compares a column between the arms of another.
    pub fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            options: Options::new(outcome, arm),
            reference: Reference::T,
        }
    }

    /// The reference distribution.
    pub fn reference(mut self, reference: Reference) -> Self {
        self.reference = reference;
        self
    }

    fn run(&self, arms: &TwoArms) -> Result<Comparison> {
        arms.at_least(2)?;
        let [treatment, control] = &arms.values;
        let mut superiority = Superiority::of(treatment, control).ok_or_else(|| Error::Unidentified {
            what: "the standard error of the probability of superiority".to_owned(),
            needs: "arms that overlap and observations that differ; MannWhitney's exact test needs no standard error".to_owned(),
        })?;
        if self.reference == Reference::Normal {
            superiority.df = f64::INFINITY;
        }
        let alternative = self.options.alternative;
        Ok(Comparison {
            title: format!("Brunner–Munzel test of {}", arms.contrast()),
            location: "Median".to_owned(),
            arms: vec![
                by_median(&arms.names[0], treatment),
                by_median(&arms.names[1], control),
            ],
            effects: effects(&superiority, self.options.level, alternative),
            tests: vec![superiority.test("Brunner–Munzel test", 0.5, alternative)],
            warnings: arms.warnings.clone(),
        })
    }
}

two_arms!(BrunnerMunzel);

/// The probability of superiority with its standard error.
pub(super) struct Superiority;

impl Superiority {
    /// Nothing when the standard error is zero: the arms do not overlap, or all is equal.
    pub(super) fn of(treatment: &[f64], control: &[f64]) -> Option<Location> {
        let all = Ranking::of(&[treatment, control].concat()).ranks;
        let (n, m) = (treatment.len() as f64, control.len() as f64);
        let (pooled_t, pooled_c) = all.split_at(treatment.len());
        let (mean_t, s_t) = placements(pooled_t, treatment);
        let (mean_c, s_c) = placements(pooled_c, control);
        let (a, b) = (n * s_t, m * s_c);
        let std_error = (a + b).sqrt() / (n * m);
        (std_error > 0.0).then_some(Location {
            estimate: 0.5 + (mean_t - mean_c) / (n + m),
            std_error,
            df: satterthwaite([a, b], [n - 1.0, m - 1.0]),
        })
    }
}

/// The mean pooled rank of an arm, and the variance of its placements (pooled less own ranks).
fn placements(pooled: &[f64], values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let own = Ranking::of(values).ranks;
    let mean = pooled.iter().sum::<f64>() / n;
    let squares: f64 = pooled
        .iter()
        .zip(&own)
        .map(|(p, o)| (p - o - mean + f64::midpoint(n, 1.0)).powi(2))
        .sum();
    (mean, squares / (n - 1.0))
}

/// The probability as it is and by way of its logit.
pub(super) fn effects(p: &Location, level: f64, alternative: Alternative) -> Vec<ComparisonEffect> {
    let name = "probability of superiority";
    let range = |segment: Segment| Segment {
        lower: segment.lower.max(0.0),
        upper: segment.upper.min(1.0),
    };
    let mut out = vec![ComparisonEffect::new(
        name,
        "Brunner–Munzel",
        p.estimate,
        level,
        vec![range(p.segment(level, alternative))],
    )];
    let spread = p.estimate * (1.0 - p.estimate);
    if spread > 0.0 {
        let logit = Location {
            estimate: (p.estimate / (1.0 - p.estimate)).ln(),
            std_error: p.std_error / spread,
            df: p.df,
        };
        let segment = logit.segment(level, alternative);
        let back = |x: f64| 1.0 / (1.0 + (-x).exp());
        out.push(ComparisonEffect::new(
            name,
            "logit",
            p.estimate,
            level,
            vec![Segment {
                lower: back(segment.lower),
                upper: back(segment.upper),
            }],
        ));
    }
    out
}
