//! Manski's bounds of an average effect when nobody's other outcome is seen.

use super::arms::{Bounded, less};
use super::identified_set::IdentifiedSet;
use crate::causal::builders::row_columns;
use crate::causal::units::Linearised;
use crate::data::Frame;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Which way something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Monotone {
    /// Treatment never lowers an outcome; the treated have outcomes at least as high.
    Increasing,
    /// Treatment never raises one; the treated have outcomes at most as high.
    Decreasing,
}

/// Bounds of the average effect `E[Y(1) − Y(0)]` of a treatment that was chosen, for outcomes between two known values.
///
/// With nothing assumed, `P(W=1) E[Y|W=1] + P(W=0) [low, high]` holds `E[Y(1)]`, and likewise for `E[Y(0)]`: the bounds are `high − low` apart. Assumptions that may be added:
///
/// - monotone treatment response, `Y(1) ≥ Y(0)` for everybody: `E[Y(1)] ≥ E[Y] ≥ E[Y(0)]`, and no effect is negative;
/// - monotone treatment selection, `E[Y(w)|W=1] ≥ E[Y(w)|W=0]` for both w: `E[Y(1)] ≤ E[Y|W=1]` and `E[Y(0)] ≥ E[Y|W=0]`, and the effect is at most the difference of means;
///
/// or the reverse of either. [`Encouragement`](crate::experiment::Encouragement) has bounds with an instrument, [`LeeBounds`](super::LeeBounds) those of a trial whose outcomes are missing for some.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `monotone_response` | none | direction of every effect | |
/// | `monotone_selection` | none | direction of who chooses treatment | |
/// | `weights`, `clusters` | none | columns | |
///
/// # Errors
/// [`Error::OutOfRange`](crate::Error::OutOfRange) for an outcome beyond the bounds given or a treatment other than 0 and 1; [`Error::InvalidOption`](crate::Error::InvalidOption) for bounds that are not finite and in order; [`Error::NoRows`](crate::Error::NoRows) for an arm with
/// fewer than two rows; those of weights and clusters.
///
/// # References
/// - Manski, C. F. (1990). Nonparametric bounds on treatment effects. *American Economic Review* 80(2), 319–323.
/// - Manski, C. F. (1997). Monotone treatment response. *Econometrica* 65(6), 1311–1334. doi:10.2307/2171738
/// - Manski, C. F. & Pepper, J. V. (2000). Monotone instrumental variables. *Econometrica* 68(4), 997–1010. doi:10.1111/1468-0262.00144
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::new()
///     .with("stays", vec![1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0])?
///     .with("co_created", vec![1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])?;
/// let bounds = ManskiBounds::new("stays", "co_created", 0.0, 1.0);
/// let nothing = bounds.fit(&frame)?;
/// let both = bounds
///     .monotone_response(Monotone::Increasing)
///     .monotone_selection(Monotone::Increasing)
///     .fit(&frame)?;
/// assert!((nothing.lower + 0.25).abs() < 1e-12 && (nothing.upper - 0.75).abs() < 1e-12);
/// assert!(both.lower.abs() < 1e-12 && (both.upper - 0.5).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManskiBounds {
    bounded: Bounded,
    response: Option<Monotone>,
    selection: Option<Monotone>,
}

row_columns!(
    ManskiBounds,
    "A column of clusters: errors allow for dependence within them.",
    bounded,
    columns
);

impl ManskiBounds {
    /// The effect of a treatment of 0 and 1 on an outcome that is never below `low` or above `high`.
    pub fn new(
        outcome: impl Into<String>,
        treatment: impl Into<String>,
        low: f64,
        high: f64,
    ) -> Self {
        Self {
            bounded: Bounded::new(outcome, treatment, low, high),
            response: None,
            selection: None,
        }
    }

    /// Nobody's outcome moves the other way.
    pub fn monotone_response(mut self, direction: Monotone) -> Self {
        self.response = Some(direction);
        self
    }

    /// Those who choose treatment have the higher (or lower) outcomes in both states.
    pub fn monotone_selection(mut self, direction: Monotone) -> Self {
        self.selection = Some(direction);
        self
    }

    /// The bounds.
    ///
    /// # Errors
    /// See [`ManskiBounds`].
    pub fn fit(&self, frame: &Frame) -> Result<IdentifiedSet> {
        let arms = self.bounded.read(frame, false)?;
        let worst = |arm: bool, unseen: f64| {
            arms.mean(
                |i| {
                    if arms.treated[i] == arm {
                        arms.y[i]
                    } else {
                        unseen
                    }
                },
                |_| true,
            )
        };
        let own = |arm: bool| arms.mean(|i| arms.y[i], |i| arms.treated[i] == arm);
        let everybody = arms.mean(|i| arms.y[i], |_| true);
        // Of E[Y(0)] and E[Y(1)]; where two bounds hold the tighter one is used, with its error.
        let [mut lower, mut upper] = [self.bounded.low, self.bounded.high]
            .map(|unseen| [worst(false, unseen), worst(true, unseen)]);
        let tighter = |bound: &mut Linearised, other: &Linearised, sign: f64| {
            if sign * (other.estimate - bound.estimate) > 0.0 {
                bound.clone_from(other);
            }
        };
        if let Some(direction) = self.response {
            let up = usize::from(direction == Monotone::Increasing);
            tighter(&mut lower[up], &everybody, 1.0);
            tighter(&mut upper[1 - up], &everybody, -1.0);
        }
        if let Some(direction) = self.selection {
            let up = usize::from(direction == Monotone::Increasing);
            tighter(&mut upper[up], &own(up == 1), -1.0);
            tighter(&mut lower[1 - up], &own(up == 0), 1.0);
        }
        let ends = [less(&lower[1], &upper[0]), less(&upper[1], &lower[0])];
        Ok(self.bounded.set(self.assumption(), &ends, arms))
    }

    fn assumption(&self) -> String {
        let way = |what: &str, direction: Option<Monotone>| match direction {
            Some(Monotone::Increasing) => format!(", monotone treatment {what} (increasing)"),
            Some(Monotone::Decreasing) => format!(", monotone treatment {what} (decreasing)"),
            None => String::new(),
        };
        format!(
            "Outcomes from {} to {}{}{}",
            self.bounded.low,
            self.bounded.high,
            way("response", self.response),
            way("selection", self.selection)
        )
    }
}
