//! One piece of a file parsed into pieces of columns, and how pieces are joined.

use super::super::column::MISSING;
use super::super::time::TimeFormat;
use super::infer::{self, Markers, Seen};
use super::interner::Interner;
use super::number;
use super::scan::{self, End, Field};
use crate::numeric::blocks;

/// What to parse a column as.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Attempt {
    /// Not wanted.
    Skip,
    /// Numbers, if they are.
    Real,
    /// True and false, if they are.
    Flag,
    /// ISO times, if they are.
    Time,
    /// Text.
    Label,
    /// Numbers by declaration: anything else is an error.
    DeclaredReal,
    /// Times by declaration.
    DeclaredTime(TimeFormat),
}

/// How to parse every piece.
pub(super) struct Layout {
    pub delimiter: u8,
    pub markers: Markers,
    pub attempts: Vec<Attempt>,
}

/// The values of one column in one piece or, after joining, in the file.
pub(super) enum Cells {
    /// Not wanted, or given up because it is not what was attempted.
    Nothing,
    Real(Vec<f64>),
    /// 0, 1, or 2 for missing.
    Flag(Vec<u8>),
    Time(Vec<f64>),
    Label(Vec<u32>, Interner),
}

/// Cells with the kinds seen among them.
pub(super) struct Part {
    pub cells: Cells,
    pub seen: Seen,
}

/// What stopped a piece; the row counts from 0 within the piece, then within the file.
pub(super) struct Fault {
    pub row: usize,
    pub line: usize,
    pub kind: FaultKind,
}

pub(super) enum FaultKind {
    Ragged {
        found: usize,
    },
    Field {
        column: usize,
        value: String,
        message: String,
    },
}

/// A parsed piece.
pub(super) struct Chunk {
    pub parts: Vec<Part>,
    pub rows: usize,
    /// Line ends passed.
    pub lines: usize,
    pub fault: Option<Fault>,
    /// Bytes parsed.
    bytes: usize,
}

/// The code of a missing flag.
pub(super) const NO_FLAG: u8 = 2;

/// Parses a piece that starts and ends with a record.
pub(super) fn parse(bytes: &[u8], layout: &Layout) -> Chunk {
    /// Expected bytes of a row per column, for the first reservation.
    const FIELD: usize = 6;
    let expected = bytes.len() / (FIELD * layout.attempts.len().max(1));
    let mut chunk = Chunk {
        parts: layout
            .attempts
            .iter()
            .map(|a| Part::new(a, expected))
            .collect(),
        rows: 0,
        lines: 0,
        fault: None,
        bytes: bytes.len(),
    };
    let lines = |passed: usize| memchr::memchr_iter(b'\n', &bytes[..passed]).count();
    let (mut at, mut blank, mut quoted) = (0, 0, false);
    while at < bytes.len() {
        if let Some((End::Line, length)) = scan::terminator(bytes, at, layout.delimiter) {
            at += length;
            blank += 1;
            continue;
        }
        let start = at;
        match record(bytes, &mut at, layout, &mut chunk.parts) {
            Ok(any_quoted) => {
                chunk.rows += 1;
                quoted |= any_quoted;
            }
            Err(kind) => {
                chunk.fault = Some(Fault {
                    row: chunk.rows,
                    line: lines(start),
                    kind,
                });
                return chunk;
            }
        }
    }
    // Only quoted text can hold line ends; they are counted once for the piece, which is faster than field by field.
    chunk.lines = if quoted {
        lines(at)
    } else {
        chunk.rows + blank
    };
    chunk
}

/// Parses one record into the parts and moves past it; tells whether a field was quoted text.
#[inline]
fn record(
    bytes: &[u8],
    at: &mut usize,
    layout: &Layout,
    parts: &mut [Part],
) -> Result<bool, FaultKind> {
    let width = parts.len();
    let mut any_quoted = false;
    for (column, (part, attempt)) in parts.iter_mut().zip(&layout.attempts).enumerate() {
        let quick = if bytes.get(*at) == Some(&b'"') {
            part.quick_quoted(bytes, *at, attempt, layout)
        } else {
            part.quick(bytes, *at, attempt, layout)
        };
        let (end, length) = if let Some((end, length)) = quick {
            *at += length;
            (end, 0)
        } else {
            let field =
                scan::field(bytes, *at, layout.delimiter).map_err(|bad| FaultKind::Field {
                    column,
                    value: shown(bad.text),
                    message: bad.message.to_owned(),
                })?;
            any_quoted |= field.quoted;
            *at = field.end;
            part.push(&field, attempt, &layout.markers)
                .map_err(|(value, message)| FaultKind::Field {
                    column,
                    value,
                    message,
                })?;
            // A lone carriage return cannot follow: `field` stops at terminators only.
            scan::terminator(bytes, *at, layout.delimiter).unwrap_or((End::Line, 0))
        };
        *at += length;
        if (end == End::Line) != (column + 1 == width) {
            return Err(FaultKind::Ragged {
                found: if end == End::Line {
                    column + 1
                } else {
                    width + fields(&bytes[*at..], layout.delimiter)
                },
            });
        }
    }
    Ok(any_quoted)
}

/// Fields up to the end of the record.
fn fields(bytes: &[u8], delimiter: u8) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Ok(field) = scan::field(bytes, at, delimiter) {
        count += 1;
        match scan::terminator(bytes, field.end, delimiter) {
            Some((End::Delimiter, length)) => at = field.end + length,
            _ => break,
        }
    }
    count
}

impl Part {
    fn new(attempt: &Attempt, expected: usize) -> Self {
        Self {
            cells: match attempt {
                Attempt::Skip => Cells::Nothing,
                Attempt::Real | Attempt::DeclaredReal => Cells::Real(Vec::with_capacity(expected)),
                Attempt::Flag => Cells::Flag(Vec::with_capacity(expected)),
                Attempt::Time | Attempt::DeclaredTime(_) => {
                    Cells::Time(Vec::with_capacity(expected))
                }
                Attempt::Label => Cells::Label(Vec::with_capacity(expected), Interner::default()),
            },
            seen: Seen::default(),
        }
    }

    /// The road of nearly all fields of numbers: parse up to the terminator without looking for it first. Returns how
    /// the field ended and the bytes passed, terminator included.
    #[inline]
    fn quick(
        &mut self,
        bytes: &[u8],
        at: usize,
        attempt: &Attempt,
        layout: &Layout,
    ) -> Option<(End, usize)> {
        let Cells::Real(values) = &mut self.cells else {
            return None;
        };
        let number = number::prefix(&bytes[at..])?;
        let after = at + number.length;
        let (end, length) = scan::terminator(bytes, after, layout.delimiter)?;
        if (number.oversized && *attempt != Attempt::DeclaredReal)
            || (layout.markers.numeric() && layout.markers.contain(&bytes[at..after]))
        {
            return None;
        }
        self.seen.add(Seen::REAL);
        values.push(number.value);
        Some((end, number.length + length))
    }

    /// The same road for a number in quotes without blanks.
    #[inline(never)]
    fn quick_quoted(
        &mut self,
        bytes: &[u8],
        at: usize,
        attempt: &Attempt,
        layout: &Layout,
    ) -> Option<(End, usize)> {
        let Cells::Real(values) = &mut self.cells else {
            return None;
        };
        let start = at + 1;
        let number = number::leading(bytes.get(start..)?)?;
        let close = start + number.length;
        if bytes.get(close) != Some(&b'"')
            || (number.oversized && *attempt != Attempt::DeclaredReal)
            || layout.markers.contain(&bytes[start..close])
        {
            return None;
        }
        // A doubled quote is no end: its second half is no terminator.
        let (end, length) = scan::terminator(bytes, close + 1, layout.delimiter)?;
        self.seen.add(Seen::REAL);
        values.push(number.value);
        Some((end, close + 1 + length - at))
    }

    /// Any field. The error holds the value and what is wrong with it.
    fn push(
        &mut self,
        field: &Field<'_>,
        attempt: &Attempt,
        markers: &Markers,
    ) -> Result<(), (String, String)> {
        let (text, quoted) = (&*field.text, field.quoted);
        if let Cells::Label(codes, interner) = &mut self.cells {
            // Quoted text is itself, so that a level `NA` can be written; only nothing is missing even in quotes.
            let missing = if quoted {
                text.is_empty() && markers.empty()
            } else {
                markers.contain(text)
            };
            if missing {
                codes.push(MISSING);
                return Ok(());
            }
            self.seen.add(Seen::TEXT);
            let (code, new) = interner.code(text);
            codes.push(code);
            return if new { valid(text) } else { Ok(()) };
        }
        if *attempt == Attempt::Skip {
            return Ok(());
        }
        let trimmed = text.trim_ascii();
        let missing = markers.contain(trimmed);
        let failed = match &mut self.cells {
            Cells::Real(values) => match number::parse(trimmed).filter(|_| !missing) {
                Some(n) if !n.oversized || *attempt == Attempt::DeclaredReal => {
                    self.seen.add(Seen::REAL);
                    values.push(n.value);
                    return Ok(());
                }
                _ => {
                    values.push(f64::NAN);
                    !missing
                }
            },
            Cells::Flag(values) => {
                let flag = infer::flag(trimmed).filter(|_| !missing);
                values.push(flag.map_or(NO_FLAG, u8::from));
                if flag.is_some() {
                    self.seen.add(Seen::FLAG);
                    return Ok(());
                }
                !missing
            }
            Cells::Time(values) => {
                let time = match attempt {
                    Attempt::DeclaredTime(format) => format.parse(trimmed),
                    _ => TimeFormat::Iso.parse(trimmed),
                }
                .filter(|_| !missing);
                values.push(time.unwrap_or(f64::NAN));
                if time.is_some() {
                    self.seen.add(Seen::TIME);
                    return Ok(());
                }
                !missing
            }
            Cells::Label(..) | Cells::Nothing => false,
        };
        if failed {
            match attempt {
                Attempt::DeclaredReal => {
                    return Err((
                        shown(text),
                        "is not a number; correct it, or name it as missing with CsvOptions::missing".to_owned(),
                    ));
                }
                Attempt::DeclaredTime(format) => {
                    return Err((shown(text), format!("is not a time of the form {format}")));
                }
                _ => self.cells = Cells::Nothing,
            }
        }
        if missing || (matches!(self.cells, Cells::Nothing) && self.seen.settled()) {
            return valid(text);
        }
        self.seen.add(infer::class(trimmed));
        // Checked also where no text is kept, so that the first error does not depend on what was attempted.
        valid(text)
    }
}

impl Cells {
    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Real(values) | Self::Time(values) => values.len(),
            Self::Flag(values) => values.len(),
            Self::Label(codes, _) => codes.len(),
        }
    }
}

impl Part {
    /// Appends the cells of the next piece to a column of which `rows` are expected.
    fn append(&mut self, next: Part, rows: usize) {
        let reserve = rows.saturating_sub(self.cells.len());
        self.seen.add(next.seen);
        let cells = std::mem::replace(&mut self.cells, Cells::Nothing);
        self.cells = match (cells, next.cells) {
            (Cells::Real(mut a), Cells::Real(b)) => {
                a.reserve(reserve.max(b.len()));
                a.extend_from_slice(&b);
                Cells::Real(a)
            }
            (Cells::Time(mut a), Cells::Time(b)) => {
                a.reserve(reserve.max(b.len()));
                a.extend_from_slice(&b);
                Cells::Time(a)
            }
            (Cells::Flag(mut a), Cells::Flag(b)) => {
                a.reserve(reserve.max(b.len()));
                a.extend_from_slice(&b);
                Cells::Flag(a)
            }
            (Cells::Label(mut a, mut interner), Cells::Label(b, texts)) => {
                let map = interner.absorb(&texts);
                a.reserve(reserve.max(b.len()));
                a.extend(b.iter().map(|c| {
                    if *c == MISSING {
                        MISSING
                    } else {
                        map[*c as usize]
                    }
                }));
                Cells::Label(a, interner)
            }
            _ => Cells::Nothing,
        };
    }
}

impl Chunk {
    /// A table without rows.
    pub(super) fn empty(layout: &Layout) -> Self {
        Chunk {
            parts: layout.attempts.iter().map(|a| Part::new(a, 0)).collect(),
            rows: 0,
            lines: 0,
            fault: None,
            bytes: 0,
        }
    }

    /// Appends the next pieces, the columns in parallel; `total` is the length of all pieces, 0 if unknown. The first fault
    /// stays, with its place in the file.
    pub(super) fn extend(&mut self, pieces: Vec<Chunk>, total: usize) {
        let mut columns: Vec<(Part, Vec<Part>)> = std::mem::take(&mut self.parts)
            .into_iter()
            .map(|part| (part, Vec::with_capacity(pieces.len())))
            .collect();
        for piece in pieces {
            if self.fault.is_some() {
                break;
            }
            self.fault = piece.fault.map(|f| Fault {
                row: f.row + self.rows,
                line: f.line + self.lines,
                kind: f.kind,
            });
            self.rows += piece.rows;
            self.lines += piece.lines;
            self.bytes += piece.bytes;
            for ((_, more), part) in columns.iter_mut().zip(piece.parts) {
                more.push(part);
            }
        }
        // All rows, judged by those so far, with a little to spare.
        let scale = total as f64 / self.bytes.max(1) as f64;
        let rows = (self.rows as f64 * scale.max(1.0) * 1.01) as usize;
        blocks::fill(&mut columns, 1, |_, columns| {
            for (part, more) in columns {
                for next in std::mem::take(more) {
                    part.append(next, rows);
                }
            }
        });
        self.parts = columns.into_iter().map(|(part, _)| part).collect();
    }
}

/// Text for a message: the first characters, bytes that are not UTF-8 replaced.
pub(super) fn shown(text: &[u8]) -> String {
    const SHOWN: usize = 40;
    let text = String::from_utf8_lossy(text);
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// The error of text that is not UTF-8.
fn valid(text: &[u8]) -> Result<(), (String, String)> {
    if std::str::from_utf8(text).is_ok() {
        Ok(())
    } else {
        Err(not_utf8(text))
    }
}

/// The value, read as Latin-1, and the remedy.
pub(super) fn not_utf8(text: &[u8]) -> (String, String) {
    let latin: String = text.iter().map(|b| char::from(*b)).collect();
    (
        shown(latin.as_bytes()),
        "is not UTF-8; it is shown as Latin-1 (Windows-1252) would read it: save the file as UTF-8"
            .to_owned(),
    )
}
