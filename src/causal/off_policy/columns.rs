//! The columns of a log, checked: every value finite, every probability a probability.

use crate::data::{Frame, MISSING};
use crate::error::{Error, Result};
use std::sync::Arc;

type Values = Arc<Vec<f64>>;

/// Probabilities of all actions may add up to one but for this: logs keep three digits of them at least.
pub(crate) const ROUNDING: f64 = 1e-3;

/// What the policy would have done in a row, and what a model says of it.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// The probability of the logged action; predictions averaged over the policy's actions, and of the logged action.
    Logged {
        wanted: Values,
        model: Option<(Values, Values)>,
    },
    /// The same of every action.
    Actions(Actions),
}

/// One column an action.
#[derive(Clone, Debug)]
pub(super) struct Actions {
    /// The action of a row.
    pub(super) codes: Vec<u32>,
    pub(super) wanted: Vec<Values>,
    pub(super) predicted: Vec<Values>,
    pub(super) logged: Vec<Values>,
}

/// Rewards and probabilities of a log.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) reward: Values,
    pub(super) logged: Values,
    pub(super) target: Target,
}

/// A column of finite numbers.
pub(crate) fn numbers(frame: &Frame, name: &str) -> Result<Values> {
    let values = frame.numeric(name)?.values().clone();
    each(
        name,
        &values,
        "finite; fill in or leave out rows where it is not",
        f64::is_finite,
    )?;
    Ok(values)
}

/// The least probability with which anything may have been logged: the squares of weights are numbers still.
pub(crate) const LEAST: f64 = 1e-100;

/// A column of probabilities with which something was logged: none is zero.
pub(crate) fn chances(frame: &Frame, name: &str) -> Result<Values> {
    let values = numbers(frame, name)?;
    each(
        name,
        &values,
        "above 0 and at most 1; leave out rows whose propensity was not logged",
        |p| (LEAST..=1.0).contains(&p),
    )?;
    Ok(values)
}

/// A column of probabilities with which something would be done.
pub(crate) fn shares(frame: &Frame, name: &str) -> Result<Values> {
    let values = numbers(frame, name)?;
    each(name, &values, "between 0 and 1", |p| {
        (0.0..=1.0).contains(&p)
    })?;
    Ok(values)
}

/// Refuses rewards outside the bounds that were declared.
pub(crate) fn bounded(name: &str, values: &[f64], (low, high): (f64, f64)) -> Result<()> {
    let expected =
        format!("from {low} to {high}, the bounds declared; correct the reward or widen them");
    each(name, values, &expected, |r| (low..=high).contains(&r))
}

/// Refuses a value outside its range.
fn each(name: &str, values: &[f64], expected: &str, good: impl Fn(f64) -> bool) -> Result<()> {
    match values.iter().position(|v| !good(*v)) {
        None => Ok(()),
        Some(row) => Err(Error::OutOfRange {
            column: name.to_owned(),
            row: row + 1,
            value: values[row],
            expected: expected.to_owned(),
        }),
    }
}

/// The action of every row, by its place in the list, in which each stands once. Errors count rows from `first`.
pub(crate) fn codes(
    frame: &Frame,
    column: &str,
    actions: &[String],
    first: usize,
) -> Result<Vec<u32>> {
    if let Some(twice) = (1..actions.len()).find(|i| actions[..*i].contains(&actions[*i])) {
        return Err(Error::invalid_option(
            "actions",
            format!("`{}` twice", actions[twice]),
            "every action once",
        ));
    }
    let groups = frame.groups(column)?;
    let places: Vec<Option<u32>> = groups
        .levels
        .iter()
        .map(|level| {
            let at = actions.iter().position(|action| action == level);
            at.map(|at| at as u32)
        })
        .collect();
    let found = |code: &u32| match *code {
        MISSING => None,
        code => places[code as usize],
    };
    let row = groups.codes.iter().position(|code| found(code).is_none());
    if let Some(row) = row {
        let text = frame.column(column)?.text(row);
        return Err(Error::WrongKind {
            column: column.to_owned(),
            expected: format!("one of the actions {}", actions.join(", ")),
            found: match text {
                Some(text) => format!("\"{text}\" in row {}", first + row + 1),
                None => format!("missing in row {}", first + row + 1),
            },
            remedy: "list every action that the log may have taken, or leave such rows out"
                .to_owned(),
        });
    }
    Ok(groups.codes.iter().filter_map(found).collect())
}
