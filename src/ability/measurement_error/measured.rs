//! A score that measures something with error of known size.

use crate::data::{Frame, Rows};
use crate::error::{Error, Result, Warning};
use serde::{Deserialize, Serialize};

/// A column of scores `s_i = a_i + u_i` with errors u of mean zero that are independent of the true value a, of the outcome and of
/// the other regressors (classical error), and what is known of their variance `v_i = Var(u_i)`.
///
/// **Scores of an item response model.** The posterior means (EAP) of a model whose regressors of ability are the other regressors of the
/// outcome are calibrated scores already: they may stand in a linear regression as they are, and must not be corrected once more. So is no
/// correction needed with [`super::JointAbility`] or plausible values. Weighted likelihood (WLE) scores have nearly classical error, but
/// their standard errors grow towards the ends of the scale: weights by each person's own take the middle for the whole and correct far too
/// much (a warning says so), and their mean square ([`Measured::with_mean_std_errors`]) is still about a fifth too large for a test of ten
/// items. Other posterior means can be turned back with [`Measured::unshrink`].
///
/// ```
/// use cocreate::prelude::*;
/// let by_person = Measured::with_std_errors("skill", "skill_se"); // Var(u_i) = skill_se²
/// let common = Measured::with_variance("skill", 0.3);
/// let by_reliability = Measured::with_reliability("skill", 0.8); // Var(u) = (1 − 0.8) Var(s)
/// assert_eq!(by_person.column(), common.column());
/// assert_ne!(common, by_reliability);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    column: String,
    error: MeasurementError,
}

/// What is known of the size of the measurement error.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MeasurementError {
    /// A column with the standard error of each score.
    StdErrors(String),
    /// A column with the standard error of each score, of which the mean square is used for all.
    MeanStdErrors(String),
    /// One error variance for all.
    Variance(f64),
    /// The share of the scores' variance that is not error, in (0, 1].
    Reliability(f64),
}

impl Measured {
    /// Scores with a standard error each.
    pub fn with_std_errors(column: impl Into<String>, std_errors: impl Into<String>) -> Self {
        Self {
            column: column.into(),
            error: MeasurementError::StdErrors(std_errors.into()),
        }
    }

    /// Scores with a standard error each, whose mean square is taken as the error variance of all. A linear model is then corrected
    /// consistently also when errors are larger for extreme true scores, as far as that mean square is right.
    pub fn with_mean_std_errors(column: impl Into<String>, std_errors: impl Into<String>) -> Self {
        Self {
            column: column.into(),
            error: MeasurementError::MeanStdErrors(std_errors.into()),
        }
    }

    /// Scores with one error variance, at least zero.
    pub fn with_variance(column: impl Into<String>, variance: f64) -> Self {
        Self {
            column: column.into(),
            error: MeasurementError::Variance(variance),
        }
    }

    /// Scores of known reliability `1 − Var(u)/Var(s)`, above zero and at most one.
    pub fn with_reliability(column: impl Into<String>, reliability: f64) -> Self {
        Self {
            column: column.into(),
            error: MeasurementError::Reliability(reliability),
        }
    }

    /// The column of scores.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// What is known of the error.
    pub fn error(&self) -> &MeasurementError {
        &self.error
    }

    /// Posterior means `m_i` with posterior standard deviations `τ_i` under a normal prior N(μ, σ²), turned back into scores with
    /// classical error: `s = μ + (m − μ)/λ` with `λ = 1 − τ²/σ²` and error variance `τ²/λ`. The frame returned has the columns
    /// `column` and `column_se`. Exact for a normal likelihood. A posterior as wide as the prior says nothing about the person:
    /// missing.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a prior whose standard deviation is not above zero; those of the columns.
    pub fn unshrink(
        frame: &Frame,
        posterior_mean: &str,
        posterior_sd: &str,
        prior: (f64, f64),
        column: &str,
    ) -> Result<Frame> {
        let (mean, sd) = prior;
        if !(sd > 0.0 && sd.is_finite() && mean.is_finite()) {
            return Err(Error::invalid_option(
                "prior",
                format!("({mean}, {sd})"),
                "a finite mean and a standard deviation above zero",
            ));
        }
        let (m, t) = (frame.numeric(posterior_mean)?, frame.numeric(posterior_sd)?);
        let pairs = || m.values().iter().zip(t.values().iter());
        let kept = |t: f64| 1.0 - (t / sd).powi(2);
        let seen = |t: f64, value: f64| if kept(t) > 0.0 { value } else { f64::NAN };
        let scores: Vec<f64> = pairs()
            .map(|(m, t)| seen(*t, mean + (m - mean) / kept(*t)))
            .collect();
        let errors: Vec<f64> = pairs()
            .map(|(_, t)| seen(*t, t / kept(*t).sqrt()))
            .collect();
        frame
            .clone()
            .with(column, scores)?
            .with(format!("{column}_se"), errors)
    }

    /// Columns that must not be missing.
    pub(super) fn also(&self) -> Vec<&str> {
        match &self.error {
            MeasurementError::StdErrors(column) | MeasurementError::MeanStdErrors(column) => {
                vec![column]
            }
            _ => vec![],
        }
    }

    /// Refuses options that no data could make right.
    pub(super) fn check(&self) -> Result<()> {
        match self.error {
            MeasurementError::Variance(v) if !(v >= 0.0 && v.is_finite()) => {
                Err(Error::invalid_option(
                    "error variance",
                    v,
                    "zero or above: it is the variance of the measurement error of a score",
                ))
            }
            MeasurementError::Reliability(r) if !(r > 0.0 && r <= 1.0) => {
                Err(Error::invalid_option(
                    "reliability",
                    r,
                    "above 0 and at most 1: the share of the scores' variance that is not error (0 leaves nothing to estimate with)",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Error variances of the used rows, given the scores there.
    pub(super) fn variances(&self, frame: &Frame, rows: &Rows, scores: &[f64]) -> Result<Vec<f64>> {
        match &self.error {
            MeasurementError::Variance(v) => Ok(vec![*v; rows.len()]),
            MeasurementError::Reliability(r) => Ok(vec![(1.0 - r) * variance(scores); rows.len()]),
            MeasurementError::StdErrors(column) | MeasurementError::MeanStdErrors(column) => {
                let errors = rows.gather(frame.numeric(column)?.values());
                let bad = errors.iter().position(|e| !(*e >= 0.0 && e.is_finite()));
                if let Some(i) = bad {
                    return Err(Error::OutOfRange {
                        column: column.clone(),
                        row: rows.index(i) + 1,
                        value: errors[i],
                        expected: "a standard error: finite, zero or above".to_owned(),
                    });
                }
                let squares: Vec<f64> = errors.iter().map(|e| e * e).collect();
                if let MeasurementError::MeanStdErrors(_) = self.error {
                    let mean = squares.iter().sum::<f64>() / squares.len() as f64;
                    return Ok(vec![mean; squares.len()]);
                }
                Ok(squares)
            }
        }
    }
}

/// What to say when errors are larger for extreme scores: weights by such errors take the middle for the whole.
pub(super) fn extreme_errors(scores: &[f64], variances: &[f64]) -> Option<Warning> {
    /// Error variances that are independent of the true score correlate with the scores' squares by less.
    const TOO_MUCH: f64 = 0.5;
    let n = scores.len() as f64;
    let center = scores.iter().sum::<f64>() / n;
    let squares: Vec<f64> = scores.iter().map(|s| (s - center).powi(2)).collect();
    let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
    let (x, y) = (mean(&squares), mean(variances));
    let pairs = squares.iter().zip(variances);
    let shared = pairs.map(|(a, b)| (a - x) * (b - y)).sum::<f64>() / n;
    let correlation = shared / (variance(&squares) * variance(variances)).sqrt();
    (correlation > TOO_MUCH).then(|| Warning::Note {
        message: "standard errors are larger for extreme scores, as those of item response models are: weights by them correct too much; use posterior means of a model with the other regressors, JointAbility, or Measured::with_mean_std_errors".to_owned(),
    })
}

/// The variance with divisor n, which makes the attenuation of a single regressor equal its reliability.
pub(super) fn variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n
}

/// The frame with other numbers in a column: one a used row, missing elsewhere.
pub(super) fn with_scores(
    frame: &Frame,
    column: &str,
    rows: &Rows,
    scores: &[f64],
) -> Result<Frame> {
    let mut values = vec![f64::NAN; frame.rows()];
    for (i, score) in scores.iter().enumerate() {
        values[rows.index(i)] = *score;
    }
    let mut values = Some(values);
    frame.iter().try_fold(Frame::new(), |out, (name, old)| {
        match values.take_if(|_| name == column) {
            Some(values) => out.with(name, values),
            None => out.with(name, old.clone()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unshrinking_undoes_the_posterior() {
        // A score 1.5 with error variance 0.5 under N(0.2, 4): the posterior, and back.
        let (s, v, mean, sd) = (1.5, 0.5, 0.2, 2.0_f64);
        let precision = 1.0 / v + 1.0 / (sd * sd);
        let eap = (s / v + mean / (sd * sd)) / precision;
        let frame = Frame::new()
            .with("m", vec![eap, 0.2])
            .unwrap()
            .with("t", vec![precision.sqrt().recip(), sd])
            .unwrap();
        let back = Measured::unshrink(&frame, "m", "t", (mean, sd), "skill").unwrap();
        assert!((back.real("skill").unwrap()[0] - s).abs() < 1e-12);
        assert!((back.real("skill_se").unwrap()[0].powi(2) - v).abs() < 1e-12);
        assert!(back.real("skill").unwrap()[1].is_nan());
        assert!(Measured::unshrink(&frame, "m", "t", (mean, 0.0), "skill").is_err());
    }

    #[test]
    fn a_column_is_replaced_on_the_used_rows_alone() {
        let frame = Frame::new()
            .with("s", vec![1.0, 2.0, 3.0])
            .unwrap()
            .with("g", vec!["a", "b", "a"])
            .unwrap();
        let rows = Rows::from_mask(&[true, false, true]);
        let out = with_scores(&frame, "s", &rows, &[7.0, 9.0]).unwrap();
        let s = out.real("s").unwrap();
        assert_eq!((s[0], s[2]), (7.0, 9.0));
        assert!(s[1].is_nan());
        assert_eq!(out.names(), frame.names());
    }
}
