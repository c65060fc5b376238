//! A table as CSV with raw numbers.

use super::table::Line;
use super::{Cell, Table};

pub(super) fn render(table: &Table) -> String {
    let width = table.n_columns();
    let mut records: Vec<Vec<String>> = Vec::new();
    if width > 0 {
        records.push((0..width).map(|j| table.joined_header(j)).collect());
    }
    for line in &table.lines {
        let mut record = match line {
            Line::Rule => continue,
            Line::Section(heading) => vec![heading.clone()],
            Line::Row(_, row) => row.iter().map(raw).collect(),
        };
        record.resize(width, String::new());
        records.push(record);
    }
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    for record in &records {
        // Writing records of one length to memory cannot fail.
        if writer.write_record(record).is_err() {
            return String::new();
        }
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// The value as it reads back.
fn raw(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Integer { value, .. } => value.to_string(),
        Cell::Number { value, .. } => number(*value),
        Cell::Interval { low, high, .. } => {
            if low.is_nan() && high.is_nan() {
                String::new()
            } else {
                format!("[{}, {}]", number(*low), number(*high))
            }
        }
    }
}

/// The shortest digits that read back to the same bits; scientific when plain notation would be long.
fn number(value: f64) -> String {
    const SMALL: f64 = 1e-5;
    const LARGE: f64 = 1e16;
    if value.is_nan() {
        String::new()
    } else if value.is_finite() && value.abs() > 0.0 && !(SMALL..LARGE).contains(&value.abs()) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}
