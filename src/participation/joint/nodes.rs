//! Where the nodes of a customer lie: around the mode of what is known of ability, and of the belief given that.

use super::integral::{Customer, at};
use super::pieces::{answer, normal_choice};

/// Where the nodes of a customer lie. They are found at one point of the search and kept, so that value, gradient and Hessian are those of one function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    /// Centre and width of the nodes for u.
    pub(super) outer: [f64; 2],
    /// Those of the nodes for t are at `inner[0] + inner[1] u`, of width `inner[2]`.
    pub(super) inner: [f64; 3],
}

impl Customer<'_> {
    /// Nodes around the mode of the posterior; a told belief is taken as a normal observation.
    pub(super) fn place(&self) -> Place {
        let q = &self.q;
        let inner = match self.approximate() {
            None => [0.0, 0.0, 1.0],
            Some([middle, variance]) => {
                let precision = 1.0 + q[at::R2].powi(2) / variance;
                let per = q[at::R2] / variance / precision;
                [
                    per * (middle - q[at::R0]),
                    -per * q[at::R1],
                    1.0 / precision.sqrt(),
                ]
            }
        };
        let inner = match self.worked() {
            None => inner,
            Some([middle, slope, variance]) => {
                // The effort as one more normal observation of t.
                let own = slope * q[at::M2];
                let before = inner[2].powi(-2);
                let precision = before + own * own / variance;
                let per = own / variance;
                [
                    (inner[0] * before + per * middle) / precision,
                    (inner[1] * before - per * slope * q[at::M1]) / precision,
                    1.0 / precision.sqrt(),
                ]
            }
        };
        Place {
            outer: self.peak(),
            inner,
        }
    }

    /// Where the posterior of u has its mode, and its deviation there.
    fn peak(&self) -> [f64; 2] {
        const STEPS: usize = 12;
        const CLOSE: f64 = 1e-3;
        let q = &self.q;
        let told = self.approximate();
        let spread = (1.0 + (q[at::THETA] * q[at::M2]).powi(2)).sqrt();
        let loads = q[at::THETA] * q[at::M1] / spread;
        let (mut u, mut curvature) = (0.0, 1.0);
        for _ in 0..STEPS {
            let a = q[at::A] + q[at::SD] * u;
            let [_, mut first, mut second] = self.of_ability(a);
            for (y, [intercept, slope]) in self.seen.answers.iter().zip(self.items) {
                if !y.is_nan() {
                    let [_, d, dd] = answer(*y, intercept + slope * a);
                    first += slope * d;
                    second += slope * slope * dd;
                }
            }
            first *= q[at::SD];
            second *= q[at::SD] * q[at::SD];
            let index = (q[at::B] + q[at::THETA] * (q[at::M0] + q[at::M1] * u)) / spread;
            let [_, d, dd] = normal_choice(self.seen.takes_part, index);
            first += loads * d - u;
            second += loads * loads * dd - 1.0;
            if let Some([middle, variance]) = told {
                let variance = variance + q[at::R2] * q[at::R2];
                first += q[at::R1] * (middle - q[at::R0] - q[at::R1] * u) / variance;
                second -= q[at::R1] * q[at::R1] / variance;
            }
            if let Some([middle, slope, variance]) = self.worked() {
                let by = slope * q[at::M1];
                let variance = variance + (slope * q[at::M2]).powi(2);
                first += by * (middle - by * u) / variance;
                second -= by * by / variance;
            }
            curvature = -second;
            let step = (first / curvature).clamp(-2.0, 2.0);
            u += step;
            if step.abs() < CLOSE {
                break;
            }
        }
        [u, 1.0 / curvature.sqrt()]
    }

    /// The effort that is seen as a normal observation of the belief: its distance from the index at M0, what a unit of belief counts in it, and its
    /// variance.
    fn worked(&self) -> Option<[f64; 3]> {
        let q = &self.q;
        if self.seen.effort.is_nan() {
            return None;
        }
        let index = q[at::EFFORT] + q[at::RELIEF] * q[at::M0];
        let noise = (2.0 * q[at::NOISE]).exp();
        Some(if self.seen.effort > 0.0 {
            [self.seen.effort - index, q[at::RELIEF], noise]
        } else {
            let spread = (noise + (q[at::RELIEF] * q[at::M2]).powi(2)).sqrt();
            let middle = (-0.5 * spread - index).min(0.0);
            [middle, q[at::RELIEF], noise + 0.25 * spread * spread]
        })
    }

    /// The told belief as a normal observation: its middle and the variance of its error.
    fn approximate(&self) -> Option<[f64; 2]> {
        let [low, high] = self.seen.told;
        if low.is_nan() {
            return None;
        }
        let noise = (2.0 * self.q[at::LR]).exp();
        let spread = (noise + self.q[at::R2].powi(2) + self.q[at::R1].powi(2)).sqrt();
        Some(if low.is_infinite() {
            [high - 0.5 * spread, noise + 0.25 * spread * spread]
        } else if high.is_infinite() {
            [low + 0.5 * spread, noise + 0.25 * spread * spread]
        } else {
            [0.5 * (low + high), noise + (high - low).powi(2) / 12.0]
        })
    }
}
