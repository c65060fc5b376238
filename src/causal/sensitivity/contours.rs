//! Level curves over the strength of what was left out.

use crate::error::Result;
use crate::report::{Cell, Figure, LinePlot};

/// Points of a curve.
const POINTS: usize = 200;

/// Halvings of the search for the level on a vertical line.
const HALVINGS: usize = 50;

/// A point of the plane with a name.
pub(super) struct Mark {
    pub(super) name: String,
    pub(super) at: [f64; 2],
}

/// Curves along which `value(x, y)`, which moves one way in y, has each of the levels, on the square from 0 to `limit`.
pub(super) fn contours(
    titles: [&str; 3],
    levels: &[f64],
    limit: f64,
    marks: &[Mark],
    value: impl Fn(f64, f64) -> f64,
) -> Result<Figure> {
    let [title, x_title, y_title] = titles;
    let mut plot = LinePlot::new()
        .title(title)
        .x_title(x_title)
        .y_title(y_title);
    let x: Vec<f64> = (0..=POINTS)
        .map(|i| limit * i as f64 / POINTS as f64)
        .collect();
    for level in levels {
        let y: Vec<f64> = x
            .iter()
            .map(|x| crossing(&value, *x, *level, limit))
            .collect();
        if y.iter().any(|y| y.is_finite()) {
            plot = plot.line(Cell::significant(*level, 3).to_string(), &x, &y);
        }
    }
    for mark in marks {
        plot = plot.line(&mark.name, [mark.at[0]], [mark.at[1]]);
    }
    plot.draw()
}

/// Where the value reaches the level above x; NaN where it does not within the limit.
fn crossing(value: &impl Fn(f64, f64) -> f64, x: f64, level: f64, limit: f64) -> f64 {
    let over = |y: f64| value(x, y) > level;
    let (mut low, mut high) = (0.0, limit);
    let start = over(low);
    if start == over(high) {
        return f64::NAN;
    }
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if over(middle) == start {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// About `count` round levels from the first to the last value, the special ones among them.
pub(super) fn levels(from: f64, to: f64, special: f64, count: usize) -> Vec<f64> {
    let (low, high) = (from.min(to), from.max(to));
    let raw = ((high - low) / count as f64).max(f64::MIN_POSITIVE);
    let power = 10.0_f64.powf(raw.log10().floor());
    let unit = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|u| u * power >= raw * (1.0 - 1e-9))
        .unwrap_or(10.0);
    let step = unit * power;
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    let mut levels: Vec<f64> = (first..=last).map(|i| i as f64 * step).collect();
    let near = |v: &f64| (v - special).abs() < 0.01 * step;
    if special >= low && special <= high && !levels.iter().any(near) {
        levels.push(special);
    }
    levels.sort_unstable_by(f64::total_cmp);
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_lies_where_the_level_is() {
        let value = |x: f64, y: f64| 1.0 - x * y;
        let y = crossing(&value, 0.5, 0.8, 1.0);
        assert!((y - 0.4).abs() < 1e-12);
        assert!(crossing(&value, 0.1, 0.8, 1.0).is_nan());
    }

    #[test]
    fn levels_are_round_and_hold_the_special_one() {
        assert_eq!(levels(0.1, -0.1, 0.0, 5), [-0.1, -0.05, 0.0, 0.05, 0.1]);
        let t = levels(4.2, -3.0, 1.96, 6);
        assert!(t.contains(&1.96) && t.contains(&2.0) && t.contains(&-2.0));
    }
}
