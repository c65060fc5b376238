//! Step curves that fall from one, with bands, marks and the numbers at risk below the axis.

use super::axes::{Axes, Vertical};
use super::canvas::{Anchor, Font, colour};
use super::labels::{HEIGHT, Labels, labelled};
use super::marks::{self, Mark};
use super::scale::{Range, whole};
use super::{Figure, nothing_to_draw, same_length};
use crate::error::Result;
use crate::report::cell::Cell;
use crate::report::width::{ellipsize, pixels};
use serde::Serialize;

/// Step functions over time between 0 and 1, each with an optional band, marks on the curve, and the numbers that stand behind
/// it at some times, written below the axis. A curve holds each value from its time until the next one.
///
/// ```
/// use cocreate::prelude::*;
/// let figure = SurvivalPlot::new()
///     .curve("invited", [1.0, 3.0, 4.0], [0.9, 0.7, 0.6])
///     .band([0.8, 0.5, 0.4], [1.0, 0.9, 0.8])
///     .marks([2.0])
///     .at_risk([10.0, 8.0, 4.0])
///     .draw()?;
/// assert!(figure.to_svg().contains("At risk"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct SurvivalPlot {
    labels: Labels,
    curves: Vec<Curve>,
    rising: bool,
    stray: bool,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Curve {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
    marks: Vec<f64>,
    at_risk: Vec<f64>,
}

labelled!(SurvivalPlot);

const BAND_OPACITY: f64 = 0.18;
/// Half the height of a mark.
const TICK_HALF: f64 = 4.0;
/// Height of a line of numbers at risk.
const ROW: f64 = 17.0;
/// Times at which the numbers at risk are written.
const RISK_TIMES: usize = 6;
const SMALL: f64 = 12.0;
/// Room for names left of the numbers when the axis has none to spare, and the most that is added.
const NAME_ROOM: f64 = 30.0;
const MOST_BESIDE: f64 = 140.0;

impl SurvivalPlot {
    /// A figure without curves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Curves that start at 0, such as cumulative incidences, instead of 1.
    pub fn rising(mut self) -> Self {
        self.rising = true;
        self
    }

    /// Adds a curve: its value from each of the ascending times on.
    pub fn curve(
        mut self,
        name: impl Into<String>,
        x: impl AsRef<[f64]>,
        y: impl AsRef<[f64]>,
    ) -> Self {
        self.curves.push(Curve {
            name: name.into(),
            x: x.as_ref().to_vec(),
            y: y.as_ref().to_vec(),
            ..Curve::default()
        });
        self
    }

    /// The band around the latest curve, at its times; NaN leaves it out there.
    pub fn band(mut self, low: impl AsRef<[f64]>, high: impl AsRef<[f64]>) -> Self {
        self.latest(|c| {
            c.low = low.as_ref().to_vec();
            c.high = high.as_ref().to_vec();
        });
        self
    }

    /// Small ticks on the latest curve at these times: where rows were censored.
    pub fn marks(mut self, x: impl AsRef<[f64]>) -> Self {
        self.latest(|c| c.marks = x.as_ref().to_vec());
        self
    }

    /// How many were at risk just before each time of the latest curve.
    pub fn at_risk(mut self, numbers: impl AsRef<[f64]>) -> Self {
        self.latest(|c| c.at_risk = numbers.as_ref().to_vec());
        self
    }

    fn latest(&mut self, change: impl FnOnce(&mut Curve)) {
        match self.curves.last_mut() {
            Some(curve) => change(curve),
            None => self.stray = true,
        }
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`](crate::Error::LengthMismatch) for vectors of different lengths,
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for a band before any curve, when there is no finite time, or for a size out of range.
    pub fn draw(&self) -> Result<Figure> {
        if self.stray {
            return Err(crate::Error::invalid_option(
                "band, marks or at_risk",
                "given before any curve",
                "given after the curve that it belongs to",
            ));
        }
        for c in &self.curves {
            same_length(&format!("{} y", c.name), c.x.len(), c.y.len())?;
            for (what, values) in [
                ("band low", &c.low),
                ("band high", &c.high),
                ("at risk", &c.at_risk),
            ] {
                if !values.is_empty() {
                    same_length(&format!("{} {what}", c.name), c.x.len(), values.len())?;
                }
            }
        }
        let times = self.curves.iter().flat_map(|c| &c.x).copied();
        let x = Range::of("times", times)?.ok_or_else(|| nothing_to_draw("curves"))?;
        let x = x.with(0.0_f64.min(x.low));
        let x = if x.low >= 0.0 {
            x.with(0.0).padded_above()
        } else {
            x.padded()
        };
        let counted: Vec<usize> = (0..self.curves.len())
            .filter(|i| !self.curves[*i].at_risk.is_empty())
            .collect();
        let mut labels = self.labels.clone();
        if !counted.is_empty() {
            labels.below = ROW * (counted.len() + 1) as f64;
            let longest = counted
                .iter()
                .map(|i| pixels(&self.curves[*i].name, SMALL))
                .fold(0.0, f64::max);
            labels.beside = (longest - NAME_ROOM).clamp(0.0, MOST_BESIDE);
        }
        let height = HEIGHT + labels.below as u32;
        let whole_x = whole(self.curves.iter().flat_map(|c| &c.x).copied());
        let first = if self.rising { 0.0 } else { 1.0 };
        Axes {
            labels: &labels,
            kind: "Survival plot",
            remark: String::new(),
            x,
            whole_x,
            y: Vertical::Numbers(
                Range {
                    low: 0.0,
                    high: 1.0,
                }
                .padded_above(),
            ),
            legend: marks::keys(self.curves.iter().map(|c| c.name.as_str()), Mark::Line),
            height,
        }
        .draw(|plot| {
            for (i, c) in self.curves.iter().enumerate() {
                for k in 0..c.x.len().min(c.low.len()) {
                    let (low, high) = (c.low[k], c.high[k]);
                    let end = c.x.get(k + 1).copied().unwrap_or(c.x[k]);
                    if low.is_finite() && high.is_finite() && end > c.x[k] && high > low {
                        let (left, right) = (plot.px(c.x[k]), plot.px(end));
                        let (top, bottom) = (plot.py(high), plot.py(low));
                        plot.canvas.rectangle(
                            (left, top),
                            (right, bottom),
                            colour(i),
                            BAND_OPACITY,
                        );
                    }
                }
            }
            for (i, c) in self.curves.iter().enumerate() {
                let mut path = vec![(plot.px(x.low.max(0.0).min(x.low.abs())), plot.py(first))];
                for (x, y) in
                    c.x.iter()
                        .zip(&c.y)
                        .filter(|(x, y)| x.is_finite() && y.is_finite())
                {
                    let before = path[path.len() - 1].1;
                    path.push((plot.px(*x), before));
                    path.push((plot.px(*x), plot.py(*y)));
                }
                plot.canvas.polyline(&path, colour(i), marks::CURVE);
                for mark in c.marks.iter().filter(|m| m.is_finite()) {
                    let at = c.x.partition_point(|x| x <= mark);
                    let y = plot.py(at.checked_sub(1).map_or(first, |k| c.y[k]));
                    let x = plot.px(*mark);
                    plot.canvas
                        .line((x, y - TICK_HALF), (x, y + TICK_HALF), colour(i), 1.2);
                }
            }
            if counted.is_empty() {
                return;
            }
            let font = |colour| Font {
                size: SMALL,
                bold: false,
                colour,
                upwards: false,
            };
            let top = plot.bottom + Labels::axis_room();
            plot.canvas.text(
                "At risk",
                (14.0, top),
                Anchor::Start,
                font(super::canvas::GREY),
            );
            for (row, &i) in counted.iter().enumerate() {
                let y = top + ROW * (row + 1) as f64;
                let c = &self.curves[i];
                let name = ellipsize(&c.name, SMALL, plot.left - 30.0);
                plot.canvas
                    .text(&name, (14.0, y), Anchor::Start, font(colour(i)));
                for tick in x.ticks(RISK_TIMES, whole_x) {
                    let next = c.x.partition_point(|t| *t < tick.value);
                    let count = c.at_risk.get(next).copied().unwrap_or(0.0);
                    let number = if count.fract().abs() <= 0.0 {
                        Cell::count(count.max(0.0) as usize)
                    } else {
                        Cell::significant(count, 4)
                    }
                    .to_string();
                    plot.canvas.text(
                        &number,
                        (plot.px(tick.value), y),
                        Anchor::Middle,
                        font(colour(i)),
                    );
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_at_risk_stand_below_the_axis() {
        let plain = SurvivalPlot::new().curve("a", [1.0, 2.0], [0.5, 0.2]);
        let counted = plain.clone().at_risk([7.0, 3.0]);
        let (plain, counted) = (plain.draw().unwrap(), counted.draw().unwrap());
        assert!(counted.height() > plain.height());
        assert!(counted.to_svg().contains("At risk") && !plain.to_svg().contains("At risk"));
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(SurvivalPlot::new().draw().is_err());
        assert!(SurvivalPlot::new().marks([1.0]).draw().is_err());
        assert!(
            SurvivalPlot::new()
                .curve("a", [1.0], [0.5, 0.4])
                .draw()
                .is_err()
        );
        assert!(
            SurvivalPlot::new()
                .curve("a", [1.0], [0.5])
                .band([0.1, 0.2], [0.5])
                .draw()
                .is_err()
        );
    }
}
