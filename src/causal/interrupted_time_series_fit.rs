//! What an interrupted time series found.

use super::autoregressive_errors::{ErrorLikelihood, autoregressive_errors};
use super::interrupted_time_series::{InterruptedTimeSeries, LEVEL, SLOPE, SeriesErrors, TREND};
use super::prais_winsten::{Ordered, prais_winsten};
use crate::data::{Column, Design, Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::{Estimate, Inference, coefficient_table};
use crate::numeric::linalg::quadratic_form;
use crate::regression::OlsFit;
use crate::report::{Cell, Figure, LinePlot, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// A period of the interrupted series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterruptedPeriod {
    /// Time since the interruption.
    pub since: f64,
    /// The outcome.
    pub observed: f64,
    /// What the segments say.
    pub fitted: f64,
    /// What they say had nothing begun; equal to `fitted` before.
    pub counterfactual: f64,
    /// The standard error of the counterfactual.
    pub std_error: f64,
}

/// What [`InterruptedTimeSeries`] found: the verbs of [`Inference`] are those of the segmented regression, whose `level` and `slope` are the change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterruptedTimeSeriesFit {
    model: InterruptedTimeSeries,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    degrees: f64,
    covariance_label: String,
    autoregression: Vec<f64>,
    periods: Vec<InterruptedPeriod>,
    start: f64,
    dates: bool,
    durbin_watson: Vec<f64>,
    warnings: Vec<Warning>,
}

impl InterruptedTimeSeriesFit {
    pub(super) fn new(
        model: &InterruptedTimeSeries,
        fit: &OlsFit,
        working: &Frame,
        own: Option<&[f64]>,
        mut warnings: Vec<Warning>,
    ) -> Result<Self> {
        let names = fit.names().to_vec();
        for name in [LEVEL, SLOPE] {
            if !names.iter().any(|n| n == name) {
                return Err(Error::Unidentified {
                    what: format!("the change of {name}"),
                    needs: "terms that do not explain the interruption themselves; leave such a term out".to_owned(),
                });
            }
        }
        warnings.extend(fit.warnings());
        let n = working.rows();
        let kept = fit.kept_rows()?;
        let rows = regressors(fit, working)?;
        let (since, outcome) = (working.real(TREND)?, working.numeric(&model.outcome)?);
        let modelled = match model.errors {
            SeriesErrors::Any => None,
            SeriesErrors::PraisWinsten => Some(None),
            SeriesErrors::Autoregressive(order, likelihood) => Some(Some((order, likelihood))),
        };
        let (estimates, covariance, autoregression) = if let Some(how) = modelled {
            let series = |row: usize| own.map_or(0.0, |own| own[row]);
            let used: Vec<(usize, f64, f64)> = (0..n)
                .filter(|row| kept[*row])
                .map(|row| (row, series(row), since[row]))
                .collect();
            let ordered = Ordered::new(&rows, outcome.values(), &used);
            let made = match how {
                None => prais_winsten(&ordered)?,
                Some((order, likelihood)) => autoregressive_errors(&ordered, order, likelihood)?,
            };
            (made.estimates, made.covariance, made.coefficients)
        } else {
            (
                fit.estimates().clone(),
                fit.covariance().clone(),
                Vec::new(),
            )
        };
        let shares: Vec<String> = autoregression.iter().map(|s| format!("{s:.3}")).collect();
        let shares = shares.join(", ");
        let covariance_label = match model.errors {
            SeriesErrors::Any => fit.covariance_kind().to_string(),
            SeriesErrors::PraisWinsten => {
                format!("Prais–Winsten, each error {shares} of the one before")
            }
            SeriesErrors::Autoregressive(order, likelihood) => {
                let how = match likelihood {
                    ErrorLikelihood::Restricted => "restricted maximum likelihood",
                    ErrorLikelihood::Full => "maximum likelihood",
                };
                format!("generalised least squares, AR({order}) of errors by {how} ({shares})")
            }
        };
        let fitted: Vec<f64> = rows.iter().map(|x| x.dot(&estimates)).collect();
        let zeroed = [LEVEL, SLOPE].map(|name| names.iter().position(|n| n == name));
        let without: Vec<DVector<f64>> = (rows.into_iter())
            .map(|mut x| {
                for place in zeroed.into_iter().flatten() {
                    x[place] = 0.0;
                }
                x
            })
            .collect();
        let series = |which: f64| -> Vec<usize> {
            let mut rows: Vec<usize> = (0..n)
                .filter(|row| kept[*row] && own.is_none_or(|own| (own[*row] - which).abs() < 0.5))
                .collect();
            rows.sort_by(|a, b| since[*a].total_cmp(&since[*b]));
            rows
        };
        let periods: Vec<InterruptedPeriod> = (series(1.0).into_iter())
            .map(|row| InterruptedPeriod {
                since: since[row],
                observed: outcome.values()[row],
                fitted: fitted[row],
                counterfactual: without[row].dot(&estimates),
                std_error: quadratic_form(&covariance, &without[row]).max(0.0).sqrt(),
            })
            .collect();
        let control = own.map(|_| series(0.0));
        let durbin_watson = (std::iter::once(series(1.0)).chain(control))
            .map(|rows| {
                let e: Vec<f64> = rows
                    .iter()
                    .map(|r| outcome.values()[*r] - fitted[*r])
                    .collect();
                let changes: f64 = e.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum();
                let squares: f64 = e.iter().map(|e| e * e).sum();
                if squares > 0.0 {
                    changes / squares
                } else {
                    2.0
                }
            })
            .collect();
        Ok(Self {
            model: model.clone(),
            degrees: if modelled.is_some() {
                (kept.iter().filter(|k| **k).count() - names.len()) as f64
            } else {
                fit.degrees_of_freedom(&DVector::zeros(names.len()))
            },
            names,
            estimates,
            covariance,
            covariance_label,
            autoregression,
            start: since
                .iter()
                .copied()
                .fold(f64::INFINITY, |m, d| if d >= 0.0 { m.min(d) } else { m }),
            dates: matches!(working.column(&model.time)?, Column::Time(_)),
            periods,
            durbin_watson,
            warnings,
        })
    }

    /// The effect at a time since the interruption, `δ + γ d`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a time before the interruption.
    pub fn effect_since(&self, since: f64) -> Result<Estimate> {
        if since.is_nan() || since < 0.0 {
            return Err(Error::invalid_option("since", since, "0 or more"));
        }
        self.change(format!("effect after {since}"), since)
    }

    /// The effect at a time of the time column.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a time before the interruption, and for dates, which are counted in periods: use [`Self::effect_since`].
    pub fn effect_at(&self, time: f64) -> Result<Estimate> {
        let since = time - self.model.start;
        if self.dates {
            return Err(Error::invalid_option(
                "time",
                time,
                "a number: dates are counted in periods, so ask `effect_since`",
            ));
        }
        if since.is_nan() || since < 0.0 {
            return Err(Error::invalid_option(
                "time",
                time,
                "not before the interruption",
            ));
        }
        self.change(format!("effect at {time}"), since)
    }

    /// The mean effect over the periods observed since the interruption.
    ///
    /// # Errors
    /// None that a fit allows.
    pub fn average_effect(&self) -> Result<Estimate> {
        let late: Vec<f64> = self
            .periods
            .iter()
            .map(|p| p.since)
            .filter(|d| *d >= 0.0)
            .collect();
        self.change(
            "mean effect".to_owned(),
            late.iter().sum::<f64>() / late.len() as f64,
        )
    }

    fn change(&self, name: String, since: f64) -> Result<Estimate> {
        let mut contrast = DVector::zeros(self.names.len());
        contrast[self.position(LEVEL)?] = 1.0;
        contrast[self.position(SLOPE)?] = since;
        Ok(Estimate {
            name,
            estimate: contrast.dot(&self.estimates),
            std_error: quadratic_form(&self.covariance, &contrast).max(0.0).sqrt(),
            degrees_of_freedom: self.degrees,
        })
    }

    /// How much of an error is in the next, with [`InterruptedTimeSeries::autoregressive`] and autoregressions of order one.
    pub fn autocorrelation(&self) -> Option<f64> {
        match self.autoregression.as_slice() {
            [rho] => Some(*rho),
            _ => None,
        }
    }

    /// The coefficients of the autoregression of errors, on the one before first; empty when errors are not modelled.
    pub fn autoregression(&self) -> &[f64] {
        &self.autoregression
    }

    /// The interrupted series, in time, with its counterfactual.
    pub fn periods(&self) -> &[InterruptedPeriod] {
        &self.periods
    }

    /// The Durbin–Watson statistic of the interrupted series, then of the control series: near 2 when residuals do not depend on those before them, near 0 when they hardly change.
    pub fn durbin_watson(&self) -> &[f64] {
        &self.durbin_watson
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The series, its segments, and the counterfactual with its interval.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn plot(&self, level: f64) -> Result<Figure> {
        let late: Vec<&InterruptedPeriod> =
            self.periods.iter().filter(|p| p.since >= 0.0).collect();
        let over = |of: fn(&InterruptedPeriod) -> f64| -> Vec<f64> {
            self.periods.iter().map(of).collect()
        };
        let x = over(|p| p.since);
        // The segments are not joined at the interruption.
        let (mut segments_x, mut segments_y, mut begun) = (vec![], vec![], false);
        for period in &self.periods {
            if period.since >= 0.0 && !std::mem::replace(&mut begun, true) {
                segments_x.push(f64::NAN);
                segments_y.push(f64::NAN);
            }
            segments_x.push(period.since);
            segments_y.push(period.fitted);
        }
        let (mut low, mut high) = (vec![], vec![]);
        for period in &late {
            let interval = Estimate {
                name: String::new(),
                estimate: period.counterfactual,
                std_error: period.std_error,
                degrees_of_freedom: self.degrees,
            }
            .confidence_interval(level)?;
            low.push(interval.lower);
            high.push(interval.upper);
        }
        let late_x: Vec<f64> = late.iter().map(|p| p.since).collect();
        let made: Vec<f64> = late.iter().map(|p| p.counterfactual).collect();
        LinePlot::new()
            .title(format!("{}, interrupted", self.model.outcome))
            .x_title(format!("{} since the interruption", self.model.time))
            .y_title(&self.model.outcome)
            .line("observed", &x, over(|p| p.observed))
            .line("segments", &segments_x, &segments_y)
            .line("without the interruption", &late_x, &made)
            .band(&low, &high)
            .reference_x(self.start)
            .draw()
    }

    /// The segmented regression.
    pub fn table(&self) -> Table {
        let watson: Vec<String> = self
            .durbin_watson
            .iter()
            .map(|d| Cell::fixed(*d, 2).to_string())
            .collect();
        coefficient_table(self)
            .with_title(format!("Interrupted time series: {}", self.model.outcome))
            .note(format!(
                "`level` is the effect in the first period, `slope` what it gains a period. Standard errors: {}. Durbin–Watson: {}.",
                self.covariance_label,
                watson.join(", ")
            ))
            .warned(&self.warnings)
    }
}

/// The regressors of each row of the frame, zero where the fit does not use the row.
fn regressors(fit: &OlsFit, working: &Frame) -> Result<Vec<DVector<f64>>> {
    let design = Design::build(&Formula::from(fit.formula()).parse()?, working, &[])?;
    let mut rows = vec![DVector::zeros(fit.names().len()); working.rows()];
    for (place, name) in fit.names().iter().enumerate() {
        let column = design.regressors().find(|c| c.name == *name);
        let values = column.map(|column| column.values(&design.rows));
        for used in 0..design.rows.len() {
            rows[design.rows.index(used)][place] =
                values.as_ref().map_or(1.0, |values| values[used]);
        }
    }
    Ok(rows)
}

impl Inference for InterruptedTimeSeriesFit {
    crate::inference::fields::inference_of_fields!();

    fn degrees_of_freedom(&self, _: &DVector<f64>) -> f64 {
        self.degrees
    }
}

crate::report::notebook::shown!(InterruptedTimeSeriesFit);
