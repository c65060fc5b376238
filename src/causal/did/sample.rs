//! The rows of a roll-out: outcome, unit, period and the start of treatment, with weights, clusters and covariates.

use super::effects::RolloutSize;
use crate::causal::arms::check_squares;
use crate::causal::panel::{Adoption, Panel};
use crate::data::formula::Term;
use crate::data::{Column, Design, Formula, Frame};
use crate::error::{Error, Result, Warning};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// The columns that estimators of roll-outs share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RolloutColumns {
    pub(super) outcome: String,
    pub(super) treatment: String,
    pub(super) unit: String,
    pub(super) period: String,
    /// Whether the treatment column holds each unit's first treated period.
    pub(super) starts: bool,
    /// Whether each row is a unit of its own.
    #[serde(default)]
    pub(super) cross_sections: bool,
    pub(super) weights: Option<String>,
    pub(super) clusters: Option<String>,
}

/// Rows with outcome, unit, period and all covariates.
#[derive(Clone, Debug)]
pub(super) struct Rollout {
    pub(super) panel: Panel,
    pub(super) adoption: Adoption,
    /// One entry a used row.
    pub(super) y: Vec<f64>,
    /// One entry a unit, 1 without weights.
    pub(super) weights: Vec<f64>,
    /// One entry a unit; the unit itself without clusters.
    pub(super) clusters: Vec<u32>,
    pub(super) size: RolloutSize,
    /// By name, one entry a used row.
    pub(super) covariates: Vec<(String, Vec<f64>)>,
    pub(super) warnings: Vec<Warning>,
}

/// Constructor and options that estimators of roll-outs have alike; `columns` is a field.
macro_rules! rollout_options {
    ($type:ty, no starts) => {
        crate::causal::builders::row_columns!(
            $type,
            "A column of clusters, in which units lie: errors allow for dependence within them. Units are the clusters without.",
            columns
        );
    };
    ($type:ty) => {
        crate::causal::did::sample::rollout_options!($type, no starts);

        impl $type {
            /// The treatment column holds the first treated period of each unit, in every row: missing, 0 before the first period, or after the last period for units that are never treated.
            pub fn starts(mut self) -> Self {
                self.columns.starts = true;
                self
            }
        }
    };
}
pub(super) use rollout_options;

impl RolloutColumns {
    pub(super) fn new(outcome: &str, treatment: &str, unit: &str, period: &str) -> Self {
        Self {
            outcome: outcome.to_owned(),
            treatment: treatment.to_owned(),
            unit: unit.to_owned(),
            period: period.to_owned(),
            starts: false,
            cross_sections: false,
            weights: None,
            clusters: None,
        }
    }

    /// Reads the rows on which all is present; `terms` are covariates, the right-hand side of a formula.
    pub(super) fn read(&self, frame: &Frame, terms: &str) -> Result<Rollout> {
        self.read_with(frame, terms, |panel, values| {
            if !self.starts {
                return Adoption::from_status(panel, &self.treatment, values);
            }
            if !matches!(frame.column(&self.period)?, Column::Real(_)) {
                return Err(Error::WrongKind {
                    column: self.period.clone(),
                    expected: "numbers, as the first treated periods are".to_owned(),
                    found: frame.column(&self.period)?.kind().to_owned(),
                    remedy: "number the periods, or give a treatment that is 0 and then 1"
                        .to_owned(),
                });
            }
            Adoption::from_starts(panel, &self.treatment, values)
        })
    }

    /// Reads a treatment that may switch on and off, with its values; nobody counts as treated.
    pub(super) fn read_switching(&self, frame: &Frame) -> Result<(Rollout, Vec<f64>)> {
        let rollout = self.read_with(frame, "1", |panel, values| {
            Adoption::check_status(panel, &self.treatment, values, "0 or 1")?;
            Ok(Adoption {
                first: vec![None; panel.units.len()],
            })
        })?;
        let rollout = rollout.without_unweighted()?;
        let status = rollout
            .panel
            .rows
            .gather(frame.numeric(&self.treatment)?.values());
        Ok((rollout, status))
    }

    /// Reads the rows, and what `adopt` makes of the panel and the treatment column.
    fn read_with(
        &self,
        frame: &Frame,
        terms: &str,
        adopt: impl FnOnce(&Panel, &[f64]) -> Result<Adoption>,
    ) -> Result<Rollout> {
        let formula = Formula::from(format!("`{}` ~ {terms}", self.outcome).as_str()).parse()?;
        let everything = formula.exogenous().iter().any(Term::has_everything);
        if everything || !(formula.effects().is_empty() && formula.endogenous().is_empty()) {
            return Err(Error::invalid_option(
                "covariates",
                format!("`{terms}`"),
                "covariates by name, without `.` and `|`",
            ));
        }
        let mut also: Vec<&str> = vec![&self.period];
        also.extend((!self.cross_sections).then_some(self.unit.as_str()));
        also.extend((!self.starts).then_some(self.treatment.as_str()));
        also.extend(self.weights.as_deref());
        frame.column(&self.treatment)?;
        let design = Design::build(&formula, frame, &also)?;
        let rows = design.rows;
        let mut warnings = Vec::new();
        if rows.len() < rows.total() {
            warnings.push(Warning::RowsDropped {
                dropped: rows.total() - rows.len(),
                missing: design.missing,
            });
        }
        let panel = if self.cross_sections {
            Panel::of_rows(frame, &self.period, &rows)?
        } else {
            Panel::read(frame, &self.unit, &self.period, &rows)?
        };
        let numbers =
            |name: &str| -> Result<Vec<f64>> { Ok(rows.gather(frame.numeric(name)?.values())) };
        let adoption = adopt(&panel, &numbers(&self.treatment)?)?;
        let weights = match &self.weights {
            None => vec![1.0; panel.units.len()],
            Some(column) => {
                let values = numbers(column)?;
                if let Some(row) = values.iter().position(|w| *w < 0.0) {
                    return Err(Error::OutOfRange {
                        column: column.clone(),
                        row: rows.index(row) + 1,
                        value: values[row],
                        expected: "0 or more".to_owned(),
                    });
                }
                panel.of_units(column, &values)?
            }
        };
        let (clusters, name, count) = match &self.clusters {
            None => {
                let own: Vec<u32> = (0..panel.units.len() as u32).collect();
                (own, self.unit.clone(), panel.units.len())
            }
            Some(column) => {
                let groups = frame.groups(column)?.over(&rows);
                if groups.missing > 0 {
                    return Err(Error::MissingClusters {
                        column: column.clone(),
                        missing: groups.missing,
                    });
                }
                let codes: Vec<f64> = groups.codes.iter().map(|c| f64::from(*c)).collect();
                let of_units = panel.of_units(column, &codes)?;
                let codes = of_units.iter().map(|c| *c as u32).collect();
                (codes, column.clone(), groups.count())
            }
        };
        if count < 2 {
            return Err(Error::TooFewClusters {
                column: name,
                clusters: count,
            });
        }
        let y = design.outcome.values(&rows);
        let covariates: Vec<(String, Vec<f64>)> = (design.exogenous.iter())
            .map(|column| (column.name.clone(), column.values(&rows)))
            .collect();
        check_squares(&self.outcome, &y)?;
        for (name, values) in &covariates {
            check_squares(name, values)?;
        }
        Ok(Rollout {
            y,
            weights,
            clusters,
            size: RolloutSize {
                rows: rows.len(),
                units: panel.units.len(),
                clusters: (name, count),
            },
            covariates,
            warnings,
            panel,
            adoption,
        })
    }
}

impl Rollout {
    /// Some of the rows; units, periods and clusters that lose all of theirs are gone, and a start of treatment after the last period left is none.
    pub(super) fn retain(&self, keep: &[bool]) -> Result<Self> {
        fn kept<T: Copy>(values: &[T], keep: &[bool]) -> Vec<T> {
            let pairs = values.iter().zip(keep).filter(|(_, keep)| **keep);
            pairs.map(|(value, _)| *value).collect()
        }
        let panel = self.panel.restrict(keep);
        if panel.units.is_empty() {
            return Err(Error::NoRows {
                reason: format!(
                    "no `{}` has weight and a period before its treatment",
                    panel.unit_column
                ),
            });
        }
        let mut stay = vec![false; self.panel.units.len()];
        let mut periods = kept(&self.panel.period_of, keep);
        for unit in kept(&self.panel.unit_of, keep) {
            stay[unit as usize] = true;
        }
        let mut clusters = kept(&self.clusters, &stay);
        let mut used = clusters.clone();
        for list in [&mut periods, &mut used] {
            list.sort_unstable();
            list.dedup();
        }
        for code in &mut clusters {
            *code = used.partition_point(|u| *u < *code) as u32;
        }
        let first = kept(&self.adoption.first, &stay);
        let first = first.iter().map(|first| {
            let start = (*first)?;
            let at = periods.partition_point(|period| *period < start);
            (at < periods.len()).then_some(at as u32)
        });
        Ok(Self {
            size: RolloutSize {
                rows: panel.rows.len(),
                units: panel.units.len(),
                clusters: (self.size.clusters.0.clone(), used.len()),
            },
            y: kept(&self.y, keep),
            weights: kept(&self.weights, &stay),
            clusters,
            covariates: (self.covariates.iter())
                .map(|(name, values)| (name.clone(), kept(values, keep)))
                .collect(),
            adoption: Adoption {
                first: first.collect(),
            },
            warnings: self.warnings.clone(),
            panel,
        })
    }

    /// Leaves out units.
    fn without(&self, leave: &[bool]) -> Result<Self> {
        let rows = self.panel.unit_of.iter();
        let keep: Vec<bool> = rows.map(|unit| !leave[*unit as usize]).collect();
        self.retain(&keep)
    }

    /// Without units that are never treated, the last cohort takes their place, on the periods before its treatment.
    pub(super) fn with_controls(self) -> Result<Self> {
        let Some(last) = self.adoption.cohorts().last().copied() else {
            return Err(Error::Unidentified {
                what: "an effect of treatment".to_owned(),
                needs: "units that are treated after the first period".to_owned(),
            });
        };
        if self.adoption.never() > 0 {
            return Ok(self);
        }
        let keep: Vec<bool> = self.panel.period_of.iter().map(|p| *p < last).collect();
        let mut left = self.retain(&keep)?;
        if left.adoption.cohorts().is_empty() {
            return Err(Error::Unidentified {
                what: "an effect of treatment".to_owned(),
                needs: "units that are treated later than others, or never".to_owned(),
            });
        }
        left.warnings.push(Warning::Note {
            message: format!(
                "no unit is never treated: the last cohort, of {}, serves as control, and periods from then on are left out",
                self.panel.periods[last as usize].label
            ),
        });
        Ok(left)
    }

    /// Whether each row is treated.
    pub(super) fn status(&self) -> Vec<f64> {
        let rows = self.panel.unit_of.iter().zip(&self.panel.period_of);
        rows.map(|(unit, period)| {
            let first = self.adoption.first[*unit as usize];
            f64::from(u8::from(first.is_some_and(|first| *period >= first)))
        })
        .collect()
    }

    /// Time since treatment of each row; NaN for units that are never treated.
    pub(super) fn event_times(&self) -> Vec<f64> {
        let value = |period: u32| self.panel.periods[period as usize].value;
        let rows = self.panel.unit_of.iter().zip(&self.panel.period_of);
        rows.map(|(unit, period)| {
            let first = self.adoption.first[*unit as usize];
            first.map_or(f64::NAN, |first| value(*period) - value(first))
        })
        .collect()
    }

    /// The times since treatment that occur, in order.
    pub(super) fn distinct_times(&self) -> Vec<f64> {
        let mut times = self.event_times();
        times.retain(|time| !time.is_nan());
        times.sort_unstable_by(f64::total_cmp);
        times.dedup();
        times
    }

    /// Cohorts of one unit or cluster: its own noise cannot be told from its effect.
    pub(super) fn thin_cohorts(&self) -> Option<Warning> {
        let thin = |cohort: &u32| {
            let mut clusters = (self.adoption.first.iter().zip(&self.clusters))
                .filter(|(first, _)| **first == Some(*cohort))
                .map(|(_, cluster)| *cluster);
            let one = clusters.next();
            clusters.all(|other| Some(other) == one)
        };
        let cohorts = self.adoption.cohorts();
        let few: Vec<&str> = (cohorts.iter().filter(|cohort| thin(cohort)))
            .map(|cohort| self.panel.periods[*cohort as usize].label.as_str())
            .collect();
        (!few.is_empty()).then(|| Warning::Note {
            message: format!(
                "one treated `{}` alone makes cohort {}: the error of its effects leaves out its own noise and is too small; report aggregates, or use SyntheticControl",
                self.size.clusters.0,
                few.join(", ")
            ),
        })
    }

    /// Leaves out units without weight.
    pub(super) fn without_unweighted(self) -> Result<Self> {
        let leave: Vec<bool> = self.weights.iter().map(|w| *w <= 0.0).collect();
        if leave.contains(&true) {
            return self.without(&leave);
        }
        Ok(self)
    }

    /// Leaves out units without weight, and units that have no period earlier than their treatment less `anticipation`, counted in a warning.
    pub(super) fn with_a_past(self, anticipation: f64) -> Result<Self> {
        let first = self.panel.periods[0].value;
        let always = |start: u32| first >= self.panel.periods[start as usize].value - anticipation;
        let treated: Vec<bool> = (self.adoption.first.iter())
            .map(|start| start.is_some_and(always))
            .collect();
        let leave: Vec<bool> = (treated.iter().zip(&self.weights))
            .map(|(treated, weight)| *treated || *weight <= 0.0)
            .collect();
        if !leave.contains(&true) {
            return Ok(self);
        }
        let mut left = self.without(&leave)?;
        let count = treated.iter().filter(|treated| **treated).count();
        if count > 0 {
            left.warnings.push(Warning::Note {
                message: format!(
                    "{count} units treated from the first period on left out: nothing is known of them without treatment"
                ),
            });
        }
        Ok(left)
    }

    /// Sums of units within clusters: one row a cluster.
    pub(super) fn by_cluster(&self, influence: &DMatrix<f64>) -> DMatrix<f64> {
        cluster_sums(influence, &self.clusters, self.size.clusters.1)
    }
}

/// Sums of rows within clusters.
pub(super) fn cluster_sums(
    influence: &DMatrix<f64>,
    clusters: &[u32],
    count: usize,
) -> DMatrix<f64> {
    let mut sums = DMatrix::zeros(count, influence.ncols());
    for (from, mut to) in influence.column_iter().zip(sums.column_iter_mut()) {
        for (value, cluster) in from.iter().zip(clusters) {
            to[*cluster as usize] += value;
        }
    }
    sums
}
