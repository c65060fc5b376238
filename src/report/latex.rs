//! A table as LaTeX with booktabs rules.

use super::cell::Shown;
use super::table::{Align, Group, Line, RowKind};
use super::width::{cells, one_line};
use super::{Cell, Table};
use std::fmt::Write as _;

pub(super) fn render(table: &Table) -> String {
    let width = table.n_columns();
    let aligns: Vec<Align> = (0..width).map(|j| table.alignment(j)).collect();
    let tails: Vec<Tail> = (0..width).map(|j| Tail::widest(table, j)).collect();
    let flush = vec![Tail::default(); width];
    let letters: String = aligns.iter().map(|a| letter(*a)).collect();

    let mut out = String::from("\\begin{table}[htbp]\n\\centering\n");
    if !table.title.is_empty() {
        let _ = writeln!(out, "\\caption{{{}}}", escape(&table.title));
    }
    if let Some(label) = &table.label {
        let _ = writeln!(out, "\\label{{{}}}", safe_label(label));
    }
    if width > 0 {
        let _ = writeln!(out, "\\begin{{tabular}}{{{letters}}}\n\\toprule");
        head(table, &aligns, &mut out);
        for line in table.drawn_lines() {
            match line {
                Line::Rule => out.push_str("\\midrule\n"),
                Line::Section(heading) => {
                    let _ = writeln!(
                        out,
                        "\\multicolumn{{{width}}}{{l}}{{\\textit{{{}}}}} \\\\",
                        escape(heading)
                    );
                }
                Line::Row(RowKind::Body, row) => out.push_str(&row_line(row, &aligns, &tails)),
                Line::Row(RowKind::Summary, row) => out.push_str(&row_line(row, &aligns, &flush)),
            }
        }
        out.push_str("\\bottomrule\n\\end{tabular}\n");
    }
    for note in &table.notes {
        let _ = writeln!(
            out,
            "\\par\\smallskip\\parbox{{0.95\\linewidth}}{{\\footnotesize {}}}",
            escape(note)
        );
    }
    out.push_str("\\end{table}\n");
    out
}

fn letter(align: Align) -> char {
    match align {
        Align::Left => 'l',
        Align::Right => 'r',
        Align::Center => 'c',
    }
}

fn head(table: &Table, aligns: &[Align], out: &mut String) {
    for line in &table.groups {
        let groups = table.filled_groups(line);
        let titles: Vec<String> = groups.iter().map(group_cell).collect();
        let _ = writeln!(out, "{} \\\\", titles.join(" & "));
        let mut start = 1;
        let mut rules = Vec::new();
        for group in &groups {
            let end = start + group.columns - 1;
            if !group.title.is_empty() {
                rules.push(format!("\\cmidrule(lr){{{start}-{end}}}"));
            }
            start = end + 1;
        }
        if !rules.is_empty() {
            let _ = writeln!(out, "{}", rules.join(" "));
        }
    }
    if !table.columns.is_empty() {
        let headers: Vec<String> = aligns
            .iter()
            .enumerate()
            .map(|(j, align)| match align {
                Align::Left => escape(&table.header(j)),
                // Numbers are set to the right of their column, and a header of one line sits best over their middle.
                Align::Right | Align::Center => {
                    format!("\\multicolumn{{1}}{{c}}{{{}}}", escape(&table.header(j)))
                }
            })
            .collect();
        let _ = writeln!(out, "{} \\\\", headers.join(" & "));
    }
    if !(table.groups.is_empty() && table.columns.is_empty()) {
        out.push_str("\\midrule\n");
    }
}

fn group_cell(group: &Group) -> String {
    if group.title.is_empty() && group.columns == 1 {
        return String::new();
    }
    format!(
        "\\multicolumn{{{}}}{{c}}{{{}}}",
        group.columns,
        escape(&group.title)
    )
}

fn row_line(row: &[Cell], aligns: &[Align], tails: &[Tail]) -> String {
    let empty = Cell::Empty;
    let cells: Vec<String> = aligns
        .iter()
        .zip(tails)
        .enumerate()
        .map(|(j, (align, tail))| content(&row.get(j).unwrap_or(&empty).shown(), *align, tail))
        .collect();
    format!("{} \\\\\n", cells.join(" & "))
}

/// What the longest number of a column has behind its units digit: decimals and a suffix.
#[derive(Clone, Default)]
struct Tail {
    decimals: usize,
    suffix: String,
}

impl Tail {
    fn widest(table: &Table, column: usize) -> Self {
        let mut widest = Self::default();
        for (_, row) in table.rows().filter(|(kind, _)| *kind == RowKind::Body) {
            let shown = row.get(column).map(Cell::shown).unwrap_or_default();
            if shown.aligned {
                widest.decimals = widest.decimals.max(cells(&shown.tail));
                if cells(&shown.suffix) > cells(&widest.suffix) {
                    widest.suffix = shown.suffix;
                }
            }
        }
        widest
    }
}

/// A cell of the body; an aligned number is followed by the invisible rest of the widest tail of its column, its own
/// suffix laid over it.
fn content(shown: &Shown, align: Align, widest: &Tail) -> String {
    let text = |part: &str| {
        if shown.numeric {
            math_minus(part)
        } else {
            escape(part)
        }
    };
    let mut out = format!("{}{}", text(&shown.head), text(&shown.tail));
    if !(shown.aligned && align == Align::Right) {
        out.push_str(&suffix(&shown.suffix));
        return out;
    }
    // The tail is ".123" or nothing, so what is missing is a run of digits, perhaps with the point.
    let missing = widest.decimals.saturating_sub(cells(&shown.tail));
    let rest = match (missing, shown.tail.is_empty()) {
        (0, _) => String::new(),
        (n, true) => format!(".{}", "0".repeat(n - 1)),
        (n, false) => "0".repeat(n),
    };
    if shown.suffix == widest.suffix && rest.is_empty() {
        out.push_str(&suffix(&shown.suffix));
        return out;
    }
    if !shown.suffix.is_empty() {
        let _ = write!(out, "\\rlap{{{}}}", suffix(&shown.suffix));
    }
    let _ = write!(out, "\\phantom{{{rest}{}}}", suffix(&widest.suffix));
    out
}

/// Stars are raised; the rest is set as text.
fn suffix(text: &str) -> String {
    let plain = text.trim_end_matches('*');
    let stars = &text[plain.len()..];
    let plain = escape(plain);
    if stars.is_empty() {
        plain
    } else {
        format!("{plain}$^{{{stars}}}$")
    }
}

/// The text of a number, with true minus signs.
fn math_minus(text: &str) -> String {
    escape(text).replace('-', "$-$")
}

/// Letters that a reference needs no quoting for.
fn safe_label(label: &str) -> String {
    label
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | ':' | '.' | '_' | '-' => c,
            _ => '-',
        })
        .collect()
}

/// Text that LaTeX sets as it stands. Common symbols become commands, since pdfLaTeX's fonts lack them; other letters
/// pass through as UTF-8, which LaTeX has read by default since 2018.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut previous = ' ';
    let text = one_line(text);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let accent = characters.peek().copied().and_then(math_accent);
        if let Some((command, letter)) = accent.zip(math_letter(c)) {
            let _ = write!(out, "${command}{{{letter}}}$");
            characters.next();
            previous = ' ';
            continue;
        }
        match c {
            '%' | '&' | '_' | '#' | '$' | '{' | '}' => {
                out.push('\\');
                out.push(c);
            }
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '`' => out.push_str("\\textasciigrave{}"),
            '"' => out.push_str("''"),
            // After `\\` a bracket would open an option and a star belong to the command; braces protect them.
            '[' | ']' | '*' => {
                let _ = write!(out, "{{{c}}}");
            }
            '<' | '>' | '|' => {
                let _ = write!(out, "${c}$");
            }
            // Two hyphens would become a dash, two commas or quotes a quotation mark.
            '-' | '\'' | ',' if previous == c => {
                let _ = write!(out, "{{}}{c}");
            }
            _ => match symbol(c) {
                Some(command) => out.push_str(command),
                None => out.push(c),
            },
        }
        previous = c;
    }
    out
}

/// The command for a combining mark that statisticians write: hat, tilde and bar.
fn math_accent(mark: char) -> Option<&'static str> {
    match mark {
        '\u{302}' => Some("\\hat"),
        '\u{303}' => Some("\\tilde"),
        '\u{304}' => Some("\\bar"),
        _ => None,
    }
}

/// A letter as it is written in a formula.
fn math_letter(c: char) -> Option<String> {
    if c.is_ascii_alphabetic() {
        return Some(c.to_string());
    }
    symbol(c)
        .filter(|_| c.is_alphabetic())
        .map(|command| command.trim_matches('$').to_owned())
}

/// The command for a symbol outside the usual text fonts.
fn symbol(c: char) -> Option<&'static str> {
    let command = match c {
        '−' => "$-$",
        '–' => "--",
        '—' => "---",
        '…' => "\\ldots{}",
        '∞' => "$\\infty$",
        '×' => "$\\times$",
        '·' => "$\\cdot$",
        '±' => "$\\pm$",
        '≤' => "$\\leq$",
        '≥' => "$\\geq$",
        '≠' => "$\\neq$",
        '≈' => "$\\approx$",
        '√' => "$\\surd$",
        '→' => "$\\rightarrow$",
        '←' => "$\\leftarrow$",
        '∑' => "$\\sum$",
        '∈' => "$\\in$",
        '°' => "$^{\\circ}$",
        '¹' => "$^{1}$",
        '²' => "$^{2}$",
        '³' => "$^{3}$",
        '₀' => "$_{0}$",
        '₁' => "$_{1}$",
        '₂' => "$_{2}$",
        '†' => "\\dag{}",
        '‡' => "\\ddag{}",
        'α' => "$\\alpha$",
        'β' => "$\\beta$",
        'γ' => "$\\gamma$",
        'δ' => "$\\delta$",
        'ε' => "$\\varepsilon$",
        'ζ' => "$\\zeta$",
        'η' => "$\\eta$",
        'θ' => "$\\theta$",
        'ι' => "$\\iota$",
        'κ' => "$\\kappa$",
        'λ' => "$\\lambda$",
        'μ' | 'µ' => "$\\mu$",
        'ν' => "$\\nu$",
        'ξ' => "$\\xi$",
        'π' => "$\\pi$",
        'ρ' => "$\\rho$",
        'σ' => "$\\sigma$",
        'τ' => "$\\tau$",
        'υ' => "$\\upsilon$",
        'φ' => "$\\varphi$",
        'χ' => "$\\chi$",
        'ψ' => "$\\psi$",
        'ω' => "$\\omega$",
        'Γ' => "$\\Gamma$",
        'Δ' => "$\\Delta$",
        'Θ' => "$\\Theta$",
        'Λ' => "$\\Lambda$",
        'Ξ' => "$\\Xi$",
        'Π' => "$\\Pi$",
        'Σ' => "$\\Sigma$",
        'Φ' => "$\\Phi$",
        'Ψ' => "$\\Psi$",
        'Ω' => "$\\Omega$",
        _ => return None,
    };
    Some(command)
}
