//! A table as JSON with raw numbers.

use super::table::Line;
use super::{Cell, Table};
use serde_json::{Value, json};

pub(super) fn render(table: &Table) -> Value {
    let width = table.n_columns();
    let rows: Vec<Value> = table
        .lines
        .iter()
        .filter_map(|line| match line {
            Line::Rule => None,
            Line::Section(heading) => Some(json!({ "kind": "section", "cells": [heading] })),
            Line::Row(kind, row) => {
                let mut cells: Vec<Value> = row.iter().map(cell).collect();
                cells.resize(width, Value::Null);
                Some(json!({ "kind": kind, "cells": cells }))
            }
        })
        .collect();
    json!({
        "title": table.title,
        "groups": table.groups,
        "columns": table.columns,
        "rows": rows,
        "notes": table.notes,
    })
}

/// The raw value of a cell.
pub(super) fn cell(cell: &Cell) -> Value {
    match cell {
        Cell::Empty => Value::Null,
        Cell::Text(text) => json!(text),
        Cell::Integer { value, .. } => json!(value),
        Cell::Number { value, .. } => number(*value),
        Cell::Interval { low, high, .. } => {
            if low.is_nan() && high.is_nan() {
                Value::Null
            } else {
                json!([number(*low), number(*high)])
            }
        }
    }
}

/// JSON has no infinity; the names are those of JavaScript.
fn number(value: f64) -> Value {
    if value.is_infinite() {
        json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        // `null` for NaN.
        json!(value)
    }
}
