//! Reading CSV: the whole file in memory, cut at record ends, parsed on all cores, with kinds inferred over whole columns.

mod chunk;
mod infer;
mod interner;
pub(crate) mod number;
mod scan;
mod write;

use super::column::{Column, Label, MISSING, Real, Time};
use super::frame::Frame;
use super::time::TimeFormat;
use crate::error::{Error, Result};
use crate::numeric::blocks;
use chunk::{Attempt, Cells, Chunk, FaultKind, Layout, Part};
use infer::{Markers, Seen};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Bytes parsed as one piece: small enough that the pieces in flight stay in the cache, large enough to share levels.
const PIECE: usize = 1 << 18;
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
        let bytes = std::fs::read(path).map_err(|e| Error::Io {
            path: name.clone(),
            message: e.to_string(),
        })?;
        self.table(&bytes, &name)
    }

    /// Reads text or bytes in memory.
    ///
    /// # Errors
    /// As [`CsvOptions::read`].
    pub fn parse(&self, bytes: impl AsRef<[u8]>) -> Result<Frame> {
        self.table(bytes.as_ref(), MEMORY)
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

    fn table(&self, bytes: &[u8], source: &str) -> Result<Frame> {
        if [b'"', b'\n', b'\r'].contains(&self.delimiter) {
            return Err(Error::invalid_option(
                "delimiter",
                format!("{:?}", char::from(self.delimiter)),
                "a byte other than the quote and the line ends",
            ));
        }
        let bytes = plain(bytes, source)?;
        let (bytes, preamble) = self.after_preamble(&bytes);
        let header = Header::parse(bytes, self.delimiter, source)?;
        let reader = Reader {
            options: self,
            source,
            header: &header,
            body: &bytes[header.length..],
            lines_before: preamble + header.lines,
        };
        reader.frame()
    }

    /// The bytes from the header on, and the number of lines before it.
    fn after_preamble<'a>(&self, mut bytes: &'a [u8]) -> (&'a [u8], usize) {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
        let mut lines = 0;
        loop {
            let blank = bytes.starts_with(b"\n") || bytes.starts_with(b"\r\n");
            if !blank && (self.comment.is_none() || bytes.first() != self.comment.as_ref()) {
                return (bytes, lines);
            }
            bytes = memchr::memchr(b'\n', bytes).map_or(&[], |i| &bytes[i + 1..]);
            lines += 1;
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

/// The bytes, decompressed if they are gzip.
fn plain<'a>(bytes: &'a [u8], source: &str) -> Result<Cow<'a, [u8]>> {
    const GZIP: &[u8] = b"\x1F\x8B";
    if !bytes.starts_with(GZIP) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut out = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(bytes), &mut out).map_err(
        |e| Error::Io {
            path: source.to_owned(),
            message: format!("the gzip data is damaged ({e})"),
        },
    )?;
    Ok(Cow::Owned(out))
}

/// The names of the columns.
struct Header {
    names: Vec<String>,
    /// Bytes and lines of the header, its line end included.
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
    source: &'a str,
    header: &'a Header,
    body: &'a [u8],
    lines_before: usize,
}

impl<'a> Reader<'a> {
    fn frame(&self) -> Result<Frame> {
        let wanted = self.wanted()?;
        let pieces = scan::pieces(self.body, self.options.delimiter, self.options.piece);
        let Some(first) = pieces.first() else {
            return Err(Error::EmptyFile {
                path: self.source.to_owned(),
            });
        };
        // What the first rows look like is only the first attempt; the kinds are decided over the whole file.
        let sample = chunk::parse(self.sample(first), &self.layout(wanted.clone()));
        let guess = wanted
            .iter()
            .zip(&sample.parts)
            .map(|(a, p)| refine(a, p.seen))
            .collect();
        let layout = self.layout(guess);
        let mut table = self.pass(&pieces, &layout)?;
        if table.rows == 0 {
            return Err(Error::EmptyFile {
                path: self.source.to_owned(),
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
            let second = self.pass(&pieces, &self.layout(again.clone()))?;
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

    /// The first records of the first piece.
    fn sample(&self, piece: &'a [u8]) -> &'a [u8] {
        const SAMPLE: usize = 1 << 14;
        scan::pieces(piece, self.options.delimiter, SAMPLE)
            .first()
            .copied()
            .unwrap_or(piece)
    }

    /// Parses all pieces in parallel and joins them in order.
    fn pass(&self, pieces: &[&'a [u8]], layout: &Layout) -> Result<Chunk<'a>> {
        let parse = |i: std::ops::Range<usize>| chunk::parse(pieces[i.start], layout);
        let table = blocks::reduce(pieces.len(), 1, parse, |all, next| {
            all.append(next, self.body.len());
        });
        let mut table = table.ok_or_else(|| Error::EmptyFile {
            path: self.source.to_owned(),
        })?;
        match table.fault.take() {
            Some(fault) => Err(self.error(fault)),
            None => Ok(table),
        }
    }

    fn error(&self, fault: chunk::Fault) -> Error {
        let (path, row) = (self.source.to_owned(), fault.row + 1);
        match fault.kind {
            FaultKind::Ragged { found } => Error::RaggedRow {
                path,
                row,
                line: self.lines_before + fault.line + 1,
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
    // Read the texts in the order of the file and only move them into order: reading them in order would miss the cache.
    let mut owned: Vec<String> = texts.into_iter().map(text).collect();
    let levels = order
        .iter()
        .map(|(_, i)| std::mem::take(&mut owned[*i as usize]))
        .collect();
    Label::coded(codes, levels)
}

/// The text of a level, which was found to be UTF-8 when it was first seen.
fn text(bytes: Cow<'_, [u8]>) -> String {
    match String::from_utf8(bytes.into_owned()) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

#[cfg(test)]
mod tests;
