//! Competing risks: the probability that each cause has come first by a time.

use super::amount;
use super::curve::checked_level;
use super::incidence::{History, Incidence, IncidencePoint};
use super::outcome::{CaseWeights, members, weighted};
use crate::data::formula::Quoted;
use crate::data::{Design, Formula, Frame, Groups};
use crate::error::{Error, Result, Warning};
use crate::numeric::special::normal;
use crate::report::{Cell, Figure, SurvivalPlot, Table};
use serde::{Deserialize, Serialize};

/// The Aalen–Johansen estimator of cumulative incidence with competing risks: the probability `F_c(t) = P(T ≤ t, cause c)` that a
/// customer has left by `t` for the cause c, `F̂_c(t) = Σ_{tₖ ≤ t} Ŝ(tₖ−) d_ck/Yₖ`. One minus Kaplan–Meier, with other causes taken for censoring,
/// is larger: it answers what would be if the other causes did not exist.
///
/// The outcome is a time, optionally with a start (left truncation), and a column of causes of any kind; one of its levels means
/// censored. Variances are the infinitesimal jackknife's, as in R's `survfit`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `censored` | level `0`, `false`, `none` or `censored` | which cause means that no event was seen | a level |
/// | `start` | none | column of the time of coming under observation | |
/// | `by` | one table | a column of groups | any kind |
/// | `level` | 0.95 | confidence level | (0, 1) |
/// | `weights`, `frequency_weights` | none | sampling weights; equal customers | |
///
/// # Errors
/// Those of [`KaplanMeier`](super::KaplanMeier); [`Error::InvalidOption`] when the level that means censored is not in the column or cannot be guessed.
///
/// # References
/// Aalen & Johansen (1978), *Scandinavian Journal of Statistics* 5(3).
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::new()
///     .with("weeks", vec![1.0, 2.0, 3.0, 4.0])?
///     .with("left", vec!["churn", "none", "upgrade", "churn"])?;
/// let fit = AalenJohansen::new("weeks", "left").fit(&frame)?;
/// assert_eq!(fit.incidence("churn")?.at(2.0), 0.25);
/// assert_eq!(fit.incidence("upgrade")?.at(3.0), 0.375);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AalenJohansen {
    time: String,
    cause: String,
    start: Option<String>,
    censored: Option<String>,
    by: Option<String>,
    level: f64,
    weights: Option<CaseWeights>,
}

weighted!(AalenJohansen);

/// Levels that mean censored when nothing is said.
const CENSORED: [&str; 4] = ["0", "false", "none", "censored"];

impl AalenJohansen {
    /// Incidences of the causes in a column.
    pub fn new(time: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            time: time.into(),
            cause: cause.into(),
            start: None,
            censored: None,
            by: None,
            level: 0.95,
            weights: None,
        }
    }

    /// The column of the time after which a customer was under observation.
    pub fn start(mut self, column: impl Into<String>) -> Self {
        self.start = Some(column.into());
        self
    }

    /// The level of the cause that means censored.
    pub fn censored(mut self, level: impl Into<String>) -> Self {
        self.censored = Some(level.into());
        self
    }

    /// Incidences for each group of a column.
    pub fn by(mut self, column: impl Into<String>) -> Self {
        self.by = Some(column.into());
        self
    }

    /// The confidence level.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Estimates the incidences.
    ///
    /// # Errors
    /// See [`AalenJohansen`].
    pub fn fit(&self, frame: &Frame) -> Result<AalenJohansenFit> {
        let level = checked_level(self.level)?;
        let mut also = vec![self.cause.as_str()];
        also.extend(self.start.as_deref());
        also.extend(self.by.as_deref());
        also.extend(self.weights.as_ref().map(CaseWeights::column));
        let formula = Formula::from(format!("{} ~ 1", Quoted(&self.time))).parse()?;
        let design = Design::build(&formula, frame, &also)?;
        let rows = &design.rows;
        let mut warnings = Vec::new();
        if rows.len() < frame.rows() {
            warnings.push(Warning::RowsDropped {
                dropped: frame.rows() - rows.len(),
                missing: design.missing.clone(),
            });
        }
        let stop = rows.gather(frame.numeric(&self.time)?.values());
        let start = match &self.start {
            None => None,
            Some(column) => Some(rows.gather(frame.numeric(column)?.values())),
        };
        for (i, t) in stop.iter().enumerate() {
            let after = start.as_ref().map(|s| s[i]);
            if after.map_or(*t < 0.0, |s| *t <= s) {
                return Err(Error::OutOfRange {
                    column: self.time.clone(),
                    row: rows.index(i) + 1,
                    value: *t,
                    expected: after.map_or("zero or more".to_owned(), |s| {
                        format!("after its start {s}")
                    }),
                });
            }
        }
        let weights = match &self.weights {
            None => vec![1.0; stop.len()],
            Some(w) => w.read(frame, rows)?,
        };
        let causes = frame.groups(&self.cause)?.over(rows);
        let censored = self.censored_level(&causes)?;
        let names: Vec<String> = causes
            .levels
            .iter()
            .enumerate()
            .filter(|(i, _)| Some(*i) != censored)
            .map(|(_, l)| l.clone())
            .collect();
        // Causes are numbered without the level that means censored.
        let cause: Vec<Option<usize>> = causes
            .codes
            .iter()
            .map(|code| {
                let code = *code as usize;
                match censored {
                    Some(c) if code == c => None,
                    Some(c) => Some(code - usize::from(code > c)),
                    None => Some(code),
                }
            })
            .collect();
        let groups: Vec<(String, Vec<usize>)> = match &self.by {
            None => vec![(String::new(), (0..stop.len()).collect())],
            Some(column) => {
                let groups = frame.groups(column)?.over(rows);
                groups
                    .levels
                    .iter()
                    .cloned()
                    .zip(members(&groups))
                    .collect()
            }
        };
        let frequency = matches!(self.weights, Some(CaseWeights::Frequency(_)));
        if cause.iter().all(Option::is_none) {
            warnings.push(Warning::Note {
                message: format!(
                    "no event was seen: `{}` is censored on all rows used",
                    self.cause
                ),
            });
        }
        let z = normal::quantile(0.5 + level / 2.0);
        let mut incidences = Vec::new();
        for (group, members) in groups {
            let history = History {
                start: start
                    .as_ref()
                    .map(|s| members.iter().map(|i| s[*i]).collect()),
                stop: members.iter().map(|i| stop[*i]).collect(),
                cause: members.iter().map(|i| cause[*i]).collect(),
                weight: members.iter().map(|i| weights[*i]).collect(),
                frequency,
            };
            incidences.extend(history.incidences(&names, &group, z));
        }
        Ok(AalenJohansenFit {
            time: self.time.clone(),
            cause: self.cause.clone(),
            level,
            incidences,
            warnings,
        })
    }

    /// The code that means censored; none when the column has no such level and none was named.
    fn censored_level(&self, causes: &Groups) -> Result<Option<usize>> {
        let find = |level: &str| causes.levels.iter().position(|l| l == level);
        let Some(level) = &self.censored else {
            return Ok(CENSORED.iter().find_map(|l| find(l)));
        };
        find(level).map(Some).ok_or_else(|| {
            Error::invalid_option(
                "censored",
                level,
                format!("a level of `{}`: {}", self.cause, causes.levels.join(", ")),
            )
        })
    }
}

/// Cumulative incidences by cause and group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AalenJohansenFit {
    time: String,
    cause: String,
    level: f64,
    incidences: Vec<Incidence>,
    warnings: Vec<Warning>,
}

impl AalenJohansenFit {
    /// All incidences.
    pub fn incidences(&self) -> &[Incidence] {
        &self.incidences
    }

    /// The incidence of a cause, in the first group.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] naming the causes.
    pub fn incidence(&self, cause: &str) -> Result<&Incidence> {
        self.incidences
            .iter()
            .find(|i| i.cause == cause)
            .ok_or_else(|| {
                let mut names: Vec<&str> =
                    self.incidences.iter().map(|i| i.cause.as_str()).collect();
                names.dedup();
                Error::invalid_option("cause", cause, format!("one of {}", names.join(", ")))
            })
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Incidences at the last time, one row a cause and group.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 4;
        let from = format!("{} % from", self.level * 100.0);
        let columns = [
            "Group",
            "Cause",
            "Events",
            "Incidence",
            "Std. error",
            from.as_str(),
            "to",
        ];
        let mut table = Table::new(format!(
            "Cumulative incidence of {} by {}",
            self.cause, self.time
        ))
        .columns(columns);
        for i in &self.incidences {
            let Some(last) = i.points.last() else {
                continue;
            };
            let events: f64 = i.points.iter().map(|p| p.events).sum();
            table = table.row([
                Cell::from(i.group.as_str()),
                Cell::from(i.cause.as_str()),
                amount(events),
                Cell::significant(last.incidence, DIGITS),
                Cell::significant(last.std_error, DIGITS),
                Cell::significant(last.lower, DIGITS),
                Cell::significant(last.upper, DIGITS),
            ]);
        }
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table.note("At the last time; intervals on the complementary log-log scale.")
    }

    /// The incidences as rising steps with bands.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is nothing to draw.
    pub fn plot(&self) -> Result<Figure> {
        let plot = SurvivalPlot::new()
            .rising()
            .title(format!("Cumulative incidence by {}", self.cause))
            .x_title(self.time.as_str())
            .y_title("Share");
        let plot = self.incidences.iter().fold(plot, |plot, i| {
            let of = |f: fn(&IncidencePoint) -> f64| i.points.iter().map(f).collect::<Vec<f64>>();
            let name = if i.group.is_empty() {
                i.cause.clone()
            } else {
                format!("{}: {}", i.group, i.cause)
            };
            plot.curve(name, of(|p| p.time), of(|p| p.incidence))
                .band(of(|p| p.lower), of(|p| p.upper))
        });
        plot.draw()
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl std::fmt::Display for AalenJohansenFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(AalenJohansenFit);
