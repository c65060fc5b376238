//! Count, mean and centred sum of squares of one arm, and the comparison of two.

use crate::error::{Error, Result};
use crate::inference::Estimate;
use serde::{Deserialize, Serialize};

/// Count, mean and centred sum of squares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::experiment) struct Sums {
    pub(in crate::experiment) n: f64,
    pub(in crate::experiment) mean: f64,
    pub(in crate::experiment) squares: f64,
}

impl Sums {
    /// In two passes, so that a large mean costs no digits.
    pub(in crate::experiment) fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let (n, sum) = values
            .clone()
            .fold((0.0, 0.0), |(n, sum), v| (n + 1.0, sum + v));
        if n <= 0.0 {
            return Self::default();
        }
        let mean = sum / n;
        Self {
            n,
            mean,
            squares: values.map(|v| (v - mean).powi(2)).sum(),
        }
    }

    /// Without one of the values: `m' = m − (y − m)/(n − 1)`, `S' = S − (y − m)² n/(n − 1)`.
    pub(in crate::experiment) fn without(self, value: f64) -> Self {
        let (gap, rest) = (value - self.mean, self.n - 1.0);
        Self {
            n: rest,
            mean: self.mean - gap / rest,
            squares: (self.squares - gap * gap * self.n / rest).max(0.0),
        }
    }

    pub(in crate::experiment) fn variance(self) -> f64 {
        self.squares / (self.n - 1.0)
    }

    /// Variance of the mean.
    pub(in crate::experiment) fn of_mean(self) -> f64 {
        self.variance() / self.n
    }
}

/// Satterthwaite's degrees of freedom of the sum of two variances a and b, `(a + b)²/(a²/ν_a + b²/ν_b)`: by shares, since the square of a large variance is no number.
pub(in crate::experiment) fn satterthwaite([a, b]: [f64; 2], df: [f64; 2]) -> f64 {
    let share = |part: f64| part / (a + b);
    1.0 / (share(a).powi(2) / df[0] + share(b).powi(2) / df[1])
}

/// The difference `arm − control` with Welch's standard error and degrees of freedom.
///
/// # Errors
/// `Unidentified` with fewer than two values in an arm, or none that differ.
pub(in crate::experiment) fn welch(name: &str, arm: Sums, control: Sums) -> Result<Estimate> {
    let (a, c) = (arm.of_mean(), control.of_mean());
    if arm.n < 2.0 || control.n < 2.0 || a + c <= 0.0 {
        return Err(Error::Unidentified {
            what: format!("the standard error of {name}"),
            needs: "two units or more in each arm and an outcome that varies".to_owned(),
        });
    }
    Ok(Estimate {
        name: name.to_owned(),
        estimate: arm.mean - control.mean,
        std_error: (a + c).sqrt(),
        degrees_of_freedom: satterthwaite([a, c], [arm.n - 1.0, control.n - 1.0]),
    })
}

/// Rows or units of a metric that is a ratio of sums; with denominators of one it is a mean.
#[derive(Clone, Copy, Debug)]
pub(in crate::experiment) struct Ratio<'a> {
    pub(in crate::experiment) y: &'a [f64],
    pub(in crate::experiment) n: &'a [f64],
    pub(in crate::experiment) treated: &'a [bool],
}

impl Ratio<'_> {
    /// Units, `R = Σy/Σn` and `Σn` of an arm.
    fn arm(&self, treated: bool) -> (f64, f64, f64) {
        let (mut units, mut y, mut n) = (0.0, 0.0, 0.0);
        for i in (0..self.y.len()).filter(|i| self.treated[*i] == treated) {
            units += 1.0;
            y += self.y[i];
            n += self.n[i];
        }
        (units, y / n, n)
    }

    /// The influence `(y − R n)/Σn` of a row on the ratio of its arm.
    fn influence(&self, i: usize, one: (f64, f64, f64), zero: (f64, f64, f64)) -> f64 {
        let (_, r, n) = if self.treated[i] { one } else { zero };
        (self.y[i] - r * self.n[i]) / n
    }
}

/// Refuses an arm without units to compare, or no variation.
fn usable(name: &str, one: (f64, f64, f64), zero: (f64, f64, f64), variance: f64) -> Result<()> {
    if one.0 >= 2.0 && zero.0 >= 2.0 && (one.1 - zero.1).is_finite() && variance > 0.0 {
        return Ok(());
    }
    Err(Error::Unidentified {
        what: format!("the standard error of {name}"),
        needs: "two units or more in each arm, an outcome that varies, and denominators that do not sum to zero".to_owned(),
    })
}

/// The difference of ratios with a variance for each arm by the delta method, `n/(n − 1) Σ (y − R n)²/(Σn)²`: Welch's for means.
///
/// # Errors
/// `Unidentified` with fewer than two units in an arm, zero denominators, or no variation.
pub(in crate::experiment) fn ratio_difference(name: &str, rows: &Ratio<'_>) -> Result<Estimate> {
    let (one, zero) = (rows.arm(true), rows.arm(false));
    let (mut a, mut c) = (0.0, 0.0);
    for i in 0..rows.y.len() {
        let square = rows.influence(i, one, zero).powi(2);
        if rows.treated[i] {
            a += square;
        } else {
            c += square;
        }
    }
    a *= one.0 / (one.0 - 1.0);
    c *= zero.0 / (zero.0 - 1.0);
    usable(name, one, zero, a + c)?;
    Ok(Estimate {
        name: name.to_owned(),
        estimate: one.1 - zero.1,
        std_error: (a + c).sqrt(),
        degrees_of_freedom: satterthwaite([a, c], [one.0 - 1.0, zero.0 - 1.0]),
    })
}

/// The difference of ratios with influences summed by group, `G/(G − 1) Σ_g (Σ ψ)²` and `G − 1` degrees of freedom. Groups may have rows in
/// both arms.
///
/// # Errors
/// As [`ratio_difference`], and with fewer than two groups.
pub(in crate::experiment) fn clustered_difference(
    name: &str,
    rows: &Ratio<'_>,
    groups: &[u32],
) -> Result<Estimate> {
    let (one, zero) = (rows.arm(true), rows.arm(false));
    let count = groups.iter().max().map_or(0, |g| *g as usize + 1);
    let mut sums = vec![0.0; count];
    for (i, group) in groups.iter().enumerate() {
        let sign = if rows.treated[i] { 1.0 } else { -1.0 };
        sums[*group as usize] += sign * rows.influence(i, one, zero);
    }
    let df = count as f64 - 1.0;
    let variance = sums.iter().map(|s| s * s).sum::<f64>() * count as f64 / df;
    usable(name, one, zero, variance)?;
    Ok(Estimate {
        name: name.to_owned(),
        estimate: one.1 - zero.1,
        std_error: variance.sqrt(),
        degrees_of_freedom: df,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_one_out_is_counting_without_it() {
        let y = [1.0, 4.0, -2.0, 7.5, 1e3];
        for i in 0..y.len() {
            let rest = y
                .iter()
                .enumerate()
                .filter(|(j, _)| *j != i)
                .map(|(_, v)| *v);
            let (direct, closed) = (Sums::of(rest), Sums::of(y.iter().copied()).without(y[i]));
            assert!((direct.mean - closed.mean).abs() < 1e-11 * direct.mean.abs().max(1.0));
            assert!((direct.squares - closed.squares).abs() < 1e-9 * direct.squares);
        }
        assert!(
            welch(
                "x",
                Sums::of([1.0, 1.0].into_iter()),
                Sums::of([2.0, 2.0].into_iter())
            )
            .is_err()
        );
    }

    #[test]
    fn a_ratio_with_denominators_of_one_is_welch() {
        let y = [1.0, 2.0, 6.0, 3.0, 8.0, 9.5];
        let treated = [true, false, true, false, true, false];
        let rows = Ratio {
            y: &y,
            n: &[1.0; 6],
            treated: &treated,
        };
        let ratio = ratio_difference("x", &rows).unwrap();
        let of = |arm: bool| {
            let here = (0..6).filter(move |i| treated[*i] == arm).map(|i| y[i]);
            Sums::of(here)
        };
        let direct = welch("x", of(true), of(false)).unwrap();
        assert!((ratio.estimate - direct.estimate).abs() < 1e-14);
        assert!((ratio.std_error / direct.std_error - 1.0).abs() < 1e-13);
        assert!((ratio.degrees_of_freedom - direct.degrees_of_freedom).abs() < 1e-10);
        // Rows of one group each: nearly the same variance.
        let clustered = clustered_difference("x", &rows, &[0, 1, 2, 3, 4, 5]).unwrap();
        assert!(
            (clustered.std_error / direct.std_error - (6.0_f64 / 5.0 * 2.0 / 3.0).sqrt()).abs()
                < 1e-12
        );
    }
}
