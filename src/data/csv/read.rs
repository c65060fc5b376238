//! From the bytes below the header to the columns of a frame: guess the kinds, parse, and correct the guess.

use super::super::column::{Column, Label, MISSING, Real, Time};
use super::super::frame::Frame;
use super::super::levels::Levels;
use super::super::time::TimeFormat;
use super::chunk::{self, Attempt, Cells, Chunk, FaultKind, Layout, Part};
use super::infer::{Markers, Seen};
use super::interner::Texts;
use super::scan;
use super::source::{Input, Source};
use super::{CsvOptions, Declared, PIECES, io_error};
use crate::error::{Error, Result};
use crate::numeric::blocks;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Bytes at the start of the rows from which the kinds are guessed.
const SAMPLE: usize = 1 << 14;

/// The names of the columns.
pub(super) struct Header {
    pub(super) names: Vec<String>,
    /// Bytes and lines up to the end of the header, what stands before it included.
    pub(super) length: usize,
    pub(super) lines: usize,
}

impl Header {
    pub(super) fn parse(bytes: &[u8], delimiter: u8, source: &str) -> Result<Self> {
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
pub(super) struct Reader<'a> {
    pub(super) options: &'a CsvOptions,
    pub(super) source: Source<'a>,
    pub(super) name: &'a str,
    pub(super) header: &'a Header,
}

impl Reader<'_> {
    /// Reads the rows, of which the input holds the first.
    pub(super) fn frame(&self, mut input: Input<'_>) -> Result<Frame> {
        let wanted = self.wanted()?;
        // What the first rows look like is only the first attempt; the kinds are decided over the whole file.
        input.fill().map_err(|e| io_error(self.name, &e))?;
        let sample = self.sample(&input);
        let guess = match sample {
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
        let mut columns: Vec<(Option<Part>, Option<Column>)> =
            table.parts.into_iter().map(|p| (Some(p), None)).collect();
        blocks::fill(&mut columns, 1, |_, columns| {
            for (part, done) in columns {
                *done = part.take().map(column);
            }
        });
        let mut frame = Frame::new();
        for ((name, (_, column)), wanted) in self.header.names.iter().zip(columns).zip(&wanted) {
            if let Some(column) = column.filter(|_| *wanted != Attempt::Skip) {
                frame = frame.with(name.clone(), column)?;
            }
        }
        Ok(frame)
    }

    /// The first records. None may be cut, since text that is seen here makes its column text.
    fn sample<'b>(&self, input: &'b Input<'_>) -> Option<&'b [u8]> {
        let first = |bytes: &'b [u8], last| {
            let pieces = scan::pieces(bytes, self.options.delimiter, SAMPLE, last);
            pieces.first().copied()
        };
        let bytes = input.bytes();
        let near = &bytes[..bytes.len().min(2 * SAMPLE)];
        first(near, input.ended() && near.len() == bytes.len())
            .or_else(|| first(bytes, input.ended()))
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
    fn pass(&self, mut input: Input<'_>, layout: &Layout) -> Result<Chunk> {
        let mut table = Chunk::empty(layout);
        let total = input.size().unwrap_or(0) as usize;
        // Following quotes over the whole file takes as long as parsing it, so that is left until a line ends inside them.
        let mut followed = false;
        loop {
            input.fill().map_err(|e| io_error(self.name, &e))?;
            let (bytes, size) = (input.bytes(), self.options.piece);
            let pieces = if followed {
                scan::pieces(bytes, layout.delimiter, size, input.ended())
            } else {
                scan::lines(bytes, size, input.ended())
            };
            if pieces.is_empty() {
                if input.ended() {
                    return Ok(table);
                }
                input.widen();
                continue;
            }
            let chunks = blocks::map(pieces.len(), |i| chunk::parse(pieces[i], layout));
            if !followed && chunks.iter().any(|chunk| chunk.fault.is_some()) {
                followed = true;
                continue;
            }
            table.extend(chunks, total);
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
fn column(part: Part) -> Column {
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
            Column::Label(Arc::new(sorted_label(codes, &interner.into_texts())))
        }
        Cells::Nothing => Column::Real(Real::new(Vec::new())),
    }
}

/// Sorts the levels and recodes. Most comparisons are decided by the eight bytes after what all levels start with, kept
/// beside the code.
fn sorted_label(mut codes: Vec<u32>, texts: &Texts) -> Label {
    /// Stretches that are sorted in parallel and then merged.
    const RUNS: usize = 8;
    let shared = texts.shared_start();
    let key = |text: &[u8]| {
        let mut eight = [0; 8];
        let text = &text[shared..];
        let n = text.len().min(8);
        eight[..n].copy_from_slice(&text[..n]);
        u64::from_be_bytes(eight)
    };
    let compare = |a: &(u64, u32), b: &(u64, u32)| {
        a.0.cmp(&b.0)
            .then_with(|| texts.get(a.1).cmp(texts.get(b.1)))
    };
    let mut order: Vec<(u64, u32)> = texts.iter().map(key).zip(0..).collect();
    let run = order.len().div_ceil(RUNS);
    blocks::fill(&mut order, run, |_, run| run.sort_unstable_by(compare));
    // The standard stable sort finds the sorted runs and merges them.
    order.sort_by(compare);
    let mut rank = vec![MISSING; texts.len()];
    for ((_, code), position) in order.iter().zip(0..) {
        rank[*code as usize] = position;
    }
    for code in codes.iter_mut().filter(|c| **c != MISSING) {
        *code = rank[*code as usize];
    }
    codes.shrink_to_fit();
    drop(rank);
    Label::coded(codes, ordered(texts, &order))
}

/// The texts written anew in their order, so that levels that follow each other lie beside each other in memory.
fn ordered(texts: &Texts, order: &[(u64, u32)]) -> Levels {
    /// Texts that are copied as one piece of work.
    const TEXTS: usize = 1 << 15;
    let mut end = 0;
    let ends: Vec<usize> = order
        .iter()
        .map(|(_, code)| {
            end += texts.get(*code).len();
            end
        })
        .collect();
    let mut bytes = vec![0; end];
    let (mut work, mut rest, mut start) = (Vec::new(), &mut bytes[..], 0);
    for (order, ends) in order.chunks(TEXTS).zip(ends.chunks(TEXTS)) {
        let stop = ends.last().copied().unwrap_or(start);
        let (piece, after) = rest.split_at_mut(stop - start);
        work.push((piece, order));
        (rest, start) = (after, stop);
    }
    blocks::fill(&mut work, 1, |_, work| {
        for (piece, order) in work {
            let mut at = 0;
            for (_, code) in *order {
                let text = texts.get(*code);
                piece[at..at + text.len()].copy_from_slice(text);
                at += text.len();
            }
        }
    });
    // Every text was found to be UTF-8 when it was first seen.
    Levels::joined(String::from_utf8(bytes).unwrap_or_default(), ends)
}
