//! Reading CSV: a window passes over the file and is cut at record ends, its pieces are parsed on all cores, and kinds
//! are inferred over whole columns.

mod chunk;
mod infer;
mod interner;
pub(crate) mod number;
mod scan;
mod source;
mod write;

use super::column::{Column, Label, MISSING, Real, Time};
use super::frame::Frame;
use super::time::TimeFormat;
use crate::error::{Error, Result};
use crate::numeric::blocks;
use chunk::{Attempt, Cells, Chunk, FaultKind, Layout, Part};
use infer::{Markers, Seen};
use source::{Input, Source};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Bytes parsed as one piece: small enough that the pieces in flight stay in the cache, large enough to share levels.
const PIECE: usize = 1 << 18;
/// Pieces in the window on the file: what is in memory besides the columns.
const PIECES: usize = 64;
/// Bytes at the start of the rows from which the kinds are guessed.
const SAMPLE: usize = 1 << 14;
/// The name of a source that is not a file.
const MEMORY: &str = "<memory>";

/// How to read CSV. [`Frame::read_csv`] is `CsvOptions::new().read(path)`.
///
/// | option | default | meaning |
/// |---|---|---|
/// | [`delimiter`](Self::delimiter) | `,` | the byte between fields |
/// | [`comment`](Self::comment) | none | lines before the header that start with this byte are skipped |
/// | [`missing`](Self::missing) | empty, `NA`, `N/A`, `NaN`, `nan`, `null`, `NULL`, `.` | what stands for a missing value |
/// | [`real`](Self::real) | inferred | a column of numbers; anything else is an error |
/// | [`label`](Self::label) | inferred | a column of text, whatever it looks like |
/// | [`time`](Self::time) | inferred | a column of times and their format |
/// | [`keep`](Self::keep) | all | the columns to read, in the order of the file |
///
/// **Form of the file.** The first line is the header; an empty name becomes `column_1` (its position). Fields may be
/// quoted with `"`, a quote inside is doubled, and quoted fields may hold line ends. Lines end with LF or CRLF; blank
/// lines are skipped. UTF-8, with or without a byte order mark; gzip is recognised by its first bytes.
///
/// **Kinds.** A column is a flag when every value is `true` or `false` in any case (with blanks: numbers 1 and 0), a time
/// when every value is an ISO date or date-time, a real when every value is a number, otherwise a label. Blanks around
/// numbers are ignored. `inf` and `Infinity` are infinite. Integers beyond ±2^53, which a double would round, make their
/// column a label. Leading zeros do not: declare identifiers such as postal codes as labels. Numbers with thousands
/// separators or units are text. The lone point is Stata's missing value; a quoted marker such as `"NA"` is missing among
/// numbers and text in a label.
///
/// The result is the same for any number of threads.
///
/// ```
/// use cocreate::prelude::*;
/// let text = "zip;joined;minutes\n01069;3.5.2024;12,5\n";
/// let frame = CsvOptions::new().delimiter(b';').label("zip").time("joined", "%d.%m.%Y").parse(text)?;
/// assert_eq!(frame.column("zip")?.text(0).as_deref(), Some("01069"));
/// assert_eq!(frame.column("joined")?.text(0).as_deref(), Some("2024-05-03"));
/// assert_eq!(frame.column("minutes")?.kind(), "label"); // a decimal comma is text
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CsvOptions {
    delimiter: u8,
    comment: Option<u8>,
    missing: Vec<String>,
    declared: Vec<(String, Declared)>,
    keep: Option<Vec<String>>,
    piece: usize,
}

/// A declared kind.
#[derive(Clone, Debug)]
enum Declared {
    Real,
    Label,
    Time(String),
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            comment: None,
            missing: ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "."]
                .map(str::to_owned)
                .to_vec(),
            declared: Vec::new(),
            keep: None,
            piece: PIECE,
        }
    }
}

impl CsvOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The byte between fields, e.g. `b';'` or `b'\t'`.
    pub fn delimiter(mut self, byte: u8) -> Self {
        self.delimiter = byte;
        self
    }

    /// Skips lines before the header that start with this byte.
    pub fn comment(mut self, byte: u8) -> Self {
        self.comment = Some(byte);
        self
    }

    /// Replaces the markers of missing values; give `""` too if empty fields are missing.
    pub fn missing<S: Into<String>>(mut self, markers: impl IntoIterator<Item = S>) -> Self {
        self.missing = markers.into_iter().map(Into::into).collect();
        self
    }

    /// Declares a column of numbers: any other value is an error that names its row. Large integers are rounded.
    pub fn real(self, column: impl Into<String>) -> Self {
        self.declare(column, Declared::Real)
    }

    /// Declares a column of text.
    pub fn label(self, column: impl Into<String>) -> Self {
        self.declare(column, Declared::Label)
    }

    /// Declares a column of times: `iso`, or a format made of `%Y %y %m %b %B %d %e %H %I %p %M %S %f %z %%`.
    pub fn time(self, column: impl Into<String>, format: impl Into<String>) -> Self {
        self.declare(column, Declared::Time(format.into()))
    }

    /// Reads these columns only.
    pub fn keep<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.keep = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::EmptyFile`] (no row below the header), [`Error::DuplicateColumn`], [`Error::RaggedRow`],
    /// [`Error::BadField`] (broken quotes, text that is not UTF-8, values against a declared kind),
    /// [`Error::ColumnNotFound`] (a declared or kept column), [`Error::InvalidOption`].
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Frame> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let io = |e| io_error(&name, &e);
        if path.metadata().map_err(io)?.is_file() {
            return self.table(Source::File(path), &name);
        }
        // A pipe can be read only once, and reading may take two passes.
        let bytes = std::fs::read(path).map_err(io)?;
        self.table(Source::Memory(&bytes), &name)
    }

    /// Reads text or bytes in memory.
    ///
    /// # Errors
    /// As [`CsvOptions::read`].
    pub fn parse(&self, bytes: impl AsRef<[u8]>) -> Result<Frame> {
        self.table(Source::Memory(bytes.as_ref()), MEMORY)
    }

    /// Bytes parsed as one piece; the result does not depend on it.
    #[cfg(test)]
    fn piece(mut self, bytes: usize) -> Self {
        self.piece = bytes;
        self
    }

    fn declare(mut self, column: impl Into<String>, kind: Declared) -> Self {
        self.declared.push((column.into(), kind));
        self
    }

    fn table(&self, source: Source<'_>, name: &str) -> Result<Frame> {
        if [b'"', b'\n', b'\r'].contains(&self.delimiter) {
            return Err(Error::invalid_option(
                "delimiter",
                format!("{:?}", char::from(self.delimiter)),
                "a byte other than the quote and the line ends",
            ));
        }
        let io = |e| io_error(name, &e);
        let mut input = source.open(self.piece * PIECES).map_err(io)?;
        let header = loop {
            input.fill().map_err(io)?;
            let bytes = self.after_preamble(input.bytes());
            let before = input.bytes().len() - bytes.len();
            let header = Header::parse(bytes, self.delimiter, name);
            // A header that reaches the end of the window may go on.
            if !input.ended() && header.as_ref().map_or(true, |h| h.length == bytes.len()) {
                input.widen();
                continue;
            }
            let lines = memchr::memchr_iter(b'\n', &input.bytes()[..before]).count();
            break header.map(|h| Header {
                length: h.length + before,
                lines: h.lines + lines,
                ..h
            })?;
        };
        input.consume(header.length);
        let reader = Reader {
            options: self,
            source,
            name,
            header: &header,
        };
        reader.frame(input)
    }

    /// The bytes from the header on.
    fn after_preamble<'a>(&self, mut bytes: &'a [u8]) -> &'a [u8] {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
        loop {
            let blank = bytes.starts_with(b"\n") || bytes.starts_with(b"\r\n");
            if !blank && (self.comment.is_none() || bytes.first() != self.comment.as_ref()) {
                return bytes;
            }
            bytes = memchr::memchr(b'\n', bytes).map_or(&[], |i| &bytes[i + 1..]);
        }
    }
}

impl Frame {
    /// Reads a CSV file, plain or gzipped, with the defaults of [`CsvOptions`].
    ///
    /// # Errors
    /// As [`CsvOptions::read`].
    pub fn read_csv(path: impl AsRef<Path>) -> Result<Self> {
        CsvOptions::new().read(path)
    }

    /// Reads CSV from text or bytes in memory with the defaults of [`CsvOptions`].
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let frame = Frame::from_csv("arm,spend\nA,1.5\nB,\n")?;
    /// assert_eq!(frame.label("arm")?.get(1), Some("B"));
    /// assert!(frame.real("spend")?[1].is_nan());
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`CsvOptions::read`], without [`Error::Io`].
    pub fn from_csv(bytes: impl AsRef<[u8]>) -> Result<Self> {
        CsvOptions::new().parse(bytes)
    }
}

fn io_error(name: &str, error: &std::io::Error) -> Error {
    Error::Io {
        path: name.to_owned(),
        message: error.to_string(),
    }
}

/// The names of the columns.
struct Header {
    names: Vec<String>,
    /// Bytes and lines up to the end of the header, what stands before it included.
    length: usize,
    lines: usize,
}

impl Header {
    fn parse(bytes: &[u8], delimiter: u8, source: &str) -> Result<Self> {
        if bytes.is_empty() {
            return Err(Error::EmptyFile {
                path: source.to_owned(),
            });
        }
        let bad = |value: String, message: &str| Error::BadField {
            path: source.to_owned(),
            column: "the header".to_owned(),
            row: 0,
            value,
            message: message.to_owned(),
        };
        let (mut names, mut at) = (Vec::new(), 0);
        loop {
            let field = scan::field(bytes, at, delimiter)
                .map_err(|e| bad(chunk::shown(e.text), e.message))?;
            let text = std::str::from_utf8(&field.text).map_err(|_| {
                let (value, message) = chunk::not_utf8(&field.text);
                bad(value, &message)
            })?;
            let name = if field.quoted { text } else { text.trim() };
            names.push(if name.is_empty() {
                format!("column_{}", names.len() + 1)
            } else {
                name.to_owned()
            });
            let (end, length) =
                scan::terminator(bytes, field.end, delimiter).unwrap_or((scan::End::Line, 0));
            at = field.end + length;
            if end == scan::End::Line {
                break;
            }
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|n| !seen.insert(n.as_str())) {
            return Err(Error::DuplicateColumn {
                column: twice.clone(),
            });
        }
        Ok(Self {
            names,
            length: at,
            lines: memchr::memchr_iter(b'\n', &bytes[..at]).count(),
        })
    }
}

/// Everything that reading the rows needs.
struct Reader<'a> {
    options: &'a CsvOptions,
    source: Source<'a>,
    name: &'a str,
    header: &'a Header,
}

impl Reader<'_> {
    /// Reads the rows, of which the input holds the first.
    fn frame(&self, mut input: Input<'_>) -> Result<Frame> {
        let wanted = self.wanted()?;
        // What the first rows look like is only the first attempt; the kinds are decided over the whole file.
        input.fill().map_err(|e| io_error(self.name, &e))?;
        let sample = scan::pieces(input.bytes(), self.options.delimiter, SAMPLE, input.ended());
        let guess = match sample.first() {
            Some(first) => {
                let seen = chunk::parse(first, &self.layout(wanted.clone()));
                wanted
                    .iter()
                    .zip(&seen.parts)
                    .map(|(a, p)| refine(a, p.seen))
                    .collect()
            }
            None => wanted.clone(),
        };
        let layout = self.layout(guess);
        let mut table = self.pass(input, &layout)?;
        if table.rows == 0 {
            return Err(Error::EmptyFile {
                path: self.name.to_owned(),
            });
        }
        let again: Vec<Attempt> = (table.parts.iter().zip(&layout.attempts).zip(&wanted))
            .map(|((part, tried), wanted)| {
                let right = refine(wanted, part.seen);
                if right == *tried {
                    Attempt::Skip
                } else {
                    right
                }
            })
            .collect();
        if again.iter().any(|a| *a != Attempt::Skip) {
            let io = |e| io_error(self.name, &e);
            let mut input = self.source.open(self.options.piece * PIECES).map_err(io)?;
            input.skip(self.header.length).map_err(io)?;
            let second = self.pass(input, &self.layout(again.clone()))?;
            for ((part, new), attempt) in table.parts.iter_mut().zip(second.parts).zip(&again) {
                if *attempt != Attempt::Skip {
                    *part = new;
                }
            }
        }
        let mut frame = Frame::new();
        for ((name, part), wanted) in self.header.names.iter().zip(table.parts).zip(&wanted) {
            if *wanted != Attempt::Skip {
                frame = frame.with(name.clone(), column(part))?;
            }
        }
        Ok(frame)
    }

    /// What every column is to be parsed as by declaration; numbers, for want of better, when it was not declared.
    fn wanted(&self) -> Result<Vec<Attempt>> {
        let names = &self.header.names;
        let mut wanted = vec![
            if self.options.keep.is_some() {
                Attempt::Skip
            } else {
                Attempt::Real
            };
            names.len()
        ];
        let position = |name: &str| {
            names
                .iter()
                .position(|n| n == name)
                .ok_or_else(|| Error::column_not_found(name, names))
        };
        for name in self.options.keep.iter().flatten() {
            wanted[position(name)?] = Attempt::Real;
        }
        for (name, kind) in &self.options.declared {
            let i = position(name)?;
            let kind = match kind {
                Declared::Real => Attempt::DeclaredReal,
                Declared::Label => Attempt::Label,
                Declared::Time(format) => Attempt::DeclaredTime(TimeFormat::new(format)?),
            };
            if wanted[i] != Attempt::Skip {
                wanted[i] = kind;
            }
        }
        Ok(wanted)
    }

    fn layout(&self, attempts: Vec<Attempt>) -> Layout {
        Layout {
            delimiter: self.options.delimiter,
            markers: Markers::new(&self.options.missing),
            attempts,
        }
    }

    /// Parses window after window, the pieces of each in parallel, and joins them in order.
    fn pass(&self, mut input: Input<'_>, layout: &Layout) -> Result<Chunk<'static>> {
        let mut table = Chunk::empty(layout);
        let total = input.size().unwrap_or(0) as usize;
        loop {
            input.fill().map_err(|e| io_error(self.name, &e))?;
            let pieces = scan::pieces(
                input.bytes(),
                layout.delimiter,
                self.options.piece,
                input.ended(),
            );
            if pieces.is_empty() {
                if input.ended() {
                    return Ok(table);
                }
                input.widen();
                continue;
            }
            for chunk in blocks::map(pieces.len(), |i| chunk::parse(pieces[i], layout)) {
                table.append(chunk, total);
            }
            if let Some(fault) = table.fault.take() {
                return Err(self.error(fault));
            }
            let used = pieces.iter().map(|p| p.len()).sum();
            input.consume(used);
        }
    }

    fn error(&self, fault: chunk::Fault) -> Error {
        let (path, row) = (self.name.to_owned(), fault.row + 1);
        match fault.kind {
            FaultKind::Ragged { found } => Error::RaggedRow {
                path,
                row,
                line: self.header.lines + fault.line + 1,
                expected: self.header.names.len(),
                found,
            },
            FaultKind::Field {
                column,
                value,
                message,
            } => Error::BadField {
                path,
                column: self.header.names[column].clone(),
                row,
                value,
                message,
            },
        }
    }
}

/// What to parse an undeclared column as, given what was seen in it.
fn refine(wanted: &Attempt, seen: Seen) -> Attempt {
    match wanted {
        Attempt::Real => match seen.kind() {
            Seen::FLAG => Attempt::Flag,
            Seen::TIME => Attempt::Time,
            Seen::TEXT => Attempt::Label,
            _ => Attempt::Real,
        },
        declared => declared.clone(),
    }
}

/// The finished column.
fn column(part: Part<'_>) -> Column {
    match part.cells {
        Cells::Real(mut values) => {
            values.shrink_to_fit();
            Column::Real(Real::new(values))
        }
        Cells::Time(mut values) => {
            values.shrink_to_fit();
            Column::Time(Time::new(values))
        }
        Cells::Flag(values) if values.contains(&chunk::NO_FLAG) => Column::Real(Real::new(
            values
                .into_iter()
                .map(|v| {
                    if v == chunk::NO_FLAG {
                        f64::NAN
                    } else {
                        f64::from(v)
                    }
                })
                .collect(),
        )),
        Cells::Flag(values) => Column::Flag(Arc::new(values.into_iter().map(|v| v == 1).collect())),
        Cells::Label(codes, interner) => {
            Column::Label(Arc::new(sorted_label(codes, interner.into_texts())))
        }
        Cells::Nothing => Column::Real(Real::new(Vec::new())),
    }
}

/// Sorts the levels and recodes. Most comparisons are decided by the first eight bytes, kept beside the code.
fn sorted_label(mut codes: Vec<u32>, texts: Vec<Cow<'_, [u8]>>) -> Label {
    let key = |text: &[u8]| {
        let mut eight = [0; 8];
        let n = text.len().min(8);
        eight[..n].copy_from_slice(&text[..n]);
        u64::from_be_bytes(eight)
    };
    let mut order: Vec<(u64, u32)> = texts.iter().zip(0..).map(|(t, i)| (key(t), i)).collect();
    order.sort_unstable_by(|a, b| {
        a.0.cmp(&b.0)
            .then_with(|| texts[a.1 as usize].cmp(&texts[b.1 as usize]))
    });
    let mut rank = vec![MISSING; texts.len()];
    for ((_, code), position) in order.iter().zip(0..) {
        rank[*code as usize] = position;
    }
    for code in codes.iter_mut().filter(|c| **c != MISSING) {
        *code = rank[*code as usize];
    }
    codes.shrink_to_fit();
    // Written anew in their order, so that levels that follow each other lie beside each other in memory.
    let levels = order
        .iter()
        .map(|(_, i)| text(&texts[*i as usize]))
        .collect();
    Label::coded(codes, levels)
}

/// The text of a level, which was found to be UTF-8 when it was first seen.
fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
