//! Units, strata and shares, and the draw of an assignment from them: what every design has in common.

use super::balance::Balance;
use crate::data::{Frame, Groups, MISSING};
use crate::error::{Error, Result};
use crate::numeric::permutation::{open_unit, shuffle};
use rand::Rng;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// What is assigned and how: enough to draw the assignment again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The share of each arm.
    pub(super) shares: Vec<f64>,
    /// Each unit by its own draw, instead of fixed numbers.
    pub(super) independent: bool,
    /// Units of each stratum.
    pub(super) strata: Vec<Vec<u32>>,
    /// Unit of each row, when units are clusters.
    pub(super) of_row: Option<Vec<u32>>,
    /// Number of units.
    pub(super) units: usize,
    /// Draws that are not balanced are thrown away.
    pub(super) balance: Option<Balance>,
}

impl Plan {
    /// Draws the arm of every unit.
    pub(super) fn draw(&self, random: &mut ChaCha8Rng) -> Result<Vec<u32>> {
        let Some(balance) = &self.balance else {
            return Ok(self.once(random));
        };
        let tries = balance.most_tries();
        for _ in 0..tries {
            let arms = self.once(random);
            if balance.accepts(&arms, self.shares.len()) {
                return Ok(arms);
            }
        }
        Err(Error::NotConverged {
            what: "the search for a balanced assignment".to_owned(),
            iterations: tries,
            criterion: 0.0,
            tolerance: balance.acceptance(),
            remedy: "accept a larger share of assignments, or balance on fewer covariates: with so few units no assignment may be that balanced".to_owned(),
        })
    }

    fn once(&self, random: &mut ChaCha8Rng) -> Vec<u32> {
        let mut arms = vec![0; self.units];
        for stratum in &self.strata {
            if self.independent {
                for unit in stratum {
                    arms[*unit as usize] = self.coin(open_unit(random.next_u64()));
                }
                continue;
            }
            let mut labels = Vec::with_capacity(stratum.len());
            for (arm, count) in self.counts(stratum.len(), random).into_iter().enumerate() {
                labels.extend(std::iter::repeat_n(arm as u32, count));
            }
            shuffle(&mut labels, random);
            for (unit, arm) in stratum.iter().zip(labels) {
                arms[*unit as usize] = arm;
            }
        }
        arms
    }

    /// The arm of a uniform number.
    fn coin(&self, uniform: f64) -> u32 {
        let mut up_to = 0.0;
        for (arm, share) in self.shares.iter().enumerate() {
            up_to += share;
            if uniform < up_to {
                return arm as u32;
            }
        }
        self.shares.len() as u32 - 1
    }

    /// Units of each arm among `size`: shares times size, fractions rounded up or down by systematic sampling (Madow 1949), so that every
    /// unit has exactly its probability of each arm.
    fn counts(&self, size: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
        /// Shares such as 1/3 times 30 miss a whole number by their rounding.
        const ROUNDING: f64 = 1e-9;
        let exact: Vec<f64> = self.shares.iter().map(|s| s * size as f64).collect();
        let rounded: Vec<f64> = exact.iter().map(|e| e.round()).collect();
        if exact
            .iter()
            .zip(&rounded)
            .all(|(e, r)| (e - r).abs() < ROUNDING * size.max(1) as f64)
        {
            return rounded.iter().map(|r| *r as usize).collect();
        }
        let start = open_unit(random.next_u64());
        let mut up_to = 0.0;
        let mut before = (up_to + start).floor();
        let last = exact.len() - 1;
        exact
            .iter()
            .enumerate()
            .map(|(arm, e)| {
                // The last boundary is the size itself, not a sum with rounding errors.
                up_to = if arm == last { size as f64 } else { up_to + e };
                let now = (up_to + start).floor();
                let count = (now - before) as usize;
                before = now;
                count
            })
            .collect()
    }

    /// The arm of every row.
    pub(super) fn by_row(&self, units: &[u32]) -> Vec<u32> {
        match &self.of_row {
            Some(of_row) => of_row.iter().map(|u| units[*u as usize]).collect(),
            None => units.to_vec(),
        }
    }

    /// Rows of the frame it was made for.
    pub(super) fn rows(&self) -> usize {
        self.of_row.as_ref().map_or(self.units, Vec::len)
    }

    /// The stratum of every unit.
    pub(super) fn stratum_of_unit(&self) -> Vec<u32> {
        let mut stratum = vec![0; self.units];
        for (s, units) in self.strata.iter().enumerate() {
            for unit in units {
                stratum[*unit as usize] = s as u32;
            }
        }
        stratum
    }

    /// Whether strata are pairs of which one is treated.
    pub(super) fn paired(&self) -> bool {
        self.shares.len() == 2
            && !self.independent
            && self.strata.len() > 1
            && self.strata.iter().all(|s| s.len() == 2)
    }
}

/// The groups of a column without missing values.
pub(super) fn whole(frame: &Frame, column: &str) -> Result<Groups> {
    let groups = frame.groups(column)?;
    let missing = groups.codes.iter().filter(|c| **c == MISSING).count();
    if missing > 0 {
        return Err(Error::MissingClusters {
            column: column.to_owned(),
            missing,
        });
    }
    Ok(groups)
}

/// The numbers of a column, all finite.
pub(super) fn finite(frame: &Frame, column: &str) -> Result<Vec<f64>> {
    let values = frame.numeric(column)?;
    if let Some(row) = values.values().iter().position(|v| !v.is_finite()) {
        return Err(Error::OutOfRange {
            column: column.to_owned(),
            row: row + 1,
            value: values.values()[row],
            expected: "finite and not missing, because every unit is assigned and stays in the experiment; impute it first".to_owned(),
        });
    }
    Ok(values.values().to_vec())
}

/// Checks names and shares of arms.
pub(super) fn check_arms(arms: &[String], shares: &[f64]) -> Result<()> {
    /// Shares are written with few digits.
    const SLACK: f64 = 1e-9;
    let distinct: std::collections::BTreeSet<&String> = arms.iter().collect();
    if arms.len() < 2 || distinct.len() < arms.len() {
        return Err(Error::invalid_option(
            "arms",
            format!("{arms:?}"),
            "at least two different names, control first",
        ));
    }
    let sum: f64 = shares.iter().sum();
    if shares.len() != arms.len() || !shares.iter().all(|s| *s > 0.0) || (sum - 1.0).abs() > SLACK {
        return Err(Error::invalid_option(
            "shares",
            format!("{shares:?} with sum {sum}"),
            format!("{} positive numbers, one an arm, that sum to 1", arms.len()),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;

    #[test]
    fn fractions_of_a_unit_go_to_chance_with_the_right_probability() {
        let plan = Plan {
            shares: vec![0.5, 0.3, 0.2],
            independent: false,
            strata: vec![(0..7).collect()],
            of_row: None,
            units: 7,
            balance: None,
        };
        let mut treated = [[0_u32; 3]; 7];
        let draws = 20_000_u64;
        for i in 0..draws {
            let arms = plan.draw(&mut Seed::new(3).stream(i)).unwrap();
            let counts = [0, 1, 2].map(|a| arms.iter().filter(|b| **b == a).count());
            for (count, exact) in counts.iter().zip([3.5, 2.1, 1.4]) {
                assert!((*count as f64 - exact).abs() < 1.0, "{counts:?}");
            }
            for (unit, arm) in arms.iter().enumerate() {
                treated[unit][*arm as usize] += 1;
            }
        }
        for unit in treated {
            for (count, share) in unit.iter().zip(&plan.shares) {
                let sd = (share * (1.0 - share) / draws as f64).sqrt();
                assert!((f64::from(*count) / draws as f64 - share).abs() < 4.5 * sd);
            }
        }
    }
}
