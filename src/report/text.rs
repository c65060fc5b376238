//! A table as aligned Unicode text.

use super::cell::Shown;
use super::table::{Align, Line, RowKind};
use super::width::{cells, one_line, wrap};
use super::{Cell, Table};

/// Blanks between columns.
const GAP: usize = 2;
/// Notes under a narrow table may be this wide.
const NOTE_WIDTH: usize = 80;

pub(super) fn render(table: &Table) -> String {
    let mut columns: Vec<Column> = (0..table.n_columns())
        .map(|j| Column::measure(table, j))
        .collect();
    widen_for_groups(table, &mut columns);
    let gaps = GAP * columns.len().saturating_sub(1);
    let mut width = gaps + columns.iter().map(|c| c.width).sum::<usize>();
    for line in &table.lines {
        if let Line::Section(heading) = line {
            width = width.max(cells(heading));
        }
    }
    let rule = "─".repeat(width);

    let mut lines: Vec<String> = Vec::new();
    let title = one_line(&table.title);
    lines.extend(wrap(&title, width.max(NOTE_WIDTH) as f64, |s| {
        cells(s) as f64
    }));
    if width > 0 {
        lines.push(rule.clone());
        header_lines(table, &columns, &rule, &mut lines);
        let body = table.drawn_lines();
        for line in &body {
            lines.push(match line {
                Line::Row(kind, row) => row_line(&columns, *kind, row),
                Line::Section(heading) => one_line(heading),
                Line::Rule => rule.clone(),
            });
        }
        if !body.is_empty() {
            lines.push(rule);
        }
    }
    for note in &table.notes {
        lines.extend(wrap(note, width.max(NOTE_WIDTH) as f64, |s| {
            cells(s) as f64
        }));
    }
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n")
}

/// The measures of a column: of the parts of its aligned numbers, and of all.
struct Column {
    align: Align,
    head: usize,
    tail: usize,
    width: usize,
}

impl Column {
    fn measure(table: &Table, j: usize) -> Self {
        let mut column = Self {
            align: table.alignment(j),
            head: 0,
            tail: 0,
            width: cells(&table.header(j)),
        };
        for (kind, row) in table.rows() {
            let shown = row.get(j).map(Cell::shown).unwrap_or_default();
            if kind == RowKind::Body && shown.aligned && column.align == Align::Right {
                column.head = column.head.max(cells(&shown.head));
                column.tail = column.tail.max(cells(&shown.tail) + cells(&shown.suffix));
            } else {
                column.width = column.width.max(cells(&shown.text()));
            }
        }
        column.width = column.width.max(column.head + column.tail);
        column
    }

    fn place(&self, kind: RowKind, shown: &Shown) -> String {
        let text = shown.text();
        if kind == RowKind::Body && shown.aligned && self.align == Align::Right {
            let after = self.tail - cells(&shown.tail) - cells(&shown.suffix);
            return pad(
                &format!("{text}{}", " ".repeat(after)),
                self.width,
                Align::Right,
            );
        }
        pad(&text, self.width, self.align)
    }
}

/// A group's title may be wider than its columns together: the last of them then grows.
fn widen_for_groups(table: &Table, columns: &mut [Column]) {
    for line in &table.groups {
        let mut start = 0;
        for group in line {
            let end = start + group.columns;
            let now = span_width(&columns[start..end]);
            let missing = cells(&one_line(&group.title)).saturating_sub(now);
            columns[end - 1].width += missing;
            start = end;
        }
    }
}

fn span_width(columns: &[Column]) -> usize {
    columns.iter().map(|c| c.width).sum::<usize>() + GAP * columns.len().saturating_sub(1)
}

fn header_lines(table: &Table, columns: &[Column], rule: &str, lines: &mut Vec<String>) {
    let gap = " ".repeat(GAP);
    for line in &table.groups {
        let (mut titles, mut rules) = (Vec::new(), Vec::new());
        let mut start = 0;
        for group in table.filled_groups(line) {
            let end = start + group.columns;
            let width = span_width(&columns[start..end]);
            let title = one_line(&group.title);
            rules.push(if title.is_empty() { " " } else { "─" }.repeat(width));
            titles.push(pad(&title, width, Align::Center));
            start = end;
        }
        lines.push(titles.join(&gap));
        lines.push(rules.join(&gap));
    }
    if !table.columns.is_empty() {
        let headers: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(j, column)| header(table, column, j))
            .collect();
        lines.push(headers.join(&gap));
    }
    if !(table.groups.is_empty() && table.columns.is_empty()) {
        lines.push(rule.to_owned());
    }
}

fn header(table: &Table, column: &Column, j: usize) -> String {
    pad(&table.header(j), column.width, column.align)
}

fn row_line(columns: &[Column], kind: RowKind, row: &[Cell]) -> String {
    let empty = Cell::Empty;
    let placed: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(j, column)| column.place(kind, &row.get(j).unwrap_or(&empty).shown()))
        .collect();
    placed.join(&" ".repeat(GAP))
}

fn pad(text: &str, width: usize, align: Align) -> String {
    let missing = width.saturating_sub(cells(text));
    let left = match align {
        Align::Left => 0,
        Align::Right => missing,
        Align::Center => missing / 2,
    };
    format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left))
}
