//! A fitted survival forest.

use super::display::important;
use super::log_rank::{Ended, LogRank};
use super::neighbours::Neighbourhood;
use super::outcome_rows::{Grown, OutcomeRows};
use super::plan::Plan;
use super::prediction::{ForestIntervals, half_width, told};
use super::split::WEIGHTED;
use super::survival::SurvivalForest;
use crate::customer::survival::CurveInterval;
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

/// The curve of a row at the told times, with its variances.
#[derive(Clone, Default)]
struct Told {
    survival: Vec<f64>,
    variances: Vec<f64>,
}

/// A Kaplan–Meier curve, and how a row moves its logarithm: by `Σ d/(R (R − d))` over the times at which it is at risk, less `1/(R − d)` at its event.
struct Curve {
    survival: Vec<f64>,
    /// `Σ d/(R (R − d))` until each time.
    hazard: Vec<f64>,
    /// `1/(R − d)` at each time.
    event: Vec<f64>,
}

/// Curves of survival, one a row.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct SurvivalPrediction {
    /// The times at which curves are told.
    pub times: Vec<f64>,
    /// The probability to be without the event after each time, one curve a row.
    pub curves: Vec<Vec<f64>>,
    /// The variances of the curves (bootstrap of little bags), likewise: zero before the first event in the leaves of a row, infinite where trees do not
    /// tell and once all in its leaves had the event.
    #[serde(deserialize_with = "crate::numeric::infinite::lists_above")]
    pub variances: Vec<Vec<f64>>,
    /// Rows without a tree to tell: they have the curve of all rows.
    pub undetermined: usize,
    /// Labels that training had not; they counted as missing.
    pub unseen: usize,
}

impl SurvivalPrediction {
    /// The probability to be without the event after a time, one a row: what the last told time at or before it says, 1 before the first.
    pub fn at(&self, time: f64) -> Vec<f64> {
        self.column(&self.curves, time, 1.0)
    }

    /// The standard errors of [`SurvivalPrediction::at`].
    pub fn std_errors(&self, time: f64) -> Vec<f64> {
        let variances = self.column(&self.variances, time, 0.0);
        variances.iter().map(|v| v.sqrt()).collect()
    }

    /// Pointwise intervals of [`SurvivalPrediction::at`], `S ± z · std. error`, cut at 0 and 1; 0 to 1 where the variance is infinite.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::Error::InvalidOption) for a level outside (0, 1); [`Unidentified`](crate::Error::Unidentified) without variances.
    pub fn intervals(&self, time: f64, level: f64) -> Result<ForestIntervals> {
        let z = half_width(level, self.variances.iter().flatten())?;
        let ends = self.at(time).into_iter().zip(self.std_errors(time));
        let ends = ends.map(|(survival, error)| {
            if error.is_infinite() {
                return (0.0, 1.0);
            }
            CurveInterval::Plain.ends(survival, error / survival, z)
        });
        let (lower, upper) = ends.unzip();
        Ok(ForestIntervals {
            level,
            lower,
            upper,
        })
    }

    /// What the last told time at or before a time says.
    fn column(&self, told: &[Vec<f64>], time: f64, before: f64) -> Vec<f64> {
        let at = self.times.partition_point(|t| *t <= time);
        let of = |values: &Vec<f64>| match at {
            0 => before,
            k => values[k - 1],
        };
        told.iter().map(of).collect()
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
        let table = table.note(format!("{} rows", Cell::count(self.rows())));
        told(table, self.undetermined, "what all rows have", self.unseen)
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
                variances: vec![],
                undetermined: 0,
                unseen: 0,
            },
            times: told,
            warnings: sample.warnings,
        };
        let reach = fit.reach();
        let answers = (fit.grown).ask_out_of_bag(&training, |_, near| fit.answer(near, &reach));
        fit.out_of_bag = fit.prediction(answers, 0);
        Ok(fit)
    }

    /// Curves at the rows of a frame that has the features. Labels that training had not count as missing.
    ///
    /// # Errors
    /// [`ColumnNotFound`](crate::Error::ColumnNotFound), [`WrongKind`](crate::Error::WrongKind), [`Infinite`](crate::Error::Infinite).
    pub fn predict(&self, frame: &Frame) -> Result<SurvivalPrediction> {
        let reach = self.reach();
        let (answers, unseen) = (self.grown).ask(frame, |_, near| self.answer(near, &reach))?;
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
        let events = self.events.iter().filter(|e| **e).count();
        let title = format!(
            "Survival forest: {} until {}, out of bag",
            self.forest.time, self.forest.event
        );
        let table = self.out_of_bag.table().with_title(title);
        important(table, &self.importance())
            .note(format!(
                "{} events; {} trees",
                Cell::count(events),
                Cell::count(self.grown.groves.len())
            ))
            .warned(&self.warnings)
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[row])
    }

    /// How many times of events are at or before each told time.
    fn reach(&self) -> Vec<usize> {
        let of = |time: &f64| self.grid.partition_point(|g| g <= time);
        self.times.iter().map(of).collect()
    }

    /// The curve of a neighbourhood with its variances; empty where no tree tells.
    fn answer(&self, near: &Neighbourhood, reach: &[usize]) -> Told {
        let Some(curve) = self.curve(near.shares.iter().copied()) else {
            return Told::default();
        };
        let told = |values: &[f64]| -> Vec<f64> { reach.iter().map(|k| values[*k]).collect() };
        let (survival, hazard) = (told(&curve.survival), told(&curve.hazard));
        let room = vec![0.0; reach.len()];
        let bag = self.forest.options.bag_size;
        let mut variances = near.variances(room, bag, |members, moved| {
            moved.fill(0.0);
            for row in members {
                let (i, left) = (*row as usize, self.reached[*row as usize] as usize);
                let weight = self.weight(i);
                // By the told time while the row is at risk, by what it has come to from then on.
                let (at_risk, gone) = moved.split_at_mut(reach.partition_point(|k| *k < left));
                for (moved, hazard) in at_risk.iter_mut().zip(&hazard) {
                    *moved += weight * hazard;
                }
                let event = if self.events[i] && left > 0 {
                    curve.event[left - 1]
                } else {
                    0.0
                };
                let moves = weight * (curve.hazard[left] - event);
                for moved in gone {
                    *moved += moves;
                }
            }
        });
        for (variance, survival) in variances.iter_mut().zip(&survival) {
            *variance = if *survival > 0.0 {
                *variance * survival * survival
            } else {
                f64::INFINITY
            };
        }
        Told {
            survival,
            variances,
        }
    }

    /// The Kaplan–Meier curve of some rows after none, one, … of the times of events; none without rows.
    fn curve(&self, shares: impl Iterator<Item = (u32, f64)>) -> Option<Curve> {
        let m = self.grid.len();
        // Those who leave the risk set after each event time, and those of them by an event at it.
        let (mut leave, mut dead) = (vec![0.0; m + 1], vec![0.0; m]);
        let mut total = 0.0;
        for (row, share) in shares {
            let i = row as usize;
            let weight = share * self.weight(i);
            let reached = self.reached[i] as usize;
            total += weight;
            leave[reached] += weight;
            if self.events[i] && reached > 0 {
                dead[reached - 1] += weight;
            }
        }
        if total <= 0.0 {
            return None;
        }
        let mut curve = Curve {
            survival: vec![1.0; m + 1],
            hazard: vec![0.0; m + 1],
            event: vec![0.0; m],
        };
        let (mut survival, mut hazard) = (1.0, 0.0);
        let mut at_risk = total - leave[0];
        for k in 0..m {
            if at_risk > NOBODY * total && dead[k] > 0.0 {
                let rest = at_risk - dead[k];
                if rest > NOBODY * total {
                    survival *= 1.0 - dead[k] / at_risk;
                    // One after the other: the product of two small weights may be nought.
                    hazard += dead[k] / at_risk / rest;
                    curve.event[k] = 1.0 / rest;
                } else {
                    survival = 0.0;
                }
            }
            (curve.survival[k + 1], curve.hazard[k + 1]) = (survival, hazard);
            at_risk -= leave[k + 1];
        }
        Some(curve)
    }

    fn prediction(&self, answers: Vec<Told>, unseen: usize) -> SurvivalPrediction {
        let undetermined = answers.iter().filter(|a| a.survival.is_empty()).count();
        let mut overall = Told::default();
        if undetermined > 0 {
            let all = self.curve((0..self.rows() as u32).map(|row| (row, 1.0)));
            let at = |k: &usize| all.as_ref().map_or(1.0, |curve| curve.survival[*k]);
            overall.survival = self.reach().iter().map(at).collect();
            overall.variances = vec![f64::INFINITY; self.times.len()];
        }
        let known = |told: Told| {
            if told.survival.is_empty() {
                overall.clone()
            } else {
                told
            }
        };
        let (curves, variances) = (answers.into_iter().map(known))
            .map(|told| (told.survival, told.variances))
            .unzip();
        SurvivalPrediction {
            times: self.times.clone(),
            curves,
            variances,
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
