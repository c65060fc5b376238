//! What every survival method explains: how long something was watched, and whether the event came.

use crate::data::formula::{Quoted, Term};
use crate::data::{Design, Formula, Frame, Groups, Rows};
use crate::error::{Error, Result, Warning};
use serde::{Deserialize, Serialize};

/// A survival outcome: the columns that say until when a customer was watched and whether the event (churn, a second
/// purchase, a finished design) was seen then. All methods of this room take it first.
///
/// | made by | a row says |
/// |---|---|
/// | [`Survival::right`] | watched from 0 to `time`; `event` is 1 if the event came then, 0 if watching ended before it (right censoring) |
/// | [`Survival::counting`] | watched from after `start` to `stop`; `event` is 1 if it came at `stop` |
///
/// The second form serves customers who come under observation late (left truncation: those who had the event before
/// `start` could not be seen) and regressors that change: a customer then has one row a stretch of time with constant
/// regressors, and [`Survival::subject`] names the column that says whose row it is.
///
/// Times may be numbers or a time column (then in seconds); the event is a column of 0 and 1 or a flag.
/// Regressors are the right-hand side of a [`Formula`], `"fin + age*prio"`. What stands behind a bar are strata:
/// `"fin + age | shop"` gives every shop a baseline of its own.
///
/// ```
/// use cocreate::prelude::*;
/// let arrest = Survival::right("week", "arrest");
/// assert_eq!(arrest.to_string(), "Survival(week, arrest)");
/// assert_eq!(Survival::counting("from", "to", "churned").to_string(), "Survival(from, to, churned)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survival {
    start: Option<String>,
    stop: String,
    event: String,
    subject: Option<String>,
}

impl Survival {
    /// Watched from time 0 to `time`, with right censoring.
    pub fn right(time: impl Into<String>, event: impl Into<String>) -> Self {
        Self {
            start: None,
            stop: time.into(),
            event: event.into(),
            subject: None,
        }
    }

    /// Watched over the interval (`start`, `stop`], with left truncation and right censoring.
    pub fn counting(
        start: impl Into<String>,
        stop: impl Into<String>,
        event: impl Into<String>,
    ) -> Self {
        Self {
            start: Some(start.into()),
            stop: stop.into(),
            event: event.into(),
            subject: None,
        }
    }

    /// Names the column that says which rows belong to one customer. Robust standard errors then add up the rows of a
    /// customer before they are squared, and frailty is shared by them.
    pub fn subject(mut self, column: impl Into<String>) -> Self {
        self.subject = Some(column.into());
        self
    }

    pub(crate) fn is_counting(&self) -> bool {
        self.start.is_some()
    }

    pub(crate) fn subject_column(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The formula `stop ~ regressors`; `.` leaves out all columns of the outcome and the weights.
    fn formula(&self, regressors: &str, weights: Option<&str>) -> Result<Formula> {
        let time = Quoted(&self.stop);
        let text = if regressors.trim().is_empty() {
            "1"
        } else {
            regressors
        };
        let formula = Formula::from(format!("{time} ~ {text}"));
        if !formula
            .parse()?
            .exogenous()
            .iter()
            .any(Term::has_everything)
        {
            return Ok(formula);
        }
        let (terms, rest) = text
            .split_once('|')
            .map_or((text, String::new()), |(terms, rest)| {
                (terms, format!("|{rest}"))
            });
        let mut terms = terms.to_owned();
        let parts = [
            self.start.as_deref(),
            Some(&self.event),
            self.subject_column(),
            weights,
        ];
        for column in parts.into_iter().flatten() {
            terms = format!("{terms} - {}", Quoted(column));
        }
        Ok(Formula::from(format!("{time} ~ {terms} {rest}")))
    }

    /// Reads outcome, regressors and weights over the rows where all of them are present.
    pub(crate) fn read(
        &self,
        regressors: &str,
        weights: Option<&CaseWeights>,
        also: &[&str],
        frame: &Frame,
    ) -> Result<Sample> {
        let column = weights.map(CaseWeights::column);
        let parsed = self.formula(regressors, column)?.parse()?;
        if !parsed.endogenous().is_empty() {
            return Err(Error::invalid_option(
                "regressors",
                regressors,
                "without an instrumental part; only strata may stand behind a bar",
            ));
        }
        let mut needed: Vec<&str> = vec![&self.event];
        needed.extend(self.start.as_deref());
        needed.extend(self.subject_column());
        needed.extend(column);
        needed.extend(also);
        let mut design = Design::build(&parsed, frame, &needed)?;
        let mut warnings = Vec::new();
        let dropped = frame.rows() - design.rows.len();
        if dropped > 0 {
            warnings.push(Warning::RowsDropped {
                dropped,
                missing: design.missing.clone(),
            });
        }
        let mut values = weights.map(|w| w.read(frame, &design.rows)).transpose()?;
        if let Some(w) = &mut values
            && w.iter().any(|w| *w <= 0.0)
        {
            let keep: Vec<bool> = w.iter().map(|w| *w > 0.0).collect();
            design.restrict(&keep);
            w.retain(|w| *w > 0.0);
            warnings.push(Warning::Note {
                message: format!(
                    "{} rows of weight zero left out",
                    keep.iter().filter(|k| !**k).count()
                ),
            });
        }
        if design.rows.is_empty() {
            return Err(Error::NoRows {
                reason: "every row has weight zero".to_owned(),
            });
        }
        let spells = self.spells(frame, &design.rows)?;
        let subjects = self
            .subject_column()
            .map(|column| Ok::<_, Error>(frame.groups(column)?.over(&design.rows)))
            .transpose()?;
        Ok(Sample {
            design,
            spells,
            weights: values,
            frequency: matches!(weights, Some(CaseWeights::Frequency(_))),
            subjects,
            warnings,
            formula: format!("{self} ~ {}", regressors.trim()),
        })
    }

    /// The times and events of the used rows, checked.
    fn spells(&self, frame: &Frame, rows: &Rows) -> Result<Spells> {
        let stop = self.numbers(&self.stop, frame, rows)?;
        let start = self
            .start
            .as_ref()
            .map(|column| self.numbers(column, frame, rows))
            .transpose()?;
        let event = self.numbers(&self.event, frame, rows)?;
        let bad = |column: &str, i: usize, value: f64, expected: String| Error::OutOfRange {
            column: column.to_owned(),
            row: rows.index(i) + 1,
            value,
            expected,
        };
        if let Some(i) = event
            .iter()
            .position(|v| !(v.abs() <= 0.0 || (v - 1.0).abs() <= 0.0))
        {
            let expected =
                "1 where the event came at the end of the row's time, 0 where the row is censored"
                    .to_owned();
            return Err(bad(&self.event, i, event[i], expected));
        }
        match &start {
            None => {
                if let Some(i) = stop.iter().position(|t| *t < 0.0) {
                    let expected = "a time of zero or more since watching began".to_owned();
                    return Err(bad(&self.stop, i, stop[i], expected));
                }
            }
            Some(start) => {
                if let Some(i) = stop.iter().zip(start).position(|(t, s)| t <= s) {
                    let expected = format!(
                        "after its start {} (the row is watched over an interval)",
                        start[i]
                    );
                    return Err(bad(&self.stop, i, stop[i], expected));
                }
            }
        }
        Ok(Spells {
            start,
            stop,
            event: event.iter().map(|v| *v > 0.0).collect(),
        })
    }

    fn numbers(&self, column: &str, frame: &Frame, rows: &Rows) -> Result<Vec<f64>> {
        let found = frame.numeric(column).map_err(|error| {
            error.with_remedy(|name| {
                if name == self.event {
                    format!("make it 0 and 1, or a flag, before fitting (for several causes use AalenJohansen; `{name}` names the cause there)")
                } else {
                    "times are numbers or a time column".to_owned()
                }
            })
        })?;
        Ok(rows.gather(found.values()))
    }

    /// Name of the column of the end of a row's time.
    pub(crate) fn stop_column(&self) -> &str {
        &self.stop
    }

    /// Name of the column of the start of a row's time.
    pub(crate) fn start_column(&self) -> Option<&str> {
        self.start.as_deref()
    }

    /// The error of a sample in which the event never came.
    pub(crate) fn no_events(&self) -> Error {
        Error::Unidentified {
            what: "the hazard".to_owned(),
            needs: format!("at least one event: `{}` is 0 on all rows used", self.event),
        }
    }
}

impl std::fmt::Display for Survival {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Survival(")?;
        if let Some(start) = &self.start {
            write!(f, "{start}, ")?;
        }
        write!(f, "{}, {})", self.stop, self.event)
    }
}

/// What a weight of a row stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CaseWeights {
    /// The row counts w times in sums, but is one customer: sampling or inverse-probability weights.
    Sampling(String),
    /// The row stands for w equal customers.
    Frequency(String),
}

impl CaseWeights {
    pub(crate) fn column(&self) -> &str {
        match self {
            Self::Sampling(column) | Self::Frequency(column) => column,
        }
    }

    pub(crate) fn read(&self, frame: &Frame, rows: &Rows) -> Result<Vec<f64>> {
        let values = rows.gather(frame.numeric(self.column())?.values());
        let whole = matches!(self, Self::Frequency(_));
        let wrong = |w: &f64| !w.is_finite() || *w < 0.0 || (whole && w.fract() > 0.0);
        match values.iter().position(wrong) {
            None => Ok(values),
            Some(i) => Err(Error::OutOfRange {
                column: self.column().to_owned(),
                row: rows.index(i) + 1,
                value: values[i],
                expected: if whole {
                    "a whole number of equal rows"
                } else {
                    "a finite weight, zero or more"
                }
                .to_owned(),
            }),
        }
    }
}

/// Times and events of the used rows.
#[derive(Clone, Debug)]
pub(crate) struct Spells {
    /// When the row came under observation; none where all were watched from time zero.
    pub(crate) start: Option<Vec<f64>>,
    pub(crate) stop: Vec<f64>,
    pub(crate) event: Vec<bool>,
}

impl Spells {
    pub(crate) fn len(&self) -> usize {
        self.stop.len()
    }

    /// Events, unweighted.
    pub(crate) fn events(&self) -> usize {
        self.event.iter().filter(|e| **e).count()
    }

    /// The spells of some rows.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        Self {
            start: self
                .start
                .as_ref()
                .map(|s| rows.iter().map(|i| s[*i]).collect()),
            stop: rows.iter().map(|i| self.stop[*i]).collect(),
            event: rows.iter().map(|i| self.event[*i]).collect(),
        }
    }
}

/// What a survival method reads from a frame.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) design: Design,
    pub(crate) spells: Spells,
    pub(crate) weights: Option<Vec<f64>>,
    /// Whether the weights count equal rows.
    pub(crate) frequency: bool,
    pub(crate) subjects: Option<Groups>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) formula: String,
}

impl Sample {
    /// The weight of a row.
    pub(crate) fn weight(&self, i: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[i])
    }

    /// All strata as one grouping; none without strata.
    pub(crate) fn strata(&self) -> Option<Groups> {
        let mut effects = self.design.fixed_effects.iter();
        let first = effects.next()?.clone();
        Some(effects.fold(first, |all, next| all.pair(next)))
    }
}

/// The rows of each group, in order.
pub(crate) fn members(groups: &Groups) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); groups.count()];
    for (i, code) in groups.codes.iter().enumerate() {
        members[*code as usize].push(i);
    }
    members
}

/// Options for the weights of rows, for a builder with a field `weights: Option<CaseWeights>`.
macro_rules! weighted {
    ($type:ty) => {
        impl $type {
            /// Sampling or inverse-probability weights: the row counts w times but is one customer.
            pub fn weights(mut self, column: impl Into<String>) -> Self {
                self.weights = Some($crate::customer::survival::outcome::CaseWeights::Sampling(
                    column.into(),
                ));
                self
            }

            /// Frequency weights: the row stands for w equal customers.
            pub fn frequency_weights(mut self, column: impl Into<String>) -> Self {
                self.weights = Some($crate::customer::survival::outcome::CaseWeights::Frequency(
                    column.into(),
                ));
                self
            }
        }
    };
}
pub(crate) use weighted;
