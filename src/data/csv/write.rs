//! Writing CSV that reads back to the same frame.

use super::super::column::Column;
use super::super::frame::Frame;
use super::super::time;
use super::CsvOptions;
use super::infer::Markers;
use crate::error::{Error, Result};
use std::io::Write;
use std::path::Path;

impl Frame {
    /// Writes the frame as CSV with a header, commas and LF. Missing values are empty; numbers have the shortest text that
    /// reads back to the same bits; times are ISO. Text is quoted when it must be, also when it would read as missing.
    ///
    /// [`Frame::read_csv`] gives the same frame again, with two exceptions that its options settle: a label whose values
    /// all look like numbers, flags or times needs [`CsvOptions::label`], and an empty text reads as missing.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let failed = |e: std::io::Error| Error::Io {
            path: path.display().to_string(),
            message: e.to_string(),
        };
        let file = std::fs::File::create(path).map_err(failed)?;
        let mut out = std::io::BufWriter::new(file);
        write(self, &mut out)
            .and_then(|()| out.flush())
            .map_err(failed)
    }

    /// The frame as CSV text; see [`Frame::write_csv`].
    ///
    /// # Errors
    /// [`Error::Serialization`], which cannot happen for text in memory.
    pub fn to_csv_string(&self) -> Result<String> {
        let mut out = Vec::new();
        write(self, &mut out).map_err(|e| Error::Serialization {
            message: e.to_string(),
        })?;
        String::from_utf8(out).map_err(|e| Error::Serialization {
            message: e.to_string(),
        })
    }
}

fn write(frame: &Frame, out: &mut impl Write) -> std::io::Result<()> {
    let markers = Markers::new(&CsvOptions::default().missing);
    let quote = |text: &str| quoted(text, &markers);
    for (i, name) in frame.names().iter().enumerate() {
        if i > 0 {
            out.write_all(b",")?;
        }
        out.write_all(quote(name).as_bytes())?;
    }
    out.write_all(b"\n")?;
    let columns: Vec<(&Column, Vec<String>)> = frame
        .iter()
        .map(|(_, column)| match column {
            Column::Label(label) => (column, label.levels().iter().map(quote).collect()),
            _ => (column, Vec::new()),
        })
        .collect();
    for row in 0..frame.rows() {
        for (i, (column, levels)) in columns.iter().enumerate() {
            if i > 0 {
                out.write_all(b",")?;
            }
            match column {
                Column::Real(c) => {
                    let value = c.values()[row];
                    if !value.is_nan() {
                        write!(out, "{}", shortest(value))?;
                    } else if columns.len() == 1 {
                        // A blank line would be skipped.
                        out.write_all(b"NA")?;
                    }
                }
                Column::Flag(c) => out.write_all(if c[row] { b"true" } else { b"false" })?,
                Column::Label(c) => match levels.get(c.codes()[row] as usize) {
                    Some(text) => out.write_all(text.as_bytes())?,
                    None if columns.len() == 1 => out.write_all(b"NA")?,
                    None => {}
                },
                Column::Time(c) => {
                    let value = c.seconds().values()[row];
                    if !value.is_nan() {
                        out.write_all(time::iso_text(value).as_bytes())?;
                    } else if columns.len() == 1 {
                        out.write_all(b"NA")?;
                    }
                }
            }
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// The shortest decimal text; with an exponent where it would be long, which also keeps large integers numbers.
fn shortest(value: f64) -> String {
    /// Beyond these, positional text has padding zeros, and integers read as labels.
    const POSITIONAL: std::ops::Range<f64> = 1e-5..9_007_199_254_740_992.0;
    let size = value.abs();
    if size <= 0.0 || POSITIONAL.contains(&size) || size.is_infinite() {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

/// The text, in quotes when it holds a delimiter, quote or line end, has blanks around it, or would read as missing.
fn quoted(text: &str, markers: &Markers) -> String {
    let plain = !text.contains(['"', ',', '\n', '\r'])
        && text.trim() == text
        && !markers.contain(text.as_bytes())
        && !text.starts_with('\u{FEFF}');
    if plain {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('"', "\"\""))
    }
}
