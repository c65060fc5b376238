//! Mean and variance of a belief from the quantiles that a person states.

use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::Covariance;
use crate::numeric::special::normal;
use crate::regression::{Ols, OlsFit};
use crate::report::Table;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Beliefs from stated quantiles. A customer who believes a ~ N(m, v) states `Q_p = m + √v z_p` with `z_p = Φ⁻¹(p)` for each level p: two quantiles
/// give (m, v) in closed form, more by least squares of Q on z. Errors of statement are independent with a common standard deviation:
/// with three or more quantiles it is estimated from the residuals of all persons together; with two it is known only
/// from rounding to a grid (`g²/12`, [`BeliefQuantiles::rounding`]). From it come the standard errors of each m and ln v.
///
/// With [`BeliefQuantiles::regressors`], m and ln v are regressed on x across persons, with robust errors; the error of elicitation is part of
/// those regressions' residuals. ln v is corrected to second order for the error of √v (`E ln v̂ ≈ ln v − Var(s)/s²`) where that is
/// known.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `rounding` | none | step to which quantiles are rounded | > 0 |
/// | `regressors` | none | right-hand side of the regressions | |
/// | `covariance` | `Covariance::Hc1` | of the regressions | as for [`Ols`] |
///
/// # Errors
/// [`Error::OutOfRange`] with the row where a quantile is below one of a lower level (they cross), or all are equal (variance zero);
/// [`Error::InvalidOption`] for fewer than two quantiles, or levels that are not inside (0, 1) and ascending; those of [`Ols`].
///
/// # References
/// Manski, C. F. (2004). Measuring expectations. *Econometrica* 72(5), 1329–1376. doi:10.1111/j.1468-0262.2004.00537.x
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::new().with("q25", vec![0.0, 1.0])?.with("q75", vec![2.0, 2.0])?;
/// let beliefs = BeliefQuantiles::new([("q25", 0.25), ("q75", 0.75)]).fit(&frame)?;
/// assert!((beliefs.mean[0] - 1.0).abs() < 1e-12 && (beliefs.mean[1] - 1.5).abs() < 1e-12);
/// assert!((beliefs.variance[0].sqrt() - 1.0 / 0.6744897501960817).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BeliefQuantiles {
    quantiles: Vec<(String, f64)>,
    rounding: Option<f64>,
    regressors: Option<String>,
    covariance: Covariance,
}

impl BeliefQuantiles {
    /// The columns of quantiles with their levels, from low to high.
    pub fn new<S: Into<String>>(quantiles: impl IntoIterator<Item = (S, f64)>) -> Self {
        Self {
            quantiles: quantiles.into_iter().map(|(c, p)| (c.into(), p)).collect(),
            rounding: None,
            regressors: None,
            covariance: Covariance::default(),
        }
    }

    /// The step to which quantiles are rounded.
    pub fn rounding(mut self, step: f64) -> Self {
        self.rounding = Some(step);
        self
    }

    /// The right-hand side of the regressions of m and ln v.
    pub fn regressors(mut self, formula: impl Into<String>) -> Self {
        self.regressors = Some(formula.into());
        self
    }

    /// Sets the covariance estimator of the regressions.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Computes the beliefs, and the regressions when they are asked for.
    ///
    /// # Errors
    /// See [`BeliefQuantiles`].
    pub fn fit(&self, frame: &Frame) -> Result<BeliefQuantilesFit> {
        let z = self.levels()?;
        let k = z.len() as f64;
        let center = z.iter().sum::<f64>() / k;
        let spread: f64 = z.iter().map(|z| (z - center).powi(2)).sum();
        let columns = self
            .quantiles
            .iter()
            .map(|(name, _)| frame.numeric(name))
            .collect::<Result<Vec<_>>>()?;
        let n = frame.rows();
        let (mut mean, mut sd) = (vec![f64::NAN; n], vec![f64::NAN; n]);
        let (mut squares, mut persons) = (0.0, 0);
        for row in 0..n {
            let q: Vec<f64> = columns.iter().map(|c| c.values()[row]).collect();
            if q.iter().any(|q| q.is_nan()) {
                continue;
            }
            self.refuse_crossing(&q, row)?;
            let average = q.iter().sum::<f64>() / k;
            let product: f64 = q.iter().zip(&z).map(|(q, z)| q * (z - center)).sum();
            let slope = product / spread;
            (mean[row], sd[row]) = (average - slope * center, slope);
            let of = |z: &f64| mean[row] + slope * z;
            squares += q
                .iter()
                .zip(&z)
                .map(|(q, z)| (q - of(z)).powi(2))
                .sum::<f64>();
            persons += 1;
        }
        if persons == 0 {
            return Err(Error::NoRows {
                reason: "no row has all quantiles".to_owned(),
            });
        }
        let noise = self.noise(squares, persons)?;
        // Var(s) = σ²/Σ(z − z̄)², Var(m) = σ²(1/K + z̄²/Σ(z − z̄)²).
        let of_sd = noise.map(|s| s * s / spread);
        let of_mean = noise.map(|s| s * s * (1.0 / k + center * center / spread));
        let variance: Vec<f64> = sd.iter().map(|s| s * s).collect();
        let ln_variance: Vec<f64> = sd
            .iter()
            .map(|s| 2.0 * s.ln() + of_sd.map_or(0.0, |v| v / (s * s)))
            .collect();
        let mut fit = BeliefQuantilesFit {
            mean_error: of_mean.map(f64::sqrt),
            ln_variance_errors: of_sd.map(|v| sd.iter().map(|s| 2.0 * v.sqrt() / s).collect()),
            mean,
            variance,
            ln_variance,
            noise,
            persons,
            missing: n - persons,
            of_mean: None,
            of_ln_variance: None,
            warnings: vec![],
        };
        if noise.is_none() {
            fit.warnings.push(Warning::Note {
                message: "two quantiles leave no residual: the error of each belief is not known (state more quantiles, or the step of rounding)".to_owned(),
            });
        }
        if let Some(regressors) = &self.regressors {
            fit.regress(regressors, &self.covariance, frame)?;
        }
        Ok(fit)
    }

    /// The normal quantiles of the levels.
    fn levels(&self) -> Result<Vec<f64>> {
        if self.quantiles.len() < 2 {
            return Err(Error::invalid_option(
                "quantiles",
                self.quantiles.len(),
                "at least two: a mean and a variance are wanted",
            ));
        }
        let inside = |p: &f64| *p > 0.0 && *p < 1.0;
        let levels: Vec<f64> = self.quantiles.iter().map(|(_, p)| *p).collect();
        if !levels.iter().all(inside) || !levels.windows(2).all(|w| w[0] < w[1]) {
            return Err(Error::invalid_option(
                "levels",
                format!("{levels:?}"),
                "ascending, and between 0 and 1",
            ));
        }
        Ok(levels.iter().map(|p| normal::quantile(*p)).collect())
    }

    /// Stated quantiles rise with their levels.
    fn refuse_crossing(&self, q: &[f64], row: usize) -> Result<()> {
        if let Some(at) = (1..q.len()).find(|i| q[*i] < q[i - 1]) {
            return Err(Error::OutOfRange {
                column: self.quantiles[at].0.clone(),
                row: row + 1,
                value: q[at],
                expected: format!(
                    "at least `{}` = {}: quantiles of a higher level are not lower (they cross)",
                    self.quantiles[at - 1].0,
                    q[at - 1]
                ),
            });
        }
        let last = q.len() - 1;
        if q[last] <= q[0] {
            return Err(Error::OutOfRange {
                column: self.quantiles[last].0.clone(),
                row: row + 1,
                value: q[last],
                expected: format!(
                    "above `{}`: equal quantiles are a belief without variance",
                    self.quantiles[0].0
                ),
            });
        }
        Ok(())
    }

    /// The standard deviation of errors of statement, when something is known of it.
    fn noise(&self, squares: f64, persons: usize) -> Result<Option<f64>> {
        /// The variance of a uniform error over a step of one.
        const UNIFORM: f64 = 1.0 / 12.0;
        if let Some(step) = self.rounding
            && !(step > 0.0 && step.is_finite())
        {
            return Err(Error::invalid_option("rounding", step, "above zero"));
        }
        let free = (self.quantiles.len() - 2) * persons;
        if free > 0 {
            return Ok(Some((squares / free as f64).sqrt()));
        }
        Ok(self.rounding.map(|step| step * UNIFORM.sqrt()))
    }
}

/// Beliefs computed by [`BeliefQuantiles`]: one entry a row of the frame, NaN where a quantile is missing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BeliefQuantilesFit {
    /// m.
    pub mean: Vec<f64>,
    /// v.
    pub variance: Vec<f64>,
    /// ln v, corrected for the error of √v where that is known.
    pub ln_variance: Vec<f64>,
    /// The standard error of each m, equal for all; none when nothing is known of errors of statement.
    pub mean_error: Option<f64>,
    /// The standard error of each ln v.
    pub ln_variance_errors: Option<Vec<f64>>,
    /// The standard deviation of errors of statement.
    pub noise: Option<f64>,
    /// Persons with a belief.
    pub persons: usize,
    /// Rows without one.
    pub missing: usize,
    of_mean: Option<OlsFit>,
    of_ln_variance: Option<OlsFit>,
    warnings: Vec<Warning>,
}

/// The names that m and ln v have as outcomes.
const OUTCOMES: [&str; 2] = ["belief_mean", "belief_ln_variance"];

impl BeliefQuantilesFit {
    fn regress(&mut self, regressors: &str, covariance: &Covariance, frame: &Frame) -> Result<()> {
        let [mean, variance] = OUTCOMES;
        let frame = self.append(frame)?;
        let ols = |outcome: &str| {
            let formula = format!("{outcome} ~ {regressors}");
            Ols::new(formula).covariance(covariance.clone()).fit(&frame)
        };
        self.of_mean = Some(ols(mean)?);
        self.of_ln_variance = Some(ols(variance)?);
        Ok(())
    }

    /// The frame with columns `belief_mean`, `belief_variance` and `belief_ln_variance`, as other models use them.
    ///
    /// # Errors
    /// [`Error::DuplicateColumn`] when it has one of them; [`Error::LengthMismatch`] when it is another frame.
    pub fn append(&self, frame: &Frame) -> Result<Frame> {
        let [mean, variance] = OUTCOMES;
        frame
            .clone()
            .with(mean, self.mean.clone())?
            .with("belief_variance", self.variance.clone())?
            .with(variance, self.ln_variance.clone())
    }

    /// The regression of m on the regressors.
    pub fn mean_regression(&self) -> Option<&OlsFit> {
        self.of_mean.as_ref()
    }

    /// The regression of ln v on the regressors.
    pub fn ln_variance_regression(&self) -> Option<&OlsFit> {
        self.of_ln_variance.as_ref()
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Beliefs and regressions as a table.
    pub fn table(&self) -> Table {
        const TITLE: &str = "Beliefs from quantiles";
        let known = |values: &[f64]| {
            let kept: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
            kept.iter().sum::<f64>() / kept.len() as f64
        };
        let table = match (&self.of_mean, &self.of_ln_variance) {
            (Some(mean), Some(variance)) => crate::inference::ModelTable::new(TITLE)
                .model("mean", mean)
                .model("ln variance", variance)
                .table(),
            _ => Table::new(TITLE),
        };
        let mut table = table.note(format!(
            "{} persons; average mean {:.4}, average variance {:.4}",
            self.persons,
            known(&self.mean),
            known(&self.variance)
        ));
        if let Some(noise) = self.noise {
            table = table.note(format!(
                "standard deviation of errors of statement: {noise:.4}"
            ));
        }
        if self.missing > 0 {
            table = table.note(format!("{} rows have no belief", self.missing));
        }
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for BeliefQuantilesFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(BeliefQuantilesFit);
