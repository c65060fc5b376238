//! Reading CSV: a window passes over the file and is cut at record ends, its pieces are parsed on all cores, and kinds
//! are inferred over whole columns.

mod batches;
mod chunk;
mod infer;
mod interner;
pub(crate) mod number;
mod read;
mod scan;
mod source;
mod write;

pub use batches::CsvBatches;

use super::frame::Frame;
use crate::error::{Error, Result};
use read::{Header, Reader};
use source::{Input, Source};
use std::path::Path;

/// Bytes parsed as one piece: small enough that the pieces in flight stay in the cache, large enough to share levels.
const PIECE: usize = 1 << 18;
/// Pieces in the window on the file: what is in memory besides the columns.
const PIECES: usize = 64;
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
        let window = self.piece * PIECES;
        let mut input = source.open(window).map_err(|e| io_error(name, &e))?;
        let header = self.header(&mut input, name)?;
        let reader = Reader {
            options: self,
            source,
            name,
            header: &header,
        };
        reader.frame(input)
    }

    /// Reads the header and moves past it.
    fn header(&self, input: &mut Input<'_>, name: &str) -> Result<Header> {
        if [b'"', b'\n', b'\r'].contains(&self.delimiter) {
            return Err(Error::invalid_option(
                "delimiter",
                format!("{:?}", char::from(self.delimiter)),
                "a byte other than the quote and the line ends",
            ));
        }
        let io = |e| io_error(name, &e);
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
        Ok(header)
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

#[cfg(test)]
mod tests;
