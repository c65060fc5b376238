//! Scores of the arms of a randomised trial, whose probabilities are known.

use super::ArmScores;
use super::arm_scores::position;
use super::arms::{ArmCodes, check_weights, measured};
use crate::data::{Frame, MISSING};
use crate::error::{Error, Result};
use crate::inference::bootstrap::whole;
use serde::Serialize;

/// Chances may exceed one by this.
const ROUNDING: f64 = 1e-9;

/// Scores of every arm of a randomised trial: `Γ_ik = μ_k + 1{W_i = k} (Y_i − μ_k) / e_k`, where `e_k` is the probability of arm k by
/// design and `μ_k` a prediction of the outcome under it that did not use the row's own outcome. They are unbiased whatever the
/// predictions are; good predictions make them less noisy.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `control` | the first level | the arm that others are compared with |
/// | `probability` | the arm's share of the rows | probability of an arm |
/// | `propensity` | none | a column with the row's probability of an arm |
/// | `prediction` | the arm's mean outcome | a column with predictions of the outcome under an arm |
/// | `weights`, `clusters` | none | columns |
///
/// Without predictions the mean of each arm's scores is its mean outcome (Hájek).
///
/// # Errors
/// [`Error::OutOfRange`] for a missing outcome, prediction or cluster, a negative weight, or a probability outside (0, 1]; [`Error::InvalidOption`]
/// for a single arm, or probabilities of the arms that exceed 1 in sum; [`Error::NoRows`] for an arm without rows; those of finding columns.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let trial = Frame::new()
///     .with("bought", vec![0.0, 1.0, 1.0, 1.0, 0.0, 1.0])?
///     .with("arm", vec!["none", "coupon", "none", "coupon", "none", "coupon"])?;
/// let scores = TrialScores::new("bought", "arm").control("none").fit(&trial)?;
/// let gain = scores.contrast("coupon", "none")?;
/// assert!((gain.iter().sum::<f64>() / 6.0 - (1.0 - 1.0 / 3.0)).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrialScores {
    outcome: String,
    treatment: String,
    control: Option<String>,
    probabilities: Vec<(String, f64)>,
    propensities: Vec<(String, String)>,
    predictions: Vec<(String, String)>,
    weights: Option<String>,
    clusters: Option<String>,
}

impl TrialScores {
    /// Scores from a column of outcomes and a column of arms.
    pub fn new(outcome: impl Into<String>, treatment: impl Into<String>) -> Self {
        Self {
            outcome: outcome.into(),
            treatment: treatment.into(),
            control: None,
            probabilities: vec![],
            propensities: vec![],
            predictions: vec![],
            weights: None,
            clusters: None,
        }
    }

    /// The arm that comes first and that others are compared with.
    pub fn control(mut self, arm: impl Into<String>) -> Self {
        self.control = Some(arm.into());
        self
    }

    /// The probability of an arm by design.
    pub fn probability(mut self, arm: impl Into<String>, probability: f64) -> Self {
        self.probabilities.push((arm.into(), probability));
        self
    }

    /// A column with the probability of an arm in each row.
    pub fn propensity(mut self, arm: impl Into<String>, column: impl Into<String>) -> Self {
        self.propensities.push((arm.into(), column.into()));
        self
    }

    /// A column with predictions of the outcome under an arm, made without the row's own outcome.
    pub fn prediction(mut self, arm: impl Into<String>, column: impl Into<String>) -> Self {
        self.predictions.push((arm.into(), column.into()));
        self
    }

    /// A column of weights.
    pub fn weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(column.into());
        self
    }

    /// A column of clusters.
    pub fn clusters(mut self, column: impl Into<String>) -> Self {
        self.clusters = Some(column.into());
        self
    }

    /// Computes the scores.
    ///
    /// # Errors
    /// See [`TrialScores`].
    pub fn fit(&self, frame: &Frame) -> Result<ArmScores> {
        let outcome = known(frame, &self.outcome)?;
        let groups = frame.groups(&self.treatment)?;
        if let Some(row) = groups.codes.iter().position(|c| *c == MISSING) {
            return Err(missing(&self.treatment, row));
        }
        let ArmCodes {
            levels: arms,
            codes,
        } = ArmCodes::of(&groups, self.control.as_deref())?;
        let columns = self.propensities.iter().chain(&self.predictions);
        let named = columns.map(|(a, _)| a);
        for name in named.chain(self.probabilities.iter().map(|(a, _)| a)) {
            position(&arms, name)?;
        }
        let designed: f64 = self.probabilities.iter().map(|(_, p)| p).sum();
        if designed > 1.0 + ROUNDING {
            return Err(Error::invalid_option(
                "probability",
                format!("{designed} over all arms"),
                "at most 1 over all arms",
            ));
        }
        let weights = match &self.weights {
            Some(column) => {
                let weights = known(frame, column)?;
                check_weights(column, &weights, |row| row)?;
                Some(weights)
            }
            None => None,
        };
        let mut values = Vec::with_capacity(arms.len());
        for (k, name) in arms.iter().enumerate() {
            let own = |i: usize| codes[i] as usize == k;
            let weight = |i: usize| weights.as_ref().map_or(1.0, |w| w[i]);
            let (mut rows, mut all, mut sum) = (0.0, 0.0, 0.0);
            for (i, y) in outcome.iter().enumerate() {
                all += weight(i);
                if own(i) {
                    rows += weight(i);
                    sum += weight(i) * y;
                }
            }
            if rows <= 0.0 {
                return Err(Error::NoRows {
                    reason: format!("arm `{name}` of `{}` has none with weight", self.treatment),
                });
            }
            let column_of = |list: &[(String, String)]| match list.iter().find(|(a, _)| a == name) {
                Some((_, column)) => known(frame, column).map(Some),
                None => Ok(None),
            };
            let given = self.probabilities.iter().find(|(a, _)| a == name);
            let probability = given.map_or(rows / all, |(_, p)| *p);
            let propensity = column_of(&self.propensities)?;
            let prediction = column_of(&self.predictions)?;
            let mut scores = Vec::with_capacity(outcome.len());
            for (i, y) in outcome.iter().enumerate() {
                let e = propensity.as_ref().map_or(probability, |p| p[i]);
                if !(e > 0.0 && e <= 1.0) {
                    return Err(Error::OutOfRange {
                        column: format!("probability of {name}"),
                        row: i + 1,
                        value: e,
                        expected: "above 0 and at most 1".to_owned(),
                    });
                }
                let mean = prediction.as_ref().map_or(sum / rows, |p| p[i]);
                scores.push(if own(i) { mean + (y - mean) / e } else { mean });
            }
            values.push(scores);
        }
        let mut scores = ArmScores::new(arms, values)?;
        if let Some(weights) = weights {
            scores = scores.weights(weights)?;
        }
        if let Some(column) = &self.clusters {
            let clusters = whole(frame, column)?;
            scores = scores.clusters(&clusters.codes)?;
        }
        Ok(scores)
    }
}

impl ArmScores {
    /// Horvitz–Thompson scores of a randomised trial, `Γ_ik = 1{W_i = k} Y_i / e_k`, from outcomes, codes of the arms and the probability
    /// of each arm by design. [`TrialScores`] uses predictions as well, and is less noisy.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`]; [`Error::InvalidOption`] for probabilities outside (0, 1]; [`Error::OutOfRange`] for a code without an arm
    /// or an outcome that is not finite.
    pub fn randomized<S: AsRef<str>>(
        outcome: &[f64],
        codes: &[u32],
        arms: &[S],
        probabilities: &[f64],
    ) -> Result<Self> {
        for (column, expected, found) in [
            ("codes", outcome.len(), codes.len()),
            ("probabilities", arms.len(), probabilities.len()),
        ] {
            if expected != found {
                return Err(Error::LengthMismatch {
                    column: column.to_owned(),
                    expected,
                    found,
                });
            }
        }
        if let Some(p) = probabilities.iter().find(|p| !(**p > 0.0 && **p <= 1.0)) {
            return Err(Error::invalid_option(
                "probabilities",
                p,
                "above 0 and at most 1",
            ));
        }
        if let Some(row) = codes.iter().position(|c| *c as usize >= arms.len()) {
            return Err(Error::OutOfRange {
                column: "codes".to_owned(),
                row: row + 1,
                value: f64::from(codes[row]),
                expected: format!("below {}, the number of arms", arms.len()),
            });
        }
        let column = |(k, p): (usize, &f64)| -> Vec<f64> {
            let each = outcome.iter().zip(codes);
            each.map(|(y, c)| if *c as usize == k { y / p } else { 0.0 })
                .collect()
        };
        let values = probabilities.iter().enumerate().map(column).collect();
        Self::new(arms.iter().map(AsRef::as_ref), values)
    }
}

/// A numeric column without gaps.
fn known(frame: &Frame, column: &str) -> Result<Vec<f64>> {
    let values = measured(frame, column)?.values().to_vec();
    match values.iter().position(|v| v.is_nan()) {
        None => Ok(values),
        Some(row) => Err(missing(column, row)),
    }
}

fn missing(column: &str, row: usize) -> Error {
    Error::OutOfRange {
        column: column.to_owned(),
        row: row + 1,
        value: f64::NAN,
        expected: "known; leave out rows where it is missing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial() -> Frame {
        Frame::new()
            .with("y", vec![1.0, 2.0, 4.0, 8.0])
            .unwrap()
            .with("w", vec!["b", "a", "b", "a"])
            .unwrap()
            .with("m", vec![1.0, 1.0, 2.0, 2.0])
            .unwrap()
    }

    #[test]
    fn scores_follow_their_formula() {
        let scores = TrialScores::new("y", "w")
            .control("b")
            .probability("a", 0.25)
            .prediction("a", "m")
            .fit(&trial())
            .unwrap();
        assert_eq!(scores.arms(), ["b", "a"]);
        assert_eq!(scores.arm("a").unwrap(), [1.0, 5.0, 2.0, 26.0]);
        assert_eq!(scores.arm("b").unwrap(), [-0.5, 2.5, 5.5, 2.5]);
        let plain =
            ArmScores::randomized(&[1.0, 2.0], &[0, 1], &["none", "some"], &[0.5, 0.25]).unwrap();
        assert_eq!(plain.contrast("some", "none").unwrap(), [-2.0, 8.0]);
    }

    #[test]
    fn bad_input_is_named() {
        let error = TrialScores::new("y", "w").control("c").fit(&trial());
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("one of the arms a, b")
        );
        let error = TrialScores::new("y", "w")
            .probability("a", 0.0)
            .fit(&trial());
        assert!(matches!(error, Err(Error::OutOfRange { row: 1, .. })));
        let both = TrialScores::new("y", "w").probability("a", 0.9);
        let error = both.probability("b", 0.2).fit(&trial()).unwrap_err();
        assert!(error.to_string().contains("at most 1 over all arms"));
        let weighed = |weights: Vec<f64>| {
            let frame = trial().with("k", weights).unwrap();
            let error = TrialScores::new("y", "w").weights("k").fit(&frame);
            error.unwrap_err().to_string()
        };
        assert!(weighed(vec![1.0, 1.0, -1.0, 1.0]).contains("row 3"));
        assert!(weighed(vec![1.0, 0.0, 1.0, 0.0]).contains("arm `a` of `w`"));
        let gap = trial().replace("y", vec![1.0, f64::NAN, 0.0, 0.0]).unwrap();
        let error = TrialScores::new("y", "w").fit(&gap).unwrap_err();
        assert!(error.to_string().contains("`y` is NaN in row 2"), "{error}");
        assert!(ArmScores::new(["a"], vec![vec![1.0]]).is_err());
        assert!(ArmScores::new(["a", "b"], vec![vec![1.0], vec![f64::NAN]]).is_err());
        assert!(ArmScores::randomized(&[1.0], &[2], &["a", "b"], &[0.5, 0.5]).is_err());
    }
}
