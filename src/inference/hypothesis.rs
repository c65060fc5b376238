//! Linear hypotheses written as text: `"educ = 0"`, `"x1 - 2*x2 = 0.5"`, `` "`C(k)[2]` + x1" ``.

use crate::error::{Error, Result, nearest_name};
use nalgebra::DVector;

/// `weights · β = value`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hypothesis {
    pub(crate) weights: DVector<f64>,
    pub(crate) value: f64,
}

/// Reads a linear expression in the coefficient `names`, with an optional right-hand side (zero without one). Names may
/// stand bare, the longest that fits is taken, or in backticks.
pub(crate) fn parse(text: &str, names: &[String]) -> Result<Hypothesis> {
    let mut reader = Reader {
        text,
        rest: text,
        names,
    };
    let (mut weights, mut constant) = reader.side()?;
    if reader.take("=") {
        let (right, right_constant) = reader.side()?;
        weights -= right;
        constant -= right_constant;
    }
    reader.space();
    if !reader.rest.is_empty() {
        return Err(reader.error("expected `+`, `-`, `*`, `/` or one `=`"));
    }
    if weights.iter().all(|w| w.abs() <= 0.0) {
        return Err(reader.error("no coefficient is left in this expression"));
    }
    Ok(Hypothesis {
        weights,
        value: -constant,
    })
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    names: &'a [String],
}

impl Reader<'_> {
    /// A sum of terms: its weights and its constant.
    fn side(&mut self) -> Result<(DVector<f64>, f64)> {
        let mut weights = DVector::zeros(self.names.len());
        let mut constant = 0.0;
        let mut first = true;
        loop {
            let sign = if self.take("-") {
                -1.0
            } else if self.take("+") || first {
                1.0
            } else {
                return Ok((weights, constant));
            };
            first = false;
            let (factor, name) = self.term()?;
            match name {
                Some(index) => weights[index] += sign * factor,
                None => constant += sign * factor,
            }
        }
    }

    /// `number`, `number * name`, `name * number`, `name / number`, `name`.
    fn term(&mut self) -> Result<(f64, Option<usize>)> {
        let (mut factor, mut name) = self.atom()?;
        loop {
            if self.take("*") {
                let (f, n) = self.atom()?;
                if name.is_some() && n.is_some() {
                    return Err(
                        self.error("a product of coefficients is not linear; use `nonlinear`")
                    );
                }
                factor *= f;
                name = name.or(n);
            } else if self.take("/") {
                let (f, n) = self.atom()?;
                if n.is_some() {
                    return Err(
                        self.error("a ratio of coefficients is not linear; use `nonlinear`")
                    );
                }
                factor /= f;
            } else {
                return Ok((factor, name));
            }
        }
    }

    /// A coefficient (factor 1) or a number.
    fn atom(&mut self) -> Result<(f64, Option<usize>)> {
        self.space();
        if let Some(quoted) = self.rest.strip_prefix('`') {
            let Some(end) = quoted.find('`') else {
                return Err(self.error("a backtick is not closed"));
            };
            let name = &quoted[..end];
            let index = self
                .names
                .iter()
                .position(|n| n == name)
                .ok_or_else(|| self.unknown(name))?;
            self.rest = &quoted[end + 1..];
            return Ok((1.0, Some(index)));
        }
        let longest = self
            .names
            .iter()
            .enumerate()
            .filter(|(_, n)| {
                self.rest.starts_with(n.as_str()) && ends_word(n, &self.rest[n.len()..])
            })
            .max_by_key(|(_, n)| n.len());
        if let Some((index, name)) = longest {
            self.rest = &self.rest[name.len()..];
            return Ok((1.0, Some(index)));
        }
        self.number()
    }

    /// A number with optional exponent.
    fn number(&mut self) -> Result<(f64, Option<usize>)> {
        let ends: Vec<usize> = self
            .rest
            .char_indices()
            .map(|(i, c)| i + c.len_utf8())
            .collect();
        let longest = ends.iter().rev().find_map(|end| {
            let piece = &self.rest[..*end];
            let plain = piece.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                && !piece.ends_with(char::is_whitespace);
            piece
                .parse::<f64>()
                .ok()
                .filter(|v| plain && v.is_finite())
                .map(|v| (v, *end))
        });
        if let Some((value, end)) = longest {
            self.rest = &self.rest[end..];
            return Ok((value, None));
        }
        let word: String = self
            .rest
            .chars()
            .take_while(|c| !c.is_whitespace() && !"+-*/=".contains(*c))
            .collect();
        if word.is_empty() {
            return Err(self.error("expected a coefficient or a number"));
        }
        Err(self.unknown(&word))
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn error(&self, message: &str) -> Error {
        Error::Formula {
            formula: self.text.to_owned(),
            position: self.text.chars().count() - self.rest.chars().count(),
            message: message.to_owned(),
        }
    }

    fn unknown(&self, name: &str) -> Error {
        unknown_coefficient(name, self.names)
    }
}

/// Whether a bare name may end before `rest`: the next character must not continue a word.
fn ends_word(name: &str, rest: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    !(name.ends_with(continues) && rest.starts_with(continues))
}

/// [`Error::UnknownCoefficient`] with the nearest name.
pub(super) fn unknown_coefficient(name: &str, names: &[String]) -> Error {
    Error::UnknownCoefficient {
        name: name.to_owned(),
        nearest: nearest_name(name, names),
        available: names.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["(Intercept)", "x1", "x10", "x1:x2", "C(k)[2]"]
            .iter()
            .map(|s| (*s).to_owned())
            .collect()
    }

    #[test]
    fn expressions_are_read() {
        let h = parse("x1 - 2*x10 = 0.5", &names()).unwrap();
        assert_eq!(h.weights.as_slice(), &[0.0, 1.0, -2.0, 0.0, 0.0]);
        assert_eq!(h.value, 0.5);
        let h = parse("(Intercept) + x1:x2/4 = `C(k)[2]` + 1e-3", &names()).unwrap();
        assert_eq!(h.weights.as_slice(), &[1.0, 0.0, 0.0, 0.25, -1.0]);
        assert_eq!(h.value, 1e-3);
        assert_eq!(parse("-x1 = 1 - x1*3", &names()).unwrap().weights[1], 2.0);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "x1 =",
            "x1 = x1",
            "x1 * x10",
            "x3",
            "x1 ~ 0",
            "`x1",
            "1 = 1",
            "x1/x10",
            "x1 = 0 = 0",
        ] {
            assert!(parse(text, &names()).is_err(), "{text}");
        }
        assert!(
            matches!(parse("y1", &names()), Err(Error::UnknownCoefficient { nearest: Some(n), .. }) if n == "x1")
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = parse(&text, &names());
        }
    }
}
