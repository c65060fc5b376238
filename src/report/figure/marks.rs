//! Points, whiskers and legend swatches.

use super::axes::{Key, Plot};
use super::canvas::{Canvas, FAINT, GREY, colour};
use plotters::style::{RGBColor, WHITE};

/// What a legend entry shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mark {
    /// The point of a series.
    Point(usize),
    /// The line of a series.
    Line(usize),
    /// A line behind the others.
    Background,
    /// The area of a series.
    Block(usize),
    /// A hollow point.
    Hollow,
}

/// Radius of a point.
pub(super) const RADIUS: f64 = 4.5;
/// Width of a whisker.
const WHISKER: f64 = 1.8;
/// Width of a curve.
pub(super) const CURVE: f64 = 2.2;
/// Half the width of an arrow's head, and its length.
const ARROW: f64 = 4.5;

/// Width of a curve in the background.
pub(super) const THIN: f64 = 1.1;

/// Legend entries for named series; a single one needs none.
pub(super) fn keys<'n>(
    names: impl IntoIterator<Item = &'n str>,
    mark: impl Fn(usize) -> Mark,
) -> Vec<Key> {
    let keys: Vec<Key> = names
        .into_iter()
        .enumerate()
        .filter(|(_, name)| !name.is_empty())
        .map(|(i, name)| Key {
            label: name.to_owned(),
            mark: mark(i),
        })
        .collect();
    if keys.len() > 1 { keys } else { Vec::new() }
}

/// The point of a series: colour and shape both tell it apart.
pub(super) fn point(canvas: &mut Canvas<'_>, series: usize, (x, y): (f64, f64), radius: f64) {
    let colour = colour(series);
    let r = radius;
    match series % 4 {
        0 => canvas.disc((x, y), r, colour),
        1 => {
            let r = 0.89 * r; // a square of the disc's area
            canvas.rectangle((x - r, y - r), (x + r, y + r), colour, 1.0);
        }
        2 => {
            let r = 1.25 * r;
            canvas.polygon(
                &[
                    (x, y - r),
                    (x + 0.93 * r, y + 0.6 * r),
                    (x - 0.93 * r, y + 0.6 * r),
                ],
                colour,
                1.0,
            );
        }
        _ => {
            let r = 1.25 * r;
            canvas.polygon(
                &[(x, y - r), (x + r, y), (x, y + r), (x - r, y)],
                colour,
                1.0,
            );
        }
    }
}

/// A point that was not estimated.
pub(super) fn hollow(canvas: &mut Canvas<'_>, at: (f64, f64)) {
    canvas.disc(at, RADIUS, GREY);
    canvas.disc(at, RADIUS - 1.5, WHITE);
}

/// An interval across the plot at this height; an unbounded end is an arrow at the edge. Nothing when an end is NaN.
pub(super) fn horizontal_whisker(
    plot: &mut Plot<'_, '_>,
    series: usize,
    (low, high): (f64, f64),
    y: f64,
) {
    if low.is_nan() || high.is_nan() {
        return;
    }
    let left = if low.is_finite() {
        plot.px(low)
    } else {
        plot.left
    };
    let right = if high.is_finite() {
        plot.px(high)
    } else {
        plot.right
    };
    let colour = colour(series);
    plot.canvas.line((left, y), (right, y), colour, WHISKER);
    if !low.is_finite() {
        arrow(plot.canvas, (left, y), (-1.0, 0.0), colour);
    }
    if !high.is_finite() {
        arrow(plot.canvas, (right, y), (1.0, 0.0), colour);
    }
}

/// An interval along the plot at this place; an unbounded end is an arrow at the edge. Nothing when an end is NaN.
pub(super) fn vertical_whisker(
    plot: &mut Plot<'_, '_>,
    series: usize,
    (low, high): (f64, f64),
    x: f64,
) {
    if low.is_nan() || high.is_nan() {
        return;
    }
    let lower = if low.is_finite() {
        plot.py(low)
    } else {
        plot.bottom
    };
    let upper = if high.is_finite() {
        plot.py(high)
    } else {
        plot.top
    };
    let colour = colour(series);
    plot.canvas.line((x, lower), (x, upper), colour, WHISKER);
    if !low.is_finite() {
        arrow(plot.canvas, (x, lower), (0.0, 1.0), colour);
    }
    if !high.is_finite() {
        arrow(plot.canvas, (x, upper), (0.0, -1.0), colour);
    }
}

/// The swatch of a legend entry.
pub(super) fn key(canvas: &mut Canvas<'_>, mark: Mark, (x, y): (f64, f64)) {
    const HALF: f64 = 9.0;
    match mark {
        Mark::Point(series) => point(canvas, series, (x, y), RADIUS),
        Mark::Line(series) => canvas.line((x - HALF, y), (x + HALF, y), colour(series), CURVE),
        Mark::Background => canvas.line((x - HALF, y), (x + HALF, y), FAINT, THIN),
        Mark::Block(series) => {
            canvas.rectangle(
                (x - HALF, y - 5.0),
                (x + HALF, y + 5.0),
                colour(series),
                1.0,
            );
        }
        Mark::Hollow => hollow(canvas, (x, y)),
    }
}

/// The shift in pixels of series `i` of `n` that share a slot, so that their marks stand side by side.
pub(super) fn dodge(i: usize, n: usize, step: f64) -> f64 {
    (i as f64 - (n as f64 - 1.0) / 2.0) * step
}

/// A head whose tip is at this point, looking this way.
fn arrow(canvas: &mut Canvas<'_>, (x, y): (f64, f64), (dx, dy): (f64, f64), colour: RGBColor) {
    let base = (x - 1.8 * ARROW * dx, y - 1.8 * ARROW * dy);
    canvas.polygon(
        &[
            (x, y),
            (base.0 - ARROW * dy, base.1 + ARROW * dx),
            (base.0 + ARROW * dy, base.1 - ARROW * dx),
        ],
        colour,
        1.0,
    );
}
