//! The confidence sequence of the difference of a quantile between two arms, whatever the distributions.

use super::mean::check_values;
use super::mixture::{MixtureBoundary, check_probability, positive};
use super::track::{ConfidenceLook, Statement, Track, sequence};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A confidence sequence of the difference `δ = q_b − q_a` of the p-quantiles of a treated and a control arm, and the sequential test that they are equal: no moment need exist, ties do no harm, and the
/// arms may grow at any pace. For each arm the count of rows below its quantile is that of events of probability p, with a [mixture of Bernoulli alternatives](MixtureBoundary::two_sided_bernoulli) `M(N, n)` on both sides; the
/// evidence against δ is what is left of their product for the pair of quantiles that suits the data best,
///
/// `E(δ) = min_x M(N_a(x), n_a) M(N_b(x + δ), n_b)`, `M(N(x), n) = min {M(k, n) : #rows < x ≤ k ≤ #rows ≤ x}`, k real,
///
/// and the sequence has the δ with `E(δ) < 1/α`: the differences of all pairs of order statistics whose product is below that.
///
/// The rows of an arm may come in any order, and are all kept: the state grows with them. Looking costs a pass over them.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | confidence of the whole sequence | (0, 1) |
/// | `null` | 0 | δ that the p-value tests | finite |
///
/// # Errors
/// [`Error::InvalidOption`] for p outside (0, 1), a plan that is not positive, and options set after a look; [`Error::OutOfRange`] for values that are not
/// finite, with the row; [`Error::NoRows`] without rows of an arm so far, and without new rows.
///
/// # References
/// Howard, S. R. & Ramdas, A. (2022). Sequential estimation of quantiles with applications to A/B testing and best-arm identification. *Bernoulli*
/// 28(3), 1704–1728, section 5. doi:10.3150/21-BEJ1388
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let mut lift = QuantileDifferenceSequence::new(0.5, 1_000)?;
/// let control: Vec<f64> = (0..1_000).map(|i| f64::from(i * 37 % 1_000)).collect();
/// let treated: Vec<f64> = control.iter().map(|x| x + 200.0).collect();
/// let look = lift.observe("first week", &control, &treated)?;
/// assert_eq!(look.estimate, 200.0);
/// assert!(90.0 < look.lower && look.lower < 130.0 && 270.0 < look.upper && look.upper < 310.0);
/// assert!(look.p_value < 1e-6);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantileDifferenceSequence {
    track: Track,
    p: f64,
    planned: f64,
    /// Control and treated, in ascending order.
    values: [Vec<f64>; 2],
}

sequence!(QuantileDifferenceSequence);

/// One arm at a look.
struct Arm<'a> {
    values: &'a [f64],
    mixture: MixtureBoundary,
    p: f64,
    /// The real count at which the mixture is least.
    least: f64,
}

impl Arm<'_> {
    fn at_count(&self, count: f64) -> f64 {
        let n = self.values.len() as f64;
        self.mixture
            .log_value(count - n * self.p, n * self.p * (1.0 - self.p))
    }

    /// The least logarithm of the evidence against this quantile.
    fn at(&self, x: f64) -> f64 {
        let below = self.values.partition_point(|v| *v < x) as f64;
        let up_to = self.values.partition_point(|v| *v <= x) as f64;
        self.at_count(self.least.clamp(below, up_to))
    }

    /// The places of the order statistics that the mixture is least between: the last at or before the least count, and the next.
    fn middle(&self) -> [usize; 2] {
        let n = self.values.len();
        let before = (self.least.ceil() as usize).clamp(1, n);
        let after = (self.least.floor() as usize + 1).clamp(1, n);
        [before - 1, after - 1]
    }
}

impl QuantileDifferenceSequence {
    /// The p-quantiles, narrowest at the planned number of rows of each arm.
    ///
    /// # Errors
    /// See [`QuantileDifferenceSequence`].
    pub fn new(p: f64, planned: u64) -> Result<Self> {
        check_probability(p)?;
        positive("planned", planned as f64)?;
        Ok(Self {
            track: Track::new(format!("difference of {p} quantiles")),
            p,
            planned: planned as f64,
            values: [vec![], vec![]],
        })
    }

    /// Takes in the rows of both arms that came since the last look, in any order; those of one arm may be none.
    ///
    /// # Errors
    /// See [`QuantileDifferenceSequence`].
    pub fn observe(
        &mut self,
        label: impl Into<String>,
        control: &[f64],
        treated: &[f64],
    ) -> Result<ConfidenceLook> {
        self.track.check()?;
        let label = label.into();
        check_values(control, f64::MIN, f64::MAX)?;
        check_values(treated, f64::MIN, f64::MAX)?;
        let new = [control, treated];
        let empty = |arm: usize| self.values[arm].is_empty() && new[arm].is_empty();
        if empty(0) || empty(1) || control.is_empty() && treated.is_empty() {
            return Err(Error::NoRows {
                reason: format!(
                    "look {label} has no new rows, or an arm none so far; leave it out"
                ),
            });
        }
        let mut values = self.values.clone();
        for (all, new) in values.iter_mut().zip(new) {
            all.extend_from_slice(new);
            all.sort_by(f64::total_cmp);
        }
        let now = self.statement(&values)?;
        self.values = values;
        Ok(self.track.record(label, now))
    }

    fn statement(&self, values: &[Vec<f64>; 2]) -> Result<Statement> {
        let v = self.planned * self.p * (1.0 - self.p);
        let rho = MixtureBoundary::best_rho(v, self.track.alpha())?;
        let mixture = MixtureBoundary::two_sided_bernoulli(rho, self.p)?;
        let arm = |values| -> Result<Arm<'_>> {
            let values: &[f64] = values;
            let least = mixture.least_count(values.len() as f64, self.p)?;
            Ok(Arm {
                values,
                mixture,
                p: self.p,
                least,
            })
        };
        let [a, b] = [arm(&values[0])?, arm(&values[1])?];
        let quantile = |values: &[f64]| {
            let n = values.len() as f64;
            values[(n * self.p).ceil().clamp(1.0, n) as usize - 1]
        };
        let limit = -self.track.alpha().ln();
        Ok(Statement {
            rows: (a.values.len() + b.values.len()) as u64,
            estimate: quantile(b.values) - quantile(a.values),
            lower: -largest_gap(&b, &a, limit),
            upper: largest_gap(&a, &b, limit),
            log_e_value: evidence(&a, &b, self.track.null),
            p_value: None,
        })
    }

    fn method(&self) -> String {
        format!(
            "Product of mixtures of Bernoulli alternatives, planned for {} rows of each arm",
            self.planned
        )
    }
}

/// The least logarithm of the evidence against two quantiles that differ by δ: at an order statistic of one of the arms, between those where each alone has the least.
fn evidence(a: &Arm, b: &Arm, delta: f64) -> f64 {
    let ends = [
        a.values[a.middle()[0]],
        a.values[a.middle()[1]],
        b.values[b.middle()[0]] - delta,
        b.values[b.middle()[1]] - delta,
    ];
    let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let within = |values: &[f64], shift: f64| {
        let first = values.partition_point(|v| v - shift < low);
        let past = values.partition_point(|v| v - shift <= high);
        first..past
    };
    let of_a = a.values[within(a.values, 0.0)].iter();
    let of_b = b.values[within(b.values, delta)].iter();
    let from_a = of_a.map(|x| a.at(*x) + b.at(x + delta));
    let from_b = of_b.map(|x| a.at(x - delta) + b.at(*x));
    from_a.chain(from_b).fold(f64::INFINITY, f64::min)
}

/// The largest `q_high − q_low` whose evidence is below the limit. A smaller q_low leaves less room for q_high: both go up together.
fn largest_gap(low: &Arm, high: &Arm, limit: f64) -> f64 {
    let (n, m) = (low.values.len(), high.values.len());
    let least = high.at_count(high.least);
    // Evidence against the k-th order statistic as the low quantile, and as the high one: of the counts that it stands for the one nearest to the least.
    let down = |k: usize| low.at_count(low.least.min(k as f64));
    let up = |k: usize| high.at_count(high.least.max(k as f64 - 1.0));
    if down(0) + least < limit {
        return f64::INFINITY;
    }
    let (first, last) = (high.middle()[1] + 1, low.middle()[0] + 1);
    let mut reached = first;
    let mut gap = f64::NEG_INFINITY;
    for k in 1..=last.min(n) {
        let room = limit - down(k);
        if least >= room {
            continue;
        }
        while reached < m && up(reached + 1) < room {
            reached += 1;
        }
        // Beyond the last order statistic all rows are below.
        if reached == m && high.at_count(m as f64) < room {
            return f64::INFINITY;
        }
        gap = gap.max(high.values[reached - 1] - low.values[k - 1]);
    }
    gap
}
