//! How values are distributed, as cumulative shares.

use super::axes::{Axes, Vertical};
use super::canvas::colour;
use super::histogram::remark;
use super::labels::{HEIGHT, Labels, labelled};
use super::marks::{self, Mark};
use super::scale::Range;
use super::{Figure, nothing_to_draw};
use crate::error::Result;
use serde::Serialize;

/// The empirical distribution function F(x) = share of values ≤ x, of one or several groups. Missing and infinite
/// values are left out and counted in the note.
///
/// ```
/// use cocreate::prelude::*;
/// let figure = Ecdf::new()
///     .group("control", [1.0, 2.0, 3.0])
///     .group("treated", [2.0, 3.0, 5.0])
///     .draw()?;
/// assert!(figure.to_svg().contains("treated"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ecdf {
    labels: Labels,
    groups: Vec<(String, Vec<f64>)>,
}

labelled!(Ecdf);

impl Ecdf {
    /// A figure without groups.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the values of a group.
    pub fn group(mut self, name: impl Into<String>, values: impl AsRef<[f64]>) -> Self {
        self.groups.push((name.into(), values.as_ref().to_vec()));
        self
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) when a group has no finite value, when values are too large to be drawn,
    /// or for a size out of range.
    pub fn draw(&self) -> Result<Figure> {
        let mut sorted: Vec<Vec<f64>> = Vec::with_capacity(self.groups.len());
        for (name, values) in &self.groups {
            let mut values: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
            if values.is_empty() {
                return Err(nothing_to_draw(&format!("values of group {name:?}")));
            }
            values.sort_unstable_by(f64::total_cmp);
            sorted.push(values);
        }
        let x = Range::of("values", sorted.iter().flatten().copied())?
            .ok_or_else(|| nothing_to_draw("groups"))?
            .padded();
        let all: Vec<f64> = self.groups.iter().flat_map(|(_, v)| v).copied().collect();
        let mut labels = self.labels.clone();
        if labels.y.is_empty() {
            "Cumulative share".clone_into(&mut labels.y);
        }
        Axes {
            labels: &labels,
            kind: "Empirical distribution function",
            remark: remark(&all),
            x,
            whole_x: false,
            y: Vertical::Numbers(
                Range {
                    low: 0.0,
                    high: 1.0,
                }
                .padded_above(),
            ),
            legend: marks::keys(
                self.groups.iter().map(|(name, _)| name.as_str()),
                Mark::Line,
            ),
            height: HEIGHT,
        }
        .draw(|plot| {
            for (i, values) in sorted.iter().enumerate() {
                let mut path = vec![(plot.left, plot.py(0.0))];
                for (value, share) in steps(values, (x.high - x.low) / RESOLUTION) {
                    let before = path[path.len() - 1].1;
                    path.push((plot.px(value), before));
                    path.push((plot.px(value), plot.py(share)));
                }
                path.push((plot.right, plot.py(1.0)));
                plot.canvas.polyline(&path, colour(i), marks::CURVE);
            }
        })
    }
}

/// Steps closer than the range over this number cannot be told apart on the screen.
const RESOLUTION: f64 = 2000.0;

/// The steps of the distribution function of sorted values; of steps closer than `resolution` the last one is kept.
fn steps(sorted: &[f64], resolution: f64) -> Vec<(f64, f64)> {
    let n = sorted.len() as f64;
    let mut steps: Vec<(f64, f64)> = Vec::new();
    let mut start = f64::NEG_INFINITY;
    for (i, value) in sorted.iter().enumerate() {
        let share = (i + 1) as f64 / n;
        match steps.last_mut() {
            Some(last) if value - start < resolution => *last = (*value, share),
            _ => {
                start = *value;
                steps.push((*value, share));
            }
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_one_step_and_near_steps_are_merged() {
        assert_eq!(
            steps(&[1.0, 2.0, 2.0, 4.0], 0.001),
            [(1.0, 0.25), (2.0, 0.75), (4.0, 1.0)]
        );
        assert_eq!(steps(&[1.0, 1.1, 1.2, 9.0], 0.5), [(1.2, 0.75), (9.0, 1.0)]);
    }

    #[test]
    fn a_group_without_values_is_refused() {
        assert!(Ecdf::new().draw().is_err());
        assert!(Ecdf::new().group("a", [f64::NAN]).draw().is_err());
    }
}
