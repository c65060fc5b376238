//! The answer of a planner: size, effect and power that belong together, with what was assumed.

use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Sizes this close above a whole number, relative to it, are that number: what the root search leaves.
const ROUNDING: f64 = 1e-9;

/// Something that a plan takes for granted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assumption {
    /// What is assumed.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The share of one arm, and the size that follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmSize {
    /// The arm.
    pub name: String,
    /// Its share of the size.
    pub share: f64,
    /// Share times size, not rounded.
    pub size: f64,
}

impl ArmSize {
    /// The size rounded up to a whole number.
    pub fn whole(&self) -> usize {
        (self.size * (1.0 - ROUNDING)).ceil() as usize
    }
}

/// Size, effect and power of a test that belong together, whichever of them was asked for; see [`Planner`](super::Planner).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PowerPlan {
    /// The test.
    pub test: String,
    /// Size of the experiment, all arms together, as the equation gives it: not rounded.
    pub size: f64,
    /// What the size counts.
    pub size_of: String,
    /// The effect.
    pub effect: f64,
    /// What the effect is, with its scale.
    pub effect_name: String,
    /// The probability that the test rejects.
    pub power: f64,
    /// The level of the test.
    pub alpha: f64,
    /// What each arm gets.
    pub arms: Vec<ArmSize>,
    /// What else the numbers rest on.
    pub assumptions: Vec<Assumption>,
    /// Standard error of the power, when it was simulated.
    pub monte_carlo_error: Option<f64>,
}

impl PowerPlan {
    /// The size to order: every arm rounded up to a whole number.
    pub fn whole_size(&self) -> usize {
        if self.arms.is_empty() {
            return (self.size * (1.0 - ROUNDING)).ceil() as usize;
        }
        self.arms.iter().map(ArmSize::whole).sum()
    }

    /// The size of an arm, not rounded.
    pub fn arm(&self, name: &str) -> Option<f64> {
        self.arms.iter().find(|a| a.name == name).map(|a| a.size)
    }

    /// One line a number.
    pub fn table(&self) -> Table {
        let mut table = Table::new(self.test.clone()).columns(["", "Value"]);
        table = table.row([
            Cell::from(format!("Size: {}", self.size_of)),
            Cell::count(self.whole_size()),
        ]);
        for arm in &self.arms {
            table = table.row([
                Cell::from(format!("  {}", arm.name)),
                Cell::count(arm.whole()),
            ]);
        }
        table = table
            .row([
                Cell::from(self.effect_name.as_str()),
                Cell::significant(self.effect, 5),
            ])
            .row([Cell::text("Power"), Cell::fixed(self.power, 4)])
            .row([Cell::text("Level"), Cell::significant(self.alpha, 4)]);
        if let Some(error) = self.monte_carlo_error {
            table = table.row([
                Cell::text("Simulation error of the power"),
                Cell::fixed(error, 4),
            ]);
        }
        for assumed in &self.assumptions {
            table = table.note(format!("{}: {}", assumed.name, assumed.value));
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for PowerPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(PowerPlan);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_are_rounded_up_but_not_for_rounding_errors() {
        let arm = |size| ArmSize {
            name: "control".into(),
            share: 0.5,
            size,
        };
        assert_eq!(arm(100.000_000_001).whole(), 100);
        assert_eq!(arm(100.001).whole(), 101);
        assert_eq!(arm(99.9).whole(), 100);
    }
}
