//! A table as GitHub Markdown.

use super::table::{Align, Line};
use super::width::one_line;
use super::{Cell, Table};

pub(super) fn render(table: &Table) -> String {
    let width = table.n_columns();
    let mut blocks: Vec<String> = Vec::new();
    if !table.title.is_empty() {
        blocks.push(format!("**{}**", escape(&table.title)));
    }
    if width > 0 {
        let headers = (0..width).map(|j| escape(&table.joined_header(j)));
        let rules = (0..width).map(|j| {
            match table.alignment(j) {
                Align::Left => ":--",
                Align::Right => "--:",
                Align::Center => ":-:",
            }
            .to_owned()
        });
        let mut lines = vec![line(headers), line(rules)];
        for drawn in &table.lines {
            match drawn {
                Line::Rule => {}
                Line::Section(heading) => lines.push(line((0..width).map(|j| {
                    if j == 0 {
                        format!("**{}**", escape(heading))
                    } else {
                        String::new()
                    }
                }))),
                Line::Row(_, row) => lines
                    .push(line((0..width).map(|j| {
                        escape(&row.get(j).map(Cell::to_string).unwrap_or_default())
                    }))),
            }
        }
        blocks.push(lines.join("\n"));
    }
    blocks.extend(table.notes.iter().map(|note| escape(note)));
    format!("{}\n", blocks.join("\n\n"))
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("| {} |", cells.join(" | "))
}

/// Text that Markdown shows as it stands: every character with a meaning gets a backslash.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).trim().chars() {
        if matches!(
            c,
            '\\' | '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '#' | '~' | '$' | '&'
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
