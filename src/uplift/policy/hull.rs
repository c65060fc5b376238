//! The steps in which a budget is spent best: every row moves up the upper convex hull of its arms' costs and effects.

use crate::causal::arm_scores::position;
use crate::causal::units::check_column;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// What arms cost per row that gets them, over the control.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Costs(Vec<(String, Cost)>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Cost {
    Same(f64),
    Rows(Vec<f64>),
}

impl Costs {
    pub(super) fn set(&mut self, arm: String, cost: f64) {
        self.0.retain(|(name, _)| *name != arm);
        self.0.push((arm, Cost::Same(cost)));
    }

    pub(super) fn set_rows(&mut self, arm: String, costs: Vec<f64>) {
        self.0.retain(|(name, _)| *name != arm);
        self.0.push((arm, Cost::Rows(costs)));
    }

    /// One column for each arm but the control.
    pub(super) fn columns(&self, arms: &[String], rows: usize) -> Result<Vec<Vec<f64>>> {
        for (name, _) in &self.0 {
            if position(arms, name)? == 0 {
                return Err(Error::invalid_option(
                    "cost",
                    format!("given for the control `{name}`"),
                    "given for the other arms, over that of the control",
                ));
            }
        }
        arms[1..].iter().map(|arm| self.column(arm, rows)).collect()
    }

    fn column(&self, arm: &str, rows: usize) -> Result<Vec<f64>> {
        let positive = |cost: f64, row: usize| {
            if cost > 0.0 && cost.is_finite() {
                return Ok(());
            }
            Err(Error::OutOfRange {
                column: format!("cost of {arm}"),
                row: row + 1,
                value: cost,
                expected: "positive and finite: what costs nothing needs no budget".to_owned(),
            })
        };
        match self.0.iter().find(|(name, _)| name == arm) {
            None => Err(Error::invalid_option(
                "cost",
                format!("not given for `{arm}`"),
                "given for every arm but the control",
            )),
            Some((_, Cost::Same(cost))) => positive(*cost, 0).map(|()| vec![*cost; rows]),
            Some((_, Cost::Rows(costs))) => {
                check_column(&format!("cost of {arm}"), costs, rows)?;
                for (row, cost) in costs.iter().enumerate() {
                    positive(*cost, row)?;
                }
                Ok(costs.clone())
            }
        }
    }
}

/// Refuses predictions that are not one finite number for each row and arm but the control.
pub(super) fn check_effects(effects: &[Vec<f64>], arms: &[String], rows: usize) -> Result<()> {
    if effects.len() + 1 != arms.len() {
        return Err(Error::invalid_option(
            "effects",
            format!("of {} columns", effects.len()),
            format!(
                "one column for each arm but the control: {}",
                arms[1..].join(", ")
            ),
        ));
    }
    for (name, column) in arms[1..].iter().zip(effects) {
        check_column(&format!("effect of {name}"), column, rows)?;
    }
    Ok(())
}

/// A row moves from one arm to the next of its hull.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Move {
    pub(super) row: u32,
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) cost: f64,
    /// Predicted effect gained.
    pub(super) gain: f64,
}

/// The moves of all rows from the control.
pub(super) fn moves(effects: &[Vec<f64>], costs: &[Vec<f64>]) -> Vec<Move> {
    moves_from(&vec![0; effects[0].len()], effects, costs)
}

/// The moves of all rows from the arms that they have to dearer ones; those of a row have falling gain per cost, and none has a gain of zero
/// or less.
pub(super) fn moves_from(given: &[u32], effects: &[Vec<f64>], costs: &[Vec<f64>]) -> Vec<Move> {
    let mut all = Vec::new();
    let mut arms: Vec<usize> = (0..effects.len()).collect();
    let mut hull: Vec<Move> = Vec::new();
    for (row, start) in given.iter().enumerate() {
        let effect = |arm: usize| effects[arm][row];
        let cost = |arm: usize| costs[arm][row];
        arms.sort_unstable_by(|a, b| cost(*a).total_cmp(&cost(*b)).then(a.cmp(b)));
        hull.clear();
        for arm in &arms {
            let to = *arm as u32 + 1;
            loop {
                let from = hull.last().map_or(*start, |last: &Move| last.to);
                let (spent, gained) = match from.checked_sub(1) {
                    None => (0.0, 0.0),
                    Some(arm) => (cost(arm as usize), effect(arm as usize)),
                };
                let next = Move {
                    row: row as u32,
                    from,
                    to,
                    cost: cost(*arm) - spent,
                    gain: effect(*arm) - gained,
                };
                if next.gain <= 0.0 || next.cost < 0.0 {
                    break; // no better, or not dearer
                }
                match hull.last() {
                    // The last arm lies on or below the line from the one before it to this one.
                    Some(last) if next.priority() >= last.priority() => {
                        hull.pop();
                    }
                    _ => {
                        hull.push(next);
                        break;
                    }
                }
            }
        }
        all.extend_from_slice(&hull);
    }
    all
}

impl Move {
    /// Predicted gain per cost.
    pub(super) fn priority(&self) -> f64 {
        self.gain / self.cost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_moves_up_its_hull() {
        // Costs 1, 2, 3, 4: the second arm lies below the line from the first to the third, the fourth is no better.
        let effects = [1.0, 1.2, 2.0, 2.0].map(|e| vec![e]);
        let costs = [1.0, 2.0, 3.0, 4.0].map(|c| vec![c]);
        let found = moves(&effects, &costs);
        let tos: Vec<(u32, u32)> = found.iter().map(|m| (m.from, m.to)).collect();
        assert_eq!(tos, [(0, 1), (1, 3)]);
        assert!((found[1].priority() - 0.5).abs() < 1e-15);
        // Of arms at one cost the best is left.
        let equal = moves(&[vec![1.0], vec![3.0]], &[vec![1.0], vec![1.0]]);
        assert_eq!((equal.len(), equal[0].to, equal[0].gain), (1, 2, 3.0));
        assert!(moves(&[vec![-1.0], vec![0.0]], &[vec![1.0], vec![1.0]]).is_empty());
        // From the second arm the third is the next, and nothing is left to do from the last.
        let on = moves_from(&[2], &effects, &costs);
        assert_eq!((on.len(), on[0].from, on[0].to), (1, 2, 3));
        assert!((on[0].gain - 0.8).abs() < 1e-15);
        assert!(moves_from(&[4], &effects, &costs).is_empty());
    }

    #[test]
    fn costs_are_positive_and_complete() {
        let arms = ["none", "mail", "call"].map(str::to_owned);
        let mut costs = Costs::default();
        costs.set("mail".to_owned(), 1.0);
        assert!(costs.columns(&arms, 2).is_err());
        costs.set_rows("call".to_owned(), vec![2.0, 0.0]);
        let error = costs.columns(&arms, 2).unwrap_err().to_string();
        assert!(
            error.contains("cost of call") && error.contains("row 2"),
            "{error}"
        );
        costs.set("call".to_owned(), 3.0);
        assert_eq!(costs.columns(&arms, 2).unwrap(), [[1.0, 1.0], [3.0, 3.0]]);
        costs.set("none".to_owned(), 3.0);
        assert!(costs.columns(&arms, 2).is_err());
    }
}
