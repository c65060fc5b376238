//! One self-contained HTML page of texts, tables and figures.

use super::html::{self, escape};
use super::{Figure, Table, notebook, write_file};
use crate::error::Result;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A report as one HTML file: no scripts, nothing from the network, readable on a phone and in print, with a table of
/// contents when it has at least two headings. Every text given is escaped
/// (but for [`Page::html`]).
///
/// ```
/// use cocreate::prelude::*;
/// let page = Page::new("Who participates?")
///     .heading("Data")
///     .paragraph("1,200 customers, of whom 230 took part.")
///     .manifest([("seed", "7"), ("rows", "1200")])
///     .heading("Estimates")
///     .table(&Table::new("").columns(["", "b"]).row(["reward".into(), Cell::fixed(0.31, 2)]));
/// assert!(page.to_html().contains("<h2 id=\"s1-data\">Data</h2>"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    title: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Heading { level: u8, text: String },
    Paragraph(String),
    List(Vec<String>),
    Table(Table),
    Figure(Figure),
    Manifest(Vec<(String, String)>),
    Code(String),
    Html(String),
}

impl Page {
    /// A page with nothing but its title.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            parts: Vec::new(),
        }
    }

    /// Begins a section.
    pub fn heading(self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.with(Part::Heading { level: 2, text })
    }

    /// Begins a subsection.
    pub fn subheading(self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.with(Part::Heading { level: 3, text })
    }

    /// A paragraph; an empty line in the text begins another one.
    pub fn paragraph(self, text: impl Into<String>) -> Self {
        self.with(Part::Paragraph(text.into()))
    }

    /// A list of points.
    pub fn list<I>(self, items: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.with(Part::List(items.into_iter().map(Into::into).collect()))
    }

    /// A table.
    pub fn table(self, table: &Table) -> Self {
        self.with(Part::Table(table.clone()))
    }

    /// A figure.
    pub fn figure(self, figure: &Figure) -> Self {
        self.with(Part::Figure(figure.clone()))
    }

    /// Names with their values: versions, seeds, files, settings.
    pub fn manifest<I, K, V>(self, entries: I) -> Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: Into<String>,
        V: Into<String>,
    {
        let entries = entries.into_iter().map(|(k, v)| (k.into(), v.into()));
        self.with(Part::Manifest(entries.collect()))
    }

    /// Text shown as it stands, line by line, in a fixed-width font.
    pub fn code(self, code: impl Into<String>) -> Self {
        self.with(Part::Code(code.into()))
    }

    /// A fragment of HTML put in as it stands, such as the `to_html()` of a result; the only text that is not escaped.
    pub fn html(self, fragment: impl Into<String>) -> Self {
        self.with(Part::Html(fragment.into()))
    }

    /// The whole document.
    pub fn to_document(&self) -> String {
        let title = escape(&self.title);
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             {}{PAGE_STYLE}</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
            html::STYLE,
            self.body()
        )
    }

    /// The content without the document around it, as a notebook shows it.
    pub fn to_html(&self) -> String {
        format!(
            "{}<div class=\"cocreate-page\">\n{}</div>",
            html::STYLE,
            self.body()
        )
    }

    /// Writes the document and returns its absolute path.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<PathBuf> {
        write_file(path.as_ref(), &self.to_document())
    }

    fn with(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    fn body(&self) -> String {
        let mut out = String::new();
        if !self.title.is_empty() {
            let _ = writeln!(out, "<h1>{}</h1>", escape(&self.title));
        }
        self.contents(&mut out);
        let mut headings = 0;
        for part in &self.parts {
            if let Part::Heading { level, text } = part {
                headings += 1;
                let id = anchor(headings, text);
                let _ = writeln!(out, "<h{level} id=\"{id}\">{}</h{level}>", escape(text));
            } else {
                part.write(&mut out);
            }
        }
        out
    }

    /// The table of contents.
    fn contents(&self, out: &mut String) {
        let headings: Vec<(u8, &str)> = self
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Heading { level, text } => Some((*level, text.as_str())),
                _ => None,
            })
            .collect();
        if headings.len() < 2 {
            return;
        }
        out.push_str("<nav aria-label=\"Contents\">\n<ul>\n");
        for (i, (level, text)) in headings.iter().enumerate() {
            let _ = writeln!(
                out,
                "<li class=\"level{level}\"><a href=\"#{}\">{}</a></li>",
                anchor(i + 1, text),
                escape(text)
            );
        }
        out.push_str("</ul>\n</nav>\n");
    }
}

impl Part {
    fn write(&self, out: &mut String) {
        let _ = match self {
            Self::Heading { .. } => Ok(()),
            Self::Paragraph(text) => paragraphs(text)
                .iter()
                .try_for_each(|p| writeln!(out, "<p>{}</p>", escape(p))),
            Self::List(items) => {
                let items: Vec<String> = items
                    .iter()
                    .map(|item| format!("<li>{}</li>\n", escape(item)))
                    .collect();
                writeln!(out, "<ul>\n{}</ul>", items.concat())
            }
            Self::Table(table) => {
                writeln!(out, "<div class=\"wide\">{}</div>", table.to_bare_html())
            }
            Self::Figure(figure) => writeln!(out, "{}", figure.to_html()),
            Self::Manifest(entries) => {
                let rows: Vec<String> = entries
                    .iter()
                    .map(|(k, v)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(k), escape(v)))
                    .collect();
                writeln!(out, "<dl>\n{}</dl>", rows.concat())
            }
            Self::Html(fragment) => writeln!(out, "<div class=\"wide\">{fragment}</div>"),
            Self::Code(code) => {
                let lines: Vec<String> = code.lines().map(escape).collect();
                writeln!(out, "<pre><code>{}</code></pre>", lines.join("\n"))
            }
        };
    }
}

/// The page as text.
impl std::fmt::Display for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut blocks: Vec<String> = Vec::new();
        if !self.title.is_empty() {
            blocks.push(underlined(&self.title, "═"));
        }
        for part in &self.parts {
            blocks.push(match part {
                Part::Heading { text, .. } => underlined(text, "─"),
                Part::Paragraph(text) => paragraphs(text).join("\n\n"),
                Part::List(items) => {
                    let items: Vec<String> = items.iter().map(|i| format!("- {i}")).collect();
                    items.join("\n")
                }
                Part::Table(table) => table.to_string(),
                Part::Figure(figure) => format!("[{figure}]"),
                Part::Manifest(entries) => {
                    let lines: Vec<String> =
                        entries.iter().map(|(k, v)| format!("{k}: {v}")).collect();
                    lines.join("\n")
                }
                Part::Code(code) => code.clone(),
                Part::Html(fragment) => {
                    format!("[HTML of {} characters]", fragment.chars().count())
                }
            });
        }
        f.write_str(&blocks.join("\n\n"))
    }
}

notebook!(Page);

/// The look of the page: one column, texts of readable width, tables that scroll sideways on a phone, links in blue.
const PAGE_STYLE: &str = "<style>\
:root{color-scheme:light}\
body{margin:0;background:#fff;color:#222;font:16px/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif}\
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 4rem;overflow-wrap:break-word}\
p,main>ul{max-width:48rem}\
h1{font-size:1.8rem;line-height:1.2;margin:.5rem 0 1.2rem}\
h2{font-size:1.35rem;margin:2.2rem 0 .6rem;border-bottom:1px solid #ddd;padding-bottom:.2rem}\
h3{font-size:1.1rem;margin:1.6rem 0 .4rem}\
a{color:#0060a0}\
nav{background:#f6f7f8;border-radius:.4rem;padding:.6rem 1rem}\
nav ul{list-style:none;margin:0;padding:0}nav .level3{padding-left:1.4rem;font-size:.95em}\
.wide{overflow-x:auto}\
figure{margin:1rem 0;overflow-x:auto}figure svg{min-width:34rem}\
pre{background:#f6f7f8;padding:.8rem 1rem;overflow-x:auto;font-size:.88em;line-height:1.4;border-radius:.4rem}\
dl{display:grid;grid-template-columns:minmax(6rem,max-content) 1fr;gap:.15rem 1.2rem;font-size:.92em}\
dt{color:#595959}dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}\
@media print{main{max-width:none;padding:0}nav{display:none}h2,h3{break-after:avoid}figure,table,pre{break-inside:avoid}figure svg{min-width:0}}\
</style>\n";

/// The anchor of the n-th heading: its ASCII words, numbered so that two headings never share one.
fn anchor(number: usize, text: &str) -> String {
    let words: Vec<String> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let mut anchor = format!("s{number}");
    for word in words {
        anchor.push('-');
        anchor.push_str(&word);
    }
    anchor
}

/// The paragraphs of a text, which empty lines separate.
fn paragraphs(text: &str) -> Vec<&str> {
    text.split("\n\n")
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .collect()
}

fn underlined(text: &str, line: &str) -> String {
    format!("{text}\n{}", line.repeat(super::width::cells(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_escaped_and_linked() {
        let page = Page::new("<Title> & more")
            .heading("A & B")
            .paragraph("one <script>\n\ntwo")
            .heading("A & B")
            .list(["<li>"])
            .manifest([("k<", "v&")])
            .code("if a < b {\n    c()\n}");
        let html = page.to_document();
        for piece in [
            "<title>&lt;Title&gt; &amp; more</title>",
            "<a href=\"#s1-a-b\">A &amp; B</a>",
            "<h2 id=\"s1-a-b\">A &amp; B</h2>",
            "<h2 id=\"s2-a-b\">A &amp; B</h2>",
            "<p>one &lt;script&gt;</p>\n<p>two</p>",
            "<li>&lt;li&gt;</li>",
            "<dt>k&lt;</dt><dd>v&amp;</dd>",
            "<pre><code>if a &lt; b {\n    c()\n}</code></pre>",
        ] {
            assert!(html.contains(piece), "{piece} is missing in\n{html}");
        }
        assert!(!html.contains("http"), "nothing comes from the network");
    }

    #[test]
    fn the_written_path_is_absolute() {
        let path = std::env::temp_dir().join(format!("cocreate-page-{}.html", std::process::id()));
        let page = Page::new("t").paragraph("p");
        let written = page.write(&path).unwrap();
        assert!(written.is_absolute());
        assert_eq!(
            std::fs::read_to_string(&written).unwrap(),
            page.to_document()
        );
        std::fs::remove_file(written).unwrap();
        assert!(page.write(path.join("no/such/folder.html")).is_err());
    }
}
