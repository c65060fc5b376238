//! What every curve shows: where its table looks, how finely it is drawn, and how sure its intervals are.

use crate::error::{Error, Result};
use crate::inference::check_level;
use serde::Serialize;

/// The options that curves share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Shape {
    /// The places that the table shows.
    pub(super) at: Vec<f64>,
    /// Points of the curve.
    pub(super) points: usize,
    /// Level of intervals and bands.
    pub(super) level: f64,
}

impl Shape {
    pub(super) fn new(at: Vec<f64>) -> Self {
        Self {
            at,
            points: 100,
            level: 0.95,
        }
    }

    /// Refuses places that are not above zero and at most `highest`, and other options out of range.
    pub(super) fn check(&self, highest: f64) -> Result<()> {
        const MOST_POINTS: usize = 10_000;
        check_level(self.level)?;
        let good = |at: &f64| at.is_finite() && *at > 0.0 && *at <= highest;
        if let Some(at) = self.at.iter().find(|at| !good(at)) {
            let expected = if highest.is_finite() {
                format!("above 0 and at most {highest}")
            } else {
                "above 0 and finite".to_owned()
            };
            return Err(Error::invalid_option("at", at, expected));
        }
        if !(2..=MOST_POINTS).contains(&self.points) {
            let expected = format!("between 2 and {MOST_POINTS}");
            return Err(Error::invalid_option("points", self.points, expected));
        }
        Ok(())
    }

    /// Equal steps up to the highest place, which is the last of them to the bit.
    pub(super) fn steps(&self, highest: f64) -> Vec<f64> {
        steps(self.points, highest)
    }
}

/// So many equal steps up to a place.
pub(super) fn steps(count: usize, highest: f64) -> Vec<f64> {
    let part = |i: usize| i as f64 / count as f64;
    (1..=count).map(|i| highest * part(i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_within_the_curve_and_steps_end_on_it() {
        let shape = Shape::new(vec![0.3, 0.7]);
        assert!(shape.check(1.0).is_ok());
        let low = shape.check(0.5).unwrap_err().to_string();
        assert!(low.contains("0.7") && low.contains("at most 0.5"), "{low}");
        assert!(Shape::new(vec![f64::NAN]).check(f64::INFINITY).is_err());
        let most = 0.1 + 0.2;
        assert_eq!(shape.steps(most)[99], most);
        assert_eq!(steps(4, 1.0), [0.25, 0.5, 0.75, 1.0]);
    }
}
