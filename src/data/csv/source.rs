//! Bytes from a file or memory, plain or gzipped, through a buffer that never holds the whole file.

use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

const GZIP: &[u8] = b"\x1F\x8B";

/// Where the bytes come from. It can be opened more than once.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    File(&'a Path),
    Memory(&'a [u8]),
}

/// An open source: a window that is filled, looked at, and moved on.
pub(super) struct Input<'a> {
    reader: Box<dyn Read + 'a>,
    buffer: Vec<u8>,
    filled: usize,
    ended: bool,
    /// Bytes of the source, `None` when they are compressed.
    size: Option<u64>,
}

impl<'a> Source<'a> {
    /// Opens it with a window of at most `window` bytes at first.
    pub(super) fn open(self, window: usize) -> io::Result<Input<'a>> {
        match self {
            Self::File(path) => Self::open_file(path, window),
            Self::Memory(bytes) => opened(Box::new(bytes), bytes.len() as u64, window),
        }
    }

    /// Opens a file, which is then owned.
    pub(super) fn open_file(path: &Path, window: usize) -> io::Result<Input<'static>> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        opened(Box::new(file), size, window)
    }
}

/// Looks at the first bytes for the mark of gzip.
fn opened<'a>(mut reader: Box<dyn Read + 'a>, size: u64, window: usize) -> io::Result<Input<'a>> {
    let mut start = Vec::new();
    reader
        .by_ref()
        .take(GZIP.len() as u64)
        .read_to_end(&mut start)?;
    let gzip = start == GZIP;
    let whole = Cursor::new(start).chain(reader);
    let reader: Box<dyn Read + 'a> = if gzip {
        Box::new(MultiGzDecoder::new(whole))
    } else {
        Box::new(whole)
    };
    // One byte more than the source, so that its end is seen with the last of its bytes.
    let enough = if gzip {
        window
    } else {
        window.min(size as usize + 1)
    };
    Ok(Input {
        reader,
        buffer: vec![0; enough.max(1)],
        filled: 0,
        ended: false,
        size: (!gzip).then_some(size),
    })
}

impl Input<'_> {
    /// Fills the window as far as there are bytes.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        while !self.ended && self.filled < self.buffer.len() {
            match self.reader.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.ended = true,
                Ok(n) => self.filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// The bytes in the window.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Whether nothing follows the window.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Bytes of the source, if they are known.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Doubles the window.
    pub(super) fn widen(&mut self) {
        self.buffer.resize(2 * self.buffer.len(), 0);
    }

    /// Moves on by `count` bytes of the window.
    pub(super) fn consume(&mut self, count: usize) {
        self.buffer.copy_within(count..self.filled, 0);
        self.filled -= count.min(self.filled);
    }

    /// Moves on by `count` bytes.
    pub(super) fn skip(&mut self, mut count: usize) -> io::Result<()> {
        while count > 0 {
            self.fill()?;
            let step = count.min(self.filled);
            if step == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.consume(step);
            count -= step;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_pass_over_all_bytes() {
        let bytes: Vec<u8> = (0..1000_u32).map(|i| i as u8).collect();
        for window in [1, 7, 999, 1000, 1001, 5000] {
            let mut input = Source::Memory(&bytes).open(window).unwrap();
            input.skip(10).unwrap();
            let mut seen = Vec::new();
            loop {
                input.fill().unwrap();
                if input.bytes().is_empty() {
                    break;
                }
                let step = input.bytes().len().div_ceil(2);
                seen.extend_from_slice(&input.bytes()[..step]);
                input.consume(step);
            }
            assert_eq!(seen, bytes[10..], "{window}");
        }
        assert!(Source::Memory(b"ab").open(8).unwrap().skip(3).is_err());
    }
}
