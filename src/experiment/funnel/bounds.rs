//! What the comparison of those who reached a stage can say about the effect there: bounds without and with monotone selection.

use crate::causal::bounds::critical;
use crate::error::Result;
use crate::inference::check_level;
use crate::numeric::derivative::gradient;
use crate::report::Cell;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An interval that must hold the effect, with a confidence interval for the effect in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectBounds {
    /// What must hold for it.
    pub assumption: String,
    /// The smallest effect that agrees with the data.
    pub lower: f64,
    /// The largest.
    pub upper: f64,
    /// Standard error of the lower end, by the delta method with independent rows.
    pub lower_error: f64,
    /// Of the upper end.
    pub upper_error: f64,
}

impl EffectBounds {
    /// The confidence interval for the effect (not for the whole interval) of Imbens and Manski (2004): ends moved out by c standard errors,
    /// with `Φ(c + Δ/max s) − Φ(−c) = level`.
    ///
    /// # Errors
    /// [`crate::Error::InvalidOption`] for a level outside (0, 1).
    pub fn confidence_interval(&self, level: f64) -> Result<[f64; 2]> {
        check_level(level)?;
        let most = self.lower_error.max(self.upper_error);
        let width = if most > 0.0 {
            (self.upper - self.lower) / most
        } else {
            f64::INFINITY
        };
        let c = critical(width, level, f64::INFINITY);
        let ends = [
            self.lower - c * self.lower_error,
            self.upper + c * self.upper_error,
        ];
        Ok(ends.map(|e| e.clamp(-1.0, 1.0)))
    }
}

impl fmt::Display for EffectBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |v: f64| Cell::fixed(v, 4).to_string();
        write!(
            f,
            "[{}, {}] ({})",
            shown(self.lower),
            shown(self.upper),
            self.assumption
        )
    }
}

/// Those assigned to an arm: how many, how many reached the stage, how many passed it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Counts {
    pub(super) assigned: f64,
    pub(super) reached: f64,
    pub(super) passed: f64,
}

impl Counts {
    /// The shares reached, and passed among them.
    fn shares(self) -> [f64; 2] {
        [self.reached / self.assigned, self.passed / self.reached]
    }

    fn variances(self) -> [f64; 2] {
        let [p, r] = self.shares();
        [p * (1.0 - p) / self.assigned, r * (1.0 - r) / self.reached]
    }
}

/// Manski's bounds on the mean effect on passing the stage, had everybody reached it: nothing is assumed of those who did not.
pub(super) fn manski(treated: Counts, control: Counts) -> EffectBounds {
    let ends = |x: &[f64]| {
        let [p1, r1, p0, r0] = [x[0], x[1], x[2], x[3]];
        [
            p1 * r1 - p0 * r0 - (1.0 - p0),
            p1 * r1 + (1.0 - p1) - p0 * r0,
        ]
    };
    bounds("Manski: everybody, nothing assumed", treated, control, ends)
}

/// Lee's bounds on the effect for those who reach the stage in either arm, when the arm moves everybody who moves the same way. The arm with
/// more who reached is trimmed by the excess share from either end; passing is 0 or 1.
pub(super) fn lee(treated: Counts, control: Counts) -> EffectBounds {
    let ends = |x: &[f64]| {
        let [p1, r1, p0, r0] = [x[0], x[1], x[2], x[3]];
        // Of the larger arm, the share that reaches in the other arm too, and its rate when the others all passed or all failed.
        let trimmed = |kept: f64, rate: f64| {
            let excess = 1.0 - kept;
            [((rate - excess) / kept).max(0.0), (rate / kept).min(1.0)]
        };
        if p1 >= p0 {
            let [low, high] = trimmed(p0 / p1, r1);
            [low - r0, high - r0]
        } else {
            let [low, high] = trimmed(p1 / p0, r0);
            [r1 - high, r1 - low]
        }
    };
    let assumption = if treated.shares()[0] >= control.shares()[0] {
        "Lee: those who always reach it; the arm never keeps anybody from reaching it"
    } else {
        "Lee: those who always reach it; the arm never brings anybody to reach it"
    };
    bounds(assumption, treated, control, ends)
}

fn bounds(
    assumption: &str,
    treated: Counts,
    control: Counts,
    ends: impl Fn(&[f64]) -> [f64; 2],
) -> EffectBounds {
    let at = [treated.shares(), control.shares()].concat();
    let variances = [treated.variances(), control.variances()].concat();
    let error = |which: usize| {
        gradient(|x: &[f64]| ends(x)[which], &at).map_or(f64::NAN, |slopes| {
            let terms = slopes.iter().zip(&variances);
            terms.map(|(s, v)| s * s * v).sum::<f64>().sqrt()
        })
    };
    let [lower, upper] = ends(&at);
    EffectBounds {
        assumption: assumption.to_owned(),
        lower,
        upper,
        lower_error: error(0),
        upper_error: error(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::special::normal;

    const TREATED: Counts = Counts {
        assigned: 1000.0,
        reached: 500.0,
        passed: 200.0,
    };
    const CONTROL: Counts = Counts {
        assigned: 1000.0,
        reached: 400.0,
        passed: 180.0,
    };

    #[test]
    fn bounds_are_those_of_the_papers() {
        let m = manski(TREATED, CONTROL);
        // P(y = 1) lies in [.2, .7] and in [.18, .78].
        assert!((m.lower - (0.2 - 0.78)).abs() < 1e-12 && (m.upper - (0.7 - 0.18)).abs() < 1e-12);
        let l = lee(TREATED, CONTROL);
        // A fifth of the treated who reached is trimmed: 100 of 500; rates 100/400 to 200/400 against 180/400.
        assert!((l.lower - (0.25 - 0.45)).abs() < 1e-12 && (l.upper - 0.05).abs() < 1e-12);
        // Exchanging the arms turns the signs.
        let back = lee(CONTROL, TREATED);
        assert!((back.lower + l.upper).abs() < 1e-12 && (back.upper + l.lower).abs() < 1e-12);
        assert!(m.lower < l.lower && l.upper < m.upper);
    }

    #[test]
    fn the_interval_of_imbens_and_manski_lies_between_one_and_two_sides() {
        let mut b = manski(TREATED, CONTROL);
        let [low, high] = b.confidence_interval(0.95).unwrap();
        let one_sided = normal::quantile(0.95);
        assert!((b.lower - low - one_sided * b.lower_error).abs() < 1e-9);
        assert!((high - b.upper - one_sided * b.upper_error).abs() < 1e-9);
        b.upper = b.lower;
        b.upper_error = b.lower_error;
        let [low, _] = b.confidence_interval(0.95).unwrap();
        assert!((b.lower - low - normal::quantile(0.975) * b.lower_error).abs() < 1e-9);
    }

    #[test]
    fn errors_are_those_of_simple_cases() {
        // When everybody reaches, both bounds are the difference of shares, with its usual error.
        let all = |passed: f64| Counts {
            assigned: 400.0,
            reached: 400.0,
            passed,
        };
        let b = lee(all(100.0), all(80.0));
        let expected = (0.25 * 0.75 / 400.0 + 0.2 * 0.8 / 400.0_f64).sqrt();
        assert!((b.lower - 0.05).abs() < 1e-12);
        let m = manski(all(100.0), all(80.0));
        assert!((m.lower - 0.05).abs() < 1e-12 && (m.upper - 0.05).abs() < 1e-12);
        assert!((m.lower_error - expected).abs() < 1e-6);
    }
}
