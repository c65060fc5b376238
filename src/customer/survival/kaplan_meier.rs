//! Kaplan–Meier survival curves and Nelson–Aalen cumulative hazards, by group.

use super::amount;
use super::curve::{CurveInterval, SurvivalCurve, checked_level};
use super::outcome::{CaseWeights, Survival, members, weighted};
use super::risk::table;
use crate::data::Frame;
use crate::error::{Error, Result, Warning, nearest_name};
use crate::report::{Cell, Figure, SurvivalPlot, Table};
use serde::{Deserialize, Serialize};

/// The Kaplan–Meier estimator of the survival function, `Ŝ(t) = Π_{tₖ ≤ t} (1 − dₖ/Yₖ)`, and the Nelson–Aalen estimator of
/// the cumulative hazard, `Λ̂(t) = Σ dₖ/Yₖ`, with `dₖ` events among `Yₖ` customers at risk at `tₖ`.
///
/// Both are consistent when censoring (and late entry) tells nothing about the event: those still watched at `t`
/// are like all who would be at risk then. The variance of `log Ŝ` is Greenwood's `Σ d/(Y (Y − d))`; with sampling weights it
/// is the infinitesimal jackknife's.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `by` | one curve | a column of groups | any kind |
/// | `interval` | [`CurveInterval::LogLog`] | scale of the pointwise intervals | |
/// | `level` | 0.95 | confidence level | (0, 1) |
/// | `weights` | none | sampling weights | ≥ 0 |
/// | `frequency_weights` | none | each row stands for w equal customers | whole numbers |
///
/// # Errors
/// [`Error::ColumnNotFound`], [`Error::WrongKind`], [`Error::OutOfRange`] (negative time, stop not after start, an event that
/// is not 0 or 1, a bad weight), [`Error::NoRows`], [`Error::InvalidOption`].
///
/// # References
/// Kaplan & Meier (1958), doi:10.2307/2281868. Aalen (1978), doi:10.1214/aos/1176344247. Brookmeyer & Crowley (1982),
/// doi:10.2307/2530286.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let released = datasets::load("rossi")?;
/// let fit = KaplanMeier::new(Survival::right("week", "arrest")).by("fin").fit(&released)?;
/// let aided = fit.curve("1")?;
/// assert!((aided.survival_at(26.0) - 0.898148).abs() < 1e-6);
/// assert!((aided.restricted_mean(52.0)?.mean.estimate - 46.875).abs() < 1e-9);
/// assert!(fit.plot()?.to_svg().contains("At risk"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KaplanMeier {
    outcome: Survival,
    by: Option<String>,
    interval: CurveInterval,
    level: f64,
    weights: Option<CaseWeights>,
}

weighted!(KaplanMeier);

impl KaplanMeier {
    /// One curve, with log-log intervals at 95 %.
    pub fn new(outcome: Survival) -> Self {
        Self {
            outcome,
            by: None,
            interval: CurveInterval::default(),
            level: 0.95,
            weights: None,
        }
    }

    /// One curve for each group of a column.
    pub fn by(mut self, column: impl Into<String>) -> Self {
        self.by = Some(column.into());
        self
    }

    /// The scale of the intervals.
    pub fn interval(mut self, interval: CurveInterval) -> Self {
        self.interval = interval;
        self
    }

    /// The confidence level.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Estimates the curves.
    ///
    /// # Errors
    /// See [`KaplanMeier`].
    pub fn fit(&self, frame: &Frame) -> Result<KaplanMeierFit> {
        let level = checked_level(self.level)?;
        let by = self.by.as_deref();
        let also: Vec<&str> = by.into_iter().collect();
        let sample = self.outcome.read("", self.weights.as_ref(), &also, frame)?;
        let groups: Vec<(String, Vec<usize>)> = match by {
            None => vec![(String::new(), (0..sample.spells.len()).collect())],
            Some(column) => {
                let groups = frame.groups(column)?.over(&sample.design.rows);
                groups
                    .levels
                    .iter()
                    .cloned()
                    .zip(members(&groups))
                    .collect()
            }
        };
        let mut warnings = sample.warnings.clone();
        let curves = groups
            .iter()
            .map(|(name, rows)| {
                let spells = sample.spells.select(rows);
                if spells.events() == 0 {
                    let who = if name.is_empty() { "anybody".to_owned() } else { format!("group {name}") };
                    warnings.push(Warning::Note {
                        message: format!("no event was seen in {who}: the curve stays at 1 and its interval means nothing"),
                    });
                }
                let weights: Vec<f64> = rows.iter().map(|i| sample.weight(*i)).collect();
                let instants = table(&spells, |i| weights[i]);
                let robust = (sample.weights.is_some() && !sample.frequency).then_some(weights.as_slice());
                let mut curve = SurvivalCurve::new(name, &spells, &instants, robust, self.interval, level);
                if sample.frequency {
                    curve.observations = weights.iter().sum();
                }
                curve
            })
            .collect();
        Ok(KaplanMeierFit {
            outcome: self.outcome.to_string(),
            time: self.outcome.stop_column().to_owned(),
            by: self.by.clone(),
            interval: self.interval,
            level,
            curves,
            warnings,
        })
    }
}

/// Survival curves by group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KaplanMeierFit {
    outcome: String,
    time: String,
    by: Option<String>,
    interval: CurveInterval,
    level: f64,
    curves: Vec<SurvivalCurve>,
    warnings: Vec<Warning>,
}

impl KaplanMeierFit {
    /// All curves, in the order of the groups.
    pub fn curves(&self) -> &[SurvivalCurve] {
        &self.curves
    }

    /// The curve of a group; `""` when there are no groups.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] naming the groups.
    pub fn curve(&self, group: &str) -> Result<&SurvivalCurve> {
        self.curves
            .iter()
            .find(|c| c.group == group)
            .ok_or_else(|| {
                let names: Vec<String> = self.curves.iter().map(|c| c.group.clone()).collect();
                let expected = nearest_name(group, &names).map_or_else(
                    || format!("one of {}", names.join(", ")),
                    |n| format!("e.g. `{n}`"),
                );
                Error::invalid_option("group", group, expected)
            })
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Customers, events, median and its interval, one row a group.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 5;
        let percent = self.level * 100.0;
        let interval = format!("{percent} % from");
        let columns = [
            "",
            "n",
            "Events",
            "Median",
            interval.as_str(),
            "to",
            "S at the end",
        ];
        let mut table = Table::new(format!("Kaplan–Meier: {}", self.outcome)).columns(columns);
        for curve in &self.curves {
            let median = curve.median();
            let name = if curve.group.is_empty() {
                "all"
            } else {
                curve.group.as_str()
            };
            table = table.row([
                Cell::from(name),
                amount(curve.observations),
                amount(curve.events()),
                Cell::significant(median.estimate, DIGITS),
                Cell::significant(median.lower, DIGITS),
                Cell::significant(median.upper, DIGITS),
                Cell::significant(curve.points.last().map_or(1.0, |p| p.survival), DIGITS),
            ]);
        }
        table = table.note(format!("Intervals: pointwise, {} scale.", self.interval));
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// The curves as steps with bands, crosses where customers were censored, and the numbers at risk below.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is nothing to draw.
    pub fn plot(&self) -> Result<Figure> {
        let mut plot = SurvivalPlot::new()
            .title(format!("Kaplan–Meier: {}", self.outcome))
            .x_title(self.time.as_str())
            .y_title("Share without the event");
        for curve in &self.curves {
            let of = |value: fn(&super::CurvePoint) -> f64| -> Vec<f64> {
                curve.points.iter().map(value).collect()
            };
            let times = of(|p| p.time);
            let censored: Vec<f64> = curve
                .points
                .iter()
                .filter(|p| p.censored > 0.0)
                .map(|p| p.time)
                .collect();
            let name = match &self.by {
                Some(by) => format!("{by} = {}", curve.group),
                None => String::new(),
            };
            plot = plot
                .curve(name, &times, of(|p| p.survival))
                .band(of(|p| p.lower), of(|p| p.upper))
                .marks(censored)
                .at_risk(of(|p| p.at_risk));
        }
        let percent = self.level * 100.0;
        plot.note(format!(
            "Bands: pointwise {percent} % intervals. Ticks: censored."
        ))
        .draw()
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl std::fmt::Display for KaplanMeierFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(KaplanMeierFit);
