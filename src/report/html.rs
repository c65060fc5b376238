//! A table as semantic HTML.

use super::cell::Shown;
use super::table::{Align, Line, RowKind};
use super::width::{cells, one_line};
use super::{Cell, Table};
use std::fmt::Write as _;

/// What a table needs to read well in a notebook, light or dark: booktabs rules in the text's own colour. The class is written
/// twice so that the rules are stronger than those of notebooks, which align everything to the right.
pub(super) const STYLE: &str = "<style>\
table.cocreate.cocreate{border-collapse:collapse;border-top:2px solid;border-bottom:2px solid;margin:.6em 0;\
font-variant-numeric:tabular-nums;line-height:1.35}\
table.cocreate.cocreate caption{caption-side:top;text-align:left;font-weight:600;padding:.2em 0}\
table.cocreate.cocreate th,table.cocreate.cocreate td{padding:.15em .7em;border:0;text-align:left;background:none}\
table.cocreate.cocreate thead tr:last-child th{border-bottom:1px solid}\
table.cocreate.cocreate th.group{text-align:center;\
background:linear-gradient(currentColor,currentColor) bottom center/calc(100% - 1em) 1px no-repeat}\
table.cocreate.cocreate tbody th{font-weight:400}\
table.cocreate.cocreate .r{text-align:right;white-space:nowrap}\
table.cocreate.cocreate .c{text-align:center}\
table.cocreate.cocreate .tail{display:inline-block;text-align:left}\
table.cocreate.cocreate tbody+tbody tr:first-child>*{border-top:1px solid}\
table.cocreate.cocreate th.section{font-style:italic}\
table.cocreate.cocreate tfoot td{font-size:.85em;max-width:48em;white-space:normal}\
table.cocreate.cocreate tfoot tr:first-child td{border-top:1px solid}\
</style>\n";

/// The table in a document of its own.
pub(super) fn document(table: &Table) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{}</title>\n{STYLE}</head>\n\
         <body>\n{}\n</body>\n</html>\n",
        escape(&table.title),
        render(table)
    )
}

pub(super) fn render(table: &Table) -> String {
    let mut out = String::from("<table class=\"cocreate\">\n");
    if !table.title.is_empty() {
        let _ = writeln!(out, "<caption>{}</caption>", escape(&table.title));
    }
    head(table, &mut out);
    body(table, &mut out);
    if !table.notes.is_empty() {
        out.push_str("<tfoot>\n");
        for note in &table.notes {
            let _ = writeln!(
                out,
                "<tr><td class=\"note\" colspan=\"{}\">{}</td></tr>",
                table.n_columns().max(1),
                escape(note)
            );
        }
        out.push_str("</tfoot>\n");
    }
    out.push_str("</table>");
    out
}

/// Text made safe between tags and inside quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

fn head(table: &Table, out: &mut String) {
    if table.groups.is_empty() && table.columns.is_empty() {
        return;
    }
    out.push_str("<thead>\n");
    for line in &table.groups {
        out.push_str("<tr>");
        for group in table.filled_groups(line) {
            if group.title.is_empty() {
                let _ = write!(out, "<td colspan=\"{}\"></td>", group.columns);
            } else {
                let _ = write!(
                    out,
                    "<th class=\"group\" scope=\"colgroup\" colspan=\"{}\">{}</th>",
                    group.columns,
                    escape(&group.title)
                );
            }
        }
        out.push_str("</tr>\n");
    }
    if !table.columns.is_empty() {
        out.push_str("<tr>");
        for j in 0..table.n_columns() {
            let class = class(table.alignment(j));
            let _ = write!(
                out,
                "<th scope=\"col\"{class}>{}</th>",
                escape(&table.header(j))
            );
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</thead>\n");
}

fn body(table: &Table, out: &mut String) {
    let aligns: Vec<Align> = (0..table.n_columns()).map(|j| table.alignment(j)).collect();
    let tails: Vec<usize> = (0..table.n_columns())
        .map(|j| tail_width(table, j))
        .collect();
    let empty = Cell::Empty;
    out.push_str("<tbody>\n");
    for line in table.drawn_lines() {
        match line {
            Line::Rule => out.push_str("</tbody>\n<tbody>\n"),
            Line::Section(heading) => {
                let _ = writeln!(
                    out,
                    "<tr><th class=\"section\" scope=\"rowgroup\" colspan=\"{}\">{}</th></tr>",
                    table.n_columns(),
                    escape(heading)
                );
            }
            Line::Row(kind, row) => {
                out.push_str(match kind {
                    RowKind::Body => "<tr>",
                    RowKind::Summary => "<tr class=\"summary\">",
                });
                for (j, align) in aligns.iter().enumerate() {
                    let shown = row.get(j).unwrap_or(&empty).shown();
                    let class = class(*align);
                    let tail = if *kind == RowKind::Body { tails[j] } else { 0 };
                    let content = content(&shown, *align, tail);
                    let _ = if j == 0 && *align == Align::Left {
                        write!(out, "<th scope=\"row\">{content}</th>")
                    } else {
                        write!(out, "<td{class}>{content}</td>")
                    };
                }
                out.push_str("</tr>\n");
            }
        }
    }
    out.push_str("</tbody>\n");
}

fn class(align: Align) -> &'static str {
    match align {
        Align::Left => "",
        Align::Right => " class=\"r\"",
        Align::Center => " class=\"c\"",
    }
}

/// Characters behind the units digit that a column needs room for, or 0 when all its numbers have the same.
fn tail_width(table: &Table, column: usize) -> usize {
    let mut widths: Vec<usize> = table
        .rows()
        .filter(|(kind, _)| *kind == RowKind::Body)
        .filter_map(|(_, row)| row.get(column))
        .map(Cell::shown)
        .filter(|shown| shown.aligned)
        .map(|shown| cells(&shown.tail) + cells(&shown.suffix))
        .collect();
    widths.sort_unstable();
    widths.dedup();
    match widths.as_slice() {
        [_] | [] => 0,
        [.., widest] => *widest,
    }
}

/// The text of a cell. Where the digits after the point differ in number, they stand in a box of one width, which
/// aligns the points without any character that a copy of the table would carry along.
fn content(shown: &Shown, align: Align, tail: usize) -> String {
    let minus = |text: &str| {
        let text = escape(text);
        if shown.numeric {
            text.replace('-', "−")
        } else {
            text
        }
    };
    let behind = format!("{}{}", minus(&shown.tail), minus(&shown.suffix));
    if shown.aligned && align == Align::Right && tail > 0 {
        return format!(
            "{}<span class=\"tail\" style=\"min-width:{tail}ch\">{behind}</span>",
            minus(&shown.head)
        );
    }
    format!("{}{behind}", minus(&shown.head))
}
