//! A table: title, headers, rows of cells, rules and notes, to be printed in six formats.

use super::width::one_line;
use super::{Cell, csv, html, json, latex, markdown, notebook, text, write_file};
use crate::error::{Error, Result};
use serde::{Serialize, Serializer};
use std::path::{Path, PathBuf};

/// A table built row by row and printed as text (`Display`), HTML, LaTeX, Markdown, CSV or JSON.
///
/// A row shorter than the table is filled with empty cells; a longer one widens the table, so nothing given is lost.
/// In columns that hold numbers the body is aligned on the decimal point; summary rows, whose numbers differ in kind, are
/// flush right, and a rule is drawn before the first of them.
///
/// ```
/// use cocreate::prelude::*;
/// let table = Table::new("Effect of the configurator")
///     .columns(["", "(1)", "(2)"])
///     .row(["configurator".into(), Cell::fixed(0.1234, 3).stars(2), Cell::fixed(1.5, 2)])
///     .row([Cell::empty(), Cell::fixed(0.045, 3).parenthesised()])
///     .summary(["Customers".into(), Cell::count(1200), Cell::count(980)])
///     .note("Standard errors in parentheses.");
/// let text = "\
/// Effect of the configurator
/// ────────────────────────────
///                    (1)   (2)
/// ────────────────────────────
/// configurator   0.123**  1.50
///               (0.045)
/// ────────────────────────────
/// Customers        1,200   980
/// ────────────────────────────
/// Standard errors in parentheses.";
/// assert_eq!(table.to_string(), text);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub(super) title: String,
    pub(super) label: Option<String>,
    pub(super) groups: Vec<Vec<Group>>,
    pub(super) columns: Vec<String>,
    pub(super) alignments: Vec<Option<Align>>,
    pub(super) lines: Vec<Line>,
    pub(super) notes: Vec<String>,
    width: usize,
}

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Align {
    /// On the left, as texts are.
    Left,
    /// On the right; numbers on their decimal point.
    Right,
    /// In the middle.
    Center,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RowKind {
    /// A row of the body.
    Body,
    /// A row below the body that sums it up: observations, fit, controls.
    Summary,
}

/// A header over several columns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Group {
    pub title: String,
    pub columns: usize,
}

/// One line of the table below the headers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    Row(RowKind, Vec<Cell>),
    /// A heading over the whole width.
    Section(String),
    Rule,
}

impl Table {
    /// An empty table; an empty title is not printed.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }

    /// The column headers.
    pub fn columns<I>(mut self, headers: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.columns = headers.into_iter().map(Into::into).collect();
        self.width = self.width.max(self.columns.len());
        self
    }

    /// A line of headers over groups of columns, from the left: each with the number of columns it spans. An empty
    /// title leaves its columns without one. Called again, it adds a line below.
    pub fn group_headers<I, S>(mut self, groups: I) -> Self
    where
        I: IntoIterator<Item = (S, usize)>,
        S: Into<String>,
    {
        let groups: Vec<Group> = groups
            .into_iter()
            .filter(|(_, columns)| *columns > 0)
            .map(|(title, columns)| Group {
                title: title.into(),
                columns,
            })
            .collect();
        self.width = self.width.max(groups.iter().map(|g| g.columns).sum());
        self.groups.push(groups);
        self
    }

    /// Aligns a column (from 0) in this way instead of by its content.
    pub fn align(mut self, column: usize, align: Align) -> Self {
        if self.alignments.len() <= column {
            self.alignments.resize(column + 1, None);
        }
        self.alignments[column] = Some(align);
        self
    }

    /// Adds a row to the body.
    pub fn row<I>(self, cells: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cell>,
    {
        self.row_of(RowKind::Body, cells)
    }

    /// Adds a summary row.
    pub fn summary<I>(self, cells: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cell>,
    {
        self.row_of(RowKind::Summary, cells)
    }

    /// Adds a row of this kind.
    pub fn row_of<I>(mut self, kind: RowKind, cells: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cell>,
    {
        let cells: Vec<Cell> = cells.into_iter().map(Into::into).collect();
        self.width = self.width.max(cells.len());
        self.lines.push(Line::Row(kind, cells));
        self
    }

    /// Adds a heading over the whole width, such as "Panel A".
    pub fn section(mut self, heading: impl Into<String>) -> Self {
        self.width = self.width.max(1);
        self.lines.push(Line::Section(heading.into()));
        self
    }

    /// Adds a rule between rows; rules at either end or next to another are dropped.
    pub fn rule(mut self) -> Self {
        self.lines.push(Line::Rule);
        self
    }

    /// Adds a note under the table.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a note for each warning.
    pub(crate) fn warned<W: std::fmt::Display>(self, warnings: &[W]) -> Self {
        let noted = |table: Self, warning| table.note(format!("Warning: {warning}"));
        warnings.iter().fold(self, noted)
    }

    /// The label by which a LaTeX document refers to the table; characters other than ASCII letters, digits and
    /// `:._-` become `-`.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Replaces the title.
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// How many columns there are.
    pub fn n_columns(&self) -> usize {
        self.width
    }

    /// How many rows of cells there are, headers, sections and rules not counted.
    pub fn n_rows(&self) -> usize {
        self.rows().count()
    }

    /// The cell in this row and column (from 0; headers, sections and rules are not counted as rows).
    pub fn cell(&self, row: usize, column: usize) -> Option<&Cell> {
        self.rows()
            .nth(row)
            .and_then(|(_, cells)| cells.get(column))
    }

    /// A fragment of HTML: a `<table class="cocreate">` with its caption, head, body and notes, after the few lines of
    /// style it needs. All texts are escaped.
    pub fn to_html(&self) -> String {
        format!("{}{}", html::STYLE, html::render(self))
    }

    /// The table without the style lines, for a page that has them once.
    pub(super) fn to_bare_html(&self) -> String {
        html::render(self)
    }

    /// A LaTeX `table` environment with booktabs rules; needs only `\usepackage{booktabs}`. All texts are escaped, and
    /// numbers are aligned with `\phantom`, so that no column type is needed either.
    pub fn to_latex(&self) -> String {
        latex::render(self)
    }

    /// A Markdown (GitHub) table; group headers are joined to the column headers, sections are rows in bold.
    pub fn to_markdown(&self) -> String {
        markdown::render(self)
    }

    /// CSV with a header line and raw numbers in the shortest form that reads back to the same bits. Missing numbers
    /// are empty fields, infinite ones `inf` and `-inf`, intervals `[low, high]`; stars, rules, title and notes are left
    /// out, sections are rows with one field filled.
    pub fn to_csv(&self) -> String {
        csv::render(self)
    }

    /// JSON: `title`, `groups`, `columns`, `rows` (each with `kind` and `cells`), `notes`. Numbers are raw; missing ones
    /// are `null`, infinite ones the strings `"Infinity"` and `"-Infinity"`; an interval is `[low, high]`.
    pub fn to_json(&self) -> serde_json::Value {
        json::render(self)
    }

    /// Writes the table to a file in the format of its extension (`txt`, `html`, `tex`, `md`, `csv`, `json`) and returns
    /// the absolute path.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for another extension, [`Error::Io`] when the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<PathBuf> {
        let path = path.as_ref();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        let content = match extension.to_ascii_lowercase().as_str() {
            "txt" => format!("{self}\n"),
            "html" | "htm" => html::document(self),
            "tex" => self.to_latex(),
            "md" => self.to_markdown(),
            "csv" => self.to_csv(),
            "json" => format!("{:#}\n", self.to_json()),
            _ => {
                return Err(Error::invalid_option(
                    "path",
                    path.display(),
                    "a path that ends in .txt, .html, .tex, .md, .csv or .json",
                ));
            }
        };
        write_file(path, &content)
    }

    /// The rows of cells, as given (a row may be shorter than the table).
    pub(super) fn rows(&self) -> impl Iterator<Item = (RowKind, &[Cell])> {
        self.lines.iter().filter_map(|line| match line {
            Line::Row(kind, cells) => Some((*kind, cells.as_slice())),
            Line::Section(_) | Line::Rule => None,
        })
    }

    /// The lines with the rules that are drawn: those between rows, and one before the summary.
    pub(super) fn drawn_lines(&self) -> Vec<&Line> {
        let mut drawn: Vec<&Line> = Vec::with_capacity(self.lines.len() + 1);
        for line in &self.lines {
            let summary_begins = matches!(line, Line::Row(RowKind::Summary, _))
                && matches!(drawn.last(), Some(Line::Row(RowKind::Body, _)));
            if summary_begins {
                drawn.push(&Line::Rule);
            }
            if *line != Line::Rule || drawn.last().is_some_and(|last| **last != Line::Rule) {
                drawn.push(line);
            }
        }
        while drawn.last().is_some_and(|last| **last == Line::Rule) {
            drawn.pop();
        }
        drawn
    }

    /// The header of a column, empty beyond those given.
    pub(super) fn header(&self, column: usize) -> String {
        one_line(self.columns.get(column).map_or("", String::as_str))
    }

    /// The headers of a column with those of the groups above it, for formats without spanning cells.
    pub(super) fn joined_header(&self, column: usize) -> String {
        let mut parts: Vec<String> = self
            .groups
            .iter()
            .filter_map(|line| {
                let mut end = 0;
                line.iter().find(|group| {
                    end += group.columns;
                    column < end
                })
            })
            .map(|group| one_line(&group.title))
            .collect();
        parts.push(self.header(column));
        parts.retain(|part| !part.is_empty());
        parts.join(": ")
    }

    /// The groups of one line, filled up to the width of the table.
    pub(super) fn filled_groups(&self, line: &[Group]) -> Vec<Group> {
        let mut groups = line.to_vec();
        let covered: usize = groups.iter().map(|g| g.columns).sum();
        groups.extend((covered..self.width).map(|_| Group {
            title: String::new(),
            columns: 1,
        }));
        groups
    }

    /// How a column is aligned: as asked, else numbers on the right, texts in the first column on the left.
    pub(super) fn alignment(&self, column: usize) -> Align {
        let numeric = || {
            self.rows()
                .any(|(_, cells)| cells.get(column).is_some_and(Cell::is_numeric))
        };
        match self.alignments.get(column).copied().flatten() {
            Some(align) => align,
            None if numeric() => Align::Right,
            None => Align::Left,
        }
    }
}

/// The aligned text.
impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&text::render(self))
    }
}

/// As [`Table::to_json`].
impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

notebook!(Table);
