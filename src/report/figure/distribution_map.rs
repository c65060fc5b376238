//! A distribution above named points on the same scale.

use super::axes::{Axes, Vertical};
use super::canvas::colour;
use super::labels::{HEIGHT, Labels, labelled};
use super::marks;
use super::scale::Range;
use super::{Figure, index_of, nothing_to_draw};
use crate::error::Result;
use plotters::style::WHITE;
use serde::Serialize;

/// Bars over the range of the values.
const BINS: usize = 30;

/// Lines of names that the distribution takes.
const LINES: usize = 4;

/// A histogram of values with named points below it on the same horizontal axis: persons and items (Wright map), customers and the
/// thresholds of offers. Values that are not finite are left out.
///
/// ```
/// use cocreate::report::DistributionMap;
/// let figure = DistributionMap::new("customers", [-1.2, -0.3, 0.1, 0.4, 1.3])
///     .title("Who can do what")
///     .point("upload", -1.0)
///     .point("design", 0.8)
///     .draw()?;
/// assert!(figure.to_svg().contains("upload"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct DistributionMap {
    labels: Labels,
    population: String,
    values: Vec<f64>,
    names: Vec<String>,
    points: Vec<(usize, f64)>,
}

labelled!(DistributionMap);

impl DistributionMap {
    /// The distribution of values, under a name.
    pub fn new(population: impl Into<String>, values: impl AsRef<[f64]>) -> Self {
        Self {
            population: population.into(),
            values: values.as_ref().to_vec(),
            ..Self::default()
        }
    }

    /// A point under a name; several points of the same name share a line.
    pub fn point(mut self, name: impl Into<String>, at: f64) -> Self {
        let name = index_of(&mut self.names, name.into());
        self.points.push((name, at));
        self
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) when no value is finite, when values are too large to be drawn, or for a
    /// size out of range.
    pub fn draw(&self) -> Result<Figure> {
        /// Pixels of a line, and around them all.
        const LINE: usize = 26;
        const AROUND: usize = 130;
        let own = Range::of("values", self.values.iter().copied())?
            .ok_or_else(|| nothing_to_draw("values"))?;
        let own = if own.high > own.low {
            own
        } else {
            own.padded()
        };
        let points = Range::of("points", self.points.iter().map(|p| p.1))?;
        let range = points.map_or(own, |p| own.with(p.low).with(p.high));
        let width = (own.high - own.low) / BINS as f64;
        let mut counts = [0_usize; BINS];
        for value in self.values.iter().filter(|v| v.is_finite()) {
            counts[(((value - own.low) / width) as usize).min(BINS - 1)] += 1;
        }
        let highest = counts.iter().copied().max().unwrap_or(1).max(1) as f64;
        let mut names = vec![String::new(); LINES];
        self.population.clone_into(&mut names[LINES / 2]);
        names.extend(self.names.iter().cloned());
        let needed = AROUND + names.len() * LINE;
        Axes {
            labels: &self.labels,
            kind: "Distribution and points",
            remark: String::new(),
            x: range.padded(),
            whole_x: false,
            y: Vertical::Names(names.clone()),
            legend: vec![],
            height: u32::try_from(needed).unwrap_or(u32::MAX).max(HEIGHT / 2),
        }
        .draw(|plot| {
            let slot = (plot.bottom - plot.top) / names.len() as f64;
            let base = plot.top + slot * LINES as f64;
            let room = 0.92 * slot * LINES as f64;
            for (i, count) in counts.iter().enumerate().filter(|(_, c)| **c > 0) {
                let left = plot.px(own.low + width * i as f64);
                let right = plot.px(own.low + width * (i + 1) as f64);
                let top = base - room * *count as f64 / highest;
                plot.canvas
                    .rectangle((left, top), (right, base), colour(0), 1.0);
                if right - left > 4.0 {
                    plot.canvas.line((right, top), (right, base), WHITE, 1.0);
                }
            }
            for (name, at) in self.points.iter().filter(|p| p.1.is_finite()) {
                let y = plot.py((LINES + name) as f64);
                let at = (plot.px(*at), y);
                marks::point(plot.canvas, 1, at, marks::RADIUS);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_points_share_an_axis() {
        let map = DistributionMap::new("people", [0.0, 1.0, f64::NAN, 2.0])
            .point("a", -5.0)
            .point("b", 1.0)
            .point("a", f64::INFINITY);
        let svg = map.draw().unwrap();
        assert!(svg.to_svg().contains("people") && svg.to_svg().contains('5'));
        assert!(DistributionMap::new("nobody", []).draw().is_err());
        assert!(DistributionMap::new("one", [1.0]).draw().is_ok());
    }
}
