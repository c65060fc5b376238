//! Figures of experiments: effects as a forest, lift over time, rates of a funnel.

use super::analysis::{Effect, ExperimentFit};
use super::declare::Experiment;
use super::stream::ExperimentStream;
use crate::data::{Column, Frame};
use crate::error::{Error, Result};
use crate::report::{BarPlot, Cell, CoefficientPlot, Figure, LinePlot, Table};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Lifts are drawn in percent.
const PERCENT: f64 = 100.0;

impl ExperimentFit {
    /// The relative lifts of all metrics with their intervals, a series an arm. Lifts that are not determined are left out.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when no lift is determined.
    pub fn forest_plot(&self) -> Result<Figure> {
        let pair = |e: &Effect| format!("{} against {}", e.arm, e.control);
        let mut series: Vec<String> = Vec::new();
        for effect in &self.effects {
            if !series.contains(&pair(effect)) {
                series.push(pair(effect));
            }
        }
        let title = match series.as_slice() {
            [one] => format!("Relative lifts, {one}"),
            _ => "Relative lifts".to_owned(),
        };
        let percent = self.level * PERCENT;
        let mut plot = CoefficientPlot::new()
            .title(title)
            .x_title(format!("lift, percent ({percent} % intervals)"));
        for name in &series {
            plot = plot.series(name);
            for effect in self.effects.iter().filter(|e| pair(e) == *name) {
                let lift = &effect.lift;
                if lift.determined {
                    let [at, low, high] = [lift.estimate, lift.lower, lift.upper];
                    plot = plot.point(&effect.metric, PERCENT * at, PERCENT * low, PERCENT * high);
                }
            }
        }
        plot.draw()
    }

    /// The share of all assigned units that passed each stage of a funnel metric, by arm.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when the experiment has no funnel metric.
    pub fn funnel_plot(&self) -> Result<Figure> {
        let Some(funnel) = self.funnels.first() else {
            return Err(Error::invalid_option(
                "funnel_plot",
                "without a funnel",
                "called on an experiment with Metric::funnel",
            ));
        };
        let mut plot = BarPlot::new()
            .title("Funnel: share of all assigned units")
            .y_title("percent that passed the stage")
            .series(&funnel.control);
        let mut arms: Vec<&str> = Vec::new();
        let mut stages: Vec<&str> = Vec::new();
        for effect in &funnel.intention_to_treat {
            if !arms.contains(&effect.arm.as_str()) {
                arms.push(&effect.arm);
            }
            if !stages.contains(&effect.stage.as_str()) {
                stages.push(&effect.stage);
                plot = plot.bar(&effect.stage, PERCENT * effect.control_rate);
            }
        }
        for arm in arms {
            plot = plot.series(arm);
            for effect in funnel.intention_to_treat.iter().filter(|e| e.arm == arm) {
                plot = plot.bar(&effect.stage, PERCENT * effect.rate);
            }
        }
        plot.draw()
    }
}

/// The effect on one metric up to a day, or on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatedEffect {
    /// Days since the first.
    pub day: f64,
    /// The effect of the rows up to and including the day.
    pub cumulative: Effect,
    /// The effect of the day's rows alone, when each arm has enough of them.
    pub daily: Option<Effect>,
}

/// How the effect on one metric developed, day by day and cumulated. Looking at it again and again until it is significant
/// rejects a true null hypothesis far more often than the level says: decide at the planned end, or by a sequential design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiftOverTime {
    /// The metric.
    pub metric: String,
    /// The arm.
    pub arm: String,
    /// One entry a day from the first on which an effect can be estimated.
    pub days: Vec<DatedEffect>,
}

impl Experiment {
    /// The lift of an arm on a metric over the days of a column (times, or numbers of days), from the sums of each day.
    ///
    /// # Errors
    /// As [`Experiment::analyze`] and [`ExperimentStream::new`]; [`Error::NoRows`] when no day has rows.
    pub fn lift_over_time(
        &self,
        frame: &Frame,
        date: &str,
        metric: &str,
        arm: &str,
    ) -> Result<LiftOverTime> {
        const SECONDS: f64 = 86_400.0;
        let unit = match frame.column(date)? {
            Column::Time(_) => SECONDS,
            _ => 1.0,
        };
        let dates = frame.numeric(date)?;
        let mut rows: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (row, value) in dates.values().iter().enumerate() {
            if value.is_finite() {
                let day = (value / unit).floor() as i64;
                rows.entry(day).or_default().push(row);
            }
        }
        let Some(first) = rows.keys().next().copied() else {
            return Err(Error::NoRows {
                reason: format!("`{date}` is missing everywhere"),
            });
        };
        let mut sum = ExperimentStream::new(self.clone())?;
        let mut days = Vec::new();
        let mut last = None;
        for (day, rows) in rows {
            let mut alone = ExperimentStream::new(self.clone())?;
            alone.push(&frame.take(&rows)?)?;
            sum.merge(&alone)?;
            let of = |stream: &ExperimentStream| stream.analyze()?.effect(metric, arm).cloned();
            last = None;
            match of(&sum) {
                Ok(cumulative) => days.push(DatedEffect {
                    day: (day - first) as f64,
                    cumulative,
                    // A day may lack an arm; its place in the figure is then empty.
                    daily: of(&alone).ok(),
                }),
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) => Err(error),
            None => Ok(LiftOverTime {
                metric: metric.to_owned(),
                arm: arm.to_owned(),
                days,
            }),
        }
    }
}

impl LiftOverTime {
    /// One row a day.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!("{}: {} over time", self.metric, self.arm)).columns([
            "Day",
            "Lift to date",
            "from",
            "to",
            "Lift of the day",
            "from",
            "to",
        ]);
        let cells = |e: Option<&Effect>| {
            let number = |f: fn(&Effect) -> f64| Cell::percent(e.map_or(f64::NAN, f), 2);
            [
                number(|e| e.lift.estimate),
                number(|e| e.lift.lower),
                number(|e| e.lift.upper),
            ]
        };
        for day in &self.days {
            let mut row = vec![Cell::fixed(day.day, 0)];
            row.extend(cells(Some(&day.cumulative)));
            row.extend(cells(day.daily.as_ref()));
            table = table.row(row);
        }
        table.note("Intervals hold for one look at a time fixed before, not for the first day on which they exclude zero.")
    }

    /// The lift to date with its band, and the lift of each day.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn plot(&self) -> Result<Figure> {
        let x: Vec<f64> = self.days.iter().map(|d| d.day).collect();
        let to_date = |f: fn(&Effect) -> f64| -> Vec<f64> {
            let each = self.days.iter();
            each.map(|d| PERCENT * f(&d.cumulative)).collect()
        };
        let of_day = |f: fn(&Effect) -> f64| -> Vec<f64> {
            let each = self.days.iter();
            each.map(|d| d.daily.as_ref().map_or(f64::NAN, |e| PERCENT * f(e)))
                .collect()
        };
        LinePlot::new()
            .title(format!("{}: lift of {}", self.metric, self.arm))
            .x_title("day")
            .y_title("lift, percent")
            .line("to date", &x, to_date(|e| e.lift.estimate))
            .band(to_date(|e| e.lift.lower), to_date(|e| e.lift.upper))
            .line("of the day", &x, of_day(|e| e.lift.estimate))
            .reference_y(0.0)
            .draw()
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for LiftOverTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(LiftOverTime);
