//! The two-sample test of Kolmogorov and Smirnov.

use super::super::result::{Comparison, ComparisonTest, NullDistribution};
use super::super::sample::{Options, TwoArms, two_arms};
use super::{RankMethod, by_median, too_many_for_exact};
use crate::data::Frame;
use crate::error::Result;
use crate::inference::{Alternative, check_level};
use serde::{Deserialize, Serialize};

/// The default is exact up to this size of the larger arm.
const MOST_ROWS: usize = 10_000;

/// Kolmogorov and Smirnov's test that two arms have the same distribution, by the largest gap `D = sup |F₁ − F₀|` between their distribution
/// functions. It notices any change, of spread and shape too, and each less well than a test made for it.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `treatment`, `control` | the two arms; the first level is the control | which arms | levels of the column |
/// | `method` | auto: exact up to 10 000 observations in the larger arm | p-value | see [`RankMethod`] |
/// | `alternative` | two-sided | `Greater`: larger values under treatment, `sup (F₀ − F₁)` | see [`Alternative`] |
///
/// The exact distribution is that of continuous outcomes; with ties the test rejects too rarely.
///
/// ```
/// use cocreate::prelude::*;
/// let fit = KolmogorovSmirnov::default().compare(&[1.0, 2.0, 3.0, 4.0], &[3.5, 5.0, 6.0, 7.0])?;
/// assert!((fit.statistic() - 0.75).abs() < 1e-12 && (fit.p_value() - 16.0 / 70.0).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// As [`TwoMeans`](crate::experiment::compare::TwoMeans), from one observation an arm on; [`Error::InvalidOption`](crate::Error::InvalidOption) for the exact method in arms whose
/// product exceeds 10⁹.
///
/// # References
/// Smirnov (1939); Hodges (1958), doi:10.1007/BF02589501.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KolmogorovSmirnov {
    options: Options,
    method: RankMethod,
}

impl KolmogorovSmirnov {
    /// Compares a column between the arms of another.
    pub fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            options: Options::new(outcome, arm),
            method: RankMethod::Auto,
        }
    }

    /// How the p-value is computed.
    pub fn method(mut self, method: RankMethod) -> Self {
        self.method = method;
        self
    }

    fn run(&self, arms: &TwoArms) -> Result<Comparison> {
        /// Steps of the exact computation: seconds.
        const MOST_STEPS: usize = 1_000_000_000;
        let [treatment, control] = &arms.values;
        let (n, m) = (treatment.len(), control.len());
        let exact = match self.method {
            RankMethod::Auto => n.max(m) <= MOST_ROWS,
            RankMethod::Asymptotic => false,
            RankMethod::Exact if n.saturating_mul(m) > MOST_STEPS => {
                too_many_for_exact("asymptotic in samples of this size".to_owned())?
            }
            RankMethod::Exact => true,
        };
        let alternative = self.options.alternative;
        let gap = largest_gap(treatment, control, alternative);
        let d = gap as f64 / (n as f64 * m as f64);
        let p_value = if exact {
            exact_p(n, m, gap, alternative)
        } else {
            limit_p(n as f64, m as f64, d, alternative)
        };
        Ok(Comparison {
            title: format!("Kolmogorov–Smirnov test of {}", arms.contrast()),
            location: "Median".to_owned(),
            arms: vec![
                by_median(&arms.names[0], treatment),
                by_median(&arms.names[1], control),
            ],
            effects: Vec::new(),
            tests: vec![ComparisonTest {
                name: "Kolmogorov–Smirnov test".to_owned(),
                statistic: d,
                distribution: if exact {
                    NullDistribution::Exact
                } else {
                    NullDistribution::Kolmogorov
                },
                alternative,
                p_value,
            }],
            warnings: arms.warnings.clone(),
        })
    }
}

two_arms!(KolmogorovSmirnov);

/// `n₁n₀ (F₀ − F₁)` as a whole number, turned so that large values speak against the null hypothesis.
fn turned(n: usize, m: usize, treated: usize, control: usize, alternative: Alternative) -> i64 {
    let gap = ((control * n).cast_signed() - (treated * m).cast_signed()) as i64;
    match alternative {
        Alternative::TwoSided => gap.abs(),
        Alternative::Greater => gap,
        Alternative::Less => -gap,
    }
}

/// The largest gap times `n₁n₀`: whole numbers, so that equal gaps are equal.
fn largest_gap(treatment: &[f64], control: &[f64], alternative: Alternative) -> i64 {
    let sorted = |values: &[f64]| {
        let mut out = values.to_vec();
        out.sort_by(f64::total_cmp);
        out
    };
    let (x, y) = (sorted(treatment), sorted(control));
    let (mut i, mut j, mut largest) = (0, 0, 0);
    while i < x.len() || j < y.len() {
        let at = match (x.get(i), y.get(j)) {
            (Some(a), Some(b)) => a.min(*b),
            (Some(a), None) => *a,
            (None, Some(b)) => *b,
            (None, None) => break,
        };
        while x.get(i).is_some_and(|v| *v <= at) {
            i += 1;
        }
        while y.get(j).is_some_and(|v| *v <= at) {
            j += 1;
        }
        largest = largest.max(turned(x.len(), y.len(), i, j, alternative));
    }
    largest
}

/// The probability that a random order of the observations, a path from (0, 0) to (n₁, n₀), touches a gap as large:
/// `B(i, j) = (i B(i − 1, j) + j B(i, j − 1))/(i + j)`, and 1 where the gap is as large. All terms are positive: small p-values keep their digits.
fn exact_p(n: usize, m: usize, gap: i64, alternative: Alternative) -> f64 {
    let mut row = vec![0.0_f64; m + 1];
    for i in 0..=n {
        for j in 0..=m {
            row[j] = if turned(n, m, i, j, alternative) >= gap {
                1.0
            } else if i + j == 0 {
                0.0
            } else {
                let left = if j > 0 { j as f64 * row[j - 1] } else { 0.0 };
                let above = if i > 0 { i as f64 * row[j] } else { 0.0 };
                (left + above) / (i + j) as f64
            };
        }
    }
    row[m].min(1.0)
}

/// The limit distributions: Kolmogorov's on two sides; Smirnov's with Hodges' (1958) correction, his eq. 5.3, on one.
fn limit_p(n: f64, m: f64, d: f64, alternative: Alternative) -> f64 {
    let z = (n * m / (n + m)).sqrt() * d;
    if alternative == Alternative::TwoSided {
        return kolmogorov(z);
    }
    let (larger, smaller) = (n.max(m), n.min(m));
    let correction = (larger + 2.0 * smaller) / (larger * smaller * (larger + smaller)).sqrt();
    (-2.0 * z * z - 2.0 * z * correction / 3.0).exp().min(1.0)
}

/// `2 Σ_{k ≥ 1} (−1)^{k−1} exp(−2k²x²)`; for small x by Jacobi's transform `1 − √(2π)/x Σ_{k ≥ 1} exp(−(2k − 1)²π²/8x²)`.
fn kolmogorov(x: f64) -> f64 {
    /// Either series has a relative error below 1e-16 on its side of this with these terms.
    const EITHER: f64 = 1.0;
    const TERMS: u32 = 6;
    if x <= 0.0 {
        return 1.0;
    }
    if x >= EITHER {
        let term = |k: f64| (-2.0 * k * k * x * x).exp();
        let series = |k: u32| {
            if k % 2 == 1 {
                term(f64::from(k))
            } else {
                -term(f64::from(k))
            }
        };
        return 2.0 * (1..=TERMS).map(series).sum::<f64>();
    }
    let pi = std::f64::consts::PI;
    let term = |k: u32| (-(f64::from(2 * k - 1) * pi / x).powi(2) / 8.0).exp();
    1.0 - (2.0 * pi).sqrt() / x * (1..=TERMS).map(term).sum::<f64>()
}
