//! Power by simulation: data of the past are assigned at random again and again, an effect is put in, and the analysis is run.

use crate::data::{Frame, Label};
use crate::error::{Error, Result};
use crate::experiment::declare::Experiment;
use crate::experiment::metric::{Metric, MetricKind};
use crate::experiment::role::Verdict;
use crate::numeric::permutation::{open_unit, shuffle};
use crate::numeric::{Seed, blocks};
use crate::report::{Cell, Table};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How the analysis of one metric did in simulated experiments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulatedMetric {
    /// The metric.
    pub metric: String,
    /// Share of experiments whose verdict was a success of the metric's role (better or worse, non-inferior, equivalent).
    pub power: f64,
    /// Mean of the estimated differences.
    pub mean_difference: f64,
    /// Their standard deviation.
    pub spread: f64,
    /// Mean of the standard errors that the analysis reported: alike where it is calibrated.
    pub mean_std_error: f64,
}

/// The result of [`Experiment::simulate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulatedPower {
    /// One entry a metric.
    pub metrics: Vec<SimulatedMetric>,
    /// The lift that was put in.
    pub lift: f64,
    /// Experiments simulated.
    pub replications: usize,
}

impl Experiment {
    /// Simulates the experiment on data of the past: units (clusters, where declared) are assigned anew, within strata where declared, in the
    /// shares of [`Experiment::allocation`] (by default half to the control and half to one other arm); in the other arms what the
    /// metrics count is multiplied by `1 + lift` (zeros and ones of proportions are turned at random); the
    /// declared analysis is run. A lift of zero is an A/A test: power is then the rate of false alarms.
    ///
    /// # Errors
    /// As [`Experiment::analyze`]; [`Error::InvalidOption`] for fewer than two replications.
    pub fn simulate(
        &self,
        past: &Frame,
        lift: f64,
        replications: usize,
        seed: impl Into<Seed>,
    ) -> Result<SimulatedPower> {
        if replications < 2 || !(lift > -1.0 && lift.is_finite()) {
            return Err(Error::invalid_option(
                "simulate",
                format!("{replications} replications with lift {lift}"),
                "two or more replications with a lift above -1",
            ));
        }
        let seed = seed.into().child("simulated experiments");
        let design = Assigner::new(self, past)?;
        let runs = blocks::map(replications, |i| {
            let mut generator = seed.stream(i as u64);
            let codes = design.draw(&mut generator);
            let frame =
                self.with_lift(past, &codes, lift, &mut || open_unit(generator.next_u64()))?;
            let arms = Label::new(codes, design.arms.clone())?;
            let fit = self.analyze(&frame.with_or_replace(&self.variant, arms)?)?;
            let of_effect = |e: &crate::experiment::Effect| {
                let success = !matches!(
                    e.verdict,
                    Verdict::Open | Verdict::NotShown | Verdict::NoHarmShown
                );
                let d = &e.difference;
                (e.metric.clone(), success, d.estimate, d.std_error)
            };
            Ok(fit.effects().iter().map(of_effect).collect::<Vec<_>>())
        });
        let mut found: BTreeMap<String, Vec<(bool, f64, f64)>> = BTreeMap::new();
        let mut order: Vec<String> = Vec::new();
        for run in runs {
            for (metric, success, estimate, error) in run? {
                if !order.contains(&metric) {
                    order.push(metric.clone());
                }
                found
                    .entry(metric)
                    .or_default()
                    .push((success, estimate, error));
            }
        }
        let metrics = order
            .into_iter()
            .map(|metric| {
                let runs = &found[&metric];
                let n = runs.len() as f64;
                let mean =
                    |f: &dyn Fn(&(bool, f64, f64)) -> f64| runs.iter().map(f).sum::<f64>() / n;
                let centre = mean(&|r| r.1);
                SimulatedMetric {
                    power: mean(&|r| f64::from(u8::from(r.0))),
                    mean_difference: centre,
                    spread: (mean(&|r| (r.1 - centre).powi(2)) * n / (n - 1.0)).sqrt(),
                    mean_std_error: mean(&|r| r.2),
                    metric,
                }
            })
            .collect();
        Ok(SimulatedPower {
            metrics,
            lift,
            replications,
        })
    }

    /// The frame in which every arm but the first has the lift.
    fn with_lift(
        &self,
        past: &Frame,
        codes: &[u32],
        lift: f64,
        uniform: &mut impl FnMut() -> f64,
    ) -> Result<Frame> {
        let mut frame = past.clone();
        let mut done: Vec<&str> = Vec::new();
        for metric in &self.metrics {
            let Some(column) = counted(metric) else {
                continue;
            };
            if done.contains(&column) {
                continue;
            }
            done.push(column);
            let old = past.numeric(column)?;
            let share = old.values().iter().sum::<f64>() / old.values().len() as f64;
            // Of the zeros, the share that must turn for the rate to rise by the lift.
            let turned = (share * lift / (1.0 - share)).min(1.0);
            let zero_or_one = matches!(metric.kind, MetricKind::Proportion { .. });
            let new: Vec<f64> = (old.values().iter().zip(codes))
                .map(|(y, code)| match (*code > 0, zero_or_one) {
                    (false, _) => *y,
                    (true, false) => y * (1.0 + lift),
                    (true, true) if *y < 0.5 => f64::from(u8::from(uniform() < turned)),
                    (true, true) => f64::from(u8::from(uniform() < 1.0 + lift)),
                })
                .collect();
            frame = frame.replace(column, new)?;
        }
        Ok(frame)
    }
}

/// The column that a lift multiplies.
fn counted(metric: &Metric) -> Option<&str> {
    match &metric.kind {
        MetricKind::Quantile { column, .. } => Some(column),
        _ => metric.quotient().map(|(column, _)| column),
    }
}

/// Draws assignments of units in given shares.
struct Assigner {
    arms: Vec<String>,
    /// Upper ends of the arms' shares.
    ends: Vec<f64>,
    /// For every row its unit.
    units: Vec<u32>,
    /// The units of every stratum.
    strata: Vec<Vec<u32>>,
}

impl Assigner {
    fn new(experiment: &Experiment, past: &Frame) -> Result<Self> {
        let mut shares = experiment.allocation.clone();
        if shares.is_empty() {
            let control = experiment.control.clone();
            let other = if control == "treated" {
                "changed"
            } else {
                "treated"
            };
            shares = vec![(control, 1.0), (other.to_owned(), 1.0)];
        }
        // The control first: its code is zero.
        shares.sort_by_key(|(arm, _)| *arm != experiment.control);
        let total: f64 = shares.iter().map(|(_, s)| s).sum();
        let mut sum = 0.0;
        let ends = shares.iter().map(|(_, share)| {
            sum += share / total;
            sum
        });
        let ends = ends.collect();
        let units: Vec<u32> = match experiment.clusters.as_ref().or(experiment.unit.as_ref()) {
            Some(column) => past.groups(column)?.codes.to_vec(),
            None => (0..past.rows() as u32).collect(),
        };
        let strata_of: Vec<u32> = match &experiment.strata {
            Some(column) => past.groups(column)?.codes.to_vec(),
            None => vec![0; past.rows()],
        };
        let most = units.iter().max().map_or(0, |m| *m as usize + 1);
        let mut seen = vec![false; most];
        let mut strata: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (unit, stratum) in units.iter().zip(strata_of) {
            let known = &mut seen[*unit as usize];
            if !*known {
                *known = true;
                strata.entry(stratum).or_default().push(*unit);
            }
        }
        Ok(Self {
            arms: shares.into_iter().map(|(arm, _)| arm).collect(),
            ends,
            units,
            strata: strata.into_values().collect(),
        })
    }

    /// One code a row.
    fn draw(&self, generator: &mut impl rand::Rng) -> Vec<u32> {
        let most = self.units.iter().max().map_or(0, |m| *m as usize + 1);
        let mut arm_of = vec![0; most];
        for units in &self.strata {
            let mut units = units.clone();
            shuffle(&mut units, generator);
            let n = units.len() as f64;
            for (i, unit) in units.iter().enumerate() {
                let place = (i as f64 + 0.5) / n;
                let arm = self.ends.partition_point(|end| *end < place);
                arm_of[*unit as usize] = arm.min(self.ends.len() - 1) as u32;
            }
        }
        self.units
            .iter()
            .map(|unit| arm_of[*unit as usize])
            .collect()
    }
}

impl SimulatedPower {
    /// One row a metric.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Simulated experiments").columns([
            "",
            "Power",
            "Mean difference",
            "Spread",
            "Mean std. error",
        ]);
        for metric in &self.metrics {
            table = table.row([
                Cell::from(metric.metric.as_str()),
                Cell::fixed(metric.power, 3),
                Cell::significant(metric.mean_difference, 4),
                Cell::significant(metric.spread, 4),
                Cell::significant(metric.mean_std_error, 4),
            ]);
        }
        table.note(format!(
            "{} replications with a lift of {} %",
            self.replications,
            100.0 * self.lift
        ))
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for SimulatedPower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(SimulatedPower);
