//! The hybrid test of moment inequalities: a least favourable first step, then a test given the moment that is largest.

use crate::error::Result;
use crate::numeric::optimize::brent_root;
use crate::numeric::quadrature::Rule;
use crate::numeric::special::multivariate_normal::{Settings, cdf};
use crate::numeric::special::{normal, truncated_normal};
use nalgebra::DMatrix;
use std::cell::OnceCell;

/// Values of the effect that are tested between the ends that the first step leaves; ends are then halved to `CLOSE`.
const VALUES: usize = 400;
/// Ends are found to this share of the range that is searched.
pub(super) const CLOSE: f64 = 1e-12;
/// How far the integral of the least favourable critical value reaches, in standard deviations.
const REACH: f64 = 9.0;
/// Moments whose regression on the largest differs from one by less than this move with it.
const SAME: f64 = 1e-10;
/// The seed of the lattice of integrals in several dimensions: no draws that a user would want to repeat.
const LATTICE: u64 = 1;

/// Moments that are no larger than zero for the true effect: `at − slope · effect`.
pub(super) struct Moments {
    pub(super) at: Vec<f64>,
    pub(super) slope: Vec<f64>,
    pub(super) covariance: DMatrix<f64>,
    /// Level of the second step.
    pub(super) alpha: f64,
    /// What the first step leaves out.
    pub(super) first: f64,
    /// A plane that holds them all: the bound, weight and scales of the vertices.
    pub(super) plane: Option<Plane>,
    /// The first step's critical value, once it is known.
    pub(super) critical: OnceCell<f64>,
}

/// Moments of two normal variables, the estimated difference D in trends after treatment, `±D − reach·Δ ≤ x·scale`, and the largest change Δ before, `−2 M̄ Δ ≤ x·floor`.
pub(super) struct Plane {
    pub(super) reach: f64,
    pub(super) scale: [f64; 2],
    /// Twice the bound, and the smallest scale of a floor.
    pub(super) floor: [f64; 2],
    /// Variances of D and Δ, and their covariance.
    pub(super) spread: [f64; 3],
}

impl Moments {
    /// The first step's critical value: the 1 − κ quantile of the largest moment when all are zero on average.
    fn critical(&self, rule: &Rule) -> Result<f64> {
        if let Some(known) = self.critical.get() {
            return Ok(*known);
        }
        let excess = |x: f64| self.probability(x, rule) - (1.0 - self.first);
        // Only the plane is integrated to more than the four digits that a limit of the first step needs.
        let tolerance = if self.plane.is_some() { 1e-10 } else { 1e-4 };
        let found = brent_root(excess, 0.0, self.most() + 1e-2, tolerance)?.point;
        Ok(*self.critical.get_or_init(|| found))
    }

    /// No critical value is larger: that of moments that exclude each other.
    fn most(&self) -> f64 {
        normal::upper_quantile(self.first / self.at.len() as f64)
    }

    /// The probability that no moment exceeds x when all are zero on average.
    fn probability(&self, x: f64, rule: &Rule) -> f64 {
        if let Some(plane) = &self.plane {
            return plane.probability(x, rule);
        }
        let settings = Settings {
            tolerance: 1e-4,
            points: 20_000,
            ..Settings::new(LATTICE)
        };
        let count = self.at.len();
        let ends = (vec![f64::NEG_INFINITY; count], vec![x; count]);
        cdf(&ends.0, &ends.1, &self.covariance, &settings).value
    }

    /// Whether an effect is not rejected: by the first step, when the largest moment exceeds its critical value; by the second, when it exceeds the 1 − α̃ quantile of its distribution given that it is the largest
    /// and that the first step did not reject, if that is above zero.
    pub(super) fn accept(&self, effect: f64, rule: &Rule) -> Result<bool> {
        let moments: Vec<f64> = (self.at.iter().zip(&self.slope))
            .map(|(at, slope)| at - slope * effect)
            .collect();
        let (largest, value) =
            (moments.iter().copied().enumerate()).fold((0, f64::NEG_INFINITY), |best, new| {
                if new.1 > best.1 { new } else { best }
            });
        if value <= 0.0 {
            return Ok(true);
        }
        let variance = self.covariance[(largest, largest)];
        if variance <= 0.0 || value > self.most() + 1e-2 {
            return Ok(false);
        }
        // Each other moment is the larger one when the value is beyond a bound.
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        for (other, moment) in moments.iter().enumerate() {
            let rate = self.covariance[(other, largest)] / variance;
            let bound = (moment - rate * value) / (1.0 - rate);
            if 1.0 - rate > SAME {
                low = low.max(bound);
            } else if 1.0 - rate < -SAME {
                high = high.min(bound);
            }
        }
        if self.plane.is_some() {
            high = high.min(self.critical(rule)?);
        }
        let deviation = variance.sqrt();
        let [low, high] = [low, high.max(value)].map(|end| end / deviation);
        let given = low * deviation >= value
            || value
                <= deviation * truncated_normal::quantile(1.0 - self.alpha, low, high).max(0.0);
        // One moment alone has the least critical value: up to there the integral is not needed.
        let least = normal::upper_quantile(self.first) * deviation;
        Ok(given && (value <= least || value <= self.critical(rule)?))
    }

    /// An interval with the smallest and largest effects that are accepted outside of it.
    pub(super) fn widen(&self, known: (f64, f64), rule: &Rule) -> Result<(f64, f64)> {
        // What the first step may leave.
        let critical = if self.plane.is_some() {
            self.critical(rule)?
        } else {
            self.most()
        };
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        for (at, slope) in self.at.iter().zip(&self.slope) {
            let end = (at - critical) / slope;
            if *slope > 0.0 {
                low = low.max(end);
            } else if *slope < 0.0 {
                high = high.min(end);
            } else if *at > critical {
                return Ok(known);
            }
        }
        // A grid, and the values at which two moments are largest together: next to them the test may accept on a narrow stretch.
        let width = high - low;
        let mut values: Vec<f64> = (0..=VALUES)
            .map(|i| low + width * i as f64 / VALUES as f64)
            .collect();
        for i in 0..self.at.len() {
            for j in 0..i {
                let tie = (self.at[i] - self.at[j]) / (self.slope[i] - self.slope[j]);
                if tie > low && tie < high {
                    values.push(tie);
                }
            }
        }
        values.sort_unstable_by(f64::total_cmp);
        let between = |mut inside: f64, mut outside: f64| -> Result<f64> {
            while (inside - outside).abs() > CLOSE * width {
                let middle = 0.5 * (inside + outside);
                if self.accept(middle, rule)? {
                    inside = middle;
                } else {
                    outside = middle;
                }
            }
            Ok(inside)
        };
        let (mut lower, mut upper) = known;
        for (at, value) in values.iter().enumerate().take_while(|(_, v)| **v < known.0) {
            if self.accept(*value, rule)? {
                lower = between(*value, values[at.saturating_sub(1)])?;
                break;
            }
        }
        let last = values.len() - 1;
        let above = values.iter().enumerate().rev();
        for (at, value) in above.take_while(|(_, v)| **v > known.1) {
            if self.accept(*value, rule)? {
                upper = between(*value, values[(at + 1).min(last)])?;
                break;
            }
        }
        Ok((lower, upper))
    }
}

impl Plane {
    /// The integral over the change before treatment of the probability of the stretch for the difference after it.
    fn probability(&self, x: f64, rule: &Rule) -> f64 {
        let [variance, own, shared] = self.spread;
        let deviation = own.sqrt();
        let from = if self.floor[0] > 0.0 {
            (-x * self.floor[1] / (self.floor[0] * deviation)).max(-REACH)
        } else {
            -REACH
        };
        let rate = shared / own;
        let rest = (variance - rate * shared).max(0.0).sqrt();
        let half = 0.5 * (REACH - from);
        half * rule.integrate(|node| {
            let z = from + half * (node + 1.0);
            let change = z * deviation;
            let mean = rate * change;
            let upper = self.reach * change + x * self.scale[0] - mean;
            let lower = -self.reach * change - x * self.scale[1] - mean;
            normal::pdf(z) * truncated_normal::mass(lower / rest, upper / rest)
        })
    }
}
