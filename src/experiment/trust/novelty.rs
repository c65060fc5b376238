//! Effects by day since exposure, cumulated, and by day of the week: novelty, learning, and weeks that are not alike.

use super::panel::{Effects, Panel};
use crate::data::{Frame, MISSING};
use crate::error::{Error, Result, Warning};
use crate::experiment::arms::{Arms, measured, note};
use crate::inference::{Distribution, Estimate, TestResult, check_level, wald_statistic};
use crate::report::shown;
use crate::report::{Cell, Figure, LinePlot, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names of the days from Monday.
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// 1 January 1970 was a Thursday, the day with number 3.
const FIRST_WEEKDAY: f64 = 3.0;

/// Effects over time, from one row for each unit and day (further rows of a unit on a day are added up). Three views:
///
/// - by day since exposure: `Δ_d = ȳ₁d − ȳ₀d`, and a test of its slope. A novelty effect fades, a learning effect grows; in both cases the mean over the
///   experiment is not the effect to come;
/// - cumulated: the difference of the ratios Σy/Σdays up to each day;
/// - by day of the week, and a Wald test that all days have one effect.
///
/// A unit contributes to many days, so all variances are summed by unit: with the influence `ψ_id = (y_id − R_ad n_id)/Σ n_ad` of unit i on day d
/// in arm a, the covariance of effects is `Σ_a N_a/(N_a − 1) Σ_i ψ_i ψ_i'`. The slope is the weighted least-squares line through the effects with
/// weights `n₁d n₀d/(n₁d + n₀d)`, which is the interaction of arm and day in a regression with fixed effects of days.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `day` | none | a numeric column, days since the unit was first exposed |
/// | `date` | none | a column of times, for the day of the week |
/// | `control` | the first arm | the arm compared with |
/// | `alpha` | 0.05 | level at which a trend is named |
/// | `level` | 0.95 | of the intervals |
///
/// Units exposed late have fewer days. Their share is the same in all arms, but a day far from exposure speaks for early units only; a note says how many are left.
///
/// # Errors
/// [`Error::InvalidOption`] without day and date; [`Error::Unidentified`] with fewer than two days on which both arms have two units or more;
/// [`Error::WrongKind`] for a date that is no time; [`Error::Infinite`].
///
/// # References
/// Hohnhold, H., O'Brien, D. & Tang, D. (2015). Focusing on the long-term: it's good for users and business. *KDD*, 1849–1858.
/// doi:10.1145/2783258.2788583
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let (mut user, mut arm, mut day, mut visits) = (vec![], vec![], vec![], vec![]);
/// for i in 0..400_u32 {
///     for d in 0..7_u32 {
///         let treated = f64::from(i % 2);
///         user.push(f64::from(i));
///         arm.push(treated);
///         day.push(f64::from(d));
///         visits.push(f64::from((i * 7 + d * 3) % 11) + treated * (7.0 - f64::from(d))); // the effect fades
///     }
/// }
/// let frame = Frame::new().with("user", user)?.with("arm", arm)?.with("day", day)?.with("visits", visits)?;
/// let fit = NoveltyCheck::new("visits", "arm", "user").day("day").fit(&frame)?;
/// assert_eq!(fit.trends[0].pattern, Pattern::Fading);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoveltyCheck {
    outcome: String,
    arm: String,
    unit: String,
    day: Option<String>,
    date: Option<String>,
    control: Option<String>,
    alpha: f64,
    level: f64,
}

/// The effect of an arm in one period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeriodEffect {
    /// The arm.
    pub arm: String,
    /// The day since exposure, or the day of the week from Monday = 0.
    pub period: f64,
    /// Units of the arm and of the control.
    pub units: usize,
    /// The difference to the control.
    pub effect: Estimate,
}

/// How an effect moves with the days since exposure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pattern {
    /// No trend found.
    Stable,
    /// Towards zero: novelty that wears off.
    Fading,
    /// Away from zero: users learn, or a change pays late.
    Growing,
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stable => "stable",
            Self::Fading => "fading (novelty)",
            Self::Growing => "growing (learning)",
        })
    }
}

/// The trend of an arm's effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmTrend {
    /// The arm.
    pub arm: String,
    /// Change of the effect a day.
    pub slope: Estimate,
    /// What the slope means, at the level asked for.
    pub pattern: Pattern,
}

/// What [`NoveltyCheck`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoveltyFit {
    /// Effects by day since exposure.
    pub by_day: Vec<PeriodEffect>,
    /// Effects from exposure to each day.
    pub cumulative: Vec<PeriodEffect>,
    /// Trends by arm.
    pub trends: Vec<ArmTrend>,
    /// Effects by day of the week.
    pub by_weekday: Vec<PeriodEffect>,
    /// Tests, by arm, that all days of the week have one effect.
    pub weekday_tests: Vec<TestResult>,
    /// The arm compared with.
    pub control: String,
    outcome: String,
    level: f64,
    warnings: Vec<Warning>,
}

impl NoveltyCheck {
    /// Effects over time on an outcome of units.
    pub fn new(
        outcome: impl Into<String>,
        arm: impl Into<String>,
        unit: impl Into<String>,
    ) -> Self {
        Self {
            outcome: outcome.into(),
            arm: arm.into(),
            unit: unit.into(),
            day: None,
            date: None,
            control: None,
            alpha: 0.05,
            level: 0.95,
        }
    }

    /// Days since first exposure.
    pub fn day(mut self, column: impl Into<String>) -> Self {
        self.day = Some(column.into());
        self
    }

    /// The date.
    pub fn date(mut self, column: impl Into<String>) -> Self {
        self.date = Some(column.into());
        self
    }

    /// The arm compared with.
    pub fn control(mut self, arm: impl Into<String>) -> Self {
        self.control = Some(arm.into());
        self
    }

    /// The level at which a trend is named.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// The level of intervals.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Computes the views.
    ///
    /// # Errors
    /// See [`NoveltyCheck`].
    pub fn fit(&self, frame: &Frame) -> Result<NoveltyFit> {
        check_level(self.level)?;
        if self.day.is_none() && self.date.is_none() {
            return Err(Error::invalid_option(
                "day and date",
                "both left out",
                "at least one: days since exposure, or a date",
            ));
        }
        let arms = Arms::read(&self.arm, self.control.as_deref(), frame)?;
        let y = measured(frame, &self.outcome)?;
        let units = frame.groups(&self.unit)?;
        let known: Vec<bool> = (0..frame.rows())
            .map(|row| {
                arms.of_row[row].is_some() && !y[row].is_nan() && units.codes[row] != MISSING
            })
            .collect();
        let mut fit = NoveltyFit {
            by_day: vec![],
            cumulative: vec![],
            trends: vec![],
            by_weekday: vec![],
            weekday_tests: vec![],
            control: arms.levels[0].clone(),
            outcome: self.outcome.clone(),
            level: self.level,
            warnings: arms.warning().into_iter().collect(),
        };
        let dropped = known.iter().filter(|k| !**k).count() - arms.missing;
        if dropped > 0 {
            fit.warnings.push(note(format!(
                "{dropped} rows without outcome or unit left out"
            )));
        }
        let panel = |periods: &[f64], once: &[f64]| {
            Panel::new(&units.codes, &arms, &y, periods, once, &known)
        };
        if let Some(column) = &self.day {
            let days = measured(frame, column)?;
            let panel = panel(&days, &days);
            for arm in 1..arms.levels.len() {
                self.days(&panel, &arms, arm, &mut fit)?;
            }
        }
        if let Some(column) = &self.date {
            let dates: Vec<f64> = (frame.time(column)?.seconds().values().iter())
                .map(|s| (s / DAY).floor())
                .collect();
            let weekdays: Vec<f64> = dates
                .iter()
                .map(|d| (d + FIRST_WEEKDAY).rem_euclid(WEEKDAYS.len() as f64))
                .collect();
            let panel = panel(&weekdays, &dates);
            for arm in 1..arms.levels.len() {
                weekdays_of(&panel, &arms, arm, &mut fit)?;
            }
        }
        Ok(fit)
    }

    /// Effects, cumulated effects and slope of one arm.
    fn days(&self, panel: &Panel, arms: &Arms, arm: usize, fit: &mut NoveltyFit) -> Result<()> {
        let name = &arms.levels[arm];
        let effects = panel.effects(arm);
        if effects.periods.len() < 2 {
            return Err(too_few(name, "days since exposure"));
        }
        fit.by_day.extend(effects.records(name));
        fit.cumulative.extend(panel.cumulative(arm).records(name));
        let slope = effects.slope(name);
        let level = effects.weighted_mean();
        let significant = slope.p_value() < self.alpha;
        let pattern = match (significant, (slope.estimate > 0.0) == (level > 0.0)) {
            (false, _) => Pattern::Stable,
            (true, true) => Pattern::Growing,
            (true, false) => Pattern::Fading,
        };
        let (first, last) = (effects.units[0], effects.units[effects.units.len() - 1]);
        if last * 2 < first {
            fit.warnings.push(note(format!(
                "{name}: {last} units are seen on the last day and {first} on the first; late days speak for early users, so that a trend may be one of users"
            )));
        }
        fit.trends.push(ArmTrend {
            arm: name.clone(),
            slope,
            pattern,
        });
        Ok(())
    }
}

/// Effects by day of the week and their test.
fn weekdays_of(panel: &Panel, arms: &Arms, arm: usize, fit: &mut NoveltyFit) -> Result<()> {
    let name = &arms.levels[arm];
    let effects = panel.effects(arm);
    let count = effects.periods.len();
    if count < 2 {
        return Err(too_few(name, "days of the week"));
    }
    let contrasts = DMatrix::from_fn(count - 1, count, |i, j| match j {
        0 => -1.0,
        j if j == i + 1 => 1.0,
        _ => 0.0,
    });
    let (statistic, df) = wald_statistic(
        &DVector::from_column_slice(&effects.estimates),
        &effects.covariance,
        &contrasts,
        &DVector::zeros(count - 1),
    )?;
    fit.by_weekday.extend(effects.records(name));
    fit.weekday_tests.push(TestResult::new(
        format!("{name}: one effect on all days of the week"),
        statistic,
        Distribution::ChiSquared { df: df as f64 },
    ));
    Ok(())
}

fn too_few(arm: &str, what: &str) -> Error {
    Error::Unidentified {
        what: format!("how the effect of {arm} moves over {what}"),
        needs: "two of them on which both arms have two units or more".to_owned(),
    }
}

impl Effects {
    fn records(&self, arm: &str) -> Vec<PeriodEffect> {
        (0..self.periods.len())
            .map(|k| PeriodEffect {
                arm: arm.to_owned(),
                period: self.periods[k],
                units: self.units[k],
                effect: Estimate {
                    name: format!("{arm}, {}", self.periods[k]),
                    estimate: self.estimates[k],
                    std_error: self.covariance[(k, k)].max(0.0).sqrt(),
                    degrees_of_freedom: (self.units[k] - 2) as f64,
                },
            })
            .collect()
    }

    /// The line through the effects.
    fn slope(&self, arm: &str) -> Estimate {
        let total: f64 = self.weights.iter().sum();
        let center = (self.weights.iter().zip(&self.periods))
            .map(|(w, d)| w * d)
            .sum::<f64>()
            / total;
        let spread: f64 = (self.weights.iter().zip(&self.periods))
            .map(|(w, d)| w * (d - center).powi(2))
            .sum();
        let contrast = DVector::from_iterator(
            self.periods.len(),
            (self.weights.iter().zip(&self.periods)).map(|(w, d)| w * (d - center) / spread),
        );
        let variance = (&self.covariance * &contrast).dot(&contrast);
        Estimate {
            name: format!("{arm}: change of the effect a day"),
            estimate: contrast.dot(&DVector::from_column_slice(&self.estimates)),
            std_error: variance.max(0.0).sqrt(),
            degrees_of_freedom: (self.all_units - 2) as f64,
        }
    }

    fn weighted_mean(&self) -> f64 {
        let total: f64 = self.weights.iter().sum();
        let sum: f64 = (self.weights.iter().zip(&self.estimates))
            .map(|(w, e)| w * e)
            .sum();
        sum / total
    }
}

/// The name of a period.
type Named<'a> = &'a dyn Fn(f64) -> String;

impl NoveltyFit {
    /// Whether every effect is stable over the days and, at 1 %, alike on all days of the week.
    pub fn is_stable(&self) -> bool {
        const ALPHA: f64 = 0.01;
        self.trends.iter().all(|t| t.pattern == Pattern::Stable)
            && self.weekday_tests.iter().all(|t| t.p_value >= ALPHA)
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Effects by day, cumulated, and by day of the week.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!(
            "Effects on {} over time, against {}",
            self.outcome, self.control
        ))
        .columns(["", "Arm", "Units", "Effect", "Std. error", "p"]);
        let weekday = |p: f64| WEEKDAYS.get(p as usize).copied().unwrap_or("").to_owned();
        let number = |p: f64| p.to_string();
        let views: [(&str, &[PeriodEffect], Named<'_>); 3] = [
            ("By day since exposure", &self.by_day, &number),
            ("From exposure to this day", &self.cumulative, &number),
            ("By day of the week", &self.by_weekday, &weekday),
        ];
        for (title, effects, named) in views {
            if effects.is_empty() {
                continue;
            }
            table = table.section(title);
            for e in effects {
                table = table.row([
                    Cell::from(named(e.period)),
                    Cell::from(e.arm.as_str()),
                    Cell::count(e.units),
                    Cell::significant(e.effect.estimate, 4),
                    Cell::significant(e.effect.std_error, 3),
                    Cell::p_value(e.effect.p_value()),
                ]);
            }
        }
        for trend in &self.trends {
            table = table.note(format!("{}: {}", trend.slope, trend.pattern));
        }
        for test in &self.weekday_tests {
            table = table.note(test.to_string());
        }
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// Effects by day since exposure (or, without one, of the week), with intervals.
    ///
    /// # Errors
    /// None for a fit made here.
    pub fn figure(&self) -> Result<Figure> {
        let (effects, x) = if self.by_day.is_empty() {
            (&self.by_weekday, "Day of the week (0 = Monday)")
        } else {
            (&self.by_day, "Day since exposure")
        };
        self.draw(effects, x, "by day")
    }

    /// Effects from exposure to each day, with intervals.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] without days since exposure.
    pub fn cumulative_figure(&self) -> Result<Figure> {
        self.draw(&self.cumulative, "Day since exposure", "cumulated")
    }

    fn draw(&self, effects: &[PeriodEffect], x: &str, what: &str) -> Result<Figure> {
        let mut plot = LinePlot::new()
            .title(format!("Effect on {}, {what}", self.outcome))
            .x_title(x)
            .y_title("Difference to the control")
            .reference_y(0.0);
        let mut arms: Vec<&str> = effects.iter().map(|e| e.arm.as_str()).collect();
        arms.dedup();
        for arm in arms {
            let (mut days, mut center, mut low, mut high) = (vec![], vec![], vec![], vec![]);
            for e in effects.iter().filter(|e| e.arm == arm) {
                let interval = e.effect.confidence_interval(self.level)?;
                days.push(e.period);
                center.push(e.effect.estimate);
                low.push(interval.lower);
                high.push(interval.upper);
            }
            plot = plot.line(arm, days, center).band(low, high);
        }
        plot.draw()
    }
}

shown!(NoveltyFit);

#[cfg(test)]
mod tests;
