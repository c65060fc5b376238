//! Characters to tokens, each with the position of its first character.

/// A token of a formula.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Number(f64),
    Text(String),
    Dot,
    Symbol(&'static str),
}

/// A token and where it starts, in characters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub token: Token,
    pub position: usize,
}

/// What is wrong with a formula, and where.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    pub position: usize,
    pub message: String,
}

impl Fault {
    pub fn at<T>(position: usize, message: impl Into<String>) -> Result<T, Self> {
        Err(Self {
            position,
            message: message.into(),
        })
    }
}

/// Symbols, longer ones before their beginnings.
const SYMBOLS: [&str; 19] = [
    "<=", ">=", "==", "!=", "~", "+", "-", "*", "/", "^", ":", "(", ")", "[", "]", "|", ",", "<",
    ">",
];

/// Cuts a formula into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, Fault> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        let position = at;
        let rest = &characters[at..];
        let first = rest[0];
        if first.is_whitespace() {
            at += 1;
            continue;
        }
        let (token, length) = if starts_number(rest) {
            number(rest, position)?
        } else if let Some(length) = plain_name(rest) {
            (Token::Name(rest[..length].iter().collect()), length)
        } else if first == '.' {
            (Token::Dot, 1)
        } else if first == '`' {
            let (name, length) = quoted(rest, position, "the name in backticks")?;
            if name.is_empty() {
                return Fault::at(position, "there is no name between the backticks");
            }
            (Token::Name(name), length)
        } else if first == '"' || first == '\'' {
            let (text, length) = quoted(rest, position, "the text")?;
            (Token::Text(text), length)
        } else {
            symbol(rest, position)?
        };
        at += length;
        tokens.push(Placed { token, position });
    }
    Ok(tokens)
}

/// Whether a name needs no backticks.
pub(super) fn is_plain_name(name: &str) -> bool {
    let characters: Vec<char> = name.chars().collect();
    plain_name(&characters) == Some(characters.len())
}

/// The length of the plain name at the start: letters, digits, `_` and `.`, not starting with a digit; a dot at the
/// start needs a letter after it (`.5` is a number, `.` alone stands for all columns).
fn plain_name(rest: &[char]) -> Option<usize> {
    let letter = |c: Option<&char>| c.is_some_and(|c| c.is_alphabetic() || *c == '_');
    if !(letter(rest.first()) || rest.first() == Some(&'.') && letter(rest.get(1))) {
        return None;
    }
    let part = |c: &char| c.is_alphanumeric() || *c == '_' || *c == '.';
    Some(rest.iter().position(|c| !part(c)).unwrap_or(rest.len()))
}

fn starts_number(rest: &[char]) -> bool {
    let digit = |i: usize| rest.get(i).is_some_and(char::is_ascii_digit);
    digit(0) || rest[0] == '.' && digit(1)
}

/// Digits, a fraction, an exponent.
fn number(rest: &[char], position: usize) -> Result<(Token, usize), Fault> {
    let digits = |from: usize| {
        rest[from..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count()
    };
    let mut length = digits(0);
    if rest.get(length) == Some(&'.') {
        length += 1 + digits(length + 1);
    }
    if matches!(rest.get(length), Some('e' | 'E')) {
        let sign = usize::from(matches!(rest.get(length + 1), Some('+' | '-')));
        let exponent = digits((length + 1 + sign).min(rest.len()));
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    let text: String = rest[..length].iter().collect();
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((Token::Number(value), length)),
        _ => Fault::at(position, format!("`{text}` is not a finite number")),
    }
}

/// The text up to the same quote again; a backslash takes the next character as it is.
fn quoted(rest: &[char], position: usize, what: &str) -> Result<(String, usize), Fault> {
    let mut text = String::new();
    let mut at = 1;
    while let Some(c) = rest.get(at) {
        if *c == rest[0] {
            return Ok((text, at + 1));
        }
        if *c == '\\' && at + 1 < rest.len() {
            at += 1;
        }
        text.push(rest[at]);
        at += 1;
    }
    Fault::at(
        position,
        format!("{what} has no closing {}; add one", rest[0]),
    )
}

fn symbol(rest: &[char], position: usize) -> Result<(Token, usize), Fault> {
    for symbol in SYMBOLS {
        if symbol
            .chars()
            .enumerate()
            .all(|(i, c)| rest.get(i) == Some(&c))
        {
            return Ok((Token::Symbol(symbol), symbol.len()));
        }
    }
    match rest[0] {
        '=' => Ok((Token::Symbol("="), 1)),
        '&' => Fault::at(
            position,
            "`&` is not part of formulas; multiply two comparisons instead, as in I((a > 1) * (b > 1))",
        ),
        c => Fault::at(
            position,
            format!(
                "`{c}` is not part of formulas; put column names with other characters in backticks"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Token> {
        tokens(text).unwrap().into_iter().map(|t| t.token).collect()
    }

    #[test]
    fn names_numbers_and_dots_are_told_apart() {
        let name = |s: &str| Token::Name(s.to_owned());
        assert_eq!(
            kinds("x.1 .5 . .a größe `my col` 1e3 2e"),
            vec![
                name("x.1"),
                Token::Number(0.5),
                Token::Dot,
                name(".a"),
                name("größe"),
                name("my col"),
                Token::Number(1000.0),
                Token::Number(2.0),
                name("e"),
            ]
        );
    }

    #[test]
    fn positions_count_characters_not_bytes() {
        let placed = tokens("größe ~ x").unwrap();
        assert_eq!((placed[1].position, placed[2].position), (6, 8));
        assert_eq!(tokens("ü + §").unwrap_err().position, 4);
    }

    #[test]
    fn quotes_may_be_escaped_and_must_close() {
        assert_eq!(kinds(r"`a\`b`"), vec![Token::Name("a`b".into())]);
        assert_eq!(kinds(r#""a\\b\"" "#), vec![Token::Text("a\\b\"".into())]);
        assert_eq!(tokens("y ~ `x").unwrap_err().position, 4);
        assert!(tokens("``").is_err());
        assert!(tokens("1e999").is_err());
    }

    #[test]
    fn plain_names_need_no_backticks() {
        for name in ["x", "x.1", ".a", "_", "größe", "x_2"] {
            assert!(is_plain_name(name), "{name}");
        }
        for name in ["", ".", "1x", ".5", "a b", "a-b", "..a"] {
            assert!(!is_plain_name(name), "{name}");
        }
    }
}
