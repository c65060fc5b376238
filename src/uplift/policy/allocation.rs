//! Who gets what under a budget, with a floor for every group.

use super::floor::{Floor, ROUNDING};
use super::hull::{Costs, Move, check_effects, moves_from};
use crate::data::Groups;
use crate::error::{Error, Result};
use crate::report::shown;
use crate::report::{Cell, Table};
use crate::uplift::path::Order;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Spends a budget on the rows and arms with the highest predicted effects per cost: the solution of the multiple-choice knapsack
/// `max Σ τ̂_{i,π_i} s.t. Σ C_{i,π_i} ≤ B`, steepest steps first, and those later ones that the rest still pays for. Whole rows cannot
/// always spend a budget to the end, and to fill it in the best way is a hard problem that is not worth solving: no allocation gains more by
/// more than [`BudgetAllocation::gap`], which is the price of the unspent rest and as a rule less than one row is worth.
///
/// [`Budget::minimum_share`] keeps a programme from serving one group only: of every group at least a share is treated, with any number of
/// arms and costs by row. The floor is met at one price of the budget for all groups, found by bisection of the Lagrangian, and the gap
/// certifies that allocation as well. With one arm at one cost the allocation is the best. Rows that are treated for the floor may have no
/// positive predicted effect.
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
/// Sinha, P. & Zoltners, A. A. (1979). *Operations Research* 27, 503–515. doi:10.1287/opre.27.3.503. Everett, H. (1963). Generalized Lagrange
/// multiplier method for solving problems of optimum allocation of resources. *Operations Research* 11, 399–417.
/// doi:10.1287/opre.11.3.399.
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

/// What [`Budget`] gives to whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetAllocation {
    arms: Vec<String>,
    given: Vec<u32>,
    spent: f64,
    gain: f64,
    /// No allocation within the budget gains more.
    bound: f64,
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
        self.floor = Some(Floor::new(groups, share));
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
        let reachable = self.affordable(effects, &costs);
        let mut allocation = BudgetAllocation {
            given: vec![0; rows],
            spent: 0.0,
            gain: 0.0,
            bound: 0.0,
            price: 0.0,
            groups: Vec::new(),
            arms,
        };
        if let Some(floor) = &self.floor {
            let covered = floor.cover(self.total, &reachable, &costs)?;
            allocation.given = covered.given;
            allocation.spent = covered.spent;
            allocation.gain = covered.gain;
            allocation.bound = covered.bound;
            allocation.price = covered.price;
        }
        self.spend_rest(&reachable, &costs, &mut allocation);
        if allocation.spent <= 0.0
            && let Some(least) = least_cost(effects, &costs)
        {
            return Err(Error::invalid_option(
                "total",
                self.total,
                format!("at least {least}, the cost of the cheapest row that gains"),
            ));
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

    /// Pays for moves to dearer arms in the order of their gain per cost, as long as the budget lasts.
    fn spend_rest(
        &self,
        effects: &[Vec<f64>],
        costs: &[Vec<f64>],
        allocation: &mut BudgetAllocation,
    ) {
        let all = moves_from(&allocation.given, effects, costs);
        let priorities: Vec<f64> = all.iter().map(Move::priority).collect();
        let mut certified = self.floor.is_some();
        for place in Order::descending(&priorities).places {
            let step = all[place as usize];
            if allocation.given[step.row as usize] != step.from {
                continue; // what comes before it was not paid for
            }
            if allocation.spent + step.cost <= self.total * (1.0 + ROUNDING) {
                allocation.take(step);
                continue;
            }
            if !certified {
                // What is taken until here is the best for what it costs, and nothing gains more per cost than this step.
                allocation.price = step.priority();
                let rest = (self.total - allocation.spent).max(0.0);
                allocation.bound = allocation.gain + allocation.price * rest;
                certified = true;
            }
        }
        allocation.bound = allocation.bound.max(allocation.gain);
    }

    /// The effects, those of arms that cost more than the whole budget out of reach.
    fn affordable<'a>(&self, effects: &'a [Vec<f64>], costs: &[Vec<f64>]) -> Cow<'a, [Vec<f64>]> {
        let mut effects = Cow::Borrowed(effects);
        for (arm, costs) in costs.iter().enumerate() {
            let dear = |cost: &f64| *cost > self.total * (1.0 + ROUNDING);
            if costs.iter().any(dear) {
                let column = &mut effects.to_mut()[arm];
                for (effect, cost) in column.iter_mut().zip(costs) {
                    if dear(cost) {
                        *effect = f64::NEG_INFINITY;
                    }
                }
            }
        }
        effects
    }
}

/// The lowest cost at which an effect is positive.
fn least_cost(effects: &[Vec<f64>], costs: &[Vec<f64>]) -> Option<f64> {
    let pairs = effects.iter().flatten().zip(costs.iter().flatten());
    let gaining = pairs.filter(|(effect, _)| **effect > 0.0);
    gaining.map(|(_, cost)| *cost).reduce(f64::min)
}

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

    /// By how much the best allocation within the budget and the floor can have a higher predicted gain, at most.
    pub fn gap(&self) -> f64 {
        self.bound - self.gain
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
            ("The best gains more by at most", self.gap()),
            ("Gain of more budget, per cost", self.price),
        ] {
            table = table.summary([Cell::text(name), Cell::significant(value, 4)]);
        }
        table
    }
}

shown!(BudgetAllocation);
