//! Times: reading and printing ISO 8601 and other formats, and parts of the calendar. All times are UTC; no leap seconds.

mod calendar;

use super::csv::number;
use crate::error::{Error, Result};
use calendar::{Date, SECONDS_PER_DAY};

/// Seconds of 0000-01-01 and of the last second of 9999: the years that ISO writes with four digits.
const ISO_YEARS: (f64, f64) = (-62_167_219_200.0, 253_402_300_800.0);
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// How a column of times is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TimeFormat {
    /// ISO 8601: `2024-05-01`, `2024-05-01T12:30`, `2024-05-01 12:30:00.5+02:00`.
    Iso,
    /// A list of the parts of a `strptime` format.
    Parts(Vec<Part>),
}

/// One part of a format.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    Literal(u8),
    Field(u8),
}

impl TimeFormat {
    /// Reads `iso` or a format of `%Y %y %m %b %B %d %e %H %I %p %M %S %f %z %%` and literal characters.
    pub(crate) fn new(format: &str) -> Result<Self> {
        if format.eq_ignore_ascii_case("iso") {
            return Ok(Self::Iso);
        }
        let invalid = || {
            Error::invalid_option(
                "time format",
                format!("{format:?}"),
                "`iso`, or made of %Y %y %m %b %B %d %e %H %I %p %M %S %f %z %% and literal characters",
            )
        };
        let mut parts = Vec::new();
        let mut bytes = format.bytes();
        while let Some(b) = bytes.next() {
            parts.push(match b {
                b'%' => match bytes.next().ok_or_else(invalid)? {
                    b'%' => Part::Literal(b'%'),
                    f if b"YymbBdeHIpMSfz".contains(&f) => Part::Field(f),
                    _ => return Err(invalid()),
                },
                other => Part::Literal(other),
            });
        }
        if parts.iter().any(|p| matches!(p, Part::Field(_))) {
            Ok(Self::Parts(parts))
        } else {
            Err(invalid())
        }
    }

    /// Seconds since 1970-01-01 UTC, `None` when the text is not such a time.
    pub(crate) fn parse(&self, text: &[u8]) -> Option<f64> {
        match self {
            Self::Iso => parse_iso(text),
            Self::Parts(parts) => parse_parts(parts, text),
        }
    }
}

impl std::fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Iso => write!(f, "2024-05-01 or 2024-05-01T12:30:00Z (ISO 8601)"),
            Self::Parts(parts) => parts.iter().try_for_each(|part| match part {
                Part::Literal(b'%') => write!(f, "%%"),
                Part::Literal(b) => write!(f, "{}", char::from(*b)),
                Part::Field(b) => write!(f, "%{}", char::from(*b)),
            }),
        }
    }
}

/// What has been read of a time so far.
#[derive(Default)]
struct Clock {
    hour: i64,
    minute: i64,
    second: i64,
    /// Decimal digits after the second, and how many.
    fraction: (i64, u32),
    /// Seconds east of UTC.
    offset: i64,
}

impl Clock {
    /// Puts date and clock together, correctly rounded.
    fn seconds(&self, date: Date) -> Option<f64> {
        if !(0..24).contains(&self.hour)
            || !(0..60).contains(&self.minute)
            || !(0..60).contains(&self.second)
        {
            return None;
        }
        let whole =
            date.days() * SECONDS_PER_DAY + self.hour * 3600 + self.minute * 60 + self.second
                - self.offset;
        let (digits, mut places) = self.fraction;
        if digits == 0 {
            return Some(whole as f64);
        }
        let mut exact = i128::from(whole) * 10_i128.pow(places) + i128::from(digits);
        // Twenty significant digits are more than a double can tell apart.
        while exact.unsigned_abs() > u128::from(u64::MAX) {
            exact /= 10;
            places -= 1;
        }
        let magnitude = number::scale(exact.unsigned_abs() as u64, -(places as i32))?;
        Some(if exact < 0 { -magnitude } else { magnitude })
    }
}

/// A cursor over the text of a time.
struct Reader<'a> {
    text: &'a [u8],
}

impl Reader<'_> {
    /// Between `least` and `most` digits as a number.
    fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let length = self
            .text
            .iter()
            .take(most)
            .take_while(|b| b.is_ascii_digit())
            .count();
        if length < least {
            return None;
        }
        let value = self.text[..length]
            .iter()
            .fold(0, |v, b| v * 10 + i64::from(b - b'0'));
        self.text = &self.text[length..];
        Some(value)
    }

    /// Takes the byte if it is next.
    fn eat(&mut self, byte: u8) -> bool {
        let next = self.text.first() == Some(&byte);
        if next {
            self.text = &self.text[1..];
        }
        next
    }

    /// Digits of a fraction of a second; those past the eighteenth are skipped.
    fn fraction(&mut self) -> Option<(i64, u32)> {
        const KEPT: usize = 18;
        let before = self.text.len();
        let value = self.number(1, KEPT)?;
        let kept = (before - self.text.len()) as u32;
        let rest = self.text.iter().take_while(|b| b.is_ascii_digit()).count();
        self.text = &self.text[rest..];
        Some((value, kept))
    }

    /// `Z`, `+02`, `+0200` or `-05:30` as seconds.
    fn offset(&mut self) -> Option<i64> {
        if self.eat(b'Z') || self.eat(b'z') {
            return Some(0);
        }
        let sign = if self.eat(b'+') {
            1
        } else if self.eat(b'-') {
            -1
        } else {
            return None;
        };
        let hours = self.number(2, 2)?;
        let colon = self.eat(b':');
        let minutes = if colon || !self.text.is_empty() {
            self.number(2, 2)?
        } else {
            0
        };
        (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }

    /// An English name, whole or its first three letters; its position in the list.
    fn name(&mut self, names: &[&str]) -> Option<i64> {
        const SHORT: usize = 3;
        let starts = |name: &str| {
            self.text.len() >= name.len()
                && self.text[..name.len()].eq_ignore_ascii_case(name.as_bytes())
        };
        let (i, length) = names.iter().enumerate().find_map(|(i, name)| {
            let short = name.get(..SHORT).unwrap_or(name);
            [*name, short]
                .iter()
                .find(|n| starts(n))
                .map(|n| (i, n.len()))
        })?;
        self.text = &self.text[length..];
        Some(i as i64)
    }
}

/// ISO 8601 calendar dates and date-times; without an offset the time is taken as UTC.
pub(crate) fn parse_iso(text: &[u8]) -> Option<f64> {
    /// `2024-05-01`.
    const DATE: usize = 10;
    if text.len() < DATE || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let mut r = Reader { text };
    let year = r.number(4, 4)?;
    r.eat(b'-');
    let month = r.number(2, 2)?;
    r.eat(b'-');
    let date = Date::new(year, month, r.number(2, 2)?)?;
    let mut clock = Clock::default();
    if r.text.is_empty() {
        return clock.seconds(date);
    }
    if !(r.eat(b'T') || r.eat(b' ') || r.eat(b't')) {
        return None;
    }
    clock.hour = r.number(2, 2)?;
    if !r.eat(b':') {
        return None;
    }
    clock.minute = r.number(2, 2)?;
    if r.eat(b':') {
        clock.second = r.number(2, 2)?;
        if r.eat(b'.') || r.eat(b',') {
            clock.fraction = r.fraction()?;
        }
    }
    if !r.text.is_empty() {
        clock.offset = r.offset()?;
    }
    if r.text.is_empty() {
        clock.seconds(date)
    } else {
        None
    }
}

/// A time in a format of one's own; what the format leaves out is 1970, January, the first, midnight.
fn parse_parts(parts: &[Part], text: &[u8]) -> Option<f64> {
    /// Two-digit years from here on are of the twentieth century (POSIX).
    const PIVOT: i64 = 69;
    let mut r = Reader { text };
    let (mut year, mut month, mut day) = (1970, 1, 1);
    let mut clock = Clock::default();
    let mut afternoon = None;
    for part in parts {
        match *part {
            Part::Literal(b) => {
                if !r.eat(b) {
                    return None;
                }
            }
            Part::Field(field) => match field {
                b'Y' => year = r.number(4, 4)?,
                b'y' => {
                    let short = r.number(2, 2)?;
                    year = short + if short < PIVOT { 2000 } else { 1900 };
                }
                b'm' => month = r.number(1, 2)?,
                b'b' | b'B' => month = r.name(&MONTHS)? + 1,
                b'd' => day = r.number(1, 2)?,
                b'e' => {
                    r.eat(b' ');
                    day = r.number(1, 2)?;
                }
                b'H' | b'I' => clock.hour = r.number(1, 2)?,
                b'M' => clock.minute = r.number(1, 2)?,
                b'S' => clock.second = r.number(1, 2)?,
                b'f' => clock.fraction = r.fraction()?,
                b'p' => afternoon = Some(r.name(&["AM", "PM"])? == 1),
                _ => clock.offset = r.offset()?,
            },
        }
    }
    if let Some(afternoon) = afternoon {
        if !(1..=12).contains(&clock.hour) {
            return None;
        }
        clock.hour = clock.hour % 12 + if afternoon { 12 } else { 0 };
    }
    if r.text.is_empty() {
        clock.seconds(Date::new(year, month, day)?)
    } else {
        None
    }
}

/// ISO text: `2024-05-01` at midnight, else `2024-05-01T12:30:00Z` with the shortest fraction that reads back. Times
/// outside the years 0 to 9999 print as seconds.
pub(crate) fn iso_text(seconds: f64) -> String {
    if !(seconds >= ISO_YEARS.0 && seconds < ISO_YEARS.1) {
        return seconds.to_string();
    }
    let (whole, fraction) = split(seconds);
    let date = Date::from_days(whole.div_euclid(SECONDS_PER_DAY));
    let clock = whole.rem_euclid(SECONDS_PER_DAY);
    let day = format!("{:04}-{:02}-{:02}", date.year, date.month, date.day);
    if clock == 0 && fraction.is_empty() {
        return day;
    }
    let point = if fraction.is_empty() { "" } else { "." };
    format!(
        "{day}T{:02}:{:02}:{:02}{point}{fraction}Z",
        clock / 3600,
        clock / 60 % 60,
        clock % 60
    )
}

/// Whole seconds (rounded down) and the decimal digits of the rest, from the shortest text of the number.
fn split(seconds: f64) -> (i64, String) {
    /// Digits of a fraction that are kept.
    const PLACES: usize = 18;
    let text = seconds.abs().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole: i64 = whole.parse().unwrap_or(0);
    let fraction = &fraction[..fraction.len().min(PLACES)];
    if seconds >= 0.0 {
        return (whole, fraction.to_owned());
    }
    let digits: i64 = fraction.parse().unwrap_or(0);
    if digits == 0 {
        return (-whole, String::new());
    }
    let complement = 10_i64.pow(fraction.len() as u32) - digits;
    (
        -whole - 1,
        format!("{complement:0width$}", width = fraction.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Real, Time};
    use proptest::prelude::*;

    fn iso(text: &str) -> Option<f64> {
        parse_iso(text.as_bytes())
    }

    fn with(format: &str, text: &str) -> Option<f64> {
        TimeFormat::new(format).unwrap().parse(text.as_bytes())
    }

    #[test]
    fn iso_times_are_read() {
        // Reference: GNU date, `date -u -d … +%s`.
        assert_eq!(iso("1970-01-01"), Some(0.0));
        assert_eq!(iso("2024-02-29"), Some(1_709_164_800.0));
        assert_eq!(iso("2024-05-01T12:30:00Z"), Some(1_714_566_600.0));
        assert_eq!(iso("2024-05-01 14:30:00+02:00"), Some(1_714_566_600.0));
        assert_eq!(iso("2024-05-01T07:00:00-0530"), Some(1_714_566_600.0));
        assert_eq!(
            iso("2019-11-24 00:00:17.004101+00:00"),
            Some(1_574_553_617.004_101)
        );
        assert_eq!(iso("1969-12-31T23:59:59.5Z"), Some(-0.5));
        for text in [
            "2024-2-1",
            "2023-02-29",
            "2024-13-01",
            "20240501",
            "2024-05-01T",
            "2024-05-01T25:00",
            "2024-05-01x",
            "2024-05-01T12:30:00+2",
        ] {
            assert_eq!(iso(text), None, "{text}");
        }
    }

    #[test]
    fn other_formats_are_read() {
        let may = 1_714_521_600.0;
        assert_eq!(with("%d.%m.%Y", "1.5.2024"), Some(may));
        assert_eq!(with("%Y%m%d", "20240501"), Some(may));
        assert_eq!(with("%b %e, %y", "May  1, 24"), Some(may));
        assert_eq!(with("%d-%B-%Y", "01-september-1999"), Some(936_144_000.0));
        assert_eq!(
            with("%m/%d/%Y %I:%M %p", "05/01/2024 12:30 am"),
            Some(may + 1800.0)
        );
        assert_eq!(with("%H:%M:%S.%f %z", "01:00:00.25 +0100"), Some(0.25));
        assert_eq!(with("%d.%m.%Y", "31.4.2024"), None);
        assert_eq!(with("%d.%m.%Y", "1.5.2024 "), None);
        assert!(
            TimeFormat::new("%Q").is_err()
                && TimeFormat::new("day").is_err()
                && TimeFormat::new("%").is_err()
        );
    }

    #[test]
    fn calendar_parts_match_the_calendar() {
        let t = Time::new(vec![
            iso("2024-02-29T23:15:00").unwrap(),
            iso("1969-12-31").unwrap(),
            f64::NAN,
        ]);
        let first = |r: Real| (r.values()[0], r.values()[1], r.values()[2].is_nan());
        assert_eq!(first(t.year()), (2024.0, 1969.0, true));
        assert_eq!(first(t.quarter()), (1.0, 4.0, true));
        assert_eq!(first(t.month()), (2.0, 12.0, true));
        assert_eq!(first(t.day()), (29.0, 31.0, true));
        assert_eq!(first(t.day_of_week()), (4.0, 3.0, true));
        assert_eq!(first(t.hour()), (23.0, 0.0, true));
        assert_eq!(t.weekday().unwrap().get(0), Some("Thursday"));
        assert_eq!(t.days_since("1970-01-01").unwrap().values()[1], -1.0);
    }

    proptest! {
        #[test]
        fn printed_times_read_back(seconds in -62_167_219_200_i64..253_402_300_800, micros in 0_i64..1_000_000) {
            for x in [seconds as f64, seconds as f64 + micros as f64 / 1e6] {
                prop_assert_eq!(iso(&iso_text(x)), Some(x), "{}", iso_text(x));
            }
        }

        #[test]
        fn days_and_dates_are_inverse(days in -1_000_000_i64..3_000_000) {
            let date = Date::from_days(days);
            prop_assert_eq!(date.days(), days);
            prop_assert_eq!(Date::new(date.year, date.month, date.day), Some(date));
        }
    }
}
