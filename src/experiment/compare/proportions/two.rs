//! Two proportions: tests and intervals.

use super::super::discrete::Masses;
use super::super::location::{Location, critical, tail};
use super::super::result::{
    Comparison, ComparisonArm, ComparisonEffect, ComparisonTest, NullDistribution,
};
use super::super::sample::{Options, TwoArms, successes, two_arms};
use super::difference::null_variance;
use super::unconditional::{Ordering, unconditional};
use super::{Counts, DifferenceInterval, OddsRatioInterval, RatioInterval, open_within};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::{Alternative, check_level};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A test that two proportions are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProportionTest {
    /// z over the pooled standard error; its square is Pearson's χ².
    Pooled,
    /// z over the standard error of Wald's interval.
    Unpooled,
    /// The score test of Miettinen & Nurminen (1985; default), which also tests differences other than zero.
    #[default]
    Score,
    /// Fisher's exact test, given the number of successes.
    Fisher,
    /// Fisher's with the observed table counted half: closer to its level, but not always below it.
    FisherMidP,
    /// Barnard's exact unconditional test with the pooled z: more powerful than Fisher's.
    Barnard,
    /// Boschloo's exact unconditional test: never less powerful than Fisher's.
    Boschloo,
}

impl fmt::Display for ProportionTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pooled => "pooled z test",
            Self::Unpooled => "unpooled z test",
            Self::Score => "score test",
            Self::Fisher => "Fisher's exact test",
            Self::FisherMidP => "Fisher's mid-p test",
            Self::Barnard => "Barnard's exact test",
            Self::Boschloo => "Boschloo's exact test",
        })
    }
}

/// Compares the proportions of successes in two arms: difference `p₁ − p₀`, ratio `p₁/p₀` and odds ratio `p₁q₀/(q₁p₀)`, treatment against control.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `treatment`, `control` | the two arms; the first level is the control | which arms | levels of the column |
/// | `test` | score | the test of equal proportions | see [`ProportionTest`] |
/// | `difference` | Newcombe | interval for the difference | see [`DifferenceInterval`] |
/// | `ratio` | score | interval for the ratio | see [`RatioInterval`] |
/// | `odds_ratio` | log, adjusted | interval for the odds ratio | see [`OddsRatioInterval`] |
/// | `null` | 0 | the difference under the null hypothesis; other than 0 with the score and the unpooled test | (−1, 1) |
/// | `alternative` | two-sided | side of test and intervals | see [`Alternative`] |
/// | `level` | 0.95 | confidence | (0, 1) |
///
/// The outcome is a flag or a column of 0 and 1; units are independent. The unconditional tests maximise over the common proportion on a grid and
/// then around its peaks; they serve up to some thousands of units an arm.
///
/// ```
/// use cocreate::prelude::*;
/// let fit = TwoProportions::default().test(ProportionTest::Boschloo).counts(54, 500, 50, 500)?;
/// assert!((fit.p_value() - 0.72797).abs() < 1e-5);
/// let fit = TwoProportions::default().difference(DifferenceInterval::Score).counts(540, 5000, 500, 5000)?;
/// let difference = fit.effect("difference in proportions")?;
/// assert!((difference.lower() + 0.003971).abs() < 1e-6);
/// // On a frame:
/// let frame = Frame::new()
///     .with("arm", vec!["a", "a", "a", "b", "b", "b"])?
///     .with("bought", vec![false, true, false, true, true, true])?;
/// assert!(TwoProportions::new("bought", "arm").test(ProportionTest::Fisher).fit(&frame)?.p_value() > 0.3);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// As [`TwoMeans`](crate::experiment::compare::TwoMeans); [`Error::OutOfRange`] for an outcome that is neither 0 nor 1;
/// [`Error::InvalidOption`] for more successes than trials, no trials, a null difference that the test does not know, or too many tables.
///
/// # References
/// Fisher (1935), *The Design of Experiments*; Barnard (1945), doi:10.1038/156177a0; Boschloo (1970),
/// doi:10.1111/j.1467-9574.1970.tb00104.x; Miettinen & Nurminen (1985), doi:10.1002/sim.4780040211; Newcombe (1998),
/// doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I; Agresti & Caffo (2000), doi:10.1080/00031305.2000.10474560.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwoProportions {
    options: Options,
    test: ProportionTest,
    difference: DifferenceInterval,
    ratio: RatioInterval,
    odds_ratio: OddsRatioInterval,
    null: f64,
}

impl TwoProportions {
    /// Compares the proportions of a column between the arms of another.
    pub fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            options: Options::new(outcome, arm),
            test: ProportionTest::default(),
            difference: DifferenceInterval::default(),
            ratio: RatioInterval::default(),
            odds_ratio: OddsRatioInterval::default(),
            null: 0.0,
        }
    }

    /// The test.
    pub fn test(mut self, test: ProportionTest) -> Self {
        self.test = test;
        self
    }

    /// The interval of the difference.
    pub fn difference(mut self, interval: DifferenceInterval) -> Self {
        self.difference = interval;
        self
    }

    /// The interval of the ratio.
    pub fn ratio(mut self, interval: RatioInterval) -> Self {
        self.ratio = interval;
        self
    }

    /// The interval of the odds ratio.
    pub fn odds_ratio(mut self, interval: OddsRatioInterval) -> Self {
        self.odds_ratio = interval;
        self
    }

    /// The difference under the null hypothesis, for a test of non-inferiority with a margin: `null(-margin)` and the alternative greater.
    pub fn null(mut self, difference: f64) -> Self {
        self.null = difference;
        self
    }

    /// Compares numbers of successes and trials.
    ///
    /// # Errors
    /// See [`TwoProportions`].
    pub fn counts(
        &self,
        treated_successes: u64,
        treated_trials: u64,
        control_successes: u64,
        control_trials: u64,
    ) -> Result<Comparison> {
        check_level(self.options.level)?;
        let name =
            |given: &Option<String>, or: &str| given.clone().unwrap_or_else(|| or.to_owned());
        let names = [
            name(&self.options.treatment, "treatment"),
            name(&self.options.control, "control"),
        ];
        let counts = Counts {
            x: [treated_successes, control_successes],
            n: [treated_trials, control_trials],
        };
        for (i, name) in names.iter().enumerate() {
            if counts.x[i] > counts.n[i] || counts.n[i] == 0 {
                return Err(Error::invalid_option(
                    "successes",
                    format!("{} of {} trials in `{name}`", counts.x[i], counts.n[i]),
                    "no more than the trials, of which there is at least one",
                ));
            }
        }
        self.report(&counts, &names, Vec::new())
    }

    fn run(&self, arms: &TwoArms) -> Result<Comparison> {
        let [treatment, control] = &arms.values;
        let counts = Counts {
            x: [
                successes(&arms.outcome, treatment)?,
                successes(&arms.outcome, control)?,
            ],
            n: [treatment.len() as u64, control.len() as u64],
        };
        self.report(&counts, &arms.names, arms.warnings.clone())
    }

    fn report(
        &self,
        counts: &Counts,
        names: &[String; 2],
        mut warnings: Vec<Warning>,
    ) -> Result<Comparison> {
        let (level, alternative) = (self.options.level, self.options.alternative);
        let (z, outside) = (
            critical(level, alternative, f64::INFINITY),
            tail(level, alternative),
        );
        let [p, q] = counts.shares();
        let mut effects = Vec::new();
        let mut add = |name: &str, method: String, estimate: f64, segment, range| {
            let segments = vec![open_within(segment, alternative, range)];
            effects.push(ComparisonEffect::new(
                name, method, estimate, level, segments,
            ));
        };
        add(
            "difference in proportions",
            self.difference.to_string(),
            p - q,
            self.difference.segment(counts, z)?,
            [-1.0, 1.0],
        );
        let ratios = [0.0, f64::INFINITY];
        if p + q > 0.0 {
            let segment = self.ratio.segment(counts, z)?;
            add(
                "ratio of proportions",
                self.ratio.to_string(),
                p / q,
                segment,
                ratios,
            );
        }
        if p + q > 0.0 && p + q < 2.0 {
            let odds = self.odds_ratio.odds_ratio(counts, z, outside)?;
            let method = self.odds_ratio.to_string();
            add("odds ratio", method, odds.estimate, odds.segment, ratios);
        } else {
            warnings.push(Warning::Note {
                message: format!(
                    "all outcomes are {}: there is no odds ratio, and little to compare",
                    if p > 0.0 { "successes" } else { "failures" }
                ),
            });
        }
        let arm = |i: usize| ComparisonArm {
            name: names[i].clone(),
            rows: counts.n[i],
            location: counts.shares()[i],
        };
        Ok(Comparison {
            title: format!(
                "Proportions of {}: {} − {}",
                self.options.outcome, names[0], names[1]
            ),
            location: "Proportion".to_owned(),
            arms: vec![arm(0), arm(1)],
            effects,
            tests: vec![self.tested(counts)?],
            warnings,
        })
    }

    fn tested(&self, counts: &Counts) -> Result<ComparisonTest> {
        let alternative = self.options.alternative;
        if !(self.null > -1.0 && self.null < 1.0) {
            return Err(Error::invalid_option("null", self.null, "between −1 and 1"));
        }
        let knows = matches!(self.test, ProportionTest::Score | ProportionTest::Unpooled);
        if !knows && self.null.abs() > 0.0 {
            return Err(Error::invalid_option(
                "null",
                self.null,
                format!("0 with the {}; use the score test", self.test),
            ));
        }
        let ([p, q], [n1, n0]) = (counts.shares(), counts.trials());
        let pooled = (counts.x[0] + counts.x[1]) as f64 / (n1 + n0);
        let by_z = |variance: f64| {
            let location = Location {
                estimate: p - q,
                // No variance and no difference is no evidence.
                std_error: variance.max(f64::MIN_POSITIVE).sqrt(),
                df: f64::INFINITY,
            };
            location.test(&self.test.to_string(), self.null, alternative)
        };
        let exactly = |statistic: f64, p_value: f64| ComparisonTest {
            name: self.test.to_string(),
            statistic,
            distribution: NullDistribution::Exact,
            alternative,
            p_value,
        };
        let given_successes = || {
            let [n1, n0] = counts.n;
            Masses::hypergeometric(n1, n0, counts.x[0] + counts.x[1], 1.0)
        };
        let unconditionally = |ordering| -> Result<ComparisonTest> {
            let found = unconditional(counts, ordering, alternative)?;
            Ok(exactly(found.statistic, found.p_value))
        };
        let treated = counts.x[0];
        Ok(match self.test {
            ProportionTest::Pooled => by_z(pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n0)),
            ProportionTest::Unpooled => by_z(p * (1.0 - p) / n1 + q * (1.0 - q) / n0),
            ProportionTest::Score => by_z(null_variance(counts, self.null)),
            ProportionTest::Fisher => exactly(
                treated as f64,
                given_successes().p_value(treated, alternative),
            ),
            ProportionTest::FisherMidP => exactly(
                treated as f64,
                given_successes().mid_p(treated, alternative),
            ),
            ProportionTest::Barnard => unconditionally(Ordering::PooledZ)?,
            ProportionTest::Boschloo => unconditionally(Ordering::Fisher)?,
        })
    }
}

two_arms!(TwoProportions);
