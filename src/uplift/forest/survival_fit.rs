//! A fitted survival forest.

use super::log_rank::{Ended, LogRank};
use super::neighbours::Neighbourhood;
use super::outcome_rows::{Grown, OutcomeRows};
use super::plan::Plan;
use super::quantile_fit::{FEATURES_SHOWN, told};
use super::split::WEIGHTED;
use super::survival::SurvivalForest;
use crate::data::Frame;
use crate::error::{Result, Warning};
use crate::numeric::{Progress, Seed};
use crate::report::{Cell, Table, shown};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Times at which curves are told by default.
const MOST_TIMES: usize = 100;
/// A risk set below this share of the whole is rounding.
const NOBODY: f64 = 1e-12;

/// A survival forest fitted to a frame. It is owned, and free of the frame.
#[derive(Clone, Serialize, Deserialize)]
pub struct SurvivalForestFit {
    forest: SurvivalForest,
    pub(super) grown: Grown,
    /// The distinct times of events.
    pub(super) grid: Vec<f64>,
    /// How many of them are at most the time of each row.
    pub(super) reached: Vec<u32>,
    events: Vec<bool>,
    pub(super) weights: Option<Vec<f64>>,
    pub(super) times: Vec<f64>,
    pub(super) out_of_bag: SurvivalPrediction,
    warnings: Vec<Warning>,
}

/// Curves of survival, one a row.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct SurvivalPrediction {
    /// The times at which curves are told.
    pub times: Vec<f64>,
    /// The probability to be without the event after each time, one curve a row.
    pub curves: Vec<Vec<f64>>,
    /// Rows without a tree to tell: they have the curve of all rows.
    pub undetermined: usize,
    /// Labels that training had not; they counted as missing.
    pub unseen: usize,
}

impl SurvivalPrediction {
    /// The probability to be without the event after a time, one a row: what the last told time at or before it says, 1 before the first.
    pub fn at(&self, time: f64) -> Vec<f64> {
        let told = self.times.partition_point(|t| *t <= time);
        let of = |curve: &Vec<f64>| match told {
            0 => 1.0,
            k => curve[k - 1],
        };
        self.curves.iter().map(of).collect()
    }

    /// The first told time at which at most half are without the event, one a row; none where more than half are until the last.
    pub fn medians(&self) -> Vec<Option<f64>> {
        let of = |curve: &Vec<f64>| {
            let at = curve.iter().position(|s| *s <= 0.5)?;
            Some(self.times[at])
        };
        self.curves.iter().map(of).collect()
    }

    /// The cumulated hazard of each row at the last told time, `−ln S` (Nelson–Aalen without ties): larger for those who are at more risk.
    pub fn risks(&self) -> Vec<f64> {
        let of = |curve: &Vec<f64>| -curve.last().map_or(1.0, |s| s.max(f64::MIN_POSITIVE)).ln();
        self.curves.iter().map(of).collect()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.curves.len()
    }

    /// Mean and extremes of the curves at five times.
    pub fn table(&self) -> Table {
        const SHOWN: usize = 5;
        let mut table =
            Table::new("Predicted survival").columns(["Time", "mean", "smallest", "largest"]);
        let mut shown: Vec<usize> = (1..=SHOWN)
            .map(|k| (k * self.times.len()).div_ceil(SHOWN) - 1)
            .collect();
        shown.dedup();
        for at in shown {
            let values = self.curves.iter().map(|curve| curve[at]);
            let mean = values.clone().sum::<f64>() / self.rows().max(1) as f64;
            let low = values.clone().fold(f64::INFINITY, f64::min);
            let high = values.fold(f64::NEG_INFINITY, f64::max);
            table = table.row([
                Cell::significant(self.times[at], 4),
                Cell::fixed(mean, 3),
                Cell::fixed(low, 3),
                Cell::fixed(high, 3),
            ]);
        }
        told(table, self.rows(), self.undetermined, self.unseen)
    }
}

/// So many of some times in order, evenly spaced, the last among them.
pub(super) fn few(times: &[f64], most: usize) -> Vec<f64> {
    let count = times.len().min(most);
    let at = |k: usize| times[k * times.len() / count - 1];
    (1..=count).map(at).collect()
}

impl SurvivalForestFit {
    pub(super) fn new(
        forest: &SurvivalForest,
        mut sample: OutcomeRows,
        times: &[f64],
        events: Vec<bool>,
        plan: &Plan,
        (seed, progress): (Seed, &Progress),
    ) -> Result<Self> {
        let mut distinct = times.to_vec();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        let rank = |t: &f64| distinct.partition_point(|d| d < t) as u32;
        let points: Vec<Ended> = (0..times.len())
            .map(|i| Ended {
                rank: rank(&times[i]),
                event: events[i],
                weight: sample.weight(i),
            })
            .collect();
        let (grown, training) =
            Grown::new::<WEIGHTED, _>(&LogRank, &points, &mut sample, plan, seed, progress)?;
        let of_event = (0..times.len()).filter(|i| events[*i] && sample.weight(*i) > 0.0);
        let mut grid: Vec<f64> = of_event.map(|i| times[i]).collect();
        grid.sort_by(f64::total_cmp);
        grid.dedup();
        let told = (forest.times.clone()).unwrap_or_else(|| few(&grid, MOST_TIMES));
        let reached = (times.iter())
            .map(|t| grid.partition_point(|g| g <= t) as u32)
            .collect();
        let mut fit = Self {
            forest: forest.clone(),
            grown,
            grid,
            reached,
            events,
            weights: sample.weights,
            out_of_bag: SurvivalPrediction {
                times: vec![],
                curves: vec![],
                undetermined: 0,
                unseen: 0,
            },
            times: told,
            warnings: sample.warnings,
        };
        let answers = fit
            .grown
            .ask_out_of_bag(&training, |_, near| fit.curve(near.shares.iter().copied()));
        fit.out_of_bag = fit.prediction(answers, 0);
        Ok(fit)
    }

    /// Curves at the rows of a frame that has the features. Labels that training had not count as missing.
    ///
    /// # Errors
    /// [`ColumnNotFound`](crate::Error::ColumnNotFound), [`WrongKind`](crate::Error::WrongKind), [`Infinite`](crate::Error::Infinite).
    pub fn predict(&self, frame: &Frame) -> Result<SurvivalPrediction> {
        let of = |_, near: &Neighbourhood| self.curve(near.shares.iter().copied());
        let (answers, unseen) = self.grown.ask(frame, of)?;
        Ok(self.prediction(answers, unseen))
    }

    /// Curves at the rows in use, each by the trees that have not seen it.
    pub fn out_of_bag(&self) -> &SurvivalPrediction {
        &self.out_of_bag
    }

    /// Features with their share of the splits in the first four levels, each level weighted by `1/depth²`; largest first.
    pub fn importance(&self) -> Vec<(String, f64)> {
        self.grown.importance()
    }

    /// Number of rows in use.
    pub fn rows(&self) -> usize {
        self.events.len()
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The out-of-bag curves, and how the forest was grown.
    pub fn table(&self) -> Table {
        let important: Vec<String> = (self.importance().iter().take(FEATURES_SHOWN))
            .map(|(name, share)| format!("{name} {}", Cell::percent(*share, 0)))
            .collect();
        let events = self.events.iter().filter(|e| **e).count();
        let title = format!(
            "Survival forest: {} until {}, out of bag",
            self.forest.time, self.forest.event
        );
        let table = self.out_of_bag.table().with_title(title);
        let table = table
            .note(format!("Importance: {}", important.join(", ")))
            .note(format!(
                "{} events; {} trees",
                Cell::count(events),
                Cell::count(self.grown.groves.len())
            ));
        (self.warnings.iter()).fold(table, |table, warning| {
            table.note(format!("Warning: {warning}"))
        })
    }

    /// The Kaplan–Meier curve of some rows at the told times; empty without rows.
    fn curve(&self, shares: impl Iterator<Item = (u32, f64)>) -> Vec<f64> {
        let m = self.grid.len();
        // Those who leave the risk set after each event time, and those of them by an event at it.
        let (mut leave, mut dead) = (vec![0.0; m + 1], vec![0.0; m]);
        let mut total = 0.0;
        for (row, share) in shares {
            let i = row as usize;
            let weight = share * self.weights.as_ref().map_or(1.0, |w| w[i]);
            let reached = self.reached[i] as usize;
            total += weight;
            leave[reached] += weight;
            if self.events[i] && reached > 0 {
                dead[reached - 1] += weight;
            }
        }
        if total <= 0.0 {
            return Vec::new();
        }
        let mut told = Vec::with_capacity(self.times.len());
        let mut survival = 1.0;
        let mut at_risk = total - leave[0];
        let mut k = 0;
        for time in &self.times {
            while k < m && self.grid[k] <= *time {
                if at_risk > NOBODY * total {
                    survival *= (1.0 - dead[k] / at_risk).max(0.0);
                }
                at_risk -= leave[k + 1];
                k += 1;
            }
            told.push(survival);
        }
        told
    }

    fn prediction(&self, answers: Vec<Vec<f64>>, unseen: usize) -> SurvivalPrediction {
        let undetermined = answers.iter().filter(|a| a.is_empty()).count();
        let mut curves = answers;
        if undetermined > 0 {
            let overall = self.curve((0..self.rows() as u32).map(|row| (row, 1.0)));
            for curve in curves.iter_mut().filter(|c| c.is_empty()) {
                curve.clone_from(&overall);
            }
        }
        SurvivalPrediction {
            times: self.times.clone(),
            curves,
            undetermined,
            unseen,
        }
    }
}

shown!(SurvivalPrediction, SurvivalForestFit);

impl fmt::Debug for SurvivalPrediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SurvivalPrediction")
            .field("rows", &self.rows())
            .field("times", &self.times.len())
            .field("undetermined", &self.undetermined)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SurvivalForestFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SurvivalForestFit")
            .field("time", &self.forest.time)
            .field("rows", &self.rows())
            .field("trees", &self.grown.groves.len())
            .finish()
    }
}
