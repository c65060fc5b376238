//! Amounts by category.

use super::axes::{Axes, Vertical};
use super::canvas::colour;
use super::labels::{HEIGHT, Labels, labelled};
use super::marks::{self, Mark};
use super::scale::Range;
use super::{Figure, index_of, nothing_to_draw};
use crate::error::Result;
use serde::Serialize;

/// Horizontal bars from zero, one per category and series, so that long names stay readable.
///
/// ```
/// use cocreate::prelude::*;
/// let figure = BarPlot::new().bar("reviews", 120.0).bar("designs", 45.0).draw()?;
/// assert!(figure.to_svg().contains("designs"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct BarPlot {
    labels: Labels,
    series: Vec<String>,
    names: Vec<String>,
    bars: Vec<Bar>,
}

#[derive(Clone, Debug, Serialize)]
struct Bar {
    series: usize,
    name: usize,
    value: f64,
    /// The interval drawn over the bar.
    ends: Option<(f64, f64)>,
}

labelled!(BarPlot);

impl BarPlot {
    /// A plot without bars.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a series; the bars that follow belong to it.
    pub fn series(mut self, name: impl Into<String>) -> Self {
        self.series.push(name.into());
        self
    }

    /// Adds a bar; one whose value is not finite leaves its place empty. Categories are drawn from top to bottom in the
    /// order in which their names first appear.
    pub fn bar(mut self, name: impl Into<String>, value: f64) -> Self {
        let name = index_of(&mut self.names, name.into());
        self.bars.push(Bar {
            series: self.series.len().saturating_sub(1),
            name,
            value,
            ends: None,
        });
        self
    }

    /// The interval of the bar that was added last, drawn over it as a whisker; an infinite end is drawn as an arrow, an interval with a NaN
    /// end is left out.
    pub fn interval(mut self, low: f64, high: f64) -> Self {
        if let Some(bar) = self.bars.last_mut() {
            bar.ends = Some((low, high));
        }
        self
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) when no value is finite, when values are too large to be drawn, or for a
    /// size out of range.
    pub fn draw(&self) -> Result<Figure> {
        const LINE: usize = 16;
        const SPACE: usize = 12;
        const AROUND: usize = 150;
        let range = Range::of("bars", self.bars.iter().map(|b| b.value))?
            .ok_or_else(|| nothing_to_draw("bars"))?
            .with(0.0);
        let ends = self.bars.iter().filter_map(|b| b.ends);
        let ends = Range::of("intervals", ends.flat_map(|(low, high)| [low, high]))?;
        let range = ends.map_or(range, |e| range.with(e.low).with(e.high));
        let padded = range.padded();
        // Bars stand on the axis when none goes to the other side.
        let x = Range {
            low: if range.low < 0.0 { padded.low } else { 0.0 },
            high: if range.high > 0.0 || range.low >= 0.0 {
                padded.high
            } else {
                0.0
            },
        };
        let series = self.series.len().max(1);
        let needed = AROUND + self.names.len() * (LINE * series + SPACE);
        Axes {
            labels: &self.labels,
            kind: "Bar plot",
            remark: String::new(),
            x,
            whole_x: false,
            y: Vertical::Names(self.names.clone()),
            legend: marks::keys(self.series.iter().map(String::as_str), Mark::Block),
            height: u32::try_from(needed).unwrap_or(u32::MAX).max(HEIGHT / 2),
        }
        .draw(|plot| {
            const SHARE: f64 = 0.75;
            /// Bars that show their intervals are paler than these.
            const PALE: f64 = 0.45;
            let slot = (plot.bottom - plot.top) / self.names.len() as f64;
            let thickness = SHARE * slot / series as f64;
            for bar in self.bars.iter().filter(|b| b.value.is_finite()) {
                let y = plot.py(bar.name as f64) + marks::dodge(bar.series, series, thickness);
                let (zero, end) = (plot.px(0.0), plot.px(bar.value));
                plot.canvas.rectangle(
                    (zero.min(end), y - thickness / 2.0),
                    (zero.max(end), y + thickness / 2.0),
                    colour(bar.series),
                    if bar.ends.is_some() { PALE } else { 1.0 },
                );
                if let Some(ends) = bar.ends {
                    marks::horizontal_whisker(plot, bar.series, ends, y);
                }
            }
            plot.vertical(0.0, false);
        })
    }
}
