//! The moments of the units of analysis, by arm and stratum, with the control first.

use super::cell::CellMoments;
use super::pass::NOT_ANALYSED;
use super::variables::Plan;
use crate::error::{Error, Result, nearest_name};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Ordering;

/// The moments of the units of one arm and stratum that lack the same metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) arm: u32,
    pub(crate) stratum: u32,
    /// The bits of the metrics that are missing; all bits for units that are not analysed.
    pub(crate) missing: u64,
    pub(crate) moments: CellMoments,
}

/// The sample that is analysed.
pub(crate) struct Sample {
    pub(crate) plan: Plan,
    /// The arms, control first.
    pub(crate) arms: Vec<String>,
    pub(crate) strata: Vec<String>,
    /// Units assigned to each arm, those that are not analysed included.
    pub(crate) assigned: Vec<u64>,
    /// Whether units are clusters of rows.
    pub(crate) clustered: bool,
    /// Cells by arm, then stratum.
    cells: Vec<Vec<Vec<Cell>>>,
}

impl Sample {
    /// Puts the cells in order; `alone` says that one arm is enough.
    pub(crate) fn new(
        plan: Plan,
        arms: &[String],
        strata: &[String],
        cells: Vec<Cell>,
        control: &str,
        clustered: bool,
        alone: bool,
    ) -> Result<Self> {
        let mut assigned = vec![0; arms.len()];
        for cell in &cells {
            assigned[cell.arm as usize] += cell.moments.rows();
        }
        let mut order: Vec<usize> = (0..arms.len()).filter(|a| assigned[*a] > 0).collect();
        order.sort_by(|a, b| natural(&arms[*a], &arms[*b]));
        let names: Vec<String> = order.iter().map(|a| arms[*a].clone()).collect();
        let Some(at) = names.iter().position(|name| name == control) else {
            return Err(unknown_control(control, &names));
        };
        if order.len() < 2 && !alone {
            return Err(Error::Unidentified {
                what: "an effect".to_owned(),
                needs: format!("a second arm: all units are in `{control}`"),
            });
        }
        let first = order.remove(at);
        order.insert(0, first);
        let mut seen: Vec<usize> = (0..strata.len())
            .filter(|s| cells.iter().any(|c| c.stratum as usize == *s))
            .collect();
        seen.sort_by(|a, b| natural(&strata[*a], &strata[*b]));
        let mut sorted = vec![vec![Vec::new(); seen.len()]; order.len()];
        for cell in cells {
            let place = |list: &[usize], code: u32| list.iter().position(|i| *i == code as usize);
            if let (Some(arm), Some(stratum)) =
                (place(&order, cell.arm), place(&seen, cell.stratum))
            {
                sorted[arm][stratum].push(cell);
            }
        }
        Ok(Self {
            plan,
            arms: order.iter().map(|a| arms[*a].clone()).collect(),
            strata: seen.iter().map(|s| strata[*s].clone()).collect(),
            assigned: order.iter().map(|a| assigned[*a]).collect(),
            clustered,
            cells: sorted,
        })
    }

    /// Units of an arm that are analysed, whatever they lack.
    pub(crate) fn analysed(&self, arm: usize) -> u64 {
        let cells = self.cells[arm].iter().flatten();
        cells
            .filter(|c| c.missing != NOT_ANALYSED)
            .map(|c| c.moments.rows())
            .sum()
    }

    /// The moments of an arm in a stratum over the units that lack none of the metrics whose bits are given.
    pub(crate) fn moments(&self, arm: usize, stratum: usize, bits: u64) -> Cow<'_, CellMoments> {
        self.pool(self.cells[arm][stratum].iter(), bits)
    }

    /// The moments of an arm over all strata.
    pub(crate) fn arm_moments(&self, arm: usize, bits: u64) -> Cow<'_, CellMoments> {
        self.pool(self.cells[arm].iter().flatten(), bits)
    }

    fn pool<'a>(&self, cells: impl Iterator<Item = &'a Cell>, bits: u64) -> Cow<'a, CellMoments> {
        let mut used = cells.filter(|c| c.missing & bits == 0);
        let Some(first) = used.next() else {
            return Cow::Owned(CellMoments::empty(
                self.plan.variables.len(),
                &self.plan.ratios(),
            ));
        };
        let mut total = Cow::Borrowed(&first.moments);
        for cell in used {
            total.to_mut().join(&cell.moments);
        }
        total
    }
}

/// Numbers in the order of their size, texts in that of their letters.
fn natural(a: &str, b: &str) -> Ordering {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(x), Ok(y)) => x.total_cmp(&y),
        _ => a.cmp(b),
    }
}

fn unknown_control(control: &str, arms: &[String]) -> Error {
    let hint = match nearest_name(control, arms) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => String::new(),
    };
    Error::invalid_option(
        "control",
        format!("`{control}`"),
        format!("one of the arms {}{hint}", arms.join(", ")),
    )
}
