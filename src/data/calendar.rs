//! Parts of the calendar of a column of times.

use super::column::{Label, MISSING, Real, Time};
use super::time::{Date, SECONDS_PER_DAY, parse_iso};
use crate::error::{Error, Result};

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// Parts of the calendar, as columns for a frame.
impl Time {
    /// The year.
    pub fn year(&self) -> Real {
        self.part(|date, _| date.year)
    }

    /// The quarter, 1 to 4.
    pub fn quarter(&self) -> Real {
        self.part(|date, _| (date.month + 2) / 3)
    }

    /// The month, 1 to 12.
    pub fn month(&self) -> Real {
        self.part(|date, _| date.month)
    }

    /// The day of the month, 1 to 31.
    pub fn day(&self) -> Real {
        self.part(|date, _| date.day)
    }

    /// The day of the week, 1 (Monday) to 7 (Sunday).
    pub fn day_of_week(&self) -> Real {
        self.part(|date, _| weekday(date) + 1)
    }

    /// The hour, 0 to 23, UTC.
    pub fn hour(&self) -> Real {
        self.part(|_, second| second / 3600)
    }

    /// The name of the day of the week; the levels run from Monday to Sunday.
    ///
    /// # Errors
    /// None in practice; the codes fit their levels.
    pub fn weekday(&self) -> Result<Label> {
        let codes = self
            .day_of_week()
            .values()
            .iter()
            .map(|v| if v.is_nan() { MISSING } else { *v as u32 - 1 })
            .collect();
        Label::new(codes, WEEKDAYS.iter().map(|d| (*d).to_owned()).collect())
    }

    /// Days, with their fraction, since a date or time in ISO form.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when `origin` is not such a time.
    pub fn days_since(&self, origin: &str) -> Result<Real> {
        let zero = parse_iso(origin.as_bytes()).ok_or_else(|| {
            Error::invalid_option(
                "origin",
                format!("{origin:?}"),
                "an ISO date such as 2024-05-01",
            )
        })?;
        let days = |s: &f64| (s - zero) / SECONDS_PER_DAY as f64;
        Ok(Real::new(
            self.seconds().values().iter().map(days).collect(),
        ))
    }

    /// Applies `part` to the date and the second of the day of every time; missing and infinite times stay missing.
    fn part(&self, part: impl Fn(Date, i64) -> i64) -> Real {
        let one = |seconds: &f64| {
            if !seconds.is_finite() {
                return f64::NAN;
            }
            let whole = seconds.floor() as i64;
            part(
                Date::from_days(whole.div_euclid(SECONDS_PER_DAY)),
                whole.rem_euclid(SECONDS_PER_DAY),
            ) as f64
        };
        Real::new(self.seconds().values().iter().map(one).collect())
    }
}

/// 0 for Monday. 1970-01-01 was a Thursday.
fn weekday(date: Date) -> i64 {
    (date.days() + 3).rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(text: &str) -> Option<f64> {
        parse_iso(text.as_bytes())
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
}
