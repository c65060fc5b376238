//! Units in two arms, units in none, and what to do with them.

use crate::data::{Frame, Groups, Label, MISSING};
use crate::error::{Error, Result, Warning};
use crate::experiment::arms::{measured, note};
use crate::inference::{Distribution, TestResult};
use crate::report::shown;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Below this level the crossings, or the missing arms, are said to depend on arm or segment.
const ALPHA: f64 = 0.001;

/// What is done with units that were seen in two arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Remedy {
    /// All their rows are dropped. Right when crossing does not depend on the arm (the check tests it, given a time).
    Drop,
    /// All their rows count for the arm they were in first: intention to treat, which dilutes the effect but does not bias its sign.
    FirstArm,
}

/// A check of the log of assignments: every unit should have one arm.
///
/// It counts rows and units without arm, rows without unit, and units in two arms by pair of arms. With a time, χ² tests whether crossing depends on the
/// first arm; with segments, whether a missing arm depends on the segment. Crossings that depend on the arm bias every comparison that drops
/// them, because those who left one arm are not like those who left the other.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `time` | order of rows | the column that orders the rows of a unit |
/// | `segments` | none | columns in which missing arms are looked for |
///
/// # Errors
/// [`Error::ColumnNotFound`]; [`Error::NoRows`] when no row has a unit and an arm.
///
/// # References
/// Kohavi, R., Tang, D. & Xu, Y. (2020). *Trustworthy Online Controlled Experiments*, chapters 3 and 21. doi:10.1017/9781108653985
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let log = Frame::new()
///     .with("user", vec!["a", "b", "b", "c", "d"])?
///     .with("arm", vec![Some("control"), Some("tool"), Some("control"), None, Some("tool")])?;
/// let check = AssignmentCheck::new("user", "arm");
/// let fit = check.fit(&log)?;
/// assert_eq!((fit.units, fit.crossing_units, fit.units_without_arm), (4, 1, 1));
/// assert_eq!(check.repaired(&log, Remedy::Drop)?.rows(), 2);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AssignmentCheck {
    unit: String,
    arm: String,
    time: Option<String>,
    segments: Vec<String>,
}

/// Units seen in two arms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmPair {
    /// The first arm; with a time that in which units were first, otherwise in the order of names.
    pub first: String,
    /// The other arm.
    pub second: String,
    /// Units in both.
    pub units: usize,
}

/// What [`AssignmentCheck`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssignmentCheckFit {
    /// Rows of the log.
    pub rows: usize,
    /// Units in it.
    pub units: usize,
    /// Rows without unit.
    pub rows_without_unit: usize,
    /// Rows without arm.
    pub rows_without_arm: usize,
    /// Units all of whose rows have no arm.
    pub units_without_arm: usize,
    /// Units in two arms or more.
    pub crossing_units: usize,
    /// The same by pairs of arms; a unit in three arms is in three pairs.
    pub pairs: Vec<ArmPair>,
    /// χ² test that crossing does not depend on the first arm, with a time and where somebody crossed.
    pub crossing_test: Option<TestResult>,
    /// χ² tests that a missing arm does not depend on the segment, by column.
    pub missing_tests: Vec<TestResult>,
    warnings: Vec<Warning>,
}

impl AssignmentCheck {
    /// A check of the arms of units.
    pub fn new(unit: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            unit: unit.into(),
            arm: arm.into(),
            time: None,
            segments: vec![],
        }
    }

    /// The column that orders the rows of a unit.
    pub fn time(mut self, column: impl Into<String>) -> Self {
        self.time = Some(column.into());
        self
    }

    /// Columns in which missing arms are looked for.
    pub fn segments<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.segments = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Counts.
    ///
    /// # Errors
    /// See [`AssignmentCheck`].
    pub fn fit(&self, frame: &Frame) -> Result<AssignmentCheckFit> {
        let (units, arms) = (frame.groups(&self.unit)?, frame.groups(&self.arm)?);
        let seen = self.seen(frame, &units, &arms)?;
        let mut fit = AssignmentCheckFit {
            rows: frame.rows(),
            units: units.count(),
            rows_without_unit: units.missing,
            rows_without_arm: arms.missing,
            units_without_arm: seen.iter().filter(|list| list.is_empty()).count(),
            crossing_units: seen.iter().filter(|list| list.len() > 1).count(),
            pairs: vec![],
            crossing_test: None,
            missing_tests: vec![],
            warnings: vec![],
        };
        if fit.units == fit.units_without_arm {
            return Err(Error::NoRows {
                reason: format!("no row has both `{}` and `{}`", self.unit, self.arm),
            });
        }
        let mut pairs: BTreeMap<(u32, u32), usize> = BTreeMap::new();
        for list in &seen {
            for (i, first) in list.iter().enumerate() {
                for second in &list[i + 1..] {
                    let key = if self.time.is_some() {
                        (*first, *second)
                    } else {
                        (*first.min(second), *first.max(second))
                    };
                    *pairs.entry(key).or_default() += 1;
                }
            }
        }
        fit.pairs = pairs
            .into_iter()
            .map(|((first, second), units)| ArmPair {
                first: arms.levels[first as usize].clone(),
                second: arms.levels[second as usize].clone(),
                units,
            })
            .collect();
        if self.time.is_some() && fit.crossing_units > 0 {
            let mut table = vec![[0.0; 2]; arms.count()];
            for list in seen.iter().filter(|list| !list.is_empty()) {
                table[list[0] as usize][usize::from(list.len() > 1)] += 1.0;
            }
            fit.crossing_test = independence("crossing by first arm", &table);
        }
        for column in &self.segments {
            let segments = frame.groups(column)?;
            let mut table = vec![[0.0; 2]; segments.count()];
            for (segment, arm) in segments.codes.iter().zip(arms.codes.iter()) {
                if *segment != MISSING {
                    table[*segment as usize][usize::from(*arm == MISSING)] += 1.0;
                }
            }
            fit.missing_tests
                .extend(independence(&format!("missing arm by {column}"), &table));
        }
        fit.warn();
        Ok(fit)
    }

    /// The log with one arm a unit: rows without unit or arm are dropped, and crossing units treated by the remedy.
    ///
    /// # Errors
    /// As [`AssignmentCheck::fit`].
    pub fn repaired(&self, frame: &Frame, remedy: Remedy) -> Result<Frame> {
        let (units, arms) = (frame.groups(&self.unit)?, frame.groups(&self.arm)?);
        let seen = self.seen(frame, &units, &arms)?;
        let keep: Vec<bool> = (units.codes.iter().zip(arms.codes.iter()))
            .map(|(unit, arm)| {
                *unit != MISSING
                    && *arm != MISSING
                    && (remedy == Remedy::FirstArm || seen[*unit as usize].len() == 1)
            })
            .collect();
        let kept = frame.filter(&keep)?;
        if remedy == Remedy::Drop {
            return Ok(kept);
        }
        let first: Vec<u32> = (units.codes.iter().zip(&keep))
            .filter(|(_, keep)| **keep)
            .map(|(unit, _)| seen[*unit as usize][0])
            .collect();
        kept.replace(&self.arm, Label::new(first, arms.levels.to_vec())?)
    }

    /// The arms of each unit in the order in which they were seen, each once.
    fn seen(&self, frame: &Frame, units: &Groups, arms: &Groups) -> Result<Vec<Vec<u32>>> {
        let mut order: Vec<usize> = (0..frame.rows()).collect();
        if let Some(column) = &self.time {
            let time = measured(frame, column)?;
            order.sort_by(|a, b| time[*a].total_cmp(&time[*b]));
        }
        let mut seen = vec![Vec::new(); units.count()];
        for row in order {
            let (unit, arm) = (units.codes[row], arms.codes[row]);
            if unit != MISSING && arm != MISSING {
                let list: &mut Vec<u32> = &mut seen[unit as usize];
                if !list.contains(&arm) {
                    list.push(arm);
                }
            }
        }
        Ok(seen)
    }
}

/// Pearson's χ² test of a table with two columns; none when a margin is empty.
pub(in crate::experiment) fn independence(name: &str, table: &[[f64; 2]]) -> Option<TestResult> {
    let rows: Vec<&[f64; 2]> = table.iter().filter(|r| r[0] + r[1] > 0.0).collect();
    let columns = rows
        .iter()
        .fold([0.0, 0.0], |s, r| [s[0] + r[0], s[1] + r[1]]);
    let total = columns[0] + columns[1];
    if rows.len() < 2 || columns[0] <= 0.0 || columns[1] <= 0.0 {
        return None;
    }
    let statistic = rows
        .iter()
        .flat_map(|row| {
            (0..2).map(move |c| {
                let expected = (row[0] + row[1]) * columns[c] / total;
                (row[c] - expected).powi(2) / expected
            })
        })
        .sum();
    let df = rows.len() as f64 - 1.0;
    Some(TestResult::new(
        name,
        statistic,
        Distribution::ChiSquared { df },
    ))
}

impl AssignmentCheckFit {
    fn warn(&mut self) {
        if self.crossing_units > 0 {
            self.warnings.push(note(format!(
                "{} of {} units ({}) were seen in more than one arm: `repaired` drops them or counts them for their first arm",
                self.crossing_units,
                self.units,
                Cell::percent(self.crossing_share(), 2)
            )));
        }
        if let Some(test) = self.crossing_test.as_ref().filter(|t| t.p_value < ALPHA) {
            self.warnings.push(note(format!(
                "crossing depends on the first arm ({test}): dropping these units biases the comparison; use the first arm"
            )));
        }
        for test in self.missing_tests.iter().filter(|t| t.p_value < ALPHA) {
            self.warnings.push(note(format!(
                "arms are missing more often in some segments ({test}): find the cause before the analysis"
            )));
        }
        if self.rows_without_arm + self.rows_without_unit > 0 {
            self.warnings.push(note(format!(
                "{} rows have no arm and {} no unit; they cannot be analysed",
                self.rows_without_arm, self.rows_without_unit
            )));
        }
    }

    /// The share of units in more than one arm.
    pub fn crossing_share(&self) -> f64 {
        self.crossing_units as f64 / self.units as f64
    }

    /// Whether every row has a unit and an arm, and every unit one arm.
    pub fn is_clean(&self) -> bool {
        self.crossing_units == 0 && self.rows_without_arm == 0 && self.rows_without_unit == 0
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The counts.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Assignments").columns(["", "Count"]);
        for (name, count) in [
            ("Rows", self.rows),
            ("Units", self.units),
            ("Rows without unit", self.rows_without_unit),
            ("Rows without arm", self.rows_without_arm),
            ("Units without arm", self.units_without_arm),
            ("Units in two arms or more", self.crossing_units),
        ] {
            table = table.row([Cell::from(name), Cell::count(count)]);
        }
        for pair in &self.pairs {
            let name = format!("  {} and {}", pair.first, pair.second);
            table = table.row([Cell::from(name), Cell::count(pair.units)]);
        }
        for test in self.crossing_test.iter().chain(&self.missing_tests) {
            table = table.note(test.to_string());
        }
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }
}

shown!(AssignmentCheckFit);

#[cfg(test)]
mod tests {
    use super::*;

    /// 1000 users on two days; every fifth of arm a was in b on the second day, and arms are missing on phones.
    fn log() -> Frame {
        let arm = |row: usize| {
            let (user, day) = (row % 1000, row / 1000);
            if user % 4 == 3 && day == 1 {
                return None;
            }
            let a = user % 2 == 0;
            Some(if a && !(user % 10 == 0 && day == 1) {
                "a"
            } else {
                "b"
            })
        };
        Frame::new()
            .with(
                "user",
                (0..2000).map(|r| f64::from(r % 1000)).collect::<Vec<_>>(),
            )
            .unwrap()
            .with(
                "day",
                (0..2000).map(|r| f64::from(r / 1000)).collect::<Vec<_>>(),
            )
            .unwrap()
            .with("phone", (0..2000).map(|r| r % 4 == 3).collect::<Vec<_>>())
            .unwrap()
            .with("arm", (0..2000).map(arm).collect::<Vec<_>>())
            .unwrap()
    }

    #[test]
    fn crossings_are_counted_tested_and_repaired() {
        let check = AssignmentCheck::new("user", "arm")
            .time("day")
            .segments(["phone"]);
        let fit = check.fit(&log()).unwrap();
        assert_eq!(
            (fit.units, fit.crossing_units, fit.rows_without_arm),
            (1000, 100, 250)
        );
        assert_eq!(
            fit.pairs,
            [ArmPair {
                first: "a".into(),
                second: "b".into(),
                units: 100
            }]
        );
        // 100 of 500 in a, none in b: χ² = 1000 · (100 · 500)² / (500 · 500 · 100 · 900)
        let expected = 1000.0 * (100.0_f64 * 500.0).powi(2) / (500.0 * 500.0 * 100.0 * 900.0);
        assert!((fit.crossing_test.as_ref().unwrap().statistic / expected - 1.0).abs() < 1e-12);
        assert!(
            fit.missing_tests[0].p_value < 1e-10 && fit.warnings().len() == 4 && !fit.is_clean()
        );
        let dropped = check.repaired(&log(), Remedy::Drop).unwrap();
        assert_eq!(dropped.rows(), 2000 - 250 - 200);
        let first = check.repaired(&log(), Remedy::FirstArm).unwrap();
        let again = check.fit(&first).unwrap();
        assert!(again.is_clean() && again.crossing_test.is_none() && first.rows() == 1750);
    }

    #[test]
    fn the_order_of_rows_does_not_matter_with_a_time() {
        let check = AssignmentCheck::new("user", "arm").time("day");
        let backwards: Vec<usize> = (0..2000).rev().collect();
        assert_eq!(
            check.fit(&log()).unwrap(),
            check.fit(&log().take(&backwards).unwrap()).unwrap()
        );
        let nothing = Frame::new()
            .with("user", vec!["x"])
            .unwrap()
            .with("arm", vec![None::<&str>])
            .unwrap();
        assert!(matches!(
            check.clone().fit(&nothing),
            Err(Error::ColumnNotFound { .. })
        ));
        assert!(matches!(
            AssignmentCheck::new("user", "arm").fit(&nothing),
            Err(Error::NoRows { .. })
        ));
    }
}
