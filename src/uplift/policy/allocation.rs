//! Who gets what under a budget, with a floor for every group.

use super::hull::{Costs, Move, check_effects, moves};
use crate::data::{Groups, MISSING};
use crate::error::{Error, Result};
use crate::report::shown;
use crate::report::{Cell, Table};
use crate::uplift::path::Order;
use serde::{Deserialize, Serialize};

/// Spends a budget on the rows and arms with the highest predicted effects per cost: the solution of the multiple-choice knapsack
/// `max Σ τ̂_{i,π_i} s.t. Σ C_{i,π_i} ≤ B`, up to the one step that the rest of the budget does not pay for. No allocation that spends no
/// more than this one has a higher predicted gain.
///
/// [`Budget::minimum_share`] keeps a programme from serving one group only: of every group at least a share is treated, those of highest
/// predicted effect in it first, and what is left of the budget goes to the best of all others. That is the best allocation with this floor for
/// one arm at one cost, the case in which it is offered; rows that are treated for the floor may have no positive predicted effect.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `total` | required | the whole budget | above 0 |
/// | `cost`, `costs` | required | cost of an arm over the control | above 0 |
/// | `minimum_share` | none | groups and the share of each that is treated at least | \[0, 1\] |
///
/// # Errors
/// [`Error::InvalidOption`] for a budget that admits nobody or does not pay for the floor; [`Error::OutOfRange`] for costs that are not
/// positive, or predictions that are not finite; [`Error::LengthMismatch`]; [`Error::MissingClusters`] for rows without a group.
///
/// # References
/// Sinha, P. & Zoltners, A. A. (1979). *Operations Research* 27, 503–515. doi:10.1287/opre.27.3.503.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let effect = vec![vec![5.0, 4.0, 3.0, 1.0]];
/// let budget = Budget::new(2.0).cost("coupon", 1.0);
/// assert_eq!(budget.allocate(&["none", "coupon"], &effect)?.given(), [1, 1, 0, 0]);
/// let region = Frame::new().with("region", vec!["north", "north", "south", "south"])?.groups("region")?;
/// let fair = budget.minimum_share(&region, 0.5).allocate(&["none", "coupon"], &effect)?;
/// assert_eq!(fair.given(), [1, 0, 1, 0]);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Budget {
    total: f64,
    costs: Costs,
    floor: Option<Floor>,
}

#[derive(Clone, Debug, Serialize)]
struct Floor {
    codes: Vec<u32>,
    levels: Vec<String>,
    name: String,
    share: f64,
}

/// What [`Budget`] gives to whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetAllocation {
    arms: Vec<String>,
    given: Vec<u32>,
    spent: f64,
    gain: f64,
    price: f64,
    groups: Vec<GroupCoverage>,
}

/// How many of a group are treated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupCoverage {
    /// The group.
    pub group: String,
    /// Its rows.
    pub rows: usize,
    /// Those that get another arm than the control.
    pub treated: usize,
}

impl Budget {
    /// A budget in the units of the costs, for all rows together.
    pub fn new(total: f64) -> Self {
        Self {
            total,
            costs: Costs::default(),
            floor: None,
        }
    }

    /// What an arm costs per row, over the control.
    pub fn cost(mut self, arm: impl Into<String>, cost: f64) -> Self {
        self.costs.set(arm.into(), cost);
        self
    }

    /// What an arm costs in each row, over the control.
    pub fn costs(mut self, arm: impl Into<String>, costs: &[f64]) -> Self {
        self.costs.set_rows(arm.into(), costs.to_vec());
        self
    }

    /// Treats at least this share of each group, rounded up to whole rows.
    pub fn minimum_share(mut self, groups: &Groups, share: f64) -> Self {
        self.floor = Some(Floor {
            codes: groups.codes.to_vec(),
            levels: groups.levels.to_vec(),
            name: groups.name.clone(),
            share,
        });
        self
    }

    /// Spends the budget on predicted effects against the control: one column for each arm but the control, in the order of the arms.
    ///
    /// # Errors
    /// See [`Budget`].
    pub fn allocate<S: AsRef<str>>(
        &self,
        arms: &[S],
        effects: &[Vec<f64>],
    ) -> Result<BudgetAllocation> {
        let arms: Vec<String> = arms.iter().map(|a| a.as_ref().to_owned()).collect();
        if !(self.total > 0.0 && self.total.is_finite()) {
            return Err(Error::invalid_option("total", self.total, "positive"));
        }
        if arms.len() < 2 {
            return Err(Error::invalid_option(
                "arms",
                format!("{arms:?}"),
                "two or more, the control first",
            ));
        }
        let rows = effects.first().map_or(0, Vec::len);
        check_effects(effects, &arms, rows)?;
        if rows == 0 {
            return Err(Error::NoRows {
                reason: "the predicted effects are empty".to_owned(),
            });
        }
        let costs = self.costs.columns(&arms, rows)?;
        let mut allocation = BudgetAllocation {
            given: vec![0; rows],
            spent: 0.0,
            gain: 0.0,
            price: 0.0,
            groups: Vec::new(),
            arms,
        };
        if let Some(floor) = &self.floor {
            self.cover(floor, effects, &costs, &mut allocation)?;
        }
        let all: Vec<Move> = moves(effects, &costs)
            .into_iter()
            .filter(|m| allocation.given[m.row as usize] == 0)
            .collect();
        let priorities: Vec<f64> = all.iter().map(Move::priority).collect();
        for place in Order::descending(&priorities).places {
            let step = all[place as usize];
            if allocation.spent + step.cost > self.total * (1.0 + ROUNDING) {
                if allocation.spent <= 0.0 {
                    return Err(Error::invalid_option(
                        "total",
                        self.total,
                        format!(
                            "at least {}, the cost of the first to be treated",
                            step.cost
                        ),
                    ));
                }
                allocation.price = step.priority();
                break;
            }
            allocation.take(step);
        }
        if let Some(floor) = &self.floor {
            for (code, level) in floor.levels.iter().enumerate() {
                let here = || {
                    let codes = floor.codes.iter().enumerate();
                    codes.filter(|(_, c)| **c as usize == code)
                };
                allocation.groups.push(GroupCoverage {
                    group: level.clone(),
                    rows: here().count(),
                    treated: here().filter(|(row, _)| allocation.given[*row] > 0).count(),
                });
            }
        }
        Ok(allocation)
    }

    /// Treats the best of every group up to the floor.
    fn cover(
        &self,
        floor: &Floor,
        effects: &[Vec<f64>],
        costs: &[Vec<f64>],
        allocation: &mut BudgetAllocation,
    ) -> Result<()> {
        if !(0.0..=1.0).contains(&floor.share) {
            return Err(Error::invalid_option(
                "minimum_share",
                floor.share,
                "between 0 and 1",
            ));
        }
        if floor.codes.len() != allocation.given.len() {
            return Err(Error::LengthMismatch {
                column: floor.name.clone(),
                expected: allocation.given.len(),
                found: floor.codes.len(),
            });
        }
        let missing = floor.codes.iter().filter(|c| **c == MISSING).count();
        if missing > 0 {
            return Err(Error::MissingClusters {
                column: floor.name.clone(),
                missing,
            });
        }
        let same = |column: &Vec<f64>| column.iter().all(|c| (c - column[0]).abs() <= 0.0);
        if effects.len() > 1 || !same(&costs[0]) {
            return Err(Error::invalid_option(
                "minimum_share",
                format!("given with {} arms and their costs", effects.len() + 1),
                "used with one arm besides the control, at one cost for all",
            ));
        }
        let mut needed = vec![0_usize; floor.levels.len()];
        for code in &floor.codes {
            needed[*code as usize] += 1;
        }
        for count in &mut needed {
            // A share that is a whole number of rows but for rounding is that number.
            *count = (floor.share * *count as f64 * (1.0 - ROUNDING)).ceil() as usize;
        }
        let cost = costs[0][0];
        let least = cost * needed.iter().sum::<usize>() as f64;
        if least > self.total * (1.0 + ROUNDING) {
            return Err(Error::invalid_option(
                "total",
                self.total,
                format!("at least {least}, what the minimum share of every group costs"),
            ));
        }
        for row in Order::descending(&effects[0]).places {
            let left = &mut needed[floor.codes[row as usize] as usize];
            if *left > 0 {
                *left -= 1;
                allocation.take(Move {
                    row,
                    from: 0,
                    to: 1,
                    cost,
                    gain: effects[0][row as usize],
                });
            }
        }
        Ok(())
    }
}

/// Rounding of sums of costs, and of shares of counts.
const ROUNDING: f64 = 1e-12;

impl BudgetAllocation {
    fn take(&mut self, step: Move) {
        self.given[step.row as usize] = step.to;
        self.spent += step.cost;
        self.gain += step.gain;
    }

    /// The arm of every row, by its place among the arms: what [`PolicyValue`](super::PolicyValue) evaluates.
    pub fn given(&self) -> &[u32] {
        &self.given
    }

    /// What is spent.
    pub fn spent(&self) -> f64 {
        self.spent
    }

    /// The sum of predicted effects, which is too good where the predictions were selected for being high.
    pub fn predicted_gain(&self) -> f64 {
        self.gain
    }

    /// The predicted gain per cost of the best step that is not paid for: what a little more budget would bring. Zero when nothing is left to gain.
    pub fn price(&self) -> f64 {
        self.price
    }

    /// Coverage of the groups with a floor.
    pub fn groups(&self) -> &[GroupCoverage] {
        &self.groups
    }

    /// Rows by arm, and coverage by group.
    pub fn table(&self) -> Table {
        let rows = self.given.len() as f64;
        let mut table = Table::new("Allocation of the budget").columns(["", "Rows", "Share"]);
        for (at, arm) in self.arms.iter().enumerate() {
            let count = self.given.iter().filter(|g| **g as usize == at).count();
            table = table.row([
                Cell::text(arm.as_str()),
                Cell::count(count),
                Cell::percent(count as f64 / rows, 1),
            ]);
        }
        if !self.groups.is_empty() {
            table = table.section("Treated, by group");
        }
        for group in &self.groups {
            table = table.row([
                Cell::text(group.group.as_str()),
                Cell::count(group.treated),
                Cell::percent(group.treated as f64 / group.rows.max(1) as f64, 1),
            ]);
        }
        for (name, value) in [
            ("Spent", self.spent),
            ("Predicted gain", self.gain),
            ("Gain of more budget, per cost", self.price),
        ] {
            table = table.summary([Cell::text(name), Cell::significant(value, 4)]);
        }
        table
    }
}

shown!(BudgetAllocation);
