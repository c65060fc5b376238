//! Whom to treat: policies learned from doubly robust scores, their value, budgets and fair shares.

mod allocation;
mod budget_curve;
mod hull;
mod tree;
mod value;

pub use allocation::{Budget, BudgetAllocation, GroupCoverage};
pub use budget_curve::{BudgetCurve, BudgetCurveFit, BudgetPoint};
pub use tree::{PolicyLeaf, PolicyNode, PolicyTree, PolicyTreeFit};
pub use value::{PolicyValue, PolicyValueFit};
