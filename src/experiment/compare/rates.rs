//! Two rates of events: Poisson counts over exposures.

use super::discrete::Masses;
use super::location::{Location, critical, open, t_tail, tail};
use super::proportions::ProportionInterval;
use super::result::{
    Comparison, ComparisonArm, ComparisonEffect, ComparisonTest, NullDistribution,
};
use super::sample::{Options, TwoArms, two_arms};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::{Alternative, Segment, check_level, quadratic_set};
use crate::numeric::special::chi_squared;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Counts vary by so much more than Poisson's law allows before a warning: half as much again, and beyond chance at this level.
const OVERDISPERSED: f64 = 1.5;
const BEYOND_CHANCE: f64 = 0.01;

/// A test that two rates are equal, or have a given ratio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RateTest {
    /// z over the standard error under the null hypothesis (default).
    #[default]
    Score,
    /// Exact, given all events: those of the treatment are binomial (Przyborowski & Wilenski 1940).
    Exact,
    /// The exact test with the observed number counted half; two-sided it is twice the smaller tail.
    MidP,
    /// z of the log of the ratio.
    WaldLog,
}

impl fmt::Display for RateTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Score => "score test",
            Self::Exact => "exact conditional test",
            Self::MidP => "mid-p conditional test",
            Self::WaldLog => "Wald test of the log ratio",
        })
    }
}

/// An interval for the ratio of two rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RateInterval {
    /// The ratios that the score test does not reject (default).
    #[default]
    Score,
    /// The ratios that neither one-sided exact test rejects: from Clopper and Pearson's interval.
    Exact,
    /// Between mid-p tests.
    MidP,
    /// `log ρ̂ ± z √(1/y₁ + 1/y₀)`.
    WaldLog,
}

impl fmt::Display for RateInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Score => "score",
            Self::Exact => "exact conditional",
            Self::MidP => "mid-p",
            Self::WaldLog => "Wald on the log",
        })
    }
}

/// Compares the rates of events in two arms, `λ = E[events]/exposure`: their ratio `λ₁/λ₀` and difference, treatment against control.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `treatment`, `control` | the two arms; the first level is the control | which arms | levels of the column |
/// | `exposure` | 1 a row | column of exposures: days, visits | positive |
/// | `test` | score | the test | see [`RateTest`] |
/// | `interval` | score | interval of the ratio | see [`RateInterval`] |
/// | `null` | 1 | ratio under the null hypothesis | positive |
/// | `alternative` | two-sided | side of test and intervals | see [`Alternative`] |
/// | `level` | 0.95 | confidence | (0, 1) |
///
/// The outcome is a count; its law is Poisson. Counts of rows that vary by more give a warning: compare their means then
/// ([`TwoMeans`](super::TwoMeans)), or regress by [`Poisson`](crate::regression::Poisson) with robust errors.
///
/// ```
/// use cocreate::prelude::*;
/// let fit = TwoRates::default().counts(60, 51477.5, 30, 54308.7)?;
/// let ratio = fit.effect("ratio of rates")?;
/// assert!((ratio.estimate - 2.11).abs() < 0.01 && ratio.lower() > 1.0 && fit.p_value() < 0.001);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// As [`TwoMeans`](super::TwoMeans); [`Error::OutOfRange`] for a count that is negative or no whole number, or an exposure that is not positive;
/// [`Error::Unidentified`] without any event; [`Error::InvalidOption`].
///
/// # References
/// Gu, Ng, Tang & Schucany (2008), doi:10.1002/bimj.200710403; Przyborowski & Wilenski (1940), doi:10.1093/biomet/31.3-4.313.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwoRates {
    options: Options,
    exposure: Option<String>,
    test: RateTest,
    interval: RateInterval,
    null: f64,
}

impl TwoRates {
    /// Compares the rates of a column of counts between the arms of another.
    pub fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            options: Options::new(outcome, arm),
            exposure: None,
            test: RateTest::default(),
            interval: RateInterval::default(),
            null: 1.0,
        }
    }

    /// The column of exposures.
    pub fn exposure(mut self, column: impl Into<String>) -> Self {
        self.exposure = Some(column.into());
        self
    }

    /// The test.
    pub fn test(mut self, test: RateTest) -> Self {
        self.test = test;
        self
    }

    /// The interval of the ratio.
    pub fn interval(mut self, interval: RateInterval) -> Self {
        self.interval = interval;
        self
    }

    /// The ratio under the null hypothesis.
    pub fn null(mut self, ratio: f64) -> Self {
        self.null = ratio;
        self
    }

    /// Compares numbers of events over exposures.
    ///
    /// # Errors
    /// See [`TwoRates`].
    pub fn counts(
        &self,
        treated_events: u64,
        treated_exposure: f64,
        control_events: u64,
        control_exposure: f64,
    ) -> Result<Comparison> {
        check_level(self.options.level)?;
        let name =
            |given: &Option<String>, or: &str| given.clone().unwrap_or_else(|| or.to_owned());
        let names = [
            name(&self.options.treatment, "treatment"),
            name(&self.options.control, "control"),
        ];
        for (name, exposure) in names.iter().zip([treated_exposure, control_exposure]) {
            if !(exposure > 0.0 && exposure.is_finite()) {
                return Err(Error::invalid_option(
                    &format!("exposure of {name}"),
                    exposure,
                    "positive and finite",
                ));
            }
        }
        self.report(&Events {
            names,
            y: [treated_events, control_events],
            exposure: [treated_exposure, control_exposure],
            rows: [treated_events, control_events],
            warnings: Vec::new(),
        })
    }

    fn run(&self, arms: &TwoArms) -> Result<Comparison> {
        let ones = arms.values.each_ref().map(|v| vec![1.0; v.len()]);
        self.by_rows(arms, &ones)
    }

    fn by_rows(&self, arms: &TwoArms, exposures: &[Vec<f64>; 2]) -> Result<Comparison> {
        let mut y = [0; 2];
        for (total, values) in y.iter_mut().zip(&arms.values) {
            for (row, count) in values.iter().enumerate() {
                if *count < 0.0 || count.fract().abs() > 0.0 {
                    return Err(Error::OutOfRange {
                        column: arms.outcome.clone(),
                        row: row + 1,
                        value: *count,
                        expected: "a whole number that is not negative (row of the arm)".to_owned(),
                    });
                }
                *total += *count as u64;
            }
        }
        let exposure = exposures.each_ref().map(|e| e.iter().sum::<f64>());
        let mut warnings = arms.warnings.clone();
        warnings.extend(dispersion(arms, exposures, y, exposure));
        self.report(&Events {
            names: arms.names.clone(),
            y,
            exposure,
            rows: arms.values.each_ref().map(|v| v.len() as u64),
            warnings,
        })
    }

    fn report(&self, events: &Events) -> Result<Comparison> {
        let (level, alternative) = (self.options.level, self.options.alternative);
        if !(self.null > 0.0 && self.null.is_finite()) {
            return Err(Error::invalid_option("null", self.null, "positive"));
        }
        let total = events.y[0] + events.y[1];
        if total == 0 {
            return Err(Error::Unidentified {
                what: "the ratio of rates".to_owned(),
                needs: "an event in one of the arms".to_owned(),
            });
        }
        let ([y1, y0], [e1, e0]) = (events.y.map(|y| y as f64), events.exposure);
        let rates = [y1 / e1, y0 / e0];
        let segment = self.segment(events)?;
        let positive = Segment {
            lower: segment.lower.max(0.0),
            ..segment
        };
        let difference = Location {
            estimate: rates[0] - rates[1],
            std_error: (y1 / (e1 * e1) + y0 / (e0 * e0)).sqrt(),
            df: f64::INFINITY,
        };
        let effects = vec![
            ComparisonEffect::new(
                "ratio of rates",
                self.interval.to_string(),
                rates[0] / rates[1],
                level,
                vec![positive],
            ),
            difference.effect("difference in rates", "Wald", level, alternative),
        ];
        let arm = |i: usize| ComparisonArm {
            name: events.names[i].clone(),
            rows: events.rows[i],
            location: rates[i],
        };
        Ok(Comparison {
            title: format!(
                "Rates of {}: {} against {}",
                self.options.outcome, events.names[0], events.names[1]
            ),
            location: "Rate".to_owned(),
            arms: vec![arm(0), arm(1)],
            effects,
            tests: vec![self.tested(events)],
            warnings: events.warnings.clone(),
        })
    }

    fn tested(&self, events: &Events) -> ComparisonTest {
        let alternative = self.options.alternative;
        let [y1, y0] = events.y.map(|y| y as f64);
        // The expected ratio of events.
        let odds = self.null * events.exposure[0] / events.exposure[1];
        let total = events.y[0] + events.y[1];
        let normal = |statistic: f64| ComparisonTest {
            name: self.test.to_string(),
            statistic,
            distribution: NullDistribution::Normal,
            alternative,
            p_value: t_tail(statistic, f64::INFINITY, alternative),
        };
        let exact = |p_value: f64| ComparisonTest {
            name: self.test.to_string(),
            statistic: y1,
            distribution: NullDistribution::Exact,
            alternative,
            p_value,
        };
        let law = || Masses::binomial(total, odds / (1.0 + odds));
        match self.test {
            RateTest::Score => normal((y1 - y0 * odds) / ((y1 + y0) * odds).sqrt()),
            RateTest::Exact => exact(law().p_value(events.y[0], alternative)),
            RateTest::MidP => exact(law().mid_p(events.y[0], alternative)),
            // Without events in an arm the error of the log is infinite.
            RateTest::WaldLog if y1 * y0 <= 0.0 => normal(0.0),
            RateTest::WaldLog => normal((y1 / y0 / odds).ln() / (1.0 / y1 + 1.0 / y0).sqrt()),
        }
    }

    /// The interval of the ratio.
    fn segment(&self, events: &Events) -> Result<Segment> {
        let (level, alternative) = (self.options.level, self.options.alternative);
        let z = critical(level, alternative, f64::INFINITY);
        let [y1, y0] = events.y.map(|y| y as f64);
        let total = events.y[0] + events.y[1];
        let whole = Segment {
            lower: 0.0,
            upper: f64::INFINITY,
        };
        let by_share = |kind: ProportionInterval| -> Result<Segment> {
            let share = kind.segment(events.y[0], total, z, tail(level, alternative))?;
            Ok(Segment {
                lower: share.lower / (1.0 - share.lower),
                upper: share.upper / (1.0 - share.upper),
            })
        };
        // For the ratio of events; that of rates has the exposures too.
        let odds = match self.interval {
            RateInterval::Score => {
                // (y₁ − y₀ω)² ≤ z² (y₁ + y₀) ω
                let set = quadratic_set(y0 * y0, y1 * y0 + z * z * (y1 + y0) / 2.0, y1 * y1);
                set.first().copied().unwrap_or(whole)
            }
            RateInterval::Exact => by_share(ProportionInterval::ClopperPearson)?,
            RateInterval::MidP => by_share(ProportionInterval::MidP)?,
            RateInterval::WaldLog if y1 * y0 <= 0.0 => whole,
            RateInterval::WaldLog => {
                let half = z * (1.0 / y1 + 1.0 / y0).sqrt();
                Segment {
                    lower: y1 / y0 * (-half).exp(),
                    upper: y1 / y0 * half.exp(),
                }
            }
        };
        let scale = events.exposure[1] / events.exposure[0];
        let segment = Segment {
            lower: odds.lower * scale,
            upper: odds.upper * scale,
        };
        Ok(open(segment, alternative))
    }
}

two_arms!(TwoRates, read_by: TwoRates::read);

impl TwoRates {
    /// Reads counts, with their exposures when a column has them.
    fn read(&self, frame: &Frame) -> Result<Comparison> {
        let Some(exposure) = &self.exposure else {
            return self.run(&TwoArms::read(&self.options, frame)?);
        };
        let (counts, times) = (
            frame.numeric(&self.options.outcome)?,
            frame.numeric(exposure)?,
        );
        let known = counts
            .values()
            .iter()
            .zip(times.values().iter())
            .enumerate();
        for (row, (y, e)) in known {
            if !(y.is_nan() || *e > 0.0 && e.is_finite()) {
                return Err(Error::OutOfRange {
                    column: exposure.clone(),
                    row: row + 1,
                    value: *e,
                    expected: "positive and finite where the count is known".to_owned(),
                });
            }
        }
        // Exposures of the rows whose count is known, read in the same way.
        let of_counted = |(y, e): (&f64, &f64)| if y.is_nan() { f64::NAN } else { *e };
        let used: Vec<f64> = counts
            .values()
            .iter()
            .zip(times.values().iter())
            .map(of_counted)
            .collect();
        let groups = frame.column(&self.options.arm)?.clone();
        let exposures = Frame::new()
            .with(self.options.outcome.as_str(), used)?
            .with(self.options.arm.as_str(), groups)?;
        let arms = TwoArms::read(&self.options, frame)?;
        self.by_rows(&arms, &TwoArms::read(&self.options, &exposures)?.values)
    }
}

/// Events and exposures of treatment and control.
struct Events {
    names: [String; 2],
    y: [u64; 2],
    exposure: [f64; 2],
    rows: [u64; 2],
    warnings: Vec<Warning>,
}

/// Pearson's statistic against its degrees of freedom.
fn dispersion(
    arms: &TwoArms,
    exposures: &[Vec<f64>; 2],
    y: [u64; 2],
    exposure: [f64; 2],
) -> Option<Warning> {
    let (mut pearson, mut df) = (0.0, 0.0);
    for i in 0..2 {
        let rate = y[i] as f64 / exposure[i];
        if rate <= 0.0 {
            continue;
        }
        let rows = arms.values[i].iter().zip(&exposures[i]);
        pearson += rows
            .map(|(y, e)| (y - rate * e).powi(2) / (rate * e))
            .sum::<f64>();
        df += arms.values[i].len() as f64 - 1.0;
    }
    let ratio = pearson / df;
    (df > 0.0 && ratio > OVERDISPERSED && chi_squared::sf(pearson, df) < BEYOND_CHANCE).then(|| Warning::Note {
        message: format!(
            "counts vary {ratio:.1} times as much as Poisson's law allows: these intervals are too narrow; compare means by TwoMeans"
        ),
    })
}
