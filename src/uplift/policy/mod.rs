//! Whom to treat: policies learned from doubly robust scores, their value, budgets and fair shares.

mod allocation;
mod budget_compare;
mod budget_curve;
mod floor;
mod hull;
mod next_best;
mod regret;
mod tree;
mod value;

pub use allocation::{Budget, BudgetAllocation, GroupCoverage};
pub use budget_compare::BudgetComparison;
pub use budget_curve::{BudgetCurve, BudgetCurveFit, BudgetPoint};
pub use next_best::{NextBestAction, NextBestFit};
pub use regret::PolicyRegret;
pub(in crate::uplift) use tree::short;
pub use tree::{PolicyLeaf, PolicyNode, PolicyTree, PolicyTreeFit};
pub use value::{PolicyValue, PolicyValueFit};
