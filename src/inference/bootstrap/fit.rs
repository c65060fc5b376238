//! The bootstrap distribution: covariance, bias, and intervals of every kind.

use super::interval::{acceleration, bca, quantile};
use crate::error::{Error, Result};
use crate::inference::multiplicity::{Alternative, MultipleTests, romano_wolf};
use crate::inference::records::check_level;
use crate::inference::{Inference, Interval};
use crate::numeric::special::normal;
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How an interval is made of replicates `θ*` of an estimate `θ̂` with bootstrap standard error `s`, with `q_α` their quantiles.
///
/// | variant | interval | error of its coverage | needs |
/// |---|---|---|---|
/// | `Normal` | `θ̂ − bias ± z s` | n^{-1/2} | few draws |
/// | `Percentile` | `[q_α, q_{1−α}]` | n^{-1/2} | 999 draws |
/// | `Basic` | `[2θ̂ − q_{1−α}, 2θ̂ − q_α]` | n^{-1/2} | 999 draws |
/// | `Bca` | percentiles corrected for bias and skew (Efron 1987) | n^{-1} | [`super::Bootstrap::bca`], 1999 draws |
/// | `BootstrapT` | `[θ̂ − t_{1−α} ŝ, θ̂ − t_α ŝ]`, quantiles of `(θ* − θ̂)/s*` | n^{-1} | [`super::Bootstrap::run_studentized`] |
///
/// (errors of one-sided limits). Percentile and BCa respect transformations and the range of the parameter; bootstrap-t covers best
/// for means and regression coefficients.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// Normal with the bias taken off.
    Normal,
    /// Quantiles of the replicates.
    Percentile,
    /// Quantiles of the errors.
    Basic,
    /// Bias-corrected and accelerated.
    Bca,
    /// Quantiles of studentised errors.
    BootstrapT,
}

/// Estimates with their bootstrap distribution. The verbs of [`Inference`] use the covariance of the replicates and the normal
/// distribution; [`BootstrapFit::confidence_interval_by`] has the other intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BootstrapFit {
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    /// Replicates in rows.
    replicates: DMatrix<f64>,
    /// First row of each bag, and the end.
    bags: Vec<usize>,
    /// Standard errors of the estimates and of each replicate.
    std_errors: Option<Studentized>,
    acceleration: Option<Vec<f64>>,
    failed: usize,
    first_failure: Option<String>,
    label: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Studentized {
    original: Vec<f64>,
    replicates: DMatrix<f64>,
}

/// What the loop over replicates leaves.
pub(super) struct Parts {
    pub(super) names: Vec<String>,
    pub(super) estimates: Vec<f64>,
    /// Of the original; empty when the statistic has none.
    pub(super) std_errors: Vec<f64>,
    pub(super) per_bag: usize,
    /// Estimates and standard errors.
    pub(super) results: Vec<Result<(Vec<f64>, Vec<f64>)>>,
    /// Estimates with a part left out.
    pub(super) left_out: Vec<Vec<f64>>,
    pub(super) label: String,
}

impl Parts {
    pub(super) fn assemble(self) -> Result<BootstrapFit> {
        let (mut rows, mut errors, mut bags) = (vec![], vec![], vec![0]);
        let (mut failed, mut first_failure) = (0, None);
        for (i, result) in self.results.into_iter().enumerate() {
            match result {
                Ok((estimates, std_errors)) => {
                    rows.push(estimates);
                    errors.push(std_errors);
                }
                Err(error) => {
                    failed += 1;
                    first_failure.get_or_insert_with(|| error.to_string());
                }
            }
            if (i + 1) % self.per_bag == 0 {
                bags.push(rows.len());
            }
        }
        let size = self.estimates.len();
        if let Some(few) = bags.windows(2).map(|b| b[1] - b[0]).find(|n| *n < 2) {
            let reason = first_failure.unwrap_or_default();
            return Err(Error::Unidentified {
                what: "the bootstrap distribution".to_owned(),
                needs: format!(
                    "at least 2 replicates that succeed, of {} {few} did; the first reason: {reason}",
                    self.per_bag
                ),
            });
        }
        let replicates = DMatrix::from_fn(rows.len(), size, |i, j| rows[i][j]);
        let std_errors = (!self.std_errors.is_empty()).then(|| Studentized {
            original: self.std_errors,
            replicates: DMatrix::from_fn(rows.len(), size, |i, j| errors[i][j]),
        });
        let acceleration = (!self.left_out.is_empty()).then(|| {
            (0..size)
                .map(|j| {
                    let column: Vec<f64> = self.left_out.iter().map(|v| v[j]).collect();
                    acceleration(&column)
                })
                .collect()
        });
        let mut fit = BootstrapFit {
            names: self.names,
            estimates: DVector::from_vec(self.estimates),
            covariance: DMatrix::zeros(size, size),
            replicates,
            bags,
            std_errors,
            acceleration,
            failed,
            first_failure,
            label: self.label,
        };
        fit.covariance = fit.covariance_of_replicates();
        Ok(fit)
    }
}

impl Inference for BootstrapFit {
    crate::inference::fields::inference_of_fields!();

    fn table(&self) -> Table {
        const LEVEL: f64 = 0.95;
        let bias = self.bias();
        let mut table = Table::new(format!("Bootstrap: {}", self.label)).columns([
            "",
            "Estimate",
            "Bias",
            "Std. error",
            "95 % from",
            "to",
        ]);
        let intervals = self.confidence_interval_by(Method::Percentile, LEVEL);
        for (j, c) in self.coefficients().iter().enumerate() {
            let (lower, upper) = match &intervals {
                Ok(all) => (all[j].lower, all[j].upper),
                Err(_) => (f64::NAN, f64::NAN),
            };
            table = table.row([
                Cell::from(c.name.as_str()),
                Cell::significant(c.estimate, 5),
                Cell::significant(bias[j], 2),
                Cell::significant(c.std_error, 5),
                Cell::significant(lower, 5),
                Cell::significant(upper, 5),
            ]);
        }
        let count = Cell::count(self.replicates.nrows());
        table = table.note(match &intervals {
            Ok(_) => format!("{count} replicates; percentile intervals"),
            Err(error) => format!("{count} replicates; no percentile intervals: {error}"),
        });
        if let Some(reason) = &self.first_failure {
            table = table.note(format!(
                "Warning: {} replicates failed and are left out; the first: {reason}",
                self.failed
            ));
        }
        table
    }
}

impl BootstrapFit {
    /// A distribution from replicates made elsewhere, one row each, so that intervals can be read from them.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`]; [`Error::NotFinite`]; [`Error::Unidentified`] for fewer than two replicates.
    pub fn from_replicates<S: Into<String>>(
        names: impl IntoIterator<Item = S>,
        estimates: &[f64],
        replicates: &DMatrix<f64>,
    ) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        same("names", estimates.len(), names.len())?;
        same(
            "columns of the replicates",
            estimates.len(),
            replicates.ncols(),
        )?;
        finite(estimates.iter().chain(replicates.iter()))?;
        let rows = replicates
            .row_iter()
            .map(|r| Ok((r.iter().copied().collect(), vec![])));
        Parts {
            names,
            estimates: estimates.to_vec(),
            std_errors: vec![],
            per_bag: replicates.nrows(),
            results: rows.collect(),
            left_out: vec![],
            label: "given replicates".to_owned(),
        }
        .assemble()
    }

    /// Adds the standard errors of the estimates and of every replicate, for bootstrap-t intervals.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`], [`Error::NotFinite`].
    pub fn with_std_errors(mut self, original: &[f64], replicates: &DMatrix<f64>) -> Result<Self> {
        same("standard errors", self.names.len(), original.len())?;
        same(
            "columns of standard errors",
            self.names.len(),
            replicates.ncols(),
        )?;
        same(
            "rows of standard errors",
            self.replicates.nrows(),
            replicates.nrows(),
        )?;
        finite(original.iter().chain(replicates.iter()))?;
        self.std_errors = Some(Studentized {
            original: original.to_vec(),
            replicates: replicates.clone(),
        });
        Ok(self)
    }

    /// Adds the estimates of the jackknife, one row each, for BCa intervals.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`], [`Error::NotFinite`].
    pub fn with_jackknife(mut self, left_out: &DMatrix<f64>) -> Result<Self> {
        same(
            "columns of the jackknife",
            self.names.len(),
            left_out.ncols(),
        )?;
        finite(left_out.iter())?;
        let columns = left_out.column_iter();
        self.acceleration = Some(columns.map(|c| acceleration(c.as_slice())).collect());
        Ok(self)
    }

    /// The same under another name.
    pub(crate) fn labelled(mut self, label: &str) -> Self {
        label.clone_into(&mut self.label);
        self
    }

    pub(super) fn set_acceleration(&mut self, acceleration: Vec<f64>) {
        self.acceleration = Some(acceleration);
    }

    /// The replicates that succeeded, one row each.
    pub fn replicates(&self) -> &DMatrix<f64> {
        &self.replicates
    }

    /// How many replicates failed; the others stand.
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// Why the first of the failed replicates failed.
    pub fn first_failure(&self) -> Option<&str> {
        self.first_failure.as_deref()
    }

    /// Mean of the replicates less the estimate. For little bags it contains the chance in which rows fell into the bags.
    pub fn bias(&self) -> DVector<f64> {
        self.replicates.row_mean().transpose() - &self.estimates
    }

    /// Confidence intervals of all statistics. For little bags the limits are averages over the bags.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a level outside (0, 1) or too high for the number of replicates; [`Error::DataNotKept`] when the
    /// method needs what was not computed; [`Error::Unidentified`] when all replicates lie on one side of the estimate (BCa).
    pub fn confidence_interval_by(&self, method: Method, level: f64) -> Result<Vec<Interval>> {
        check_level(level)?;
        let tail = (1.0 - level) / 2.0;
        let fewest = (1.0 / tail).round() - 1.0;
        let rows = self.bags.windows(2).map(|b| b[1] - b[0]).min().unwrap_or(0);
        if (rows as f64) < fewest && method != Method::Normal {
            return Err(Error::invalid_option(
                "level",
                level,
                format!(
                    "lower, or draws at least {fewest}: {rows} replicates have no such quantile"
                ),
            ));
        }
        (0..self.names.len())
            .map(|j| {
                let [lower, upper] = self.limits(method, level, j)?;
                Ok(Interval {
                    name: self.names[j].clone(),
                    level,
                    lower,
                    upper,
                })
            })
            .collect()
    }

    /// Limits for one statistic, averaged over the bags.
    fn limits(&self, method: Method, level: f64, j: usize) -> Result<[f64; 2]> {
        let estimate = self.estimates[j];
        let tail = (1.0 - level) / 2.0;
        let mut sums = [0.0; 2];
        for bag in self.bags.windows(2) {
            let rows = bag[0]..bag[1];
            let values = || rows.clone().map(|i| self.replicates[(i, j)]);
            let sorted = |values: &mut dyn Iterator<Item = f64>| {
                let mut values: Vec<f64> = values.collect();
                values.sort_unstable_by(f64::total_cmp);
                values
            };
            let limits = match method {
                Method::Normal => {
                    let half = normal::upper_quantile(tail) * self.covariance[(j, j)].sqrt();
                    let centre = 2.0 * estimate - values().sum::<f64>() / rows.len() as f64;
                    [centre - half, centre + half]
                }
                Method::Percentile => {
                    let t = sorted(&mut values());
                    [quantile(&t, tail), quantile(&t, 1.0 - tail)]
                }
                Method::Basic => {
                    let t = sorted(&mut values());
                    let flipped = |p: f64| 2.0 * estimate - quantile(&t, p);
                    [flipped(1.0 - tail), flipped(tail)]
                }
                Method::Bca => {
                    let acceleration = self.acceleration.as_ref().ok_or_else(|| {
                        missing(
                            "the jackknife behind BCa intervals",
                            "add `.bca()` to the bootstrap",
                        )
                    })?;
                    bca(&sorted(&mut values()), estimate, acceleration[j], level)?
                }
                Method::BootstrapT => {
                    let s = self.std_errors.as_ref().ok_or_else(|| {
                        missing(
                            "a standard error for each replicate",
                            "use `run_studentized`",
                        )
                    })?;
                    let mut t = rows
                        .clone()
                        .map(|i| (self.replicates[(i, j)] - estimate) / s.replicates[(i, j)]);
                    let t = sorted(&mut t);
                    let limit = |p: f64| estimate - quantile(&t, p) * s.original[j];
                    [limit(1.0 - tail), limit(tail)]
                }
            };
            sums = [sums[0] + limits[0], sums[1] + limits[1]];
        }
        let bags = (self.bags.len() - 1) as f64;
        Ok(sums.map(|s| s / bags))
    }

    /// Romano–Wolf stepdown of the hypotheses that each statistic is zero, studentised by the replicates' own standard errors when they
    /// have some, by those of the bootstrap otherwise.
    ///
    /// # Errors
    /// Those of [`romano_wolf`]; [`Error::InvalidOption`] for an α outside (0, 1).
    pub fn romano_wolf(&self, alpha: f64) -> Result<MultipleTests> {
        let own = self.std_errors();
        let (count, size) = self.replicates.shape();
        let scale = |i: usize, j: usize| match &self.std_errors {
            Some(s) => s.replicates[(i, j)],
            None => own[j],
        };
        let centred = DMatrix::from_fn(count, size, |i, j| {
            (self.replicates[(i, j)] - self.estimates[j]) / scale(i, j)
        });
        let observed: Vec<f64> = (0..size)
            .map(|j| self.estimates[j] / self.std_errors.as_ref().map_or(own[j], |s| s.original[j]))
            .collect();
        let adjusted = romano_wolf(&observed, &centred, Alternative::TwoSided)?;
        let alone: Vec<f64> = (0..size)
            .map(|j| {
                let column = centred.columns(j, 1).into_owned();
                Ok(romano_wolf(&observed[j..=j], &column, Alternative::TwoSided)?[0])
            })
            .collect::<Result<_>>()?;
        MultipleTests::adjusted(
            self.names.iter().cloned(),
            &alone,
            &adjusted,
            "Romano–Wolf",
            alpha,
        )
    }

    /// Within bags, averaged over them.
    fn covariance_of_replicates(&self) -> DMatrix<f64> {
        let size = self.estimates.len();
        let mut total = DMatrix::zeros(size, size);
        for bag in self.bags.windows(2) {
            let rows = self.replicates.rows(bag[0], bag[1] - bag[0]);
            let mean = rows.row_mean();
            let gaps = DMatrix::from_fn(rows.nrows(), size, |i, j| rows[(i, j)] - mean[j]);
            total += gaps.transpose() * &gaps / (rows.nrows() as f64 - 1.0);
        }
        total / (self.bags.len() - 1) as f64
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for BootstrapFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(BootstrapFit);

fn same(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::LengthMismatch {
        column: what.to_owned(),
        expected,
        found,
    })
}

fn finite<'a>(values: impl IntoIterator<Item = &'a f64>) -> Result<()> {
    if values.into_iter().all(|v| v.is_finite()) {
        return Ok(());
    }
    Err(Error::NotFinite {
        what: "a replicate".to_owned(),
    })
}

fn missing(what: &str, remedy: &str) -> Error {
    Error::DataNotKept {
        what: what.to_owned(),
        remedy: remedy.to_owned(),
    }
}
