//! How wide a text is: in character cells of a terminal, and in pixels of a figure.

/// Terminal cells of a text: 2 for a wide (East Asian or emoji) character, 0 for a combining mark, else 1.
pub(super) fn cells(text: &str) -> usize {
    text.chars().map(char_cells).sum()
}

/// Pixels of a text set in a sans-serif font of this size: an upper estimate by character class, so that what is
/// measured to fit does fit in Helvetica, Arial, DejaVu Sans (the widest of the usual ones) and their relatives. The
/// numbers are rounded up from the advance widths of DejaVu Sans and Liberation Sans.
pub(super) fn pixels(text: &str, font_size: f64) -> f64 {
    text.chars().map(char_ems).sum::<f64>() * font_size
}

/// The longest beginning of a text, ended by an ellipsis, that is at most this many pixels wide.
pub(super) fn ellipsize(text: &str, font_size: f64, limit: f64) -> String {
    if pixels(text, font_size) <= limit {
        return text.to_owned();
    }
    let mut kept = String::new();
    // Added up in the order of `pixels`, so that both agree to the last bit.
    let mut ems = 0.0;
    for c in text.chars() {
        ems += char_ems(c);
        if (ems + char_ems('…')) * font_size > limit {
            break;
        }
        kept.push(c);
    }
    let mut kept = kept.trim_end().to_owned();
    kept.push('…');
    kept
}

/// Breaks a text at spaces into lines of at most `limit`, as `measure` counts; a longer word stays whole.
pub(super) fn wrap(text: &str, limit: f64, measure: impl Fn(&str) -> f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if measure(line) + measure(" ") + measure(word) <= limit => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The text with control characters, line breaks among them, turned into spaces: no output format needs them and each
/// would break in its own way.
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if forbidden(c) { ' ' } else { c })
        .collect()
}

/// Controls, line and paragraph separators, and what XML 1.0 does not allow.
fn forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}')
}

fn char_cells(c: char) -> usize {
    if combining(c) {
        0
    } else if wide(c) {
        2
    } else {
        1
    }
}

fn char_ems(c: char) -> f64 {
    match c {
        _ if combining(c) => 0.0,
        '\u{1f300}'..='\u{1f9ff}' => 1.4,
        _ if wide(c) => 1.05,
        'i' | 'j' | 'l' | '\'' | '|' | '.' | ',' | ':' | ';' | ' ' | '·' => 0.36,
        'I' | 'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '\\' | '-' | '!' => 0.46,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '—' | '…' | '&' | 'Œ' | 'Æ' | 'œ' | 'æ' => 1.08,
        '+' | '<' | '>' | '=' | '−' | '~' | '#' | '±' | '×' | '≤' | '≥' | '≈' | '∞' | '→' | 'ω' => {
            0.86
        }
        'A'..='Z' => 0.80,
        '0'..='9' | 'a'..='z' | '$' | '–' | '*' | '_' | '?' | '{' | '}' | '"' | '`' => 0.66,
        // Accented Latin and Greek; Cyrillic and others have wider letters.
        '\u{c0}'..='\u{3ff}' if c.is_lowercase() => 0.75,
        '\u{a1}'..='\u{3ff}' => 0.95,
        _ => 1.2,
    }
}

/// Marks that sit on the character before them, joiners and variation selectors.
fn combining(c: char) -> bool {
    matches!(u32::from(c),
        0x0300..=0x036f | 0x0483..=0x0489 | 0x0591..=0x05bd | 0x064b..=0x065f | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff
        | 0x200b..=0x200f | 0x2060..=0x2064 | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f | 0xfeff)
}

/// East Asian wide and full-width forms, and the emoji blocks (Unicode Standard Annex 11, by block).
fn wide(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0x33ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xa000..=0xa4cf
        | 0xa960..=0xa97f | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f | 0x1f680..=0x1f6ff | 0x1f900..=0x1f9ff | 0x20000..=0x3fffd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_and_combining_characters_are_counted() {
        assert_eq!(cells("Zürich"), 6);
        assert_eq!(cells("価格"), 4);
        assert_eq!(cells("θ\u{302} · β"), 5);
    }

    #[test]
    fn an_ellipsized_text_fits() {
        let text = "a rather long label of an axis 価格";
        let short = ellipsize(text, 12.0, 90.0);
        assert!(pixels(&short, 12.0) <= 90.0 && short.ends_with('…'));
        assert_eq!(ellipsize("short", 12.0, 90.0), "short");
    }

    #[test]
    fn lines_break_at_spaces() {
        let lines = wrap("one two three four", 9.0, |s| cells(s) as f64);
        assert_eq!(lines, ["one two", "three", "four"]);
    }
}
