//! How a number becomes another, step by step.

use super::axes::{Axes, Vertical};
use super::canvas::colour;
use super::labels::{HEIGHT, Labels, labelled};
use super::marks::{self, Mark};
use super::scale::Range;
use super::{Figure, nothing_to_draw};
use crate::error::Result;
use serde::Serialize;

/// A waterfall: a level, the steps that raise or lower it, and the level at the end, from top to bottom.
///
/// ```
/// use cocreate::prelude::*;
/// let figure = WaterfallPlot::new("as it stands", 0.40)
///     .step("information", 0.08)
///     .step("persuasion", -0.03)
///     .end("taught")
///     .draw()?;
/// assert!(figure.to_svg().contains("persuasion"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct WaterfallPlot {
    labels: Labels,
    bars: Vec<Step>,
    level: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Step {
    name: String,
    from: f64,
    to: f64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Kind {
    Level,
    Fall,
    Rise,
}

labelled!(WaterfallPlot);

impl WaterfallPlot {
    /// A plot that begins at a level.
    pub fn new(name: impl Into<String>, level: f64) -> Self {
        Self {
            labels: Labels::default(),
            bars: vec![Step {
                name: name.into(),
                from: 0.0,
                to: level,
                kind: Kind::Level,
            }],
            level,
        }
    }

    /// Raises or lowers the level.
    pub fn step(mut self, name: impl Into<String>, change: f64) -> Self {
        let to = self.level + change;
        self.bars.push(Step {
            name: name.into(),
            from: self.level,
            to,
            kind: if change < 0.0 { Kind::Fall } else { Kind::Rise },
        });
        self.level = to;
        self
    }

    /// Shows the level that is reached.
    pub fn end(mut self, name: impl Into<String>) -> Self {
        self.bars.push(Step {
            name: name.into(),
            from: 0.0,
            to: self.level,
            kind: Kind::Level,
        });
        self
    }

    /// Draws the figure. Where the steps are small beside the level, the axis does not begin at zero.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) when a number is not finite or too large to be drawn, or for a size out of range.
    pub fn draw(&self) -> Result<Figure> {
        const LINE: usize = 28;
        const AROUND: usize = 150;
        /// Steps that span less than this share of the level are shown without zero.
        const SMALL: f64 = 0.25;
        let range = Range::of("levels", self.bars.iter().map(|b| b.to))?
            .ok_or_else(|| nothing_to_draw("levels"))?;
        let size = range.low.abs().max(range.high.abs());
        let close = range.high - range.low < SMALL * size && range.low * range.high > 0.0;
        let padded = if close {
            range.padded().padded()
        } else {
            // Bars stand on the axis when none goes to the other side.
            let (whole, padded) = (range.with(0.0), range.with(0.0).padded());
            Range {
                low: if whole.low < 0.0 { padded.low } else { 0.0 },
                high: if whole.high > 0.0 { padded.high } else { 0.0 },
            }
        };
        let start = if close {
            if range.low > 0.0 {
                padded.low
            } else {
                padded.high
            }
        } else {
            0.0
        };
        let names: Vec<String> = self.bars.iter().map(|b| b.name.clone()).collect();
        let needed = AROUND + names.len() * LINE;
        let remark = if close {
            "the axis does not begin at zero"
        } else {
            ""
        };
        Axes {
            labels: &self.labels,
            kind: "Waterfall",
            remark: remark.to_owned(),
            x: padded,
            whole_x: false,
            y: Vertical::Names(names),
            legend: marks::keys(["level", "fall", "rise"], Mark::Block),
            height: u32::try_from(needed).unwrap_or(u32::MAX).max(HEIGHT / 2),
        }
        .draw(|plot| {
            const SHARE: f64 = 0.6;
            let slot = (plot.bottom - plot.top) / self.bars.len() as f64;
            let thickness = SHARE * slot;
            for (k, bar) in self.bars.iter().enumerate() {
                let y = plot.py(k as f64);
                let from = if bar.kind == Kind::Level {
                    start
                } else {
                    bar.from
                };
                let (a, b) = (plot.px(from), plot.px(bar.to));
                plot.canvas.rectangle(
                    (a.min(b), y - thickness / 2.0),
                    (a.max(b), y + thickness / 2.0),
                    colour(bar.kind as usize),
                    1.0,
                );
                if k + 1 < self.bars.len() {
                    let below = plot.py(k as f64 + 1.0);
                    plot.canvas.line((b, y), (b, below), colour(0), 1.0);
                }
            }
            if !close {
                plot.vertical(0.0, false);
            }
        })
    }
}
