//! Scores made from scores: of some rows, in money, less the cost of an arm.

use super::ArmScores;
use super::arm_scores::position;
use crate::error::{Error, Result};

impl ArmScores {
    /// The scores of some rows, such as those held out from learning a policy.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let scores = ArmScores::new(["none", "coupon"], vec![vec![0.0, 1.0], vec![2.0, 2.5]])?;
    /// assert_eq!(scores.take(&[1])?.arm("coupon")?, [2.5]);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a row that does not exist; those of [`ArmScores::new`] and [`ArmScores::weights`].
    pub fn take(&self, rows: &[usize]) -> Result<Self> {
        if let Some(row) = rows.iter().find(|r| **r >= self.len()) {
            let expected = format!("below {}, the number of rows", self.len());
            return Err(Error::invalid_option("rows", row, expected));
        }
        let of = |column: &Vec<f64>| -> Vec<f64> { rows.iter().map(|r| column[*r]).collect() };
        let mut scores = Self::new(self.arms.clone(), self.values.iter().map(of).collect())?;
        if self.weights.is_some() {
            scores = scores.weights(rows.iter().map(|row| self.weight(*row)).collect())?;
        }
        scores.clusters = self
            .clusters
            .as_ref()
            .map(|clusters| rows.iter().map(|r| clusters[*r]).collect());
        Ok(scores)
    }

    /// The scores in units of which one unit of the outcome is worth so many, such as the margin of an order.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a value that is not finite.
    pub fn worth(mut self, value: f64) -> Result<Self> {
        if !value.is_finite() {
            return Err(Error::invalid_option("value", value, "finite"));
        }
        for score in self.values.iter_mut().flatten() {
            *score *= value;
        }
        Ok(self)
    }

    /// The scores less what an arm costs per row that gets it. Curves, policies and values of the result are net of costs.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let scores = ArmScores::new(["none", "coupon"], vec![vec![0.0, 1.0], vec![2.0, 2.5]])?;
    /// let net = scores.worth(10.0)?.less_cost("coupon", 4.0)?;
    /// assert_eq!(net.contrast("coupon", "none")?, [16.0, 11.0]);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of finding the arm; [`Error::InvalidOption`] for a cost that is not finite.
    pub fn less_cost(self, arm: &str, cost: f64) -> Result<Self> {
        if !cost.is_finite() {
            return Err(Error::invalid_option("cost", cost, "finite"));
        }
        let costs = vec![cost; self.len()];
        self.less_costs(arm, &costs)
    }

    /// The scores less what an arm costs in each row.
    ///
    /// # Errors
    /// Those of finding the arm; [`Error::LengthMismatch`]; [`Error::OutOfRange`] for a cost that is not finite.
    pub fn less_costs(mut self, arm: &str, costs: &[f64]) -> Result<Self> {
        let at = position(&self.arms, arm)?;
        if costs.len() != self.len() {
            return Err(Error::LengthMismatch {
                column: format!("costs of {arm}"),
                expected: self.len(),
                found: costs.len(),
            });
        }
        for (row, (score, cost)) in self.values[at].iter_mut().zip(costs).enumerate() {
            if !cost.is_finite() {
                return Err(Error::OutOfRange {
                    column: format!("costs of {arm}"),
                    row: row + 1,
                    value: *cost,
                    expected: "finite".to_owned(),
                });
            }
            *score -= cost;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_weights_and_clusters() {
        let scores = ArmScores::new(["a", "b"], vec![vec![1.0, 2.0, 3.0], vec![3.0, 5.0, 7.0]])
            .unwrap()
            .weights(vec![1.0, 2.0, 3.0])
            .unwrap()
            .clusters(&[7, 7, 9])
            .unwrap();
        let two = scores.take(&[2, 0]).unwrap();
        assert_eq!(two.contrast("b", "a").unwrap(), [4.0, 2.0]);
        assert_eq!((two.weight(0), two.clusters), (3.0, Some(vec![9, 7])));
        assert!(scores.take(&[3]).is_err() && scores.take(&[]).is_err());
    }

    #[test]
    fn costs_must_be_known() {
        let scores = || ArmScores::new(["a", "b"], vec![vec![1.0, 2.0], vec![3.0, 5.0]]).unwrap();
        assert!(scores().less_cost("c", 1.0).is_err());
        assert!(scores().less_cost("b", f64::NAN).is_err());
        assert!(scores().less_costs("b", &[1.0]).is_err());
        assert!(scores().worth(f64::INFINITY).is_err());
        let error = scores().less_costs("b", &[1.0, f64::NAN]).unwrap_err();
        assert!(
            error.to_string().contains("`costs of b` is NaN in row 2"),
            "{error}"
        );
    }
}
