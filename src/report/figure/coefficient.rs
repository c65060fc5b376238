//! Estimates and their intervals as dots and whiskers.

use super::axes::{Axes, Vertical};
use super::labels::{HEIGHT, Labels, labelled};
use super::marks::{self, Mark};
use super::scale::Range;
use super::{Figure, index_of, nothing_to_draw};
use crate::error::Result;
use serde::Serialize;

/// A dot-and-whisker plot: one line per coefficient, one dot and interval per series (model), and a line at zero.
///
/// An infinite end of an interval is drawn as an arrow; an interval with a NaN end is left out, and so is a NaN
/// estimate.
///
/// ```
/// use cocreate::prelude::*;
/// let figure = CoefficientPlot::new()
///     .title("Two models")
///     .series("OLS")
///     .point("education", 0.107, 0.079, 0.135)
///     .series("IV")
///     .point("education", 0.061, -0.010, f64::INFINITY)
///     .draw()?;
/// assert!(figure.to_svg().contains("education"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct CoefficientPlot {
    labels: Labels,
    series: Vec<String>,
    names: Vec<String>,
    points: Vec<Point>,
}

#[derive(Clone, Debug, Serialize)]
struct Point {
    series: usize,
    name: usize,
    estimate: f64,
    low: f64,
    high: f64,
}

labelled!(CoefficientPlot);

impl CoefficientPlot {
    /// A plot without points.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a series (a model, a group); the points that follow belong to it.
    pub fn series(mut self, name: impl Into<String>) -> Self {
        self.series.push(name.into());
        self
    }

    /// Adds an estimate with its interval to the current series. Coefficients are drawn from top to bottom in the order
    /// in which their names first appear.
    pub fn point(mut self, name: impl Into<String>, estimate: f64, low: f64, high: f64) -> Self {
        let name = index_of(&mut self.names, name.into());
        self.points.push(Point {
            series: self.series.len().saturating_sub(1),
            name,
            estimate,
            low,
            high,
        });
        self
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) when no estimate is finite, when values are too large to be drawn, or
    /// for a size out of range.
    pub fn draw(&self) -> Result<Figure> {
        /// Pixels for each series of a coefficient, for the space between coefficients, and around them all.
        const LINE: usize = 16;
        const SPACE: usize = 18;
        const AROUND: usize = 150;
        let range = Range::of("points", self.points.iter().map(|p| p.estimate))?
            .ok_or_else(|| nothing_to_draw("points"))?;
        let ends = Range::of(
            "intervals",
            self.points.iter().flat_map(|p| [p.low, p.high]),
        )?;
        let range = ends
            .map_or(range, |e| range.with(e.low).with(e.high))
            .with(0.0);
        let series = self.series.len().max(1);
        let needed = AROUND + self.names.len() * (LINE * series + SPACE);
        Axes {
            labels: &self.labels,
            kind: "Coefficient plot",
            remark: String::new(),
            x: range.padded(),
            whole_x: false,
            y: Vertical::Names(self.names.clone()),
            legend: marks::keys(self.series.iter().map(String::as_str), Mark::Point),
            height: u32::try_from(needed).unwrap_or(u32::MAX).max(HEIGHT / 2),
        }
        .draw(|plot| {
            plot.vertical(0.0, false);
            let slot = (plot.bottom - plot.top) / self.names.len() as f64;
            let step = (0.7 * slot / series as f64).min(LINE as f64);
            for p in self.points.iter().filter(|p| p.estimate.is_finite()) {
                let y = plot.py(p.name as f64) + marks::dodge(p.series, series, step);
                marks::horizontal_whisker(plot, p.series, (p.low, p.high), y);
                let at = (plot.px(p.estimate), y);
                marks::point(plot.canvas, p.series, at, marks::RADIUS.min(0.5 * step));
            }
        })
    }
}
