//! Two equations of which the second is seen only where the outcome of the first is one: the rows of each, and columns
//! that are harmless where the second is not seen.

use super::sample::Sample;
use crate::data::{Design, DesignColumn, Formula, Frame, ParsedFormula, Rows};
use crate::error::{Error, Result};
use std::sync::Arc;

/// The name of the column that empties the second equation where it is not seen; no formula can spell it.
const SEEN: &str = "(seen)";

/// The second equation on the rows where the first outcome is one and nothing of it is missing. `model` says in errors
/// what it is part of.
pub(crate) fn design_where_seen(
    first: &Sample,
    second: &Formula,
    frame: &Frame,
    model: &str,
) -> Result<(ParsedFormula, Design)> {
    let rows = &first.design.rows;
    let outcome = first.design.outcome.values(rows);
    let mut mask = vec![f64::NAN; frame.rows()];
    for (i, _) in outcome.iter().enumerate().filter(|(_, y)| **y > 0.5) {
        mask[rows.index(i)] = 1.0;
    }
    let parsed = second.parse()?;
    let design = Design::build(&parsed, &frame.clone().with(SEEN, mask)?, &[SEEN])?;
    let refused = [
        (!design.endogenous.is_empty(), "an instrumental part"),
        (!design.fixed_effects.is_empty(), "fixed effects"),
    ];
    match refused.iter().find(|(refuse, _)| *refuse) {
        Some((_, what)) => {
            let expected = format!("without {what} for {model}");
            Err(Error::invalid_option("formula", &parsed, expected))
        }
        None => Ok((parsed, design)),
    }
}

/// Leaves out the rows whose second equation should be seen and is not known; returns how many these are.
pub(crate) fn restrict_to_known(first: &mut Sample, second: &Design) -> usize {
    let known = second.rows.mask();
    let rows = &first.design.rows;
    let outcome = first.design.outcome.values(rows);
    let keep: Vec<bool> = (outcome.iter().enumerate())
        .map(|(i, y)| *y < 0.5 || known[rows.index(i)])
        .collect();
    first.restrict(&keep);
    keep.iter().filter(|k| !**k).count()
}

/// The weights of the rows where the first outcome is one.
pub(crate) fn weights_where(seen: &[bool], weights: &[f64]) -> Vec<f64> {
    let kept = weights.iter().zip(seen).filter(|(_, s)| **s);
    kept.map(|(w, _)| *w).collect()
}

/// The column with values that are not finite on these rows made missing; shared when there are none.
pub(crate) fn finite_or_missing(column: &DesignColumn, rows: &Rows) -> DesignColumn {
    let values = column.values(rows);
    if !values.iter().any(|v| v.is_infinite()) {
        return column.clone();
    }
    let mut out = vec![f64::NAN; rows.total()];
    for (i, v) in values.iter().enumerate().filter(|(_, v)| v.is_finite()) {
        out[rows.index(i)] = *v;
    }
    DesignColumn::new(column.name.clone(), Arc::new(out))
}

/// The column with zeros outside the rows where it is seen.
pub(crate) fn zero_elsewhere(column: &DesignColumn, rows: &Rows) -> DesignColumn {
    let mut out = vec![0.0; rows.total()];
    for (i, v) in column.values(rows).iter().enumerate() {
        out[rows.index(i)] = *v;
    }
    DesignColumn::new(column.name.clone(), Arc::new(out))
}
