//! A CSV file as a sequence of frames, in constant memory.

use super::read::{Header, Reader};
use super::source::{Input, Source};
use super::{CsvOptions, io_error, scan};
use crate::data::Frame;
use crate::error::{Error, Result};
use std::path::Path;

/// Bytes of the file that are looked at together; a batch is what they hold of whole rows.
const WINDOW: usize = 1 << 23;

/// Rows are cut off the window at the first row end after so many bytes: what is left for the next batch is short.
const CUT: usize = 1 << 16;

/// The rows of a CSV file as frames of some megabytes each, in the order of the file; see [`CsvOptions::batches`].
///
/// After an error there are no further batches.
pub struct CsvBatches {
    options: CsvOptions,
    name: String,
    header: Header,
    input: Input<'static>,
    /// Data rows passed.
    rows: usize,
    ended: bool,
}

impl CsvOptions {
    /// Reads a file, plain or gzipped, batch by batch, so that its size does not matter: every batch is a frame of the whole rows in
    /// about eight megabytes of text (more only where one row is longer).
    ///
    /// Kinds are inferred batch by batch. Declare columns whose kind matters: a column of text that looks like numbers in one batch
    /// is a real column there.
    ///
    /// ```no_run
    /// use cocreate::prelude::*;
    /// let mut rows = 0;
    /// for batch in CsvOptions::new().label("arm").batches("large.csv.gz")? {
    ///     rows += batch?.rows();
    /// }
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`CsvOptions::read`]; rows in errors are counted from the start of the file.
    pub fn batches(&self, path: impl AsRef<Path>) -> Result<CsvBatches> {
        self.batches_of(path.as_ref(), WINDOW)
    }

    fn batches_of(&self, path: &Path, window: usize) -> Result<CsvBatches> {
        let name = path.display().to_string();
        let mut input = Source::open_file(path, window).map_err(|e| io_error(&name, &e))?;
        let header = self.header(&mut input, &name)?;
        Ok(CsvBatches {
            options: self.clone(),
            name,
            header: Header {
                length: 0,
                ..header
            },
            input,
            rows: 0,
            ended: false,
        })
    }
}

impl CsvBatches {
    /// The next batch, nothing at the end.
    fn batch(&mut self) -> Result<Option<Frame>> {
        loop {
            self.input.fill().map_err(|e| io_error(&self.name, &e))?;
            let (bytes, last) = (self.input.bytes(), self.input.ended());
            let size = CUT.min(bytes.len() / 2 + 1);
            let pieces = scan::pieces(bytes, self.options.delimiter, size, last);
            let used: usize = pieces.iter().map(|p| p.len()).sum();
            if used == 0 {
                if !last {
                    self.input.widen();
                    continue;
                }
                if self.rows == 0 {
                    return Err(Error::EmptyFile {
                        path: self.name.clone(),
                    });
                }
                return Ok(None);
            }
            let source = Source::Memory(&bytes[..used]);
            let lines = memchr::memchr_iter(b'\n', &bytes[..used]).count();
            let reader = Reader {
                options: &self.options,
                source,
                name: &self.name,
                header: &self.header,
            };
            let opened = source.open(used).map_err(|e| io_error(&self.name, &e))?;
            let found = reader.frame(opened);
            self.input.consume(used);
            match found {
                Ok(frame) => {
                    self.rows += frame.rows();
                    self.header.lines += lines;
                    return Ok(Some(frame));
                }
                // Nothing but blank lines.
                Err(Error::EmptyFile { .. }) => self.header.lines += lines,
                Err(error) => return Err(later(error, self.rows)),
            }
        }
    }
}

impl Iterator for CsvBatches {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batch = self.batch();
        self.ended = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }
}

impl std::fmt::Debug for CsvBatches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvBatches")
            .field("name", &self.name)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

/// The error with its row counted from the start of the file.
fn later(mut error: Error, rows: usize) -> Error {
    if let Error::RaggedRow { row, .. } | Error::BadField { row, .. } = &mut error {
        *row += rows;
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("cocreate-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn batches_are_the_file() {
        let mut text = "arm,\"note\",x\n".to_owned();
        for i in 0..500 {
            text.extend([format!(
                "{},\"line {i}\nmore, \"\"quoted\"\"\",{}\n",
                ["a", "b"][i % 2],
                i as f64 / 4.0
            )]);
        }
        let path = file("batches.csv", &text);
        let whole = Frame::read_csv(&path).unwrap();
        for window in [1, 64, 999, 4096, 1 << 20] {
            let batches: Vec<Frame> = CsvOptions::new()
                .batches_of(&path, window)
                .unwrap()
                .collect::<Result<_>>()
                .unwrap();
            assert_eq!(Frame::concat(&batches).unwrap(), whole, "{window}");
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn rows_in_errors_are_those_of_the_file() {
        let mut text = "a,b\n".to_owned();
        for i in 0..300 {
            text.extend([i.to_string(), format!(",{}\n", i * 2)]);
        }
        text.push_str("7\n");
        let path = file("ragged.csv", &text);
        let found: Result<Vec<Frame>> = CsvOptions::new().batches_of(&path, 256).unwrap().collect();
        let whole = Frame::read_csv(&path);
        std::fs::remove_file(path).unwrap();
        assert_eq!(found.unwrap_err(), whole.unwrap_err());
        let empty = file("empty.csv", "a,b\n\n");
        let found: Result<Vec<Frame>> = CsvOptions::new().batches(&empty).unwrap().collect();
        std::fs::remove_file(empty).unwrap();
        assert!(matches!(found, Err(Error::EmptyFile { .. })));
    }
}
