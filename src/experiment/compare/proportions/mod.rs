//! Proportions: one, two independent ones, two of the same units.

mod difference;
mod mcnemar;
mod odds;
mod one;
mod ratio;
mod two;
mod unconditional;

pub use difference::DifferenceInterval;
pub use mcnemar::McNemar;
pub use odds::OddsRatioInterval;
pub use one::{OneProportion, OneProportionTest, ProportionInterval};
pub use ratio::RatioInterval;
pub use two::{ProportionTest, TwoProportions};

use crate::inference::{Alternative, Segment};

/// Successes and trials of two arms.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Counts {
    /// Successes of the treatment and control.
    x: [u64; 2],
    /// Their trials.
    n: [u64; 2],
}

impl Counts {
    fn shares(&self) -> [f64; 2] {
        [0, 1].map(|i| self.x[i] as f64 / self.n[i] as f64)
    }

    fn trials(&self) -> [f64; 2] {
        self.n.map(|n| n as f64)
    }

    fn successes(&self) -> [f64; 2] {
        self.x.map(|x| x as f64)
    }
}

/// The interval without the end that a one-sided alternative does not look at: it is the end of the range.
fn open_within(segment: Segment, alternative: Alternative, range: [f64; 2]) -> Segment {
    Segment {
        lower: if alternative == Alternative::Less {
            range[0]
        } else {
            segment.lower
        },
        upper: if alternative == Alternative::Greater {
            range[1]
        } else {
            segment.upper
        },
    }
}
