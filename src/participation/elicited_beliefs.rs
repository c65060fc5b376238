//! Reported probabilities of success, rounded as people round.

use super::interval::{IntervalRows, LatentError, MeanOf};
use super::stated::{Stated, StatedFit, estimate};
use crate::data::{Formula, Frame, Real, Rows};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::numeric::special::normal;
use crate::regression::likelihood::{Options, options_builder};
use serde::Serialize;

/// Beliefs elicited as a probability of success. A customer with the belief a ~ N(m, v) about their ability reports
/// `Φ(μ/√(1+v))`, μ = m − d, rounded to a grid (to 5 or 10 percent); across customers `μ/√(1+v) = x'β + σε` with normal ε. By maximum
/// likelihood of the intervals: a report r on a grid of step g says that the belief lies between r − g/2 and r + g/2, and
/// reports of 0 and 1 that it is below g/2 and above 1 − g/2, so that they are neither dropped nor infinite.
///
/// With [`ElicitedBeliefs::variance`] (v known for each customer, from quantiles: [`super::BeliefQuantiles`]) and
/// [`ElicitedBeliefs::difficulty`] the regression is one of the mean belief itself: `m = x'β + σε`, with coefficients in units of ability.
///
/// # Identification
/// The report identifies μ/√(1+v) alone: m only where v and d are known. β compares with ability on the same scale only when success
/// of the same task is scored; overconfidence is then the difference of this regression and one of true ability. σ holds differences
/// of belief and noise of elicitation together.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `grid` | 0.01 | step of rounding | a number that divides 1 |
/// | `grid_column` | none | step of each row | the same |
/// | `variance` | none | column of v | ≥ 0 |
/// | `difficulty` | none | column of d | finite |
/// | `covariance` | `Covariance::Hc1` | sampling variance | all but HC2, HC3, CR2 |
/// | `weights`, `frequency_weights` | none | weights in the log-likelihood | ≥ 0 |
///
/// # Errors
/// [`Error::OutOfRange`] with the row for reports outside [0, 1] or off the grid, a grid that does not divide one, a negative variance;
/// [`Error::Unidentified`] when all reports are equal; those of the formula and the covariance.
///
/// # References
/// Manski, C. F. & Molinari, F. (2010). Rounding probabilistic expectations in surveys. *Journal of Business & Economic Statistics* 28(2),
/// 219–231. doi:10.1198/jbes.2009.08098
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let report: Vec<f64> = (0..300).map(|i| (((i * 7) % 11) as f64 + (i % 2) as f64).min(10.0) / 10.0).collect();
/// let shown: Vec<f64> = (0..300).map(|i| (i % 2) as f64).collect();
/// let frame = Frame::new().with("report", report)?.with("shown", shown)?;
/// let fit = ElicitedBeliefs::new("report ~ shown").grid(0.1).fit(&frame)?;
/// let effect = fit.marginal_effects(&Margins::of(["shown"]).discrete("shown"))?;
/// assert!((effect.coefficient("shown")?.estimate - 0.109).abs() < 0.002);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ElicitedBeliefs {
    options: Options,
    grid: f64,
    grid_column: Option<String>,
    variance: Option<String>,
    difficulty: Option<String>,
}

impl ElicitedBeliefs {
    /// The model of a formula whose outcome is the reported probability, between 0 and 1, rounded to percents.
    pub fn new(formula: impl Into<Formula>) -> Self {
        const PERCENT: f64 = 0.01;
        Self {
            options: Options::new(formula.into()),
            grid: PERCENT,
            grid_column: None,
            variance: None,
            difficulty: None,
        }
    }

    /// The step to which all reports are rounded.
    pub fn grid(mut self, step: f64) -> Self {
        self.grid = step;
        self
    }

    /// The column with the step of each row.
    pub fn grid_column(mut self, column: impl Into<String>) -> Self {
        self.grid_column = Some(column.into());
        self
    }

    /// The column with the variance v of each belief.
    pub fn variance(mut self, column: impl Into<String>) -> Self {
        self.variance = Some(column.into());
        self
    }

    /// The column with the difficulty d of the task, in units of ability.
    pub fn difficulty(mut self, column: impl Into<String>) -> Self {
        self.difficulty = Some(column.into());
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`ElicitedBeliefs`].
    pub fn fit(&self, frame: &Frame) -> Result<StatedFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`ElicitedBeliefs`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<StatedFit> {
        let scaled = self.variance.is_some() || self.difficulty.is_some();
        let model = IntervalRows {
            error: LatentError::Normal,
            mean: if scaled {
                MeanOf::Latent
            } else {
                MeanOf::Probability
            },
        };
        let also: Vec<&str> = [&self.grid_column, &self.variance, &self.difficulty]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let read = |name: &Option<String>| -> Result<Option<Real>> {
            name.as_ref().map(|n| frame.numeric(n)).transpose()
        };
        let columns = [
            read(&self.grid_column)?,
            read(&self.variance)?,
            read(&self.difficulty)?,
        ];
        estimate(
            &self.options,
            "Elicited beliefs",
            model,
            &also,
            |reports, rows, column| self.ends(reports, rows, column, &columns),
            frame,
            progress,
        )
    }

    /// The interval of each report on the scale of the latent belief.
    fn ends(
        &self,
        reports: &[f64],
        rows: &Rows,
        column: &str,
        [grids, variances, difficulties]: &[Option<Real>; 3],
    ) -> Result<Stated> {
        let mut stated = Stated::default();
        for (i, report) in reports.iter().enumerate() {
            let row = rows.index(i);
            let at = |column: &Option<Real>| column.as_ref().map(|c| c.values()[row]);
            let step = at(grids).unwrap_or(self.grid);
            let [low, high] = self.around(*report, step, column, row)?;
            let v = at(variances).unwrap_or(0.0);
            if v < 0.0 {
                return Err(Error::OutOfRange {
                    column: self.variance.clone().unwrap_or_default(),
                    row: row + 1,
                    value: v,
                    expected: "zero or above: it is the variance of a belief".to_owned(),
                });
            }
            let (scale, d) = ((1.0 + v).sqrt(), at(difficulties).unwrap_or(0.0));
            stated.push(
                normal::quantile(low).mul_add(scale, d),
                normal::quantile(high).mul_add(scale, d),
            );
        }
        Ok(stated)
    }

    /// The probabilities that round to a report.
    pub(super) fn around(
        &self,
        report: f64,
        step: f64,
        column: &str,
        row: usize,
    ) -> Result<[f64; 2]> {
        /// Reports are typed with a few decimals.
        const SLACK: f64 = 1e-6;
        let off_integer = |x: f64| (x - x.round()).abs() > SLACK * x.max(1.0);
        let refuse = |column: &str, value: f64, expected: String| {
            Err(Error::OutOfRange {
                column: column.to_owned(),
                row: row + 1,
                value,
                expected,
            })
        };
        if !(step > 0.0 && step <= 1.0) || off_integer(1.0 / step) {
            let column = self.grid_column.as_deref().unwrap_or("grid");
            let expected = "a step that divides 1, such as 0.05".to_owned();
            return refuse(column, step, expected);
        }
        if !(0.0..=1.0).contains(&report) {
            let expected = "a probability between 0 and 1 (percents are divided by 100 first; a self-rating on a free scale does not identify a belief)";
            return refuse(column, report, expected.to_owned());
        }
        if off_integer(report / step) {
            let expected = format!("a multiple of {step}, to which reports are rounded");
            return refuse(column, report, expected);
        }
        let half = 0.5 * step;
        // Half a step inside the ends only: 0 and 1 are open to the outside.
        let low = if report < half { 0.0 } else { report - half };
        let high = if report > 1.0 - half {
            1.0
        } else {
            report + half
        };
        Ok([low, high])
    }
}

options_builder!(ElicitedBeliefs);
