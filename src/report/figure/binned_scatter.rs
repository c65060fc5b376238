//! Means by bin, with intervals and fitted lines.

use super::axes::{Axes, Vertical};
use super::canvas::colour;
use super::labels::{HEIGHT, Labels, labelled};
use super::marks::{self, Mark};
use super::scale::{Range, whole};
use super::{Figure, nothing_to_draw, same_length};
use crate::error::Result;
use serde::Serialize;

/// A binned scatter plot: points that were computed elsewhere (one per bin), each with an optional interval, and an
/// optional fitted line for each group.
///
/// ```
/// use cocreate::prelude::*;
/// let figure = BinnedScatter::new()
///     .group("learners")
///     .points([0.0, 1.0, 2.0], [1.1, 1.9, 3.2])
///     .line([0.0, 2.0], [1.0, 3.0])
///     .draw()?;
/// assert_eq!(figure.width(), 720);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct BinnedScatter {
    labels: Labels,
    groups: Vec<Group>,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Group {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
    line_x: Vec<f64>,
    line_y: Vec<f64>,
}

labelled!(BinnedScatter);

impl BinnedScatter {
    /// A plot without points.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a group; points, intervals and line that follow belong to it.
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.groups.push(Group {
            name: name.into(),
            ..Group::default()
        });
        self
    }

    /// The points of the current group; a point with a NaN coordinate is not drawn.
    pub fn points(mut self, x: impl AsRef<[f64]>, y: impl AsRef<[f64]>) -> Self {
        let group = self.current();
        group.x = x.as_ref().to_vec();
        group.y = y.as_ref().to_vec();
        self
    }

    /// Sorts raw values by `x` into `count` bins of equal size and makes the mean of each bin a point of the current group; pairs
    /// with a NaN are left out, and equal values of `x` at a border may fall on both sides.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let card = datasets::load("card")?;
    /// let figure = BinnedScatter::new().bins(card.real("exper")?, card.real("lwage")?, 20).draw()?;
    /// assert!(figure.to_svg().contains("<circle"));
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn bins(self, x: &[f64], y: &[f64], count: usize) -> Self {
        let mut pairs: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
        pairs.retain(|(x, y)| !x.is_nan() && !y.is_nan());
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let count = count.clamp(1, pairs.len().max(1));
        let (mut mean_x, mut mean_y) = (Vec::new(), Vec::new());
        for bin in 0..count {
            let members = &pairs[bin * pairs.len() / count..(bin + 1) * pairs.len() / count];
            let size = members.len() as f64;
            mean_x.push(members.iter().map(|p| p.0 / size).sum::<f64>());
            mean_y.push(members.iter().map(|p| p.1 / size).sum::<f64>());
        }
        if pairs.is_empty() {
            return self.points([], []);
        }
        self.points(mean_x, mean_y)
    }

    /// The intervals of the current group's points, in their order; an infinite end is an arrow, NaN is no interval.
    pub fn intervals(mut self, low: impl AsRef<[f64]>, high: impl AsRef<[f64]>) -> Self {
        let group = self.current();
        group.low = low.as_ref().to_vec();
        group.high = high.as_ref().to_vec();
        self
    }

    /// The fitted line of the current group; NaN breaks it.
    pub fn line(mut self, x: impl AsRef<[f64]>, y: impl AsRef<[f64]>) -> Self {
        let group = self.current();
        group.line_x = x.as_ref().to_vec();
        group.line_y = y.as_ref().to_vec();
        self
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`](crate::Error::LengthMismatch) for vectors of different lengths,
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) when no point is finite, when values are too large to be drawn,
    /// or for a size out of range.
    pub fn draw(&self) -> Result<Figure> {
        for g in &self.groups {
            same_length("y", g.x.len(), g.y.len())?;
            same_length("line y", g.line_x.len(), g.line_y.len())?;
            same_length("interval high", g.low.len(), g.high.len())?;
            if !g.low.is_empty() {
                same_length("interval low", g.x.len(), g.low.len())?;
            }
        }
        let all =
            |get: fn(&Group) -> [&Vec<f64>; 2]| self.groups.iter().flat_map(get).flatten().copied();
        let x = Range::of("x", all(|g| [&g.x, &g.line_x]))?;
        let y = Range::of("y", all(|g| [&g.y, &g.line_y]))?;
        let ends = Range::of("intervals", all(|g| [&g.low, &g.high]))?;
        let complete = self
            .groups
            .iter()
            .flat_map(|g| g.x.iter().zip(&g.y).chain(g.line_x.iter().zip(&g.line_y)))
            .any(|(x, y)| x.is_finite() && y.is_finite());
        let (Some(x), Some(y), true) = (x, y, complete) else {
            return Err(nothing_to_draw("points"));
        };
        let y = ends.map_or(y, |e| y.with(e.low).with(e.high));
        Axes {
            labels: &self.labels,
            kind: "Binned scatter plot",
            remark: String::new(),
            x: x.padded(),
            whole_x: whole(self.groups.iter().flat_map(|g| &g.x).copied()),
            y: Vertical::Numbers(y.padded()),
            legend: marks::keys(self.groups.iter().map(|g| g.name.as_str()), Mark::Point),
            height: HEIGHT,
        }
        .draw(|plot| {
            for (i, g) in self.groups.iter().enumerate() {
                for run in super::line::runs(&g.line_x, &g.line_y) {
                    let path: Vec<(f64, f64)> = run
                        .iter()
                        .map(|(x, y)| (plot.px(*x), plot.py(*y)))
                        .collect();
                    plot.canvas.polyline(&path, colour(i), marks::CURVE);
                }
                for (j, (x, y)) in g.x.iter().zip(&g.y).enumerate() {
                    if !(x.is_finite() && y.is_finite()) {
                        continue;
                    }
                    let at = (plot.px(*x), plot.py(*y));
                    if let (Some(low), Some(high)) = (g.low.get(j), g.high.get(j)) {
                        marks::vertical_whisker(plot, i, (*low, *high), at.0);
                    }
                    marks::point(plot.canvas, i, at, marks::RADIUS);
                }
            }
        })
    }

    /// The latest group; points given before any group get one without a name.
    fn current(&mut self) -> &mut Group {
        if self.groups.is_empty() {
            self.groups.push(Group::default());
        }
        let last = self.groups.len() - 1;
        &mut self.groups[last]
    }
}
