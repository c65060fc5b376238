//! The canonical text of a syntax tree: what it parses to is the same tree.

use super::ast::{Effect, Expression, Factor, Operator, ParsedFormula, Term};
use std::fmt;

impl fmt::Display for ParsedFormula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Expression::Column(column) => write!(f, "{}", Quoted(column))?,
            other => other.write_protected(f)?,
        }
        write!(f, " ~ ")?;
        if !self.intercept {
            write!(f, "0")?;
        } else if self.exogenous.is_empty() {
            write!(f, "1")?;
        }
        if !self.intercept && !self.exogenous.is_empty() {
            write!(f, " + ")?;
        }
        write_joined(f, &self.exogenous, " + ")?;
        for term in &self.removed {
            write!(f, " - {term}")?;
        }
        if !self.effects.is_empty() {
            write!(f, " | ")?;
            write_joined(f, &self.effects, " + ")?;
        }
        if !self.endogenous.is_empty() {
            write!(f, " | ")?;
            write_joined(f, &self.endogenous, " + ")?;
            write!(f, " ~ ")?;
            write_joined(f, &self.instruments, " + ")?;
        }
        Ok(())
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, binding::COMPARISON)
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(column) => write!(f, "{}", Quoted(column)),
            Self::Computed(expression) => expression.write_protected(f),
            Self::Categorical { column, reference } => {
                write!(f, "C({}", Quoted(column))?;
                if let Some(level) = reference {
                    write!(f, ", ref = {}", Level(level))?;
                }
                write!(f, ")")
            }
            Self::Indicators {
                column,
                interacted,
                references,
            } => {
                write!(f, "i({}", Quoted(column))?;
                if let Some(other) = interacted {
                    write!(f, ", {}", Quoted(other))?;
                }
                match references.as_slice() {
                    [] => {}
                    [one] => write!(f, ", ref = {}", Level(one))?,
                    many => {
                        let list: Vec<String> =
                            many.iter().map(|level| Level(level).to_string()).collect();
                        write!(f, ", ref = c({})", list.join(", "))?;
                    }
                }
                write!(f, ")")
            }
            Self::Polynomial {
                argument,
                degree,
                raw,
            } => {
                let raw = if *raw { ", raw = true" } else { "" };
                write!(f, "poly({argument}, {degree}{raw})")
            }
            Self::Everything => write!(f, "."),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_joined(f, &self.factors, ":")
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<Quoted> = self.columns.iter().map(|c| Quoted(c)).collect();
        write_joined(f, &columns, "^")
    }
}

impl Operator {
    fn binding(self) -> u8 {
        match self {
            Self::Add | Self::Subtract => binding::SUM,
            Self::Multiply | Self::Divide => binding::PRODUCT,
            Self::Power => binding::POWER,
            _ => binding::COMPARISON,
        }
    }
}

/// How tightly operators bind, weakest first.
mod binding {
    pub const COMPARISON: u8 = 0;
    pub const SUM: u8 = 1;
    pub const PRODUCT: u8 = 2;
    pub const SIGN: u8 = 3;
    pub const POWER: u8 = 4;
    pub const ATOM: u8 = 5;
}

impl Expression {
    fn binding(&self) -> u8 {
        match self {
            Self::Number(value) if value.is_sign_negative() => binding::SIGN,
            Self::Number(_) | Self::Column(_) | Self::Call(..) => binding::ATOM,
            Self::Negate(_) => binding::SIGN,
            Self::Binary(operator, ..) => operator.binding(),
            Self::Is { .. } => binding::COMPARISON,
        }
    }

    /// Prints with parentheses when it binds less tightly than its place asks for.
    fn write(&self, f: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        if self.binding() < least {
            write!(f, "(")?;
            self.write(f, binding::COMPARISON)?;
            return write!(f, ")");
        }
        match self {
            Self::Number(value) => write_number(f, *value),
            Self::Column(column) => write!(f, "{}", Quoted(column)),
            Self::Call(function, argument) => {
                write!(f, "{}(", function.name())?;
                argument.write(f, binding::COMPARISON)?;
                write!(f, ")")
            }
            Self::Negate(inner) => {
                write!(f, "-")?;
                inner.write(f, binding::SIGN)
            }
            Self::Binary(operator, left, right) => {
                // `^` groups from the right, comparisons do not chain, the others group from the left
                let (at_left, at_right) = match operator.binding() {
                    binding::POWER => (binding::ATOM, binding::SIGN),
                    binding::COMPARISON => (binding::SUM, binding::SUM),
                    b => (b, b + 1),
                };
                left.write(f, at_left)?;
                match operator {
                    Operator::Power => write!(f, "^")?,
                    _ => write!(f, " {} ", operator.symbol())?,
                }
                right.write(f, at_right)
            }
            Self::Is {
                column,
                text,
                equal,
            } => {
                let symbol = if *equal { "==" } else { "!=" };
                write!(f, "{} {symbol} {}", Quoted(column), TextLiteral(text))
            }
        }
    }

    /// As a term or an outcome: arithmetic stands inside `I()`.
    fn write_protected(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self, Self::Call(..)) {
            return write!(f, "{self}");
        }
        write!(f, "I({self})")
    }
}

/// Numbers print in the shortest form that reads back, very large and small ones with an exponent.
fn write_number(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    const PLAIN: std::ops::Range<f64> = 1e-5..1e16;
    if value.abs() <= 0.0 || PLAIN.contains(&value.abs()) {
        write!(f, "{value}")
    } else {
        write!(f, "{value:e}")
    }
}

/// A column name, in backticks when it is not a plain name.
pub(crate) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if super::lexer::is_plain_name(self.0) {
            return write!(f, "{}", self.0);
        }
        write!(f, "`{}`", self.0.replace('\\', "\\\\").replace('`', "\\`"))
    }
}

/// A text in double quotes.
struct TextLiteral<'a>(&'a str);

impl fmt::Display for TextLiteral<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}\"",
            self.0.replace('\\', "\\\\").replace('"', "\\\"")
        )
    }
}

/// A level of a category: bare when it is a number in its shortest form, otherwise a text.
pub(crate) struct Level<'a>(pub &'a str);

impl fmt::Display for Level<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.parse::<f64>() {
            // a number is read back without the sign of zero
            Ok(value) if value.is_finite() && (value + 0.0).to_string() == self.0 => {
                write!(f, "{}", self.0)
            }
            _ => write!(f, "{}", TextLiteral(self.0)),
        }
    }
}

/// Items with a separator between them.
fn write_joined<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    separator: &str,
) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            write!(f, "{separator}")?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}
