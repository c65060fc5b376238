//! Omitted variables of a linear regression: how much they would have to explain.

use super::contours::{Mark, contours, levels};
use super::regressors::Regressors;
use super::{check_share, equal_share, percent_of};
use crate::error::{Error, Result, Warning};
use crate::inference::{Estimate, check_level};
use crate::numeric::special::student_t;
use crate::regression::OlsFit;
use crate::report::{Cell, Figure, LinePlot, Table};
use serde::{Deserialize, Serialize};

/// How a regression coefficient would change had an omitted variable Z (or several) been in the regression.
///
/// Z explains the shares `R²_D` of what the covariates leave of the treatment, and `R²_Y` of what treatment and covariates leave of the outcome. Then exactly
///
/// `|bias| = se √(df · R²_Y R²_D/(1 − R²_D))`, `se' = se √((1 − R²_Y)/(1 − R²_D) · df/(df − 1))`,
///
/// with the classical standard error. The sign is the reader's: here the omitted variable speaks against the estimate, which moves towards zero and past it.
/// The robustness value `RV_q` is the share of both that would take away q of the estimate, with `f = q |t|/√df`,
///
/// `RV_q = (√(f⁴ + 4f²) − f²)/2`;
///
/// `RV_{q,α}` is the share that would make what is left of it insignificant. The partial R² of treatment with outcome is what a variable that explains all of the
/// rest of the outcome would have to explain of the treatment.
///
/// Whether such a variable exists is no question for data. A benchmark makes it one of knowledge: "k times as strong as this covariate", in what it explains of treatment
/// and outcome, bounds both shares.
///
/// The identities are those of least squares and hold whatever the errors; standard errors and `RV_{q,α}` are for independent errors of one variance. A fit with another covariance
/// is asked for its classical one.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | of intervals in tables and figures | (0, 1) |
/// | `benchmark` | none | covariates to compare with, and how many times as strong | ≥ 0 |
///
/// # Errors
/// [`Error::UnknownCoefficient`] for a treatment or covariate that the model does not have; [`Error::InvalidOption`] for shares outside \[0, 1), a standard error that is not positive, at
/// most one degree of freedom, or a benchmark so strong that it would explain the treatment wholly; [`Error::DataNotKept`] for a fit that cannot give its classical covariance.
///
/// # References
/// Cinelli, C. & Hazlett, C. (2020). Making sense of sensitivity: extending omitted variable bias. *Journal of the Royal Statistical Society B* 82(1), 39–67.
/// doi:10.1111/rssb.12348
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// // Exposure to violence in Darfur and attitudes to peace, from the printed regression alone.
/// let darfur = OmittedVariable::from_estimate("directly harmed", 0.097_315_82, 0.023_256_54, 783.0)?;
/// assert!((darfur.robustness_value(1.0)? - 0.139).abs() < 5e-4);
/// assert!((darfur.robustness_value_at(1.0, 0.05)? - 0.076).abs() < 5e-4);
///
/// let card = Ols::new("lwage ~ educ + exper + I(exper^2) + black + south + smsa").fit(&datasets::load("card")?)?;
/// let schooling = OmittedVariable::of(&card, "educ")?.benchmark("smsa", &["smsa"], &[1.0, 2.0, 3.0])?;
/// assert!(schooling.benchmarks()[2].adjusted.estimate > 0.05);
/// println!("{schooling}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OmittedVariable {
    unadjusted: Estimate,
    level: f64,
    regressors: Option<Regressors>,
    benchmarks: Vec<ConfounderBenchmark>,
    warnings: Vec<Warning>,
}

/// A variable k times as strong as some covariates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfounderBenchmark {
    /// Its name, such as `2 × age`.
    pub name: String,
    /// Times the covariates' share of the treatment.
    pub treatment_strength: f64,
    /// Times their share of the outcome.
    pub outcome_strength: f64,
    /// The largest share of the treatment that it explains.
    pub r2_treatment: f64,
    /// The largest share of the outcome.
    pub r2_outcome: f64,
    /// The estimate with it in the worst case.
    pub adjusted: Estimate,
}

impl OmittedVariable {
    /// Of a coefficient of a fit.
    ///
    /// # Errors
    /// See [`OmittedVariable`].
    pub fn of(fit: &OlsFit, treatment: &str) -> Result<Self> {
        let regressors = Regressors::of(fit, treatment)?;
        let (d, df) = (regressors.treatment, regressors.residual_df);
        let std_error = regressors.covariance[(d, d)].max(0.0).sqrt();
        let mut out = Self::from_estimate(treatment, regressors.estimates[d], std_error, df)?;
        out.regressors = Some(regressors);
        Ok(out)
    }

    /// Of a printed coefficient with its classical standard error and the residual degrees of freedom of its regression.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an estimate that is not finite, a standard error that is not positive or at most one degree of freedom.
    pub fn from_estimate(
        treatment: impl Into<String>,
        estimate: f64,
        std_error: f64,
        degrees_of_freedom: f64,
    ) -> Result<Self> {
        if !estimate.is_finite() {
            return Err(Error::invalid_option("estimate", estimate, "finite"));
        }
        if !(std_error > 0.0 && std_error.is_finite()) {
            let expected = "positive and finite; a perfect fit leaves nothing to be explained";
            return Err(Error::invalid_option("std_error", std_error, expected));
        }
        if !(degrees_of_freedom > 1.0 && degrees_of_freedom.is_finite()) {
            return Err(Error::invalid_option(
                "degrees_of_freedom",
                degrees_of_freedom,
                "finite and more than 1, so that one more variable could be in the regression",
            ));
        }
        Ok(Self {
            unadjusted: Estimate {
                name: treatment.into(),
                estimate,
                std_error,
                degrees_of_freedom,
            },
            level: 0.95,
            regressors: None,
            benchmarks: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// The level of intervals in tables and figures.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn level(mut self, level: f64) -> Result<Self> {
        check_level(level)?;
        self.level = level;
        Ok(self)
    }

    /// Adds variables as many times as strong as a group of covariates, in what they explain of the treatment and of the outcome.
    ///
    /// # Errors
    /// As [`OmittedVariable::benchmark_unequal`].
    pub fn benchmark(
        mut self,
        name: impl Into<String>,
        covariates: &[&str],
        strengths: &[f64],
    ) -> Result<Self> {
        let name = name.into();
        for strength in strengths {
            self = self.benchmark_unequal(name.clone(), covariates, *strength, *strength)?;
        }
        Ok(self)
    }

    /// Adds a variable `k_D` times as strong as a group of covariates X in what it explains of the treatment and `k_Y` times in what it explains of the outcome:
    ///
    /// `R²_D = k_D f²_D`, `R²_Y ≤ ((√k_Y + √r)/√(1 − r))² f²_Y`, `r = k_D R²_{D~X}²/((1 − k_D R²_{D~X})(1 − R²_{D~X}))`,
    ///
    /// with `f² = R²/(1 − R²)` of the covariates' partial R². A bound of more than 1 is 1, with a warning.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for negative strengths, ones for which the shares reach 1, no covariates or the treatment among them; [`Error::UnknownCoefficient`];
    /// [`Error::Unidentified`] when there is only a printed estimate.
    pub fn benchmark_unequal(
        mut self,
        name: impl Into<String>,
        covariates: &[&str],
        treatment_strength: f64,
        outcome_strength: f64,
    ) -> Result<Self> {
        for (option, k) in [
            ("treatment_strength", treatment_strength),
            ("outcome_strength", outcome_strength),
        ] {
            if !(k >= 0.0 && k.is_finite()) {
                return Err(Error::invalid_option(option, k, "finite and not negative"));
            }
        }
        let regressors = self
            .regressors
            .as_ref()
            .ok_or_else(|| Error::Unidentified {
                what: "the strength of observed covariates".to_owned(),
                needs: "the regression; use `OmittedVariable::of(&fit, treatment)`".to_owned(),
            })?;
        let x = regressors.explained(covariates)?;
        let r2_treatment = treatment_strength * x.treatment / (1.0 - x.treatment);
        let with_covariates = treatment_strength * x.treatment * x.treatment
            / ((1.0 - treatment_strength * x.treatment) * (1.0 - x.treatment));
        if !(r2_treatment < 1.0 && (0.0..1.0).contains(&with_covariates)) {
            return Err(Error::invalid_option(
                "treatment_strength",
                treatment_strength,
                format!(
                    "less: {} explain {:.3} of the rest of the treatment, and so many times as much would be all of it",
                    covariates.join(", "),
                    x.treatment
                ),
            ));
        }
        let factor =
            (outcome_strength.sqrt() + with_covariates.sqrt()).powi(2) / (1.0 - with_covariates);
        let mut r2_outcome = factor * x.outcome / (1.0 - x.outcome);
        let name = name.into();
        let name = if (treatment_strength - outcome_strength).abs() > 0.0 {
            format!("{treatment_strength}/{outcome_strength} × {name}")
        } else {
            format!("{treatment_strength} × {name}")
        };
        if r2_outcome > 1.0 {
            r2_outcome = 1.0;
            self.warnings.push(Warning::Note {
                message: format!(
                    "a variable like {name} could explain all that is left of the outcome; its share is set to 1: compare with a smaller strength"
                ),
            });
        }
        let mut adjusted = self.adjusted(r2_treatment, r2_outcome)?;
        adjusted.name.clone_from(&name);
        self.benchmarks.push(ConfounderBenchmark {
            name,
            treatment_strength,
            outcome_strength,
            r2_treatment,
            r2_outcome,
            adjusted,
        });
        Ok(self)
    }

    /// The coefficient as estimated, with its classical standard error.
    pub fn unadjusted(&self) -> &Estimate {
        &self.unadjusted
    }

    /// The benchmarks in the order in which they were added.
    pub fn benchmarks(&self) -> &[ConfounderBenchmark] {
        &self.benchmarks
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The partial R² of treatment and outcome, `t²/(t² + df)`.
    pub fn partial_r_squared(&self) -> f64 {
        let f2 = self.cohen_f().powi(2);
        f2 / (1.0 + f2)
    }

    /// The bias of variables that explain these shares of treatment and outcome, in absolute value.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a share of the treatment outside [0, 1) or of the outcome outside [0, 1].
    pub fn bias(&self, r2_treatment: f64, r2_outcome: f64) -> Result<f64> {
        check_share("r2_treatment", r2_treatment, false)?;
        check_share("r2_outcome", r2_outcome, true)?;
        Ok(self.unadjusted.std_error * self.units(r2_treatment, r2_outcome))
    }

    /// The estimate with a variable in the regression that explains these shares and speaks against it.
    ///
    /// # Errors
    /// As [`OmittedVariable::bias`].
    pub fn adjusted(&self, r2_treatment: f64, r2_outcome: f64) -> Result<Estimate> {
        let bias = self.bias(r2_treatment, r2_outcome)?;
        Ok(self.moved(r2_treatment, r2_outcome, bias))
    }

    /// `RV_q`: what a variable must explain of both treatment and outcome to take away the share q of the estimate; `q = 1` takes it to zero.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a q that is not positive and finite.
    pub fn robustness_value(&self, q: f64) -> Result<f64> {
        check_q(q)?;
        Ok(equal_share(q * self.cohen_f()))
    }

    /// `RV_{q,α}`: what it must explain for the level-α test not to reject that `1 − q` of the estimate is the truth; 0 when it does not reject as things are.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a q that is not positive and finite or an α outside (0, 1).
    pub fn robustness_value_at(&self, q: f64, alpha: f64) -> Result<f64> {
        check_q(q)?;
        check_level(1.0 - alpha)?;
        let df = self.unadjusted.degrees_of_freedom - 1.0;
        let f = q * self.cohen_f();
        let critical = student_t::upper_quantile(alpha / 2.0, df) / df.sqrt();
        Ok(if f <= critical {
            0.0
        } else if f * critical > 1.0 {
            // The most harmful variable explains less of the outcome than of the treatment.
            (f * f - critical * critical) / (1.0 + f * f)
        } else {
            equal_share(f - critical)
        })
    }

    /// Level curves of the estimate over what the variable explains of treatment and outcome, with the benchmarks.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is no finite level to draw.
    pub fn estimate_contours(&self) -> Result<Figure> {
        let limit = self.limit();
        let value = |x: f64, y: f64| self.at(x, y).estimate;
        let levels = levels(self.unadjusted.estimate, value(limit, limit), 0.0, 8);
        let title = format!(
            "{} with an omitted variable: estimate",
            self.unadjusted.name
        );
        contours(
            [&title, X_TITLE, Y_TITLE],
            &levels,
            limit,
            &self.marks(),
            value,
        )
    }

    /// Level curves of the t statistic, the critical value among them.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is no finite level to draw.
    pub fn t_contours(&self) -> Result<Figure> {
        let limit = self.limit();
        let value = |x: f64, y: f64| self.at(x, y).statistic(0.0);
        let df = self.unadjusted.degrees_of_freedom - 1.0;
        let critical = student_t::quantile(0.5 + self.level / 2.0, df);
        let special = critical.copysign(self.unadjusted.estimate);
        let levels = levels(value(0.0, 0.0), value(limit, limit), special, 8);
        let title = format!("{} with an omitted variable: t", self.unadjusted.name);
        contours(
            [&title, X_TITLE, Y_TITLE],
            &levels,
            limit,
            &self.marks(),
            value,
        )
    }

    /// The estimate over the share of the treatment, when the variable explains all, three quarters and half of the rest of the outcome.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is no finite estimate to draw.
    pub fn extreme_plot(&self) -> Result<Figure> {
        const POINTS: usize = 200;
        let limit = (1.5 * self.partial_r_squared()).clamp(0.01, 0.99);
        let x: Vec<f64> = (0..=POINTS)
            .map(|i| limit * i as f64 / POINTS as f64)
            .collect();
        let mut plot = LinePlot::new()
            .title(format!("{}: extreme scenarios", self.unadjusted.name))
            .x_title(X_TITLE)
            .y_title("estimate")
            .reference_y(0.0);
        for share in [1.0, 0.75, 0.5] {
            let y: Vec<f64> = x.iter().map(|x| self.at(*x, share).estimate).collect();
            plot = plot.line(format!("{:.0} % of the outcome", 100.0 * share), &x, y);
        }
        plot.draw()
    }

    /// The estimate as it is and with every benchmark, and the robustness values.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 5;
        let mut table = Table::new(format!("Omitted variables and {}", self.unadjusted.name))
            .columns([
                "",
                "R² of treatment",
                "R² of outcome",
                "Estimate",
                "Std. error",
                "t",
                "from",
                "to",
            ]);
        let as_is = ("nothing omitted", 0.0, 0.0, &self.unadjusted);
        let with = self.benchmarks.iter();
        let with = with.map(|b| (b.name.as_str(), b.r2_treatment, b.r2_outcome, &b.adjusted));
        for (name, r2_treatment, r2_outcome, estimate) in std::iter::once(as_is).chain(with) {
            let ends = estimate.confidence_interval(self.level);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            table = table.row([
                Cell::text(name),
                Cell::fixed(r2_treatment, 4),
                Cell::fixed(r2_outcome, 4),
                Cell::significant(estimate.estimate, DIGITS),
                Cell::significant(estimate.std_error, DIGITS),
                Cell::fixed(estimate.statistic(0.0), 2),
                Cell::significant(low, DIGITS),
                Cell::significant(high, DIGITS),
            ]);
        }
        let percent = |value: f64| Cell::percent(value, 2).to_string();
        let rv = percent(equal_share(self.cohen_f()));
        let alpha = 1.0 - self.level;
        let significant = self.robustness_value_at(1.0, alpha).unwrap_or(0.0);
        table
            .note(format!(
                "A variable must explain {rv} of the rest of both treatment and outcome to take the estimate to zero, {} to make it insignificant at {} %.",
                percent(significant),
                percent_of(alpha)
            ))
            .note(format!(
                "One that explains all of the rest of the outcome must explain {} of that of the treatment.",
                percent(self.partial_r_squared())
            ))
            .note(format!(
                "Classical standard errors, {} degrees of freedom; intervals at {} %.",
                self.unadjusted.degrees_of_freedom,
                percent_of(self.level)
            ))
            .warned(&self.warnings)
    }

    /// `|t|/√df`.
    fn cohen_f(&self) -> f64 {
        self.unadjusted.statistic(0.0).abs() / self.unadjusted.degrees_of_freedom.sqrt()
    }

    /// The bias in standard errors.
    fn units(&self, r2_treatment: f64, r2_outcome: f64) -> f64 {
        let df = self.unadjusted.degrees_of_freedom;
        (df * r2_outcome * r2_treatment / (1.0 - r2_treatment)).sqrt()
    }

    fn at(&self, r2_treatment: f64, r2_outcome: f64) -> Estimate {
        let bias = self.unadjusted.std_error * self.units(r2_treatment, r2_outcome);
        self.moved(r2_treatment, r2_outcome, bias)
    }

    fn moved(&self, r2_treatment: f64, r2_outcome: f64, bias: f64) -> Estimate {
        let Estimate {
            name,
            estimate,
            std_error,
            degrees_of_freedom: df,
        } = self.unadjusted.clone();
        let factor = (1.0 - r2_outcome) / (1.0 - r2_treatment) * df / (df - 1.0);
        Estimate {
            name,
            estimate: estimate - bias.copysign(estimate),
            std_error: std_error * factor.sqrt(),
            degrees_of_freedom: df - 1.0,
        }
    }

    /// How far figures reach: past the robustness value and the benchmarks.
    fn limit(&self) -> f64 {
        let most = (self.benchmarks.iter())
            .flat_map(|b| [b.r2_treatment, b.r2_outcome])
            .fold(2.0 * equal_share(self.cohen_f()), f64::max);
        (1.1 * most).clamp(0.02, 0.95)
    }

    fn marks(&self) -> Vec<Mark> {
        let each = self.benchmarks.iter();
        each.map(|b| Mark {
            name: b.name.clone(),
            at: [b.r2_treatment, b.r2_outcome],
        })
        .collect()
    }
}

crate::report::notebook::shown!(OmittedVariable);

const X_TITLE: &str = "partial R² with the treatment";
const Y_TITLE: &str = "partial R² with the outcome";

fn check_q(q: f64) -> Result<()> {
    if q > 0.0 && q.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_option(
        "q",
        q,
        "positive; 1 takes the whole estimate away",
    ))
}
