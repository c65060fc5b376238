//! Effects by time relative to treatment.

use super::axes::{Axes, Key, Vertical};
use super::canvas::colour;
use super::labels::{HEIGHT, Labels, labelled};
use super::marks::{self, Mark};
use super::scale::{Range, whole};
use super::{Figure, nothing_to_draw};
use crate::error::Result;
use serde::Serialize;

/// An event-study plot: estimates and intervals over time since treatment, a line at zero, a dashed line where
/// treatment begins, and the reference period, whose effect is zero by construction, as a hollow point.
///
/// ```
/// use cocreate::prelude::*;
/// let figure = EventStudyPlot::new()
///     .reference(-1.0)
///     .point(-2.0, 0.01, -0.05, 0.07)
///     .point(0.0, 0.12, 0.05, 0.19)
///     .point(1.0, 0.15, 0.07, 0.23)
///     .draw()?;
/// assert!(figure.to_svg().contains("reference period"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct EventStudyPlot {
    labels: Labels,
    series: Vec<String>,
    points: Vec<Point>,
    reference: Option<f64>,
    treatment: Option<f64>,
}

/// Width of a whisker within another.
const INNER: f64 = 5.0;

#[derive(Clone, Debug, Serialize)]
struct Point {
    series: usize,
    time: f64,
    estimate: f64,
    low: f64,
    high: f64,
    band: Option<(f64, f64)>,
}

labelled!(EventStudyPlot);

impl Default for EventStudyPlot {
    fn default() -> Self {
        Self::new()
    }
}

impl EventStudyPlot {
    /// A plot without points; treatment begins between −1 and 0.
    pub fn new() -> Self {
        Self {
            labels: Labels::default(),
            series: Vec::new(),
            points: Vec::new(),
            reference: None,
            treatment: Some(-0.5),
        }
    }

    /// Begins a series (an estimator, a cohort); the points that follow belong to it.
    pub fn series(mut self, name: impl Into<String>) -> Self {
        self.series.push(name.into());
        self
    }

    /// Adds the effect at a time with its interval.
    pub fn point(mut self, time: f64, estimate: f64, low: f64, high: f64) -> Self {
        self.points.push(Point {
            series: self.series.len().saturating_sub(1),
            time,
            estimate,
            low,
            high,
            band: None,
        });
        self
    }

    /// A wider interval of the point that was added last, as of a simultaneous band: a thin whisker around its own. With bands the own
    /// intervals of all points are thick.
    pub fn band(mut self, low: f64, high: f64) -> Self {
        if let Some(point) = self.points.last_mut() {
            point.band = Some((low, high));
        }
        self
    }

    /// The period against which effects are measured.
    pub fn reference(mut self, time: f64) -> Self {
        self.reference = Some(time);
        self
    }

    /// Where the line before treatment stands, −0.5 by default; `None` for no line.
    pub fn treatment_line(mut self, time: impl Into<Option<f64>>) -> Self {
        self.treatment = time.into();
        self
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) when no point is finite, when values are too large to be drawn, or for a
    /// size out of range.
    pub fn draw(&self) -> Result<Figure> {
        let drawn: Vec<&Point> = self
            .points
            .iter()
            .filter(|p| p.time.is_finite() && p.estimate.is_finite())
            .collect();
        let times = drawn.iter().map(|p| p.time);
        let lines = self.reference.into_iter().chain(self.treatment);
        let x = Range::of("times", times.chain(lines))?;
        let y = Range::of("points", drawn.iter().map(|p| p.estimate))?;
        let bands = drawn.iter().filter_map(|p| p.band);
        let ends = drawn.iter().flat_map(|p| [p.low, p.high]);
        let ends = Range::of("intervals", ends.chain(bands.flat_map(|b| [b.0, b.1])))?;
        let (Some(x), Some(y)) = (x, y) else {
            return Err(nothing_to_draw("points"));
        };
        let y = ends.map_or(y, |e| y.with(e.low).with(e.high)).with(0.0);
        let mut legend = marks::keys(self.series.iter().map(String::as_str), Mark::Point);
        let reference = self.reference.filter(|r| r.is_finite());
        if reference.is_some() {
            legend.push(Key {
                label: "reference period".to_owned(),
                mark: Mark::Hollow,
            });
        }
        let series = self.series.len().max(1);
        Axes {
            labels: &self.labels,
            kind: "Event-study plot",
            remark: String::new(),
            x: x.padded(),
            whole_x: whole(drawn.iter().map(|p| p.time)),
            y: Vertical::Numbers(y.padded()),
            legend,
            height: HEIGHT,
        }
        .draw(|plot| {
            plot.horizontal(0.0, false);
            if let Some(time) = self.treatment.filter(|t| t.is_finite()) {
                plot.vertical(time, true);
            }
            let banded = drawn.iter().any(|p| p.band.is_some());
            let step = self.step(plot.px(1.0) - plot.px(0.0)) / series as f64;
            for p in drawn {
                let x = plot.px(p.time) + marks::dodge(p.series, series, step);
                let own = (p.low, p.high);
                marks::vertical_whisker(plot, p.series, p.band.unwrap_or(own), x);
                if banded && own.0.is_finite() && own.1.is_finite() {
                    let ends = ((x, plot.py(own.0)), (x, plot.py(own.1)));
                    plot.canvas.line(ends.0, ends.1, colour(p.series), INNER);
                }
                let at = (x, plot.py(p.estimate));
                marks::point(plot.canvas, p.series, at, marks::RADIUS);
            }
            if let Some(time) = reference {
                let at = (plot.px(time), plot.py(0.0));
                marks::hollow(plot.canvas, at);
            }
        })
    }

    /// Pixels that the series of one time may take together: part of the smallest distance between times.
    fn step(&self, pixels_per_unit: f64) -> f64 {
        const SHARE: f64 = 0.6;
        const MOST: f64 = 11.0;
        let mut times: Vec<f64> = self.points.iter().map(|p| p.time).collect();
        times.retain(|t| t.is_finite());
        times.sort_unstable_by(f64::total_cmp);
        let smallest = times
            .windows(2)
            .map(|w| w[1] - w[0])
            .filter(|d| *d > 0.0)
            .fold(f64::INFINITY, f64::min);
        (SHARE * smallest * pixels_per_unit).min(MOST * self.series.len().max(1) as f64)
    }
}
