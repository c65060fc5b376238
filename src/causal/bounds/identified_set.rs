//! An interval that holds the effect, and confidence intervals for the effect and for the interval.

use crate::causal::units::{Linearised, Units};
use crate::error::{Result, Warning};
use crate::inference::{Interval, check_level};
use crate::numeric::special::{normal, student_t};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// All effects that agree with data and assumptions, from a lower to an upper bound with their standard errors.
///
/// The interval of Imbens & Manski, [`IdentifiedSet::confidence_interval`], covers the effect, wherever it lies between the bounds, with at least the level: its ends are c standard errors outside, with
/// `Φ(c + Δ/max(s_l, s_u)) − Φ(−c) = level` and Δ the estimated distance of the bounds. [`IdentifiedSet::set_interval`] covers the whole set.
///
/// # References
/// Imbens, G. W. & Manski, C. F. (2004). Confidence intervals for partially identified parameters. *Econometrica* 72(6), 1845–1857. doi:10.1111/j.1468-0262.2004.00555.x
///
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::new().with("buys", vec![1.0, 1.0, 0.0, 1.0, 0.0, 0.0])?.with("asked", vec![1.0, 1.0, 1.0, 0.0, 0.0, 0.0])?;
/// let set = ManskiBounds::new("buys", "asked", 0.0, 1.0).fit(&frame)?;
/// assert!((set.lower - (-1.0 / 3.0)).abs() < 1e-12 && (set.width() - 1.0).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentifiedSet {
    /// What is bounded.
    pub name: String,
    /// What must hold.
    pub assumption: String,
    /// The smallest effect.
    pub lower: f64,
    /// The largest.
    pub upper: f64,
    /// Standard error of the lower bound.
    pub lower_error: f64,
    /// Standard error of the upper bound.
    pub upper_error: f64,
    /// Degrees of freedom of their t distributions; infinite without clusters.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub degrees_of_freedom: f64,
    /// Rows used.
    pub rows: usize,
    /// What a reader must know.
    pub warnings: Vec<Warning>,
}

impl IdentifiedSet {
    pub(super) fn new(
        name: String,
        assumption: String,
        ends: &[Linearised; 2],
        units: &Units,
        mut warnings: Vec<Warning>,
    ) -> Self {
        let [lower, upper] = [0, 1].map(|k: usize| {
            let end = &ends[k];
            units.estimate(&name, end.estimate, &end.influence)
        });
        if lower.estimate > upper.estimate {
            warnings.push(Warning::Note {
                message: format!(
                    "the bounds cross ({:.4} above {:.4}): sampling error, or data that contradict the assumption; test it or drop it",
                    lower.estimate, upper.estimate
                ),
            });
        }
        Self {
            lower: lower.estimate,
            upper: upper.estimate,
            lower_error: lower.std_error,
            upper_error: upper.std_error,
            degrees_of_freedom: lower.degrees_of_freedom,
            rows: units.weights.len(),
            name,
            assumption,
            warnings,
        }
    }

    /// The distance of the bounds; negative when they cross.
    pub fn width(&self) -> f64 {
        self.upper - self.lower
    }

    /// Whether an effect lies between the bounds.
    pub fn contains(&self, effect: f64) -> bool {
        self.lower <= effect && effect <= self.upper
    }

    /// The interval of Imbens and Manski for the effect.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for a level outside (0, 1).
    pub fn confidence_interval(&self, level: f64) -> Result<Interval> {
        check_level(level)?;
        let most = self.lower_error.max(self.upper_error);
        let width = if most > 0.0 {
            self.width().max(0.0) / most
        } else {
            f64::INFINITY
        };
        Ok(self.outside(level, critical(width, level, self.degrees_of_freedom)))
    }

    /// An interval that covers the whole set with at least the level: each end misses with half the rest.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for a level outside (0, 1).
    pub fn set_interval(&self, level: f64) -> Result<Interval> {
        check_level(level)?;
        let c = student_t::quantile(0.5 + level / 2.0, self.degrees_of_freedom);
        Ok(self.outside(level, c))
    }

    /// The bounds, their errors and the interval at 95 %.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 5;
        let shown = |v: f64| Cell::significant(v, DIGITS);
        let mut table = Table::new(format!("Bounds of {}", self.name)).columns([
            "",
            "Bound",
            "Std. error",
            "95 % interval of the effect",
        ]);
        let ends = self.confidence_interval(0.95);
        let ends = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
        for (name, bound, error, end) in [
            ("lower", self.lower, self.lower_error, ends.0),
            ("upper", self.upper, self.upper_error, ends.1),
        ] {
            table = table.row([Cell::text(name), shown(bound), shown(error), shown(end)]);
        }
        table
            .note(format!(
                "{}. {} rows.",
                self.assumption,
                Cell::count(self.rows)
            ))
            .warned(&self.warnings)
    }

    fn outside(&self, level: f64, c: f64) -> Interval {
        Interval {
            name: self.name.clone(),
            level,
            lower: self.lower - c * self.lower_error,
            upper: self.upper + c * self.upper_error,
        }
    }
}

crate::report::notebook::shown!(IdentifiedSet);

/// The c with `F(c + width) − F(−c) = level`, F normal or t, for a set that is `width` standard errors wide.
pub(crate) fn critical(width: f64, level: f64, degrees_of_freedom: f64) -> f64 {
    const HALVINGS: usize = 100;
    let below = |x: f64| {
        if degrees_of_freedom.is_finite() {
            student_t::cdf(x, degrees_of_freedom)
        } else {
            normal::cdf(x)
        }
    };
    // One-sided for wide sets, two-sided for points.
    let mut low = 0.0;
    let mut high = student_t::quantile(0.5 + level / 2.0, degrees_of_freedom);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if below(middle + width) - below(-middle) < level {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_critical_value_goes_from_two_sides_to_one() {
        let infinite = f64::INFINITY;
        assert!((critical(0.0, 0.95, infinite) - normal::quantile(0.975)).abs() < 1e-12);
        assert!((critical(infinite, 0.95, infinite) - normal::quantile(0.95)).abs() < 1e-12);
        assert!((critical(infinite, 0.95, 7.0) - student_t::quantile(0.95, 7.0)).abs() < 1e-9);
        let between = critical(0.5, 0.95, infinite);
        assert!(between > normal::quantile(0.95) && between < normal::quantile(0.975));
    }
}
