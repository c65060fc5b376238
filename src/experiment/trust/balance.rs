//! Whether the arms were alike before the experiment.

use crate::data::{Column, Frame, MISSING};
use crate::error::{Error, Result, Warning};
use crate::experiment::arms::{Arms, measured, note};
use crate::experiment::sums::{Sums, welch};
use crate::inference::{Adjustment, Covariance, Inference, TestResult, adjust_p_values};
use crate::regression::Ols;
use crate::report::shown;
use crate::report::{Cell, CoefficientPlot, Figure, Table, p_text};
use serde::{Deserialize, Serialize};

/// A standardised difference from which a covariate counts as unbalanced in the table (Austin 2009).
const THRESHOLD: f64 = 0.1;

/// Level of the joint test: that of a check made in every experiment.
const ALPHA: f64 = 0.01;

/// A balance table: for every covariate known before assignment, and every arm against the control,
///
/// - the standardised difference `(m₁ − m₀)/√((s₁² + s₀²)/2)`,
/// - the variance ratio `s₁²/s₀²`,
/// - the p-value of the difference (Welch, or with clusters),
///
/// and one test of all covariates together: the F test of the regression of the arm on the covariates. Without clusters it equals
/// Hotelling's T², `F = (n₁ + n₀ − k − 1)/(k (n₁ + n₀ − 2)) · T²`; with clusters it is the cluster-robust Wald test. Single p-values are
/// description; the joint test, adjusted by Holm for the number of arms, is the verdict.
///
/// Categories become one indicator a level. Missing values of a covariate are left out of its row; whether it is missing is a row of its own, and in
/// the joint test they take the mean of the others.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `control` | the first arm | the arm compared with |
/// | `clusters` | none | the column that was randomised in groups |
/// | `threshold` | 0.1 | absolute standardised difference that is marked |
/// | `alpha` | 0.01 | level of the joint test |
///
/// # Errors
/// [`Error::InvalidOption`] without covariates, for one arm or an unknown control; [`Error::Infinite`]; those of [`Ols`].
///
/// # References
/// Hotelling (1931), *Annals of Mathematical Statistics* 2(3); Austin (2009), *Statistics in Medicine* 28(25), doi:10.1002/sim.3697; Hansen &
/// Bowers (2008), *Statistical Science* 23(2), doi:10.1214/08-STS254.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let nsw = datasets::load("nsw")?;
/// let fit = BalanceCheck::new("treat", ["age", "educ", "black", "re75"]).fit(&nsw)?;
/// assert!(fit.is_balanced() && fit.rows.len() == 4);
/// println!("{fit}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BalanceCheck {
    arm: String,
    covariates: Vec<String>,
    control: Option<String>,
    clusters: Option<String>,
    threshold: f64,
    alpha: f64,
}

/// One covariate in one arm against the control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalanceRow {
    /// The covariate, `column[level]` for a category.
    pub covariate: String,
    /// The arm.
    pub arm: String,
    /// Mean in the arm.
    pub mean: f64,
    /// Mean in the control.
    pub control_mean: f64,
    /// Standardised difference.
    pub standardized_difference: f64,
    /// Ratio of variances; not a number when the control does not vary.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub variance_ratio: f64,
    /// p-value of the difference alone.
    pub p_value: f64,
}

/// The joint test of one arm against the control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmBalance {
    /// The arm.
    pub arm: String,
    /// The F test that no covariate tells the arm.
    pub test: TestResult,
    /// Its p-value, adjusted by Holm for the number of arms.
    pub adjusted_p_value: f64,
}

/// What [`BalanceCheck`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalanceCheckFit {
    /// Covariates by arm.
    pub rows: Vec<BalanceRow>,
    /// The joint tests.
    pub omnibus: Vec<ArmBalance>,
    /// The arm compared with.
    pub control: String,
    threshold: f64,
    alpha: f64,
    covariance: String,
    warnings: Vec<Warning>,
}

impl BalanceCheck {
    /// The balance of covariates between the arms of a column.
    pub fn new<S: Into<String>>(
        arm: impl Into<String>,
        covariates: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            arm: arm.into(),
            covariates: covariates.into_iter().map(Into::into).collect(),
            control: None,
            clusters: None,
            threshold: THRESHOLD,
            alpha: ALPHA,
        }
    }

    /// The arm compared with.
    pub fn control(mut self, arm: impl Into<String>) -> Self {
        self.control = Some(arm.into());
        self
    }

    /// The groups that were randomised.
    pub fn clusters(mut self, column: impl Into<String>) -> Self {
        self.clusters = Some(column.into());
        self
    }

    /// The absolute standardised difference that is marked.
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// The level of the joint test.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Computes the table.
    ///
    /// # Errors
    /// See [`BalanceCheck`].
    pub fn fit(&self, frame: &Frame) -> Result<BalanceCheckFit> {
        if self.covariates.is_empty() {
            return Err(Error::invalid_option(
                "covariates",
                "empty",
                "at least one column known before assignment",
            ));
        }
        let arms = Arms::read(&self.arm, self.control.as_deref(), frame)?;
        let covariates = self.expanded(frame)?;
        let covariance = match &self.clusters {
            None => Covariance::Classical,
            Some(_) => Covariance::cluster(CLUSTER),
        };
        let mut warnings: Vec<Warning> = arms.warning().into_iter().collect();
        let mut fit = BalanceCheckFit {
            rows: vec![],
            omnibus: vec![],
            control: arms.levels[0].clone(),
            threshold: self.threshold,
            alpha: self.alpha,
            covariance: covariance.to_string(),
            warnings: vec![],
        };
        for arm in 1..arms.levels.len() {
            let mut model = Frame::new().with(TREATED, arms.indicator(arm))?;
            if let Some(column) = &self.clusters {
                model = model.with(CLUSTER, frame.column(column)?.clone())?;
            }
            let mut terms = Vec::new();
            for (j, (name, values)) in covariates.iter().enumerate() {
                let row = compare(name, values, &arms, arm)?;
                let p_value = if self.clusters.is_some() {
                    let clustered = model.clone().with("covariate", values.clone())?;
                    clustered_p_value(&clustered, &covariance)?
                } else {
                    row.p_value
                };
                fit.rows.push(BalanceRow { p_value, ..row });
                let term = format!("x{j}");
                model = model.with(term.clone(), imputed(values))?;
                terms.push(term);
            }
            let regression = Ols::new(format!("{TREATED} ~ {}", terms.join(" + ")))
                .covariance(covariance.clone())
                .fit(&model)?;
            for warning in regression.warnings() {
                // Levels of a category always sum to one, and their names here mean nothing to a reader.
                if !matches!(
                    warning,
                    Warning::Collinear { .. }
                        | Warning::Constant { .. }
                        | Warning::RowsDropped { .. }
                ) && !warnings.contains(&warning)
                {
                    warnings.push(warning);
                }
            }
            let mut test = regression.f_test()?;
            test.name = format!("balance of {} against {}", arms.levels[arm], arms.levels[0]);
            fit.omnibus.push(ArmBalance {
                arm: arms.levels[arm].clone(),
                adjusted_p_value: test.p_value,
                test,
            });
        }
        let raw: Vec<f64> = fit.omnibus.iter().map(|o| o.test.p_value).collect();
        for (test, p) in (fit.omnibus.iter_mut()).zip(adjust_p_values(&raw, Adjustment::Holm)?) {
            test.adjusted_p_value = p;
        }
        if let Some(column) = &self.clusters {
            let clusters = frame.groups(column)?.count();
            if clusters < 2 * covariates.len() + 10 {
                warnings.push(note(format!(
                    "{clusters} clusters of `{column}` for {} covariates: the joint test rejects too often; use fewer covariates or a RandomizationTest",
                    covariates.len()
                )));
            }
        }
        fit.warnings = warnings;
        Ok(fit)
    }

    /// Numeric covariates, indicators of levels, and indicators of missing values.
    fn expanded(&self, frame: &Frame) -> Result<Vec<(String, Vec<f64>)>> {
        let mut out = Vec::new();
        for column in &self.covariates {
            let missing: Vec<f64>;
            if matches!(frame.column(column)?, Column::Label(_)) {
                let groups = frame.groups(column)?;
                for (code, level) in groups.levels.iter().enumerate() {
                    let is = |c: &u32| match *c {
                        MISSING => f64::NAN,
                        c => f64::from(u8::from(c as usize == code)),
                    };
                    let values = groups.codes.iter().map(is).collect();
                    out.push((format!("{column}[{level}]"), values));
                }
                missing = (groups.codes.iter())
                    .map(|c| f64::from(u8::from(*c == MISSING)))
                    .collect();
            } else {
                let values = measured(frame, column)?;
                missing = (values.iter())
                    .map(|v| f64::from(u8::from(v.is_nan())))
                    .collect();
                out.push((column.clone(), values.to_vec()));
            }
            if missing.iter().any(|m| *m > 0.0) {
                out.push((format!("{column} is missing"), missing));
            }
        }
        Ok(out)
    }
}

/// Names in the frame of the regressions.
const TREATED: &str = "treated";
const CLUSTER: &str = "cluster";

/// One row of the table, with Welch's p-value.
fn compare(name: &str, values: &[f64], arms: &Arms, arm: usize) -> Result<BalanceRow> {
    let of = |arm: usize| {
        let here = (values.iter().zip(&arms.of_row))
            .filter(move |(v, a)| **a == Some(arm) && !v.is_nan())
            .map(|(v, _)| *v);
        Sums::of(here)
    };
    let (treated, control) = (of(arm), of(0));
    if treated.n < 2.0 || control.n < 2.0 {
        return Err(Error::Unidentified {
            what: format!("the balance of `{name}`"),
            needs: format!(
                "two known values or more in each arm; {} and {} have {} and {}",
                arms.levels[arm], arms.levels[0], treated.n, control.n
            ),
        });
    }
    let gap = treated.mean - control.mean;
    let pooled = f64::midpoint(treated.variance(), control.variance()).sqrt();
    let variance_ratio = if control.squares > 0.0 {
        treated.variance() / control.variance()
    } else {
        f64::NAN
    };
    Ok(BalanceRow {
        covariate: name.to_owned(),
        arm: arms.levels[arm].clone(),
        mean: treated.mean,
        control_mean: control.mean,
        standardized_difference: if gap.abs() > 0.0 && pooled > 0.0 {
            gap / pooled
        } else {
            0.0
        },
        variance_ratio,
        // A covariate that does not vary says nothing.
        p_value: welch(name, treated, control).map_or(1.0, |e| e.p_value()),
    })
}

fn clustered_p_value(frame: &Frame, covariance: &Covariance) -> Result<f64> {
    let fit = Ols::new(format!("covariate ~ {TREATED}"))
        .covariance(covariance.clone())
        .fit(frame)?;
    let effect = fit.coefficient(TREATED)?;
    Ok(if effect.std_error > 0.0 {
        effect.p_value()
    } else {
        1.0
    })
}

/// Missing values take the mean of the others.
fn imputed(values: &[f64]) -> Vec<f64> {
    let mean = Sums::of(values.iter().copied().filter(|v| !v.is_nan())).mean;
    (values.iter())
        .map(|v| if v.is_nan() { mean } else { *v })
        .collect()
}

impl BalanceCheckFit {
    /// Whether no joint test rejects balance at its level, adjusted for the number of arms.
    pub fn is_balanced(&self) -> bool {
        self.omnibus
            .iter()
            .all(|o| o.adjusted_p_value >= self.alpha)
    }

    /// The rows whose absolute standardised difference is above the threshold.
    pub fn marked(&self) -> Vec<&BalanceRow> {
        let large = |row: &&BalanceRow| row.standardized_difference.abs() > self.threshold;
        self.rows.iter().filter(large).collect()
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The balance table.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!("Balance against {}", self.control)).columns([
            "",
            "Arm",
            "Mean",
            "Control",
            "Std. diff.",
            "Var. ratio",
            "p",
        ]);
        for row in &self.rows {
            let mark = usize::from(row.standardized_difference.abs() > self.threshold);
            table = table.row([
                Cell::from(row.covariate.as_str()),
                Cell::from(row.arm.as_str()),
                Cell::significant(row.mean, 5),
                Cell::significant(row.control_mean, 5),
                Cell::fixed(row.standardized_difference, 3).stars(mark as u8),
                Cell::fixed(row.variance_ratio, 2),
                Cell::p_value(row.p_value),
            ]);
        }
        for o in &self.omnibus {
            table = table.note(format!(
                "{}; adjusted {}",
                o.test,
                p_text(o.adjusted_p_value)
            ));
        }
        table = table.note(format!(
            "* absolute standardised difference above {}; covariance of the joint test: {}",
            self.threshold, self.covariance
        ));
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// Standardised differences by covariate.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is nothing to draw.
    pub fn figure(&self) -> Result<Figure> {
        let mut plot = CoefficientPlot::new()
            .title(format!("Standardised differences against {}", self.control))
            .x_title("Standardised difference");
        for arm in &self.omnibus {
            plot = plot.series(arm.arm.clone());
            for row in self.rows.iter().filter(|r| r.arm == arm.arm) {
                let d = row.standardized_difference;
                plot = plot.point(row.covariate.clone(), d, d, d);
            }
        }
        plot.draw()
    }
}

shown!(BalanceCheckFit);

#[cfg(test)]
mod tests;
