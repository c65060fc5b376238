//! One cell of a table: a value and how it is to be shown.

use super::width::one_line;
use serde::{Serialize, Serializer};

/// What stands in a table cell. Numbers keep their full precision: text, HTML, LaTeX and Markdown show them in their
/// format, CSV and JSON write them raw.
///
/// A missing number (NaN) is shown as an en dash, never as "NaN"; an infinite one as ∞.
///
/// ```
/// use cocreate::prelude::*;
/// assert_eq!(Cell::fixed(0.12345, 3).stars(2).to_string(), "0.123**");
/// assert_eq!(Cell::fixed(0.045, 3).parenthesised().to_string(), "(0.045)");
/// assert_eq!(Cell::p_value(0.0002).to_string(), "<0.001");
/// assert_eq!(Cell::count(1_234_567).to_string(), "1,234,567");
/// assert_eq!(Cell::interval(-0.5, f64::INFINITY, 2).to_string(), "[-0.50, ∞)");
/// assert_eq!(Cell::fixed(f64::NAN, 3).to_string(), "–");
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Cell {
    /// Nothing.
    #[default]
    Empty,
    /// A text.
    Text(String),
    /// A whole number.
    Integer {
        /// The number.
        value: i64,
        /// Whether thousands are separated by commas.
        grouped: bool,
    },
    /// A number.
    Number {
        /// The value; NaN is missing.
        value: f64,
        /// How it is shown.
        format: NumberFormat,
        /// Stars behind it.
        stars: u8,
        /// Whether it stands in parentheses, as standard errors do.
        parenthesised: bool,
    },
    /// An interval, `[low, high]`; an infinite end gets a round bracket.
    Interval {
        /// Lower end; NaN is missing.
        low: f64,
        /// Upper end; NaN is missing.
        high: f64,
        /// How both ends are shown.
        format: NumberFormat,
    },
}

/// How a number is shown.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum NumberFormat {
    /// This many digits after the point; beyond 10¹⁵ in scientific notation.
    Fixed(usize),
    /// This many significant digits (at least 1; whole digits before the point are never rounded away); scientific
    /// below 10⁻⁴ and from 10¹⁵.
    Significant(usize),
    /// A probability with this many decimals; smaller ones than can be shown become `<0.001`.
    PValue(usize),
    /// A fraction shown as a percentage with this many decimals: 0.123 is `12.3%`.
    Percent(usize),
    /// Rounded to a whole number with commas between thousands: `1,234,567`.
    Grouped,
}

/// Significant digits of a plain `f64` put into a table.
const DEFAULT_DIGITS: usize = 4;
/// Decimals of a p-value.
const P_VALUE_DECIMALS: usize = 3;
/// Numbers from here on are not exact to the unit and are shown in scientific notation.
const SCIENTIFIC_FROM: f64 = 1e15;
/// Stands for a missing number.
pub(super) const MISSING_MARK: &str = "–";

/// A p-value in a sentence: `p = 0.0123`, or `p < 0.0001`, since no p-value is zero.
pub(crate) fn p_text(p: f64) -> String {
    const SMALLEST: f64 = 1e-4;
    if p < SMALLEST {
        "p < 0.0001".to_owned()
    } else {
        format!("p = {p:.4}")
    }
}

impl Cell {
    /// An empty cell.
    pub fn empty() -> Self {
        Self::Empty
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A number with this many digits after the point.
    pub fn fixed(value: f64, decimals: usize) -> Self {
        Self::number(value, NumberFormat::Fixed(decimals))
    }

    /// A number with this many significant digits.
    pub fn significant(value: f64, digits: usize) -> Self {
        Self::number(value, NumberFormat::Significant(digits))
    }

    /// A p-value with three decimals, `<0.001` when smaller.
    pub fn p_value(p: f64) -> Self {
        Self::number(p, NumberFormat::PValue(P_VALUE_DECIMALS))
    }

    /// A fraction shown as a percentage: `Cell::percent(0.123, 1)` is `12.3%`.
    pub fn percent(fraction: f64, decimals: usize) -> Self {
        Self::number(fraction, NumberFormat::Percent(decimals))
    }

    /// A whole number without separators, as years and codes are written.
    pub fn integer(value: i64) -> Self {
        Self::Integer {
            value,
            grouped: false,
        }
    }

    /// A whole number with commas between thousands, as counts are written.
    pub fn count(value: usize) -> Self {
        Self::Integer {
            value: saturated(value),
            grouped: true,
        }
    }

    /// An interval with this many digits after the point.
    pub fn interval(low: f64, high: f64, decimals: usize) -> Self {
        Self::Interval {
            low,
            high,
            format: NumberFormat::Fixed(decimals),
        }
    }

    /// A number in a given format.
    pub fn number(value: f64, format: NumberFormat) -> Self {
        Self::Number {
            value,
            format,
            stars: 0,
            parenthesised: false,
        }
    }

    /// The number with this many stars behind it; other cells stay as they are.
    pub fn stars(mut self, count: u8) -> Self {
        if let Self::Number { stars, .. } = &mut self {
            *stars = count;
        }
        self
    }

    /// The number in parentheses; other cells stay as they are.
    pub fn parenthesised(mut self) -> Self {
        if let Self::Number { parenthesised, .. } = &mut self {
            *parenthesised = true;
        }
        self
    }

    /// Whether the cell holds numbers, so that its column is aligned as one of numbers.
    pub(super) fn is_numeric(&self) -> bool {
        !matches!(self, Self::Empty | Self::Text(_))
    }

    /// The cell cut where columns align.
    pub(super) fn shown(&self) -> Shown {
        match self {
            Self::Empty => Shown::default(),
            Self::Text(text) => Shown::whole(one_line(text), false),
            Self::Integer { value, grouped } => {
                let digits = value.to_string();
                let head = if *grouped { group(&digits) } else { digits };
                Shown {
                    head,
                    aligned: true,
                    ..Shown::default()
                }
            }
            Self::Number {
                value,
                format,
                stars,
                parenthesised,
            } => number_shown(*value, *format, *stars, *parenthesised),
            Self::Interval { low, high, format } => {
                if low.is_nan() && high.is_nan() {
                    return Shown {
                        head: MISSING_MARK.to_owned(),
                        aligned: true,
                        ..Shown::default()
                    };
                }
                let open = if low.is_infinite() { '(' } else { '[' };
                let close = if high.is_infinite() { ')' } else { ']' };
                let (low, high) = (format.show(*low), format.show(*high));
                Shown::whole(format!("{open}{low}, {high}{close}"), true)
            }
        }
    }
}

/// A cell's text in three parts: up to the decimal point, the point and the digits after it, and what follows the
/// number (stars, a percent sign, a closing parenthesis).
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    pub head: String,
    pub tail: String,
    pub suffix: String,
    /// Whether the cell takes part in the alignment on the decimal point.
    pub aligned: bool,
    /// Whether the text is a number or an interval, in which `-` is a minus sign.
    pub numeric: bool,
}

impl Shown {
    fn whole(text: String, numeric: bool) -> Self {
        Self {
            head: text,
            numeric,
            ..Self::default()
        }
    }

    /// All parts together.
    pub fn text(&self) -> String {
        format!("{}{}{}", self.head, self.tail, self.suffix)
    }
}

/// The cell as it is shown in plain text.
impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.shown().text())
    }
}

/// The raw value, as in [`Table::to_json`](super::Table::to_json).
impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        super::json::cell(self).serialize(serializer)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::text(text)
    }
}

/// Four significant digits.
impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::significant(value, DEFAULT_DIGITS)
    }
}

/// Without thousands separators; see [`Cell::count`].
impl From<usize> for Cell {
    fn from(value: usize) -> Self {
        Self::integer(saturated(value))
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::integer(value)
    }
}

impl From<i32> for Cell {
    fn from(value: i32) -> Self {
        Self::integer(i64::from(value))
    }
}

impl From<u32> for Cell {
    fn from(value: u32) -> Self {
        Self::integer(i64::from(value))
    }
}

/// `None` is an empty cell.
impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

/// No count of anything reaches 2⁶³.
fn saturated(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn number_shown(value: f64, format: NumberFormat, stars: u8, parenthesised: bool) -> Shown {
    let mut text = format.show(value);
    let mut suffix = String::new();
    if text.ends_with('%') {
        text.pop();
        suffix.push('%');
    }
    let (head, tail) = match text.find('.') {
        Some(point) => text.split_at(point),
        None => (text.as_str(), ""),
    };
    if parenthesised && !value.is_nan() {
        suffix.push(')');
    }
    suffix.extend(std::iter::repeat_n('*', usize::from(stars)));
    let open = if parenthesised && !value.is_nan() {
        "("
    } else {
        ""
    };
    Shown {
        head: format!("{open}{head}"),
        tail: tail.to_owned(),
        suffix,
        aligned: true,
        numeric: !value.is_nan(),
    }
}

impl NumberFormat {
    /// With no more digits than a number has; far beyond, formatting itself would panic.
    fn limited(self) -> Self {
        const MOST: usize = 340;
        match self {
            Self::Fixed(n) => Self::Fixed(n.min(MOST)),
            Self::Significant(n) => Self::Significant(n.min(MOST)),
            Self::PValue(n) => Self::PValue(n.min(MOST)),
            Self::Percent(n) => Self::Percent(n.min(MOST)),
            Self::Grouped => Self::Grouped,
        }
    }

    /// The number as text, with `-` for minus.
    pub(super) fn show(self, value: f64) -> String {
        if value.is_nan() {
            return MISSING_MARK.to_owned();
        }
        if value.is_infinite() {
            return if value > 0.0 { "∞" } else { "-∞" }.to_owned();
        }
        let value = value + 0.0; // −0 becomes 0
        match self.limited() {
            Self::Fixed(decimals) => fixed(value, decimals),
            Self::Significant(digits) => significant(value, digits.max(1)),
            Self::PValue(decimals) => {
                let text = fixed(value, decimals);
                let floor = 10f64.powi(-i32::try_from(decimals).unwrap_or(i32::MAX));
                if (0.0..floor).contains(&value) {
                    format!("<{}", fixed(floor, decimals))
                } else {
                    text
                }
            }
            Self::Percent(decimals) => format!("{}%", fixed(100.0 * value, decimals)),
            Self::Grouped => group(&fixed(value, 0)),
        }
    }
}

fn fixed(value: f64, decimals: usize) -> String {
    if value.abs() >= SCIENTIFIC_FROM {
        format!("{value:.decimals$e}")
    } else {
        format!("{value:.decimals$}")
    }
}

fn significant(value: f64, digits: usize) -> String {
    const SMALLEST_EXPONENT: i64 = -4;
    const LARGEST_EXPONENT: i64 = 15;
    // Rounding may carry into the next power of ten, so the exponent is read off the rounded number.
    let scientific = format!("{value:.*e}", digits - 1);
    let exponent: i64 = scientific
        .split_once('e')
        .and_then(|(_, e)| e.parse().ok())
        .unwrap_or(0);
    if !(SMALLEST_EXPONENT..LARGEST_EXPONENT).contains(&exponent) {
        return scientific;
    }
    let wanted = i64::try_from(digits).unwrap_or(i64::MAX) - 1 - exponent;
    let decimals = usize::try_from(wanted).unwrap_or(0);
    format!("{value:.decimals$}")
}

/// Commas between thousands of a run of digits with an optional sign; scientific notation stays as it is.
fn group(number: &str) -> String {
    if number.contains('e') {
        return number.to_owned();
    }
    let (sign, digits) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let mut out = String::from(sign);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_asked() {
        let cases = [
            (Cell::fixed(-1.5, 0), "-2"),
            (Cell::fixed(-0.0, 2), "0.00"),
            (Cell::fixed(1e20, 2), "1.00e20"),
            (Cell::significant(0.001_234_56, 3), "0.00123"),
            (Cell::significant(9.9996, 4), "10.00"),
            (Cell::significant(12_345.6, 3), "12346"),
            (Cell::significant(1.5e-9, 3), "1.50e-9"),
            (Cell::significant(0.0, 3), "0.00"),
            (Cell::p_value(0.0), "<0.001"),
            (Cell::p_value(0.05), "0.050"),
            (Cell::percent(0.1234, 1).stars(1), "12.3%*"),
            (Cell::count(999), "999"),
            (Cell::integer(i64::MIN), "-9223372036854775808"),
            (Cell::number(-1234.5, NumberFormat::Grouped), "-1,234"),
            (Cell::integer(2024), "2024"),
            (Cell::fixed(f64::NEG_INFINITY, 1), "-∞"),
            (Cell::fixed(f64::NAN, 1).parenthesised(), "–"),
            (Cell::interval(f64::NAN, f64::NAN, 1), "–"),
            (Cell::interval(f64::NAN, 2.0, 1), "[–, 2.0]"),
            (Cell::interval(f64::NEG_INFINITY, 2.0, 1), "(-∞, 2.0]"),
            (Cell::from(Some("a\nb")), "a b"),
            (Cell::from(None::<f64>), ""),
        ];
        for (cell, text) in cases {
            assert_eq!(cell.to_string(), text);
        }
        assert_eq!(Cell::fixed(1.0, usize::MAX).to_string().len(), 342);
    }
}
