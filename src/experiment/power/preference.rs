//! Power of an interleaving comparison.

use super::planner::{Planner, Setting};
use super::rejection::{Precision, Tested, planned, tested};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Power of the preference between two interleaved rankings, `Δ = P(A wins) − ½` with ties split
/// ([`InterleavingTest`](crate::experiment::InterleavingTest)).
///
/// A unit scores 1, ½ or 0. With a share t of ties and a preference Δ its variance is `(1 − t)/4 − Δ²`, and the t test of n units is non-central with
/// `Δ√n/σ`. Ties cost no more than their share: they are known not to differ. [`InterleavingSensitivity`](crate::experiment::InterleavingSensitivity)
/// finds Δ and t for given rankings and clicks, and compares with an A/B test.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `ties` | | share t of units without preference | [0, 1) |
/// | `effect` | none | Δ | below (1 − t)/2 in size |
///
/// ```
/// use cocreate::prelude::*;
/// let plan = PreferencePower::new(0.6).effect(0.01).sample_size(0.8)?; // 21 % against 19 % win, the others tie
/// assert!((plan.size - 7_843.0).abs() < 5.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Chapelle, Joachims, Radlinski & Yue (2012), doi:10.1145/2094072.2094078.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreferencePower {
    ties: f64,
    tested: Tested,
}

tested!(PreferencePower);

impl PreferencePower {
    /// Units (lists, or users) of which this share ties.
    pub fn new(ties: f64) -> Self {
        Self {
            ties,
            tested: Tested::default(),
        }
    }
}

impl Planner for PreferencePower {
    planned!();

    fn check(&self) -> Result<()> {
        if !(0.0..1.0).contains(&self.ties) {
            return Err(Error::invalid_option(
                "ties",
                self.ties,
                "at least 0 and below 1",
            ));
        }
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let mut setting = Setting::new(
            "Interleaving, t test of the preference",
            "lists or users",
            "Preference, P(win) − ½ with ties split",
            3.0,
        )
        .assume("Share of ties", self.ties);
        setting.limit = 0.5 * (1.0 - self.ties);
        self.tested.place(setting)
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let variance = 0.25 * (1.0 - self.ties) - effect * effect;
        let std_error = (variance / size).sqrt();
        self.tested
            .power(effect, Precision::new(std_error, size - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Frame;
    use crate::experiment::InterleavingTest;
    use crate::numeric::permutation::open_unit;
    use crate::numeric::{Seed, blocks};
    use rand::Rng;

    #[test]
    fn simulated_comparisons_reject_as_often_as_planned() {
        const RUNS: usize = 1500;
        const UNITS: usize = 300;
        for (ties, effect) in [(0.5, 0.05), (0.0, 0.08), (0.7, 0.0)] {
            let rejected = blocks::map(RUNS, |run| {
                let mut random = Seed::new(17).stream(run as u64);
                let win = 0.5 * (1.0 - ties) + effect;
                let (mut a, mut b) = (vec![], vec![]);
                for _ in 0..UNITS {
                    let u = open_unit(random.next_u64());
                    a.push(f64::from(u8::from(u < win)));
                    b.push(f64::from(u8::from(u >= win + ties)));
                }
                let frame = Frame::new().with("a", a).unwrap().with("b", b).unwrap();
                let fit = InterleavingTest::new("a", "b").fit(&frame).unwrap();
                fit.preference.p_value() < 0.05
            });
            let share = rejected.iter().filter(|r| **r).count() as f64 / RUNS as f64;
            let planner = PreferencePower::new(ties).effect(effect);
            let power = planner.power(UNITS as f64).unwrap().power;
            let error = (power * (1.0 - power) / RUNS as f64).sqrt();
            assert!(
                (share - power).abs() < 3.5 * error,
                "{ties}: {share} {power}"
            );
        }
    }

    #[test]
    fn the_three_questions_invert_each_other_and_nonsense_is_refused() {
        let planner = PreferencePower::new(0.3).effect(-0.04);
        let plan = planner.sample_size(0.8).unwrap();
        assert!((planner.power(plan.size).unwrap().power - 0.8).abs() < 1e-10);
        assert!((planner.mde(plan.size, 0.8).unwrap().effect + 0.04).abs() < 1e-9);
        assert!(PreferencePower::new(1.0).effect(0.1).power(99.0).is_err());
        assert!(PreferencePower::new(0.9).effect(0.2).power(99.0).is_err());
        // In ten units even the largest preference is seen with this power, or the plan says that none is.
        assert!(PreferencePower::new(0.9).mde(10.0, 0.9).is_err());
    }
}
