//! What a policy loses against one that knows the truth.

use super::value::check_given;
use crate::causal::ArmScores;
use crate::causal::units::Units;
use crate::error::Result;
use crate::report::shown;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// The regret of a policy in a simulation, where the mean outcome of every row under every arm is known: the value of giving each row its best
/// arm less the value of the policy.
///
/// ```
/// use cocreate::prelude::*;
/// let truth = ArmScores::new(["none", "coupon"], vec![vec![0.0; 4], vec![1.0, -1.0, 2.0, -2.0]])?;
/// let regret = PolicyRegret::of(&truth, &[1, 0, 0, 0])?;
/// assert_eq!((regret.oracle, regret.value, regret.regret), (0.75, 0.25, 0.5));
/// assert_eq!(regret.best_share, 0.75);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyRegret {
    /// Value of giving each row its best arm.
    pub oracle: f64,
    /// Value of the policy.
    pub value: f64,
    /// Oracle less value.
    pub regret: f64,
    /// Share of weight that gets a best arm.
    pub best_share: f64,
}

impl PolicyRegret {
    /// The regret of giving every row the arm of this code, from the true mean outcomes in place of scores.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`](crate::Error::LengthMismatch); [`Error::OutOfRange`](crate::Error::OutOfRange) for a code without an arm.
    pub fn of(truth: &ArmScores, given: &[u32]) -> Result<Self> {
        check_given(given, truth.len(), truth.arms().len())?;
        let units = Units::of(truth);
        let (mut oracle, mut value, mut best_share) = (0.0, 0.0, 0.0);
        for (row, (arm, weight)) in given.iter().zip(&units.weights).enumerate() {
            let outcomes = truth.values.iter().map(|column| column[row]);
            let best = outcomes.fold(f64::NEG_INFINITY, f64::max);
            let own = truth.values[*arm as usize][row];
            oracle += weight * best;
            value += weight * own;
            if own >= best {
                best_share += weight;
            }
        }
        Ok(Self {
            oracle,
            value,
            regret: oracle - value,
            best_share,
        })
    }

    /// The numbers.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Regret of the policy").columns(["", ""]);
        for (name, value) in [
            ("Value of the best arms", self.oracle),
            ("Value of the policy", self.value),
            ("Regret", self.regret),
        ] {
            table = table.row([Cell::text(name), Cell::significant(value, 4)]);
        }
        table.row([
            Cell::text("Share that gets a best arm"),
            Cell::percent(self.best_share, 1),
        ])
    }
}

shown!(PolicyRegret);
