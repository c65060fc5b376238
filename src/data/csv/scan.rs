//! Where fields and records end: the only code that knows quotes and line ends.

use memchr::{memchr, memchr2};
use std::borrow::Cow;

/// How a field ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Delimiter,
    Line,
}

/// One field, without its quotes.
pub(super) struct Field<'a> {
    pub text: Cow<'a, [u8]>,
    pub quoted: bool,
    /// Where its terminator is.
    pub end: usize,
}

/// Broken quoting: the text so far and what is wrong.
pub(super) struct BadQuote<'a> {
    pub text: &'a [u8],
    pub message: &'static str,
}

/// The terminator at a position and its length; the end of the bytes ends a line.
#[inline]
pub(super) fn terminator(bytes: &[u8], at: usize, delimiter: u8) -> Option<(End, usize)> {
    match bytes.get(at) {
        None => Some((End::Line, 0)),
        Some(b) if *b == delimiter => Some((End::Delimiter, 1)),
        Some(b'\n') => Some((End::Line, 1)),
        Some(b'\r') => match bytes.get(at + 1) {
            Some(b'\n') => Some((End::Line, 2)),
            None => Some((End::Line, 1)),
            Some(_) => None,
        },
        Some(_) => None,
    }
}

/// The field that starts at a position. A quote opens a quoted field only as its first byte; inside, two quotes are one.
#[inline]
pub(super) fn field(bytes: &[u8], at: usize, delimiter: u8) -> Result<Field<'_>, BadQuote<'_>> {
    if bytes.get(at) == Some(&b'"') {
        return quoted(bytes, at, delimiter);
    }
    let rest = &bytes[at..];
    let (mut length, line) = match memchr2(delimiter, b'\n', rest) {
        Some(i) => (i, rest[i] == b'\n'),
        None => (rest.len(), true),
    };
    if line && length > 0 && rest[length - 1] == b'\r' {
        length -= 1;
    }
    Ok(Field {
        text: Cow::Borrowed(&rest[..length]),
        quoted: false,
        end: at + length,
    })
}

fn quoted(bytes: &[u8], at: usize, delimiter: u8) -> Result<Field<'_>, BadQuote<'_>> {
    let start = at + 1;
    let Some((close, doubled)) = closing_quote(bytes, start) else {
        return Err(BadQuote {
            text: &bytes[at..],
            message: "opens a quote that never closes; close it, or double quotes inside quoted text",
        });
    };
    let end = close + 1;
    if terminator(bytes, end, delimiter).is_none() {
        return Err(BadQuote {
            text: &bytes[at..(end + 1).min(bytes.len())],
            message: "goes on after its closing quote; double quotes inside quoted text",
        });
    }
    let inner = &bytes[start..close];
    let text = if doubled {
        Cow::Owned(undouble(inner))
    } else {
        Cow::Borrowed(inner)
    };
    Ok(Field {
        text,
        quoted: true,
        end,
    })
}

/// The position of the quote that closes the field whose text starts at `at`, and whether it holds doubled quotes.
fn closing_quote(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut doubled = false;
    loop {
        let quote = at + memchr(b'"', bytes.get(at..)?)?;
        if bytes.get(quote + 1) != Some(&b'"') {
            return Some((quote, doubled));
        }
        doubled = true;
        at = quote + 2;
    }
}

fn undouble(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(quote) = memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=quote]);
        rest = rest.get(quote + 2..).unwrap_or(&[]);
    }
    out.extend_from_slice(rest);
    out
}

/// Cuts the bytes into pieces of about `size` that end with a line, without looking at quotes. What follows the last cut is
/// a piece of its own at the end of the file (`last`), else it is left for later.
///
/// A line may end inside quotes. This shows when the piece is parsed: if the piece starts with a record, the quote that is
/// open at its end was opened in it and never closes, which is a fault; without a fault the next piece starts with a record
/// too. So pieces of which none has a fault are cut at records, and only others need [`pieces`].
pub(super) fn lines(bytes: &[u8], size: usize, last: bool) -> Vec<&[u8]> {
    let size = size.max(1);
    let (mut cut, mut rest) = (Vec::with_capacity(bytes.len() / size + 1), bytes);
    while let Some(newline) = rest.get(size - 1..).and_then(|ahead| memchr(b'\n', ahead)) {
        let (piece, after) = rest.split_at(size + newline);
        cut.push(piece);
        rest = after;
    }
    if last && !rest.is_empty() {
        cut.push(rest);
    }
    cut
}

/// Cuts the bytes into pieces of about `size` that end with a record. Quoted stretches are followed from the start, so
/// that a line end inside quotes never cuts; the first byte must start a record. What follows the last cut is a piece of
/// its own at the end of the file (`last`), else it is left for later.
pub(super) fn pieces(bytes: &[u8], delimiter: u8, size: usize, last: bool) -> Vec<&[u8]> {
    let size = size.max(1);
    let mut cuts = vec![0];
    let mut plain = 0;
    let mut target = size;
    while plain < bytes.len() {
        let open = next_quoted(bytes, plain, delimiter).unwrap_or(bytes.len());
        // Line ends in the stretch without quotes, `plain..open`.
        while target <= open {
            let from = (target - 1).max(plain);
            let Some(newline) = memchr(b'\n', &bytes[from..open]) else {
                break;
            };
            cuts.push(from + newline + 1);
            target = from + newline + 1 + size;
        }
        plain = match bytes
            .get(open + 1..)
            .and_then(|_| closing_quote(bytes, open + 1))
        {
            Some((close, _)) => close + 1,
            None => bytes.len(),
        };
    }
    if last && cuts.last().is_some_and(|c| *c < bytes.len()) {
        cuts.push(bytes.len());
    }
    cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect()
}

/// The next quote at or after `at` that opens a field.
fn next_quoted(bytes: &[u8], mut at: usize, delimiter: u8) -> Option<usize> {
    loop {
        let quote = at + memchr(b'"', bytes.get(at..)?)?;
        if quote == 0 || bytes[quote - 1] == delimiter || bytes[quote - 1] == b'\n' {
            return Some(quote);
        }
        at = quote + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_are_resolved() {
        let text = |s: &'static str| {
            field(s.as_bytes(), 0, b',')
                .map(|f| (f.text.into_owned(), f.quoted, f.end))
                .ok()
        };
        assert_eq!(text("ab,c"), Some((b"ab".to_vec(), false, 2)));
        assert_eq!(text("ab\r\n"), Some((b"ab".to_vec(), false, 2)));
        assert_eq!(text("a\"b\"\n"), Some((b"a\"b\"".to_vec(), false, 4)));
        assert_eq!(
            text("\"a,\n\"\"b\"\"\",c"),
            Some((b"a,\n\"b\"".to_vec(), true, 10))
        );
        assert_eq!(text("\"\""), Some((vec![], true, 2)));
        assert_eq!(text("\"open"), None);
        assert_eq!(text("\"a\"b,"), None);
    }

    #[test]
    fn pieces_end_with_records() {
        let bytes = b"a,b\n\"x\ny\",2\nz,\"\"\"\n\"\n3,4";
        for size in 1..30 {
            let cut = pieces(bytes, b',', size, true);
            assert_eq!(cut.concat(), bytes);
            for piece in cut {
                let whole: [&[u8]; 4] = [b"a,b\n", b"\"x\ny\",2\n", b"z,\"\"\"\n\"\n", b"3,4"];
                assert!(whole.iter().any(|w| piece.starts_with(w)), "{piece:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_lose_no_byte(bytes in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200), size in 1_usize..50) {
            prop_assert_eq!(lines(&bytes, size, true).concat(), bytes.clone());
            prop_assert_eq!(pieces(&bytes, b',', size, true).concat(), bytes);
        }
    }
}
