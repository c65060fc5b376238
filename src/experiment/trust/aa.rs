//! A/A calibration: whether a test holds its size on one's own data under one's own assignment.

use super::uniformity;
use crate::data::{Frame, MISSING};
use crate::error::{Error, Result, Warning};
use crate::experiment::arms::{measured, note};
use crate::experiment::sums::{Ratio, clustered_difference, ratio_difference};
use crate::inference::{Covariance, Estimate, Inference};
use crate::numeric::{Progress, Seed, blocks};
use crate::regression::Ols;
use crate::report::shown;
use crate::report::{Cell, Figure, Histogram, Table, p_text};
use crate::simulate::Allocation;
use serde::{Deserialize, Serialize};

/// Replications unless asked otherwise: the error of a rate of 5 % is then 0.7 %.
const REPLICATIONS: usize = 1000;

/// Fewer show nothing.
const FEWEST: usize = 20;

/// Replications between reports of progress.
const WAVE: usize = 64;

/// Levels whose rejection rates are shown.
const LEVELS: [f64; 3] = [0.01, 0.05, 0.1];

/// The level of the interval whose coverage is shown.
const COVERAGE: f64 = 0.95;

/// The test that is calibrated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AaTest {
    /// Difference in means or ratios with a variance for each arm (Welch; delta method for ratios), rows as units.
    Welch,
    /// The same with the variance by groups of this column.
    Clustered(String),
    /// Least squares of the outcome on treatment and these regressors, with this covariance.
    Adjusted {
        /// The right-hand side of a formula.
        regressors: String,
        /// Its covariance.
        covariance: Covariance,
    },
}

/// Re-draws the assignment of one's own data many times, as the experiment would have drawn it, and tests the effect of nothing each time. The
/// p-values of a valid test are then uniform, its 5 % level rejects 5 % of the time and its 95 % interval covers. When they are not, the analysis does not
/// fit the assignment (clusters analysed as rows) or the outcome (too skewed for its sample size).
///
/// Rates come with their Monte Carlo errors `√(r(1 − r)/R)`. Uniformity is tested by Kolmogorov's exact test, the spread of the t statistics should be
/// about one. With a `lift` δ, outcomes of the treated are multiplied by 1 + δ; coverage is then that of the known effect, and rejection rates are power.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `denominator` | none | makes the metric the ratio of two sums | |
/// | `allocation` | each row by a fair coin | how the experiment assigns | see [`Allocation`] |
/// | `test` | Welch | see [`AaTest`] | |
/// | `lift` | 0 | relative effect put into the outcomes | finite |
/// | `replications` | 1000 | assignments drawn | ≥ 20 |
/// | `seed` | none | required | any |
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`] for options or a self-selected allocation; [`Error::NoRows`]; [`Error::Unidentified`] when an assignment leaves
/// an arm with fewer than two units; [`Error::Infinite`]; [`Error::Cancelled`].
///
/// # References
/// Kohavi, R., Tang, D. & Xu, Y. (2020). *Trustworthy Online Controlled Experiments*, chapter 19. doi:10.1017/9781108653985
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let shop = Frame::new().with("spend", (0..400).map(|i| f64::from(i % 37)).collect::<Vec<_>>())?;
/// let fit = AaCalibration::new("spend").replications(200).seed(7).fit(&shop)?;
/// assert!(fit.is_calibrated());
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AaCalibration {
    outcome: String,
    denominator: Option<String>,
    allocation: Allocation,
    test: AaTest,
    lift: f64,
    replications: usize,
    seed: Option<Seed>,
}

/// How often a level rejected.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RejectionRate {
    /// The level.
    pub level: f64,
    /// The share of replications that it rejected.
    pub rate: f64,
    /// Its Monte Carlo standard error.
    pub std_error: f64,
}

/// What [`AaCalibration`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AaCalibrationFit {
    /// The p-value of each replication.
    pub p_values: Vec<f64>,
    /// Rejection rates at 1, 5 and 10 %.
    pub rejections: Vec<RejectionRate>,
    /// Share of 95 % intervals that hold the effect.
    pub coverage: f64,
    /// Monte Carlo error of the coverage.
    pub coverage_error: f64,
    /// Mean of the estimates less the effect, in their standard deviations.
    pub bias: f64,
    /// Standard deviation of (estimate − effect)/(standard error): about one when standard errors are right.
    pub spread: f64,
    /// Kolmogorov's distance of the p-values from uniform.
    pub uniformity_distance: f64,
    /// Its exact p-value.
    pub uniformity_p_value: f64,
    /// The effect that was put in.
    pub effect: f64,
    lift: f64,
    description: String,
    warnings: Vec<Warning>,
}

impl AaCalibration {
    /// A calibration of the difference in the mean of a column.
    pub fn new(outcome: impl Into<String>) -> Self {
        Self {
            outcome: outcome.into(),
            denominator: None,
            allocation: Allocation::Bernoulli { share: 0.5 },
            test: AaTest::Welch,
            lift: 0.0,
            replications: REPLICATIONS,
            seed: None,
        }
    }

    /// Divides by the sum of this column: the metric is a ratio.
    pub fn denominator(mut self, column: impl Into<String>) -> Self {
        self.denominator = Some(column.into());
        self
    }

    /// How the experiment assigns.
    pub fn allocation(mut self, allocation: Allocation) -> Self {
        self.allocation = allocation;
        self
    }

    /// The test.
    pub fn test(mut self, test: AaTest) -> Self {
        self.test = test;
        self
    }

    /// Multiplies outcomes of the treated by 1 + lift.
    pub fn lift(mut self, lift: f64) -> Self {
        self.lift = lift;
        self
    }

    /// How many assignments are drawn.
    pub fn replications(mut self, replications: usize) -> Self {
        self.replications = replications;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Draws and tests.
    ///
    /// # Errors
    /// See [`AaCalibration`].
    pub fn fit(&self, frame: &Frame) -> Result<AaCalibrationFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Draws and tests, watched by `progress`.
    ///
    /// # Errors
    /// See [`AaCalibration`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<AaCalibrationFit> {
        let seed = self.checked()?.child("A/A");
        let (frame, dropped) = self.complete(frame)?;
        let data = Data::new(self, &frame)?;
        let effect = self.lift * data.mean();
        let mut results: Vec<Estimate> = Vec::with_capacity(self.replications);
        while results.len() < self.replications {
            progress.report("A/A calibration", results.len(), self.replications)?;
            let first = results.len();
            let wave = blocks::map(WAVE.min(self.replications - first), |i| {
                let draw = seed.child(&(first + i).to_string());
                let treated = self.allocation.draw(&frame, draw)?;
                data.estimate(self, &frame, &treated)
            });
            for result in wave {
                results.push(result?);
            }
        }
        let mut fit = summary(&results, effect)?;
        fit.lift = self.lift;
        fit.description = format!(
            "{:?} of `{}` under {:?}",
            self.test, self.outcome, self.allocation
        );
        if dropped > 0 {
            fit.warnings
                .push(note(format!("{dropped} rows without the metric left out")));
        }
        if fit.lift.abs() <= 0.0 && !fit.is_calibrated() {
            fit.warnings.push(note(
                "the test does not hold its size here: analyse by the unit that is randomised, or use a randomisation test or the bootstrap-t for skewed outcomes",
            ));
        }
        Ok(fit)
    }

    fn checked(&self) -> Result<Seed> {
        if self.replications < FEWEST {
            return Err(Error::invalid_option(
                "replications",
                self.replications,
                format!("at least {FEWEST}"),
            ));
        }
        if !self.lift.is_finite() {
            return Err(Error::invalid_option("lift", self.lift, "finite"));
        }
        if matches!(self.allocation, Allocation::SelfSelected { .. }) {
            return Err(Error::invalid_option(
                "allocation",
                "self-selected",
                "a randomised one: who chooses for themselves is no A/A test",
            ));
        }
        if self.denominator.is_some() && matches!(self.test, AaTest::Adjusted { .. }) {
            return Err(Error::invalid_option(
                "denominator",
                "set together with an adjusted test",
                "left out, or the test Welch or clustered",
            ));
        }
        self.seed.ok_or_else(|| Error::SeedRequired {
            what: "the A/A calibration".to_owned(),
        })
    }

    /// The rows that have the metric.
    fn complete(&self, frame: &Frame) -> Result<(Frame, usize)> {
        let y = measured(frame, &self.outcome)?;
        let mut keep: Vec<bool> = y.iter().map(|v| !v.is_nan()).collect();
        if let Some(column) = &self.denominator {
            for (keep, v) in keep.iter_mut().zip(measured(frame, column)?.iter()) {
                *keep &= !v.is_nan();
            }
        }
        let kept = keep.iter().filter(|k| **k).count();
        if kept < 4 {
            return Err(Error::NoRows {
                reason: format!("`{}` is known in {kept} rows", self.outcome),
            });
        }
        let dropped = frame.rows() - kept;
        let frame = if dropped == 0 {
            frame.clone()
        } else {
            frame.filter(&keep)?
        };
        Ok((frame, dropped))
    }
}

/// The metric, and the groups of its variance.
struct Data {
    y: Vec<f64>,
    n: Vec<f64>,
    clusters: Option<Vec<u32>>,
}

/// The treatment of the replication, in the frame of an adjusted test.
const TREATED: &str = "assigned in replication";

impl Data {
    fn new(options: &AaCalibration, frame: &Frame) -> Result<Self> {
        let y = measured(frame, &options.outcome)?.to_vec();
        let n = match &options.denominator {
            None => vec![1.0; y.len()],
            Some(column) => measured(frame, column)?.to_vec(),
        };
        let clusters = match &options.test {
            AaTest::Clustered(column) => {
                let groups = frame.groups(column)?;
                let missing = groups.codes.iter().filter(|c| **c == MISSING).count();
                if missing > 0 {
                    return Err(Error::MissingClusters {
                        column: column.clone(),
                        missing,
                    });
                }
                Some(groups.codes.to_vec())
            }
            _ => None,
        };
        Ok(Self { y, n, clusters })
    }

    fn mean(&self) -> f64 {
        self.y.iter().sum::<f64>() / self.n.iter().sum::<f64>()
    }

    fn estimate(
        &self,
        options: &AaCalibration,
        frame: &Frame,
        treated: &[bool],
    ) -> Result<Estimate> {
        let lifted: Vec<f64> = (self.y.iter().zip(treated))
            .map(|(y, t)| if *t { y * (1.0 + options.lift) } else { *y })
            .collect();
        if let AaTest::Adjusted {
            regressors,
            covariance,
        } = &options.test
        {
            let flags: Vec<f64> = treated.iter().map(|t| f64::from(u8::from(*t))).collect();
            let frame = frame
                .replace(&options.outcome, lifted)?
                .with(TREATED, flags)?;
            let formula = format!("`{}` ~ `{TREATED}` + {regressors}", options.outcome);
            let fit = Ols::new(formula)
                .covariance(covariance.clone())
                .fit(&frame)?;
            let at = fit.names().iter().position(|n| n.contains(TREATED));
            let at = at.ok_or_else(|| Error::Unidentified {
                what: "the effect of a re-drawn assignment".to_owned(),
                needs: "regressors that do not tell the assignment".to_owned(),
            })?;
            return Ok(fit.estimate_at(at));
        }
        let rows = Ratio {
            y: &lifted,
            n: &self.n,
            treated,
        };
        match &self.clusters {
            None => ratio_difference("A/A", &rows),
            Some(codes) => clustered_difference("A/A", &rows, codes),
        }
    }
}

fn summary(results: &[Estimate], effect: f64) -> Result<AaCalibrationFit> {
    let count = results.len() as f64;
    let p_values: Vec<f64> = results.iter().map(Estimate::p_value).collect();
    if p_values.iter().any(|p| p.is_nan()) {
        return Err(Error::NotFinite {
            what: "the p-value of a replication".to_owned(),
        });
    }
    let error = |rate: f64| (rate * (1.0 - rate) / count).sqrt();
    let rejections = LEVELS
        .iter()
        .map(|level| {
            let rate = p_values.iter().filter(|p| **p <= *level).count() as f64 / count;
            RejectionRate {
                level: *level,
                rate,
                std_error: error(rate),
            }
        })
        .collect();
    let mut covered = 0.0;
    for result in results {
        let interval = result.confidence_interval(COVERAGE)?;
        covered += f64::from(u8::from(
            interval.lower <= effect && effect <= interval.upper,
        ));
    }
    let coverage = covered / count;
    let mean = |f: &dyn Fn(&Estimate) -> f64| results.iter().map(f).sum::<f64>() / count;
    let center = mean(&|e| e.estimate);
    let deviation = mean(&|e| (e.estimate - center).powi(2)).sqrt();
    let z = mean(&|e| e.statistic(effect));
    let distance = uniformity::distance(&p_values);
    Ok(AaCalibrationFit {
        rejections,
        coverage,
        coverage_error: error(coverage),
        bias: (center - effect) / deviation,
        spread: mean(&|e| (e.statistic(effect) - z).powi(2)).sqrt(),
        uniformity_distance: distance,
        uniformity_p_value: uniformity::p_value(results.len(), distance),
        effect,
        p_values,
        lift: 0.0,
        description: String::new(),
        warnings: vec![],
    })
}

impl AaCalibrationFit {
    /// Whether coverage is within three Monte Carlo errors of 95 % (one interval more or less aside) and, without a lift, p-values are not found to be other than uniform (at 0.1 %).
    pub fn is_calibrated(&self) -> bool {
        const ERRORS: f64 = 3.0;
        const UNIFORM: f64 = 0.001;
        let count = self.p_values.len() as f64;
        let error = (COVERAGE * (1.0 - COVERAGE) / count).sqrt();
        (self.coverage - COVERAGE).abs() <= ERRORS * error + 1.0 / count
            && (self.lift.abs() > 0.0 || self.uniformity_p_value >= UNIFORM)
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Rates with their Monte Carlo errors.
    pub fn table(&self) -> Table {
        let what = if self.lift.abs() > 0.0 {
            "Power"
        } else {
            "False positives"
        };
        let mut table = Table::new("A/A calibration").columns(["", "Rate", "Monte Carlo error"]);
        for r in &self.rejections {
            table = table.row([
                Cell::from(format!("{what} at {}", r.level)),
                Cell::fixed(r.rate, 4),
                Cell::fixed(r.std_error, 4),
            ]);
        }
        table = table
            .row([
                Cell::from("Coverage of 95 % intervals"),
                Cell::fixed(self.coverage, 4),
                Cell::fixed(self.coverage_error, 4),
            ])
            .row([
                Cell::from("Spread of t statistics"),
                Cell::fixed(self.spread, 3),
            ])
            .row([
                Cell::from("Bias, in standard deviations"),
                Cell::fixed(self.bias, 3),
            ])
            .note(format!(
                "{} replications: {}",
                self.p_values.len(),
                self.description
            ))
            .note(format!(
                "Uniformity of p-values: D = {:.4}, {}",
                self.uniformity_distance,
                p_text(self.uniformity_p_value)
            ));
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// The p-values, which should be even.
    ///
    /// # Errors
    /// None for a fit made here.
    pub fn figure(&self) -> Result<Figure> {
        const BINS: usize = 20;
        Histogram::new(&self.p_values)
            .bins(BINS)
            .title("A/A calibration: p-values of re-drawn assignments")
            .x_title("p")
            .y_title("Replications")
            .draw()
    }
}

shown!(AaCalibrationFit);

#[cfg(test)]
mod tests;
