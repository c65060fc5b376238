//! The anytime-valid test of several estimates with any covariance, and their simultaneous intervals.

use super::joint::p_value_figure;
use super::mixture::{MixtureBoundary, positive};
use crate::error::{Error, Result};
use crate::inference::{EValue, Inference, Interval, check_level};
use crate::numeric::linalg::{Cholesky, block};
use crate::report::{Cell, Figure, Table, p_text, shown};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Rows before the sequence speaks, unless told otherwise.
const FIRST_ROWS: u64 = 100;

/// The test at every look that d effects θ are zero, and intervals that cover all of them at all looks, from estimates with a robust, clustered or any other
/// covariance V that is consistent: the asymptotic counterpart of [`JointRegressionSequence`](super::JointRegressionSequence), which is exact but takes errors to be normal with one variance. With θ ~ N(0, T) under the
/// alternative,
///
/// `E = |I + V⁻¹T|^{−½} exp[½ {θ̂'V⁻¹θ̂ − θ̂'(V + T)⁻¹θ̂}]`, `p = 1/max E`,
///
/// `θ̂_j ± √{(V + V T⁻¹ V)_jj (ln|I + V⁻¹T| + 2 ln(1/α))}`: the sides of the box around the ellipsoid of all θ that E does not leave out.
///
/// For one effect that is [`EffectSequence`](super::EffectSequence). As there it is asymptotic, and says nothing before `first_rows`; the more effects, the more rows it needs.
///
/// | constructor | T | meaning |
/// |---|---|---|
/// | [`planned`](Self::planned) | `V rows/ρ`, `ρ = planned/{x + ln(1 + x)}`, `x = (2/d) ln(1/α)` | the ellipsoid nearly smallest at this many rows |
/// | [`prior_variance`](Self::prior_variance) | `τ² I` | variance of each effect |
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | confidence of all intervals at all looks | (0, 1) |
/// | `first_rows` | 100 | rows before the sequence speaks | any |
///
/// # Errors
/// [`Error::InvalidOption`] for no name, a plan or τ² that is not positive, rows fewer than at the look before, estimates that are not finite, options set after a look; [`Error::UnknownCoefficient`];
/// [`Error::Matrix`] for a covariance of another size, or of estimates that it does not tell apart.
///
/// # References
/// - Lindon, M., Ham, D. W., Tingley, M. & Bojinov, I. (2022). Anytime-valid linear models and regression adjusted causal inference in randomized experiments. arXiv:2210.08589
/// - Waudby-Smith, I., Arbour, D., Sinha, R., Kennedy, E. H. & Ramdas, A. (2024). Time-uniform central limit theory and asymptotic confidence
///   sequences. *Annals of Statistics* 52(6), 2613–2640. doi:10.1214/24-AOS2408
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let arm: Vec<f64> = (0..300).map(|i| f64::from(i % 3)).collect();
/// let y: Vec<f64> = (0..300).map(|i| f64::from(i % 3) * (0.5 + f64::from(i * 37 % 101) / 50.0)).collect();
/// let frame = Frame::new().with("arm", arm)?.with("y", y)?;
/// let mut test = JointEffectSequence::planned(["C(arm)[1]", "C(arm)[2]"], 300)?;
/// for rows in [150, 300] {
///     let fit = Ols::new("y ~ C(arm)").covariance(Covariance::Hc2).fit(&frame.head(rows))?;
///     test.observe(rows.to_string(), rows as u64, &fit)?;
/// }
/// assert!(test.p_value() < 1e-6 && test.looks()[1].intervals[0].lower > 1.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JointEffectSequence {
    names: Vec<String>,
    strength: Strength,
    level: f64,
    first_rows: u64,
    looks: Vec<JointEffectLook>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Strength {
    Planned { rows: f64 },
    Prior { variance: f64 },
}

/// What the test said at one look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JointEffectLook {
    /// Its name: a day, a batch.
    pub label: String,
    /// Rows so far.
    pub rows: u64,
    /// The Wald statistic `θ̂'V⁻¹θ̂` of all rows so far.
    pub wald: f64,
    /// Logarithm of the e-value, now.
    pub log_e_value: f64,
    /// The p-value that all effects are zero, valid at every look: it never rises.
    pub p_value: f64,
    /// Intervals that cover all effects together.
    pub intervals: Vec<Interval>,
}

impl JointEffectSequence {
    /// Nearly best at this many rows.
    ///
    /// # Errors
    /// See [`JointEffectSequence`].
    pub fn planned<S: Into<String>>(names: impl IntoIterator<Item = S>, rows: u64) -> Result<Self> {
        positive("planned", rows as f64)?;
        Self::of(names, Strength::Planned { rows: rows as f64 })
    }

    /// With the variance of each effect under the alternative.
    ///
    /// # Errors
    /// See [`JointEffectSequence`].
    pub fn prior_variance<S: Into<String>>(
        names: impl IntoIterator<Item = S>,
        variance: f64,
    ) -> Result<Self> {
        positive("prior_variance", variance)?;
        Self::of(names, Strength::Prior { variance })
    }

    fn of<S: Into<String>>(names: impl IntoIterator<Item = S>, strength: Strength) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.is_empty() {
            return Err(Error::invalid_option("names", "empty", "one name or more"));
        }
        Ok(Self {
            names,
            strength,
            level: 0.95,
            first_rows: FIRST_ROWS,
            looks: vec![],
        })
    }

    /// Confidence level of all intervals at all looks (0.95).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] outside (0, 1), and after a look.
    pub fn level(mut self, level: f64) -> Result<Self> {
        check_level(level)?;
        self.before_looks("level", level)?;
        self.level = level;
        Ok(self)
    }

    /// Rows before the sequence speaks.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] after a look.
    pub fn first_rows(mut self, rows: u64) -> Result<Self> {
        self.before_looks("first_rows", rows as f64)?;
        self.first_rows = rows;
        Ok(self)
    }

    fn before_looks(&self, option: &str, value: f64) -> Result<()> {
        if self.looks.is_empty() {
            return Ok(());
        }
        Err(Error::invalid_option(
            option,
            value,
            "set before the first look; begin a new sequence",
        ))
    }

    /// Takes in a fit to all rows so far, with its covariance.
    ///
    /// # Errors
    /// See [`JointEffectSequence`].
    pub fn observe(
        &mut self,
        label: impl Into<String>,
        rows: u64,
        fit: &impl Inference,
    ) -> Result<JointEffectLook> {
        let at = (self.names.iter())
            .map(|name| fit.position(name))
            .collect::<Result<Vec<usize>>>()?;
        let estimates: Vec<f64> = at.iter().map(|i| fit.estimates()[*i]).collect();
        self.observe_estimates(label, rows, &estimates, &block(fit.covariance(), &at, &at))
    }

    /// Takes in the estimates from all rows so far and their covariance.
    ///
    /// # Errors
    /// See [`JointEffectSequence`].
    pub fn observe_estimates(
        &mut self,
        label: impl Into<String>,
        rows: u64,
        estimates: &[f64],
        covariance: &DMatrix<f64>,
    ) -> Result<JointEffectLook> {
        let d = self.names.len();
        let earlier = self.looks.last().map_or(1, |look| look.rows);
        if rows < earlier {
            return Err(Error::invalid_option(
                "rows",
                rows,
                format!("all rows so far, at least {earlier}"),
            ));
        }
        if estimates.len() != d || covariance.shape() != (d, d) {
            return Err(Error::Matrix {
                message: format!(
                    "{d} effects need {d} estimates and a covariance of {d} × {d}, not {} and {} × {}",
                    estimates.len(),
                    covariance.nrows(),
                    covariance.ncols()
                ),
            });
        }
        if !(estimates.iter().chain(covariance.iter())).all(|v| v.is_finite()) {
            return Err(Error::invalid_option(
                "estimates",
                format!("{estimates:?} or their covariance"),
                "finite; skip looks without them",
            ));
        }
        let estimates = DVector::from_column_slice(estimates);
        let mut look = JointEffectLook {
            label: label.into(),
            rows,
            wald: 0.0,
            log_e_value: 0.0,
            p_value: self.p_value(),
            intervals: vec![],
        };
        let mut halves = vec![f64::INFINITY; d];
        if rows >= self.first_rows {
            let factor = Cholesky::full_rank(covariance, "the covariance of the effects")?;
            look.wald = estimates.dot(&factor.solve_vector(&estimates));
            let prior = self.prior(rows, covariance)?;
            let total =
                Cholesky::full_rank(&(covariance + &prior), "the covariance and the prior")?;
            let explained = look.wald - estimates.dot(&total.solve_vector(&estimates));
            let log_determinant = log_determinant(&total) - log_determinant(&factor);
            look.log_e_value = (0.5 * (explained - log_determinant)).clamp(f64::MIN, f64::MAX);
            look.p_value = (-look.log_e_value).exp().min(look.p_value);
            let inflated = Cholesky::full_rank(&prior, "the prior")?.solve(covariance);
            let reach = log_determinant - 2.0 * (1.0 - self.level).ln();
            for (j, half) in halves.iter_mut().enumerate() {
                let wide =
                    covariance[(j, j)] + covariance.row(j).transpose().dot(&inflated.column(j));
                *half = (wide * reach).sqrt();
            }
        }
        look.intervals = (self.names.iter().zip(estimates.iter()).zip(halves))
            .map(|((name, estimate), half)| Interval {
                name: name.clone(),
                level: self.level,
                lower: estimate - half,
                upper: estimate + half,
            })
            .collect();
        self.looks.push(look.clone());
        Ok(look)
    }

    /// T.
    fn prior(&self, rows: u64, covariance: &DMatrix<f64>) -> Result<DMatrix<f64>> {
        let d = self.names.len();
        Ok(match self.strength {
            Strength::Planned { rows: planned } => {
                let alpha = (1.0 - self.level).powf((d as f64).recip());
                covariance * (rows as f64 / MixtureBoundary::best_rho(planned, alpha)?)
            }
            Strength::Prior { variance } => DMatrix::identity(d, d) * variance,
        })
    }

    /// What was said at each look.
    pub fn looks(&self) -> &[JointEffectLook] {
        &self.looks
    }

    /// The p-value that all effects are zero, valid although one looked before; one before the first look.
    pub fn p_value(&self) -> f64 {
        self.looks.last().map_or(1.0, |look| look.p_value)
    }

    /// The e-value that all effects are zero, now.
    pub fn e_value(&self) -> EValue {
        EValue::of_logarithm(self.looks.last().map_or(0.0, |look| look.log_e_value))
    }

    /// The intervals of the latest look, one row an effect.
    pub fn table(&self) -> Table {
        let percent = Cell::percent(self.level, 0);
        let mut table = Table::new("Effects together, valid at every look").columns([
            String::new(),
            format!("{percent} lower"),
            format!("{percent} upper"),
        ]);
        let Some(look) = self.looks.last() else {
            return table.note("No look yet");
        };
        for interval in &look.intervals {
            table = table.row([
                Cell::from(interval.name.as_str()),
                Cell::significant(interval.lower, 5),
                Cell::significant(interval.upper, 5),
            ]);
        }
        table.note(format!(
            "Look {}, {} rows: Wald statistic {:.3}, {} that all are zero; asymptotic, from {} rows on",
            look.label,
            look.rows,
            look.wald,
            p_text(look.p_value),
            self.first_rows
        ))
    }

    /// The p-value over the rows.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] before the first look.
    pub fn figure(&self) -> Result<Figure> {
        p_value_figure(
            &self.names,
            self.looks.iter().map(|l| l.rows as f64).collect(),
            self.looks.iter().map(|l| l.p_value).collect(),
        )
    }
}

fn log_determinant(factor: &Cholesky) -> f64 {
    2.0 * factor
        .root()
        .diagonal()
        .iter()
        .map(|v| v.abs().ln())
        .sum::<f64>()
}

shown!(JointEffectSequence);
