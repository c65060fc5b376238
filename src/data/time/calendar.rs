//! The calendar: dates, their day numbers, and the parts of a time as columns.

use super::super::column::{Label, MISSING, Real, Time};
use super::parse_iso;
use crate::error::{Error, Result};

pub(super) const SECONDS_PER_DAY: i64 = 86_400;
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// A date of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Date {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
}

impl Date {
    /// The date if it exists.
    pub(super) fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let last = match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=last)
            .contains(&day)
            .then_some(Self { year, month, day })
    }

    /// Days since 1970-01-01. Years start in March, so that the leap day comes last and the months before it have the
    /// regular lengths ⌊(153 m + 2) / 5⌋; 400 years have 146 097 days.
    pub(super) fn days(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The inverse of [`Date::days`].
    pub(super) fn from_days(days: i64) -> Self {
        let days = days + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = (month_from_march + 2) % 12 + 1;
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
        }
    }
}

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
pub(super) fn weekday(date: Date) -> i64 {
    (date.days() + 3).rem_euclid(7)
}
