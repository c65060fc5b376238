//! Interrupted time series: did level and slope of a series change when treatment began?

use super::autoregressive_errors::ErrorLikelihood;
use super::interrupted_time_series_fit::InterruptedTimeSeriesFit;
use crate::data::{Column, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::Covariance;
use crate::regression::Ols;
use serde::{Deserialize, Serialize};

/// Fewer periods than this on a side tell trend from noise only under strong assumptions.
const FEW_PERIODS: usize = 8;

/// Columns of the segmented regression.
pub(super) const TREND: &str = "trend";
pub(super) const LEVEL: &str = "level";
pub(super) const SLOPE: &str = "slope";
const COMMON_LEVEL: &str = "common_level";
const COMMON_SLOPE: &str = "common_slope";
const OWN: &str = "interrupted";
const OWN_TREND: &str = "interrupted_trend";

/// Segmented regression of one series, or of one beside a control series.
///
/// With `d_t` the time since the interruption (in units of the time column; in periods when that holds dates) and `A_t = 1` from it on,
///
/// `Y_t = α + β d_t + δ A_t + γ d_t A_t + x_t'θ + e_t`,
///
/// so that `level` is `δ`, the effect in the first period, `slope` is `γ`, by how much the effect grows a period, and the effect at time `t` is `δ + γ d_t`. With a
/// [comparison](Self::comparison), `α`, `β`, and the changes at the interruption (`common_level`, `common_slope`) are those of the control series, each series has its own constant and
/// trend, and `level` and `slope` are what the interrupted series changes more.
///
/// What must hold: without treatment the old trend (and the terms) would have gone on; nothing else happened then (with a comparison: nothing that did not happen to the control series
/// too). One series has no other evidence of that than its own past.
///
/// | option | default | meaning |
/// |---|---|---|
/// | [`terms`](Self::terms) | none | further right-hand side in the grammar of formulas: seasons `C(month)`, holidays, weather |
/// | [`comparison`](Self::comparison) | none | a column that is 1 on rows of the interrupted series and 0 on those of a control series |
/// | [`seasons`](Self::seasons) | none | waves of a season's length |
/// | [`autoregressive`](Self::autoregressive), [`autoregressive_order`](Self::autoregressive_order), [`full_likelihood`](Self::full_likelihood) | no | errors are modelled: a share of the one before plus something new; shares of several before |
/// | [`covariance`](Self::covariance) | Newey–West; Driscoll–Kraay with a comparison, for shocks that both share | errors may depend on earlier ones |
///
/// Newey–West errors are too small in short series whose errors depend on each other. In 4 000 simulated series of 80 periods, 90 % intervals of `level` cover
///
/// | errors | Newey–West | [`autoregressive`](Self::autoregressive) | [`autoregressive_order`](Self::autoregressive_order) 1 | of order 2 | [`full_likelihood`](Self::full_likelihood) 1 | 2 |
/// |---|---|---|---|---|---|---|
/// | 0.4 of the one before | 78 % | 86 % | 88 % | 87 % | 86 % | 83 % |
/// | and 0.3 of that before | 62 % | 72 % | 76 % | 84 % | 72 % | 79 % |
///
/// of the time, and 73 % in the first row if dependence is ignored; in 200 periods those of order 2 cover 88 % in the second row, others at most 78 %.
///
/// # Errors
/// Those of [`Ols`]; [`Error::DuplicateColumn`] when the frame has a column with the name of one of the above; [`Error::InvalidOption`] for a period that comes twice;
/// [`Error::OutOfRange`] for a comparison other than 0 and 1; [`Error::Unidentified`] with fewer than two periods before or from the interruption on, when terms explain the interruption, and for errors that drift.
///
/// # References
/// Wagner, Soumerai, Zhang & Ross-Degnan (2002), doi:10.1046/j.1365-2710.2002.00430.x; Lopez Bernal, Cummins & Gasparrini (2017), doi:10.1093/ije/dyw098, and (2018), doi:10.1093/ije/dyy135, for
/// control series; Newey & West (1987), doi:10.2307/1913610; Harvey & Durbin (1986), doi:10.2307/2981553, for seasons and dependent errors.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// // Reviews a month, 20 before a redesign that adds 3 at once and half a review a month.
/// let month: Vec<f64> = (0..36).map(f64::from).collect();
/// let reviews: Vec<f64> = (month.iter())
///     .map(|m| 40.0 + 0.2 * m + if *m >= 20.0 { 3.0 + 0.5 * (m - 20.0) } else { 0.0 } + (7.0 * m).sin())
///     .collect();
/// let frame = Frame::new().with("month", month)?.with("reviews", reviews)?;
/// let fit = InterruptedTimeSeries::new("reviews", "month", 20.0).fit(&frame)?;
/// assert!((fit.coefficient("slope")?.estimate - 0.5).abs() < 0.05);
/// let at_last = fit.effect_at(35.0)?;
/// assert!((at_last.estimate - 10.5).abs() < 1.0);
/// println!("{fit}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterruptedTimeSeries {
    pub(super) outcome: String,
    pub(super) time: String,
    pub(super) start: f64,
    terms: Option<String>,
    pub(super) comparison: Option<String>,
    covariance: Option<Covariance>,
    pub(super) errors: SeriesErrors,
    /// The length of a season and the number of its waves.
    seasons: Option<(f64, usize)>,
}

/// How errors depend on those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum SeriesErrors {
    /// Not modelled.
    Any,
    /// Of order one, by Prais & Winsten.
    PraisWinsten,
    /// Of some order, by maximum likelihood.
    Autoregressive(usize, ErrorLikelihood),
}

impl InterruptedTimeSeries {
    /// A series over the column of time, interrupted from a time on. Dates are given as seconds since 1970 UTC.
    pub fn new(outcome: impl Into<String>, time: impl Into<String>, start: f64) -> Self {
        Self {
            outcome: outcome.into(),
            time: time.into(),
            start,
            terms: None,
            comparison: None,
            covariance: None,
            errors: SeriesErrors::Any,
            seasons: None,
        }
    }

    /// Further right-hand side, as in a formula.
    pub fn terms(mut self, terms: impl Into<String>) -> Self {
        self.terms = Some(terms.into());
        self
    }

    /// A column that is 1 on rows of the interrupted series and 0 on those of a control series.
    pub fn comparison(mut self, column: impl Into<String>) -> Self {
        self.comparison = Some(column.into());
        self
    }

    /// Another covariance.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = Some(covariance);
        self
    }

    /// Errors that are a share of the error before plus something new (AR(1)), by Prais & Winsten's transformation with the share of the residuals, iterated. Standard errors are then those
    /// of independent errors of one variance after the transformation, and a covariance that is given is refused.
    pub fn autoregressive(mut self) -> Self {
        self.errors = SeriesErrors::PraisWinsten;
        self
    }

    /// Errors that are an autoregression of this order (AR(p)), `e_t = φ₁ e_{t−1} + … + φ_p e_{t−p} + u_t`, by restricted maximum likelihood: exact, with the first periods of each run, as `gls` of R's
    /// nlme with `corARMA`. Standard errors are those of generalised least squares with the φ that is found.
    pub fn autoregressive_order(mut self, order: usize) -> Self {
        self.errors = SeriesErrors::Autoregressive(order, ErrorLikelihood::Restricted);
        self
    }

    /// The autoregression of [`autoregressive_order`](Self::autoregressive_order) by full maximum likelihood, as R's `arima` and `gls` with `method = "ML"`, whose φ are nearer to zero in short series.
    pub fn full_likelihood(mut self, order: usize) -> Self {
        self.errors = SeriesErrors::Autoregressive(order, ErrorLikelihood::Full);
        self
    }

    /// Seasons of a length, in units of the time column (in periods when that holds dates), as so many waves: terms `sin(2πk d_t/length)` and `cos(2πk d_t/length)`, `k = 1, 2, …`. Seasons of any form are
    /// [`terms`](Self::terms) such as `C(month)`.
    pub fn seasons(mut self, length: f64, waves: usize) -> Self {
        self.seasons = Some((length, waves));
        self
    }

    /// Fits the segments.
    ///
    /// # Errors
    /// See [`InterruptedTimeSeries`].
    pub fn fit(&self, frame: &Frame) -> Result<InterruptedTimeSeriesFit> {
        if !self.start.is_finite() {
            return Err(Error::invalid_option("start", self.start, "a finite time"));
        }
        self.check()?;
        let time = frame.column(&self.time)?;
        let since = self.since(frame, time)?;
        let own = self.own(frame)?;
        let mut warnings = Vec::new();
        self.check_periods(frame, &since, own.as_deref(), &mut warnings)?;
        let after: Vec<f64> = since
            .iter()
            .map(|d| f64::from(u8::from(*d >= 0.0)))
            .collect();
        let late: Vec<f64> = since.iter().map(|d| d.max(0.0)).collect();
        let mut working = frame.clone().with(TREND, since.clone())?;
        let mut names = vec![TREND];
        if let Some(own) = &own {
            let times = |v: &[f64]| -> Vec<f64> { v.iter().zip(own).map(|(v, o)| v * o).collect() };
            for (name, values) in [
                (COMMON_LEVEL, after.clone()),
                (COMMON_SLOPE, late.clone()),
                (OWN, own.clone()),
                (OWN_TREND, times(&since)),
                (LEVEL, times(&after)),
                (SLOPE, times(&late)),
            ] {
                working = working.with(name, values)?;
                names.push(name);
            }
        } else {
            working = working.with(LEVEL, after)?.with(SLOPE, late)?;
            names.extend([LEVEL, SLOPE]);
        }
        let mut waves = Vec::new();
        for (name, values) in self.waves(&since) {
            working = working.with(&name, values)?;
            waves.push(name);
        }
        let terms = waves.iter().chain(&self.terms).map(String::as_str);
        let right: Vec<&str> = names.into_iter().chain(terms).collect();
        let covariance = self
            .covariance
            .clone()
            .unwrap_or_else(|| match self.comparison {
                None => Covariance::newey_west(&self.time),
                Some(_) => Covariance::driscoll_kraay(&self.time),
            });
        let fit = Ols::new(format!("`{}` ~ {}", self.outcome, right.join(" + ")))
            .covariance(covariance)
            .fit(&working)?;
        InterruptedTimeSeriesFit::new(self, &fit, &working, own.as_deref(), warnings)
    }

    fn check(&self) -> Result<()> {
        if self.errors != SeriesErrors::Any && self.covariance.is_some() {
            return Err(Error::invalid_option(
                "covariance",
                "given beside autoregressive errors",
                "left out: its errors are those of the transformed series",
            ));
        }
        if let SeriesErrors::Autoregressive(order @ (0 | 25..), _) = self.errors {
            return Err(Error::invalid_option("order", order, "from 1 to 24"));
        }
        match self.seasons {
            Some((length, waves))
                if !(length.is_finite() && length >= 2.0)
                    || waves == 0
                    || 2.0 * waves as f64 > length =>
            {
                Err(Error::invalid_option(
                    "seasons",
                    format!("{waves} waves of a length of {length}"),
                    "a length of 2 or more, and waves from 1 to half of it",
                ))
            }
            _ => Ok(()),
        }
    }

    /// The waves of the seasons; of the shortest that periods can show the sine is zero.
    fn waves(&self, since: &[f64]) -> Vec<(String, Vec<f64>)> {
        let Some((length, waves)) = self.seasons else {
            return Vec::new();
        };
        let of = |wave: usize, f: fn(f64) -> f64| -> Vec<f64> {
            let angle = std::f64::consts::TAU * wave as f64 / length;
            since.iter().map(|d| f(angle * d)).collect()
        };
        (1..=waves)
            .flat_map(|wave| {
                let sine = (2.0 * (wave as f64) < length)
                    .then(|| (format!("sin{wave}"), of(wave, f64::sin)));
                sine.into_iter()
                    .chain([(format!("cos{wave}"), of(wave, f64::cos))])
            })
            .collect()
    }

    /// Time since the interruption of each row; NaN where missing.
    fn since(&self, frame: &Frame, time: &Column) -> Result<Vec<f64>> {
        if let Column::Time(seconds) = time {
            // Periods are counted, since months differ in seconds.
            let groups = frame.groups(&self.time)?;
            let values = seconds.seconds().values();
            let mut first: Vec<f64> = vec![f64::NAN; groups.count()];
            for (code, value) in groups.codes.iter().zip(values.iter()) {
                if let Some(slot) = first.get_mut(*code as usize) {
                    *slot = *value;
                }
            }
            let start = first.partition_point(|seconds| *seconds < self.start);
            return Ok((groups.codes.iter())
                .map(|code| match first.get(*code as usize) {
                    Some(_) => f64::from(*code) - start as f64,
                    None => f64::NAN,
                })
                .collect());
        }
        Ok(frame
            .numeric(&self.time)?
            .values()
            .iter()
            .map(|t| t - self.start)
            .collect())
    }

    fn own(&self, frame: &Frame) -> Result<Option<Vec<f64>>> {
        let Some(column) = &self.comparison else {
            return Ok(None);
        };
        let values = frame.numeric(column)?.values().to_vec();
        let bad =
            (values.iter()).position(|v| !v.is_nan() && v.abs() > 0.0 && (v - 1.0).abs() > 0.0);
        if let Some(row) = bad {
            return Err(Error::OutOfRange {
                column: column.clone(),
                row: row + 1,
                value: values[row],
                expected: "1 in the interrupted series and 0 in the control series".to_owned(),
            });
        }
        Ok(Some(values))
    }

    /// Each series has one row a period, and enough of them on both sides.
    fn check_periods(
        &self,
        frame: &Frame,
        since: &[f64],
        own: Option<&[f64]>,
        warnings: &mut Vec<Warning>,
    ) -> Result<()> {
        let outcome = frame.numeric(&self.outcome)?;
        let outcome = outcome.values();
        for (series, what) in [(1.0, "the series"), (0.0, "the control series")] {
            let mut rows: Vec<usize> = (0..since.len())
                .filter(|row| !since[*row].is_nan() && !outcome[*row].is_nan())
                .filter(|row| own.map_or(series > 0.5, |own| (own[*row] - series).abs() < 0.5))
                .collect();
            if own.is_none() && series < 0.5 {
                continue;
            }
            rows.sort_by(|a, b| since[*a].total_cmp(&since[*b]));
            let twice = rows
                .windows(2)
                .find(|pair| since[pair[1]] <= since[pair[0]]);
            if let Some(pair) = twice {
                return Err(Error::invalid_option(
                    "rows",
                    format!(
                        "{} and {}, which are the same period of {what}",
                        pair[0] + 1,
                        pair[1] + 1
                    ),
                    "one row a period and series; sum or average those that belong together",
                ));
            }
            let before = rows.iter().filter(|row| since[**row] < 0.0).count();
            let after = rows.len() - before;
            if before < 2 || after < 2 {
                return Err(Error::Unidentified {
                    what: format!("a change of level and slope of {what} at {}", self.start),
                    needs: format!(
                        "two periods before it and two from it on, of which `{}` has {before} and {after}",
                        self.time
                    ),
                });
            }
            if before.min(after) < FEW_PERIODS {
                warnings.push(Warning::Note {
                    message: format!(
                        "{what} has {before} periods before the interruption and {after} from it on: with fewer than {FEW_PERIODS} a trend is hardly told from dependent errors, and intervals are too short"
                    ),
                });
            }
        }
        Ok(())
    }
}
