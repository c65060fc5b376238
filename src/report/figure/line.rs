//! Curves with bands.

use super::axes::{Axes, Vertical};
use super::canvas::{FAINT, colour};
use super::labels::{HEIGHT, Labels, labelled};
use super::marks::{self, Mark};
use super::scale::{Range, whole};
use super::{Figure, nothing_to_draw, same_length};
use crate::error::Result;
use serde::Serialize;

/// Curves through given points, each with an optional band, and reference lines.
///
/// ```
/// use cocreate::prelude::*;
/// let x: Vec<f64> = (0..50).map(|i| f64::from(i) / 10.0).collect();
/// let y: Vec<f64> = x.iter().map(|x| x.sin()).collect();
/// let low: Vec<f64> = y.iter().map(|y| y - 0.2).collect();
/// let high: Vec<f64> = y.iter().map(|y| y + 0.2).collect();
/// let figure = LinePlot::new().line("sine", &x, &y).band(&low, &high).draw()?;
/// assert_eq!(figure.height(), 450);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct LinePlot {
    labels: Labels,
    lines: Vec<Line>,
    reference_x: Vec<f64>,
    reference_y: Vec<f64>,
    /// A band was given before any line.
    stray_band: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Line {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
    background: bool,
}

labelled!(LinePlot);

/// How much of the ground a band covers.
const BAND_OPACITY: f64 = 0.2;

impl LinePlot {
    /// A figure without lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line through points in the given order; NaN and infinite values break it.
    pub fn line(self, name: impl Into<String>, x: impl AsRef<[f64]>, y: impl AsRef<[f64]>) -> Self {
        self.with(name.into(), x.as_ref(), y.as_ref(), false)
    }

    /// A line as [`line`](Self::line), but thin, grey and behind the others: what they are to be seen among.
    pub fn background(
        self,
        name: impl Into<String>,
        x: impl AsRef<[f64]>,
        y: impl AsRef<[f64]>,
    ) -> Self {
        self.with(name.into(), x.as_ref(), y.as_ref(), true)
    }

    fn with(mut self, name: String, x: &[f64], y: &[f64], background: bool) -> Self {
        self.lines.push(Line {
            name,
            x: x.to_vec(),
            y: y.to_vec(),
            low: Vec::new(),
            high: Vec::new(),
            background,
        });
        self
    }

    /// The band around the latest line, at its points; NaN and infinite ends break it.
    pub fn band(mut self, low: impl AsRef<[f64]>, high: impl AsRef<[f64]>) -> Self {
        if let Some(line) = self.lines.last_mut() {
            line.low = low.as_ref().to_vec();
            line.high = high.as_ref().to_vec();
        } else {
            self.stray_band = true;
        }
        self
    }

    /// A dashed vertical line here.
    pub fn reference_x(mut self, x: f64) -> Self {
        self.reference_x.push(x);
        self
    }

    /// A horizontal line here.
    pub fn reference_y(mut self, y: f64) -> Self {
        self.reference_y.push(y);
        self
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`](crate::Error::LengthMismatch) for vectors of different lengths,
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for a band before any line, when no point is finite, when values are too large to be drawn, or for a size out of range.
    pub fn draw(&self) -> Result<Figure> {
        if self.stray_band {
            return Err(crate::Error::invalid_option(
                "band",
                "given before any line",
                "given after the line that it belongs to",
            ));
        }
        for line in &self.lines {
            let name = &line.name;
            same_length(&format!("{name} y"), line.x.len(), line.y.len())?;
            if !(line.low.is_empty() && line.high.is_empty()) {
                same_length(&format!("{name} band low"), line.x.len(), line.low.len())?;
                same_length(&format!("{name} band high"), line.x.len(), line.high.len())?;
            }
        }
        let (x, y) = self.ranges()?;
        Axes {
            labels: &self.labels,
            kind: "Line plot",
            remark: String::new(),
            x: x.padded(),
            whole_x: whole(self.lines.iter().flat_map(|l| &l.x).copied()),
            y: Vertical::Numbers(y.padded()),
            legend: marks::keys(self.lines.iter().map(|l| l.name.as_str()), |i| {
                if self.lines[i].background {
                    Mark::Background
                } else {
                    Mark::Line(i)
                }
            }),
            height: HEIGHT,
        }
        .draw(|plot| {
            for y in self.reference_y.iter().filter(|y| y.is_finite()) {
                plot.horizontal(*y, false);
            }
            for x in self.reference_x.iter().filter(|x| x.is_finite()) {
                plot.vertical(*x, true);
            }
            for (i, line) in self.lines.iter().enumerate() {
                for (lower, upper) in bands(line) {
                    let outline: Vec<(f64, f64)> = lower
                        .iter()
                        .chain(upper.iter().rev())
                        .map(|(x, y)| (plot.px(*x), plot.py(*y)))
                        .collect();
                    plot.canvas.polygon(&outline, colour(i), BAND_OPACITY);
                }
            }
            let (behind, front): (Vec<_>, Vec<_>) =
                (self.lines.iter().enumerate()).partition(|(_, line)| line.background);
            for (i, line) in behind.into_iter().chain(front) {
                let (tone, width) = if line.background {
                    (FAINT, marks::THIN)
                } else {
                    (colour(i), marks::CURVE)
                };
                for run in runs(&line.x, &line.y) {
                    let path: Vec<(f64, f64)> = run
                        .iter()
                        .map(|(x, y)| (plot.px(*x), plot.py(*y)))
                        .collect();
                    if let [lone] = path.as_slice() {
                        marks::point(plot.canvas, i, *lone, marks::RADIUS);
                    }
                    plot.canvas.polyline(&path, tone, width);
                }
            }
        })
    }

    /// The ranges of what is drawn, reference lines included.
    fn ranges(&self) -> Result<(Range, Range)> {
        let mut x = self.reference_x.clone();
        let mut y = self.reference_y.clone();
        let references = x.len();
        for line in &self.lines {
            for (px, py) in runs(&line.x, &line.y).into_iter().flatten() {
                x.push(px);
                y.push(py);
            }
            for (lower, upper) in bands(line) {
                y.extend(lower.iter().chain(&upper).map(|(_, y)| *y));
                x.extend(lower.iter().map(|(x, _)| *x));
            }
        }
        if x.len() == references {
            return Err(nothing_to_draw("lines"));
        }
        match (Range::of("x", x)?, Range::of("y", y)?) {
            (Some(x), Some(y)) => Ok((x, y)),
            _ => Err(nothing_to_draw("lines")),
        }
    }
}

/// The unbroken stretches of a curve.
pub(super) fn runs(x: &[f64], y: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![Vec::new()];
    for (x, y) in x.iter().zip(y) {
        let last = runs.len() - 1;
        if x.is_finite() && y.is_finite() {
            runs[last].push((*x, *y));
        } else if !runs[last].is_empty() {
            runs.push(Vec::new());
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

type Edge = Vec<(f64, f64)>;

/// The unbroken stretches of a band, as their lower and upper edges.
fn bands(line: &Line) -> Vec<(Edge, Edge)> {
    // A stretch ends for both edges where either is missing.
    let width: Vec<f64> = line
        .low
        .iter()
        .zip(&line.high)
        .map(|(l, h)| h - l)
        .collect();
    let masked = |edge: &[f64]| -> Vec<f64> {
        let pairs = edge.iter().zip(&width);
        pairs
            .map(|(e, w)| if w.is_finite() { *e } else { f64::NAN })
            .collect()
    };
    let lower = runs(&line.x, &masked(&line.low));
    let upper = runs(&line.x, &masked(&line.high));
    lower.into_iter().zip(upper).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_background_is_drawn_first_and_has_its_key() {
        let (x, up, down) = ([0.0, 1.0], [0.0, 1.0], [1.0, 0.0]);
        let plot = LinePlot::new().line("front", x, up);
        let figure = plot.background("behind", x, down).draw().unwrap();
        let svg = figure.to_svg().to_ascii_lowercase();
        let curve = |tone: &str| {
            let is = |tag: &&str| tag.starts_with("polyline") && tag.contains(tone);
            svg.split('<').position(|tag| is(&tag))
        };
        assert!(curve("#b4b4b4").unwrap() < curve("#0072b2").unwrap());
        assert!(svg.contains(">\nbehind") || svg.contains(">behind"));
    }

    #[test]
    fn a_gap_breaks_line_and_band() {
        let nan = f64::NAN;
        let line = Line {
            name: String::new(),
            x: vec![0.0, 1.0, 2.0, 3.0],
            y: vec![1.0, nan, 2.0, 3.0],
            low: vec![0.0, 0.0, nan, 2.0],
            high: vec![2.0, f64::INFINITY, 3.0, 4.0],
            background: false,
        };
        assert_eq!(
            runs(&line.x, &line.y),
            [vec![(0.0, 1.0)], vec![(2.0, 2.0), (3.0, 3.0)]]
        );
        assert_eq!(
            bands(&line),
            [
                (vec![(0.0, 0.0)], vec![(0.0, 2.0)]),
                (vec![(3.0, 2.0)], vec![(3.0, 4.0)])
            ]
        );
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(LinePlot::new().draw().is_err());
        assert!(LinePlot::new().reference_x(1.0).draw().is_err());
        assert!(LinePlot::new().line("a", [1.0], [1.0, 2.0]).draw().is_err());
        assert!(LinePlot::new().line("a", [1.0], [f64::NAN]).draw().is_err());
        assert!(
            LinePlot::new()
                .band([1.0], [1.0])
                .line("a", [1.0], [1.0])
                .draw()
                .is_err()
        );
        assert!(
            LinePlot::new()
                .line("a", [1.0], [1.0])
                .band([1.0], [])
                .draw()
                .is_err()
        );
        assert!(LinePlot::new().line("a", [1.0], [1.0]).draw().is_ok());
    }
}
