//! Sums of every cluster: the units of analysis where several rows were assigned together.

use super::layout::{Codes, check_clusters};
use super::pass::{Coded, NOT_ANALYSED, Source};
use super::sample::Cell;
use super::variables::{MomentMetric, Plan, Quotient, ValueRange, Values, Variable};
use crate::data::{Frame, MISSING};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// For every cluster and metric the number of rows that have the metric, and the sums of its variables over them. The mean of
/// a metric is then a ratio of means over clusters, `Σ S_c / Σ N_c`, whose variance the delta method gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClusterSums {
    column: String,
    /// Where the sums of each metric begin in the numbers of a cluster.
    starts: Vec<usize>,
    width: usize,
    names: Vec<String>,
    arm: Vec<u32>,
    stratum: Vec<u32>,
    sums: Vec<f64>,
    #[serde(skip)]
    index: BTreeMap<String, u32>,
}

impl ClusterSums {
    pub(crate) fn new(column: &str, plan: &Plan) -> Self {
        let (mut starts, mut width) = (Vec::new(), 0);
        for metric in &plan.metrics {
            starts.push(width);
            width += 1 + metric.variables().count();
        }
        Self {
            column: column.to_owned(),
            starts,
            width,
            names: Vec::new(),
            arm: Vec::new(),
            stratum: Vec::new(),
            sums: Vec::new(),
            index: BTreeMap::new(),
        }
    }

    /// Takes in rows; returns how many have no arm, and how many have one but no stratum.
    pub(crate) fn push(
        &mut self,
        source: &Source<'_>,
        plan: &Plan,
        frame: &Frame,
        arms: &[String],
        strata: &[String],
    ) -> Result<(u64, u64)> {
        let column = self.column.clone();
        let codes = Codes::of(&column, frame)?;
        check_clusters(&column, codes.codes())?;
        // Clusters are looked up by name once a level, not once a row; a level without rows stays out.
        let mut places = vec![MISSING; codes.levels().len()];
        let (mut no_arm, mut no_stratum) = (0, 0);
        let mut crossed: Option<(String, u32, u32)> = None;
        let mut row_values = vec![0.0; source.values.len()];
        for (row, code) in codes.codes().iter().enumerate() {
            let arm = group(&source.arms, row);
            if arm == MISSING {
                no_arm += 1;
                continue;
            }
            let stratum = source.strata.as_ref().map_or(0, |s| group(s, row));
            if stratum == MISSING {
                no_stratum += 1;
                continue;
            }
            let place = &mut places[*code as usize];
            if *place == MISSING {
                *place = self.place(&codes.levels()[*code as usize], arm, stratum);
            }
            let at = *place as usize;
            if self.arm[at] != arm {
                crossed.get_or_insert_with(|| (self.names[at].clone(), self.arm[at], arm));
                continue;
            }
            if self.stratum[at] != stratum {
                return Err(self.in_two("strata", at, strata, stratum));
            }
            if source.analysed.is_some_and(|analysed| !analysed[row]) {
                continue;
            }
            for (out, values) in row_values.iter_mut().zip(&source.values) {
                *out = value(values, row);
            }
            let sums = &mut self.sums[at * self.width..(at + 1) * self.width];
            for (metric, start) in plan.metrics.iter().zip(&self.starts) {
                if metric.variables().any(|v| row_values[v].is_nan()) {
                    continue;
                }
                sums[*start] += 1.0;
                for (sum, v) in sums[start + 1..].iter_mut().zip(metric.variables()) {
                    *sum += row_values[v];
                }
            }
        }
        match crossed {
            None => Ok((no_arm, no_stratum)),
            Some((name, first, second)) => Err(in_two_arms(
                &column,
                &name,
                &arms[first as usize],
                &arms[second as usize],
            )),
        }
    }

    /// Takes in the clusters of other rows, with their arms and strata renumbered.
    pub(crate) fn merge(
        &mut self,
        other: &Self,
        arm_of: &[u32],
        stratum_of: &[u32],
        arms: &[String],
        strata: &[String],
    ) -> Result<()> {
        self.reindex();
        for (i, name) in other.names.iter().enumerate() {
            let arm = arm_of[other.arm[i] as usize];
            let stratum = stratum_of[other.stratum[i] as usize];
            let at = self.place(name, arm, stratum) as usize;
            if self.arm[at] != arm {
                let (first, second) = (self.arm[at] as usize, arm as usize);
                return Err(in_two_arms(&self.column, name, &arms[first], &arms[second]));
            }
            if self.stratum[at] != stratum {
                return Err(self.in_two("strata", at, strata, stratum));
            }
            let theirs = &other.sums[i * self.width..(i + 1) * self.width];
            let mine = &mut self.sums[at * self.width..(at + 1) * self.width];
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine += theirs;
            }
        }
        Ok(())
    }

    /// The clusters as units: their moments, and the plan in which every mean has become a ratio over them.
    pub(crate) fn units(&self, plan: &Plan, n_arms: usize, n_strata: usize) -> (Plan, Vec<Cell>) {
        let mut units = Plan::default();
        for (metric, start) in plan.metrics.iter().zip(&self.starts) {
            let mut at = *start;
            let mut next = || {
                at += 1;
                at
            };
            let mut over = |q: &Quotient| Quotient {
                numerator: next(),
                denominator: Some(if q.denominator.is_some() {
                    next()
                } else {
                    *start
                }),
            };
            let value = over(&metric.value);
            let covariates = metric.covariates.iter().map(&mut over).collect();
            units.metrics.push(MomentMetric {
                metric: metric.metric,
                value,
                covariates,
            });
            units
                .variables
                .push(variable(format!("rows of {}", self.column)));
            for v in metric.variables() {
                units
                    .variables
                    .push(variable(plan.variables[v].column.clone()));
            }
        }
        let columns = self.columns();
        let source = Source {
            rows: self.names.len(),
            arms: Coded {
                codes: &self.arm,
                groups: (0..n_arms as u32).collect(),
            },
            n_arms,
            strata: Some(Coded {
                codes: &self.stratum,
                groups: (0..n_strata as u32).collect(),
            }),
            n_strata,
            analysed: None,
            users: units.users(),
            ratios: units.ratios(),
            values: columns
                .iter()
                .map(|values| Values::Real {
                    values,
                    clip: None,
                    missing: values.iter().filter(|v| v.is_nan()).count(),
                })
                .collect(),
        };
        let everything = source.users.iter().fold(0, |all, bits| all | bits);
        let cells = source.pass().cells.into_iter().map(|found| Cell {
            arm: (found.base % n_arms) as u32,
            stratum: (found.base / n_arms) as u32,
            missing: if found.missing == everything && everything > 0 {
                NOT_ANALYSED
            } else {
                found.missing
            },
            moments: found.moments,
        });
        let mut cells: Vec<Cell> = cells.collect();
        cells.sort_by_key(|c| (c.arm, c.stratum, c.missing));
        (units, cells)
    }

    /// The numbers of all clusters, column by column; missing where a cluster has no row with the metric.
    fn columns(&self) -> Vec<Vec<f64>> {
        let mut columns = vec![Vec::with_capacity(self.names.len()); self.width];
        for numbers in self.sums.chunks_exact(self.width.max(1)) {
            for (m, start) in self.starts.iter().enumerate() {
                let end = self.starts.get(m + 1).copied().unwrap_or(self.width);
                let none = numbers[*start] <= 0.0;
                for j in *start..end {
                    columns[j].push(if none { f64::NAN } else { numbers[j] });
                }
            }
        }
        columns
    }

    /// The place of a cluster, which is added when it is new.
    fn place(&mut self, name: &str, arm: u32, stratum: u32) -> u32 {
        self.reindex();
        if let Some(at) = self.index.get(name) {
            return *at;
        }
        let at = self.names.len() as u32;
        self.index.insert(name.to_owned(), at);
        self.names.push(name.to_owned());
        self.arm.push(arm);
        self.stratum.push(stratum);
        self.sums.resize(self.sums.len() + self.width, 0.0);
        at
    }

    /// The index is not stored: it is made again after reading.
    fn reindex(&mut self) {
        if self.index.len() < self.names.len() {
            self.index = self.names.iter().cloned().zip(0..).collect();
        }
    }

    fn in_two(&self, what: &str, at: usize, names: &[String], second: u32) -> Error {
        let name = |code: u32| names.get(code as usize).map_or("", String::as_str);
        Error::Unidentified {
            what: format!(
                "the place of `{}` {}, which has rows in {what} `{}` and `{}`,",
                self.column,
                self.names[at],
                name(self.stratum[at]),
                name(second)
            ),
            needs: "one stratum for every cluster".to_owned(),
        }
    }
}

/// The error for a unit with rows in two arms.
pub(crate) fn in_two_arms(column: &str, name: &str, first: &str, second: &str) -> Error {
    Error::Unidentified {
        what: format!("the arm of `{column}` {name}, which has rows in `{first}` and `{second}`,"),
        needs: "one arm for every unit: find out why assignment changed, and leave those units out (report how many) before the analysis".to_owned(),
    }
}

fn group(coded: &Coded<'_>, row: usize) -> u32 {
    let code = coded.codes[row] as usize;
    coded.groups.get(code).copied().unwrap_or(MISSING)
}

fn value(values: &Values<'_>, row: usize) -> f64 {
    match values {
        Values::Flag(flags) => f64::from(u8::from(flags[row])),
        Values::Real { values, clip, .. } => match clip {
            Some([lower, upper]) if !values[row].is_nan() => values[row].clamp(*lower, *upper),
            _ => values[row],
        },
    }
}

fn variable(column: String) -> Variable {
    Variable {
        column,
        clip: None,
        range: ValueRange::Any,
    }
}
