//! What a policy is worth, on rows that it was not learned from.

use crate::causal::ArmScores;
use crate::causal::units::Units;
use crate::error::{Error, Result};
use crate::inference::{Estimate, check_level};
use crate::report::shown;
use crate::report::{Cell, CoefficientPlot, Figure, Table};
use serde::{Deserialize, Serialize};

/// The value of a policy that gives row i the arm `π_i`: the mean of the scores of the arms given, `V = Σ w_i Γ_{i,π_i} / Σ w_i`, and its
/// difference to giving one arm to all, each with the error of a mean over independent rows, or clusters when the scores have them. The
/// policy must not have been learned from these scores.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | of intervals | (0, 1) |
///
/// # Errors
/// [`Error::LengthMismatch`]; [`Error::OutOfRange`] for a code without an arm; [`Error::InvalidOption`].
///
/// # References
/// Dudík, M., Langford, J. & Li, L. (2011). Doubly robust policy evaluation and learning. *ICML*, 1097–1104. Athey & Wager (2021),
/// doi:10.3982/ECTA15732.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let scores = ArmScores::new(["none", "coupon"], vec![vec![1.0; 4], vec![0.0, 2.0, 3.0, 1.0]])?;
/// let value = PolicyValue::new().fit(&scores, &[0, 1, 1, 0])?;
/// assert_eq!(value.value().estimate, 7.0 / 4.0);
/// assert_eq!(value.against("none")?.estimate, 3.0 / 4.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyValue {
    level: f64,
}

impl Default for PolicyValue {
    fn default() -> Self {
        Self::new()
    }
}

/// What [`PolicyValue`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyValueFit {
    arms: Vec<String>,
    value: Estimate,
    /// Value of each arm for all, and the policy's gain over it.
    uniform: Vec<Estimate>,
    gains: Vec<Estimate>,
    shares: Vec<f64>,
    rows: usize,
    clusters: Option<usize>,
    level: f64,
}

impl PolicyValue {
    /// The default evaluation.
    pub fn new() -> Self {
        Self { level: 0.95 }
    }

    /// The level of intervals.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// The value of giving every row the arm of this code, its place among the arms.
    ///
    /// # Errors
    /// See [`PolicyValue`].
    pub fn fit(&self, scores: &ArmScores, given: &[u32]) -> Result<PolicyValueFit> {
        check_level(self.level)?;
        check_given(given, scores.len(), scores.arms().len())?;
        let units = Units::of(scores);
        let taken: Vec<f64> = given
            .iter()
            .enumerate()
            .map(|(row, arm)| scores.values[*arm as usize][row])
            .collect();
        let mut shares = vec![0.0; scores.arms().len()];
        for (arm, weight) in given.iter().zip(&units.weights) {
            shares[*arm as usize] += weight;
        }
        let (mut uniform, mut gains) = (Vec::new(), Vec::new());
        for (name, column) in scores.arms().iter().zip(&scores.values) {
            let gap: Vec<f64> = taken.iter().zip(column).map(|(t, c)| t - c).collect();
            uniform.push(units.average(&format!("{name} for all"), column));
            gains.push(units.average(&format!("policy − {name} for all"), &gap));
        }
        Ok(PolicyValueFit {
            arms: scores.arms().to_vec(),
            value: units.average("policy", &taken),
            uniform,
            gains,
            shares,
            rows: scores.len(),
            clusters: units.clusters.as_ref().map(|_| units.count),
            level: self.level,
        })
    }
}

impl PolicyValueFit {
    /// The value of the policy.
    pub fn value(&self) -> &Estimate {
        &self.value
    }

    /// What the policy gains over giving one arm to all.
    ///
    /// # Errors
    /// Those of finding the arm.
    pub fn against(&self, arm: &str) -> Result<&Estimate> {
        Ok(&self.gains[self.position(arm)?])
    }

    /// The value of giving one arm to all.
    ///
    /// # Errors
    /// Those of finding the arm.
    pub fn uniform(&self, arm: &str) -> Result<&Estimate> {
        Ok(&self.uniform[self.position(arm)?])
    }

    /// The share of all weight that gets each arm.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    fn position(&self, arm: &str) -> Result<usize> {
        crate::causal::arm_scores::position(&self.arms, arm)
    }

    /// Value, values of the arms, and differences.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Value of the policy").columns([
            "",
            "Share given",
            "Estimate",
            "Std. error",
            "from",
            "to",
            "p",
        ]);
        let cells = |e: &Estimate, share: Cell, test: bool| {
            let ends = e.confidence_interval(self.level);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            let p = if test {
                Cell::p_value(e.p_value())
            } else {
                Cell::empty()
            };
            [
                Cell::text(e.name.as_str()),
                share,
                Cell::significant(e.estimate, 4),
                Cell::significant(e.std_error, 3).parenthesised(),
                Cell::significant(low, 4),
                Cell::significant(high, 4),
                p,
            ]
        };
        table = table.row(cells(&self.value, Cell::empty(), false));
        for (estimate, share) in self.uniform.iter().zip(&self.shares) {
            table = table.row(cells(estimate, Cell::percent(*share, 1), false));
        }
        table = table.rule();
        for gain in &self.gains {
            table = table.row(cells(gain, Cell::empty(), true));
        }
        let clusters = self.clusters.map_or_else(String::new, |clusters| {
            format!(" in {} clusters", Cell::count(clusters))
        });
        table.note(format!(
            "{} rows{clusters}; intervals at {} %.",
            Cell::count(self.rows),
            self.level * 100.0
        ))
    }

    /// The value of the policy and of each arm for all, with intervals.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn plot(&self) -> Result<Figure> {
        let mut plot = CoefficientPlot::new()
            .title("Value of the policy")
            .x_title(format!("mean outcome ({} % intervals)", self.level * 100.0));
        for estimate in std::iter::once(&self.value).chain(&self.uniform) {
            let ends = estimate.confidence_interval(self.level)?;
            plot = plot.point(&estimate.name, estimate.estimate, ends.lower, ends.upper);
        }
        plot.draw()
    }
}

/// Refuses codes that are not one arm a row.
pub(super) fn check_given(given: &[u32], rows: usize, arms: usize) -> Result<()> {
    if given.len() != rows {
        return Err(Error::LengthMismatch {
            column: "arms given".to_owned(),
            expected: rows,
            found: given.len(),
        });
    }
    match given.iter().position(|arm| *arm as usize >= arms) {
        None => Ok(()),
        Some(row) => Err(Error::OutOfRange {
            column: "arms given".to_owned(),
            row: row + 1,
            value: f64::from(given[row]),
            expected: format!("below {arms}, the number of arms"),
        }),
    }
}

shown!(PolicyValueFit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_arm_for_all_is_worth_its_mean_and_gains_nothing() {
        let scores = ArmScores::new(["a", "b"], vec![vec![1.0, 2.0, 6.0], vec![0.0, 4.0, 5.0]])
            .unwrap()
            .weights(vec![1.0, 1.0, 2.0])
            .unwrap();
        let fit = PolicyValue::new().fit(&scores, &[1, 1, 1]).unwrap();
        assert!((fit.value().estimate - 3.5).abs() < 1e-15);
        assert_eq!(fit.value().estimate, fit.uniform("b").unwrap().estimate);
        let gain = fit.against("b").unwrap();
        assert_eq!((gain.estimate, gain.std_error), (0.0, 0.0));
        assert_eq!(fit.shares(), [0.0, 1.0]);
        assert!(fit.to_string().contains("policy − a for all"));
        assert!(PolicyValue::new().fit(&scores, &[1, 1]).is_err());
        assert!(matches!(
            PolicyValue::new().fit(&scores, &[1, 2, 1]),
            Err(Error::OutOfRange { row: 2, .. })
        ));
    }
}
