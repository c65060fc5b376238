//! Every output of one table as it must look, and properties that hold whatever the cells contain.

use super::width::{cells, one_line};
use super::{Cell, NumberFormat, RowKind, Table};
use proptest::prelude::*;

/// A small table with everything that needs escaping or alignment.
fn sample() -> Table {
    Table::new("Effects & <costs>")
        .label("tab:effects & costs")
        .group_headers([("", 1), ("OLS", 2)])
        .columns(["", "(1)", "(2)_a"])
        .section("Panel A|B")
        .row([
            "price_€ 50%".into(),
            Cell::fixed(-0.1234, 3).stars(2),
            Cell::significant(12.0, 4),
        ])
        .row([Cell::empty(), Cell::fixed(0.045, 3).parenthesised()])
        .row([
            "θ\u{302} \"価格\"".into(),
            Cell::fixed(f64::NAN, 3),
            Cell::interval(-0.5, f64::INFINITY, 1),
        ])
        .summary(["N".into(), Cell::count(1200), Cell::from(0.1 + 0.2)])
        .note("* p < 0.05")
}

#[test]
fn text() {
    let expected = "\
Effects & <costs>
────────────────────────────────
                     OLS
             ───────────────────
                  (1)      (2)_a
────────────────────────────────
Panel A|B
price_€ 50%  -0.123**      12.00
             (0.045)
θ\u{302} \"価格\"      –        [-0.5, ∞)
────────────────────────────────
N               1,200     0.3000
────────────────────────────────
* p < 0.05";
    assert_eq!(sample().to_string(), expected);
}

#[test]
fn html() {
    let expected = "\
<table class=\"cocreate\">
<caption>Effects &amp; &lt;costs&gt;</caption>
<thead>
<tr><td colspan=\"1\"></td><th class=\"group\" scope=\"colgroup\" colspan=\"2\">OLS</th></tr>
<tr><th scope=\"col\"></th><th scope=\"col\" class=\"r\">(1)</th><th scope=\"col\" class=\"r\">(2)_a</th></tr>
</thead>
<tbody>
<tr><th class=\"section\" scope=\"rowgroup\" colspan=\"3\">Panel A|B</th></tr>
<tr><th scope=\"row\">price_€ 50%</th><td class=\"r\">−0<span class=\"tail\" style=\"min-width:6ch\">.123**</span></td><td class=\"r\">12.00</td></tr>
<tr><th scope=\"row\"></th><td class=\"r\">(0<span class=\"tail\" style=\"min-width:6ch\">.045)</span></td><td class=\"r\"></td></tr>
<tr><th scope=\"row\">θ\u{302} &quot;価格&quot;</th><td class=\"r\">–<span class=\"tail\" style=\"min-width:6ch\"></span></td><td class=\"r\">[−0.5, ∞)</td></tr>
</tbody>
<tbody>
<tr class=\"summary\"><th scope=\"row\">N</th><td class=\"r\">1,200</td><td class=\"r\">0.3000</td></tr>
</tbody>
<tfoot>
<tr><td class=\"note\" colspan=\"3\">* p &lt; 0.05</td></tr>
</tfoot>
</table>";
    assert_eq!(sample().to_bare_html(), expected);
    assert!(sample().to_html().starts_with("<style>"));
}

#[test]
fn latex() {
    let expected = r"\begin{table}[htbp]
\centering
\caption{Effects \& $<$costs$>$}
\label{tab:effects---costs}
\begin{tabular}{lrr}
\toprule
 & \multicolumn{2}{c}{OLS} \\
\cmidrule(lr){2-3}
 & \multicolumn{1}{c}{(1)} & \multicolumn{1}{c}{(2)\_a} \\
\midrule
\multicolumn{3}{l}{\textit{Panel A$|$B}} \\
price\_€ 50\% & $-$0.123$^{**}$ & 12.00 \\
 & (0.045\rlap{)}\phantom{$^{**}$} &  \\
$\hat{\theta}$ ''価格'' & --\phantom{.000$^{**}$} & {[}$-$0.5, $\infty$) \\
\midrule
N & 1,200 & 0.3000 \\
\bottomrule
\end{tabular}
\par\smallskip\parbox{0.95\linewidth}{\footnotesize {*} p $<$ 0.05}
\end{table}
";
    assert_eq!(sample().to_latex(), expected);
}

#[test]
fn latex_escapes_what_it_must() {
    let escaped = super::latex::escape("% & _ # $ { } ~ ^ \\ − a--b [*] α̂\u{302}");
    assert_eq!(
        escaped,
        "\\% \\& \\_ \\# \\$ \\{ \\} \\textasciitilde{} \\textasciicircum{} \\textbackslash{} $-$ a-{}-b \
         {[}{*}{]} $\\hat{\\alpha}$\u{302}"
    );
}

#[test]
fn markdown() {
    let expected = "\
**Effects \\& \\<costs\\>**

|  | OLS: (1) | OLS: (2)\\_a |
| :-- | --: | --: |
| **Panel A\\|B** |  |  |
| price\\_€ 50% | -0.123\\*\\* | 12.00 |
|  | (0.045) |  |
| θ\u{302} \"価格\" | – | \\[-0.5, ∞) |
| N | 1,200 | 0.3000 |

\\* p \\< 0.05
";
    assert_eq!(sample().to_markdown(), expected);
}

#[test]
fn csv() {
    let expected = "\
,OLS: (1),OLS: (2)_a
Panel A|B,,
price_€ 50%,-0.1234,12
,0.045,
\"θ\u{302} \"\"価格\"\"\",,\"[-0.5, inf]\"
N,1200,0.30000000000000004
";
    assert_eq!(sample().to_csv(), expected);
}

#[test]
fn json() {
    let expected = serde_json::json!({
        "title": "Effects & <costs>",
        "groups": [[{"title": "", "columns": 1}, {"title": "OLS", "columns": 2}]],
        "columns": ["", "(1)", "(2)_a"],
        "rows": [
            {"kind": "section", "cells": ["Panel A|B"]},
            {"kind": "body", "cells": ["price_€ 50%", -0.1234, 12.0]},
            {"kind": "body", "cells": [null, 0.045, null]},
            {"kind": "body", "cells": ["θ\u{302} \"価格\"", null, [-0.5, "Infinity"]]},
            {"kind": "summary", "cells": ["N", 1200, 0.1 + 0.2]},
        ],
        "notes": ["* p < 0.05"],
    });
    assert_eq!(sample().to_json(), expected);
    assert_eq!(serde_json::to_value(sample()).unwrap(), expected);
}

#[test]
fn rules_are_drawn_between_rows_only() {
    let table = Table::new("")
        .rule()
        .row(["a"])
        .rule()
        .rule()
        .row(["b"])
        .rule();
    assert_eq!(table.to_string(), "─\na\n─\nb\n─");
    assert_eq!(Table::new("only a title").to_string(), "only a title");
    assert_eq!(Table::new("").to_string(), "");
}

#[test]
fn a_longer_row_widens_the_table() {
    let table = Table::new("")
        .columns(["a"])
        .row(["1", "2", "3"])
        .row(["x"]);
    assert_eq!((table.n_rows(), table.n_columns()), (2, 3));
    assert_eq!(table.to_csv(), "a,,\n1,2,3\nx,,\n");
    assert_eq!(table.cell(0, 2), Some(&Cell::text("3")));
}

#[test]
fn the_extension_decides_the_format() {
    let folder = std::env::temp_dir().join(format!("cocreate-table-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (extension, begins) in [
        ("txt", "Effects & "),
        ("html", "<!DOCTYPE"),
        ("tex", "\\begin{table}"),
        ("md", "**Effects"),
        ("csv", ",OLS"),
        ("json", "{"),
    ] {
        let path = sample()
            .write(folder.join(format!("t.{extension}")))
            .unwrap();
        assert!(path.is_absolute());
        assert!(std::fs::read_to_string(path).unwrap().starts_with(begins));
    }
    assert!(sample().write(folder.join("t.docx")).is_err());
    assert!(sample().write(folder.join("no/folder/t.csv")).is_err());
    std::fs::remove_dir_all(folder).unwrap();
}

/// Texts full of what the formats treat specially.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\\\{}%&_#$~^\\[\\]*<>|\"'`,;:=+a\\- \n\r\t\u{0}\u{302}θ価−∞x]{0,12}",
        Just("</table><script>".to_owned()),
    ]
}

fn any_cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        3 => any_text().prop_map(Cell::Text),
        1 => Just(Cell::Empty),
        1 => any::<f64>().prop_map(Cell::from),
        1 => (any::<f64>(), 0..6usize, 0..4u8).prop_map(|(v, d, s)| Cell::fixed(v, d).stars(s)),
        1 => (any::<f64>(), 0..6usize).prop_map(|(v, d)| Cell::percent(v, d).parenthesised()),
        1 => any::<f64>().prop_map(Cell::p_value),
        1 => (any::<f64>(), any::<f64>(), 0..4usize).prop_map(|(a, b, d)| Cell::interval(a, b, d)),
        1 => any::<usize>().prop_map(Cell::count),
    ]
}

prop_compose! {
    fn any_table()(
        title in any_text(),
        headers in prop::collection::vec(any_text(), 0..4),
        groups in prop::collection::vec((any_text(), 0..3usize), 0..3),
        rows in prop::collection::vec(prop::collection::vec(any_cell(), 0..5), 0..5),
        summary in prop::collection::vec(any_cell(), 0..5),
        section in any_text(),
        note in any_text(),
    ) -> Table {
        let mut table = Table::new(title).columns(headers);
        if !groups.is_empty() {
            table = table.group_headers(groups);
        }
        for row in rows {
            table = table.row_of(RowKind::Body, row);
        }
        table.section(section).summary(summary).rule().note(note)
    }
}

proptest! {
    #[test]
    fn html_stays_well_formed(table in any_table()) {
        let html = table.to_html();
        well_formed(&html).map_err(TestCaseError::fail)?;
        for row in html.split("<tr").skip(1) {
            let row = row.split("</tr>").next().unwrap_or("");
            prop_assert_eq!(html_columns(row), table.n_columns().max(1));
        }
    }

    #[test]
    fn html_keeps_the_text(text in any_text()) {
        let escaped = super::html::escape(&text);
        prop_assert_eq!(unescape(&escaped), one_line(&text));
    }

    #[test]
    fn latex_stays_balanced(table in any_table()) {
        let latex = table.to_latex();
        let separators = latex_separators(&latex).map_err(TestCaseError::fail)?;
        // A spanned section or group has fewer separators; a row of cells has all of them.
        prop_assert!(separators.iter().all(|n| *n < table.n_columns().max(1)));
        let full = separators.iter().filter(|n| **n + 1 == table.n_columns()).count();
        prop_assert!(full >= table.n_rows());
    }

    #[test]
    fn csv_reads_back(table in any_table()) {
        let csv = table.to_csv();
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
        let records: Vec<::csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
        prop_assert!(records.iter().all(|r| r.len() == table.n_columns()));
        // The header, a line per row, and the section, which stands before the summary row.
        prop_assert_eq!(records.len(), table.n_rows() + 2);
        let body = &records[1..table.n_rows()];
        for (record, (_, row)) in body.iter().zip(table.rows()) {
            for (field, cell) in record.iter().zip(row) {
                match cell {
                    Cell::Text(text) => prop_assert_eq!(field, text),
                    Cell::Number { value, .. } if value.is_nan() => prop_assert_eq!(field, ""),
                    Cell::Number { value, .. } => {
                        prop_assert_eq!(field.parse::<f64>().unwrap().to_bits(), value.to_bits());
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn markdown_keeps_its_columns(table in any_table()) {
        let markdown = table.to_markdown();
        let rows = markdown.lines().filter(|line| line.starts_with("| "));
        let mut count = 0;
        for row in rows {
            count += 1;
            let mut escaped = false;
            let mut pipes = 0;
            for c in row.chars() {
                pipes += usize::from(c == '|' && !escaped);
                escaped = c == '\\' && !escaped;
            }
            prop_assert_eq!(pipes, table.n_columns() + 1);
        }
        prop_assert_eq!(count, if table.n_columns() > 0 { table.n_rows() + 3 } else { 0 });
    }

    #[test]
    fn json_keeps_its_columns(table in any_table()) {
        let parsed: serde_json::Value = serde_json::from_str(&table.to_json().to_string()).unwrap();
        for row in parsed["rows"].as_array().unwrap() {
            let expected = if row["kind"] == "section" { 1 } else { table.n_columns() };
            prop_assert_eq!(row["cells"].as_array().unwrap().len(), expected);
        }
    }

    #[test]
    fn text_lines_stay_within_the_rule(cells_of_rows in prop::collection::vec(prop::collection::vec(any_cell(), 1..4), 1..5)) {
        let title = "word ".repeat(40);
        let table = cells_of_rows.into_iter().fold(Table::new(title).columns(["x"]), Table::row);
        let text = table.to_string();
        let text = &text[text.find('─').unwrap()..];
        let rule = text.lines().next().unwrap();
        prop_assert!(rule.chars().all(|c| c == '─'));
        prop_assert_eq!(text.lines().count(), table.n_rows() + 4);
        prop_assert!(text.lines().all(|line| cells(line) <= cells(rule)));
        prop_assert_eq!(text.lines().filter(|line| *line == rule).count(), 3);
    }

    #[test]
    fn shown_numbers_are_rounded_numbers(value in -1e12..1e12f64, decimals in 0..6i32) {
        let half = 0.5 * 10f64.powi(-decimals) + 1e-3 * f64::EPSILON * value.abs().max(1.0);
        let shown: f64 = Cell::fixed(value, usize::try_from(decimals).unwrap()).to_string().parse().unwrap();
        prop_assert!((shown - value).abs() <= half * (1.0 + 1e-6) + value.abs() * f64::EPSILON);
        let grouped = Cell::number(value, NumberFormat::Grouped).to_string().replace(',', "");
        prop_assert!((grouped.parse::<f64>().unwrap() - value).abs() <= 0.5 + value.abs() * f64::EPSILON);
    }
}

/// Whether every tag of the markup is closed in order, and no stray angle bracket or ampersand is left.
pub(super) fn well_formed(markup: &str) -> Result<(), String> {
    let mut open: Vec<String> = Vec::new();
    let mut rest = markup;
    while let Some(start) = rest.find('<') {
        texts_are_escaped(&rest[..start])?;
        let end = rest[start..].find('>').ok_or("a tag without end")? + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let name = |t: &str| t.split([' ', '\n']).next().unwrap_or("").to_owned();
        if let Some(closing) = tag.strip_prefix('/') {
            if open.pop().as_deref() != Some(closing) {
                return Err(format!("</{closing}> closes another tag"));
            }
        } else if !(tag.ends_with('/') || tag.starts_with('!') || name(tag) == "meta") {
            open.push(name(tag));
        }
        if !tag.matches('"').count().is_multiple_of(2) || tag.contains('<') {
            return Err(format!("<{tag}> is broken"));
        }
    }
    texts_are_escaped(rest)?;
    if open.is_empty() {
        Ok(())
    } else {
        Err(format!("{open:?} are left open"))
    }
}

fn texts_are_escaped(text: &str) -> Result<(), String> {
    const ENTITIES: [&str; 6] = ["amp;", "lt;", "gt;", "quot;", "#39;", "apos;"];
    // `>` occurs in selectors of the style sheet, which is no text.
    if text.contains('>') && !text.contains('{') {
        return Err(format!("{text:?} holds an angle bracket"));
    }
    let stray = text
        .split('&')
        .skip(1)
        .any(|after| !ENTITIES.iter().any(|e| after.starts_with(e)));
    if stray {
        Err(format!("{text:?} holds an ampersand"))
    } else {
        Ok(())
    }
}

/// The text that the escaped text stands for.
pub(super) fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

/// Columns that the cells of a row cover.
fn html_columns(row: &str) -> usize {
    row.split('<')
        .filter(|tag| tag.starts_with("td") || (tag.starts_with("th") && !tag.starts_with("thead")))
        .map(|tag| match tag.split_once("colspan=\"") {
            Some((_, rest)) => rest.split('"').next().unwrap_or("").parse().unwrap_or(0),
            None => 1,
        })
        .sum()
}

/// Reads LaTeX as its lexer does: braces and dollars must balance, special characters must be escaped. Returns the
/// number of column separators of each line that ends in `\\`.
fn latex_separators(latex: &str) -> Result<Vec<usize>, String> {
    let mut separators = Vec::new();
    for line in latex.lines() {
        let (mut depth, mut math, mut ampersands, mut ends) = (0_i32, false, 0, false);
        let mut characters = line.chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                '\\' => match characters.next() {
                    Some('\\') => ends = true,
                    Some(letter) if letter.is_ascii_alphabetic() => {
                        while characters.next_if(char::is_ascii_alphabetic).is_some() {}
                    }
                    Some(_) => {}
                    None => return Err(format!("{line:?} ends in a backslash")),
                },
                '{' => depth += 1,
                '}' => depth -= 1,
                '$' => math = !math,
                '&' => ampersands += 1,
                '^' | '_' if !math => return Err(format!("{line:?}: {c} outside of a formula")),
                '%' | '#' | '~' => return Err(format!("{line:?}: bare {c}")),
                _ => {}
            }
            if depth < 0 {
                return Err(format!("{line:?} closes a brace too many"));
            }
        }
        if depth != 0 || math {
            return Err(format!("{line:?} leaves a brace or formula open"));
        }
        if ends {
            separators.push(ampersands);
        }
    }
    Ok(separators)
}
