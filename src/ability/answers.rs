//! From a column of answers to the codes of categories.

use super::item::ItemModel;
use super::responses::NO_ANSWER;
use crate::data::column::MISSING;
use crate::data::{Column, Frame, Rows};
use crate::error::{Error, Result, Warning};

/// More categories than this are a measurement and not the answers to an item.
const MOST_CATEGORIES: usize = 100;

/// Refuses too few items and repeated ones.
pub(super) fn check_names(items: &[String]) -> Result<()> {
    if items.len() < 2 {
        return Err(Error::invalid_option(
            "items",
            items.len(),
            "at least two columns",
        ));
    }
    let mut sorted: Vec<&String> = items.iter().collect();
    sorted.sort();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::DuplicateColumn {
            column: pair[0].clone(),
        }),
        None => Ok(()),
    }
}

/// The answers to an item over all rows of the frame, NaN where missing.
pub(super) fn answers(frame: &Frame, name: &str) -> Result<Vec<f64>> {
    if let Column::Label(label) = frame.column(name)?
        && label.codes().iter().all(|c| *c == MISSING)
    {
        return Ok(vec![f64::NAN; frame.rows()]);
    }
    let values = frame.numeric(name).map_err(|error| {
        error.with_remedy(|column| {
            format!("code the answers to `{column}` as whole numbers in their order, e.g. 0 and 1")
        })
    })?;
    Ok(values.values().to_vec())
}

/// The categories of an item and the code of each person's answer.
pub(super) fn code(
    name: &str,
    model: ItemModel,
    values: &[f64],
    rows: &Rows,
    warnings: &mut Vec<Warning>,
) -> Result<(Vec<f64>, Vec<u8>)> {
    let used = rows.gather(values);
    let odd = |v: &f64| !v.is_nan() && (!v.is_finite() || v.fract().abs() > 0.0);
    if let Some(i) = used.iter().position(odd) {
        return Err(Error::OutOfRange {
            column: name.to_owned(),
            row: rows.index(i) + 1,
            value: used[i],
            expected: "a whole number that stands for an answer, or missing".to_owned(),
        });
    }
    let mut labels: Vec<f64> = used
        .iter()
        .filter(|v| !v.is_nan())
        .map(|v| v + 0.0) // −0 is 0
        .collect();
    labels.sort_by(f64::total_cmp);
    labels.dedup();
    match labels.as_slice() {
        [] => {
            return Err(Error::Unidentified {
                what: format!("item `{name}`, which nobody answered,"),
                needs: "answers, or to be left out of the list of items".to_owned(),
            });
        }
        [only] => {
            let is = |value: f64| (only - value).abs() <= 0.0;
            let result = if is(1.0) {
                "all pass"
            } else if is(0.0) {
                "all fail"
            } else {
                "all answer alike"
            };
            return Err(Error::Unidentified {
                what: format!("item `{name}`, which {result} (every answer is {only}),"),
                needs: "both answers in the data; leave the item out of the list of items"
                    .to_owned(),
            });
        }
        _ if labels.len() > MOST_CATEGORIES => {
            return Err(Error::WrongKind {
                column: name.to_owned(),
                expected: format!("an item of at most {MOST_CATEGORIES} answers"),
                found: format!("a column of {} different numbers", labels.len()),
                remedy: "join categories first".to_owned(),
            });
        }
        _ => {}
    }
    if model.is_dichotomous() && labels.len() > 2 {
        let row = used.iter().position(|v| *v > labels[1]).unwrap_or(0);
        return Err(Error::OutOfRange {
            column: name.to_owned(),
            row: rows.index(row) + 1,
            value: used[row],
            expected: format!(
                "one of two answers for the {model} model ({} answers occur); use the graded or a partial credit model for this item",
                labels.len()
            ),
        });
    }
    if labels.windows(2).any(|pair| pair[1] - pair[0] > 1.5) {
        let shown: Vec<String> = labels.iter().map(f64::to_string).collect();
        warnings.push(Warning::Note {
            message: format!(
                "answers to `{name}` skip a number ({}): only those that occur are categories",
                shown.join(", ")
            ),
        });
    }
    let codes = used
        .iter()
        .map(|v| {
            if v.is_nan() {
                NO_ANSWER
            } else {
                labels.partition_point(|label| label < v) as u8
            }
        })
        .collect();
    Ok((labels, codes))
}
