//! What a meta-regression found.

use super::moderators::Moderators;
use crate::error::{Error, Result, Warning};
use crate::inference::meta_analysis::heterogeneity::Spread;
use crate::inference::meta_analysis::influence::{StudyInfluence, influence};
use crate::inference::meta_analysis::{BetweenStudies, MeanError};
use crate::inference::{
    Distribution, Estimate, Inference, Interval, TestResult, parse_hypothesis, wald_statistic,
};
use crate::numeric::linalg::{quadratic_form, symmetrize};
use crate::numeric::special::student_t;
use crate::report::{BinnedScatter, Cell, Figure, Table, shown};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// What [`MetaRegression`](super::MetaRegression) found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetaRegressionFit {
    studies: Vec<Estimate>,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    degrees_of_freedom: f64,
    standardised: DMatrix<f64>,
    own: DMatrix<f64>,
    between: f64,
    /// The variance of which I² and H² are made.
    inconsistency: f64,
    between_error: Option<f64>,
    between_interval: Interval,
    between_alone: f64,
    typical: f64,
    residual_test: TestResult,
    moderator_test: Option<TestResult>,
    method: BetweenStudies,
    mean_error: MeanError,
    level: f64,
    warnings: Vec<Warning>,
}

/// The effect expected of a study with given moderators, and the interval of the effect that one such study has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FurtherStudy {
    /// The expected effect.
    pub mean: Estimate,
    /// The level of the interval.
    pub level: f64,
    /// From where the study's own effect is expected.
    pub lower: f64,
    /// To where.
    pub upper: f64,
}

impl Inference for MetaRegressionFit {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn estimates(&self) -> &DVector<f64> {
        &self.estimates
    }

    fn covariance(&self) -> &DMatrix<f64> {
        &self.covariance
    }

    fn degrees_of_freedom(&self, _: &DVector<f64>) -> f64 {
        self.degrees_of_freedom
    }
}

impl MetaRegressionFit {
    pub(super) fn new(
        read: Moderators,
        method: BetweenStudies,
        mean_error: MeanError,
        level: f64,
    ) -> Result<Self> {
        let y: Vec<f64> = read.studies.iter().map(|s| s.estimate).collect();
        let variance: Vec<f64> = read.studies.iter().map(|s| s.std_error.powi(2)).collect();
        let spread = |x| Spread {
            y: &y,
            variance: &variance,
            x,
        };
        let with = spread(Some(&read.standardised));
        if !with.is_full_rank() {
            return Err(Error::Unidentified {
                what: "what each moderator does".to_owned(),
                needs: "moderators that differ between studies of some weight: the standard errors of the others are too large beside the smallest".to_owned(),
            });
        }
        let free = with.free();
        let between = with.estimate(method)?;
        let [lower, upper] = with.profile(level)?;
        let (at, fixed) = (with.at(between), with.at(0.0));
        let ratio = at.q / free;
        let (scale, degrees_of_freedom) = mean_error.scale(ratio, free);
        let remarks = method.remarks(mean_error, ratio, between, y.len(), upper);
        let covariance = &read.to_own * (&at.inverse * scale) * read.to_own.transpose();
        let mut fit = Self {
            estimates: &read.to_own * &at.coefficients,
            covariance: symmetrize(&covariance),
            degrees_of_freedom,
            between,
            inconsistency: with.inconsistency(method, between)?,
            between_error: with.error_of(method, between),
            between_interval: Interval {
                name: "τ²".to_owned(),
                level,
                lower,
                upper,
            },
            between_alone: spread(None).estimate(method)?,
            typical: with.typical(),
            residual_test: TestResult::new(
                "residual heterogeneity (Q_E)",
                fixed.q,
                Distribution::ChiSquared { df: free },
            ),
            moderator_test: None,
            studies: read.studies,
            names: read.names,
            standardised: read.standardised,
            own: read.own,
            method,
            mean_error,
            level,
            warnings: read.warnings,
        };
        fit.warnings.extend(remarks);
        let first = usize::from(read.intercept);
        fit.moderator_test = fit.test_moderators(first, &at.coefficients, &(at.inverse * scale))?;
        Ok(fit)
    }

    /// All coefficients but the constant, in standardised units.
    fn test_moderators(
        &self,
        first: usize,
        coefficients: &DVector<f64>,
        covariance: &DMatrix<f64>,
    ) -> Result<Option<TestResult>> {
        let (p, m) = (self.names.len(), self.names.len() - first);
        // Studies that agree to the last digit have errors of zero.
        if m == 0 || covariance.diagonal().iter().any(|v| *v <= 0.0) {
            return Ok(None);
        }
        let select = DMatrix::from_fn(m, p, |i, j| f64::from(u8::from(j == i + first)));
        let (statistic, _) = wald_statistic(coefficients, covariance, &select, &DVector::zeros(m))?;
        let (df1, df2) = (m as f64, self.degrees_of_freedom);
        let (statistic, distribution) = if df2.is_finite() {
            (statistic / df1, Distribution::F { df1, df2 })
        } else {
            (statistic, Distribution::ChiSquared { df: df1 })
        };
        let test = TestResult::new("moderators (Q_M)", statistic, distribution);
        Ok(Some(test))
    }

    /// The variance τ̂² between studies that the moderators leave.
    pub fn between(&self) -> f64 {
        self.between
    }

    /// Its standard error: of restricted likelihood `√(2/tr(PP))`, of likelihood `√(2/Σw*²)`, of DerSimonian & Laird's estimator `√(2(k − p) + 4 τ̂² tr(P) + 2 τ̂⁴ tr(PP))/tr(P)` with
    /// the weights of no variance between studies; none for the other estimators.
    pub fn between_std_error(&self) -> Option<f64> {
        self.between_error
    }

    /// The interval of τ² (Q-profile).
    pub fn between_interval(&self) -> &Interval {
        &self.between_interval
    }

    /// The variance between studies without moderators, by the same estimator.
    pub fn between_alone(&self) -> f64 {
        self.between_alone
    }

    /// R², the share of the variance between studies that the moderators explain; none when there is nothing to explain, as with one effect.
    pub fn r_squared(&self) -> Option<f64> {
        (self.between_alone > 0.0).then(|| (1.0 - self.between / self.between_alone).max(0.0))
    }

    /// I², the share of what the moderators leave that is not sampling error; `max(0, (Q_E − df)/Q_E)` where τ² is not estimated.
    pub fn i_squared(&self) -> f64 {
        self.inconsistency / (self.inconsistency + self.typical)
    }

    /// H², what the moderators leave over sampling error.
    pub fn h_squared(&self) -> f64 {
        1.0 + self.inconsistency / self.typical
    }

    /// `Q_E`: whether the moderators leave more than sampling error.
    pub fn residual_test(&self) -> &TestResult {
        &self.residual_test
    }

    /// `Q_M`: whether the moderators explain anything together; none without moderators, or when errors are zero.
    pub fn moderator_test(&self) -> Option<&TestResult> {
        self.moderator_test.as_ref()
    }

    /// The effect expected of a further study with moderators that are given as a sum of coefficients, `"(Intercept) + 3*reward"`, and the interval of its own
    /// effect, with t(k − p − 1) as in [`MetaAnalysisFit::prediction_interval`](super::super::MetaAnalysisFit::prediction_interval).
    ///
    /// # Errors
    /// As [`Inference::linear`]; [`Error::Unidentified`] without two studies more than coefficients.
    pub fn further_study(&self, moderators: &str) -> Result<FurtherStudy> {
        let weights = parse_hypothesis(moderators, &self.names)?.weights;
        let free = self.studies.len() as f64 - self.names.len() as f64 - 1.0;
        if free < 1.0 {
            return Err(Error::Unidentified {
                what: "the effect of a further study".to_owned(),
                needs: "two studies more than coefficients".to_owned(),
            });
        }
        let mean = self.linear(moderators)?;
        let variance = self.between + quadratic_form(&self.covariance, &weights).max(0.0);
        let half = student_t::quantile(0.5 + 0.5 * self.level, free) * variance.sqrt();
        Ok(FurtherStudy {
            level: self.level,
            lower: mean.estimate - half,
            upper: mean.estimate + half,
            mean,
        })
    }

    /// The studies, in their order.
    pub fn studies(&self) -> &[Estimate] {
        &self.studies
    }

    /// What each study does to the fit.
    ///
    /// # Errors
    /// [`Error::Unidentified`] when the coefficients need a study, or no study can be spared.
    pub fn influence(&self) -> Result<Vec<StudyInfluence>> {
        influence(
            &self.studies,
            Some(&self.standardised),
            self.method,
            self.mean_error,
        )
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Coefficients, and what they explain and leave.
    pub fn table(&self) -> Table {
        let percent = self.level * 100.0;
        let mut table = Table::new(format!("Meta-regression of {} studies", self.studies.len()))
            .columns([
                "",
                "Estimate",
                "Std. error",
                "p",
                &format!("{percent} % from"),
                "to",
            ]);
        for c in self.coefficients() {
            let ends = c.confidence_interval(self.level);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            table = table.row([
                Cell::from(c.name.as_str()),
                Cell::significant(c.estimate, 4),
                Cell::significant(c.std_error, 3),
                Cell::p_value(c.p_value()),
                Cell::significant(low, 4),
                Cell::significant(high, 4),
            ]);
        }
        table = table.note(format!(
            "Between studies: {}; errors: {}",
            self.method.text(),
            self.mean_error.text()
        ));
        let explained = self
            .r_squared()
            .map_or_else(String::new, |r| format!(", R² = {}", Cell::percent(r, 1)));
        table = table.note(format!(
            "τ² = {}{explained}, I² = {}; {}; {}",
            Cell::significant(self.between, 4),
            Cell::percent(self.i_squared(), 1),
            self.between_interval,
            self.residual_test
        ));
        if let Some(test) = &self.moderator_test {
            table = table.note(test.to_string());
        }
        table.warned(&self.warnings)
    }

    /// The studies over one moderator, with their intervals, and the line of expected effects with the other moderators at their means over studies.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`]; those of drawing.
    pub fn figure(&self, moderator: &str) -> Result<Figure> {
        let at = self.position(moderator)?;
        let x: Vec<f64> = self.own.column(at).iter().copied().collect();
        let means = self.own.row_mean();
        let expected = (means.clone() * &self.estimates)[0];
        let ends = |f: fn(f64, f64) -> f64, start: f64| x.iter().copied().fold(start, f);
        let line_x = [
            ends(f64::min, f64::INFINITY),
            ends(f64::max, f64::NEG_INFINITY),
        ];
        let line_y = line_x.map(|v| expected + self.estimates[at] * (v - means[at]));
        let bounds: Vec<(f64, f64)> = (self.studies.iter())
            .map(|s| {
                s.confidence_interval(self.level)
                    .map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper))
            })
            .collect();
        let (low, high): (Vec<f64>, Vec<f64>) = bounds.into_iter().unzip();
        let y: Vec<f64> = self.studies.iter().map(|s| s.estimate).collect();
        BinnedScatter::new()
            .title("Meta-regression")
            .x_title(moderator)
            .y_title("Effect")
            .group("studies")
            .points(x, y)
            .intervals(low, high)
            .line(line_x, line_y)
            .draw()
    }
}

shown!(MetaRegressionFit);
