//! Which rows can be used: those where nothing is missing, and nothing used is infinite.

use crate::data::column::{Column, MISSING};
use crate::data::frame::Frame;
use crate::data::rows::Rows;
use crate::error::{Error, Result};

/// The rows where no column is missing, and the columns that have missing values. Without any, no row is looked at.
pub(super) fn used_rows(names: &[String], frame: &Frame) -> Result<(Rows, Vec<(String, usize)>)> {
    let mut missing = Vec::new();
    let mut present: Option<Vec<bool>> = None;
    for name in names {
        let column = frame.column(name)?;
        if column.missing() == 0 {
            continue;
        }
        missing.push((name.clone(), column.missing()));
        let present = present.get_or_insert_with(|| vec![true; frame.rows()]);
        match column {
            Column::Real(real) => mark(present, real.values(), |v| !v.is_nan()),
            Column::Time(time) => mark(present, time.seconds().values(), |v| !v.is_nan()),
            Column::Label(label) => mark(present, label.codes(), |c| *c != MISSING),
            Column::Flag(_) => {}
        }
    }
    let rows = match present {
        None => Rows::all(frame.rows()),
        Some(present) => Rows::from_mask(&present),
    };
    if rows.is_empty() {
        return Err(Error::NoRows {
            reason: why_empty(&missing, frame.rows()),
        });
    }
    Ok((rows, missing))
}

/// Clears the flags of missing entries.
fn mark<T>(present: &mut [bool], values: &[T], there: impl Fn(&T) -> bool) {
    for (flag, value) in present.iter_mut().zip(values) {
        *flag &= there(value);
    }
}

/// "every row has a missing value; the emptiest columns are …"
fn why_empty(missing: &[(String, usize)], rows: usize) -> String {
    const SHOWN: usize = 3;
    if rows == 0 {
        return "the frame has none".to_owned();
    }
    let mut emptiest = missing.to_vec();
    emptiest.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let list: Vec<String> = emptiest
        .iter()
        .take(SHOWN)
        .map(|(name, count)| format!("`{name}` ({count} of {rows} missing)"))
        .collect();
    format!(
        "every row has a missing value; the emptiest columns are {}",
        list.join(", ")
    )
}

/// Refuses infinite values of used columns on used rows.
pub(super) fn refuse_infinite(names: &[String], frame: &Frame, rows: &Rows) -> Result<()> {
    for name in names {
        let real = match frame.column(name)? {
            Column::Real(real) => real,
            Column::Time(time) => time.seconds(),
            Column::Flag(_) | Column::Label(_) => continue,
        };
        if real.infinite() == 0 {
            continue;
        }
        let first = (0..rows.len())
            .map(|i| rows.index(i))
            .find(|row| real.values()[*row].is_infinite());
        if let Some(row) = first {
            return Err(Error::Infinite {
                column: name.clone(),
                row: row + 1,
            });
        }
    }
    Ok(())
}
