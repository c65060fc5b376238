//! Doubly robust scores of every arm: what curves, policies and average effects are computed from.

use super::arms::place;
use crate::data::MISSING;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One score a row and arm whose mean is the mean outcome if everybody had that arm: `E[Γ_k | X] = E[Y(k) | X]`.
///
/// Scores come from [`DoublyRobust`](super::DoublyRobust), or from elsewhere: inverse-probability weighted outcomes
/// `1{W = k} Y / P(W = k)` of an experiment are scores too. Differences of two arms are scores of the effect of one against the other.
///
/// ```
/// use cocreate::prelude::*;
/// let scores = ArmScores::new(["control", "invited"], vec![vec![1.0, 0.0, 2.0], vec![2.0, 2.0, 3.0]])?;
/// assert_eq!(scores.contrast("invited", "control")?, [1.0, 2.0, 1.0]);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmScores {
    /// Control first.
    pub(crate) arms: Vec<String>,
    /// One column an arm.
    pub(crate) values: Vec<Vec<f64>>,
    pub(crate) weights: Option<Vec<f64>>,
    pub(crate) clusters: Option<Vec<u32>>,
}

impl ArmScores {
    /// Scores of these arms, control first, one column an arm.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for fewer than two arms, a repeated arm, or not one column an arm; [`Error::NoRows`];
    /// [`Error::LengthMismatch`]; [`Error::OutOfRange`] for a score that is not finite.
    pub fn new<S: Into<String>>(
        arms: impl IntoIterator<Item = S>,
        values: Vec<Vec<f64>>,
    ) -> Result<Self> {
        let arms: Vec<String> = arms.into_iter().map(Into::into).collect();
        if arms.len() < 2 || arms.len() != values.len() {
            return Err(Error::invalid_option(
                "arms",
                format!(
                    "{} names for {} columns of scores",
                    arms.len(),
                    values.len()
                ),
                "two or more arms, control first, with one column of scores each",
            ));
        }
        if let Some(arm) = (1..arms.len()).find(|i| arms[..*i].contains(&arms[*i])) {
            return Err(Error::invalid_option(
                "arms",
                format!("with `{}` twice", arms[arm]),
                "a name for each arm",
            ));
        }
        let rows = values[0].len();
        if rows == 0 {
            return Err(Error::NoRows {
                reason: "the scores have no row".to_owned(),
            });
        }
        for (arm, column) in arms.iter().zip(&values) {
            same_length(&format!("scores of {arm}"), rows, column.len())?;
            if let Some(row) = column.iter().position(|v| !v.is_finite()) {
                return Err(Error::OutOfRange {
                    column: format!("scores of {arm}"),
                    row: row + 1,
                    value: column[row],
                    expected: "a finite number; leave out rows without a score".to_owned(),
                });
            }
        }
        Ok(Self {
            arms,
            values,
            weights: None,
            clusters: None,
        })
    }

    /// Weights of the rows, for instance inverse sampling probabilities.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`]; [`Error::OutOfRange`] for a weight that is negative or not finite; [`Error::NoRows`] when all are zero.
    pub fn weights(mut self, weights: Vec<f64>) -> Result<Self> {
        same_length("weights", self.len(), weights.len())?;
        if let Some(row) = weights.iter().position(|w| !w.is_finite() || *w < 0.0) {
            return Err(Error::OutOfRange {
                column: "weights".to_owned(),
                row: row + 1,
                value: weights[row],
                expected: "finite and not negative".to_owned(),
            });
        }
        if weights.iter().sum::<f64>() <= 0.0 {
            return Err(Error::NoRows {
                reason: "all weights are zero".to_owned(),
            });
        }
        self.weights = Some(weights);
        Ok(self)
    }

    /// The cluster of every row as a code, such as the codes of [`Frame::groups`](crate::data::Frame::groups): rows of one cluster may depend on
    /// one another.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`]; [`Error::MissingClusters`]; [`Error::TooFewClusters`].
    pub fn clusters(mut self, clusters: &[u32]) -> Result<Self> {
        same_length("clusters", self.len(), clusters.len())?;
        let missing = clusters.iter().filter(|c| **c == MISSING).count();
        if missing > 0 {
            return Err(Error::MissingClusters {
                column: "clusters".to_owned(),
                missing,
            });
        }
        if clusters.iter().all(|c| *c == clusters[0]) {
            return Err(Error::TooFewClusters {
                column: "clusters".to_owned(),
                clusters: 1,
            });
        }
        self.clusters = Some(clusters.to_vec());
        Ok(self)
    }

    /// The arms, control first.
    pub fn arms(&self) -> &[String] {
        &self.arms
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values[0].len()
    }

    /// Whether there are no rows; never so.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The scores of an arm.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] with the arms that exist.
    pub fn arm(&self, name: &str) -> Result<&[f64]> {
        Ok(&self.values[position(&self.arms, name)?])
    }

    /// Scores of the effect of an arm against another, `Γ_arm − Γ_control`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] with the arms that exist, or for an arm against itself.
    pub fn contrast(&self, arm: &str, control: &str) -> Result<Vec<f64>> {
        if arm == control {
            return Err(Error::invalid_option(
                "arm",
                format!("`{arm}` against itself"),
                "two different arms",
            ));
        }
        let pairs = self.arm(arm)?.iter().zip(self.arm(control)?);
        Ok(pairs.map(|(a, b)| a - b).collect())
    }

    /// The weight of a row, 1 without weights.
    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[row])
    }
}

impl fmt::Debug for ArmScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArmScores")
            .field("arms", &self.arms)
            .field("rows", &self.len())
            .field("weighted", &self.weights.is_some())
            .field("clustered", &self.clusters.is_some())
            .finish()
    }
}

/// Where an arm stands among others.
///
/// # Errors
/// [`Error::InvalidOption`] with the arms that exist and the nearest of them.
pub(crate) fn position(arms: &[String], name: &str) -> Result<usize> {
    place("arm", arms, name)
}

fn same_length(column: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::LengthMismatch {
        column: column.to_owned(),
        expected,
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores() -> ArmScores {
        ArmScores::new(["a", "b"], vec![vec![1.0, 2.0], vec![3.0, 5.0]]).unwrap()
    }

    #[test]
    fn columns_that_do_not_fit_are_refused_by_name() {
        let short = ArmScores::new(["a", "b"], vec![vec![1.0, 2.0], vec![3.0]]).unwrap_err();
        assert!(matches!(
            short,
            Error::LengthMismatch {
                expected: 2,
                found: 1,
                ..
            }
        ));
        let nan = ArmScores::new(["a", "b"], vec![vec![1.0, 2.0], vec![3.0, f64::NAN]]);
        assert!(matches!(nan, Err(Error::OutOfRange { row: 2, .. })));
        assert!(ArmScores::new(["a"], vec![vec![1.0]]).is_err());
        assert!(ArmScores::new(["a", "a"], vec![vec![1.0], vec![1.0]]).is_err());
        assert!(ArmScores::new(["a", "b"], vec![vec![], vec![]]).is_err());
    }

    #[test]
    fn weights_and_clusters_are_checked() {
        assert!(scores().weights(vec![1.0]).is_err());
        assert!(matches!(
            scores().weights(vec![1.0, -1.0]),
            Err(Error::OutOfRange { row: 2, .. })
        ));
        assert!(scores().weights(vec![0.0, 0.0]).is_err());
        assert!(matches!(
            scores().clusters(&[3, 3]),
            Err(Error::TooFewClusters { clusters: 1, .. })
        ));
        assert!(matches!(
            scores().clusters(&[3, MISSING]),
            Err(Error::MissingClusters { missing: 1, .. })
        ));
        let full = scores()
            .weights(vec![1.0, 3.0])
            .unwrap()
            .clusters(&[0, 4])
            .unwrap();
        assert_eq!(
            (full.weight(1), full.clusters.as_deref()),
            (3.0, Some(&[0, 4][..]))
        );
    }

    #[test]
    fn a_slip_in_the_name_of_an_arm_is_explained() {
        let text = scores().arm("c").unwrap_err().to_string();
        assert!(text.contains("one of the arms a, b"), "{text}");
        assert!(scores().contrast("a", "a").is_err());
        assert_eq!(scores().contrast("b", "a").unwrap(), [2.0, 3.0]);
    }
}
