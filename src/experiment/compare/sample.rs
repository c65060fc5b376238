//! The observations of arms, from a frame or from slices, and the options that all comparisons share.

use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::Alternative;
use serde::{Deserialize, Serialize};

/// Confidence level of the intervals unless another is asked for.
const LEVEL: f64 = 0.95;

/// What is compared, on which side, at which level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Options {
    pub(super) outcome: String,
    pub(super) arm: String,
    pub(super) treatment: Option<String>,
    pub(super) control: Option<String>,
    pub(super) alternative: Alternative,
    pub(super) level: f64,
}

impl Options {
    pub(super) fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            outcome: outcome.into(),
            arm: arm.into(),
            treatment: None,
            control: None,
            alternative: Alternative::TwoSided,
            level: LEVEL,
        }
    }
}

/// Observations by arm.
#[derive(Clone, Debug)]
pub(super) struct Arms {
    pub(super) outcome: String,
    pub(super) names: Vec<String>,
    pub(super) values: Vec<Vec<f64>>,
    pub(super) warnings: Vec<Warning>,
}

impl Arms {
    /// The arms of a column that have an outcome, in the order of the levels.
    pub(super) fn read(options: &Options, frame: &Frame) -> Result<Self> {
        let values = frame.numeric(&options.outcome)?;
        let groups = frame.groups(&options.arm)?;
        let mut arms = vec![Vec::new(); groups.count()];
        let mut missing = [0_usize; 3];
        for (row, (y, code)) in values.values().iter().zip(groups.codes.iter()).enumerate() {
            let arm = arms.get_mut(*code as usize);
            missing[0] += usize::from(y.is_nan());
            missing[1] += usize::from(arm.is_none());
            let Some(arm) = arm.filter(|_| !y.is_nan()) else {
                missing[2] += 1;
                continue;
            };
            if y.is_infinite() {
                return Err(Error::Infinite {
                    column: options.outcome.clone(),
                    row: row + 1,
                });
            }
            arm.push(*y);
        }
        let mut warnings = Vec::new();
        if missing[2] > 0 {
            let columns = [&options.outcome, &options.arm];
            warnings.push(Warning::RowsDropped {
                dropped: missing[2],
                missing: (0..2)
                    .filter(|i| missing[*i] > 0)
                    .map(|i| (columns[i].clone(), missing[i]))
                    .collect(),
            });
        }
        let (names, values) = groups
            .levels
            .iter()
            .cloned()
            .zip(arms)
            .filter(|(_, v)| !v.is_empty())
            .unzip();
        Ok(Self {
            outcome: options.outcome.clone(),
            names,
            values,
            warnings,
        })
    }

    /// From slices, which are numbered as arms.
    pub(super) fn of(options: &Options, slices: &[&[f64]]) -> Result<Self> {
        let names: Vec<String> = (1..=slices.len()).map(|i| i.to_string()).collect();
        let check = |(name, values): (&String, &&[f64])| checked(name, values);
        Ok(Self {
            outcome: options.outcome.clone(),
            values: names.iter().zip(slices).map(check).collect::<Result<_>>()?,
            names,
            warnings: Vec::new(),
        })
    }

    /// Refuses fewer arms than two, or an arm with fewer observations than needed.
    pub(super) fn at_least(&self, rows: usize) -> Result<()> {
        if self.names.len() < 2 {
            return Err(Error::NoRows {
                reason: format!(
                    "a comparison needs two arms with an outcome, and there {}",
                    match self.names.first() {
                        Some(one) => format!("is only `{one}`"),
                        None => "is none".to_owned(),
                    }
                ),
            });
        }
        for (name, values) in self.names.iter().zip(&self.values) {
            needs_rows(name, values, rows)?;
        }
        Ok(())
    }
}

/// Observations of a treatment and a control arm.
#[derive(Clone, Debug)]
pub(super) struct TwoArms {
    pub(super) outcome: String,
    /// Treatment, control.
    pub(super) names: [String; 2],
    pub(super) values: [Vec<f64>; 2],
    pub(super) warnings: Vec<Warning>,
}

impl TwoArms {
    pub(super) fn read(options: &Options, frame: &Frame) -> Result<Self> {
        let mut arms = Arms::read(options, frame)?;
        let find = |what: &str, name: &Option<String>| {
            let Some(name) = name else { return Ok(None) };
            let found = arms.names.iter().position(|n| n == name);
            found.map(Some).ok_or_else(|| {
                Error::invalid_option(
                    what,
                    name,
                    format!(
                        "an arm of `{}` with an outcome: {}",
                        options.arm,
                        arms.names.join(", ")
                    ),
                )
            })
        };
        let (treatment, control) = (
            find("treatment", &options.treatment)?,
            find("control", &options.control)?,
        );
        let (treatment, control) = match (treatment, control) {
            (Some(t), Some(c)) if t != c => (t, c),
            (Some(_), Some(_)) => {
                return Err(Error::invalid_option(
                    "treatment",
                    options.treatment.as_deref().unwrap_or_default(),
                    "another arm than the control",
                ));
            }
            _ if arms.names.len() > 2 => {
                return Err(Error::Unidentified {
                    what: format!(
                        "a comparison of two arms: `{}` has {}: {}; it",
                        options.arm,
                        arms.names.len(),
                        arms.names.join(", ")
                    ),
                    needs: "`.treatment(…)` and `.control(…)`, or a test of several arms: Anova, KruskalWallis, TukeyHsd, GamesHowell, Dunnett"
                        .to_owned(),
                });
            }
            _ if arms.names.len() < 2 => {
                arms.at_least(1)?;
                (0, 0)
            }
            (Some(t), None) => (t, 1 - t),
            (None, Some(c)) => (1 - c, c),
            (None, None) => (1, 0),
        };
        let mut take = |i: usize| {
            (
                std::mem::take(&mut arms.names[i]),
                std::mem::take(&mut arms.values[i]),
            )
        };
        let (a, b) = (take(treatment), take(control));
        Ok(Self {
            outcome: arms.outcome,
            names: [a.0, b.0],
            values: [a.1, b.1],
            warnings: arms.warnings,
        })
    }

    pub(super) fn of(options: &Options, treatment: &[f64], control: &[f64]) -> Result<Self> {
        let name =
            |given: &Option<String>, or: &str| given.clone().unwrap_or_else(|| or.to_owned());
        let names = [
            name(&options.treatment, "treatment"),
            name(&options.control, "control"),
        ];
        Ok(Self {
            outcome: options.outcome.clone(),
            values: [checked(&names[0], treatment)?, checked(&names[1], control)?],
            names,
            warnings: Vec::new(),
        })
    }

    /// `outcome: treatment − control`.
    pub(super) fn contrast(&self) -> String {
        format!("{}: {} − {}", self.outcome, self.names[0], self.names[1])
    }

    /// Refuses an arm with fewer observations than needed.
    pub(super) fn at_least(&self, rows: usize) -> Result<()> {
        for (name, values) in self.names.iter().zip(&self.values) {
            needs_rows(name, values, rows)?;
        }
        Ok(())
    }
}

/// Two measurements of every unit.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    /// The first and the second column.
    pub(super) names: [String; 2],
    pub(super) first: Vec<f64>,
    pub(super) second: Vec<f64>,
    pub(super) warnings: Vec<Warning>,
}

impl Pairs {
    /// The rows in which both columns (the outcome and the arm of the options) are known.
    pub(super) fn read(options: &Options, frame: &Frame) -> Result<Self> {
        let (a, b) = (
            frame.numeric(&options.outcome)?,
            frame.numeric(&options.arm)?,
        );
        let names = [options.outcome.clone(), options.arm.clone()];
        for (name, column) in names.iter().zip([&a, &b]) {
            if let Some(row) = column.values().iter().position(|v| v.is_infinite()) {
                return Err(Error::Infinite {
                    column: name.clone(),
                    row: row + 1,
                });
            }
        }
        let rows = a.values().len();
        let (first, second): (Vec<f64>, Vec<f64>) = a
            .values()
            .iter()
            .zip(b.values().iter())
            .filter(|(x, y)| !x.is_nan() && !y.is_nan())
            .map(|(x, y)| (*x, *y))
            .unzip();
        let mut warnings = Vec::new();
        if first.len() < rows {
            let missing = names.iter().cloned().zip([a.missing(), b.missing()]);
            warnings.push(Warning::RowsDropped {
                dropped: rows - first.len(),
                missing: missing.filter(|(_, n)| *n > 0).collect(),
            });
        }
        Ok(Self {
            names,
            first,
            second,
            warnings,
        })
    }

    pub(super) fn of(options: &Options, first: &[f64], second: &[f64]) -> Result<Self> {
        if first.len() != second.len() {
            return Err(Error::LengthMismatch {
                column: options.arm.clone(),
                expected: first.len(),
                found: second.len(),
            });
        }
        Ok(Self {
            names: [options.outcome.clone(), options.arm.clone()],
            first: checked(&options.outcome, first)?,
            second: checked(&options.arm, second)?,
            warnings: Vec::new(),
        })
    }

    pub(super) fn contrast(&self) -> String {
        format!("{} − {}", self.names[0], self.names[1])
    }

    pub(super) fn differences(&self) -> Vec<f64> {
        self.first
            .iter()
            .zip(&self.second)
            .map(|(a, b)| a - b)
            .collect()
    }
}

/// Numbers that are there and finite.
fn checked(name: &str, values: &[f64]) -> Result<Vec<f64>> {
    if values.is_empty() {
        return Err(Error::NoRows {
            reason: format!("`{name}` has no observation"),
        });
    }
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(values.to_vec()),
        Some(row) if values[row].is_nan() => Err(Error::OutOfRange {
            column: name.to_owned(),
            row: row + 1,
            value: values[row],
            expected: "a number: leave missing values out".to_owned(),
        }),
        Some(row) => Err(Error::Infinite {
            column: name.to_owned(),
            row: row + 1,
        }),
    }
}

pub(super) fn needs_rows(name: &str, values: &[f64], rows: usize) -> Result<()> {
    if values.len() >= rows {
        return Ok(());
    }
    Err(Error::Unidentified {
        what: format!(
            "the spread of `{name}`, which has {} observation,",
            values.len()
        ),
        needs: format!("at least {rows} observations"),
    })
}

/// The number of successes among outcomes that are 0 or 1.
pub(super) fn successes(name: &str, values: &[f64]) -> Result<u64> {
    let mut count = 0;
    for (row, v) in values.iter().enumerate() {
        if (v - 1.0).abs() <= 0.0 {
            count += 1;
        } else if v.abs() > 0.0 {
            return Err(Error::OutOfRange {
                column: name.to_owned(),
                row: row + 1,
                value: *v,
                expected: "0 or 1 (row of the arm)".to_owned(),
            });
        }
    }
    Ok(count)
}

/// The options and verbs of a comparison of two arms: the type has `options` and `run(&TwoArms)`.
macro_rules! two_arms {
    ($type:ident) => {
        $crate::experiment::compare::sample::two_arms!($type, read_by: |test: &$type, frame| {
            test.run(&TwoArms::read(&test.options, frame)?)
        });
    };
    ($type:ident, read_by: $read:expr) => {
        impl $type {
            /// The arm taken as the control; by default the first of two.
            pub fn control(mut self, arm: impl Into<String>) -> Self {
                self.options.control = Some(arm.into());
                self
            }

            /// The arm taken as the treatment; by default the other of two.
            pub fn treatment(mut self, arm: impl Into<String>) -> Self {
                self.options.treatment = Some(arm.into());
                self
            }

            /// Compares the arms of a frame.
            ///
            /// # Errors
            #[doc = concat!("See [`", stringify!($type), "`].")]
            pub fn fit(&self, frame: &Frame) -> Result<Comparison> {
                check_level(self.options.level)?;
                let read: fn(&$type, &Frame) -> Result<Comparison> = $read;
                read(self, frame)
            }

            /// Compares two slices.
            ///
            /// # Errors
            #[doc = concat!("See [`", stringify!($type), "`].")]
            pub fn compare(&self, treatment: &[f64], control: &[f64]) -> Result<Comparison> {
                check_level(self.options.level)?;
                self.run(&TwoArms::of(&self.options, treatment, control)?)
            }
        }

        $crate::experiment::compare::sample::sided!($type, "outcome", "arm");
    };
}
pub(super) use two_arms;

/// The same for two measurements of every unit: the type has `options` and `run(&Pairs)`.
macro_rules! pairs {
    ($type:ident) => {
        impl $type {
            /// Compares two columns of a frame.
            ///
            /// # Errors
            #[doc = concat!("See [`", stringify!($type), "`].")]
            pub fn fit(&self, frame: &Frame) -> Result<Comparison> {
                check_level(self.options.level)?;
                self.run(&Pairs::read(&self.options, frame)?)
            }

            /// Compares two slices of one length, a unit each place.
            ///
            /// # Errors
            #[doc = concat!("See [`", stringify!($type), "`].")]
            pub fn compare(&self, first: &[f64], second: &[f64]) -> Result<Comparison> {
                check_level(self.options.level)?;
                self.run(&Pairs::of(&self.options, first, second)?)
            }
        }

        $crate::experiment::compare::sample::sided!($type, "first", "second");
    };
}
pub(super) use pairs;

/// Side, level and defaults.
macro_rules! sided {
    ($type:ident $(, $column:literal)*) => {
        impl $type {
            /// The side of the test and of the intervals.
            pub fn alternative(mut self, alternative: Alternative) -> Self {
                self.options.alternative = alternative;
                self
            }

            /// The confidence level of the intervals.
            pub fn level(mut self, level: f64) -> Self {
                self.options.level = level;
                self
            }
        }

        impl Default for $type {
            /// For slices, which have no columns to name.
            fn default() -> Self {
                Self::new($($column),*)
            }
        }
    };
}
pub(super) use sided;

/// The options and verbs of a comparison of several arms: the type has `options` and `run(&Arms)`.
macro_rules! several_arms {
    ($type:ident) => {
        impl $type {
            /// The confidence level of the intervals.
            pub fn level(mut self, level: f64) -> Self {
                self.options.level = level;
                self
            }

            /// Compares the arms of a frame.
            ///
            /// # Errors
            #[doc = concat!("See [`", stringify!($type), "`].")]
            pub fn fit(&self, frame: &Frame) -> Result<Comparison> {
                check_level(self.options.level)?;
                self.run(&Arms::read(&self.options, frame)?)
            }

            /// Compares slices, which are called 1, 2, ….
            ///
            /// # Errors
            #[doc = concat!("See [`", stringify!($type), "`].")]
            pub fn compare(&self, arms: &[&[f64]]) -> Result<Comparison> {
                check_level(self.options.level)?;
                self.run(&Arms::of(&self.options, arms)?)
            }
        }

        impl Default for $type {
            /// For slices, which have no columns to name.
            fn default() -> Self {
                Self::new("outcome", "arm")
            }
        }
    };
}
pub(super) use several_arms;
