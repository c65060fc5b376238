//! Rows as a panel: units observed over periods, each pair at most once, and when each unit was first treated.

use crate::data::{Column, Frame, Rows};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// No row, in [`Panel::at`]'s table.
const EMPTY: u32 = u32::MAX;

/// Used rows by unit and period. Units are in the order of their values, periods in time.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    pub(crate) unit_column: String,
    pub(crate) period_column: String,
    pub(crate) units: Vec<String>,
    pub(crate) periods: Vec<Period>,
    /// One entry a used row.
    pub(crate) unit_of: Vec<u32>,
    /// One entry a used row.
    pub(crate) period_of: Vec<u32>,
    /// Rows of the frame in use.
    pub(crate) rows: Rows,
    /// Units by periods: the used row, or `EMPTY`.
    cells: Vec<u32>,
}

/// A period of a panel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Period {
    /// As it is written in the frame.
    pub(crate) label: String,
    /// Its number; for times their place, from 0.
    pub(crate) value: f64,
}

/// When units were first treated, by the position of the period; they stay treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Adoption {
    /// One entry a unit; `None` for units that are not treated in the panel.
    pub(crate) first: Vec<Option<u32>>,
}

impl Panel {
    /// Places the used rows, on which unit and period must be present.
    ///
    /// # Errors
    /// `WrongKind` for periods that are text, whose order in time is not known; `OutOfRange` or `Infinite` for a period that is not a finite number; `MissingClusters` for
    /// missing units or periods; `InvalidOption` for a pair that comes twice, with both rows.
    pub(crate) fn read(frame: &Frame, unit: &str, period: &str, rows: &Rows) -> Result<Self> {
        let units = frame.groups(unit)?.over(rows);
        if units.missing > 0 {
            return Err(Error::MissingClusters {
                column: unit.to_owned(),
                missing: units.missing,
            });
        }
        Self::place(frame, (unit, &units.codes, &units.levels), period, rows)
    }

    /// Every row is a unit of its own: repeated cross-sections.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn of_rows(frame: &Frame, period: &str, rows: &Rows) -> Result<Self> {
        let codes: Vec<u32> = (0..rows.len() as u32).collect();
        let levels: Vec<String> = (0..rows.len())
            .map(|row| (rows.index(row) + 1).to_string())
            .collect();
        Self::place(frame, ("row", &codes, &levels), period, rows)
    }

    fn place(
        frame: &Frame,
        (unit, codes, levels): (&str, &[u32], &[String]),
        period: &str,
        rows: &Rows,
    ) -> Result<Self> {
        let column = frame.column(period)?;
        if matches!(column, Column::Label(_)) {
            return Err(Error::WrongKind {
                column: period.to_owned(),
                expected: "a number or a time, so that periods have an order".to_owned(),
                found: "label".to_owned(),
                remedy: "number the periods, or write them as dates".to_owned(),
            });
        }
        let times = frame.groups(period)?.over(rows);
        if times.missing > 0 {
            return Err(Error::MissingClusters {
                column: period.to_owned(),
                missing: times.missing,
            });
        }
        let (n, t) = (levels.len(), times.count());
        let numbers = match column {
            Column::Real(real) => {
                let mut numbers = vec![0.0; t];
                for (row, code) in times.codes.iter().enumerate() {
                    let value = real.values()[rows.index(row)];
                    if value.is_infinite() {
                        return Err(Error::Infinite {
                            column: period.to_owned(),
                            row: rows.index(row) + 1,
                        });
                    }
                    numbers[*code as usize] = value;
                }
                numbers
            }
            _ => (0..t).map(|place| place as f64).collect(),
        };
        let mut cells = vec![EMPTY; n * t];
        for (row, (unit_code, code)) in codes.iter().zip(times.codes.iter()).enumerate() {
            let cell = &mut cells[*unit_code as usize * t + *code as usize];
            if *cell != EMPTY {
                return Err(Error::invalid_option(
                    "rows",
                    format!(
                        "{} and {}, which are both `{unit}` {} in `{period}` {}",
                        rows.index(*cell as usize) + 1,
                        rows.index(row) + 1,
                        levels[*unit_code as usize],
                        times.levels[*code as usize]
                    ),
                    "one row a unit and period; sum or average those that belong together",
                ));
            }
            *cell = row as u32;
        }
        let labels = times.levels.iter().cloned().zip(numbers);
        Ok(Self {
            unit_column: unit.to_owned(),
            period_column: period.to_owned(),
            units: levels.to_vec(),
            periods: labels
                .map(|(label, value)| Period { label, value })
                .collect(),
            unit_of: codes.to_vec(),
            period_of: times.codes.to_vec(),
            rows: rows.clone(),
            cells,
        })
    }

    /// The used row of a unit in a period.
    pub(crate) fn at(&self, unit: usize, period: usize) -> Option<usize> {
        let row = self.cells[unit * self.periods.len() + period];
        (row != EMPTY).then_some(row as usize)
    }

    /// Pairs of unit and period that have no row.
    pub(crate) fn gaps(&self) -> usize {
        self.cells.len() - self.rows.len()
    }

    /// Refuses a panel with gaps.
    ///
    /// # Errors
    /// `Unidentified`, naming the first gap and how many there are.
    pub(crate) fn require_balanced(&self, what: &str) -> Result<()> {
        let Some(gap) = self.cells.iter().position(|row| *row == EMPTY) else {
            return Ok(());
        };
        let (unit, period) = (gap / self.periods.len(), gap % self.periods.len());
        Err(Error::Unidentified {
            what: what.to_owned(),
            needs: format!(
                "every unit in every period: `{}` {} has no row in `{}` {} ({} gaps in all); leave out such units or periods",
                self.unit_column,
                self.units[unit],
                self.period_column,
                self.periods[period].label,
                self.gaps()
            ),
        })
    }

    /// A column that has one value a unit.
    ///
    /// # Errors
    /// `OutOfRange` for a value that differs from an earlier one of its unit.
    pub(crate) fn of_units(&self, column: &str, values: &[f64]) -> Result<Vec<f64>> {
        let mut of_unit = vec![f64::NAN; self.units.len()];
        for (row, (unit, value)) in self.unit_of.iter().zip(values).enumerate() {
            let own = &mut of_unit[*unit as usize];
            if own.is_nan() {
                *own = *value;
            } else if (*own - value).abs() > f64::EPSILON * own.abs() {
                return Err(Error::OutOfRange {
                    column: column.to_owned(),
                    row: self.rows.index(row) + 1,
                    value: *value,
                    expected: format!(
                        "the same in all rows of `{}` {}, whose earlier rows have {own}",
                        self.unit_column, self.units[*unit as usize]
                    ),
                });
            }
        }
        Ok(of_unit)
    }

    /// Some of the rows; units and periods that lose all of theirs are gone.
    pub(crate) fn restrict(&self, keep: &[bool]) -> Self {
        let renumber = |codes: &[u32], count: usize| -> (Vec<u32>, Vec<usize>) {
            let mut seen = vec![false; count];
            let kept: Vec<u32> = (codes.iter().zip(keep))
                .filter(|(_, keep)| **keep)
                .map(|(code, _)| *code)
                .collect();
            for code in &kept {
                seen[*code as usize] = true;
            }
            let left: Vec<usize> = (0..count).filter(|at| seen[*at]).collect();
            let place = |code: &u32| left.partition_point(|at| *at < *code as usize) as u32;
            (kept.iter().map(place).collect(), left)
        };
        let (unit_of, units) = renumber(&self.unit_of, self.units.len());
        let (period_of, periods) = renumber(&self.period_of, self.periods.len());
        let mut cells = vec![EMPTY; units.len() * periods.len()];
        for (row, (unit, period)) in unit_of.iter().zip(&period_of).enumerate() {
            cells[*unit as usize * periods.len() + *period as usize] = row as u32;
        }
        Self {
            unit_column: self.unit_column.clone(),
            period_column: self.period_column.clone(),
            units: units.iter().map(|at| self.units[*at].clone()).collect(),
            periods: periods.iter().map(|at| self.periods[*at].clone()).collect(),
            unit_of,
            period_of,
            rows: self.rows.retain(keep),
            cells,
        }
    }
}

impl Adoption {
    /// From the first treated period of each unit; one value a used row. Missing, infinite, 0 before the first period and after the last period are never.
    ///
    /// # Errors
    /// `OutOfRange` for a start that differs within a unit, or that is negative before the first period.
    pub(crate) fn from_starts(panel: &Panel, treatment: &str, starts: &[f64]) -> Result<Self> {
        let known: Vec<f64> = (starts.iter())
            .map(|start| {
                if start.is_nan() {
                    f64::MAX
                } else {
                    start.min(f64::MAX)
                }
            })
            .collect();
        let earliest = panel.periods.first().map_or(0.0, |period| period.value);
        if let Some(row) = known.iter().position(|s| *s < 0.0 && *s < earliest) {
            return Err(Error::OutOfRange {
                column: treatment.to_owned(),
                row: panel.rows.index(row) + 1,
                value: known[row],
                expected: "a period, or 0 or missing for units that are never treated".to_owned(),
            });
        }
        let of_units = panel.of_units(treatment, &known)?;
        let first = of_units.iter().map(|start| {
            if start.abs() < f64::MIN_POSITIVE && earliest > 0.0 {
                return None;
            }
            let at = panel
                .periods
                .partition_point(|period| period.value < *start);
            (at < panel.periods.len()).then_some(at as u32)
        });
        Ok(Self {
            first: first.collect(),
        })
    }

    /// From a treatment that is 0 until it starts and 1 from then on; one value a used row. Units treated in their first row count as treated
    /// from the first period of the panel on: when they began is not known, nor their outcomes before.
    ///
    /// # Errors
    /// `OutOfRange` for a value that is neither 0 nor 1, and for one that goes back to 0.
    pub(crate) fn from_status(panel: &Panel, treatment: &str, status: &[f64]) -> Result<Self> {
        Self::check_status(
            panel,
            treatment,
            status,
            "0 before treatment and 1 from its start on",
        )?;
        let is = |row: usize, value: f64| (status[row] - value).abs() < f64::EPSILON;
        let mut first = vec![None; panel.units.len()];
        for (unit, first) in first.iter_mut().enumerate() {
            let mut seen = false;
            for period in 0..panel.periods.len() {
                let Some(row) = panel.at(unit, period) else {
                    continue;
                };
                let start = if seen { period as u32 } else { 0 };
                seen = true;
                if is(row, 1.0) {
                    first.get_or_insert(start);
                } else if first.is_some() {
                    return Err(Error::OutOfRange {
                        column: treatment.to_owned(),
                        row: panel.rows.index(row) + 1,
                        value: status[row],
                        expected: "1 once its unit is treated; `Switching` is for treatments that switch off".to_owned(),
                    });
                }
            }
        }
        Ok(Self { first })
    }

    /// Refuses a status that is neither 0 nor 1.
    ///
    /// # Errors
    /// `OutOfRange`, with the row.
    pub(crate) fn check_status(
        panel: &Panel,
        treatment: &str,
        status: &[f64],
        expected: &str,
    ) -> Result<()> {
        let is = |row: usize, value: f64| (status[row] - value).abs() < f64::EPSILON;
        match (0..status.len()).find(|row| !is(*row, 0.0) && !is(*row, 1.0)) {
            None => Ok(()),
            Some(row) => Err(Error::OutOfRange {
                column: treatment.to_owned(),
                row: panel.rows.index(row) + 1,
                value: status[row],
                expected: expected.to_owned(),
            }),
        }
    }

    /// Positions of the periods in which some unit starts, in order.
    pub(crate) fn cohorts(&self) -> Vec<u32> {
        let mut cohorts: Vec<u32> = self.first.iter().flatten().copied().collect();
        cohorts.sort_unstable();
        cohorts.dedup();
        cohorts
    }

    /// Units that are not treated in the panel.
    pub(crate) fn never(&self) -> usize {
        self.first.iter().filter(|first| first.is_none()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame::new()
            .with("unit", vec!["b", "a", "b", "a", "c"])
            .unwrap()
            .with("year", vec![2004.0, 2001.0, 2001.0, 2004.0, 2004.0])
            .unwrap()
    }

    #[test]
    fn rows_are_placed_and_gaps_named() {
        let panel = Panel::read(&frame(), "unit", "year", &Rows::all(5)).unwrap();
        assert_eq!((panel.units.len(), panel.periods.len()), (3, 2));
        assert_eq!(panel.periods[1].label, "2004");
        assert!((panel.periods[1].value - 2004.0).abs() < 1e-12);
        let b = panel.units.iter().position(|unit| unit == "b").unwrap();
        assert_eq!(
            (panel.at(b, 0), panel.at(b, 1), panel.gaps()),
            (Some(2), Some(0), 1)
        );
        let text = panel
            .require_balanced("the effect")
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("`unit` c has no row in `year` 2001"),
            "{text}"
        );
    }

    #[test]
    fn a_pair_that_comes_twice_is_refused_by_its_rows() {
        let twice = frame()
            .filter(&[true; 5])
            .unwrap()
            .with("other", vec![1.0, 1.0, 2.0, 2.0, 3.0])
            .unwrap()
            .with("when", vec![1.0, 1.0, 1.0, 2.0, 1.0])
            .unwrap();
        let text = Panel::read(&twice, "other", "when", &Rows::all(5))
            .unwrap_err()
            .to_string();
        assert!(text.contains("1 and 2"), "{text}");
        assert!(Panel::read(&twice, "when", "unit", &Rows::all(5)).is_err());
    }

    #[test]
    fn adoption_is_the_first_period_and_may_not_end() {
        let panel = Panel::read(&frame(), "unit", "year", &Rows::all(5)).unwrap();
        let adoption = Adoption::from_status(&panel, "on", &[1.0, 0.0, 1.0, 0.0, 1.0]).unwrap();
        let of = |name: &str| adoption.first[panel.units.iter().position(|u| u == name).unwrap()];
        // The only row of c is treated: since when is not known.
        assert_eq!((of("a"), of("b"), of("c")), (None, Some(0), Some(0)));
        assert_eq!((adoption.cohorts(), adoption.never()), (vec![0], 1));
        let off = Adoption::from_status(&panel, "on", &[0.0, 0.0, 1.0, 0.0, 1.0]).unwrap_err();
        assert!(off.to_string().contains("row 1"), "{off}");
        assert!(Adoption::from_status(&panel, "on", &[2.0, 0.0, 1.0, 0.0, 1.0]).is_err());
    }
}
