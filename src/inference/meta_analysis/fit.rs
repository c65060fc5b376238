//! What a meta-analysis found.

use super::heterogeneity::Spread;
use super::{BetweenStudies, MeanError};
use crate::error::{Error, Result, Warning};
use crate::inference::{Distribution, Estimate, Interval, TestResult};
use crate::numeric::special::student_t;
use crate::report::{Cell, CoefficientPlot, Figure, Table, shown};
use serde::{Deserialize, Serialize};

/// What [`MetaAnalysis`](super::MetaAnalysis) found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetaAnalysisFit {
    studies: Vec<Estimate>,
    mean: Estimate,
    between: f64,
    /// The variance of which I² and H² are made.
    inconsistency: f64,
    between_error: Option<f64>,
    between_interval: Interval,
    typical: f64,
    test: TestResult,
    method: BetweenStudies,
    mean_error: MeanError,
    level: f64,
    warnings: Vec<Warning>,
}

impl MetaAnalysisFit {
    pub(super) fn new(
        studies: Vec<Estimate>,
        method: BetweenStudies,
        mean_error: MeanError,
        level: f64,
        mut warnings: Vec<Warning>,
    ) -> Result<Self> {
        let y: Vec<f64> = studies.iter().map(|s| s.estimate).collect();
        let variance: Vec<f64> = studies.iter().map(|s| s.std_error.powi(2)).collect();
        let spread = Spread {
            y: &y,
            variance: &variance,
            x: None,
        };
        let free = spread.free();
        let between = spread.estimate(method)?;
        let [lower, upper] = spread.profile(level)?;
        let at = spread.at(between);
        let ratio = at.q / free;
        let (scale, df) = mean_error.scale(ratio, free);
        warnings.extend(method.remarks(mean_error, ratio, between, y.len(), upper));
        let fixed = spread.at(0.0);
        Ok(Self {
            mean: Estimate {
                name: "mean effect".to_owned(),
                estimate: at.coefficients[0],
                std_error: (scale * at.inverse[(0, 0)]).sqrt(),
                degrees_of_freedom: df,
            },
            between,
            inconsistency: spread.inconsistency(method, between)?,
            between_error: spread.error_of(method, between),
            between_interval: Interval {
                name: "τ²".to_owned(),
                level,
                lower,
                upper,
            },
            typical: spread.typical(),
            test: TestResult::new(
                "heterogeneity (Cochran's Q)",
                fixed.q,
                Distribution::ChiSquared { df: free },
            ),
            studies,
            method,
            mean_error,
            level,
            warnings,
        })
    }

    /// The mean effect μ̂.
    pub fn mean(&self) -> &Estimate {
        &self.mean
    }

    /// The variance τ̂² between studies.
    pub fn between(&self) -> f64 {
        self.between
    }

    /// Its standard error. Of restricted likelihood `√(2/tr(PP))`, of likelihood `√(2/Σw*²)`, from their expected information, with `tr(PP) = Σw*² − 2Σw*³/Σw* + (Σw*²/Σw*)²`; of DerSimonian & Laird's estimator
    /// `√(2(k − 1) + 4 τ̂² C + 2 τ̂⁴ tr(PP))/C` with the weights w and `C = Σw − Σw²/Σw`; none for the other estimators.
    pub fn between_std_error(&self) -> Option<f64> {
        self.between_error
    }

    /// The interval of τ² (Q-profile).
    pub fn between_interval(&self) -> &Interval {
        &self.between_interval
    }

    /// I², the share of the spread of estimates that is not sampling error; `max(0, (Q − df)/Q)` where τ² is not estimated.
    pub fn i_squared(&self) -> f64 {
        self.inconsistency / (self.inconsistency + self.typical)
    }

    /// The interval of I², from that of τ².
    pub fn i_squared_interval(&self) -> Interval {
        self.of_between("I²", |t| t / (t + self.typical))
    }

    /// H², the variance of estimates over that of sampling.
    pub fn h_squared(&self) -> f64 {
        1.0 + self.inconsistency / self.typical
    }

    /// The interval of H², from that of τ².
    pub fn h_squared_interval(&self) -> Interval {
        self.of_between("H²", |t| 1.0 + t / self.typical)
    }

    fn of_between(&self, name: &str, f: impl Fn(f64) -> f64) -> Interval {
        Interval {
            name: name.to_owned(),
            level: self.level,
            lower: f(self.between_interval.lower),
            upper: f(self.between_interval.upper),
        }
    }

    /// The test that all studies have the same effect.
    pub fn heterogeneity_test(&self) -> &TestResult {
        &self.test
    }

    /// The interval in which the effect of a further study is expected, with t(k − 2).
    ///
    /// # Errors
    /// [`Error::Unidentified`] with two studies.
    pub fn prediction_interval(&self) -> Result<Interval> {
        let free = self.studies.len() as f64 - 2.0;
        if free < 1.0 {
            return Err(Error::Unidentified {
                what: "the effect of a further study".to_owned(),
                needs: "at least three studies".to_owned(),
            });
        }
        let half = student_t::quantile(0.5 + 0.5 * self.level, free)
            * (self.between + self.mean.std_error.powi(2)).sqrt();
        Ok(Interval {
            name: "effect of a further study".to_owned(),
            level: self.level,
            lower: self.mean.estimate - half,
            upper: self.mean.estimate + half,
        })
    }

    /// The studies, in their order.
    pub fn studies(&self) -> &[Estimate] {
        &self.studies
    }

    /// The share of each study in the mean.
    pub fn weights(&self) -> Vec<f64> {
        let weights = || (self.studies.iter()).map(|s| 1.0 / (s.std_error.powi(2) + self.between));
        let sum: f64 = weights().sum();
        weights().map(|w| w / sum).collect()
    }

    /// The mean without each study in turn, by the same methods.
    ///
    /// # Errors
    /// [`Error::Unidentified`] with two studies.
    pub fn leave_one_out(&self) -> Result<Vec<Estimate>> {
        if self.studies.len() < 3 {
            return Err(Error::Unidentified {
                what: "what the others say without one study".to_owned(),
                needs: "at least three studies".to_owned(),
            });
        }
        (0..self.studies.len())
            .map(|out| {
                let mut others = self.studies.clone();
                let name = others.remove(out).name;
                let fit = Self::new(others, self.method, self.mean_error, self.level, Vec::new())?;
                Ok(Estimate {
                    name: format!("without {name}"),
                    ..fit.mean
                })
            })
            .collect()
    }

    /// The same of the first studies.
    pub(super) fn of_first(&self, count: usize) -> Result<Self> {
        let some = self.studies[..count].to_vec();
        Self::new(some, self.method, self.mean_error, self.level, Vec::new())
    }

    pub(super) fn method(&self) -> BetweenStudies {
        self.method
    }

    pub(super) fn mean_error(&self) -> MeanError {
        self.mean_error
    }

    pub(super) fn level(&self) -> f64 {
        self.level
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The studies with their shares, the mean and the heterogeneity.
    pub fn table(&self) -> Table {
        let percent = self.level * 100.0;
        let mut table = Table::new(format!("Meta-analysis of {} studies", self.studies.len()))
            .columns([
                "",
                "Effect",
                "Std. error",
                "p",
                &format!("{percent} % from"),
                "to",
                "Share",
            ]);
        let line = |e: &Estimate, share: Cell| {
            let (low, high) = ends(e, self.level);
            [
                Cell::from(e.name.as_str()),
                Cell::significant(e.estimate, 4),
                Cell::significant(e.std_error, 3),
                Cell::p_value(e.p_value()),
                Cell::significant(low, 4),
                Cell::significant(high, 4),
                share,
            ]
        };
        for (study, weight) in self.studies.iter().zip(self.weights()) {
            table = table.row(line(study, Cell::percent(weight, 1)));
        }
        table = table
            .row(line(&self.mean, Cell::empty()))
            .note(format!(
                "Between studies: {}; mean: {}",
                self.method.text(),
                self.mean_error.text()
            ))
            .note(format!(
                "τ² = {}, I² = {}; {}; {}",
                Cell::significant(self.between, 4),
                Cell::percent(self.i_squared(), 1),
                self.between_interval,
                self.test
            ));
        if let Ok(further) = self.prediction_interval() {
            table = table.note(further.to_string());
        }
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// The forest plot: studies, mean, and the interval of a further study.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn figure(&self) -> Result<Figure> {
        let mut plot = CoefficientPlot::new()
            .title("Meta-analysis")
            .x_title("Effect")
            .note(format!("Intervals at {} %", self.level * 100.0))
            .series("studies");
        for study in &self.studies {
            let (low, high) = ends(study, self.level);
            plot = plot.point(study.name.as_str(), study.estimate, low, high);
        }
        let (low, high) = ends(&self.mean, self.level);
        plot = plot
            .series("together")
            .point("mean effect", self.mean.estimate, low, high);
        if let Ok(further) = self.prediction_interval() {
            plot = plot.point(
                further.name.as_str(),
                self.mean.estimate,
                further.lower,
                further.upper,
            );
        }
        plot.draw()
    }
}

pub(super) fn ends(e: &Estimate, level: f64) -> (f64, f64) {
    e.confidence_interval(level)
        .map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper))
}

shown!(MetaAnalysisFit);
