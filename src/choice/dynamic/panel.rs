//! What the panel says: who chose what in which state, and where it led.

use super::payoffs::Payoffs;
use super::transitions::Transitions;
use crate::data::{Frame, Rows};
use crate::decision::LawOfMotion;
use crate::error::{Error, Result, Warning};

/// Names of the columns.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(super) struct Columns {
    pub(super) unit: String,
    pub(super) time: String,
    pub(super) state: String,
    pub(super) choice: String,
}

/// The used rows of a panel.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    pub(super) rows: Rows,
    /// `s * actions + a` of each row.
    pub(super) cells: Vec<usize>,
    /// The state of the same unit one period later, where it is seen.
    pub(super) next: Vec<Option<usize>>,
    /// How often each cell was seen.
    pub(super) counts: Vec<f64>,
    pub(super) warnings: Vec<Warning>,
}

impl Panel {
    pub(super) fn read(columns: &Columns, payoffs: &Payoffs, frame: &Frame) -> Result<Self> {
        let names = [&columns.time, &columns.state, &columns.choice];
        let numbers = names
            .iter()
            .map(|name| frame.numeric(name))
            .collect::<Result<Vec<_>>>()?;
        let units = frame.groups(&columns.unit)?;
        let known = |row: usize| {
            units.codes[row] != crate::data::MISSING
                && numbers.iter().all(|n| !n.values()[row].is_nan())
        };
        let keep: Vec<bool> = (0..frame.rows()).map(known).collect();
        let rows = Rows::from_mask(&keep);
        if rows.is_empty() {
            return Err(Error::NoRows {
                reason: format!(
                    "no row has `{}`, `{}`, `{}` and `{}`",
                    columns.unit, columns.time, columns.state, columns.choice
                ),
            });
        }
        let mut warnings = Vec::new();
        if rows.len() < frame.rows() {
            let lost = names
                .iter()
                .zip(&numbers)
                .map(|(name, n)| ((*name).clone(), n.missing()));
            let all = lost.chain([(columns.unit.clone(), units.missing)]);
            warnings.push(Warning::RowsDropped {
                dropped: frame.rows() - rows.len(),
                missing: all.filter(|(_, count)| *count > 0).collect(),
            });
        }
        let [time, state, choice] = [0, 1, 2].map(|k| numbers[k].values());
        let mut cells = Vec::with_capacity(rows.len());
        for i in 0..rows.len() {
            let row = rows.index(i);
            let s = whole(&columns.state, row, state[row], payoffs.states(), "state")?;
            let a = whole(
                &columns.choice,
                row,
                choice[row],
                payoffs.actions(),
                "action",
            )?;
            cells.push(s * payoffs.actions() + a);
        }
        let next = follow(
            columns,
            &rows,
            &units.codes,
            time,
            &cells,
            payoffs.actions(),
        )?;
        let mut counts = vec![0.0; payoffs.states() * payoffs.actions()];
        for cell in &cells {
            counts[*cell] += 1.0;
        }
        Ok(Self {
            rows,
            cells,
            next,
            counts,
            warnings,
        })
    }

    /// Actions that nobody took.
    pub(super) fn refuse_unused(&self, actions: usize) -> Result<()> {
        let taken = |a: usize| self.counts.iter().skip(a).step_by(actions).sum::<f64>() > 0.0;
        match (0..actions).find(|a| !taken(*a)) {
            Some(action) => Err(Error::Unidentified {
                what: format!("the payoff of action {action}, which is never taken,"),
                needs: "rows in which it is chosen, or payoffs without that action".to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// The laws of motion that a first step finds, with what the full likelihood needs of them.
    pub(super) fn first_step(
        &self,
        transitions: &Transitions,
        payoffs: &Payoffs,
    ) -> Result<(Vec<LawOfMotion>, Option<Steps>)> {
        let (states, actions) = (payoffs.states(), payoffs.actions());
        match transitions {
            Transitions::Known(laws) => {
                if laws.len() != actions || laws.iter().any(|law| law.states() != states) {
                    return Err(Error::invalid_option(
                        "transitions",
                        format!("{} laws of motion", laws.len()),
                        format!("one for each of {actions} actions, over {states} states"),
                    ));
                }
                Ok((laws.clone(), None))
            }
            Transitions::Frequencies => Ok((self.frequencies(states, actions)?, None)),
            Transitions::Increments { most, reset } => {
                if reset.is_some_and(|a| a >= actions) || *most == 0 || *most >= states {
                    return Err(Error::invalid_option(
                        "transitions",
                        format!("increments up to {most}, reset by action {reset:?}"),
                        format!(
                            "increments from 1 to {}, and an action from 0 to {}",
                            states - 1,
                            actions - 1
                        ),
                    ));
                }
                let steps = self.steps(*most, *reset, states, actions)?;
                let laws = steps.laws(&steps.shares(), states, actions)?;
                Ok((laws, Some(steps)))
            }
        }
    }

    /// `P_a(s' | s)` by frequencies.
    fn frequencies(&self, states: usize, actions: usize) -> Result<Vec<LawOfMotion>> {
        let mut seen = vec![std::collections::BTreeMap::<usize, f64>::new(); states * actions];
        for (cell, next) in self.cells.iter().zip(&self.next) {
            if let Some(next) = next {
                *seen[*cell].entry(*next).or_default() += 1.0;
            }
        }
        let empty: Vec<String> = (0..seen.len())
            .filter(|cell| seen[*cell].is_empty())
            .map(|cell| format!("state {} after action {}", cell / actions, cell % actions))
            .collect();
        if !empty.is_empty() {
            const SHOWN: usize = 5;
            let more = if empty.len() > SHOWN {
                format!(" and {} more", empty.len() - SHOWN)
            } else {
                String::new()
            };
            return Err(Error::Unidentified {
                what: format!(
                    "where {}{more} leads (states without observations)",
                    empty[..empty.len().min(SHOWN)].join(", ")
                ),
                needs: "rows that follow each state and action, fewer states, or a law of motion with fewer parameters (Transitions::Increments, Transitions::Known)".to_owned(),
            });
        }
        (0..actions)
            .map(|a| {
                let row = |s: usize| {
                    let own = &seen[s * actions + a];
                    let total: f64 = own.values().sum();
                    own.iter().map(|(next, n)| (*next, n / total)).collect()
                };
                LawOfMotion::new((0..states).map(row).collect())
            })
            .collect()
    }

    /// Increments of the rows, where none can be cut off by the last state.
    fn steps(
        &self,
        most: usize,
        reset: Option<usize>,
        states: usize,
        actions: usize,
    ) -> Result<Steps> {
        let mut counts = vec![0.0; most + 1];
        let mut of_row = vec![None; self.cells.len()];
        for (i, (cell, next)) in self.cells.iter().zip(&self.next).enumerate() {
            let (state, action) = (cell / actions, cell % actions);
            let from = if reset == Some(action) { 0 } else { state };
            let Some(next) = next.filter(|_| from + most < states) else {
                continue;
            };
            match next.checked_sub(from).filter(|step| *step <= most) {
                Some(step) => {
                    counts[step] += 1.0;
                    of_row[i] = Some(step);
                }
                None => {
                    return Err(Error::invalid_option(
                        "transitions",
                        format!(
                            "increments from 0 to {most}, where row {} goes from state {from} to {next}",
                            self.rows.index(i) + 1
                        ),
                        "such that every state follows the one before it (or state 0 after a reset) by one of the increments",
                    ));
                }
            }
        }
        let total: f64 = counts.iter().sum();
        if total <= 0.0 {
            return Err(Error::Unidentified {
                what: "the increments of the state".to_owned(),
                needs: "rows of the same unit in consecutive periods".to_owned(),
            });
        }
        Ok(Steps {
            counts,
            of_row,
            reset,
        })
    }
}

/// Increments of the state.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    /// How often each was seen.
    pub(super) counts: Vec<f64>,
    /// That of each row, where it is seen and cannot be cut off.
    pub(super) of_row: Vec<Option<usize>>,
    pub(super) reset: Option<usize>,
}

impl Steps {
    pub(super) fn shares(&self) -> Vec<f64> {
        let total: f64 = self.counts.iter().sum();
        self.counts.iter().map(|n| n / total).collect()
    }

    pub(super) fn laws(
        &self,
        shares: &[f64],
        states: usize,
        actions: usize,
    ) -> Result<Vec<LawOfMotion>> {
        (0..actions)
            .map(|a| LawOfMotion::increments(states, shares, (self.reset == Some(a)).then_some(0)))
            .collect()
    }
}

/// A number as a state or action.
fn whole(column: &str, row: usize, value: f64, count: usize, what: &str) -> Result<usize> {
    if value >= 0.0 && value < count as f64 && value.fract().abs() <= 0.0 {
        return Ok(value as usize);
    }
    Err(Error::OutOfRange {
        column: column.to_owned(),
        row: row + 1,
        value,
        expected: format!(
            "a whole number from 0 to {} (the {what}s of the payoffs)",
            count - 1
        ),
    })
}

/// The state one period later of each row.
fn follow(
    columns: &Columns,
    rows: &Rows,
    units: &[u32],
    time: &[f64],
    cells: &[usize],
    actions: usize,
) -> Result<Vec<Option<usize>>> {
    let key = |i: usize| (units[rows.index(i)], time[rows.index(i)]);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (key(*a), key(*b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let mut next = vec![None; rows.len()];
    for pair in order.windows(2) {
        let ((unit, now), (other, then)) = (key(pair[0]), key(pair[1]));
        if unit != other {
            continue;
        }
        let gap = then - now;
        if gap <= 0.0 {
            return Err(Error::OutOfRange {
                column: columns.time.clone(),
                row: rows.index(pair[1]) + 1,
                value: then,
                expected: format!(
                    "one row a period for each `{}`: this period is there twice",
                    columns.unit
                ),
            });
        }
        if (gap - 1.0).abs() <= 1e-9 {
            next[pair[0]] = Some(cells[pair[1]] / actions);
        }
    }
    Ok(next)
}
