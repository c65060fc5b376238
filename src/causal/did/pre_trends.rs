//! What the test of effects before treatment can see, and what passing it does to the estimates.

use super::event_study::EventStudy;
use crate::error::{Error, Result};
use crate::inference::Inference;
use crate::numeric::linalg::{Cholesky, block};
use crate::numeric::optimize::brent_root;
use crate::numeric::special::multivariate_normal::{Settings, cdf};
use crate::numeric::special::normal;
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The level of the tests of single effects before treatment.
const LEVEL: f64 = 0.05;

/// Below this chance to pass the test, means of the samples that pass would be all error of the integrals.
const RARE: f64 = 5e-3;

/// The largest power that is searched.
const MOST: f64 = 0.99;

/// The seed of the lattice of the integrals, whose error is 1e-4: no draws that a user would want to repeat.
const LATTICE: u64 = 1;

/// A linear difference in trends, and what the test of effects before treatment makes of it (Roth 2022). The test passes when no effect before treatment is significant at 5 %.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreTrendPower {
    /// The slope of the difference in trends, per unit of time.
    pub slope: f64,
    /// The probability that some effect before treatment is significant.
    pub power: f64,
    /// The same without a difference in trends: the size of the test.
    pub size: f64,
    /// By time since treatment.
    pub times: Vec<PreTrendTime>,
}

/// An effect under a linear difference in trends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreTrendTime {
    /// Time since treatment.
    pub time: f64,
    /// The estimate.
    pub estimate: f64,
    /// The bias that the difference in trends causes.
    pub bias: f64,
    /// The mean bias of the estimates that pass the test.
    pub bias_if_passed: f64,
}

impl EventStudy {
    /// The slope of a linear difference in trends that the test of effects before treatment finds with the given power, e.g. 0.8, and what it does to the estimates: a test that finds large slopes only says little.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a power that is not above the size of the test, and at most 0.99; those of [`pre_trend_power`](Self::pre_trend_power).
    pub fn detectable_slope(&self, power: f64) -> Result<PreTrendPower> {
        let test = PreTest::new(self)?;
        let size = test.power(0.0);
        if !(power > size && power <= MOST) {
            return Err(Error::invalid_option(
                "power",
                power,
                format!("above {size:.4}, the size of the test, and at most {MOST}"),
            ));
        }
        // Each effect alone has more than any power at some slope.
        let scale = (test.trend.iter().zip(&test.limits))
            .map(|(trend, limit)| limit / trend.abs())
            .fold(f64::INFINITY, f64::min);
        let mut high = scale;
        while test.power(high) < power {
            high *= 2.0;
        }
        let slope = brent_root(|slope| test.power(slope) - power, 0.0, high, 1e-5 * high)?;
        self.pre_trend_power(slope.point)
    }

    /// The power of the test of effects before treatment against a linear difference in trends of this slope, and the bias that it causes, in all samples and in those that pass.
    ///
    /// Estimates are taken as normal with the estimated covariance Σ, their means as the effects plus `slope · (t − reference)`. With the box B of effects before treatment that are not significant, power is
    /// `1 − P(β̂_pre ∈ B)`, and the mean of an effect after treatment among samples that pass moves by `Σ_post,pre Σ_pre⁻¹ (E[β̂_pre | B] − E[β̂_pre])` (Roth 2022, Proposition 1); the mean within the box is Tallis's (1961).
    ///
    /// # Errors
    /// [`Error::Unidentified`] without effects before treatment, or without a common reference period: take a universal base period; [`Error::Matrix`] when their
    /// covariance is singular; [`Error::InvalidOption`] for a slope that is not finite, or so large that less than 0.5 % of samples pass the test.
    ///
    /// # References
    /// Roth (2022), doi:10.1257/aeri.20210236; Tallis (1961), doi:10.1111/j.2517-6161.1961.tb00408.x.
    pub fn pre_trend_power(&self, slope: f64) -> Result<PreTrendPower> {
        let test = PreTest::new(self)?;
        if !(slope.is_finite() && test.power(slope) <= 1.0 - RARE) {
            return Err(Error::invalid_option(
                "slope",
                slope,
                format!(
                    "a number with which at least {} % of samples pass the test",
                    100.0 * RARE
                ),
            ));
        }
        let bias = |time: f64| slope * (time - test.reference);
        let inside = test.mean_inside(slope);
        let shift = DVector::from_fn(inside.len(), |i, _| inside[i] - slope * test.trend[i]);
        let pull = test.factor.solve_vector(&shift);
        let covariance = Inference::covariance(self);
        let times = self.times().iter().enumerate().map(|(at, time)| {
            let moved: f64 = (test.before.iter().zip(pull.iter()))
                .map(|(pre, pull)| covariance[(at, *pre)] * pull)
                .sum();
            PreTrendTime {
                time: *time,
                estimate: self.estimates()[at],
                bias: bias(*time),
                bias_if_passed: bias(*time) + moved,
            }
        });
        Ok(PreTrendPower {
            slope,
            power: test.power(slope),
            size: test.power(0.0),
            times: times.collect(),
        })
    }
}

/// The test that no effect before treatment is significant.
struct PreTest {
    before: Vec<usize>,
    reference: f64,
    /// What a slope of one makes of each effect.
    trend: Vec<f64>,
    /// What |estimate| must exceed.
    limits: Vec<f64>,
    covariance: DMatrix<f64>,
    factor: Cholesky,
}

impl PreTest {
    fn new(study: &EventStudy) -> Result<Self> {
        let unidentified = |needs: &str| Error::Unidentified {
            what: "the power of the test before treatment".to_owned(),
            needs: needs.to_owned(),
        };
        let reference = study.reference().ok_or_else(|| {
            unidentified("one reference period for all effects; add `.base_period(BasePeriod::Universal)`, or use SunAbraham")
        })?;
        let before = study.earlier();
        if before.is_empty() {
            return Err(unidentified(
                "effects before treatment besides the reference period",
            ));
        }
        let covariance = block(Inference::covariance(study), &before, &before);
        let factor =
            Cholesky::full_rank(&covariance, "the covariance of effects before treatment")?;
        let critical = normal::quantile(1.0 - LEVEL / 2.0);
        Ok(Self {
            reference,
            trend: before
                .iter()
                .map(|at| study.times()[*at] - reference)
                .collect(),
            limits: (0..before.len())
                .map(|i| critical * covariance[(i, i)].sqrt())
                .collect(),
            covariance,
            factor,
            before,
        })
    }

    /// The probability of a box about zero for effects with this mean and covariance.
    fn inside(limits: &[f64], mean: &[f64], covariance: &DMatrix<f64>) -> f64 {
        let ends = |sign: f64| -> Vec<f64> {
            let pairs = limits.iter().zip(mean);
            pairs.map(|(limit, mean)| sign * limit - mean).collect()
        };
        let settings = Settings {
            tolerance: 1e-4,
            points: 100_000,
            ..Settings::new(LATTICE)
        };
        cdf(&ends(-1.0), &ends(1.0), covariance, &settings).value
    }

    fn mean(&self, slope: f64) -> Vec<f64> {
        self.trend.iter().map(|trend| slope * trend).collect()
    }

    fn power(&self, slope: f64) -> f64 {
        1.0 - Self::inside(&self.limits, &self.mean(slope), &self.covariance)
    }

    /// `E[X | box] = μ + Σ_k Σ_·k (F_k(−c_k) − F_k(c_k))`, with `F_k` the density of `X_k` at an end times the probability of the box for the others given that.
    fn mean_inside(&self, slope: f64) -> Vec<f64> {
        let mean = self.mean(slope);
        let whole = Self::inside(&self.limits, &mean, &self.covariance);
        let mut inside = mean.clone();
        for k in 0..mean.len() {
            let others: Vec<usize> = (0..mean.len()).filter(|i| *i != k).collect();
            let variance = self.covariance[(k, k)];
            let given = DMatrix::from_fn(others.len(), others.len(), |i, j| {
                let (i, j) = (others[i], others[j]);
                self.covariance[(i, j)]
                    - self.covariance[(i, k)] * self.covariance[(j, k)] / variance
            });
            let limits: Vec<f64> = others.iter().map(|i| self.limits[*i]).collect();
            let density = |end: f64| {
                let moved: Vec<f64> = (others.iter())
                    .map(|i| mean[*i] + self.covariance[(*i, k)] / variance * (end - mean[k]))
                    .collect();
                let z = (end - mean[k]) / variance.sqrt();
                normal::pdf(z) / variance.sqrt() * Self::inside(&limits, &moved, &given)
            };
            let gap = (density(-self.limits[k]) - density(self.limits[k])) / whole;
            for (i, value) in inside.iter_mut().enumerate() {
                *value += self.covariance[(i, k)] * gap;
            }
        }
        inside
    }
}

impl PreTrendPower {
    /// Power, and bias by time since treatment.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 4;
        let mut table = Table::new(format!(
            "A difference in trends of {} per unit of time",
            Cell::significant(self.slope, DIGITS)
        ))
        .columns(["Time", "Estimate", "Bias", "Bias if passed"])
        .note(format!(
            "Some effect before treatment is significant at 5 % with probability {:.3}; without a difference in trends with {:.3}.",
            self.power, self.size
        ));
        for time in &self.times {
            table = table.row([
                Cell::from(time.time.to_string().as_str()),
                Cell::significant(time.estimate, DIGITS),
                Cell::significant(time.bias, DIGITS),
                Cell::significant(time.bias_if_passed, DIGITS),
            ]);
        }
        table
    }
}

crate::report::notebook::shown!(PreTrendPower);
